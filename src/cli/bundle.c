/* arvo support-bundle: what whoever helps needs to know of a store and its machine, in one file. */

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"

#define BUNDLE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define ERRORS_MAX       100u    /* the newest */
#define DEAD_MAX         100u    /* the oldest */
#define RECORDS_MAX      100000u /* looked at */
#define KINDS_MAX        256u    /* of instances, in the table of counts */

extern char **environ;

struct bundle_opts {
    const char *store, *output;
    bool with_data;
};

static const cli_option bundle_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct bundle_opts, store), "the store (required)", 0 },
    { "output", CLI_TEXT, "FILE", offsetof(struct bundle_opts, output),
      "(or -o) the tar file to write (required); - is standard output", 'o' },
    { "with-data", CLI_FLAG, NULL, offsetof(struct bundle_opts, with_data),
      "with events, subjects and the messages of errors, which hold data of yours", 0 },
    { 0 },
};

/* ---- The archive: POSIX ustar ---- */

struct tar_head {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

static void
tar_number(char *field, size_t size, uint64_t value)
{
    for (size_t i = size - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
    field[size - 1] = '\0';
}

static void
tar_add(arvo_buf *tar, const char *name, arvo_str text)
{
    static const char zeroes[512];
    const arvo_platform *platform = arvo_platform_system();
    struct tar_head head = { .type = '0', .magic = "ustar", .version = { '0', '0' } };
    _Static_assert(sizeof(head) == 512, "a block");
    (void)snprintf(head.name, sizeof(head.name), "arvo-support/%s", name);
    tar_number(head.mode, sizeof(head.mode), 0600);
    tar_number(head.uid, sizeof(head.uid), 0);
    tar_number(head.gid, sizeof(head.gid), 0);
    tar_number(head.size, sizeof(head.size), text.len);
    tar_number(
        head.mtime, sizeof(head.mtime), (uint64_t)(platform->time_ms(platform->self) / 1000));
    memset(head.sum, ' ', sizeof(head.sum));
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(head); i++)
        sum += ((const unsigned char *)&head)[i];
    tar_number(head.sum, sizeof(head.sum) - 1, sum);
    arvo_buf_append(tar, (const char *)&head, sizeof(head));
    arvo_buf_append(tar, text.ptr, text.len);
    arvo_buf_append(tar, zeroes, (512 - text.len % 512) % 512);
}

static void
tar_end(arvo_buf *tar)
{
    static const char zeroes[1024];
    arvo_buf_append(tar, zeroes, sizeof(zeroes));
}

static void
tar_add_json(arvo_buf *tar, const char *name, const arvo_json *value)
{
    arvo_buf text = ARVO_BUF_INIT(BUNDLE_BYTES_MAX);
    arvo_json_write_pretty(value, 2, &text);
    arvo_buf_append_char(&text, '\n');
    if (text.status == ARVO_OK)
        tar_add(tar, name, arvo_buf_str(&text));
    else
        tar->status = text.status;
    arvo_buf_fini(&text);
}

/* ---- Settings and machine ---- */

static bool
has_word(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(text, words[i]) != NULL)
            return true;
    return false;
}

/* Names and values that look like secrets are not shown at all; of a URL the password is not. */
static const char *
setting_shown(const char *name, const char *value)
{
    static const char *const secret_names[] = {
        "PASS", "SECRET", "TOKEN", "KEY", "HEADERS", "CRED"
    };
    static const char *const secret_values[] = { "password", "secret",  "token", "apikey",
                                                 "api_key",  "api-key", "bearer" };
    return has_word(name, secret_names, ARVO_COUNT_OF(secret_names)) ||
                   has_word(value, secret_values, ARVO_COUNT_OF(secret_values))
               ? "***"
               : cli_url(value);
}

