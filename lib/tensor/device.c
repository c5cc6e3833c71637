/*
 * device.c - ggml's devices by name, and the scheduler that puts the CPU behind one.
 */
#include "tensor/device.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "tensor/cpu/backend.h"
#include "tensor/graph.h"
#include "tensor/plugin.h"

#include <ggml-cpu.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define THREADS_MAX 256

struct zt_device {
    ggml_backend_t main; /* the CPU itself where it was asked for */
    ggml_backend_t fast; /* before the CPU's own; NULL: without it */
    ggml_backend_t cpu;
    ggml_backend_sched_t sched;
    ggml_backend_sched_t ruler; /* measures graphs; a scheduler that has measured can't run */
    int threads;
    bool offload, exact;
    bool bf16; /* what fast computes in where it may */
    char name[64];
    zt_device_stop_fn *stop;
    void *stop_user;
    atomic_bool stopped; /* stop said true: it is not asked again */
};

static void drop_message(enum ggml_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static void say_abort(const char *text)
{
    fprintf(stderr, "ggml: %s\n", text);
}

static void be_quiet(void)
{
    ggml_log_set(drop_message, NULL);
    ggml_set_abort_callback(say_abort);
}

static void start_ggml(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, be_quiet);
}

static bool is_cpu(ggml_backend_dev_t dev)
{
    return ggml_backend_dev_type(dev) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

/* MemAvailable of /proc/meminfo: what can be had without swapping. */
static size_t available_bytes(void)
{
    char line[128];
    zt_auto_file FILE *f = fopen("/proc/meminfo", "re");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, "MemAvailable:", 13) == 0)
            return (size_t)strtoull(line + 13, NULL, 10) * 1024;
    return 0;
}

bool zt_device_at(int index, struct zt_device_row *ret)
{
    start_ggml();
    if (index < 0 || (size_t)index >= ggml_backend_dev_count())
        return false;
    ggml_backend_dev_t dev = ggml_backend_dev_get((size_t)index);
    *ret = (struct zt_device_row){
        .name = ggml_backend_dev_name(dev),
        .description = ggml_backend_dev_description(dev),
        .is_cpu = is_cpu(dev),
    };
    ggml_backend_dev_memory(dev, &ret->free_bytes, &ret->total_bytes);
    if (ret->is_cpu)
        ret->free_bytes = available_bytes(); /* ggml says that all of it is free */
    return true;
}

/* What ggml's CPU part was compiled for (cmake/ggml), asked of the CPU it runs on. */
static enum zt_code check_cpu(struct zt_err *err)
{
#if defined(__x86_64__)
    /* F16C came before AVX2 in every CPU; clang 14 has no word for it. */
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "models with weights need a CPU with AVX2, FMA, BMI2 and F16C");
#endif
    (void)err;
    return ZT_OK;
}

static bool rank_at(size_t index, int *ret_rank)
{
    enum ggml_backend_dev_type type = ggml_backend_dev_type(ggml_backend_dev_get(index));

    *ret_rank = type == GGML_BACKEND_DEVICE_TYPE_GPU    ? 3
                : type == GGML_BACKEND_DEVICE_TYPE_IGPU ? 2
                : type == GGML_BACKEND_DEVICE_TYPE_CPU  ? 1
                                                        : 0;
    return *ret_rank > 0; /* accelerators without memory of their own stand behind the CPU */
}

static enum zt_code find(const char *name, ggml_backend_dev_t *ret, struct zt_err *err)
{
    bool any = name == NULL || name[0] == '\0' || strcasecmp(name, "auto") == 0;
    char names[256] = "auto";
    int best = 0, rank;

    *ret = NULL;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t dev = ggml_backend_dev_get(i);
        if (!rank_at(i, &rank))
            continue;
        if (any ? rank > best : strcasecmp(name, ggml_backend_dev_name(dev)) == 0) {
            best = rank;
            *ret = dev;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, ", %s", ggml_backend_dev_name(dev));
    }
    if (*ret != NULL)
        return ZT_OK;
    return zt_fail_field(err, ZT_E_NOT_FOUND, "device", "there is no device %s; there is: %s",
                         any ? "at all" : name, names);
}

