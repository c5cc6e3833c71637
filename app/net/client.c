/*
 * client.c - see client.h. One easy handle on one multi handle, driven here so that a stop is seen
 * at once; redirects are followed here, not by libcurl, so that each hop is checked like the first.
 *
 * Invariants
 *  1. No socket exists that open_socket did not make, and it asks the guard first.
 *  2. Every URL that reaches libcurl passed zt_url_read and is ASCII.
 *  3. What is read is bounded: headers by HEADERS_MAX, a body by the caller's buffer, the body of
 *     a redirect not at all.
 */
#include "net/client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "net/guard.h"
#include "net/redirect.h"
#include "net/url.h"

#define CONNECT_US          (10 * ZT_SECOND_US)
#define TOTAL_US            (30 * ZT_SECOND_US)
#define GET_MIN_BYTES_PER_S 1000
#define MIN_SPEED_US        (5 * ZT_SECOND_US)
#define HEADERS_MAX         ((size_t)64 << 10)
#define POLL_MS             100
#define TIMER_SLACK_US      (20 * ZT_MS_US)
#define RETRY_AFTER_MAX_US  (365 * ZT_DAY_US)
#define USER_AGENT          "zoetrope/" ZT_VERSION

struct zt_client {
    const struct zt_guard *guard;
    const struct zt_stop *stop;
    char *ca_file;
    struct curl_slist *resolve;
    CURL *easy;
    CURLM *multi;
    struct zt_arena arena; /* URLs of the call under way */
};

/* One hop under way: what the callbacks share. */
struct hop {
    const struct zt_client *client;
    const struct zt_call *call;
    struct zt_buf *body;
    size_t body_limit_n; /* what the buffer can take, for messages */
    int number;          /* 0 for the first */

    int opened;          /* sockets made */
    int family;          /* of the last one: 4 or 6; 0: none was made */
    const char *refused; /* why the guard refused the last address it refused; NULL: none */
    char refused_address[INET6_ADDRSTRLEN];

    size_t header_bytes;
    bool headers_done;
    bool leads_on;   /* a redirect to follow */
    bool ended_here; /* the transfer was ended on purpose, with all that is wanted */
    bool cut;        /* and with a part of the body only */
    int status;
    int64_t content_length; /* -1: not said */
    int64_t retry_after_us;
    char location[ZT_URL_MAX + 1];
    size_t location_n; /* as sent, may be past the limit */

