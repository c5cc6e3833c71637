/*
 * config.h - every setting of the program, read and checked. Filled by the command line's table of
 * settings; the loops only read it. Strings belong to whoever filled it and outlive the loops.
 */
#ifndef ZT_SERVICE_CONFIG_H
#define ZT_SERVICE_CONFIG_H

#include "base/error.h"

#define ZT_CALLBACK_RETRIES_MAX 20

struct zt_durations {
    int n;
    int64_t us[ZT_CALLBACK_RETRIES_MAX];
};

/* At most `n` in any window of `window_us`; n 0: no limit. */
struct zt_rate {
    int n;
    int64_t window_us;
};

struct zt_config {
    const char *config;     /* the file of settings; "" for none */
    const char *data;       /* the data folder */
    const char *listen;     /* "127.0.0.1:8080" */
    const char *public_url; /* "" : made from the address listened on */
    const char *engine;
    const char *model;   /* folder of weights; "" for an engine without any */
    const char *device;  /* what computes it, by name; "auto" */
    bool offload;        /* weights stay in RAM */
    const char *backend; /* a library of ggml's that drives more devices; "" for none */
    int64_t workers;     /* worker processes to supervise */
    int64_t threads;     /* of an engine and an encoder; 0: one a core */
    int64_t niceness;    /* of worker processes, 0 ... 19 */
    int64_t lease_us, renew_us, drain_us, stall_us;
    const char *allow_net; /* CIDRs, separated by commas */
    const char *ca_file;   /* "" : the system's */
    int http_status;       /* index: real, compat */
    bool extended_durations, allow_unfiltered;
    struct zt_rate rate;
    int64_t max_waiting;
    int64_t price_480p, price_720p, price_1080p; /* thousandths of a credit a second of video */
    int64_t keep_files_us, keep_least_us, keep_bytes, keep_tasks_us;
    int64_t max_upload_bytes, upload_bytes, upload_fetches, keep_uploads_us;
    int64_t preview_every; /* steps of an engine; 0: nothing can be watched before the end */
    const char *preset;    /* of the encoder */
    int64_t crf;
    int log_level;  /* enum zt_log_level */
    int log_format; /* enum zt_log_format */
    bool access_log;
    const char *tls_cert, *tls_key; /* "" : plain HTTP */
    bool allow_plain_http;          /* also where other machines can read along */
    const char *trusted_proxies;    /* CIDRs, separated by commas */
    const char *metrics_token;      /* "" : /metrics is for this machine alone */
    int64_t reserve_bytes;
    int64_t callback_workers, callback_lease_us, callback_timeout_us;
    int64_t callback_host_limit, callback_break_after, callback_break_us;
    struct zt_durations callback_retries; /* waits between tries: one more try than waits */
    int64_t max_image_bytes;
    const char *name;   /* of a worker; "" : made up */
    int64_t control_fd; /* of a supervised worker; -1: on its own */
};

#endif
