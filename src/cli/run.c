/* arvo run: one event through an app, or with --follow everything that it sets off. */

#include "cli.h"

#include <signal.h>

#include "run.h"

/* Whoever runs the same command again behind one that was killed waits for its claims to end. */
#define RUN_CLAIM_MS    2000
#define RUN_PATIENCE_MS 2500

/* What becomes of events is what it prints. */
#define RUN_LOG_LEVELS "warning,orchestrator=off,handler=off,broker=off"

struct run_opts {
    const char *event;
    const char *store;
    const char *violations;
    const char *metrics_file;
    bool follow;
    bool trace;
    bool json;
};

static const cli_option run_options[] = {
    { "event", CLI_TEXT, "FILE", offsetof(struct run_opts, event),
      "the event, JSON or YAML; - is standard input" },
    { "store", CLI_TEXT, "URL", offsetof(struct run_opts, store),
      "where instances live: memory: (the default), sqlite:PATH, postgres://... or redis://..." },
    { "follow", CLI_FLAG, NULL, offsetof(struct run_opts, follow),
      "deliver what is emitted to the app's orchestrators and mocks until nothing moves" },
    { "json", CLI_FLAG, NULL, offsetof(struct run_opts, json), "for programs, as said above" },
    { "metrics-file", CLI_TEXT, "FILE", offsetof(struct run_opts, metrics_file),
      "write what was counted at the end, for Prometheus' node exporter" },
    { "trace", CLI_FLAG, NULL, offsetof(struct run_opts, trace),
      "draw at the end what took how long: the tree of spans, over time" },
    { "violations", CLI_TEXT, "MODE", offsetof(struct run_opts, violations),
      "event (default): a contract violation is answered by an error event; return: it fails" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* Set by the first SIGINT or SIGTERM; the second one ends the process at once. */
static volatile sig_atomic_t run_interrupted;

static void
run_interrupt(int signal_number)
{
    (void)signal_number;
    run_interrupted = 1;
}

static void
run_catch_signals(void)
{
    const struct sigaction action = { .sa_handler = run_interrupt, .sa_flags = (int)SA_RESETHAND };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* ---- Following ---- */

static bool
run_on_event(void *user, const arvo_delivery *delivery)
{
    trace_event(user, delivery);
    return cli_flush() && !run_interrupted;
}

/* Deliver until nothing moves. First what an interrupted run left behind: it happened before. */
static int
run_deliver(struct trace *trace, arvo_broker *broker, const arvo_event *event)
{
    arvo_error err = { 0 };
    arvo_status st = arvo_broker_resume(broker, &err);
    if (event != NULL && !run_interrupted) {
        /* An event that could not be delivered earlier is no reason to leave this one undone. */
        arvo_error own = { 0 };
        const arvo_status published = arvo_broker_publish(broker, event, &own);
        if (st == ARVO_OK && published != ARVO_OK) {
            st = published;
            err = own;
        }
    }
    if (run_interrupted) {
        cli_error("interrupted; nothing is lost: the same command again finishes the work");
        return CLI_TRANSACTION;
    }
    if (st == ARVO_OK)
        return trace->exit_code;
    /* The arguments were fine: what is invalid now is what a mock or a machine made. */
    const int exit_code = cli_fail(&err);
    return exit_code == CLI_USAGE ? CLI_NO : exit_code;
}

static int
run_follow(struct trace *trace, arvo_app_runtime *runtime, const arvo_event *event)
{
    run_catch_signals();
    if (!trace_begin(trace))
        return CLI_TRANSACTION;
    const int exit_code = run_deliver(trace, arvo_app_runtime_broker(runtime), event);
    const int end_code = trace_end(trace);
    return exit_code != CLI_DONE ? exit_code : end_code;
}

/* ---- One step ---- */

static void
result_print(const arvo_result *result)
{
    printf(
        "%s%s%s  %s\n", cli_shown(result->orchestrator), result->version.ptr != NULL ? "@" : "",
        cli_shown(result->version), trace_outcome(result));
    for (size_t i = 0; i < result->log_count; i++)
        printf("  log: %s\n", cli_shown(result->logs[i]));
    if (result->all.count == 0)
        return;
    cli_table table = { .columns = 4 };
    cli_table_row(&table, "EMITTED", "TO", "DOMAINS", "ID");
    for (size_t i = 0; i < result->all.count; i++) {
        const arvo_event *event = result->all.items[i];
        cli_table_row(
            &table, cli_cstr(event->type), cli_cstr(event->to),
            cli_domains_text(result->event_domains[i]), cli_cstr(event->id));
    }
    cli_table_print(&table);
    printf("arvo run --json prints the events; --follow delivers them\n");
}

static void
result_print_json(const arvo_result *result)
{
    arvo_buf line = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_result_write(result, &line);
    arvo_buf_append_char(&line, '\n');
    (void)fwrite(line.ptr, 1, line.len, stdout);
    arvo_buf_fini(&line);
}

static int
orchestrator_step(arvo_orchestrator *orchestrator, const arvo_event *event, bool json)
{
    arvo_result result;
    arvo_error err = { 0 };
    if (arvo_orchestrator_execute(orchestrator, event, cli_arena(), &result, &err) != ARVO_OK)
        return cli_fail(&err);
    if (json)
        result_print_json(&result);
    else
        result_print(&result);
    return trace_failed(&result) ? CLI_NO : CLI_DONE;
}

/* Whether a service of some contract or mock of the app accepts the type: then it is a request, and
 * no answer to the workflow that its subject names. */
static bool
is_request(const arvo_app *app, arvo_str type)
{
    for (size_t i = 0; i < arvo_app_mock_count(app); i++)
        if (arvo_str_equal(arvo_handler_type(arvo_app_mock_at(app, i)), type))
            return true;
    return arvo_contracts_find_type(arvo_app_contracts(app), type) != NULL;
}

/* Whom the event is for: its address; else, where that says no more than the type, the orchestrator
 * that its subject names. NULL: nobody here. */
static arvo_orchestrator *
run_address(const arvo_app *app, const arvo_app_runtime *runtime, const arvo_event *event)
{
    arvo_orchestrator *found = arvo_app_runtime_orchestrator(runtime, event->to);
    const bool names_nobody = event->to.ptr == NULL || arvo_str_equal(event->to, event->type);
    if (found != NULL || !names_nobody || is_request(app, event->type))
        return found;
    arvo_subject subject;
    if (arvo_subject_decode(NULL, event->subject, cli_arena(), &subject, NULL) == ARVO_OK)
        found = arvo_app_runtime_orchestrator(runtime, subject.orchestrator_name);
    return found;
}

/* No orchestrator takes it. */
static int
run_not_addressed(const arvo_app *app, const arvo_event *event, bool json)
{
    if (json)
        result_print_json(&(arvo_result){ 0 });
    bool is_mocked = false;
    for (size_t i = 0; i < arvo_app_mock_count(app); i++)
        is_mocked =
            is_mocked || arvo_str_equal(arvo_handler_type(arvo_app_mock_at(app, i)), event->to);
    cli_error(
        "run: %s is for %s, and no orchestrator of the app takes it: %s", cli_cstr(event->type),
        cli_cstr(event->to),
        is_mocked ? "--follow delivers it to the mock there"
                  : "hand it to whoever serves that address, or correct \"to\"");
    return CLI_NO;
}

static int
run_once(const arvo_app *app, const arvo_app_runtime *runtime, const arvo_event *event, bool json)
{
    if (arvo_app_machine_count(app) == 0) {
        cli_error("run: the app has no machine that could handle the event");
        return CLI_USAGE;
    }
    arvo_orchestrator *orchestrator = run_address(app, runtime, event);
    return orchestrator != NULL ? orchestrator_step(orchestrator, event, json)
                                : run_not_addressed(app, event, json);
}

/* ---- The verb ---- */

static bool
run_check(const struct run_opts *opts)
{
    const bool knows_violations = opts->violations == NULL ||
                                  strcmp(opts->violations, "event") == 0 ||
                                  strcmp(opts->violations, "return") == 0;
    if (!knows_violations)
        cli_error("run: --violations %s: must be event or return", opts->violations);
    else if (opts->event == NULL && !opts->follow)
        cli_error("run: needs --event FILE (or, to finish an interrupted run, --follow alone)");
    else if (opts->trace && opts->json)
        cli_error(
            "run: --trace draws for people: leave out --json, or export the spans (OTEL_...)");
    else
        return true;
    return false;
}

static int
run_with_store(
    const struct run_opts *opts, const cli_args *args, arvo_app *app, arvo_memory *memory,
    const arvo_event *event)
{
    const char *paths = "";
    for (size_t i = 0; i < args->operand_count; i++)
        paths = cli_printf(
            "%s%s%s", paths, i > 0 ? " " : "", cli_quoted(arvo_str_from(args->operands[i])));
    struct trace trace = {
        .json = opts->json,
        .event = event,
        .app = app,
        .memory = memory,
        .store = opts->store,
        .app_text = paths,
    };
    const cli_telemetry_opts telemetry_opts = { .metrics_file = opts->metrics_file,
                                                .memory = memory };
    const arvo_telemetry *telemetry = NULL;
    int exit_code = CLI_DONE;
    if (!cli_telemetry_open(&telemetry_opts, &telemetry, &exit_code))
        return exit_code;
    const arvo_broker_opts broker_opts = { .claim_ms = RUN_CLAIM_MS,
                                           .patience_ms = RUN_PATIENCE_MS };
    const arvo_app_runtime_opts runtime_opts = {
        .memory = memory,
        .platform = cli_platform(),
        .broker = &broker_opts,
        .violations = opts->violations != NULL && strcmp(opts->violations, "return") == 0
                          ? ARVO_VIOLATIONS_RETURN
                          : ARVO_VIOLATIONS_EVENT,
        .telemetry = opts->trace ? spans_open(telemetry) : telemetry,
        .on_event = run_on_event,
        .user = &trace,
    };
    arvo_app_runtime *runtime = NULL;
    arvo_error err = { 0 };
    if (arvo_app_start(app, &runtime_opts, &runtime, &err) != ARVO_OK) {
        cli_telemetry_close();
        return cli_fail(&err);
    }
    exit_code = opts->follow ? run_follow(&trace, runtime, event)
                             : run_once(app, runtime, event, opts->json);
    arvo_app_stop(runtime);
    if (opts->trace)
        spans_print();
    cli_telemetry_close();
    return exit_code;
}

static int
run_run(cli_args *args)
{
    struct run_opts opts = { .store = "memory:" };
    arvo_event event;
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!run_check(&opts) || (opts.event != NULL && !cli_event_load(opts.event, &event)))
        return CLI_USAGE;
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    cli_log_levels(RUN_LOG_LEVELS);
    arvo_memory *memory = cli_store_open(opts.store, false, &exit_code);
    if (memory != NULL)
        exit_code = run_with_store(&opts, args, app, memory, opts.event != NULL ? &event : NULL);
    arvo_memory_close(memory);
    arvo_app_free(app);
    return exit_code;
}

const cli_command cli_run = {
    .verb = "run",
    .operands = "APP...",
    .summary = "handle one event",
    .details =
        "Hands one event to the orchestrator that it is for, and prints what came of it. The new\n"
        "state and the events that the workflow emits are stored in one transaction. The same\n"
        "event again (same source and id) changes nothing and prints the same events.\n\n"
        "With --follow, delivers what is emitted to the orchestrators and mocks of the app until\n"
        "nothing moves, and prints the trace; events of domains other than `default` are printed\n"
        "for whoever serves them. What an interrupted run left undelivered is delivered first, so\n"
        "the same command again finishes the work. Interrupting (Ctrl-C) finishes the event in\n"
        "hand; exit code 3.\n\n"
        "--json prints {\"events\", \"allEventDomains\", \"domainedEvents\"}. --follow --json "
        "prints a\n"
        "line per event, {\"event\", \"domains\", \"handledBy\"}, where handledBy is\n"
        "\"orchestrator:NAME@V\", \"mock:TYPE\" or null, then one line {\"instances\": "
        "[{\"subject\",\n"
        "\"orchestrator\", \"version\", \"status\", \"value\", \"context\", \"output\"}]} of those "
        "it\n"
        "touched, and of their parents and children.\n\n"
        "Exit codes: 1, a workflow error (its sys.*.error event is among the events), or nobody "
        "in\n"
        "the app takes the event; 2, the app or the event cannot be used; 3, a transaction error:\n"
        "nothing changed, try again.\n",
    .options = run_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = run_run,
};