    enum zt_code rc; /* set by a callback that ended the transfer */
    struct zt_err err;
    char curl_text[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
    zt_assert(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

/* ---- the callbacks ------------------------------------------------------------------------- */

static void note_refusal(struct hop *hop, const char *why, const struct sockaddr *address,
                         socklen_t n)
{
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;

    hop->refused = why;
    hop->refused_address[0] = '\0';
    if (address->sa_family == AF_INET && (size_t)n >= sizeof(ipv4)) {
        memcpy(&ipv4, address, sizeof(ipv4));
        inet_ntop(AF_INET, &ipv4.sin_addr, hop->refused_address, sizeof(hop->refused_address));
    } else if (address->sa_family == AF_INET6 && (size_t)n >= sizeof(ipv6)) {
        memcpy(&ipv6, address, sizeof(ipv6));
        inet_ntop(AF_INET6, &ipv6.sin6_addr, hop->refused_address, sizeof(hop->refused_address));
    }
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct hop *hop = user;

    (void)purpose;
    const char *why = zt_guard_refuses(hop->client->guard, &address->addr, address->addrlen);
    if (why != NULL) {
        note_refusal(hop, why, &address->addr, address->addrlen);
        return CURL_SOCKET_BAD;
    }
    hop->opened++;
    hop->family = address->family == AF_INET6 ? 6 : 4;
    if (zt_fault("net.socket"))
        return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* The value of header `name` in a line of n bytes, without surrounding space. */
static bool header_value(const char *line, size_t n, const char *name, const char **ret,
                         size_t *ret_n)
{
    size_t name_n = strlen(name);

    if (n <= name_n || line[name_n] != ':' || strncasecmp(line, name, name_n) != 0)
        return false;
    const char *start = line + name_n + 1;
    const char *end = line + n;
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (unsigned char)end[-1] <= ' ')
        end--;
    *ret = start;
    *ret_n = (size_t)(end - start);
    return true;
}

/* Seconds or an HTTP date; -1 when neither. A date in the past is 0. */
static int64_t read_retry_after(const char *value, size_t n)
{
    char text[64];
    int64_t wait_us = -1;
    int64_t seconds;

    if (n == 0 || n >= sizeof(text))
        return -1;
    memcpy(text, value, n);
    text[n] = '\0';
    if (text[strspn(text, "0123456789")] == '\0') {
        if (!zt_parse_int(text, 0, RETRY_AFTER_MAX_US / ZT_SECOND_US, &seconds))
            return RETRY_AFTER_MAX_US;
        return seconds * ZT_SECOND_US;
    }
    time_t when = curl_getdate(text, NULL);
    if (when != (time_t)-1) {
        wait_us = (int64_t)when * ZT_SECOND_US - zt_now_utc_us();
        if (wait_us < 0)
            wait_us = 0;
        if (wait_us > RETRY_AFTER_MAX_US)
            wait_us = RETRY_AFTER_MAX_US;
    }
    return wait_us;
}

static void read_header(struct hop *hop, const char *line, size_t n)
{
    const char *value;
    size_t value_n;

    if (header_value(line, n, "Location", &value, &value_n) && hop->location_n == 0) {
        hop->location_n = value_n;
        if (value_n < sizeof(hop->location))
            memcpy(hop->location, value, value_n); /* zeroed before */
    } else if (header_value(line, n, "Retry-After", &value, &value_n)) {
        hop->retry_after_us = read_retry_after(value, value_n);
    } else if (header_value(line, n, "Content-Length", &value, &value_n)) {
        char text[24] = "";
        if (value_n < sizeof(text))
            memcpy(text, value, value_n);
        if (!zt_parse_int(text, 0, INT64_MAX, &hop->content_length))
            hop->content_length = -1; /* libcurl refuses what is not a number */
    }
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void too_large(struct hop *hop)
{
    hop->rc = zt_fail(&hop->err, ZT_E_LIMIT, "the answer is larger than the limit of %zu bytes",
                      hop->body_limit_n);
}

/* The blank line after the headers; false ends the transfer. */
static bool end_headers(struct hop *hop)
{
    long status = 0;

    curl_easy_getinfo(hop->client->easy, CURLINFO_RESPONSE_CODE, &status);
    hop->status = (int)status;
    if (status < 200)
        return true; /* an interim answer, the real one follows */
    hop->headers_done = true;
    hop->leads_on = hop->call->max_redirects > 0 && is_redirect(hop->status) && hop->location_n > 0;
    hop->ended_here = hop->leads_on || (hop->call->skip_error_body && status != 200);
    if (hop->ended_here)
        return false;
    if (!hop->call->cut_body && hop->content_length >= 0 &&
        (uint64_t)hop->content_length > hop->body->limit - hop->body->n) {
        too_large(hop);
        return false;
    }
    return true;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
    struct hop *hop = user;

    n *= size;
    hop->header_bytes += n;
    if (hop->header_bytes > HEADERS_MAX) {
        hop->rc = zt_fail(&hop->err, ZT_E_NET, "the server sends more than %zu bytes of headers",
                          HEADERS_MAX);
        return 0;
    }
    if (hop->headers_done) /* trailers of a chunked body */
        return n;
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        hop->location_n = 0;
        memset(hop->location, 0, sizeof(hop->location));
        hop->content_length = -1;
        hop->retry_after_us = -1;
    } else if (n <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        return end_headers(hop) ? n : 0;
    } else {
        read_header(hop, line, n);
    }
    return n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    struct hop *hop = user;
    size_t room = hop->body->limit - hop->body->n;

    n *= size;
    if (zt_fault("net.body")) {
        hop->rc = zt_fail(&hop->err, ZT_E_NOMEM, "not enough memory for the answer");
        return 0;
    }
    if (n > room && !hop->call->cut_body) {
        too_large(hop);
        return 0;
    }
    hop->rc = zt_buf_add(hop->body, bytes, n < room ? n : room, &hop->err);
    hop->ended_here = hop->cut = hop->rc == ZT_OK && n > room;
    return hop->rc == ZT_OK && n <= room ? n : 0;
}

/* ---- one hop ------------------------------------------------------------------------------- */

static long milliseconds(int64_t us)
{
    int64_t ms = (us + 999) / 1000;

    return ms > INT32_MAX ? INT32_MAX : (long)ms;
}

/* Errors of curl_easy_setopt are memory and missing features; either way the call must not go. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (curl_easy_setopt(easy, (option), (value)) != CURLE_OK)                                 \
            return zt_fail(err, ZT_E_INTERNAL, "cannot set up the HTTP client: " #option);         \
    } while (0)

static enum zt_code set_safety(struct hop *hop, struct zt_err *err)
{
    const struct zt_client *client = hop->client;
    CURL *easy = client->easy;

    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, hop);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_PROXY, ""); /* else http_proxy and friends are obeyed */
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (client->ca_file != NULL) {
        SET(CURLOPT_CAINFO, client->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A resolver thread that hangs is let go, and frees itself, instead of waited for. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    if (client->resolve != NULL)
        SET(CURLOPT_RESOLVE, client->resolve);
    return ZT_OK;
}

static enum zt_code set_request(struct hop *hop, const char *url, struct curl_slist *headers,
                                int64_t left_us, struct zt_err *err)
{
    const struct zt_call *call = hop->call;
    CURL *easy = hop->client->easy;
    bool is_get = strcmp(call->method, "GET") == 0;
    int64_t connect_us = call->connect_us ? call->connect_us : CONNECT_US;
    int64_t speed = call->min_bytes_per_s ? call->min_bytes_per_s : GET_MIN_BYTES_PER_S;
    int64_t speed_us = call->min_speed_us ? call->min_speed_us : MIN_SPEED_US;

    SET(CURLOPT_URL, url);
    SET(CURLOPT_USERAGENT, USER_AGENT);
    SET(CURLOPT_HTTPHEADER, headers);
    if (is_get) {
        SET(CURLOPT_HTTPGET, 1L);
    } else {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, call->body ? (const char *)call->body : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_n);
    }
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, hop);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, hop);
    SET(CURLOPT_ERRORBUFFER, hop->curl_text);
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(connect_us));
    SET(CURLOPT_TIMEOUT_MS, milliseconds(left_us));
    if (is_get || call->min_bytes_per_s > 0) {
        SET(CURLOPT_LOW_SPEED_LIMIT, (long)speed);
        SET(CURLOPT_LOW_SPEED_TIME, (milliseconds(speed_us) + 999) / 1000);
    }
    return ZT_OK;
}

