/*
 * inside.h - what the files of this folder share: the state behind struct zt_api, the envelope,
 * the read handles, who is asking.
 */
#ifndef ZT_API_INSIDE_H
#define ZT_API_INSIDE_H

#include <stdatomic.h>

#include "api/api.h"
#include "api/out.h"
#include "api/rate.h"
#include "base/thread.h"
#include "http/stream.h"
#include "store/offer.h"
#include "store/pace.h"

#define ZT_API_JSON       "application/json;charset=UTF-8"
#define ZT_API_ANSWER_MAX ((size_t)4 << 20)
#define ZT_API_EXCEPTION  "Server exception, please try again later"

/* The count of waiting tasks, fresh enough to refuse by. */
struct zt_api_backlog {
    pthread_mutex_t mutex; /* guards the rest */
    int64_t counted;       /* at counted_us */
    int64_t counted_us;    /* monotonic; 0: never */
    int64_t added;         /* by us since then */
    int64_t added_before;  /* of those, before the count that is being made */
};

/* How long tasks take, read anew every few seconds. */
struct zt_api_paces {
    pthread_mutex_t mutex; /* guards the rest */
    int64_t read_us;       /* monotonic; 0: never */
    struct zt_arena arena; /* holds the two below */
    struct zt_pace *paces;
    int n;
};

struct zt_followers;

struct zt_api {
    struct zt_api_options options; /* its strings are ours */
    char *store_path, *public_url, *engine;
    struct zt_rates *creates;
    pthread_mutex_t rules_mutex; /* guards options.rules, once requests come */
    struct zt_api_backlog backlog;
    struct zt_api_paces paces;
    struct zt_followers *followers;
    struct zt_upload_pool *upload_stores, *upload_fetches; /* upload.h */

    atomic_uint unready; /* why /readyz said no the last time it was asked */

    pthread_mutex_t handles_mutex; /* guards the two below */
    struct zt_store *handles[32];
    int handles_n;
};

/* Who asks; kept on the request by zt_api_authorise. */
struct zt_api_caller {
    int64_t key_id;
    const char *name;
    const struct zt_key_account *account; /* whose key, and its limits */
};

/* The rules of this moment: a request asks once and goes by what it got. */
struct zt_api_rules zt_api_rules(struct zt_api *api);

/* A read handle for this thread, to be given back. Any number at a time. */
enum zt_code zt_api_take(struct zt_api *api, struct zt_store **ret, struct zt_err *err);
void zt_api_give(struct zt_api *api, struct zt_store *store);

/*
 * {"code":...,"msg":...,"data":...} with data as JSON text; the HTTP status follows the options. At
 * the addresses of uploads a refusal has their shape, {"success":false,"code":...,"msg":...}; so
 * for all the calls below.
 */
void zt_api_reply(struct zt_api *api, struct zt_http_req *req, int code, const char *msg,
                  const char *data);

/* Whether the request came to the address of an upload. */
bool zt_api_is_upload(const struct zt_http_req *req);

/* An answer with a large `data`: begun, written by the caller, and sent, which empties it. */
void zt_api_begin(struct zt_out *out, int code, const char *msg);
void zt_api_send(struct zt_api *api, struct zt_http_req *req, int code, struct zt_out *out);

/* As zt_api_reply, always with `status` as the HTTP status. */
void zt_api_reply_status(struct zt_http_req *req, int status, int code, const char *msg,
                         const char *data);

/*
 * Whether there is room on the disk for new work; otherwise it was refused with 503. For every
 * handler that takes something in, before its body is read.
 */
bool zt_api_has_room(struct zt_api *api, struct zt_http_req *req);

/* Our own fault or the machine's: logged here with its detail, 500 to the client; 503 when the disk
 * is full. */
void zt_api_reply_fault(struct zt_api *api, struct zt_http_req *req, enum zt_code rc,
                        const struct zt_err *err);

/* 429, with Retry-After in whole seconds, rounded up. */
void zt_api_reply_later(struct zt_api *api, struct zt_http_req *req, int64_t wait_us,
                        const char *msg);

/* Admits requests with a key that may be used, keeping its caller; answers 401 to others. */
bool zt_api_authorise(struct zt_api *api, struct zt_http_req *req);

/* Whether the key may come from where it comes; answers 401 if not. */
bool zt_api_may_come(struct zt_api *api, struct zt_http_req *req, const char *allow_ip);

/* Its two halves: the hash of the secret that was sent; false: there is none, 401 is due. */
bool zt_api_secret_hash(const struct zt_http_req *req, uint8_t ret[ZT_SHA256_BYTES]);
void zt_api_deny(struct zt_api *api, struct zt_http_req *req);

