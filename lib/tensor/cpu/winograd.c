/*
 * winograd.c - see winograd.h. A tile of 4 x 4 results sees 6 x 6 pixels. Both it and a kernel of
 * 3 x 3 are taken as polynomials along each axis, evaluated at 0, 3/4, -3/4, 3/2, -3/2 and infinity
 * and multiplied there, so that 36 products do the work of 144: at each of the 36 places a product
 * of matrices, [tiles][channels in] times [channels in][channels out], summed over the kernel's
 * times too. Interpolation gives the results. These points, exact in binary, lose about a decimal
 * digit against the plain sum; 0, 1, -1, 2, -2 lose twice that.
 *
 * Kernels are turned for some channels out at a time, into memory that all threads read. A task has
 * some tiles, for those channels; it turns their pixels a slab of channels in at a time. Neither
 * depends on the number of threads.
 */
#include "tensor/cpu/winograd.h"

#include "tensor/cpu/lanes.h"

#define SIDE   4
#define SEEN   6
#define PLACES (SEEN * SEEN)
#define TAPS   9
/* Tiles of a task: many make products faster, few feed more threads. */
#define TILES_MOST  64
#define TILES_LEAST 32
#define TASKS_LEAST 12
/* Channels out at a time, and floats of their kernels: 32 MiB. */
#define OUTS_MOST   256
#define KERNEL_ROOM (8 << 20)
#define SLAB        512 /* channels in */
#define LEAST_WIDTH 32
#define LEAST_TILES 64
/* Floats between places: powers of two apart, streams would share lines of the cache. */
#define GAP 16

struct run {
    struct zt_winograd w;
    int64_t across, down, tiles, each; /* tiles by axis, in all, of a task */
    int64_t slab;
    int64_t first, outs; /* channels out at hand */
    float *kernels;      /* [PLACES][times * in][outs], places kernels_apart */
    int64_t kernels_apart, pixels_apart, sums_apart;
};

bool zt_winograd_takes(int64_t channels)
{
    return channels % LANES == 0 && channels >= LEAST_WIDTH;
}

static int64_t tiles_of(const struct zt_winograd *w)
{
    return zt_fast_parts(w->to[0], SIDE) * zt_fast_parts(w->to[1], SIDE) * w->to[2] * w->batch;
}

bool zt_winograd_worth(const struct zt_winograd *w)
{
    return tiles_of(w) >= LEAST_TILES;
}

/* ---- polynomials --------------------------------------------------------------------------- */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

#define A  0.75f
#define B  1.5f
#define A2 (A * A)
#define B2 (B * B)

/* Three taps at the six points, each over the product of its distances from the others. */
static inline void turn_kernel(const lanes g[3], lanes to[SEEN])
{
    const lanes at_a = all(1 / (2 * A2 * (A2 - B2))), at_b = all(1 / (2 * B2 * (B2 - A2)));
    lanes even_a = g[0] + g[2] * all(A2), odd_a = g[1] * all(A);
    lanes even_b = g[0] + g[2] * all(B2), odd_b = g[1] * all(B);

    to[0] = g[0] * all(1 / (A2 * B2));
    to[1] = (even_a + odd_a) * at_a;
    to[2] = (even_a - odd_a) * at_a;
    to[3] = (even_b + odd_b) * at_b;
    to[4] = (even_b - odd_b) * at_b;
    to[5] = g[2];
}

/* Six pixels. */
static inline void turn_pixels(const lanes d[SEEN], lanes to[SEEN])
{
    const lanes a2 = all(A2), b2 = all(B2), both = all(A2 + B2), product = all(A2 * B2);
    lanes even_a = d[4] - d[2] * b2, odd_a = (d[3] - d[1] * b2) * all(A);
    lanes even_b = d[4] - d[2] * a2, odd_b = (d[3] - d[1] * a2) * all(B);

    to[0] = d[4] - d[2] * both + d[0] * product;
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = d[5] - d[3] * both + d[1] * product;
}

/* The four results. */
static inline void interpolate(const lanes m[SEEN], lanes to[SIDE])
{
    lanes even_a = m[1] + m[2], odd_a = (m[1] - m[2]) * all(A);
    lanes even_b = m[3] + m[4], odd_b = (m[3] - m[4]) * all(B);

    to[0] = m[0] + even_a + even_b;
    to[1] = odd_a + odd_b;
    to[2] = even_a * all(A2) + even_b * all(B2);
    to[3] = odd_a * all(A2) + odd_b * all(B2) + m[5];
}

