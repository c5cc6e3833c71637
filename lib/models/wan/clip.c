/*
 * clip.c - see clip.h.
 */
#include "models/wan/clip.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define FLAT_RANGE (2.0F / 255) /* one step of 8 bits, in -1 ... 1 */
#define FNV_BASIS  UINT64_C(14695981039346656037)
#define FNV_PRIME  UINT64_C(1099511628211)

void zt_clip_init(struct zt_clip *clip)
{
    *clip = (struct zt_clip){ .first_flat = -1, .min = INFINITY, .max = -INFINITY };
}

static int64_t count_bad(const float *values, size_t n)
{
    int64_t bad = 0;

    for (size_t i = 0; i < n; i++)
        bad += !isfinite(values[i]);
    return bad;
}

/* Of channel c of n pixels. */
static void range(const float *rgb, size_t n, size_t c, float *ret_min, float *ret_max)
{
    *ret_min = INFINITY;
    *ret_max = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        *ret_min = fminf(*ret_min, rgb[3 * i + c]);
        *ret_max = fmaxf(*ret_max, rgb[3 * i + c]);
    }
}

bool zt_clip_is_flat(const struct zt_image *image)
{
    uint8_t min[3] = { 255, 255, 255 }, max[3] = { 0, 0, 0 };

    for (int y = 0; y < image->height_px; y++) {
        const uint8_t *row = image->pixels + (size_t)y * image->stride;
        for (int i = 0; i < 3 * image->width_px; i++) {
            min[i % 3] = row[i] < min[i % 3] ? row[i] : min[i % 3];
            max[i % 3] = row[i] > max[i % 3] ? row[i] : max[i % 3];
        }
    }
    return max[0] - min[0] <= 1 && max[1] - min[1] <= 1 && max[2] - min[2] <= 1;
}

static uint64_t digest(const float *values, size_t n)
{
    uint64_t h = FNV_BASIS;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        h = (h ^ bits) * FNV_PRIME;
    }
    return h;
}

void zt_clip_add(struct zt_clip *clip, const float *rgb, size_t n, int64_t bad)
{
    uint64_t d = digest(rgb, 3 * n);
    bool flat = true;

    for (size_t c = 0; c < 3; c++) {
        float min, max;
        range(rgb, n, c, &min, &max);
        clip->min = fminf(clip->min, min);
        clip->max = fmaxf(clip->max, max);
        flat &= max - min <= FLAT_RANGE;
    }
    clip->bad += bad + count_bad(rgb, 3 * n);
    clip->repeats += clip->frames > 0 && d == clip->last_digest;
    clip->last_digest = d;
    if (flat && clip->flat++ == 0)
        clip->first_flat = clip->frames;
    clip->frames++;
}

enum zt_code zt_clip_judge(const struct zt_clip *clip, int frames, bool input_flat,
                           struct zt_err *err)
{
    if (clip->bad > 0)
        return zt_fail(err, ZT_E_CORRUPT,
                       "the video has %" PRId64 " values that are no numbers in %d frames",
                       clip->bad, clip->frames);
    if (clip->frames != frames)
        return zt_fail(err, ZT_E_CORRUPT, "the video has %d frames where %d were asked for",
                       clip->frames, frames);
    if (!input_flat && (clip->first_flat == 0 || 2 * clip->flat > frames))
        return zt_fail(err, ZT_E_CORRUPT,
                       "%d of the video's %d frames are of one colour, from frame %d on (values "
                       "%.3f to %.3f)",
                       clip->flat, frames, clip->first_flat, (double)clip->min, (double)clip->max);
    if (!input_flat && frames > 1 && clip->repeats == frames - 1)
        return zt_fail(err, ZT_E_CORRUPT, "all %d frames of the video are the same", frames);
    return ZT_OK;
}

enum zt_code zt_clip_numbers(const float *values, size_t n, const char *what, struct zt_err *err)
{
    int64_t bad = count_bad(values, n);

    if (bad == 0)
        return ZT_OK;
    return zt_fail(err, ZT_E_CORRUPT, "%s: %" PRId64 " of %zu values are no numbers", what, bad, n);
}
