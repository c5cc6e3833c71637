/*
 * The tokenizer: every text of the reference's list (fixtures/wan/ref/tokenizer.json) from each
 * source of a vocabulary; files that are damaged or of another kind; and, when the environment
 * variable ZT_UMT5_TOKENIZER names the published spiece.model or tokenizer.json, the ids that the
 * reference gives with it.
 */
#include "models/text/tokenizer.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "check.h"
#include "models/text/clean.h"

#define FOLDER  ZT_FIXTURES "/wan/"
#define IDS_MAX 512

static const struct zt_json_limits limits = { 32 << 20, 16 };

static json_t *load(const char *path)
{
    struct zt_buf file = { .limit = limits.max_bytes };
    struct zt_err err = { 0 };
    json_t *json = NULL;

    CHECK_INT(path, zt_file_read(path, &file, &err), ZT_OK);
    CHECK_INT(path, zt_json_parse(file.data, file.n, &limits, &json, &err), ZT_OK);
    zt_buf_clear(&file);
    return json;
}

/* "273 1838 1" */
static void print_ids(const int32_t *ids, int n, struct zt_buf *dst)
{
    for (int i = 0; i < n; i++)
        zt_buf_printf(dst, NULL, "%s%d", i > 0 ? " " : "", (int)ids[i]);
}

static void check_ids(const struct zt_tokenizer *t, const char *text, const char *want)
{
    struct zt_buf got = { .limit = 1 << 16 };
    struct zt_err err = { 0 };
    int32_t ids[IDS_MAX];
    int n = 0;

    CHECK_INT(text, zt_tokenizer_encode(t, text, strlen(text), IDS_MAX, ids, &n, &err), ZT_OK);
    print_ids(ids, n, &got);
    CHECK_STR(text, got.data, want);
    zt_buf_clear(&got);
}

/* Whether the text spells out a token with a meaning of its own, which is plain text for us alone. */
static bool spells_token(const char *text)
{
    static const char *const tokens[] = { "<pad>", "</s>", "<s>", "<unk>", "<extra_id_" };

    for (size_t i = 0; i < ZT_COUNT(tokens); i++) {
        if (strstr(text, tokens[i]) != NULL)
            return true;
    }
    return false;
}

static void check_plain(const struct zt_tokenizer *t, const char *text)
{
    int32_t ids[IDS_MAX];
    int n = 0;

    CHECK_INT(text, zt_tokenizer_encode(t, text, strlen(text), IDS_MAX, ids, &n, NULL), ZT_OK);
    CHECK_INT(text, ids[n - 1], 1);
    for (int i = 0; i < n - 1; i++)
        CHECK(text, ids[i] > 2 && ids[i] < 1780); /* neither control nor <extra_id_N> */
}

static void check_list(const struct zt_tokenizer *t)
{
    json_t *rows = load(FOLDER "ref/tokenizer.json");

    CHECK("150 texts or more", json_array_size(rows) >= 150);
    for (size_t i = 0; t != NULL && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *ids = json_object_get(row, "ids");
        const char *text = json_string_value(json_object_get(row, "clean"));
        struct zt_buf want = { .limit = 1 << 16 };
        if (spells_token(text)) {
            check_plain(t, text);
            continue;
        }
        for (size_t k = 0; k < json_array_size(ids); k++) {
            int32_t id = (int32_t)json_integer_value(json_array_get(ids, k));
            zt_buf_printf(&want, NULL, k > 0 ? " " : "");
            print_ids(&id, 1, &want);
        }
        check_ids(t, text, want.data);
        zt_buf_clear(&want);
    }
    json_decref(rows);
}

static struct zt_tokenizer *open_or_fail(const char *path)
{
    struct zt_tokenizer *t = NULL;
    struct zt_err err = { 0 };

    CHECK_INT(path, zt_tokenizer_open(path, &t, &err), ZT_OK);
    CHECK_STR(path, err.msg, "");
    return t;
}

