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
#define NO_MOVE  (-1)

/* ---- what a verb means with each direction ------------------------------------------------- */

#define M(kind) ZT_MOVE_##kind
/* clang-format off */
/*
 * The first column is the verb alone. A bare pan, truck, orbit goes right, a bare roll clockwise;
 * a bare tilt, pedestal and crane go up: what people mean most often.
 */
static const signed char moves[ZT_FAMILIES][ZT_DIRS] = {
    /*                  alone            left            right             up               down               in                out               cw               ccw              around */
    [ZT_V_PUSH]     = { M(PUSH_IN),      M(TRUCK_LEFT),  M(TRUCK_RIGHT),   M(PEDESTAL_UP),  M(PEDESTAL_DOWN),  M(PUSH_IN),       M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(PUSH_IN) },
    [ZT_V_PULL]     = { M(PULL_OUT),     M(TRUCK_LEFT),  M(TRUCK_RIGHT),   M(PEDESTAL_UP),  M(PEDESTAL_DOWN),  M(PUSH_IN),       M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(PULL_OUT) },
    [ZT_V_ZOOM]     = { M(ZOOM_IN),      NO_MOVE,        NO_MOVE,          NO_MOVE,         NO_MOVE,           M(ZOOM_IN),       M(ZOOM_OUT),      NO_MOVE,         NO_MOVE,         NO_MOVE },
    [ZT_V_DOLLY_ZOOM] = { M(DOLLY_ZOOM_IN), NO_MOVE,     NO_MOVE,          NO_MOVE,         NO_MOVE,           M(DOLLY_ZOOM_IN), M(DOLLY_ZOOM_OUT), NO_MOVE,        NO_MOVE,         NO_MOVE },
    [ZT_V_DOLLY]    = { M(PUSH_IN),      M(TRUCK_LEFT),  M(TRUCK_RIGHT),   M(PEDESTAL_UP),  M(PEDESTAL_DOWN),  M(PUSH_IN),       M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(ORBIT_RIGHT) },
    [ZT_V_PAN]      = { M(PAN_RIGHT),    M(PAN_LEFT),    M(PAN_RIGHT),     M(TILT_UP),      M(TILT_DOWN),      M(PAN_RIGHT),     M(PAN_RIGHT),     M(PAN_RIGHT),    M(PAN_LEFT),     M(PAN_RIGHT) },
    [ZT_V_TILT]     = { M(TILT_UP),      M(ROLL_CCW),    M(ROLL_CW),       M(TILT_UP),      M(TILT_DOWN),      M(TILT_UP),       M(TILT_UP),       M(ROLL_CW),      M(ROLL_CCW),     M(TILT_UP) },
    [ZT_V_TRUCK]    = { M(TRUCK_RIGHT),  M(TRUCK_LEFT),  M(TRUCK_RIGHT),   M(PEDESTAL_UP),  M(PEDESTAL_DOWN),  M(PUSH_IN),       M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(ORBIT_RIGHT) },
    [ZT_V_TRACK]    = { M(FOLLOW),       M(TRUCK_LEFT),  M(TRUCK_RIGHT),   M(PEDESTAL_UP),  M(PEDESTAL_DOWN),  M(PUSH_IN),       M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(ORBIT_RIGHT) },
    [ZT_V_PEDESTAL] = { M(PEDESTAL_UP),  NO_MOVE,        NO_MOVE,          M(PEDESTAL_UP),  M(PEDESTAL_DOWN),  NO_MOVE,          NO_MOVE,          NO_MOVE,         NO_MOVE,         NO_MOVE },
    [ZT_V_CRANE]    = { M(CRANE_UP),     NO_MOVE,        NO_MOVE,          M(CRANE_UP),     M(CRANE_DOWN),     M(CRANE_DOWN),    M(CRANE_UP),      NO_MOVE,         NO_MOVE,         NO_MOVE },
    [ZT_V_ROLL]     = { M(ROLL_CW),      M(ROLL_CCW),    M(ROLL_CW),       NO_MOVE,         NO_MOVE,           NO_MOVE,          NO_MOVE,          M(ROLL_CW),      M(ROLL_CCW),     M(ROLL_CW) },
    [ZT_V_ROTATE]   = { M(ROLL_CW),      M(PAN_LEFT),    M(PAN_RIGHT),     M(TILT_UP),      M(TILT_DOWN),      NO_MOVE,          NO_MOVE,          M(ROLL_CW),      M(ROLL_CCW),     M(ORBIT_RIGHT) },
    [ZT_V_ORBIT]    = { M(ORBIT_RIGHT),  M(ORBIT_LEFT),  M(ORBIT_RIGHT),   M(ORBIT_RIGHT),  M(ORBIT_RIGHT),    M(ORBIT_RIGHT),   M(ORBIT_RIGHT),   M(ORBIT_LEFT),   M(ORBIT_RIGHT),  M(ORBIT_RIGHT) },
    [ZT_V_FOLLOW]   = { M(FOLLOW),       M(FOLLOW),      M(FOLLOW),        M(FOLLOW),       M(FOLLOW),         M(FOLLOW),        M(FOLLOW),        M(FOLLOW),       M(FOLLOW),       M(FOLLOW) },
    [ZT_V_HANDHELD] = { M(HANDHELD),     M(HANDHELD),    M(HANDHELD),      M(HANDHELD),     M(HANDHELD),       M(HANDHELD),      M(HANDHELD),      M(HANDHELD),     M(HANDHELD),     M(HANDHELD) },
    [ZT_V_STATIC]   = { M(STATIC),       M(STATIC),      M(STATIC),        M(STATIC),       M(STATIC),         M(STATIC),        M(STATIC),        M(STATIC),       M(STATIC),       M(STATIC) },
    [ZT_V_TRAVEL]   = { NO_MOVE,         M(TRUCK_LEFT),  M(TRUCK_RIGHT),   M(PEDESTAL_UP),  M(PEDESTAL_DOWN),  M(PUSH_IN),       M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(ORBIT_RIGHT) },
    [ZT_V_FLY]      = { M(PUSH_IN),      M(TRUCK_LEFT),  M(TRUCK_RIGHT),   M(CRANE_UP),     M(CRANE_DOWN),     M(PUSH_IN),       M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(ORBIT_RIGHT) },
    [ZT_V_RISE]     = { M(PEDESTAL_UP),  M(PEDESTAL_UP), M(PEDESTAL_UP),   M(PEDESTAL_UP),  NO_MOVE,           M(PEDESTAL_UP),   M(PEDESTAL_UP),   M(PEDESTAL_UP),  M(PEDESTAL_UP),  M(PEDESTAL_UP) },
    [ZT_V_SINK]     = { M(PEDESTAL_DOWN), M(PEDESTAL_DOWN), M(PEDESTAL_DOWN), NO_MOVE,      M(PEDESTAL_DOWN),  M(PEDESTAL_DOWN), M(PEDESTAL_DOWN), M(PEDESTAL_DOWN), M(PEDESTAL_DOWN), M(PEDESTAL_DOWN) },
    [ZT_V_WITHDRAW] = { M(PULL_OUT),     M(PULL_OUT),    M(PULL_OUT),      M(PULL_OUT),     M(PULL_OUT),       M(PULL_OUT),      M(PULL_OUT),      NO_MOVE,         NO_MOVE,         M(PULL_OUT) },
    [ZT_V_ENLARGE]  = { M(ZOOM_IN),      M(ZOOM_IN),     M(ZOOM_IN),       M(ZOOM_IN),      M(ZOOM_IN),        M(ZOOM_IN),       M(ZOOM_IN),       NO_MOVE,         NO_MOVE,         M(ZOOM_IN) },
    [ZT_V_SHRINK]   = { M(ZOOM_OUT),     M(ZOOM_OUT),    M(ZOOM_OUT),      M(ZOOM_OUT),     M(ZOOM_OUT),       M(ZOOM_OUT),      M(ZOOM_OUT),      NO_MOVE,         NO_MOVE,         M(ZOOM_OUT) },
};
/* clang-format on */
#undef M

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
    bool followed;    /* the clause says that the camera follows: what moves now is the subject */
    bool then, together;
    int said[ZT_MOVES_MAX]; /* item that each move was read from */
    enum zt_family family;  /* of the last move, for "... then right" */
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

