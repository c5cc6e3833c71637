/* Any bytes as a picture: probing and decoding must not crash, leak, or pass their limits. */
#include <stdlib.h>

#include "zoetrope.h"

#define MAX_PIXELS 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct zt_image_limits limits = { .max_bytes = 1 << 20,
                                                   .max_pixels = MAX_PIXELS,
                                                   .min_side_px = 1,
                                                   .max_side_px = 10000,
                                                   .max_aspect_times_1000 = 10000000 };
    struct zt_image_info info = { 0 };
    struct zt_image image = { 0 };
    enum zt_code probed = zt_image_probe(data, size, &limits, &info, NULL);
    enum zt_code decoded = zt_image_decode(data, size, &limits, &image, NULL);

    if (probed == ZT_OK && (int64_t)info.width_px * info.height_px > MAX_PIXELS)
        abort();
    if (decoded == ZT_OK &&
        (probed != ZT_OK || image.width_px != info.width_px || image.height_px != info.height_px))
        abort();
    zt_image_clear(&image);
    return 0;
}
