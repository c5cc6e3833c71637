/* Errors: what is printed is safe and whole. */
#include "base/error.h"

#include <errno.h>

#include "base/arena.h"
#include "base/buf.h"
#include "check.h"

static void names_every_code(void)
{
    for (int i = 0; i < ZT_CODES; i++)
        CHECK("named", strcmp(zt_code_name((enum zt_code)i), "unknown") != 0);
    CHECK_STR("past the end", zt_code_name(ZT_CODES), "unknown");
}

static void makes_messages_safe(void)
{
    struct zt_err err;

    zt_fail(&err, ZT_E_INVALID, "a \"b\"\n\tc%c", 0x7F);
    CHECK_STR("quotes and controls", err.msg, "a 'b'  c ");
    CHECK_INT("code", err.code, ZT_E_INVALID);
    CHECK_STR("field", err.field, "");
    zt_fail_field(&err, ZT_E_INVALID, "input.seed", "bad");
    CHECK_STR("field", err.field, "input.seed");
    zt_err_prefix(&err, "task %d", 7);
    CHECK_STR("prefix", err.msg, "task 7: bad");
    CHECK_INT("no err", zt_fail(NULL, ZT_E_LIMIT, "x"), ZT_E_LIMIT);
}

static void cuts_at_a_whole_character(void)
{
    struct zt_err err;
    char text[1024];

    for (size_t offset = 0; offset < 3; offset++) {
        memset(text, 'a', sizeof(text));
        for (size_t i = offset; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xE9\x95\x9C", 3);
        text[sizeof(text) - 1] = '\0';
        zt_fail(&err, ZT_E_INVALID, "%s", text);
        size_t n = strlen(err.msg);
        CHECK("long", n > sizeof(err.msg) - 5);
        CHECK_INT("last byte ends a character", (unsigned char)err.msg[n - 1], 0x9C);
    }
}

static void maps_errno(void)
{
    struct zt_err err;

    CHECK_INT("missing", zt_fail_errno(&err, ENOENT, "open file", "/x/y"), ZT_E_NOT_FOUND);
    CHECK("path stays out of the message", strstr(err.msg, "/x/y") == NULL);
    CHECK_HAS("path is in the detail", err.detail, "/x/y");
    CHECK_INT("denied", zt_fail_errno(&err, EACCES, "open file", "/x"), ZT_E_DENIED);
    CHECK_INT("full", zt_fail_errno(&err, ENOSPC, "write file", "/x"), ZT_E_FULL);
    CHECK_INT("other", zt_fail_errno(&err, EIO, "write file", "/x"), ZT_E_IO);
}

static void arena_keeps_its_limit(void)
{
    struct zt_arena arena = { .limit = 10000 };

    char *a = zt_arena_strdup(&arena, "one");
    CHECK_STR("copy", a, "one");
    CHECK("past the limit", zt_arena_try(&arena, 20000) == NULL);
    CHECK("overflow", zt_arena_try(&arena, SIZE_MAX) == NULL);
    CHECK_STR("still there", a, "one");
    zt_arena_reset(&arena);
    CHECK("after reset", zt_arena_try(&arena, 9000) != NULL);
    zt_arena_clear(&arena);
}

static void buffer_keeps_its_limit(void)
{
    struct zt_buf buf;
    struct zt_err err;

    zt_buf_init(&buf, 10);
    CHECK_INT("fits", zt_buf_add(&buf, "12345", 5, &err), ZT_OK);
    CHECK_INT("too much", zt_buf_add(&buf, "123456", 6, &err), ZT_E_LIMIT);
    CHECK_INT("printf", zt_buf_printf(&buf, &err, "%d", 67890), ZT_OK);
    CHECK_STR("content", buf.data, "1234567890");
    CHECK_INT("full", zt_buf_printf(&buf, &err, "x"), ZT_E_LIMIT);
    zt_buf_clear(&buf);
}

int main(void)
{
    RUN(names_every_code);
    RUN(makes_messages_safe);
    RUN(cuts_at_a_whole_character);
    RUN(maps_errno);
    RUN(arena_keeps_its_limit);
    RUN(buffer_keeps_its_limit);
    return check_done();
}
