/* credit.c - GET /api/v1/chat/credit: what the user of a key may still spend. */
#include "api/inside.h"
#include "store/users.h"

/*
 * The documented answer is a number, which clients compare with a price. A user without a balance
 * is refused nothing, so the number is one that no price reaches.
 */
#define NO_LIMIT_MILLI ZT_CREDIT_MAX

static void put_number(struct zt_out *out, int64_t milli)
{
    char text[ZT_CREDIT_TEXT];

    zt_out_raw(out, zt_credit_text(milli, text));
}

void zt_api_key_credit(struct zt_out *out, const char *key, int64_t milli)
{
    char text[ZT_CREDIT_TEXT];

    zt_out_key_raw(out, key, zt_credit_text(milli, text));
}

void zt_api_credit(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_store *store = NULL;
    struct zt_err err = { 0 };
    int64_t milli = 0;

    if (!zt_api_authorise(api, req))
        return;
    const struct zt_api_caller *caller = zt_http_kept(req);
    enum zt_code rc = zt_api_take(api, &store, &err);
    if (rc == ZT_OK) {
        rc = zt_store_key_credit(store, caller->key_id, &milli, &err);
        zt_api_give(api, store);
    }
    if (rc != ZT_OK) {
        zt_api_reply_fault(api, req, rc, &err);
        return;
    }
    zt_auto_out struct zt_out out = { 0 };
    zt_api_begin(&out, 200, "success");
    put_number(&out, milli == ZT_CREDIT_NO_LIMIT ? NO_LIMIT_MILLI : milli);
    zt_api_send(api, req, 200, &out);
}
