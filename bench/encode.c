/*
 * encode.c - what the encoder gains by knowing that motion is smooth (zt_video_options.smooth).
 *
 *     bench_encode [PRESET [CRF]]     from the project's folder: its pictures are in examples/
 *
 * For each clip of the motion engine, at 480p: size, SSIM and processor time with the preset as it
 * is and with `smooth`, and their ratios. SSIM is that of luma in 8 x 8 windows, four apart: the
 * mean of all frames, and the worst frame. The exit status says whether SSIM or, in sum, size was
 * lost.
 */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clip.h"
#include "measure.h"

#define WINDOW 8
#define STEP   4
#define ROUNDS 3

static const struct row {
    const char *picture, *prompt, *end;
} rows[] = {
    { "raccoon", "the camera slowly pushes in", NULL },
    { "coffee", "the camera orbits around the cup, steam drifts", NULL },
    { "raccoon", "the camera pans left and zooms in quickly", NULL },
    { "coffee", "handheld camera, night falls", NULL },
    { "raccoon",
      "wide shot, camera pans left. cut to close-up, fast zoom in. whip pan to medium "
      "shot, slow pull back",
      NULL },
    { "coffee", "the camera is still, candle light flickers", NULL },
    { "raccoon", "slow push in, heavy snow falls", NULL },
    { "coffee", "the camera pans right, heavy rain", NULL },
    { "raccoon", "from one to the other", "coffee" },
};

struct result {
    double cpu_s, ssim, worst;
    long bytes;
};

/* ---- SSIM ---------------------------------------------------------------------------------- */

/* Wang, Bovik, Sheikh, Simoncelli: Image Quality Assessment (2004), with flat windows. */
static double ssim_window(const uint8_t *a, size_t a_stride, const uint8_t *b, size_t b_stride)
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255, n = WINDOW * WINDOW;
    int sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;

    for (int y = 0; y < WINDOW; y++, a += a_stride, b += b_stride) {
        for (int x = 0; x < WINDOW; x++) {
            sa += a[x];
            sb += b[x];
            saa += a[x] * a[x];
            sbb += b[x] * b[x];
            sab += a[x] * b[x];
        }
    }
    double ma = sa / n, mb = sb / n;
    double va = saa / n - ma * ma, vb = sbb / n - mb * mb, cov = sab / n - ma * mb;
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
}

static double ssim(const struct clip *clip, int index, const AVFrame *frame)
{
    const uint8_t *want = clip->frames + (size_t)index * clip->frame_bytes;
    size_t want_stride = (size_t)clip->plan.width_px, stride = (size_t)frame->linesize[0];
    double sum = 0;
    long n = 0;

    for (int y = 0; y + WINDOW <= clip->plan.height_px; y += STEP) {
        for (int x = 0; x + WINDOW <= clip->plan.width_px; x += STEP, n++)
            sum += ssim_window(want + (size_t)y * want_stride + x, want_stride,
                               frame->data[0] + (size_t)y * stride + x, stride);
    }
    return sum / (double)n;
}

/* ---- reading back -------------------------------------------------------------------------- */

static AVCodecContext *open_decoder(AVFormatContext *file)
{
    const AVCodecParameters *p = file->streams[0]->codecpar;
    const AVCodec *codec = avcodec_find_decoder(p->codec_id);
    AVCodecContext *decoder = codec != NULL ? avcodec_alloc_context3(codec) : NULL;

    if (decoder == NULL || avcodec_parameters_to_context(decoder, p) < 0 ||
        avcodec_open2(decoder, codec, NULL) < 0)
        avcodec_free_context(&decoder);
    return decoder;
}

/* How many frames came back. */
static int compare_frames(const struct clip *clip, AVFormatContext *file, AVCodecContext *decoder,
                          struct result *r)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int n = 0;

    r->worst = 1;
    for (bool more = true; more && packet != NULL && frame != NULL;) {
        more = av_read_frame(file, packet) >= 0;
        avcodec_send_packet(decoder, more ? packet : NULL);
        av_packet_unref(packet);
        for (; n < clip->plan.frames && avcodec_receive_frame(decoder, frame) >= 0; n++) {
            double s = ssim(clip, n, frame);
            r->ssim += s / clip->plan.frames;
            r->worst = fmin(r->worst, s);
        }
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    return n;
}

