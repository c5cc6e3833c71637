/* test_sampler.c - levels and steps against worked examples and solutions known in closed form. */
#include "base/mem.h"
#include "check.h"
#include "models/sampler.h"

static struct zt_sampler *sampler(struct zt_schedule schedule, size_t n)
{
    struct zt_sampler *s = NULL;
    struct zt_err err = { 0 };

    CHECK_INT("made", zt_sampler_new(&schedule, n, &s, &err), ZT_OK);
    return s;
}

/* Shift 5. The first levels as the reference implementations print them. */
static const struct {
    const char *label;
    struct zt_schedule schedule;
    int n;
    double sigma[6], timestep[10];
} grids[] = {
    { "uniform 4",
      { ZT_GRID_UNIFORM, ZT_UPDATE_UNIPC, 4, 5, { 0 } },
      4,
      { 0.999800, 0.937265, 0.833055, 0.624687 },
      { 999, 937, 833, 624 } },
    { "one 4, UniPC",
      { ZT_GRID_ONE, ZT_UPDATE_UNIPC, 4, 5, { 0 } },
      4,
      { 0.999999, 0.937578, 0.833611, 0.625936 },
      { 999, 937, 833, 625 } },
    { "one 4, Euler",
      { ZT_GRID_ONE, ZT_UPDATE_EULER, 4, 5, { 0 } },
      4,
      { 1, 0.937578, 0.833611, 0.625936 },
      { 1000, 937, 833, 625 } },
    { "uniform 50",
      { ZT_GRID_UNIFORM, ZT_UPDATE_UNIPC, 50, 5, { 0 } },
      10,
      { 0 },
      { 999, 995, 991, 987, 982, 978, 973, 968, 963, 957 } },
    { "distilled, 4 levels",
      { ZT_GRID_LEVELS, ZT_UPDATE_EULER, 4, 5, { 1, 0.75, 0.5, 0.25 } },
      4,
      { 1, 0.9375, 0.8333333, 0.625 },
      { 1000, 937.5, 833.33333, 625 } },
    { "distilled, 3 raw levels",
      { ZT_GRID_LEVELS, ZT_UPDATE_RENOISE, 3, 1, { 1, 0.757, 0.522 } },
      3,
      { 1, 0.757, 0.522 },
      { 1000, 757, 522 } },
    { "distilled, 3 warped levels",
      { ZT_GRID_LEVELS, ZT_UPDATE_RENOISE, 3, 5, { 1, 0.757, 0.522 } },
      3,
      { 0 },
      { 1000, 939.6723, 845.2073 } },
};

static void lays_out_levels(void)
{
    for (size_t row = 0; row < ZT_COUNT(grids); row++) {
        zt_auto(sampler) struct zt_sampler *s = sampler(grids[row].schedule, 1);
        int steps = grids[row].schedule.steps;
        CHECK_INT(grids[row].label, zt_sampler_steps(s), steps);
        for (int i = 0; i < grids[row].n; i++) {
            if (grids[row].sigma[0] > 0)
                CHECK_NEAR(grids[row].label, zt_sampler_sigma(s, i), grids[row].sigma[i], 6e-7);
            CHECK_NEAR(grids[row].label, zt_sampler_timestep(s, i), grids[row].timestep[i], 1e-4);
        }
        CHECK_NEAR(grids[row].label, zt_sampler_sigma(s, steps), 0, 0);
    }
    zt_auto(sampler) struct zt_sampler *s = sampler(grids[3].schedule, 1);
    static const int end[] = { 241, 172, 92 };
    for (int i = 0; i < 3; i++)
        CHECK_INT("the last ones", zt_sampler_timestep(s, 47 + i), end[i]);
}

static float velocity(float x, double sigma)
{
    return (float)(0.5 * x + 0.25 * sigma - 0.1);
}

/* x after each step of UniPC and the velocity it was asked for; the last row is the result. */
static void unipc_follows_the_worked_example(void)
{
    static const double v_of[] = { 0.64994996, 0.62782294, 0.59847598,
                                   0.55761043, 0.49621641, 0.39451612 };
    static const double x_of[] = { 0.97498769, 0.94253056, 0.89869318,
                                   0.83544312, 0.73918230, 0.54204264 };
    zt_auto(sampler) struct zt_sampler *s =
        sampler((struct zt_schedule){ ZT_GRID_UNIFORM, ZT_UPDATE_UNIPC, 6, 5, { 0 } }, 1);
    float x = 1;

    for (int i = 0; i < 6; i++) {
        float v = velocity(x, zt_sampler_sigma(s, i));
        CHECK_NEAR("velocity", v, v_of[i], 1.2e-7);
        CHECK("no noise", !zt_sampler_wants_noise(s));
        zt_sampler_step(s, &v, NULL, &x);
        CHECK_NEAR("sample", x, x_of[i], 1.2e-7);
    }
}

static void euler_follows_the_worked_example(void)
{
    zt_auto(sampler) struct zt_sampler *s =
        sampler((struct zt_schedule){ ZT_GRID_UNIFORM, ZT_UPDATE_EULER, 6, 5, { 0 } }, 1);
    float x = 1;

    for (int i = 0; i < 6; i++) {
        float v = velocity(x, zt_sampler_sigma(s, i));
        zt_sampler_step(s, &v, NULL, &x);
    }
    CHECK_NEAR("result", x, 0.53112924, 2e-7);
}

