/*
 * live.h - a fragmented MP4 of packets that also go into another file: playable while it grows.
 *
 * A copy for looking at: no trouble with it is the video's. What fails ends it; what is there until
 * then stays. Same thread rules as the video it belongs to.
 */
#ifndef ZT_MEDIA_LIVE_H
#define ZT_MEDIA_LIVE_H

#include <libavformat/avformat.h>

#include "base/auto.h"
#include "base/error.h"

struct zt_live;

/*
 * like: the file whose stream 0 and metadata this one has; not kept. a_fragment: packets in each.
 * NULL: it cannot be written.
 */
struct zt_live *zt_live_open(const char *path, const AVFormatContext *like, int a_fragment);

/* packet: as for the other file, which gets it too. */
void zt_live_write(struct zt_live *live, const AVPacket *packet);

/* The last fragment, shorter than the others. */
void zt_live_finish(struct zt_live *live);

/* How many fragments can be read. The file has its path from the first one on. */
int zt_live_fragments(const struct zt_live *live);

/* NULL is fine. The file stays, unless it had no fragment. */
void zt_live_close(struct zt_live *live);
ZT_AUTO(struct zt_live, live, zt_live_close)

#endif
