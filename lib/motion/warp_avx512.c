/*
 * warp_avx512.c - the vector path of warp.c on 512 bits: two rows of sixteen samples at a time.
 *
 * It works as warp_avx2.c does. A register has four lanes of eight samples: the left and the right
 * half of one row, then those of the next. In straight cells the two are source rows in the first
 * pass and output rows in the second; in other cells two output rows share all their steps. Where
 * lanes spread too wide the scalar path does both rows. The numbers are the scalar path's.
 */
#include "motion/warp_cell.h"

#ifdef ZT_WARP_AVX512

#ifdef ZT_SIMDE /* tests/avx512 brings the intrinsics, lowered to what the machine has */
#define AVX512
#else
#include <immintrin.h>
#define AVX512 __attribute__((target("avx512bw")))
#endif
#define INLINE AVX512 __attribute__((always_inline)) static inline

/* Source rows that eight samples of a frame row may start on. */
#define STARTS 4

/* Of each pair of words or doublewords, the second. */
#define SECOND 0xaaaaaaaaU

/* The doublewords of the first row. */
#define FIRST_ROW 0x00ffU

/* 32 positions: samples 0 2 4 6 of each lane, and 1 3 5 7. */
struct positions {
    __m512i even, odd;
};

/* Shuffles that deal each sample its taps as the upper bytes of words, and the taps' weights. */
struct taps {
    __m512i deal[4], w[4];
};

/* From `at` on, each lane its own steps. */
INLINE struct positions counted(__m512i at, __m512i step)
{
    at = _mm512_mask_add_epi32(at, 0xaaaa, at, _mm512_slli_epi32(step, 1));
    at = _mm512_mask_add_epi32(at, 0xcccc, at, _mm512_slli_epi32(step, 2));
    return (struct positions){ at, _mm512_add_epi32(at, step) };
}

/* 15 bits of phase of each, in order. */
INLINE __m512i phase(struct positions v)
{
    return _mm512_srli_epi16(_mm512_mask_mov_epi16(v.even, SECOND, _mm512_slli_epi32(v.odd, 16)),
                             1);
}

INLINE __m512i whole(struct positions v)
{
    return _mm512_mask_mov_epi16(_mm512_srli_epi32(v.even, 16), SECOND, v.odd);
}

INLINE void find_weights(__m512i t, __m512i w[4])
{
    const __m512i sixth = _mm512_set1_epi16(ZT_SPLINE_SIXTH);
    __m512i u = _mm512_sub_epi16(_mm512_set1_epi16(32767), t);
    __m512i t2 = _mm512_mulhrs_epi16(t, t), t3 = _mm512_mulhrs_epi16(t2, t);
    __m512i u3 = _mm512_mulhrs_epi16(_mm512_mulhrs_epi16(u, u), u);

    w[0] = _mm512_mulhrs_epi16(u3, sixth);
    w[1] = _mm512_add_epi16(_mm512_sub_epi16(_mm512_set1_epi16(ZT_SPLINE_TWO_THIRDS), t2),
                            _mm512_mulhrs_epi16(t3, _mm512_set1_epi16(16384)));
    w[3] = _mm512_mulhrs_epi16(t3, sixth);
    w[2] = _mm512_sub_epi16(_mm512_set1_epi16(INT16_MIN), /* 32768 */
                            _mm512_add_epi16(_mm512_add_epi16(w[0], w[1]), w[3]));
}

/* x counts from the first byte of each lane's load on. */
INLINE void find_taps(struct positions x, struct taps *ret)
{
    __m512i tap = _mm512_slli_epi16(whole(x), 8);

    for (int k = 0; k < 4; k++)
        ret->deal[k] = _mm512_add_epi16(tap, _mm512_set1_epi16((int16_t)(k << 8 | 0x80)));
    find_weights(phase(x), ret->w);
}

