/*
 * hostile.h - small HTTP servers inside a test, on 127.0.0.0/8, that do all a server can do wrong:
 * answer in pieces, without end, too slowly, not at all, or with redirects to anywhere. The path
 * of a request chooses what happens. One thread a server, one connection at a time.
 */
#ifndef ZT_TESTS_HOSTILE_H
#define ZT_TESTS_HOSTILE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/stop.h"

/* Tests allow the first two in their guard. */
#define OPEN   "127.0.0.2" /* allowed */
#define OTHER  "127.0.0.4" /* allowed */
#define CLOSED "127.0.0.3" /* refused */

struct server {
    int fd, port;
    pthread_t thread;
    atomic_int hits;
    struct zt_stop *stop; /* asked for by /stop; may be NULL; outlives the server */
    char request[16384];  /* the last one; the thread's own */
};

static void say(int fd, const char *text)
{
    size_t n = strlen(text);

    while (n > 0) {
        ssize_t wrote = send(fd, text, n, MSG_NOSIGNAL);
        if (wrote <= 0)
            return;
        text += wrote;
        n -= (size_t)wrote;
    }
}

/* Until the client gives up. */
static void hold(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    char byte;

    while (poll(&wait, 1, 20000) > 0 && recv(fd, &byte, 1, 0) > 0)
        ;
}

