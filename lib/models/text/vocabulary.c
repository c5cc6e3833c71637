/* vocabulary.c - see vocabulary.h. */
#include "models/text/vocabulary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define TEXT_MAX        ((size_t)16 << 20) /* of all pieces; the largest published ones have 3 MB */
#define UNKNOWN_PENALTY 10.0               /* SentencePiece's kUnkPenalty */

void zt_vocabulary_init(struct zt_vocabulary *v)
{
    *v = (struct zt_vocabulary){ .unknown = -1, .end = -1 };
    zt_buf_init(&v->text, TEXT_MAX);
}

void zt_vocabulary_clear(struct zt_vocabulary *v)
{
    zt_buf_clear(&v->text);
    free(v->entries);
    free(v->nodes);
    zt_vocabulary_init(v);
}

static enum zt_code reserve(struct zt_vocabulary *v, struct zt_err *err)
{
    if (v->n < v->cap)
        return ZT_OK;
    size_t cap = v->cap == 0 ? 4096 : v->cap * 2;
    struct zt_vocabulary_entry *entries = realloc(v->entries, cap * sizeof(*entries));
    if (entries == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for %zu pieces", cap);
    v->entries = entries;
    v->cap = cap;
    return ZT_OK;
}

/* "<extra_id_0>" and its like: marks of T5's training that some files list among the pieces. */
static bool is_sentinel(const char *text, size_t n)
{
    static const char front[] = "<extra_id_";
    const size_t k = sizeof(front) - 1;

    if (n < k + 2 || memcmp(text, front, k) != 0 || text[n - 1] != '>')
        return false;
    for (size_t i = k; i < n - 1; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return true;
}

enum zt_code zt_vocabulary_add(struct zt_vocabulary *v, const struct zt_piece *piece,
                               struct zt_err *err)
{
    struct zt_vocabulary_entry entry = { .at = (uint32_t)v->text.n,
                                         .n = (uint32_t)piece->n,
                                         .type = piece->type,
                                         .score = piece->score };

    if (v->n == ZT_PIECES_MAX)
        return zt_fail(err, ZT_E_LIMIT, "vocabulary has more than %d pieces", ZT_PIECES_MAX);
    if (piece->n > ZT_PIECE_MAX_BYTES)
        return zt_fail(err, ZT_E_LIMIT, "piece %zu is %zu bytes long, the limit is %d", v->n,
                       piece->n, ZT_PIECE_MAX_BYTES);
    if (piece->n == 0 || !zt_utf8_valid(piece->text, piece->n))
        return zt_fail(err, ZT_E_CORRUPT, "piece %zu is %s", v->n,
                       piece->n == 0 ? "empty" : "not valid UTF-8");
    if (!isfinite(piece->score))
        return zt_fail(err, ZT_E_CORRUPT, "piece %zu has no finite score", v->n);
    if (piece->type < ZT_PIECE_NORMAL || piece->type > ZT_PIECE_BYTE)
        return zt_fail(err, ZT_E_CORRUPT, "piece %zu has type %d, not 1 to 6", v->n, piece->type);
    if (is_sentinel(piece->text, piece->n))
        entry.type = ZT_PIECE_CONTROL;
    ZT_TRY(reserve(v, err));
    ZT_TRY(zt_buf_add(&v->text, piece->text, piece->n, err));
    v->entries[v->n++] = entry;
    return ZT_OK;
}

/* A piece while they are sorted. */
struct sorted {
    const char *text;
    uint32_t n;
    int32_t id;
};

static int by_bytes(const void *a, const void *b)
{
    const struct sorted *x = a;
    const struct sorted *y = b;
    int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);

    if (order == 0)
        order = (x->n > y->n) - (x->n < y->n);
    return order;
}

static enum zt_code sort_pieces(const struct zt_vocabulary *v, struct sorted **ret,
                                struct zt_err *err)
{
    zt_auto_free struct sorted *sorted = NULL;
    void *p = NULL;

