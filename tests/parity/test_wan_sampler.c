/*
 * test_wan_sampler.c - whole trajectories of UniPC and Euler against the reference's (diffusers' UniPC
 * on the original grid, in double; tools/reference). "given": the velocities are recorded; "field":
 * v = 0.5 x + 0.25 sigma - 0.1.
 */
#include "models/sampler.h"
#include "parity.h"

#define RECORD ZT_FIXTURES "/wan/ref/sampler.safetensors"
#define N      64
#define LIMIT  2e-6 /* samples are kept in f32, whose steps are 1e-7 */

static double worst;

static void follow(const struct zt_weights *record, const char *key, int steps, double shift,
                   enum zt_update update, bool given)
{
    char name[96];
    size_t n_x, n_v, n_want;
    zt_auto(sampler) struct zt_sampler *s = NULL;
    struct zt_schedule schedule = { .update = update, .steps = steps, .shift = shift };
    struct zt_err err = { 0 };

    snprintf(name, sizeof(name), "%s.x", key);
    float *x = parity_values(record, name, &n_x);
    snprintf(name, sizeof(name), "%s.v", key);
    float *v = parity_values(record, name, &n_v);
    snprintf(name, sizeof(name), "%s.%s.%s", key, zt_update_names[update],
             given ? "given" : "field");
    float *want = parity_values(record, name, &n_want);
    CHECK_INT(name, n_x, N);
    CHECK_INT(name, n_v, N * (size_t)steps);
    CHECK_INT(name, n_want, N * (size_t)steps);
    CHECK_INT(name, zt_sampler_new(&schedule, N, &s, &err), ZT_OK);
    for (int i = 0; i < steps; i++) {
        float *now = v + (size_t)i * N;
        for (int e = 0; !given && e < N; e++)
            now[e] = (float)(0.5 * x[e] + 0.25 * zt_sampler_sigma(s, i) - 0.1);
        zt_sampler_step(s, now, NULL, x);
        double error = parity_error(x, want + (size_t)i * N, N);
        CHECK_BELOW(name, error, LIMIT);
        worst = fmax(worst, error);
    }
    free(x);
    free(v);
    free(want);
}

static void lays_out(const struct zt_weights *record, const char *key, int steps, double shift)
{
    char name[96];
    size_t n_sigmas, n_times;
    zt_auto(sampler) struct zt_sampler *s = NULL;
    struct zt_schedule schedule = { .steps = steps, .shift = shift };
    struct zt_err err = { 0 };

    snprintf(name, sizeof(name), "%s.sigmas", key);
    float *sigmas = parity_values(record, name, &n_sigmas);
    snprintf(name, sizeof(name), "%s.times", key);
    float *times = parity_values(record, name, &n_times);
    CHECK_INT(name, zt_sampler_new(&schedule, 1, &s, &err), ZT_OK);
    CHECK_INT(name, n_sigmas, steps + 1);
    CHECK_INT(name, n_times, steps);
    for (int i = 0; i <= steps; i++)
        CHECK_NEAR(name, zt_sampler_sigma(s, i), sigmas[i], 1e-7);
    for (int i = 0; i < steps; i++)
        CHECK_NEAR(name, zt_sampler_timestep(s, i), times[i], 0);
    free(sigmas);
    free(times);
}

static void follows_the_reference(void)
{
    static const int steps[] = { 1, 2, 4, 6, 20, 50 };
    zt_auto(weights) struct zt_weights *record = parity_open(RECORD);

    for (size_t i = 0; i < 2 * ZT_COUNT(steps); i++) {
        int n = steps[i / 2], shift = i % 2 ? 3 : 5;
        char key[64];
        snprintf(key, sizeof(key), "n%d.shift%d", n, shift);
        lays_out(record, key, n, shift);
        for (int kind = 0; kind < 4; kind++)
            follow(record, key, n, shift, kind / 2 ? ZT_UPDATE_EULER : ZT_UPDATE_UNIPC, kind % 2);
    }
    printf("worst step: %.2e\n", worst);
}

int main(void)
{
    RUN(follows_the_reference);
    return check_done();
}
