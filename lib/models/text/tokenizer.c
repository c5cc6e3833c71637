/* tokenizer.c - see tokenizer.h: opening, and the best split of each word. */
#include "models/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "models/text/vocabulary.h"

#define SPACE   "\xE2\x96\x81" /* U+2581 stands for the space before a word */
#define SPACE_N (sizeof(SPACE) - 1)

struct zt_tokenizer {
    struct zt_vocabulary vocabulary;
};

void zt_tokenizer_close(struct zt_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    zt_vocabulary_clear(&tokenizer->vocabulary);
    free(tokenizer);
}

static struct zt_tokenizer *new_tokenizer(void)
{
    struct zt_tokenizer *t = zt_new(struct zt_tokenizer);

    zt_vocabulary_init(&t->vocabulary);
    return t;
}

enum zt_code zt_tokenizer_from_bytes(const void *bytes, size_t n, struct zt_tokenizer **ret,
                                     struct zt_err *err)
{
    zt_auto(tokenizer) struct zt_tokenizer *t = new_tokenizer();

    if (n > ZT_VOCABULARY_MAX_BYTES)
        return zt_fail(err, ZT_E_LIMIT, "vocabulary is %zu bytes long, the limit is %zu", n,
                       ZT_VOCABULARY_MAX_BYTES);
    /* No SentencePiece model begins with a brace: it would be a group, of field 15. */
    if (n > 0 && *(const char *)bytes == '{')
        ZT_TRY(zt_tokenizer_json_read(bytes, n, &t->vocabulary, err));
    else
        ZT_TRY(zt_spiece_read(bytes, n, &t->vocabulary, err));
    ZT_TRY(zt_vocabulary_finish(&t->vocabulary, err));
    *ret = zt_take_tokenizer(&t);
    return ZT_OK;
}

enum zt_code zt_tokenizer_open(const char *path, struct zt_tokenizer **ret, struct zt_err *err)
{
    __attribute__((cleanup(zt_buf_clear))) struct zt_buf file = { .limit =
                                                                      ZT_VOCABULARY_MAX_BYTES };

    ZT_TRY(zt_file_read(path, &file, err));
    enum zt_code rc = zt_tokenizer_from_bytes(file.data, file.n, ret, err);
    if (rc != ZT_OK)
        zt_err_detail(err, "%s", path);
    return rc;
}

enum zt_code zt_tokenizer_from_pieces(const struct zt_piece *pieces, size_t n,
                                      struct zt_tokenizer **ret, struct zt_err *err)
{
    zt_auto(tokenizer) struct zt_tokenizer *t = new_tokenizer();

    for (size_t i = 0; i < n; i++)
        ZT_TRY(zt_vocabulary_add(&t->vocabulary, &pieces[i], err));
    ZT_TRY(zt_vocabulary_finish(&t->vocabulary, err));
    *ret = zt_take_tokenizer(&t);
    return ZT_OK;
}

int zt_tokenizer_size(const struct zt_tokenizer *tokenizer)
{
    return (int)tokenizer->vocabulary.n;
}

/* The best way to the end of a word's first bytes. */
struct best {
    double score;
    int32_t from; /* where its last piece begins; -1: no way ends here yet */
    int32_t id;   /* of its last piece */
};

/* The text with U+2581 for every space and before the first word; *ret_n bytes. */
static enum zt_code mark_spaces(const char *text, size_t n, char **ret, size_t *ret_n,
                                struct zt_err *err)
{
    size_t spaces = 0;
    size_t at = 0;
    void *p = NULL;

    for (size_t i = 0; i < n; i++)
        spaces += text[i] == ' ';
    ZT_TRY(zt_try_alloc(n + 1 + (spaces + 1) * SPACE_N, 1, "a prompt", &p, err));
    char *dst = p;
    if (n > 0 && text[0] != ' ' && (n < SPACE_N || memcmp(text, SPACE, SPACE_N) != 0)) {
        memcpy(dst, SPACE, SPACE_N);
        at = SPACE_N;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ' ') {
            memcpy(dst + at, SPACE, SPACE_N);
            at += SPACE_N;
        } else {
            dst[at++] = text[i];
        }
    }
    *ret = dst;
    *ret_n = at;
    return ZT_OK;
}

