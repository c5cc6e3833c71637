/*
 * redirect.h - where a redirect leads, and whether one may go there. Pure; any thread.
 */
#ifndef ZT_NET_REDIRECT_H
#define ZT_NET_REDIRECT_H

#include "base/arena.h"

/*
 * The absolute URL that the Location header `location`, sent by the http or https URL `from`,
 * stands for, in `arena`; it passes zt_url_read. Addresses are not judged here: the guard does
 * that when the socket is made.
 *   ZT_E_DENIED  from https to http, or to what zt_url_read refuses (another scheme, a user name)
 *   ZT_E_NET     not a URL at all
 */
enum zt_code zt_redirect_resolve(const char *from, const char *location, struct zt_arena *arena,
                                 const char **ret, struct zt_err *err);

/* Whether both URLs, which passed zt_url_read, have the same scheme, host and port. */
bool zt_redirect_same_origin(const char *a, const char *b, struct zt_arena *arena);

#endif
