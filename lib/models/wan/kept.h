/*
 * kept.h - latents on disk, so that what took hours to compute is not lost with the process that
 * was about to decode it.
 *
 * A file belongs to one request of one model: its key says which. One that does not match, or is
 * damaged, counts as absent. Written whole or not at all (base/file.h).
 */
#ifndef ZT_MODELS_WAN_KEPT_H
#define ZT_MODELS_WAN_KEPT_H

#include "base/error.h"

#define ZT_KEPT_KEY 32

/* part: 0 ... 99 of a video made in parts. ZT_E_IO, ZT_E_FULL, ZT_E_NOMEM. */
enum zt_code zt_kept_save(const char *folder, int part, const uint8_t key[ZT_KEPT_KEY],
                          const float *latent, size_t n, struct zt_err *err);

/* Whether the n values of that part were kept; fills latent then. */
bool zt_kept_load(const char *folder, int part, const uint8_t key[ZT_KEPT_KEY], float *latent,
                  size_t n);

#endif
