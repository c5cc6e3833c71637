/*
 * words.c - from a request's prompt to the embeddings the DiT attends to: specs/wan.md 3, 4.
 */
#include "models/wan/inside.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "models/text/clean.h"
#include "tensor/gguf.h"

#include <string.h>

#define WORDS_MAX 65536

/* A fixed camera has no input of its own: it is said in words (3.3). */
static const char fixed_camera[] = " 镜头固定不动。Static camera, the camera does not move.";
static const char moving_camera[] = "，镜头晃动，镜头移动";

void zt_wan_words_clear(struct zt_wan_words *words)
{
    free(words->text);
    free(words->rows);
    *words = (struct zt_wan_words){ 0 };
}

static enum zt_code tokenize(const struct zt_wan *wan, const char *text,
                             int32_t ids[ZT_UMT5_TOKENS_MAX], int *ret_n, struct zt_err *err)
{
    struct zt_buf clean;

    zt_buf_init(&clean, WORDS_MAX);
    enum zt_code rc = zt_prompt_clean(text, strlen(text), &clean, err);
    if (rc == ZT_OK)
        rc = zt_tokenizer_encode(wan->tokenizer, clean.data ? clean.data : "", clean.n,
                                 ZT_UMT5_TOKENS_MAX, ids, ret_n, err);
    zt_buf_clear(&clean);
    return rc;
}

static enum zt_code encode(struct zt_wan *wan, struct zt_umt5 *encoder, const char *text,
                           struct zt_wan_words *ret, struct zt_err *err)
{
    int32_t ids[ZT_UMT5_TOKENS_MAX];
    void *rows = NULL;
    int n = 0;

    ZT_TRY(tokenize(wan, text, ids, &n, err));
    ZT_TRY(zt_try_alloc((size_t)n * (size_t)zt_umt5_config(encoder)->dim, sizeof(float),
                        "a prompt's embedding", &rows, err));
    enum zt_code rc = zt_umt5_encode(encoder, ids, n, rows, err);
    if (rc != ZT_OK) {
        free(rows);
        return rc;
    }
    zt_wan_words_clear(ret);
    *ret = (struct zt_wan_words){ .text = zt_strdup_or_die(text), .rows = rows, .n = n };
    return ZT_OK;
}

static bool is_of(const struct zt_wan_words *words, const char *text)
{
    return words->text != NULL && strcmp(words->text, text) == 0;
}

/*
 * The encoder is used for a moment and is as large as the rest together, so it runs on the CPU from
 * the mapped file, and its pages are given back.
 */
static enum zt_code encode_both(struct zt_wan_job *job, const char *prompt, const char *negative,
                                struct zt_err *err)
{
    struct zt_wan *wan = job->wan;
    zt_auto(device) struct zt_device *device = NULL;
    zt_auto(weights) struct zt_weights *weights = NULL;
    zt_auto(umt5) struct zt_umt5 *encoder = NULL;

    ZT_TRY(zt_wan_cpu(job, &device, err));
    ZT_TRY(zt_weights_open(wan->files.path[ZT_PART_TEXT], &weights, err));
    ZT_TRY(zt_umt5_open(weights, device, NULL, NULL, &encoder, err));
    if (!is_of(&wan->prompt, prompt))
        ZT_TRY(encode(wan, encoder, prompt, &wan->prompt, err));
    ZT_TRY(zt_meter_step(&job->meter, 1, 2, err));
    if (negative != NULL && !is_of(&wan->negative, negative))
        ZT_TRY(encode(wan, encoder, negative, &wan->negative, err));
    zt_weights_rest(weights);
    return ZT_OK;
}

enum zt_code zt_wan_words_read(struct zt_wan_job *job, struct zt_err *err)
{
    const struct zt_card *card = &job->wan->card;
    bool fixed = job->request->camera_fixed;
    struct zt_buf prompt, negative;
    enum zt_code rc;

    zt_buf_init(&prompt, WORDS_MAX);
    zt_buf_init(&negative, WORDS_MAX);
    rc = zt_buf_printf(&prompt, err, "%s%s", job->request->prompt, fixed ? fixed_camera : "");
    if (rc == ZT_OK)
        rc = zt_buf_printf(&negative, err, "%s%s", card->negative, fixed ? moving_camera : "");
    if (rc == ZT_OK && (!is_of(&job->wan->prompt, prompt.data) ||
                        (job->guided && !is_of(&job->wan->negative, negative.data))))
        rc = encode_both(job, prompt.data, job->guided ? negative.data : NULL, err);
    zt_buf_clear(&prompt);
    zt_buf_clear(&negative);
    return rc;
}
