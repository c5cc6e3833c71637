/*
 * backend_module.c - a backend library of ggml's for test_plugin: it says which version of ggml it is
 * of and has one device, which cannot be started. With ZT_PLAIN it is a library like any other.
 */
#ifdef ZT_PLAIN
int zt_nothing(void);
int zt_nothing(void)
{
    return 0;
}
#else
#include <ggml-backend-impl.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *ggml_version(void);
EXPORT ggml_backend_reg_t ggml_backend_init(void);

static const char *device_name(ggml_backend_dev_t dev)
{
    (void)dev;
    return "TEST0";
}

static void device_memory(ggml_backend_dev_t dev, size_t *free_bytes, size_t *total)
{
    (void)dev;
    *free_bytes = 1 << 20;
    *total = 2 << 20;
}

static enum ggml_backend_dev_type device_type(ggml_backend_dev_t dev)
{
    (void)dev;
    return ZT_DEVICE_TYPE;
}

static void device_props(ggml_backend_dev_t dev, struct ggml_backend_dev_props *props)
{
    (void)dev;
    memset(props, 0, sizeof(*props));
}

static ggml_backend_t device_init(ggml_backend_dev_t dev, const char *params)
{
    (void)dev;
    (void)params;
    return NULL;
}

static const char *reg_name(ggml_backend_reg_t reg)
{
    (void)reg;
    return "TEST";
}

static size_t reg_count(ggml_backend_reg_t reg)
{
    (void)reg;
    return 1;
}

static struct ggml_backend_device device = { .iface = { .get_name = device_name,
                                                        .get_description = device_name,
                                                        .get_memory = device_memory,
                                                        .get_type = device_type,
                                                        .get_props = device_props,
                                                        .init_backend = device_init } };

static ggml_backend_dev_t reg_device(ggml_backend_reg_t reg, size_t index)
{
    (void)index;
    device.reg = reg;
    return &device;
}

static struct ggml_backend_reg backend = {
    .api_version = GGML_BACKEND_API_VERSION,
    .iface = { .get_name = reg_name, .get_device_count = reg_count, .get_device = reg_device }
};

const char *ggml_version(void)
{
    return ZT_VERSION;
}

ggml_backend_reg_t ggml_backend_init(void)
{
    return &backend;
}
#endif
