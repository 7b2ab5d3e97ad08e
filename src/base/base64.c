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

static int
base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
arvo__base64_decode(arvo_str text, uint8_t *out, size_t *out_len)
{
    if (text.len % 4 != 0)
        return false;
    size_t pad = 0;
    while (pad < 2 && pad < text.len && text.ptr[text.len - 1 - pad] == '=')
        pad++;

    const size_t digits = text.len - pad;
    uint32_t word = 0;
    size_t used = 0;
    for (size_t i = 0; i < digits; i++) {
        const int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        word = word << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            out[used++] = (uint8_t)(word >> 16);
            out[used++] = (uint8_t)(word >> 8);
            out[used++] = (uint8_t)word;
            word = 0;
        }
    }
    if (pad == 1) {
        if ((word & 3) != 0)
            return false;
        out[used++] = (uint8_t)(word >> 10);
        out[used++] = (uint8_t)(word >> 2);
    } else if (pad == 2) {
        if ((word & 15) != 0)
            return false;
        out[used++] = (uint8_t)(word >> 4);
    }
    *out_len = used;
    return true;
}