static const arvo_json *
settings_json(const struct bundle_opts *opts)
{
    static const char *const prefixes[] = { "ARVO_", "OTEL_", "PG",      "LC_",    "LANG=",
                                            "TZ=",   "TERM=", "SQLITE_", "MALLOC_" };
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *variables = arvo_json_object_new(cli_arena());
    cli_set(object, "store", cli_json_cstr(cli_url(opts->store)));
    for (char **entry = environ; *entry != NULL; entry++) {
        const char *end = strchr(*entry, '=');
        bool is_ours = false;
        for (size_t i = 0; i < ARVO_COUNT_OF(prefixes); i++)
            is_ours = is_ours || strncmp(*entry, prefixes[i], strlen(prefixes[i])) == 0;
        if (!is_ours || end == NULL)
            continue;
        const char *name = cli_printf("%.*s", (int)(end - *entry), *entry);
        cli_set(
            variables, name, cli_json_cstr(cli_shown(arvo_str_from(setting_shown(name, end + 1)))));
    }
    cli_set(object, "environment", variables);
    return object;
}

static const arvo_json *
machine_json(void)
{
    const arvo_platform *platform = arvo_platform_system();
    arvo_json *object = arvo_json_object_new(cli_arena());
    struct utsname name;
    cli_set(object, "arvo", cli_json_cstr(arvo_version()));
    cli_set(object, "drawsSvg", arvo_json_bool(arvo_diagram_has_svg()));
    cli_set(object, "time", cli_json_time(platform->time_ms(platform->self)));
    if (uname(&name) == 0) {
        cli_set(object, "system", cli_json_cstr(name.sysname));
        cli_set(object, "release", cli_json_cstr(name.release));
        cli_set(object, "machine", cli_json_cstr(name.machine));
    }
    cli_set(object, "processors", arvo_json_int(cli_arena(), sysconf(_SC_NPROCESSORS_ONLN)));
    cli_set(
        object, "memoryBytes",
        arvo_json_int(cli_arena(), (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
    cli_set(object, "openFilesMax", arvo_json_int(cli_arena(), sysconf(_SC_OPEN_MAX)));
    return object;
}

/* ---- Instances, and what failed ---- */

struct kind {
    arvo_str orchestrator, version, status;
    int64_t count;
};

struct failure {
    arvo_str time; /* sorts as text */
    const arvo_json *json;
};

struct reading {
    bool with_data;
    size_t rows, seen;
    struct kind kinds[KINDS_MAX];
    size_t kind_count;
    int64_t others; /* of kinds beyond the table */
    struct failure failures[ERRORS_MAX];
    size_t failure_count;
    arvo_str last;
    char last_bytes[ARVO_SUBJECT_TEXT_BYTES_MAX];
};

static void
kind_add(struct reading *reading, const arvo_record *record)
{
    for (size_t i = 0; i < reading->kind_count; i++) {
        struct kind *kind = &reading->kinds[i];
        if (arvo_str_equal(kind->orchestrator, record->orchestrator) &&
            arvo_str_equal(kind->version, record->version) &&
            arvo_str_equal(kind->status, record->status)) {
            kind->count++;
            return;
        }
    }
    if (reading->kind_count == KINDS_MAX) {
        reading->others++;
        return;
    }
    reading->kinds[reading->kind_count++] =
        (struct kind){ .orchestrator = arvo_str_from(cli_cstr(record->orchestrator)),
                       .version = arvo_str_from(cli_cstr(record->version)),
                       .status = arvo_str_from(cli_cstr(record->status)),
                       .count = 1 };
}

/* Names and ids; messages may quote what somebody sent. */
static const arvo_json *
failure_json(const struct reading *reading, const arvo_record *record, const arvo_json *error)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "time", arvo_json_get(error, "time"));
    cli_set(object, "orchestrator", cli_json_str(record->orchestrator));
    cli_set(object, "version", cli_json_str(record->version));
    cli_set(object, "status", cli_json_str(record->status));
    cli_set(object, "errorName", arvo_json_get(error, "errorName"));
    cli_set(object, "eventId", arvo_json_get(error, "eventId"));
    if (reading->with_data) {
        cli_set(object, "errorMessage", arvo_json_get(error, "errorMessage"));
        cli_set(object, "subject", cli_json_str(record->subject));
    }
    return object;
}

/* The newest ones, in a list that is sorted, the oldest first. */
static void
failure_add(struct reading *reading, const arvo_record *record)
{
    const arvo_json *error = cli_json_text(record->last_error);
    const arvo_str time = arvo_json_str(arvo_json_get(error, "time"));
    size_t at = reading->failure_count;
    while (at > 0 && cli_text_order(reading->failures[at - 1].time, time) > 0)
        at--;
    if (reading->failure_count == ERRORS_MAX) {
        if (at-- == 0)
            return;
        memmove(&reading->failures[0], &reading->failures[1], at * sizeof(reading->failures[0]));
    } else {
        memmove(
            &reading->failures[at + 1], &reading->failures[at],
            (reading->failure_count++ - at) * sizeof(reading->failures[0]));
    }
    reading->failures[at] =
        (struct failure){ .time = time, .json = failure_json(reading, record, error) };
}

static bool
record_row(void *user, const arvo_record *record)
{
    struct reading *reading = user;
    reading->rows++;
    reading->seen++;
    if (record->subject.len <= sizeof(reading->last_bytes)) {
        memcpy(reading->last_bytes, record->subject.ptr, record->subject.len);
        reading->last = (arvo_str){ reading->last_bytes, record->subject.len };
    }
    kind_add(reading, record);
    if (record->last_error.ptr != NULL)
        failure_add(reading, record);
    return reading->seen < RECORDS_MAX;
}

static arvo_status
records_read(struct reading *reading, const arvo_memory *memory, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_record_query query = { .limit = 1000 };
    arvo_status st = ARVO_OK;
    if (ops->list == NULL)
        return ARVO_OK;
    do {
        reading->rows = 0;
        st = ops->list(arvo_memory_self(memory), &query, record_row, reading, err);
        query.after = reading->last;
    } while (st == ARVO_OK && reading->rows == query.limit && reading->seen < RECORDS_MAX);
    return st;
}

static const arvo_json *
instances_json(const struct reading *reading)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *kinds = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < reading->kind_count; i++) {
        const struct kind *kind = &reading->kinds[i];
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, "orchestrator", cli_json_str(kind->orchestrator));
        cli_set(line, "version", cli_json_str(kind->version));
        cli_set(line, "status", cli_json_str(kind->status));
        cli_set(line, "count", arvo_json_int(cli_arena(), kind->count));
        arvo_json_push(cli_arena(), kinds, line);
    }
    cli_set(object, "kinds", kinds);
    cli_set(object, "others", arvo_json_int(cli_arena(), reading->others));
    cli_set(object, "cut", arvo_json_bool(reading->seen == RECORDS_MAX));
    return object;
}

