/* The log: levels and areas, filters, and records as text, JSON and journald's fields. */

#include "../support.h"

#include <arvo/log.h>

#include "telemetry/log_internal.h"

/* ---- Filters ---------------------------------------------------------------------- */

static void
test_log__names_are_known(void **state)
{
    (void)state;
    assert_string_equal(arvo_log_area_name(ARVO_LOG_AREA_ORCHESTRATOR), "orchestrator");
    assert_string_equal(arvo_log_area_name(ARVO_LOG_AREA_EXPORTER), "exporter");
    assert_string_equal(arvo_log_area_name(ARVO_LOG_AREA_COUNT), "unknown");
    assert_string_equal(arvo_log_level_name(ARVO_LOG_DEBUG), "debug");
    assert_string_equal(arvo_log_level_name((arvo_severity)ARVO_LOG_OFF), "off");
    assert_string_equal(arvo_log_level_name((arvo_severity)(ARVO_LOG_OFF + 1)), "unknown");
}

static void
test_log__filters_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t worker, store, rest; /* all began with ARVO_LOG_ERROR */
    } cases[] = {
        { "", ARVO_LOG_ERROR, ARVO_LOG_ERROR, ARVO_LOG_ERROR },
        { " , ,", ARVO_LOG_ERROR, ARVO_LOG_ERROR, ARVO_LOG_ERROR },
        { "info", ARVO_LOG_INFO, ARVO_LOG_INFO, ARVO_LOG_INFO },
        { "WARN", ARVO_LOG_WARNING, ARVO_LOG_WARNING, ARVO_LOG_WARNING },
        { "off", ARVO_LOG_OFF, ARVO_LOG_OFF, ARVO_LOG_OFF },
        { "worker=debug", ARVO_LOG_DEBUG, ARVO_LOG_ERROR, ARVO_LOG_ERROR },
        { " info , Worker = Debug ", ARVO_LOG_DEBUG, ARVO_LOG_INFO, ARVO_LOG_INFO },
        { "worker=debug,store=off,info", ARVO_LOG_DEBUG, ARVO_LOG_OFF, ARVO_LOG_INFO },
        { "info,critical,worker=info,worker=off", ARVO_LOG_OFF, ARVO_LOG_CRITICAL,
          ARVO_LOG_CRITICAL },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_error err = { 0 };
        arvo_log_filter filter = { .with_data = true };
        memset(filter.least, ARVO_LOG_ERROR, sizeof(filter.least));
        if (arvo_log_filter_parse(arvo_str_from(cases[i].text), &filter, &err) != ARVO_OK)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(filter.least[ARVO_LOG_AREA_WORKER], cases[i].worker);
        assert_int_equal(filter.least[ARVO_LOG_AREA_STORE], cases[i].store);
        assert_int_equal(filter.least[ARVO_LOG_AREA_LEASE], cases[i].rest);
        assert_true(filter.with_data);
    }
}

static void
test_log__what_is_no_filter_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "loud", "unknown level \"loud\"; known: debug, info, warning, error, critical, off" },
        { "info,worker=", "unknown level \"\"; known: debug," },
        { "debug,wroker=info", "unknown area \"wroker\"; known: orchestrator, machine, " },
        { "=info", "unknown area \"\"; known: orchestrator" },
        { "worker=info=debug", "unknown level \"info=debug\"; known: debug" },
        { "warn\033[31m", "unknown level \"warn\\x1b[31m\"; known" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_error err = { 0 };
        arvo_log_filter filter, before;
        memset(&filter, ARVO_LOG_ERROR, sizeof(filter.least));
        filter.with_data = false;
        before = filter;
        assert_int_equal(
            arvo_log_filter_parse(arvo_str_from(cases[i].text), &filter, &err), ARVO_E_INVALID);
        if (strstr(err.text, cases[i].says) != err.text)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_memory_equal(filter.least, before.least, sizeof(filter.least));
    }
    char text[ARVO_LOG_FILTER_BYTES_MAX + 1];
    memset(text, ',', sizeof(text));
    arvo_log_filter filter = { 0 };
    assert_int_equal(
        arvo_log_filter_parse((arvo_str){ text, sizeof(text) }, &filter, NULL), ARVO_E_TOO_BIG);
    assert_int_equal(
        arvo_log_filter_parse((arvo_str){ text, sizeof(text) - 1 }, &filter, NULL), ARVO_OK);
}

