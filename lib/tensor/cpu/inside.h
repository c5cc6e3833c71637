/*
 * inside.h - what the files of this folder share: threads with scratch memory, f32 products on one
 * thread, rows of any type as f32, and the operations.
 */
#ifndef ZT_TENSOR_CPU_INSIDE_H
#define ZT_TENSOR_CPU_INSIDE_H

#include <ggml.h>
#include <stdbool.h>

struct zt_fast;

/*
 * Calls fn(user, task, scratch) for each task of 0 ... tasks - 1, on all threads, `scratch` being
 * `floats` floats of the calling thread's own, aligned to 64 bytes. Which thread does a task must
 * not matter to its result. False: no memory, stopped, or fn said false; then results are
 * undefined.
 */
typedef bool zt_fast_task_fn(const void *user, int64_t task, float *scratch);
int zt_fast_threads(const struct zt_fast *fast);
bool zt_fast_for(struct zt_fast *fast, int64_t tasks, size_t floats, zt_fast_task_fn *fn,
                 const void *user);

/* Memory for what all threads read, until the next call: NULL when there is none. */
float *zt_fast_shared(struct zt_fast *fast, size_t floats);

/*
 * c [m][n] = alpha * a * b + (add ? c : 0), rows `ldc` floats apart, on the calling thread alone: a
 * is [m][k], b is [k][n], or [n][k] where `b_by_column`. Both are f32, or bf16. To be called from a
 * task. False: no memory.
 */
struct zt_fast_gemm {
    int64_t m, n, k;
    const void *a, *b;
    float *c;
    int64_t lda, ldb, ldc;
    float alpha;
    bool b_by_column, add, bf16;
};
bool zt_fast_gemm(const struct zt_fast_gemm *g);
bool zt_fast_gemm_bf16(const struct zt_fast_gemm *g); /* for zt_fast_gemm */
/* oneDNN has bf16 products here, and they are right; and the CPU is made for them. */
bool zt_fast_bf16_works(void);
bool zt_fast_bf16_pays(void);

/* Whether factors that are not of more bits are multiplied as bf16 here. */
bool zt_fast_bf16(const struct zt_fast *fast);

/* To the nearest, of two to the even one; NaN stays NaN. */
void zt_fast_to_bf16(const float *from, uint16_t *to, int64_t n);

/* n values of `type` as floats. */
bool zt_fast_unpacks(enum ggml_type type);
void zt_fast_unpack(enum ggml_type type, const void *from, float *to, int64_t n);

/* Rows lie as a product can read them: elements next to each other, rows apart by at least one. */
bool zt_fast_rows_f32(const struct ggml_tensor *t);
bool zt_fast_rows_bf16(const struct ggml_tensor *t);

static inline int64_t zt_fast_parts(int64_t n, int64_t step)
{
    return (n + step - 1) / step;
}

static inline int64_t zt_fast_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/*
 * The operations: whether one can be computed, whether it is faster here, and its computation,
 * false as for zt_fast_for.
 */
bool zt_fast_can_product(const struct ggml_tensor *op);
bool zt_fast_worth_product(const struct ggml_tensor *op);
bool zt_fast_worth_product_bf16(const struct ggml_tensor *op); /* where bf16 is in use */
bool zt_fast_product(struct zt_fast *fast, struct ggml_tensor *op);
bool zt_fast_can_w8a8(const struct ggml_tensor *op); /* always worth it: nothing else can */
bool zt_fast_w8a8(struct zt_fast *fast, struct ggml_tensor *op);
bool zt_fast_can_conv(const struct ggml_tensor *op);
bool zt_fast_worth_conv(const struct ggml_tensor *op);
bool zt_fast_conv(struct zt_fast *fast, struct ggml_tensor *op);
/* The copy (GGML_OP_CONT) that puts channels last in what a convolution leaves. */
bool zt_fast_can_turn(const struct ggml_tensor *op);
bool zt_fast_worth_turn(const struct ggml_tensor *op);
bool zt_fast_turn(struct zt_fast *fast, struct ggml_tensor *op);
bool zt_fast_can_attention(const struct ggml_tensor *op);
bool zt_fast_worth_attention(const struct ggml_tensor *op);
bool zt_fast_attention(struct zt_fast *fast, struct ggml_tensor *op);

/*
 * Multiplications below which nothing is worth it: ggml starts its threads anew after each
 * operation that is not its own.
 */
#define ZT_FAST_LEAST_WORK (1 << 21)

#endif
