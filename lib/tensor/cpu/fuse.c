/*
 * fuse.c - see fuse.h.
 *
 * 1. Nodes of a group follow each other in the graph. Small ones may stand between that do not use
 *    them, as the tables that a group reads; they are computed before the group.
 * 2. A result inside a group is used in the group only, is no output and no view of other memory.
 * 3. The allocator thinks that a group's nodes are computed one by one, so the last result may lie
 *    where an input lay that only the first one reads. It may lie exactly on an input of the same
 *    shape: then each element is read before it is written. Else it must not overlap any; and the
 *    nodes between must not write on what the group reads.
 */
#include "tensor/cpu/fuse.h"

#include "base/error.h"
#include "tensor/cpu/inside.h"

#include <ggml-backend-impl.h>
#include <ggml-impl.h>
#include <string.h>

#define BETWEEN_MOST (1 << 20) /* elements of a node between */

struct member {
    struct ggml_tensor *op;
    int uses; /* by other members */
};

struct group {
    const struct ggml_cgraph *graph;
    struct ggml_tensor *between[ZT_FUSE_BETWEEN];
    struct member member[ZT_ROWS_STEPS];
    int n, n_between;
};

bool zt_fuse_is_view(const struct ggml_tensor *t)
{
    return t->op == GGML_OP_NONE || t->op == GGML_OP_RESHAPE || t->op == GGML_OP_VIEW ||
           t->op == GGML_OP_PERMUTE || t->op == GGML_OP_TRANSPOSE;
}

bool zt_fuse_passive(const struct ggml_tensor *t)
{
    return !(t->flags & GGML_TENSOR_FLAG_COMPUTE) || ggml_is_empty(t) || zt_fuse_is_view(t);
}

static int uses(const struct ggml_cgraph *graph, const struct ggml_tensor *t)
{
    size_t at = ggml_hash_find(&graph->visited_hash_set, t);

    return at != GGML_HASHSET_FULL && ggml_bitset_get(graph->visited_hash_set.used, at)
               ? graph->use_counts[at]
               : 0;
}

static int index_of(const struct group *g, const struct ggml_tensor *t)
{
    for (int i = 0; i < g->n; i++)
        if (g->member[i].op == t)
            return i;
    return -1;
}

static bool overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;

    return x < y + b_bytes && y < x + a_bytes;
}

static bool on_each_other(const struct ggml_tensor *a, const struct ggml_tensor *b)
{
    return overlap(a->data, ggml_nbytes(a), b->data, ggml_nbytes(b));
}

static bool same_place(const struct ggml_tensor *a, const struct ggml_tensor *b)
{
    return a->data == b->data && ggml_are_same_shape(a, b) && ggml_are_same_stride(a, b);
}

/* ---- conditions ----------------------------------------------------------------------------- */

static bool joins(const struct group *g, const struct ggml_tensor *t)
{
    bool reads = false;

    if (!zt_rows_can(t) || (g->n > 0 && !ggml_are_same_shape(t, g->member[0].op)))
        return false;
    for (int i = 0; i < zt_rows_sources(t); i++)
        reads = reads || index_of(g, t->src[i]) >= 0;
    return g->n == 0 || reads;
}

static void add(struct group *g, struct ggml_tensor *t)
{
    for (int i = 0; i < GGML_MAX_SRC; i++) {
        int at = t->src[i] ? index_of(g, t->src[i]) : -1;
        if (at >= 0)
            g->member[at].uses++;
    }
    g->member[g->n++] = (struct member){ .op = t };
}

/* May its result stay unwritten, if all its uses are in the group? */
static bool can_be_inner(const struct ggml_tensor *t)
{
    return !(t->flags & GGML_TENSOR_FLAG_OUTPUT) && t->view_src == NULL;
}

/* Nothing outside uses a result but the last. What nothing uses is a result of the graph. */
static bool is_closed(const struct group *g)
{
    for (int i = 0; i < g->n - 1; i++) {
        const struct member *m = &g->member[i];
        if (!can_be_inner(m->op) || m->uses == 0 || uses(g->graph, m->op) != m->uses)
            return false;
    }
    return true;
}

/* src is t's result, or a part of it. */
static bool is_of(const struct ggml_tensor *src, const struct ggml_tensor *t)
{
    return src == t || (t->view_src == NULL && src->view_src == t);
}

/* Of all that rows read from outside: none is touched by t, or it lies exactly where t does. */
static bool spares_rows(const struct group *g, const struct ggml_tensor *t, bool same_allowed)
{
    for (int m = 0; m < g->n; m++)
        for (int i = 0; i < zt_rows_sources(g->member[m].op); i++) {
            const struct ggml_tensor *src = g->member[m].op->src[i];
            if (index_of(g, src) < 0 && !is_of(src, t) && on_each_other(src, t) &&
                !(same_allowed && same_place(src, t)))
                return false;
        }
    return true;
}

static bool is_safe(const struct group *g)
{
    for (int i = 0; i < g->n_between; i++)
        if (!spares_rows(g, g->between[i], false))
            return false;
    return spares_rows(g, g->member[g->n - 1].op, true);
}

/* ---- the search ----------------------------------------------------------------------------- */

static void describe(const struct group *g, int last, struct zt_fuse *ret)
{
    ret->rows = (struct zt_rows){ .out = zt_rows_place(g->member[g->n - 1].op) };
    for (int m = 0; m < g->n; m++) {
        const struct ggml_tensor *op = g->member[m].op;
        zt_rows_add(&ret->rows, op);
        for (int i = 0; i < zt_rows_sources(op); i++) {
            int from = index_of(g, op->src[i]);
            ret->rows.step[m].from[i] = from < 0
                                            ? (struct zt_rows_from){ zt_rows_place(op->src[i]), -1 }
                                            : (struct zt_rows_from){ .step = from };
        }
    }
    ret->last = last;
    ret->n_between = g->n_between;
    memcpy(ret->between, g->between, sizeof(ret->between));
}

/* Node t may be computed before the group, whose results it does not use. */
static bool stands_between(const struct group *g, const struct ggml_tensor *t)
{
    return g->n > 0 && g->n_between < ZT_FUSE_BETWEEN && zt_rows_can(t) &&
           ggml_nelements(t) <= BETWEEN_MOST;
}

/* Grows the group from node `at` on; *ret is the longest that may be. */
static bool grow(struct group *g, int at, struct zt_fuse *ret)
{
    bool found = false;

    for (int i = at; i < g->graph->n_nodes && g->n < ZT_ROWS_STEPS; i++) {
        struct ggml_tensor *t = g->graph->nodes[i];
        if (zt_fuse_passive(t))
            continue;
        if (joins(g, t))
            add(g, t);
        else if (stands_between(g, t))
            g->between[g->n_between++] = t;
        else
            break;
        if (index_of(g, t) < 0)
            continue;
        if (is_closed(g) && is_safe(g)) {
            describe(g, i, ret);
            found = true;
        }
        if (!can_be_inner(t))
            break;
    }
    return found;
}

bool zt_fuse_find(const struct ggml_cgraph *graph, int first, struct zt_fuse *ret)
{
    struct group g = { .graph = graph };

    return zt_rows_can(graph->nodes[first]) && grow(&g, first, ret) && ret->rows.n > 1;
}
