/*
 * Bodies taken in pieces, and multipart/form-data read from them, over sockets. Every form is sent
 * in one piece and byte by byte, so that each delimiter is cut at each place.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "check.h"
#include "http/form.h"

#define WAIT_MS  10000
#define BODY_MAX 60000
#define TEXT_MAX ((size_t)1 << 20)

/* ---- the server under test ----------------------------------------------------------------- */

/* What was heard of a form, as text: "name=bytes" of each part, after its names. */
struct heard {
    struct zt_form *form;
    struct zt_buf text;
    int parts, most;
    size_t begun; /* the length of the text when a part last began */
    bool broken;
};

static atomic_int alive; /* struct heard that were not ended yet */

static bool on_part(void *user, const struct zt_form_piece *piece)
{
    struct heard *h = user;

    if (piece->offset == 0 && h->begun != h->text.n) {
        if (h->parts++ == h->most)
            return false;
        zt_buf_printf(&h->text, NULL, "[%s|%s|%s]", piece->name ? piece->name : "",
                      piece->file_name ? piece->file_name : "", piece->type ? piece->type : "");
        h->begun = h->text.n;
    }
    return zt_buf_add(&h->text, piece->bytes, piece->n, NULL) == ZT_OK;
}

static void forget(void *arg)
{
    struct heard *h = arg;

    zt_form_close(h->form);
    zt_buf_clear(&h->text);
    atomic_fetch_sub(&alive, 1);
}

static void on_piece(struct zt_http_req *req, const void *bytes, size_t n, void *user)
{
    struct heard *h = zt_http_kept(req);

    (void)user;
    if (h->form != NULL)
        h->broken = !zt_form_feed(h->form, bytes, n);
    else
        zt_buf_add(&h->text, bytes, n, NULL);
    if (h->broken)
        zt_http_reply(req, 400, "text/plain", "broken", 6);
}

static void admit(struct zt_http_req *req, void *user)
{
    struct heard *h = zt_arena_new(zt_http_arena(req), struct heard);

    (void)user;
    h->most = 20;
    h->begun = SIZE_MAX;
    zt_buf_init(&h->text, TEXT_MAX);
    h->form = zt_form_open(req, on_part, h);
    atomic_fetch_add(&alive, 1);
    zt_http_keep(req, h);
    zt_http_at_end(req, forget, h);
    zt_http_take_pieces(req, on_piece);
    if (h->form == NULL && zt_http_header(req, "X-Raw") == NULL)
        zt_http_reply(req, 415, "text/plain", "no form", 7);
}

static void tell(struct zt_http_req *req, void *user)
{
    struct heard *h = zt_http_kept(req);
    size_t n;

    (void)user;
    zt_http_body(req, &n);
    zt_assert(n == 0); /* nothing was collected beside */
    bool whole = h->form == NULL || zt_form_finish(h->form);
    h->form = NULL;
    zt_http_reply(req, whole ? 200 : 422, "text/plain", h->text.data ? h->text.data : "",
                  h->text.n);
}

static void refuse(struct zt_http_req *req, int status, const char *text, void *user)
{
    (void)user;
    zt_http_reply(req, status, "text/plain", text, strlen(text));
}

static const struct zt_route routes[] = { { "POST", "/form", BODY_MAX, false, tell, admit } };
static struct zt_http *http;

/* ---- a client ------------------------------------------------------------------------------ */

