/* arvo event new, validate and send. */

#include "cli.h"

#include <stdlib.h>

struct event_opts {
    const char *type, *source, *subject, *data, *to, *dataschema, *redirectto, *accesscontrol;
    const char *executionunits, *id, *time, *parentid, *version, *reply_to;
    cli_list ext;
    cli_list apps;
    bool init;
    bool pretty;
    bool json;
};

#define EVENT_TEXT(name, field, value, help)                                                       \
    {                                                                                              \
        name, CLI_TEXT, value, offsetof(struct event_opts, field), help                            \
    }

static const cli_option event_new_options[] = {
    EVENT_TEXT("type", type, "TYPE", "event type (required)"),
    EVENT_TEXT("source", source, "SOURCE", "who sends it; default the service whose reply it is"),
    EVENT_TEXT("subject", subject, "SUBJECT", "the workflow it belongs to"),
    EVENT_TEXT("data", data, "JSON", "its data: JSON, @FILE, or - for standard input; default {}"),
    EVENT_TEXT("to", to, "TO", "who gets it; default the type"),
    { "app", CLI_LIST, "APP", offsetof(struct event_opts, apps),
      "check it against the contracts there, and fill in dataschema and defaults" },
    EVENT_TEXT("version", version, "V", "version of the contract; default the latest"),
    { "init", CLI_FLAG, NULL, offsetof(struct event_opts, init),
      "start an orchestrator: make a new subject, and null for parentSubject$$" },
    EVENT_TEXT(
        "reply-to", reply_to, "FILE",
        "answer the event in FILE, or in a line of run --follow --json: subject, to, version..."),
    EVENT_TEXT("dataschema", dataschema, "URI/V", "contract and version of the data"),
    EVENT_TEXT("redirectto", redirectto, "TYPE", "who gets the answer"),
    EVENT_TEXT("accesscontrol", accesscontrol, "TEXT", "carried along"),
    EVENT_TEXT("executionunits", executionunits, "N", "cost"),
    EVENT_TEXT("id", id, "ID", "default a random UUID"),
    EVENT_TEXT("time", time, "TIME", "default now"),
    EVENT_TEXT("parentid", parentid, "ID", "id of the event that caused it"),
    { "ext", CLI_LIST, "KEY=VALUE", offsetof(struct event_opts, ext),
      "an extension; VALUE is JSON or else text; may be given several times" },
    { "pretty", CLI_FLAG, NULL, offsetof(struct event_opts, pretty), "over several lines" },
    CLI_REMOTES_OPTION,
    { 0 },
};

