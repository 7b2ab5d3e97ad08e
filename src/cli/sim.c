/* arvo sim: runs on virtual time, with faults drawn from a seed. */

#include "cli.h"

#include <inttypes.h>
#include <time.h>

#define SIM_SEEDS_DEFAULT 100

struct sim_opts {
    const char *seed;
    int64_t seeds;
    int64_t processes;
    int64_t workflows;
    const char *faults;
    const char *keep;
    const char *store;
    cli_list events;
    cli_list expect;
    bool story;
    bool json;
};

static const cli_option sim_options[] = {
    { "seed", CLI_TEXT, "S", offsetof(struct sim_opts, seed),
      "one run, that of this seed; what happens is printed" },
    { "seeds", CLI_NUMBER, "N", offsetof(struct sim_opts, seeds),
      "so many runs (default 100), with seeds that the clock gives" },
    { "processes", CLI_NUMBER, "P", offsetof(struct sim_opts, processes),
      "processes that share the store (default: drawn, 1 to 4)" },
    { "workflows", CLI_NUMBER, "N", offsetof(struct sim_opts, workflows),
      "workflows that are started (default: drawn, 1 to 6)" },
    { "faults", CLI_TEXT, "LIST", offsetof(struct sim_opts, faults),
      "kinds of faults, joined by commas, as listed above; none; default: the seed draws" },
    { "keep", CLI_TEXT, "LIST", offsetof(struct sim_opts, keep),
      "faults strike at these points only, as a smaller run names them" },
    { "store", CLI_TEXT, "NAME", offsetof(struct sim_opts, store),
      "memory or sqlite (default: drawn)" },
    { "event", CLI_LIST, "FILE", offsetof(struct sim_opts, events),
      "a start event, or one for workflows that wait; may be repeated" },
    { "expect", CLI_LIST, "EXPR", offsetof(struct sim_opts, expect),
      "what must hold of a workflow that has ended, MACHINE: EXPR or EXPR; may be repeated" },
    { "json", CLI_FLAG, NULL, offsetof(struct sim_opts, json), "one JSON object, as said above" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- Options ----------------------------------------------------------------------- */

static bool
sim_fault_named(const char *word, size_t length, uint32_t *bits)
{
    for (unsigned fault = 0; fault < ARVO_SIM_FAULT_COUNT; fault++) {
        const char *name = arvo_sim_fault_word((arvo_sim_fault)fault);
        if (strlen(name) == length && memcmp(name, word, length) == 0) {
            *bits |= 1u << fault;
            return true;
        }
    }
    return false;
}

static bool
sim_faults(const char *list, arvo_sim_opts *out)
{
    out->faults = ARVO_SIM_FAULTS_ALL;
    if (list == NULL)
        return true;
    out->faults = 0;
    out->all_faults = true;
    if (strcmp(list, "none") == 0)
        return true;
    if (strcmp(list, "all") == 0) {
        out->faults = ARVO_SIM_FAULTS_ALL;
        return true;
    }
    for (const char *at = list; *at != '\0';) {
        const size_t length = strcspn(at, ",");
        if (!sim_fault_named(at, length, &out->faults)) {
            cli_error(
                "sim: --faults %s: \"%.*s\" is no fault; arvo sim --help lists them", list,
                (int)length, at);
            return false;
        }
        at += length;
        at += *at == ',';
    }
    return true;
}

static bool
sim_keep(const char *list, uint32_t *keep, arvo_sim_opts *out)
{
    if (list == NULL)
        return true;
    out->keep = keep;
    for (const char *at = list; *at != '\0' && strcmp(list, "none") != 0;) {
        uint64_t point = 0;
        if (!cli_number_read(at, UINT32_MAX, &point, &at) || (*at != ',' && *at != '\0') ||
            out->keep_count == ARVO_SIM_KEEP_MAX) {
            cli_error(
                "sim: --keep %s: must be at most %u numbers joined by commas, or none", list,
                ARVO_SIM_KEEP_MAX);
            return false;
        }
        keep[out->keep_count++] = (uint32_t)point;
        at += *at == ',';
    }
    return true;
}

static bool
sim_store(const char *name, arvo_sim_opts *out)
{
    if (name == NULL)
        return true;
    if (strcmp(name, "memory") == 0)
        out->store = ARVO_SIM_STORE_MEMORY;
    else if (strcmp(name, "sqlite") == 0)
        out->store = ARVO_SIM_STORE_SQLITE;
    else
        cli_error("sim: --store %s: must be memory or sqlite", name);
    return out->store != ARVO_SIM_STORE_DRAWN;
}

/* "MACHINE: EXPR", or an expression for every machine. */
static arvo_sim_expectation
sim_expectation(const char *text)
{
    const size_t name =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (name == 0 || text[name] != ':')
        return (arvo_sim_expectation){ .expression = arvo_str_from(text) };
    return (arvo_sim_expectation){ .machine = { text, name },
                                   .expression = arvo_str_from(text + name + 1) };
}

static bool
sim_lists(const struct sim_opts *opts, arvo_sim_opts *out)
{
    arvo_event *events = arvo_arena_calloc(cli_arena(), opts->events.count + 1, sizeof(*events));
    arvo_sim_expectation *expect =
        arvo_arena_calloc(cli_arena(), opts->expect.count + 1, sizeof(*expect));
    cli_check_memory();
    for (size_t i = 0; i < opts->events.count; i++)
        if (!cli_event_load(opts->events.items[i], &events[i]))
            return false;
    for (size_t i = 0; i < opts->expect.count; i++)
        expect[i] = sim_expectation(opts->expect.items[i]);
    out->events = events;
    out->event_count = opts->events.count;
    out->expectations = expect;
    out->expectation_count = opts->expect.count;
    return true;
}

static bool
sim_read_opts(const struct sim_opts *opts, uint32_t *keep, arvo_sim_opts *out)
{
    const char *end = "";
    if (opts->seed != NULL &&
        (!cli_number_read(opts->seed, UINT64_MAX, &out->seed, &end) || *end != '\0')) {
        cli_error("sim: --seed %s: must be a number", opts->seed);
        return false;
    }
    if (opts->processes > ARVO_SIM_PROCESSES_MAX || opts->workflows > ARVO_SIM_WORKFLOWS_MAX) {
        cli_error(
            "sim: at most %u processes and %u workflows", ARVO_SIM_PROCESSES_MAX,
            ARVO_SIM_WORKFLOWS_MAX);
        return false;
    }
    out->processes = (uint32_t)opts->processes;
    out->workflows = (uint32_t)opts->workflows;
    return sim_faults(opts->faults, out) && sim_keep(opts->keep, keep, out) &&
           sim_store(opts->store, out) && sim_lists(opts, out);
}

/* ---- Saying what came of it ------------------------------------------------------------- */

static void
sim_line(void *user, arvo_str line)
{
    (void)user;
    printf("%s\n", cli_shown(line));
}

static const char *
sim_fault_list(uint32_t faults)
{
    const char *list = "";
    for (unsigned fault = 0; fault < ARVO_SIM_FAULT_COUNT; fault++)
        if (faults & (1u << fault))
            list = cli_printf(
                "%s%s%s", list, *list != '\0' ? "," : "",
                arvo_sim_fault_word((arvo_sim_fault)fault));
    return *list != '\0' ? list : "none";
}

/* The run as a command, with what the user said of the app. */
static const char *
sim_command(const arvo_sim_opts *run, const struct sim_opts *opts, const cli_args *args)
{
    const char *text = cli_printf(
        "%s sim --seed %" PRIu64 " --store %s --processes %u --workflows %u --faults %s",
        cli_program, run->seed, run->store == ARVO_SIM_STORE_SQLITE ? "sqlite" : "memory",
        run->processes, run->workflows, sim_fault_list(run->faults));
    for (size_t i = 0; run->keep != NULL && i < run->keep_count; i++)
        text = cli_printf("%s%s%u", text, i == 0 ? " --keep " : ",", run->keep[i]);
    for (size_t i = 0; i < opts->events.count; i++)
        text = cli_printf("%s --event %s", text, cli_quoted(arvo_str_from(opts->events.items[i])));
    for (size_t i = 0; i < opts->expect.count; i++)
        text = cli_printf("%s --expect %s", text, cli_quoted(arvo_str_from(opts->expect.items[i])));
    for (size_t i = 0; i < args->operand_count; i++)
        text = cli_printf("%s %s", text, cli_quoted(arvo_str_from(args->operands[i])));
    return text;
}

struct sim_totals {
    int64_t runs;
    uint64_t steps, commits, events, crashes, faults;
};

static void
sim_add(struct sim_totals *totals, const arvo_sim_report *report)
{
    totals->runs++;
    totals->steps += report->steps;
    totals->commits += report->commits;
    totals->events += report->events;
    totals->crashes += report->crashes;
    totals->faults += report->struck_count;
}

static void
sim_print_json(
    const struct sim_totals *totals, uint64_t first, const arvo_sim_report *failed,
    const char *command)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "runs", arvo_json_int(cli_arena(), totals->runs));
    cli_set(object, "firstSeed", cli_json_str(arvo_str_from(cli_printf("%" PRIu64, first))));
    cli_set(object, "events", arvo_json_int(cli_arena(), (int64_t)totals->events));
    cli_set(object, "commits", arvo_json_int(cli_arena(), (int64_t)totals->commits));
    cli_set(object, "operations", arvo_json_int(cli_arena(), (int64_t)totals->steps));
    cli_set(object, "faults", arvo_json_int(cli_arena(), (int64_t)totals->faults));
    cli_set(object, "crashes", arvo_json_int(cli_arena(), (int64_t)totals->crashes));
    cli_set(
        object, "broken",
        failed != NULL ? cli_json_str(arvo_str_from(failed->rule)) : arvo_json_null());
    cli_set(
        object, "what",
        failed != NULL ? cli_json_str(arvo_str_from(failed->what)) : arvo_json_null());
    cli_set(
        object, "command",
        command != NULL ? cli_json_str(arvo_str_from(command)) : arvo_json_null());
    cli_print_json(object);
}