/*
 * A network that always knows the sample x0 gives v = (x - x0) / sigma. Whatever the schedule, the
 * result is x0; and on the way x is (1 - s) x0 + s * noise, of fresh noise for RENOISE.
 */
static void a_perfect_network_gives_its_sample(void)
{
    enum { N = 37 };
    static const double unused[ZT_STEPS_MAX] = { 1, 0.8, 0.31, 0.2, 0.07 };
    for (int kind = 0; kind < ZT_GRIDS * ZT_UPDATES; kind++) {
        struct zt_schedule schedule = {
            (enum zt_grid)(kind / ZT_UPDATES), (enum zt_update)(kind % ZT_UPDATES), 5, 3, { 0 }
        };
        memcpy(schedule.levels, unused, sizeof(unused));
        zt_auto(sampler) struct zt_sampler *s = sampler(schedule, N);
        float x[N], x0[N], v[N], noise[N];
        const char *label = zt_update_names[schedule.update];
        for (int e = 0; e < N; e++) {
            x0[e] = sinf((float)e);
            noise[e] = cosf(3.0f * (float)e);
            x[e] =
                (float)((1 - zt_sampler_sigma(s, 0)) * x0[e] + zt_sampler_sigma(s, 0) * noise[e]);
        }
        for (int i = 0; i < 5; i++) {
            for (int e = 0; e < N; e++) {
                v[e] = (float)((x[e] - x0[e]) / zt_sampler_sigma(s, i));
                noise[e] *= schedule.update == ZT_UPDATE_RENOISE ? -1.f : 1.f;
            }
            CHECK_INT(label, zt_sampler_wants_noise(s),
                      schedule.update == ZT_UPDATE_RENOISE && i < 4);
            zt_sampler_step(s, v, zt_sampler_wants_noise(s) ? noise : NULL, x);
            double t = zt_sampler_sigma(s, i + 1);
            for (int e = 0; e < N; e++)
                CHECK_NEAR(label, x[e], (1 - t) * x0[e] + t * noise[e], 2e-6);
        }
    }
}

/*
 * dx/ds = a x has the solution x(0) = x(1) e^-a. Twice the steps, a quarter of the error or less for
 * UniPC, half for Euler.
 */
static double error_with(enum zt_update update, int steps)
{
    zt_auto(sampler) struct zt_sampler *s =
        sampler((struct zt_schedule){ ZT_GRID_UNIFORM, update, steps, 1, { 0 } }, 1);
    float x = 1;

    for (int i = 0; i < steps; i++) {
        float v = 1.5f * x;
        zt_sampler_step(s, &v, NULL, &x);
    }
    return fabs(x - exp(-1.5 * zt_sampler_sigma(s, 0)));
}

static void more_steps_come_closer(void)
{
    double euler = error_with(ZT_UPDATE_EULER, 20), unipc = error_with(ZT_UPDATE_UNIPC, 20);

    CHECK_BELOW("Euler is of order 1", error_with(ZT_UPDATE_EULER, 40) / euler, 0.55);
    CHECK_BELOW("UniPC is of order 2", error_with(ZT_UPDATE_UNIPC, 40) / unipc, 0.3);
    CHECK_BELOW("UniPC is better", unipc / euler, 0.2);
}

static const struct {
    const char *label, *field;
    struct zt_schedule schedule;
} wrong[] = {
    { "no steps", "steps", { ZT_GRID_UNIFORM, ZT_UPDATE_UNIPC, 0, 5, { 0 } } },
    { "too many", "steps", { ZT_GRID_UNIFORM, ZT_UPDATE_UNIPC, ZT_STEPS_MAX + 1, 5, { 0 } } },
    { "no shift", "shift", { ZT_GRID_UNIFORM, ZT_UPDATE_UNIPC, 5, 0, { 0 } } },
    { "shift not a number", "shift", { ZT_GRID_UNIFORM, ZT_UPDATE_UNIPC, 5, NAN, { 0 } } },
    { "above 1", "levels", { ZT_GRID_LEVELS, ZT_UPDATE_EULER, 2, 1, { 1.01, 0.5 } } },
    { "rising", "levels", { ZT_GRID_LEVELS, ZT_UPDATE_EULER, 3, 1, { 1, 0.5, 0.5 } } },
    { "zero", "levels", { ZT_GRID_LEVELS, ZT_UPDATE_EULER, 2, 1, { 1, 0 } } },
    { "not a number", "levels", { ZT_GRID_LEVELS, ZT_UPDATE_EULER, 2, 1, { 1, NAN } } },
};

static void refuses_what_is_no_schedule(void)
{
    for (size_t i = 0; i < ZT_COUNT(wrong); i++) {
        struct zt_err err = { 0 };
        struct zt_sampler *s = NULL;
        CHECK_INT(wrong[i].label, zt_sampler_new(&wrong[i].schedule, 1, &s, &err), ZT_E_INVALID);
        CHECK_STR(wrong[i].label, err.field, wrong[i].field);
    }
}

int main(void)
{
    RUN(lays_out_levels);
    RUN(unipc_follows_the_worked_example);
    RUN(euler_follows_the_worked_example);
    RUN(a_perfect_network_gives_its_sample);
    RUN(more_steps_come_closer);
    RUN(refuses_what_is_no_schedule);
    return check_done();
}
