/* Status codes, errors, UTF-8, base64, printable text, hashing. */

#include "tests/support.h"

#include "base/internal.h"

/* ---- Status and version ---------------------------------------------------- */

static void
test_base__version_is_the_headers(void **state)
{
    (void)state;
    char text[32];
    (void)snprintf(
        text, sizeof(text), "%d.%d.%d", ARVO_VERSION_MAJOR, ARVO_VERSION_MINOR, ARVO_VERSION_PATCH);
    assert_string_equal(arvo_version(), text);
    assert_string_equal(arvo_version(), ARVO_VERSION_STRING);
}

static void
test_base__every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
#define CHECK_STATUS(name, code, text)                                                             \
    assert_int_equal(ARVO_##name, code);                                                           \
    assert_string_equal(arvo_status_name(ARVO_##name), #name);                                     \
    assert_string_equal(arvo_status_text(ARVO_##name), text);
    ARVO_STATUS_LIST(CHECK_STATUS)
#undef CHECK_STATUS
    assert_string_equal(arvo_status_name((arvo_status)-99), "E_UNKNOWN");
    assert_string_equal(arvo_status_text((arvo_status)1), "unknown status");
}

/* ---- Errors ---------------------------------------------------------------- */

static void
test_base__error_set_fills_and_returns(void **state)
{
    (void)state;
    arvo_error err = { .line = 7, .column = 8 };
    assert_int_equal(arvo_error_set(&err, ARVO_E_INVALID, 12, "%s has %d", "x", 3), ARVO_E_INVALID);
    assert_int_equal(err.status, ARVO_E_INVALID);
    assert_int_equal(err.offset, 12);
    assert_int_equal(err.line, 0);
    assert_int_equal(err.column, 0);
    assert_string_equal(err.text, "x has 3");
    assert_int_equal(arvo_error_set(NULL, ARVO_E_IO, 0, "%d", 1), ARVO_E_IO);
}

static void
test_base__error_text_is_one_printable_line(void **state)
{
    (void)state;
    static const struct {
        const char *given, *shown;
    } cases[] = {
        { "a\nb\tc", "a\\x0ab\\x09c" },
        { "\x1b[31mred\x7f", "\\x1b[31mred\\x7f" },
        { "\xc2\x9b"
          "31m",
          "\\xc2\\x9b31m" },        /* CSI in one character */
        { "\xc2\xa0", "\xc2\xa0" }, /* a space of its own kind is fine */
        { "caf\xc3\xa9", "caf\xc3\xa9" },
        { "caf\xe9!", "caf\\xe9!" }, /* Latin-1 */
        { "\xf0\x9f\x92\xa5", "\xf0\x9f\x92\xa5" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_error err;
        (void)arvo_error_set(&err, ARVO_E_INVALID, 0, "%s", cases[i].given);
        assert_string_equal(err.text, cases[i].shown);
    }
}

static void
test_base__error_text_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        char given[1200];
        memset(given, 'x', lead);
        size_t len = lead;
        for (; len + 4 < sizeof(given); len += 4)
            memcpy(given + len, "\xf0\x9f\x92\xa5", 4);
        given[len] = '\0';
        arvo_error err;
        (void)arvo_error_set(&err, ARVO_E_INVALID, 0, "%s", given);
        const size_t shown = strlen(err.text);
        assert_true(shown > ARVO_ERROR_TEXT_BYTES_MAX - 5 && shown < ARVO_ERROR_TEXT_BYTES_MAX);
        assert_int_equal((shown - lead) % 4, 0);
        assert_memory_equal(err.text, given, shown);
    }
}

static void
test_base__error_text_of_escapes_fits(void **state)
{
    (void)state;
    char given[ARVO_ERROR_TEXT_BYTES_MAX];
    memset(given, '\n', sizeof(given) - 1);
    given[sizeof(given) - 1] = '\0';
    arvo_error err;
    (void)arvo_error_set(&err, ARVO_E_INVALID, 0, "%s", given);
    assert_int_equal(strlen(err.text), (ARVO_ERROR_TEXT_BYTES_MAX - 1) / 4 * 4);
}

static void
test_base__error_prefix_goes_in_front(void **state)
{
    (void)state;
    arvo_error err;
    (void)arvo_error_set(&err, ARVO_E_IO, 3, "broken");
    arvo_error_prefix(&err, "%s:%d", "file\n", 4);
    assert_string_equal(err.text, "file\\x0a:4: broken");
    assert_int_equal(err.status, ARVO_E_IO);
    assert_int_equal(err.offset, 3);
    arvo_error_prefix(NULL, "nobody %s", "listens");

    char longest[2000];
    memset(longest, 'p', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    arvo_error_prefix(&err, "%s", longest);
    assert_int_equal(strlen(err.text), ARVO_ERROR_TEXT_BYTES_MAX - 1);
}

static void
test_base__buf_status_names_the_limit(void **state)
{
    (void)state;
    arvo_error err;
    arvo_buf buf = ARVO_BUF_INIT(4);
    assert_int_equal(arvo__buf_status(&buf, "the event", &err), ARVO_OK);
    arvo_buf_append(&buf, "12345", 5);
    assert_int_equal(arvo__buf_status(&buf, "the event", &err), ARVO_E_TOO_BIG);
    assert_string_equal(err.text, "the event: larger than the limit of 4 bytes");
    buf.status = ARVO_E_NOMEM;
    assert_int_equal(arvo__buf_status(&buf, "the event", &err), ARVO_E_NOMEM);
    assert_string_equal(err.text, "out of memory");
    arvo_buf_fini(&buf);
}

/* ---- UTF-8 ------------------------------------------------------------------- */

static void
test_base__utf8_valid_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, valid;
    } cases[] = {
        { "", 0, 0 },
        { "plain", 5, 5 },
        { "a\0b", 3, 3 },
        { "\x7f", 1, 1 },
        { "\xc2\x80", 2, 2 },         /* U+0080 */
        { "\xdf\xbf", 2, 2 },         /* U+07FF */
        { "\xe0\xa0\x80", 3, 3 },     /* U+0800 */
        { "\xed\x9f\xbf", 3, 3 },     /* U+D7FF */
        { "\xee\x80\x80", 3, 3 },     /* U+E000 */
        { "\xef\xbf\xbf", 3, 3 },     /* U+FFFF */
        { "\xf0\x90\x80\x80", 4, 4 }, /* U+10000 */
        { "\xf4\x8f\xbf\xbf", 4, 4 }, /* U+10FFFF */
        { "\x80", 1, 0 },             /* a continuation alone */
        { "\xbf", 1, 0 },
        { "\xc0\x80", 2, 0 }, /* overlong */
        { "\xc1\xbf", 2, 0 },
        { "\xe0\x9f\xbf", 3, 0 },
        { "\xf0\x8f\xbf\xbf", 4, 0 },
        { "\xed\xa0\x80", 3, 0 }, /* surrogates */
        { "\xed\xbf\xbf", 3, 0 },
        { "\xf4\x90\x80\x80", 4, 0 }, /* past the end of Unicode */
        { "\xf5\x80\x80\x80", 4, 0 },
        { "\xff", 1, 0 },
        { "ok\xc3", 3, 2 }, /* cut */
        { "ok\xe2\x82", 4, 2 },
        { "ok\xf0\x9f\x92", 5, 2 },
        { "ok\xc3(", 4, 2 }, /* not continued */
        { "ok\xe2\x82(", 5, 2 },
        { "ok\xe2(\x82", 5, 2 },
        { "ok\xf0\x9f\x92(", 6, 2 },
        { "ok\xf0\x9f(\x92", 6, 2 },
        { "ok\xf0(\x9f\x92", 6, 2 },
        { "12345678\xff", 9, 8 },    /* behind a word of ASCII */
        { "1234567\xc3\xa9", 9, 9 }, /* across a word */
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_str text = { cases[i].bytes, cases[i].len };
        assert_int_equal(arvo__utf8_valid_prefix(text), cases[i].valid);
        assert_int_equal(arvo__utf8_is_valid(text), cases[i].valid == cases[i].len);
    }
}

/* The lengths of all code points, encoded by the rule rather than by the library. */
static void
test_base__utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0x80; c <= 0x10ffff; c++) {
        char bytes[4];
        size_t len = 0;
        if (c < 0x800) {
            bytes[len++] = (char)(0xc0 | c >> 6);
        } else {
            if (c < 0x10000) {
                bytes[len++] = (char)(0xe0 | c >> 12);
            } else {
                bytes[len++] = (char)(0xf0 | c >> 18);
                bytes[len++] = (char)(0x80 | (c >> 12 & 63));
            }
            bytes[len++] = (char)(0x80 | (c >> 6 & 63));
        }
        bytes[len++] = (char)(0x80 | (c & 63));
        const bool valid = c < 0xd800 || c > 0xdfff;
        assert_true(arvo__utf8_is_valid((arvo_str){ bytes, len }) == valid);
    }
}

