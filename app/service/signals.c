/* signals.c - see signals.h. */
#include "service/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stop.h"

#define EXIT_FORCED 130

struct zt_signals {
    pthread_t thread;
    struct zt_stop *stop; /* the caller's */
    struct zt_stop *quit; /* ends the thread */
    void (*again)(void *user);
    void *user;
    int fd;
    atomic_int count;
    atomic_bool reload;
};

static void *read_signals(void *arg)
{
    struct zt_signals *s = arg;

    for (;;) {
        struct pollfd fds[] = { { .fd = s->fd, .events = POLLIN },
                                { .fd = zt_stop_fd(s->quit), .events = POLLIN } };
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents != 0)
            return NULL;
        if (fds[0].revents == 0 || read(s->fd, &info, sizeof(info)) != sizeof(info))
            continue;
        if (info.ssi_signo == SIGHUP) {
            atomic_store(&s->reload, true);
            continue;
        }
        int n = atomic_fetch_add(&s->count, 1) + 1;
        if (n == 1)
            zt_stop_ask(s->stop);
        else if (n == 2)
            s->again(s->user);
        else
            _exit(EXIT_FORCED);
    }
}

enum zt_code zt_signals_start(struct zt_stop *stop, void (*again)(void *user), void *user,
                              struct zt_signals **ret, struct zt_err *err)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t set;

    sigaction(SIGPIPE, &ignore, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (!isatty(STDIN_FILENO)) /* on a terminal it says that the terminal is gone */
        sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct zt_signals *s = zt_new(struct zt_signals);
    *s = (struct zt_signals){ .stop = stop, .again = again, .user = user };
    s->fd = signalfd(-1, &set, SFD_CLOEXEC);
    s->quit = zt_stop_new();
    if (s->fd < 0 || pthread_create(&s->thread, NULL, read_signals, s) != 0) {
        if (s->fd >= 0)
            close(s->fd);
        zt_stop_free(s->quit);
        free(s);
        return zt_fail(err, ZT_E_IO, "cannot start the thread that reads signals");
    }
    *ret = s;
    return ZT_OK;
}

void zt_signals_stop(struct zt_signals *s)
{
    if (s == NULL)
        return;
    zt_stop_ask(s->quit);
    pthread_join(s->thread, NULL);
    zt_stop_free(s->quit);
    close(s->fd);
    free(s);
}

int zt_signals_count(const struct zt_signals *s)
{
    return atomic_load(&s->count);
}

bool zt_signals_take_reload(struct zt_signals *s)
{
    return atomic_exchange(&s->reload, false);
}
