/*
 * The contract of createTask, row by row: what each model takes, what it refuses and with which
 * words, what is kept of a request; and the texts between service and clients.
 */
#include "api/kie.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "check.h"

#define LITE               "bytedance/v1-lite-image-to-video"
#define PRO                "bytedance/v1-pro-image-to-video"
#define FAST               "bytedance/v1-pro-fast-image-to-video"
#define IMAGE              "\"image_url\":\"https://example.org/a.png\""
#define BODY(model, input) "{\"model\":\"" model "\",\"input\":{" input "}}"
#define OK(model, more)    BODY(model, "\"prompt\":\"a\"," IMAGE more)
#define PNG_URL            "data:image/png;base64,iVBORw0KGgo="
#define JPEG_URL           "data:image/jpeg;base64,/9j/4A=="
#define WEBP_URL           "data:image/webp;base64,UklGRgQAAABXRUJQ"

struct outcome {
    struct zt_arena arena;
    struct zt_kie_request request;
    struct zt_problems problems;
    enum zt_code rc;
};

static void read_with(struct outcome *o, const char *body, size_t n, bool extended,
                      bool allow_unfiltered)
{
    const struct zt_kie_rules rules = { .fields = { .extended_durations = extended },
                                        .allow_unfiltered = allow_unfiltered };

    memset(o, 0, sizeof(*o));
    o->arena.limit = (size_t)192 << 20;
    o->problems.arena = &o->arena;
    o->rc = zt_kie_read(body, n, &rules, &o->request, &o->problems);
}

static void read_body(struct outcome *o, const char *body)
{
    read_with(o, body, strlen(body), false, false);
}

static void done(struct outcome *o)
{
    zt_kie_request_clear(&o->request);
    zt_arena_clear(&o->arena);
}

static void takes_what_is_documented(void)
{
    static const char *const rows[] = {
        OK(LITE, ""),
        OK(PRO, ""),
        OK(FAST, ""),
        /* the example of the documentation, every field set */
        "{\"model\":\"" LITE "\",\"callBackUrl\":\"https://example.com/api/callback\",\"input\":{"
        "\"prompt\":\"a golden retriever\"," IMAGE ",\"resolution\":\"720p\",\"duration\":\"5\","
        "\"camera_fixed\":false,\"seed\":-1,\"enable_safety_checker\":true,\"end_image_url\":\"\","
        "\"nsfw_checker\":false}}",
        OK(LITE, ",\"resolution\":\"480p\""),
        OK(LITE, ",\"resolution\":\"1080p\""),
        OK(PRO, ",\"resolution\":\"480p\",\"seed\":7,\"camera_fixed\":true"),
        OK(FAST, ",\"resolution\":\"1080p\",\"duration\":10,\"nsfw_checker\":true"),
        OK(LITE, ",\"duration\":\"10\""),
        OK(LITE, ",\"duration\":5"),
        OK(LITE, ",\"seed\":0"),
        OK(LITE, ",\"frames\":100"),
        OK(LITE, ",\"frames\":null,\"duration\":5"),
        OK(FAST, ",\"frames\":289,\"duration\":null"),
        OK(LITE, ",\"seed\":2147483647"),
        OK(LITE, ",\"seed\":2.0"),
        OK(LITE, ",\"seed\":null,\"duration\":null,\"end_image_url\":null"),
        OK(LITE, ",\"end_image_url\":\"http://example.org/b.webp\""),
        OK(LITE, ",\"end_image_url\":\"" PNG_URL "\""),
        OK(LITE, ",\"aspect_ratio\":\"16:9\",\"fps\":[24],\"x\":null"),
        /* fields that only lite has are unknown to the others, and ignored */
        OK(PRO, ",\"end_image_url\":7"),
        OK(FAST, ",\"seed\":\"x\",\"camera_fixed\":\"x\",\"enable_safety_checker\":\"x\""),
        BODY(LITE, "\"prompt\":\"\\u96fe\"," IMAGE),
        BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"" PNG_URL "\""),
        BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"" JPEG_URL "\""),
        BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"" WEBP_URL "\""),
        BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"DATA:image/png;base64,iVBORw0KGgo=\""),
        "{\"model\":\"" LITE "\",\"callBackUrl\":null,\"input\":{\"prompt\":\"a\"," IMAGE "}}",
        "{\"model\":\"" LITE
        "\",\"callBackUrl\":\"\",\"extra\":1,\"input\":{\"prompt\":\"a\"," IMAGE "}}",
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o;
        read_body(&o, rows[i]);
        CHECK_INT(rows[i], o.rc, ZT_OK);
        CHECK_STR(rows[i], o.problems.text ? o.problems.text : "", "");
        done(&o);
    }
}

