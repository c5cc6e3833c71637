/*
 * format.h - what the three file formats give the decoder in image.c.
 *
 * A format's head function reads the header alone, bounded and without allocating; its open
 * function decodes the whole body and offers it a row at a time. All run on the caller's thread,
 * open no file and start no thread.
 */
#ifndef ZT_MEDIA_FORMAT_H
#define ZT_MEDIA_FORMAT_H

#include "base/buf.h"

struct AVFrame;

/* Sizes as stored; orientation 1 ... 8 as in EXIF. */
struct zt_head {
    int width_px, height_px, orientation;
};

/* A decoded picture as stored, before colour management and orientation. Cleared by its owner. */
struct zt_raster {
    int width_px, height_px;
    int channels;       /* 1 grey, 3 RGB, 4 CMYK as ink: 255 is full */
    bool has_alpha;     /* not with CMYK */
    struct zt_buf icc;  /* the embedded profile; empty: sRGB */
    struct AVFrame *av; /* from libavcodec, or ... */
    uint8_t *rgba;      /* ... from libwebp, placed at x, y of an empty canvas */
    int x, y, inner_width_px, inner_height_px;
    bool is_adobe, is_ycck; /* how to read a JPEG of four components */
    int16_t *scratch;       /* two rows of chroma */
};

void zt_raster_clear(struct zt_raster *raster);

/*
 * Row y: channels bytes a pixel into px, and the alpha channel into alpha if there is one.
 * px holds width * 4 bytes.
 */
void zt_raster_row(const struct zt_raster *raster, int y, uint8_t *px, uint8_t *alpha);

bool zt_jpeg_is(const uint8_t *bytes, size_t n);
enum zt_code zt_jpeg_head(const uint8_t *bytes, size_t n, struct zt_head *ret, struct zt_err *err);
enum zt_code zt_jpeg_open(const uint8_t *bytes, size_t n, struct zt_raster *ret,
                          struct zt_err *err);

bool zt_png_is(const uint8_t *bytes, size_t n);
enum zt_code zt_png_head(const uint8_t *bytes, size_t n, struct zt_head *ret, struct zt_err *err);
enum zt_code zt_png_open(const uint8_t *bytes, size_t n, struct zt_raster *ret, struct zt_err *err);

bool zt_webp_is(const uint8_t *bytes, size_t n);
enum zt_code zt_webp_head(const uint8_t *bytes, size_t n, struct zt_head *ret, struct zt_err *err);
enum zt_code zt_webp_open(const uint8_t *bytes, size_t n, struct zt_raster *ret,
                          struct zt_err *err);

/*
 * raster.c: one picture through libavcodec into raster->av, which must have the size stated.
 * what is "JPEG" or "PNG".
 */
enum zt_code zt_raster_decode(int codec_id, const char *what, const uint8_t *bytes, size_t n,
                              const struct zt_head *head, struct zt_raster *raster,
                              struct zt_err *err);

#endif
