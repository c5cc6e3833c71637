/* doctor_checks.c - this machine: settings, codecs, sandbox, threads, network, TLS, clock. */
#include <inttypes.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/findings.h"
#include "http/tls.h"
#include "service/engine.h"
#include "service/handles.h"
#include "service/outbound.h"
#include "service/sandbox.h"
#include "service/serve.h"

#define PROBE_NAME   "example.com" /* set aside for such uses, RFC 2606 */
#define RESOLVE_S    5
#define SIDE_PX      128
#define FRAMES       3
#define JPEG_MAX     ((size_t)1 << 20)
#define SOON_US      (14 * ZT_DAY_US)
#define OLDEST_NOW_S INT64_C(1767225600) /* 2026: this program is not older */

/* ---- settings ------------------------------------------------------------------------------ */

static bool is_engine(const char *name)
{
    for (int i = 0; zt_engine_name(i) != NULL; i++) {
        if (strcmp(zt_engine_name(i), name) == 0)
            return true;
    }
    return false;
}

void zt_doctor_settings(struct zt_findings *f)
{
    const struct zt_config *c = f->config;

    if (!is_engine(c->engine))
        zt_found(f, ZT_WRONG, "settings", "zoetrope version lists the engines there are",
                 "there is no engine %s", c->engine);
    else if (zt_serve_is_open(c))
        zt_found(
            f, c->allow_plain_http ? ZT_WARN : ZT_WRONG, "settings",
            "set tls-cert and tls-key, or listen on loopback behind a proxy with TLS; a server "
            "starts without them only with allow-plain-http",
            "%s is reached from outside without TLS: keys travel in the clear", c->listen);
    else
        zt_found(f, ZT_FINE, "settings", "", "engine %s, %" PRId64 " workers, listen %s", c->engine,
                 c->workers, c->listen);
}

/* ---- engine -------------------------------------------------------------------------------- */

/* Opens it as a worker would: a model is found and checked then, a device started. */
void zt_doctor_engine(struct zt_findings *f)
{
    const struct zt_config *c = f->config;
    const struct zt_engine_options options = zt_engine_options_of(c);
    struct zt_engine *engine = NULL;
    struct zt_err err = { 0 };

    if (!is_engine(c->engine))
        return; /* told with the settings */
    if (zt_engine_open(c->engine, &options, &engine, &err) == ZT_OK)
        zt_found(f, ZT_FINE, "engine", "", "%s opens%s%s", c->engine, *c->model ? ", model " : "",
                 c->model);
    else
        zt_found(f, ZT_WRONG, "engine",
                 "see docs/MODELS.md; zoetrope models verify and zoetrope devices say more", "%s",
                 err.msg);
    zt_engine_close(engine);
}

/* ---- codecs and sandbox -------------------------------------------------------------------- */

static enum zt_code encode(const struct zt_config *c, const struct zt_frame *frame,
                           const char *path, struct zt_err *err)
{
    const struct zt_video_options options = {
        .width_px = SIDE_PX,
        .height_px = SIDE_PX,
        .fps = 24,
        .pixels = ZT_PIXELS_RGB24,
        .preset = c->preset,
        .crf = (int)c->crf,
        .threads = 1,
        .smooth = true,
    };
    zt_auto(video) struct zt_video *video = NULL;

    ZT_TRY(zt_video_open(path, &options, &video, err));
    for (int i = 0; i < FRAMES; i++)
        ZT_TRY(zt_video_write(video, frame, err));
    return zt_video_finish(video, err);
}

static enum zt_code decode(const struct zt_frame *frame, const char *path, struct zt_err *err)
{
    struct zt_image image = { 0 };
    struct zt_buf bytes;

