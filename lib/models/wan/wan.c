/*
 * wan.c - the engine: opening and checking a model, planning, and the networks it brings in.
 */
#include "models/wan/wan.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/plan.h"
#include "models/text/from_weights.h"
#include "models/wan/detect.h"
#include "models/wan/inside.h"

#include <string.h>

static void wan_close(void *self)
{
    struct zt_wan *wan = self;

    if (wan == NULL)
        return;
    zt_wan_forget(wan, false);
    zt_wan_words_clear(&wan->prompt);
    zt_wan_words_clear(&wan->negative);
    zt_tokenizer_close(wan->tokenizer);
    zt_weights_close(wan->dit_weights);
    zt_weights_close(wan->vae_weights);
    zt_weights_close(wan->tiny_weights);
    zt_device_close(wan->device);
    free(wan->noise_path);
    free(wan);
}
ZT_AUTO(struct zt_wan, wan, wan_close)

/* Names, types and sizes of all tensors, and the card: another model gives another latent. */
static void identify(struct zt_wan *wan)
{
    struct zt_sha256_run *run = zt_sha256_run_new();

    zt_sha256_run_add(run, &wan->card, sizeof(wan->card));
    for (size_t i = 0; i < zt_weights_count(wan->dit_weights); i++) {
        const struct zt_weight *w = zt_weights_at(wan->dit_weights, i);
        size_t sample = w->bytes < 256 ? w->bytes : 256;
        zt_sha256_run_add(run, w->name, strlen(w->name));
        zt_sha256_run_add(run, &w->type, sizeof(w->type));
        zt_sha256_run_add(run, w->data, sample);
    }
    zt_sha256_run_end(run, wan->identity);
    zt_sha256_run_free(run);
}

/* Opens the file of a part, and checks that it is that part and that nothing of it is missing. */
static enum zt_code open_part(const struct zt_wan *wan, enum zt_part part, struct zt_weights **ret,
                              struct zt_err *err)
{
    const char *path = wan->files.path[part];
    zt_auto(weights) struct zt_weights *weights = NULL;
    struct zt_wan_found found;

    ZT_TRY(zt_weights_open(path, &weights, err));
    zt_wan_detect(weights, &found);
    if (strcmp(found.part, zt_part_names[part]) != 0)
        return zt_fail_field(err, ZT_E_CORRUPT, "model", "%.200s is not the model's %s", path,
                             zt_part_names[part]);
    if (found.check == NULL)
        return zt_fail_field(err, ZT_E_UNSUPPORTED, "model",
                             "%.200s is of %s, which nothing here runs yet", path,
                             *found.model ? found.model : "another model");
    ZT_TRY(found.check(weights, err));
    *ret = zt_take_weights(&weights);
    return ZT_OK;
}

enum zt_code zt_wan_open_tiny(struct zt_wan *wan, struct zt_err *err)
{
    zt_auto(weights) struct zt_weights *weights = NULL;
    struct zt_tae_config config;

    if (wan->tiny_weights != NULL)
        return ZT_OK;
    ZT_TRY(open_part(wan, ZT_PART_TINY, &weights, err));
    ZT_TRY(zt_tae_config_read(weights, &config, err));
    if (config.z != wan->dit_config.channels || config.patch * 8 != ZT_VAE_SCALE)
        return zt_fail_field(err, ZT_E_CORRUPT, "model",
                             "the tiny decoder's latents have %d channels of %d pixels, the DiT's "
                             "%d of %d",
                             config.z, config.patch * 8, wan->dit_config.channels, ZT_VAE_SCALE);
    wan->tiny_weights = zt_take_weights(&weights);
    return ZT_OK;
}

static enum zt_code open_text(struct zt_wan *wan, struct zt_err *err)
{
    const char *path = wan->files.path[ZT_PART_TEXT];
    const char *tokens = wan->files.path[ZT_PART_TOKENIZER];
    zt_auto(weights) struct zt_weights *text = NULL;
    struct zt_umt5_config config;

    ZT_TRY(open_part(wan, ZT_PART_TEXT, &text, err));
    ZT_TRY(zt_umt5_config_read(text, &config, err));
    if (config.dim != wan->dit_config.text_dim)
        return zt_fail_field(err, ZT_E_CORRUPT, "model",
                             "the text encoder %s gives %d numbers a token, the DiT takes %d", path,
                             config.dim, wan->dit_config.text_dim);
    ZT_TRY(strcmp(tokens, path) == 0 ? zt_tokenizer_from_weights(text, &wan->tokenizer, err)
                                     : zt_tokenizer_open(tokens, &wan->tokenizer, err));
    if (zt_tokenizer_size(wan->tokenizer) > config.vocab)
        return zt_fail_field(err, ZT_E_CORRUPT, "model",
                             "the tokenizer %s has %d pieces, the text encoder only %d", tokens,
                             zt_tokenizer_size(wan->tokenizer), config.vocab);
    return ZT_OK;
}

static enum zt_code open_parts(struct zt_wan *wan, struct zt_err *err)
{
    ZT_TRY(open_part(wan, ZT_PART_DIT, &wan->dit_weights, err));
    ZT_TRY(zt_dit_config_read(wan->dit_weights, 0, &wan->dit_config, err));
    ZT_TRY(open_part(wan, ZT_PART_VAE, &wan->vae_weights, err));
    ZT_TRY(zt_vae_config_read(wan->vae_weights, &wan->vae_config, err));
    if (wan->vae_config.z != wan->dit_config.channels)
        return zt_fail_field(err, ZT_E_CORRUPT, "model",
                             "the autoencoder's latents have %d channels, the DiT's %d",
                             wan->vae_config.z, wan->dit_config.channels);
    if (wan->card.decoder == ZT_DECODER_TINY)
        ZT_TRY(zt_wan_open_tiny(wan, err));
    return open_text(wan, err);
}

