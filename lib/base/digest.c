/* digest.c - see digest.h. */
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/rng.h"
#include "base/str.h"

void zt_sha256(const void *bytes, size_t n, uint8_t ret[ZT_SHA256_SIZE])
{
    unsigned size = 0;

    zt_assert(EVP_Digest(bytes, n, ret, &size, EVP_sha256(), NULL) == 1);
    zt_assert(size == ZT_SHA256_SIZE);
}

void zt_sha256_hex(const void *bytes, size_t n, char ret[ZT_SHA256_HEX])
{
    uint8_t digest[ZT_SHA256_SIZE];

    zt_sha256(bytes, n, digest);
    zt_hex(digest, sizeof(digest), ret);
}

/* ---- in pieces ----------------------------------------------------------------------------- */

/* The name is ours, the object is libcrypto's. */
static EVP_MD_CTX *context_of(struct zt_sha256_run *run)
{
    return (EVP_MD_CTX *)run;
}

struct zt_sha256_run *zt_sha256_run_new(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    zt_assert(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    return (struct zt_sha256_run *)context;
}

void zt_sha256_run_free(struct zt_sha256_run *run)
{
    EVP_MD_CTX_free(context_of(run));
}

void zt_sha256_run_add(struct zt_sha256_run *run, const void *bytes, size_t n)
{
    zt_assert(EVP_DigestUpdate(context_of(run), bytes, n) == 1);
}

void zt_sha256_run_end(struct zt_sha256_run *run, char ret[ZT_SHA256_HEX])
{
    uint8_t digest[ZT_SHA256_SIZE];

    zt_assert(EVP_DigestFinal_ex(context_of(run), digest, NULL) == 1);
    zt_hex(digest, sizeof(digest), ret);
}

/* ---- keyed, compared, drawn ---------------------------------------------------------------- */

void zt_hmac_sha256(const void *key, size_t key_n, const void *bytes, size_t n,
                    uint8_t ret[ZT_SHA256_SIZE])
{
    unsigned size = 0;

    zt_assert(key_n <= INT32_MAX);
    zt_assert(HMAC(EVP_sha256(), key, (int)key_n, bytes, n, ret, &size) != NULL);
    zt_assert(size == ZT_SHA256_SIZE);
}

bool zt_equal_secret(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void zt_random_token(char *dst, size_t n)
{
    uint8_t bytes[64];

    zt_assert(n <= sizeof(bytes));
    zt_random_bytes(bytes, n);
    zt_hex(bytes, n, dst);
    OPENSSL_cleanse(bytes, sizeof(bytes));
}
