/* arvo contract check and validate. */

#include "cli.h"

struct contract_opts {
    const char *type;
    const char *version;
    const char *data;
    bool json;
};

static const cli_option contract_check_options[] = {
    { "json", CLI_FLAG, NULL, offsetof(struct contract_opts, json), "one JSON object" },
    CLI_REMOTES_OPTION,
    { 0 },
};

static const cli_option contract_validate_options[] = {
    { "type", CLI_TEXT, "TYPE", offsetof(struct contract_opts, type),
      "the event type whose data it is (required)" },
    { "version", CLI_TEXT, "V", offsetof(struct contract_opts, version),
      "of the contract; default the latest that has the type" },
    { "data", CLI_TEXT, "FILE", offsetof(struct contract_opts, data),
      "the data, JSON or YAML; default -, standard input" },
    { "json", CLI_FLAG, NULL, offsetof(struct contract_opts, json), "one JSON object" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- check ---- */

static const arvo_json *
version_json(const arvo_contract_version *version)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *emits = arvo_json_array_new(cli_arena());
    cli_set(object, "version", cli_json_str(version->version));
    cli_set(object, "accepts", cli_json_str(version->accepts.type));
    for (size_t i = 0; i < version->emit_count; i++)
        arvo_json_push(cli_arena(), emits, cli_json_str(version->emits[i].type));
    cli_set(object, "emits", emits);
    return object;
}

static const arvo_json *
contract_json(const arvo_contract *contract)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *versions = arvo_json_array_new(cli_arena());
    cli_set(object, "uri", cli_json_str(arvo_contract_uri(contract)));
    cli_set(object, "type", cli_json_str(arvo_contract_type(contract)));
    cli_set(object, "orchestrator", arvo_json_bool(arvo_contract_is_orchestrator(contract)));
    for (size_t i = 0; i < arvo_contract_version_count(contract); i++)
        arvo_json_push(cli_arena(), versions, version_json(arvo_contract_version_at(contract, i)));
    cli_set(object, "versions", versions);
    return object;
}

static void
contracts_print_json(const arvo_contracts *contracts)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *list = arvo_json_array_new(cli_arena());
    cli_set(object, "ok", arvo_json_bool(true));
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++)
        arvo_json_push(cli_arena(), list, contract_json(arvo_contracts_at(contracts, i)));
    cli_set(object, "contracts", list);
    cli_print_json(object);
}

static void
contracts_print_table(const arvo_contracts *contracts)
{
    cli_table table = { .columns = 4 };
    cli_table_row(&table, "CONTRACT", "VERSION", "ACCEPTS", "EMITS");
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *contract = arvo_contracts_at(contracts, i);
        for (size_t j = 0; j < arvo_contract_version_count(contract); j++) {
            const arvo_contract_version *version = arvo_contract_version_at(contract, j);
            const char *emits = "";
            for (size_t k = 0; k < version->emit_count; k++)
                emits = cli_printf(
                    "%s%s%s", emits, k > 0 ? ", " : "", cli_cstr(version->emits[k].type));
            cli_table_row(
                &table, cli_cstr(version->uri), cli_cstr(version->version),
                cli_cstr(version->accepts.type), emits);
        }
    }
    cli_table_print(&table);
}

static void
contracts_warn(const arvo_contracts *contracts)
{
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *contract = arvo_contracts_at(contracts, i);
        for (size_t j = 0; j < arvo_contract_version_count(contract); j++) {
            const arvo_contract_version *version = arvo_contract_version_at(contract, j);
            cli_schema_warnings(version->accepts.schema);
            for (size_t k = 0; k < version->emit_count; k++)
                cli_schema_warnings(version->emits[k].schema);
        }
    }
}

static int
contract_check_run(cli_args *args)
{
    struct contract_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    int exit_code = CLI_DONE;
    arvo_app *app = cli_app_check(args->operands, args->operand_count, opts.json, &exit_code);
    if (app == NULL)
        return exit_code;
    contracts_warn(arvo_app_contracts(app));
    if (opts.json)
        contracts_print_json(arvo_app_contracts(app));
    else
        contracts_print_table(arvo_app_contracts(app));
    arvo_app_free(app);
    return CLI_DONE;
}

/* ---- validate ---- */

static const arvo_event_rule *
version_rule(const arvo_contract_version *version, arvo_str type)
{
    if (arvo_str_equal(version->accepts.type, type))
        return &version->accepts;
    return arvo_contract_version_emit_find(version, type);
}

/* The latest version so far that knows the type. */
typedef struct best_version {
    const arvo_contract_version *version;
    const arvo_event_rule *rule;
} best_version;

/* Of a contract's versions that know the type: the one asked for (none: any), if it is later than
 * the best so far. */
static void
best_of_contract(best_version *best, const arvo_contract *contract, arvo_str type, arvo_str wanted)
{
    for (size_t i = 0; i < arvo_contract_version_count(contract); i++) {
        const arvo_contract_version *version = arvo_contract_version_at(contract, i);
        const arvo_event_rule *rule = version_rule(version, type);
        if (rule == NULL || (wanted.ptr != NULL && !arvo_str_equal(wanted, version->version)))
            continue;
        if (best->version == NULL ||
            arvo_version_compare(version->version, best->version->version) > 0)
            *best = (best_version){ version, rule };
    }
}

