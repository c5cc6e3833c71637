/*
 * The server, spoken to with raw bytes over sockets: what a client library would smooth over is
 * what these tests are about.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include "check.h"
#include "http/request.h"

#define WAIT_MS    10000
#define ANSWER_MAX ((size_t)1 << 20)
#define FILE_BYTES 1000
#define ETAG       "\"tag\""
#define MODIFIED_S INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */
#define MODIFIED   "Sun, 06 Nov 1994 08:49:37 GMT"

/* ---- the server under test ----------------------------------------------------------------- */

/* Requests whose answer is the test's to give. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t more;
    struct zt_http_req *reqs[8];
    int n;
} held = { .mutex = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static char file_path[] = "/tmp/zt_test_http_XXXXXX";

static void echo(struct zt_http_req *req, void *user)
{
    struct zt_buf copy;
    size_t n;

    (void)user;
    const char *body = zt_http_body(req, &n);
    zt_buf_init(&copy, n);
    if (n > 0) /* else it stays without memory */
        zt_buf_add(&copy, body, n, NULL);
    zt_http_reply_take(req, 200, "text/plain", &copy);
    zt_assert(copy.data == NULL && copy.n == 0);
}

static void show(struct zt_http_req *req, void *user)
{
    (void)user;
    const char *query = zt_http_query(req, "q");
    const char *text =
        zt_arena_printf(zt_http_arena(req), "a=%s b=%s q=%s path=%s", zt_http_part(req, "a"),
                        zt_http_part(req, "b"), query ? query : "(none)", zt_http_path(req));
    zt_http_set(req, "X-Fine", "yes");
    zt_http_set(req, "X-Broken", "a\r\nX-Injected: b");
    zt_http_reply(req, 200, "text/plain", text, strlen(text));
}

static void peer(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_http_reply(req, 200, "text/plain", zt_http_peer(req), strlen(zt_http_peer(req)));
}

static void hold(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_locked(&held.mutex);
    held.reqs[held.n++] = req;
    pthread_cond_broadcast(&held.more);
}

static void later_at_once(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_http_reply(req, 200, "text/plain", "now", 3);
}

static void send_file(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_http_reply_file(req, open(file_path, O_RDONLY), FILE_BYTES, MODIFIED_S * ZT_SECOND_US,
                       "video/mp4", ETAG);
}

static void need_key(struct zt_http_req *req, void *user)
{
    (void)user;
    if (zt_http_header(req, "X-Key") == NULL)
        zt_http_reply(req, 401, "text/plain", "key?", 4);
    else
        zt_http_keep(req, (void *)(uintptr_t) "kept");
}

static void show_kept(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_http_reply(req, 200, "text/plain", zt_http_kept(req), 4);
}

static void refuse(struct zt_http_req *req, int status, const char *text, void *user)
{
    (void)user;
    zt_http_reply(req, status, "text/plain", text, strlen(text));
}

/* clang-format off */
static const struct zt_route routes[] = {
    { "POST", "/echo",             100000, false, echo,          NULL },
    { "GET",  "/show/{a}/x/{b}",   0,      false, show,          NULL },
    { "GET",  "/peer",             0,      false, peer,          NULL },
    { "GET",  "/hold",             0,      true,  hold,          NULL },
    { "GET",  "/now",              0,      true,  later_at_once, NULL },
    { "GET",  "/file",             0,      false, send_file,     NULL },
    { "POST", "/guarded",          200000, false, show_kept,     need_key },
    { "PUT",  "/two",              10,     false, echo,          NULL },
    { "GET",  "/two",              0,      false, peer,          NULL },
};
/* clang-format on */

static struct zt_http *start(const char *listen_on, const struct zt_http_options *with)
{
    struct zt_http_options options = with ? *with : (struct zt_http_options){ 0 };
    struct zt_http *http = NULL;
    struct zt_err err = { 0 };

    options.listen = listen_on;
    options.threads = 2;
    options.routes = routes;
    options.routes_n = (int)ZT_COUNT(routes);
    options.refuse = refuse;
    if (zt_http_start(&options, &http, &err) != ZT_OK) {
        printf("cannot start the server: %s (%s)\n", err.msg, err.detail);
        exit(1);
    }
    return http;
}

static struct zt_http *http; /* of most tests */

