/* The fragmented copy: whole boxes before the video is done, and the same samples after. */
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "media/frame.h"
#include "mp4_boxes.h"

#define SIDE       96
#define FPS        24
#define FRAMES     150
#define PATH_BYTES 256

static char folder[] = "/tmp/zt_live_XXXXXX";
static char video_path[PATH_BYTES], live_path[PATH_BYTES], part_path[PATH_BYTES];

static struct zt_video_options options = { .width_px = SIDE,
                                           .height_px = SIDE,
                                           .fps = FPS,
                                           .pixels = ZT_PIXELS_RGB24,
                                           .threads = 1,
                                           .comment = "engine=wan seed=7" };

static struct zt_video *open_video(void)
{
    struct zt_video *video = NULL;

    CHECK_INT("open", zt_video_open(video_path, &options, &video, NULL), ZT_OK);
    return video;
}

/* Noise, so that packets have some size. */
static void write_frames(struct zt_video *video, int from, int to)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    const struct zt_frame frame = { .format = ZT_PIXELS_RGB24,
                                    .width_px = SIDE,
                                    .height_px = SIDE,
                                    .plane = { pixels },
                                    .stride = { (size_t)SIDE * 3 } };

    for (int t = from; t < to; t++) {
        for (size_t i = 0; i < sizeof(pixels); i++)
            pixels[i] = (uint8_t)((i * i + (size_t)t * 37 * i) >> 5);
        CHECK_INT("write", zt_video_write(video, &frame, NULL), ZT_OK);
    }
}

static void can_be_read_while_it_grows(void)
{
    static const char begin[] = "ftyp moov moof mdat moof mdat ";
    char order[400];
    size_t end = 0;
    int seen = 0;

    struct zt_video *video = open_video();
    CHECK_INT("nothing yet", zt_video_live(video), 0);
    CHECK("no file without a fragment", access(live_path, F_OK) != 0);
    for (int t = 0; t < FRAMES; t++) {
        write_frames(video, t, t + 1);
        int now = zt_video_live(video);
        CHECK("one at a time", now == seen || now == seen + 1);
        if (now == seen)
            continue;
        seen = now;
        struct zt_buf file = load(live_path);
        mp4_boxes(&file, order, sizeof(order), &end);
        CHECK_INT("boxes", strlen(order) / 5, 2 + 2 * seen);
        CHECK_INT("all of them whole", end, file.n);
        zt_buf_clear(&file);
    }
    CHECK("a fragment a second", seen >= (FRAMES - 60) / FPS && seen <= FRAMES / FPS);
    CHECK_HAS("order", order, begin);
    CHECK_INT("finish", zt_video_finish(video, NULL), ZT_OK);
    CHECK_INT("fragments", zt_video_live(video), (FRAMES + FPS - 1) / FPS);
    zt_video_close(video);
    CHECK_INT("stays", access(live_path, F_OK), 0);
}

static AVFormatContext *open_file(const char *path)
{
    AVFormatContext *file = NULL;

    CHECK_INT("open", avformat_open_input(&file, path, NULL, NULL), 0);
    return file;
}

/* After the test above. */
static void has_the_same_samples(void)
{
    AVFormatContext *a = open_file(video_path), *b = open_file(live_path);
    AVPacket *p = av_packet_alloc(), *q = av_packet_alloc();
    int n = 0;

    CHECK("info", avformat_find_stream_info(b, NULL) >= 0);
    CHECK_INT("time base", b->streams[0]->time_base.den, a->streams[0]->time_base.den);
    CHECK_INT("rate", b->streams[0]->avg_frame_rate.num, FPS);
    const AVDictionaryEntry *e = av_dict_get(b->metadata, "comment", NULL, 0);
    CHECK_STR("comment", e ? e->value : NULL, "engine=wan seed=7");
    avformat_close_input(&b); /* looking has read on */
    b = open_file(live_path);
    while (av_read_frame(a, p) >= 0) {
        CHECK_INT("there", av_read_frame(b, q), 0);
        CHECK_INT("size", q->size, p->size);
        CHECK("bytes", q->size == p->size && memcmp(q->data, p->data, (size_t)p->size) == 0);
        CHECK_INT("shown at", q->pts, p->pts);
        CHECK_INT("key", q->flags & AV_PKT_FLAG_KEY, p->flags & AV_PKT_FLAG_KEY);
        av_packet_unref(p);
        av_packet_unref(q);
        n++;
    }
    CHECK_INT("samples", n, FRAMES);
    CHECK("no more", av_read_frame(b, q) < 0);
    av_packet_free(&p);
    av_packet_free(&q);
    avformat_close_input(&a);
    avformat_close_input(&b);
}

