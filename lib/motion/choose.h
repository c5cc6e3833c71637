/*
 * choose.h - the camera move of a shot that names none, chosen by what the picture shows.
 *
 * A search over a few dozen calm moves, as Niklaus et al. ("3D Ken Burns Effect from a Single
 * Image", 2019) search for an end pose: on a small copy of the depth map each candidate's path is
 * made to fit the picture, and the end poses are judged by how much would have to be invented,
 * what becomes of the subject, and how much of the depth is felt. The seed decides between moves
 * that are about as good. Pure functions; any thread.
 */
#ifndef ZT_MOTION_CHOOSE_H
#define ZT_MOTION_CHOOSE_H

#include "motion/camera.h"
#include "motion/depth.h"

struct zt_shot;

/*
 * Replaces the moves of *shot. depth spans the whole picture, whose edges room names; of options
 * what zt_camera_path will be given for the shot.
 */
void zt_choose_moves(const struct zt_depth *depth, const struct zt_room *room,
                     const struct zt_path_options *options, struct zt_shot *shot);

/*
 * The share of the frame that a pose shows and the picture does not: what opens at steps in depth.
 */
double zt_choose_invented(const struct zt_depth *depth, const struct zt_room *room,
                          const struct zt_pose *pose);

#endif
