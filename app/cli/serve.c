/* serve.c - zoetrope serve. */
#include "service/serve.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/notify.h"

static void on_ready(void *user, const struct zt_serve_ready *ready)
{
    (void)user;
    if (ready->key != NULL) {
        printf("This is the first start with the data folder %s.\n"
               "An API key named \"default\" was made. It is shown this once:\n\n"
               "  API key         %s\n"
               "  webhook secret  %s\n\n"
               "The page, with the key in its address (the browser takes it out at once):\n\n"
               "  %s/#key=%s\n\n"
               "Try it, with the address of a picture of yours:\n\n"
               "  curl -s %s/api/v1/jobs/createTask \\\n"
               "    -H 'Authorization: Bearer %s' \\\n"
               "    -H 'Content-Type: application/json' \\\n"
               "    -d '{\"model\":\"bytedance/v1-lite-image-to-video\",\"input\":{"
               "\"prompt\":\"slow push in\",\"image_url\":\"https://example.org/photo.jpg\"}}'\n\n",
               ready->data, ready->key, ready->webhook_secret, ready->url, ready->key, ready->url,
               ready->key);
    }
    printf("zoetrope %s listening on %s\n", ZT_VERSION, ready->url);
    if (isatty(STDOUT_FILENO))
        printf("The page: %s/\n", ready->url);
    fflush(stdout);
    zt_notify("READY=1");
}

struct readings {
    const struct zt_args *first;
    struct zt_args fresh; /* the last one after it */
};

static enum zt_code reread(void *user, struct zt_serve_reread *ret, struct zt_err *err)
{
    struct readings *r = user;

    zt_args_clear(&r->fresh);
    ZT_TRY(zt_args_read(zt_command_serve.bit, &zt_command_serve.options, r->first->given_n,
                        r->first->given, &r->fresh, err));
    *ret = (struct zt_serve_reread){ .config = &r->fresh.config,
                                     .waiting = zt_args_waiting(r->first, &r->fresh) };
    return ZT_OK;
}

static int serve(struct zt_args *args, struct readings *readings)
{
    const struct zt_serve_options options = {
        .config = &args->config,
        .worker_argv = zt_args_for_worker(args),
        .reread = reread,
        .user = readings,
        .on_ready = on_ready,
    };
    struct zt_err err = { 0 };

    if (zt_serve(&options, &err) != ZT_OK) {
        zt_command_failed("serve", &err);
        return err.code == ZT_E_INVALID ? ZT_EXIT_USAGE : ZT_EXIT_FAILED;
    }
    return ZT_EXIT_OK;
}

static int run(struct zt_args *args)
{
    struct readings readings = { .first = args };

    int status = serve(args, &readings);
    zt_args_clear(&readings.fresh);
    return status;
}

const struct zt_command zt_command_serve = {
    .name = "serve",
    .words = "",
    .summary = "answer the HTTP API, run workers, deliver callbacks",
    .about =
        "Prints its address when it is ready; on the very first start also an API key, once.\n"
        "SIGTERM or Ctrl-C ends it in order: requests are answered, tasks in work are finished\n"
        "or put back. A second one ends it at once. Nothing that was accepted is lost either "
        "way.\n"
        "SIGHUP reads the settings again: rates, prices, the queue's length and the log level\n"
        "change at once; what needs a restart is named in the log.\n"
        "\nExamples:\n"
        "  zoetrope serve\n"
        "  zoetrope serve --public-url=https://video.example.org --trusted-proxies=127.0.0.1\n"
        "  ZOETROPE_WORKERS=2 zoetrope serve --data=/var/lib/zoetrope\n",
    .bit = ZT_FOR_SERVE | ZT_FOR_WORKER, /* its workers get what is given here */
    .run = run,
};
