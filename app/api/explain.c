/*
 * explain.c - POST /api/v1/prompt/explain: what the engine reads out of a prompt, and which frames
 * of a video each shot would get. The library reads; it comes as functions from the service, as
 * nothing in this folder may know it.
 */
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "api/kie.h"
#include "base/auto.h"
#include "base/json.h"

#define DEPTH_MAX 8

static const char *const names[] = { "prompt", "duration" };

/* Rows of createTask's own table, so that both take the same prompts and durations. */
const struct zt_field *zt_api_explain_field(int index)
{
    const struct zt_kie_model *model = zt_kie_model(0);
    size_t i = 0;

    while (i < model->fields_n && strcmp(model->fields[i].name, names[index]) != 0)
        i++;
    zt_assert(i < model->fields_n);
    return &model->fields[i];
}

static enum zt_code read_fields(struct zt_api *api, json_t *root, struct zt_kie_input *ret,
                                struct zt_problems *problems)
{
    const struct zt_field_rules rules = { .extended_durations =
                                              zt_api_rules(api).extended_durations };
    const struct zt_field fields[] = { *zt_api_explain_field(0), *zt_api_explain_field(1) };

    return zt_fields_read(root, fields, ZT_COUNT(fields), "", &rules, ret, problems);
}

/* Adds to each shot the frames it gets; a shot that the time does not reach gets none. */
static void add_frames(json_t *explained, const int *end, int shots)
{
    json_t *list = json_object_get(explained, "shots");
    int at = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *shot = json_array_get(list, i);
        int to = (int)i < shots ? end[i] : at;
        json_object_set_new(shot, "firstFrame", json_integer(at));
        json_object_set_new(shot, "endFrame", json_integer(to));
        at = to;
    }
    json_object_set_new(explained, "frames", json_integer(at));
    json_object_set_new(explained, "fps", json_integer(ZT_KIE_FPS));
}

static enum zt_code explain(struct zt_api *api, const struct zt_kie_input *input, char **ret_data,
                            struct zt_err *err)
{
    const struct zt_api_prompts *prompts = &api->options.prompts;
    zt_auto_free char *text = NULL;
    zt_auto(json) json_t *explained = NULL;
    int end[ZT_PLAN_SHOTS_MAX];
    int shots = 0;

    if (prompts->explain == NULL || prompts->plan_shots == NULL)
        return zt_fail(err, ZT_E_INTERNAL, "this server was started without a reader of prompts");
    ZT_TRY(prompts->explain(input->prompt, true, &text, err));
    ZT_TRY(prompts->plan_shots(input->prompt, input->duration_s, end, &shots, err));
    explained = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (explained == NULL)
        return zt_fail(err, ZT_E_INTERNAL, "the reader of prompts gave what is not JSON");
    add_frames(explained, end, shots);
    *ret_data = json_dumps(explained, JSON_COMPACT);
    return *ret_data ? ZT_OK : zt_fail(err, ZT_E_NOMEM, "not enough memory for the answer");
}

static void reply(struct zt_api *api, struct zt_http_req *req, json_t *root)
{
    struct zt_problems problems = { .arena = zt_http_arena(req) };
    struct zt_kie_input input = { 0 };
    struct zt_err err = { 0 };
    zt_auto_free char *data = NULL;

    if (read_fields(api, root, &input, &problems) != ZT_OK) {
        zt_api_reply(api, req, 422, problems.text ? problems.text : ZT_API_EXCEPTION, NULL);
        return;
    }
    enum zt_code rc = explain(api, &input, &data, &err);
    if (rc == ZT_E_INVALID)
        zt_api_reply(api, req, 422, err.msg, NULL);
    else if (rc != ZT_OK)
        zt_api_reply_fault(api, req, rc, &err);
    else
        zt_api_reply(api, req, 200, "success", data);
}

void zt_api_explain(struct zt_http_req *req, void *user)
{
    static const struct zt_json_limits limits = { ZT_API_EXPLAIN_BODY_MAX, DEPTH_MAX };
    struct zt_api *api = user;
    zt_auto(json) json_t *root = NULL;
    struct zt_err err = { 0 };
    size_t n;

    const char *body = zt_http_body(req, &n);
    if (zt_json_parse(body, n, &limits, &root, &err) != ZT_OK) {
        zt_api_reply(
            api, req, 400,
            zt_arena_printf(zt_http_arena(req), "the request body is not usable: %s", err.msg),
            NULL);
        return;
    }
    if (!json_is_object(root)) {
        zt_api_reply(api, req, 400, "the request body must be a JSON object", NULL);
        return;
    }
    reply(api, req, root);
}
