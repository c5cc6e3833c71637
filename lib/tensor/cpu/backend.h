/*
 * backend.h - a ggml backend for the heavy operations of our graphs on the CPU: products with
 * weights, convolutions, attention, through oneDNN's f32 product. It works on host memory, the same
 * buffers that ggml's CPU backend has, and leaves everything else to that one. README.md says what
 * it takes over and what the numbers are worth.
 */
#ifndef ZT_TENSOR_CPU_BACKEND_H
#define ZT_TENSOR_CPU_BACKEND_H

#include <ggml-backend.h>
#include <stdbool.h>

/*
 * mode: of these, ALL: it takes every operation that it can compute, not only those it is faster
 * at; BF16: what is in bf16 or fewer bits is multiplied in bf16, by the CPU where zt_fast_has_bf16,
 * otherwise slowly. stop is asked
 * before each operation and during long ones, by one thread at a time; true ends the graph with
 * GGML_STATUS_ABORTED; it may be NULL. NULL: this process may not make code while it runs
 * (systemd's MemoryDenyWriteExecute), which oneDNN must. Freed with ggml_backend_free. The CPU must
 * have what device.c asks of it.
 */
typedef bool zt_fast_stop_fn(void *user);
enum { ZT_FAST_ALL = 1, ZT_FAST_BF16 = 2 };
ggml_backend_t zt_fast_new(int threads, unsigned mode, zt_fast_stop_fn *stop, void *user);

/* Whether this CPU multiplies bf16, faster than f32. */
bool zt_fast_has_bf16(void);

/*
 * Memory for the weights of 8-bit products (tensor/w8a8.h), which go to this backend, whatever the
 * size: nothing else reads it. NULL: oneDNN's 8-bit products are not exact on this CPU.
 */
ggml_backend_buffer_type_t zt_fast_w8a8_buffers(void);

/* Whether the backend reads buffers of this type. */
bool zt_fast_reads(ggml_backend_buffer_type_t type);

#endif
