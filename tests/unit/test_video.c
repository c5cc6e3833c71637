/* What we write, read back with libavformat: pictures, times, colour tags, metadata, layout. */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "check.h"
#include "media/frame.h"
#include "mp4_boxes.h"

#define WIDTH  320
#define HEIGHT 192
#define FRAMES 60

static char folder[] = "/tmp/zt_video_XXXXXX";

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* A smooth picture that moves. */
static void paint(struct zt_frame_buf *rgb, int t)
{
    for (int y = 0; y < rgb->view.height_px; y++) {
        uint8_t *p = rgb->plane[0] + (size_t)y * rgb->view.stride[0];
        for (int x = 0; x < rgb->view.width_px; x++, p += 3) {
            p[0] = (uint8_t)(128 + 90 * sin((x + 2 * t) / 40.0));
            p[1] = (uint8_t)(128 + 90 * sin((y + t) / 30.0));
            p[2] = (uint8_t)(128 + 90 * sin((x + y - t) / 50.0));
        }
    }
}

static const struct zt_video_options plain = { .width_px = WIDTH,
                                               .height_px = HEIGHT,
                                               .fps = 24,
                                               .pixels = ZT_PIXELS_RGB24,
                                               .threads = 2,
                                               .title = "A title",
                                               .comment = "engine=motion seed=7 \xE5\x9B\xBE" };

/* Writes FRAMES frames; the code of the first call that failed. */
static enum zt_code write_video(const char *path, const struct zt_video_options *options,
                                struct zt_err *err)
{
    struct zt_frame_buf rgb;
    struct zt_frame_buf frame;
    struct zt_video *video = NULL;

    enum zt_code rc = zt_video_open(path, options, &video, err);
    CHECK_INT("rgb", zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, WIDTH, HEIGHT, NULL), ZT_OK);
    CHECK_INT("frame", zt_frame_buf_init(&frame, options->pixels, WIDTH, HEIGHT, NULL), ZT_OK);
    for (int t = 0; rc == ZT_OK && t < FRAMES; t++) {
        paint(&rgb, t);
        zt_frame_convert(&rgb.view, &frame, NULL);
        rc = zt_video_write(video, &frame.view, err);
    }
    if (rc == ZT_OK)
        rc = zt_video_finish(video, err);
    zt_video_close(video);
    zt_frame_buf_clear(&rgb);
    zt_frame_buf_clear(&frame);
    return rc;
}

static double square_error(const struct zt_frame *a, const AVFrame *b)
{
    double sum = 0;

    for (int i = 0; i < 3; i++) {
        int w = i ? WIDTH / 2 : WIDTH;
        int h = i ? HEIGHT / 2 : HEIGHT;
        double plane = 0;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                double d = a->plane[i][(size_t)y * a->stride[i] + (size_t)x] -
                           b->data[i][(ptrdiff_t)y * b->linesize[i] + x];
                plane += d * d;
            }
        }
        plane /= (double)w * h;
        sum = plane > sum ? plane : sum; /* the worst plane counts */
    }
    return sum;
}

typedef void take_fn(void *user, const AVFrame *got, int t);

static void check_frame(void *user, const AVFrame *got, int t)
{
    struct zt_frame_buf rgb;
    struct zt_frame_buf want;

    CHECK_INT("rgb", zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, WIDTH, HEIGHT, NULL), ZT_OK);
    CHECK_INT("yuv", zt_frame_buf_init(&want, ZT_PIXELS_YUV420, WIDTH, HEIGHT, NULL), ZT_OK);
    (void)user;
    paint(&rgb, t);
    zt_frame_convert(&rgb.view, &want, NULL);
    CHECK_BELOW("error (35 dB)", square_error(&want.view, got), 255 * 255 / pow(10, 3.5));
    CHECK_INT("range", got->color_range, AVCOL_RANGE_MPEG);
    CHECK_INT("matrix", got->colorspace, AVCOL_SPC_BT709);
    CHECK_INT("primaries", got->color_primaries, AVCOL_PRI_BT709);
    CHECK_INT("transfer", got->color_trc, AVCOL_TRC_BT709);
    CHECK_INT("chroma", got->chroma_location, AVCHROMA_LOC_LEFT);
    CHECK_INT("time", got->best_effort_timestamp, 512 * t);
    if (t % 48 == 0)
        CHECK_INT("key frame", got->key_frame, 1);
    zt_frame_buf_clear(&rgb);
    zt_frame_buf_clear(&want);
}

