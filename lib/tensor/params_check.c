/* params_check.c - whether weights are what a model needs, all problems told together. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "tensor/container.h"
#include "tensor/device.h"
#include "tensor/params_plan.h"
#include "tensor/w8a8.h"

#define SHAPE_TEXT 128

/* ---- problems ------------------------------------------------------------------------------ */

struct problems {
    const char *what;
    int n, missing, types; /* how many; of them missing, of a type that can't be used */
    int shown_msg, shown_detail;
    char msg[400], detail[240]; /* the first ones, and those after them */
};

static bool append(char *dst, size_t size, const char *text)
{
    size_t n = strlen(dst);

    return zt_format(dst + n, size - n, "%s%s", n ? "; " : "", text) || (dst[n] = '\0', false);
}

static void problem(struct problems *p, const char *text)
{
    p->n++;
    if (p->shown_detail == 0 && append(p->msg, sizeof(p->msg), text))
        p->shown_msg++;
    else if (append(p->detail, sizeof(p->detail), text))
        p->shown_detail++;
}

static enum zt_code report(const struct problems *p, const struct zt_weights *weights,
                           size_t wanted, struct zt_err *err)
{
    const char *first = weights->n ? weights->tensors[0].name : "";
    const char *file = weights->n ? weights->tensors[0].file : "";
    int rest = p->n - p->shown_msg;

    if (p->n == 0)
        return ZT_OK;
    if (p->missing > 1 && (size_t)p->missing == wanted)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%s: %.80s holds none of its %zu tensors, but %zu others, "
                       "e.g. '%.80s': another model's file",
                       p->what, file, wanted, weights->n, first);
    enum zt_code code = p->types == p->n ? ZT_E_UNSUPPORTED : ZT_E_CORRUPT;
    zt_fail(err, code, "%s: %d problem%s: %s%s", p->what, p->n, p->n == 1 ? "" : "s", p->msg,
            rest > 0 ? "; ..." : "");
    if (p->shown_detail > 0)
        zt_err_detail(err, "%s%s", p->detail, rest > p->shown_detail ? "; ..." : "");
    return code;
}

/* ---- shapes -------------------------------------------------------------------------------- */

/* "[3, 4]", slowest first as the published descriptions write it. */
static const char *shape_text(const int64_t *ne, int n, char dst[SHAPE_TEXT])
{
    size_t at = 0;

    for (int i = n - 1; i >= 0 && at < SHAPE_TEXT - 26; i--)
        at += (size_t)snprintf(dst + at, SHAPE_TEXT - at, "%s%" PRId64, i == n - 1 ? "[" : ", ",
                               ne[i]);
    snprintf(dst + at, SHAPE_TEXT - at, "%s", n > 0 ? "]" : "[]");
    return dst;
}

static int squeeze(const int64_t *ne, int n, int64_t dst[ZT_WEIGHTS_DIMS])
{
    int kept = 0;

    for (int i = 0; i < n; i++) {
        if (ne[i] != 1)
            dst[kept++] = ne[i];
    }
    return kept;
}

/* Whether the file's shape is the wanted one when its `fold` fastest dimensions are one. */
static bool same_shape(const struct zt_weight *w, const struct zt_param *p, int fold)
{
    int64_t folded[ZT_WEIGHTS_DIMS], have[ZT_WEIGHTS_DIMS], want[ZT_WEIGHTS_DIMS];
    int n = 0;

    folded[n++] = w->ne[0];
    for (int i = 1; i < w->n_dims; i++) {
        if (i < fold)
            folded[0] *= w->ne[i];
        else
            folded[n++] = w->ne[i];
    }
    int n_have = squeeze(folded, n, have), n_want = squeeze(p->ne, 4, want);
    return n_have == n_want && memcmp(have, want, (size_t)n_have * sizeof(*have)) == 0;
}

static bool fits(const struct zt_weight *w, const struct zt_param *p)
{
    int64_t elements = p->ne[0] * p->ne[1] * p->ne[2] * p->ne[3];

    zt_assert(p->ne[0] > 0 && p->ne[1] > 0 && p->ne[2] > 0 && p->ne[3] > 0);
    if (w->elements != elements)
        return false;
    for (int fold = p->fold > 1 ? p->fold : 1; fold >= 1; fold--) {
        if (same_shape(w, p, fold))
            return true;
    }
    return false;
}

/* ---- types --------------------------------------------------------------------------------- */

bool zt_weight_is_float(const struct zt_weight *w)
{
    if (w->type == GGML_TYPE_COUNT)
        return strcmp(w->raw_type, "F8_E4M3") == 0 || strcmp(w->raw_type, "F8_E5M2") == 0;
    if (w->type == GGML_TYPE_F32 || w->type == GGML_TYPE_F64)
        return true;
    if (w->type == GGML_TYPE_I8 || w->type == GGML_TYPE_I16 || w->type == GGML_TYPE_I32 ||
        w->type == GGML_TYPE_I64)
        return false;
    return ggml_get_type_traits(w->type)->to_float != NULL;
}

const struct zt_weight *zt_weight_scale(const struct zt_weights *weights, const struct zt_weight *w)
{
    char name[ZT_WEIGHTS_NAME_MAX + 16];
    int base = (int)strlen(w->name) - (int)strlen("weight");

    if (w->type != GGML_TYPE_COUNT || !zt_ends_with(w->name, ".weight"))
        return NULL;
    snprintf(name, sizeof(name), "%.*sscale_weight", base, w->name);
    const struct zt_weight *scale = zt_weights_find(weights, name);
    if (scale == NULL) {
        snprintf(name, sizeof(name), "%s_scale", w->name);
        scale = zt_weights_find(weights, name);
    }
    return scale;
}

