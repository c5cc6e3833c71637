/*
 * rows.c - see rows.h. Each kind of step is a loop over floats that lie next to each other; the
 * same loop serves an operation alone and as a step of several, so both give the same bytes.
 *
 * A step may leave its result where its sources are: each element is read before it is written.
 */
#include "tensor/cpu/rows.h"

#include "base/error.h"
#include "tensor/cpu/inside.h"
#include "tensor/cpu/lanes.h"

#include <math.h>
#include <string.h>

#define CHUNK      256   /* floats of a row that go through all steps at a time */
#define TASK       32768 /* floats of a task, about */
#define TASK_WIDTH 16384 /* of a row */
#define MOST_WHOLE 65536 /* floats of a row that must be in the scratch at once */

typedef void step_fn(const float *a, const float *b, float *y, int64_t n, const float par[2]);

struct zt_rows_kind {
    enum ggml_op op;
    enum ggml_unary_op unary;
    step_fn *run;
    int sources, parameters;
    bool whole;
};

/* ---- steps ---------------------------------------------------------------------------------- */

static void add(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    (void)par;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

static void multiply(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    (void)par;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

static void divide(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    (void)par;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] / b[i];
}

static void square(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    (void)b;
    (void)par;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * a[i];
}

/* a * par[0] + par[1] */
static void scale(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    const float factor = par[0], more = par[1];

    (void)b;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * factor + more;
}

/* x / (1 + e^-x). Relative error below 5e-7, but for x < -87, where the result is below 1e-35. */
static lanes silu_lanes(lanes x)
{
    lanes u = choose(x < all(-87.0f), all(87.0f), -x);

    return x / (all(1) + exp_lanes(u));
}

static void silu(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    int64_t i = 0;

    (void)b;
    (void)par;
    for (; i + LANES <= n; i += LANES)
        *(lanes *)(void *)(y + i) = silu_lanes(*(const lanes *)(const void *)(a + i));
    if (i < n) {
        lanes rest = all(0);
        memcpy(&rest, a + i, (size_t)(n - i) * sizeof(float));
        rest = silu_lanes(rest);
        memcpy(y + i, &rest, (size_t)(n - i) * sizeof(float));
    }
}

/* Sum of (a - centre), or of its squares, in double at the end: four sums of eight lanes. */
static double sum_of(const float *a, int64_t n, float centre, bool squares)
{
    lanes sum[4] = { all(0), all(0), all(0), all(0) };
    double total = 0;
    int64_t i = 0;

    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++) {
            lanes x = *(const lanes *)(const void *)(a + i + k * LANES) - all(centre);
            if (squares)
                x = x * x;
            sum[k] += x;
        }
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < LANES; j++)
            total += (double)sum[k][j];
    for (; i < n; i++) {
        double x = (double)(a[i] - centre);
        total += squares ? x * x : x;
    }
    return total;
}

static void norm(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    float mean = (float)(sum_of(a, n, 0, false) / (double)n);
    float factor = (float)(1 / sqrt(sum_of(a, n, mean, true) / (double)n + (double)par[0]));

    (void)b;
    for (int64_t i = 0; i < n; i++)
        y[i] = (a[i] - mean) * factor;
}

static void rms_norm(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    float factor = (float)(1 / sqrt(sum_of(a, n, 0, true) / (double)n + (double)par[0]));

    (void)b;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * factor;
}

static void l2_norm(const float *a, const float *b, float *y, int64_t n, const float par[2])
{
    float size = (float)sqrt(sum_of(a, n, 0, true));
    float factor = 1 / (size < par[0] ? par[0] : size); /* NaN is not smaller */

    (void)b;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * factor;
}

/* clang-format off */
static const struct zt_rows_kind kinds[] = {
    /* op               unary               run       sources parameters whole */
    { GGML_OP_ADD,      0,                  add,      2,      0,         false },
    { GGML_OP_MUL,      0,                  multiply, 2,      0,         false },
    { GGML_OP_DIV,      0,                  divide,   2,      0,         false },
    { GGML_OP_SQR,      0,                  square,   1,      0,         false },
    { GGML_OP_SCALE,    0,                  scale,    1,      2,         false },
    { GGML_OP_UNARY,    GGML_UNARY_OP_SILU, silu,     1,      0,         false },
    { GGML_OP_NORM,     0,                  norm,     1,      1,         true },
    { GGML_OP_RMS_NORM, 0,                  rms_norm, 1,      1,         true },
    { GGML_OP_L2_NORM,  0,                  l2_norm,  1,      1,         true },
};
/* clang-format on */

static const struct zt_rows_kind *kind_of(const struct ggml_tensor *op)
{
    for (size_t i = 0; i < ZT_COUNT(kinds); i++)
        if (kinds[i].op == op->op &&
            (op->op != GGML_OP_UNARY || kinds[i].unary == ggml_get_unary_op(op)))
            return &kinds[i];
    return NULL;
}

static bool in_rows(const struct ggml_tensor *t)
{
    bool ok = t->type == GGML_TYPE_F32 && t->nb[0] == sizeof(float);

    for (int i = 1; i < GGML_MAX_DIMS; i++)
        ok = ok && t->nb[i] % sizeof(float) == 0;
    return ok;
}

bool zt_rows_can(const struct ggml_tensor *op)
{
    const struct zt_rows_kind *kind = kind_of(op);

    if (kind == NULL || !in_rows(op) || (kind->whole && op->ne[0] > MOST_WHOLE))
        return false;
    for (int i = 0; i < kind->sources; i++)
        if (!in_rows(op->src[i]) || op->src[i]->ne[0] != op->ne[0])
            return false;
    return ggml_are_same_shape(op->src[0], op);
}

