/*
 * warp_avx2.c - the vector path of warp.c: eight samples of a row at a time.
 *
 * Neighbouring samples look at neighbouring places, so instead of gathering 16 taps for each of
 * eight samples, the 16 bytes that all eight touch are loaded once a source row and dealt out by a
 * byte shuffle. Where the eight spread wider (a strong shrink, a steep turn) the scalar path does
 * them; the numbers are the same.
 */
#include "motion/warp_cell.h"

#ifdef ZT_WARP_AVX2

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2"), always_inline)) static inline

/* Where eight samples look, and their weights in the order that multiply-add wants them. */
struct octet {
    __m256i deal01, deal23;     /* byte shuffles: taps 0 and 1, taps 2 and 3 */
    __m256i across01, across23; /* weights along the row */
    __m256i down01, down23;     /* weights down the columns */
    __m256i lower;              /* all ones where a sample's first row is the next one */
};

AVX2 void find_weights(__m256i x, __m256i y, struct octet *o)
{
    const __m256i fraction = _mm256_set1_epi32(0xffff);
    __m256i t = _mm256_packs_epi32(_mm256_srli_epi32(_mm256_and_si256(x, fraction), 1),
                                   _mm256_srli_epi32(_mm256_and_si256(y, fraction), 1));
    __m256i u = _mm256_sub_epi16(_mm256_set1_epi16(32767), t);
    __m256i t2 = _mm256_mulhrs_epi16(t, t), t3 = _mm256_mulhrs_epi16(t2, t);
    __m256i u3 = _mm256_mulhrs_epi16(_mm256_mulhrs_epi16(u, u), u);
    const __m256i sixth = _mm256_set1_epi16(ZT_SPLINE_SIXTH);

    __m256i w0 = _mm256_mulhrs_epi16(u3, sixth);
    __m256i w1 =
        _mm256_add_epi16(_mm256_sub_epi16(_mm256_set1_epi16(ZT_SPLINE_TWO_THIRDS),
                                          _mm256_mulhrs_epi16(t2, _mm256_set1_epi16(16384))),
                         _mm256_mulhrs_epi16(t3, _mm256_set1_epi16(8192)));
    __m256i w3 = _mm256_mulhrs_epi16(t3, sixth);
    __m256i w2 =
        _mm256_sub_epi16(_mm256_set1_epi16(16384), _mm256_add_epi16(_mm256_add_epi16(w0, w1), w3));
    o->across01 = _mm256_unpacklo_epi16(w0, w1);
    o->across23 = _mm256_unpacklo_epi16(w2, w3);
    o->down01 = _mm256_unpackhi_epi16(w0, w1);
    o->down23 = _mm256_unpackhi_epi16(w2, w3);
}

/* One source row, filtered along: eight values with 7 bits below the sample, below 2^15. */
AVX2 __m256i filter_across(const uint8_t *at, const struct octet *o)
{
    __m256i taps = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)at));
    __m256i sum =
        _mm256_add_epi32(_mm256_madd_epi16(_mm256_shuffle_epi8(taps, o->deal01), o->across01),
                         _mm256_madd_epi16(_mm256_shuffle_epi8(taps, o->deal23), o->across23));

    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(64)), 7);
}

AVX2 __m256i pair(__m256i low, __m256i high)
{
    return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa);
}

AVX2 void store8(__m256i v, uint8_t *dst)
{
    const __m256i first_bytes = _mm256_set1_epi32(0x0c080400);
    __m256i b = _mm256_shuffle_epi8(v, first_bytes);

    _mm_storel_epi64((__m128i *)(void *)dst,
                     _mm_unpacklo_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1)));
}

AVX2 void draw(const uint8_t *at, size_t stride, const struct octet *o, bool straddles,
               uint8_t *dst)
{
    __m256i h0 = filter_across(at, o), h1 = filter_across(at + stride, o);
    __m256i h2 = filter_across(at + 2 * stride, o), h3 = filter_across(at + 3 * stride, o);

    if (straddles) {
        __m256i h4 = filter_across(at + 4 * stride, o);
        h0 = _mm256_blendv_epi8(h0, h1, o->lower);
        h1 = _mm256_blendv_epi8(h1, h2, o->lower);
        h2 = _mm256_blendv_epi8(h2, h3, o->lower);
        h3 = _mm256_blendv_epi8(h3, h4, o->lower);
    }
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(pair(h0, h1), o->down01),
                                   _mm256_madd_epi16(pair(h2, h3), o->down23));
    store8(_mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 20)), 21), dst);
}