static const cli_option event_validate_options[] = {
    { "app", CLI_LIST, "APP", offsetof(struct event_opts, apps),
      "check its data too, against the contracts there" },
    { "json", CLI_FLAG, NULL, offsetof(struct event_opts, json), "one JSON object" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- new ---- */

static bool
fields_extensions(const cli_list *given, arvo_event *fields)
{
    if (given->count == 0)
        return true;
    arvo_json *extensions = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < given->count; i++) {
        const char *pair = given->items[i];
        const char *equals = strchr(pair, '=');
        const arvo_json *value = NULL;
        if (equals == NULL || equals == pair) {
            cli_error("event new: --ext %s: must be KEY=VALUE", pair);
            return false;
        }
        if (arvo_json_parse(arvo_str_from(equals + 1), cli_arena(), &value, NULL) != ARVO_OK)
            value = cli_json_cstr(equals + 1);
        arvo_json_set(cli_arena(), extensions, (arvo_str){ pair, (size_t)(equals - pair) }, value);
    }
    fields->extensions = extensions;
    return true;
}

static bool
fields_data(const struct event_opts *opts, arvo_event *fields)
{
    const arvo_json *data = arvo_json_object_new(cli_arena());
    if (opts->data != NULL && !cli_value_load("data", opts->data, &data))
        return false;
    if (arvo_json_type_of(data) != ARVO_JSON_OBJECT) {
        cli_error("event new: --data must be a JSON object");
        return false;
    }
    fields->data = data;
    return true;
}

/* A workflow that nobody else's started: parentSubject$$ is null unless it is said. */
static void
fields_init(arvo_event *fields)
{
    if (arvo_json_get(fields->data, "parentSubject$$") != NULL)
        return;
    arvo_json *copy = arvo_json_clone(cli_arena(), fields->data);
    cli_set(copy, "parentSubject$$", arvo_json_null());
    cli_check_memory();
    fields->data = copy;
}

/* The event in a file, or in a whole line of `run --follow --json`, which holds one. */
static bool
asked_load(const char *path, arvo_event *out)
{
    arvo_document document;
    arvo_error err = { 0 };
    if (!cli_document_load(path, &document))
        return false;
    const arvo_json *inner = arvo_json_get(document.root, "event");
    const bool is_line = arvo_json_type_of(inner) == ARVO_JSON_OBJECT &&
                         arvo_json_get(document.root, "specversion") == NULL;
    if (arvo_event_from_json(is_line ? inner : document.root, cli_arena(), out, &err) == ARVO_OK)
        return true;
    cli_error("%s: not an event: %s", path, err.text);
    return false;
}

/* What the answered event says of the answer: it goes to its redirectto, else its source, and
 * follows the same version of the contract. */
static bool
fields_reply(const char *path, arvo_event *fields)
{
    arvo_event asked;
    if (!asked_load(path, &asked))
        return false;
    fields->subject = asked.subject;
    fields->to = asked.redirectto.ptr != NULL ? asked.redirectto : asked.source;
    fields->parentid = asked.id;
    fields->accesscontrol = asked.accesscontrol;
    fields->traceparent = asked.traceparent;
    fields->tracestate = asked.tracestate;
    fields->dataschema = asked.dataschema;
    return true;
}

static void
field_set(arvo_str *field, const char *given)
{
    if (given != NULL)
        *field = arvo_str_from(given);
}

/* What the options say; false: said why. */
static bool
fields_fill(const struct event_opts *opts, arvo_event *fields)
{
    *fields = (arvo_event){ 0 };
    if (opts->reply_to != NULL && !fields_reply(opts->reply_to, fields))
        return false;
    field_set(&fields->type, opts->type);
    field_set(&fields->source, opts->source);
    field_set(&fields->subject, opts->subject);
    field_set(&fields->to, opts->to);
    field_set(&fields->dataschema, opts->dataschema);
    field_set(&fields->redirectto, opts->redirectto);
    field_set(&fields->accesscontrol, opts->accesscontrol);
    field_set(&fields->id, opts->id);
    field_set(&fields->time, opts->time);
    field_set(&fields->parentid, opts->parentid);
    if (opts->executionunits != NULL) {
        char *end = NULL;
        const double units = strtod(opts->executionunits, &end);
        if (end == opts->executionunits || *end != '\0') {
            cli_error("event new: --executionunits %s: must be a number", opts->executionunits);
            return false;
        }
        fields->executionunits = arvo_json_number(cli_arena(), units);
    }
    return fields_data(opts, fields) && fields_extensions(&opts->ext, fields);
}

/* The version of a contract to go by: that of --dataschema, of --version, or of the answered event,
 * else the latest that declares the type. */
static const arvo_contract_version *
version_find(
    const arvo_contracts *contracts, const struct event_opts *opts, const arvo_event *fields,
    const arvo_event_rule **rule)
{
    const arvo_contract_version *version = NULL;
    if (opts->dataschema != NULL || opts->version == NULL)
        version = cli_contract_find_schema(contracts, fields->type, fields->dataschema, rule);
    if (version != NULL || opts->dataschema != NULL)
        return version;
    return cli_contract_find(contracts, fields->type, arvo_str_from(opts->version), rule);
}

/* The event that a contract makes of the fields. */
static arvo_status
event_from_contract(
    const arvo_contracts *contracts, const struct event_opts *opts, arvo_event *fields,
    arvo_event *out, arvo_error *err)
{
    const arvo_event_rule *rule = NULL;
    const arvo_contract_version *version = version_find(contracts, opts, fields, &rule);
    const char *where = opts->dataschema != NULL ? opts->dataschema : opts->version;
    if (version == NULL)
        return arvo_error_set(
            err, ARVO_E_NOT_FOUND, ARVO_NO_OFFSET,
            "--type %s: no contract of the app declares it%s%s", opts->type,
            where == NULL               ? ""
            : where == opts->dataschema ? " in "
                                        : " in version ",
            where != NULL ? where : "");
    const arvo_factory factory = { .version = version,
                                   .platform = arvo_platform_system(),
                                   .arena = cli_arena() };
    if (rule == &version->accepts) {
        if (fields->source.ptr == NULL)
            return arvo_error_set(
                err, ARVO_E_INVALID, ARVO_NO_OFFSET,
                "source is missing; say who sends it: --source");
        if (version->is_orchestrator) {
            fields_init(fields);
            return arvo_factory_init(&factory, fields, out, err);
        }
        return arvo_factory_accepts(&factory, fields, out, err);
    }
    /* A reply comes from the service, as its own handler would send it. */
    if (fields->source.ptr == NULL)
        fields->source = version->accepts.type;
    if (rule != &version->system_error)
        return arvo_factory_emits(&factory, fields, out, err);
    return arvo_factory_system_error(
        &factory, fields, arvo_json_str(arvo_json_get(fields->data, "errorName")),
        arvo_json_str(arvo_json_get(fields->data, "errorMessage")), ARVO_STR_NONE, out, err);
}

static arvo_status
event_from_fields(
    const struct event_opts *opts, arvo_event *fields, arvo_event *out, arvo_error *err)
{
    if (opts->init)
        fields_init(fields);
    if (opts->init && fields->subject.ptr == NULL) {
        const arvo_subject_new_opts fresh = { .name = fields->type,
                                              .version = arvo_str_from(opts->version),
                                              .initiator = fields->source };
        const arvo_status st = arvo_subject_new(
            NULL, &fresh, arvo_platform_system(), cli_arena(), &fields->subject, err);
        if (st != ARVO_OK)
            return st;
    }
    return arvo_event_create(fields, arvo_platform_system(), cli_arena(), out, err);
}

static int
event_new(const struct event_opts *opts, const arvo_app *app)
{
    arvo_event fields, event;
    arvo_error err = { 0 };
    if (!fields_fill(opts, &fields))
        return CLI_USAGE;
    const arvo_status st =
        app != NULL ? event_from_contract(arvo_app_contracts(app), opts, &fields, &event, &err)
                    : event_from_fields(opts, &fields, &event, &err);
    if (st != ARVO_OK) {
        cli_error("event new: %s", err.text);
        return st == ARVO_E_NOMEM || st == ARVO_E_IO ? CLI_TRANSACTION
               : st == ARVO_E_NOT_FOUND              ? CLI_USAGE
                                                     : CLI_NO;
    }
    if (opts->pretty)
        cli_print_pretty(arvo_event_to_json(&event, cli_arena()));
    else
        cli_print_json(arvo_event_to_json(&event, cli_arena()));
    return CLI_DONE;
}

static int
event_new_run(cli_args *args)
{
    struct event_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.type == NULL) {
        cli_error("event new: needs --type TYPE");
        return CLI_USAGE;
    }
    arvo_app *app = NULL;
    if (opts.apps.count > 0 && (app = cli_app_load(opts.apps.items, opts.apps.count)) == NULL)
        return CLI_USAGE;
    const int exit_code = event_new(&opts, app);
    arvo_app_free(app);
    return exit_code;
}

