/*
 * Answers that are written piece by piece: whole under load, bounded for a slow reader, over at
 * once for one that left, and ended by a stop of the server.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "check.h"
#include "http/server.h"
#include "http/stream.h"

#define WAIT_MS    20000
#define BUFFER_MAX ((size_t)64 << 10)
#define LARGE_MAX  ((size_t)4 << 20)
#define GET(path)  "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* ---- the server under test ----------------------------------------------------------------- */

/* What handlers were given, and what became of it. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t more;
    struct zt_http_req *reqs[16];
    int n;
    struct zt_http_req *gone[16];
    enum zt_http_gone why[16];
    int gone_n;
    enum zt_code refused; /* the last refusal to hold */
} seen = { .mutex = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void forget(void)
{
    zt_locked(&seen.mutex);
    seen.n = seen.gone_n = 0;
    seen.refused = ZT_OK;
}

static void on_gone(struct zt_http_req *req, enum zt_http_gone why, void *user)
{
    zt_assert(user == &seen);
    zt_locked(&seen.mutex);
    seen.gone[seen.gone_n] = req;
    seen.why[seen.gone_n++] = why;
    pthread_cond_broadcast(&seen.more);
}

static void hold(struct zt_http_req *req, void *user)
{
    struct zt_err err = { 0 };

    (void)user;
    enum zt_code rc = zt_http_hold(req, on_gone, &seen, &err);
    if (rc == ZT_OK && strcmp(zt_http_path(req), "/stream") == 0)
        zt_http_stream_begin(req, 200, "text/plain", BUFFER_MAX);
    {
        zt_locked(&seen.mutex);
        seen.refused = rc;
        if (rc == ZT_OK)
            seen.reqs[seen.n++] = req;
        pthread_cond_broadcast(&seen.more);
    }
    if (rc != ZT_OK)
        zt_http_reply(req, 503, "text/plain", err.msg, strlen(err.msg));
}

static void plain(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_http_reply(req, 200, "text/plain", "plain", 5);
}

static void refuse(struct zt_http_req *req, int status, const char *text, void *user)
{
    (void)user;
    zt_http_reply(req, status, "text/plain", text, strlen(text));
}

/* clang-format off */
static const struct zt_route routes[] = {
    { "GET", "/stream", 0, true,  hold,  NULL },
    { "GET", "/hold",   0, true,  hold,  NULL },
    { "GET", "/plain",  0, false, plain, NULL },
};
/* clang-format on */

static struct zt_http *start(int max_connections)
{
    const struct zt_http_options options = {
        .listen = "127.0.0.1:0",
        .threads = 2,
        .max_connections = max_connections,
        .routes = routes,
        .routes_n = (int)ZT_COUNT(routes),
        .refuse = refuse,
    };
    struct zt_http *http = NULL;
    struct zt_err err = { 0 };

    forget();
    if (zt_http_start(&options, &http, &err) != ZT_OK) {
        printf("cannot start the server: %s (%s)\n", err.msg, err.detail);
        exit(1);
    }
    return http;
}

/* The n-th request that a handler took, once it is there. */
static struct zt_http_req *taken(int n)
{
    zt_locked(&seen.mutex);
    while (seen.n < n)
        pthread_cond_wait(&seen.more, &seen.mutex);
    return seen.reqs[n - 1];
}

/* Waits for the n-th that is gone; which it was, and why. */
static struct zt_http_req *gone(int n, enum zt_http_gone *ret_why)
{
    zt_locked(&seen.mutex);
    while (seen.gone_n < n)
        pthread_cond_wait(&seen.more, &seen.mutex);
    *ret_why = seen.why[n - 1];
    return seen.gone[n - 1];
}

/* ---- a client ------------------------------------------------------------------------------ */

static int dial(const struct zt_http *http, const char *request)
{
    const char *port = strrchr(zt_http_address(http), ':') + 1;
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        CHECK("connects", false);
    return fd;
}

/* Reads until the connection ends, or until `until` was read when it is not NULL. */
static bool read_all(int fd, struct zt_buf *buf, const char *until)
{
    char bytes[65536];

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (until != NULL && buf->n > 0 && strstr(buf->data, until) != NULL)
            return true;
        if (poll(&p, 1, WAIT_MS) != 1)
            return false;
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got <= 0)
            return got == 0 && until == NULL;
        zt_buf_add(buf, bytes, (size_t)got, NULL);
    }
}

