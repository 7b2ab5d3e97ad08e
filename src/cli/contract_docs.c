/* arvo contract docs: a catalogue of events, as Markdown or HTML. */

#include "cli.h"

#include <stdlib.h>

#define FIELDS_NEST_MAX 12u

struct docs_opts {
    const char *output;
    bool html;
};

static const cli_option contract_docs_options[] = {
    { "output", CLI_TEXT, "FILE", offsetof(struct docs_opts, output),
      "(or -o) where to; default standard output", 'o' },
    { "html", CLI_FLAG, NULL, offsetof(struct docs_opts, html),
      "HTML; default when FILE ends in .html" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* What is written, and in which of the two languages. */
typedef struct page {
    arvo_buf text;
    bool html;
    const arvo_app *app;
} page;

/* ---- Markdown or HTML ---- */

/* Text of somebody else, so that it shows as it is. */
static void
put_text(page *p, const char *text)
{
    if (p->html) {
        cli_markup(&p->text, arvo_str_from(text));
        return;
    }
    for (; *text != '\0'; text++) {
        const char c = *text;
        if (strchr("\\`*_[]<>|#", c) != NULL)
            arvo_buf_printf(&p->text, "\\%c", c);
        else
            arvo_buf_append_char(&p->text, c == '\n' ? ' ' : c);
    }
}

static void
put_code(page *p, const char *text)
{
    if (p->html) {
        arvo_buf_append_str(&p->text, ARVO_STR("<code>"));
        put_text(p, text);
        arvo_buf_append_str(&p->text, ARVO_STR("</code>"));
        return;
    }
    arvo_buf_append_char(&p->text, '`');
    for (; *text != '\0'; text++) /* a backtick cannot be said inside, a pipe ends the cell */
        arvo_buf_append_str(
            &p->text, *text == '`'   ? ARVO_STR("'")
                      : *text == '|' ? ARVO_STR("\\|")
                                     : (arvo_str){ text, 1 });
    arvo_buf_append_char(&p->text, '`');
}

static void
put_heading(page *p, int level, const char *text, bool is_code)
{
    if (p->html)
        arvo_buf_printf(&p->text, "<h%d>", level);
    else
        arvo_buf_printf(&p->text, "%.*s ", level, "######");
    if (is_code)
        put_code(p, text);
    else
        put_text(p, text);
    if (p->html)
        arvo_buf_printf(&p->text, "</h%d>\n", level);
    else
        arvo_buf_append_str(&p->text, ARVO_STR("\n\n"));
}

static void
put_paragraph(page *p, const char *text)
{
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("<p>") : ARVO_STR(""));
    put_text(p, text);
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("</p>\n") : ARVO_STR("\n\n"));
}

static void
put_block(page *p, const char *language, arvo_str text)
{
    if (!p->html) {
        arvo_buf_printf(&p->text, "```%s\n%.*s\n```\n\n", language, ARVO_FMT(text));
        return;
    }
    arvo_buf_printf(&p->text, "<pre class=\"%s\">", language);
    cli_markup(&p->text, text);
    arvo_buf_append_str(&p->text, ARVO_STR("</pre>\n"));
}

static void
table_begin(page *p, const char *const *heads, size_t count)
{
    if (p->html)
        arvo_buf_append_str(&p->text, ARVO_STR("<table><tr>"));
    for (size_t i = 0; i < count; i++)
        arvo_buf_printf(&p->text, p->html ? "<th>%s</th>" : "| %s ", heads[i]);
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("</tr>\n") : ARVO_STR("|\n"));
    for (size_t i = 0; i < count && !p->html; i++)
        arvo_buf_append_str(&p->text, ARVO_STR("|---"));
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("") : ARVO_STR("|\n"));
}

static void
cell_begin(page *p)
{
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("<td>") : ARVO_STR("| "));
}

static void
cell_end(page *p)
{
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("</td>") : ARVO_STR(" "));
}

static void
row_begin(page *p)
{
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("<tr>") : ARVO_STR(""));
}

static void
row_end(page *p)
{
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("</tr>\n") : ARVO_STR("|\n"));
}

static void
table_end(page *p)
{
    arvo_buf_append_str(&p->text, p->html ? ARVO_STR("</table>\n") : ARVO_STR("\n"));
}

static void
put_cell(page *p, const char *text, bool is_code)
{
    cell_begin(p);
    if (is_code && *text != '\0')
        put_code(p, text);
    else
        put_text(p, text);
    cell_end(p);
}

/* ---- Fields ---- */

