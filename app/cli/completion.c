/*
 * completion.c - scripts that make shells complete our command lines, from the tables that the
 * program runs by. Each shell gets what its own language is good at; none calls the program.
 */
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/settings_table.h"

const char *const zt_completion_shells[] = { "bash", "zsh", "fish", NULL };

/* ---- what there is to complete ------------------------------------------------------------- */

enum value { VALUE_NONE, VALUE_WORDS, VALUE_FILE, VALUE_FOLDER, VALUE_OTHER };

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

static enum value value_of(const struct zt_setting *row)
{
    static const char *const files[] = { "FILE", "IMAGE", NULL };
    static const char *const folders[] = { "FOLDER", NULL };
    char words[64] = "";

    if (row->kind == ZT_KIND_BOOL)
        return VALUE_NONE;
    if (row->kind == ZT_KIND_WORD)
        return VALUE_WORDS;
    if (is_one_of(zt_setting_placeholder(row, words), files))
        return VALUE_FILE;
    return is_one_of(zt_setting_placeholder(row, words), folders) ? VALUE_FOLDER : VALUE_OTHER;
}

/* The i-th flag of a command: its own rows, then the settings it takes. NULL past the last. */
static const struct zt_setting *flag_of(const struct zt_command *c, size_t i)
{
    if (i < c->options.n)
        return &c->options.rows[i];
    i -= c->options.n;
    for (size_t k = 0; k < zt_settings_table_n; k++) {
        const struct zt_setting *row = &zt_settings_table[k];
        if ((row->commands & c->bit) == 0 || (row->commands & ZT_FOR_HIDDEN) != 0)
            continue;
        if (i-- == 0)
            return row;
    }
    return NULL;
}

/* Whether a command's first word is one of a few ("list|show [ID]"). */
static bool has_actions(const struct zt_command *c)
{
    return islower((unsigned char)c->words[0]) != 0;
}

static void put_actions(FILE *out, const struct zt_command *c)
{
    for (const char *p = c->words; *p != '\0' && *p != ' '; p++)
        fputc(*p == '|' ? ' ' : *p, out);
}

/* Whether its words can be files. */
static bool takes_files(const struct zt_command *c)
{
    return strstr(c->words, "IMAGE") != NULL || strstr(c->words, "FILE") != NULL ||
           strstr(c->words, "FOLDER") != NULL;
}

static void put_choices(FILE *out, const struct zt_setting *row)
{
    for (size_t i = 0; row->words[i] != NULL; i++)
        fprintf(out, "%s%s", i ? " " : "", row->words[i]);
}

static void put_shells(FILE *out)
{
    for (size_t i = 0; zt_completion_shells[i] != NULL; i++)
        fprintf(out, "%s%s", i ? " " : "", zt_completion_shells[i]);
}

static void put_commands(FILE *out)
{
    for (size_t i = 0; i < zt_commands_n; i++)
        fprintf(out, "%s ", zt_commands[i]->name);
    fputs("help", out);
}

/* ---- bash ---------------------------------------------------------------------------------- */

static void put_bash_command(FILE *out, const struct zt_command *c)
{
    const struct zt_setting *row;

    fprintf(out, "    %s)\n        flags='--help", c->name);
    for (size_t i = 0; (row = flag_of(c, i)) != NULL; i++)
        fprintf(out, " --%s%s", row->name, row->kind == ZT_KIND_BOOL ? "" : "=");
    fputs("'\n", out);
    if (has_actions(c)) {
        fputs("        [[ $place -eq 1 ]] && words='", out);
        put_actions(out, c);
        fputs("'\n", out);
    } else if (takes_files(c)) {
        fputs("        files=yes\n", out);
    }
    fputs("        case $flag in\n", out);
    for (size_t i = 0; (row = flag_of(c, i)) != NULL; i++) {
        enum value value = value_of(row);
        if (value == VALUE_NONE)
            continue;
        fprintf(out, "        --%s", row->name);
        if (row->letter != '\0')
            fprintf(out, "|-%c", row->letter);
        fputs(") kind=", out);
        fputs(value == VALUE_WORDS    ? "words"
              : value == VALUE_FILE   ? "file"
              : value == VALUE_FOLDER ? "folder"
                                      : "other",
              out);
        if (value == VALUE_WORDS) {
            fputs(" words='", out);
            put_choices(out, row);
            fputs("'", out);
        }
        fputs(" ;;\n", out);
    }
    fputs("        esac ;;\n", out);
}

