/* web.c - finding an embedded file. Their table is written by the build. */
#include "web/web.h"

#include <string.h>

#include "web/files.h"

const struct zt_web_file *zt_web_file(int index)
{
    return index >= 0 && index < zt_web_files_count ? &zt_web_files[index] : NULL;
}

const struct zt_web_file *zt_web_find(const char *name)
{
    for (int i = 0; i < zt_web_files_count; i++) {
        if (strcmp(zt_web_files[i].name, name) == 0)
            return &zt_web_files[i];
    }
    return NULL;
}