static void reads_a_sentencepiece_model(void)
{
    zt_auto(tokenizer) struct zt_tokenizer *t = open_or_fail(FOLDER "tokenizer/spiece.model");

    check_list(t);
}

static void reads_a_tokenizer_json(void)
{
    zt_auto(tokenizer) struct zt_tokenizer *t = open_or_fail(FOLDER "tokenizer/tokenizer.json");

    check_list(t);
}

/* As the metadata of a GGUF file has them. */
static void takes_pieces(void)
{
    zt_auto(tokenizer) struct zt_tokenizer *t = NULL;
    json_t *root = load(FOLDER "tokenizer/tokenizer.json");
    const json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    size_t n = json_array_size(vocab);
    struct zt_piece *pieces = calloc(n + 1, sizeof(*pieces));
    struct zt_err err = { 0 };

    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(vocab, i);
        const json_t *text = json_array_get(pair, 0);
        pieces[i] = (struct zt_piece){ json_string_value(text), json_string_length(text),
                                       json_number_value(json_array_get(pair, 1)),
                                       i == 3  ? ZT_PIECE_UNKNOWN
                                       : i < 3 ? ZT_PIECE_CONTROL
                                               : ZT_PIECE_NORMAL };
    }
    /* What fills a GGUF vocabulary up to the rows of the embedding. */
    pieces[n] = (struct zt_piece){ "[PAD1]", 6, -10000, ZT_PIECE_UNUSED };
    CHECK_INT("open", zt_tokenizer_from_pieces(pieces, n + 1, &t, &err), ZT_OK);
    check_list(t);
    if (t != NULL) {
        CHECK_INT("size", zt_tokenizer_size(t), n + 1);
        int32_t ids[IDS_MAX];
        int got = 0;
        CHECK_INT("unused", zt_tokenizer_encode(t, "[PAD1]", 6, IDS_MAX, ids, &got, &err), ZT_OK);
        CHECK("unused piece is text", ids[0] != (int32_t)n && ids[1] != (int32_t)n);
    }
    free(pieces);
    json_decref(root);
}

/* A vocabulary of a few pieces, whose splits can be told by hand. */
static const struct zt_piece small[] = {
    { "<pad>", 5, 0, ZT_PIECE_CONTROL },      { "</s>", 4, 0, ZT_PIECE_CONTROL },
    { "<s>", 3, 0, ZT_PIECE_CONTROL },        { "<unk>", 5, 0, ZT_PIECE_UNKNOWN },
    { "[web]", 5, 0, ZT_PIECE_USER },         { "\u2581", 3, -2, ZT_PIECE_NORMAL },
    { "a", 1, -3, ZT_PIECE_NORMAL },          { "b", 1, -3, ZT_PIECE_NORMAL },
    { "\u2581a", 4, -4, ZT_PIECE_NORMAL },    { "ab", 2, -6, ZT_PIECE_NORMAL },
    { "\u2581ab", 5, -7, ZT_PIECE_NORMAL },   { "\u732B", 3, -5, ZT_PIECE_NORMAL },
    { "<0x41>", 6, 0, ZT_PIECE_BYTE },        { "x\u732B", 4, -50, ZT_PIECE_NORMAL },
    { "<extra_id_0>", 12, 0, ZT_PIECE_USER },
};

