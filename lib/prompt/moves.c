/* moves.c - what a verb means with each direction. */
#include "prompt/words.h"

/* Two letters a move, so that the table can be taken in at a glance. */
enum {
    NO = ZT_NO_MOVE,
    ST = ZT_MOVE_STATIC,
    IN = ZT_MOVE_PUSH_IN,
    BK = ZT_MOVE_PULL_OUT,
    ZI = ZT_MOVE_ZOOM_IN,
    ZO = ZT_MOVE_ZOOM_OUT,
    DI = ZT_MOVE_DOLLY_ZOOM_IN,
    DO = ZT_MOVE_DOLLY_ZOOM_OUT,
    PL = ZT_MOVE_PAN_LEFT,
    PR = ZT_MOVE_PAN_RIGHT,
    TU = ZT_MOVE_TILT_UP,
    TD = ZT_MOVE_TILT_DOWN,
    KL = ZT_MOVE_TRUCK_LEFT,
    KR = ZT_MOVE_TRUCK_RIGHT,
    UP = ZT_MOVE_PEDESTAL_UP,
    DN = ZT_MOVE_PEDESTAL_DOWN,
    RR = ZT_MOVE_ROLL_CW,
    RL = ZT_MOVE_ROLL_CCW,
    OL = ZT_MOVE_ORBIT_LEFT,
    OR = ZT_MOVE_ORBIT_RIGHT,
    CU = ZT_MOVE_CRANE_UP,
    CD = ZT_MOVE_CRANE_DOWN,
    FO = ZT_MOVE_FOLLOW,
    HH = ZT_MOVE_HANDHELD,
};

/* clang-format off */
/*
 * The first column is the verb alone. A bare pan, truck, orbit goes right, a bare roll clockwise;
 * a bare tilt, pedestal and crane go up: what people mean most often.
 */
static const short moves[ZT_FAMILIES][ZT_DIRS] = {
    /*                  alone left right up  down in   out  cw  ccw around */
    [ZT_V_PUSH]         = { IN,  KL,  KR,  UP,  DN,  IN,  BK,  NO,  NO,  IN },
    [ZT_V_PULL]         = { BK,  KL,  KR,  UP,  DN,  IN,  BK,  NO,  NO,  BK },
    [ZT_V_ZOOM]         = { ZI,  NO,  NO,  NO,  NO,  ZI,  ZO,  NO,  NO,  NO },
    [ZT_V_DOLLY_ZOOM]   = { DI,  NO,  NO,  NO,  NO,  DI,  DO,  NO,  NO,  NO },
    [ZT_V_DOLLY]        = { IN,  KL,  KR,  UP,  DN,  IN,  BK,  NO,  NO,  OR },
    [ZT_V_PAN]          = { PR,  PL,  PR,  TU,  TD,  PR,  PR,  PR,  PL,  PR },
    [ZT_V_TILT]         = { TU,  RL,  RR,  TU,  TD,  TU,  TU,  RR,  RL,  TU },
    [ZT_V_TRUCK]        = { KR,  KL,  KR,  UP,  DN,  IN,  BK,  NO,  NO,  OR },
    [ZT_V_TRACK]        = { FO,  KL,  KR,  UP,  DN,  IN,  BK,  NO,  NO,  OR },
    [ZT_V_TRACKING]     = { FO,  KL,  KR,  FO,  FO,  FO,  FO,  NO,  NO,  FO },
    [ZT_V_PEDESTAL]     = { UP,  NO,  NO,  UP,  DN,  NO,  NO,  NO,  NO,  NO },
    [ZT_V_CRANE]        = { CU,  NO,  NO,  CU,  CD,  CU,  CU,  NO,  NO,  NO },
    [ZT_V_ROLL]         = { RR,  RL,  RR,  NO,  NO,  NO,  NO,  RR,  RL,  RR },
    [ZT_V_ROTATE]       = { RR,  PL,  PR,  TU,  TD,  NO,  NO,  RR,  RL,  OR },
    [ZT_V_ORBIT]        = { OR,  OL,  OR,  OR,  OR,  OR,  OR,  OL,  OR,  OR },
    [ZT_V_FOLLOW]       = { FO,  FO,  FO,  FO,  FO,  FO,  FO,  FO,  FO,  FO },
    [ZT_V_HANDHELD]     = { HH,  HH,  HH,  HH,  HH,  HH,  HH,  HH,  HH,  HH },
    [ZT_V_STATIC]       = { ST,  ST,  ST,  ST,  ST,  ST,  ST,  ST,  ST,  ST },
    [ZT_V_TRAVEL]       = { NO,  KL,  KR,  UP,  DN,  IN,  BK,  NO,  NO,  OR },
    [ZT_V_FLY]          = { IN,  KL,  KR,  CU,  CD,  IN,  BK,  NO,  NO,  OR },
    [ZT_V_RISE]         = { UP,  UP,  UP,  UP,  NO,  UP,  UP,  UP,  UP,  UP },
    [ZT_V_SINK]         = { DN,  DN,  DN,  NO,  DN,  DN,  DN,  DN,  DN,  DN },
    [ZT_V_WITHDRAW]     = { BK,  BK,  BK,  BK,  BK,  BK,  BK,  NO,  NO,  BK },
    [ZT_V_ENLARGE]      = { ZI,  ZI,  ZI,  ZI,  ZI,  ZI,  ZI,  NO,  NO,  ZI },
    [ZT_V_SHRINK]       = { ZO,  ZO,  ZO,  ZO,  ZO,  ZO,  ZO,  NO,  NO,  ZO },
};
/* clang-format on */

int zt_move_of(enum zt_family family, int dir)
{
    zt_assert(family < ZT_FAMILIES && dir >= 0 && dir < ZT_DIRS);
    return moves[family][dir];
}
