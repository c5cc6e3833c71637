/*
 * bench/trace.c - records how real runs go: tests/fixtures/pace has what it prints.
 *
 *     bench_trace PICTURE RUNS
 *
 * A line for each step of progress that a worker hears of: run, milliseconds since the start, per
 * cent, and 1 on the last line of a run. The time is the processor's, with one thread, so that what
 * else the machine does is not in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "measure.h"
#include "zoetrope.h"

#define DURATION_S 10

struct trace {
    struct zt_video *video;
    int run;
    int64_t began_us;
};

static struct zt_err err;

static void must(enum zt_code rc, const char *what)
{
    if (rc == ZT_OK)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, err.msg, err.detail);
    exit(1);
}

static int64_t given_us(void)
{
    return (int64_t)cpu_us();
}

static int on_frame(void *user, const struct zt_frame *frame, int index)
{
    struct trace *t = user;

    (void)index;
    must(zt_video_write(t->video, frame, &err), "frame");
    return 0;
}

static int on_progress(void *user, const struct zt_progress *progress)
{
    struct trace *t = user;
    int64_t now_us = given_us() - t->began_us;

    printf("%d\t%" PRId64 "\t%d\t0\n", t->run, now_us / ZT_MS_US, progress->percent);
    return 0;
}

static void record(struct zt_engine *engine, const struct zt_image *image, const char *path,
                   int run)
{
    const struct zt_request request = { .image = image,
                                        .prompt = "slow push in, light snow, then pan right",
                                        .resolution = ZT_1080P,
                                        .duration_s = DURATION_S,
                                        .seed = run };
    struct trace t = { .run = run, .began_us = given_us() };
    const struct zt_sink sink = { .on_frame = on_frame, .on_progress = on_progress, .user = &t };
    struct zt_plan plan;

    must(zt_engine_plan(engine, &request, &plan, &err), "plan");
    const struct zt_video_options options = { .width_px = plan.width_px,
                                              .height_px = plan.height_px,
                                              .fps = plan.fps,
                                              .pixels = plan.pixels,
                                              .threads = 1,
                                              .smooth = plan.smooth };
    must(zt_video_open(path, &options, &t.video, &err), "video");
    must(zt_generate(engine, &request, &sink, &err), "generate");
    must(zt_video_finish(t.video, &err), "finish");
    zt_video_close(t.video);
    printf("%d\t%" PRId64 "\t100\t1\n", run, (given_us() - t.began_us) / ZT_MS_US);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct zt_engine_options options = { .threads = 1 };
    char folder[] = "/tmp/zt-trace-XXXXXX";
    char path[64];
    int64_t runs = 0;
    struct zt_buf bytes;
    struct zt_image image = { 0 };
    struct zt_engine *engine = NULL;

    if (argc != 3 || !zt_parse_int(argv[2], 1, 100, &runs)) {
        fprintf(stderr, "usage: bench_trace PICTURE RUNS\n");
        return 2;
    }
    if (mkdtemp(folder) == NULL)
        return 1;
    zt_format(path, sizeof(path), "%s/a.mp4", folder);
    zt_buf_init(&bytes, (size_t)10 << 20);
    must(zt_file_read(argv[1], &bytes, &err), "picture");
    must(zt_image_decode(bytes.data, bytes.n, NULL, &image, &err), "picture");
    must(zt_engine_open("motion", &options, &engine, &err), "engine");
    for (int i = 1; i <= runs; i++)
        record(engine, &image, path, i);
    zt_engine_close(engine);
    zt_image_clear(&image);
    zt_buf_clear(&bytes);
    zt_remove_tree(folder, NULL);
    return 0;
}
