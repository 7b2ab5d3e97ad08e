/* Machines at work: starts, events, actions in C, errors, bounds, stored snapshots. The algorithm
 * itself is held to recorded runs by tests/interop/test_golden_xstate.c. */

#include "machine_helpers.h"

#define TOGGLE "'initial':'off','states':{'off':{'on':{'flip':'on'}},'on':{'on':{'flip':'off'}}}"

/* ---- Starts and events ---- */

static void
test_machine_run__toggle(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(TOGGLE);
    arvo_machine_output out = start(machine);
    assert_value(&out, "'off'");
    assert_str(
        out.state, quoted("{'status':'active','value':'off','historyValue':{},'context':{},"
                          "'children':{}}")
                       .ptr);
    assert_int_equal(out.status, ARVO_MACHINE_ACTIVE);
    assert_null(out.error_name.ptr);
    out = send_to(machine, out.state, "{'type':'flip'}");
    assert_value(&out, "'on'");
    out = send_to(machine, out.state, "{'type':'nothing.of.ours'}");
    assert_value(&out, "'on'");
    assert_false(out.became_done);
    arvo_machine_unref(machine);
}

/* A run in memory answers as one from bytes, and its bytes can be had later. */
static void
test_machine_run__in_memory(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(
        "'context':{'n':0},'type':'parallel','states':{'a':{'initial':'x','states':{'x':{'on':"
        "{'e':'y'}},'y':{'on':{'e':{'target':'x','actions':{'type':'assign','params':{'n':"
        "'${ .context.n + 1 }'}}}}},'h':{'type':'history'}}},'b':{'initial':'z','states':{'z':{"
        "'on':{'e':{'actions':{'type':'log','params':{'message':'z'}}}}}}}}");
    arvo_machine_output stored = start(machine);
    arvo_machine_output kept =
        execute(machine, &(arvo_machine_input){ .in_memory = true }, ARVO_OK);
    for (int i = 0; i < 5; i++) {
        assert_null(kept.state.ptr);
        assert_null(kept.value.ptr);
        const arvo_machine_output before = kept;
        const arvo_machine_output written =
            execute(machine, &(arvo_machine_input){ .previous = &before }, ARVO_OK);
        assert_str(written.state, arvo_arena_printf(arena, "%.*s", ARVO_FMT(stored.state)).ptr);
        assert_true(arvo_str_equal(written.value, stored.value));
        stored = send_to(machine, stored.state, "{'type':'e'}");
        kept = execute(
            machine,
            &(arvo_machine_input){
                .previous = &before, .event = json("{'type':'e'}"), .in_memory = true },
            ARVO_OK);
        assert_int_equal(kept.log_count, 1);
        assert_string_equal(text_of(kept.context), text_of(stored.context));
    }
    arvo_machine_unref(machine);
}

/* Snapshots in the usual form are read as text; every other form of the same goes through JSON. */
static void
test_machine_run__forms_of_a_snapshot(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{'status':'active','value':{'a':{'b':'c'},'d':{}},'historyValue':{},'context':{'n':1},"
        "'children':{}}",
        "{'status':'active','value':{'a':{'b':'c'}, 'd':{}},'historyValue':{},'context':{'n':1},"
        "'children':{}}",
        "{'status':'active','value':{'\\u0061':{'b':'c'},'d':{}},'historyValue':{},'context':"
        "{'n':1},'children':{}}",
        "{'status':'active','value':{'a':{'b':'c'},'d':{},'d':{}},'historyValue':{},'context':"
        "{'n':1},'children':{}}",
        "{'value':{'a':{'b':'c'},'d':{}},'status':'active','context':{'n':1},'children':{}}",
        "{'status':'active','value':{'a':{},'d':{}},'historyValue':{},'context':{'n':1},"
        "'children':{}}",
        "{'status':'active','value':{'a':{}},'historyValue':{},'context':{'n':1},'children':{}}",
        "{'status':'active','value':{},'historyValue':{},'context':{'n':1},'children':{}}",
    };
    static const char *const wrong[] = {
        "{'status':'active','value':{'a':{'b':'q'},'d':{}},'historyValue':{},'context':{},"
        "'children':{}}",
        "{'status':'active','value':{'a':{'b':'c','e':{}},'d':{}},'historyValue':{},'context':{},"
        "'children':{}}",
        "{'status':'active','value':{'a':{'b':'c'},'h':{}},'historyValue':{},'context':{},"
        "'children':{}}",
        "{'status':'active','value':{'a':{'b':'c'},'d':'e'},'historyValue':{},'context':{},"
        "'children':{}}",
        "{'status':'active','value':{'a':{'b':'c'},'d':{}},'historyValue':{},'context':[],"
        "'children':{}}",
        "{'status':'active','value':{'a':{'b':'c'},'d':{}},'historyValue':{},'context':{,"
        "'children':{}}",
        "{'status':'active','value':{'a':{'b':'c'},'d':{},'historyValue':{},'context':{},"
        "'children':{}}",
        "{'status':'active','value':'','historyValue':{},'context':{},'children':{}}",
        "{'status':'active','value':,'historyValue':{},'context':{},'children':{}}",
        "{'status':'active','value':{'a,'historyValue':{},'context':{},'children':{}}",
    };
    arvo_machine *machine =
        machine_of("'type':'parallel','states':{'a':{'initial':'b','states':{'b':{'initial':'c',"
                   "'states':{'c':{},'e':{}}}}},'d':{},'h':{'type':'history'}}");
    arvo_machine_output out;
    for (size_t i = 0; i < ARVO_COUNT_OF(forms); i++) {
        out = send_to(machine, quoted(forms[i]), "{'type':'none'}");
        assert_value(&out, "{'a':{'b':'c'},'d':{}}");
        assert_string_equal(text_of(out.context), quoted("{'n':1}").ptr);
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(wrong); i++)
        (void)execute(
            machine,
            &(arvo_machine_input){ .state = quoted(wrong[i]), .event = json("{'type':'none'}") },
            ARVO_E_INCOMPATIBLE_STATE);
    arvo_machine_unref(machine);
}

