/* Host names, addresses and mail addresses. */

#include "contract/format.h"

#define LABEL_BYTES_MAX    63u
#define HOSTNAME_BYTES_MAX 253u
#define LOCAL_BYTES_MAX    64u
#define EMAIL_BYTES_MAX    254u

/* ---- Labels --------------------------------------------------------------- */

typedef struct code_range {
    uint32_t first, last;
} code_range;

/* Signs that join the letter before them, so that no label begins with one (RFC 5891, 4.2.3.2):
 * the blocks of combining marks and the marks of the larger scripts. */
static const code_range marks[] = {
    { 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a },
    { 0x064b, 0x065f }, { 0x06d6, 0x06dc }, { 0x0900, 0x0903 }, { 0x093a, 0x093c },
    { 0x093e, 0x094f }, { 0x0951, 0x0957 }, { 0x0981, 0x0983 }, { 0x09be, 0x09cd },
    { 0x0a01, 0x0a03 }, { 0x0a3c, 0x0a4d }, { 0x0abc, 0x0abc }, { 0x0abe, 0x0acd },
    { 0x0b3c, 0x0b3c }, { 0x0b3e, 0x0b4d }, { 0x0bbe, 0x0bcd }, { 0x0c3e, 0x0c4d },
    { 0x0cbc, 0x0cbc }, { 0x0cbe, 0x0ccd }, { 0x0d3e, 0x0d4d }, { 0x0dca, 0x0ddf },
    { 0x0e31, 0x0e31 }, { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x0f71, 0x0f84 },
    { 0x102b, 0x103e }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff },
    { 0x302a, 0x302f }, { 0x3099, 0x309a }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};

/* Never in a label (RFC 5892, section 2.6), with what lies outside of letters, marks and digits. */
static const code_range disallowed[] = {
    { 0x0080, 0x00b6 }, { 0x00b8, 0x00de },    { 0x00d7, 0x00d7 }, { 0x00f7, 0x00f7 },
    { 0x0640, 0x0640 }, { 0x07fa, 0x07fa },    { 0x2000, 0x200b }, { 0x200e, 0x2070 },
    { 0x20a0, 0x20cf }, { 0x2100, 0x214d },    { 0x2190, 0x2bff }, { 0x2e00, 0x2e2e },
    { 0x3000, 0x3004 }, { 0x3008, 0x3029 },    { 0x302e, 0x302f }, { 0x3031, 0x3035 },
    { 0x303b, 0x303b }, { 0xe000, 0xf8ff },    { 0xfe00, 0xfe1f }, { 0xff00, 0xffef },
    { 0xfff0, 0xffff }, { 0xe0000, 0x10ffff },
};

static bool
is_among(uint32_t code, const code_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

static bool
is_any(const uint32_t *codes, size_t count, uint32_t first, uint32_t last)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] >= first && codes[i] <= last)
            return true;
    return false;
}

static bool
is_virama(uint32_t code)
{
    /* At the same place in each script of India; others have one of their own. */
    return (code >= 0x0900 && code < 0x0e00 && (code & 0x7f) == 0x4d) || code == 0x0dca ||
           code == 0x0e3a || code == 0x0f84 || code == 0x1039;
}

static bool
has_kana_or_han(const uint32_t *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] != 0x30fb &&
            (is_any(&codes[i], 1, 0x3041, 0x30ff) || is_any(&codes[i], 1, 0x31f0, 0x31ff) ||
             is_any(&codes[i], 1, 0x3400, 0x9fff) || codes[i] == 0x3005 || codes[i] == 0x3007 ||
             is_any(&codes[i], 1, 0x20000, 0x323af)))
            return true;
    return false;
}

/* Characters that are right only beside certain others (RFC 5892, appendix A). */
static bool
context_fits(const uint32_t *codes, size_t count, size_t i)
{
    const uint32_t before = i > 0 ? codes[i - 1] : 0;
    const uint32_t after = i + 1 < count ? codes[i + 1] : 0;
    switch (codes[i]) {
    case 0x00b7: /* middle dot */
        return before == 'l' && after == 'l';
    case 0x0375: /* Greek numeral sign */
        return (after >= 0x0370 && after <= 0x03ff) || (after >= 0x1f00 && after <= 0x1fff);
    case 0x05f3: /* Hebrew geresh and gershayim */
    case 0x05f4:
        return before >= 0x0590 && before <= 0x05ff;
    case 0x30fb: /* katakana middle dot */
        return has_kana_or_han(codes, count);
    case 0x200c: /* joiners */
    case 0x200d:
        return is_virama(before);
    default:
        if (codes[i] >= 0x0660 && codes[i] <= 0x0669)
            return !is_any(codes, count, 0x06f0, 0x06f9);
        return !is_among(codes[i], disallowed, ARVO_COUNT_OF(disallowed));
    }
}

