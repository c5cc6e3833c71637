/* auth.c - who is asking: Authorization: Bearer <key>, looked up by the key's SHA-256. */
#include <string.h>
#include <strings.h>

#include "api/inside.h"
#include "base/digest.h"
#include "base/str.h"
#include "net/guard.h"
#include "store/users.h"

#define SCHEME     "Bearer "
#define SECRET_MAX 256

_Static_assert(ZT_SHA256_BYTES == ZT_SHA256_SIZE, "a hash is a hash");

/* The secret of the header, or NULL. It is never copied, logged or compared. */
static const char *bearer(const struct zt_http_req *req, size_t *ret_n)
{
    const char *header = zt_http_header(req, "Authorization");

    if (header == NULL || strncasecmp(header, SCHEME, sizeof(SCHEME) - 1) != 0)
        return NULL;
    header += sizeof(SCHEME) - 1;
    header += strspn(header, " \t");
    size_t n = strlen(header);
    while (n > 0 && (header[n - 1] == ' ' || header[n - 1] == '\t'))
        n--;
    *ret_n = n;
    return n > 0 && n <= SECRET_MAX ? header : NULL;
}

bool zt_api_secret_hash(const struct zt_http_req *req, uint8_t ret[ZT_SHA256_BYTES])
{
    size_t n = 0;
    const char *secret = bearer(req, &n);

    if (secret != NULL)
        zt_sha256(secret, n, ret);
    return secret != NULL;
}

void zt_api_deny(struct zt_api *api, struct zt_http_req *req)
{
    zt_http_set(req, "WWW-Authenticate", "Bearer");
    zt_api_reply(api, req, 401,
                 zt_api_is_upload(req) ? "Authentication failed: Invalid API Key"
                                       : "You do not have access permissions",
                 NULL);
}

/* Lists are checked as they are set, so one that cannot be read lets nobody in. */
bool zt_api_may_come(struct zt_api *api, struct zt_http_req *req, const char *allow_ip)
{
    char text[160];

    if (allow_ip == NULL || *allow_ip == '\0')
        return true;
    struct zt_guard *list = zt_guard_new();
    bool listed = zt_guard_allow_list(list, allow_ip, NULL) == ZT_OK &&
                  zt_guard_lists_text(list, zt_http_peer(req));
    zt_guard_free(list);
    if (listed)
        return true;
    zt_format(text, sizeof(text), "this key may not be used from the address %.64s",
              zt_http_peer(req));
    zt_http_set(req, "WWW-Authenticate", "Bearer");
    zt_api_reply(api, req, 401, text, NULL);
    return false;
}

bool zt_api_authorise(struct zt_api *api, struct zt_http_req *req)
{
    uint8_t hash[ZT_SHA256_BYTES];
    struct zt_err err = { 0 };
    struct zt_store *store = NULL;
    struct zt_key *key = NULL;

    if (!zt_api_secret_hash(req, hash)) {
        zt_api_deny(api, req);
        return false;
    }
    enum zt_code rc = zt_api_take(api, &store, &err);
    if (rc == ZT_OK) {
        rc = zt_store_key_find(store, zt_http_arena(req), hash, &key, &err);
        zt_api_give(api, store);
    }
    if (rc == ZT_E_NOT_FOUND && key == NULL && store != NULL) {
        zt_api_deny(api, req);
        return false;
    }
    if (rc != ZT_OK) {
        zt_api_reply_fault(api, req, rc, &err);
        return false;
    }
    if (!zt_api_may_come(api, req, key->account->limits.allow_ip))
        return false;
    struct zt_api_caller *caller = zt_arena_new(zt_http_arena(req), struct zt_api_caller);
    *caller =
        (struct zt_api_caller){ .key_id = key->id, .name = key->name, .account = key->account };
    zt_http_keep(req, caller);
    return true;
}
