/* explain.c - zoetrope explain. */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "cli/command.h"

struct own {
    bool json;
};

static int run(struct zt_args *args)
{
    const struct own *own = args->own;
    struct zt_err err = { 0 };
    zt_auto_free char *text = NULL;

    if (zt_explain(args->word[0], own->json, &text, &err) != ZT_OK)
        return zt_command_failed("the prompt", &err);
    fputs(text, stdout);
    if (*text != '\0' && text[strlen(text) - 1] != '\n')
        putchar('\n');
    return ZT_EXIT_OK;
}

static const struct zt_setting rows[] = {
    { .name = "json",
      .kind = ZT_KIND_BOOL,
      .at = offsetof(struct own, json),
      .fallback = "false",
      .help = "one JSON object instead of text" },
};

const struct zt_command zt_command_explain = {
    .name = "explain",
    .words = "PROMPT",
    .summary = "show what the motion engine reads out of a prompt",
    .about = "Example:\n"
             "  zoetrope explain \"slow push in, then cut to a pan left\"\n",
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
