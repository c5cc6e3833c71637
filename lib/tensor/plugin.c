/*
 * plugin.c - see plugin.h. Such a library brings a second copy of ggml's base along, whose
 * structures are those of this program only if it is of the very same version: that is asked before
 * anything of it is called.
 */
#include "tensor/plugin.h"

#include <dlfcn.h>
#include <ggml-backend.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"

#define PLUGINS_MAX 8

typedef const char *version_fn(void);
typedef void log_set_fn(ggml_log_callback log, void *user);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char loaded[PLUGINS_MAX][PATH_MAX]; /* "" from the first free one on; guarded by mutex */

static void drop_message(enum ggml_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

/* Of the library or what it brings along. A function's address, which C has no cast for. */
static bool find(void *library, const char *name, void *ret_fn, size_t size)
{
    void *address = dlsym(library, name);

    zt_assert(size == sizeof(address));
    memcpy(ret_fn, &address, size);
    return address != NULL;
}

static enum zt_code refuse(const char *path, const char *why, struct zt_err *err)
{
    return zt_fail_field(err, ZT_E_UNSUPPORTED, "backend", "%.300s cannot be used: %.300s", path,
                         why);
}

static enum zt_code check_version(void *library, const char *path, struct zt_err *err)
{
    version_fn *version = NULL;

    if (!find(library, "ggml_backend_init", &version, sizeof(version)) ||
        !find(library, "ggml_version", &version, sizeof(version)))
        return refuse(path, "it is no backend of ggml's", err);
    if (strcmp(version(), ggml_version()) == 0)
        return ZT_OK;
    return zt_fail_field(err, ZT_E_UNSUPPORTED, "backend",
                         "%.300s is of ggml %.40s, zoetrope of %s: it takes the same one", path,
                         version(), ggml_version());
}

static bool adds_devices(size_t before)
{
    for (size_t i = before; i < ggml_backend_dev_count(); i++)
        if (ggml_backend_dev_type(ggml_backend_dev_get(i)) != GGML_BACKEND_DEVICE_TYPE_CPU)
            return true;
    return false;
}

static enum zt_code load(const char *path, struct zt_err *err)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    log_set_fn *log_set = NULL;

    if (library == NULL) {
        const char *why = dlerror();
        return refuse(path, why != NULL ? why : "it cannot be loaded", err);
    }
    enum zt_code rc = check_version(library, path, err);
    if (rc != ZT_OK) {
        dlclose(library);
        return rc;
    }
    if (find(library, "ggml_log_set", &log_set, sizeof(log_set)))
        log_set(drop_message, NULL);
    ggml_log_set(drop_message, NULL);
    size_t before = ggml_backend_dev_count();
    ggml_backend_reg_t backend = ggml_backend_load(path);
    if (backend != NULL && adds_devices(before))
        return ZT_OK; /* stays open, like what ggml opened */
    if (backend != NULL)
        ggml_backend_unload(backend);
    dlclose(library);
    return refuse(path, "it finds no device here but CPUs", err);
}

enum zt_code zt_plugin_load(const char *path, struct zt_err *err)
{
    char whole[PATH_MAX];
    int i = 0;

    if (realpath(path, whole) == NULL)
        return zt_fail_field(err, ZT_E_NOT_FOUND, "backend", "there is no file %.300s", path);
    zt_locked(&mutex);
    while (i < PLUGINS_MAX && loaded[i][0] != '\0' && strcmp(loaded[i], whole) != 0)
        i++;
    if (i == PLUGINS_MAX)
        return zt_fail_field(err, ZT_E_LIMIT, "backend", "no more than %d backends can be loaded",
                             PLUGINS_MAX);
    if (loaded[i][0] != '\0')
        return ZT_OK;
    ZT_TRY(load(whole, err));
    zt_assert(zt_format(loaded[i], sizeof(loaded[i]), "%s", whole));
    return ZT_OK;
}