static inline lanes load(const float *from)
{
    return *(const lanes *)(const void *)from;
}

static inline lanes load_apart(const float *from, int64_t step)
{
    return (lanes){ from[0],        from[step],     from[2 * step], from[3 * step],
                    from[4 * step], from[5 * step], from[6 * step], from[7 * step] };
}

static inline void store(float *to, lanes v)
{
    *(lanes *)(void *)to = v;
}

/* ---- kernels ------------------------------------------------------------------------------- */

/* The kernels of eight channels out, `step` floats apart, to PLACES places `apart`. */
static void turn_eight(const float *from, int64_t step, float *to, int64_t apart)
{
    lanes half[SEEN][3], whole[SEEN];

    for (int i = 0; i < 3; i++) {
        lanes column[SEEN], taps[3];
        for (int j = 0; j < 3; j++)
            taps[j] = load_apart(from + j * 3 + i, step);
        turn_kernel(taps, column);
        for (int j = 0; j < SEEN; j++)
            half[j][i] = column[j];
    }
    for (int j = 0; j < SEEN; j++) {
        turn_kernel(half[j], whole);
        for (int i = 0; i < SEEN; i++)
            store(to + (j * SEEN + i) * apart, whole[i]);
    }
}

/* Eight channels out. */
static bool turn_kernels(const void *user, int64_t task, float *scratch)
{
    const struct run *r = user;
    const struct zt_winograd *w = &r->w;
    int64_t terms = w->times * w->in, out = task * LANES;

    for (int64_t o = 0; o < LANES; o++)
        zt_fast_unpack(w->type, w->kernel + (size_t)(r->first + out + o) * w->kernel_step,
                       scratch + o * terms * TAPS, terms * TAPS);
    for (int64_t t = 0; t < w->times; t++)
        for (int64_t c = 0; c < w->in; c++)
            turn_eight(scratch + (c * w->times + t) * TAPS, terms * TAPS,
                       r->kernels + (t * w->in + c) * r->outs + out, r->kernels_apart);
    return true;
}

/* ---- tiles --------------------------------------------------------------------------------- */

struct tile {
    int64_t x, y, t, batch; /* its first result */
};

static struct tile tile_at(const struct run *r, int64_t index)
{
    int64_t frame = index / r->across / r->down, times = r->w.to[2];

    return (struct tile){ index % r->across * SIDE, index / r->across % r->down * SIDE,
                          frame % times, frame / times };
}

static const float nothing[SLAB];

/* Where the pixels that a tile sees are at a time of the kernel, from channel c on. */
static void look(const struct zt_winograd *w, struct tile tile, int64_t time, int64_t c,
                 const float *ret[PLACES])
{
    int64_t t = tile.t * w->stride_t + time - w->pad[2];
    const float *from = w->x + tile.batch * w->x_batch + c;

    for (int j = 0; j < SEEN; j++)
        for (int i = 0; i < SEEN; i++) {
            int64_t x = tile.x + i - w->pad[0], y = tile.y + j - w->pad[1];
            bool is =
                x >= 0 && x < w->size[0] && y >= 0 && y < w->size[1] && t >= 0 && t < w->size[2];
            ret[j * SEEN + i] =
                is ? from + x * w->step[0] + y * w->step[1] + t * w->step[2] : nothing;
        }
}

/* n channels of a tile's pixels, to PLACES places `apart`. */
static void turn_tile(const float *const from[PLACES], int64_t n, float *to, int64_t apart)
{
    for (int64_t c = 0; c < n; c += LANES) {
        lanes half[SEEN][SEEN], whole[SEEN];
        for (int i = 0; i < SEEN; i++) {
            lanes d[SEEN], column[SEEN];
            for (int j = 0; j < SEEN; j++)
                d[j] = load(from[j * SEEN + i] + c);
            turn_pixels(d, column);
            for (int j = 0; j < SEEN; j++)
                half[j][i] = column[j];
        }
        for (int j = 0; j < SEEN; j++) {
            turn_pixels(half[j], whole);
            for (int i = 0; i < SEEN; i++)
                store(to + (j * SEEN + i) * apart + c, whole[i]);
        }
    }
}

