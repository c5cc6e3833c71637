/*
 * tokenizer_json.c - Hugging Face's tokenizer.json: the vocabulary of a Unigram model as pairs of
 * piece and score, in the order of their ids.
 *
 * What else the file says about the text is compared with what tokenizer.c does, not carried out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "models/text/vocabulary.h"

static const struct zt_json_limits limits = { ZT_VOCABULARY_MAX_BYTES / 2, 16 };

static const char *string_at(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s != NULL ? s : "";
}

static bool has_type(const json_t *object, const char *type)
{
    return strcmp(string_at(object, "type"), type) == 0;
}

/* Whether a cleaned text passes the normaliser as it is: it has no two spaces, none at its ends. */
static bool leaves_text(const json_t *normalizer)
{
    const json_t *pattern = json_object_get(normalizer, "pattern");
    const json_t *parts = json_object_get(normalizer, "normalizers");

    if (has_type(normalizer, "Replace"))
        return strcmp(string_at(pattern, "Regex"), " {2,}") == 0;
    for (size_t i = 0; has_type(normalizer, "Sequence") && i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        if (has_type(part, "Sequence") || !leaves_text(part))
            return false;
    }
    return json_is_null(normalizer) || has_type(normalizer, "Strip") ||
           has_type(normalizer, "Sequence");
}

static bool is_metaspace(const json_t *pre)
{
    const json_t *parts = json_object_get(pre, "pretokenizers");

    if (has_type(pre, "Sequence") && json_array_size(parts) == 2 &&
        has_type(json_array_get(parts, 0), "WhitespaceSplit"))
        pre = json_array_get(parts, 1);
    const char *scheme = string_at(pre, "prepend_scheme");
    return has_type(pre, "Metaspace") && strcmp(string_at(pre, "replacement"), "\u2581") == 0 &&
           (strcmp(scheme, "always") == 0 || scheme[0] == '\0') &&
           !json_is_false(json_object_get(pre, "add_prefix_space")) &&
           !json_is_false(json_object_get(pre, "split"));
}

static enum zt_code check_kind(const json_t *root, const json_t *model, struct zt_err *err)
{
    const json_t *normalizer = json_object_get(root, "normalizer");

    if (!has_type(model, "Unigram"))
        return zt_fail(err, ZT_E_UNSUPPORTED, "tokenizer.json has a model of type '%.40s', not %s",
                       string_at(model, "type"), "'Unigram'");
    if (normalizer != NULL && !leaves_text(normalizer))
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "tokenizer.json has a normalizer other than for spaces: '%.40s'",
                       string_at(normalizer, "type"));
    if (!is_metaspace(json_object_get(root, "pre_tokenizer")))
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "tokenizer.json has a pre_tokenizer other than a Metaspace that puts U+2581 "
                       "before every word");
    return ZT_OK;
}

/* types has n entries, all normal; marks the tokens with a meaning of their own. */
static enum zt_code mark_special(const json_t *root, const json_t *model, signed char *types,
                                 size_t n, struct zt_err *err)
{
    const json_t *added = json_object_get(root, "added_tokens");
    json_int_t unknown = json_integer_value(json_object_get(model, "unk_id"));

    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);
        json_int_t id = json_integer_value(json_object_get(token, "id"));
        if (!json_is_integer(json_object_get(token, "id")) || id < 0)
            return zt_fail(err, ZT_E_CORRUPT, "tokenizer.json: added token %zu has no id", i);
        if ((uint64_t)id < n && json_is_true(json_object_get(token, "special")))
            types[id] = ZT_PIECE_CONTROL;
    }
    if (!json_is_integer(json_object_get(model, "unk_id")) || unknown < 0 || (uint64_t)unknown >= n)
        return zt_fail(err, ZT_E_CORRUPT, "tokenizer.json: unk_id is none of the %zu pieces", n);
    types[unknown] = ZT_PIECE_UNKNOWN;
    return ZT_OK;
}

static enum zt_code read_root(const json_t *root, struct zt_vocabulary *v, struct zt_err *err)
{
    const json_t *model = json_object_get(root, "model");
    const json_t *pieces = json_object_get(model, "vocab");
    zt_auto_free void *allocated = NULL;
    size_t n = json_array_size(pieces);

    ZT_TRY(check_kind(root, model, err));
    if (n == 0 || n > ZT_PIECES_MAX)
        return zt_fail(err, n == 0 ? ZT_E_CORRUPT : ZT_E_LIMIT,
                       "tokenizer.json has %zu pieces, not 1 to %d", n, ZT_PIECES_MAX);
    ZT_TRY(zt_try_alloc(n, 1, "the pieces' types", &allocated, err));
    signed char *types = allocated;
    memset(types, ZT_PIECE_NORMAL, n);
    ZT_TRY(mark_special(root, model, types, n, err));
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(pieces, i);
        const json_t *text = json_array_get(pair, 0);
        const json_t *score = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_string(text) || !json_is_number(score))
            return zt_fail(err, ZT_E_CORRUPT, "tokenizer.json: piece %zu is not [text, score]", i);
        struct zt_piece piece = { .text = json_string_value(text),
                                  .n = json_string_length(text),
                                  .score = json_number_value(score),
                                  .type = types[i] };
        ZT_TRY(zt_vocabulary_add(v, &piece, err));
    }
    return ZT_OK;
}

enum zt_code zt_tokenizer_json_read(const char *text, size_t n, struct zt_vocabulary *v,
                                    struct zt_err *err)
{
    __attribute__((cleanup(zt_auto_json))) json_t *root = NULL;

    enum zt_code rc = zt_json_parse(text, n, &limits, &root, err);
    if (rc != ZT_OK) {
        zt_err_prefix(err, "tokenizer.json");
        return rc;
    }
    return read_root(root, v, err);
}
