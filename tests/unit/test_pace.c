/*
 * The time that is left, told against runs whose end is known: after the third step the estimate
 * is within a fifth of it, and the end is within the band.
 */
#include "store/pace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "check.h"

#define START_US INT64_C(1700000000000000)

/* ---- runs ---------------------------------------------------------------------------------- */

/* A stage: its share of the time, and to which per cent it brings the whole, in how many steps. */
struct stage {
    double share;
    int to, steps;
};

/* The motion engine with two shots: looking at the picture stands at one per cent for long. */
static const struct stage motion[] = { { 0.28, 0, 1 },   { 0.05, 5, 1 },  { 0.10, 5, 1 },
                                       { 0.22, 52, 60 }, { 0.10, 52, 1 }, { 0.25, 100, 61 } };
/* A diffusion model: text, twenty steps, and a decoder that costs more than its per cents say. */
static const struct stage diffusion[] = { { 0.04, 2, 1 }, { 0.70, 90, 20 }, { 0.26, 100, 10 } };
static const struct stage even[] = { { 1, 100, 50 } };

static const struct kind {
    const char *name;
    const struct stage *stages;
    size_t n;
    int third; /* per cent at which three steps of the work proper are done */
} kinds[] = {
    { "motion", motion, ZT_COUNT(motion), 7 },
    { "diffusion", diffusion, ZT_COUNT(diffusion), 15 },
    { "even", even, ZT_COUNT(even), 6 },
};

/* The per cent at a moment, as the engine tells it: after whole steps. */
static int percent_at(const struct kind *kind, double done)
{
    double from = 0;
    int percent = 0;

    for (size_t i = 0; i < kind->n; i++) {
        const struct stage *s = &kind->stages[i];
        double within = (done - from) / s->share;
        if (within < 1)
            return percent + (int)((s->to - percent) * floor(within * s->steps) / s->steps);
        percent = s->to;
        from += s->share;
    }
    return 100;
}

static struct zt_pace_run run_of(const struct kind *kind, double total_s)
{
    struct zt_pace_run run = { .inputs_us = ZT_SECOND_US / 2 };
    int reached = 0;

    run.total_us = (int64_t)(total_s * 1e6);
    for (int t = 0; t <= 4000; t++) {
        int percent = percent_at(kind, t / 4000.0);
        for (; reached < percent; reached++)
            run.reached_us[reached + 1] = run.total_us * t / 4000;
    }
    for (; reached < 100; reached++)
        run.reached_us[reached + 1] = run.total_us;
    return run;
}

/* As many runs as asked for, that differ by up to `jitter` of the whole. */
static struct zt_pace learned(const struct kind *kind, double total_s, double jitter, int runs)
{
    struct zt_pace pace = { .engine = kind->name, .model = "m", .size = "720p/5" };
    struct zt_rng rng;

    zt_rng_init(&rng, 7, 0);
    for (int i = 0; i < runs; i++) {
        double off = 1 + jitter * (double)zt_rng_range(&rng, -1, 1);
        struct zt_pace_run run = run_of(kind, total_s * off);
        zt_pace_learn(&pace, &run);
    }
    return pace;
}

struct told {
    double worst; /* of the estimates after the third step, as a share of what was left */
    double worst_s;
    int inside, all;
};

/* Follows one run with a report a second, as a worker records them, and a poll in between. */
static struct told follow(const struct kind *kind, const struct zt_pace *pace, double total_s)
{
    struct told told = { 0 };
    const double every_s = 1;
    int64_t moved_us = 0;
    int before = 0;