static enum ggml_type matrix_type(const struct zt_weight *w, const struct zt_param *p)
{
    if (w->type == GGML_TYPE_COUNT)
        return GGML_TYPE_BF16;
    if (w->type == GGML_TYPE_F64)
        return GGML_TYPE_F32;
    return p->ne[0] % ggml_blck_size(w->type) == 0 ? w->type : GGML_TYPE_F32;
}

void zt_params_plan_as(enum zt_param_kind kind, const struct zt_param *p,
                       struct zt_param_plan *plan)
{
    const struct zt_weight *w = plan->weight;
    size_t align = w->type == GGML_TYPE_F16 || w->type == GGML_TYPE_BF16 ? 2 : 4;

    switch (kind) {
    case ZT_PARAM_MATRIX:
        plan->type = matrix_type(w, p);
        break;
    case ZT_PARAM_F32:
        plan->type = GGML_TYPE_F32;
        break;
    case ZT_PARAM_F16:
        plan->type =
            w->type == GGML_TYPE_F32 || w->type == GGML_TYPE_F64 ? GGML_TYPE_F32 : GGML_TYPE_F16;
        break;
    case ZT_PARAM_W8A8:
        plan->type = GGML_TYPE_I8;
        break;
    }
    plan->as_is = plan->type == w->type;
    plan->may_map = plan->as_is && (uintptr_t)w->data % align == 0;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void plan_one(const struct zt_weights *weights, const struct zt_param *param,
                     const struct zt_param_names *names, struct zt_param_plan *plan,
                     struct problems *p)
{
    char have[SHAPE_TEXT], want[SHAPE_TEXT];
    char text[ZT_WEIGHTS_NAME_MAX + 3 * SHAPE_TEXT];
    int n_want = 4;

    *plan = (struct zt_param_plan){ .weight = zt_params_find(weights, names, param->name) };
    const struct zt_weight *w = plan->weight;
    if (w == NULL && param->optional)
        return;
    if (w == NULL) {
        p->missing++;
        snprintf(text, sizeof(text), "no '%s'", param->name);
        problem(p, text);
        return;
    }
    if (!fits(w, param)) {
        while (n_want > 1 && param->ne[n_want - 1] == 1)
            n_want--;
        snprintf(text, sizeof(text), "'%s' is %s, not %s", w->name,
                 shape_text(w->ne, w->n_dims, have), shape_text(param->ne, n_want, want));
        problem(p, text);
        return;
    }
    if (param->kind == ZT_PARAM_W8A8 && param->ne[0] > ZT_W8A8_MOST_K) {
        p->types++;
        snprintf(text, sizeof(text), "'%s' has rows of %" PRId64 ", above the %d of 8-bit products",
                 w->name, param->ne[0], ZT_W8A8_MOST_K);
        problem(p, text);
        return;
    }
    plan->scale = zt_weight_scale(weights, w);
    bool scales =
        plan->scale == NULL || (plan->scale->elements == 1 && zt_weight_is_float(plan->scale));
    if (!zt_weight_is_float(w) || !scales) {
        p->types++;
        snprintf(text, sizeof(text), "'%s' is %s%s", w->name, w->raw_type,
                 scales ? ", not floats" : " with a scale that is not one number");
        problem(p, text);
        return;
    }
    zt_params_plan_as(param->kind, param, plan);
}

enum zt_code zt_params_plan(const struct zt_weights *weights, const char *what,
                            const struct zt_param *params, size_t n,
                            const struct zt_param_names *names, struct zt_param_plan *plan,
                            struct zt_err *err)
{
    struct problems p = { .what = what };
    size_t wanted = 0;

    for (size_t i = 0; i < n; i++) {
        plan_one(weights, &params[i], names, &plan[i], &p);
        wanted += !params[i].optional;
    }
    return report(&p, weights, wanted, err);
}

enum zt_code zt_params_check(const struct zt_weights *weights, const char *what,
                             const struct zt_param *params, size_t n,
                             const struct zt_param_names *names, struct zt_err *err)
{
    zt_auto_free struct zt_param_plan *plan = zt_new_array(struct zt_param_plan, n);

    return zt_params_plan(weights, what, params, n, names, plan, err);
}

size_t zt_params_plan_bytes(const struct zt_param *param, const struct zt_param_plan *plan)
{
    int64_t rows = param->ne[1] * param->ne[2] * param->ne[3];

    if (plan->type == GGML_TYPE_I8)
        return zt_w8a8_bytes(param->ne[0], rows);
    return ggml_row_size(plan->type, param->ne[0]) * (size_t)rows;
}

enum zt_code zt_params_measure(const struct zt_weights *weights, const char *what,
                               const struct zt_param *params, size_t n,
                               const struct zt_param_names *names, const struct zt_device *device,
                               size_t *ret_own, size_t *ret_mapped, struct zt_err *err)
{
    zt_auto_free struct zt_param_plan *plan = zt_new_array(struct zt_param_plan, n);
    bool maps = device == NULL || zt_device_maps(device);
    size_t own = 0, mapped = 0;

    ZT_TRY(zt_params_plan(weights, what, params, n, names, plan, err));
    for (size_t i = 0; i < n; i++) {
        if (plan[i].weight)
            *(maps && plan[i].may_map ? &mapped : &own) +=
                zt_params_plan_bytes(&params[i], &plan[i]);
    }
    *ret_own = own;
    *ret_mapped = mapped;
    return ZT_OK;
}
