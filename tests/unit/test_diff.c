/* Contracts as they change: verdicts, witnesses, words. */

#include "schema_helpers.h"

#include <arvo/diff.h>

static arvo_contracts *
contracts_of(const char *text)
{
    arvo_contracts *const contracts = arvo_contracts_new(NULL);
    const arvo_json *const list = json(text);
    arvo_error err = { 0 };
    assert_non_null(contracts);
    for (size_t i = 0; i < arvo_json_count(list); i++) {
        const arvo_document document = { .root = arvo_json_at(list, i), .first_line = 1 };
        if (arvo_contracts_add(contracts, &document, NULL, &err) != ARVO_OK)
            fail_msg("%s: %s", text, err.text);
    }
    return contracts;
}

/* A line per entry that is not the same: "VERSION PART TYPE CHANGE VERDICT". */
static const char *
diff_of(const char *was, const char *is)
{
    arvo_contracts *const old_contracts = contracts_of(was);
    arvo_contracts *const new_contracts = contracts_of(is);
    arvo_diff diff = { 0 };
    assert_int_equal(
        arvo_contracts_diff(old_contracts, new_contracts, arena, &diff, NULL), ARVO_OK);
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    size_t breaking = 0;
    for (size_t i = 0; i < diff.count; i++) {
        const arvo_diff_entry *const entry = &diff.entries[i];
        assert_true(entry->verdict != ARVO_DIFF_BREAKING || entry->witness != NULL);
        breaking += entry->verdict == ARVO_DIFF_BREAKING;
        if (entry->change == ARVO_DIFF_SAME)
            continue;
        arvo_buf_printf(
            &text, "%.*s %s%s%.*s %s %s\n", ARVO_FMT(entry->version),
            arvo_diff_part_name(entry->part), entry->type.len > 0 ? " " : "", ARVO_FMT(entry->type),
            arvo_diff_change_name(entry->change), arvo_diff_verdict_name(entry->verdict));
    }
    assert_int_equal(breaking, diff.breaking);
    assert_int_equal(diff.count, diff.same + diff.breaking + diff.unknown + diff.compatible);
    const char *const copy = arvo_arena_str_dup(arena, arvo_buf_str(&text)).ptr;
    arvo_buf_fini(&text);
    arvo_contracts_unref(old_contracts);
    arvo_contracts_unref(new_contracts);
    return copy;
}

#define SERVICE(versions)                                                                          \
    "[{'kind':'contract','uri':'#/s','type':'com.s.do','versions':{" versions "}}]"
#define V1(accepts, emits) "'1.0.0':{'accepts':" accepts ",'emits':{'evt.s.done':" emits "}}"
#define INT                "{'type':'object','properties':{'a':{'type':'integer'}},'required':['a']}"
#define NUMBER             "{'type':'object','properties':{'a':{'type':'number'}},'required':['a']}"

static void
test_diff__accepts_may_loosen_and_emits_may_tighten(void **state)
{
    (void)state;
    assert_string_equal(
        diff_of(SERVICE(V1(INT, NUMBER)), SERVICE(V1(NUMBER, INT))),
        "1.0.0 accepts com.s.do loosened compatible\n"
        "1.0.0 emits evt.s.done tightened compatible\n");
    assert_string_equal(
        diff_of(SERVICE(V1(NUMBER, INT)), SERVICE(V1(INT, NUMBER))),
        "1.0.0 accepts com.s.do tightened breaking\n"
        "1.0.0 emits evt.s.done loosened breaking\n");
    assert_string_equal(diff_of(SERVICE(V1(INT, INT)), SERVICE(V1(INT, INT))), "");
    /* said in other words, the same values */
    assert_string_equal(
        diff_of(
            SERVICE(V1(INT, INT)),
            SERVICE(V1("{'allOf':[" INT ",{'type':'object'}]}", "{'anyOf':[" INT "," INT "]}"))),
        "");
}

static void
test_diff__a_required_key_with_a_default_breaks_nobody(void **state)
{
    (void)state;
    assert_string_equal(
        diff_of(
            SERVICE(V1(INT, INT)),
            SERVICE(
                V1("{'type':'object','properties':{'a':{'type':'integer'},'b':{'default':1}},"
                   "'required':['a','b']}",
                   INT))),
        "");
}