static void check_metadata(const AVFormatContext *file)
{
    static const char *const rows[][2] = {
        { "title", "A title" },
        { "comment", "engine=motion seed=7 \xE5\x9B\xBE" },
        { "description", "zoetrope " ZT_VERSION ": engine=motion seed=7 \xE5\x9B\xBE" },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        const AVDictionaryEntry *e = av_dict_get(file->metadata, rows[i][0], NULL, 0);
        CHECK_STR(rows[i][0], e ? e->value : NULL, rows[i][1]);
    }
    CHECK("no time of creation", av_dict_get(file->metadata, "creation_time", NULL, 0) == NULL);
}

static void check_stream(const AVStream *stream)
{
    const AVCodecParameters *p = stream->codecpar;

    CHECK_INT("codec", p->codec_id, AV_CODEC_ID_H264);
    CHECK_INT("profile", p->profile, FF_PROFILE_H264_HIGH);
    CHECK_INT("width", p->width, WIDTH);
    CHECK_INT("height", p->height, HEIGHT);
    CHECK_INT("frames", stream->nb_frames, FRAMES);
    CHECK_INT("rate", stream->avg_frame_rate.num, 24);
    CHECK_INT("rate", stream->avg_frame_rate.den, 1);
    CHECK_INT("ticks", stream->time_base.den, 24 * 512);
    CHECK_INT("start", stream->start_time, 0);
    CHECK_INT("duration", stream->duration, FRAMES * 512);
}

static int decode_all(AVFormatContext *file, take_fn *take, void *user)
{
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int count = 0;
    bool more = true;

    avcodec_parameters_to_context(decoder, file->streams[0]->codecpar);
    CHECK_INT("decoder", avcodec_open2(decoder, NULL, NULL), 0);
    while (more) {
        more = av_read_frame(file, packet) >= 0;
        CHECK("sent", avcodec_send_packet(decoder, more ? packet : NULL) >= 0);
        av_packet_unref(packet);
        while (avcodec_receive_frame(decoder, frame) >= 0)
            take(user, frame, count++);
    }
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&decoder);
    return count;
}

static void can_be_read_back(void)
{
    static const enum zt_pixels formats[] = { ZT_PIXELS_RGB24, ZT_PIXELS_YUV420 };

    for (size_t i = 0; i < ZT_COUNT(formats); i++) {
        const char *path = path_of("a:b.mp4"); /* a colon is no protocol */
        struct zt_video_options options = plain;
        struct zt_err err = { 0 };
        AVFormatContext *file = NULL;
        char url[300];
        options.pixels = formats[i];
        CHECK_INT("write", write_video(path, &options, &err), ZT_OK);
        CHECK_STR("write", err.msg, "");
        snprintf(url, sizeof(url), "file:%s", path);
        CHECK_INT("open", avformat_open_input(&file, url, NULL, NULL), 0);
        if (file == NULL)
            continue;
        CHECK("info", avformat_find_stream_info(file, NULL) >= 0);
        CHECK_INT("streams", file->nb_streams, 1);
        check_stream(file->streams[0]);
        check_metadata(file);
        CHECK_INT("decoded", decode_all(file, check_frame, NULL), FRAMES);
        avformat_close_input(&file);
        unlink(path);
    }
}

static bool contains(const struct zt_buf *buf, const char *bytes, size_t n)
{
    for (size_t i = 0; i + n <= buf->n; i++)
        if (memcmp(buf->data + i, bytes, n) == 0)
            return true;
    return false;
}

