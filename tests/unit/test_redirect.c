/* Where a Location header leads, and where it must not. */
#include "net/redirect.h"

#include "check.h"

static void resolves_redirects(void)
{
    static const struct {
        const char *label, *from, *location;
        enum zt_code code;
        const char *want; /* URL, or part of msg */
    } rows[] = {
        { "absolute", "http://a.org/x", "http://b.org/y", ZT_OK, "http://b.org/y" },
        { "path", "http://a.org:81/x/y", "/z", ZT_OK, "http://a.org:81/z" },
        { "relative", "http://a.org/x/y", "z", ZT_OK, "http://a.org/x/z" },
        { "up", "http://a.org/x/y/", "../z?q", ZT_OK, "http://a.org/x/z?q" },
        { "network path", "https://a.org/x", "//b.org/y", ZT_OK, "https://b.org/y" },
        { "query", "http://a.org/x", "?q", ZT_OK, "http://a.org/x?q" },
        { "up to https", "http://a.org/x", "https://a.org/x", ZT_OK, "https://a.org/x" },
        { "down to http", "https://a.org/x", "http://a.org/x", ZT_E_DENIED, "from https down" },
        { "down, upper case", "https://a.org/x", "HTTP://a.org/x", ZT_E_DENIED, "from https down" },
        { "file", "http://a.org/x", "file:///etc/passwd", ZT_E_DENIED, "must start with" },
        { "ftp", "http://a.org/x", "ftp://b.org/", ZT_E_DENIED, "must start with" },
        { "gopher", "http://a.org/x", "gopher://b.org/_x", ZT_E_DENIED, "must start with" },
        { "data", "http://a.org/x", "data:,x", ZT_E_DENIED, "must start with" },
        { "user", "http://a.org/x", "http://u:p@b.org/", ZT_E_DENIED, "user name" },
        { "octal", "http://a.org/x", "http://0177.0.0.1/", ZT_E_DENIED, "four decimal" },
        { "octal, network path", "http://a.org/x", "//0177.0.0.1/", ZT_E_DENIED, "four decimal" },
        { "one number", "http://a.org/x", "http://2130706433/", ZT_E_DENIED, "four decimal" },
        { "colon in a path", "http://a.org/x", "/y:z", ZT_OK, "http://a.org/y:z" },
        { "bad port", "http://a.org/x", "http://b.org:99999/", ZT_E_DENIED, "1 to 65535" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_arena arena = { 0 };
        struct zt_err err = { 0 };
        const char *url = "";
        CHECK_INT(rows[i].label,
                  zt_redirect_resolve(rows[i].from, rows[i].location, &arena, &url, &err),
                  rows[i].code);
        if (rows[i].code == ZT_OK)
            CHECK_STR(rows[i].label, url, rows[i].want);
        else
            CHECK_HAS(rows[i].label, err.msg, rows[i].want);
        CHECK_INT(rows[i].label, err.code, rows[i].code);
        zt_arena_clear(&arena);
    }
}

static void compares_origins(void)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        { "http://a.org/x", "http://A.ORG:80/y", true },
        { "https://a.org/x", "https://a.org:443", true },
        { "http://a.org/x", "https://a.org/x", false },
        { "http://a.org/x", "http://a.org:81/x", false },
        { "http://a.org/x", "http://b.a.org/x", false },
        { "http://[::1]/x", "http://[0:0::1]/x", true },
    };
    struct zt_arena arena = { 0 };

    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_INT(rows[i].b, zt_redirect_same_origin(rows[i].a, rows[i].b, &arena), rows[i].same);
    zt_arena_clear(&arena);
}

int main(void)
{
    RUN(resolves_redirects);
    RUN(compares_origins);
    return check_done();
}