/* Eight channels of a tile's results, from sums `apart`, to planes `plane` apart. */
static void finish_eight(const float *sums, int64_t apart, float *to, int64_t plane, int64_t row,
                         int columns, int rows)
{
    lanes half[SIDE][SEEN], whole[SIDE];

    for (int i = 0; i < SEEN; i++) {
        lanes m[SEEN], column[SIDE];
        for (int j = 0; j < SEEN; j++)
            m[j] = load(sums + (j * SEEN + i) * apart);
        interpolate(m, column);
        for (int j = 0; j < SIDE; j++)
            half[j][i] = column[j];
    }
    for (int j = 0; j < rows; j++) {
        interpolate(half[j], whole);
        for (int l = 0; l < LANES; l++)
            for (int i = 0; i < columns; i++)
                to[l * plane + j * row + i] = whole[i][l];
    }
}

#pragma GCC diagnostic pop

static void finish(const struct run *r, int64_t first, int64_t n, const float *sums)
{
    const struct zt_winograd *w = &r->w;
    int64_t frame = w->to[0] * w->to[1], plane = frame * w->to[2];

    for (int64_t o = 0; o < r->outs; o += LANES)
        for (int64_t i = 0; i < n; i++) {
            struct tile tile = tile_at(r, first + i);
            float *to = w->y + tile.batch * w->y_batch + (r->first + o) * plane + tile.t * frame +
                        tile.y * w->to[0] + tile.x;
            finish_eight(sums + i * r->outs + o, r->sums_apart, to, plane, w->to[0],
                         (int)zt_fast_least(SIDE, w->to[0] - tile.x),
                         (int)zt_fast_least(SIDE, w->to[1] - tile.y));
        }
}

static bool multiply(const struct run *r, int64_t n, int64_t time, int64_t c, int64_t slab,
                     const float *pixels, float *sums)
{
    for (int place = 0; place < PLACES; place++) {
        struct zt_fast_gemm g = {
            .m = n,
            .n = r->outs,
            .k = slab,
            .a = pixels + place * r->pixels_apart,
            .lda = slab,
            .b = r->kernels + place * r->kernels_apart + (time * r->w.in + c) * r->outs,
            .ldb = r->outs,
            .c = sums + place * r->sums_apart,
            .ldc = r->outs,
            .alpha = 1,
            .add = time > 0 || c > 0,
        };
        if (!zt_fast_gemm(&g))
            return false;
    }
    return true;
}

static bool draw(const void *user, int64_t task, float *scratch)
{
    const struct run *r = user;
    int64_t first = task * r->each, n = zt_fast_least(r->each, r->tiles - first);
    float *sums = scratch, *pixels = sums + PLACES * r->sums_apart;
    const float *from[PLACES];

    for (int64_t time = 0; time < r->w.times; time++)
        for (int64_t c = 0; c < r->w.in; c += r->slab) {
            int64_t slab = zt_fast_least(r->slab, r->w.in - c);
            for (int64_t i = 0; i < n; i++) {
                look(&r->w, tile_at(r, first + i), time, c, from);
                turn_tile(from, slab, pixels + i * slab, r->pixels_apart);
            }
            if (!multiply(r, n, time, c, slab, pixels, sums))
                return false;
        }
    finish(r, first, n, sums);
    return true;
}

bool zt_winograd(struct zt_fast *fast, const struct zt_winograd *w)
{
    int64_t terms = w->times * w->in;
    int64_t room = KERNEL_ROOM / (PLACES * terms) / LANES * LANES;
    int64_t most = zt_fast_least(w->out, room > LANES ? zt_fast_least(room, OUTS_MOST) : LANES);
    struct run r = {
        .w = *w,
        .across = zt_fast_parts(w->to[0], SIDE),
        .down = zt_fast_parts(w->to[1], SIDE),
        .tiles = tiles_of(w),
        .each = TILES_MOST,
        .slab = zt_fast_least(SLAB, w->in),
    };

    while (r.each > TILES_LEAST && zt_fast_parts(r.tiles, r.each) < TASKS_LEAST)
        r.each /= 2;
    r.kernels_apart = most * terms + GAP;
    r.pixels_apart = r.each * r.slab + GAP;
    r.sums_apart = r.each * most + GAP;
    r.kernels = zt_fast_shared(fast, (size_t)(PLACES * r.kernels_apart));
    if (r.kernels == NULL)
        return false;
    for (; r.first < w->out; r.first += r.outs) {
        r.outs = zt_fast_least(most, w->out - r.first);
        if (!zt_fast_for(fast, r.outs / LANES, (size_t)(LANES * terms * TAPS), turn_kernels, &r) ||
            !zt_fast_for(fast, zt_fast_parts(r.tiles, r.each),
                         (size_t)(PLACES * (r.sums_apart + r.pixels_apart)), draw, &r))
            return false;
    }
    return true;
}
