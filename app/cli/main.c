/* main.c - the table of commands, help, and what all commands share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "service/sandbox.h"

static const struct zt_command *const commands[] = {
    &zt_command_serve, &zt_command_worker,  &zt_command_generate, &zt_command_keys,
    &zt_command_tasks, &zt_command_explain, &zt_command_version,
};

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

/* ---- help ---------------------------------------------------------------------------------- */

static void put_exit_statuses(FILE *out)
{
    fputs("\nExit status: 0 done, 1 failed, 2 wrong usage, 3 the image or prompt cannot be used,\n"
          "4 no such file, task or key, 5 disk or network, 130 stopped by a signal.\n",
          out);
}

static void put_help(FILE *out)
{
    fputs("zoetrope turns a still image and a prompt into a video.\n\nUsage: zoetrope COMMAND ...\n"
          "\nCommands:\n",
          out);
    for (size_t i = 0; i < ZT_COUNT(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("  help       this text; help COMMAND; help settings prints them all as Markdown\n"
          "\nExamples:\n"
          "  zoetrope generate photo.jpg \"slow push in, fog drifts\" -o out.mp4\n"
          "  zoetrope serve\n",
          out);
    put_exit_statuses(out);
}

static void put_command_help(FILE *out, const struct zt_command *c)
{
    fprintf(out, "zoetrope %s: %s\n\nUsage: zoetrope %s%s%s [FLAGS]\n\n%s", c->name, c->summary,
            c->name, *c->words ? " " : "", c->words, c->about);
    zt_settings_help(out, c->bit, &c->options);
    put_exit_statuses(out);
}

static const struct zt_command *find(const char *name)
{
    for (size_t i = 0; i < ZT_COUNT(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[ZT_COUNT(commands) + 1];

    for (size_t i = 0; i < ZT_COUNT(commands); i++)
        names[i] = commands[i]->name;
    names[ZT_COUNT(commands)] = "help";
    const char *near = zt_nearest(name, names, ZT_COUNT(names));
    fprintf(stderr, "zoetrope: unknown command '%.60s'%s%s%s\nTry: zoetrope --help\n", name,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return ZT_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc == 0) {
        put_help(stdout);
        return ZT_EXIT_OK;
    }
    if (strcmp(argv[0], "settings") == 0) {
        zt_settings_markdown(stdout);
        return ZT_EXIT_OK;
    }
    const struct zt_command *c = find(argv[0]);
    if (c == NULL)
        return unknown_command(argv[0]);
    put_command_help(stdout, c);
    return ZT_EXIT_OK;
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
        put_command_help(stdout, c);
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
        put_help(stderr);
        return ZT_EXIT_USAGE;
    }
    const char *name = argv[1];
    int status;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        status = help(argc - 2, argv + 2);
    else if (strcmp(name, "--version") == 0)
        status = run(&zt_command_version, 0, NULL);
    else if (find(name) != NULL)
        status = run(find(name), argc - 2, argv + 2);
    else
        status = unknown_command(name);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("zoetrope: standard output could not be written\n", stderr);
        return status == ZT_EXIT_OK ? ZT_EXIT_IO : status;
    }
    return status;
}
