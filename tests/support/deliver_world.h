/*
 * deliver_world.h - a receiver inside the test that does as it is told, a store with finished tasks,
 * and the threads that deliver. Every wait is a condition with a limit.
 */
#ifndef ZT_TESTS_DELIVER_WORLD_H
#define ZT_TESTS_DELIVER_WORLD_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/thread.h"
#include "check.h"
#include "net/guard.h"
#include "service/config.h"
#include "service/deliver.h"
#include "service/secret.h"

#define POSTS_MAX  16
#define PATIENCE_S 60
#define TASK       "task_bytedance_1700000000000aaaaaaaaaaaaaaaa"

/* ---- a receiver ---------------------------------------------------------------------------- */

enum { STALL = -1, RESET = -2 }; /* instead of a status */

struct post {
    char head[4096];
    char body[8192];
};

struct receiver {
    int fd, port;
    const int *script; /* what to do with each post; the last one goes on */
    int script_n;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool quit;
    int n;
    struct post post[POSTS_MAX];
};

/* Reads a request; false when it was cut short. */
static inline bool read_post(int fd, struct post *ret)
{
    char text[sizeof(ret->head) + sizeof(ret->body)];
    size_t n = 0;

    for (;;) {
        ssize_t got = recv(fd, text + n, sizeof(text) - n - 1, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (end == NULL || length == NULL)
            continue;
        size_t head_n = (size_t)(end - text) + 4;
        size_t body_n = strtoul(length + strlen("Content-Length: "), NULL, 10);
        if (n < head_n + body_n)
            continue;
        return zt_format(ret->head, sizeof(ret->head), "%.*s", (int)head_n, text) &&
               zt_format(ret->body, sizeof(ret->body), "%s", text + head_n);
    }
}

static inline void answer(struct receiver *r, int fd, int what)
{
    char text[256];

    if (what == RESET) {
        struct linger hard = { .l_onoff = 1 };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        return;
    }
    if (what == STALL) { /* until the other side has had enough */
        (void)!recv(fd, text, sizeof(text), 0);
        return;
    }
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:%d/moved\r\n"
                     "Content-Length: 2\r\nConnection: close\r\n\r\nok",
                     what, r->port);
    (void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

static inline void *receive(void *arg)
{
    struct receiver *r = arg;

    for (;;) {
        int fd = accept(r->fd, NULL, NULL);
        struct post post = { .head = "" };
        if (fd < 0)
            return NULL;
        bool whole = read_post(fd, &post);
        int what = 0;
        {
            zt_locked(&r->mutex);
            if (r->quit) {
                close(fd);
                return NULL;
            }
            if (whole && r->n < POSTS_MAX) {
                what = r->script[r->n < r->script_n ? r->n : r->script_n - 1];
                r->post[r->n++] = post;
                pthread_cond_broadcast(&r->changed);
            }
        }
        if (what != 0)
            answer(r, fd, what);
        close(fd);
    }
}

static inline void receiver_start(struct receiver *r, const int *script, int script_n)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t n = sizeof(address);

    *r = (struct receiver){ .script = script, .script_n = script_n };
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK("listens", bind(r->fd, (struct sockaddr *)&address, n) == 0 && listen(r->fd, 16) == 0 &&
                         getsockname(r->fd, (struct sockaddr *)&address, &n) == 0);
    r->port = ntohs(address.sin_port);
    CHECK_INT("starts", pthread_create(&r->thread, NULL, receive, r), 0);
}

static inline void receiver_stop(struct receiver *r)
{
    {
        zt_locked(&r->mutex);
        r->quit = true;
    }
    shutdown(r->fd, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->fd);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
}

/* Waits until n posts came, or patience is over; how many there are. */
static inline int receiver_wait(struct receiver *r, int n)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    zt_locked(&r->mutex);
    while (r->n < n && pthread_cond_timedwait(&r->changed, &r->mutex, &end) == 0) {
    }
    return r->n;
}

/* ---- a finished task with a callback ------------------------------------------------------- */

struct world {
    char folder[64], path[96], url[64];
    struct zt_store *store;
    char webhook[ZT_SECRET_TEXT];
    struct zt_config config;
    struct zt_guard *guard;
    struct zt_deliver *deliver;
    const struct zt_clock *clock; /* NULL: the system's; set before world_deliver */
};

