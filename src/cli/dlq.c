/* arvo dlq: dead letters, which nobody delivers any more until a person decides. */

#include "cli.h"

struct dlq_opts {
    const char *store;
    bool all;
    bool json;
};

#define OPTION_STORE                                                                               \
    {                                                                                              \
        "store", CLI_TEXT, "URL", offsetof(struct dlq_opts, store), "the store", 0                 \
    }
#define OPTION_JSON                                                                                \
    {                                                                                              \
        "json", CLI_FLAG, NULL, offsetof(struct dlq_opts, json), "JSON for programs", 0            \
    }

static const cli_option dlq_look_options[] = { OPTION_STORE, OPTION_JSON, { 0 } };
static const cli_option dlq_decide_options[] = {
    OPTION_STORE,
    { "all", CLI_FLAG, NULL, offsetof(struct dlq_opts, all), "every dead letter there is", 0 },
    OPTION_JSON,
    { 0 },
};

#define DLQ_PAGE ((size_t)500)

/* A store with dead letters; NULL: said why. */
static arvo_memory *
dlq_open(const cli_args *args, const char *url, bool read_only, int *exit_code)
{
    if (url == NULL) {
        cli_error(
            "dlq %s: needs --store URL, for example --store sqlite:orders.db",
            args->command->action);
        *exit_code = CLI_USAGE;
        return NULL;
    }
    if (!cli_store_is_there(url)) {
        *exit_code = CLI_TRANSACTION;
        return NULL;
    }
    arvo_memory *memory = cli_store_open(url, read_only, exit_code);
    if (memory != NULL && arvo_memory_ops_of(memory)->dead_list == NULL) {
        cli_error("dlq: the store \"%s\" knows no dead letters", arvo_memory_name(memory));
        *exit_code = CLI_USAGE;
        arvo_memory_close(memory);
        memory = NULL;
    }
    return memory;
}

/* 0: not a number of a dead letter, and said so. */
static int64_t
dlq_seq(const char *text)
{
    const char *end = NULL;
    uint64_t seq = 0;
    if (cli_number_read(text, INT64_MAX, &seq, &end) && *end == '\0' && seq > 0)
        return (int64_t)seq;
    cli_error("dlq: %s: must be a SEQ as arvo dlq list shows it", text);
    return 0;
}

/* ---- list ------------------------------------------------------------------------ */

struct dlq_list {
    bool json;
    cli_table table;
    size_t rows; /* of this page */
    size_t total;
    int64_t last;
};

static const arvo_json *
dlq_json(const arvo_outbox_row *row)
{
    arvo_json *line = arvo_json_object_new(cli_arena());
    cli_set(line, "seq", arvo_json_int(cli_arena(), row->event.seq));
    cli_set(line, "since", cli_json_time(row->due_ms));
    cli_set(line, "attempts", arvo_json_int(cli_arena(), row->attempts));
    cli_set(line, "error", cli_json_str(row->error));
    cli_set(line, "subject", cli_json_str(row->event.subject));
    cli_set(line, "domains", cli_json_text(row->event.domains));
    cli_set(line, "event", cli_json_text(row->event.json));
    return line;
}

/* The execution id inside a subject, or the subject. */
static const char *
dlq_execution(arvo_str text)
{
    arvo_subject subject = { 0 };
    if (arvo_subject_decode(NULL, text, cli_arena(), &subject, NULL) == ARVO_OK)
        return cli_shown(subject.execution_id);
    return cli_shown(text);
}

static bool
dlq_list_row(void *user, const arvo_outbox_row *row)
{
    struct dlq_list *list = user;
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    if (list->json)
        cli_print_json(dlq_json(row));
    else
        cli_table_row(
            &list->table, cli_printf("%lld", (long long)row->event.seq),
            cli_cstr(arvo_json_str(cli_json_time(row->due_ms))),
            cli_printf("%u", (unsigned)row->attempts), cli_shown(row->event.type),
            dlq_execution(row->event.subject), row->error.ptr != NULL ? cli_shown(row->error) : "");
    arvo_arena_rewind(cli_arena(), mark);
    list->rows++;
    list->total++;
    list->last = row->event.seq;
    return cli_flush();
}

