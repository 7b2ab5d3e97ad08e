/* Values to text, as JSON.stringify writes them. */

#include "json/internal.h"

#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json/number.h"

/* Bytes that must be escaped: control characters, the quote, the backslash. */
static inline bool
write_needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* Whether one of 16 bytes must be escaped. */
#ifdef __SSE2__
static inline bool
write_block_needs_escape(const char *text)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))) != 0;
}
#else
static inline bool
write_block_needs_escape(const char *text)
{
    bool hit = false;
    for (size_t i = 0; i < 16; i++)
        hit |= write_needs_escape((unsigned char)text[i]);
    return hit;
}
#endif

/* The same for 8 bytes in a word: a byte below 0x20, or equal to a quote or a backslash, leaves its
 * high bit set in one of the terms. */
static inline bool
write_word_needs_escape(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
    const uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    const uint64_t hit = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                         ((backslash - ones) & ~backslash);
    return (hit & highs) != 0;
}

static inline bool
write_short_is_plain(const char *text, size_t len)
{
    uint64_t head, tail;
    if (len >= 8) { /* two words that overlap cover 8 to 16 bytes */
        memcpy(&head, text, 8);
        memcpy(&tail, text + len - 8, 8);
        return !write_word_needs_escape(head) && !write_word_needs_escape(tail);
    }
    for (size_t i = 0; i < len; i++)
        if (write_needs_escape((unsigned char)text[i]))
            return false;
    return true;
}

bool
arvo__json_str_is_plain(const char *text, size_t len)
{
    if (len < 16)
        return write_short_is_plain(text, len);
    for (size_t i = 0; len - i >= 16; i += 16)
        if (write_block_needs_escape(text + i))
            return false;
    return !write_block_needs_escape(text + len - 16); /* overlaps what was seen */
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

/* As arvo_buf_reserve(), without the call when there is room. */
static inline char *
write_reserve(arvo_buf *out, size_t len)
{
    if (ARVO_LIKELY(len <= out->cap - out->len && out->status == ARVO_OK && out->ptr != NULL))
        return out->ptr + out->len;
    return arvo_buf_reserve(out, len);
}

static inline void
write_bytes(const char *text, size_t len, arvo_buf *out)
{
    char *dst = write_reserve(out, len);
    if (dst == NULL)
        return;
    memcpy(dst, text, len);
    out->len += len;
}

static inline void
write_char(char c, arvo_buf *out)
{
    write_bytes(&c, 1, out);
}

static inline void
write_plain(const char *text, size_t len, arvo_buf *out)
{
    char *dst = write_reserve(out, len + 2);
    if (dst == NULL)
        return;
    dst[0] = '"';
    if (len > 0)
        memcpy(dst + 1, text, len);
    dst[len + 1] = '"';
    out->len += len + 2;
}

/* Bytes that escaping adds to `c`. */
static inline size_t
write_escape_extra(unsigned char c)
{
    if (!write_needs_escape(c))
        return 0;
    return c >= 0x20 || (c >= 8 && c <= 13 && c != 11) ? 1 : 5;
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
        need += write_escape_extra((unsigned char)text.ptr[i]);
    char *dst = arvo_buf_reserve(out, need);
    if (dst == NULL)
        return;
    *dst++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (write_needs_escape(c))
            dst = write_escape(dst, c);
        else
            *dst++ = (char)c;
    }
    *dst = '"';
    out->len += need;
}

void
arvo_json_write_double(double number, arvo_buf *out)
{
    char text[ARVO__NUMBER_TEXT_MAX];
    if (isfinite(number))
        write_bytes(text, arvo__number_format(number, text), out);
    else
        write_bytes("null", 4, out);
}

static void
write_integer(int64_t integer, arvo_buf *out)
{
    char text[ARVO__NUMBER_TEXT_MAX];
    write_bytes(text, arvo__integer_format(integer, text), out);
}

static inline void
write_string(const struct arvo_json *value, arvo_buf *out)
{
    if ((value->flags & ARVO__JSON_PLAIN) != 0)
        write_plain(value->as.string, value->len, out);
    else
        arvo_json_write_str((arvo_str){ value->as.string, value->len }, out);
}

