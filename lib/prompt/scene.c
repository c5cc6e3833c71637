/* scene.c - framing, subject position, atmosphere and stated length of a shot. */
#include "prompt/words.h"

#define SECONDS_MAX 60

static const struct zt_item *item_at(const struct zt_items *items, const struct zt_span *span,
                                     int i)
{
    static const struct zt_item none = { .class = ZT_W_PUNCT, .value = '.' };

    return i >= span->first && i < span->end ? &items->item[i] : &none;
}

/* "pulls out to a wide shot": where a move ends, not how the shot is framed. */
static bool is_goal(const struct zt_items *items, const struct zt_span *span, int i)
{
    bool to = false;

    for (int j = i - 1; j >= i - 8; j--) {
        const struct zt_item *it = item_at(items, span, j);
        if (it->class == ZT_W_PUNCT || it->class == ZT_W_CUT)
            return false;
        if ((it->class == ZT_W_FILLER && it->value == ZT_F_TO) ||
            (it->class == ZT_W_DIR && it->value == ZT_D_IN))
            to = true;
        if (it->class == ZT_W_VERB)
            return to || it->form == ZT_FORM_CHINESE;
    }
    return false;
}

static void read_atmosphere(const struct zt_items *items, const struct zt_span *span, int i,
                            struct zt_shot *shot)
{
    const struct zt_item *it = item_at(items, span, i);
    const struct zt_item *before = item_at(items, span, i - 1);
    const struct zt_item *after = item_at(items, span, i + 1);
    float much = it->strength;

    if (before->class == ZT_W_DEGREE)
        much = before->strength;
    else if (after->class == ZT_W_DEGREE)
        much = after->strength;
    else if (before->class == ZT_W_MOD && before->strength > 0 && before->value == 1)
        much = before->strength < 1 ? 0.5f : 2;
    if (much > shot->atmosphere[it->value] || before->class == ZT_W_DEGREE)
        shot->atmosphere[it->value] = much;
}

/* "for 3 seconds", 3秒; not the length of the whole video, not a moment ("after 3 seconds"). */
static void read_seconds(const struct zt_items *items, const struct zt_span *span, int i,
                         struct zt_shot *shot)
{
    const struct zt_item *number = item_at(items, span, i - 1);
    const struct zt_item *before = item_at(items, span, i - 2);
    const struct zt_item *after = item_at(items, span, i + 1);

    if (number->class != ZT_W_NUMBER || number->number <= 0 || number->number > SECONDS_MAX)
        return;
    if (after->class == ZT_W_FILLER) /* 5秒的视频 */
        after = item_at(items, span, i + 2);
    bool moment = before->class == ZT_W_FILLER && before->value == ZT_F_MARK;
    bool whole =
        after->class == ZT_W_FILM || before->class == ZT_W_FILM || after->class == ZT_W_LOOP;
    if (shot->seconds == 0 && !moment && !whole)
        shot->seconds = (float)number->number;
}

void zt_read_scene(const struct zt_items *items, const struct zt_span *span, struct zt_shot *shot)
{
    shot->seconds = span->seconds;
    for (int i = span->first; i < span->end; i++) {
        const struct zt_item *it = &items->item[i];
        if (it->negated)
            continue;
        switch (it->class) {
        case ZT_W_FRAMING:
            if (shot->framing == ZT_FRAMING_NONE && !is_goal(items, span, i))
                shot->framing = (enum zt_framing)it->value;
            break;
        case ZT_W_POSITION:
            if (!shot->subject_said) {
                shot->subject_said = true;
                shot->subject_x = ZT_AT_X(it->value);
                shot->subject_y = ZT_AT_Y(it->value);
            }
            break;
        case ZT_W_ATMO:
            read_atmosphere(items, span, i, shot);
            break;
        case ZT_W_SECONDS:
            read_seconds(items, span, i, shot);
            break;
        default:
            break;
        }
    }
}
