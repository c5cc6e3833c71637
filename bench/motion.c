/*
 * bench/motion.c - what the motion engine takes, beside the encoder alone and beside zoompan.
 *
 *     bench_motion [PICTURE [PROMPT]]     ZOETROPE_BENCH_PRESET=NAME for another x264 preset
 *
 * For each resolution, 5 seconds of a push-in with parallax: (1) the whole pipeline, picture to
 * MP4; (2) the engine alone, its frames dropped; (3) the encoder alone, given those same frames
 * from memory; (4) x264 alone at the same preset and rate factor, not told that motion is smooth
 * (bench/encode tells what that gives); (5) ffmpeg's zoompan on a four times enlarged input, its
 * usual recipe against jitter, at that preset, if there is an ffmpeg. Each is its own process, so
 * that peak memory is its own; (1) to (4) take turns for ROUNDS rounds, and the best is printed.
 * Two ratios of (1) to (4) and to (3), medians of the rounds': of time, and of the processors' time
 * over all threads; then that time of the engine alone, and as far as its first frame (a few are
 * drawn by then). Then what each kind of weather adds to a 1080p frame. Last the goals of a 720p
 * clip; the exit status says whether one is missed by more than three times.
 *
 * Without PICTURE a synthetic one of 2400 x 1600 is made: fractal noise with a few things before
 * it, as hard to encode as a detailed photograph.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "clip.h"
#include "measure.h"

#define SECONDS CLIP_SECONDS
#define ROUNDS  5
#define PRESET  "veryfast" /* what zt_video_open takes by itself */
#define CRF     18

struct job {
    struct zt_image image;
    const char *prompt, *folder, *preset;
    enum zt_resolution resolution;
    struct zt_plan plan;
};

/* What a child process reports. */
struct outcome {
    bool ok;
    double seconds;
    double first_s; /* until the first frame */
    double cpu_s;   /* all threads' */
    double ready_s; /* of them until the first frame */
    long peak_kib;
};

/* ---- the picture --------------------------------------------------------------------------- */

static double lattice(int x, int y)
{
    uint32_t h = (uint32_t)x * 2654435761U ^ (uint32_t)y * 2246822519U;

    h = (h ^ h >> 15) * 2654435761U;
    return (double)(h >> 8) / (1 << 24);
}

static double noise(double x, double y)
{
    int ix = (int)floor(x), iy = (int)floor(y);
    double fx = x - ix, fy = y - iy;

    fx = fx * fx * (3 - 2 * fx);
    fy = fy * fy * (3 - 2 * fy);
    double top = lattice(ix, iy) + fx * (lattice(ix + 1, iy) - lattice(ix, iy));
    double bottom = lattice(ix, iy + 1) + fx * (lattice(ix + 1, iy + 1) - lattice(ix, iy + 1));
    return top + fy * (bottom - top);
}

static void paint_rows(void *user, int first, int end)
{
    struct zt_image *image = user;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < image->width_px; x++) {
            double v = 0, size = 0.5, cell = 400;
            for (int octave = 0; octave < 9; octave++, size *= 0.6, cell /= 2)
                v += size * (noise(x / cell, y / cell) - 0.5);
            double thing = hypot(x - 0.45 * image->width_px, y - 0.62 * image->height_px);
            bool near = thing < 0.18 * image->width_px;
            uint8_t *p = image->pixels + (size_t)y * image->stride + (size_t)x * 3;
            double sky = 1 - (double)y / image->height_px;
            p[0] = (uint8_t)fmin(255, fmax(0, (near ? 170 : 90 + 60 * sky) + 120 * v));
            p[1] = (uint8_t)fmin(255, fmax(0, (near ? 90 : 110 + 70 * sky) + 120 * v));
            p[2] = (uint8_t)fmin(255, fmax(0, (near ? 50 : 90 + 130 * sky) + 110 * v));
        }
    }
}

static void paint(struct zt_image *image)
{
    struct zt_pool *pool = zt_pool_new(0);

    *image = (struct zt_image){ .width_px = 2400, .height_px = 1600, .stride = 7200 };
    image->pixels = malloc(image->stride * (size_t)image->height_px);
    zt_assert(image->pixels != NULL);
    zt_pool_for(pool, image->height_px, 16, paint_rows, image);
    zt_pool_free(pool);
}

