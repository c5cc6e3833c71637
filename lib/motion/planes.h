/*
 * planes.h - the pictures that frames are drawn from, as planes of spline coefficients.
 *
 * A plane holds 8-bit coefficients of a uniform cubic B-spline: warping evaluates the spline (16
 * taps, all positive) anywhere between them. Such a spline is as sharp between samples as on
 * them, which is what keeps a slow zoom from pulsing; an interpolating kernel of the same size is
 * not. The sharpness that the spline takes is put in beforehand, here.
 */
#ifndef ZT_MOTION_PLANES_H
#define ZT_MOTION_PLANES_H

#include "base/error.h"

struct zt_pool;

/* Samples around every plane that repeat its edge, so that taps never leave memory. */
#define ZT_PLANE_PAD 32

struct zt_plane {
    int width, height;
    size_t stride;
    uint8_t *at;     /* sample (0, 0); (-PAD, -PAD) ... (width + PAD - 1, height + PAD - 1) exist */
    uint8_t *memory; /* what `at` points into */
};

/* Y at full, U and V at half size (left-sited, as in zoetrope.h). */
struct zt_planes {
    struct zt_plane plane[3];
};

enum zt_code zt_plane_init(struct zt_plane *plane, int width, int height, struct zt_err *err);
void zt_plane_clear(struct zt_plane *plane);

/* Repeats the edges into the border; call when all samples are set. */
void zt_plane_pad(struct zt_plane *plane);

/*
 * Samples to coefficients, as zt_planes_init makes them; both padded, of one size. pool may be
 * NULL.
 */
void zt_plane_filter(const struct zt_plane *samples, double density, struct zt_pool *pool,
                     struct zt_plane *ret);

/*
 * picture  sRGB; even sides, at least 16 x 16; read and not kept
 * density  picture pixels per frame pixel in the widest view: detail that is finer than the frame
 *          can show is taken out; at 1 and below the spline interpolates the picture
 * pool     may be NULL
 * ZT_E_NOMEM.
 */
enum zt_code zt_planes_init(struct zt_planes *planes, const struct zt_image *picture,
                            double density, struct zt_pool *pool, struct zt_err *err);
void zt_planes_clear(struct zt_planes *planes);

#endif