/* ftyp, moov, then mdat; BT.709 in the colr box; nothing that differs from run to run. */
static void begins_with_the_index(void)
{
    char order[64];
    size_t end = 0;
    const char *path = path_of("boxes.mp4");

    CHECK_INT("write", write_video(path, &plain, NULL), ZT_OK);
    struct zt_buf file = load(path);
    mp4_boxes(&file, order, sizeof(order), &end);
    CHECK_INT("all of them whole", end, file.n);
    CHECK("moov before mdat", strstr(order, "moov") != NULL && strstr(order, "mdat") != NULL &&
                                  strstr(order, "moov") < strstr(order, "mdat"));
    CHECK("colr", contains(&file, "colrnclx\0\1\0\1\0\1\0", 15));
    CHECK("no name of a library", !contains(&file, "Lavf", 4) && !contains(&file, "x264", 4));
    zt_buf_clear(&file);
    unlink(path);
}

static void gives_the_same_bytes_again(void)
{
    char first[256];

    snprintf(first, sizeof(first), "%s", path_of("first.mp4"));
    CHECK_INT("first", write_video(first, &plain, NULL), ZT_OK);
    struct zt_buf a = load(first);
    for (int i = 0; i < 3; i++) {
        CHECK_INT("again", write_video(path_of("again.mp4"), &plain, NULL), ZT_OK);
        struct zt_buf b = load(path_of("again.mp4"));
        CHECK_INT("size", b.n, a.n);
        CHECK("bytes", a.n == b.n && memcmp(a.data, b.data, a.n) == 0);
        zt_buf_clear(&b);
    }
    zt_buf_clear(&a);
    unlink(first);
    unlink(path_of("again.mp4"));
}

/* ---- smooth motion ------------------------------------------------------------------------- */

/* A slow zoom: FRAMES luma planes, one after the other, of waves of many lengths and directions. */
static void paint_zoom(uint8_t *luma)
{
    static const float turn = 2.39996F; /* no two directions alike */

    for (int t = 0; t < FRAMES; t++) {
        float scale = 1 - 0.001F * (float)t;
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                float u = scale * (float)(x - WIDTH / 2), v = scale * (float)(y - HEIGHT / 2);
                float sum = 128;
                for (int i = 0; i < 12; i++) {
                    float k = 0.05F * powf(1.3F, (float)i);
                    sum += 12 * sinf(k * (u * cosf(turn * (float)i) + v * sinf(turn * (float)i)) +
                                     (float)(i * i));
                }
                *luma++ = (uint8_t)fminf(235, fmaxf(16, sum));
            }
        }
    }
}

struct difference {
    const uint8_t *luma;
    double sum;
    int keys; /* key frames */
};

static void add_difference(void *user, const AVFrame *got, int t)
{
    struct difference *d = user;
    const uint8_t *want = d->luma + (size_t)t * WIDTH * HEIGHT;

    d->keys += got->key_frame != 0;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double e = want[y * WIDTH + x] - got->data[0][(ptrdiff_t)y * got->linesize[0] + x];
            d->sum += e * e;
        }
    }
}

/* How many bytes the zoom takes; its mean square error. */
static size_t encode_zoom(const uint8_t *luma, bool smooth, double *ret_error)
{
    static uint8_t grey[WIDTH * HEIGHT / 4];
    struct zt_video_options options = plain;
    struct difference difference = { .luma = luma };
    struct zt_video *video = NULL;
    AVFormatContext *file = NULL;
    const char *path = path_of("zoom.mp4");

    memset(grey, 128, sizeof(grey));
    options.pixels = ZT_PIXELS_YUV420;
    options.smooth = smooth;
    CHECK_INT("open", zt_video_open(path, &options, &video, NULL), ZT_OK);
    for (int t = 0; t < FRAMES; t++) {
        const struct zt_frame frame = { .format = ZT_PIXELS_YUV420,
                                        .width_px = WIDTH,
                                        .height_px = HEIGHT,
                                        .plane = { luma + (size_t)t * WIDTH * HEIGHT, grey, grey },
                                        .stride = { WIDTH, WIDTH / 2, WIDTH / 2 } };
        CHECK_INT("write", zt_video_write(video, &frame, NULL), ZT_OK);
    }
    CHECK_INT("finish", zt_video_finish(video, NULL), ZT_OK);
    zt_video_close(video);
    CHECK_INT("open", avformat_open_input(&file, path, NULL, NULL), 0);
    CHECK("info", avformat_find_stream_info(file, NULL) >= 0);
    CHECK_INT("decoded", decode_all(file, add_difference, &difference), FRAMES);
    avformat_close_input(&file);
    CHECK_INT("key frames", difference.keys, smooth ? 1 : 2);
    *ret_error = difference.sum / ((double)FRAMES * WIDTH * HEIGHT);
    struct zt_buf bytes = load(path);
    size_t n = bytes.n;
    zt_buf_clear(&bytes);
    unlink(path);
    return n;
}

