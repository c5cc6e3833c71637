/* outbound.c - see outbound.h. */
#include "service/outbound.h"

#include <string.h>

#include "base/str.h"
#include "service/config.h"
#include "service/handles.h"

#define CIDR_MAX 64

enum zt_code zt_outbound_networks(const char *setting, const char *cidrs, struct zt_guard **ret,
                                  struct zt_err *err)
{
    zt_auto(guard) struct zt_guard *guard = zt_guard_new();

    for (const char *p = cidrs; *p != '\0';) {
        char cidr[CIDR_MAX];
        size_t n = strcspn(p, ", ");
        if (n > 0) {
            if (!zt_format(cidr, sizeof(cidr), "%.*s", (int)n, p))
                return zt_fail_field(err, ZT_E_INVALID, setting,
                                     "%s has an entry of %zu characters: a network like "
                                     "10.0.0.0/8 has at most %d",
                                     setting, n, CIDR_MAX - 1);
            enum zt_code rc = zt_guard_allow(guard, cidr, err);
            if (rc != ZT_OK)
                zt_err_prefix(err, "%s", setting);
            ZT_TRY(rc);
        }
        p += n;
        p += strspn(p, ", ");
    }
    *ret = zt_take_guard(&guard);
    return ZT_OK;
}

enum zt_code zt_outbound_guard(const struct zt_config *config, struct zt_guard **ret,
                               struct zt_err *err)
{
    return zt_outbound_networks("allow-net", config->allow_net, ret, err);
}

struct zt_client *zt_outbound_client(const struct zt_config *config, const struct zt_guard *guard,
                                     const struct zt_stop *stop)
{
    const struct zt_client_options options = {
        .guard = guard,
        .ca_file = *config->ca_file ? config->ca_file : NULL,
        .stop = stop,
    };
    return zt_client_new(&options);
}
