/*
 * test_graph.c - devices by name, and graphs that are fed, run, measured, stopped and repeated.
 */
#include "base/error.h"
#include "check.h"
#include "tensor/device.h"
#include "tensor/graph.h"

/* Memory that is not to be had comes back as NULL, with AddressSanitizer too. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void names_devices(void)
{
    struct zt_device_row row;
    struct zt_err err = { 0 };
    struct zt_device *d = NULL;
    int cpus = 0;

    for (int i = 0; zt_device_at(i, &row); i++)
        cpus += row.is_cpu && row.name[0] != '\0' && row.total_bytes > 0;
    CHECK_INT("one CPU", cpus, 1);
    CHECK("none before the first", !zt_device_at(-1, &row));
    CHECK_INT("no such device",
              zt_device_open(&(struct zt_device_options){ .name = "abacus" }, &d, &err),
              ZT_E_NOT_FOUND);
    CHECK_HAS("names those there are", err.msg, "CPU");
    CHECK_STR("field", err.field, "device");
    CHECK_INT("threads", zt_device_open(&(struct zt_device_options){ .threads = -1 }, &d, &err),
              ZT_E_INVALID);
    CHECK_INT("by name, any case",
              zt_device_open(&(struct zt_device_options){ .name = "cpu", .threads = 3 }, &d, &err),
              ZT_OK);
    CHECK_INT("threads", zt_device_threads(d), 3);
    CHECK("memory", zt_device_free_bytes(d) > 1 << 20);
    zt_device_close(d);
    zt_device_close(NULL);
}

static bool say_stop(void *user)
{
    return *(bool *)user;
}

/* y = w x + b for three columns, through the device opened with so many threads. */
static enum zt_code product(struct zt_device *d, float ret[6], size_t *ret_bytes,
                            struct zt_err *err)
{
    static const float w[] = { 1, 2, 3, 4 }, x[] = { 1, 0, 0, 1, 1, -1 }, b[] = { 10, 20 };
    zt_auto(graph) struct zt_graph *g = NULL;

    ZT_TRY(zt_graph_new(d, 16, &g, err));
    struct ggml_context *ctx = zt_graph_ctx(g);
    struct ggml_tensor *tw = zt_graph_input(g, "w", GGML_TYPE_F32, (int64_t[]){ 2, 2, 1, 1 }, w);
    struct ggml_tensor *tx = zt_graph_input(g, "x", GGML_TYPE_F32, (int64_t[]){ 2, 3, 1, 1 }, x);
    struct ggml_tensor *tb = zt_graph_input(g, "b", GGML_TYPE_F32, (int64_t[]){ 2, 1, 1, 1 }, b);
    zt_graph_input(g, "unused", GGML_TYPE_F32, (int64_t[]){ 2, 1, 1, 1 }, b);
    struct ggml_tensor *y = ggml_add(ctx, ggml_mul_mat(ctx, tw, tx), tb);
    zt_graph_output(g, ggml_transpose(ctx, y), ret);
    *ret_bytes = zt_graph_bytes(g);
    return zt_graph_run(g, err);
}

static void computes(void)
{
    static const float want[] = { 11, 12, 9, 23, 24, 19 };

    for (int threads = 1; threads <= 4; threads++) {
        zt_auto(device) struct zt_device *d = NULL;
        struct zt_err err = { 0 };
        CHECK_INT("open",
                  zt_device_open(&(struct zt_device_options){ .threads = threads }, &d, &err),
                  ZT_OK);
        for (int turn = 0; turn < 3; turn++) {
            float got[6] = { 0 };
            size_t bytes = 0;
            CHECK_INT("run", product(d, got, &bytes, &err), ZT_OK);
            CHECK("needs some memory", bytes >= sizeof(want) && bytes < 65536);
            for (int i = 0; i < 6; i++)
                CHECK_NEAR("value", got[i], want[i], 0);
        }
    }
}

static void stops(void)
{
    zt_auto(device) struct zt_device *d = NULL;
    struct zt_err err = { 0 };
    float got[6];
    size_t bytes;
    bool stop = true;

    CHECK_INT("open", zt_device_open(NULL, &d, &err), ZT_OK);
    zt_device_on_stop(d, say_stop, &stop);
    CHECK_INT("stopped", product(d, got, &bytes, &err), ZT_E_CANCELLED);
    stop = false;
    CHECK_INT("stays stopped", product(d, got, &bytes, &err), ZT_E_CANCELLED);
    zt_device_on_stop(d, say_stop, &stop);
    CHECK_INT("until told anew", product(d, got, &bytes, &err), ZT_OK);
}

static void says_when_memory_is_short(void)
{
    zt_auto(device) struct zt_device *d = NULL;
    zt_auto(graph) struct zt_graph *g = NULL;
    struct zt_err err = { 0 };
    float one = 1, out = 0;

    CHECK_INT("open", zt_device_open(NULL, &d, &err), ZT_OK);
    CHECK_INT("new", zt_graph_new(d, 16, &g, &err), ZT_OK);
    struct ggml_context *ctx = zt_graph_ctx(g);
    struct ggml_tensor *x = zt_graph_input(g, "x", GGML_TYPE_F32, (int64_t[]){ 1, 1, 1, 1 }, &one);
    struct ggml_tensor *huge = ggml_repeat_4d(ctx, x, 1 << 20, 1 << 20, 1 << 7, 1); /* 512 TiB */
    zt_graph_output(g, ggml_sum(ctx, huge), &out);
    CHECK_INT("refused", zt_graph_run(g, &err), ZT_E_NOMEM);
    CHECK_HAS("says how much", err.msg, "MiB");
}

int main(void)
{
    RUN(names_devices);
    RUN(computes);
    RUN(stops);
    RUN(says_when_memory_is_short);
    return check_done();
}
