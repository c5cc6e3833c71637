/*
 * denoise.c - see denoise.h.
 */
#include "models/wan/denoise.h"

#include "base/auto.h"
#include "base/mem.h"
#include "models/noise.h"
#include "models/wan/clip.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Steps where all blocks run, with a cache; see denoise.h. */
#define FIRST_WHOLE 2
#define LAST_WHOLE  1
#define REUSED_MOST 3 /* in a row */

struct loop {
    const struct zt_wan_denoise *d;
    struct zt_sampler *sampler;
    size_t n, plane; /* of the latent; of one channel of one frame */
    float *v, *uncond, *noise;
    float *t;                   /* a timestep a frame */
    struct zt_dit_cache *cache; /* NULL: none */
    bool was_guided;            /* the step before */
    int reused;                 /* steps in a row */
};

/* The frames that are held, put back to what they are. */
static void hold(const struct loop *l, float *x)
{
    const struct zt_dit_size *s = &l->d->size;
    size_t channels = l->n / ((size_t)s->t * l->plane);

    for (size_t c = 0; c < channels; c++)
        for (int f = 0; f < s->t; f++) {
            size_t at = (c * (size_t)s->t + (size_t)f) * l->plane;
            if (l->d->held[f])
                memcpy(x + at, l->d->given + at, l->plane * sizeof(float));
        }
}

static bool is_within(const double interval[2], double sigma)
{
    return sigma > interval[0] && sigma <= interval[1];
}

static bool is_guided(const struct loop *l, int step)
{
    return l->d->uncond != NULL &&
           is_within(l->d->guidance_interval, zt_sampler_sigma(l->sampler, step));
}

static bool may_reuse(const struct loop *l, int step, bool guided)
{
    return step >= FIRST_WHOLE && step < zt_sampler_steps(l->sampler) - LAST_WHOLE &&
           l->reused < REUSED_MOST && (!guided || l->was_guided);
}

/* threshold: of zt_dit_forward_cached. True in *ret: blocks were left out. */
static enum zt_code pass(const struct loop *l, const struct zt_dit_prompt *prompt, int place,
                         double threshold, const float *x, float *v, bool *ret, struct zt_err *err)
{
    const struct zt_wan_denoise *d = l->d;
    struct zt_dit_reuse reuse = { .cache = l->cache, .place = place, .threshold = threshold };

    ZT_TRY(l->cache != NULL ? zt_dit_forward_cached(d->dit, prompt, &reuse, x, l->t, v, err)
                            : zt_dit_forward(d->dit, prompt, d->size, x, l->t, v, err));
    *ret = reuse.reused;
    if (d->made != NULL) {
        d->made->passes++;
        d->made->passes_reused += reuse.reused;
    }
    return ZT_OK;
}

static enum zt_code velocity(struct loop *l, int step, const float *x, struct zt_err *err)
{
    const struct zt_wan_denoise *d = l->d;
    bool guided = is_guided(l, step), reused = false;
    double t = zt_sampler_timestep(l->sampler, step);
    char what[64];

    for (int f = 0; f < d->size.t; f++)
        l->t[f] = d->held[f] ? 0 : (float)t;
    double threshold = may_reuse(l, step, guided) ? d->cache : 0;
    ZT_TRY(pass(l, d->cond, 0, threshold, x, l->v, &reused, err));
    if (guided) {
        bool same = false;
        ZT_TRY(pass(l, d->uncond, 1, reused ? INFINITY : 0, x, l->uncond, &same, err));
        zt_assert(same == reused);
        for (size_t i = 0; i < l->n; i++)
            l->v[i] = l->uncond[i] + (float)d->guidance * (l->v[i] - l->uncond[i]);
    }
    l->reused = reused ? l->reused + 1 : 0;
    l->was_guided = guided;
    snprintf(what, sizeof(what), "step %d of %d", step + 1, zt_sampler_steps(l->sampler));
    return zt_clip_numbers(l->v, l->n, what, err);
}

/* x = (1 - sigma) x0 + sigma noise, and the velocity is noise - x0. Into uncond, done with here. */
static enum zt_code guess(const struct loop *l, int step, const float *x, struct zt_err *err)
{
    const struct zt_wan_denoise *d = l->d;
    float sigma = (float)zt_sampler_sigma(l->sampler, step);

    if (d->guess_every == 0 || (step + 1) % d->guess_every != 0 ||
        step + 1 == zt_sampler_steps(l->sampler))
        return ZT_OK;
    for (size_t i = 0; i < l->n; i++)
        l->uncond[i] = x[i] - sigma * l->v[i];
    hold(l, l->uncond);
    return d->on_guess(d->user, l->uncond, err);
}

static enum zt_code run(struct loop *l, float *x, struct zt_err *err)
{
    const struct zt_wan_denoise *d = l->d;
    int steps = zt_sampler_steps(l->sampler);

    hold(l, x);
    for (int i = 0; i < steps; i++) {
        ZT_TRY(velocity(l, i, x, err));
        ZT_TRY(guess(l, i, x, err));
        if (zt_sampler_wants_noise(l->sampler))
            zt_noise_fill(d->seed, d->stream + 1 + (uint64_t)i, 0, l->n, l->noise);
        zt_sampler_step(l->sampler, l->v, l->noise, x);
        hold(l, x);
        if (d->on_step != NULL && d->on_step(d->user, i + 1, steps, x))
            return zt_fail(err, ZT_E_CANCELLED, "denoising was stopped");
    }
    return ZT_OK;
}

enum zt_code zt_wan_denoise(const struct zt_wan_denoise *d, float *x, struct zt_err *err)
{
    size_t channels = (size_t)zt_dit_config(d->dit)->channels;
    struct loop l = { .d = d, .plane = (size_t)d->size.h * (size_t)d->size.w };
    zt_auto(sampler) struct zt_sampler *sampler = NULL;
    zt_auto(dit_cache) struct zt_dit_cache *cache = NULL;
    void *mem = NULL;
    bool noise = d->schedule->update == ZT_UPDATE_RENOISE;

    l.n = channels * (size_t)d->size.t * l.plane;
    ZT_TRY(zt_sampler_new(d->schedule, l.n, &sampler, err));
    ZT_TRY(zt_try_alloc((2 + noise) * l.n + (size_t)d->size.t, sizeof(float), "a step", &mem, err));
    zt_auto_free float *values = mem;
    if (d->cache > 0)
        ZT_TRY(zt_dit_cache_new(d->dit, d->size, d->uncond != NULL ? 2 : 1, &cache, err));
    l.cache = cache;
    l.sampler = sampler;
    l.v = values;
    l.uncond = values + l.n;
    l.t = values + 2 * l.n;
    l.noise = noise ? l.t + d->size.t : NULL;
    return run(&l, x, err);
}

bool zt_wan_guided(const struct zt_schedule *schedule, const double interval[2])
{
    bool guided = false;

    for (int i = 0; i < schedule->steps; i++)
        guided |= is_within(interval, zt_schedule_sigma(schedule, i));
    return guided;
}
