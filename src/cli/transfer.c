/* arvo backup, restore, export, import: whole stores. */

#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct transfer_opts {
    const char *store;
    const char *output;
    bool json;
};

#define OPTION_STORE                                                                               \
    {                                                                                              \
        "store", CLI_TEXT, "URL", offsetof(struct transfer_opts, store), "the store", 0            \
    }
#define OPTION_JSON                                                                                \
    {                                                                                              \
        "json", CLI_FLAG, NULL, offsetof(struct transfer_opts, json), "one JSON object", 0         \
    }

static const cli_option transfer_options[] = { OPTION_STORE, OPTION_JSON, { 0 } };
static const cli_option export_options[] = {
    OPTION_STORE,
    { "output", CLI_TEXT, "FILE", offsetof(struct transfer_opts, output),
      "where to, instead of standard output", 'o' },
    OPTION_JSON,
    { 0 },
};

static bool
transfer_has_store(const cli_args *args, const struct transfer_opts *opts)
{
    if (opts->store != NULL)
        return true;
    cli_error("%s: needs --store URL, for example --store sqlite:orders.db", args->command->verb);
    return false;
}

/* "what: 12 rows, digest ..., read back and compared" */
static void
transfer_print(const char *what, const char *name, const arvo_digest *digest, bool json)
{
    char hex[ARVO_DIGEST_BYTES];
    arvo_digest_format(digest, hex);
    if (json) {
        arvo_json *line = arvo_json_object_new(cli_arena());
        cli_set(line, what, cli_json_str(arvo_str_from(name)));
        cli_set(line, "rows", arvo_json_int(cli_arena(), (int64_t)digest->rows));
        cli_set(line, "digest", cli_json_str((arvo_str){ hex, sizeof(hex) }));
        cli_print_json(line);
        return;
    }
    printf(
        "%s: %llu rows, digest %.*s\n", name, (unsigned long long)digest->rows, (int)sizeof(hex),
        hex);
}

static bool
transfer_progress(void *user, uint64_t rows)
{
    cli_progress_show(user, rows);
    return true;
}

/* ---- Files that are new, or not there ----------------------------------------- */

/* As what it is until it is whole. */
static const char *
part_of(const char *path)
{
    return cli_printf("%s.part", path);
}

static void
part_remove(const char *part)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-lease", "-journal" };
    for (size_t i = 0; i < ARVO_COUNT_OF(suffixes); i++)
        (void)unlink(cli_printf("%s%s", part, suffixes[i]));
}

/* False: said why. */
static bool
part_finish(const char *part, const char *path)
{
    (void)unlink(cli_printf("%s-lease", part)); /* empty: nobody has it open */
    if (rename(part, path) == 0)
        return true;
    cli_error("%s: cannot be renamed to %s (%s)", part, path, strerror(errno));
    part_remove(part);
    return false;
}

static bool
path_is_free(const char *verb, const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0) {
        cli_error("%s: %s is there already; name a new file", verb, path);
        return false;
    }
    if (strchr(path, '?') != NULL) {
        cli_error("%s: %s: the name of a store must have no question mark", verb, path);
        return false;
    }
    return true;
}

/* ---- backup --------------------------------------------------------------------- */

static int
backup_to(arvo_memory *from, const char *path, arvo_digest *digest)
{
    const char *part = part_of(path);
    int exit_code = CLI_DONE;
    part_remove(part); /* of a backup that was broken off */
    arvo_memory *to = cli_store_open(cli_printf("sqlite:%s", part), false, &exit_code);
    if (to == NULL) {
        part_remove(part);
        return exit_code;
    }
    cli_progress progress = { .what = "copied", .unit = "rows" };
    arvo_error err = { 0 };
    const arvo_status st = arvo_store_copy(from, to, transfer_progress, &progress, digest, &err);
    cli_progress_end(&progress);
    arvo_memory_close(to);
    if (st != ARVO_OK) {
        part_remove(part);
        return cli_fail(&err);
    }
    return part_finish(part, path) ? CLI_DONE : CLI_TRANSACTION;
}

static int
backup_run(cli_args *args)
{
    struct transfer_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    const char *path = args->operands[0];
    if (!transfer_has_store(args, &opts) || !path_is_free("backup", path))
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    arvo_memory *from = cli_store_open(opts.store, true, &exit_code);
    if (from == NULL)
        return exit_code;
    arvo_digest digest = { 0 };
    exit_code = backup_to(from, path, &digest);
    arvo_memory_close(from);
    if (exit_code == CLI_DONE)
        transfer_print("file", path, &digest, opts.json);
    return exit_code;
}

