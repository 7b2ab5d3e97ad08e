/* arvo bench: events per second of this machine, through a small purchase workflow that is built
 * in, or through an app and a start event of the user's.
 *
 * Built in, what is timed is what a server would do for each event: parse its bytes, the ten steps,
 * write the result's bytes. Making the next event is somebody else's work and is not timed. With an
 * app, the whole delivery is timed, mocks included. */

#include "cli.h"

struct bench_opts {
    const char *event;
    const char *store;
    int64_t events;
    bool json;
};

#define BENCH_EVENTS_DEFAULT 100000

static const cli_option bench_options[] = {
    { "events", CLI_NUMBER, "N", offsetof(struct bench_opts, events),
      "events to handle; default 100000" },
    { "event", CLI_TEXT, "FILE", offsetof(struct bench_opts, event),
      "start event, for an app; each run gets a new subject" },
    { "store", CLI_TEXT, "URL", offsetof(struct bench_opts, store), "default memory:" },
    { "json", CLI_FLAG, NULL, offsetof(struct bench_opts, json), "one JSON object" },
    CLI_REMOTES_OPTION,
    { 0 },
};

static const char bench_payment[] =
    "{\"kind\":\"contract\",\"uri\":\"#/bench/"
    "payment\",\"type\":\"com.payment.charge\",\"versions\":{\"1.0.0\":{"
    "\"accepts\":{\"type\":\"object\",\"properties\":{\"orderId\":{\"type\":\"string\"},\"amount\":"
    "{\"type\":\"number\"}},"
    "\"required\":[\"orderId\",\"amount\"]},\"emits\":{\"evt.payment.charge.success\":{\"type\":"
    "\"object\","
    "\"properties\":{\"paymentId\":{\"type\":\"string\"}},\"required\":[\"paymentId\"]}}}}}";

static const char bench_order[] = "{\"kind\":\"orchestrator-contract\",\"uri\":\"#/bench/"
                                  "order\",\"name\":\"bench\",\"versions\":{\"1.0.0\":{"
                                  "\"init\":{\"type\":\"object\",\"properties\":{\"orderId\":{"
                                  "\"type\":\"string\"},\"amount\":{\"type\":\"number\"}},"
                                  "\"required\":[\"orderId\",\"amount\"]},\"complete\":{\"type\":"
                                  "\"object\",\"properties\":{\"paymentId\":"
                                  "{\"type\":[\"string\",\"null\"]}}}}}}";

static const char bench_machine[] =
    "{\"kind\":\"machine\",\"id\":\"bench\",\"version\":\"1.0.0\",\"contracts\":{\"self\":\"#/"
    "bench/order\",\"services\":"
    "{\"payment\":\"#/bench/payment\"}},\"context\":{\"orderId\":\"${ .input.data.orderId "
    "}\",\"amount\":"
    "\"${ .input.data.amount "
    "}\",\"paymentId\":null},\"initial\":\"validate\",\"states\":{\"validate\":{\"always\":["
    "{\"guard\":\"${ .context.amount <= 10000 "
    "}\",\"target\":\"charge\"},{\"target\":\"rejected\"}]},\"charge\":{"
    "\"entry\":[{\"type\":\"emit\",\"params\":{\"type\":\"com.payment.charge\",\"data\":{"
    "\"orderId\":"
    "\"${ .context.orderId }\",\"amount\":\"${ .context.amount "
    "}\"}}}],\"on\":{\"evt.payment.charge.success\":{"
    "\"target\":\"done\",\"actions\":[{\"type\":\"assign\",\"params\":{\"paymentId\":\"${ "
    ".event.data.paymentId }\"}}]},"
    "\"sys.com.payment.charge.error\":\"failed\"}},\"done\":{\"type\":\"final\"},\"rejected\":{"
    "\"type\":\"final\"},"
    "\"failed\":{\"type\":\"final\"}},\"output\":{\"paymentId\":\"${ .context.paymentId }\"}}";

/* ---- Times ---- */

#define SUB_BUCKETS 32u /* per power of two: a percentile is right within 3 % */

struct times {
    uint64_t buckets[64 * SUB_BUCKETS];
    int64_t total_ns;
    int64_t count;
};

