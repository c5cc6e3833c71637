/*
 * users.h - who the keys belong to: users, what each key may do, credits and the book about them.
 *
 * Credits are counted in thousandths. A user has a balance, or none: then nothing is refused for
 * lack of credits, and the book still says what was spent. The sum of a user's lines in the book is
 * the balance, always: a line is what moves it (schema.c). A task is paid for in the transaction
 * that adds it, and given back in the one that fails it.
 */
#ifndef ZT_STORE_USERS_H
#define ZT_STORE_USERS_H

#include "store/store.h"

#define ZT_CREDIT          1000                              /* thousandths in one */
#define ZT_CREDIT_MAX      (INT64_C(1000000000) * ZT_CREDIT) /* of a balance, a cap, a price */
#define ZT_CREDIT_NO_LIMIT (-1)
#define ZT_RATE_AS_ALL     (-1)
#define ZT_ALLOW_IP_MAX    1024
#define ZT_DEFAULT_USER    "default"
#define ZT_DEFAULT_USER_ID 1

/* "4.5", "-0.25", "100": without needless zeros. Returns dst. */
#define ZT_CREDIT_TEXT 32
const char *zt_credit_text(int64_t milli, char dst[ZT_CREDIT_TEXT]);

/* The same read: at most three decimals, 0 ... ZT_CREDIT_MAX. */
bool zt_credit_parse(const char *text, int64_t *ret_milli);

/* What a key may do. */
struct zt_key_limits {
    int64_t rate_n; /* createTask calls in any rate_window_us; 0: no limit; or ZT_RATE_AS_ALL */
    int64_t rate_window_us;
    int64_t cap_hour_milli, cap_day_milli, cap_total_milli; /* of credits; or ZT_CREDIT_NO_LIMIT */
    const char *allow_ip; /* networks it may come from, with commas; "": all */
    int64_t expires_us;   /* 0: never */
};

#define ZT_KEY_LIMITS_NONE                                                                         \
    {                                                                                              \
        .rate_n = ZT_RATE_AS_ALL, .cap_hour_milli = ZT_CREDIT_NO_LIMIT,                            \
        .cap_day_milli = ZT_CREDIT_NO_LIMIT, .cap_total_milli = ZT_CREDIT_NO_LIMIT, .allow_ip = "" \
    }

/* The part of struct zt_key that is not the key itself. */
struct zt_key_account {
    int64_t user_id;
    const char *user;
    struct zt_key_limits limits;
    int64_t spent_hour_milli, spent_day_milli; /* in this hour, this day of UTC */
    int64_t spent_milli;                       /* in all; what was given back is not in it */
    int64_t pending;                           /* tasks of the key that wait or run */
    bool is_limited; /* by a cap, its user's balance or queue: zt_offer.limited */
};

/* Sets what a key may do. ZT_E_NOT_FOUND: no such key, or revoked. */
enum zt_code zt_store_key_limit(struct zt_store *store, int64_t key_id,
                                const struct zt_key_limits *limits, struct zt_err *err);

/* Makes a new key a user's: before it was used. ZT_E_NOT_FOUND: no such key or user. */
enum zt_code zt_store_key_give(struct zt_store *store, int64_t key_id, int64_t user_id,
                               struct zt_err *err);

struct zt_user {
    int64_t id;
    const char *name;
    int64_t created_us;
    int64_t credit_milli; /* the balance, or ZT_CREDIT_NO_LIMIT */
    int64_t queue_max;    /* tasks that may wait or run at once; 0: no limit */
    int64_t pending;      /* that do */
    int64_t keys;         /* not revoked */
    int64_t spent_milli;  /* by all keys */
};

/* ZT_E_CONFLICT: the name is taken. */
enum zt_code zt_store_user_add(struct zt_store *store, const char *name, int64_t *ret_id,
                               struct zt_err *err);
/* ZT_E_NOT_FOUND. */
enum zt_code zt_store_user_by_name(struct zt_store *store, struct zt_arena *arena, const char *name,
                                   struct zt_user **ret, struct zt_err *err);
enum zt_code zt_store_user_list(struct zt_store *store, struct zt_arena *arena,
                                struct zt_user ***ret, int *ret_n, struct zt_err *err);

/* queue_max 0: no limit. ZT_E_NOT_FOUND. */
enum zt_code zt_store_user_limit(struct zt_store *store, int64_t user_id, int64_t queue_max,
                                 struct zt_err *err);

/*
 * Sets the balance: to `milli`, or to none (ZT_CREDIT_NO_LIMIT); or moves the one there is by
 * `milli`, either way. `why` goes into the book. *ret_milli is the balance afterwards.
 *   ZT_E_NOT_FOUND  no such user
 *   ZT_E_LIMIT      it would be less than 0 or more than ZT_CREDIT_MAX; or there is none to move
 */
enum zt_code zt_store_user_set_credit(struct zt_store *store, int64_t user_id, int64_t milli,
                                      const char *why, int64_t *ret_milli, struct zt_err *err);
enum zt_code zt_store_user_move_credit(struct zt_store *store, int64_t user_id, int64_t milli,
                                       const char *why, int64_t *ret_milli, struct zt_err *err);

/* The balance of a key's user, as struct zt_user has it. ZT_E_NOT_FOUND: no such key. */
enum zt_code zt_store_key_credit(struct zt_store *store, int64_t key_id, int64_t *ret_milli,
                                 struct zt_err *err);

/* A line of the book, newest first; at most limit. */
struct zt_ledger_line {
    int64_t key_id; /* 0: an operator's doing */
    const char *task_id;
    int64_t amount_milli;
    const char *why; /* "task", "given back", or what the operator said */
    int64_t at_us;
};
enum zt_code zt_store_ledger(struct zt_store *store, struct zt_arena *arena, int64_t user_id,
                             int limit, struct zt_ledger_line **ret, int *ret_n,
                             struct zt_err *err);

#endif
