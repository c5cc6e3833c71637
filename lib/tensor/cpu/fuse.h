/*
 * fuse.h - finds nodes of a graph that can be one pass: a chain of row operations whose inner
 * results nothing else uses. The graph stays as it is; inner results are not written to memory.
 */
#ifndef ZT_TENSOR_CPU_FUSE_H
#define ZT_TENSOR_CPU_FUSE_H

#include "tensor/cpu/rows.h"

#define ZT_FUSE_BETWEEN 4

struct zt_fuse {
    struct zt_rows rows;
    int last;      /* index of the last node that is done */
    int n_between; /* nodes among them that are not part of it, to be done before */
    struct ggml_tensor *between[ZT_FUSE_BETWEEN];
};

/* Another look at the same memory; and whether there is nothing to compute for a node. */
bool zt_fuse_is_view(const struct ggml_tensor *t);
bool zt_fuse_passive(const struct ggml_tensor *t);

/* Whether node `first` begins something that is more than itself. All tensors have memory. */
bool zt_fuse_find(const struct ggml_cgraph *graph, int first, struct zt_fuse *ret);

#endif