    for (double t = every_s; t < total_s; t += every_s) {
        struct zt_task task = { .state = ZT_TASK_GENERATING,
                                .started_us = START_US,
                                .updated_us = START_US + (int64_t)(t * 1e6),
                                .percent = percent_at(kind, t / total_s) };
        if (task.percent > before)
            moved_us = task.updated_us;
        before = task.percent;
        task.moved_us = moved_us;
        double now_s = t + every_s / 2;
        double left_s = total_s - now_s;
        struct zt_eta eta = zt_pace_eta(pace, &task, -1, START_US + (int64_t)(now_s * 1e6));
        if (task.percent < kind->third || left_s < total_s * 0.1)
            continue;
        told.worst = fmax(told.worst, fabs((double)eta.us / 1e6 - left_s) / left_s);
        told.worst_s = fmax(told.worst_s, fabs((double)eta.us / 1e6 - left_s));
        told.inside += (double)eta.low_us / 1e6 <= left_s && left_s <= (double)eta.high_us / 1e6;
        told.all++;
        CHECK("known", eta.known && eta.low_us <= eta.us && eta.us <= eta.high_us);
    }
    return told;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void is_right_after_the_third_step(void)
{
    static const struct {
        const char *label;
        double jitter, speed; /* how unlike the runs were; how much longer this one takes */
        int runs;
    } rows[] = { { "alike", 0.02, 1, 8 },     { "once seen", 0, 1, 1 },
                 { "slower", 0.02, 1.5, 8 },  { "faster", 0.02, 0.7, 8 },
                 { "twice", 0.02, 2, 8 },     { "half", 0.02, 0.5, 8 },
                 { "unlike", 0.25, 1.1, 20 }, { "unlike, slow", 0.25, 1.25, 20 } };

    for (size_t k = 0; k < ZT_COUNT(kinds); k++) {
        for (size_t i = 0; i < ZT_COUNT(rows); i++) {
            char label[64];
            snprintf(label, sizeof(label), "%s, %s", kinds[k].name, rows[i].label);
            struct zt_pace pace = learned(&kinds[k], 100, rows[i].jitter, rows[i].runs);
            struct told told = follow(&kinds[k], &pace, 100 * rows[i].speed);
            CHECK_BELOW(label, told.worst, 0.20);
            CHECK(label, told.all > 10 && told.inside >= told.all * 8 / 10);
        }
    }
}

/* ---- recorded runs ------------------------------------------------------------------------- */

#define RUNS_MAX    16
#define REPORTS_MAX 512
#define THIRD       7 /* per cent at which three steps of the motion engine's work proper are done */

struct report {
    int64_t us;
    int percent;
};

struct recorded {
    int n;
    struct report report[REPORTS_MAX];
    int64_t total_us; /* 0: it never ended */
};

/* Runs of a file of fixtures/pace; how many there are. */
static int read_runs(const char *path, struct recorded *runs)
{
    FILE *f = fopen(path, "r");
    long run, ms, percent, end, before = -1;
    char line[80];
    int n = 0;

    CHECK("there are recorded runs", f != NULL);
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        char *p = line;
        run = strtol(p, &p, 10);
        ms = strtol(p, &p, 10);
        percent = strtol(p, &p, 10);
        end = strtol(p, &p, 10);
        if (run != before && n < RUNS_MAX)
            runs[n++] = (struct recorded){ 0 };
        before = run;
        struct recorded *r = &runs[n - 1];
        if (end)
            r->total_us = ms * ZT_MS_US;
        else if (r->n < REPORTS_MAX)
            r->report[r->n++] = (struct report){ ms * ZT_MS_US, (int)percent };
    }
    if (f != NULL)
        fclose(f);
    return n;
}

static struct zt_pace_run as_learned(const struct recorded *r)
{
    struct zt_pace_run run = { .total_us = r->total_us };
    int reached = 0;

    for (int i = 0; i < r->n; i++) {
        for (; reached < r->report[i].percent && reached < 100; reached++)
            run.reached_us[reached + 1] = r->report[i].us;
    }
    for (; reached < 100; reached++)
        run.reached_us[reached + 1] = r->total_us;
    return run;
}

/*
 * What polls are told once a second, as reports come, against when the run really ended. Marks are
 * learned from every step, as a worker does.
 */
static struct told follow_recorded(const struct recorded *r, const struct zt_pace *pace)
{
    struct told told = { 0 };
    int64_t moved_us = 0, told_us = 0;
    int before = 0;

    for (int i = 0; i < r->n; i++) {
        const struct report *at = &r->report[i];
        double left_s = (double)(r->total_us - at->us) / 1e6;
        if (at->us < told_us + ZT_SECOND_US)
            continue;
        told_us = at->us;
        if (at->percent > before)
            moved_us = START_US + at->us;
        before = at->percent;
        struct zt_task task = { .state = ZT_TASK_GENERATING,
                                .started_us = START_US,
                                .updated_us = START_US + at->us,
                                .percent = at->percent,
                                .moved_us = moved_us };
        struct zt_eta eta = zt_pace_eta(pace, &task, -1, START_US + at->us);
        if (at->percent < THIRD || left_s < (double)r->total_us / 1e7)
            continue;
        told.worst = fmax(told.worst, fabs((double)eta.us / 1e6 - left_s) / left_s);
        told.inside += (double)eta.low_us / 1e6 <= left_s && left_s <= (double)eta.high_us / 1e6;
        told.all++;
    }
    return told;
}

/* Each run by what the others taught. */
static void is_right_for_recorded_runs(void)
{
    static struct recorded runs[RUNS_MAX];
    int n = read_runs(ZT_FIXTURES "/pace/motion.tsv", runs);

    CHECK("several", n >= 3);
    for (int i = 0; i < n; i++) {
        struct zt_pace pace = { .engine = "motion", .model = "m", .size = "1080p/10" };
        char label[32];
        for (int j = 0; j < n; j++) {
            struct zt_pace_run run = as_learned(&runs[j]);
            if (j != i)
                zt_pace_learn(&pace, &run);
        }
        struct told told = follow_recorded(&runs[i], &pace);
        snprintf(label, sizeof(label), "recorded run %d", i + 1);
        CHECK_BELOW(label, told.worst, 0.20);
        CHECK(label, told.all >= 5 && told.inside >= told.all * 8 / 10);
    }
}