static void
write_scalar(const struct arvo_json *value, arvo_buf *out)
{
    switch ((arvo_json_type)value->type) {
    case ARVO_JSON_BOOL:
        if (value->as.boolean)
            write_bytes("true", 4, out);
        else
            write_bytes("false", 5, out);
        return;
    case ARVO_JSON_INT:
        write_integer(value->as.integer, out);
        return;
    case ARVO_JSON_DOUBLE:
        arvo_json_write_double(value->as.number, out);
        return;
    case ARVO_JSON_STRING:
        write_string(value, out);
        return;
    case ARVO_JSON_ABSENT:
    case ARVO_JSON_NULL:
    case ARVO_JSON_ARRAY:
    case ARVO_JSON_OBJECT:
        write_bytes("null", 4, out);
        return;
    }
}

/* `before`, the key, a colon. */
static inline void
write_key(char before, const struct arvo__member *member, arvo_buf *out)
{
    if (ARVO_UNLIKELY(!member->key_plain)) {
        write_char(before, out);
        arvo_json_write_str((arvo_str){ member->key, member->key_len }, out);
        write_char(':', out);
        return;
    }
    char *dst = write_reserve(out, (size_t)member->key_len + 4);
    if (dst == NULL)
        return;
    *dst++ = before;
    *dst++ = '"';
    if (member->key_len > 0)
        memcpy(dst, member->key, member->key_len);
    dst += member->key_len;
    *dst++ = '"';
    *dst = ':';
    out->len += (size_t)member->key_len + 4;
}

/* What no parser of ours would read back is not written, and the stack stays bounded. */
static bool
write_is_too_deep(unsigned depth, arvo_buf *out)
{
    if (depth < ARVO_JSON_DEPTH_MAX)
        return false;
    if (out->status == ARVO_OK)
        out->status = ARVO_E_TOO_BIG;
    return true;
}

static void
write_compact(const struct arvo_json *value, unsigned depth, arvo_buf *out)
{
    if (value->type < ARVO_JSON_ARRAY) {
        write_scalar(value, out);
        return;
    }
    if (write_is_too_deep(depth, out))
        return;
    if (value->type == ARVO_JSON_ARRAY) {
        write_char('[', out);
        for (uint32_t i = 0; i < value->len; i++) {
            if (i > 0)
                write_char(',', out);
            write_compact(&value->as.items[i], depth + 1, out);
        }
        write_char(']', out);
    } else if (value->len == 0) {
        write_bytes("{}", 2, out);
    } else {
        char before = '{';
        for (const struct arvo__member *member = value->as.members, *end = member + value->len;
             member < end; member++) {
            write_key(before, member, out);
            before = ',';
            if (ARVO_LIKELY(member->value.type == ARVO_JSON_STRING))
                write_string(&member->value, out);
            else
                write_compact(&member->value, depth + 1, out);
        }
        write_char('}', out);
    }
}

void
arvo__json_write_inside(const arvo_json *value, unsigned depth, arvo_buf *out)
{
    if (value == NULL)
        write_bytes("null", 4, out);
    else
        write_compact(value, depth, out);
}

void
arvo_json_write(const arvo_json *value, arvo_buf *out)
{
    arvo__json_write_inside(value, 0, out);
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
write_pretty(const struct arvo_json *value, unsigned indent, unsigned depth, arvo_buf *out)
{
    const bool is_object = value->type == ARVO_JSON_OBJECT;
    const size_t spaces = (size_t)indent * depth;
    if (value->type < ARVO_JSON_ARRAY || value->len == 0) {
        write_compact(value, depth, out);
        return;
    }
    if (write_is_too_deep(depth, out))
        return;
    write_char(is_object ? '{' : '[', out);
    for (uint32_t i = 0; i < value->len; i++) {
        if (i > 0)
            write_char(',', out);
        write_newline(spaces + indent, out);
        if (is_object) {
            const struct arvo__member *member = &value->as.members[i];
            arvo_json_write_str((arvo_str){ member->key, member->key_len }, out);
            write_bytes(": ", 2, out);
            write_pretty(&member->value, indent, depth + 1, out);
        } else {
            write_pretty(&value->as.items[i], indent, depth + 1, out);
        }
    }
    write_newline(spaces, out);
    write_char(is_object ? '}' : ']', out);
}

void
arvo_json_write_pretty(const arvo_json *value, unsigned indent, arvo_buf *out)
{
    if (value == NULL || indent == 0)
        arvo_json_write(value, out);
    else
        write_pretty(value, indent <= 10 ? indent : 10, 0, out);
}
