/*
 * stop.h - a stop flag that one can wait on.
 *
 * zt_stop_ask is async-signal-safe; everything else is for ordinary threads. A waiting thread
 * notices a stop at once.
 */
#ifndef ZT_BASE_STOP_H
#define ZT_BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct zt_stop;

struct zt_stop *zt_stop_new(void);
void zt_stop_free(struct zt_stop *stop);

/*
 * A stop that is asked when it or `outer` is. outer is kept, outlives it, and is nobody's inner.
 * reset takes back what was asked of it alone, for the next use; not while another thread asks.
 */
struct zt_stop *zt_stop_within(const struct zt_stop *outer);
void zt_stop_reset(struct zt_stop *stop);

void zt_stop_ask(struct zt_stop *stop);
bool zt_stop_asked(const struct zt_stop *stop);

/* Waits up to wait_us or until asked (or woken); true when a stop was asked for. */
bool zt_stop_wait(struct zt_stop *stop, int64_t wait_us);

/* Ends the current waits without asking for a stop: "there is work". */
void zt_stop_wake(struct zt_stop *stop);

/* Readable once a stop was asked for; for poll(). */
int zt_stop_fd(const struct zt_stop *stop);

/* SIGTERM and SIGINT ask this stop from now on; SIGPIPE is ignored. One stop a process. */
void zt_stop_on_signals(struct zt_stop *stop);

#endif
