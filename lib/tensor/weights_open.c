/* weights_open.c - from a path to mapped files: one file, an index of shards, a folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tensor/container.h"

#define FILES_MAX   1024
#define ARENA_LIMIT ((size_t)512 << 20)
#define INDEX_END   ".safetensors.index.json"

/* ---- one file ------------------------------------------------------------------------------ */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static enum zt_code map_file(struct zt_weights *w, const char *path, struct zt_err *err)
{
    struct stat st;
    zt_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return zt_fail_errno(err, errno, "open weights file", path);
    if (fstat(fd, &st) != 0)
        return zt_fail_errno(err, errno, "read weights file", path);
    if (!S_ISREG(st.st_mode))
        return zt_fail(err, ZT_E_INVALID, "%.200s is not a file", path);
    if (st.st_size == 0)
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: the file is empty", name_of(path));
    if (w->n_maps == w->cap_maps) {
        size_t cap = w->cap_maps ? w->cap_maps * 2 : 4;
        struct zt_weights_map *more = realloc(w->maps, cap * sizeof(*more));
        if (more == NULL)
            return zt_fail(err, ZT_E_NOMEM, "not enough memory for %zu files", cap);
        w->maps = more;
        w->cap_maps = cap;
    }
    struct zt_weights_map map = { .file = zt_arena_strdup(&w->arena, name_of(path)),
                                  .n = (size_t)st.st_size };
    if (map.file == NULL)
        return zt_fail(err, ZT_E_LIMIT, "too many files");
    void *data = mmap(NULL, map.n, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return zt_fail_errno(err, errno, "map weights file", path);
    map.data = data;
    w->maps[w->n_maps++] = map;
    return ZT_OK;
}

static bool begins(const struct zt_weights_map *map, const char *bytes, size_t n)
{
    return map->n >= n && memcmp(map->data, bytes, n) == 0;
}

/* What people have lying about under such names, and what to do about it. */
static const struct stray {
    const char *bytes;
    size_t n;
    const char *what;
} strays[] = {
    { "PK\x03\x04", 4,
      "a PyTorch pickle in a zip, which can run code when it is read: get the "
      "safetensors or GGUF file instead" },
    { "\x80\x02", 2,
      "a PyTorch pickle, which can run code when it is read: get the safetensors or "
      "GGUF file instead" },
    { "version https://git-lfs", 23,
      "a Git LFS pointer, not the weights themselves: download the "
      "file itself (git lfs pull)" },
    { "<", 1, "a web page, not weights: the download went wrong" },
    { "FUGG", 4, "GGUF for big-endian machines" },
};

static enum zt_code read_file(struct zt_weights *w, const char *path, struct zt_err *err)
{
    ZT_TRY(map_file(w, path, err));
    const struct zt_weights_map *map = &w->maps[w->n_maps - 1];
    if (begins(map, "GGUF", 4)) {
        w->format = "gguf";
        return zt_gguf_read(w, map, err);
    }
    /* A header of 2 or 60 bytes may look like a stray, but begins with '{'. */
    bool header = map->n > 8 && map->data[8] == '{';
    for (size_t i = 0; !header && i < ZT_COUNT(strays); i++) {
        if (begins(map, strays[i].bytes, strays[i].n))
            return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s is %s", map->file, strays[i].what);
    }
    if (!header && !zt_ends_with(path, ".safetensors"))
        return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s is neither safetensors nor GGUF", map->file);
    w->format = "safetensors";
    return zt_safetensors_read(w, map, err);
}

/* ---- shards with an index ------------------------------------------------------------------ */

/* The name in the same folder as `path`. */
static enum zt_code beside(const char *path, const char *name, char dst[PATH_MAX],
                           struct zt_err *err)
{
    int folder = (int)(name_of(path) - path);

    if (!zt_format(dst, PATH_MAX, "%.*s%s", folder, path, name))
        return zt_fail(err, ZT_E_INVALID, "path is too long");
    return ZT_OK;
}

static bool is_plain_name(const char *name)
{
    return *name != '\0' && *name != '.' && strchr(name, '/') == NULL && strlen(name) <= NAME_MAX;
}

/* Reads one shard and keeps the tensors that the index says are in it. */
static enum zt_code read_shard(struct zt_weights *w, const char *index, const char *shard,
                               const json_t *map, size_t *found, struct zt_err *err)
{
    char path[PATH_MAX];
    size_t first = w->n, kept = first;

    if (!is_plain_name(shard))
        return zt_fail(err, ZT_E_CORRUPT, "%.80s names a file '%.120s' that is not in its folder",
                       name_of(index), shard);
    if (w->n_maps == FILES_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%.80s names more than %d files", name_of(index),
                       FILES_MAX);
    ZT_TRY(beside(index, shard, path, err));
    if (access(path, F_OK) != 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "%.120s, which %.120s names, is not there", shard,
                       name_of(index));
    ZT_TRY(read_file(w, path, err));
    if (strcmp(w->format, "safetensors") != 0)
        return zt_fail(err, ZT_E_CORRUPT, "%.120s, which %.120s names, is not safetensors", shard,
                       name_of(index));
    for (size_t i = first; i < w->n; i++) {
        const char *in = json_string_value(json_object_get(map, w->tensors[i].name));
        if (in && strcmp(in, shard) == 0)
            w->tensors[kept++] = w->tensors[i];
    }
    w->n = kept;
    *found += kept - first;
    return ZT_OK;
}

static bool was_read(const struct zt_weights *w, const char *file)
{
    for (size_t i = 0; i < w->n_maps; i++) {
        if (strcmp(w->maps[i].file, file) == 0)
            return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct zt_weight *)a)->name, ((const struct zt_weight *)b)->name);
}