static int64_t
now_ns(void)
{
    const arvo_platform *platform = arvo_platform_system();
    return platform->monotonic_ns(platform->self);
}

static void
times_add(struct times *times, int64_t ns)
{
    const uint64_t value = ns > 0 ? (uint64_t)ns : 1;
    const unsigned power = 63u - (unsigned)__builtin_clzll(value);
    const uint64_t sub = power >= 5 ? (value >> (power - 5)) - SUB_BUCKETS : 0;
    times->buckets[power * SUB_BUCKETS + sub]++;
    times->total_ns += ns;
    times->count++;
}

static double
times_percentile_us(const struct times *times, double part)
{
    const double wanted = part * (double)times->count;
    double seen = 0;
    for (unsigned i = 0; i < 64 * SUB_BUCKETS; i++) {
        seen += (double)times->buckets[i];
        if (seen >= wanted && times->buckets[i] > 0) {
            const unsigned power = i / SUB_BUCKETS;
            const double base = (double)(UINT64_C(1) << power);
            return base * (1.0 + (double)(i % SUB_BUCKETS + 1) / SUB_BUCKETS) / 1000.0;
        }
    }
    return 0;
}

/* ---- The built-in workflow ---- */

struct bench {
    arvo_memory *memory;
    arvo_contracts *contracts;
    arvo_machine *machine;
    arvo_orchestrator *orchestrator;
    arvo_arena *arena;         /* of the execution, as a server's */
    arvo_arena *making;        /* of the events to send */
    arvo_subject_codec *codec; /* for making them */
    arvo_buf in, out;
    struct times *times;
};

static arvo_status
bench_open(struct bench *bench, const char *store, arvo_error *err)
{
    arvo_status st = arvo_memory_open(store, &bench->memory, err);
    const arvo_contract *contract = NULL;
    bench->contracts = arvo_contracts_new(NULL);
    bench->arena = arvo_arena_new(NULL);
    bench->making = arvo_arena_new(NULL);
    bench->codec = arvo_subject_codec_new(NULL);
    if (st != ARVO_OK)
        return st;
    if (bench->contracts == NULL || bench->arena == NULL || bench->making == NULL ||
        bench->codec == NULL)
        return arvo_error_set(err, ARVO_E_NOMEM, ARVO_NO_OFFSET, "out of memory");
    st = arvo_contracts_add_text(bench->contracts, arvo_str_from(bench_payment), &contract, err);
    if (st == ARVO_OK)
        st = arvo_contracts_add_text(bench->contracts, arvo_str_from(bench_order), &contract, err);
    if (st == ARVO_OK)
        st = arvo_machine_create_text(
            &(arvo_machine_setup){ .contracts = bench->contracts }, arvo_str_from(bench_machine),
            &bench->machine, err);
    if (st == ARVO_OK)
        st = arvo_orchestrator_create(
            &(arvo_orchestrator_opts){
                .memory = bench->memory, .machines = &bench->machine, .machine_count = 1 },
            &bench->orchestrator, err);
    return st;
}

static void
bench_close(struct bench *bench)
{
    arvo_buf_fini(&bench->out);
    arvo_buf_fini(&bench->in);
    arvo_orchestrator_free(bench->orchestrator);
    arvo_machine_unref(bench->machine);
    arvo_contracts_unref(bench->contracts);
    arvo_memory_close(bench->memory);
    arvo_subject_codec_free(bench->codec);
    arvo_arena_free(bench->making);
    arvo_arena_free(bench->arena);
}

/* Bytes in, bytes out; `reply` gets the event that the workflow sent, or NULL. */
static arvo_status
bench_handle(struct bench *bench, const arvo_event **sent, arvo_error *err)
{
    arvo_event event;
    arvo_result result;
    arvo_arena_reset(bench->arena);
    arvo_buf_reset(&bench->out);
    const int64_t start = now_ns();
    arvo_status st = arvo_event_parse(arvo_buf_str(&bench->in), bench->arena, &event, err);
    if (st == ARVO_OK)
        st = arvo_orchestrator_execute(bench->orchestrator, &event, bench->arena, &result, err);
    if (st != ARVO_OK)
        return st;
    arvo_result_write(&result, &bench->out);
    times_add(bench->times, now_ns() - start);
    if (result.outcome != ARVO_OUTCOME_EXECUTED)
        return arvo_error_set(
            err, ARVO_E_EXECUTION, ARVO_NO_OFFSET, "bench: the workflow failed: %.*s",
            ARVO_FMT(result.error_message));
    *sent = result.events.count > 0 ? result.events.items[0] : NULL;
    return ARVO_OK;
}

