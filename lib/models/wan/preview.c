/*
 * preview.c - what a part looks like between two steps: the latent that the step's velocity leads
 * to, through the tiny decoder. For watching only: where it cannot be had, nothing is shown, and
 * the generation goes on as if it had not been asked for.
 */
#include "models/wan/inside.h"

#include "base/auto.h"
#include "base/mem.h"

#define FREE_SHARE 0.9 /* of the free memory that a preview may take */

struct reel {
    const struct zt_wan_job *job;
    uint8_t *pixels;
    int frames;
};

static bool on_frame(void *user, const struct zt_vae_frame *decoded)
{
    const struct reel *reel = user;
    const struct zt_sink *sink = reel->job->meter.sink;
    const struct zt_frame frame = { .format = ZT_PIXELS_RGB24,
                                    .width_px = decoded->w,
                                    .height_px = decoded->h,
                                    .plane = { reel->pixels },
                                    .stride = { (size_t)decoded->w * 3 } };

    zt_wan_bytes_of(decoded->rgb, (size_t)decoded->w * (size_t)decoded->h * 3, reel->pixels);
    return sink->on_preview(sink->user, &frame, decoded->index, reel->frames) != 0;
}

static bool fits(const struct zt_wan *wan, struct zt_vae_size size)
{
    size_t free_bytes = zt_device_free_bytes(wan->device);
    struct zt_vae_bytes bytes;

    return free_bytes == 0 ||
           (zt_tae_decode_bytes(wan->tiny, size, &bytes, NULL) == ZT_OK &&
            (double)(zt_vae_bytes_sum(&bytes) - bytes.weights) <= FREE_SHARE * (double)free_bytes);
}

bool zt_wan_may_preview(struct zt_wan_job *job)
{
    struct zt_wan *wan = job->wan;
    const struct zt_sink *sink = job->meter.sink;

    return sink->on_preview != NULL && sink->preview_every > 0 &&
           wan->files.path[ZT_PART_TINY][0] != '\0' && zt_wan_open_tiny(wan, NULL) == ZT_OK;
}

/* Memory for graphs is let go before and after: the DiT's and this are never there at once. */
enum zt_code zt_wan_preview(struct zt_wan_job *job, const float *latent, struct zt_err *err)
{
    const struct zt_vae_size size = { job->size.t, job->size.h, job->size.w };
    size_t bytes = (size_t)job->width_px * (size_t)job->height_px * 3;
    struct reel reel = { .job = job, .frames = job->parts[job->part].frames };
    void *mem = NULL;

    if (zt_try_alloc(bytes, 1, "a preview", &mem, NULL) != ZT_OK)
        return ZT_OK;
    zt_auto_free uint8_t *pixels = mem;
    reel.pixels = pixels;
    ZT_TRY(zt_device_trim(job->wan->device, err));
    if (zt_wan_need_tiny(job->wan, NULL) == ZT_OK && fits(job->wan, size))
        (void)zt_tae_decode(job->wan->tiny, latent, size, on_frame, &reel, NULL);
    return zt_device_trim(job->wan->device, err);
}
