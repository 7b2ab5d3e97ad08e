/* arvo work: a process that delivers events from a store until it is told to end. */

#include "cli.h"

#include <signal.h>
#include <unistd.h>

#include "run.h"

#define WORK_LOOK_MS   200  /* a signal is seen at most that late */
#define WORK_STATUS_MS 1000 /* between two status lines on a terminal */

#define WORK_ATTEMPTS_MAX 1000 /* what arvo_retry takes */

struct work_opts {
    const char *store;
    const char *metrics;
    int64_t threads;
    int64_t claim_ms;
    int64_t lease_ms;
    int64_t attempts;
    bool mocks;
    bool no_mocks;
    bool until_idle;
    bool json;
};

static const cli_option work_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct work_opts, store),
      "the store to deliver from (required)" },
    { "threads", CLI_NUMBER, "N", offsetof(struct work_opts, threads),
      "deliveries at a time; default 16" },
    { "claim-ms", CLI_NUMBER, "MS", offsetof(struct work_opts, claim_ms),
      "how long others leave it what it has claimed, should it die; default 30000" },
    { "lease-ms", CLI_NUMBER, "MS", offsetof(struct work_opts, lease_ms),
      "how long a workflow stays locked by a process that hangs; default 30000" },
    { "attempts", CLI_NUMBER, "N", offsetof(struct work_opts, attempts),
      "how often a delivery may fail before its event is a dead letter; default 8" },
    { "mocks", CLI_FLAG, NULL, offsetof(struct work_opts, mocks),
      "let the app's mocks answer (the default)" },
    { "no-mocks", CLI_FLAG, NULL, offsetof(struct work_opts, no_mocks),
      "leave what they would answer to the services themselves" },
    { "until-idle", CLI_FLAG, NULL, offsetof(struct work_opts, until_idle),
      "end when nothing is due and nothing in flight" },
    { "metrics", CLI_TEXT, "ADDRESS", offsetof(struct work_opts, metrics),
      "serve metrics there over HTTP, for Prometheus: 127.0.0.1:9464" },
    { "json", CLI_FLAG, NULL, offsetof(struct work_opts, json), "one line per delivery" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* Set by the first SIGINT or SIGTERM; the second one ends the process at once. */
static volatile sig_atomic_t work_interrupted;

static void
work_interrupt(int signal_number)
{
    (void)signal_number;
    work_interrupted = 1;
}

/* ---- Watching: called by the worker's threads, one at a time ---- */

struct watch {
    arvo_worker *worker;
    bool json;
    bool has_trouble; /* said already */
};

static void
watch_print_json(const arvo_delivery *delivery)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    arvo_buf line = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    trace_delivery_write(delivery, &line);
    arvo_buf_append_str(&line, ARVO_STR(",\"error\":"));
    if (delivery->status == ARVO_OK) {
        arvo_buf_append_str(&line, ARVO_STR("null"));
    } else {
        arvo_json *error = arvo_json_object_new(cli_arena());
        cli_set(
            error, "message",
            cli_json_str(
                delivery->error != NULL ? arvo_str_from(delivery->error->text)
                                        : arvo_str_from(arvo_status_text(delivery->status))));
        cli_set(error, "attempts", arvo_json_int(cli_arena(), delivery->attempts));
        cli_set(error, "retryMs", arvo_json_int(cli_arena(), delivery->retry_ms));
        cli_set(error, "dead", arvo_json_bool(delivery->is_dead));
        cli_check_memory();
        arvo_json_write(error, &line);
    }
    arvo_buf_append_str(&line, ARVO_STR("}\n"));
    if (line.status == ARVO_OK)
        (void)fwrite(line.ptr, 1, line.len, stdout);
    arvo_buf_fini(&line);
    arvo_arena_rewind(cli_arena(), mark);
}

static void
watch_delivery(void *user, const arvo_delivery *delivery)
{
    struct watch *watch = user;
    watch->has_trouble = false;
    if (watch->json)
        watch_print_json(delivery);
    if (watch->json && !cli_flush()) /* nobody reads it any more */
        arvo_worker_stop(watch->worker);
}

/* Once, until something goes well again. */
static void
watch_trouble(void *user, const arvo_error *err)
{
    struct watch *watch = user;
    if (watch->has_trouble)
        return;
    watch->has_trouble = true;
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    cli_error("work: %s; trying again", err->text);
    arvo_arena_rewind(cli_arena(), mark);
}

/* ---- The worker ---- */

