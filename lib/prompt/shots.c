/*
 * shots.c - where one shot ends and the next begins.
 *
 * Marks: words for a cut, tags in brackets (【切镜】, [Wide shot]), "Shot 2:", 镜头二：, numbered
 * lists, time codes (0-3s:, [0:03-0:06]), 前3秒. A mark with nothing but marks before it begins no
 * second shot, and the first of a list does not cut off the sentence that announces the list.
 */
#include "prompt/words.h"

#define SECONDS_MAX 600

struct mark {
    int first, end; /* items; first == end: no mark here */
    enum zt_transition transition;
    float seconds;
    double ordinal; /* "Shot 2", "2.": 2; 0 when it has none */
    bool label;     /* a numbered or timed one: its first does not split */
};

static const struct zt_item *item_at(const struct zt_items *items, int i)
{
    static const struct zt_item none = { .class = ZT_W_PUNCT, .value = '\n' };

    return i >= 0 && i < items->n ? &items->item[i] : &none;
}

static bool is_punct(const struct zt_items *items, int i, int value)
{
    return item_at(items, i)->class == ZT_W_PUNCT && item_at(items, i)->value == value;
}

static bool is_number(const struct zt_items *items, int i)
{
    return item_at(items, i)->class == ZT_W_NUMBER;
}

static bool starts_sentence(const struct zt_items *items, int i)
{
    const struct zt_item *before = item_at(items, i - 1);

    return i == 0 || (before->class == ZT_W_PUNCT && before->value != '-' && before->value != '/' &&
                      before->value != '\'');
}

/* ---- time codes ---------------------------------------------------------------------------- */

/* "3", "3s", "0:03", "00:03.5" at i: the item after it, or i; seconds in *ret. */
static int read_time(const struct zt_items *items, int i, double *ret)
{
    if (!is_number(items, i))
        return i;
    *ret = item_at(items, i)->number;
    i++;
    for (int parts = 1; parts < 3 && is_punct(items, i, ':') && is_number(items, i + 1); parts++) {
        *ret = *ret * 60 + item_at(items, i + 1)->number;
        i += 2;
    }
    return i;
}

/* "0-3s", "0:00 - 0:03", "3秒到5秒": the item after it, or i; the span in *from and *to. */
static int read_range(const struct zt_items *items, int i, double *from, double *to)
{
    int start = i;
    bool unit = false;

    i = read_time(items, i, from);
    if (i == start)
        return start;
    bool clock = i > start + 1;
    if (item_at(items, i)->class == ZT_W_SECONDS) {
        unit = true;
        i++;
    }
    const struct zt_item *dash = item_at(items, i);
    bool joins = (dash->class == ZT_W_PUNCT &&
                  (dash->value == '-' || dash->value == '~' || dash->value == ';')) ||
                 (dash->class == ZT_W_FILLER && dash->value == ZT_F_TO);
    if (!joins)
        return start;
    while (is_punct(items, i + 1, ';')) /* a dash of two parts */
        i++;
    if (item_at(items, i + 1)->class == ZT_W_FILLER && item_at(items, i + 1)->value == ZT_F_MARK)
        i++; /* 第1秒到第3秒 */
    int second = read_time(items, i + 1, to);
    if (second == i + 1)
        return start;
    clock = clock && second > i + 2;
    i = second;
    if (item_at(items, i)->class == ZT_W_SECONDS) {
        unit = true;
        i++;
    }
    return (unit || clock) && *to > *from && *to <= SECONDS_MAX ? i : start;
}

static struct mark time_mark(const struct zt_items *items, int i)
{
    struct mark m = { .first = i, .end = i, .label = true };
    double from = 0;
    double to = 0;
    int start = i;

    if (item_at(items, i)->class == ZT_W_FILLER && item_at(items, i)->value == ZT_F_MARK)
        start++;
    int end = read_range(items, start, &from, &to);
    if (end > start) {
        m.end = end;
        m.seconds = (float)(to - from);
        m.ordinal = from == 0 ? 1 : 2;
        return m;
    }
    /* 前3秒, 后2秒 */
    const struct zt_item *it = item_at(items, i);
    bool half = it->class == ZT_W_DIR && it->form == ZT_FORM_CHINESE &&
                (it->value == ZT_D_IN || it->value == ZT_D_OUT);
    if (half && is_number(items, i + 1) && item_at(items, i + 1)->number > 0 &&
        item_at(items, i + 1)->number <= SECONDS_MAX &&
        item_at(items, i + 2)->class == ZT_W_SECONDS) {
        m.end = i + 3;
        m.seconds = (float)item_at(items, i + 1)->number;
        m.ordinal = it->value == ZT_D_IN ? 1 : 2;
    }
    return m;
}