INLINE __m128i load16(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Each lane of `bytes` filtered along: 7 bits below the sample, below 2^15. */
INLINE __m512i filter_across(__m512i bytes, const struct taps *t)
{
    __m512i sum01 =
        _mm512_add_epi16(_mm512_mulhi_epu16(_mm512_shuffle_epi8(bytes, t->deal[0]), t->w[0]),
                         _mm512_mulhi_epu16(_mm512_shuffle_epi8(bytes, t->deal[1]), t->w[1]));
    __m512i sum23 =
        _mm512_add_epi16(_mm512_mulhi_epu16(_mm512_shuffle_epi8(bytes, t->deal[2]), t->w[2]),
                         _mm512_mulhi_epu16(_mm512_shuffle_epi8(bytes, t->deal[3]), t->w[3]));

    return _mm512_add_epi16(sum01, sum23);
}

INLINE __m512i load_both(const int16_t *a, const int16_t *b)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)a);

    return _mm512_inserti64x4(_mm512_castsi256_si512(low),
                              _mm256_loadu_si256((const __m256i *)(const void *)b), 1);
}

INLINE __m512i load_lanes(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    __m512i v = _mm512_castsi128_si512(load16(a));

    v = _mm512_inserti32x4(v, load16(b), 1);
    v = _mm512_inserti32x4(v, load16(c), 2);
    return _mm512_inserti32x4(v, load16(d), 3);
}

/* Two output rows of four taps each, weighed. */
INLINE void store_down(const __m512i tap[4], const __m512i w[4], uint8_t *dst, size_t stride)
{
    __m512i sum = _mm512_add_epi16(
        _mm512_add_epi16(_mm512_mulhrs_epi16(tap[0], w[0]), _mm512_mulhrs_epi16(tap[1], w[1])),
        _mm512_add_epi16(_mm512_mulhrs_epi16(tap[2], w[2]), _mm512_mulhrs_epi16(tap[3], w[3])));
    sum = _mm512_srli_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(ZT_SPLINE_ROUNDING)), 7);
    __m256i bytes = _mm512_cvtepi16_epi8(sum);

    _mm_storeu_si128((__m128i *)(void *)dst, _mm256_castsi256_si128(bytes));
    _mm_storeu_si128((__m128i *)(void *)(dst + stride), _mm256_extracti128_si256(bytes, 1));
}

/* zt_warp_row of all rows of a cell, a doubleword each, */
struct rows {
    __m512i x, y, dx, dy;
    __m512i w[4];   /* weights down the columns of level rows, in the lower words */
    __mmask16 flat; /* which those are */
};

/* One coordinate of sixteen rows, j: where they begin, and the step. */
INLINE __m512i row_starts(int64_t left, int64_t left_d, __m512i j)
{
    __m512i moved = _mm512_mullo_epi32(_mm512_set1_epi32((int32_t)left_d), j);

    return _mm512_add_epi32(
        _mm512_set1_epi32((int32_t)(left >> ZT_CELL_BITS)),
        _mm512_srai_epi32(_mm512_add_epi32(moved, _mm512_set1_epi32(ZT_CELL / 2)), ZT_CELL_BITS));
}

INLINE __m512i row_steps(int64_t across, int64_t turn, __m512i j)
{
    __m512i turned = _mm512_mullo_epi32(_mm512_set1_epi32((int32_t)turn), j);
    __m512i sum =
        _mm512_add_epi32(_mm512_set1_epi32((int32_t)across + ZT_CELL * ZT_CELL / 2), turned);

    return _mm512_srai_epi32(sum, 2 * ZT_CELL_BITS);
}

INLINE void find_rows(const struct zt_warp_corners *c, struct rows *ret)
{
    const __m512i j = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i dy = row_steps(c->right_y - c->left_y, c->right_dy - c->left_dy, j);
    __m512i middle = _mm512_srai_epi32(_mm512_sub_epi32(_mm512_slli_epi32(dy, ZT_CELL_BITS), dy),
                                       1); /* 15 / 2 steps on */

    ret->flat = _mm512_cmpgt_epi32_mask(_mm512_set1_epi32(ZT_WARP_LEVEL), _mm512_abs_epi32(dy));
    ret->y = row_starts(c->left_y, c->left_dy, j);
    ret->y = _mm512_mask_add_epi32(ret->y, ret->flat, ret->y, middle);
    ret->dy = _mm512_mask_mov_epi32(dy, ret->flat, _mm512_setzero_si512());
    ret->x = row_starts(c->left_x, c->left_dx, j);
    ret->dx = row_steps(c->right_x - c->left_x, c->right_dx - c->left_dx, j);
    find_weights(_mm512_srli_epi16(ret->y, 1), ret->w);
}

