/*
 * card.h - the model card: a small JSON file beside the weights that says how they are to be used.
 *
 * A folder without one gets the defaults of Wan2.2-TI2V-5B. Distilled checkpoints (3 or 4 steps, no
 * guidance) are a card, not another engine. The keys and their ranges: docs/MODELS.md.
 */
#ifndef ZT_MODELS_WAN_CARD_H
#define ZT_MODELS_WAN_CARD_H

#include "base/error.h"
#include "models/sampler.h"
#include "models/wan/dit.h"

#include <limits.h>

#define ZT_CARD_FILE     "zoetrope.json"
#define ZT_CARD_TEXT_MAX 4096
#define ZT_CARD_NAME_MAX 256

/* The parts of a model, as files or folders. */
enum zt_part { ZT_PART_DIT, ZT_PART_VAE, ZT_PART_TINY, ZT_PART_TEXT, ZT_PART_TOKENIZER, ZT_PARTS };
extern const char *const zt_part_names[ZT_PARTS]; /* "dit" "vae" "tiny" "text" "tokenizer" */

enum zt_decoder { ZT_DECODER_VAE, ZT_DECODER_TINY, ZT_DECODERS };
extern const char *const zt_decoder_names[ZT_DECODERS]; /* "vae" "tiny" */

struct zt_card {
    char name[64];
    char parts[ZT_PARTS]
              [ZT_CARD_NAME_MAX]; /* within the model's folder; "" where it says nothing */
    struct zt_schedule schedule;
    double shift_480p;               /* in place of schedule.shift at 480p */
    double guidance;                 /* 1: one pass a step */
    double guidance_interval[2];     /* noise levels above the first, up to the second: guided */
    double step_cache;               /* threshold of denoise.h's cache; 0: none */
    char negative[ZT_CARD_TEXT_MAX]; /* used with guidance above 1 */
    enum zt_decoder decoder;
    enum zt_dit_w8a8 w8a8;
    enum zt_dit_scores attention;
    int max_frames;     /* of one pass, 4 k + 1; longer videos are made in parts */
    int overlap_frames; /* that a part takes over from the one before it, 4 k + 1 */
    int64_t max_pixels; /* of one frame; larger videos are made smaller and enlarged */
};

/* The defaults. */
void zt_card_init(struct zt_card *card);

/*
 * Reads <folder>/zoetrope.json over the defaults; without that file they stay.
 *   ZT_E_INVALID  not JSON, an unknown key, a value out of range; msg names file and key
 */
enum zt_code zt_card_read(const char *folder, struct zt_card *card, struct zt_err *err);

/* The schedule at a resolution: 480p has a shift of its own. */
struct zt_schedule zt_card_schedule(const struct zt_card *card, enum zt_resolution resolution);

/* Whether a step of it is guided: else the negative prompt is not needed. */
bool zt_card_guides(const struct zt_card *card, enum zt_resolution resolution);

/* Another number of steps: of a grid; a list of levels has its own. ZT_E_INVALID, field "steps". */
enum zt_code zt_card_set_steps(struct zt_card *card, int steps, struct zt_err *err);

/* The same from text; `file` is for messages. */
enum zt_code zt_card_parse(const char *text, size_t n, const char *file, struct zt_card *card,
                           struct zt_err *err);

#endif
