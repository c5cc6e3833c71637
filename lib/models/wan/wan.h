/*
 * wan.h - the engine that runs Wan 2.2 TI2V-5B and its distilled kin from published weights.
 */
#ifndef ZT_MODELS_WAN_WAN_H
#define ZT_MODELS_WAN_WAN_H

#include "engine/engine.h"

extern const struct zt_engine_type zt_wan_engine;

#endif