static const char *
value_text(const arvo_json *value)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    if (value != NULL)
        arvo_json_write(value, &text);
    const char *copy = cli_cstr(arvo_buf_str(&text));
    arvo_buf_fini(&text);
    return copy;
}

static const arvo_json *
followed(const arvo_json *root, const arvo_json *schema)
{
    for (int i = 0; i < 16; i++) {
        const arvo_str ref = arvo_json_str(arvo_json_get(schema, "$ref"));
        if (ref.len == 0 || ref.ptr[0] != '#')
            return schema;
        const arvo_json *target =
            arvo_json_pointer_get(root, (arvo_str){ ref.ptr + 1, ref.len - 1 });
        if (target == NULL)
            return schema;
        schema = target;
    }
    return schema;
}

static const char *
alternatives_text(const arvo_json *list, bool are_values)
{
    const char *text = "";
    for (size_t i = 0; i < arvo_json_count(list); i++) {
        const arvo_json *item = arvo_json_at(list, i);
        const char *word = are_values ? value_text(item) : cli_cstr(arvo_json_str(item));
        text = cli_printf("%s%s%s", text, i > 0 ? " or " : "", word);
    }
    return text;
}

/* The type in a few words, with what bounds it. */
static const char *
type_text(const arvo_json *schema)
{
    static const char *const bounds[] = { "format",           "pattern",   "minimum",
                                          "exclusiveMinimum", "maximum",   "exclusiveMaximum",
                                          "multipleOf",       "minLength", "maxLength",
                                          "minItems",         "maxItems",  "uniqueItems" };
    const arvo_json *type = arvo_json_get(schema, "type");
    const char *text = arvo_json_type_of(type) == ARVO_JSON_STRING ? cli_cstr(arvo_json_str(type))
                                                                   : alternatives_text(type, false);
    if (arvo_json_get(schema, "const") != NULL)
        text = value_text(arvo_json_get(schema, "const"));
    else if (arvo_json_get(schema, "enum") != NULL)
        text = alternatives_text(arvo_json_get(schema, "enum"), true);
    else if (arvo_json_get(schema, "anyOf") != NULL || arvo_json_get(schema, "oneOf") != NULL)
        text = *text != '\0' ? cli_printf("%s, one of several", text) : "one of several";
    if (*text == '\0')
        text = "any";
    for (size_t i = 0; i < ARVO_COUNT_OF(bounds); i++) {
        const arvo_json *value = arvo_json_get(schema, bounds[i]);
        if (value != NULL)
            text = cli_printf("%s, %s %s", text, bounds[i], value_text(value));
    }
    return text;
}

static bool
names(const arvo_json *list, arvo_str key)
{
    for (size_t i = 0; i < arvo_json_count(list); i++)
        if (arvo_str_equal(arvo_json_str(arvo_json_at(list, i)), key))
            return true;
    return false;
}

static void
field_put(page *p, const char *path, const arvo_json *schema, const arvo_json *own, bool required)
{
    const arvo_json *described = arvo_json_get(own, "description");
    const arvo_json *value = arvo_json_get(own, "default");
    if (described == NULL)
        described = arvo_json_get(schema, "description");
    if (value == NULL)
        value = arvo_json_get(schema, "default");
    row_begin(p);
    put_cell(p, path, true);
    put_cell(p, type_text(schema), false);
    put_cell(p, required && value == NULL ? "yes" : "", false);
    put_cell(p, value_text(value), true);
    put_cell(p, cli_cstr(arvo_json_str(described)), false);
    row_end(p);
}

static void
fields_put(
    page *p, const arvo_json *root, const arvo_json *schema, const char *prefix, size_t depth)
{
    schema = followed(root, schema);
    if (depth > FIELDS_NEST_MAX)
        return;
    const arvo_json *properties = arvo_json_get(schema, "properties");
    for (size_t i = 0; i < arvo_json_count(properties); i++) {
        const arvo_str key = arvo_json_key_at(properties, i);
        const arvo_json *own = arvo_json_at(properties, i);
        const arvo_json *part = followed(root, own);
        const char *path = cli_printf("%s%s%s", prefix, *prefix != '\0' ? "." : "", cli_cstr(key));
        field_put(p, path, part, own, names(arvo_json_get(schema, "required"), key));
        const bool again = part != own && depth > 2; /* a schema that refers to itself */
        if (!again)
            fields_put(p, root, part, path, depth + 1);
    }
    static const char *const several[] = { "allOf", "anyOf", "oneOf" };
    for (size_t k = 0; k < ARVO_COUNT_OF(several); k++) {
        const arvo_json *list = arvo_json_get(schema, several[k]);
        for (size_t i = 0; i < arvo_json_count(list); i++)
            fields_put(p, root, arvo_json_at(list, i), prefix, depth + 1);
    }
    const arvo_json *items = arvo_json_get(schema, "items");
    if (arvo_json_type_of(items) == ARVO_JSON_OBJECT) {
        const char *path = cli_printf("%s[]", prefix);
        field_put(p, path, followed(root, items), items, false);
        fields_put(p, root, items, path, depth + 1);
    }
}

