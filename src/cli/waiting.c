/* How an operator goes on: for an instance that waits, the events its state would take, and for
 * those that somebody outside must send, the command that sends one. */

#include "run.h"

#define SAMPLE_DEPTH_MAX 8

/* ---- What the present state takes ---- */

static void
types_add(cli_list *types, arvo_str type)
{
    for (size_t i = 0; i < types->count; i++)
        if (arvo_str_is(type, types->items[i]))
            return;
    cli_list_append(types, cli_cstr(type));
}

/* Whether a key of `on` takes events of the type: by name, or by `*` at its end. */
static bool
descriptor_takes(arvo_str descriptor, arvo_str type)
{
    if (arvo_str_is(descriptor, "*") || arvo_str_equal(descriptor, type))
        return true;
    if (descriptor.len < 2 || memcmp(descriptor.ptr + descriptor.len - 2, ".*", 2) != 0)
        return false;
    const arvo_str stem = { descriptor.ptr, descriptor.len - 2 };
    return arvo_str_starts(type, stem) && (type.len == stem.len || type.ptr[stem.len] == '.');
}

/* Only what a service may send: other types the machine raises itself. */
static void
types_add_taken(cli_list *types, const arvo_machine *machine, arvo_str descriptor)
{
    for (size_t i = 0; i < arvo_machine_service_count(machine); i++) {
        const arvo_contract_version *service = arvo_machine_service_at(machine, i);
        for (size_t k = 0; k < service->emit_count; k++)
            if (descriptor_takes(descriptor, service->emits[k].type))
                types_add(types, service->emits[k].type);
        if (descriptor_takes(descriptor, service->system_error.type))
            types_add(types, service->system_error.type);
    }
}

/* The inner states first: what they take, the outer ones do not see. */
static void
types_collect(
    cli_list *types, const arvo_machine *machine, const arvo_json *node, const arvo_json *value)
{
    const arvo_json *states = arvo_json_get(node, "states");
    if (arvo_json_type_of(value) == ARVO_JSON_STRING)
        types_collect(types, machine, arvo_json_get_str(states, arvo_json_str(value)), NULL);
    for (size_t i = 0; i < arvo_json_count(value); i++)
        types_collect(
            types, machine, arvo_json_get_str(states, arvo_json_key_at(value, i)),
            arvo_json_at(value, i));
    const arvo_json *on = arvo_json_get(node, "on");
    for (size_t i = 0; i < arvo_json_count(on); i++)
        if (!arvo_json_is_nullish(arvo_json_at(on, i)))
            types_add_taken(types, machine, arvo_json_key_at(on, i));
}

/* ---- Data that a schema would take, for the operator to edit ---- */

static const arvo_json *sample(const arvo_json *schema, int depth);

static const arvo_json *
sample_object(const arvo_json *schema, int depth)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    const arvo_json *required = arvo_json_get(schema, "required");
    const arvo_json *properties = arvo_json_get(schema, "properties");
    for (size_t i = 0; i < arvo_json_count(required); i++) {
        const arvo_str key = arvo_json_str(arvo_json_at(required, i));
        if (key.ptr != NULL)
            arvo_json_set(
                cli_arena(), object, key, sample(arvo_json_get_str(properties, key), depth + 1));
    }
    return object;
}

static const arvo_json *
sample_number(const arvo_json *schema)
{
    const arvo_json *minimum = arvo_json_get(schema, "minimum");
    if (minimum != NULL)
        return minimum;
    const arvo_json *above = arvo_json_get(schema, "exclusiveMinimum");
    return arvo_json_int(cli_arena(), above != NULL ? arvo_json_int_or(above, 0) + 1 : 0);
}

static const arvo_json *
sample(const arvo_json *schema, int depth)
{
    static const char *const given[] = { "const", "default" };
    static const char *const lists[] = { "examples", "enum" };
    static const char *const alternatives[] = { "anyOf", "oneOf", "allOf" };
    if (depth > SAMPLE_DEPTH_MAX || arvo_json_type_of(schema) != ARVO_JSON_OBJECT)
        return arvo_json_null();
    for (size_t i = 0; i < ARVO_COUNT_OF(given); i++)
        if (arvo_json_get(schema, given[i]) != NULL)
            return arvo_json_get(schema, given[i]);
    for (size_t i = 0; i < ARVO_COUNT_OF(lists); i++)
        if (arvo_json_count(arvo_json_get(schema, lists[i])) > 0)
            return arvo_json_at(arvo_json_get(schema, lists[i]), 0);
    const arvo_json *type = arvo_json_get(schema, "type");
    if (arvo_json_type_of(type) == ARVO_JSON_ARRAY)
        type = arvo_json_at(type, 0);
    const arvo_str name = arvo_json_str(type);
    if (arvo_str_is(name, "string"))
        return cli_json_cstr("...");
    if (arvo_str_is(name, "boolean"))
        return arvo_json_bool(true);
    if (arvo_str_is(name, "integer") || arvo_str_is(name, "number"))
        return sample_number(schema);
    if (arvo_str_is(name, "array"))
        return arvo_json_array_new(cli_arena());
    if (arvo_str_is(name, "object") || arvo_json_get(schema, "properties") != NULL)
        return sample_object(schema, depth);
    for (size_t i = 0; i < ARVO_COUNT_OF(alternatives); i++)
        if (arvo_json_count(arvo_json_get(schema, alternatives[i])) > 0)
            return sample(arvo_json_at(arvo_json_get(schema, alternatives[i]), 0), depth + 1);
    return arvo_json_null();
}

