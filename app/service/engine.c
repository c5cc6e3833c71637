/* engine.c - see engine.h. */
#include "service/engine.h"

struct zt_engine_options zt_engine_options_of(const struct zt_config *config)
{
    return (struct zt_engine_options){ .model_path = *config->model ? config->model : NULL,
                                       .threads = (int)config->threads,
                                       .device = config->device,
                                       .offload = config->offload,
                                       .backend = *config->backend ? config->backend : NULL };
}
