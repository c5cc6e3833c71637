/*
 * deliveries.h - the part of store.h about callbacks: what is owed to whom, what each try met, and
 * which hosts are to be left alone for a while. The rules of store.h hold here too.
 *
 * A delivery is made by the transaction that ends its task. It is sent in rounds: the first, and
 * one more for each redelivery; a round has tries. A host is what follows "://" in the URL, with
 * its port. It has at most `host_limit` deliveries under way, and a circuit breaker:
 *
 *            break_after failures in a row              break_us went by
 *   CLOSED ---------------------------------> OPEN ----------------------> HALF-OPEN
 *     ^                                        ^                            |     |
 *     |                                        +---- the probe failed ------+     |
 *     +-------------------------------- it was answered --------------------------+
 *
 * An open breaker delays deliveries and uses up none of their tries; a half-open one lets a single
 * delivery through.
 */
#ifndef ZT_STORE_DELIVERIES_H
#define ZT_STORE_DELIVERIES_H

#include "store/store.h"

/* ---- sending ------------------------------------------------------------------------------- */

struct zt_delivery {
    int64_t id; /* also the Standard Webhooks message id, as "msg_<id>_<task>" */
    const char *task_id;
    int64_t key_id;
    const char *url;
    int attempt; /* 1 for the first; counts claims, over all rounds */
    int round;   /* 1 for the first */
    int nth;     /* of the attempt in its round; 0 before the round's first */
    int64_t created_us;
};

/* The same for everybody who sends from one store. */
struct zt_delivery_rules {
    int64_t lease_us;
    int host_limit;   /* under way to one host at once; 0: no limit */
    int break_after;  /* failures in a row that open a host's breaker; 0: it never opens */
    int64_t break_us; /* how long it is open at first; twice as long after each failed probe, up to
                         ZT_BREAK_LONGEST times, moved by 20 % either way */
};
#define ZT_BREAK_LONGEST 16

/*
 * Leases the delivery that is due longest among those whose host may be sent to. ZT_E_NOT_FOUND:
 * none now. The cost does not grow with what waits for hosts that are full or left alone.
 */
enum zt_code zt_store_delivery_claim(struct zt_store *store, struct zt_arena *arena,
                                     const struct zt_delivery_rules *rules,
                                     struct zt_delivery **ret, struct zt_err *err);

enum zt_delivery_outcome {
    ZT_DELIVERY_DONE,
    ZT_DELIVERY_RETRY,
    ZT_DELIVERY_GIVEN_UP,
};
#define ZT_DELIVERY_OUTCOMES 3

/* What a try says about the host. */
enum zt_host_sign {
    ZT_HOST_UNKNOWN, /* nothing: we did not ask, or hung up ourselves */
    ZT_HOST_ALIVE,   /* it answered, be it to refuse */
    ZT_HOST_FAILED,  /* no answer, or one that says that the host is in trouble */
};

#define ZT_EXCERPT_MAX 1024 /* bytes that are kept of a note, and of an answer's body */

/* A try. note and answer may hold any bytes: what is no UTF-8 is stored as question marks. */
struct zt_delivery_try {
    enum zt_delivery_outcome outcome;
    int status;       /* of HTTP; 0: no answer came */
    const char *note; /* what happened, for people; may be NULL */
    int64_t took_us;
    int64_t next_us; /* RETRY: when to try again */
    bool uncounted;  /* RETRY: it uses up none of the round's tries, as when we hung up ourselves */
    int family;      /* 4 or 6: over which IP the host was asked; 0: it was not */
    const char *answer;
    size_t answer_n;
    enum zt_host_sign host;
};

/* Records a try and what follows. ZT_E_CONFLICT: this attempt's lease was lost. */
enum zt_code zt_store_delivery_settle(struct zt_store *store, const struct zt_delivery *delivery,
                                      const struct zt_delivery_try *attempt,
                                      const struct zt_delivery_rules *rules, struct zt_err *err);

/* No delivery can be claimed before; INT64_MAX: none is waiting. */
enum zt_code zt_store_delivery_next_us(struct zt_store *store, int64_t *ret, struct zt_err *err);

/*
 * Gives up what is pending in a round that began before `before_us`: with a breaker that stays
 * open, tries alone would keep it for ever. At most limit; ret_n may be NULL.
 */
