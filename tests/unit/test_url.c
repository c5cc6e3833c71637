/* URLs: what is taken, what is refused and why, data: payloads, what a log shows. */
#include "net/url.h"

#include <stdlib.h>

#include "base/buf.h"
#include "check.h"

static const struct {
    const char *label, *text, *host;
    enum zt_scheme scheme;
    int port;
} taken[] = {
    { "plain", "http://example.org/a.png", "example.org", ZT_SCHEME_HTTP, 80 },
    { "https", "https://example.org", "example.org", ZT_SCHEME_HTTPS, 443 },
    { "upper case", "HTTPS://EXAMPLE.ORG/A", "example.org", ZT_SCHEME_HTTPS, 443 },
    { "port", "https://example.org:8443/", "example.org", ZT_SCHEME_HTTPS, 8443 },
    { "port 1", "http://example.org:1", "example.org", ZT_SCHEME_HTTP, 1 },
    { "port 65535", "http://example.org:65535/x", "example.org", ZT_SCHEME_HTTP, 65535 },
    { "port with zeros", "http://example.org:0080/x", "example.org", ZT_SCHEME_HTTP, 80 },
    { "query without path", "http://example.org?a=b", "example.org", ZT_SCHEME_HTTP, 80 },
    { "fragment", "http://example.org/#a@b", "example.org", ZT_SCHEME_HTTP, 80 },
    { "at in path", "http://example.org/@me/a.png", "example.org", ZT_SCHEME_HTTP, 80 },
    { "at in query", "http://example.org/?u=a@b", "example.org", ZT_SCHEME_HTTP, 80 },
    { "single name", "http://localhost/", "localhost", ZT_SCHEME_HTTP, 80 },
    { "underscore", "http://my_host.example/", "my_host.example", ZT_SCHEME_HTTP, 80 },
    { "punycode", "http://xn--bcher-kva.example/", "xn--bcher-kva.example", ZT_SCHEME_HTTP, 80 },
    { "UTF-8 path", "http://example.org/\xE5\x9B\xBE.png", "example.org", ZT_SCHEME_HTTP, 80 },
    { "IPv4", "http://203.0.113.7/a", "203.0.113.7", ZT_SCHEME_HTTP, 80 },
    { "IPv4 and port", "http://203.0.113.7:81/a", "203.0.113.7", ZT_SCHEME_HTTP, 81 },
    { "name that starts with digits", "http://1.2.3.4.example/", "1.2.3.4.example", ZT_SCHEME_HTTP,
      80 },
    { "name of hex digits", "http://1.2.3.face/", "1.2.3.face", ZT_SCHEME_HTTP, 80 },
    { "IPv6", "http://[2001:DB8::1]/", "2001:db8::1", ZT_SCHEME_HTTP, 80 },
    { "IPv6 written long", "http://[2001:db8:0:0:0:0:0:1]:8080/", "2001:db8::1", ZT_SCHEME_HTTP,
      8080 },
    { "IPv6 mapped", "http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1", ZT_SCHEME_HTTP, 80 },
};

static void takes_ordinary_urls(void)
{
    for (size_t i = 0; i < ZT_COUNT(taken); i++) {
        struct zt_arena arena = { 0 };
        struct zt_url url = { 0 };
        struct zt_err err = { 0 };
        CHECK_INT(taken[i].label,
                  zt_url_read(taken[i].text, strlen(taken[i].text), false, &arena, &url, &err),
                  ZT_OK);
        CHECK_STR(taken[i].label, err.msg, "");
        CHECK_STR(taken[i].label, url.host, taken[i].host);
        CHECK_INT(taken[i].label, url.scheme, taken[i].scheme);
        CHECK_INT(taken[i].label, url.port, taken[i].port);
        zt_arena_clear(&arena);
    }
}

#define LABEL64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."

