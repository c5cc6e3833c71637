/*
 * errors.h - the closed list of what can go wrong for a client: every code of an answer that is not
 * 200, every failCode of a task. docs/ERRORS.md and the OpenAPI description are made from it; a
 * code that is not in it is a mistake of ours, which the tests of the API look for in every answer.
 */
#ifndef ZT_API_ERRORS_H
#define ZT_API_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum zt_api_retry {
    ZT_RETRY_NO,      /* the same request fails again */
    ZT_RETRY_YES,     /* the same request, later; Retry-After says when, where it is sent */
    ZT_RETRY_CHANGED, /* once something else changed: the request, the key, a setting */
};

struct zt_api_error {
    int code;
    bool answers; /* as code of an answer */
    bool fails;   /* as failCode of a task */
    enum zt_api_retry retry;
    const char *name;    /* of the response in the OpenAPI description; NULL: not named there */
    const char *meaning; /* for people, in Markdown */
    const char *remedy;  /* what to do about it */
};

/* The i-th, by code; NULL past the last. */
const struct zt_api_error *zt_api_error_at(size_t i);

/* docs/ERRORS.md */
void zt_api_errors_markdown(FILE *out);

#endif
