/* json.c - see json.h. */
#include "cli/json.h"

#include <stdio.h>

void zt_json_put(const char *s)
{
    putchar('"');
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

void zt_json_put_text(const char *key, const char *value)
{
    printf(",\"%s\":", key);
    zt_json_put(value);
}
