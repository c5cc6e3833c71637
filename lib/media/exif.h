/* exif.h - the one thing we want from EXIF: which way up the picture is. */
#ifndef ZT_MEDIA_EXIF_H
#define ZT_MEDIA_EXIF_H

#include <stddef.h>
#include <stdint.h>

/*
 * bytes  a TIFF structure, with or without "Exif\0\0" before it; need not be sound
 * Returns the orientation 1 ... 8 of the first picture; 1, upright, where none can be read.
 */
int zt_exif_orientation(const uint8_t *bytes, size_t n);

#endif
