/* `format` where it refuses. */

#include "schema_helpers.h"

/* Words that fit, then words that do not; NULL ends each list. */
typedef struct format_case {
    const char *format;
    const char *good[24];
    const char *bad[24];
} format_case;

#define WORDS(...)                                                                                 \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static bool
fits(const arvo_schema *schema, const char *word)
{
    const arvo_json *const value = arvo_json_string(arena, arvo_str_from(word));
    const arvo_status st = arvo_schema_check(schema, value, arena, NULL, NULL);
    assert_true(st == ARVO_OK || st == ARVO_E_INVALID);
    return st == ARVO_OK;
}

static arvo_schema *
compile_format(const char *format, bool formats)
{
    const arvo_schema_opts opts = { .formats = formats };
    arvo_schema *schema = NULL;
    const char *const text = arvo_arena_printf(arena, "{'format':'%s'}", format).ptr;
    assert_int_equal(arvo_schema_compile(json(text), &opts, &schema, NULL), ARVO_OK);
    return schema;
}

static void
run_formats(const format_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        arvo_schema *const schema = compile_format(cases[i].format, true);
        for (const char *const *word = cases[i].good; *word != NULL; word++)
            if (!fits(schema, *word))
                fail_msg("%s: refuses %s", cases[i].format, *word);
        for (const char *const *word = cases[i].bad; *word != NULL; word++)
            if (fits(schema, *word))
                fail_msg("%s: lets %s through", cases[i].format, *word);
        arvo_schema_free(schema);
    }
}

static void
test_schema_format__time(void **state)
{
    static const format_case cases[] = {
        { "date", WORDS("2024-02-29", "2000-02-29", "0000-12-31", "9999-01-01"),
          WORDS(
              "", "2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-00-01",
              "2024-01-00", "2024-1-1", "24-01-01", "2024-01-01T", "2024/01/01", " 2024-01-01",
              "2024-01-0\xe0\xa5\xa7") },
        { "time",
          WORDS(
              "00:00:00Z", "23:59:59.123456789z", "12:30:00+05:30", "12:30:00-23:59", "23:59:60Z",
              "01:29:60+01:30", "15:59:60-08:00"),
          WORDS(
              "", "24:00:00Z", "12:60:00Z", "12:00:61Z", "12:00:60Z", "23:59:60+01:00", "12:00:00",
              "12:00:00.Z", "12:00Z", "12:00:00+5:30", "12:00:00+24:00", "12:00:00+01:60",
              "12:00:00+0100", "1:00:00Z", "12:00:00,5Z") },
        { "date-time",
          WORDS("2024-05-31T12:00:00Z", "2024-05-31t12:00:00.5-07:00", "1998-12-31T23:59:60Z"),
          WORDS(
              "", "2024-05-31", "2024-05-31 12:00:00Z", "2024-05-31T12:00:00",
              "2024-06-31T12:00:00Z", "1998-12-31T22:59:60Z", "2024-05-31T25:00:00Z",
              "2024-05-31TZ") },
        { "duration",
          WORDS(
              "P1Y", "P1Y2M3D", "P2M", "PT1H", "PT1H2M3S", "PT36H", "P4W", "P1DT12H", "P0D",
              "PT0S"),
          WORDS(
              "", "P", "PT", "P1", "1D", "P1DT", "P1S", "PT1D", "P2D1Y", "P1YT", "P1Y2D", "PT1H3S",
              "P1W1D", "P1Y1W", "P-1D", "P1.5D", "p1d") },
    };
    (void)state;
    run_formats(cases, ARVO_COUNT_OF(cases));
}

#define LABEL_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

