/*
 * seek.c - the global similarity between two pictures (zt_flow_similarity of flow.h).
 *
 * Matches are fitted first as they are. Where they do not agree, the last picture is turned and
 * zoomed by a set of guesses and tried again at a quarter of the size; the best guess is followed.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "motion/match.h"

/* Pairs of level `finest` that point at each other, on every second pixel, at full size. */
static size_t mutual_pairs(const struct zt_matcher *m, int finest, struct zt_point_pair *ret)
{
    const struct zt_flow_image *a = &m->a.image[finest], *b = &m->b.image[finest];
    float scale = (float)(1 << finest), shift = 0.5f * (scale - 1.0f);
    size_t n = 0;

    for (int y = 0; y < a->height; y += 2) {
        for (int x = 0; x < a->width; x += 2) {
            size_t at = (size_t)y * (size_t)a->width + (size_t)x;
            const struct zt_match *t = &m->ab[at];
            size_t to = (size_t)t->y * (size_t)a->width + (size_t)t->x;
            int ex = m->ba[to].x - x, ey = m->ba[to].y - y;
            if (ex * ex + ey * ey > 2 || a->seen[at] < 0.5f || b->seen[to] < 0.5f)
                continue;
            ret[n++] =
                (struct zt_point_pair){ scale * (float)x + shift, scale * (float)y + shift,
                                        scale * (float)t->x + shift, scale * (float)t->y + shift };
        }
    }
    return n;
}

/* The similarity that most mutual matches follow, and how many those are. */
struct fit {
    struct zt_similarity map;
    size_t count, follow; /* pairs, and those of them that follow */
    bool trusted;
};

static enum zt_code fit_dense(const struct zt_flow_image *a, const struct zt_flow_image *b,
                              const struct zt_flow_run *run, struct fit *ret, struct zt_err *err)
{
    size_t n = (size_t)a->width * (size_t)a->height;
    zt_auto_free struct zt_point_pair *pairs = NULL;
    struct zt_matcher m = { 0 };

    *ret = (struct fit){ .map = ZT_SIMILARITY_NONE };
    ZT_TRY(zt_try_alloc(n, sizeof(*pairs), "point pairs", (void **)&pairs, err));
    enum zt_code rc = zt_matcher_run(&m, a, b, 1, run, err);
    if (rc == ZT_OK) {
        int finest = m.a.levels > 1 ? 1 : 0;
        size_t all = (size_t)m.a.image[finest].width * (size_t)m.a.image[finest].height / 4;
        ret->count = mutual_pairs(&m, finest, pairs);
        ret->follow = zt_similarity_fit(pairs, ret->count, 3.0, &ret->map);
        /* Chance alone makes a few pairs agree; a real motion carries a good part of them. */
        ret->trusted = ret->follow * 4 >= ret->count && ret->follow * 16 >= all;
    }
    zt_matcher_clear(&m);
    return rc;
}

/* A turn and zoom about the middle. */
static struct zt_similarity about_middle(double turn, double zoom, int width, int height)
{
    double mx = 0.5 * (width - 1), my = 0.5 * (height - 1), x, y;
    struct zt_similarity s = { zoom * cos(turn), zoom * sin(turn), 0.0, 0.0 };

    zt_similarity_apply(&s, mx, my, &x, &y);
    s.bx = mx - x;
    s.by = my - y;
    return s;
}

/* Small copies to try guesses on, a quarter of the size. */
struct guesses {
    struct zt_flow_image a, b, brought;
    struct zt_descriptors da, db;
    struct zt_match *best;
    struct zt_point_pair *pairs;
};

static void guesses_clear(struct guesses *g)
{
    zt_flow_image_clear(&g->a);
    zt_flow_image_clear(&g->b);
    zt_flow_image_clear(&g->brought);
    zt_descriptors_clear(&g->da);
    zt_descriptors_clear(&g->db);
    free(g->best);
    free(g->pairs);
}

static enum zt_code quarter(const struct zt_flow_image *from, struct zt_flow_image *ret,
                            struct zt_err *err)
{
    struct zt_flow_image half = { 0 };
    enum zt_code rc = zt_flow_image_halve(from, &half, err);

    if (rc == ZT_OK)
        rc = zt_flow_image_halve(&half, ret, err);
    zt_flow_image_clear(&half);
    return rc;
}

static enum zt_code guesses_init(struct guesses *g, const struct zt_flow_image *a,
                                 const struct zt_flow_image *b, struct zt_pool *pool,
                                 struct zt_err *err)
{
    ZT_TRY(quarter(a, &g->a, err));
    ZT_TRY(quarter(b, &g->b, err));
    size_t n = (size_t)g->a.width * (size_t)g->a.height;
    ZT_TRY(zt_flow_image_init(&g->brought, g->a.width, g->a.height, err));
    ZT_TRY(zt_try_alloc(n, sizeof(*g->best), "picture matches", (void **)&g->best, err));
    ZT_TRY(zt_try_alloc(n, sizeof(*g->pairs), "point pairs", (void **)&g->pairs, err));
    return zt_descriptors_init(&g->da, &g->a, pool, err);
}

