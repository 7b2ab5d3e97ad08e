/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing past U+10FFFF. */

#include "base/internal.h"

size_t
arvo__utf8_sequence(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2)
        return 0;
    if (c < 0xe0)
        return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (c < 0xf0) {
        const unsigned char low = c == 0xe0 ? 0xa0 : 0x80;
        const unsigned char high = c == 0xed ? 0x9f : 0xbf;
        return left >= 3 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (c < 0xf5) {
        const unsigned char low = c == 0xf0 ? 0x90 : 0x80;
        const unsigned char high = c == 0xf4 ? 0x8f : 0xbf;
        return left >= 4 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 &&
                       (p[3] & 0xc0) == 0x80
                   ? 4
                   : 0;
    }
    return 0;
}

uint32_t
arvo__utf8_decode(const char *p, size_t len)
{
    const unsigned char *const bytes = (const unsigned char *)p;
    uint32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (bytes[i] & 0x3fu);
    return code;
}

size_t
arvo__utf8_encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    static const unsigned char heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    const size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(heads[len] | code);
    return len;
}

size_t
arvo__utf8_valid_prefix(arvo_str text)
{
    size_t i = 0;
    while (i < text.len) {
        uint64_t word;
        if (text.len - i >= sizeof(word)) {
            memcpy(&word, text.ptr + i, sizeof(word));
            if ((word & 0x8080808080808080ULL) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        const size_t len = arvo__utf8_sequence(text.ptr + i, text.len - i);
        if (len == 0)
            return i;
        i += len;
    }
    return i;
}

size_t
arvo__utf8_count(arvo_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}
