/*
 * camera.c - the camera moves that a shot's items ask for.
 *
 * One pass over the items keeps who is acting: the camera, something else, or nobody yet. A verb
 * becomes a move together with its direction when it is the camera's. How sure that must be
 * depends on the verb: "zoom in" needs no camera beside it, "turns left" does.
 */
#include "prompt/words.h"

#define RATE_MIN 0.25f
#define RATE_MAX 2.5f
#define NEAR     5 /* items between a verb and its direction */

enum actor { NOBODY, CAMERA, OTHER };

struct reader {
    const struct zt_items *items;
    int first, end;
    struct zt_shot *shot;
    bool *mentioned;
    enum actor actor;
    bool aerial;      /* the camera flies: it rises like a crane */
    bool shot_of;     /* the camera was named as "shot": the next thing is what it shows */
    bool fresh;       /* nothing but modifiers since the clause began */
    bool later;       /* not the first clause of the sentence */
    bool told;        /* the camera moved, or was told not to, in this sentence */
    bool told_before; /* ... in the sentence before */
    int things;       /* content words since the clause began, or since its last verb */
    bool framed;      /* the clause began with the picture: 画面缓慢放大 */
    bool followed;    /* the clause says that the camera follows: what moves now is the subject */
    bool then, together;
    bool vague[ZT_MOVES_MAX]; /* the direction of each move was supposed, not said */
    enum zt_family clause;    /* of the last move of this clause, or ZT_FAMILIES */
    int read_to;              /* items before it are read */
    int said[ZT_MOVES_MAX];   /* item that each move was read from */
    enum zt_family family;    /* of the last move, for "... then right" */
};

static const struct zt_item *item_at(const struct reader *r, int i)
{
    static const struct zt_item none = { .class = ZT_W_PUNCT, .value = '.' };

    return i >= r->first && i < r->end ? &r->items->item[i] : &none;
}

/* ---- clauses ------------------------------------------------------------------------------- */

static void start_clause(struct reader *r)
{
    r->fresh = true;
    r->later = true;
    r->things = 0;
    r->followed = false;
    r->clause = ZT_FAMILIES;
    r->framed = false;
}

static void start_sentence(struct reader *r)
{
    start_clause(r);
    r->later = false;
    r->actor = NOBODY;
    r->told_before = r->told;
    r->told = false;
    r->shot_of = false;
    if (r->shot->moves > 0 && !r->together)
        r->then = true;
}

static void read_punct(struct reader *r, int value)
{
    switch (value) {
    case '.':
    case '\n':
    case ';':
        start_sentence(r);
        break;
    case '(':
    case ')':
    case '[':
    case ']':
        start_clause(r);
        r->actor = NOBODY;
        break;
    case ':':
        start_clause(r);
        if (r->actor == OTHER)
            r->actor = NOBODY;
        break;
    case '>':
        r->then = true;
        start_clause(r);
        break;
    case ',':
    case '/':
    case '+':
    case '|':
        start_clause(r);
        break;
    default:
        break;
    }
}

/* A content word: a new subject, or an object of what was said. */
static void read_thing(struct reader *r)
{
    if (r->actor == NOBODY || r->shot_of || (r->actor == CAMERA && r->fresh && r->later))
        r->actor = OTHER;
    r->shot_of = false;
    r->fresh = false;
    r->things++;
}

/* "a camera pans", "a camera pan"; with words between only the first. */
static bool acts(const struct zt_item *next, bool near)
{
    return next->class == ZT_W_VERB && (next->form == ZT_FORM_S || near);
}

