/*
 * params_plan.h - what loading has decided for each parameter. For this folder alone.
 */
#ifndef ZT_TENSOR_PARAMS_PLAN_H
#define ZT_TENSOR_PARAMS_PLAN_H

#include "tensor/params.h"
#include "tensor/weights.h"

struct zt_param_plan {
    const struct zt_weight *weight; /* NULL: optional and absent */
    const struct zt_weight *scale;  /* one number the values are multiplied by, or NULL */
    enum ggml_type type;            /* in memory */
    bool as_is;                     /* the bytes of the file are those wanted */
    bool may_map;                   /* and lie where they can be used */
};

/* Checks all parameters and fills plan[n]; errors as zt_params_load. */
enum zt_code zt_params_plan(const struct zt_weights *weights, const char *what,
                            const struct zt_param *params, size_t n,
                            const struct zt_param_names *names, struct zt_param_plan *plan,
                            struct zt_err *err);

/* Decides the type and place of a weight that fits, as for that kind. */
void zt_params_plan_as(enum zt_param_kind kind, const struct zt_param *param,
                       struct zt_param_plan *plan);

/* Whether its values are real numbers that zt_weight_to_f32 can read. */
bool zt_weight_is_float(const struct zt_weight *w);

/*
 * The scale of an 8-bit weight: `base.scale_weight` or `base.weight_scale` beside `base.weight`.
 * NULL where there is none.
 */
const struct zt_weight *zt_weight_scale(const struct zt_weights *weights,
                                        const struct zt_weight *w);

size_t zt_params_plan_bytes(const struct zt_param *param, const struct zt_param_plan *plan);

#endif