static void
test_log__tables_are_checked(void **state)
{
    (void)state;
    arvo_error err = { 0 };
    arvo_log log = { 0 };
    assert_int_equal(arvo_log_check(NULL, &err), ARVO_OK);
    assert_int_equal(arvo_log_check(&log, &err), ARVO_E_VERSION);
    log.version = ARVO_LOG_OPS_VERSION;
    assert_int_equal(arvo_log_check(&log, &err), ARVO_E_INVALID);
    assert_false(arvo_log_is_on(NULL, ARVO_LOG_AREA_STORE, ARVO_LOG_CRITICAL));
    assert_true(arvo_log_is_on(&log, ARVO_LOG_AREA_STORE, ARVO_LOG_DEBUG));
    memset(log.filter.least, ARVO_LOG_OFF, sizeof(log.filter.least));
    assert_false(arvo_log_is_on(&log, ARVO_LOG_AREA_STORE, ARVO_LOG_CRITICAL));
}

/* ---- Records on their way ------------------------------------------------------------ */

typedef struct heard {
    unsigned count;
    int64_t time_ms;
    char message[1024], detail[1024];
    bool has_detail;
} heard;

static void
hear(void *self, const arvo_log_record *record)
{
    heard *h = self;
    h->count++;
    h->time_ms = record->time_ms;
    h->has_detail = record->detail.ptr != NULL;
    (void)snprintf(h->message, sizeof(h->message), "%.*s", ARVO_FMT(record->message));
    (void)snprintf(h->detail, sizeof(h->detail), "%.*s", ARVO_FMT(record->detail));
}

static int64_t
fixed_time(void *self)
{
    (void)self;
    return 1700000000123;
}

