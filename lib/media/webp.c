/* webp.c - reading WebP: the header is read here, the picture by libwebp. One RIFF file. */
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include "base/auto.h" /* zt_auto */
#include "base/mem.h"
#include "media/exif.h"
#include "media/format.h"

#define RIFF_BYTES 12 /* "RIFF", length, "WEBP" */

static void zt_auto_demuxer(WebPDemuxer **demuxer)
{
    WebPDemuxDelete(*demuxer); /* NULL is fine */
}

static size_t le16(const uint8_t *p)
{
    return (size_t)p[1] << 8 | p[0];
}

static size_t le24(const uint8_t *p)
{
    return (size_t)p[2] << 16 | le16(p);
}

static size_t le32(const uint8_t *p)
{
    return (size_t)p[3] << 24 | le24(p);
}

static enum zt_code cut_short(struct zt_err *err)
{
    return zt_fail(err, ZT_E_CORRUPT, "the WebP is cut short");
}

static enum zt_code damaged(struct zt_err *err)
{
    return zt_fail(err, ZT_E_CORRUPT, "the WebP is damaged: its header makes no sense");
}

bool zt_webp_is(const uint8_t *bytes, size_t n)
{
    return n >= RIFF_BYTES && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

/* The orientation in an EXIF chunk among those from `at` on; 1 without one. */
static int find_orientation(const uint8_t *bytes, size_t n, size_t at)
{
    while (n - at >= 8) {
        size_t size = le32(bytes + at + 4);
        if (size > n - at - 8)
            break;
        if (memcmp(bytes + at, "EXIF", 4) == 0)
            return zt_exif_orientation(bytes + at + 8, size);
        size += size & 1;
        if (size > n - at - 8)
            break;
        at += 8 + size;
    }
    return 1;
}

/* Size out of the first chunk: plain lossy, plain lossless, or extended. */
static enum zt_code read_size(const uint8_t *type, const uint8_t *body, size_t n,
                              struct zt_head *ret, struct zt_err *err)
{
    if (memcmp(type, "VP8 ", 4) == 0) { /* RFC 6386, 9.1 */
        if (n < 10)
            return cut_short(err);
        if ((body[0] & 1) != 0 || memcmp(body + 3, "\x9d\x01\x2a", 3) != 0)
            return damaged(err);
        ret->width_px = (int)(le16(body + 6) & 0x3FFF);
        ret->height_px = (int)(le16(body + 8) & 0x3FFF);
    } else if (memcmp(type, "VP8L", 4) == 0) {
        if (n < 5)
            return cut_short(err);
        if (body[0] != 0x2F)
            return damaged(err);
        ret->width_px = (int)(le32(body + 1) & 0x3FFF) + 1;
        ret->height_px = (int)(le32(body + 1) >> 14 & 0x3FFF) + 1;
    } else if (memcmp(type, "VP8X", 4) == 0) {
        if (n < 10)
            return cut_short(err);
        ret->width_px = (int)le24(body + 4) + 1;
        ret->height_px = (int)le24(body + 7) + 1;
    } else {
        return damaged(err);
    }
    if (ret->width_px == 0 || ret->height_px == 0)
        return damaged(err);
    return ZT_OK;
}

enum zt_code zt_webp_head(const uint8_t *bytes, size_t n, struct zt_head *ret, struct zt_err *err)
{
    if (n < RIFF_BYTES + 8)
        return cut_short(err);
    size_t riff = le32(bytes + 4);
    if (riff < 12 || riff > n - 8)
        return cut_short(err);
    const uint8_t *chunk = bytes + RIFF_BYTES;
    size_t size = le32(chunk + 4);
    if (size > n - RIFF_BYTES - 8)
        return cut_short(err);
    ret->orientation = 1;
    ZT_TRY(read_size(chunk, chunk + 8, size, ret, err));
    if (memcmp(chunk, "VP8X", 4) == 0)
        ret->orientation = find_orientation(bytes, n, RIFF_BYTES);
    return ZT_OK;
}

static enum zt_code read_icc(const WebPDemuxer *demuxer, struct zt_buf *ret, struct zt_err *err)
{
    WebPChunkIterator chunk = { 0 };
    enum zt_code rc = ZT_OK;

    if (WebPDemuxGetChunk(demuxer, "ICCP", 1, &chunk))
        rc = zt_buf_add(ret, chunk.chunk.bytes, chunk.chunk.size, err);
    WebPDemuxReleaseChunkIterator(&chunk);
    return rc;
}

static enum zt_code decode_frame(const WebPIterator *frame, struct zt_raster *r, struct zt_err *err)
{
    void *memory = NULL;

    if (frame->width < 1 || frame->height < 1 || frame->x_offset < 0 || frame->y_offset < 0 ||
        frame->width > r->width_px - frame->x_offset ||
        frame->height > r->height_px - frame->y_offset)
        return zt_fail(err, ZT_E_CORRUPT,
                       "the WebP is damaged: a frame of %dx%d at %d,%d in a picture of %dx%d",
                       frame->width, frame->height, frame->x_offset, frame->y_offset, r->width_px,
                       r->height_px);
    r->x = frame->x_offset;
    r->y = frame->y_offset;
    r->inner_width_px = frame->width;
    r->inner_height_px = frame->height;
    size_t stride = 4 * (size_t)frame->width;
    ZT_TRY(zt_try_alloc(stride, (size_t)frame->height, "the WebP's pixels", &memory, err));
    r->rgba = memory;
    if (WebPDecodeRGBAInto(frame->fragment.bytes, frame->fragment.size, r->rgba,
                           stride * (size_t)frame->height, (int)stride) == NULL)
        return zt_fail(err, ZT_E_CORRUPT, "the WebP is damaged or cut short");
    return ZT_OK;
}

enum zt_code zt_webp_open(const uint8_t *bytes, size_t n, struct zt_raster *ret, struct zt_err *err)
{
    WebPData data = { bytes, n };
    WebPIterator frame = { 0 };
    struct zt_head head = { 0 };

    ZT_TRY(zt_webp_head(bytes, n, &head, err));
    zt_auto(demuxer) WebPDemuxer *demuxer = WebPDemux(&data); /* NULL unless all is there */
    if (demuxer == NULL)
        return zt_fail(err, ZT_E_CORRUPT, "the WebP is damaged or cut short");
    if (WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH) != (uint32_t)head.width_px ||
        WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT) != (uint32_t)head.height_px)
        return damaged(err);
    ret->width_px = head.width_px;
    ret->height_px = head.height_px;
    ret->channels = 3;
    ret->has_alpha = true;
    zt_buf_clear(&ret->icc);
    zt_buf_init(&ret->icc, n);
    ZT_TRY(read_icc(demuxer, &ret->icc, err));
    enum zt_code rc = WebPDemuxGetFrame(demuxer, 1, &frame) && frame.complete
                          ? decode_frame(&frame, ret, err)
                          : zt_fail(err, ZT_E_CORRUPT, "the WebP is damaged: it has no picture");
    WebPDemuxReleaseIterator(&frame);
    return rc;
}
