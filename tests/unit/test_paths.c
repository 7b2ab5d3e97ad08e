/* test_paths.c - the shortest way to every state and transition. */

#include "machine_helpers.h"

#include <arvo/paths.h>

static arvo_paths paths;

static void
walk(const char *rest)
{
    arvo_machine *const machine = machine_of(rest);
    arvo_error err = { 0 };
    if (arvo_machine_paths(machine, arena, &paths, &err) != ARVO_OK)
        fail_msg("%s: %s", rest, err.text);
    arvo_machine_unref(machine);
}

/* "start [g], A, B [not h]"; "-": not reached. */
static const char *
path_of(const arvo_path_goal *goal)
{
    const char *text = goal->is_reached ? "" : "-";
    for (size_t i = 0; i < goal->step_count; i++) {
        const arvo_path_step *const step = &goal->steps[i];
        text = arvo_arena_printf(
                   arena, "%s%s%.*s", text, i > 0 ? ", " : "",
                   ARVO_FMT(step->event.ptr != NULL ? step->event : ARVO_STR("start")))
                   .ptr;
        for (size_t k = 0; k < step->guard_count; k++)
            text = arvo_arena_printf(
                       arena, "%s%s%.*s%s", text, k == 0 ? " [" : ", ", ARVO_FMT(step->guards[k]),
                       k + 1 == step->guard_count ? "]" : "")
                       .ptr;
    }
    return text;
}

static void
assert_path(const char *pointer, const char *expected)
{
    for (size_t i = 0; i < paths.goal_count; i++) {
        if (!arvo_str_is(paths.goals[i].pointer, pointer))
            continue;
        assert_string_equal(path_of(&paths.goals[i]), expected);
        return;
    }
    fail_msg("no goal at %s", pointer);
}

static void
test_paths__shortest_in_events(void **state)
{
    (void)state;
    walk("'initial':'a','states':{'a':{'on':{'LONG':'b','SHORT':'d'}},'b':{'on':{'X':'c'}},"
         "'c':{'on':{'X':'d'}},'d':{'on':{'Y':'e'}},'e':{'type':'final'},'f':{'on':{'Z':'a'}}}");
    assert_path("", "start");
    assert_path("/states/a", "start");
    assert_path("/states/b", "start, LONG");
    assert_path("/states/d", "start, SHORT");
    assert_path("/states/e", "start, SHORT, Y");
    assert_path("/states/c/on/X", "start, LONG, X, X");
    assert_path("/states/f", "-");
    assert_path("/states/f/on/Z", "-");
    assert_true(paths.is_complete);
    assert_int_equal(paths.goal_count, 7 + 6);
}

static void
test_paths__guards_are_assumed_and_said(void **state)
{
    (void)state;
    walk("'guards':{'big':'${ .context.n > 1 }'},'initial':'a','states':{"
         "'a':{'on':{'GO':[{'guard':'big','target':'b'},{'guard':'${ .event.x "
         "}','target':'c'},'d']}},"
         "'b':{},'c':{},'d':{'on':{'GO':[{'target':'a'},{'target':'b'}]}}}");
    assert_path("/states/b", "start, GO [big]");
    assert_path("/states/c", "start, GO [not big, .event.x]");
    assert_path("/states/d", "start, GO [not big, not .event.x]");
    assert_path("/states/d/on/GO/0", "start, GO [not big, not .event.x], GO");
    assert_path("/states/d/on/GO/1", "-"); /* what stands before it always takes the event */
    assert_true(paths.is_complete);
}

static void
test_paths__follow_always_and_done_by_themselves(void **state)
{
    (void)state;
    walk("'initial':'a','states':{'a':{'always':{'guard':'${ .context.fast }','target':'z'},"
         "'initial':'p','onDone':'b','states':{'p':{'on':{'END':'q'}},'q':{'type':'final'}}},"
         "'b':{'always':'c'},'c':{'entry':{'type':'raise','params':{'type':'SELF'}},"
         "'on':{'SELF':'d'}},'d':{},'z':{}}");
    assert_path("/states/z", "start [.context.fast]");
    assert_path("/states/a/states/q", "start [not .context.fast], END");
    assert_path("/states/a/onDone", "start [not .context.fast], END [not .context.fast]");
    assert_path("/states/b/always", "start [not .context.fast], END [not .context.fast]");
    assert_path("/states/d", "start [not .context.fast], END [not .context.fast]");
    assert_false(paths.has_computed_raises);
}

