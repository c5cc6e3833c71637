/*
 * warp_avx2.c - the vector path of warp.c: sixteen samples of a row at a time.
 *
 * Neighbouring samples look at neighbouring places, so instead of gathering 16 taps for each of
 * them, the 16 bytes that eight samples touch are loaded once a source row and dealt out by a byte
 * shuffle. Where eight spread wider (a strong shrink, a steep turn) the scalar path does them; the
 * numbers are the same.
 */
#include "motion/warp_cell.h"

#ifdef ZT_WARP_AVX2

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2"), always_inline)) static inline

/* Source rows that eight samples of a frame row may start on. */
#define STARTS 4

/* Sixteen positions: low holds 32-bit values 0 ... 3 and 8 ... 11, high the others. */
struct sixteen {
    __m256i low, high;
};

/* Shuffles that deal each sample its taps as the upper bytes of words, and the taps' weights. */
struct taps {
    __m256i deal[4], w[4];
};

AVX2 struct sixteen counted(__m256i at, __m256i step)
{
    const __m256i low = _mm256_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11);
    __m256i v = _mm256_add_epi32(at, _mm256_mullo_epi32(step, low));

    return (struct sixteen){ v, _mm256_add_epi32(v, _mm256_slli_epi32(step, 2)) };
}

/* 15 bits of phase of each, in order. */
AVX2 __m256i phase(struct sixteen v)
{
    const __m256i fraction = _mm256_set1_epi32(0xffff);

    return _mm256_srli_epi16(
        _mm256_packus_epi32(_mm256_and_si256(v.low, fraction), _mm256_and_si256(v.high, fraction)),
        1);
}

AVX2 __m256i whole(struct sixteen v)
{
    return _mm256_packs_epi32(_mm256_srai_epi32(v.low, 16), _mm256_srai_epi32(v.high, 16));
}

AVX2 void find_weights(__m256i t, __m256i w[4])
{
    const __m256i sixth = _mm256_set1_epi16(ZT_SPLINE_SIXTH);
    __m256i u = _mm256_sub_epi16(_mm256_set1_epi16(32767), t);
    __m256i t2 = _mm256_mulhrs_epi16(t, t), t3 = _mm256_mulhrs_epi16(t2, t);
    __m256i u3 = _mm256_mulhrs_epi16(_mm256_mulhrs_epi16(u, u), u);

    w[0] = _mm256_mulhrs_epi16(u3, sixth);
    w[1] = _mm256_add_epi16(_mm256_sub_epi16(_mm256_set1_epi16(ZT_SPLINE_TWO_THIRDS), t2),
                            _mm256_avg_epu16(t3, _mm256_setzero_si256())); /* half, rounded */
    w[3] = _mm256_mulhrs_epi16(t3, sixth);
    w[2] = _mm256_sub_epi16(_mm256_set1_epi16(INT16_MIN), /* 32768 */
                            _mm256_add_epi16(_mm256_add_epi16(w[0], w[1]), w[3]));
}

/* x counts from the first byte of each eight samples' load on. */
AVX2 void find_taps(struct sixteen x, struct taps *ret)
{
    __m256i tap = _mm256_slli_epi16(whole(x), 8);

    for (int k = 0; k < 4; k++)
        ret->deal[k] = _mm256_add_epi16(tap, _mm256_set1_epi16((int16_t)(k << 8 | 0x80)));
    find_weights(phase(x), ret->w);
}

/* Sixteen samples of a source row, filtered along: 7 bits below the sample, below 2^15. */
AVX2 __m256i filter_across(const uint8_t *left, const uint8_t *right, const struct taps *t)
{
    __m256i bytes = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)left)),
        _mm_loadu_si128((const __m128i *)(const void *)right), 1);
    __m256i sum01 =
        _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[0]), t->w[0]),
                         _mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[1]), t->w[1]));
    __m256i sum23 =
        _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[2]), t->w[2]),
                         _mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[3]), t->w[3]));

    return _mm256_add_epi16(sum01, sum23);
}

