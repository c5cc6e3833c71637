/*
 * live.c - see live.h. A fragment is cut after so many packets, at whatever frame that is: a reader
 * begins with the first one anyway. Until there is a fragment the file has another name, so that
 * it replaces what had its path only once it shows something.
 */
#include "media/live.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"

#define PATH_BYTES 4096

struct zt_live {
    char path[PATH_BYTES], part[PATH_BYTES]; /* part: "" once it has its path */
    AVFormatContext *mux;
    AVPacket *packet;
    int a_fragment, packets; /* since the last cut */
    int fragments;
    bool failed;
};

/* One more fragment can be read. */
static int cut(struct zt_live *live)
{
    avio_flush(live->mux->pb);
    if (live->mux->pb->error < 0)
        return live->mux->pb->error;
    live->packets = 0;
    if (live->part[0] != '\0' && rename(live->part, live->path) != 0)
        return AVERROR(errno);
    live->part[0] = '\0';
    live->fragments++;
    return 0;
}

static int open_mux(struct zt_live *live, const AVFormatContext *like)
{
    char url[PATH_BYTES + 8];
    AVDictionary *settings = NULL;

    zt_format(url, sizeof(url), "file:%s", live->part);
    int rc = avformat_alloc_output_context2(&live->mux, NULL, "mp4", url);
    if (rc < 0)
        return rc;
    live->mux->flags |= AVFMT_FLAG_BITEXACT;
    const AVStream *from = like->streams[0];
    AVStream *to = avformat_new_stream(live->mux, NULL);
    live->packet = av_packet_alloc();
    if (to == NULL || live->packet == NULL)
        return AVERROR(ENOMEM);
    rc = avcodec_parameters_copy(to->codecpar, from->codecpar);
    if (rc >= 0)
        rc = av_dict_copy(&live->mux->metadata, like->metadata, 0);
    if (rc < 0)
        return rc;
    to->time_base = from->time_base;
    to->avg_frame_rate = to->r_frame_rate = from->avg_frame_rate;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    rc = avio_open(&live->mux->pb, url, AVIO_FLAG_WRITE);
    if (rc < 0)
        return rc;
    av_dict_set(&settings, "movflags",
                "+frag_custom+empty_moov+default_base_moof+negative_cts_offsets+write_colr", 0);
    av_dict_set_int(&settings, "video_track_timescale", from->time_base.den, 0);
    rc = avformat_write_header(live->mux, &settings);
    av_dict_free(&settings);
    return rc;
}

struct zt_live *zt_live_open(const char *path, const AVFormatContext *like, int a_fragment)
{
    zt_auto(live) struct zt_live *live = zt_new(struct zt_live);

    live->a_fragment = a_fragment;
    if (!zt_format(live->path, sizeof(live->path), "%s", path) ||
        !zt_format(live->part, sizeof(live->part), "%s.part", path)) {
        live->part[0] = '\0';
        return NULL;
    }
    return open_mux(live, like) >= 0 ? zt_take_live(&live) : NULL;
}

void zt_live_write(struct zt_live *live, const AVPacket *packet)
{
    if (live->failed)
        return;
    int rc = zt_fault("live_write") ? AVERROR(ENOSPC) : av_packet_ref(live->packet, packet);
    if (rc >= 0) {
        rc = av_write_frame(live->mux, live->packet);
        av_packet_unref(live->packet);
    }
    if (rc >= 0 && ++live->packets == live->a_fragment) {
        rc = av_write_frame(live->mux, NULL);
        if (rc >= 0)
            rc = cut(live);
    }
    live->failed = rc < 0;
}

void zt_live_finish(struct zt_live *live)
{
    if (live->failed)
        return;
    live->failed = true; /* nothing comes after it */
    if (av_write_trailer(live->mux) < 0)
        return;
    if (live->packets > 0)
        (void)cut(live);
}

int zt_live_fragments(const struct zt_live *live)
{
    return live->fragments;
}

void zt_live_close(struct zt_live *live)
{
    if (live == NULL)
        return;
    if (live->mux != NULL) {
        avio_closep(&live->mux->pb);
        avformat_free_context(live->mux);
    }
    if (live->part[0] != '\0')
        unlink(live->part);
    av_packet_free(&live->packet);
    free(live);
}
