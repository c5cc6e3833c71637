/*
 * The address classifier, at the first and last address of each block and at its neighbours, and
 * the operator's allowances.
 */
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "check.h"

/* Text as an address of either family; the length, or 0 when it is none. */
static socklen_t address_of(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(80) };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        memcpy(ret, &ipv4, sizeof(ipv4));
        return sizeof(ipv4);
    }
    if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1) {
        memcpy(ret, &ipv6, sizeof(ipv6));
        return sizeof(ipv6);
    }
    return 0;
}

/* "" for an address that may be reached. */
static const char *verdict(const struct zt_guard *guard, const char *text)
{
    struct sockaddr_storage address;
    socklen_t n = address_of(text, &address);
    const char *why = n == 0 ? "not an address in the test"
                             : zt_guard_refuses(guard, (const struct sockaddr *)&address, n);

    return why ? why : "";
}

/* clang-format off */
static const struct {
    const char *address, *why;
} rows[] = {
    /* IPv4: each block's first and last address, and the neighbours that belong to no block */
    { "0.0.0.0", "unspecified" },
    { "0.0.0.1", "unspecified" },
    { "0.255.255.255", "unspecified" },
    { "1.0.0.0", "" },
    { "1.1.1.1", "" },
    { "8.8.8.8", "" },
    { "9.255.255.255", "" },
    { "10.0.0.0", "private" },
    { "10.20.30.40", "private" },
    { "10.255.255.255", "private" },
    { "11.0.0.0", "" },
    { "100.63.255.255", "" },
    { "100.64.0.0", "shared" },
    { "100.100.100.200", "shared" },
    { "100.127.255.255", "shared" },
    { "100.128.0.0", "" },
    { "126.255.255.255", "" },
    { "127.0.0.0", "loopback" },
    { "127.0.0.1", "loopback" },
    { "127.1.2.3", "loopback" },
    { "127.255.255.255", "loopback" },
    { "128.0.0.0", "" },
    { "168.63.129.15", "" },
    { "168.63.129.16", "cloud platform" },
    { "168.63.129.17", "" },
    { "169.253.255.255", "" },
    { "169.254.0.0", "link-local" },
    { "169.254.169.254", "link-local" },
    { "169.254.170.2", "link-local" },
    { "169.254.255.255", "link-local" },
    { "169.255.0.0", "" },
    { "172.15.255.255", "" },
    { "172.16.0.0", "private" },
    { "172.17.0.1", "private" },
    { "172.31.255.255", "private" },
    { "172.32.0.0", "" },
    { "191.255.255.255", "" },
    { "192.0.0.0", "protocol assignment" },
    { "192.0.0.8", "protocol assignment" },
    { "192.0.0.9", "protocol assignment" },
    { "192.0.0.10", "protocol assignment" },
    { "192.0.0.170", "protocol assignment" },
    { "192.0.0.192", "protocol assignment" },
    { "192.0.0.255", "protocol assignment" },
    { "192.0.1.0", "" },
    { "192.0.1.255", "" },
    { "192.0.2.0", "documentation" },
    { "192.0.2.255", "documentation" },
    { "192.0.3.0", "" },
    { "192.31.195.255", "" },
    { "192.31.196.0", "AS112 service" },
    { "192.31.196.255", "AS112 service" },
    { "192.31.197.0", "" },
    { "192.52.192.255", "" },
    { "192.52.193.0", "multicast tunnel" },
    { "192.52.193.255", "multicast tunnel" },
    { "192.52.194.0", "" },
    { "192.88.98.255", "" },
    { "192.88.99.0", "6to4 relay" },
    { "192.88.99.1", "6to4 relay" },
    { "192.88.99.255", "6to4 relay" },
    { "192.88.100.0", "" },
    { "192.167.255.255", "" },
    { "192.168.0.0", "private" },
    { "192.168.1.1", "private" },
    { "192.168.255.255", "private" },
    { "192.169.0.0", "" },
    { "192.175.47.255", "" },
    { "192.175.48.0", "AS112 service" },
    { "192.175.48.255", "AS112 service" },
    { "192.175.49.0", "" },
    { "198.17.255.255", "" },
    { "198.18.0.0", "benchmarking" },
    { "198.19.255.255", "benchmarking" },
    { "198.20.0.0", "" },
    { "198.51.99.255", "" },
    { "198.51.100.0", "documentation" },
    { "198.51.100.255", "documentation" },
    { "198.51.101.0", "" },
    { "203.0.112.255", "" },
    { "203.0.113.0", "documentation" },
    { "203.0.113.255", "documentation" },
    { "203.0.114.0", "" },
    { "223.255.255.255", "" },
    { "224.0.0.0", "multicast" },
    { "224.0.0.251", "multicast" },
    { "239.255.255.255", "multicast" },
    { "240.0.0.0", "reserved" },
    { "255.255.255.254", "reserved" },
    { "255.255.255.255", "broadcast" },

    /* IPv6: what stands for the machine itself, and forms with an IPv4 address at the end */
    { "::", "unspecified" },
    { "::1", "loopback" },
    { "::2", "IPv4-compatible" },
    { "::127.0.0.1", "IPv4-compatible" },
    { "::8.8.8.8", "IPv4-compatible" },
    { "::255.255.255.255", "IPv4-compatible" },
    { "::1:0:0", "reserved" },
    { "::fffe:ffff:ffff", "reserved" },
    { "::ffff:0.0.0.0", "unspecified" },
    { "::ffff:10.0.0.1", "private" },
    { "::ffff:127.0.0.1", "loopback" },
    { "::ffff:169.254.169.254", "link-local" },
    { "::ffff:192.168.0.1", "private" },
    { "::ffff:224.0.0.1", "multicast" },
    { "::ffff:8.8.8.8", "" },
    { "::ffff:255.255.255.255", "broadcast" },
    { "::1:0:0:0", "reserved" },
    { "::fffe:0:7f00:1", "reserved" },
    { "::ffff:0:127.0.0.1", "IPv4-translated" },
    { "::ffff:0:8.8.8.8", "IPv4-translated" },
    { "::ffff:1:8.8.8.8", "reserved" },
    { "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },
    { "64:ff9b::127.0.0.1", "loopback" },
    { "64:ff9b::10.1.2.3", "private" },
    { "64:ff9b::169.254.169.254", "link-local" },
    { "64:ff9b::8.8.8.8", "" },
    { "64:ff9b::1:808:808", "reserved" },
    { "64:ff9b:0:ffff:ffff:ffff:808:808", "reserved" },
    { "64:ff9b:1::", "local NAT64" },
    { "64:ff9b:1::127.0.0.1", "local NAT64" },
    { "64:ff9b:1::8.8.8.8", "local NAT64" },
    { "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local NAT64" },
    { "64:ff9b:2::", "reserved" },
    { "64:ff9c::8.8.8.8", "reserved" },
    { "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },
    { "100::", "discard-only" },
    { "100::ffff:ffff:ffff:ffff", "discard-only" },
    { "100:0:0:1::", "dummy prefix" },
    { "100:0:0:1:ffff:ffff:ffff:ffff", "dummy prefix" },
    { "100:0:0:2::", "reserved" },
    { "200::", "reserved" },
    { "400::1", "reserved" },
    { "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },

    /* IPv6: 2000::/3 and what is set aside in it */
    { "2000::", "" },
    { "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "" },
    { "2001::", "Teredo tunnel" },
    { "2001:0:7f00:1::", "Teredo tunnel" },
    { "2001:0:808:808:0:0:f7f7:f7f7", "Teredo tunnel" },
    { "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo tunnel" },
    { "2001:1::", "protocol assignment" },
    { "2001:1::1", "protocol assignment" },
    { "2001:1::2", "protocol assignment" },
    { "2001:1::3", "protocol assignment" },
    { "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignment" },
    { "2001:2::", "benchmarking" },
    { "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking" },
    { "2001:2:1::", "protocol assignment" },
    { "2001:3::1", "protocol assignment" },
    { "2001:4:112::1", "protocol assignment" },
    { "2001:f:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignment" },
    { "2001:10::", "ORCHID" },
    { "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID" },
    { "2001:20::", "ORCHIDv2" },
    { "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHIDv2" },
    { "2001:30::", "protocol assignment" },
    { "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignment" },
    { "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignment" },
    { "2001:200::", "" },
    { "2001:4860:4860::8888", "" },
    { "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "" },
    { "2001:db8::", "documentation" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation" },
    { "2001:db9::", "" },
    { "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "" },
    { "2002::", "6to4 tunnel" },
    { "2002:7f00:1::", "6to4 tunnel" },
    { "2002:808:808::1", "6to4 tunnel" },
    { "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4 tunnel" },
    { "2003::", "" },
    { "2606:4700:4700::1111", "" },
    { "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "" },
    { "2620:4f:8000::", "AS112 service" },
    { "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "AS112 service" },
    { "2620:4f:8001::", "" },
    { "2a00:1450:4001::1", "" },
    { "3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "" },
    { "3ffe::", "reserved" },
    { "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },
    { "3fff::", "documentation" },
    { "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation" },
    { "3fff:1000::", "" },
    { "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "" },

    /* IPv6: past 2000::/3 */
    { "4000::", "reserved" },
    { "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },
    { "5f00::", "segment routing" },
    { "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing" },
    { "5f01::", "reserved" },
    { "8000::", "reserved" },
    { "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },
    { "fc00::", "private" },
    { "fd00:ec2::254", "private" },
    { "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private" },
    { "fe00::", "reserved" },
    { "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },
    { "fe80::", "link-local" },
    { "fe80::1", "link-local" },
    { "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local" },
    { "fec0::", "site-local" },
    { "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local" },
    { "ff00::", "multicast" },
    { "ff02::1", "multicast" },
    { "ff0e::1", "multicast" },
    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast" },

    /* ISATAP interface identifiers in ordinary networks */
    { "2a00::5efe:127.0.0.1", "loopback" },
    { "2a00::5efe:10.0.0.1", "private" },
    { "2a00::200:5efe:169.254.169.254", "link-local" },
    { "2a00::200:5efe:8.8.8.8", "" },
    { "2a00::5efe:8.8.8.8", "" },
    { "2a00::100:5efe:127.0.0.1", "" },
    { "2a00::5eff:127.0.0.1", "" },
    { "2a00::1:5efe:127.0.0.1", "" },
    { "fe80::5efe:8.8.8.8", "link-local" },
};
/* clang-format on */
_Static_assert(ZT_COUNT(rows) >= 150, "the goal says 150 cases");

static void classifies_every_block(void)
{
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct sockaddr_storage address;
        socklen_t n = address_of(rows[i].address, &address);
        const char *why = zt_address_special((const struct sockaddr *)&address, n);
        CHECK_STR(rows[i].address, verdict(NULL, rows[i].address), rows[i].why);
        CHECK_STR(rows[i].address, why ? why : "", rows[i].why);
    }
}

/* Whatever the IPv4 address, its mapped and NAT64 forms are judged alike. */
static void judges_the_address_inside(void)
{
    char text[64];

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        if (strchr(rows[i].address, ':') != NULL)
            continue;
        snprintf(text, sizeof(text), "::ffff:%s", rows[i].address);
        CHECK_STR(text, verdict(NULL, text), rows[i].why);
        snprintf(text, sizeof(text), "64:ff9b::%s", rows[i].address);
        CHECK_STR(text, verdict(NULL, text), rows[i].why);
        snprintf(text, sizeof(text), "2a00::5efe:%s", rows[i].address);
        CHECK_STR(text, verdict(NULL, text), rows[i].why);
    }
}

static void refuses_what_is_no_internet_address(void)
{
    static const char none[] = "not an internet address";
    struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "/tmp/x" };
    struct sockaddr_storage address;
    socklen_t n = address_of("8.8.8.8", &address);
    const struct sockaddr *a = (const struct sockaddr *)&address;

    CHECK_STR("unix", zt_address_special((struct sockaddr *)&path, sizeof(path)), none);
    CHECK("whole", zt_address_special(a, n) == NULL);
    for (socklen_t cut = 0; cut < n; cut++) {
        char *copy = malloc(cut + 1u); /* so that a sanitizer sees a read past the end */
        memcpy(copy, a, cut);
        CHECK_STR("cut short", zt_address_special((struct sockaddr *)(void *)copy, cut), none);
        free(copy);
    }
    n = address_of("2a00::1", &address);
    CHECK_STR("IPv6 cut short", zt_address_special(a, n - 1), none);
    CHECK("IPv6 whole", zt_address_special(a, n) == NULL);
    address.ss_family = AF_UNSPEC;
    CHECK_STR("no family", zt_address_special(a, sizeof(address)), none);
    CHECK_STR("no address", zt_address_special(NULL, 0), none);
}

static void allows_what_the_operator_lists(void)
{
    static const struct {
        const char *cidrs; /* separated by spaces */
        const char *address, *why;
    } allowed[] = {
        { "10.0.0.0/8", "10.1.2.3", "" },
        { "10.0.0.0/8", "::ffff:10.1.2.3", "" },
        { "10.0.0.0/8", "64:ff9b::10.1.2.3", "" },
        { "10.0.0.0/8", "11.0.0.1", "" },
        { "10.0.0.0/8", "127.0.0.1", "loopback" },
        { "10.0.0.0/8", "192.168.0.1", "private" },
        { "10.0.0.0/9", "10.127.255.255", "" },
        { "10.0.0.0/9", "10.128.0.0", "private" },
        { "127.0.0.2", "127.0.0.2", "" },
        { "127.0.0.2", "127.0.0.1", "loopback" },
        { "127.0.0.2", "127.0.0.3", "loopback" },
        { "127.0.0.2/32", "::ffff:127.0.0.2", "" },
        { "127.0.0.2/31", "127.0.0.3", "" },
        { "127.0.0.0/8", "::1", "loopback" },
        { "::1", "::1", "" },
        { "::1", "127.0.0.1", "loopback" },
        { "::1/128 127.0.0.0/8", "127.0.0.1", "" },
        { "0.0.0.0/0", "127.0.0.1", "" },
        { "0.0.0.0/0", "255.255.255.255", "" },
        { "0.0.0.0/0", "::1", "loopback" },
        { "0.0.0.0/0", "fd00::1", "private" },
        { "::/0", "fd00::1", "" },
        { "::/0", "127.0.0.1", "loopback" },
        { "::/0", "::ffff:127.0.0.1", "loopback" },
        { "::/0", "64:ff9b::127.0.0.1", "loopback" },
        { "::/0", "2002:7f00:1::", "loopback" },
        { "::/0", "::127.0.0.1", "loopback" },
        { "::/0 127.0.0.0/8", "2002:7f00:1::", "" },
        { "fd00::/8", "fd12::1", "" },
        { "fd00::/8", "fc12::1", "private" },
        { "fd00::/8", "fd12::5efe:127.0.0.1", "loopback" },
        { "fd00::/8", "fd12::5efe:8.8.8.8", "" },
        { "2002::/16", "2002:808:808::1", "" },
        { "2002::/16", "2002:7f00:1::1", "loopback" },
        { "2002::/16", "2002:a9fe:a9fe::1", "link-local" },
        { "2001::/32", "2001:0:808:808:0:0:f7f7:f7f7", "" },
        { "2001::/32", "2001:0:7f00:1:0:0:f7f7:f7f7", "loopback" },
        { "2001::/32", "2001:0:808:808:0:0:80ff:fffe", "loopback" },
        { "2001::/32", "2001:0:808:808:0:0:f5ff:fffe", "private" },
        { "64:ff9b:1::/48", "64:ff9b:1::8.8.8.8", "" },
        { "64:ff9b:1::/48", "64:ff9b:1::10.0.0.1", "private" },
        { "64:ff9b:1::/48 10.0.0.0/8", "64:ff9b:1::10.0.0.1", "" },
        { "::ffff:10.0.0.0/104", "10.2.3.4", "" },
        { "::ffff:10.0.0.0/104", "::ffff:10.2.3.4", "" },
        { "::ffff:10.0.0.0/104", "::ffff:11.2.3.4", "" },
        { "::ffff:10.0.0.0/104", "192.168.0.1", "private" },
        { "fe80::/10", "fe80::1", "" },
        { "fe80::/10", "fec0::1", "site-local" },
    };
    for (size_t i = 0; i < ZT_COUNT(allowed); i++) {
        struct zt_guard *guard = zt_guard_new();
        char list[64];
        char *next = NULL;
        snprintf(list, sizeof(list), "%s", allowed[i].cidrs);
        for (char *cidr = strtok_r(list, " ", &next); cidr != NULL;
             cidr = strtok_r(NULL, " ", &next))
            CHECK_INT(allowed[i].cidrs, zt_guard_allow(guard, cidr, NULL), ZT_OK);
        if (strcmp(verdict(guard, allowed[i].address), allowed[i].why) != 0)
            printf("allowing %s: ", allowed[i].cidrs);
        CHECK_STR(allowed[i].address, verdict(guard, allowed[i].address), allowed[i].why);
        zt_guard_free(guard);
    }
}

static void refuses_malformed_networks(void)
{
    static const struct {
        const char *cidr, *msg;
    } malformed[] = {
        { "", "must be an address or a CIDR" },
        { "/8", "must be an address or a CIDR" },
        { "localhost", "must be an address or a CIDR" },
        { "10.0.0/8", "must be an address or a CIDR" },
        { "010.0.0.0/8", "must be an address or a CIDR" },
        { "0x0a.0.0.0/8", "must be an address or a CIDR" },
        { "10.0.0.0.0/8", "must be an address or a CIDR" },
        { " 10.0.0.0/8", "must be an address or a CIDR" },
        { "[::1]/128", "must be an address or a CIDR" },
        { "fe80::1%eth0", "must be an address or a CIDR" },
        { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", "must be an address" },
        { "10.0.0.0/", "must be 0 to 32 bits" },
        { "10.0.0.0/33", "must be 0 to 32 bits" },
        { "10.0.0.0/-1", "must be 0 to 32 bits" },
        { "10.0.0.0/8x", "must be 0 to 32 bits" },
        { "10.0.0.0/8/8", "must be 0 to 32 bits" },
        { "10.0.0.0/255.0.0.0", "must be 0 to 32 bits" },
        { "::/129", "must be 0 to 128 bits" },
        { "10.1.2.3/8", "write 10.0.0.0/8" },
        { "10.0.0.1/0", "write 0.0.0.0/0" },
        { "127.0.0.3/31", "write 127.0.0.2/31" },
        { "fd00::1/8", "write fd00::/8" },
    };
    struct zt_guard *guard = zt_guard_new();

    for (size_t i = 0; i < ZT_COUNT(malformed); i++) {
        struct zt_err err = { 0 };
        CHECK_INT(malformed[i].cidr, zt_guard_allow(guard, malformed[i].cidr, &err), ZT_E_INVALID);
        CHECK_HAS(malformed[i].cidr, err.msg, malformed[i].msg);
    }
    CHECK_STR("nothing was allowed", verdict(guard, "10.0.0.1"), "private");
    CHECK_STR("nothing was allowed", verdict(guard, "fd00::1"), "private");
    zt_guard_free(guard);
}

static void bounds_the_list(void)
{
    struct zt_guard *guard = zt_guard_new();
    struct zt_err err = { 0 };

    for (int i = 0; i < 256; i++)
        CHECK_INT("within", zt_guard_allow(guard, "10.0.0.0/8", &err), ZT_OK);
    CHECK_INT("past", zt_guard_allow(guard, "10.0.0.0/8", &err), ZT_E_INVALID);
    CHECK_HAS("past", err.msg, "at most 256");
    zt_guard_free(guard);
    zt_guard_free(NULL);
}

int main(void)
{
    RUN(classifies_every_block);
    RUN(judges_the_address_inside);
    RUN(refuses_what_is_no_internet_address);
    RUN(allows_what_the_operator_lists);
    RUN(refuses_malformed_networks);
    RUN(bounds_the_list);
    return check_done();
}
