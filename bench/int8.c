/*
 * bench/int8.c - what oneDNN's 8-bit products are worth on this machine against its f32 product, on
 * one thread, and with weights of how many bits they are exact.
 *
 *     bench_int8 [M [K [N]]]
 *
 * Activations [M][K] times weights [N][K], plain and through the matmul primitive with weights in
 * the layout it prefers. Measured in turns; medians of CPU time. "exact" is asked of the worst case
 * of every width: all factors at the ends of their ranges.
 */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure.h"
#include "tensor/cpu/openmp.h"

#define TURNS  5
#define WORST  1024 /* terms of the sums that are checked */
#define SIDE   67   /* rows and columns of them */
#define WIDTHS 3

static int64_t size_m = 2048, size_k = 3072, size_n = 3072;
static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t status)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "oneDNN: status %d\n", (int)status);
    exit(1);
}

/* ---- what is measured ---------------------------------------------------------------------- */

enum kind { SGEMM, S8S8, U8S8, KINDS };
static const char *const kind_names[KINDS] = { "f32", "s8 x s8", "u8 x s8" };

struct product {
    dnnl_primitive_t primitive; /* with packed weights; NULL: the plain call */
    dnnl_exec_arg_t args[3];
    bool repacks; /* the preferred layout is another one than rows as they are */
};

/* [m][n] = [m][k] times [n][k]; a is of u8 or s8. */
static void int_product(enum kind kind, int64_t m, int64_t n, int64_t k, const void *a,
                        const int8_t *b, int32_t *c)
{
    const int32_t none = 0;

    if (kind == S8S8)
        must(dnnl_gemm_s8s8s32('N', 'T', 'F', m, n, k, 1, a, k, 0, b, k, 0, 0, c, n, &none));
    else
        must(dnnl_gemm_u8s8s32('N', 'T', 'F', m, n, k, 1, a, k, 0, b, k, 0, 0, c, n, &none));
}

static void plain(enum kind kind, const void *a, const void *b, void *c)
{
    if (kind == SGEMM)
        must(dnnl_sgemm('N', 'T', size_m, size_n, size_k, 1, a, size_k, b, size_k, 0, c, size_n));
    else
        int_product(kind, size_m, size_n, size_k, a, b, c);
}

static void place(struct product *p, int i, int arg, const dnnl_memory_desc_t *desc)
{
    void *data;

    p->args[i].arg = arg;
    must(dnnl_memory_create(&p->args[i].memory, desc, engine, DNNL_MEMORY_ALLOCATE));
    must(dnnl_memory_get_data_handle(p->args[i].memory, &data));
    memset(data, 0, dnnl_memory_desc_get_size(desc));
}

static struct product packed(enum kind kind)
{
    const dnnl_data_type_t types[KINDS] = { dnnl_f32, dnnl_s8, dnnl_u8 };
    dnnl_memory_desc_t a, b, c, rows;
    dnnl_matmul_desc_t what;
    dnnl_primitive_desc_t chosen;
    struct product p = { 0 };

    must(
        dnnl_memory_desc_init_by_tag(&a, 2, (dnnl_dims_t){ size_m, size_k }, types[kind], dnnl_ab));
    dnnl_data_type_t weights = kind == SGEMM ? dnnl_f32 : dnnl_s8;
    must(dnnl_memory_desc_init_by_tag(&b, 2, (dnnl_dims_t){ size_k, size_n }, weights,
                                      dnnl_format_tag_any));
    must(dnnl_memory_desc_init_by_tag(&rows, 2, (dnnl_dims_t){ size_k, size_n }, weights, dnnl_ba));
    must(dnnl_memory_desc_init_by_tag(&c, 2, (dnnl_dims_t){ size_m, size_n },
                                      kind == SGEMM ? dnnl_f32 : dnnl_s32, dnnl_ab));
    must(dnnl_matmul_desc_init(&what, &a, &b, NULL, &c));
    must(dnnl_primitive_desc_create(&chosen, &what, NULL, engine, NULL));
    const dnnl_memory_desc_t *best = dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0);
    must(dnnl_memory_desc_init_by_tag(&b, 2, (dnnl_dims_t){ size_k, size_n }, weights, dnnl_ab));
    p.repacks = !dnnl_memory_desc_equal(best, &rows) && !dnnl_memory_desc_equal(best, &b);
    place(&p, 0, DNNL_ARG_SRC, &a);
    place(&p, 1, DNNL_ARG_WEIGHTS, best);
    place(&p, 2, DNNL_ARG_DST, &c);
    must(dnnl_primitive_create(&p.primitive, chosen));
    must(dnnl_primitive_desc_destroy(chosen));
    return p;
}

