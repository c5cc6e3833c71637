/*
 * fault.h - dying and failing on purpose, for tests. Compiled out unless ZT_FAULTS is defined.
 *
 * ZOETROPE_CRASH=<name>:<n>[:<how>]  the n-th time this process passes zt_crash_point(name), it
 *     dies. <name> may be "*": every point counts. <how>: exit (137, the default), abort, segv,
 *     kill; or hang, which only a kill ends.
 * ZOETROPE_FAULT=<name>:<n>[:<errno>]  the n-th call of zt_fault(name) is true and sets errno
 *     (default EIO); "n+" means the n-th and all after it.
 */
#ifndef ZT_BASE_FAULT_H
#define ZT_BASE_FAULT_H

#include <stdbool.h>

#ifdef ZT_FAULTS
void zt_crash_point(const char *name);
bool zt_fault(const char *name);
#else
static inline void zt_crash_point(const char *name)
{
    (void)name;
}

static inline bool zt_fault(const char *name)
{
    (void)name;
    return false;
}
#endif

#endif
