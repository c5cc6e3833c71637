/*
 * man.c - manual pages in mdoc(7), from the tables that the program runs by: commands, flags,
 * settings, exit statuses. Nothing here knows a command or a setting by name.
 *
 * A command's `about` is plain text with a little form, which becomes macros: lines up to an empty
 * one are a paragraph; "word  text" is an item of a list; indented lines are literal; what follows
 * "Example:" goes to the section EXAMPLES.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/settings_table.h"

#define PROGRAM "zoetrope"
#define CONF    "zoetrope.conf"

/* ---- text ---------------------------------------------------------------------------------- */

/* n bytes of text where roff sees nothing special; `start`: of an input line. */
static void put_n(FILE *out, const char *s, size_t n, bool start)
{
    for (size_t i = 0; i < n; i++) {
        bool word_start = i == 0 || s[i - 1] == ' ' || s[i - 1] == '-' || s[i - 1] == '\'';
        if (s[i] == '\\')
            fputs("\\e", out);
        else if (s[i] == '-' && (word_start || i + 1 == n))
            fputs("\\-", out); /* a flag: to be copied as it stands */
        else if (start && i == 0 && (s[i] == '.' || s[i] == '\''))
            fprintf(out, "\\&%c", s[i]);
        else
            fputc(s[i], out);
    }
}

/* n bytes of text and its end ("" or "."); each sentence begins an input line, as mdoc likes it. */
static void put_text(FILE *out, const char *s, size_t n, const char *end)
{
    size_t from = 0;

    for (size_t i = 2; i + 2 < n; i++) {
        bool ends = s[i] == '.' && strchr(" .", s[i - 1]) == NULL && s[i + 1] == ' ' &&
                    isupper((unsigned char)s[i + 2]);
        if (!ends)
            continue;
        put_n(out, s + from, i + 1 - from, true);
        fputc('\n', out);
        from = i + 2;
    }
    put_n(out, s + from, n - from, true);
    fprintf(out, "%s\n", end);
}

/* ---- a command's about --------------------------------------------------------------------- */

enum mode { PLAIN, PARAGRAPH, LIST, LITERAL };

static void leave(FILE *out, enum mode *mode)
{
    if (*mode == LIST)
        fputs(".El\n", out);
    else if (*mode == LITERAL)
        fputs(".Ed\n", out);
    *mode = PLAIN;
}

static void enter(FILE *out, enum mode *mode, enum mode wanted, bool *first)
{
    if (*mode == wanted)
        return;
    leave(out, mode);
    if (wanted == LIST)
        fputs(".Bl -tag -width Ds\n", out);
    else if (wanted == LITERAL)
        fputs(".Bd -literal -offset indent\n", out);
    else if (!*first)
        fputs(".Pp\n", out);
    *first = false;
    *mode = wanted;
}

/* "word  text": the length of the word; 0: not such a line. */
static size_t item_word(const char *line, size_t n)
{
    size_t w = 0;

    while (w < n && (islower((unsigned char)line[w]) || line[w] == '-'))
        w++;
    return w > 0 && w + 2 < n && line[w] == ' ' && line[w + 1] == ' ' ? w : 0;
}

static void put_about_line(FILE *out, const char *line, size_t n, enum mode *mode, bool *first)
{
    size_t w = item_word(line, n);

    if (n == 0) {
        leave(out, mode);
    } else if (line[0] == ' ' && *mode == LIST) {
        size_t skip = strspn(line, " ");
        put_text(out, line + skip, n - skip, "");
    } else if (line[0] == ' ') {
        size_t skip = n > 2 ? 2 : 1;
        enter(out, mode, LITERAL, first);
        put_n(out, line + skip, n - skip, true);
        fputc('\n', out);
    } else if (w > 0) {
        size_t skip = w + strspn(line + w, " ");
        enter(out, mode, LIST, first);
        fprintf(out, ".It Cm %.*s\n", (int)w, line);
        put_text(out, line + skip, n - skip, "");
    } else {
        enter(out, mode, PARAGRAPH, first);
        put_text(out, line, n, "");
    }
}

