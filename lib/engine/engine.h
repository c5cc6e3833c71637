/*
 * engine.h - the contract an engine fulfils.
 *
 * An engine exports one constant `struct zt_engine_type`; lib/zoetrope.c lists them. Everything an
 * engine is given has been checked against the limits in plan.h and lives for the call only.
 * An object belongs to one thread at a time. No engine logs, exits, or touches the network.
 */
#ifndef ZT_ENGINE_ENGINE_H
#define ZT_ENGINE_ENGINE_H

#include "base/error.h"

struct zt_engine_type {
    const char *name;
    const char *summary; /* one line for people: what it is, and what it is not */

    /* *ret is the engine's own state. options is never NULL. */
    enum zt_code (*open)(const struct zt_engine_options *options, void **ret, struct zt_err *err);

    /* Size, frame count and pixel format of what generate will yield; no heavy work. */
    enum zt_code (*plan)(void *self, const struct zt_request *request, struct zt_plan *ret,
                         struct zt_err *err);

    /*
     * Yields exactly plan->frames frames of plan->width_px x plan->height_px in plan->pixels, in
     * order, on the calling thread. Asks sink->on_progress at least every 200 ms of work and stops
     * with ZT_E_CANCELLED within a frame's time when a callback returns non-zero.
     */
    enum zt_code (*generate)(void *self, const struct zt_request *request,
                             const struct zt_plan *plan, const struct zt_sink *sink,
                             struct zt_err *err);

    void (*close)(void *self); /* NULL is fine */
};

#endif
