/*
 * serve.h - the server process: HTTP, callbacks, housekeeping, and the workers it supervises.
 */
#ifndef ZT_SERVICE_SERVE_H
#define ZT_SERVICE_SERVE_H

#include "base/error.h"

struct zt_config;

/* What there is to say once requests are answered. */
struct zt_serve_ready {
    const char *url;            /* "http://127.0.0.1:8080" */
    const char *data;           /* the data folder */
    const char *key;            /* the secret of the key made for a first start, or NULL */
    const char *webhook_secret; /* the same */
};

/* Settings read again. Strings live until the next reading, or the end. */
struct zt_serve_reread {
    const struct zt_config *config; /* of it, what may change while serving is taken over */
    const char *waiting;            /* names of changed settings that need a restart; "": none */
};

struct zt_serve_options {
    const struct zt_config *config;
    const char *const
        *worker_argv; /* for the worker processes: program, "worker", settings, NULL */
    /* Reads the settings again after SIGHUP; may be NULL. */
    enum zt_code (*reread)(void *user, struct zt_serve_reread *ret, struct zt_err *err);
    void (*on_ready)(void *user, const struct zt_serve_ready *ready);
    void *user;
};

/*
 * Whether keys would travel in the clear: an address that is not this machine's own, no TLS, no
 * proxy that is trusted to have it. A name other than localhost counts as not its own.
 */
bool zt_serve_is_open(const struct zt_config *config);

/*
 * Serves until SIGTERM or SIGINT; returns when requests under way are answered and the workers have
 * finished or put back what they had. A second signal ends the process at once (exit 130).
 *   ZT_E_BUSY     another server uses the data folder, or the address is taken
 *   ZT_E_INVALID  a setting that only shows when used, as an address to listen on; or it
 *                 would be open and nobody allowed that
 */
enum zt_code zt_serve(const struct zt_serve_options *options, struct zt_err *err);

#endif
