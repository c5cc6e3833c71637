/*
 * colour.h - sRGB to linear light and back, RGB to Y'CbCr and back, as used in video and JPEG.
 *
 * Everything is integer or table work with a stated rounding, so that pixels are the same on every
 * machine. Functions on rows touch only the rows they are given: callers split a frame over
 * threads by rows. Any thread.
 *
 * Video: ITU-R BT.709 matrix, limited range (Y 16...235, C 16...240), 4:2:0 with chroma left-sited
 * (MPEG-2: on even columns, halfway between two rows). JPEG: BT.601 matrix, full range (JFIF).
 */
#ifndef ZT_MEDIA_COLOUR_H
#define ZT_MEDIA_COLOUR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Builds a hot loop twice, for any x86-64 and for AVX2, and picks one when the program starts.
 * Elsewhere, and under a sanitizer (whose start-up code and resolvers do not mix), once. AVX2
 * without FMA: products and sums round the same in both, so that the choice never shows in the
 * pixels; AVX-512 always has FMA, so there is no third. For static functions only: clang 14 loses
 * the name of others.
 */
#if defined(__x86_64__) && defined(__linux__) && !defined(ZT_SANITIZED)
#define ZT_MEDIA_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define ZT_MEDIA_CLONES
#endif

/* 256 floats: linear light 0 ... 1 of an sRGB byte (IEC 61966-2-1). */
const float *zt_srgb_to_linear_table(void);

/* 65536 bytes: the sRGB byte of linear light i / 65535, rounded to nearest. */
const uint8_t *zt_linear_to_srgb_table(void);

/* One value, clamped to 0 ... 1 first. For a few values; loops take the table. */
uint8_t zt_linear_to_srgb(float linear);

/*
 * RGB24 to YUV420 for the chroma rows first ... end-1 of (height_px + 1) / 2, that is the luma rows
 * 2 * first ... 2 * end - 1. Rounding: Y and C are the exact BT.709 values rounded to nearest up to
 * an error of 2^-15 of the coefficients; chroma is taken from the mean of two rows, filtered
 * [1 2 1]/4 around its column, edges repeated.
 */
void zt_rgb24_to_yuv420(const uint8_t *rgb, size_t rgb_stride, int width_px, int height_px,
                        uint8_t *const plane[3], const size_t stride[3], int first, int end);

/*
 * YUV420 (BT.709, limited, left-sited) to RGB24 for the luma rows first ... end-1. Chroma is
 * interpolated linearly; values are rounded to nearest and clamped.
 */
void zt_yuv420_to_rgb24(const uint8_t *const plane[3], const size_t stride[3], int width_px,
                        int height_px, uint8_t *rgb, size_t rgb_stride, int first, int end);

/* n pixels of RGB24 to JPEG's full-range Y, Cb, Cr. */
void zt_rgb24_to_jpeg_row(const uint8_t *rgb, int n, uint8_t *y, uint8_t *cb, uint8_t *cr);

/*
 * n pixels of JPEG's Y and, 64-fold and around zero, Cb and Cr to RGB24, rounded and clamped.
 * The factor keeps what interpolating subsampled chroma gives.
 */
void zt_jpeg_row_to_rgb24(const uint8_t *y, const int16_t *cb64, const int16_t *cr64, int n,
                          uint8_t *rgb);

#endif
