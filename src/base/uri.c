/* encodeURI and validateURI of ECMAScript, on bytes (spec 1.2, 1.3). */

#include <arvo/uri.h>

#include "base/internal.h"

/* What encodeURI leaves alone: the unreserved and the reserved characters and '#'. */
#define U(c) [c] = 1
static const unsigned char uri_safe[256] = {
    U('A'), U('B'), U('C'), U('D'), U('E'), U('F'), U('G'), U('H'),  U('I'), U('J'), U('K'), U('L'),
    U('M'), U('N'), U('O'), U('P'), U('Q'), U('R'), U('S'), U('T'),  U('U'), U('V'), U('W'), U('X'),
    U('Y'), U('Z'), U('a'), U('b'), U('c'), U('d'), U('e'), U('f'),  U('g'), U('h'), U('i'), U('j'),
    U('k'), U('l'), U('m'), U('n'), U('o'), U('p'), U('q'), U('r'),  U('s'), U('t'), U('u'), U('v'),
    U('w'), U('x'), U('y'), U('z'), U('0'), U('1'), U('2'), U('3'),  U('4'), U('5'), U('6'), U('7'),
    U('8'), U('9'), U(';'), U('/'), U('?'), U(':'), U('@'), U('&'),  U('='), U('+'), U('$'), U(','),
    U('#'), U('-'), U('_'), U('.'), U('!'), U('~'), U('*'), U('\''), U('('), U(')'),
};
#undef U

/* Sixteen bytes at once, as the compiler's vectors: subjects are a few hundred bytes long and are
 * looked at for every event. */
typedef signed char uri_vector __attribute__((vector_size(16)));

static inline bool
uri_all_safe16(const char *p)
{
    uri_vector c;
    memcpy(&c, p, sizeof(c));
    /* Signed: a byte from 0x80 on is less than '!', as a control or a space is. */
    const uri_vector folded = c | 0x20; /* [ \ ] become { | } */
    const uri_vector bad = (c < '!') | (c == '"') | (c == '%') | ((c | 2) == '>') | (c == '^') |
                           (c == '`') | (c == 0x7f) | ((folded > 0x7a) & (folded < 0x7e));
    uint64_t halves[2];
    memcpy(halves, &bad, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

/* Length of the prefix that encodeURI leaves alone. */
static size_t
uri_safe_prefix(const char *p, size_t len)
{
    size_t i = 0;
    while (len - i >= sizeof(uri_vector) && uri_all_safe16(p + i))
        i += sizeof(uri_vector);
    /* The last step may overlap the one before it. */
    if (i > 0 && len - i < sizeof(uri_vector) && uri_all_safe16(p + len - sizeof(uri_vector)))
        return len;
    while (i < len && uri_safe[(unsigned char)p[i]])
        i++;
    return i;
}

bool
arvo_uri_is_plain(arvo_str text)
{
    return uri_safe_prefix(text.ptr, text.len) == text.len;
}

size_t
arvo__uri_encoded_len(arvo_str text)
{
    size_t i = uri_safe_prefix(text.ptr, text.len);
    size_t len = i;
    for (; i < text.len; i++)
        len += uri_safe[(unsigned char)text.ptr[i]] ? 1 : 3;
    return len;
}

void
arvo__uri_encode_into(arvo_str text, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i = 0;
    while (i < text.len) {
        const size_t run = uri_safe_prefix(text.ptr + i, text.len - i);
        if (run > 0)
            memcpy(out, text.ptr + i, run);
        out += run;
        i += run;
        if (i < text.len) {
            const unsigned char c = (unsigned char)text.ptr[i++];
            out[0] = '%';
            out[1] = digits[c >> 4];
            out[2] = digits[c & 15];
            out += 3;
        }
    }
}

arvo_status
arvo_uri_encode(arvo_str text, arvo_buf *out, arvo_error *err)
{
    ARVO_ASSERT(out != NULL);
    const size_t valid = arvo__utf8_valid_prefix(text);
    if (valid != text.len)
        return arvo_error_set(
            err, ARVO_E_MALFORMED, valid, "URI: byte %zu begins no UTF-8 character", valid);

    const size_t len = arvo__uri_encoded_len(text);
    char *dst = len > 0 ? arvo_buf_reserve(out, len) : NULL;
    if (dst != NULL) {
        arvo__uri_encode_into(text, dst);
        out->len += len;
    }
    return arvo__buf_status(out, "URI", err);
}

/* The byte that `p` escapes, -1 when it is not % and two digits, letters in upper case (encodeURI
 * writes no other). */
static int
uri_unescape(const char *p, size_t left)
{
    if (left < 3 || p[0] != '%')
        return -1;
    int value = 0;
    for (size_t i = 1; i <= 2; i++) {
        if (p[i] >= '0' && p[i] <= '9')
            value = value * 16 + (p[i] - '0');
        else if (p[i] >= 'A' && p[i] <= 'F')
            value = value * 16 + (p[i] - 'A' + 10);
        else
            return -1;
    }
    return value;
}

/* Bytes of text that hold one escaped character which encodeURI would escape; 0 when wrong. */
static size_t
uri_escape_len(const char *p, size_t left)
{
    char bytes[4];
    const int first = uri_unescape(p, left);
    if (first < 0)
        return 0;
    if (first < 0x80) /* decodeURI keeps an escaped reserved character, and % is escaped anew */
        return uri_safe[first] ? 0 : 3;

    const size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    for (size_t i = 0; i < count; i++) {
        if (left < 3 * i)
            return 0;
        const int byte = uri_unescape(p + 3 * i, left - 3 * i);
        if (byte < 0)
            return 0;
        bytes[i] = (char)byte;
    }
    return arvo__utf8_is_valid((arvo_str){ bytes, count }) ? 3 * count : 0;
}

bool
arvo_uri_is_valid(arvo_str text)
{
    size_t i = uri_safe_prefix(text.ptr, text.len);
    while (i < text.len) {
        const size_t len = uri_escape_len(text.ptr + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
        i += uri_safe_prefix(text.ptr + i, text.len - i);
    }
    return true;
}
