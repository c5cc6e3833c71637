/* names.c - one parameter, many names: alias patterns and prefixes. See params.h. */
#include <string.h>

#include "base/str.h"
#include "tensor/container.h"
#include "tensor/params.h"

#define NUMBERS 2
#define DIGITS  6

struct number {
    const char *s;
    size_t n;
};

/*
 * Whether `pattern` is the beginning of `name`, '#' standing for a number; the numbers are written
 * to number[], the rest of the name to *ret_rest.
 */
static bool matches(const char *pattern, const char *name, struct number number[NUMBERS],
                    const char **ret_rest)
{
    int found = 0;

    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (*pattern != *name++)
                return false;
            continue;
        }
        size_t n = strspn(name, "0123456789");
        zt_assert(found < NUMBERS);
        if (n == 0 || n > DIGITS)
            return false;
        number[found++] = (struct number){ name, n };
        name += n;
    }
    *ret_rest = name;
    return true;
}

/* Appends n bytes; false when they and a NUL do not fit. */
static bool append(char *dst, size_t size, size_t *at, const char *s, size_t n)
{
    if (size - *at <= n)
        return false;
    memcpy(dst + *at, s, n);
    *at += n;
    dst[*at] = '\0';
    return true;
}

/* `pattern` with its '#' filled in, and the rest; after `prefix`. */
static bool fill(const char *prefix, const char *pattern, const struct number number[NUMBERS],
                 const char *rest, char *dst, size_t size)
{
    size_t at = 0;
    int used = 0;

    if (!append(dst, size, &at, prefix, strlen(prefix)))
        return false;
    for (; *pattern; pattern++) {
        struct number part = { pattern, 1 };
        if (*pattern == '#') {
            zt_assert(used < NUMBERS && number[used].s != NULL);
            part = number[used++];
        }
        if (!append(dst, size, &at, part.s, part.n))
            return false;
    }
    return append(dst, size, &at, rest, strlen(rest));
}

/* The name as it is, then by each alias, all after `prefix`. */
static const struct zt_weight *find_with(const struct zt_weights *weights,
                                         const struct zt_param_alias *alias, const char *prefix,
                                         const char *name)
{
    char other[ZT_WEIGHTS_NAME_MAX + 1];
    const struct zt_weight *found = NULL;
    struct number number[NUMBERS] = { { NULL, 0 } };
    const char *rest;

    if (fill(prefix, "", number, name, other, sizeof(other)))
        found = zt_weights_find(weights, other);
    for (; found == NULL && alias && alias->canonical; alias++) {
        if (matches(alias->canonical, name, number, &rest) &&
            fill(prefix, alias->other, number, rest, other, sizeof(other)))
            found = zt_weights_find(weights, other);
    }
    return found;
}

const struct zt_weight *zt_params_find(const struct zt_weights *weights,
                                       const struct zt_param_names *names, const char *name)
{
    const struct zt_param_alias *aliases = names ? names->aliases : NULL;
    const struct zt_weight *found = find_with(weights, aliases, "", name);

    for (const char *const *p = names ? names->prefixes : NULL; !found && p && *p; p++)
        found = find_with(weights, aliases, *p, name);
    return found;
}

bool zt_params_canonical(const struct zt_param_names *names, const char *name, char *dst,
                         size_t size)
{
    struct number number[NUMBERS] = { { NULL, 0 } };
    const char *rest;

    for (const char *const *p = names ? names->prefixes : NULL; p && *p; p++) {
        if (zt_starts_with(name, *p)) {
            name += strlen(*p);
            break;
        }
    }
    for (const struct zt_param_alias *a = names ? names->aliases : NULL; a && a->canonical; a++) {
        if (matches(a->other, name, number, &rest))
            return fill("", a->canonical, number, rest, dst, size);
    }
    return zt_format(dst, size, "%s", name);
}
