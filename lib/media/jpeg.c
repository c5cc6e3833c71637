/*
 * jpeg.c - reading JPEG: the walk over the markers is ours, the pictures are libavcodec's.
 *
 * libavcodec is given a copy with nothing but tables, frame, scans and, for three components, the
 * Adobe marker: what cameras and programs add (thumbnails, comments, AVI fields) would change how
 * it decodes. A file of four components keeps no Adobe marker, which makes libavcodec hand over
 * the components as they are. It conceals cut scans, so that the end is checked here.
 */
#include <libavcodec/avcodec.h>
#include <string.h>

#include "media/exif.h"
#include "media/format.h"

#define MAX_SCANS     128 /* a progressive picture has about ten; thousands keep a decoder busy */
#define ICC_TAG       "ICC_PROFILE" /* its NUL included: 12 bytes */
#define ICC_TAG_BYTES 12
#define ICC_CHUNKS    256

enum {
    M_SOF0 = 0xC0,
    M_SOF1 = 0xC1,
    M_SOF2 = 0xC2,
    M_DHT = 0xC4,
    M_JPG = 0xC8,
    M_DAC = 0xCC,
    M_SOF15 = 0xCF,
    M_RST0 = 0xD0,
    M_RST7 = 0xD7,
    M_SOI = 0xD8,
    M_EOI = 0xD9,
    M_SOS = 0xDA,
    M_DQT = 0xDB,
    M_DRI = 0xDD,
    M_APP1 = 0xE1,
    M_APP2 = 0xE2,
    M_APP14 = 0xEE,
};

/* One marker with what follows it up to the next: its segment and, after SOS, the coded data. */
struct segment {
    int marker;
    const uint8_t *body; /* after the length field */
    size_t n;
    const uint8_t *start, *end; /* from the 0xFF of the marker */
};

struct reader {
    const uint8_t *at, *end;
};

static enum zt_code cut_short(struct zt_err *err)
{
    return zt_fail(err, ZT_E_CORRUPT, "the JPEG is cut short");
}

bool zt_jpeg_is(const uint8_t *bytes, size_t n)
{
    return n >= 3 && bytes[0] == 0xFF && bytes[1] == M_SOI && bytes[2] == 0xFF;
}

/* To the next marker after coded data: not a stuffed 0xFF 0x00 nor a restart. */
static const uint8_t *skip_coded(const uint8_t *p, const uint8_t *end)
{
    while ((p = memchr(p, 0xFF, (size_t)(end - p))) != NULL && end - p >= 2) {
        if (p[1] == 0xFF)
            p++;
        else if (p[1] == 0 || (p[1] >= M_RST0 && p[1] <= M_RST7))
            p += 2;
        else
            return p;
        if (p == end)
            break;
    }
    return end;
}

static enum zt_code next_segment(struct reader *r, struct segment *ret, struct zt_err *err)
{
    const uint8_t *p = r->at;

    if (r->end - p >= 1 && *p != 0xFF)
        return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: no marker where one must be");
    while (r->end - p >= 2 && p[1] == 0xFF) /* markers may be padded */
        p++;
    if (r->end - p < 2)
        return cut_short(err);
    *ret = (struct segment){ .marker = p[1], .start = p, .body = p + 2 };
    p += 2;
    if (ret->marker != M_EOI) {
        if (r->end - p < 2)
            return cut_short(err);
        size_t n = (size_t)p[0] << 8 | p[1];
        if (n < 2 || ret->marker < M_SOF0 || (ret->marker >= M_RST0 && ret->marker <= M_SOI))
            return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: marker 0x%02X of length %zu",
                           (unsigned)ret->marker, n);
        if ((size_t)(r->end - p) < n)
            return cut_short(err);
        ret->body = p + 2;
        ret->n = n - 2;
        p += n;
        if (ret->marker == M_SOS)
            p = skip_coded(p, r->end);
    }
    ret->end = r->at = p;
    return ZT_OK;
}

static bool is_frame(int marker)
{
    return marker >= M_SOF0 && marker <= M_SOF15 && marker != M_DHT && marker != M_JPG &&
           marker != M_DAC;
}

/* What the markers before the first scan say. */
struct jpeg {
    struct zt_head head;
    int components;
    int adobe; /* the transform the Adobe marker names, or -1 */
};

static enum zt_code read_frame(const struct segment *s, struct jpeg *ret, struct zt_err *err)
{
    if (ret->components != 0)
        return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: it has two frame headers");
    if (s->marker != M_SOF0 && s->marker != M_SOF1 && s->marker != M_SOF2)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "the JPEG is lossless, hierarchical or arithmetic-coded; only baseline and "
                       "progressive ones can be read");
    if (s->n < 6 || s->n < 6 + 3 * (size_t)s->body[5])
        return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: its frame header is too short");
    if (s->body[0] != 8)
        return zt_fail(err, ZT_E_UNSUPPORTED, "the JPEG has %d bits a sample; only 8 can be read",
                       s->body[0]);
    ret->head.height_px = s->body[1] << 8 | s->body[2];
    ret->head.width_px = s->body[3] << 8 | s->body[4];
    ret->components = s->body[5];
    if (ret->head.width_px == 0 || ret->head.height_px == 0)
        return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: its header says %dx%d pixels",
                       ret->head.width_px, ret->head.height_px);
    if (ret->components != 1 && ret->components != 3 && ret->components != 4)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "the JPEG has %d colour components; 1, 3 or 4 can be read", ret->components);
    return ZT_OK;
}

