/* Text for messages. */

#include "base/internal.h"

#include <stdio.h>

arvo_str
arvo__quote(arvo_arena *arena, arvo_str text, size_t max)
{
    size_t len = text.len < max ? text.len : max;
    while (len > 0 && len < text.len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--; /* not inside a code point */

    const size_t cap = 4 * len + 6; /* every byte escaped, two quotes, "...", NUL */
    char *out = arvo__arena_alloc(arena, cap);
    if (out == NULL)
        return ARVO_STR("\"...\"");
    size_t used = 0;
    out[used++] = '"';
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            used += (size_t)snprintf(out + used, cap - used, "\\x%02x", c);
        else
            out[used++] = (char)c;
    }
    if (len < text.len) {
        memcpy(out + used, "...", 3);
        used += 3;
    }
    out[used++] = '"';
    out[used] = '\0';
    return (arvo_str){ out, used };
}

void
arvo__hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
}
