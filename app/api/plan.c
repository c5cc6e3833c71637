/*
 * plan.c - what createTask says will be made: frames, rate and size, and why these. A picture that
 * is here already gives the size, by its header; one that has to be fetched leaves a choice.
 */
#include <inttypes.h>
#include <unistd.h>

#include "api/inside.h"
#include "api/kie.h"
#include "api/out.h"
#include "base/auto.h"

#define HEAD_BYTES ((size_t)512 << 10) /* in it a picture says its size; else it is not told */
#define TEXT_BYTES 2048

/* The beginning of a stored picture; empty when it cannot be read, which the worker will find. */
static void read_head(struct zt_api *api, const char *blob, struct zt_buf *ret)
{
    zt_auto_fd int fd = -1;
    char bytes[16384];
    ssize_t n;

    if (zt_blobs_open_fd(api->options.blobs, blob, &fd, NULL, NULL) != ZT_OK)
        return;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
        if (zt_buf_add(ret, bytes, (size_t)n, NULL) != ZT_OK)
            return;
    }
}

/* Whether the first picture is here and says how large it is. */
static bool picture_size(struct zt_api *api, const struct zt_kie_request *request,
                         struct zt_image_info *ret)
{
    const struct zt_kie_picture *picture = &request->pictures[ZT_KIE_IMAGE];
    const struct zt_api_sizes *sizes = &api->options.sizes;
    struct zt_buf head;

    if (picture->bytes.n > 0)
        return sizes->probe(picture->bytes.data, picture->bytes.n, NULL, ret, NULL) == ZT_OK;
    if (picture->blob == NULL)
        return false;
    zt_buf_init(&head, HEAD_BYTES);
    read_head(api, picture->blob, &head);
    bool known = head.n > 0 && sizes->probe(head.data, head.n, NULL, ret, NULL) == ZT_OK;
    zt_buf_clear(&head);
    return known;
}

/* "121 frames are 5 seconds at 24 a second and the first one", and what else was asked for. */
static const char *why_frames(const struct zt_kie_request *request, struct zt_arena *arena)
{
    const struct zt_kie_input *input = &request->input;
    int frames = ZT_KIE_FRAMES(input->duration_s);
    const char *text =
        zt_arena_printf(arena, "%d frames are %d seconds at %d a second and the first one", frames,
                        input->duration_s, ZT_KIE_FPS);

    if (text != NULL && input->frames > 0 && input->frames != frames)
        text = zt_arena_printf(arena, "%s: the nearest to the %" PRId64 " asked for", text,
                               input->frames);
    return text;
}

static void add_size(struct zt_out *out, const struct zt_api_sizes *sizes,
                     enum zt_resolution resolution, const struct zt_image_info *picture)
{
    int width = 0;
    int height = 0;

    sizes->size_for(resolution, picture->width_px, picture->height_px, &width, &height);
    zt_out_key_int(out, "width", width);
    zt_out_key_int(out, "height", height);
}

static void add_choice(struct zt_out *out, const struct zt_api_sizes *sizes,
                       enum zt_resolution resolution, struct zt_arena *arena)
{
    const char *ratio;
    int width, height;

    zt_out_raw(out, ",\"width\":null,\"height\":null,\"sizes\":{");
    for (int i = 0; sizes->size_row(i, resolution, &ratio, &width, &height); i++) {
        const char *size =
            zt_arena_printf(arena, "%s\"%s\":\"%dx%d\"", i > 0 ? "," : "", ratio, width, height);
        zt_out_raw(out, size ? size : "");
    }
    zt_out_raw(out, "}");
}

const char *zt_api_plan(struct zt_api *api, const struct zt_kie_request *request,
                        struct zt_arena *arena)
{
    const struct zt_api_sizes *sizes = &api->options.sizes;
    const struct zt_kie_input *input = &request->input;
    enum zt_resolution resolution = ZT_480P;
    struct zt_image_info picture = { 0 };
    zt_auto_out struct zt_out out = { 0 };
    const char *why;

    if (sizes->probe == NULL)
        return "null";
    zt_assert(zt_api_resolution(input->resolution, &resolution)); /* it was read by them */
    const char *frames = why_frames(request, arena);
    zt_out_init(&out, TEXT_BYTES);
    zt_out_raw(&out, "{\"seconds\":");
    zt_out_int(&out, input->duration_s);
    zt_out_key_int(&out, "frames", ZT_KIE_FRAMES(input->duration_s));
    zt_out_key_int(&out, "fps", ZT_KIE_FPS);
    if (picture_size(api, request, &picture)) {
        add_size(&out, sizes, resolution, &picture);
        why = zt_arena_printf(
            arena, "%s; of the %s sizes, this has the ratio nearest to the picture's %dx%d",
            frames ? frames : "", input->resolution, picture.width_px, picture.height_px);
    } else {
        add_choice(&out, sizes, resolution, arena);
        why = zt_arena_printf(
            arena,
            "%s; the size will be the one whose ratio is nearest to the picture's, which is "
            "not known before it is fetched",
            frames ? frames : "");
    }
    zt_out_key_string(&out, "why", why ? why : "");
    zt_out_raw(&out, "}");
    return out.full ? NULL : zt_arena_strndup(arena, out.buf.data, out.buf.n);
}
