/*
 * tones.h - smooth randomness in time and over an area, drawn from a seed in closed form: any
 * moment can be asked for on its own, and both can be made to close after a period.
 */
#ifndef ZT_MOTION_TONES_H
#define ZT_MOTION_TONES_H

#include <string.h>

#include "base/error.h"

struct zt_rng;

#define ZT_TONES 8

/* A sum of sine waves between two frequencies, of variance 1. */
struct zt_tones {
    double hz[ZT_TONES], phase[ZT_TONES], size[ZT_TONES];
};

/*
 * slope     sizes fall with frequency to this power: 0 even, 1 as most things in nature move
 * period_s  every tone takes a whole number of turns in it; 0: as it comes
 */
void zt_tones_init(struct zt_tones *tones, struct zt_rng *rng, double low_hz, double high_hz,
                   double slope, double period_s);
double zt_tones_at(const struct zt_tones *tones, double t_s);

/* Turns per second nearest to hz, at least one turn a period; hz itself when period_s is 0. */
double zt_whole_turns(double hz, double period_s);

/* A square of smooth noise around 0 of about variance 1 that continues over its edges. */
#define ZT_NOISE_SIDE 256

struct zt_noise {
    float *at; /* [ZT_NOISE_SIDE][ZT_NOISE_SIDE] */
};

/* cells: bumps a side in the coarsest octave, a power of two up to 64; octaves: 1 ... 5. */
void zt_noise_init(struct zt_noise *noise, struct zt_rng *rng, int cells, int octaves);
void zt_noise_clear(struct zt_noise *noise);

/*
 * (x, y) in squares: anything of moderate size, 1 is one whole square; interpolated linearly. Here
 * so that loops over it become vectors, as with zt_exp.
 */
static inline float zt_noise_at(const struct zt_noise *noise, float x, float y)
{
    const int mask = ZT_NOISE_SIDE - 1;
    float sx = x * ZT_NOISE_SIDE, sy = y * ZT_NOISE_SIDE;
    int ix = (int)sx, iy = (int)sy;

    ix -= sx < (float)ix; /* rounds down */
    iy -= sy < (float)iy;
    float fx = sx - (float)ix, fy = sy - (float)iy;
    int left = ix & mask, right = (ix + 1) & mask;
    int above = (iy & mask) * ZT_NOISE_SIDE, below = ((iy + 1) & mask) * ZT_NOISE_SIDE;
    float a = noise->at[above + left], b = noise->at[below + left];
    float top = a + fx * (noise->at[above + right] - a);
    float bottom = b + fx * (noise->at[below + right] - b);
    return top + fy * (bottom - top);
}

/* e^x to 10^-5 of its value; x beyond -80 ... 80 counts as that. */
static inline float zt_exp(float x)
{
    x = x > -80 ? x : -80;
    x = x < 80 ? x : 80;
    float t = x * 1.44269504F;           /* of 2 */
    int whole = (int)(t + 256.5F) - 256; /* the nearest: t is above -256 */
    float f = (t - (float)whole) * 0.69314718F, power;
    uint32_t bits = (uint32_t)(whole + 127) << 23;

    memcpy(&power, &bits, sizeof(power));
    return power * (1 + f * (1 + f * (0.5F + f * (0.16666667F +
                                                  f * (0.041666667F +
                                                       f * (0.0083333333F + f * 0.0013888889F))))));
}

/*
 * Two copies of one thing that take turns: each lives for period_s, is seen least when it is born
 * and dies, and most in between. age_s[k] of copy k and its weight; the weights add up to 1.
 */
struct zt_turns {
    double age_s[2], weight[2];
};
struct zt_turns zt_turns_at(double t_s, double period_s, double offset);

/* A period near wanted_s of which a whole number fit into loop_s; wanted_s when loop_s is 0. */
double zt_fitting_period(double wanted_s, double loop_s);

/* 0 -> 1 over 0 ... 1 with no speed at either end. */
double zt_smooth_step(double u);

#endif
