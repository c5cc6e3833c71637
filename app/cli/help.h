/* help.h - what the program says about itself: to people, to man and to shells. */
#ifndef ZT_CLI_HELP_H
#define ZT_CLI_HELP_H

#include <stdbool.h>
#include <stdio.h>

struct zt_command;

const struct zt_command *zt_command_find(const char *name); /* NULL: no such command */

void zt_help_all(FILE *out);
void zt_help_command(FILE *out, const struct zt_command *command);

/* zoetrope help [...]; returns the exit status. */
int zt_help(int argc, char **argv);

/* "unknown command", with a guess, on standard error; ZT_EXIT_USAGE. */
int zt_help_unknown(const char *name);

/* What the exit statuses mean, NULL past the last; *ret_status gets the number. */
const char *zt_help_exit(size_t i, int *ret_status);

/* ---- man.c --------------------------------------------------------------------------------- */

/* The names of the manual pages, one a line: "zoetrope.1", "zoetrope-serve.1", ... */
void zt_man_list(FILE *out);

/*
 * One of them, in mdoc(7). The date is SOURCE_DATE_EPOCH's, so that the same source gives the same
 * page. False: there is no such page.
 */
bool zt_man_page(FILE *out, const char *name);

/* ---- completion.c -------------------------------------------------------------------------- */

extern const char *const zt_completion_shells[]; /* NULL at the end */

/* The script that makes a shell complete our command lines. False: no such shell. */
bool zt_completion(FILE *out, const char *shell);

#endif
