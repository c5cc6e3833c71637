/*
 * peer.c - who the client is: the socket's address, or what proxies say that are trusted to say it.
 *
 * Each proxy adds the address it was spoken to from at the right end of X-Forwarded-For. Read from
 * there, every entry was written by the hop behind it: as long as that hop is trusted the entry is
 * true, and the first address that is no trusted proxy is the client. What stands left of it came
 * from the client and may say anything.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "http/request.h"

#define HOPS_MAX 32

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t size_of(const union address *a)
{
    return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

/* An IPv4 address on an IPv6 socket becomes what it is. */
static void unmap(union address *a)
{
    struct in_addr inside;

    if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
        return;
    memcpy(&inside, a->v6.sin6_addr.s6_addr + 12, sizeof(inside));
    memset(a, 0, sizeof(*a));
    a->v4.sin_family = AF_INET;
    a->v4.sin_addr = inside;
}

static bool socket_address(const struct zt_http_req *req, union address *ret)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    memset(ret, 0, sizeof(*ret));
    if (info == NULL || info->client_addr == NULL)
        return false;
    if (info->client_addr->sa_family == AF_INET)
        memcpy(&ret->v4, info->client_addr, sizeof(ret->v4));
    else if (info->client_addr->sa_family == AF_INET6)
        memcpy(&ret->v6, info->client_addr, sizeof(ret->v6));
    else
        return false;
    unmap(ret);
    return true;
}

static bool is_trusted(const struct zt_http_req *req, const union address *a)
{
    const struct zt_http_options *o = req->options;

    return o->trusts != NULL && o->trusts(&a->any, size_of(a), o->trusts_user);
}

/* "1.2.3.4", "1.2.3.4:5", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:5", each maybe quoted. */
static bool read_address(const char *text, size_t n, union address *ret)
{
    char host[INET6_ADDRSTRLEN];

    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text++;
        n -= 2;
    }
    const char *colon = memchr(text, ':', n);
    if (n > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', n);
        if (end == NULL)
            return false;
        n = (size_t)(end - text) - 1;
        text++;
    } else if (colon != NULL && memchr(colon + 1, ':', n - (size_t)(colon + 1 - text)) == NULL) {
        n = (size_t)(colon - text);
    }
    memset(ret, 0, sizeof(*ret));
    if (!zt_format(host, sizeof(host), "%.*s", (int)n, text))
        return false;
    if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1)
        ret->v4.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1)
        ret->v6.sin6_family = AF_INET6;
    else
        return false;
    unmap(ret);
    return true;
}

/* ---- headers ------------------------------------------------------------------------------- */

struct joined {
    struct zt_arena *arena;
    const char *name;
    const char *text; /* all lines of that name, with commas between; NULL: there is none */
};

static enum MHD_Result join(void *user, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct joined *j = user;

    (void)kind;
    if (strcasecmp(key, j->name) != 0 || value == NULL)
        return MHD_YES;
    const char *text = j->text ? zt_arena_printf(j->arena, "%s,%s", j->text, value) : value;
    if (text != NULL)
        j->text = text;
    return MHD_YES;
}

static const char *all_of(const struct zt_http_req *req, const char *name)
{
    struct joined j = { .arena = req->arena, .name = name };

    MHD_get_connection_values(req->conn, MHD_HEADER_KIND, join, &j);
    return j.text;
}

static const char *trim(const char *text, size_t *n)
{
    while (*n > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        --*n;
    }
    while (*n > 0 && (text[*n - 1] == ' ' || text[*n - 1] == '\t'))
        --*n;
    return text;
}

/* The value of a parameter ("for", "proto") in one element of Forwarded (RFC 7239). */
static const char *parameter(const char *element, size_t n, const char *name, size_t *ret_n)
{
    size_t name_n = strlen(name);

    while (n > 0) {
        const char *semicolon = memchr(element, ';', n);
        size_t part_n = semicolon ? (size_t)(semicolon - element) : n;
        size_t pair_n = part_n;
        const char *pair = trim(element, &pair_n);
        if (pair_n > name_n && pair[name_n] == '=' && strncasecmp(pair, name, name_n) == 0) {
            *ret_n = pair_n - name_n - 1;
            return trim(pair + name_n + 1, ret_n);
        }
        element += part_n + (semicolon != NULL);
        n -= part_n + (semicolon != NULL);
    }
    *ret_n = 0;
    return "";
}

/* The last element of text[0 ... *n), which then ends before it. */
static const char *last_element(const char *text, size_t *n, size_t *ret_n)
{
    size_t start = *n;

    while (start > 0 && text[start - 1] != ',')
        start--;
    *ret_n = *n - start;
    const char *element = trim(text + start, ret_n);
    *n = start > 0 ? start - 1 : 0;
    return element;
}

/* Walks from the socket's address to the client's as long as the speaker is trusted. */
static void follow(const struct zt_http_req *req, union address *address)
{
    const char *text = all_of(req, "X-Forwarded-For");
    bool standard = text == NULL;

    if (standard)
        text = all_of(req, "Forwarded");
    size_t n = text ? strlen(text) : 0;
    for (int i = 0; i < HOPS_MAX && n > 0 && is_trusted(req, address); i++) {
        union address next;
        size_t element_n;
        const char *element = last_element(text, &n, &element_n);
        if (standard)
            element = parameter(element, element_n, "for", &element_n);
        if (!read_address(element, element_n, &next))
            return; /* "unknown", a hidden name, or nonsense: the last that is known counts */
        *address = next;
    }
}

/* ---- for handlers -------------------------------------------------------------------------- */

const char *zt_http_peer(const struct zt_http_req *req)
{
    union address address;
    char *dst = req->peer;

    if (dst[0] != '\0')
        return dst;
    if (!socket_address(req, &address)) {
        (void)zt_format(dst, ZT_HTTP_PEER_TEXT, "unknown");
        return dst;
    }
    follow(req, &address);
    const void *bytes = address.any.sa_family == AF_INET ? (const void *)&address.v4.sin_addr
                                                         : (const void *)&address.v6.sin6_addr;
    if (inet_ntop(address.any.sa_family, bytes, dst, ZT_HTTP_PEER_TEXT) == NULL)
        (void)zt_format(dst, ZT_HTTP_PEER_TEXT, "unknown");
    return dst;
}

bool zt_http_is_tls(const struct zt_http_req *req)
{
    union address address;
    size_t n = 0;

    if (socket_address(req, &address) && is_trusted(req, &address)) {
        const char *proto = all_of(req, "X-Forwarded-Proto");
        const char *forwarded = proto ? NULL : all_of(req, "Forwarded");
        if (proto != NULL) {
            size_t all = strlen(proto);
            proto = last_element(proto, &all, &n);
        } else if (forwarded != NULL) {
            size_t all = strlen(forwarded);
            const char *element = last_element(forwarded, &all, &n);
            proto = parameter(element, n, "proto", &n);
        }
        if (n > 0)
            return n == 5 && strncasecmp(proto, "https", 5) == 0;
    }
    return req->options->tls_cert != NULL;
}

bool zt_http_is_local(const struct zt_http_req *req)
{
    static const char *const by_proxy[] = { "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via",
                                            "X-Forwarded-Host" };
    union address a;

    for (size_t i = 0; i < ZT_COUNT(by_proxy); i++) {
        if (zt_http_header(req, by_proxy[i]) != NULL)
            return false;
    }
    if (!socket_address(req, &a))
        return false;
    if (a.any.sa_family == AF_INET)
        return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}
