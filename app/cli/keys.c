/*
 * keys.c - zoetrope keys. A secret is printed once, when it is made, and cannot be had again. What
 * a key may do can be changed at any time; a running server heeds it with the next request.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/limits.h"
#include "service/data.h"
#include "service/handles.h"
#include "service/secret.h"
#include "store/deliveries.h"
#include "store/store.h"

struct own {
    const char *name, *user;
    int64_t keep_us;
    struct zt_limit_flags limits;
};

static enum zt_code open_store(const struct zt_args *args, bool create, struct zt_store **ret,
                               struct zt_err *err)
{
    struct zt_data data;

    ZT_TRY(zt_data_find(args->config.data, create, &data, err));
    const struct zt_store_options options = { .path = data.store };
    return zt_store_open(&options, ret, err);
}

/* The key, its user and its limits: all of it, or nothing. */
static enum zt_code add_key(struct zt_args *args, struct zt_store *store, const char *name,
                            struct zt_secret *secret, char *webhook, struct zt_err *err)
{
    const struct own *own = args->own;
    struct zt_key_limits limits = ZT_KEY_LIMITS_NONE;
    struct zt_user *user = NULL;
    struct zt_key *key = NULL;

    ZT_TRY(zt_limits_read(&own->limits, &limits, err));
    ZT_TRY(zt_store_user_by_name(store, &args->arena, own->user, &user, err));
    ZT_TRY(zt_store_begin(store, err));
    enum zt_code rc = zt_secret_add_key(store, name, secret, webhook, err);
    if (rc == ZT_OK)
        rc = zt_store_key_by_name(store, &args->arena, name, &key, err);
    if (rc == ZT_OK)
        rc = zt_store_key_give(store, key->id, user->id, err);
    if (rc == ZT_OK)
        rc = zt_store_key_limit(store, key->id, &limits, err);
    if (rc == ZT_OK)
        return zt_store_commit(store, err);
    zt_store_rollback(store);
    return rc;
}

static int create_key(struct zt_args *args, struct zt_store *store, const char *name)
{
    struct zt_secret secret = { .text = "" };
    char webhook[ZT_SECRET_TEXT] = "";
    struct zt_err err = { 0 };

    if (add_key(args, store, name, &secret, webhook, &err) != ZT_OK) {
        int status = zt_command_failed("keys create", &err);
        return err.code == ZT_E_INVALID ? ZT_EXIT_USAGE : status;
    }
    printf("name            %s\nAPI key         %s\nwebhook secret  %s\n", name, secret.text,
           webhook);
    zt_secret_wipe(&secret);
    return ZT_EXIT_OK;
}

static const char *state_of(const struct zt_key *key)
{
    int64_t expires_us = key->account->limits.expires_us;

    if (key->revoked_us != 0)
        return "revoked";
    return expires_us != 0 && expires_us <= zt_now_utc_us() ? "expired" : "active";
}

/* What a key may do, where it is not what every key may. */
static void put_limits(const struct zt_key *key)
{
    const struct zt_key_account *a = key->account;
    const struct zt_key_limits *l = &a->limits;
    char rate[ZT_LIMIT_TEXT], expires[ZT_TIME_TEXT], spent[3][ZT_SPENT_TEXT];

    printf("  user %s", a->user);
    if (l->rate_n != ZT_RATE_AS_ALL)
        printf(", rate %s", zt_limit_rate_text(l, rate));
    if (l->cap_hour_milli >= 0)
        printf(", credits this hour %s",
               zt_limit_spent_text(a->spent_hour_milli, l->cap_hour_milli, spent[0]));
    if (l->cap_day_milli >= 0)
        printf(", today %s", zt_limit_spent_text(a->spent_day_milli, l->cap_day_milli, spent[1]));
    if (l->cap_total_milli >= 0 || a->spent_milli != 0)
        printf(", in all %s", zt_limit_spent_text(a->spent_milli, l->cap_total_milli, spent[2]));
    if (*l->allow_ip != '\0')
        printf(", from %s", l->allow_ip);
    if (l->expires_us != 0) {
        zt_time_text(l->expires_us, expires);
        printf(", until %s", expires);
    }
    printf("\n");
}

