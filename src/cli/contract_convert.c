/* arvo contract export and import: our documents, arvo-core's toJsonSchema() form, AsyncAPI 3.
 *
 * arvo-core's form has one word for two things: zod writes additionalProperties: false for objects
 * that drop what they do not know, which ours say by leaving the keyword out. So going out, the
 * keyword is added where ours leaves it out, and coming in it is taken away. An object of ours that
 * really refuses unknown keys cannot be said in that form; whoever exports one is told. */

#include "cli.h"

#define PARENT_SUBJECT  "parentSubject$$"
#define SCHEMA_NEST_MAX 128u
#define DRAFT_7         "http://json-schema.org/draft-07/schema#"
#define DRAFT_2020_12   "https://json-schema.org/draft/2020-12/schema"

struct convert_opts {
    const char *uri;
    bool asyncapi;
};

static const cli_option contract_export_options[] = {
    { "uri", CLI_TEXT, "URI", offsetof(struct convert_opts, uri), "only this contract" },
    { "asyncapi", CLI_FLAG, NULL, offsetof(struct convert_opts, asyncapi),
      "one AsyncAPI 3 document of all" },
    CLI_REMOTES_OPTION,
    { 0 },
};

static const cli_option contract_import_options[] = {
    { "uri", CLI_TEXT, "URI", offsetof(struct convert_opts, uri), "only this contract" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- Schemas from one way of speaking to the other ---- */

typedef enum strip_way {
    STRIP_SAID,  /* additionalProperties: false where an object lists keys and says nothing */
    STRIP_UNSAID /* the other way round */
} strip_way;

static const arvo_json *schema_turn(const arvo_json *schema, strip_way way, size_t depth);

static const arvo_json *
parts_turn(const arvo_json *parts, strip_way way, size_t depth)
{
    const bool is_array = arvo_json_type_of(parts) == ARVO_JSON_ARRAY;
    arvo_json *out =
        is_array ? arvo_json_array_new(cli_arena()) : arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < arvo_json_count(parts); i++) {
        const arvo_json *part = schema_turn(arvo_json_at(parts, i), way, depth);
        if (is_array)
            arvo_json_push(cli_arena(), out, part);
        else
            arvo_json_set(cli_arena(), out, arvo_json_key_at(parts, i), part);
    }
    return out;
}

static bool
is_one_of(arvo_str key, const char *const *words)
{
    for (; *words != NULL; words++)
        if (arvo_str_is(key, *words))
            return true;
    return false;
}

/* Keywords that hold a schema, or several. Under allOf and the like an object speaks for a part of
 * the keys only: there zod adds nothing. */
static const arvo_json *
keyword_turn(arvo_str key, const arvo_json *value, strip_way way, size_t depth)
{
    static const char *const maps[] = { "properties",  "patternProperties", "$defs",
                                        "definitions", "dependentSchemas",  NULL };
    static const char *const lists[] = { "anyOf", "oneOf", "prefixItems", NULL };
    static const char *const single[] = { "items", "additionalItems", "additionalProperties",
                                          "contains", NULL };
    static const char *const partial[] = { "allOf", NULL };
    const arvo_json_type type = arvo_json_type_of(value);
    if (type != ARVO_JSON_OBJECT && type != ARVO_JSON_ARRAY)
        return value;
    if (is_one_of(key, maps) || is_one_of(key, lists) ||
        (type == ARVO_JSON_ARRAY && arvo_str_is(key, "items")) ||
        (way == STRIP_UNSAID && is_one_of(key, partial)))
        return parts_turn(value, way, depth + 1);
    return is_one_of(key, single) ? schema_turn(value, way, depth + 1) : value;
}

static const arvo_json *
schema_turn(const arvo_json *schema, strip_way way, size_t depth)
{
    if (arvo_json_type_of(schema) != ARVO_JSON_OBJECT || depth > SCHEMA_NEST_MAX)
        return schema;
    const arvo_json *extra = arvo_json_get(schema, "additionalProperties");
    const bool is_false = extra != NULL && !arvo_json_bool_or(extra, true);
    arvo_json *out = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < arvo_json_count(schema); i++) {
        const arvo_str key = arvo_json_key_at(schema, i);
        if (way == STRIP_UNSAID && is_false && arvo_str_is(key, "additionalProperties"))
            continue;
        arvo_json_set(
            cli_arena(), out, key, keyword_turn(key, arvo_json_at(schema, i), way, depth));
    }
    const bool lists_keys = arvo_json_get(schema, "properties") != NULL &&
                            arvo_json_get(schema, "allOf") == NULL &&
                            arvo_json_get(schema, "$ref") == NULL &&
                            arvo_json_get(schema, "unevaluatedProperties") == NULL;
    if (way == STRIP_SAID && extra == NULL && lists_keys)
        cli_set(out, "additionalProperties", arvo_json_bool(false));
    return out;
}

