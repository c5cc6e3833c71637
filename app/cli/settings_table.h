/*
 * settings_table.h - the table itself, apart from the code that reads by it: settings*.c and what
 * is written for people and shells (man.c, completion.c).
 */
#ifndef ZT_CLI_SETTINGS_TABLE_H
#define ZT_CLI_SETTINGS_TABLE_H

#include <stdio.h>

#include "cli/settings.h"

extern const struct zt_setting zt_settings_table[];
extern const size_t zt_settings_table_n;

/* What stands for the row's value in a text: "N", "FILE", "real|compat"; "" for a bool. */
const char *zt_setting_placeholder(const struct zt_setting *row, char dst[64]);

void zt_setting_put_env(FILE *out, const char *name); /* "max-waiting": ZOETROPE_MAX_WAITING */

/* "serve, worker" */
void zt_setting_put_commands(FILE *out, unsigned commands);

#endif
