/*
 * url.c - see url.h. The parts that can be read in two ways (the authority above all) are taken
 * apart here, strictly; libcurl, which makes the request, must then see the same host.
 *
 * Who else relies on this: client.c gives libcurl only text that passed zt_url_read.
 */
#include "net/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define HOST_MAX      253 /* RFC 1035, as text */
#define LABEL_MAX     63  /* RFC 1035 */
#define DATA_HEAD_MAX 256 /* what stands before the comma of a data: URL */

static void zt_auto_curlu(CURLU **u)
{
    curl_url_cleanup(*u); /* NULL is fine */
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static enum zt_code copy_lower(const char *text, size_t n, struct zt_arena *arena, const char **ret,
                               struct zt_err *err)
{
    char *copy = zt_arena_strndup(arena, text, n);

    if (copy == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    for (size_t i = 0; i < n; i++)
        copy[i] = lower(copy[i]);
    *ret = copy;
    return ZT_OK;
}

static enum zt_code check_characters(const char *text, size_t n, struct zt_err *err)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == ' ')
            return zt_fail(err, ZT_E_INVALID, "URL has a space in it: write %%20");
        if (c < 0x20 || c == 0x7f)
            return zt_fail(err, ZT_E_INVALID, "URL has the control character 0x%02x in it", c);
        if (c == '\\')
            return zt_fail(err, ZT_E_INVALID, "URL has a backslash in it: write / or %%5C");
    }
    if (!zt_utf8_valid(text, n))
        return zt_fail(err, ZT_E_INVALID, "URL is not valid UTF-8");
    return ZT_OK;
}

/* A reader like inet_aton takes a host for IPv4 when its last label starts like a number. */
static bool looks_like_ipv4(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *label = dot ? dot + 1 : host;

    if (label[0] == '0' && label[1] == 'x')
        return label[2 + strspn(label + 2, "0123456789abcdef")] == '\0';
    return label[strspn(label, "0123456789")] == '\0';
}

/* host is lower case, not empty. */
static enum zt_code check_name(const char *host, struct zt_err *err)
{
    size_t n = strlen(host);
    size_t label = 0;
    struct in_addr ipv4;

    zt_assert(n > 0);
    if (n > HOST_MAX)
        return zt_fail(err, ZT_E_INVALID,
                       "the host name in the URL is %zu bytes long, the limit "
                       "is %d",
                       n, HOST_MAX);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)host[i] >= 0x80)
            return zt_fail(err, ZT_E_INVALID,
                           "the host name in the URL has letters outside ASCII: write it in its "
                           "xn-- form");
        if (!is_name_char(host[i]))
            return zt_fail(err, ZT_E_INVALID, "the host name in the URL has '%c' in it", host[i]);
        label = host[i] == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return zt_fail(err, ZT_E_INVALID,
                           "a part of the host name in the URL is longer than %d bytes", LABEL_MAX);
        if (host[i] == '.' && (i == 0 || host[i - 1] == '.'))
            return zt_fail(err, ZT_E_INVALID, "the host name in the URL has an empty part");
    }
    if (host[n - 1] == '.')
        return zt_fail(err, ZT_E_INVALID, "the host name in the URL ends with a dot");
    if (looks_like_ipv4(host) && inet_pton(AF_INET, host, &ipv4) != 1)
        return zt_fail(err, ZT_E_INVALID,
                       "the URL's IPv4 address must be four decimal numbers from 0 to 255 without "
                       "leading zeros, like 203.0.113.7");
    return ZT_OK;
}

/* What stands between the brackets, written in its one canonical way. */
static enum zt_code read_ipv6(const char *text, size_t n, struct zt_arena *arena, const char **ret,
                              struct zt_err *err)
{
    char plain[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (memchr(text, '%', n) != NULL)
        return zt_fail(err, ZT_E_INVALID, "the URL's IPv6 address must not have a zone");
    bool fits = n < sizeof(plain);
    if (fits) {
        memcpy(plain, text, n);
        plain[n] = '\0';
    }
    if (!fits || inet_pton(AF_INET6, plain, &address) != 1)
        return zt_fail(err, ZT_E_INVALID, "what the URL has in brackets is not an IPv6 address");
    inet_ntop(AF_INET6, &address, plain, sizeof(plain));
    return copy_lower(plain, strlen(plain), arena, ret, err);
}

static enum zt_code read_port(const char *text, size_t n, struct zt_url *url, struct zt_err *err)
{
    int port = 0;

    if (n == 0)
        return zt_fail(err, ZT_E_INVALID, "the URL has a colon but no port after its host");
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(text[i]))
            return zt_fail(err, ZT_E_INVALID, "the URL's port is not a number");
        port = port * 10 + (text[i] - '0');
        if (port > 65535)
            break;
    }
    if (port < 1 || port > 65535)
        return zt_fail(err, ZT_E_INVALID, "the URL's port must be 1 to 65535");
    url->port = port;
    return ZT_OK;
}

