/*
 * bench/queue.c - what a claim costs when a hundred tasks are finished, and when a million are.
 *
 *     bench_queue [FINISHED]
 *
 * Ten keys have 10 000 tasks waiting. Each round claims a task and puts it back, so the queue
 * stays as it is. The commit's fsync is part of it, as of every claim. `look` is what a keeper asks
 * a few times a second, and writes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "store/queue.h"
#include "store/sqlite_db.h"

#define ROUNDS   600
#define WAITING  10000
#define KEYS     10
#define LEASE_US (20 * ZT_SECOND_US)

static struct zt_err err;

static void must(enum zt_code rc, const char *what)
{
    if (rc == ZT_OK)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, err.msg, err.detail);
    exit(1);
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double median_us(int64_t *took_us, int n)
{
    qsort(took_us, (size_t)n, sizeof(*took_us), by_time);
    return (double)took_us[n / 2];
}

static void fill(struct zt_store *store, const char *state, int64_t from, int64_t to)
{
    char sql[640];

    zt_format(sql, sizeof(sql),
              "WITH RECURSIVE n(i) AS (VALUES (%lld) UNION ALL SELECT i+1 FROM n WHERE i<%lld)"
              " INSERT INTO task (id, key_id, state, model, param, input, created_us, updated_us,"
              " completed_us) SELECT '%s' || i, i %% %d, '%s', 'm', '{}', '{}', i, i, i FROM n",
              (long long)from, (long long)to, state, KEYS, state);
    must(zt_sqlite_exec(store, sql, NULL, &err), "fill");
}

/* The medians of a claim, and of a look at a lease. */
static void measure(struct zt_store *store, double *ret_claim_us, double *ret_look_us)
{
    static int64_t claims[ROUNDS];
    static int64_t looks[ROUNDS];
    struct zt_arena arena = { 0 };
    struct zt_task *task = NULL;
    enum zt_lease_look look = ZT_LEASE_LOST;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t start_us = zt_now_mono_us();
        must(zt_store_claim(store, &arena, "w", LEASE_US, &task, &err), "claim");
        claims[i] = zt_now_mono_us() - start_us;
        const struct zt_lease lease = { task->id, "w", task->attempt };
        start_us = zt_now_mono_us();
        must(zt_store_lease_look(store, &lease, &look, &err), "look");
        looks[i] = zt_now_mono_us() - start_us;
        must(zt_store_put_back(store, &lease, false, "", NULL, &err), "put back");
        zt_arena_reset(&arena);
    }
    zt_arena_clear(&arena);
    *ret_claim_us = median_us(claims, ROUNDS);
    *ret_look_us = median_us(looks, ROUNDS);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/zt-bench-queue-XXXXXX";
    char path[64];
    int64_t finished = 1000000;
    struct zt_store *store = NULL;
    double few[2];
    double many[2];

    if (argc > 1 && !zt_parse_int(argv[1], 1000, 100000000, &finished)) {
        fprintf(stderr, "FINISHED must be a number from 1000 to 100000000\n");
        return 2;
    }
    if (mkdtemp(folder) == NULL)
        return 1;
    zt_format(path, sizeof(path), "%s/zoetrope.db", folder);
    must(zt_store_open(&(struct zt_store_options){ .path = path }, &store, &err), "open");
    fill(store, "success", 1, 100);
    fill(store, "waiting", 1, WAITING);
    measure(store, &few[0], &few[1]);
    fill(store, "success", 101, finished);
    measure(store, &many[0], &many[1]);
    printf("%d waiting tasks of %d keys; medians of %d\n", WAITING, KEYS, ROUNDS);
    printf("%-22s %12s %12s %8s\n", "finished", "100", argc > 1 ? argv[1] : "1000000", "ratio");
    printf("%-22s %9.0f us %9.0f us %8.2f\n", "claim", few[0], many[0], many[0] / few[0]);
    printf("%-22s %9.1f us %9.1f us %8.2f\n", "look at a lease", few[1], many[1],
           few[1] > 0 ? many[1] / few[1] : 1.0);
    zt_store_close(store);
    zt_remove_tree(folder, NULL);
    return 0;
}
