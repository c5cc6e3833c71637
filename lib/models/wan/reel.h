/*
 * reel.h - the frames of a clip while its tiles are decoded one after the other: 16 bits a value,
 * in a temporary file without a name, mapped, so that the system may write it out.
 */
#ifndef ZT_MODELS_WAN_REEL_H
#define ZT_MODELS_WAN_REEL_H

#include "base/error.h"

struct zt_reel;

struct zt_reel_box {
    int y, x, h, w;
};

size_t zt_reel_bytes(int frames, int h, int w);

/* In $TMPDIR, or /var/tmp. ZT_E_FULL, ZT_E_IO, ZT_E_NOMEM. */
enum zt_code zt_reel_open(int frames, int h, int w, struct zt_reel **ret, struct zt_err *err);
void zt_reel_close(struct zt_reel *reel); /* NULL is fine */

/* Adds what is in the box of rgb [h][w][3]; the sum of all that is added lies in -1 ... 1. */
void zt_reel_add(struct zt_reel *reel, int frame, const struct zt_reel_box *box, const float *rgb,
                 int64_t not_finite);

/* The sum, into rgb [h][w][3]; returns the sum of not_finite. */
int64_t zt_reel_get(const struct zt_reel *reel, int frame, float *rgb);

#endif
