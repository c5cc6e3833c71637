/* devices.h - the CPU with and without our backend, for programs that compare them. */
#ifndef ZT_BENCH_DEVICES_H
#define ZT_BENCH_DEVICES_H

#include <stdio.h>
#include <stdlib.h>

#include "tensor/device.h"

static struct zt_err err;

static inline void must(enum zt_code rc)
{
    if (rc == ZT_OK)
        return;
    fprintf(stderr, "%s (%s)\n", err.msg, err.detail);
    exit(1);
}

/* cpu: what ZOETROPE_CPU says while it is opened. */
static inline struct zt_device *open_device(const char *cpu, int64_t threads)
{
    struct zt_device *d = NULL;

    setenv("ZOETROPE_CPU", cpu, 1);
    must(zt_device_open(&(struct zt_device_options){ .name = "CPU", .threads = (int)threads }, &d,
                        &err));
    return d;
}

#endif
