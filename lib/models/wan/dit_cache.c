/*
 * dit_cache.c - what passes of a DiT leave for later steps; dit.c runs them.
 */
#include "models/wan/dit_inside.h"

#include "base/mem.h"

#include <math.h>

#define SHARED 3 /* tensors that all prompts share */

static size_t count_values(const struct zt_dit_config *config, struct zt_dit_size size)
{
    return (size_t)config->dim * (size_t)size.t * (size_t)(size.h / 2) * (size_t)(size.w / 2);
}

size_t zt_dit_cache_bytes(const struct zt_dit_config *config, struct zt_dit_size size, int prompts)
{
    return sizeof(float) * (SHARED + (size_t)prompts) * count_values(config, size);
}

enum zt_code zt_dit_cache_new(const struct zt_dit *dit, struct zt_dit_size size, int prompts,
                              struct zt_dit_cache **ret, struct zt_err *err)
{
    zt_auto(dit_cache) struct zt_dit_cache *c = zt_new(struct zt_dit_cache);
    void *memory = NULL;

    zt_assert(prompts >= 1 && prompts <= ZT_DIT_PROMPTS_MAX);
    ZT_TRY(zt_dit_check_size(&dit->config, size, err));
    ZT_TRY(zt_try_alloc(zt_dit_cache_bytes(&dit->config, size, prompts), 1, "a cache between steps",
                        &memory, err));
    c->memory = memory;
    c->size = size;
    c->prompts = prompts;
    c->values = count_values(&dit->config, size);
    c->frame_values = c->values / (size_t)size.t;
    c->hidden = c->memory;
    c->now = c->memory + c->values;
    c->first = c->memory + 2 * c->values;
    for (size_t i = 0; i < (size_t)prompts; i++)
        c->rest[i] = c->memory + (SHARED + i) * c->values;
    *ret = zt_take_dit_cache(&c);
    return ZT_OK;
}

void zt_dit_cache_free(struct zt_dit_cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->memory);
    free(cache);
}

/* Frames that are given say little, as what enters for them stays. */
static bool tells(const float *t, int frames, int f)
{
    bool moving = false;

    for (int i = 0; i < frames; i++)
        moving |= t[i] > 0;
    return !moving || t[f] > 0;
}

double zt_dit_cache_change(const struct zt_dit_cache *cache, const float *t)
{
    double change = 0, before = 0;

    for (int f = 0; f < cache->size.t; f++) {
        size_t at = (size_t)f * cache->frame_values, end = at + cache->frame_values;
        if (!tells(t, cache->size.t, f))
            continue;
        for (; at < end; at++) {
            change += fabs((double)cache->now[at] - cache->first[at]);
            before += fabs((double)cache->first[at]);
        }
    }
    return change / before; /* NaN, of what is none or no number, is below no threshold */
}
