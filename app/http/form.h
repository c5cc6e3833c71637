/*
 * form.h - multipart/form-data, read as it arrives. On libmicrohttpd's post processor.
 *
 * It knows nothing of what the parts mean, and keeps no more than a few KiB of the body.
 */
#ifndef ZT_HTTP_FORM_H
#define ZT_HTTP_FORM_H

#include "http/server.h"

struct zt_form;

/*
 * Some bytes of one part. Texts live until the call returns; NULL when the part has none. That a
 * part begins may be told several times, with n 0, before its first bytes come; so an empty part
 * cannot be told from a following one of the same name.
 */
struct zt_form_piece {
    const char *name;      /* of the field */
    const char *file_name; /* as the client says */
    const char *type;      /* as the client says */
    uint64_t offset;       /* of these bytes in the part; 0 begins a part */
    const void *bytes;
    size_t n;
};

/* False: no more is wanted; zt_form_feed is false then, too. */
typedef bool zt_form_fn(void *user, const struct zt_form_piece *piece);

/*
 * For the body of a request, by its Content-Type, which is read here and again while feeding: on
 * the connection's thread, before the handler returned. NULL: it is not multipart/form-data with a
 * boundary, of 2 characters at least.
 */
struct zt_form *zt_form_open(struct zt_http_req *req, zt_form_fn *fn, void *user);
void zt_form_close(struct zt_form *form); /* NULL is fine */

/* False: malformed (a part header of more than some KiB counts as such), or fn said false. */
bool zt_form_feed(struct zt_form *form, const void *bytes, size_t n);

/* Once the body ended; closes. Whether the form had ended, or never begun. */
bool zt_form_finish(struct zt_form *form);

#endif