/* ---- validate ---- */

static int
invalid(const struct event_opts *opts, const char *what)
{
    if (opts->json) {
        arvo_json *object = arvo_json_object_new(cli_arena());
        cli_set(object, "valid", arvo_json_bool(false));
        cli_set(object, "error", cli_json_cstr(what));
        cli_print_json(object);
    } else {
        cli_error("event validate: %s", what);
    }
    return CLI_NO;
}

/* By the version that its dataschema names, else the latest that declares the type. */
static arvo_status
event_check_data(const arvo_contracts *contracts, const arvo_event *event, arvo_error *err)
{
    arvo_str uri, version;
    const bool named = arvo_dataschema_parse(event->dataschema, &uri, &version);
    const arvo_event_rule *rule = NULL;
    const arvo_contract_version *found =
        named ? cli_contract_find_schema(contracts, event->type, event->dataschema, &rule)
              : cli_contract_find(contracts, event->type, ARVO_STR_NONE, &rule);
    if (found == NULL)
        return arvo_error_set(
            err, ARVO_E_NOT_FOUND, ARVO_NO_OFFSET, "no contract declares the type %.*s%s%.*s",
            ARVO_FMT(event->type), named ? " in its dataschema, " : "",
            ARVO_FMT(named ? event->dataschema : ARVO_STR_NONE));
    return arvo_schema_check(rule->schema, event->data, cli_arena(), NULL, err);
}