/* Eight samples of a row; count is 0 ... 7, per_x and per_y are the steps times that. */
AVX2 void draw8(const struct zt_plane *plane, int32_t x, int32_t y, int32_t dx, int32_t dy,
                __m256i per_x, __m256i per_y, uint8_t *dst)
{
    int32_t x_first = x >> 16, x_last = (x + 7 * dx) >> 16;
    int32_t y_first = y >> 16, y_last = (y + 7 * dy) >> 16;
    int32_t x_min = x_first < x_last ? x_first : x_last;
    int32_t y_min = y_first < y_last ? y_first : y_last;
    struct octet o;

    if (x_first + x_last - 2 * x_min > 12 || y_first + y_last - 2 * y_min > 1) {
        zt_warp_span_scalar(plane, x, y, dx, dy, 8, dst);
        return;
    }
    __m256i vx = _mm256_add_epi32(_mm256_set1_epi32(x), per_x);
    __m256i vy = _mm256_add_epi32(_mm256_set1_epi32(y), per_y);
    find_weights(vx, vy, &o);
    __m256i offset = _mm256_sub_epi32(_mm256_srai_epi32(vx, 16), _mm256_set1_epi32(x_min));
    offset = _mm256_or_si256(offset, _mm256_slli_epi32(offset, 16));
    /* bytes: tap, nothing, next tap, nothing */
    o.deal01 = _mm256_add_epi32(offset, _mm256_set1_epi32((int32_t)0x80018000U));
    o.deal23 = _mm256_add_epi32(offset, _mm256_set1_epi32((int32_t)0x80038002U));
    o.lower = _mm256_cmpgt_epi32(_mm256_srai_epi32(vy, 16), _mm256_set1_epi32(y_min));
    draw(plane->at + (ptrdiff_t)(y_min - 1) * (ptrdiff_t)plane->stride + (x_min - 1), plane->stride,
         &o, y_first != y_last, dst);
}

__attribute__((target("avx2"))) void zt_warp_cell_avx2(const struct zt_plane *plane,
                                                       const struct zt_warp_corners *corners,
                                                       uint8_t *dst, size_t stride)
{
    const __m256i count = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    for (int y = 0; y < ZT_CELL; y++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, y);
        __m256i per_x = _mm256_mullo_epi32(_mm256_set1_epi32(s.dx), count);
        __m256i per_y = _mm256_mullo_epi32(_mm256_set1_epi32(s.dy), count);
        /* What the next cell of the row will touch: 27 rows at once are too many streams for the
         * processor to foresee. */
        const uint8_t *next = plane->at + (ptrdiff_t)(s.y >> 16) * (ptrdiff_t)plane->stride +
                              ((s.x + 32 * s.dx) >> 16) + 2;
        _mm_prefetch((const char *)next, _MM_HINT_T0);
        _mm_prefetch((const char *)next + plane->stride, _MM_HINT_T0);
        draw8(plane, s.x, s.y, s.dx, s.dy, per_x, per_y, dst);
        draw8(plane, s.x + 8 * s.dx, s.y + 8 * s.dy, s.dx, s.dy, per_x, per_y, dst + 8);
    }
}

/* ---- straight cells ------------------------------------------------------------------------ */

/* Sixteen samples: low holds 32-bit values 0 ... 3 and 8 ... 11, high the others. */
struct sixteen {
    __m256i low, high;
};

AVX2 struct sixteen counted(int32_t at, int32_t step)
{
    const __m256i low = _mm256_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11);
    __m256i v =
        _mm256_add_epi32(_mm256_set1_epi32(at), _mm256_mullo_epi32(_mm256_set1_epi32(step), low));

    return (struct sixteen){ v, _mm256_add_epi32(v, _mm256_set1_epi32(4 * step)) };
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

AVX2 void fine_weights(__m256i t, __m256i w[4])
{
    const __m256i sixth = _mm256_set1_epi16(ZT_FINE_SIXTH);
    __m256i u = _mm256_sub_epi16(_mm256_set1_epi16(32767), t);
    __m256i t2 = _mm256_mulhrs_epi16(t, t), t3 = _mm256_mulhrs_epi16(t2, t);
    __m256i u3 = _mm256_mulhrs_epi16(_mm256_mulhrs_epi16(u, u), u);

    w[0] = _mm256_mulhrs_epi16(u3, sixth);
    w[1] = _mm256_add_epi16(_mm256_sub_epi16(_mm256_set1_epi16(ZT_FINE_TWO_THIRDS), t2),
                            _mm256_mulhrs_epi16(t3, _mm256_set1_epi16(16384)));
    w[3] = _mm256_mulhrs_epi16(t3, sixth);
    w[2] = _mm256_sub_epi16(_mm256_set1_epi16(INT16_MIN), /* 32768 */
                            _mm256_add_epi16(_mm256_add_epi16(w[0], w[1]), w[3]));
}