/* ---- a client ------------------------------------------------------------------------------ */

static int dial(const char *address)
{
    char host[64];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *list = NULL;
    const char *colon = strrchr(address, ':');

    snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
    if (host[0] == '[') {
        memmove(host, host + 1, strlen(host));
        host[strlen(host) - 1] = '\0';
    }
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
        return -1;
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd;
}

static bool say_n(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool say(int fd, const char *text)
{
    return say_n(fd, text, strlen(text));
}

struct answer {
    char *all; /* head and body, NUL-terminated */
    size_t n;
    const char *body;
    size_t body_n;
    int status;
};

static size_t content_length(const char *head)
{
    const char *at = strstr(head, "\r\nContent-Length:");

    return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* One answer; has_body false for HEAD. False when the connection ended before it was there. */
static bool hear(int fd, bool has_body, struct answer *ret)
{
    static char text[ANSWER_MAX];
    size_t n = 0;
    size_t want = 0;
    const char *end = NULL;

    *ret = (struct answer){ .all = text, .body = "" };
    text[0] = '\0';
    while (end == NULL || n < want) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, WAIT_MS) != 1)
            return false;
        /* Byte by byte in the head, so that the next answer of a pipeline stays unread. */
        ssize_t got = recv(fd, text + n, end ? want - n : 1, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        if (end == NULL && (end = strstr(text, "\r\n\r\n")) != NULL) {
            want = n + (has_body ? content_length(text) : 0);
            if (want >= ANSWER_MAX)
                return false;
        }
    }
    ret->n = n;
    ret->body = end + 4;
    ret->body_n = n - (size_t)(end + 4 - text);
    ret->status = (int)strtol(text + 9, NULL, 10);
    return true;
}

/* Whether the server has closed the connection, or does within WAIT_MS. */
static bool closed(int fd)
{
    char byte;
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, WAIT_MS) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* Sends one request on a connection of its own and hears one answer. */
static struct answer ask(const char *request, bool has_body)
{
    struct answer a;
    zt_auto_fd int fd = dial(zt_http_address(http));

    if (!say(fd, request) || !hear(fd, has_body, &a))
        a.status = -1;
    return a;
}

#define GET(path)     "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define HEAD_OF(path) "HEAD " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* ---- tests --------------------------------------------------------------------------------- */

static void finds_routes(void)
{
    static const struct {
        const char *label, *line;
        int status;
        const char *has; /* in the whole answer */
    } rows[] = {
        { "parts and query", "GET /show/1/x/2?q=3", 200, "a=1 b=2 q=3 path=/show/1/x/2" },
        { "decoded", "GET /show/a%20b/x/%C3%A9?q=a+b%26c", 200, "a=a b b=\xC3\xA9 q=a b&c" },
        { "no query", "GET /show/1/x/2", 200, "q=(none)" },
        { "empty query", "GET /show/1/x/2?q=", 200, "q= path" },
        { "first of two", "GET /show/1/x/2?q=1&q=2", 200, "q=1 " },
        { "malformed query stays", "GET /show/1/x/2?q=%zz", 200, "q=%zz " },
        { "NUL in the query stays", "GET /show/1/x/2?q=a%00b", 200, "q=a%00b " },
        { "slash in a part", "GET /show/a%2Fb/x/2", 404, "" },
        { "dots are a part", "GET /show/../x/2", 200, "a=.. " },
        { "NUL in a part", "GET /show/a%00b/x/2", 400, "malformed" },
        { "malformed escape", "GET /show/a%4/x/2", 400, "malformed" },
        { "empty part", "GET /show//x/2", 404, "" },
        { "too short", "GET /show/1/x", 404, "" },
        { "too long", "GET /show/1/x/2/3", 404, "" },
        { "slash at the end", "GET /peer/", 404, "" },
        { "case counts", "GET /Peer", 404, "" },
        { "escaped letter", "GET /p%65er", 200, "127.0.0.1" },
        { "root", "GET /", 404, "" },
        { "star", "OPTIONS *", 404, "" },
        { "other method", "POST /peer", 405, "Allow: GET, HEAD" },
        { "two methods", "DELETE /two", 405, "Allow: PUT, GET, HEAD" },
        { "GET is not POST", "GET /echo", 405, "Allow: POST" },
        { "method in lower case", "get /peer", 405, "Allow: GET, HEAD" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char request[512];
        snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
                 rows[i].line);
        struct answer a = ask(request, true);
        CHECK_INT(rows[i].label, a.status, rows[i].status);
        CHECK_HAS(rows[i].label, a.all, rows[i].has);
    }
}