static bool compare(const struct clip *clip, const char *path, struct result *r)
{
    AVFormatContext *file = NULL;

    if (avformat_open_input(&file, path, NULL, NULL) < 0)
        return false;
    AVCodecContext *decoder =
        avformat_find_stream_info(file, NULL) >= 0 ? open_decoder(file) : NULL;
    bool ok = decoder != NULL && compare_frames(clip, file, decoder, r) == clip->plan.frames;
    avcodec_free_context(&decoder);
    avformat_close_input(&file);
    return ok;
}

/* ---- measuring ----------------------------------------------------------------------------- */

static struct result measure(const struct clip *clip, const char *path, const char *preset, int crf,
                             bool smooth)
{
    struct result r = { .cpu_s = INFINITY };
    struct stat st;
    bool ok = true;

    for (int i = 0; ok && i < ROUNDS; i++) {
        double start = cpu_us();
        ok = clip_encode(clip, path, preset, crf, smooth);
        r.cpu_s = fmin(r.cpu_s, (cpu_us() - start) / 1e6);
    }
    if (!ok || stat(path, &st) != 0 || !compare(clip, path, &r)) {
        fprintf(stderr, "bench_encode: %s cannot be written and read back\n", path);
        exit(1);
    }
    r.bytes = (long)st.st_size;
    return r;
}

static void make(struct clip *clip, const struct row *row)
{
    struct zt_image first = { 0 }, last = { 0 };
    struct zt_request request = { .image = &first,
                                  .prompt = row->prompt,
                                  .resolution = ZT_480P,
                                  .duration_s = CLIP_SECONDS,
                                  .seed = 1 };
    char path[64];

    snprintf(path, sizeof(path), "examples/%s.jpg", row->picture);
    load_picture(path, &first);
    if (row->end != NULL) {
        snprintf(path, sizeof(path), "examples/%s.jpg", row->end);
        load_picture(path, &last);
        request.end_image = &last;
    }
    clip_make(clip, &request);
    zt_image_clear(&first);
    zt_image_clear(&last);
}

int main(int argc, char **argv)
{
    const char *preset = argc > 1 ? argv[1] : "veryfast";
    int crf = argc > 2 ? atoi(argv[2]) : 18;
    char path[] = "/tmp/bench-encode-XXXXXX";
    double sizes = 0, times = 0, lost = 0;
    size_t n = sizeof(rows) / sizeof(rows[0]);

    int fd = mkstemp(path);
    if (fd < 0 || close(fd) != 0) {
        perror("bench_encode: /tmp");
        return 1;
    }
    printf("5 s at 480p, x264 %s, crf %d: as the preset is, smooth, ratios\n", preset, crf);
    printf("   kB    SSIM   worst    cpu       kB    SSIM   worst    cpu    size  time\n");
    for (size_t i = 0; i < n; i++) {
        struct clip clip = { 0 };
        make(&clip, &rows[i]);
        struct result a = measure(&clip, path, preset, crf, false);
        struct result b = measure(&clip, path, preset, crf, true);
        free(clip.frames);
        double size = (double)b.bytes / (double)a.bytes;
        printf("%5ld  %.4f  %.4f  %.2f s   %5ld  %.4f  %.4f  %.2f s   %.2f  %.2f   %s, %s\n",
               a.bytes / 1000, a.ssim, a.worst, a.cpu_s, b.bytes / 1000, b.ssim, b.worst, b.cpu_s,
               size, b.cpu_s / a.cpu_s, rows[i].picture, rows[i].prompt);
        fflush(stdout);
        sizes += log(size) / (double)n;
        times += log(b.cpu_s / a.cpu_s) / (double)n;
        lost = fmax(lost, a.ssim - b.ssim);
    }
    printf("geometric means: size %.2f, time %.2f; SSIM lost at most %.4f\n", exp(sizes),
           exp(times), lost);
    unlink(path);
    return sizes < 0 && lost < 0.001 ? 0 : 1;
}