static struct zt_buf make(const char *live, int frames)
{
    options.live_path = live;
    struct zt_video *video = open_video();
    write_frames(video, 0, frames);
    CHECK_INT("finish", zt_video_finish(video, NULL), ZT_OK);
    zt_video_close(video);
    options.live_path = live_path;
    return load(video_path);
}

static void same(const char *label, struct zt_buf *a, struct zt_buf b)
{
    CHECK(label, a->n == b.n && memcmp(a->data, b.data, a->n) == 0);
    zt_buf_clear(&b);
}

static void never_touches_the_video(void)
{
    char none[PATH_BYTES + 16], link[PATH_BYTES + 16];
    struct zt_buf want = make(NULL, FRAMES);

    same("beside it", &want, make(live_path, FRAMES));
    snprintf(none, sizeof(none), "%s/none/live.mp4", folder);
    same("no folder", &want, make(none, FRAMES));
    snprintf(link, sizeof(link), "%s/full.mp4", folder);
    snprintf(none, sizeof(none), "%s/full.mp4.part", folder);
    if (access("/dev/full", W_OK) == 0 && symlink("/dev/full", none) == 0) {
        same("full", &want, make(link, FRAMES));
        CHECK("nothing to see", access(link, F_OK) != 0);
    }
#ifdef ZT_FAULTS
    setenv("ZOETROPE_FAULT", "live_write:60", 1);
    same("cut short", &want, make(live_path, FRAMES));
    unsetenv("ZOETROPE_FAULT");
    struct zt_buf live = load(live_path);
    char order[400];
    size_t end = 0;
    mp4_boxes(&live, order, sizeof(order), &end);
    CHECK_STR("what was there", order, "ftyp moov moof mdat moof mdat ");
    zt_buf_clear(&live);
#endif
    zt_buf_clear(&want);
    CHECK("no part", access(part_path, F_OK) != 0);
}

static void replaces_only_when_there_is_something(void)
{
    CHECK_INT("before", zt_file_write(live_path, "old", 3, 0600, NULL), ZT_OK);
    struct zt_video *video = open_video();
    write_frames(video, 0, 5);
    struct zt_buf file = load(live_path);
    CHECK_INT("still the old one", file.n, 3);
    zt_buf_clear(&file);
    zt_video_close(video);
    file = load(live_path);
    CHECK_INT("still the old one", file.n, 3);
    zt_buf_clear(&file);
    CHECK("no part", access(part_path, F_OK) != 0);

    file = make(live_path, 5); /* less than a fragment: all in the last one */
    zt_buf_clear(&file);
    file = load(live_path);
    CHECK("replaced", file.n > 3);
    zt_buf_clear(&file);
}

int main(void)
{
    CHECK("folder", mkdtemp(folder) != NULL);
    snprintf(video_path, sizeof(video_path), "%s/video.mp4", folder);
    snprintf(live_path, sizeof(live_path), "%s/live.mp4", folder);
    snprintf(part_path, sizeof(part_path), "%s/live.mp4.part", folder);
    options.live_path = live_path;
    RUN(can_be_read_while_it_grows);
    RUN(has_the_same_samples);
    RUN(never_touches_the_video);
    RUN(replaces_only_when_there_is_something);
    zt_remove_tree(folder, NULL);
    return check_done();
}