INLINE bool are_level(const struct rows *rows, int j)
{
    return (rows->flat >> j & 3) == 3;
}

/* The lower words of doublewords j and j + 1, each for a row of samples. */
INLINE __m512i words_of(__m512i v, int j)
{
    __m512i row = _mm512_mask_mov_epi32(_mm512_set1_epi16(2), FIRST_ROW, _mm512_setzero_si512());

    return _mm512_permutexvar_epi16(_mm512_add_epi16(row, _mm512_set1_epi16((int16_t)(2 * j))), v);
}

INLINE void level_weights(const struct rows *rows, int j, __m512i w[4])
{
    for (int k = 0; k < 4; k++)
        w[k] = words_of(rows->w[k], j);
}

/* ---- any cell ------------------------------------------------------------------------------ */

/* Of each row, for its first and last eight samples: */
struct places {
    __m512i x[2], y[2];       /* positions from the first tap's byte, a row each */
    int32_t from[2][ZT_CELL]; /* bytes from the plane's first sample to that */
    int32_t more[ZT_CELL];    /* source rows that eight start on, but one */
};

/* The scalar path has to. */
#define TOO_MANY INT32_MAX

/* Where eight samples begin, in whole samples; *most grows to how far they go on. */
INLINE __m512i reach(__m512i at, __m512i step, __m512i *most)
{
    __m512i seven = _mm512_sub_epi32(_mm512_slli_epi32(step, 3), step);
    __m512i a = _mm512_srai_epi32(at, 16), b = _mm512_srai_epi32(_mm512_add_epi32(at, seven), 16);

    *most = _mm512_max_epi32(*most, _mm512_abs_epi32(_mm512_sub_epi32(a, b)));
    return _mm512_min_epi32(a, b);
}

INLINE void find_places(const struct zt_plane *plane, const struct rows *rows, struct places *ret)
{
    const __m512i stride = _mm512_set1_epi32((int32_t)plane->stride), one = _mm512_set1_epi32(1);
    __m512i wide = _mm512_setzero_si512(), high = wide, x = rows->x, y = rows->y;

    for (int half = 0; half < 2; half++) {
        __m512i bx = reach(x, rows->dx, &wide), by = reach(y, rows->dy, &high);
        __m512i row = _mm512_mullo_epi32(_mm512_sub_epi32(by, one), stride);
        _mm512_storeu_si512(ret->from[half], _mm512_add_epi32(row, _mm512_sub_epi32(bx, one)));
        ret->x[half] = _mm512_sub_epi32(x, _mm512_slli_epi32(bx, 16));
        ret->y[half] = _mm512_sub_epi32(y, _mm512_slli_epi32(by, 16));
        x = _mm512_add_epi32(x, _mm512_slli_epi32(rows->dx, 3));
        y = _mm512_add_epi32(y, _mm512_slli_epi32(rows->dy, 3));
    }
    __mmask16 over = _mm512_cmpgt_epi32_mask(wide, _mm512_set1_epi32(12)) |
                     _mm512_cmpgt_epi32_mask(high, _mm512_set1_epi32(STARTS - 1));
    _mm512_storeu_si512(ret->more, _mm512_mask_mov_epi32(high, over, _mm512_set1_epi32(TOO_MANY)));
}

/* The positions of two rows from j on, each lane from its own beginning. */
INLINE struct positions within(const __m512i at[2], __m512i step, int j)
{
    const __m512i lane = _mm512_setr_epi32(0, 0, 0, 0, 16, 16, 16, 16, 1, 1, 1, 1, 17, 17, 17, 17);
    const __m512i row = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    __m512i from = _mm512_set1_epi32(j);

    return counted(_mm512_permutex2var_epi32(at[0], _mm512_add_epi32(lane, from), at[1]),
                   _mm512_permutexvar_epi32(_mm512_add_epi32(row, from), step));
}

