/* plan.c - see plan.h. */
#include "engine/plan.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "prompt/prompt.h"

/* The largest picture that the decoder's limits let through, with room. */
#define SIDE_MAX_PX 16384

static enum zt_code check_image(const struct zt_image *image, const char *field, struct zt_err *err)
{
    if (image->pixels == NULL || image->width_px < 1 || image->height_px < 1 ||
        image->width_px > SIDE_MAX_PX || image->height_px > SIDE_MAX_PX)
        return zt_fail_field(err, ZT_E_INVALID, field,
                             "%s must be a picture of 1 x 1 to %d x %d pixels, not %d x %d", field,
                             SIDE_MAX_PX, SIDE_MAX_PX, image->width_px, image->height_px);
    if (image->stride < (size_t)image->width_px * 3)
        return zt_fail_field(err, ZT_E_INVALID, field,
                             "%s has rows of %zu bytes, too few for %d pixels", field,
                             image->stride, image->width_px);
    return ZT_OK;
}

static enum zt_code check_prompt(const char *prompt, struct zt_err *err)
{
    size_t n = prompt != NULL ? strlen(prompt) : 0;

    if (n == 0 || strspn(prompt, " \t\r\n") == n)
        return zt_fail_field(err, ZT_E_INVALID, "prompt", "prompt must not be empty");
    if (!zt_utf8_valid(prompt, n))
        return zt_fail_field(err, ZT_E_INVALID, "prompt", "prompt is not valid UTF-8");
    size_t chars = zt_utf8_count(prompt, n);
    if (chars > ZT_PROMPT_MAX_CHARS)
        return zt_fail_field(err, ZT_E_INVALID, "prompt",
                             "prompt must be at most %d characters, not %zu", ZT_PROMPT_MAX_CHARS,
                             chars);
    return ZT_OK;
}

enum zt_code zt_request_check(const struct zt_request *request, struct zt_err *err)
{
    if (request->image == NULL)
        return zt_fail_field(err, ZT_E_INVALID, "image", "image must be given");
    ZT_TRY(check_image(request->image, "image", err));
    if (request->end_image != NULL)
        ZT_TRY(check_image(request->end_image, "end_image", err));
    ZT_TRY(check_prompt(request->prompt, err));
    if (request->resolution != ZT_480P && request->resolution != ZT_720P &&
        request->resolution != ZT_1080P)
        return zt_fail_field(err, ZT_E_INVALID, "resolution",
                             "resolution must be 480p, 720p or 1080p, not number %d",
                             (int)request->resolution);
    if (request->duration_s < ZT_DURATION_MIN_S || request->duration_s > ZT_DURATION_MAX_S)
        return zt_fail_field(err, ZT_E_INVALID, "duration",
                             "duration must be %d to %d seconds, not %d", ZT_DURATION_MIN_S,
                             ZT_DURATION_MAX_S, request->duration_s);
    if (request->seed < 0 || request->seed > INT32_MAX)
        return zt_fail_field(err, ZT_E_INVALID, "seed", "seed must be 0 to %d, not %" PRId64,
                             INT32_MAX, request->seed);
    return ZT_OK;
}

int zt_frames_for(int duration_s)
{
    return ZT_FPS * duration_s + 1;
}
