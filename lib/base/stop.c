/*
 * stop.c - see stop.h. Two eventfds: `asked` stays readable, `wake` is drained by whoever waits.
 * A write to an eventfd is async-signal-safe.
 */
#include "base/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

struct zt_stop {
    atomic_bool asked;
    int asked_fd, wake_fd;
    const struct zt_stop *outer; /* NULL: none */
    int any_fd;                  /* readable when asked_fd or the outer's is; -1 without an outer */
};

static struct zt_stop *on_signal; /* the one that signals ask */

struct zt_stop *zt_stop_new(void)
{
    struct zt_stop *stop = zt_new(struct zt_stop);

    stop->asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    stop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    zt_assert(stop->asked_fd >= 0 && stop->wake_fd >= 0);
    stop->any_fd = -1;
    return stop;
}

static void watch(int epoll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    int rc = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    zt_assert(rc == 0);
}

struct zt_stop *zt_stop_within(const struct zt_stop *outer)
{
    struct zt_stop *stop = zt_stop_new();

    zt_assert(outer->outer == NULL);
    stop->outer = outer;
    stop->any_fd = epoll_create1(EPOLL_CLOEXEC);
    zt_assert(stop->any_fd >= 0);
    watch(stop->any_fd, stop->asked_fd);
    watch(stop->any_fd, outer->asked_fd);
    return stop;
}

void zt_stop_free(struct zt_stop *stop)
{
    if (stop == NULL)
        return;
    if (on_signal == stop)
        on_signal = NULL;
    if (stop->any_fd >= 0)
        close(stop->any_fd);
    close(stop->asked_fd);
    close(stop->wake_fd);
    free(stop);
}

static void signal_fd(int fd)
{
    uint64_t one = 1;
    int saved = errno;
    ssize_t ignored = write(fd, &one, sizeof(one)); /* full means already readable */

    (void)ignored;
    errno = saved;
}

void zt_stop_ask(struct zt_stop *stop)
{
    atomic_store(&stop->asked, true);
    signal_fd(stop->asked_fd);
}

void zt_stop_reset(struct zt_stop *stop)
{
    uint64_t count;
    ssize_t ignored = read(stop->asked_fd, &count, sizeof(count));

    (void)ignored;
    atomic_store(&stop->asked, false);
}

bool zt_stop_asked(const struct zt_stop *stop)
{
    return atomic_load(&stop->asked) || (stop->outer != NULL && atomic_load(&stop->outer->asked));
}

bool zt_stop_wait(struct zt_stop *stop, int64_t wait_us)
{
    int64_t end = zt_now_mono_us() + (wait_us > 0 ? wait_us : 0);

    for (;;) {
        struct pollfd fds[] = { { .fd = zt_stop_fd(stop), .events = POLLIN },
                                { .fd = stop->wake_fd, .events = POLLIN } };
        int64_t left_ms = (end - zt_now_mono_us() + 999) / 1000;
        if (left_ms > INT32_MAX)
            left_ms = INT32_MAX;
        int n = poll(fds, 2, left_ms > 0 ? (int)left_ms : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (fds[1].revents & POLLIN) {
            uint64_t count;
            ssize_t ignored = read(stop->wake_fd, &count, sizeof(count));
            (void)ignored;
        }
        return zt_stop_asked(stop);
    }
}

void zt_stop_wake(struct zt_stop *stop)
{
    signal_fd(stop->wake_fd);
}

int zt_stop_fd(const struct zt_stop *stop)
{
    return stop->outer != NULL ? stop->any_fd : stop->asked_fd;
}

static void ask_from_signal(int number)
{
    (void)number;
    if (on_signal != NULL)
        zt_stop_ask(on_signal);
}

void zt_stop_on_signals(struct zt_stop *stop)
{
    struct sigaction ask = { .sa_handler = ask_from_signal };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    on_signal = stop;
    sigemptyset(&ask.sa_mask);
    sigaction(SIGTERM, &ask, NULL);
    sigaction(SIGINT, &ask, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}
