/* arvo doctor: is a store well, and what is to be done if not. */

#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define MIB         ((uint64_t)1024 * 1024)
#define NAMES_MAX   8u                /* machines named in one line */
#define SQLITE_MARK "SQLite format 3" /* a file begins with it, and a NUL */

doctor_opts
doctor_opts_default(const char *store)
{
    return (doctor_opts){ .store = store,
                          .clock_skew_ms = 1000,
                          .outbox_max = 10000,
                          .outbox_age_ms = 300000,
                          .disk_free_mib = 1024,
                          .backup_age_ms = (int64_t)26 * 3600000 };
}

static void
check_add(
    doctor_report *report, const char *name, doctor_level level, int64_t value, const char *what,
    const char *remedy)
{
    if (report->count == DOCTOR_CHECKS_MAX)
        return; /* there are fewer */
    report->checks[report->count++] =
        (doctor_check){ name, level, value, what,
                        level == DOCTOR_WARN || level == DOCTOR_FAIL ? remedy : NULL };
}

bool
doctor_is_fine(const doctor_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->checks[i].level >= DOCTOR_WARN)
            return false;
    return true;
}

/* ---- The store ---- */

static const char *
store_text(const doctor_opts *opts)
{
    return cli_quoted(arvo_str_from(cli_url(opts->store)));
}

static void
check_clock(
    const doctor_opts *opts, doctor_report *report, int64_t store_ms, int64_t local_ms,
    int64_t took_ms)
{
    const int64_t skew = store_ms - local_ms;
    const int64_t size = skew < 0 ? -skew : skew;
    /* Half of the round trip is not known to be either's. */
    const bool is_off = size - took_ms / 2 > opts->clock_skew_ms;
    check_add(
        report, "clock", is_off ? DOCTOR_WARN : DOCTOR_OK, size,
        cli_printf(
            "the store's clock is %s %s this machine's", cli_duration_ms(size),
            skew < 0 ? "behind" : "ahead of"),
        "leases and pauses go by the store's clock, times of events by the machines': run an NTP "
        "client on both");
}

/* Open it, and ask it once. */
static bool
check_store(
    const doctor_opts *opts, doctor_report *report, arvo_memory **memory, arvo_memory_stats *stats)
{
    const arvo_platform *platform = arvo_platform_system();
    arvo_error err = { 0 };
    arvo_status st = arvo_memory_open(cli_store_read_only(opts->store), memory, &err);
    const int64_t before_ns = platform->monotonic_ns(platform->self);
    const arvo_memory_ops *ops = st == ARVO_OK ? arvo_memory_ops_of(*memory) : NULL;
    if (ops != NULL && ops->stats != NULL)
        st = ops->stats(arvo_memory_self(*memory), stats, &err);
    const int64_t took_ns = platform->monotonic_ns(platform->self) - before_ns;
    if (st != ARVO_OK) {
        check_add(
            report, st == ARVO_E_VERSION ? "schema" : "store", DOCTOR_FAIL, -1,
            err.text[0] != '\0' ? cli_cstr(arvo_str_from(err.text)) : arvo_status_text(st),
            st == ARVO_E_VERSION
                ? cli_printf(
                      "an older schema: arvo store migrate %s; a newer one: install the Arvo that "
                      "made it",
                      store_text(opts))
                : "check the URL, the server or the file, and who may read it");
        return false;
    }
    check_add(
        report, "store", DOCTOR_OK, took_ns / 1000000,
        cli_printf("%s answers in %s", cli_url(opts->store), cli_duration(took_ns)), NULL);
    if (ops->stats == NULL)
        return false;
    check_clock(
        opts, report, stats->now_ms, platform->time_ms(platform->self) - took_ns / 2000000,
        took_ns / 1000000);
    check_add(
        report, "schema", DOCTOR_OK, stats->schema_version,
        stats->schema_version != 0 ? cli_printf("version %u", (unsigned)stats->schema_version)
                                   : "this store has none",
        NULL);
    return true;
}

/* ---- What waits in it ---- */

static const char *
counted(uint64_t count, const char *one, const char *many)
{
    return cli_printf("%llu %s", (unsigned long long)count, count == 1 ? one : many);
}