/* Four rows, weighed. */
AVX2 void store_down(const __m256i tap[4], const __m256i w[4], uint8_t *dst)
{
    __m256i sum = _mm256_add_epi16(
        _mm256_add_epi16(_mm256_mulhrs_epi16(tap[0], w[0]), _mm256_mulhrs_epi16(tap[1], w[1])),
        _mm256_add_epi16(_mm256_mulhrs_epi16(tap[2], w[2]), _mm256_mulhrs_epi16(tap[3], w[3])));
    sum = _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(ZT_SPLINE_ROUNDING)), 7);
    _mm_storeu_si128((__m128i *)(void *)dst, _mm_packus_epi16(_mm256_castsi256_si128(sum),
                                                              _mm256_extracti128_si256(sum, 1)));
}

/* zt_warp_row of all rows of a cell. */
struct rows {
    int32_t x[ZT_CELL], y[ZT_CELL], dx[ZT_CELL], dy[ZT_CELL];
};

AVX2 __m256i load(const int32_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

AVX2 void store(int32_t *at, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)at, v);
}

/* One value in all places: a load alone, where gcc's own way takes a shuffle more. */
AVX2 __m256i spread(const int32_t *at)
{
    return _mm256_castps_si256(_mm256_broadcast_ss((const float *)(const void *)at));
}

/* One coordinate of eight rows, j: where they begin, and the step. */
AVX2 __m256i row_starts(int64_t left, int64_t left_d, __m256i j)
{
    __m256i moved = _mm256_mullo_epi32(_mm256_set1_epi32((int32_t)left_d), j);

    return _mm256_add_epi32(
        _mm256_set1_epi32((int32_t)(left >> ZT_CELL_BITS)),
        _mm256_srai_epi32(_mm256_add_epi32(moved, _mm256_set1_epi32(ZT_CELL / 2)), ZT_CELL_BITS));
}

AVX2 __m256i row_steps(int64_t across, int64_t turn, __m256i j)
{
    __m256i turned = _mm256_mullo_epi32(_mm256_set1_epi32((int32_t)turn), j);
    __m256i sum =
        _mm256_add_epi32(_mm256_set1_epi32((int32_t)across + ZT_CELL * ZT_CELL / 2), turned);

    return _mm256_srai_epi32(sum, 2 * ZT_CELL_BITS);
}

AVX2 void find_rows(const struct zt_warp_corners *c, struct rows *ret)
{
    const __m256i level = _mm256_set1_epi32(ZT_WARP_LEVEL);
    __m256i j = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    for (int half = 0; half < 2; half++, j = _mm256_add_epi32(j, _mm256_set1_epi32(8))) {
        __m256i y = row_starts(c->left_y, c->left_dy, j);
        __m256i dy = row_steps(c->right_y - c->left_y, c->right_dy - c->left_dy, j);
        __m256i flat = _mm256_cmpgt_epi32(level, _mm256_abs_epi32(dy));
        __m256i middle = _mm256_srai_epi32(
            _mm256_sub_epi32(_mm256_slli_epi32(dy, ZT_CELL_BITS), dy), 1); /* 15 / 2 steps on */
        y = _mm256_add_epi32(y, _mm256_and_si256(middle, flat));
        store(ret->y + 8 * half, y);
        store(ret->dy + 8 * half, _mm256_andnot_si256(flat, dy));
        store(ret->x + 8 * half, row_starts(c->left_x, c->left_dx, j));
        store(ret->dx + 8 * half, row_steps(c->right_x - c->left_x, c->right_dx - c->left_dx, j));
    }
}

/* The weights down the columns of each row: of a position, 16 bits tell the phase. */
AVX2 void find_weights_down(const struct rows *rows, __m256i w[ZT_CELL][4])
{
    const __m256i sample = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    for (int j = 0; j < ZT_CELL; j++) {
        __m256i dy = _mm256_set1_epi16((int16_t)rows->dy[j]);
        __m256i y = _mm256_add_epi16(_mm256_set1_epi16((int16_t)rows->y[j]),
                                     _mm256_mullo_epi16(dy, sample));
        find_weights(_mm256_srli_epi16(y, 1), w[j]);
    }
}

