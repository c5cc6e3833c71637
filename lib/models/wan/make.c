/*
 * make.c - one generation: words, then for each part the given frames, a latent out of noise, and
 * frames out of that.
 *
 * What took long is kept: a part's latent is on disk (request->scratch_path) before it is decoded,
 * and found there by the process that tries again.
 */
#include "models/wan/inside.h"

#include "base/auto.h"
#include "base/fault.h"
#include "base/mem.h"
#include "models/noise.h"
#include "models/wan/denoise.h"
#include "models/wan/kept.h"
#include "models/wan/picture.h"

#include <string.h>

#define WORDS_PERCENT    3
#define GIVEN_SHARE      2  /* of a part's percents, in hundredths */
#define DENOISE_SHARE    70 /* with what was before */
#define STREAMS_PER_PART 1000
#define END_FRAMES       5 /* of the end picture: two latent frames, the second is taken */

bool zt_wan_stopped(void *job)
{
    return !zt_meter_alive(&((struct zt_wan_job *)job)->meter);
}

/* The percent of the whole at `share` hundredths of this part. */
static int percent_at(const struct zt_wan_job *job, int share)
{
    int rest = 100 - WORDS_PERCENT;

    return WORDS_PERCENT + rest * (100 * job->part + share) / (100 * job->n_parts);
}

/* A second try passes its stages again; what was told of the whole stays. */
static enum zt_code enter(struct zt_wan_job *job, const char *stage, int share, struct zt_err *err)
{
    int percent = percent_at(job, share);

    return zt_meter_stage(&job->meter, stage, percent > job->meter.to ? percent : job->meter.to,
                          err);
}

static size_t plane(const struct zt_wan_job *job)
{
    return (size_t)job->size.h * (size_t)job->size.w;
}

static size_t latent_size(const struct zt_wan_job *job)
{
    return (size_t)job->wan->dit_config.channels * (size_t)job->size.t * plane(job);
}

/* ---- given frames -------------------------------------------------------------------------- */

/* Latent frame `from` of [channels][frames] to frame `to` of the part, and holds it. */
static void give(const struct zt_wan_job *job, const float *latent, int frames, int from,
                 float *given, bool *held, int to)
{
    size_t n = plane(job);

    for (size_t c = 0; c < (size_t)job->wan->dit_config.channels; c++)
        memcpy(given + (c * (size_t)job->size.t + (size_t)to) * n,
               latent + (c * (size_t)frames + (size_t)from) * n, n * sizeof(float));
    held[to] = true;
}

static enum zt_code encode(struct zt_wan_job *job, const float *rgb, int frames, float **ret,
                           struct zt_err *err)
{
    size_t n = (size_t)job->wan->dit_config.channels * (size_t)((frames - 1) / 4 + 1) * plane(job);
    void *latent = NULL;

    ZT_TRY(zt_try_alloc(n, sizeof(float), "a picture's latent", &latent, err));
    enum zt_code rc =
        zt_vae_encode(job->wan->vae, rgb, frames, job->height_px, job->width_px, latent, err);
    if (rc == ZT_OK)
        rc = zt_clip_numbers(latent, n, "the picture's latent", err);
    if (rc != ZT_OK) {
        free(latent);
        return rc;
    }
    *ret = latent;
    return ZT_OK;
}

/* The picture `frames` times, [3][frames][h][w]. */
static enum zt_code repeat_picture(const struct zt_wan_job *job, const struct zt_image *image,
                                   int frames, float **ret, struct zt_err *err)
{
    size_t n = (size_t)job->width_px * (size_t)job->height_px;
    void *one = NULL, *all = NULL;

    ZT_TRY(zt_try_alloc(3 * n, sizeof(float), "a picture", &one, err));
    zt_auto_free float *planes = one;
    ZT_TRY(zt_try_alloc(3 * n * (size_t)frames, sizeof(float), "a picture", &all, err));
    zt_auto_free float *rgb = all;
    ZT_TRY(zt_wan_picture(image, job->width_px, job->height_px, planes, err));
    for (size_t c = 0; c < 3; c++)
        for (size_t f = 0; f < (size_t)frames; f++)
            memcpy(rgb + (c * (size_t)frames + f) * n, planes + c * n, n * sizeof(float));
    *ret = rgb;
    rgb = NULL;
    return ZT_OK;
}

