/*
 * page.c - GET / and /page/{name}: the page, as the build embedded it. It is public: what it shows
 * of tasks it asks for with the key that its reader enters.
 *
 * It runs under a policy that allows its own files and nothing else: no code or style inside the
 * document, no other host, no frame around it.
 */
#include <string.h>

#include "api/inside.h"
#include "http/range.h"
#include "web/web.h"

#define INDEX "index.html"
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "        \
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "            \
    "frame-ancestors 'none'"

static void serve(struct zt_http_req *req, const struct zt_web_file *file)
{
    const char *known = zt_http_header(req, "If-None-Match");

    zt_http_set(req, "ETag", file->etag);
    zt_http_set(req, "Cache-Control", "no-cache"); /* kept, and asked for again each time */
    zt_http_set(req, "Content-Security-Policy", POLICY);
    zt_http_set(req, "Referrer-Policy", "no-referrer");
    zt_http_set(req, "Cross-Origin-Opener-Policy", "same-origin");
    if (known != NULL && zt_etag_listed(known, file->etag))
        zt_http_reply(req, 304, NULL, "", 0);
    else
        zt_http_reply(req, 200, file->type, file->bytes, file->n);
}

void zt_api_page(struct zt_http_req *req, void *user)
{
    const struct zt_web_file *file = zt_web_find(INDEX);

    (void)user;
    zt_assert(file != NULL); /* the build embeds it */
    serve(req, file);
}

void zt_api_page_file(struct zt_http_req *req, void *user)
{
    const char *name = zt_http_part(req, "name");
    const struct zt_web_file *file = strcmp(name, INDEX) == 0 ? NULL : zt_web_find(name);

    (void)user;
    if (file == NULL)
        zt_api_reply_status(req, 404, 404, "the page has no such file", NULL);
    else
        serve(req, file);
}