static void sets_headers(void)
{
    struct answer a = ask(GET("/show/1/x/2"), true);

    CHECK_HAS("own header", a.all, "X-Fine: yes\r\n");
    CHECK("no injected header", strstr(a.all, "X-Injected") == NULL);
    CHECK_HAS("nosniff", a.all, "X-Content-Type-Options: nosniff\r\n");
    CHECK_HAS("date", a.all, "Date: ");
}

static void takes_headers_up_to_16_kib(void)
{
    static const struct {
        const char *label, *name;
        int n, status;
    } rows[] = { { "one", "X-Long", 15000, 200 },
                 { "cookies", "Cookie", 7000, 200 }, /* MHD copies them, so they count twice */
                 { "too long", "X-Long", 20000, 431 } };
    static char request[24000];

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        snprintf(request, sizeof(request), "GET /peer HTTP/1.1\r\nHost: h\r\n%s: %0*d\r\n\r\n",
                 rows[i].name, rows[i].n, 7);
        CHECK_INT(rows[i].label, ask(request, true).status, rows[i].status);
    }
}

static void keeps_connections(void)
{
    struct answer a;
    zt_auto_fd int fd = dial(zt_http_address(http));

    for (int i = 0; i < 3; i++) {
        CHECK("said", say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"));
        CHECK("heard", hear(fd, true, &a));
        CHECK_STR("kept alive", a.body, "hi");
    }
    CHECK("refused", say(fd, GET("/nope")) && hear(fd, true, &a));
    CHECK_INT("404", a.status, 404);
    CHECK("refused with a small body",
          say(fd, "POST /nope HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc") &&
              hear(fd, true, &a));
    CHECK_INT("404 after a body", a.status, 404);
    CHECK("still open", say(fd, GET("/peer")) && hear(fd, true, &a));
    CHECK_STR("peer", a.body, "127.0.0.1");
    CHECK("HEAD", say(fd, HEAD_OF("/peer")) && hear(fd, false, &a));
    CHECK_HAS("length of the body not sent", a.all, "Content-Length: 9\r\n");
    CHECK("after HEAD", say(fd, GET("/now")) && hear(fd, true, &a));
    CHECK_STR("later, at once", a.body, "now");
    CHECK("close is obeyed",
          say(fd, "GET /peer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") &&
              hear(fd, true, &a) && closed(fd));
}

static void answers_pipelines_in_order(void)
{
    char text[32];
    struct answer a;
    zt_auto_fd int fd = dial(zt_http_address(http));
    struct zt_buf all;

    zt_buf_init(&all, 1 << 16);
    for (int i = 0; i < 20; i++)
        zt_buf_printf(&all, NULL, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n%02d",
                      i);
    CHECK("said", say_n(fd, all.data, all.n));
    zt_buf_clear(&all);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof(text), "%02d", i);
        CHECK("heard", hear(fd, true, &a));
        CHECK_STR("in order", a.body, text);
    }
}

static void reads_chunks(void)
{
    struct answer a;
    zt_auto_fd int fd = dial(zt_http_address(http));

    CHECK("said", say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n") &&
                      say(fd, "2\r\nde\r\n0\r\n\r\n"));
    CHECK("heard", hear(fd, true, &a));
    CHECK_STR("joined", a.body, "abcde");
    CHECK("said too much", say(fd, "POST /two HTTP/1.1\r\nHost: h\r\n\r\n") == true);
    close(fd);
    fd = dial(zt_http_address(http));
    CHECK("said too much", say(fd, "PUT /two HTTP/1.1\r\nHost: h\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n"
                                   "8\r\naaaaaaaa\r\n8\r\naaaaaaaa\r\n0\r\n\r\n"));
    CHECK("heard", hear(fd, true, &a));
    CHECK_INT("counted", a.status, 413);
    CHECK_HAS("the limit is named", a.body, "10 bytes");
}