static void splits_by_the_rules(void)
{
    static const struct {
        const char *text, *ids;
    } rows[] = {
        { "", "1" },
        { "a", "8 1" },
        { "a ab", "8 10 1" },
        { "ab", "10 1" }, /* -7 for one piece; "_a" "b" has -7 too, and the first to come stays */
        { "aab", "8 9 1" },
        { "a\u2581b", "8 5 7 1" },
        { "\u2581a", "8 1" },
        { "a \u2581b", "8 5 5 7 1" },
        { "a\u2581\u2581b", "8 5 5 7 1" },
        { "[web] a", "5 4 8 1" },
        { "a[web]b", "8 4 7 1" },
        { "c", "5 3 1" },
        { "ccc", "5 3 1" },      /* a run of unknown characters is one */
        { "cc c", "5 3 5 3 1" }, /* in a word */
        { "cac\U0001F600", "5 3 6 3 1" },
        { "x\u732B", "5 13 1" }, /* -50; the unknown one and the other would be -65 */
        { "<0x41>", "5 12 1" },
        { "</s>", "5 3 1" }, /* text: no piece for any of its characters */
        { "<extra_id_0>", "5 3 6 3 1" },
        { "a\tb", "8 3 7 1" },
    };
    zt_auto(tokenizer) struct zt_tokenizer *t = NULL;
    struct zt_err err = { 0 };

    CHECK_INT("open", zt_tokenizer_from_pieces(small, ZT_COUNT(small), &t, &err), ZT_OK);
    for (size_t i = 0; t != NULL && i < ZT_COUNT(rows); i++)
        check_ids(t, rows[i].text, rows[i].ids);
}

static void cuts_at_the_limit(void)
{
    zt_auto(tokenizer) struct zt_tokenizer *t = NULL;
    struct zt_buf text = { .limit = ZT_TOKENIZE_MAX_BYTES + 1 };
    struct zt_err err = { 0 };
    int32_t ids[IDS_MAX + 1] = { 0 };
    int n = 0;

    CHECK_INT("open", zt_tokenizer_from_pieces(small, ZT_COUNT(small), &t, &err), ZT_OK);
    for (int words = 510; words <= 513; words++) {
        zt_buf_clear(&text);
        for (int i = 0; i < words; i++)
            zt_buf_printf(&text, &err, i > 0 ? " a" : "a");
        ids[IDS_MAX] = -7;
        CHECK_INT("words", zt_tokenizer_encode(t, text.data, text.n, IDS_MAX, ids, &n, &err),
                  ZT_OK);
        CHECK_INT("ids", n, words < IDS_MAX ? words + 1 : IDS_MAX);
        CHECK_INT("last", ids[n - 1], 1);
        CHECK_INT("last but one", ids[n - 2], 8);
        CHECK_INT("nothing after", ids[IDS_MAX], -7);
    }
    CHECK_INT("one", zt_tokenizer_encode(t, "a a", 3, 1, ids, &n, &err), ZT_OK);
    CHECK("one id", n == 1 && ids[0] == 1);
    CHECK_INT("cut in a word", zt_tokenizer_encode(t, "aaaaaa", 6, 3, ids, &n, &err), ZT_OK);
    CHECK("its front", n == 3 && ids[0] == 8 && ids[1] == 6 && ids[2] == 1);
    CHECK_INT("not UTF-8", zt_tokenizer_encode(t, "\xFF", 1, 9, ids, &n, &err), ZT_E_INVALID);
    while (zt_buf_add(&text, "aaaaaaaa", 8, &err) == ZT_OK)
        ;
    zt_buf_add(&text, "aaaaaaaa", text.limit - text.n, &err);
    CHECK_INT("longer", zt_tokenizer_encode(t, text.data, text.n, 9, ids, &n, &err), ZT_E_LIMIT);
    CHECK_INT("longest", zt_tokenizer_encode(t, text.data, text.n - 1, 9, ids, &n, &err), ZT_OK);
    zt_buf_clear(&text);
}

