/* An order workflow with a payment service and a child, over a memory: store; what the tests of the
 * orchestrator share. */
#ifndef ARVO_TESTS_ORCHESTRATOR_FIXTURE_H
#define ARVO_TESTS_ORCHESTRATOR_FIXTURE_H

#include "../support.h"

#include <arvo/orchestrator.h>

#define CLIENT "com.test.client"

static const char *const fixture_contracts[] = {
    "{'kind':'contract','uri':'#/services/"
    "payment','type':'com.payment.charge','versions':{'1.0.0':{"
    "'accepts':{'type':'object','properties':{'orderId':{'type':'string'},'amount':{'type':'number'"
    "},"
    "'currency':{'type':'string','default':'EUR'}},'required':['orderId','amount']},"
    "'emits':{'evt.payment.charge.success':{'type':'object','properties':{'paymentId':"
    "{'type':'string'}},'required':['paymentId']}}}}}",
    "{'kind':'orchestrator-contract','uri':'#/orc/order','name':'order','versions':{"
    "'1.0.0':{'init':{'type':'object','properties':{'orderId':{'type':'string'},'amount':"
    "{'type':'number'},'mode':{'type':'string','default':'plain'}},'required':['orderId','amount']}"
    ","
    "'complete':{'type':'object','properties':{'paymentId':{'type':['string','null']}}}},"
    "'1.1.0':{'init':{'type':'object','properties':{'orderId':{'type':'string'},'amount':"
    "{'type':'number'},'mode':{'type':'string','default':'plain'}},'required':['orderId','amount']}"
    ","
    "'complete':{'type':'object','properties':{'paymentId':{'type':['string','null']}}}}}}",
    "{'kind':'orchestrator-contract','uri':'#/orc/child','name':'child','versions':{'1.0.0':{"
    "'init':{'type':'object','properties':{'n':{'type':'number'}},'required':['n']},"
    "'complete':{'type':'object','properties':{'r':{'type':'number'}},'required':['r']}}}}",
};

/* `mode` of the start event chooses what the workflow does, so that one machine shows it all. */
static const char fixture_machine[] =
    "{'kind':'machine','id':'order','version':'%s','contracts':{'self':'#/orc/order','services':{"
    "'payment':'#/services/payment','child':{'uri':'#/orc/child','version':'1.0.0'}}},"
    "'context':{'orderId':'${ .input.data.orderId }','amount':'${ .input.data.amount }',"
    "'mode':'${ .input.data.mode }','paymentId':null},'executionunits':3,"
    "'initial':'choose','states':{'choose':{'always':["
    "{'guard':\"${ .context.mode == \\\"plain\\\" }\",'target':'charge'},"
    "{'guard':\"${ .context.mode == \\\"domains\\\" }\",'target':'domains'},"
    "{'guard':\"${ .context.mode == \\\"nodomain\\\" }\",'target':'nodomain'},"
    "{'guard':\"${ .context.mode == \\\"child\\\" }\",'target':'child'},"
    "{'guard':\"${ .context.mode == \\\"badcall\\\" }\",'target':'badcall'},"
    "{'guard':\"${ .context.mode == \\\"now\\\" }\",'target':'done'},"
    "{'guard':\"${ (.context.mode | tonumber) > 0 }\",'target':'done'}]},"
    "'charge':{'entry':[{'type':'emit','params':{'type':'com.payment.charge','data':{"
    "'orderId':'${ .context.orderId }','amount':'${ .context.amount }','junk':1}}},"
    "{'type':'log','params':{'message':'charging'}}],"
    "'on':{'evt.payment.charge.success':{'target':'done','actions':[{'type':'assign','params':"
    "{'paymentId':'${ .event.data.paymentId }'}}]},"
    "'sys.com.payment.charge.error':{'target':'failed'},"
    "'arvo.orc.order':{'actions':[{'type':'log','params':{'message':'again'}}]}}},"
    "'domains':{'entry':[{'type':'emit','params':{'type':'evt.note.first','data':{'k':1},'domains':"
    "['external','analytics','external']}},{'type':'emit','params':{'type':'evt.note.second','data'"
    ":"
    "{'k':2},'id':'fixed-id','executionunits':0,'to':'com.some.where','extensions':{'tenant':'t1'}}"
    "},"
    "{'type':'emit','params':{'type':'evt.note.third','data':{},'domains':['default','external']}}]"
    "},"
    "'nodomain':{'entry':[{'type':'emit','params':{'type':'evt.note.first','data':{},'domains':"
    "'${ [] }'}}]},"
    "'child':{'entry':[{'type':'emit','params':{'type':'arvo.orc.child','data':{"
    "'parentSubject$$':'${ .input.subject "
    "}','n':2}}}],'on':{'arvo.orc.child.done':{'target':'done'}}},"
    "'badcall':{'entry':[{'type':'emit','params':{'type':'com.payment.charge','data':{"
    "'orderId':7}}}]},"
    "'done':{'type':'final'},'failed':{'type':'final'}},"
    "'output':{'paymentId':'${ .context.paymentId }'}}";