static void
sim_print_totals(const struct sim_totals *totals, uint64_t first)
{
    printf(
        "%" PRId64 " run%s, seeds from %" PRIu64 ": nothing broken\n"
        "%" PRIu64 " events consumed in %" PRIu64 " commits and %" PRIu64 " operations; %" PRIu64
        " faults, %" PRIu64 " crashes\n",
        totals->runs, totals->runs == 1 ? "" : "s", first, totals->events, totals->commits,
        totals->steps, totals->faults, totals->crashes);
}

/* ---- The verb ----------------------------------------------------------------------------- */

/* A smaller run that breaks the same, told from its beginning. */
static int
sim_explain(
    const arvo_sim_opts *failing, const struct sim_opts *opts, const cli_args *args,
    const struct sim_totals *totals, uint64_t first)
{
    static uint32_t keep[ARVO_SIM_KEEP_MAX];
    arvo_sim_opts smaller;
    arvo_sim_report report;
    arvo_error err = { 0 };
    if (!opts->json)
        fprintf(
            stderr, "seed %" PRIu64 " breaks something; making the run smaller\n", failing->seed);
    arvo_status st = arvo_sim_minimise(failing, &smaller, keep, &report, &err);
    if (st == ARVO_OK && !opts->json) {
        smaller.line = sim_line;
        st = arvo_sim_run(&smaller, &report, &err);
    }
    if (st != ARVO_OK)
        return cli_fail(&err);
    const char *command = sim_command(&smaller, opts, args);
    if (opts->json)
        sim_print_json(totals, first, &report, command);
    else
        printf(
            "\n%s%s%s: %s\n%s\n", cli_style_on(CLI_RED), report.rule, cli_style_off(CLI_RED),
            report.what, command);
    return CLI_NO;
}