/* The part of an about before its examples, or the examples. */
static void put_about(FILE *out, const char *about, bool examples, bool first)
{
    enum mode mode = PLAIN;
    bool in_examples = false;

    while (*about != '\0') {
        size_t n = strcspn(about, "\n");
        if (zt_starts_with(about, "Example") && about[n - 1] == ':')
            in_examples = true;
        else if (in_examples == examples)
            put_about_line(out, about, n, &mode, &first);
        about += n + (about[n] == '\n');
    }
    leave(out, &mode);
}

/* ---- flags and settings -------------------------------------------------------------------- */

static void put_flag_head(FILE *out, const struct zt_setting *row)
{
    char words[64] = "";
    const char *value = zt_setting_placeholder(row, words);

    fputs(".It ", out);
    if (row->letter != '\0')
        fprintf(out, "Fl %c , ", row->letter);
    fprintf(out, "Fl \\-%s%s%s\n", row->name, *value ? " Ns = Ns Ar " : "", value);
}

static void put_row_text(FILE *out, const struct zt_setting *row)
{
    fputc(islower((unsigned char)row->help[0]) ? toupper((unsigned char)row->help[0])
                                               : row->help[0],
          out);
    put_text(out, row->help + 1, strlen(row->help + 1), ".");
    if (row->fallback != NULL && *row->fallback != '\0' && row->kind != ZT_KIND_BOOL) {
        fputs("Default:\n.Li ", out);
        put_n(out, row->fallback, strlen(row->fallback), false);
        fputs(" .\n", out);
    }
}

static bool shown(const struct zt_setting *row, unsigned bit)
{
    return (row->commands & bit) != 0 && (row->commands & ZT_FOR_HIDDEN) == 0;
}

static void put_flags(FILE *out, const struct zt_command *c)
{
    bool any = false;

    for (size_t i = 0; i < c->options.n; i++) {
        if (i == 0)
            fputs(".Pp\nFlags of this command:\n.Bl -tag -width Ds\n", out);
        put_flag_head(out, &c->options.rows[i]);
        put_row_text(out, &c->options.rows[i]);
    }
    if (c->options.n > 0)
        fputs(".El\n", out);
    for (size_t i = 0; i < zt_settings_table_n; i++) {
        const struct zt_setting *row = &zt_settings_table[i];
        if (!shown(row, c->bit))
            continue;
        if (!any)
            fputs(".Pp\nSettings, which can also come from the environment or a file, see\n"
                  ".Xr " CONF " 5 :\n.Bl -tag -width Ds\n",
                  out);
        any = true;
        put_flag_head(out, row);
        put_row_text(out, row);
    }
    if (any)
        fputs(".El\n", out);
}

/* ---- what the pages share ------------------------------------------------------------------ */

static void put_date(FILE *out)
{
    static const char *const months[] = { "January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December" };
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    int64_t seconds = 0;
    struct tm tm;

    if (epoch == NULL || !zt_parse_int(epoch, 0, INT64_C(253402300799), &seconds)) {
        fputs(".Dd\n", out);
        return;
    }
    time_t t = (time_t)seconds;
    gmtime_r(&t, &tm);
    fprintf(out, ".Dd %s %d, %d\n", months[tm.tm_mon], tm.tm_mday, tm.tm_year + 1900);
}

static void put_head(FILE *out, const char *page, int section, const char *summary)
{
    fprintf(out, ".\\\" Made by zoetrope help man from the program's own tables.\n");
    put_date(out);
    fputs(".Dt ", out);
    for (const char *p = page; *p != '\0'; p++)
        fputc(toupper((unsigned char)*p), out);
    fprintf(out, " %d\n.Os zoetrope " ZT_VERSION "\n.Sh NAME\n.Nm %s\n.Nd %s\n", section, page,
            summary);
}

static void put_exits(FILE *out)
{
    const char *meaning;
    int status = 0;

    fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n", out);
    for (size_t i = 0; (meaning = zt_help_exit(i, &status)) != NULL; i++)
        fprintf(out, ".It %d\n%c%s.\n", status, toupper((unsigned char)*meaning), meaning + 1);
    fputs(".El\n", out);
}