/*
 * Rows j and j + 1. `more`, a constant: the source rows that eight samples start on, but one; 0 is
 * for level rows.
 */
INLINE void draw_rows(const struct zt_plane *plane, const struct rows *rows,
                      const struct places *places, int j, int more, uint8_t *dst, size_t stride)
{
    const uint8_t *a = plane->at + places->from[0][j], *b = plane->at + places->from[1][j];
    const uint8_t *c = plane->at + places->from[0][j + 1], *d = plane->at + places->from[1][j + 1];
    ptrdiff_t down = (ptrdiff_t)plane->stride;
    __m512i row[4 + STARTS - 1], tap[4], w[4];
    struct taps t;

    /* What the next cell of the row will touch: 27 rows at once are too many streams for the
     * processor to foresee. */
    _mm_prefetch((const char *)b + down + 32, _MM_HINT_T0);
    _mm_prefetch((const char *)b + 2 * down + 32, _MM_HINT_T0);
    _mm_prefetch((const char *)d + down + 32, _MM_HINT_T0);
    _mm_prefetch((const char *)d + 2 * down + 32, _MM_HINT_T0);
    find_taps(within(places->x, rows->dx, j), &t);
    for (int i = 0; i < 4 + more; i++)
        row[i] =
            filter_across(load_lanes(a + i * down, b + i * down, c + i * down, d + i * down), &t);
    for (int k = 0; k < 4; k++)
        tap[k] = row[k];
    if (more == 0) {
        level_weights(rows, j, w);
    } else {
        struct positions y = within(places->y, rows->dy, j);
        __m512i start = whole(y);
        for (int i = 1; i <= more; i++) {
            __mmask32 from = _mm512_cmpgt_epi16_mask(start, _mm512_set1_epi16((int16_t)(i - 1)));
            for (int k = 0; k < 4; k++)
                tap[k] = _mm512_mask_mov_epi16(tap[k], from, row[k + i]);
        }
        find_weights(phase(y), w);
    }
    store_down(tap, w, dst, stride);
}

static void draw_scalar(const struct zt_plane *plane, const struct zt_warp_corners *corners, int j,
                        int end, uint8_t *dst, size_t stride)
{
    for (; j < end; j++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, j);
        zt_warp_span_scalar(plane, s.x, s.y, s.dx, s.dy, ZT_CELL, dst);
    }
}

AVX512 void zt_warp_cell_avx512(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                                uint8_t *dst, size_t stride)
{
    struct places places;
    struct rows rows;

    if (!zt_warp_is_moderate(plane, corners)) {
        draw_scalar(plane, corners, 0, ZT_CELL, dst, stride);
        return;
    }
    find_rows(corners, &rows);
    find_places(plane, &rows, &places);
    for (int j = 0; j < ZT_CELL; j += 2, dst += 2 * stride) {
        const int32_t *of = places.more + j;
        int more = of[0] > of[1] ? of[0] : of[1];
        if (more == 0 && are_level(&rows, j))
            draw_rows(plane, &rows, &places, j, 0, dst, stride);
        else if (more <= 1)
            draw_rows(plane, &rows, &places, j, 1, dst, stride);
        else if (more < STARTS)
            draw_rows(plane, &rows, &places, j, STARTS - 1, dst, stride);
        else
            draw_scalar(plane, corners, j, j + 2, dst, stride);
    }
}

/* ---- straight cells ------------------------------------------------------------------------ */

