/*
 * offer.c - what comes with a createTask beside its body: the rate of its key, the Idempotency-Key,
 * the price; and how the store's refusals are said on the wire.
 *
 * Two requests are the same when their bodies are the same JSON, whatever the spacing and the order
 * of keys; what the server draws itself, as a seed, is no part of that.
 */
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "api/kie.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "store/users.h"

#define HEADER        "Idempotency-Key"
#define REPLAYED      "Idempotent-Replayed"

#define QUEUE_WAIT_US (10 * ZT_SECOND_US) /* what a client is told to wait for its own tasks */
#define TOO_OFTEN     "Your call frequency is too high. Please try again later."

bool zt_api_admit_rate(struct zt_api *api, struct zt_http_req *req)
{
    const struct zt_api_caller *caller = zt_http_kept(req);
    const struct zt_key_limits *limits = &caller->account->limits;
    const struct zt_api_rules rules = zt_api_rules(api);
    bool own = limits->rate_n != ZT_RATE_AS_ALL;
    int64_t max = own ? limits->rate_n : rules.rate_creates;
    int64_t window_us = own ? limits->rate_window_us : rules.rate_window_us;
    int64_t wait_us = 0;

    if (max <= 0 ||
        zt_rates_admit(api->creates, caller->key_id, max, window_us, zt_now_mono_us(), &wait_us))
        return true;
    zt_api_reply_later(api, req, wait_us, TOO_OFTEN);
    return false;
}

int64_t zt_api_price(struct zt_api *api, const struct zt_kie_request *request)
{
    enum zt_resolution resolution = ZT_480P;

    zt_assert(zt_api_resolution(request->input.resolution, &resolution)); /* it was read by them */
    return zt_api_rules(api).price_milli[resolution] * request->input.duration_s;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

static enum zt_code hash_request(const json_t *root, uint8_t ret[ZT_SHA256_BYTES],
                                 struct zt_err *err)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);

    if (text == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a request");
    zt_sha256(text, strlen(text), ret);
    free(text);
    return ZT_OK;
}

enum zt_code zt_api_offer_read(struct zt_http_req *req, const struct zt_kie_request *request,
                               struct zt_offer *ret, struct zt_err *err)
{
    const char *key = zt_http_header(req, HEADER);

    *ret = (struct zt_offer){ .arena = zt_http_arena(req) };
    if (key == NULL)
        return ZT_OK;
    size_t n = strlen(key);
    if (n < 1 || n > ZT_IDEMPOTENCY_KEY_MAX || !is_printable(key))
        return zt_fail_field(
            err, ZT_E_INVALID, HEADER, HEADER " must be 1 to %d printable ASCII characters%s",
            ZT_IDEMPOTENCY_KEY_MAX, n > ZT_IDEMPOTENCY_KEY_MAX ? "; it is longer" : "");
    ret->idempotency_key = zt_arena_strdup(ret->arena, key);
    if (ret->idempotency_key == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a request");
    return hash_request(request->root, ret->request_hash, err);
}

enum zt_code zt_api_offer_look(struct zt_api *api, int64_t key_id, struct zt_offer *offer,
                               struct zt_err *err)
{
    struct zt_store *store = NULL;

    if (offer->idempotency_key == NULL)
        return ZT_OK;
    ZT_TRY(zt_api_take(api, &store, err));
    enum zt_code rc = zt_store_offer_look(store, key_id, offer, err);
    zt_api_give(api, store);
    return rc;
}

void zt_api_reply_replay(struct zt_api *api, struct zt_http_req *req, int64_t key_id,
                         const struct zt_offer *offer)
{
    ZT_LOG(INFO, "task_replayed", "task=%s key=%lld", offer->replay_task, (long long)key_id);
    zt_http_set(req, REPLAYED, "true");
    zt_api_reply(api, req, 200, "success", offer->replay);
}

bool zt_api_reply_refused(struct zt_api *api, struct zt_http_req *req, const struct zt_offer *offer,
                          const struct zt_err *err)
{
    switch (offer->refused) {
    case ZT_REFUSED_NOT:
        return false;
    case ZT_REFUSED_REUSE:
        zt_api_reply(api, req, 409, err->msg, NULL);
        break;
    case ZT_REFUSED_QUEUE:
        zt_api_reply_later(api, req, QUEUE_WAIT_US, err->msg);
        break;
    case ZT_REFUSED_CAP:
        zt_api_reply(api, req, 433, err->msg, NULL);
        break;
    case ZT_REFUSED_CREDITS:
        zt_api_reply(api, req, 402, err->msg, NULL);
        break;
    }
    return true;
}
