/*
 * words.h - the vocabulary, and the text cut into items of it. Inside lib/prompt/ only.
 *
 * words_en.c and words_zh.c are tables; lex.c finds their rows in a text by longest match; the
 * other files read the items and never the text.
 */
#ifndef ZT_PROMPT_WORDS_H
#define ZT_PROMPT_WORDS_H

#include "prompt/prompt.h"

enum zt_word_class {
    ZT_W_OTHER,    /* a content word that the grammar knows nothing about */
    ZT_W_FILLER,   /* articles, prepositions, particles: value is enum zt_filler */
    ZT_W_CAMERA,   /* value is enum zt_camera_noun */
    ZT_W_VERB,     /* value is ZT_VERB(...) */
    ZT_W_DIR,      /* value is enum zt_dir; strength when it says how far, speed 1 for "sideways":
                    * along that line, but which way is open */
    ZT_W_MOVEMENT, /* "movement", "运镜": any move at all */
    ZT_W_MOD,      /* how fast, how far; value 1: an adjective ("slow push in") */
    ZT_W_VERY,     /* makes the modifier beside it stronger */
    ZT_W_THEN,     /* one after the other; value 1: "first" */
    ZT_W_WHILE,    /* together */
    ZT_W_AND,
    ZT_W_OR,
    ZT_W_WHO, /* what follows tells of the thing just named */
    ZT_W_BUT, /* ends a negation */
    ZT_W_NEG,
    ZT_W_REVEAL,   /* what a camera does besides moving: reveal, show; value 1: look down on */
    ZT_W_PRONOUN,  /* he, she, they: never the camera */
    ZT_W_IT,       /* whoever acted last */
    ZT_W_FRAMING,  /* value is enum zt_framing */
    ZT_W_POSITION, /* value is ZT_AT(x, y) */
    ZT_W_ATMO,     /* value is enum zt_atmosphere, strength how much */
    ZT_W_DEGREE,   /* heavy, light: how much of the atmosphere beside it */
    ZT_W_CUT,      /* a new shot begins; value is enum zt_transition */
    ZT_W_BLEND,    /* names a transition, a shot only where it stands as a mark; as above */
    ZT_W_PART,     /* "shot", "scene": a mark when a number follows */
    ZT_W_LOOP,
    ZT_W_NUMBER, /* number holds it */
    ZT_W_SECONDS,
    ZT_W_FILM,  /* "video", "clip": a length beside it is that of the whole */
    ZT_W_LIST,  /* a circled number, 1 ... 20 in number */
    ZT_W_PUNCT, /* value is the ASCII character that it amounts to */
    ZT_W_CLASSES
};

enum zt_filler {
    ZT_F_PLAIN,
    ZT_F_THE,
    ZT_F_A,     /* a, an, 一台: a thing named for the first time */
    ZT_F_POSS,  /* her, his: a thing that belongs to somebody */
    ZT_F_AT,    /* at, toward, 看向: what follows is looked at or gone to */
    ZT_F_GOTO,  /* 冲向: as AT, and what a camera does, too */
    ZT_F_TO,    /* to, into, 到: what follows is where it ends */
    ZT_F_ALONG, /* across, over, along: what follows a camera move */
    ZT_F_ACROSS,
    ZT_F_MARK, /* 前, 后, 第 before a number of seconds */
    ZT_F_LINK, /* be, 是: says that something is so */
};

enum zt_camera_noun {
    ZT_CAM_CAMERA,
    ZT_CAM_SHOT,   /* "shot", "镜头": also what a move is called after */
    ZT_CAM_AERIAL, /* drone, 航拍: rises like a crane */
    ZT_CAM_FRAME,  /* view, frame, 画面: the camera only beside a film term */
};