static void refuses_with_words(void)
{
    static const struct {
        const char *body;
        enum zt_code code;
        const char *field, *has;
    } rows[] = {
        /* not a request at all */
        { "", ZT_E_CORRUPT, "", "not valid JSON" },
        { "{", ZT_E_CORRUPT, "", "not valid JSON" },
        { "[]", ZT_E_CORRUPT, "", "must be a JSON object, not an array" },
        { "\"x\"", ZT_E_CORRUPT, "", "expected near" },
        { "null", ZT_E_CORRUPT, "", "expected near 'null'" },
        { "{\"model\":1,\"model\":1}", ZT_E_CORRUPT, "", "duplicate" },
        { OK(LITE, ",\"prompt\":\"b\""), ZT_E_CORRUPT, "", "duplicate" },
        { "{\"model\":\"\xFF\"}", ZT_E_CORRUPT, "", "UTF-8" },
        { OK(LITE, ",\"seed\":99999999999999999999"), ZT_E_CORRUPT, "", "too big" },
        /* the model */
        { "{\"input\":{}}", ZT_E_INVALID, "model", "model is required: one of " LITE ", " PRO },
        { "{\"model\":null,\"input\":{}}", ZT_E_INVALID, "model", "model is required" },
        { BODY("x", ""), ZT_E_INVALID, "model", "The model name you specified is not supported." },
        { BODY("x", ""), ZT_E_INVALID, "model", "not the text 'x'" },
        { BODY("x", ""), ZT_E_INVALID, "model", FAST },
        { BODY("bytedance/v1-lite-text-to-video", ""), ZT_E_INVALID, "model", "not supported" },
        { BODY("bytedance/seedance-1.5-pro", ""), ZT_E_INVALID, "model", "not supported" },
        { BODY("Bytedance/v1-lite-image-to-video", ""), ZT_E_INVALID, "model", "not supported" },
        { "{\"model\":7,\"input\":{}}", ZT_E_INVALID, "model", "not the number 7" },
        /* the root */
        { "{\"model\":\"" LITE "\"}", ZT_E_INVALID, "input", "input is required" },
        { "{\"model\":\"" LITE "\",\"input\":\"{}\"}", ZT_E_INVALID, "input",
          "input must be an object" },
        { "{\"model\":\"" LITE "\",\"callBackUrl\":\"x\",\"input\":{\"prompt\":\"a\"," IMAGE "}}",
          ZT_E_INVALID, "callBackUrl", "callBackUrl must be an http or https URL" },
        { "{\"model\":\"" LITE "\",\"callBackUrl\":\"" PNG_URL
          "\",\"input\":{\"prompt\":\"a\"," IMAGE "}}",
          ZT_E_INVALID, "callBackUrl", "callBackUrl must be an http or https URL" },
        { "{\"model\":\"" LITE "\",\"callBackUrl\":1,\"input\":{\"prompt\":\"a\"," IMAGE "}}",
          ZT_E_INVALID, "callBackUrl", "not the number 1" },
        /* each field of the input */
        { BODY(LITE, IMAGE), ZT_E_INVALID, "input.prompt", "input.prompt is required" },
        { BODY(LITE, "\"prompt\":\"\"," IMAGE), ZT_E_INVALID, "input.prompt",
          "1 to 10000 characters, not 0" },
        { BODY(LITE, "\"prompt\":\" \"," IMAGE), ZT_E_INVALID, "input.prompt", "blank" },
        { BODY(LITE, "\"prompt\":[]," IMAGE), ZT_E_INVALID, "input.prompt", "an array" },
        { BODY(LITE, "\"prompt\":\"a\""), ZT_E_INVALID, "input.image_url",
          "input.image_url is required" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"\""), ZT_E_INVALID, "input.image_url",
          "http, https or data: URL" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"blob:input/ab\""), ZT_E_INVALID,
          "input.image_url", "blob:input/ab" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"file:///etc/passwd\""), ZT_E_INVALID,
          "input.image_url", "http, https or data: URL" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"/a.png\""), ZT_E_INVALID, "input.image_url",
          "http, https or data: URL" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"data:image/png;sha256=aa\""), ZT_E_INVALID,
          "input.image_url", "comma" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"data:text/plain,x\""), ZT_E_INVALID,
          "input.image_url", "not text/plain" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"data:,x\""), ZT_E_INVALID, "input.image_url",
          "must be a data: URL of type image/jpeg, image/png or image/webp" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"data:image/png;base64,!!\""), ZT_E_INVALID,
          "input.image_url", "cannot be decoded" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"data:image/png;base64,R0lGODlh\""),
          ZT_E_INVALID, "input.image_url", "none of these" },
        { BODY(LITE, "\"prompt\":\"a\",\"image_url\":\"data:image/png;base64,\""), ZT_E_INVALID,
          "input.image_url", "0 bytes" },
        { OK(LITE, ",\"end_image_url\":\"data:image/gif;base64,R0lGODlh\""), ZT_E_INVALID,
          "input.end_image_url", "none of these" },
        { OK(LITE, ",\"end_image_url\":false"), ZT_E_INVALID, "input.end_image_url", "not false" },
        { OK(LITE, ",\"resolution\":\"4k\""), ZT_E_INVALID, "input.resolution",
          "input.resolution must be 480p, 720p or 1080p, not the text '4k'" },
        { OK(FAST, ",\"resolution\":\"480p\""), ZT_E_INVALID, "input.resolution",
          "input.resolution must be 720p or 1080p, not the text '480p'" },
        { OK(LITE, ",\"resolution\":720"), ZT_E_INVALID, "input.resolution", "the number 720" },
        { OK(LITE, ",\"duration\":\"7\""), ZT_E_INVALID, "input.duration", "5 or 10" },
        { OK(LITE, ",\"duration\":12"), ZT_E_INVALID, "input.duration", "5 or 10" },
        { OK(LITE, ",\"camera_fixed\":\"true\""), ZT_E_INVALID, "input.camera_fixed",
          "true or false, not the text 'true'" },
        { OK(LITE, ",\"seed\":-2"), ZT_E_INVALID, "input.seed", "from -1 to 2147483647" },
        { OK(LITE, ",\"seed\":2147483648"), ZT_E_INVALID, "input.seed", "2147483648" },
        { OK(LITE, ",\"seed\":1.5"), ZT_E_INVALID, "input.seed", "a whole number" },
        { OK(LITE, ",\"seed\":\"1\""), ZT_E_INVALID, "input.seed", "the text '1'" },
        { OK(LITE, ",\"enable_safety_checker\":{}"), ZT_E_INVALID, "input.enable_safety_checker",
          "true or false, not an object" },
        { OK(LITE, ",\"nsfw_checker\":0"), ZT_E_INVALID, "input.nsfw_checker", "true or false" },
        /* all of them at once */
        { "{\"model\":\"" LITE "\",\"callBackUrl\":\"x\",\"input\":{\"seed\":-5,\"duration\":1}}",
          ZT_E_INVALID, "callBackUrl", "; input.prompt is required" },
        { "{\"model\":\"" LITE "\",\"callBackUrl\":\"x\",\"input\":{\"seed\":-5,\"duration\":1}}",
          ZT_E_INVALID, "callBackUrl",
          "; input.duration must be 5 or 10, not the number 1; "
          "input.seed must be" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o;
        read_body(&o, rows[i].body);
        CHECK_INT(rows[i].body, o.rc, rows[i].code);
        CHECK_STR(rows[i].body, o.problems.field, rows[i].field);
        CHECK_HAS(rows[i].body, o.problems.text, rows[i].has);
        done(&o);
    }
}

