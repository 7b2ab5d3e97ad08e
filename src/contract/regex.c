/* ECMA-262 regular expressions (flag u) on PCRE2, with limits on every match.
 *
 * PCRE2's own limit counts afresh for each place where a match may begin, so a long text would
 * multiply it. Patterns are compiled with a callout before each item instead, which counts what
 * is tried and how much text it ran over; only a plain one, which cannot take more than its text
 * is long, goes without.
 *
 * The pattern is rewritten first: what the two languages spell alike but mean
 * differently (`.`, `\s`, `\v`, `[`, `\0`, ...) is spelt out, and what only
 * PCRE2 knows (`(?i)`, `(*VERB)`, possessive quantifiers, ...) is refused. One
 * kindness beyond flag u: any ASCII punctuation may be escaped, and a brace
 * that is no quantifier stands for itself, as in patterns without the flag.
 *
 * PCRE2's memory is the schema's arena while compiling and the check's arena
 * while matching, so a match calls no malloc. */

#include "contract/schema.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define REGEX_HEAP_KIB_MAX 8192u
#define REGEXES_BYTES_MAX  ((size_t)4 * 1024 * 1024) /* compiled, of one schema */
#define JIT_COUNT_MAX      64u
#define JIT_BYTES_MAX      ((size_t)4096)

#define PLAIN_BYTES_MAX 256u /* of a pattern */
#define STEP_BYTES      64u  /* of text that an item ran over: one step */
#define STEPS_FREE      8u   /* a match's share in its keyword's own step */
#define STEPS_PER_SPENT 8u   /* of a match: one step of the check */

struct schema_regex {
    pcre2_code *code;
    arvo_str source;
    schema_regex *next;
};

/* ---- Translation ---------------------------------------------------------- */

typedef struct translator {
    arvo_str in;
    size_t at;
    arvo_buf *out;
    arvo_error *err;
    bool can_repeat; /* an atom is behind us, so a quantifier may follow */
    bool branches;   /* groups or alternatives */
    size_t varying;  /* quantifiers that leave a choice */
} translator;

#define SPACE_CLASS                                                                                \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"  \
    "\\x{3000}\\x{feff}"
#define NOT_SPACE_CLASS                                                                            \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-"     \
    "\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}"        \
    "\\x{ff00}-\\x{10ffff}"

/* ECMA-262's long names of the general categories, which PCRE2 does not know. */
static const struct {
    const char *name, *category;
} long_categories[] = {
    { "Cased_Letter", "L&" },
    { "Close_Punctuation", "Pe" },
    { "Combining_Mark", "M" },
    { "Connector_Punctuation", "Pc" },
    { "Control", "Cc" },
    { "Currency_Symbol", "Sc" },
    { "Dash_Punctuation", "Pd" },
    { "Decimal_Number", "Nd" },
    { "Enclosing_Mark", "Me" },
    { "Final_Punctuation", "Pf" },
    { "Format", "Cf" },
    { "Initial_Punctuation", "Pi" },
    { "LC", "L&" },
    { "Letter", "L" },
    { "Letter_Number", "Nl" },
    { "Line_Separator", "Zl" },
    { "Lowercase_Letter", "Ll" },
    { "Mark", "M" },
    { "Math_Symbol", "Sm" },
    { "Modifier_Letter", "Lm" },
    { "Modifier_Symbol", "Sk" },
    { "Nonspacing_Mark", "Mn" },
    { "Number", "N" },
    { "Open_Punctuation", "Ps" },
    { "Other", "C" },
    { "Other_Letter", "Lo" },
    { "Other_Number", "No" },
    { "Other_Punctuation", "Po" },
    { "Other_Symbol", "So" },
    { "Paragraph_Separator", "Zp" },
    { "Private_Use", "Co" },
    { "Punctuation", "P" },
    { "Separator", "Z" },
    { "Space_Separator", "Zs" },
    { "Spacing_Mark", "Mc" },
    { "Surrogate", "Cs" },
    { "Symbol", "S" },
    { "Titlecase_Letter", "Lt" },
    { "Unassigned", "Cn" },
    { "Uppercase_Letter", "Lu" },
    { "cntrl", "Cc" },
    { "digit", "Nd" },
    { "punct", "P" },
};

