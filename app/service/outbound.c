/* outbound.c - see outbound.h. */
#include "service/outbound.h"

#include "service/config.h"
#include "service/handles.h"

enum zt_code zt_outbound_networks(const char *setting, const char *cidrs, struct zt_guard **ret,
                                  struct zt_err *err)
{
    zt_auto(guard) struct zt_guard *guard = zt_guard_new();

    enum zt_code rc = zt_guard_allow_list(guard, cidrs, err);
    if (rc != ZT_OK)
        zt_err_prefix(err, "%s", setting);
    ZT_TRY(rc);
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