static void measure(void)
{
    size_t most = (size_t)(size_m > size_n ? size_m : size_n);
    zt_auto_free float *a = zt_new_array(float, most *(size_t)size_k);
    zt_auto_free float *b = zt_new_array(float, most *(size_t)size_k);
    zt_auto_free float *c = zt_new_array(float, (size_t)(size_m * size_n));
    struct product p[KINDS];
    double us[KINDS][2][TURNS], flop = 2.0 * (double)size_m * (double)size_k * (double)size_n;

    for (int kind = 0; kind < KINDS; kind++)
        p[kind] = packed((enum kind)kind);
    for (int turn = -1; turn < TURNS; turn++) /* the first only makes the code */
        for (int kind = 0; kind < KINDS; kind++) {
            double start = cpu_us();
            plain((enum kind)kind, a, b, c);
            double between = cpu_us();
            must(dnnl_primitive_execute(p[kind].primitive, stream, 3, p[kind].args));
            must(dnnl_stream_wait(stream));
            if (turn < 0)
                continue;
            us[kind][0][turn] = between - start;
            us[kind][1][turn] = cpu_us() - between;
        }
    printf("%-10s %12s %12s  %s\n", "GFLOP/s", "plain", "packed", "preferred layout");
    for (int kind = 0; kind < KINDS; kind++) {
        printf("%-10s %12.1f %12.1f  %s\n", kind_names[kind],
               flop / median(us[kind][0], TURNS) / 1e3, flop / median(us[kind][1], TURNS) / 1e3,
               p[kind].repacks ? "blocked" : "rows as they are");
    }
}

/* ---- whether it is exact ------------------------------------------------------------------- */

static bool exact(enum kind kind, int a, int b)
{
    zt_auto_free uint8_t *x = zt_new_array(uint8_t, SIDE * WORST);
    zt_auto_free int8_t *w = zt_new_array(int8_t, SIDE * WORST);
    zt_auto_free int32_t *y = zt_new_array(int32_t, SIDE * SIDE);
    bool same = true;

    memset(x, a, SIDE * WORST); /* of s8 the same bits */
    memset(w, b, SIDE * WORST);
    int_product(kind, SIDE, SIDE, WORST, x, w, y);
    for (int i = 0; i < SIDE * SIDE; i++)
        same = same && y[i] == a * b * WORST;
    return same;
}

static void check(void)
{
    static const int ends[WIDTHS] = { 127, 64, 63 };

    printf("\n%-10s %12s %12s %12s\n", "exact to", "|w| <= 127", "<= 64", "<= 63");
    for (int kind = S8S8; kind < KINDS; kind++) {
        int least = kind == S8S8 ? -127 : 0, most = kind == S8S8 ? 127 : 255;
        printf("%-10s", kind_names[kind]);
        for (int i = 0; i < WIDTHS; i++) {
            bool all =
                exact((enum kind)kind, least, ends[i]) && exact((enum kind)kind, least, -ends[i]) &&
                exact((enum kind)kind, most, ends[i]) && exact((enum kind)kind, most, -ends[i]);
            printf(" %12s", all ? "yes" : "no");
        }
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    int64_t *const sizes[] = { &size_m, &size_k, &size_n };

    for (int i = 1; i < argc; i++)
        if (i > 3 || !zt_parse_int(argv[i], 1, 16384, sizes[i - 1])) {
            fprintf(stderr, "usage: bench_int8 [M [K [N]]]\n");
            return 2;
        }
    omp_set_num_threads(1);
    must(dnnl_engine_create(&engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    printf("oneDNN %d.%d, instruction set %#x; %dx%dx%d, one thread\n", dnnl_version()->major,
           dnnl_version()->minor, (unsigned)dnnl_get_effective_cpu_isa(), (int)size_m, (int)size_k,
           (int)size_n);
    measure();
    check();
    return 0;
}
