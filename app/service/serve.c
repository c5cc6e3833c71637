/*
 * serve.c - see serve.h. Builds the parts from the store up, and takes them down in an order that
 * lets each finish: workers are told first, requests are answered, then workers are waited for,
 * then housekeeping ends, and callbacks last.
 */
#include "service/serve.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"
#include "service/config.h"
#include "service/data.h"
#include "service/deliver.h"
#include "service/disk.h"
#include "service/metrics.h"
#include "service/outbound.h"
#include "service/preview.h"
#include "service/retain.h"
#include "service/secret.h"
#include "service/signals.h"
#include "service/supervise.h"

#define FIRST_KEY     "default"
#define MARGIN_US     (2 * ZT_SECOND_US) /* for ending, once the drain is over */
#define URL_MAX_BYTES 512
#define EXIT_FORCED   130

struct serve {
    const struct zt_serve_options *options;
    const struct zt_config *config;
    struct zt_data data;
    int lock_fd;
    char url[URL_MAX_BYTES];
    struct zt_stop *stop;
    struct zt_signals *signals;
    struct zt_guard *guard;
    struct zt_store *store;
    struct zt_blobs *blobs;
    struct zt_supervisor *supervisor;
    struct zt_batch *batch;
    struct zt_api *api;
    struct zt_http *http;
    struct zt_deliver *deliver;
    struct zt_retain *retain;
    struct zt_guard *proxies; /* NULL: none is trusted */
    struct zt_metrics *metrics;
    struct zt_disk *disk;
};

static void force_end(void *user)
{
    (void)user;
    ZT_LOG(WARN, "forced_end", "exit=%d", EXIT_FORCED);
    _exit(EXIT_FORCED); /* workers hear that this process is gone and put back what they have */
}

static void work_waits(void *user)
{
    const struct serve *s = user;

    zt_supervisor_wake(s->supervisor);
}

static void callback_due(void *user)
{
    const struct serve *s = user;

    if (s->deliver != NULL)
        zt_deliver_wake(s->deliver);
}

static void task_cancelled(void *user, bool callback)
{
    const struct serve *s = user;

    zt_supervisor_cancelled(s->supervisor);
    if (callback)
        callback_due(user);
}

static void tell_state(void *user, struct zt_api_state *ret)
{
    const struct serve *s = user;
    struct zt_disk_state disk = zt_disk_now(s->disk);

    *ret = (struct zt_api_state){
        .draining = zt_stop_asked(s->stop),
        .disk_low = disk.low,
        .disk_free_bytes = disk.free_bytes,
        .disk_reserve_bytes = disk.reserve_bytes,
        .workers_wanted = (int)s->config->workers,
        .workers_alive = zt_supervisor_alive(s->supervisor),
    };
}

static enum zt_code open_preview(void *user, const struct zt_task *task,
                                 struct zt_api_preview_file *ret, struct zt_err *err)
{
    const struct serve *s = user;

    return zt_preview_read(s->data.folder, task, ret, err);
}

static enum zt_code write_metrics(void *user, struct zt_store *store, struct zt_buf *buf,
                                  struct zt_err *err)
{
    struct serve *s = user;
    struct zt_disk_state disk = zt_disk_now(s->disk);
    int alive = zt_supervisor_alive(s->supervisor);
    const struct zt_metrics_now now = {
        .workers_wanted = (int)s->config->workers,
        .workers_alive = alive,
        .disk_free_bytes = disk.free_bytes,
        .disk_bytes = disk.bytes,
        .disk_reserve_bytes = disk.reserve_bytes,
        .disk_low = disk.low,
        .ready = !zt_stop_asked(s->stop) && !disk.low && (alive > 0 || s->config->workers == 0),
    };

    return zt_metrics_write(s->metrics, store, &now, buf, err);
}

static void refused_full(void *user)
{
    const struct serve *s = user;

    zt_metrics_count(s->metrics, ZT_COUNT_REFUSED_FULL, 1);
}