/* Whether the key may create one more now, by its rate or that of all; answers 429 if not. */
bool zt_api_admit_rate(struct zt_api *api, struct zt_http_req *req);

/* Thousandths of a credit as a JSON number: 4.5, 0. */
void zt_api_key_credit(struct zt_out *out, const char *key, int64_t milli);

/* ---- offers: what comes with a createTask beside its body (offer.c) ------------------------- */

struct zt_kie_request;

/* From the headers. ZT_E_INVALID: one is wrong, 400 is due. */
enum zt_code zt_api_offer_read(struct zt_http_req *req, const struct zt_kie_request *request,
                               struct zt_offer *ret, struct zt_err *err);

/* Whether it was answered before, without a transaction that writes; see zt_store_offer_look. */
enum zt_code zt_api_offer_look(struct zt_api *api, int64_t key_id, struct zt_offer *offer,
                               struct zt_err *err);

/* What the request costs, in thousandths of a credit. */
int64_t zt_api_price(struct zt_api *api, const struct zt_kie_request *request);

/* Gives the first answer again. */
void zt_api_reply_replay(struct zt_api *api, struct zt_http_req *req, int64_t key_id,
                         const struct zt_offer *offer);

/* Answers when the store refused the offer for a reason of its own; false: it did not. */
bool zt_api_reply_refused(struct zt_api *api, struct zt_http_req *req, const struct zt_offer *offer,
                          const struct zt_err *err);

/* ---- handlers ------------------------------------------------------------------------------ */

void zt_api_admit_create(struct zt_http_req *req, void *user);
void zt_api_create(struct zt_http_req *req, void *user);
void zt_api_credit(struct zt_http_req *req, void *user);
void zt_api_record(struct zt_http_req *req, void *user);
void zt_api_list(struct zt_http_req *req, void *user);
void zt_api_file(struct zt_http_req *req, void *user);
void zt_api_preview(struct zt_http_req *req, void *user);
void zt_api_healthz(struct zt_http_req *req, void *user);
void zt_api_readyz(struct zt_http_req *req, void *user);
void zt_api_metrics(struct zt_http_req *req, void *user);
void zt_api_openapi(struct zt_http_req *req, void *user);

/* ---- records ------------------------------------------------------------------------------- */

/* A task as clients see it at a moment. */
struct zt_api_view {
    const struct zt_task *task;
    int64_t position; /* tasks that are claimed before it; < 0: not waiting */
    int64_t now_us;
    struct zt_arena *arena;
};

/* The data of recordInfo, an object. */
void zt_api_write_record(struct zt_api *api, struct zt_out *out, const struct zt_api_view *view);

/* By the histories of such tasks; without one, by the share that is done. */
struct zt_eta zt_api_eta(struct zt_api *api, const struct zt_api_view *view);
void zt_api_paces_clear(struct zt_api_paces *paces);

/* ---- following tasks (follow.c): one thread tells all who wait for something to happen ------- */

enum zt_api_follow_how {
    ZT_FOLLOW_EVENTS, /* a stream was begun: each event as it happens */
    ZT_FOLLOW_RUN,    /* one answer, when the task has ended; who leaves cancels it */
    ZT_FOLLOW_WAIT,   /* the same, but the task goes on */
};

/* Of a request that was held with zt_api_follow_gone and the followers as its user. Copied. */
struct zt_api_follow {
    enum zt_api_follow_how how;
    struct zt_http_req *req;
    int64_t key_id;
    uint8_t key_hash[ZT_SHA256_BYTES];
    const char *task_id; /* "": all of the key's, for events */
    int64_t after_id;    /* of the last event that was seen; < 0: none */
    int64_t until_us;    /* monotonic: when the answer is due at the latest; 0: no limit */
    bool not_yet;        /* the task is still to be added: nothing happens before _begin */
};
void zt_api_follow(struct zt_api *api, const struct zt_api_follow *follow);
void zt_api_follow_gone(struct zt_http_req *req, enum zt_http_gone why, void *user);

/* The task of a follow that was not_yet is there; another than was said unless task_id is NULL. */
void zt_api_follow_begin(struct zt_api *api, struct zt_http_req *req, const char *task_id);
/* It never will be: the request is the caller's again. */
void zt_api_follow_drop(struct zt_api *api, struct zt_http_req *req);

enum zt_code zt_api_followers_start(struct zt_api *api, struct zt_err *err);
void zt_api_followers_stop(struct zt_api *api); /* no request is under way any more */

void zt_api_events(struct zt_http_req *req, void *user);
void zt_api_run(struct zt_http_req *req, void *user);

