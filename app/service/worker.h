/*
 * worker.h - the loop that claims tasks and runs them, one at a time, until it is told to stop.
 */
#ifndef ZT_SERVICE_WORKER_H
#define ZT_SERVICE_WORKER_H

#include "base/error.h"

struct zt_config;

/*
 * What a supervised worker and its supervisor say to each other, one byte each, over a socket.
 * Its end means that the other process is gone.
 */
enum {
    ZT_CONTROL_IDLE = 'i',     /* worker: about to wait; tell me when there is work */
    ZT_CONTROL_WORK = 'w',     /* supervisor: there may be work */
    ZT_CONTROL_CALLBACK = 'd', /* worker: a callback is due */
    ZT_CONTROL_CANCEL = 'c',   /* supervisor: a task was cancelled, perhaps yours */
};

/*
 * Runs until SIGTERM or SIGINT, or until the supervisor at config->control_fd is gone. What is in
 * hand is finished within config->drain_us, or else put back with its attempt not counted.
 * Fails when the store, the files or the engine cannot be opened.
 */
enum zt_code zt_worker_run(const struct zt_config *config, struct zt_err *err);

#endif
