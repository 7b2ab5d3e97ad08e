/* arvo machine simulate: play events through one chart. Nothing is stored or sent. */

#include "cli.h"

struct simulate_opts {
    const char *events;
    const char *input;
    const char *snapshot;
    cli_list apps;
    bool persist;
};

static const cli_option simulate_options[] = {
    { "events", CLI_TEXT, "FILE", offsetof(struct simulate_opts, events),
      "events to send: a JSON or YAML list, or JSON lines; a string means {type}" },
    { "input", CLI_TEXT, "FILE", offsetof(struct simulate_opts, input),
      "the start event, which the machine sees as its input" },
    { "snapshot", CLI_TEXT, "FILE", offsetof(struct simulate_opts, snapshot),
      "go on from this persisted snapshot instead of starting" },
    { "app", CLI_LIST, "APP", offsetof(struct simulate_opts, apps),
      "where the machine's contracts are, if not in FILE" },
    { "persist", CLI_FLAG, NULL, offsetof(struct simulate_opts, persist),
      "print the persisted snapshot as the last line" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- Reading the events ---- */

static bool
event_push(arvo_json *list, const arvo_json *event, const char *path, size_t number)
{
    const bool is_event = arvo_json_type_of(event) == ARVO_JSON_STRING ||
                          arvo_json_type_of(arvo_json_get(event, "type")) == ARVO_JSON_STRING;
    if (!is_event) {
        cli_error("%s: event %zu: must be a string or an object with a string type", path, number);
        return false;
    }
    arvo_json_push(cli_arena(), list, event);
    return true;
}

/* JSON lines: each line that is not blank is one event. False without a word when some line is not
 * JSON: then it is no such file, and reading it as a document says what is wrong. */
static bool
events_from_lines(arvo_str text, arvo_json *list)
{
    while (text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        const size_t len = newline != NULL ? (size_t)(newline - text.ptr) : text.len;
        const arvo_json *event = NULL;
        size_t blank = 0;
        while (blank < len && strchr(" \t\r", text.ptr[blank]) != NULL)
            blank++;
        if (blank < len) {
            if (arvo_json_parse((arvo_str){ text.ptr, len }, cli_arena(), &event, NULL) != ARVO_OK)
                return false;
            arvo_json_push(cli_arena(), list, event);
        }
        text.ptr += newline != NULL ? len + 1 : len;
        text.len -= newline != NULL ? len + 1 : len;
    }
    return true;
}

static bool
events_load(const char *path, const arvo_json **out)
{
    arvo_json *list = arvo_json_array_new(cli_arena());
    arvo_json *lines = arvo_json_array_new(cli_arena());
    arvo_str text;
    if (!cli_text_load(path, &text))
        return false;
    arvo_document_list documents = { 0 };
    arvo_error err = { 0 };
    if (events_from_lines(text, lines) &&
        (arvo_json_count(lines) != 1 ||
         arvo_json_type_of(arvo_json_at(lines, 0)) != ARVO_JSON_ARRAY)) {
        *out = lines;
    } else {
        if (arvo_document_parse(arvo_str_from(path), text, cli_arena(), &documents, &err) !=
            ARVO_OK) {
            cli_fail(&err);
            return false;
        }
        *out = documents.count == 1 ? documents.items[0].root : NULL;
        if (documents.count == 0)
            *out = list;
        if (arvo_json_type_of(*out) != ARVO_JSON_ARRAY) {
            cli_error("%s: must be a list of events, or one event per line", path);
            return false;
        }
    }
    for (size_t i = 0; i < arvo_json_count(*out); i++)
        if (!event_push(list, arvo_json_at(*out, i), path, i + 1))
            return false;
    *out = list;
    return true;
}

/* ---- Printing a step ---- */

static void
set_given(arvo_json *object, const char *key, arvo_str value)
{
    if (value.ptr != NULL)
        cli_set(object, key, cli_json_str(value));
}

static const arvo_json *
emission_json(const arvo_emission *emission)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "type", cli_json_str(emission->type));
    if (emission->data != NULL)
        cli_set(object, "data", emission->data);
    if (emission->domains != NULL)
        cli_set(object, "domains", emission->domains);
    set_given(object, "to", emission->to);
    set_given(object, "redirectto", emission->redirectto);
    set_given(object, "accesscontrol", emission->accesscontrol);
    set_given(object, "dataschema", emission->dataschema);
    set_given(object, "id", emission->id);
    if (emission->executionunits != NULL)
        cli_set(object, "executionunits", emission->executionunits);
    if (emission->extensions != NULL)
        cli_set(object, "extensions", emission->extensions);
    return object;
}

