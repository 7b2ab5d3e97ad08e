/* Timestamps: written as UTC, and recognised. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arvo/platform.h>

static const char *
format(int64_t time_ms)
{
    static char out[ARVO_TIMESTAMP_BYTES + 2];
    memset(out, '!', sizeof(out));
    arvo_timestamp_format(time_ms, out);
    assert_int_equal(out[ARVO_TIMESTAMP_BYTES], '!');
    out[ARVO_TIMESTAMP_BYTES] = '\0';
    return out;
}

static void
test_time__format_known_moments(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000+00:00" },
        { 1, "1970-01-01T00:00:00.001+00:00" },
        { -1, "1969-12-31T23:59:59.999+00:00" },
        { 951782399999, "2000-02-28T23:59:59.999+00:00" },
        { 951782400000, "2000-02-29T00:00:00.000+00:00" },
        { 951868800000, "2000-03-01T00:00:00.000+00:00" },
        { 1709210096789, "2024-02-29T12:34:56.789+00:00" },
        { 4107542400000, "2100-03-01T00:00:00.000+00:00" },
        { 4107542399999, "2100-02-28T23:59:59.999+00:00" },
        { -62167219200000, "0000-01-01T00:00:00.000+00:00" },
        { -62162035200001, "0000-02-29T23:59:59.999+00:00" },
        { 253402300799999, "9999-12-31T23:59:59.999+00:00" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(format(cases[i].time_ms), cases[i].text);
}

static void
test_time__format_clamps_years(void **state)
{
    (void)state;
    assert_string_equal(format(INT64_MIN), "0000-01-01T00:00:00.000+00:00");
    assert_string_equal(format(-62167219200001), "0000-01-01T00:00:00.000+00:00");
    assert_string_equal(format(253402300800000), "9999-12-31T23:59:59.999+00:00");
    assert_string_equal(format(INT64_MAX), "9999-12-31T23:59:59.999+00:00");
}

/* Every day of ten thousand years, against a calendar that only counts; each is recognised too. */
static void
test_time__format_every_day(void **state)
{
    (void)state;
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t time_ms = -62167219200000;
    for (int year = 0; year <= 9999; year++) {
        const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 0; month < 12; month++) {
            const int days = lengths[month] + (month == 1 && leap ? 1 : 0);
            for (int day = 1; day <= days; day++, time_ms += 86400000) {
                char expected[32];
                snprintf(expected, sizeof(expected), "%04d-%02d-%02dT", year, month + 1, day);
                const char *text = format(time_ms);
                assert_memory_equal(text, expected, 11);
                assert_true(arvo_timestamp_is_valid(arvo_str_from(text)));
            }
        }
    }
    assert_int_equal(time_ms, 253402300800000);
}

static void
test_time__format_agrees_with_the_c_library(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        const int64_t time_ms = (int64_t)(seed >> 20) % 8000000000000;
        const time_t seconds = (time_t)(time_ms / 1000);
        struct tm parts;
        char expected[64];
        assert_non_null(gmtime_r(&seconds, &parts));
        const size_t len = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(expected + len, sizeof(expected) - len, ".%03d+00:00", (int)(time_ms % 1000));
        assert_string_equal(format(time_ms), expected);
    }
}

static void
test_time__accepts(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "2024-01-01T00:00:00Z",          "2024-01-01T00:00Z",
        "2024-01-01T00:00+05:30",        "2024-01-01T00:00-0530",
        "2024-01-01T00:00:00.1Z",        "2024-01-01T00:00:00.123456789012345678901234567890+05:30",
        "2024-01-01T00:00:00+0530",      "2024-01-01T00:00:00+99:99",
        "2024-01-01T00:00:00-00:00",     "2024-01-01T23:59:59Z",
        "2024-02-29T00:00:00Z",          "2000-02-29T00:00:00Z",
        "0000-02-29T00:00:00Z",          "2024-12-31T00:00:00Z",
        "9999-12-31T23:59:59.999+00:00",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!arvo_timestamp_is_valid(arvo_str_from(cases[i])))
            fail_msg("refused: %s", cases[i]);
}

static void
test_time__refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "Z",
        "2024-01-01",
        "2024-01-01T00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.000",
        "2024-01-01T00:00.5Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:0Z",
        "2024-01-01T00:00:Z00:0",
        "2024-01-01T00:00:00z",
        "2024-01-01t00:00:00Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T23:59:60Z",
        "2024-00-01T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T00:00:00+05",
        "2024-01-01T00:00:00+5:30",
        "2024-01-01T00:00:00+05:3",
        "2024-01-01T00:00:00+05-30",
        "2024-01-01T00:00:00+a5:30",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00Z ",
        "2024-01-01T00:00:00Z\n",
        " 2024-01-01T00:00:00Z",
        "12024-01-01T00:00:00Z",
        "-2024-01-01T00:00:00Z",
        "2024-1-1T00:00:00Z",
        "2024/01/01T00:00:00Z",
        "2024-01-01T00-00:00Z",
        "202a-01-01T00:00:00Z",
        "2024-0a-01T00:00:00Z",
        "2024-01-0aT00:00:00Z",
        "2024-01-01T0a:00:00Z",
        "2024-01-01T00:0a:00Z",
        "2024-01-01T00:00:0aZ",
        "2024-01-01T00:00:00,5Z",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (arvo_timestamp_is_valid(arvo_str_from(cases[i])))
            fail_msg("accepted: %s", cases[i]);
    assert_false(arvo_timestamp_is_valid(ARVO_STR_NONE));
    assert_false(arvo_timestamp_is_valid((arvo_str){ "2024-01-01T00:00:00Z\0", 21 }));
}

/* Each prefix in memory of exactly its size, so that the sanitizer sees a read past its end. */
static void
test_time__reads_no_byte_past_the_end(void **state)
{
    (void)state;
    static const char text[] = "2024-01-01T00:00:00.123+05:30";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_false(arvo_timestamp_is_valid((arvo_str){ copy, len }));
        free(copy);
    }
    assert_true(arvo_timestamp_is_valid(arvo_str_from(text)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time__format_known_moments),
        cmocka_unit_test(test_time__format_clamps_years),
        cmocka_unit_test(test_time__format_every_day),
        cmocka_unit_test(test_time__format_agrees_with_the_c_library),
        cmocka_unit_test(test_time__accepts),
        cmocka_unit_test(test_time__refuses),
        cmocka_unit_test(test_time__reads_no_byte_past_the_end),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
