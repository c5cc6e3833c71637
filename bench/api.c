/*
 * bench/api.c - how many requests a second the API answers, beside what the machine can do.
 *
 *     bench_api PROGRAM [SECONDS [CONNECTIONS]]
 *
 * In one run, on loopback, with the same client: (1) libmicrohttpd answering a constant of the same
 * length as a recordInfo answer, set up as the server is; (2) fdatasync calls a second in the data
 * folder's file system; (3) createTask, each answered only after its commit is on disk; (4)
 * recordInfo. The phases are repeated and medians printed. The client is one thread with epoll and
 * takes part of the machine in (1), (3) and (4) alike.
 */
#define _GNU_SOURCE /* strcasestr, strerrordesc_np */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define MAX_CONNECTIONS 1024
#define MAX_SAMPLES     2000000
#define ROUNDS          5
#define ANSWER_MAX      16384

struct load {
    int port, connections;
    const char *request; /* whole, with headers */
    const char *expect;  /* each answer contains this */
    double seconds;
};

struct connection {
    int fd;
    size_t sent;
    char answer[ANSWER_MAX];
    size_t got;
    int64_t start_us;
};

struct outcome {
    double per_second, p50_ms, p90_ms, p99_ms, max_ms;
    long errors;
    size_t answer_bytes;   /* of the last one, body alone */
    char last[ANSWER_MAX]; /* the last answer, whole */
};

static pid_t server_pid; /* ended with us, whatever goes wrong */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_api: %s (%s)\n", what, errno ? strerrordesc_np(errno) : "failed");
    if (server_pid > 0)
        kill(server_pid, SIGTERM);
    exit(1);
}

static int connect_to(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Length of the whole answer once its head is there, else 0. */
static size_t answer_length(const char *answer, size_t *ret_body)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "content-length:");

    if (end == NULL || length == NULL || length > end)
        return 0;
    *ret_body = (size_t)strtol(length + 15, NULL, 10);
    return (size_t)(end + 4 - answer) + *ret_body;
}

static void send_rest(struct connection *c, const char *request, size_t n)
{
    ssize_t done = send(c->fd, request + c->sent, n - c->sent, MSG_NOSIGNAL);

    if (done < 0 && errno != EAGAIN)
        die("send");
    if (done > 0)
        c->sent += (size_t)done;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return (x > y) - (x < y);
}

static void start_request(struct connection *c, const struct load *load, size_t n)
{
    c->sent = 0;
    c->got = 0;
    c->start_us = zt_now_mono_us();
    send_rest(c, load->request, n);
}

/* Reads what is there; true when an answer is complete. */
static bool read_answer(struct connection *c, size_t *ret_body)
{
    ssize_t n = recv(c->fd, c->answer + c->got, sizeof(c->answer) - 1 - c->got, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        die(c->got > 0 ? c->answer : "the server closed a connection");
    if (n > 0)
        c->got += (size_t)n;
    c->answer[c->got] = '\0';
    size_t whole = answer_length(c->answer, ret_body);
    return whole != 0 && c->got >= whole;
}

static void summarize(struct outcome *out, float *ms, size_t n, double seconds)
{
    qsort(ms, n, sizeof(*ms), by_value);
    out->per_second = (double)n / seconds;
    if (n > 0) {
        out->p50_ms = (double)ms[n / 2];
        out->p90_ms = (double)ms[n * 9 / 10];
        out->p99_ms = (double)ms[n * 99 / 100];
        out->max_ms = (double)ms[n - 1];
    }
}

static void run_load(const struct load *load, struct outcome *out)
{
    struct connection *all = zt_new_array(struct connection, (size_t)load->connections);
    float *ms = zt_new_array(float, MAX_SAMPLES);
    size_t samples = 0;
    size_t n = strlen(load->request);
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    memset(out, 0, sizeof(*out));
    for (int i = 0; i < load->connections; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &all[i] };
        all[i].fd = connect_to(load->port);
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    int64_t start = zt_now_mono_us();
    int64_t end = start + (int64_t)(load->seconds * 1e6);
    for (int i = 0; i < load->connections; i++)
        start_request(&all[i], load, n);
    while (zt_now_mono_us() < end && samples < MAX_SAMPLES) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            size_t body = 0;
            if (!read_answer(c, &body))
                continue;
            if (samples < MAX_SAMPLES)
                ms[samples++] = (float)(zt_now_mono_us() - c->start_us) / 1000;
            out->errors += strstr(c->answer, load->expect) == NULL;
            out->answer_bytes = body;
            memcpy(out->last, c->answer, c->got + 1);
            start_request(c, load, n);
        }
    }
    summarize(out, ms, samples, (double)(zt_now_mono_us() - start) / 1e6);
    for (int i = 0; i < load->connections; i++)
        close(all[i].fd);
    close(epoll);
    free(all);
    free(ms);
}

