/* arvo store check, migrate, stats; arvo purge: looking after a store. */

#include "cli.h"

/* ---- What they share ------------------------------------------------------ */

struct store_opts {
    bool json;
};

static const cli_option store_options[] = {
    { "json", CLI_FLAG, NULL, offsetof(struct store_opts, json), "JSON for programs" },
    { 0 },
};

static int
store_cannot(const arvo_memory *memory, const char *verb, const char *what)
{
    cli_error("%s: the store \"%s\" cannot %s", verb, arvo_memory_name(memory), what);
    return CLI_USAGE;
}

/* ---- store check ------------------------------------------------------------ */

struct check {
    bool json;
    uint64_t findings, notes;
};

static bool
check_finding(void *user, arvo_str where, arvo_str what)
{
    struct check *check = user;
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    const bool is_note = arvo_str_starts(what, ARVO_STR("note:"));
    if (is_note)
        check->notes++;
    else
        check->findings++;
    if (check->json) {
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, "where", cli_json_str(where));
        cli_set(line, "what", cli_json_str(what));
        cli_set(line, "note", arvo_json_bool(is_note));
        cli_print_json(line);
    } else {
        const cli_style style = is_note ? CLI_DIM : CLI_RED;
        printf(
            "%s%s%s: %s\n", cli_style_on(style), cli_shown(where), cli_style_off(style),
            cli_shown(what));
    }
    arvo_arena_rewind(cli_arena(), mark);
    return cli_flush();
}

static int
store_check_run(cli_args *args)
{
    struct store_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    int exit_code = CLI_DONE;
    arvo_memory *memory = cli_store_open(args->operands[0], true, &exit_code);
    if (memory == NULL)
        return exit_code;
    struct check check = { .json = opts.json };
    arvo_error err = { 0 };
    const arvo_status st = arvo_memory_check(memory, check_finding, &check, &err);
    arvo_memory_close(memory);
    if (st != ARVO_OK)
        return cli_fail(&err);
    if (!opts.json)
        printf(
            "%s: %llu %s, %llu %s\n", cli_url(args->operands[0]),
            (unsigned long long)check.findings, check.findings == 1 ? "finding" : "findings",
            (unsigned long long)check.notes, check.notes == 1 ? "note" : "notes");
    return check.findings == 0 ? CLI_DONE : CLI_NO;
}

const cli_command cli_store_check = {
    .verb = "store",
    .action = "check",
    .operands = "URL",
    .summary = "find and explain inconsistency",
    .details =
        "Looks through a whole store, reading only: its own files or tables, and whether\n"
        "records, events, outbox and dead letters fit together. One line per finding: where,\n"
        "and what. Notes are not wrong in themselves (a parent that was purged).\n"
        "--json: {\"where\", \"what\", \"note\"} per line.\n"
        "Exit code 1: there are findings that are no notes.\n",
    .options = store_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = store_check_run,
};

/* ---- store migrate ------------------------------------------------------------ */

static int
migrate_done(const char *url, bool is_migrated, uint32_t version, bool json)
{
    if (json) {
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, "schemaVersion", arvo_json_int(cli_arena(), version));
        cli_set(line, "migrated", arvo_json_bool(is_migrated));
        cli_print_json(line);
    } else {
        printf(
            "%s: schema version %u, %s\n", cli_url(url), (unsigned)version,
            is_migrated ? "brought up to date" : "which is up to date");
    }
    return CLI_DONE;
}

static int
store_migrate_run(cli_args *args)
{
    struct store_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    const char *url = args->operands[0];
    int exit_code = CLI_DONE;
    arvo_error err = { 0 };
    arvo_memory *memory = NULL;
    if (!cli_store_is_there(url))
        return CLI_TRANSACTION;
    /* Whoever only reads is refused an old version. */
    const arvo_status st =
        arvo_memory_open_with(cli_store_read_only(url), cli_platform(), &memory, &err);
    const bool is_old = st == ARVO_E_VERSION;
    if (is_old)
        memory = cli_store_open(url, false, &exit_code);
    else if (st != ARVO_OK)
        exit_code = cli_fail(&err);
    if (memory == NULL)
        return exit_code;
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_memory_stats stats = { 0 };
    if (ops->stats != NULL && ops->stats(arvo_memory_self(memory), &stats, &err) != ARVO_OK)
        exit_code = cli_fail(&err);
    arvo_memory_close(memory);
    return exit_code == CLI_DONE ? migrate_done(url, is_old, stats.schema_version, opts.json)
                                 : exit_code;
}

const cli_command cli_store_migrate = {
    .verb = "store",
    .action = "migrate",
    .operands = "URL",
    .summary = "bring the schema of a store up to date",
    .details =
        "Brings a store that an older Arvo made to the schema of this one, in one transaction:\n"
        "it ends with the new version or unchanged. Opening it to write does the same by the\n"
        "way; this is for doing it alone, at a time of your choice. Back it up first.\n"
        "--json: {\"schemaVersion\", \"migrated\"}.\n",
    .options = store_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = store_migrate_run,
};