/* Whether the camera noun at i is looked at, held or owned rather than acting. */
static bool is_object(const struct reader *r, int i)
{
    for (int j = i - 1; j >= i - 3; j--) {
        const struct zt_item *before = item_at(r, j);
        if (before->class != ZT_W_FILLER)
            return false;
        if (before->value == ZT_F_AT || before->value == ZT_F_TO || before->value == ZT_F_POSS)
            return true;
        if (before->value == ZT_F_A)
            return item_at(r, i)->value == ZT_CAM_CAMERA && item_at(r, i + 1)->class != ZT_W_VERB;
    }
    return false;
}

static void read_camera_noun(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);

    if (it->value == ZT_CAM_FRAME)
        return;
    if (is_object(r, i)) {
        read_thing(r);
        return;
    }
    r->actor = CAMERA;
    r->aerial = it->value == ZT_CAM_AERIAL;
    r->shot_of = it->value == ZT_CAM_SHOT && it->form != ZT_FORM_CHINESE;
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
           family == ZT_V_ORBIT || family == ZT_V_ROTATE || family == ZT_V_TRACK;
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

    return (next->class == ZT_W_CAMERA && next->value != ZT_CAM_FRAME) ||
           next->class == ZT_W_MOVEMENT;
}

static bool after_adjective(const struct reader *r, int i)
{
    const struct zt_item *before = item_at(r, i - 1);

    if (before->class == ZT_W_DIR && before->form != ZT_FORM_CHINESE)
        before = item_at(r, i - 2);
    return before->class == ZT_W_MOD && before->value == 1;
}

