/* data.c - see data.h. */
#include "service/data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/str.h"

enum zt_code zt_data_find(const char *folder, bool create, struct zt_data *ret, struct zt_err *err)
{
    if (*folder == '\0' || !zt_format(ret->folder, sizeof(ret->folder), "%s", folder) ||
        !zt_format(ret->store, sizeof(ret->store), "%s/zoetrope.db", folder) ||
        !zt_format(ret->files, sizeof(ret->files), "%s/files", folder) ||
        !zt_format(ret->lock, sizeof(ret->lock), "%s/serve.lock", folder))
        return zt_fail_field(err, ZT_E_INVALID, "data", "data must be a path of 1 to %d bytes",
                             PATH_MAX - 16);
    if (create)
        return zt_make_dirs(folder, 0700, err);
    if (access(ret->store, R_OK) == 0)
        return ZT_OK;
    if (errno == EACCES)
        return zt_fail_errno(err, errno, "read the data folder", ret->store);
    return zt_fail(err, ZT_E_NOT_FOUND,
                   "there is no zoetrope data in %s; zoetrope serve makes it, or name another "
                   "folder with --data",
                   folder);
}

enum zt_code zt_data_lock(const struct zt_data *data, int *ret_fd, struct zt_err *err)
{
    char text[32] = "";
    int fd = open(data->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return zt_fail_errno(err, errno, "open the lock of the data folder", data->lock);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int saved = errno;
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        close(fd);
        if (saved != EWOULDBLOCK)
            return zt_fail_errno(err, saved, "lock the data folder", data->lock);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return zt_fail(err, ZT_E_BUSY,
                       "another zoetrope serve (process %s) uses the data folder %s; stop it, or "
                       "name another folder with --data",
                       *text ? text : "unknown", data->folder);
    }
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        int saved = errno;
        close(fd);
        return zt_fail_errno(err, saved, "write the lock of the data folder", data->lock);
    }
    *ret_fd = fd;
    return ZT_OK;
}