static void
test_paths__know_which_states_are_active(void **state)
{
    (void)state;
    walk("'type':'parallel','guards':{'ready':{'type':'and','guards':[{'type':'stateIn','params':"
         "{'state':'#m.y.on'}},'${ .context.ok }']}},'states':{"
         "'x':{'initial':'a','states':{'a':{'on':{'GO':{'guard':'ready','target':'b'},"
         "'NO':{'guard':{'type':'stateIn','params':{'state':'#never'}},'target':'c'}}},"
         "'b':{'on':{'BACK':'h'}},'c':{},'h':{'type':'history','target':'b'}}},"
         "'y':{'initial':'off','states':{'off':{'on':{'FLIP':'on'}},'on':{},"
         "'n':{'id':'never'}}}}");
    assert_path("/states/x/states/b", "start, FLIP, GO [.context.ok]");
    assert_path("/states/x/states/a/on/NO", "-");
    assert_path("/states/x/states/c", "-");
    assert_path("/states/x/states/b/on/BACK", "start, FLIP, GO [.context.ok], BACK");
    for (size_t i = 0; i < paths.goal_count; i++)
        assert_false(arvo_str_is(paths.goals[i].pointer, "/states/x/states/h"));
    assert_true(paths.is_complete);
}

static void
test_paths__name_wildcards_as_they_are(void **state)
{
    (void)state;
    walk("'initial':'a','states':{'a':{'on':{'*':'b','com.*':'c','com.x':null}},'b':{},'c':{}}");
    assert_path("/states/b", "start, *");
    assert_path("/states/c", "start, com.*");
    assert_path("/states/a/on/com.x", "start, com.x");
}

static void
test_paths__leave_out_actions_but_raises(void **state)
{
    (void)state;
    walk("'actions':{'more':[{'type':'log','params':{'message':'${ error }'}},{'type':'raise',"
         "'params':{'type':'R'}}]},'context':'${ error }','initial':'a','states':{"
         "'a':{'entry':{'type':'assign','params':{'n':'${ error }'}},'on':{'X':{'actions':"
         "{'type':'enqueueActions','params':[{'guard':'${ .context.n }','actions':'more'}]}},"
         "'R':'b','S':{'actions':{'type':'raise','params':'${ .event }'}}}},'b':{'type':'final',"
         "'output':'${ error }'}}");
    assert_path("/states/b", "start, X [.context.n]");
    assert_true(paths.has_computed_raises);
}

static void
test_paths__read_what_only_begins_like_an_expression_as_it_is(void **state)
{
    (void)state;
    walk("'initial':'a','states':{'a':{'entry':{'type':'raise','params':{'type':'${R'}},"
         "'on':{'${R':'b'}},'b':{}}");
    assert_path("/states/b", "start");
    assert_false(paths.has_computed_raises);
}

static void
test_paths__end_with_loops_that_do_not(void **state)
{
    (void)state;
    walk("'initial':'a','states':{'a':{'always':{'guard':'${ .context.x }','target':'b'}},"
         "'b':{'always':{'guard':'${ .context.y }','target':'a'},'on':{'OUT':'c'}},'c':{'always':"
         "'d'},'d':{'always':'c'}}");
    assert_path("/states/b", "start [.context.x]");
    /* c is entered, but the step that enters it never ends */
    assert_path("/states/c", "-");
}

static void
test_paths__say_when_a_limit_is_met(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1000000);
    arvo_buf_append_str(&text, ARVO_STR("{\"id\":\"m\",\"type\":\"parallel\",\"states\":{"));
    for (unsigned i = 0; i < 16; i++)
        arvo_buf_printf(
            &text,
            "%s\"r%u\":{\"initial\":\"a\",\"states\":{\"a\":{\"on\":{\"E%u\":\"b\"}},\"b\":{\"on\":"
            "{\"E%u\":\"a\"}}%s}}",
            i > 0 ? "," : "", i, i, i, i == 0 ? ",\"z\":{}" : "");
    arvo_buf_append_str(&text, ARVO_STR("}}"));
    arvo_machine *machine = NULL;
    assert_int_equal(arvo_machine_create_text(NULL, arvo_buf_str(&text), &machine, NULL), ARVO_OK);
    assert_int_equal(arvo_machine_paths(machine, arena, &paths, NULL), ARVO_OK);
    assert_false(paths.is_complete);
    assert_int_equal(paths.configurations, ARVO_PATHS_CONFIGURATIONS_MAX);
    assert_path("/states/r0/states/z", "-");
    assert_path("/states/r15/states/b/on/E15", "start, E15, E15");
    arvo_buf_fini(&text);
    arvo_machine_unref(machine);
}