/* Whether it says something that draft-07 reads otherwise, or not at all. */
static bool
is_newer(const arvo_json *schema, size_t depth)
{
    static const char *const words[] = { "prefixItems",      "dependentRequired",
                                         "dependentSchemas", "minContains",
                                         "maxContains",      "unevaluatedProperties",
                                         "unevaluatedItems", "$anchor",
                                         "$dynamicRef",      NULL };
    const arvo_json_type type = arvo_json_type_of(schema);
    if (depth > SCHEMA_NEST_MAX || (type != ARVO_JSON_OBJECT && type != ARVO_JSON_ARRAY))
        return false;
    for (size_t i = 0; i < arvo_json_count(schema); i++) {
        if (type == ARVO_JSON_OBJECT && is_one_of(arvo_json_key_at(schema, i), words))
            return true;
        if (is_newer(arvo_json_at(schema, i), depth + 1))
            return true;
    }
    /* beside a reference draft-07 reads nothing */
    return type == ARVO_JSON_OBJECT && arvo_json_get(schema, "$ref") != NULL &&
           arvo_json_count(schema) > 1;
}

bool
cli_schema_is_newer(const arvo_json *schema)
{
    return is_newer(schema, 0);
}

static bool
refuses_keys(const arvo_json *schema, size_t depth)
{
    const arvo_json_type type = arvo_json_type_of(schema);
    if (depth > SCHEMA_NEST_MAX || (type != ARVO_JSON_OBJECT && type != ARVO_JSON_ARRAY))
        return false;
    const arvo_json *extra = arvo_json_get(schema, "additionalProperties");
    if (extra != NULL && !arvo_json_bool_or(extra, true))
        return true;
    for (size_t i = 0; i < arvo_json_count(schema); i++)
        if (refuses_keys(arvo_json_at(schema, i), depth + 1))
            return true;
    return false;
}

/* ---- Out: arvo-core's form ---- */

static const arvo_json *
schema_out(const arvo_contract *contract, const arvo_json *schema)
{
    if (arvo_json_type_of(schema) != ARVO_JSON_OBJECT)
        return schema;
    if (arvo_contract_additional(contract) == ARVO_ADDITIONAL_ZOD)
        return schema; /* it came in this form */
    arvo_json *out = arvo_json_clone(cli_arena(), schema_turn(schema, STRIP_SAID, 0));
    cli_check_memory();
    if (arvo_json_get(out, "$schema") == NULL)
        cli_set(
            out, "$schema",
            cli_json_str(
                cli_schema_is_newer(schema) ? ARVO_STR(DRAFT_2020_12) : ARVO_STR(DRAFT_7)));
    return out;
}

static const arvo_json *
rule_out(const arvo_contract *contract, const arvo_event_rule *rule)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "type", cli_json_str(rule->type));
    cli_set(object, "schema", schema_out(contract, rule->schema_json));
    return object;
}

/* Ours in all contracts, whatever form they came in. */
static const arvo_json *
system_error_out(const arvo_contract_version *version)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    const arvo_json *schema = schema_turn(version->system_error.schema_json, STRIP_SAID, 0);
    arvo_json *dated = arvo_json_clone(cli_arena(), schema);
    cli_check_memory();
    cli_set(dated, "$schema", cli_json_str(ARVO_STR(DRAFT_7)));
    cli_set(object, "type", cli_json_str(version->system_error.type));
    cli_set(object, "schema", dated);
    return object;
}

static void
strict_warn(const arvo_contract_version *version, const arvo_event_rule *rule)
{
    if (arvo_contract_additional(version->contract) != ARVO_ADDITIONAL_ZOD &&
        refuses_keys(rule->schema_json, 0))
        cli_error(
            "contract export: %s of %s refuses unknown keys (additionalProperties: false); in "
            "arvo-core's form that drops them",
            cli_cstr(rule->type), cli_cstr(version->dataschema));
}