static void refuses_wrong_pieces(void)
{
    static char longest[ZT_PIECE_MAX_BYTES + 1];
    static const struct {
        const char *label;
        struct zt_piece piece;
        enum zt_code code;
        const char *msg;
    } rows[] = {
        { "twice",
          { "ab", 2, -1, ZT_PIECE_NORMAL },
          ZT_E_CORRUPT,
          "pieces 9 and 15 are both 'ab'" },
        { "empty", { "", 0, -1, ZT_PIECE_NORMAL }, ZT_E_CORRUPT, "piece 15 is empty" },
        { "not UTF-8", { "\xC3", 1, -1, ZT_PIECE_NORMAL }, ZT_E_CORRUPT, "UTF-8" },
        { "surrogate", { "\xED\xA0\x80", 3, -1, ZT_PIECE_NORMAL }, ZT_E_CORRUPT, "UTF-8" },
        { "NUL", { "\0", 1, -1, ZT_PIECE_NORMAL }, ZT_E_CORRUPT, "UTF-8" },
        { "NaN", { "q", 1, NAN, ZT_PIECE_NORMAL }, ZT_E_CORRUPT, "finite" },
        { "infinite", { "q", 1, -INFINITY, ZT_PIECE_NORMAL }, ZT_E_CORRUPT, "finite" },
        { "type 0", { "q", 1, 0, 0 }, ZT_E_CORRUPT, "type 0, not 1 to 6" },
        { "type 7", { "q", 1, 0, 7 }, ZT_E_CORRUPT, "type 7" },
        { "second unknown", { "q", 1, 0, ZT_PIECE_UNKNOWN }, ZT_E_CORRUPT, "pieces 3 and 15" },
        { "long", { longest, sizeof(longest), 0, ZT_PIECE_NORMAL }, ZT_E_LIMIT, "limit is 256" },
        { "longest", { longest, sizeof(longest) - 1, 0, ZT_PIECE_NORMAL }, ZT_OK, "" },
    };
    memset(longest, 'l', sizeof(longest));
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_piece pieces[ZT_COUNT(small) + 1];
        zt_auto(tokenizer) struct zt_tokenizer *t = NULL;
        struct zt_err err = { 0 };
        memcpy(pieces, small, sizeof(small));
        pieces[ZT_COUNT(small)] = rows[i].piece;
        enum zt_code rc = zt_tokenizer_from_pieces(pieces, ZT_COUNT(pieces), &t, &err);
        CHECK_INT(rows[i].label, rc, rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].msg);
    }
}

#define PIECES     "[[\"<unk>\",0],[\"</s>\",0],[\"a\",-1]]"
#define MODEL(v)   "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":" v "}"
#define ADDED      "\"added_tokens\":[{\"id\":1,\"content\":\"</s>\",\"special\":true}],"
#define PRE        "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\"},"
#define PRE_NOT(x) "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\"," x "},"

