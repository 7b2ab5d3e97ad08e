/* What XState has and Arvo forbids is refused when a machine is loaded, wherever it may stand, with
 * what to do instead. */

#include "machine_helpers.h"

static void
refused(const char *rest, const char *where, const char *advice)
{
    const char *text = arvo_arena_printf(arena, "{'kind':'machine','id':'m',%s}", rest).ptr;
    const arvo_machine_setup setup = { 0 };
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_machine_create_text(&setup, quoted(text), &machine, &err);
    if (st != ARVO_E_UNSUPPORTED)
        fail_msg("%s: %s (%s)", rest, arvo_status_name(st), err.text);
    if (strstr(err.text, where) == NULL)
        fail_msg("%s: '%s' is not at %s", rest, err.text, where);
    if (strstr(err.text, advice) == NULL)
        fail_msg("%s: '%s' does not say '%s'", rest, err.text, advice);
    assert_null(machine);
}

/* ---- Actions ---- */

/* Where an action may stand: what is before it, what is behind it, and its pointer. */
static const struct place {
    const char *before;
    const char *behind;
    const char *pointer;
} places[] = {
    { "'entry':", "", "/entry" },
    { "'exit':[{'type':'log','params':{'message':1}},", "]", "/exit/1" },
    { "'on':{'E':{'actions':", "}}", "/on/E/actions" },
    { "'on':{'E':[{'guard':'${ false }'},{'actions':[", "]}]}", "/on/E/1/actions/0" },
    { "'always':{'guard':'${ false }','actions':", "}", "/always/actions" },
    { "'initial':{'target':'a','actions':", "},'states':{'a':{}}", "/initial/actions" },
    { "'initial':'a','states':{'a':{'entry':", "}}", "/states/a/entry" },
    { "'initial':'a','states':{'a':{'initial':'b','states':{'b':{'type':'final'}},"
      "'onDone':{'actions':",
      "}}}", "/states/a/onDone/actions" },
    { "'entry':{'type':'enqueueActions','params':[{'actions':", "}]}", "/entry/params/0/actions" },
    { "'actions':{'tell':", "},'entry':'tell'", "/actions/tell" },
};

static const struct forbidden_action {
    const char *action;
    const char *advice;
} forbidden_actions[] = {
    { "'sendTo'", "sendTo: actors are not supported: emit an event to the service instead" },
    { "{'type':'sendTo','params':{'to':'x','event':{'type':'E'}}}",
      "emit an event to the service" },
    { "{'type':'sendTo','to':'x','event':{'type':'E'},'delay':5}", "emit an event to the service" },
    { "{'type':'xstate.sendTo','to':'x'}", "emit an event to the service" },
    { "'sendParent'", "complete with an output, or emit an event" },
    { "'forwardTo'", "emit an event to the service" },
    { "'respond'", "emit an event instead" },
    { "'escalate'", "emit an event instead" },
    { "'spawn'", "emit the start event of a child orchestrator" },
    { "'spawnChild'", "emit the start event of a child orchestrator" },
    { "{'type':'spawnChild','src':'x','id':'y'}", "emit the start event of a child orchestrator" },
    { "{'type':'xstate.spawnChild'}", "emit the start event of a child orchestrator" },
    { "'stop'", "emit an event that the other side understands as stop" },
    { "'stopChild'", "emit an event that the other side understands as stop" },
    { "{'type':'stopChild','params':{'actor':'x'}}", "that the other side understands as stop" },
    { "'cancel'", "delayed events are not supported: emit an event to a timer service" },
    { "{'type':'cancel','sendId':'x'}", "emit an event to a timer service" },
    { "'pure'", "write enqueueActions" },
    { "'choose'", "write enqueueActions" },
    { "{'type':'raise','params':{'type':'E','delay':5}}", "emit an event to a timer service" },
    { "{'type':'raise','params':{'type':'E'},'delay':5}", "emit an event to a timer service" },
    { "{'type':'raise','params':{'type':'E'},'delay':'soon'}", "emit an event to a timer service" },
};