/* Each path, walked on the machine itself, ends where it says. */
static void
test_paths__can_be_walked(void **state)
{
    (void)state;
    static const char chart[] =
        "'initial':'a','states':{'a':{'on':{'N':'b','P':'p'}},'b':{'on':{'N':'c'}},'c':{'always':"
        "'d'},'d':{'on':{'N':'a'}},'p':{'type':'parallel','on':{'OUT':'b'},'states':{'l':{'initial'"
        ":"
        "'l1','states':{'l1':{'on':{'F':'l2'}},'l2':{'type':'final'}}},'r':{'initial':'r1','states'"
        ":"
        "{'r1':{'on':{'G':'r2'}},'r2':{'type':'final'}}}},'onDone':'e'},'e':{'type':'final'}}";
    walk(chart);
    arvo_machine *const machine = machine_of(chart);
    for (size_t i = 0; i < paths.goal_count; i++) {
        const arvo_path_goal *const goal = &paths.goals[i];
        assert_true(goal->is_reached);
        arvo_machine_output out = start(machine);
        for (size_t k = 1; k < goal->step_count; k++)
            out = send_to(
                machine, out.state,
                arvo_arena_printf(arena, "{'type':'%.*s'}", ARVO_FMT(goal->steps[k].event)).ptr);
        const char *const key = strrchr(goal->state.ptr, '.');
        /* c is passed through */
        if (!goal->is_transition && key != NULL && strcmp(key, ".c") != 0 &&
            strstr(arvo_arena_str_dup(arena, out.value).ptr, key + 1) == NULL)
            fail_msg(
                "%.*s: %s leads to %.*s", ARVO_FMT(goal->state), path_of(goal),
                ARVO_FMT(out.value));
    }
    arvo_machine_unref(machine);
}

/* ---- Out of memory ---- */

struct failing {
    size_t left;
};

static void *
failing_alloc(void *self, size_t size)
{
    struct failing *const failing = self;
    if (failing->left == 0)
        return NULL;
    failing->left--;
    return malloc(size);
}

static void
failing_free(void *self, void *ptr, size_t size)
{
    (void)self;
    (void)size;
    free(ptr);
}

static void
test_paths__survive_running_out_of_memory(void **state)
{
    (void)state;
    struct failing failing = { .left = SIZE_MAX };
    const arvo_allocator allocator = { failing_alloc, failing_free, &failing };
    arvo_machine *const machine = machine_with(
        &(arvo_machine_setup){ .allocator = &allocator },
        "{'id':'m','initial':'a','states':{'a':{'on':{'X':{'guard':'${ .context.n "
        "}','target':'b'}}},"
        "'b':{}}}");
    arvo_status st = ARVO_E_NOMEM;
    for (size_t n = 0; st == ARVO_E_NOMEM; n++) {
        arvo_arena *const result = arvo_arena_new(NULL);
        failing.left = n;
        st = arvo_machine_paths(machine, result, &paths, NULL);
        failing.left = SIZE_MAX;
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        arvo_arena_free(result);
    }
    assert_int_equal(st, ARVO_OK);
    arvo_machine_unref(machine);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths__shortest_in_events),
        cmocka_unit_test(test_paths__guards_are_assumed_and_said),
        cmocka_unit_test(test_paths__follow_always_and_done_by_themselves),
        cmocka_unit_test(test_paths__know_which_states_are_active),
        cmocka_unit_test(test_paths__name_wildcards_as_they_are),
        cmocka_unit_test(test_paths__leave_out_actions_but_raises),
        cmocka_unit_test(test_paths__read_what_only_begins_like_an_expression_as_it_is),
        cmocka_unit_test(test_paths__end_with_loops_that_do_not),
        cmocka_unit_test(test_paths__say_when_a_limit_is_met),
        cmocka_unit_test(test_paths__can_be_walked),
        cmocka_unit_test(test_paths__survive_running_out_of_memory),
    };
    return cmocka_run_group_tests(tests, machine_group_setup, machine_group_teardown);
}
