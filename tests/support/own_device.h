/*
 * own_device.h - a device for tests, called OWN0, of the kind that GPUs are: its memory is its own,
 * so whoever touches it but through ggml dies, and it computes as ggml's CPU does. It counts what it
 * computes. One thread.
 */
#ifndef ZT_TESTS_OWN_DEVICE_H
#define ZT_TESTS_OWN_DEVICE_H

#include "base/error.h"

#include <ggml-backend-impl.h>
#include <ggml-cpu.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define OWN_BUFFERS 256
#define OWN_BATCH   32 /* columns from which on it takes products of weights in RAM, as GPUs do */

static struct {
    ggml_backend_buffer_t buffer[OWN_BUFFERS]; /* NULL: free */
    int ops[GGML_OP_COUNT];
    struct ggml_backend_device device;
    ggml_backend_dev_t cpu;
} own;

/* ---- memory -------------------------------------------------------------------------------- */

static void own_open(ggml_backend_buffer_t buffer, bool open)
{
    zt_assert(mprotect(buffer->context, buffer->size, open ? PROT_READ | PROT_WRITE : PROT_NONE) ==
              0);
}

static void own_open_all(bool open)
{
    for (int i = 0; i < OWN_BUFFERS; i++)
        if (own.buffer[i] != NULL)
            own_open(own.buffer[i], open);
}

static void own_free(ggml_backend_buffer_t buffer)
{
    munmap(buffer->context, buffer->size);
    for (int i = 0; i < OWN_BUFFERS; i++)
        if (own.buffer[i] == buffer)
            own.buffer[i] = NULL;
}

static void *own_base(ggml_backend_buffer_t buffer)
{
    return buffer->context;
}

static void own_memset(ggml_backend_buffer_t buffer, struct ggml_tensor *t, uint8_t value,
                       size_t offset, size_t size)
{
    own_open(buffer, true);
    memset((char *)t->data + offset, value, size);
    own_open(buffer, false);
}

static void own_set(ggml_backend_buffer_t buffer, struct ggml_tensor *t, const void *data,
                    size_t offset, size_t size)
{
    own_open_all(true); /* data may be another of its buffers' */
    memcpy((char *)t->data + offset, data, size);
    own_open_all(false);
    (void)buffer;
}

static void own_get(ggml_backend_buffer_t buffer, const struct ggml_tensor *t, void *data,
                    size_t offset, size_t size)
{
    own_open(buffer, true);
    memcpy(data, (const char *)t->data + offset, size);
    own_open(buffer, false);
}

static void own_clear(ggml_backend_buffer_t buffer, uint8_t value)
{
    own_open(buffer, true);
    memset(buffer->context, value, buffer->size);
    own_open(buffer, false);
}

static const char *own_type_name(ggml_backend_buffer_type_t type)
{
    (void)type;
    return "OWN";
}

static ggml_backend_buffer_t own_alloc(ggml_backend_buffer_type_t type, size_t size)
{
    static const struct ggml_backend_buffer_i iface = { .free_buffer = own_free,
                                                        .get_base = own_base,
                                                        .memset_tensor = own_memset,
                                                        .set_tensor = own_set,
                                                        .get_tensor = own_get,
                                                        .clear = own_clear };
    size_t whole = (size + 4095) / 4096 * 4096;
    void *memory = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int i = 0;

    while (i < OWN_BUFFERS && own.buffer[i] != NULL)
        i++;
    zt_assert(memory != MAP_FAILED && i < OWN_BUFFERS);
    own.buffer[i] = ggml_backend_buffer_init(type, iface, memory, whole);
    return own.buffer[i];
}

static size_t own_alignment(ggml_backend_buffer_type_t type)
{
    (void)type;
    return 128;
}

static bool own_is_host(ggml_backend_buffer_type_t type)
{
    (void)type;
    return false;
}

