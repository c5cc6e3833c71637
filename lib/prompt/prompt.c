/* prompt.c - reading a prompt: lex, negate, cut into shots, read each. And the names. */
#include "prompt/prompt.h"

#include <stdlib.h>

#include "base/str.h"
#include "prompt/words.h"

static enum zt_code check(const char *text, size_t n, struct zt_err *err)
{
    if (!zt_utf8_valid(text, n))
        return zt_fail_field(err, ZT_E_INVALID, "prompt", "prompt must be UTF-8 text");
    size_t count = zt_utf8_count(text, n);
    if (count > ZT_PROMPT_MAX_CHARS)
        return zt_fail_field(err, ZT_E_INVALID, "prompt",
                             "prompt must have at most %d characters, not %zu", ZT_PROMPT_MAX_CHARS,
                             count);
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        i += zt_utf8_next(text + i, n - i, &c);
        bool blank = c <= ' ' || c == 0x7F || c == 0x85 || c == 0xA0 || c == 0x1680 ||
                     (c >= 0x2000 && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
                     c == 0x205F || c == 0x2060 || c == 0x3000 || c == 0xFEFF;
        if (!blank)
            return ZT_OK;
    }
    return zt_fail_field(err, ZT_E_INVALID, "prompt",
                         "prompt must have 1 to %d characters that are not blank",
                         ZT_PROMPT_MAX_CHARS);
}

/* The bytes of a span: from its first item to its last, so that white space around is left out. */
static void set_range(const struct zt_items *items, const struct zt_span *span,
                      struct zt_shot *shot)
{
    if (span->first < span->end) {
        shot->text_first = items->item[span->first].first;
        shot->text_end = items->item[span->end - 1].end;
    }
}

enum zt_code zt_prompt_read(const char *text, size_t n, struct zt_prompt *ret, struct zt_err *err)
{
    struct zt_items items = { 0 };
    struct zt_span span[ZT_SHOTS_MAX];

    ZT_TRY(check(text, n, err));
    ZT_TRY(zt_lex(text, n, &items, err));
    zt_negate(&items);
    *ret = (struct zt_prompt){ 0 };
    ret->shots = zt_find_shots(&items, span);
    for (int s = 0; s < ret->shots; s++) {
        struct zt_shot *shot = &ret->shot[s];
        shot->transition = span[s].transition;
        set_range(&items, &span[s], shot);
        zt_read_scene(&items, &span[s], shot);
        zt_read_camera(&items, &span[s], shot, &ret->camera_mentioned);
    }
    for (int i = 0; i < items.n; i++)
        ret->loop = ret->loop || (items.item[i].class == ZT_W_LOOP && !items.item[i].negated);
    free(items.item);
    return ZT_OK;
}

/* clang-format off */
static const char *const move_names[ZT_MOVE_KINDS] = {
    [ZT_MOVE_STATIC] = "static",
    [ZT_MOVE_PUSH_IN] = "push_in",             [ZT_MOVE_PULL_OUT] = "pull_out",
    [ZT_MOVE_ZOOM_IN] = "zoom_in",             [ZT_MOVE_ZOOM_OUT] = "zoom_out",
    [ZT_MOVE_DOLLY_ZOOM_IN] = "dolly_zoom_in", [ZT_MOVE_DOLLY_ZOOM_OUT] = "dolly_zoom_out",
    [ZT_MOVE_PAN_LEFT] = "pan_left",           [ZT_MOVE_PAN_RIGHT] = "pan_right",
    [ZT_MOVE_TILT_UP] = "tilt_up",             [ZT_MOVE_TILT_DOWN] = "tilt_down",
    [ZT_MOVE_TRUCK_LEFT] = "truck_left",       [ZT_MOVE_TRUCK_RIGHT] = "truck_right",
    [ZT_MOVE_PEDESTAL_UP] = "pedestal_up",     [ZT_MOVE_PEDESTAL_DOWN] = "pedestal_down",
    [ZT_MOVE_ROLL_CW] = "roll_cw",             [ZT_MOVE_ROLL_CCW] = "roll_ccw",
    [ZT_MOVE_ORBIT_LEFT] = "orbit_left",       [ZT_MOVE_ORBIT_RIGHT] = "orbit_right",
    [ZT_MOVE_CRANE_UP] = "crane_up",           [ZT_MOVE_CRANE_DOWN] = "crane_down",
    [ZT_MOVE_FOLLOW] = "follow",               [ZT_MOVE_HANDHELD] = "handheld",
};
static const char *const framing_names[ZT_FRAMINGS] = {
    [ZT_FRAMING_NONE] = "none",         [ZT_FRAMING_EXTREME_WIDE] = "extreme_wide",
    [ZT_FRAMING_WIDE] = "wide",         [ZT_FRAMING_FULL] = "full",
    [ZT_FRAMING_MEDIUM] = "medium",     [ZT_FRAMING_CLOSE_UP] = "close_up",
    [ZT_FRAMING_EXTREME_CLOSE_UP] = "extreme_close_up",
};
static const char *const atmosphere_names[ZT_ATMO_KINDS] = {
    [ZT_ATMO_RAIN] = "rain",
    [ZT_ATMO_SNOW] = "snow",
    [ZT_ATMO_FOG] = "fog",
    [ZT_ATMO_DUST] = "dust",
    [ZT_ATMO_EMBERS] = "embers",
    [ZT_ATMO_WATER] = "water",
    [ZT_ATMO_WIND] = "wind",
    [ZT_ATMO_CLOUDS] = "clouds",
    [ZT_ATMO_FLICKER] = "flicker",
    [ZT_ATMO_SUN_RAYS] = "sun_rays",
    [ZT_ATMO_NIGHT] = "night",
    [ZT_ATMO_PETALS] = "petals",
};
static const char *const transition_names[ZT_TRANSITIONS] = {
    [ZT_CUT] = "cut",                   [ZT_DISSOLVE] = "dissolve",    [ZT_FADE] = "fade",
    [ZT_WHIP_PAN] = "whip_pan",         [ZT_MATCH_CUT] = "match_cut",
};
/* clang-format on */

const char *zt_move_name(enum zt_move_kind kind)
{
    return move_names[kind];
}

const char *zt_framing_name(enum zt_framing framing)
{
    return framing_names[framing];
}

const char *zt_atmosphere_name(enum zt_atmosphere kind)
{
    return atmosphere_names[kind];
}

const char *zt_transition_name(enum zt_transition transition)
{
    return transition_names[transition];
}
