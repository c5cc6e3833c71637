/*
 * explain.c - zt_explain: what was read out of a prompt, for people and for programs.
 *
 * Numbers are written digit by digit: printf would put the host's decimal comma into JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "prompt/words.h"

#define TEXT_MAX (1 << 20) /* a prompt of the greatest length, every character escaped, fits */

struct out {
    struct zt_buf *buf;
    struct zt_err *err;
    const char *text;
};

/* ---- shared -------------------------------------------------------------------------------- */

static enum zt_code put(const struct out *out, const char *s)
{
    return zt_buf_add(out->buf, s, strlen(s), out->err);
}

/* Two decimals at most, none where they are zero. */
static enum zt_code put_number(const struct out *out, float value)
{
    long hundredths = (long)(value * 100 + (value < 0 ? -0.5F : 0.5F));
    const char *sign = hundredths < 0 ? "-" : "";

    hundredths = hundredths < 0 ? -hundredths : hundredths;
    if (hundredths % 100 == 0)
        return zt_buf_printf(out->buf, out->err, "%s%ld", sign, hundredths / 100);
    if (hundredths % 10 == 0)
        return zt_buf_printf(out->buf, out->err, "%s%ld.%ld", sign, hundredths / 100,
                             hundredths / 10 % 10);
    return zt_buf_printf(out->buf, out->err, "%s%ld.%02ld", sign, hundredths / 100,
                         hundredths % 100);
}

/* ---- text ---------------------------------------------------------------------------------- */

/* "push_in" as "push in". */
static enum zt_code put_words(const struct out *out, const char *name)
{
    for (; *name != '\0'; name++)
        ZT_TRY(zt_buf_add(out->buf, *name == '_' ? " " : name, 1, out->err));
    return ZT_OK;
}

/* The words of a shot on one line. */
static enum zt_code put_quoted(const struct out *out, int first, int end)
{
    ZT_TRY(put(out, "\""));
    for (int i = first; i < end; i++) {
        unsigned char c = (unsigned char)out->text[i];
        ZT_TRY(zt_buf_add(out->buf, c < ' ' || c == 0x7F ? " " : out->text + i, 1, out->err));
    }
    return put(out, "\"");
}

static const char *speed_word(float speed)
{
    return speed < 0.45F  ? ", very slowly"
           : speed < 0.9F ? ", slowly"
           : speed > 2.2F ? ", very quickly"
           : speed > 1.1F ? ", quickly"
                          : "";
}

static const char *strength_word(float strength)
{
    return strength < 0.9F ? ", slightly" : strength > 1.1F ? ", strongly" : "";
}

static enum zt_code put_moves_text(const struct out *out, const struct zt_shot *shot)
{
    ZT_TRY(put(out, "  camera      "));
    if (shot->moves == 0)
        ZT_TRY(put(out, "nothing said"));
    for (int m = 0; m < shot->moves; m++) {
        const struct zt_move *move = &shot->move[m];
        if (m > 0)
            ZT_TRY(put(out, move->then ? "; then " : "; together with "));
        ZT_TRY(put_words(out, zt_move_name(move->kind)));
        ZT_TRY(put(out, speed_word(move->speed)));
        ZT_TRY(put(out, strength_word(move->strength)));
    }
    return put(out, "\n");
}

static enum zt_code put_place_text(const struct out *out, const struct zt_shot *shot)
{
    const char *across = shot->subject_x < 0 ? "left" : shot->subject_x > 0 ? "right" : "";
    const char *along = shot->subject_y < 0 ? "upper" : shot->subject_y > 0 ? "lower" : "";

    if (!shot->subject_said)
        return ZT_OK;
    if (*across == '\0' && *along == '\0')
        across = "centre";
    return zt_buf_printf(out->buf, out->err, "  subject     %s%s%s\n", along,
                         *along != '\0' && *across != '\0' ? " " : "", across);
}

static enum zt_code put_atmosphere_text(const struct out *out, const struct zt_shot *shot)
{
    const char *before = "  atmosphere  ";

