/* JSON text to values: one pass, in situ.
 *
 * The text is copied into the arena once, with NULs behind it that stop every
 * scan; strings then point into that copy, escapes undone in place. Items and
 * members are gathered on a stack and moved to arrays of their exact size when
 * their container closes.
 */

#include "json/internal.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json/number.h"
#include "json/object.h"

#define PARSE_PAD_BYTES    ((size_t)16) /* behind the copy, so that a wide load may run past */
#define PARSE_BYTES_MAX    ((size_t)UINT32_MAX / 2) /* lengths and counts have 32 bits */
#define PARSE_STACK_INLINE 96u

/* Half a member, or a whole item: two slots have the layout of struct arvo__member. */
typedef union parse_slot {
    struct {
        const char *ptr;
        uint32_t len;
        uint32_t plain;
    } key;
    struct arvo_json value;
} parse_slot;

_Static_assert(
    2 * sizeof(parse_slot) == sizeof(struct arvo__member) &&
        sizeof(parse_slot) == offsetof(struct arvo__member, value) &&
        offsetof(parse_slot, key.len) == offsetof(struct arvo__member, key_len) &&
        offsetof(parse_slot, key.plain) == offsetof(struct arvo__member, key_plain),
    "slots are copied into members");

typedef struct parser {
    char *begin; /* of the copy */
    char *p;
    arvo_str text; /* as given: the copy is changed in place */
    arvo_arena *arena;
    arvo_error *err;
    uint32_t depth_max;
    arvo_status status;
    parse_slot *stack;
    size_t stack_len;
    size_t stack_cap;
    parse_slot stack_inline[PARSE_STACK_INLINE];
} parser;

static bool parse_value(parser *ps, struct arvo_json *out, uint32_t depth);

/* ---- Failures ------------------------------------------------------------------ */

/* Cold: line and column are counted only now. */
static bool __attribute__((noinline, cold))
parse_fail(parser *ps, const char *at, arvo_status status, const char *what)
{
    const size_t offset = (size_t)(at - ps->begin);
    uint32_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < ps->text.len; i++) {
        column = ps->text.ptr[i] == '\n' ? 1 : column + 1;
        line += ps->text.ptr[i] == '\n';
    }

    char found[24];
    if (offset >= ps->text.len)
        (void)snprintf(found, sizeof(found), "the end of the text");
    else if (
        (unsigned char)ps->text.ptr[offset] > 0x20 && (unsigned char)ps->text.ptr[offset] < 0x7f)
        (void)snprintf(found, sizeof(found), "'%c'", ps->text.ptr[offset]);
    else
        (void)snprintf(
            found, sizeof(found), "byte 0x%02x", (unsigned)(unsigned char)ps->text.ptr[offset]);

    ps->status = status;
    (void)arvo_error_set(
        ps->err, status, offset, "line %u, column %u: %s, found %s", line, column, what, found);
    if (ps->err != NULL) {
        ps->err->line = line;
        ps->err->column = column;
    }
    return false;
}

static bool
parse_malformed(parser *ps, const char *at, const char *what)
{
    return parse_fail(ps, at, ARVO_E_MALFORMED, what);
}

static bool __attribute__((noinline, cold)) parse_nomem(parser *ps)
{
    ps->status = arvo__nomem(ps->err);
    return false;
}

/* ---- White space ----------------------------------------------------------------- */

