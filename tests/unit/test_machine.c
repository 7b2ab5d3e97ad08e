/* Machine documents: what is accepted, what is refused and how that is said, what a machine says of
 * itself. */

#include "machine_helpers.h"

static arvo_contracts *contracts;

static const char *const contract_texts[] = {
    "{'kind':'orchestrator-contract','uri':'#/orchestrators/order','name':'order','versions':{"
    "'1.0.0':{'init':{'type':'object'},'complete':{'type':'object'}},"
    "'1.1.0':{'init':{'type':'object'},'complete':{'type':'object'}}}}",
    "{'kind':'contract','uri':'#/services/payment','type':'com.payment.charge','versions':{"
    "'1.0.0':{'accepts':{'type':'object'},'emits':{'evt.payment.ok':{'type':'object'}}},"
    "'2.0.0':{'accepts':{'type':'object'},'emits':{'evt.payment.done':{'type':'object'}}}}}",
    ("{'kind':'contract','uri':'#/services/twin','type':'com.twin.charge','versions':{"
     "'1.0.0':{'accepts':{'type':'object'},'emits':{'evt.payment.done':{'type':'object'}}}}}"),
};

static int
contracts_group_setup(void **state)
{
    if (machine_group_setup(state) != 0)
        return -1;
    contracts = arvo_contracts_new(NULL);
    for (size_t i = 0; i < ARVO_COUNT_OF(contract_texts); i++) {
        const arvo_contract *contract = NULL;
        arvo_error err = { 0 };
        if (arvo_contracts_add_text(contracts, quoted(contract_texts[i]), &contract, &err) !=
            ARVO_OK) {
            printf("%s\n", err.text);
            return -1;
        }
    }
    return 0;
}

static int
contracts_group_teardown(void **state)
{
    arvo_contracts_unref(contracts);
    return machine_group_teardown(state);
}

#define SELF "'version':'1.0.0','contracts':{'self':'#/orchestrators/order'}"

/* ---- Refusals ---- */

