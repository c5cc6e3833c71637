/* version.c - zoetrope version. The libraries are those that this process really runs with. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/command.h"

static const char *const shown[] = {
    "libavcodec",    "libavformat", "libswscale",  "libx264",    "libwebp",
    "liblcms2",      "libcurl",     "libsqlite3",  "libjansson", "libcrypto",
    "libmicrohttpd", "libseccomp",  "libutf8proc",
};

/* The loaded file of each library, past symbolic links: its name holds the full version. */
static int put_library(struct dl_phdr_info *info, size_t size, void *user)
{
    char path[PATH_MAX];
    const char *glue = user;

    (void)size;
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash ? slash + 1 : info->dlpi_name;
    for (size_t i = 0; i < ZT_COUNT(shown); i++) {
        size_t n = strlen(shown[i]);
        if (!zt_starts_with(name, shown[i]) || name[n] != '.' ||
            realpath(info->dlpi_name, path) == NULL)
            continue;
        const char *last = strrchr(path, '/');
        printf("%s%s\n", glue, last ? last + 1 : path);
    }
    return 0;
}

static int run(struct zt_args *args)
{
    char indent[] = "  ";

    (void)args;
    printf("zoetrope %s\n\nengines:\n", ZT_VERSION);
    for (int i = 0; zt_engine_name(i) != NULL; i++)
        printf("  %-10s %s\n", zt_engine_name(i), zt_engine_summary(i));
    printf("\nlibraries:\n");
    dl_iterate_phdr(put_library, indent);
    return ZT_EXIT_OK;
}

const struct zt_command zt_command_version = {
    .name = "version",
    .words = "",
    .summary = "show the version, the engines and the libraries",
    .about = "Example:\n  zoetrope version\n",
    .run = run,
};