/* Whether the camera noun at i is looked at, held or owned rather than acting. */
static bool is_object(const struct reader *r, int i)
{
    for (int j = i - 1; j >= i - 3; j--) {
        const struct zt_item *before = item_at(r, j);
        if (before->class == ZT_W_OTHER && before->form != ZT_FORM_CHINESE)
            continue; /* a vintage camera */
        if (before->class != ZT_W_FILLER)
            return false;
        if (before->value != ZT_F_A && j < i - 1 && item_at(r, i - 1)->class == ZT_W_OTHER)
            return false;
        if (before->value == ZT_F_AT || before->value == ZT_F_GOTO || before->value == ZT_F_TO ||
            before->value == ZT_F_POSS)
            return true;
        if (before->value == ZT_F_A)
            return item_at(r, i)->value == ZT_CAM_CAMERA && !acts(item_at(r, i + 1), j == i - 1);
    }
    return false;
}

static void read_camera_noun(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);

    if (it->value == ZT_CAM_FRAME) {
        r->framed = r->fresh;
        return;
    }
    if (is_object(r, i)) {
        read_thing(r);
        return;
    }
    r->actor = CAMERA;
    r->aerial = r->aerial || it->value == ZT_CAM_AERIAL;
    r->shot_of = it->value == ZT_CAM_SHOT && it->form != ZT_FORM_CHINESE &&
                 item_at(r, i + 1)->class != ZT_W_REVEAL && item_at(r, i + 1)->class != ZT_W_VERB;
    r->fresh = false;
    r->things = 0;
    r->followed = false;
}

/* ---- directions ---------------------------------------------------------------------------- */

static bool is_light(const struct zt_item *it)
{
    return it->class == ZT_W_MOD || it->class == ZT_W_VERY || it->class == ZT_W_DEGREE ||
           it->class == ZT_W_FILLER || it->class == ZT_W_NUMBER ||
           (it->class == ZT_W_CAMERA && it->value != ZT_CAM_AERIAL);
}

static int dir_before(const struct reader *r, int i)
{
    for (int j = i - 1; j >= i - NEAR; j--) {
        const struct zt_item *it = item_at(r, j);
        if (it->class == ZT_W_DIR) /* not when it is the last verb's */
            return it->form == ZT_FORM_CHINESE || j == i - 1 ||
                           item_at(r, j - 1)->class != ZT_W_VERB
                       ? j
                       : -1;
        if (!is_light(it))
            return -1;
    }
    return -1;
}

static int dir_after(const struct reader *r, int i, bool through)
{
    for (int j = i + 1; j <= i + NEAR; j++) {
        const struct zt_item *it = item_at(r, j);
        if (it->class == ZT_W_DIR) {
            bool next_verbs = it->form == ZT_FORM_CHINESE && item_at(r, j + 1)->class == ZT_W_VERB;
            return next_verbs ? -1 : j;
        }
        if (!is_light(it) && !(through && it->class == ZT_W_OTHER))
            return -1;
    }
    return -1;
}

static bool turns_or_slides(enum zt_family family)
{
    return family == ZT_V_PAN || family == ZT_V_TILT || family == ZT_V_TRUCK ||
           family == ZT_V_ORBIT || family == ZT_V_ROTATE;
}

/* The item that says where the verb at i goes, or -1. */
static int find_dir(const struct reader *r, int i)
{
    const struct zt_item *verb = item_at(r, i);
    enum zt_family family = ZT_VERB_FAMILY(verb->value);
    int before = dir_before(r, i);
    int after = dir_after(r, i, false);

    if (verb->form == ZT_FORM_CHINESE ? before >= 0 : before >= 0 && after < 0)
        return before;
    if (after < 0 && r->actor == CAMERA && turns_or_slides(family)) {
        after = dir_after(r, i, true);
        enum zt_dir dir = after >= 0 ? (enum zt_dir)item_at(r, after)->value : ZT_D_NONE;
        if (dir == ZT_D_IN || dir == ZT_D_OUT)
            after = -1;
    }
    return after;
}

/* ---- whose verb it is ---------------------------------------------------------------------- */