static bool
has_next(const translator *t)
{
    return t->at < t->in.len;
}

/* The byte `ahead` of the present one; 0 past the end. */
static char
peek(const translator *t, size_t ahead)
{
    return t->in.len - t->at > ahead ? t->in.ptr[t->at + ahead] : '\0';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static arvo_status
wrong(const translator *t, const char *what)
{
    return arvo_error_set(
        t->err, ARVO_E_INVALID, t->at, "%s at byte %zu of the regular expression", what, t->at);
}

static void
emit(translator *t, const char *text)
{
    arvo_buf_append(t->out, text, strlen(text));
}

/* Exactly `digits` hex digits at the present place; -1 when they are not there. */
static int32_t
hex_digits(translator *t, unsigned digits)
{
    if (t->in.len - t->at < digits)
        return -1;
    const int32_t value = arvo__hex_number(t->in.ptr + t->at, digits);
    if (value >= 0)
        t->at += digits;
    return value;
}

/* Behind `\u`: four digits, a surrogate pair of such, or {digits}. -1: neither. */
static int32_t
unicode_escape(translator *t)
{
    if (peek(t, 0) == '{') {
        int32_t value = 0;
        size_t i = 1;
        for (; arvo__hex_value(peek(t, i)) >= 0; i++) {
            value = value * 16 + arvo__hex_value(peek(t, i));
            if (value > 0x10FFFF)
                return -1;
        }
        if (i == 1 || peek(t, i) != '}')
            return -1;
        t->at += i + 1;
        return value;
    }
    const int32_t high = hex_digits(t, 4);
    if (high >= 0xD800 && high <= 0xDBFF && peek(t, 0) == '\\' && peek(t, 1) == 'u') {
        const size_t before = t->at;
        t->at += 2;
        const int32_t low = hex_digits(t, 4);
        if (low >= 0xDC00 && low <= 0xDFFF)
            return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        t->at = before;
    }
    return high;
}

static arvo_status
emit_code_point(translator *t, int32_t code)
{
    if (code < 0)
        return wrong(t, "a malformed \\x or \\u escape");
    if (code >= 0xD800 && code <= 0xDFFF)
        return wrong(t, "a lone surrogate, which matches no text,");
    arvo_buf_printf(t->out, "\\x{%x}", (unsigned)code);
    return ARVO_OK;
}

/* Behind `\p` or `\P`. */
static arvo_status
property_escape(translator *t, bool negated)
{
    size_t len = 1;
    while (is_letter(peek(t, len)) || is_digit(peek(t, len)) || peek(t, len) == '_' ||
           peek(t, len) == '=')
        len++;
    if (peek(t, 0) != '{' || len == 1 || peek(t, len) != '}')
        return wrong(t, "a malformed \\p{...}");
    arvo_str name = { t->in.ptr + t->at + 1, len - 1 };
    t->at += len + 1;

    const char *prefix = "";
    const char *const equals = memchr(name.ptr, '=', name.len);
    if (equals != NULL) {
        const arvo_str key = { name.ptr, (size_t)(equals - name.ptr) };
        name = (arvo_str){ equals + 1, name.len - key.len - 1 };
        if (arvo_str_is(key, "Script") || arvo_str_is(key, "sc"))
            prefix = "sc:";
        else if (arvo_str_is(key, "Script_Extensions") || arvo_str_is(key, "scx"))
            prefix = "scx:";
        else if (!arvo_str_is(key, "General_Category") && !arvo_str_is(key, "gc"))
            return wrong(t, "an unknown property in \\p{...}");
    }
    if (prefix[0] == '\0' && arvo_str_is(name, "Assigned")) {
        name = ARVO_STR("Cn");
        negated = !negated;
    }
    for (size_t i = 0; prefix[0] == '\0' && i < ARVO_COUNT_OF(long_categories); i++)
        if (arvo_str_is(name, long_categories[i].name))
            name = arvo_str_from(long_categories[i].category);
    arvo_buf_printf(t->out, "\\%c{%s%.*s}", negated ? 'P' : 'p', prefix, ARVO_FMT(name));
    return ARVO_OK;
}

/* An escape that means the same in a class and outside of one. `*out_set`: it stands for several
 * characters. ARVO_E_NOT_FOUND: not one of these; nothing was consumed behind the letter. */
static arvo_status
common_escape(translator *t, char c, bool in_class, bool *out_set)
{
    static const char controls[] = "t\x09n\x0av\x0b"
                                   "f\x0cr\x0d";
    *out_set = false;
    for (size_t i = 0; i + 1 < sizeof(controls); i += 2)
        if (controls[i] == c)
            return emit_code_point(t, controls[i + 1]);
    switch (c) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        *out_set = true;
        arvo_buf_printf(t->out, "\\%c", c);
        return ARVO_OK;
    case 's':
        *out_set = true;
        emit(t, in_class ? SPACE_CLASS : "[" SPACE_CLASS "]");
        return ARVO_OK;
    case 'S':
        *out_set = true;
        emit(t, in_class ? NOT_SPACE_CLASS : "[^" SPACE_CLASS "]");
        return ARVO_OK;
    case 'p':
    case 'P':
        *out_set = true;
        return property_escape(t, c == 'P');
    case 'x':
        return emit_code_point(t, hex_digits(t, 2));
    case 'u':
        return emit_code_point(t, unicode_escape(t));
    case 'c':
        if (!is_letter(peek(t, 0)))
            return wrong(t, "a malformed \\c escape");
        return emit_code_point(t, t->in.ptr[t->at++] & 0x1f);
    case '0':
        return is_digit(peek(t, 0)) ? wrong(t, "an octal escape") : emit_code_point(t, 0);
    default:
        if (is_letter(c) || is_digit(c) || c == '_' || (unsigned char)c >= 0x80 || c < ' ')
            return ARVO_E_NOT_FOUND;
        arvo_buf_printf(t->out, "\\%c", c);
        return ARVO_OK;
    }
}