static void
test_machine_run__input_and_context(void **state)
{
    (void)state;
    arvo_machine *machine =
        machine_of("'context':{'id':'${ .input.data.id }','missing':'${ .input.data.x }','n':1},"
                   "'entry':{'type':'log','params':{'message':'${ .event.type }'}},"
                   "'on':{'e':{'actions':{'type':'assign','params':{'n':'${ .event.data.v }',"
                   "'seen':'${ .context.n }'}}}}");
    arvo_machine_output out =
        execute(machine, &(arvo_machine_input){ .input = json("{'data':{'id':'o1'}}") }, ARVO_OK);
    assert_string_equal(text_of(out.context), quoted("{'id':'o1','missing':null,'n':1}").ptr);
    assert_int_equal(out.log_count, 1);
    assert_str(out.logs[0], "xstate.init");
    out = send_to(machine, out.state, "{'type':'e','data':{'v':[1,2]}}");
    assert_string_equal(
        text_of(out.context), quoted("{'id':'o1','missing':null,'n':[1,2],'seen':1}").ptr);
    arvo_machine_unref(machine);
}

static void
test_machine_run__emissions_keep_their_order(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(
        "'context':{'to':'com.x.y'},'entry':["
        "{'type':'emit','params':{'type':'evt.a.a','data':{'k':[1]},'domains':['external'],"
        "'to':'${ .context.to }','redirectto':'com.r.r','accesscontrol':'ac','executionunits':2,"
        "'dataschema':'#/s/1.0.0','id':'i1','extensions':{'ext':1}}},"
        "{'type':'enqueueArvoEvent','params':{'type':'evt.b.b','domains':null}},"
        "{'type':'emit','params':'${ {type: \\\"evt.c.c\\\", data: {n: 1}} }'}]");
    const arvo_machine_output out = start(machine);
    assert_int_equal(out.emission_count, 3);
    const arvo_emission *a = &out.emissions[0];
    assert_str(a->type, "evt.a.a");
    assert_string_equal(text_of(a->data), quoted("{'k':[1]}").ptr);
    assert_string_equal(text_of(a->domains), quoted("['external']").ptr);
    assert_str(a->to, "com.x.y");
    assert_str(a->redirectto, "com.r.r");
    assert_str(a->accesscontrol, "ac");
    assert_str(a->dataschema, "#/s/1.0.0");
    assert_str(a->id, "i1");
    assert_string_equal(text_of(a->executionunits), "2");
    assert_string_equal(text_of(a->extensions), quoted("{'ext':1}").ptr);
    assert_str(out.emissions[1].type, "evt.b.b");
    assert_null(out.emissions[1].data);
    assert_null(out.emissions[1].domains);
    assert_null(out.emissions[1].to.ptr);
    assert_str(out.emissions[2].type, "evt.c.c");
    arvo_machine_unref(machine);
}

static void
test_machine_run__done(void **state)
{
    (void)state;
    arvo_machine *machine =
        machine_of("'initial':'a','output':{'o':'${ .event.output }'},"
                   "'states':{'a':{'on':{'end':'f'}},'f':{'type':'final','output':{'k':1}}}");
    arvo_machine_output out = start(machine);
    assert_null(out.output);
    out = send_to(machine, out.state, "{'type':'end'}");
    assert_true(out.became_done);
    assert_int_equal(out.status, ARVO_MACHINE_DONE);
    assert_string_equal(text_of(out.output), quoted("{'o':{'k':1}}").ptr);
    const arvo_machine_output later = send_to(machine, out.state, "{'type':'end'}");
    assert_false(later.became_done);
    assert_true(arvo_str_equal(out.state, later.state));
    arvo_machine_unref(machine);

    machine = machine_of("'initial':'f','states':{'f':{'type':'final'}}");
    out = start(machine);
    assert_true(out.became_done);
    assert_null(out.output);
    arvo_machine_unref(machine);
}