static int
sim_one(arvo_sim_opts *run, const struct sim_opts *opts)
{
    arvo_sim_report report;
    arvo_error err = { 0 };
    struct sim_totals totals = { 0 };
    run->line = opts->json ? NULL : sim_line;
    if (arvo_sim_run(run, &report, &err) != ARVO_OK)
        return cli_fail(&err);
    sim_add(&totals, &report);
    if (opts->json)
        sim_print_json(&totals, run->seed, report.failed ? &report : NULL, NULL);
    else if (report.failed)
        printf("\n%s: %s\n", report.rule, report.what);
    else
        sim_print_totals(&totals, run->seed);
    return report.failed ? CLI_NO : CLI_DONE;
}

static int
sim_many(arvo_sim_opts *run, const struct sim_opts *opts, const cli_args *args, uint64_t first)
{
    struct sim_totals totals = { 0 };
    arvo_error err = { 0 };
    for (int64_t i = 0; i < opts->seeds; i++) {
        arvo_sim_report report;
        run->seed = first + (uint64_t)i;
        if (arvo_sim_run(run, &report, &err) != ARVO_OK)
            return cli_fail(&err);
        sim_add(&totals, &report);
        if (report.failed)
            return sim_explain(run, opts, args, &totals, first);
    }
    if (opts->json)
        sim_print_json(&totals, first, NULL, NULL);
    else
        sim_print_totals(&totals, first);
    return CLI_DONE;
}

