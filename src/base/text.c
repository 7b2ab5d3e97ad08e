/* Text for messages, hexadecimal, %XX. */

#include "base/internal.h"

size_t
arvo__printable(const char *p, size_t left)
{
    const unsigned char c = (unsigned char)*p;
    if (c < 0x20 || c == 0x7f)
        return 0;
    if (c == 0xc2 && left >= 2 && (unsigned char)p[1] < 0xa0)
        return 0; /* U+0080 to U+009F: terminals obey them as they obey ESC */
    return arvo__utf8_sequence(p, left);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

arvo_str
arvo__trim_blanks(arvo_str text)
{
    while (text.len > 0 && is_blank(text.ptr[0]))
        text = (arvo_str){ text.ptr + 1, text.len - 1 };
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

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
    for (size_t i = 0; i < len;) {
        const size_t shown = arvo__printable(text.ptr + i, len - i);
        if (shown > 0) {
            memcpy(out + used, text.ptr + i, shown);
            used += shown;
            i += shown;
        } else {
            memcpy(out + used, "\\x", 2);
            arvo__hex(text.ptr + i, 1, out + used + 2);
            used += 4;
            i++;
        }
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

bool
arvo__hex_read(const char *text, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const int high = arvo__hex_value_lower(text[2 * i]);
        const int low = high >= 0 ? arvo__hex_value_lower(text[2 * i + 1]) : -1;
        if (low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int32_t
arvo__hex_number(const char *p, size_t digits)
{
    int32_t number = 0;
    for (size_t i = 0; i < digits; i++) {
        const int value = arvo__hex_value(p[i]);
        if (value < 0)
            return -1;
        number = number * 16 + value;
    }
    return number;
}

int
arvo__percent_byte(const char *p, size_t left)
{
    return left >= 3 && p[0] == '%' ? arvo__hex_number(p + 1, 2) : -1;
}

size_t
arvo__percent_decode(arvo_str text, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const int byte = arvo__percent_byte(text.ptr + i, text.len - i);
        out[len++] = byte >= 0 ? (char)byte : text.ptr[i];
        i += byte >= 0 ? 2 : 0;
    }
    return len;
}
