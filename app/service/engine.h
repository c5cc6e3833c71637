/* engine.h - how the settings want an engine opened: by a worker, a command, or the doctor. */
#ifndef ZT_SERVICE_ENGINE_H
#define ZT_SERVICE_ENGINE_H

#include "service/config.h"

/* The strings stay the config's. */
struct zt_engine_options zt_engine_options_of(const struct zt_config *config);

#endif