static void
test_machine_run__named_entries_see_params(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(
        "'context':{'n':5},"
        "'guards':{'above':'${ .context.n > .params.limit }',"
        "'between':{'type':'and','guards':[{'type':'above','params':{'limit':'${ .params.low }'}},"
        "{'type':'not','guard':{'type':'above','params':{'limit':'${ .params.high }'}}}]}},"
        "'actions':{'note':[{'type':'log','params':{'message':'${ .params.text }'}},'twice'],"
        "'twice':{'type':'log','params':{'message':{'p':'${ .params }'}}}},"
        "'on':{'e':{'guard':{'type':'between','params':{'low':4,'high':6}},"
        "'actions':{'type':'note','params':{'text':'hit'}}},"
        "'f':{'guard':{'type':'between','params':{'low':5,'high':6}},'actions':'note'}}");
    arvo_machine_output out = start(machine);
    out = send_to(machine, out.state, "{'type':'f'}");
    assert_int_equal(out.log_count, 0);
    out = send_to(machine, out.state, "{'type':'e'}");
    assert_int_equal(out.log_count, 2);
    assert_str(out.logs[0], "hit");
    assert_str(out.logs[1], quoted("{'p':null}").ptr);
    arvo_machine_unref(machine);
}

static void
test_machine_run__wildcards(void **state)
{
    (void)state;
    arvo_machine *machine =
        machine_of("'on':{'*':{'actions':{'type':'log','params':{'message':'any'}}},"
                   "'a.*':{'actions':{'type':'log','params':{'message':'a'}}},"
                   "'a.b.*':{'actions':{'type':'log','params':{'message':'ab'}}},"
                   "'a.b.x':[{'guard':'${ false }'}],"
                   "'quiet':null}");
    static const struct {
        const char *event;
        const char *log;
    } cases[] = {
        { "{'type':'a'}", "a" },      { "{'type':'a.b'}", "ab" },  { "{'type':'a.b.c'}", "ab" },
        { "{'type':'ab'}", "any" },   { "{'type':'a.c.c'}", "a" }, { "{'type':'a.b.x'}", "ab" },
        { "{'type':'quiet'}", NULL },
    };
    const arvo_machine_output first = start(machine);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_machine_output out = send_to(machine, first.state, cases[i].event);
        assert_int_equal(out.log_count, cases[i].log != NULL);
        if (cases[i].log != NULL)
            assert_str(out.logs[0], cases[i].log);
    }
    arvo_machine_unref(machine);
}

/* ---- Functions in C ---- */

static bool
is_rich(const arvo_scope *scope)
{
    if (arvo_json_get(scope->params, "fail") != NULL)
        arvo_scope_fail(scope, ARVO_STR("Poor"), ARVO_STR("no money"));
    return arvo_json_int_or(arvo_json_get(scope->context, "n"), 0) >= *(const int *)scope->user;
}

static void
work(const arvo_scope *scope)
{
    arvo_json *event = arvo_json_object_new(scope->arena);
    arvo_json_set(
        scope->arena, event, ARVO_STR("type"), arvo_json_string(scope->arena, ARVO_STR("again")));
    arvo_json *emission = arvo_json_object_new(scope->arena);
    arvo_json_set(
        scope->arena, emission, ARVO_STR("type"),
        arvo_json_string(scope->arena, ARVO_STR("evt.c.made")));
    arvo_scope_assign(scope, ARVO_STR("n"), arvo_json_int(scope->arena, 7));
    arvo_scope_log(scope, ARVO_STR("worked"));
    arvo_scope_raise(scope, event);
    arvo_scope_emit(scope, emission);
}

static void
break_down(const arvo_scope *scope)
{
    arvo_scope_log(scope, ARVO_STR("not seen"));
    arvo_scope_fail(scope, ARVO_STR_NONE, ARVO_STR("first"));
    arvo_scope_fail(scope, ARVO_STR("Later"), ARVO_STR("second"));
}

static void
emit_nonsense(const arvo_scope *scope)
{
    arvo_scope_emit(scope, arvo_json_null());
}

static void
raise_nonsense(const arvo_scope *scope)
{
    arvo_scope_raise(scope, NULL);
}

static int limit = 7;

static const arvo_machine_setup functions = {
    .guards = (const arvo_guard_def[]){ { "isRich", is_rich, &limit }, { 0 } },
    .actions = (const arvo_action_def[]){ { "work", work, NULL },
                                          { "breakDown", break_down, NULL },
                                          { "emitNonsense", emit_nonsense, NULL },
                                          { "raiseNonsense", raise_nonsense, NULL },
                                          { 0 } },
};

