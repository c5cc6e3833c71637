/*
 * settings_table.c - every setting, a row each. A new setting is a row here and a member of struct
 * zt_config. The order is that of --help and docs/SETTINGS.md.
 */
#include "cli/settings_table.h"

#include "base/clock.h"

#define AT(member) offsetof(struct zt_config, member)
#define ALL        (ZT_FOR_SERVE | ZT_FOR_WORKER | ZT_FOR_GENERATE | ZT_FOR_STORE | ZT_FOR_HEALTH)
#define WORK       (ZT_FOR_SERVE | ZT_FOR_WORKER)
#define MAKE       (WORK | ZT_FOR_GENERATE)
#define SECONDS(n) ((n)*ZT_SECOND_US)
#define DAYS(n)    ((n)*ZT_DAY_US)
#define MB         (INT64_C(1) << 20)
#define PRICE_MAX  INT64_C(1000000000) /* a million credits */
#define TB         (INT64_C(1) << 40)

static const char *const statuses[] = { "real", "compat", NULL };
static const char *const formats[] = { "text", "json", NULL };
static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

/* clang-format off */
const struct zt_setting zt_settings_table[] = {
    /* ---- where ---- */
    { .name = "config", .kind = ZT_KIND_TEXT, .at = AT(config), .fallback = "", .value = "FILE",
      .commands = ALL,
      .help = "a file of settings, one \"name = value\" a line, # before a comment" },
    { .name = "data", .kind = ZT_KIND_TEXT, .at = AT(data), .value = "FOLDER",
      .commands = WORK | ZT_FOR_STORE,
      .help = "where tasks, keys and files are kept; default: $XDG_DATA_HOME/zoetrope, or "
              "~/.local/share/zoetrope" },
    { .name = "listen", .kind = ZT_KIND_TEXT, .at = AT(listen), .fallback = "127.0.0.1:8080",
      .value = "ADDRESS:PORT", .commands = ZT_FOR_SERVE | ZT_FOR_HEALTH,
      .help = "address to serve on; [::1]:8080 for IPv6; port 0 takes any free one" },
    { .name = "public-url", .kind = ZT_KIND_TEXT, .at = AT(public_url), .fallback = "",
      .value = "URL", .commands = ZT_FOR_SERVE,
      .help = "what result URLs start with, when clients reach the server through another name" },

    { .name = "tls-cert", .kind = ZT_KIND_TEXT, .at = AT(tls_cert), .fallback = "",
      .value = "FILE", .commands = ZT_FOR_SERVE,
      .help = "certificate chain (PEM): serve HTTPS; read anew when the file changes" },
    { .name = "tls-key", .kind = ZT_KIND_TEXT, .at = AT(tls_key), .fallback = "", .value = "FILE",
      .commands = ZT_FOR_SERVE, .help = "the private key of --tls-cert (PEM)" },
    { .name = "allow-plain-http", .kind = ZT_KIND_BOOL, .at = AT(allow_plain_http),
      .fallback = "false", .commands = ZT_FOR_SERVE,
      .help = "serve HTTP without TLS on an address that other machines reach: keys can be read on "
              "the way" },
    { .name = "trusted-proxies", .kind = ZT_KIND_TEXT, .at = AT(trusted_proxies), .fallback = "",
      .value = "CIDR,...", .commands = ZT_FOR_SERVE,
      .help = "reverse proxies whose X-Forwarded-For, -Proto and Forwarded headers are believed" },
    { .name = "metrics-token", .kind = ZT_KIND_TEXT, .at = AT(metrics_token), .fallback = "",
      .value = "TEXT", .commands = ZT_FOR_SERVE,
      .help = "lets others than this machine read /metrics, as a bearer token; better given as "
              "ZOETROPE_METRICS_TOKEN than as a flag" },

    /* ---- generating ---- */
    { .name = "engine", .kind = ZT_KIND_TEXT, .at = AT(engine), .fallback = "motion",
      .value = "NAME", .commands = MAKE, .help = "what makes the videos; see zoetrope version" },
    { .name = "model", .kind = ZT_KIND_TEXT, .at = AT(model), .fallback = "", .value = "FOLDER",
      .commands = MAKE, .help = "weights, for an engine that needs some; docs/MODELS.md" },
    { .name = "device", .kind = ZT_KIND_TEXT, .at = AT(device), .fallback = "auto",
      .value = "NAME", .commands = MAKE,
      .help = "what computes a model; auto: the best of those that zoetrope devices lists" },
    { .name = "offload", .kind = ZT_KIND_BOOL, .at = AT(offload), .fallback = "false",
      .commands = MAKE,
      .help = "keep weights in RAM and stream them to the device, when they do not fit there" },
    { .name = "backend", .kind = ZT_KIND_TEXT, .at = AT(backend), .fallback = "", .value = "FILE",
      .commands = MAKE,
      .help = "a library of ggml's that drives other devices, e.g. libggml-vulkan.so, of the same "
              "version of ggml" },
    { .name = "workers", .kind = ZT_KIND_INT, .at = AT(workers), .fallback = "1", .max = 64,
      .commands = ZT_FOR_SERVE,
      .help = "worker processes to start and look after; 0: workers are started by hand" },
    { .name = "threads", .kind = ZT_KIND_INT, .at = AT(threads), .fallback = "0", .max = 256,
      .commands = MAKE, .help = "threads of one worker's engine and encoder; 0: one a core" },
    { .name = "niceness", .kind = ZT_KIND_INT, .at = AT(niceness), .fallback = "5", .max = 19,
      .commands = WORK,
      .help = "how far workers stand back behind other processes, so that the API stays quick" },
    { .name = "preview-every", .kind = ZT_KIND_INT, .at = AT(preview_every), .fallback = "10",
      .max = 1000, .commands = MAKE,
      .help = "steps of an engine with weights between previews, where it has its tiny decoder; "
              "0: a server shows nothing before the end" },
    { .name = "preset", .kind = ZT_KIND_TEXT, .at = AT(preset), .fallback = "veryfast",
      .value = "NAME", .commands = MAKE,
      .help = "x264 preset: ultrafast, superfast, veryfast, faster, fast, medium, slow, slower" },
    { .name = "crf", .kind = ZT_KIND_INT, .at = AT(crf), .fallback = "18", .min = 1, .max = 51,
      .commands = MAKE, .help = "quality of the video: lower is better and larger" },
    { .name = "max-image-bytes", .kind = ZT_KIND_BYTES, .at = AT(max_image_bytes),
      .fallback = "10M", .min = 1024, .max = INT64_C(1) << 30, .commands = MAKE,
      .help = "the largest image file that is accepted" },

    /* ---- tasks ---- */
    { .name = "lease", .kind = ZT_KIND_DURATION, .at = AT(lease_us), .fallback = "20s",
      .min = SECONDS(1), .max = SECONDS(3600), .commands = WORK,
      .help = "how long a worker that went silent keeps its task" },
    { .name = "heartbeat", .kind = ZT_KIND_DURATION, .at = AT(renew_us), .fallback = "5s",
      .min = 100 * ZT_MS_US, .max = SECONDS(600), .commands = WORK,
      .help = "how often a worker renews its lease; at most half of it" },
    { .name = "stall", .kind = ZT_KIND_DURATION, .at = AT(stall_us), .fallback = "10m",
      .min = SECONDS(1), .max = DAYS(7), .commands = WORK,
      .help = "how long an engine may make no progress on 5 seconds of 480p, larger videos longer "
              "in proportion; then its worker ends and the attempt is counted" },
    { .name = "drain", .kind = ZT_KIND_DURATION, .at = AT(drain_us), .fallback = "20s",
      .max = SECONDS(3600), .commands = WORK,
      .help = "how long work under way may go on after SIGTERM; then it is put back" },
    { .name = "max-waiting", .live = true,
      .kind = ZT_KIND_INT, .at = AT(max_waiting), .fallback = "10000",
      .max = 100000000, .commands = ZT_FOR_SERVE,
      .help = "tasks waiting at once, past which createTask answers 429; 0: no limit" },
    { .name = "rate-limit", .live = true,
      .kind = ZT_KIND_RATE, .at = AT(rate), .fallback = "20/10s",
      .commands = ZT_FOR_SERVE,
      .help = "createTask calls a key may send in a span of time; 0: no limit" },

    { .name = "price-480p", .live = true,
      .kind = ZT_KIND_CREDITS, .at = AT(price_480p), .fallback = "0",
      .max = PRICE_MAX, .commands = ZT_FOR_SERVE,
      .help = "credits that a second of 480p video costs a user with a balance; 0: nothing" },
    { .name = "price-720p", .live = true,
      .kind = ZT_KIND_CREDITS, .at = AT(price_720p), .fallback = "0",
      .max = PRICE_MAX, .commands = ZT_FOR_SERVE, .help = "the same for 720p" },
    { .name = "price-1080p", .live = true,
      .kind = ZT_KIND_CREDITS, .at = AT(price_1080p), .fallback = "0",
      .max = PRICE_MAX, .commands = ZT_FOR_SERVE, .help = "the same for 1080p" },

    /* ---- the API ---- */
    { .name = "http-status", .kind = ZT_KIND_WORD, .at = AT(http_status), .fallback = "real",
      .words = statuses, .commands = ZT_FOR_SERVE,
      .help = "real: the HTTP status says what the body's code says; compat: always 200, as the "
              "hosted service does" },
    { .name = "extended-durations", .live = true,
      .kind = ZT_KIND_BOOL, .at = AT(extended_durations),
      .fallback = "false", .commands = ZT_FOR_SERVE,
      .help = "accept every whole duration from 2 to 12 seconds instead of 5 and 10" },
    { .name = "allow-unfiltered", .live = true,
      .kind = ZT_KIND_BOOL, .at = AT(allow_unfiltered),
      .fallback = "false", .commands = ZT_FOR_SERVE,
      .help = "let a request switch the output filter off with nsfw_checker" },

    /* ---- uploads ---- */
    { .name = "max-upload-bytes", .kind = ZT_KIND_BYTES, .at = AT(max_upload_bytes),
      .fallback = "20M", .min = 1024, .max = 100 * MB, .commands = ZT_FOR_SERVE,
      .help = "the largest file that can be uploaded; in base64 at most 20M" },
    { .name = "upload-bytes", .kind = ZT_KIND_BYTES, .at = AT(upload_bytes), .fallback = "1G",
      .max = 1024 * TB, .commands = ZT_FOR_SERVE,
      .help = "all uploads of a key together; 0: no limit" },
    { .name = "upload-fetches", .kind = ZT_KIND_INT, .at = AT(upload_fetches), .fallback = "4",
      .min = 1, .max = 64, .commands = ZT_FOR_SERVE,
      .help = "uploads by URL that are downloaded at the same time; four times as many may wait" },
    { .name = "keep-uploads", .kind = ZT_KIND_DURATION, .at = AT(keep_uploads_us),
      .fallback = "3d", .min = SECONDS(1), .max = DAYS(36500), .commands = ZT_FOR_SERVE,
      .help = "how long an upload can be used; a task that names one keeps it until its end" },

    /* ---- outgoing requests ---- */
    { .name = "allow-net", .kind = ZT_KIND_TEXT, .at = AT(allow_net), .fallback = "",
      .value = "CIDR,...", .commands = MAKE,
      .help = "networks that image URLs and callbacks may reach although they are not public, as "
              "10.0.0.0/8 or 127.0.0.1" },
    { .name = "ca-file", .kind = ZT_KIND_TEXT, .at = AT(ca_file), .fallback = "", .value = "FILE",
      .commands = MAKE, .help = "certificates to trust instead of the system's" },
    { .name = "callback-workers", .kind = ZT_KIND_INT, .at = AT(callback_workers),
      .fallback = "8", .min = 1, .max = 64, .commands = ZT_FOR_SERVE,
      .help = "callbacks sent at the same time" },
    { .name = "callback-host-limit", .kind = ZT_KIND_INT, .at = AT(callback_host_limit),
      .fallback = "2", .min = 1, .max = 64, .commands = ZT_FOR_SERVE,
      .help = "of those, to one host and port" },
    { .name = "callback-break-after", .kind = ZT_KIND_INT, .at = AT(callback_break_after),
      .fallback = "5", .min = 0, .max = 1000, .commands = ZT_FOR_SERVE,
      .help = "failures in a row after which a host is left alone for a while; 0: never" },
    { .name = "callback-break", .kind = ZT_KIND_DURATION, .at = AT(callback_break_us),
      .fallback = "30s", .min = SECONDS(1) / 10, .max = SECONDS(3600), .commands = ZT_FOR_SERVE,
      .help = "for how long, at first; twice as long after each probe that fails, up to 16 times "
              "that" },
    { .name = "callback-timeout", .kind = ZT_KIND_DURATION, .at = AT(callback_timeout_us),
      .fallback = "15s", .min = SECONDS(1), .max = SECONDS(120), .commands = ZT_FOR_SERVE,
      .help = "how long a receiver may take to answer" },
    { .name = "callback-retries", .kind = ZT_KIND_DURATIONS, .at = AT(callback_retries),
      .fallback = "5s,5m,30m,2h,5h,10h,14h,20h,24h", .commands = ZT_FOR_SERVE,
      .help = "waits between the tries of a callback, each moved by up to 20 %; it is given up "
              "after the last" },
    { .name = "callback-lease", .kind = ZT_KIND_DURATION, .at = AT(callback_lease_us),
      .fallback = "60s", .min = SECONDS(2), .max = SECONDS(3600), .commands = ZT_FOR_SERVE,
      .help = "after which a callback that a crash interrupted is tried again" },

    /* ---- keeping ---- */
    { .name = "keep-files", .kind = ZT_KIND_DURATION, .at = AT(keep_files_us), .fallback = "14d",
      .min = SECONDS(60), .max = DAYS(36500), .commands = WORK,
      .help = "how long a result can be fetched" },
    { .name = "keep-bytes", .kind = ZT_KIND_BYTES, .at = AT(keep_bytes), .fallback = "0",
      .max = 1024 * TB, .commands = ZT_FOR_SERVE,
      .help = "all results together; past it the oldest go early; 0: no limit" },
    { .name = "keep-at-least", .kind = ZT_KIND_DURATION, .at = AT(keep_least_us),
      .fallback = "1d", .max = DAYS(36500), .commands = ZT_FOR_SERVE,
      .help = "a result younger than this never goes because of keep-bytes" },
    { .name = "reserve-disk", .kind = ZT_KIND_BYTES, .at = AT(reserve_bytes), .fallback = "1G",
      .max = 1024 * TB, .commands = WORK | ZT_FOR_STORE,
      .help = "free space kept for work that was accepted: below it new work is refused with 503; "
              "never more than a tenth of the file system; 0: none" },
    { .name = "keep-tasks", .kind = ZT_KIND_DURATION, .at = AT(keep_tasks_us), .fallback = "60d",
      .min = SECONDS(60), .max = DAYS(36500), .commands = ZT_FOR_SERVE,
      .help = "how long a finished task can be asked about" },

    { .name = "log-level", .live = true,
      .kind = ZT_KIND_WORD, .at = AT(log_level), .fallback = "info",
      .words = levels, .commands = ALL, .help = "the least important lines that are logged" },
    { .name = "log-format", .kind = ZT_KIND_WORD, .at = AT(log_format), .fallback = "text",
      .words = formats, .commands = ALL,
      .help = "text: key=value pairs; json: the same events and fields, an object a line" },
    { .name = "access-log", .kind = ZT_KIND_BOOL, .at = AT(access_log), .fallback = "false",
      .commands = ZT_FOR_SERVE, .help = "log every request that was answered" },

    /* ---- between our own processes ---- */
    { .name = "name", .kind = ZT_KIND_TEXT, .at = AT(name), .fallback = "", .value = "NAME",
      .commands = ZT_FOR_WORKER | ZT_FOR_HIDDEN, .help = "what the worker's leases are under" },
    { .name = "control-fd", .kind = ZT_KIND_INT, .at = AT(control_fd), .fallback = "-1",
      .min = -1, .max = 1024, .commands = ZT_FOR_WORKER | ZT_FOR_HIDDEN,
      .help = "the socket to the supervisor" },
};
/* clang-format on */

const size_t zt_settings_table_n = ZT_COUNT(zt_settings_table);