/* "tracking shot", 推进镜头: named as a kind of shot. */
static bool named_as_shot(const struct reader *r, int i)
{
    const struct zt_item *next = item_at(r, i + 1);

    if (next->class == ZT_W_FILLER && next->form == ZT_FORM_CHINESE && next->value == ZT_F_PLAIN)
        next = item_at(r, i + 2); /* 由远及近的镜头 */
    return (next->class == ZT_W_CAMERA && next->value != ZT_CAM_FRAME) ||
           next->class == ZT_W_MOVEMENT ||
           (next->class == ZT_W_VERB && next->form == ZT_FORM_BASE &&
            ZT_VERB_FAMILY(next->value) == ZT_V_TRAVEL);
}

static bool after_adjective(const struct reader *r, int i)
{
    const struct zt_item *before = item_at(r, i - 1);

    if (before->class == ZT_W_DIR && before->form != ZT_FORM_CHINESE)
        before = item_at(r, i - 2);
    return before->class == ZT_W_MOD && before->value == 1;
}

/* "a slowly spinning vase" */
static bool is_attribute(const struct reader *r, int i)
{
    const struct zt_item *before = item_at(r, i - 1);

    if (before->class == ZT_W_MOD)
        before = item_at(r, i - 2);
    return before->class == ZT_W_FILLER &&
           (before->value == ZT_F_A || before->value == ZT_F_THE || before->value == ZT_F_POSS);
}

/* The camera is acting: is this verb still its own, and not that of what it shows? */
static bool is_its_own(const struct reader *r, int i)
{
    const struct zt_item *verb = item_at(r, i);
    enum zt_level level = ZT_VERB_LEVEL(verb->value);

    if (r->followed && r->things > 0)
        return level == ZT_TERM && !r->fresh;
    if (verb->form == ZT_FORM_ING && level == ZT_GENERIC && is_attribute(r, i))
        return false;
    return !(r->things > 0 && verb->form == ZT_FORM_ING && level != ZT_TERM);
}

static bool is_cameras_in_chinese(const struct reader *r, const struct zt_item *verb, int i,
                                  bool directed)
{
    bool modified = item_at(r, i - 1)->class == ZT_W_MOD;

    switch (ZT_VERB_LEVEL(verb->value)) {
    case ZT_TERM:
        return true;
    case ZT_SEMI:
        return r->things == 0;
    default:
        return r->actor == NOBODY && r->things == 0 && (directed || modified);
    }
}

/* What can be said of the picture as of the camera: "the frame stays still", 画面晃动. */
static bool changes_picture(const struct zt_item *verb)
{
    enum zt_family family = ZT_VERB_FAMILY(verb->value);

    return family == ZT_V_STATIC || family == ZT_V_HANDHELD || family == ZT_V_ENLARGE ||
           family == ZT_V_SHRINK;
}

static bool is_cameras(const struct reader *r, int i, bool directed)
{
    const struct zt_item *verb = item_at(r, i);
    enum zt_level level = ZT_VERB_LEVEL(verb->value);
    const struct zt_item *next = item_at(r, i + 1);

    if (r->actor == CAMERA)
        return is_its_own(r, i);
    if (named_as_shot(r, i) || (r->framed && r->things == 0 && changes_picture(verb)))
        return true;
    if (verb->form == ZT_FORM_CHINESE)
        return is_cameras_in_chinese(r, verb, i, directed);
    if (level == ZT_GENERIC) /* "medium shot, static, ..." */
        return ZT_VERB_FAMILY(verb->value) == ZT_V_STATIC && r->fresh &&
               item_at(r, i - 1)->class == ZT_W_PUNCT && next->class == ZT_W_PUNCT;

    if (r->actor == NOBODY && r->things == 0 && next->class == ZT_W_PUNCT && r->fresh)
        return true; /* "Pan." */
    bool thing = ZT_VERB_NOUN(verb->value) || ZT_VERB_FAMILY(verb->value) == ZT_V_ZOOM;
    bool adjective = after_adjective(r, i);
    if (thing && !directed) { /* a pan, a truck, a zoom lens */
        bool along =
            next->class == ZT_W_FILLER && (next->value == ZT_F_ALONG || next->value == ZT_F_ACROSS);
        bool named = next->class == ZT_W_OTHER || next->class == ZT_W_CAMERA;
        if (named || !(adjective || along || level == ZT_TERM))
            return false;
        if (ZT_VERB_NOUN(verb->value) && !adjective && !along)
            return false;
    }
    if (level == ZT_SEMI && !directed && !adjective && ZT_VERB_FAMILY(verb->value) != ZT_V_STATIC &&
        next->class != ZT_W_FILLER)
        return false;
    if (r->actor == NOBODY || (r->things == 0 && r->fresh && verb->form != ZT_FORM_S))
        return true;
    return adjective || (level == ZT_TERM && verb->form == ZT_FORM_BASE && (directed || !thing));
}