/* The frames a part starts from: the picture, or the last frames of the part before. */
static enum zt_code give_start(struct zt_wan_job *job, float *given, bool *held, struct zt_err *err)
{
    int overlap = job->parts[job->part].overlap, frames = overlap > 0 ? overlap : 1;
    zt_auto_free float *picture = NULL;
    zt_auto_free float *latent = NULL;

    if (overlap == 0)
        ZT_TRY(repeat_picture(job, job->request->image, 1, &picture, err));
    ZT_TRY(encode(job, overlap > 0 ? job->tail : picture, frames, &latent, err));
    int n = (frames - 1) / 4 + 1;
    for (int i = 0; i < n; i++)
        give(job, latent, n, i, given, held, i);
    return ZT_OK;
}

/*
 * specs/wan.md 6.2: the last latent frame stands for four frames, and one picture alone encodes as
 * the kind of latent that stands first; so the picture is held still for five.
 */
static enum zt_code give_end(struct zt_wan_job *job, float *given, bool *held, struct zt_err *err)
{
    zt_auto_free float *rgb = NULL;
    zt_auto_free float *latent = NULL;

    if (job->request->end_image == NULL || job->part < job->n_parts - 1)
        return ZT_OK;
    ZT_TRY(repeat_picture(job, job->request->end_image, END_FRAMES, &rgb, err));
    ZT_TRY(encode(job, rgb, END_FRAMES, &latent, err));
    give(job, latent, 2, 1, given, held, job->size.t - 1);
    return ZT_OK;
}

/* ---- the latent ---------------------------------------------------------------------------- */

static enum zt_code need_prompts(struct zt_wan_job *job, struct zt_err *err)
{
    struct zt_wan *wan = job->wan;

    ZT_TRY(zt_wan_need_dit(wan, err));
    if (job->cond == NULL)
        ZT_TRY(zt_dit_prompt_new(wan->dit, wan->prompt.rows, wan->prompt.n, &job->cond, err));
    if (job->uncond == NULL && job->guided)
        ZT_TRY(zt_dit_prompt_new(wan->dit, wan->negative.rows, wan->negative.n, &job->uncond, err));
    return ZT_OK;
}

static void drop_prompts(struct zt_wan_job *job)
{
    zt_dit_prompt_free(job->cond);
    zt_dit_prompt_free(job->uncond);
    job->cond = job->uncond = NULL;
}

static bool on_step(void *user, int done, int steps, const float *x)
{
    struct zt_wan_job *job = user;

    (void)x;
    return zt_meter_step(&job->meter, done, steps, NULL) != ZT_OK;
}

static enum zt_code on_guess(void *user, const float *x0, struct zt_err *err)
{
    return zt_wan_preview(user, x0, err);
}

static enum zt_code start_noise(const struct zt_wan_job *job, float *x, struct zt_err *err)
{
    const char *path = job->wan->noise_path;

    if (path != NULL)
        return zt_noise_load(path, latent_size(job), x, err);
    zt_noise_fill((uint64_t)job->request->seed, (uint64_t)job->part * STREAMS_PER_PART, 0,
                  latent_size(job), x);
    return ZT_OK;
}

static enum zt_code denoise(struct zt_wan_job *job, const float *given, const bool *held,
                            struct zt_err *err)
{
    const struct zt_schedule schedule = zt_card_schedule(&job->wan->card, job->request->resolution);