static bool trusts(const struct sockaddr *address, size_t n, const void *user)
{
    return zt_guard_lists(user, address, (socklen_t)n);
}

static struct zt_api_rules rules_of(const struct zt_config *c)
{
    return (struct zt_api_rules){
        .rate_creates = c->rate.n,
        .rate_window_us = c->rate.window_us,
        .max_waiting = c->max_waiting,
        .price_milli = { [ZT_480P] = c->price_480p,
                         [ZT_720P] = c->price_720p,
                         [ZT_1080P] = c->price_1080p },
        .extended_durations = c->extended_durations,
        .allow_unfiltered = c->allow_unfiltered,
    };
}

/* After SIGHUP, on the main thread: all that may change changes together, or nothing does. */
static void reload_if_asked(void *user)
{
    struct serve *s = user;
    struct zt_serve_reread fresh = { .waiting = "" };
    struct zt_err err = { 0 };
    char quoted[300];

    if (s->options->reread == NULL || !zt_signals_take_reload(s->signals))
        return;
    if (s->options->reread(s->options->user, &fresh, &err) != ZT_OK) {
        ZT_LOG(ERROR, "settings_not_reloaded", "reason=%s",
               zt_log_quote(err.msg, quoted, sizeof(quoted)));
        return;
    }
    const struct zt_api_rules rules = rules_of(fresh.config);
    zt_api_change(s->api, &rules);
    zt_log_set_level((enum zt_log_level)fresh.config->log_level);
    ZT_LOG(INFO, "settings_reloaded", "config=%s",
           zt_log_quote(fresh.config->config, quoted, sizeof(quoted)));
    if (*fresh.waiting != '\0')
        ZT_LOG(WARN, "settings_need_restart", "names=%s", fresh.waiting);
}

/* The base of public URLs: as set, or the address listened on; "any address" becomes loopback. */
static enum zt_code make_url(struct serve *s, struct zt_err *err)
{
    const char *address = zt_http_address(s->http);
    const char *port = strrchr(address, ':');
    const char *scheme = *s->config->tls_cert ? "https" : "http";
    bool fits;

    if (*s->config->public_url != '\0')
        fits = zt_format(s->url, sizeof(s->url), "%s", s->config->public_url);
    else if (zt_starts_with(address, "0.0.0.0:"))
        fits = zt_format(s->url, sizeof(s->url), "%s://127.0.0.1%s", scheme, port);
    else if (zt_starts_with(address, "[::]:"))
        fits = zt_format(s->url, sizeof(s->url), "%s://[::1]%s", scheme, port);
    else
        fits = zt_format(s->url, sizeof(s->url), "%s://%s", scheme, address);
    size_t n = strlen(s->url);
    while (n > 0 && s->url[n - 1] == '/')
        s->url[--n] = '\0';
    if (!fits)
        return zt_fail_field(err, ZT_E_INVALID, "public-url", "public-url is longer than %d bytes",
                             URL_MAX_BYTES - 1);
    zt_api_set_public_url(s->api, s->url);
    return ZT_OK;
}

static bool is_own_address(const char *listen)
{
    char host[64];
    struct in6_addr v6;
    struct in_addr v4;
    const char *colon = strrchr(listen, ':');
    bool bracket = *listen == '[';

    if (colon == NULL || colon - listen < 2 * bracket ||
        !zt_format(host, sizeof(host), "%.*s", (int)(colon - listen) - 2 * bracket,
                   listen + bracket))
        return false;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0;
}

bool zt_serve_is_open(const struct zt_config *c)
{
    return *c->tls_cert == '\0' && *c->trusted_proxies == '\0' && !is_own_address(c->listen);
}

static enum zt_code check_open(const struct zt_config *c, struct zt_err *err)
{
    if (!zt_serve_is_open(c) || c->allow_plain_http || strchr(c->listen, ':') == NULL)
        return ZT_OK; /* what is no address at all is said where it is used */
    return zt_fail_field(err, ZT_E_INVALID, "listen",
                         "other machines reach %s, and without TLS keys travel in the clear: give "
                         "tls-cert and tls-key, or trusted-proxies when a proxy has the TLS, or "
                         "allow-plain-http",
                         c->listen);
}

