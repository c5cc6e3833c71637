/*
 * fuzz_address.c - the address guard against a second implementation that shares nothing with the
 * first: addresses and blocks are strings of '0' and '1', compared character by character, and the
 * rules are written as a list of patterns with '?' for any bit.
 *
 * Input: a byte that chooses the family and a block to lay over the address (so that blocks are
 * hit often), 16 bytes of address, then allowances of a length byte and 16 bytes each.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BITS       128
#define ALLOWANCES 4

struct rule {
    const char *block; /* as the registries write it */
    const char *why;
};

static const struct rule ipv4_rules[] = {
    { "0.0.0.0/8", "unspecified" },
    { "10.0.0.0/8", "private" },
    { "172.16.0.0/12", "private" },
    { "192.168.0.0/16", "private" },
    { "100.64.0.0/10", "shared" },
    { "127.0.0.0/8", "loopback" },
    { "169.254.0.0/16", "link-local" },
    { "168.63.129.16/32", "cloud platform" },
    { "192.0.0.0/24", "protocol assignment" },
    { "192.0.2.0/24", "documentation" },
    { "198.51.100.0/24", "documentation" },
    { "203.0.113.0/24", "documentation" },
    { "198.18.0.0/15", "benchmarking" },
    { "192.88.99.0/24", "6to4 relay" },
    { "192.31.196.0/24", "AS112 service" },
    { "192.175.48.0/24", "AS112 service" },
    { "192.52.193.0/24", "multicast tunnel" },
    { "224.0.0.0/4", "multicast" },
    { "255.255.255.255/32", "broadcast" },
    { "240.0.0.0/4", "reserved" },
};

/* The longest match counts here, whatever the order. */
static const struct rule ipv6_rules[] = {
    { "::/0", "reserved" },
    { "2000::/3", NULL },
    { "::/96", "IPv4-compatible" },
    { "::/128", "unspecified" },
    { "::1/128", "loopback" },
    { "::ffff:0:0/96", NULL },
    { "::ffff:0:0:0/96", "IPv4-translated" },
    { "64:ff9b::/96", NULL },
    { "64:ff9b:1::/48", "local NAT64" },
    { "100::/64", "discard-only" },
    { "100:0:0:1::/64", "dummy prefix" },
    { "2001::/23", "protocol assignment" },
    { "2001::/32", "Teredo tunnel" },
    { "2001:2::/48", "benchmarking" },
    { "2001:10::/28", "ORCHID" },
    { "2001:20::/28", "ORCHIDv2" },
    { "2001:db8::/32", "documentation" },
    { "2002::/16", "6to4 tunnel" },
    { "2620:4f:8000::/48", "AS112 service" },
    { "3ffe::/16", "reserved" },
    { "3fff::/20", "documentation" },
    { "5f00::/16", "segment routing" },
    { "fc00::/7", "private" },
    { "fe80::/10", "link-local" },
    { "fec0::/10", "site-local" },
    { "ff00::/8", "multicast" },
};

/* Where IPv4 addresses stand inside IPv6 ones: the block, the first bit, whether inverted. */
static const struct {
    const char *block;
    int first_bit;
    bool inverted;
} insides[] = {
    { "::/96", 96, false },           { "::ffff:0:0/96", 96, false },
    { "::ffff:0:0:0/96", 96, false }, { "64:ff9b::/96", 96, false },
    { "64:ff9b:1::/48", 96, false },  { "2002::/16", 16, false },
    { "2001::/32", 32, false },       { "2001::/32", 96, true },
};

/* Interface identifiers 0000:5efe:<IPv4> and 0200:5efe:<IPv4>. */
static const char isatap[] = "000000?0000000000101111011111110";

struct text_cidr {
    int family;
    int length;
    char bits[BITS + 1];
};

static void spell(const uint8_t *bytes, int n_bits, char *ret)
{
    for (int i = 0; i < n_bits; i++)
        ret[i] = bytes[i / 8] & (128 >> i % 8) ? '1' : '0';
    ret[n_bits] = '\0';
}

static struct text_cidr read_block(const char *block)
{
    struct text_cidr c = { .family = strchr(block, ':') ? AF_INET6 : AF_INET };
    const char *slash = strchr(block, '/');
    char address[64];
    uint8_t bytes[16] = { 0 };

    snprintf(address, sizeof(address), "%.*s", (int)(slash - block), block);
    zt_assert(inet_pton(c.family, address, bytes) == 1);
    c.length = (int)strtol(slash + 1, NULL, 10);
    spell(bytes, c.family == AF_INET ? 32 : 128, c.bits);
    return c;
}

static bool begins(const char *bits, const char *pattern, int length)
{
    for (int i = 0; i < length; i++)
        if (pattern[i] != '?' && pattern[i] != bits[i])
            return false;
    return true;
}

static bool slow_allowed(const struct text_cidr *allowed, size_t n, int family, const char *bits)
{
    for (size_t i = 0; i < n; i++)
        if (allowed[i].family == family && begins(bits, allowed[i].bits, allowed[i].length))
            return true;
    return false;
}

static const char *longest(const struct rule *rules, size_t n, const char *bits)
{
    const char *why = NULL;
    int best = -1;

    for (size_t i = 0; i < n; i++) {
        struct text_cidr block = read_block(rules[i].block);
        if (block.length > best && begins(bits, block.bits, block.length)) {
            best = block.length;
            why = rules[i].why;
        }
    }
    return why;
}

