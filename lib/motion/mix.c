/* mix.c - see mix.h. */
#include "motion/mix.h"

#include <math.h>
#include <string.h>

#include "media/colour.h"
#include "media/frame.h"

/* Black has no chroma to speak of; this much luma keeps the division by it tame. */
#define LIFT 0.05F

/* Bytes that come from memory together. */
#define LINE        64

#define TWICE(...)  __VA_ARGS__, __VA_ARGS__
#define ACROSS(...) TWICE(TWICE(TWICE(TWICE(TWICE(__VA_ARGS__)))))

/* An ordered dither of 4 x 4 (Bayer, 1973), the fractions that are added before rounding down. */
static const float dither[4][ZT_TILE_WIDTH] = {
    { ACROSS(0.03125F, 0.53125F, 0.15625F, 0.65625F) },
    { ACROSS(0.78125F, 0.28125F, 0.90625F, 0.40625F) },
    { ACROSS(0.21875F, 0.71875F, 0.09375F, 0.59375F) },
    { ACROSS(0.96875F, 0.46875F, 0.84375F, 0.34375F) },
};

struct zt_tint zt_tint_of(float r, float g, float b)
{
    float y = 0.2126F * r + 0.7152F * g + 0.0722F * b;

    return (struct zt_tint){ .light = y * y,
                             .u = (y + LIFT) * 224 * (b - y) / 1.8556F,
                             .v = (y + LIFT) * 224 * (r - y) / 1.5748F };
}

int zt_tile_columns(int width_px)
{
    return (width_px - 1) / ZT_TILE_WIDTH + 1;
}

int zt_tile_rows(int height_px)
{
    return (height_px - 1) / ZT_TILE_HEIGHT + 1;
}

void zt_tile_reset(struct zt_tile *t, int column, int row, int width_px, int height_px)
{
    t->left = column * ZT_TILE_WIDTH;
    t->top = row * ZT_TILE_HEIGHT;
    t->width = width_px - t->left < ZT_TILE_WIDTH ? width_px - t->left : ZT_TILE_WIDTH;
    t->height = height_px - t->top < ZT_TILE_HEIGHT ? height_px - t->top : ZT_TILE_HEIGHT;
    t->half_width = (t->width + 1) / 2;
    t->half_height = (t->height + 1) / 2;
    t->cast_u = t->cast_v = 0;
    t->changes = 0;
}

void zt_tile_fetch(const struct zt_tile *t, const struct zt_frame_buf *frame)
{
    const struct zt_frame *v = &frame->view;

    for (int y = 0; y < t->height; y++) {
        const uint8_t *row = frame->plane[0] + (size_t)(t->top + y) * v->stride[0] + t->left;
        for (int x = 0; x < t->width; x += LINE)
            __builtin_prefetch(row + x);
    }
    for (int p = 1; p <= 2; p++) {
        const uint8_t *row = frame->plane[p] + (size_t)t->top / 2 * v->stride[p] + t->left / 2;
        for (int y = 0; y < t->half_height; y++, row += v->stride[p])
            __builtin_prefetch(row);
    }
}

void zt_tile_clear(struct zt_tile *t)
{
    for (int y = 0; y < t->height; y++)
        for (int x = 0; x < ZT_TILE_WIDTH; x++)
            t->keep[y][x] = 1;
    for (int y = 0; y < t->half_height; y++)
        for (int x = 0; x < ZT_TILE_WIDTH / 2; x++)
            t->keep_c[y][x] = 1;
    zt_tile_clear_light(t);
}

void zt_tile_clear_light(struct zt_tile *t)
{
    memset(t->light, 0, sizeof(t->light));
    memset(t->light_u, 0, sizeof(t->light_u));
    memset(t->light_v, 0, sizeof(t->light_v));
}

/*
 * One row: the new samples, and coded luma before and after for the chroma. Bytes become 32 bits in
 * a loop of their own: all in one, vectors of 32 would not fit the registers. Without a change the
 * root's error is far below the dither's first step, so samples come out as they went in.
 */
ZT_MEDIA_CLONES static void mix_luma(const float *restrict keep, const float *restrict light,
                                     const float *restrict offset, uint8_t *restrict row,
                                     float *restrict before, float *restrict after, int n)
{
    int32_t sample[ZT_TILE_WIDTH];

    for (int x = 0; x < n; x++)
        sample[x] = row[x];
    for (int x = 0; x < n; x++) {
        int was = sample[x], black = was < 16 ? was - 16 : 0, white = was > 235 ? was : 235;
        float y = (float)(was - 16 - black) * (1 / 219.0F);
        float now = sqrtf(y * y * keep[x] + light[x]);
        int coded = (int)(now * 219 + 16 + offset[x]) + black;
        before[x] = y;
        after[x] = now;
        sample[x] = coded < white ? coded : white;
    }
    for (int x = 0; x < n; x++)
        row[x] = (uint8_t)sample[x];
}

