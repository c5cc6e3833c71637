/* Byte ranges, entity tags and dates: what of a header counts and what is as if it was not sent. */
#include "http/range.h"

#include "check.h"

static void reads_and_writes_dates(void)
{
    static const struct {
        const char *label, *text;
        bool ok;
        int64_t unix_s;
    } rows[] = {
        { "the example", "Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777 },
        { "the start", "Thu, 01 Jan 1970 00:00:00 GMT", true, 0 },
        { "a leap day", "Thu, 29 Feb 2024 12:00:00 GMT", true, 1709208000 },
        { "no leap day", "Wed, 29 Feb 2023 12:00:00 GMT", false, 0 },
        { "wrong weekday", "Mon, 06 Nov 1994 08:49:37 GMT", false, 0 },
        { "another form", "Sunday, 06-Nov-94 08:49:37 GMT", false, 0 },
        { "hour 24", "Sun, 06 Nov 1994 24:49:37 GMT", false, 0 },
        { "another zone", "Sun, 06 Nov 1994 08:49:37 CET", false, 0 },
        { "empty", "", false, 0 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char text[ZT_HTTP_DATE];
        int64_t unix_s = 0;
        CHECK_INT(rows[i].label, zt_http_date_read(rows[i].text, &unix_s), rows[i].ok);
        CHECK_INT(rows[i].label, unix_s, rows[i].unix_s);
        zt_http_date(rows[i].unix_s, text);
        if (rows[i].ok)
            CHECK_STR(rows[i].label, text, rows[i].text);
    }
}

static void reads_ranges(void)
{
    static const struct {
        const char *header;
        int64_t size;
        enum zt_range what;
        int64_t first, last;
    } rows[] = {
        { NULL, 10, ZT_RANGE_WHOLE, 0, 0 },
        { "", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=5", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=-", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=--5", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=+1-2", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=1-2-3", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=1-2,4-5", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes=3-2", 10, ZT_RANGE_WHOLE, 0, 0 },
        { "bytes= 1-2 ", 10, ZT_RANGE_PART, 1, 2 },
        { "BYTES=1-", 10, ZT_RANGE_PART, 1, 9 },
        { "bytes=0-", 1, ZT_RANGE_PART, 0, 0 },
        { "bytes=-1", 10, ZT_RANGE_PART, 9, 9 },
        { "bytes=-99999999999999999999999", 10, ZT_RANGE_PART, 0, 9 },
        { "bytes=0-99999999999999999999999", 10, ZT_RANGE_PART, 0, 9 },
        { "bytes=9-9", 10, ZT_RANGE_PART, 9, 9 },
        { "bytes=10-", 10, ZT_RANGE_NONE, 0, 0 },
        { "bytes=-0", 10, ZT_RANGE_NONE, 0, 0 },
        { "bytes=0-0", 0, ZT_RANGE_NONE, 0, 0 },
        { "bytes=-5", 0, ZT_RANGE_NONE, 0, 0 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const char *label = rows[i].header ? rows[i].header : "none";
        int64_t first = 0;
        int64_t last = 0;
        CHECK_INT(label, zt_range_read(rows[i].header, rows[i].size, &first, &last), rows[i].what);
        CHECK_INT(label, first, rows[i].first);
        CHECK_INT(label, last, rows[i].last);
    }
}

static void finds_tags(void)
{
    static const struct {
        const char *header;
        bool listed;
    } rows[] = {
        { "\"a\"", true },
        { "W/\"a\"", true },
        { "\"b\", \"a\"", true },
        { "\"b\",W/\"a\" , \"c\"", true },
        { "*", true },
        { " * ", true },
        { "", false },
        { "\"b\"", false },
        { "\"aa\"", false },
        { "\"a", false },
        { "a", false },
        { "\"x,\"a\"", false },
        { "\"x, \", \"a\"", true },
        { ",,,", false },
        { "\"", false },
        { "W/", false },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_INT(rows[i].header, zt_etag_listed(rows[i].header, "\"a\""), rows[i].listed);
}

int main(void)
{
    RUN(reads_and_writes_dates);
    RUN(reads_ranges);
    RUN(finds_tags);
    return check_done();
}
