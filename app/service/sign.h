/*
 * sign.h - signatures of callbacks. Pure functions; any thread.
 */
#ifndef ZT_SERVICE_SIGN_H
#define ZT_SERVICE_SIGN_H

#include "base/error.h"

#define ZT_SIGN_TEXT   64
#define ZT_SIGN_HEADER (2 * ZT_SIGN_TEXT)

/*
 * X-Webhook-Signature: base64(HMAC-SHA256(secret, "<taskId>.<timestamp>")), the key being the
 * secret's text as it is shown. timestamp_s is unix seconds, sent as X-Webhook-Timestamp.
 */
void zt_sign_task(const char *secret, const char *task_id, int64_t timestamp_s,
                  char ret[ZT_SIGN_TEXT]);

/*
 * webhook-signature of Standard Webhooks (standardwebhooks.com, "Symmetric" scheme):
 * "v1," base64(HMAC-SHA256(key, "<id>.<timestamp>.<body>")), the key being the bytes that follow
 * "whsec_" in base64. ZT_E_INVALID: the secret does not have that form.
 */
enum zt_code zt_sign_message(const char *secret, const char *id, int64_t timestamp_s,
                             const char *body, size_t body_n, char ret[ZT_SIGN_TEXT],
                             struct zt_err *err);

/*
 * The whole header: the signature with `secret`, and behind a space the one with `previous` unless
 * that is "". A receiver takes the message when one of them fits the secret it has, so that a
 * secret can be changed on both sides without a moment at which nothing fits.
 */
enum zt_code zt_sign_header(const char *secret, const char *previous, const char *id,
                            int64_t timestamp_s, const char *body, size_t body_n,
                            char ret[ZT_SIGN_HEADER], struct zt_err *err);

#endif
