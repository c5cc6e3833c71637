/* out.c - see out.h. */
#include "api/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void zt_out_init(struct zt_out *out, size_t limit)
{
    zt_buf_init(&out->buf, limit);
    out->full = false;
}

void zt_out_clear(struct zt_out *out)
{
    zt_buf_clear(&out->buf);
    out->full = false;
}

static void add(struct zt_out *out, const char *bytes, size_t n)
{
    if (zt_buf_add(&out->buf, bytes, n, NULL) != ZT_OK)
        out->full = true;
}

void zt_out_raw(struct zt_out *out, const char *text)
{
    add(out, text, strlen(text));
}

/* One character that JSON does not take as it is. */
static void add_escaped(struct zt_out *out, unsigned char c)
{
    char text[8];
    int n;

    switch (c) {
    case '"':
    case '\\':
        n = snprintf(text, sizeof(text), "\\%c", c);
        break;
    case '\n':
        n = snprintf(text, sizeof(text), "\\n");
        break;
    case '\r':
        n = snprintf(text, sizeof(text), "\\r");
        break;
    case '\t':
        n = snprintf(text, sizeof(text), "\\t");
        break;
    default:
        n = snprintf(text, sizeof(text), "\\u%04x", c);
    }
    add(out, text, (size_t)n);
}

void zt_out_string(struct zt_out *out, const char *text)
{
    if (text == NULL) {
        zt_out_raw(out, "null");
        return;
    }
    const char *start = text;
    const char *p = text;
    add(out, "\"", 1);
    for (; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
            continue;
        if (p > start)
            add(out, start, (size_t)(p - start));
        add_escaped(out, c);
        start = p + 1;
    }
    if (p > start)
        add(out, start, (size_t)(p - start));
    add(out, "\"", 1);
}

void zt_out_int(struct zt_out *out, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, value);

    add(out, text, (size_t)n);
}

static void add_key(struct zt_out *out, const char *key)
{
    zt_out_raw(out, ",\"");
    zt_out_raw(out, key);
    zt_out_raw(out, "\":");
}

void zt_out_key_string(struct zt_out *out, const char *key, const char *text)
{
    add_key(out, key);
    zt_out_string(out, text);
}

void zt_out_key_int(struct zt_out *out, const char *key, int64_t value)
{
    add_key(out, key);
    zt_out_int(out, value);
}

void zt_out_key_raw(struct zt_out *out, const char *key, const char *json)
{
    add_key(out, key);
    zt_out_raw(out, json);
}
