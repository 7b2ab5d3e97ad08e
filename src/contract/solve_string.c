/* Strings for the solver: what people would write where it fits, else what the patterns ask for. */

#include "contract/solve.h"

#include <stdio.h>

#define VARIANTS_MAX 600u

/* `other` makes as many more as it has places for digits. */
static const struct {
    const char *format, *text, *other;
} formats[] = {
    { "date-time", "2026-01-02T03:04:05Z", "2###-01-02T03:04:05Z" },
    { "date", "2026-01-02", "2###-01-02" },
    { "time", "03:04:05Z", "03:0#:0#Z" },
    { "duration", "PT1H", "PT###H" },
    { "email", "ada@example.com", "ada###@example.com" },
    { "idn-email", "ada@example.com", "ada###@example.com" },
    { "hostname", "example.com", "host###.example.com" },
    { "idn-hostname", "example.com", "host###.example.com" },
    { "ipv4", "192.0.2.1", "10.#.#.1" },
    { "ipv6", "2001:db8::1", "2001:db8::###" },
    { "uri", "https://example.com/1", "https://example.com/###" },
    { "url", "https://example.com/1", "https://example.com/###" },
    { "iri", "https://example.com/1", "https://example.com/###" },
    { "uri-reference", "/1", "/###" },
    { "iri-reference", "/1", "/###" },
    { "uri-template", "/{id}", "/{id}/###" },
    { "uuid", "3f2b8c1e-5d47-4a6b-9c0d-1e2f3a4b5c6d", "3f2b8c1e-5d47-4a6b-9c0d-1e2f3a4b5###" },
    { "json-pointer", "/a/0", "/a/###" },
    { "relative-json-pointer", "1/a", "1/a###" },
    { "regex", "^a+$", "^a###$" },
};

/* A string of the format; none: no such format, or it has no variants left. */
static arvo_str
formatted(solver *s, arvo_str format, size_t variant)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(formats); i++) {
        if (!arvo_str_is(format, formats[i].format))
            continue;
        if (variant == 0)
            return arvo_str_from(formats[i].text);
        const arvo_str other = arvo_arena_str_dup(s->arena, arvo_str_from(formats[i].other));
        char *const text = other.ptr != NULL ? arvo__solve_alloc(s, other.len + 1) : NULL;
        if (text == NULL)
            return ARVO_STR_NONE;
        memcpy(text, other.ptr, other.len + 1);
        for (size_t at = other.len; at-- > 0;) {
            if (text[at] != '#')
                continue;
            text[at] = (char)('0' + variant % 10);
            variant /= 10;
        }
        return variant == 0 ? (arvo_str){ text, other.len } : ARVO_STR_NONE;
    }
    return ARVO_STR_NONE;
}

/* The text to begin with: the name of what it stands for. */
static arvo_str
stem_of(const solver *s)
{
    return s->hint.len > 0 && s->hint.len <= 64 ? s->hint : ARVO_STR("text");
}

/* Cut or stretched to what the bounds allow. None: it cannot be. */
static arvo_str
fitted(solver *s, const solve_state *state, arvo_str stem, size_t variant)
{
    char tail[24] = "";
    int tail_len = 0;
    if (variant > 0)
        tail_len = snprintf(tail, sizeof(tail), "%zu", variant);
    const size_t max = state->max_length < SOLVE_STRING_MAX ? state->max_length : SOLVE_STRING_MAX;
    if (state->min_length > max)
        return ARVO_STR_NONE;
    size_t len = stem.len + (size_t)tail_len;
    len = len < state->min_length ? state->min_length : len > max ? max : len;
    char *const text = arvo__solve_alloc(s, len + 1);
    if (text == NULL)
        return ARVO_STR_NONE;
    const size_t tail_at = len > (size_t)tail_len ? len - (size_t)tail_len : 0;
    for (size_t i = 0; i < len; i++)
        text[i] = i >= tail_at ? tail[i - tail_at] : i < stem.len ? stem.ptr[i] : 'x';
    text[len] = '\0';
    return (arvo_str){ text, len };
}

static bool
is_ascii(arvo_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    return true;
}

static solve_truth
try_text(solver *s, arvo_str text, const solve_terms *all, const arvo_json **value)
{
    const arvo_json *const candidate = arvo_json_string_ref(s->arena, text);
    if (candidate == NULL) {
        arvo__solve_memory(s);
        return SOLVE_MAYBE;
    }
    const solve_truth is = arvo__solve_eval_all(s, all, candidate);
    if (is == SOLVE_YES)
        *value = candidate;
    return is;
}

/* The strings that may not be, as patterns, so that the automaton avoids them too. NULL: too many,
 * or beyond it. */
static bool
exclude_values(solver *s, const solve_state *state, const solve_patterns **patterns)
{
    size_t count = 0;
    for (const solve_values *item = state->not_values; item != NULL; item = item->next) {
        const arvo_str text = arvo_json_str(item->value);
        if (text.ptr == NULL)
            continue;
        solve_patterns *const pattern = arvo__solve_alloc(s, sizeof(*pattern));
        if (++count > 64 || pattern == NULL)
            return false;
        *pattern = (solve_patterns){ .pattern = text, .negated = true, .literal = true };
        pattern->next = *patterns;
        *patterns = pattern;
    }
    return true;
}

static solve_answer
by_patterns(solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    const solve_patterns *patterns = state->patterns;
    if (!exclude_values(s, state, &patterns))
        return SOLVE_UNKNOWN;
    arvo_str text = ARVO_STR_NONE;
    const solve_answer answer =
        arvo__solve_regex(s, patterns, state->min_length, state->max_length, &text);
    if (answer != SOLVE_FOUND)
        return answer;
    return try_text(s, text, all, value) == SOLVE_YES ? SOLVE_FOUND : SOLVE_UNKNOWN;
}

solve_answer
arvo__solve_string(
    solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    if (state->min_length > state->max_length)
        return SOLVE_NONE;
    const arvo_str stem = stem_of(s);
    const bool is_plain = state->patterns == NULL;
    const size_t variants = is_plain || s->realistic ? VARIANTS_MAX : 1;
    for (size_t i = 0; i < variants && !s->stopped; i++) {
        const size_t variant = i + (size_t)(s->seed % 1000);
        arvo_str text = formatted(s, state->format, variant);
        if (text.ptr != NULL && try_text(s, text, all, value) == SOLVE_YES)
            return SOLVE_FOUND;
        text = fitted(s, state, is_ascii(stem) ? stem : ARVO_STR("text"), variant);
        if (text.ptr != NULL && try_text(s, text, all, value) == SOLVE_YES)
            return SOLVE_FOUND;
        if (!is_plain && i > 3)
            break; /* patterns are for the automaton */
    }
    return s->stopped ? SOLVE_UNKNOWN : by_patterns(s, state, all, value);
}
