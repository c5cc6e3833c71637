/*
 * html.h - reading HTML's character references ("&amp;", "&#38;") as the reference's two Python
 * functions do. Any thread.
 */
#ifndef ZT_MODELS_TEXT_HTML_H
#define ZT_MODELS_TEXT_HTML_H

#include "models/text/points.h"

/* The character that byte 0x80 ... 0x9F is in Windows-1252; any other point is itself. */
int32_t zt_windows_1252(int32_t point);

/* Python's html.unescape: the rules of HTML 5, also without semicolons. Appends to dst. */
enum zt_code zt_html_unescape(const struct zt_points *src, struct zt_points *dst,
                              struct zt_err *err);

/*
 * ftfy's unescape_html: only what ends with a semicolon, and names in capitals. Appends to dst.
 */
enum zt_code zt_html_unescape_sure(const struct zt_points *src, struct zt_points *dst,
                                   struct zt_err *err);

#endif
