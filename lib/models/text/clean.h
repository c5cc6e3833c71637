/*
 * clean.h - what a prompt goes through before it is tokenized.
 *
 * The reference cleans a prompt with the Python package ftfy (fix_text), reads HTML's character
 * references twice, and collapses white space. This does the same, byte for byte, but for the
 * repair of mojibake (text read in the wrong encoding), which is a heuristic and is left out.
 * Pure; any thread.
 */
#ifndef ZT_MODELS_TEXT_CLEAN_H
#define ZT_MODELS_TEXT_CLEAN_H

#include "base/buf.h"

#define ZT_CLEAN_MAX_BYTES ((size_t)1 << 16) /* a prompt has 10 000 characters at most */

/*
 * Appends the cleaned text, UTF-8, to *ret; it can be empty. text is n bytes and may hold NUL,
 * which is removed.
 *   ZT_E_INVALID  not UTF-8
 *   ZT_E_LIMIT    longer than ZT_CLEAN_MAX_BYTES, or the result than ret's limit
 *   ZT_E_NOMEM
 */
enum zt_code zt_prompt_clean(const char *text, size_t n, struct zt_buf *ret, struct zt_err *err);

#endif
