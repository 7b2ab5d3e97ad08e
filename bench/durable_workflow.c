/* Start, answer, answer: a workflow that asks two services and is done. */

#include "durable_workflow.h"

#include <arvo/arvo.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "durable.h"

static const char contract_first[] =
    "{\"kind\":\"contract\",\"uri\":\"#/bench/stock\",\"type\":\"com.stock.reserve\",\"versions\":"
    "{\"1.0.0\":{\"accepts\":{\"type\":\"object\",\"properties\":{\"orderId\":{\"type\":\"string\"}"
    "},\"required\":[\"orderId\"]},\"emits\":{\"evt.stock.reserve.success\":{\"type\":\"object\","
    "\"properties\":{\"reservationId\":{\"type\":\"string\"}},\"required\":[\"reservationId\"]}}}}"
    "}";
static const char contract_second[] =
    "{\"kind\":\"contract\",\"uri\":\"#/bench/payment\",\"type\":\"com.payment.charge\","
    "\"versions\":{\"1.0.0\":{\"accepts\":{\"type\":\"object\",\"properties\":{\"orderId\":{"
    "\"type\":\"string\"},\"amount\":{\"type\":\"number\"}},\"required\":[\"orderId\",\"amount\"]},"
    "\"emits\":{\"evt.payment.charge.success\":{\"type\":\"object\",\"properties\":{\"paymentId\":"
    "{\"type\":\"string\"}},\"required\":[\"paymentId\"]}}}}}";
static const char contract_self[] =
    "{\"kind\":\"orchestrator-contract\",\"uri\":\"#/bench/order\",\"name\":\"bench\",\"versions\":"
    "{\"1.0.0\":{\"init\":{\"type\":\"object\",\"properties\":{\"orderId\":{\"type\":\"string\"},"
    "\"amount\":{\"type\":\"number\"}},\"required\":[\"orderId\",\"amount\"]},\"complete\":{"
    "\"type\":\"object\",\"properties\":{\"paymentId\":{\"type\":[\"string\",\"null\"]}}}}}}";
static const char machine_text[] =
    "{\"kind\":\"machine\",\"id\":\"bench\",\"version\":\"1.0.0\",\"contracts\":{\"self\":"
    "\"#/bench/order\",\"services\":{\"stock\":\"#/bench/stock\",\"payment\":\"#/bench/payment\"}},"
    "\"context\":{\"orderId\":\"${ .input.data.orderId }\",\"amount\":\"${ .input.data.amount }\","
    "\"reservationId\":null,\"paymentId\":null},\"initial\":\"reserve\",\"states\":{\"reserve\":{"
    "\"entry\":[{\"type\":\"emit\",\"params\":{\"type\":\"com.stock.reserve\",\"data\":{"
    "\"orderId\":\"${ .context.orderId }\"}}}],\"on\":{\"evt.stock.reserve.success\":{\"target\":"
    "\"charge\",\"actions\":[{\"type\":\"assign\",\"params\":{\"reservationId\":\"${ "
    ".event.data.reservationId }\"}}]}}},\"charge\":{\"entry\":[{\"type\":\"emit\",\"params\":{"
    "\"type\":\"com.payment.charge\",\"data\":{\"orderId\":\"${ .context.orderId }\",\"amount\":"
    "\"${ .context.amount }\"}}}],\"on\":{\"evt.payment.charge.success\":{\"target\":\"done\","
    "\"actions\":[{\"type\":\"assign\",\"params\":{\"paymentId\":\"${ .event.data.paymentId "
    "}\"}}]}}},\"done\":{\"type\":\"final\"}},\"output\":{\"paymentId\":\"${ .context.paymentId "
    "}\"}}";

/* type, source, contract, data of the event of each step. */
static const char *const steps[3][4] = {
    { "arvo.orc.bench", "com.shop.web", "#/bench/order/1.0.0",
      "{\"parentSubject$$\":null,\"orderId\":\"ord-20391\",\"amount\":1299.5}" },
    { "evt.stock.reserve.success", "com.stock.reserve", "#/bench/stock/1.0.0",
      "{\"reservationId\":\"r-20391\"}" },
    { "evt.payment.charge.success", "com.payment.charge", "#/bench/payment/1.0.0",
      "{\"paymentId\":\"p-20391\"}" },
};

struct workflows {
    arvo_contracts *contracts;
    arvo_machine *machine;
    arvo_orchestrator *orchestrator;
    arvo_arena *texts;
    arvo_str *events; /* three to a workflow */
    size_t count;
    atomic_size_t next;
};

static void
must(arvo_status st, const char *what, const arvo_error *err)
{
    if (st != ARVO_OK)
        durable_die(what, err);
}

