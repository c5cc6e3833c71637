/*
 * threads.c - tasks on our pool's threads, each with scratch memory; and oneDNN's product on one.
 *
 * oneDNN would start OpenMP's threads, which spin between products beside ggml's and ours, and cut
 * a product by their number. Here each thread of the pool calls it for a tile of its own, with
 * OpenMP told that one thread is all there is: threads come from one pool, which sleeps between
 * operations, and results do not depend on how many there are.
 */
#include "tensor/cpu/threads.h"

#include "base/mem.h"
#include "tensor/cpu/openmp.h"

#include <ggml-cpu.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 64 /* floats: two threads never share a line of the cache */

struct loop {
    struct zt_fast *fast;
    int64_t tasks;
    size_t floats;
    zt_fast_task_fn *fn;
    const void *user;
    _Atomic int64_t next;
    atomic_bool failed;
};

static bool grow(struct zt_fast_memory *memory, size_t floats)
{
    void *data = NULL;

    if (floats <= memory->floats)
        return true;
    free(memory->data);
    memory->floats = 0;
    memory->data = NULL;
    if (zt_try_alloc(floats, sizeof(float), "an operation", &data, NULL) != ZT_OK)
        return false;
    memory->data = data;
    memory->floats = floats;
    return true;
}

float *zt_fast_shared(struct zt_fast *fast, size_t floats)
{
    return grow(&fast->shared, floats) ? fast->shared.data : NULL;
}

bool zt_fast_stopped(struct zt_fast *fast)
{
    if (!fast->stopped && fast->stop != NULL && fast->stop(fast->user))
        fast->stopped = true;
    return fast->stopped;
}

/* Index `first` stands for a thread and its scratch; tasks are taken one by one. */
static void work(void *user, int first, int end)
{
    struct loop *loop = user;
    float *scratch = loop->fast->own.data + (size_t)first * loop->floats;
    bool asks = pthread_equal(pthread_self(), loop->fast->caller) != 0;
    int openmp = omp_get_max_threads();

    (void)end;
    omp_set_num_threads(1); /* this thread's setting, not the process's */
    while (!atomic_load(&loop->failed)) {
        int64_t task = atomic_fetch_add(&loop->next, 1);
        if (task >= loop->tasks)
            break;
        if ((asks && zt_fast_stopped(loop->fast)) || !loop->fn(loop->user, task, scratch))
            atomic_store(&loop->failed, true);
    }
    omp_set_num_threads(openmp);
}

int zt_fast_threads(const struct zt_fast *fast)
{
    return zt_pool_threads(fast->pool);
}

bool zt_fast_for(struct zt_fast *fast, int64_t tasks, size_t floats, zt_fast_task_fn *fn,
                 const void *user)
{
    int threads = (int)zt_fast_least(zt_pool_threads(fast->pool), tasks);
    size_t aligned = (floats + ALIGN - 1) / ALIGN * ALIGN, all;
    struct loop loop = { .fast = fast, .tasks = tasks, .floats = aligned, .fn = fn, .user = user };

    if (!zt_size_mul(aligned, (size_t)threads, 1, &all) || !grow(&fast->own, all))
        return false;
    zt_pool_for(fast->pool, threads, 1, work, &loop);
    return !atomic_load(&loop.failed);
}

bool zt_fast_bf16(const struct zt_fast *fast)
{
    return fast->bf16;
}

bool zt_fast_gemm(const struct zt_fast_gemm *g)
{
    if (g->bf16)
        return zt_fast_gemm_bf16(g);
    return dnnl_sgemm('N', g->b_by_column ? 'T' : 'N', g->m, g->n, g->k, g->alpha, g->a, g->lda,
                      g->b, g->ldb, g->add ? 1 : 0, g->c, g->ldc) == dnnl_success;
}

bool zt_fast_unpacks(enum ggml_type type)
{
    return type == GGML_TYPE_F32 || ggml_get_type_traits(type)->to_float != NULL;
}

void zt_fast_unpack(enum ggml_type type, const void *from, float *to, int64_t n)
{
    if (type == GGML_TYPE_F16) /* these two are in vector code */
        ggml_cpu_fp16_to_fp32(from, to, n);
    else if (type == GGML_TYPE_BF16)
        ggml_cpu_bf16_to_fp32(from, to, n);
    else if (type == GGML_TYPE_F32)
        memcpy(to, from, (size_t)n * sizeof(float));
    else
        ggml_get_type_traits(type)->to_float(from, to, n);
}

bool zt_fast_rows_f32(const struct ggml_tensor *t)
{
    return t->type == GGML_TYPE_F32 && t->nb[0] == sizeof(float) && t->nb[1] % sizeof(float) == 0 &&
           t->nb[1] >= (size_t)t->ne[0] * sizeof(float);
}

bool zt_fast_rows_bf16(const struct ggml_tensor *t)
{
    return t->type == GGML_TYPE_BF16 && t->nb[0] == sizeof(uint16_t) &&
           t->nb[1] % sizeof(uint16_t) == 0 && t->nb[1] >= (size_t)t->ne[0] * sizeof(uint16_t);
}
