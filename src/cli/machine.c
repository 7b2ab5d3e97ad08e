/* arvo machine check: what is in an app, and what is wrong with it. */

#include "cli.h"

struct machine_check_opts {
    bool json;
    bool sarif;
    bool strict;
};

static const cli_option machine_check_options[] = {
    { "json", CLI_FLAG, NULL, offsetof(struct machine_check_opts, json), "one JSON object" },
    { "sarif", CLI_FLAG, NULL, offsetof(struct machine_check_opts, sarif),
      "the findings as SARIF 2.1.0, for CI" },
    { "strict", CLI_FLAG, NULL, offsetof(struct machine_check_opts, strict),
      "warnings count as errors" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* What is wrong with a document is the answer; a file that cannot be read is not. */
arvo_app *
cli_app_check(const char *const *paths, size_t count, bool json, int *exit_code)
{
    arvo_error err = { 0 };
    arvo_app *app = cli_app_try(paths, count, &err);
    if (app != NULL)
        return app;
    const arvo_status st = err.status;
    const bool is_answer = st == ARVO_E_INVALID || st == ARVO_E_UNSUPPORTED ||
                           st == ARVO_E_NOT_FOUND || st == ARVO_E_EXISTS;
    *exit_code = is_answer ? CLI_NO : st == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_USAGE;
    if (json && is_answer) {
        arvo_json *object = arvo_json_object_new(cli_arena());
        cli_set(object, "ok", arvo_json_bool(false));
        cli_set(object, "error", cli_json_cstr(err.text));
        cli_print_json(object);
    }
    (void)cli_fail(&err);
    return NULL;
}

static const arvo_json *
machine_json(const arvo_machine *machine)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *services = arvo_json_array_new(cli_arena());
    cli_set(object, "id", cli_json_str(arvo_machine_id(machine)));
    cli_set(object, "orchestrator", cli_json_str(arvo_machine_source(machine)));
    cli_set(object, "version", cli_json_str(arvo_machine_version(machine)));
    for (size_t i = 0; i < arvo_machine_service_count(machine); i++)
        arvo_json_push(
            cli_arena(), services, cli_json_str(arvo_machine_service_at(machine, i)->dataschema));
    cli_set(object, "services", services);
    cli_set(object, "definition", cli_json_str(arvo_machine_definition_hash(machine)));
    return object;
}

/* The first error, as loading the app would say it. */
static const char *
first_error(const arvo_check *check)
{
    for (size_t i = 0; i < arvo_check_count(check); i++)
        if (arvo_check_at(check, i)->rule->severity == ARVO_CHECK_ERROR)
            return cli_finding_text(arvo_check_at(check, i));
    return "";
}

static void
check_print_json(const arvo_app *app, const arvo_check *check, bool ok)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *machines = arvo_json_array_new(cli_arena());
    arvo_json *mocks = arvo_json_array_new(cli_arena());
    for (size_t i = 0; app != NULL && i < arvo_app_machine_count(app); i++)
        arvo_json_push(cli_arena(), machines, machine_json(arvo_app_machine_at(app, i)));
    for (size_t i = 0; app != NULL && i < arvo_app_mock_count(app); i++)
        arvo_json_push(
            cli_arena(), mocks, cli_json_str(arvo_handler_type(arvo_app_mock_at(app, i))));
    cli_set(object, "ok", arvo_json_bool(ok));
    if (app == NULL)
        cli_set(object, "error", cli_json_str(arvo_str_from(first_error(check))));
    else
        cli_set(object, "machines", machines);
    if (app != NULL)
        cli_set(object, "mocks", mocks);
    cli_set(object, "findings", cli_findings_json(check));
    cli_print_json(object);
}

static const char *
plural(size_t count, const char *word)
{
    return cli_printf("%zu %s%s", count, word, count == 1 ? "" : "s");
}

