/*
 * sampler.c - levels of a schedule, and the steps between them.
 *
 * Every update is linear in the tensors, so a step finds its coefficients in double and passes over
 * the elements once.
 */
#include "models/sampler.h"

#include "base/mem.h"

#include <math.h>

#define TRAINED_STEPS 1000.0
#define SIGMA_MAX     0.999 /* 1 - 1 / TRAINED_STEPS */
#define SHIFT_MIN     0.1
#define SHIFT_MAX     100.0
#define BELOW_ONE     1e-6 /* UniPC takes the logarithm of 1 - sigma */

const char *const zt_grid_names[ZT_GRIDS] = { "uniform", "one", "levels" };
const char *const zt_update_names[ZT_UPDATES] = { "unipc", "euler", "renoise" };

struct zt_sampler {
    enum zt_update update;
    int steps, i; /* i: the next step */
    size_t n;
    double sigma[ZT_STEPS_MAX + 1], timestep[ZT_STEPS_MAX];
    int order; /* of the last prediction */
    /* UniPC: data predictions of the last step and the one before; x as the last step left it. */
    float *last, *prev, *from;
};

/* A sum of tensors: of x (or `from`), of the data predictions now, last and before that. */
struct sum {
    double x, now, last, prev;
};

enum zt_code zt_schedule_check(const struct zt_schedule *schedule, struct zt_err *err)
{
    zt_assert(schedule->grid < ZT_GRIDS && schedule->update < ZT_UPDATES);
    if (schedule->steps < 1 || schedule->steps > ZT_STEPS_MAX)
        return zt_fail_field(err, ZT_E_INVALID, "steps", "steps must be 1 to %d, not %d",
                             ZT_STEPS_MAX, schedule->steps);
    if (!(schedule->shift >= SHIFT_MIN && schedule->shift <= SHIFT_MAX))
        return zt_fail_field(err, ZT_E_INVALID, "shift", "shift must be %g to %g, not %g",
                             SHIFT_MIN, SHIFT_MAX, schedule->shift);
    for (int i = 0; schedule->grid == ZT_GRID_LEVELS && i < schedule->steps; i++) {
        double level = schedule->levels[i], above = i == 0 ? 2 : schedule->levels[i - 1];
        if (!(level > 0 && level <= 1 && level < above))
            return zt_fail_field(err, ZT_E_INVALID, "levels",
                                 "levels must fall from at most 1 to above 0; level %d is %g",
                                 i + 1, level);
    }
    return ZT_OK;
}

double zt_schedule_sigma(const struct zt_schedule *schedule, int i)
{
    double at = (double)i / schedule->steps, g = 0;

    switch (schedule->grid) {
    case ZT_GRID_UNIFORM:
        g = SIGMA_MAX * (1 - at);
        break;
    case ZT_GRID_ONE:
        g = 1 - SIGMA_MAX * at;
        break;
    default:
        g = schedule->levels[i];
    }
    double sigma = schedule->shift * g / (1 + (schedule->shift - 1) * g);
    return sigma > 1 - BELOW_ONE && schedule->update == ZT_UPDATE_UNIPC ? 1 - BELOW_ONE : sigma;
}

static void lay_out(struct zt_sampler *s, const struct zt_schedule *schedule)
{
    for (int i = 0; i < s->steps; i++) {
        double sigma = zt_schedule_sigma(schedule, i), t = TRAINED_STEPS * sigma;
        s->sigma[i] = sigma;
        s->timestep[i] = schedule->grid == ZT_GRID_LEVELS ? t : floor(t);
    }
    s->sigma[s->steps] = 0;
}

enum zt_code zt_sampler_new(const struct zt_schedule *schedule, size_t n, struct zt_sampler **ret,
                            struct zt_err *err)
{
    zt_auto(sampler) struct zt_sampler *s = zt_new(struct zt_sampler);

    ZT_TRY(zt_schedule_check(schedule, err));
    s->update = schedule->update;
    s->steps = schedule->steps;
    s->n = n;
    lay_out(s, schedule);
    if (s->update == ZT_UPDATE_UNIPC) {
        ZT_TRY(zt_try_alloc(n, sizeof(float), "the sampler", (void **)&s->last, err));
        ZT_TRY(zt_try_alloc(n, sizeof(float), "the sampler", (void **)&s->prev, err));
        ZT_TRY(zt_try_alloc(n, sizeof(float), "the sampler", (void **)&s->from, err));
    }
    *ret = zt_take_sampler(&s);
    return ZT_OK;
}

void zt_sampler_free(struct zt_sampler *sampler)
{
    if (sampler == NULL)
        return;
    free(sampler->last);
    free(sampler->prev);
    free(sampler->from);
    free(sampler);
}