/* One instance: its start, and the reply to what it asks. */
static arvo_status
bench_instance(struct bench *bench, arvo_error *err)
{
    const arvo_event *sent = NULL;
    arvo_event event;
    arvo_arena_reset(bench->making);
    arvo_factory factory = { .version = arvo_machine_self(bench->machine),
                             .platform = arvo_platform_system(),
                             .codec = bench->codec,
                             .arena = bench->making };
    arvo_json *data = arvo_json_object_new(bench->making);
    arvo_json_set(
        bench->making, data, ARVO_STR("orderId"),
        arvo_json_string(bench->making, ARVO_STR("order-4711")));
    arvo_json_set(bench->making, data, ARVO_STR("amount"), arvo_json_number(bench->making, 129.95));
    arvo_json_set(bench->making, data, ARVO_STR("parentSubject$$"), arvo_json_null());
    arvo_status st = arvo_factory_init(
        &factory, &(arvo_event){ .source = ARVO_STR("com.shop.web"), .data = data }, &event, err);
    if (st != ARVO_OK)
        return st;
    arvo_buf_reset(&bench->in);
    arvo_event_write(&event, &bench->in);
    st = bench_handle(bench, &sent, err);
    if (st != ARVO_OK || sent == NULL)
        return st;

    factory.version = arvo_machine_service_at(bench->machine, 0);
    arvo_json *answer = arvo_json_object_new(bench->making);
    arvo_json_set(
        bench->making, answer, ARVO_STR("paymentId"),
        arvo_json_string(bench->making, ARVO_STR("pay-4711")));
    st = arvo_factory_emits(
        &factory,
        &(arvo_event){ .type = ARVO_STR("evt.payment.charge.success"),
                       .source = sent->type,
                       .subject = sent->subject,
                       .to = sent->redirectto.ptr != NULL ? sent->redirectto : sent->source,
                       .parentid = sent->id,
                       .data = answer },
        &event, err);
    if (st != ARVO_OK)
        return st;
    arvo_buf_reset(&bench->in);
    arvo_event_write(&event, &bench->in);
    return bench_handle(bench, &sent, err);
}

static arvo_status
bench_built_in(const struct bench_opts *opts, struct times *times, arvo_error *err)
{
    struct bench bench = { .times = times,
                           .in = ARVO_BUF_INIT(ARVO_EVENT_BYTES_MAX),
                           .out = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT) };
    arvo_status st = bench_open(&bench, opts->store, err);
    while (st == ARVO_OK && times->count < opts->events)
        st = bench_instance(&bench, err);
    bench_close(&bench);
    return st;
}

/* ---- An app ---- */

struct bench_app {
    struct times *times;
    int64_t last_ns;
};

static bool
bench_on_event(void *user, const arvo_delivery *delivery)
{
    struct bench_app *bench = user;
    (void)delivery;
    const int64_t now = now_ns();
    times_add(bench->times, now - bench->last_ns);
    bench->last_ns = now_ns();
    return true;
}

/* The start event again, as another execution. */
static arvo_status
bench_fresh(const arvo_event *given, arvo_arena *arena, arvo_event *out, arvo_error *err)
{
    arvo_subject subject;
    arvo_event fields = *given;
    arvo_status st = arvo_subject_decode(NULL, given->subject, arena, &subject, err);
    if (st == ARVO_OK)
        st = arvo_subject_new(
            NULL,
            &(arvo_subject_new_opts){ .name = subject.orchestrator_name,
                                      .version = subject.orchestrator_version,
                                      .initiator = subject.initiator,
                                      .domain = subject.domain,
                                      .meta = subject.meta },
            arvo_platform_system(), arena, &fields.subject, err);
    if (st != ARVO_OK)
        return st;
    fields.id = fields.time = ARVO_STR_NONE;
    return arvo_event_create(&fields, arvo_platform_system(), arena, out, err);
}

