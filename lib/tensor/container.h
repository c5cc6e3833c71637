/*
 * container.h - what the readers of weight files fill in: the list behind weights.h. For this
 * folder alone.
 */
#ifndef ZT_TENSOR_CONTAINER_H
#define ZT_TENSOR_CONTAINER_H

#include "base/arena.h"
#include "tensor/weights.h"

#define ZT_WEIGHTS_TENSORS_MAX 65536
#define ZT_WEIGHTS_NAME_MAX    512
#define ZT_WEIGHTS_HEADER_MAX  ((size_t)100000000) /* safetensors' own limit */

struct zt_gguf;

/* A mapped file; maps[].data begins a page. */
struct zt_weights_map {
    const char *file; /* its name without the folder, for messages */
    const uint8_t *data;
    size_t n;
};

struct zt_weights_meta {
    const char *key, *value;
};

struct zt_weights {
    struct zt_arena arena; /* names and texts */
    struct zt_weights_map *maps;
    size_t n_maps, cap_maps;
    struct zt_weight *tensors; /* by name, once open */
    size_t n, cap;
    struct zt_weights_meta *meta;
    size_t n_meta, cap_meta;
    const char *format;
    struct zt_gguf *gguf; /* of a GGUF file */
};

/* Appends a tensor; name and raw_type are copied. ZT_E_LIMIT, ZT_E_CORRUPT for an empty name. */
enum zt_code zt_weights_add(struct zt_weights *w, const struct zt_weight *tensor, size_t name_n,
                            struct zt_err *err);
enum zt_code zt_weights_add_meta(struct zt_weights *w, const char *key, const char *value,
                                 struct zt_err *err);

/* ZT_E_CORRUPT when two of the tensors from `first` on share bytes. */
enum zt_code zt_weights_check_overlap(const struct zt_weights *w, size_t first, struct zt_err *err);

/* Append the tensors of one mapped file. */
enum zt_code zt_safetensors_read(struct zt_weights *w, const struct zt_weights_map *map,
                                 struct zt_err *err);
enum zt_code zt_gguf_read(struct zt_weights *w, const struct zt_weights_map *map,
                          struct zt_err *err);

/* The file that was mapped at this address. */
const struct zt_weights_map *zt_weights_map_of(const struct zt_weights *w, const void *data);

#endif
