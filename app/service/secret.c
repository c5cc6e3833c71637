/* secret.c - see secret.h. */
#include "service/secret.h"

#include <string.h>

#include "base/digest.h"
#include "base/rng.h"
#include "base/str.h"

#define SECRET_BYTES   32
#define NAME_MAX_BYTES 64

void zt_secret_make(struct zt_secret *ret)
{
    uint8_t bytes[SECRET_BYTES];
    char text[ZT_SECRET_TEXT];

    zt_random_bytes(bytes, sizeof(bytes));
    zt_base64_encode(bytes, sizeof(bytes), text);
    explicit_bzero(bytes, sizeof(bytes));
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '+')
            *p = '-';
        else if (*p == '/')
            *p = '_';
        else if (*p == '=')
            *p = '\0';
    }
    zt_assert(zt_format(ret->text, sizeof(ret->text), "zt_%s", text));
    explicit_bzero(text, sizeof(text));
    memcpy(ret->hint, ret->text, sizeof(ret->hint) - 1);
    ret->hint[sizeof(ret->hint) - 1] = '\0';
    zt_sha256(ret->text, strlen(ret->text), ret->hash);
}

void zt_secret_wipe(struct zt_secret *secret)
{
    explicit_bzero(secret, sizeof(*secret));
}

void zt_webhook_secret_make(char ret[ZT_SECRET_TEXT])
{
    uint8_t bytes[SECRET_BYTES];
    char text[ZT_SECRET_TEXT];

    zt_random_bytes(bytes, sizeof(bytes));
    zt_base64_encode(bytes, sizeof(bytes), text);
    zt_assert(zt_format(ret, ZT_SECRET_TEXT, "whsec_%s", text));
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(text, sizeof(text));
}

bool zt_name_is_fine(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(name);

    return n > 0 && n <= NAME_MAX_BYTES && strspn(name, allowed) == n;
}

enum zt_code zt_secret_add_key(struct zt_store *store, const char *name, struct zt_secret *ret,
                               char webhook[ZT_SECRET_TEXT], struct zt_err *err)
{
    int64_t id = 0;

    if (!zt_name_is_fine(name))
        return zt_fail_field(err, ZT_E_INVALID, "name",
                             "name must be 1 to %d letters, digits, '.', '_' or '-'",
                             NAME_MAX_BYTES);
    zt_secret_make(ret);
    zt_webhook_secret_make(webhook);
    return zt_store_key_add(store, name, ret->hash, ret->hint, webhook, &id, err);
}