    for (int a = 0; a < ZT_ATMO_KINDS; a++) {
        if (shot->atmosphere[a] <= 0)
            continue;
        const char *much = shot->atmosphere[a] < 0.9F   ? "light "
                           : shot->atmosphere[a] > 1.1F ? "heavy "
                                                        : "";
        ZT_TRY(zt_buf_printf(out->buf, out->err, "%s%s", before, much));
        ZT_TRY(put_words(out, zt_atmosphere_name((enum zt_atmosphere)a)));
        before = ", ";
    }
    return *before == ',' ? put(out, "\n") : ZT_OK;
}

static enum zt_code put_shot_text(const struct out *out, const struct zt_shot *shot, int index)
{
    ZT_TRY(zt_buf_printf(out->buf, out->err, "%sShot %d: ", index > 0 ? "\n" : "", index + 1));
    ZT_TRY(put_quoted(out, shot->text_first, shot->text_end));
    ZT_TRY(put(out, "\n"));
    if (index > 0) {
        ZT_TRY(put(out, "  begins with "));
        ZT_TRY(put_words(out, zt_transition_name(shot->transition)));
        ZT_TRY(put(out, "\n"));
    }
    if (shot->seconds > 0) {
        ZT_TRY(put(out, "  length      "));
        ZT_TRY(put_number(out, shot->seconds));
        ZT_TRY(put(out, " s\n"));
    }
    ZT_TRY(put_moves_text(out, shot));
    if (shot->framing != ZT_FRAMING_NONE) {
        ZT_TRY(put(out, "  framing     "));
        ZT_TRY(put_words(out, zt_framing_name(shot->framing)));
        ZT_TRY(put(out, "\n"));
    }
    ZT_TRY(put_place_text(out, shot));
    return put_atmosphere_text(out, shot);
}

static enum zt_code put_text(const struct out *out, const struct zt_prompt *prompt)
{
    for (int s = 0; s < prompt->shots; s++)
        ZT_TRY(put_shot_text(out, &prompt->shot[s], s));
    return prompt->loop ? put(out, "\nThe video loops.\n") : ZT_OK;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static enum zt_code put_json_string(const struct out *out, const char *s, size_t n)
{
    ZT_TRY(put(out, "\""));
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < ' ' || c == 0x7F)
            ZT_TRY(zt_buf_printf(out->buf, out->err, "\\u%04x", c));
        else if (c == '"' || c == '\\')
            ZT_TRY(zt_buf_printf(out->buf, out->err, "\\%c", c));
        else
            ZT_TRY(zt_buf_add(out->buf, s + i, 1, out->err));
    }
    return put(out, "\"");
}

static enum zt_code put_moves_json(const struct out *out, const struct zt_shot *shot)
{
    ZT_TRY(put(out, "\"moves\":["));
    for (int m = 0; m < shot->moves; m++) {
        const struct zt_move *move = &shot->move[m];
        ZT_TRY(zt_buf_printf(out->buf, out->err, "%s{\"move\":\"%s\",\"speed\":", m ? "," : "",
                             zt_move_name(move->kind)));
        ZT_TRY(put_number(out, move->speed));
        ZT_TRY(put(out, ",\"strength\":"));
        ZT_TRY(put_number(out, move->strength));
        ZT_TRY(put(out, move->then ? ",\"then\":true}" : ",\"then\":false}"));
    }
    return put(out, "],");
}

static enum zt_code put_scene_json(const struct out *out, const struct zt_shot *shot)
{
    const char *before = "";

    ZT_TRY(put(out, "\"framing\":"));
    ZT_TRY(shot->framing == ZT_FRAMING_NONE
               ? put(out, "null")
               : zt_buf_printf(out->buf, out->err, "\"%s\"", zt_framing_name(shot->framing)));
    ZT_TRY(put(out, ",\"subject\":"));
    if (shot->subject_said) {
        ZT_TRY(put(out, "{\"x\":"));
        ZT_TRY(put_number(out, shot->subject_x));
        ZT_TRY(put(out, ",\"y\":"));
        ZT_TRY(put_number(out, shot->subject_y));
        ZT_TRY(put(out, "}"));
    } else {
        ZT_TRY(put(out, "null"));
    }
    ZT_TRY(put(out, ",\"atmosphere\":{"));
    for (int a = 0; a < ZT_ATMO_KINDS; a++) {
        if (shot->atmosphere[a] <= 0)
            continue;
        ZT_TRY(zt_buf_printf(out->buf, out->err, "%s\"%s\":", before,
                             zt_atmosphere_name((enum zt_atmosphere)a)));
        ZT_TRY(put_number(out, shot->atmosphere[a]));
        before = ",";
    }
    return put(out, "}");
}