static void
check_leases(const doctor_opts *opts, doctor_report *report, const arvo_memory_stats *stats)
{
    if (stats->leases_expired == UINT64_MAX) {
        check_add(
            report, "leases", DOCTOR_NOTE, -1,
            cli_store_path(opts->store) != NULL
                ? "not looked at by who only reads; with ?mode=rwc behind the URL they are"
                : "this store cannot say it cheaply",
            NULL);
        return;
    }
    check_add(
        report, "leases",
        stats->leases_expired > (uint64_t)opts->leases_max ? DOCTOR_WARN : DOCTOR_OK,
        (int64_t)stats->leases_expired,
        cli_printf(
            "%llu held, %llu of processes that died or hang", (unsigned long long)stats->leases,
            (unsigned long long)stats->leases_expired),
        "nothing is blocked by them: the next event takes each over; see in the logs why the "
        "processes ended");
}

static void
check_outbox(const doctor_opts *opts, doctor_report *report, const arvo_memory_stats *stats)
{
    if (stats->outbox == UINT64_MAX) {
        check_add(report, "outbox", DOCTOR_NOTE, -1, "this store cannot say it cheaply", NULL);
        return;
    }
    const int64_t age = stats->outbox_oldest_ms > 0 ? stats->now_ms - stats->outbox_oldest_ms : -1;
    const bool is_late = stats->outbox > (uint64_t)opts->outbox_max || age > opts->outbox_age_ms;
    check_add(
        report, "outbox", is_late ? DOCTOR_WARN : DOCTOR_OK, (int64_t)stats->outbox,
        cli_printf(
            "%s%s%s", counted(stats->outbox, "event to deliver", "events to deliver"),
            age >= 0 ? ", the oldest for " : "", age >= 0 ? cli_duration_ms(age) : ""),
        cli_printf(
            "is a worker running, and does the app serve them? arvo work APP... --store %s",
            store_text(opts)));
}

static void
check_dead(const doctor_opts *opts, doctor_report *report, const arvo_memory_stats *stats)
{
    if (stats->dead == UINT64_MAX) {
        check_add(report, "dead", DOCTOR_NOTE, -1, "this store cannot say it cheaply", NULL);
        return;
    }
    check_add(
        report, "dead", stats->dead > (uint64_t)opts->dead_max ? DOCTOR_WARN : DOCTOR_OK,
        (int64_t)stats->dead,
        cli_printf(
            "%s%s%s", counted(stats->dead, "dead letter", "dead letters"),
            stats->dead_oldest_ms > 0 ? ", the oldest since " : "",
            stats->dead_oldest_ms > 0
                ? cli_cstr(arvo_json_str(cli_json_time(stats->dead_oldest_ms)))
                : ""),
        cli_printf(
            "arvo dlq list --store %s says why; then arvo dlq retry or drop", store_text(opts)));
}

static void
check_history(doctor_report *report, const arvo_memory *memory)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    const bool is_kept = ops->history != NULL && (ops->keeps_history == NULL ||
                                                  ops->keeps_history(arvo_memory_self(memory)));
    check_add(
        report, "history", DOCTOR_NOTE, is_kept,
        is_kept ? "kept" : "not kept: arvo history and arvo trace have nothing to show", NULL);
}

/* ---- Files ---- */

static void
check_disk(const doctor_opts *opts, doctor_report *report)
{
    struct statvfs room;
    const char *path = cli_store_path(opts->store);
    if (path == NULL)
        return;
    if (statvfs(path, &room) != 0 && errno == ENOENT)
        return; /* which the store said */
    if (statvfs(path, &room) != 0) {
        check_add(
            report, "disk", DOCTOR_FAIL, -1, cli_printf("%s: %s", path, strerror(errno)),
            "check who may read it");
        return;
    }
    const uint64_t free_mib = (uint64_t)room.f_bavail * room.f_frsize / MIB;
    check_add(
        report, "disk", free_mib < (uint64_t)opts->disk_free_mib ? DOCTOR_WARN : DOCTOR_OK,
        (int64_t)free_mib, cli_printf("%llu MiB free", (unsigned long long)free_mib),
        "make room: a full disk stops every commit; arvo purge lets the file use its own again");
}

/* Why it is no backup that could be restored; NULL: it looks like one. An export is only looked at
 * from outside. */