/* ---- store stats -------------------------------------------------------------- */

/* One number or time of the statistics. */
static const struct stat {
    const char *key, *text;
    size_t offset;
    enum { STAT_COUNT, STAT_TIME, STAT_VERSION, STAT_BYTES } kind;
} stats_rows[] = {
#define STAT(key, text, member, kind)                                                              \
    {                                                                                              \
        key, text, offsetof(arvo_memory_stats, member), kind                                       \
    }
    STAT("now", "clock of the store", now_ms, STAT_TIME),
    STAT("schemaVersion", "schema version", schema_version, STAT_VERSION),
    STAT("active", "active instances", active, STAT_COUNT),
    STAT("done", "done", done, STAT_COUNT),
    STAT("error", "error", error, STAT_COUNT),
    STAT("events", "events in histories", events, STAT_COUNT),
    STAT("outbox", "events to deliver", outbox, STAT_COUNT),
    STAT("outboxClaimed", "of them being delivered", outbox_claimed, STAT_COUNT),
    STAT("outboxOldest", "the oldest since", outbox_oldest_ms, STAT_TIME),
    STAT("dead", "dead letters", dead, STAT_COUNT),
    STAT("deadOldest", "the oldest since", dead_oldest_ms, STAT_TIME),
    STAT("leases", "instances held", leases, STAT_COUNT),
    STAT("leasesExpired", "expired leases", leases_expired, STAT_COUNT),
    STAT("bytes", "bytes", bytes, STAT_BYTES),
#undef STAT
};

/* NULL: the store cannot say, or there is none. */
static const arvo_json *
stat_value(const arvo_memory_stats *stats, const struct stat *stat)
{
    const void *member = (const char *)stats + stat->offset;
    if (stat->kind == STAT_VERSION)
        return arvo_json_int(cli_arena(), *(const uint32_t *)member);
    if (stat->kind == STAT_TIME) {
        const int64_t time_ms = *(const int64_t *)member;
        return time_ms > 0 ? cli_json_time(time_ms) : arvo_json_null();
    }
    const uint64_t count = *(const uint64_t *)member;
    return count != UINT64_MAX ? arvo_json_int(cli_arena(), (int64_t)count) : arvo_json_null();
}

const arvo_json *
cli_stats_json(const arvo_memory_stats *stats)
{
    arvo_json *line = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < ARVO_COUNT_OF(stats_rows); i++)
        cli_set(line, stats_rows[i].key, stat_value(stats, &stats_rows[i]));
    return line;
}

static void
stats_print(const arvo_memory_stats *stats)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(stats_rows); i++) {
        const arvo_json *value = stat_value(stats, &stats_rows[i]);
        const char *text = "-";
        if (arvo_json_type_of(value) == ARVO_JSON_STRING)
            text = cli_cstr(arvo_json_str(value));
        else if (arvo_json_type_of(value) == ARVO_JSON_INT)
            text = cli_printf("%lld", (long long)arvo_json_int_or(value, 0));
        printf("%-24s %s\n", stats_rows[i].text, text);
    }
}

static int
store_stats_run(cli_args *args)
{
    struct store_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    int exit_code = CLI_DONE;
    arvo_memory *memory = cli_store_open(args->operands[0], true, &exit_code);
    if (memory == NULL)
        return exit_code;
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_memory_stats stats = { 0 };
    arvo_error err = { 0 };
    if (ops->stats == NULL)
        exit_code = store_cannot(memory, "store stats", "say what is in it");
    else if (ops->stats(arvo_memory_self(memory), &stats, &err) != ARVO_OK)
        exit_code = cli_fail(&err);
    else if (opts.json)
        cli_print_json(cli_stats_json(&stats));
    else
        stats_print(&stats);
    arvo_memory_close(memory);
    return exit_code;
}

const cli_command cli_store_stats = {
    .verb = "store",
    .action = "stats",
    .operands = "URL",
    .summary = "how much is in a store, and what waits",
    .details =
        "Counts instances, events to deliver, dead letters and leases, and tells since when the\n"
        "oldest of them waits. A dash (null): there is none, or this store cannot say it\n"
        "cheaply.\n"
        "--json: {\"now\", \"schemaVersion\", \"active\", \"done\", \"error\", \"events\",\n"
        "\"outbox\", \"outboxClaimed\", \"outboxOldest\", \"dead\", \"deadOldest\", \"leases\",\n"
        "\"leasesExpired\", \"bytes\"}.\n",
    .options = store_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = store_stats_run,
};

/* ---- purge ------------------------------------------------------------------------ */

struct purge_opts {
    const char *store;
    const char *older_than;
    const char *status;
    const char *orchestrator;
    bool dry_run;
    bool json;
};