static const struct refusal {
    const char *rest; /* of a document: {'kind':'machine','id':'m', rest} */
    arvo_status status;
    const char *says;
} refusals[] = {
    { "'inital':'a','states':{'a':{}}", ARVO_E_INVALID, "did you mean 'initial'?" },
    { "'initial':'a','states':{'a':{'enter':'x'}}", ARVO_E_INVALID,
      "/states/a/enter: unknown key" },
    { "'states':{'a':{}}", ARVO_E_INVALID, "needs `initial`" },
    { "'initial':'b','states':{'ab':{},'bc':{}}", ARVO_E_INVALID, "no child of this state" },
    { "'initial':{'actions':[]},'states':{'a':{}}", ARVO_E_INVALID, "no child of this state" },
    { "'initial':'a'", ARVO_E_INVALID, "/initial: this state has no `states` to enter" },
    { "'initial':'a','states':{'a':{'type':'final','initial':'b'}}", ARVO_E_INVALID,
      "/states/a/initial: this state has no `states` to enter" },
    { "'type':'parallel','initial':'a','states':{'a':{},'b':{}}", ARVO_E_INVALID,
      "/initial: a parallel state enters all its regions at once: leave it out" },
    { "'type':'parallel','initial':{'target':'a'},'states':{'a':{},'b':{}}", ARVO_E_INVALID,
      "/initial: a parallel state enters all" },
    { "'type':'parallel','initial':{'target':'q','actions':[]},'states':{'a':{}}", ARVO_E_INVALID,
      "no child of this state" },
    { "'initial':'a','states':{'a':{'onDone':'b'},'b':{}}", ARVO_E_INVALID,
      "/states/a/onDone: never taken, for it waits for a final child" },
    { "'initial':'a','states':{'a':{'type':'final','onDone':'b'},'b':{}}", ARVO_E_INVALID,
      "/states/a/onDone: never taken" },
    { "'initial':'a','onDone':'.a','states':{'a':{'type':'final'}}", ARVO_E_INVALID,
      "/onDone: never taken, for a machine that is done ends: write `output`" },
    { "'initial':'a','states':{'a':{'invoke':{'src':'x'}}}", ARVO_E_UNSUPPORTED,
      "/states/a/invoke: invoke is not supported: emit an event" },
    { "'initial':'a','states':{'a':{'invoke':{}}}", ARVO_E_UNSUPPORTED, "invoke" },
    { "'invoke':{},'initial':'a','states':{'a':{}}", ARVO_E_UNSUPPORTED, "invoke" },
    { "'initial':'a','states':{'a':{'after':{'1000':'a'}}}", ARVO_E_UNSUPPORTED, "timer service" },
    { "'delays':{},'initial':'a','states':{'a':{}}", ARVO_E_UNSUPPORTED, "timer service" },
    { "'entry':{'type':'raise','params':{'type':'A','delay':5}}", ARVO_E_UNSUPPORTED,
      "delayed raise" },
    { "'entry':{'type':'raise','params':{'type':'A'},'delay':5}", ARVO_E_UNSUPPORTED,
      "delayed raise" },
    { "'entry':{'type':'raise','params':{}}", ARVO_E_INVALID, "raise needs `params.type`" },
    { "'entry':'raise'", ARVO_E_INVALID, "raise needs `params`" },
    { "'entry':{'type':'raise','params':'A'}", ARVO_E_INVALID, "raise needs `params`" },
    { "'entry':'sendTo'", ARVO_E_UNSUPPORTED, "actors are not supported" },
    { "'entry':{'type':'spawnChild','params':{}}", ARVO_E_UNSUPPORTED, "child orchestrator" },
    { "'entry':'cancel'", ARVO_E_UNSUPPORTED, "delayed events are not supported" },
    { "'entry':'asign'", ARVO_E_INVALID, "unknown action 'asign'" },
    { "'entry':'asign'", ARVO_E_INVALID, "did you mean 'assign'?" },
    { "'entry':7", ARVO_E_INVALID, "an action is a name or {type, params}" },
    { "'entry':{'type':'assign','params':3}", ARVO_E_INVALID, "assign needs `params`" },
    { "'entry':{'type':'assign','params':'text'}", ARVO_E_INVALID, "assign needs `params`" },
    { "'entry':{'type':'log'}", ARVO_E_INVALID, "log needs `params`" },
    { "'entry':{'type':'log','params':{'message':1,'level':2}}", ARVO_E_INVALID, "unknown key" },
    { "'entry':{'type':'enqueueActions','params':{}}", ARVO_E_INVALID, "a list of {guard?" },
    { "'entry':{'type':'enqueueActions','params':[{'guard':'${ true }'}]}", ARVO_E_INVALID,
      "/entry/params/0: must be {guard?, actions}" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','source':'x'}}", ARVO_E_UNSUPPORTED,
      "an event's source is its orchestrator" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','subject':'x'}}", ARVO_E_UNSUPPORTED,
      "an event's subject is the workflow's" },
    { "'entry':{'type':'emit','params':{'data':{}}}", ARVO_E_INVALID, "needs a `type`" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','domains':[]}}", ARVO_E_INVALID,
      "at least one domain" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','extensions':{'id':'x'}}}", ARVO_E_INVALID,
      "/extensions/id: the extension has the name of a standard attribute" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','extensions':{'Te_nant':'${ .context.x "
      "}'}}}",
      ARVO_E_INVALID, "/extensions/Te_nant: the extension is named with more than a-z, 0-9" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','extensions':{'tenant':['${ .context.x "
      "}']}}}",
      ARVO_E_INVALID, "/extensions/tenant: the extension is no text, number, bool or null" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','domains':['all']}}", ARVO_E_INVALID,
      "reserved" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','executionunits':-1}}", ARVO_E_INVALID,
      "0 or more" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','to':5}}", ARVO_E_INVALID, "string" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','extensions':5}}", ARVO_E_INVALID,
      "object" },
    { "'entry':{'type':'emit','params':{'type':'a.b.c','datas':{}}}", ARVO_E_INVALID,
      "did you mean 'data'?" },
    { "'entry':{'type':'emit','params':5}", ARVO_E_INVALID, "an emission is an object" },
    { SELF ",'entry':{'type':'emit','params':{'type':'Bad.Type.Name'}}", ARVO_E_INVALID,
      "is no event type" },
    { SELF ",'entry':{'type':'emit','params':{'type':'arvo.orc.order.done'}}", ARVO_E_INVALID,
      "this workflow's completion" },
    { SELF ",'entry':{'type':'emit','params':{'type':'arvo.orc.nobody'}}", ARVO_E_INVALID,
      "'arvo.orc.nobody' belongs to orchestrators" },
    { "'initial':'a','states':{'a':{'on':{'E':'bb'}}}", ARVO_E_INVALID,
      "/states/a/on/E: unknown target 'bb'" },
    { "'initial':'alpha','states':{'alpha':{'on':{'E':'alhpa'}}}", ARVO_E_INVALID,
      "did you mean 'alpha'?" },
    { "'initial':'a','states':{'a':{'on':{'E':'#q'}}}", ARVO_E_INVALID, "no state has the id 'q'" },
    { "'initial':'a','on':{'E':'a'},'states':{'a':{}}", ARVO_E_INVALID, "write '.a'" },
    { "'initial':'a','states':{'a':{'on':{'E':{'target':5}}}}", ARVO_E_INVALID, "a target is" },
    { "'initial':'a','states':{'a':{'on':{'E':{'target':['b','c']}}},'b':{},'c':{}}",
      ARVO_E_INVALID,
      "/states/a/on/E/target/1: 'm.b' and 'm.c' cannot be active together: targets of a list lie "
      "in different regions of a parallel state" },
    { "'initial':'a','states':{'a':{'on':{'E':{'target':['b','.','b.x']}}},'b':{'initial':'x',"
      "'states':{'x':{}}}}",
      ARVO_E_INVALID, "/states/a/on/E/target/1: 'm.b' and 'm.a' cannot" },
    { "'initial':'a','states':{'a':{'on':{'E':{'target':['b','b.x']}}},'b':{'initial':'x',"
      "'states':{'x':{}}}}",
      ARVO_E_INVALID, "'m.b' and 'm.b.x' cannot be active together" },
    { "'initial':'a','states':{'a':{'on':{'E':{'target':['p.h','p.x']}}},'p':{'initial':'x',"
      "'states':{'x':{},'h':{'type':'history'}}}}",
      ARVO_E_INVALID, "'m.p.h' and 'm.p.x' cannot be active together" },
    { "'initial':'a','states':{'a':{},'b':{},'h':{'type':'history','target':['a','b']}}",
      ARVO_E_INVALID, "/states/h/target/1: 'm.a' and 'm.b' cannot be active together" },
    { "'on':{'x.*.z':{}}", ARVO_E_INVALID,
      "/on/x.*.z: `*` stands alone or ends a type behind a dot; this matches no event: write "
      "`x.*`, and a guard on .event.type" },
    { "'on':{'*.z':{}}", ARVO_E_INVALID, "write `*`, and a guard" },
    { "'on':{'*.*':{}}", ARVO_E_INVALID, "write `*`, and a guard" },
    { "'on':{'x*':{}}", ARVO_E_INVALID, "write `*`, and a guard" },
    { "'on':{'**':{}}", ARVO_E_INVALID, "write `*`, and a guard" },
    { "'on':{'x.y*.*':{}}", ARVO_E_INVALID, "write `x.*`, and a guard" },
    { "'initial':'a','states':{'a':{'on':{'E':7}}}", ARVO_E_INVALID, "a transition is" },
    { "'initial':'a','states':{'a':{'on':{'':'a'}}}", ARVO_E_INVALID, "write `always`" },
    { "'initial':'a','states':{'a':{'on':[]}}", ARVO_E_INVALID, "must be an object" },
    { "'initial':'a','states':{'a':{'on':{'E':{'cond':'x'}}}}", ARVO_E_UNSUPPORTED, "`guard`" },
    { "'initial':'a','states':{'a':{'on':{'E':{'reenter':1}}}}", ARVO_E_INVALID, "true or false" },
    { "'initial':'a','states':{'a':{'id':'x'},'b':{'id':'x'}}", ARVO_E_INVALID, "is taken" },
    { "'initial':'a','states':{'a':{'id':''}}", ARVO_E_INVALID, "must be a string" },
    { "'initial':'a','states':{'a':5}", ARVO_E_INVALID, "/states/a: a state must be an object" },
    { "'initial':'a','states':{'':{},'a':{}}", ARVO_E_INVALID, "must not be empty" },
    { "'initial':'a','states':[]", ARVO_E_INVALID, "must be an object" },
    { "'type':'paralel','states':{}", ARVO_E_INVALID, "type must be" },
    { "'type':'history'", ARVO_E_INVALID, "the root cannot be a history state" },
    { "'type':'final','states':{'a':{}}", ARVO_E_INVALID, "has no states" },
    { "'type':'compound'", ARVO_E_INVALID, "needs `states`" },
    { "'initial':'a','states':{'a':{},'h':{'history':'dep'}}", ARVO_E_INVALID, "shallow or deep" },
    { "'initial':'a','states':{'a':{},'h':{'type':'history','on':{}}}", ARVO_E_INVALID,
      "never active" },
    { "'initial':'a','states':{'a':{'target':'a'}}", ARVO_E_INVALID, "belongs to a history state" },
    { "'initial':'a','states':{'a':{'history':'deep','states':{'x':{}},'initial':'x'}}",
      ARVO_E_INVALID, "type history" },
    { "'initial':'a','states':{'a':{'output':1}}", ARVO_E_INVALID, "output belongs to" },
    { "'initial':'h','states':{'h':{'type':'history'}}", ARVO_E_INVALID, "history state" },
    { "'initial':'a','states':{'a':{},'h':{'type':'history','target':'k'},'k':{'type':'history',"
      "'target':'a'}}",
      ARVO_E_INVALID, "must not be the history state" },
    { "'initial':'a','states':{'a':{'initial':'h','states':{'b':{},'h':{'type':'history',"
      "'target':'#m.a'}}}}",
      ARVO_E_INVALID, "never ends" },
    { "'initial':'a','states':{'a':{'tags':5}}", ARVO_E_INVALID, "tags" },
    { "'initial':'a','states':{'a':{'description':5}}", ARVO_E_INVALID, "description" },
    { "'initial':'a','states':{'a':{'always':{'guard':'nope'}}}", ARVO_E_INVALID,
      "unknown guard 'nope'" },
    { "'guards':{'rich':'${ true }'},'always':{'guard':'rihc'}", ARVO_E_INVALID,
      "did you mean 'rich'?" },
    { "'always':{'guard':5}", ARVO_E_INVALID, "a guard is a name" },
    { "'always':{'guard':{}}", ARVO_E_INVALID, "needs a `type`" },
    { "'always':{'guard':{'type':'and'}}", ARVO_E_INVALID, "needs `guards`" },
    { "'always':{'guard':{'type':'not'}}", ARVO_E_INVALID, "needs `guard`" },
    { "'always':{'guard':{'type':'stateIn','params':{}}}", ARVO_E_INVALID, "needs `state`" },
    { "'always':{'guard':{'type':'stateIn','params':{'state':'#q'}}}", ARVO_E_INVALID,
      "no state has the id 'q'" },
    { "'guards':{'g':{'type':'stateIn','params':{'state':'q'}}},'initial':'a','states':{'a':{}}",
      ARVO_E_INVALID,
      "/guards/g/params/state: state 'm' has no child 'q': write the path from the root" },
    { "'initial':'ready','states':{'ready':{'always':{'guard':{'type':'stateIn','params':{'state':"
      "'raedy'}}}}}",
      ARVO_E_INVALID, "did you mean 'ready'?" },
    { "'initial':'a','states':{'a':{'always':{'guard':{'type':'stateIn','params':{'state':{'a':"
      "'b'}}}}}}",
      ARVO_E_INVALID, "/states/a/always/guard/params/state: state 'm.a' has no child 'b'" },
    { "'initial':'a','states':{'a':{'always':{'guard':{'type':'stateIn','params':{'state':"
      "'h'}}}},'h':{'type':'history'}}",
      ARVO_E_INVALID, "'h' of 'm' is a history state, which is never active" },
    { "'initial':'a','states':{'a':{'always':{'guard':{'type':'stateIn','params':{'state':"
      "'#m.h'}}}},'h':{'type':'history'}}",
      ARVO_E_INVALID, "'#m.h' is a history state, which is never active" },
    { "'guards':{'a':'b','b':{'type':'not','guard':'a'}}", ARVO_E_INVALID, "refers to itself" },
    { "'actions':{'a':['b'],'b':'a'}", ARVO_E_INVALID, "refers to itself" },
    { "'guards':{'and':'${ true }'}", ARVO_E_INVALID, "built in" },
    { "'actions':{'assign':[]}", ARVO_E_INVALID, "built in" },
    { "'guards':[]", ARVO_E_INVALID, "must be an object" },
    { "'context':5", ARVO_E_INVALID, "/context: must be an object" },
    { "'context':{'a':'${ .context. + }'}", ARVO_E_INVALID, "/context/a" },
    { "'executionunits':-1", ARVO_E_INVALID, "0 or more" },
    { "'version':'1.0'", ARVO_E_INVALID, "three numbers" },
    { "'version':'0.0.0'", ARVO_E_INVALID, "not 0.0.0" },
    { "'contracts':{}", ARVO_E_INVALID, "needs `self`" },
    { "'contracts':{'self':'#/orchestrators/order'}", ARVO_E_INVALID, "give the machine a" },
    { "'version':'1.0.0','contracts':{'self':'#/nowhere'}", ARVO_E_NOT_FOUND, "#/nowhere" },
    { "'version':'1.5.0','contracts':{'self':'#/orchestrators/order'}", ARVO_E_NOT_FOUND,
      "its latest is '1.1.0'" },
    { "'version':'1.0.0','contracts':{'self':{'uri':'#/orchestrators/order','version':'1.1.0'}}",
      ARVO_E_INVALID, "make them one" },
    { "'version':'1.0.0','contracts':{'self':'#/services/payment'}", ARVO_E_INVALID,
      "orchestrator-contract" },
    { "'version':'1.0.0','contracts':{'self':'#/orchestrators/order','services':{'me':"
      "'#/orchestrators/order'}}",
      ARVO_E_INVALID, "its own service" },
    { "'version':'1.0.0','contracts':{'self':'#/orchestrators/order','services':{'a':"
      "'#/services/payment','b':{'uri':'#/services/payment','version':'1.0.0'}}}",
      ARVO_E_INVALID, "listed twice" },
    { "'version':'1.0.0','contracts':{'self':'#/orchestrators/order','services':{'a':"
      "'#/services/payment','b':'#/services/twin'}}",
      ARVO_E_INVALID, "both emit 'evt.payment.done'" },
    { "'version':'1.0.0','contracts':{'self':'#/orchestrators/order','services':{'a':{'uri':"
      "'#/services/payment','version':'9.0.0'}}}",
      ARVO_E_NOT_FOUND, "no version '9.0.0'" },
};