/* ---- any cell ------------------------------------------------------------------------------ */

/* Of each row, for its first and last eight samples: */
struct places {
    int32_t from[2][ZT_CELL];             /* bytes from the plane's first sample to the first tap */
    int32_t x[2][ZT_CELL], y[2][ZT_CELL]; /* positions from there */
    int32_t more[ZT_CELL];                /* source rows that eight start on, but one */
};

/* The scalar path has to. */
#define TOO_MANY INT32_MAX

/* Where eight samples begin, in whole samples; *most grows to how far they go on. */
AVX2 __m256i reach(__m256i at, __m256i step, __m256i *most)
{
    __m256i seven = _mm256_sub_epi32(_mm256_slli_epi32(step, 3), step);
    __m256i a = _mm256_srai_epi32(at, 16), b = _mm256_srai_epi32(_mm256_add_epi32(at, seven), 16);

    *most = _mm256_max_epi32(*most, _mm256_abs_epi32(_mm256_sub_epi32(a, b)));
    return _mm256_min_epi32(a, b);
}

AVX2 void find_places(const struct zt_plane *plane, const struct rows *rows, struct places *ret)
{
    const __m256i stride = _mm256_set1_epi32((int32_t)plane->stride), one = _mm256_set1_epi32(1);

    for (int j = 0; j < ZT_CELL; j += 8) {
        __m256i x = load(rows->x + j), y = load(rows->y + j);
        __m256i dx = load(rows->dx + j), dy = load(rows->dy + j);
        __m256i wide = _mm256_setzero_si256(), high = _mm256_setzero_si256();
        for (int half = 0; half < 2; half++) {
            __m256i by = _mm256_and_si256(_mm256_set1_epi32(-half), _mm256_slli_epi32(dx, 3));
            __m256i bx = reach(_mm256_add_epi32(x, by), dx, &wide);
            by = _mm256_and_si256(_mm256_set1_epi32(-half), _mm256_slli_epi32(dy, 3));
            by = reach(_mm256_add_epi32(y, by), dy, &high);
            __m256i row = _mm256_mullo_epi32(_mm256_sub_epi32(by, one), stride);
            store(ret->from[half] + j, _mm256_add_epi32(row, _mm256_sub_epi32(bx, one)));
            store(ret->x[half] + j, _mm256_sub_epi32(x, _mm256_slli_epi32(bx, 16)));
            store(ret->y[half] + j, _mm256_sub_epi32(y, _mm256_slli_epi32(by, 16)));
        }
        __m256i over = _mm256_or_si256(_mm256_cmpgt_epi32(wide, _mm256_set1_epi32(12)),
                                       _mm256_cmpgt_epi32(high, _mm256_set1_epi32(STARTS - 1)));
        store(ret->more + j, _mm256_or_si256(high, _mm256_srli_epi32(over, 1)));
    }
}

/* Sixteen positions, each eight from their own beginning. */
AVX2 struct sixteen within(const int32_t at[2][ZT_CELL], const int32_t *step, int j)
{
    __m256i left = spread(&at[0][j]), right = spread(&at[1][j]);

    return counted(_mm256_blend_epi32(left, right, 0xf0), spread(step + j));
}

/* The taps of each row; in a loop of its own, as the weights down, whose constants then stay in
 * registers. */
AVX2 void find_taps_along(const struct rows *rows, const struct places *places,
                          struct taps ret[ZT_CELL])
{
    for (int j = 0; j < ZT_CELL; j++)
        find_taps(within(places->x, rows->dx, j), &ret[j]);
}

/* What follows from the mesh alone. */
struct cell {
    struct rows rows;
    struct places places;
    struct taps along[ZT_CELL];
    __m256i down[ZT_CELL][4];
};

