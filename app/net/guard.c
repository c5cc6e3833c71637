/*
 * guard.c - see guard.h. Two tables of blocks and one walk over them; both the tables and the
 * operator's allowances compare address bytes with a prefix, nothing is compared as text.
 *
 * Invariants
 *  1. An address without a row is allowed only when it is IPv4, or inside 2000::/3.
 *  2. A row's class and each IPv4 address carried inside are judged on their own: an allowance
 *     for the outer form (2002::/16, say) does not open 127.0.0.1 inside it.
 *  3. Anything but a complete AF_INET or AF_INET6 address is refused.
 */
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define CIDR_MAX    64
#define ALLOWED_MAX 256 /* CIDRs an operator may list */

/* Where an IPv6 form keeps the IPv4 addresses it stands for. */
enum carry {
    CARRY_NONE,
    CARRY_LAST,   /* bytes 12 ... 15 */
    CARRY_6TO4,   /* bytes 2 ... 5, RFC 3056 */
    CARRY_TEREDO, /* server in bytes 4 ... 7, client inverted in 12 ... 15, RFC 4380 */
};

struct block {
    uint8_t prefix[16];
    uint8_t bits;
    enum carry carry;
    const char *why; /* NULL: the class itself is fine, what it carries decides */
};

/*
 * IANA IPv4 Special-Purpose Address Registry. Blocks that it marks as globally reachable (AS112,
 * AMT, PCP and TURN anycast inside 192.0.0.0/24) are refused too: they are services of the
 * network, no web server is meant to live there. The last row is Azure's host agent: a public
 * address that only a machine's own platform answers, with its secrets.
 */
/* clang-format off */
static const struct block ipv4_blocks[] = {
    { { 0 },                 8,  CARRY_NONE, "unspecified" },
    { { 10 },                8,  CARRY_NONE, "private" },
    { { 100, 64 },           10, CARRY_NONE, "shared" },               /* RFC 6598, CGNAT */
    { { 127 },               8,  CARRY_NONE, "loopback" },
    { { 169, 254 },          16, CARRY_NONE, "link-local" },           /* cloud metadata too */
    { { 172, 16 },           12, CARRY_NONE, "private" },
    { { 192, 0, 0 },         24, CARRY_NONE, "protocol assignment" },
    { { 192, 0, 2 },         24, CARRY_NONE, "documentation" },
    { { 192, 31, 196 },      24, CARRY_NONE, "AS112 service" },
    { { 192, 52, 193 },      24, CARRY_NONE, "multicast tunnel" },     /* AMT, RFC 7450 */
    { { 192, 88, 99 },       24, CARRY_NONE, "6to4 relay" },
    { { 192, 168 },          16, CARRY_NONE, "private" },
    { { 192, 175, 48 },      24, CARRY_NONE, "AS112 service" },
    { { 198, 18 },           15, CARRY_NONE, "benchmarking" },
    { { 198, 51, 100 },      24, CARRY_NONE, "documentation" },
    { { 203, 0, 113 },       24, CARRY_NONE, "documentation" },
    { { 224 },               4,  CARRY_NONE, "multicast" },
    { { 255, 255, 255, 255 }, 32, CARRY_NONE, "broadcast" },
    { { 240 },               4,  CARRY_NONE, "reserved" },
    { { 168, 63, 129, 16 },  32, CARRY_NONE, "cloud platform" },
};

/*
 * IANA IPv6 Special-Purpose Address Registry and what older RFCs set aside; the first match
 * counts. Mapped addresses reach the IPv4 address inside, and NAT64 is how an IPv6-only machine
 * reaches every IPv4 host, so for these two the address inside decides. The other forms that
 * carry IPv4 are deprecated or local and are refused as such. In 64:ff9b:1::/48 the operator
 * chooses where the IPv4 address stands; it is read from the end, as in every /96.
 */
static const struct block ipv6_blocks[] = {
    { { 0 },                                     128, CARRY_NONE,   "unspecified" },
    { { [15] = 1 },                              128, CARRY_NONE,   "loopback" },
    { { [10] = 0xff, 0xff },                      96, CARRY_LAST,   NULL },
    { { [8] = 0xff, 0xff },                       96, CARRY_LAST,   "IPv4-translated" },
    { { 0 },                                      96, CARRY_LAST,   "IPv4-compatible" },
    { { 0x00, 0x64, 0xff, 0x9b },                 96, CARRY_LAST,   NULL },
    { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 },     48, CARRY_LAST,   "local NAT64" },
    { { 0x01, 0x00 },                             64, CARRY_NONE,   "discard-only" },
    { { 0x01, 0x00, [7] = 1 },                    64, CARRY_NONE,   "dummy prefix" },
    { { 0x20, 0x01, 0x00, 0x00 },                 32, CARRY_TEREDO, "Teredo tunnel" },
    { { 0x20, 0x01, 0x00, 0x02 },                 48, CARRY_NONE,   "benchmarking" },
    { { 0x20, 0x01, 0x00, 0x10 },                 28, CARRY_NONE,   "ORCHID" },
    { { 0x20, 0x01, 0x00, 0x20 },                 28, CARRY_NONE,   "ORCHIDv2" },
    { { 0x20, 0x01, 0x00, 0x00 },                 23, CARRY_NONE,   "protocol assignment" },
    { { 0x20, 0x01, 0x0d, 0xb8 },                 32, CARRY_NONE,   "documentation" },
    { { 0x20, 0x02 },                             16, CARRY_6TO4,   "6to4 tunnel" },
    { { 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00 },     48, CARRY_NONE,   "AS112 service" },
    { { 0x3f, 0xfe },                             16, CARRY_NONE,   "reserved" }, /* 6bone */
    { { 0x3f, 0xff },                             20, CARRY_NONE,   "documentation" },
    { { 0x5f, 0x00 },                             16, CARRY_NONE,   "segment routing" },
    { { 0xfc },                                    7, CARRY_NONE,   "private" }, /* RFC 4193 */
    { { 0xfe, 0x80 },                             10, CARRY_NONE,   "link-local" },
    { { 0xfe, 0xc0 },                             10, CARRY_NONE,   "site-local" },
    { { 0xff },                                    8, CARRY_NONE,   "multicast" },
};
/* clang-format on */