static void
test_machine_run__functions(void **state)
{
    (void)state;
    arvo_machine *machine = machine_with(
        &functions,
        "{'kind':'machine','id':'m','context':{'n':1},'initial':'a','states':{'a':{'on':{"
        "'go':[{'guard':'isRich','target':'b'},{'actions':'work'}],"
        "'again':{'guard':'isRich','actions':{'type':'log','params':{'message':'${ .context.n }'}}}"
        "}},'b':{}}}");
    arvo_machine_output out = start(machine);
    out = send_to(machine, out.state, "{'type':'go'}");
    assert_value(&out, "'a'");
    assert_string_equal(text_of(out.context), quoted("{'n':7}").ptr);
    assert_int_equal(out.log_count, 2);
    assert_str(out.logs[0], "worked");
    assert_str(out.logs[1], "7");
    assert_int_equal(out.emission_count, 1);
    assert_str(out.emissions[0].type, "evt.c.made");
    out = send_to(machine, out.state, "{'type':'go'}");
    assert_value(&out, "'b'");
    arvo_machine_unref(machine);
}

/* ---- Errors ---- */

static void
test_machine_run__a_failed_step_changes_nothing(void **state)
{
    (void)state;
    arvo_machine *machine = machine_with(
        &functions,
        "{'kind':'machine','id':'m','context':{'n':1},'initial':'a','states':{'a':{'on':{"
        "'go':{'target':'b','actions':[{'type':'log','params':{'message':'before'}},"
        "{'type':'emit','params':{'type':'evt.x.x'}},{'type':'assign','params':{'n':2}},"
        "'breakDown']},"
        "'ask':{'guard':{'type':'isRich','params':{'fail':true}}},"
        "'calc':{'actions':{'type':'assign','params':{'n':'${ .context.n + {} }'}}},"
        "'whole':{'actions':{'type':'assign','params':'${ 5 }'}},"
        "'null':{'actions':{'type':'assign','params':'${ null }'}},"
        "'nonsense':{'actions':'emitNonsense'},'silent':{'actions':'raiseNonsense'},"
        "'key':{'actions':{'type':'emit','params':'${ {type: \\\"a\\\", what: 1} }'}},"
        "'none':{'actions':{'type':'emit','params':'${ {} }'}},"
        "'to':{'actions':{'type':'emit','params':{'type':'a.b.c','to':'${ 5 }'}}},"
        "'domains':{'actions':{'type':'emit','params':{'type':'a.b.c','domains':'${ 5 }'}}}"
        "}},'b':{}}}");
    static const struct {
        const char *type;
        const char *name;
        const char *says;
    } cases[] = {
        { "{'type':'go'}", "Error", "first" },
        { "{'type':'ask'}", "Poor", "guard 'isRich' for event 'ask' in state 'm.a' failed: no" },
        { "{'type':'calc'}", "Error", "" },
        { "{'type':'whole'}", "Error", "assign needs an object" },
        { "{'type':'nonsense'}", "Error", "an emission must be an object" },
        { "{'type':'silent'}", "Error", "a raised event must be an object" },
        { "{'type':'key'}", "Error", "an emission has no key 'what'" },
        { "{'type':'none'}", "Error", "an emission needs a `type`" },
        { "{'type':'to'}", "Error", "an emission's to must be a string" },
        { "{'type':'domains'}", "Error", "an emission's domains must be a list" },
        { "{'type':'*'}", "Error", "cannot be the wildcard" },
        { "{'type':5}", "Error", "an event must be an object with a string `type`" },
    };
    const arvo_machine_output first = start(machine);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_machine_output out = execute(
            machine, &(arvo_machine_input){ .state = first.state, .event = json(cases[i].type) },
            ARVO_E_EXECUTION);
        assert_str(out.error_name, cases[i].name);
        if (strstr(out.error_message.ptr, cases[i].says) == NULL)
            fail_msg("%s: '%.*s'", cases[i].type, ARVO_FMT(out.error_message));
        assert_int_equal(out.status, ARVO_MACHINE_ERROR);
        assert_int_equal(out.emission_count, 0);
        assert_string_equal(text_of(out.context), quoted("{'n':1}").ptr);
        assert_value(&out, "'a'");
        assert_int_equal(out.log_count, i == 0);
        /* The stored failure is reported again. */
        const arvo_machine_output again = execute(
            machine, &(arvo_machine_input){ .state = out.state, .event = json("{'type':'go'}") },
            ARVO_E_EXECUTION);
        assert_true(arvo_str_equal(again.error_message, out.error_message));
    }
    assert_string_equal(
        text_of(send_to(machine, first.state, "{'type':'null'}").context), quoted("{'n':1}").ptr);
    arvo_machine_unref(machine);
}