/* ---- moves --------------------------------------------------------------------------------- */

static bool undoes(enum zt_move_kind a, enum zt_move_kind b)
{
    /* pairs stand side by side in the enum: push and pull, left and right, up and down */
    return a != ZT_MOVE_STATIC && b != ZT_MOVE_STATIC && a < ZT_MOVE_FOLLOW && b < ZT_MOVE_FOLLOW &&
           a != b && (a - 1) / 2 == (b - 1) / 2;
}

static void add_move(struct reader *r, enum zt_move_kind kind, int i, const struct zt_item *how,
                     bool vague)
{
    struct zt_shot *shot = r->shot;
    bool clash = false;

    for (int m = 0; m < shot->moves; m++) {
        bool last = m == shot->moves - 1;
        if (shot->move[m].kind == kind && !(r->then && !last)) {
            r->said[m] = i;
            r->vague[m] = r->vague[m] && vague;
            return;
        }
        if (undoes(shot->move[m].kind, kind) && (r->vague[m] || vague) && !r->then) {
            if (!vague) /* the later word says which way it was */
                shot->move[m].kind = kind;
            r->vague[m] = r->vague[m] && vague;
            return;
        }
        clash = clash || (last && undoes(shot->move[m].kind, kind));
    }
    if (shot->moves == ZT_MOVES_MAX)
        return;
    bool steady = kind == ZT_MOVE_HANDHELD || kind == ZT_MOVE_FOLLOW;
    shot->move[shot->moves] = (struct zt_move){
        .kind = kind,
        .strength = how->strength > 0 ? how->strength : 1,
        .speed = r->items->item[i].class == ZT_W_VERB && r->items->item[i].speed > 0
                     ? r->items->item[i].speed
                     : 1,
        .then = shot->moves > 0 && (clash || (r->then && !steady)),
    };
    r->vague[shot->moves] = vague;
    r->said[shot->moves++] = i;
    r->then = false;
    r->together = false;
}

static enum zt_move_kind as_aerial(const struct reader *r, enum zt_move_kind kind)
{
    if (r->aerial && kind == ZT_MOVE_PEDESTAL_UP)
        return ZT_MOVE_CRANE_UP;
    if (r->aerial && kind == ZT_MOVE_PEDESTAL_DOWN)
        return ZT_MOVE_CRANE_DOWN;
    return kind;
}

/*
 * Whether it is left open which way: a verb that doesn't say, with no direction at item `at` (-1)
 * or one like "sideways".
 */
static bool is_vague(const struct reader *r, enum zt_family family, int at)
{
    if (at >= 0)
        return item_at(r, at)->speed > 0;
    return turns_or_slides(family) || family == ZT_V_ZOOM || family == ZT_V_DOLLY_ZOOM ||
           family == ZT_V_DOLLY || family == ZT_V_PEDESTAL || family == ZT_V_CRANE ||
           family == ZT_V_ROLL;
}

/* 变焦拉远: the verb behind says which way the zoom goes. */
static enum zt_dir zoom_dir(struct reader *r, int i)
{
    const struct zt_item *next = item_at(r, i + 1);

