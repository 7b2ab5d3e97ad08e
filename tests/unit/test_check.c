/* The checker as a C program sees it: places, bounds, memory. What it finds is tested by the apps
 * of tests/e2e/bad. */

#include "../support.h"

#include <arvo/check.h>

#include "machine/check.h"

static const char contracts_text[] =
    "{\"kind\": \"contract\", \"uri\": \"#/pay\", \"type\": \"com.pay.charge\", \"versions\": "
    "{\"1.0.0\": {"
    "\"accepts\": {\"type\": \"object\", \"properties\": {\"amount\": {\"type\": \"number\"}},"
    " \"required\": [\"amount\"]}, \"emits\": {\"evt.pay.done\": {\"type\": \"object\","
    " \"properties\": {\"id\": {\"type\": \"string\"}}}}}}}";

static const char orchestrator_text[] =
    "{\"kind\": \"orchestrator-contract\", \"uri\": \"#/order\", \"name\": \"order\", "
    "\"versions\": "
    "{\"1.0.0\": {\"init\": {\"type\": \"object\"}, \"complete\": {\"type\": \"object\"}}}}";

/* Something for most of the rules that look at charts. */
static const char machine_text[] =
    "{\"kind\": \"machine\", \"id\": \"order\", \"version\": \"1.0.0\",\n"
    " \"contracts\": {\"self\": \"#/order\", \"services\": {\"pay\": \"#/pay\"}},\n"
    " \"allow\": [{\"rule\": \"dead-end\", \"reason\": \"asked for\"}],\n"
    " \"initial\": \"paying\", \"context\": {\"n\": 1},\n"
    " \"actions\": {\"pay\": {\"type\": \"emit\", \"params\": {\"type\": \"com.pay.charge\",\n"
    "   \"data\": {\"amount\": \"${ .context.m }\"}}}},\n"
    " \"states\": {\n"
    "  \"paying\": {\"entry\": \"pay\",\n"
    "   \"on\": {\"evt.pay.done\": [{\"guard\": \"${ .event.data.key == 1 }\", \"target\": "
    "\"stuck\"},\n"
    "     \"done\", \"lost\"], \"evt.pay.gone\": \"done\"}},\n"
    "  \"stuck\": {}, \"done\": {\"type\": \"final\"}, \"lost\": {\"type\": \"final\"},\n"
    "  \"never\": {\"always\": \"ever\"}, \"ever\": {\"always\": \"never\"}}}";

static arvo_contracts *
contracts_new(void)
{
    arvo_contracts *contracts = arvo_contracts_new(NULL);
    assert_non_null(contracts);
    assert_int_equal(
        arvo_contracts_add_text(contracts, arvo_str_from(contracts_text), NULL, NULL), ARVO_OK);
    assert_int_equal(
        arvo_contracts_add_text(contracts, arvo_str_from(orchestrator_text), NULL, NULL), ARVO_OK);
    return contracts;
}

static arvo_document
document_of(arvo_arena *arena, const char *text)
{
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    if (arvo_document_parse(ARVO_STR("app.json"), arvo_str_from(text), arena, &list, &err) !=
        ARVO_OK)
        fail_msg("%s", err.text);
    assert_int_equal(list.count, 1);
    return list.items[0];
}

static void
test_check__every_rule_says_what_it_finds(void **state)
{
    (void)state;
    size_t count = 0;
    const arvo_check_rule *rules = arvo_check_rules(&count);
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(rules[i].summary) > 10 && strlen(rules[i].help) > 5);
        assert_int_equal(arvo__check_rule_find(arvo_str_from(rules[i].id)), i);
    }
    assert_int_equal(arvo__check_rule_find(ARVO_STR("no-such-rule")), count);
    assert_string_equal(arvo_check_severity_name(ARVO_CHECK_WARNING), "warning");
    assert_string_equal(arvo_check_severity_name(ARVO_CHECK_ERROR), "error");
}

