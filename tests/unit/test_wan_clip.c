/*
 * test_wan_clip.c - clips that are none are told apart from clips, and latents are kept.
 */
#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "check.h"
#include "models/wan/clip.h"
#include "models/wan/kept.h"

#include <stdlib.h>

#define N (3 * 8 * 8)

enum picture { NOISE, BLACK, GREEN, NANS, INFS, SAME };

static void paint(float *values, enum picture picture, int frame)
{
    struct zt_rng rng;

    zt_rng_init(&rng, 1, picture == SAME ? 0 : (uint64_t)frame);
    for (int i = 0; i < N; i++) {
        values[i] = zt_rng_range(&rng, -1, 1);
        if (picture == BLACK)
            values[i] = -1;
        if (picture == GREEN)
            values[i] = i % 3 == 1 ? 0.99F : -0.5F;
    }
    if (picture == NANS)
        values[17] = NAN;
    if (picture == INFS)
        values[18] = -INFINITY;
}

static const struct {
    const char *label;
    enum picture pictures[5];
    int frames; /* expected */
    bool input_flat;
    enum zt_code code;
    const char *part;
} rows[] = {
    { "a clip", { NOISE, NOISE, NOISE, NOISE, NOISE }, 5, false, ZT_OK, "" },
    { "too short",
      { NOISE, NOISE, NOISE, NOISE, NOISE },
      6,
      false,
      ZT_E_CORRUPT,
      "5 frames where 6" },
    { "black",
      { BLACK, BLACK, BLACK, BLACK, BLACK },
      5,
      false,
      ZT_E_CORRUPT,
      "5 of the video's 5" },
    { "black, as asked", { BLACK, BLACK, BLACK, BLACK, BLACK }, 5, true, ZT_OK, "" },
    { "green", { GREEN, GREEN, GREEN, GREEN, GREEN }, 5, false, ZT_E_CORRUPT, "of one colour" },
    { "fades at the end", { NOISE, NOISE, NOISE, NOISE, BLACK }, 5, false, ZT_OK, "" },
    { "flat at first", { BLACK, NOISE, NOISE, NOISE, NOISE }, 5, false, ZT_E_CORRUPT, "frame 0" },
    { "mostly flat", { NOISE, NOISE, BLACK, BLACK, BLACK }, 5, false, ZT_E_CORRUPT, "frame 2" },
    { "no number", { NOISE, NANS, NOISE, NOISE, NOISE }, 5, false, ZT_E_CORRUPT, "1 values" },
    { "no numbers", { NOISE, NANS, INFS, NOISE, NANS }, 5, true, ZT_E_CORRUPT, "3 values" },
    { "frozen", { SAME, SAME, SAME, SAME, SAME }, 5, false, ZT_E_CORRUPT, "the same" },
};

static void tells_clips_from_failures(void)
{
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_clip clip;
        struct zt_err err = { 0 };
        zt_clip_init(&clip);
        for (int f = 0; f < 5; f++) {
            float values[N];
            paint(values, rows[i].pictures[f], f);
            zt_clip_add(&clip, values, N / 3, 0);
        }
        CHECK_INT(rows[i].label, zt_clip_judge(&clip, rows[i].frames, rows[i].input_flat, &err),
                  rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].part);
    }
}

static void counts_what_a_decoder_replaced(void)
{
    struct zt_clip clip;
    struct zt_err err = { 0 };
    float values[N];

    zt_clip_init(&clip);
    paint(values, NOISE, 0);
    zt_clip_add(&clip, values, N / 3, 7);
    CHECK_INT("judged", zt_clip_judge(&clip, 1, false, &err), ZT_E_CORRUPT);
    CHECK_HAS("counted", err.msg, "7 values");
}

static void knows_flat_pictures(void)
{
    uint8_t pixels[4 * 4 * 3];
    struct zt_image image = { .width_px = 4, .height_px = 4, .stride = 12, .pixels = pixels };

    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t)(50 * (i % 3) + (i == 7));
    CHECK("flat but for a step", zt_clip_is_flat(&image));
    pixels[40] += 2;
    CHECK("not flat", !zt_clip_is_flat(&image));
}

static void keeps_latents(void)
{
    char folder[] = "/tmp/zt-kept-XXXXXX", path[64];
    uint8_t key[ZT_KEPT_KEY] = { 1, 2, 3 }, other[ZT_KEPT_KEY] = { 1, 2, 4 };
    float latent[N], got[N] = { 0 };
    struct zt_err err = { 0 };
    struct zt_buf buf;

    CHECK("folder", mkdtemp(folder) != NULL);
    paint(latent, NOISE, 0);
    CHECK("none yet", !zt_kept_load(folder, 3, key, got, N));
    CHECK_INT("save", zt_kept_save(folder, 3, key, latent, N, &err), ZT_OK);
    CHECK("load", zt_kept_load(folder, 3, key, got, N));
    CHECK("the same", memcmp(got, latent, sizeof(got)) == 0);
    CHECK("another part", !zt_kept_load(folder, 2, key, got, N));
    CHECK("another request", !zt_kept_load(folder, 3, other, got, N));
    CHECK("another size", !zt_kept_load(folder, 3, key, got, N - 1));
    snprintf(path, sizeof(path), "%s/latent.03", folder);
    zt_buf_init(&buf, 1 << 20);
    CHECK_INT("read", zt_file_read(path, &buf, &err), ZT_OK);
    buf.data[buf.n - 1] ^= 1;
    CHECK_INT("damage", zt_file_write(path, buf.data, buf.n, 0600, &err), ZT_OK);
    CHECK("a damaged one counts as absent", !zt_kept_load(folder, 3, key, got, N));
    CHECK_INT("cut", zt_file_write(path, buf.data, 40, 0600, &err), ZT_OK);
    CHECK("so does a short one", !zt_kept_load(folder, 3, key, got, N));
    zt_buf_clear(&buf);
    CHECK_INT("remove", zt_remove_tree(folder, &err), ZT_OK);
}

int main(void)
{
    RUN(tells_clips_from_failures);
    RUN(counts_what_a_decoder_replaced);
    RUN(knows_flat_pictures);
    RUN(keeps_latents);
    return check_done();
}
