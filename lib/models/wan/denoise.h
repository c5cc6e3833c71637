/*
 * denoise.h - from noise to a latent: the sampler's loop around the DiT, with guidance and with
 * frames that are given. specs/wan.md 6.1, 7, 8.
 */
#ifndef ZT_MODELS_WAN_DENOISE_H
#define ZT_MODELS_WAN_DENOISE_H

#include "models/sampler.h"
#include "models/wan/dit.h"

/* After step `done` of `steps`: x is the sample at the next level. True stops. */
typedef bool zt_wan_step_fn(void *user, int done, int steps, const float *x);

/* x0: where a step's velocity leads, until the call returns. What it returns ends the loop. */
typedef enum zt_code zt_wan_guess_fn(void *user, const float *x0, struct zt_err *err);

struct zt_wan_denoise {
    struct zt_dit *dit;
    const struct zt_dit_prompt *cond;
    const struct zt_dit_prompt *uncond; /* NULL: one pass a step, without guidance */
    double guidance;                    /* v = uncond + guidance * (cond - uncond) */
    /*
     * Noise levels above the first and up to the second are guided; at others one pass is run.
     * Kynkaanniemi et al., "Applying Guidance in a Limited Interval" (2024), with flow matching's
     * level s, 0 to 1 and after the shift, in place of its sigma = s / (1 - s).
     */
    double guidance_interval[2];
    const struct zt_schedule *schedule;
    struct zt_dit_size size;
    const float *given; /* [channels][t][h][w]: the frames that are held; others are not read */
    const bool *held;   /* [t]: such a frame is always clean and has timestep 0 */
    /*
     * Above 0: a threshold of zt_dit_forward_cached. The prompt's pass is asked, and guidance's
     * does the same, as guidance multiplies an error that one alone has. All blocks run at the
     * first two steps, where UniPC has no second order yet, at the last, at the first that is
     * guided, and after three steps in a row without.
     */
    double cache;
    struct zt_made *made;    /* passes are added; may be NULL */
    uint64_t seed, stream;   /* of the fresh noise some samplers add: streams stream + 1 + step */
    zt_wan_step_fn *on_step; /* may be NULL */
    zt_wan_guess_fn *on_guess;
    int guess_every; /* on_guess is told each so many steps, not at the last; 0: never */
    void *user;
};

/*
 * x  [channels][t][h][w]: noise at the start, the latent at the end
 *   ZT_E_CORRUPT    the model gave values that are no numbers; msg has step and count
 *   ZT_E_CANCELLED  on_step or the device's stop function said so
 *   what on_guess returned
 *   ZT_E_INVALID, ZT_E_NOMEM
 */
enum zt_code zt_wan_denoise(const struct zt_wan_denoise *d, float *x, struct zt_err *err);

/* Whether a level of the schedule lies in such an interval. */
bool zt_wan_guided(const struct zt_schedule *schedule, const double interval[2]);

#endif
