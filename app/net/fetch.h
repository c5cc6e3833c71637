/*
 * fetch.h - an image URL into a buffer.
 */
#ifndef ZT_NET_FETCH_H
#define ZT_NET_FETCH_H

#include "net/client.h"

/*
 * Reads an http, https or data: URL into buf (appended; buf->limit is the size limit). At most 3
 * redirects; https never goes down to http. The type is not looked at here: content decides.
 * Errors as zt_client_call and zt_url_data; ZT_E_NET also for a status other than 200, with the
 * status in msg, and for an empty body. msg is fit for the user who gave the URL and does not name
 * the field: put it in front with zt_err_prefix ("image_url: the host answered HTTP 404").
 */
enum zt_code zt_fetch(struct zt_client *client, const char *url, struct zt_buf *buf,
                      struct zt_err *err);

#endif