static void
test_log__records_get_time_and_one_line(void **state)
{
    (void)state;
    heard h = { 0 };
    arvo_log log = { .version = ARVO_LOG_OPS_VERSION, .write = hear, .self = &h };
    arvo_platform platform = *arvo_platform_system();
    platform.time_ms = fixed_time;
    const arvo_log_record record = { .level = ARVO_LOG_INFO,
                                     .area = ARVO_LOG_AREA_STORE,
                                     .detail = ARVO_STR("a\nb") };
    arvo__log(&platform, &record, "nobody hears %s", "it");
    platform.log = &log;
    arvo__log(&platform, &record, "two\nlines and \033[1m%s", "more");
    assert_int_equal(h.count, 1);
    assert_int_equal(h.time_ms, 1700000000123);
    assert_string_equal(h.message, "two\\x0alines and \\x1b[1mmore");
    assert_false(h.has_detail); /* nobody asked for data */
    log.filter.with_data = true;
    arvo__log(&platform, &record, "more");
    assert_string_equal(h.detail, "a\\x0ab");
    log.filter.least[ARVO_LOG_AREA_STORE] = ARVO_LOG_WARNING;
    arvo__log(&platform, &record, "below its level");
    assert_int_equal(h.count, 2);

    char text[2000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log.filter.least[ARVO_LOG_AREA_STORE] = ARVO_LOG_DEBUG;
    arvo__log(&platform, &record, "%s", text);
    assert_int_equal(strlen(h.message), ARVO_ERROR_TEXT_BYTES_MAX - 1);
}

static void
test_log__passwords_in_urls_are_masked(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "no URL: a://", "no URL: a://" },
        { "postgres://ann:s3cret@db:5432/x: refused", "postgres://ann:***@db:5432/x: refused" },
        { "at 'redis://:s3cret@h' and \"http://h/?token=s3cret&a=b\".",
          "at 'redis://:***@h' and \"http://h/?token=***&a=b\"." },
        { "postgres:///x?host=/tmp&password=s3cret then",
          "postgres:///x?host=/tmp&password=*** then" },
        { "://a:s3cret@b", "://a:***@b" },
        { "http://a:p@ss@h/ http://u:s3cret@h", "http://a:***@h/ http://u:***@h" },
        { "mail a@b.c and ratio 3://", "mail a@b.c and ratio 3://" },
    };
    heard h = { 0 };
    const arvo_log log = {
        .version = ARVO_LOG_OPS_VERSION, .filter = { .with_data = true }, .write = hear, .self = &h
    };
    arvo_platform platform = *arvo_platform_system();
    platform.log = &log;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_log_record record = { .detail = arvo_str_from(cases[i][0]) };
        arvo__log(&platform, &record, "%s", cases[i][0]);
        assert_string_equal(h.message, cases[i][1]);
        assert_string_equal(h.detail, cases[i][1]);
    }
    /* Where masking makes it longer, there is room for the end: it is cut, not overrun. */
    char text[ARVO_ERROR_TEXT_BYTES_MAX];
    for (size_t i = 0; i + 10 < sizeof(text); i += 10)
        memcpy(text + i, "a://b:c@d ", 11);
    const arvo_log_record record = { .detail = ARVO_STR_NONE };
    arvo__log(&platform, &record, "%s", text);
    assert_true(strlen(h.message) < ARVO_ERROR_TEXT_BYTES_MAX);
    assert_null(strstr(h.message, ":c@"));
}

/* ---- Records as text ------------------------------------------------------------------ */

static const arvo_trace_context some_trace = { .trace_id = { 0xab, 1, [15] = 0xff },
                                               .span_id = { 0xcd, [7] = 2 } };

/* Owned by the caller: free(). */
static char *
written(const arvo_log_record *record, arvo_log_format format)
{
    arvo_buf out = ARVO_BUF_INIT(1000000);
    arvo_log_record_write(record, format, &out);
    assert_int_equal(out.status, ARVO_OK);
    char *text = malloc(out.len + 1);
    assert_non_null(text);
    memcpy(text, out.ptr, out.len);
    text[out.len] = '\0';
    arvo_buf_fini(&out);
    return text;
}

static void
assert_written(const arvo_log_record *record, arvo_log_format format, const char *expected)
{
    char *text = written(record, format);
    assert_string_equal(text, expected);
    free(text);
}

static void
test_log__a_record_is_a_line_for_people(void **state)
{
    (void)state;
    const arvo_log_attribute attributes[] = { { "retryMs", ARVO_STR_NONE, 3000 },
                                              { "error", ARVO_STR("no \"money\""), 0 },
                                              { "word", ARVO_STR("E_IO"), 0 },
                                              { "empty", ARVO_STR(""), 0 } };
    arvo_log_record record = { .level = ARVO_LOG_WARNING,
                               .area = ARVO_LOG_AREA_WORKER,
                               .time_ms = 1700000000123,
                               .message = ARVO_STR("it failed"),
                               .detail = ARVO_STR("why"),
                               .trace = &some_trace,
                               .subject = ARVO_STR("eJw="),
                               .attributes = attributes,
                               .attribute_count = ARVO_COUNT_OF(attributes) };
    assert_written(
        &record, ARVO_LOG_TEXT,
        "2023-11-14T22:13:20.123+00:00 warning  worker: it failed: why retryMs=3000 "
        "error=\"no \\\"money\\\"\" word=E_IO empty=\"\" traceId=ab0100000000000000000000000000ff "
        "spanId=cd00000000000002 subject=eJw=\n");
    record = (arvo_log_record){ .level = ARVO_LOG_ERROR,
                                .area = ARVO_LOG_AREA_STORE,
                                .message = ARVO_STR("gone") };
    assert_written(
        &record, ARVO_LOG_TEXT_COLOUR,
        "1970-01-01T00:00:00.000+00:00 \033[31merror   \033[0m store: gone\n");
    record.level = ARVO_LOG_INFO;
    assert_written(
        &record, ARVO_LOG_TEXT_COLOUR, "1970-01-01T00:00:00.000+00:00 info     store: gone\n");
}

