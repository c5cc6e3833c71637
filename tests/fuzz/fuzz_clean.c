/*
 * fuzz_clean.c - whatever the text, what is left of it is UTF-8 without white space to spare, and
 * cleaning it again changes nothing unless there were references to read.
 */
#define _GNU_SOURCE /* memmem */
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "models/text/clean.h"

#define TEXT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(const char *text, size_t n, const char *part)
{
    return n > 0 && memmem(text, n, part, strlen(part)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zt_buf once = { .limit = TEXT_MAX };
    struct zt_buf twice = { .limit = TEXT_MAX };
    struct zt_err err = { 0 };
    const char *text = (const char *)data;

    enum zt_code rc = zt_prompt_clean(text, size, &once, &err);
    zt_assert(rc == ZT_OK || err.msg[0] != '\0');
    if (rc == ZT_OK && once.n > 0) {
        zt_assert(zt_utf8_valid(once.data, once.n));
        zt_assert(once.data[0] != ' ' && once.data[once.n - 1] != ' ');
        zt_assert(!has(once.data, once.n, "  ") && !has(once.data, once.n, "\n"));
    }
    /* An ampersand can also be written in full width. */
    if (rc == ZT_OK && !has(text, size, "&") && !has(text, size, "\uFF06")) {
        zt_assert(zt_prompt_clean(once.data, once.n, &twice, &err) == ZT_OK);
        zt_assert(once.n == twice.n && (once.n == 0 || memcmp(once.data, twice.data, once.n) == 0));
    }
    zt_buf_clear(&once);
    zt_buf_clear(&twice);
    return 0;
}
