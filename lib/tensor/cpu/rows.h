/*
 * rows.h - what is computed element by element or row by row: one operation, or several as one pass
 * over memory. A row, or a part of it, goes through all steps while it is in the cache.
 */
#ifndef ZT_TENSOR_CPU_ROWS_H
#define ZT_TENSOR_CPU_ROWS_H

#include <ggml.h>
#include <stdbool.h>

#define ZT_ROWS_STEPS 8

struct zt_fast;
struct zt_rows_kind;

/* Floats in memory; elements of a row lie next to each other, steps are in floats. */
struct zt_rows_place {
    float *data;
    int64_t ne[4], step[4];
};

/* A place, repeated along axes 1 to 3 where it is shorter; or what an earlier step left. */
struct zt_rows_from {
    struct zt_rows_place at;
    int step; /* -1: the place */
};

struct zt_rows {
    struct zt_rows_place out; /* what the last step leaves */
    int n;
    bool whole; /* a step needs all of a row at once */
    struct {
        const struct zt_rows_kind *kind;
        float par[2];
        struct zt_rows_from from[2];
    } step[ZT_ROWS_STEPS];
};

struct zt_rows_place zt_rows_place(const struct ggml_tensor *t);

/* Whether an operation can be a step. */
bool zt_rows_can(const struct ggml_tensor *op);

/* Adds a step; the caller fills in from where it takes what it takes. */
void zt_rows_add(struct zt_rows *rows, const struct ggml_tensor *op);
/* How many of the operation's sources are read: 1 or 2. */
int zt_rows_sources(const struct ggml_tensor *op);

/* All of it on all threads. False: as zt_fast_for. */
bool zt_rows_run(struct zt_fast *fast, const struct zt_rows *rows);

/* One operation alone, as backend.c's table has them. */
bool zt_rows_compute(struct zt_fast *fast, struct ggml_tensor *op);

#endif