static void
test_machine__refusals(void **state)
{
    (void)state;
    const arvo_machine_setup setup = { .contracts = contracts };
    for (size_t i = 0; i < ARVO_COUNT_OF(refusals); i++) {
        const struct refusal *one = &refusals[i];
        const char *text =
            arvo_arena_printf(arena, "{'kind':'machine','id':'m',%s}", one->rest).ptr;
        arvo_machine *machine = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_machine_create_text(&setup, quoted(text), &machine, &err);
        if (st != one->status)
            fail_msg("%s: %s (%s)", one->rest, arvo_status_name(st), err.text);
        if (strstr(err.text, one->says) == NULL)
            fail_msg("%s: '%s' does not say '%s'", one->rest, err.text, one->says);
        assert_null(machine);
    }
}

/* What XState takes and gives a meaning, however odd it looks. */
static const char *const acceptances[] = {
    "'type':'parallel','initial':{'target':'a','actions':[]},'states':{'a':{},'b':{}}",
    "'initial':'a','states':{'a':{'on':{'E':{'target':['b','b']}}},'b':{}}",
    "'type':'parallel','on':{'E':{'target':['.p.y','.q.h']}},'states':{'p':{'initial':'x','states':"
    "{'x':{},'y':{}}},'q':{'initial':'x','states':{'x':{},'h':{'type':'history'}}}}",
    "'on':{'.*':{},'x.*':{},'*':{}}",
    "'initial':'p','states':{'p':{'type':'parallel','states':{'f':{'type':'final','on':{'E':{}},"
    "'always':{'guard':'${ false }'}}},'onDone':{}}}",
    "'always':{'guard':{'type':'stateIn','params':{'state':{}}}}",
    "'initial':'p','states':{'p':{'type':'parallel','states':{'a':{},'b':{}},'always':{'guard':"
    "{'type':'stateIn','params':{'state':{'p':{'a':{},'b':{}}}}}}}}",
    "'initial':'a.b','states':{'a.b':{'always':{'guard':{'type':'stateIn','params':{'state':"
    "'a\\\\.b'}}}}}",
};

