/*
 * fuzz_tokenizer.c - the bytes as a vocabulary, which is refused or gives ids of its own; and as a
 * text, whose pieces from a fixed vocabulary spell it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "models/text/tokenizer.h"

#define IDS_MAX 512
#define UNKNOWN 3
#define SPACE   "\u2581"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct zt_piece pieces[] = {
    { "<pad>", 5, 0, ZT_PIECE_CONTROL },   { "</s>", 4, 0, ZT_PIECE_CONTROL },
    { "<s>", 3, 0, ZT_PIECE_CONTROL },     { "<unk>", 5, 0, ZT_PIECE_UNKNOWN },
    { "[web]", 5, 0, ZT_PIECE_USER },      { SPACE, 3, -2, ZT_PIECE_NORMAL },
    { "a", 1, -3, ZT_PIECE_NORMAL },       { "b", 1, -3, ZT_PIECE_NORMAL },
    { SPACE "a", 4, -4, ZT_PIECE_NORMAL }, { "ab", 2, -6, ZT_PIECE_NORMAL },
    { "abab", 4, -6, ZT_PIECE_NORMAL },    { "\u732B", 3, -5, ZT_PIECE_NORMAL },
};

static int encode(const struct zt_tokenizer *t, const char *text, size_t n, int32_t *ids)
{
    int count = 0;

    if (zt_tokenizer_encode(t, text, n, IDS_MAX, ids, &count, NULL) != ZT_OK)
        return 0;
    zt_assert(count >= 1 && count <= IDS_MAX);
    for (int i = 0; i < count; i++)
        zt_assert(ids[i] >= 0 && ids[i] < zt_tokenizer_size(t));
    return count;
}

/* The ids' pieces, one after another, are the text with its spaces marked. */
static void check_spelling(const char *text, size_t n, const int32_t *ids, int count)
{
    const struct zt_piece *first = &pieces[ids[0]];
    size_t at = 0;

    /* The mark before the first word is added where the text has none. */
    size_t skip = n >= 3 && memcmp(text, SPACE, 3) == 0 ? 0 : 3;
    if (n > 0 && text[0] == ' ')
        skip = 0;
    zt_assert(count == 1 || strncmp(first->text, SPACE, 3) == 0);
    for (int i = 0; i < count - 1; i++) {
        const struct zt_piece *p = &pieces[ids[i]];
        for (size_t k = i == 0 ? skip : 0; k < p->n;) {
            zt_assert(at < n);
            bool space = k == 0 && strncmp(p->text, SPACE, 3) == 0 && text[at] == ' ';
            zt_assert(space || text[at] == p->text[k]);
            k += space ? 3 : 1;
            at++;
        }
    }
    zt_assert(at == n || count == IDS_MAX);
}

static void as_text(const char *text, size_t n)
{
    static struct zt_tokenizer *t;
    int32_t ids[IDS_MAX];
    bool known = true;

    if (t == NULL)
        zt_assert(zt_tokenizer_from_pieces(pieces, ZT_COUNT(pieces), &t, NULL) == ZT_OK);
    int count = encode(t, text, n, ids);
    zt_assert((count > 0) == zt_utf8_valid(text, n));
    for (int i = 0; i < count; i++) {
        known &= ids[i] != UNKNOWN;
        zt_assert((ids[i] == 1) == (i == count - 1));
        zt_assert(i == 0 || ids[i] != UNKNOWN || ids[i - 1] != UNKNOWN);
    }
    if (count > 0 && known)
        check_spelling(text, n, ids, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char fixed[] = "a cat </s> [web]\u2581\u732B";
    struct zt_tokenizer *t = NULL;
    struct zt_err err = { 0 };
    int32_t ids[IDS_MAX];

    enum zt_code rc = zt_tokenizer_from_bytes(data, size, &t, &err);
    zt_assert((rc == ZT_OK) == (t != NULL) && (rc == ZT_OK) == (err.msg[0] == '\0'));
    if (t != NULL) {
        zt_assert(encode(t, fixed, sizeof(fixed) - 1, ids) > 0);
        encode(t, (const char *)data, size, ids);
    }
    zt_tokenizer_close(t);
    as_text((const char *)data, size);
    return 0;
}