static void
workflows_open(struct workflows *w, arvo_memory *memory)
{
    static const char *const contracts[] = { contract_first, contract_second, contract_self };
    arvo_error err = { 0 };
    const arvo_contract *contract = NULL;
    w->contracts = arvo_contracts_new(NULL);
    for (size_t i = 0; i < ARVO_COUNT_OF(contracts); i++)
        must(
            arvo_contracts_add_text(w->contracts, arvo_str_from(contracts[i]), &contract, &err),
            "contract", &err);
    must(
        arvo_machine_create_text(
            &(arvo_machine_setup){ .contracts = w->contracts }, arvo_str_from(machine_text),
            &w->machine, &err),
        "machine", &err);
    must(
        arvo_orchestrator_create(
            &(arvo_orchestrator_opts){ .memory = memory,
                                       .machines = &w->machine,
                                       .machine_count = 1,
                                       .lock_wait_ms = 60000 },
            &w->orchestrator, &err),
        "orchestrator", &err);
}

/* Other subjects in each run: the first execution id of a run is random. */
static void
workflows_make(struct workflows *w, size_t count)
{
    arvo_error err = { 0 };
    arvo_subject_codec *codec = arvo_subject_codec_new(NULL);
    w->texts = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = (size_t)1 << 30 });
    w->events = calloc(3 * count, sizeof(w->events[0]));
    w->count = count;
    if (codec == NULL || w->texts == NULL || w->events == NULL)
        exit(1);
    for (size_t i = 0; i < count; i++) {
        arvo_str subject;
        must(
            arvo_subject_new(
                codec,
                &(arvo_subject_new_opts){ .name = ARVO_STR("arvo.orc.bench"),
                                          .version = ARVO_STR("1.0.0"),
                                          .initiator = ARVO_STR("com.shop.web") },
                arvo_platform_system(), w->texts, &subject, &err),
            "subject", &err);
        for (size_t k = 0; k < 3; k++) {
            char id[ARVO_UUID_BYTES];
            if (!arvo_uuid_new(arvo_platform_system(), id))
                exit(1);
            w->events[3 * i + k] = arvo_arena_printf(
                w->texts,
                "{\"id\":\"%.*s\",\"source\":\"%s\",\"specversion\":\"1.0\",\"type\":\"%s\","
                "\"subject\":\"%.*s\",\"datacontenttype\":\"application/"
                "cloudevents+json;charset=UTF-8;profile=arvo\",\"dataschema\":\"%s\",\"data\":%s,"
                "\"time\":\"2024-01-01T00:00:00.000+00:00\",\"to\":\"arvo.orc.bench\"}",
                (int)sizeof(id), id, steps[k][1], steps[k][0], ARVO_FMT(subject), steps[k][2],
                steps[k][3]);
        }
    }
    arvo_subject_codec_free(codec);
}

static void *
workflows_run(void *arg)
{
    struct workflows *w = arg;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_buf out = ARVO_BUF_INIT(1 << 20);
    arvo_error err = { 0 };
    for (;;) {
        const size_t i = atomic_fetch_add(&w->next, 1);
        if (i >= w->count)
            break;
        for (size_t k = 0; k < 3; k++) {
            arvo_event event;
            arvo_result result;
            arvo_arena_reset(arena);
            arvo_buf_reset(&out);
            must(arvo_event_parse(w->events[3 * i + k], arena, &event, &err), "event", &err);
            must(
                arvo_orchestrator_execute(w->orchestrator, &event, arena, &result, &err), "execute",
                &err);
            arvo_result_write(&result, &out);
            if (result.outcome != ARVO_OUTCOME_EXECUTED || result.events.count != 1) {
                (void)snprintf(
                    err.text, sizeof(err.text), "step %zu: %.*s", k + 1,
                    ARVO_FMT(result.error_message));
                durable_die("workflow", &err);
            }
        }
    }
    arvo_buf_fini(&out);
    arvo_arena_free(arena);
    return NULL;
}

double
durable_workflow_run(arvo_memory *memory, size_t in_flight, size_t workflows, double *out_cpu_us)
{
    struct workflows w = { 0 };
    pthread_t threads[1024];
    workflows_open(&w, memory);
    workflows_make(&w, workflows);
    const int64_t start = bench_now_ns(), cpu = bench_cpu_ns();
    for (size_t i = 0; i < in_flight && i < ARVO_COUNT_OF(threads); i++) {
        if (pthread_create(&threads[i], NULL, workflows_run, &w) != 0)
            exit(1);
    }
    for (size_t i = 0; i < in_flight && i < ARVO_COUNT_OF(threads); i++)
        (void)pthread_join(threads[i], NULL);
    const double seconds = (double)(bench_now_ns() - start) / 1e9;
    *out_cpu_us = (double)(bench_cpu_ns() - cpu) / 1e3 / (3.0 * (double)workflows);
    arvo_orchestrator_free(w.orchestrator);
    arvo_machine_unref(w.machine);
    arvo_contracts_unref(w.contracts);
    arvo_arena_free(w.texts);
    free(w.events);
    return 3.0 * (double)workflows / seconds;
}