enum zt_code zt_store_delivery_expire(struct zt_store *store, int64_t before_us, int limit,
                                      int *ret_n, struct zt_err *err);

/* ---- looking ------------------------------------------------------------------------------- */

struct zt_delivery_entry {
    int attempt, round;
    int64_t at_us;                 /* when it was over */
    struct zt_delivery_try result; /* but next_us, uncounted, host; answer ends with a NUL */
};

enum zt_breaker { ZT_BREAKER_CLOSED, ZT_BREAKER_OPEN, ZT_BREAKER_HALF_OPEN };

/*
 * What became of a callback, for people. tries: the newest ZT_TRIES_SHOWN of the settled ones,
 * oldest first; a gap in their attempt numbers is a sender that died.
 */
#define ZT_TRIES_SHOWN 100
struct zt_delivery_log {
    struct zt_delivery delivery;
    enum zt_delivery_outcome state; /* RETRY: pending, next try at due_us */
    int64_t due_us;                 /* when it was settled for one that is not pending */
    bool sending;                   /* right now; due_us is the end of the sender's lease */
    int64_t round_us;               /* when the round began */
    enum zt_breaker breaker;        /* of its host; CLOSED unless pending */
    int64_t breaker_until_us;       /* OPEN: until when */
    int n;
    struct zt_delivery_entry *tries;
};

/* "pending", "done", "given_up". */
const char *zt_delivery_state_name(enum zt_delivery_outcome state);
bool zt_delivery_state_parse(const char *name, enum zt_delivery_outcome *ret);

/* ZT_E_NOT_FOUND: the task has none (yet). */
enum zt_code zt_store_delivery_of_task(struct zt_store *store, struct zt_arena *arena,
                                       const char *task_id, struct zt_delivery_log **ret,
                                       struct zt_err *err);

/*
 * Newest first, each with its newest try alone. key_id 0: of all keys. state < 0: all. before_id 0:
 * from the newest; else those with a smaller id.
 */
enum zt_code zt_store_delivery_list(struct zt_store *store, struct zt_arena *arena, int64_t key_id,
                                    int state, int64_t before_id, int limit,
                                    struct zt_delivery_log ***ret, int *ret_n, struct zt_err *err);

struct zt_delivery_stats {
    int64_t pending;
    int64_t due;           /* of those, how many could be sent now if hosts let us; to 100 000 */
    int64_t oldest_due_us; /* since when the longest of them is due; 0: none is */
    int64_t tries[ZT_DELIVERY_OUTCOMES]; /* ever, by outcome; never less than before */
    int64_t hosts_open;
};
enum zt_code zt_store_delivery_stats(struct zt_store *store, struct zt_delivery_stats *ret,
                                     struct zt_err *err);

/* ---- sending again ------------------------------------------------------------------------- */

/*
 * Begins a new round with all tries, due now, under the same message id; its host gets a probe even
 * if its breaker is open. key_id 0: whoever's task it is.
 *   ZT_E_NOT_FOUND  the task has no delivery, or is another key's
 *   ZT_E_CONFLICT   it is being sent right now
 */
enum zt_code zt_store_redeliver(struct zt_store *store, const char *task_id, int64_t key_id,
                                struct zt_err *err);

/* The same for what was given up since then; at most limit. ret_n: how many there were. */
enum zt_code zt_store_redeliver_failed(struct zt_store *store, int64_t since_us, int limit,
                                       int *ret_n, struct zt_err *err);

/* ---- the secrets that sign ----------------------------------------------------------------- */

struct zt_webhook_secrets {
    const char *current;
    const char *previous; /* "" unless it signs too, until previous_until_us */
    int64_t previous_until_us;
};

/* ZT_E_NOT_FOUND: there is no such key. Revoked keys have theirs: what they owe is still sent. */
enum zt_code zt_store_webhook_secrets(struct zt_store *store, struct zt_arena *arena,
                                      int64_t key_id, struct zt_webhook_secrets *ret,
                                      struct zt_err *err);

/*
 * `secret` signs from now on, the one before it as well for keep_us, any older one no more.
 * ZT_E_NOT_FOUND: there is no such key, or it is revoked.
 */
enum zt_code zt_store_webhook_rotate(struct zt_store *store, int64_t key_id, const char *secret,
                                     int64_t keep_us, struct zt_err *err);

#endif