static void
test_machine__accepts_what_xstate_gives_a_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(acceptances); i++)
        arvo_machine_unref(machine_of(acceptances[i]));
}

static void
test_machine__errors_name_the_line(void **state)
{
    (void)state;
    static const char text[] = "kind: machine\nid: m\ninitial: a\nstates:\n  a:\n    on:\n"
                               "      E: nowhere\n";
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    arvo_machine *machine = NULL;
    if (arvo_document_parse(ARVO_STR("app.yaml"), arvo_str_from(text), arena, &list, &err) !=
        ARVO_OK)
        fail_msg("%s", err.text);
    assert_int_equal(arvo_machine_create(NULL, &list.items[0], &machine, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "app.yaml:7: /states/a/on/E: unknown target 'nowhere'"));
}

static void
test_machine__bounds(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1000000);
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    arvo_buf_append_str(
        &text, ARVO_STR("{\"kind\":\"machine\",\"type\":\"parallel\",\"states\":{"));
    for (unsigned i = 0; i < ARVO_MACHINE_STATES_MAX; i++)
        arvo_buf_printf(&text, "%s\"s%u\":{}", i > 0 ? "," : "", i);
    arvo_buf_append_str(&text, ARVO_STR("}}"));
    assert_int_equal(
        arvo_machine_create_text(NULL, arvo_buf_str(&text), &machine, &err), ARVO_E_TOO_BIG);

    arvo_buf_reset(&text);
    arvo_buf_append_str(&text, ARVO_STR("{\"kind\":\"machine\""));
    for (unsigned i = 0; i <= ARVO_MACHINE_DEPTH_MAX; i++)
        arvo_buf_append_str(
            &text, ARVO_STR(",\"initial\":\"a\",\"states\":{\"a\":{\"tags\":\"t\""));
    for (unsigned i = 0; i <= ARVO_MACHINE_DEPTH_MAX; i++)
        arvo_buf_append_str(&text, ARVO_STR("}}"));
    arvo_buf_append_str(&text, ARVO_STR("}"));
    assert_int_equal(
        arvo_machine_create_text(NULL, arvo_buf_str(&text), &machine, &err), ARVO_E_TOO_BIG);

    arvo_buf_reset(&text);
    arvo_buf_append_str(
        &text, ARVO_STR("{\"kind\":\"machine\",\"id\":\"m\",\"always\":{\"guard\":"));
    for (unsigned i = 0; i < 100; i++)
        arvo_buf_append_str(&text, ARVO_STR("{\"type\":\"not\",\"guard\":"));
    arvo_buf_append_str(&text, ARVO_STR("\"${ true }\""));
    for (unsigned i = 0; i < 100; i++)
        arvo_buf_append_str(&text, ARVO_STR("}"));
    arvo_buf_append_str(&text, ARVO_STR("}}"));
    assert_int_equal(
        arvo_machine_create_text(NULL, arvo_buf_str(&text), &machine, &err), ARVO_E_TOO_BIG);
    arvo_buf_fini(&text);
    assert_int_equal(
        arvo_machine_create_text(NULL, ARVO_STR("{\"kind\":"), &machine, &err), ARVO_E_MALFORMED);
    assert_int_equal(
        arvo_machine_create_text(NULL, ARVO_STR("[]"), &machine, &err), ARVO_E_INVALID);
    assert_int_equal(
        arvo_machine_create_text(NULL, ARVO_STR("{\"kind\":\"mock\"}"), &machine, &err),
        ARVO_E_INVALID);
    assert_int_equal(
        arvo_machine_create_text(NULL, ARVO_STR("{\"kind\":\"machine\"}"), &machine, &err),
        ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "without `id` and without `states`"));
    assert_null(machine);
}