    ZT_TRY(zt_frame_save_jpeg(frame, path, 80, err));
    zt_buf_init(&bytes, JPEG_MAX);
    enum zt_code rc = zt_file_read(path, &bytes, err);
    if (rc == ZT_OK)
        rc = zt_sandbox_decode(bytes.data, bytes.n, NULL, NULL, &image, err);
    if (rc == ZT_OK && (image.width_px != SIDE_PX || image.height_px != SIDE_PX))
        rc = zt_fail(err, ZT_E_INTERNAL, "the picture came back with another size");
    zt_image_clear(&image);
    zt_buf_clear(&bytes);
    return rc;
}

void zt_doctor_media(struct zt_findings *f)
{
    char folder[] = "/tmp/zoetrope-doctor-XXXXXX";
    char path[64];
    struct zt_err err = { 0 };

    if (mkdtemp(folder) == NULL) {
        zt_found(f, ZT_WRONG, "encoder", "make /tmp writable", "no temporary folder can be made");
        return;
    }
    uint8_t *grey = zt_calloc_or_die(SIDE_PX * SIDE_PX, 3);
    memset(grey, 128, (size_t)SIDE_PX * SIDE_PX * 3);
    const struct zt_frame frame = { .format = ZT_PIXELS_RGB24,
                                    .width_px = SIDE_PX,
                                    .height_px = SIDE_PX,
                                    .plane = { grey },
                                    .stride = { (size_t)SIDE_PX * 3 } };
    (void)zt_format(path, sizeof(path), "%s/a.mp4", folder);
    if (encode(f->config, &frame, path, &err) == ZT_OK)
        zt_found(f, ZT_FINE, "encoder", "", "H.264 with preset %s works", f->config->preset);
    else
        zt_found(f, ZT_WRONG, "encoder", "check preset and crf; install libx264", "%s (%s)",
                 err.msg, err.detail);
    (void)zt_format(path, sizeof(path), "%s/a.jpg", folder);
    if (decode(&frame, path, &err) == ZT_OK)
        zt_found(f, ZT_FINE, "sandbox", "", "a picture was decoded without files and network");
    else
        zt_found(f, ZT_WRONG, "sandbox",
                 "the kernel needs seccomp filters; containers must not forbid prctl and seccomp",
                 "%s (%s)", err.msg, err.detail);
    free(grey);
    (void)!zt_remove_tree(folder, NULL);
}

void zt_doctor_threads(struct zt_findings *f)
{
    int cores = zt_cores();
    int64_t each = f->config->threads > 0 ? f->config->threads : cores;
    int64_t all = f->config->workers * each;

    zt_found(f, f->config->workers > 1 && all > 2 * cores ? ZT_WARN : ZT_FINE, "threads",
             "set threads so that workers times threads is about the number of cores",
             "%" PRId64 " workers with %" PRId64 " threads each on %d cores", f->config->workers,
             each, cores);
}

/* ---- network ------------------------------------------------------------------------------- */

/* Resolving can take long where there is no server to ask: a thread of its own may be left behind,
 * and whoever is last frees. */
struct lookup {
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t ready;
    bool done, abandoned;
    int rc;
    struct addrinfo *found;
};