/* ---- Who was asked, and by which event ---- */

struct asked {
    arvo_str type;
    const char *id; /* of the last event of that type; NULL: none is recorded */
    const char *domains;
};

static bool
asked_row(void *user, const arvo_stored_event *event)
{
    struct asked *asked = user;
    if (event->direction == ARVO_PRODUCED && arvo_str_equal(event->type, asked->type)) {
        asked->id = cli_cstr(event->id);
        asked->domains = cli_domains_text(event->domains);
    }
    return true;
}

static struct asked
asked_find(const struct trace *trace, const arvo_record *record, arvo_str type)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(trace->memory);
    struct asked asked = { .type = type };
    /* A store that keeps no history only costs the command its --parentid. */
    if (ops->history != NULL)
        (void)ops->history(
            arvo_memory_self(trace->memory), record->subject, asked_row, &asked, NULL);
    return asked;
}

/* Whether this very app serves the type: then nobody outside needs to answer. */
static const char *
served_by(const arvo_app *app, arvo_str type)
{
    for (size_t i = 0; i < arvo_app_machine_count(app); i++)
        if (arvo_str_equal(arvo_machine_source(arvo_app_machine_at(app, i)), type))
            return "a workflow of this app";
    for (size_t i = 0; i < arvo_app_mock_count(app); i++)
        if (arvo_str_equal(arvo_handler_type(arvo_app_mock_at(app, i)), type))
            return "a mock of this app";
    return NULL;
}

/* ---- Printing ---- */

static void
command_print(
    const struct trace *trace, const arvo_record *record, const char *type,
    const arvo_contract_version *service, const char *parent, const char *data)
{
    /* The version need be said only where it is not the one that arvo event new would choose. */
    const arvo_event_rule *rule = NULL;
    const bool usual =
        cli_contract_find(
            arvo_app_contracts(trace->app), arvo_str_from(type), ARVO_STR_NONE, &rule) == service;
    printf(
        "    %s event new --app %s --type %s%s%s --subject %s --to %s%s%s --data %s", cli_program,
        trace->app_text, type, usual ? "" : " --dataschema ",
        usual ? "" : cli_quoted(service->dataschema), cli_shown(record->subject),
        cli_shown(record->orchestrator), parent != NULL ? " --parentid " : "",
        parent != NULL ? parent : "", data);
    printf(
        " | %s run %s --store %s --follow --event -\n", cli_program, trace->app_text,
        cli_quoted(arvo_str_from(cli_url(trace->store))));
}

static const char *
json_word(const arvo_json *value)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &text);
    const char *word = cli_quoted(arvo_buf_str(&text));
    arvo_buf_fini(&text);
    return word;
}

/* One event type that the state takes; a service emits it. */
static void
type_print(
    const struct trace *trace, const arvo_machine *machine, const arvo_record *record,
    const char *type)
{
    const arvo_event_rule *rule = NULL;
    const arvo_contract_version *service =
        arvo_machine_service_emitting(machine, arvo_str_from(type), &rule);
    const char *here = served_by(trace->app, service->accepts.type);
    const struct asked asked = asked_find(trace, record, service->accepts.type);
    printf(
        "  %s%s%s, the answer of %s%s%s\n", cli_style_on(CLI_BOLD), cli_shown(arvo_str_from(type)),
        cli_style_off(CLI_BOLD), cli_shown(service->accepts.type), here != NULL ? ", " : "",
        here != NULL            ? here
        : asked.domains != NULL ? cli_printf(" (asked in %s)", asked.domains)
                                : "");
    if (here == NULL && strncmp(trace->store, "memory:", 7) != 0)
        command_print(
            trace, record, type, service, asked.id, json_word(sample(rule->schema_json, 0)));
}

void
waiting_print(const struct trace *trace, const arvo_machine *machine, const arvo_record *record)
{
    const arvo_json *definition = cli_json_text(arvo_machine_definition(machine));
    const arvo_json *value = cli_json_text(record->value);
    cli_list types = { 0 };
    types_collect(&types, machine, definition, value);

    printf(
        "\n%s@%s waits in %s%s%s for %s\n", cli_shown(record->orchestrator),
        cli_shown(record->version), cli_style_on(CLI_YELLOW), cli_state_text(value),
        cli_style_off(CLI_YELLOW),
        types.count > 0 ? "one of" : "nothing that its services send: it stays there");
    size_t errors = 0;
    for (size_t i = 0; i < types.count; i++) {
        if (strncmp(types.items[i], "sys.", 4) == 0)
            errors++;
        else
            type_print(trace, machine, record, types.items[i]);
    }
    if (errors > 0 && errors == types.count)
        for (size_t i = 0; i < types.count; i++)
            type_print(trace, machine, record, types.items[i]);
    if (strncmp(trace->store, "memory:", 7) == 0)
        printf("  (this run was in memory and is gone now; --store sqlite:FILE keeps it)\n");
}
