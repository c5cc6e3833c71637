/* settings_table.h - the table itself, apart from the code that reads by it: settings*.c alone. */
#ifndef ZT_CLI_SETTINGS_TABLE_H
#define ZT_CLI_SETTINGS_TABLE_H

#include "cli/settings.h"

extern const struct zt_setting zt_settings_table[];
extern const size_t zt_settings_table_n;

#endif