/* Undoes the chunks of a whole answer. False: it is not complete. */
static bool dechunk(const struct zt_buf *answer, struct zt_buf *ret)
{
    const char *p = answer->n > 0 ? strstr(answer->data, "\r\n\r\n") : NULL;

    if (p == NULL)
        return false;
    for (p += 4;;) {
        char *end = NULL;
        size_t n = strtoul(p, &end, 16);
        if (end == p || strncmp(end, "\r\n", 2) != 0)
            return false;
        p = end + 2;
        if (n == 0)
            return strcmp(p, "\r\n") == 0;
        if (p + n + 2 > answer->data + answer->n)
            return false;
        zt_buf_add(ret, p, n, NULL);
        p += n + 2;
    }
}

static void *read_whole(void *arg)
{
    int *fd = arg;
    struct zt_buf *buf = zt_new(struct zt_buf);

    zt_buf_init(buf, LARGE_MAX);
    read_all(*fd, buf, "\r\n0\r\n\r\n");
    return buf;
}

/* ---- tests --------------------------------------------------------------------------------- */

#define WRITES 20000

/* Whoever is faster now and then, writer or reader: all comes, in order, once. */
static void sends_many_small_pieces(void)
{
    struct zt_http *http = start(0);
    zt_auto_fd int fd = dial(http, GET("/stream"));
    struct zt_http_req *req = taken(1);
    struct zt_buf want;
    struct zt_buf got;
    pthread_t reader;
    void *answer = NULL;
    int failed = 0;

    zt_buf_init(&want, LARGE_MAX);
    zt_buf_init(&got, LARGE_MAX);
    pthread_create(&reader, NULL, read_whole, &fd);
    for (int i = 0; i < WRITES; i++) {
        char piece[16];
        zt_format(piece, sizeof(piece), "%d,", i);
        zt_buf_add(&want, piece, strlen(piece), NULL);
        failed += !zt_http_stream_write(req, piece, strlen(piece));
        if (i % 500 == 0) /* the reader keeps up, and the connection is suspended again */
            usleep(1000);
    }
    zt_http_stream_end(req);
    pthread_join(reader, &answer);
    struct zt_buf *whole = answer;
    CHECK_INT("none refused", failed, 0);
    CHECK_HAS("status", whole->data, "HTTP/1.1 200 OK\r\n");
    CHECK_HAS("type", whole->data, "Content-Type: text/plain\r\n");
    CHECK("complete", dechunk(whole, &got));
    CHECK_INT("all of it", got.n, want.n);
    CHECK("the same", got.n == want.n && memcmp(got.data, want.data, got.n) == 0);
    send(fd, GET("/plain"), strlen(GET("/plain")), MSG_NOSIGNAL);
    zt_buf_clear(whole);
    CHECK("the connection goes on", read_all(fd, whole, "plain"));
    CHECK_INT("nobody left", seen.gone_n, 0);
    zt_buf_clear(whole);
    free(whole);
    zt_buf_clear(&want);
    zt_buf_clear(&got);
    zt_http_stop(http, ZT_SECOND_US);
}

static void a_piece_arrives_at_once(void)
{
    struct zt_http *http = start(0);
    zt_auto_fd int fd = dial(http, GET("/stream"));
    struct zt_http_req *req = taken(1);
    struct zt_buf got;

    zt_buf_init(&got, BUFFER_MAX);
    CHECK("head", read_all(fd, &got, "\r\n\r\n")); /* before anything was written */
    for (int i = 0; i < 50; i++) {
        char piece[16];
        zt_format(piece, sizeof(piece), "<%d>", i);
        CHECK(piece, zt_http_stream_write(req, piece, strlen(piece)));
        CHECK(piece, read_all(fd, &got, piece)); /* though nothing follows */
    }
    zt_http_stream_end(req);
    CHECK("ends", read_all(fd, &got, "\r\n0\r\n\r\n"));
    zt_buf_clear(&got);
    zt_http_stop(http, ZT_SECOND_US);
}

