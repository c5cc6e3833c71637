/*
 * sandbox.h - decoding a picture where a broken decoder can do no harm.
 *
 * A process of its own decodes: no files, no network, no other processes, bounded memory and time,
 * a short list of system calls. What comes back is checked before it is believed.
 */
#ifndef ZT_SERVICE_SANDBOX_H
#define ZT_SERVICE_SANDBOX_H

#include "base/error.h"

struct zt_stop;

/*
 * As zt_image_decode, in a process of its own. limits may be NULL, and so may stop. Besides its
 * codes:
 *   ZT_E_CORRUPT    also: the decoder crashed, was caught at something forbidden, or took too long
 *   ZT_E_LIMIT      also: decoding needs more memory than it may have
 *   ZT_E_CANCELLED  the stop was asked for
 *   ZT_E_NOMEM      the process was ended from outside, as when the machine runs out of memory
 *   ZT_E_IO, ZT_E_INTERNAL  the process could not be started or locked up: nobody's picture's fault
 * Call it from threads that live on: the process is ended together with the thread that made it.
 */
enum zt_code zt_sandbox_decode(const void *bytes, size_t n, const struct zt_image_limits *limits,
                               const struct zt_stop *stop, struct zt_image *ret,
                               struct zt_err *err);

/*
 * To be asked first by the main of every program that decodes: when the program was started as
 * the decoding process, this does that work and does not return.
 */
void zt_sandbox_enter(int argc, char **argv);

#ifdef ZT_FAULTS
/* The same, told to misbehave ("open", "fork", "spin", ...; jail.c), wall time of its own. */
enum zt_code zt_sandbox_misbehave(const char *how, const void *bytes, size_t n, int64_t wall_us,
                                  struct zt_image *ret, struct zt_err *err);
#endif

#endif
