/*
 * url.h - taking a URL apart, and refusing what could be read in two ways.
 */
#ifndef ZT_NET_URL_H
#define ZT_NET_URL_H

#include "base/arena.h"

#define ZT_URL_MAX 8192

enum zt_scheme { ZT_SCHEME_HTTP, ZT_SCHEME_HTTPS, ZT_SCHEME_DATA };

struct zt_url {
    enum zt_scheme scheme;
    const char *host;    /* lower case; IPv6 without brackets; "" for data: */
    int port;            /* 80 or 443 when not given */
    const char *media;   /* data: the media type, lower case, may be "" */
    const char *payload; /* data: what follows the comma, inside the text given */
    size_t payload_n;
    bool base64;
};

/*
 * Accepts http, https (at most ZT_URL_MAX bytes, a host, no user information, no control or white
 * space, no backslash, port 1...65535, host a name, a dotted-quad IPv4 or bracketed IPv6 without
 * zone) and, when allow_data, data: URLs of any length. IPv4 written as octal, hex, one number or
 * fewer than four parts is refused, as its meaning differs between readers; so is a host that ends
 * with a dot or has letters outside ASCII (its xn-- form is fine). Path and query may hold UTF-8.
 * ret->payload points into text; everything else lives in the arena.
 * ZT_E_INVALID with a message that says what is wrong.
 */
enum zt_code zt_url_read(const char *text, size_t n, bool allow_data, struct zt_arena *arena,
                         struct zt_url *ret, struct zt_err *err);

/*
 * Decodes the payload of a data: URL into bytes (appended). White space inside base64 is skipped.
 * ZT_E_LIMIT past the buffer's limit, ZT_E_INVALID for bad base64 or percent signs, ZT_E_NOMEM.
 */
struct zt_buf;
enum zt_code zt_url_data(const struct zt_url *url, struct zt_buf *buf, struct zt_err *err);

/*
 * Scheme, host, port and path, without user, query and fragment: what a log may show. Safe to
 * print whatever the text; "..." at the end when cut; "data:..." for data: URLs. Returns dst.
 */
const char *zt_url_for_log(const char *text, char *dst, size_t size);

#endif
