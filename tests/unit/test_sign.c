/* The signatures of callbacks, against vectors made by other programs. */
#include "service/sign.h"

#include <string.h>

#include "check.h"
#include "service/secret.h"

static void signs_the_task(void)
{
    static const struct {
        const char *secret, *task;
        int64_t timestamp_s;
        const char *want;
    } rows[] = {
        /* The documented scheme; computed with Python's hmac and with openssl dgst. */
        { "test-webhook-hmac-key", "ee9c2715375b7837f8bb51d641ff5863", 1769670760,
          "xG6/yOyrMyJtUdc1yjmHpKLHSHF3MpzOPa6uxSj3qb4=" },
        { "k", "task_bytedance_1765186743319", 1700000000,
          "LtzddO7jCI11DK8LlWJH1sUsyGoQ8aKClZF+/G2DTIw=" },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        char got[ZT_SIGN_TEXT];
        zt_sign_task(rows[i].secret, rows[i].task, rows[i].timestamp_s, got);
        CHECK_STR(rows[i].task, got, rows[i].want);
    }
}

static void signs_the_message(void)
{
    char got[ZT_SIGN_TEXT] = "";
    struct zt_err err = { 0 };
    const char *body = "{\"test\": 2432232314}";

    /* The example of the Standard Webhooks specification's reference libraries. */
    CHECK_INT("signs",
              zt_sign_message("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                              "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen(body), got,
                              &err),
              ZT_OK);
    CHECK_STR("v1", got, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void refuses_other_secrets(void)
{
    static const char *const secrets[] = { "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                           "whsec_!!!" };

    for (size_t i = 0; i < ZT_COUNT(secrets); i++) {
        char got[ZT_SIGN_TEXT] = "untouched";
        struct zt_err err = { 0 };
        CHECK_INT(secrets[i], zt_sign_message(secrets[i], "m", 1, "", 0, got, &err), ZT_E_INVALID);
        CHECK_STR("untouched", got, "untouched");
        CHECK("says nothing of the secret", strstr(err.msg, "MfKQ") == NULL);
    }
}

static void makes_secrets(void)
{
    struct zt_secret a, b;
    char webhook[ZT_SECRET_TEXT];
    char signature[ZT_SIGN_TEXT];

    zt_secret_make(&a);
    zt_secret_make(&b);
    CHECK_INT("length", strlen(a.text), 3 + 43);
    CHECK_INT("prefix", strncmp(a.text, "zt_", 3), 0);
    CHECK_INT(
        "alphabet",
        strspn(a.text + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    CHECK_INT("hint", strlen(a.hint), 7);
    CHECK_INT("hint begins it", strncmp(a.hint, a.text, 7), 0);
    CHECK("differ", strcmp(a.text, b.text) != 0 && memcmp(a.hash, b.hash, sizeof(a.hash)) != 0);
    zt_webhook_secret_make(webhook);
    CHECK_INT("usable", zt_sign_message(webhook, "m", 1, "b", 1, signature, NULL), ZT_OK);
    zt_secret_wipe(&a);
    CHECK_STR("wiped", a.text, "");
}

int main(void)
{
    RUN(signs_the_task);
    RUN(signs_the_message);
    RUN(refuses_other_secrets);
    RUN(makes_secrets);
    return check_done();
}
