/*
 * pace.h - how long tasks take, learned from those that succeeded, and from it how long one that is
 * under way still needs.
 *
 * A history is kept for each engine, model and size (resolution and duration, which fix the number
 * of frames): the time at which each per cent was reached, as a decayed mean, so that stages that
 * repeat or take long at one per cent are known for what they are. The estimator is a pure
 * function; any thread.
 */
#ifndef ZT_STORE_PACE_H
#define ZT_STORE_PACE_H

#include "store/store.h"

#define ZT_PACE_MARKS 101
#define ZT_PACE_SIZE  32 /* bytes of a size's name, "720p/5" */

/* How one attempt went, as its worker measured it. From the engine's start, but the first. */
struct zt_pace_run {
    int64_t inputs_us;                 /* from the claim to the start */
    int64_t reached_us[ZT_PACE_MARKS]; /* until so many per cent; [0] is 0; never falling */
    int64_t total_us;                  /* until all was published */
};

struct zt_pace {
    const char *engine, *model, *size;
    int64_t runs;
    int64_t spread_us;        /* decayed mean of how far a total was from the mean */
    struct zt_pace_run usual; /* decayed means */
};

/* All histories, at most ZT_PACES_MAX; rows that are damaged are left out. *ret: an array. */
#define ZT_PACES_MAX 512
enum zt_code zt_store_paces(struct zt_store *store, struct zt_arena *arena, struct zt_pace **ret,
                            int *ret_n, struct zt_err *err);

/* The one for this engine, model and size; else for another model of the same size; else NULL. */
const struct zt_pace *zt_pace_find(const struct zt_pace *paces, int n, const char *engine,
                                   const char *model, const char *size);

/* What a task takes from claim to end with this engine, over all that is known; 0: nothing is. */
int64_t zt_pace_mean_us(const struct zt_pace *paces, int n, const char *engine);

struct zt_eta {
    bool known;
    int64_t us, low_us, high_us; /* to the end of the task; the end is mostly within the band */
};

/*
 * pace     NULL: there is no history, then the share that is done counts alone
 * wait_us  for a waiting task: until it is claimed; < 0: unknown
 */
struct zt_eta zt_pace_eta(const struct zt_pace *pace, const struct zt_task *task, int64_t wait_us,
                          int64_t now_us);

/* Puts one more run into a history; runs 0: the first. */
void zt_pace_learn(struct zt_pace *pace, const struct zt_pace_run *run);

#endif