/* A body without an end is cut off once enough of it was thrown away. */
static void cuts_endless_chunks(void)
{
    static char chunk[0x4000 + 9];
    zt_auto_fd int fd = dial(zt_http_address(http));
    int sent = 0;

    memcpy(chunk, "4000\r\n", 6);
    memset(chunk + 6, 'a', 0x4000);
    memcpy(chunk + 6 + 0x4000, "\r\n", 2);
    say(fd, "PUT /two HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (sent < 10000 && say_n(fd, chunk, 6 + 0x4000 + 2))
        sent++;
    CHECK_BELOW("chunks taken", sent, 10000);
}

static void refuses_large_bodies_before_reading(void)
{
    static const struct {
        const char *label, *request;
        int status;
        bool closes;
    } rows[] = {
        { "by its length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n", 413,
          true },
        { "by a huge length",
          "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n", 413,
          true },
        { "asking first",
          "PUT /two HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n"
          "Expect: 100-continue\r\n\r\n",
          413, true },
        { "no body here", "GET /peer HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 413,
          false },
        { "admit refuses a large one",
          "POST /guarded HTTP/1.1\r\nHost: h\r\nContent-Length: 150000\r\n\r\n", 401, true },
        { "admit refuses a small one",
          "POST /guarded HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na", 401, false },
        { "admitted", "POST /guarded HTTP/1.1\r\nHost: h\r\nX-Key: k\r\nContent-Length: 1\r\n\r\na",
          200, false },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct answer a;
        zt_auto_fd int fd = dial(zt_http_address(http));
        CHECK(rows[i].label, say(fd, rows[i].request) && hear(fd, true, &a));
        CHECK_INT(rows[i].label, a.status, rows[i].status);
        if (rows[i].closes)
            CHECK(rows[i].label, closed(fd));
        else
            CHECK(rows[i].label, say(fd, GET("/peer")) && hear(fd, true, &a) && a.status == 200);
    }
}

static void continues_when_expected(void)
{
    struct answer a;
    zt_auto_fd int fd = dial(zt_http_address(http));

    CHECK("said", say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                          "Expect: 100-continue\r\n\r\n"));
    CHECK("heard", hear(fd, false, &a));
    CHECK_INT("continue", a.status, 100);
    CHECK("body", say(fd, "abc") && hear(fd, true, &a));
    CHECK_INT("status", a.status, 200);
    CHECK_STR("echo", a.body, "abc");
}

/* Requests that two readers could cut apart in two ways. None may reach a handler, and whatever
 * follows on the connection must not be taken for a request. */
