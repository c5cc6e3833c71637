/* out.c - see out.h. */
#include "api/out.h"

#include <limits.h>
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
    struct zt_buf *buf = &out->buf;

    if (n < buf->cap - buf->n && n <= buf->limit - buf->n) { /* there is room: most calls */
        memcpy(buf->data + buf->n, bytes, n);
        buf->n += n;
        buf->data[buf->n] = '\0';
    } else if (zt_buf_add(buf, bytes, n, NULL) != ZT_OK) {
        out->full = true;
    }
}

void zt_out_raw(struct zt_out *out, const char *text)
{
    add(out, text, strlen(text));
}

/* What JSON does not take as it is, and DEL, which would vanish on a terminal. */
/* clang-format off */
static const bool escaped[UCHAR_MAX + 1] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* up to 0x1F, NUL too: it ends the text */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['"'] = 1, ['\\'] = 1, [0x7F] = 1,
};
/* clang-format on */

/* One such character. */
static void add_escaped(struct zt_out *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    const char code[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

    switch (c) {
    case '"':
        add(out, "\\\"", 2);
        break;
    case '\\':
        add(out, "\\\\", 2);
        break;
    case '\n':
        add(out, "\\n", 2);
        break;
    case '\r':
        add(out, "\\r", 2);
        break;
    case '\t':
        add(out, "\\t", 2);
        break;
    default:
        add(out, code, sizeof(code));
    }
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
    for (;;) {
        while (!escaped[(unsigned char)*p])
            p++;
        if (p > start)
            add(out, start, (size_t)(p - start));
        if (*p == '\0')
            break;
        add_escaped(out, (unsigned char)*p);
        start = ++p;
    }
    add(out, "\"", 1);
}

void zt_out_int(struct zt_out *out, int64_t value)
{
    char text[24];
    char *end = text + sizeof(text);
    char *p = end;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--p = '-';
    add(out, p, (size_t)(end - p));
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
