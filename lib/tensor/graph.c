/*
 * graph.c - building, feeding and running one graph on a device's scheduler.
 */
#include "tensor/graph.h"

#include "base/fault.h"
#include "base/mem.h"
#include "tensor/device.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>

#define INPUTS_MAX  64
#define OUTPUTS_MAX 512

struct zt_graph {
    struct zt_device *device;
    struct ggml_context *ctx;
    struct ggml_cgraph *cgraph;
    int n_inputs, n_outputs;
    struct {
        struct ggml_tensor *tensor;
        const void *data;
    } inputs[INPUTS_MAX];
    struct {
        struct ggml_tensor *tensor;
        void *dst;
    } outputs[OUTPUTS_MAX];
};

enum zt_code zt_graph_new(struct zt_device *device, int nodes, struct zt_graph **ret,
                          struct zt_err *err)
{
    zt_assert(nodes > 0 && nodes <= ZT_GRAPH_NODES_MAX);
    zt_auto(graph) struct zt_graph *g = zt_new(struct zt_graph);
    size_t n = (size_t)nodes + INPUTS_MAX + OUTPUTS_MAX;
    struct ggml_init_params params = {
        .mem_size = ggml_tensor_overhead() * n + ggml_graph_overhead_custom(n, false),
        .no_alloc = true,
    };

    g->device = device;
    g->ctx = ggml_init(params);
    if (g->ctx == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory for a graph of %d nodes", nodes);
    g->cgraph = ggml_new_graph_custom(g->ctx, n, false);
    ggml_backend_sched_reset(zt_device_sched(device));
    *ret = zt_take_graph(&g);
    return ZT_OK;
}

void zt_graph_free(struct zt_graph *graph)
{
    if (graph == NULL)
        return;
    if (graph->ctx != NULL)
        ggml_backend_sched_reset(zt_device_sched(graph->device));
    ggml_free(graph->ctx);
    free(graph);
}

struct ggml_context *zt_graph_ctx(struct zt_graph *graph)
{
    return graph->ctx;
}

struct ggml_tensor *zt_graph_input(struct zt_graph *graph, const char *name, enum ggml_type type,
                                   const int64_t ne[4], const void *data)
{
    zt_assert(graph->n_inputs < INPUTS_MAX);
    struct ggml_tensor *t = ggml_new_tensor(graph->ctx, type, 4, ne);

    ggml_set_name(t, name);
    ggml_set_input(t);
    graph->inputs[graph->n_inputs].tensor = t;
    graph->inputs[graph->n_inputs++].data = data;
    return t;
}

void zt_graph_output(struct zt_graph *graph, struct ggml_tensor *tensor, void *dst)
{
    zt_assert(graph->n_outputs < OUTPUTS_MAX);
    if (dst != NULL && !ggml_is_contiguous(tensor))
        tensor = ggml_cont(graph->ctx, tensor);
    ggml_set_output(tensor);
    ggml_build_forward_expand(graph->cgraph, tensor);
    graph->outputs[graph->n_outputs].tensor = tensor;
    graph->outputs[graph->n_outputs++].dst = dst;
}

/* Backends of one kind of memory share it, and each says all of it. */
static bool shares_memory(ggml_backend_sched_t sched, int index)
{
    ggml_backend_buffer_type_t own =
        ggml_backend_sched_get_buffer_type(sched, ggml_backend_sched_get_backend(sched, index));

    for (int i = 0; i < index; i++)
        if (own ==
            ggml_backend_sched_get_buffer_type(sched, ggml_backend_sched_get_backend(sched, i)))
            return true;
    return false;
}

/*
 * A scheduler leaves small products of weights in RAM to the CPU, and with them what comes after.
 * Attention stays on the device: it is written for narrow keys and values there, whose sums ggml's
 * CPU would round to 16 bits.
 */
static void start_over(struct zt_graph *graph, ggml_backend_sched_t sched)
{
    ggml_backend_t beside = zt_device_beside(graph->device);

    ggml_backend_sched_reset(sched);
    for (int i = 0; beside != NULL && i < ggml_graph_n_nodes(graph->cgraph); i++) {
        struct ggml_tensor *node = ggml_graph_node(graph->cgraph, i);
        if (node->op == GGML_OP_FLASH_ATTN_EXT && ggml_backend_supports_op(beside, node))
            ggml_backend_sched_set_tensor_backend(sched, node, beside);
    }
}

size_t zt_graph_bytes(struct zt_graph *graph)
{
    ggml_backend_sched_t ruler = zt_device_ruler(graph->device);
    size_t sizes[8] = { 0 }, sum = 0;

    if (ruler == NULL)
        return 0;
    zt_assert(ggml_backend_sched_get_n_backends(ruler) <= (int)ZT_COUNT(sizes));
    start_over(graph, ruler);
    ggml_backend_sched_reserve_size(ruler, graph->cgraph, sizes);
    ggml_backend_sched_reset(ruler);
    for (int i = 0; i < ggml_backend_sched_get_n_backends(ruler); i++)
        sum += shares_memory(ruler, i) ? 0 : sizes[i];
    return sum;
}

/* A scheduler whose allocation failed must not be used again: it believes it has the memory. */
static enum zt_code no_memory(struct zt_graph *graph, struct zt_err *err)
{
    double mib = (double)zt_graph_bytes(graph) / 1048576;

    ZT_TRY(zt_device_trim(graph->device, err));
    return zt_fail(err, ZT_E_NOMEM, "no %.0f MiB of working memory on the device %s", mib,
                   zt_device_name(graph->device));
}

enum zt_code zt_graph_reserve(struct zt_graph *graph, struct zt_err *err)
{
    ggml_backend_sched_t sched = zt_device_sched(graph->device);

    start_over(graph, sched);
    if (zt_fault("alloc") || !ggml_backend_sched_reserve(sched, graph->cgraph))
        return no_memory(graph, err);
    return ZT_OK;
}

enum zt_code zt_graph_run(struct zt_graph *graph, struct zt_err *err)
{
    ggml_backend_sched_t sched = zt_device_sched(graph->device);

    if (zt_device_asked_to_stop(graph->device))
        return zt_fail(err, ZT_E_CANCELLED, "stopped");
    start_over(graph, sched);
    if (zt_fault("alloc") || !ggml_backend_sched_alloc_graph(sched, graph->cgraph))
        return no_memory(graph, err);
    for (int i = 0; i < graph->n_inputs; i++) {
        struct ggml_tensor *t = graph->inputs[i].tensor;
        if (t->buffer != NULL) /* an input that nothing uses has none */
            ggml_backend_tensor_set(t, graph->inputs[i].data, 0, ggml_nbytes(t));
    }
    enum ggml_status status = ggml_backend_sched_graph_compute(sched, graph->cgraph);
    if (status == GGML_STATUS_ABORTED || zt_device_asked_to_stop(graph->device))
        return zt_fail(err, ZT_E_CANCELLED, "stopped");
    if (status == GGML_STATUS_ALLOC_FAILED)
        return zt_fail(err, ZT_E_NOMEM, "the device %s ran out of memory",
                       zt_device_name(graph->device));
    if (status != GGML_STATUS_SUCCESS)
        return zt_fail(err, ZT_E_INTERNAL, "the device %s failed: %s",
                       zt_device_name(graph->device), ggml_status_to_string(status));
    for (int i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i].dst != NULL)
            ggml_backend_tensor_get(graph->outputs[i].tensor, graph->outputs[i].dst, 0,
                                    ggml_nbytes(graph->outputs[i].tensor));
    return ZT_OK;
}