static void
event_put(
    page *p, const arvo_contract_version *version, const arvo_event_rule *rule, const char *role)
{
    static const char *const heads[] = { "field", "type", "required", "default", "description" };
    put_heading(p, 4, cli_printf("%s %s", role, cli_cstr(rule->type)), false);
    const arvo_str described = arvo_json_str(arvo_json_get(rule->schema_json, "description"));
    if (described.len > 0)
        put_paragraph(p, cli_cstr(described));
    table_begin(p, heads, ARVO_COUNT_OF(heads));
    fields_put(p, rule->schema_json, rule->schema_json, "", 0);
    table_end(p);
    const arvo_schema_source source = cli_rule_source(version, rule);
    const arvo_json *example = NULL;
    arvo_error err = { 0 };
    if (arvo_example_make(&source, NULL, cli_arena(), &example, &err) != ARVO_OK) {
        put_paragraph(p, cli_printf("No example: %s.", err.text));
        return;
    }
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write_pretty(example, 2, &text);
    put_block(p, "json", arvo_buf_str(&text));
    arvo_buf_fini(&text);
}

/* ---- Contracts ---- */

static const char *
machine_name(const arvo_machine *machine)
{
    return cli_printf(
        "%s %s", cli_cstr(arvo_machine_id(machine)), cli_cstr(arvo_machine_version(machine)));
}

static const char *
users_text(const page *p, const arvo_contract_version *version)
{
    const char *text = "";
    for (size_t i = 0; i < arvo_app_machine_count(p->app); i++) {
        const arvo_machine *machine = arvo_app_machine_at(p->app, i);
        for (size_t k = 0; k < arvo_machine_service_count(machine); k++)
            if (arvo_machine_service_at(machine, k) == version)
                text = cli_printf("%s%s%s", text, *text != '\0' ? ", " : "", machine_name(machine));
    }
    return text;
}

static const char *
runs_text(const page *p, const arvo_contract_version *version)
{
    for (size_t i = 0; i < arvo_app_machine_count(p->app); i++)
        if (arvo_machine_self(arvo_app_machine_at(p->app, i)) == version)
            return machine_name(arvo_app_machine_at(p->app, i));
    return "";
}

static void
version_put(page *p, const arvo_contract_version *version)
{
    put_heading(p, 3, cli_printf("Version %s", cli_cstr(version->version)), false);
    const char *users = users_text(p, version);
    const char *runs = runs_text(p, version);
    if (*runs != '\0')
        put_paragraph(p, cli_printf("Run by the machine %s.", runs));
    if (*users != '\0')
        put_paragraph(p, cli_printf("Used by %s.", users));
    event_put(p, version, &version->accepts, "accepts");
    for (size_t i = 0; i < version->emit_count; i++)
        event_put(p, version, &version->emits[i], "emits");
}

static void
contract_put(page *p, const arvo_contract *contract)
{
    put_heading(p, 2, cli_cstr(arvo_contract_uri(contract)), true);
    if (arvo_contract_description(contract).len > 0)
        put_paragraph(p, cli_cstr(arvo_contract_description(contract)));
    const char *kind = arvo_contract_is_orchestrator(contract) ? "An orchestrator" : "A service";
    put_paragraph(
        p, cli_printf(
               "%s. When it fails: an event sys.%s.error.", kind,
               cli_cstr(arvo_contract_type(contract))));
    for (size_t i = arvo_contract_version_count(contract); i-- > 0;)
        version_put(p, arvo_contract_version_at(contract, i));
}

