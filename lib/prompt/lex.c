/*
 * lex.c - from UTF-8 to items of the vocabulary.
 *
 * Letters are folded first: full-width forms to ASCII, traditional Chinese to simplified, capitals
 * to small ones. English is matched by words, Chinese by characters, both by the longest row of
 * the tables that fits; what fits none is an item of class OTHER. The time is linear in the text:
 * no row is longer than MAX_WORDS words or MAX_HAN characters.
 */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "prompt/words.h"

#define MAX_WORDS 5
#define MAX_HAN   8
#define MAX_WORD  24 /* letters; longer ones are in no table */
#define SLOTS     4096

struct glyph {
    uint32_t c; /* folded */
    int at;     /* byte of the text */
};

struct lexer {
    struct glyph *glyph; /* count of them, and one more with c 0 at the end of the text */
    int count;
    const struct zt_word **slots; /* open addressing by hash of the row's text */
    struct zt_items *out;
};

/* ---- the tables as a hash ------------------------------------------------------------------ */

/* FNV-1a (Fowler, Noll, Vo), 32 bits. */
#define HASH_START UINT32_C(2166136261)

static uint32_t hash_byte(uint32_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT32_C(16777619);
}

static uint32_t hash_bytes(const char *s, size_t n)
{
    uint32_t hash = HASH_START;

    for (size_t i = 0; i < n; i++)
        hash = hash_byte(hash, (unsigned char)s[i]);
    return hash;
}

static const struct zt_word *find(const struct lexer *lx, const char *key, size_t n)
{
    for (uint32_t i = hash_bytes(key, n) % SLOTS; lx->slots[i] != NULL; i = (i + 1) % SLOTS) {
        if (strncmp(lx->slots[i]->text, key, n) == 0 && lx->slots[i]->text[n] == '\0')
            return lx->slots[i];
    }
    return NULL;
}

static void add_words(const struct lexer *lx, const struct zt_word *words, int count)
{
    for (int w = 0; w < count; w++) {
        uint32_t i = hash_bytes(words[w].text, strlen(words[w].text)) % SLOTS;
        while (lx->slots[i] != NULL)
            i = (i + 1) % SLOTS;
        lx->slots[i] = &words[w];
    }
}

/* ---- letters ------------------------------------------------------------------------------- */

static bool is_han(uint32_t c)
{
    return (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x20000 && c <= 0x3FFFF) || c == 0x3007;
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == 0xA0 || (c >= 0x2000 && c <= 0x200D) ||
           c == 0x202F || c == 0xFEFF || c == 0xFE0F;
}

/* Letters of words written with spaces: Latin, Greek, Cyrillic, what else is below CJK. */
static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 0xC0 && c < 0x2000 && c != 0xD7 && c != 0xF7) ||
           (c >= 0x2C00 && c < 0x2E00);
}

/* What the punctuation marks of both scripts amount to. */
static const struct {
    uint32_t c;
    char as;
} marks[] = {
    { 0x3002, '.' }, { 0xFF61, '.' },  { 0x2026, '.' },  { 0x3001, '/' },  { 0x3010, '[' },
    { 0x3011, ']' }, { 0x300E, '"' },  { 0x300F, '"' },  { 0x300C, '"' },  { 0x300D, '"' },
    { 0x201C, '"' }, { 0x201D, '"' },  { 0x2018, '\'' }, { 0x2019, '\'' }, { 0x2013, '-' },
    { 0x2014, ';' }, { 0x2015, ';' },  { 0x2192, '>' },  { 0x27A1, '>' },  { 0x2212, '-' },
    { 0x301C, '~' }, { 0x3014, '[' },  { 0x3015, ']' },  { 0x3016, '[' },  { 0x3017, ']' },
    { 0x300A, '"' }, { 0x300B, '"' },  { 0xB7, ',' },    { 0x2022, ';' },  { 0x25CF, ';' },
    { 0x25B2, ';' }, { 0x2028, '\n' }, { 0x2029, '\n' }, { 0x0B, '\n' },   { 0x0C, '\n' },
    { 0x85, '\n' },  { 0x3000, ' ' },
};

static uint32_t fold(uint32_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c + ('a' - 'A');
    if (c < 0x80)
        return c;
    if (c >= 0xFF01 && c <= 0xFF5E) /* full-width ASCII */
        return fold(c - 0xFF01 + '!');
    for (size_t i = 0; i < ZT_COUNT(marks); i++) {
        if (marks[i].c == c)
            return (unsigned char)marks[i].as;
    }
    return is_han(c) ? zt_simplified(c) : c;
}

