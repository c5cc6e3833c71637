/* metrics_text.c - see metrics_text.h. */
#include "service/metrics_text.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include "service/metrics.h"
#include "store/deliveries.h"

/* Appends; what does not fit is noted. */
#define ADD(t, ...) ((t)->full |= zt_buf_printf((t)->buf, NULL, __VA_ARGS__) != ZT_OK)

void zt_text_head(struct zt_text *t, const char *name, const char *type, const char *help)
{
    ADD(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *open_brace(const char *labels)
{
    return *labels ? "{" : "";
}

static const char *close_brace(const char *labels)
{
    return *labels ? "}" : "";
}

void zt_text_int(struct zt_text *t, const char *name, const char *labels, int64_t value)
{
    ADD(t, "%s%s%s%s %" PRId64 "\n", name, open_brace(labels), labels, close_brace(labels), value);
}

void zt_text_seconds(struct zt_text *t, const char *name, const char *labels, int64_t us)
{
    const char *sign = us < 0 ? "-" : "";
    int64_t size = us < 0 ? -us : us;

    ADD(t, "%s%s%s%s %s%" PRId64 ".%06d\n", name, open_brace(labels), labels, close_brace(labels),
        sign, size / ZT_SECOND_US, (int)(size % ZT_SECOND_US));
}

void zt_text_one(struct zt_text *t, const char *name, const char *type, const char *help,
                 int64_t value)
{
    zt_text_head(t, name, type, help);
    zt_text_int(t, name, "", value);
}

void zt_text_histogram(struct zt_text *t, const char *name, const char *labels,
                       const int64_t *buckets, int64_t total_us)
{
    const char *comma = *labels ? "," : "";
    char part[64];
    int64_t n = 0;

    for (int i = 0; i < ZT_STAT_BUCKETS; i++) {
        n += buckets[i];
        if (i == ZT_STAT_BUCKETS - 1) {
            ADD(t, "%s_bucket{%s%sle=\"+Inf\"} %" PRId64 "\n", name, labels, comma, n);
            break;
        }
        int64_t us = zt_stat_bounds_us[i];
        ADD(t, "%s_bucket{%s%sle=\"%" PRId64 ".%03d\"} %" PRId64 "\n", name, labels, comma,
            us / ZT_SECOND_US, (int)(us % ZT_SECOND_US / ZT_MS_US), n);
    }
    (void)zt_format(part, sizeof(part), "%s_sum", name);
    zt_text_seconds(t, part, labels, total_us);
    (void)zt_format(part, sizeof(part), "%s_count", name);
    zt_text_int(t, part, labels, n);
}

void zt_text_now(struct zt_text *t, const struct zt_metrics_now *now)
{
    zt_text_one(t, "zoetrope_ready", "gauge", "Whether /readyz answers 200.", now->ready);
    zt_text_one(t, "zoetrope_workers", "gauge", "Worker processes to look after.",
                now->workers_wanted);
    zt_text_one(t, "zoetrope_workers_alive", "gauge", "Worker processes that run.",
                now->workers_alive);
    zt_text_one(t, "zoetrope_disk_bytes", "gauge", "Size of the data folder's file system.",
                now->disk_bytes);
    zt_text_one(t, "zoetrope_disk_free_bytes", "gauge", "Free space there.", now->disk_free_bytes);
    zt_text_one(t, "zoetrope_disk_reserve_bytes", "gauge",
                "Free space below which new work is refused.", now->disk_reserve_bytes);
    zt_text_one(t, "zoetrope_disk_low", "gauge", "Whether new work is refused for that.",
                now->disk_low);
}

static int open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    if (dir == NULL)
        return -1;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        n += e->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* the folder itself was open */
}

void zt_text_process(struct zt_text *t)
{
    char text[128] = "";
    int64_t pages = 0;
    zt_auto_file FILE *f = fopen("/proc/self/statm", "re");

    if (f != NULL && fgets(text, sizeof(text), f) != NULL) { /* size, resident, ... in pages */
        char *second = text + strcspn(text, " ");
        second += *second == ' ';
        second[strcspn(second, " ")] = '\0';
        if (zt_parse_int(second, 0, INT32_MAX, &pages))
            zt_text_one(t, "process_resident_memory_bytes", "gauge", "Memory of the server.",
                        pages * sysconf(_SC_PAGESIZE));
    }
    int n = open_files();
    if (n >= 0)
        zt_text_one(t, "process_open_fds", "gauge", "Open files of the server.", n);
}

/* ---- the store ----------------------------------------------------------------------------- */

/* Rows of one label, as a histogram. Returns the index after them. */
static int write_phase(struct zt_text *t, const struct zt_stat *stats, int i, int n)
{
    int64_t buckets[ZT_STAT_BUCKETS] = { 0 };
    const char *label = stats[i].label;
    char labels[64];
    int64_t total = 0;

    for (; i < n && strcmp(stats[i].name, "phase") == 0 && strcmp(stats[i].label, label) == 0;
         i++) {
        buckets[stats[i].bucket] += stats[i].n;
        total += stats[i].total;
    }
    (void)zt_format(labels, sizeof(labels), "phase=\"%s\"", label);
    zt_text_histogram(t, "zoetrope_phase_seconds", labels, buckets, total);
    return i;
}

static void write_phases(struct zt_text *t, const struct zt_stat *stats, int n)
{
    zt_text_head(t, "zoetrope_phase_seconds", "histogram",
                 "How long the parts of finished attempts took, since the data folder was made.");
    for (int i = 0; i < n;) {
        if (strcmp(stats[i].name, "phase") == 0)
            i = write_phase(t, stats, i, n);
        else
            i++;
    }
}

static void write_moves(struct zt_text *t, const struct zt_stat *stats, int n)
{
    static const char name[] = "zoetrope_task_moves_total";
    char labels[96];

    zt_text_head(t, name, "counter",
                 "Moves of tasks from state to state; waiting to queuing is an attempt.");
    for (int i = 0; i < n; i++) {
        const char *label = stats[i].label;
        size_t from_n = strcspn(label, ">");
        if (strcmp(stats[i].name, "move") != 0 || label[from_n] == '\0')
            continue;
        (void)zt_format(labels, sizeof(labels), "from=\"%.*s\",to=\"%s\"", (int)from_n, label,
                        label + from_n + 1);
        zt_text_int(t, name, labels, stats[i].n);
    }
}

/* The sum of the rows of a name whose label is, or ends with, `end`. */
static int64_t sum_of(const struct zt_stat *stats, int n, const char *name, const char *end)
{
    int64_t sum = 0;

    for (int i = 0; i < n; i++) {
        if (strcmp(stats[i].name, name) == 0 && zt_ends_with(stats[i].label, end))
            sum += stats[i].n;
    }
    return sum;
}

static void write_counted(struct zt_text *t, const struct zt_stat *stats, int n)
{
    zt_text_one(t, "zoetrope_tasks_created_total", "counter", "Tasks accepted.",
                sum_of(stats, n, "created", ""));
    zt_text_one(t, "zoetrope_attempts_total", "counter", "Times that a worker took a task.",
                sum_of(stats, n, "move", "waiting>queuing"));
    zt_text_head(t, "zoetrope_tasks_finished_total", "counter", "Tasks that ended.");
    zt_text_int(t, "zoetrope_tasks_finished_total", "state=\"success\"",
                sum_of(stats, n, "move", ">success"));
    zt_text_int(t, "zoetrope_tasks_finished_total", "state=\"fail\"",
                sum_of(stats, n, "move", ">fail"));
}

static int64_t age_us(int64_t since_us)
{
    int64_t age = since_us > 0 ? zt_now_utc_us() - since_us : 0;

    return age > 0 ? age : 0;
}

static void write_state(struct zt_text *t, const struct zt_store_now *now)
{
    char labels[64];

    zt_text_head(t, "zoetrope_tasks", "gauge", "Tasks that are known, by state.");
    for (int i = 0; i < ZT_TASK_STATES; i++) {
        (void)zt_format(labels, sizeof(labels), "state=\"%s\"",
                        zt_task_state_name((enum zt_task_state)i));
        zt_text_int(t, "zoetrope_tasks", labels, now->tasks[i]);
    }
    zt_text_head(t, "zoetrope_oldest_waiting_seconds", "gauge",
                 "Age of the task at the head of the queue; 0: none waits.");
    zt_text_seconds(t, "zoetrope_oldest_waiting_seconds", "", age_us(now->oldest_waiting_us));
    zt_text_one(t, "zoetrope_result_bytes", "gauge", "Bytes of results that can be fetched.",
                now->file_bytes);
    zt_text_one(t, "zoetrope_store_bytes", "gauge", "Size of the database.", now->database_bytes);
}

static void write_callbacks(struct zt_text *t, const struct zt_delivery_stats *stats)
{
    static const char *const outcomes[ZT_DELIVERY_OUTCOMES] = {
        [ZT_DELIVERY_DONE] = "outcome=\"done\"",
        [ZT_DELIVERY_RETRY] = "outcome=\"retry\"",
        [ZT_DELIVERY_GIVEN_UP] = "outcome=\"given_up\"",
    };

    zt_text_one(t, "zoetrope_callbacks_pending", "gauge", "Callbacks that are owed.",
                stats->pending);
    zt_text_one(t, "zoetrope_callbacks_due", "gauge", "Of those, how many are due now.",
                stats->due);
    zt_text_head(t, "zoetrope_callback_lag_seconds", "gauge",
                 "How long the callback that is due longest has been due; 0: none is.");
    zt_text_seconds(t, "zoetrope_callback_lag_seconds", "", age_us(stats->oldest_due_us));
    zt_text_one(t, "zoetrope_callback_hosts_open", "gauge",
                "Receivers that are left alone for a while because they failed.",
                stats->hosts_open);
    zt_text_head(t, "zoetrope_callback_tries_total", "counter", "Callbacks sent, by outcome.");
    for (size_t i = 0; i < ZT_COUNT(outcomes); i++)
        zt_text_int(t, "zoetrope_callback_tries_total", outcomes[i], stats->tries[i]);
}

enum zt_code zt_text_store(struct zt_text *t, struct zt_store *store, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_store_now now = { 0 };
    struct zt_delivery_stats callbacks = { 0 };
    struct zt_stat *stats = NULL;
    int n = 0;

    enum zt_code rc = zt_store_look(store, &now, err);
    if (rc == ZT_OK)
        rc = zt_store_stats(store, &arena, &stats, &n, err);
    if (rc == ZT_OK)
        rc = zt_store_delivery_stats(store, &callbacks, err);
    if (rc == ZT_OK) {
        write_callbacks(t, &callbacks);
        write_state(t, &now);
        write_counted(t, stats, n);
        write_moves(t, stats, n);
        write_phases(t, stats, n);
    }
    zt_arena_clear(&arena);
    return rc;
}
