/*
 * The HTTP client against small servers inside the test: what a server can do wrong, where
 * redirects may lead, DNS that changes its mind. All on 127.0.0.0/8, where the guard allows two
 * addresses and refuses a third. TLS is in test_tls.c.
 *
 * The C library's resolver is replaced by one of ours: libcurl calls the program's getaddrinfo.
 */
#include "net/client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/thread.h"
#include "check.h"
#include "hostile.h"
#include "net/guard.h"

/* ---- a resolver that says what a test wants ------------------------------------------------ */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const char *answers[3]; /* of the first, second, ... question; the last one stays */
    int asked;
    bool hangs;
    int hanging; /* threads that wait for hangs to end */
} dns = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void dns_answers(const char *first, const char *second)
{
    zt_locked(&dns.mutex);
    dns.answers[0] = first;
    dns.answers[1] = second;
    dns.asked = 0;
}

static void dns_hangs(bool hangs)
{
    zt_locked(&dns.mutex);
    dns.hangs = hangs;
    pthread_cond_broadcast(&dns.changed);
    while (!hangs && dns.hanging > 0)
        pthread_cond_wait(&dns.changed, &dns.mutex);
}

static int dns_asked(void)
{
    zt_locked(&dns.mutex);
    return dns.asked;
}

/* One answer's addresses, separated by commas, as the C library would give them. */
static struct addrinfo *make_answer(const char *list, int port)
{
    struct addrinfo *first = NULL;
    struct addrinfo **last = &first;
    char text[128];
    char *next = NULL;

