/*
 * listen.h - a listening socket from "host:port".
 */
#ifndef ZT_HTTP_LISTEN_H
#define ZT_HTTP_LISTEN_H

#include "base/error.h"

#define ZT_ADDRESS_TEXT 80

/*
 * Binds and listens: "127.0.0.1:8080", "[::1]:0", "localhost:80". "[::]:8080" takes IPv4 too.
 * *ret_fd is non-blocking and closed on exec; `address` (ZT_ADDRESS_TEXT bytes) gets what it
 * really listens on, as "127.0.0.1:43211" or "[::1]:43211".
 *   ZT_E_INVALID  not "host:port", or no such host on this machine
 *   ZT_E_BUSY     the address is in use    ZT_E_DENIED  not allowed    ZT_E_IO
 */
enum zt_code zt_listen(const char *text, int *ret_fd, char *address, struct zt_err *err);

#endif