static inline void world_open(struct world *w, int port, int64_t timeout_us)
{
    struct zt_secret secret;
    struct zt_err err = { 0 };

    *w = (struct world){ .folder = "/tmp/zt-deliver-XXXXXX" };
    CHECK("folder", mkdtemp(w->folder) != NULL);
    zt_assert(zt_format(w->path, sizeof(w->path), "%s/store.db", w->folder));
    zt_assert(zt_format(w->url, sizeof(w->url), "http://127.0.0.1:%d/callback", port));
    const struct zt_store_options options = { .path = w->path };
    CHECK_INT("store", zt_store_open(&options, &w->store, &err), ZT_OK);
    CHECK_INT("key", zt_secret_add_key(w->store, "k", &secret, w->webhook, &err), ZT_OK);
    w->config = (struct zt_config){
        .ca_file = "",
        .allow_net = "",
        .callback_workers = 2,
        .callback_host_limit = 2,
        .callback_lease_us = 60 * ZT_SECOND_US,
        .callback_timeout_us = timeout_us,
        .callback_retries = { 4, { 30000, 30000, 30000, 30000 } },
    };
    w->guard = zt_guard_new();
    CHECK_INT("guard", zt_guard_allow(w->guard, "127.0.0.1", &err), ZT_OK);
}

/* Through the store's own doors: added, claimed, started, finished. */
static inline void world_finish(struct world *w, const char *id, const char *url)
{
    struct zt_arena arena = { 0 };
    struct zt_err err = { 0 };
    struct zt_task *claimed = NULL;
    struct zt_key *key = NULL;
    const struct zt_result result = { .result = "{\"video\":\"media/x.mp4\"}",
                                      .file_token = id,
                                      .files_expire_us = INT64_MAX / 2 };
    const struct zt_lease lease = { id, "w", 1 };
    bool callback = false;

    CHECK_INT("key", zt_store_key_by_name(w->store, &arena, "k", &key, &err), ZT_OK);
    const struct zt_task task = { .id = id,
                                  .key_id = key ? key->id : 0,
                                  .model = "bytedance/v1-lite-image-to-video",
                                  .param = "{}",
                                  .input = "{}",
                                  .callback_url = url };
    CHECK_INT("add", zt_store_task_add(w->store, &task, &err), ZT_OK);
    CHECK_INT("claim", zt_store_claim(w->store, &arena, "w", ZT_MINUTE_US, &claimed, &err), ZT_OK);
    CHECK_INT("start", zt_store_start(w->store, &lease, "motion", &err), ZT_OK);
    CHECK_INT("succeed", zt_store_succeed(w->store, &lease, &result, &callback, &err), ZT_OK);
    CHECK("due", callback);
    zt_arena_clear(&arena);
}

static inline void world_finish_task(struct world *w)
{
    world_finish(w, TASK, w->url);
}

static inline void world_deliver(struct world *w)
{
    const struct zt_deliver_options options = { .config = &w->config,
                                                .store = { .path = w->path, .clock = w->clock },
                                                .guard = w->guard,
                                                .public_url = "http://127.0.0.1:1" };
    CHECK_INT("starts", zt_deliver_start(&options, &w->deliver, NULL), ZT_OK);
    zt_deliver_wake(w->deliver);
}

/* Waits until the store says that nothing more will be sent. */
static inline bool world_settled(struct world *w)
{
    struct zt_stop *stop = zt_stop_new();
    int64_t next_us = 0;

    for (int i = 0; i < PATIENCE_S * 100 && next_us != INT64_MAX; i++) {
        CHECK_INT("next", zt_store_delivery_next_us(w->store, &next_us, NULL), ZT_OK);
        if (next_us != INT64_MAX)
            zt_stop_wait(stop, 10 * ZT_MS_US);
    }
    zt_stop_free(stop);
    return next_us == INT64_MAX;
}

static inline void world_close(struct world *w)
{
    zt_deliver_stop(w->deliver, ZT_SECOND_US);
    zt_store_close(w->store);
    zt_guard_free(w->guard);
    zt_remove_tree(w->folder, NULL);
}

#endif