/* Runs the transfer to its end or the stop. ZT_OK: *ret has libcurl's verdict. */
static enum zt_code drive(const struct zt_client *client, CURLcode *ret, struct zt_err *err)
{
    struct curl_waitfd waits[] = { { .fd = -1, .events = CURL_WAIT_POLLIN } };
    enum zt_code rc = ZT_OK;
    int running = 1;

    if (client->stop != NULL)
        waits[0].fd = zt_stop_fd(client->stop);
    CURLMcode failed = curl_multi_add_handle(client->multi, client->easy);
    while (failed == CURLM_OK && running > 0) {
        if (client->stop != NULL && zt_stop_asked(client->stop)) {
            rc = zt_fail(err, ZT_E_CANCELLED, "the request was stopped");
            break;
        }
        failed = curl_multi_perform(client->multi, &running);
        if (failed == CURLM_OK && running > 0)
            failed = curl_multi_poll(client->multi, waits, client->stop != NULL, POLL_MS, NULL);
    }
    if (failed != CURLM_OK)
        rc = zt_fail(err, ZT_E_INTERNAL, "the HTTP client failed: %s", curl_multi_strerror(failed));
    *ret = CURLE_OK;
    int left = 0;
    for (CURLMsg *m; (m = curl_multi_info_read(client->multi, &left)) != NULL;)
        if (m->msg == CURLMSG_DONE)
            *ret = m->data.result;
    curl_multi_remove_handle(client->multi, client->easy);
    return rc;
}

