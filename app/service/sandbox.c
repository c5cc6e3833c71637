/*
 * sandbox.c - the parent's side: hands the picture over in a sealed memory file, waits, and checks
 * what comes back. jail.c is the other side.
 */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS, pipe2 */
#include "service/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "service/jail.h"

#ifdef ZT_SANITIZED
#define WALL_US (90 * ZT_SECOND_US)
#else
#define WALL_US (15 * ZT_SECOND_US)
#endif

/* The defaults of zoetrope.h: the answer is checked against numbers, not against "default". */
static const struct zt_image_limits default_limits = {
    .max_bytes = (size_t)10 << 20,
    .max_pixels = 40000000,
    .min_side_px = 64,
    .max_side_px = 6000,
    .max_aspect_times_1000 = 3000,
};

struct jail {
    pid_t pid;
    int alive; /* readable, at its end, once the process is gone */
    int out;
};

static struct zt_image_limits fill_limits(const struct zt_image_limits *limits)
{
    struct zt_image_limits l = limits ? *limits : default_limits;

    if (l.max_bytes == 0)
        l.max_bytes = default_limits.max_bytes;
    if (l.max_pixels == 0)
        l.max_pixels = default_limits.max_pixels;
    if (l.min_side_px == 0)
        l.min_side_px = default_limits.min_side_px;
    if (l.max_side_px == 0)
        l.max_side_px = default_limits.max_side_px;
    if (l.max_aspect_times_1000 == 0)
        l.max_aspect_times_1000 = default_limits.max_aspect_times_1000;
    return l;
}

static bool write_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static enum zt_code make_in(const void *bytes, size_t n, const struct zt_image_limits *limits,
                            int *ret, struct zt_err *err)
{
    struct zt_jail_ask ask = { .magic = ZT_JAIL_MAGIC, .bytes = n, .limits = *limits };
    int fd = memfd_create("zoetrope-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return zt_fail_errno(err, errno, "make a memory file", "memfd_create");
    if (!write_all(fd, &ask, sizeof(ask)) || !write_all(fd, bytes, n) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
        int saved = errno;
        close(fd);
        return zt_fail_errno(err, saved, "fill a memory file", "memfd");
    }
    *ret = fd;
    return ZT_OK;
}

/*
 * The descriptors are put in place by way of high numbers, as one that is still needed may sit
 * where another has to go.
 */
static int set_descriptors(posix_spawn_file_actions_t *actions, int in, int out, int alive)
{
    int rc = posix_spawn_file_actions_adddup2(actions, in, ZT_JAIL_IN);

    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, out, ZT_JAIL_OUT);
#ifndef ZT_SANITIZED
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(actions, ZT_JAIL_LOG, "/dev/null", O_WRONLY, 0);
#endif
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, alive, ZT_JAIL_ALIVE);
    return rc;
}

/* A copy of fd that is out of the way of the numbers the child needs; closes fd. */
static int lift(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, ZT_JAIL_FDS + 8);
    int saved = errno;

    close(fd);
    errno = saved;
    return high;
}

/* The descriptor, which is no longer closed on the way out of the scope. */
static int hand_on(int *fd)
{
    int mine = *fd;

    *fd = -1;
    return mine;
}

