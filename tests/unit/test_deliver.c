/*
 * Delivering callbacks to a receiver inside this test that refuses, hangs up, redirects and stalls
 * before it accepts. Every wait is a condition with a limit; retries are milliseconds apart.
 */
#include "service/deliver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
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
#include "service/secret.h"
#include "service/sign.h"

#define POSTS_MAX  16
#define PATIENCE_S 30
#define TASK       "task_bytedance_1700000000000aaaaaaaaaaaaaaaa"

/* ---- what follows from a try --------------------------------------------------------------- */

static void judges_answers(void)
{
    static const struct zt_durations waits = { 2, { 10 * ZT_SECOND_US, 100 * ZT_SECOND_US } };
    static const struct {
        const char *label;
        int attempt;
        enum zt_code rc;
        int status;
        int64_t retry_after_us;
        enum zt_delivery_outcome outcome;
        int64_t least_us, most_us;
    } rows[] = {
        { "200", 1, ZT_OK, 200, -1, ZT_DELIVERY_DONE, 0, 0 },
        { "204", 9, ZT_OK, 204, -1, ZT_DELIVERY_DONE, 0, 0 },
        { "500", 1, ZT_OK, 500, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "500 again", 2, ZT_OK, 500, -1, ZT_DELIVERY_RETRY, 80, 120 },
        { "500 once more", 3, ZT_OK, 500, -1, ZT_DELIVERY_GIVEN_UP, 0, 0 },
        { "302", 1, ZT_OK, 302, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "404", 1, ZT_OK, 404, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "410", 1, ZT_OK, 410, -1, ZT_DELIVERY_GIVEN_UP, 0, 0 },
        { "429, later", 1, ZT_OK, 429, 60 * ZT_SECOND_US, ZT_DELIVERY_RETRY, 60, 60 },
        { "429, sooner", 1, ZT_OK, 429, ZT_SECOND_US, ZT_DELIVERY_RETRY, 8, 12 },
        { "429, next year", 1, ZT_OK, 429, 365 * ZT_DAY_US, ZT_DELIVERY_RETRY, 86400, 86400 },
        { "no answer", 1, ZT_E_NET, 0, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "no time", 3, ZT_E_TIMEOUT, 0, -1, ZT_DELIVERY_GIVEN_UP, 0, 0 },
        { "refused address", 1, ZT_E_DENIED, 0, -1, ZT_DELIVERY_RETRY, 8, 12 },
        { "stale status", 1, ZT_E_NET, 200, -1, ZT_DELIVERY_RETRY, 8, 12 },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const struct zt_delivery_try got =
            zt_deliver_judge(&waits, rows[i].attempt, rows[i].rc, rows[i].status,
                             rows[i].retry_after_us, 1000 * ZT_SECOND_US);
        CHECK_INT(rows[i].label, got.outcome, rows[i].outcome);
        if (rows[i].outcome != ZT_DELIVERY_RETRY)
            continue;
        int64_t wait_us = got.next_us - 1000 * ZT_SECOND_US;
        CHECK(rows[i].label, wait_us >= rows[i].least_us * ZT_SECOND_US &&
                                 wait_us <= rows[i].most_us * ZT_SECOND_US);
    }
}

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
static bool read_post(int fd, struct post *ret)
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

static void answer(struct receiver *r, int fd, int what)
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

static void *receive(void *arg)
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

static void receiver_start(struct receiver *r, const int *script, int script_n)
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

static void receiver_stop(struct receiver *r)
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
static int receiver_wait(struct receiver *r, int n)
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
};

static void world_open(struct world *w, int port, int64_t timeout_us)
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
static void world_finish_task(struct world *w)
{
    struct zt_arena arena = { 0 };
    struct zt_err err = { 0 };
    struct zt_task *claimed = NULL;
    struct zt_key *key = NULL;
    const struct zt_result result = { .result = "{\"video\":\"media/x.mp4\"}",
                                      .file_token = "0123456789abcdef",
                                      .files_expire_us = INT64_MAX / 2 };
    const struct zt_lease lease = { TASK, "w", 1 };
    bool callback = false;

    CHECK_INT("key", zt_store_key_by_name(w->store, &arena, "k", &key, &err), ZT_OK);
    const struct zt_task task = { .id = TASK,
                                  .key_id = key ? key->id : 0,
                                  .model = "bytedance/v1-lite-image-to-video",
                                  .param = "{}",
                                  .input = "{}",
                                  .callback_url = w->url };
    CHECK_INT("add", zt_store_task_add(w->store, &task, &err), ZT_OK);
    CHECK_INT("claim", zt_store_claim(w->store, &arena, "w", ZT_MINUTE_US, &claimed, &err), ZT_OK);
    CHECK_INT("start", zt_store_start(w->store, &lease, "motion", &err), ZT_OK);
    CHECK_INT("succeed", zt_store_succeed(w->store, &lease, &result, &callback, &err), ZT_OK);
    CHECK("due", callback);
    zt_arena_clear(&arena);
}

static void world_deliver(struct world *w)
{
    const struct zt_deliver_options options = { .config = &w->config,
                                                .store = { .path = w->path },
                                                .guard = w->guard,
                                                .public_url = "http://127.0.0.1:1" };
    CHECK_INT("starts", zt_deliver_start(&options, &w->deliver, NULL), ZT_OK);
    zt_deliver_wake(w->deliver);
}

/* Waits until the store says that nothing more will be sent. */
static bool world_settled(struct world *w)
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

