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
    int64_t window_us;
    int max;
    int n;          /* admissions kept, at most max */
    int at;         /* where the next one goes: over the oldest, once there are max */
    int cap;        /* of times: grows up to max */
    int64_t *times; /* [cap], a ring once cap is max */
};

struct zt_rates {
    pthread_mutex_t mutex; /* guards the rest */
    struct entry *buckets[BUCKETS];
    int keys;
};

struct zt_rates *zt_rates_new(void)
{
    struct zt_rates *rates = zt_new(struct zt_rates);

    pthread_mutex_init(&rates->mutex, NULL);
    return rates;
}

static void free_entry(struct entry *entry)
{
    free(entry->times);
    free(entry);
}

void zt_rates_free(struct zt_rates *rates)
{
    if (rates == NULL)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        while (rates->buckets[i] != NULL) {
            struct entry *entry = rates->buckets[i];
            rates->buckets[i] = entry->next;
            free_entry(entry);
        }
    }
    pthread_mutex_destroy(&rates->mutex);
    free(rates);
}

static struct entry **bucket_of(struct zt_rates *rates, int64_t key)
{
    return &rates->buckets[(uint64_t)key * UINT64_C(0x9E3779B97F4A7C15) >> 54];
}

static void forget(struct zt_rates *rates, struct entry **link)
{
    struct entry *entry = *link;

    *link = entry->next;
    free_entry(entry);
    rates->keys--;
}

/* Makes room: every key that was idle for a window, or the one idle longest. */
static void make_room(struct zt_rates *rates, int64_t now_us)
{
    struct entry **oldest = NULL;

    for (int i = 0; i < BUCKETS; i++) {
        struct entry **link = &rates->buckets[i];
        while (*link != NULL) {
            if (now_us - (*link)->last_us >= (*link)->window_us)
                forget(rates, link);
            else
                link = &(*link)->next;
        }
    }
    if (rates->keys < ZT_RATE_KEYS)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        for (struct entry **link = &rates->buckets[i]; *link != NULL; link = &(*link)->next) {
            if (oldest == NULL || (*link)->last_us < (*oldest)->last_us)
                oldest = link;
        }
    }
    if (oldest != NULL)
        forget(rates, oldest);
}

static struct entry *find_or_add(struct zt_rates *rates, int64_t key, int64_t now_us)
{
    struct entry *entry = *bucket_of(rates, key);

    while (entry != NULL && entry->key != key)
        entry = entry->next;
    if (entry != NULL)
        return entry;
    if (rates->keys >= ZT_RATE_KEYS)
        make_room(rates, now_us);
    entry = zt_new(struct entry);
    entry->key = key;
    entry->next = *bucket_of(rates, key);
    *bucket_of(rates, key) = entry;
    rates->keys++;
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

/* The times that are there under another max: the newest of them, the oldest first. */
static void change_max(struct entry *entry, int max)
{
    int keep = entry->n < max ? entry->n : max;
    int cap = keep > FIRST_TIMES ? keep : FIRST_TIMES;

    if (cap > max)
        cap = max;
    int64_t *times = zt_new_array(int64_t, (size_t)cap);
    for (int i = 0; i < keep; i++)
        times[i] = entry->times[(entry->at - keep + i + entry->max) % entry->max];
    free(entry->times);
    entry->times = times;
    entry->cap = cap;
    entry->max = max;
    entry->n = keep;
    entry->at = keep % max;
}

bool zt_rates_admit(struct zt_rates *rates, int64_t key, int64_t max, int64_t window_us,
                    int64_t now_us, int64_t *ret_wait_us)
{
    zt_assert(max > 0 && window_us > 0);
    zt_locked(&rates->mutex);

    struct entry *entry = find_or_add(rates, key, now_us);
    int kept = max < ZT_RATE_MAX ? (int)max : ZT_RATE_MAX;
    if (entry->max != kept)
        change_max(entry, kept);
    entry->window_us = window_us;
    if (entry->n == entry->max) {
        int64_t free_us = entry->times[entry->at] + window_us;
        if (free_us > now_us) {
            *ret_wait_us = free_us - now_us;
            return false;
        }
    }
    if (entry->at == entry->cap)
        grow(entry, entry->max);
    entry->times[entry->at] = now_us;
    entry->at = (entry->at + 1) % entry->max;
    if (entry->n < entry->max)
        entry->n++;
    entry->last_us = now_us;
    return true;
}
