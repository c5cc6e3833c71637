/*
 * jail.c - the decoding process. It reads the question while it still may, gives up everything a
 * decoder does not need, and only then looks at the picture.
 *
 *   - no descriptors but its four, no environment, no privileges to gain, not traceable
 *   - bounded processor time, address space and output
 *   - a system call outside the list ends the process: no files, sockets, processes, code pages
 */
#define _GNU_SOURCE /* close_range */
#include "service/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#ifdef ZT_SANITIZED
#define CPU_S 60 /* sanitizers are several times slower */
#else
#define CPU_S               10
#define ADDRESS_SPACE_BYTES (UINT64_C(1536) << 20)
#endif

#define SYS(name) SCMP_SYS(name)
static const int allowed_calls[] = {
    SYS(read),
    SYS(write),
    SYS(pread64),
    SYS(lseek),
    SYS(fstat),
    SYS(newfstatat),
    SYS(close),
    SYS(munmap),
    SYS(mremap),
    SYS(madvise),
    SYS(brk),
    SYS(futex),
    SYS(sched_yield),
    SYS(sched_getaffinity),
    SYS(getpid),
    SYS(gettid),
    SYS(clock_gettime),
    SYS(gettimeofday),
    SYS(getrandom),
    SYS(rt_sigprocmask),
    SYS(rt_sigreturn),
    SYS(restart_syscall),
    SYS(exit),
    SYS(exit_group),
#ifdef ZT_SANITIZED
    /* What the runtimes use to keep their own books and to print a report before dying. */
    SYS(sigaltstack),
    SYS(rt_sigaction),
    SYS(nanosleep),
    SYS(clock_nanosleep),
    SYS(tgkill),
    SYS(getrlimit),
    SYS(prlimit64),
    SYS(sysinfo),
    SYS(readlink),
    SYS(getuid),
    SYS(geteuid),
    SYS(prctl),
    SYS(membarrier),
    SYS(uname),
#endif
};
#undef SYS

/* Memory may be mapped and protected, but never as code. */
static const int code_calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };

static enum zt_code limit(int resource, uint64_t soft, uint64_t hard, struct zt_err *err)
{
    struct rlimit r = { .rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard };

    if (setrlimit((__rlimit_resource_t)resource, &r) != 0)
        return zt_fail_errno(err, errno, "limit the decoding process", "setrlimit");
    return ZT_OK;
}

static enum zt_code give_up_resources(uint64_t answer_max, struct zt_err *err)
{
    ZT_TRY(limit(RLIMIT_CORE, 0, 0, err));
    ZT_TRY(limit(RLIMIT_CPU, CPU_S, CPU_S + 1, err));
    ZT_TRY(limit(RLIMIT_FSIZE, answer_max, answer_max, err));
    ZT_TRY(limit(RLIMIT_NPROC, 0, 0, err));
#ifdef ADDRESS_SPACE_BYTES /* a sanitizer's shadow memory takes terabytes of addresses */
    ZT_TRY(limit(RLIMIT_AS, ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES, err));
#endif
    ZT_TRY(limit(RLIMIT_NOFILE, ZT_JAIL_FDS, ZT_JAIL_FDS, err));
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return zt_fail_errno(err, errno, "lock up the decoding process", "prctl");
    return ZT_OK;
}

static enum zt_code give_up_calls(struct zt_err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int rc = filter == NULL ? -ENOMEM : 0;

    for (size_t i = 0; rc == 0 && i < ZT_COUNT(allowed_calls); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
    for (size_t i = 0; rc == 0 && i < ZT_COUNT(code_calls); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, code_calls[i], 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc != 0) {
        zt_fail_errno(err, -rc, "restrict the system calls of the decoding process", "seccomp");
        return err->code = ZT_E_INTERNAL;
    }
    return ZT_OK;
}

/* Maps the question; the pages stay valid when the descriptor is of no more use. */
static enum zt_code read_ask(struct zt_jail_ask *ret, const uint8_t **ret_bytes, struct zt_err *err)
{
    struct stat st;

    if (fstat(ZT_JAIL_IN, &st) != 0 || st.st_size < (off_t)sizeof(*ret))
        return zt_fail(err, ZT_E_INTERNAL, "the decoding process was not asked anything");
    const uint8_t *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, ZT_JAIL_IN, 0);
    if (p == MAP_FAILED)
        return zt_fail_errno(err, errno, "read the image in the decoding process", "mmap");
    memcpy(ret, p, sizeof(*ret));
    if (ret->magic != ZT_JAIL_MAGIC || ret->bytes != (uint64_t)st.st_size - sizeof(*ret))
        return zt_fail(err, ZT_E_INTERNAL, "the decoding process was asked nonsense");
    *ret_bytes = p + sizeof(*ret);
    return ZT_OK;
}

