/*
 * from_weights.h - a tokenizer that lies in the same file as the text encoder's weights.
 */
#ifndef ZT_MODELS_TEXT_FROM_WEIGHTS_H
#define ZT_MODELS_TEXT_FROM_WEIGHTS_H

#include "models/text/tokenizer.h"

struct zt_weights;

/* Whether there is one: ComfyUI's tensor "spiece_model", or GGUF's tokenizer.ggml.* metadata. */
bool zt_tokenizer_in_weights(const struct zt_weights *weights);

/* Reads it; keeps nothing of the weights. ZT_E_NOT_FOUND, and as zt_tokenizer_from_bytes. */
enum zt_code zt_tokenizer_from_weights(const struct zt_weights *weights, struct zt_tokenizer **ret,
                                       struct zt_err *err);

#endif
