/* Reference resolution (RFC 3986, section 5): "../b.json" at "http://a/x/y.json". */

#include "base/internal.h"

static bool
is_scheme_char(char c, bool first)
{
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (!first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
}

/* Length of "scheme", when a colon follows; else 0. */
static size_t
scheme_len(arvo_str text)
{
    size_t i = 0;
    while (i < text.len && is_scheme_char(text.ptr[i], i == 0))
        i++;
    return i < text.len && text.ptr[i] == ':' ? i : 0;
}

/* Cut `text` before the first of `ends`; what follows stays in *text. */
static arvo_str
cut_before(arvo_str *text, const char *ends)
{
    size_t i = 0;
    while (i < text->len && (text->ptr[i] == '\0' || strchr(ends, text->ptr[i]) == NULL))
        i++;
    const arvo_str head = { text->ptr, i };
    *text = (arvo_str){ text->ptr + i, text->len - i };
    return head;
}

static arvo_str
skip(arvo_str text, size_t count)
{
    return (arvo_str){ text.ptr + count, text.len - count };
}

arvo__uri
arvo__uri_split(arvo_str text)
{
    arvo__uri uri = { 0 };
    arvo_str rest = text.ptr != NULL ? text : ARVO_STR("");
    const size_t scheme = scheme_len(rest);
    if (scheme > 0) {
        uri.scheme = (arvo_str){ rest.ptr, scheme };
        rest = skip(rest, scheme + 1);
    }
    if (arvo_str_starts(rest, ARVO_STR("//"))) {
        rest = skip(rest, 2);
        uri.authority = cut_before(&rest, "/?#");
    }
    uri.path = cut_before(&rest, "?#");
    if (rest.len > 0 && rest.ptr[0] == '?') {
        rest = skip(rest, 1);
        uri.query = cut_before(&rest, "#");
    }
    if (rest.len > 0)
        uri.fragment = skip(rest, 1);
    return uri;
}

/* Append a path without its "." and ".." segments (section 5.2.4). */
static void
append_without_dots(arvo_buf *out, arvo_str path)
{
    const size_t start = out->len;
    const bool rooted = path.len > 0 && path.ptr[0] == '/';
    arvo_str rest = rooted ? skip(path, 1) : path;
    if (rooted)
        arvo_buf_append_char(out, '/');
    const size_t first = start + rooted;
    while (rest.len > 0 && out->status == ARVO_OK) {
        const arvo_str segment = cut_before(&rest, "/");
        const bool is_last = rest.len == 0;
        rest = is_last ? rest : skip(rest, 1);
        if (arvo_str_is(segment, "."))
            continue;
        if (!arvo_str_is(segment, "..")) {
            arvo_buf_append_str(out, segment);
            if (!is_last)
                arvo_buf_append_char(out, '/');
            continue;
        }
        /* Drop the slash behind the last segment, then the segment. */
        if (out->len > first)
            out->len--;
        while (out->len > first && out->ptr[out->len - 1] != '/')
            out->len--;
    }
}

/* A relative path in the place of the last segment of the base's (section 5.2.3). */
static void
append_merged(arvo_buf *out, const arvo__uri *base, arvo_str path)
{
    arvo_buf merged = ARVO_BUF_INIT(out->bytes_max);
    merged.allocator = out->allocator;
    size_t keep = base->path.len;
    while (keep > 0 && base->path.ptr[keep - 1] != '/')
        keep--;
    if (base->authority.ptr != NULL && base->path.len == 0)
        arvo_buf_append_char(&merged, '/');
    arvo_buf_append(&merged, base->path.ptr, keep);
    arvo_buf_append_str(&merged, path);
    append_without_dots(out, arvo_buf_str(&merged));
    if (merged.status != ARVO_OK)
        out->status = merged.status;
    arvo_buf_fini(&merged);
}

static void
append_head(arvo_buf *out, arvo_str scheme, arvo_str authority)
{
    if (scheme.ptr != NULL) {
        arvo_buf_append_str(out, scheme);
        arvo_buf_append_char(out, ':');
    }
    if (authority.ptr != NULL) {
        arvo_buf_append(out, "//", 2);
        arvo_buf_append_str(out, authority);
    }
}

void
arvo__uri_resolve(arvo_str base_text, arvo_str reference, arvo_buf *out)
{
    const arvo__uri base = arvo__uri_split(base_text);
    const arvo__uri ref = arvo__uri_split(reference);
    const bool own_scheme = ref.scheme.ptr != NULL;
    const bool own_authority = own_scheme || ref.authority.ptr != NULL;
    const bool own_path = own_authority || ref.path.len > 0;
    arvo_str query = ref.query;

    append_head(
        out, own_scheme ? ref.scheme : base.scheme, own_authority ? ref.authority : base.authority);
    if (!own_path) {
        arvo_buf_append_str(out, base.path);
        query = query.ptr != NULL ? query : base.query;
    } else if (own_authority || ref.path.ptr[0] == '/') {
        append_without_dots(out, ref.path);
    } else {
        append_merged(out, &base, ref.path);
    }
    if (query.ptr != NULL) {
        arvo_buf_append_char(out, '?');
        arvo_buf_append_str(out, query);
    }
}