static void
step_print(const arvo_json *event, const arvo_machine_output *output)
{
    arvo_json *line = arvo_json_object_new(cli_arena());
    arvo_json *log = arvo_json_array_new(cli_arena());
    arvo_json *emitted = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < output->log_count; i++)
        arvo_json_push(cli_arena(), log, cli_json_str(output->logs[i]));
    for (size_t i = 0; i < output->emission_count; i++)
        arvo_json_push(cli_arena(), emitted, emission_json(&output->emissions[i]));
    cli_set(line, "event", event);
    const arvo_json *value = NULL;
    if (arvo_json_parse(output->value, cli_arena(), &value, NULL) != ARVO_OK)
        value =
            NULL; /* it was just written: only memory can be short, and then printing fails too */
    cli_set(line, "value", value);
    cli_set(line, "status", cli_json_str(arvo_str_from(arvo_machine_status_name(output->status))));
    cli_set(line, "context", output->context);
    cli_set(line, "log", log);
    cli_set(line, "emitted", emitted);
    cli_set(line, "output", output->output);
    cli_set(line, "error", cli_json_str(output->error_message));
    cli_print_json(line);
}

/* The first line of a run that goes on from a snapshot: what the snapshot says. */
static void
snapshot_print(const arvo_json *snapshot)
{
    arvo_json *line = arvo_json_object_new(cli_arena());
    const arvo_json *error = arvo_json_get(snapshot, "error");
    cli_set(line, "event", NULL);
    cli_set(line, "value", arvo_json_get(snapshot, "value"));
    cli_set(line, "status", arvo_json_get(snapshot, "status"));
    cli_set(line, "context", arvo_json_get(snapshot, "context"));
    cli_set(line, "log", arvo_json_array_new(cli_arena()));
    cli_set(line, "emitted", arvo_json_array_new(cli_arena()));
    cli_set(line, "output", arvo_json_get(snapshot, "output"));
    cli_set(
        line, "error",
        arvo_json_get(error, "message") != NULL ? arvo_json_get(error, "message") : error);
    cli_print_json(line);
}

/* ---- Running ---- */

/* One step; `*state` moves on. False: said why, *exit_code set. A step that fails in the chart is a
 * step: it is printed, and the exit code will be CLI_NO. */
static bool
step(const arvo_machine *machine, arvo_machine_input *input, const arvo_json *shown, int *exit_code)
{
    arvo_machine_output output = { 0 };
    arvo_error err = { 0 };
    const arvo_status st = arvo_machine_execute(machine, input, cli_arena(), &output, &err);
    if (st != ARVO_OK && st != ARVO_E_EXECUTION) {
        *exit_code = cli_fail(&err);
        return false;
    }
    if (st == ARVO_E_EXECUTION)
        *exit_code = CLI_NO;
    step_print(shown, &output);
    input->state = output.state;
    return cli_flush();
}

static const arvo_json *
event_object(const arvo_json *event)
{
    if (arvo_json_type_of(event) != ARVO_JSON_STRING)
        return event;
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "type", event);
    return object;
}

/* Whether the chart can hold the snapshot of *input: a step from it tells, whatever it comes to.
 * False: said why, *exit_code set. */
static bool
snapshot_fits(const arvo_machine *machine, const arvo_machine_input *input, int *exit_code)
{
    arvo_json *event = arvo_json_object_new(cli_arena());
    cli_set(event, "type", cli_json_text(ARVO_STR("\"arvo.snapshot.probe\"")));
    arvo_machine_input probe = *input;
    probe.event = event;
    arvo_machine_output output = { 0 };
    arvo_error err = { 0 };
    const arvo_status st = arvo_machine_execute(machine, &probe, cli_arena(), &output, &err);
    if (st == ARVO_OK || st == ARVO_E_EXECUTION)
        return true;
    *exit_code = cli_fail(&err);
    return false;
}