static const arvo_json *
failures_json(const struct reading *reading)
{
    arvo_json *list = arvo_json_array_new(cli_arena());
    for (size_t i = reading->failure_count; i-- > 0;)
        arvo_json_push(cli_arena(), list, reading->failures[i].json);
    return list;
}

struct letters {
    bool with_data;
    arvo_json *list;
};

static bool
letter_row(void *user, const arvo_outbox_row *row)
{
    const struct letters *letters = user;
    arvo_json *line = arvo_json_object_new(cli_arena());
    cli_set(line, "seq", arvo_json_int(cli_arena(), row->event.seq));
    cli_set(line, "type", cli_json_str(row->event.type));
    cli_set(line, "since", cli_json_time(row->due_ms));
    cli_set(line, "attempts", arvo_json_int(cli_arena(), row->attempts));
    if (letters->with_data) {
        cli_set(line, "error", cli_json_str(row->error));
        cli_set(line, "event", cli_json_text(row->event.json));
    }
    arvo_json_push(cli_arena(), letters->list, line);
    return true;
}

/* ---- The verb ---- */

static const char *
readme(const struct bundle_opts *opts)
{
    return cli_printf(
        "A support bundle of arvo %s.\n\n"
        "machine.json    this machine and this Arvo; not its name\n"
        "settings.json   the store's URL and the variables that matter, secrets masked\n"
        "doctor.json     what arvo doctor says of the store\n"
        "stats.json      what is in it, and what waits; the version of its schema\n"
        "instances.json  how many of which machine, version and status\n"
        "errors.json     the newest failures of workflows\n"
        "dead.json       the oldest dead letters\n\n"
        "%s\n",
        arvo_version(),
        opts->with_data ? "With data: events, subjects and messages of errors are in it."
                        : "Without data: no event, no subject, no message of an error is in it.");
}