/* 10000 characters are fine, however many bytes they are; one more is not. */
static void counts_characters(void)
{
    static char body[ZT_KIE_PROMPT_MAX * 4 + 1024];
    static const char *const letters[] = { "a", "\xC3\xA9", "\xE9\x9B\xBE", "\xF0\x9F\x98\x80" };

    for (size_t i = 0; i < ZT_COUNT(letters); i++) {
        for (int n = ZT_KIE_PROMPT_MAX; n <= ZT_KIE_PROMPT_MAX + 1; n++) {
            struct outcome o;
            size_t at = (size_t)snprintf(
                body, sizeof(body), "{\"model\":\"" LITE "\",\"input\":{" IMAGE ",\"prompt\":\"");
            for (int k = 0; k < n; k++) {
                memcpy(body + at, letters[i], strlen(letters[i]));
                at += strlen(letters[i]);
            }
            memcpy(body + at, "\"}}", 4);
            read_body(&o, body);
            CHECK_INT(letters[i], o.rc, n <= ZT_KIE_PROMPT_MAX ? ZT_OK : ZT_E_INVALID);
            if (n > ZT_KIE_PROMPT_MAX)
                CHECK_HAS(letters[i], o.problems.text, "not 10001");
            done(&o);
        }
    }
}

static void limits_depth(void)
{
    char body[512] = "{\"model\":\"" LITE "\",\"input\":{\"x\":";
    size_t n = strlen(body);
    struct outcome o;

    for (int i = 0; i < 31; i++)
        body[n++] = '[';
    for (int i = 0; i < 31; i++)
        body[n++] = ']';
    body[n++] = '}';
    body[n++] = '}';
    read_with(&o, body, n, false, false);
    CHECK_INT("33 levels", o.rc, ZT_E_CORRUPT);
    CHECK_HAS("33 levels", o.problems.text, "32 levels");
    done(&o);
}

