/*
 * web.h - the page: the files of this folder, as the build embeds them (cmake/embed.cmake). Plain
 * HTML, CSS and JavaScript, as the browser gets them.
 */
#ifndef ZT_WEB_WEB_H
#define ZT_WEB_WEB_H

#include <stddef.h>

struct zt_web_file {
    const char *name; /* "index.html" */
    const char *type; /* "text/html;charset=UTF-8" */
    const char *etag; /* with its quotes; made from the bytes */
    const unsigned char *bytes;
    size_t n;
};

/* By index, for listing: NULL past the last. */
const struct zt_web_file *zt_web_file(int index);

/* NULL: there is no such file. */
const struct zt_web_file *zt_web_find(const char *name);

#endif