static bool should_stop(void *user)
{
    return zt_device_asked_to_stop(user);
}

static enum zt_code new_sched(struct zt_device *d, ggml_backend_sched_t *ret, struct zt_err *err)
{
    ggml_backend_t backends[3];
    int n = 0;

    if (d->main != d->cpu)
        backends[n++] = d->main;
    if (d->fast != NULL)
        backends[n++] = d->fast;
    backends[n++] = d->cpu;

    *ret = ggml_backend_sched_new(backends, NULL, n, ZT_GRAPH_NODES_MAX, false, d->offload);
    return *ret != NULL ? ZT_OK : zt_fail(err, ZT_E_NOMEM, "no memory for a scheduler");
}

/*
 * ZOETROPE_CPU in the environment, for tests and measurements: "ggml" leaves our backend out,
 * "fast" gives it all it can compute, in f32, instead of what it is worth for, "bf16" the same in
 * bf16, also where the CPU has no products of it. With offload it is left out
 * too: what stands for weights in RAM must be the last backend, for the device to take them over.
 */
static enum zt_code start_fast(struct zt_device *d, struct zt_err *err)
{
    const char *asked = getenv("ZOETROPE_CPU");
    bool all = asked != NULL && strcmp(asked, "fast") == 0;
    bool bf16 = asked != NULL && strcmp(asked, "bf16") == 0;

    if (asked != NULL && !all && !bf16 && strcmp(asked, "ggml") != 0)
        return zt_fail(err, ZT_E_INVALID, "ZOETROPE_CPU must be ggml, fast or bf16, not %s", asked);
#ifdef ZT_CPU_FAST
    d->bf16 = bf16 || (asked == NULL && zt_fast_has_bf16());
    unsigned mode = (all || bf16 ? ZT_FAST_ALL : 0) | (d->bf16 ? ZT_FAST_BF16 : 0);
    if (!d->offload && (asked == NULL || all || bf16))
        d->fast = zt_fast_new(d->threads, mode, should_stop, d);
#else
    (void)d;
#endif
    return ZT_OK;
}

static enum zt_code start(struct zt_device *d, ggml_backend_dev_t dev, struct zt_err *err)
{
    d->cpu = ggml_backend_cpu_init();
    if (d->cpu == NULL)
        return zt_fail(err, ZT_E_NOMEM, "the CPU device could not be started");
    ggml_backend_cpu_set_n_threads(d->cpu, d->threads);
    ggml_backend_cpu_set_abort_callback(d->cpu, should_stop, d);
    ZT_TRY(start_fast(d, err));
    d->main = is_cpu(dev) ? d->cpu : ggml_backend_dev_init(dev, NULL);
    if (d->main == NULL)
        return zt_fail(err, ZT_E_IO, "the device %s could not be started", d->name);
    return new_sched(d, &d->sched, err);
}

enum zt_code zt_device_open(const struct zt_device_options *options, struct zt_device **ret,
                            struct zt_err *err)
{
    static const struct zt_device_options none = { 0 };
    zt_auto(device) struct zt_device *d = zt_new(struct zt_device);
    ggml_backend_dev_t dev = NULL;

    if (options == NULL)
        options = &none;
    if (options->threads < 0 || options->threads > THREADS_MAX)
        return zt_fail_field(err, ZT_E_INVALID, "threads", "threads must be 0 to %d, not %d",
                             THREADS_MAX, options->threads);
    ZT_TRY(check_cpu(err));
    start_ggml();
    if (options->backend != NULL)
        ZT_TRY(zt_plugin_load(options->backend, err));
    ZT_TRY(find(options->name, &dev, err));
    snprintf(d->name, sizeof(d->name), "%s", ggml_backend_dev_name(dev));
    d->threads = options->threads > 0 ? options->threads : zt_cores();
    d->offload = options->offload && !is_cpu(dev);
    ZT_TRY(start(d, dev, err));
    *ret = zt_take_device(&d);
    return ZT_OK;
}

