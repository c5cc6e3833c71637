/* settings_help.c - see settings.h: what the rows look like to people. */
#include <string.h>

#include "base/str.h"
#include "cli/settings.h"
#include "cli/settings_table.h"

#define TEXT_COLUMN 30
#define WIDTH       96

const char *zt_setting_placeholder(const struct zt_setting *row, char dst[64])
{
    size_t n = 0;

    if (row->value != NULL)
        return row->value;
    switch (row->kind) {
    case ZT_KIND_INT:
        return "N";
    case ZT_KIND_DURATION:
        return "TIME";
    case ZT_KIND_BYTES:
        return "SIZE";
    case ZT_KIND_CREDITS:
        return "CREDITS";
    case ZT_KIND_RATE:
        return "N/TIME";
    case ZT_KIND_DURATIONS:
        return "TIME,...";
    case ZT_KIND_WORD:
        for (int i = 0; row->words[i] != NULL && n < 64; i++)
            n += (size_t)snprintf(dst + n, 64 - n, "%s%s", i ? "|" : "", row->words[i]);
        return dst;
    case ZT_KIND_BOOL:
        return "";
    case ZT_KIND_TEXT:
        break;
    }
    return "TEXT";
}

/* text with breaks between words, its lines indented to TEXT_COLUMN; starts at column `at`. */
static void put_wrapped(FILE *out, const char *text, size_t at)
{
    if (at + 2 > TEXT_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", (int)(TEXT_COLUMN - at), "");
    at = TEXT_COLUMN;
    for (bool first = true; *text != '\0'; first = false) {
        size_t n = strcspn(text, " ");
        if (!first && at + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", TEXT_COLUMN, "");
            at = TEXT_COLUMN;
        } else if (!first) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", (int)n, text);
        at += n;
        text += n + (text[n] == ' ');
    }
    fputc('\n', out);
}

static void put_row(FILE *out, const struct zt_setting *row)
{
    char words[64] = "", left[128], text[512];
    const char *value = zt_setting_placeholder(row, words);
    char letter[8] = "    ";

    if (row->letter != '\0')
        zt_assert(zt_format(letter, sizeof(letter), "-%c, ", row->letter));
    zt_assert(
        zt_format(left, sizeof(left), "  %s--%s%s%s", letter, row->name, *value ? "=" : "", value));
    bool show = row->fallback != NULL && *row->fallback != '\0' && row->kind != ZT_KIND_BOOL;
    zt_assert(zt_format(text, sizeof(text), "%s%s%s%s", row->help, show ? " [" : "",
                        show ? row->fallback : "", show ? "]" : ""));
    fputs(left, out);
    put_wrapped(out, text, strlen(left));
}

void zt_settings_help(FILE *out, unsigned command, const struct zt_options *options)
{
    if (options != NULL && options->n > 0) {
        fputs("\nFlags:\n", out);
        for (size_t i = 0; i < options->n; i++)
            put_row(out, &options->rows[i]);
    }
    bool any = false;
    for (size_t i = 0; i < zt_settings_table_n; i++) {
        const struct zt_setting *row = &zt_settings_table[i];
        if ((row->commands & command) == 0 || (row->commands & ZT_FOR_HIDDEN) != 0)
            continue;
        if (!any)
            fputs("\nSettings (each also as ZOETROPE_<NAME>, or in the --config file):\n", out);
        any = true;
        put_row(out, row);
    }
}

void zt_setting_put_env(FILE *out, const char *name)
{
    fputs("ZOETROPE_", out);
    for (; *name != '\0'; name++)
        fputc(*name == '-' ? '_' : *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name, out);
}

void zt_setting_put_commands(FILE *out, unsigned commands)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = { { ZT_FOR_SERVE, "serve" },
                  { ZT_FOR_WORKER, "worker" },
                  { ZT_FOR_GENERATE, "generate" },
                  { ZT_FOR_STORE, "keys, tasks" },
                  { ZT_FOR_HEALTH, "health" } };
    const char *glue = "";

    for (size_t i = 0; i < ZT_COUNT(names); i++) {
        if ((commands & names[i].bit) != 0) {
            fprintf(out, "%s%s", glue, names[i].name);
            glue = ", ";
        }
    }
}

void zt_settings_markdown(FILE *out)
{
    fputs("# Settings\n\n"
          "No setting is needed for the default run. Each one can be given as a flag, as an "
          "environment variable,\nor as a line `name = value` of the file named with `--config` "
          "(or `ZOETROPE_CONFIG`); `#` starts a\ncomment line. Flags win over the environment, "
          "which wins over the file.\n\n"
          "Times are written `500ms`, `30s`, `10m`, `2h`, `7d`; sizes `512`, `64K`, `10M`, `2G` "
          "(powers of 1024).\n\n"
          "This page is made by `zoetrope help settings` from the table that the program reads "
          "its settings by\n(`app/cli/settings_table.c`).\n\n"
          "| flag | environment | default | for | what it does |\n"
          "| --- | --- | --- | --- | --- |\n",
          out);
    for (size_t i = 0; i < zt_settings_table_n; i++) {
        const struct zt_setting *row = &zt_settings_table[i];
        char words[64] = "";
        if ((row->commands & ZT_FOR_HIDDEN) != 0)
            continue;
        const char *value = zt_setting_placeholder(row, words);
        fprintf(out, "| `--%s%s", row->name, *value ? "=" : "");
        for (const char *p = value; *p != '\0'; p++)
            fprintf(out, *p == '|' ? "\\%c" : "%c", *p);
        fputs("` | `", out);
        zt_setting_put_env(out, row->name);
        bool empty = row->fallback == NULL || *row->fallback == '\0';
        fprintf(out, "` | %s%s%s | ", empty ? "" : "`", empty ? "" : row->fallback,
                empty ? "" : "`");
        zt_setting_put_commands(out, row->commands);
        fprintf(out, " | %s |\n", row->help);
    }
}
