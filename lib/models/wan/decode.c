/*
 * decode.c - a part's latent to frames, each handed on as soon as it is there. A decode that finds
 * no memory is tried again with smaller tiles, then on the CPU; no frame is handed on twice.
 */
#include "models/wan/inside.h"

#include "base/auto.h"
#include "base/fault.h"
#include "media/resize.h"

#include <math.h>
#include <string.h>

#define FREE_SHARE 0.92 /* of the free memory that tiles are chosen for */

struct hand_on {
    struct zt_wan_job *job;
    int first;  /* frames of this part before it were handed on, or belong to the part before */
    int frames; /* of the part */
    enum zt_code rc; /* why it stopped */
    struct zt_err err;
};

/* The last frames of a part, [3][overlap][h][w], for the part after it. */
static void keep_tail(struct zt_wan_job *job, int frames, int index, const float *rgb)
{
    int overlap = job->part + 1 < job->n_parts ? job->parts[job->part + 1].overlap : 0;
    int at = index - (frames - overlap);
    size_t n = (size_t)job->width_px * (size_t)job->height_px;

    if (at < 0)
        return;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++)
            job->tail[(c * (size_t)overlap + (size_t)at) * n + i] = rgb[3 * i + c];
}

static uint8_t to_byte(float value)
{
    float scaled = (value + 1) * 127.5F;

    return (uint8_t)(scaled <= 0 ? 0 : scaled >= 255 ? 255 : lrintf(scaled));
}

void zt_wan_bytes_of(const float *values, size_t n, uint8_t *dst)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = to_byte(values[i]);
}

static enum zt_code show(struct zt_wan_job *job, const float *rgb, struct zt_err *err)
{
    const struct zt_plan *plan = job->plan;
    bool same = plan->width_px == job->width_px && plan->height_px == job->height_px;
    uint8_t *dst = same ? job->pixels : job->small;
    size_t n = 3 * (size_t)job->width_px * (size_t)job->height_px;
    const struct zt_frame frame = { .format = ZT_PIXELS_RGB24,
                                    .width_px = plan->width_px,
                                    .height_px = plan->height_px,
                                    .plane = { job->pixels },
                                    .stride = { (size_t)plan->width_px * 3 } };

    zt_wan_bytes_of(rgb, n, dst);
    if (!same) {
        const struct zt_image image = { job->width_px, job->height_px, (size_t)job->width_px * 3,
                                        job->small };
        struct zt_crop crop = zt_crop_to_aspect(&image, plan->width_px, plan->height_px);
        ZT_TRY(zt_resize_rgb24(&image, &crop, job->pixels, frame.stride[0], plan->width_px,
                               plan->height_px, NULL, err));
    }
    return zt_meter_frame(&job->meter, &frame, job->shown++, err);
}

static enum zt_code take_frame(struct hand_on *h, int index, const float *rgb, int64_t bad,
                               struct zt_err *err)
{
    struct zt_wan_job *job = h->job;

    keep_tail(job, h->frames, index, rgb);
    if (index < h->first)
        return ZT_OK;
    if (bad > 0)
        return zt_fail(err, ZT_E_CORRUPT,
                       "frame %d has %lld values that are no numbers (in f32: %s)", job->shown,
                       (long long)bad, job->wan->exact ? "yes" : "no");
    zt_clip_add(&job->clip, rgb, (size_t)job->width_px * (size_t)job->height_px, 0);
    ZT_TRY(show(job, rgb, err));
    h->first = index + 1;
    return zt_meter_step(&job->meter, index + 1, h->frames, err);
}

static bool on_frame(void *user, const struct zt_vae_frame *frame)
{
    struct hand_on *h = user;

    h->rc = take_frame(h, frame->index, frame->rgb, frame->not_finite, &h->err);
    return h->rc != ZT_OK;
}

