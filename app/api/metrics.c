/*
 * metrics.c - GET /metrics: who may read it. The text itself is the service's.
 *
 * A request from this machine may. One that a proxy on this machine passed on is not from this
 * machine, whoever is trusted: any header that proxies add makes it a stranger. Strangers need the
 * token.
 */
#include <string.h>
#include <strings.h>

#include "api/inside.h"
#include "base/digest.h"

#define SCHEME    "Bearer "
#define TEXT_MAX  ((size_t)4 << 20)
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

static bool has_token(const struct zt_api *api, const struct zt_http_req *req)
{
    const char *token = api->options.metrics_token;
    const char *header = zt_http_header(req, "Authorization");
    uint8_t want[ZT_SHA256_SIZE], got[ZT_SHA256_SIZE];

    if (token == NULL || *token == '\0' || header == NULL ||
        strncasecmp(header, SCHEME, sizeof(SCHEME) - 1) != 0)
        return false;
    header += sizeof(SCHEME) - 1;
    zt_sha256(token, strlen(token), want); /* of one length, whatever was sent */
    zt_sha256(header, strlen(header), got);
    return zt_equal_secret(want, got, sizeof(want));
}

void zt_api_metrics(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_store *store = NULL;
    struct zt_err err = { 0 };
    struct zt_buf buf;

    if (api->options.metrics == NULL) {
        zt_api_reply_status(req, 404, 404, "there is nothing at this address", NULL);
        return;
    }
    if (!zt_http_is_local(req) && !has_token(api, req)) {
        zt_http_set(req, "WWW-Authenticate", "Bearer");
        zt_api_reply_status(req, 401, 401,
                            "metrics are for this machine, and for others with the token that the "
                            "server was given as metrics-token",
                            NULL);
        return;
    }
    zt_buf_init(&buf, TEXT_MAX);
    enum zt_code rc = zt_api_take(api, &store, &err);
    if (rc == ZT_OK) {
        rc = api->options.metrics(api->options.user, store, &buf, &err);
        zt_api_give(api, store);
    }
    if (rc == ZT_OK) {
        zt_http_set(req, "Cache-Control", "no-store");
        zt_http_reply_take(req, 200, TEXT_TYPE, &buf);
    } else {
        zt_buf_clear(&buf);
        zt_api_reply_fault(api, req, rc, &err);
    }
}