/* Behind a backslash outside of a class. */
static arvo_status
escape(translator *t)
{
    if (!has_next(t))
        return wrong(t, "a lone backslash");
    const char c = t->in.ptr[t->at++];
    bool is_set = false;
    t->can_repeat = true;
    const arvo_status st = common_escape(t, c, false, &is_set);
    if (st != ARVO_E_NOT_FOUND)
        return st;
    if (c == 'b' || c == 'B') {
        arvo_buf_printf(t->out, "\\%c", c);
        t->can_repeat = false;
        return ARVO_OK;
    }
    if (is_digit(c)) {
        size_t len = 0;
        while (is_digit(peek(t, len)))
            len++;
        arvo_buf_printf(t->out, "\\g{%c%.*s}", c, (int)len, t->in.ptr + t->at);
        t->at += len;
        return ARVO_OK;
    }
    if (c == 'k' && peek(t, 0) == '<') {
        emit(t, "\\k");
        return ARVO_OK; /* <name> is copied as plain characters */
    }
    t->at--;
    return wrong(t, "an unknown escape");
}

/* Whether the class member at `at` is an escape that stands for several characters. */
static bool
is_set_escape(const translator *t, size_t ahead)
{
    return peek(t, ahead) == '\\' && peek(t, ahead + 1) != '\0' &&
           strchr("dDwWsSpP", peek(t, ahead + 1)) != NULL;
}

static arvo_status
class_escape(translator *t, bool *out_set)
{
    if (!has_next(t))
        return wrong(t, "a lone backslash");
    const char c = t->in.ptr[t->at++];
    const arvo_status st = common_escape(t, c, true, out_set);
    if (st != ARVO_E_NOT_FOUND)
        return st;
    if (c == 'b')
        return emit_code_point(t, 8);
    t->at--;
    return wrong(t, "an unknown escape");
}

