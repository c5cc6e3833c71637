/* Any bytes as a GGUF file: the magic is put in front, so that none is lost on guessing it. */
#include "weights_any.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return any_weights(data, size);
    uint8_t *file = malloc(size);
    memcpy(file, data, size);
    memcpy(file, "GGUF", 4);
    any_weights(file, size);
    free(file);
    return 0;
}
