/* Regular expressions: ECMA-262 with flag u, on PCRE2. */

#include "schema_helpers.h"

#include "contract/schema.h"

static const schema_regex *
compile(const char *pattern, schema_regexes *list)
{
    const schema_regex *regex = NULL;
    arvo_error err = { 0 };
    if (arvo__regex_compile(arvo_str_from(pattern), arena, list, &regex, &err) != ARVO_OK)
        fail_msg("%s: %s", pattern, err.text);
    return regex;
}

static bool
matches(const char *pattern, arvo_str text)
{
    schema_regexes list = { 0 };
    schema_match_scratch *scratch = NULL;
    size_t steps = 0;
    const schema_regex *const regex = compile(pattern, &list);
    const arvo__match match = arvo__regex_match(regex, text.ptr, text.len, arena, &scratch, &steps);
    arvo__regex_free_all(&list);
    assert_true(match == ARVO__MATCH_YES || match == ARVO__MATCH_NO);
    return match == ARVO__MATCH_YES;
}

static void
test_schema_regex__matches(void **state)
{
    static const struct {
        const char *pattern, *yes, *no; /* NULL: none */
    } cases[] = {
        { "", "", NULL },
        { "abc", "xabcx", "ab" },
        { "^a$", "a", "a\n" },
        { "^.$", "\xc3\xa9", "\n" },
        { "^.$", "\xf0\x9f\x98\x80", "\r" },
        { "^.$", "\x0b", "\xe2\x80\xa8" },
        { "^\\d$", "7", "\xd9\xa3" },
        { "^\\w$", "_", "\xc3\xa9" },
        { "^\\W$", "\xc3\xa9", "a" },
        { "^\\s$", "\xc2\xa0", "a" },
        { "^\\s$", "\xef\xbb\xbf", "\xe2\x80\x8b" },
        { "^\\s$", "\xe2\x80\xa9", "\xc2\x85" },
        { "^\\S$", "\xc2\x85", "\xe3\x80\x80" },
        { "^[\\s]$", "\t", "a" },
        { "^[\\S]$", "a", "\xc2\xa0" },
        { "^[^\\S]$", " ", "a" },
        { "^[^\\s\\d]$", "a", "1" },
        { "^[\\w-]+$", "a-b", "a+b" },
        { "^[\\w-.]+$", "a-.b", "a+b" },
        { "^[a-\\d]+$", "a-1", "b" },
        { "^\\v$", "\x0b", "\n" },
        { "^\\t\\n\\f\\r$", "\t\n\x0c\r", "tnfr" },
        { "^\\cA$", "\x01", "A" },
        { "^[\\b]$", "\x08", "b" },
        { "\\bfoo\\b", "a foo b", "afoob" },
        { "a\\Bb", "ab", "a b" },
        { "^\\x41$", "A", "x41" },
        { "^\\u0041$", "A", "u0041" },
        { "^\\u{1F600}$", "\xf0\x9f\x98\x80", "a" },
        { "^\\uD83D\\uDE00$", "\xf0\x9f\x98\x80", "a" },
        { "^[\\u{1F600}-\\u{1F610}]$", "\xf0\x9f\x98\x85", "a" },
        { "^\\p{L}$", "\xc3\xa9", "1" },
        { "^\\p{Letter}+$", "a\xc3\xa9", "1" },
        { "^\\p{Lu}$", "A", "a" },
        { "^\\P{L}$", "1", "a" },
        { "^\\p{gc=Uppercase_Letter}$", "A", "a" },
        { "^\\p{General_Category=Nd}$", "\xd9\xa3", "a" },
        { "^\\p{Script=Greek}$", "\xce\xb1", "a" },
        { "^\\p{sc=Latin}$", "a", "\xce\xb1" },
        { "^\\p{scx=Greek}$", "\xce\xb1", "a" },
        { "^[\\p{L}\\p{N}]+$", "a1", "-" },
        { "^\\p{Alphabetic}$", "a", "1" },
        { "^\\p{Assigned}$", "a", NULL },
        { "^\\p{digit}$", "4", "a" },
        { "^a{2}$", "aa", "a" },
        { "^a{2,}$", "aaa", "a" },
        { "^a{1,2}$", "aa", "aaa" },
        { "^a{,2}$", "a{,2}", "aa" },
        { "^{a}$", "{a}", "a" },
        { "^a]$", "a]", "a" },
        { "a+?b*?c??", "a", "b" },
        { "^(?:a|b)+$", "ab", "c" },
        { "^(a)(b)\\2\\1$", "abba", "abab" },
        { "^(?<x>a)\\k<x>$", "aa", "ab" },
        { "^(?:(a)|b)\\1c$", "bc", "ac" },
        { "a(?=b)", "ab", "ac" },
        { "a(?!b)", "ac", "ab" },
        { "(?<=a)b", "ab", "cb" },
        { "(?<!a)b", "cb", "ab" },
        { "^[^]$", "\n", "" },
        { "^[]$", NULL, "" },
        { "[]", NULL, "a" },
        { "^[[:alpha:]]$", ":]", "b" },
        { "^[[]$", "[", "a" },
        { "^[a\\]b]$", "]", "c" },
        { "^\\$\\^\\*\\(\\)\\[\\]\\{\\}\\|\\.\\/\\\\\\?\\+$", "$^*()[]{}|./\\?+", "a" },
        { "^\\-\\\"\\'\\@$", "-\"'@", "a" },
        { "^[\\-\\.]$", "-", "a" },
        { "#comment", "#comment", " " },
        { "a b", "a b", "ab" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        if (cases[i].yes != NULL && !matches(cases[i].pattern, arvo_str_from(cases[i].yes)))
            fail_msg("%s does not match %s", cases[i].pattern, cases[i].yes);
        if (cases[i].no != NULL && matches(cases[i].pattern, arvo_str_from(cases[i].no)))
            fail_msg("%s matches %s", cases[i].pattern, cases[i].no);
    }
}

static void
test_schema_regex__nul_bytes(void **state)
{
    (void)state;
    assert_true(matches("^\\0$", (arvo_str){ "\0", 1 }));
    assert_true(matches("b$", (arvo_str){ "a\0b", 3 }));
    assert_false(matches("^a$", (arvo_str){ "a\0b", 3 }));
}

static void
test_schema_regex__text_that_is_not_utf8_matches_nothing(void **state)
{
    (void)state;
    assert_false(matches("", ARVO_STR("\xff")));
}

static void
test_schema_regex__refused(void **state)
{
    static const char *const patterns[] = {
        "*a",          "+",        "?",        "{2}",         "a**",
        "a++",         "a?+",      "a{2}{3}",  "(*UTF)a",     "(?i)a",
        "(?#c)",       "(?>a)",    "(?R)",     "(?P<n>a)",    "(?|a)",
        "(?<1a>b)",    "(?<>a)",   "(",        ")",           "[",
        "[a",          "[b-a]",    "\\",       "\\a",         "\\Q",
        "\\z",         "\\A",      "\\K",      "\\C",         "\\R",
        "\\h",         "\\_",      "\\x1",     "\\u12",       "\\u{}",
        "\\u{110000}", "\\u{41",   "\\uD800",  "\\p",         "\\p{",
        "\\p{}",       "\\p{Foo}", "\\p{x=y}", "\\p{sc=Foo}", "\\01",
        "\\c1",        "\\2",      "[\\B]",    "[\\1]",       "[\\",
        "\\k",         "\\k<a>",   "(?<=a*)b", "a{99999}",    "(?<n>a)(?<n>b)",
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(patterns); i++) {
        schema_regexes list = { 0 };
        const schema_regex *regex = NULL;
        arvo_error err = { 0 };
        const arvo_status st =
            arvo__regex_compile(arvo_str_from(patterns[i]), arena, &list, &regex, &err);
        if (st != ARVO_E_INVALID || strlen(err.text) == 0)
            fail_msg("%s: %s %s", patterns[i], arvo_status_name(st), err.text);
        assert_null(list.first);
    }
}

static void
test_schema_regex__bounded(void **state)
{
    (void)state;
    arvo_error err = { 0 };
    schema_regexes list = { 0 };
    const schema_regex *regex = NULL;
    char *const text = malloc(ARVO_REGEX_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, '(', ARVO_REGEX_BYTES_MAX + 1);
    assert_int_equal(
        arvo__regex_compile(
            (arvo_str){ text, ARVO_REGEX_BYTES_MAX + 1 }, arena, &list, &regex, &err),
        ARVO_E_TOO_BIG);
    assert_int_equal(
        arvo__regex_compile((arvo_str){ text, 10000 }, arena, &list, &regex, &err), ARVO_E_INVALID);
    free(text);
    assert_int_equal(
        arvo__regex_compile(
            ARVO_STR("(((a{9999}){9999}){9999}){9999}"), arena, &list, &regex, &err),
        ARVO_E_INVALID);

    schema_match_scratch *scratch = NULL;
    size_t steps = 0;
    regex = compile("^(a+)+$", &list);
    assert_int_equal(
        arvo__regex_match(
            regex, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 36, arena, &scratch, &steps),
        ARVO__MATCH_GAVE_UP);
    arvo__regex_free_all(&list);
}

/* PCRE2 counts afresh for each place where a match may begin; these have many, or few that run over
 * much text. */
static void
test_schema_regex__bounded_on_long_texts(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "(?=.*c)", "[^c]*c.", "[^x]*[cd]", ".*.*[cd]", "^(?:a|aa)+c", "(a*)*[cd]", "(?:a+a+)+[cd]",
    };
    const size_t len = 1000000;
    char *const text = malloc(len);
    assert_non_null(text);
    memset(text, 'a', len);
    for (size_t i = 0; i < ARVO_COUNT_OF(patterns); i++) {
        schema_match_scratch *scratch = NULL;
        schema_regexes list = { 0 };
        size_t steps = 0;
        const schema_regex *const regex = compile(patterns[i], &list);
        const arvo__match match = arvo__regex_match(regex, text, len, arena, &scratch, &steps);
        if (match != ARVO__MATCH_GAVE_UP || steps < 1000 || steps > ARVO_REGEX_MATCH_LIMIT)
            fail_msg("%s: %d, %zu steps", patterns[i], (int)match, steps);
        arvo__regex_free_all(&list);
    }
    free(text);
}