static void
test_base__utf8_count(void **state)
{
    (void)state;
    assert_int_equal(arvo__utf8_count(ARVO_STR("")), 0);
    assert_int_equal(arvo__utf8_count(ARVO_STR("abc")), 3);
    assert_int_equal(arvo__utf8_count(ARVO_STR("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa5")), 4);
}

/* ---- Base64 --------------------------------------------------------------------- */

static void
test_base__base64_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } cases[] = { /* RFC 4648 section 10 */
                  { "", "" },
                  { "f", "Zg==" },
                  { "fo", "Zm8=" },
                  { "foo", "Zm9v" },
                  { "foob", "Zm9vYg==" },
                  { "fooba", "Zm9vYmE=" },
                  { "foobar", "Zm9vYmFy" }
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const size_t len = strlen(cases[i].bytes);
        char text[16] = { 0 };
        uint8_t bytes[16];
        size_t bytes_len = 99;
        assert_int_equal(arvo__base64_encoded_len(len), strlen(cases[i].text));
        arvo__base64_encode(cases[i].bytes, len, text);
        assert_string_equal(text, cases[i].text);
        assert_true(arvo__base64_decode(arvo_str_from(text), bytes, &bytes_len));
        assert_int_equal(bytes_len, len);
        assert_memory_equal(bytes, cases[i].bytes, len);
    }
}