/*
 * Where "=" breaks words, --flag=value arrives as three; flag and cur are what stands left and
 * right of it either way. place: which word that is no flag the cursor is at, 1 after the command.
 */
static const char bash_head[] =
    "# bash completion for zoetrope; made by: zoetrope help completion bash\n"
    "_zoetrope()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev='' flag='' kind='' flags='' words='' files=''\n"
    "    local left='' place=0 i\n"
    "    COMPREPLY=()\n"
    "    ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    if [[ $cur == = ]]; then\n"
    "        flag=$prev cur=''\n"
    "    elif [[ $prev == = ]]; then\n"
    "        flag=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    elif [[ $cur == --*=* ]]; then\n"
    "        flag=${cur%%=*} left=${cur%%=*}= cur=${cur#*=}\n"
    "    elif [[ $prev == -* ]]; then\n"
    "        flag=$prev\n"
    "    fi\n"
    "    for ((i = 2; i <= COMP_CWORD; i++)); do\n"
    "        [[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i]} == = || ${COMP_WORDS[i-1]} == = ]] ||\n"
    "            ((place++))\n"
    "    done\n";

static const char bash_tail[] =
    "    esac\n"
    "    if [[ -n $kind ]]; then\n"
    "        case $kind in\n"
    "        words) COMPREPLY=($(compgen -P \"$left\" -W \"$words\" -- \"$cur\")) ;;\n"
    "        file) compopt -o filenames 2>/dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -P \"$left\" -f -- \"$cur\") ;;\n"
    "        folder) compopt -o filenames 2>/dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -P \"$left\" -d -- \"$cur\") ;;\n"
    "        esac\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
    "        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace "
    "2>/dev/null\n"
    "    elif [[ -n $files ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "    else\n"
    "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "    fi\n"
    "    return 0\n"
    "}\n"
    "complete -F _zoetrope zoetrope\n";

static void put_bash(FILE *out)
{
    fputs(bash_head, out);
    fputs("    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '", out);
    put_commands(out);
    fputs(" --help --version' -- \"$cur\"))\n        return 0\n    fi\n"
          "    case ${COMP_WORDS[1]} in\n",
          out);
    for (size_t i = 0; i < zt_commands_n; i++)
        put_bash_command(out, zt_commands[i]);
    fputs("    help)\n        [[ $place -eq 1 ]] && words='settings errors man completion ", out);
    put_commands(out);
    fputs("'\n        [[ $place -eq 2 && $prev == completion ]] && words='", out);
    put_shells(out);
    fputs("' ;;\n", out);
    fputs(bash_tail, out);
}

/* ---- zsh ----------------------------------------------------------------------------------- */

/* Inside single quotes and an _arguments specification: brackets and colons mean something. */
static void put_zsh_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text) != NULL)
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void put_zsh_flag(FILE *out, const struct zt_setting *row)
{
    char words[64] = "";
    enum value value = value_of(row);

    if (row->letter != '\0')
        fprintf(out, "      '(-%c --%s)'{-%c,--%s%s}'[", row->letter, row->name, row->letter,
                row->name, value == VALUE_NONE ? "" : "=");
    else
        fprintf(out, "      '--%s%s[", row->name, value == VALUE_NONE ? "" : "=");
    put_zsh_text(out, row->help);
    fputs("]", out);
    if (value != VALUE_NONE) {
        fputs(":", out);
        put_zsh_text(out, value == VALUE_WORDS ? row->name : zt_setting_placeholder(row, words));
        fputs(":", out);
    }
    if (value == VALUE_WORDS) {
        fputs("(", out);
        put_choices(out, row);
        fputs(")", out);
    } else if (value == VALUE_FILE) {
        fputs("_files", out);
    } else if (value == VALUE_FOLDER) {
        fputs("_files -/", out);
    }
    fputs("' \\\n", out);
}

