/* Text: UTF-8, strict numbers, units, base64. */
#include "base/str.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "check.h"

static void judges_utf8(void)
{
    static const struct {
        const char *label, *text;
        bool valid;
        size_t count;
    } rows[] = {
        { "empty", "", true, 0 },
        { "ascii", "abc", true, 3 },
        { "chinese", "\xE9\x95\x9C\xE5\xA4\xB4", true, 2 },
        { "emoji", "\xF0\x9F\x8E\xAC", true, 1 },
        { "overlong slash", "\xC0\xAF", false, 0 },
        { "overlong 3", "\xE0\x80\xAF", false, 0 },
        { "surrogate", "\xED\xA0\x80", false, 0 },
        { "past the end", "\xF4\x90\x80\x80", false, 0 },
        { "lone continuation", "\x80", false, 0 },
        { "cut short", "\xE9\x95", false, 0 },
        { "latin1", "caf\xE9", false, 0 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        size_t n = strlen(rows[i].text);
        CHECK_INT(rows[i].label, zt_utf8_valid(rows[i].text, n), rows[i].valid);
        if (rows[i].valid)
            CHECK_INT(rows[i].label, zt_utf8_count(rows[i].text, n), rows[i].count);
    }
    CHECK("a NUL inside is not text", !zt_utf8_valid("a\0b", 3));
}

/* Long runs of ASCII are read in larger pieces; no byte may slip through in any place of one. */
static void judges_every_byte_of_a_run(void)
{
    for (int c = 0; c < 256; c++) {
        int wrong = 0;
        for (size_t n = 1; n <= 25; n++) {
            for (size_t at = 0; at < n; at++) {
                char text[25];
                memset(text, 1, sizeof(text));
                text[at] = (char)c;
                wrong += zt_utf8_valid(text, n) != (c > 0 && c < 0x80);
            }
        }
        char label[8];
        snprintf(label, sizeof(label), "0x%02X", (unsigned)c);
        CHECK_INT(label, wrong, 0);
    }
    CHECK("a character across two pieces", zt_utf8_valid("1234567\xE9\x95\x9C"
                                                         "1234567",
                                                         17));
}

static void reads_numbers_strictly(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        { "0", true, 0 },     { "-1", true, -1 },  { "2147483647", true, 2147483647 },
        { "", false, 0 },     { "-", false, 0 },   { "+1", false, 0 },
        { " 1", false, 0 },   { "1 ", false, 0 },  { "1e3", false, 0 },
        { "0x10", false, 0 }, { "1.0", false, 0 }, { "99999999999999999999", false, 0 },
        { "-2", false, 0 },   { "007", true, 7 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        int64_t value = 0;
        CHECK_INT(rows[i].text, zt_parse_int(rows[i].text, -1, INT32_MAX, &value), rows[i].ok);
        CHECK_INT(rows[i].text, value, rows[i].value);
    }
}

static void reads_units(void)
{
    int64_t v = 0;
    bool b = false;
    double d = 0;

    CHECK("ms", zt_parse_duration_us("250ms", &v) && v == 250 * ZT_MS_US);
    CHECK("days", zt_parse_duration_us("7d", &v) && v == 7 * ZT_DAY_US);
    CHECK("zero", zt_parse_duration_us("0", &v) && v == 0);
    CHECK("no unit", !zt_parse_duration_us("5", &v));
    CHECK("overflow", !zt_parse_duration_us("9999999999999d", &v));
    CHECK("plain bytes", zt_parse_bytes("512", &v) && v == 512);
    CHECK("MiB", zt_parse_bytes("10M", &v) && v == 10 << 20);
    CHECK("bad unit", !zt_parse_bytes("10X", &v));
    CHECK("on", zt_parse_bool("on", &b) && b);
    CHECK("no", zt_parse_bool("no", &b) && !b);
    CHECK("maybe", !zt_parse_bool("maybe", &b));
    CHECK("double", zt_parse_double("-3.25", &d));
    CHECK_NEAR("double", d, -3.25, 1e-12);
    CHECK("no digits after the point", !zt_parse_double("1.", &d));
}

static void codes_base64(void)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = { { "", "" },
                 { "f", "Zg==" },
                 { "fo", "Zm8=" },
                 { "foo", "Zm9v" },
                 { "foob", "Zm9vYg==" },
                 { "fooba", "Zm9vYmE=" },
                 { "foobar", "Zm9vYmFy" } }; /* RFC 4648, section 10 */
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char coded[32];
        uint8_t plain[32];
        size_t n = 0;
        zt_base64_encode((const uint8_t *)rows[i].plain, strlen(rows[i].plain), coded);
        CHECK_STR(rows[i].plain, coded, rows[i].coded);
        CHECK("decodes", zt_base64_decode(coded, strlen(coded), plain, &n));
        CHECK_INT("length", n, strlen(rows[i].plain));
        CHECK("same", memcmp(plain, rows[i].plain, n) == 0);
    }
    static const char *const bad[] = { "Z", "Zg=", "Zg===", "Z*==", "=Zg=", "Zg==Zg==" };
    for (size_t i = 0; i < ZT_COUNT(bad); i++) {
        uint8_t plain[32];
        size_t n;
        CHECK(bad[i], !zt_base64_decode(bad[i], strlen(bad[i]), plain, &n));
    }
    uint8_t plain[32];
    size_t n = 0;
    CHECK("without padding, with a line break", zt_base64_decode("Zm9\nvYg", 7, plain, &n));
    CHECK_INT("length", n, 4);
}

static void signs_as_published(void)
{
    uint8_t mac[ZT_SHA256_SIZE];
    char coded[64];
    char hex[ZT_SHA256_HEX];
    static const char message[] = "ee9c2715375b7837f8bb51d641ff5863.1769670760";

    zt_hmac_sha256("test-webhook-hmac-key", 21, message, sizeof(message) - 1, mac);
    zt_base64_encode(mac, sizeof(mac), coded);
    CHECK_STR("the vector of the callback specification", coded,
              "xG6/yOyrMyJtUdc1yjmHpKLHSHF3MpzOPa6uxSj3qb4=");
    zt_sha256_hex("abc", 3, hex); /* FIPS 180-4 */
    CHECK_STR("sha256", hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void quotes_for_the_log(void)
{
    char dst[16];

    CHECK_STR("escapes", zt_log_quote("a\"b\\c\nd", dst, sizeof(dst)), "\"a\\\"b\\\\c d\"");
    zt_log_quote("0123456789abcdefghij", dst, sizeof(dst));
    CHECK("fits", strlen(dst) < sizeof(dst));
    CHECK_HAS("marked as cut", dst, "...\"");
    CHECK_STR("nothing", zt_log_quote(NULL, dst, sizeof(dst)), "\"\"");
}

static void writes_times(void)
{
    char text[ZT_TIME_TEXT];

    zt_time_text(1769670760123456, text);
    CHECK_STR("utc", text, "2026-01-29T07:12:40.123Z");
}

int main(void)
{
    RUN(judges_utf8);
    RUN(judges_every_byte_of_a_run);
    RUN(reads_numbers_strictly);
    RUN(reads_units);
    RUN(codes_base64);
    RUN(signs_as_published);
    RUN(quotes_for_the_log);
    RUN(writes_times);
    return check_done();
}