/* ---- cancelling ---------------------------------------------------------------------------- */

/* Admits a POST with a key that may be used and a body that says it is JSON; answers others. */
void zt_api_admit_json(struct zt_http_req *req, void *user);
/* The half of it after the key: 415 and false for a body that says it is something else. */
bool zt_api_check_json(struct zt_api *api, struct zt_http_req *req);

/* The taskId of a JSON body, in the request's arena; NULL after an answer that says why not. */
const char *zt_api_read_task_id(struct zt_api *api, struct zt_http_req *req);

#define ZT_CANCEL_BODY_MAX 4096
void zt_api_cancel(struct zt_http_req *req, void *user);

/*
 * Cancels a task behind the batch, whoever asks; key_id 0: whoever's it is. done (may be NULL) is
 * called on the batch's thread as zt_batch_done_fn says, with the errors of zt_store_task_cancel;
 * workers have been told then. id and reason are copied. ZT_E_LIMIT: not queued, done not called.
 */
enum zt_code zt_api_cancel_task(struct zt_api *api, const char *id, int64_t key_id,
                                const char *reason, zt_batch_done_fn *done, void *user,
                                struct zt_err *err);

/* What a request will give, as JSON text; NULL: no memory. */
struct zt_kie_request;
const char *zt_api_plan(struct zt_api *api, const struct zt_kie_request *request,
                        struct zt_arena *arena);

/* ---- explaining prompts, and the page ------------------------------------------------------ */

struct zt_field;
#define ZT_API_EXPLAIN_BODY_MAX ((size_t)256 << 10)     /* the longest prompt, all of it escaped */
const struct zt_field *zt_api_explain_field(int index); /* 0: prompt, 1: duration */
void zt_api_explain(struct zt_http_req *req, void *user);
void zt_api_page(struct zt_http_req *req, void *user);
void zt_api_page_file(struct zt_http_req *req, void *user);

/* Uploads (upload.c) and what is downloaded (download.c). */
void zt_api_admit_upload(struct zt_http_req *req, void *user);
void zt_api_upload_base64(struct zt_http_req *req, void *user);
void zt_api_upload_url(struct zt_http_req *req, void *user);
void zt_api_admit_upload_form(struct zt_http_req *req, void *user);
void zt_api_upload_form(struct zt_http_req *req, void *user);
void zt_api_uploaded(struct zt_http_req *req, void *user);
void zt_api_download_url(struct zt_http_req *req, void *user);
void zt_api_download(struct zt_http_req *req, void *user);

#define ZT_API_DOWNLOAD_BODY ((size_t)64 << 10)

/* ---- callbacks ----------------------------------------------------------------------------- */

void zt_api_callbacks(struct zt_http_req *req, void *user);
void zt_api_redeliver(struct zt_http_req *req, void *user);

/* ---- results ------------------------------------------------------------------------------- */

/* "480p", "720p", "1080p". */
bool zt_api_resolution(const char *name, enum zt_resolution *ret);

#define ZT_FILES_ROUTE   "/files/{token}/{name}"
#define ZT_PREVIEW_ROUTE "/previews/{token}/{name}"
#define ZT_API_FILE_NAME 128

/* What a file of a result is served as. */
enum zt_api_file_of { ZT_FILE_VIDEO, ZT_FILE_POSTER, ZT_FILE_LAST, ZT_FILES };

struct zt_api_result {
    const char *engine;
    int64_t seed, width, height, frames, fps;
    const char *blobs[ZT_FILES]; /* NULL: there is none */
};

/* Reads what zt_i2v_result_json wrote. ZT_E_CORRUPT. Strings live in arena. */
enum zt_code zt_api_result_read(const char *result_json, struct zt_arena *arena,
                                struct zt_api_result *ret, struct zt_err *err);

/* "<task>.mp4", "poster.jpg", "last.jpg": the last part of the file's address. */
const char *zt_api_file_name(enum zt_api_file_of which, const char *task_id,
                             char dst[ZT_API_FILE_NAME]);

/* Which file of a finished task is served as `name`, and its blob. ZT_E_NOT_FOUND: none. */
enum zt_code zt_api_result_blob(const struct zt_task *task, const char *name,
                                struct zt_arena *arena, enum zt_api_file_of *ret_which,
                                const char **ret_blob, struct zt_err *err);

/* Serves that file; or, with rc not ZT_OK, says that there is none, or what went wrong. */
void zt_api_reply_result(struct zt_api *api, struct zt_http_req *req, enum zt_code rc,
                         const struct zt_task *task, enum zt_api_file_of which, const char *blob,
                         struct zt_err *err);

#endif
