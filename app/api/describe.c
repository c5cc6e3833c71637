/* describe.c - see below. */
#include "api/inside.h"
char *zt_api_describe(struct zt_arena *arena, const char *public_url)
{
    (void)public_url;
    return zt_arena_strdup(arena, "{}");
}
void zt_api_openapi(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    const char *text = zt_api_describe(zt_http_arena(req), api->public_url);
    zt_http_reply(req, 200, "application/json;charset=UTF-8", text, __builtin_strlen(text));
}