const cli_command cli_backup = {
    .verb = "backup",
    .operands = "FILE",
    .summary = "copy a store into a new file, while it is in use",
    .details =
        "Copies everything in a store, as of one moment and while others go on working, into a\n"
        "new SQLite store, reads it back and compares the digests. FILE must not be there; it\n"
        "appears under its name when it is whole. Any store can be backed up, and any filled\n"
        "from it (arvo restore). Leases are not part of it: nobody works on a copy.\n"
        "--json: {\"file\", \"rows\", \"digest\"}.\n",
    .options = transfer_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = backup_run,
};

/* ---- restore ---------------------------------------------------------------------- */

static int
restore_run(cli_args *args)
{
    struct transfer_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!transfer_has_store(args, &opts))
        return CLI_USAGE;
    int exit_code = CLI_DONE;
    arvo_memory *from =
        cli_store_open(cli_printf("sqlite:%s", args->operands[0]), true, &exit_code);
    if (from == NULL)
        return exit_code;
    arvo_digest digest = { 0 };
    arvo_error err = { 0 };
    arvo_memory *to = cli_store_open(opts.store, false, &exit_code);
    if (to != NULL) {
        cli_progress progress = { .what = "restored", .unit = "rows" };
        if (arvo_store_copy(from, to, transfer_progress, &progress, &digest, &err) != ARVO_OK)
            exit_code = cli_fail(&err);
        cli_progress_end(&progress);
    }
    arvo_memory_close(to);
    arvo_memory_close(from);
    if (exit_code == CLI_DONE)
        transfer_print("store", cli_url(opts.store), &digest, opts.json);
    return exit_code;
}

const cli_command cli_restore = {
    .verb = "restore",
    .operands = "FILE",
    .summary = "fill an empty store from a backup",
    .details =
        "Fills an empty store with everything in FILE, which arvo backup made (any SQLite store\n"
        "will do), reads it back and compares the digests. All of it or nothing: a store that\n"
        "is not empty is left alone. Work goes on where it stood when the backup was made:\n"
        "events that were delivered since then are delivered again.\n"
        "--json: {\"store\", \"rows\", \"digest\"}.\n",
    .options = transfer_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = restore_run,
};

/* ---- export ----------------------------------------------------------------------- */

struct export
{
    FILE *file;
    const char *name;
    cli_progress progress;
    uint64_t lines;
};

static arvo_status
export_line(void *user, arvo_str line, arvo_error *err)
{
    struct export *export = user;
    cli_progress_show(&export->progress, ++export->lines);
    if (fwrite(line.ptr, 1, line.len, export->file) == line.len && putc('\n', export->file) != EOF)
        return ARVO_OK;
    return arvo_error_set(
        err, ARVO_E_IO, 0, "%s: cannot be written (%s)", export->name, strerror(errno));
}

static int
export_to(arvo_memory *from, FILE *file, const char *name, arvo_digest *digest)
{
    struct export export = { .file = file,
                             .name = name,
                             .progress = { .what = "exported", .unit = "rows" } };
    arvo_error err = { 0 };
    arvo_status st = arvo_store_export(from, export_line, &export, digest, &err);
    cli_progress_end(&export.progress);
    if (st == ARVO_OK && (fflush(file) != 0 || (file != stdout && fsync(fileno(file)) != 0)))
        st =
            arvo_error_set(&err, ARVO_E_IO, 0, "%s: cannot be written (%s)", name, strerror(errno));
    return st == ARVO_OK ? CLI_DONE : cli_fail(&err);
}

static int
export_to_file(arvo_memory *from, const char *path, arvo_digest *digest)
{
    const char *part = part_of(path);
    FILE *file = fopen(part, "wb");
    if (file == NULL) {
        cli_error("%s: cannot be written (%s)", part, strerror(errno));
        return CLI_USAGE;
    }
    int exit_code = export_to(from, file, path, digest);
    if (fclose(file) != 0 && exit_code == CLI_DONE) {
        cli_error("%s: cannot be written (%s)", part, strerror(errno));
        exit_code = CLI_TRANSACTION;
    }
    if (exit_code == CLI_DONE)
        return part_finish(part, path) ? CLI_DONE : CLI_TRANSACTION;
    (void)unlink(part);
    return exit_code;
}

static int
export_run(cli_args *args)
{
    struct transfer_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!transfer_has_store(args, &opts))
        return CLI_USAGE;
    const bool has_file = opts.output != NULL && strcmp(opts.output, "-") != 0;
    if (opts.json && !has_file) {
        cli_error("export: --json tells of the file: give --output FILE too");
        return CLI_USAGE;
    }
    int exit_code = CLI_DONE;
    arvo_memory *from = cli_store_open(opts.store, true, &exit_code);
    if (from == NULL)
        return exit_code;
    arvo_digest digest = { 0 };
    exit_code = has_file ? export_to_file(from, opts.output, &digest)
                         : export_to(from, stdout, "standard output", &digest);
    arvo_memory_close(from);
    if (exit_code == CLI_DONE && has_file)
        transfer_print("file", opts.output, &digest, opts.json);
    return exit_code;
}

