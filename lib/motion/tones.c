/* tones.c - see tones.h. */
#include "motion/tones.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

double zt_whole_turns(double hz, double period_s)
{
    return period_s > 0 ? fmax(1, round(hz * period_s)) / period_s : hz;
}

void zt_tones_init(struct zt_tones *tones, struct zt_rng *rng, double low_hz, double high_hz,
                   double slope, double period_s)
{
    double sum = 0;

    for (int i = 0; i < ZT_TONES; i++) {
        double at = (i + (double)zt_rng_unit(rng)) / ZT_TONES;
        tones->hz[i] = zt_whole_turns(low_hz * pow(high_hz / low_hz, at), period_s);
        tones->phase[i] = 2 * M_PI * (double)zt_rng_unit(rng);
        tones->size[i] = pow(tones->hz[i], -slope);
        sum += tones->size[i] * tones->size[i] / 2;
    }
    for (int i = 0; i < ZT_TONES; i++)
        tones->size[i] /= sqrt(sum);
}

double zt_tones_at(const struct zt_tones *tones, double t_s)
{
    double v = 0;

    for (int i = 0; i < ZT_TONES; i++)
        v += tones->size[i] * sin(2 * M_PI * tones->hz[i] * t_s + tones->phase[i]);
    return v;
}

/* Adds one octave: random values on a lattice, joined by cubic steps. */
static void add_octave(float *at, struct zt_rng *rng, int cells, float size)
{
    const int side = ZT_NOISE_SIDE;
    int step = side / cells;
    float *lattice = zt_new_array(float, (size_t)cells *(size_t)cells);

    for (int i = 0; i < cells * cells; i++)
        lattice[i] = zt_rng_range(rng, -1, 1);
    for (int y = 0; y < side; y++) {
        int iy = y / step, below = (iy + 1) % cells;
        float fy = (float)zt_smooth_step((double)(y % step) / step);
        for (int x = 0; x < side; x++) {
            int ix = x / step, right = (ix + 1) % cells;
            float fx = (float)zt_smooth_step((double)(x % step) / step);
            const float *a = lattice + (size_t)iy * (size_t)cells;
            const float *b = lattice + (size_t)below * (size_t)cells;
            float top = a[ix] + fx * (a[right] - a[ix]);
            float bottom = b[ix] + fx * (b[right] - b[ix]);
            at[y * side + x] += size * (top + fy * (bottom - top));
        }
    }
    free(lattice);
}

void zt_noise_init(struct zt_noise *noise, struct zt_rng *rng, int cells, int octaves)
{
    const int n = ZT_NOISE_SIDE * ZT_NOISE_SIDE;
    float size = 1;
    double square = 0;
    double sum = 0;

    zt_assert(cells >= 1 && cells << (octaves - 1) <= ZT_NOISE_SIDE);
    noise->at = zt_new_array(float, (size_t)n);
    for (int i = 0; i < octaves; i++, size *= 0.5F)
        add_octave(noise->at, rng, cells << i, size);
    for (int i = 0; i < n; i++) {
        sum += (double)noise->at[i];
        square += (double)noise->at[i] * (double)noise->at[i];
    }
    float mean = (float)(sum / n);
    float scale = (float)(1 / sqrt(square / n - sum / n * sum / n + 1e-9));
    for (int i = 0; i < n; i++)
        noise->at[i] = (noise->at[i] - mean) * scale;
}

void zt_noise_clear(struct zt_noise *noise)
{
    free(noise->at);
    noise->at = NULL;
}

struct zt_turns zt_turns_at(double t_s, double period_s, double offset)
{
    struct zt_turns turns;
    double at = t_s / period_s + offset;

    for (int k = 0; k < 2; k++) {
        double phase = at + 0.5 * k;
        phase -= floor(phase);
        double s = sin(M_PI * phase);
        turns.age_s[k] = phase * period_s;
        turns.weight[k] = s * s;
    }
    return turns;
}

double zt_fitting_period(double wanted_s, double loop_s)
{
    return loop_s > 0 ? loop_s / fmax(1, round(loop_s / wanted_s)) : wanted_s;
}

double zt_smooth_step(double u)
{
    u = u < 0 ? 0 : u > 1 ? 1 : u;
    return u * u * (3 - 2 * u);
}