    ZT_TRY(zt_try_alloc(v->n, sizeof(*sorted), "the pieces in order", &p, err));
    sorted = p;
    for (size_t i = 0; i < v->n; i++)
        sorted[i] = (struct sorted){ v->text.data + v->entries[i].at, v->entries[i].n, (int32_t)i };
    qsort(sorted, v->n, sizeof(*sorted), by_bytes);
    for (size_t i = 1; i < v->n; i++) {
        if (by_bytes(&sorted[i - 1], &sorted[i]) == 0)
            return zt_fail(err, ZT_E_CORRUPT, "pieces %d and %d are both '%.*s'",
                           (int)sorted[i - 1].id, (int)sorted[i].id, (int)sorted[i].n,
                           sorted[i].text);
    }
    *ret = sorted;
    sorted = NULL;
    return ZT_OK;
}

/* The reference, which falls back on no bytes, finds byte pieces spelt out: "<0x41>". */
static bool is_matched(const struct zt_vocabulary *v, int32_t id)
{
    int type = v->entries[id].type;

    return type == ZT_PIECE_NORMAL || type == ZT_PIECE_USER || type == ZT_PIECE_BYTE;
}

/* How many nodes the sorted pieces need: the root, and a node for each byte not shared. */
static size_t count_nodes(const struct sorted *pieces, size_t n)
{
    size_t nodes = 1;

    for (size_t i = 0; i < n; i++) {
        size_t shared = 0;
        while (i > 0 && shared < pieces[i - 1].n && shared < pieces[i].n &&
               pieces[i - 1].text[shared] == pieces[i].text[shared])
            shared++;
        nodes += pieces[i].n - shared;
    }
    return nodes;
}

/* The pieces below a node. */
struct range {
    uint32_t low, high, depth;
};

/* Breadth first: node i's children are appended when its turn comes, so they stand together. */
static void fill_nodes(struct zt_vocabulary_node *nodes, struct range *ranges,
                       const struct sorted *pieces, size_t n)
{
    size_t used = 1;

    ranges[0] = (struct range){ 0, (uint32_t)n, 0 };
    nodes[0].id = -1;
    for (size_t i = 0; i < used; i++) {
        struct range r = ranges[i];
        nodes[i].first = (uint32_t)used;
        while (r.low < r.high) {
            unsigned char byte = (unsigned char)pieces[r.low].text[r.depth];
            uint32_t end = r.low + 1;
            while (end < r.high && (unsigned char)pieces[end].text[r.depth] == byte)
                end++;
            /* The shortest piece of a range is its first. */
            bool ends = pieces[r.low].n == r.depth + 1;
            nodes[used] =
                (struct zt_vocabulary_node){ .byte = byte, .id = ends ? pieces[r.low].id : -1 };
            ranges[used++] = (struct range){ r.low + ends, end, r.depth + 1 };
            nodes[i].children++;
            r.low = end;
        }
    }
}

static enum zt_code build_trie(struct zt_vocabulary *v, struct sorted *pieces, struct zt_err *err)
{
    zt_auto_free void *ranges = NULL;
    void *nodes = NULL;
    size_t n = 0;

    for (size_t i = 0; i < v->n; i++) {
        if (is_matched(v, pieces[i].id))
            pieces[n++] = pieces[i];
    }
    size_t count = count_nodes(pieces, n);
    ZT_TRY(zt_try_alloc(count, sizeof(struct range), "the pieces' trie", &ranges, err));
    ZT_TRY(zt_try_alloc(count, sizeof(struct zt_vocabulary_node), "the pieces' trie", &nodes, err));
    v->nodes = nodes;
    fill_nodes(nodes, ranges, pieces, n);
    return ZT_OK;
}

enum zt_code zt_vocabulary_finish(struct zt_vocabulary *v, struct zt_err *err)
{
    zt_auto_free struct sorted *sorted = NULL;
    double least = 0;
    bool any = false;

    for (size_t i = 0; i < v->n; i++) {
        const struct zt_vocabulary_entry *e = &v->entries[i];
        const char *text = v->text.data + e->at;
        if (e->type == ZT_PIECE_UNKNOWN) {
            if (v->unknown >= 0)
                return zt_fail(err, ZT_E_CORRUPT,
                               "pieces %d and %zu are both for unknown characters", (int)v->unknown,
                               i);
            v->unknown = (int32_t)i;
        }
        if (e->type == ZT_PIECE_NORMAL && (!any || e->score < least)) {
            least = e->score;
            any = true;
        }
        if (e->n == 4 && memcmp(text, "</s>", 4) == 0)
            v->end = (int32_t)i;
    }
    if (v->unknown < 0 || v->end < 0)
        return zt_fail(err, ZT_E_CORRUPT, "vocabulary has no piece %s",
                       v->unknown < 0 ? "for unknown characters" : "'</s>'");
    if (v->entries[v->end].type != ZT_PIECE_CONTROL)
        return zt_fail(err, ZT_E_CORRUPT, "piece '</s>' has type %d, not 3 (control)",
                       v->entries[v->end].type);
    v->unknown_score = least - UNKNOWN_PENALTY;
    ZT_TRY(sort_pieces(v, &sorted, err));
    zt_assert(sorted != NULL);
    return build_trie(v, sorted, err);
}

uint32_t zt_vocabulary_step(const struct zt_vocabulary *v, uint32_t node, unsigned char byte)
{
    uint32_t low = v->nodes[node].first;
    uint32_t high = low + v->nodes[node].children;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        unsigned char found = v->nodes[middle].byte;
        if (found == byte)
            return middle;
        if (found < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
