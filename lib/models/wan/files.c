/*
 * files.c - see files.h.
 */
#include "models/wan/files.h"

#include "base/str.h"
#include "models/text/from_weights.h"
#include "models/wan/detect.h"
#include "tensor/weights.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 256 /* weight files looked at in one folder */

/* What a person is told about a part that is missing. */
static const struct {
    const char *folder; /* in the diffusers layout */
    const char *what, *published;
} parts[ZT_PARTS] = {
    [ZT_PART_DIT] = { "transformer", "the diffusion transformer (DiT)",
                      "transformer/ of Wan-AI/Wan2.2-TI2V-5B-Diffusers, "
                      "wan2.2_ti2v_5B_fp16.safetensors of Comfy-Org/Wan_2.2_ComfyUI_Repackaged, or "
                      "a GGUF of either" },
    [ZT_PART_VAE] = { "vae", "the autoencoder (VAE 2.2), which reads the picture",
                      "vae/ of Wan-AI/Wan2.2-TI2V-5B-Diffusers, or wan2.2_vae.safetensors of "
                      "Comfy-Org/Wan_2.2_ComfyUI_Repackaged" },
    [ZT_PART_TINY] = { "", "the tiny decoder, which the model card asks for",
                       "taew2_2.safetensors of madebyollin/taehv" },
    [ZT_PART_TEXT] = { "text_encoder", "the umT5-XXL text encoder",
                       "text_encoder/ of Wan-AI/Wan2.2-TI2V-5B-Diffusers, or "
                       "city96/umt5-xxl-encoder-gguf" },
    [ZT_PART_TOKENIZER] = { "tokenizer", "the tokenizer (spiece.model or tokenizer.json)",
                            "tokenizer/ of Wan-AI/Wan2.2-TI2V-5B-Diffusers, or google/umt5-xxl" },
};

/* Where single files lie: ComfyUI's folders too. */
static const char *const scanned[] = { "",    "diffusion_models", "unet", "text_encoders", "clip",
                                       "vae", "vae_approx" };

struct search {
    const char *folder;
    const struct zt_card *card;
    struct zt_wan_files *files;
    bool given[ZT_PARTS]; /* by the card or by a folder's name: no file stands beside it */
};

static bool exists(const char *path, bool folder)
{
    struct stat st;

    return stat(path, &st) == 0 && (folder ? S_ISDIR(st.st_mode) : true);
}

static bool join(char dst[PATH_MAX], const char *folder, const char *name)
{
    return zt_format(dst, PATH_MAX, "%s%s%s", folder, *name ? "/" : "", name);
}

static bool in_text_weights(const char *path)
{
    zt_auto(weights) struct zt_weights *w = NULL;

    if (path[0] == '\0' || zt_weights_open(path, &w, NULL) != ZT_OK)
        return false;
    return zt_tokenizer_in_weights(w);
}

/* Which part the tensors make; ZT_PARTS for none. */
static int part_of(const struct zt_weights *w)
{
    struct zt_wan_found found;
    int part = 0;

    zt_wan_detect(w, &found);
    while (part < ZT_PARTS && strcmp(found.part, zt_part_names[part]) != 0)
        part++;
    return part;
}

static enum zt_code look_at(struct search *s, const char *path, struct zt_err *err)
{
    zt_auto(weights) struct zt_weights *w = NULL;

    ZT_TRY(zt_weights_open(path, &w, err));
    int part = part_of(w);
    if (part == ZT_PARTS || s->given[part])
        return ZT_OK;
    if (s->files->path[part][0] != '\0')
        return zt_fail_field(err, ZT_E_CONFLICT, "model",
                             "both %.160s and %.160s hold %s; name one of them in %s, under "
                             "\"files\", as \"%s\"",
                             s->files->path[part], path, parts[part].what, ZT_CARD_FILE,
                             zt_part_names[part]);
    return zt_format(s->files->path[part], PATH_MAX, "%s", path)
               ? ZT_OK
               : zt_fail_field(err, ZT_E_INVALID, "model", "a path in the model is too long");
}

/* An index and single files; a shard ("...-00001-of-00003") is only read through its index. */
static int is_weight_file(const struct dirent *entry)
{
    const char *n = entry->d_name, *of = strstr(n, "-of-");

    if (zt_ends_with(n, ".safetensors.index.json"))
        return 1;
    return zt_ends_with(n, ".gguf") || (zt_ends_with(n, ".safetensors") && of == NULL);
}

