/* The table of settings: where a value comes from, and what is said about a wrong one. */
#include "cli/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"

#define ARGS_MAX 8
#define BOTH     (ZT_FOR_SERVE | ZT_FOR_WORKER)

struct own {
    int64_t number;
    bool yes;
    const char *text;
};

static const struct zt_setting own_rows[] = {
    { .name = "number",
      .letter = 'n',
      .kind = ZT_KIND_INT,
      .at = offsetof(struct own, number),
      .fallback = "7",
      .min = 1,
      .max = 9 },
    { .name = "yes", .kind = ZT_KIND_BOOL, .at = offsetof(struct own, yes), .fallback = "false" },
    { .name = "text", .kind = ZT_KIND_TEXT, .at = offsetof(struct own, text), .fallback = "" },
};
static const struct zt_options own_options = { own_rows, ZT_COUNT(own_rows) };

static enum zt_code read_line(unsigned command, const char *const *words, struct own *own,
                              struct zt_args *args, struct zt_err *err)
{
    char *argv[ARGS_MAX];
    int n = 0;

    *args = (struct zt_args){ .own = own };
    *err = (struct zt_err){ 0 };
    for (; words[n] != NULL; n++)
        argv[n] = (char *)words[n];
    return zt_args_read(command, &own_options, n, argv, args, err);
}

static void has_sound_defaults(void)
{
    const char *const none[] = { NULL };
    struct zt_args args;
    struct own own = { 0 };
    struct zt_err err;

    CHECK_INT("reads", read_line(BOTH, none, &own, &args, &err), ZT_OK);
    CHECK_STR("listen", args.config.listen, "127.0.0.1:8080");
    CHECK_INT("lease", args.config.lease_us, 20 * ZT_SECOND_US);
    CHECK_INT("heartbeat", args.config.renew_us, 5 * ZT_SECOND_US);
    CHECK_INT("rate", args.config.rate.n, 20);
    CHECK_INT("window", args.config.rate.window_us, 10 * ZT_SECOND_US);
    CHECK_INT("retries", args.config.callback_retries.n, 9);
    CHECK_INT("first", args.config.callback_retries.us[0], 5 * ZT_SECOND_US);
    int64_t span_us = 0;
    for (int i = 0; i < args.config.callback_retries.n; i++)
        span_us += args.config.callback_retries.us[i];
    CHECK_INT("over three days", span_us / ZT_HOUR_US, 75);
    CHECK_INT("image", args.config.max_image_bytes, 10 << 20);
    CHECK_INT("control", args.config.control_fd, -1);
    CHECK_INT("own", own.number, 7);
    CHECK("data", zt_ends_with(args.config.data, "/zoetrope"));
    zt_args_clear(&args);
}

static void prefers_flag_to_environment_to_file(void)
{
    char path[] = "/tmp/zt-settings-XXXXXX";
    char flag[64];
    const char text[] = "# a comment\n\n  crf = 30\nthreads=3\r\ndrain = 7s\nworkers = 2";
    struct zt_args args;
    struct own own = { 0 };
    struct zt_err err;

    close(mkstemp(path));
    CHECK_INT("writes", zt_file_write(path, text, strlen(text), 0600, NULL), ZT_OK);
    zt_assert(zt_format(flag, sizeof(flag), "--config=%s", path));
    setenv("ZOETROPE_THREADS", "4", 1);
    setenv("ZOETROPE_CRF", "31", 1);
    const char *const words[] = { flag, "--crf=32", NULL };
    CHECK_INT("reads", read_line(BOTH, words, &own, &args, &err), ZT_OK);
    CHECK_INT("flag", args.config.crf, 32);
    CHECK_INT("environment", args.config.threads, 4);
    CHECK_INT("file", args.config.drain_us, 7 * ZT_SECOND_US);
    CHECK_INT("of serve", args.config.workers, 2);
    zt_args_clear(&args);
    CHECK_INT("not of a worker", read_line(ZT_FOR_WORKER, words, &own, &args, &err), ZT_OK);
    CHECK_INT("its own default", args.config.workers, 1);
    zt_args_clear(&args);
    unsetenv("ZOETROPE_THREADS");
    unsetenv("ZOETROPE_CRF");
    unlink(path);
}

static void reads_flags_of_every_form(void)
{
    const char *const words[] = { "a", "-n", "3", "--yes", "--text", "--odd", "--", "--b", NULL };
    const char *const more[] = { "-n4", "--yes", "--no-yes", "-", NULL };
    struct zt_args args;
    struct own own = { 0 };
    struct zt_err err;

    CHECK_INT("reads", read_line(0, words, &own, &args, &err), ZT_OK);
    CHECK_INT("number", own.number, 3);
    CHECK("yes", own.yes);
    CHECK_STR("a value may look like a flag", own.text, "--odd");
    CHECK_INT("words", args.n, 2);
    CHECK_STR("first", args.word[0], "a");
    CHECK_STR("after --", args.word[1], "--b");
    zt_args_clear(&args);
    CHECK_INT("reads more", read_line(0, more, &own, &args, &err), ZT_OK);
    CHECK_INT("joined", own.number, 4);
    CHECK("the last one counts", !own.yes);
    CHECK_STR("a dash is a word", args.word[0], "-");
    zt_args_clear(&args);
}