    if (next->class != ZT_W_VERB || next->form != ZT_FORM_CHINESE)
        return ZT_D_NONE;
    int kind = zt_move_of(ZT_VERB_FAMILY(next->value), ZT_D_NONE);
    bool in = kind == ZT_MOVE_PUSH_IN || kind == ZT_MOVE_ZOOM_IN;
    bool out = kind == ZT_MOVE_PULL_OUT || kind == ZT_MOVE_ZOOM_OUT;
    if (in || out)
        r->read_to = i + 2;
    return in ? ZT_D_IN : out ? ZT_D_OUT : ZT_D_NONE;
}

/* "glides over the sea", "moves across the shelves" */
static enum zt_dir along_dir(const struct reader *r, int i)
{
    const struct zt_item *next = item_at(r, i + 1);

    if (next->class == ZT_W_MOD)
        next = item_at(r, i + 2);
    if (next->class != ZT_W_FILLER)
        return ZT_D_NONE;
    return next->value == ZT_F_ALONG    ? ZT_D_IN
           : next->value == ZT_F_ACROSS ? ZT_D_RIGHT
                                        : ZT_D_NONE;
}

static bool follows_last(const struct reader *r)
{
    return r->shot->moves > 0 && r->shot->move[r->shot->moves - 1].kind == ZT_MOVE_FOLLOW;
}

static void read_verb(struct reader *r, int i)
{
    const struct zt_item *verb = item_at(r, i);
    enum zt_family family = ZT_VERB_FAMILY(verb->value);
    int at = find_dir(r, i);
    enum zt_dir dir = at >= 0 ? (enum zt_dir)item_at(r, at)->value : ZT_D_NONE;
    if (family == ZT_V_ZOOM && at < 0)
        dir = zoom_dir(r, i);
    if (family == ZT_V_TRAVEL && at < 0 && !verb->negated)
        dir = along_dir(r, i);
    if (family == ZT_V_ROTATE && r->clause == ZT_V_ORBIT)
        family = ZT_V_ORBIT; /* 围绕...旋转: one move in two words */
    int kind = zt_move_of(family, dir);

    if (!is_cameras(r, i, dir != ZT_D_NONE)) {
        if (r->actor == NOBODY)
            r->actor = OTHER;
        r->fresh = false;
        return;
    }
    *r->mentioned = true;
    r->told = true;
    if (verb->negated) {
        if (family == ZT_V_TRAVEL && dir == ZT_D_NONE)
            add_move(r, ZT_MOVE_STATIC, i, item_at(r, i), false);
    } else if (kind != ZT_NO_MOVE) {
        if (r->clause == ZT_V_FOLLOW && !r->followed && dir != ZT_D_NONE && follows_last(r) &&
            (turns_or_slides(family) || family == ZT_V_TRAVEL))
            r->shot->moves--; /* 随着...向右转动: how it goes along is said */
        add_move(r, as_aerial(r, (enum zt_move_kind)kind), i, item_at(r, at >= 0 ? at : i),
                 is_vague(r, family, at));
        r->family = r->clause = family;
        r->aerial = r->aerial || family == ZT_V_CRANE; /* "crane shot rising ..." */
    }
    if (r->actor == NOBODY || r->fresh)
        r->actor = CAMERA;
    r->followed = r->followed || (family == ZT_V_FOLLOW && !ZT_VERB_NOUN(verb->value));
    r->fresh = false;
    r->things = 0;
}

static void read_movement(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);

    if (!it->negated && it->value == 1) { /* "camera movement: slow push in" */
        int at = find_dir(r, i);
        int kind = at >= 0 ? zt_move_of(ZT_V_TRAVEL, item_at(r, at)->value) : ZT_NO_MOVE;
        r->actor = CAMERA;
        r->things = 0;
        if (kind != ZT_NO_MOVE) {
            *r->mentioned = r->told = true;
            add_move(r, as_aerial(r, (enum zt_move_kind)kind), i, item_at(r, at), false);
        }
    } else if (it->negated && (it->value == 1 || r->actor == CAMERA)) {
        *r->mentioned = true;
        r->told = true;
        add_move(r, ZT_MOVE_STATIC, i, item_at(r, i), false);
    }
    r->fresh = false;
}

