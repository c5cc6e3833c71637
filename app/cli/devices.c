/* devices.c - zoetrope devices: what models with weights can be computed on. */
#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/json.h"

#define GIB (1024.0 * 1024 * 1024)

struct own {
    bool json;
    const char *backend;
};

static void put_memory(const struct zt_device_info *device)
{
    if (device->total_bytes == 0)
        printf("-\n");
    else
        printf("%.1f of %.1f GiB free\n", (double)device->free_bytes / GIB,
               (double)device->total_bytes / GIB);
}

static void put_json(void)
{
    struct zt_device_info device;

    printf("[");
    for (int i = 0; zt_device_info(i, &device); i++) {
        printf("%s\n  {\"name\":", i > 0 ? "," : "");
        zt_json_put(device.name);
        zt_json_put_text("description", device.description);
        printf(",\"freeBytes\":%" PRIu64 ",\"totalBytes\":%" PRIu64 "}", device.free_bytes,
               device.total_bytes);
    }
    printf("\n]\n");
}

static int run(struct zt_args *args)
{
    const struct own *own = args->own;
    struct zt_device_info device;
    struct zt_err err = { 0 };

    if (*own->backend && zt_backend_load(own->backend, &err) != ZT_OK)
        return zt_command_failed("devices", &err);
    if (own->json) {
        put_json();
        return ZT_EXIT_OK;
    }
    for (int i = 0; zt_device_info(i, &device); i++) {
        printf("%-12s %-48s ", device.name, device.description);
        put_memory(&device);
    }
    return ZT_EXIT_OK;
}

static const struct zt_setting rows[] = {
    { .name = "json",
      .kind = ZT_KIND_BOOL,
      .at = offsetof(struct own, json),
      .fallback = "false",
      .help = "print one JSON list" },
    { .name = "backend",
      .kind = ZT_KIND_TEXT,
      .at = offsetof(struct own, backend),
      .fallback = "",
      .value = "FILE",
      .help = "a library of ggml's that drives other devices, e.g. libggml-vulkan.so" },
};

const struct zt_command zt_command_devices = {
    .name = "devices",
    .words = "",
    .summary = "list what models with weights can be computed on",
    .about =
        "A name of the list goes to --device of serve, worker and generate. Which GPUs can be in\n"
        "it is decided when zoetrope is built, or by --backend: docs/MODELS.md.\n"
        "\nExample:\n  zoetrope devices\n",
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .run = run,
};