/* What would break a line, drive a terminal, close a string or make a field. */
#define NASTY "a\nb\r\033[2J\"x\" \\ \xff\xc2\x9b \xc3\xa9"

static void
test_log__nothing_breaks_a_line(void **state)
{
    (void)state;
    const arvo_log_attribute attribute = { "k\n=", ARVO_STR(NASTY), 0 };
    const arvo_log_record record = { .message = ARVO_STR(NASTY),
                                     .detail = ARVO_STR(NASTY),
                                     .subject = ARVO_STR(NASTY),
                                     .handler = ARVO_STR(NASTY),
                                     .event_id = ARVO_STR(NASTY),
                                     .event_type = ARVO_STR(NASTY),
                                     .attributes = &attribute,
                                     .attribute_count = 1 };
    char *text = written(&record, ARVO_LOG_TEXT);
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || (unsigned char)*p == 0xff)
            assert_true(*p == '\n' && p[1] == '\0');
    assert_non_null(strstr(text, "k\\x0a=="));
    assert_non_null(
        strstr(text, "eventId=\"a\\x0ab\\x0d\\x1b[2J\\\"x\\\" \\ \\xff\\xc2\\x9b \xc3\xa9\" "));
    free(text);
}

static void
test_log__json_can_be_read(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    const arvo_log_attribute attributes[] = { { "k\n=", ARVO_STR(NASTY), 0 },
                                              { "n", ARVO_STR_NONE, INT64_MIN } };
    const arvo_log_record record = { .level = ARVO_LOG_CRITICAL,
                                     .area = ARVO_LOG_AREA_LEASE,
                                     .message = ARVO_STR(NASTY),
                                     .trace = &some_trace,
                                     .event_id = ARVO_STR("id\n1"),
                                     .attributes = attributes,
                                     .attribute_count = 2 };
    char *text = written(&record, ARVO_LOG_JSON);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    const arvo_json *value = NULL;
    arvo_error err;
    if (arvo_json_parse(arvo_str_from(text), arena, &value, &err) != ARVO_OK)
        fail_msg("%s: %s", err.text, text);
    static const char shown[] = "a\nb\r\033[2J\"x\" \\ \xef\xbf\xbd\xc2\x9b \xc3\xa9";
    assert_true(arvo_str_is(arvo_json_str(arvo_json_get(value, "message")), shown));
    assert_true(arvo_str_is(arvo_json_str(arvo_json_get(value, "level")), "critical"));
    assert_true(arvo_str_is(arvo_json_str(arvo_json_get(value, "area")), "lease"));
    assert_true(arvo_str_is(arvo_json_str(arvo_json_get(value, "eventId")), "id\n1"));
    assert_true(arvo_str_is(
        arvo_json_str(arvo_json_get(value, "traceId")), "ab0100000000000000000000000000ff"));
    assert_null(arvo_json_get(value, "subject"));
    assert_null(arvo_json_get(value, "detail"));
    const arvo_json *more = arvo_json_get(value, "attributes");
    assert_true(arvo_str_is(arvo_json_str(arvo_json_get(more, "k\n=")), shown));
    assert_true(arvo_json_int_or(arvo_json_get(more, "n"), 0) == INT64_MIN);
    free(text);
    arvo_arena_free(arena);
}