    snprintf(text, sizeof(text), "%s", list);
    for (char *t = strtok_r(text, ",", &next); t != NULL; t = strtok_r(NULL, ",", &next)) {
        struct {
            struct addrinfo info;
            struct sockaddr_in address;
        } *entry = calloc(1, sizeof(*entry));
        entry->address.sin_family = AF_INET;
        entry->address.sin_port = htons((uint16_t)port);
        inet_pton(AF_INET, t, &entry->address.sin_addr);
        entry->info.ai_family = AF_INET;
        entry->info.ai_socktype = SOCK_STREAM;
        entry->info.ai_protocol = IPPROTO_TCP;
        entry->info.ai_addrlen = sizeof(entry->address);
        entry->info.ai_addr = (struct sockaddr *)&entry->address;
        *last = &entry->info;
        last = &entry->info.ai_next;
    }
    return first;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **ret)
{
    zt_locked(&dns.mutex);
    (void)hints;
    dns.hanging++;
    while (dns.hangs)
        pthread_cond_wait(&dns.changed, &dns.mutex);
    dns.hanging--;
    pthread_cond_broadcast(&dns.changed);
    if (strcmp(name, "flip.test") != 0 || dns.answers[0] == NULL)
        return EAI_NONAME;
    const char *answer = dns.answers[dns.asked > 0 && dns.answers[1] != NULL];
    dns.asked++;
    *ret = make_answer(answer, service ? (int)strtol(service, NULL, 10) : 0);
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* ---- one call ------------------------------------------------------------------------------ */

static struct server *open_server, *other_server, *closed_server;
static struct zt_guard *guard;
static struct zt_stop *stop_asked_by_server;

struct outcome {
    enum zt_code rc;
    struct zt_err err;
    struct zt_answer answer;
    struct zt_buf body;
    int64_t took_us;
};

static struct outcome call_with(struct zt_client *client, struct zt_call call, size_t limit)
{
    struct outcome o = { 0 };
    int64_t start = zt_now_mono_us();

    zt_buf_init(&o.body, limit);
    zt_buf_add(&o.body, "<", 1, NULL); /* what was there stays */
    o.rc = zt_client_call(client, &call, &o.body, &o.answer, &o.err);
    o.took_us = zt_now_mono_us() - start;
    return o;
}

static struct outcome get_with(struct zt_call call, const char *resolve, const struct zt_stop *stop)
{
    struct zt_client_options options = { .guard = guard, .resolve = resolve, .stop = stop };
    struct zt_client *client = zt_client_new(&options);

    call.method = call.method ? call.method : "GET";
    call.total_us = call.total_us ? call.total_us : 20 * ZT_SECOND_US;
    struct outcome o = call_with(client, call, 101);
    zt_client_free(client);
    return o;
}

static struct outcome get(const char *path)
{
    struct zt_call call = { .url = url_of(OPEN, open_server, path), .max_redirects = 3 };

    return get_with(call, NULL, NULL);
}

static void reads_what_servers_send(void)
{
    static const struct {
        const char *path;
        enum zt_code code;
        int status;
        const char *body; /* or part of msg */
    } rows[] = {
        { "/ok", ZT_OK, 200, "<hello" },
        { "/no-length", ZT_OK, 200, "<hello" },
        { "/chunked", ZT_OK, 200, "<hello" },
        { "/interim", ZT_OK, 200, "<hello" },
        { "/empty", ZT_OK, 200, "<" },
        { "/gzip", ZT_OK, 200, "<hello" },
        { "/404", ZT_OK, 404, "<not there" },
        { "/304", ZT_OK, 304, "<" },
        { "/302-nowhere", ZT_OK, 302, "<lost." },
        { "/302-body", ZT_OK, 200, "<hello" },
        { "/302-two", ZT_OK, 200, "<hello" },
        { "/hop/0", ZT_OK, 200, "<hello" },
        { "/hop/1", ZT_OK, 200, "<hello" },
        { "/hop/2", ZT_OK, 200, "<hello" },
        { "/hop/3", ZT_OK, 200, "<hello" },
        { "/hop/4", ZT_E_LIMIT, 0, "redirects more than 3 times" },
        { "/hop/9", ZT_E_LIMIT, 0, "redirects more than 3 times" },
        { "/limit", ZT_OK, 200, "<" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN },
        { "/over", ZT_E_LIMIT, 0, "larger than the limit of 100 bytes" },
        { "/huge", ZT_E_LIMIT, 0, "larger than the limit of 100 bytes" },
        { "/endless", ZT_E_LIMIT, 0, "larger than the limit of 100 bytes" },
        { "/endless-chunks", ZT_E_LIMIT, 0, "larger than the limit of 100 bytes" },
        { "/closes", ZT_E_NET, 0, "without an answer" },
        { "/cut", ZT_E_NET, 0, "before the whole answer" },
        { "/cut-chunk", ZT_E_NET, 0, "" },
        { "/resets", ZT_E_NET, 0, "" },
        { "/headers", ZT_E_NET, 0, "headers" },
        { "/one-header", ZT_E_NET, 0, "header that is too long" },
        { "/continues", ZT_E_NET, 0, "headers" },
        { "/trailers", ZT_E_NET, 0, "headers" },
        { "/ssh", ZT_E_NET, 0, "not HTTP" },
        { "/http09", ZT_E_NET, 0, "not HTTP" },
        { "/bad-length", ZT_E_NET, 0, "" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o = get(rows[i].path);
        CHECK_INT(rows[i].path, o.rc, rows[i].code);
        CHECK_INT(rows[i].path, o.err.code, rows[i].code);
        CHECK_INT(rows[i].path, o.answer.status, rows[i].status);
        if (rows[i].code == ZT_OK)
            CHECK_STR(rows[i].path, o.body.data, rows[i].body);
        else
            CHECK_HAS(rows[i].path, o.err.msg, rows[i].body);
        if (rows[i].code != ZT_OK) {
            CHECK_STR(rows[i].path, o.body.data, "<");
            CHECK("says something", o.err.msg[0] != '\0');
        }
        CHECK("at once", o.took_us < 10 * ZT_SECOND_US);
        zt_buf_clear(&o.body);
    }
}

static void fills_the_answer(void)
{
    struct outcome o = get("/ok");

    CHECK_STR("type", o.answer.content_type, "image/png");
    CHECK_INT("no Retry-After", o.answer.retry_after_us, -1);
    CHECK("took", o.answer.took_us > 0 && o.answer.took_us <= o.took_us);
    zt_buf_clear(&o.body);
    o = get("/404");
    CHECK_STR("no type", o.answer.content_type, "");
    zt_buf_clear(&o.body);
}

static void reads_retry_after(void)
{
    static const struct {
        const char *path;
        int64_t min_us, max_us;
    } rows[] = {
        { "/retry?0", 0, 0 },
        { "/retry?120", 120 * ZT_SECOND_US, 120 * ZT_SECOND_US },
        { "/retry?99999999999999999999", 365 * ZT_DAY_US, 365 * ZT_DAY_US },
        { "/retry?-5", -1, -1 },
        { "/retry?soon", -1, -1 },
        { "/retry?1.5", -1, -1 },
        { "/retry?Fri,_31_Dec_1999_23:59:59_GMT", 0, 0 },
        { "/retry?Fri,_31_Dec_2199_23:59:59_GMT", 365 * ZT_DAY_US, 365 * ZT_DAY_US },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o = get(rows[i].path);
        CHECK_INT(rows[i].path, o.rc, ZT_OK);
        CHECK_INT(rows[i].path, o.answer.status, 503);
        CHECK("from", o.answer.retry_after_us >= rows[i].min_us);
        CHECK("to", o.answer.retry_after_us <= rows[i].max_us);
        zt_buf_clear(&o.body);
    }
    char path[64] = "/retry?";
    time_t soon = time(NULL) + 100;
    struct tm tm;
    strftime(path + 7, sizeof(path) - 7, "%a,_%d_%b_%Y_%H:%M:%S_GMT", gmtime_r(&soon, &tm));
    struct outcome o = get(path);
    CHECK_NEAR("a date soon", (double)o.answer.retry_after_us / 1e6, 100, 20);
    zt_buf_clear(&o.body);
}

static void refuses_where_redirects_must_not_lead(void)
{
    static const struct {
        const char *to; /* %d is the refused server's port */
        const char *msg;
    } rows[] = {
        { "http://" CLOSED ":%d/ok", "redirects to a host with an address that is not allowed "
                                     "(loopback)" },
        { "//" CLOSED ":%d/ok", "not allowed (loopback)" },
        { "http://[::1]:%d/ok", "not allowed (loopback)" },
        { "http://[::ffff:" CLOSED "]:%d/ok", "not allowed (loopback)" },
        { "http://0.0.0.0:%d/ok", "not allowed (unspecified)" },
        { "http://[::]:%d/ok", "not allowed (unspecified)" },
        { "http://169.254.169.254:%d/latest", "not allowed (link-local)" },
        { "http://10.0.0.1:%d/", "not allowed (private)" },
        { "http://2130706435:%d/ok", "four decimal numbers" },
        { "http://0177.0.0.3:%d/ok", "four decimal numbers" },
        { "http://me@" CLOSED ":%d/ok", "user name" },
        { "file:///etc/passwd?%d", "must start with http:// or https://" },
        { "ftp://" OPEN ":%d/x", "must start with http:// or https://" },
        { "gopher://" OPEN ":%d/_x", "must start with http:// or https://" },
        { "dict://" OPEN ":%d/x", "must start with http:// or https://" },
        { "data:,x%d", "must start with http:// or https://" },
    };
    int hits = atomic_load(&closed_server->hits);

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char path[256];
        const char *mark = strstr(rows[i].to, "%d");
        snprintf(path, sizeof(path), "/to?%.*s%d%s", (int)(mark - rows[i].to), rows[i].to,
                 closed_server->port, mark + 2);
        struct outcome o = get(path);
        CHECK_INT(rows[i].to, o.rc, ZT_E_DENIED);
        CHECK_HAS(rows[i].to, o.err.msg, rows[i].msg);
        CHECK("the address is not told", strstr(o.err.msg, CLOSED) == NULL);
        zt_buf_clear(&o.body);
    }
    CHECK_INT("nothing reached the refused server", atomic_load(&closed_server->hits), hits);
}

static void refuses_addresses_directly(void)
{
    static const struct {
        const char *host, *why;
    } rows[] = {
        { CLOSED, "loopback" },
        { "[::1]", "loopback" },
        { "127.0.0.1", "loopback" },
        { "10.0.0.1", "private" },
        { "0.0.0.0", "unspecified" },
        { "[fe80::1]", "link-local" },
        { "[fd00::1]", "private" },
        { "224.0.0.1", "multicast" },
        { "[::ffff:10.0.0.1]", "private" },
        { "[64:ff9b::7f00:1]", "loopback" },
        { "localhost", "loopback" },
    };
    int hits = atomic_load(&closed_server->hits);

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_call call = { .url = url_of(rows[i].host, closed_server, "/ok") };
        char msg[128];
        struct outcome o = get_with(call, NULL, NULL);
        snprintf(msg, sizeof(msg), "the host resolves to an address that is not allowed (%s)",
                 rows[i].why);
        CHECK_INT(rows[i].host, o.rc, ZT_E_DENIED);
        CHECK_STR(rows[i].host, o.err.msg, msg);
        CHECK_HAS(rows[i].host, o.err.detail, "refused ");
        zt_buf_clear(&o.body);
    }
    CHECK_INT("nothing reached the refused server", atomic_load(&closed_server->hits), hits);
}

