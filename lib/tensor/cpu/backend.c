/*
 * backend.c - the backend as ggml sees it: one device in host memory, and graphs computed one
 * operation after the other, or several as one (fuse.h).
 */
#include "tensor/cpu/backend.h"

#include "base/mem.h"
#include "tensor/cpu/fuse.h"
#include "tensor/cpu/threads.h"

#include <ggml-backend-impl.h>
#include <ggml-cpu.h>
#include <stdlib.h>
#include <sys/mman.h>

/* clang-format off */
struct operation {
    enum ggml_op op;
    bool (*can)(const struct ggml_tensor *op);
    bool (*worth)(const struct ggml_tensor *op);
    bool (*compute)(struct zt_fast *fast, struct ggml_tensor *op);
};
static const struct operation operations[] = {
    { GGML_OP_MUL_MAT, zt_fast_can_w8a8, zt_fast_can_w8a8, zt_fast_w8a8 },
    { GGML_OP_MUL_MAT, zt_fast_can_product, zt_fast_worth_product, zt_fast_product },
    { GGML_OP_CONV_2D, zt_fast_can_conv, zt_fast_worth_conv, zt_fast_conv },
    { GGML_OP_CONV_3D, zt_fast_can_conv, zt_fast_worth_conv, zt_fast_conv },
    { GGML_OP_CONT, zt_fast_can_turn, zt_fast_worth_turn, zt_fast_turn },
    { GGML_OP_FLASH_ATTN_EXT, zt_fast_can_attention, zt_fast_worth_attention, zt_fast_attention },
};
/* clang-format on */

/* Rows of fewer elements are left to ggml. */
#define SHORTEST 32

static const struct operation *find(const struct ggml_tensor *op)
{
    for (size_t i = 0; i < ZT_COUNT(operations); i++)
        if (operations[i].op == op->op && operations[i].can(op))
            return &operations[i];
    return NULL;
}

static bool compute(struct zt_fast *fast, struct ggml_tensor *op)
{
    const struct operation *found = find(op);

    if (found != NULL)
        return found->compute(fast, op);
    zt_assert(zt_rows_can(op));
    return zt_rows_compute(fast, op);
}

static bool compute_fused(struct zt_fast *fast, const struct zt_fuse *fuse)
{
    for (int i = 0; i < fuse->n_between; i++)
        if (!compute(fast, fuse->between[i]))
            return false;
    return zt_rows_run(fast, &fuse->rows);
}

/* Node *at, or what begins there and is one; *at is then the last of it. */
static bool compute_at(struct zt_fast *fast, struct ggml_cgraph *graph, int *at)
{
    struct zt_fuse fuse;

    if (!zt_fuse_find(graph, *at, &fuse))
        return compute(fast, ggml_graph_node(graph, *at));
    *at = fuse.last;
    return compute_fused(fast, &fuse);
}

static const char *backend_name(ggml_backend_t backend)
{
    (void)backend;
    return "fast CPU";
}

static void backend_free(ggml_backend_t backend)
{
    struct zt_fast *fast = backend->context;

    zt_pool_free(fast->pool);
    free(fast->shared.data);
    free(fast->own.data);
    free(fast);
    free(backend);
}

static enum ggml_status backend_compute(ggml_backend_t backend, struct ggml_cgraph *graph)
{
    struct zt_fast *fast = backend->context;

    fast->stopped = false;
    fast->caller = pthread_self();
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        if (zt_fuse_passive(ggml_graph_node(graph, i)))
            continue;
        if (zt_fast_stopped(fast))
            return GGML_STATUS_ABORTED;
        if (!compute_at(fast, graph, &i))
            return fast->stopped ? GGML_STATUS_ABORTED : GGML_STATUS_ALLOC_FAILED;
    }
    return GGML_STATUS_SUCCESS;
}

static const char *device_name(ggml_backend_dev_t dev)
{
    (void)dev;
    return "fast CPU";
}

static const char *device_description(ggml_backend_dev_t dev)
{
    (void)dev;
    return "products, convolutions, attention and what is between on the CPU";
}