/* ---- the ceilings -------------------------------------------------------------------------- */

static enum MHD_Result answer_constant(void *user, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload, size_t *upload_n, void **state)
{
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    (void)upload_n;
    if (*state == NULL) { /* the first call; answering now would end the connection */
        *state = user;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, user);
}

/* A process of its own that answers `bytes` constant bytes; returns its pid and port. */
static pid_t start_constant(size_t bytes, int *ret_port)
{
    int ends[2];

    if (pipe(ends) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid != 0) {
        close(ends[1]);
        if (read(ends[0], ret_port, sizeof(*ret_port)) != sizeof(*ret_port))
            die("the constant server did not start");
        close(ends[0]);
        return pid;
    }
    char *text = zt_new_array(char, bytes + 1);
    memset(text, 'x', bytes);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json;charset=UTF-8");
    int cores = zt_cores();
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer_constant,
        response, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)(cores > 2 ? cores : 2),
        MHD_OPTION_CONNECTION_LIMIT, 1000U, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    int port = info ? info->port : 0;
    if (port == 0 || write(ends[1], &port, sizeof(port)) != sizeof(port))
        _exit(1);
    for (;;)
        pause();
}

static double syncs_per_second(const char *folder, double seconds)
{
    char path[4096];
    char block[4096];
    long count = 0;

    zt_format(path, sizeof(path), "%s/sync.tmp", folder);
    memset(block, 1, sizeof(block));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die("open");
    int64_t start = zt_now_mono_us();
    while ((double)(zt_now_mono_us() - start) < seconds * 1e6) {
        if (write(fd, block, sizeof(block)) < 0 || fdatasync(fd) != 0)
            die("fdatasync");
        count++;
    }
    double took = (double)(zt_now_mono_us() - start) / 1e6;
    close(fd);
    unlink(path);
    return (double)count / took;
}

/* ---- the server under test ----------------------------------------------------------------- */

/* Runs PROGRAM with argv; its stdout is a pipe, its stderr goes to path. */
static pid_t spawn(const char *program, const char *const *argv, const char *stderr_path,
                   FILE **ret)
{
    int ends[2];

    if (pipe(ends) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        int err = open(stderr_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(ends[1], STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        execv(program, (char *const *)(uintptr_t)argv); /* exec does not write to them */
        _exit(127);
    }
    close(ends[1]);
    *ret = fdopen(ends[0], "r");
    return pid;
}

static pid_t start_server(const char *program, const char *folder, int *ret_port, char *ret_key,
                          size_t key_size)
{
    char log[4096];
    char line[4096];
    FILE *out;

    zt_format(log, sizeof(log), "%s/serve.log", folder);
    const char *const argv[] = {
        "zoetrope",      "serve",     "--listen",    "127.0.0.1:0",  "--data",
        folder,          "--workers", "0",           "--rate-limit", "0",
        "--max-waiting", "0",         "--log-level", "warn",         NULL
    };
    pid_t pid = spawn(program, argv, log, &out);
    *ret_port = 0;
    ret_key[0] = '\0';
    while ((*ret_port == 0 || ret_key[0] == '\0') && fgets(line, sizeof(line), out) != NULL) {
        char *at = strstr(line, "http://127.0.0.1:");
        char *key = strstr(line, "zt_");
        if (at != NULL && *ret_port == 0)
            *ret_port = (int)strtol(at + 17, NULL, 10);
        if (key != NULL && ret_key[0] == '\0') {
            key[strcspn(key, " \"'\r\n")] = '\0';
            zt_format(ret_key, key_size, "%s", key);
        }
    }
    if (*ret_port == 0 || ret_key[0] == '\0')
        die("the server did not start; see its log");
    return pid;
}

static void print_row(const char *what, const struct outcome *o)
{
    printf("%-34s %9.0f /s   p50 %6.2f  p90 %6.2f  p99 %6.2f  max %7.2f ms", what, o->per_second,
           o->p50_ms, o->p90_ms, o->p99_ms, o->max_ms);
    printf(o->errors ? "   %ld ERRORS\n" : "\n", o->errors);
}

/* The outcome with the median rate. */
static struct outcome median(struct outcome *rounds, int n)
{
    for (int i = 1; i < n; i++) {
        for (int j = i; j > 0 && rounds[j].per_second < rounds[j - 1].per_second; j--) {
            struct outcome swap = rounds[j];
            rounds[j] = rounds[j - 1];
            rounds[j - 1] = swap;
        }
    }
    return rounds[n / 2];
}

/* Measures loads in turns, so that all meet the same machine; the median of each. */
static void measure(const struct load *const *loads, int n, struct outcome *ret)
{
    static struct outcome rounds[4][ROUNDS];

    zt_assert(n <= 4);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++)
            run_load(loads[i], &rounds[i][round]);
    }
    for (int i = 0; i < n; i++)
        ret[i] = median(rounds[i], ROUNDS);
}

