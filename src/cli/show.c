/* arvo show: one instance. */

#include "cli.h"

struct show_opts {
    const char *store;
    bool json;
};

static const cli_option show_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct show_opts, store), "the store to look into" },
    { "json", CLI_FLAG, NULL, offsetof(struct show_opts, json), "one JSON object" },
    { 0 },
};

static const arvo_json *
show_json(const arvo_record *record)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "subject", cli_json_str(record->subject));
    cli_set(object, "parentSubject", cli_json_str(record->parent_subject));
    cli_set(object, "orchestrator", cli_json_str(record->orchestrator));
    cli_set(object, "version", cli_json_str(record->version));
    cli_set(object, "status", cli_json_str(record->status));
    cli_set(object, "value", cli_json_text(record->value));
    cli_set(object, "state", cli_json_text(record->state));
    cli_set(object, "lastError", cli_json_text(record->last_error));
    cli_set(object, "definition", cli_json_str(record->definition));
    cli_set(object, "revision", arvo_json_int(cli_arena(), (int64_t)record->revision));
    cli_set(object, "created", cli_json_time(record->created_ms));
    cli_set(object, "updated", cli_json_time(record->updated_ms));
    return object;
}

static void
show_line(const char *name, const char *text)
{
    printf("%s%-13s%s %s\n", cli_style_on(CLI_BOLD), name, cli_style_off(CLI_BOLD), text);
}

static void
show_text(const arvo_record *record)
{
    const arvo_json *error = cli_json_text(record->last_error);
    arvo_subject subject;
    if (arvo_subject_decode(NULL, record->subject, cli_arena(), &subject, NULL) == ARVO_OK) {
        show_line("execution", cli_shown(subject.execution_id));
        show_line("started by", cli_shown(subject.initiator));
    }
    show_line("orchestrator", cli_shown(record->orchestrator));
    show_line("version", cli_shown(record->version));
    show_line("status", cli_shown(record->status));
    show_line("state", cli_state_text(cli_json_text(record->value)));
    show_line("created", cli_cstr(arvo_json_str(cli_json_time(record->created_ms))));
    show_line("updated", cli_cstr(arvo_json_str(cli_json_time(record->updated_ms))));
    show_line("revision", cli_printf("%llu", (unsigned long long)record->revision));
    show_line("definition", cli_shown(record->definition));
    if (!arvo_json_is_nullish(error))
        show_line(
            "last error", cli_printf(
                              "%s%s: %s%s", cli_style_on(CLI_RED),
                              cli_shown(arvo_json_str(arvo_json_get(error, "errorName"))),
                              cli_shown(arvo_json_str(arvo_json_get(error, "errorMessage"))),
                              cli_style_off(CLI_RED)));
    show_line("subject", cli_shown(record->subject));
    if (record->parent_subject.ptr != NULL)
        show_line("parent", cli_shown(record->parent_subject));
    const arvo_json *state = cli_json_text(record->state);
    show_line("context", "");
    cli_print_pretty(arvo_json_get(state, "context"));
    if (arvo_json_get(state, "output") != NULL) {
        show_line("output", "");
        cli_print_pretty(arvo_json_get(state, "output"));
    }
}

static int
show_record(const struct show_opts *opts, arvo_memory *memory, const char *given)
{
    int exit_code = CLI_DONE;
    arvo_str subject;
    arvo_record record;
    bool found = false;
    if (!cli_subject_find(memory, given, &subject, &exit_code) ||
        !cli_record_read(memory, subject, &record, &found, &exit_code))
        return exit_code;
    if (!found) {
        cli_error("show: the store holds no instance of this subject");
        return CLI_NO;
    }
    if (opts->json)
        cli_print_json(show_json(&record));
    else
        show_text(&record);
    return CLI_DONE;
}

static int
show_run(cli_args *args)
{
    struct show_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.store == NULL) {
        cli_error("show: needs --store URL, for example --store sqlite:orders.db");
        return CLI_USAGE;
    }
    int exit_code = CLI_DONE;
    arvo_memory *memory = cli_store_open(opts.store, true, &exit_code);
    if (memory != NULL)
        exit_code = show_record(&opts, memory, args->operands[0]);
    arvo_memory_close(memory);
    return exit_code;
}

const cli_command cli_show = {
    .verb = "show",
    .operands = "SUBJECT",
    .summary = "show one instance",
    .details = "Shows the stored record of one workflow instance. SUBJECT is its subject, or its\n"
               "execution id (or the beginning of that, where it is the only one).\n"
               "--json: {\"subject\", \"parentSubject\", \"orchestrator\", \"version\", "
               "\"status\", \"value\",\n"
               "\"state\", \"lastError\", \"definition\", \"revision\", \"created\", \"updated\"}; "
               "state is\n"
               "XState's persisted snapshot. Exit code 1: there is no such instance.\n",
    .options = show_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = show_run,
};