static const char *
backup_fault(const char *path, const struct stat *info)
{
    char mark[sizeof(SQLITE_MARK)] = "";
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    FILE *file = info->st_size > 0 ? fopen(path, "rbe") : NULL;
    if (file == NULL)
        return info->st_size > 0 ? strerror(errno) : "the file is empty";
    const size_t got = fread(mark, 1, sizeof(mark), file);
    (void)fclose(file);
    if (got < sizeof(mark) || memcmp(mark, SQLITE_MARK, sizeof(mark)) != 0)
        return mark[0] == '{' ? NULL : "neither a backup nor an export";
    if (strchr(path, '?') != NULL)
        return NULL; /* which no URL can say */
    if (arvo_memory_open(cli_printf("sqlite:%s?mode=ro", path), &memory, &err) != ARVO_OK)
        return cli_cstr(arvo_str_from(err.text));
    arvo_memory_close(memory);
    return NULL;
}

static void
check_backup(const doctor_opts *opts, doctor_report *report)
{
    static const char remedy[] = "arvo backup FILE --store URL makes one while the store is in use";
    const arvo_platform *platform = arvo_platform_system();
    struct stat info = { 0 };
    if (opts->backup == NULL)
        return;
    const bool is_there = stat(opts->backup, &info) == 0;
    const char *fault = is_there ? backup_fault(opts->backup, &info) : strerror(errno);
    if (fault != NULL) {
        check_add(
            report, "backup", DOCTOR_FAIL, -1, cli_printf("%s: %s", opts->backup, fault), remedy);
        return;
    }
    const int64_t made_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
    const int64_t age = platform->time_ms(platform->self) - made_ms;
    check_add(
        report, "backup", age > opts->backup_age_ms ? DOCTOR_WARN : DOCTOR_OK, age / 1000,
        cli_printf("%s was made %s ago", opts->backup, cli_duration_ms(age > 0 ? age : 0)), remedy);
}

/* ---- The app ---- */

struct machines {
    const arvo_app *app;
    size_t rows, seen; /* of this page, in all */
    size_t missing, changed;
    cli_list names; /* of those that are missing, each once, NAMES_MAX at most */
    arvo_str last;
    char last_bytes[ARVO_SUBJECT_TEXT_BYTES_MAX];
};

static bool
machines_row(void *user, const arvo_record *record)
{
    struct machines *machines = user;
    const arvo_machine *machine =
        cli_app_machine(machines->app, record->orchestrator, record->version);
    machines->rows++;
    machines->seen++;
    if (record->subject.len <= sizeof(machines->last_bytes)) {
        memcpy(machines->last_bytes, record->subject.ptr, record->subject.len);
        machines->last = (arvo_str){ machines->last_bytes, record->subject.len };
    }
    if (machine != NULL) {
        machines->changed +=
            !arvo_str_equal(arvo_machine_definition_hash(machine), record->definition);
        return machines->seen < DOCTOR_INSTANCES_MAX;
    }
    machines->missing++;
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    const char *name =
        cli_printf("%.*s@%.*s", ARVO_FMT(record->orchestrator), ARVO_FMT(record->version));
    bool is_new = machines->names.count < NAMES_MAX;
    for (size_t i = 0; i < machines->names.count; i++)
        is_new = is_new && strcmp(machines->names.items[i], name) != 0;
    if (is_new)
        cli_list_append(&machines->names, name);
    else
        arvo_arena_rewind(cli_arena(), mark);
    return machines->seen < DOCTOR_INSTANCES_MAX;
}

static arvo_status
machines_read(struct machines *machines, const arvo_memory *memory, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_record_query query = { .status = ARVO_STR("active"), .limit = 1000 };
    arvo_status st = ARVO_OK;
    do {
        machines->rows = 0;
        st = ops->list(arvo_memory_self(memory), &query, machines_row, machines, err);
        query.after = machines->last;
    } while (st == ARVO_OK && machines->rows == query.limit &&
             machines->seen < DOCTOR_INSTANCES_MAX);
    return st;
}

static void
machines_report(const struct machines *machines, doctor_report *report)
{
    const char *names = "";
    for (size_t i = 0; i < machines->names.count; i++)
        names = cli_printf("%s%s%s", names, i > 0 ? ", " : "", machines->names.items[i]);
    if (machines->missing > 0)
        check_add(
            report, "app", DOCTOR_FAIL, (int64_t)machines->missing,
            cli_printf(
                "%s of machines that the app does not have: %s",
                counted(machines->missing, "active instance", "active instances"), names),
            "keep the old version beside the new one until its instances are done");
    else if (machines->changed > 0)
        check_add(
            report, "app", DOCTOR_WARN, (int64_t)machines->changed,
            cli_printf(
                "%s began with another definition of the same version",
                counted(machines->changed, "active instance", "active instances")),
            "give what changed a version of its own");
    else
        check_add(
            report, "app", DOCTOR_OK, (int64_t)machines->seen,
            cli_printf(
                "has the machines of %s",
                counted(machines->seen, "active instance", "active instances")),
            NULL);
}