/* ---- what is measured ---------------------------------------------------------------------- */

struct taker {
    struct zt_video *video; /* NULL: frames are dropped */
    int64_t first_us;
    double first_cpu_s;
};

static int take(void *user, const struct zt_frame *f, int index)
{
    struct taker *t = user;

    if (index == 0) {
        t->first_us = zt_now_mono_us();
        t->first_cpu_s = cpu_us() / 1e6;
    }
    return t->video != NULL && zt_video_write(t->video, f, NULL) != ZT_OK;
}

static struct zt_video *open_video(const struct job *job)
{
    struct zt_video_options options = { .width_px = job->plan.width_px,
                                        .height_px = job->plan.height_px,
                                        .fps = job->plan.fps,
                                        .pixels = job->plan.pixels,
                                        .preset = job->preset,
                                        .crf = CRF,
                                        .smooth = job->plan.smooth };
    struct zt_video *video = NULL;
    struct zt_err err = { 0 };
    char path[512];

    snprintf(path, sizeof(path), "%s/out.mp4", job->folder);
    if (zt_video_open(path, &options, &video, &err) != ZT_OK) {
        fprintf(stderr, "bench_motion: %s\n", err.msg);
        _exit(1);
    }
    return video;
}

static struct zt_request request_of(const struct job *job)
{
    return (struct zt_request){ .image = &job->image,
                                .prompt = job->prompt,
                                .resolution = job->resolution,
                                .duration_s = SECONDS,
                                .seed = 1 };
}

static bool run_engine(const struct job *job, struct taker *taker)
{
    struct zt_engine *engine = NULL;
    const struct zt_request request = request_of(job);
    struct zt_sink sink = { .on_frame = take, .user = taker };
    struct zt_err err = { 0 };

    enum zt_code rc = zt_engine_open("motion", NULL, &engine, &err);
    if (rc == ZT_OK)
        rc = zt_generate(engine, &request, &sink, &err);
    if (rc != ZT_OK)
        fprintf(stderr, "bench_motion: %s\n", err.msg);
    zt_engine_close(engine);
    return rc == ZT_OK;
}

static void pipeline(const struct job *job, struct outcome *o)
{
    int64_t start = zt_now_mono_us();
    double cpu = cpu_us() / 1e6;
    struct taker taker = { .video = open_video(job) };

    o->ok = run_engine(job, &taker) && zt_video_finish(taker.video, NULL) == ZT_OK;
    o->seconds = (double)(zt_now_mono_us() - start) / 1e6;
    o->first_s = (double)(taker.first_us - start) / 1e6;
    o->cpu_s = cpu_us() / 1e6 - cpu;
    zt_video_close(taker.video);
}

static void engine_alone(const struct job *job, struct outcome *o)
{
    int64_t start = zt_now_mono_us();
    double cpu = cpu_us() / 1e6;
    struct taker taker = { 0 };

    o->ok = run_engine(job, &taker);
    o->ready_s = taker.first_cpu_s - cpu;
    o->seconds = (double)(zt_now_mono_us() - start) / 1e6;
    o->first_s = (double)(taker.first_us - start) / 1e6;
    o->cpu_s = cpu_us() / 1e6 - cpu;
}

static void encode(const struct job *job, bool smooth, struct outcome *o)
{
    const struct zt_request request = request_of(job);
    struct clip clip = { 0 };
    char path[512];

    snprintf(path, sizeof(path), "%s/out.mp4", job->folder);
    clip_make(&clip, &request);
    int64_t start = zt_now_mono_us();
    double cpu = cpu_us() / 1e6;
    o->ok = clip_encode(&clip, path, job->preset, CRF, smooth);
    o->seconds = (double)(zt_now_mono_us() - start) / 1e6;
    o->cpu_s = cpu_us() / 1e6 - cpu;
    free(clip.frames);
}

static void preset_alone(const struct job *job, struct outcome *o)
{
    encode(job, false, o);
}

static void encoder_alone(const struct job *job, struct outcome *o)
{
    encode(job, job->plan.smooth, o);
}