/* A label beyond ASCII, as its code points. */
static bool
is_u_label(const uint32_t *codes, size_t count)
{
    if (count == 0 || codes[0] == '-' || codes[count - 1] == '-' ||
        (count >= 4 && codes[2] == '-' && codes[3] == '-') ||
        is_among(codes[0], marks, ARVO_COUNT_OF(marks)))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (codes[i] < 0x80) {
            const char c = (char)codes[i];
            if (!format__is_letter(c) && !format__is_digit(c) && c != '-')
                return false;
        } else if (!context_fits(codes, count, i)) {
            return false;
        }
    }
    return true;
}

/* ---- Punycode (RFC 3492) -------------------------------------------------- */

static uint32_t
puny_adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / 700 : delta / 2;
    delta += delta / points;
    for (; delta > 455; k += 36)
        delta /= 35;
    return k + 36 * delta / (delta + 38);
}

static uint32_t
puny_adapted_insert(uint32_t *codes, size_t count, uint32_t at, uint32_t code)
{
    memmove(&codes[at + 1], &codes[at], (count - at) * sizeof(*codes));
    codes[at] = code;
    return at + 1;
}

static int
puny_digit(char c)
{
    if (format__is_digit(c))
        return c - '0' + 26;
    return format__is_letter(c) ? (c | 0x20) - 'a' : -1;
}

/* One variable-length integer added to *i; false: malformed. */
static bool
puny_integer(arvo_str text, size_t *at, uint32_t bias, uint32_t *i)
{
    uint64_t weight = 1;
    uint64_t value = *i;
    for (uint32_t k = 36;; k += 36) {
        const int digit = *at < text.len ? puny_digit(text.ptr[*at]) : -1;
        if (digit < 0)
            return false;
        ++*at;
        value += (uint64_t)digit * weight;
        if (value > 0x7fffffff)
            return false;
        const uint32_t threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
        if ((uint32_t)digit < threshold)
            break;
        weight *= 36 - threshold;
    }
    *i = (uint32_t)value;
    return true;
}

/* What follows "xn--" as code points; false: not the form of a label beyond ASCII. */
static bool
puny_decode(arvo_str text, uint32_t *codes, size_t *out_count)
{
    size_t at = 0;
    size_t count = 0;
    for (size_t k = text.len; k > 0 && at == 0; k--)
        if (text.ptr[k - 1] == '-')
            at = k;
    for (; count + 1 < at; count++)
        codes[count] = (unsigned char)text.ptr[count];
    uint32_t code = 128;
    uint32_t i = 0;
    uint32_t bias = 72;
    if (at == text.len)
        return false;
    while (at < text.len) {
        const uint32_t before = i;
        if (count == LABEL_BYTES_MAX || !puny_integer(text, &at, bias, &i))
            return false;
        const uint32_t points = (uint32_t)count + 1;
        bias = puny_adapt(i - before, points, before == 0);
        code += i / points;
        if (code > 0x10ffff)
            return false;
        i = puny_adapted_insert(codes, count++, i % points, code);
    }
    *out_count = count;
    return true;
}

static bool
is_a_label(arvo_str label)
{
    uint32_t codes[LABEL_BYTES_MAX + 1];
    size_t count = 0;
    return puny_decode((arvo_str){ label.ptr + 4, label.len - 4 }, codes, &count) &&
           is_u_label(codes, count);
}

/* ---- Host names ----------------------------------------------------------- */

static bool
is_ascii_label(arvo_str label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!format__is_letter(label.ptr[i]) && !format__is_digit(label.ptr[i]) &&
            label.ptr[i] != '-')
            return false;
    if (label.len < 4 || label.ptr[2] != '-' || label.ptr[3] != '-')
        return true;
    const bool is_xn = (label.ptr[0] | 0x20) == 'x' && (label.ptr[1] | 0x20) == 'n';
    return is_xn && is_a_label(label);
}

bool
arvo__format_hostname(arvo_str text)
{
    if (text.len == 0 || text.len > HOSTNAME_BYTES_MAX)
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.')
            continue;
        if (!is_ascii_label((arvo_str){ text.ptr + start, i - start }))
            return false;
        start = i + 1;
    }
    return true;
}

/* Bytes of the full stop at `p`, which has four forms; 0: none. */
static size_t
stop_len(const char *p, size_t left)
{
    static const char *const stops[] = { ".", "\xe3\x80\x82", "\xef\xbc\x8e", "\xef\xbd\xa1" };
    for (size_t i = 0; i < ARVO_COUNT_OF(stops); i++)
        if (arvo_str_starts((arvo_str){ p, left }, arvo_str_from(stops[i])))
            return strlen(stops[i]);
    return 0;
}

/* Code points of a label; false: more than a label holds. */
static bool
label_codes(arvo_str label, uint32_t *codes, size_t *out_count)
{
    size_t count = 0;
    for (size_t i = 0; i < label.len;) {
        const size_t len = arvo__utf8_sequence(label.ptr + i, label.len - i);
        if (len == 0 || count == LABEL_BYTES_MAX)
            return false;
        codes[count++] = arvo__utf8_decode(label.ptr + i, len);
        i += len;
    }
    *out_count = count;
    return true;
}

