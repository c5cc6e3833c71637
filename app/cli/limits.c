/* limits.c - see limits.h. */
#include "cli/limits.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/guard.h"

#define NONE "none"

static enum zt_code read_rate(const char *text, struct zt_key_limits *limits, struct zt_err *err)
{
    struct zt_rate rate = { 0 };

    if (text == NULL)
        return ZT_OK;
    if (strcmp(text, "default") == 0) {
        limits->rate_n = ZT_RATE_AS_ALL;
        return ZT_OK;
    }
    if (!zt_rate_parse(text, &rate))
        return zt_fail_field(err, ZT_E_INVALID, "rate",
                             "--rate must be a number and a time, like 20/10s, 0 for no limit, or "
                             "default for what rate-limit says, not '%.40s'",
                             text);
    limits->rate_n = rate.n;
    limits->rate_window_us = rate.window_us;
    return ZT_OK;
}

static enum zt_code read_cap(const char *name, const char *text, int64_t *ret, struct zt_err *err)
{
    if (text == NULL)
        return ZT_OK;
    if (strcmp(text, NONE) == 0)
        *ret = ZT_CREDIT_NO_LIMIT;
    else if (!zt_credit_parse(text, ret))
        return zt_fail_field(err, ZT_E_INVALID, name,
                             "--%s must be a number of credits with at most three decimals, like "
                             "100 or 4.5, or none, not '%.40s'",
                             name, text);
    return ZT_OK;
}

static enum zt_code read_networks(const char *text, struct zt_key_limits *limits,
                                  struct zt_err *err)
{
    if (text == NULL)
        return ZT_OK;
    if (strcmp(text, "any") == 0) {
        limits->allow_ip = "";
        return ZT_OK;
    }
    struct zt_guard *guard = zt_guard_new();
    enum zt_code rc = zt_guard_allow_list(guard, text, err);
    zt_guard_free(guard);
    if (rc != ZT_OK)
        zt_err_prefix(err, "--allow-ip");
    else if (text[strspn(text, ", ")] == '\0' || strlen(text) > ZT_ALLOW_IP_MAX)
        rc = zt_fail_field(err, ZT_E_INVALID, "allow-ip",
                           "--allow-ip must be networks with commas between, at most %d bytes, or "
                           "any",
                           ZT_ALLOW_IP_MAX);
    else
        limits->allow_ip = text;
    return rc;
}

/* "2027-01-31": the beginning of that day, UTC. */
static bool parse_day(const char *text, int64_t *ret_us)
{
    char part[3][8];
    int64_t year = 0, month = 0, day = 0;

    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return false;
    zt_format(part[0], sizeof(part[0]), "%.4s", text);
    zt_format(part[1], sizeof(part[1]), "%.2s", text + 5);
    zt_format(part[2], sizeof(part[2]), "%.2s", text + 8);
    if (!zt_parse_int(part[0], 1970, 9999, &year) || !zt_parse_int(part[1], 1, 12, &month) ||
        !zt_parse_int(part[2], 1, 31, &day))
        return false;
    struct tm tm = { .tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day };
    int64_t seconds = timegm(&tm);
    *ret_us = seconds * ZT_SECOND_US;
    return tm.tm_mday == day; /* the 31st of a month that has fewer became another day */
}

static enum zt_code read_expiry(const char *text, struct zt_key_limits *limits, struct zt_err *err)
{
    int64_t us = 0;

    if (text == NULL)
        return ZT_OK;
    if (strcmp(text, "never") == 0) {
        limits->expires_us = 0;
    } else if (zt_parse_duration_us(text, &us) && us <= 36500 * ZT_DAY_US) {
        limits->expires_us = zt_now_utc_us() + us;
    } else if (parse_day(text, &us)) {
        limits->expires_us = us > 0 ? us : 1;
    } else {
        return zt_fail_field(err, ZT_E_INVALID, "expires",
                             "--expires must be a time from now, like 12h or 90d, a day like "
                             "2027-01-31, or never, not '%.40s'",
                             text);
    }
    return ZT_OK;
}

enum zt_code zt_limits_read(const struct zt_limit_flags *flags, struct zt_key_limits *limits,
                            struct zt_err *err)
{
    ZT_TRY(read_rate(flags->rate, limits, err));
    ZT_TRY(read_cap("cap-hour", flags->cap_hour, &limits->cap_hour_milli, err));
    ZT_TRY(read_cap("cap-day", flags->cap_day, &limits->cap_day_milli, err));
    ZT_TRY(read_cap("cap-total", flags->cap_total, &limits->cap_total_milli, err));
    ZT_TRY(read_networks(flags->allow_ip, limits, err));
    return read_expiry(flags->expires, limits, err);
}

/* ---- for people ---------------------------------------------------------------------------- */

const char *zt_limit_rate_text(const struct zt_key_limits *limits, char dst[ZT_LIMIT_TEXT])
{
    int64_t us = limits->rate_window_us;

    if (limits->rate_n == ZT_RATE_AS_ALL)
        (void)zt_format(dst, ZT_LIMIT_TEXT, "default");
    else if (limits->rate_n == 0)
        (void)zt_format(dst, ZT_LIMIT_TEXT, NONE);
    else if (us % ZT_SECOND_US == 0)
        (void)zt_format(dst, ZT_LIMIT_TEXT, "%lld/%llds", (long long)limits->rate_n,
                        (long long)(us / ZT_SECOND_US));
    else
        (void)zt_format(dst, ZT_LIMIT_TEXT, "%lld/%lldms", (long long)limits->rate_n,
                        (long long)(us / ZT_MS_US));
    return dst;
}

const char *zt_limit_spent_text(int64_t spent_milli, int64_t cap_milli, char dst[ZT_SPENT_TEXT])
{
    char spent[ZT_CREDIT_TEXT], cap[ZT_CREDIT_TEXT];

    zt_credit_text(spent_milli, spent);
    if (cap_milli == ZT_CREDIT_NO_LIMIT)
        (void)zt_format(dst, ZT_SPENT_TEXT, "%s", spent);
    else
        (void)zt_format(dst, ZT_SPENT_TEXT, "%s of %s", spent, zt_credit_text(cap_milli, cap));
    return dst;
}

const char *zt_limit_credit_text(int64_t milli, char dst[ZT_CREDIT_TEXT])
{
    if (milli != ZT_CREDIT_NO_LIMIT)
        return zt_credit_text(milli, dst);
    (void)zt_format(dst, ZT_CREDIT_TEXT, "unlimited");
    return dst;
}
