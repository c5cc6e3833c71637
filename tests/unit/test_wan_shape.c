/*
 * test_wan_shape.c - sizes and parts that videos are generated in.
 */
#include "base/error.h"
#include "check.h"
#include "engine/plan.h"
#include "models/wan/shape.h"

static const struct {
    const char *label;
    int width, height;
    int64_t max_pixels; /* 0: the card's own */
    int want_width, want_height;
} sizes[] = {
    { "480p as it is", 864, 480, 0, 864, 480 },
    { "720p as it is", 1248, 704, 0, 1248, 704 },
    { "the widest 720p", 1504, 640, 0, 1504, 640 },
    { "1080p from 720p", 1920, 1088, 0, 1248, 704 },
    { "1080p, square", 1440, 1440, 0, 960, 960 },
    { "1080p, upright", 1088, 1920, 0, 704, 1248 },
    { "1080p from 480p", 1920, 1088, 500000, 864, 480 },
    { "1080p as it is", 1920, 1088, 4000000, 1920, 1088 },
    /* specs/wan.md 2.1 */
    { "by area, 16:9", 1920, 1088, 399360, 832, 480 },
    { "by area, 1:1", 640, 640, 399360, 640, 608 },
    { "small", 864, 480, 16384, 160, 96 },
};

static void fits_the_card(void)
{
    for (size_t i = 0; i < ZT_COUNT(sizes); i++) {
        struct zt_card card;
        int w, h;
        zt_card_init(&card);
        if (sizes[i].max_pixels > 0)
            card.max_pixels = sizes[i].max_pixels;
        zt_wan_size(&card, sizes[i].width, sizes[i].height, &w, &h);
        CHECK_INT(sizes[i].label, w, sizes[i].want_width);
        CHECK_INT(sizes[i].label, h, sizes[i].want_height);
    }
}

static void parts_make_the_whole(void)
{
    static const int overlaps[] = { 1, 5, 9 };

    for (size_t o = 0; o < ZT_COUNT(overlaps); o++)
        for (int s = ZT_DURATION_MIN_S; s <= ZT_DURATION_MAX_S; s++) {
            struct zt_wan_part parts[ZT_WAN_PARTS_MAX];
            struct zt_card card;
            char label[64];
            int shown = 0, longest = 0;
            zt_card_init(&card);
            card.overlap_frames = overlaps[o];
            int n = zt_wan_parts(&card, zt_frames_for(s), parts);
            snprintf(label, sizeof(label), "%d s, overlap %d", s, overlaps[o]);
            for (int i = 0; i < n; i++) {
                shown += parts[i].frames - parts[i].overlap;
                longest = parts[i].frames > longest ? parts[i].frames : longest;
                CHECK_INT(label, parts[i].frames % 4, 1);
                CHECK_INT(label, parts[i].overlap, i > 0 ? overlaps[o] : 0);
            }
            CHECK_INT(label, shown, zt_frames_for(s));
            CHECK(label, longest <= 120 + overlaps[o]);
            CHECK_INT(label, n, s <= 5 ? 1 : s <= 10 ? 2 : 3);
        }
}

int main(void)
{
    RUN(fits_the_card);
    RUN(parts_make_the_whole);
    return check_done();
}
