/*
 * dir.c - blobs as files of one folder. See blob.h.
 *
 * Every file is reached from an open descriptor of its part's folder by a name without a slash,
 * and symbolic links are not followed: no name, and nobody who can write into the folder, leads
 * out of it.
 */
#include "blob/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_BYTES 128
#define TMP_AGE_US     ZT_DAY_US /* older files in tmp belong to nobody who is alive */
#define RANDOM_BYTES   16

enum part { PART_ROOT, PART_MEDIA, PART_INPUT, PART_UPLOAD, PART_TMP, PARTS };

static const char *const part_names[PARTS] = {
    [PART_ROOT] = ".",        [PART_MEDIA] = "media", [PART_INPUT] = "input",
    [PART_UPLOAD] = "upload", [PART_TMP] = "tmp",
};

struct zt_blobs {
    char *folder;
    int fd[PARTS]; /* of the folders */
};

/* ---- names --------------------------------------------------------------------------------- */

static bool plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static bool find_part(const char *name, size_t n, enum part *ret)
{
    for (int i = PART_MEDIA; i < PARTS; i++) {
        if (strlen(part_names[i]) == n && memcmp(part_names[i], name, n) == 0) {
            *ret = (enum part)i;
            return true;
        }
    }
    return false;
}

/* Splits a name into its folder and what it is called there. */
static bool split(const char *name, enum part *ret_part, const char **ret_base)
{
    const char *slash = strchr(name, '/');
    const char *base = slash ? slash + 1 : name;

    *ret_part = PART_ROOT;
    if (slash != NULL && !find_part(name, (size_t)(slash - name), ret_part))
        return false;
    *ret_base = base;
    return strlen(name) <= NAME_MAX_BYTES && *base != '\0' && *base != '.' &&
           plain(base, strlen(base));
}

bool zt_blob_name_ok(const char *name)
{
    enum part part;
    const char *base;

    return split(name, &part, &base);
}

/* A name is ours: a bad one is a mistake of our own. */
static int locate(const struct zt_blobs *blobs, const char *name, const char **ret_base)
{
    enum part part = PART_ROOT;
    bool ok = split(name, &part, ret_base);

    zt_assert(ok);
    return blobs->fd[part];
}

/* ---- opening ------------------------------------------------------------------------------- */

ZT_AUTO(struct zt_blobs, blobs, zt_blobs_close)

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}
#define auto_dir __attribute__((cleanup(close_dir)))

static int64_t modified_us(const struct stat *st)
{
    return st->st_mtim.tv_sec * ZT_SECOND_US + st->st_mtim.tv_nsec / 1000;
}

/* A stream over an open folder, whose descriptor stays the caller's; NULL: errno says why. */
static DIR *list_folder(int folder_fd)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL && fd >= 0) {
        int saved = errno;
        close(fd);
        errno = saved;
    }
    return dir;
}

static enum zt_code empty_tmp(const struct zt_blobs *blobs, struct zt_err *err)
{
    auto_dir DIR *dir = list_folder(blobs->fd[PART_TMP]);
    int64_t now = zt_now_utc_us();
    struct dirent *entry;
    struct stat st;

    if (dir == NULL)
        return zt_fail_errno(err, errno, "list folder", part_names[PART_TMP]);
    while ((entry = readdir(dir)) != NULL) {
        if (fstatat(blobs->fd[PART_TMP], entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            !S_ISDIR(st.st_mode) && now - modified_us(&st) > TMP_AGE_US)
            unlinkat(blobs->fd[PART_TMP], entry->d_name, 0);
    }
    return ZT_OK;
}

enum zt_code zt_blobs_open(const char *folder, struct zt_blobs **ret, struct zt_err *err)
{
    zt_auto(blobs) struct zt_blobs *blobs = zt_new(struct zt_blobs);

