/* Records as JSON text: arvo_record_write and arvo_record_parse. */

#include "conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char whole[] =
    "{\"subject\":\"s\",\"parentSubject\":null,\"orchestrator\":\"arvo.orc.order\","
    "\"version\":\"1.0.0\",\"status\":\"active\",\"value\":\"charge\",\"state\":{\"a\":[1,2]},"
    "\"lastError\":null,\"input\":null,\"definition\":\"00ff\",\"revision\":3,\"fence\":7,"
    "\"created\":1700000000000,\"updated\":-1}";

static arvo_status
parse(const char *text, arvo_arena *arena, arvo_record *out, arvo_error *err)
{
    return arvo_record_parse(arvo_str_from(text), arena, out, err);
}

/* `whole` with its first `from` replaced by `to`; static. */
static const char *
changed(const char *from, const char *to)
{
    static char text[2048];
    const char *at = strstr(whole, from);
    assert_non_null(at);
    const size_t head = (size_t)(at - whole);
    memcpy(text, whole, head);
    memcpy(text + head, to, strlen(to));
    memcpy(text + head + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
    return text;
}

static void
test_record__text_is_as_documented(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record record = { 0 };
    assert_int_equal(parse(whole, arena, &record, NULL), ARVO_OK);
    assert_true(arvo_str_is(record.subject, "s"));
    assert_null(record.parent_subject.ptr);
    assert_true(arvo_str_is(record.value, "\"charge\""));
    assert_true(arvo_str_is(record.state, "{\"a\":[1,2]}"));
    assert_null(record.last_error.ptr);
    assert_true(arvo_str_is(record.definition, "00ff"));
    assert_int_equal(record.revision, 3);
    assert_int_equal(record.fence, 7);
    assert_int_equal(record.created_ms, 1700000000000);
    assert_int_equal(record.updated_ms, -1);

    arvo_buf out = ARVO_BUF_INIT(4096);
    arvo_record_write(&record, &out);
    assert_int_equal(out.status, ARVO_OK);
    assert_int_equal(out.len, sizeof(whole) - 1);
    assert_memory_equal(out.ptr, whole, out.len);
    arvo_buf_fini(&out);
    arvo_arena_free(arena);
}

static void
test_record__strings_survive_the_way(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record record = store_record(ARVO_STR("quote\" back\\ nul\0 \n \xc3\xa9")), got;
    record.parent_subject = ARVO_STR("");
    record.value = ARVO_STR_NONE;
    record.last_error = ARVO_STR("{\"errorName\":\"x\"}");
    arvo_buf out = ARVO_BUF_INIT(4096);
    arvo_record_write(&record, &out);
    assert_int_equal(arvo_record_parse(arvo_buf_str(&out), arena, &got, NULL), ARVO_OK);
    store_assert_record_equal(&got, &record);
    arvo_buf_fini(&out);
    arvo_arena_free(arena);
}

static void
test_record__full_buffer_is_sticky(void **state)
{
    (void)state;
    const arvo_record record = store_record(ARVO_STR("s"));
    arvo_buf out = ARVO_BUF_INIT(40);
    arvo_record_write(&record, &out);
    assert_int_equal(out.status, ARVO_E_TOO_BIG);
    arvo_buf_fini(&out);
}

static void
test_record__damage_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *word;
    } cases[] = {
        { "{\"subject\"", "[\"subject\"", "stored record" },
        { whole, "", "stored record" },
        { whole, "[]", "not a JSON object" },
        { whole, "null", "not a JSON object" },
        { "\"version\":\"1.0.0\",", "", "version" },
        { "\"subject\":\"s\"", "\"subject\":null", "subject" },
        { "\"subject\":\"s\"", "\"subject\":{}", "subject" },
        { "\"parentSubject\":null", "\"parentSubject\":false", "parentSubject" },
        { "\"definition\":\"00ff\"", "\"definition\":5", "definition" },
        { "\"revision\":3", "\"revision\":-3", "revision" },
        { "\"revision\":3", "\"revision\":3.5", "revision" },
        { "\"revision\":3", "\"revision\":1e300", "revision" },
        { "\"fence\":7", "\"fence\":\"7\"", "fence" },
        { "\"updated\":-1", "\"updated\":null", "updated" },
        { "\"updated\":-1", "\"updated\":-1,\"more\":1", "not known" },
        { "\"updated\":-1}", "\"updated\":-1", "stored record" },
    };
    arvo_arena *arena = arvo_arena_new(NULL);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_record record, untouched;
        arvo_error err = { 0 };
        memset(&record, 0x5a, sizeof(record));
        untouched = record;
        const size_t used = arvo_arena_used(arena);
        const arvo_status st = parse(changed(cases[i].from, cases[i].to), arena, &record, &err);
        assert_int_equal(st, ARVO_E_CORRUPT);
        assert_int_equal(err.status, ARVO_E_CORRUPT);
        assert_memory_equal(&record, &untouched, sizeof(record));
        assert_int_equal(arvo_arena_used(arena), used);
        if (strstr(err.text, cases[i].word) == NULL)
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, cases[i].word);
    }
    arvo_arena_free(arena);
}

/* ---- Out of memory ----------------------------------------------------- */

static void *
count_down(void *self, size_t size)
{
    size_t *left = self;
    return (*left)-- > 0 ? malloc(size) : NULL;
}

static void
give_back(void *self, void *ptr, size_t size)
{
    (void)self, (void)size;
    free(ptr);
}

static void
test_record__running_out_of_memory_is_said(void **state)
{
    (void)state;
    arvo_status st = ARVO_E_NOMEM;
    for (size_t n = 1; st != ARVO_OK && n < 100; n++) {
        size_t left = n;
        const arvo_allocator allocator = { count_down, give_back, &left };
        arvo_arena *arena =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 256 });
        if (arena == NULL)
            continue;
        arvo_record record;
        st = parse(whole, arena, &record, NULL);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        left = 0; /* what the arena keeps is freed, not asked for again */
        arvo_arena_free(arena);
    }
    assert_int_equal(st, ARVO_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record__text_is_as_documented),
        cmocka_unit_test(test_record__strings_survive_the_way),
        cmocka_unit_test(test_record__full_buffer_is_sticky),
        cmocka_unit_test(test_record__damage_is_named),
        cmocka_unit_test(test_record__running_out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