/* Behind `[`. */
static arvo_status class(translator *t)
{
    emit(t, "[");
    if (peek(t, 0) == '^') {
        emit(t, "^");
        t->at++;
    }
    bool was_set = false;
    while (has_next(t) && t->in.ptr[t->at] != ']') {
        const char c = t->in.ptr[t->at];
        const bool literal_dash = c == '-' && (was_set || is_set_escape(t, 1));
        t->at++;
        was_set = false;
        if (c == '\\') {
            const arvo_status st = class_escape(t, &was_set);
            if (st != ARVO_OK)
                return st;
        } else if (c == '[' || literal_dash) {
            arvo_buf_printf(t->out, "\\%c", c);
        } else {
            arvo_buf_append_char(t->out, c);
        }
    }
    if (!has_next(t))
        return wrong(t, "a class without its ]");
    t->at++;
    emit(t, "]");
    t->can_repeat = true;
    return ARVO_OK;
}

/* Behind `(`. */
static arvo_status
group(translator *t)
{
    static const char *const openings[] = { "?:", "?=", "?!", "?<=", "?<!" };
    emit(t, "(");
    t->branches = true;
    t->can_repeat = false;
    if (peek(t, 0) != '?')
        return ARVO_OK;
    const arvo_str rest = { t->in.ptr + t->at, t->in.len - t->at };
    for (size_t i = 0; i < ARVO_COUNT_OF(openings); i++) {
        if (!arvo_str_starts(rest, arvo_str_from(openings[i])))
            continue;
        emit(t, openings[i]);
        t->at += strlen(openings[i]);
        return ARVO_OK;
    }
    if (peek(t, 1) != '<')
        return wrong(t, "an unknown kind of group");
    size_t len = 2;
    while (is_letter(peek(t, len)) || peek(t, len) == '_' || (len > 2 && is_digit(peek(t, len))))
        len++;
    if (len == 2 || peek(t, len) != '>')
        return wrong(t, "a group name that is not a plain word");
    arvo_buf_append(t->out, rest.ptr, len + 1);
    t->at += len + 1;
    return ARVO_OK;
}

/* Length of {n}, {n,} or {n,m} at the present place; 0 when it is none of these. */
static size_t
braces_len(const translator *t)
{
    size_t i = 1;
    while (is_digit(peek(t, i)))
        i++;
    if (i == 1)
        return 0;
    if (peek(t, i) == ',')
        i++;
    while (is_digit(peek(t, i)))
        i++;
    return peek(t, i) == '}' ? i + 1 : 0;
}

static arvo_status
quantifier(translator *t, size_t len)
{
    if (!t->can_repeat)
        return wrong(t, "nothing to repeat");
    arvo_buf_append(t->out, t->in.ptr + t->at, len);
    t->varying += len < 3 || memchr(t->in.ptr + t->at, ',', len) != NULL;
    t->at += len;
    if (peek(t, 0) == '?') {
        emit(t, "?");
        t->at++;
    }
    t->can_repeat = false; /* PCRE2 would take a further + as possessive */
    return ARVO_OK;
}

static arvo_status
translate_next(translator *t)
{
    const char c = t->in.ptr[t->at];
    if (c == '*' || c == '+' || c == '?')
        return quantifier(t, 1);
    if (c == '{' && braces_len(t) > 0)
        return quantifier(t, braces_len(t));
    t->at++;
    switch (c) {
    case '\\':
        return escape(t);
    case '[':
        return class(t);
    case '(':
        return group(t);
    case '.':
        emit(t, "[^\\n\\r\\x{2028}\\x{2029}]");
        t->can_repeat = true;
        return ARVO_OK;
    case '{':
    case '}':
    case ']':
        arvo_buf_printf(t->out, "\\%c", c);
        t->can_repeat = true;
        return ARVO_OK;
    default:
        arvo_buf_append_char(t->out, c);
        t->branches |= c == '|';
        t->can_repeat = c != '^' && c != '$' && c != '|';
        return ARVO_OK;
    }
}

/* *out_plain: it begins at the beginning of the text and has one choice at most, so a match takes
 * no more steps than the text has characters. */