const cli_command cli_export = {
    .verb = "export",
    .operands = "",
    .summary = "write a whole store as JSON lines",
    .details =
        "Writes everything in a store, as of one moment and while others go on working, as one\n"
        "JSON object per line; the last line holds the number of rows and their digest, which is\n"
        "the same in whatever store they are. docs/store-format.md describes the lines.\n"
        "With --output, the file appears under its name when it is whole.\n"
        "(Machines and contracts in other formats: arvo machine export, arvo contract export.)\n"
        "--json: {\"file\", \"rows\", \"digest\"}.\n",
    .options = export_options,
    .operands_max = 0,
    .run = export_run,
};

/* ---- import ----------------------------------------------------------------------- */

struct import {
    FILE *file;
    const char *name;
    char *line; /* getline()'s */
    size_t cap;
    cli_progress progress;
    uint64_t lines;
};

static arvo_status
import_line(void *user, arvo_str *out_line, arvo_error *err)
{
    struct import *import = user;
    errno = 0;
    ssize_t len = getline(&import->line, &import->cap, import->file);
    *out_line = ARVO_STR_NONE;
    if (len < 0 && (ferror(import->file) || errno != 0))
        return arvo_error_set(
            err, ARVO_E_IO, 0, "%s: cannot be read (%s)", import->name, strerror(errno));
    if (len < 0)
        return ARVO_OK;
    if ((size_t)len > ARVO_TRANSFER_LINE_MAX)
        return arvo_error_set(
            err, ARVO_E_TOO_BIG, 0, "%s: a line is longer than %zu bytes", import->name,
            ARVO_TRANSFER_LINE_MAX);
    while (len > 0 && (import->line[len - 1] == '\n' || import->line[len - 1] == '\r'))
        len--;
    cli_progress_show(&import->progress, ++import->lines);
    *out_line = (arvo_str){ import->line, (size_t)len };
    return ARVO_OK;
}

/* What was written is read back. */
static arvo_status
import_verify(arvo_memory *to, const arvo_digest *written, arvo_error *err)
{
    arvo_digest read_back;
    const arvo_status st = arvo_store_digest(to, &read_back, err);
    if (st != ARVO_OK || arvo_digest_equal(&read_back, written))
        return st;
    return arvo_error_set(
        err, ARVO_E_CORRUPT, 0,
        "import: what is read back from the store is not what was written: do not use it");
}

static int
import_from(FILE *file, const char *name, arvo_memory *to, arvo_digest *digest)
{
    struct import import = { .file = file,
                             .name = name,
                             .progress = { .what = "imported", .unit = "rows" } };
    arvo_error err = { 0 };
    arvo_status st = arvo_store_import(to, import_line, &import, digest, &err);
    cli_progress_end(&import.progress);
    free(import.line);
    if (st == ARVO_OK)
        st = import_verify(to, digest, &err);
    if (st == ARVO_OK)
        return CLI_DONE;
    (void)cli_fail(&err);
    /* What is wrong with the file is not the store's doing. */
    return st == ARVO_E_CORRUPT || st == ARVO_E_VERSION ? CLI_USAGE : cli_exit_code(st);
}

static int
import_run(cli_args *args)
{
    struct transfer_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!transfer_has_store(args, &opts))
        return CLI_USAGE;
    const char *path = args->operands[0];
    const bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (file == NULL) {
        cli_error("%s: cannot be read (%s)", path, strerror(errno));
        return CLI_USAGE;
    }
    int exit_code = CLI_DONE;
    arvo_digest digest = { 0 };
    arvo_memory *to = cli_store_open(opts.store, false, &exit_code);
    if (to != NULL)
        exit_code = import_from(file, is_stdin ? "standard input" : path, to, &digest);
    arvo_memory_close(to);
    if (!is_stdin)
        (void)fclose(file);
    if (exit_code == CLI_DONE)
        transfer_print("store", cli_url(opts.store), &digest, opts.json);
    return exit_code;
}

const cli_command cli_import = {
    .verb = "import",
    .operands = "FILE|-",
    .summary = "fill an empty store from JSON lines",
    .details =
        "Fills an empty store with what arvo export wrote, checks the digest in its last line,\n"
        "reads the store back and compares. All of it or nothing: a file that was cut off or\n"
        "changed is refused, a store that is not empty is left alone.\n"
        "(Machines and contracts in other formats: arvo machine import, arvo contract import.)\n"
        "--json: {\"store\", \"rows\", \"digest\"}.\n",
    .options = transfer_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = import_run,
};