static void tells_when_a_client_left(void)
{
    static const struct {
        const char *label, *request;
        int how; /* 0: closes, 1: resets, 2: sends no more */
    } rows[] = { { "stream, closes", GET("/stream"), 0 },
                 { "stream, resets", GET("/stream"), 1 },
                 { "stream, half", GET("/stream"), 2 },
                 { "hold, closes", GET("/hold"), 0 },
                 { "hold, resets", GET("/hold"), 1 },
                 { "hold, half", GET("/hold"), 2 },
                 { "pipelined", GET("/hold") GET("/plain"), 0 },
                 { "head", "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n", 0 } };
    struct zt_http *http = start(0);
    enum zt_http_gone why = ZT_HTTP_STOPPING;

    for (int i = 0; i < (int)ZT_COUNT(rows); i++) {
        int fd = dial(http, rows[i].request);
        struct zt_http_req *req = taken(i + 1);
        const struct linger reset = { .l_onoff = 1 };
        if (rows[i].how == 1)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        if (rows[i].how == 2)
            shutdown(fd, SHUT_WR);
        else
            close(fd);
        CHECK(rows[i].label, gone(i + 1, &why) == req);
        CHECK_INT(rows[i].label, why, ZT_HTTP_CLIENT_LEFT);
        if (strstr(rows[i].request, "/stream") != NULL) {
            zt_http_stream_write(req, "x", 1); /* whatever it says, it does no harm */
            zt_http_stream_end(req);
        } else {
            zt_http_reply(req, 200, "text/plain", "late", 4);
        }
        if (rows[i].how == 2)
            close(fd);
    }
    zt_http_stop(http, ZT_SECOND_US);
    CHECK_INT("each told once", seen.gone_n, (int)ZT_COUNT(rows));
}

static void cuts_off_a_slow_reader(void)
{
    static char piece[8000];
    struct zt_http *http = start(0);
    zt_auto_fd int fd = dial(http, GET("/stream"));
    struct zt_http_req *req = taken(1);
    enum zt_http_gone why = ZT_HTTP_STOPPING;
    size_t written = 0;
    struct zt_buf got;

    memset(piece, 'x', sizeof(piece));
    while (written < ((size_t)1 << 30) && zt_http_stream_write(req, piece, sizeof(piece))) {
        written += sizeof(piece);
        usleep(200); /* so that it is the client that is too slow, not the server */
    }
    CHECK("sockets take some", written > BUFFER_MAX);
    CHECK("bounded", written < ((size_t)64 << 20)); /* what the sockets hold, and the buffer */
    CHECK("over", !zt_http_stream_write(req, "x", 1));
    gone(1, &why); /* the connection is ended, not kept until it times out */
    CHECK_INT("ended", why, ZT_HTTP_CLIENT_LEFT);
    zt_http_stream_end(req);
    zt_buf_init(&got, (size_t)64 << 20);
    read_all(fd, &got, NULL);
    CHECK("not as if it were complete", !zt_ends_with(got.data ? got.data : "", "\r\n0\r\n\r\n"));
    zt_buf_clear(&got);
    zt_http_stop(http, ZT_SECOND_US);
}