static arvo_status
translate(arvo_str pattern, arvo_buf *out, bool *out_plain, arvo_error *err)
{
    translator t = { .in = pattern, .out = out, .err = err };
    while (has_next(&t)) {
        const arvo_status st = translate_next(&t);
        if (st != ARVO_OK)
            return st;
    }
    *out_plain = pattern.len > 0 && pattern.len <= PLAIN_BYTES_MAX && pattern.ptr[0] == '^' &&
                 !t.branches && t.varying <= 1;
    return arvo__buf_status(out, "the regular expression", err);
}

arvo_status
arvo__regex_translate(arvo_str pattern, arvo_buf *out, arvo_error *err)
{
    bool plain = false;
    return translate(pattern, out, &plain, err);
}

/* ---- PCRE2 ---------------------------------------------------------------- */

static void *
pcre_alloc(size_t size, void *arena)
{
    return arvo__arena_alloc(arena, size);
}

static void
pcre_free(void *ptr, void *arena)
{
    (void)ptr; /* the arena's rewind frees it */
    (void)arena;
}

static arvo_status
pcre_failed(int code, size_t offset, arvo_error *err)
{
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return arvo__nomem(err);
    PCRE2_UCHAR text[160] = { 0 };
    (void)pcre2_get_error_message(code, text, sizeof(text));
    return arvo_error_set(
        err, ARVO_E_INVALID, offset, "not a regular expression that can be used: %s",
        (const char *)text);
}

static arvo_status
regex_build(
    schema_regex *regex, arvo_str translated, bool is_plain, arvo_arena *arena, arvo_error *err)
{
    pcre2_general_context *const memory =
        pcre2_general_context_create(pcre_alloc, pcre_free, arena);
    pcre2_compile_context *const context =
        memory != NULL ? pcre2_compile_context_create(memory) : NULL;
    if (context == NULL)
        return arvo__nomem(err);

    int code = 0;
    size_t offset = 0;
    regex->code = pcre2_compile(
        (PCRE2_SPTR)translated.ptr, translated.len,
        PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS |
            PCRE2_NEVER_BACKSLASH_C | (is_plain ? 0 : PCRE2_AUTO_CALLOUT),
        &code, &offset, context);
    if (regex->code == NULL)
        return arvo_arena_failed(arena) ? arvo__nomem(err) : pcre_failed(code, offset, err);
    return ARVO_OK;
}

/* Take a compiled expression into the list, within its bounds. Machine code takes some 65 us to
 * make, so only the first and the small ones get it; without it a match is slower and means the
 * same. */
static arvo_status
regex_keep(schema_regexes *list, schema_regex *regex, arvo_error *err)
{
    size_t bytes = 0;
    regex->next = list->first;
    list->first = regex;
    list->count++;
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &bytes);
    list->bytes += bytes;
    if (list->bytes > REGEXES_BYTES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "the regular expressions of one schema take more than %zu bytes",
            REGEXES_BYTES_MAX);
    if (list->count <= JIT_COUNT_MAX && bytes <= JIT_BYTES_MAX)
        (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    return ARVO_OK;
}

arvo_status
arvo__regex_compile(
    arvo_str pattern, arvo_arena *arena, schema_regexes *list, const schema_regex **out,
    arvo_error *err)
{
    if (pattern.len > ARVO_REGEX_BYTES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "a regular expression of more than %zu bytes",
            ARVO_REGEX_BYTES_MAX);
    schema_regex *const regex = arvo_arena_calloc(arena, 1, sizeof(*regex));
    if (regex == NULL)
        return arvo__nomem(err);
    regex->source = arvo_arena_str_dup(arena, pattern);
    if (regex->source.ptr == NULL)
        return arvo__nomem(err);

    const arvo_allocator memory = arvo__arena_allocator(arena);
    arvo_buf translated = ARVO_BUF_INIT(32 * ARVO_REGEX_BYTES_MAX);
    translated.allocator = &memory;
    bool is_plain = false;
    arvo_status st = translate(pattern, &translated, &is_plain, err);
    if (st == ARVO_OK)
        st = regex_build(regex, arvo_buf_str(&translated), is_plain, arena, err);
    arvo_buf_fini(&translated);
    if (st == ARVO_OK)
        st = regex_keep(list, regex, err);
    if (st == ARVO_OK)
        *out = regex;
    return st;
}

