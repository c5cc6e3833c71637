/*
 * supervise.c - see supervise.h.
 *
 * A worker is reached by a socket whose end tells each side that the other one died, however it
 * died. Workers sit in process groups of their own, so that Ctrl-C in a terminal reaches the server
 * alone, which then tells them in order.
 */
#define _GNU_SOURCE /* environ */
#include "service/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "service/config.h"
#include "service/lease.h"
#include "service/metrics.h"
#include "service/worker.h"

#define WORKERS_MAX      64
#define DEAD_MAX         (2 * WORKERS_MAX)
#define BUSY_US          (250 * ZT_MS_US) /* a held database must not keep this thread */
#define CONTROL_FD       3                /* its number in a worker */
#define TICK_MS          250
#define DYING_TICK_MS    5
#define LIVED_US         (10 * ZT_SECOND_US) /* dying sooner than this after its start is "rapid" */
#define RESTART_FIRST_US (200 * ZT_MS_US)
#define RESTART_MAX_US   (10 * ZT_SECOND_US)

struct slot {
    pid_t pid;   /* 0: none */
    int control; /* -1: none */
    bool idle, dying;
    char name[64]; /* of the worker that runs, or ran last */
    int64_t started_us, start_at_us;
    int deaths; /* in a row, each soon after its start */
    struct zt_backoff rapid;
};

/* A worker that is gone, and whose tasks are still in its name. */
struct dead {
    char name[64];
    char reason[96];
};

struct zt_supervisor {
    struct zt_supervise_options options;
    struct zt_store *store;
    char **argv; /* worker_argv, two more, NULL */
    int argc;
    int wake_fd;
    atomic_bool work;      /* there may be some, and nobody was told yet */
    atomic_bool cancelled; /* some task was, and nobody was told yet */
    bool ending;
    atomic_int alive;
    int n;
    struct slot slot[WORKERS_MAX];
    int dead_n;
    struct dead dead[DEAD_MAX];
};

/* ---- starting ------------------------------------------------------------------------------ */

static int spawn(char *const *argv, int control, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t set;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attr, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    posix_spawnattr_setsigdefault(&attr, &set);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM); /* one that comes early waits until the worker reads its signals */
    posix_spawnattr_setsigmask(&attr, &set);
    int rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0) /* standard output is the server's own */
        rc = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, control, CONTROL_FD);
    if (rc == 0)
        rc = posix_spawn(ret, "/proc/self/exe", &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static void start_worker(struct zt_supervisor *s, int index)
{
    struct slot *slot = &s->slot[index];
    char name_flag[96], control_flag[32], random[9];
    int ends[2];

    zt_random_token(random, 4);
    zt_assert(zt_format(slot->name, sizeof(slot->name), "w%d.%d.%s", index, (int)getpid(), random));
    zt_assert(zt_format(name_flag, sizeof(name_flag), "--name=%s", slot->name));
    zt_assert(zt_format(control_flag, sizeof(control_flag), "--control-fd=%d", CONTROL_FD));
    s->argv[s->argc] = name_flag;
    s->argv[s->argc + 1] = control_flag;
    slot->start_at_us = zt_now_mono_us() + RESTART_MAX_US; /* should this start fail */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        ZT_LOG(ERROR, "worker_not_started", "worker=%s errno=%d", slot->name, errno);
        return;
    }
    int there =
        fcntl(ends[1], F_DUPFD_CLOEXEC, CONTROL_FD + 1); /* dup2 onto itself keeps CLOEXEC */
    close(ends[1]);
    int rc = there < 0 ? errno : spawn(s->argv, there, &slot->pid);
    if (there >= 0)
        close(there);
    if (rc != 0) {
        ZT_LOG(ERROR, "worker_not_started", "worker=%s errno=%d", slot->name, rc);
        close(ends[0]);
        slot->pid = 0;
        return;
    }
    slot->control = ends[0];
    slot->idle = slot->dying = false;
    slot->started_us = zt_now_mono_us();
    atomic_fetch_add(&s->alive, 1);
    zt_metrics_count(s->options.metrics, ZT_COUNT_WORKERS_STARTED, 1);
    ZT_LOG(INFO, "worker_spawned", "worker=%s pid=%d", slot->name, (int)slot->pid);
}