typedef struct fixture {
    arvo_arena *arena;
    arvo_contracts *contracts;
    arvo_machine *machines[2];
    arvo_memory *memory;
    arvo_orchestrator *orchestrator;
    arvo_result result;
    arvo_error err;
} fixture;

static inline const char *
fixture_quotes(arvo_arena *arena, const char *text)
{
    char *copy = (char *)(uintptr_t)arvo_arena_str_dup(arena, arvo_str_from(text)).ptr;
    assert_non_null(copy);
    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return copy;
}

#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        if ((call) != ARVO_OK)                                                                     \
            fail_msg("%s", (err).text);                                                            \
    } while (0)

static inline void
fixture_machines(fixture *f)
{
    f->arena = arvo_arena_new(NULL);
    f->contracts = arvo_contracts_new(NULL);
    assert_non_null(f->arena);
    assert_non_null(f->contracts);
    for (size_t i = 0; i < ARVO_COUNT_OF(fixture_contracts); i++) {
        const arvo_contract *contract;
        assert_ok(
            arvo_contracts_add_text(
                f->contracts, arvo_str_from(fixture_quotes(f->arena, fixture_contracts[i])),
                &contract, &f->err),
            f->err);
    }
    static const char *const versions[] = { "1.0.0", "1.1.0" };
    for (size_t i = 0; i < 2; i++) {
        char text[8192];
        (void)snprintf(text, sizeof(text), fixture_machine, versions[i]);
        const arvo_machine_setup setup = { .contracts = f->contracts };
        assert_ok(
            arvo_machine_create_text(
                &setup, arvo_str_from(fixture_quotes(f->arena, text)), &f->machines[i], &f->err),
            f->err);
    }
}

static inline void
fixture_open_with(fixture *f, arvo_orchestrator_opts opts)
{
    *f = (fixture){ 0 };
    fixture_machines(f);
    if (opts.memory == NULL) {
        assert_ok(arvo_memory_open("memory:?history=on", &f->memory, &f->err), f->err);
        opts.memory = f->memory;
    }
    opts.machines = f->machines;
    opts.machine_count = 2;
    assert_ok(arvo_orchestrator_create(&opts, &f->orchestrator, &f->err), f->err);
}

static inline void
fixture_open(fixture *f)
{
    fixture_open_with(f, (arvo_orchestrator_opts){ 0 });
}

static inline void
fixture_close(fixture *f)
{
    arvo_orchestrator_free(f->orchestrator);
    arvo_memory_close(f->memory);
    arvo_machine_unref(f->machines[0]);
    arvo_machine_unref(f->machines[1]);
    arvo_contracts_unref(f->contracts);
    arvo_arena_free(f->arena);
}

/* A subject of arvo.orc.order; `meta` NULL: none. */
static inline arvo_str
fixture_subject(fixture *f, const char *name, const char *version, const char *meta)
{
    arvo_str subject;
    const arvo_subject_new_opts opts = { .name = arvo_str_from(name),
                                         .version = arvo_str_from(version),
                                         .initiator = ARVO_STR(CLIENT),
                                         .meta =
                                             meta != NULL ? support_json(f->arena, meta) : NULL };
    assert_ok(
        arvo_subject_new(NULL, &opts, arvo_platform_system(), f->arena, &subject, &f->err), f->err);
    return subject;
}

static inline arvo_event
fixture_event(fixture *f, const char *type, arvo_str subject, const char *data)
{
    arvo_event event;
    const arvo_event fields = { .type = arvo_str_from(type),
                                .source = ARVO_STR(CLIENT),
                                .subject = subject,
                                .to = ARVO_STR("arvo.orc.order"),
                                .data = support_json(f->arena, fixture_quotes(f->arena, data)) };
    assert_ok(
        arvo_event_create(&fields, arvo_platform_system(), f->arena, &event, &f->err), f->err);
    return event;
}

static inline arvo_event
fixture_start(fixture *f, arvo_str subject, const char *mode)
{
    char data[256];
    (void)snprintf(
        data, sizeof(data),
        "{'parentSubject$$':null,'orderId':'o-1','amount':12.5,'mode':'%s','unknown':true}", mode);
    return fixture_event(f, "arvo.orc.order", subject, data);
}

static inline arvo_status
fixture_execute(fixture *f, const arvo_event *event)
{
    return arvo_orchestrator_execute(f->orchestrator, event, f->arena, &f->result, &f->err);
}

static inline bool
fixture_read(fixture *f, arvo_str subject, arvo_record *out)
{
    bool found = false;
    const arvo_memory_ops *ops = arvo_memory_ops_of(f->memory);
    assert_ok(
        ops->read(arvo_memory_self(f->memory), subject, f->arena, &found, out, &f->err), f->err);
    return found;
}

#endif
