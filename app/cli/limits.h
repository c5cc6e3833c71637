/* limits.h - what a key may do, as it is written on a command line and in a table. */
#ifndef ZT_CLI_LIMITS_H
#define ZT_CLI_LIMITS_H

#include "cli/command.h"
#include "store/users.h"

/* The flags, as they were given; NULL: not given. */
struct zt_limit_flags {
    const char *rate, *cap_hour, *cap_day, *cap_total, *allow_ip, *expires;
};

/*
 * Changes what was given in *limits and leaves the rest. Its text is one of the flags' then. Fails
 * with ZT_E_INVALID and a message that names the flag and what is allowed.
 */
enum zt_code zt_limits_read(const struct zt_limit_flags *flags, struct zt_key_limits *limits,
                            struct zt_err *err);

/* "20/10s", "none", "as all". */
#define ZT_LIMIT_TEXT 40
const char *zt_limit_rate_text(const struct zt_key_limits *limits, char dst[ZT_LIMIT_TEXT]);

/* "1.5 of 20": what was spent, and the cap if there is one. */
#define ZT_SPENT_TEXT 72
const char *zt_limit_spent_text(int64_t spent_milli, int64_t cap_milli, char dst[ZT_SPENT_TEXT]);

/* "12.5", or "unlimited". */
const char *zt_limit_credit_text(int64_t milli, char dst[ZT_CREDIT_TEXT]);

#endif