int zt_rows_sources(const struct ggml_tensor *op)
{
    return kind_of(op)->sources;
}

/* ---- several as one ------------------------------------------------------------------------- */

struct zt_rows_place zt_rows_place(const struct ggml_tensor *t)
{
    struct zt_rows_place p = { .data = t->data };

    for (int i = 0; i < GGML_MAX_DIMS; i++) {
        p.ne[i] = t->ne[i];
        p.step[i] = (int64_t)(t->nb[i] / sizeof(float));
    }
    return p;
}

void zt_rows_add(struct zt_rows *rows, const struct ggml_tensor *op)
{
    zt_assert(rows->n < ZT_ROWS_STEPS);
    const struct zt_rows_kind *kind = kind_of(op);

    rows->step[rows->n].kind = kind;
    memcpy(rows->step[rows->n++].par, op->op_params, (size_t)kind->parameters * sizeof(float));
    rows->whole = rows->whole || kind->whole;
}

static int64_t chunk_of(const struct zt_rows *rows)
{
    int64_t chunk = rows->whole ? rows->out.ne[0] : zt_fast_least(rows->out.ne[0], CHUNK);

    return (chunk + LANES - 1) / LANES * LANES;
}

static size_t scratch_floats(const struct zt_rows *rows)
{
    return (size_t)(chunk_of(rows) * (rows->n - 1));
}

static float *row_of(const struct zt_rows_place *p, const int64_t at[3])
{
    float *row = p->data;

    for (int i = 0; i < 3; i++)
        row += (at[i] < p->ne[i + 1] ? at[i] : at[i] % p->ne[i + 1]) * p->step[i + 1];
    return row;
}

/* n floats from `column` on of the row `at` through all steps. */
static void pass(const struct zt_rows *rows, const int64_t at[3], int64_t column, int64_t n,
                 float *scratch)
{
    int64_t chunk = chunk_of(rows);

    for (int s = 0; s < rows->n; s++) {
        const float *in[2] = { NULL, NULL };
        for (int i = 0; i < rows->step[s].kind->sources; i++) {
            const struct zt_rows_from *from = &rows->step[s].from[i];
            in[i] = from->step < 0 ? row_of(&from->at, at) + column : scratch + from->step * chunk;
        }
        rows->step[s].kind->run(
            in[0], in[1], s == rows->n - 1 ? row_of(&rows->out, at) + column : scratch + s * chunk,
            n, rows->step[s].par);
    }
}

/* Rows (axes 1 to 3 as one) in groups of `each`, and `across` parts of `width` of each row. */
struct job {
    const struct zt_rows *rows;
    int64_t n_rows, each, width, across;
};

static bool task(const void *user, int64_t index, float *scratch)
{
    const struct job *job = user;
    const int64_t *ne = job->rows->out.ne;
    int64_t first = index / job->across * job->each, column = index % job->across * job->width;
    int64_t end = zt_fast_least(first + job->each, job->n_rows), chunk = chunk_of(job->rows);
    int64_t column_end = zt_fast_least(column + job->width, ne[0]);

    for (int64_t r = first; r < end; r++) {
        int64_t at[3] = { r % ne[1], r / ne[1] % ne[2], r / ne[1] / ne[2] };
        for (int64_t c = column; c < column_end; c += chunk)
            pass(job->rows, at, c, zt_fast_least(chunk, column_end - c), scratch);
    }
    return true;
}

/* All of one shape, and each without a gap: rows may be taken as one. */
static bool is_flat(const struct zt_rows_place *p, const int64_t ne[4])
{
    int64_t step = 1;

    for (int i = 0; i < 4; i++) {
        if (p->ne[i] != ne[i] || (ne[i] != 1 && p->step[i] != step))
            return false;
        step *= ne[i];
    }
    return true;
}

static void make_one_row(struct zt_rows_place *p)
{
    p->ne[0] *= p->ne[1] * p->ne[2] * p->ne[3];
    p->ne[1] = p->ne[2] = p->ne[3] = 1;
}

/* Short rows cost more than what is in them. */
static void flatten(struct zt_rows *rows)
{
    bool flat = !rows->whole && is_flat(&rows->out, rows->out.ne);

    for (int s = 0; s < rows->n; s++)
        for (int i = 0; i < rows->step[s].kind->sources; i++)
            flat = flat && (rows->step[s].from[i].step >= 0 ||
                            is_flat(&rows->step[s].from[i].at, rows->out.ne));
    if (!flat)
        return;
    make_one_row(&rows->out);
    for (int s = 0; s < rows->n; s++)
        for (int i = 0; i < 2; i++)
            make_one_row(&rows->step[s].from[i].at);
}

bool zt_rows_run(struct zt_fast *fast, const struct zt_rows *rows)
{
    struct zt_rows flat = *rows;

    flatten(&flat);
    const int64_t *ne = flat.out.ne;
    struct job job = {
        .rows = &flat,
        .n_rows = ne[1] * ne[2] * ne[3],
        .each = ne[0] < TASK ? TASK / ne[0] : 1,
        .width = flat.whole ? ne[0] : zt_fast_least(ne[0], TASK_WIDTH),
    };
    job.across = zt_fast_parts(ne[0], job.width);
    return zt_fast_for(fast, zt_fast_parts(job.n_rows, job.each) * job.across,
                       scratch_floats(&flat), task, &job);
}

bool zt_rows_compute(struct zt_fast *fast, struct ggml_tensor *op)
{
    struct zt_rows rows = { .out = zt_rows_place(op) };

    zt_rows_add(&rows, op);
    for (int i = 0; i < zt_rows_sources(op); i++)
        rows.step[0].from[i] = (struct zt_rows_from){ zt_rows_place(op->src[i]), -1 };
    return zt_rows_run(fast, &rows);
}
