/*
 * api.h - the wire: requests into tasks, tasks into answers and callback bodies.
 *
 * The only folder that knows HTTP statuses and wire names. kie.c is the documented contract;
 * another wire convention is another file with its own routes.
 */
#ifndef ZT_API_API_H
#define ZT_API_API_H

#include "blob/blob.h"
#include "http/server.h"
#include "store/batch.h"

struct zt_api;
struct zt_buf;

/* What /readyz and the refusal of new work go by. */
struct zt_api_state {
    bool draining; /* a stop was asked for */
    bool disk_low; /* less is free than the reserve */
    int64_t disk_free_bytes, disk_reserve_bytes;
    int workers_wanted, workers_alive; /* wanted 0: they are started by hand */
};

/* Reading prompts: the library's own functions (zoetrope.h), which this folder may not call. */
struct zt_api_prompts {
    enum zt_code (*explain)(const char *prompt, bool as_json, char **ret, struct zt_err *err);
    enum zt_code (*plan_shots)(const char *prompt, int duration_s, int ret_end[ZT_PLAN_SHOTS_MAX],
                               int *ret_n, struct zt_err *err);
};

/* What a video will be like: the library's functions again. */
struct zt_api_sizes {
    enum zt_code (*probe)(const void *bytes, size_t n, const struct zt_image_limits *limits,
                          struct zt_image_info *ret, struct zt_err *err);
    void (*size_for)(enum zt_resolution resolution, int image_width_px, int image_height_px,
                     int *ret_width_px, int *ret_height_px);
    bool (*size_row)(int index, enum zt_resolution resolution, const char **ret_ratio,
                     int *ret_width_px, int *ret_height_px);
};

/* What can be watched of a task: the first `bytes` of an open file, which may grow. */
struct zt_api_preview_file {
    int fd;
    int64_t bytes;
    char etag[64];
};

struct zt_guard;

/* Files that clients send. */
struct zt_upload_options {
    int64_t max_bytes;            /* of one */
    int64_t key_bytes;            /* of all that a key has here; 0: no limit */
    int64_t keep_us;              /* how long one can be used */
    int64_t picture_bytes;        /* of one that a task names; 0: no limit */
    int fetches;                  /* uploads by URL that are downloaded at once */
    const struct zt_guard *guard; /* of those; NULL: there are none; kept */
    const char *ca_file;          /* NULL: the system's; kept */
};

/* What may change while requests are answered. */
struct zt_api_rules {
    int64_t rate_creates; /* createTask a key without a rate of its own may send per rate_window_us;
                             0: no limit */
    int64_t rate_window_us;
    int64_t max_waiting;               /* tasks waiting over all keys; past it 429; 0: no limit */
    int64_t price_milli[ZT_1080P + 1]; /* thousandths of a credit a second of video */
    bool extended_durations;           /* 2 ... 12 seconds instead of 5 and 10 */
    bool allow_unfiltered;             /* nsfw_checker false is obeyed */
};

struct zt_api_options {
    struct zt_store_options store; /* read handles are opened as needed, one a thread at a time */
    struct zt_batch *batch;        /* kept */
    struct zt_blobs *blobs;        /* kept */
    const char *public_url;        /* "http://127.0.0.1:8080", no slash at the end; copied */
    const char *engine;            /* the engine that models are mapped to; copied */
    bool compat_status;            /* HTTP 200 always, the code in the body */
    struct zt_api_rules rules;
    struct zt_upload_options uploads;
    struct zt_api_prompts prompts; /* zero: prompts cannot be explained */
    struct zt_api_sizes sizes;     /* zero: createTask does not say what will be made */
    int64_t workers;               /* that share the queue, for estimates; 0: unknown */
    void (*created)(void *user);   /* a task was added: wake a worker; may be NULL */
    void (*cancelled)(void *user, bool callback); /* a task was: tell its worker; may be NULL */
    void (*callback_due)(void *user);             /* a callback is to be sent again; may be NULL */
    /* ZT_E_NOT_FOUND: there is nothing to watch. NULL: nowhere is. */
    enum zt_code (*preview)(void *user, const struct zt_task *task, struct zt_api_preview_file *ret,
                            struct zt_err *err);
    void (*state)(void *user, struct zt_api_state *ret); /* NULL: nothing stands in the way */
    /* The text for /metrics, appended; NULL: there is none. */
    enum zt_code (*metrics)(void *user, struct zt_store *store, struct zt_buf *buf,
                            struct zt_err *err);
    void (*refused_full)(void *user); /* a request was refused for want of room; may be NULL */
    const char *metrics_token;        /* NULL or "": /metrics is for this machine alone; kept */
    void *user;
};

enum zt_code zt_api_open(const struct zt_api_options *options, struct zt_api **ret,
                         struct zt_err *err);
void zt_api_close(struct zt_api *api);

/* All rules at once, for the requests that come from now on. Any thread. */
void zt_api_change(struct zt_api *api, const struct zt_api_rules *rules);

/* The public base URL once the listening port is known. Before the first request. */
void zt_api_set_public_url(struct zt_api *api, const char *url);

/* For zt_http_options: routes, refuse, and the api as user. */
const struct zt_route *zt_api_routes(int *ret_n);
void zt_api_refuse(struct zt_http_req *req, int status, const char *text, void *user);

/* ---- for the service ----------------------------------------------------------------------- */

/* What a worker needs, read back from zt_task.input. Strings live in the arena. */
struct zt_i2v {
    const char *prompt;
    const char *image_url;     /* http(s) URL, or "blob:<name>" for one that was sent along */
    const char *end_image_url; /* the same, or "" */
    enum zt_resolution resolution;
    int duration_s;
    bool camera_fixed;
    int64_t seed;
    bool safety;
};
enum zt_code zt_i2v_from_input(const char *input_json, struct zt_arena *arena, struct zt_i2v *ret,
                               struct zt_err *err);

/* What a worker records of a finished generation: the JSON for zt_result.result. */
struct zt_i2v_result {
    const char *engine;
    int64_t seed;
    int width_px, height_px, frames, fps;
    const char *video, *poster, *last_frame; /* blob names, "media/..." */
};
char *zt_i2v_result_json(struct zt_arena *arena, const struct zt_i2v_result *result);

/* Blob names of a finished task's files, for removing them. n <= 3; entries live in arena. */
int zt_i2v_result_files(const char *result_json, struct zt_arena *arena, const char *ret[3]);

/*
 * Removes the bytes of an upload, unless a name leads to them or an unfinished task was made from
 * them; under the write lock, so that neither can come into being meanwhile.
 */
enum zt_code zt_upload_drop(struct zt_store *store, struct zt_blobs *blobs, const char *sha256,
                            bool *ret_removed, struct zt_err *err);

/* The body POSTed to callBackUrl for a finished task, made for its final state. In arena. */
char *zt_api_callback_body(struct zt_arena *arena, const struct zt_task *task,
                           const char *public_url);

/* A callback and its tries, as GET /api/v1/jobs/callbacks shows them. In arena. */
struct zt_delivery_log;
char *zt_api_delivery_json(struct zt_arena *arena, const struct zt_delivery_log *log);

/* The OpenAPI 3.1 document, from the same tables. In arena. */
char *zt_api_describe(struct zt_arena *arena, const char *public_url);

/* Failure codes on the wire for a worker's error: "422" bad input, "501" generation failed, ... */
const char *zt_api_fail_code(enum zt_code code);

#endif
