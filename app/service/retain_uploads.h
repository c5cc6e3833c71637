/*
 * retain_uploads.h - uploads whose time is over: their names, and bytes that nobody wants.
 */
#ifndef ZT_SERVICE_RETAIN_UPLOADS_H
#define ZT_SERVICE_RETAIN_UPLOADS_H

#include "store/store.h"

struct zt_blobs;

/*
 * Forgets names that expired or were replaced, and removes the bytes that no name and no unfinished
 * task has any more. thorough: looks at every file, too, for bytes that a crash left without
 * a name. *ret_removed counts files.
 */
enum zt_code zt_retain_uploads(struct zt_store *store, struct zt_blobs *blobs, bool thorough,
                               int *ret_removed, struct zt_err *err);

#endif
