/* Where a JSON pointer leads in a text: for error messages, so simple rather than fast. */

#include "json/internal.h"

#include <stdio.h>

typedef struct locator {
    const char *p;
    const char *end;
} locator;

static void
locate_space(locator *at)
{
    while (at->p < at->end && (*at->p == ' ' || *at->p == '\t' || *at->p == '\n' || *at->p == '\r'))
        at->p++;
}

static bool
locate_string(locator *at, arvo_str *out_raw)
{
    if (at->p >= at->end || *at->p != '"')
        return false;
    const char *start = ++at->p;
    for (; at->p < at->end && *at->p != '"'; at->p++)
        if (*at->p == '\\' && at->end - at->p > 1)
            at->p++;
    if (at->p >= at->end)
        return false;
    *out_raw = (arvo_str){ start, (size_t)(at->p - start) };
    at->p++;
    return true;
}

/* Skip one value by counting brackets; the text was parsed before, so its inside is sound. */
static bool
locate_skip(locator *at)
{
    size_t depth = 0;
    arvo_str raw;
    do {
        locate_space(at);
        if (at->p >= at->end)
            return false;
        const char c = *at->p;
        if (c == '"') {
            if (!locate_string(at, &raw))
                return false;
        } else if (c == '{' || c == '[') {
            depth++;
            at->p++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0)
                return false;
            at->p++;
        } else if (c == ',' || c == ':') {
            if (depth == 0)
                return false;
            at->p++;
        } else {
            while (at->p < at->end && strchr(" \t\r\n,:]}", *at->p) == NULL)
                at->p++;
        }
    } while (depth > 0);
    return true;
}

/* Whether the pointer token names the key whose text (without quotes) is `raw`. Both are undone
 * into an arena-free comparison: a key with escapes is parsed as JSON. */
static bool
locate_key_is(arvo_str token, arvo_str raw, arvo_arena *arena)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const arvo_json *key = NULL;
    bool same = false;
    const arvo_str quoted = { raw.ptr - 1, raw.len + 2 };
    arvo_buf pointer = ARVO_BUF_INIT(2 * raw.len + 16);

    if (arvo_json_parse(quoted, arena, &key, NULL) == ARVO_OK) {
        arvo_json_pointer_push(&pointer, arvo_json_str(key));
        same = pointer.status == ARVO_OK && pointer.len == token.len + 1 &&
               memcmp(pointer.ptr + 1, token.ptr, token.len) == 0;
    }
    arvo_buf_fini(&pointer);
    arvo_arena_rewind(arena, mark);
    return same;
}

/* Over a key and its colon. */
static bool
locate_key(locator *at, arvo_str *out_raw)
{
    locate_space(at);
    if (!locate_string(at, out_raw))
        return false;
    locate_space(at);
    return at->p < at->end && *at->p++ == ':';
}

/* Move into the item or member that `token` names: of a key given twice, the last. */
static bool
locate_enter(locator *at, arvo_str token, arvo_arena *arena)
{
    locate_space(at);
    if (at->p >= at->end || (*at->p != '{' && *at->p != '['))
        return false;
    const bool is_object = *at->p++ == '{';
    const char *found = NULL;
    for (size_t i = 0; is_object || found == NULL; i++) {
        char index[24];
        arvo_str raw = ARVO_STR_NONE;
        if (is_object && !locate_key(at, &raw))
            break;
        locate_space(at);
        (void)snprintf(index, sizeof(index), "%zu", i);
        if (is_object ? locate_key_is(token, raw, arena) : arvo_str_is(token, index))
            found = at->p;
        if (!locate_skip(at))
            break;
        locate_space(at);
        if (at->p >= at->end || *at->p++ != ',')
            break;
    }
    at->p = found;
    return found != NULL && found < at->end;
}

bool
arvo_json_locate(arvo_str text, arvo_str pointer, uint32_t *line, uint32_t *column)
{
    if (text.len == 0)
        return false;
    locator at = { text.ptr, text.ptr + text.len };
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 4096 });
    const arvo_json *root = NULL;
    bool found = arena != NULL && arvo_json_parse(text, arena, &root, NULL) == ARVO_OK &&
                 arvo_json_pointer_get(root, pointer) != NULL;

    locate_space(&at);
    for (size_t i = 0; found && i < pointer.len;) {
        size_t end = i + 1;
        while (end < pointer.len && pointer.ptr[end] != '/')
            end++;
        found = pointer.ptr[i] == '/' &&
                locate_enter(&at, (arvo_str){ pointer.ptr + i + 1, end - i - 1 }, arena);
        i = end;
    }
    arvo_arena_free(arena);
    if (!found || at.p >= at.end)
        return false;

    *line = 1;
    *column = 1;
    for (const char *p = text.ptr; p < at.p; p++) {
        *column = *p == '\n' ? 1 : *column + 1;
        *line += *p == '\n';
    }
    return true;
}