/* `more`, a constant: the source rows that eight samples start on, but one. */
AVX2 void draw_row(const struct zt_plane *plane, const struct cell *cell, int j, int more,
                   uint8_t *dst)
{
    const uint8_t *left = plane->at + cell->places.from[0][j];
    const uint8_t *right = plane->at + cell->places.from[1][j];
    ptrdiff_t stride = (ptrdiff_t)plane->stride;
    __m256i row[4 + STARTS - 1], tap[4];

    /* What the next cell of the row will touch: 27 rows at once are too many streams for the
     * processor to foresee. */
    _mm_prefetch((const char *)right + stride + 32, _MM_HINT_T0);
    _mm_prefetch((const char *)right + 2 * stride + 32, _MM_HINT_T0);
    for (int i = 0; i < 4 + more; i++)
        row[i] = filter_across(left + i * stride, right + i * stride, &cell->along[j]);
    for (int k = 0; k < 4; k++)
        tap[k] = row[k];
    __m256i start = whole(within(cell->places.y, cell->rows.dy, j));
    for (int i = 1; i <= more; i++) {
        __m256i past = _mm256_cmpgt_epi16(start, _mm256_set1_epi16((int16_t)(i - 1)));
        for (int k = 0; k < 4; k++)
            tap[k] = _mm256_blendv_epi8(tap[k], row[k + i], past);
    }
    store_down(tap, cell->down[j], dst);
}

AVX2 void draw_cell(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                    const struct cell *cell, uint8_t *dst, size_t stride)
{
    for (int j = 0; j < ZT_CELL; j++, dst += stride) {
        int more = cell->places.more[j];
        if (more == 0)
            draw_row(plane, cell, j, 0, dst);
        else if (more == 1)
            draw_row(plane, cell, j, 1, dst);
        else if (more < STARTS)
            draw_row(plane, cell, j, STARTS - 1, dst);
        else {
            struct zt_warp_step s = zt_warp_row(corners, j);
            zt_warp_span_scalar(plane, s.x, s.y, s.dx, s.dy, ZT_CELL, dst);
        }
    }
}

__attribute__((target("avx2"))) void zt_warp_cell_avx2(const struct zt_plane *planes, int n,
                                                       const struct zt_warp_corners *corners,
                                                       uint8_t *const dst[], size_t stride)
{
    struct cell cell;

    if (zt_warp_is_moderate(planes, corners)) {
        find_rows(corners, &cell.rows);
        find_places(planes, &cell.rows, &cell.places);
        find_taps_along(&cell.rows, &cell.places, cell.along);
        find_weights_down(&cell.rows, cell.down);
    } else
        for (int j = 0; j < ZT_CELL; j++)
            cell.places.more[j] = TOO_MANY;
    for (int i = 0; i < n; i++)
        draw_cell(&planes[i], corners, &cell, dst[i], stride);
}

/* ---- straight cells ------------------------------------------------------------------------ */

AVX2 bool are_level(const struct rows *rows)
{
    __m256i any = _mm256_or_si256(load(rows->dy), load(rows->dy + 8));

    return _mm256_testz_si256(any, any);
}

/* The first pass: each source row at the cell's columns. */
AVX2 void filter_rows(const struct zt_plane *planes, int n, const struct zt_warp_columns *c,
                      __m256i across[][ZT_WARP_ROWS])
{
    const ptrdiff_t stride = (ptrdiff_t)planes->stride, from = c->first * stride + c->left - 1;
    const __m256i lean = _mm256_set1_epi32(c->lean);
    struct sixteen x = counted(_mm256_set1_epi32(c->x), _mm256_set1_epi32(c->dx));
    struct sixteen step = counted(_mm256_setzero_si256(), _mm256_set1_epi32(c->turn));

    step.low = _mm256_add_epi32(_mm256_srai_epi32(step.low, ZT_CELL_BITS), lean);
    step.high = _mm256_add_epi32(_mm256_srai_epi32(step.high, ZT_CELL_BITS), lean);
    for (int i = 0; i < c->rows;) {
        int end = i + c->group < c->rows ? i + c->group : c->rows;
        __m256i by = _mm256_set1_epi32(i == 0 ? c->group - 1 : 2 * c->group); /* halves */
        __m256i low = _mm256_mullo_epi32(step.low, by), high = _mm256_mullo_epi32(step.high, by);
        struct taps t;

        x.low = _mm256_add_epi32(x.low, _mm256_srai_epi32(low, 1));
        x.high = _mm256_add_epi32(x.high, _mm256_srai_epi32(high, 1));
        __m256i at = _mm256_shuffle_epi32(_mm256_srai_epi32(x.low, 16), 0);
        ptrdiff_t left = from + _mm256_extract_epi32(at, 0);
        ptrdiff_t right = from + _mm256_extract_epi32(at, 4);
        at = _mm256_slli_epi32(at, 16);
        find_taps((struct sixteen){ _mm256_sub_epi32(x.low, at), _mm256_sub_epi32(x.high, at) },
                  &t);
        for (int p = 0; p < n; p++) {
            const uint8_t *source = planes[p].at + i * stride;
            for (int row = i; row < end; row++, source += stride) {
                _mm_prefetch((const char *)source + right + 32, _MM_HINT_T0); /* the next cell's */
                across[p][row] = filter_across(source + left, source + right, &t);
            }
        }
        i = end;
    }
}

