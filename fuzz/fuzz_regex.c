/* ECMA-262 patterns against texts. The input is a pattern, a line feed, and a text. Laws: what
 * compiles translates into UTF-8 and is valid as a format; a pattern in a group, or beside an
 * alternative that matches nothing, matches the same; a text whose punctuation is escaped is a
 * pattern that matches it; a match ends. */

#include <stdint.h>
#include <stdlib.h>

#include "contract/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATTERN_BYTES_MAX ((size_t)4096)
#define TEXT_BYTES_MAX    ((size_t)4096)

typedef struct trial {
    arvo_status compiled;
    arvo__match match;
} trial;

/* Compile head + pattern + tail and match it with the text. */
static trial
try_pattern(arvo_arena *arena, const char *head, arvo_str pattern, const char *tail, arvo_str text)
{
    schema_regexes list = { 0 };
    const schema_regex *regex = NULL;
    schema_match_scratch *scratch = NULL;
    size_t steps = 0;
    arvo_error err = { 0 };
    arvo_buf whole = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf_append_str(&whole, arvo_str_from(head));
    arvo_buf_append_str(&whole, pattern);
    arvo_buf_append_str(&whole, arvo_str_from(tail));

    trial result = { .match = ARVO__MATCH_GAVE_UP };
    result.compiled = arvo__regex_compile(arvo_buf_str(&whole), arena, &list, &regex, &err);
    ARVO_ASSERT((result.compiled == ARVO_OK) == (regex != NULL));
    ARVO_ASSERT((result.compiled == ARVO_OK) == (err.text[0] == '\0'));
    if (regex != NULL)
        result.match = arvo__regex_match(regex, text.ptr, text.len, arena, &scratch, &steps);
    ARVO_ASSERT(result.match != ARVO__MATCH_NOMEM);
    ARVO_ASSERT(steps <= ARVO_REGEX_MATCH_LIMIT);
    arvo__regex_free_all(&list);
    arvo_buf_fini(&whole);
    return result;
}

/* As a format, and by translation alone. */
static void
check_translation(arvo_arena *arena, arvo_str pattern, arvo_status compiled)
{
    arvo_buf out = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_error err = { 0 };
    const arvo_status st = arvo__regex_translate(pattern, &out, &err);
    ARVO_ASSERT((st == ARVO_OK) == (err.text[0] == '\0'));
    if (compiled == ARVO_OK) {
        ARVO_ASSERT(st == ARVO_OK);
        ARVO_ASSERT(arvo__utf8_is_valid(arvo_buf_str(&out)));
        ARVO_ASSERT(arvo__regex_is_valid(pattern, arena) == ARVO__MATCH_YES);
    } else if (compiled == ARVO_E_INVALID) {
        ARVO_ASSERT(arvo__regex_is_valid(pattern, arena) == ARVO__MATCH_NO);
    }
    arvo_buf_fini(&out);
}

/* What is around a pattern that compiles does not change what it means. */
static void
check_meaning(arvo_arena *arena, arvo_str pattern, arvo_str text, arvo__match match)
{
    static const char *const around[][2] = { { "(?:", ")" }, { "", "|[]" } };
    for (size_t i = 0; i < ARVO_COUNT_OF(around); i++) {
        const trial other = try_pattern(arena, around[i][0], pattern, around[i][1], text);
        /* One that just fits may not fit with more around it. */
        if (other.compiled != ARVO_OK || other.match == ARVO__MATCH_GAVE_UP ||
            match == ARVO__MATCH_GAVE_UP) {
            ARVO_ASSERT(other.compiled == ARVO_OK || pattern.len > 128);
            continue;
        }
        ARVO_ASSERT(other.match == match);
    }
}

static void
check_literal(arvo_arena *arena, arvo_str text)
{
    arvo_buf pattern = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr("\\^$.*+?()[]{}|/", text.ptr[i]) != NULL)
            arvo_buf_append_char(&pattern, '\\');
        arvo_buf_append_char(&pattern, text.ptr[i]);
    }
    const trial literal = try_pattern(arena, "^", arvo_buf_str(&pattern), "$", text);
    ARVO_ASSERT(literal.compiled == ARVO_OK && literal.match == ARVO__MATCH_YES);
    arvo_buf_fini(&pattern);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const bytes = (const char *)data;
    const char *const feed = size > 0 ? memchr(bytes, '\n', size) : NULL;
    const arvo_str pattern = { bytes, feed != NULL ? (size_t)(feed - bytes) : size };
    const size_t used = pattern.len + (feed != NULL);
    const arvo_str text = { bytes + used, size - used };
    if (pattern.len > PATTERN_BYTES_MAX || text.len > TEXT_BYTES_MAX)
        return 0;

    arvo_arena *const arena = arvo_arena_new(NULL);
    ARVO_ASSERT(arena != NULL);
    const trial first = try_pattern(arena, "", pattern, "", text);
    check_translation(arena, pattern, first.compiled);
    if (first.compiled == ARVO_OK)
        check_meaning(arena, pattern, text, first.match);
    if (text.len > 0 && arvo__utf8_is_valid(text))
        check_literal(arena, text);
    arvo_arena_free(arena);
    return 0;
}
