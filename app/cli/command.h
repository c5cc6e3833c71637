/*
 * command.h - what a subcommand is. One file each exports one of these; main.c lists them.
 */
#ifndef ZT_CLI_COMMAND_H
#define ZT_CLI_COMMAND_H

#include "cli/settings.h"

/* What the program ends with; --help says so too. */
enum {
    ZT_EXIT_OK = 0,
    ZT_EXIT_FAILED = 1,
    ZT_EXIT_USAGE = 2,     /* unknown command or flag, a value out of range */
    ZT_EXIT_INPUT = 3,     /* the image or the prompt cannot be used */
    ZT_EXIT_NOT_FOUND = 4, /* no such file, task or key */
    ZT_EXIT_IO = 5,        /* disk or network */
    ZT_EXIT_STOPPED = 130, /* by Ctrl-C or SIGTERM */
};

struct zt_command {
    const char *name;
    const char *words;   /* "IMAGE PROMPT" */
    const char *summary; /* one line */
    const char *about;   /* paragraphs and examples, lines as they are printed */
    unsigned bit;        /* ZT_FOR_...: whose settings it takes */
    struct zt_options options;
    size_t own_bytes; /* of the struct that the options fill */
    int min_words, max_words;
    int (*run)(struct zt_args *args); /* returns the exit status */
};

extern const struct zt_command zt_command_serve, zt_command_worker, zt_command_generate,
    zt_command_keys, zt_command_users, zt_command_tasks, zt_command_callbacks, zt_command_explain,
    zt_command_health, zt_command_version, zt_command_backup, zt_command_restore, zt_command_doctor,
    zt_command_models;

/* All of them, in the order of the help: main.c. */
extern const struct zt_command *const zt_commands[];
extern const size_t zt_commands_n;

/* "zoetrope: <what>: <msg>" on standard error, and the exit status for the code. */
int zt_command_failed(const char *what, const struct zt_err *err);

/* The same for a wrong command line: adds where help is to be had; ZT_EXIT_USAGE. */
int zt_command_misused(const char *command, const struct zt_err *err);

#endif
