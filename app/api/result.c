/*
 * result.c - what a worker is told (zt_i2v_from_input) and what it leaves behind: the JSON texts
 * of zt_task.input and zt_task.result, both written and read here and nowhere else.
 */
#include <string.h>

#include "api/inside.h"
#include "base/json.h"
#include "base/str.h"

#define TEXT_MAX ((size_t)1 << 20)

static const struct zt_json_limits limits = { TEXT_MAX, 8 };

/* ---- the input ----------------------------------------------------------------------------- */

static const char *const resolution_names[] = {
    [ZT_480P] = "480p",
    [ZT_720P] = "720p",
    [ZT_1080P] = "1080p",
};

bool zt_api_resolution(const char *name, enum zt_resolution *ret)
{
    for (size_t i = 0; i < ZT_COUNT(resolution_names); i++) {
        if (strcmp(resolution_names[i], name) == 0) {
            *ret = (enum zt_resolution)i;
            return true;
        }
    }
    return false;
}

enum zt_code zt_i2v_from_input(const char *input_json, struct zt_arena *arena, struct zt_i2v *ret,
                               struct zt_err *err)
{
    __attribute__((cleanup(zt_auto_json))) json_t *root = NULL;
    const char *prompt, *image, *end_image, *resolution;
    json_int_t duration, seed;
    int camera_fixed, safety;
    struct zt_i2v in = { 0 };

    ZT_TRY(zt_json_parse(input_json, strlen(input_json), &limits, &root, err));
    if (json_unpack(root, "{s:s, s:s, s:s, s:s, s:I, s:b, s:I, s:b}", "prompt", &prompt,
                    "image_url", &image, "end_image_url", &end_image, "resolution", &resolution,
                    "duration", &duration, "camera_fixed", &camera_fixed, "seed", &seed, "safety",
                    &safety) != 0)
        return zt_fail(err, ZT_E_CORRUPT, "the stored input of the task lacks a field");
    if (!zt_api_resolution(resolution, &in.resolution) || duration < 1 || duration > 60 || seed < 0)
        return zt_fail(err, ZT_E_CORRUPT, "the stored input of the task is out of range");
    in.prompt = zt_arena_strdup(arena, prompt);
    in.image_url = zt_arena_strdup(arena, image);
    in.end_image_url = zt_arena_strdup(arena, end_image);
    if (in.prompt == NULL || in.image_url == NULL || in.end_image_url == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for the input of a task");
    in.duration_s = (int)duration;
    in.camera_fixed = camera_fixed != 0;
    in.seed = seed;
    in.safety = safety != 0;
    *ret = in;
    return ZT_OK;
}

/* ---- the result ---------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *key;    /* in the result's JSON: the blob's name */
    const char *served; /* the last part of its address; NULL: "<task>.mp4" */
} files[ZT_FILES] = {
    [ZT_FILE_VIDEO]  = { "video",      NULL },
    [ZT_FILE_POSTER] = { "poster",     "poster.jpg" },
    [ZT_FILE_LAST]   = { "last_frame", "last.jpg" },
};
/* clang-format on */

char *zt_i2v_result_json(struct zt_arena *arena, const struct zt_i2v_result *result)
{
    const char *const blobs[ZT_FILES] = {
        [ZT_FILE_VIDEO] = result->video,
        [ZT_FILE_POSTER] = result->poster,
        [ZT_FILE_LAST] = result->last_frame,
    };
    zt_auto_out struct zt_out out = { 0 };

    zt_out_init(&out, TEXT_MAX);
    zt_out_raw(&out, "{\"engine\":");
    zt_out_string(&out, result->engine);
    zt_out_key_int(&out, "seed", result->seed);
    zt_out_key_int(&out, "width", result->width_px);
    zt_out_key_int(&out, "height", result->height_px);
    zt_out_key_int(&out, "frames", result->frames);
    zt_out_key_int(&out, "fps", result->fps);
    for (int i = 0; i < ZT_FILES; i++) {
        if (blobs[i] != NULL && blobs[i][0] != '\0')
            zt_out_key_string(&out, files[i].key, blobs[i]);
    }
    zt_out_raw(&out, "}");
    zt_assert(!out.full);
    return zt_arena_strndup(arena, out.buf.data, out.buf.n);
}

enum zt_code zt_api_result_read(const char *result_json, struct zt_arena *arena,
                                struct zt_api_result *ret, struct zt_err *err)
{
    __attribute__((cleanup(zt_auto_json))) json_t *root = NULL;
    json_int_t seed, width, height, frames, fps;
    const char *engine;
    struct zt_api_result result = { 0 };

    ZT_TRY(zt_json_parse(result_json, strlen(result_json), &limits, &root, err));
    if (json_unpack(root, "{s:s, s:I, s:I, s:I, s:I, s:I}", "engine", &engine, "seed", &seed,
                    "width", &width, "height", &height, "frames", &frames, "fps", &fps) != 0)
        return zt_fail(err, ZT_E_CORRUPT, "the stored result of the task lacks a field");
    result.engine = zt_arena_strdup(arena, engine);
    result.seed = seed;
    result.width = width;
    result.height = height;
    result.frames = frames;
    result.fps = fps;
    for (int i = 0; i < ZT_FILES; i++)
        result.blobs[i] =
            zt_arena_strdup(arena, json_string_value(json_object_get(root, files[i].key)));
    *ret = result;
    return ZT_OK;
}

int zt_i2v_result_files(const char *result_json, struct zt_arena *arena, const char *ret[3])
{
    struct zt_api_result result = { 0 };
    int n = 0;

    if (zt_api_result_read(result_json, arena, &result, NULL) != ZT_OK)
        return 0;
    for (int i = 0; i < ZT_FILES; i++) {
        if (result.blobs[i] != NULL)
            ret[n++] = result.blobs[i];
    }
    return n;
}

const char *zt_api_file_name(enum zt_api_file_of which, const char *task_id,
                             char dst[ZT_API_FILE_NAME])
{
    if (files[which].served != NULL)
        return files[which].served;
    zt_format(dst, ZT_API_FILE_NAME, "%s.mp4", task_id);
    return dst;
}

/* ---- failures ------------------------------------------------------------------------------ */

/* clang-format off */
static const char *const fail_codes[] = {
    [ZT_OK]            = "",
    [ZT_E_INVALID]     = "422", /* the request or what its URLs lead to */
    [ZT_E_NOT_FOUND]   = "422",
    [ZT_E_DENIED]      = "422",
    [ZT_E_LIMIT]       = "422",
    [ZT_E_CORRUPT]     = "422",
    [ZT_E_UNSUPPORTED] = "422",
    [ZT_E_NET]         = "422",
    [ZT_E_TIMEOUT]     = "408",
    [ZT_E_CANCELLED]   = "501",
    [ZT_E_CONFLICT]    = "500", /* ours */
    [ZT_E_BUSY]        = "500",
    [ZT_E_NOMEM]       = "500",
    [ZT_E_IO]          = "500",
    [ZT_E_FULL]        = "500",
    [ZT_E_INTERNAL]    = "500",
};
/* clang-format on */
_Static_assert(ZT_COUNT(fail_codes) == ZT_CODES, "one wire code for each code");

const char *zt_api_fail_code(enum zt_code code)
{
    return (unsigned)code < ZT_COUNT(fail_codes) ? fail_codes[code] : "500";
}
