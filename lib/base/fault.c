/* fault.c - see fault.h. The environment is read anew at each point: tests change it. */
#include "base/fault.h"

#ifdef ZT_FAULTS

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether spec "<name>:<n>[+][:<tail>]" fires now; counts passes of matching names. */
static bool fires(const char *variable, const char *name, atomic_long *passes, const char **tail)
{
    const char *spec = getenv(variable);
    const char *colon = spec ? strchr(spec, ':') : NULL;

    *tail = "";
    if (colon == NULL)
        return false;
    size_t n = (size_t)(colon - spec);
    bool any = n == 1 && spec[0] == '*';
    if (!any && (strlen(name) != n || strncmp(spec, name, n) != 0))
        return false;
    char *end = NULL;
    long wanted = strtol(colon + 1, &end, 10);
    bool and_after = *end == '+';
    end += and_after;
    if (*end == ':')
        *tail = end + 1;
    long pass = atomic_fetch_add(passes, 1) + 1;
    return pass == wanted || (and_after && pass > wanted);
}

void zt_crash_point(const char *name)
{
    static atomic_long passes;
    const char *how;

    if (!fires("ZOETROPE_CRASH", name, &passes, &how))
        return;
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "segv") == 0) {
        signal(SIGSEGV, SIG_DFL); /* past a sanitizer's handler */
        raise(SIGSEGV);
    }
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    while (strcmp(how, "hang") == 0)
        pause();
    _exit(137);
}

bool zt_fault(const char *name)
{
    static atomic_long passes;
    const char *tail;

    if (!fires("ZOETROPE_FAULT", name, &passes, &tail))
        return false;
    errno = *tail ? (int)strtol(tail, NULL, 10) : EIO;
    return true;
}

#else
typedef int zt_fault_is_compiled_out; /* a translation unit must not be empty */
#endif
