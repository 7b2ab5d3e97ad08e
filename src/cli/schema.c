/* arvo schema validate: a value against a JSON Schema. Nothing is normalised. */

#include "cli.h"

struct schema_opts {
    const char *draft;
    bool json;
};

static const cli_option schema_validate_options[] = {
    { "draft", CLI_TEXT, "DRAFT", offsetof(struct schema_opts, draft),
      "7 or 2020-12, for a schema without $schema; default 2020-12" },
    { "json", CLI_FLAG, NULL, offsetof(struct schema_opts, json), "one JSON object" },
    { 0 },
};

/* The schema with `$schema` put in where it says none; NULL: no such draft. */
static const arvo_json *
schema_with_draft(const arvo_json *schema, const char *draft)
{
    const char *uri = strcmp(draft, "7") == 0 ? "http://json-schema.org/draft-07/schema#"
                      : strcmp(draft, "2020-12") == 0
                          ? "https://json-schema.org/draft/2020-12/schema"
                          : NULL;
    if (uri == NULL || arvo_json_type_of(schema) != ARVO_JSON_OBJECT ||
        arvo_json_get(schema, "$schema") != NULL)
        return uri == NULL ? NULL : schema;
    arvo_json *copy = arvo_json_clone(cli_arena(), schema);
    cli_set(copy, "$schema", cli_json_str(arvo_str_from(uri)));
    cli_check_memory();
    return copy;
}

static int
schema_check(const struct schema_opts *opts, const arvo_schema *schema, const arvo_json *value)
{
    arvo_schema_report report = { 0 };
    arvo_error err = { 0 };
    const arvo_status st = arvo_schema_check(schema, value, cli_arena(), &report, &err);
    if (st == ARVO_OK) {
        printf("%s\n", opts->json ? "{\"valid\":true}" : "valid");
        return CLI_DONE;
    }
    if (st != ARVO_E_INVALID) {
        cli_error("schema validate: %s", err.text);
        return st == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_NO;
    }
    if (opts->json)
        cli_issues_print_json(&report);
    else
        cli_issues_print(&report);
    return CLI_NO;
}

static int
schema_validate_run(cli_args *args)
{
    struct schema_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    arvo_document document, instance;
    if (!cli_document_load(args->operands[0], &document) ||
        !cli_document_load(args->operands[1], &instance))
        return CLI_USAGE;
    const arvo_json *root =
        opts.draft != NULL ? schema_with_draft(document.root, opts.draft) : document.root;
    if (root == NULL) {
        cli_error("schema validate: --draft %s: must be 7 or 2020-12", opts.draft);
        return CLI_USAGE;
    }
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(
            root, &(arvo_schema_opts){ .document = &document, .pointer = ARVO_STR("") }, &schema,
            &err) != ARVO_OK) {
        (void)cli_fail(&err);
        return err.status == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_USAGE;
    }
    const int exit_code = schema_check(&opts, schema, instance.root);
    arvo_schema_free(schema);
    return exit_code;
}

const cli_command cli_schema_validate = {
    .verb = "schema",
    .action = "validate",
    .operands = "SCHEMA INSTANCE",
    .summary = "a value against a JSON Schema",
    .details =
        "Says whether the JSON or YAML file INSTANCE is valid against the JSON Schema in the file\n"
        "SCHEMA; `-` is standard input. A keyword that the draft does not know does nothing.\n"
        "--json: {\"valid\": true}, or {\"valid\": false, \"issues\": [{\"path\", \"keyword\",\n"
        "\"message\", \"schema\"}]}. Exit code 1: not valid.\n",
    .options = schema_validate_options,
    .operands_min = 2,
    .operands_max = 2,
    .run = schema_validate_run,
};