static arvo_status
bench_app_runs(
    const struct bench_opts *opts, arvo_app *app, const arvo_event *event, arvo_memory *memory,
    struct times *times, arvo_error *err)
{
    struct bench_app bench = { .times = times };
    arvo_app_runtime *runtime = NULL;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_status st = arvo_app_start(
        app,
        &(arvo_app_runtime_opts){ .memory = memory, .on_event = bench_on_event, .user = &bench },
        &runtime, err);
    while (st == ARVO_OK && arena != NULL && times->count < opts->events) {
        const int64_t before = times->count;
        arvo_event fresh;
        arvo_arena_reset(arena);
        st = bench_fresh(event, arena, &fresh, err);
        bench.last_ns = now_ns();
        if (st == ARVO_OK)
            st = arvo_broker_publish(arvo_app_runtime_broker(runtime), &fresh, err);
        if (times->count == before)
            break; /* nothing is delivered: it would never end */
    }
    arvo_app_stop(runtime);
    arvo_arena_free(arena);
    return st;
}

/* ---- The verb ---- */

static void
bench_print(const struct bench_opts *opts, const struct times *times)
{
    const double seconds = (double)times->total_ns / 1e9;
    const double rate = seconds > 0 ? (double)times->count / seconds : 0;
    const double p50 = times_percentile_us(times, 0.5);
    const double p99 = times_percentile_us(times, 0.99);
    const double p999 = times_percentile_us(times, 0.999);
    if (opts->json)
        printf(
            "{\"events\":%lld,\"seconds\":%.3f,\"eventsPerSecond\":%.0f,\"p50us\":%.1f,\"p99us\":%."
            "1f,"
            "\"p999us\":%.1f}\n",
            (long long)times->count, seconds, rate, p50, p99, p999);
    else
        printf(
            "%lld events in %.3f s on one thread (store %s): %.0f events/s\n"
            "per event: p50 %.1f us, p99 %.1f us, p99.9 %.1f us\n",
            (long long)times->count, seconds, cli_url(opts->store), rate, p50, p99, p999);
}

static int
bench_with_app(const struct bench_opts *opts, const cli_args *args, struct times *times)
{
    arvo_event event;
    arvo_error err = { 0 };
    int exit_code = CLI_DONE;
    if (opts->event == NULL) {
        cli_error("bench: an app needs --event FILE, its start event");
        return CLI_USAGE;
    }
    if (!cli_event_load(opts->event, &event))
        return CLI_USAGE;
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    arvo_memory *memory = cli_store_open(opts->store, false, &exit_code);
    if (memory != NULL && bench_app_runs(opts, app, &event, memory, times, &err) != ARVO_OK)
        exit_code = cli_fail(&err);
    arvo_memory_close(memory);
    arvo_app_free(app);
    return exit_code;
}

static int
bench_run(cli_args *args)
{
    struct bench_opts opts = { .events = BENCH_EVENTS_DEFAULT, .store = "memory:" };
    struct times times = { 0 };
    arvo_error err = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    int exit_code = CLI_DONE;
    if (args->operand_count > 0)
        exit_code = bench_with_app(&opts, args, &times);
    else if (bench_built_in(&opts, &times, &err) != ARVO_OK)
        exit_code = cli_fail(&err);
    if (exit_code == CLI_DONE)
        bench_print(&opts, &times);
    return exit_code;
}

const cli_command cli_bench = {
    .verb = "bench",
    .operands = "[APP...]",
    .summary = "measure events per second",
    .details =
        "Handles events as fast as it can on one thread and prints how many per second, and how\n"
        "long one takes. Without APP: a small purchase workflow that is built in (start, payment,\n"
        "done), from the bytes of each event to the bytes of its result. With APP: whole runs of\n"
        "the app from its start event, mocks included. make bench measures more, beside peers.\n"
        "--json: {\"events\", \"seconds\", \"eventsPerSecond\", \"p50us\", \"p99us\", "
        "\"p999us\"}.\n",
    .options = bench_options,
    .operands_max = -1,
    .run = bench_run,
};