static void
test_machine_run__a_failed_start(void **state)
{
    (void)state;
    /* A function fails as if it ran when the start is over: the start's snapshot stays. */
    arvo_machine *machine = machine_with(
        &functions, "{'kind':'machine','id':'m','context':{'n':1},'initial':'a','states':{"
                    "'a':{'entry':[{'type':'log','params':{'message':'before'}},'breakDown',"
                    "{'type':'log','params':{'message':'after'}},'work'],'always':'b'},'b':{}}}");
    arvo_machine_output out = execute(machine, &(arvo_machine_input){ 0 }, ARVO_E_EXECUTION);
    assert_value(&out, "'b'");
    assert_str(out.error_message, "first");
    assert_int_equal(out.log_count, 1);
    assert_string_equal(text_of(out.context), quoted("{'n':1}").ptr);
    arvo_machine_unref(machine);

    /* An expression fails at once. */
    machine = machine_of("'initial':'a','states':{'a':{'entry':[{'type':'log','params':{"
                         "'message':'before'}},{'type':'assign','params':'${ 5 }'}],"
                         "'always':'b'},'b':{}}");
    out = execute(machine, &(arvo_machine_input){ 0 }, ARVO_E_EXECUTION);
    assert_value(&out, "'a'");
    assert_int_equal(out.log_count, 0);
    arvo_machine_unref(machine);

    machine = machine_of("'context':'${ 5 }'");
    out = execute(machine, &(arvo_machine_input){ 0 }, ARVO_E_EXECUTION);
    assert_non_null(strstr(out.error_message.ptr, "the context must be an object"));
    arvo_machine_unref(machine);
    machine = machine_of("'context':'${ null }'");
    out = start(machine);
    assert_string_equal(text_of(out.context), "{}");
    arvo_machine_unref(machine);
}

static void
test_machine_run__bounds(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        const char *says;
    } cases[] = {
        { "'context':{},'always':{'actions':{'type':'assign','params':{}}}", "microsteps" },
        { "'initial':'a','states':{'a':{'always':'b'},'b':{'always':'a'}}", "microsteps" },
        { "'entry':{'type':'raise','params':{'type':'E'}},'on':{'E':{'actions':{'type':'raise',"
          "'params':{'type':'E'}}}}",
          "microsteps" },
        { "'actions':{'a':['b','b','b','b','b','b','b','b','b','b'],"
          "'b':['c','c','c','c','c','c','c','c','c','c'],"
          "'c':['d','d','d','d','d','d','d','d','d','d'],"
          "'d':['e','e','e','e','e','e','e','e','e','e'],"
          "'e':{'type':'log','params':{'message':'x'}}},'entry':'a'",
          "" },
        { "'actions':{'a':['b','b','b','b','b','b','b','b','b','b'],"
          "'b':['c','c','c','c','c','c','c','c','c','c'],"
          "'c':['d','d','d','d','d','d','d','d','d','d'],"
          "'d':['e','e','e','e','e','e','e','e','e','e'],"
          "'e':{'type':'emit','params':{'type':'a.b.c'}}},'entry':['a','a']",
          "emits more than" },
        { "'guards':{'a':{'type':'and','guards':['b','b','b','b','b','b','b','b','b','b']},"
          "'b':{'type':'and','guards':['c','c','c','c','c','c','c','c','c','c']},"
          "'c':{'type':'and','guards':['d','d','d','d','d','d','d','d','d','d']},"
          "'d':{'type':'and','guards':['e','e','e','e','e','e','e','e','e','e']},"
          "'e':{'type':'and','guards':['f','f','f','f','f','f','f','f','f','f']},"
          "'f':{'type':'and','guards':['g','g','g','g','g','g','g','g','g','g']},"
          "'g':{'type':'stateIn','params':{'state':'#m'}}},'always':{'guard':'a'}",
          "more than 1000000 actions and guards" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_machine *machine = machine_of(cases[i].rest);
        const bool fails = cases[i].says[0] != '\0';
        const arvo_machine_output out =
            execute(machine, &(arvo_machine_input){ 0 }, fails ? ARVO_E_EXECUTION : ARVO_OK);
        if (fails && strstr(out.error_message.ptr, cases[i].says) == NULL)
            fail_msg("%s: %.*s", cases[i].rest, ARVO_FMT(out.error_message));
        arvo_machine_unref(machine);
    }
}