/* False: the store failed underway; said in the bundle. */
static bool
bundle_store(
    const struct bundle_opts *opts, arvo_buf *tar, const arvo_memory *memory,
    const arvo_memory_stats *stats)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    struct reading *reading = arvo_arena_calloc(cli_arena(), 1, sizeof(*reading));
    arvo_error err = { 0 };
    cli_check_memory();
    reading->with_data = opts->with_data;
    struct letters letters = { .with_data = opts->with_data,
                               .list = arvo_json_array_new(cli_arena()) };
    arvo_status st = records_read(reading, memory, &err);
    if (st == ARVO_OK && ops->dead_list != NULL)
        st = ops->dead_list(arvo_memory_self(memory), 0, DEAD_MAX, letter_row, &letters, &err);
    if (ops->stats != NULL)
        tar_add_json(tar, "stats.json", cli_stats_json(stats));
    tar_add_json(tar, "instances.json", instances_json(reading));
    tar_add_json(tar, "errors.json", failures_json(reading));
    tar_add_json(tar, "dead.json", letters.list);
    if (st != ARVO_OK)
        tar_add(tar, "trouble.txt", arvo_str_from(cli_printf("%s\n", err.text)));
    return st == ARVO_OK;
}

static int
bundle_write(const struct bundle_opts *opts, const arvo_buf *tar, bool is_whole)
{
    if (tar->status != ARVO_OK) {
        cli_error("support-bundle: %s", arvo_status_text(tar->status));
        return CLI_TRANSACTION;
    }
    (void)umask(077); /* for one pair of eyes */
    if (!cli_file_write(opts->output, arvo_buf_str(tar)))
        return CLI_USAGE;
    if (is_whole)
        return CLI_DONE;
    cli_error(
        "support-bundle: the store cannot be read: doctor.json in %s says why; the rest is there",
        opts->output);
    return CLI_NO;
}

static int
bundle_run(cli_args *args)
{
    struct bundle_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.store == NULL || opts.output == NULL) {
        cli_error(
            "support-bundle: needs --store URL and -o FILE, for example --store sqlite:orders.db "
            "-o support.tar");
        return CLI_USAGE;
    }
    const doctor_opts looks = doctor_opts_default(opts.store);
    doctor_report report = { 0 };
    arvo_memory *memory = NULL;
    arvo_memory_stats stats = { 0 };
    arvo_buf tar = ARVO_BUF_INIT(BUNDLE_BYTES_MAX);
    doctor_examine(&looks, &report, &memory, &stats);
    tar_add(&tar, "README.txt", arvo_str_from(readme(&opts)));
    tar_add_json(&tar, "machine.json", machine_json());
    tar_add_json(&tar, "settings.json", settings_json(&opts));
    tar_add_json(&tar, "doctor.json", doctor_json(&looks, &report));
    const bool is_whole = report.is_reached && bundle_store(&opts, &tar, memory, &stats);
    tar_end(&tar);
    arvo_memory_close(memory);
    const int exit_code = bundle_write(&opts, &tar, is_whole);
    arvo_buf_fini(&tar);
    return exit_code;
}

const cli_command cli_support_bundle = {
    .verb = "support-bundle",
    .operands = "",
    .summary = "collect what whoever helps needs to know, in one file",
    .details =
        "Writes a tar file, readable by its owner only: this Arvo and machine, the settings that\n"
        "matter with secrets masked, what arvo doctor and arvo store stats say, how many\n"
        "instances there are of what, the newest failures and the oldest dead letters by name.\n"
        "No event, subject or message of an error is in it, unless --with-data is given.\n"
        "Exit code 1: the store cannot be read; what is known without it was written.\n",
    .options = bundle_options,
    .operands_max = 0,
    .run = bundle_run,
};
