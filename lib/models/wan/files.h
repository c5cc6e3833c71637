/*
 * files.h - which files in a model's folder are which part of it.
 */
#ifndef ZT_MODELS_WAN_FILES_H
#define ZT_MODELS_WAN_FILES_H

#include "models/wan/card.h"

struct zt_wan_files {
    char path[ZT_PARTS][PATH_MAX]; /* "" for a part that is not there */
};

/*
 * The card's own word first; then the folders of the diffusers layout (transformer, vae,
 * text_encoder, tokenizer); then every .safetensors and .gguf file in `folder` and in the folders
 * ComfyUI uses, told apart by the tensors in them. A tokenizer may lie in the text encoder's file.
 *   ZT_E_NOT_FOUND  no folder, or no file for the DiT, the text encoder, the tokenizer, or any
 *                   decoder: msg says what was looked for, where, and where it is published
 *   ZT_E_CONFLICT   two files for one part; msg names both
 * Errors of opening a file are passed on.
 */
enum zt_code zt_wan_files_find(const char *folder, const struct zt_card *card,
                               struct zt_wan_files *ret, struct zt_err *err);

#endif
