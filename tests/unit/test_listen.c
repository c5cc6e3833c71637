/* Listening sockets: what an address may look like, and what is said of one that cannot be had. */
#include "http/listen.h"

#include "base/auto.h"
#include "base/str.h"
#include "check.h"

static void says_where_it_cannot_listen(void)
{
    char taken[ZT_ADDRESS_TEXT];
    zt_auto_fd int holder = -1;
    struct zt_err none = { 0 };

    CHECK_INT("any free port", zt_listen("127.0.0.1:0", &holder, taken, &none), ZT_OK);
    CHECK("the port it is", zt_starts_with(taken, "127.0.0.1:") && !zt_ends_with(taken, ":0"));
    const struct {
        const char *label, *listen;
        enum zt_code code;
        const char *has;
    } rows[] = {
        { "no port", "127.0.0.1", ZT_E_INVALID, "host:port" },
        { "empty", "", ZT_E_INVALID, "host:port" },
        { "only a port", ":80", ZT_E_INVALID, "host:port" },
        { "bare IPv6", "::1:80", ZT_E_INVALID, "host:port" },
        { "empty brackets", "[]:80", ZT_E_INVALID, "" },
        { "port too large", "127.0.0.1:65536", ZT_E_INVALID, "0 to 65535" },
        { "port with a sign", "127.0.0.1:+80", ZT_E_INVALID, "0 to 65535" },
        { "port is text", "127.0.0.1:http", ZT_E_INVALID, "0 to 65535" },
        { "no port after the colon", "127.0.0.1:", ZT_E_INVALID, "0 to 65535" },
        { "not ours", "192.0.2.1:0", ZT_E_INVALID, "not an address of this machine" },
        { "in use", taken, ZT_E_BUSY, "is in use" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char address[ZT_ADDRESS_TEXT];
        struct zt_err err = { 0 };
        zt_auto_fd int fd = -1;
        CHECK_INT(rows[i].label, zt_listen(rows[i].listen, &fd, address, &err), rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].has);
        CHECK_STR(rows[i].label, err.field, "listen");
        CHECK_INT(rows[i].label, fd, -1);
    }
}

int main(void)
{
    RUN(says_where_it_cannot_listen);
    return check_done();
}