/* A context that could not be read back is not stored: the step fails instead. */
static void
test_machine_run__nesting_is_bounded(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(
        "'context':{'n':0,'limit':0,'m':null},'on':{'GROW':{'actions':{'type':'assign','params':{"
        "'n':0,'limit':'${ .event.limit }'}}},'LOG':{'actions':{'type':'log','params':{"
        "'message':['${ .context.m }']}}}},'always':{'guard':'${ .context.n < .context.limit }',"
        "'actions':{'type':'assign','params':{'n':'${ .context.n + 1 }',"
        "'m':['${ .context.m }']}}}");
    const arvo_machine_output started = start(machine);
    const arvo_machine_output deep = send_to(machine, started.state, "{'type':'GROW','limit':248}");
    (void)send_to(machine, deep.state, "{'type':'LOG'}");
    /* One level more is too much, also for what begins with the same bytes. */
    const arvo_machine_input more = {
        .state = deep.state,
        .event = json("{'type':'GROW','limit':2}"),
    };
    const arvo_machine_output failed = execute(machine, &more, ARVO_E_EXECUTION);
    assert_non_null(strstr(failed.error_message.ptr, "nested deeper than 250"));
    assert_int_equal(failed.status, ARVO_MACHINE_ERROR);
    assert_string_equal(text_of(failed.context), text_of(deep.context));
    /* Nor does a start fail to answer. */
    arvo_machine *echo = machine_of("'context':{'deep':'${ .input }'}");
    const arvo_machine_input input = { .input = arvo_json_get(deep.context, "m") };
    (void)execute(echo, &input, ARVO_OK);
    arvo_machine *nest = machine_of("'context':{'deep':[[['${ .input }']]]}");
    const arvo_machine_output never = execute(nest, &input, ARVO_E_EXECUTION);
    assert_string_equal(text_of(never.context), "{}");
    assert_int_equal(never.status, ARVO_MACHINE_ERROR);
    arvo_machine_unref(nest);
    arvo_machine_unref(echo);
    arvo_machine_unref(machine);
}

static void
test_machine_run__a_log_line_is_bounded(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(
        "'context':{'n':0,'m':null},'always':{'guard':'${ .context.n < 300 }','actions':{'type':"
        "'assign','params':{'n':'${ .context.n + 1 }','m':['${ .context.m }']}}},"
        "'initial':'a','states':{'a':{'always':{'guard':'${ .context.n == 300 }','actions':{"
        "'type':'log','params':{'message':'${ .context.m }'}}}}}");
    const arvo_machine_output out = execute(machine, &(arvo_machine_input){ 0 }, ARVO_E_EXECUTION);
    assert_non_null(strstr(out.error_message.ptr, "a logged value"));
    arvo_machine_unref(machine);
}

/* ---- Stored snapshots ---- */

#define PARALLEL                                                                                   \
    "'initial':'a','states':{'a':{'initial':'x','states':{'x':{},'y':{},'h':{'type':'history'}}}," \
    "'p':{'type':'parallel','states':{'r':{'initial':'u','states':{'u':{},'v':{}}},'s':{}}}}"
#define STORED(value)                                                                              \
    "{'status':'active','value':" value ",'historyValue':{},'context':{},'children':{}}"

static void
test_machine_run__states_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *stored;
        const char *says;
    } cases[] = {
        { STORED("'q'"), "state 'q' does not exist in 'm'" },
        { STORED("{'a':'h'}"), "state 'h' does not exist in 'm.a'" },
        { STORED("{'p':{'r':'w'}}"), "state 'w' does not exist in 'm.p.r'" },
        { STORED("{'a':'x','p':{}}"), "'m' has a value of the wrong shape" },
        { STORED("5"), "wrong shape" },
        { STORED("{'a':['x']}"), "'m.a' has a value of the wrong shape" },
        { STORED("{'p':{'s':'t'}}"), "state 't' does not exist in 'm.p.s'" },
        { "{'status':'active'}", "context" },
        { "{'status':'active','value':'a','context':{}}", "children" },
        { "{'status':'active','value':'a','context':{},'children':{'c':{}}}", "actors" },
        { "{'status':'active','value':'a','context':{},'historyValue':5,'children':{}}",
          "historyValue" },
        { "{'status':'asleep','value':'a','context':{},'children':{}}", "status" },
        { "[]", "not an object" },
        { "{", "fit" },
    };
    arvo_machine *machine = machine_of(PARALLEL);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_machine_output out = { 0 };
        arvo_error err = { 0 };
        const arvo_machine_input input = { .state = quoted(cases[i].stored) };
        assert_int_equal(
            arvo_machine_execute(machine, &input, arena, &out, &err), ARVO_E_INCOMPATIBLE_STATE);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].stored, err.text);
        assert_null(out.state.ptr);
    }
    arvo_machine_unref(machine);
}

static void
test_machine_run__partial_values_are_completed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { STORED("'a'"), "{'a':'x'}" },
        { STORED("{'a':{}}"), "{'a':'x'}" },
        { STORED("{}"), "{'a':'x'}" },
        { STORED("{'a':'y'}"), "{'a':'y'}" },
        { STORED("'p'"), "{'p':{'r':'u','s':{}}}" },
        { STORED("{'p':'s'}"), "{'p':{'s':{},'r':'u'}}" },
        { STORED("{'p':{'s':{},'r':'v'}}"), "{'p':{'s':{},'r':'v'}}" },
    };
    arvo_machine *machine = machine_of(PARALLEL);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_machine_output out =
            execute(machine, &(arvo_machine_input){ .state = quoted(cases[i][0]) }, ARVO_OK);
        assert_value(&out, cases[i][1]);
    }
    arvo_machine_unref(machine);
}

