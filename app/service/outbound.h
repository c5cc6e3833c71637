/* outbound.h - the guard and the client for outgoing requests, as the settings want them. */
#ifndef ZT_SERVICE_OUTBOUND_H
#define ZT_SERVICE_OUTBOUND_H

#include "net/client.h"
#include "net/guard.h"

struct zt_config;

/*
 * A list of networks, separated by commas, as the guard holds it. ZT_E_INVALID: one is not one; msg
 * begins with the name of the setting.
 */
enum zt_code zt_outbound_networks(const char *setting, const char *cidrs, struct zt_guard **ret,
                                  struct zt_err *err);

/* ZT_E_INVALID: a network in allow-net is not one. */
enum zt_code zt_outbound_guard(const struct zt_config *config, struct zt_guard **ret,
                               struct zt_err *err);

/* guard and stop are kept; the client is freed before them. */
struct zt_client *zt_outbound_client(const struct zt_config *config, const struct zt_guard *guard,
                                     const struct zt_stop *stop);

#endif