static inline char *
parse_skip(char *p)
{
    while (ARVO_UNLIKELY(*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* ---- Strings ---------------------------------------------------------------------- */

/* First byte that is `"`, `\`, a control byte (the NUL at the end is one) or not ASCII. */
static inline char *
parse_plain_run(char *p)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    for (;; p += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed comparison: bytes from 0x80 up are negative, so they are "below a space" too. */
        const __m128i stop = _mm_or_si128(
            _mm_cmplt_epi8(bytes, space),
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        const unsigned mask = (unsigned)_mm_movemask_epi8(stop);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
#else
    while ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
#endif
}

/* `*in` is at the `u` of \uXXXX. UTF-8 of the code point never takes more than the escape did. */
static bool
parse_unicode(parser *ps, char **in, char **out)
{
    char *p = *in;
    int32_t code = arvo__hex_number(p + 1, 4);
    if (code < 0) {
        p++;
        while (isxdigit((unsigned char)*p))
            p++;
        return parse_malformed(ps, p, "expected four hexadecimal digits after \\u");
    }
    p += 5;
    if (code >= 0xdc00 && code <= 0xdfff)
        return parse_malformed(ps, *in - 1, "expected a character, not a lone low surrogate");
    if (code >= 0xd800 && code <= 0xdbff) {
        const int32_t low = p[0] == '\\' && p[1] == 'u' ? arvo__hex_number(p + 2, 4) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return parse_malformed(ps, p, "expected \\u and a low surrogate after the high one");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    *out += arvo__utf8_encode((uint32_t)code, *out);
    *in = p;
    return true;
}

/* `*in` is behind the backslash. */
static bool
parse_escape(parser *ps, char **in, char **out)
{
    char c;
    switch (**in) {
    case '"':
    case '\\':
    case '/':
        c = **in;
        break;
    case 'b':
        c = '\b';
        break;
    case 'f':
        c = '\f';
        break;
    case 'n':
        c = '\n';
        break;
    case 'r':
        c = '\r';
        break;
    case 't':
        c = '\t';
        break;
    case 'u':
        return parse_unicode(ps, in, out);
    default:
        return parse_malformed(ps, *in, "expected an escape (one of \" \\ / b f n r t u)");
    }
    *(*out)++ = c;
    (*in)++;
    return true;
}

/* Move a run of non-ASCII bytes, checking it. */
static bool
parse_utf8(parser *ps, char **in, char **out)
{
    char *run = *in;
    size_t len = 0;
    while ((unsigned char)run[len] >= 0x80)
        len++;
    const size_t valid = arvo__utf8_valid_prefix((arvo_str){ run, len });
    if (valid != len)
        return parse_malformed(ps, run + valid, "expected UTF-8");
    if (*out != run)
        memmove(*out, run, len);
    *out += len;
    *in += len;
    return true;
}

/* `p` is behind the opening quote; leaves ps->p behind the closing one. */
static bool
parse_string_rest(parser *ps, char *start, char *in, const char **ptr, uint32_t *len, bool *plain)
{
    char *out = in;
    *plain = true;
    for (;;) {
        if (*in == '"')
            break;
        if (*in == '\\') {
            *plain = false; /* what was escaped will be again; no need to look closer */
            in++;
            if (!parse_escape(ps, &in, &out))
                return false;
        } else if ((unsigned char)*in >= 0x80) {
            if (!parse_utf8(ps, &in, &out))
                return false;
        } else {
            return parse_malformed(
                ps, in,
                in == ps->begin + ps->text.len ? "expected '\"' to end the string"
                                               : "expected no bare control character in a string");
        }
        char *run = in;
        in = parse_plain_run(in);
        if (out != run)
            memmove(out, run, (size_t)(in - run));
        out += in - run;
    }
    ps->p = in + 1;
    *ptr = start;
    *len = (uint32_t)(out - start);
    return true;
}

static inline bool
parse_string(parser *ps, const char **ptr, uint32_t *len, bool *plain)
{
    char *start = ps->p + 1;
    char *p = parse_plain_run(start);
    if (ARVO_LIKELY(*p == '"')) {
        ps->p = p + 1;
        *ptr = start;
        *len = (uint32_t)(p - start);
        *plain = true;
        return true;
    }
    return parse_string_rest(ps, start, p, ptr, len, plain);
}

/* ---- Containers -------------------------------------------------------------------- */

/* Twice the room, elsewhere. */
static bool __attribute__((noinline)) parse_grow(parser *ps)
{
    const size_t cap = ps->stack_cap * 2;
    parse_slot *stack = arvo__arena_alloc(ps->arena, cap * sizeof(*stack));
    if (stack == NULL)
        return parse_nomem(ps);
    memcpy(stack, ps->stack, ps->stack_len * sizeof(*stack));
    ps->stack = stack;
    ps->stack_cap = cap;
    return true;
}

/* A member's key goes in before its value is parsed, and the value on top of it: whatever the value
 * held is off the stack by then. */
static inline parse_slot *
parse_push(parser *ps)
{
    if (ARVO_UNLIKELY(ps->stack_len == ps->stack_cap) && !parse_grow(ps))
        return NULL;
    return &ps->stack[ps->stack_len++];
}

static bool
parse_close_array(parser *ps, size_t base, struct arvo_json *out)
{
    const size_t count = ps->stack_len - base;
    struct arvo_json *items = arvo__arena_alloc(ps->arena, count * sizeof(*items));
    if (items == NULL)
        return parse_nomem(ps);
    memcpy(items, &ps->stack[base], count * sizeof(*items));
    ps->stack_len = base;
    *out = (struct arvo_json){ .type = ARVO_JSON_ARRAY, .len = (uint32_t)count };
    out->as.items = items;
    return true;
}

static inline bool
parse_item(parser *ps, uint32_t depth)
{
    struct arvo_json item;
    if (!parse_value(ps, &item, depth))
        return false;
    parse_slot *slot = parse_push(ps);
    if (slot == NULL)
        return false;
    slot->value = item;
    return true;
}

static bool
parse_array(parser *ps, struct arvo_json *out, uint32_t depth)
{
    const size_t base = ps->stack_len;

    ps->p = parse_skip(ps->p + 1);
    if (*ps->p != ']') {
        for (;;) {
            if (!parse_item(ps, depth))
                return false;
            ps->p = parse_skip(ps->p);
            if (*ps->p == ']')
                break;
            if (*ps->p != ',')
                return parse_malformed(ps, ps->p, "expected ',' or ']' after an item");
            ps->p = parse_skip(ps->p + 1);
        }
    }
    ps->p++;
    return parse_close_array(ps, base, out);
}

/* Few members: a small Bloom filter of key mixes says "new key" at once for nearly all; the rest
 * are compared. Returns the number of members left. */
static size_t
parse_unique_few(struct arvo__member *members, size_t count)
{
    uint64_t seen[4] = { 0 };
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t mix = arvo__key_mix(members[i].key, members[i].key_len);
        const uint64_t bit = 1ULL << (mix & 63);
        size_t same = kept;
        if ((seen[mix >> 6 & 3] & bit) != 0)
            for (same = 0; same < kept; same++)
                if (members[same].key_len == members[i].key_len &&
                    memcmp(members[same].key, members[i].key, members[i].key_len) == 0)
                    break;
        seen[mix >> 6 & 3] |= bit;
        if (same < kept)
            members[same].value = members[i].value; /* the last value, at the first place */
        else if (kept++ != i)
            members[kept - 1] = members[i];
    }
    return kept;
}

/* Many members: each key is looked up in the index that the object needs anyhow. */
static void
parse_unique_many(struct arvo_json *object, const parse_slot *gathered, size_t count)
{
    object->flags = ARVO__JSON_INDEXED;
    for (size_t i = 0; i < count; i++) {
        const parse_slot *key = &gathered[2 * i], *value = key + 1;
        struct arvo__member *same = arvo__object_find(object, key->key.ptr, key->key.len);
        if (same != NULL) {
            same->value = value->value;
        } else {
            memcpy(&object->as.members[object->len], key, sizeof(struct arvo__member));
            arvo__object_index(object->as.members, object->len++);
        }
    }
}

static bool
parse_close_object(parser *ps, size_t base, struct arvo_json *out)
{
    const parse_slot *gathered = &ps->stack[base];
    const size_t count = (ps->stack_len - base) / 2;
    ps->stack_len = base;

    *out = (struct arvo_json){ .type = ARVO_JSON_OBJECT };
    out->as.members = arvo__object_storage(ps->arena, count);
    if (out->as.members == NULL)
        return parse_nomem(ps);
    if (count > ARVO__OBJECT_SCAN_MAX) {
        parse_unique_many(out, gathered, count);
    } else {
        memcpy(out->as.members, gathered, count * sizeof(struct arvo__member));
        out->len = (uint32_t)parse_unique_few(out->as.members, count);
    }
    return true;
}

static inline bool
parse_member(parser *ps, uint32_t depth)
{
    bool plain;
    if (ARVO_UNLIKELY(*ps->p != '"'))
        return parse_malformed(ps, ps->p, "expected a key in double quotes");
    parse_slot *slot = parse_push(ps);
    if (slot == NULL || !parse_string(ps, &slot->key.ptr, &slot->key.len, &plain))
        return false;
    slot->key.plain = plain;
    ps->p = parse_skip(ps->p);
    if (ARVO_UNLIKELY(*ps->p != ':'))
        return parse_malformed(ps, ps->p, "expected ':' after a key");
    ps->p = parse_skip(ps->p + 1);
    return parse_item(ps, depth);
}

static bool
parse_object(parser *ps, struct arvo_json *out, uint32_t depth)
{
    const size_t base = ps->stack_len;

    ps->p = parse_skip(ps->p + 1);
    if (*ps->p != '}') {
        for (;;) {
            if (!parse_member(ps, depth))
                return false;
            ps->p = parse_skip(ps->p);
            if (*ps->p == '}')
                break;
            if (*ps->p != ',')
                return parse_malformed(ps, ps->p, "expected ',' or '}' after a member");
            ps->p = parse_skip(ps->p + 1);
        }
    }
    ps->p++;
    return parse_close_object(ps, base, out);
}

/* ---- Values ------------------------------------------------------------------------- */

static bool
parse_literal(
    parser *ps, const char *text, size_t len, struct arvo_json value, struct arvo_json *out)
{
    for (size_t i = 0; i < len; i++)
        if (ps->p[i] != text[i])
            return parse_malformed(ps, ps->p + i, "expected true, false, null or another value");
    ps->p += len;
    *out = value;
    return true;
}

static bool
parse_number(parser *ps, struct arvo_json *out)
{
    const char *end;
    *out = (struct arvo_json){ 0 };
    switch (arvo__number_parse(ps->p, &end, out)) {
    case ARVO__NUMBER_SYNTAX:
        return parse_malformed(ps, end, "expected a digit");
    case ARVO__NUMBER_RANGE:
        return parse_malformed(ps, ps->p, "expected a number within the range of a double");
    case ARVO__NUMBER_OK:
        break;
    }
    ps->p += end - ps->p;
    return true;
}

static bool
parse_value(parser *ps, struct arvo_json *out, uint32_t depth)
{
    bool plain;
    switch (*ps->p) {
    case '"':
        *out = (struct arvo_json){ .type = ARVO_JSON_STRING };
        if (!parse_string(ps, &out->as.string, &out->len, &plain))
            return false;
        out->flags = plain ? ARVO__JSON_PLAIN : 0;
        return true;
    case '{':
    case '[':
        if (depth >= ps->depth_max)
            return parse_fail(ps, ps->p, ARVO_E_TOO_BIG, "expected less deep nesting");
        return *ps->p == '{' ? parse_object(ps, out, depth + 1) : parse_array(ps, out, depth + 1);
    case 't':
        return parse_literal(
            ps, "true", 4, (struct arvo_json){ .type = ARVO_JSON_BOOL, .as.boolean = true }, out);
    case 'f':
        return parse_literal(ps, "false", 5, (struct arvo_json){ .type = ARVO_JSON_BOOL }, out);
    case 'n':
        return parse_literal(ps, "null", 4, (struct arvo_json){ .type = ARVO_JSON_NULL }, out);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return parse_number(ps, out);
    default:
        return parse_malformed(ps, ps->p, "expected a value");
    }
}

static bool
parse_text(parser *ps, struct arvo_json *root)
{
    ps->p = parse_skip(ps->p);
    if (!parse_value(ps, root, 0))
        return false;
    ps->p = parse_skip(ps->p);
    if (ps->p != ps->begin + ps->text.len)
        return parse_malformed(ps, ps->p, "expected nothing more behind the value");
    return true;
}

arvo_status
arvo_json_parse_opt(
    arvo_str text, const arvo_json_parse_opts *opts, arvo_arena *arena, const arvo_json **out,
    arvo_error *err)
{
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    size_t bytes_max =
        opts != NULL && opts->bytes_max != 0 ? opts->bytes_max : ARVO_JSON_BYTES_MAX_DEFAULT;
    if (bytes_max > PARSE_BYTES_MAX)
        bytes_max = PARSE_BYTES_MAX;
    uint32_t depth_max =
        opts != NULL && opts->depth_max != 0 ? opts->depth_max : ARVO_JSON_DEPTH_MAX;
    if (depth_max > ARVO_JSON_DEPTH_MAX)
        depth_max = ARVO_JSON_DEPTH_MAX;
    if (text.len > bytes_max)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "the text has %zu bytes, more than the limit of %zu", text.len,
            bytes_max);

    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    struct arvo_json *root = arvo__arena_alloc(arena, sizeof(*root));
    char *copy = root != NULL ? arvo__arena_alloc(arena, text.len + PARSE_PAD_BYTES) : NULL;
    if (copy == NULL) {
        arvo_arena_rewind(arena, mark);
        return arvo__nomem(err);
    }
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, 0, PARSE_PAD_BYTES);

    parser ps; /* not zeroed: the inline stack is large and needs no value */
    ps.begin = copy;
    ps.p = copy;
    ps.text = text;
    ps.arena = arena;
    ps.err = err;
    ps.depth_max = depth_max;
    ps.status = ARVO_OK;
    ps.stack = ps.stack_inline;
    ps.stack_len = 0;
    ps.stack_cap = PARSE_STACK_INLINE;

    if (!parse_text(&ps, root)) {
        arvo_arena_rewind(arena, mark);
        return ps.status;
    }
    *out = root;
    return ARVO_OK;
}

arvo_status
arvo_json_parse(arvo_str text, arvo_arena *arena, const arvo_json **out, arvo_error *err)
{
    return arvo_json_parse_opt(text, NULL, arena, out, err);
}