/* Everything of the app; NULL: said why. */
static arvo_worker *
work_worker(
    const struct work_opts *opts, const arvo_app *app, const arvo_app_runtime *runtime,
    const arvo_app_runtime_opts *given, struct watch *watch, int *exit_code)
{
    const arvo_worker_opts worker_opts = { .memory = given->memory,
                                           .platform = given->platform,
                                           .threads = (uint32_t)opts->threads,
                                           .claim_ms = opts->claim_ms,
                                           .retry.attempts_max = (uint32_t)opts->attempts,
                                           .until_idle = opts->until_idle,
                                           .telemetry = given->telemetry,
                                           .on_delivery = watch_delivery,
                                           .on_trouble = watch_trouble,
                                           .user = watch };
    arvo_error err = { 0 };
    arvo_worker *worker = NULL;
    arvo_status st = arvo_worker_new(&worker_opts, &worker, &err);
    for (size_t i = 0; st == ARVO_OK && i < arvo_app_runtime_orchestrator_count(runtime); i++)
        st = arvo_worker_add_orchestrator(
            worker, arvo_app_runtime_orchestrator_at(runtime, i), &err);
    for (size_t i = 0; st == ARVO_OK && i < arvo_app_mock_count(app); i++) {
        arvo_handler *mock = arvo_app_mock_at(app, i);
        st = opts->no_mocks ? arvo_worker_add_elsewhere(worker, arvo_handler_type(mock), &err)
                            : arvo_worker_add_handler(worker, mock, &err);
    }
    if (st == ARVO_OK)
        return watch->worker = worker;
    arvo_worker_free(worker);
    *exit_code = cli_fail(&err);
    return NULL;
}

/* What it serves, a line each. */
static void
work_print_head(const struct work_opts *opts, const arvo_app *app, const arvo_app_runtime *runtime)
{
    printf("delivering from %s\n", cli_shown(arvo_str_from(cli_url(opts->store))));
    for (size_t i = 0; i < arvo_app_runtime_orchestrator_count(runtime); i++) {
        const arvo_orchestrator *orchestrator = arvo_app_runtime_orchestrator_at(runtime, i);
        printf("  %s", cli_shown(arvo_orchestrator_source(orchestrator)));
        for (size_t k = 0; k < arvo_orchestrator_machine_count(orchestrator); k++)
            printf(
                "%s%s", k == 0 ? "@" : ", ",
                cli_shown(arvo_machine_version(arvo_orchestrator_machine_at(orchestrator, k))));
        putchar('\n');
    }
    for (size_t i = 0; i < arvo_app_mock_count(app); i++)
        printf(
            "  %s (%s)\n", cli_shown(arvo_handler_type(arvo_app_mock_at(app, i))),
            opts->no_mocks ? "left to its service" : "mock");
    if (cli_telemetry_url() != NULL)
        printf("metrics at %s/metrics\n", cli_telemetry_url());
    (void)cli_flush();
}

static void
work_print_status(arvo_worker *worker, uint64_t *last)
{
    arvo_worker_counters counters;
    arvo_worker_count(worker, &counters);
    fprintf(
        stderr, "\r%llu delivered, %llu/s, %u in flight, %u claimed, %llu failed, %llu dead   ",
        (unsigned long long)counters.delivered,
        (unsigned long long)(counters.delivered - *last) * 1000 / WORK_STATUS_MS,
        (unsigned)counters.in_flight, (unsigned)counters.queued,
        (unsigned long long)counters.failed, (unsigned long long)counters.dead);
    (void)fflush(stderr);
    *last = counters.delivered;
}

static void
work_print_end(const struct work_opts *opts, arvo_worker *worker)
{
    arvo_worker_counters counters;
    arvo_worker_count(worker, &counters);
    printf(
        "%llu delivered, %llu for nobody here, %llu failed %s\n",
        (unsigned long long)counters.delivered, (unsigned long long)counters.unserved,
        (unsigned long long)counters.failed, counters.failed == 1 ? "attempt" : "attempts");
    if (counters.dead > 0)
        printf(
            "%llu dead %s, which nobody delivers any more: %s dlq list --store %s\n",
            (unsigned long long)counters.dead, counters.dead == 1 ? "letter" : "letters",
            cli_program, cli_quoted(arvo_str_from(cli_url(opts->store))));
}

/* Until it has ended, by itself or by a signal. */
static void
work_wait(arvo_worker *worker, arvo_memory *memory, bool shows_status)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    uint64_t last = 0;
    bool is_stopped = false;
    for (int64_t waited_ms = 0; !arvo_worker_join(worker, WORK_LOOK_MS);
         waited_ms += WORK_LOOK_MS) {
        if (work_interrupted && !is_stopped) {
            is_stopped = true;
            arvo_worker_stop(worker);
            if (ops->interrupt != NULL) /* nobody waits for a lock any more */
                ops->interrupt(arvo_memory_self(memory), true);
        }
        if (shows_status && waited_ms % WORK_STATUS_MS == 0)
            work_print_status(worker, &last);
    }
    if (shows_status)
        fprintf(stderr, "\r%80s\r", "");
}