static void
test_check__finds_and_counts(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "unreachable-state", "unreachable-state", "dead-end",         "unhandled-reply",
        "unset-context",     "unknown-field",     "undeclared-event", "shadowed-transition",
    };
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_contracts *contracts = contracts_new();
    arvo_check *check = arvo_check_new(NULL);
    arvo_machine *machine = NULL;
    const arvo_document document = document_of(arena, machine_text);
    const arvo_machine_setup setup = { .contracts = contracts };
    assert_int_equal(arvo_machine_check(&setup, &document, check, &machine, NULL), ARVO_OK);
    assert_non_null(machine); /* it loads, whatever else is wrong with it */
    assert_int_equal(arvo_check_count(check), ARVO_COUNT_OF(wanted));
    for (size_t i = 0; i < ARVO_COUNT_OF(wanted); i++) {
        bool is_found = false;
        for (size_t k = 0; k < arvo_check_count(check); k++)
            is_found |= strcmp(arvo_check_at(check, k)->rule->id, wanted[i]) == 0;
        if (!is_found)
            fail_msg("%s is not found", wanted[i]);
    }
    assert_int_equal(arvo_check_errors(check), 1);
    assert_int_equal(arvo_check_silenced(check), 1);
    assert_int_equal(arvo_check_warnings(check), 6);
    assert_false(arvo_check_is_cut(check));
    assert_null(arvo_check_at(check, arvo_check_count(check)));
    arvo_machine_unref(machine);
    arvo_check_free(check);
    arvo_contracts_unref(contracts);
    arvo_arena_free(arena);
}

static void
test_check__a_machine_that_does_not_load_is_not_given(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_check *check = arvo_check_new(NULL);
    arvo_machine *machine = (arvo_machine *)(void *)arena; /* anything */
    const arvo_document document = document_of(
        arena, "{\"kind\": \"machine\", \"id\": \"m\",\n \"initial\": \"b\",\n \"states\": {\"a\": "
               "{\n\"on\": {\"E\": \"c\"}}}}");
    assert_int_equal(arvo_machine_check(NULL, &document, check, &machine, NULL), ARVO_OK);
    assert_null(machine);
    assert_int_equal(arvo_check_count(check), 2);
    const arvo_finding *first = arvo_check_at(check, 0);
    assert_string_equal(first->rule->id, "bad-initial");
    assert_str_is(first->file, "app.json");
    assert_int_equal(first->line, 2);
    assert_str_is(first->pointer, "/initial");
    assert_str_is(first->machine, "m");
    const arvo_finding *second = arvo_check_at(check, 1);
    assert_string_equal(second->rule->id, "unknown-target");
    assert_int_equal(second->line, 4);
    assert_str_is(second->pointer, "/states/a/on/E");
    assert_str_is(second->state, "a");
    arvo_check_free(check);
    arvo_arena_free(arena);
}

/* Names that name each other twice, again and again: 2 to the 60 ways. */
static void
test_check__named_actions_in_great_numbers_end(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_buf text = ARVO_BUF_INIT(65536);
    arvo_buf_printf(&text, "{\"kind\": \"machine\", \"id\": \"m\", \"actions\": {");
    for (unsigned i = 0; i < 60; i++)
        arvo_buf_printf(&text, "\"a%u\": [\"a%u\", \"a%u\"], ", i, i + 1, i + 1);
    arvo_buf_printf(
        &text, "\"a60\": {\"type\": \"log\", \"params\": {\"message\": \"${ .context.x }\"}}},"
               " \"entry\": \"a0\"}");
    arvo_buf_append_char(&text, '\0');
    const arvo_document document = document_of(arena, text.ptr);
    arvo_check *check = arvo_check_new(NULL);
    assert_int_equal(arvo_machine_check(NULL, &document, check, NULL, NULL), ARVO_OK);
    for (size_t i = 0; i < arvo_check_count(check); i++)
        assert_string_equal(arvo_check_at(check, i)->rule->id, "dead-end"); /* silent where blind */
    arvo_check_free(check);
    arvo_buf_fini(&text);
    arvo_arena_free(arena);
}

static void
test_check__out_of_memory_is_a_status(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_contracts *contracts = contracts_new();
    const arvo_document document = document_of(arena, machine_text);
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo_check *check = arvo_check_new(&allocator);
        arvo_machine *machine = NULL;
        const arvo_machine_setup setup = { .allocator = &allocator, .contracts = contracts };
        arvo_status st = ARVO_E_NOMEM;
        if (check != NULL)
            st = arvo_machine_check(&setup, &document, check, &machine, NULL);
        if (st == ARVO_OK)
            assert_int_equal(arvo_check_count(check), 8);
        else
            assert_int_equal(st, ARVO_E_NOMEM);
        failures += st != ARVO_OK;
        arvo_machine_unref(machine);
        arvo_check_free(check);
        assert_int_equal(heap.live, 0);
        if (heap.calls < n)
            break;
    }
    assert_true(failures > 20);
    arvo_contracts_unref(contracts);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__every_rule_says_what_it_finds),
        cmocka_unit_test(test_check__finds_and_counts),
        cmocka_unit_test(test_check__a_machine_that_does_not_load_is_not_given),
        cmocka_unit_test(test_check__named_actions_in_great_numbers_end),
        cmocka_unit_test(test_check__out_of_memory_is_a_status),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
