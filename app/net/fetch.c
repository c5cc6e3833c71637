/* fetch.c - see fetch.h. */
#include "net/fetch.h"

#include <string.h>
#include <strings.h>

#include "net/url.h"

#define MAX_REDIRECTS 3
#define PARTS_MAX     ((size_t)64 << 10) /* for the media type of a data: URL */

static enum zt_code fetch_http(struct zt_client *client, const char *url, struct zt_buf *buf,
                               struct zt_err *err)
{
    struct zt_answer answer;
    struct zt_call call = {
        .method = "GET",
        .url = url,
        .max_redirects = MAX_REDIRECTS,
        .skip_error_body = true,
    };

    ZT_TRY(zt_client_call(client, &call, buf, &answer, err));
    if (answer.status != 200)
        return zt_fail(err, ZT_E_NET, "the host answered HTTP %d", answer.status);
    return ZT_OK;
}

static enum zt_code fetch_data(const char *url, struct zt_buf *buf, struct zt_err *err)
{
    struct zt_arena arena = { .limit = PARTS_MAX };
    struct zt_url parts;

    enum zt_code rc = zt_url_read(url, strlen(url), true, &arena, &parts, err);
    if (rc == ZT_OK)
        rc = zt_url_data(&parts, buf, err); /* the payload stays where it is */
    zt_arena_clear(&arena);
    return rc;
}

enum zt_code zt_fetch(struct zt_client *client, const char *url, struct zt_buf *buf,
                      struct zt_err *err)
{
    size_t start = buf->n;

    ZT_TRY(strncasecmp(url, "data:", 5) == 0 ? fetch_data(url, buf, err)
                                             : fetch_http(client, url, buf, err));
    if (buf->n == start)
        return zt_fail(err, ZT_E_NET, "the URL leads to an empty file");
    return ZT_OK;
}
