/* scratch.c - see scratch.h. */
#include "service/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "store/store.h"

#define FOLDER "work"

enum zt_code zt_scratch_path(const char *data, const char *id, char ret[PATH_MAX],
                             struct zt_err *err)
{
    if (zt_format(ret, PATH_MAX, "%s/" FOLDER "/%s", data, id))
        return ZT_OK;
    return zt_fail(err, ZT_E_INVALID, "the path of the data folder is too long");
}

enum zt_code zt_scratch_remove(const char *path, struct zt_err *err)
{
    return access(path, F_OK) == 0 ? zt_remove_tree(path, err) : ZT_OK;
}

static bool may_go(struct zt_store *store, struct zt_arena *arena, const char *id)
{
    struct zt_task *task = NULL;

    zt_arena_reset(arena);
    enum zt_code rc = zt_store_task_get(store, arena, id, 0, &task, NULL);
    return rc == ZT_E_NOT_FOUND || (rc == ZT_OK && zt_task_is_final(task->state));
}

enum zt_code zt_scratch_sweep(const char *data, struct zt_store *store, int *ret,
                              struct zt_err *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct zt_arena arena = { 0 };
    enum zt_code rc = ZT_OK;

    ZT_TRY(zt_scratch_path(data, "", folder, err));
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return errno == ENOENT ? ZT_OK : zt_fail_errno(err, errno, "open", folder);
    for (struct dirent *e = readdir(dir); e != NULL && rc == ZT_OK; e = readdir(dir)) {
        if (e->d_name[0] == '.' || !may_go(store, &arena, e->d_name))
            continue;
        rc = zt_scratch_path(data, e->d_name, path, err);
        if (rc == ZT_OK)
            rc = zt_scratch_remove(path, err);
        *ret += rc == ZT_OK;
    }
    closedir(dir);
    zt_arena_clear(&arena);
    return rc;
}
