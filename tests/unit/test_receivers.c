/*
 * Receivers that mean no good, or are slow, against the threads that deliver: each costs bounded
 * time and memory and is recorded in words; and the whole schedule of tries, on a clock of the
 * test's own.
 */
#include "deliver_world.h"
#include "store/queue.h"

/* ---- hostile ones -------------------------------------------------------------------------- */

enum behaviour {
    ENDLESS_BODY,
    SLOW_BODY, /* a byte at a time, for ever */
    SLOW_HEAD,
    HUGE_HEADERS,
    LONG_HEADER,
    NOT_UTF8,
    RESETS,
    CLOSES,
    NO_HTTP,
    NO_TLS,
    SHORT_BODY,
    ELSEWHERE,
    NOWHERE,
    LATER_SECONDS,
    LATER_DATE,
    LATER_NEXT_YEAR,
};

struct hostile {
    int fd, port;
    _Atomic int behaviour;
    pthread_t thread;
};

static bool put(int fd, const char *bytes, size_t n)
{
    return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool put_text(int fd, const char *text)
{
    return put(fd, text, strlen(text));
}

/* Until the other side has had enough. */
static void put_for_ever(int fd, const char *text, int pause_ms)
{
    struct zt_stop *never = zt_stop_new();

    while (put_text(fd, text))
        if (pause_ms > 0)
            zt_stop_wait(never, pause_ms * ZT_MS_US);
    zt_stop_free(never);
}

static void put_date(int fd)
{
    char text[160], date[64];
    time_t when = time(NULL) + 7200;
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    zt_format(text, sizeof(text), "HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
              date);
    put_text(fd, text);
}

static void behave(int fd, enum behaviour how)
{
    static const struct linger hard = { .l_onoff = 1 };
    static char pad[60000];

    switch (how) {
    case ENDLESS_BODY:
        put_text(fd, "HTTP/1.1 500 X\r\n\r\n");
        put_for_ever(fd, "and on and on and on and on and on and on and on and on and on ", 0);
        break;
    case SLOW_BODY:
        put_text(fd, "HTTP/1.1 200 X\r\n\r\n");
        put_for_ever(fd, "z", 50);
        break;
    case SLOW_HEAD:
        put_text(fd, "HTTP/1.1 200 X\r\nA: ");
        put_for_ever(fd, "z", 50);
        break;
    case HUGE_HEADERS:
        put_text(fd, "HTTP/1.1 200 X\r\n");
        put_for_ever(fd, "X-Pad: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 0);
        break;
    case LONG_HEADER:
        memset(pad, 'y', sizeof(pad));
        put_text(fd, "HTTP/1.1 200 X\r\nA: ");
        put(fd, pad, sizeof(pad));
        put(fd, pad, sizeof(pad));
        put_text(fd, "\r\n\r\n");
        break;
    case NOT_UTF8:
        put(fd, "HTTP/1.1 404 \xFF\xFE\r\nContent-Length: 9\r\n\r\n\xC3(\0\xE2\x82\x1b[2J", 47);
        break;
    case RESETS:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        break;
    case CLOSES:
        break;
    case NO_HTTP:
    case NO_TLS:
        put_text(fd, "220 mail.example.org ESMTP\r\n");
        break;
    case SHORT_BODY:
        put_text(fd, "HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\nhalf");
        break;
    case ELSEWHERE:
        put_text(fd, "HTTP/1.1 302 X\r\nLocation: https://elsewhere.example.org/x?secret=1\r\n"
                     "Content-Length: 0\r\n\r\n");
        break;
    case NOWHERE:
        put_text(fd, "HTTP/1.1 301 X\r\nLocation: gopher://\xFF/\r\nContent-Length: 0\r\n\r\n");
        break;
    case LATER_SECONDS:
        put_text(fd, "HTTP/1.1 429 X\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n");
        break;
    case LATER_DATE:
        put_date(fd);
        break;
    case LATER_NEXT_YEAR:
        put_text(fd, "HTTP/1.1 503 X\r\nRetry-After: 31536000\r\nContent-Length: 0\r\n\r\n");
        break;
    }
}

static void *misbehave(void *arg)
{
    struct hostile *h = arg;
    int fd;

    while ((fd = accept(h->fd, NULL, NULL)) >= 0) {
        struct post post;
        bool greeted = h->behaviour == NO_TLS && recv(fd, post.head, sizeof(post.head), 0) > 0;
        if (greeted || read_post(fd, &post))
            behave(fd, (enum behaviour)h->behaviour);
        close(fd);
    }
    return NULL;
}

static int listen_here(int backlog, int *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t n = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK("listens", bind(fd, (struct sockaddr *)&address, n) == 0 && listen(fd, backlog) == 0 &&
                         getsockname(fd, (struct sockaddr *)&address, &n) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static struct zt_delivery_log *log_of(struct world *w, struct zt_arena *arena, const char *id)
{
    struct zt_delivery_log *log = NULL;

    CHECK_INT(id, zt_store_delivery_of_task(w->store, arena, id, &log, NULL), ZT_OK);
    return log;
}

/* The log of a task's callback once it has n tries, all of them settled. */
static struct zt_delivery_log *wait_tries(struct world *w, struct zt_arena *arena, const char *id,
                                          int n)
{
    struct zt_stop *never = zt_stop_new();
    struct zt_delivery_log *log = log_of(w, arena, id);

    for (int i = 0; i < PATIENCE_S * 100 && log != NULL && (log->n < n || log->sending); i++) {
        zt_stop_wait(never, 10 * ZT_MS_US);
        zt_arena_reset(arena);
        log = log_of(w, arena, id);
    }
    zt_stop_free(never);
    CHECK_INT("tries", log ? log->n : -1, n);
    return log;
}

#define HOUR_S INT64_C(3600)

static const struct {
    const char *label;
    enum behaviour how;
    const char *scheme;
    enum zt_delivery_outcome outcome;
    int status;
    const char *note, *answer; /* which both contain */
    int64_t least_s, most_s;   /* until the next try */
} rows[] = {
    { "endless body", ENDLESS_BODY, "http", ZT_DELIVERY_RETRY, 500, "says 500", "and on and on",
      48 * 60, 72 * 60 },
    { "slow body", SLOW_BODY, "http", ZT_DELIVERY_DONE, 200, "no end or broke off", "zz", 0, 0 },
    { "slow head", SLOW_HEAD, "http", ZT_DELIVERY_RETRY, 0, "did not answer in full within 1 s", "",
      48 * 60, 72 * 60 },
    { "huge headers", HUGE_HEADERS, "http", ZT_DELIVERY_RETRY, 0, "bytes of headers", "", 48 * 60,
      72 * 60 },
    { "long header", LONG_HEADER, "http", ZT_DELIVERY_RETRY, 0, "header", "", 48 * 60, 72 * 60 },
    { "not UTF-8", NOT_UTF8, "http", ZT_DELIVERY_RETRY, 404, "says 404", "?(???\x1b[2J", 48 * 60,
      72 * 60 },
    { "reset", RESETS, "http", ZT_DELIVERY_RETRY, 0, "the connection broke", "", 48 * 60, 72 * 60 },
    { "closed", CLOSES, "http", ZT_DELIVERY_RETRY, 0, "without an answer", "", 48 * 60, 72 * 60 },
    { "not HTTP", NO_HTTP, "http", ZT_DELIVERY_RETRY, 0, "is not HTTP", "", 48 * 60, 72 * 60 },
    { "no TLS", NO_TLS, "https", ZT_DELIVERY_RETRY, 0, "TLS handshake", "", 48 * 60, 72 * 60 },
    { "cut short", SHORT_BODY, "http", ZT_DELIVERY_DONE, 200, "no end or broke off", "half", 0, 0 },
    { "redirect", ELSEWHERE, "http", ZT_DELIVERY_RETRY, 302,
      "not followed (302 to elsewhere.example.org)", "", 48 * 60, 72 * 60 },
    { "redirect to nowhere", NOWHERE, "http", ZT_DELIVERY_RETRY, 301, "not followed (301)", "",
      48 * 60, 72 * 60 },
    { "in two hours", LATER_SECONDS, "http", ZT_DELIVERY_RETRY, 429,
      "says 429, and to try again in 7200 s", "", 2 * HOUR_S - 60, 2 * HOUR_S },
    { "at a time", LATER_DATE, "http", ZT_DELIVERY_RETRY, 503, "to try again in 7", "",
      2 * HOUR_S - 60, 2 * HOUR_S },
    { "next year", LATER_NEXT_YEAR, "http", ZT_DELIVERY_RETRY, 503, "in 31536000 s", "",
      24 * HOUR_S - 60, 24 * HOUR_S },
};

static void records_hostile_receivers(void)
{
    struct hostile h = { 0 };
    struct zt_arena arena = { 0 };
    struct world w;

    h.fd = listen_here(16, &h.port);
    CHECK_INT("starts", pthread_create(&h.thread, NULL, misbehave, &h), 0);
    world_open(&w, h.port, ZT_SECOND_US);
    w.config.callback_retries = (struct zt_durations){ 1, { ZT_HOUR_US } };
    world_deliver(&w);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const char *label = rows[i].label;
        char id[32], url[64];
        h.behaviour = (int)rows[i].how;
        zt_format(id, sizeof(id), "task%zu", i);
        zt_format(url, sizeof(url), "%s://127.0.0.1:%d/%zu", rows[i].scheme, h.port, i);
        world_finish(&w, id, url);
        zt_deliver_wake(w.deliver);
        const struct zt_delivery_log *log = wait_tries(&w, &arena, id, 1);
        if (log == NULL || log->n != 1)
            continue;
        const struct zt_delivery_try *got = &log->tries[0].result;
        CHECK_INT(label, got->outcome, rows[i].outcome);
        CHECK_INT(label, got->status, rows[i].status);
        CHECK_HAS(label, got->note, rows[i].note);
        CHECK_HAS(label, got->answer, rows[i].answer);
        CHECK_INT(label, got->family, 4);
        CHECK(label, got->answer_n <= ZT_EXCERPT_MAX);
        CHECK(label, zt_utf8_valid(got->answer, got->answer_n));
        CHECK_BELOW(label, got->took_us, 20 * ZT_SECOND_US);
        int64_t wait_us = log->due_us - log->tries[0].at_us;
        CHECK(label, rows[i].most_s == 0 || (wait_us >= rows[i].least_s * ZT_SECOND_US &&
                                             wait_us <= rows[i].most_s * ZT_SECOND_US));
        zt_arena_reset(&arena);
    }
    world_close(&w);
    shutdown(h.fd, SHUT_RDWR);
    pthread_join(h.thread, NULL);
    close(h.fd);
    zt_arena_clear(&arena);
}

/* ---- the whole schedule -------------------------------------------------------------------- */

static _Atomic int64_t the_time;

static int64_t tell_time(void *user)
{
    (void)user;
    return the_time;
}

/* Ten tries over 75 hours, each wait moved by at most 20 %; then it is over. */
static void keeps_to_the_schedule(void)
{
    static const struct zt_clock clock = { .utc_us = tell_time };
    static const int broken[] = { 500 };
    static const struct zt_durations waits = {
        9,
        { 5 * ZT_SECOND_US, 5 * ZT_MINUTE_US, 30 * ZT_MINUTE_US, 2 * ZT_HOUR_US, 5 * ZT_HOUR_US,
          10 * ZT_HOUR_US, 14 * ZT_HOUR_US, 20 * ZT_HOUR_US, 24 * ZT_HOUR_US },
    };
    struct zt_arena arena = { 0 };
    struct receiver r;
    struct world w;
    int64_t began_us = 0;

    the_time = zt_now_utc_us();
    receiver_start(&r, broken, 1);
    world_open(&w, r.port, ZT_MINUTE_US);
    w.config.callback_retries = waits;
    w.config.callback_break_after = 5;
    w.config.callback_break_us = 30 * ZT_SECOND_US;
    w.clock = &clock;
    world_finish_task(&w);
    the_time += ZT_SECOND_US;
    began_us = the_time;
    world_deliver(&w);
    for (int i = 1; i <= 10; i++) {
        const struct zt_delivery_log *log = wait_tries(&w, &arena, TASK, i);
        if (log == NULL || log->n != i)
            break;
        CHECK_INT("time", log->tries[i - 1].at_us, the_time);
        CHECK_INT("state", log->state, i < 10 ? ZT_DELIVERY_RETRY : ZT_DELIVERY_GIVEN_UP);
        if (i == 10)
            break;
        int64_t wait_us = log->due_us - the_time;
        CHECK("not sooner", wait_us >= waits.us[i - 1] / 100 * 80);
        CHECK("not later", wait_us <= waits.us[i - 1] / 100 * 120);
        /* The fifth failure in a row leaves the host alone for less than the next wait. */
        CHECK_INT("breaker", log->breaker, i < 5 ? ZT_BREAKER_CLOSED : ZT_BREAKER_OPEN);
        the_time = log->due_us - 1;
        zt_deliver_wake(w.deliver);
        the_time = log->due_us;
        zt_deliver_wake(w.deliver);
        zt_arena_reset(&arena);
    }
    double hours = (double)(the_time - began_us) / (double)ZT_HOUR_US;
    CHECK("over 75 hours, more or less", hours > 75.5 * 0.8 && hours < 75.6 * 1.2);
    the_time += 30 * ZT_DAY_US;
    zt_deliver_wake(w.deliver);
    CHECK("nothing more is owed", world_settled(&w));
    world_close(&w);
    CHECK_INT("ten", r.n, 10);
    receiver_stop(&r);
    zt_arena_clear(&arena);
}

/* Both ends of the jitter are reached, and neither is passed. */
static void moves_each_wait(void)
{
    static const struct zt_durations waits = { 1, { 1000000 } };
    int64_t least = INT64_MAX;
    int64_t most = 0;

    for (int i = 0; i < 20000; i++) {
        int64_t next = zt_deliver_judge(&waits, 1, ZT_E_NET, 0, -1, 0).next_us;
        least = next < least ? next : least;
        most = next > most ? next : most;
    }
    CHECK("below", least >= 800000 && least < 801000);
    CHECK("above", most <= 1200000 && most > 1199000);
}

/* ---- a tarpit ------------------------------------------------------------------------------ */

#define STUCK  1000
#define ROUNDS 11

/* Tasks that ended at once, in one transaction: what they owe is for a host that never answers. */
static void finish_many(struct world *w, int port)
{
    struct zt_err err = { 0 };
    char id[32], url[64];
    bool callback;

    zt_format(url, sizeof(url), "http://127.0.0.1:%d/tarpit", port);
    CHECK_INT("begin", zt_store_begin(w->store, &err), ZT_OK);
    for (int i = 0; i < STUCK; i++) {
        zt_format(id, sizeof(id), "stuck%d", i);
        const struct zt_task task = {
            .id = id, .key_id = 1, .model = "m", .param = "{}", .input = "{}", .callback_url = url
        };
        zt_store_task_add(w->store, &task, &err);
        zt_store_task_cancel(w->store, id, 0, "x", &callback, &err);
    }
    CHECK_INT("commit", zt_store_commit(w->store, &err), ZT_OK);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/*
 * A thousand callbacks for a host that takes connections and never answers, with the breaker off:
 * two are under way, and what is owed to another host comes within a second. The middle of several
 * is judged: a busy machine may hold one up.
 */
static void a_tarpit_delays_nobody(void)
{
    static const int fine[] = { 200 };
    struct zt_arena arena = { 0 };
    struct zt_delivery_log **logs = NULL;
    struct zt_delivery_stats stats = { 0 };
    int64_t late_us[ROUNDS];
    struct receiver r;
    struct world w;
    int port, n = 0, sending = 0;

    int tarpit = listen_here(STUCK, &port); /* the kernel accepts for it */
    receiver_start(&r, fine, 1);
    world_open(&w, r.port, 10 * ZT_MINUTE_US);
    w.config.callback_workers = 4;
    finish_many(&w, port);
    world_deliver(&w);
    for (int i = 0; i < ROUNDS; i++) {
        char id[32];
        zt_format(id, sizeof(id), "fine%d", i);
        world_finish(&w, id, w.url);
        int64_t due_us = zt_now_mono_us();
        zt_deliver_wake(w.deliver);
        CHECK_INT("comes", receiver_wait(&r, i + 1), i + 1);
        late_us[i] = zt_now_mono_us() - due_us;
    }
    qsort(late_us, ROUNDS, sizeof(late_us[0]), compare);
    CHECK_BELOW("within a second", late_us[ROUNDS / 2], ZT_SECOND_US);
    CHECK_INT("list",
              zt_store_delivery_list(w.store, &arena, 0, ZT_DELIVERY_RETRY, 0, 2 * STUCK, &logs, &n,
                                     NULL),
              ZT_OK);
    CHECK("all still wait", n >= STUCK);
    for (int i = 0; i < n; i++)
        sending += logs[i]->sending && strncmp(logs[i]->delivery.task_id, "stuck", 5) == 0;
    CHECK_INT("two are under way", sending, 2);
    CHECK_INT("stats", zt_store_delivery_stats(w.store, &stats, NULL), ZT_OK);
    CHECK_INT("no try of theirs is over", stats.tries[ZT_DELIVERY_RETRY], 0);
    zt_deliver_stop(w.deliver, 0);
    w.deliver = NULL;
    world_close(&w);
    receiver_stop(&r);
    close(tarpit);
    zt_arena_clear(&arena);
}

int main(void)
{
    RUN(records_hostile_receivers);
    RUN(keeps_to_the_schedule);
    RUN(moves_each_wait);
    RUN(a_tarpit_delays_nobody);
    return check_done();
}
