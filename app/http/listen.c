/* listen.c - see listen.h. */
#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/str.h"

#define BACKLOG 1024

static void free_addresses(struct addrinfo **list)
{
    if (*list != NULL)
        freeaddrinfo(*list);
}

/* "host:port" or "[v6]:port" into its two halves. */
static enum zt_code split(const char *text, char host[ZT_ADDRESS_TEXT], const char **ret_port,
                          struct zt_err *err)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    int64_t port;

    if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    } else if (n == 0 || memchr(text, ':', n) != NULL) {
        return zt_fail_field(err, ZT_E_INVALID, "listen",
                             "listen must be host:port, as 127.0.0.1:8080 or [::1]:8080, not %s",
                             text);
    }
    if (n == 0 || n >= ZT_ADDRESS_TEXT || !zt_parse_int(colon + 1, 0, 65535, &port))
        return zt_fail_field(err, ZT_E_INVALID, "listen",
                             "listen must name a host and a port from 0 to 65535, not %s", text);
    memcpy(host, text, n);
    host[n] = '\0';
    *ret_port = colon + 1;
    return ZT_OK;
}

static enum zt_code bound_address(int fd, char *address, struct zt_err *err)
{
    struct sockaddr_storage at;
    socklen_t at_n = sizeof(at);
    char host[ZT_ADDRESS_TEXT - 10];
    char port[8];

    if (getsockname(fd, (struct sockaddr *)&at, &at_n) != 0)
        return zt_fail_errno(err, errno, "cannot read the address of", "the listening socket");
    if (getnameinfo((struct sockaddr *)&at, at_n, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return zt_fail(err, ZT_E_IO, "cannot name the address of the listening socket");
    zt_format(address, ZT_ADDRESS_TEXT, at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return ZT_OK;
}

static enum zt_code bind_failed(int error, const char *text, struct zt_err *err)
{
    if (error == EADDRINUSE)
        return zt_fail_field(err, ZT_E_BUSY, "listen",
                             "address %s is in use by another program; stop it or listen on "
                             "another port (0 takes any free one)",
                             text);
    if (error == EACCES || error == EPERM)
        return zt_fail_field(err, ZT_E_DENIED, "listen",
                             "not allowed to listen on %s; ports below 1024 need privileges", text);
    if (error == EADDRNOTAVAIL)
        return zt_fail_field(err, ZT_E_INVALID, "listen", "%s is not an address of this machine",
                             text);
    return zt_fail_errno(err, error, "cannot listen on", text);
}

enum zt_code zt_listen(const char *text, int *ret_fd, char *address, struct zt_err *err)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    __attribute__((cleanup(free_addresses))) struct addrinfo *list = NULL;
    char host[ZT_ADDRESS_TEXT];
    const char *port = NULL;
    const int on = 1;
    const int off = 0;

    ZT_TRY(split(text, host, &port, err));
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0)
        return zt_fail_field(err, ZT_E_INVALID, "listen", "cannot find the host of %s: %s", text,
                             gai_strerror(failed));
    zt_auto_fd int fd =
        socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, list->ai_protocol);
    if (fd < 0)
        return zt_fail_errno(err, errno, "cannot make a socket for", text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (list->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return bind_failed(errno, text, err);
    ZT_TRY(bound_address(fd, address, err));
    *ret_fd = zt_take_fd(&fd);
    return ZT_OK;
}
