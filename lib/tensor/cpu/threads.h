/* threads.h - the backend's state: for backend.c, which makes it, and threads.c, which uses it. */
#ifndef ZT_TENSOR_CPU_THREADS_H
#define ZT_TENSOR_CPU_THREADS_H

#include <pthread.h>

#include "base/thread.h"
#include "tensor/cpu/backend.h"
#include "tensor/cpu/inside.h"

struct zt_fast_memory {
    float *data;
    size_t floats;
};

struct zt_fast {
    struct zt_pool *pool;
    struct zt_fast_memory shared, own; /* grown as operations ask, kept between them */
    zt_fast_stop_fn *stop;
    void *user;
    bool bf16;
    bool stopped;     /* in this graph; the caller's thread writes it */
    pthread_t caller; /* whose graph it is: the one thread that stop is asked on */
};

/* Asks stop, unless it has said true. On the caller's thread. */
bool zt_fast_stopped(struct zt_fast *fast);

#endif
