/*
 * kie.c - the documented contract: the tables of its models, and a createTask body read by them.
 * What is checked, what errors say and what /openapi.json shows all come from these rows.
 */
#include "api/kie.h"

#include <stdlib.h>
#include <string.h>

#include "api/out.h"
#include "api/upload.h"
#include "base/json.h"
#include "base/str.h"
#include "net/url.h"

#define DEPTH_MAX 32
#define PARAM_MAX ((size_t)256 << 10) /* past it, input fields that no row names are left out */
#define TEXT_MAX  ((size_t)1 << 20)

static const char *const resolutions[] = { "480p", "720p", "1080p", NULL };
static const char *const resolutions_fast[] = { "720p", "1080p", NULL };
static const char *const durations[] = { "5", "10", NULL };

#define DURATION_MIN 2
#define DURATION_MAX 12

#define AT(member)   offsetof(struct zt_kie_input, member)
/* clang-format off */
#define PROMPT                                                                                     \
    { "prompt", ZT_FIELD_TEXT, true, AT(prompt), 1, ZT_KIE_PROMPT_MAX, NULL, NULL,                 \
      "what should happen in the video; counted in Unicode characters" }
#define IMAGE                                                                                      \
    { "image_url", ZT_FIELD_IMAGE, true, AT(image_url), 1, ZT_URL_MAX, NULL, NULL,                 \
      "the first frame: JPEG, PNG or WebP, at most 10 MiB, sides of 64 to 6000 pixels" }
#define DURATION                                                                                   \
    { "duration", ZT_FIELD_SECONDS, false, AT(duration_s), DURATION_MIN, DURATION_MAX, durations,  \
      "5", "seconds of video" }
#define FRAMES                                                                                     \
    { "frames", ZT_FIELD_INT, false, AT(frames), 1, ZT_KIE_FRAMES(DURATION_MAX), NULL, NULL,       \
      "frames of video instead of a duration: the nearest duration is made, and the answer's "     \
      "plan names the count" }
#define CAMERA                                                                                     \
    { "camera_fixed", ZT_FIELD_BOOL, false, AT(camera_fixed), 0, 0, NULL, "false",                 \
      "whether the camera keeps still" }
#define SEED                                                                                       \
    { "seed", ZT_FIELD_INT, false, AT(seed), -1, INT32_MAX, NULL, "-1",                            \
      "same request and seed, same video; -1 draws one, and the result names it" }
#define SAFETY                                                                                     \
    { "enable_safety_checker", ZT_FIELD_BOOL, false, AT(enable_safety_checker), 0, 0, NULL,        \
      "true", "whether results are checked before they are handed out" }
#define END_IMAGE                                                                                  \
    { "end_image_url", ZT_FIELD_IMAGE, false, AT(end_image_url), 0, ZT_URL_MAX, NULL, NULL,        \
      "the last frame, under the same rules as image_url; empty for none" }
#define NSFW                                                                                       \
    { "nsfw_checker", ZT_FIELD_BOOL, false, AT(nsfw_checker), 0, 0, NULL, "false",                 \
      "true: results are checked; false: they are not, where the operator allows that" }
#define RESOLUTION(words)                                                                          \
    { "resolution", ZT_FIELD_WORD, false, AT(resolution), 0, 0, words, "720p",                     \
      "height class of the video; its size follows the picture's aspect ratio" }

static const struct zt_field lite_fields[] = {
    PROMPT, IMAGE, RESOLUTION(resolutions), DURATION, FRAMES, CAMERA, SEED, SAFETY, END_IMAGE, NSFW,
};
static const struct zt_field pro_fields[] = {
    PROMPT, IMAGE, RESOLUTION(resolutions), DURATION, FRAMES, CAMERA, SEED, SAFETY, NSFW,
};
static const struct zt_field pro_fast_fields[] = {
    PROMPT, IMAGE, RESOLUTION(resolutions_fast), DURATION, FRAMES, NSFW,
};