static const uint8_t global_unicast[16] = { 0x20 }; /* 2000::/3 */

/* An operator's CIDR. */
struct cidr {
    int family;
    uint8_t prefix[16];
    uint8_t bits;
};

struct zt_guard {
    struct cidr allowed[ALLOWED_MAX];
    size_t count;
};

static bool has_prefix(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    if (memcmp(address, prefix, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static bool is_allowed(const struct zt_guard *guard, int family, const uint8_t *address)
{
    for (size_t i = 0; guard != NULL && i < guard->count; i++)
        if (guard->allowed[i].family == family &&
            has_prefix(address, guard->allowed[i].prefix, guard->allowed[i].bits))
            return true;
    return false;
}

static const char *judge_ipv4(const struct zt_guard *guard, const uint8_t *a)
{
    for (size_t i = 0; i < ZT_COUNT(ipv4_blocks); i++)
        if (has_prefix(a, ipv4_blocks[i].prefix, ipv4_blocks[i].bits))
            return is_allowed(guard, AF_INET, a) ? NULL : ipv4_blocks[i].why;
    return NULL;
}

static const char *judge_carried(const struct zt_guard *guard, enum carry carry, const uint8_t *a)
{
    uint8_t client[4];
    const char *why = NULL;

    switch (carry) {
    case CARRY_NONE:
        break;
    case CARRY_LAST:
        why = judge_ipv4(guard, a + 12);
        break;
    case CARRY_6TO4:
        why = judge_ipv4(guard, a + 2);
        break;
    case CARRY_TEREDO:
        for (int i = 0; i < 4; i++)
            client[i] = (uint8_t)~a[12 + i];
        why = judge_ipv4(guard, a + 4);
        if (why == NULL)
            why = judge_ipv4(guard, client);
        break;
    }
    return why;
}

/* An ISATAP interface identifier, RFC 5214: 0000:5efe or 0200:5efe, then an IPv4 address. */
static bool is_isatap(const uint8_t *a)
{
    return (a[8] & 0xfd) == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe;
}

static const char *judge_ipv6(const struct zt_guard *guard, const uint8_t *a)
{
    const char *why = has_prefix(a, global_unicast, 3) ? NULL : "reserved";
    enum carry carry = CARRY_NONE;

    for (size_t i = 0; i < ZT_COUNT(ipv6_blocks); i++) {
        if (has_prefix(a, ipv6_blocks[i].prefix, ipv6_blocks[i].bits)) {
            why = ipv6_blocks[i].why;
            carry = ipv6_blocks[i].carry;
            break;
        }
    }
    if (why != NULL && !is_allowed(guard, AF_INET6, a))
        return why;
    why = judge_carried(guard, carry, a);
    if (why == NULL && is_isatap(a))
        why = judge_ipv4(guard, a + 12);
    return why;
}

struct zt_guard *zt_guard_new(void)
{
    return zt_new(struct zt_guard);
}

void zt_guard_free(struct zt_guard *guard)
{
    free(guard);
}

/* Splits text at its slash; the part before it goes into address. */
static bool split_cidr(const char *text, char address[INET6_ADDRSTRLEN], const char **ret_bits)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);

    if (n == 0 || n >= INET6_ADDRSTRLEN)
        return false;
    memcpy(address, text, n);
    address[n] = '\0';
    *ret_bits = slash ? slash + 1 : NULL;
    return true;
}

static bool read_address(const char *text, struct cidr *ret)
{
    if (inet_pton(AF_INET, text, ret->prefix) == 1)
        ret->family = AF_INET;
    else if (inet_pton(AF_INET6, text, ret->prefix) == 1)
        ret->family = AF_INET6;
    else
        return false;
    return true;
}

/* Mapped networks become what they stand for: judging never looks a mapped address up as IPv6. */
static void unmap(struct cidr *c)
{
    static const uint8_t mapped[16] = { [10] = 0xff, 0xff };

    if (c->family != AF_INET6 || c->bits < 96 || !has_prefix(c->prefix, mapped, 96))
        return;
    memmove(c->prefix, c->prefix + 12, 4);
    memset(c->prefix + 4, 0, 12);
    c->family = AF_INET;
    c->bits = (uint8_t)(c->bits - 96);
}

/* Clears what stands right of the prefix; false when there was something. */
static bool mask_host_bits(struct cidr *c)
{
    struct cidr was = *c;

    for (unsigned bit = c->bits; bit < 128; bit++)
        c->prefix[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    return memcmp(was.prefix, c->prefix, sizeof(was.prefix)) == 0;
}

enum zt_code zt_guard_allow(struct zt_guard *guard, const char *cidr, struct zt_err *err)
{
    char text[INET6_ADDRSTRLEN];
    const char *bits_text = NULL;
    struct cidr c = { 0 };

    if (!split_cidr(cidr, text, &bits_text) || !read_address(text, &c))
        return zt_fail(err, ZT_E_INVALID,
                       "an allowed network must be an address or a CIDR like 10.0.0.0/8 or "
                       "fd00::/8, not '%s'",
                       cidr);
    int64_t max = c.family == AF_INET ? 32 : 128;
    int64_t bits = max;
    if (bits_text != NULL && !zt_parse_int(bits_text, 0, max, &bits))
        return zt_fail(err, ZT_E_INVALID,
                       "the prefix of the allowed network '%s' must be 0 to %d bits", cidr,
                       (int)max);
    c.bits = (uint8_t)bits;
    if (!mask_host_bits(&c)) {
        char network[INET6_ADDRSTRLEN] = "";
        inet_ntop(c.family, c.prefix, network, sizeof(network));
        return zt_fail(err, ZT_E_INVALID,
                       "the allowed network '%s' has bits set past its prefix: write %s/%d", cidr,
                       network, (int)bits);
    }
    unmap(&c);
    if (guard->count == ALLOWED_MAX)
        return zt_fail(err, ZT_E_INVALID, "at most %d networks can be allowed", ALLOWED_MAX);
    guard->allowed[guard->count++] = c;
    return ZT_OK;
}

enum zt_code zt_guard_allow_list(struct zt_guard *guard, const char *cidrs, struct zt_err *err)
{
    for (const char *p = cidrs; *p != '\0'; p += strspn(p, ", ")) {
        char cidr[CIDR_MAX];
        size_t n = strcspn(p, ", ");
        if (n > 0) {
            if (!zt_format(cidr, sizeof(cidr), "%.*s", (int)n, p))
                return zt_fail(err, ZT_E_INVALID,
                               "an allowed network has %zu characters: one like 10.0.0.0/8 has at "
                               "most %d",
                               n, CIDR_MAX - 1);
            ZT_TRY(zt_guard_allow(guard, cidr, err));
        }
        p += n;
    }
    return ZT_OK;
}

bool zt_guard_lists_text(const struct zt_guard *guard, const char *address)
{
    struct cidr c = { 0 };

    if (!read_address(address, &c))
        return false;
    c.bits = c.family == AF_INET ? 32 : 128;
    unmap(&c);
    return is_allowed(guard, c.family, c.prefix);
}

const char *zt_guard_refuses(const struct zt_guard *guard, const struct sockaddr *address,
                             socklen_t n)
{
    /* Copied out: the caller's storage may be shorter than, or not aligned for, the real type. */
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    sa_family_t family;

    if (address == NULL || (size_t)n < offsetof(struct sockaddr, sa_data))
        return "not an internet address";
    memcpy(&family, (const char *)address + offsetof(struct sockaddr, sa_family), sizeof(family));
    if (family == AF_INET && (size_t)n >= sizeof(ipv4)) {
        memcpy(&ipv4, address, sizeof(ipv4));
        return judge_ipv4(guard, (const uint8_t *)&ipv4.sin_addr);
    }
    if (family == AF_INET6 && (size_t)n >= sizeof(ipv6)) {
        memcpy(&ipv6, address, sizeof(ipv6));
        return judge_ipv6(guard, ipv6.sin6_addr.s6_addr);
    }
    return "not an internet address";
}

bool zt_guard_lists(const struct zt_guard *guard, const struct sockaddr *address, socklen_t n)
{
    static const uint8_t mapped[16] = { [10] = 0xff, 0xff };
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;

    if (address->sa_family == AF_INET && (size_t)n >= sizeof(ipv4)) {
        memcpy(&ipv4, address, sizeof(ipv4));
        return is_allowed(guard, AF_INET, (const uint8_t *)&ipv4.sin_addr);
    }
    if (address->sa_family != AF_INET6 || (size_t)n < sizeof(ipv6))
        return false;
    memcpy(&ipv6, address, sizeof(ipv6));
    const uint8_t *bytes = ipv6.sin6_addr.s6_addr;
    if (has_prefix(bytes, mapped, 96))
        return is_allowed(guard, AF_INET, bytes + 12);
    return is_allowed(guard, AF_INET6, bytes);
}

const char *zt_address_special(const struct sockaddr *address, socklen_t n)
{
    return zt_guard_refuses(NULL, address, n);
}