static enum zt_code read_head(const uint8_t *bytes, size_t n, struct jpeg *ret, struct zt_err *err)
{
    struct reader r = { bytes + 2, bytes + n };
    struct segment s = { 0 };
    bool oriented = false;

    *ret = (struct jpeg){ .head = { .orientation = 1 }, .adobe = -1 };
    for (;;) {
        ZT_TRY(next_segment(&r, &s, err));
        if (is_frame(s.marker))
            ZT_TRY(read_frame(&s, ret, err));
        if (s.marker == M_APP1 && !oriented && s.n >= 6 && memcmp(s.body, "Exif\0", 5) == 0) {
            ret->head.orientation = zt_exif_orientation(s.body, s.n);
            oriented = true;
        }
        if (s.marker == M_APP14 && s.n >= 12 && memcmp(s.body, "Adobe", 5) == 0)
            ret->adobe = s.body[11];
        if (s.marker == M_SOS || s.marker == M_EOI)
            break;
    }
    if (ret->components == 0)
        return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: it has no frame header");
    if (s.marker == M_EOI)
        return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: it has no picture data");
    return ZT_OK;
}

enum zt_code zt_jpeg_head(const uint8_t *bytes, size_t n, struct zt_head *ret, struct zt_err *err)
{
    struct jpeg jpeg = { 0 };

    ZT_TRY(read_head(bytes, n, &jpeg, err));
    *ret = jpeg.head;
    return ZT_OK;
}

/* An ICC profile comes in numbered chunks, in any order. */
struct icc_chunks {
    struct segment part[ICC_CHUNKS];
    int count;
};

static void note_icc(const struct segment *s, struct icc_chunks *icc)
{
    if (s->n < ICC_TAG_BYTES + 2 || memcmp(s->body, ICC_TAG, ICC_TAG_BYTES) != 0)
        return;
    icc->part[s->body[ICC_TAG_BYTES]] = *s;
    icc->count = s->body[ICC_TAG_BYTES + 1];
}

/* A profile with a chunk missing is no profile. */
static enum zt_code join_icc(const struct icc_chunks *icc, struct zt_buf *ret, struct zt_err *err)
{
    for (int i = 1; i <= icc->count; i++)
        if (icc->part[i].body == NULL)
            return ZT_OK;
    for (int i = 1; i <= icc->count; i++)
        ZT_TRY(zt_buf_add(ret, icc->part[i].body + ICC_TAG_BYTES + 2,
                          icc->part[i].n - ICC_TAG_BYTES - 2, err));
    return ZT_OK;
}

static bool is_kept(int marker)
{
    return is_frame(marker) || marker == M_DHT || marker == M_DQT || marker == M_DRI ||
           marker == M_SOS || marker == M_EOI;
}

/* Into clean: what the decoder needs; into icc: the profile. */
static enum zt_code strip(const uint8_t *bytes, size_t n, const struct jpeg *jpeg,
                          struct zt_buf *clean, struct zt_buf *icc, struct zt_err *err)
{
    static const uint8_t soi[] = { 0xFF, M_SOI };
    uint8_t app14[] = { 0xFF, M_APP14, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0 };
    struct icc_chunks chunks = { .count = 0 };
    struct reader r = { bytes + 2, bytes + n };
    struct segment s = { 0 };
    int frames = 0;
    int scans = 0;

    ZT_TRY(zt_buf_add(clean, soi, sizeof(soi), err));
    if (jpeg->components == 3 && jpeg->adobe >= 0) {
        app14[15] = (uint8_t)jpeg->adobe;
        ZT_TRY(zt_buf_add(clean, app14, sizeof(app14), err));
    }
    do {
        ZT_TRY(next_segment(&r, &s, err));
        if (s.marker == M_APP2)
            note_icc(&s, &chunks);
        frames += is_frame(s.marker);
        if (frames > 1)
            return zt_fail(err, ZT_E_CORRUPT, "the JPEG is damaged: it has two frame headers");
        scans += s.marker == M_SOS;
        if (scans > MAX_SCANS)
            return zt_fail(err, ZT_E_LIMIT, "the JPEG has more than %d scans", MAX_SCANS);
        if (is_kept(s.marker))
            ZT_TRY(zt_buf_add(clean, s.start, (size_t)(s.end - s.start), err));
    } while (s.marker != M_EOI);
    return join_icc(&chunks, icc, err);
}

enum zt_code zt_jpeg_open(const uint8_t *bytes, size_t n, struct zt_raster *ret, struct zt_err *err)
{
    struct jpeg jpeg = { 0 };
    struct zt_buf clean;

    ZT_TRY(read_head(bytes, n, &jpeg, err));
    zt_buf_init(&clean, n + 64); /* what is kept, and one marker more */
    zt_buf_clear(&ret->icc);
    zt_buf_init(&ret->icc, n);
    enum zt_code rc = strip(bytes, n, &jpeg, &clean, &ret->icc, err);
    if (rc == ZT_OK)
        rc = zt_raster_decode(AV_CODEC_ID_MJPEG, "JPEG", (const uint8_t *)clean.data, clean.n,
                              &jpeg.head, ret, err);
    zt_buf_clear(&clean);
    ret->channels = jpeg.components;
    ret->is_adobe = jpeg.adobe >= 0;
    ret->is_ycck = jpeg.adobe == 2;
    return rc;
}
