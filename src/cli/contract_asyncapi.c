/* Contracts as one AsyncAPI 3 document: a channel for every event type, a message for every version
 * of it, and an operation of whoever serves the contract: receive what it accepts, send what it
 * emits. */

#include "cli.h"

/* One event of one version, in one direction. */
typedef struct entry {
    const arvo_contract_version *version;
    const arvo_event_rule *rule;
    const char *action;
    const char *message; /* its id: the same for the same type and version */
} entry;

typedef struct entries {
    entry *items;
    size_t count;
} entries;

static const arvo_json *
ref_to(const char *pointer)
{
    arvo_json *ref = arvo_json_object_new(cli_arena());
    cli_set(ref, "$ref", cli_json_cstr(pointer));
    return ref;
}

/* ---- What there is ---- */

static void
entry_add(
    entries *all, const arvo_contract_version *version, const arvo_event_rule *rule,
    const char *action)
{
    const char *message = cli_printf("%s-%s", cli_cstr(rule->type), cli_cstr(version->version));
    all->items[all->count++] = (entry){ version, rule, action, message };
}

static entries
entries_of(const arvo_contracts *contracts)
{
    size_t room = 0;
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *contract = arvo_contracts_at(contracts, i);
        for (size_t k = 0; k < arvo_contract_version_count(contract); k++)
            room += 2 + arvo_contract_version_at(contract, k)->emit_count;
    }
    entries all = { .items = arvo_arena_calloc(cli_arena(), room + 1, sizeof(entry)) };
    cli_check_memory();
    for (size_t i = 0; i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *contract = arvo_contracts_at(contracts, i);
        for (size_t k = 0; k < arvo_contract_version_count(contract); k++) {
            const arvo_contract_version *version = arvo_contract_version_at(contract, k);
            entry_add(&all, version, &version->accepts, "receive");
            for (size_t e = 0; e < version->emit_count; e++)
                entry_add(&all, version, &version->emits[e], "send");
            entry_add(&all, version, &version->system_error, "send");
        }
    }
    return all;
}

/* ---- The parts of the document ---- */

static const arvo_json *
headers_json(const entry *item)
{
    const bool is_error = item->rule == &item->version->system_error;
    arvo_json *dataschema = arvo_json_object_new(cli_arena());
    arvo_json *properties = arvo_json_object_new(cli_arena());
    arvo_json *headers = arvo_json_object_new(cli_arena());
    cli_set(
        dataschema, "const",
        cli_json_str(
            is_error ? item->version->system_error_dataschema : item->version->dataschema));
    cli_set(properties, "dataschema", dataschema);
    cli_set(headers, "type", cli_json_cstr("object"));
    cli_set(headers, "properties", properties);
    return headers;
}

static const arvo_json *
message_json(const entry *item)
{
    arvo_json *message = arvo_json_object_new(cli_arena());
    cli_set(message, "name", cli_json_str(item->rule->type));
    cli_set(
        message, "title",
        cli_json_cstr(
            cli_printf("%s %s", cli_cstr(item->rule->type), cli_cstr(item->version->version))));
    cli_set(message, "contentType", cli_json_cstr("application/json"));
    cli_set(message, "headers", headers_json(item));
    if (!cli_schema_is_newer(item->rule->schema_json)) {
        cli_set(message, "payload", item->rule->schema_json);
        return message;
    }
    arvo_json *payload = arvo_json_object_new(cli_arena());
    cli_set(
        payload, "schemaFormat", cli_json_cstr("application/schema+json;version=draft-2020-12"));
    cli_set(payload, "schema", item->rule->schema_json);
    cli_set(message, "payload", payload);
    return message;
}

static const arvo_json *
messages_json(const entries *all)
{
    arvo_json *messages = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < all->count; i++)
        if (arvo_json_get(messages, all->items[i].message) == NULL)
            cli_set(messages, all->items[i].message, message_json(&all->items[i]));
    return messages;
}

static const arvo_json *
channel_json(const entries *all, arvo_str type)
{
    arvo_json *messages = arvo_json_object_new(cli_arena());
    arvo_json *channel = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < all->count; i++)
        if (arvo_str_equal(all->items[i].rule->type, type))
            cli_set(
                messages, all->items[i].message,
                ref_to(cli_printf("#/components/messages/%s", all->items[i].message)));
    cli_set(channel, "address", cli_json_str(type));
    cli_set(channel, "messages", messages);
    return channel;
}

static const arvo_json *
channels_json(const entries *all)
{
    arvo_json *channels = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < all->count; i++) {
        const arvo_str type = all->items[i].rule->type;
        if (arvo_json_get_str(channels, type) == NULL)
            arvo_json_set(cli_arena(), channels, type, channel_json(all, type));
    }
    return channels;
}

static const arvo_json *
operation_json(const entry *item)
{
    const char *type = cli_cstr(item->rule->type);
    arvo_json *operation = arvo_json_object_new(cli_arena());
    arvo_json *messages = arvo_json_array_new(cli_arena());
    arvo_json_push(
        cli_arena(), messages,
        ref_to(cli_printf("#/channels/%s/messages/%s", type, item->message)));
    cli_set(operation, "action", cli_json_cstr(item->action));
    cli_set(operation, "channel", ref_to(cli_printf("#/channels/%s", type)));
    cli_set(operation, "summary", cli_json_str(item->version->dataschema));
    cli_set(operation, "messages", messages);
    return operation;
}

static const arvo_json *
operations_json(const entries *all)
{
    arvo_json *operations = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < all->count; i++) {
        const entry *item = &all->items[i];
        const char *id = cli_printf(
            "%s-%s-%s-%s", cli_cstr(item->version->accepts.type), cli_cstr(item->version->version),
            item->action, cli_cstr(item->rule->type));
        cli_set(operations, id, operation_json(item));
    }
    return operations;
}

const arvo_json *
cli_asyncapi(const arvo_contracts *contracts)
{
    const entries all = entries_of(contracts);
    arvo_json *root = arvo_json_object_new(cli_arena());
    arvo_json *info = arvo_json_object_new(cli_arena());
    arvo_json *components = arvo_json_object_new(cli_arena());
    cli_set(info, "title", cli_json_cstr("Arvo services"));
    cli_set(info, "version", cli_json_cstr("1.0.0"));
    cli_set(
        info, "description",
        cli_json_cstr("Events are CloudEvents; a payload here is the data of one."));
    cli_set(components, "messages", messages_json(&all));
    cli_set(root, "asyncapi", cli_json_cstr("3.0.0"));
    cli_set(root, "info", info);
    cli_set(root, "channels", channels_json(&all));
    cli_set(root, "operations", operations_json(&all));
    cli_set(root, "components", components);
    return root;
}
