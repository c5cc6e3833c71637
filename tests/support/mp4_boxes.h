/* mp4_boxes.h - a file's bytes, and which boxes of an MP4 they are. */
#ifndef ZT_TESTS_MP4_BOXES_H
#define ZT_TESTS_MP4_BOXES_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "check.h"

#define MP4_FILE_MAX (16 << 20)

static inline struct zt_buf load(const char *path)
{
    struct zt_buf buf;

    zt_buf_init(&buf, MP4_FILE_MAX);
    CHECK_INT(path, zt_file_read(path, &buf, NULL), ZT_OK);
    return buf;
}

static inline size_t mp4_be32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;

    return (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
}

/* "ftyp moov moof mdat ...", whole boxes only; ret_end: where they end. */
static inline void mp4_boxes(const struct zt_buf *file, char *dst, size_t size, size_t *ret_end)
{
    size_t at = 0;

    dst[0] = '\0';
    while (at + 8 <= file->n && strlen(dst) + 6 < size) {
        size_t n = mp4_be32(file->data + at);
        if (n < 8 || n > file->n - at)
            break;
        strncat(dst, file->data + at + 4, 4);
        strcat(dst, " ");
        at += n;
    }
    *ret_end = at;
}

#endif