static void
test_base__base64_every_byte_value(void **state)
{
    (void)state;
    uint8_t bytes[256], back[256];
    char text[344];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        size_t back_len = 0;
        arvo__base64_encode(bytes, len, text);
        const arvo_str encoded = { text, arvo__base64_encoded_len(len) };
        assert_true(arvo__base64_decode(encoded, back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, bytes, len);
    }
}

static void
test_base__base64_refuses_other_forms(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "Z",    "Zg",   "Zg=",      "Zm9",        "=",        "====",  "Z===",
        "Zh==", "Zm9=", "Zm=v",     "Zg==Zg==",   "Zm9v\n",   "Zm9v ", " Zm9",
        "Zm-v", "Zm_v", "Zm9v====", "Z\xc3\xa9=", "Zm9vZ===",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        uint8_t bytes[16];
        size_t len = 77;
        assert_false(arvo__base64_decode(arvo_str_from(cases[i]), bytes, &len));
        assert_int_equal(len, 77);
    }
}

/* ---- Text ------------------------------------------------------------------------- */

static void
test_base__quote(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    assert_str_is(arvo__quote(arena, ARVO_STR(""), 8), "\"\"");
    assert_str_is(arvo__quote(arena, ARVO_STR("short"), 8), "\"short\"");
    assert_str_is(arvo__quote(arena, ARVO_STR("12345678"), 8), "\"12345678\"");
    assert_str_is(arvo__quote(arena, ARVO_STR("123456789"), 8), "\"12345678...\"");
    assert_str_is(arvo__quote(arena, ARVO_STR("1234567\xc3\xa9"), 8), "\"1234567...\"");
    assert_str_is(arvo__quote(arena, ARVO_STR("a\x1b\xff"), 8), "\"a\\x1b\\xff\"");
    assert_str_is(arvo__quote(arena, ARVO_STR("anything"), 0), "\"...\"");
    arvo_arena_free(arena);
}

