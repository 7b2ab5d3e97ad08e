/* guards.c - guards and actions in C, named by the machine document.
 *
 * Whatever an expression can do, a function can too; use one where code is wanted. The document
 * names `affordable` and `audit`, the program supplies them. */

#include <arvo/arvo.h>

#include <stdio.h>
#include <string.h>

static const char machine_text[] =
    "{ \"kind\": \"machine\", \"id\": \"limits\","
    "  \"context\": { \"amount\": \"${ .input.amount }\", \"audited\": false },"
    "  \"initial\": \"check\","
    "  \"states\": {"
    "    \"check\": { \"always\": ["
    "      { \"guard\": { \"type\": \"affordable\", \"params\": { \"limit\": 1000 } },"
    "        \"target\": \"accepted\", \"actions\": \"audit\" },"
    "      { \"target\": \"refused\" } ] },"
    "    \"accepted\": { \"type\": \"final\" },"
    "    \"refused\": { \"type\": \"final\" } } }";

/* A guard looks, and answers. Its params come from where the document refers to it. */
static bool
affordable(const arvo_scope *scope)
{
    const arvo_json *amount = arvo_json_get(scope->context, "amount");
    if (!arvo_json_is_number(amount)) {
        arvo_scope_fail(scope, ARVO_STR("BadAmount"), ARVO_STR("the amount is not a number"));
        return false;
    }
    const double limit = arvo_json_number_or(arvo_json_get(scope->params, "limit"), 0);
    return arvo_json_number_or(amount, 0) <= limit;
}

/* An action asks for effects; they happen in the order in which it asks. */
static void
audit(const arvo_scope *scope)
{
    const char *who = scope->user;
    arvo_scope_assign(scope, ARVO_STR("audited"), arvo_json_bool(true));
    arvo_scope_log(scope, arvo_str_from(who));
}

static int
run(const arvo_machine *machine, arvo_arena *arena, const char *input_text, const char *expected)
{
    arvo_error err = { 0 };
    arvo_machine_input input = { 0 };
    arvo_machine_output output;
    if (arvo_json_parse(arvo_str_from(input_text), arena, &input.input, &err) != ARVO_OK)
        return fprintf(stderr, "guards: %s\n", err.text), 1;

    const arvo_status st = arvo_machine_execute(machine, &input, arena, &output, &err);
    const arvo_str outcome = st == ARVO_OK ? output.value : output.error_name;
    printf("%-22s -> %.*s\n", input_text, ARVO_FMT(outcome));
    for (size_t i = 0; st == ARVO_OK && i < output.log_count; i++)
        printf("  log: %.*s\n", ARVO_FMT(output.logs[i]));
    return arvo_str_is(outcome, expected) ? 0 : 1;
}

int
main(void)
{
    static char auditor[] = "audited by the example";
    const arvo_machine_setup setup = {
        .guards = (const arvo_guard_def[]){ { "affordable", affordable, NULL }, { 0 } },
        .actions = (const arvo_action_def[]){ { "audit", audit, auditor }, { 0 } },
    };
    arvo_error err = { 0 };
    arvo_machine *machine = NULL;
    if (arvo_machine_create_text(&setup, arvo_str_from(machine_text), &machine, &err) != ARVO_OK)
        return fprintf(stderr, "guards: %s\n", err.text), 1;

    arvo_arena *arena = arvo_arena_new(NULL);
    int failed = arena == NULL;
    if (arena != NULL) {
        failed += run(machine, arena, "{\"amount\": 400}", "\"accepted\"");
        failed += run(machine, arena, "{\"amount\": 4000}", "\"refused\"");
        failed += run(machine, arena, "{\"amount\": \"much\"}", "BadAmount");
    }
    arvo_arena_free(arena);
    arvo_machine_unref(machine);
    return failed == 0 ? 0 : 1;
}
