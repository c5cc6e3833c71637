/*
 * test_card.c - model cards: defaults, what they change, and what they refuse by name.
 */
#include "base/error.h"
#include "check.h"
#include "models/wan/card.h"

static void starts_from_the_model_s_own_values(void)
{
    struct zt_card card;
    struct zt_err err = { 0 };

    zt_card_init(&card);
    CHECK_INT("an empty card", zt_card_parse("{}", 2, "card", &card, &err), ZT_OK);
    CHECK_INT("steps", card.schedule.steps, 50);
    CHECK_NEAR("guidance", card.guidance, 5, 0);
    CHECK_NEAR("guided everywhere", card.guidance_interval[1], 1, 0);
    CHECK_NEAR("no cache", card.step_cache, 0, 0);
    CHECK_NEAR("shift", card.schedule.shift, 5, 0);
    CHECK_NEAR("shift at 480p", card.shift_480p, 3, 0);
    CHECK_INT("update", card.schedule.update, ZT_UPDATE_UNIPC);
    CHECK_INT("w8a8", card.w8a8, ZT_DIT_W8A8_NONE);
    CHECK_INT("attention", card.attention, ZT_DIT_SCORES_FULL);
    CHECK_HAS("negative prompt", card.negative, "三条腿");
    CHECK_INT("no folder, no card", zt_card_read("/nonexistent", &card, &err), ZT_OK);
    CHECK_STR("nothing said", err.msg, "");
}

static void describes_a_distilled_model(void)
{
    static const char text[] =
        "{\"name\": \"FastWan\", \"levels\": [1, 0.757, 0.522], \"sampler\": \"renoise\","
        " \"guidance\": 1, \"guidance_interval\": [0.25, 0.75], \"negative_prompt\": \"\", "
        "\"decoder\": \"tiny\", \"w8a8\": \"all\", \"attention\": \"int8\","
        " \"step_cache\": 0.08,"
        " \"files\": {\"dit\": \"sub/dit.gguf\", \"tiny\": \"taew2_2.safetensors\"},"
        " \"max_frames\": 81, \"overlap_frames\": 1, \"max_pixels\": 500000}";
    struct zt_card card;
    struct zt_err err = { 0 };

    zt_card_init(&card);
    CHECK_INT("read", zt_card_parse(text, sizeof(text) - 1, "card", &card, &err), ZT_OK);
    CHECK_STR("no error", err.msg, "");
    CHECK_STR("name", card.name, "FastWan");
    CHECK_INT("steps", card.schedule.steps, 3);
    CHECK_NEAR("level", card.schedule.levels[1], 0.757, 0);
    CHECK_NEAR("levels are not shifted unless told", card.schedule.shift, 1, 0);
    CHECK_NEAR("nor at 480p", card.shift_480p, 1, 0);
    CHECK_NEAR("guided above", card.guidance_interval[0], 0.25, 0);
    CHECK_NEAR("and up to", card.guidance_interval[1], 0.75, 0);
    CHECK_NEAR("cache", card.step_cache, 0.08, 0);
    CHECK_INT("sampler", card.schedule.update, ZT_UPDATE_RENOISE);
    CHECK_INT("decoder", card.decoder, ZT_DECODER_TINY);
    CHECK_INT("w8a8", card.w8a8, ZT_DIT_W8A8_ALL);
    CHECK_INT("attention", card.attention, ZT_DIT_SCORES_INT8);
    CHECK_STR("dit", card.parts[ZT_PART_DIT], "sub/dit.gguf");
    CHECK_STR("vae", card.parts[ZT_PART_VAE], "");
    CHECK_INT("frames", card.max_frames, 81);
    CHECK_INT("overlap", card.overlap_frames, 1);
    CHECK_INT("pixels", card.max_pixels, 500000);
}