static int spawn(int in, int out, int alive, const char *misbehave, pid_t *ret)
{
    char *const argv[] = { (char *)"zoetrope", (char *)ZT_JAIL_COMMAND, (char *)misbehave, NULL };
    char *const env[] = { NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t set;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attr, &set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    posix_spawnattr_setsigdefault(&attr, &set);
    int rc = set_descriptors(&actions, in, out, alive);
    if (rc == 0)
        rc = posix_spawn(ret, "/proc/self/exe", &actions, &attr, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static enum zt_code start(const void *bytes, size_t n, const struct zt_image_limits *limits,
                          const char *misbehave, struct jail *ret, struct zt_err *err)
{
    int ends[2];
    int fd = -1;

    ZT_TRY(make_in(bytes, n, limits, &fd, err));
    zt_auto_fd int in = lift(fd);
    zt_auto_fd int out = lift(memfd_create("zoetrope-pixels", MFD_CLOEXEC));
    if (in < 0 || out < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return zt_fail_errno(err, errno, "start the decoding process", "descriptors");
    zt_auto_fd int alive = ends[0];
    zt_auto_fd int alive_there = lift(ends[1]);
    if (alive_there < 0)
        return zt_fail_errno(err, errno, "start the decoding process", "descriptors");
    int rc = spawn(in, out, alive_there, misbehave, &ret->pid);
    if (rc != 0)
        return zt_fail_errno(err, rc, "start the decoding process", "/proc/self/exe");
    ret->alive = hand_on(&alive);
    ret->out = hand_on(&out);
    return ZT_OK;
}

/* Waits for the process to end, and ends it when time is up or a stop was asked for. */
static enum zt_code wait_for(const struct jail *jail, const struct zt_stop *stop, int64_t wall_us,
                             int *ret_status, struct zt_err *err)
{
    int64_t end = zt_now_mono_us() + wall_us;
    enum zt_code rc = ZT_OK;

    for (;;) {
        struct pollfd fds[] = { { .fd = jail->alive, .events = POLLIN },
                                { .fd = stop ? zt_stop_fd(stop) : -1, .events = POLLIN } };
        int64_t left_us = end - zt_now_mono_us();
        int n = poll(fds, 2, left_us > 0 ? (int)(left_us / 1000) + 1 : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (fds[0].revents != 0)
            break;
        if (fds[1].revents != 0)
            rc = zt_fail(err, ZT_E_CANCELLED, "decoding was stopped");
        else if (zt_now_mono_us() < end)
            continue;
        else
            rc = zt_fail(err, ZT_E_CORRUPT,
                         "the image could not be decoded safely: it took longer than %d s",
                         (int)(wall_us / ZT_SECOND_US));
        kill(jail->pid, SIGKILL);
        break;
    }
    while (waitpid(jail->pid, ret_status, 0) < 0 && errno == EINTR) {
    }
    return rc;
}

/* A process that did not end well: whose fault it was decides whether trying again makes sense. */
static enum zt_code explain_death(int status, struct zt_err *err)
{
    enum zt_code rc;
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    if (sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGHUP)
        rc = zt_fail(err, ZT_E_NOMEM, "the decoding process was ended from outside");
    else
        rc = zt_fail(err, ZT_E_CORRUPT, "the image could not be decoded safely");
    zt_err_detail(err, sig ? "decoding process: signal %d" : "decoding process: exit status %d",
                  sig ? sig : WEXITSTATUS(status));
    return rc;
}

static bool read_at(int fd, void *dst, size_t n, off_t at)
{
    char *p = dst;

    while (n > 0) {
        ssize_t done = pread(fd, p, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* The process is gone, so nobody writes any more; every number is still its word alone. */
static enum zt_code read_answer(int fd, const struct zt_image_limits *limits, struct zt_image *ret,
                                struct zt_err *err)
{
    static const char nonsense[] = "the image could not be decoded safely";
    struct zt_jail_answer head;
    struct stat st;

    if (fstat(fd, &st) != 0 || !read_at(fd, &head, sizeof(head), 0) || head.magic != ZT_JAIL_MAGIC)
        return zt_fail(err, ZT_E_CORRUPT, nonsense);
    if (head.err.code != ZT_OK) {
        enum zt_code code = (unsigned)head.err.code < ZT_CODES ? head.err.code : ZT_E_CORRUPT;
        head.err.msg[sizeof(head.err.msg) - 1] = '\0';
        head.err.detail[sizeof(head.err.detail) - 1] = '\0';
        if (code == ZT_E_NOMEM)
            return zt_fail(err, ZT_E_LIMIT,
                           "the image needs more memory to decode than is allowed");
        zt_fail(err, code, "%s", head.err.msg);
        zt_err_detail(err, "%s", head.err.detail);
        return code;
    }
    int64_t width = head.width_px, height = head.height_px;
    if (width < 1 || height < 1 || width > limits->max_side_px || height > limits->max_side_px ||
        width * height > limits->max_pixels || head.bytes != (uint64_t)(width * height * 3) ||
        (uint64_t)st.st_size != sizeof(head) + head.bytes)
        return zt_fail(err, ZT_E_CORRUPT, nonsense);

    void *pixels = NULL;
    ZT_TRY(zt_try_alloc((size_t)(width * height), 3, "a decoded image", &pixels, err));
    if (!read_at(fd, pixels, (size_t)head.bytes, sizeof(head))) {
        free(pixels);
        return zt_fail(err, ZT_E_IO, "the decoded image could not be read back");
    }
    *ret = (struct zt_image){ .width_px = (int)width,
                              .height_px = (int)height,
                              .stride = (size_t)width * 3,
                              .pixels = pixels };
    return ZT_OK;
}

static enum zt_code decode(const void *bytes, size_t n, const struct zt_image_limits *limits,
                           const struct zt_stop *stop, const char *misbehave, int64_t wall_us,
                           struct zt_image *ret, struct zt_err *err)
{
    struct zt_image_limits filled = fill_limits(limits);
    struct jail jail = { .alive = -1, .out = -1 };
    int status = 0;

    if (n > filled.max_bytes)
        return zt_fail(err, ZT_E_LIMIT, "the image has %zu bytes, more than the %zu allowed", n,
                       filled.max_bytes);
    ZT_TRY(start(bytes, n, &filled, misbehave, &jail, err));
    enum zt_code rc = wait_for(&jail, stop, wall_us, &status, err);
    if (rc == ZT_OK && status != 0)
        rc = explain_death(status, err);
    if (rc == ZT_OK)
        rc = read_answer(jail.out, &filled, ret, err);
    close(jail.alive);
    close(jail.out);
    return rc;
}

enum zt_code zt_sandbox_decode(const void *bytes, size_t n, const struct zt_image_limits *limits,
                               const struct zt_stop *stop, struct zt_image *ret, struct zt_err *err)
{
    return decode(bytes, n, limits, stop, NULL, WALL_US, ret, err);
}

void zt_sandbox_enter(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], ZT_JAIL_COMMAND) == 0)
        zt_jail_main(argc > 2 ? argv[2] : NULL);
}

#ifdef ZT_FAULTS
enum zt_code zt_sandbox_misbehave(const char *how, const void *bytes, size_t n, int64_t wall_us,
                                  struct zt_image *ret, struct zt_err *err)
{
    return decode(bytes, n, NULL, NULL, how, wall_us, ret, err);
}
#endif
