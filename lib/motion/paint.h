/*
 * paint.h - the inner loop of a passage: two pictures sampled where a coarse mesh says, and mixed.
 * Private to passage.c.
 *
 * Sampling is Catmull-Rom to 1/256 of a pixel in fixed point; mixing is in light: the square of an
 * sRGB value stands for its light (2.0 in place of the curve's 2.2, so that light and back is one
 * multiplication and one exact square root). The vector path and the portable one give the same
 * bytes.
 */
#ifndef ZT_MOTION_PAINT_H
#define ZT_MOTION_PAINT_H

#include "base/error.h"

/* A picture with 4 bytes a pixel and its edges repeated around it. */
struct zt_paint_image {
    int width, height;
    size_t stride;
    uint8_t *pixels; /* of the top left pixel of the border */
};

enum zt_code zt_paint_image_init(struct zt_paint_image *ret, const struct zt_image *image,
                                 struct zt_err *err);
void zt_paint_image_clear(struct zt_paint_image *image);

/* Copies a row as RGB24. */
void zt_paint_copy_row(const struct zt_paint_image *image, int y, uint8_t *rgb);

#define ZT_MESH_STEP 2 /* pixels from node to node */
#define ZT_MESH_TEAR 1.5f

/* Node (i, j) is pixel (i, j) * ZT_MESH_STEP of the frame; the last ones lie past its edge. */
struct zt_paint_mesh {
    int columns, rows;
    float *x0, *y0; /* where to look in the first picture, in its pixels */
    float *x1, *y1; /* ... and in the last */
    float *mix;     /* share of the last picture, 0 ... 1 */
    /*
     * By how much x0, y0, x1, y1 grow to the next node across and down where nothing moves on its
     * own. Where they grow otherwise by more than ZT_MESH_TEAR there is a border between two
     * motions, and each pixel takes that of the nearer node.
     */
    float across[4], down[4];
};

enum zt_code zt_paint_mesh_init(struct zt_paint_mesh *mesh, int width, int height,
                                struct zt_err *err);
void zt_paint_mesh_clear(struct zt_paint_mesh *mesh);

/*
 * Draws row y as RGB24. rgb has room for one byte more than the row.
 * scratch: zt_paint_scratch_floats(mesh) floats
 */
size_t zt_paint_scratch_floats(const struct zt_paint_mesh *mesh);
void zt_paint_row(const struct zt_paint_image *first, const struct zt_paint_image *last,
                  const struct zt_paint_mesh *mesh, int y, float *scratch, uint8_t *rgb);
void zt_paint_row_portable(const struct zt_paint_image *first, const struct zt_paint_image *last,
                           const struct zt_paint_mesh *mesh, int y, float *scratch, uint8_t *rgb);

#endif