static bool
is_idn_label(arvo_str label)
{
    uint32_t codes[LABEL_BYTES_MAX];
    size_t count = 0;
    bool ascii = true;
    for (size_t i = 0; i < label.len; i++)
        ascii = ascii && (unsigned char)label.ptr[i] < 0x80;
    if (ascii)
        return is_ascii_label(label);
    /* In its ASCII form it takes "xn--" and a byte per character at least. */
    return label_codes(label, codes, &count) && count + 4 <= LABEL_BYTES_MAX &&
           is_u_label(codes, count);
}

bool
arvo__format_idn_hostname(arvo_str text)
{
    size_t start = 0;
    if (text.len == 0 || arvo__utf8_count(text) > HOSTNAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i <= text.len;) {
        const size_t stop = i < text.len ? stop_len(text.ptr + i, text.len - i) : 1;
        if (stop == 0) {
            i++;
            continue;
        }
        if (!is_idn_label((arvo_str){ text.ptr + start, i - start }))
            return false;
        i += stop;
        start = i;
    }
    return true;
}

/* ---- Addresses ------------------------------------------------------------ */

bool
arvo__format_ipv4(arvo_str text)
{
    size_t at = 0;
    for (unsigned part = 0; part < 4; part++) {
        unsigned value = 0;
        const size_t first = at;
        for (; at < text.len && at - first < 3 && format__is_digit(text.ptr[at]); at++)
            value = value * 10 + (unsigned)(text.ptr[at] - '0');
        /* A leading zero would be octal to some. */
        if (at == first || value > 255 || (text.ptr[first] == '0' && at - first > 1))
            return false;
        if (part < 3 && (at == text.len || text.ptr[at++] != '.'))
            return false;
    }
    return at == text.len;
}

bool
arvo__format_ipv6(arvo_str text)
{
    unsigned groups = 0;
    bool gap = false;
    size_t at = 0;
    while (at < text.len) {
        if (text.ptr[at] == ':') {
            /* "::", once; a single colon was taken behind its group. */
            const bool doubled = at + 1 < text.len && text.ptr[at + 1] == ':';
            if (gap || !(doubled || (at > 0 && text.ptr[at - 1] == ':')))
                return false;
            gap = true;
            at += doubled && (at == 0 || text.ptr[at - 1] != ':') ? 2 : 1;
            continue;
        }
        size_t len = 0;
        while (at + len < text.len && len < 5 && arvo__hex_value(text.ptr[at + len]) >= 0)
            len++;
        if (at + len < text.len && text.ptr[at + len] == '.') {
            groups += 2;
            return (gap ? groups < 8 : groups == 8) &&
                   arvo__format_ipv4((arvo_str){ text.ptr + at, text.len - at });
        }
        if (len == 0 || len > 4 || ++groups > 8)
            return false;
        at += len;
        if (at == text.len)
            break;
        if (text.ptr[at++] != ':' || at == text.len)
            return false;
    }
    return gap ? groups < 8 : groups == 8;
}

/* ---- Mail ----------------------------------------------------------------- */

static bool
is_atom_char(char c, bool is_idn)
{
    return format__is_letter(c) || format__is_digit(c) ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL) ||
           (is_idn && (unsigned char)c >= 0x80);
}

/* Atoms with single dots between them, or a quoted string. */
static bool
is_local_part(arvo_str text, bool is_idn)
{
    if (text.len == 0 || text.len > LOCAL_BYTES_MAX)
        return false;
    if (text.ptr[0] != '"') {
        for (size_t i = 0; i < text.len; i++) {
            const bool dot = text.ptr[i] == '.';
            if (dot ? i == 0 || i + 1 == text.len || text.ptr[i - 1] == '.'
                    : !is_atom_char(text.ptr[i], is_idn))
                return false;
        }
        return true;
    }
    if (text.len < 2 || text.ptr[text.len - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        const bool escaped = c == '\\';
        if (escaped && ++i + 1 >= text.len)
            return false;
        const unsigned char shown = (unsigned char)text.ptr[i];
        if (shown < ' ' || shown == 0x7f || (shown >= 0x80 && !is_idn) || (!escaped && c == '"'))
            return false;
    }
    return true;
}

/* "[127.0.0.1]" or "[IPv6:::1]" */
static bool
is_address_literal(arvo_str text)
{
    static const char prefix[] = "IPv6:";
    if (text.len < 2 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return false;
    const arvo_str inner = { text.ptr + 1, text.len - 2 };
    if (arvo_str_starts(inner, arvo_str_from(prefix)))
        return arvo__format_ipv6((arvo_str){ inner.ptr + 5, inner.len - 5 });
    return arvo__format_ipv4(inner);
}

static bool
is_email(arvo_str text, bool is_idn)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    if (at == 0 || text.len > EMAIL_BYTES_MAX)
        return false;
    const arvo_str domain = { text.ptr + at, text.len - at };
    if (!is_local_part((arvo_str){ text.ptr, at - 1 }, is_idn))
        return false;
    return is_address_literal(domain) ||
           (is_idn ? arvo__format_idn_hostname(domain) : arvo__format_hostname(domain));
}

bool
arvo__format_email(arvo_str text)
{
    return is_email(text, false);
}

bool
arvo__format_idn_email(arvo_str text)
{
    return is_email(text, true);
}
