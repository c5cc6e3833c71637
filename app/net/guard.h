/*
 * guard.h - which addresses a server-side request may reach.
 *
 * Refused unless allowed by a CIDR of the operator's: everything that is not global unicast - private,
 * loopback, link-local, multicast, unspecified, shared (CGNAT), documentation, benchmarking,
 * reserved, and IPv6 forms that carry an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64)
 * when the address inside is refused. Source: IANA IPv4 and IPv6 Special-Purpose Address
 * Registries. One classifier, used by everything that connects.
 */
#ifndef ZT_NET_GUARD_H
#define ZT_NET_GUARD_H

#include <sys/socket.h>

#include "base/error.h"

struct zt_guard;

struct zt_guard *zt_guard_new(void);
void zt_guard_free(struct zt_guard *guard);

/* "10.0.0.0/8", "fd00::/8", "127.0.0.1"; before the guard is used. ZT_E_INVALID. */
enum zt_code zt_guard_allow(struct zt_guard *guard, const char *cidr, struct zt_err *err);

/* NULL when a connection to the address is allowed, else why not ("loopback", ...). Any thread. */
const char *zt_guard_refuses(const struct zt_guard *guard, const struct sockaddr *address,
                             socklen_t n);

/* The class alone, without allowances: NULL for global unicast. */
const char *zt_address_special(const struct sockaddr *address, socklen_t n);

#endif
