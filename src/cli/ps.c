/* arvo ps: the instances in a store. */

#include "cli.h"

struct ps_opts {
    const char *store;
    const char *orchestrator;
    const char *status;
    bool json;
};

static const cli_option ps_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct ps_opts, store), "the store to look into" },
    { "orchestrator", CLI_TEXT, "TYPE", offsetof(struct ps_opts, orchestrator),
      "only instances of this orchestrator" },
    { "status", CLI_TEXT, "STATUS", offsetof(struct ps_opts, status),
      "only active, done or error" },
    { "json", CLI_FLAG, NULL, offsetof(struct ps_opts, json), "one JSON object per line" },
    { 0 },
};

#define PS_PAGE ((size_t)500)

struct ps {
    bool json;
    cli_table table;
    size_t rows;   /* of this page */
    arvo_str last; /* subject of the last row */
    char last_bytes[ARVO_SUBJECT_TEXT_BYTES_MAX];
};

static const arvo_json *
ps_json(const arvo_record *record)
{
    arvo_json *line = arvo_json_object_new(cli_arena());
    cli_set(line, "subject", cli_json_str(record->subject));
    cli_set(line, "orchestrator", cli_json_str(record->orchestrator));
    cli_set(line, "version", cli_json_str(record->version));
    cli_set(line, "status", cli_json_str(record->status));
    cli_set(line, "value", cli_json_text(record->value));
    cli_set(line, "parentSubject", cli_json_str(record->parent_subject));
    cli_set(line, "updated", cli_json_time(record->updated_ms));
    return line;
}

static void
ps_table_row(cli_table *table, const arvo_record *record)
{
    arvo_subject subject = { 0 };
    const bool readable =
        arvo_subject_decode(NULL, record->subject, cli_arena(), &subject, NULL) == ARVO_OK;
    cli_table_row(
        table, readable ? cli_cstr(subject.execution_id) : "(damaged subject)",
        cli_cstr(record->orchestrator), cli_cstr(record->version), cli_cstr(record->status),
        cli_cstr(arvo_json_str(cli_json_time(record->updated_ms))),
        cli_state_text(cli_json_text(record->value)));
}

static bool
ps_row(void *user, const arvo_record *record)
{
    struct ps *ps = user;
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    if (ps->json)
        cli_print_json(ps_json(record));
    else
        ps_table_row(&ps->table, record);
    arvo_arena_rewind(cli_arena(), mark);
    ps->rows++;
    ps->last.ptr = ps->last_bytes;
    ps->last.len = record->subject.len < sizeof(ps->last_bytes) ? record->subject.len : 0;
    memcpy(ps->last_bytes, record->subject.ptr, ps->last.len);
    return cli_flush();
}

static int
ps_list(const struct ps_opts *opts, arvo_memory *memory)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    if (ops->list == NULL) {
        cli_error("ps: the store %s cannot list its instances", ops->name);
        return CLI_USAGE;
    }
    struct ps ps = { .json = opts->json, .table = { .columns = 6 } };
    cli_table_row(&ps.table, "EXECUTION", "ORCHESTRATOR", "VERSION", "STATUS", "UPDATED", "STATE");
    arvo_record_query query = {
        .orchestrator = arvo_str_from(opts->orchestrator),
        .status = arvo_str_from(opts->status),
        .limit = PS_PAGE,
    };
    arvo_error err = { 0 };
    arvo_status st;
    do {
        ps.rows = 0;
        st = ops->list(arvo_memory_self(memory), &query, ps_row, &ps, &err);
        query.after = ps.last;
    } while (st == ARVO_OK && ps.rows == PS_PAGE && cli_flush());
    if (st == ARVO_OK && !opts->json)
        cli_table_print(&ps.table);
    cli_table_free(&ps.table);
    return st == ARVO_OK ? CLI_DONE : cli_fail(&err);
}

static bool
is_status(const char *word)
{
    return strcmp(word, "active") == 0 || strcmp(word, "done") == 0 || strcmp(word, "error") == 0;
}

static int
ps_run(cli_args *args)
{
    struct ps_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.store == NULL) {
        cli_error("ps: needs --store URL, for example --store sqlite:orders.db");
        return CLI_USAGE;
    }
    if (opts.status != NULL && !is_status(opts.status)) {
        cli_error("ps: --status %s: must be active, done or error", opts.status);
        return CLI_USAGE;
    }
    int exit_code = CLI_DONE;
    arvo_memory *memory = cli_store_open(opts.store, true, &exit_code);
    if (memory != NULL)
        exit_code = ps_list(&opts, memory);
    arvo_memory_close(memory);
    return exit_code;
}

const cli_command cli_ps = {
    .verb = "ps",
    .operands = "",
    .summary = "list the instances in a store",
    .details =
        "Lists the workflow instances in a store, with the state each is in. EXECUTION is the\n"
        "execution id inside the subject; arvo show and arvo history accept it.\n"
        "--json: {\"subject\", \"orchestrator\", \"version\", \"status\", \"value\",\n"
        "\"parentSubject\", \"updated\"} per line.\n",
    .options = ps_options,
    .operands_max = 0,
    .run = ps_run,
};
