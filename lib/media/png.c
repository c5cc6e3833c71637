/*
 * png.c - reading PNG: the walk over the chunks is ours, the picture is libavcodec's.
 *
 * libavcodec is given a copy with nothing but the picture: text chunks can unpack to any size, and
 * the frames of an animation are not wanted. It checks the CRC of each chunk, and tells missing
 * rows; in the last pass of an interlaced picture it does not, but shows what came before it.
 */
#include <libavcodec/avcodec.h>
#include <string.h>

#include "media/exif.h"
#include "media/format.h"

#define SIGNATURE       "\x89PNG\r\n\x1a\n"
#define SIGNATURE_BYTES 8
#define CHUNK_EXTRA     12 /* length, type, CRC */
#define IHDR_BYTES      13
#define MAX_ICC_BYTES   (256 * 1024) /* packed; real ones are a few KiB, unpacking has no limit */

struct chunk {
    const uint8_t *start, *body; /* the whole begins at start */
    size_t n;                    /* of the body */
};

struct reader {
    const uint8_t *at, *end;
};

bool zt_png_is(const uint8_t *bytes, size_t n)
{
    return n >= SIGNATURE_BYTES && memcmp(bytes, SIGNATURE, SIGNATURE_BYTES) == 0;
}

static size_t get32(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static bool chunk_is(const struct chunk *c, const char *type)
{
    zt_assert(c->start != NULL);
    return memcmp(c->start + 4, type, 4) == 0;
}

static enum zt_code next_chunk(struct reader *r, struct chunk *ret, struct zt_err *err)
{
    size_t left = (size_t)(r->end - r->at);

    if (left < CHUNK_EXTRA)
        return zt_fail(err, ZT_E_CORRUPT, "the PNG is cut short");
    ret->start = r->at;
    ret->body = r->at + 8;
    ret->n = get32(r->at);
    if (ret->n > left - CHUNK_EXTRA)
        return zt_fail(err, ZT_E_CORRUPT, "the PNG is cut short");
    r->at += ret->n + CHUNK_EXTRA;
    return ZT_OK;
}

/* The first chunk: size and kind. */
static enum zt_code read_ihdr(struct reader *r, struct zt_head *ret, struct zt_err *err)
{
    struct chunk c = { 0 };

    ZT_TRY(next_chunk(r, &c, err));
    if (!chunk_is(&c, "IHDR") || c.n != IHDR_BYTES)
        return zt_fail(err, ZT_E_CORRUPT, "the PNG is damaged: it does not begin with its header");
    size_t w = get32(c.body);
    size_t h = get32(c.body + 4);
    if (w == 0 || h == 0 || w > INT32_MAX || h > INT32_MAX)
        return zt_fail(err, ZT_E_CORRUPT, "the PNG is damaged: its header says %zux%zu pixels", w,
                       h);
    *ret = (struct zt_head){ (int)w, (int)h, 1 };
    return ZT_OK;
}

enum zt_code zt_png_head(const uint8_t *bytes, size_t n, struct zt_head *ret, struct zt_err *err)
{
    struct reader r = { bytes + SIGNATURE_BYTES, bytes + n };
    struct chunk c = { 0 };

    ZT_TRY(read_ihdr(&r, ret, err));
    do { /* the orientation may follow the picture */
        ZT_TRY(next_chunk(&r, &c, err));
        if (chunk_is(&c, "eXIf")) {
            ret->orientation = zt_exif_orientation(c.body, c.n);
            break;
        }
    } while (!chunk_is(&c, "IEND"));
    return ZT_OK;
}

static bool is_kept(const struct chunk *c)
{
    return chunk_is(c, "PLTE") || chunk_is(c, "tRNS") || chunk_is(c, "IDAT") ||
           chunk_is(c, "IEND") || (chunk_is(c, "iCCP") && c->n <= MAX_ICC_BYTES);
}

static enum zt_code strip(struct reader *r, const uint8_t *bytes, struct zt_buf *clean,
                          struct zt_err *err)
{
    struct chunk c = { 0 };

    ZT_TRY(zt_buf_add(clean, bytes, SIGNATURE_BYTES + CHUNK_EXTRA + IHDR_BYTES, err));
    do {
        ZT_TRY(next_chunk(r, &c, err));
        if (chunk_is(&c, "IHDR"))
            return zt_fail(err, ZT_E_CORRUPT, "the PNG is damaged: it has two headers");
        if (is_kept(&c))
            ZT_TRY(zt_buf_add(clean, c.start, c.n + CHUNK_EXTRA, err));
    } while (!chunk_is(&c, "IEND"));
    return ZT_OK;
}

enum zt_code zt_png_open(const uint8_t *bytes, size_t n, struct zt_raster *ret, struct zt_err *err)
{
    struct reader r = { bytes + SIGNATURE_BYTES, bytes + n };
    struct zt_head head = { 0 };
    struct zt_buf clean;

    ZT_TRY(read_ihdr(&r, &head, err));
    zt_buf_init(&clean, n);
    enum zt_code rc = strip(&r, bytes, &clean, err);
    if (rc == ZT_OK)
        rc = zt_raster_decode(AV_CODEC_ID_PNG, "PNG", (const uint8_t *)clean.data, clean.n, &head,
                              ret, err);
    zt_buf_clear(&clean);
    if (rc != ZT_OK)
        return rc;
    const AVFrameSideData *icc = av_frame_get_side_data(ret->av, AV_FRAME_DATA_ICC_PROFILE);
    zt_buf_clear(&ret->icc);
    zt_buf_init(&ret->icc, icc ? icc->size : 0);
    return icc ? zt_buf_add(&ret->icc, icc->data, icc->size, err) : ZT_OK;
}
