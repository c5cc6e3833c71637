/* rate.c - see rate.h. A hash table with chains; a key's times are a ring. */
#include "api/rate.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"

#define BUCKETS     1024
#define FIRST_TIMES 32

struct entry {
    struct entry *next;
    int64_t key;
    int64_t last_us;
    int n;          /* admissions kept, at most max */
    int at;         /* where the next one goes: over the oldest, once there are max */
    int cap;        /* of times: grows up to max */
    int64_t *times; /* [cap], a ring once cap is max */
};

struct zt_rate {
    int max;
    int64_t window_us;
    pthread_mutex_t mutex; /* guards the rest */
    struct entry *buckets[BUCKETS];
    int keys;
};

struct zt_rate *zt_rate_new(int max, int64_t window_us)
{
    struct zt_rate *rate = zt_new(struct zt_rate);

    zt_assert(max > 0 && window_us > 0);
    rate->max = max < ZT_RATE_MAX ? max : ZT_RATE_MAX;
    rate->window_us = window_us;
    pthread_mutex_init(&rate->mutex, NULL);
    return rate;
}

static void free_entry(struct entry *entry)
{
    free(entry->times);
    free(entry);
}

void zt_rate_free(struct zt_rate *rate)
{
    if (rate == NULL)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        while (rate->buckets[i] != NULL) {
            struct entry *entry = rate->buckets[i];
            rate->buckets[i] = entry->next;
            free_entry(entry);
        }
    }
    pthread_mutex_destroy(&rate->mutex);
    free(rate);
}

static struct entry **bucket_of(struct zt_rate *rate, int64_t key)
{
    return &rate->buckets[(uint64_t)key * UINT64_C(0x9E3779B97F4A7C15) >> 54];
}

static void forget(struct zt_rate *rate, struct entry **link)
{
    struct entry *entry = *link;

    *link = entry->next;
    free_entry(entry);
    rate->keys--;
}

/* Makes room: every key that was idle for a window, or the one idle longest. */
static void make_room(struct zt_rate *rate, int64_t now_us)
{
    struct entry **oldest = NULL;

    for (int i = 0; i < BUCKETS; i++) {
        struct entry **link = &rate->buckets[i];
        while (*link != NULL) {
            if (now_us - (*link)->last_us >= rate->window_us)
                forget(rate, link);
            else
                link = &(*link)->next;
        }
    }
    if (rate->keys < ZT_RATE_KEYS)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        for (struct entry **link = &rate->buckets[i]; *link != NULL; link = &(*link)->next) {
            if (oldest == NULL || (*link)->last_us < (*oldest)->last_us)
                oldest = link;
        }
    }
    if (oldest != NULL)
        forget(rate, oldest);
}

static struct entry *find_or_add(struct zt_rate *rate, int64_t key, int64_t now_us)
{
    struct entry *entry = *bucket_of(rate, key);

    while (entry != NULL && entry->key != key)
        entry = entry->next;
    if (entry != NULL)
        return entry;
    if (rate->keys >= ZT_RATE_KEYS)
        make_room(rate, now_us);
    entry = zt_new(struct entry);
    entry->key = key;
    entry->next = *bucket_of(rate, key);
    *bucket_of(rate, key) = entry;
    rate->keys++;
    return entry;
}

/* Before the ring has gone round: times are 0 ... n-1, in order. */
static void grow(struct entry *entry, int max)
{
    int cap = entry->cap ? entry->cap * 2 : FIRST_TIMES;

    if (cap > max)
        cap = max;
    int64_t *times = zt_new_array(int64_t, (size_t)cap);
    for (int i = 0; i < entry->n; i++)
        times[i] = entry->times[i];
    free(entry->times);
    entry->times = times;
    entry->cap = cap;
}

bool zt_rate_admit(struct zt_rate *rate, int64_t key, int64_t now_us, int64_t *ret_wait_us)
{
    zt_locked(&rate->mutex);

    struct entry *entry = find_or_add(rate, key, now_us);
    if (entry->n == rate->max) {
        int64_t free_us = entry->times[entry->at] + rate->window_us;
        if (free_us > now_us) {
            *ret_wait_us = free_us - now_us;
            return false;
        }
    }
    if (entry->at == entry->cap)
        grow(entry, rate->max);
    entry->times[entry->at] = now_us;
    entry->at = (entry->at + 1) % rate->max;
    if (entry->n < rate->max)
        entry->n++;
    entry->last_us = now_us;
    return true;
}