/* What a decode returned, unless it is the frames' receiver that stopped it. */
static enum zt_code outcome(const struct hand_on *h, enum zt_code rc, struct zt_err *err)
{
    if (h->rc == ZT_OK)
        return rc;
    if (err != NULL)
        *err = h->err;
    return h->rc;
}

/* Whether tiles of that size can be expected to fit; the last resort is always tried. */
static bool may_fit(struct zt_vae *vae, const struct zt_device *device, struct zt_vae_size size,
                    int rung, const struct zt_tile *tile)
{
    struct zt_vae_bytes bytes;
    struct zt_tile smaller;
    size_t free_bytes = zt_device_free_bytes(device);

    if (free_bytes == 0 || !zt_vae_rung(rung + 1, size, &smaller) ||
        zt_vae_decode_bytes(vae, size, tile, &bytes, NULL) != ZT_OK)
        return true;
    return (double)(zt_vae_bytes_sum(&bytes) - bytes.weights) <= FREE_SHARE * (double)free_bytes;
}

static enum zt_code climb_down(struct hand_on *h, struct zt_vae *vae, struct zt_device *device,
                               struct zt_err *err)
{
    const struct zt_wan_job *job = h->job;
    const struct zt_vae_size size = { job->size.t, job->size.h, job->size.w };
    enum zt_code rc = ZT_E_NOMEM;
    struct zt_tile tile;

    for (int rung = 0; rc == ZT_E_NOMEM && zt_vae_rung(rung, size, &tile); rung++) {
        if (!may_fit(vae, device, size, rung, &tile))
            continue;
        rc = zt_fault("wan.decode")
                 ? zt_fail(err, ZT_E_NOMEM, "no memory, as a test wants it")
                 : outcome(h, zt_vae_decode(vae, job->latent, size, &tile, on_frame, h, err), err);
        if (rc == ZT_E_NOMEM)
            ZT_TRY(zt_device_trim(device, err));
    }
    return rc;
}

static enum zt_code on_the_cpu(struct hand_on *h, struct zt_err *err)
{
    struct zt_wan *wan = h->job->wan;
    zt_auto(device) struct zt_device *device = NULL;
    zt_auto(vae) struct zt_vae *vae = NULL;

    ZT_TRY(zt_wan_cpu(h->job, &device, err));
    ZT_TRY(zt_vae_open(wan->vae_weights, &wan->vae_config, ZT_VAE_DECODER, ZT_VAE_AS_FILE, device,
                       &vae, err));
    return climb_down(h, vae, device, err);
}

static enum zt_code with_vae(struct hand_on *h, struct zt_err *err)
{
    struct zt_wan *wan = h->job->wan;

    ZT_TRY(zt_wan_need_vae(wan, err));
    enum zt_code rc = climb_down(h, wan->vae, wan->device, err);
    if (rc == ZT_E_NOMEM && !zt_device_is_cpu(wan->device))
        rc = on_the_cpu(h, err);
    return rc;
}

static enum zt_code with_tiny(struct hand_on *h, struct zt_err *err)
{
    struct zt_wan *wan = h->job->wan;
    const struct zt_wan_job *job = h->job;
    const struct zt_vae_size size = { job->size.t, job->size.h, job->size.w };

    ZT_TRY(zt_wan_need_tiny(wan, err));
    return outcome(h, zt_tae_decode(wan->tiny, job->latent, size, on_frame, h, err), err);
}

enum zt_code zt_wan_decode(struct zt_wan_job *job, struct zt_err *err)
{
    int before = 0;

    for (int i = 0; i < job->part; i++)
        before += job->parts[i].frames - job->parts[i].overlap;
    const struct zt_wan_part *part = &job->parts[job->part];
    struct hand_on h = { .job = job,
                         .frames = part->frames,
                         .first = part->overlap + job->shown - before };

    return job->wan->card.decoder == ZT_DECODER_TINY ? with_tiny(&h, err) : with_vae(&h, err);
}
