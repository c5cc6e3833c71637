/* main.c - the table of commands, and what all commands share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "service/sandbox.h"

const struct zt_command *const zt_commands[] = {
    &zt_command_serve,  &zt_command_worker,  &zt_command_generate,  &zt_command_keys,
    &zt_command_users,  &zt_command_tasks,   &zt_command_callbacks, &zt_command_explain,
    &zt_command_health, &zt_command_version, &zt_command_backup,    &zt_command_restore,
    &zt_command_doctor, &zt_command_models,
};
const size_t zt_commands_n = ZT_COUNT(zt_commands);

/* ---- errors -------------------------------------------------------------------------------- */

static int exit_status(enum zt_code code)
{
    switch (code) {
    case ZT_OK:
        return ZT_EXIT_OK;
    case ZT_E_INVALID:
    case ZT_E_CORRUPT:
    case ZT_E_LIMIT:
    case ZT_E_UNSUPPORTED:
        return ZT_EXIT_INPUT;
    case ZT_E_NOT_FOUND:
        return ZT_EXIT_NOT_FOUND;
    case ZT_E_IO:
    case ZT_E_FULL:
    case ZT_E_NET:
    case ZT_E_TIMEOUT:
    case ZT_E_DENIED:
        return ZT_EXIT_IO;
    case ZT_E_CANCELLED:
        return ZT_EXIT_STOPPED;
    default:
        return ZT_EXIT_FAILED;
    }
}

int zt_command_failed(const char *what, const struct zt_err *err)
{
    fprintf(stderr, "zoetrope: %s%s%s\n", what, *what ? ": " : "", err->msg);
    if (err->detail[0] != '\0')
        fprintf(stderr, "  (%s)\n", err->detail);
    return exit_status(err->code);
}

int zt_command_misused(const char *command, const struct zt_err *err)
{
    fprintf(stderr, "zoetrope %s: %s\nTry: zoetrope %s --help\n", command, err->msg, command);
    return err->code == ZT_E_NOT_FOUND ? ZT_EXIT_NOT_FOUND : ZT_EXIT_USAGE;
}

/* ---- running ------------------------------------------------------------------------------- */

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run(const struct zt_command *c, int argc, char **argv)
{
    struct zt_args args = { 0 };
    struct zt_err err = { 0 };

    if (asks_for_help(argc, argv)) {
        zt_help_command(stdout, c);
        return ZT_EXIT_OK;
    }
    args.own = zt_calloc_or_die(1, c->own_bytes + 1);
    enum zt_code rc = zt_args_read(c->bit, &c->options, argc, argv, &args, &err);
    if (rc == ZT_OK && args.n < c->min_words)
        rc = zt_fail(&err, ZT_E_INVALID, "something is missing: zoetrope %s %s", c->name, c->words);
    else if (rc == ZT_OK && args.n > c->max_words)
        rc = zt_fail(&err, ZT_E_INVALID, "'%.60s' is one word too many: zoetrope %s %s",
                     args.word[c->max_words], c->name, c->words);
    int status;
    if (rc == ZT_OK) {
        zt_log_set_level((enum zt_log_level)args.config.log_level);
        zt_log_set_format((enum zt_log_format)args.config.log_format);
        status = c->run(&args);
    } else {
        status = zt_command_misused(c->name, &err);
    }
    free(args.own);
    zt_args_clear(&args);
    return status;
}

int main(int argc, char **argv)
{
    zt_sandbox_enter(argc, argv);
    if (argc < 2) {
        zt_help_all(stderr);
        return ZT_EXIT_USAGE;
    }
    const char *name = argv[1];
    int status;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        status = zt_help(argc - 2, argv + 2);
    else if (strcmp(name, "--version") == 0)
        status = run(&zt_command_version, 0, NULL);
    else if (zt_command_find(name) != NULL)
        status = run(zt_command_find(name), argc - 2, argv + 2);
    else
        status = zt_help_unknown(name);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("zoetrope: standard output could not be written\n", stderr);
        return status == ZT_EXIT_OK ? ZT_EXIT_IO : status;
    }
    return status;
}