static void
test_machine_run__history_is_stored(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(
        "'initial':'a','states':{'a':{'initial':'x','on':{'out':'b'},'states':{'x':{'on':{'n':'y'}}"
        ",'y':{},'h':{'type':'history'}}},'b':{'on':{'back':'a.h'}}}");
    arvo_machine_output out = start(machine);
    out = send_to(machine, out.state, "{'type':'n'}");
    out = send_to(machine, out.state, "{'type':'out'}");
    assert_str(
        out.state, quoted("{'status':'active','value':'b','historyValue':{'m.a.h':[{'id':'m.a.y'}]}"
                          ",'context':{},'children':{}}")
                       .ptr);
    out = send_to(machine, out.state, "{'type':'back'}");
    assert_value(&out, "{'a':'y'}");
    /* What the chart no longer has is forgotten. */
    out = send_to(
        machine,
        quoted("{'status':'active','value':'b','historyValue':{'m.a.h':[{'id':'m.a.z'},{}],"
               "'m.q':[{'id':'m.a'}],'m.b':5},'context':{},'children':{}}"),
        "{'type':'back'}");
    assert_value(&out, "{'a':'x'}");
    arvo_machine_unref(machine);
}

/* State names that JavaScript takes for array indices come first in its objects. */
static void
test_machine_run__number_keys(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(
        "'type':'parallel','states':{'z':{'entry':{'type':'log','params':{'message':'z'}}},"
        "'10':{'entry':{'type':'log','params':{'message':'10'}}},"
        "'9':{'entry':{'type':'log','params':{'message':'9'}}},"
        "'01':{'entry':{'type':'log','params':{'message':'01'}}}}");
    arvo_machine_output out = start(machine);
    assert_value(&out, "{'9':{},'10':{},'z':{},'01':{}}");
    assert_int_equal(out.log_count, 4);
    assert_str(out.logs[0], "9");
    assert_str(out.logs[3], "01");
    out = send_to(machine, quoted(STORED("{'01':{},'z':{},'10':{}}")), "{'type':'x'}");
    assert_value(&out, "{'9':{},'10':{},'01':{},'z':{}}");
    arvo_machine_unref(machine);
}

/* ---- More than one word of states ---- */

static void
test_machine_run__many_states(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1000000);
    arvo_buf_append_str(
        &text, ARVO_STR("{\"kind\":\"machine\",\"id\":\"m\",\"initial\":\"s0\","
                        "\"states\":{"));
    for (unsigned i = 0; i < 200; i++)
        arvo_buf_printf(
            &text,
            "%s\"s%u\":{\"on\":{\"next\":\"s%u\"},\"type\":\"parallel\",\"states\":{\"a\":{},"
            "\"b\":{}}}",
            i > 0 ? "," : "", i, (i + 1) % 200);
    arvo_buf_append_str(&text, ARVO_STR("}}"));
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    assert_int_equal(arvo_machine_create_text(NULL, arvo_buf_str(&text), &machine, &err), ARVO_OK);
    arvo_machine_output out = start(machine);
    for (unsigned i = 1; i <= 200; i++) {
        out = send_to(machine, out.state, "{'type':'next'}");
        const arvo_str expected =
            arvo_arena_printf(arena, "{\"s%u\":{\"a\":{},\"b\":{}}}", i % 200);
        assert_true(arvo_str_equal(out.value, expected));
    }
    arvo_machine_unref(machine);
    arvo_buf_fini(&text);
}

/* ---- Engines, live runs, memory ---- */

static void
test_machine_run__engine(void **state)
{
    (void)state;
    arvo_machine *machine = machine_of(TOGGLE);
    const arvo_engine *engine = arvo_engine_statechart();
    assert_int_equal(engine->version, ARVO_ENGINE_OPS_VERSION);
    arvo_machine_output out = { 0 };
    assert_int_equal(
        engine->execute(engine->self, machine, &(arvo_machine_input){ 0 }, arena, &out, NULL),
        ARVO_OK);
    assert_value(&out, "'off'");
    assert_string_equal(arvo_machine_status_name(ARVO_MACHINE_STOPPED), "stopped");
    arvo_machine_unref(machine);
}

/* Order of activation outlives a step only within a run. */
static void
test_machine_run__previous(void **state)
{
    (void)state;
#define LOGS_ON_E(name)                                                                            \
    "{'always':{'guard':'${ .event.type == \\\"E\\\" }','actions':{'type':'log','params':{"        \
    "'message':'" name "'}}}}"
    arvo_machine *machine = machine_of(
        "'type':'parallel','states':{'r1':{'initial':'x','states':{'x':{'on':{'A':'y'}},"
        "'y':" LOGS_ON_E("r1") "}},'r2':{'initial':'c','states':{'c':" LOGS_ON_E("r2") "}}}");
    const arvo_machine_output first = start(machine);
    const arvo_machine_output second = execute(
        machine, &(arvo_machine_input){ .previous = &first, .event = json("{'type':'A'}") },
        ARVO_OK);
    const arvo_machine_output live = execute(
        machine, &(arvo_machine_input){ .previous = &second, .event = json("{'type':'E'}") },
        ARVO_OK);
    assert_str(live.logs[0], "r2");
    const arvo_machine_output stored = send_to(machine, second.state, "{'type':'E'}");
    assert_str(stored.logs[0], "r1");
    arvo_machine_unref(machine);
}

