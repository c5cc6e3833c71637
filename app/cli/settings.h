/*
 * settings.h - one table of settings: its rows make --flag, ZOETROPE_FLAG, the file's key, --help
 * and docs/SETTINGS.md. Commands add rows of their own, which are flags only.
 *
 * Flags win over the environment, which wins over the file, which wins over the defaults.
 */
#ifndef ZT_CLI_SETTINGS_H
#define ZT_CLI_SETTINGS_H

#include <stdio.h>

#include "base/arena.h"
#include "service/config.h"

/* What a row's text becomes, and in which member. */
enum zt_kind {
    ZT_KIND_TEXT,      /* const char * */
    ZT_KIND_INT,       /* int64_t within min ... max */
    ZT_KIND_DURATION,  /* int64_t, microseconds within min ... max */
    ZT_KIND_BYTES,     /* int64_t within min ... max */
    ZT_KIND_BOOL,      /* bool; as a flag also without a value, and as --no-<name> */
    ZT_KIND_WORD,      /* int: index into words */
    ZT_KIND_CREDITS,   /* int64_t, thousandths, up to max */
    ZT_KIND_RATE,      /* struct zt_rate: "20/10s", "0" */
    ZT_KIND_DURATIONS, /* struct zt_durations: "5s,5m,2h" */
};

/* Commands a setting means something to. */
enum {
    ZT_FOR_SERVE = 1 << 0,
    ZT_FOR_WORKER = 1 << 1,
    ZT_FOR_GENERATE = 1 << 2,
    ZT_FOR_STORE = 1 << 3,   /* keys, tasks */
    ZT_FOR_HEALTH = 1 << 14, /* health */
    ZT_FOR_HIDDEN = 1 << 15, /* between the program's own processes; in no help */
};

struct zt_setting {
    const char *name; /* "max-waiting": --max-waiting, ZOETROPE_MAX_WAITING, max-waiting = */
    char letter;      /* -o; 0: none */
    enum zt_kind kind;
    size_t at;            /* offset of the member */
    const char *fallback; /* as it would be written; NULL: made by code, or none */
    const char *value;    /* placeholder in the help; NULL: from the kind */
    int64_t min, max;
    const char *const *words;
    unsigned commands;
    bool live; /* a running server takes a change over, on SIGHUP */
    const char *help;
};

/* Rows of one command beside the settings, for its own struct. */
struct zt_options {
    const struct zt_setting *rows;
    size_t n;
};

struct zt_args {
    struct zt_config config;
    void *own;   /* the command's struct; zeroed before defaults are set */
    int given_n; /* the command line, for reading it again */
    char *const *given;
    int n; /* words that are not flags */
    const char *word[64];
    const char **text; /* of each setting of the table, as it was given; NULL: not this command's */
    struct zt_arena arena; /* holds every string */
};

/*
 * Reads the command line after the command's name, the environment and the file. own has room for
 * the command's struct. Fails with ZT_E_INVALID and a message that names flag, value and what is
 * allowed; ZT_E_NOT_FOUND when the named file is not there.
 */
enum zt_code zt_args_read(unsigned command, const struct zt_options *options, int argc,
                          char *const *argv, struct zt_args *ret, struct zt_err *err);

/*
 * The names of settings that differ between two readings for the same command and are not live,
 * with commas; "" when there is none. In fresh->arena.
 */
const char *zt_args_waiting(const struct zt_args *old, struct zt_args *fresh);
void zt_args_clear(struct zt_args *args);

/*
 * The argv for a worker process with the same settings: program, "worker", flags, NULL. Lives in
 * args->arena.
 */
const char *const *zt_args_for_worker(struct zt_args *args);

/* The rows a command knows, aligned, for --help. */
void zt_settings_help(FILE *out, unsigned command, const struct zt_options *options);

/* docs/SETTINGS.md. */
void zt_settings_markdown(FILE *out);

/* "20/10s", or "0" for no limit, as settings of ZT_KIND_RATE have it. */
bool zt_rate_parse(const char *text, struct zt_rate *ret);

/* The name nearest to `word` among n, or NULL when none is near. For "did you mean". */
const char *zt_nearest(const char *word, const char *const *names, size_t n);

#endif
