/*
 * spiece.c - SentencePiece's model file: a protocol buffer of which three messages matter.
 *
 * Read by hand: the wire format is a page of code, and a runtime with generated classes would be
 * more to trust than what it reads. Field numbers are those of sentencepiece_model.proto.
 */
#include <stdlib.h>
#include <string.h>

#include "models/text/vocabulary.h"

struct wire {
    const unsigned char *at;
    size_t n;
};

enum wire_type { VARINT, FIXED64, BYTES, FIXED32 = 5 };

struct field {
    uint64_t number;
    unsigned type;
    uint64_t value;    /* but of BYTES */
    struct wire bytes; /* of BYTES */
};

static enum zt_code cut_short(struct zt_err *err)
{
    return zt_fail(err, ZT_E_CORRUPT, "SentencePiece model is cut short or damaged");
}

static bool read_varint(struct wire *w, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && w->n > 0; shift += 7) {
        unsigned char byte = *w->at++;
        w->n--;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(struct wire *w, size_t n, uint64_t *ret)
{
    if (w->n < n)
        return false;
    *ret = 0;
    for (size_t i = n; i-- > 0;)
        *ret = *ret << 8 | w->at[i];
    w->at += n;
    w->n -= n;
    return true;
}

/* The next field of a message. Groups, which nothing writes any more, count as damage. */
static enum zt_code next_field(struct wire *w, struct field *ret, struct zt_err *err)
{
    uint64_t key;
    uint64_t length;

    if (!read_varint(w, &key) || key >> 3 == 0)
        return cut_short(err);
    *ret = (struct field){ .number = key >> 3, .type = key & 7 };
    switch (ret->type) {
    case VARINT:
        return read_varint(w, &ret->value) ? ZT_OK : cut_short(err);
    case FIXED64:
        return read_fixed(w, 8, &ret->value) ? ZT_OK : cut_short(err);
    case FIXED32:
        return read_fixed(w, 4, &ret->value) ? ZT_OK : cut_short(err);
    case BYTES:
        if (!read_varint(w, &length) || length > w->n)
            return cut_short(err);
        ret->bytes = (struct wire){ w->at, (size_t)length };
        w->at += length;
        w->n -= (size_t)length;
        return ZT_OK;
    default:
        return cut_short(err);
    }
}

static bool is(const struct field *f, uint64_t number, enum wire_type type)
{
    return f->number == number && f->type == type;
}

static enum zt_code read_piece(struct wire w, struct zt_vocabulary *v, struct zt_err *err)
{
    struct zt_piece piece = { .text = "", .type = ZT_PIECE_NORMAL };
    struct field f = { 0 };

    while (w.n > 0) {
        ZT_TRY(next_field(&w, &f, err));
        if (is(&f, 1, BYTES)) {
            piece.text = (const char *)f.bytes.at;
            piece.n = f.bytes.n;
        } else if (is(&f, 2, FIXED32)) {
            uint32_t bits = (uint32_t)f.value;
            float score;
            memcpy(&score, &bits, sizeof(score));
            piece.score = (double)score;
        } else if (is(&f, 3, VARINT)) {
            piece.type = f.value <= ZT_PIECE_BYTE ? (int)f.value : 0;
        }
    }
    return zt_vocabulary_add(v, &piece, err);
}

static enum zt_code read_trainer_spec(struct wire w, struct zt_err *err)
{
    struct field f = { 0 };

    while (w.n > 0) {
        ZT_TRY(next_field(&w, &f, err));
        if (is(&f, 3, VARINT) && f.value != 1)
            return zt_fail(err, ZT_E_UNSUPPORTED,
                           "SentencePiece model is of type %llu, only 1 (unigram) can be used",
                           (unsigned long long)f.value);
        if (is(&f, 24, VARINT) && f.value != 0)
            return zt_fail(err, ZT_E_UNSUPPORTED,
                           "SentencePiece model has white space as a suffix, only as a prefix "
                           "can be used");
    }
    return ZT_OK;
}

static enum zt_code read_normalizer_spec(struct wire w, struct zt_err *err)
{
    struct field f = { 0 };

    while (w.n > 0) {
        ZT_TRY(next_field(&w, &f, err));
        if (is(&f, 2, BYTES) && f.bytes.n > 0)
            return zt_fail(err, ZT_E_UNSUPPORTED,
                           "SentencePiece model has a normalisation table, only identity can be "
                           "used");
        /* Whether extra spaces are removed (4) is no matter: a cleaned text has none. */
        if ((is(&f, 3, VARINT) || is(&f, 5, VARINT)) && f.value == 0)
            return zt_fail(err, ZT_E_UNSUPPORTED,
                           "SentencePiece model does without U+2581 for spaces or before the text, "
                           "which can not be used");
    }
    return ZT_OK;
}

enum zt_code zt_spiece_read(const unsigned char *bytes, size_t n, struct zt_vocabulary *v,
                            struct zt_err *err)
{
    struct wire w = { bytes, n };
    struct field f = { 0 };

    while (w.n > 0) {
        ZT_TRY(next_field(&w, &f, err));
        if (is(&f, 1, BYTES))
            ZT_TRY(read_piece(f.bytes, v, err));
        else if (is(&f, 2, BYTES))
            ZT_TRY(read_trainer_spec(f.bytes, err));
        else if (is(&f, 3, BYTES))
            ZT_TRY(read_normalizer_spec(f.bytes, err));
    }
    return ZT_OK;
}
