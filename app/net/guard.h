/*
 * guard.h - which addresses a server-side request may reach.
 *
 * Refused unless allowed by a CIDR of the operator's: everything that is not global unicast -
 * private, loopback, link-local, multicast, unspecified, shared (CGNAT), documentation,
 * benchmarking, reserved, every other block of the registries, and everything in IPv6 outside
 * 2000::/3. IPv6 forms that carry an IPv4 address are judged by their own class and by the address
 * inside: mapped, NAT64 (64:ff9b::/96) and ISATAP addresses pass when the address inside does;
 * compatible, translated, 6to4, Teredo and local NAT64 (64:ff9b:1::/48) never pass by themselves.
 * Source: IANA IPv4 and IPv6 Special-Purpose Address Registries; the few blocks that these mark as
 * globally reachable are anycast services of the network and refused as well. One classifier, used
 * by everything that connects.
 */
#ifndef ZT_NET_GUARD_H
#define ZT_NET_GUARD_H

#include <sys/socket.h>

#include "base/error.h"

struct zt_guard;

struct zt_guard *zt_guard_new(void);
void zt_guard_free(struct zt_guard *guard);

/*
 * "10.0.0.0/8", "fd00::/8", "127.0.0.1"; before the guard is used, at most 256. An address that
 * carries an IPv4 address inside needs that one allowed too; a mapped one needs only that.
 * ZT_E_INVALID: not a CIDR, or one with bits set past its prefix.
 */
enum zt_code zt_guard_allow(struct zt_guard *guard, const char *cidr, struct zt_err *err);

/* The same for several, with commas or blanks between. ZT_E_INVALID names the first bad one. */
enum zt_code zt_guard_allow_list(struct zt_guard *guard, const char *cidrs, struct zt_err *err);

/*
 * Whether a literal address ("203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9") is in one of the
 * allowed networks, whatever its class. For lists of who may come in. Any thread.
 */
bool zt_guard_lists_text(const struct zt_guard *guard, const char *address);

/* NULL when a connection to the address is allowed, else why not ("loopback", ...). Any thread. */
const char *zt_guard_refuses(const struct zt_guard *guard, const struct sockaddr *address,
                             socklen_t n);

/* Whether the operator's list names the address itself, whatever its class. */
bool zt_guard_lists(const struct zt_guard *guard, const struct sockaddr *address, socklen_t n);

/* The class alone, without allowances: NULL for global unicast. */
const char *zt_address_special(const struct sockaddr *address, socklen_t n);

#endif