/* ---- labels -------------------------------------------------------------------------------- */

static bool closes_label(const struct zt_items *items, int i)
{
    const struct zt_item *it = item_at(items, i);

    return it->class == ZT_W_PUNCT && it->value != '/' && it->value != '-' && it->value != '%';
}

/* "Shot 2:", "Scene 3 -", 镜头二：, 第二个镜头 */
static struct mark part_mark(const struct zt_items *items, int i)
{
    struct mark m = { .first = i, .end = i, .label = true };
    const struct zt_item *it = item_at(items, i);
    bool part = it->class == ZT_W_PART || (it->class == ZT_W_CAMERA && it->value == ZT_CAM_SHOT) ||
                (it->class == ZT_W_CAMERA && it->value == ZT_CAM_FRAME);

    if (part && is_number(items, i + 1) &&
        (closes_label(items, i + 2) ||
         (item_at(items, i + 2)->class == ZT_W_PUNCT && item_at(items, i + 2)->value == '-'))) {
        m.end = i + 2;
        m.ordinal = item_at(items, i + 1)->number;
        return m;
    }
    bool nth = it->class == ZT_W_FILLER && it->value == ZT_F_MARK && is_number(items, i + 1);
    if (!nth)
        return m;
    int noun = i + 2; /* 第二个镜头, 第二幕 */
    if (item_at(items, noun)->class == ZT_W_OTHER)
        noun++;
    const struct zt_item *what = item_at(items, noun);
    if (what->class == ZT_W_PART || (what->class == ZT_W_CAMERA && what->value == ZT_CAM_SHOT)) {
        m.end = noun + 1;
        m.ordinal = item_at(items, i + 1)->number;
    }
    return m;
}

/* "2." "2)" "2、" before text; `want` is the number that would go on the list. */
static struct mark list_mark(const struct zt_items *items, int i, int want)
{
    struct mark m = { .first = i, .end = i, .label = true };
    const struct zt_item *it = item_at(items, i);

    if (it->class == ZT_W_LIST) {
        m.end = i + 1;
        m.ordinal = it->number;
    } else if (is_number(items, i) && it->number == want) {
        bool closed = is_punct(items, i + 1, '.') || is_punct(items, i + 1, ')') ||
                      is_punct(items, i + 1, '/') || is_punct(items, i + 1, ':');
        if (closed && !is_number(items, i + 2)) {
            m.end = i + 2;
            m.ordinal = want;
        }
    }
    return m;
}

/* ---- tags and words ------------------------------------------------------------------------ */

static int find_bracket_end(const struct zt_items *items, int i)
{
    for (int j = i + 1; j < items->n && j <= i + 12; j++) {
        if (is_punct(items, j, ']'))
            return j;
        if (is_punct(items, j, '[') || is_punct(items, j, '\n'))
            return -1;
    }
    return -1;
}

static struct mark any_mark(const struct zt_items *items, int i, int want);

/* 【切镜】, [Wide shot], 【特写镜头】, [0-3s]; not [slow push in] */
static struct mark tag_mark(const struct zt_items *items, int i)
{
    struct mark m = { .first = i, .end = i };
    int close = is_punct(items, i, '[') ? find_bracket_end(items, i) : -1;

    if (close < 0 || close == i + 1)
        return m;
    for (int j = i + 1; j < close; j++) {
        struct mark inner = any_mark(items, j, -1);
        if (inner.end > j) {
            inner.first = i;
            inner.end = inner.end > close ? close + 1 : inner.end; /* the rest is read as text */
            return inner;
        }
    }
    const struct zt_item *last = item_at(items, close - 1);
    if (last->class == ZT_W_FRAMING || (last->class == ZT_W_CAMERA && last->value == ZT_CAM_SHOT) ||
        (last->class == ZT_W_VERB && item_at(items, i + 1)->class == ZT_W_FRAMING))
        m.end = i + 1; /* what the tag says is for the reader of the shot */
    return m;
}

