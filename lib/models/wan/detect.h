/*
 * detect.h - what a file of weights holds, told by its tensors: which part of which Wan model.
 */
#ifndef ZT_MODELS_WAN_DETECT_H
#define ZT_MODELS_WAN_DETECT_H

#include "base/error.h"

struct zt_weights;
struct zt_param_names;

struct zt_wan_found {
    const char *part;         /* "dit" "vae" "tiny" "text" "clip"; "" for something else */
    const char *model;        /* "Wan2.2-TI2V-5B", ...; "" where it is not a published one */
    const char *architecture; /* as GGUF's general.architecture */
    const struct zt_param_names *names; /* NULL: names are not translated */
    const char *const *keep;            /* see struct zt_quantise */
    /* All tensors a model of its shapes needs are there. NULL: nothing here runs it. */
    enum zt_code (*check)(const struct zt_weights *weights, struct zt_err *err);
};

void zt_wan_detect(const struct zt_weights *weights, struct zt_wan_found *ret);

#endif
