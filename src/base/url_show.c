/* URLs as they may be shown: without the passwords in them. */

#include "base/internal.h"

/* The password of "user:password@host", if the authority has one. */
static size_t
url_show_authority(arvo_str url, arvo_buf *out)
{
    size_t at = 0;
    while (at + 2 < url.len && memcmp(url.ptr + at, "://", 3) != 0 && url.ptr[at] != '?')
        at++;
    if (at + 2 >= url.len || url.ptr[at] != ':')
        return 0;
    const size_t begin = at + 3;
    size_t end = begin, last = 0, colon = 0;
    for (; end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?'; end++) {
        if (url.ptr[end] == '@')
            last = end;
        if (url.ptr[end] == ':' && colon == 0)
            colon = end;
    }
    if (last == 0 || colon == 0 || colon > last)
        return 0;
    arvo_buf_append(out, url.ptr, colon + 1);
    arvo_buf_append_str(out, ARVO_STR("***"));
    return last;
}

static bool
url_is_secret(arvo_str name)
{
    static const char *const secrets[] = { "password", "passwd", "pass", "sslpassword",
                                           "token",    "secret", "auth" };
    for (size_t i = 0; i < ARVO_COUNT_OF(secrets); i++) {
        if (arvo_str_is(name, secrets[i]))
            return true;
    }
    return false;
}

void
arvo__url_show(arvo_str url, arvo_buf *out)
{
    size_t at = url.len > 0 ? url_show_authority(url, out) : 0;
    bool is_query = false;
    size_t name = 0;
    for (; at < url.len; at++) {
        const char c = url.ptr[at];
        arvo_buf_append_char(out, c);
        if (c == '?' || (is_query && c == '&')) {
            is_query = true;
            name = at + 1;
        } else if (is_query && c == '=' && url_is_secret((arvo_str){ url.ptr + name, at - name })) {
            arvo_buf_append_str(out, ARVO_STR("***"));
            while (at + 1 < url.len && url.ptr[at + 1] != '&')
                at++;
        }
    }
}