static void repeat(int fd, const char *text)
{
    while (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
        ;
}

static void reset_connection(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
#define TEN     "0123456789"

/* What each path answers; `then` is what comes after the text. */
static const struct {
    const char *path, *text;
    void (*then)(int fd);
    const char *again; /* sent over and over until the client goes */
} scripts[] = {
    { "/ok", OK_HEAD "Content-Length: 5\r\n\r\nhello", NULL, NULL },
    { "/no-length", OK_HEAD "\r\nhello", NULL, NULL },
    { "/chunked",
      OK_HEAD
      "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nLocation: /x\r\n\r\n",
      NULL, NULL },
    { "/interim",
      "HTTP/1.1 103 Early Hints\r\nLocation: /x\r\n\r\n" OK_HEAD "Content-Length: 5\r\n\r\nhello",
      NULL, NULL },
    { "/empty", OK_HEAD "Content-Length: 0\r\n\r\n", NULL, NULL },
    { "/gzip", OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", NULL, NULL },
    { "/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot there", NULL, NULL },
    { "/404-huge", "HTTP/1.1 404 Not Found\r\nContent-Length: 99999999999\r\n\r\nx", hold, NULL },
    { "/500-endless", "HTTP/1.1 500 Oh\r\n\r\n", NULL, TEN TEN },
    { "/304", "HTTP/1.1 304 Not Modified\r\nLocation: /ok\r\n\r\n", NULL, NULL },
    { "/302-nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nlost.", NULL, NULL },
    { "/302-body", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 99999999\r\n\r\n", NULL,
      TEN },
    { "/302-two", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nLocation: /404\r\n\r\n", NULL, NULL },
    { "/302-spaces", "HTTP/1.1 302 Found\r\nLocation: /echo?a b\xC3\xA9\r\n\r\n", NULL, NULL },
    { "/huge", OK_HEAD "Content-Length: 1099511627776\r\n\r\n", hold, NULL },
    { "/over", OK_HEAD "Content-Length: 101\r\n\r\n", hold, NULL },
    { "/limit", OK_HEAD "Content-Length: 100\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN, NULL,
      NULL },
    { "/endless", OK_HEAD "\r\n", NULL, TEN TEN },
    { "/endless-chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", NULL, "a\r\n" TEN "\r\n" },
    { "/slow", OK_HEAD "Content-Length: 100\r\n\r\n" TEN, hold, NULL },
    { "/silent", "", hold, NULL },
    { "/closes", "", NULL, NULL },
    { "/cut", OK_HEAD "Content-Length: 100\r\n\r\n" TEN, NULL, NULL },
    { "/cut-chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", NULL, NULL },
    { "/resets", OK_HEAD "Content-Length: 100\r\n\r\n" TEN, reset_connection, NULL },
    { "/headers", OK_HEAD, NULL, "X-Header: " TEN TEN TEN TEN TEN TEN TEN "\r\n" },
    { "/one-header", OK_HEAD "X-Header: ", NULL, TEN TEN TEN },
    { "/continues", "", NULL, "HTTP/1.1 100 Continue\r\n\r\n" },
    { "/trailers", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", NULL,
      "X-Trailer: " TEN TEN TEN "\r\n" },
    { "/ssh", "SSH-2.0-OpenSSH_9.2\r\n", hold, NULL },
    { "/http09", "hello", NULL, NULL },
    { "/bad-length", OK_HEAD "Content-Length: -5\r\n\r\nhello", NULL, NULL },
};

/* /to?URL, /hop/N, /retry?VALUE, /echo and /stop need the request. */
static bool answer_by_request(struct server *server, int fd, const char *path)
{
    char text[sizeof(server->request) + 256];
    const char *target = strchr(path, '?');

    if (strncmp(path, "/to?", 4) == 0) {
        snprintf(text, sizeof(text), "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n", target + 1);
    } else if (strncmp(path, "/hop/", 5) == 0 && path[5] != '0') {
        snprintf(text, sizeof(text), "HTTP/1.1 30%c Moved\r\nLocation: /hop/%c\r\n\r\n",
                 "12378"[path[5] % 5], path[5] - 1);
    } else if (strncmp(path, "/hop/0", 6) == 0) {
        snprintf(text, sizeof(text), OK_HEAD "Content-Length: 5\r\n\r\nhello");
    } else if (strncmp(path, "/retry?", 7) == 0) {
        snprintf(text, sizeof(text), "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\n\r\n", target + 1);
        for (char *p = text; *p != '\0'; p++)
            *p = *p == '_' ? ' ' : *p;
    } else if (strncmp(path, "/echo", 5) == 0) {
        snprintf(text, sizeof(text), OK_HEAD "Content-Length: %zu\r\n\r\n%s",
                 strlen(server->request), server->request);
    } else if (strcmp(path, "/stop") == 0) {
        zt_stop_ask(server->stop);
        hold(fd);
        return true;
    } else {
        return false;
    }
    say(fd, text);
    return true;
}

/* Headers, and as much body as they announce. */
static void read_request(struct server *server, int fd)
{
    size_t n = 0;
    size_t wanted = sizeof(server->request) - 1;

    server->request[0] = '\0';
    while (n < wanted) {
        ssize_t got = recv(fd, server->request + n, wanted - n, 0);
        if (got <= 0)
            return;
        n += (size_t)got;
        server->request[n] = '\0';
        const char *end = strstr(server->request, "\r\n\r\n");
        const char *length = strstr(server->request, "Content-Length: ");
        if (end != NULL)
            wanted = (size_t)(end + 4 - server->request) +
                     (length ? (size_t)strtol(length + 16, NULL, 10) : 0);
    }
}

static void answer(struct server *server, int fd)
{
    char path[8300] = "";

    read_request(server, fd);
    const char *start = strchr(server->request, ' ');
    if (start == NULL)
        return;
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(start + 1, " "), start + 1);
    if (answer_by_request(server, fd, path))
        return;
    for (size_t i = 0; i < ZT_COUNT(scripts); i++) {
        if (strcmp(path, scripts[i].path) != 0)
            continue;
        say(fd, scripts[i].text);
        if (scripts[i].again != NULL)
            repeat(fd, scripts[i].again);
        if (scripts[i].then != NULL)
            scripts[i].then(fd);
    }
}

static void *serve(void *user)
{
    struct server *server = user;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        atomic_fetch_add(&server->hits, 1);
        answer(server, fd);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

static inline struct server *server_new(const char *ip, struct zt_stop *stop)
{
    struct server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t n = sizeof(address);

    inet_pton(AF_INET, ip, &address.sin_addr);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    zt_assert(bind(server->fd, (struct sockaddr *)&address, n) == 0);
    zt_assert(listen(server->fd, 64) == 0);
    zt_assert(getsockname(server->fd, (struct sockaddr *)&address, &n) == 0);
    server->port = ntohs(address.sin_port);
    server->stop = stop;
    zt_assert(pthread_create(&server->thread, NULL, serve, server) == 0);
    return server;
}

static inline void server_free(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR); /* wakes accept */
    pthread_join(server->thread, NULL);
    close(server->fd);
    free(server);
}

/* "http://<ip>:<port of the server><path>"; one at a time. */
static inline const char *url_of(const char *host, const struct server *server, const char *path)
{
    static char url[9000];

    snprintf(url, sizeof(url), "http://%s:%d%s", host, server->port, path);
    return url;
}

#endif
