/* measure.h - the processors' time, and medians, for programs that print ratios. */
#ifndef ZT_BENCH_MEASURE_H
#define ZT_BENCH_MEASURE_H

#include <stdlib.h>
#include <time.h>

/* What this process has used, all threads together. */
static inline double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(*values), by_value);
    return values[n / 2];
}

#endif