static void
test_schema_format__hosts(void **state)
{
    static const format_case cases[] = {
        { "hostname",
          WORDS(
              "a", "example.com", "a-b.example", "1.2.x", "xn--mnchen-3ya.example", LABEL_63 ".x",
              "A.Example"),
          WORDS(
              "", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a_b.c", "a b", LABEL_63 "1.x",
              "ab--c.d", "xn--.x", "xn--\x01", "xn--9999999999", "m\xc3\xbcnchen.example") },
        { "idn-hostname",
          WORDS(
              "example.com", "m\xc3\xbcnchen.example", "\xe4\xbe\x8b\xe5\xad\x90\xe3\x80\x82x",
              "l\xc2\xb7l", "\xce\xb1\xcd\xb5\xce\xb2", "\xe3\x82\xa2\xe3\x83\xbb\xe3\x82\xa2"),
          WORDS(
              "", "a\xe3\x80\x82", "-m\xc3\xbc", "m\xc3\xbc-", "a\xc2\xb7l", "\xcc\x80x",
              "\xcd\xb5", "a\xe3\x83\xbb", "m\xc3\xbc x", "\xe3\x80\xae\xc3\xbc",
              "\xd9\xa0\xdb\xb0", "a\xe2\x80\x8d\xc3\xbc") },
        { "email",
          WORDS(
              "a@example.com", "a.b+c@x", "\"a b\"@x.example", "\"a\\\"b\"@x", "a@[127.0.0.1]",
              "a@[IPv6:::1]", "~@x"),
          WORDS(
              "", "a", "@x", "a@", ".a@x", "a.@x", "a..b@x", "a b@x", "a@b@c", "a@-x",
              "a@[127.0.0.256]", "a@[x]", "\"a@x", "\"a\\\"@x", "\xc3\xbc@x") },
        { "idn-email", WORDS("\xc3\xbc@m\xc3\xbcnchen.example", "a@x"),
          WORDS("", "\xc3\xbc", "@x") },
        { "ipv4", WORDS("0.0.0.0", "127.0.0.1", "255.255.255.255"),
          WORDS(
              "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", "1.2.3.", "a.b.c.d",
              "1..2.3", "0x7f.1.1.1") },
        { "ipv6",
          WORDS(
              "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1::8", "2001:DB8::a:b", "::ffff:127.0.0.1",
              "1:2:3:4:5:6:127.0.0.1", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"),
          WORDS(
              "", ":", ":1", "1:", ":::", "1:::2", "1::2::3", "12345::", "1:2:3:4:5:6:7",
              "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1%eth0", "g::", "::127.0.0",
              "1:2:3:4:5:6:7:127.0.0.1", "127.0.0.1", "::127.0.0.1:1", "1:2:3:4:5:6:7:") },
    };
    (void)state;
    run_formats(cases, ARVO_COUNT_OF(cases));
}

static void
test_schema_format__uris(void **state)
{
    static const format_case cases[] = {
        { "uri",
          WORDS(
              "http://a", "http://u:p@a.example:80/x;y=1/?q=%20#f", "urn:isbn:1", "mailto:a@b",
              "http://[::1]:8080/", "http://[v1.a:b]/", "a:", "file:///x", "http://a//b"),
          WORDS(
              "", "a", "/a", "//a", "http://a b", "http://a/%2", "http://a/%zz", "http://[::1",
              "http://[1]/", "http://a:b/", "http://a/<x>", "http://a/\xc3\xbc", ":a", "1:a",
              "http://a#b#c", "http://a\\b") },
        { "uri-reference", WORDS("", "a", "../a?b#c", "//a/b", "#", "a/b:c", "./a:b", "http://a"),
          WORDS("a b", "\\a", "#a#b", "%", "\xc3\xbc", "1:a", "a^b") },
        { "iri", WORDS("http://a/\xc3\xbc", "http://\xc3\xbc.example", "http://a?\xee\x80\x80"),
          WORDS("", "\xc3\xbc", "http://a/\xee\x80\x80", "http://a b", "http://a/\xc2\x80") },
        { "iri-reference", WORDS("\xc3\xbc", "", "//\xc3\xbc/x"), WORDS("a b", "#\xc3\xbc#") },
        { "uri-template",
          WORDS(
              "", "a", "http://a/{b}", "{+a,b*,c:3}", "{#a.b}", "{?x,y_1}", "{%20a}", "a%20b",
              "{a:9999}", "\xc3\xbc"),
          WORDS(
              "{", "}", "{}", "{a", "{a b}", "{a,}", "{a:0}", "{a:10000}", "{a*b}", "{a.}", "{.}",
              "{-a}", "a b", "a%2", "<a>", "{{a}}") },
    };
    (void)state;
    run_formats(cases, ARVO_COUNT_OF(cases));
}

static void
test_schema_format__others(void **state)
{
    static const format_case cases[] = {
        { "uuid", WORDS("01234567-89ab-cdef-ABCD-ef0123456789"),
          WORDS(
              "", "01234567-89ab-cdef-abcd-ef012345678", "01234567-89ab-cdef-abcd-ef01234567890",
              "0123456789abcdefabcdef0123456789", "0123456g-89ab-cdef-abcd-ef0123456789",
              "012345678-9ab-cdef-abcd-ef0123456789") },
        { "json-pointer", WORDS("", "/", "/a", "/a/0/", "/~0~1", "/\xc3\xbc"),
          WORDS("a", "#/a", "/~", "/~2", "/a~") },
        { "relative-json-pointer", WORDS("0", "1", "10/a", "0#", "2/~0"),
          WORDS("", "/a", "01", "-1", "+1/a", "0##", "0#/a", "1a", "1/~") },
        { "regex", WORDS("", "^a+$", "\\p{L}", "(?<n>a)\\k<n>", "[^]"),
          WORDS("(", "[", "a**", "\\Z", "(?i)a", "\\p{Nope}") },
        { "made-up", WORDS("", "anything"), { NULL } },
    };
    (void)state;
    run_formats(cases, ARVO_COUNT_OF(cases));
}

/* Only when asked, only strings, and with a message that shows what it should look like. */
static void
test_schema_format__is_on_demand(void **state)
{
    (void)state;
    arvo_schema *schema = compile_format("date", false);
    assert_true(fits(schema, "no date"));
    arvo_schema_free(schema);
    schema = compile_format("date", true);
    arvo_error err = { 0 };
    assert_int_equal(arvo_schema_check(schema, json("1"), arena, NULL, NULL), ARVO_OK);
    assert_int_equal(arvo_schema_check(schema, json("'x'"), arena, NULL, &err), ARVO_E_INVALID);
    assert_string_equal(err.text, "(root): expected a date (2024-05-31), got \"x\"");
    arvo_schema_free(schema);
}

/* Texts cut at each place and with each byte changed: nothing is read behind the end. */
static void
test_schema_format__any_text(void **state)
{
    static const char *const seeds[] = { "2024-05-31T12:00:00.5+01:00",
                                         "P1Y2M3DT1H2M3S",
                                         "\"a\\b\"@[IPv6:::1]",
                                         "http://u@[::1]:8/%20?q#f",
                                         "{+a,b*:3}%20",
                                         "xn--mnchen-3ya.m\xc3\xbcl\xc2\xb7l",
                                         "/~0~1/10#" };
    static const char *const names[] = {
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "uri-template",
        "uuid",
        "regex",
        "json-pointer",
        "relative-json-pointer",
    };
    (void)state;
    for (size_t n = 0; n < ARVO_COUNT_OF(names); n++) {
        arvo_schema *const schema = compile_format(names[n], true);
        for (size_t s = 0; s < ARVO_COUNT_OF(seeds); s++) {
            const size_t len = strlen(seeds[s]);
            for (size_t at = 0; at <= len; at++) {
                /* malloc'ed exactly, for the sanitizer's sake */
                char *const text = malloc(at > 0 ? at : 1);
                assert_non_null(text);
                memcpy(text, seeds[s], at);
                const arvo_json *const cut = arvo_json_string_ref(arena, (arvo_str){ text, at });
                const arvo_status st = arvo_schema_check(schema, cut, arena, NULL, NULL);
                assert_true(st == ARVO_OK || st == ARVO_E_INVALID);
                free(text);
                char changed[64];
                memcpy(changed, seeds[s], len + 1);
                for (const char *c = "{}:%.-@[]\"\\~9z"; *c != '\0' && at < len; c++) {
                    changed[at] = *c;
                    (void)fits(schema, changed);
                }
            }
        }
        arvo_schema_free(schema);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_format__time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_format__hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_format__uris, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_format__others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_format__is_on_demand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_format__any_text, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
