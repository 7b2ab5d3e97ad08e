/* arvo history: the events of one instance, in the order in which they became durable. */

#include "cli.h"

struct history_opts {
    const char *store;
    bool json;
};

static const cli_option history_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct history_opts, store), "the store to look into" },
    { "json", CLI_FLAG, NULL, offsetof(struct history_opts, json), "one JSON object per line" },
    { 0 },
};

struct history {
    bool json;
    size_t rows;
    cli_table table;
};

static const char *
direction_name(arvo_direction direction)
{
    return direction == ARVO_CONSUMED ? "consumed" : "produced";
}

static const arvo_json *
history_json(const arvo_stored_event *event)
{
    arvo_json *line = arvo_json_object_new(cli_arena());
    cli_set(line, "seq", arvo_json_int(cli_arena(), event->seq));
    cli_set(line, "direction", cli_json_str(arvo_str_from(direction_name(event->direction))));
    cli_set(line, "domains", cli_json_text(event->domains));
    cli_set(line, "event", cli_json_text(event->json));
    return line;
}

static bool
history_row(void *user, const arvo_stored_event *event)
{
    struct history *history = user;
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    history->rows++;
    if (history->json)
        cli_print_json(history_json(event));
    else
        cli_table_row(
            &history->table, cli_printf("%lld", (long long)event->seq),
            cli_cstr(arvo_json_str(cli_json_time(event->time_ms))),
            direction_name(event->direction), cli_cstr(event->type),
            cli_domains_text(event->domains), cli_cstr(event->source));
    arvo_arena_rewind(cli_arena(), mark);
    return cli_flush();
}

static int
history_list(const struct history_opts *opts, arvo_memory *memory, const char *given)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    int exit_code = CLI_DONE;
    arvo_str subject;
    if (ops->history == NULL) {
        cli_error("history: the store %s keeps no history", ops->name);
        return CLI_USAGE;
    }
    if (!cli_subject_find(memory, given, &subject, &exit_code))
        return exit_code;
    struct history history = { .json = opts->json, .table = { .columns = 6 } };
    cli_table_row(&history.table, "SEQ", "TIME", "DIRECTION", "TYPE", "DOMAINS", "SOURCE");
    arvo_error err = { 0 };
    const arvo_status st =
        ops->history(arvo_memory_self(memory), subject, history_row, &history, &err);
    if (st == ARVO_OK && history.rows > 0 && !opts->json)
        cli_table_print(&history.table);
    cli_table_free(&history.table);
    if (st != ARVO_OK)
        return cli_fail(&err);
    if (history.rows == 0)
        cli_error("history: the store holds no event of this subject");
    return history.rows > 0 ? CLI_DONE : CLI_NO;
}

static int
history_run(cli_args *args)
{
    struct history_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.store == NULL) {
        cli_error("history: needs --store URL, for example --store sqlite:orders.db");
        return CLI_USAGE;
    }
    int exit_code = CLI_DONE;
    arvo_memory *memory = cli_store_open(opts.store, true, &exit_code);
    if (memory != NULL)
        exit_code = history_list(&opts, memory, args->operands[0]);
    arvo_memory_close(memory);
    return exit_code;
}

const cli_command cli_history = {
    .verb = "history",
    .operands = "SUBJECT",
    .summary = "list the events of one instance",
    .details =
        "Lists the events that one workflow instance consumed and produced, in the order in\n"
        "which they became durable. SUBJECT as for arvo show.\n"
        "--json: {\"seq\", \"direction\": \"consumed\" or \"produced\", \"domains\", \"event\"} "
        "per line.\n"
        "Exit code 1: the store holds no event of this subject.\n",
    .options = history_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = history_run,
};