/* ---- What a machine says of itself ---- */

static void
test_machine__accessors(void **state)
{
    (void)state;
    const arvo_machine_setup setup = { .contracts = contracts };
    arvo_machine *machine = machine_with(
        &setup, "{'kind':'machine','id':'order','version':'1.1.0','executionunits':2.5,"
                "'contracts':{'self':'#/orchestrators/order','services':{"
                "'payment':{'uri':'#/services/payment','version':'1.0.0'},"
                "'twin':'#/services/twin'}},'initial':'a','states':{'a':{}}}");
    assert_str(arvo_machine_id(machine), "order");
    assert_str(arvo_machine_version(machine), "1.1.0");
    assert_str(arvo_machine_source(machine), "arvo.orc.order");
    assert_str(arvo_machine_self(machine)->version, "1.1.0");
    assert_int_equal(arvo_machine_service_count(machine), 2);
    assert_str(arvo_machine_service_at(machine, 0)->version, "1.0.0");
    assert_null(arvo_machine_service_at(machine, 2));
    assert_true(arvo_machine_has_executionunits(machine));
    assert_true(arvo_machine_executionunits(machine) > 2.4);
    assert_null(arvo_machine_logic(machine));
    assert_ptr_equal(
        arvo_machine_service_find(machine, ARVO_STR("com.payment.charge")),
        arvo_machine_service_at(machine, 0));
    assert_null(arvo_machine_service_find(machine, ARVO_STR("com.payment")));

    const arvo_event_rule *rule = NULL;
    assert_ptr_equal(
        arvo_machine_service_emitting(machine, ARVO_STR("evt.payment.ok"), &rule),
        arvo_machine_service_at(machine, 0));
    assert_str(rule->type, "evt.payment.ok");
    assert_ptr_equal(
        arvo_machine_service_emitting(machine, ARVO_STR("sys.com.twin.charge.error"), &rule),
        arvo_machine_service_at(machine, 1));
    assert_null(arvo_machine_service_emitting(machine, ARVO_STR("evt.nobody.emits"), &rule));
    assert_null(rule);
    arvo_machine_unref(arvo_machine_ref(machine));
    arvo_machine_unref(machine);
    arvo_machine_unref(NULL);
}

