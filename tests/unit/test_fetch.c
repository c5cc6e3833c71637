/* Fetching an image URL: what ends up in the buffer, and what the user is told when it fails. */
#include "net/fetch.h"

#include <signal.h>

#include "check.h"
#include "hostile.h"
#include "net/guard.h"

static void fetches(void)
{
    static const struct {
        const char *path; /* or a whole URL */
        enum zt_code code;
        const char *text; /* of the body or in the message */
    } rows[] = {
        { "/ok", ZT_OK, "hello" },
        { "/hop/3", ZT_OK, "hello" },
        { "/hop/4", ZT_E_LIMIT, "redirects more than 3 times" },
        { "/empty", ZT_E_NET, "empty" },
        { "/404", ZT_E_NET, "the host answered HTTP 404" },
        { "/404-huge", ZT_E_NET, "the host answered HTTP 404" },
        { "/500-endless", ZT_E_NET, "the host answered HTTP 500" },
        { "/302-nowhere", ZT_E_NET, "the host answered HTTP 302" },
        { "/retry?5", ZT_E_NET, "the host answered HTTP 503" },
        { "/huge", ZT_E_LIMIT, "limit of 100 bytes" },
        { "data:image/png;base64,aGVsbG8=", ZT_OK, "hello" },
        { "DATA:,hello", ZT_OK, "hello" },
        { "data:,", ZT_E_NET, "empty" },
        { "data:hello", ZT_E_INVALID, "no comma" },
        { "data:;base64,****", ZT_E_INVALID, "base64" },
        { "ftp://example.org/", ZT_E_INVALID, "must start with" },
        { "", ZT_E_INVALID, "URL is empty" },
    };
    struct zt_guard *guard = zt_guard_new();
    struct zt_client_options options = { .guard = guard };
    struct zt_client *client = zt_client_new(&options);
    struct server *server = server_new(OPEN, NULL);

    zt_assert(zt_guard_allow(guard, OPEN, NULL) == ZT_OK);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        bool is_path = rows[i].path[0] == '/';
        struct zt_err err = { 0 };
        struct zt_buf buf;
        zt_buf_init(&buf, 100);
        CHECK_INT(rows[i].path,
                  zt_fetch(client, is_path ? url_of(OPEN, server, rows[i].path) : rows[i].path,
                           &buf, &err),
                  rows[i].code);
        if (rows[i].code == ZT_OK)
            CHECK_STR(rows[i].path, buf.data, rows[i].text);
        else
            CHECK_HAS(rows[i].path, err.msg, rows[i].text);
        if (rows[i].code != ZT_OK)
            CHECK_INT(rows[i].path, buf.n, 0);
        zt_buf_clear(&buf);
    }
    zt_client_free(client);
    server_free(server);
    zt_guard_free(guard);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    RUN(fetches);
    return check_done();
}