static int
simulate(
    const struct simulate_opts *opts, const arvo_machine *machine, const arvo_json *start,
    const arvo_json *snapshot, const arvo_json *events)
{
    int exit_code = CLI_DONE;
    arvo_machine_input input = { .input = start };
    arvo_buf state = ARVO_BUF_INIT(ARVO_RECORD_BYTES_MAX);
    bool go_on = true;
    if (snapshot != NULL) {
        arvo_json_write(snapshot, &state);
        input.state = arvo_buf_str(&state);
        go_on = snapshot_fits(machine, &input, &exit_code);
        if (go_on)
            snapshot_print(snapshot);
    } else {
        go_on = step(machine, &input, NULL, &exit_code);
    }
    for (size_t i = 0; i < arvo_json_count(events) && go_on; i++) {
        const arvo_json *event = arvo_json_at(events, i);
        input.event = event_object(event);
        go_on = step(machine, &input, event, &exit_code);
    }
    if (go_on && opts->persist) {
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, "snapshot", cli_json_text(input.state));
        cli_print_json(line);
    }
    arvo_buf_fini(&state);
    return exit_code;
}

/* ---- Loading the machine ---- */

static const arvo_document *
machine_document(const char *path, const arvo_document_list *documents)
{
    const arvo_document *found = NULL;
    for (size_t i = 0; i < documents->count; i++) {
        if (!cli_document_is(&documents->items[i], "machine"))
            continue;
        if (found != NULL) {
            cli_error("%s: holds several machines; give a file with one", path);
            return NULL;
        }
        found = &documents->items[i];
    }
    if (found == NULL)
        cli_error("%s: holds no machine (kind: machine)", path);
    return found;
}

static arvo_machine *
machine_load(const struct simulate_opts *opts, const char *path)
{
    arvo_document_list documents = { 0 };
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    if (!cli_documents_load(path, &documents))
        return NULL;
    const arvo_document *document = machine_document(path, &documents);
    if (document == NULL)
        return NULL;
    arvo_contracts *contracts = cli_contracts_load(&opts->apps, &documents);
    if (contracts != NULL &&
        arvo_machine_create(
            &(arvo_machine_setup){ .contracts = contracts }, document, &machine, &err) != ARVO_OK)
        (void)cli_fail(&err);
    arvo_contracts_unref(contracts);
    return machine;
}

/* A snapshot as it is, or the last line of --persist. */
static bool
snapshot_load(const char *path, const arvo_json **out)
{
    arvo_document document;
    if (!cli_document_load(path, &document))
        return false;
    const arvo_json *inner = arvo_json_get(document.root, "snapshot");
    *out = inner != NULL ? inner : document.root;
    if (arvo_json_type_of(*out) == ARVO_JSON_OBJECT)
        return true;
    cli_error("%s: must be a snapshot, a JSON object", path);
    return false;
}

static int
simulate_run(cli_args *args)
{
    struct simulate_opts opts = { 0 };
    const arvo_json *events = NULL;
    const arvo_json *snapshot = NULL;
    arvo_document input = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if ((opts.events != NULL && !events_load(opts.events, &events)) ||
        (opts.snapshot != NULL && !snapshot_load(opts.snapshot, &snapshot)) ||
        (opts.input != NULL && !cli_document_load(opts.input, &input)))
        return CLI_USAGE;
    arvo_machine *machine = machine_load(&opts, args->operands[0]);
    if (machine == NULL)
        return CLI_USAGE;
    const int exit_code = simulate(&opts, machine, input.root, snapshot, events);
    arvo_machine_unref(machine);
    return exit_code;
}

const cli_command cli_machine_simulate = {
    .verb = "machine",
    .action = "simulate",
    .operands = "FILE",
    .summary = "play events through one machine",
    .details =
        "Starts the machine in FILE, sends it events, and prints one JSON object per step:\n"
        "{\"event\", \"value\", \"status\", \"context\", \"log\", \"emitted\", \"output\", "
        "\"error\"}. The first is\n"
        "the start (or the snapshot), with event null; with --persist a last line is\n"
        "{\"snapshot\": ...}. Nothing is stored or sent, and events are not checked against\n"
        "contracts. Exit codes: 1, a step failed; 2, the machine cannot be built.\n",
    .options = simulate_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = simulate_run,
};