static enum zt_code explain_timeout(const struct hop *hop, int64_t end_us, struct zt_err *err)
{
    const struct zt_call *call = hop->call;
    curl_off_t ready_us = 0;

    curl_easy_getinfo(hop->client->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    if (zt_now_mono_us() + TIMER_SLACK_US >= end_us) /* libcurl counts in whole milliseconds */
        return zt_fail(err, ZT_E_TIMEOUT, "the host did not answer in full within %g s",
                       (double)(call->total_us ? call->total_us : TOTAL_US) / 1e6);
    if (ready_us == 0)
        return zt_fail(err, ZT_E_TIMEOUT, "could not connect to the host within %g s",
                       (double)(call->connect_us ? call->connect_us : CONNECT_US) / 1e6);
    return zt_fail(
        err, ZT_E_TIMEOUT, "the host sends less than %lld bytes a second",
        (long long)(call->min_bytes_per_s ? call->min_bytes_per_s : GET_MIN_BYTES_PER_S));
}

/* One header line past libcurl's own limit; versions before 8.6 call that out of memory. */
static bool is_long_header(const struct hop *hop, CURLcode code)
{
#if LIBCURL_VERSION_NUM >= 0x080600
    if (code == CURLE_TOO_LARGE)
        return true;
#endif
    return code == CURLE_OUT_OF_MEMORY && hop->header_bytes > 0 && !hop->headers_done;
}

/* What libcurl says in our words. */
static enum zt_code explain(const struct hop *hop, CURLcode code, int64_t end_us,
                            struct zt_err *err)
{
    static const struct {
        CURLcode curl;
        enum zt_code code;
        const char *msg;
    } rows[] = {
        { CURLE_COULDNT_RESOLVE_HOST, ZT_E_NET, "the host name could not be resolved" },
        { CURLE_COULDNT_CONNECT, ZT_E_NET, "could not connect to the host" },
        { CURLE_SSL_CONNECT_ERROR, ZT_E_NET, "the TLS handshake with the host failed" },
        { CURLE_PEER_FAILED_VERIFICATION, ZT_E_NET, "the host's TLS certificate is not valid" },
        { CURLE_SSL_CACERT_BADFILE, ZT_E_IO, "the file of trusted certificates cannot be read" },
        { CURLE_GOT_NOTHING, ZT_E_NET, "the host closed the connection without an answer" },
        { CURLE_PARTIAL_FILE, ZT_E_NET, "the connection ended before the whole answer came" },
        { CURLE_RECV_ERROR, ZT_E_NET, "the connection broke while the answer came" },
        { CURLE_SEND_ERROR, ZT_E_NET, "the connection broke while the request was sent" },
        { CURLE_UNSUPPORTED_PROTOCOL, ZT_E_NET, "the host's answer is not HTTP" },
        { CURLE_WEIRD_SERVER_REPLY, ZT_E_NET, "the host's answer is not HTTP" },
        { CURLE_OUT_OF_MEMORY, ZT_E_NOMEM, "not enough memory for the request" },
    };