static void
test_machine__definition_hash(void **state)
{
    (void)state;
    arvo_machine *one = machine_of("'initial':'a','states':{'a':{}}");
    arvo_machine *same = machine_of("'initial':  'a', 'states' : {'a':{}}");
    arvo_machine *other = machine_of("'initial':'b','states':{'b':{}}");
    assert_str(
        arvo_machine_definition(one),
        quoted("{'kind':'machine','id':'m','initial':'a','states':{'a':{}}}").ptr);
    assert_int_equal(arvo_machine_definition_hash(one).len, 32);
    assert_true(
        arvo_str_equal(arvo_machine_definition_hash(one), arvo_machine_definition_hash(same)));
    assert_false(
        arvo_str_equal(arvo_machine_definition_hash(one), arvo_machine_definition_hash(other)));
    assert_null(arvo_machine_version(one).ptr);
    assert_null(arvo_machine_source(one).ptr);
    assert_null(arvo_machine_self(one));
    assert_false(arvo_machine_has_executionunits(one));
    arvo_machine_unref(one);
    arvo_machine_unref(same);
    arvo_machine_unref(other);
}

static void
test_machine__keeps_input(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        bool keeps;
    } cases[] = {
        { "'context':{'a':'${ .input.data.a }'}", false },
        { "'context':{'a':1},'output':'${ .input.data.a }'", true },
        { "'entry':{'type':'log','params':{'message':'${ .input.subject }'}}", true },
        { "'guards':{'g':'${ .input.data.a }'}", true },
        { "'always':{'guard':'${ .context.input }'}", false },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_machine *machine = machine_of(cases[i].rest);
        if (arvo_machine_keeps_input(machine) != cases[i].keeps)
            fail_msg("%s", cases[i].rest);
        arvo_machine_unref(machine);
    }
}

