/*
 * offer.h - what comes with a task on its way in, decided in the transaction that adds it: whether
 * the same request was answered before, and whether its key and user may still add one.
 */
#ifndef ZT_STORE_OFFER_H
#define ZT_STORE_OFFER_H

#include "store/store.h"

#define ZT_IDEMPOTENCY_KEY_MAX 255
#define ZT_IDEMPOTENCY_US      ZT_DAY_US /* how long an answer is given again */

/* Why a task was not taken, where the code alone does not say it. */
enum zt_refusal {
    ZT_REFUSED_NOT,
    ZT_REFUSED_REUSE, /* ZT_E_CONFLICT: the idempotency key came with another request before */
    /* ZT_E_LIMIT: */
    ZT_REFUSED_QUEUE,   /* the user has as many tasks waiting or running as may be */
    ZT_REFUSED_CAP,     /* the key would spend more than it may in an hour, a day, or in all */
    ZT_REFUSED_CREDITS, /* the user's balance does not suffice */
};

struct zt_offer {
    const char *idempotency_key; /* 1 ... ZT_IDEMPOTENCY_KEY_MAX bytes, or NULL: there is none */
    uint8_t request_hash[ZT_SHA256_BYTES]; /* of all that makes two requests the same */
    const char *answer;     /* what a repetition is answered with; kept with the key */
    struct zt_arena *arena; /* holds `replay`; nobody else uses it meanwhile */
    bool limited;           /* look at the limits of key and user; needless when there are none */

    /* Set by the calls below. */
    enum zt_refusal refused;
    const char *replay;      /* the answer that was given before; NULL: this is the first */
    const char *replay_task; /* the task it was about */
};

/*
 * zt_store_task_add, unless the key of the task's API key was answered within ZT_IDEMPOTENCY_US:
 * then nothing is added and offer->replay is the answer of that time. Two at once: one is added.
 *   ZT_E_CONFLICT  as zt_store_task_add, and ZT_REFUSED_REUSE
 *   ZT_E_LIMIT     offer->refused says which; nothing is recorded
 */
enum zt_code zt_store_task_offer(struct zt_store *store, const struct zt_task *task,
                                 struct zt_offer *offer, struct zt_err *err);

/*
 * Only asks whether the request was answered before, through any handle; offer->replay stays NULL
 * when not. ZT_E_CONFLICT: ZT_REFUSED_REUSE.
 */
enum zt_code zt_store_offer_look(struct zt_store *store, int64_t key_id, struct zt_offer *offer,
                                 struct zt_err *err);

#endif