static enum zt_code open_storage(struct serve *s, struct zt_err *err)
{
    const struct zt_store_options store = { .path = s->data.store,
                                            .meter = zt_metrics_meter(s->metrics) };
    const struct zt_supervise_options supervise = {
        .config = s->config,
        .store = store,
        .worker_argv = s->options->worker_argv,
        .callback_due = callback_due,
        .turned = reload_if_asked,
        .user = s,
        .metrics = s->metrics,
    };

    ZT_TRY(zt_data_find(s->config->data, true, &s->data, err));
    ZT_TRY(zt_data_lock(&s->data, &s->lock_fd, err));
    ZT_TRY(zt_disk_start(s->data.folder, s->config->reserve_bytes, &s->disk, err));
    ZT_TRY(zt_outbound_guard(s->config, &s->guard, err));
    ZT_TRY(zt_outbound_networks("trusted-proxies", s->config->trusted_proxies, &s->proxies, err));
    ZT_TRY(zt_store_open(&store, &s->store, err));
    ZT_TRY(zt_blobs_open(s->data.files, &s->blobs, err));
    ZT_TRY(zt_supervisor_new(&supervise, &s->supervisor, err));
    return zt_batch_open(&store, &s->batch, err);
}

static enum zt_code open_http(struct serve *s, struct zt_err *err)
{
    const struct zt_config *c = s->config;
    const struct zt_api_options api = {
        .store = { .path = s->data.store,
                   .read_only = true,
                   .meter = zt_metrics_meter(s->metrics) },
        .batch = s->batch,
        .blobs = s->blobs,
        .public_url = c->public_url,
        .engine = c->engine,
        .compat_status = c->http_status != 0,
        .rules = rules_of(c),
        .prompts = { .explain = zt_explain, .plan_shots = zt_plan_shots },
        .sizes = { .probe = zt_image_probe, .size_for = zt_size_for, .size_row = zt_size_row },
        .workers = c->workers,
        .uploads = { .max_bytes = c->max_upload_bytes,
                     .key_bytes = c->upload_bytes,
                     .keep_us = c->keep_uploads_us,
                     .picture_bytes = c->max_image_bytes,
                     .fetches = (int)c->upload_fetches,
                     .guard = s->guard,
                     .ca_file = *c->ca_file ? c->ca_file : NULL },
        .created = work_waits,
        .cancelled = task_cancelled,
        .callback_due = callback_due,
        .preview = open_preview,
        .state = tell_state,
        .metrics = write_metrics,
        .refused_full = refused_full,
        .metrics_token = c->metrics_token,
        .user = s,
    };

    ZT_TRY(zt_api_open(&api, &s->api, err));
    struct zt_http_options http = {
        .listen = c->listen,
        .refuse = zt_api_refuse,
        .user = s->api,
        .done = zt_metrics_request,
        .done_user = s->metrics,
        .trusts = trusts,
        .trusts_user = s->proxies,
        .tls_cert = *c->tls_cert ? c->tls_cert : NULL,
        .tls_key = c->tls_key,
    };
    http.routes = zt_api_routes(&http.routes_n);
    ZT_TRY(zt_http_start(&http, &s->http, err));
    return make_url(s, err);
}

static enum zt_code start_loops(struct serve *s, struct zt_err *err)
{
    const struct zt_store_options store = { .path = s->data.store,
                                            .meter = zt_metrics_meter(s->metrics) };
    const struct zt_deliver_options deliver = {
        .config = s->config, .store = store, .guard = s->guard, .public_url = s->url
    };
    const struct zt_retain_options retain = {
        .config = s->config,
        .store = store,
        .blobs = s->blobs,
        .requeued = work_waits,
        .callback_due = callback_due,
        .user = s,
        .metrics = s->metrics,
    };

