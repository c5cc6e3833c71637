/* jpeg_write.c - one frame as a JPEG file (posters). Declared in zoetrope.h. */
#include <libavutil/opt.h>

#include "base/file.h"
#include "media/av.h"
#include "media/colour.h"
#include "media/frame.h"

#define FULL_CHROMA_QUALITY 90 /* from here on chroma keeps every pixel */
#define FILE_MODE           0644

/*
 * libavcodec scales MPEG's table by q / 8, libjpeg its own, about twice as coarse, by s percent;
 * the two meet at q = 16 s / 100, s being libjpeg's well-known function of quality.
 */
static int quantiser_of(int quality)
{
    int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    int q = (16 * percent + 50) / 100;

    return q < 1 ? 1 : q > 31 ? 31 : q;
}

/* Chroma rows y and y + 1 of a full-size plane, averaged in twos across. */
static void halve(const uint8_t *a, const uint8_t *b, int n, uint8_t *dst)
{
    for (int x = 0; x < n; x += 2) {
        int right = x + 1 < n ? x + 1 : x;
        dst[x / 2] = (uint8_t)((a[x] + a[right] + b[x] + b[right] + 2) / 4);
    }
}

static void fill(const struct zt_frame_buf *rgb, AVFrame *dst, bool full_chroma)
{
    int w = dst->width;
    uint8_t chroma[2][2][ZT_FRAME_MAX_SIDE_PX];

    for (int y = 0; y < dst->height; y++) {
        const uint8_t *row = rgb->plane[0] + (size_t)y * rgb->view.stride[0];
        uint8_t *luma = dst->data[0] + (ptrdiff_t)y * dst->linesize[0];
        if (full_chroma) {
            zt_rgb24_to_jpeg_row(row, w, luma, dst->data[1] + (ptrdiff_t)y * dst->linesize[1],
                                 dst->data[2] + (ptrdiff_t)y * dst->linesize[2]);
            continue;
        }
        zt_rgb24_to_jpeg_row(row, w, luma, chroma[y % 2][0], chroma[y % 2][1]);
        if (y % 2 == 0 && y + 1 < dst->height)
            continue;
        for (int i = 0; i < 2; i++)
            halve(chroma[0][i], chroma[y % 2][i], w,
                  dst->data[i + 1] + (ptrdiff_t)(y / 2) * dst->linesize[i + 1]);
    }
}

static enum zt_code encode(const struct zt_frame_buf *rgb, int quality, AVPacket *ret,
                           struct zt_err *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    bool full_chroma = quality >= FULL_CHROMA_QUALITY;

    if (codec == NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED, "this machine's FFmpeg cannot write JPEG");
    zt_auto(av_context) AVCodecContext *e = avcodec_alloc_context3(codec);
    zt_auto(av_frame) AVFrame *frame = av_frame_alloc();
    if (e == NULL || frame == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory to write a JPEG");
    e->width = frame->width = rgb->view.width_px;
    e->height = frame->height = rgb->view.height_px;
    e->pix_fmt = full_chroma ? AV_PIX_FMT_YUVJ444P : AV_PIX_FMT_YUVJ420P;
    frame->format = e->pix_fmt;
    e->color_range = frame->color_range = AVCOL_RANGE_JPEG;
    e->time_base = (AVRational){ 1, 1 };
    e->thread_count = 1;
    e->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    e->qmin = 1;
    e->global_quality = frame->quality = quantiser_of(quality) * FF_QP2LAMBDA;
    int rc = avcodec_open2(e, codec, NULL);
    if (rc >= 0)
        rc = av_frame_get_buffer(frame, 0);
    if (rc >= 0) {
        fill(rgb, frame, full_chroma);
        frame->pts = 0;
        rc = avcodec_send_frame(e, frame);
    }
    if (rc >= 0)
        rc = avcodec_receive_packet(e, ret);
    if (rc < 0)
        return zt_fail_av(err, ZT_E_INTERNAL, rc, "the frame cannot be written as a JPEG");
    return ZT_OK;
}

enum zt_code zt_frame_save_jpeg(const struct zt_frame *frame, const char *path, int quality,
                                struct zt_err *err)
{
    __attribute__((cleanup(zt_auto_frame_buf))) struct zt_frame_buf rgb = { 0 };

    zt_av_quiet();
    if (quality < 1 || quality > 100)
        return zt_fail_field(err, ZT_E_INVALID, "quality", "quality must be 1 to 100, not %d",
                             quality);
    ZT_TRY(zt_frame_check(frame, err));
    zt_auto(av_packet) AVPacket *packet = av_packet_alloc();
    if (packet == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory to write a JPEG");
    ZT_TRY(zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, frame->width_px, frame->height_px, err));
    zt_frame_convert(frame, &rgb, NULL);
    ZT_TRY(encode(&rgb, quality, packet, err));
    return zt_file_write(path, packet->data, (size_t)packet->size, FILE_MODE, err);
}