static void refuses_another_json(void)
{
    static const struct {
        const char *label, *json;
        enum zt_code code;
        const char *msg;
    } rows[] = {
        { "least", "{" ADDED PRE MODEL(PIECES) "}", ZT_OK, "" },
        { "normalizers for spaces",
          "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Strip\"},"
          "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"}}]}," ADDED PRE MODEL(PIECES) "}",
          ZT_OK, "" },
        { "not JSON", "{", ZT_E_INVALID, "tokenizer.json: not valid JSON" },
        { "too deep", "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", ZT_E_LIMIT, "16 levels" },
        { "nothing", "{}", ZT_E_UNSUPPORTED, "'Unigram'" },
        { "BPE", "{" ADDED PRE "\"model\":{\"type\":\"BPE\"}}", ZT_E_UNSUPPORTED, "'BPE'" },
        { "NFKC", "{\"normalizer\":{\"type\":\"NFKC\"}," ADDED PRE MODEL(PIECES) "}",
          ZT_E_UNSUPPORTED, "'NFKC'" },
        { "no pre_tokenizer", "{" ADDED MODEL(PIECES) "}", ZT_E_UNSUPPORTED, "pre_tokenizer" },
        { "no prefix", "{" ADDED PRE_NOT("\"prepend_scheme\":\"never\"") MODEL(PIECES) "}",
          ZT_E_UNSUPPORTED, "pre_tokenizer" },
        { "no split", "{" ADDED PRE_NOT("\"split\":false") MODEL(PIECES) "}", ZT_E_UNSUPPORTED,
          "pre_tokenizer" },
        { "no pieces", "{" ADDED PRE MODEL("[]") "}", ZT_E_CORRUPT, "0 pieces, not 1 to 1000000" },
        { "pieces as object", "{" ADDED PRE MODEL("{\"a\":0}") "}", ZT_E_CORRUPT, "0 pieces" },
        { "a piece without score", "{" ADDED PRE MODEL("[[\"<unk>\",0],[\"</s>\"]]") "}",
          ZT_E_CORRUPT, "piece 1 is not [text, score]" },
        { "a piece that is a number", "{" ADDED PRE MODEL("[[\"<unk>\",0],[1,2]]") "}",
          ZT_E_CORRUPT, "piece 1 is not [text, score]" },
        { "unk_id past the pieces",
          "{" ADDED PRE "\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":" PIECES "}}",
          ZT_E_CORRUPT, "unk_id" },
        { "unk_id below",
          "{" ADDED PRE "\"model\":{\"type\":\"Unigram\",\"unk_id\":-1,\"vocab\":" PIECES "}}",
          ZT_E_CORRUPT, "unk_id" },
        { "added token without id", "{\"added_tokens\":[{}]," PRE MODEL(PIECES) "}", ZT_E_CORRUPT,
          "added token 0" },
        { "</s> is not special", "{" PRE MODEL(PIECES) "}", ZT_E_CORRUPT, "3 (control)" },
        { "no </s>", "{" ADDED PRE MODEL("[[\"<unk>\",0],[\"x\",0]]") "}", ZT_E_CORRUPT, "</s>" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_auto(tokenizer) struct zt_tokenizer *t = NULL;
        struct zt_err err = { 0 };
        enum zt_code rc = zt_tokenizer_from_bytes(rows[i].json, strlen(rows[i].json), &t, &err);
        CHECK_INT(rows[i].label, rc, rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].msg);
    }
}

/* A model of "<unk>", "</s>" and "a", in SentencePiece's format; field numbers as there. */
#define UNK "\x0A\x09\x0A\x05<unk>\x18\x02"
#define END "\x0A\x08\x0A\x04</s>\x18\x03"
#define A                                                                                          \
    "\x0A\x08\x0A\x01"                                                                             \
    "a\x15\x00\x00\x80\xBF"

