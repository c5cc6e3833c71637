/*
 * health.c - /healthz: the process answers; /readyz: it takes work, or every reason why not, in
 * words and in JSON.
 */
#include <inttypes.h>

#include "api/inside.h"
#include "base/log.h"

#define RETRY_S "5"

enum check { CHECK_STORE, CHECK_DISK, CHECK_WORKERS, CHECK_ACCEPTING, CHECKS };
static const char *const check_names[CHECKS] = { "store", "disk", "workers", "accepting" };

/* What stands in the way, for each check; NULL: nothing. */
struct reasons {
    const char *why[CHECKS];
};

void zt_api_healthz(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_api_reply_status(req, 200, 200, "alive", NULL);
}

static const char *check_store(struct zt_api *api, struct zt_arena *arena)
{
    int64_t counts[ZT_TASK_STATES] = { 0 };
    struct zt_store *store = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_api_take(api, &store, &err);
    if (rc == ZT_OK) {
        rc = zt_store_task_counts(store, counts, &err);
        zt_api_give(api, store);
    }
    return rc == ZT_OK ? NULL : zt_arena_printf(arena, "the store cannot be read: %s", err.msg);
}

static void look(struct zt_api *api, struct zt_arena *arena, struct reasons *ret)
{
    struct zt_api_state state = { 0 };

    if (api->options.state != NULL)
        api->options.state(api->options.user, &state);
    *ret = (struct reasons){ .why = { NULL } };
    ret->why[CHECK_STORE] = check_store(api, arena);
    if (state.disk_low)
        ret->why[CHECK_DISK] = zt_arena_printf(
            arena, "the disk has %" PRId64 " MiB free, the reserve is %" PRId64 " MiB",
            state.disk_free_bytes >> 20, state.disk_reserve_bytes >> 20);
    if (state.workers_wanted > 0 && state.workers_alive == 0)
        ret->why[CHECK_WORKERS] =
            zt_arena_printf(arena, "none of %d workers is alive", state.workers_wanted);
    if (state.draining)
        ret->why[CHECK_ACCEPTING] = "the server is stopping";
}

/* Logged when the reasons changed, not at each probe. */
static void log_change(struct zt_api *api, const struct zt_http_req *req, unsigned bits,
                       const char *msg)
{
    char quoted[300];

    if (atomic_exchange(&api->unready, bits) != bits && bits != 0)
        ZT_LOG(WARN, "not_ready", "request=%s reason=%s", zt_http_id(req),
               zt_log_quote(msg, quoted, sizeof(quoted)));
}

void zt_api_readyz(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_arena *arena = zt_http_arena(req);
    struct reasons reasons;
    const char *msg = NULL;
    unsigned bits = 0;
    zt_auto_out struct zt_out out = { 0 };

    look(api, arena, &reasons);
    zt_out_init(&out, 4096);
    for (int i = 0; i < CHECKS; i++) {
        const char *why = reasons.why[i];
        zt_out_raw(&out, i == 0 ? "{\"checks\":{\"" : ",\"");
        zt_out_raw(&out, check_names[i]);
        zt_out_raw(&out, "\":");
        zt_out_string(&out, why ? why : "ok");
        if (why == NULL)
            continue;
        bits |= 1u << i;
        msg = msg ? zt_arena_printf(arena, "%s; %s", msg, why) : why;
    }
    zt_out_raw(&out, bits == 0 ? "},\"ready\":true}" : "},\"ready\":false}");
    log_change(api, req, bits, msg ? msg : "");
    if (bits != 0)
        zt_http_set(req, "Retry-After", RETRY_S);
    zt_api_reply_status(req, bits == 0 ? 200 : 503, bits == 0 ? 200 : 503, msg ? msg : "ready",
                        out.full ? NULL : out.buf.data);
}
