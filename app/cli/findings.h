/*
 * findings.h - what zoetrope doctor found: a line each, for people or as JSON. One thread.
 */
#ifndef ZT_CLI_FINDINGS_H
#define ZT_CLI_FINDINGS_H

#include "cli/settings.h"

enum zt_finding { ZT_FINE, ZT_WARN, ZT_WRONG };

struct zt_findings {
    const struct zt_config *config;
    bool json;
    int n[3]; /* by enum zt_finding */
    struct zt_arena *arena;
};

/* Prints one: what was looked at, what is so, and what to do about it ("" when it is fine). */
void zt_found(struct zt_findings *f, enum zt_finding how, const char *check, const char *todo,
              const char *fmt, ...) ZT_PRINTF(5, 6);

/* The checks, in doctor_checks.c (this machine) and doctor_data.c (the data folder). */
void zt_doctor_settings(struct zt_findings *f);
void zt_doctor_engine(struct zt_findings *f);
void zt_doctor_media(struct zt_findings *f);
void zt_doctor_threads(struct zt_findings *f);
void zt_doctor_network(struct zt_findings *f);
void zt_doctor_tls(struct zt_findings *f);
void zt_doctor_clock(struct zt_findings *f);
void zt_doctor_data(struct zt_findings *f);

#endif
