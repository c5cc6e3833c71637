/*
 * kie.h - the documented contract of createTask: the models, their tables, a request read by them.
 *
 * Reading has no side effects: pictures that were sent along as data: URLs are decoded and checked
 * in memory, and the caller stores them.
 */
#ifndef ZT_API_KIE_H
#define ZT_API_KIE_H

#include "api/api.h"
#include "api/field.h"
#include "base/buf.h"
#include "base/digest.h"

#define ZT_KIE_BODY_MAX   ((size_t)32 << 20) /* two pictures of 10 MiB in base64, and some */
#define ZT_KIE_IMAGE_MAX  ((size_t)10 << 20)
#define ZT_KIE_PROMPT_MAX 10000
#define ZT_KIE_FPS        24

/* Of a video of so many seconds. */
#define ZT_KIE_FRAMES(seconds) (ZT_KIE_FPS * (seconds) + 1)

struct zt_kie_model {
    const char *name;
    const char *about;
    const struct zt_field *fields; /* of `input`, filling struct zt_kie_input */
    size_t fields_n;
};

/* By index, for listing: NULL past the last. */
const struct zt_kie_model *zt_kie_model(int index);

/* model, callBackUrl, input. */
const struct zt_field *zt_kie_root_fields(size_t *ret_n);

/* What the tables fill. */
struct zt_kie_input {
    const char *prompt, *image_url, *end_image_url, *resolution;
    int duration_s;
    int64_t frames; /* asked for instead of a duration, which is the nearest then; 0: not asked */
    bool camera_fixed;
    int64_t seed; /* -1: to be drawn */
    bool enable_safety_checker, nsfw_checker;
};

/* A picture that came inside the request, or that is on this server (own.h). */
struct zt_kie_picture {
    struct zt_buf bytes; /* n 0: there is none */
    char sha256[ZT_SHA256_HEX];
    const char *media; /* "image/png", by its content */
    const char *blob;  /* "input/<sha256>"; or "upload/<sha256>", which is stored already */
    bool stored;       /* it is one of ours, that the request names by its URL */
};

enum zt_kie_picture_of { ZT_KIE_IMAGE, ZT_KIE_END_IMAGE, ZT_KIE_PICTURES };

struct zt_kie_request {
    const struct zt_kie_model *model;
    const char *callback_url; /* "" for none */
    struct zt_kie_input input;
    struct zt_kie_picture pictures[ZT_KIE_PICTURES];
    json_t *root;
    bool safety; /* whether the output filter is on */
};

void zt_kie_request_clear(struct zt_kie_request *request);

#define zt_auto_kie_request __attribute__((cleanup(zt_kie_request_clear)))

struct zt_kie_rules {
    struct zt_field_rules fields;
    bool allow_unfiltered;
};

/*
 * Reads the body of createTask into a zeroed *ret, which the caller clears in any case. Strings
 * live in the problems' arena.
 *   ZT_E_CORRUPT  the body is not a JSON object
 *   ZT_E_INVALID  it is, but problems->text says what is wrong with it
 */
enum zt_code zt_kie_read(const char *body, size_t n, const struct zt_kie_rules *rules,
                         struct zt_kie_request *ret, struct zt_problems *problems);

/*
 * The request as recordInfo echoes it: JSON text of model, callBackUrl if sent, input as sent,
 * with pictures sent along in a short form. In arena; NULL when it does not fit.
 */
const char *zt_kie_param(const struct zt_kie_request *request, struct zt_arena *arena);

/* What a worker needs, for zt_i2v_from_input; seed is the one in request->input, drawn by now. */
const char *zt_kie_input(const struct zt_kie_request *request, struct zt_arena *arena);

#endif
