/* preview.c - see preview.h. */
#include "service/preview.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "service/handles.h"

enum zt_code zt_preview_first(const struct zt_render *of, const char *path, struct zt_err *err)
{
    const struct zt_engine_options options = { .threads = of->threads };
    struct zt_request request = *of->request;
    char part[PATH_MAX], comment[128];
    struct zt_plan plan;
    zt_auto(engine) struct zt_engine *engine = NULL;

    if (!zt_format(part, sizeof(part), "%s.%d.first", path, (int)getpid()))
        return zt_fail(err, ZT_E_INVALID, "the name of the preview is too long");
    snprintf(comment, sizeof(comment), "engine=motion seed=%" PRId64 " preview=first",
             request.seed);
    request.resolution = ZT_480P;
    request.scratch_path = NULL;
    ZT_TRY(zt_engine_open("motion", &options, &engine, err));
    const struct zt_render render = {
        .engine = engine,
        .request = &request,
        .video_path = part,
        .preset = of->preset,
        .crf = of->crf,
        .threads = of->threads,
        .comment = comment,
        .must_end = of->must_end,
        .user = of->user,
    };
    enum zt_code rc = zt_render(&render, &plan, err);
    if (rc == ZT_OK)
        rc = zt_file_publish(part, path, err);
    if (rc != ZT_OK)
        unlink(part);
    return rc;
}