static int
event_validate(const struct event_opts *opts, const arvo_app *app, const char *path)
{
    arvo_document document;
    arvo_event event;
    arvo_error err = { 0 };
    if (!cli_document_load(path, &document))
        return CLI_USAGE;
    arvo_status st = arvo_event_from_json(document.root, cli_arena(), &event, &err);
    if (st == ARVO_OK && app != NULL)
        st = event_check_data(arvo_app_contracts(app), &event, &err);
    if (st == ARVO_E_NOMEM)
        return cli_fail(&err);
    if (st != ARVO_OK)
        return invalid(opts, err.text);
    if (opts->json)
        printf("{\"valid\":true}\n");
    else
        printf("valid: %s, id %s\n", cli_shown(event.type), cli_shown(event.id));
    return CLI_DONE;
}

static int
event_validate_run(cli_args *args)
{
    struct event_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    arvo_app *app = NULL;
    if (opts.apps.count > 0 && (app = cli_app_load(opts.apps.items, opts.apps.count)) == NULL)
        return CLI_USAGE;
    const int exit_code = event_validate(&opts, app, args->operands[0]);
    arvo_app_free(app);
    return exit_code;
}

/* ---- send ---- */

struct send_opts {
    const char *store;
    cli_list apps;
    bool json;
};

static const cli_option event_send_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct send_opts, store),
      "the store that workers deliver from (required)" },
    { "app", CLI_LIST, "APP", offsetof(struct send_opts, apps),
      "check its data first, against the contracts there" },
    { "json", CLI_FLAG, NULL, offsetof(struct send_opts, json), "one JSON object per event" },
    CLI_REMOTES_OPTION,
    { 0 },
};

static bool
send_none(void *user, const arvo_stored_event *row)
{
    (void)user;
    (void)row;
    return false;
}

/* As somebody's step would have left it: a row of the outbox, and one of the history. */
static arvo_status
send_commit(arvo_memory *memory, const arvo_event *event, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_event_write(event, &text);
    const arvo_stored_event row = { .direction = ARVO_PRODUCED,
                                    .subject = event->subject,
                                    .id = event->id,
                                    .source = event->source,
                                    .type = event->type,
                                    .domains = ARVO_STR("[\"default\"]"),
                                    .json = arvo_buf_str(&text) };
    const arvo_commit commit = { .subject = event->subject, .produced = &row, .produced_count = 1 };
    const arvo_status st = text.status == ARVO_OK
                               ? ops->commit(arvo_memory_self(memory), &commit, 1, err)
                               : arvo_error_set(err, text.status, ARVO_NO_OFFSET, "event");
    arvo_buf_fini(&text);
    return st;
}

static void
send_print(const struct send_opts *opts, const arvo_event *event)
{
    if (!opts->json) {
        printf("sent: %s, id %s\n", cli_shown(event->type), cli_shown(event->id));
        return;
    }
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "id", cli_json_str(event->id));
    cli_set(object, "source", cli_json_str(event->source));
    cli_set(object, "subject", cli_json_str(event->subject));
    cli_print_json(object);
}