static void write_all(const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n > 0) {
        ssize_t done = write(ZT_JAIL_OUT, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            _exit(1);
        p += done;
        n -= (size_t)done;
    }
}

static _Noreturn void answer_failure(const struct zt_err *err)
{
    const struct zt_jail_answer head = { .magic = ZT_JAIL_MAGIC, .err = *err };

    write_all(&head, sizeof(head));
    _exit(0);
}

static _Noreturn void answer(const struct zt_image *image)
{
    struct zt_jail_answer head = { .magic = ZT_JAIL_MAGIC };
    size_t row = (size_t)image->width_px * 3;
    head.width_px = image->width_px;
    head.height_px = image->height_px;
    head.bytes = row * (size_t)image->height_px;
    write_all(&head, sizeof(head));
    for (int y = 0; y < image->height_px; y++)
        write_all(image->pixels + (size_t)y * image->stride, row);
    _exit(0);
}

#ifdef ZT_FAULTS
/*
 * What a decoder that was taken over might do, by name. None may succeed: the calls end this
 * process, the answers are refused.
 */
static void act_open(void)
{
    (void)!open("/etc/hostname", O_RDONLY);
}

static void act_socket(void)
{
    (void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void act_fork(void)
{
    (void)!fork();
}

static void act_exec(void)
{
    execl("/bin/true", "true", (char *)NULL);
}

static void act_kill(void)
{
    kill(getppid(), SIGUSR1);
}

static void act_code(void)
{
    (void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void act_spin(void)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

static void act_memory(void)
{
    const size_t block = (size_t)64 << 20;

    for (char *p; (p = malloc(block)) != NULL;)
        memset(p, 1, block);
    answer_failure(&(struct zt_err){ .code = ZT_E_NOMEM, .msg = "no memory is left" });
}

static void act_flood(void)
{
    static const char block[1 << 16];

    for (;;)
        write_all(block, sizeof(block));
}

/* Claims more than it wrote. */
static void act_lie(void)
{
    const struct zt_jail_answer head = {
        .magic = ZT_JAIL_MAGIC, .width_px = 4000, .height_px = 4000, .bytes = UINT64_C(48000000)
    };
    write_all(&head, sizeof(head));
    _exit(0);
}

static void act_huge(void)
{
    const struct zt_jail_answer head = {
        .magic = ZT_JAIL_MAGIC, .width_px = INT32_MAX, .height_px = INT32_MAX, .bytes = UINT64_MAX
    };
    write_all(&head, sizeof(head));
    _exit(0);
}

static void act_short(void)
{
    write_all("?", 1);
    _exit(0);
}

static void act_silent(void)
{
    _exit(0);
}

static void act_up(const char *how)
{
    static const struct {
        const char *name;
        void (*act)(void);
    } acts[] = {
        { "open", act_open },     { "socket", act_socket }, { "fork", act_fork },
        { "exec", act_exec },     { "kill", act_kill },     { "code", act_code },
        { "spin", act_spin },     { "memory", act_memory }, { "flood", act_flood },
        { "lie", act_lie },       { "huge", act_huge },     { "short", act_short },
        { "silent", act_silent }, { "crash", abort },
    };

    for (size_t i = 0; i < ZT_COUNT(acts); i++) {
        if (strcmp(acts[i].name, how) == 0)
            acts[i].act();
    }
}
#endif

_Noreturn void zt_jail_main(const char *misbehave)
{
    struct zt_jail_ask ask = { 0 };
    struct zt_image image = { 0 };
    struct zt_err err = { 0 };
    const uint8_t *bytes = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGXFSZ, SIG_DFL);
    close_range(ZT_JAIL_FDS, ~0u, 0);
    if (read_ask(&ask, &bytes, &err) != ZT_OK)
        answer_failure(&err);
    tzset(); /* reads its file now: the colour library asks for the date while it decodes */
    uint64_t answer_max = sizeof(struct zt_jail_answer) + 3 * (uint64_t)ask.limits.max_pixels;
    if (give_up_resources(answer_max, &err) != ZT_OK || give_up_calls(&err) != ZT_OK)
        answer_failure(&err);
#ifdef ZT_FAULTS
    if (misbehave != NULL)
        act_up(misbehave);
#else
    (void)misbehave;
#endif
    if (zt_image_decode(bytes, (size_t)ask.bytes, &ask.limits, &image, &err) != ZT_OK)
        answer_failure(&err);
    answer(&image);
}