static void
test_base__hex(void **state)
{
    (void)state;
    char out[9] = { 0 };
    arvo__hex("\x00\x9f\xff\x10", 4, out);
    assert_string_equal(out, "009fff10");
}

/* ---- Hash --------------------------------------------------------------------------- */

static void
test_base__hash_sees_every_byte_and_the_length(void **state)
{
    (void)state;
    unsigned char bytes[300] = { 0 };
    for (size_t len = 0; len < sizeof(bytes); len++) {
        const uint64_t before = arvo__hash(bytes, len, 1);
        assert_true(
            before != arvo__hash(bytes, len + (len + 1 < sizeof(bytes)), 1) ||
            len + 1 == sizeof(bytes));
        assert_true(before != arvo__hash(bytes, len, 2));
        for (size_t i = 0; i < len; i++) {
            bytes[i] ^= 0x40;
            assert_true(before != arvo__hash(bytes, len, 1));
            bytes[i] ^= 0x40;
        }
        assert_true(before == arvo__hash(bytes, len, 1));
    }
}

static void
test_base__hash_keyed_is_stable_in_a_process(void **state)
{
    (void)state;
    assert_true(arvo__hash_keyed("key", 3) == arvo__hash_keyed("key", 3));
    assert_true(arvo__hash_keyed("key", 3) != arvo__hash_keyed("kex", 3));
    /* 2^-64 against it: the key of the process is not the seed 0. */
    assert_true(arvo__hash_keyed("key", 3) != arvo__hash("key", 3, 0));
}

static void
test_base__calloc_refuses_an_overflow(void **state)
{
    (void)state;
    assert_null(arvo__calloc(NULL, SIZE_MAX / 2, 3));
    unsigned char *zeros = arvo__calloc(NULL, 3, 5);
    assert_non_null(zeros);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(zeros[i], 0);
    arvo__free(NULL, zeros, 15);
    arvo__free(NULL, NULL, 0);
}

/* ---- Code points, hexadecimal, %XX ------------------------------------------ */

static void
test_base__code_points_go_to_bytes_and_back(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        const char *bytes;
    } cases[] = {
        { 0, "" },
        { 0x7f, "\x7f" },
        { 0x80, "\xc2\x80" },
        { 0x7ff, "\xdf\xbf" },
        { 0x800, "\xe0\xa0\x80" },
        { 0xffff, "\xef\xbf\xbf" },
        { 0x10000, "\xf0\x90\x80\x80" },
        { 0x10ffff, "\xf4\x8f\xbf\xbf" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        char bytes[5] = { 0 };
        const size_t len = arvo__utf8_encode(cases[i].code, bytes);
        assert_int_equal(len, cases[i].code == 0 ? 1 : strlen(cases[i].bytes));
        assert_string_equal(bytes, cases[i].bytes);
        assert_int_equal(arvo__utf8_sequence(bytes, len), len);
        assert_int_equal(arvo__utf8_decode(bytes, len), cases[i].code);
    }
}

static void
test_base__hexadecimal_is_read(void **state)
{
    (void)state;
    assert_int_equal(arvo__hex_number("09aF", 4), 0x9af);
    assert_int_equal(arvo__hex_number("fffffff", 7), 0xfffffff);
    assert_int_equal(arvo__hex_number("", 0), 0);
    static const char *const wrong[] = { "g0", "0/", ":0", "@0", "`0", "0G", " 1", "-1" };
    for (size_t i = 0; i < ARVO_COUNT_OF(wrong); i++)
        assert_int_equal(arvo__hex_number(wrong[i], 2), -1);
}