static const struct {
    const char *label, *text, *msg;
} refused[] = {
    { "empty", "", "empty" },
    { "no scheme", "example.org/a.png", "must start with" },
    { "relative", "/a.png", "must start with" },
    { "network path", "//example.org/a.png", "must start with" },
    { "file", "file:///etc/passwd", "must start with" },
    { "ftp", "ftp://example.org/a", "must start with" },
    { "gopher", "gopher://127.0.0.1:70/_x", "must start with" },
    { "dict", "dict://127.0.0.1:11211/stat", "must start with" },
    { "javascript", "javascript:alert(1)", "must start with" },
    { "data when not allowed", "data:,x", "must start with http:// or https://" },
    { "scheme alone", "http:", "two slashes" },
    { "one slash", "http:/example.org", "two slashes" },
    { "no slash", "http:example.org", "two slashes" },
    { "leading space", " http://example.org", "must start with" },
    { "scheme with space", "http ://example.org", "must start with" },
    { "nothing after", "http://", "no host name" },
    { "three slashes", "http:///example.org/a", "no host name" },
    { "empty host and port", "http://:80/", "no host name" },
    { "empty host and query", "http://?a", "no host name" },
    { "empty host and fragment", "http://#a", "no host name" },
    { "user", "http://me@example.org/", "user name" },
    { "user and password", "http://me:pw@example.org/", "user name" },
    { "host as user", "http://example.org@127.0.0.1/", "user name" },
    { "empty user", "http://@example.org/", "user name" },
    { "two at", "http://a@b@example.org/", "user name" },
    { "space in path", "http://example.org/a b", "space" },
    { "space in host", "http://exa mple.org/", "space" },
    { "trailing space", "http://example.org/ ", "space" },
    { "tab", "http://example.org/a\tb", "control character 0x09" },
    { "newline", "http://example.org/a\nHost: b", "control character 0x0a" },
    { "carriage return", "http://example.org\r/", "control character 0x0d" },
    { "delete", "http://example.org/\x7f", "control character 0x7f" },
    { "backslash for slash", "http://example.org\\@127.0.0.1/", "backslash" },
    { "backslashes", "http:\\\\example.org\\a", "backslash" },
    { "not UTF-8", "http://example.org/\xFF", "UTF-8" },
    { "overlong slash", "http://example.org\xC0\xAF/", "UTF-8" },
    { "IDN",
      "http://b\xC3\xBC"
      "cher.example/",
      "xn--" },
    { "circled digits", "http://\xE2\x91\xA0\xE2\x91\xA1\xE2\x91\xA6.0.0.1/", "xn--" },
    { "full-width dot",
      "http://127\xE3\x80\x82"
      "0.0.1/",
      "xn--" },
    { "percent in host", "http://127.0.0.%31/", "has '%' in it" },
    { "comma in host", "http://a,b/", "has ',' in it" },
    { "semicolon in host", "http://a;b/", "has ';' in it" },
    { "star", "http://*/", "has '*' in it" },
    { "trailing dot", "http://example.org./", "ends with a dot" },
    { "IPv4 with trailing dot", "http://127.0.0.1./", "ends with a dot" },
    { "leading dot", "http://.example.org/", "empty part" },
    { "two dots", "http://example..org/", "empty part" },
    { "dot alone", "http://./", "empty part" },
    { "long label", "http://" LABEL64 ".org/", "longer than 63" },
    { "long host", "http://" LABEL50 LABEL50 LABEL50 LABEL50 LABEL50 "org/", "the limit is 253" },
    { "octal", "http://0177.0.0.1/", "four decimal numbers" },
    { "octal at the end", "http://127.0.0.01/", "four decimal numbers" },
    { "leading zero", "http://127.0.00.1/", "four decimal numbers" },
    { "hex parts", "http://0x7f.0x0.0x0.0x1/", "four decimal numbers" },
    { "hex last part", "http://127.0.0.0x1/", "four decimal numbers" },
    { "hex in one", "http://0x7f000001/", "four decimal numbers" },
    { "upper hex in one", "http://0X7F000001/", "four decimal numbers" },
    { "empty hex", "http://1.2.3.0x/", "four decimal numbers" },
    { "one number", "http://2130706433/", "four decimal numbers" },
    { "octal number", "http://017700000001/", "four decimal numbers" },
    { "zero", "http://0/", "four decimal numbers" },
    { "two parts", "http://127.1/", "four decimal numbers" },
    { "three parts", "http://127.0.1/", "four decimal numbers" },
    { "five parts", "http://1.2.3.4.5/", "four decimal numbers" },
    { "part too large", "http://256.0.0.1/", "four decimal numbers" },
    { "overflowing number", "http://4294967297/", "four decimal numbers" },
    { "numeric last label", "http://example.1/", "four decimal numbers" },
    { "zone", "http://[fe80::1%25eth0]/", "zone" },
    { "zone unescaped", "http://[fe80::1%eth0]/", "zone" },
    { "zone number", "http://[fe80::1%1]/", "zone" },
    { "open bracket", "http://[::1/", "bracket" },
    { "empty brackets", "http://[]/", "not an IPv6 address" },
    { "IPv4 in brackets", "http://[127.0.0.1]/", "not an IPv6 address" },
    { "IPv6 too long", "http://[1:2:3:4:5:6:7:8:9]/", "not an IPv6 address" },
    { "IPvFuture", "http://[v1.a]/", "not an IPv6 address" },
    { "after the bracket", "http://[::1]a/", "right after its IPv6" },
    { "IPv6 without brackets", "http://::1/", "no host name" },
    { "IPv6 without brackets, global", "http://2001:db8::1/", "four decimal numbers" },
    { "IPv6 without brackets, name-like", "http://fe80:db8::1/", "port is not a number" },
    { "port 0", "http://example.org:0/", "1 to 65535" },
    { "port 65536", "http://example.org:65536/", "1 to 65535" },
    { "port of many digits", "http://example.org:99999999999999999999/", "1 to 65535" },
    { "empty port", "http://example.org:/", "no port" },
    { "negative port", "http://example.org:-1/", "not a number" },
    { "signed port", "http://example.org:+80/", "not a number" },
    { "hex port", "http://example.org:0x50/", "not a number" },
    { "two ports", "http://example.org:80:81/", "not a number" },
};

