/*
 * graph.h - one ggml graph: built with ggml's functions in its context, fed, run, read.
 *
 *     zt_auto(graph) struct zt_graph *g = NULL;
 *     ZT_TRY(zt_graph_new(device, 4096, &g, err));
 *     struct ggml_tensor *x = zt_graph_input(g, "x", GGML_TYPE_F32, ne, data);
 *     struct ggml_tensor *y = build(zt_graph_ctx(g), x, weights);
 *     zt_graph_output(g, y, out);
 *     ZT_TRY(zt_graph_run(g, err));
 *
 * A graph is cheap to build (microseconds a node) and is used once. Only one graph of a device
 * exists at a time: its memory is the device's, kept from graph to graph. Weights are tensors of
 * params.h, in buffers of their own. Shapes are checked by whoever builds: ggml aborts on bad ones.
 */
#ifndef ZT_TENSOR_GRAPH_H
#define ZT_TENSOR_GRAPH_H

#include "base/auto.h"
#include "base/error.h"

#include <ggml.h>

struct zt_device;
struct zt_graph;

/* nodes: an upper bound of the tensors the graph will have, inputs and weights' views included. */
#define ZT_GRAPH_NODES_MAX 32768
enum zt_code zt_graph_new(struct zt_device *device, int nodes, struct zt_graph **ret,
                          struct zt_err *err);
void zt_graph_free(struct zt_graph *graph); /* NULL is fine */
ZT_AUTO(struct zt_graph, graph, zt_graph_free)

/* For ggml's building functions. It allocates descriptions only, no data. */
struct ggml_context *zt_graph_ctx(struct zt_graph *graph);

/*
 * A tensor filled from `data` when the graph runs: ne[0] * ... * ne[3] elements without gaps, ne[0]
 * fastest. data stays the caller's and must live until zt_graph_run returns. At most 64 inputs.
 */
struct ggml_tensor *zt_graph_input(struct zt_graph *graph, const char *name, enum ggml_type type,
                                   const int64_t ne[4], const void *data);

/*
 * The tensor's values are copied to dst (ggml_nbytes(tensor) bytes, contiguous) when the graph has
 * run. It is made contiguous if it is not. At most 512 outputs. dst may be NULL: then the tensor is
 * computed for its effect (a copy into a tensor with a buffer of its own).
 */
void zt_graph_output(struct zt_graph *graph, struct ggml_tensor *tensor, void *dst);

/* Bytes of working memory zt_graph_run would need, weights not counted. Allocates nothing. */
size_t zt_graph_bytes(struct zt_graph *graph);

/*
 * Allocates the working memory zt_graph_run would need and keeps it for later graphs, so that these
 * cannot run out of it. Computes nothing. ZT_E_NOMEM as of zt_graph_run.
 */
enum zt_code zt_graph_reserve(struct zt_graph *graph, struct zt_err *err);

/*
 * Allocates, copies inputs in, computes, copies outputs out.
 *   ZT_E_NOMEM      the working memory is not to be had; msg says how much it is
 *   ZT_E_CANCELLED  the device's stop function said so
 *   ZT_E_INTERNAL   the device failed
 */
enum zt_code zt_graph_run(struct zt_graph *graph, struct zt_err *err);

#endif
