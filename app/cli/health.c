/* health.c - zoetrope health: what a container or a monitor asks, without another program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/command.h"
#include "net/client.h"
#include "net/guard.h"
#include "service/handles.h"

#define ANSWER_MAX 65536

struct own {
    const char *url;
    int64_t timeout_us;
};

/* Where a server with these settings is to be found; a wildcard address becomes loopback. */
static enum zt_code make_url(const struct zt_args *args, char *dst, size_t size, struct zt_err *err)
{
    const struct own *own = args->own;
    const char *listen = args->config.listen;
    const char *colon = strrchr(listen, ':');
    size_t n = strlen(own->url);
    bool fits;

    while (n > 0 && own->url[n - 1] == '/')
        n--;
    if (n > 0)
        fits = zt_format(dst, size, "%.*s/readyz", (int)n, own->url);
    else if (colon == NULL || strcmp(colon, ":0") == 0)
        return zt_fail_field(err, ZT_E_INVALID, "listen",
                             "--listen=%.80s does not say where the server is; name it with --url",
                             listen);
    else if (zt_starts_with(listen, "0.0.0.0:"))
        fits = zt_format(dst, size, "http://127.0.0.1%s/readyz", colon);
    else if (zt_starts_with(listen, "[::]:"))
        fits = zt_format(dst, size, "http://[::1]%s/readyz", colon);
    else
        fits = zt_format(dst, size, "http://%s/readyz", listen);
    if (!fits)
        return zt_fail_field(err, ZT_E_INVALID, "url", "the address is too long");
    return ZT_OK;
}

static enum zt_code ask(const struct own *own, const char *url, struct zt_buf *body, int *ret,
                        struct zt_err *err)
{
    zt_auto(guard) struct zt_guard *guard = zt_guard_new();
    struct zt_answer answer = { 0 };
    const struct zt_call call = {
        .method = "GET",
        .url = url,
        .connect_us = own->timeout_us,
        .total_us = own->timeout_us,
        .cut_body = true,
    };

    /* The operator names the server: any address is meant as it stands. */
    ZT_TRY(zt_guard_allow(guard, "0.0.0.0/0", err));
    ZT_TRY(zt_guard_allow(guard, "::/0", err));
    zt_auto(client) struct zt_client *client =
        zt_client_new(&(struct zt_client_options){ .guard = guard });
    ZT_TRY(zt_client_call(client, &call, body, &answer, err));
    *ret = answer.status;
    return ZT_OK;
}

static int run(struct zt_args *args)
{
    struct zt_buf body;
    struct zt_err err = { 0 };
    char url[2048];
    int status = 0;

    if (make_url(args, url, sizeof(url), &err) != ZT_OK)
        return zt_command_misused("health", &err);
    zt_buf_init(&body, ANSWER_MAX);
    enum zt_code rc = ask(args->own, url, &body, &status, &err);
    int result = ZT_EXIT_OK;
    if (rc != ZT_OK)
        result = zt_command_failed(url, &err);
    else if (status != 200)
        result = ZT_EXIT_FAILED;
    if (rc == ZT_OK)
        fprintf(status == 200 ? stdout : stderr, "%s\n", body.n > 0 ? body.data : "");
    zt_buf_clear(&body);
    return result;
}

#define AT(member) offsetof(struct own, member)
/* clang-format off */
static const struct zt_setting rows[] = {
    { .name = "url", .kind = ZT_KIND_TEXT, .at = AT(url), .fallback = "", .value = "URL",
      .help = "of the server, as http://127.0.0.1:8080; default: from --listen" },
    { .name = "timeout", .kind = ZT_KIND_DURATION, .at = AT(timeout_us), .fallback = "5s",
      .min = ZT_SECOND_US, .max = 60 * ZT_SECOND_US, .help = "how long it may take to answer" },
};
/* clang-format on */

const struct zt_command zt_command_health = {
    .name = "health",
    .words = "",
    .summary = "ask a running server whether it takes work",
    .about =
        "Asks /readyz and prints the answer. Ends with 0 when the server is ready, with 1 when "
        "it\nanswers that it is not and why, with 5 when it does not answer.\n"
        "\nExamples:\n"
        "  zoetrope health\n"
        "  zoetrope health --url=https://video.example.org\n",
    .bit = ZT_FOR_HEALTH,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .run = run,
};