static void
check_app(const doctor_opts *opts, doctor_report *report, const arvo_memory *memory)
{
    arvo_error err = { 0 };
    if (opts->app_count == 0)
        return;
    arvo_app *app = cli_app_try(opts->app, opts->app_count, &err);
    struct machines machines = { .app = app };
    if (app == NULL)
        check_add(
            report, "app", DOCTOR_FAIL, -1, cli_cstr(arvo_str_from(err.text)),
            "arvo machine check APP... says all that is wrong");
    else if (memory == NULL || arvo_memory_ops_of(memory)->list == NULL)
        check_add(report, "app", DOCTOR_NOTE, -1, "no instances can be listed here", NULL);
    else if (machines_read(&machines, memory, &err) != ARVO_OK)
        check_add(
            report, "app", DOCTOR_FAIL, -1, cli_cstr(arvo_str_from(err.text)),
            "arvo store check says more");
    else
        machines_report(&machines, report);
    arvo_app_free(app);
}

void
doctor_examine(
    const doctor_opts *opts, doctor_report *report, arvo_memory **memory, arvo_memory_stats *stats)
{
    *memory = NULL;
    const bool has_stats = check_store(opts, report, memory, stats);
    report->is_reached = report->checks[0].level == DOCTOR_OK;
    if (has_stats) {
        check_leases(opts, report, stats);
        check_outbox(opts, report, stats);
        check_dead(opts, report, stats);
    }
    if (report->is_reached)
        check_history(report, *memory);
    check_disk(opts, report);
    check_backup(opts, report);
    check_app(opts, report, report->is_reached ? *memory : NULL);
}

/* ---- The verb ---- */

static const char *const levels[] = { "ok", "note", "warn", "fail" };

const arvo_json *
doctor_json(const doctor_opts *opts, const doctor_report *report)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *checks = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < report->count; i++) {
        const doctor_check *check = &report->checks[i];
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, "check", cli_json_cstr(check->name));
        cli_set(line, "level", cli_json_cstr(levels[check->level]));
        cli_set(
            line, "value",
            check->value >= 0 ? arvo_json_int(cli_arena(), check->value) : arvo_json_null());
        cli_set(line, "what", cli_json_cstr(check->what));
        cli_set(
            line, "do", check->remedy != NULL ? cli_json_cstr(check->remedy) : arvo_json_null());
        arvo_json_push(cli_arena(), checks, line);
    }
    cli_set(object, "ok", arvo_json_bool(doctor_is_fine(report)));
    cli_set(object, "store", cli_json_cstr(cli_url(opts->store)));
    cli_set(object, "checks", checks);
    return object;
}

static void
doctor_print(const doctor_report *report)
{
    static const cli_style styles[] = { CLI_GREEN, CLI_DIM, CLI_YELLOW, CLI_RED };
    for (size_t i = 0; i < report->count; i++) {
        const doctor_check *check = &report->checks[i];
        printf(
            "%s%-4s%s  %-7s  %s%s%s\n", cli_style_on(styles[check->level]), levels[check->level],
            cli_style_off(styles[check->level]), check->name, cli_shown(arvo_str_from(check->what)),
            check->remedy != NULL ? "; " : "",
            check->remedy != NULL ? cli_shown(arvo_str_from(check->remedy)) : "");
    }
}

struct doctor_args {
    const char *store, *backup;
    const char *outbox_age, *backup_age;
    int64_t clock_skew_ms, leases_max, outbox_max, dead_max, disk_free_mib;
    bool json;
};

