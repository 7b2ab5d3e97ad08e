/* encodeURI and validateURI. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <arvo/uri.h>

#include "base/internal.h"

static const char safe_text[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                ";/?:@&=+$,#-_.!~*'()";

/* encodeURI(text), in a static buffer. */
static const char *
encode(arvo_str text)
{
    static char result[256];
    arvo_buf buf = ARVO_BUF_INIT(sizeof(result) - 1);
    arvo_error err = { 0 };
    if (arvo_uri_encode(text, &buf, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    snprintf(result, sizeof(result), "%.*s", ARVO_FMT(arvo_buf_str(&buf)));
    arvo_buf_fini(&buf);
    return result;
}

static bool
is_valid(const char *text)
{
    return arvo_uri_is_valid(arvo_str_from(text));
}

/* Each of the 128 ASCII bytes at each place of a vector and of the tail behind it. */
static void
test_uri__knows_every_ascii_byte(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 128; c++) {
        const bool safe = c != 0 && strchr(safe_text, (int)c) != NULL;
        for (size_t len = 1; len <= 40; len += 13) {
            for (size_t at = 0; at < len; at++) {
                char text[40];
                memset(text, 'a', sizeof(text));
                text[at] = (char)c;
                const arvo_str str = { text, len };
                assert_int_equal(arvo_uri_is_plain(str), safe);
                if (!safe)
                    assert_false(arvo_uri_is_valid(str));
            }
        }
        char expected[4];
        const char byte = (char)c;
        snprintf(expected, sizeof(expected), safe ? "%c" : "%%%02X", c);
        assert_string_equal(encode((arvo_str){ &byte, 1 }), expected);
    }
}

static void
test_uri__encode_mixes_runs_and_escapes(void **state)
{
    (void)state;
    assert_string_equal(encode(ARVO_STR("")), "");
    assert_string_equal(
        encode(ARVO_STR("com.example.service-name/with?q=1#f")),
        "com.example.service-name/with?q=1#f");
    assert_string_equal(encode(ARVO_STR("a b%20c")), "a%20b%2520c");
    assert_string_equal(
        encode(ARVO_STR("sixteen bytes... and then \xc3\xa9 more")),
        "sixteen%20bytes...%20and%20then%20%C3%A9%20more");
    assert_string_equal(encode(ARVO_STR("\xf0\x9d\x84\x9e")), "%F0%9D%84%9E");
    assert_string_equal(
        encode(ARVO_STR("[]{}|\\^`\"<>\x7f")), "%5B%5D%7B%7D%7C%5C%5E%60%22%3C%3E%7F");
}

static void
test_uri__encode_refuses_what_is_not_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        { "\x80", 0 },     { "ab\xff", 2 },      { "a\xed\xa0\x80", 1 },
        { "\xc0\x80", 0 }, { "abc\xe2\x82", 3 },
    };
    arvo_buf buf = ARVO_BUF_INIT(100);
    arvo_buf_append(&buf, "kept", 4);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_error err = { 0 };
        assert_int_equal(
            arvo_uri_encode(arvo_str_from(cases[i].text), &buf, &err), ARVO_E_MALFORMED);
        assert_int_equal(err.offset, cases[i].offset);
        assert_true(strlen(err.text) > 0);
        assert_true(arvo_str_is(arvo_buf_str(&buf), "kept"));
        assert_int_equal(
            arvo_uri_encode(arvo_str_from(cases[i].text), &buf, NULL), ARVO_E_MALFORMED);
    }
    arvo_buf_fini(&buf);
}

static void
test_uri__encode_passes_on_the_buffers_failure(void **state)
{
    (void)state;
    arvo_error err = { 0 };
    arvo_buf small = ARVO_BUF_INIT(5);
    assert_int_equal(arvo_uri_encode(ARVO_STR("a b"), &small, &err), ARVO_OK); /* a%20b */
    assert_int_equal(arvo_uri_encode(ARVO_STR("c"), &small, &err), ARVO_E_TOO_BIG);
    assert_int_equal(err.status, ARVO_E_TOO_BIG);
    assert_true(arvo_str_is(arvo_buf_str(&small), "a%20b"));
    arvo_buf_fini(&small);
}

static void *
never_alloc(void *self, size_t size)
{
    (void)self;
    (void)size;
    return NULL;
}

static void
never_free(void *self, void *ptr, size_t size)
{
    (void)self;
    (void)ptr;
    (void)size;
}