static void refuses_what_reads_in_two_ways(void)
{
    for (size_t i = 0; i < ZT_COUNT(refused); i++) {
        struct zt_arena arena = { 0 };
        struct zt_url url;
        struct zt_err err = { 0 };
        CHECK_INT(refused[i].label,
                  zt_url_read(refused[i].text, strlen(refused[i].text), false, &arena, &url, &err),
                  ZT_E_INVALID);
        CHECK_HAS(refused[i].label, err.msg, refused[i].msg);
        zt_arena_clear(&arena);
    }
}

static void counts_bytes_not_strings(void)
{
    struct zt_arena arena = { 0 };
    struct zt_url url = { 0 };
    struct zt_err err = { 0 };
    char text[ZT_URL_MAX + 2];

    int start = snprintf(text, sizeof(text), "http://example.org/");
    memset(text + start, 'a', sizeof(text) - (size_t)start);
    CHECK_INT("longest", zt_url_read(text, ZT_URL_MAX, false, &arena, &url, &err), ZT_OK);
    CHECK_INT("too long", zt_url_read(text, ZT_URL_MAX + 1, false, &arena, &url, &err),
              ZT_E_INVALID);
    CHECK_HAS("too long", err.msg, "8193 bytes long, the limit is 8192");
    CHECK_INT("NUL", zt_url_read("http://a\0b/", 11, false, &arena, &url, &err), ZT_E_INVALID);
    CHECK_HAS("NUL", err.msg, "control character 0x00");
    CHECK_INT("cut", zt_url_read("http://example.org", 11, false, &arena, &url, &err), ZT_OK);
    CHECK_STR("cut", url.host, "exam");
    zt_arena_clear(&arena);
}