/* The levels of four steps shifted by 5 are 0.9998, 0.9374, 0.8331, 0.6244; by 3 at 480p lower. */
static void knows_whether_anything_is_guided(void)
{
    static const struct {
        const char *json;
        bool at_480p, at_720p;
    } cards[] = {
        { "{\"steps\":4}", true, true },
        { "{\"steps\":4,\"guidance\":1}", false, false },
        { "{\"steps\":4,\"guidance_interval\":[0.1,0.49]}", false, false },
        { "{\"steps\":4,\"guidance_interval\":[0.1,0.6]}", true, false },
        { "{\"steps\":4,\"guidance_interval\":[0.9999,1]}", false, false },
        { "{\"levels\":[0.5],\"guidance_interval\":[0.4,0.5]}", true, true },
        { "{\"levels\":[0.5],\"guidance_interval\":[0.5,0.6]}", false, false },
    };

    for (size_t i = 0; i < ZT_COUNT(cards); i++) {
        struct zt_card card;
        struct zt_err err = { 0 };
        zt_card_init(&card);
        CHECK_INT(cards[i].json,
                  zt_card_parse(cards[i].json, strlen(cards[i].json), "card", &card, &err), ZT_OK);
        CHECK_INT(cards[i].json, zt_card_guides(&card, ZT_480P), cards[i].at_480p);
        CHECK_INT(cards[i].json, zt_card_guides(&card, ZT_720P), cards[i].at_720p);
    }
}

static const struct {
    const char *label, *json, *part; /* of the message */
} refused[] = {
    { "not JSON", "{", "card" },
    { "not an object", "[]", "object" },
    { "twice", "{\"steps\":1,\"steps\":2}", "steps" },
    { "unknown key", "{\"step\":1}", "step is not a key" },
    { "interval", "{\"guidance_interval\":[0.5,0.5]}", "two rising numbers from 0 to 1" },
    { "interval of one", "{\"guidance_interval\":[0.5]}", "guidance_interval must be two" },
    { "interval, no list", "{\"guidance_interval\":0.5}", "guidance_interval must be two" },
    { "interval beyond", "{\"guidance_interval\":[0.5,1.1]}", "guidance_interval must be two" },
    { "interval of three", "{\"guidance_interval\":[0,0.5,1]}", "guidance_interval must be two" },
    { "steps", "{\"steps\":0}", "steps must be a whole number from 1 to 100" },
    { "steps, not whole", "{\"steps\":2.5}", "steps must be a whole number" },
    { "shift", "{\"shift\":\"5\"}", "shift must be a number from 0.1 to 100" },
    { "sampler", "{\"sampler\":\"dpm\"}", "sampler must be one of unipc, euler, renoise" },
    { "levels", "{\"levels\":[]}", "levels must be a list" },
    { "levels, words", "{\"levels\":[\"1\"]}", "levels must be a list of numbers" },
    { "levels, rising", "{\"levels\":[0.5,0.9]}", "level" },
    { "levels and steps", "{\"levels\":[1],\"steps\":4}", "in place of steps" },
    { "grid without levels", "{\"grid\":\"levels\"}", "only with a list" },
    { "frames", "{\"max_frames\":120}", "one more than a multiple of 4" },
    { "overlap", "{\"max_frames\":9,\"overlap_frames\":9}", "below max_frames" },
    { "name", "{\"name\":7}", "name must be a text" },
    { "part", "{\"files\":{\"unet\":\"x\"}}", "knows dit" },
    { "absolute", "{\"files\":{\"dit\":\"/etc/passwd\"}}", "within the model's folder" },
    { "outside", "{\"files\":{\"dit\":\"a/../../b\"}}", "within the model's folder" },
    { "decoder", "{\"decoder\":\"huge\"}", "decoder must be one of vae, tiny" },
    { "cache", "{\"step_cache\":1.5}", "step_cache must be a number from 0 to 1" },
    { "cache below", "{\"step_cache\":-0.1}", "step_cache must be a number from 0 to 1" },
    { "cache, no number", "{\"step_cache\":true}", "step_cache must be a number" },
    { "w8a8", "{\"w8a8\":\"attention\"}", "w8a8 must be one of none, ffn, all" },
    { "attention", "{\"attention\":\"int4\"}", "attention must be one of full, int8" },
    { "w8a8, no word", "{\"w8a8\":true}", "w8a8 must be one of none, ffn, all" },
};

static void refuses_what_it_does_not_know(void)
{
    for (size_t i = 0; i < ZT_COUNT(refused); i++) {
        struct zt_card card;
        struct zt_err err = { 0 };
        zt_card_init(&card);
        CHECK_INT(refused[i].label,
                  zt_card_parse(refused[i].json, strlen(refused[i].json), "card", &card, &err),
                  ZT_E_INVALID);
        CHECK_HAS(refused[i].label, err.msg, refused[i].part);
        CHECK_HAS(refused[i].label, err.msg, "card");
    }
}

int main(void)
{
    RUN(starts_from_the_model_s_own_values);
    RUN(describes_a_distilled_model);
    RUN(knows_whether_anything_is_guided);
    RUN(refuses_what_it_does_not_know);
    return check_done();
}
