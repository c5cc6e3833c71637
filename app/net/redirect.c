/* redirect.c - see redirect.h. libcurl joins the two URLs; what comes out is read anew. */
#include "net/redirect.h"

#include <curl/curl.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "net/url.h"

static void zt_auto_curlu(CURLU **u)
{
    curl_url_cleanup(*u); /* NULL is fine */
}

static enum zt_code join(const char *from, const char *location, struct zt_arena *arena,
                         const char **ret, struct zt_err *err)
{
    zt_auto(curlu) CURLU *u = curl_url();
    char *joined = NULL;

    if (u == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    if (curl_url_set(u, CURLUPART_URL, from, 0) != CURLUE_OK ||
        curl_url_set(u, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_URL, &joined, 0) != CURLUE_OK)
        return zt_fail(err, ZT_E_NET, "redirects to something that is not a URL");
    const char *copy = zt_arena_strdup(arena, joined);
    curl_free(joined);
    if (copy == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    *ret = copy;
    return ZT_OK;
}

/*
 * A location with a scheme or host of its own must be as strict as any other URL: libcurl rewrites
 * odd spellings of IPv4 while it joins, after which they look proper.
 */
static enum zt_code check_own_host(const char *location, struct zt_arena *arena, struct zt_err *err)
{
    const char *absolute = location;
    struct zt_url url;

    if (zt_starts_with(location, "//"))
        absolute = zt_arena_printf(arena, "http:%s", location);
    else if (location[strcspn(location, ":/?#")] != ':')
        return ZT_OK;
    if (absolute == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for a URL");
    return zt_url_read(absolute, strlen(absolute), false, arena, &url, err);
}

/* A bad URL is the asker's fault when it came from there, and the server's when it redirects. */
static enum zt_code set_code(struct zt_err *err, enum zt_code code)
{
    if (err != NULL)
        err->code = code;
    return code;
}

enum zt_code zt_redirect_resolve(const char *from, const char *location, struct zt_arena *arena,
                                 const char **ret, struct zt_err *err)
{
    const char *to = "";
    struct zt_url old_url = { 0 };
    struct zt_url new_url = { 0 };

    ZT_TRY(zt_url_read(from, strlen(from), false, arena, &old_url, err));
    enum zt_code rc = check_own_host(location, arena, err);
    if (rc == ZT_OK)
        rc = join(from, location, arena, &to, err);
    if (rc == ZT_OK) /* what libcurl made is what will be asked for */
        rc = zt_url_read(to, strlen(to), false, arena, &new_url, err);
    if (rc == ZT_E_NET)
        return rc;
    if (rc != ZT_OK) {
        zt_err_prefix(err, "redirects to a URL that is refused");
        return rc == ZT_E_INVALID ? set_code(err, ZT_E_DENIED) : rc;
    }
    if (old_url.scheme == ZT_SCHEME_HTTPS && new_url.scheme != ZT_SCHEME_HTTPS)
        return zt_fail(err, ZT_E_DENIED, "redirects from https down to http, which is refused");
    *ret = to;
    return ZT_OK;
}

bool zt_redirect_same_origin(const char *a, const char *b, struct zt_arena *arena)
{
    struct zt_url x;
    struct zt_url y;

    return zt_url_read(a, strlen(a), false, arena, &x, NULL) == ZT_OK &&
           zt_url_read(b, strlen(b), false, arena, &y, NULL) == ZT_OK && x.scheme == y.scheme &&
           x.port == y.port && strcmp(x.host, y.host) == 0;
}