static void world_close(struct world *w)
{
    zt_deliver_stop(w->deliver, ZT_SECOND_US);
    zt_store_close(w->store);
    zt_guard_free(w->guard);
    zt_remove_tree(w->folder, NULL);
}

/* The value of a header, in a static buffer; "" when it is absent. */
static const char *header(const struct post *post, const char *name)
{
    static char value[256];
    char line[128];

    value[0] = '\0';
    zt_assert(zt_format(line, sizeof(line), "\r\n%s: ", name));
    const char *p = strstr(post->head, line);
    if (p != NULL)
        zt_assert(zt_format(value, sizeof(value), "%.*s", (int)strcspn(p + strlen(line), "\r"),
                            p + strlen(line)));
    return value;
}

static void check_signatures(const struct world *w, const struct post *post)
{
    char want[ZT_SIGN_TEXT], id[128];
    int64_t timestamp = 0;

    CHECK("time", zt_parse_int(header(post, "X-Webhook-Timestamp"), 1, INT64_MAX, &timestamp));
    CHECK("now", llabs(timestamp - zt_now_utc_us() / ZT_SECOND_US) < 60);
    zt_sign_task(w->webhook, TASK, timestamp, want);
    CHECK_STR("over the task", header(post, "X-Webhook-Signature"), want);
    zt_assert(zt_format(id, sizeof(id), "%s", header(post, "webhook-id")));
    CHECK("id", zt_starts_with(id, "msg_"));
    CHECK("time", zt_parse_int(header(post, "webhook-timestamp"), 1, INT64_MAX, &timestamp));
    CHECK_INT(
        "signs",
        zt_sign_message(w->webhook, id, timestamp, post->body, strlen(post->body), want, NULL),
        ZT_OK);
    CHECK_STR("over the body", header(post, "webhook-signature"), want);
}

static void tries_until_it_is_taken(void)
{
    static const int script[] = { 500, 302, RESET, STALL, 200 };
    struct receiver r;
    struct world w;
    char id[256];

    receiver_start(&r, script, ZT_COUNT(script));
    world_open(&w, r.port, ZT_SECOND_US);
    world_finish_task(&w);
    world_deliver(&w);
    CHECK_INT("posts", receiver_wait(&r, 5), 5);
    CHECK("settled", world_settled(&w));
    zt_deliver_stop(w.deliver, ZT_SECOND_US);
    w.deliver = NULL;
    CHECK_INT("and no more", r.n, 5);
    zt_assert(zt_format(id, sizeof(id), "%s", header(&r.post[0], "webhook-id")));
    for (int i = 0; i < r.n; i++) {
        CHECK_STR("same body", r.post[i].body, r.post[0].body);
        CHECK_STR("same id", header(&r.post[i], "webhook-id"), id);
        CHECK_STR("type", header(&r.post[i], "Content-Type"), "application/json");
        CHECK_INT("never elsewhere", strncmp(r.post[i].head, "POST /callback ", 15), 0);
        check_signatures(&w, &r.post[i]);
    }
    CHECK_HAS("names the task", r.post[0].body, TASK);
    world_close(&w);
    receiver_stop(&r);
}

static void gives_up(void)
{
    static const int gone[] = { 410 };
    static const int broken[] = { 500 };
    static const struct {
        const char *label;
        const int *script;
        int posts;
    } rows[] = { { "at 410", gone, 1 }, { "after the last wait", broken, 5 } };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct receiver r;
        struct world w;
        receiver_start(&r, rows[i].script, 1);
        world_open(&w, r.port, ZT_SECOND_US);
        world_finish_task(&w);
        world_deliver(&w);
        CHECK(rows[i].label, world_settled(&w));
        world_close(&w);
        CHECK_INT(rows[i].label, r.n, rows[i].posts);
        receiver_stop(&r);
    }
}

/* A stop cuts off a receiver that stalls; the callback is left, due at once, for the next start. */
static void leaves_the_rest_for_later(void)
{
    static const int script[] = { STALL, 200 };
    struct receiver r;
    struct world w;

    receiver_start(&r, script, ZT_COUNT(script));
    world_open(&w, r.port, 60 * ZT_SECOND_US);
    world_finish_task(&w);
    world_deliver(&w);
    CHECK_INT("stalls", receiver_wait(&r, 1), 1);
    int64_t began_us = zt_now_mono_us();
    zt_deliver_stop(w.deliver, 100 * ZT_MS_US);
    CHECK_BELOW("stops soon", zt_now_mono_us() - began_us, 5 * ZT_SECOND_US);
    world_deliver(&w);
    CHECK_INT("again", receiver_wait(&r, 2), 2);
    CHECK("settled", world_settled(&w));
    world_close(&w);
    receiver_stop(&r);
}

static void asks_the_guard(void)
{
    static const int script[] = { 200 };
    struct receiver r;
    struct world w;

    receiver_start(&r, script, ZT_COUNT(script));
    world_open(&w, r.port, ZT_SECOND_US);
    zt_guard_free(w.guard);
    w.guard = zt_guard_new(); /* allows public addresses alone */
    world_finish_task(&w);
    world_deliver(&w);
    CHECK("settled", world_settled(&w));
    world_close(&w);
    CHECK_INT("nothing was sent", r.n, 0);
    receiver_stop(&r);
}

int main(void)
{
    RUN(judges_answers);
    RUN(tries_until_it_is_taken);
    RUN(gives_up);
    RUN(leaves_the_rest_for_later);
    RUN(asks_the_guard);
    return check_done();
}
