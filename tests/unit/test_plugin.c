/* test_plugin.c - backend libraries of ggml's: which are taken, and why the others are not. */
#include "tensor/plugin.h"

#include "check.h"
#include "tensor/device.h"

static struct zt_err err;

static int devices(void)
{
    struct zt_device_row row;
    int n = 0;

    while (zt_device_at(n, &row))
        n++;
    return n;
}

static void refuses(void)
{
    static const struct {
        const char *label, *path, *why;
        enum zt_code code;
    } rows[] = {
        { "none", ZT_MODULES "/none.so", "there is no file", ZT_E_NOT_FOUND },
        { "no library", ZT_FIXTURES "/wan/zoetrope.json", "cannot be used", ZT_E_UNSUPPORTED },
        { "another library", ZT_MODULES "/backend_plain.so", "no backend", ZT_E_UNSUPPORTED },
        { "another version", ZT_MODULES "/backend_old.so", "of ggml 0.0.1", ZT_E_UNSUPPORTED },
        { "one more CPU", ZT_MODULES "/backend_cpu.so", "but CPUs", ZT_E_UNSUPPORTED },
    };
    int before = devices();

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_device *device = NULL;
        const struct zt_device_options options = { .backend = rows[i].path };
        err.msg[0] = '\0';
        CHECK_INT(rows[i].label, zt_plugin_load(rows[i].path, &err), rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].why);
        CHECK_STR(rows[i].label, err.field, "backend");
        CHECK_INT("opening a device says so", zt_device_open(&options, &device, &err),
                  rows[i].code);
        CHECK_INT("adds nothing", devices(), before);
    }
}

static void adds_its_devices_once(void)
{
    struct zt_device *device = NULL;
    struct zt_device_row row;
    int before = devices();
    const struct zt_device_options options = { .name = "test0",
                                               .backend = ZT_MODULES "/./backend_good.so" };

    CHECK_INT("loads", zt_plugin_load(ZT_MODULES "/backend_good.so", &err), ZT_OK);
    CHECK_INT("again", zt_plugin_load(ZT_MODULES "/backend_good.so", &err), ZT_OK);
    CHECK_INT("one more device", devices(), before + 1);
    CHECK("listed", zt_device_at(before, &row));
    CHECK_STR("name", row.name, "TEST0");
    CHECK("no CPU, with memory of its own", !row.is_cpu && row.total_bytes == 2 << 20);
    CHECK_INT("is what is asked for", zt_device_open(&options, &device, &err), ZT_E_IO);
    CHECK_HAS("and says so", err.msg, "TEST0 could not be started");
    CHECK_INT("and again no further one", devices(), before + 1);
}

int main(void)
{
    RUN(refuses);
    RUN(adds_its_devices_once);
    return check_done();
}