static void fold_text(struct lexer *lx, const char *text, size_t n)
{
    size_t at = 0;

    while (at < n) {
        uint32_t c = 0;
        size_t len = zt_utf8_next(text + at, n - at, &c);
        if (len == 0) /* the caller has checked; an end is the safe answer */
            break;
        lx->glyph[lx->count++] = (struct glyph){ fold(c), (int)at };
        at += len;
    }
    lx->glyph[lx->count] = (struct glyph){ 0, (int)at };
}

static size_t put_utf8(char *dst, uint32_t c)
{
    if (c < 0x80) {
        dst[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        dst[i] = (char)(0x80 | (c & 0x3F));
    dst[0] = (char)((0xF00u >> len & 0xFFu) | c);
    return len;
}

/* ---- matching ------------------------------------------------------------------------------ */

struct match {
    const struct zt_word *word;
    int end; /* glyph after it */
    enum zt_form form;
};

/* The end of the word that starts at i: letters with apostrophes inside. */
static int word_end(const struct lexer *lx, int i)
{
    while (is_letter(lx->glyph[i].c) || (lx->glyph[i].c == '\'' && is_letter(lx->glyph[i + 1].c)))
        i++;
    return i;
}

/* What stands between two words of one row: spaces, a hyphen, an underscore; not a new line. */
static int skip_joint(const struct lexer *lx, int i)
{
    while (is_space(lx->glyph[i].c))
        i++;
    if ((lx->glyph[i].c == '-' || lx->glyph[i].c == '_') && !is_space(lx->glyph[i + 1].c))
        i++;
    return i;
}

static size_t put_word(const struct lexer *lx, int first, int end, char *dst)
{
    size_t n = 0;

    for (int i = first; i < end; i++)
        n += put_utf8(dst + n, lx->glyph[i].c);
    return n;
}

/* The longest row that begins with key (n bytes, a first word that ends at `end`). */
static void match_words(const struct lexer *lx, char *key, size_t n, int end, enum zt_form form,
                        struct match *best)
{
    for (int words = 1; words <= MAX_WORDS; words++) {
        const struct zt_word *word = find(lx, key, n);
        if (word != NULL && end > best->end)
            *best = (struct match){ word, end, form };
        int first = skip_joint(lx, end);
        end = is_digit(lx->glyph[first].c) ? first : word_end(lx, first);
        if (end == first || end - first > MAX_WORD || words == MAX_WORDS)
            return;
        key[n++] = ' ';
        n += put_word(lx, first, end, key + n);
    }
}

/* Endings that English puts on a verb, and what to put back. */
static const struct {
    const char *ending, *back;
    enum zt_form form;
} endings[] = {
    { "ies", "y", ZT_FORM_S },  { "es", "", ZT_FORM_S },     { "s", "", ZT_FORM_S },
    { "ing", "", ZT_FORM_ING }, { "ing", "e", ZT_FORM_ING }, { "ying", "ie", ZT_FORM_ING },
    { "ied", "y", ZT_FORM_ED }, { "ed", "", ZT_FORM_ED },    { "ed", "e", ZT_FORM_ED },
};

/* The longest row from a word at i on, as written or with its ending taken off. */
static struct match match_english(const struct lexer *lx, int i)
{
    char key[(MAX_WORD * 4 + 1) * MAX_WORDS + 8];
    char lemma[sizeof(key)];
    int end = word_end(lx, i);
    struct match best = { NULL, i, ZT_FORM_BASE };

    if (end - i > MAX_WORD)
        return best;
    size_t n = put_word(lx, i, end, key);
    memcpy(lemma, key, n);
    match_words(lx, lemma, n, end, ZT_FORM_BASE, &best);
    for (size_t e = 0; e < ZT_COUNT(endings); e++) {
        size_t cut = strlen(endings[e].ending);
        if (n < cut + 2 || memcmp(key + n - cut, endings[e].ending, cut) != 0)
            continue;
        size_t stem = n - cut;
        memcpy(lemma, key, stem);
        size_t back = strlen(endings[e].back);
        memcpy(lemma + stem, endings[e].back, back);
        match_words(lx, lemma, stem + back, end, endings[e].form, &best);
        if (endings[e].form != ZT_FORM_S && stem >= 3 && key[stem - 1] == key[stem - 2]) {
            memcpy(lemma, key, stem); /* panning: pan */
            match_words(lx, lemma, stem - 1, end, endings[e].form, &best);
        }
    }
    return best;
}

static struct match match_chinese(const struct lexer *lx, int i)
{
    char key[MAX_HAN * 4 + 1];
    size_t n = 0;
    struct match best = { NULL, i, ZT_FORM_CHINESE };

    for (int len = 1; len <= MAX_HAN && is_han(lx->glyph[i + len - 1].c); len++) {
        n += put_utf8(key + n, lx->glyph[i + len - 1].c);
        const struct zt_word *word = find(lx, key, n);
        if (word != NULL)
            best = (struct match){ word, i + len, ZT_FORM_CHINESE };
    }
    return best;
}

/* ---- items --------------------------------------------------------------------------------- */

static struct zt_item *add_item(struct lexer *lx, int first, int end, enum zt_word_class class)
{
    struct zt_item *item = &lx->out->item[lx->out->n++];

    *item = (struct zt_item){
        .class = class,
        .first = lx->glyph[first].at,
        .end = lx->glyph[end].at,
        .spaced = first == 0 || is_space(lx->glyph[first - 1].c) || lx->glyph[first - 1].c == '\n',
    };
    return item;
}

static int add_match(struct lexer *lx, int i, const struct match *m)
{
    struct zt_item *item = add_item(lx, i, m->end, m->word->class);

    item->value = m->word->value;
    item->speed = m->word->speed;
    item->strength = m->word->strength;
    item->form = m->form;
    if (item->class == ZT_W_NUMBER)
        item->number = m->word->value;
    return m->end;
}

/* Digits, with one dot inside. Past six digits the value no longer matters to anybody. */
static int add_number(struct lexer *lx, int i)
{
    double value = 0;
    int first = i;

    for (; is_digit(lx->glyph[i].c); i++)
        value = value < 1e6 ? value * 10 + (lx->glyph[i].c - '0') : value;
    if (lx->glyph[i].c == '.' && is_digit(lx->glyph[i + 1].c)) {
        double unit = 0.1;
        for (i++; is_digit(lx->glyph[i].c); i++, unit /= 10)
            value += unit * (lx->glyph[i].c - '0');
    }
    struct zt_item *item = add_item(lx, first, i, ZT_W_NUMBER);
    item->number = value;
    if (value == 360) { /* all the way round, in degrees */
        item->class = ZT_W_DIR;
        item->value = ZT_D_AROUND;
        item->strength = 2;
    }
    return i;
}

/* A mark, an emoji, a letter of a script that we don't read. */
static int add_sign(struct lexer *lx, int i)
{
    uint32_t c = lx->glyph[i].c;

    if (c >= 0x2460 && c <= 0x2473) { /* circled 1 ... 20 */
        struct zt_item *item = add_item(lx, i, i + 1, ZT_W_LIST);
        item->number = c - 0x2460 + 1;
        return i + 1;
    }
    struct zt_item *item = add_item(lx, i, i + 1, c < 0x80 ? ZT_W_PUNCT : ZT_W_OTHER);
    item->value = c < 0x80 ? (int)c : 0;
    if (c == '!' || c == '?')
        item->value = '.';
    return i + 1;
}

static int add_text(struct lexer *lx, int i)
{
    bool han = is_han(lx->glyph[i].c);
    struct match m = han ? match_chinese(lx, i) : match_english(lx, i);

    if (m.word != NULL)
        return add_match(lx, i, &m);
    int end = han ? i + 1 : word_end(lx, i);
    struct zt_item *item = add_item(lx, i, end, ZT_W_OTHER);
    item->form = han ? ZT_FORM_CHINESE : ZT_FORM_BASE;
    return end;
}

/* The hyphen of "push-in", the underscore of "push_in". */
static bool is_joint(const struct lexer *lx, int i)
{
    return (lx->glyph[i].c == '-' || lx->glyph[i].c == '_') && i > 0 &&
           is_letter(lx->glyph[i - 1].c) && is_letter(lx->glyph[i + 1].c);
}

static void cut_items(struct lexer *lx)
{
    for (int i = 0; i < lx->count;) {
        uint32_t c = lx->glyph[i].c;
        if (is_space(c) || is_joint(lx, i))
            i++;
        else if (is_digit(c))
            i = add_number(lx, i);
        else if (is_han(c) || is_letter(c))
            i = add_text(lx, i);
        else
            i = add_sign(lx, i);
    }
}

enum zt_code zt_lex(const char *text, size_t n, struct zt_items *ret, struct zt_err *err)
{
    size_t count = zt_utf8_count(text, n) + 1;
    zt_auto_free void *glyphs = NULL;
    zt_auto_free void *slots = NULL;
    void *items = NULL;

    zt_assert(zt_words_en_count + zt_words_zh_count < SLOTS * 3 / 4);
    ZT_TRY(zt_try_alloc(count, sizeof(struct glyph), "reading a prompt", &glyphs, err));
    ZT_TRY(zt_try_alloc(SLOTS, sizeof(struct zt_word *), "reading a prompt", &slots, err));
    ZT_TRY(zt_try_alloc(count, sizeof(struct zt_item), "reading a prompt", &items, err));

    *ret = (struct zt_items){ items, 0 };
    struct lexer lx = { glyphs, 0, slots, ret };
    add_words(&lx, zt_words_en, zt_words_en_count);
    add_words(&lx, zt_words_zh, zt_words_zh_count);
    fold_text(&lx, text, n);
    cut_items(&lx);
    return ZT_OK;
}