static const cli_option purge_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct purge_opts, store), "the store" },
    { "older-than", CLI_TEXT, "AGE", offsetof(struct purge_opts, older_than),
      "not written since: 45s, 90m, 12h, 30d, 8w" },
    { "status", CLI_TEXT, "STATUS", offsetof(struct purge_opts, status),
      "only done or error (default both)" },
    { "orchestrator", CLI_TEXT, "TYPE", offsetof(struct purge_opts, orchestrator),
      "only instances of this orchestrator" },
    { "dry-run", CLI_FLAG, NULL, offsetof(struct purge_opts, dry_run), "count only" },
    { "json", CLI_FLAG, NULL, offsetof(struct purge_opts, json), "one JSON object" },
    { 0 },
};

static bool
purge_opts_good(const struct purge_opts *opts)
{
    if (opts->store == NULL)
        cli_error("purge: needs --store URL, for example --store sqlite:orders.db");
    else if (opts->older_than == NULL)
        cli_error("purge: needs --older-than AGE, for example --older-than 30d");
    else if (cli_age_ms(opts->older_than) < 0)
        cli_error(
            "purge: --older-than %s: must be a number with one of s, m, h, d, w, for example 30d",
            opts->older_than);
    else if (
        opts->status != NULL && strcmp(opts->status, "done") != 0 &&
        strcmp(opts->status, "error") != 0)
        cli_error(
            "purge: --status %s: must be done or error; what is active is not purged",
            opts->status);
    else
        return true;
    return false;
}

/* The whole, in small transactions, so that others get in between. */
static arvo_status
purge_all(
    arvo_memory *memory, arvo_purge *purge, arvo_purged *total, cli_progress *progress,
    arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_purged purged = { .is_more = true };
    arvo_status st = ARVO_OK;
    while (st == ARVO_OK && purged.is_more) {
        st = ops->purge(arvo_memory_self(memory), purge, &purged, err);
        if (st != ARVO_OK)
            break;
        total->instances += purged.instances;
        total->events += purged.events;
        cli_progress_show(progress, total->instances);
        if (purge->is_dry || purged.instances == 0)
            break;
    }
    cli_progress_end(progress);
    return st;
}

static void
purge_print(const struct purge_opts *opts, const arvo_purge *purge, const arvo_purged *total)
{
    if (opts->json) {
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, "instances", arvo_json_int(cli_arena(), (int64_t)total->instances));
        cli_set(line, "events", arvo_json_int(cli_arena(), (int64_t)total->events));
        cli_set(line, "before", cli_json_time(purge->before_ms));
        cli_set(line, "dryRun", arvo_json_bool(purge->is_dry));
        cli_print_json(line);
        return;
    }
    printf(
        "%s %llu %s with %llu %s, last written before %s\n",
        purge->is_dry ? "would purge" : "purged", (unsigned long long)total->instances,
        total->instances == 1 ? "instance" : "instances", (unsigned long long)total->events,
        total->events == 1 ? "event" : "events",
        cli_cstr(arvo_json_str(cli_json_time(purge->before_ms))));
}

static int
purge_store(const struct purge_opts *opts, arvo_memory *memory)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_memory_stats stats = { 0 };
    arvo_error err = { 0 };
    if (ops->purge == NULL || ops->stats == NULL)
        return store_cannot(memory, "purge", "delete what is over");
    /* The age is by the store's clock. */
    if (ops->stats(arvo_memory_self(memory), &stats, &err) != ARVO_OK)
        return cli_fail(&err);
    arvo_purge purge = { .status = arvo_str_from(opts->status),
                         .orchestrator = arvo_str_from(opts->orchestrator),
                         .before_ms = stats.now_ms - cli_age_ms(opts->older_than),
                         .limit = opts->dry_run ? SIZE_MAX : 0,
                         .is_dry = opts->dry_run };
    arvo_purged total = { 0 };
    cli_progress progress = { .what = "purged", .unit = "instances" };
    if (purge_all(memory, &purge, &total, &progress, &err) != ARVO_OK) {
        if (total.instances > 0)
            purge_print(opts, &purge, &total);
        return cli_fail(&err);
    }
    purge_print(opts, &purge, &total);
    return CLI_DONE;
}

static int
purge_run(cli_args *args)
{
    struct purge_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!purge_opts_good(&opts))
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    if (!cli_store_is_there(opts.store))
        return CLI_TRANSACTION;
    arvo_memory *memory = cli_store_open(opts.store, opts.dry_run, &exit_code);
    if (memory != NULL)
        exit_code = purge_store(&opts, memory);
    arvo_memory_close(memory);
    return exit_code;
}

const cli_command cli_purge = {
    .verb = "purge",
    .operands = "",
    .summary = "delete instances that are over",
    .details =
        "Deletes instances that are done or failed at their start and were last written longer\n"
        "ago than AGE, with their events and the memory of what they consumed: an event that is\n"
        "delivered to one of them again later finds nothing. Never one that is being worked on,\n"
        "or of which an event is still to be delivered or is a dead letter. In transactions of\n"
        "500, while others go on working. The file of an SQLite store keeps its size; the room\n"
        "is used again.\n"
        "--json: {\"instances\", \"events\", \"before\", \"dryRun\"}.\n",
    .options = purge_options,
    .operands_max = 0,
    .run = purge_run,
};
