/*
 * icc.c - see icc.h. On Little CMS, in a context of its own so that nothing is shared.
 *
 * Little CMS asks gmtime() for the time of each profile it makes, and the C library reads
 * /etc/localtime on the first such call of a process: a sandbox without files is entered after
 * tzset().
 */
#include "media/icc.h"

#include <lcms2.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

#define MIN_PROFILE_BYTES 128 /* the header */
#define MAX_PROFILE_BYTES (16 * 1024 * 1024)
#define GRID              9 /* steps a channel when looking for a difference to sRGB */
#define SAME_WITHIN       2

struct zt_icc {
    cmsContext context;
    cmsHTRANSFORM transform;
};

static bool kind_of(int channels, cmsColorSpaceSignature *space, cmsUInt32Number *type)
{
    *space = channels == 1 ? cmsSigGrayData : channels == 3 ? cmsSigRgbData : cmsSigCmykData;
    *type = channels == 1 ? TYPE_GRAY_8 : channels == 3 ? TYPE_RGB_8 : TYPE_CMYK_8;
    return channels == 1 || channels == 3 || channels == 4;
}

static cmsHTRANSFORM make_transform(cmsContext context, cmsHPROFILE from, cmsHPROFILE to,
                                    int channels)
{
    cmsColorSpaceSignature space;
    cmsUInt32Number type;

    if (from == NULL || to == NULL || !kind_of(channels, &space, &type) ||
        cmsGetColorSpace(from) != space)
        return NULL;
    return cmsCreateTransformTHR(context, from, type, to, TYPE_RGB_8, INTENT_RELATIVE_COLORIMETRIC,
                                 cmsFLAGS_BLACKPOINTCOMPENSATION);
}

/* Whether RGB comes out as it goes in. */
static bool changes_nothing(cmsHTRANSFORM transform)
{
    for (int i = 0; i < GRID * GRID * GRID; i++) {
        uint8_t in[3] = { (uint8_t)(i % GRID * 255 / (GRID - 1)),
                          (uint8_t)(i / GRID % GRID * 255 / (GRID - 1)),
                          (uint8_t)(i / GRID / GRID * 255 / (GRID - 1)) };
        uint8_t out[3];
        cmsDoTransform(transform, in, out, 1);
        for (int c = 0; c < 3; c++)
            if (abs(in[c] - out[c]) > SAME_WITHIN)
                return false;
    }
    return true;
}

struct zt_icc *zt_icc_new(const void *profile, size_t n, int channels)
{
    if (n < MIN_PROFILE_BYTES || n > MAX_PROFILE_BYTES)
        return NULL;
    zt_auto(icc) struct zt_icc *icc = zt_new(struct zt_icc);
    icc->context = cmsCreateContext(NULL, NULL);
    if (icc->context == NULL)
        return NULL;
    cmsHPROFILE from = cmsOpenProfileFromMemTHR(icc->context, profile, (cmsUInt32Number)n);
    cmsHPROFILE to = cmsCreate_sRGBProfileTHR(icc->context);
    icc->transform = make_transform(icc->context, from, to, channels);
    if (from)
        cmsCloseProfile(from);
    if (to)
        cmsCloseProfile(to);
    if (icc->transform == NULL || (channels == 3 && changes_nothing(icc->transform)))
        return NULL;
    return zt_take_icc(&icc);
}

void zt_icc_free(struct zt_icc *icc)
{
    if (icc == NULL)
        return;
    if (icc->transform)
        cmsDeleteTransform(icc->transform);
    if (icc->context)
        cmsDeleteContext(icc->context);
    free(icc);
}

void zt_icc_row(struct zt_icc *icc, const uint8_t *src, uint8_t *dst, int n)
{
    cmsDoTransform(icc->transform, src, dst, (cmsUInt32Number)n);
}
