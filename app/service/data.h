/*
 * data.h - the data folder: where its parts are, and the lock that keeps two servers apart.
 *
 *     <data>/zoetrope.db   tasks, keys, deliveries        <data>/files/   results and inputs
 *     <data>/serve.lock    held by the one serve process
 */
#ifndef ZT_SERVICE_DATA_H
#define ZT_SERVICE_DATA_H

#include <limits.h>

#include "base/error.h"

struct zt_data {
    char folder[PATH_MAX];
    char store[PATH_MAX];
    char files[PATH_MAX];
    char lock[PATH_MAX];
};

/*
 * Finds the parts of `folder`; makes the folder (mode 0700) when `create`.
 *   ZT_E_NOT_FOUND  not create, and nothing was ever stored there
 *   ZT_E_INVALID    the path is too long;  ZT_E_DENIED, ZT_E_IO
 */
enum zt_code zt_data_find(const char *folder, bool create, struct zt_data *ret, struct zt_err *err);

/*
 * Takes the lock; it is held until *ret_fd is closed, which the end of the process does too.
 * ZT_E_BUSY: another server has it; msg names its process.
 */
enum zt_code zt_data_lock(const struct zt_data *data, int *ret_fd, struct zt_err *err);

#endif