    for (int i = 0; i < PARTS; i++)
        blobs->fd[i] = -1;
    blobs->folder = zt_strdup_or_die(folder);
    ZT_TRY(zt_make_dirs(folder, 0700, err));
    blobs->fd[PART_ROOT] = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (blobs->fd[PART_ROOT] < 0)
        return zt_fail_errno(err, errno, "open folder", folder);
    for (int i = PART_MEDIA; i < PARTS; i++) {
        if (mkdirat(blobs->fd[PART_ROOT], part_names[i], 0700) != 0 && errno != EEXIST)
            return zt_fail_errno(err, errno, "make folder", part_names[i]);
        blobs->fd[i] = openat(blobs->fd[PART_ROOT], part_names[i],
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (blobs->fd[i] < 0)
            return zt_fail_errno(err, errno, "open folder", part_names[i]);
    }
    if (fsync(blobs->fd[PART_ROOT]) != 0)
        return zt_fail_errno(err, errno, "sync folder", folder);
    ZT_TRY(empty_tmp(blobs, err));
    *ret = zt_take_blobs(&blobs);
    return ZT_OK;
}

void zt_blobs_close(struct zt_blobs *blobs)
{
    if (blobs == NULL)
        return;
    for (int i = 0; i < PARTS; i++) {
        if (blobs->fd[i] >= 0)
            close(blobs->fd[i]);
    }
    free(blobs->folder);
    free(blobs);
}

/* ---- writing ------------------------------------------------------------------------------- */

enum zt_code zt_blobs_tmp(struct zt_blobs *blobs, const char *suffix, char *dst, size_t size,
                          struct zt_err *err)
{
    char token[2 * RANDOM_BYTES + 1];

    zt_assert(plain(suffix, strlen(suffix)) && strlen(suffix) <= NAME_MAX_BYTES / 2);
    zt_random_token(token, RANDOM_BYTES);
    if (!zt_format(dst, size, "%s/tmp/%s%s", blobs->folder, token, suffix))
        return zt_fail(err, ZT_E_LIMIT, "the path of the data folder is too long");
    return ZT_OK;
}

/* Syncs the open file `base` of tmp and moves it to `name`. */
static enum zt_code publish(struct zt_blobs *blobs, int fd, const char *base, const char *name,
                            struct zt_err *err)
{
    const char *to = NULL;
    int folder_fd = locate(blobs, name, &to);

    if (zt_fault("blob_sync") || fsync(fd) != 0)
        return zt_fail_errno(err, errno, "sync file", base);
    zt_crash_point("blob.synced");
    if (renameat(blobs->fd[PART_TMP], base, folder_fd, to) != 0)
        return zt_fail_errno(err, errno, "rename file", name);
    zt_crash_point("blob.renamed");
    if (fsync(folder_fd) != 0)
        return zt_fail_errno(err, errno, "sync folder of", name);
    return ZT_OK;
}

/* Hands a descriptor on, past its zt_auto_fd. */
static int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Also refuses what is not a plain file: a link, a pipe, a folder. */
static enum zt_code open_plain(int folder_fd, const char *base, int *ret_fd, struct stat *ret,
                               struct zt_err *err)
{
    zt_auto_fd int fd = openat(folder_fd, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no file %s", base);
    if (fd < 0 && errno != ELOOP)
        return zt_fail_errno(err, errno, "open file", base);
    if (fd >= 0 && fstat(fd, ret) != 0)
        return zt_fail_errno(err, errno, "look at file", base);
    if (fd < 0 || !S_ISREG(ret->st_mode))
        return zt_fail(err, ZT_E_CORRUPT, "%s is not a plain file", base);
    *ret_fd = take_fd(&fd);
    return ZT_OK;
}

enum zt_code zt_blobs_publish(struct zt_blobs *blobs, const char *path, const char *name,
                              struct zt_err *err)
{
    size_t n = strlen(blobs->folder);
    zt_auto_fd int fd = -1;
    struct stat st;