/* Shuffles that deal each column its taps as the upper bytes of words, and the taps' weights. */
AVX2 void find_taps(struct sixteen x, __m256i deal[4], __m256i w[4])
{
    __m256i at = whole(x), first = _mm256_shuffle_epi8(at, _mm256_set1_epi16(0x0100));
    __m256i tap = _mm256_slli_epi16(_mm256_sub_epi16(at, first), 8);

    for (int k = 0; k < 4; k++)
        deal[k] = _mm256_add_epi16(tap, _mm256_set1_epi16((int16_t)(k << 8 | 0x80)));
    fine_weights(phase(x), w);
}

/* The first pass: each source row at the cell's columns. */
AVX2 void filter_rows(const struct zt_plane *plane, const struct zt_warp_columns *c, __m256i *row)
{
    const uint8_t *from = plane->at + (ptrdiff_t)c->first * (ptrdiff_t)plane->stride + c->left - 1;
    struct sixteen x = counted(c->x, c->dx), step = counted(0, c->turn);
    bool leans = c->lean != 0 || c->turn != 0;
    int32_t x0 = c->x, x8 = c->x + 8 * c->dx, step8 = c->lean + ((c->turn * 8) >> ZT_CELL_BITS);
    __m256i deal[4], w[4];

    step.low =
        _mm256_add_epi32(_mm256_srai_epi32(step.low, ZT_CELL_BITS), _mm256_set1_epi32(c->lean));
    step.high =
        _mm256_add_epi32(_mm256_srai_epi32(step.high, ZT_CELL_BITS), _mm256_set1_epi32(c->lean));
    find_taps(x, deal, w);
    for (int i = 0; i < c->rows; i++, from += plane->stride) {
        const uint8_t *left = from + (x0 >> 16), *right = from + (x8 >> 16);
        _mm_prefetch((const char *)right + 32, _MM_HINT_T0); /* the next cell's */
        __m256i taps = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)left)),
            _mm_loadu_si128((const __m128i *)(const void *)right), 1);
        __m256i sum01 =
            _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_shuffle_epi8(taps, deal[0]), w[0]),
                             _mm256_mulhi_epu16(_mm256_shuffle_epi8(taps, deal[1]), w[1]));
        __m256i sum23 =
            _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_shuffle_epi8(taps, deal[2]), w[2]),
                             _mm256_mulhi_epu16(_mm256_shuffle_epi8(taps, deal[3]), w[3]));
        row[i] = _mm256_add_epi16(sum01, sum23);
        if (!leans)
            continue;
        x.low = _mm256_add_epi32(x.low, step.low);
        x.high = _mm256_add_epi32(x.high, step.high);
        x0 += c->lean;
        x8 += step8;
        find_taps(x, deal, w);
    }
}

__attribute__((target("avx2"))) void zt_warp_straight_avx2(const struct zt_plane *plane,
                                                           const struct zt_warp_corners *corners,
                                                           const struct zt_warp_columns *columns,
                                                           uint8_t *dst, size_t stride)
{
    __m256i across[ZT_WARP_ROWS], w[4];

    filter_rows(plane, columns, across);
    for (int j = 0; j < ZT_CELL; j++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, j);
        int first = s.y >> 16, last = (s.y + 15 * s.dy) >> 16;
        int top = first < last ? first : last;
        const __m256i *row = across + (top - 1 - columns->first);
        struct sixteen y = counted(s.y - top * 65536, s.dy);
        __m256i tap[4] = { row[0], row[1], row[2], row[3] };

        fine_weights(phase(y), w);
        if (first != last) {
            __m256i lower = _mm256_cmpgt_epi16(whole(y), _mm256_setzero_si256());
            for (int k = 0; k < 4; k++)
                tap[k] = _mm256_blendv_epi8(row[k], row[k + 1], lower);
        }
        __m256i sum = _mm256_add_epi16(
            _mm256_add_epi16(_mm256_mulhrs_epi16(tap[0], w[0]), _mm256_mulhrs_epi16(tap[1], w[1])),
            _mm256_add_epi16(_mm256_mulhrs_epi16(tap[2], w[2]), _mm256_mulhrs_epi16(tap[3], w[3])));
        sum = _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(ZT_FINE_ROUNDING)), 7);
        _mm_storeu_si128(
            (__m128i *)(void *)dst,
            _mm_packus_epi16(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1)));
    }
}

#endif
