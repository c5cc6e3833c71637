/* generate.c - zoetrope generate: a video without a server. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/stop.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/term.h"
#include "net/fetch.h"
#include "net/guard.h"
#include "service/engine.h"
#include "service/handles.h"
#include "service/outbound.h"
#include "service/preview.h"
#include "service/render.h"
#include "service/sandbox.h"

#define KEPT_MAX 100                /* parts of a video that an engine keeps */
#define SEED_END (INT64_C(1) << 31) /* seeds are 0 ... 2147483647 */

struct own {
    const char *output, *end_image, *poster, *preview;
    int resolution;
    int64_t duration_s, seed, steps;
    const char *noise;
    bool camera_fixed, force;
};

struct job {
    struct zt_args *args;
    const struct own *own;
    struct zt_stop *stop;
    struct zt_term term;
    struct zt_image image, end_image;
    int64_t seed;
    const char *output;
    char part[PATH_MAX]; /* the file while it is being made */
    char kept[PATH_MAX]; /* a folder beside it: what a stopped generation goes on from */
    struct zt_plan plan;
    struct zt_made made;
};

/* ---- inputs -------------------------------------------------------------------------------- */

static bool is_url(const char *text)
{
    return zt_starts_with(text, "http://") || zt_starts_with(text, "https://") ||
           zt_starts_with(text, "data:");
}

static enum zt_code fetch(const struct job *job, const char *url, struct zt_buf *buf,
                          struct zt_err *err)
{
    struct zt_guard *guard = NULL;

    ZT_TRY(zt_outbound_guard(&job->args->config, &guard, err));
    struct zt_client *client = zt_outbound_client(&job->args->config, guard, job->stop);
    enum zt_code rc = zt_fetch(client, url, buf, err);
    zt_client_free(client);
    zt_guard_free(guard);
    if (rc == ZT_E_DENIED)
        zt_err_detail(err, "networks that are not public are reached with --allow-net");
    return rc;
}

static enum zt_code read_image(const struct job *job, const char *source, struct zt_image *ret,
                               struct zt_err *err)
{
    const struct zt_image_limits limits = { .max_bytes =
                                                (size_t)job->args->config.max_image_bytes };
    struct zt_buf buf;

    zt_buf_init(&buf, limits.max_bytes);
    enum zt_code rc =
        is_url(source) ? fetch(job, source, &buf, err) : zt_file_read(source, &buf, err);
    if (rc == ZT_OK)
        rc = zt_sandbox_decode(buf.data ? buf.data : "", buf.n, &limits, job->stop, ret, err);
    zt_buf_clear(&buf);
    if (rc != ZT_OK)
        zt_err_prefix(err, "%.200s", is_url(source) ? "the image" : source);
    return rc;
}

/* "photos/cat.jpg" -> "cat.mp4", in the current folder. */
static const char *default_output(struct zt_arena *arena, const char *source)
{
    size_t end = strcspn(source, "?#");
    size_t start = end;

    if (zt_starts_with(source, "data:"))
        return "video.mp4";
    while (start > 0 && source[start - 1] != '/')
        start--;
    size_t n = end - start;
    for (size_t i = n; i > 1; i--) {
        if (source[start + i - 1] == '.') {
            n = i - 1;
            break;
        }
    }
    if (n == 0 || source[start] == '.')
        return "video.mp4";
    return zt_arena_printf(arena, "%.*s.mp4", (int)n, source + start);
}

static enum zt_code may_write(const struct job *job, const char *path, const char *other,
                              struct zt_err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return ZT_OK;
    if (!S_ISREG(st.st_mode))
        return zt_fail(err, ZT_E_CONFLICT, "%s is not a file that can be replaced", path);
    if (!job->own->force)
        return zt_fail(err, ZT_E_CONFLICT, "%s exists already; name %s, or replace it with --force",
                       path, other);
    return ZT_OK;
}

/* Where the video goes, checked before the work is done for nothing. */
static enum zt_code choose_output(struct job *job, struct zt_err *err)
{
    const char *given = job->own->output;

    job->output = *given ? given : default_output(&job->args->arena, job->args->word[0]);
    if (!zt_format(job->part, sizeof(job->part), "%s.%d.part", job->output, (int)getpid()))
        return zt_fail(err, ZT_E_INVALID, "the name of the output file is too long");
    if (!zt_format(job->kept, sizeof(job->kept), "%s.kept", job->output))
        return zt_fail(err, ZT_E_INVALID, "the name of the output file is too long");
    ZT_TRY(may_write(job, job->output, "another file with -o", err));
    const char *preview = job->own->preview;
    if (*preview && strcmp(preview, job->output) == 0)
        return zt_fail_field(err, ZT_E_INVALID, "preview",
                             "--preview must name another file than the video's, %s", preview);
    return *preview ? may_write(job, preview, "another with --preview", err) : ZT_OK;
}