/* The text between "//" and the path: host and perhaps port. */
static enum zt_code read_authority(const char *text, size_t n, struct zt_arena *arena,
                                   struct zt_url *url, struct zt_err *err)
{
    const char *end = text + n;
    const char *after; /* the host */

    if (memchr(text, '@', n) != NULL)
        return zt_fail(err, ZT_E_INVALID, "the URL must not carry a user name or password");
    if (n > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', n);
        if (close == NULL)
            return zt_fail(err, ZT_E_INVALID,
                           "the URL has an opening bracket without a closing one");
        ZT_TRY(read_ipv6(text + 1, (size_t)(close - text - 1), arena, &url->host, err));
        after = close + 1;
        if (after != end && *after != ':')
            return zt_fail(err, ZT_E_INVALID, "the URL has text right after its IPv6 address");
    } else {
        after = memchr(text, ':', n);
        if (after == NULL)
            after = end;
        if (after == text)
            return zt_fail(err, ZT_E_INVALID, "the URL has no host name");
        ZT_TRY(copy_lower(text, (size_t)(after - text), arena, &url->host, err));
        ZT_TRY(check_name(url->host, err));
    }
    if (after != end)
        ZT_TRY(read_port(after + 1, (size_t)(end - after - 1), url, err));
    return ZT_OK;
}

/* Same host, where libcurl keeps IPv6 in brackets and as it was written. */
static bool same_host(const char *ours, const char *theirs)
{
    struct in6_addr a;
    struct in6_addr b;
    char plain[INET6_ADDRSTRLEN];
    size_t n = strlen(theirs);

    if (theirs[0] != '[')
        return strcasecmp(ours, theirs) == 0;
    if (n < 2 || n - 2 >= sizeof(plain))
        return false;
    memcpy(plain, theirs + 1, n - 2);
    plain[n - 2] = '\0';
    return inet_pton(AF_INET6, ours, &a) == 1 && inet_pton(AF_INET6, plain, &b) == 1 &&
           memcmp(&a, &b, sizeof(a)) == 0;
}

/* text is NUL-terminated here. */
static enum zt_code check_with_curl(const char *text, const struct zt_url *url, struct zt_err *err)
{
    zt_auto(curlu) CURLU *u = curl_url();
    char *host = NULL;

    if (u == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    if (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return zt_fail(err, ZT_E_INVALID, "URL is malformed");
    bool same = same_host(url->host, host);
    curl_free(host);
    if (!same)
        return zt_fail(err, ZT_E_INVALID, "the host of the URL can be read in more than one way");
    return ZT_OK;
}

static enum zt_code read_http(const char *text, size_t n, size_t scheme_n, struct zt_arena *arena,
                              struct zt_url *url, struct zt_err *err)
{
    if (n > ZT_URL_MAX)
        return zt_fail(err, ZT_E_INVALID, "URL is %zu bytes long, the limit is %d", n, ZT_URL_MAX);
    ZT_TRY(check_characters(text, n, err));
    if (n < scheme_n + 2 || memcmp(text + scheme_n, "//", 2) != 0)
        return zt_fail(err, ZT_E_INVALID, "the URL's scheme must be followed by two slashes");
    const char *copy = zt_arena_strndup(arena, text, n);
    if (copy == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    const char *authority = copy + scheme_n + 2;
    ZT_TRY(read_authority(authority, strcspn(authority, "/?#"), arena, url, err));
    return check_with_curl(copy, url, err);
}

/* RFC 2397: data:[<media type>][;<attribute>=<value>]...[;base64],<payload> */
static enum zt_code read_data(const char *text, size_t n, struct zt_arena *arena,
                              struct zt_url *url, struct zt_err *err)
{
    static const char base64[] = ";base64";
    const size_t base64_n = sizeof(base64) - 1;
    const char *head = text + strlen("data:");
    size_t left = n - strlen("data:");
    const char *comma = memchr(head, ',', left);

    if (comma == NULL)
        return zt_fail(err, ZT_E_INVALID, "data: URL has no comma before its payload");
    size_t head_n = (size_t)(comma - head);
    if (head_n > DATA_HEAD_MAX)
        return zt_fail(err, ZT_E_INVALID,
                       "data: URL has a media type of %zu bytes, the limit is %d", head_n,
                       DATA_HEAD_MAX);
    for (size_t i = 0; i < head_n; i++)
        if (head[i] <= ' ' || head[i] == 0x7f || head[i] == '"' || head[i] == '\\')
            return zt_fail(err, ZT_E_INVALID,
                           "data: URL has white space, quotes or letters outside ASCII before its "
                           "comma");
    if (head_n >= base64_n && strncasecmp(comma - base64_n, base64, base64_n) == 0) {
        url->base64 = true;
        head_n -= base64_n;
    }
    const char *semicolon = memchr(head, ';', head_n);
    size_t media_n = semicolon ? (size_t)(semicolon - head) : head_n;
    url->payload = comma + 1;
    url->payload_n = left - (size_t)(comma - head) - 1;
    return copy_lower(head, media_n, arena, &url->media, err);
}

enum zt_code zt_url_read(const char *text, size_t n, bool allow_data, struct zt_arena *arena,
                         struct zt_url *ret, struct zt_err *err)
{
    static const struct {
        const char *text;
        enum zt_scheme scheme;
        int port;
    } schemes[] = {
        { "http:", ZT_SCHEME_HTTP, 80 },
        { "https:", ZT_SCHEME_HTTPS, 443 },
        { "data:", ZT_SCHEME_DATA, 0 },
    };
    struct zt_url url = { .host = "", .media = "", .payload = "" };

    if (n == 0)
        return zt_fail(err, ZT_E_INVALID, "URL is empty");
    for (size_t i = 0; i < ZT_COUNT(schemes); i++) {
        size_t scheme_n = strlen(schemes[i].text);
        bool is_data = schemes[i].scheme == ZT_SCHEME_DATA;
        if (n < scheme_n || strncasecmp(text, schemes[i].text, scheme_n) != 0 ||
            (is_data && !allow_data))
            continue;
        url.scheme = schemes[i].scheme;
        url.port = schemes[i].port;
        ZT_TRY(is_data ? read_data(text, n, arena, &url, err)
                       : read_http(text, n, scheme_n, arena, &url, err));
        *ret = url;
        return ZT_OK;
    }
    return zt_fail(err, ZT_E_INVALID, "URL must start with %s",
                   allow_data ? "http://, https:// or data:" : "http:// or https://");
}

/* Undoes %XX in n bytes of text into dst (n bytes are enough). False: a % without two digits. */
static bool percent_decode(const char *text, size_t n, char *dst, size_t *ret_n)
{
    size_t out = 0;

    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '%') {
            int high = n - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = n - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        dst[out++] = c;
    }
    *ret_n = out;
    return true;
}

/*
 * The least the payload can decode to, so that what is far past the limit is refused before memory
 * is taken: three characters make a byte at worst (%XX), six bits of one in base64, and white
 * space in base64 makes none.
 */
static size_t least_size(const struct zt_url *url)
{
    size_t skipped = 0;
    size_t escapes = 0;

    for (size_t i = 0; i < url->payload_n; i++) {
        char c = url->payload[i];
        escapes += c == '%';
        skipped += url->base64 && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '=');
    }
    if (escapes > url->payload_n / 3)
        escapes = url->payload_n / 3;
    if (!url->base64)
        return url->payload_n - 2 * escapes;
    size_t used = 3 * escapes + skipped;
    return used < url->payload_n ? (url->payload_n - used) / 4 * 3 : 0;
}

enum zt_code zt_url_data(const struct zt_url *url, struct zt_buf *buf, struct zt_err *err)
{
    size_t room = buf->limit - buf->n;
    zt_auto_free void *plain = NULL;
    zt_auto_free void *bytes = NULL;
    size_t n = 0;

