/*
 * TLS: certificates and names are always checked, and https never leads down to http. The server
 * is the openssl program with a certificate made on the spot; without the program the test says so
 * and fails, as the checks would then be unproven.
 */
#include "net/client.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "check.h"
#include "net/fetch.h"
#include "net/guard.h"

struct tls_server {
    char dir[64];
    char ca[128];
    pid_t pid;
    FILE *out; /* what the server prints */
    int port;
};

static void write_file(const struct tls_server *server, const char *name, const char *text)
{
    char path[128];
    struct zt_err err = { 0 };

    snprintf(path, sizeof(path), "%s/%s", server->dir, name);
    CHECK_INT(name, zt_file_write(path, text, strlen(text), 0600, &err), ZT_OK);
}

static bool make_certificate(const struct tls_server *server)
{
    char command[512];

    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-keyout %s/key.pem -out %s/cert.pem -subj /CN=tls.test "
             "-addext subjectAltName=DNS:tls.test >%s/log 2>&1",
             server->dir, server->dir, server->dir);
    return system(command) == 0;
}

/* Serves the files of its folder, each a whole HTTP answer, on a port of the system's choice. */
static bool start(struct tls_server *server)
{
    int ends[2];
    char line[256];

    if (pipe(ends) != 0)
        return false;
    server->pid = fork();
    if (server->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (chdir(server->dir) == 0 && freopen("log", "w", stderr) != NULL)
            execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.2:0", "-cert", "cert.pem",
                   "-key", "key.pem", "-HTTP", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    server->out = fdopen(ends[0], "r");
    while (server->port == 0 && server->out != NULL && fgets(line, sizeof(line), server->out)) {
        const char *colon = strrchr(line, ':'); /* "ACCEPT 127.0.0.2:40123" */
        if (strncmp(line, "ACCEPT", 6) == 0 && colon != NULL)
            server->port = (int)strtol(colon + 1, NULL, 10);
    }
    return server->port > 0;
}

/* s_server prints as it serves; a full pipe would stop it. */
static void *drain(void *user)
{
    char line[256];

    while (fgets(line, sizeof(line), user) != NULL)
        ;
    return NULL;
}

static void checks_certificates_and_names(const struct tls_server *server)
{
    static const struct {
        const char *label, *host, *path;
        bool trusted;
        enum zt_code code;
        const char *text; /* of the body or in the message */
    } rows[] = {
        { "trusted", "tls.test", "/ok", true, ZT_OK, "hello" },
        { "not trusted", "tls.test", "/ok", false, ZT_E_NET, "certificate is not valid" },
        { "other name", "other.test", "/ok", true, ZT_E_NET, "certificate is not valid" },
        { "an address", "127.0.0.2", "/ok", true, ZT_E_NET, "certificate is not valid" },
        { "down to http", "tls.test", "/down", true, ZT_E_DENIED, "from https down to http" },
        { "within https", "tls.test", "/again", true, ZT_OK, "hello" },
        { "to another name", "tls.test", "/other", true, ZT_E_NET, "certificate is not valid" },
        { "to a refused address", "tls.test", "/closed", true, ZT_E_DENIED, "(private)" },
    };
    struct zt_guard *guard = zt_guard_new();
    char resolve[256];

    zt_guard_allow(guard, "127.0.0.2", NULL);
    snprintf(resolve, sizeof(resolve),
             "tls.test:%d:127.0.0.2 other.test:%d:127.0.0.2 closed.test:443:10.0.0.1", server->port,
             server->port);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_client_options options = { .guard = guard,
                                             .resolve = resolve,
                                             .ca_file = rows[i].trusted ? server->ca : NULL };
        struct zt_client *client = zt_client_new(&options);
        struct zt_err err = { 0 };
        struct zt_buf buf;
        char url[128];
        zt_buf_init(&buf, 100);
        snprintf(url, sizeof(url), "https://%s:%d%s", rows[i].host, server->port, rows[i].path);
        CHECK_INT(rows[i].label, zt_fetch(client, url, &buf, &err), rows[i].code);
        CHECK_HAS(rows[i].label, rows[i].code == ZT_OK ? buf.data : err.msg, rows[i].text);
        zt_buf_clear(&buf);
        zt_client_free(client);
    }
    zt_guard_free(guard);
}

static void needs_a_readable_ca_file(const struct tls_server *server)
{
    struct zt_guard *guard = zt_guard_new();
    char url[64];
    char ca[128];
    struct zt_buf buf;
    struct zt_err err = { 0 };

    zt_guard_allow(guard, "127.0.0.2", NULL);
    snprintf(ca, sizeof(ca), "%s/none.pem", server->dir);
    snprintf(url, sizeof(url), "https://127.0.0.2:%d/ok", server->port);
    struct zt_client_options options = { .guard = guard, .ca_file = ca };
    struct zt_client *client = zt_client_new(&options);
    zt_buf_init(&buf, 100);
    CHECK_INT("no such file", zt_fetch(client, url, &buf, &err), ZT_E_IO);
    CHECK_HAS("no such file", err.msg, "trusted certificates");
    zt_buf_clear(&buf);
    zt_client_free(client);
    zt_guard_free(guard);
}

static struct tls_server server;

static void serves_over_tls(void)
{
    pthread_t thread;
    char redirect[256];

    snprintf(server.dir, sizeof(server.dir), "/tmp/zt-tls-XXXXXX");
    zt_assert(mkdtemp(server.dir) != NULL);
    snprintf(server.ca, sizeof(server.ca), "%s/cert.pem", server.dir);
    CHECK("openssl makes a certificate", make_certificate(&server));
    CHECK("openssl serves", start(&server));
    if (server.port > 0) {
        write_file(&server, "ok", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        write_file(&server, "down", "HTTP/1.0 302 Found\r\nLocation: http://127.0.0.2/ok\r\n\r\n");
        write_file(&server, "again", "HTTP/1.0 302 Found\r\nLocation: ok\r\n\r\n");
        write_file(&server, "closed",
                   "HTTP/1.0 302 Found\r\nLocation: https://closed.test/ok\r\n\r\n");
        snprintf(redirect, sizeof(redirect),
                 "HTTP/1.0 302 Found\r\nLocation: https://other.test:%d/ok\r\n\r\n", server.port);
        write_file(&server, "other", redirect);
        zt_assert(pthread_create(&thread, NULL, drain, server.out) == 0);
        checks_certificates_and_names(&server);
        needs_a_readable_ca_file(&server);
        kill(server.pid, SIGKILL);
        pthread_join(thread, NULL);
    }
    waitpid(server.pid, NULL, 0);
    fclose(server.out);
    zt_remove_tree(server.dir, NULL);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    RUN(serves_over_tls);
    return check_done();
}
