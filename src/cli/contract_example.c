/* arvo contract example. */

#include "cli.h"

struct example_opts {
    const char *type;
    const char *version;
    bool invalid;
    bool minimal;
    int64_t seed;
    bool json;
};

static const cli_option contract_example_options[] = {
    { "type", CLI_TEXT, "TYPE", offsetof(struct example_opts, type),
      "the event type whose data to make (required)" },
    { "version", CLI_TEXT, "V", offsetof(struct example_opts, version),
      "of the contract; default the latest that has the type" },
    { "invalid", CLI_FLAG, NULL, offsetof(struct example_opts, invalid),
      "for every rule of the schema, data that breaks it" },
    { "minimal", CLI_FLAG, NULL, offsetof(struct example_opts, minimal),
      "without optional keys and items" },
    { "seed", CLI_NUMBER, "N", offsetof(struct example_opts, seed),
      "another number makes other data; the same, the same" },
    { "json", CLI_FLAG, NULL, offsetof(struct example_opts, json), "one JSON object" },
    CLI_REMOTES_OPTION,
    { 0 },
};

arvo_schema_source
cli_rule_source(const arvo_contract_version *version, const arvo_event_rule *rule)
{
    return (arvo_schema_source){ .schema = rule->schema_json,
                                 .additional = arvo_contract_additional(version->contract),
                                 .normalising = true };
}

static int
example_fail(arvo_status st, const arvo_error *err)
{
    cli_error("contract example: %s", err->text);
    return st == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_NO;
}

static int
example_valid(
    const struct example_opts *opts, const arvo_example_opts *how,
    const arvo_contract_version *version, const arvo_event_rule *rule)
{
    const arvo_schema_source source = cli_rule_source(version, rule);
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_example_make(&source, how, cli_arena(), &value, &err);
    if (st != ARVO_OK)
        return example_fail(st, &err);
    if (!opts->json) {
        cli_print_pretty(value);
        return CLI_DONE;
    }
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "type", cli_json_str(rule->type));
    cli_set(object, "dataschema", cli_json_str(version->dataschema));
    cli_set(object, "data", value);
    cli_print_json(object);
    return CLI_DONE;
}

static void
invalid_print(const arvo_counterexample *item)
{
    const char *key = item->key.ptr != NULL ? cli_printf(" %s", cli_shown(item->key)) : "";
    printf(
        "%s%s%s%s\n", cli_style_on(CLI_BOLD), cli_shown(item->rule), key, cli_style_off(CLI_BOLD));
    if (item->value == NULL) {
        printf("  %s\n", cli_shown(item->why));
        return;
    }
    printf("  %s\n  ", cli_shown(item->message));
    cli_print_json(item->value);
}

static const arvo_json *
invalid_json(const arvo_counterexample *item)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "rule", cli_json_str(item->rule));
    cli_set(object, "keyword", cli_json_str(item->keyword));
    if (item->key.ptr != NULL)
        cli_set(object, "key", cli_json_str(item->key));
    if (item->value != NULL) {
        cli_set(object, "data", item->value);
        cli_set(object, "message", cli_json_str(item->message));
        cli_set(object, "named", arvo_json_bool(item->named));
    } else {
        cli_set(object, "why", cli_json_str(item->why));
    }
    return object;
}

static int
example_invalid(
    const struct example_opts *opts, const arvo_example_opts *how,
    const arvo_contract_version *version, const arvo_event_rule *rule)
{
    const arvo_schema_source source = cli_rule_source(version, rule);
    arvo_counterexample_list list = { 0 };
    arvo_error err = { 0 };
    const arvo_status st = arvo_counterexamples_make(&source, how, cli_arena(), &list, &err);
    if (st != ARVO_OK)
        return example_fail(st, &err);
    arvo_json *examples = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < list.count; i++) {
        if (opts->json)
            arvo_json_push(cli_arena(), examples, invalid_json(&list.items[i]));
        else
            invalid_print(&list.items[i]);
    }
    if (list.more)
        cli_error("contract example: the first %zu rules; there are more", list.count);
    if (!opts->json)
        return CLI_DONE;
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "type", cli_json_str(rule->type));
    cli_set(object, "dataschema", cli_json_str(version->dataschema));
    cli_set(object, "invalid", examples);
    cli_print_json(object);
    return CLI_DONE;
}

static int
example_make(const struct example_opts *opts, const arvo_contracts *contracts)
{
    const arvo_event_rule *rule = NULL;
    const arvo_contract_version *version = cli_contract_find(
        contracts, arvo_str_from(opts->type), arvo_str_from(opts->version), &rule);
    if (version == NULL) {
        cli_error(
            "contract example: no contract%s%s declares the type %s",
            opts->version != NULL ? " of version " : "", opts->version != NULL ? opts->version : "",
            opts->type);
        return CLI_USAGE;
    }
    const arvo_example_opts how = { .seed = (uint64_t)opts->seed, .minimal = opts->minimal };
    return opts->invalid ? example_invalid(opts, &how, version, rule)
                         : example_valid(opts, &how, version, rule);
}

static int
contract_example_run(cli_args *args)
{
    struct example_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.type == NULL) {
        cli_error("contract example: needs --type TYPE, the event type whose data to make");
        return CLI_USAGE;
    }
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    const int exit_code = example_make(&opts, arvo_app_contracts(app));
    arvo_app_free(app);
    return exit_code;
}

const cli_command cli_contract_example = {
    .verb = "contract",
    .action = "example",
    .operands = "FILE...",
    .summary = "make data that a contract accepts, or refuses",
    .details =
        "Makes the data of an event: valid, or with --invalid, for every rule of its schema data\n"
        "that breaks that rule and no other. Every value printed was checked by the validator.\n"
        "--json: {\"type\", \"dataschema\", \"data\"}, or {\"type\", \"dataschema\", \"invalid\":\n"
        "[{\"rule\", \"keyword\", \"data\", \"message\", \"named\"} or {\"rule\", \"keyword\", "
        "\"why\"}]}.\n"
        "Exit code 1: no data was found that the schema accepts.\n",
    .options = contract_example_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = contract_example_run,
};
