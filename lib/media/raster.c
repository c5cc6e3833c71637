/*
 * raster.c - a decoded picture and its rows, whatever the decoder's layout. See format.h.
 *
 * The rows are unpacked here and not by libswscale: it drops alpha, rounds 16 bits down, and
 * interpolates chroma as video does it.
 */
#include <libavutil/imgutils.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "media/av.h"
#include "media/colour.h"
#include "media/format.h"

void zt_raster_clear(struct zt_raster *raster)
{
    zt_buf_clear(&raster->icc);
    av_frame_free(&raster->av);
    free(raster->rgba);
    free(raster->scratch);
    memset(raster, 0, sizeof(*raster));
}

/* ---- rows of a JPEG ------------------------------------------------------------------------- */

/* Position 8 y of a sample in a plane reduced by 2^shift, in eighths; centres coincide (JFIF). */
static int position(int y, int shift)
{
    return ((2 * y + 1) * 4 >> shift) - 4;
}

static int clamp_index(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* The usual case: half as many columns, whose weights are 3/4 and 1/4. */
static void widen_by_two(const uint8_t *a, const uint8_t *b, int wa, int n, int cn, int16_t *dst)
{
    int wb = 8 - wa;
    int before = wa * a[0] + wb * b[0] - 8 * 128;
    int here = before;

    for (int x = 0; x < cn; x++) {
        int i = x + 1 < cn ? x + 1 : x;
        int after = wa * a[i] + wb * b[i] - 8 * 128;
        dst[2 * x] = (int16_t)(6 * here + 2 * before);
        if (2 * x + 1 < n)
            dst[2 * x + 1] = (int16_t)(6 * here + 2 * after);
        before = here;
        here = after;
    }
}

/* Row y of plane i at full width, 64-fold around zero. */
static void chroma_row(const AVFrame *f, int i, int y, int shift_x, int shift_y, int16_t *dst)
{
    int cw = AV_CEIL_RSHIFT(f->width, shift_x);
    int ch = AV_CEIL_RSHIFT(f->height, shift_y);
    int at = position(y, shift_y);
    int wb = at & 7;
    int wa = 8 - wb;
    const uint8_t *a = f->data[i] + (ptrdiff_t)clamp_index(at >> 3, ch) * f->linesize[i];
    const uint8_t *b = f->data[i] + (ptrdiff_t)clamp_index((at >> 3) + 1, ch) * f->linesize[i];

    if (shift_x == 0) {
        for (int x = 0; x < f->width; x++)
            dst[x] = (int16_t)(8 * (wa * a[x] + wb * b[x] - 8 * 128));
    } else if (shift_x == 1) {
        widen_by_two(a, b, wa, f->width, cw, dst);
    } else {
        for (int x = 0; x < f->width; x++) {
            int p = position(x, shift_x);
            int l = clamp_index(p >> 3, cw);
            int r = clamp_index((p >> 3) + 1, cw);
            int left = wa * a[l] + wb * b[l] - 8 * 128;
            int right = wa * a[r] + wb * b[r] - 8 * 128;
            dst[x] = (int16_t)((8 - (p & 7)) * left + (p & 7) * right);
        }
    }
}

static void ycc_row(const struct zt_raster *r, const AVPixFmtDescriptor *d, int y, uint8_t *px)
{
    const AVFrame *f = r->av;
    int16_t *cb = r->scratch;
    int16_t *cr = r->scratch + f->width;

    chroma_row(f, 1, y, d->log2_chroma_w, d->log2_chroma_h, cb);
    chroma_row(f, 2, y, d->log2_chroma_w, d->log2_chroma_h, cr);
    zt_jpeg_row_to_rgb24(f->data[0] + (ptrdiff_t)y * f->linesize[0], cb, cr, f->width, px);
}

static uint8_t plain_byte(int16_t v64)
{
    return (uint8_t)((v64 + 128 * 64 + 32) >> 6 > 255 ? 255 : (v64 + 128 * 64 + 32) >> 6);
}

/*
 * Four components: C, M, Y, K, or, where the Adobe marker says so, K beside the Y, Cb, Cr of
 * inverted C, M, Y. Adobe's programs store ink inverted, 255 for none.
 */
static void ink_row(const struct zt_raster *r, const AVPixFmtDescriptor *d, int y, uint8_t *px)
{
    const AVFrame *f = r->av;
    int n = f->width;
    const uint8_t *c = f->data[0] + (ptrdiff_t)y * f->linesize[0];
    const uint8_t *k = f->data[3] + (ptrdiff_t)y * f->linesize[3];
    int16_t *cb = r->scratch;
    int16_t *cr = r->scratch + n;
    uint8_t invert = r->is_adobe ? 255 : 0;

    chroma_row(f, 1, y, d->log2_chroma_w, d->log2_chroma_h, cb);
    chroma_row(f, 2, y, d->log2_chroma_w, d->log2_chroma_h, cr);
    if (r->is_ycck) {
        /* Back to front, three bytes a pixel become four in place. What YCC gives is the ink. */
        zt_jpeg_row_to_rgb24(c, cb, cr, n, px);
        for (int x = n - 1; x >= 0; x--) {
            uint8_t ink[4] = { px[3 * x], px[3 * x + 1], px[3 * x + 2], k[x] ^ invert };
            memcpy(px + 4 * (size_t)x, ink, 4);
        }
        return;
    }
    for (int x = 0; x < n; x++) {
        px[4 * x] = c[x] ^ invert;
        px[4 * x + 1] = plain_byte(cb[x]) ^ invert;
        px[4 * x + 2] = plain_byte(cr[x]) ^ invert;
        px[4 * x + 3] = k[x] ^ invert;
    }
}

static void gbr_row(const AVFrame *f, int y, uint8_t *px)
{
    for (int c = 0; c < 3; c++) {
        static const int to[] = { 1, 2, 0 };
        const uint8_t *src = f->data[c] + (ptrdiff_t)y * f->linesize[c];
        for (int x = 0; x < f->width; x++)
            px[3 * x + to[c]] = src[x];
    }
}

/* ---- rows of a PNG -------------------------------------------------------------------------- */

static uint8_t from_16_bits(const uint8_t *p)
{
    return (uint8_t)(((unsigned)(p[0] << 8 | p[1]) * 255 + 32895) >> 16); /* to nearest */
}

/* `all` interleaved channels of 1 or 2 bytes; the first `colours` are the colour. */
static void packed_row(const AVFrame *f, int y, int all, int colours, int bytes, uint8_t *px,
                       uint8_t *alpha)
{
    const uint8_t *src = f->data[0] + (ptrdiff_t)y * f->linesize[0];

    for (int x = 0; x < f->width; x++) {
        for (int c = 0; c < all; c++, src += bytes) {
            uint8_t v = bytes == 2 ? from_16_bits(src) : *src;
            if (c < colours)
                *px++ = v;
            else
                *alpha++ = v;
        }
    }
}

static void palette_row(const AVFrame *f, int y, uint8_t *px, uint8_t *alpha)
{
    const uint8_t *src = f->data[0] + (ptrdiff_t)y * f->linesize[0];

    for (int x = 0; x < f->width; x++) {
        uint32_t colour = AV_RN32(f->data[1] + 4 * (size_t)src[x]); /* ARGB, native order */
        px[3 * x] = (uint8_t)(colour >> 16);
        px[3 * x + 1] = (uint8_t)(colour >> 8);
        px[3 * x + 2] = (uint8_t)colour;
        alpha[x] = (uint8_t)(colour >> 24);
    }
}

static void bit_row(const AVFrame *f, int y, uint8_t *px)
{
    const uint8_t *src = f->data[0] + (ptrdiff_t)y * f->linesize[0];

    for (int x = 0; x < f->width; x++)
        px[x] = src[x / 8] >> (7 - x % 8) & 1 ? 255 : 0;
}

/* clang-format off */
static const struct packed {
    enum AVPixelFormat format;
    int all, colours, bytes;
} packed[] = {
    { AV_PIX_FMT_GRAY8,    1, 1, 1 },
    { AV_PIX_FMT_GRAY16BE, 1, 1, 2 },
    { AV_PIX_FMT_YA8,      2, 1, 1 },
    { AV_PIX_FMT_YA16BE,   2, 1, 2 },
    { AV_PIX_FMT_RGB24,    3, 3, 1 },
    { AV_PIX_FMT_RGB48BE,  3, 3, 2 },
    { AV_PIX_FMT_RGBA,     4, 3, 1 },
    { AV_PIX_FMT_RGBA64BE, 4, 3, 2 },
};
/* clang-format on */

static const struct packed *find_packed(int format)
{
    for (size_t i = 0; i < ZT_COUNT(packed); i++)
        if (packed[i].format == format)
            return &packed[i];
    return NULL;
}

/* ---- rows of a WebP ------------------------------------------------------------------------- */

static void rgba_row(const struct zt_raster *r, int y, uint8_t *px, uint8_t *alpha)
{
    int inner_y = y - r->y;

    memset(px, 0, 3 * (size_t)r->width_px);
    memset(alpha, 0, (size_t)r->width_px); /* the canvas around the frame is transparent */
    if (inner_y < 0 || inner_y >= r->inner_height_px)
        return;
    const uint8_t *src = r->rgba + (size_t)inner_y * (size_t)r->inner_width_px * 4;
    for (int x = r->x; x < r->x + r->inner_width_px; x++, src += 4) {
        memcpy(px + 3 * (size_t)x, src, 3);
        alpha[x] = src[3];
    }
}

/* ---- all of them ---------------------------------------------------------------------------- */

void zt_raster_row(const struct zt_raster *r, int y, uint8_t *px, uint8_t *alpha)
{
    if (r->rgba != NULL) {
        rgba_row(r, y, px, alpha);
        return;
    }
    const AVFrame *f = r->av;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    const struct packed *p = find_packed(f->format);
    if (p != NULL)
        packed_row(f, y, p->all, p->colours, p->bytes, px, alpha);
    else if (f->format == AV_PIX_FMT_PAL8)
        palette_row(f, y, px, alpha);
    else if (f->format == AV_PIX_FMT_MONOBLACK)
        bit_row(f, y, px);
    else if (f->format == AV_PIX_FMT_GBRP)
        gbr_row(f, y, px);
    else if (r->channels == 4)
        ink_row(r, d, y, px);
    else
        ycc_row(r, d, y, px);
}

/* Sets what follows from the decoder's layout, or fails for one that has no reader above. */
static enum zt_code describe(struct zt_raster *r, const char *what, struct zt_err *err)
{
    const AVFrame *f = r->av;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    const struct packed *p = find_packed(f->format);
    void *scratch = NULL;

    r->width_px = f->width;
    r->height_px = f->height;
    if (p != NULL) {
        r->channels = p->colours;
        r->has_alpha = p->all > p->colours;
        return ZT_OK;
    }
    if (f->format == AV_PIX_FMT_MONOBLACK || f->format == AV_PIX_FMT_PAL8 ||
        f->format == AV_PIX_FMT_GBRP) {
        r->channels = f->format == AV_PIX_FMT_MONOBLACK ? 1 : 3;
        r->has_alpha = f->format == AV_PIX_FMT_PAL8;
        return ZT_OK;
    }
    bool planar = d != NULL && (d->flags & AV_PIX_FMT_FLAG_PLANAR) != 0 &&
                  (d->flags & AV_PIX_FMT_FLAG_RGB) == 0 && d->comp[0].depth == 8 &&
                  (d->nb_components == 3 || d->nb_components == 4);
    if (!planar)
        return zt_fail(err, ZT_E_UNSUPPORTED, "the %s stores its pixels in a way (%s) not known",
                       what, d ? d->name : "none");
    r->channels = d->nb_components;
    ZT_TRY(zt_try_alloc((size_t)f->width, 2 * sizeof(int16_t), "chroma rows", &scratch, err));
    free(r->scratch);
    r->scratch = scratch;
    return ZT_OK;
}

/* ---- through libavcodec --------------------------------------------------------------------- */

/* The text for the failure of a decoder whose input had a sound header. */
static enum zt_code fail_decode(struct zt_err *err, int rc, const char *what)
{
    char text[96];

    if (rc == AVERROR_PATCHWELCOME || rc == AVERROR(ENOSYS)) {
        snprintf(text, sizeof(text), "the %s uses a variant that cannot be read here", what);
        return zt_fail_av(err, ZT_E_UNSUPPORTED, rc, text);
    }
    snprintf(text, sizeof(text), "the %s is damaged or cut short", what);
    return zt_fail_av(err, ZT_E_CORRUPT, rc, text);
}

static enum zt_code open_decoder(AVCodecContext *ctx, const AVCodec *codec,
                                 const struct zt_head *head, struct zt_err *err)
{
    ctx->thread_count = 1;
    ctx->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
    ctx->discard_damaged_percentage = 0;
    ctx->max_pixels = (int64_t)(head->width_px + 64) * (head->height_px + 64); /* with padding */
    int rc = avcodec_open2(ctx, codec, NULL);
    if (rc < 0)
        return zt_fail_av(err, ZT_E_INTERNAL, rc, "the picture decoder cannot be opened");
    return ZT_OK;
}

enum zt_code zt_raster_decode(int codec_id, const char *what, const uint8_t *bytes, size_t n,
                              const struct zt_head *head, struct zt_raster *raster,
                              struct zt_err *err)
{
    zt_av_quiet();
    const AVCodec *codec = avcodec_find_decoder((enum AVCodecID)codec_id);
    if (codec == NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED, "this machine's FFmpeg cannot read %s", what);
    zt_auto(av_context) AVCodecContext *ctx = avcodec_alloc_context3(codec);
    zt_auto(av_packet) AVPacket *packet = av_packet_alloc();
    av_frame_free(&raster->av);
    raster->av = av_frame_alloc();
    if (ctx == NULL || packet == NULL || raster->av == NULL || n > INT32_MAX - 64 ||
        av_new_packet(packet, (int)n) < 0)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory to decode the %s", what);
    memcpy(packet->data, bytes, n);
    ZT_TRY(open_decoder(ctx, codec, head, err));
    int rc = avcodec_send_packet(ctx, packet);
    if (rc >= 0)
        rc = avcodec_send_packet(ctx, NULL); /* nothing follows: give what there is */
    if (rc >= 0)
        rc = avcodec_receive_frame(ctx, raster->av);
    if (rc < 0)
        return fail_decode(err, rc, what);
    const AVFrame *f = raster->av;
    if (f->width != head->width_px || f->height != head->height_px)
        return zt_fail(err, ZT_E_CORRUPT,
                       "the %s is damaged: its header says %dx%d pixels, its body %dx%d", what,
                       head->width_px, head->height_px, f->width, f->height);
    if (f->decode_error_flags != 0 || (f->flags & AV_FRAME_FLAG_CORRUPT) != 0)
        return fail_decode(err, AVERROR_INVALIDDATA, what);
    return describe(raster, what, err);
}
