/* Subjects of the original: ours hold the same JSON for any zlib (but not the same bytes: short
 * ones are stored, the original deflates all, see src/subject/pack.c), and its own are read alike,
 * leniently in full, strictly but for the cases listed. */

#include "golden.h"

#include <arvo/subject.h>

#include "subject/internal.h"

/* D32: from outside only the canonical form is accepted, for one subject is one key of the store.
 * All of these are valid for the original, and for us in lenient mode. */
static const struct golden_departure strict_departures[] = {
    { "newline inside", "a line break is not in the alphabet" },
    { "spaces around", "a space is not in the alphabet" },
    { "url-safe alphabet", "only the standard alphabet" },
    { "non-alphabet chars skipped", "only the alphabet" },
    { "chars after padding", "nothing may follow the padding" },
    { "gzip", "only zlib" },
    { "3 trailing NULs", "nothing may follow the zlib stream" },
    { "utf8 BOM", "JSON text has no byte order mark" },
    { "invalid utf8 replaced by U+FFFD", "text must be UTF-8" },
};

static arvo_arena *arena;
static const arvo_json *golden;

static int
setup(void **state)
{
    (void)state;
    arena = arvo_arena_new(NULL);
    if (arena == NULL)
        return -1;
    golden = golden_read(arena, "subjects.json");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    arvo_arena_free(arena);
    return 0;
}

static void
test_golden_subjects__packing_keeps_the_same_json(void **state)
{
    (void)state;
    arvo_subject_codec *codec = arvo_subject_codec_new(NULL);
    assert_non_null(codec);
    const arvo_json *examples = arvo_json_get(golden, "examples");
    assert_true(arvo_json_count(examples) >= 6);
    for (size_t i = 0; i < arvo_json_count(examples); i++) {
        const arvo_json *one = arvo_json_at(examples, i);
        const char *json = golden_text(arena, arvo_json_get(one, "decoded"));
        arvo_str packed;
        arvo_error err = { 0 };
        if (arvo__subject_pack(codec, arvo_str_from(json), arena, &packed, &err) != ARVO_OK)
            fail_msg("%s", err.text);
        unsigned char bytes[4096], back[4096];
        size_t len = 0;
        uLongf back_len = sizeof(back);
        assert_true(packed.len < sizeof(bytes) && arvo__base64_decode(packed, bytes, &len));
        assert_int_equal(uncompress(back, &back_len, bytes, (uLong)len), Z_OK);
        assert_true(arvo_str_equal(arvo_str_from(json), (arvo_str){ (char *)back, back_len }));
        assert_true(len > back_len || back_len > ARVO_SUBJECT_STORED_BYTES_MAX);
    }
    arvo_subject_codec_free(codec);
}

static void
expect_same(arvo_str text, const arvo_str expected)
{
    if (!arvo_str_equal(text, expected))
        fail_msg("read %.*s, expected %.*s", ARVO_FMT(text), ARVO_FMT(expected));
}

static void
expect_subject(const arvo_subject *subject, const arvo_json *decoded)
{
    assert_string_equal(golden_text(arena, subject->json), golden_text(arena, decoded));
    const arvo_json *orchestrator = arvo_json_get(decoded, "orchestrator");
    const arvo_json *execution = arvo_json_get(decoded, "execution");
    expect_same(subject->orchestrator_name, arvo_json_str(arvo_json_get(orchestrator, "name")));
    expect_same(
        subject->orchestrator_version, arvo_json_str(arvo_json_get(orchestrator, "version")));
    expect_same(subject->execution_id, arvo_json_str(arvo_json_get(execution, "id")));
    expect_same(subject->initiator, arvo_json_str(arvo_json_get(execution, "initiator")));
    expect_same(subject->domain, arvo_json_str(arvo_json_get(execution, "domain")));
    assert_true(arvo_json_equal(subject->meta, arvo_json_get(decoded, "meta")));
}

static void
test_golden_subjects__examples_are_read(void **state)
{
    (void)state;
    const arvo_json *examples = arvo_json_get(golden, "examples");
    for (size_t i = 0; i < arvo_json_count(examples); i++) {
        const arvo_json *one = arvo_json_at(examples, i);
        const arvo_json *decoded = arvo_json_get(one, "decoded");
        arvo_subject subject, again;
        arvo_str encoded;
        arvo_error err = { 0 };
        if (arvo_subject_decode(
                NULL, arvo_json_str(arvo_json_get(one, "encoded")), arena, &subject, &err) !=
            ARVO_OK)
            fail_msg("%s", err.text);
        expect_subject(&subject, decoded);

        /* Ours carry "domain" as well (v3); what they say is the same. */
        assert_int_equal(arvo_subject_encode(NULL, &subject, arena, &encoded, &err), ARVO_OK);
        assert_int_equal(arvo_subject_decode(NULL, encoded, arena, &again, &err), ARVO_OK);
        expect_same(again.execution_id, subject.execution_id);
        assert_true(arvo_json_equal(again.meta, subject.meta));
        assert_int_equal(
            arvo_json_type_of(arvo_json_pointer_get(again.json, ARVO_STR("/execution/domain"))),
            ARVO_JSON_NULL);
    }
}

/* Each case twice, so that the second answer comes from the cache when there is one. */
static void
replay(bool lenient, const struct golden_departure *departures, size_t departure_count)
{
    arvo_subject_codec *codec = arvo_subject_codec_new(
        &(arvo_subject_codec_opts){ .lenient = lenient, .cache_entries = 16 });
    assert_non_null(codec);
    const arvo_json *cases = arvo_json_get(golden, "parse");
    assert_true(arvo_json_count(cases) >= 50);
    size_t departed = 0;
    for (size_t i = 0; i < arvo_json_count(cases) * 2; i++) {
        const arvo_json *one = arvo_json_at(cases, i / 2);
        const arvo_str name = arvo_json_str(arvo_json_get(one, "name"));
        const arvo_str text = arvo_json_str(arvo_json_get(one, "subject"));
        const bool valid = arvo_json_bool_or(arvo_json_get(one, "valid"), false);
        const char *reason = golden_reason(departures, departure_count, name);
        arvo_subject subject;
        arvo_error err = { 0 };
        const arvo_status st = arvo_subject_decode(codec, text, arena, &subject, &err);
        if ((st == ARVO_OK) != (reason != NULL ? !valid : valid))
            fail_msg("%.*s: %s %s", ARVO_FMT(name), arvo_status_name(st), err.text);
        departed += reason != NULL;
        if (st == ARVO_OK)
            expect_subject(&subject, arvo_json_get(one, "decoded"));
        else
            assert_true(st == ARVO_E_MALFORMED || st == ARVO_E_INVALID);
    }
    assert_int_equal(departed, 2 * departure_count);
    printf("%zu cases, %zu departures\n", arvo_json_count(cases), departure_count);
    arvo_subject_codec_free(codec);
}

static void
test_golden_subjects__lenient_reading_agrees(void **state)
{
    (void)state;
    replay(true, NULL, 0);
}

static void
test_golden_subjects__strict_reading_departs_as_listed(void **state)
{
    (void)state;
    replay(false, strict_departures, ARVO_COUNT_OF(strict_departures));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_subjects__packing_keeps_the_same_json),
        cmocka_unit_test(test_golden_subjects__examples_are_read),
        cmocka_unit_test(test_golden_subjects__lenient_reading_agrees),
        cmocka_unit_test(test_golden_subjects__strict_reading_departs_as_listed),
    };
    return cmocka_run_group_tests_name("golden_subjects", tests, setup, teardown);
}
