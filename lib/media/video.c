/*
 * video.c - frames into an MP4: H.264 by libx264, index first. Declared in zoetrope.h.
 *
 *   1. Same frames, options and machine type give the same bytes: no creation time, no library
 *      versions (x264's own note is filtered out), and x264 runs with a fixed thread count, on
 *      which its output depends.
 *   2. The file exists under its path from zt_video_open on, but is a video only after
 *      zt_video_finish; zt_video_close removes anything unfinished.
 */
#include <errno.h>
#include <fcntl.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "media/av.h"
#include "media/frame.h"
#include "media/live.h"

#define DEFAULT_PRESET    "veryfast"
#define DEFAULT_CRF       18
#define MAX_CRF           51
#define MAX_FPS           240
#define MAX_THREADS       64 /* x264 gains nothing beyond; each costs a frame of delay */
#define MAX_SIDE_PX       8192
#define KEY_FRAME_SECONDS 2
#define TICKS_A_FRAME     512 /* gives 12288 ticks a second for 24 frames, as ffmpeg writes */
#define PATH_BYTES        4096

static const char *const presets[] = { "ultrafast", "superfast", "veryfast", "faster",  "fast",
                                       "medium",    "slow",      "slower",   "veryslow" };

/*
 * options.smooth, at veryfast and slower presets. Where motion is known to be smooth, five B-frames
 * between P-frames are best nearly everywhere (x264 by itself takes one or two of three on a slow
 * zoom), and the shortest search without small partitions finds what there is. A key frame looks
 * a little different from those around it, which a slow zoom shows: there are fewer. What that
 * takes from SSIM, the rate factor gives back. Measured by bench/encode.
 */
#define SMOOTH_PRESET      2
#define SMOOTH_SETTINGS    "b-adapt=0:bframes=5:me=dia:partitions=i8x8,i4x4,p8x8"
#define SMOOTH_CRF         1
#define SMOOTH_KEY_SECONDS 5

struct zt_video {
    char path[PATH_BYTES];
    struct zt_video_options options; /* sizes and format; its strings are not kept */
    AVFormatContext *mux;
    AVCodecContext *encoder;
    AVBSFContext *filter;
    AVPacket *packet;
    AVFrame *frame;
    struct zt_live *live; /* NULL: not wanted, or not to be had */
    int64_t frames;
    bool created, failed, finished;
};

/* Its place among the presets; -1: no preset of that name. */
static int find_preset(const char *name)
{
    for (size_t i = 0; i < ZT_COUNT(presets); i++) {
        if (strcmp(presets[i], name != NULL ? name : DEFAULT_PRESET) == 0)
            return (int)i;
    }
    return -1;
}

static enum zt_code check_options(const struct zt_video_options *o, struct zt_err *err)
{
    if (o->width_px < 16 || o->height_px < 16 || o->width_px > MAX_SIDE_PX ||
        o->height_px > MAX_SIDE_PX || o->width_px % 2 != 0 || o->height_px % 2 != 0)
        return zt_fail(err, ZT_E_INVALID,
                       "a video must have even sides of 16 to %d pixels, not %dx%d", MAX_SIDE_PX,
                       o->width_px, o->height_px);
    if (o->fps < 1 || o->fps > MAX_FPS)
        return zt_fail_field(err, ZT_E_INVALID, "fps", "fps must be 1 to %d, not %d", MAX_FPS,
                             o->fps);
    if (o->pixels != ZT_PIXELS_RGB24 && o->pixels != ZT_PIXELS_YUV420)
        return zt_fail(err, ZT_E_INVALID, "pixel format %d is not known", (int)o->pixels);
    if (o->crf < 0 || o->crf > MAX_CRF)
        return zt_fail_field(err, ZT_E_INVALID, "crf", "crf must be 1 to %d, not %d", MAX_CRF,
                             o->crf);
    if (o->threads < 0)
        return zt_fail_field(err, ZT_E_INVALID, "threads", "threads must not be negative, not %d",
                             o->threads);
    if (find_preset(o->preset) < 0)
        return zt_fail_field(err, ZT_E_INVALID, "preset",
                             "preset must be ultrafast, superfast, veryfast, faster, fast, medium, "
                             "slow, slower or veryslow, not %.40s",
                             o->preset);
    return ZT_OK;
}

