/*
 * device.h - where graphs are computed: a device that ggml drives, with the CPU behind it for what
 * the device cannot do.
 *
 * A device belongs to one thread at a time. Nothing here prints; what ggml would say is dropped,
 * except the reason of an abort of ggml's own, which goes to stderr as the process dies.
 */
#ifndef ZT_TENSOR_DEVICE_H
#define ZT_TENSOR_DEVICE_H

#include "base/auto.h"
#include "base/error.h"

#include <ggml-backend.h>

struct zt_device;

struct zt_device_options {
    const char
        *name;    /* as zt_device_at lists it, case ignored; NULL or "auto": the best there is */
    int threads;  /* of the CPU; 0: one a core */
    bool offload; /* weights stay in RAM and are streamed to the device as they are used */
    const char *backend; /* a library that is loaded first (plugin.h); NULL: none */
};

/* What can be asked for, by index; false past the last. Strings live as long as the process. */
struct zt_device_row {
    const char *name, *description;
    size_t free_bytes, total_bytes; /* of its memory; 0 where the driver does not say */
    bool is_cpu;
};
bool zt_device_at(int index, struct zt_device_row *ret);

/*
 * ZT_E_NOT_FOUND: no such device, msg lists those there are. ZT_E_UNSUPPORTED: this CPU lacks
 * instructions the program was built with. Errors of zt_plugin_load. options may be NULL.
 */
enum zt_code zt_device_open(const struct zt_device_options *options, struct zt_device **ret,
                            struct zt_err *err);
void zt_device_close(struct zt_device *device); /* NULL is fine */
ZT_AUTO(struct zt_device, device, zt_device_close)

const char *zt_device_name(const struct zt_device *device);
bool zt_device_is_cpu(const struct zt_device *device); /* the CPU alone */
int zt_device_threads(const struct zt_device *device);

/* Where weights belong: the device's memory, or the host's with offload or on the CPU. */
ggml_backend_buffer_type_t zt_device_weights(const struct zt_device *device);

/* Where what is computed once and read often belongs: the device's memory, with offload too. */
ggml_backend_buffer_type_t zt_device_memory(const struct zt_device *device);

/* Where the weights of 8-bit products (w8a8.h) belong; NULL: it has none, *ret_why says why. */
ggml_backend_buffer_type_t zt_device_w8a8(const struct zt_device *device, const char **ret_why);

/* Weights may stay where the file is mapped, without a copy. */
bool zt_device_maps(const struct zt_device *device);

/*
 * From now on parameters are brought in as F32, whatever type the file has: products with them do
 * not round their inputs. For models that overflowed in a smaller type.
 */
void zt_device_set_exact(struct zt_device *device, bool exact);
bool zt_device_exact(const struct zt_device *device);

/* Keys and values in BF16 are multiplied as such, faster than others. */
bool zt_device_bf16(const struct zt_device *device);

/* Bytes free for weights and graphs now: the device's own, or the host's available memory. */
size_t zt_device_free_bytes(const struct zt_device *device);

/*
 * stop is asked during a graph (between operations on the CPU, between graphs elsewhere); true ends
 * it and zt_graph_run returns ZT_E_CANCELLED. Called on a thread of the device's. NULL: never.
 */
typedef bool zt_device_stop_fn(void *user);
void zt_device_on_stop(struct zt_device *device, zt_device_stop_fn *stop, void *user);

/*
 * Gives the working memory of graphs back; the next one allocates anew. To be called when a large
 * stage is over. No graph may exist.
 */
enum zt_code zt_device_trim(struct zt_device *device, struct zt_err *err);

/* For graph.c: what runs graphs, and what measures them (NULL: no memory for it). */
/* With offload: the device beside the RAM that weights stay in; else NULL. */
ggml_backend_t zt_device_beside(struct zt_device *device);
ggml_backend_sched_t zt_device_sched(struct zt_device *device);
ggml_backend_sched_t zt_device_ruler(struct zt_device *device);
bool zt_device_asked_to_stop(struct zt_device *device);

#endif
