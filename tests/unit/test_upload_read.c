/* What the requests of an upload say, what names may be, and which URLs are this server's. */
#include <stdlib.h>

#include "api/kie.h"
#include "api/own.h"
#include "api/upload.h"
#include "base/str.h"
#include "check.h"

static struct zt_arena arena;

static void reads_requests(void)
{
    static const struct {
        const char *label;
        enum zt_upload_kind kind;
        const char *json, *says; /* NULL: nothing is wrong */
    } rows[] = {
        { "base64", ZT_UPLOAD_BASE64, "{\"base64Data\":\"QQ==\",\"uploadPath\":\"a/b\"}", NULL },
        { "with a name", ZT_UPLOAD_BASE64,
          "{\"base64Data\":\"QQ==\",\"uploadPath\":\"a\",\"fileName\":\"b.png\"}", NULL },
        { "name is null", ZT_UPLOAD_BASE64,
          "{\"base64Data\":\"QQ==\",\"uploadPath\":\"a\",\"fileName\":null}", NULL },
        { "URL", ZT_UPLOAD_URL, "{\"fileUrl\":\"http://a/\",\"uploadPath\":\"a\"}", NULL },
        { "the other's field", ZT_UPLOAD_URL, "{\"base64Data\":\"QQ==\",\"uploadPath\":\"a\"}",
          "Missing required parameter: fileUrl (file download URL)" },
        { "no data", ZT_UPLOAD_BASE64, "{\"uploadPath\":\"a\"}",
          "Missing required parameter: base64Data" },
        { "no path", ZT_UPLOAD_BASE64, "{\"base64Data\":\"QQ==\"}",
          "Missing required parameter: uploadPath" },
        { "a number", ZT_UPLOAD_BASE64, "{\"base64Data\":\"QQ==\",\"uploadPath\":7}",
          "uploadPath must be text" },
        { "twice", ZT_UPLOAD_BASE64,
          "{\"base64Data\":\"QQ==\",\"uploadPath\":\"a\",\"uploadPath\":\"b\"}", "not usable" },
        { "NUL", ZT_UPLOAD_BASE64, "{\"base64Data\":\"QQ==\",\"uploadPath\":\"a\\u0000b\"}",
          "not usable" },
        { "not JSON", ZT_UPLOAD_BASE64, "base64Data=QQ", "not usable" },
        { "a list", ZT_UPLOAD_BASE64, "[]", "JSON object" },
        { "nothing", ZT_UPLOAD_BASE64, "", "not usable" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_upload_said said = { .path = NULL };
        struct zt_upload_problem problem = { .code = 0 };
        json_t *root = NULL;
        bool ok = zt_upload_read(rows[i].kind, rows[i].json, strlen(rows[i].json), &root, &said,
                                 &problem);
        CHECK_INT(rows[i].label, ok, rows[i].says == NULL);
        CHECK_INT(rows[i].label, problem.code, ok ? 0 : 400);
        CHECK_HAS(rows[i].label, problem.msg, rows[i].says ? rows[i].says : "");
        json_decref(root);
    }
}

static void judges_names(void)
{
    static const struct {
        const char *path, *name;
        bool ok;
    } rows[] = {
        { "a", "", true },
        { "images/test-uploads", "a.png", true },
        { "a b/c", "x y.png", true },
        { "\xE9\x95\x9C/a", "\xC3\xA9.png", true },
        { "a..b", "a..b", true },
        { "", "", false },
        { "/a", "", false },
        { "a/", "", false },
        { "a//b", "", false },
        { "..", "", false },
        { "a/../b", "", false },
        { "a/.", "", false },
        { "a\\b", "", false },
        { "C:", "", false },
        { " a", "", false },
        { "a\n", "", false },
        { "a\x7F", "", false },
        { "a\xC2\x85", "", false },     /* next line */
        { "a\xE2\x80\xAE", "", false }, /* right to left */
        { "a\xE2\x80\xA8", "", false }, /* line separator */
        { "a\xFF", "", false },         /* not UTF-8 */
        { "a\xC3", "", false },         /* cut in two */
        { "a\xED\xA0\x80", "", false }, /* a surrogate */
        { "a", "b/c", false },
        { "a", ".", false },
        { "a", ".htaccess", false },
        { "a", "b\"c", false },
        { "a", "b\r\nX: y", false },
        { "a", " ", false },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_upload_problem problem = { .code = 0 };
        CHECK_INT(rows[i].path, zt_upload_names_ok(rows[i].path, rows[i].name, &problem),
                  rows[i].ok);
        CHECK_INT(rows[i].path, problem.code, rows[i].ok ? 0 : 400);
        CHECK("the text is UTF-8", rows[i].ok || zt_utf8_valid(problem.msg, strlen(problem.msg)));
    }
}

static void limits_names(void)
{
    char text[ZT_UPLOAD_PATH_MAX + 10];
    struct zt_upload_problem problem = { .code = 0 };

    memset(text, 'a', sizeof(text));
    text[ZT_UPLOAD_NAME_MAX] = '\0';
    CHECK("longest", zt_upload_names_ok(text, text, &problem));
    text[ZT_UPLOAD_NAME_MAX] = 'a';
    text[ZT_UPLOAD_NAME_MAX + 1] = '\0';
    CHECK("too long", !zt_upload_names_ok("a", text, &problem));
    CHECK("too long", !zt_upload_names_ok(text, "", &problem));
    memset(text, 'a', sizeof(text));
    text[150] = text[300] = text[450] = '/';
    text[ZT_UPLOAD_PATH_MAX] = '\0';
    problem.code = 0;
    CHECK("longest path", zt_upload_names_ok(text, "", &problem));
    text[ZT_UPLOAD_PATH_MAX] = 'a';
    text[ZT_UPLOAD_PATH_MAX + 1] = '\0';
    CHECK("too long a path", !zt_upload_names_ok(text, "", &problem));
}

static void decodes(void)
{
    static const struct {
        const char *label, *text, *bytes;
        int code;
    } rows[] = {
        { "plain", "QUJD", "ABC", 0 },
        { "padded", "QUI=", "AB", 0 },
        { "not padded", "QUI", "AB", 0 },
        { "in lines", "QU\r\nJD\n", "ABC", 0 },
        { "data:", "data:image/png;base64,QUJD", "ABC", 0 },
        { "any case", "DATA:;BASE64,QUJD", "ABC", 0 },
        { "with parameters", "data:image/png;charset=x;base64,QUJD", "ABC", 0 },
        { "data: not in base64", "data:image/png,QUJD", "", 400 },
        { "data: without a comma", "data:image/png;base64", "", 400 },
        { "cut", "data:", "", 400 },
        { "a comma too early", "data:,base64,QUJD", "", 400 },
        { "not base64", "*", "", 400 },
        { "one character", "Q", "", 400 },
        { "nothing", "data:image/png;base64,", "", 400 },
        { "too large", "QUJDQUJDQUJD", "", 413 },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_upload_problem problem = { .code = 0 };
        struct zt_buf buf;
        zt_buf_init(&buf, 8);
        bool ok = zt_upload_decode(rows[i].text, strlen(rows[i].text), &buf, &problem);
        CHECK_INT(rows[i].label, ok, rows[i].code == 0);
        CHECK_INT(rows[i].label, problem.code, rows[i].code);
        CHECK_STR(rows[i].label, buf.data ? buf.data : "", rows[i].bytes);
        zt_buf_clear(&buf);
    }
}

static void knows_types(void)
{
    CHECK_STR("jpeg", zt_picture_type("\xFF\xD8\xFF\xE0", 4), "image/jpeg");
    CHECK_STR("png", zt_picture_type("\x89PNG\r\n\x1A\n", 8), "image/png");
    CHECK_STR("webp", zt_picture_type("RIFF\1\2\3\4WEBP", 12), "image/webp");
    CHECK("cut", zt_picture_type("RIFF\1\2\3\4WEB", 11) == NULL);
    CHECK("wave", zt_picture_type("RIFF\1\2\3\4WAVE", 12) == NULL);
    CHECK("page", zt_picture_type("<html>", 6) == NULL);
    CHECK("nothing", zt_picture_type("", 0) == NULL);
}

static void makes_names(void)
{
    CHECK_HAS("png", zt_upload_new_name(&arena, INT64_C(1776488469865123), "image/png"),
              "1776488469865-");
    CHECK("jpg", zt_ends_with(zt_upload_new_name(&arena, 5, "image/jpeg"), ".jpg"));
    CHECK("webp", zt_ends_with(zt_upload_new_name(&arena, 5, "image/webp"), ".webp"));
    CHECK_STR("escapes", zt_url_part(&arena, "a-b_c.~ %/\xC3\xA9?#&"),
              "a-b_c.~%20%25%2F%C3%A9%3F%23%26");
    CHECK_STR("nothing", zt_url_part(&arena, ""), "");
}

static void knows_its_own_urls(void)
{
    static const struct {
        const char *url;
        bool own;
        enum zt_own_kind kind;
        const char *token, *task, *name;
    } rows[] = {
#define BASE "https://v.example.org/api"
        { BASE "/uploads/abc/a.png", true, ZT_OWN_UPLOAD, "abc", "", "" },
        { BASE "/uploads/abc", true, ZT_OWN_UPLOAD, "abc", "", "" },
        { BASE "/uploads/abc?x=y", true, ZT_OWN_UPLOAD, "abc", "", "" },
        { BASE "/files/tok/last.jpg", true, ZT_OWN_RESULT, "tok", "", "last.jpg" },
        { BASE "/files/tok/last.jpg#t", true, ZT_OWN_RESULT, "tok", "", "last.jpg" },
        { BASE "/files/tok/last.jpg/x", true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "/files/tok", true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "/downloads/t/5-ab/v.mp4", true, ZT_OWN_DOWNLOAD, "5-ab", "t", "v.mp4" },
        { BASE "/downloads/t/5-ab", true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "/elsewhere/a", true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "/averylongpartofapath/a", true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "/", true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE, true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "?x", true, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "@evil.example/uploads/abc/a", false, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { BASE "x/uploads/abc/a", false, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { "https://v.example.org:443/api/uploads/abc/a", false, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { "http://v.example.org/api/uploads/abc/a", false, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { "https://v.example.org", false, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
        { "", false, ZT_OWN_UNKNOWN, NULL, NULL, NULL },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_own_url own;
        CHECK_INT(rows[i].url, zt_own_url_read(BASE, rows[i].url, &own), rows[i].own);
        CHECK_INT(rows[i].url, own.kind, rows[i].kind);
        if (rows[i].token != NULL) {
            CHECK_STR(rows[i].url, own.token, rows[i].token);
            CHECK_STR(rows[i].url, own.task, rows[i].task);
            CHECK_STR(rows[i].url, own.name, rows[i].name);
        }
    }
    struct zt_own_url own;
    char url[400];
    zt_format(url, sizeof(url), BASE "/uploads/%0300d/a", 1);
    CHECK("a token that is too long",
          zt_own_url_read(BASE, url, &own) && own.kind == ZT_OWN_UNKNOWN);
    CHECK("no public URL", !zt_own_url_read("", "/uploads/a/b", &own));
}

int main(void)
{
    RUN(reads_requests);
    RUN(judges_names);
    RUN(limits_names);
    RUN(decodes);
    RUN(knows_types);
    RUN(makes_names);
    RUN(knows_its_own_urls);
    zt_arena_clear(&arena);
    return check_done();
}
