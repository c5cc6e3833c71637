/*
 * own.h - URLs of this server, recognised in requests; and the files of results they lead to.
 */
#ifndef ZT_API_OWN_H
#define ZT_API_OWN_H

#include "api/inside.h"

struct zt_kie_request;

enum zt_own_kind { ZT_OWN_UNKNOWN, ZT_OWN_UPLOAD, ZT_OWN_RESULT, ZT_OWN_DOWNLOAD };

struct zt_own_url {
    enum zt_own_kind kind; /* UNKNOWN: of this server, but of no file */
    char token[160];       /* of the upload or the result; the ticket of a download */
    char task[ZT_TASK_ID_MAX + 1];
    char name[ZT_API_FILE_NAME];
};

/* False: it is not a URL of this server. Texts are as in the URL, escapes and all. */
bool zt_own_url_read(const char *public_url, const char *url, struct zt_own_url *ret);

/*
 * The task and the blob that the URL of a result or a download leads to. ZT_E_NOT_FOUND: none, or
 * its time is over.
 */
enum zt_code zt_own_result(struct zt_api *api, struct zt_arena *arena, const struct zt_own_url *own,
                           struct zt_task **ret_task, enum zt_api_file_of *ret_which,
                           const char **ret_blob, struct zt_err *err);

/* The task of a download whose ticket is good (download.c). ZT_E_NOT_FOUND. */
enum zt_code zt_api_download_task(struct zt_api *api, struct zt_store *db, struct zt_arena *arena,
                                  const struct zt_own_url *own, struct zt_task **ret,
                                  struct zt_err *err);

/*
 * Finds the blobs of pictures that the request names by URLs of this server. ZT_E_INVALID: one
 * leads to nothing that a picture can be; msg begins with the field.
 */
enum zt_code zt_api_own_pictures(struct zt_api *api, struct zt_arena *arena,
                                 struct zt_kie_request *request, struct zt_err *err);

#endif
