/*
 * fuzz_url.c - reading URLs. What is accepted must mean the same to every reader: the parts make a
 * URL that reads the same again, inet_aton sees no other address than inet_pton does, and what is
 * logged is printable. A newline splits the input into a URL and a redirect's Location.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "net/redirect.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_host(const struct zt_url *url)
{
    struct in_addr by_pton;
    struct in_addr by_aton;

    zt_assert(url->host[0] != '\0');
    zt_assert(url->port >= 1 && url->port <= 65535);
    for (const char *p = url->host; *p != '\0'; p++)
        zt_assert((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_' ||
                  *p == '.' || *p == ':');
    if (inet_aton(url->host, &by_aton) != 0)
        zt_assert(inet_pton(AF_INET, url->host, &by_pton) == 1 && by_pton.s_addr == by_aton.s_addr);
}

static void check_reads_the_same_again(const struct zt_url *url, struct zt_arena *arena)
{
    bool is_ipv6 = strchr(url->host, ':') != NULL;
    char *text =
        zt_arena_printf(arena, "%s://%s%s%s:%d", url->scheme == ZT_SCHEME_HTTP ? "http" : "https",
                        is_ipv6 ? "[" : "", url->host, is_ipv6 ? "]" : "", url->port);
    struct zt_url again;
    struct zt_err err = { 0 };

    zt_assert(text != NULL);
    zt_assert(zt_url_read(text, strlen(text), false, arena, &again, &err) == ZT_OK);
    zt_assert(again.scheme == url->scheme && again.port == url->port);
    zt_assert(strcmp(again.host, url->host) == 0);
    zt_assert(zt_redirect_same_origin(text, text, arena));
}

static void check_data(const struct zt_url *url)
{
    struct zt_buf large;
    struct zt_buf small;

    zt_buf_init(&large, 1 << 20);
    zt_buf_init(&small, 16);
    enum zt_code rc = zt_url_data(url, &large, NULL);
    enum zt_code rc_small = zt_url_data(url, &small, NULL);
    if (rc == ZT_OK)
        zt_assert(rc_small == (large.n <= 16 ? ZT_OK : ZT_E_LIMIT));
    else
        zt_assert(rc_small != ZT_OK && large.n == 0);
    zt_assert(small.n <= 16);
    zt_buf_clear(&large);
    zt_buf_clear(&small);
}

static void check_log(const char *text)
{
    char dst[64];

    for (size_t size = 1; size <= sizeof(dst); size += 21) {
        const char *shown = zt_url_for_log(text, dst, size);
        zt_assert(strlen(shown) < size);
        for (const char *p = shown; *p != '\0'; p++)
            zt_assert(*p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\' && *p != '#' && *p != '@');
    }
}

static void check_redirect(const char *from, const char *location, struct zt_arena *arena)
{
    const char *to = NULL;
    struct zt_url old_url;
    struct zt_url new_url;
    struct zt_err err = { 0 };

    if (zt_redirect_resolve(from, location, arena, &to, &err) != ZT_OK) {
        zt_assert(err.msg[0] != '\0');
        return;
    }
    zt_assert(zt_url_read(from, strlen(from), false, arena, &old_url, NULL) == ZT_OK);
    zt_assert(zt_url_read(to, strlen(to), false, arena, &new_url, NULL) == ZT_OK);
    zt_assert(old_url.scheme == ZT_SCHEME_HTTP || new_url.scheme == ZT_SCHEME_HTTPS);
    check_host(&new_url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zt_arena arena = { 0 };
    struct zt_url url;
    struct zt_err err = { 0 };
    /* No byte more than there is, so that a sanitizer sees a read past the end. */
    char *exact = malloc(size ? size : 1);
    char *text = zt_arena_strndup(&arena, (const char *)data, size);

    zt_assert(exact != NULL && text != NULL);
    if (size > 0)
        memcpy(exact, data, size);
    if (zt_url_read(exact, size, true, &arena, &url, &err) != ZT_OK) {
        zt_assert(err.msg[0] != '\0');
    } else if (url.scheme == ZT_SCHEME_DATA) {
        check_data(&url);
    } else {
        check_host(&url);
        check_reads_the_same_again(&url, &arena);
    }
    check_log(text);
    char *newline = strchr(text, '\n');
    if (newline != NULL) {
        *newline = '\0';
        check_redirect(text, newline + 1, &arena);
    }
    free(exact);
    zt_arena_clear(&arena);
    return 0;
}