static const struct {
    const char *label, *text, *media, *bytes;
    size_t n;
    enum zt_code code; /* of the payload */
} data_rows[] = {
    { "base64", "data:image/png;base64,aGVsbG8=", "image/png", "hello", 5, ZT_OK },
    { "upper case", "DATA:Image/PNG;BASE64,aGVsbG8=", "image/png", "hello", 5, ZT_OK },
    { "no padding", "data:image/png;base64,aGVsbG8", "image/png", "hello", 5, ZT_OK },
    { "white space", "data:;base64,aGVs\r\nbG8=\n", "", "hello", 5, ZT_OK },
    { "escaped padding", "data:;base64,aGVsbG8%3D", "", "hello", 5, ZT_OK },
    { "URL-safe", "data:;base64,-_-_", "", "\xfb\xff\xbf", 3, ZT_OK },
    { "escaped plus and slash", "data:;base64,%2b%2f%2B%2F", "", "\xfb\xff\xbf", 3, ZT_OK },
    { "parameters", "data:image/jpeg;name=a.jpg;base64,aGVsbG8=", "image/jpeg", "hello", 5, ZT_OK },
    { "plain text", "data:text/plain,hi%20there,you", "text/plain", "hi there,you", 12, ZT_OK },
    { "parameter only", "data:;charset=utf-8,x", "", "x", 1, ZT_OK },
    { "escaped zero", "data:,a%00b", "", "a\0b", 3, ZT_OK },
    { "empty", "data:,", "", "", 0, ZT_OK },
    { "empty base64", "data:;base64,", "", "", 0, ZT_OK },
    { "base64 as media type", "data:base64,aGVsbG8=", "base64", "aGVsbG8=", 8, ZT_OK },
    { "bad base64", "data:;base64,a*b=", "", "", 0, ZT_E_INVALID },
    { "one digit", "data:;base64,a", "", "", 0, ZT_E_INVALID },
    { "padding inside", "data:;base64,aG=sbG8=", "", "", 0, ZT_E_INVALID },
    { "cut escape", "data:,abc%4", "", "", 0, ZT_E_INVALID },
    { "bad escape", "data:,abc%4g", "", "", 0, ZT_E_INVALID },
    { "fragment", "data:,abc#d", "", "", 0, ZT_E_INVALID },
    { "at the limit", "data:,12345678901234567890", "", "12345678901234567890", 20, ZT_OK },
    { "past the limit", "data:,123456789012345678901", "", "", 0, ZT_E_LIMIT },
    { "base64 past the limit", "data:;base64,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", "", 0,
      ZT_E_LIMIT },
    { "escaped base64 past the limit", "data:;base64,%61aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", "", 0,
      ZT_E_LIMIT },
};

static void decodes_data_urls(void)
{
    for (size_t i = 0; i < ZT_COUNT(data_rows); i++) {
        struct zt_arena arena = { 0 };
        struct zt_url url = { 0 };
        struct zt_err err = { 0 };
        struct zt_buf buf;
        const char *label = data_rows[i].label;

        zt_buf_init(&buf, 20);
        CHECK_INT(
            label,
            zt_url_read(data_rows[i].text, strlen(data_rows[i].text), true, &arena, &url, &err),
            ZT_OK);
        CHECK_INT(label, url.scheme, ZT_SCHEME_DATA);
        CHECK_STR(label, url.media, data_rows[i].media);
        CHECK_INT(label, zt_url_data(&url, &buf, &err), data_rows[i].code);
        CHECK_INT(label, buf.n, data_rows[i].n);
        CHECK(label, buf.n == 0 || memcmp(buf.data, data_rows[i].bytes, buf.n) == 0);
        CHECK_INT(label, err.msg[0] != '\0', data_rows[i].code != ZT_OK);
        zt_buf_clear(&buf);
        zt_arena_clear(&arena);
    }
}