static void
app_print_table(const arvo_app *app)
{
    cli_table table = { .columns = 4 };
    cli_table_row(&table, "MACHINE", "VERSION", "ORCHESTRATOR", "SERVICES");
    for (size_t i = 0; i < arvo_app_machine_count(app); i++) {
        const arvo_machine *machine = arvo_app_machine_at(app, i);
        const char *services = "";
        for (size_t j = 0; j < arvo_machine_service_count(machine); j++)
            services = cli_printf(
                "%s%s%s", services, j > 0 ? ", " : "",
                cli_cstr(arvo_machine_service_at(machine, j)->dataschema));
        cli_table_row(
            &table, cli_cstr(arvo_machine_id(machine)), cli_cstr(arvo_machine_version(machine)),
            cli_cstr(arvo_machine_source(machine)), services);
    }
    cli_table_print(&table);
}

static void
app_print_closing(const arvo_app *app, const arvo_check *check)
{
    const size_t warnings = arvo_check_warnings(check);
    if (arvo_check_silenced(check) > 0)
        printf(
            "%s allowed by the documents; --json lists them\n",
            plural(arvo_check_silenced(check), "warning"));
    printf(
        "%zu machines, %zu contracts, %zu mocks: %s\n", arvo_app_machine_count(app),
        arvo_contracts_count(arvo_app_contracts(app)), arvo_app_mock_count(app),
        warnings == 0 ? "all fine" : plural(warnings, "warning"));
}

static void
check_print(const arvo_app *app, const arvo_check *check)
{
    if (app != NULL)
        app_print_table(app);
    cli_findings_print(check);
    if (app != NULL)
        app_print_closing(app, check);
}

/* Standard error says it in one line, so that a log without the list does, too. */
static int
check_close(const arvo_check *check, bool strict)
{
    const size_t errors = arvo_check_errors(check);
    const size_t warnings = arvo_check_warnings(check);
    if (errors == 0 && (!strict || warnings == 0))
        return CLI_DONE;
    if (errors == 0)
        cli_error("%s, and --strict counts them as errors", plural(warnings, "warning"));
    else if (errors + warnings == 1)
        cli_error("%s", first_error(check));
    else
        cli_error(
            "%s%s; the first error: %s", plural(errors, "error"),
            warnings > 0 ? cli_printf(", %s", plural(warnings, "warning")) : "",
            first_error(check));
    return CLI_NO;
}

static int
machine_check_run(cli_args *args)
{
    struct machine_check_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.json && opts.sarif) {
        cli_error("--json and --sarif: give one of them");
        return CLI_USAGE;
    }
    arvo_check *check = arvo_check_new(NULL);
    arvo_app *app = NULL;
    int exit_code = CLI_TRANSACTION;
    if (check != NULL && cli_app_findings(args, check, &app, &exit_code)) {
        const bool ok = arvo_check_errors(check) == 0;
        if (opts.sarif)
            cli_findings_print_sarif(check);
        else if (opts.json)
            check_print_json(app, check, ok && (!opts.strict || arvo_check_warnings(check) == 0));
        else
            check_print(app, check);
        exit_code = check_close(check, opts.strict);
    }
    arvo_app_free(app);
    arvo_check_free(check);
    return exit_code;
}

const cli_command cli_machine_check = {
    .verb = "machine",
    .action = "check",
    .operands = "APP...",
    .summary = "check the machines of an app",
    .details =
        "Finds what is wrong before anything runs: in every document, schema and expression,\n"
        "in how they fit together, and in what the charts can and cannot do. Lists the\n"
        "machines, and the findings with file, line, rule, state and remedy. A document\n"
        "allows a warning with `allow: [{rule, reason}]` on a state or the machine.\n"
        "--json: {\"ok\": true, \"machines\": [{\"id\", \"orchestrator\", \"version\", "
        "\"services\",\n"
        "\"definition\"}], \"mocks\", \"findings\": [{\"rule\", \"severity\", \"file\", "
        "\"line\",\n"
        "\"pointer\", \"machine\", \"state\", \"text\", \"help\", \"allowed\"}]}, or "
        "{\"ok\": false,\n"
        "\"error\", \"findings\"}. Exit code 1: an error was found.\n",
    .options = machine_check_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = machine_check_run,
};
