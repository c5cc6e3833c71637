/*
 * Reading prompts: the labelled corpus, and tables for everything a prompt can say.
 *
 * The labels of tests/fixtures/prompts.tsv are what a person who makes films understands, written
 * before the reader was tried on them. A third of the rows is held back; those from 428 on were
 * never looked at when the reader was changed, so their figure is the one to expect elsewhere.
 */
#include "prompt/prompt.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "check.h"
#include "prompt/words.h"

#define CORPUS  ZT_FIXTURES "/prompts.tsv"
#define COLUMNS 8

static struct zt_prompt read_prompt(const char *text)
{
    struct zt_prompt p = { 0 };
    struct zt_err err = { 0 };

    if (zt_prompt_read(text, strlen(text), &p, &err) != ZT_OK)
        printf("[%s] not read: %s\n", text, err.msg);
    return p;
}

/* ---- the labelled corpus ------------------------------------------------------------------- */

struct score {
    long rows, wanted, got, hit; /* moves */
    long shots_right, order_right, framing, framing_right, air, air_right;
};

struct row {
    char *id, *split, *lang, *prompt, *moves, *shots, *framing, *air;
};

/* Cuts s at every `sep`; returns how many parts, at most max. */
static int split_text(char *s, char sep, char *part[], int max)
{
    int n = 0;

    for (char *end; n < max; s = end + 1) {
        part[n++] = s;
        end = strchr(s, sep);
        if (end == NULL)
            break;
        *end = '\0';
    }
    return n;
}

