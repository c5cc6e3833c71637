/* models_walk.c - see models_walk.h. */
#include "cli/models_walk.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

struct walk {
    const char *root;
    zt_walk_fn *fn;
    void *user;
    int found;
    bool tokenizer;
};

static bool is_weights(const char *name)
{
    return zt_ends_with(name, ".safetensors") || zt_ends_with(name, ".gguf");
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum zt_code found(struct walk *w, const char *path, struct zt_err *err)
{
    const char *shown = path + strlen(w->root);

    if (++w->found > ZT_WALK_MAX)
        return zt_fail(err, ZT_E_LIMIT, "more than %d weight files in %.200s", ZT_WALK_MAX,
                       w->root);
    while (*shown == '/')
        shown++;
    return w->fn(w->user, path, *shown ? shown : ".", err);
}

static enum zt_code visit(struct walk *w, const char *folder, int depth, struct zt_err *err);

static enum zt_code visit_entry(struct walk *w, const char *folder, const char *name, bool sharded,
                                int depth, struct zt_err *err)
{
    char path[PATH_MAX];
    struct stat st;

    if (!zt_format(path, sizeof(path), "%s/%s", folder, name) || stat(path, &st) != 0)
        return ZT_OK; /* gone, or too deep to be named */
    if (S_ISDIR(st.st_mode))
        return depth < ZT_WALK_DEPTH ? visit(w, path, depth + 1, err) : ZT_OK;
    w->tokenizer |= strcmp(name, "tokenizer.json") == 0 || strcmp(name, "spiece.model") == 0;
    bool shard = sharded && zt_ends_with(name, ".safetensors");
    return S_ISREG(st.st_mode) && is_weights(name) && !shard ? found(w, path, err) : ZT_OK;
}

static enum zt_code visit(struct walk *w, const char *folder, int depth, struct zt_err *err)
{
    struct dirent **entry = NULL;
    int n = scandir(folder, &entry, is_visible, alphasort);
    bool sharded = false;
    enum zt_code rc = ZT_OK;

    if (n < 0)
        return zt_fail_errno(err, errno, "read folder", folder);
    for (int i = 0; i < n; i++)
        sharded |= zt_ends_with(entry[i]->d_name, ".safetensors.index.json");
    if (sharded)
        rc = found(w, folder, err);
    for (int i = 0; i < n; i++) {
        if (rc == ZT_OK)
            rc = visit_entry(w, folder, entry[i]->d_name, sharded, depth, err);
        free(entry[i]);
    }
    free(entry);
    return rc;
}

enum zt_code zt_models_walk(const char *root, zt_walk_fn *fn, void *user, bool *ret_tokenizer,
                            struct zt_err *err)
{
    struct walk w = { .root = root, .fn = fn, .user = user };

    ZT_TRY(visit(&w, root, 0, err));
    *ret_tokenizer = w.tokenizer;
    return ZT_OK;
}
