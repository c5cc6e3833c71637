/* help.c - see help.h: the texts for people, and the topics of "zoetrope help". */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "api/errors.h"
#include "cli/command.h"

static const struct {
    int status;
    const char *meaning;
} exits[] = {
    { ZT_EXIT_OK, "done" },
    { ZT_EXIT_FAILED, "failed" },
    { ZT_EXIT_USAGE, "wrong usage" },
    { ZT_EXIT_INPUT, "the image or prompt cannot be used" },
    { ZT_EXIT_NOT_FOUND, "no such file, task or key" },
    { ZT_EXIT_IO, "disk or network" },
    { ZT_EXIT_STOPPED, "stopped by a signal" },
};

const char *zt_help_exit(size_t i, int *ret_status)
{
    if (i >= ZT_COUNT(exits))
        return NULL;
    *ret_status = exits[i].status;
    return exits[i].meaning;
}

static void put_exit_statuses(FILE *out)
{
    fputs("\nExit status:", out);
    for (size_t i = 0; i < ZT_COUNT(exits); i++)
        fprintf(out, "%s%s%d %s", i ? "," : "", i == 4 ? "\n" : " ", exits[i].status,
                exits[i].meaning);
    fputs(".\n", out);
}

void zt_help_all(FILE *out)
{
    fputs("zoetrope turns a still image and a prompt into a video.\n\nUsage: zoetrope COMMAND ...\n"
          "\nCommands:\n",
          out);
    for (size_t i = 0; i < zt_commands_n; i++)
        fprintf(out, "  %-10s %s\n", zt_commands[i]->name, zt_commands[i]->summary);
    fputs("  help       this text; help COMMAND; help settings prints them all as Markdown,\n"
          "             help errors the API's errors, help man PAGE a manual page, help completion "
          "SHELL a script for it\n"
          "\nExamples:\n"
          "  zoetrope generate photo.jpg \"slow push in, fog drifts\" -o out.mp4\n"
          "  zoetrope serve\n",
          out);
    put_exit_statuses(out);
}

void zt_help_command(FILE *out, const struct zt_command *c)
{
    fprintf(out, "zoetrope %s: %s\n\nUsage: zoetrope %s%s%s [FLAGS]\n\n%s", c->name, c->summary,
            c->name, *c->words ? " " : "", c->words, c->about);
    zt_settings_help(out, c->bit, &c->options);
    put_exit_statuses(out);
}

const struct zt_command *zt_command_find(const char *name)
{
    for (size_t i = 0; i < zt_commands_n; i++) {
        if (strcmp(zt_commands[i]->name, name) == 0)
            return zt_commands[i];
    }
    return NULL;
}

int zt_help_unknown(const char *name)
{
    const char *names[64];
    size_t n = 0;

    zt_assert(zt_commands_n < ZT_COUNT(names));
    for (; n < zt_commands_n; n++)
        names[n] = zt_commands[n]->name;
    names[n++] = "help";
    const char *near = zt_nearest(name, names, n);
    fprintf(stderr, "zoetrope: unknown command '%.60s'%s%s%s\nTry: zoetrope --help\n", name,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return ZT_EXIT_USAGE;
}

/* ---- topics -------------------------------------------------------------------------------- */

static int settings_topic(const char *word)
{
    (void)word;
    zt_settings_markdown(stdout);
    return ZT_EXIT_OK;
}

static int errors_topic(const char *word)
{
    (void)word;
    zt_api_errors_markdown(stdout);
    return ZT_EXIT_OK;
}

static int man_topic(const char *page)
{
    if (page == NULL) {
        zt_man_list(stdout);
        return ZT_EXIT_OK;
    }
    if (zt_man_page(stdout, page))
        return ZT_EXIT_OK;
    fprintf(stderr, "zoetrope: there is no manual page '%.60s'; zoetrope help man lists them\n",
            page);
    return ZT_EXIT_NOT_FOUND;
}

static int completion_topic(const char *shell)
{
    if (shell != NULL && zt_completion(stdout, shell))
        return ZT_EXIT_OK;
    fputs("zoetrope: completion is there for", stderr);
    for (size_t i = 0; zt_completion_shells[i] != NULL; i++)
        fprintf(stderr, "%s %s", i ? "," : "", zt_completion_shells[i]);
    fputs("; as: zoetrope help completion bash\n", stderr);
    return ZT_EXIT_USAGE;
}

static const struct {
    const char *name;
    int (*run)(const char *word); /* NULL: none was given */
} topics[] = {
    { "settings", settings_topic },
    { "errors", errors_topic },
    { "man", man_topic },
    { "completion", completion_topic },
};

int zt_help(int argc, char **argv)
{
    if (argc == 0) {
        zt_help_all(stdout);
        return ZT_EXIT_OK;
    }
    for (size_t i = 0; i < ZT_COUNT(topics); i++) {
        if (strcmp(topics[i].name, argv[0]) == 0)
            return topics[i].run(argc > 1 ? argv[1] : NULL);
    }
    const struct zt_command *c = zt_command_find(argv[0]);
    if (c == NULL)
        return zt_help_unknown(argv[0]);
    zt_help_command(stdout, c);
    return ZT_EXIT_OK;
}