/* Many patterns, or a few that grow when compiled, are refused before they take long. */
static void
test_schema_regex__bounded_together(void **state)
{
    (void)state;
    arvo_error err = { 0 };
    schema_regexes list = { 0 };
    const schema_regex *regex = NULL;
    arvo_status st = ARVO_OK;
    size_t count = 0;
    for (; st == ARVO_OK && count < 100000; count++)
        st = arvo__regex_compile(ARVO_STR("((a{1,100}){1,20}b){1,2}"), arena, &list, &regex, &err);
    assert_int_equal(st, ARVO_E_TOO_BIG);
    assert_non_null(strstr(err.text, "the regular expressions of one schema"));
    assert_true(count > 10);
    schema_match_scratch *scratch = NULL;
    size_t steps = 0;
    assert_int_equal(arvo__regex_match(regex, "aab", 3, arena, &scratch, &steps), ARVO__MATCH_YES);
    arvo__regex_free_all(&list);
}

static void
test_schema_regex__out_of_memory(void **state)
{
    (void)state;
    bool done = false;
    for (size_t n = 1; !done; n++) {
        failing f = { .left = n };
        const arvo_allocator allocator = { failing_alloc, failing_free, &f };
        arvo_arena *const small =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 64 });
        schema_regexes list = { 0 };
        const schema_regex *regex = NULL;
        schema_match_scratch *scratch = NULL;
        size_t steps = 0;
        arvo_status st = ARVO_E_NOMEM;
        if (small != NULL)
            st = arvo__regex_compile(ARVO_STR("^[a-z]+(b|c)*$"), small, &list, &regex, NULL);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        if (st == ARVO_OK) {
            const arvo__match match = arvo__regex_match(regex, "abc", 3, small, &scratch, &steps);
            assert_true(match == ARVO__MATCH_YES || match == ARVO__MATCH_NOMEM);
            done = match == ARVO__MATCH_YES;
        }
        arvo__regex_free_all(&list);
        arvo_arena_free(small);
        assert_int_equal(f.live, 0);
        assert_true(n < 200);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_regex__matches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_regex__nul_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema_regex__text_that_is_not_utf8_matches_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_regex__refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_regex__bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_regex__bounded_on_long_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_regex__bounded_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_regex__out_of_memory, setup, teardown),
    };
    return cmocka_run_group_tests_name("schema_regex", tests, NULL, NULL);
}