/* A direction without a verb of its own: "pans left, then right". */
static void read_dir(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);
    bool alone = it->form == ZT_FORM_CHINESE && item_at(r, i + 1)->class == ZT_W_PUNCT &&
                 item_at(r, i - 1)->class == ZT_W_CAMERA;
    if (alone && r->actor == CAMERA && !it->negated) { /* 镜头向上。 */
        bool along = it->value == ZT_D_IN || it->value == ZT_D_OUT;
        int kind = zt_move_of(along ? ZT_V_TRAVEL : ZT_V_PAN, it->value);
        *r->mentioned = r->told = true;
        if (kind != ZT_NO_MOVE)
            add_move(r, (enum zt_move_kind)kind, i, it, false);
        return;
    }
    enum zt_word_class before = item_at(r, i - 1)->class;

    if (!r->fresh || r->actor != CAMERA || r->shot->moves == 0 || it->negated || !r->told)
        return;
    if (before != ZT_W_THEN && before != ZT_W_AND && before != ZT_W_MOD)
        return;
    for (int j = i + 1; j <= i + NEAR; j++) {
        if (item_at(r, j)->class == ZT_W_VERB)
            return;
        if (!is_light(item_at(r, j)))
            break;
    }
    int kind = zt_move_of(r->family, it->value);
    if (kind != ZT_NO_MOVE)
        add_move(r, as_aerial(r, (enum zt_move_kind)kind), i, it, false);
    r->fresh = false;
}

/* 镜头冲向敌人 */
static void read_goto(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);

    if (it->value != ZT_F_GOTO || r->actor != CAMERA || r->things > 0 || it->negated)
        return;
    *r->mentioned = r->told = true;
    add_move(r, ZT_MOVE_PUSH_IN, i, it, false);
    r->fresh = false;
}

/* "... a woman who turns": the thing just named acts. */
static void read_who(struct reader *r)
{
    start_clause(r);
    r->actor = OTHER;
    r->fresh = false;
    r->things = 1;
}

static void read_item(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);

    switch (it->class) {
    case ZT_W_PUNCT:
        read_punct(r, it->value);
        break;
    case ZT_W_THEN:
        start_clause(r);
        r->then = r->then || it->value == 0;
        if (r->told)
            r->actor = CAMERA;
        break;
    case ZT_W_WHILE:
        start_clause(r);
        r->then = false;
        r->together = true;
        break;
    case ZT_W_AND:
    case ZT_W_OR:
        if (r->actor != OTHER) /* "waves rise and pull back": still theirs */
            start_clause(r);
        break;
    case ZT_W_BUT:
        start_clause(r);
        break;
    case ZT_W_WHO:
        read_who(r);
        break;
    case ZT_W_IT:
        if (r->actor == NOBODY && r->told_before)
            r->actor = CAMERA;
        break;
    case ZT_W_PRONOUN:
    case ZT_W_OTHER:
    case ZT_W_ATMO:
        read_thing(r);
        break;
    case ZT_W_CAMERA:
        read_camera_noun(r, i);
        break;
    case ZT_W_VERB:
        read_verb(r, i);
        break;
    case ZT_W_MOVEMENT:
        read_movement(r, i);
        break;
    case ZT_W_DIR:
        read_dir(r, i);
        break;
    case ZT_W_FILLER:
        read_goto(r, i);
        break;
    case ZT_W_REVEAL:
        r->fresh = false;
        break;
    default:
        break;
    }
}

/* ---- modifiers ----------------------------------------------------------------------------- */

static bool ends_clause(const struct zt_item *it)
{
    return it->class == ZT_W_THEN || it->class == ZT_W_WHILE || it->class == ZT_W_WHO ||
           (it->class == ZT_W_PUNCT && it->value != '"' && it->value != '\'' && it->value != '-' &&
            it->value != '%');
}

