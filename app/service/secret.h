/*
 * secret.h - making API keys and webhook secrets. What is made is shown once and stored as a hash
 * (the key) or as it is (the webhook secret, which signing needs).
 */
#ifndef ZT_SERVICE_SECRET_H
#define ZT_SERVICE_SECRET_H

#include "store/store.h"

#define ZT_SECRET_TEXT 64

struct zt_secret {
    char text[ZT_SECRET_TEXT]; /* "zt_" and 43 characters of base64url: 256 random bits */
    char hint[8];              /* the first 7 of them */
    uint8_t hash[ZT_SHA256_BYTES];
};

void zt_secret_make(struct zt_secret *ret);
void zt_secret_wipe(struct zt_secret *secret);

/* "whsec_" and standard base64 of 32 random bytes. */
void zt_webhook_secret_make(char ret[ZT_SECRET_TEXT]);

/* 1 to 64 letters, digits, '.', '_' or '-': of keys and users. */
bool zt_name_is_fine(const char *name);

/*
 * Makes a key under `name` and stores it. *ret and webhook are for showing once; wipe them.
 *   ZT_E_INVALID   the name is not 1 to 64 letters, digits, '.', '_' or '-'
 *   ZT_E_CONFLICT  a key of that name is in use
 */
enum zt_code zt_secret_add_key(struct zt_store *store, const char *name, struct zt_secret *ret,
                               char webhook[ZT_SECRET_TEXT], struct zt_err *err);

#endif