/* ---- dying --------------------------------------------------------------------------------- */

static void describe_death(int status, char *dst, size_t size)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == ZT_EXIT_STALLED)
        (void)zt_format(dst, size, "made no progress");
    else if (WIFSIGNALED(status))
        (void)zt_format(dst, size, "killed by signal %d (%s)", WTERMSIG(status),
                        strsignal(WTERMSIG(status)));
    else
        (void)zt_format(dst, size, "ended with status %d", WEXITSTATUS(status));
}

/* False: the database was held, or failed; to be tried again. */
static bool put_back_tasks(struct zt_supervisor *s, const struct dead *dead)
{
    struct zt_err err = { 0 };
    int requeued = 0, failed = 0;

    enum zt_code rc =
        zt_store_reap_worker(s->store, dead->name, dead->reason, &requeued, &failed, &err);
    if (rc != ZT_OK && rc != ZT_E_BUSY)
        ZT_LOG(ERROR, "tasks_not_put_back", "worker=%s code=%s detail=\"%s\"", dead->name,
               zt_code_name(rc), err.detail);
    zt_metrics_count(s->options.metrics, ZT_COUNT_LEASES_REQUEUED, requeued);
    zt_metrics_count(s->options.metrics, ZT_COUNT_LEASES_FAILED, failed);
    if (requeued + failed > 0)
        ZT_LOG(WARN, "tasks_put_back", "worker=%s requeued=%d failed=%d reason=\"%s\"", dead->name,
               requeued, failed, dead->reason);
    if (requeued > 0)
        zt_supervisor_wake(s);
    if (failed > 0)
        s->options.callback_due(s->options.user);
    return rc == ZT_OK;
}

/* In the order of their deaths; ends at the first that has to wait, for so would the others. */
static void bury(struct zt_supervisor *s)
{
    int done = 0;

    while (done < s->dead_n && put_back_tasks(s, &s->dead[done]))
        done++;
    s->dead_n -= done;
    memmove(s->dead, s->dead + done, (size_t)s->dead_n * sizeof(s->dead[0]));
}

/* When there are too many, the leases of the oldest run out instead. */
static struct dead *add_dead(struct zt_supervisor *s, const char *name)
{
    if (s->dead_n == DEAD_MAX) {
        s->dead_n--;
        memmove(s->dead, s->dead + 1, (size_t)s->dead_n * sizeof(s->dead[0]));
    }
    struct dead *dead = &s->dead[s->dead_n++];
    zt_assert(zt_format(dead->name, sizeof(dead->name), "%s", name));
    return dead;
}

static void report_death(struct zt_supervisor *s, const struct slot *slot, const char *reason,
                         int64_t lived_us)
{
    zt_metrics_count(s->options.metrics, ZT_COUNT_WORKERS_DIED, 1);
    ZT_LOG(WARN, "worker_died", "worker=%s pid=%d reason=\"%s\" lived_us=%" PRId64, slot->name,
           (int)slot->pid, reason, lived_us);
}

