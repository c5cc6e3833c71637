/*
 * digest.h - SHA-256, HMAC, comparison in constant time, random tokens. On OpenSSL's libcrypto.
 */
#ifndef ZT_BASE_DIGEST_H
#define ZT_BASE_DIGEST_H

#include "base/error.h"

#define ZT_SHA256_SIZE 32
#define ZT_SHA256_HEX  (2 * ZT_SHA256_SIZE + 1)

void zt_sha256(const void *bytes, size_t n, uint8_t ret[ZT_SHA256_SIZE]);
void zt_sha256_hex(const void *bytes, size_t n, char ret[ZT_SHA256_HEX]);
/* SHA-256 of bytes that come in pieces. One thread at a time. */
struct zt_sha256_run;
struct zt_sha256_run *zt_sha256_run_new(void);
void zt_sha256_run_free(struct zt_sha256_run *run);
void zt_sha256_run_add(struct zt_sha256_run *run, const void *bytes, size_t n);
/* Of all that was added; nothing may be added after it. */
void zt_sha256_run_end(struct zt_sha256_run *run, char ret[ZT_SHA256_HEX]);

void zt_hmac_sha256(const void *key, size_t key_n, const void *bytes, size_t n,
                    uint8_t ret[ZT_SHA256_SIZE]);

/* Equal or not, in a time that depends on n alone. */
bool zt_equal_secret(const void *a, const void *b, size_t n);

/* n random bytes as lower-case hexadecimal; dst holds 2 n + 1, n <= 64. */
void zt_random_token(char *dst, size_t n);

#endif