arvo__match
arvo__regex_is_valid(arvo_str pattern, arvo_arena *arena)
{
    if (pattern.len > ARVO_REGEX_BYTES_MAX)
        return ARVO__MATCH_GAVE_UP;
    schema_regex regex = { 0 };
    const arvo_allocator memory = arvo__arena_allocator(arena);
    arvo_buf translated = ARVO_BUF_INIT(32 * ARVO_REGEX_BYTES_MAX);
    translated.allocator = &memory;
    arvo_status st = arvo__regex_translate(pattern, &translated, NULL);
    if (st == ARVO_OK) /* without machine code all of it lies in the arena */
        st = regex_build(&regex, arvo_buf_str(&translated), true, arena, NULL);
    if (st == ARVO_E_NOMEM)
        return ARVO__MATCH_NOMEM;
    return st == ARVO_OK ? ARVO__MATCH_YES : ARVO__MATCH_NO;
}

void
arvo__regex_free_all(schema_regexes *list)
{
    for (const schema_regex *regex = list->first; regex != NULL; regex = regex->next)
        pcre2_code_free(regex->code); /* the machine code is not in the arena */
}

arvo_str
arvo__regex_source(const schema_regex *regex)
{
    return regex->source;
}

/* ---- Matching ------------------------------------------------------------- */

struct schema_match_scratch {
    pcre2_match_data *data;
    pcre2_match_context *limits;
    size_t steps; /* of the present match */
    size_t place; /* in the text, at the last callout */
};

/* Before each item that is tried. */
static int
match_step(pcre2_callout_block *block, void *self)
{
    schema_match_scratch *const scratch = self;
    const size_t place = block->current_position;
    scratch->steps += 1 + (place > scratch->place ? place - scratch->place : 0) / STEP_BYTES;
    scratch->place = place;
    return scratch->steps > ARVO_REGEX_MATCH_LIMIT ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static schema_match_scratch *
scratch_new(arvo_arena *arena)
{
    schema_match_scratch *const scratch = arvo_arena_calloc(arena, 1, sizeof(*scratch));
    pcre2_general_context *const memory =
        pcre2_general_context_create(pcre_alloc, pcre_free, arena);
    if (scratch == NULL || memory == NULL)
        return NULL;
    scratch->data = pcre2_match_data_create(1, memory);
    scratch->limits = pcre2_match_context_create(memory);
    if (scratch->data == NULL || scratch->limits == NULL)
        return NULL;
    (void)pcre2_set_match_limit(scratch->limits, ARVO_REGEX_MATCH_LIMIT);
    (void)pcre2_set_depth_limit(scratch->limits, ARVO_REGEX_MATCH_LIMIT);
    (void)pcre2_set_heap_limit(scratch->limits, REGEX_HEAP_KIB_MAX);
    (void)pcre2_set_callout(scratch->limits, match_step, scratch);
    return scratch;
}

arvo__match
arvo__regex_match(
    const schema_regex *regex, const char *text, size_t len, arvo_arena *arena,
    schema_match_scratch **scratch, size_t *out_steps)
{
    *out_steps = 0;
    if (*scratch == NULL)
        *scratch = scratch_new(arena);
    schema_match_scratch *const own = *scratch;
    if (own == NULL)
        return ARVO__MATCH_NOMEM;
    own->steps = len / STEP_BYTES;
    own->place = 0;
    PCRE2_SPTR const subject = (PCRE2_SPTR)text;
    int rc = pcre2_match(regex->code, subject, len, 0, 0, own->data, own->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(regex->code, subject, len, 0, PCRE2_NO_JIT, own->data, own->limits);
    if (own->steps > STEPS_FREE)
        *out_steps = own->steps / STEPS_PER_SPENT;
    if (rc >= 0)
        return ARVO__MATCH_YES;
    switch (rc) {
    case PCRE2_ERROR_NOMEMORY:
        return ARVO__MATCH_NOMEM;
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
        return ARVO__MATCH_GAVE_UP;
    default: /* no match, or text that is not UTF-8, which matches nothing */
        return ARVO__MATCH_NO;
    }
}