int zt_sampler_steps(const struct zt_sampler *sampler)
{
    return sampler->steps;
}

double zt_sampler_sigma(const struct zt_sampler *sampler, int i)
{
    zt_assert(i >= 0 && i <= sampler->steps);
    return sampler->sigma[i];
}

double zt_sampler_timestep(const struct zt_sampler *sampler, int i)
{
    zt_assert(i >= 0 && i < sampler->steps);
    return sampler->timestep[i];
}

bool zt_sampler_wants_noise(const struct zt_sampler *sampler)
{
    return sampler->update == ZT_UPDATE_RENOISE && sampler->i + 1 < sampler->steps;
}

/* Half the logarithm of the signal-to-noise ratio. */
static double lambda(const struct zt_sampler *s, int i)
{
    return log1p(-s->sigma[i]) - log(s->sigma[i]);
}

/* UniC: x at step i > 0 anew, now that the network has been asked there. */
static struct sum corrector(const struct zt_sampler *s)
{
    int i = s->i;
    double h = lambda(s, i) - lambda(s, i - 1), phi = expm1(-h);
    double alpha = 1 - s->sigma[i], b = alpha * phi; /* B(h) = phi */
    struct sum c = { .x = s->sigma[i] / s->sigma[i - 1], .last = -b };

    if (s->order == 1) {
        c.now = -0.5 * b;
        c.last += 0.5 * b;
        return c;
    }
    double r = (lambda(s, i - 2) - lambda(s, i - 1)) / h, k = phi / -h - 1;
    double b1 = k / phi, b2 = 2 * (k / -h - 0.5) / phi;
    double rho1 = (b1 - b2) / (1 - r), rho2 = b1 - rho1;
    c.prev = -b * rho1 / r;
    c.now = -b * rho2;
    c.last += b * (rho1 / r + rho2);
    return c;
}

/* UniP: x at step i + 1, from step i. The last level is 0, where x is the data prediction. */
static struct sum predictor(const struct zt_sampler *s, int order)
{
    int i = s->i;

    if (i + 1 == s->steps)
        return (struct sum){ .now = 1 };
    double h = lambda(s, i + 1) - lambda(s, i), b = (1 - s->sigma[i + 1]) * expm1(-h);
    struct sum p = { .x = s->sigma[i + 1] / s->sigma[i], .now = -b };
    if (order == 2) {
        double r = (lambda(s, i - 1) - lambda(s, i)) / h;
        p.last = -0.5 * b / r;
        p.now += 0.5 * b / r;
    }
    return p;
}

static void step_unipc(struct zt_sampler *s, const float *v, float *x)
{
    double sigma = s->sigma[s->i];
    int order = s->i == 0 || s->i + 1 == s->steps ? 1 : 2;
    struct sum c = { 0 }, p = predictor(s, order);
    bool correct = s->i > 0;
    float *spare = s->prev;

    if (correct)
        c = corrector(s);
    for (size_t e = 0; e < s->n; e++) {
        double now = x[e] - sigma * v[e], last = s->last[e], fixed = x[e];
        if (correct)
            fixed = c.x * s->from[e] + c.now * now + c.last * last + c.prev * s->prev[e];
        s->from[e] = (float)fixed;
        s->prev[e] = (float)now; /* `spare`: becomes `last` below */
        x[e] = (float)(p.x * fixed + p.now * now + p.last * last);
    }
    s->prev = s->last;
    s->last = spare;
    s->order = order;
}

static void step_euler(const struct zt_sampler *s, const float *v, float *x)
{
    double d = s->sigma[s->i + 1] - s->sigma[s->i];

    for (size_t e = 0; e < s->n; e++)
        x[e] = (float)(x[e] + d * v[e]);
}

static void step_renoise(const struct zt_sampler *s, const float *v, const float *noise, float *x)
{
    double sigma = s->sigma[s->i], next = s->sigma[s->i + 1];
    bool last = s->i + 1 == s->steps;

    zt_assert(last || noise != NULL);
    for (size_t e = 0; e < s->n; e++) {
        double x0 = x[e] - sigma * v[e];
        x[e] = (float)(last ? x0 : (1 - next) * x0 + next * noise[e]);
    }
}

void zt_sampler_step(struct zt_sampler *sampler, const float *v, const float *noise, float *x)
{
    zt_assert(sampler->i < sampler->steps);
    switch (sampler->update) {
    case ZT_UPDATE_UNIPC:
        step_unipc(sampler, v, x);
        break;
    case ZT_UPDATE_EULER:
        step_euler(sampler, v, x);
        break;
    default:
        step_renoise(sampler, v, noise, x);
    }
    sampler->i++;
}