static void refuses_another_model(void)
{
#define ROW(label, bytes, code, msg)                                                               \
    {                                                                                              \
        label, bytes, sizeof(bytes) - 1, code, msg                                                 \
    }
    static const struct {
        const char *label, *bytes;
        size_t n;
        enum zt_code code;
        const char *msg;
    } rows[] = {
        ROW("least", UNK END A, ZT_OK, ""),
        ROW("fields that are new to us",
            UNK END A "\x20\x01\x2D"
                      "abcd\x31"
                      "abcdefgh",
            ZT_OK, ""),
        ROW("unigram", UNK END A "\x12\x02\x18\x01", ZT_OK, ""),
        ROW("empty", "", ZT_E_CORRUPT, "for unknown characters"),
        ROW("no </s>", UNK A, ZT_E_CORRUPT, "'</s>'"),
        ROW("BPE", UNK END A "\x12\x02\x18\x02", ZT_E_UNSUPPORTED, "type 2, only 1 (unigram)"),
        ROW("suffix", UNK END A "\x12\x03\xC0\x01\x01", ZT_E_UNSUPPORTED, "suffix"),
        ROW("table", UNK END A "\x1A\x03\x12\x01x", ZT_E_UNSUPPORTED, "normalisation table"),
        ROW("identity", UNK END A "\x1A\x06\x12\x00\x18\x01\x20\x00", ZT_OK, ""),
        ROW("no prefix", UNK END A "\x1A\x02\x18\x00", ZT_E_UNSUPPORTED, "U+2581"),
        ROW("plain spaces", UNK END A "\x1A\x02\x28\x00", ZT_E_UNSUPPORTED, "U+2581"),
        ROW("length past the end", UNK END "\x0A\x09\x0A", ZT_E_CORRUPT, "cut short"),
        ROW("length of 2^63", UNK END "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", ZT_E_CORRUPT,
            "cut short"),
        ROW("varint without end", "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
            ZT_E_CORRUPT, "cut short"),
        ROW("piece past its message",
            UNK END "\x0A\x02\x0A\x05"
                    "abcde",
            ZT_E_CORRUPT, "cut short"),
        ROW("score cut short",
            UNK END "\x0A\x05\x0A\x01"
                    "a\x15\x00",
            ZT_E_CORRUPT, "cut short"),
        ROW("field 0", UNK END "\x00\x00", ZT_E_CORRUPT, "cut short"),
        ROW("group", UNK END "\x0B\x0C", ZT_E_CORRUPT, "cut short"),
        ROW("NaN",
            UNK END "\x0A\x08\x0A\x01"
                    "a\x15\x00\x00\xC0\x7F",
            ZT_E_CORRUPT, "finite"),
        ROW("type of 2^32 + 1",
            UNK END "\x0A\x09\x0A\x01"
                    "a\x18\x81\x80\x80\x80\x10",
            ZT_E_CORRUPT, "type 0"),
        ROW("twice", UNK END A A, ZT_E_CORRUPT, "pieces 2 and 3 are both 'a'"),
        ROW("a picture", "\xFF\xD8\xFF\xE0\x00\x10JFIF", ZT_E_CORRUPT, ""),
    };
#undef ROW
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_auto(tokenizer) struct zt_tokenizer *t = NULL;
        struct zt_err err = { 0 };
        enum zt_code rc = zt_tokenizer_from_bytes(rows[i].bytes, rows[i].n, &t, &err);
        CHECK_INT(rows[i].label, rc, rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].msg);
    }
}

/* Cut anywhere, a file is refused or is a smaller whole one. */
static void survives_files_cut_short(void)
{
    static const char *const paths[] = { FOLDER "tokenizer/spiece.model",
                                         FOLDER "tokenizer/tokenizer.json" };

    for (size_t f = 0; f < ZT_COUNT(paths); f++) {
        struct zt_buf file = { .limit = limits.max_bytes };
        CHECK_INT(paths[f], zt_file_read(paths[f], &file, NULL), ZT_OK);
        for (size_t n = 0; n < file.n; n += n < 200 ? 1 : 997) {
            zt_auto(tokenizer) struct zt_tokenizer *t = NULL;
            struct zt_err err = { 0 };
            char *cut = malloc(n + 1); /* so that reading past the cut is seen */
            memcpy(cut, file.data, n);
            char *exact = realloc(cut, n > 0 ? n : 1);
            enum zt_code rc = zt_tokenizer_from_bytes(exact, n, &t, &err);
            CHECK("said why", (rc == ZT_OK) == (err.msg[0] == '\0'));
            free(exact);
        }
        zt_buf_clear(&file);
    }
    struct zt_tokenizer *none = NULL;
    CHECK_INT("no file", zt_tokenizer_open(FOLDER "nothing", &none, NULL), ZT_E_NOT_FOUND);
}