static void refuses_malformed_data_heads(void)
{
    static const struct {
        const char *label, *text, *msg;
    } rows[] = {
        { "no comma", "data:image/png;base64", "no comma" },
        { "nothing", "data:", "no comma" },
        { "space", "data:image/ png,x", "white space" },
        { "newline", "data:image/png\n,x", "white space" },
        { "quote", "data:\"a\",x", "quotes" },
        { "not ASCII", "data:\xC3\xA9,x", "outside ASCII" },
    };
    struct zt_arena arena = { 0 };
    struct zt_url url;
    char longest[300] = "data:";

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_err err = { 0 };
        CHECK_INT(rows[i].label,
                  zt_url_read(rows[i].text, strlen(rows[i].text), true, &arena, &url, &err),
                  ZT_E_INVALID);
        CHECK_HAS(rows[i].label, err.msg, rows[i].msg);
    }
    memset(longest + 5, 'a', 257);
    longest[262] = ',';
    CHECK_INT("long head", zt_url_read(longest, 263, true, &arena, &url, NULL), ZT_E_INVALID);
    CHECK_INT("longest head", zt_url_read(longest + 1, 262, true, &arena, &url, NULL),
              ZT_E_INVALID); /* "ata:" is no scheme */
    memmove(longest + 5, longest + 6, 257);
    CHECK_INT("longest head", zt_url_read(longest, 262, true, &arena, &url, NULL), ZT_OK);
    zt_arena_clear(&arena);
}

static void takes_long_data_urls(void)
{
    const size_t n = 3 << 20;
    char *text = malloc(n + 64);
    struct zt_arena arena = { 0 };
    struct zt_url url = { 0 };
    struct zt_buf buf;
    int start = sprintf(text, "data:image/png;base64,");

    memset(text + start, 'A', n);
    zt_buf_init(&buf, n);
    CHECK_INT("3 MiB", zt_url_read(text, (size_t)start + n, true, &arena, &url, NULL), ZT_OK);
    CHECK_INT("3 MiB", zt_url_data(&url, &buf, NULL), ZT_OK);
    CHECK_INT("3 MiB", buf.n, n / 4 * 3);
    zt_buf_clear(&buf);
    zt_buf_init(&buf, n / 4 * 3 - 1);
    CHECK_INT("one byte over", zt_url_data(&url, &buf, NULL), ZT_E_LIMIT);
    zt_buf_clear(&buf);
    zt_arena_clear(&arena);
    free(text);
}

static void shows_no_secrets_in_logs(void)
{
    static const struct {
        const char *label, *text, *want;
    } rows[] = {
        { "plain", "https://example.org:8443/a/b.png", "https://example.org:8443/a/b.png" },
        { "query", "https://example.org/a?key=secret", "https://example.org/a" },
        { "fragment", "https://example.org/a#secret", "https://example.org/a" },
        { "user", "https://me:secret@example.org/a", "https://example.org/a" },
        { "password with slash", "https://me:sec/ret@example.org/a", "https://example.org/a" },
        { "data", "data:image/png;base64,c2VjcmV0", "data:..." },
        { "other", "s3://secret@bucket", "(not http)" },
        { "control", "http://a/\n\"x\\", "http://a/??x?" },
        { "long", "http://a/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
          "http://a/bbbbbbbbbbbbbbbbbbbbbbbbbbb..." },
    };
    char dst[40];

    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_STR(rows[i].label, zt_url_for_log(rows[i].text, dst, sizeof(dst)), rows[i].want);
    for (size_t size = 1; size < sizeof(dst); size++) {
        zt_url_for_log(rows[0].text, dst, size);
        CHECK("fits", strlen(dst) < size);
    }
}

int main(void)
{
    RUN(takes_ordinary_urls);
    RUN(refuses_what_reads_in_two_ways);
    RUN(counts_bytes_not_strings);
    RUN(decodes_data_urls);
    RUN(refuses_malformed_data_heads);
    RUN(takes_long_data_urls);
    RUN(shows_no_secrets_in_logs);
    return check_done();
}