static const cli_option doctor_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct doctor_args, store), "the store (required)" },
    { "backup", CLI_TEXT, "FILE", offsetof(struct doctor_args, backup),
      "look at this backup or export, too" },
    { "backup-age", CLI_TEXT, "AGE", offsetof(struct doctor_args, backup_age),
      "warn when it is older; default 26h" },
    { "clock-skew-ms", CLI_NUMBER, "MS", offsetof(struct doctor_args, clock_skew_ms),
      "warn when the clocks differ by more; default 1000" },
    { "dead-max", CLI_NUMBER, "N", offsetof(struct doctor_args, dead_max),
      "warn when there are more dead letters; default 0" },
    { "disk-free", CLI_NUMBER, "MIB", offsetof(struct doctor_args, disk_free_mib),
      "warn when the disk of a sqlite: store has less room; default 1024" },
    { "leases-max", CLI_NUMBER, "N", offsetof(struct doctor_args, leases_max),
      "warn when more leases are over and not given back; default 0" },
    { "outbox-age", CLI_TEXT, "AGE", offsetof(struct doctor_args, outbox_age),
      "warn when an event waits longer to be delivered; default 5m" },
    { "outbox-max", CLI_NUMBER, "N", offsetof(struct doctor_args, outbox_max),
      "warn when more events wait to be delivered; default 10000" },
    { "json", CLI_FLAG, NULL, offsetof(struct doctor_args, json), "one JSON object" },
    CLI_REMOTES_OPTION,
    { 0 },
};

static bool
age_use(const char *option, const char *text, int64_t *out_ms)
{
    if (text == NULL)
        return true;
    *out_ms = cli_age_ms(text);
    if (*out_ms >= 0)
        return true;
    cli_error(
        "doctor: --%s %s: must be a number with one of s, m, h, d, w, for example 26h", option,
        text);
    return false;
}

static void
number_use(int64_t given, int64_t *out)
{
    if (given > 0)
        *out = given;
}

static bool
doctor_opts_use(const struct doctor_args *given, doctor_opts *opts)
{
    *opts = doctor_opts_default(given->store);
    opts->backup = given->backup;
    number_use(given->clock_skew_ms, &opts->clock_skew_ms);
    number_use(given->dead_max, &opts->dead_max);
    number_use(given->disk_free_mib, &opts->disk_free_mib);
    number_use(given->leases_max, &opts->leases_max);
    number_use(given->outbox_max, &opts->outbox_max);
    if (given->store == NULL)
        cli_error("doctor: needs --store URL, for example --store sqlite:orders.db");
    else if (given->backup_age != NULL && given->backup == NULL)
        cli_error("doctor: --backup-age is of --backup FILE, which is not given");
    else
        return age_use("backup-age", given->backup_age, &opts->backup_age_ms) &&
               age_use("outbox-age", given->outbox_age, &opts->outbox_age_ms);
    return false;
}

static int
doctor_run(cli_args *args)
{
    struct doctor_args given = { 0 };
    doctor_opts opts;
    doctor_report report = { 0 };
    arvo_memory *memory = NULL;
    arvo_memory_stats stats = { 0 };
    if (!cli_parse(args, &given))
        return args->exit_code;
    if (!doctor_opts_use(&given, &opts))
        return CLI_USAGE;
    opts.app = args->operands;
    opts.app_count = args->operand_count;
    doctor_examine(&opts, &report, &memory, &stats);
    arvo_memory_close(memory);
    if (given.json)
        cli_print_json(doctor_json(&opts, &report));
    else
        doctor_print(&report);
    if (!report.is_reached)
        return CLI_TRANSACTION;
    return doctor_is_fine(&report) ? CLI_DONE : CLI_NO;
}

const cli_command cli_doctor = {
    .verb = "doctor",
    .operands = "[APP...]",
    .summary = "say whether a store is well, and what to do if not",
    .details =
        "Looks at a store, changing nothing: whether it answers, its clock against this\n"
        "machine's, its schema, leases of processes that died, what waits to be delivered and\n"
        "since when, dead letters, whether there is a history; the room on the disk of a sqlite:\n"
        "store; with --backup the age of a backup, and whether it can be read; with APP whether\n"
        "it has the machines of all active instances. One line each: ok, note (not judged), warn\n"
        "(beyond a threshold) or fail, and what to do. An AGE is a number with one of s, m, h, d,\n"
        "w.\n"
        "--json: {\"ok\", \"store\", \"checks\": [{\"check\", \"level\", \"value\", \"what\", "
        "\"do\"}]}.\n"
        "Exit codes: 0 all is well; 1 something is not; 3 the store cannot be reached.\n",
    .options = doctor_options,
    .operands_max = -1,
    .run = doctor_run,
};