/* Raw texts and their ids with the published vocabulary, from the reference. */
static const struct {
    const char *text, *ids;
} published[] = {
    { "cat", "6283 1" },
    { "色调艳丽，过曝", "273 1838 8483 181911 30993 275 4915 85615 1" },
    { "夕焼けの海と猫", "273 24424 11537 155014 2416 545 14985 1" },
    { "café naïve résumé Zürich São Paulo", "12831 317 3252 819 172688 63990 3780 5277 1" },
    { "“quoted” it’s", "335 20710 355 347 681 306 281 1" },
    { "ＡＢＣ　ｶﾀｶﾅ", "24343 273 114767 95880 1" },
    { "[web] page", "273 5 3650 1" },
    { "salt & pepper", "15609 579 84667 1" },
    { "a▁b cat", "289 748 6283 1" },
    { "Two anthropomorphic cats in comfy boxing gear and bright gloves fight intensely on a "
      "spotlighted stage.",
      "16349 289 182785 97899 1931 6283 281 301 547 15817 273 126058 39668 333 48918 273 181062 "
      "281 "
      "43495 53302 751 369 289 214337 505 17687 274 1" },
    { "A cat and a dog baking a cake together in a kitchen. The cat is carefully measuring flour, "
      "while the dog is stirring the batter with a wooden spoon. The kitchen is cozy, with "
      "sunlight "
      "streaming through the window.",
      "320 6283 333 289 6833 148605 289 61558 11384 301 289 21920 274 517 6283 339 100120 179967 "
      "121368 275 5196 312 6833 339 71403 3439 312 273 156112 543 289 129805 273 110667 274 517 "
      "21920 339 767 3065 275 543 8239 9208 13911 3311 312 14172 274 1" },
    { "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，"
      "低质量，"
      "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形"
      "态畸形的"
      "肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走",
      "273 1838 8483 181911 30993 275 4915 85615 275 15665 13607 275 17121 8024 7921 162805 1013 "
      "3815 275 5549 16096 275 6865 3967 275 9103 275 7084 2354 275 16927 275 15665 10671 275 "
      "44776 "
      "2390 46846 275 2740 5731 20499 275 3846 20499 275 958 58395 11376 52222 7019 7383 275 "
      "217390 "
      "245822 431 275 7019 28644 431 275 1589 8136 431 1320 4050 275 7084 2351 1013 23261 1320 "
      "1542 "
      "275 7084 2351 1013 23261 67032 1542 275 245886 2584 431 275 160335 10394 431 275 2584 13607 "
      "245886 2584 431 69797 1906 275 1320 4050 14116 1539 275 15665 10671 1013 2312 431 16927 275 "
      "40671 20559 431 35216 275 1687 4459 136320 275 35216 798 19255 275 11730 1801 4898 1" },
};

static void equals_the_published_vocabulary(void)
{
    const char *path = getenv("ZT_UMT5_TOKENIZER");

    if (path == NULL) {
        printf("skipped: ZT_UMT5_TOKENIZER names no published vocabulary\n");
        return;
    }
    zt_auto(tokenizer) struct zt_tokenizer *t = open_or_fail(path);
    for (size_t i = 0; t != NULL && i < ZT_COUNT(published); i++) {
        struct zt_buf clean = { .limit = 1 << 16 };
        const char *text = published[i].text;
        CHECK_INT(text, zt_prompt_clean(text, strlen(text), &clean, NULL), ZT_OK);
        check_ids(t, clean.data, published[i].ids);
        zt_buf_clear(&clean);
    }
    for (int words = 510; t != NULL && words <= 512; words++) {
        struct zt_buf text = { .limit = 1 << 16 };
        int32_t ids[IDS_MAX];
        int n = 0;
        for (int i = 0; i < words; i++)
            zt_buf_printf(&text, NULL, i > 0 ? " cat" : "cat");
        CHECK_INT("cats", zt_tokenizer_encode(t, text.data, text.n, IDS_MAX, ids, &n, NULL), ZT_OK);
        CHECK_INT("cats", n, words < IDS_MAX ? words + 1 : IDS_MAX);
        zt_buf_clear(&text);
    }
}

int main(void)
{
    RUN(reads_a_sentencepiece_model);
    RUN(reads_a_tokenizer_json);
    RUN(takes_pieces);
    RUN(splits_by_the_rules);
    RUN(cuts_at_the_limit);
    RUN(refuses_wrong_pieces);
    RUN(refuses_another_json);
    RUN(refuses_another_model);
    RUN(survives_files_cut_short);
    RUN(equals_the_published_vocabulary);
    return check_done();
}