/* The first pass, two source rows at a time: a group that shares taps has an even number. */
INLINE void filter_rows(const struct zt_plane *plane, const struct zt_warp_columns *c,
                        int16_t (*row)[ZT_CELL])
{
    const uint8_t *from = plane->at + (ptrdiff_t)c->first * (ptrdiff_t)plane->stride + c->left - 1;
    const __mmask16 right = 0xf0f0;
    const __m512i lean = _mm512_set1_epi32(c->lean), dx = _mm512_set1_epi32(c->dx);
    const __m512i turn = _mm512_set1_epi32(c->turn);
    __m512i at = _mm512_set1_epi32(c->x);
    struct positions x =
        counted(_mm512_mask_add_epi32(at, right, at, _mm512_slli_epi32(dx, 3)), dx);
    struct positions step =
        counted(_mm512_maskz_mov_epi32(right, _mm512_slli_epi32(turn, 3)), turn);

    step.even = _mm512_add_epi32(_mm512_srai_epi32(step.even, ZT_CELL_BITS), lean);
    step.odd = _mm512_add_epi32(_mm512_srai_epi32(step.odd, ZT_CELL_BITS), lean);
    for (int i = 0; i < c->rows;) {
        int end = i + c->group < c->rows ? i + c->group : c->rows;
        __m512i by = _mm512_set1_epi32(i == 0 ? c->group - 1 : 2 * c->group); /* halves */
        __m512i even = _mm512_mullo_epi32(step.even, by), odd = _mm512_mullo_epi32(step.odd, by);
        struct taps t;

        x.even = _mm512_add_epi32(x.even, _mm512_srai_epi32(even, 1));
        x.odd = _mm512_add_epi32(x.odd, _mm512_srai_epi32(odd, 1));
        at = _mm512_shuffle_epi32(_mm512_srai_epi32(x.even, 16), 0);
        const uint8_t *a = from + _mm256_extract_epi32(_mm512_castsi512_si256(at), 0);
        const uint8_t *b = from + _mm256_extract_epi32(_mm512_castsi512_si256(at), 4);
        at = _mm512_slli_epi32(at, 16);
        find_taps((struct positions){ _mm512_sub_epi32(x.even, at), _mm512_sub_epi32(x.odd, at) },
                  &t);
        for (; i < end; i += 2) {
            ptrdiff_t down = (ptrdiff_t)i * (ptrdiff_t)plane->stride;
            ptrdiff_t next = down + (ptrdiff_t)plane->stride;
            _mm_prefetch((const char *)b + down + 32, _MM_HINT_T0); /* the next cell's */
            _mm_prefetch((const char *)b + next + 32, _MM_HINT_T0);
            _mm512_storeu_si512(
                row[i], filter_across(load_lanes(a + down, b + down, a + next, b + next), &t));
        }
    }
}

AVX512 void zt_warp_straight_avx512(const struct zt_plane *plane,
                                    const struct zt_warp_corners *corners,
                                    const struct zt_warp_columns *columns, uint8_t *dst,
                                    size_t stride)
{
    const __m512i sample = _mm512_broadcast_i64x4(
        _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    int16_t across[ZT_WARP_ROWS + 1][ZT_CELL];
    int32_t top[ZT_CELL];
    __m512i tap[4], w[4];
    struct rows rows;

    filter_rows(plane, columns, across);
    find_rows(corners, &rows);
    __m512i least = _mm512_sub_epi32(_mm512_slli_epi32(rows.dy, 4), rows.dy); /* 15 steps */
    least = _mm512_min_epi32(rows.y, _mm512_add_epi32(rows.y, least));
    _mm512_storeu_si512(
        top, _mm512_sub_epi32(_mm512_srai_epi32(least, 16), _mm512_set1_epi32(1 + columns->first)));
    for (int j = 0; j < ZT_CELL; j += 2, dst += 2 * stride) {
        int16_t(*a)[ZT_CELL] = across + top[j], (*b)[ZT_CELL] = across + top[j + 1];
        for (int k = 0; k < 4; k++)
            tap[k] = load_both(a[k], b[k]);
        if (are_level(&rows, j)) {
            level_weights(&rows, j, w);
            store_down(tap, w, dst, stride);
            continue;
        }
        /* A row falls or rises by less than a sample: 16 bits tell where it is. */
        __m512i y =
            _mm512_add_epi16(words_of(rows.y, j), _mm512_mullo_epi16(words_of(rows.dy, j), sample));
        __mmask32 lower = _mm512_cmplt_epu16_mask(y, words_of(least, j));
        for (int k = 0; k < 4; k++)
            tap[k] =
                _mm512_mask_mov_epi16(tap[k], lower, k < 3 ? tap[k + 1] : load_both(a[4], b[4]));
        find_weights(_mm512_srli_epi16(y, 1), w);
        store_down(tap, w, dst, stride);
    }
}

#endif