static void spends_less_on_smooth_motion(void)
{
    uint8_t *luma = malloc((size_t)FRAMES * WIDTH * HEIGHT);
    double plain_error = 0, smooth_error = 0;

    if (luma == NULL)
        return;
    paint_zoom(luma);
    double plain_bytes = (double)encode_zoom(luma, false, &plain_error);
    double smooth_bytes = (double)encode_zoom(luma, true, &smooth_error);
    printf("a slow zoom: %.0f bytes, mean square error %.2f; smooth %.0f, %.2f\n", plain_bytes,
           plain_error, smooth_bytes, smooth_error);
    CHECK_BELOW("size", smooth_bytes, 0.85 * plain_bytes);
    CHECK_BELOW("error", smooth_error, 1.05 * plain_error);
    free(luma);
}

static void leaves_nothing_unfinished(void)
{
    struct zt_video *video = NULL;
    struct zt_frame_buf rgb;
    struct zt_err err = { 0 };
    const char *path = path_of("gone.mp4");

    CHECK_INT("rgb", zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, WIDTH, HEIGHT, NULL), ZT_OK);
    CHECK_INT("open", zt_video_open(path, &plain, &video, NULL), ZT_OK);
    CHECK_INT("write", zt_video_write(video, &rgb.view, NULL), ZT_OK);
    CHECK_INT("there", access(path, F_OK), 0);
    rgb.view.width_px--;
    CHECK_INT("another size", zt_video_write(video, &rgb.view, &err), ZT_E_INVALID);
    CHECK_HAS("another size", err.msg, "319x192");
    zt_video_close(video);
    CHECK_INT("gone", access(path, F_OK), -1);

    CHECK_INT("open", zt_video_open(path, &plain, &video, NULL), ZT_OK);
    CHECK_INT("no frames", zt_video_finish(video, &err), ZT_E_INVALID);
    zt_video_close(video);
    CHECK_INT("gone", access(path, F_OK), -1);
    zt_video_close(NULL);
    zt_frame_buf_clear(&rgb);
}

static void says_when_the_disk_is_full(void)
{
    struct zt_err err = { 0 };

    if (access("/dev/full", W_OK) == 0) { /* every write there gives ENOSPC */
        char link[256];
        snprintf(link, sizeof(link), "%s", path_of("full.mp4"));
        CHECK_INT("link", symlink("/dev/full", link), 0);
        CHECK_INT("full", write_video(link, &plain, &err), ZT_E_FULL);
        CHECK("the link is removed", access(link, F_OK) != 0);
        CHECK("the device is not", access("/dev/full", F_OK) == 0);
    }
    CHECK_INT("no folder", write_video(path_of("none/a.mp4"), &plain, &err), ZT_E_NOT_FOUND);
#ifdef ZT_FAULTS
    setenv("ZOETROPE_FAULT", "video_write:5:28", 1);
    CHECK_INT("fault", write_video(path_of("fault.mp4"), &plain, &err), ZT_E_FULL);
    CHECK_INT("gone", access(path_of("fault.mp4"), F_OK), -1);
    unsetenv("ZOETROPE_FAULT");
#endif
}