static int
sim_run(cli_args *args)
{
    static uint32_t keep[ARVO_SIM_KEEP_MAX];
    struct sim_opts opts = { .seeds = SIM_SEEDS_DEFAULT };
    arvo_sim_opts run = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!sim_read_opts(&opts, keep, &run))
        return CLI_USAGE;
    if (args->operand_count > 0) {
        run.app = cli_app_load(args->operands, args->operand_count);
        if (run.app == NULL)
            return CLI_USAGE;
    } else if (opts.events.count > 0 || opts.expect.count > 0) {
        cli_error("sim: --event and --expect need an APP");
        return CLI_USAGE;
    }
    const int exit_code = opts.seed != NULL
                              ? sim_one(&run, &opts)
                              : sim_many(&run, &opts, args, (uint64_t)time(NULL) * 1000003u);
    arvo_app_free(run.app);
    return exit_code;
}

const cli_command cli_sim = {
    .verb = "sim",
    .operands = "[APP...]",
    .summary = "run an app on virtual time, with faults drawn from a seed",
    .details =
        "Runs several processes on one store in virtual time, kills them, loses and doubles what\n"
        "they send, lets leases expire and clocks jump, and checks what docs/guarantees.md "
        "promises.\n"
        "With APP: the workflows of the app, its mocks as services, in the store or outside. The\n"
        "workflows begin with --event, or with examples of their contracts. Every one must end,\n"
        "and --expect must hold then: an expression over .context, .input (the start event) and\n"
        ".params.status, .params.value, .params.output. Without APP: workflows that are built "
        "in.\n\n"
        "A seed that breaks something is made smaller, told from its beginning, and printed as a\n"
        "command that does the same again.\n\n"
        "Faults: crash, answer, refuse, full, slow, pause, partition, clock, power, disk, probe,\n"
        "duplicate, delay, lose, again; none; all. docs/simulation.md explains them.\n\n"
        "--json: {\"runs\", \"firstSeed\", \"events\", \"commits\", \"operations\", \"faults\", "
        "\"crashes\",\n"
        "\"broken\", \"what\", \"command\"}.\n\n"
        "Exit codes: 1, something is broken; 2, the app or an option cannot be used.\n",
    .options = sim_options,
    .operands_max = -1,
    .run = sim_run,
};
