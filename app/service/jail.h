/*
 * jail.h - the two ends of the decoding process: what it is asked, what it answers, and its main.
 *
 * The process is this program, started again with the hidden command ZT_JAIL_COMMAND and nothing
 * but four descriptors. Private to the sandbox (sandbox.c starts it, jail.c is it).
 */
#ifndef ZT_SERVICE_JAIL_H
#define ZT_SERVICE_JAIL_H

#include "base/error.h"

#define ZT_JAIL_COMMAND "decode-in-jail"

enum {
    ZT_JAIL_IN = 0,    /* a sealed memory file: zt_jail_ask, then the image's bytes */
    ZT_JAIL_OUT = 1,   /* an empty memory file for zt_jail_answer, then the pixels */
    ZT_JAIL_LOG = 2,   /* /dev/null, but for sanitizers' reports */
    ZT_JAIL_ALIVE = 3, /* the write end of a pipe: its end tells the parent at once */
    ZT_JAIL_FDS
};

#define ZT_JAIL_MAGIC UINT32_C(0x7a744a31)

struct zt_jail_ask {
    uint32_t magic;
    uint64_t bytes;
    struct zt_image_limits limits;
};

/* Written by a process that may have been taken over: nothing in it is trusted. */
struct zt_jail_answer {
    uint32_t magic;
    int32_t width_px, height_px;
    uint64_t bytes; /* of pixels: width * height * 3 */
    struct zt_err err;
};

/* Locks itself up, decodes, answers, ends the process. misbehave is for tests; NULL otherwise. */
_Noreturn void zt_jail_main(const char *misbehave);

#endif
