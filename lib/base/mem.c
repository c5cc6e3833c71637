/* mem.c - see mem.h. */
#include "base/mem.h"

#include "base/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64 /* a cache line, and the widest vector register */

/*
 * Linux hands out memory 4 KiB at a time, when it is first touched, which costs as much as filling
 * it; large buffers ask for whole huge pages instead.
 */
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM (HUGE_PAGE / 2)

static _Noreturn void out_of_memory(size_t bytes)
{
    fprintf(stderr, "zoetrope: out of memory (%zu bytes)\n", bytes);
    abort();
}

bool zt_size_mul(size_t a, size_t b, size_t c, size_t *ret)
{
    size_t ab;

    return !__builtin_mul_overflow(a, b, &ab) && !__builtin_mul_overflow(ab, c, ret);
}

void *zt_calloc_or_die(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (p == NULL)
        out_of_memory(n * size);
    return p;
}

char *zt_strdup_or_die(const char *s)
{
    char *copy = strdup(s);

    if (copy == NULL)
        out_of_memory(strlen(s));
    return copy;
}

/* Whole huge pages, to the nearest; what is left over stays with small ones. */
static void *allocate_huge(size_t bytes)
{
    size_t huge = (bytes + HUGE_PAGE / 2) & ~(HUGE_PAGE - 1);
    void *p = NULL;

    if (posix_memalign(&p, HUGE_PAGE, huge > bytes ? huge : bytes) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    (void)madvise(p, huge, MADV_HUGEPAGE); /* a wish */
#endif
    return p;
}

/* Whole lines of `ALIGNMENT` bytes; their size goes to *ret_padded. */
static enum zt_code allocate(size_t n, size_t size, const char *what, void **ret,
                             size_t *ret_padded, struct zt_err *err)
{
    size_t bytes;
    size_t padded;
    void *p = NULL;

    if (!zt_size_mul(n, size, 1, &bytes) || __builtin_add_overflow(bytes, HUGE_PAGE, &padded))
        return zt_fail(err, ZT_E_NOMEM, "%s is too large to address", what);
    padded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (padded == 0)
        padded = ALIGNMENT;
    if (!zt_fault("alloc"))
        p = padded < HUGE_FROM ? aligned_alloc(ALIGNMENT, padded) : allocate_huge(padded);
    if (p == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for %s: %zu bytes", what, bytes);
    *ret = p;
    *ret_padded = padded;
    return ZT_OK;
}

enum zt_code zt_try_alloc(size_t n, size_t size, const char *what, void **ret, struct zt_err *err)
{
    size_t padded = 0;

    ZT_TRY(allocate(n, size, what, ret, &padded, err));
    memset(*ret, 0, padded);
    return ZT_OK;
}

enum zt_code zt_try_alloc_raw(size_t n, size_t size, const char *what, void **ret,
                              struct zt_err *err)
{
    size_t padded = 0;

    return allocate(n, size, what, ret, &padded, err);
}