static enum zt_code not_in_shard(struct zt_weights *w, const char *index, json_t *map,
                                 struct zt_err *err)
{
    const char *name;
    json_t *value;

    if (w->n > 0)
        qsort(w->tensors, w->n, sizeof(*w->tensors), by_name);
    json_object_foreach(map, name, value)
    {
        if (zt_weights_find(w, name) == NULL)
            return zt_fail(err, ZT_E_CORRUPT, "%.120s: tensor '%.120s' is not in %.80s",
                           name_of(index), name, json_string_value(value));
    }
    return zt_fail(err, ZT_E_CORRUPT, "%.120s does not match its files", name_of(index));
}

static enum zt_code read_index(struct zt_weights *w, const char *path, struct zt_err *err)
{
    static const struct zt_json_limits limits = { ZT_WEIGHTS_HEADER_MAX, 8 };
    __attribute__((cleanup(zt_auto_json))) json_t *json = NULL;
    struct zt_buf text;
    const char *name;
    json_t *value;
    size_t found = 0;

    zt_buf_init(&text, ZT_WEIGHTS_HEADER_MAX);
    enum zt_code rc = zt_file_read(path, &text, err);
    if (rc == ZT_OK && (rc = zt_json_parse(text.data ? text.data : "", text.n, &limits, &json,
                                           err)) == ZT_E_INVALID)
        rc = zt_fail(err, ZT_E_CORRUPT, "%.120s is not JSON", name_of(path));
    zt_buf_clear(&text);
    if (rc != ZT_OK)
        return rc;
    json_t *map = json_object_get(json, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        return zt_fail(err, ZT_E_CORRUPT, "%.120s has no weight_map", name_of(path));
    if (json_object_size(map) > ZT_WEIGHTS_TENSORS_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%.120s names more than %d tensors", name_of(path),
                       ZT_WEIGHTS_TENSORS_MAX);
    json_object_foreach(map, name, value)
    {
        const char *shard = json_string_value(value);
        if (shard == NULL)
            return zt_fail(err, ZT_E_CORRUPT, "%.120s names no file for '%.120s'", name_of(path),
                           name);
        if (!was_read(w, shard))
            ZT_TRY(read_shard(w, path, shard, map, &found, err));
    }
    return found == json_object_size(map) ? ZT_OK : not_in_shard(w, path, map, err);
}

/* ---- a folder ------------------------------------------------------------------------------ */

static const char *const pickle_ends[] = { ".pth", ".pt", ".ckpt", ".bin" };

enum kind { OTHER, INDEX, SAFETENSORS, GGUF, PICKLE };

static enum kind kind_of(const char *name)
{
    if (*name == '.')
        return OTHER;
    if (zt_ends_with(name, INDEX_END))
        return INDEX;
    if (zt_ends_with(name, ".safetensors"))
        return SAFETENSORS;
    if (zt_ends_with(name, ".gguf"))
        return GGUF;
    for (size_t i = 0; i < ZT_COUNT(pickle_ends); i++) {
        if (zt_ends_with(name, pickle_ends[i]))
            return PICKLE;
    }
    return OTHER;
}

static int is_of_interest(const struct dirent *entry)
{
    return kind_of(entry->d_name) != OTHER;
}

static enum zt_code read_entries(struct zt_weights *w, const char *folder,
                                 struct dirent *const *entry, int n, struct zt_err *err)
{
    int count[PICKLE + 1] = { 0 };
    char path[PATH_MAX];

