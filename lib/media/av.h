/*
 * av.h - what the files that use libavcodec share: quiet logging, handles that free themselves,
 * error texts.
 */
#ifndef ZT_MEDIA_AV_H
#define ZT_MEDIA_AV_H

#include <libavcodec/avcodec.h>

#include "base/auto.h"
#include "base/error.h"

/* Silences libav's own logging for the process, once: the library prints nothing. */
void zt_av_quiet(void);

/* Fails with "<what>" for whoever asked and libav's text for the log; ENOMEM gives ZT_E_NOMEM. */
enum zt_code zt_fail_av(struct zt_err *err, enum zt_code code, int av_error, const char *what);

static inline void zt_av_free_context(AVCodecContext *ctx)
{
    avcodec_free_context(&ctx);
}

static inline void zt_av_free_frame(AVFrame *frame)
{
    av_frame_free(&frame);
}

static inline void zt_av_free_packet(AVPacket *packet)
{
    av_packet_free(&packet);
}

ZT_AUTO(AVCodecContext, av_context, zt_av_free_context)
ZT_AUTO(AVFrame, av_frame, zt_av_free_frame)
ZT_AUTO(AVPacket, av_packet, zt_av_free_packet)

#endif