static const struct zt_kie_model models[] = {
    { "bytedance/v1-lite-image-to-video", "image to video, with an optional last frame",
      lite_fields, ZT_COUNT(lite_fields) },
    { "bytedance/v1-pro-image-to-video", "image to video",
      pro_fields, ZT_COUNT(pro_fields) },
    { "bytedance/v1-pro-fast-image-to-video", "image to video, with fewer choices",
      pro_fast_fields, ZT_COUNT(pro_fast_fields) },
};

/* model is read by find_model, which has its own words; the row is for the OpenAPI document. */
struct root {
    const char *model, *callback_url;
    json_t *input;
};
static const struct zt_field root_fields[] = {
    { "model", ZT_FIELD_TEXT, true, offsetof(struct root, model), 1, 100, NULL, NULL,
      "which model; it decides which fields the input has" },
    { "callBackUrl", ZT_FIELD_URL, false, offsetof(struct root, callback_url), 0, ZT_URL_MAX, NULL,
      NULL, "where the finished task is POSTed to; empty for nowhere" },
    { "input", ZT_FIELD_OBJECT, true, offsetof(struct root, input), 0, 0, NULL, NULL,
      "the model's own fields" },
};
/* clang-format on */

const struct zt_kie_model *zt_kie_model(int index)
{
    return index >= 0 && (size_t)index < ZT_COUNT(models) ? &models[index] : NULL;
}

const struct zt_field *zt_kie_root_fields(size_t *ret_n)
{
    *ret_n = ZT_COUNT(root_fields);
    return root_fields;
}

void zt_kie_request_clear(struct zt_kie_request *request)
{
    json_decref(request->root);
    for (int i = 0; i < ZT_KIE_PICTURES; i++)
        zt_buf_clear(&request->pictures[i].bytes);
    *request = (struct zt_kie_request){ 0 };
}

/* ---- the model ----------------------------------------------------------------------------- */

static const char *model_names(struct zt_arena *arena)
{
    const char *list = "";

    for (size_t i = 0; i < ZT_COUNT(models) && list != NULL; i++)
        list = zt_arena_printf(arena, "%s%s%s", list, i ? ", " : "", models[i].name);
    return list ? list : "";
}

static const struct zt_kie_model *find_model(const json_t *value, struct zt_problems *problems)
{
    const char *name = json_string_value(value);

    for (size_t i = 0; name != NULL && i < ZT_COUNT(models); i++) {
        if (strcmp(models[i].name, name) == 0)
            return &models[i];
    }
    if (value == NULL || json_is_null(value))
        zt_problem(problems, "model", " is required: one of %s", model_names(problems->arena));
    else
        zt_problem(problems, "model",
                   ": The model name you specified is not supported. Please verify your input and "
                   "use one of the supported models: %s; not %s",
                   model_names(problems->arena), zt_field_given(value, problems->arena));
    return NULL;
}

/* ---- pictures sent along ------------------------------------------------------------------- */

static void read_picture(const char *text, const char *field, struct zt_kie_picture *ret,
                         struct zt_problems *problems)
{
    struct zt_url url;
    struct zt_err err = { 0 };

    zt_buf_init(&ret->bytes, ZT_KIE_IMAGE_MAX);
    enum zt_code rc = zt_url_read(text, strlen(text), true, problems->arena, &url, &err);
    if (rc == ZT_OK && !zt_starts_with(url.media, "image/")) {
        zt_problem(problems, field,
                   " must be a data: URL of type image/jpeg, image/png or image/webp, not %s",
                   url.media[0] ? url.media : "one without a type");
        return;
    }
    if (rc == ZT_OK)
        rc = zt_url_data(&url, &ret->bytes, &err);
    if (rc == ZT_E_LIMIT) {
        zt_problem(problems, field, " must hold a picture of at most %zu bytes", ZT_KIE_IMAGE_MAX);
        return;
    }
    if (rc != ZT_OK) {
        zt_problem(problems, field, " cannot be decoded: %s", err.msg);
        return;
    }
    /* By the first bytes; only a decoder can say more, and that runs elsewhere. */
    ret->media = zt_picture_type(ret->bytes.data, ret->bytes.n);
    if (ret->media == NULL) {
        zt_problem(problems, field,
                   " must hold a JPEG, PNG or WebP picture, and its content (%zu "
                   "bytes) is none of these",
                   ret->bytes.n);
        return;
    }
    zt_sha256_hex(ret->bytes.data, ret->bytes.n, ret->sha256);
    ret->blob = zt_arena_printf(problems->arena, "input/%s", ret->sha256);
}

