/* file.c - see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/str.h"

enum zt_code zt_file_read(const char *path, struct zt_buf *buf, struct zt_err *err)
{
    char chunk[65536];
    zt_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return zt_fail_errno(err, errno, "open file", path);
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return zt_fail_errno(err, errno, "read file", path);
        if (n == 0)
            return ZT_OK;
        ZT_TRY(zt_buf_add(buf, chunk, (size_t)n, err));
    }
}

/* The folder part of path into dst; "." when there is none. */
static bool folder_of(const char *path, char *dst, size_t size)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return zt_format(dst, size, ".");
    if (slash == path)
        return zt_format(dst, size, "/");
    return zt_format(dst, size, "%.*s", (int)(slash - path), path);
}

static enum zt_code sync_folder_of(const char *path, struct zt_err *err)
{
    char folder[PATH_MAX];

    if (!folder_of(path, folder, sizeof(folder)))
        return zt_fail(err, ZT_E_INVALID, "path is too long");
    zt_auto_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return zt_fail_errno(err, errno, "open folder", folder);
    if (fsync(fd) != 0)
        return zt_fail_errno(err, errno, "sync folder", folder);
    return ZT_OK;
}

enum zt_code zt_file_publish(const char *from, const char *to, struct zt_err *err)
{
    zt_auto_fd int fd = open(from, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return zt_fail_errno(err, errno, "open file", from);
    if (zt_fault("file_sync") || fsync(fd) != 0)
        return zt_fail_errno(err, errno, "sync file", from);
    zt_crash_point("file_synced");
    if (rename(from, to) != 0)
        return zt_fail_errno(err, errno, "rename file", to);
    zt_crash_point("file_renamed");
    return sync_folder_of(to, err);
}

enum zt_code zt_file_write(const char *path, const void *bytes, size_t n, unsigned mode,
                           struct zt_err *err)
{
    char tmp[PATH_MAX];
    const char *p = bytes;

    if (!zt_format(tmp, sizeof(tmp), "%s.%d.tmp", path, (int)getpid()))
        return zt_fail(err, ZT_E_INVALID, "path is too long");
    zt_auto_fd int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return zt_fail_errno(err, errno, "create file", tmp);
    while (n > 0) {
        ssize_t done = zt_fault("file_write") ? -1 : write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            int saved = errno;
            unlink(tmp);
            return zt_fail_errno(err, saved, "write file", tmp);
        }
        p += done;
        n -= (size_t)done;
    }
    enum zt_code rc = zt_file_publish(tmp, path, err);
    if (rc != ZT_OK)
        unlink(tmp);
    return rc;
}

enum zt_code zt_make_dirs(const char *path, unsigned mode, struct zt_err *err)
{
    char part[PATH_MAX];
    struct stat st;

    if (*path == '\0' || !zt_format(part, sizeof(part), "%s", path))
        return zt_fail(err, ZT_E_INVALID, "path is empty or too long");
    for (char *p = part + 1;; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return zt_fail_errno(err, errno, "make folder", part);
        if (c == '\0')
            break;
        *p = c;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return zt_fail_errno(err, ENOTDIR, "make folder", path);
    return ZT_OK;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

enum zt_code zt_remove_tree(const char *path, struct zt_err *err)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return zt_fail_errno(err, errno, "remove folder", path);
    return ZT_OK;
}