static int list_keys(struct zt_args *args, struct zt_store *store, const char *name)
{
    struct zt_key **keys = NULL;
    struct zt_err err = { 0 };
    int n = 0;

    (void)name;
    if (zt_store_key_list(store, &args->arena, &keys, &n, &err) != ZT_OK)
        return zt_command_failed("keys list", &err);
    printf("%-24s %-10s %-25s %-25s %s\n", "NAME", "KEY", "CREATED", "LAST USED", "STATE");
    for (int i = 0; i < n; i++) {
        char created[ZT_TIME_TEXT], used[ZT_TIME_TEXT];
        zt_time_text(keys[i]->created_us, created);
        zt_time_text(keys[i]->used_us, used);
        printf("%-24s %s...  %-25s %-25s %s\n", keys[i]->name, keys[i]->hint, created,
               keys[i]->used_us ? used : "never", state_of(keys[i]));
        put_limits(keys[i]);
    }
    return ZT_EXIT_OK;
}

static int set_key(struct zt_args *args, struct zt_store *store, const char *name)
{
    const struct own *own = args->own;
    struct zt_key *key = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_store_key_by_name(store, &args->arena, name, &key, &err);
    if (rc == ZT_OK) {
        struct zt_key_limits limits = key->account->limits;
        rc = zt_limits_read(&own->limits, &limits, &err);
        if (rc != ZT_OK)
            return zt_command_misused("keys", &err);
        rc = zt_store_key_limit(store, key->id, &limits, &err);
    }
    if (rc == ZT_OK)
        rc = zt_store_key_by_name(store, &args->arena, name, &key, &err);
    if (rc != ZT_OK)
        return zt_command_failed("keys set", &err);
    printf("key %s:", name);
    put_limits(key);
    return ZT_EXIT_OK;
}

static int reset_key(struct zt_args *args, struct zt_store *store, const char *name)
{
    struct zt_secret secret = { .text = "" };
    struct zt_key *key = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_store_key_by_name(store, &args->arena, name, &key, &err);
    if (rc == ZT_OK) {
        zt_secret_make(&secret);
        rc = zt_store_key_reset(store, key->id, secret.hash, secret.hint, &err);
    }
    if (rc != ZT_OK)
        return zt_command_failed("keys reset", &err);
    printf("name            %s\nAPI key         %s\n", name, secret.text);
    zt_secret_wipe(&secret);
    return ZT_EXIT_OK;
}

static int revoke_key(struct zt_args *args, struct zt_store *store, const char *name)
{
    struct zt_key *key = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_store_key_by_name(store, &args->arena, name, &key, &err);
    if (rc == ZT_OK)
        rc = zt_store_key_revoke(store, key->id, &err);
    if (rc != ZT_OK)
        return zt_command_failed("keys revoke", &err);
    printf("key %s is revoked\n", name);
    return ZT_EXIT_OK;
}

static int rotate_webhook(struct zt_args *args, struct zt_store *store, const char *name)
{
    const struct own *own = args->own;
    char webhook[ZT_SECRET_TEXT] = "";
    char until[ZT_TIME_TEXT];
    struct zt_key *key = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_store_key_by_name(store, &args->arena, name, &key, &err);
    if (rc == ZT_OK) {
        zt_webhook_secret_make(webhook);
        rc = zt_store_webhook_rotate(store, key->id, webhook, own->keep_us, &err);
    }
    if (rc != ZT_OK)
        return zt_command_failed("keys rotate-webhook", &err);
    zt_time_text(zt_now_utc_us() + own->keep_us, until);
    printf("name            %s\nwebhook secret  %s\n", name, webhook);
    if (own->keep_us > 0)
        printf("the old one     signs too, until %s\n", until);
    explicit_bzero(webhook, sizeof(webhook));
    return ZT_EXIT_OK;
}

static const struct {
    const char *name;
    bool needs_name, makes_data;
    int (*run)(struct zt_args *args, struct zt_store *store, const char *name);
} actions[] = {
    { "create", true, true, create_key },  { "set", true, false, set_key },
    { "list", false, false, list_keys },   { "reset", true, false, reset_key },
    { "revoke", true, false, revoke_key }, { "rotate-webhook", true, false, rotate_webhook },
};