void zt_device_close(struct zt_device *device)
{
    if (device == NULL)
        return;
    ggml_backend_sched_free(device->sched);
    ggml_backend_sched_free(device->ruler);
    if (device->main != NULL && device->main != device->cpu)
        ggml_backend_free(device->main);
    if (device->fast != NULL)
        ggml_backend_free(device->fast);
    if (device->cpu != NULL)
        ggml_backend_free(device->cpu);
    free(device);
}

const char *zt_device_name(const struct zt_device *device)
{
    return device->name;
}

bool zt_device_is_cpu(const struct zt_device *device)
{
    return device->main == device->cpu;
}

int zt_device_threads(const struct zt_device *device)
{
    return device->threads;
}

ggml_backend_buffer_type_t zt_device_weights(const struct zt_device *device)
{
    ggml_backend_buffer_type_t pinned =
        device->offload ? ggml_backend_dev_host_buffer_type(ggml_backend_get_device(device->main))
                        : NULL;

    if (pinned != NULL)
        return pinned;
    return device->offload ? ggml_backend_cpu_buffer_type()
                           : ggml_backend_get_default_buffer_type(device->main);
}

ggml_backend_buffer_type_t zt_device_memory(const struct zt_device *device)
{
    return ggml_backend_get_default_buffer_type(device->main);
}

ggml_backend_buffer_type_t zt_device_w8a8(const struct zt_device *device, const char **ret_why)
{
    ggml_backend_buffer_type_t type = NULL;

#ifdef ZT_CPU_FAST
    if (device->main == device->cpu && device->fast != NULL)
        type = zt_fast_w8a8_buffers();
#endif
    *ret_why = device->main != device->cpu ? "the device is not the CPU"
               : device->fast == NULL      ? "the fast CPU backend is not there"
               : type == NULL              ? "8-bit products are not exact on this CPU"
                                           : NULL;
    return type;
}

bool zt_device_maps(const struct zt_device *device)
{
    return device->main == device->cpu || device->offload;
}

void zt_device_set_exact(struct zt_device *device, bool exact)
{
    device->exact = exact;
}

bool zt_device_exact(const struct zt_device *device)
{
    return device->exact;
}

bool zt_device_bf16(const struct zt_device *device)
{
    return device->main == device->cpu && device->fast != NULL && device->bf16 && !device->exact;
}

size_t zt_device_free_bytes(const struct zt_device *device)
{
    size_t free_bytes = 0, total = 0;

    if (device->main == device->cpu)
        return available_bytes();
    ggml_backend_dev_memory(ggml_backend_get_device(device->main), &free_bytes, &total);
    return free_bytes;
}

void zt_device_on_stop(struct zt_device *device, zt_device_stop_fn *stop, void *user)
{
    device->stop = stop;
    device->stop_user = user;
    atomic_store(&device->stopped, false);
}

enum zt_code zt_device_trim(struct zt_device *device, struct zt_err *err)
{
    ggml_backend_sched_free(device->sched);
    device->sched = NULL;
    return new_sched(device, &device->sched, err);
}

ggml_backend_t zt_device_beside(struct zt_device *device)
{
    return device->offload ? device->main : NULL;
}

ggml_backend_sched_t zt_device_sched(struct zt_device *device)
{
    return device->sched;
}

ggml_backend_sched_t zt_device_ruler(struct zt_device *device)
{
    if (device->ruler == NULL && new_sched(device, &device->ruler, NULL) != ZT_OK)
        return NULL;
    return device->ruler;
}

bool zt_device_asked_to_stop(struct zt_device *device)
{
    if (device->stop == NULL)
        return false;
    if (!atomic_load(&device->stopped) && device->stop(device->stop_user))
        atomic_store(&device->stopped, true);
    return atomic_load(&device->stopped);
}
