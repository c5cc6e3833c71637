/*
 * watch.h - following one task on the terminal.
 */
#ifndef ZT_CLI_WATCH_H
#define ZT_CLI_WATCH_H

struct zt_store;

/*
 * Shows on standard error how far task `id` is until it ends or a signal comes, then how it ended
 * on standard output. Returns the exit status: a failed task's is ZT_EXIT_FAILED.
 */
int zt_watch(struct zt_store *store, const char *id);

#endif
