/* Reference resolution (RFC 3986, section 5). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/internal.h"

static void
resolves_to(const char *base, const char *reference, const char *expected)
{
    arvo_buf buf = ARVO_BUF_INIT(1024);
    arvo__uri_resolve(arvo_str_from(base), arvo_str_from(reference), &buf);
    assert_int_equal(buf.status, ARVO_OK);
    if (!arvo_str_is(arvo_buf_str(&buf), expected))
        fail_msg(
            "%s at %s is %.*s, not %s", reference, base, ARVO_FMT(arvo_buf_str(&buf)), expected);
    arvo_buf_fini(&buf);
}

/* One folder of a file, and the same tree reached in every way the grammar has. */
static void
test_uri_resolve__follows_the_grammar(void **state)
{
    static const struct {
        const char *reference, *expected;
    } cases[] = {
        { "", "http://h.example/x/y/z?k=v" },
        { "#part", "http://h.example/x/y/z?k=v" },
        { "?k=w", "http://h.example/x/y/z?k=w" },
        { "n", "http://h.example/x/y/n" },
        { "n?k#f", "http://h.example/x/y/n?k" },
        { ".", "http://h.example/x/y/" },
        { "./", "http://h.example/x/y/" },
        { "./n/./m", "http://h.example/x/y/n/m" },
        { "..", "http://h.example/x/" },
        { "../n", "http://h.example/x/n" },
        { "../../n", "http://h.example/n" },
        { "../../../../n", "http://h.example/n" },
        { "n/..", "http://h.example/x/y/" },
        { "n/../m", "http://h.example/x/y/m" },
        { "..n", "http://h.example/x/y/..n" },
        { "n.", "http://h.example/x/y/n." },
        { "/n", "http://h.example/n" },
        { "/n/../m/.", "http://h.example/m/" },
        { "//other.example/n", "http://other.example/n" },
        { "//other.example", "http://other.example" },
        { "https://other.example/a/../b", "https://other.example/b" },
        { "urn:example:a", "urn:example:a" },
        { "n:m", "n:m" },
        { "n//m", "http://h.example/x/y/n//m" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        resolves_to("http://h.example/x/y/z?k=v", cases[i].reference, cases[i].expected);
}

static void
test_uri_resolve__takes_any_base(void **state)
{
    (void)state;
    resolves_to("", "a/b", "a/b");
    resolves_to("", "../a", "a");
    resolves_to("", "#f", "");
    resolves_to("a/b", "c", "a/c");
    resolves_to("/a/b", "c", "/a/c");
    resolves_to("http://h.example", "a", "http://h.example/a");
    resolves_to("urn:example:a", "#f", "urn:example:a");
    resolves_to("file:///a/b", "c", "file:///a/c");
}

static void
test_uri_resolve__splits(void **state)
{
    (void)state;
    const arvo__uri uri = arvo__uri_split(ARVO_STR("s+1://a:1/p?q?#f#"));
    assert_true(arvo_str_is(uri.scheme, "s+1"));
    assert_true(arvo_str_is(uri.authority, "a:1"));
    assert_true(arvo_str_is(uri.path, "/p"));
    assert_true(arvo_str_is(uri.query, "q?"));
    assert_true(arvo_str_is(uri.fragment, "f#"));
    const arvo__uri none = arvo__uri_split(ARVO_STR_NONE);
    assert_null(none.scheme.ptr);
    assert_null(none.authority.ptr);
    assert_null(none.query.ptr);
    assert_null(none.fragment.ptr);
    assert_int_equal(none.path.len, 0);
    assert_null(arvo__uri_split(ARVO_STR("1a:b")).scheme.ptr);
    assert_null(arvo__uri_split(ARVO_STR(":b")).scheme.ptr);
}

static void
test_uri_resolve__is_bounded(void **state)
{
    (void)state;
    arvo_buf buf = ARVO_BUF_INIT(8);
    arvo__uri_resolve(ARVO_STR("http://h.example/x"), ARVO_STR("y"), &buf);
    assert_int_equal(buf.status, ARVO_E_TOO_BIG);
    arvo_buf_fini(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uri_resolve__follows_the_grammar),
        cmocka_unit_test(test_uri_resolve__takes_any_base),
        cmocka_unit_test(test_uri_resolve__splits),
        cmocka_unit_test(test_uri_resolve__is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