typedef struct limited {
    size_t left;
    size_t live;
} limited;

static void *
limited_alloc(void *self, size_t size)
{
    limited *const memory = self;
    if (memory->left == 0)
        return NULL;
    memory->left--;
    memory->live++;
    return malloc(size);
}

static void
limited_free(void *self, void *ptr, size_t size)
{
    (void)size;
    if (ptr != NULL)
        ((limited *)self)->live--;
    free(ptr);
}

static arvo_status
run_limited(const arvo_allocator *allocator, arvo_str text)
{
    const arvo_machine_setup setup = { .allocator = allocator };
    arvo_machine *machine = NULL;
    arvo_machine_output out = { 0 };
    arvo_status st = arvo_machine_create_text(&setup, text, &machine, NULL);
    arvo_arena *small =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator, .chunk_bytes = 64 });
    if (st == ARVO_OK)
        st = small != NULL ? ARVO_OK : ARVO_E_NOMEM;
    if (st == ARVO_OK)
        st = arvo_machine_execute(machine, &(arvo_machine_input){ 0 }, small, &out, NULL);
    if (st == ARVO_OK)
        st = arvo_machine_execute(
            machine, &(arvo_machine_input){ .state = out.state, .event = json("{'type':'go'}") },
            small, &out, NULL);
    arvo_arena_free(small);
    arvo_machine_unref(machine);
    return st;
}

static void
test_machine_run__out_of_memory(void **state)
{
    (void)state;
    const arvo_str text = quoted(
        "{'kind':'machine','id':'m','context':{'n':1},'guards':{'g':'${ .context.n < 3 }'},"
        "'actions':{'a':[{'type':'assign','params':{'n':'${ .context.n + 1 }'}},{'type':'log',"
        "'params':{'message':{'n':'${ .context.n }'}}}]},'initial':'x','states':{'x':{'on':{'go':{"
        "'target':'p.h','guard':'g','actions':['a',{'type':'emit','params':{'type':'a.b.c',"
        "'data':{'k':'${ .event.type }'}}}]}}},'p':{'type':'parallel','states':{'r':{'initial':"
        "'f','states':{'f':{'type':'final','output':1}}},'s':{},'h':{'type':'history'}}}}}");
    limited memory = { 0, 0 };
    const arvo_allocator allocator = { limited_alloc, limited_free, &memory };
    arvo_status st = ARVO_E_NOMEM;
    size_t n = 0;
    for (; st != ARVO_OK && n < 10000; n++) {
        memory.left = n;
        st = run_limited(&allocator, text);
        if (st != ARVO_OK && st != ARVO_E_NOMEM)
            fail_msg("allocation %zu: %s", n, arvo_status_name(st));
        assert_int_equal(memory.live, 0);
    }
    assert_int_equal(st, ARVO_OK);
    assert_true(n > 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_run__toggle),
        cmocka_unit_test(test_machine_run__in_memory),
        cmocka_unit_test(test_machine_run__forms_of_a_snapshot),
        cmocka_unit_test(test_machine_run__input_and_context),
        cmocka_unit_test(test_machine_run__emissions_keep_their_order),
        cmocka_unit_test(test_machine_run__done),
        cmocka_unit_test(test_machine_run__named_entries_see_params),
        cmocka_unit_test(test_machine_run__wildcards),
        cmocka_unit_test(test_machine_run__functions),
        cmocka_unit_test(test_machine_run__a_failed_step_changes_nothing),
        cmocka_unit_test(test_machine_run__a_failed_start),
        cmocka_unit_test(test_machine_run__bounds),
        cmocka_unit_test(test_machine_run__nesting_is_bounded),
        cmocka_unit_test(test_machine_run__a_log_line_is_bounded),
        cmocka_unit_test(test_machine_run__states_that_do_not_fit),
        cmocka_unit_test(test_machine_run__partial_values_are_completed),
        cmocka_unit_test(test_machine_run__history_is_stored),
        cmocka_unit_test(test_machine_run__number_keys),
        cmocka_unit_test(test_machine_run__many_states),
        cmocka_unit_test(test_machine_run__engine),
        cmocka_unit_test(test_machine_run__previous),
        cmocka_unit_test(test_machine_run__out_of_memory),
    };
    return cmocka_run_group_tests_name(
        "machine_run", tests, machine_group_setup, machine_group_teardown);
}