static int
dlq_list_all(arvo_memory *memory, bool json)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    struct dlq_list list = { .json = json, .table = { .columns = 6 } };
    cli_table_row(&list.table, "SEQ", "SINCE", "ATTEMPTS", "TYPE", "EXECUTION", "ERROR");
    arvo_error err = { 0 };
    arvo_status st = ARVO_OK;
    do {
        list.rows = 0;
        st = ops->dead_list(
            arvo_memory_self(memory), list.last, DLQ_PAGE, dlq_list_row, &list, &err);
    } while (st == ARVO_OK && list.rows == DLQ_PAGE && cli_flush());
    if (st == ARVO_OK && !json && list.total > 0)
        cli_table_print(&list.table);
    else if (st == ARVO_OK && !json)
        printf("no dead letters\n");
    cli_table_free(&list.table);
    return st == ARVO_OK ? CLI_DONE : cli_fail(&err);
}

static int
dlq_list_run(cli_args *args)
{
    struct dlq_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    int exit_code = CLI_DONE;
    arvo_memory *memory = dlq_open(args, opts.store, true, &exit_code);
    if (memory != NULL)
        exit_code = dlq_list_all(memory, opts.json);
    arvo_memory_close(memory);
    return exit_code;
}

const cli_command cli_dlq_list = {
    .verb = "dlq",
    .action = "list",
    .operands = "",
    .summary = "list dead letters",
    .details = "Lists the events that could not be delivered too often, with why the last attempt\n"
               "failed. They wait for a decision and hold nobody up.\n"
               "--json: {\"seq\", \"since\", \"attempts\", \"error\", \"subject\", \"domains\",\n"
               "\"event\"} per line.\n",
    .options = dlq_look_options,
    .operands_max = 0,
    .run = dlq_list_run,
};

/* ---- show ------------------------------------------------------------------------ */

struct dlq_show {
    int64_t seq;
    bool json;
    bool is_found;
};

static bool
dlq_show_row(void *user, const arvo_outbox_row *row)
{
    struct dlq_show *show = user;
    if (row->event.seq != show->seq)
        return false;
    show->is_found = true;
    if (show->json) {
        cli_print_json(dlq_json(row));
        return false;
    }
    printf(
        "seq       %lld\nsince     %s\nattempts  %u\nerror     %s\nsubject   %s\ndomains   %s\n\n",
        (long long)row->event.seq, cli_cstr(arvo_json_str(cli_json_time(row->due_ms))),
        (unsigned)row->attempts, row->error.ptr != NULL ? cli_shown(row->error) : "-",
        cli_shown(row->event.subject), cli_domains_text(row->event.domains));
    cli_print_pretty(cli_json_text(row->event.json));
    return false;
}

static int
dlq_show_run(cli_args *args)
{
    struct dlq_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    struct dlq_show show = { .seq = dlq_seq(args->operands[0]), .json = opts.json };
    if (show.seq == 0)
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    arvo_memory *memory = dlq_open(args, opts.store, true, &exit_code);
    if (memory == NULL)
        return exit_code;
    arvo_error err = { 0 };
    if (arvo_memory_ops_of(memory)->dead_list(
            arvo_memory_self(memory), show.seq - 1, 1, dlq_show_row, &show, &err) != ARVO_OK)
        exit_code = cli_fail(&err);
    arvo_memory_close(memory);
    if (exit_code == CLI_DONE && !show.is_found) {
        cli_error("dlq show: there is no dead letter %lld", (long long)show.seq);
        exit_code = CLI_NO;
    }
    return exit_code;
}

const cli_command cli_dlq_show = {
    .verb = "dlq",
    .action = "show",
    .operands = "SEQ",
    .summary = "show one dead letter whole",
    .details = "Shows one dead letter with its event.\n"
               "--json: as of dlq list. Exit code 1: there is no such dead letter.\n",
    .options = dlq_look_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = dlq_show_run,
};

/* ---- retry and drop ------------------------------------------------------------------ */

typedef arvo_status (*dlq_decide_fn)(void *self, int64_t seq, arvo_error *err);

struct dlq_decision {
    dlq_decide_fn decide;
    uint64_t done, missing;
    int64_t seqs[DLQ_PAGE];
    size_t count;
};

static bool
dlq_note_seq(void *user, const arvo_outbox_row *row)
{
    struct dlq_decision *decision = user;
    decision->seqs[decision->count++] = row->event.seq;
    return decision->count < DLQ_PAGE;
}