/* The move said at item i, or -1. */
static int move_at(const struct reader *r, int i)
{
    for (int m = 0; m < r->shot->moves; m++) {
        if (r->said[m] == i)
            return m;
    }
    return -1;
}

/* The nearest move that the modifier at i can belong to, going one way; its distance in *ret. */
static int seek_move(const struct reader *r, int i, int step, int *ret)
{
    for (int j = i + step, n = 1; n <= 8; j += step, n++) {
        const struct zt_item *it = item_at(r, j);
        int m = move_at(r, j);
        *ret = n;
        if (m >= 0)
            return m;
        bool comma = it->class == ZT_W_PUNCT && (it->value == ',' || it->value == '/');
        bool adjectives = step > 0 && comma && item_at(r, j + 1)->class == ZT_W_MOD;
        if (it->class == ZT_W_VERB || (ends_clause(it) && !adjectives) ||
            (step > 0 && n > 1 && it->class == ZT_W_OTHER) || it->class == ZT_W_PRONOUN)
            return -1;
        /* Behind a thing it still says how the camera moves when it closes the clause. */
        if (step < 0 && it->class == ZT_W_OTHER && !ends_clause(item_at(r, i + 1)))
            return -1;
    }
    return -1;
}

static float clamp_rate(float rate)
{
    return rate < RATE_MIN ? RATE_MIN : rate > RATE_MAX ? RATE_MAX : rate;
}

/* "a slowly spinning vase", "a fast car", 缓缓行走的女孩: not about the camera. */
static bool is_of_thing(const struct reader *r, int i)
{
    const struct zt_item *mod = item_at(r, i);
    const struct zt_item *next = item_at(r, i + 1);

    if (next->class == ZT_W_VERB)
        return move_at(r, i + 1) < 0;
    if (next->class != ZT_W_OTHER)
        return false;
    return (mod->value == 1 || mod->form == ZT_FORM_CHINESE) && move_at(r, i + 2) < 0;
}

static void bind_modifier(const struct reader *r, int i)
{
    const struct zt_item *mod = item_at(r, i);
    int back = 0;
    int ahead = 0;
    int before = seek_move(r, i, -1, &back);
    int after = seek_move(r, i, 1, &ahead);
    int m = after < 0 || (before >= 0 && back < ahead) ? before : after;

    if (m < 0 || is_of_thing(r, i))
        return;
    struct zt_move *move = &r->shot->move[m];
    bool very = item_at(r, i - 1)->class == ZT_W_VERY;
    if (mod->speed > 0)
        move->speed = very ? (mod->speed < 1 ? mod->speed * 0.7f : mod->speed * 1.25f) : mod->speed;
    if (mod->strength > 0)
        move->strength = very ? (mod->strength < 1 ? mod->strength * 0.7f : mod->strength * 1.25f)
                              : mod->strength;
    move->speed = clamp_rate(move->speed);
    move->strength = clamp_rate(move->strength);
}

/* A drone, or a look down on everything: what goes up goes up high. */
static bool is_high(const struct zt_item *it)
{
    return (it->class == ZT_W_CAMERA && it->value == ZT_CAM_AERIAL) ||
           (it->class == ZT_W_REVEAL && it->value == 1);
}

void zt_read_camera(const struct zt_items *items, const struct zt_span *span, struct zt_shot *shot,
                    bool *mentioned)
{
    struct reader r = {
        .items = items,
        .first = span->first,
        .end = span->end,
        .shot = shot,
        .mentioned = mentioned,
        .fresh = true,
        .clause = ZT_FAMILIES,
    };
    for (int i = span->first; i < span->end; i++)
        r.aerial = r.aerial || is_high(&items->item[i]);
    for (int i = span->first; i < span->end; i++) {
        if (i >= r.read_to)
            read_item(&r, i);
    }
    for (int i = span->first; i < span->end; i++) {
        if (items->item[i].class == ZT_W_MOD)
            bind_modifier(&r, i);
    }
}
