/* Standard base64 (RFC 4648 section 4), canonical form only. */

#include "base/internal.h"

size_t
arvo__base64_encoded_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

void
arvo__base64_encode(const void *bytes, size_t len, char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = bytes;

    for (; len >= 3; len -= 3, p += 3) {
        const uint32_t word = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *out++ = alphabet[word >> 18];
        *out++ = alphabet[word >> 12 & 63];
        *out++ = alphabet[word >> 6 & 63];
        *out++ = alphabet[word & 63];
    }
    if (len > 0) {
        const uint32_t word = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
        *out++ = alphabet[word >> 18];
        *out++ = alphabet[word >> 12 & 63];
        *out++ = len == 2 ? alphabet[word >> 6 & 63] : '=';
        *out++ = '=';
    }
}

#define NO    0x80 /* no digit */
#define NO8   NO, NO, NO, NO, NO, NO, NO, NO
#define NO32  NO8, NO8, NO8, NO8
#define NO128 NO32, NO32, NO32, NO32

/* Digits of random data defeat a branch predictor, so each is looked up. */
static const uint8_t base64_digits[256] = {
    NO32,                                                              /* controls */
    NO8,   NO, NO, NO, 62, NO, NO, NO, 63,                             /* + / */
    52,    53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO, /* 0 to 9 */
    NO,    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, /* A to O */
    15,    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO, /* P to Z */
    NO,    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* a to o */
    41,    42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO, /* p to z */
    NO128,                                                             /* not ASCII */
};

#undef NO128
#undef NO32
#undef NO8
#undef NO

bool
arvo__base64_decode(arvo_str text, uint8_t *out, size_t *out_len)
{
    if (text.len % 4 != 0)
        return false;
    size_t pad = 0;
    while (pad < 2 && pad < text.len && text.ptr[text.len - 1 - pad] == '=')
        pad++;

    const unsigned char *p = (const unsigned char *)text.ptr;
    uint8_t *begin = out;
    size_t left = text.len;
    unsigned wrong = 0;
    for (; left > (pad > 0 ? 4u : 0u); left -= 4, p += 4, out += 3) {
        const unsigned a = base64_digits[p[0]], b = base64_digits[p[1]];
        const unsigned c = base64_digits[p[2]], d = base64_digits[p[3]];
        wrong |= a | b | c | d;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        out[1] = (uint8_t)(b << 4 | c >> 2);
        out[2] = (uint8_t)(c << 6 | d);
    }
    if (pad > 0) {
        const unsigned a = base64_digits[p[0]], b = base64_digits[p[1]];
        const unsigned c = pad == 1 ? base64_digits[p[2]] : 0;
        wrong |= a | b | c;
        if ((pad == 1 ? c & 3 : b & 15) != 0) /* spare bits */
            return false;
        *out++ = (uint8_t)(a << 2 | b >> 4);
        if (pad == 1)
            *out++ = (uint8_t)(b << 4 | c >> 2);
    }
    if ((wrong & 0x80) != 0)
        return false;
    *out_len = (size_t)(out - begin);
    return true;
}