    ZT_TRY(enter(job, "denoise", DENOISE_SHARE, err));
    ZT_TRY(zt_meter_step(&job->meter, 0, schedule.steps, err));
    ZT_TRY(need_prompts(job, err));
    ZT_TRY(start_noise(job, job->latent, err));
    const struct zt_wan_denoise d = {
        .dit = job->wan->dit,
        .cond = job->cond,
        .uncond = job->uncond,
        .guidance = job->wan->card.guidance,
        .guidance_interval = { job->wan->card.guidance_interval[0],
                               job->wan->card.guidance_interval[1] },
        .schedule = &schedule,
        .size = job->size,
        .given = given,
        .held = held,
        .cache = job->wan->exact ? 0 : job->wan->card.step_cache,
        .made = job->meter.sink->made,
        .seed = (uint64_t)job->request->seed,
        .stream = (uint64_t)job->part * STREAMS_PER_PART,
        .on_step = on_step,
        .on_guess = on_guess,
        .guess_every = zt_wan_may_preview(job) ? job->meter.sink->preview_every : 0,
        .user = job,
    };
    ZT_TRY(zt_wan_denoise(&d, job->latent, err));
    return zt_device_trim(job->wan->device, err);
}

static void add_image(struct zt_sha256_run *run, const struct zt_image *image)
{
    size_t row = image != NULL ? (size_t)image->width_px * 3 : 0;

    zt_sha256_run_add(run, &row, sizeof(row));
    for (int y = 0; image != NULL && y < image->height_px; y++)
        zt_sha256_run_add(run, image->pixels + (size_t)y * image->stride, row);
}

/* All that a part's latent follows from. */
static void make_key(const struct zt_wan_job *job, uint8_t key[ZT_KEPT_KEY])
{
    const struct zt_wan *wan = job->wan;
    const int numbers[] = { job->part,   job->n_parts, job->size.t,
                            job->size.h, job->size.w,  (int)job->request->resolution,
                            wan->exact };
    struct zt_sha256_run *run = zt_sha256_run_new();
    char hex[ZT_SHA256_HEX];

    zt_sha256_run_add(run, wan->identity, sizeof(wan->identity));
    zt_sha256_run_add(run, numbers, sizeof(numbers));
    zt_sha256_run_add(run, &job->request->seed, sizeof(job->request->seed));
    zt_sha256_run_add(run, wan->prompt.text, strlen(wan->prompt.text) + 1);
    if (job->guided)
        zt_sha256_run_add(run, wan->negative.text, strlen(wan->negative.text) + 1);
    add_image(run, job->request->image);
    add_image(run, job->request->end_image);
    zt_sha256_run_end(run, hex);
    zt_sha256_run_free(run);
    zt_sha256(hex, sizeof(hex), key);
}

static enum zt_code find_latent(struct zt_wan_job *job, struct zt_err *err)
{
    const char *folder = job->wan->noise_path == NULL ? job->request->scratch_path : NULL;
    uint8_t key[ZT_KEPT_KEY];
    void *mem = NULL;