/* Looks whether the worker is gone; then its tasks are to go back and its next start is planned. */
static void check_death(struct zt_supervisor *s, struct slot *slot)
{
    int status = 0;
    pid_t pid = waitpid(slot->pid, &status, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    int64_t now_us = zt_now_mono_us();
    int64_t lived_us = now_us - slot->started_us;
    struct dead *dead = add_dead(s, slot->name);
    describe_death(status, dead->reason, sizeof(dead->reason));
    if (s->ending && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        ZT_LOG(INFO, "worker_ended", "worker=%s pid=%d", slot->name, (int)slot->pid);
    else
        report_death(s, slot, dead->reason, lived_us);
    if (WIFEXITED(status) && WEXITSTATUS(status) == ZT_EXIT_STALLED)
        s->options.callback_due(s->options.user); /* it may have failed its task itself */
    close(slot->control);
    atomic_fetch_sub(&s->alive, 1);
    slot->pid = 0;
    slot->control = -1;
    slot->dying = slot->idle = false;
    if (lived_us >= LIVED_US) {
        slot->deaths = 0;
        zt_backoff_reset(&slot->rapid);
    }
    slot->start_at_us = now_us; /* at once: a first rapid death may be chance */
    if (slot->deaths++ > 0)
        slot->start_at_us += zt_backoff_next_us(&slot->rapid);
}

static void start_due(struct zt_supervisor *s)
{
    for (int i = 0; i < s->n && !s->ending; i++) {
        if (s->slot[i].pid == 0 && zt_now_mono_us() >= s->slot[i].start_at_us)
            start_worker(s, i);
    }
}

/* A new worker first: whatever the database does, it can get ready meanwhile. */
static void check_deaths(struct zt_supervisor *s)
{
    for (int i = 0; i < s->n; i++) {
        if (s->slot[i].pid != 0)
            check_death(s, &s->slot[i]);
    }
    start_due(s);
    bury(s);
}

/* ---- talking ------------------------------------------------------------------------------- */

static void read_control(struct zt_supervisor *s, struct slot *slot)
{
    char bytes[64];
    ssize_t n = recv(slot->control, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        slot->dying = true;
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == ZT_CONTROL_IDLE)
            slot->idle = true;
        else if (bytes[i] == ZT_CONTROL_CALLBACK)
            s->options.callback_due(s->options.user);
    }
}

static void wake_idle(struct zt_supervisor *s)
{
    const char work = ZT_CONTROL_WORK;

    for (int i = 0; i < s->n; i++) {
        struct slot *slot = &s->slot[i];
        if (slot->control >= 0 && slot->idle) {
            slot->idle = false;
            (void)!send(slot->control, &work, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
}

/* To all, for who has which task is known to the store alone; who has none does nothing. */
static void tell_cancelled(const struct zt_supervisor *s)
{
    const char cancel = ZT_CONTROL_CANCEL;

    for (int i = 0; i < s->n; i++) {
        if (s->slot[i].control >= 0)
            (void)!send(s->slot[i].control, &cancel, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/*
 * Waits for something to happen and handles it. "There is work" is taken before the sockets are
 * read: a worker that said it was idle before the work came is seen as idle here.
 */
static void turn(struct zt_supervisor *s, const struct zt_stop *stop)
{
    struct pollfd fds[WORKERS_MAX + 2];
    int wait_ms = TICK_MS;
    int64_t now_us = zt_now_mono_us();
    uint64_t count;

    for (int i = 0; i < s->n; i++) {
        const struct slot *slot = &s->slot[i];
        fds[i] = (struct pollfd){ .fd = slot->dying ? -1 : slot->control, .events = POLLIN };
        int64_t start_ms = (slot->start_at_us - now_us) / ZT_MS_US;
        if (slot->dying)
            wait_ms = DYING_TICK_MS;
        else if (slot->pid == 0 && !s->ending && start_ms < wait_ms)
            wait_ms = start_ms > 0 ? (int)start_ms : 0;
    }
    fds[s->n] = (struct pollfd){ .fd = s->wake_fd, .events = POLLIN };
    fds[s->n + 1] = (struct pollfd){ .fd = stop ? zt_stop_fd(stop) : -1, .events = POLLIN };
    if (poll(fds, (nfds_t)s->n + 2, wait_ms) < 0 && errno != EINTR)
        return;
    (void)!read(s->wake_fd, &count, sizeof(count));
    bool work = atomic_exchange(&s->work, false);
    for (int i = 0; i < s->n; i++) {
        struct slot *slot = &s->slot[i];
        if (slot->control >= 0 && !slot->dying)
            read_control(s, slot);
    }
    if (work)
        wake_idle(s);
    if (atomic_exchange(&s->cancelled, false))
        tell_cancelled(s);
    check_deaths(s);
}

/* ---- public -------------------------------------------------------------------------------- */

enum zt_code zt_supervisor_new(const struct zt_supervise_options *options,
                               struct zt_supervisor **ret, struct zt_err *err)
{
    struct zt_store *store = NULL;

    struct zt_store_options store_options = options->store;
    store_options.busy_us = BUSY_US;
    ZT_TRY(zt_store_open(&store_options, &store, err));
    struct zt_supervisor *s = zt_new(struct zt_supervisor);
    s->options = *options;
    s->store = store;
    s->n = (int)options->config->workers;
    zt_assert(s->n <= WORKERS_MAX);
    while (options->worker_argv[s->argc] != NULL)
        s->argc++;
    s->argv = zt_new_array(char *, (size_t)s->argc + 3);
    memcpy(s->argv, options->worker_argv, (size_t)s->argc * sizeof(char *));
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    zt_assert(s->wake_fd >= 0);
    for (int i = 0; i < s->n; i++) {
        s->slot[i].control = -1;
        s->slot[i].rapid =
            (struct zt_backoff){ .first_us = RESTART_FIRST_US, .max_us = RESTART_MAX_US };
    }
    *ret = s;
    return ZT_OK;
}

int zt_supervisor_alive(const struct zt_supervisor *s)
{
    return atomic_load(&s->alive);
}

static void wake_for(struct zt_supervisor *s, atomic_bool *what)
{
    const uint64_t one = 1;

    if (!atomic_exchange(what, true))
        (void)!write(s->wake_fd, &one, sizeof(one));
}

void zt_supervisor_wake(struct zt_supervisor *s)
{
    wake_for(s, &s->work);
}

void zt_supervisor_cancelled(struct zt_supervisor *s)
{
    wake_for(s, &s->cancelled);
}

void zt_supervisor_start(struct zt_supervisor *s)
{
    start_due(s);
}

/* Once: a second SIGTERM would have a worker put down what it has. */
static void tell_to_end(struct zt_supervisor *s)
{
    if (s->ending)
        return;
    s->ending = true;
    for (int i = 0; i < s->n; i++) {
        if (s->slot[i].pid != 0)
            kill(s->slot[i].pid, SIGTERM);
    }
}

void zt_supervisor_run(struct zt_supervisor *s, const struct zt_stop *stop)
{
    start_due(s);
    while (!zt_stop_asked(stop)) {
        turn(s, stop);
        if (s->options.turned != NULL)
            s->options.turned(s->options.user);
        start_due(s); /* those whose pause is over */
    }
    tell_to_end(s);
}

static bool any_left(const struct zt_supervisor *s)
{
    for (int i = 0; i < s->n; i++) {
        if (s->slot[i].pid != 0)
            return true;
    }
    return false;
}

void zt_supervisor_drain(struct zt_supervisor *s, int64_t wait_us)
{
    int64_t end_us = zt_now_mono_us() + wait_us;

    tell_to_end(s);
    while (any_left(s) && zt_now_mono_us() < end_us)
        turn(s, NULL);
    for (int i = 0; i < s->n; i++) {
        struct slot *slot = &s->slot[i];
        if (slot->pid == 0)
            continue;
        ZT_LOG(WARN, "worker_killed", "worker=%s pid=%d reason=\"did not end in time\"", slot->name,
               (int)slot->pid);
        kill(slot->pid, SIGKILL);
        while (slot->pid != 0 && slot->control >= 0) {
            check_death(s, slot);
            if (slot->pid != 0)
                poll(NULL, 0, DYING_TICK_MS);
        }
    }
    bury(s);
}

void zt_supervisor_free(struct zt_supervisor *s)
{
    if (s == NULL)
        return;
    zt_supervisor_drain(s, 0);
    close(s->wake_fd);
    zt_store_close(s->store);
    free(s->argv);
    free(s);
}