static const char *const picture_fields[ZT_KIE_PICTURES] = { "image_url", "end_image_url" };

static const char *picture_url(const struct zt_kie_input *input, int which)
{
    const char *url = which == ZT_KIE_IMAGE ? input->image_url : input->end_image_url;

    return url ? url : "";
}

static void read_pictures(struct zt_kie_request *request, struct zt_problems *problems)
{
    static const char *const paths[ZT_KIE_PICTURES] = { "input.image_url", "input.end_image_url" };

    for (int i = 0; i < ZT_KIE_PICTURES; i++) {
        const char *url = picture_url(&request->input, i);
        if (strncasecmp(url, "data:", 5) == 0)
            read_picture(url, paths[i], &request->pictures[i], problems);
    }
}

/* ---- frames instead of seconds --------------------------------------------------------------- */

static bool is_made(int seconds, bool extended)
{
    int64_t word;

    for (int i = 0; !extended && durations[i] != NULL; i++) {
        if (zt_parse_int(durations[i], seconds, seconds, &word))
            return true;
    }
    return extended;
}

/* The duration whose frames are nearest; of two the longer one. */
static void read_frames(struct zt_kie_input *input, const json_t *sent, bool extended,
                        struct zt_problems *problems)
{
    int64_t nearest = INT64_MAX;
    const json_t *duration = json_object_get(sent, "duration");

    if (input->frames == 0)
        return;
    if (duration != NULL && !json_is_null(duration)) {
        zt_problem(problems, "input.frames", " cannot be given together with input.duration");
        return;
    }
    for (int s = DURATION_MIN; s <= DURATION_MAX; s++) {
        int64_t off = llabs((long long)(ZT_KIE_FRAMES(s) - input->frames));
        if (is_made(s, extended) && off <= nearest) {
            nearest = off;
            input->duration_s = s;
        }
    }
}

/* ---- the request --------------------------------------------------------------------------- */

/*
 * The filter is on unless the request says otherwise. Of the two fields that speak of it,
 * nsfw_checker counts when it was sent, and its false only where the operator allows that.
 */
static bool wants_filter(const struct zt_kie_request *request, const json_t *input,
                         const struct zt_kie_rules *rules)
{
    if (json_is_true(json_object_get(input, "nsfw_checker")))
        return true;
    if (json_is_false(json_object_get(input, "nsfw_checker")) && rules->allow_unfiltered)
        return false;
    return request->input.enable_safety_checker;
}

enum zt_code zt_kie_read(const char *body, size_t n, const struct zt_kie_rules *rules,
                         struct zt_kie_request *ret, struct zt_problems *problems)
{
    static const struct zt_json_limits limits = { ZT_KIE_BODY_MAX, DEPTH_MAX };
    struct root root = { 0 };
    struct zt_err err = { 0 };