static int dial(void)
{
    const char *port = strrchr(zt_http_address(http), ':') + 1;
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    zt_assert(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

static bool say(int fd, const char *bytes, size_t n)
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

/* All that comes until the server closes; the status, with the body through ret. */
static int hear(int fd, const char **ret)
{
    static char text[TEXT_MAX];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t n = 0;
    ssize_t got = 1;

    while (got > 0 && n < sizeof(text) - 1 && poll(&p, 1, WAIT_MS) == 1) {
        got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
    }
    text[n] = '\0';
    const char *end = strstr(text, "\r\n\r\n");
    *ret = end ? end + 4 : "";
    return n > 9 ? (int)strtol(text + 9, NULL, 10) : -1;
}

#define HEAD                                                                                       \
    "POST /form HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"                                      \
    "Content-Type: multipart/form-data; boundary=XyZ\r\n"

/* Sends a form in chunks of `step` bytes (0: in one piece, with its length) and hears the answer. */
static int post(const char *body, size_t n, size_t step, const char **ret)
{
    zt_auto_fd int fd = dial();
    struct zt_buf all;

    zt_buf_init(&all, TEXT_MAX);
    if (step == 0) {
        zt_buf_printf(&all, NULL, HEAD "Content-Length: %zu\r\n\r\n", n);
        zt_buf_add(&all, body, n, NULL);
    } else {
        zt_buf_printf(&all, NULL, HEAD "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < n; at += step) {
            size_t part = n - at < step ? n - at : step;
            zt_buf_printf(&all, NULL, "%zx\r\n", part);
            zt_buf_add(&all, body + at, part, NULL);
            zt_buf_printf(&all, NULL, "\r\n");
        }
        zt_buf_printf(&all, NULL, "0\r\n\r\n");
    }
    say(fd, all.data, all.n); /* a refusal may close before all was sent */
    zt_buf_clear(&all);
    return hear(fd, ret);
}

/* ---- tests --------------------------------------------------------------------------------- */

#define PART(name, more, value)                                                                    \
    "--XyZ\r\nContent-Disposition: form-data; name=\"" name "\"" more "\r\n\r\n" value "\r\n"
#define FILE_PART(name, file, value)                                                               \
    PART(name, "; filename=\"" file "\"\r\nContent-Type: image/png", value)
#define END "--XyZ--\r\n"

static void reads_forms_however_they_are_cut(void)
{
    static const struct {
        const char *label, *body;
        int status;
        const char *text;
    } rows[] = {
        { "one field", PART("a", "", "one") END, 200, "[a||]one" },
        { "a file and a field", FILE_PART("file", "x.png", "bytes") PART("p", "", "q") END, 200,
          "[file|x.png|image/png]bytes[p||]q" },
        { "two files", FILE_PART("file", "x.png", "one") FILE_PART("file", "y.png", "two") END, 200,
          "[file|x.png|image/png]one[file|y.png|image/png]two" },
        { "empty file", FILE_PART("file", "x.png", "") END, 200, "[file|x.png|image/png]" },
        { "what looks like a delimiter",
          PART("a", "", "\r\n--Xy\r\n--XyY\r\n-\r\n\r\r\n--\r\n") PART("b", "", "2") END, 200,
          "[a||]\r\n--Xy\r\n--XyY\r\n-\r\n\r\r\n--\r\n[b||]2" },
        { "no line behind the end", PART("a", "", "1") "--XyZ--", 200, "[a||]1" },
        { "no final delimiter", PART("a", "", "one"), 422, NULL },
        { "cut in a delimiter", PART("a", "", "one") "--Xy", 422, NULL },
        { "cut in a value", "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\non", 422,
          NULL },
        { "cut in a header", "--XyZ\r\nContent-Disposition: form-da", 422, "" },
        { "another delimiter: no form at all",
          "--Abc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--Abc--\r\n", 200, "" },
        { "text behind the end", PART("a", "", "1") END "more", 400, NULL },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        for (size_t step = 0; step <= 9; step++) {
            char label[96];
            const char *text;
            zt_format(label, sizeof(label), "%s, steps of %zu", rows[i].label, step);
            int status = post(rows[i].body, strlen(rows[i].body), step, &text);
            CHECK_INT(label, status, rows[i].status);
            if (rows[i].text != NULL)
                CHECK_STR(label, text, rows[i].text);
        }
    }
}

static void takes_large_parts(void)
{
    static char body[50200];
    const char *text;
    const char head[] = "--XyZ\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n";
    const char tail[] = "\r\n" END;
    size_t n = sizeof(head) - 1;

    memcpy(body, head, n);
    for (size_t i = 0; i < 50000; i++)
        body[n + i] = (char)('a' + i % 23);
    memcpy(body + n + 50000, tail, sizeof(tail));
    CHECK_INT("taken", post(body, n + 50000 + sizeof(tail) - 1, 4999, &text), 200);
    CHECK_INT("all of it", strlen(text), 50000 + strlen("[f||]"));
    CHECK("as it was", strlen(text) == 50005 && memcmp(text + 5, body + n, 50000) == 0);
}

static void refuses_what_is_too_much(void)
{
    static char body[BODY_MAX + 1000];
    const char *text;
    struct zt_buf many;

    zt_buf_init(&many, sizeof(body));
    for (int i = 0; i < 21; i++)
        zt_buf_printf(&many, NULL, PART("a", "", "%d"), i);
    zt_buf_printf(&many, NULL, END);
    CHECK_INT("too many parts", post(many.data, many.n, 0, &text), 400);
    zt_buf_clear(&many);

    zt_buf_init(&many, sizeof(body));
    zt_buf_printf(&many, NULL, "--XyZ\r\nContent-Disposition: form-data; name=\"%020000d\"\r\n\r\n",
                  7);
    CHECK_INT("a huge part header", post(many.data, many.n, 0, &text), 400);
    CHECK_INT("in pieces", post(many.data, many.n, 100, &text), 400);
    zt_buf_clear(&many);

    memset(body, 'a', sizeof(body));
    memcpy(body, PART("a", "", "b"), strlen(PART("a", "", "b")));
    CHECK_INT("past the limit by its length", post(body, BODY_MAX + 1, 0, &text), 413);
    CHECK_INT("past the limit in chunks", post(body, BODY_MAX + 1, 5000, &text), 413);
}

static void needs_a_form(void)
{
    static const struct {
        const char *label, *type;
        int status;
    } rows[] = {
        { "none", "X-None: 1", 415 },
        { "JSON", "Content-Type: application/json", 415 },
        { "in a URL's notation", "Content-Type: application/x-www-form-urlencoded", 415 },
        { "longer word", "Content-Type: multipart/form-database; boundary=XyZ", 415 },
        { "no boundary", "Content-Type: multipart/form-data; x=y", 415 },
        { "empty", "Content-Type: multipart/form-data", 415 },
        { "boundary of one character", "Content-Type: multipart/form-data; boundary=X", 415 },
        { "quoted", "Content-Type: multipart/form-data; boundary=\"XyZ\"", 200 },
        { "capitals", "Content-Type: Multipart/Form-Data; boundary=XyZ", 200 },
        { "pieces without a form", "X-Raw: 1", 200 },
    };
    static const char body[] = PART("a", "", "1") END;

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_auto_fd int fd = dial();
        char request[1024];
        const char *text;
        zt_format(request, sizeof(request),
                  "POST /form HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n"
                  "Content-Length: %zu\r\n\r\n%s",
                  rows[i].type, sizeof(body) - 1, body);
        say(fd, request, strlen(request));
        CHECK_INT(rows[i].label, hear(fd, &text), rows[i].status);
    }
}

static void continues_when_expected(void)
{
    static const char body[] = PART("a", "", "1") END;
    zt_auto_fd int fd = dial();
    char request[512];
    char seen[64] = "";
    const char *text;

    zt_format(request, sizeof(request), HEAD "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
              sizeof(body) - 1);
    CHECK("said", say(fd, request, strlen(request)));
    struct pollfd p = { .fd = fd, .events = POLLIN };
    CHECK("continue", poll(&p, 1, WAIT_MS) == 1 && recv(fd, seen, sizeof(seen) - 1, 0) > 0);
    CHECK_HAS("continue", seen, "100 Continue");
    CHECK("body", say(fd, body, sizeof(body) - 1));
    CHECK_INT("status", hear(fd, &text), 200);
    CHECK_STR("text", text, "[a||]1");
}

/* Whatever a request holds is given back, however the request ended. */
static void ends_what_clients_leave(void)
{
    static const char begin[] = HEAD "Content-Length: 5000\r\n\r\n" PART("a", "", "1") "--XyZ\r\n";

    for (int i = 0; i < 20; i++) {
        int fd = dial();
        CHECK("said", say(fd, begin, sizeof(begin) - 1));
        if (i % 2 == 0) {
            const struct linger reset = { .l_onoff = 1 };
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        close(fd);
    }
    int64_t until_us = zt_now_mono_us() + 20 * ZT_SECOND_US;
    while (atomic_load(&alive) > 0 && zt_now_mono_us() < until_us)
        usleep(1000);
    CHECK_INT("left over", atomic_load(&alive), 0);
}

static void cuts_off_slow_bodies(void)
{
    zt_auto_fd int fd = dial();
    const char begin[] = HEAD "Content-Length: 50000\r\n\r\n";
    int64_t start_us = zt_now_mono_us();
    bool open = say(fd, begin, sizeof(begin) - 1);

    while (open && zt_now_mono_us() - start_us < 30 * ZT_SECOND_US) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        open = poll(&p, 1, 50) == 0 && say(fd, "a", 1);
    }
    CHECK("cut", !open);
}

int main(void)
{
    const struct zt_http_options options = {
        .listen = "127.0.0.1:0",
        .threads = 2,
        .idle_s = 2,
        .request_s = 2,
        .routes = routes,
        .routes_n = (int)ZT_COUNT(routes),
        .refuse = refuse,
    };
    struct zt_err err = { 0 };

    if (zt_http_start(&options, &http, &err) != ZT_OK) {
        printf("cannot start the server: %s (%s)\n", err.msg, err.detail);
        return 1;
    }
    RUN(reads_forms_however_they_are_cut);
    RUN(takes_large_parts);
    RUN(refuses_what_is_too_much);
    RUN(needs_a_form);
    RUN(continues_when_expected);
    RUN(cuts_off_slow_bodies);
    RUN(ends_what_clients_leave);
    zt_http_stop(http, ZT_SECOND_US);
    CHECK_INT("all ended", atomic_load(&alive), 0);
    return check_done();
}
