/*
 * auto.h - variables that clean up after themselves on every way out of their scope.
 *
 *     zt_auto(weights) struct zt_weights *w = NULL;    freed with zt_weights_close
 *     zt_auto_fd int fd = open(...);                   closed when >= 0
 */
#ifndef ZT_BASE_AUTO_H
#define ZT_BASE_AUTO_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Frees on every way out; zt_take_<name>() hands the object on. */
/* clang-format off */
#define ZT_AUTO(T, name, fn)                                                                       \
    static inline void zt_auto_##name(T **p) { if (*p) fn(*p); }                                   \
    static inline T *zt_take_##name(T **p) { T *v = *p; *p = NULL; return v; }
/* clang-format on */
#define zt_auto(name) __attribute__((cleanup(zt_auto_##name)))

static inline void zt_auto_close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Hands a descriptor on: the variable closes nothing any more. */
static inline int zt_take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static inline void zt_auto_free_any(void *p)
{
    free(*(void **)p);
}

static inline void zt_auto_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}

#define zt_auto_fd   __attribute__((cleanup(zt_auto_close_fd)))
#define zt_auto_free __attribute__((cleanup(zt_auto_free_any)))
#define zt_auto_file __attribute__((cleanup(zt_auto_fclose)))

#endif
