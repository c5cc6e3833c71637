/* exif.c - see exif.h. TIFF 6.0, EXIF 2.3. */
#include "media/exif.h"

#include <stdbool.h>
#include <string.h>

#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT      3
#define ENTRY_BYTES     12

static unsigned get16(const uint8_t *p, bool big)
{
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static size_t get32(const uint8_t *p, bool big)
{
    size_t a = get16(p, big);
    size_t b = get16(p + 2, big);

    return big ? a << 16 | b : b << 16 | a;
}

int zt_exif_orientation(const uint8_t *bytes, size_t n)
{
    if (n >= 6 && memcmp(bytes, "Exif\0", 5) == 0) { /* the sixth byte is padding */
        bytes += 6;
        n -= 6;
    }
    if (n < 8)
        return 1;
    bool big = memcmp(bytes, "MM\0*", 4) == 0;
    if (!big && memcmp(bytes, "II*\0", 4) != 0)
        return 1;
    size_t at = get32(bytes + 4, big);
    if (at > n - 2) /* n is at least 8 */
        return 1;
    unsigned entries = get16(bytes + at, big);
    at += 2;
    for (; entries > 0 && n - at >= ENTRY_BYTES; entries--, at += ENTRY_BYTES) {
        const uint8_t *entry = bytes + at;
        if (get16(entry, big) != TAG_ORIENTATION)
            continue;
        unsigned value = get16(entry + 8, big);
        bool sound = get16(entry + 2, big) == TYPE_SHORT && get32(entry + 4, big) == 1;
        return sound && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
