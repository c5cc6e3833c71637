/*
 * kept.c - see kept.h. A file is a header and the values, in this machine's byte order: it is read
 * by the machine that wrote it.
 */
#include "models/wan/kept.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <limits.h>
#include <string.h>

struct header {
    char magic[16];
    uint8_t key[ZT_KEPT_KEY];
    uint8_t digest[ZT_SHA256_SIZE]; /* of the values */
    uint64_t n;
};

static const char magic[16] = "zoetrope latent";

static bool path_of(const char *folder, int part, char path[PATH_MAX])
{
    zt_assert(part >= 0 && part < 100);
    return zt_format(path, PATH_MAX, "%s/latent.%02d", folder, part);
}

enum zt_code zt_kept_save(const char *folder, int part, const uint8_t key[ZT_KEPT_KEY],
                          const float *latent, size_t n, struct zt_err *err)
{
    char path[PATH_MAX];
    struct header h = { .n = n };
    void *mem = NULL;
    size_t bytes;

    if (!path_of(folder, part, path) || !zt_size_mul(n, sizeof(float), 1, &bytes))
        return zt_fail(err, ZT_E_INVALID, "the path of the kept latent is too long");
    ZT_TRY(zt_make_dirs(folder, 0700, err));
    ZT_TRY(zt_try_alloc(1, sizeof(h) + bytes, "a latent to keep", &mem, err));
    zt_auto_free uint8_t *file = mem;
    memcpy(h.magic, magic, sizeof(magic));
    memcpy(h.key, key, sizeof(h.key));
    zt_sha256(latent, bytes, h.digest);
    memcpy(file, &h, sizeof(h));
    memcpy(file + sizeof(h), latent, bytes);
    return zt_file_write(path, file, sizeof(h) + bytes, 0600, err);
}

bool zt_kept_load(const char *folder, int part, const uint8_t key[ZT_KEPT_KEY], float *latent,
                  size_t n)
{
    char path[PATH_MAX];
    struct header h;
    struct zt_buf buf;
    uint8_t digest[ZT_SHA256_SIZE];
    bool ok = false;

    if (!path_of(folder, part, path))
        return false;
    zt_buf_init(&buf, sizeof(h) + n * sizeof(float));
    if (zt_file_read(path, &buf, NULL) == ZT_OK && buf.n == sizeof(h) + n * sizeof(float)) {
        memcpy(&h, buf.data, sizeof(h));
        zt_sha256(buf.data + sizeof(h), n * sizeof(float), digest);
        ok = memcmp(h.magic, magic, sizeof(magic)) == 0 && h.n == n &&
             memcmp(h.key, key, sizeof(h.key)) == 0 &&
             memcmp(h.digest, digest, sizeof(digest)) == 0;
        if (ok)
            memcpy(latent, buf.data + sizeof(h), n * sizeof(float));
    }
    zt_buf_clear(&buf);
    return ok;
}