    make_key(job, key);
    if (folder != NULL && zt_kept_load(folder, job->part, key, job->latent, latent_size(job)))
        return enter(job, "resume", DENOISE_SHARE, err);
    ZT_TRY(enter(job, "encode", GIVEN_SHARE, err));
    ZT_TRY(zt_wan_need_vae(job->wan, err));
    ZT_TRY(zt_try_alloc(latent_size(job), sizeof(float), "given frames", &mem, err));
    zt_auto_free float *given = mem;
    ZT_TRY(zt_try_alloc((size_t)job->size.t, sizeof(bool), "given frames", &mem, err));
    zt_auto_free bool *held = mem;
    ZT_TRY(give_start(job, given, held, err));
    ZT_TRY(give_end(job, given, held, err));
    ZT_TRY(denoise(job, given, held, err));
    ZT_TRY(zt_clip_numbers(job->latent, latent_size(job), "the latent", err));
    if (folder != NULL)
        ZT_TRY(zt_kept_save(folder, job->part, key, job->latent, latent_size(job), err));
    zt_crash_point("wan.kept");
    return ZT_OK;
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* Numbers that overflowed get one more try in f32. */
static bool try_exact(struct zt_wan_job *job, enum zt_code rc)
{
    if (rc != ZT_E_CORRUPT || job->wan->exact)
        return false;
    drop_prompts(job);
    zt_wan_forget(job->wan, true);
    return true;
}

static enum zt_code tried_exact(enum zt_code rc, struct zt_err *err)
{
    if (rc == ZT_E_CORRUPT)
        zt_err_prefix(err, "in f32 too");
    return rc;
}

static enum zt_code make_part(struct zt_wan_job *job, struct zt_err *err)
{
    job->size = (struct zt_dit_size){ (job->parts[job->part].frames - 1) / 4 + 1,
                                      job->height_px / ZT_VAE_SCALE, job->width_px / ZT_VAE_SCALE };
    void *mem = NULL;
    ZT_TRY(zt_try_alloc(latent_size(job), sizeof(float), "a latent", &mem, err));
    zt_auto_free float *latent = mem;
    job->latent = latent;
    enum zt_code rc = find_latent(job, err);
    if (try_exact(job, rc))
        rc = tried_exact(find_latent(job, err), err);
    ZT_TRY(rc);
    ZT_TRY(enter(job, "decode", 100, err));
    rc = zt_wan_decode(job, err);
    if (try_exact(job, rc))
        rc = tried_exact(zt_wan_decode(job, err), err);
    return rc;
}

static enum zt_code prepare(struct zt_wan_job *job, struct zt_err *err)
{
    const struct zt_card *card = &job->wan->card;
    const struct zt_plan *plan = job->plan;

    job->guided = zt_card_guides(card, job->request->resolution);
    size_t shown = (size_t)plan->width_px * (size_t)plan->height_px;
    void *mem = NULL;

    zt_wan_size(card, plan->width_px, plan->height_px, &job->width_px, &job->height_px);
    job->n_parts = zt_wan_parts(card, plan->frames, job->parts);
    size_t made = (size_t)job->width_px * (size_t)job->height_px;
    ZT_TRY(zt_try_alloc(shown, 3, "a frame", &mem, err));
    job->pixels = mem;
    ZT_TRY(zt_try_alloc(made, 3, "a frame", &mem, err));
    job->small = mem;
    ZT_TRY(zt_try_alloc(made * (size_t)card->overlap_frames, 3 * sizeof(float), "the last frames",
                        &mem, err));
    job->tail = mem;
    return ZT_OK;
}

static enum zt_code make(struct zt_wan_job *job, struct zt_err *err)
{
    ZT_TRY(prepare(job, err));
    ZT_TRY(zt_meter_stage(&job->meter, "text", WORDS_PERCENT, err));
    ZT_TRY(zt_wan_words_read(job, err));
    for (job->part = 0; job->part < job->n_parts; job->part++)
        ZT_TRY(make_part(job, err));
    return zt_clip_judge(&job->clip, job->plan->frames, zt_clip_is_flat(job->request->image), err);
}

enum zt_code zt_wan_make(struct zt_wan *wan, const struct zt_request *request,
                         const struct zt_plan *plan, const struct zt_sink *sink, struct zt_err *err)
{
    struct zt_wan_job job = { .wan = wan, .request = request, .plan = plan };

    zt_meter_init(&job.meter, sink);
    zt_clip_init(&job.clip);
    zt_device_on_stop(wan->device, zt_wan_stopped, &job);
    enum zt_code rc = make(&job, err);
    drop_prompts(&job);
    zt_device_on_stop(wan->device, NULL, NULL);
    free(job.pixels);
    free(job.small);
    free(job.tail);
    if (wan->exact)
        zt_wan_forget(wan, false);
    return rc;
}