/* A picture of exactly the limit, and one byte more. */
static void limits_pictures(void)
{
    for (size_t over = 0; over <= 1; over++) {
        size_t n = ZT_KIE_IMAGE_MAX + over;
        uint8_t *bytes = calloc(1, n);
        char *base64 = malloc(zt_base64_size(n));
        struct zt_buf body;
        struct outcome o;
        memcpy(bytes, "\xFF\xD8\xFF", 3);
        zt_base64_encode(bytes, n, base64);
        zt_buf_init(&body, ZT_KIE_BODY_MAX);
        zt_buf_printf(&body, NULL,
                      "{\"model\":\"" LITE "\",\"input\":{\"prompt\":\"a\","
                      "\"image_url\":\"data:image/jpeg;base64,%s\"}}",
                      base64);
        read_with(&o, body.data, body.n, false, false);
        CHECK_INT("bytes", o.rc, over ? ZT_E_INVALID : ZT_OK);
        if (over)
            CHECK_HAS("over", o.problems.text,
                      "input.image_url must hold a picture of at most 10485760 bytes");
        else
            CHECK_INT("kept", o.request.pictures[ZT_KIE_IMAGE].bytes.n, n);
        done(&o);
        zt_buf_clear(&body);
        free(base64);
        free(bytes);
    }
}

static void takes_other_durations_when_told(void)
{
    struct outcome o;
    static const char body[] = OK(LITE, ",\"duration\":\"7\"");

    read_with(&o, body, strlen(body), true, false);
    CHECK_INT("extended", o.rc, ZT_OK);
    CHECK_INT("extended", o.request.input.duration_s, 7);
    done(&o);
}