static void judges_the_address_at_the_socket(void)
{
    struct zt_client_options options = { .guard = guard };
    struct zt_client *client = zt_client_new(&options);
    struct zt_call call = { .method = "GET", .url = url_of("flip.test", open_server, "/ok") };
    int hits = atomic_load(&closed_server->hits);

    dns_answers(OPEN, CLOSED);
    struct outcome o = call_with(client, call, 100);
    CHECK_INT("first answer", o.rc, ZT_OK);
    zt_buf_clear(&o.body);
    o = call_with(client, call, 100);
    CHECK_INT("second answer", o.rc, ZT_E_DENIED);
    CHECK_HAS("second answer", o.err.msg, "not allowed (loopback)");
    CHECK_HAS("second answer", o.err.detail, CLOSED);
    zt_buf_clear(&o.body);
    CHECK_INT("asked each time", dns_asked(), 2);

    call.url = url_of("flip.test", open_server, "/to?/ok"); /* the answer flips between hops */
    call.max_redirects = 3;
    dns_answers(OPEN, CLOSED);
    o = call_with(client, call, 100);
    CHECK_INT("between hops", o.rc, ZT_E_DENIED);
    CHECK_HAS("between hops", o.err.msg, "redirects to a host");
    zt_buf_clear(&o.body);

    call.url = url_of("flip.test", closed_server, "/ok");
    dns_answers(CLOSED, NULL);
    o = call_with(client, call, 100);
    CHECK_INT("refused", o.rc, ZT_E_DENIED);
    zt_buf_clear(&o.body);
    dns_answers(CLOSED ",10.0.0.1", NULL);
    o = call_with(client, call, 100);
    CHECK_INT("all refused", o.rc, ZT_E_DENIED);
    zt_buf_clear(&o.body);
    dns_answers(CLOSED "," OPEN, NULL); /* nothing listens there on that port */
    o = call_with(client, call, 100);
    CHECK_INT("one refused, one dead", o.rc, ZT_E_NET);
    zt_buf_clear(&o.body);
    call.url = url_of("flip.test", open_server, "/ok");
    o = call_with(client, call, 100);
    CHECK_INT("one refused, one good", o.rc, ZT_OK);
    zt_buf_clear(&o.body);
    CHECK_INT("nothing reached the refused server", atomic_load(&closed_server->hits), hits);
    dns_answers(NULL, NULL);
    o = call_with(client, call, 100);
    CHECK_INT("no such name", o.rc, ZT_E_NET);
    CHECK_HAS("no such name", o.err.msg, "could not be resolved");
    zt_buf_clear(&o.body);
    zt_client_free(client);
}

