/*
 * mem.h - allocation with checked sizes.
 *
 * Small objects of known size never come back NULL: zt_new ends the process when memory is gone.
 * Sizes that depend on input go through zt_try_alloc and can fail. All memory is freed with free().
 */
#ifndef ZT_BASE_MEM_H
#define ZT_BASE_MEM_H

#include "base/error.h"

/* a * b * c into *ret; false when it overflows size_t. */
bool zt_size_mul(size_t a, size_t b, size_t c, size_t *ret);

/* One zeroed object. */
#define zt_new(T)          ((T *)zt_calloc_or_die(1, sizeof(T)))
#define zt_new_array(T, n) ((T *)zt_calloc_or_die((n), sizeof(T)))
void *zt_calloc_or_die(size_t n, size_t size);
char *zt_strdup_or_die(const char *s);

/*
 * n * size zeroed bytes, aligned to 64, whose size depends on input. ZT_E_NOMEM, saying how much
 * was asked and `what` for.
 */
enum zt_code zt_try_alloc(size_t n, size_t size, const char *what, void **ret, struct zt_err *err);

/* The same without the zeros, for large buffers that are written before they are read. */
enum zt_code zt_try_alloc_raw(size_t n, size_t size, const char *what, void **ret,
                              struct zt_err *err);

#endif