static int run(struct zt_args *args)
{
    const struct own *own = args->own;
    const char *name = args->n > 1 ? args->word[1] : own->name;
    const char *names[ZT_COUNT(actions)];
    struct zt_err err = { 0 };

    for (size_t i = 0; i < ZT_COUNT(actions); i++) {
        zt_auto(store) struct zt_store *store = NULL;
        names[i] = actions[i].name;
        if (strcmp(actions[i].name, args->word[0]) != 0)
            continue;
        if (actions[i].needs_name && *name == '\0') {
            zt_fail(&err, ZT_E_INVALID, "which key? zoetrope keys %s NAME", actions[i].name);
            return zt_command_misused("keys", &err);
        }
        if (open_store(args, actions[i].makes_data, &store, &err) != ZT_OK)
            return zt_command_failed("keys", &err);
        return actions[i].run(args, store, name);
    }
    const char *near = zt_nearest(args->word[0], names, ZT_COUNT(names));
    zt_fail(&err, ZT_E_INVALID,
            "the action must be create, set, list, reset, revoke or rotate-webhook, not "
            "'%.40s'%s%s%s",
            args->word[0], near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return zt_command_misused("keys", &err);
}

#define FLAG(flag, member, words, text)                                                            \
    {                                                                                              \
        .name = flag, .kind = ZT_KIND_TEXT, .at = offsetof(struct own, member), .value = words,    \
        .help = text                                                                               \
    }

static const struct zt_setting rows[] = {
    { .name = "name",
      .kind = ZT_KIND_TEXT,
      .at = offsetof(struct own, name),
      .fallback = "",
      .value = "NAME",
      .help = "of the key; it may also follow the action" },
    { .name = "keep",
      .kind = ZT_KIND_DURATION,
      .at = offsetof(struct own, keep_us),
      .fallback = "24h",
      .max = 365 * ZT_DAY_US,
      .help = "rotate-webhook: how long the old secret signs beside the new one" },
    { .name = "user",
      .kind = ZT_KIND_TEXT,
      .at = offsetof(struct own, user),
      .fallback = ZT_DEFAULT_USER,
      .value = "NAME",
      .help = "whose key create makes; see zoetrope users" },
    FLAG("rate", limits.rate, "N/TIME",
         "createTask calls of this key in a span of time; 0: no limit; default: what rate-limit "
         "says"),
    FLAG("cap-hour", limits.cap_hour, "CREDITS", "that it may spend in an hour of UTC, or none"),
    FLAG("cap-day", limits.cap_day, "CREDITS", "that it may spend in a day of UTC, or none"),
    FLAG("cap-total", limits.cap_total, "CREDITS", "that it may spend in all, or none"),
    FLAG("allow-ip", limits.allow_ip, "CIDR,...", "networks that it may be used from, or any"),
    FLAG("expires", limits.expires, "TIME",
         "when it ends: a time from now, like 90d, a day, like 2027-01-31, or never"),
};

const struct zt_command zt_command_keys = {
    .name = "keys",
    .words = "create|set|list|reset|revoke|rotate-webhook [NAME]",
    .summary = "make, limit, list, renew and revoke API keys",
    .about =
        "create  makes a key and prints its secret and its webhook secret, once\n"
        "set     changes what a key may do; what no flag names stays as it is\n"
        "list    shows the keys there are and what they may do, without their secrets\n"
        "reset   gives a key a new secret; its tasks stay, the old secret ends now\n"
        "revoke  ends a key for good\n"
        "rotate-webhook  gives a key a new webhook secret; until --keep is over callbacks are\n"
        "        signed with both, so that the receiver can change over in between\n"
        "\nThey work beside a running server, which heeds them at once.\n"
        "\nExamples:\n"
        "  zoetrope keys create --name=studio\n"
        "  zoetrope keys create ci --user=robots --rate=5/1m --cap-day=100 --expires=90d\n"
        "  zoetrope keys set ci --cap-day=none --allow-ip=10.0.0.0/8,2001:db8::/32\n"
        "  zoetrope keys list\n",
    .bit = ZT_FOR_STORE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
