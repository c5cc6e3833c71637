/* models_walk.h - weight files in a folder and those in it. For models.c. */
#ifndef ZT_CLI_MODELS_WALK_H
#define ZT_CLI_MODELS_WALK_H

#include "base/error.h"

#define ZT_WALK_DEPTH 4
#define ZT_WALK_MAX   1000

/* path: a file, or a folder that holds one model in shards; shown: the same below the root. */
typedef enum zt_code zt_walk_fn(void *user, const char *path, const char *shown,
                                struct zt_err *err);

/*
 * In the order of names, to a depth of ZT_WALK_DEPTH. Names that begin with '.' are left out.
 * ret_tokenizer: whether a tokenizer.json or spiece.model was met. Ends with fn's first error.
 *   ZT_E_NOT_FOUND  no such folder
 *   ZT_E_LIMIT      more than ZT_WALK_MAX
 */
enum zt_code zt_models_walk(const char *root, zt_walk_fn *fn, void *user, bool *ret_tokenizer,
                            struct zt_err *err);

#endif