static void unescape(char *s)
{
    char *to = s;

    for (; *s != '\0'; s++) {
        if (s[0] == '\\' && s[1] == 'n') {
            *to++ = '\n';
            s++;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

/* "push_in,pan_left" for what was read; "-" for nothing. */
static void moves_text(const struct zt_shot *shot, char *dst, size_t size)
{
    dst[0] = '\0';
    for (int m = 0; m < shot->moves; m++) {
        size_t n = strlen(dst);
        snprintf(dst + n, size - n, "%s%s", m ? "," : "", zt_move_name(shot->move[m].kind));
    }
    if (shot->moves == 0)
        snprintf(dst, size, "-");
}

static bool has_move(const struct zt_shot *shot, const char *name)
{
    for (int m = 0; m < shot->moves; m++) {
        if (strcmp(zt_move_name(shot->move[m].kind), name) == 0)
            return true;
    }
    return false;
}

static void score_moves(const struct row *row, const struct zt_prompt *p, struct score *score)
{
    char *shot[ZT_SHOTS_MAX];
    char want[512];
    char said[1024] = "";
    bool same = true;

    snprintf(want, sizeof(want), "%s", row->moves);
    int shots = split_text(want, '|', shot, ZT_SHOTS_MAX);
    for (int s = 0; s < p->shots; s++) {
        char one[256];
        size_t n = strlen(said);
        moves_text(&p->shot[s], one, sizeof(one));
        snprintf(said + n, sizeof(said) - n, "%s%s", s ? "|" : "", one);
        score->got += p->shot[s].moves;
    }
    for (int s = 0; s < shots; s++) {
        char *move[ZT_MOVES_MAX];
        int moves = strcmp(shot[s], "-") == 0 ? 0 : split_text(shot[s], ',', move, ZT_MOVES_MAX);
        score->wanted += moves;
        for (int m = 0; m < moves && s < p->shots; m++)
            score->hit += has_move(&p->shot[s], move[m]);
    }
    same = strcmp(said, row->moves) == 0;
    score->order_right += same;
    if (!same)
        printf("  %s %s: %s, not %s: %s\n", row->id, row->split, said, row->moves, row->prompt);
}

static void score_scene(const struct row *row, const struct zt_prompt *p, struct score *score)
{
    char *part[ZT_SHOTS_MAX];
    int64_t shots = 0;

    CHECK(row->id, zt_parse_int(row->shots, 1, ZT_SHOTS_MAX, &shots));
    score->shots_right += p->shots == shots;
    if (p->shots != shots)
        printf("  %s %s: %d shots, not %s: %s\n", row->id, row->split, p->shots, row->shots,
               row->prompt);
    int n = row->framing[0] != '\0' ? split_text(row->framing, '|', part, ZT_SHOTS_MAX) : 0;
    for (int s = 0; s < n && s < p->shots; s++) {
        if (part[s][0] == '\0')
            continue;
        bool right = strcmp(part[s], zt_framing_name(p->shot[s].framing)) == 0;
        score->framing++;
        score->framing_right += right;
        if (!right)
            printf("  %s %s: framing %s, not %s: %s\n", row->id, row->split,
                   zt_framing_name(p->shot[s].framing), part[s], row->prompt);
    }
    n = row->air[0] != '\0' ? split_text(row->air, ',', part, ZT_SHOTS_MAX) : 0;
    for (int a = 0; a < n; a++) {
        bool right = false;
        for (int s = 0; s < p->shots; s++) {
            for (int k = 0; k < ZT_ATMO_KINDS; k++)
                right = right || (p->shot[s].atmosphere[k] > 0 &&
                                  strcmp(part[a], zt_atmosphere_name((enum zt_atmosphere)k)) == 0);
        }
        score->air++;
        score->air_right += right;
        if (!right)
            printf("  %s %s: no %s: %s\n", row->id, row->split, part[a], row->prompt);
    }
}

static double ratio(long part, long whole)
{
    return whole == 0 ? 1 : (double)part / (double)whole;
}

static void agrees_with_the_labels(void)
{
    struct score score[3] = { 0 }; /* dev, held, both */
    struct zt_buf file;
    struct zt_err err = { 0 };
    long chinese = 0;

    zt_buf_init(&file, 1 << 20);
    CHECK_INT(CORPUS, zt_file_read(CORPUS, &file, &err), ZT_OK);
    char *line = file.data;
    for (char *end; line != NULL && *line != '\0'; line = end) {
        struct row row;
        char *column[COLUMNS] = { 0 };
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        if (line[0] == '#')
            continue;
        CHECK_INT(line, split_text(line, '\t', column, COLUMNS), COLUMNS);
        row = (struct row){ column[0], column[1], column[2], column[3],
                            column[4], column[5], column[6], column[7] };
        unescape(row.prompt);
        struct zt_prompt p = read_prompt(row.prompt);
        struct score *s = &score[strcmp(row.split, "held") == 0];
        s->rows++;
        chinese += strcmp(row.lang, "en") != 0;
        score_moves(&row, &p, s);
        score_scene(&row, &p, s);
    }
    zt_buf_clear(&file);

    const long *from = (const long *)&score[0];
    for (int i = 0; i < 2; i++, from = (const long *)&score[i]) {
        for (size_t f = 0; f < sizeof(struct score) / sizeof(long); f++)
            ((long *)&score[2])[f] += from[f];
    }
    for (int i = 0; i < 3; i++) {
        const struct score *s = &score[i];
        printf("%s: %ld prompts; same moves in same order %.3f, shots %.3f, framing %.3f, "
               "atmosphere %.3f\n",
               i == 0   ? "dev"
               : i == 1 ? "held"
                        : "all",
               s->rows, ratio(s->order_right, s->rows), ratio(s->shots_right, s->rows),
               ratio(s->framing_right, s->framing), ratio(s->air_right, s->air));
    }
    printf("moves: precision %.3f recall %.3f (dev), precision %.3f recall %.3f (held)\n",
           ratio(score[0].hit, score[0].got), ratio(score[0].hit, score[0].wanted),
           ratio(score[1].hit, score[1].got), ratio(score[1].hit, score[1].wanted));
    CHECK("enough prompts", score[2].rows >= 200 && chinese >= 100 && score[1].rows >= 60);
    CHECK("precision", ratio(score[2].hit, score[2].got) >= 0.9);
    CHECK("recall", ratio(score[2].hit, score[2].wanted) >= 0.9);
    CHECK("precision, held back", ratio(score[1].hit, score[1].got) >= 0.9);
    CHECK("recall, held back", ratio(score[1].hit, score[1].wanted) >= 0.9);
    CHECK("shots", ratio(score[2].shots_right, score[2].rows) >= 0.95);
    CHECK("framing", ratio(score[2].framing_right, score[2].framing) >= 0.9);
    CHECK("atmosphere", ratio(score[2].air_right, score[2].air) >= 0.9);
}

/* ---- moves and their modifiers ------------------------------------------------------------- */

static void reads_modifiers(void)
{
    static const struct {
        const char *text, *moves;
        int which;
        float speed, strength;
    } rows[] = {
        { "zoom in", "zoom_in", 0, 1, 1 },
        { "slow zoom in", "zoom_in", 0, 0.5f, 1 },
        { "zoom in slowly", "zoom_in", 0, 0.5f, 1 },
        { "very slow zoom in", "zoom_in", 0, 0.35f, 1 },
        { "quick pan left", "pan_left", 0, 2, 1 },
        { "the camera gently pushes in", "push_in", 0, 0.6f, 0.7f },
        { "the camera slightly tilts up", "tilt_up", 0, 1, 0.5f },
        { "dramatic dolly zoom", "dolly_zoom_in", 0, 1, 2 },
        { "slow, subtle push in", "push_in", 0, 0.5f, 0.5f },
        { "slow push in and quick pan left", "push_in,pan_left", 0, 0.5f, 1 },
        { "slow push in and quick pan left", "push_in,pan_left", 1, 2, 1 },
        { "camera slowly pushes in, then pans left rapidly", "push_in,pan_left", 1, 2, 1 },
        { "the camera pushes in on her face very slowly", "push_in", 0, 0.35f, 1 },
        { "she slowly turns as the camera zooms out", "zoom_out", 0, 1, 1 },
        { "the camera orbits a slowly spinning vase", "orbit_right", 0, 1, 1 },
        { "360 degree orbit", "orbit_right", 0, 1, 2 },
        { "镜头缓慢推进", "push_in", 0, 0.5f, 1 },
        { "镜头缓慢地向前推进", "push_in", 0, 0.5f, 1 },
        { "镜头以极其缓慢的速度推进", "push_in", 0, 0.35f, 1 },
        { "镜头快速拉远", "pull_out", 0, 2, 1 },
        { "镜头轻微向左摇", "pan_left", 0, 1, 0.5f },
        { "镜头大幅度上摇", "tilt_up", 0, 1, 2 },
        { "镜头缓慢推进，然后快速右摇", "push_in,pan_right", 0, 0.5f, 1 },
        { "镜头缓慢推进，然后快速右摇", "push_in,pan_right", 1, 2, 1 },
        { "镜头跟随缓缓行走的女孩", "follow", 0, 1, 1 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char moves[256];
        struct zt_prompt p = read_prompt(rows[i].text);
        moves_text(&p.shot[0], moves, sizeof(moves));
        CHECK_STR(rows[i].text, moves, rows[i].moves);
        CHECK_NEAR(rows[i].text, p.shot[0].move[rows[i].which].speed, rows[i].speed, 0.01);
        CHECK_NEAR(rows[i].text, p.shot[0].move[rows[i].which].strength, rows[i].strength, 0.01);
    }
}

static void tells_then_from_together(void)
{
    static const struct {
        const char *text;
        bool then;
    } rows[] = {
        { "slow push in then tilt up", true },
        { "slow push in, followed by a tilt up", true },
        { "the camera pushes in before tilting up", true },
        { "the camera pushes in. It tilts up.", true },
        { "the camera pushes in and tilts up", false },
        { "the camera pushes in while tilting up", false },
        { "push in, tilt up", false },
        { "zoom in, zoom out", true }, /* cannot be had together */
        { "the camera pans left and right", true },
        { "static shot, then zoom in", true },
        { "the camera follows him. Handheld.", false },
        { "镜头推进，然后上摇", true },
        { "镜头推进，随后上摇", true },
        { "镜头先推进再上摇", true },
        { "镜头推进并上摇", false },
        { "镜头推进的同时上摇", false },
        { "镜头边推进边上摇", false },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_prompt p = read_prompt(rows[i].text);
        CHECK_INT(rows[i].text, p.shot[0].moves, 2);
        CHECK_INT(rows[i].text, p.shot[0].move[0].then, false);
        CHECK_INT(rows[i].text, p.shot[0].move[1].then, rows[i].then);
    }
}

static void reads_every_move(void)
{
    static const struct {
        const char *text, *moves;
    } rows[] = {
        { "dolly in", "push_in" },
        { "dolly back", "pull_out" },
        { "push-in", "push_in" },
        { "pushing_in slowly", "push_in" },
        { "zoom-out", "zoom_out" },
        { "dolly zoom out", "dolly_zoom_out" },
        { "camera pan", "pan_right" },
        { "left pan", "pan_left" },
        { "the camera pans down", "tilt_down" },
        { "truck left", "truck_left" },
        { "the camera slides right", "truck_right" },
        { "pedestal down", "pedestal_down" },
        { "boom up", "pedestal_up" },
        { "crane down", "crane_down" },
        { "crane shot descending over the square", "crane_down" },
        { "camera rolls counter-clockwise", "roll_ccw" },
        { "orbit left", "orbit_left" },
        { "camera circles around her counterclockwise", "orbit_right" },
        { "follow shot", "follow" },
        { "hand-held", "handheld" },
        { "locked-off shot", "static" },
        { "推", "-" },
        { "推镜", "push_in" },
        { "拉镜", "pull_out" },
        { "镜头拉近", "push_in" },
        { "变焦", "zoom_in" },
        { "镜头左摇", "pan_left" },
        { "镜头下摇", "tilt_down" },
        { "镜头向左移动", "truck_left" },
        { "镜头上升", "pedestal_up" },
        { "航拍上升", "crane_up" },
        { "摇臂下降", "crane_down" },
        { "镜头旋转", "roll_cw" },
        { "镜头360度旋转", "orbit_right" },
        { "镜头逆时针环绕", "orbit_right" },
        { "跟拍", "follow" },
        { "手持镜头", "handheld" },
        { "固定机位", "static" },
        { "ＺＯＯＭ　ＩＮ", "zoom_in" },
        { "鏡頭環繞", "orbit_right" },
        { "pan", "pan_right" },
        { "the camera moves towards the man", "push_in" },
        { "the man walks towards the camera", "-" },
        { "camera glides over the ocean", "push_in" },
        { "camera glides across the shelves", "truck_right" },
        { "smooth camera motion from left to right", "truck_right" },
        { "镜头移动向左", "truck_left" },
        { "镜头向上。", "tilt_up" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char moves[256];
        struct zt_prompt p = read_prompt(rows[i].text);
        moves_text(&p.shot[0], moves, sizeof(moves));
        CHECK_STR(rows[i].text, moves, rows[i].moves);
    }
}

static void obeys_negation(void)
{
    static const struct {
        const char *text, *moves;
        bool mentioned;
    } rows[] = {
        { "no camera movement", "static", true },
        { "without any camera motion", "static", true },
        { "the camera does not move", "static", true },
        { "without zooming", "-", true },
        { "no zoom, pan or tilt", "-", true },
        { "no zoom, pan left", "pan_left", true },
        { "don't zoom but pan left", "pan_left", true },
        { "never pan. Zoom in.", "zoom_in", true },
        { "不要推镜头", "-", true },
        { "不要推、拉、摇、移", "-", false },
        { "不要推镜头，向左摇", "pan_left", true },
        { "镜头不动", "static", true },
        { "无镜头运动", "static", true },
        { "镜头不要推进，而是拉远", "pull_out", true },
        { "特别的女孩推镜头", "push_in", true },
        { "无人机向前飞行", "push_in", true },
        { "a girl reads", "-", false },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char moves[256];
        struct zt_prompt p = read_prompt(rows[i].text);
        moves_text(&p.shot[0], moves, sizeof(moves));
        CHECK_STR(rows[i].text, moves, rows[i].moves);
        CHECK_INT(rows[i].text, p.camera_mentioned, rows[i].mentioned);
    }
    struct zt_prompt p = read_prompt("no rain, no fog, not a close-up, no loop");
    CHECK("no rain", p.shot[0].atmosphere[ZT_ATMO_RAIN] == 0);
    CHECK("no fog", p.shot[0].atmosphere[ZT_ATMO_FOG] == 0);
    CHECK_INT("not a close-up", p.shot[0].framing, ZT_FRAMING_NONE);
    CHECK("no loop", !p.loop);
    CHECK_INT("no cuts", read_prompt("one take, no cuts, no jump cut").shots, 1);
}

/* ---- the scene ----------------------------------------------------------------------------- */

static void reads_framing_and_position(void)
{
    static const struct {
        const char *text;
        enum zt_framing framing;
        bool said;
        float x, y;
    } rows[] = {
        { "extreme wide shot of a valley", ZT_FRAMING_EXTREME_WIDE, false, 0, 0 },
        { "wide shot", ZT_FRAMING_WIDE, false, 0, 0 },
        { "full body shot", ZT_FRAMING_FULL, false, 0, 0 },
        { "medium shot", ZT_FRAMING_MEDIUM, false, 0, 0 },
        { "medium close-up", ZT_FRAMING_CLOSE_UP, false, 0, 0 },
        { "closeup", ZT_FRAMING_CLOSE_UP, false, 0, 0 },
        { "extreme close-up", ZT_FRAMING_EXTREME_CLOSE_UP, false, 0, 0 },
        { "大远景", ZT_FRAMING_EXTREME_WIDE, false, 0, 0 },
        { "远景", ZT_FRAMING_WIDE, false, 0, 0 },
        { "【广角镜头】", ZT_FRAMING_WIDE, false, 0, 0 },
        { "全景", ZT_FRAMING_FULL, false, 0, 0 },
        { "中景", ZT_FRAMING_MEDIUM, false, 0, 0 },
        { "近景", ZT_FRAMING_CLOSE_UP, false, 0, 0 },
        { "特写", ZT_FRAMING_CLOSE_UP, false, 0, 0 },
        { "大特写", ZT_FRAMING_EXTREME_CLOSE_UP, false, 0, 0 },
        { "close-up, then pull back to a wide shot", ZT_FRAMING_CLOSE_UP, false, 0, 0 },
        { "pull back to a wide shot", ZT_FRAMING_NONE, false, 0, 0 },
        { "a wide-eyed girl", ZT_FRAMING_NONE, false, 0, 0 },
        { "the cat sits on the left side of the frame", ZT_FRAMING_NONE, true, -1, 0 },
        { "a tree in the upper right corner", ZT_FRAMING_NONE, true, 1, -1 },
        { "centered composition", ZT_FRAMING_NONE, true, 0, 0 },
        { "the camera pans to the left", ZT_FRAMING_NONE, false, 0, 0 },
        { "女孩位于画面左侧", ZT_FRAMING_NONE, true, -1, 0 },
        { "右下角有一只猫", ZT_FRAMING_NONE, true, 1, 1 },
        { "人物居中", ZT_FRAMING_NONE, true, 0, 0 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const struct zt_prompt p = read_prompt(rows[i].text);
        CHECK_INT(rows[i].text, p.shot[0].framing, rows[i].framing);
        CHECK_INT(rows[i].text, p.shot[0].subject_said, rows[i].said);
        CHECK_NEAR(rows[i].text, p.shot[0].subject_x, rows[i].x, 0);
        CHECK_NEAR(rows[i].text, p.shot[0].subject_y, rows[i].y, 0);
    }
}

static void reads_the_atmosphere(void)
{
    static const struct {
        const char *text;
        enum zt_atmosphere kind;
        float much;
    } rows[] = {
        { "rain", ZT_ATMO_RAIN, 1 },
        { "heavy rain", ZT_ATMO_RAIN, 2 },
        { "it rains heavily", ZT_ATMO_RAIN, 2 },
        { "drizzle", ZT_ATMO_RAIN, 0.5f },
        { "大雨", ZT_ATMO_RAIN, 2 },
        { "细雨蒙蒙", ZT_ATMO_RAIN, 0.5f },
        { "rainbow", ZT_ATMO_RAIN, 0 },
        { "雨伞", ZT_ATMO_RAIN, 0 },
        { "light snow", ZT_ATMO_SNOW, 0.5f },
        { "小雪", ZT_ATMO_SNOW, 0.5f },
        { "雪山", ZT_ATMO_SNOW, 0 },
        { "thick fog", ZT_ATMO_FOG, 2 },
        { "薄雾", ZT_ATMO_FOG, 0.5f },
        { "dust in the air", ZT_ATMO_DUST, 1 },
        { "sparks fly", ZT_ATMO_EMBERS, 1 },
        { "火车", ZT_ATMO_EMBERS, 0 },
        { "火焰", ZT_ATMO_EMBERS, 1 },
        { "a gentle breeze", ZT_ATMO_WIND, 0.5f },
        { "狂风", ZT_ATMO_WIND, 2 },
        { "吉卜力风格", ZT_ATMO_WIND, 0 },
        { "clouds drift", ZT_ATMO_CLOUDS, 1 },
        { "candlelight", ZT_ATMO_FLICKER, 1 },
        { "god rays", ZT_ATMO_SUN_RAYS, 1 },
        { "丁达尔效应", ZT_ATMO_SUN_RAYS, 1 },
        { "夜晚", ZT_ATMO_NIGHT, 1 },
        { "雨夜", ZT_ATMO_RAIN, 1 },
        { "雨夜", ZT_ATMO_NIGHT, 1 },
        { "樱花飘落", ZT_ATMO_PETALS, 1 },
        { "ocean waves", ZT_ATMO_WATER, 1 },
        { "水果", ZT_ATMO_WATER, 0 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_NEAR(rows[i].text, read_prompt(rows[i].text).shot[0].atmosphere[rows[i].kind],
                   rows[i].much, 0.001);
}

/* ---- shots --------------------------------------------------------------------------------- */

static void cuts_into_shots(void)
{
    static const struct {
        const char *text;
        int shots;
        float first_s, second_s;
        enum zt_transition second;
    } rows[] = {
        { "a cat sleeps", 1, 0, 0, ZT_CUT },
        { "a cat. Cut to a dog.", 2, 0, 0, ZT_CUT },
        { "a cat [cut] a dog", 2, 0, 0, ZT_CUT },
        { "a cat, smash cut to a dog", 2, 0, 0, ZT_CUT },
        { "猫【切镜】狗", 2, 0, 0, ZT_CUT },
        { "猫，镜头切换，狗", 2, 0, 0, ZT_CUT },
        { "猫。切换到狗。", 2, 0, 0, ZT_CUT },
        { "猫【特写镜头】狗", 2, 0, 0, ZT_CUT },
        { "猫【切镜】【特写】狗", 2, 0, 0, ZT_CUT },
        { "猫 [slow push in] 狗", 1, 0, 0, ZT_CUT },
        { "Shot 1: a cat. Shot 2: a dog.", 2, 0, 0, ZT_CUT },
        { "Shot 1 (3s): a cat. Shot 2 (2.5s): a dog.", 2, 3, 2.5f, ZT_CUT },
        { "Scene 1 - a cat\nScene 2 - a dog", 2, 0, 0, ZT_CUT },
        { "Two shots. Shot 1: a cat. Shot 2: a dog.", 2, 0, 0, ZT_CUT },
        { "镜头1：猫。镜头2：狗。", 2, 0, 0, ZT_CUT },
        { "镜头一：猫。镜头二：狗。", 2, 0, 0, ZT_CUT },
        { "镜头１：猫。镜头２：狗。", 2, 0, 0, ZT_CUT },
        { "第一个镜头：猫。第二个镜头：狗。", 2, 0, 0, ZT_CUT },
        { "1. a cat\n2. a dog", 2, 0, 0, ZT_CUT },
        { "1. a cat sleeps. 2. a dog barks.", 2, 0, 0, ZT_CUT },
        { "① 猫 ② 狗", 2, 0, 0, ZT_CUT },
        { "a 1.5 m tall dog and 2. nothing", 1, 0, 0, ZT_CUT },
        { "0-3s: a cat, 3-5s: a dog", 2, 3, 2, ZT_CUT },
        { "[0:00-0:03] a cat [0:03-0:07] a dog", 2, 3, 4, ZT_CUT },
        { "0-3秒：猫；3-5秒：狗", 2, 3, 2, ZT_CUT },
        { "０－３秒：猫；３－５秒：狗", 2, 3, 2, ZT_CUT },
        { "前3秒是猫，后2秒是狗", 2, 3, 2, ZT_CUT },
        { "a cat, dissolve to a dog", 2, 0, 0, ZT_DISSOLVE },
        { "猫，溶解，狗", 2, 0, 0, ZT_DISSOLVE },
        { "猫，叠化到狗", 2, 0, 0, ZT_DISSOLVE },
        { "a cat. Fade to black. A dog.", 2, 0, 0, ZT_FADE },
        { "猫，淡入淡出，狗", 2, 0, 0, ZT_FADE },
        { "a cat, whip pan to a dog", 2, 0, 0, ZT_WHIP_PAN },
        { "猫，甩镜，狗", 2, 0, 0, ZT_WHIP_PAN },
        { "a cat. Match cut to a dog.", 2, 0, 0, ZT_MATCH_CUT },
        { "猫，匹配剪辑，狗", 2, 0, 0, ZT_MATCH_CUT },
        { "a cat. Fade to black.", 1, 0, 0, ZT_CUT },
        { "the sugar dissolves in the tea", 1, 0, 0, ZT_CUT },
        { "the chef cuts the bread", 1, 0, 0, ZT_CUT },
        { "厨师切菜", 1, 0, 0, ZT_CUT },
        { "a cat for 3 seconds", 1, 3, 0, ZT_CUT },
        { "a 5 second video of a cat", 1, 0, 0, ZT_CUT },
        { "猫停留3秒", 1, 3, 0, ZT_CUT },
        { "猫，后999999秒是狗", 1, 0, 0, ZT_CUT },
        { "第1秒到第3秒：猫；第3秒到第5秒：狗", 2, 2, 2, ZT_CUT },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const struct zt_prompt p = read_prompt(rows[i].text);
        CHECK_INT(rows[i].text, p.shots, rows[i].shots);
        CHECK_NEAR(rows[i].text, p.shot[0].seconds, rows[i].first_s, 0.001);
        CHECK_NEAR(rows[i].text, p.shot[1].seconds, rows[i].second_s, 0.001);
        CHECK_INT(rows[i].text, p.shot[0].transition, ZT_CUT);
        CHECK_INT(rows[i].text, p.shot[1].transition, rows[i].second);
    }
}

static void says_where_it_read(void)
{
    static const char text[] = "  猫在睡觉。【切镜】a dog, zoom in  ";
    const struct zt_prompt p = read_prompt(text);
    char part[64];

    CHECK_INT("shots", p.shots, 2);
    snprintf(part, sizeof(part), "%.*s", p.shot[0].text_end - p.shot[0].text_first,
             text + p.shot[0].text_first);
    CHECK_STR("first", part, "猫在睡觉。");
    snprintf(part, sizeof(part), "%.*s", p.shot[1].text_end - p.shot[1].text_first,
             text + p.shot[1].text_first);
    CHECK_STR("second", part, "【切镜】a dog, zoom in");
}

static void hears_of_loops(void)
{
    CHECK("seamless", read_prompt("a fountain, seamless loop").loop);
    CHECK("循环", read_prompt("喷泉，无缝循环").loop);
    CHECK("not said", !read_prompt("a fountain").loop);
}

/* ---- limits -------------------------------------------------------------------------------- */

static char *repeat(const char *s, size_t times, char *dst)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < times; i++)
        memcpy(dst + i * n, s, n);
    dst[times * n] = '\0';
    return dst;
}

static void refuses_what_is_no_prompt(void)
{
    static char text[ZT_PROMPT_MAX_CHARS * 4 + 8];
    struct zt_prompt p = { .shots = 7 };
    struct zt_err err = { 0 };
    static const struct {
        const char *label, *text;
        size_t n;
    } rows[] = {
        { "empty", "", 0 },
        { "blank", " \t\n", 3 },
        { "full-width space", "　　", 6 },
        { "invisible", "\xE2\x80\x8B\xEF\xBB\xBF", 6 },
        { "not UTF-8", "zoom \xFF", 6 },
        { "cut short", "\xE9\x95", 2 },
        { "a NUL", "zoom\0in", 7 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        err = (struct zt_err){ 0 };
        CHECK_INT(rows[i].label, zt_prompt_read(rows[i].text, rows[i].n, &p, &err), ZT_E_INVALID);
        CHECK_STR(rows[i].label, err.field, "prompt");
        CHECK_INT(rows[i].label, p.shots, 7); /* written on success only */
    }
    repeat("镜", ZT_PROMPT_MAX_CHARS, text);
    CHECK_INT("longest", zt_prompt_read(text, strlen(text), &p, NULL), ZT_OK);
    repeat("镜", ZT_PROMPT_MAX_CHARS + 1, text);
    CHECK_INT("longer", zt_prompt_read(text, strlen(text), &p, &err), ZT_E_INVALID);
    CHECK_HAS("longer", err.msg, "10000");
    CHECK_HAS("longer", err.msg, "10001");
    repeat("\xF0\x9F\x8E\xAC", ZT_PROMPT_MAX_CHARS, text);
    CHECK_INT("four bytes each", zt_prompt_read(text, strlen(text), &p, NULL), ZT_OK);
}

static void keeps_within_its_arrays(void)
{
    static char text[8192];
    const struct zt_prompt shots = read_prompt(repeat("a cat. Cut to a dog. ", 40, text));
    CHECK_INT("shots", shots.shots, ZT_SHOTS_MAX);
    CHECK_INT("the last has the rest", shots.shot[ZT_SHOTS_MAX - 1].text_end,
              (int)strlen(text) - 1);

    const struct zt_prompt moves =
        read_prompt("zoom in then pan left then tilt up then truck right then orbit left then "
                    "crane up then pull back then roll clockwise");
    CHECK_INT("moves", moves.shot[0].moves, ZT_MOVES_MAX);
}

/* No assertion on time (machines differ); a quadratic reader would show up as a hung test. */
static void reads_long_text(void)
{
    static const char *const parts[] = { "镜头",  "推",    "no ",  "[",         "1.",       "slow ",
                                         "zoom ", "0-3s ", "向左", "then pan ", "\"a-b-c ", "'" };
    static char text[ZT_PROMPT_MAX_CHARS * 4];

    for (size_t i = 0; i < ZT_COUNT(parts); i++) {
        size_t times = ZT_PROMPT_MAX_CHARS / zt_utf8_count(parts[i], strlen(parts[i]));
        repeat(parts[i], times, text);
        CHECK(parts[i], read_prompt(text).shots >= 1);
    }
}

/* ---- vocabulary and explanation ------------------------------------------------------------ */

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct zt_word *)a)->text, ((const struct zt_word *)b)->text);
}

static void has_each_word_once(void)
{
    static struct zt_word all[4096];
    size_t n = (size_t)zt_words_en_count;
    size_t m = (size_t)zt_words_zh_count;

    memcpy(all, zt_words_en, n * sizeof(all[0]));
    memcpy(all + n, zt_words_zh, m * sizeof(all[0]));
    qsort(all, n + m, sizeof(all[0]), compare_rows);
    for (size_t i = 1; i < n + m; i++)
        CHECK(all[i].text, strcmp(all[i - 1].text, all[i].text) != 0);
}

static void explains(void)
{
    static const char prompt[] = "雨夜，镜头缓慢推进，然后向左摇【切镜】a \"cat\"\n\\ on the left";
    char *text = NULL;
    struct zt_err err = { 0 };

    CHECK_INT("text", zt_explain(prompt, false, &text, &err), ZT_OK);
    CHECK_HAS("text", text, "Shot 1: \"雨夜，镜头缓慢推进，然后向左摇\"\n");
    CHECK_HAS("text", text, "push in, slowly; then pan left\n");
    CHECK_HAS("text", text, "night");
    CHECK_HAS("text", text, "begins with cut\n");
    CHECK_HAS("text", text, "subject     left\n");
    free(text);

    CHECK_INT("json", zt_explain(prompt, true, &text, &err), ZT_OK);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *shots = json_object_get(json, "shots");
    CHECK_INT("shots", json_array_size(shots), 2);
    const json_t *move = json_array_get(json_object_get(json_array_get(shots, 0), "moves"), 1);
    CHECK_STR("move", json_string_value(json_object_get(move, "move")), "pan_left");
    CHECK("then", json_is_true(json_object_get(move, "then")));
    CHECK_STR("quotes, new lines and backslashes come back",
              json_string_value(json_object_get(json_array_get(shots, 1), "text")),
              "【切镜】a \"cat\"\n\\ on the left");
    const json_t *unread = json_object_get(json, "unread");
    CHECK_INT("unread", json_array_size(unread), 1);
    const json_t *word = json_array_get(unread, 0);
    CHECK_STR("unread", json_string_value(json_object_get(word, "text")), "cat");
    CHECK_INT("unread begins", json_integer_value(json_object_get(word, "first_byte")),
              (int64_t)(strstr(prompt, "cat") - prompt));
    CHECK_INT("unread ends", json_integer_value(json_object_get(word, "end_byte")),
              (int64_t)(strstr(prompt, "cat") + 3 - prompt));
    json_decref(json);
    free(text);

    CHECK_INT("in a row", zt_explain("镜头推进琉璃塔 raccoon’s", true, &text, &err), ZT_OK);
    CHECK_HAS("Chinese in a row is one word", text, "{\"text\":\"琉璃塔\"");
    CHECK_HAS("an apostrophe stays inside", text, "{\"text\":\"raccoon’s\"");
    free(text);

    text = NULL;
    CHECK_INT("refused", zt_explain(" ", true, &text, &err), ZT_E_INVALID);
    CHECK_INT("missing", zt_explain(NULL, true, &text, &err), ZT_E_INVALID);
    CHECK("nothing given", text == NULL);
}

static void names_everything(void)
{
    for (int i = 0; i < ZT_MOVE_KINDS; i++)
        CHECK("move", zt_move_name((enum zt_move_kind)i) != NULL);
    for (int i = 0; i < ZT_FRAMINGS; i++)
        CHECK("framing", zt_framing_name((enum zt_framing)i) != NULL);
    for (int i = 0; i < ZT_ATMO_KINDS; i++)
        CHECK("atmosphere", zt_atmosphere_name((enum zt_atmosphere)i) != NULL);
    for (int i = 0; i < ZT_TRANSITIONS; i++)
        CHECK("transition", zt_transition_name((enum zt_transition)i) != NULL);
}

int main(void)
{
    RUN(agrees_with_the_labels);
    RUN(reads_every_move);
    RUN(reads_modifiers);
    RUN(tells_then_from_together);
    RUN(obeys_negation);
    RUN(reads_framing_and_position);
    RUN(reads_the_atmosphere);
    RUN(cuts_into_shots);
    RUN(says_where_it_read);
    RUN(hears_of_loops);
    RUN(refuses_what_is_no_prompt);
    RUN(keeps_within_its_arrays);
    RUN(reads_long_text);
    RUN(has_each_word_once);
    RUN(explains);
    RUN(names_everything);
    return check_done();
}