/* The picture as PPM, then ffmpeg: crop to shape, enlarge four times, zoom, encode. */
static void zoompan(const struct job *job, struct outcome *o)
{
    char path[512], command[2048];
    int w = job->plan.width_px, h = job->plan.height_px;

    snprintf(path, sizeof(path), "%s/in.ppm", job->folder);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return;
    fprintf(f, "P6 %d %d 255\n", job->image.width_px, job->image.height_px);
    for (int y = 0; y < job->image.height_px; y++)
        fwrite(job->image.pixels + (size_t)y * job->image.stride, 3, (size_t)job->image.width_px,
               f);
    fclose(f);
    snprintf(command, sizeof(command),
             "ffmpeg -v error -y -i '%s' -vf \"scale=%d:%d:force_original_aspect_ratio=increase,"
             "crop=%d:%d,zoompan=z='1+0.2*on/%d':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)'"
             ":d=%d:s=%dx%d:fps=%d\" -frames:v %d -c:v libx264 -preset %s -crf %d -pix_fmt yuv420p "
             "-movflags +faststart '%s/zoompan.mp4' 2>/dev/null",
             path, 4 * w, 4 * h, 4 * w, 4 * h, job->plan.frames, job->plan.frames, w, h,
             job->plan.fps, job->plan.frames, job->preset, CRF, job->folder);
    int64_t start = zt_now_mono_us();
    o->ok = system(command) == 0; /* NOLINT: a bench, and every part of the command is ours */
    o->seconds = (double)(zt_now_mono_us() - start) / 1e6;
}

/* ---- running and printing ------------------------------------------------------------------ */

typedef void measure_fn(const struct job *job, struct outcome *o);

static struct outcome in_child(measure_fn *measure, const struct job *job)
{
    struct outcome o = { 0 };
    int ends[2];

    if (pipe(ends) != 0)
        return o;
    pid_t pid = fork();
    if (pid == 0) {
        measure(job, &o);
        _exit(write(ends[1], &o, sizeof(o)) == (ssize_t)sizeof(o) ? 0 : 1);
    }
    close(ends[1]);
    bool told = pid > 0 && read(ends[0], &o, sizeof(o)) == (ssize_t)sizeof(o);
    close(ends[0]);
    struct rusage usage = { 0 };
    if (pid > 0)
        wait4(pid, NULL, 0, &usage);
    o.ok = o.ok && told;
    o.peak_kib = usage.ru_maxrss;
    return o;
}

static struct outcome best_of(measure_fn *measure, const struct job *job, int rounds)
{
    struct outcome best = { 0 };

    for (int i = 0; i < rounds; i++) {
        struct outcome o = in_child(measure, job);
        if (o.ok && (!best.ok || o.seconds < best.seconds))
            best = o;
    }
    return best;
}

static void plan(struct job *job)
{
    const struct zt_request request = request_of(job);
    struct zt_engine *engine = NULL;
    struct zt_err err = { 0 };

    if (zt_engine_open("motion", NULL, &engine, &err) != ZT_OK ||
        zt_engine_plan(engine, &request, &job->plan, &err) != ZT_OK) {
        fprintf(stderr, "bench_motion: %s\n", err.msg);
        exit(1);
    }
    zt_engine_close(engine);
}

/* What is compared, in turn in each round, so that all see the same machine. */
enum { ALL, ENGINE, ENCODER, PRESET_ALONE, PARTS };

struct rounds {
    struct outcome of[PARTS][ROUNDS], best[PARTS];
};

static void run_rounds(const struct job *job, struct rounds *r)
{
    static measure_fn *const part[PARTS] = { pipeline, engine_alone, encoder_alone, preset_alone };

    *r = (struct rounds){ 0 };
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < PARTS; k++) {
            struct outcome *o = &r->of[k][i];
            *o = in_child(part[k], job);
            if (!o->ok) {
                fprintf(stderr, "bench_motion: a run failed\n");
                exit(1);
            }
            if (i == 0 || o->seconds < r->best[k].seconds)
                r->best[k] = *o;
        }
    }
}

/* The medians of the whole's ratios to a part, of time and of the processors' time. */
static void find_ratios(const struct rounds *r, int part, double *ret_time, double *ret_cpu)
{
    double seconds[ROUNDS], cpu[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        seconds[i] = r->of[ALL][i].seconds / r->of[part][i].seconds;
        cpu[i] = r->of[ALL][i].cpu_s / r->of[part][i].cpu_s;
    }
    *ret_time = median(seconds, ROUNDS);
    *ret_cpu = median(cpu, ROUNDS);
}