static void
test_log__the_journal_gets_fields(void **state)
{
    (void)state;
    const arvo_log_attribute attributes[] = { { "retryMs", ARVO_STR_NONE, 5 },
                                              { "a b\n", ARVO_STR("x\nMESSAGE=y"), 0 } };
    const arvo_log_record record = { .level = ARVO_LOG_WARNING,
                                     .area = ARVO_LOG_AREA_BROKER,
                                     .message = ARVO_STR("one\nPRIORITY=0"),
                                     .detail = ARVO_STR("why"),
                                     .trace = &some_trace,
                                     .subject = ARVO_STR("eJw="),
                                     .attributes = attributes,
                                     .attribute_count = 2 };
    arvo_buf out = ARVO_BUF_INIT(10000);
    arvo_log_record_write(&record, ARVO_LOG_JOURNAL, &out);
    static const char expected[] = "MESSAGE=one\\x0aPRIORITY=0: why\nPRIORITY=4\n"
                                   "SYSLOG_IDENTIFIER=arvo\nARVO_AREA=broker\n"
                                   "ARVO_TRACE_ID=ab0100000000000000000000000000ff\n"
                                   "ARVO_SPAN_ID=cd00000000000002\nARVO_SUBJECT=eJw=\n"
                                   "ARVO_RETRY_MS=5\n"
                                   "ARVO_A_B_\n\x0b\0\0\0\0\0\0\0x\nMESSAGE=y\n";
    assert_int_equal(out.len, sizeof(expected) - 1);
    assert_memory_equal(out.ptr, expected, out.len);
    arvo_buf_fini(&out);
}

static void
test_log__fields_are_bounded(void **state)
{
    (void)state;
    arvo_log_attribute attributes[ARVO_LOG_ATTRIBUTES_MAX + 3];
    for (size_t i = 0; i < ARVO_COUNT_OF(attributes); i++)
        attributes[i] = (arvo_log_attribute){ "n", ARVO_STR_NONE, (int64_t)i };
    char text[ARVO_LOG_VALUE_BYTES_MAX + 1];
    memset(text, 'x', sizeof(text));
    memcpy(text + ARVO_LOG_VALUE_BYTES_MAX - 1, "\xc3\xa9", 2); /* not cut through */
    const arvo_log_record record = { .subject = { text, sizeof(text) },
                                     .attributes = attributes,
                                     .attribute_count = ARVO_COUNT_OF(attributes) };
    for (unsigned format = ARVO_LOG_TEXT; format <= ARVO_LOG_JOURNAL; format++) {
        char *out = written(&record, (arvo_log_format)format);
        assert_null(strchr(out, '\xc3'));
        assert_non_null(strstr(out, "xxx..."));
        assert_true(strlen(out) < ARVO_LOG_VALUE_BYTES_MAX + 500);
        assert_null(strstr(out, "=16"));
        assert_null(strstr(out, ":16"));
        free(out);
    }
    /* A buffer that is too small says so. */
    arvo_buf small = ARVO_BUF_INIT(100);
    arvo_log_record_write(&record, ARVO_LOG_JSON, &small);
    assert_int_equal(small.status, ARVO_E_TOO_BIG);
    arvo_buf_fini(&small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__names_are_known),
        cmocka_unit_test(test_log__filters_are_read),
        cmocka_unit_test(test_log__what_is_no_filter_changes_nothing),
        cmocka_unit_test(test_log__tables_are_checked),
        cmocka_unit_test(test_log__records_get_time_and_one_line),
        cmocka_unit_test(test_log__passwords_in_urls_are_masked),
        cmocka_unit_test(test_log__a_record_is_a_line_for_people),
        cmocka_unit_test(test_log__nothing_breaks_a_line),
        cmocka_unit_test(test_log__json_can_be_read),
        cmocka_unit_test(test_log__the_journal_gets_fields),
        cmocka_unit_test(test_log__fields_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