/* A card asks for 8-bit products only of a machine that has them. */
static enum zt_code check_w8a8(const struct zt_wan *wan, struct zt_err *err)
{
    const char *why;

    if (wan->card.w8a8 == ZT_DIT_W8A8_NONE || zt_device_w8a8(wan->device, &why) != NULL)
        return ZT_OK;
    return zt_fail_field(err, ZT_E_UNSUPPORTED, "model",
                         ZT_CARD_FILE ": w8a8 is %s, which needs the CPU and its fast backend: %s "
                                      "(device %s); \"none\" works everywhere",
                         zt_dit_w8a8_names[wan->card.w8a8], why, zt_device_name(wan->device));
}

static enum zt_code wan_open(const struct zt_engine_options *options, void **ret,
                             struct zt_err *err)
{
    const struct zt_device_options device = { .name = options->device,
                                              .threads = options->threads,
                                              .offload = options->offload,
                                              .backend = options->backend };
    zt_auto(wan) struct zt_wan *wan = zt_new(struct zt_wan);

    if (options->model_path == NULL || options->model_path[0] == '\0')
        return zt_fail_field(err, ZT_E_INVALID, "model",
                             "the engine wan needs a model: the folder with its weights, e.g. of "
                             "Wan-AI/Wan2.2-TI2V-5B-Diffusers");
    zt_card_init(&wan->card);
    ZT_TRY(zt_card_read(options->model_path, &wan->card, err));
    if (options->steps > 0)
        ZT_TRY(zt_card_set_steps(&wan->card, options->steps, err));
    ZT_TRY(zt_wan_files_find(options->model_path, &wan->card, &wan->files, err));
    ZT_TRY(zt_device_open(&device, &wan->device, err));
    ZT_TRY(check_w8a8(wan, err));
    wan->threads = zt_device_threads(wan->device);
    ZT_TRY(open_parts(wan, err));
    identify(wan);
    if (options->noise_path != NULL && options->noise_path[0] != '\0')
        wan->noise_path = zt_strdup_or_die(options->noise_path);
    *ret = zt_take_wan(&wan);
    return ZT_OK;
}

static enum zt_code wan_plan(void *self, const struct zt_request *request, struct zt_plan *ret,
                             struct zt_err *err)
{
    struct zt_plan plan = { .frames = zt_frames_for(request->duration_s),
                            .fps = ZT_FPS,
                            .pixels = ZT_PIXELS_RGB24 };
    size_t bytes = 0;

    zt_size_for(request->resolution, request->image->width_px, request->image->height_px,
                &plan.width_px, &plan.height_px);
    ZT_TRY(zt_wan_bytes(self, request->resolution, &plan, &bytes, err));
    plan.memory_bytes = (int64_t)bytes;
    *ret = plan;
    return ZT_OK;
}

static enum zt_code wan_generate(void *self, const struct zt_request *request,
                                 const struct zt_plan *plan, const struct zt_sink *sink,
                                 struct zt_err *err)
{
    ZT_TRY(zt_wan_fits(self, request, plan, err));
    return zt_wan_make(self, request, plan, sink, err);
}

enum zt_code zt_wan_need_dit(struct zt_wan *wan, struct zt_err *err)
{
    if (wan->dit != NULL)
        return ZT_OK;
    zt_device_set_exact(wan->device, wan->exact);
    ZT_TRY(
        zt_dit_open(wan->dit_weights, 0, wan->card.w8a8, wan->device, NULL, NULL, &wan->dit, err));
    zt_dit_set_scores(wan->dit, wan->card.attention);
    return ZT_OK;
}

enum zt_code zt_wan_need_vae(struct zt_wan *wan, struct zt_err *err)
{
    if (wan->vae != NULL)
        return ZT_OK;
    zt_device_set_exact(wan->device, wan->exact);
    return zt_vae_open(wan->vae_weights, &wan->vae_config, ZT_VAE_BOTH,
                       wan->exact ? ZT_VAE_F32 : ZT_VAE_AS_FILE, wan->device, &wan->vae, err);
}

enum zt_code zt_wan_need_tiny(struct zt_wan *wan, struct zt_err *err)
{
    if (wan->tiny != NULL)
        return ZT_OK;
    zt_device_set_exact(wan->device, wan->exact);
    return zt_tae_open(wan->tiny_weights, wan->exact ? ZT_VAE_F32 : ZT_VAE_AS_FILE, wan->device,
                       &wan->tiny, err);
}

enum zt_code zt_wan_cpu(struct zt_wan_job *job, struct zt_device **ret, struct zt_err *err)
{
    const struct zt_device_options cpu = { .name = "CPU", .threads = job->wan->threads };

    ZT_TRY(zt_device_open(&cpu, ret, err));
    zt_device_set_exact(*ret, job->wan->exact);
    zt_device_on_stop(*ret, zt_wan_stopped, job);
    return ZT_OK;
}

void zt_wan_forget(struct zt_wan *wan, bool exact)
{
    zt_dit_close(wan->dit);
    zt_vae_close(wan->vae);
    zt_tae_close(wan->tiny);
    wan->dit = NULL;
    wan->vae = NULL;
    wan->tiny = NULL;
    wan->exact = exact;
}

const struct zt_engine_type zt_wan_engine = {
    .name = "wan",
    .summary =
        "Wan 2.2 TI2V-5B, a diffusion model: needs its weights (--model) and patience or a GPU",
    .open = wan_open,
    .plan = wan_plan,
    .generate = wan_generate,
    .close = wan_close,
};