/* The camera is acting: is this verb still its own, and not that of what it shows? */
static bool is_its_own(const struct reader *r, const struct zt_item *verb)
{
    enum zt_level level = ZT_VERB_LEVEL(verb->value);

    if (r->followed && r->things > 0)
        return level == ZT_TERM && !r->fresh;
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

static bool is_cameras(const struct reader *r, int i, bool directed)
{
    const struct zt_item *verb = item_at(r, i);
    enum zt_level level = ZT_VERB_LEVEL(verb->value);
    const struct zt_item *next = item_at(r, i + 1);

    if (r->actor == CAMERA)
        return is_its_own(r, verb);
    if (named_as_shot(r, i))
        return true;
    if (verb->form == ZT_FORM_CHINESE)
        return is_cameras_in_chinese(r, verb, i, directed);
    if (level == ZT_GENERIC)
        return false;

    bool thing = ZT_VERB_NOUN(verb->value) || ZT_VERB_FAMILY(verb->value) == ZT_V_ZOOM;
    bool adjective = after_adjective(r, i);
    if (thing && !directed) { /* a pan, a truck, a zoom lens */
        bool along = next->class == ZT_W_FILLER && next->value == ZT_F_ALONG;
        if (next->class == ZT_W_OTHER || !(adjective || along || level == ZT_TERM))
            return false;
        if (ZT_VERB_NOUN(verb->value) && !adjective && !along)
            return false;
    }
    if (level == ZT_SEMI && !directed && !adjective && ZT_VERB_FAMILY(verb->value) != ZT_V_STATIC &&
        next->class != ZT_W_FILLER)
        return false;
    if (r->things == 0 && verb->form != ZT_FORM_S)
        return r->actor == NOBODY || r->fresh;
    if (r->actor == NOBODY)
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

static void add_move(struct reader *r, enum zt_move_kind kind, int i, float strength)
{
    struct zt_shot *shot = r->shot;
    bool clash = false;

    for (int m = 0; m < shot->moves; m++) {
        bool last = m == shot->moves - 1;
        if (shot->move[m].kind == kind && !(r->then && !last)) {
            r->said[m] = i;
            return;
        }
        clash = clash || (last && undoes(shot->move[m].kind, kind));
    }
    if (shot->moves == ZT_MOVES_MAX)
        return;
    bool steady = kind == ZT_MOVE_HANDHELD || kind == ZT_MOVE_FOLLOW;
    shot->move[shot->moves] = (struct zt_move){
        .kind = kind,
        .strength = strength > 0 ? strength : 1,
        .speed = 1,
        .then = shot->moves > 0 && (clash || (r->then && !steady)),
    };
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

static void read_verb(struct reader *r, int i)
{
    const struct zt_item *verb = item_at(r, i);
    enum zt_family family = ZT_VERB_FAMILY(verb->value);
    int at = find_dir(r, i);
    enum zt_dir dir = at >= 0 ? (enum zt_dir)item_at(r, at)->value : ZT_D_NONE;
    int kind = moves[family][dir];

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
            add_move(r, ZT_MOVE_STATIC, i, 0);
    } else if (kind != NO_MOVE) {
        add_move(r, as_aerial(r, (enum zt_move_kind)kind), i,
                 at >= 0 ? item_at(r, at)->strength : 0);
        r->family = family;
    }
    if (r->actor == NOBODY || r->fresh)
        r->actor = CAMERA;
    r->followed = r->followed || family == ZT_V_FOLLOW;
    r->fresh = false;
    r->things = 0;
}

static void read_movement(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);

    if (it->negated && (it->value == 1 || r->actor == CAMERA)) {
        *r->mentioned = true;
        r->told = true;
        add_move(r, ZT_MOVE_STATIC, i, 0);
    }
    r->fresh = false;
}

/* A direction without a verb of its own: "pans left, then right". */
static void read_dir(struct reader *r, int i)
{
    const struct zt_item *it = item_at(r, i);
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
    int kind = moves[r->family][it->value];
    if (kind != NO_MOVE)
        add_move(r, as_aerial(r, (enum zt_move_kind)kind), i, it->strength);
    r->fresh = false;
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
    case ZT_W_BUT:
        start_clause(r);
        break;
    case ZT_W_WHO:
        start_clause(r);
        r->actor = OTHER;
        r->fresh = false;
        r->things = 1;
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
            (step > 0 && (it->class == ZT_W_OTHER || it->class == ZT_W_PRONOUN)))
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

static void bind_modifier(const struct reader *r, int i)
{
    const struct zt_item *mod = item_at(r, i);
    int back = 0;
    int ahead = 0;
    int before = seek_move(r, i, -1, &back);
    int after = seek_move(r, i, 1, &ahead);
    int m = after < 0 || (before >= 0 && back < ahead) ? before : after;

    if (m < 0)
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
    };
    for (int i = span->first; i < span->end; i++)
        read_item(&r, i);
    for (int i = span->first; i < span->end; i++) {
        if (items->item[i].class == ZT_W_MOD)
            bind_modifier(&r, i);
    }
}