static struct ggml_backend_buffer_type own_type = { .iface = { .get_name = own_type_name,
                                                               .alloc_buffer = own_alloc,
                                                               .get_alignment = own_alignment,
                                                               .is_host = own_is_host },
                                                    .device = &own.device };

/* ---- computing ----------------------------------------------------------------------------- */

static const char *own_name(ggml_backend_t backend)
{
    (void)backend;
    return "OWN0";
}

static void own_end(ggml_backend_t backend)
{
    ggml_backend_free(backend->context);
    free(backend);
}

static enum ggml_status own_compute(ggml_backend_t backend, struct ggml_cgraph *graph)
{
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++)
        own.ops[ggml_graph_node(graph, i)->op]++;
    own_open_all(true);
    enum ggml_status status = ggml_backend_graph_compute(backend->context, graph);
    own_open_all(false);
    return status;
}

static const char *own_device_name(ggml_backend_dev_t dev)
{
    (void)dev;
    return "OWN0";
}

static void own_memory(ggml_backend_dev_t dev, size_t *free_bytes, size_t *total)
{
    (void)dev;
    *free_bytes = *total = (size_t)8 << 30;
}

static enum ggml_backend_dev_type own_kind(ggml_backend_dev_t dev)
{
    (void)dev;
    return GGML_BACKEND_DEVICE_TYPE_GPU;
}

static void own_props(ggml_backend_dev_t dev, struct ggml_backend_dev_props *props)
{
    *props = (struct ggml_backend_dev_props){ .name = "OWN0", .type = own_kind(dev) };
}

static ggml_backend_t own_init(ggml_backend_dev_t dev, const char *params)
{
    static uint8_t guid[16] = "zoetrope tests";
    ggml_backend_t backend = calloc(1, sizeof(*backend)), cpu = ggml_backend_cpu_init();

    (void)params;
    zt_assert(backend != NULL && cpu != NULL);
    ggml_backend_cpu_set_n_threads(cpu, 1); /* its threads wait for each other by spinning */
    *backend = (struct ggml_backend){
        .guid = &guid,
        .iface = { .get_name = own_name, .free = own_end, .graph_compute = own_compute },
        .device = dev,
        .context = cpu,
    };
    return backend;
}

static ggml_backend_buffer_type_t own_buffers(ggml_backend_dev_t dev)
{
    (void)dev;
    return &own_type;
}

static bool own_can(ggml_backend_dev_t dev, const struct ggml_tensor *op)
{
    (void)dev;
    return ggml_backend_dev_supports_op(own.cpu, op);
}

static bool own_reads(ggml_backend_dev_t dev, ggml_backend_buffer_type_t type)
{
    (void)dev;
    return type == &own_type;
}

static bool own_takes_over(ggml_backend_dev_t dev, const struct ggml_tensor *op)
{
    (void)dev;
    return op->op == GGML_OP_MUL_MAT && op->ne[1] >= OWN_BATCH;
}

static const char *own_reg_name(ggml_backend_reg_t reg)
{
    (void)reg;
    return "OWN";
}

static size_t own_count(ggml_backend_reg_t reg)
{
    (void)reg;
    return 1;
}

static ggml_backend_dev_t own_at(ggml_backend_reg_t reg, size_t index)
{
    (void)index;
    own.device.reg = reg;
    return &own.device;
}

/* Adds it to the devices there are. */
static void own_register(void)
{
    static struct ggml_backend_reg reg = {
        .api_version = GGML_BACKEND_API_VERSION,
        .iface = { .get_name = own_reg_name, .get_device_count = own_count, .get_device = own_at }
    };

    own.cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    own.device.iface = (struct ggml_backend_device_i){
        .get_name = own_device_name,
        .get_description = own_device_name,
        .get_memory = own_memory,
        .get_type = own_kind,
        .get_props = own_props,
        .init_backend = own_init,
        .get_buffer_type = own_buffers,
        .supports_op = own_can,
        .supports_buft = own_reads,
        .offload_op = own_takes_over,
    };
    ggml_backend_register(&reg);
}

#endif
