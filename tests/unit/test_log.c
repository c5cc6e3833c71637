/*
 * Log lines as they leave the process: standard error is a file here, read back after each line.
 * JSON is read by jansson, which shares nothing with the writer.
 */
#include "base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "check.h"

static char path[] = "/tmp/zt-log-XXXXXX";
static int saved = -1;
static char text[16384];

/* What was written since the last call. */
static const char *written(void)
{
    static off_t from;
    ssize_t n = pread(STDERR_FILENO, text, sizeof(text) - 1, from);

    text[n > 0 ? n : 0] = '\0';
    from += n > 0 ? n : 0;
    return text;
}

/* The value of a key in the last line as it would be written: 7, "a"; "" when there is none. */
static const char *value_of(const char *line, const char *key)
{
    static char shown[8192];
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    json_t *value = json_object_get(object, key);

    CHECK("one line of JSON",
          object != NULL && strlen(line) > 0 && strchr(line, '\n') == line + strlen(line) - 1);
    if (object == NULL)
        printf("%s in %s\n", error.text, line);
    char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    snprintf(shown, sizeof(shown), "%s", dumped ? dumped : "");
    free(dumped);
    json_decref(object);
    return shown;
}

static void writes_json(void)
{
    static const struct {
        const char *label, *fields, *key, *want;
    } rows[] = {
        { "number", "n=12", "n", "12" },
        { "negative", "n=-12 m=1", "n", "-12" },
        { "zero", "n=0", "n", "0" },
        { "leading zero", "n=012", "n", "\"012\"" },
        { "minus alone", "n=-", "n", "\"-\"" },
        { "too long for a number", "n=1234567890123456789012", "n", "\"1234567890123456789012\"" },
        { "word", "task=task_a1 x=y", "task", "\"task_a1\"" },
        { "quoted number", "n=\"12\"", "n", "\"12\"" },
        { "empty", "msg=\"\" n=1", "msg", "\"\"" },
        { "empty bare", "msg= n=1", "msg", "\"\"" },
        { "spaces", "msg=\"a b=c d\" n=1", "msg", "\"a b=c d\"" },
        { "after spaces", "msg=\"a b=c d\" n=1", "n", "1" },
        { "nothing inside a value is a key", "msg=\"a level=b\"", "level", "\"info\"" },
        { "escaped quote", "msg=\"say \\\"hi\\\" x=1\" n=2", "msg", "\"say \\\"hi\\\" x=1\"" },
        { "escaped backslash", "msg=\"a\\\\\" n=2", "msg", "\"a\\\\\"" },
        { "lone backslash", "msg=\"a\\b\"", "msg", "\"a\\\\b\"" },
        { "not closed", "msg=\"a b", "msg", "\"a b\"" },
        { "UTF-8", "msg=\"\xE9\x95\x9C\"", "msg", "\"\xE9\x95\x9C\"" },
        { "not UTF-8", "msg=\"a\xFFz\"", "msg", "\"a\xEF\xBF\xBDz\"" },
        { "stray words", "well then n=3", "n", "3" },
        { "no fields", "", "event", "\"tested\"" },
    };

    zt_log_set_format(ZT_LOG_JSON);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_log_write(ZT_LOG_INFO, "tested", "%s", rows[i].fields);
        CHECK_STR(rows[i].label, value_of(written(), rows[i].key), rows[i].want);
    }
}

/* The longest line, of what grows most. */
static void long_lines_stay_json(void)
{
    static const char *const units[] = { "\xFF", "\\\"", "a=\" ", "x=1 ", "\xE9\x95\x9C", "\"" };
    char line[8192];

    for (size_t i = 0; i < ZT_COUNT(units); i++) {
        size_t n = strlen(units[i]);
        strcpy(line, "msg=\"");
        for (size_t at = 5; at + n < sizeof(line); at += n)
            memcpy(line + at, units[i], n + 1);
        zt_log_write(ZT_LOG_INFO, "tested", "%s", line);
        json_t *object = json_loads(written(), 0, NULL);
        CHECK(units[i], object != NULL);
        json_decref(object);
    }
}

/* What an error says may stand in quotes as it is. */
static void errors_stand_in_quotes(void)
{
    static const struct {
        const char *label, *msg, *want;
    } rows[] = {
        { "quote", "a\"b", "\"a'b\"" },
        { "ends with a backslash", "a\\", "\"a/\"" },
        { "backslash before a quote", "a\\\"b", "\"a/'b\"" },
        { "two", "a\\\\b", "\"a/\\\\b\"" },
        { "one inside", "a\\b", "\"a\\\\b\"" },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_err err = { 0 };
        zt_fail(&err, ZT_E_INVALID, "%s", rows[i].msg);
        zt_log_write(ZT_LOG_INFO, "tested", "msg=\"%s\" detail=\"x\"", err.msg);
        const char *line = written();
        CHECK_STR(rows[i].label, value_of(line, "msg"), rows[i].want);
        CHECK_STR(rows[i].label, value_of(line, "detail"), "\"x\"");
    }
}

static void text_stays_as_it_was(void)
{
    zt_log_set_format(ZT_LOG_TEXT);
    zt_log_write(ZT_LOG_WARN, "tested", "task=%s n=%d", "a", 1);
    CHECK_HAS("text", written(), "Z warn tested task=a n=1\n");
}

int main(void)
{
    int fd = mkstemp(path);

    zt_assert(fd >= 0);
    saved = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    unlink(path);
    RUN(writes_json);
    RUN(long_lines_stay_json);
    RUN(errors_stand_in_quotes);
    RUN(text_stays_as_it_was);
    dup2(saved, STDERR_FILENO);
    close(saved);
    return check_done();
}