/* ---- Custom machines ---- */

static void
test_machine__custom(void **state)
{
    (void)state;
    static const char logic[] = "anything";
    static const char *const services[] = { "#/services/payment", NULL };
    static const char *const twice[] = { "#/services/payment", "#/services/payment", NULL };
    const arvo_machine_setup setup = { .contracts = contracts };
    arvo_machine_custom custom = {
        .id = ARVO_STR("mine"),
        .self_uri = ARVO_STR("#/orchestrators/order"),
        .version = ARVO_STR("1.0.0"),
        .service_uris = services,
        .definition = ARVO_STR("v1"),
        .executionunits = 3,
        .logic = logic,
    };
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    assert_int_equal(arvo_machine_create_custom(&setup, &custom, &machine, &err), ARVO_OK);
    assert_ptr_equal(arvo_machine_logic(machine), logic);
    assert_str(arvo_machine_service_at(machine, 0)->version, "2.0.0");
    assert_str(arvo_machine_definition(machine), "v1");
    assert_int_equal(arvo_machine_definition_hash(machine).len, 32);
    assert_false(arvo_machine_keeps_input(machine));
    assert_int_equal((int)arvo_machine_executionunits(machine), 3);
    const arvo_machine_output out = execute(machine, &(arvo_machine_input){ 0 }, ARVO_E_EXECUTION);
    assert_non_null(strstr(out.error_message.ptr, "no chart"));
    arvo_machine_unref(machine);
    machine = NULL;

    custom.service_uris = twice;
    assert_int_equal(arvo_machine_create_custom(&setup, &custom, &machine, &err), ARVO_E_INVALID);
    custom.service_uris = NULL;
    custom.version = ARVO_STR("7.0.0");
    assert_int_equal(arvo_machine_create_custom(&setup, &custom, &machine, &err), ARVO_E_NOT_FOUND);
    custom.self_uri = ARVO_STR("#/services/payment");
    assert_int_equal(arvo_machine_create_custom(&setup, &custom, &machine, &err), ARVO_E_INVALID);
    custom.self_uri = ARVO_STR("#/nowhere");
    assert_int_equal(arvo_machine_create_custom(&setup, &custom, &machine, &err), ARVO_E_NOT_FOUND);
    assert_null(machine);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine__refusals),
        cmocka_unit_test(test_machine__accepts_what_xstate_gives_a_meaning),
        cmocka_unit_test(test_machine__errors_name_the_line),
        cmocka_unit_test(test_machine__bounds),
        cmocka_unit_test(test_machine__accessors),
        cmocka_unit_test(test_machine__definition_hash),
        cmocka_unit_test(test_machine__keeps_input),
        cmocka_unit_test(test_machine__custom),
    };
    return cmocka_run_group_tests_name(
        "machine", tests, contracts_group_setup, contracts_group_teardown);
}