int main(int argc, char **argv)
{
    char folder[] = "bench-api-XXXXXX";
    char key[256];
    char request[4096];
    static const char body[] =
        "{\"model\":\"bytedance/v1-lite-image-to-video\",\"input\":{\"prompt\":\"slow push in\","
        "\"image_url\":\"https://example.org/photo.jpg\",\"resolution\":\"720p\","
        "\"duration\":\"5\",\"camera_fixed\":false,\"seed\":-1}}";
    struct load load = { .connections = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 64,
                         .seconds = argc > 2 ? strtod(argv[2], NULL) : 3 };

    if (argc < 2 || load.connections < 1 || load.connections > MAX_CONNECTIONS ||
        load.seconds <= 0) {
        fprintf(stderr, "usage: bench_api PROGRAM [SECONDS [CONNECTIONS]]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(folder) == NULL)
        die("mkdtemp");
    server_pid = start_server(argv[1], folder, &load.port, key, sizeof(key));
    double syncs = syncs_per_second(folder, 2);

    zt_format(request, sizeof(request),
              "POST /api/v1/jobs/createTask HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
              "%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
              key, sizeof(body) - 1, body);
    load.request = request;
    load.expect = "\"code\":200";
    struct outcome create;
    const struct load *creates[] = { &load };
    measure(creates, 1, &create);
    char id[128] = "";
    const char *at = strstr(create.last, "\"taskId\":\"");
    if (at != NULL)
        zt_format(id, sizeof(id), "%.*s", (int)strcspn(at + 10, "\""), at + 10);

    zt_format(request, sizeof(request),
              "GET /api/v1/jobs/recordInfo?taskId=%s HTTP/1.1\r\nHost: localhost\r\n"
              "Authorization: Bearer %s\r\n\r\n",
              id, key);
    load.expect = "\"state\":\"waiting\"";
    struct outcome both[2];
    struct load constant_load = load;
    load.seconds = 0.2;
    run_load(&load, &both[0]); /* how long an answer is */
    load.seconds = constant_load.seconds;
    pid_t constant = start_constant(both[0].answer_bytes, &constant_load.port);
    constant_load.expect = "xxxx";
    const struct load *turns[] = { &constant_load, &load };
    measure(turns, 2, both);
    struct outcome ceiling = both[0];
    struct outcome info = both[1];
    kill(constant, SIGKILL);
    waitpid(constant, NULL, 0);
    kill(server_pid, SIGTERM);
    waitpid(server_pid, NULL, 0);
    zt_remove_tree(folder, NULL);

    printf("%d connections, %.0f s a phase, median of %d\n", load.connections, load.seconds,
           ROUNDS);
    print_row("constant answer (libmicrohttpd)", &ceiling);
    print_row("recordInfo", &info);
    print_row("createTask, durable", &create);
    printf("%-34s %9.0f /s\n", "fdatasync of a 4 KiB append", syncs);
    printf("recordInfo / constant answer  %.2f  (aim: at least 0.50)\n",
           info.per_second / ceiling.per_second);
    printf("createTask / fdatasync        %.2f  (aim: well above 1)\n", create.per_second / syncs);
    return create.errors + info.errors + ceiling.errors > 0;
}
