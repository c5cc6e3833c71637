/*
 * icc.h - from an embedded colour profile to sRGB. One thread at a time a converter.
 */
#ifndef ZT_MEDIA_ICC_H
#define ZT_MEDIA_ICC_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

struct zt_icc;

/*
 * channels  1 grey, 3 RGB, 4 CMYK
 * NULL, which means "take the pixels as they are": the profile is broken, for another number of
 * channels, or the same as sRGB within two steps of 255.
 */
struct zt_icc *zt_icc_new(const void *profile, size_t n, int channels);
void zt_icc_free(struct zt_icc *icc);

/* n pixels of `channels` bytes into RGB24; src and dst do not overlap. */
void zt_icc_row(struct zt_icc *icc, const uint8_t *src, uint8_t *dst, int n);

ZT_AUTO(struct zt_icc, icc, zt_icc_free)

#endif
