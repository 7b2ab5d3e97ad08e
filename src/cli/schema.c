/* arvo schema validate: a value against a JSON Schema. Nothing is normalised. */

#include "cli.h"

struct schema_opts {
    const char *draft;
    const char *output;
    bool format;
    bool json;
};

static const cli_option schema_validate_options[] = {
    { "draft", CLI_TEXT, "DRAFT", offsetof(struct schema_opts, draft),
      "7 or 2020-12, for a schema without $schema; default 2020-12" },
    { "format", CLI_FLAG, NULL, offsetof(struct schema_opts, format),
      "refuse strings that are not what `format` says" },
    CLI_REMOTES_OPTION,
    { "output", CLI_TEXT, "FORM", offsetof(struct schema_opts, output),
      "the standard's flag, basic or detailed, as JSON" },
    { "json", CLI_FLAG, NULL, offsetof(struct schema_opts, json), "one JSON object" },
    { 0 },
};

/* Number of a word in a list, NULL for one not given: 0; -1: not there, said so. */
static int
word_find(const char *option, const char *given, const char *const *words, const char *rule)
{
    for (int i = 0; words[i] != NULL; i++)
        if (given == NULL || strcmp(given, words[i]) == 0)
            return i;
    cli_error("schema validate: --%s %s: must be %s", option, given, rule);
    return -1;
}

void
cli_schema_warnings(const arvo_schema *schema)
{
    for (size_t i = 0; i < arvo_schema_warning_count(schema); i++)
        cli_error("warning: %.*s", ARVO_FMT(arvo_schema_warning_at(schema, i)));
}

static void
report_print(
    const struct schema_opts *opts, arvo_schema_output output, const arvo_schema_report *report)
{
    if (opts->output != NULL) {
        const arvo_json *json = arvo_schema_report_json(report, output, cli_arena());
        cli_check_memory();
        cli_print_json(json);
    } else if (report->count == 0) {
        printf("%s\n", opts->json ? "{\"valid\":true}" : "valid");
    } else if (opts->json) {
        cli_issues_print_json(report);
    } else {
        cli_issues_print(report);
    }
}

static int
schema_check(
    const struct schema_opts *opts, arvo_schema_output output, const arvo_schema *schema,
    const arvo_json *value)
{
    arvo_schema_report report = { 0 };
    arvo_error err = { 0 };
    const arvo_status st = arvo_schema_check(schema, value, cli_arena(), &report, &err);
    if (st != ARVO_OK && st != ARVO_E_INVALID) {
        cli_error("schema validate: %s", err.text);
        return st == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_NO;
    }
    report_print(opts, output, &report);
    return st == ARVO_OK ? CLI_DONE : CLI_NO;
}

static int
schema_validate(
    const struct schema_opts *opts, const arvo_document *document, const arvo_json *value)
{
    static const char *const drafts[] = { "2020-12", "7", NULL };
    static const char *const outputs[] = { "flag", "basic", "detailed", NULL };
    const int draft = word_find("draft", opts->draft, drafts, "7 or 2020-12");
    const int output = word_find("output", opts->output, outputs, "flag, basic or detailed");
    if (draft < 0 || output < 0)
        return CLI_USAGE;
    const arvo_schema_opts schema_opts = { .document = document,
                                           .pointer = ARVO_STR(""),
                                           .draft = (arvo_schema_draft)draft,
                                           .formats = opts->format,
                                           .find = cli_remotes() != NULL ? arvo_schema_remotes_find
                                                                         : NULL,
                                           .find_self = cli_remotes() };
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(document->root, &schema_opts, &schema, &err) != ARVO_OK) {
        (void)cli_fail(&err);
        return err.status == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_USAGE;
    }
    cli_schema_warnings(schema);
    const int exit_code = schema_check(opts, (arvo_schema_output)output, schema, value);
    arvo_schema_free(schema);
    return exit_code;
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
    return schema_validate(&opts, &document, instance.root);
}

const cli_command cli_schema_validate = {
    .verb = "schema",
    .action = "validate",
    .operands = "SCHEMA INSTANCE",
    .summary = "a value against a JSON Schema",
    .details =
        "Says whether the JSON or YAML file INSTANCE is valid against the JSON Schema in the file\n"
        "SCHEMA; `-` is standard input. A keyword that the draft does not know does nothing, and\n"
        "is warned about unless it begins with x-. Nothing is ever fetched: other documents that\n"
        "the schema refers to are read from the folders of --remotes.\n"
        "--json: {\"valid\": true}, or {\"valid\": false, \"issues\": [{\"path\", \"keyword\",\n"
        "\"message\", \"schema\"}]}. Exit code 1: not valid.\n",
    .options = schema_validate_options,
    .operands_min = 2,
    .operands_max = 2,
    .run = schema_validate_run,
};
