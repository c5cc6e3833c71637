/*
 * signals.h - SIGTERM, SIGINT and SIGHUP, read by a thread of their own instead of a handler.
 *
 * The first of the former two asks the stop; the second calls `again`; the third ends the process
 * (exit 130). SIGHUP is noted for zt_signals_take_reload, unless standard input is a terminal: then
 * it ends the process, as the terminal did.
 */
#ifndef ZT_SERVICE_SIGNALS_H
#define ZT_SERVICE_SIGNALS_H

#include "base/error.h"

struct zt_stop;
struct zt_signals;

/* Before other threads are started: they must inherit the blocked signals. SIGPIPE is ignored. */
enum zt_code zt_signals_start(struct zt_stop *stop, void (*again)(void *user), void *user,
                              struct zt_signals **ret, struct zt_err *err);
void zt_signals_stop(struct zt_signals *signals); /* NULL is fine */

/* Whether SIGHUP came since this was last asked. Any thread. */
bool zt_signals_take_reload(struct zt_signals *signals);

/* How many SIGTERM and SIGINT came so far. */
int zt_signals_count(const struct zt_signals *signals);

#endif