static void
test_uri__encode_reports_no_memory(void **state)
{
    (void)state;
    const arvo_allocator none = { never_alloc, never_free, NULL };
    arvo_error err = { 0 };
    arvo_buf buf = ARVO_BUF_INIT(100);
    buf.allocator = &none;
    assert_int_equal(arvo_uri_encode(ARVO_STR("a b"), &buf, &err), ARVO_E_NOMEM);
    assert_int_equal(buf.len, 0);
    arvo_buf_fini(&buf);
}

static void
test_uri__valid_forms(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "a",
        safe_text,
        "#/a/b/1.0.0",
        "a%20b",
        "%25",
        "%5B%5D",
        "%00",
        "%7F",
        "%C3%A9",
        "%E2%82%AC",
        "%F0%9D%84%9E",
        "%F4%8F%BF%BF",
        "%ED%9F%BF",
        "%EE%80%80",
        "%C2%80",
        "com.example.service/with-a-long-path%20and%C3%A9more",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        if (!is_valid(cases[i]))
            fail_msg("refused: %s", cases[i]);
}

static void
test_uri__invalid_forms(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "a b",          "%",
        "%2",           "a%",
        "a%4",          "%zz",
        "%5b",          "%c3%A9",
        "%C3%a9",       "%C3",
        "%C3A9",        "%C3%",
        "%C3%A",        "%C3%41",
        "%41",          "%2F",
        "%23",          "%2C",
        "%3B",          "%27",
        "%7E",          "%80",
        "%BF",          "%C0%80",
        "%C1%BF",       "%E0%80%80",
        "%E2%82",       "%E2%82%",
        "%ED%A0%80",    "%F0%80%80%80",
        "%F4%90%80%80", "%F5%80%80%80",
        "%FF",          "\xc3\xa9",
        "a\n",          "[",
        "\x7f",         "%%20",
        "%G0",          "%0g",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        if (is_valid(cases[i]))
            fail_msg("accepted: %s", cases[i]);
}

/* The law of the header, for all Unicode: what encodeURI writes is valid. */
static void
test_uri__encoded_text_is_valid(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp += cp < 0x3000 ? 1 : 97) {
        if (cp >= 0xd800 && cp <= 0xdfff)
            continue;
        char text[4];
        size_t len;
        if (cp < 0x80) {
            text[0] = (char)cp;
            len = 1;
        } else if (cp < 0x800) {
            text[0] = (char)(0xc0 | cp >> 6);
            text[1] = (char)(0x80 | (cp & 63));
            len = 2;
        } else if (cp < 0x10000) {
            text[0] = (char)(0xe0 | cp >> 12);
            text[1] = (char)(0x80 | (cp >> 6 & 63));
            text[2] = (char)(0x80 | (cp & 63));
            len = 3;
        } else {
            text[0] = (char)(0xf0 | cp >> 18);
            text[1] = (char)(0x80 | (cp >> 12 & 63));
            text[2] = (char)(0x80 | (cp >> 6 & 63));
            text[3] = (char)(0x80 | (cp & 63));
            len = 4;
        }
        const arvo_str str = { text, len };
        assert_true(is_valid(encode(str)));
        assert_int_equal(arvo__uri_encoded_len(str), strlen(encode(str)));
    }
}

static void
test_uri__reads_no_byte_past_the_end(void **state)
{
    (void)state;
    static const char text[] = "0123456789abcdef0123456789ab%F0%9D%84%9E";
    for (size_t len = 0; len <= sizeof(text) - 1; len++) {
        char *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        const arvo_str str = { copy, len };
        assert_int_equal(arvo_uri_is_plain(str), len <= 28);
        assert_int_equal(arvo_uri_is_valid(str), len <= 28 || len == sizeof(text) - 1);
        free(copy);
    }
    assert_true(arvo_uri_is_valid(ARVO_STR_NONE));
    assert_true(arvo_uri_is_plain(ARVO_STR_NONE));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uri__knows_every_ascii_byte),
        cmocka_unit_test(test_uri__encode_mixes_runs_and_escapes),
        cmocka_unit_test(test_uri__encode_refuses_what_is_not_utf8),
        cmocka_unit_test(test_uri__encode_passes_on_the_buffers_failure),
        cmocka_unit_test(test_uri__encode_reports_no_memory),
        cmocka_unit_test(test_uri__valid_forms),
        cmocka_unit_test(test_uri__invalid_forms),
        cmocka_unit_test(test_uri__encoded_text_is_valid),
        cmocka_unit_test(test_uri__reads_no_byte_past_the_end),
    };
    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