static int
work_until_told(
    const struct work_opts *opts, const arvo_app *app, const arvo_app_runtime *runtime,
    const arvo_app_runtime_opts *given)
{
    int exit_code = CLI_DONE;
    struct watch watch = { .json = opts->json };
    arvo_worker *worker = work_worker(opts, app, runtime, given, &watch, &exit_code);
    if (worker == NULL)
        return exit_code;
    cli_telemetry_watch(worker);
    if (!opts->json)
        work_print_head(opts, app, runtime);
    else if (cli_telemetry_url() != NULL) /* the other lines are for programs */
        fprintf(stderr, "metrics at %s/metrics\n", cli_telemetry_url());
    const struct sigaction action = { .sa_handler = work_interrupt, .sa_flags = (int)SA_RESETHAND };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    arvo_error err = { 0 };
    if (arvo_worker_start(worker, &err) != ARVO_OK) {
        exit_code = cli_fail(&err);
    } else {
        work_wait(
            worker, given->memory, !opts->json && isatty(STDERR_FILENO) && isatty(STDOUT_FILENO));
        if (!opts->json)
            work_print_end(opts, worker);
    }
    cli_telemetry_close(); /* which still asks the worker */
    arvo_worker_free(worker);
    return exit_code;
}

static int
work_with_telemetry(const struct work_opts *opts, arvo_app *app, arvo_memory *memory)
{
    const cli_telemetry_opts telemetry_opts = { .metrics_address = opts->metrics,
                                                .memory = memory };
    const arvo_telemetry *telemetry = NULL;
    arvo_app_runtime *runtime = NULL;
    arvo_error err = { 0 };
    int exit_code = CLI_DONE;
    if (!cli_telemetry_open(&telemetry_opts, &telemetry, &exit_code))
        return exit_code;
    const arvo_app_runtime_opts runtime_opts = { .memory = memory,
                                                 .platform = cli_platform(),
                                                 .lease_ms = opts->lease_ms,
                                                 .telemetry = telemetry };
    exit_code = arvo_app_start(app, &runtime_opts, &runtime, &err) == ARVO_OK
                    ? work_until_told(opts, app, runtime, &runtime_opts)
                    : cli_fail(&err);
    cli_telemetry_close();
    arvo_app_stop(runtime);
    return exit_code;
}

/* ---- The verb ---- */

static bool
work_check(const struct work_opts *opts)
{
    if (opts->store == NULL)
        cli_error("work: needs --store URL, for example --store sqlite:orders.db");
    else if (strncmp(opts->store, "memory:", 7) == 0)
        cli_error(
            "work: --store %s: what is in this process's memory nobody else can put events into; "
            "use sqlite:FILE",
            opts->store);
    else if (opts->mocks && opts->no_mocks)
        cli_error("work: --mocks and --no-mocks: say one of them");
    else if (opts->threads > ARVO_WORKER_THREADS_MAX)
        cli_error("work: --threads: at most %u", ARVO_WORKER_THREADS_MAX);
    else if (opts->attempts > WORK_ATTEMPTS_MAX)
        cli_error("work: --attempts: at most %d", WORK_ATTEMPTS_MAX);
    else
        return true;
    return false;
}

static int
work_run(cli_args *args)
{
    struct work_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!work_check(&opts))
        return CLI_USAGE;
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    arvo_memory *memory = cli_store_open(opts.store, false, &exit_code);
    if (memory != NULL)
        exit_code = work_with_telemetry(&opts, app, memory);
    arvo_memory_close(memory);
    arvo_app_free(app);
    return exit_code;
}

const cli_command cli_work = {
    .verb = "work",
    .operands = "APP...",
    .summary = "deliver events from a store",
    .details =
        "Delivers what waits in a store's outbox to the orchestrators and mocks of the app, many\n"
        "events at a time, for as long as it runs; any number of such processes may share a "
        "store.\n"
        "Events come into the outbox from workflows, from arvo run, and from arvo event send. The\n"
        "events of one workflow are delivered in their order. One that fails is tried again after "
        "a\n"
        "pause that grows, and is a dead letter (arvo dlq) after the eighth time, or the N-th\n"
        "of --attempts N; standard error says so (ARVO_LOG, see man arvo).\n\n"
        "SIGTERM or SIGINT (Ctrl-C) finishes what is in flight, gives back what was claimed, and\n"
        "ends with exit code 0; the second one ends it at once, and nothing is lost by that.\n\n"
        "--json prints {\"event\", \"domains\", \"handledBy\", \"error\"} per delivery; error is "
        "null or\n"
        "{\"message\", \"attempts\", \"retryMs\", \"dead\"}. Events that the app's workflows made "
        "and "
        "nobody\n"
        "in the app serves have handledBy null: they are for whoever reads these lines.\n\n"
        "--metrics HOST:PORT serves /metrics, as Prometheus' text or OpenMetrics, and /healthz; "
        "PORT\n"
        "alone is that of 127.0.0.1, and port 0 any that is free, which is printed. There is no\n"
        "password: whoever can reach the address may read. The OTEL_ variables are those of arvo "
        "run.\n\n"
        "Exit codes: 2, the app, the store or the address cannot be used; 3, the store could not "
        "be\n"
        "opened.\n",
    .options = work_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = work_run,
};
