/* Strings for the solver: what people would write where it fits, else what the patterns ask for. */

#include "contract/solve.h"

#include <stdio.h>

#define VARIANTS_MAX 600u

static const struct {
    const char *format;
    const char *text;
} formats[] = { { "date-time", "2026-01-02T03:04:05Z" },
                { "date", "2026-01-02" },
                { "time", "03:04:05Z" },
                { "duration", "PT1H" },
                { "email", "ada@example.com" },
                { "idn-email", "ada@example.com" },
                { "hostname", "example.com" },
                { "idn-hostname", "example.com" },
                { "ipv4", "192.0.2.1" },
                { "ipv6", "2001:db8::1" },
                { "uri", "https://example.com/1" },
                { "url", "https://example.com/1" },
                { "iri", "https://example.com/1" },
                { "uri-reference", "/1" },
                { "uri-template", "/{id}" },
                { "uuid", "3f2b8c1e-5d47-4a6b-9c0d-1e2f3a4b5c6d" },
                { "json-pointer", "/a/0" },
                { "relative-json-pointer", "1/a" },
                { "regex", "^a+$" } };

/* The text to begin with: of the format, or the name of what it stands for. */
static arvo_str
stem_of(const solver *s, const solve_state *state)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(formats); i++)
        if (arvo_str_is(state->format, formats[i].format))
            return arvo_str_from(formats[i].text);
    if (s->hint.len > 0 && s->hint.len <= 64)
        return s->hint;
    return ARVO_STR("text");
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
    const arvo_str stem = stem_of(s, state);
    const bool is_plain = state->patterns == NULL;
    const size_t variants = is_plain || s->realistic ? VARIANTS_MAX : 1;
    for (size_t i = 0; i < variants && !s->stopped; i++) {
        const size_t variant = i + (size_t)(s->seed % 1000);
        const arvo_str text = fitted(s, state, is_ascii(stem) ? stem : ARVO_STR("text"), variant);
        if (text.ptr != NULL && try_text(s, text, all, value) == SOLVE_YES)
            return SOLVE_FOUND;
        if (!is_plain && i > 3)
            break; /* patterns are for the automaton */
    }
    return s->stopped ? SOLVE_UNKNOWN : by_patterns(s, state, all, value);
}