static void put_zsh(FILE *out)
{
    const struct zt_setting *row;

    fputs("#compdef zoetrope\n# made by: zoetrope help completion zsh\n\n_zoetrope() {\n"
          "  local -a commands\n  commands=(\n",
          out);
    for (size_t i = 0; i < zt_commands_n; i++) {
        fprintf(out, "    '%s:", zt_commands[i]->name);
        put_zsh_text(out, zt_commands[i]->summary);
        fputs("'\n", out);
    }
    fputs("    'help:show help'\n  )\n  if (( CURRENT == 2 )); then\n"
          "    _describe command commands\n    return\n  fi\n  shift words\n  (( CURRENT-- ))\n"
          "  case $words[1] in\n",
          out);
    for (size_t i = 0; i < zt_commands_n; i++) {
        const struct zt_command *c = zt_commands[i];
        fprintf(out, "  %s)\n    _arguments -S \\\n      '--help[show help]' \\\n", c->name);
        for (size_t k = 0; (row = flag_of(c, k)) != NULL; k++)
            put_zsh_flag(out, row);
        if (has_actions(c)) {
            fputs("      '1:action:(", out);
            put_actions(out, c);
            fputs(")' '*:: :'\n", out);
        } else {
            fputs(takes_files(c) ? "      '*:file:_files'\n" : "      '*:word: '\n", out);
        }
        fputs("    ;;\n", out);
    }
    fputs("  help)\n    _arguments '1:topic:(settings errors man completion ", out);
    put_commands(out);
    fputs(")' '2:shell:(", out);
    put_shells(out);
    fputs(")'\n    ;;\n  esac\n}\n\n_zoetrope \"$@\"\n", out);
}

/* ---- fish ---------------------------------------------------------------------------------- */

static void put_fish_text(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void put_fish_flag(FILE *out, const struct zt_command *c, const struct zt_setting *row)
{
    fprintf(out, "complete -c zoetrope -n '__fish_seen_subcommand_from %s' -l %s", c->name,
            row->name);
    if (row->letter != '\0')
        fprintf(out, " -s %c", row->letter);
    switch (value_of(row)) {
    case VALUE_NONE:
        break;
    case VALUE_WORDS:
        fputs(" -x -a '", out);
        put_choices(out, row);
        fputs("'", out);
        break;
    case VALUE_FILE:
        fputs(" -r -F", out);
        break;
    case VALUE_FOLDER:
        fputs(" -x -a '(__fish_complete_directories)'", out);
        break;
    case VALUE_OTHER:
        fputs(" -x", out);
        break;
    }
    fputs(" -d ", out);
    put_fish_text(out, row->help);
    fputc('\n', out);
}

static void put_fish(FILE *out)
{
    const struct zt_setting *row;

    fputs("# fish completion for zoetrope; made by: zoetrope help completion fish\n"
          "complete -c zoetrope -f\n",
          out);
    for (size_t i = 0; i < zt_commands_n; i++) {
        const struct zt_command *c = zt_commands[i];
        fprintf(out, "\ncomplete -c zoetrope -n __fish_use_subcommand -a %s -d ", c->name);
        put_fish_text(out, c->summary);
        fputc('\n', out);
        if (has_actions(c)) {
            fprintf(out,
                    "complete -c zoetrope -n '__fish_seen_subcommand_from %s; and not "
                    "__fish_seen_subcommand_from ",
                    c->name);
            put_actions(out, c);
            fputs("' -a '", out);
            put_actions(out, c);
            fputs("'\n", out);
        } else if (takes_files(c)) {
            fprintf(out, "complete -c zoetrope -n '__fish_seen_subcommand_from %s' -F\n", c->name);
        }
        for (size_t k = 0; (row = flag_of(c, k)) != NULL; k++)
            put_fish_flag(out, c, row);
    }
    fputs("\ncomplete -c zoetrope -n __fish_use_subcommand -a help -d 'show help'\n"
          "complete -c zoetrope -n '__fish_seen_subcommand_from help' "
          "-a 'settings errors man completion ",
          out);
    put_commands(out);
    fputs("'\n", out);
}

bool zt_completion(FILE *out, const char *shell)
{
    static void (*const put[])(FILE *) = { put_bash, put_zsh, put_fish };

    _Static_assert(ZT_COUNT(zt_completion_shells) == ZT_COUNT(put) + 1, "one for each shell");
    for (size_t i = 0; i < ZT_COUNT(put); i++) {
        if (strcmp(zt_completion_shells[i], shell) == 0) {
            put[i](out);
            return true;
        }
    }
    return false;
}
