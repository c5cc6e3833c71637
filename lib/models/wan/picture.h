/*
 * picture.h - a picture as the model was trained to see one: specs/wan.md 2.2.
 *
 * The reference resizes with Pillow in 8 bits; this does the same arithmetic (Lanczos-3 stretched
 * over the footprint when shrinking, horizontal pass first, weights in fixed point, each pass
 * rounded to 8 bits), so that it sees the very same bytes. That is not how media/resize.h does it,
 * which works in linear light and looks better.
 */
#ifndef ZT_MODELS_WAN_PICTURE_H
#define ZT_MODELS_WAN_PICTURE_H

#include "base/error.h"

/*
 * Covers width_px x height_px with the picture (sides rounded half to even), crops the middle, and
 * maps bytes to -1 ... 1. ret is [3][height_px][width_px]. Any thread. ZT_E_NOMEM.
 */
enum zt_code zt_wan_picture(const struct zt_image *image, int width_px, int height_px, float *ret,
                            struct zt_err *err);

#endif
