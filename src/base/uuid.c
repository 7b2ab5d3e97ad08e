/* Random UUIDs (RFC 9562 section 5.4). */

#include <arvo/platform.h>

#include <string.h>

#include "base/internal.h"

/* Eight hexadecimal digits of four bytes, the first digit in the first byte of the result as it
 * lies in memory. Nibbles are spread one to a byte; those above 9 get the distance to 'a' added. */
static inline void
uuid_hex8(const unsigned char *bytes, char *out)
{
    uint64_t x = (uint64_t)bytes[0] | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 32 |
                 (uint64_t)bytes[3] << 48;
    x = (x >> 4 | x << 8) & 0x0f0f0f0f0f0f0f0fULL;
    const uint64_t letters = ((x + 0x0606060606060606ULL) >> 4) & 0x0101010101010101ULL;
    x += 0x3030303030303030ULL + letters * ('a' - '0' - 10);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    memcpy(out, &x, sizeof(x));
}

bool
arvo_uuid_new(const arvo_platform *platform, char *out)
{
    ARVO_ASSERT(platform != NULL && out != NULL);
    unsigned char bytes[16];
    if (!platform->random(platform->self, bytes, sizeof(bytes)))
        return false;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant 10 */

    char digits[32];
    for (size_t i = 0; i < 4; i++)
        uuid_hex8(bytes + 4 * i, digits + 8 * i);
    memcpy(out, digits, 8);
    out[8] = '-';
    memcpy(out + 9, digits + 8, 4);
    out[13] = '-';
    memcpy(out + 14, digits + 12, 4);
    out[18] = '-';
    memcpy(out + 19, digits + 16, 4);
    out[23] = '-';
    memcpy(out + 24, digits + 20, 12);
    return true;
}