static void free_lookup(struct lookup *l)
{
    if (l->found != NULL)
        freeaddrinfo(l->found);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

static void *resolve(void *arg)
{
    struct lookup *l = arg;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(PROBE_NAME, "443", &hints, &found);

    pthread_mutex_lock(&l->mutex);
    l->rc = rc;
    l->found = rc == 0 ? found : NULL;
    l->done = true;
    bool abandoned = l->abandoned;
    pthread_cond_signal(&l->ready);
    pthread_mutex_unlock(&l->mutex);
    if (abandoned)
        free_lookup(l);
    return NULL;
}

static void judge_lookup(struct zt_findings *f, const struct zt_guard *guard,
                         const struct lookup *l)
{
    static const char todo[] =
        "check the resolver (/etc/resolv.conf); pictures and callbacks by "
        "name cannot be reached until it answers; data: URLs and uploads can";
    const char *why = NULL;

    if (!l->done) {
        zt_found(f, ZT_WARN, "outbound", todo, "the name %s was not resolved within %d s",
                 PROBE_NAME, RESOLVE_S);
        return;
    }
    if (l->rc != 0) {
        zt_found(f, ZT_WARN, "outbound", todo, "the name %s cannot be resolved: %s", PROBE_NAME,
                 gai_strerror(l->rc));
        return;
    }
    for (const struct addrinfo *a = l->found; a != NULL && why == NULL; a = a->ai_next)
        why = zt_guard_refuses(guard, a->ai_addr, a->ai_addrlen);
    if (why != NULL)
        zt_found(f, ZT_WARN, "outbound",
                 "the resolver sends public names to such addresses; if that is meant, allow them "
                 "with allow-net",
                 "%s resolves to a %s address, which is refused", PROBE_NAME, why);
    else
        zt_found(f, ZT_FINE, "outbound", "", "names resolve, and public addresses are allowed");
}

void zt_doctor_network(struct zt_findings *f)
{
    zt_auto(guard) struct zt_guard *guard = NULL;
    zt_auto(guard) struct zt_guard *proxies = NULL;
    struct zt_err err = { 0 };
    struct timespec until;
    pthread_t thread;

    if (zt_outbound_guard(f->config, &guard, &err) != ZT_OK ||
        zt_outbound_networks("trusted-proxies", f->config->trusted_proxies, &proxies, &err) !=
            ZT_OK) {
        zt_found(f, ZT_WRONG, "outbound", "write networks like 10.0.0.0/8, with commas between",
                 "%s", err.msg);
        return;
    }
    if (*f->config->ca_file != '\0' && access(f->config->ca_file, R_OK) != 0)
        zt_found(f, ZT_WRONG, "ca-file", "name a PEM file that the server can read",
                 "%s cannot be read", f->config->ca_file);
    struct lookup *l = zt_new(struct lookup);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->ready, NULL);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RESOLVE_S;
    pthread_mutex_lock(&l->mutex);
    bool started = pthread_create(&thread, NULL, resolve, l) == 0;
    if (started)
        pthread_detach(thread);
    while (started && !l->done && pthread_cond_timedwait(&l->ready, &l->mutex, &until) == 0) {
    }
    judge_lookup(f, guard, l);
    l->abandoned = !l->done;
    bool mine = l->done || !started;
    pthread_mutex_unlock(&l->mutex);
    if (mine)
        free_lookup(l);
}

void zt_doctor_tls(struct zt_findings *f)
{
    int64_t until_s = 0;
    char text[ZT_TIME_TEXT];
    struct zt_err err = { 0 };

    if (*f->config->tls_cert == '\0')
        return;
    if (zt_tls_check(f->config->tls_cert, f->config->tls_key, &until_s, &err) != ZT_OK) {
        zt_found(f, ZT_WRONG, "tls", "name a PEM chain and its key that the server can read", "%s",
                 err.msg);
        return;
    }
    int64_t left_us = until_s * ZT_SECOND_US - zt_now_utc_us();
    zt_time_text(until_s * ZT_SECOND_US, text);
    zt_found(f,
             left_us <= 0        ? ZT_WRONG
             : left_us < SOON_US ? ZT_WARN
                                 : ZT_FINE,
             "tls", "renew it; the server reads the new file by itself", "the certificate %s %s",
             left_us <= 0 ? "ended" : "is valid until", text);
}

void zt_doctor_clock(struct zt_findings *f)
{
    char text[ZT_TIME_TEXT];
    int64_t now_us = zt_now_utc_us();

    zt_time_text(now_us, text);
    if (now_us / ZT_SECOND_US < OLDEST_NOW_S)
        zt_found(f, ZT_WRONG, "clock", "set it (NTP): certificates, signatures and expiry go by it",
                 "%s is before this program was made", text);
    else
        zt_found(f, ZT_FINE, "clock", "", "%s", text);
}
