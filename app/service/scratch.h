/*
 * scratch.h - what an engine keeps of a task between its attempts: <data>/work/<task id>/.
 *
 * The folder outlives a worker that dies, so that the next one goes on where it was. It goes with
 * the task's end; one left behind by a crash at that very moment is swept.
 */
#ifndef ZT_SERVICE_SCRATCH_H
#define ZT_SERVICE_SCRATCH_H

#include <limits.h>

#include "base/error.h"

struct zt_store;

/* The folder for a task; nothing is made. id has been checked to be a file's name. ZT_E_INVALID. */
enum zt_code zt_scratch_path(const char *data, const char *id, char ret[PATH_MAX],
                             struct zt_err *err);

/* Removes the folder and what is in it; one that is not there is fine. */
enum zt_code zt_scratch_remove(const char *path, struct zt_err *err);

/* Removes the folders of tasks that have ended or are unknown; counts them in *ret. */
enum zt_code zt_scratch_sweep(const char *data, struct zt_store *store, int *ret,
                              struct zt_err *err);

#endif
