/*
 * zoetrope.c - the engines there are, and what every call on one is checked for.
 *
 * The rest of zoetrope.h is defined where it belongs: pictures and video files in media/, reading
 * a prompt in prompt/, error names in base/.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "models/wan/wan.h"
#include "motion/motion.h"
#include "motion/shots.h"
#include "tensor/device.h"
#include "tensor/plugin.h"

#include <string.h>

static const struct zt_engine_type *const engines[] = { &zt_motion_engine, &zt_wan_engine };

#define THREADS_MAX 256

struct zt_engine {
    const struct zt_engine_type *type;
    void *self;
};

bool zt_device_info(int index, struct zt_device_info *ret)
{
    struct zt_device_row row;

    if (!zt_device_at(index, &row))
        return false;
    *ret = (struct zt_device_info){ .name = row.name,
                                    .description = row.description,
                                    .free_bytes = row.free_bytes,
                                    .total_bytes = row.total_bytes };
    return true;
}

enum zt_code zt_backend_load(const char *path, struct zt_err *err)
{
    if (path == NULL || path[0] == '\0')
        return zt_fail_field(err, ZT_E_INVALID, "backend", "backend must name a file");
    return zt_plugin_load(path, err);
}

static const struct zt_engine_type *engine_at(int index)
{
    return index >= 0 && (size_t)index < ZT_COUNT(engines) ? engines[index] : NULL;
}

const char *zt_engine_name(int index)
{
    const struct zt_engine_type *type = engine_at(index);

    return type != NULL ? type->name : NULL;
}

const char *zt_engine_summary(int index)
{
    const struct zt_engine_type *type = engine_at(index);

    return type != NULL ? type->summary : NULL;
}

static enum zt_code find(const char *name, const struct zt_engine_type **ret, struct zt_err *err)
{
    char names[256] = "";

    for (size_t i = 0; i < ZT_COUNT(engines); i++) {
        if (name != NULL && strcmp(name, engines[i]->name) == 0) {
            *ret = engines[i];
            return ZT_OK;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "", engines[i]->name);
    }
    return zt_fail_field(err, ZT_E_NOT_FOUND, "engine", "there is no engine %s; there is: %s",
                         name != NULL && name[0] != '\0' ? name : "without a name", names);
}

enum zt_code zt_engine_open(const char *name, const struct zt_engine_options *options,
                            struct zt_engine **ret, struct zt_err *err)
{
    static const struct zt_engine_options none = { 0 };
    const struct zt_engine_type *type = NULL;

    if (options == NULL)
        options = &none;
    ZT_TRY(find(name, &type, err));
    zt_assert(type != NULL);
    if (options->threads < 0 || options->threads > THREADS_MAX)
        return zt_fail_field(err, ZT_E_INVALID, "threads", "threads must be 0 to %d, not %d",
                             THREADS_MAX, options->threads);
    zt_auto_free struct zt_engine *engine = zt_new(struct zt_engine);
    engine->type = type;
    ZT_TRY(type->open(options, &engine->self, err));
    *ret = engine;
    engine = NULL;
    return ZT_OK;
}

void zt_engine_close(struct zt_engine *engine)
{
    if (engine == NULL)
        return;
    engine->type->close(engine->self);
    free(engine);
}

enum zt_code zt_engine_plan(struct zt_engine *engine, const struct zt_request *request,
                            struct zt_plan *ret, struct zt_err *err)
{
    ZT_TRY(zt_request_check(request, err));
    return engine->type->plan(engine->self, request, ret, err);
}

enum zt_code zt_generate(struct zt_engine *engine, const struct zt_request *request,
                         const struct zt_sink *sink, struct zt_err *err)
{
    struct zt_plan plan;

    if (sink == NULL || sink->on_frame == NULL)
        return zt_fail_field(err, ZT_E_INVALID, "sink", "sink needs an on_frame to call");
    ZT_TRY(zt_engine_plan(engine, request, &plan, err));
    return engine->type->generate(engine->self, request, &plan, sink, err);
}

_Static_assert(ZT_PLAN_SHOTS_MAX == ZT_SHOTS_MAX,
               "the public header says how many shots there are");

enum zt_code zt_plan_shots(const char *prompt, int duration_s, int ret_end[ZT_PLAN_SHOTS_MAX],
                           int *ret_n, struct zt_err *err)
{
    struct zt_take take[ZT_SHOTS_MAX];
    struct zt_prompt read;

    if (prompt == NULL)
        return zt_fail_field(err, ZT_E_INVALID, "prompt", "prompt must not be missing");
    if (duration_s < ZT_DURATION_MIN_S || duration_s > ZT_DURATION_MAX_S)
        return zt_fail_field(err, ZT_E_INVALID, "duration",
                             "duration must be %d to %d seconds, not %d", ZT_DURATION_MIN_S,
                             ZT_DURATION_MAX_S, duration_s);
    ZT_TRY(zt_prompt_read(prompt, strlen(prompt), &read, err));
    *ret_n = zt_shots_divide(&read, zt_frames_for(duration_s), take);
    for (int i = 0; i < *ret_n; i++)
        ret_end[i] = take[i].end;
    return ZT_OK;
}