static void
test_diff__events_and_versions_come_and_go(void **state)
{
    (void)state;
    assert_string_equal(
        diff_of(
            SERVICE("'1.0.0':{'accepts':" INT ",'emits':{'evt.s.a':" INT "}}"),
            SERVICE("'1.0.0':{'accepts':" INT ",'emits':{'evt.s.b':" INT ",'evt.s.never':false}}")),
        "1.0.0 emits evt.s.a removed compatible\n"
        "1.0.0 emits evt.s.b added breaking\n"
        "1.0.0 emits evt.s.never added compatible\n");
    assert_string_equal(
        diff_of(
            SERVICE("'1.0.0':{'accepts':" INT "},'1.1.0':{'accepts':" INT "}"),
            SERVICE("'1.1.0':{'accepts':" INT "},'2.0.0':{'accepts':{'type':'object'}}")),
        "1.0.0 version com.s.do removed breaking\n"
        "2.0.0 version added compatible\n");
    assert_string_equal(
        diff_of(SERVICE(V1(INT, INT)), "[]"), "1.0.0 version com.s.do removed breaking\n");
    assert_string_equal(diff_of("[]", SERVICE(V1(INT, INT))), "1.0.0 version added compatible\n");
    assert_string_equal(
        diff_of(
            SERVICE("'1.0.0':{'accepts':" INT "}"),
            "[{'kind':'contract','uri':'#/"
            "s','type':'com.s.other','versions':{'1.0.0':{'accepts':" INT "}}}]"),
        "1.0.0 accepts com.s.do removed breaking\n");
}

static void
test_diff__orchestrators_and_exported_contracts(void **state)
{
    (void)state;
#define ORCHESTRATOR(init, complete)                                                               \
    "[{'kind':'orchestrator-contract','uri':'#/o','name':'o','versions':{'1.0.0':{'init':" init    \
    ",'complete':" complete "}}}]"
    assert_string_equal(
        diff_of(ORCHESTRATOR(INT, INT), ORCHESTRATOR(NUMBER, NUMBER)),
        "1.0.0 accepts arvo.orc.o loosened compatible\n"
        "1.0.0 emits arvo.orc.o.done loosened breaking\n");
    /* zod writes additionalProperties: false for objects that strip; it refuses nothing */
#define EXPORTED(extra)                                                                            \
    "[{'uri':'#/s','versions':[{'version':'1.0.0','accepts':{'type':'com.s.do','schema':{'type':"  \
    "'object','properties':{'a':{'type':'integer'}},'required':['a']" extra "}},'emits':[]}]}]"
    assert_string_equal(diff_of(EXPORTED(""), EXPORTED(",'additionalProperties':false")), "");
    assert_string_equal(
        diff_of(SERVICE("'1.0.0':{'accepts':" INT "}"), EXPORTED(",'additionalProperties':false")),
        "");
    assert_string_equal(
        diff_of(
            SERVICE("'1.0.0':{'accepts':" INT "}"),
            SERVICE("'1.0.0':{'accepts':{'type':'object','properties':{'a':{'type':'integer'}},"
                    "'required':['a'],'additionalProperties':false}}")),
        "1.0.0 accepts com.s.do tightened breaking\n");
}

static void
test_diff__what_is_not_proven_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(
        diff_of(
            SERVICE("'1.0.0':{'accepts':{'type':'string','pattern':'^(?=a)[a-z]{9}$'}}"),
            SERVICE("'1.0.0':{'accepts':{'type':'string','pattern':'^(?=a)[a-z]{9,}$'}}")),
        "1.0.0 accepts com.s.do changed unknown\n");
}

static void
test_diff__runs_out_of_memory_cleanly(void **state)
{
    (void)state;
    arvo_contracts *const was = contracts_of(SERVICE(V1(INT, NUMBER)));
    arvo_contracts *const is = contracts_of(SERVICE(V1(NUMBER, INT)));
    for (size_t left = 0; left < 50; left++) {
        failing memory = { .left = left };
        const arvo_allocator allocator = { failing_alloc, failing_free, &memory };
        arvo_arena *const small =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 64 });
        if (small == NULL)
            continue;
        arvo_diff diff = { 0 };
        const arvo_status st = arvo_contracts_diff(was, is, small, &diff, NULL);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        assert_true(st == ARVO_OK || diff.count == 0);
        arvo_arena_free(small);
        assert_int_equal(memory.live, 0);
        if (st == ARVO_OK)
            break;
    }
    arvo_contracts_unref(was);
    arvo_contracts_unref(is);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_diff__accepts_may_loosen_and_emits_may_tighten, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_diff__a_required_key_with_a_default_breaks_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_diff__events_and_versions_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_diff__orchestrators_and_exported_contracts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_diff__what_is_not_proven_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_diff__runs_out_of_memory_cleanly, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
