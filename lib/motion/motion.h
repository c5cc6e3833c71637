/*
 * motion.h - the engine without weights: moves a camera through the picture as the prompt says.
 *
 * What it is: the picture itself, cut into layers in depth, seen by a moving camera, with motion of
 * the scene where the prompt names it. What it is not: a neural model; it invents nothing that the
 * picture does not show. README.md describes each pass.
 */
#ifndef ZT_MOTION_MOTION_H
#define ZT_MOTION_MOTION_H

#include "engine/engine.h"

extern const struct zt_engine_type zt_motion_engine;

#endif