static const char *slow_ipv4(const struct text_cidr *allowed, size_t n, const char *bits)
{
    return slow_allowed(allowed, n, AF_INET, bits)
               ? NULL
               : longest(ipv4_rules, ZT_COUNT(ipv4_rules), bits);
}

static const char *slow_inside(const struct text_cidr *allowed, size_t n, const char *bits,
                               bool inverted)
{
    char inner[33];

    for (int i = 0; i < 32; i++)
        inner[i] = inverted ? (bits[i] == '0' ? '1' : '0') : bits[i];
    inner[32] = '\0';
    return slow_ipv4(allowed, n, inner);
}

static const char *slow_ipv6(const struct text_cidr *allowed, size_t n, const char *bits)
{
    const char *why = longest(ipv6_rules, ZT_COUNT(ipv6_rules), bits);
    bool alone = begins(bits, read_block("::/128").bits, 128) ||
                 begins(bits, read_block("::1/128").bits, 128);

    if (why != NULL && !slow_allowed(allowed, n, AF_INET6, bits))
        return why;
    for (size_t i = 0; i < ZT_COUNT(insides); i++) {
        struct text_cidr block = read_block(insides[i].block);
        if (alone || !begins(bits, block.bits, block.length))
            continue;
        why = slow_inside(allowed, n, bits + insides[i].first_bit, insides[i].inverted);
        if (why != NULL)
            return why;
    }
    return begins(bits + 64, isatap, 32) ? slow_inside(allowed, n, bits + 96, false) : NULL;
}

/* A random allowance, made proper, given to both. */
static void allow(struct zt_guard *guard, const uint8_t *data, struct text_cidr *ret)
{
    uint8_t bytes[16];
    char address[INET6_ADDRSTRLEN];
    char cidr[64];
    int width = data[0] & 128 ? 32 : 128;
    struct zt_err err = { 0 };

    memcpy(bytes, data + 1, sizeof(bytes));
    ret->family = width == 32 ? AF_INET : AF_INET6;
    ret->length = (data[0] & 127) % (width + 1);
    spell(bytes, width, ret->bits);
    for (int i = ret->length; i < width; i++) {
        ret->bits[i] = '0';
        bytes[i / 8] &= (uint8_t) ~(128 >> i % 8);
    }
    inet_ntop(ret->family, bytes, address, sizeof(address));
    snprintf(cidr, sizeof(cidr), "%s/%d", address, ret->length);
    zt_assert(zt_guard_allow(guard, cidr, &err) == ZT_OK);
    if (width == 128 && ret->length >= 96 &&
        begins(ret->bits, read_block("::ffff:0:0/96").bits, 96)) {
        ret->family = AF_INET; /* an allowed mapped network is the IPv4 one */
        ret->length -= 96;
        memmove(ret->bits, ret->bits + 96, 33);
    }
}

static const char *fast(const struct zt_guard *guard, int family, const uint8_t *bytes)
{
    struct sockaddr_in ipv4 = { .sin_family = AF_INET };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };

    if (family == AF_INET) {
        memcpy(&ipv4.sin_addr, bytes, 4);
        return zt_guard_refuses(guard, (const struct sockaddr *)&ipv4, sizeof(ipv4));
    }
    memcpy(&ipv6.sin6_addr, bytes, 16);
    return zt_guard_refuses(guard, (const struct sockaddr *)&ipv6, sizeof(ipv6));
}

/* Puts the first bits of a block over those of the address. */
static void lay_over(uint8_t *bytes, const char *block)
{
    struct text_cidr c = read_block(block);

    for (int i = 0; i < c.length; i++) {
        uint8_t bit = (uint8_t)(128 >> i % 8);
        bytes[i / 8] = (uint8_t)(c.bits[i] == '1' ? bytes[i / 8] | bit : bytes[i / 8] & ~bit);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_cidr allowed[ALLOWANCES];
    size_t n = 0;
    uint8_t bytes[16];
    char bits[BITS + 1];

    if (size < 17)
        return 0;
    int family = data[0] & 128 ? AF_INET : AF_INET6;
    size_t over = data[0] & 127;
    memcpy(bytes, data + 1, sizeof(bytes));
    if (family == AF_INET && over < ZT_COUNT(ipv4_rules))
        lay_over(bytes, ipv4_rules[over].block);
    if (family == AF_INET6 && over < ZT_COUNT(ipv6_rules))
        lay_over(bytes, ipv6_rules[over].block);
    struct zt_guard *guard = zt_guard_new();
    for (data += 17, size -= 17; size >= 17 && n < ALLOWANCES; data += 17, size -= 17)
        allow(guard, data, &allowed[n++]);
    spell(bytes, family == AF_INET ? 32 : BITS, bits);
    const char *one = fast(guard, family, bytes);
    const char *two = family == AF_INET ? slow_ipv4(allowed, n, bits) : slow_ipv6(allowed, n, bits);
    if ((one == NULL) != (two == NULL) || (one != NULL && strcmp(one, two) != 0)) {
        char text[INET6_ADDRSTRLEN];
        fprintf(stderr, "%s: guard says %s, the slow one says %s\n",
                inet_ntop(family, bytes, text, sizeof(text)), one ? one : "(fine)",
                two ? two : "(fine)");
        abort();
    }
    zt_guard_free(guard);
    return 0;
}
