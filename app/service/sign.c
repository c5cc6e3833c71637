/* sign.c - see sign.h. */
#include "service/sign.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/str.h"

#define SECRET_PREFIX   "whsec_"
#define SECRET_TEXT_MAX 256

_Static_assert(ZT_SIGN_TEXT >= 3 + 4 * ((ZT_SHA256_SIZE + 2) / 3) + 1, "a signature fits");

void zt_sign_task(const char *secret, const char *task_id, int64_t timestamp_s,
                  char ret[ZT_SIGN_TEXT])
{
    char text[512];
    uint8_t mac[ZT_SHA256_SIZE];

    zt_assert(zt_format(text, sizeof(text), "%s.%" PRId64, task_id, timestamp_s));
    zt_hmac_sha256(secret, strlen(secret), text, strlen(text), mac);
    zt_base64_encode(mac, sizeof(mac), ret);
}

enum zt_code zt_sign_message(const char *secret, const char *id, int64_t timestamp_s,
                             const char *body, size_t body_n, char ret[ZT_SIGN_TEXT],
                             struct zt_err *err)
{
    uint8_t key[SECRET_TEXT_MAX];
    uint8_t mac[ZT_SHA256_SIZE];
    size_t key_n = 0;
    size_t prefix = strlen(SECRET_PREFIX);
    size_t n = strlen(secret);

    if (n > SECRET_TEXT_MAX || !zt_starts_with(secret, SECRET_PREFIX) ||
        !zt_base64_decode(secret + prefix, n - prefix, key, &key_n) || key_n == 0)
        return zt_fail(err, ZT_E_INVALID, "a webhook secret is not of the form whsec_<base64>");

    struct zt_buf text;
    zt_buf_init(&text, body_n + 512);
    enum zt_code rc = zt_buf_printf(&text, err, "%s.%" PRId64 ".", id, timestamp_s);
    if (rc == ZT_OK)
        rc = zt_buf_add(&text, body, body_n, err);
    if (rc == ZT_OK) {
        zt_hmac_sha256(key, key_n, text.data, text.n, mac);
        memcpy(ret, "v1,", 3); /* NOLINT(bugprone-not-null-terminated-result): more follows */
        zt_base64_encode(mac, sizeof(mac), ret + 3);
    }
    explicit_bzero(key, sizeof(key));
    zt_buf_clear(&text);
    return rc;
}

enum zt_code zt_sign_header(const char *secret, const char *previous, const char *id,
                            int64_t timestamp_s, const char *body, size_t body_n,
                            char ret[ZT_SIGN_HEADER], struct zt_err *err)
{
    char first[ZT_SIGN_TEXT], second[ZT_SIGN_TEXT] = "";

    ZT_TRY(zt_sign_message(secret, id, timestamp_s, body, body_n, first, err));
    if (*previous != '\0')
        ZT_TRY(zt_sign_message(previous, id, timestamp_s, body, body_n, second, err));
    zt_assert(zt_format(ret, ZT_SIGN_HEADER, "%s%s%s", first, *second ? " " : "", second));
    return ZT_OK;
}
