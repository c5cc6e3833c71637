/* test_noise.c - the generator against its authors' answers, and its numbers against N(0, 1). */
#include "base/file.h"
#include "check.h"
#include "models/noise.h"

#include <stdlib.h>
#include <unistd.h>

#define N 1000000

/* philox4x32, 10 rounds, of kat_vectors in the authors' Random123 distribution. */
static const struct {
    const char *label;
    uint32_t ctr[4], key[2], want[4];
} answers[] = {
    { "zeros", { 0 }, { 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { "ones",
      { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
      { UINT32_MAX, UINT32_MAX },
      { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { "pi",
      { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
      { 0xa4093822, 0x299f31d0 },
      { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
};

static void philox_gives_the_published_answers(void)
{
    for (size_t i = 0; i < ZT_COUNT(answers); i++) {
        uint32_t got[4];
        zt_philox(answers[i].ctr, answers[i].key, got);
        for (int k = 0; k < 4; k++)
            CHECK_INT(answers[i].label, got[k], answers[i].want[k]);
    }
}

/* Numbers 0 ... 3 from the block of zeros above, through the formula as written in noise.h. */
static void numbers_come_from_blocks(void)
{
    const uint32_t *w = answers[0].want;
    float got[4];

    zt_noise_fill(0, 0, 0, 4, got);
    for (int pair = 0; pair < 2; pair++) {
        double r = sqrt(-2 * log((w[2 * pair] + 0.5) / 4294967296.0));
        double t = 2 * M_PI * (w[2 * pair + 1] + 0.5) / 4294967296.0;
        CHECK_NEAR("cosine", got[2 * pair], r * cos(t), 1e-6);
        CHECK_NEAR("sine", got[2 * pair + 1], r * sin(t), 1e-6);
    }
}

static void any_part_alone_is_the_same(void)
{
    static const struct {
        size_t first, n;
    } parts[] = { { 0, 1 }, { 1, 2 }, { 3, 9 }, { 4, 4 }, { 13, 50 }, { 63, 1 }, { 7, 0 } };
    float all[64], part[64];

    zt_noise_fill(42, 7, 0, 64, all);
    for (size_t i = 0; i < ZT_COUNT(parts); i++) {
        zt_noise_fill(42, 7, parts[i].first, parts[i].n, part);
        CHECK("same bits", memcmp(part, all + parts[i].first, parts[i].n * sizeof(float)) == 0);
    }
    /* Past 2^32 blocks the counter's second word is used. */
    zt_noise_fill(42, 7, (uint64_t)1 << 34, 64, part);
    CHECK("does not repeat", memcmp(part, all, sizeof(all)) != 0);
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Bounds are five standard deviations of each statistic over N independent normal numbers. */
static void check_normal(const char *label, float *x)
{
    double m[5] = { 0 }, ks = 0;

    for (size_t i = 0; i < N; i++) {
        double p = x[i];
        m[1] += p;
        m[2] += p * p;
        m[3] += p * p * p;
        m[4] += p * p * p * p;
    }
    CHECK_NEAR(label, m[1] / N, 0, 5 * sqrt(1.0 / N));
    CHECK_NEAR(label, m[2] / N, 1, 5 * sqrt(2.0 / N));
    CHECK_NEAR(label, m[3] / N, 0, 5 * sqrt(15.0 / N));
    CHECK_NEAR(label, m[4] / N, 3, 5 * sqrt(96.0 / N));
    qsort(x, N, sizeof(*x), ascending);
    for (size_t i = 0; i < N; i++) {
        double cdf = 0.5 * erfc(-x[i] / sqrt(2));
        ks = fmax(ks, fmax(fabs(cdf - (double)i / N), fabs(cdf - (double)(i + 1) / N)));
    }
    CHECK_BELOW(label, ks * sqrt(N), 1.95); /* Kolmogorov-Smirnov: exceeded once in a thousand */
}

static void numbers_are_normal(void)
{
    static const struct {
        const char *label;
        uint64_t seed, stream;
    } rows[] = { { "seed 0", 0, 0 }, { "seed 1", 1, 0 }, { "stream 3", UINT64_MAX, 3 } };
    float *x = malloc(N * sizeof(*x));

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_noise_fill(rows[i].seed, rows[i].stream, 0, N, x);
        check_normal(rows[i].label, x);
    }
    free(x);
}

/* Neighbours, in a stream and between seeds and streams: 5 / sqrt(N) is five deviations. */
static void numbers_are_independent(void)
{
    float *x = malloc((N + 1) * sizeof(*x)), *y = malloc(N * sizeof(*y));
    double next = 0, seeds = 0, streams = 0;

    zt_noise_fill(5, 0, 0, N + 1, x);
    for (size_t i = 0; i < N; i++)
        next += (double)x[i] * x[i + 1];
    zt_noise_fill(6, 0, 0, N, y);
    for (size_t i = 0; i < N; i++)
        seeds += (double)x[i] * y[i];
    zt_noise_fill(5, 1, 0, N, y);
    for (size_t i = 0; i < N; i++)
        streams += (double)x[i] * y[i];
    CHECK_NEAR("next number", next / N, 0, 5 / sqrt(N));
    CHECK_NEAR("next seed", seeds / N, 0, 5 / sqrt(N));
    CHECK_NEAR("next stream", streams / N, 0, 5 / sqrt(N));
    free(x);
    free(y);
}

/* What a file of two tensors `first` and "other" of 4 elements each gives when n are asked for. */
static const struct {
    const char *label, *first;
    float last; /* of the first tensor's elements */
    size_t n;
    enum zt_code code;
} files[] = {
    { "as wanted", "noise", 4, 4, ZT_OK },
    { "no tensor of that name", "latent", 4, 4, ZT_E_NOT_FOUND },
    { "fewer elements", "noise", 4, 5, ZT_E_CORRUPT },
    { "more elements", "noise", 4, 3, ZT_E_CORRUPT },
    { "NaN", "noise", NAN, 4, ZT_E_CORRUPT },
};

static void reads_noise_from_a_file(void)
{
    char path[] = "/tmp/zt-noise-XXXXXX", text[256];
    int fd = mkstemp(path);
    struct zt_err err = { 0 };

    CHECK("a file", fd >= 0);
    for (size_t i = 0; i < ZT_COUNT(files); i++) {
        uint8_t bytes[512] = { 0 };
        float values[8] = { 1, -2, 3, files[i].last }, got[5] = { 0 };
        int n = snprintf(text, sizeof(text),
                         "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                         "\"other\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,32]}}",
                         files[i].first);
        bytes[0] = (uint8_t)n;
        memcpy(bytes + 8, text, (size_t)n);
        memcpy(bytes + 8 + n, values, sizeof(values));
        CHECK_INT(files[i].label,
                  zt_file_write(path, bytes, 8 + (size_t)n + sizeof(values), 0600, &err), ZT_OK);
        CHECK_INT(files[i].label, zt_noise_load(path, files[i].n, got, &err), files[i].code);
        if (files[i].code == ZT_OK)
            CHECK("values", memcmp(got, values, 16) == 0);
    }
    unlink(path);
    close(fd);
    CHECK_INT("no file", zt_noise_load(path, 4, (float[4]){ 0 }, &err), ZT_E_NOT_FOUND);
}

int main(void)
{
    RUN(philox_gives_the_published_answers);
    RUN(numbers_come_from_blocks);
    RUN(any_part_alone_is_the_same);
    RUN(numbers_are_normal);
    RUN(numbers_are_independent);
    RUN(reads_noise_from_a_file);
    return check_done();
}
