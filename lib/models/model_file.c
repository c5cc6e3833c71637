/* model_file.c - weight files as zoetrope.h shows them: looked at, checked, converted. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "models/wan/detect.h"
#include "tensor/gguf.h"
#include "tensor/quantise.h"
#include "tensor/weights.h"

#define THREADS_MAX 256

struct zt_model_file {
    struct zt_weights *weights;
    struct zt_wan_found found;
};

ZT_AUTO(struct zt_model_file, model_file, zt_model_file_close)

enum zt_code zt_model_file_open(const char *path, struct zt_model_file **ret, struct zt_err *err)
{
    zt_auto(model_file) struct zt_model_file *m = zt_new(struct zt_model_file);

    ZT_TRY(zt_weights_open(path, &m->weights, err));
    zt_wan_detect(m->weights, &m->found);
    *ret = zt_take_model_file(&m);
    return ZT_OK;
}

void zt_model_file_close(struct zt_model_file *model)
{
    if (model)
        zt_weights_close(model->weights);
    free(model);
}

/* The type that most bytes are of. */
static const char *main_type(const struct zt_weights *weights)
{
    struct {
        const char *type;
        uint64_t bytes;
    } seen[64];
    size_t n = 0, most = 0;

    for (size_t i = 0; i < zt_weights_count(weights); i++) {
        const struct zt_weight *w = zt_weights_at(weights, i);
        size_t k = 0;
        while (k < n && strcmp(seen[k].type, w->raw_type) != 0)
            k++;
        if (k == n && n < ZT_COUNT(seen)) {
            seen[n].bytes = 0;
            seen[n++].type = w->raw_type;
        }
        if (k < n && (seen[k].bytes += w->bytes) > seen[most].bytes)
            most = k;
    }
    return n > 0 ? seen[most].type : "";
}

void zt_model_file_info(const struct zt_model_file *model, struct zt_model_info *ret)
{
    *ret = (struct zt_model_info){ .part = model->found.part,
                                   .model = model->found.model,
                                   .format = zt_weights_format(model->weights),
                                   .type = main_type(model->weights),
                                   .can_check = model->found.check != NULL,
                                   .tensors = zt_weights_count(model->weights) };
    ret->has_tokenizer =
        zt_weights_find(model->weights, "spiece_model") != NULL ||
        zt_gguf_array(zt_weights_gguf(model->weights), "tokenizer.ggml.tokens") > 0;
    for (size_t i = 0; i < ret->tensors; i++) {
        const struct zt_weight *w = zt_weights_at(model->weights, i);
        ret->elements += w->elements;
        ret->bytes += (int64_t)w->bytes;
    }
}

bool zt_model_file_tensor(const struct zt_model_file *model, size_t index,
                          struct zt_model_tensor *ret)
{
    if (index >= zt_weights_count(model->weights))
        return false;
    const struct zt_weight *w = zt_weights_at(model->weights, index);
    *ret = (struct zt_model_tensor){
        .name = w->name,
        .type = w->raw_type,
        .file = w->file,
        .bytes = (int64_t)w->bytes,
        .n_dims = w->n_dims,
    };
    for (int i = 0; i < w->n_dims; i++)
        ret->shape[i] = w->ne[w->n_dims - 1 - i];
    return true;
}

const char *zt_model_file_meta(const struct zt_model_file *model, size_t index, const char **key)
{
    return zt_weights_meta_at(model->weights, index, key);
}

enum zt_code zt_model_file_check(const struct zt_model_file *model, struct zt_err *err)
{
    if (model->found.check == NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED, "%s is not a model that runs here",
                       *model->found.model ? model->found.model : "this");
    return model->found.check(model->weights, err);
}

static enum zt_code check_threads(int threads, struct zt_err *err)
{
    if (threads < 0 || threads > THREADS_MAX)
        return zt_fail_field(err, ZT_E_INVALID, "threads", "threads must be 0 to %d, not %d",
                             THREADS_MAX, threads);
    return ZT_OK;
}

enum zt_code zt_model_file_scan(const struct zt_model_file *model, int threads,
                                zt_model_progress_fn *progress, void *user, struct zt_err *err)
{
    ZT_TRY(check_threads(threads, err));
    return zt_weights_scan(model->weights, threads, progress, user, err);
}

const char *zt_model_type(int index)
{
    for (int i = 0; zt_quantise_words[i]; i++) {
        if (i == index)
            return zt_quantise_words[i];
    }
    return NULL;
}

enum zt_code zt_model_file_convert(const struct zt_model_file *model, const char *path,
                                   const struct zt_model_convert *options,
                                   zt_model_progress_fn *progress, void *user, struct zt_err *err)
{
    struct zt_quantise job = { .weights = model->weights,
                               .names = model->found.names,
                               .architecture = model->found.architecture,
                               .keep = model->found.keep,
                               .type = zt_quantise_type(options->type),
                               .path = path,
                               .replace = options->replace,
                               .threads = options->threads };

    if (job.type == GGML_TYPE_COUNT)
        return zt_fail_field(err, ZT_E_INVALID, "type",
                             "type must be f32, f16, bf16, q8_0, q4_0, q4_k, q5_k or q6_k, "
                             "not %.40s",
                             options->type);
    ZT_TRY(check_threads(options->threads, err));
    return zt_quantise(&job, progress, user, err);
}
