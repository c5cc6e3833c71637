/*
 * bench/tokenizer.c - what it takes to load a vocabulary as large as umT5's from each kind of file,
 * and to clean and tokenize a prompt of 2 000 characters with it.
 *
 *     bench_tokenizer
 *
 * The vocabulary is made up: 256 000 pieces of syllables, letters and Chinese characters. Times are
 * those of the processor, the median of the rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "measure.h"
#include "models/text/clean.h"
#include "models/text/tokenizer.h"

#define PIECES     256000
#define CHINESE    14000
#define CHARACTERS 2000
#define ROUNDS     9
#define SPACE      "\u2581"

static struct zt_err err;

static void must(enum zt_code rc, const char *what)
{
    if (rc == ZT_OK)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, err.msg, err.detail);
    exit(1);
}

static void add_chinese(struct zt_buf *dst, unsigned n)
{
    unsigned c = 0x4E00 + n;
    char bytes[3] = { (char)(0xE0 | c >> 12), (char)(0x80 | (c >> 6 & 63)),
                      (char)(0x80 | (c & 63)) };

    must(zt_buf_add(dst, bytes, 3, &err), "text");
}

/* A word of its own for each number: syllables for its digits to base 100. */
static void add_word(struct zt_buf *dst, unsigned n)
{
    static const char vowels[] = "aeiou";
    static const char consonants[] = "bcdfghjklmnpqrstvwxz";
    unsigned digits = n < 100 ? 1 : n < 10000 ? 2 : 3;

    for (; digits > 0; digits--, n /= 100) {
        must(zt_buf_add(dst, &consonants[n % 20], 1, &err), "text");
        must(zt_buf_add(dst, &vowels[n / 20 % 5], 1, &err), "text");
    }
}

static int make_piece(unsigned id, struct zt_buf *text)
{
    static const char *const special[] = { "<pad>", "</s>", "<s>", "<unk>", SPACE };

    text->n = 0;
    if (id < ZT_COUNT(special)) {
        must(zt_buf_printf(text, &err, "%s", special[id]), "piece");
        return id < 3 ? ZT_PIECE_CONTROL : id == 3 ? ZT_PIECE_UNKNOWN : ZT_PIECE_NORMAL;
    }
    id -= ZT_COUNT(special);
    if (id < 26) {
        must(zt_buf_printf(text, &err, "%c", 'a' + (int)id), "piece");
    } else if (id < 26 + CHINESE) {
        add_chinese(text, id - 26);
    } else {
        id -= 26 + CHINESE;
        must(zt_buf_printf(text, &err, "%s", id % 2 ? SPACE : ""), "piece");
        add_word(text, id / 2);
    }
    return ZT_PIECE_NORMAL;
}

/* Both kinds of files of the same vocabulary; every message is shorter than 128 bytes. */
static void make_files(struct zt_buf *model, struct zt_buf *json)
{
    struct zt_buf text = { .limit = 256 };
    struct zt_rng rng;

    zt_rng_init(&rng, 1, 1);
    must(zt_buf_printf(json, &err,
                       "{\"added_tokens\":[{\"id\":1,\"content\":\"</s>\",\"special\":true}],"
                       "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" SPACE "\"},"
                       "\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":["),
         "json");
    for (unsigned id = 0; id < PIECES; id++) {
        int type = make_piece(id, &text);
        float score = zt_rng_range(&rng, -19, -5);
        unsigned char head[4] = { 0x0A, (unsigned char)(text.n + 9), 0x0A, (unsigned char)text.n };
        unsigned char tail[7] = { 0x15, 0, 0, 0, 0, 0x18, (unsigned char)type };
        memcpy(tail + 1, &score, sizeof(score)); /* on a little-endian machine */
        must(zt_buf_add(model, head, sizeof(head), &err), "model");
        must(zt_buf_add(model, text.data, text.n, &err), "model");
        must(zt_buf_add(model, tail, sizeof(tail), &err), "model");
        must(zt_buf_printf(json, &err, "%s\n      [\n        \"%s\",\n        %.16g\n      ]",
                           id > 0 ? "," : "", text.data, (double)score),
             "json");
    }
    must(zt_buf_printf(json, &err, "]}}"), "json");
    zt_buf_clear(&text);
}

static struct zt_tokenizer *load(const char *label, const struct zt_buf *file)
{
    struct zt_tokenizer *t = NULL;
    double took_ms[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        zt_tokenizer_close(t);
        double start = cpu_us();
        must(zt_tokenizer_from_bytes(file->data, file->n, &t, &err), label);
        took_ms[i] = (cpu_us() - start) / 1e3;
    }
    printf("load %-15s %5.1f MB  %8.2f ms\n", label, (double)file->n / 1e6,
           median(took_ms, ROUNDS));
    return t;
}

static void encode(const struct zt_tokenizer *t, const char *label, const struct zt_buf *text)
{
    double clean_ms[ROUNDS];
    double encode_ms[ROUNDS];
    static int32_t ids[CHARACTERS * 2];
    int n = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct zt_buf clean = { .limit = 1 << 20 };
        double start = cpu_us();
        must(zt_prompt_clean(text->data, text->n, &clean, &err), label);
        clean_ms[i] = (cpu_us() - start) / 1e3;
        start = cpu_us();
        must(zt_tokenizer_encode(t, clean.data, clean.n, ZT_COUNT(ids), ids, &n, &err), label);
        encode_ms[i] = (cpu_us() - start) / 1e3;
        zt_buf_clear(&clean);
    }
    printf("%-20s clean %6.3f ms, tokenize %6.3f ms (%d ids)\n", label, median(clean_ms, ROUNDS),
           median(encode_ms, ROUNDS), n);
}

int main(void)
{
    struct zt_buf model = { .limit = ZT_VOCABULARY_MAX_BYTES };
    struct zt_buf json = { .limit = ZT_VOCABULARY_MAX_BYTES };
    struct zt_buf text = { .limit = 1 << 20 };
    struct zt_rng rng;

    make_files(&model, &json);
    zt_tokenizer_close(load("tokenizer.json", &json));
    struct zt_tokenizer *t = load("spiece.model", &model);
    zt_rng_init(&rng, 2, 1);
    while (text.n < CHARACTERS) {
        add_word(&text, zt_rng_u32(&rng) % 1000000);
        must(zt_buf_add(&text, " ", 1, &err), "text");
    }
    encode(t, "words", &text);
    zt_buf_clear(&text);
    for (int i = 0; i < CHARACTERS; i++)
        add_chinese(&text, zt_rng_u32(&rng) % CHINESE);
    encode(t, "Chinese", &text);
    zt_tokenizer_close(t);
    zt_buf_clear(&model);
    zt_buf_clear(&json);
    zt_buf_clear(&text);
    return 0;
}