static void explains_what_is_wrong(void)
{
    static const struct {
        const char *word, *has;
    } rows[] = {
        { "--number=10", "--number must be a whole number from 1 to 9, not '10'" },
        { "--number=", "not ''" },
        { "--number=1x", "not '1x'" },
        { "--number", "--number needs a value" },
        { "--nmber=3", "did you mean --number?" },
        { "--listn=3", "did you mean --listen?" },
        { "--qqqqqqq", "unknown flag --qqqqqqq" },
        { "--no-number", "unknown flag --no-number" },
        { "-x", "unknown flag -x" },
        { "--yes=maybe", "--yes must be true or false" },
        { "--lease=5", "a time from 1s to 1h" },
        { "--lease=25h", "a time from 1s to 1h" },
        { "--heartbeat=15s", "heartbeat must be at most half of lease (10000 ms), not 15000 ms" },
        { "--http-status=fake", "--http-status must be real or compat, not 'fake'" },
        { "--max-image-bytes=1", "a size of at least 1024 bytes" },
        { "--rate-limit=20", "like 20/10s" },
        { "--rate-limit=20/0s", "like 20/10s" },
        { "--callback-retries=5s,,5s", "commas" },
        { "--callback-retries=5s,", "commas" },
        { "--callback-lease=10s", "callback-lease must be longer than callback-timeout" },
        { "--config=/no/such/file", "settings file /no/such/file" },
        { "--workers=65", "from 0 to 64" },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const char *const words[] = { rows[i].word, NULL };
        struct zt_args args;
        struct own own = { 0 };
        struct zt_err err;
        CHECK(rows[i].word, read_line(BOTH, words, &own, &args, &err) != ZT_OK);
        CHECK_HAS(rows[i].word, err.msg, rows[i].has);
        zt_args_clear(&args);
    }
}

static void explains_a_wrong_file(void)
{
    static const struct {
        const char *text, *has;
    } rows[] = {
        { "crf = 5\nlisten\n", "line 2: expected" },
        { "crff = 5\n", "line 1: there is no setting 'crff'; did you mean crf?" },
        { "control-fd = 5\n", "there is no setting 'control-fd'" },
        { "crf = best\n", "crf must be a whole number from 1 to 51, not 'best'" },
        { "crf = 5\xFF\n", "not UTF-8" },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char path[] = "/tmp/zt-settings-XXXXXX";
        char flag[64];
        struct zt_args args;
        struct own own = { 0 };
        struct zt_err err;
        close(mkstemp(path));
        CHECK_INT("writes", zt_file_write(path, rows[i].text, strlen(rows[i].text), 0600, NULL),
                  ZT_OK);
        zt_assert(zt_format(flag, sizeof(flag), "--config=%s", path));
        const char *const words[] = { flag, NULL };
        CHECK_INT(rows[i].text, read_line(BOTH, words, &own, &args, &err), ZT_E_INVALID);
        CHECK_HAS(rows[i].text, err.msg, rows[i].has);
        zt_args_clear(&args);
        unlink(path);
    }
}

static bool contains(const char *const *words, const char *word)
{
    for (; *words != NULL; words++) {
        if (strcmp(*words, word) == 0)
            return true;
    }
    return false;
}

static void hands_settings_to_workers(void)
{
    const char *const words[] = { "--data=/x", "--crf=40", "--listen=127.0.0.1:9", NULL };
    struct zt_args args;
    struct own own = { 0 };
    struct zt_err err;

    CHECK_INT("reads", read_line(BOTH, words, &own, &args, &err), ZT_OK);
    const char *const *argv = zt_args_for_worker(&args);
    CHECK_STR("command", argv[1], "worker");
    CHECK("given", contains(argv, "--data=/x") && contains(argv, "--crf=40"));
    CHECK("defaults too", contains(argv, "--lease=20s"));
    CHECK("not the server's", !contains(argv, "--listen=127.0.0.1:9"));
    int n = 0;
    while (argv[n] != NULL)
        n++;
    struct zt_args again = { .own = &own };
    CHECK_INT("a worker understands",
              zt_args_read(ZT_FOR_WORKER, NULL, n - 2, (char *const *)argv + 2, &again, &err),
              ZT_OK);
    CHECK_INT("the same", again.config.crf, 40);
    zt_args_clear(&again);
    zt_args_clear(&args);
}

int main(void)
{
    RUN(has_sound_defaults);
    RUN(prefers_flag_to_environment_to_file);
    RUN(reads_flags_of_every_form);
    RUN(explains_what_is_wrong);
    RUN(explains_a_wrong_file);
    RUN(hands_settings_to_workers);
    return check_done();
}