static void
test_base__hexadecimal_bytes_are_read_in_lower_case(void **state)
{
    (void)state;
    uint8_t bytes[3] = { 0xff, 0xff, 0xff };
    assert_true(arvo__hex_read("09afc0", bytes, 3));
    assert_memory_equal(bytes, "\x09\xaf\xc0", 3);
    assert_true(arvo__hex_read("", bytes, 0));
    static const char *const wrong[] = { "0A", "F0", "g0", "0/", ":0", "@0", "`0", "0", "" };
    for (size_t i = 0; i < ARVO_COUNT_OF(wrong); i++)
        assert_false(arvo__hex_read(wrong[i], bytes, 1));
}

static void
test_base__blanks_are_trimmed(void **state)
{
    (void)state;
    static const struct {
        const char *given, *trimmed;
    } cases[] = {
        { "a", "a" }, { " \ta b\t ", "a b" }, { "\t", "" },
        { "", "" },   { "a\n ", "a\n" },      { "\n a", "\n a" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        assert_true(
            arvo_str_is(arvo__trim_blanks(arvo_str_from(cases[i].given)), cases[i].trimmed));
}

static void
test_base__a_time_after_now_has_an_end(void **state)
{
    (void)state;
    assert_true(arvo__real_ms_after(INT64_MAX) == INT64_MAX);
    assert_true(arvo__real_ms_after(INT64_MAX - 1) == INT64_MAX);
    const int64_t before = arvo__real_ms();
    const int64_t then = arvo__real_ms_after(1000);
    assert_true(then >= before + 1000 && then <= arvo__real_ms() + 1000);
    assert_true(arvo__real_ms_after(-1) <= arvo__real_ms());
}

static void
test_base__percent_escapes_are_resolved(void **state)
{
    (void)state;
    static const struct {
        const char *given, *decoded;
    } cases[] = {
        { "a%20b", "a b" },   { "%7e%7E", "~~" }, { "100%", "100%" }, { "%2", "%2" },
        { "%zz%41", "%zzA" }, { "%%41", "%A" },   { "%2541", "%41" }, { "", "" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        char out[16] = { 0 };
        const size_t len = arvo__percent_decode(arvo_str_from(cases[i].given), out);
        assert_int_equal(len, strlen(cases[i].decoded));
        assert_memory_equal(out, cases[i].decoded, len);
    }
    assert_int_equal(arvo__percent_byte("%41", 3), 0x41);
    assert_int_equal(arvo__percent_byte("%41", 2), -1);
    assert_int_equal(arvo__percent_byte("x41", 3), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base__version_is_the_headers),
        cmocka_unit_test(test_base__every_status_has_a_name_and_a_text),
        cmocka_unit_test(test_base__error_set_fills_and_returns),
        cmocka_unit_test(test_base__error_text_is_one_printable_line),
        cmocka_unit_test(test_base__error_text_is_cut_between_characters),
        cmocka_unit_test(test_base__error_text_of_escapes_fits),
        cmocka_unit_test(test_base__error_prefix_goes_in_front),
        cmocka_unit_test(test_base__buf_status_names_the_limit),
        cmocka_unit_test(test_base__utf8_valid_prefix),
        cmocka_unit_test(test_base__utf8_every_code_point),
        cmocka_unit_test(test_base__utf8_count),
        cmocka_unit_test(test_base__base64_vectors),
        cmocka_unit_test(test_base__base64_every_byte_value),
        cmocka_unit_test(test_base__base64_refuses_other_forms),
        cmocka_unit_test(test_base__quote),
        cmocka_unit_test(test_base__hex),
        cmocka_unit_test(test_base__hash_sees_every_byte_and_the_length),
        cmocka_unit_test(test_base__hash_keyed_is_stable_in_a_process),
        cmocka_unit_test(test_base__calloc_refuses_an_overflow),
        cmocka_unit_test(test_base__code_points_go_to_bytes_and_back),
        cmocka_unit_test(test_base__hexadecimal_is_read),
        cmocka_unit_test(test_base__hexadecimal_bytes_are_read_in_lower_case),
        cmocka_unit_test(test_base__blanks_are_trimmed),
        cmocka_unit_test(test_base__a_time_after_now_has_an_end),
        cmocka_unit_test(test_base__percent_escapes_are_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