static void refuses_options(void)
{
    static const struct {
        const char *label;
        struct zt_video_options options;
        const char *part;
    } rows[] = {
        { "odd", { .width_px = 33, .height_px = 32, .fps = 24 }, "not 33x32" },
        { "nothing", { 0 }, "not 0x0" },
        { "fps", { .width_px = 32, .height_px = 32 }, "not 0" },
        { "crf", { .width_px = 32, .height_px = 32, .fps = 24, .crf = 52 }, "1 to 51, not 52" },
        { "preset", { .width_px = 32, .height_px = 32, .fps = 24, .preset = "a" }, "not a" },
        { "threads", { .width_px = 32, .height_px = 32, .fps = 24, .threads = -1 }, "not -1" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_video *video = NULL;
        struct zt_err err = { 0 };
        CHECK_INT(rows[i].label, zt_video_open(path_of("no.mp4"), &rows[i].options, &video, &err),
                  ZT_E_INVALID);
        CHECK_HAS(rows[i].label, err.msg, rows[i].part);
        CHECK_INT(rows[i].label, access(path_of("no.mp4"), F_OK), -1);
    }
}

static void saves_posters(void)
{
    static const struct {
        const char *label;
        int quality;
        double error; /* mean square */
    } rows[] = { { "low", 20, 150 }, { "usual", 85, 12 }, { "high", 95, 3 } };
    struct zt_frame_buf rgb;
    struct zt_frame_buf yuv;
    size_t last = 0;

    CHECK_INT("rgb", zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, WIDTH + 1, HEIGHT + 1, NULL), ZT_OK);
    CHECK_INT("yuv", zt_frame_buf_init(&yuv, ZT_PIXELS_YUV420, WIDTH + 1, HEIGHT + 1, NULL), ZT_OK);
    paint(&rgb, 3);
    zt_frame_convert(&rgb.view, &yuv, NULL);
    for (size_t i = 0; i < 2 * ZT_COUNT(rows); i++) {
        const char *label = rows[i / 2].label;
        struct zt_image image = { 0 };
        double sum = 0;
        CHECK_INT(label,
                  zt_frame_save_jpeg(i % 2 ? &yuv.view : &rgb.view, path_of("p.jpg"),
                                     rows[i / 2].quality, NULL),
                  ZT_OK);
        struct zt_buf file = load(path_of("p.jpg"));
        CHECK_INT(label, zt_image_decode(file.data, file.n, NULL, &image, NULL), ZT_OK);
        CHECK_INT(label, image.width_px, WIDTH + 1);
        for (int y = 0; image.pixels && y < HEIGHT + 1; y++) {
            for (int x = 0; x < 3 * (WIDTH + 1); x++) {
                double d = image.pixels[(size_t)y * image.stride + (size_t)x] -
                           rgb.plane[0][(size_t)y * rgb.view.stride[0] + (size_t)x];
                sum += d * d;
            }
        }
        CHECK_BELOW(label, sum / (3.0 * (WIDTH + 1) * (HEIGHT + 1)), rows[i / 2].error);
        CHECK("better is larger", i % 2 == 1 || file.n > last);
        last = file.n;
        zt_image_clear(&image);
        zt_buf_clear(&file);
    }
    CHECK_INT("quality", zt_frame_save_jpeg(&rgb.view, path_of("p.jpg"), 0, NULL), ZT_E_INVALID);
    CHECK_INT("no folder", zt_frame_save_jpeg(&rgb.view, path_of("none/p.jpg"), 85, NULL),
              ZT_E_NOT_FOUND);
    zt_frame_buf_clear(&rgb);
    zt_frame_buf_clear(&yuv);
}

int main(void)
{
    CHECK("folder", mkdtemp(folder) != NULL);
    RUN(can_be_read_back);
    RUN(begins_with_the_index);
    RUN(gives_the_same_bytes_again);
    RUN(spends_less_on_smooth_motion);
    RUN(leaves_nothing_unfinished);
    RUN(says_when_the_disk_is_full);
    RUN(refuses_options);
    RUN(saves_posters);
    zt_remove_tree(folder, NULL);
    return check_done();
}
