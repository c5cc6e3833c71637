/*
 * sampler.h - from noise to a sample of a flow-matching network: x at noise level s is
 * (1 - s) * x0 + s * noise, and the network gives the velocity v = noise - x0.
 *
 * A schedule is data: which levels, shifted or not, and how one level leads to the next. Guidance,
 * frames held fixed and the choice between networks are the caller's. Pure C, no ggml.
 *
 *     for (int i = 0; i < zt_sampler_steps(s); i++) {
 *         v = network(x, zt_sampler_timestep(s, i));
 *         zt_sampler_step(s, v, noise_or_null, x);
 *     }
 */
#ifndef ZT_MODELS_SAMPLER_H
#define ZT_MODELS_SAMPLER_H

#include "base/auto.h"
#include "base/error.h"

#define ZT_STEPS_MAX 100

/* Where the levels come from, before the shift s' = shift * s / (1 + (shift - 1) * s). */
enum zt_grid {
    ZT_GRID_UNIFORM, /* 0.999 * (1 - i / steps): Wan's own code, and diffusers 0.36 */
    ZT_GRID_ONE,     /* 1 - 0.999 * i / steps: starts at 1 */
    ZT_GRID_LEVELS,  /* the list */
    ZT_GRIDS
};

/* How a step goes from level s to t (0 after the last). */
enum zt_update {
    ZT_UPDATE_UNIPC,   /* Zhao et al., "UniPC" (2023): order 2, B(h) = e^h - 1, data prediction */
    ZT_UPDATE_EULER,   /* x + (t - s) * v */
    ZT_UPDATE_RENOISE, /* (1 - t) * x0 + t * fresh noise, x0 = x - s * v: consistency sampling */
    ZT_UPDATES
};

/* Their words in settings and model cards, by the values above. */
extern const char *const zt_grid_names[ZT_GRIDS];     /* "uniform" "one" "levels" */
extern const char *const zt_update_names[ZT_UPDATES]; /* "unipc" "euler" "renoise" */

struct zt_schedule {
    enum zt_grid grid;
    enum zt_update update;
    int steps;                   /* 1 ... ZT_STEPS_MAX; for LEVELS how many there are */
    double shift;                /* 0.1 ... 100; 1: none */
    double levels[ZT_STEPS_MAX]; /* for LEVELS: above 0, at most 1, each below the one before */
};

/* ZT_E_INVALID: a value is out of range; err->field is "steps", "shift" or "levels". */
enum zt_code zt_schedule_check(const struct zt_schedule *schedule, struct zt_err *err);

/* As zt_sampler_sigma, of a checked schedule; i below its steps. */
double zt_schedule_sigma(const struct zt_schedule *schedule, int i);

struct zt_sampler;

/* n: elements of a sample. Checks the schedule. ZT_E_NOMEM: three samples do not fit (UniPC). */
enum zt_code zt_sampler_new(const struct zt_schedule *schedule, size_t n, struct zt_sampler **ret,
                            struct zt_err *err);
void zt_sampler_free(struct zt_sampler *sampler); /* NULL is fine */
ZT_AUTO(struct zt_sampler, sampler, zt_sampler_free)

int zt_sampler_steps(const struct zt_sampler *sampler);

/* The noise level at step i: of x when the network is asked; 0 for i = steps, the result's. */
double zt_sampler_sigma(const struct zt_sampler *sampler, int i);

/*
 * What the network is told at step i, 0 ... 1000: 1000 * sigma, without its fraction on the two
 * grids (the networks were used so), exact for LEVELS.
 */
double zt_sampler_timestep(const struct zt_sampler *sampler, int i);

/* Whether the next step takes fresh noise. */
bool zt_sampler_wants_noise(const struct zt_sampler *sampler);

/*
 * The next step. v and x have n elements; x becomes the sample at the next level. noise: n numbers
 * of N(0, 1) where zt_sampler_wants_noise, else not read (NULL is fine). x may have been changed
 * between steps.
 */
void zt_sampler_step(struct zt_sampler *sampler, const float *v, const float *noise, float *x);

#endif