    for (int i = 0; i < n; i++)
        count[kind_of(entry[i]->d_name)]++;
    enum kind kind = count[INDEX] ? INDEX : count[SAFETENSORS] ? SAFETENSORS : GGUF;
    if (count[kind] == 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "no *%s, *.safetensors or *.gguf in %.200s%s",
                       INDEX_END, folder,
                       count[PICKLE] ? " (PyTorch pickles are not read: they can run code)" : "");
    if (count[kind] > 1 && kind != SAFETENSORS)
        return zt_fail(err, ZT_E_INVALID, "there are %d *%s in %.200s: name the one to use",
                       count[kind], kind == INDEX ? INDEX_END : ".gguf", folder);
    if (count[kind] > FILES_MAX)
        return zt_fail(err, ZT_E_LIMIT, "more than %d files in %.200s", FILES_MAX, folder);
    for (int i = 0; i < n; i++) {
        if (kind_of(entry[i]->d_name) != kind)
            continue;
        if (!zt_format(path, sizeof(path), "%s/%s", folder, entry[i]->d_name))
            return zt_fail(err, ZT_E_INVALID, "path is too long");
        ZT_TRY(kind == INDEX ? read_index(w, path, err) : read_file(w, path, err));
    }
    return ZT_OK;
}

static enum zt_code read_folder(struct zt_weights *w, const char *folder, struct zt_err *err)
{
    struct dirent **entry = NULL;
    int n = scandir(folder, &entry, is_of_interest, alphasort);

    if (n < 0)
        return zt_fail_errno(err, errno, "read folder", folder);
    enum zt_code rc = read_entries(w, folder, entry, n, err);
    for (int i = 0; i < n; i++)
        free(entry[i]);
    free(entry);
    return rc;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* Puts the list in order; ZT_E_CORRUPT for a name that is there twice. */
static enum zt_code sort(struct zt_weights *w, struct zt_err *err)
{
    if (w->n == 0)
        return zt_fail(err, ZT_E_CORRUPT, "%.80s holds no tensors", w->maps[0].file);
    qsort(w->tensors, w->n, sizeof(*w->tensors), by_name);
    for (size_t i = 1; i < w->n; i++) {
        const struct zt_weight *a = &w->tensors[i - 1], *b = &w->tensors[i];
        if (strcmp(a->name, b->name) != 0)
            continue;
        if (a->file == b->file)
            return zt_fail(err, ZT_E_CORRUPT, "%.80s: tensor '%.120s' is there twice", a->file,
                           a->name);
        return zt_fail(err, ZT_E_CORRUPT,
                       "tensor '%.120s' is in both %.80s and %.80s: name the "
                       "file to use",
                       a->name, a->file, b->file);
    }
    return ZT_OK;
}

enum zt_code zt_weights_open(const char *path, struct zt_weights **ret, struct zt_err *err)
{
    struct stat st;
    zt_auto(weights) struct zt_weights *w = zt_new(struct zt_weights);

    w->arena.limit = ARENA_LIMIT;
    if (stat(path, &st) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return zt_fail_errno(err, errno, "open weights", path);
        return zt_fail(err, ZT_E_NOT_FOUND, "no file and no folder %.300s", path);
    }
    if (S_ISDIR(st.st_mode))
        ZT_TRY(read_folder(w, path, err));
    else if (zt_ends_with(path, ".json"))
        ZT_TRY(read_index(w, path, err));
    else
        ZT_TRY(read_file(w, path, err));
    ZT_TRY(sort(w, err));
    *ret = zt_take_weights(&w);
    return ZT_OK;
}
