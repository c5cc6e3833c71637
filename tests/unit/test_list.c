/* The store, as to lists: pages in order, by every filter, whatever arrives meanwhile. */
#include "store/list.h"

#include <string.h>

#include "store_world.h"

#define ANY       -1
#define TOTAL     60
#define KEYS      2
#define MINUTE(i) (START_US + (i)*ZT_MINUTE_US)

static const char *const models[] = { "m0", "m1", "m2" };

/* Task i is key 1 + i % 2's, of model i % 3, and was accepted at minute i; every fifth ended. */
static void fill(struct world *w)
{
    for (int i = 0; i < TOTAL; i++) {
        char id[16];
        snprintf(id, sizeof(id), "t%02d", i);
        struct zt_task task = task_of(id, 1 + i % KEYS, "");
        task.model = models[i % 3];
        w->now_us = MINUTE(i);
        CHECK_INT(id, zt_store_task_add(w->store, &task, &err), ZT_OK);
    }
    change(w, "UPDATE task SET state='fail', fail_code='500' WHERE (seq - 1) % 5 = 0");
}

static bool fits(const struct zt_task_filter *f, int i)
{
    enum zt_task_state state = i % 5 == 0 ? ZT_TASK_FAIL : ZT_TASK_WAITING;

    return (f->key_id == 0 || f->key_id == 1 + i % KEYS) &&
           (f->state < 0 || f->state == (int)state) &&
           (f->model == NULL || strcmp(f->model, models[i % 3]) == 0) && MINUTE(i) >= f->from_us &&
           (f->to_us == 0 || MINUTE(i) <= f->to_us);
}

/* Walks all pages, and checks that they have the tasks that fit and no other, in order. */
static void walk(struct world *w, const char *label, const struct zt_task_filter *filter, int limit)
{
    struct zt_task_cursor cursor = { 0 };
    struct zt_task_page page = { .more = true };
    int i = TOTAL;

    for (int pages = 0; page.more && pages <= TOTAL; pages++) {
        CHECK_INT(label, zt_store_task_page(w->store, &arena, filter, &cursor, limit, &page, &err),
                  ZT_OK);
        CHECK(label, page.n <= limit && (page.n == limit || !page.more));
        for (int k = 0; k < page.n; k++) {
            char id[16];
            for (i--; i >= 0 && !fits(filter, i); i--) {
            }
            snprintf(id, sizeof(id), "t%02d", i);
            CHECK_STR(label, page.entries[k].task->id, id);
            cursor = page.entries[k].after;
        }
    }
    CHECK("ends", !page.more);
    for (i--; i >= 0; i--)
        CHECK(label, !fits(filter, i));
}

static void pages_by_every_filter(void)
{
    static const struct {
        const char *label;
        struct zt_task_filter filter;
    } rows[] = {
        { "all", { 0, ANY, NULL, 0, 0 } },
        { "a key's", { 1, ANY, NULL, 0, 0 } },
        { "state", { 1, ZT_TASK_FAIL, NULL, 0, 0 } },
        { "model", { 2, ANY, "m1", 0, 0 } },
        { "state and model", { 2, ZT_TASK_WAITING, "m2", 0, 0 } },
        { "from", { 1, ANY, NULL, MINUTE(30), 0 } },
        { "to", { 1, ANY, NULL, 0, MINUTE(30) } },
        { "from and to", { 2, ZT_TASK_WAITING, NULL, MINUTE(11), MINUTE(41) } },
        { "one moment", { 2, ANY, NULL, MINUTE(11), MINUTE(11) } },
        { "no such time", { 1, ANY, NULL, MINUTE(90), 0 } },
        { "no such model", { 1, ANY, "m3", 0, 0 } },
        { "no such state", { 1, ZT_TASK_SUCCESS, NULL, 0, 0 } },
        { "no such key", { 3, ANY, NULL, 0, 0 } },
        { "operator, state and model", { 0, ZT_TASK_FAIL, "m0", MINUTE(5), MINUTE(55) } },
    };
    static const int limits[] = { 1, 3, 7, 100 };
    struct world w;

    world_init(&w);
    fill(&w);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        for (size_t k = 0; k < ZT_COUNT(limits); k++)
            walk(&w, rows[i].label, &rows[i].filter, limits[k]);
    }
    world_clear(&w);
}

