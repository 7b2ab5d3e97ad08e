/* Values to text, as JSON.stringify writes them. */

#include "json/internal.h"

#include <math.h>

#include "json/number.h"

/* Bytes that must be escaped: control characters, the quote, the backslash. */
static inline bool
write_needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

bool
arvo__json_str_is_plain(const char *text, size_t len)
{
    size_t i = 0;
    for (; len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, text + i, 8);
        /* A byte of (x - 0x20..) with its high bit set and x without: x < 0x20. Likewise x ^ c ==
         * 0. */
        const uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
        const uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
        const uint64_t hit = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                             ((backslash - ones) & ~backslash);
        if ((hit & highs) != 0)
            return false;
    }
    for (; i < len; i++)
        if (write_needs_escape((unsigned char)text[i]))
            return false;
    return true;
}

static char *
write_escape(char *dst, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    static const char names[] = "btn\0fr"; /* 8 to 13; 11 has none */
    *dst++ = '\\';
    if (c == '"' || c == '\\') {
        *dst++ = (char)c;
    } else if (c >= 8 && c <= 13 && c != 11) {
        *dst++ = names[c - 8];
    } else {
        memcpy(dst, "u00", 3);
        dst[3] = digits[c >> 4];
        dst[4] = digits[c & 15];
        dst += 5;
    }
    return dst;
}

static inline void
write_plain(const char *text, size_t len, arvo_buf *out)
{
    char *dst = arvo_buf_reserve(out, len + 2);
    if (dst == NULL)
        return;
    dst[0] = '"';
    if (len > 0)
        memcpy(dst + 1, text, len);
    dst[len + 1] = '"';
    out->len += len + 2;
}

void
arvo_json_write_str(arvo_str text, arvo_buf *out)
{
    if (arvo__json_str_is_plain(text.ptr, text.len)) {
        write_plain(text.ptr, text.len, out);
        return;
    }
    size_t need = text.len + 2;
    for (size_t i = 0; i < text.len; i++)
        need += write_needs_escape((unsigned char)text.ptr[i]) ? 5 : 0;
    char *dst = arvo_buf_reserve(out, need);
    if (dst == NULL)
        return;
    char *begin = dst;
    *dst++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (write_needs_escape(c))
            dst = write_escape(dst, c);
        else
            *dst++ = (char)c;
    }
    *dst++ = '"';
    out->len += (size_t)(dst - begin);
}

void
arvo_json_write_double(double number, arvo_buf *out)
{
    if (!isfinite(number)) {
        arvo_buf_append(out, "null", 4);
        return;
    }
    char *dst = arvo_buf_reserve(out, ARVO__NUMBER_TEXT_MAX);
    if (dst != NULL)
        out->len += arvo__number_format(number, dst);
}

static void
write_integer(int64_t integer, arvo_buf *out)
{
    char *dst = arvo_buf_reserve(out, ARVO__NUMBER_TEXT_MAX);
    if (dst != NULL)
        out->len += arvo__integer_format(integer, dst);
}

static void
write_scalar(const struct arvo_json *value, arvo_buf *out)
{
    switch ((arvo_json_type)value->type) {
    case ARVO_JSON_BOOL:
        if (value->as.boolean)
            arvo_buf_append(out, "true", 4);
        else
            arvo_buf_append(out, "false", 5);
        return;
    case ARVO_JSON_INT:
        write_integer(value->as.integer, out);
        return;
    case ARVO_JSON_DOUBLE:
        arvo_json_write_double(value->as.number, out);
        return;
    case ARVO_JSON_STRING:
        if ((value->flags & ARVO__JSON_PLAIN) != 0)
            write_plain(value->as.string, value->len, out);
        else
            arvo_json_write_str((arvo_str){ value->as.string, value->len }, out);
        return;
    case ARVO_JSON_ABSENT:
    case ARVO_JSON_NULL:
    case ARVO_JSON_ARRAY:
    case ARVO_JSON_OBJECT:
        arvo_buf_append(out, "null", 4);
        return;
    }
}

static void
write_key(const struct arvo__member *member, arvo_buf *out)
{
    if (member->key_plain)
        write_plain(member->key, member->key_len, out);
    else
        arvo_json_write_str((arvo_str){ member->key, member->key_len }, out);
}

static void
write_compact(const struct arvo_json *value, arvo_buf *out)
{
    if (value->type == ARVO_JSON_OBJECT) {
        char separator = '{';
        for (uint32_t i = 0; i < value->len; i++) {
            arvo_buf_append_char(out, separator);
            separator = ',';
            write_key(&value->as.members[i], out);
            arvo_buf_append_char(out, ':');
            write_compact(&value->as.members[i].value, out);
        }
        if (value->len == 0)
            arvo_buf_append_char(out, '{');
        arvo_buf_append_char(out, '}');
    } else if (value->type == ARVO_JSON_ARRAY) {
        arvo_buf_append_char(out, '[');
        for (uint32_t i = 0; i < value->len; i++) {
            if (i > 0)
                arvo_buf_append_char(out, ',');
            write_compact(&value->as.items[i], out);
        }
        arvo_buf_append_char(out, ']');
    } else {
        write_scalar(value, out);
    }
}

void
arvo_json_write(const arvo_json *value, arvo_buf *out)
{
    if (value == NULL)
        arvo_buf_append(out, "null", 4);
    else
        write_compact(value, out);
}

static void
write_newline(size_t spaces, arvo_buf *out)
{
    char *dst = arvo_buf_reserve(out, spaces + 1);
    if (dst == NULL)
        return;
    dst[0] = '\n';
    memset(dst + 1, ' ', spaces);
    out->len += spaces + 1;
}

static void
write_pretty(const struct arvo_json *value, unsigned indent, size_t spaces, arvo_buf *out)
{
    const bool is_object = value->type == ARVO_JSON_OBJECT;
    if ((!is_object && value->type != ARVO_JSON_ARRAY) || value->len == 0) {
        write_compact(value, out);
        return;
    }
    arvo_buf_append_char(out, is_object ? '{' : '[');
    for (uint32_t i = 0; i < value->len; i++) {
        if (i > 0)
            arvo_buf_append_char(out, ',');
        write_newline(spaces + indent, out);
        if (is_object) {
            write_key(&value->as.members[i], out);
            arvo_buf_append(out, ": ", 2);
            write_pretty(&value->as.members[i].value, indent, spaces + indent, out);
        } else {
            write_pretty(&value->as.items[i], indent, spaces + indent, out);
        }
    }
    write_newline(spaces, out);
    arvo_buf_append_char(out, is_object ? '}' : ']');
}

void
arvo_json_write_pretty(const arvo_json *value, unsigned indent, arvo_buf *out)
{
    if (value == NULL || indent == 0)
        arvo_json_write(value, out);
    else
        write_pretty(value, indent <= 10 ? indent : 10, 0, out);
}