static void
test_machine_forbidden__actions_wherever_they_stand(void **state)
{
    (void)state;
    for (size_t p = 0; p < ARVO_COUNT_OF(places); p++)
        for (size_t a = 0; a < ARVO_COUNT_OF(forbidden_actions); a++) {
            const struct place *place = &places[p];
            const struct forbidden_action *one = &forbidden_actions[a];
            const arvo_str rest =
                arvo_arena_printf(arena, "%s%s%s", place->before, one->action, place->behind);
            refused(rest.ptr, place->pointer, one->advice);
        }
}

/* A name that XState uses is free for a document's own action. */
static void
test_machine_forbidden__own_actions_may_have_such_a_name(void **state)
{
    (void)state;
    static const char *const names[] = { "stop", "cancel", "respond", "send", "xstate.stop" };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++) {
        const arvo_str text = arvo_arena_printf(
            arena,
            "{'kind':'machine','id':'m','actions':{'%s':{'type':'log','params':{'message':1}}},"
            "'entry':'%s'}",
            names[i], names[i]);
        const arvo_machine_setup setup = { 0 };
        arvo_machine *machine = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_machine_create_text(&setup, quoted(text.ptr), &machine, &err);
        if (st != ARVO_OK)
            fail_msg("%s: %s", names[i], err.text);
        arvo_machine_unref(machine);
    }
}

/* ---- Keys and events ---- */

static const struct forbidden_key {
    const char *member;
    const char *where;
    const char *advice;
} state_keys[] = {
    { "'invoke':{'src':'x','onDone':'b'}", "/invoke",
      "invoke is not supported: emit an event that the service's contract accepts" },
    { "'invoke':[]", "/invoke", "wait for its reply in `on`" },
    { "'after':{'1000':'b'}", "/after",
      "after is not supported: emit an event to a timer service, and wait for its reply in `on`" },
    { "'after':{}", "/after", "timer service" },
    { "'route':{}", "/route", "write a transition in `on`" },
    { "'on':{'xstate.done.actor.x':{}}", "/on/xstate.done.actor.x", "the reply of the service" },
    { "'on':{'xstate.done.actor.*':{}}", "/on/xstate.done.actor.*", "the reply of the service" },
    { "'on':{'xstate.error.actor.x':{}}", "/on/xstate.error.actor.x", "sys.{type}.error" },
    { "'on':{'xstate.snapshot.x':{}}", "/on/xstate.snapshot.x", "an event that a service emits" },
    { "'on':{'xstate.after.1000.m.a':{}}", "/on/xstate.after.1000.m.a", "timer service" },
};

static const struct forbidden_key root_keys[] = {
    { "'delays':{'soon':5}", "/delays", "delays are not supported: emit an event to a timer" },
    { "'actors':{}", "/actors", "actors are not supported: emit an event that a service" },
};

static void
test_machine_forbidden__keys_of_the_machine_and_of_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(root_keys); i++)
        refused(root_keys[i].member, root_keys[i].where, root_keys[i].advice);
    for (size_t i = 0; i < ARVO_COUNT_OF(state_keys); i++) {
        const struct forbidden_key *one = &state_keys[i];
        refused(one->member, one->where, one->advice);
        const arvo_str child = arvo_arena_printf(
            arena, "'initial':'a','states':{'a':{'initial':'b','states':{'b':{%s}}}}", one->member);
        refused(
            child.ptr, arvo_arena_printf(arena, "/states/a/states/b%s", one->where).ptr,
            one->advice);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_forbidden__actions_wherever_they_stand),
        cmocka_unit_test(test_machine_forbidden__own_actions_may_have_such_a_name),
        cmocka_unit_test(test_machine_forbidden__keys_of_the_machine_and_of_states),
    };
    return cmocka_run_group_tests_name(
        "machine_forbidden", tests, machine_group_setup, machine_group_teardown);
}