/* One of those that were named; one that is gone is said, and the others go on. */
static arvo_status
dlq_decide_one(
    arvo_memory *memory, struct dlq_decision *decision, int64_t seq, bool is_named, arvo_error *err)
{
    const arvo_status st = decision->decide(arvo_memory_self(memory), seq, err);
    if (st == ARVO_OK) {
        decision->done++;
    } else if (st == ARVO_E_NOT_FOUND) {
        if (is_named) /* else somebody else was quicker */
            cli_error("dlq: there is no dead letter %lld", (long long)seq);
        decision->missing += is_named;
        return ARVO_OK;
    }
    return st;
}

static arvo_status
dlq_decide_all(arvo_memory *memory, struct dlq_decision *decision, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    int64_t after = 0;
    arvo_status st = ARVO_OK;
    do {
        decision->count = 0;
        st = ops->dead_list(arvo_memory_self(memory), after, DLQ_PAGE, dlq_note_seq, decision, err);
        for (size_t i = 0; st == ARVO_OK && i < decision->count; i++) {
            after = decision->seqs[i];
            st = dlq_decide_one(memory, decision, after, false, err);
        }
    } while (st == ARVO_OK && decision->count > 0);
    return st;
}

static int
dlq_decide_print(const char *key, const struct dlq_decision *decision, bool json)
{
    if (json) {
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, key, arvo_json_int(cli_arena(), (int64_t)decision->done));
        cli_print_json(line);
    } else {
        printf(
            "%s %llu dead %s\n", key, (unsigned long long)decision->done,
            decision->done == 1 ? "letter" : "letters");
    }
    return decision->missing == 0 ? CLI_DONE : CLI_NO;
}

static bool
dlq_seqs_good(const cli_args *args, bool all)
{
    if (all == (args->operand_count > 0)) {
        cli_error("dlq %s: name dead letters by SEQ, or say --all", args->command->action);
        return false;
    }
    for (size_t i = 0; i < args->operand_count; i++) {
        if (dlq_seq(args->operands[i]) == 0)
            return false;
    }
    return true;
}

static int
dlq_decide_run(cli_args *args, bool is_retry)
{
    struct dlq_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!dlq_seqs_good(args, opts.all))
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    arvo_memory *memory = dlq_open(args, opts.store, false, &exit_code);
    if (memory == NULL)
        return exit_code;
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    struct dlq_decision decision = { .decide = is_retry ? ops->dead_retry : ops->dead_drop };
    arvo_error err = { 0 };
    arvo_status st = opts.all ? dlq_decide_all(memory, &decision, &err) : ARVO_OK;
    for (size_t i = 0; st == ARVO_OK && i < args->operand_count; i++)
        st = dlq_decide_one(memory, &decision, dlq_seq(args->operands[i]), true, &err);
    arvo_memory_close(memory);
    exit_code = dlq_decide_print(is_retry ? "retried" : "dropped", &decision, opts.json);
    return st == ARVO_OK ? exit_code : cli_fail(&err);
}

static int
dlq_retry_run(cli_args *args)
{
    return dlq_decide_run(args, true);
}

static int
dlq_drop_run(cli_args *args)
{
    return dlq_decide_run(args, false);
}

const cli_command cli_dlq_retry = {
    .verb = "dlq",
    .action = "retry",
    .operands = "[SEQ...]",
    .summary = "give dead letters back for delivery",
    .details = "Puts dead letters back into the outbox, each in its place, as if they were new;\n"
               "whoever delivers from the store (arvo run --follow) finds them there.\n"
               "--json: {\"retried\"}. Exit code 1: one that was named is not there.\n",
    .options = dlq_decide_options,
    .operands_max = -1,
    .run = dlq_retry_run,
};

const cli_command cli_dlq_drop = {
    .verb = "dlq",
    .action = "drop",
    .operands = "[SEQ...]",
    .summary = "give dead letters up",
    .details =
        "Takes dead letters away: they are never delivered. The history of their workflow keeps\n"
        "the events.\n"
        "--json: {\"dropped\"}. Exit code 1: one that was named is not there.\n",
    .options = dlq_decide_options,
    .operands_max = -1,
    .run = dlq_drop_run,
};