static void holds_half_of_the_connections(void)
{
    struct zt_http *http = start(6);
    int fds[4];
    struct zt_buf got;

    zt_buf_init(&got, BUFFER_MAX);
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(http, i == 0 ? GET("/hold") : GET("/stream"));
        taken(i + 1);
    }
    fds[3] = dial(http, GET("/stream"));
    CHECK("refused", read_all(fds[3], &got, "3 requests are being held open"));
    CHECK_INT("as a limit", seen.refused, ZT_E_LIMIT);
    zt_buf_clear(&got);
    send(fds[3], GET("/plain"), strlen(GET("/plain")), MSG_NOSIGNAL);
    CHECK("others are served", read_all(fds[3], &got, "plain"));
    zt_http_reply(taken(1), 200, "text/plain", "first", 5);
    zt_buf_clear(&got);
    CHECK("answered", read_all(fds[0], &got, "first"));
    for (int n = 3; n < 4;) { /* the place is free once that answer is on its way */
        zt_buf_clear(&got);
        send(fds[3], GET("/stream"), strlen(GET("/stream")), MSG_NOSIGNAL);
        CHECK("answered", read_all(fds[3], &got, "\r\n\r\n"));
        zt_locked(&seen.mutex);
        n = seen.n;
    }
    for (int i = 2; i <= 4; i++)
        zt_http_stream_end(taken(i));
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    zt_buf_clear(&got);
    zt_http_stop(http, ZT_SECOND_US);
}

static void *stop(void *http)
{
    zt_http_stop(http, 10 * ZT_SECOND_US);
    return NULL;
}

/* Whoever heard of the stop in time ends what it has in order. */
static void ends_streams_at_a_stop(void)
{
    struct zt_http *http = start(0);
    zt_auto_fd int stream = dial(http, GET("/stream"));
    struct zt_http_req *first = taken(1);
    zt_auto_fd int held = dial(http, GET("/hold"));
    struct zt_http_req *second = taken(2);
    enum zt_http_gone why[2];
    struct zt_buf got;
    pthread_t stopper;
    int64_t start_us = zt_now_mono_us();

    zt_buf_init(&got, BUFFER_MAX);
    pthread_create(&stopper, NULL, stop, http);
    gone(1, &why[0]);
    gone(2, &why[1]);
    CHECK("both are told", why[0] == ZT_HTTP_STOPPING && why[1] == ZT_HTTP_STOPPING);
    CHECK("goodbye", zt_http_stream_write(first, "goodbye", 7));
    zt_http_stream_end(first);
    zt_http_reply(second, 200, "text/plain", "last", 4);
    CHECK("whole", read_all(stream, &got, "goodbye\r\n0\r\n\r\n"));
    zt_buf_clear(&got);
    CHECK("answered", read_all(held, &got, "last"));
    pthread_join(stopper, NULL);
    CHECK_BELOW("without waiting for more", (double)(zt_now_mono_us() - start_us) / 1e6, 9);
    CHECK_INT("told once", seen.gone_n, 2);
    zt_buf_clear(&got);
}

/* Whoever did not is cut off, and may still write and end. */
static void cuts_streams_at_a_stop(void)
{
    struct zt_http *http = start(0);
    zt_auto_fd int stream = dial(http, GET("/stream"));
    struct zt_http_req *first = taken(1);
    zt_auto_fd int held = dial(http, GET("/hold"));
    struct zt_http_req *second = taken(2);
    struct zt_buf got;

    zt_buf_init(&got, BUFFER_MAX);
    CHECK("writes", zt_http_stream_write(first, "begun", 5));
    CHECK("reads", read_all(stream, &got, "begun"));
    zt_http_stop(http, 50 * ZT_MS_US);
    read_all(stream, &got, NULL);
    CHECK("not complete", !zt_ends_with(got.data, "\r\n0\r\n\r\n"));
    zt_buf_clear(&got);
    CHECK("the server answers", read_all(held, &got, "the server is stopping"));
    CHECK("over", !zt_http_stream_write(first, "more", 4));
    zt_http_stream_end(first);
    zt_http_stream_begin(second, 200, "text/plain", BUFFER_MAX); /* nobody is there to hear it */
    CHECK("over", !zt_http_stream_write(second, "more", 4));
    zt_http_stream_end(second);
    zt_buf_clear(&got);
}

int main(void)
{
    RUN(sends_many_small_pieces);
    RUN(a_piece_arrives_at_once);
    RUN(tells_when_a_client_left);
    RUN(cuts_off_a_slow_reader);
    RUN(holds_half_of_the_connections);
    RUN(ends_streams_at_a_stop);
    RUN(cuts_streams_at_a_stop);
    return check_done();
}