    if (code == CURLE_OPERATION_TIMEDOUT)
        return explain_timeout(hop, end_us, err);
    if (code == CURLE_COULDNT_CONNECT && hop->refused != NULL && hop->opened == 0)
        return zt_fail(err, ZT_E_DENIED,
                       hop->number == 0
                           ? "the host resolves to an address that is not allowed (%s)"
                           : "redirects to a host with an address that is not allowed (%s)",
                       hop->refused);
    if (is_long_header(hop, code))
        return zt_fail(err, ZT_E_NET, "the server sends a header that is too long");
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        if (rows[i].curl == code)
            return zt_fail(err, rows[i].code, "%s", rows[i].msg);
    return zt_fail(err, ZT_E_NET, "the transfer failed");
}

static enum zt_code run_hop(struct hop *hop, const char *url, struct curl_slist *headers,
                            int64_t end_us, struct zt_err *err)
{
    CURLcode code = CURLE_OK;
    struct zt_err found = { 0 };
    int64_t left_us = end_us - zt_now_mono_us();
    char where[128];

    if (left_us <= 0)
        return explain_timeout(hop, end_us, err);
    curl_easy_reset(hop->client->easy);
    ZT_TRY(set_safety(hop, err));
    ZT_TRY(set_request(hop, url, headers, left_us, err));
    ZT_TRY(drive(hop->client, &code, err));
    if (code == CURLE_OK || (hop->ended_here && hop->rc == ZT_OK))
        return ZT_OK;
    if (hop->headers_done && hop->rc == ZT_OK && hop->call->cut_body) {
        hop->cut = true;
        return ZT_OK;
    }
    if (hop->rc == ZT_OK)
        hop->rc = explain(hop, code, end_us, &found);
    else
        found = hop->err;
    zt_err_detail(&found, "%s %s%s libcurl %d: %s", zt_url_for_log(url, where, sizeof(where)),
                  hop->refused ? "refused " : "", hop->refused_address, (int)code, hop->curl_text);
    if (err != NULL)
        *err = found;
    return hop->rc;
}

/* ---- the whole call ------------------------------------------------------------------------ */

/* A copy with white space and what is outside ASCII as %XX. */
static const char *encode(struct zt_arena *arena, const char *url)
{
    static const char digits[] = "0123456789ABCDEF";
    char *copy = zt_arena_try(arena, 3 * strlen(url) + 1);
    char *out = copy;

    for (; copy != NULL && *url != '\0'; url++) {
        unsigned char c = (unsigned char)*url;
        if (c > ' ' && c < 0x7f) {
            *out++ = (char)c;
        } else {
            *out++ = '%';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        }
    }
    return copy;
}

/* A name of token characters, a colon, a value without control characters. */
static bool is_header_line(const char *line)
{
    size_t name_n = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789-_");
    const char *value = line + name_n;

    if (name_n == 0 || *value++ != ':')
        return false;
    if (value[strspn(value, " ")] == '\0') /* libcurl would drop the header */
        return false;
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7f)
            return false;
    return true;
}

static bool append(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);

    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

ZT_AUTO(struct curl_slist, slist, curl_slist_free_all)

/* The caller's headers when `all`; "Expect:" keeps libcurl from waiting for a 100 Continue. */
static enum zt_code make_headers(const struct zt_call *call, bool all, struct curl_slist **ret,
                                 struct zt_err *err)
{
    zt_auto(slist) struct curl_slist *list = NULL;
    bool ok = append(&list, "Expect:");

    for (const char *const *h = call->headers; all && ok && h != NULL && *h != NULL; h++) {
        if (!is_header_line(*h))
            return zt_fail(err, ZT_E_INVALID,
                           "a request header must be 'Name: value' without control characters");
        ok = append(&list, *h);
    }
    if (!ok)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a request");
    *ret = zt_take_slist(&list);
    return ZT_OK;
}

static enum zt_code next_url(struct zt_client *client, const struct hop *hop, const char **url,
                             struct zt_err *err)
{
    const char *next = NULL;

    if (hop->number == hop->call->max_redirects)
        return zt_fail(err, ZT_E_LIMIT, "redirects more than %d times", hop->call->max_redirects);
    if (hop->location_n > ZT_URL_MAX)
        return zt_fail(err, ZT_E_NET, "redirects to a URL of %zu bytes, the limit is %d",
                       hop->location_n, ZT_URL_MAX);
    const char *location = encode(&client->arena, hop->location);
    if (location != NULL)
        ZT_TRY(zt_redirect_resolve(*url, location, &client->arena, &next, err));
    if (next == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    *url = next; /* ASCII already: both parts were */
    return ZT_OK;
}

/* The host that Location names; "" when there is none, or none that makes sense. */
static void fill_location(const struct hop *hop, struct zt_arena *arena, struct zt_answer *ret)
{
    const char *next = NULL;
    struct zt_url parts;

    if (!is_redirect(hop->status) || hop->location_n == 0 || hop->location_n > ZT_URL_MAX)
        return;
    const char *location = encode(arena, hop->location);
    if (location != NULL &&
        zt_redirect_resolve(hop->call->url, location, arena, &next, NULL) == ZT_OK &&
        zt_url_read(next, strlen(next), false, arena, &parts, NULL) == ZT_OK)
        zt_format(ret->location, sizeof(ret->location), "%s", parts.host);
}

static void fill_answer(CURL *easy, const struct hop *hop, struct zt_answer *ret)
{
    const char *type = NULL;

    ret->status = hop->status;
    ret->retry_after_us = hop->retry_after_us;
    ret->cut = hop->cut;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    for (size_t i = 0; type != NULL && type[i] != '\0' && i + 1 < sizeof(ret->content_type); i++)
        ret->content_type[i] = type[i] >= ' ' && type[i] < 0x7f ? type[i] : '?';
}

/* Follows hops until an answer that is none. `hop` holds the last one. */
static enum zt_code run_hops(struct zt_client *client, const struct zt_call *call, int64_t end_us,
                             struct zt_buf *body, struct hop *hop, struct zt_err *err)
{
    struct zt_url parts;
    bool same_origin = true;