/* ".Xr a 1 ,\n.Xr b 1": every page but `self`; mdoc wants them by section, then name. */
static int by_name(const void *a, const void *b)
{
    const struct zt_command *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void put_see_also(FILE *out, const char *self, bool conf)
{
    const struct zt_command *sorted[64];
    const char *glue = "";

    zt_assert(zt_commands_n <= ZT_COUNT(sorted));
    memcpy(sorted, zt_commands, zt_commands_n * sizeof(const struct zt_command *));
    qsort(sorted, zt_commands_n, sizeof(const struct zt_command *), by_name);
    fputs(".Sh SEE ALSO\n", out);
    if (*self != '\0') {
        fputs(".Xr " PROGRAM " 1", out);
        glue = " ,\n";
    }
    for (size_t i = 0; i < zt_commands_n; i++) {
        if (strcmp(sorted[i]->name, self) == 0)
            continue;
        fprintf(out, "%s.Xr " PROGRAM "-%s 1", glue, sorted[i]->name);
        glue = " ,\n";
    }
    fprintf(out, "%s\n", conf ? " ,\n.Xr " CONF " 5" : "");
}

/* ---- the pages ----------------------------------------------------------------------------- */

static void put_program_page(FILE *out)
{
    put_head(out, PROGRAM, 1, "turn a still image and a prompt into a video");
    fputs(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar words\n.Op Ar flags\n.Nm\n.Cm help\n"
          ".Op Ar command | Cm settings | Cm man Ar page | Cm completion Ar shell\n"
          ".Sh DESCRIPTION\n.Nm\nmakes videos from pictures: on the command line, or as a service "
          "behind an HTTP API.\nIts commands:\n.Bl -tag -width Ds\n",
          out);
    for (size_t i = 0; i < zt_commands_n; i++)
        fprintf(out, ".It Cm %s\n%c%s; see\n.Xr " PROGRAM "-%s 1 .\n", zt_commands[i]->name,
                toupper((unsigned char)zt_commands[i]->summary[0]), zt_commands[i]->summary + 1,
                zt_commands[i]->name);
    fputs(".It Cm help\nPrint a short help; of a command, if one is named;\n.Cm settings :\n"
          "all settings as Markdown;\n.Cm man :\nthese pages;\n.Cm completion :\n"
          "a script that makes\n.Xr bash 1 ,\n.Xr zsh 1\nor\n.Xr fish 1\n"
          "complete command lines.\n.El\n"
          ".Sh ENVIRONMENT\nEach setting has a variable; see\n.Xr " CONF " 5 .\n"
          ".Bl -tag -width Ds\n.It Ev ZOETROPE_CONFIG\nThe file that settings are read from.\n"
          ".It Ev XDG_DATA_HOME , HOME\nWhere the data folder is, when none is named.\n.El\n"
          ".Sh FILES\n.Bl -tag -width Ds\n.It Pa ~/.local/share/zoetrope\n"
          "The data folder, when none is named: the database, results, uploads.\n"
          ".It Pa /etc/zoetrope/zoetrope.conf\nThe settings of the system service.\n"
          ".It Pa /var/lib/zoetrope\nThe data folder of the system service.\n.El\n",
          out);
    put_exits(out);
    fputs(".Sh EXAMPLES\n.Bd -literal -offset indent\n"
          "zoetrope generate photo.jpg \"slow push in, fog drifts\" \\-o out.mp4\n"
          "zoetrope serve\n.Ed\n",
          out);
    put_see_also(out, "", true);
}

/* "create|list|reset [NAME]": lower-case words are typed as they stand. */
static void put_words(FILE *out, const char *words)
{
    while (*words != '\0') {
        size_t n = strcspn(words, " ");
        bool optional = words[0] == '[';
        size_t inner = optional && n > 2 ? n - 2 : n;
        const char *from = words + optional;
        fprintf(out, optional ? ".Op " : ".");
        for (const char *glue = ""; inner > 0; glue = " | ") {
            size_t part = strcspn(from, "| ");
            part = part < inner ? part : inner;
            fprintf(out, "%s%s %.*s", glue, islower((unsigned char)*from) ? "Cm" : "Ar", (int)part,
                    from);
            from += part + 1;
            inner -= part < inner ? part + 1 : part;
        }
        fputc('\n', out);
        words += n;
        words += strspn(words, " ");
    }
}

static void put_command_page(FILE *out, const struct zt_command *c)
{
    char page[80];

    zt_assert(zt_format(page, sizeof(page), PROGRAM "-%s", c->name));
    put_head(out, page, 1, c->summary);
    fprintf(out, ".Sh SYNOPSIS\n.Nm " PROGRAM "\n.Cm %s\n", c->name);
    put_words(out, c->words);
    fputs(".Op Ar flags\n.Sh DESCRIPTION\n", out);
    fprintf(out, "%c%s.\n", toupper((unsigned char)c->summary[0]), c->summary + 1);
    put_about(out, c->about, false, false);
    put_flags(out, c);
    put_exits(out);
    if (strstr(c->about, "Example") != NULL) {
        fputs(".Sh EXAMPLES\n", out);
        put_about(out, c->about, true, true);
    }
    put_see_also(out, c->name, true);
}

static void put_conf_page(FILE *out)
{
    put_head(out, CONF, 5, "settings of zoetrope");
    fputs(".Sh DESCRIPTION\nNo setting is needed for the default run.\nEach one can be given as a "
          "flag, as an environment variable, or as a line\n.Ql name = value\nof the file named "
          "with\n.Fl \\-config\nor\n.Ev ZOETROPE_CONFIG .\n"
          "Lines that begin with\n.Ql #\nare comments.\n"
          "Flags win over the environment, which wins over the file.\n.Pp\n"
          "Times are written\n.Li 500ms , 30s , 10m , 2h , 7d ;\nsizes\n"
          ".Li 512 , 64K , 10M , 2G\n(powers of 1024).\n.Bl -tag -width Ds\n",
          out);
    for (size_t i = 0; i < zt_settings_table_n; i++) {
        const struct zt_setting *row = &zt_settings_table[i];
        char words[64] = "";
        if (!shown(row, ~0u) || strcmp(row->name, "config") == 0)
            continue;
        const char *value = zt_setting_placeholder(row, words);
        fprintf(out, ".It Ic %s No = Ar %s , Ev ", row->name, *value ? value : "true|false");
        zt_setting_put_env(out, row->name);
        fputc('\n', out);
        put_row_text(out, row);
        if (row->kind == ZT_KIND_BOOL)
            fprintf(out, "Default:\n.Li %s .\n", row->fallback ? row->fallback : "false");
        fputs("For: ", out);
        zt_setting_put_commands(out, row->commands);
        fputs(".\n", out);
    }
    fputs(".El\n.Sh EXAMPLES\n.Bd -literal -offset indent\n# /etc/zoetrope/zoetrope.conf\n"
          "data = /var/lib/zoetrope\nlisten = 127.0.0.1:8080\nworkers = 2\n.Ed\n",
          out);
    put_see_also(out, "\n", false); /* no command has that name: all of them */
}

void zt_man_list(FILE *out)
{
    fputs(PROGRAM ".1\n", out);
    for (size_t i = 0; i < zt_commands_n; i++)
        fprintf(out, PROGRAM "-%s.1\n", zt_commands[i]->name);
    fputs(CONF ".5\n", out);
}

bool zt_man_page(FILE *out, const char *name)
{
    if (strcmp(name, PROGRAM ".1") == 0) {
        put_program_page(out);
        return true;
    }
    if (strcmp(name, CONF ".5") == 0) {
        put_conf_page(out);
        return true;
    }
    for (size_t i = 0; i < zt_commands_n; i++) {
        char page[80];
        zt_assert(zt_format(page, sizeof(page), PROGRAM "-%s.1", zt_commands[i]->name));
        if (strcmp(page, name) == 0) {
            put_command_page(out, zt_commands[i]);
            return true;
        }
    }
    return false;
}
