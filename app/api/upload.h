/*
 * upload.h - uploads on their way in, shared by upload*.c: what the three requests say, the one
 * that is being worked on, and the threads that work.
 *
 * No text of a request becomes a path: what a client calls a file is in the database and in its
 * URL, and the file itself is named by the SHA-256 of its bytes.
 */
#ifndef ZT_API_UPLOAD_H
#define ZT_API_UPLOAD_H

#include <jansson.h>
#include <limits.h>

#include "api/inside.h"
#include "base/buf.h"
#include "base/digest.h"

/* Bodies. In base64 a file of 20 MiB fits; a form may be larger, since it goes to disk. */
#define ZT_UPLOAD_BASE64_BODY ((size_t)28 << 20)
#define ZT_UPLOAD_FORM_BODY   ((size_t)101 << 20)
#define ZT_UPLOAD_URL_BODY    ((size_t)64 << 10)

#define ZT_UPLOAD_PATH_MAX    500 /* bytes of uploadPath */
#define ZT_UPLOAD_NAME_MAX    200 /* bytes of fileName, and of each part of uploadPath */
#define ZT_UPLOAD_TEXT        (ZT_UPLOAD_PATH_MAX + 100)
#define ZT_UPLOAD_HEAD        12 /* bytes by which a type is known */

#define ZT_UPLOADS_ROUTE      "/uploads/{token}/{name}"
#define ZT_DOWNLOADS_ROUTE    "/downloads/{task}/{ticket}/{name}"

enum zt_upload_kind { ZT_UPLOAD_BASE64, ZT_UPLOAD_FORM, ZT_UPLOAD_URL, ZT_UPLOAD_KINDS };

/* ---- what a request says (upload_read.c) ---------------------------------------------------- */

/* What is wrong with an upload, as it is answered; code 0: nothing. */
struct zt_upload_problem {
    int code;
    char msg[400];
};

/* Sets it, unless one is set; returns false. */
bool zt_upload_wrong(struct zt_upload_problem *problem, int code, const char *fmt, ...)
    ZT_PRINTF(3, 4);

struct zt_upload_said {
    const char *path, *name; /* name "": one is made up */
    const char *source;      /* base64Data or fileUrl */
    size_t source_n;
};

/* Reads the JSON of a base64 or URL upload. Strings live in arena, source in it or in root. */
bool zt_upload_read(enum zt_upload_kind kind, const char *body, size_t n, json_t **root,
                    struct zt_upload_said *ret, struct zt_upload_problem *problem);

/* Whether path and name are fit for the database and a URL; name may be "". */
bool zt_upload_names_ok(const char *path, const char *name, struct zt_upload_problem *problem);

/* Decodes base64, with or without "data:<type>;base64," before it, appending to bytes. */
bool zt_upload_decode(const char *text, size_t n, struct zt_buf *bytes,
                      struct zt_upload_problem *problem);

/* "image/png", by the first bytes; NULL: not a picture of a kind we take. */
const char *zt_picture_type(const void *bytes, size_t n);

/* "1776488469865-2d25qim1p88.jpg" */
const char *zt_upload_new_name(struct zt_arena *arena, int64_t now_us, const char *type);

/* One part of a URL's path, with % escapes where needed. NULL: the arena is full. */
const char *zt_url_part(struct zt_arena *arena, const char *text);

/* ---- one on its way (upload.c) --------------------------------------------------------------- */

struct zt_form;

/* In the request's arena; given back when the request ends. */
struct zt_upload_work {
    struct zt_api *api;
    struct zt_http_req *req;
    enum zt_upload_kind kind;
    int64_t key_id;
    struct zt_upload_work *next; /* in the queue of a pool */
    struct zt_upload_problem problem;
    enum zt_code rc;   /* not ZT_OK: the problem is a fault of ours, */
    struct zt_err err; /* this one */
    struct zt_upload_said said;
    json_t *root;        /* of a JSON body, which said.source may point into */
    struct zt_buf bytes; /* of a file that is in memory */

    /* A file that comes in a form goes to disk as it arrives. */
    struct zt_form *form;
    struct zt_buf path, name;
    int parts;
    char tmp[PATH_MAX]; /* "": there is none, or it was published */
    int fd;
    struct zt_sha256_run *run;
    char head[ZT_UPLOAD_HEAD];
    int64_t form_bytes;
};

/* A thread's own. */
struct zt_upload_hand {
    struct zt_store *store; /* NULL until it is needed */
    struct zt_client *client;
};

/* Works one through and answers it, on a thread of a pool. */
void zt_upload_run(struct zt_upload_work *w, struct zt_upload_hand *hand);

/* ---- the threads (upload_pool.c) ------------------------------------------------------------- */

struct zt_upload_pool;

enum zt_code zt_upload_pool_open(struct zt_api *api, int threads, int queue_max,
                                 struct zt_upload_pool **ret, struct zt_err *err);

/* Requests under way on the network are cut off; what still waits is answered with 503. */
void zt_upload_pool_close(struct zt_upload_pool *pool);

/* False: as many wait as may. Else it is answered, whatever happens. */
bool zt_upload_pool_add(struct zt_upload_pool *pool, struct zt_upload_work *w);

#endif