/* What the second pass takes from the mesh. */
struct second_pass {
    struct rows rows;
    int32_t level[4][ZT_CELL]; /* weights down the columns of level rows, each twice in 32 bits */
    __m256i down[ZT_CELL][4];  /* the same of any rows */
};

AVX2 void find_level_weights(struct second_pass *s)
{
    const __m256i fraction = _mm256_set1_epi32(0xffff);
    __m256i w[4];

    for (int j = 0; j < ZT_CELL; j += 8) {
        __m256i t = _mm256_srli_epi32(_mm256_and_si256(load(s->rows.y + j), fraction), 1);
        find_weights(_mm256_or_si256(t, _mm256_slli_epi32(t, 16)), w);
        for (int k = 0; k < 4; k++)
            store(s->level[k] + j, w[k]);
    }
}

/* `first` is the source row of across[0]. */
AVX2 void draw_level(const struct second_pass *s, const __m256i *across, int first, uint8_t *dst,
                     size_t stride)
{
    for (int j = 0; j < ZT_CELL; j++, dst += stride) {
        const __m256i w[4] = { spread(s->level[0] + j), spread(s->level[1] + j),
                               spread(s->level[2] + j), spread(s->level[3] + j) };
        store_down(across + ((s->rows.y[j] >> 16) - 1 - first), w, dst);
    }
}

AVX2 void draw_leaning(const struct second_pass *s, const __m256i *across, int first, uint8_t *dst,
                       size_t stride)
{
    for (int j = 0; j < ZT_CELL; j++, dst += stride) {
        int32_t at = s->rows.y[j], dy = s->rows.dy[j];
        int left = at >> 16, right = (at + 15 * dy) >> 16;
        int top = left < right ? left : right;
        const __m256i *from = across + (top - 1 - first);
        __m256i tap[4] = { from[0], from[1], from[2], from[3] };
        if (left != right) {
            struct sixteen y = counted(_mm256_set1_epi32(at - top * 65536), _mm256_set1_epi32(dy));
            __m256i lower = _mm256_cmpgt_epi16(whole(y), _mm256_setzero_si256());
            for (int k = 0; k < 4; k++)
                tap[k] = _mm256_blendv_epi8(from[k], from[k + 1], lower);
        }
        store_down(tap, s->down[j], dst);
    }
}

__attribute__((target("avx2"))) void zt_warp_straight_avx2(const struct zt_plane *planes, int n,
                                                           const struct zt_warp_corners *corners,
                                                           const struct zt_warp_columns *columns,
                                                           uint8_t *const dst[], size_t stride)
{
    __m256i across[ZT_WARP_PLANES][ZT_WARP_ROWS];
    struct second_pass s;

    filter_rows(planes, n, columns, across);
    find_rows(corners, &s.rows);
    if (are_level(&s.rows)) {
        find_level_weights(&s);
        for (int i = 0; i < n; i++)
            draw_level(&s, across[i], columns->first, dst[i], stride);
        return;
    }
    find_weights_down(&s.rows, s.down);
    for (int i = 0; i < n; i++)
        draw_leaning(&s, across[i], columns->first, dst[i], stride);
}

#endif
