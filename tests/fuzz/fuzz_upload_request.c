/* The JSON of an upload, from arbitrary bytes. Names that are accepted must be harmless wherever
 * they are shown, and a URL that is taken for ours must keep within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/own.h"
#include "api/upload.h"
#include "base/str.h"

#define DECODED_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void must_be_harmless(const char *path, const char *name)
{
    struct zt_arena arena = { 0 };

    must(*path != '\0' && *path != '/' && path[strlen(path) - 1] != '/');
    must(strstr(path, "..") != path && strstr(path, "/.") == NULL && strstr(path, "//") == NULL);
    must(zt_utf8_valid(path, strlen(path)) && zt_utf8_valid(name, strlen(name)));
    must(*name != '.' && strpbrk(name, "/\\\"\r\n") == NULL);
    const char *part = zt_url_part(&arena, name);
    must(part != NULL && strpbrk(part, "/?# \"\\<>") == NULL);
    for (const char *p = part; *p != '\0'; p++)
        must(*p > ' ' && *p <= '~');
    zt_arena_clear(&arena);
}

static void read_as(enum zt_upload_kind kind, const char *text, size_t n)
{
    struct zt_upload_said said = { .path = NULL };
    struct zt_upload_problem problem = { .code = 0 };
    struct zt_own_url own;
    struct zt_buf bytes;
    json_t *root = NULL;

    bool ok = zt_upload_read(kind, text, n, &root, &said, &problem);
    must(ok == (problem.code == 0));
    must(zt_utf8_valid(problem.msg, strlen(problem.msg)));
    if (ok) {
        must_be_harmless(said.path, said.name);
        zt_own_url_read("http://h", said.source, &own);
        zt_buf_init(&bytes, DECODED_MAX);
        ok = zt_upload_decode(said.source, said.source_n, &bytes, &problem);
        must(ok == (problem.code == 0) && ok == (bytes.n > 0));
        if (ok)
            zt_picture_type(bytes.data, bytes.n);
        zt_buf_clear(&bytes);
    }
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as(ZT_UPLOAD_BASE64, (const char *)data, size);
    read_as(ZT_UPLOAD_URL, (const char *)data, size);
    return 0;
}