static struct outcome measure(struct job *job, const char *name)
{
    struct rounds r;
    double preset[2], encoder[2];

    plan(job);
    run_rounds(job, &r);
    struct outcome peer = best_of(zoompan, job, 1);
    const struct outcome *all = &r.best[ALL], *engine = &r.best[ENGINE];
    find_ratios(&r, PRESET_ALONE, &preset[0], &preset[1]);
    find_ratios(&r, ENCODER, &encoder[0], &encoder[1]);
    printf("%-5s %4dx%-4d  %5.2f s  %5.2f s  %5.2f s  %5.2f s   %5.2f  %5.2f   %5.2f  %5.2f   "
           "%5.2f s, %5.2f s   ",
           name, job->plan.width_px, job->plan.height_px, all->seconds, engine->seconds,
           r.best[ENCODER].seconds, r.best[PRESET_ALONE].seconds, preset[0], preset[1], encoder[0],
           encoder[1], engine->cpu_s, engine->ready_s);
    if (peer.ok)
        printf("%6.2f s  ", peer.seconds);
    else
        printf("       -  ");
    printf("%5.2f s  %4ld MiB\n", all->first_s, all->peak_kib / 1024);
    fflush(stdout);
    return *all;
}

/* What weather adds to a frame of a camera that stands still. */
static void measure_weather(struct job job)
{
    static const char *const kinds[] = { "rain",   "snow",     "fog",         "dust",
                                         "embers", "sun rays", "night falls", "candle light" };
    char prompt[64];

    job.resolution = ZT_1080P;
    job.prompt = "the camera is still";
    plan(&job);
    struct outcome bare = best_of(engine_alone, &job, 2);
    printf("\nweather at %dx%d, processor time a frame:", job.plan.width_px, job.plan.height_px);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(prompt, sizeof(prompt), "the camera is still, %s", kinds[i]);
        job.prompt = prompt;
        struct outcome o = best_of(engine_alone, &job, 2);
        printf("%s %s %.1f ms", i > 0 ? "," : "", kinds[i],
               (o.cpu_s - bare.cpu_s) * 1e3 / job.plan.frames);
        fflush(stdout);
    }
    printf("\n");
}

static bool goal(const char *what, double is, double wanted, const char *unit)
{
    printf("%s %.2f of %.2f %s: %s\n", what, is, wanted, unit, is <= wanted ? "reached" : "missed");
    return is <= 3 * wanted;
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "480p", "720p", "1080p" };
    char folder[] = "/tmp/bench-motion-XXXXXX";
    struct job job = { .prompt = argc > 2 ? argv[2] : "the camera pushes in", .folder = folder };
    struct outcome clip = { 0 };

    job.preset = getenv("ZOETROPE_BENCH_PRESET");
    if (job.preset == NULL)
        job.preset = PRESET;
    if (mkdtemp(folder) == NULL) {
        perror("bench_motion: /tmp");
        return 1;
    }
    if (argc > 1)
        load_picture(argv[1], &job.image);
    else
        paint(&job.image);
    printf("%d s from a picture of %d x %d: \"%s\"; x264 %s, crf %d; %d cores\n", SECONDS,
           job.image.width_px, job.image.height_px, job.prompt, job.preset, CRF, zt_cores());
    printf("                                encoder    preset  whole / preset  whole / encoder   "
           "engine, cpu\n");
    printf(
        "                 whole   engine   alone     alone    time    cpu    time    cpu    all, "
        "to first  zoompan   first     peak\n");
    for (int r = ZT_480P; r <= ZT_1080P; r++) {
        job.resolution = (enum zt_resolution)r;
        struct outcome o = measure(&job, names[r]);
        if (r == ZT_720P)
            clip = o;
    }
    measure_weather(job);
    printf("\n5 s at 720p:\n");
    bool fair = goal("  whole", clip.seconds, 3, "s");
    fair = goal("  first frame", clip.first_s, 0.3, "s") && fair;
    fair = goal("  memory", (double)clip.peak_kib / 1024, 200, "MiB") && fair;
    zt_image_clear(&job.image);
    return zt_remove_tree(folder, NULL) == ZT_OK && fair ? 0 : 1;
}