/* What a verb says; with a direction it becomes a move (the table in camera.c). */
enum zt_family {
    ZT_V_PUSH,
    ZT_V_PULL,
    ZT_V_ZOOM,
    ZT_V_DOLLY_ZOOM,
    ZT_V_DOLLY,
    ZT_V_PAN,
    ZT_V_TILT,
    ZT_V_TRUCK,
    ZT_V_TRACK,
    ZT_V_TRACKING, /* "tracking shot": along with something, or sideways */
    ZT_V_PEDESTAL,
    ZT_V_CRANE,
    ZT_V_ROLL,
    ZT_V_ROTATE,
    ZT_V_ORBIT,
    ZT_V_FOLLOW,
    ZT_V_HANDHELD,
    ZT_V_STATIC,
    ZT_V_TRAVEL, /* move, glide: nothing without a direction */
    ZT_V_FLY,    /* forward unless said otherwise */
    ZT_V_RISE,
    ZT_V_SINK,
    ZT_V_WITHDRAW, /* back away */
    ZT_V_ENLARGE,
    ZT_V_SHRINK,
    ZT_FAMILIES
};

/* How sure one can be that the word is about the camera when no camera is named. */
enum zt_level {
    ZT_GENERIC, /* anything moves, turns, rises: only with the camera as its subject */
    ZT_SEMI,    /* a camera's unless something else is its subject */
    ZT_TERM,    /* a term of the trade */
};

enum zt_dir {
    ZT_D_NONE,
    ZT_D_LEFT,
    ZT_D_RIGHT,
    ZT_D_UP,
    ZT_D_DOWN,
    ZT_D_IN,
    ZT_D_OUT,
    ZT_D_CW,
    ZT_D_CCW,
    ZT_D_AROUND,
    ZT_DIRS
};

/* noun: also the name of a thing (a pan, a truck, a crane). */
#define ZT_VERB(family, level, noun) ((family) | (level) << 8 | (noun) << 12)
#define ZT_VERB_FAMILY(value)        ((enum zt_family)((value)&0xFF))
#define ZT_VERB_LEVEL(value)         ((enum zt_level)((value) >> 8 & 0xF))
#define ZT_VERB_NOUN(value)          (((value) >> 12 & 1) != 0)
#define ZT_AT(x, y)                  (((x) + 1) | ((y) + 1) << 2)
#define ZT_AT_X(value)               ((float)((value)&3) - 1)
#define ZT_AT_Y(value)               ((float)((value) >> 2) - 1)

struct zt_word {
    const char *text; /* lower case, words parted by one space */
    enum zt_word_class class;
    int value;
    float speed, strength; /* 0: not said */
};

enum zt_form {
    ZT_FORM_BASE,
    ZT_FORM_S,
    ZT_FORM_ING,
    ZT_FORM_ED,
    ZT_FORM_CHINESE, /* Chinese doesn't say */
};

struct zt_item {
    enum zt_word_class class;
    int value;
    float speed, strength;
    double number;
    enum zt_form form;
    int first, end; /* bytes of the text */
    bool spaced;    /* white space stands before it */
    bool negated;
};

struct zt_items {
    struct zt_item *item;
    int n;
};

extern const struct zt_word zt_words_en[];
extern const int zt_words_en_count;
extern const struct zt_word zt_words_zh[];
extern const int zt_words_zh_count;

/* The move that a verb of the family makes in a direction (enum zt_dir), or ZT_NO_MOVE. */
#define ZT_NO_MOVE (-1)
int zt_move_of(enum zt_family family, int dir);

/* The simplified form of a traditional Chinese character; others unchanged. */
uint32_t zt_simplified(uint32_t c);

/* Cuts valid UTF-8 into items. The caller frees ret->item. ZT_E_NOMEM. */
enum zt_code zt_lex(const char *text, size_t n, struct zt_items *ret, struct zt_err *err);

/* Marks the items that a negation reaches. */
void zt_negate(const struct zt_items *items);

/* Where a shot is in the items; first to end includes its mark. */
struct zt_span {
    int first, end;
    enum zt_transition transition;
    float seconds;
};

/* Cuts the items into at most ZT_SHOTS_MAX spans; returns how many, at least 1. */
int zt_find_shots(const struct zt_items *items, struct zt_span span[ZT_SHOTS_MAX]);

/* Fill what the items of a span say into a shot. */
void zt_read_camera(const struct zt_items *items, const struct zt_span *span, struct zt_shot *shot,
                    bool *mentioned);
void zt_read_scene(const struct zt_items *items, const struct zt_span *span, struct zt_shot *shot);

#endif