static void maps_names_for_tests(void)
{
    char resolve[128];
    struct zt_call call = { .url = url_of("a.test", open_server, "/ok") };

    snprintf(resolve, sizeof(resolve), "b.test:1:" CLOSED " a.test:%d:" OPEN, open_server->port);
    struct outcome o = get_with(call, resolve, NULL);
    CHECK_INT("allowed", o.rc, ZT_OK);
    zt_buf_clear(&o.body);
    snprintf(resolve, sizeof(resolve), "a.test:%d:" CLOSED, open_server->port);
    o = get_with(call, resolve, NULL);
    CHECK_INT("refused", o.rc, ZT_E_DENIED);
    zt_buf_clear(&o.body);
    snprintf(resolve, sizeof(resolve), "a.test:%d:" CLOSED "," OPEN, open_server->port);
    o = get_with(call, resolve, NULL);
    CHECK_INT("refused and allowed", o.rc, ZT_OK);
    zt_buf_clear(&o.body);
}

static void gives_up_in_time(void)
{
    static const struct {
        const char *label, *scheme, *path;
        struct zt_call call;
        const char *msg;
    } rows[] = {
        { "silent", "http", "/silent", { .total_us = 200000 }, "in full within 0.2 s" },
        { "slow", "http", "/slow", { .total_us = 200000 }, "in full within 0.2 s" },
        { "no TLS", "https", "/silent", { .connect_us = 200000 }, "connect to the host within" },
        { "slow body", "http", "/slow", { .min_speed_us = 1000000 }, "less than 1000 bytes" },
        { "slow to begin",
          "http",
          "/silent",
          { .min_speed_us = 1000000, .min_bytes_per_s = 5 },
          "less than 5 bytes" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char url[128];
        struct zt_call call = rows[i].call;
        snprintf(url, sizeof(url), "%s://" OPEN ":%d%s", rows[i].scheme, open_server->port,
                 rows[i].path);
        call.url = url;
        struct outcome o = get_with(call, NULL, NULL);
        CHECK_INT(rows[i].label, o.rc, ZT_E_TIMEOUT);
        CHECK_HAS(rows[i].label, o.err.msg, rows[i].msg);
        CHECK("soon", o.took_us < 8 * ZT_SECOND_US);
        CHECK("not at once", o.took_us >= 199000);
        zt_buf_clear(&o.body);
    }
}

static void does_not_wait_for_a_resolver_that_hangs(void)
{
    struct zt_call call = { .url = url_of("flip.test", open_server, "/ok"), .total_us = 200000 };
    struct zt_stop *stop = zt_stop_new();

    dns_hangs(true);
    struct outcome o = get_with(call, NULL, NULL);
    CHECK_INT("hangs", o.rc, ZT_E_TIMEOUT);
    CHECK("soon", o.took_us < 8 * ZT_SECOND_US);
    zt_buf_clear(&o.body);
    zt_stop_ask(stop);
    o = get_with(call, NULL, stop);
    CHECK_INT("stopped before", o.rc, ZT_E_CANCELLED);
    zt_buf_clear(&o.body);
    dns_hangs(false);
    zt_stop_free(stop);
}

static void stops_when_asked(void)
{
    struct zt_call call = { .url = url_of(OPEN, open_server, "/stop") };
    struct outcome o = get_with(call, NULL, stop_asked_by_server);

    CHECK_INT("under way", o.rc, ZT_E_CANCELLED);
    CHECK("at once", o.took_us < 5 * ZT_SECOND_US);
    zt_buf_clear(&o.body);
}

static void posts(void)
{
    static const char *const headers[] = { "Content-Type: application/json", "X-Id: 7", NULL };
    char body[2000];
    struct zt_client_options options = { .guard = guard };
    struct zt_client *client = zt_client_new(&options);
    struct zt_call call = { .method = "POST",
                            .url = url_of(OPEN, open_server, "/echo"),
                            .headers = headers,
                            .body = body,
                            .body_n = sizeof(body) };

    memset(body, 'b', sizeof(body));
    struct outcome o = call_with(client, call, 10000);
    CHECK_INT("post", o.rc, ZT_OK);
    CHECK_HAS("post", o.body.data, "<POST /echo HTTP/1.1\r\n");
    CHECK_HAS("post", o.body.data, "Content-Type: application/json\r\n");
    CHECK_HAS("post", o.body.data, "X-Id: 7\r\n");
    CHECK_HAS("post", o.body.data, "User-Agent: zoetrope/" ZT_VERSION "\r\n");
    CHECK_HAS("post", o.body.data, "Content-Length: 2000\r\n");
    CHECK_HAS("post", o.body.data, "\r\n\r\nbbbb");
    CHECK("no Expect", o.body.data != NULL && strstr(o.body.data, "Expect") == NULL);
    CHECK("no encodings", o.body.data != NULL && strstr(o.body.data, "Accept-Encoding") == NULL);
    zt_buf_clear(&o.body);

    call.url = url_of(OPEN, open_server, "/to?/ok");
    o = call_with(client, call, 10000);
    CHECK_INT("a redirect is an answer", o.rc, ZT_OK);
    CHECK_INT("a redirect is an answer", o.answer.status, 302);
    zt_buf_clear(&o.body);

    call.url = url_of(OPEN, open_server, "/500-endless");
    call.cut_body = true;
    o = call_with(client, call, 20);
    CHECK_INT("cut", o.rc, ZT_OK);
    CHECK_INT("cut", o.answer.status, 500);
    CHECK_INT("cut", o.body.n, 20);
    zt_buf_clear(&o.body);

    call.url = url_of(OPEN, open_server, "/echo");
    call.body = NULL;
    call.body_n = 0;
    call.cut_body = false;
    o = call_with(client, call, 10000);
    CHECK_HAS("empty", o.body.data, "Content-Length: 0\r\n");
    zt_buf_clear(&o.body);
    zt_client_free(client);
}

static void keeps_headers_from_other_hosts(void)
{
    static const char *const headers[] = { "X-Secret: 42", NULL };
    struct zt_client_options options = { .guard = guard };
    struct zt_client *client = zt_client_new(&options);
    struct zt_call call = { .method = "GET", .headers = headers, .max_redirects = 3 };
    char path[200];

    call.url = url_of(OPEN, open_server, "/to?/echo");
    struct outcome o = call_with(client, call, 10000);
    CHECK_HAS("same host", o.body.data, "X-Secret: 42");
    zt_buf_clear(&o.body);
    snprintf(path, sizeof(path), "/to?http://" OTHER ":%d/echo", other_server->port);
    call.url = url_of(OPEN, open_server, path);
    o = call_with(client, call, 10000);
    CHECK_INT("other host", o.rc, ZT_OK);
    CHECK_HAS("other host", o.body.data, "GET /echo");
    CHECK("other host", o.body.data != NULL && strstr(o.body.data, "Secret") == NULL);
    zt_buf_clear(&o.body);
    snprintf(path, sizeof(path), "/to?http://" OTHER ":%d/to?http://" OPEN ":%d/echo",
             other_server->port, open_server->port);
    call.url = url_of(OPEN, open_server, path);
    o = call_with(client, call, 10000);
    CHECK_HAS("there and back", o.body.data, "GET /echo");
    CHECK("there and back", o.body.data != NULL && strstr(o.body.data, "Secret") == NULL);
    zt_buf_clear(&o.body);
    zt_client_free(client);
}

static void encodes_what_is_not_ascii(void)
{
    struct zt_client_options options = { .guard = guard };
    struct zt_client *client = zt_client_new(&options);
    struct zt_call call = { .method = "GET", .max_redirects = 3 };

    call.url = url_of(OPEN, open_server, "/echo\xE5\x9B\xBE?\xC3\xA9=%20");
    struct outcome o = call_with(client, call, 10000);
    CHECK_HAS("path and query", o.body.data, "GET /echo%E5%9B%BE?%C3%A9=%20 HTTP/1.1");
    zt_buf_clear(&o.body);
    call.url = url_of(OPEN, open_server, "/302-spaces");
    o = call_with(client, call, 10000);
    CHECK_HAS("location", o.body.data, "GET /echo?a%20b%C3%A9 HTTP/1.1");
    zt_buf_clear(&o.body);
    zt_client_free(client);
}

static void refuses_malformed_headers(void)
{
    static const char *const bad[] = {
        "X-A: b\r\nX-B: c", "X-A: b\n", "X A: b", ": b", "X-A", "X-A:", "X-A; b", "X-A: \x01"
    };

    for (size_t i = 0; i < ZT_COUNT(bad); i++) {
        const char *const headers[] = { "X-Good: 1", bad[i], NULL };
        struct zt_call call = { .url = url_of(OPEN, open_server, "/ok"), .headers = headers };
        struct outcome o = get_with(call, NULL, NULL);
        CHECK_INT(bad[i], o.rc, ZT_E_INVALID);
        zt_buf_clear(&o.body);
    }
}

static void refuses_malformed_urls(void)
{
    static const char *const bad[] = { "", "file:///etc/passwd", "http://2130706433/", "data:,x" };

    for (size_t i = 0; i < ZT_COUNT(bad); i++) {
        struct zt_call call = { .url = bad[i] };
        struct outcome o = get_with(call, NULL, NULL);
        CHECK_INT(bad[i], o.rc, ZT_E_INVALID);
        zt_buf_clear(&o.body);
    }
}

#ifdef ZT_FAULTS
static void survives_planted_faults(void)
{
    static const struct {
        const char *fault;
        enum zt_code code;
    } rows[] = {
        { "net.socket:1+:24", ZT_E_NET },
        { "net.body:1+:12", ZT_E_NOMEM },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        setenv("ZOETROPE_FAULT", rows[i].fault, 1);
        struct outcome o = get("/ok");
        unsetenv("ZOETROPE_FAULT");
        CHECK_INT(rows[i].fault, o.rc, rows[i].code);
        CHECK_STR(rows[i].fault, o.body.data, "<");
        zt_buf_clear(&o.body);
    }
}
#endif

int main(void)
{
    static const char *const proxies[] = { "http_proxy", "https_proxy", "all_proxy", "ALL_PROXY" };

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ZT_COUNT(proxies); i++) /* must not be used: nothing listens there */
        setenv(proxies[i], "http://" CLOSED ":1", 1);
    guard = zt_guard_new();
    zt_assert(zt_guard_allow(guard, OPEN, NULL) == ZT_OK);
    zt_assert(zt_guard_allow(guard, OTHER, NULL) == ZT_OK);
    stop_asked_by_server = zt_stop_new();
    open_server = server_new(OPEN, stop_asked_by_server);
    other_server = server_new(OTHER, NULL);
    closed_server = server_new(CLOSED, NULL);
    RUN(reads_what_servers_send);
    RUN(fills_the_answer);
    RUN(reads_retry_after);
    RUN(refuses_where_redirects_must_not_lead);
    RUN(refuses_addresses_directly);
    RUN(judges_the_address_at_the_socket);
    RUN(maps_names_for_tests);
    RUN(gives_up_in_time);
    RUN(does_not_wait_for_a_resolver_that_hangs);
    RUN(stops_when_asked);
    RUN(posts);
    RUN(keeps_headers_from_other_hosts);
    RUN(encodes_what_is_not_ascii);
    RUN(refuses_malformed_headers);
    RUN(refuses_malformed_urls);
#ifdef ZT_FAULTS
    RUN(survives_planted_faults);
#endif
    server_free(open_server);
    server_free(other_server);
    server_free(closed_server);
    zt_stop_free(stop_asked_by_server);
    zt_guard_free(guard);
    return check_done();
}