/* Short ones, where a report a second is coarse: to the second. */
static void is_right_for_short_tasks(void)
{
    for (size_t k = 0; k < ZT_COUNT(kinds); k++) {
        struct zt_pace pace = learned(&kinds[k], 6, 0.05, 8);
        CHECK_BELOW(kinds[k].name, follow(&kinds[k], &pace, 6.6).worst_s, 1);
    }
}

static void knows_little_without_a_history(void)
{
    struct zt_task task = { .state = ZT_TASK_GENERATING,
                            .started_us = START_US,
                            .updated_us = START_US + 10 * ZT_SECOND_US };
    int64_t now_us = START_US + 12 * ZT_SECOND_US;

    CHECK("nothing at first", !zt_pace_eta(NULL, &task, -1, now_us).known);
    task.percent = 20;
    struct zt_eta eta = zt_pace_eta(NULL, &task, -1, now_us);
    CHECK_INT("by the share", eta.us, 38 * ZT_SECOND_US);
    CHECK_INT("band", eta.low_us, 18 * ZT_SECOND_US);
    CHECK_INT("band", eta.high_us, 58 * ZT_SECOND_US);
    CHECK("even is even", follow(&kinds[2], NULL, 100).worst < 0.20);
    task.updated_us = START_US - ZT_HOUR_US; /* a clock that was set back */
    CHECK("no clock", !zt_pace_eta(NULL, &task, -1, now_us).known);
    task.state = ZT_TASK_WAITING;
    CHECK("waiting", !zt_pace_eta(NULL, &task, 0, now_us).known);
}

static void counts_the_queue(void)
{
    struct zt_pace pace = learned(&kinds[0], 10, 0, 3);
    struct zt_task task = { .state = ZT_TASK_WAITING };

    struct zt_eta eta = zt_pace_eta(&pace, &task, 30 * ZT_SECOND_US, START_US);
    CHECK_INT("wait, inputs, work", eta.us,
              30 * ZT_SECOND_US + ZT_SECOND_US / 2 + 10 * ZT_SECOND_US);
    CHECK("band", eta.low_us < eta.us - 10 * ZT_SECOND_US && eta.high_us > eta.us);
    CHECK("no telling", !zt_pace_eta(&pace, &task, -1, START_US).known);
    task.state = ZT_TASK_QUEUING;
    eta = zt_pace_eta(&pace, &task, -1, START_US);
    CHECK_INT("claimed", eta.us, ZT_SECOND_US / 2 + 10 * ZT_SECOND_US);
    task.state = ZT_TASK_FAIL;
    eta = zt_pace_eta(NULL, &task, -1, START_US);
    CHECK("the end", eta.known && eta.us == 0 && eta.high_us == 0);
}

/* Whatever a row or a clock says, the answer is a time. */
static void takes_anything(void)
{
    static const int64_t times[] = {
        0, 1, START_US - ZT_DAY_US, START_US, START_US + 1, START_US + ZT_DAY_US, INT64_MAX / 2
    };
    struct zt_pace paces[3] = { { .runs = 1 }, { .runs = 1 }, { .runs = 1 } };

    paces[1] = learned(&kinds[1], 1e-6, 0, 1);
    paces[2] = learned(&kinds[1], 1e7, 0.5, 9);
    for (size_t i = 0; i < ZT_COUNT(times) * ZT_COUNT(times) * ZT_COUNT(times); i++) {
        for (int percent = 0; percent <= 100; percent += 50) {
            for (int p = 0; p < 4; p++) {
                struct zt_task task = {
                    .state = ZT_TASK_GENERATING,
                    .started_us = times[i % ZT_COUNT(times)],
                    .updated_us = times[i / ZT_COUNT(times) % ZT_COUNT(times)],
                    .moved_us = times[i / ZT_COUNT(times) % ZT_COUNT(times)],
                    .percent = percent,
                };
                struct zt_eta eta = zt_pace_eta(p < 3 ? &paces[p] : NULL, &task, -1,
                                                times[i / ZT_COUNT(times) / ZT_COUNT(times)]);
                CHECK("in order", eta.low_us >= 0 && eta.low_us <= eta.us && eta.us <= eta.high_us);
            }
        }
    }
}

/* What is old is forgotten: a machine that became faster is believed after a few runs. */
static void forgets_what_is_old(void)
{
    struct zt_pace pace = learned(&kinds[0], 100, 0.02, 50);

    for (int i = 0; i < 24; i++) {
        struct zt_pace_run run = run_of(&kinds[0], 50);
        zt_pace_learn(&pace, &run);
    }
    CHECK_BELOW("total", fabs((double)pace.usual.total_us / 1e6 - 50), 3);
    for (int i = 1; i < ZT_PACE_MARKS; i++)
        CHECK("marks in order", pace.usual.reached_us[i] >= pace.usual.reached_us[i - 1]);
}

int main(void)
{
    RUN(is_right_after_the_third_step);
    RUN(is_right_for_recorded_runs);
    RUN(is_right_for_short_tasks);
    RUN(knows_little_without_a_history);
    RUN(counts_the_queue);
    RUN(takes_anything);
    RUN(forgets_what_is_old);
    return check_done();
}
