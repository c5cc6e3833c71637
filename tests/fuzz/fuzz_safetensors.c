/* Any bytes as a safetensors file. */
#include "weights_any.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return any_weights(data, size);
}