static enum zt_code put_shot_json(const struct out *out, const struct zt_shot *shot, int index)
{
    size_t n = (size_t)(shot->text_end - shot->text_first);

    ZT_TRY(zt_buf_printf(out->buf, out->err, "%s{\"text\":", index > 0 ? "," : ""));
    ZT_TRY(put_json_string(out, out->text + shot->text_first, n));
    ZT_TRY(zt_buf_printf(out->buf, out->err, ",\"first_byte\":%d,\"end_byte\":%d,",
                         shot->text_first, shot->text_end));
    ZT_TRY(zt_buf_printf(out->buf, out->err, "\"transition\":\"%s\",\"seconds\":",
                         zt_transition_name(shot->transition)));
    ZT_TRY(shot->seconds > 0 ? put_number(out, shot->seconds) : put(out, "null"));
    ZT_TRY(put(out, ","));
    ZT_TRY(put_moves_json(out, shot));
    ZT_TRY(put_scene_json(out, shot));
    return put(out, "}");
}

/* The words that the vocabulary does not have; Chinese characters in a row are one. */
static enum zt_code put_unread_items(const struct out *out, const struct zt_items *items)
{
    const char *before = "";

    for (int i = 0; i < items->n; i++) {
        if (items->item[i].class != ZT_W_OTHER)
            continue;
        int first = items->item[i].first;
        while (i + 1 < items->n && items->item[i + 1].class == ZT_W_OTHER &&
               items->item[i + 1].first == items->item[i].end)
            i++;
        int end = items->item[i].end;
        ZT_TRY(zt_buf_printf(out->buf, out->err, "%s{\"text\":", before));
        ZT_TRY(put_json_string(out, out->text + first, (size_t)(end - first)));
        ZT_TRY(
            zt_buf_printf(out->buf, out->err, ",\"first_byte\":%d,\"end_byte\":%d}", first, end));
        before = ",";
    }
    return ZT_OK;
}

static enum zt_code put_unread_json(const struct out *out)
{
    struct zt_items items = { 0 };

    ZT_TRY(zt_lex(out->text, strlen(out->text), &items, out->err));
    enum zt_code rc = put_unread_items(out, &items);
    free(items.item);
    return rc;
}

static enum zt_code put_json(const struct out *out, const struct zt_prompt *prompt)
{
    ZT_TRY(put(out, "{\"shots\":["));
    for (int s = 0; s < prompt->shots; s++)
        ZT_TRY(put_shot_json(out, &prompt->shot[s], s));
    ZT_TRY(zt_buf_printf(out->buf, out->err, "],\"loop\":%s,\"camera_mentioned\":%s,\"unread\":[",
                         prompt->loop ? "true" : "false",
                         prompt->camera_mentioned ? "true" : "false"));
    ZT_TRY(put_unread_json(out));
    return put(out, "]}\n");
}

enum zt_code zt_explain(const char *prompt, bool as_json, char **ret, struct zt_err *err)
{
    struct zt_prompt read;
    struct zt_buf buf;
    struct out out = { &buf, err, prompt };

    if (prompt == NULL)
        return zt_fail_field(err, ZT_E_INVALID, "prompt", "prompt must not be missing");
    ZT_TRY(zt_prompt_read(prompt, strlen(prompt), &read, err));
    zt_buf_init(&buf, TEXT_MAX);
    enum zt_code rc = as_json ? put_json(&out, &read) : put_text(&out, &read);
    if (rc == ZT_OK)
        *ret = zt_buf_take(&buf, NULL);
    zt_buf_clear(&buf);
    return rc;
}