/* ---- generating ---------------------------------------------------------------------------- */

static bool must_end(void *user)
{
    const struct job *job = user;

    return zt_stop_asked(job->stop);
}

static int on_progress(void *user, const struct zt_progress *progress)
{
    struct job *job = user;

    zt_term_progress(&job->term, progress);
    return zt_stop_asked(job->stop);
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Only what the engine put there: the folder may have been somebody's before. */
static void forget_kept(const char *folder)
{
    char path[PATH_MAX];

    for (int i = 0; is_folder(folder) && i < KEPT_MAX; i++) {
        if (zt_format(path, sizeof(path), "%s/latent.%02d", folder, i))
            unlink(path);
    }
    rmdir(folder);
}

/*
 * Before an engine with weights begins: something to watch. It is only a preview: what goes wrong
 * with it is said and no more.
 */
static void preview_first(const struct job *job, const struct zt_render *render)
{
    struct zt_err err = { 0 };

    if (strcmp(job->args->config.engine, "motion") == 0 || zt_stop_asked(job->stop))
        return;
    if (zt_preview_first(render, job->own->preview, &err) != ZT_OK && !zt_stop_asked(job->stop))
        fprintf(stderr, "zoetrope: no preview yet: %s\n", err.msg);
}

static enum zt_code generate(struct job *job, struct zt_err *err)
{
    const struct zt_config *config = &job->args->config;
    struct zt_engine_options engine_options = zt_engine_options_of(config);
    const struct zt_request request = {
        .image = &job->image,
        .end_image = job->end_image.pixels ? &job->end_image : NULL,
        .prompt = job->args->word[1],
        .resolution = (enum zt_resolution)job->own->resolution,
        .duration_s = (int)job->own->duration_s,
        .camera_fixed = job->own->camera_fixed,
        .seed = job->seed,
        .scratch_path = job->kept,
    };
    zt_auto(engine) struct zt_engine *engine = NULL;

    engine_options.steps = (int)job->own->steps;
    engine_options.noise_path = job->own->noise;
    ZT_TRY(zt_engine_open(config->engine, &engine_options, &engine, err));
    const struct zt_render render = {
        .engine = engine,
        .request = &request,
        .video_path = job->part,
        .poster_path = *job->own->poster ? job->own->poster : NULL,
        .preset = config->preset,
        .crf = (int)config->crf,
        .threads = (int)config->threads,
        .comment = zt_arena_printf(&job->args->arena, "engine=%s seed=%" PRId64, config->engine,
                                   job->seed),
        .live_path = *job->own->preview ? job->own->preview : NULL,
        .preview_every = (int)config->preview_every,
        .made = &job->made,
        .on_progress = on_progress,
        .must_end = must_end,
        .user = job,
    };
    if (render.live_path != NULL)
        preview_first(job, &render);
    enum zt_code rc = zt_render(&render, &job->plan, err);
    if (render.live_path != NULL) /* before the video: it may be the same file by another name */
        unlink(render.live_path);
    if (rc == ZT_OK)
        rc = zt_file_publish(job->part, job->output, err);
    if (rc == ZT_OK)
        forget_kept(job->kept);
    if (rc != ZT_OK) {
        unlink(job->part);
        if (*job->own->poster)
            unlink(job->own->poster);
    }
    return rc;
}

static enum zt_code make(struct job *job, struct zt_err *err)
{
    ZT_TRY(choose_output(job, err));
    ZT_TRY(read_image(job, job->args->word[0], &job->image, err));
    if (*job->own->end_image)
        ZT_TRY(read_image(job, job->own->end_image, &job->end_image, err));
    return generate(job, err);
}

static int run(struct zt_args *args)
{
    struct job job = { .args = args, .own = args->own };
    struct zt_err err = { 0 };
    struct stat st = { 0 };
    zt_auto(stop) struct zt_stop *stop = zt_stop_new();

    zt_stop_on_signals(stop);
    job.stop = stop;
    job.seed = job.own->seed >= 0 ? job.own->seed : (int64_t)zt_random_below(SEED_END);
    zt_term_init(&job.term);
    enum zt_code rc = make(&job, &err);
    zt_image_clear(&job.image);
    zt_image_clear(&job.end_image);
    zt_term_clear(&job.term);
    if (rc == ZT_OK && stat(job.output, &st) != 0)
        rc = zt_fail(&err, ZT_E_IO, "the finished file is gone");
    if (zt_stop_asked(stop) && rc != ZT_OK) /* whatever the signal interrupted */
        zt_fail(&err, ZT_E_CANCELLED, "stopped; no video was written");
    if (rc != ZT_OK) {
        if (job.kept[0] != '\0' && is_folder(job.kept))
            fprintf(
                stderr,
                "zoetrope: what was computed is kept in %s; the same command with --seed=%" PRId64
                " goes on from it\n",
                job.kept, job.seed);
        return zt_command_failed("generate", &err);
    }
    printf("%s  %dx%d, %d frames, %lld bytes, seed %" PRId64 ", engine %s, ", job.output,
           job.plan.width_px, job.plan.height_px, job.plan.frames, (long long)st.st_size, job.seed,
           args->config.engine);
    if (job.made.passes_reused > 0)
        printf("%d of %d passes reused, ", job.made.passes_reused, job.made.passes);
    printf("%.1f s\n", (double)(zt_now_mono_us() - job.term.began_us) / (double)ZT_SECOND_US);
    return ZT_EXIT_OK;
}

static const char *const resolutions[] = { "480p", "720p", "1080p", NULL };
#define AT(member) offsetof(struct own, member)
/* clang-format off */
static const struct zt_setting rows[] = {
    { .name = "output", .letter = 'o', .kind = ZT_KIND_TEXT, .at = AT(output), .fallback = "",
      .value = "FILE", .help = "the video; default: the image's name with .mp4, in this folder" },
    { .name = "force", .letter = 'f', .kind = ZT_KIND_BOOL, .at = AT(force), .fallback = "false",
      .help = "replace an output file that is there already" },
    { .name = "resolution", .kind = ZT_KIND_WORD, .at = AT(resolution), .fallback = "720p",
      .words = resolutions, .help = "size of the video; the shape follows the image" },
    { .name = "duration", .kind = ZT_KIND_INT, .at = AT(duration_s), .fallback = "5", .min = 2,
      .max = 12, .help = "seconds, 2 to 12" },
    { .name = "seed", .kind = ZT_KIND_INT, .at = AT(seed), .fallback = "-1", .min = -1,
      .max = INT32_MAX, .help = "the same seed gives the same video; -1 draws one" },
    { .name = "camera-fixed", .kind = ZT_KIND_BOOL, .at = AT(camera_fixed), .fallback = "false",
      .help = "keep the camera still, whatever the prompt says" },
    { .name = "end-image", .kind = ZT_KIND_TEXT, .at = AT(end_image), .fallback = "",
      .value = "IMAGE", .help = "a file or URL: what the last frame shows" },
    { .name = "steps", .kind = ZT_KIND_INT, .at = AT(steps), .fallback = "0", .max = 100,
      .help = "of a diffusion model; 0: what its model card says" },
    { .name = "noise", .kind = ZT_KIND_TEXT, .at = AT(noise), .fallback = "", .value = "FILE",
      .help = "starting noise of a diffusion model from a weight file, for comparisons" },
    { .name = "poster", .kind = ZT_KIND_TEXT, .at = AT(poster), .fallback = "", .value = "FILE",
      .help = "also save the first frame, as a JPEG" },
    { .name = "preview", .kind = ZT_KIND_TEXT, .at = AT(preview), .fallback = "", .value = "FILE",
      .help = "an MP4 to watch meanwhile, growing as frames are ready; removed at the end" },
};
/* clang-format on */

const struct zt_command zt_command_generate = {
    .name = "generate",
    .words = "IMAGE PROMPT",
    .summary = "make a video, without a server",
    .about = "IMAGE is a JPEG, PNG or WebP: a file, or an http(s) URL. Shows a progress bar on a\n"
             "terminal, plain lines otherwise, and prints what was made.\n"
             "\nExamples:\n"
             "  zoetrope generate photo.jpg \"slow push in, fog drifts\" -o out.mp4\n"
             "  zoetrope generate day.png \"dusk falls\" --end-image=night.png --duration=10\n",
    .bit = ZT_FOR_GENERATE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 2,
    .max_words = 2,
    .run = run,
};