#define GUESS_STEP      4 /* pixels of a that are looked for... */
#define GUESS_AMONG     2 /* ...among those of b */
#define GUESS_TOLERANCE 2.5
#define GUESS_LEAST     14 /* pairs that must agree before a guess is worth following */

/* Brings b to a by each guess and keeps what most of the matches found then agree on. */
static enum zt_code try_guesses(struct guesses *g, const struct zt_flow_run *run,
                                struct zt_similarity *ret, size_t *ret_follow, struct zt_err *err)
{
    static const double turns[] = { 0.0, -0.35, 0.35, -0.7, 0.7 };
    static const double zooms[] = { 1.0, 1.35, 0.74, 1.85, 0.54 };

    *ret_follow = 0;
    for (size_t i = 0; i < ZT_COUNT(turns) * ZT_COUNT(zooms); i++) {
        double turn = turns[i % ZT_COUNT(turns)], zoom = zooms[i / ZT_COUNT(turns)];
        struct zt_similarity guess = about_middle(turn, zoom, g->a.width, g->a.height), more;
        zt_flow_image_warp(&g->b, &guess, &g->brought, run->pool);
        zt_descriptors_clear(&g->db);
        ZT_TRY(zt_descriptors_init(&g->db, &g->brought, run->pool, err));
        size_t n = zt_match_sparsely(&g->da, &g->db, g->a.seen, g->brought.seen, GUESS_STEP,
                                     GUESS_AMONG, run->pool, g->best, g->pairs);
        size_t follow = zt_similarity_fit(g->pairs, n, GUESS_TOLERANCE, &more);
        if (follow > *ret_follow) {
            *ret_follow = follow;
            *ret = zt_similarity_after(&guess, &more);
        }
        ZT_TRY(zt_flow_tick(run, 3, 10, err));
    }
    return ZT_OK;
}

/* From pixels of a quarter of the size to full ones. */
static struct zt_similarity quadrupled(const struct zt_similarity *s)
{
    const struct zt_similarity up = { 4.0, 0.0, 1.5, 1.5 };
    struct zt_similarity down = zt_similarity_inverse(&up);
    struct zt_similarity r = zt_similarity_after(s, &down);

    return zt_similarity_after(&up, &r);
}

static enum zt_code guess(const struct zt_flow_image *a, const struct zt_flow_image *b,
                          const struct zt_flow_run *run, struct zt_similarity *ret,
                          size_t *ret_follow, struct zt_err *err)
{
    struct guesses g = { 0 };
    enum zt_code rc = guesses_init(&g, a, b, run->pool, err);

    if (rc == ZT_OK)
        rc = try_guesses(&g, run, ret, ret_follow, err);
    if (rc == ZT_OK)
        *ret = quadrupled(ret);
    guesses_clear(&g);
    return rc;
}

/* Fits again after b has been brought to a by *s, and keeps the result when it holds. */
static enum zt_code fit_further(const struct zt_flow_image *a, const struct zt_flow_image *b,
                                const struct zt_flow_run *run, const struct zt_similarity *s,
                                struct fit *best, struct zt_err *err)
{
    struct zt_flow_image brought = { 0 };
    struct fit more = { .trusted = false };

    ZT_TRY(zt_flow_image_init(&brought, a->width, a->height, err));
    zt_flow_image_warp(b, s, &brought, run->pool);
    enum zt_code rc = fit_dense(a, &brought, run, &more, err);
    zt_flow_image_clear(&brought);
    if (rc == ZT_OK && more.trusted && more.follow >= best->follow) {
        more.map = zt_similarity_after(s, &more.map);
        *best = more;
    }
    return rc;
}

enum zt_code zt_flow_similarity(const struct zt_flow_image *a, const struct zt_flow_image *b,
                                const struct zt_flow_run *run, struct zt_similarity *ret,
                                double *ret_share, struct zt_err *err)
{
    struct zt_similarity map;
    struct fit best;
    size_t follow = 0;

    ZT_TRY(fit_dense(a, b, run, &best, err));
    if (!best.trusted || best.follow * 2 < best.count) {
        ZT_TRY(guess(a, b, run, &map, &follow, err));
        if (follow >= GUESS_LEAST)
            ZT_TRY(fit_further(a, b, run, &map, &best, err));
    }
    /* Descriptors bear some turn and zoom, but say more without them. */
    if (best.trusted && hypot(best.map.ar - 1.0, best.map.ai) > 0.04) {
        map = best.map;
        ZT_TRY(fit_further(a, b, run, &map, &best, err));
    }
    *ret = best.trusted ? best.map : ZT_SIMILARITY_NONE;
    *ret_share = best.trusted ? (double)best.follow / (double)best.count : 0.0;
    return ZT_OK;
}
