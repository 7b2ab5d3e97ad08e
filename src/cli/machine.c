/* arvo machine check: does an app load, and what is in it. */

#include "cli.h"

struct machine_check_opts {
    bool json;
};

static const cli_option machine_check_options[] = {
    { "json", CLI_FLAG, NULL, offsetof(struct machine_check_opts, json), "one JSON object" },
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
        cli_set(object, "error", cli_json_str(arvo_str_from(err.text)));
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

static void
app_print_json(const arvo_app *app)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *machines = arvo_json_array_new(cli_arena());
    arvo_json *mocks = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < arvo_app_machine_count(app); i++)
        arvo_json_push(cli_arena(), machines, machine_json(arvo_app_machine_at(app, i)));
    for (size_t i = 0; i < arvo_app_mock_count(app); i++)
        arvo_json_push(
            cli_arena(), mocks, cli_json_str(arvo_handler_type(arvo_app_mock_at(app, i))));
    cli_set(object, "ok", arvo_json_bool(true));
    cli_set(object, "machines", machines);
    cli_set(object, "mocks", mocks);
    cli_print_json(object);
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
    printf(
        "%zu machines, %zu contracts, %zu mocks: all fine\n", arvo_app_machine_count(app),
        arvo_contracts_count(arvo_app_contracts(app)), arvo_app_mock_count(app));
}

static int
machine_check_run(cli_args *args)
{
    struct machine_check_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    int exit_code = CLI_DONE;
    arvo_app *app = cli_app_check(args->operands, args->operand_count, opts.json, &exit_code);
    if (app == NULL)
        return exit_code;
    if (opts.json)
        app_print_json(app);
    else
        app_print_table(app);
    arvo_app_free(app);
    return CLI_DONE;
}

const cli_command cli_machine_check = {
    .verb = "machine",
    .action = "check",
    .operands = "APP...",
    .summary = "check the machines of an app",
    .details = "Loads an app: every document, every schema, every expression, and how they fit\n"
               "together; lists its machines. Says file, line and JSON pointer of what is wrong.\n"
               "--json: {\"ok\": true, \"machines\": [{\"id\", \"orchestrator\", \"version\", "
               "\"services\",\n"
               "\"definition\"}], \"mocks\"}, or {\"ok\": false, \"error\"}. Exit code 1: a "
               "document is wrong.\n",
    .options = machine_check_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = machine_check_run,
};