/* Bytes to the next U+2581 after the first character, or to the end. */
static size_t word_length(const char *text, size_t n)
{
    for (size_t i = 1; i + SPACE_N <= n; i++) {
        if (memcmp(text + i, SPACE, SPACE_N) == 0)
            return i;
    }
    return n;
}

static void offer(struct best *to, double score, size_t from, int32_t id)
{
    if (to->from < 0 || score > to->score)
        *to = (struct best){ score, (int32_t)from, id };
}

/* Finds the best split of a word; best has n + 1 entries. */
static void split(const struct zt_vocabulary *v, const char *word, size_t n, struct best *best)
{
    for (size_t i = 0; i <= n; i++)
        best[i] = (struct best){ 0, -1, -1 };
    for (size_t start = 0; start < n;) {
        uint32_t point;
        size_t one = zt_utf8_next(word + start, n - start, &point);
        uint32_t node = 0;
        bool covered = false;

        for (size_t end = start; end < n;) {
            node = zt_vocabulary_step(v, node, (unsigned char)word[end++]);
            if (node == 0)
                break;
            int32_t id = v->nodes[node].id;
            if (id < 0)
                continue;
            offer(&best[end], best[start].score + v->entries[id].score, start, id);
            covered |= end - start == one;
        }
        if (!covered)
            offer(&best[start + one], best[start].score + v->unknown_score, start, v->unknown);
        start += one;
    }
}

/* Writes the ids of the split that ends at n, at most max; a run of unknown ones is one. */
static int write_ids(const struct zt_vocabulary *v, const struct best *best, size_t n,
                     int32_t *path, int max, int32_t *ids)
{
    size_t steps = 0;
    int written = 0;

    for (int32_t at = (int32_t)n; at > 0; at = best[at].from) {
        bool again = best[at].id == v->unknown && steps > 0 && path[steps - 1] == v->unknown;
        if (!again)
            path[steps++] = best[at].id;
    }
    while (steps > 0 && written < max)
        ids[written++] = path[--steps];
    return written;
}

enum zt_code zt_tokenizer_encode(const struct zt_tokenizer *tokenizer, const char *text, size_t n,
                                 int max_ids, int32_t *ret_ids, int *ret_n, struct zt_err *err)
{
    const struct zt_vocabulary *v = &tokenizer->vocabulary;
    zt_auto_free char *marked = NULL;
    zt_auto_free void *best = NULL;
    zt_auto_free void *path = NULL;
    size_t length;
    int ids = 0;

    zt_assert(max_ids >= 1);
    if (n > ZT_TOKENIZE_MAX_BYTES)
        return zt_fail(err, ZT_E_LIMIT, "text is %zu bytes long, the limit is %zu", n,
                       ZT_TOKENIZE_MAX_BYTES);
    if (!zt_utf8_valid(text, n))
        return zt_fail(err, ZT_E_INVALID, "text is not valid UTF-8");
    ZT_TRY(mark_spaces(text, n, &marked, &length, err));
    ZT_TRY(zt_try_alloc(length + 1, sizeof(struct best), "splitting a prompt", &best, err));
    ZT_TRY(zt_try_alloc(length + 1, sizeof(int32_t), "splitting a prompt", &path, err));
    for (size_t at = 0; at < length && ids < max_ids - 1;) {
        size_t word = word_length(marked + at, length - at);
        split(v, marked + at, word, best);
        ids += write_ids(v, best, word, path, max_ids - 1 - ids, ret_ids + ids);
        at += word;
    }
    ret_ids[ids++] = v->end;
    *ret_n = ids;
    return ZT_OK;
}