    ZT_TRY(zt_deliver_start(&deliver, &s->deliver, err));
    return zt_retain_start(&retain, &s->retain, err);
}

/* The very first start makes a key, so that there is something to try with. Shown, never logged. */
static enum zt_code tell_ready(struct serve *s, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_key **keys = NULL;
    struct zt_secret secret = { .text = "" };
    char webhook[ZT_SECRET_TEXT] = "";
    int n = 0;

    enum zt_code rc = zt_store_key_list(s->store, &arena, &keys, &n, err);
    zt_arena_clear(&arena);
    bool first = rc == ZT_OK && n == 0;
    if (first)
        rc = zt_secret_add_key(s->store, FIRST_KEY, &secret, webhook, err);
    if (rc == ZT_OK) {
        const struct zt_serve_ready ready = {
            .url = s->url,
            .data = s->data.folder,
            .key = first ? secret.text : NULL,
            .webhook_secret = first ? webhook : NULL,
        };
        s->options->on_ready(s->options->user, &ready);
        ZT_LOG(INFO, "serving", "pid=%d url=%s workers=%" PRId64 " engine=%s", (int)getpid(),
               s->url, s->config->workers, s->config->engine);
    }
    zt_secret_wipe(&secret);
    explicit_bzero(webhook, sizeof(webhook));
    return rc;
}

static void close_all(struct serve *s)
{
    int64_t end_us = zt_now_mono_us() + s->config->drain_us;

    if (s->http != NULL)
        zt_http_stop(s->http, s->config->drain_us);
    if (s->batch != NULL)
        zt_batch_close(s->batch);
    int64_t left_us = end_us - zt_now_mono_us();
    if (s->supervisor != NULL)
        zt_supervisor_drain(s->supervisor, (left_us > 0 ? left_us : 0) + MARGIN_US);
    zt_retain_stop(s->retain);
    left_us = end_us - zt_now_mono_us();
    zt_deliver_stop(s->deliver, left_us > MARGIN_US ? left_us : MARGIN_US);
    s->deliver = NULL; /* a worker's last words find nobody to wake */
    if (s->api != NULL)
        zt_api_close(s->api);
    zt_supervisor_free(s->supervisor);
    if (s->blobs != NULL)
        zt_blobs_close(s->blobs);
    if (s->store != NULL)
        zt_store_close(s->store);
    if (s->guard != NULL)
        zt_guard_free(s->guard);
    zt_guard_free(s->proxies);
    zt_disk_stop(s->disk);
    zt_metrics_free(s->metrics);
    zt_signals_stop(s->signals);
    zt_stop_free(s->stop);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
}

enum zt_code zt_serve(const struct zt_serve_options *options, struct zt_err *err)
{
    struct serve s = { .options = options, .config = options->config, .lock_fd = -1 };

    const struct zt_metrics_options metrics = { .engine = options->config->engine,
                                                .access_log = options->config->access_log };

    s.stop = zt_stop_new();
    s.metrics = zt_metrics_new(&metrics);
    enum zt_code rc = check_open(s.config, err);
    if (rc == ZT_OK)
        rc = zt_signals_start(s.stop, force_end, NULL, &s.signals, err);
    if (rc == ZT_OK)
        rc = open_storage(&s, err);
    if (rc == ZT_OK)
        rc = open_http(&s, err);
    if (rc == ZT_OK)
        rc = start_loops(&s, err);
    if (rc == ZT_OK) {
        zt_supervisor_start(s.supervisor);
        rc = tell_ready(&s, err);
    }
    if (rc == ZT_OK) {
        zt_supervisor_run(s.supervisor, s.stop);
        ZT_LOG(INFO, "stopping", "pid=%d", (int)getpid());
    }
    close_all(&s);
    if (rc == ZT_OK)
        ZT_LOG(INFO, "stopped", "pid=%d", (int)getpid());
    return rc;
}