    ZT_TRY(zt_url_read(call->url, strlen(call->url), false, &client->arena, &parts, err));
    const char *first = encode(&client->arena, call->url);
    const char *url = first;
    if (first == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    for (int number = 0;; number++) {
        zt_auto(slist) struct curl_slist *headers = NULL;
        *hop = (struct hop){ .client = client, .call = call, .body = body, .number = number };
        hop->body_limit_n = body->limit - body->n;
        hop->content_length = -1;
        hop->retry_after_us = -1;
        ZT_TRY(make_headers(call, same_origin, &headers, err));
        ZT_TRY(run_hop(hop, url, headers, end_us, err));
        if (!hop->leads_on)
            return ZT_OK;
        ZT_TRY(next_url(client, hop, &url, err));
        same_origin = same_origin && zt_redirect_same_origin(first, url, &client->arena);
    }
}

enum zt_code zt_client_call(struct zt_client *client, const struct zt_call *call,
                            struct zt_buf *body, struct zt_answer *ret, struct zt_err *err)
{
    bool is_get = strcmp(call->method, "GET") == 0;
    int64_t start_us = zt_now_mono_us();
    int64_t total_us = call->total_us ? call->total_us : TOTAL_US;
    size_t body_start = body->n;
    struct hop hop = { 0 };

    zt_assert(is_get || strcmp(call->method, "POST") == 0);
    zt_assert(is_get || call->max_redirects == 0);
    zt_assert(body->n <= body->limit);
    zt_arena_reset(&client->arena);
    enum zt_code rc = run_hops(client, call, start_us + total_us, body, &hop, err);
    *ret = (struct zt_answer){ .took_us = zt_now_mono_us() - start_us,
                               .retry_after_us = -1,
                               .family = hop.family };
    if (rc != ZT_OK) {
        body->n = body_start;
        if (body->data != NULL)
            body->data[body->n] = '\0';
        return rc;
    }
    fill_answer(client->easy, &hop, ret);
    fill_location(&hop, &client->arena, ret);
    return ZT_OK;
}

/* "a:80:192.0.2.1 b:80:192.0.2.2" as a list. */
static struct curl_slist *split_resolve(const char *text)
{
    struct curl_slist *list = NULL;

    while (text != NULL && *text != '\0') {
        size_t n = strcspn(text, " ");
        char entry[512];
        zt_assert(n < sizeof(entry));
        memcpy(entry, text, n);
        entry[n] = '\0';
        zt_assert(n == 0 || append(&list, entry));
        text += n + strspn(text + n, " ");
    }
    return list;
}

struct zt_client *zt_client_new(const struct zt_client_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct zt_client *client = zt_new(struct zt_client);

    pthread_once(&once, init_curl);
    client->guard = options->guard;
    client->stop = options->stop;
    client->ca_file = options->ca_file ? zt_strdup_or_die(options->ca_file) : NULL;
    client->resolve = split_resolve(options->resolve);
    client->easy = curl_easy_init();
    client->multi = curl_multi_init();
    zt_assert(client->easy != NULL && client->multi != NULL);
    return client;
}

void zt_client_free(struct zt_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->resolve);
    zt_arena_clear(&client->arena);
    free(client->ca_file);
    free(client);
}