/* Tasks of one microsecond keep the order of their acceptance. */
static void ties_are_kept_apart(void)
{
    static const char *const ids[] = { "a", "b", "c", "d", "e", "f" };
    const struct zt_task_filter filter = { .key_id = 1, .state = ANY };
    struct zt_task_cursor cursor = { 0 };
    struct zt_task_page page = { 0 };
    struct world w;

    world_init(&w);
    for (int i = 0; i < 6; i++)
        add(&w, ids[i]);
    for (int i = 5; i >= 0; i--) {
        CHECK_INT("page", zt_store_task_page(w.store, &arena, &filter, &cursor, 1, &page, &err),
                  ZT_OK);
        CHECK_INT("one", page.n, 1);
        CHECK_STR("order", page.entries[0].task->id, ids[i]);
        CHECK_INT("position", page.entries[0].position, i);
        CHECK_INT("more", page.more, i > 0);
        cursor = page.entries[0].after;
    }
    world_clear(&w);
}

/* What arrives, ends or is forgotten between two pages moves no other task. */
static void a_page_goes_on_where_it_stopped(void)
{
    const struct zt_task_filter filter = { .key_id = 1, .state = ANY };
    struct zt_task_page page = { 0 };
    struct world w;

    world_init(&w);
    fill(&w);
    struct zt_task_cursor cursor = { 0 };
    zt_store_task_page(w.store, &arena, &filter, &cursor, 5, &page, &err);
    CHECK_STR("last", page.entries[4].task->id, "t50");
    cursor = page.entries[4].after;
    for (int i = 0; i < 7; i++)
        add_for(&w, (const char *[]){ "n0", "n1", "n2", "n3", "n4", "n5", "n6" }[i], 1, "");
    change(&w, "DELETE FROM task WHERE id='t50'"); /* the one that the cursor names */
    zt_store_task_page(w.store, &arena, &filter, &cursor, 5, &page, &err);
    CHECK_STR("goes on", page.entries[0].task->id, "t48");
    w.now_us = START_US; /* the clock is set back: a new task is listed by its time */
    add_for(&w, "back", 1, "");
    cursor = page.entries[4].after;
    zt_store_task_page(w.store, &arena, &filter, &cursor, 100, &page, &err);
    CHECK_STR("goes on", page.entries[0].task->id, "t38");
    CHECK_STR("by its time", page.entries[page.n - 1].task->id, "t00");
    CHECK_STR("by its time", page.entries[page.n - 2].task->id, "back");
    world_clear(&w);
}

/* Large tasks make short pages, and none is left out. */
static void a_page_is_bounded_in_bytes(void)
{
    enum { BIG = 3 << 20, N = 14 };
    const struct zt_task_filter filter = { .key_id = 1, .state = ANY };
    struct zt_task_cursor cursor = { 0 };
    struct zt_task_page page = { .more = true };
    struct world w;
    char *text = malloc(BIG + 1);
    int seen = 0;

    if (text == NULL)
        abort();
    memset(text, 'a', BIG);
    text[BIG] = '\0';
    world_init(&w);
    for (int i = 0; i < N; i++) {
        char id[16];
        snprintf(id, sizeof(id), "t%02d", i);
        struct zt_task task = task_of(id, 1, "");
        task.param = text;
        CHECK_INT(id, zt_store_task_add(w.store, &task, &err), ZT_OK);
    }
    for (int pages = 0; page.more && pages < N; pages++) {
        zt_arena_reset(&arena);
        CHECK_INT("page", zt_store_task_page(w.store, &arena, &filter, &cursor, 100, &page, &err),
                  ZT_OK);
        CHECK("short", page.n > 0 && page.n < N);
        cursor = page.entries[page.n - 1].after;
        seen += page.n;
    }
    CHECK_INT("all", seen, N);
    free(text);
    world_clear(&w);
}

int main(void)
{
    RUN(pages_by_every_filter);
    RUN(ties_are_kept_apart);
    RUN(a_page_goes_on_where_it_stopped);
    RUN(a_page_is_bounded_in_bytes);
    return check_done();
}