    zt_assert(url->scheme == ZT_SCHEME_DATA);
    if (least_size(url) > room)
        return zt_fail(err, ZT_E_LIMIT, "data: URL holds more than the limit of %zu bytes", room);
    if (!url->base64 && memchr(url->payload, '#', url->payload_n) != NULL)
        return zt_fail(err, ZT_E_INVALID, "data: URL has a # in its payload: write %%23");
    ZT_TRY(zt_try_alloc(url->payload_n + 1, 1, "a data: URL", &plain, err));
    if (!percent_decode(url->payload, url->payload_n, plain, &n))
        return zt_fail(err, ZT_E_INVALID, "data: URL has a %% without two hex digits after it");
    if (url->base64) {
        ZT_TRY(zt_try_alloc(n / 4 + 1, 3, "a data: URL", &bytes, err));
        if (!zt_base64_decode(plain, n, bytes, &n))
            return zt_fail(err, ZT_E_INVALID, "data: URL does not hold valid base64");
    }
    if (n > room)
        return zt_fail(err, ZT_E_LIMIT, "data: URL holds %zu bytes, the limit is %zu", n, room);
    return zt_buf_add(buf, bytes ? bytes : plain, n, err);
}

const char *zt_url_for_log(const char *text, char *dst, size_t size)
{
    static const char *const schemes[] = { "http://", "https://" };
    const char *scheme = NULL;

    for (size_t i = 0; i < ZT_COUNT(schemes); i++)
        if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
            scheme = schemes[i];
    if (scheme == NULL) {
        snprintf(dst, size, "%s", strncasecmp(text, "data:", 5) == 0 ? "data:..." : "(not http)");
        return dst;
    }
    const char *rest = text + strlen(scheme);
    size_t end = strcspn(rest, "?#");
    /* Everything up to the last @ goes, even past a slash: a strange reader's password might. */
    for (size_t i = end; i > 0; i--) {
        if (rest[i - 1] == '@') {
            rest += i;
            end -= i;
            break;
        }
    }
    bool fits =
        zt_format(dst, size, "%s%.*s", scheme, (int)(end < ZT_URL_MAX ? end : ZT_URL_MAX), rest);
    for (char *p = dst; size > 0 && *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '"' || *p == '\\')
            *p = '?';
    if (!fits && size > 4)
        memcpy(dst + size - 4, "...", 4);
    return dst;
}
