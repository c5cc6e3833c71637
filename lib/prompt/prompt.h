/*
 * prompt.h - what a prompt asks for: shots, camera moves, framing, atmosphere.
 *
 * Pure functions on text, Chinese and English, mixed. Reading never fails on valid UTF-8: what is
 * not understood is simply not in the result. Any thread.
 */
#ifndef ZT_PROMPT_PROMPT_H
#define ZT_PROMPT_PROMPT_H

#include "base/error.h"

#define ZT_PROMPT_MAX_CHARS 10000
#define ZT_SHOTS_MAX        16
#define ZT_MOVES_MAX        6

/*
 * Direction is part of the move; "zoom" changes the field of view, "push" moves the camera. Where
 * no direction is said, pan, truck and orbit go right, roll clockwise, tilt, pedestal and crane up,
 * zoom and dolly in.
 */
enum zt_move_kind {
    ZT_MOVE_STATIC,
    ZT_MOVE_PUSH_IN,
    ZT_MOVE_PULL_OUT,
    ZT_MOVE_ZOOM_IN,
    ZT_MOVE_ZOOM_OUT,
    ZT_MOVE_DOLLY_ZOOM_IN, /* camera in, field of view out (the background recedes) ... */
    ZT_MOVE_DOLLY_ZOOM_OUT,
    ZT_MOVE_PAN_LEFT, /* the camera turns; what it sees moves the other way */
    ZT_MOVE_PAN_RIGHT,
    ZT_MOVE_TILT_UP,
    ZT_MOVE_TILT_DOWN,
    ZT_MOVE_TRUCK_LEFT, /* the camera travels */
    ZT_MOVE_TRUCK_RIGHT,
    ZT_MOVE_PEDESTAL_UP,
    ZT_MOVE_PEDESTAL_DOWN,
    ZT_MOVE_ROLL_CW,
    ZT_MOVE_ROLL_CCW,
    ZT_MOVE_ORBIT_LEFT, /* the camera circles to its left, the subject stays in the middle */
    ZT_MOVE_ORBIT_RIGHT,
    ZT_MOVE_CRANE_UP,
    ZT_MOVE_CRANE_DOWN,
    ZT_MOVE_FOLLOW,
    ZT_MOVE_HANDHELD,
    ZT_MOVE_KINDS
};

enum zt_framing {
    ZT_FRAMING_NONE,
    ZT_FRAMING_EXTREME_WIDE,
    ZT_FRAMING_WIDE,
    ZT_FRAMING_FULL,
    ZT_FRAMING_MEDIUM,
    ZT_FRAMING_CLOSE_UP,
    ZT_FRAMING_EXTREME_CLOSE_UP,
    ZT_FRAMINGS
};

enum zt_atmosphere {
    ZT_ATMO_RAIN,
    ZT_ATMO_SNOW,
    ZT_ATMO_FOG, /* mist, haze, smoke */
    ZT_ATMO_DUST,
    ZT_ATMO_EMBERS, /* fire, sparks */
    ZT_ATMO_WATER,
    ZT_ATMO_WIND,
    ZT_ATMO_CLOUDS,
    ZT_ATMO_FLICKER, /* candle, neon, lamp */
    ZT_ATMO_SUN_RAYS,
    ZT_ATMO_NIGHT,
    ZT_ATMO_PETALS, /* leaves and petals in the air */
    ZT_ATMO_KINDS
};

enum zt_transition {
    ZT_CUT,
    ZT_DISSOLVE,
    ZT_FADE, /* through black */
    ZT_WHIP_PAN,
    ZT_MATCH_CUT,
    ZT_TRANSITIONS
};

struct zt_move {
    enum zt_move_kind kind;
    float strength; /* how far: 0.5 slightly ... 1 as usual ... 2 dramatically; 0.25 ... 2.5 */
    float speed;    /* how fast: 0.5 slowly ... 1 ... 2 quickly; 0.25 ... 2.5 */
    bool then;      /* starts when the one before ends; otherwise they run together */
};

struct zt_shot {
    struct zt_move move[ZT_MOVES_MAX];
    int moves;
    enum zt_framing framing;
    float subject_x, subject_y;      /* -1 left/top ... 0 not said ... 1 right/bottom */
    bool subject_said;               /* a position was named, centre included */
    float atmosphere[ZT_ATMO_KINDS]; /* 0 absent, 0.5 light, 1 as usual, 2 heavy */
    float seconds;                   /* stated length, 0 when not stated */
    enum zt_transition transition;   /* how this shot begins; the first shot's is ZT_CUT */
    int text_first, text_end;        /* bytes of the prompt that this shot was read from */
};

struct zt_prompt {
    struct zt_shot shot[ZT_SHOTS_MAX];
    int shots;             /* at least 1 */
    bool loop;             /* "seamless loop", 循环 */
    bool camera_mentioned; /* some camera move, or its absence, was named */
};

/*
 * Reads n bytes of UTF-8. ZT_E_INVALID: not UTF-8, empty or blank, or more than
 * ZT_PROMPT_MAX_CHARS code points.
 */
enum zt_code zt_prompt_read(const char *text, size_t n, struct zt_prompt *ret, struct zt_err *err);

/* "push_in", "close_up", "rain", "dissolve": the names in JSON output and in tests. */
const char *zt_move_name(enum zt_move_kind kind);
const char *zt_framing_name(enum zt_framing framing);
const char *zt_atmosphere_name(enum zt_atmosphere kind);
const char *zt_transition_name(enum zt_transition transition);

#endif