static enum zt_code open_encoder(struct zt_video *v, const struct zt_video_options *o,
                                 struct zt_err *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    int preset = find_preset(o->preset);
    int threads = o->threads > 0 ? o->threads : zt_cores();
    double crf = o->crf ? o->crf : DEFAULT_CRF;
    bool smooth = o->smooth && preset >= SMOOTH_PRESET;

    if (smooth)
        crf = crf > SMOOTH_CRF + 1 ? crf - SMOOTH_CRF : 1;
    if (codec == NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "this machine's FFmpeg has no libx264 encoder, which writing a video needs");
    AVCodecContext *e = v->encoder = avcodec_alloc_context3(codec);
    if (e == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for the encoder");
    e->width = o->width_px;
    e->height = o->height_px;
    e->time_base = (AVRational){ 1, o->fps };
    e->framerate = (AVRational){ o->fps, 1 };
    e->sample_aspect_ratio = (AVRational){ 1, 1 };
    e->pix_fmt = AV_PIX_FMT_YUV420P;
    e->color_range = AVCOL_RANGE_MPEG;
    e->color_primaries = AVCOL_PRI_BT709;
    e->color_trc = AVCOL_TRC_BT709;
    e->colorspace = AVCOL_SPC_BT709;
    e->chroma_sample_location = AVCHROMA_LOC_LEFT;
    /* A clip of that length ends with a frame more; it is not to be a key frame. */
    e->gop_size = smooth ? SMOOTH_KEY_SECONDS * o->fps + 1 : KEY_FRAME_SECONDS * o->fps;
    e->thread_count = threads < MAX_THREADS ? threads : MAX_THREADS;
    e->profile = FF_PROFILE_H264_HIGH;
    e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    int rc = av_opt_set(e->priv_data, "preset", presets[preset], 0);
    if (rc >= 0)
        rc = av_opt_set(e->priv_data, "profile", "high", 0);
    if (rc >= 0)
        rc = av_opt_set_double(e->priv_data, "crf", crf, 0);
    if (rc >= 0 && smooth)
        rc = av_opt_set(e->priv_data, "x264-params", SMOOTH_SETTINGS, 0);
    if (rc >= 0)
        rc = avcodec_open2(e, codec, NULL);
    if (rc < 0)
        return zt_fail_av(err, ZT_E_INTERNAL, rc, "the video encoder cannot be opened");
    return ZT_OK;
}

/* Between encoder and file: takes out SEI, of which x264 writes only the note about itself. */
static enum zt_code open_filter(struct zt_video *v, struct zt_err *err)
{
    int rc = av_bsf_list_parse_str("filter_units=remove_types=6", &v->filter);

    if (rc >= 0)
        rc = avcodec_parameters_from_context(v->filter->par_in, v->encoder);
    if (rc >= 0) {
        v->filter->time_base_in = v->encoder->time_base;
        rc = av_bsf_init(v->filter);
    }
    if (rc < 0)
        return zt_fail_av(err, ZT_E_INTERNAL, rc, "the video stream cannot be set up");
    return ZT_OK;
}

static enum zt_code set_metadata(struct zt_video *v, const struct zt_video_options *o,
                                 struct zt_err *err)
{
    AVDictionary **to = &v->mux->metadata;
    int rc = 0;

    if (o->title)
        rc = av_dict_set(to, "title", o->title, 0);
    if (rc >= 0 && o->comment)
        rc = av_dict_set(to, "comment", o->comment, 0);
    /* The encoder's tag cannot be ours: libavformat writes its own name, or, bit-exact, none. */
    if (rc >= 0)
        rc = av_dict_set(to, "description", "zoetrope " ZT_VERSION, 0);
    if (rc >= 0 && o->comment)
        rc = av_dict_set(to, "description", ": ", AV_DICT_APPEND);
    if (rc >= 0 && o->comment)
        rc = av_dict_set(to, "description", o->comment, AV_DICT_APPEND);
    if (rc < 0)
        return zt_fail_av(err, ZT_E_NOMEM, rc, "not enough memory for the metadata");
    return ZT_OK;
}

/* ZT_E_IO with errno's text where libav passed one on. */
static enum zt_code fail_write(struct zt_video *v, int av_error, struct zt_err *err)
{
    int number = av_error < 0 && av_error > -4096 ? -av_error : EIO;

    v->failed = true;
    return zt_fail_errno(err, number, "write video", v->path);
}

static enum zt_code open_file(struct zt_video *v, struct zt_err *err)
{
    char url[PATH_BYTES + 8];
    AVDictionary *settings = NULL;

    /* With the protocol named, a colon in the path has no meaning. */
    zt_format(url, sizeof(url), "file:%s", v->path);
    int rc = avformat_alloc_output_context2(&v->mux, NULL, "mp4", url);
    if (rc < 0)
        return zt_fail_av(err, ZT_E_UNSUPPORTED, rc, "this machine's FFmpeg cannot write MP4");
    v->mux->flags |= AVFMT_FLAG_BITEXACT;
    AVStream *stream = avformat_new_stream(v->mux, NULL);
    if (stream == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for the video file");
    rc = avcodec_parameters_copy(stream->codecpar, v->filter->par_out);
    if (rc < 0)
        return zt_fail_av(err, ZT_E_INTERNAL, rc, "the video stream cannot be described");
    stream->codecpar->codec_tag = 0;
    stream->time_base = (AVRational){ 1, v->options.fps * TICKS_A_FRAME };
    stream->avg_frame_rate = stream->r_frame_rate = v->encoder->framerate;
    stream->sample_aspect_ratio = v->encoder->sample_aspect_ratio;
    rc = avio_open(&v->mux->pb, url, AVIO_FLAG_WRITE);
    if (rc < 0)
        return fail_write(v, rc, err);
    v->created = true;
    av_dict_set(&settings, "movflags", "+faststart+write_colr", 0);
    av_dict_set_int(&settings, "video_track_timescale", v->options.fps * TICKS_A_FRAME, 0);
    rc = avformat_write_header(v->mux, &settings);
    av_dict_free(&settings);
    if (rc < 0)
        return fail_write(v, rc, err);
    return ZT_OK;
}

static enum zt_code open_frame(struct zt_video *v, struct zt_err *err)
{
    v->packet = av_packet_alloc();
    v->frame = av_frame_alloc();
    if (v->packet == NULL || v->frame == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a video frame");
    v->frame->format = v->encoder->pix_fmt;
    v->frame->width = v->encoder->width;
    v->frame->height = v->encoder->height;
    v->frame->color_range = v->encoder->color_range;
    v->frame->color_primaries = v->encoder->color_primaries;
    v->frame->color_trc = v->encoder->color_trc;
    v->frame->colorspace = v->encoder->colorspace;
    v->frame->chroma_location = v->encoder->chroma_sample_location;
    int rc = av_frame_get_buffer(v->frame, 0);
    if (rc < 0)
        return zt_fail_av(err, ZT_E_NOMEM, rc, "not enough memory for a video frame");
    return ZT_OK;
}

ZT_AUTO(struct zt_video, video, zt_video_close)

enum zt_code zt_video_open(const char *path, const struct zt_video_options *options,
                           struct zt_video **ret, struct zt_err *err)
{
    zt_auto(video) struct zt_video *v = zt_new(struct zt_video);

    zt_av_quiet();
    ZT_TRY(check_options(options, err));
    if (*path == '\0' || !zt_format(v->path, sizeof(v->path), "%s", path))
        return zt_fail(err, ZT_E_INVALID, "the video's path is empty or too long");
    v->options = *options;
    v->options.preset = v->options.title = v->options.comment = v->options.live_path = NULL;
    ZT_TRY(open_encoder(v, options, err));
    ZT_TRY(open_filter(v, err));
    ZT_TRY(open_frame(v, err));
    ZT_TRY(open_file(v, err));
    ZT_TRY(set_metadata(v, options, err));
    if (options->live_path != NULL)
        v->live = zt_live_open(options->live_path, v->mux, options->fps);
    *ret = zt_take_video(&v);
    return ZT_OK;
}

/* Moves whatever the filter holds into the file; rc is what handing it a packet gave. */
static enum zt_code drain_filter(struct zt_video *v, int rc, struct zt_err *err)
{
    while (rc >= 0 && (rc = av_bsf_receive_packet(v->filter, v->packet)) >= 0) {
        v->packet->stream_index = 0;
        av_packet_rescale_ts(v->packet, v->filter->time_base_out, v->mux->streams[0]->time_base);
        if (v->live != NULL)
            zt_live_write(v->live, v->packet);
        rc = zt_fault("video_write") ? AVERROR(errno) : av_write_frame(v->mux, v->packet);
        av_packet_unref(v->packet);
        if (rc >= 0 && v->mux->pb->error < 0)
            rc = v->mux->pb->error;
        if (rc < 0)
            return fail_write(v, rc, err);
    }
    if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF)
        return ZT_OK;
    v->failed = true;
    return zt_fail_av(err, ZT_E_INTERNAL, rc, "the encoded video cannot be passed on");
}

/* Encodes one frame, or with NULL what the encoder still holds. */
static enum zt_code encode(struct zt_video *v, const AVFrame *frame, struct zt_err *err)
{
    int rc = avcodec_send_frame(v->encoder, frame);

    while (rc >= 0 && (rc = avcodec_receive_packet(v->encoder, v->packet)) >= 0) {
        v->packet->duration = 1;
        ZT_TRY(drain_filter(v, av_bsf_send_packet(v->filter, v->packet), err));
    }
    if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF)
        return ZT_OK;
    v->failed = true;
    return zt_fail_av(err, ZT_E_INTERNAL, rc, "the video encoder failed");
}

/* Into v->frame, whose memory the encoder may still read: then it gets fresh memory. */
static enum zt_code fill_frame(struct zt_video *v, const struct zt_frame *frame, struct zt_err *err)
{
    struct zt_frame_buf dst = { .view = { .format = ZT_PIXELS_YUV420,
                                          .width_px = frame->width_px,
                                          .height_px = frame->height_px } };
    int rc = av_frame_make_writable(v->frame);

    if (rc < 0) {
        v->failed = true;
        return zt_fail_av(err, ZT_E_NOMEM, rc, "not enough memory for a video frame");
    }
    for (int i = 0; i < 3; i++) {
        dst.plane[i] = v->frame->data[i];
        dst.view.plane[i] = dst.plane[i];
        dst.view.stride[i] = (size_t)v->frame->linesize[i];
    }
    zt_frame_convert(frame, &dst, NULL);
    v->frame->pts = v->frames++;
    return ZT_OK;
}

enum zt_code zt_video_write(struct zt_video *v, const struct zt_frame *frame, struct zt_err *err)
{
    if (v->failed || v->finished)
        return zt_fail(err, ZT_E_INVALID, "the video is %s: no more frames can be added",
                       v->failed ? "broken by an earlier error" : "finished");
    ZT_TRY(zt_frame_check(frame, err));
    if (frame->format != v->options.pixels || frame->width_px != v->options.width_px ||
        frame->height_px != v->options.height_px)
        return zt_fail(err, ZT_E_INVALID,
                       "a frame of %dx%d in format %d does not fit a video of %dx%d in format %d",
                       frame->width_px, frame->height_px, (int)frame->format, v->options.width_px,
                       v->options.height_px, (int)v->options.pixels);
    ZT_TRY(fill_frame(v, frame, err));
    return encode(v, v->frame, err);
}

static enum zt_code sync_file(struct zt_video *v, struct zt_err *err)
{
    zt_auto_fd int fd = open(v->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return fail_write(v, AVERROR(errno), err);
    return ZT_OK;
}

enum zt_code zt_video_finish(struct zt_video *v, struct zt_err *err)
{
    if (v->failed || v->finished)
        return zt_fail(err, ZT_E_INVALID, "the video is %s",
                       v->failed ? "broken by an earlier error" : "already finished");
    if (v->frames == 0)
        return zt_fail(err, ZT_E_INVALID, "the video has no frames");
    ZT_TRY(encode(v, NULL, err));
    ZT_TRY(drain_filter(v, av_bsf_send_packet(v->filter, NULL), err));
    if (v->live != NULL)
        zt_live_finish(v->live);
    int rc = av_write_trailer(v->mux); /* writes the index and moves it to the front */
    int pending = v->mux->pb->error;
    int closed = avio_closep(&v->mux->pb);
    if (rc < 0 || pending < 0 || closed < 0)
        return fail_write(v, rc < 0 ? rc : pending < 0 ? pending : closed, err);
    ZT_TRY(sync_file(v, err));
    v->finished = true;
    return ZT_OK;
}

int zt_video_live(const struct zt_video *v)
{
    return v->live != NULL ? zt_live_fragments(v->live) : 0;
}

/* Removes what was written, but not a device somebody named as the file. */
static void remove_file(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)))
        unlink(path);
}

void zt_video_close(struct zt_video *v)
{
    if (v == NULL)
        return;
    if (v->mux) {
        avio_closep(&v->mux->pb); /* accepts what was never opened */
        avformat_free_context(v->mux);
    }
    zt_live_close(v->live);
    if (v->created && !v->finished)
        remove_file(v->path);
    av_bsf_free(&v->filter);
    av_packet_free(&v->packet);
    av_frame_free(&v->frame);
    avcodec_free_context(&v->encoder);
    free(v);
}