static const arvo_json *
version_out(const arvo_contract *contract, const arvo_contract_version *version)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *emits = arvo_json_array_new(cli_arena());
    strict_warn(version, &version->accepts);
    for (size_t i = 0; i < version->emit_count; i++) {
        strict_warn(version, &version->emits[i]);
        arvo_json_push(cli_arena(), emits, rule_out(contract, &version->emits[i]));
    }
    cli_set(object, "version", cli_json_str(version->version));
    if (arvo_contract_domain(contract).ptr != NULL)
        cli_set(object, "domain", cli_json_str(arvo_contract_domain(contract)));
    cli_set(object, "accepts", rule_out(contract, &version->accepts));
    cli_set(object, "systemError", system_error_out(version));
    cli_set(object, "emits", emits);
    cli_set(object, "metadata", arvo_contract_metadata(contract));
    return object;
}

static const arvo_json *
contract_out(const arvo_contract *contract)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *versions = arvo_json_array_new(cli_arena());
    cli_set(object, "uri", cli_json_str(arvo_contract_uri(contract)));
    cli_set(object, "description", cli_json_str(arvo_contract_description(contract)));
    if (arvo_contract_domain(contract).ptr != NULL)
        cli_set(object, "domain", cli_json_str(arvo_contract_domain(contract)));
    cli_set(object, "metadata", arvo_contract_metadata(contract));
    for (size_t i = 0; i < arvo_contract_version_count(contract); i++)
        arvo_json_push(
            cli_arena(), versions, version_out(contract, arvo_contract_version_at(contract, i)));
    cli_set(object, "versions", versions);
    return object;
}

/* ---- In: our documents ---- */

/* The init schema of an orchestrator: what it accepts without the key that Arvo adds. */
static const arvo_json *
init_in(const arvo_json *schema)
{
    arvo_json *out = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < arvo_json_count(schema); i++) {
        const arvo_str key = arvo_json_key_at(schema, i);
        const arvo_json *value = arvo_json_at(schema, i);
        if (arvo_str_is(key, "properties")) {
            arvo_json *kept = arvo_json_object_new(cli_arena());
            for (size_t k = 0; k < arvo_json_count(value); k++)
                if (!arvo_str_is(arvo_json_key_at(value, k), PARENT_SUBJECT))
                    arvo_json_set(
                        cli_arena(), kept, arvo_json_key_at(value, k), arvo_json_at(value, k));
            value = kept;
        } else if (arvo_str_is(key, "required")) {
            arvo_json *kept = arvo_json_array_new(cli_arena());
            for (size_t k = 0; k < arvo_json_count(value); k++)
                if (!arvo_str_is(arvo_json_str(arvo_json_at(value, k)), PARENT_SUBJECT))
                    arvo_json_push(cli_arena(), kept, arvo_json_at(value, k));
            value = kept;
        }
        arvo_json_set(cli_arena(), out, key, value);
    }
    return out;
}

static const arvo_json *
schema_in(const arvo_contract *contract, const arvo_json *schema)
{
    return arvo_contract_additional(contract) == ARVO_ADDITIONAL_ZOD
               ? schema_turn(schema, STRIP_UNSAID, 0)
               : schema;
}

static const arvo_json *
version_in(const arvo_contract *contract, const arvo_contract_version *version)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    const arvo_json *accepts = schema_in(contract, version->accepts.schema_json);
    if (version->is_orchestrator) {
        cli_set(object, "init", init_in(accepts));
        cli_set(object, "complete", schema_in(contract, version->emits[0].schema_json));
        return object;
    }
    arvo_json *emits = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < version->emit_count; i++)
        arvo_json_set(
            cli_arena(), emits, version->emits[i].type,
            schema_in(contract, version->emits[i].schema_json));
    cli_set(object, "accepts", accepts);
    cli_set(object, "emits", emits);
    return object;
}