/* Chroma sits on even columns, half way between two rows. */
ZT_MEDIA_CLONES static void halve(const float *restrict above, const float *restrict below,
                                  float *restrict out, int n)
{
    for (int x = 0; x < n; x++) /* NOLINTNEXTLINE: mix_luma filled all of both */
        out[x] = (above[2 * x] + below[2 * x]) / 2;
}

/*
 * The two factors that both planes share: of the chroma that is there, and of light's; before and
 * after are coded luma at the chroma samples.
 */
ZT_MEDIA_CLONES static void chroma_factors(const float *restrict keep, const float *restrict before,
                                           const float *restrict after, float *restrict was,
                                           float *restrict light, int n)
{
    for (int x = 0; x < n; x++) {
        float share = 1 / (after[x] + LIFT);
        was[x] = (before[x] + LIFT) * keep[x] * share;
        light[x] = share;
    }
}

ZT_MEDIA_CLONES static void mix_chroma(const float *restrict was, const float *restrict share,
                                       const float *restrict light, uint8_t *restrict row, int n)
{
    int32_t sample[ZT_TILE_WIDTH / 2];

    for (int x = 0; x < n; x++)
        sample[x] = row[x];
    for (int x = 0; x < n; x++) {
        int old = sample[x], low = old < 16 ? old : 16, high = old > 240 ? old : 240;
        float now = (float)(old - 128) * was[x] + light[x] * share[x];
        int coded = (int)(now + 256.5F) - 128; /* rounded: the sum is positive */
        coded = coded < low ? low : coded;
        sample[x] = coded > high ? high : coded;
    }
    for (int x = 0; x < n; x++)
        row[x] = (uint8_t)sample[x];
}

/* Adds the colour of darkness to light, so that the share above leaves cast (1 - keep) of it. */
ZT_MEDIA_CLONES static void add_cast(const float *restrict keep, const float *restrict after,
                                     float cast, const float *restrict light, float *restrict ret,
                                     int n)
{
    for (int x = 0; x < n; x++)
        ret[x] =
            light[x] + cast * (1 - keep[x]) * after[x] * (after[x] + LIFT) / (after[x] + 2 * LIFT);
}

/* Two rows of luma and the row of chroma between them. */
static void apply_rows(const struct zt_tile *t, int y, struct zt_frame_buf *frame)
{
    const size_t *stride = frame->view.stride;
    float before[2][ZT_TILE_WIDTH], after[2][ZT_TILE_WIDTH]; /* widths are even: no gap is read */
    float half[2][ZT_TILE_WIDTH / 2], was[ZT_TILE_WIDTH / 2], share[ZT_TILE_WIDTH / 2];
    int rows = y + 1 < t->height ? 2 : 1;
    size_t row = (size_t)(t->top + y) / 2, left = (size_t)t->left / 2;

    for (int k = 0; k < rows; k++)
        mix_luma(t->keep[y + k], t->light[y + k], dither[(y + k) & 3],
                 frame->plane[0] + (size_t)(t->top + y + k) * stride[0] + t->left, before[k],
                 after[k], t->width);
    halve(before[0], before[rows - 1], half[0], t->half_width);
    halve(after[0], after[rows - 1], half[1], t->half_width);
    chroma_factors(t->keep_c[y / 2], half[0], half[1], was, share, t->half_width);
    for (int p = 1; p <= 2; p++) {
        const float *light = p == 1 ? t->light_u[y / 2] : t->light_v[y / 2];
        float cast = p == 1 ? t->cast_u : t->cast_v, with_cast[ZT_TILE_WIDTH / 2];
        if (cast != 0) {
            add_cast(t->keep_c[y / 2], half[1], cast, light, with_cast, t->half_width);
            light = with_cast;
        }
        mix_chroma(was, share, light, frame->plane[p] + row * stride[p] + left, t->half_width);
    }
}

void zt_tile_apply(const struct zt_tile *t, struct zt_frame_buf *frame)
{
    for (int y = 0; y < t->height; y += 2)
        if ((t->changes >> y / 2 & 1) != 0)
            apply_rows(t, y, frame);
}
