/*
 * camera.h - where the camera is at every frame of a shot.
 *
 * Units: the view's unit is the geometric mean of the frame's sides, so that a move feels alike in
 * every aspect. x runs to the right, y down. Depth counts as nearness d between ZT_D_FAR (the
 * farthest) and ZT_D_NEAR (the nearest).
 *
 * A point of the frame, o (from its middle), sees the point p of the picture (from the middle of
 * the view's rest position):
 *
 *     q = turn(o, roll) / zoom + (x, y)
 *     p = q * (1 - tz * d) + (tx, ty) * d
 *
 * which is a pinhole camera that zooms, shifts (for turning left and right), rolls, and travels by
 * (tx, ty, tz) in front of a scene at distance 1 / d.
 */
#ifndef ZT_MOTION_CAMERA_H
#define ZT_MOTION_CAMERA_H

#include "base/error.h"

struct zt_shot;

#define ZT_D_FAR     0.6
#define ZT_D_NEAR    1.0
#define ZT_D_FLAT    0.8 /* of a picture whose depth is not known */
#define ZT_D_SUBJECT 0.9 /* what a dolly zoom keeps at its size */

struct zt_pose {
    double zoom;       /* 1: the view's rest position fills the frame */
    double x, y;       /* the view's middle */
    double roll;       /* radians, the camera's turn clockwise */
    double tx, ty, tz; /* travel: right, down, in */
};

/* The frame, and the picture's edges around the view's rest position; frame pixels at zoom 1. */
struct zt_room {
    double width, height;
    double left, top, right, bottom; /* left and top are negative */
};

struct zt_path_options {
    int frames;
    double seconds;
    uint64_t seed, stream; /* stream: the shot's number */
    bool still;            /* no camera motion at all, whatever the shot says */
    bool loop;             /* end where it began */
};

/*
 * Fills path[frames]. The view stays inside the room at every frame and depth: the path is shifted,
 * then zoomed in a little, then shortened until it fits. Speed is continuous and zero at both ends;
 * acceleration is continuous. A shot without moves stands still (choose.h finds some). Same
 * arguments, same path.
 */
void zt_camera_path(const struct zt_shot *shot, const struct zt_room *room,
                    const struct zt_path_options *options, struct zt_pose *path);

/*
 * 0 ... 1 -> 0 ... 1 with zero speed and zero acceleration at both ends and constant speed in the
 * middle; outside, 0 and 1.
 */
double zt_ease(double u);

/* The map above, in frame pixels at zoom 1: (*px, *py) is what (ox, oy) sees at nearness d. */
void zt_camera_see(const struct zt_pose *pose, const struct zt_room *room, double ox, double oy,
                   double d, double *px, double *py);

/* The rectangle of the picture that a path sees, in frame pixels from the view's rest position. */
struct zt_extent {
    double left, top, right, bottom;
};
struct zt_extent zt_camera_extent(const struct zt_pose *path, int frames,
                                  const struct zt_room *room);

#endif
