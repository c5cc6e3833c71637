/*
 * preview.h - what can be watched before an engine with weights has frames: the motion engine's
 * clip of the same request, small. The live file of the video (zt_video_options) then takes its
 * place.
 */
#ifndef ZT_SERVICE_PREVIEW_H
#define ZT_SERVICE_PREVIEW_H

#include "base/error.h"
#include "service/render.h"

/*
 * Writes an MP4 at 480p to path, which it takes only when it is whole. Its comment names motion as
 * its engine. Of `render` it takes request, preset, crf, threads and must_end.
 * Errors as zt_render, and of zt_file_publish.
 */
enum zt_code zt_preview_first(const struct zt_render *render, const char *path, struct zt_err *err);

#endif