const arvo_contract_version *
cli_contract_find(
    const arvo_contracts *contracts, arvo_str type, arvo_str wanted, const arvo_event_rule **rule)
{
    best_version best = { 0 };
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++)
        best_of_contract(&best, arvo_contracts_at(contracts, i), type, wanted);
    if (best.version != NULL)
        *rule = best.rule;
    return best.version;
}

const arvo_contract_version *
cli_contract_find_schema(
    const arvo_contracts *contracts, arvo_str type, arvo_str dataschema,
    const arvo_event_rule **rule)
{
    arvo_str uri, wanted;
    if (!arvo_dataschema_parse(dataschema, &uri, &wanted))
        return NULL;
    const bool is_any = arvo_str_is(wanted, ARVO_VERSION_WILDCARD);
    const arvo_contract *contract = arvo_contracts_find(contracts, uri);
    best_version best = { 0 };
    if (contract != NULL)
        best_of_contract(&best, contract, type, is_any ? ARVO_STR_NONE : wanted);
    if (best.version != NULL)
        *rule = best.rule;
    return best.version;
}

void
cli_issues_print(const arvo_schema_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const arvo_schema_issue *issue = &report->issues[i];
        cli_error(
            "%s: %.*s", issue->path.len > 0 ? cli_cstr(issue->path) : "(the whole value)",
            ARVO_FMT(issue->message));
    }
    if (report->more)
        cli_error("and more");
}

void
cli_issues_print_json(const arvo_schema_report *report)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *list = arvo_json_array_new(cli_arena());
    cli_set(object, "valid", arvo_json_bool(false));
    for (size_t i = 0; i < report->count; i++) {
        arvo_json *issue = arvo_json_object_new(cli_arena());
        cli_set(issue, "path", cli_json_str(report->issues[i].path));
        cli_set(issue, "keyword", cli_json_str(report->issues[i].keyword));
        cli_set(issue, "message", cli_json_str(report->issues[i].message));
        cli_set(issue, "schema", cli_json_str(report->issues[i].schema));
        arvo_json_push(cli_arena(), list, issue);
    }
    cli_set(object, "issues", list);
    cli_print_json(object);
}

static int
contract_validate(const struct contract_opts *opts, const arvo_contracts *contracts)
{
    const arvo_event_rule *rule = NULL;
    const arvo_contract_version *version = cli_contract_find(
        contracts, arvo_str_from(opts->type), arvo_str_from(opts->version), &rule);
    if (version == NULL) {
        cli_error(
            "contract validate: no contract%s%s declares the type %s",
            opts->version != NULL ? " of version " : "", opts->version != NULL ? opts->version : "",
            opts->type);
        return CLI_USAGE;
    }
    arvo_document data;
    if (!cli_document_load(opts->data != NULL ? opts->data : "-", &data))
        return CLI_USAGE;

    arvo_schema_report report = { 0 };
    arvo_error err = { 0 };
    const arvo_json *normal = NULL;
    arvo_status st = arvo_schema_normalise(rule->schema, data.root, cli_arena(), &normal, &err);
    if (st == ARVO_E_INVALID)
        st = arvo_schema_explain(rule->schema, data.root, cli_arena(), &report, &err);
    if (st == ARVO_E_INVALID && report.count > 0) {
        if (opts->json)
            cli_issues_print_json(&report);
        else
            cli_issues_print(&report);
        return CLI_NO;
    }
    if (st != ARVO_OK) {
        cli_error("contract validate: %s", err.text);
        return st == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_NO;
    }
    if (!opts->json) {
        printf("valid: %s of %s\n", opts->type, cli_shown(version->dataschema));
        cli_print_pretty(normal);
        return CLI_DONE;
    }
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "valid", arvo_json_bool(true));
    cli_set(object, "dataschema", cli_json_str(version->dataschema));
    cli_set(object, "data", normal);
    cli_print_json(object);
    return CLI_DONE;
}

static int
contract_validate_run(cli_args *args)
{
    struct contract_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.type == NULL) {
        cli_error("contract validate: needs --type TYPE, the event type whose data it is");
        return CLI_USAGE;
    }
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    const int exit_code = contract_validate(&opts, arvo_app_contracts(app));
    arvo_app_free(app);
    return exit_code;
}

const cli_command cli_contract_check = {
    .verb = "contract",
    .action = "check",
    .operands = "FILE...",
    .summary = "check contract documents",
    .details =
        "Loads contracts (and whatever else the files and directories hold) and lists them.\n"
        "--json: {\"ok\", \"contracts\": [{\"uri\", \"type\", \"orchestrator\", \"versions\"}]}, "
        "or\n"
        "{\"ok\": false, \"error\"}. Exit code 1: a document is wrong.\n",
    .options = contract_check_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = contract_check_run,
};

const cli_command cli_contract_validate = {
    .verb = "contract",
    .action = "validate",
    .operands = "FILE...",
    .summary = "check data against a contract",
    .details =
        "Checks the data of an event against the contract that declares its type, and prints it\n"
        "as the workflow would see it: defaults filled in, undeclared keys dropped.\n"
        "--json: {\"valid\": true, \"dataschema\", \"data\"}, or {\"valid\": false, \"issues\":\n"
        "[{\"path\", \"keyword\", \"message\", \"schema\"}]}. Exit code 1: not valid.\n",
    .options = contract_validate_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = contract_validate_run,
};