static void
events_put(page *p, const arvo_contracts *contracts)
{
    static const char *const heads[] = { "event", "is", "contract", "version" };
    put_heading(p, 2, "Events", false);
    table_begin(p, heads, ARVO_COUNT_OF(heads));
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *contract = arvo_contracts_at(contracts, i);
        for (size_t k = 0; k < arvo_contract_version_count(contract); k++) {
            const arvo_contract_version *version = arvo_contract_version_at(contract, k);
            for (size_t e = 0; e <= version->emit_count; e++) {
                row_begin(p);
                put_cell(
                    p, cli_cstr(e == 0 ? version->accepts.type : version->emits[e - 1].type), true);
                put_cell(p, e == 0 ? "accepted" : "emitted", false);
                put_cell(p, cli_cstr(version->uri), true);
                put_cell(p, cli_cstr(version->version), false);
                row_end(p);
            }
        }
    }
    table_end(p);
}

/* Who calls whom. Node names are numbers: URIs would need quoting. */
static void
map_put(page *p, const arvo_contracts *contracts)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf_append_str(&text, ARVO_STR("flowchart LR\n"));
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *contract = arvo_contracts_at(contracts, i);
        const bool runs = arvo_contract_is_orchestrator(contract);
        arvo_buf_printf(
            &text, "    c%zu%s\"%s\"%s\n", i, runs ? "([" : "[",
            cli_cstr(arvo_contract_type(contract)), runs ? "])" : "]");
    }
    for (size_t m = 0; m < arvo_app_machine_count(p->app); m++) {
        const arvo_machine *machine = arvo_app_machine_at(p->app, m);
        const arvo_contract_version *self = arvo_machine_self(machine);
        for (size_t k = 0; self != NULL && k < arvo_machine_service_count(machine); k++) {
            const arvo_contract_version *service = arvo_machine_service_at(machine, k);
            size_t from = 0, to = 0;
            while (arvo_contracts_at(contracts, from) != self->contract)
                from++;
            while (arvo_contracts_at(contracts, to) != service->contract)
                to++;
            arvo_buf_printf(
                &text, "    c%zu -->|\"%s to %s\"| c%zu\n", from, cli_cstr(self->version),
                cli_cstr(service->version), to);
        }
    }
    put_heading(p, 2, "Service map", false);
    const arvo_str map = arvo_buf_str(&text);
    put_block(p, "mermaid", (arvo_str){ map.ptr, map.len - 1 });
    arvo_buf_fini(&text);
}

static void
docs_put(page *p)
{
    const arvo_contracts *contracts = arvo_app_contracts(p->app);
    if (p->html)
        arvo_buf_append_str(
            &p->text,
            ARVO_STR("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<title>Contracts</title>\n<style>body{font-family:sans-serif;max-width:60em;"
                     "margin:2em auto;padding:0 1em}table{border-collapse:collapse}td,th{border:"
                     "1px solid #ccc;padding:.2em .5em;text-align:left}pre{background:#f4f4f4;"
                     "padding:.8em;overflow:auto}</style></head><body>\n"));
    put_heading(p, 1, "Contracts", false);
    events_put(p, contracts);
    map_put(p, contracts);
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++)
        contract_put(p, arvo_contracts_at(contracts, i));
    if (p->html)
        arvo_buf_append_str(&p->text, ARVO_STR("</body></html>\n"));
    else if (p->text.len > 0 && p->text.status == ARVO_OK)
        p->text.len--; /* one end of line is enough */
}

/* ---- The command ---- */

static int
docs_write(const struct docs_opts *opts, const page *p)
{
    if (p->text.status != ARVO_OK) {
        cli_error("contract docs: %s", arvo_status_text(p->text.status));
        return CLI_TRANSACTION;
    }
    const char *path = opts->output != NULL ? opts->output : "-";
    return cli_file_write(path, arvo_buf_str(&p->text)) ? CLI_DONE : CLI_USAGE;
}

static bool
ends_in(const char *text, const char *end)
{
    const size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static int
contract_docs_run(cli_args *args)
{
    struct docs_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    arvo_app *app = cli_app_load(args->operands, args->operand_count);
    if (app == NULL)
        return CLI_USAGE;
    page p = { .text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT), .app = app };
    p.html = opts.html || (opts.output != NULL && ends_in(opts.output, ".html"));
    docs_put(&p);
    const int exit_code = docs_write(&opts, &p);
    arvo_buf_fini(&p.text);
    arvo_app_free(app);
    return exit_code;
}

const cli_command cli_contract_docs = {
    .verb = "contract",
    .action = "docs",
    .operands = "FILE...",
    .summary = "a catalogue of events, as Markdown or HTML",
    .details =
        "Who accepts and emits what, with a table of the fields and an example for each event,\n"
        "which machines use it, and a map of the services (Mermaid).\n",
    .options = contract_docs_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = contract_docs_run,
};