/* All are looked at before the first is sent. */
static arvo_event *
send_load(const cli_args *args, const arvo_app *app)
{
    arvo_event *events = arvo_arena_calloc(cli_arena(), args->operand_count, sizeof(*events));
    cli_check_memory();
    for (size_t i = 0; i < args->operand_count; i++) {
        arvo_error err = { 0 };
        if (!cli_event_load(args->operands[i], &events[i]))
            return NULL;
        if (app == NULL || event_check_data(arvo_app_contracts(app), &events[i], &err) == ARVO_OK)
            continue;
        cli_error("event send: %s: %s", args->operands[i], err.text);
        return NULL;
    }
    return events;
}

static int
send_all(const struct send_opts *opts, arvo_memory *memory, const arvo_event *events, size_t count)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_error err = { 0 };
    if (ops->outbox_list == NULL) {
        cli_error("event send: the store %s has no outbox to put an event into", ops->name);
        return CLI_USAGE;
    }
    arvo_status st = ops->outbox_list(arvo_memory_self(memory), 0, 1, send_none, NULL, &err);
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        st = send_commit(memory, &events[i], &err);
        if (st == ARVO_OK)
            send_print(opts, &events[i]);
    }
    return st == ARVO_OK ? CLI_DONE : cli_fail(&err);
}

static int
event_send_run(cli_args *args)
{
    struct send_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.store == NULL || strncmp(opts.store, "memory:", 7) == 0) {
        cli_error(
            "event send: needs --store URL, of a store that stays: for example sqlite:orders.db");
        return CLI_USAGE;
    }
    arvo_app *app = NULL;
    if (opts.apps.count > 0 && (app = cli_app_load(opts.apps.items, opts.apps.count)) == NULL)
        return CLI_USAGE;
    int exit_code = CLI_USAGE;
    const arvo_event *events = send_load(args, app);
    arvo_memory *memory = events != NULL ? cli_store_open(opts.store, false, &exit_code) : NULL;
    if (memory != NULL)
        exit_code = send_all(&opts, memory, events, args->operand_count);
    arvo_memory_close(memory);
    arvo_app_free(app);
    return exit_code;
}

const cli_command cli_event_new = {
    .verb = "event",
    .action = "new",
    .operands = "",
    .summary = "make an event",
    .details =
        "Makes an event, with everything that is not given filled in, and prints it as one line "
        "of\n"
        "JSON: feed it to arvo run --event -. With --app, the contract that declares its type\n"
        "checks the data and gives dataschema; a start event gets a new subject. Exit code 1:\n"
        "it would not be valid.\n",
    .options = event_new_options,
    .operands_max = 0,
    .run = event_new_run,
};

const cli_command cli_event_validate = {
    .verb = "event",
    .action = "validate",
    .operands = "FILE",
    .summary = "is this a valid event?",
    .details =
        "Says whether the JSON in FILE (`-` is standard input) is a valid event; with --app, its\n"
        "data too. --json: {\"valid\": true} or {\"valid\": false, \"error\"}. Exit code 1: not "
        "valid.\n",
    .options = event_validate_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = event_validate_run,
};

const cli_command cli_event_send = {
    .verb = "event",
    .action = "send",
    .operands = "FILE...",
    .summary = "put events into a store, for whoever delivers from it",
    .details =
        "Puts each event (`-` is standard input) into the outbox of a store: arvo work, or the "
        "next\n"
        "arvo run --follow, delivers it to the workflow that its subject names or to whoever its\n"
        "\"to\" names. So a service answers without running anything here. When the command is "
        "done,\n"
        "the event is as safe as the store keeps it; sent twice (same source and id), it has one\n"
        "effect. All files are read before the first event is sent.\n"
        "--json: {\"id\", \"source\", \"subject\"} per event. Exit codes: 2, an event that "
        "cannot be\n"
        "used, nothing was sent; 3, the store could not take one: what was printed is sent.\n",
    .options = event_send_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = event_send_run,
};
