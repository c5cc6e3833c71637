/* doctor.c - zoetrope doctor: looks at everything a server needs and says what to do. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/findings.h"
#include "cli/json.h"

struct own {
    bool json;
};

static const char *const words[] = { "ok", "warn", "fail" };

static void format(char *dst, size_t size, const char *fmt, va_list args) ZT_PRINTF(3, 0);
static void format(char *dst, size_t size, const char *fmt, va_list args)
{
    if (vsnprintf(dst, size, fmt, args) < 0)
        *dst = '\0';
}

void zt_found(struct zt_findings *f, enum zt_finding how, const char *check, const char *todo,
              const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    format(text, sizeof(text), fmt, args);
    va_end(args);
    f->n[how]++;
    if (f->json) {
        printf("{\"check\":\"%s\",\"result\":\"%s\",\"text\":", check, words[how]);
        zt_json_put(text);
        printf(",\"todo\":");
        zt_json_put(how == ZT_FINE ? "" : todo);
        printf("}\n");
        return;
    }
    printf("%-5s %-10s %s\n", words[how], check, text);
    if (how != ZT_FINE && *todo != '\0')
        printf("%17s-> %s\n", "", todo);
}

static int run(struct zt_args *args)
{
    const struct own *own = args->own;
    struct zt_findings f = { .config = &args->config, .json = own->json, .arena = &args->arena };

    zt_doctor_settings(&f);
    zt_doctor_data(&f);
    zt_doctor_engine(&f);
    zt_doctor_media(&f);
    zt_doctor_threads(&f);
    zt_doctor_network(&f);
    zt_doctor_tls(&f);
    zt_doctor_clock(&f);
    if (!f.json)
        printf("\n%d ok, %d warnings, %d failures\n", f.n[ZT_FINE], f.n[ZT_WARN], f.n[ZT_WRONG]);
    return f.n[ZT_WRONG] > 0 ? ZT_EXIT_FAILED : ZT_EXIT_OK;
}

static const struct zt_setting rows[] = {
    { .name = "json",
      .kind = ZT_KIND_BOOL,
      .at = offsetof(struct own, json),
      .fallback = "false",
      .help = "one JSON object a line: check, result, text, todo" },
};

const struct zt_command zt_command_doctor = {
    .name = "doctor",
    .words = "",
    .summary = "check this machine and the data folder, and say what to do",
    .about =
        "Takes the settings of zoetrope serve, and looks at them, the data folder, its database,\n"
        "the encoder, the decoder and its sandbox, outgoing connections, the clock and the\n"
        "address to listen on. Beside a running server, too. Writes nothing but a small file\n"
        "that it removes. Exit status 1 when something failed; warnings are no failure.\n"
        "\nExamples:\n"
        "  zoetrope doctor\n"
        "  zoetrope doctor --config=/etc/zoetrope/zoetrope.conf --json\n",
    .bit = ZT_FOR_SERVE | ZT_FOR_WORKER | ZT_FOR_STORE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .run = run,
};
