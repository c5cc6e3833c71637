/* fuzz_prompt.c - whatever the text, a prompt that is read is within its limits. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "prompt/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rate(float value)
{
    zt_assert(isfinite(value) && value > 0 && value <= 4);
}

static void check_shot(const struct zt_shot *shot, int index, int end_before, size_t size)
{
    zt_assert(shot->text_first >= end_before && shot->text_end >= shot->text_first);
    zt_assert((size_t)shot->text_end <= size);
    zt_assert(shot->moves >= 0 && shot->moves <= ZT_MOVES_MAX);
    zt_assert(shot->framing < ZT_FRAMINGS && shot->transition < ZT_TRANSITIONS);
    zt_assert(index > 0 || shot->transition == ZT_CUT);
    zt_assert(shot->subject_x >= -1 && shot->subject_x <= 1);
    zt_assert(shot->subject_y >= -1 && shot->subject_y <= 1);
    zt_assert(isfinite(shot->seconds) && shot->seconds >= 0 && shot->seconds <= 3600);
    for (int m = 0; m < shot->moves; m++) {
        zt_assert(shot->move[m].kind < ZT_MOVE_KINDS);
        zt_assert(m > 0 || !shot->move[m].then);
        check_rate(shot->move[m].speed);
        check_rate(shot->move[m].strength);
    }
    for (int a = 0; a < ZT_ATMO_KINDS; a++)
        zt_assert(shot->atmosphere[a] >= 0 && shot->atmosphere[a] <= 4);
}

static void check_explained(const char *text, enum zt_code want, int shots)
{
    static const struct zt_json_limits limits = { 1 << 21, 16 };
    char *explained = NULL;
    json_t *json = NULL;

    zt_assert(zt_explain(text, false, &explained, NULL) == want);
    zt_assert((explained != NULL) == (want == ZT_OK));
    free(explained);
    explained = NULL;
    zt_assert(zt_explain(text, true, &explained, NULL) == want);
    if (want != ZT_OK)
        return;
    zt_assert(zt_json_parse(explained, strlen(explained), &limits, &json, NULL) == ZT_OK);
    zt_assert(json_array_size(json_object_get(json, "shots")) == (size_t)shots);
    json_decref(json);
    free(explained);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zt_prompt p = { 0 };
    struct zt_err err = { 0 };
    char *text = malloc(size + 1);

    zt_assert(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    enum zt_code rc = zt_prompt_read(text, size, &p, &err);
    zt_assert(rc == ZT_OK || (rc == ZT_E_INVALID && err.msg[0] != '\0'));
    if (rc == ZT_OK) {
        zt_assert(p.shots >= 1 && p.shots <= ZT_SHOTS_MAX);
        for (int s = 0, end = 0; s < p.shots; end = p.shot[s++].text_end)
            check_shot(&p.shot[s], s, end, size);
    }
    if (strlen(text) == size)
        check_explained(text, rc, p.shots);
    free(text);
    return 0;
}
