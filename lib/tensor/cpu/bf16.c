/*
 * bf16.c - products of bf16 with f32 sums, for CPUs that have them (AVX512_BF16, AMX_BF16), and the
 * rounding to bf16. No such CPU was at hand: so they are computed once in a process and compared
 * before they are used. With AVX-512 alone oneDNN has the same products of shifts and f32, slowly;
 * below that they are of f32 here. Both are for tests.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "tensor/cpu/inside.h"
#include "tensor/cpu/openmp.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * oneDNN exports it and no header declares it; arguments as of dnnl_sgemm. It needs AVX-512. NULL:
 * this oneDNN has none.
 */
__attribute__((weak)) dnnl_status_t dnnl_gemm_bf16bf16f32(char transa, char transb, dnnl_dim_t m,
                                                          dnnl_dim_t n, dnnl_dim_t k, float alpha,
                                                          const uint16_t *a, dnnl_dim_t lda,
                                                          const uint16_t *b, dnnl_dim_t ldb,
                                                          float beta, float *c, dnnl_dim_t ldc);

/* Written for the compiler to make vector code of. */
void zt_fast_to_bf16(const float *from, uint16_t *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof(bits));
        uint32_t even = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, nan = bits >> 16 | 0x40;
        to[i] = (uint16_t)((bits & INT32_MAX) > 0x7f800000 ? nan : even);
    }
}

static bool by_kernel(const struct zt_fast_gemm *g)
{
    return dnnl_gemm_bf16bf16f32('N', g->b_by_column ? 'T' : 'N', g->m, g->n, g->k, g->alpha, g->a,
                                 g->lda, g->b, g->ldb, g->add ? 1 : 0, g->c,
                                 g->ldc) == dnnl_success;
}

static float *widen(const uint16_t *from, int64_t rows, int64_t n, int64_t step)
{
    void *to = NULL;

    if (zt_try_alloc((size_t)(rows * n), sizeof(float), "a product", &to, NULL) != ZT_OK)
        return NULL;
    for (int64_t i = 0; i < rows; i++)
        zt_fast_unpack(GGML_TYPE_BF16, from + i * step, (float *)to + i * n, n);
    return to;
}

/* The same without such kernels: a bf16 is an f32. For tests. */
static bool by_f32(const struct zt_fast_gemm *g)
{
    int64_t b_rows = g->b_by_column ? g->n : g->k, b_n = g->b_by_column ? g->k : g->n;
    zt_auto_free float *a = widen(g->a, g->m, g->k, g->lda);
    zt_auto_free float *b = widen(g->b, b_rows, b_n, g->ldb);
    struct zt_fast_gemm wide = *g;

    wide.a = a;
    wide.b = b;
    wide.lda = g->k;
    wide.ldb = b_n;
    wide.bf16 = false;
    return a != NULL && b != NULL && zt_fast_gemm(&wide);
}

static uint16_t *small_integers(int n, int step, int most)
{
    uint16_t *to = zt_new_array(uint16_t, (size_t)n);

    for (int i = 0; i < n; i++) {
        float x = (float)(i * step % (2 * most + 1) - most);
        zt_fast_to_bf16(&x, to + i, 1);
    }
    return to;
}

/* Of small integers: their sums are exact in any order. Sizes beyond what kernels take at once. */
static bool is_right(bool by_column)
{
    enum { ROWS = 67, COLUMNS = 83, TERMS = 261 };
    zt_auto_free uint16_t *a = small_integers(ROWS * TERMS, 7, 15),
                          *b = small_integers(TERMS * COLUMNS, 5, 14);
    zt_auto_free float *c = zt_new_array(float, (size_t)(ROWS * COLUMNS));
    zt_auto_free float *want = zt_new_array(float, (size_t)(ROWS * COLUMNS));
    struct zt_fast_gemm g = { .m = ROWS,
                              .n = COLUMNS,
                              .k = TERMS,
                              .a = a,
                              .b = b,
                              .c = c,
                              .lda = TERMS,
                              .ldb = by_column ? TERMS : COLUMNS,
                              .ldc = COLUMNS,
                              .alpha = 0.5f,
                              .bf16 = true,
                              .b_by_column = by_column };
    bool same = by_kernel(&g);

    g.add = true;
    same = same && by_kernel(&g);
    g.c = want;
    g.alpha = 1;
    g.add = false;
    same = same && by_f32(&g);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        same = same && c[i] == want[i];
    return same;
}

/* What oneDNN may use of this CPU. An instruction set has the bits of those before it. */
static bool has(dnnl_cpu_isa_t what)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)what) == (unsigned)what;
}

static bool both_right(void)
{
    return is_right(false) && is_right(true);
}

static bool right_here;

static void look(void)
{
    right_here = dnnl_gemm_bf16bf16f32 != NULL && has(dnnl_cpu_isa_avx512_core) &&
                 zt_openmp_alone(both_right);
}

bool zt_fast_bf16_works(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, look);
    return right_here;
}

bool zt_fast_bf16_pays(void)
{
    return has(dnnl_cpu_isa_avx512_core_bf16) && zt_fast_bf16_works();
}

bool zt_fast_gemm_bf16(const struct zt_fast_gemm *g)
{
    return zt_fast_bf16_works() ? by_kernel(g) : by_f32(g);
}