static bool names_picture(const struct zt_item *it)
{
    return it->class == ZT_W_CAMERA || it->class == ZT_W_PART || it->class == ZT_W_THEN ||
           it->class == ZT_W_FILM || it->class == ZT_W_AND;
}

static struct mark word_mark(const struct zt_items *items, int i)
{
    struct mark m = { .first = i, .end = i };
    const struct zt_item *it = item_at(items, i);

    if (it->negated)
        return m;
    if (it->class == ZT_W_CUT) {
        /* "a cut", "quick cuts" name an editing style, "she cuts ..." an act */
        const struct zt_item *before = item_at(items, i - 1);
        bool verb_of_another = it->form != ZT_FORM_CHINESE && i > 0 &&
                               (before->class == ZT_W_PRONOUN || before->class == ZT_W_MOD ||
                                (before->class == ZT_W_FILLER && before->value != ZT_F_TO)) &&
                               it->end - it->first <= 4;
        if (!verb_of_another)
            m.end = i + 1;
    } else if (it->class == ZT_W_BLEND &&
               (starts_sentence(items, i) || names_picture(item_at(items, i - 1)))) {
        enum zt_word_class next = item_at(items, i + 1)->class;
        if (next != ZT_W_DIR || it->value != ZT_WHIP_PAN)
            m.end = i + 1;
    }
    m.transition = m.end > i ? (enum zt_transition)it->value : ZT_CUT;
    return m;
}

static struct mark any_mark(const struct zt_items *items, int i, int want)
{
    struct mark m = word_mark(items, i);

    if (m.end == i && (starts_sentence(items, i) || item_at(items, i - 1)->class == ZT_W_CUT ||
                       item_at(items, i - 1)->class == ZT_W_THEN)) {
        m = part_mark(items, i);
        if (m.end == i)
            m = time_mark(items, i);
        if (m.end == i && want > 0)
            m = list_mark(items, i, want);
    }
    /* a list that goes on inside a line: "1) ... 2) ..." */
    bool on_list = want > 1 && item_at(items, i)->spaced;
    if (m.end == i && (on_list || item_at(items, i)->class == ZT_W_LIST))
        m = list_mark(items, i, want);
    return m;
}

/* ---- cutting ------------------------------------------------------------------------------- */

static bool is_empty(const struct zt_items *items, int first, int end)
{
    for (int i = first; i < end; i++) {
        enum zt_word_class class = items->item[i].class;
        if (class != ZT_W_PUNCT && class != ZT_W_FILLER && class != ZT_W_THEN && class != ZT_W_AND)
            return false;
    }
    return true;
}

int zt_find_shots(const struct zt_items *items, struct zt_span span[ZT_SHOTS_MAX])
{
    int shots = 1;
    int text = 0;   /* item after the last mark */
    int labels = 0; /* numbered marks so far */
    int want = 1;   /* the number that would go on a list */

    span[0] = (struct zt_span){ .first = 0, .end = items->n };
    for (int i = 0; i < items->n;) {
        struct mark m = is_punct(items, i, '[') ? tag_mark(items, i) : any_mark(items, i, want);
        if (m.end <= i) {
            i++;
            continue;
        }
        bool opens = m.label && labels == 0 && m.ordinal <= 1 && shots == 1;
        bool first = is_empty(items, text, i);
        labels += m.label;
        if (m.ordinal > 0)
            want = m.ordinal < 1000 ? (int)m.ordinal + 1 : -1;
        struct zt_span *now = &span[shots - 1];
        if (!opens && !first && shots < ZT_SHOTS_MAX) {
            now->end = i;
            span[shots++] = (struct zt_span){ .first = i, .end = items->n };
            now++;
        }
        if (m.transition != ZT_CUT && shots > 1)
            now->transition = m.transition;
        if (m.seconds > 0 && (opens || first || now->first == i))
            now->seconds = m.seconds;
        i = m.end;
        text = i;
    }
    if (shots > 1 && is_empty(items, text, items->n) && text > span[shots - 1].first) {
        shots--; /* a mark at the very end: "fade to black." */
        span[shots - 1].end = items->n;
    }
    return shots;
}