/* What an orchestrator contract says of itself comes back by itself. */
static const arvo_json *
metadata_in(const arvo_contract *contract)
{
    static const char *const made[] = { "contractType", "rootType", "initEventType",
                                        "completeEventType", NULL };
    const arvo_json *metadata = arvo_contract_metadata(contract);
    arvo_json *out = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < arvo_json_count(metadata); i++) {
        const arvo_str key = arvo_json_key_at(metadata, i);
        if (!arvo_contract_is_orchestrator(contract) || !is_one_of(key, made))
            arvo_json_set(cli_arena(), out, key, arvo_json_at(metadata, i));
    }
    return out;
}

static const arvo_json *
contract_in(const arvo_contract *contract)
{
    const bool is_orchestrator = arvo_contract_is_orchestrator(contract);
    const arvo_str type = arvo_contract_type(contract);
    const size_t prefix = sizeof(ARVO_RESERVED_PREFIX) - 1;
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *versions = arvo_json_object_new(cli_arena());
    cli_set(
        object, "kind",
        cli_json_str(is_orchestrator ? ARVO_STR("orchestrator-contract") : ARVO_STR("contract")));
    cli_set(object, "uri", cli_json_str(arvo_contract_uri(contract)));
    if (is_orchestrator)
        cli_set(object, "name", cli_json_str((arvo_str){ type.ptr + prefix, type.len - prefix }));
    else
        cli_set(object, "type", cli_json_str(type));
    if (arvo_contract_description(contract).ptr != NULL)
        cli_set(object, "description", cli_json_str(arvo_contract_description(contract)));
    if (arvo_contract_domain(contract).ptr != NULL)
        cli_set(object, "domain", cli_json_str(arvo_contract_domain(contract)));
    const arvo_json *metadata = metadata_in(contract);
    if (arvo_json_count(metadata) > 0)
        cli_set(object, "metadata", metadata);
    for (size_t i = 0; i < arvo_contract_version_count(contract); i++) {
        const arvo_contract_version *version = arvo_contract_version_at(contract, i);
        arvo_json_set(cli_arena(), versions, version->version, version_in(contract, version));
    }
    cli_set(object, "versions", versions);
    return object;
}

/* ---- The commands ---- */

/* One is a JSON document; several are a YAML stream of JSON documents. */
static int
contracts_print(
    const struct convert_opts *opts, const arvo_contracts *contracts, const char *command,
    const arvo_json *(*convert)(const arvo_contract *))
{
    bool any = false;
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *contract = arvo_contracts_at(contracts, i);
        if (opts->uri != NULL && !arvo_str_is(arvo_contract_uri(contract), opts->uri))
            continue;
        if (any)
            printf("---\n");
        any = true;
        cli_print_pretty(convert(contract));
    }
    if (any)
        return CLI_DONE;
    if (opts->uri != NULL)
        cli_error("%s: no contract has the uri %s", command, opts->uri);
    else
        cli_error("%s: there is no contract", command);
    return CLI_USAGE;
}

static int
contract_export_run(cli_args *args)
{
    struct convert_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.asyncapi && opts.uri != NULL) {
        cli_error("contract export: --asyncapi is of all contracts; leave out --uri");
        return CLI_USAGE;
    }
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    if (opts.asyncapi)
        cli_print_pretty(cli_asyncapi(arvo_app_contracts(app)));
    else
        exit_code =
            contracts_print(&opts, arvo_app_contracts(app), "contract export", contract_out);
    arvo_app_free(app);
    return exit_code;
}

static int
contract_import_run(cli_args *args)
{
    struct convert_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    const int exit_code =
        contracts_print(&opts, arvo_app_contracts(app), "contract import", contract_in);
    arvo_app_free(app);
    return exit_code;
}

const cli_command cli_contract_export = {
    .verb = "contract",
    .action = "export",
    .operands = "FILE...",
    .summary = "contracts as arvo-core prints them, or as AsyncAPI",
    .details =
        "Prints contracts in the form of arvo-core's toJsonSchema(), which every Arvo reads; with\n"
        "--asyncapi one AsyncAPI 3 document of all events. Several contracts come as a YAML "
        "stream\n"
        "(--- between them).\n",
    .options = contract_export_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = contract_export_run,
};

const cli_command cli_contract_import = {
    .verb = "contract",
    .action = "import",
    .operands = "FILE...",
    .summary = "what arvo-core prints as a document of ours",
    .details = "Reads contracts in the form of arvo-core's toJsonSchema() (or ours) and prints\n"
               "contract documents. Several come as a YAML stream (--- between them).\n",
    .options = contract_import_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = contract_import_run,
};
