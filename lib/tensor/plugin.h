/*
 * plugin.h - a backend of ggml's that lies in a library of its own, as distributions and packages
 * ship them: a program that was built for CPUs alone can drive a GPU with it.
 */
#ifndef ZT_TENSOR_PLUGIN_H
#define ZT_TENSOR_PLUGIN_H

#include "base/error.h"

/*
 * Adds the library's devices to those there are, for as long as the process lives. A library that
 * was added before is fine. Any thread.
 *   ZT_E_NOT_FOUND    there is no such file
 *   ZT_E_UNSUPPORTED  it is no backend of ggml's, one of another version, or finds no device; msg
 *                     says which
 *   ZT_E_LIMIT        more than a few libraries
 */
enum zt_code zt_plugin_load(const char *path, struct zt_err *err);

#endif
