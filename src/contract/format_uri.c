/* URIs, IRIs and URI templates. */

#include "contract/format.h"

static bool
is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool
is_unreserved(char c)
{
    return format__is_letter(c) || format__is_digit(c) || is_in(c, "-._~");
}

/* Code points beyond ASCII that an IRI may hold: no controls, no private use but in queries, and no
 * noncharacters. */
static bool
is_ucschar(const char *p, size_t len, bool in_query)
{
    const uint32_t code = arvo__utf8_decode(p, len);
    if ((code >= 0xe000 && code <= 0xf8ff) || code >= 0xf0000)
        return in_query && (code & 0xfffe) != 0xfffe;
    return code >= 0xa0 && (code & 0xfffe) != 0xfffe && !(code >= 0xfdd0 && code <= 0xfdef) &&
           !(code >= 0xfff0 && code <= 0xffff) && !(code >= 0xe0000 && code <= 0xe0fff);
}

/* Whether `text` consists of unreserved characters, sub-delims, `more` and %XX; of an IRI, of what
 * is beyond ASCII too. */
static bool
is_made_of(arvo_str text, const char *more, bool is_iri, bool in_query)
{
    for (size_t i = 0; i < text.len;) {
        const char c = text.ptr[i];
        if (is_unreserved(c) || is_in(c, "!$&'()*+,;=") || is_in(c, more)) {
            i++;
        } else if (c == '%') {
            if (arvo__percent_byte(text.ptr + i, text.len - i) < 0)
                return false;
            i += 3;
        } else {
            const size_t len = (unsigned char)c >= 0x80 && is_iri
                                   ? arvo__utf8_sequence(text.ptr + i, text.len - i)
                                   : 0;
            if (len == 0 || !is_ucschar(text.ptr + i, len, in_query))
                return false;
            i += len;
        }
    }
    return true;
}

/* What stands between the brackets of "[::1]" or "[v1.x]". */
static bool
is_ip_literal(arvo_str text)
{
    if (text.len == 0 || !is_in(text.ptr[0], "vV"))
        return arvo__format_ipv6(text);
    size_t i = 1;
    while (i < text.len && arvo__hex_value(text.ptr[i]) >= 0)
        i++;
    if (i == 1 || i + 1 >= text.len || text.ptr[i] != '.')
        return false;
    for (i++; i < text.len; i++)
        if (!is_unreserved(text.ptr[i]) && !is_in(text.ptr[i], "!$&'()*+,;=:"))
            return false;
    return true;
}

/* [userinfo "@"] host [":" port] */
static bool
is_authority(arvo_str text, bool is_iri)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    if (at > 0 && !is_made_of((arvo_str){ text.ptr, at - 1 }, ":", is_iri, false))
        return false;
    arvo_str host = { text.ptr + at, text.len - at };
    size_t port = host.len;
    while (port > 0 && format__is_digit(host.ptr[port - 1]))
        port--;
    if (port > 0 && host.ptr[port - 1] == ':')
        host.len = port - 1;
    if (host.len > 1 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return is_ip_literal((arvo_str){ host.ptr + 1, host.len - 2 });
    return is_made_of(host, "", is_iri, false);
}

static bool
is_reference(arvo_str text, bool is_iri, bool is_absolute)
{
    const arvo__uri uri = arvo__uri_split(text);
    if (is_absolute && uri.scheme.ptr == NULL)
        return false;
    if (uri.authority.ptr != NULL && !is_authority(uri.authority, is_iri))
        return false;
    if (uri.scheme.ptr == NULL && uri.authority.ptr == NULL) {
        /* The first segment of a relative path has no colon: it would look like a scheme. */
        const char *const slash = uri.path.len > 0 ? memchr(uri.path.ptr, '/', uri.path.len) : NULL;
        const size_t first = slash != NULL ? (size_t)(slash - uri.path.ptr) : uri.path.len;
        if (first > 0 && memchr(uri.path.ptr, ':', first) != NULL)
            return false;
    }
    return is_made_of(uri.path, ":@/", is_iri, false) &&
           is_made_of(uri.query, ":@/?", is_iri, true) &&
           is_made_of(uri.fragment, ":@/?", is_iri, false);
}

bool
arvo__format_uri(arvo_str text)
{
    return is_reference(text, false, true);
}

bool
arvo__format_uri_reference(arvo_str text)
{
    return is_reference(text, false, false);
}

bool
arvo__format_iri(arvo_str text)
{
    return is_reference(text, true, true);
}

bool
arvo__format_iri_reference(arvo_str text)
{
    return is_reference(text, true, false);
}

/* "name", "name:3" or "name*" of a template's expression. */
static bool
is_varspec(arvo_str text)
{
    size_t i = 0;
    bool name_char = false; /* a dot stands between such */
    for (; i < text.len && text.ptr[i] != ':' && text.ptr[i] != '*'; i++) {
        const char c = text.ptr[i];
        if (c == '.') {
            if (!name_char)
                return false;
            name_char = false;
        } else if (c == '%') {
            if (arvo__percent_byte(text.ptr + i, text.len - i) < 0)
                return false;
            i += 2;
            name_char = true;
        } else if (format__is_letter(c) || format__is_digit(c) || c == '_') {
            name_char = true;
        } else {
            return false;
        }
    }
    if (!name_char)
        return false;
    if (i == text.len)
        return true;
    if (text.ptr[i] == '*')
        return i + 1 == text.len;
    const size_t first = ++i;
    while (i < text.len && format__is_digit(text.ptr[i]))
        i++;
    return i == text.len && i > first && i - first <= 4 && text.ptr[first] != '0';
}

/* What stands between the braces. */
static bool
is_expression(arvo_str text)
{
    size_t start = text.len > 0 && is_in(text.ptr[0], "+#./;?&=,!@|") ? 1 : 0;
    for (size_t i = start; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != ',')
            continue;
        if (!is_varspec((arvo_str){ text.ptr + start, i - start }))
            return false;
        start = i + 1;
    }
    return true;
}

/* Literals are all but controls, space and "'<>\^`{|} (RFC 6570, section 2.1). */
bool
arvo__format_uri_template(arvo_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '{') {
            const char *const end = memchr(text.ptr + i, '}', text.len - i);
            if (end == NULL)
                return false;
            const size_t len = (size_t)(end - text.ptr) - i - 1;
            if (!is_expression((arvo_str){ text.ptr + i + 1, len }))
                return false;
            i += len + 1;
        } else if (c == '%') {
            if (arvo__percent_byte(text.ptr + i, text.len - i) < 0)
                return false;
        } else if ((unsigned char)c <= ' ' || c == 0x7f || is_in(c, "\"'<>\\^`|}")) {
            return false;
        }
    }
    return true;
}
