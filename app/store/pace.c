/* pace.c - the arithmetic of histories. See pace.h. */
#include "store/pace.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define DECAY_RUNS 8 /* a new run counts as one of so many, once there are so many */
#define FEW_RUNS   3 /* with fewer, the spread is not believed */

/* Shares of the estimate, in per cent. */
#define BAND_LEAST    10 /* however alike the runs were */
#define BAND_FEW      40
#define BAND_NONE     50 /* without a history */
#define BAND_MOST     100
#define BAND_OF_QUEUE 50

/* How much a run may differ from its history, so that a wild report gives no wild answer. */
#define RATIO_LEAST 0.05
#define RATIO_MOST  20.0
#define LEFT_MAX_US (3650 * ZT_DAY_US)
#define REPORT_US   1e6 /* about how late a report may be */

static int64_t moved(int64_t mean, int64_t value, int64_t weight)
{
    return mean + (value - mean) / weight;
}

void zt_pace_learn(struct zt_pace *pace, const struct zt_pace_run *run)
{
    struct zt_pace_run *usual = &pace->usual;
    int64_t weight = pace->runs + 1 < DECAY_RUNS ? pace->runs + 1 : DECAY_RUNS;

    if (pace->runs > 0) {
        int64_t off_us = llabs(run->total_us - usual->total_us);
        pace->spread_us = pace->runs == 1 ? off_us : moved(pace->spread_us, off_us, weight);
    }
    usual->inputs_us = moved(usual->inputs_us, run->inputs_us, weight);
    usual->total_us = moved(usual->total_us, run->total_us, weight);
    for (int i = 0; i < ZT_PACE_MARKS; i++)
        usual->reached_us[i] = moved(usual->reached_us[i], run->reached_us[i], weight);
    pace->runs++;
}

const struct zt_pace *zt_pace_find(const struct zt_pace *paces, int n, const char *engine,
                                   const char *model, const char *size)
{
    const struct zt_pace *close = NULL;

    for (int i = 0; i < n; i++) {
        if (strcmp(paces[i].engine, engine) != 0 || strcmp(paces[i].size, size) != 0)
            continue;
        if (strcmp(paces[i].model, model) == 0)
            return &paces[i];
        if (close == NULL || paces[i].runs > close->runs)
            close = &paces[i];
    }
    return close;
}

int64_t zt_pace_mean_us(const struct zt_pace *paces, int n, const char *engine)
{
    double sum_us = 0;
    double runs = 0;

    for (int i = 0; i < n; i++) {
        if (strcmp(paces[i].engine, engine) != 0)
            continue;
        const struct zt_pace_run *usual = &paces[i].usual;
        sum_us += (double)(usual->inputs_us + usual->total_us) * (double)paces[i].runs;
        runs += (double)paces[i].runs;
    }
    return runs > 0 ? (int64_t)(sum_us / runs) : 0;
}

/* ---- estimating ---------------------------------------------------------------------------- */

static double bound(double v, double least, double most)
{
    return v < least ? least : v > most ? most : v;
}

/*
 * How this run compares with its history: by the time of the report that first told of the last
 * per cent, which was reached up to a report before. Early on, that says little, so some of the
 * usual pace is mixed in. A run that should have reached the next per cent by now is slower.
 */
static double ratio(const struct zt_pace_run *usual, int percent, int64_t moved_us,
                    int64_t spent_us)
{
    double total = (double)usual->total_us;
    double prior = (total / 100 > REPORT_US ? total / 100 : REPORT_US) * (100 - percent) / 100;
    double next = percent < 100 ? (double)usual->reached_us[percent + 1] : total;
    double reached = (double)usual->reached_us[percent];
    double usually = reached + bound(next - reached, 0, REPORT_US) / 2;
    double r = usually + prior > 0 ? ((double)moved_us + prior) / (usually + prior) : 1;

    if (next > 0 && r * next < (double)spent_us - REPORT_US)
        r = ((double)spent_us - REPORT_US) / next;
    return bound(r, RATIO_LEAST, RATIO_MOST);
}

static struct zt_eta make(int64_t us, int64_t band_us)
{
    if (us < 0)
        us = 0;
    return (struct zt_eta){
        .known = true, .us = us, .low_us = us > band_us ? us - band_us : 0, .high_us = us + band_us
    };
}

static int64_t band_share(const struct zt_pace *pace)
{
    int64_t spread = pace->usual.total_us > 0 ? 200 * pace->spread_us / pace->usual.total_us : 0;
    int64_t least = pace->runs < FEW_RUNS ? BAND_FEW : BAND_LEAST;

    return spread < least ? least : spread > BAND_MOST ? BAND_MOST : spread;
}

/* By the share that is done and the time it took. */
static double share_left_us(const struct zt_task *task, double spent_us)
{
    return spent_us * (100 - task->percent) / task->percent;
}

static struct zt_eta while_generating(const struct zt_pace *pace, const struct zt_task *task,
                                      int64_t now_us)
{
    int64_t spent_us = task->updated_us - task->started_us; /* when the report was true */
    int64_t since_us = now_us > task->updated_us ? now_us - task->updated_us : 0;
    int64_t moved_us = task->moved_us > task->started_us ? task->moved_us - task->started_us : 0;
    bool told = task->percent > 0 && spent_us > 0;

    if (task->started_us <= 0 || (pace == NULL && !told))
        return (struct zt_eta){ .known = false };
    if (spent_us < 0) /* the clock was set back */
        spent_us = 0;
    int percent = (int)bound(task->percent, 0, 100);
    double left_us =
        pace ? ratio(&pace->usual, percent, moved_us, spent_us) * (double)pace->usual.total_us -
                   (double)spent_us
             : share_left_us(task, (double)spent_us);
    int64_t left = (int64_t)bound(left_us, 0, LEFT_MAX_US);
    return make(left - since_us, left * (pace ? band_share(pace) : BAND_NONE) / 100);
}

struct zt_eta zt_pace_eta(const struct zt_pace *pace, const struct zt_task *task, int64_t wait_us,
                          int64_t now_us)
{
    if (zt_task_is_final(task->state))
        return (struct zt_eta){ .known = true };
    if (task->state == ZT_TASK_GENERATING)
        return while_generating(pace, task, now_us);
    if (task->state == ZT_TASK_QUEUING)
        wait_us = 0;
    if (pace == NULL || wait_us < 0)
        return (struct zt_eta){ .known = false };
    int64_t own_us = pace->usual.inputs_us + pace->usual.total_us;
    return make(wait_us + own_us, own_us * band_share(pace) / 100 + wait_us * BAND_OF_QUEUE / 100);
}