    zt_assert(strncmp(path, blobs->folder, n) == 0 && zt_starts_with(path + n, "/tmp/"));
    const char *base = path + n + strlen("/tmp/");
    zt_assert(*base != '.' && *base != '\0' && plain(base, strlen(base)));
    ZT_TRY(open_plain(blobs->fd[PART_TMP], base, &fd, &st, err));
    return publish(blobs, fd, base, name, err);
}

static enum zt_code write_all(int fd, const void *bytes, size_t n, const char *name,
                              struct zt_err *err)
{
    const char *p = bytes;

    while (n > 0) {
        ssize_t done = zt_fault("blob_write") ? -1 : write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return zt_fail_errno(err, errno, "write file", name);
        p += done;
        n -= (size_t)done;
    }
    return ZT_OK;
}

enum zt_code zt_blobs_put(struct zt_blobs *blobs, const char *name, const void *bytes, size_t n,
                          struct zt_err *err)
{
    char base[2 * RANDOM_BYTES + 1];

    zt_random_token(base, RANDOM_BYTES);
    zt_auto_fd int fd = openat(blobs->fd[PART_TMP], base,
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return zt_fail_errno(err, errno, "create file", name);
    enum zt_code rc = write_all(fd, bytes, n, name, err);
    if (rc == ZT_OK)
        rc = publish(blobs, fd, base, name, err);
    if (rc != ZT_OK)
        unlinkat(blobs->fd[PART_TMP], base, 0); /* already gone once it was renamed */
    return rc;
}

enum zt_code zt_blobs_remove(struct zt_blobs *blobs, const char *name, struct zt_err *err)
{
    const char *base = NULL;
    int folder_fd = locate(blobs, name, &base);

    if (unlinkat(folder_fd, base, 0) != 0 && errno != ENOENT)
        return zt_fail_errno(err, errno, "remove file", name);
    return ZT_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

enum zt_code zt_blobs_open_fd(struct zt_blobs *blobs, const char *name, int *ret_fd,
                              struct zt_blob_info *ret, struct zt_err *err)
{
    const char *base = NULL;
    int folder_fd = locate(blobs, name, &base);
    struct stat st;

    ZT_TRY(open_plain(folder_fd, base, ret_fd, &st, err));
    if (ret != NULL)
        *ret = (struct zt_blob_info){ .bytes = st.st_size, .modified_us = modified_us(&st) };
    return ZT_OK;
}

static enum zt_code read_all(int fd, const char *name, struct zt_buf *buf, struct zt_err *err)
{
    char chunk[65536];

    for (;;) {
        ssize_t n = zt_fault("blob_read") ? -1 : read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return zt_fail_errno(err, errno, "read file", name);
        if (n == 0)
            return ZT_OK;
        ZT_TRY(zt_buf_add(buf, chunk, (size_t)n, err));
    }
}

enum zt_code zt_blobs_get(struct zt_blobs *blobs, const char *name, struct zt_buf *buf,
                          struct zt_err *err)
{
    zt_auto_fd int fd = -1;

    ZT_TRY(zt_blobs_open_fd(blobs, name, &fd, NULL, err));
    return read_all(fd, name, buf, err);
}

enum zt_code zt_blobs_each(struct zt_blobs *blobs, const char *part, zt_blob_fn *fn, void *user,
                           struct zt_err *err)
{
    enum part which = PART_ROOT;
    char name[NAME_MAX_BYTES + 1];
    struct dirent *entry;
    struct stat st;

    bool known = find_part(part, strlen(part), &which);
    zt_assert(known);
    auto_dir DIR *dir = list_folder(blobs->fd[which]);
    if (dir == NULL)
        return zt_fail_errno(err, errno, "list folder", part);
    while ((entry = readdir(dir)) != NULL) {
        if (!zt_format(name, sizeof(name), "%s/%s", part, entry->d_name) || !zt_blob_name_ok(name))
            continue; /* not one of ours */
        if (fstatat(blobs->fd[which], entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        struct zt_blob_info info = { .bytes = st.st_size, .modified_us = modified_us(&st) };
        if (!fn(user, name, &info))
            break;
    }
    return ZT_OK;
}