static void refuses_ambiguous_framing(void)
{
#define SMUGGLED GET("/show/smuggled/x/1")
    static const struct {
        const char *label, *request;
    } rows[] = {
        { "two lengths", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                         "Content-Length: 44\r\n\r\n" SMUGGLED },
        { "equal lengths", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                           "Content-Length: 2\r\n\r\nhi" SMUGGLED },
        { "length and chunks", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED },
        { "chunks and length", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                               "Content-Length: 5\r\n\r\n0\r\n\r\n" SMUGGLED },
        { "two encodings", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                           "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" SMUGGLED },
        { "unknown encoding", "POST /echo HTTP/1.1\r\nHost: h\r\n"
                              "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" SMUGGLED },
        { "length with a sign",
          "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +2\r\n\r\nhi" SMUGGLED },
        { "length that is text",
          "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2x\r\n\r\nhi" SMUGGLED },
        { "length on another method", "DELETE /two HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                                      "Content-Length: 44\r\n\r\n" SMUGGLED },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct answer a;
        zt_auto_fd int fd = dial(zt_http_address(http));
        int answers = 0;
        CHECK(rows[i].label, say(fd, rows[i].request));
        while (hear(fd, true, &a)) {
            answers++;
            CHECK(rows[i].label, a.status >= 400 && a.status != 404);
            CHECK(rows[i].label, strstr(a.body, "smuggled") == NULL);
        }
        CHECK(rows[i].label, answers <= 1);
    }
}

static void sends_files(void)
{
    static const struct {
        const char *label, *headers;
        int status;
        int first, n; /* of the body */
        const char *has;
    } rows[] = {
        { "whole", "", 200, 0, 1000, "Accept-Ranges: bytes" },
        { "from the start", "Range: bytes=0-9\r\n", 206, 0, 10, "Content-Range: bytes 0-9/1000" },
        { "one byte", "Range: bytes=5-5\r\n", 206, 5, 1, "Content-Range: bytes 5-5/1000" },
        { "to the end", "Range: bytes=990-\r\n", 206, 990, 10, "bytes 990-999/1000" },
        { "past the end", "Range: bytes=990-5000\r\n", 206, 990, 10, "bytes 990-999/1000" },
        { "the last ten", "Range: bytes=-10\r\n", 206, 990, 10, "bytes 990-999/1000" },
        { "more than there is", "Range: bytes=-5000\r\n", 206, 0, 1000, "bytes 0-999/1000" },
        { "unit in capitals", "Range: Bytes=0-0\r\n", 206, 0, 1, "bytes 0-0/1000" },
        { "starts past the end", "Range: bytes=1000-\r\n", 416, 0, 0,
          "Content-Range: bytes */1000" },
        { "none at the end", "Range: bytes=-0\r\n", 416, 0, 0, "bytes */1000" },
        { "far past the end", "Range: bytes=99999999999999999999-\r\n", 416, 0, 0, "bytes */1000" },
        { "backwards", "Range: bytes=9-5\r\n", 200, 0, 1000, "" },
        { "several", "Range: bytes=0-1,5-6\r\n", 200, 0, 1000, "" },
        { "another unit", "Range: lines=0-1\r\n", 200, 0, 1000, "" },
        { "not a range", "Range: bytes=a-b\r\n", 200, 0, 1000, "" },
        { "no numbers", "Range: bytes=-\r\n", 200, 0, 1000, "" },
        { "same tag", "If-None-Match: " ETAG "\r\n", 304, 0, 0, "ETag: " ETAG },
        { "weak tag in a list", "If-None-Match: \"x,y\", W/" ETAG "\r\n", 304, 0, 0, "" },
        { "any tag", "If-None-Match: *\r\n", 304, 0, 0, "" },
        { "other tag", "If-None-Match: \"tag2\"\r\n", 200, 0, 1000, "" },
        { "same time", "If-Modified-Since: " MODIFIED "\r\n", 304, 0, 0,
          "Last-Modified: " MODIFIED },
        { "older time", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 200, 0, 1000, "" },
        { "not a time", "If-Modified-Since: yesterday\r\n", 200, 0, 1000, "" },
        { "tag before time", "If-None-Match: \"x\"\r\nIf-Modified-Since: " MODIFIED "\r\n", 200, 0,
          1000, "" },
        { "range if same tag", "Range: bytes=0-9\r\nIf-Range: " ETAG "\r\n", 206, 0, 10, "" },
        { "range if other tag", "Range: bytes=0-9\r\nIf-Range: \"x\"\r\n", 200, 0, 1000, "" },
        { "range if same time", "Range: bytes=0-9\r\nIf-Range: " MODIFIED "\r\n", 206, 0, 10, "" },
        { "range if weak tag", "Range: bytes=0-9\r\nIf-Range: W/" ETAG "\r\n", 200, 0, 1000, "" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char request[512];
        char want[FILE_BYTES];
        for (int b = 0; b < FILE_BYTES; b++)
            want[b] = (char)(b * 7);
        snprintf(request, sizeof(request), "GET /file HTTP/1.1\r\nHost: h\r\n%s\r\n",
                 rows[i].headers);
        struct answer a = ask(request, rows[i].status != 304);
        CHECK_INT(rows[i].label, a.status, rows[i].status);
        CHECK_INT(rows[i].label, a.body_n, rows[i].n);
        CHECK(rows[i].label,
              (int)a.body_n == rows[i].n && memcmp(a.body, want + rows[i].first, a.body_n) == 0);
        CHECK_HAS(rows[i].label, a.all, rows[i].has);
    }
    struct answer a = ask("HEAD /file HTTP/1.1\r\nHost: h\r\nRange: bytes=0-9\r\n\r\n", false);
    CHECK_INT("HEAD", a.status, 200);
    CHECK_HAS("HEAD", a.all, "Content-Length: 1000\r\n");
    CHECK_HAS("HEAD", a.all, "Content-Type: video/mp4\r\n");
    CHECK_HAS("HEAD", a.all, "ETag: " ETAG "\r\n");
}

/* ---- replies that come later --------------------------------------------------------------- */

static struct zt_http_req *take_held(void)
{
    zt_locked(&held.mutex);
    while (held.n == 0)
        pthread_cond_wait(&held.more, &held.mutex);
    return held.reqs[--held.n];
}

static void *reply_from_elsewhere(void *user)
{
    struct zt_http_req *req = user;
    const char *text = zt_arena_printf(zt_http_arena(req), "from another thread");

    zt_http_set(req, "X-Later", "yes");
    zt_http_reply(req, 200, "text/plain", text, strlen(text));
    return NULL;
}

static void answers_from_another_thread(void)
{
    struct answer a;
    zt_auto_fd int fd = dial(zt_http_address(http));

    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        CHECK("said", say(fd, GET("/hold")));
        struct zt_http_req *req = take_held();
        CHECK_INT("thread", pthread_create(&thread, NULL, reply_from_elsewhere, req), 0);
        CHECK("heard", hear(fd, true, &a));
        CHECK_STR("body", a.body, "from another thread");
        CHECK_HAS("header", a.all, "X-Later: yes");
        pthread_join(thread, NULL);
    }
}

static void outlives_a_client_that_left(void)
{
    int fd = dial(zt_http_address(http));

    CHECK("said", say(fd, GET("/hold")));
    struct zt_http_req *req = take_held();
    close(fd);
    reply_from_elsewhere(req);
    CHECK_INT("still there", ask(GET("/peer"), true).status, 200);
}

/* Others are served while requests wait, on however few threads. */
static void waits_without_holding_threads(void)
{
    struct answer a;
    int fds[8];

    for (int i = 0; i < 8; i++) {
        fds[i] = dial(zt_http_address(http));
        CHECK("said", say(fds[i], GET("/hold")));
    }
    CHECK_INT("served meanwhile", ask(GET("/peer"), true).status, 200);
    for (int i = 0; i < 8; i++)
        reply_from_elsewhere(take_held());
    for (int i = 0; i < 8; i++) {
        CHECK("heard", hear(fds[i], true, &a));
        CHECK_STR("body", a.body, "from another thread");
        close(fds[i]);
    }
}

static void *stop_soon(void *user)
{
    zt_http_stop(user, 10 * ZT_SECOND_US);
    return NULL;
}

static void drains_before_it_stops(void)
{
    struct zt_http *own = start("127.0.0.1:0", NULL);
    struct answer a;
    pthread_t thread;
    zt_auto_fd int fd = dial(zt_http_address(own));

    CHECK("said", say(fd, GET("/hold")));
    struct zt_http_req *req = take_held();
    int64_t start_us = zt_now_mono_us();
    pthread_create(&thread, NULL, stop_soon, own);
    reply_from_elsewhere(req);
    CHECK("heard", hear(fd, true, &a));
    CHECK_INT("answered all the same", a.status, 200);
    pthread_join(thread, NULL);
    CHECK_BELOW("seconds", (double)(zt_now_mono_us() - start_us) / 1e6, 5);
}

static void stops_while_requests_wait(void)
{
    struct zt_http *own = start("127.0.0.1:0", NULL);
    struct answer a;
    struct zt_http_req *reqs[4];
    int fds[4];

    for (int i = 0; i < 4; i++) {
        fds[i] = dial(zt_http_address(own));
        CHECK("said", say(fds[i], GET("/hold")));
    }
    for (int i = 0; i < 4; i++)
        reqs[i] = take_held();
    int64_t start_us = zt_now_mono_us();
    zt_http_stop(own, 50 * ZT_MS_US);
    CHECK_BELOW("seconds", (double)(zt_now_mono_us() - start_us) / 1e6, 5);
    for (int i = 0; i < 4; i++) {
        CHECK("heard", hear(fds[i], true, &a));
        CHECK_INT("told to come back", a.status, 503);
        reply_from_elsewhere(reqs[i]); /* too late, and harmless */
        close(fds[i]);
    }
}

/* ---- clients that are slow ----------------------------------------------------------------- */

static void cuts_off_slow_requests(void)
{
    static const struct {
        const char *label, *begin;
    } rows[] = {
        { "headers", "GET /peer HTTP/1.1\r\nHost: h\r\n" },
        { "body", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n" },
    };
    const struct zt_http_options with = { .idle_s = 1, .request_s = 1 };
    struct zt_http *own = start("127.0.0.1:0", &with);

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_auto_fd int fd = dial(zt_http_address(own));
        int64_t start_us = zt_now_mono_us();
        bool open = say(fd, rows[i].begin);
        while (open && zt_now_mono_us() - start_us < 20 * ZT_SECOND_US) {
            struct pollfd p = { .fd = fd, .events = POLLIN };
            open = poll(&p, 1, 50) == 0 && say(fd, i == 0 ? "A: b\r\n" : "a");
        }
        CHECK(rows[i].label, !open);
        CHECK_BELOW(rows[i].label, (double)(zt_now_mono_us() - start_us) / 1e6, 10);
    }
    zt_auto_fd int silent = dial(zt_http_address(own));
    CHECK("a silent one is closed", closed(silent));
    zt_http_stop(own, 0);
}

/* A client that leaves in the middle of a request is not kept until it has been silent for long. */
static void lets_go_of_clients_that_left(void)
{
    static const char *const rows[] = { "", "\r\n\r\n", "GET /peer HTTP/1.1\r\n",
                                        "POST /echo HTTP/1.1\r\nHost: h\r\n"
                                        "Content-Length: 9\r\n\r\nabc",
                                        GET("/peer") };
    for (int i = 0; i < 50; i++) {
        const char *row = rows[i % (int)ZT_COUNT(rows)];
        zt_auto_fd int fd = dial(zt_http_address(http));
        char bytes[512];
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t got = 1;
        say(fd, row);
        shutdown(fd, SHUT_WR);
        while (got > 0 && poll(&p, 1, WAIT_MS) == 1)
            got = recv(fd, bytes, sizeof(bytes), 0);
        CHECK(row, got <= 0);
    }
}

/* ---- addresses ----------------------------------------------------------------------------- */

static void speaks_ipv6(void)
{
    struct zt_http *saved = http;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    const struct sockaddr_in6 loopback = { .sin6_family = AF_INET6,
                                           .sin6_addr = IN6ADDR_LOOPBACK_INIT };

    if (probe < 0 || bind(probe, (const struct sockaddr *)&loopback, sizeof(loopback)) != 0) {
        printf("no IPv6 on this machine: not tested\n");
        close(probe);
        return;
    }
    close(probe);
    http = start("[::1]:0", NULL);
    CHECK("address", zt_starts_with(zt_http_address(http), "[::1]:"));
    CHECK_STR("peer", ask(GET("/peer"), true).body, "::1");
    zt_http_stop(http, 0);

    http = start("[::]:0", NULL);
    char v4[64];
    snprintf(v4, sizeof(v4), "127.0.0.1:%s", strrchr(zt_http_address(http), ':') + 1);
    zt_auto_fd int fd = dial(v4);
    struct answer a;
    CHECK("IPv4 on the same socket", say(fd, GET("/peer")) && hear(fd, true, &a));
    CHECK_STR("as IPv4", a.body, "127.0.0.1");
    zt_http_stop(http, 0);
    http = saved;
}

int main(void)
{
    zt_auto_fd int fd = mkstemp(file_path);
    char bytes[FILE_BYTES];

    for (int i = 0; i < FILE_BYTES; i++)
        bytes[i] = (char)(i * 7);
    if (fd < 0 || write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
        return 1;
    http = start("127.0.0.1:0", NULL);
    RUN(finds_routes);
    RUN(sets_headers);
    RUN(takes_headers_up_to_16_kib);
    RUN(keeps_connections);
    RUN(answers_pipelines_in_order);
    RUN(reads_chunks);
    RUN(cuts_endless_chunks);
    RUN(refuses_large_bodies_before_reading);
    RUN(continues_when_expected);
    RUN(refuses_ambiguous_framing);
    RUN(sends_files);
    RUN(answers_from_another_thread);
    RUN(outlives_a_client_that_left);
    RUN(waits_without_holding_threads);
    RUN(drains_before_it_stops);
    RUN(stops_while_requests_wait);
    RUN(cuts_off_slow_requests);
    RUN(lets_go_of_clients_that_left);
    RUN(speaks_ipv6);
    zt_http_stop(http, ZT_SECOND_US);
    unlink(file_path);
    return check_done();
}