/* Memory is the CPU device's to report. */
static void device_memory(ggml_backend_dev_t dev, size_t *free_bytes, size_t *total_bytes)
{
    (void)dev;
    *free_bytes = *total_bytes = 0;
}

static enum ggml_backend_dev_type device_type(ggml_backend_dev_t dev)
{
    (void)dev;
    return GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

static void device_props(ggml_backend_dev_t dev, struct ggml_backend_dev_props *props)
{
    *props = (struct ggml_backend_dev_props){
        .name = device_name(dev),
        .description = device_description(dev),
        .type = device_type(dev),
        .caps = { .buffer_from_host_ptr = true },
    };
}

static ggml_backend_t device_init(ggml_backend_dev_t dev, const char *params)
{
    (void)params;
    return zt_fast_new(0, *(const unsigned *)dev->context, NULL, NULL);
}

static ggml_backend_buffer_type_t device_buffers(ggml_backend_dev_t dev)
{
    (void)dev;
    return ggml_backend_cpu_buffer_type();
}

static ggml_backend_buffer_t device_map(ggml_backend_dev_t dev, void *data, size_t size,
                                        size_t largest)
{
    (void)dev;
    (void)largest;
    return ggml_backend_cpu_buffer_from_ptr(data, size);
}

static bool device_takes(ggml_backend_dev_t dev, const struct ggml_tensor *op)
{
    const unsigned mode = *(const unsigned *)dev->context;
    const struct operation *found = find(op);

    if (found == NULL)
        return zt_fuse_is_view(op) ||
               (zt_rows_can(op) && (mode & ZT_FAST_ALL || op->ne[0] >= SHORTEST));
    if (mode & ZT_FAST_ALL)
        return true;
    return mode & ZT_FAST_BF16 && found->compute == zt_fast_product ? zt_fast_worth_product_bf16(op)
                                                                    : found->worth(op);
}

static bool device_reads(ggml_backend_dev_t dev, ggml_backend_buffer_type_t type)
{
    (void)dev;
    return zt_fast_reads(type);
}

#define INTERFACE                                                                                  \
    {                                                                                              \
        .get_name = device_name, .get_description = device_description,                            \
        .get_memory = device_memory, .get_type = device_type, .get_props = device_props,           \
        .init_backend = device_init, .get_buffer_type = device_buffers,                            \
        .buffer_from_host_ptr = device_map, .supports_op = device_takes,                           \
        .supports_buft = device_reads,                                                             \
    }
/* A device a mode. */
static unsigned modes[] = { 0, ZT_FAST_ALL, ZT_FAST_BF16, ZT_FAST_ALL | ZT_FAST_BF16 };
static struct ggml_backend_device devices[] = {
    { .iface = INTERFACE, .context = &modes[0] },
    { .iface = INTERFACE, .context = &modes[1] },
    { .iface = INTERFACE, .context = &modes[2] },
    { .iface = INTERFACE, .context = &modes[3] },
};

/* oneDNN writes its code as it runs; where that is forbidden it is slow. */
static bool may_make_code(void)
{
    const size_t size = 4096;
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return false;
    bool may = mprotect(page, size, PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
    munmap(page, size);
    return may;
}

bool zt_fast_has_bf16(void)
{
    return may_make_code() && zt_fast_bf16_pays();
}

ggml_backend_t zt_fast_new(int threads, unsigned mode, zt_fast_stop_fn *stop, void *user)
{
    static ggml_guid guid = { 'z', 't', ' ', 'f', 'a', 's', 't', ' ', 'C', 'P', 'U' };

    zt_assert(mode < ZT_COUNT(devices));
    if (!may_make_code())
        return NULL;
    struct zt_fast *fast = zt_new(struct zt_fast);
    struct ggml_backend *backend = zt_new(struct ggml_backend);
    fast->pool = zt_pool_new(threads);
    fast->stop = stop;
    fast->user = user;
    fast->bf16 = (mode & ZT_FAST_BF16) != 0;
    *backend = (struct ggml_backend){
        .guid = &guid,
        .iface = { .get_name = backend_name,
                   .free = backend_free,
                   .graph_compute = backend_compute },
        .device = &devices[mode],
        .context = fast,
    };
    return backend;
}