static void decides_on_the_filter(void)
{
    static const struct {
        const char *label, *body;
        bool allow, safety;
    } rows[] = {
        { "default", OK(LITE, ""), false, true },
        { "default, allowed", OK(LITE, ""), true, true },
        { "checker off", OK(LITE, ",\"enable_safety_checker\":false"), false, false },
        { "nsfw on wins", OK(LITE, ",\"enable_safety_checker\":false,\"nsfw_checker\":true"), false,
          true },
        { "nsfw off, not allowed", OK(LITE, ",\"nsfw_checker\":false"), false, true },
        { "nsfw off, allowed", OK(LITE, ",\"nsfw_checker\":false"), true, false },
        { "nsfw null", OK(LITE, ",\"nsfw_checker\":null"), true, true },
        { "fast, default", OK(FAST, ""), true, true },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o;
        read_with(&o, rows[i].body, strlen(rows[i].body), false, rows[i].allow);
        CHECK_INT(rows[i].label, o.request.safety, rows[i].safety);
        done(&o);
    }
}

static void echoes_the_request(void)
{
    static const struct {
        const char *label, *body, *param;
    } rows[] = {
        { "least", OK(LITE, ""),
          "{\"model\":\"" LITE "\",\"input\":{\"prompt\":\"a\"," IMAGE "}}" },
        { "order, unknown fields and spaces",
          "{\"input\":{" IMAGE ", \"z\":[1, 2], \"prompt\":\"\\u96fe\"},\"extra\":1,"
          "\"callBackUrl\":\"http://h/\", \"model\":\"" PRO "\"}",
          "{\"model\":\"" PRO "\",\"callBackUrl\":\"http://h/\",\"input\":{" IMAGE
          ",\"z\":[1,2],\"prompt\":\"\xE9\x9B\xBE\"}}" },
        { "pictures in short",
          BODY(LITE,
               "\"prompt\":\"a\",\"image_url\":\"" PNG_URL "\",\"end_image_url\":\"" JPEG_URL "\""),
          "{\"model\":\"" LITE "\",\"input\":{\"prompt\":\"a\",\"image_url\":\"data:image/png;"
          "sha256=4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6\","
          "\"end_image_url\":\"data:image/jpeg;"
          "sha256=ba4f25bf16ba4be6bc7d3276fafeb67f9eb3c5df042bc3a405e1af15b921eed7\"}}" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o;
        read_body(&o, rows[i].body);
        CHECK_INT(rows[i].label, o.rc, ZT_OK);
        CHECK_STR(rows[i].label, zt_kie_param(&o.request, &o.arena), rows[i].param);
        done(&o);
    }
}

/* Unknown fields do not fill the database. */
static void bounds_the_echo(void)
{
    struct outcome o;
    struct zt_buf body;

    zt_buf_init(&body, ZT_KIE_BODY_MAX);
    zt_buf_printf(&body, NULL,
                  "{\"model\":\"" LITE "\",\"input\":{\"prompt\":\"a\"," IMAGE
                  ",\"junk\":\"%0*d\"}}",
                  300000, 1);
    read_with(&o, body.data, body.n, false, false);
    CHECK_STR("junk is left out", zt_kie_param(&o.request, &o.arena),
              "{\"model\":\"" LITE "\",\"input\":{\"prompt\":\"a\"," IMAGE "}}");
    done(&o);
    zt_buf_clear(&body);
}

static void hands_the_worker_everything(void)
{
    struct outcome o;
    struct zt_i2v in;
    struct zt_err err = { 0 };

    read_body(&o, BODY(LITE, "\"prompt\":\"a \\\"b\\\"\\n\\u96fe\",\"image_url\":\"" PNG_URL "\","
                             "\"end_image_url\":\"http://h/b\",\"resolution\":\"1080p\","
                             "\"duration\":10,\"camera_fixed\":true,\"seed\":42,"
                             "\"enable_safety_checker\":false"));
    CHECK_INT("read", o.rc, ZT_OK);
    const char *text = zt_kie_input(&o.request, &o.arena);
    CHECK_INT("read back", zt_i2v_from_input(text, &o.arena, &in, &err), ZT_OK);
    CHECK_STR("prompt", in.prompt, "a \"b\"\n\xE9\x9B\xBE");
    CHECK_STR("image", in.image_url,
              "blob:input/4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6");
    CHECK_STR("end image", in.end_image_url, "http://h/b");
    CHECK_INT("resolution", in.resolution, ZT_1080P);
    CHECK_INT("duration", in.duration_s, 10);
    CHECK_INT("camera", in.camera_fixed, true);
    CHECK_INT("seed", in.seed, 42);
    CHECK_INT("safety", in.safety, false);
    done(&o);
}

static void refuses_a_damaged_input(void)
{
    static const char *const rows[] = {
        "",
        "{}",
        "[]",
        "{\"prompt\":\"a\",\"image_url\":\"b\",\"end_image_url\":\"\",\"resolution\":\"8k\","
        "\"duration\":5,\"camera_fixed\":false,\"seed\":1,\"safety\":true}",
        "{\"prompt\":\"a\",\"image_url\":\"b\",\"end_image_url\":\"\",\"resolution\":\"720p\","
        "\"duration\":5,\"camera_fixed\":false,\"seed\":-1,\"safety\":true}",
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_arena arena = { 0 };
        struct zt_i2v in;
        struct zt_err err = { 0 };
        CHECK(rows[i], zt_i2v_from_input(rows[i], &arena, &in, &err) != ZT_OK);
        CHECK(rows[i], err.msg[0] != '\0');
        zt_arena_clear(&arena);
    }
}

/* ---- results and callbacks ----------------------------------------------------------------- */

static const struct zt_i2v_result made = {
    .engine = "motion",
    .seed = 42,
    .width_px = 1248,
    .height_px = 704,
    .frames = 121,
    .fps = 24,
    .video = "media/t.mp4",
    .poster = "media/t.poster.jpg",
    .last_frame = "media/t.last.jpg",
};

static void lists_the_files_of_a_result(void)
{
    struct zt_arena arena = { 0 };
    const char *files[3];
    struct zt_i2v_result bare = made;

    CHECK_INT("three", zt_i2v_result_files(zt_i2v_result_json(&arena, &made), &arena, files), 3);
    CHECK_STR("video", files[0], "media/t.mp4");
    CHECK_STR("poster", files[1], "media/t.poster.jpg");
    CHECK_STR("last", files[2], "media/t.last.jpg");
    bare.poster = NULL;
    bare.last_frame = "";
    CHECK_INT("one", zt_i2v_result_files(zt_i2v_result_json(&arena, &bare), &arena, files), 1);
    CHECK_INT("none", zt_i2v_result_files("", &arena, files), 0);
    zt_arena_clear(&arena);
}

static void tells_of_success(void)
{
    struct zt_arena arena = { 0 };
    const struct zt_task task = {
        .id = "task_bytedance_1765186743319aabb",
        .model = LITE,
        .engine = "motion",
        .state = ZT_TASK_SUCCESS,
        .param = "{\"a\":\"b\"}",
        .stage = "encode",
        .percent = 97,
        .created_us = 1765186743319000,
        .started_us = 1765186744000000,
        .completed_us = 1765186753319999,
        .updated_us = 1765186753319999,
        .result = zt_i2v_result_json(&arena, &made),
        .fail_code = "",
        .fail_msg = "",
        .file_token = "token",
    };
    CHECK_STR("the whole body", zt_api_callback_body(&arena, &task, "https://v.example.org"),
              "{\"code\":200,\"msg\":\"Playground task completed successfully.\","
              "\"taskId\":\"task_bytedance_1765186743319aabb\",\"data\":{"
              "\"taskId\":\"task_bytedance_1765186743319aabb\",\"model\":\"" LITE "\","
              "\"state\":\"success\",\"param\":\"{\\\"a\\\":\\\"b\\\"}\",\"resultJson\":\"{"
              "\\\"resultUrls\\\":[\\\"https://v.example.org/files/token/"
              "task_bytedance_1765186743319aabb.mp4\\\"],"
              "\\\"posterUrl\\\":\\\"https://v.example.org/files/token/poster.jpg\\\","
              "\\\"lastFrameUrl\\\":\\\"https://v.example.org/files/token/last.jpg\\\","
              "\\\"engine\\\":\\\"motion\\\",\\\"seed\\\":42,\\\"width\\\":1248,\\\"height\\\":704,"
              "\\\"frames\\\":121,\\\"fps\\\":24}\",\"failCode\":\"\",\"failMsg\":\"\","
              "\"costTime\":10000,\"completeTime\":1765186753319,\"createTime\":1765186743319,"
              "\"updateTime\":1765186753319,\"progress\":100,\"stage\":\"encode\","
              "\"step\":0,\"steps\":0,\"queuePosition\":null,\"etaMs\":0,\"etaLowMs\":0,"
              "\"etaHighMs\":0,\"previewUrl\":null,\"previewVersion\":0,\"creditsConsumed\":0,"
              "\"engine\":\"motion\","
              "\"recordId\":\"task_bytedance_1765186743319aabb\","
              "\"task_id\":\"task_bytedance_1765186743319aabb\","
              "\"callbackType\":\"task_completed\"}}");
    zt_arena_clear(&arena);
}

static void tells_of_failure(void)
{
    struct zt_arena arena = { 0 };
    const struct zt_task task = {
        .id = "t",
        .model = LITE,
        .engine = "motion",
        .state = ZT_TASK_FAIL,
        .param = "{}",
        .stage = "",
        .percent = 40,
        .created_us = 1000000,
        .completed_us = 3000000,
        .updated_us = 3000000,
        .result = "",
        .fail_code = "422",
        .fail_msg = "image is \"cut\" short\n",
        .file_token = "",
    };
    const char *body = zt_api_callback_body(&arena, &task, "http://h");

    CHECK_HAS("envelope", body,
              "{\"code\":501,\"msg\":\"Playground task failed.\",\"taskId\":\"t\"");
    CHECK_HAS("state", body, "\"state\":\"fail\"");
    CHECK_HAS("no result", body, "\"resultJson\":\"\"");
    CHECK_HAS("reason", body, "\"failCode\":\"422\",\"failMsg\":\"image is \\\"cut\\\" short\\n\"");
    CHECK_HAS("cost", body, "\"costTime\":2000,\"completeTime\":3000");
    CHECK_HAS("progress stays where it was", body, "\"progress\":40");
    zt_arena_clear(&arena);
}

static void names_failures(void)
{
    static const struct {
        enum zt_code code;
        const char *wire;
    } rows[] = {
        { ZT_E_INVALID, "422" }, { ZT_E_LIMIT, "422" },        { ZT_E_CORRUPT, "422" },
        { ZT_E_NET, "422" },     { ZT_E_TIMEOUT, "408" },      { ZT_E_CANCELLED, "501" },
        { ZT_E_NOMEM, "500" },   { ZT_E_IO, "500" },           { ZT_E_INTERNAL, "500" },
        { ZT_E_FULL, "500" },    { (enum zt_code)999, "500" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_STR("code", zt_api_fail_code(rows[i].code), rows[i].wire);
}

int main(void)
{
    RUN(takes_what_is_documented);
    RUN(refuses_with_words);
    RUN(counts_characters);
    RUN(limits_depth);
    RUN(limits_pictures);
    RUN(takes_other_durations_when_told);
    RUN(decides_on_the_filter);
    RUN(echoes_the_request);
    RUN(bounds_the_echo);
    RUN(hands_the_worker_everything);
    RUN(refuses_a_damaged_input);
    RUN(lists_the_files_of_a_result);
    RUN(tells_of_success);
    RUN(tells_of_failure);
    RUN(names_failures);
    return check_done();
}
