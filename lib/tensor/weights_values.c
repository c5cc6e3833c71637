/* weights_values.c - a tensor's values as f32, whatever its type and alignment. See weights.h. */
#include <math.h>
#include <string.h>

#include "tensor/weights.h"

#define STAGE_BYTES 8192

/*
 * 8-bit floats. E4M3 is the "FN" form: bias 7, no infinity, S.1111.111 is NaN. E5M2 is the upper
 * byte of an IEEE half. (Micikevicius et al., "FP8 Formats for Deep Learning", 2022.)
 */
static float from_e4m3(uint8_t v)
{
    int exponent = v >> 3 & 15, mantissa = v & 7;
    float sign = v & 0x80 ? -1.0F : 1.0F;

    if (exponent == 15 && mantissa == 7)
        return NAN;
    if (exponent == 0)
        return sign * ldexpf((float)mantissa, -9);
    return sign * ldexpf((float)(8 + mantissa), exponent - 10);
}

static void read_f8(const uint8_t *src, int64_t n, bool e5m2, float *dst)
{
    float table[256];

    for (int v = 0; v < 256; v++)
        table[v] = e5m2 ? ggml_fp16_to_fp32((ggml_fp16_t)(v << 8)) : from_e4m3((uint8_t)v);
    for (int64_t i = 0; i < n; i++)
        dst[i] = table[src[i]];
}

/* Plain numbers, at any alignment. */
#define READ(T)                                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                              \
        T v;                                                                                       \
        memcpy(&v, src + (size_t)i * sizeof(v), sizeof(v));                                        \
        dst[i] = (float)v;                                                                         \
    }                                                                                              \
    return true

static bool read_plain(enum ggml_type type, const char *raw_type, const uint8_t *src, int64_t n,
                       float *dst)
{
    switch ((int)type) {
    case GGML_TYPE_F32:
        memcpy(dst, src, (size_t)n * sizeof(*dst));
        return true;
    case GGML_TYPE_F64:
        READ(double);
    case GGML_TYPE_I8:
        READ(int8_t);
    case GGML_TYPE_I16:
        READ(int16_t);
    case GGML_TYPE_I32:
        READ(int32_t);
    case GGML_TYPE_I64:
        READ(int64_t);
    case GGML_TYPE_COUNT:
        break;
    default:
        return false;
    }
    if (strcmp(raw_type, "F8_E4M3") == 0 || strcmp(raw_type, "F8_E5M2") == 0) {
        read_f8(src, n, raw_type[4] == '5', dst);
        return true;
    }
    if (strcmp(raw_type, "U8") == 0 || strcmp(raw_type, "BOOL") == 0) {
        READ(uint8_t);
    }
    return false;
}

/* Whole blocks through ggml, staged where it may read them aligned. */
static void read_blocks(const struct ggml_type_traits *traits, const uint8_t *src, int64_t blocks,
                        float *dst)
{
    _Alignas(64) uint8_t stage[STAGE_BYTES];
    int64_t most = (int64_t)(sizeof(stage) / traits->type_size);

    while (blocks > 0) {
        int64_t now = blocks < most ? blocks : most;
        size_t bytes = (size_t)now * traits->type_size;
        memcpy(stage, src, bytes);
        traits->to_float(stage, dst, now * traits->blck_size);
        src += bytes;
        dst += now * traits->blck_size;
        blocks -= now;
    }
}

static void read_ggml(const struct ggml_type_traits *traits, const uint8_t *src, int64_t first,
                      int64_t n, float *dst)
{
    float block[1024]; /* larger than any block of ggml's */
    int64_t size = traits->blck_size;

    zt_assert((size_t)size <= ZT_COUNT(block) && traits->type_size <= STAGE_BYTES);
    while (n > 0) {
        int64_t skip = first % size, whole = skip ? 0 : n / size;
        const uint8_t *at = src + (size_t)(first / size) * traits->type_size;
        int64_t done = whole * size;
        if (whole > 0) {
            read_blocks(traits, at, whole, dst);
        } else {
            done = size - skip < n ? size - skip : n;
            read_blocks(traits, at, 1, block);
            memcpy(dst, block + skip, (size_t)done * sizeof(*dst));
        }
        first += done;
        dst += done;
        n -= done;
    }
}

enum zt_code zt_weight_to_f32(const struct zt_weight *weight, int64_t first, int64_t n, float *dst,
                              struct zt_err *err)
{
    zt_assert(first >= 0 && n >= 0 && n <= weight->elements - first);
    if (n == 0)
        return ZT_OK;
    if (weight->type != GGML_TYPE_COUNT) {
        const struct ggml_type_traits *traits = ggml_get_type_traits(weight->type);
        if (traits->to_float && weight->type != GGML_TYPE_F32) {
            read_ggml(traits, weight->data, first, n, dst);
            return ZT_OK;
        }
    }
    size_t size = weight->bytes / (size_t)weight->elements;
    const uint8_t *src = (const uint8_t *)weight->data + (size_t)first * size;
    if (!read_plain(weight->type, weight->raw_type, src, n, dst))
        return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s: values of '%.120s' cannot be read as %s",
                       weight->file, weight->name, weight->raw_type);
    return ZT_OK;
}
