/* noise_file.c - noise that another implementation drew. */
#include "models/noise.h"

#include "tensor/weights.h"

#include <math.h>

enum zt_code zt_noise_load(const char *path, size_t n, float *dst, struct zt_err *err)
{
    zt_auto(weights) struct zt_weights *weights = NULL;

    ZT_TRY(zt_weights_open(path, &weights, err));
    const struct zt_weight *w = zt_weights_count(weights) == 1 ? zt_weights_at(weights, 0)
                                                               : zt_weights_find(weights, "noise");
    if (w == NULL)
        return zt_fail(err, ZT_E_NOT_FOUND, "the noise file has %zu tensors and none named noise",
                       zt_weights_count(weights));
    if ((uint64_t)w->elements != n)
        return zt_fail(err, ZT_E_CORRUPT, "the noise has %lld elements, not %zu",
                       (long long)w->elements, n);
    ZT_TRY(zt_weight_to_f32(w, 0, w->elements, dst, err));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(dst[i]))
            return zt_fail(err, ZT_E_CORRUPT, "element %zu of the noise is not a number", i);
    return ZT_OK;
}