    if (zt_json_parse(body, n, &limits, &ret->root, &err) != ZT_OK) {
        zt_problem(problems, "", "the request body is not usable: %s", err.msg);
        return ZT_E_CORRUPT;
    }
    if (!json_is_object(ret->root)) {
        zt_problem(problems, "", "the request body must be a JSON object, not %s",
                   zt_field_given(ret->root, problems->arena));
        return ZT_E_CORRUPT;
    }
    ret->model = find_model(json_object_get(ret->root, "model"), problems);
    zt_fields_read(ret->root, root_fields + 1, ZT_COUNT(root_fields) - 1, "", &rules->fields, &root,
                   problems);
    ret->callback_url = root.callback_url;
    ret->input = (struct zt_kie_input){ .seed = -1, .enable_safety_checker = true };
    if (ret->model != NULL && root.input != NULL) {
        zt_fields_read(root.input, ret->model->fields, ret->model->fields_n, "input.",
                       &rules->fields, &ret->input, problems);
        read_frames(&ret->input, root.input, rules->fields.extended_durations, problems);
        read_pictures(ret, problems);
        ret->safety = wants_filter(ret, root.input, rules);
    }
    return problems->n > 0 ? ZT_E_INVALID : ZT_OK;
}

/* ---- what is kept of it -------------------------------------------------------------------- */

/* The input as sent; `known_only` leaves out what no row of the model names. A new reference. */
static json_t *echo_input(const struct zt_kie_request *request, bool known_only)
{
    json_t *sent = json_object_get(request->root, "input");
    json_t *echo = known_only ? json_object() : json_copy(sent);

    for (size_t i = 0; known_only && i < request->model->fields_n; i++) {
        const char *name = request->model->fields[i].name;
        json_t *value = json_object_get(sent, name);
        if (value != NULL)
            json_object_set(echo, name, value);
    }
    for (int i = 0; i < ZT_KIE_PICTURES; i++) {
        const struct zt_kie_picture *picture = &request->pictures[i];
        if (picture->blob != NULL && !picture->stored)
            json_object_set_new(echo, picture_fields[i],
                                json_sprintf("data:%s;sha256=%s", picture->media, picture->sha256));
    }
    return echo;
}

static char *dump_param(const struct zt_kie_request *request, bool known_only)
{
    json_t *param = json_object();

    json_object_set(param, "model", json_object_get(request->root, "model"));
    json_t *callback = json_object_get(request->root, "callBackUrl");
    if (callback != NULL)
        json_object_set(param, "callBackUrl", callback);
    json_object_set_new(param, "input", echo_input(request, known_only));
    char *text = json_dumps(param, JSON_COMPACT);
    json_decref(param);
    return text;
}

const char *zt_kie_param(const struct zt_kie_request *request, struct zt_arena *arena)
{
    char *text = dump_param(request, false);

    if (text != NULL && strlen(text) > PARAM_MAX) {
        free(text);
        text = dump_param(request, true);
    }
    const char *copy = zt_arena_strdup(arena, text);
    free(text);
    return copy;
}

/* The URL a worker fetches, or the blob the picture was stored as. */
static const char *source(const struct zt_kie_request *request, int which, struct zt_arena *arena)
{
    const char *blob = request->pictures[which].blob;

    return blob ? zt_arena_printf(arena, "blob:%s", blob) : picture_url(&request->input, which);
}

const char *zt_kie_input(const struct zt_kie_request *request, struct zt_arena *arena)
{
    zt_auto_out struct zt_out out = { 0 };
    const struct zt_kie_input *input = &request->input;

    zt_out_init(&out, TEXT_MAX);
    zt_out_raw(&out, "{\"prompt\":");
    zt_out_string(&out, input->prompt);
    zt_out_key_string(&out, "image_url", source(request, ZT_KIE_IMAGE, arena));
    zt_out_key_string(&out, "end_image_url", source(request, ZT_KIE_END_IMAGE, arena));
    zt_out_key_string(&out, "resolution", input->resolution);
    zt_out_key_int(&out, "duration", input->duration_s);
    zt_out_key_raw(&out, "camera_fixed", input->camera_fixed ? "true" : "false");
    zt_out_key_int(&out, "seed", input->seed);
    zt_out_key_raw(&out, "safety", request->safety ? "true" : "false");
    zt_out_raw(&out, "}");
    return out.full ? NULL : zt_arena_strndup(arena, out.buf.data, out.buf.n);
}