static enum zt_code scan(struct search *s, const char *sub, struct zt_err *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct dirent **entries = NULL;
    enum zt_code rc = ZT_OK;

    if (!join(folder, s->folder, sub))
        return zt_fail_field(err, ZT_E_INVALID, "model", "the path of the model is too long");
    int n = scandir(folder, &entries, is_weight_file, alphasort);
    if (n > FILES_MAX)
        rc = zt_fail_field(err, ZT_E_LIMIT, "model", "%s has more than %d weight files", folder,
                           FILES_MAX);
    for (int i = 0; i < n; i++) {
        if (rc == ZT_OK)
            rc =
                join(path, folder, entries[i]->d_name)
                    ? look_at(s, path, err)
                    : zt_fail_field(err, ZT_E_INVALID, "model", "a path in %s is too long", folder);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* What the card names, and folders that are named after their part. */
static enum zt_code take_given(struct search *s, struct zt_err *err)
{
    for (int p = 0; p < ZT_PARTS; p++) {
        const char *name = s->card->parts[p];
        char *path = s->files->path[p];
        bool by_card = name[0] != '\0';
        if (!by_card)
            name = parts[p].folder;
        if (name[0] == '\0')
            continue;
        if (!join(path, s->folder, name))
            return zt_fail_field(err, ZT_E_INVALID, "model", "the path of the model is too long");
        s->given[p] = exists(path, !by_card);
        if (by_card && !s->given[p])
            return zt_fail_field(err, ZT_E_NOT_FOUND, "model", "%s, which %s names, is not there",
                                 path, ZT_CARD_FILE);
        if (!s->given[p])
            path[0] = '\0';
    }
    return ZT_OK;
}

/* vae/ may be ComfyUI's folder of several files: then it is scanned like the others. */
static void release_mixed(struct search *s)
{
    zt_auto(weights) struct zt_weights *w = NULL;
    char *path = s->files->path[ZT_PART_VAE];

    if (s->card->parts[ZT_PART_VAE][0] == '\0' && s->given[ZT_PART_VAE] &&
        zt_weights_open(path, &w, NULL) != ZT_OK) {
        s->given[ZT_PART_VAE] = false;
        path[0] = '\0';
    }
}

static void find_tokenizer(struct search *s)
{
    static const char *const places[] = { "tokenizer/spiece.model",
                                          "tokenizer/tokenizer.json",
                                          "spiece.model",
                                          "tokenizer.json",
                                          "google/umt5-xxl/spiece.model",
                                          "google/umt5-xxl/tokenizer.json",
                                          "text_encoders/spiece.model" };
    char *path = s->files->path[ZT_PART_TOKENIZER];

    if (s->card->parts[ZT_PART_TOKENIZER][0] != '\0')
        return;
    path[0] = '\0';
    for (size_t i = 0; i < ZT_COUNT(places); i++)
        if (join(path, s->folder, places[i]) && exists(path, false))
            return;
    path[0] = '\0';
    if (in_text_weights(s->files->path[ZT_PART_TEXT]))
        (void)zt_format(path, PATH_MAX, "%s", s->files->path[ZT_PART_TEXT]);
}

enum zt_code zt_wan_files_find(const char *folder, const struct zt_card *card,
                               struct zt_wan_files *ret, struct zt_err *err)
{
    struct search s = { .folder = folder, .card = card, .files = ret };

    memset(ret, 0, sizeof(*ret));
    if (!exists(folder, true))
        return zt_fail_field(err, ZT_E_NOT_FOUND, "model", "there is no folder %s with a model",
                             folder);
    ZT_TRY(take_given(&s, err));
    release_mixed(&s);
    for (size_t i = 0; i < ZT_COUNT(scanned); i++)
        if (i == 0 || !(strcmp(scanned[i], "vae") == 0 && s.given[ZT_PART_VAE]))
            ZT_TRY(scan(&s, scanned[i], err));
    find_tokenizer(&s);
    for (int p = 0; p < ZT_PARTS; p++) {
        bool needed = p != ZT_PART_TINY || card->decoder == ZT_DECODER_TINY;
        if (needed && ret->path[p][0] == '\0')
            return zt_fail_field(err, ZT_E_NOT_FOUND, "model",
                                 "%s has no weights for %s: looked for %s%s.safetensors and .gguf "
                                 "files; published as %s",
                                 folder, parts[p].what, parts[p].folder,
                                 *parts[p].folder ? "/, " : "", parts[p].published);
    }
    return ZT_OK;
}
