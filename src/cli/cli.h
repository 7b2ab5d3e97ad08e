/* What the verbs of the command share: options, files, output, exit codes.
 *
 * The command is built on the public headers alone. It is a short-lived
 * process: everything it reads and builds lives in one arena, cli_arena(),
 * until main() ends; only there may running out of memory end the process. */
#ifndef ARVO_CLI_H
#define ARVO_CLI_H

#include <stdio.h>

#include <arvo/arvo.h>

/* ---- Exit codes ------------------------------------------------------------- */

enum {
    CLI_DONE = 0,
    CLI_NO = 1,         /* the answer is no: invalid, a violation, a workflow error */
    CLI_USAGE = 2,      /* wrong arguments, or an input file that cannot be used */
    CLI_TRANSACTION = 3 /* the store could not do its part, or the run was interrupted */
};

/** The exit code for a status that a store or an orchestrator returned. */
int cli_exit_code(arvo_status status);

/** "arvo: ..." on stderr, one line whatever the arguments hold. */
void cli_error(const char *format, ...) ARVO_PRINTF(1, 2);

/** The same for an error of the library; gives cli_exit_code(err->status). */
int cli_fail(const arvo_error *err);

/* ---- Commands and their options ------------------------------------------------ */

typedef enum cli_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char *; the last one given wins */
    CLI_LIST,   /* cli_list */
    CLI_NUMBER, /* int64_t, at least 1 */
    CLI_REMOTES /* DIR=URL, mapped at once: see cli_remotes(); no variable */
} cli_kind;

typedef struct cli_list {
    const char **items;
    size_t count;
} cli_list;

/* The row of verbs whose schemas may refer to other documents. */
#define CLI_REMOTES_OPTION                                                                         \
    {                                                                                              \
        "remotes", CLI_REMOTES, "DIR=URL", 0,                                                      \
            "a folder that stands for the URIs below URL; may be given again"                      \
    }

/* Tables end with a row whose name is NULL. */
typedef struct cli_option {
    const char *name;
    cli_kind kind;
    const char *value; /* how the help names the value; NULL for a flag */
    size_t offset;     /* of the variable in the verb's options struct */
    const char *help;
    char letter; /* -o for --output; 0: none */
} cli_option;

typedef struct cli_args cli_args;

typedef struct cli_command {
    const char *verb;
    const char *action;   /* "check" of `machine check`; NULL: none */
    const char *operands; /* "APP...", for the usage line */
    const char *summary;  /* one line, lower case */
    const char *details;  /* paragraphs for the help; ends with a newline */
    const cli_option *options;
    int operands_min;
    int operands_max; /* -1: no limit */
    int (*run)(cli_args *args);
} cli_command;

/** Append to a list in the arena. */
void cli_list_append(cli_list *list, const char *item);

struct cli_args {
    const cli_command *command;
    int argc; /* as for getopt: argv[0] is the verb or action */
    char **argv;
    const char *const *operands; /* set by cli_parse() */
    size_t operand_count;
    int exit_code; /* set when cli_parse() gives false */
};

extern const cli_command cli_run, cli_machine_check, cli_machine_simulate, cli_machine_diagram,
    cli_machine_import, cli_machine_export, cli_machine_paths, cli_contract_check,
    cli_contract_validate, cli_contract_example, cli_contract_diff, cli_contract_docs,
    cli_contract_export, cli_contract_import, cli_schema_validate, cli_event_new,
    cli_event_validate, cli_event_send, cli_work, cli_subject_new, cli_subject_child,
    cli_subject_decode, cli_ps, cli_show, cli_history, cli_purge, cli_backup, cli_restore,
    cli_export, cli_import, cli_store_check, cli_store_migrate, cli_store_stats, cli_dlq_list,
    cli_dlq_show, cli_dlq_retry, cli_dlq_drop, cli_bench, cli_sim, cli_trace, cli_doctor,
    cli_support_bundle;

/** Read the options into `opts`, a zeroed struct with the command's variables. False: usage or help
 * was printed, return args->exit_code. */
bool cli_parse(cli_args *args, void *opts);

/** The help of one command. */
void cli_help(const cli_command *command, FILE *out);

/** The candidate that `word` most likely means; NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *candidates, size_t count);

/** The program as the user called it, for commands to paste. */
extern const char *cli_program;

/* ---- Memory ---------------------------------------------------------------------- */

/** The process's arena. Never NULL: without memory for it the process ends. */
arvo_arena *cli_arena(void);
void cli_arena_free(void);

/** End the process when the arena ran out: exit code 3. */
void cli_check_memory(void);

/** printf into the arena. */
const char *cli_printf(const char *format, ...) ARVO_PRINTF(1, 2);
/** The decimal number that `text` begins with; what follows it is at *out_end. false: none, or it
 * is above `max`. */
bool cli_number_read(const char *text, uint64_t max, uint64_t *out, const char **out_end);

/** The text with a NUL behind it; "" for none. */
const char *cli_cstr(arvo_str text);

/* ---- Input files ------------------------------------------------------------------ */

/** The folders of --remotes, for what loads schemas; NULL: none was given. */
arvo_schema_remotes *cli_remotes(void);
/** Map one of them, DIR=URL. False: `err` says why. */
bool cli_remotes_map(const char *given, arvo_error *err);

/** The one document of a JSON or YAML file; "-" is standard input. False: said why. */
bool cli_document_load(const char *path, arvo_document *out);
bool cli_documents_load(const char *path, arvo_document_list *out);
/** Whether the document's `kind` is this. */
bool cli_document_is(const arvo_document *document, const char *kind);
/** Contracts of the apps, and those among the documents, which an app may hold too. Owned
 * (arvo_contracts_unref()); NULL: said why. */
arvo_contracts *cli_contracts_load(const cli_list *apps, const arvo_document_list *documents);

/** The whole text of a file or of standard input, as long as a document may be. */
bool cli_text_load(const char *path, arvo_str *out);

/** An event from a file. False: said why. */
bool cli_event_load(const char *path, arvo_event *out);

/** A value given as JSON, as @FILE, or as "-" (standard input). `option` is named in errors. */
bool cli_value_load(const char *option, const char *given, const arvo_json **out);

/** The app of some paths; NULL: see err. An app without any document is ARVO_E_IO. */
arvo_app *cli_app_try(const char *const *paths, size_t count, arvo_error *err);

/** The same, for who needs one; NULL: said why, the exit code is CLI_USAGE. */
arvo_app *cli_app_load(const char *const *paths, size_t count);

/** The machine of an app by the type of its start event and its version; NULL: it has none. */
const arvo_machine *cli_app_machine(const arvo_app *app, arvo_str source, arvo_str version);

/** The findings of the paths in `args`, and the app when it has no errors; false: said why. */
bool cli_app_findings(cli_args *args, arvo_check *check, arvo_app **out, int *exit_code);

/** "file:line: [rule] state: what; what to do"; in the arena. */
const char *cli_finding_text(const arvo_finding *finding);
/** One line each, aligned; without those that the documents allow. */
void cli_findings_print(const arvo_check *check);
const arvo_json *cli_findings_json(const arvo_check *check);
void cli_findings_print_sarif(const arvo_check *check);

/** The same, for who asks whether it is right: a wrong document is an answer, CLI_NO. */
arvo_app *cli_app_check(const char *const *paths, size_t count, bool json, int *exit_code);

/** The version of a contract that declares an event type: the one wanted, else the latest that has
 * it; NULL: none. */
const arvo_contract_version *cli_contract_find(
    const arvo_contracts *contracts, arvo_str type, arvo_str wanted, const arvo_event_rule **rule);

/** A rule of a contract as the examples and comparisons of schemas take it. */
arvo_schema_source
cli_rule_source(const arvo_contract_version *version, const arvo_event_rule *rule);

/** The version that a dataschema names (of uri/0.0.0 the latest), if it declares the type; NULL:
 * there is no such version, or the text is no dataschema. */
const arvo_contract_version *cli_contract_find_schema(
    const arvo_contracts *contracts, arvo_str type, arvo_str dataschema,
    const arvo_event_rule **rule);

/** One AsyncAPI 3 document of all contracts. */
const arvo_json *cli_asyncapi(const arvo_contracts *contracts);
/** Whether a schema says something that draft-07 reads otherwise, or not at all. */
bool cli_schema_is_newer(const arvo_json *schema);

/** What a schema found wrong, one line each on stderr; or one JSON object on standard output. */
void cli_issues_print(const arvo_schema_report *report);
void cli_issues_print_json(const arvo_schema_report *report);

/** What is probably a mistake in a schema, one line each on stderr. */
void cli_schema_warnings(const arvo_schema *schema);

/** Write a file whole; "-" is standard output. False: said why. */
bool cli_file_write(const char *path, arvo_str text);

/** A value over several lines, to a file or standard output; gives the exit code. */
int cli_json_write(const arvo_json *value, const char *path);

/* What names one machine: a file or folder, and which of the machines in it. */
typedef struct cli_machine_opts {
    const char *path;
    const char *wanted; /* ID or ID@VERSION; NULL: the only one */
    arvo_str source;    /* instead of `wanted`: type of the start event, and version; none: any */
    arvo_str version;
    cli_list apps; /* where its contracts are, if not beside it */
} cli_machine_opts;

/**
 * A machine to look at, not to run: functions of C programs that it names are taken to be there,
 * and without its contracts it is read as one that has none. NULL: said why, the exit code is
 * CLI_USAGE. Owned (arvo_machine_unref()).
 */
arvo_machine *cli_machine_load(const cli_machine_opts *opts);

/** The document of the machine in a file. False: said why, the exit code is CLI_USAGE. */
bool cli_machine_document(const cli_machine_opts *opts, arvo_document *out);

/** The same of a document that is there already, without its contracts. */
arvo_status cli_machine_compile(const arvo_document *document, arvo_machine **out, arvo_error *err);

/** What import or export has to say, a line each on stderr, with the place in the file. */
void cli_xstate_report(const arvo_document *document, const arvo_xstate_report *report);

/* ---- Stores ------------------------------------------------------------------------ */

/** Open a store; NULL: said why, *exit_code set. `read_only` never makes or changes one. */
arvo_memory *cli_store_open(const char *url, bool read_only, int *exit_code);

/** Whether a store of a file is there, without opening it; false: said so. */
bool cli_store_is_there(const char *url);
/** The file of a sqlite: store; NULL: another store, or one without a file. */
const char *cli_store_path(const char *url);
/** The URL that opens it without ever making or changing it. */
const char *cli_store_read_only(const char *url);
/** The URL as it may be shown: without passwords. */
const char *cli_url(const char *url);

/** What arvo store stats --json prints. */
const arvo_json *cli_stats_json(const arvo_memory_stats *stats);

/** The subject of one instance, given whole or by its execution id; false: said why. */
bool cli_subject_find(arvo_memory *memory, const char *given, arvo_str *out, int *exit_code);

/** Its record; false: said why. */
bool cli_record_read(
    arvo_memory *memory, arvo_str subject, arvo_record *out, bool *out_found, int *exit_code);

/* ---- Log --------------------------------------------------------------------------------- */

/** What is logged when ARVO_LOG says nothing: `levels` as it has them, static; "warning" else.
 * Before the first cli_platform(). */
void cli_log_levels(const char *levels);

/** The system's platform, with the log that the ARVO_LOG variables ask for; what is wrong with
 * those is said once. By the first thread. */
const arvo_platform *cli_platform(void);

/* ---- Telemetry ------------------------------------------------------------------------ */

typedef struct cli_telemetry_opts {
    const char *metrics_file;    /* --metrics-file; nullable, as what follows */
    const char *metrics_address; /* --metrics */
    arvo_memory *memory;         /* whose state is among the metrics; until it is closed */
} cli_telemetry_opts;

/** The listener that the OTEL_ variables and the options ask for; NULL: none, said why if it should
 * be there. False: the address cannot be served, said why; nothing is open. */
bool cli_telemetry_open(
    const cli_telemetry_opts *opts, const arvo_telemetry **out_telemetry, int *exit_code);

/** Have the worker's counters among the metrics, if there are any, until they are closed. */
void cli_telemetry_watch(arvo_worker *worker);

/** Where the metrics are served; NULL: they are not. Borrowed until they are closed. */
const char *cli_telemetry_url(void);

/** Send what waits, for a moment, and write the file; says what was not sent or written: the work
 * is done all the same. More than once is fine. */
void cli_telemetry_close(void);

/* ---- Output ------------------------------------------------------------------------- */

typedef enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GREEN, CLI_YELLOW, CLI_RED } cli_style;

/** Read the environment and the terminal once, before anything is printed. */
void cli_output_init(void);

/** Whether that file is a terminal that shows colours, and nobody asked for none. */
bool cli_has_colour_on(int file);

/** The escape sequence that begins a style, and the one that ends it; "" where there is no colour.
 */
const char *cli_style_on(cli_style style);
const char *cli_style_off(cli_style style);

/** What may be shown on a terminal: control characters escaped. */
const char *cli_shown(arvo_str text);

/** Flush; false when standard output is gone (nobody reads it) or full. */
bool cli_flush(void);

/** Whether writing to standard output failed, and say so unless its reader just went away. */
int cli_output_close(int exit_code);

/** One compact line. */
void cli_print_json(const arvo_json *value);
void cli_print_pretty(const arvo_json *value);

/* Begin with { .what = "copied", .unit = "rows" }. */
typedef struct cli_progress {
    const char *what, *unit;
    int64_t started_ns, shown_ns;
} cli_progress;

/** On a terminal, after a second and then now and then: "copied 1200 rows, 4000 per second". */
void cli_progress_show(cli_progress *progress, uint64_t count);
/** Take the line away. */
void cli_progress_end(cli_progress *progress);

#define CLI_COLUMNS_MAX 8u
#define CLI_PAGE_ROWS   1000u /* a longer table is aligned, and printed, page by page */

/* Rows of text, printed with aligned columns. The first row is the head. Begin with { .columns }.
 */
typedef struct cli_table {
    size_t columns;
    size_t rows;
    arvo_arena *arena;    /* of the cells of a page */
    arvo_arena_mark body; /* where it is rewound to for the next page */
    const char **cells;
} cli_table;

/** Add a row of `table->columns` texts, which are copied. */
void cli_table_row(cli_table *table, ...);
/** Head in bold; the last column cut at the width of the terminal. The table is empty afterwards.
 */
void cli_table_print(cli_table *table);
/** Without printing. */
void cli_table_free(cli_table *table);

/** Columns of `text` on a terminal: one per code point. */
size_t cli_width(const char *text);

/** A state value in one line: `a.b`, `a.(x.y | z.w)`. */
const char *cli_state_text(const arvo_json *value);

/** As bytes: less than, equal to, or greater than 0. */
int cli_text_order(arvo_str a, arvo_str b);

/** Append `text` so that it is text in HTML and XML too. */
void cli_markup(arvo_buf *out, arvo_str text);

/** Columns to draw in: of the terminal, or CLI_DRAW_COLUMNS elsewhere; never very few. */
size_t cli_columns(void);

/** The names in a JSON array of domains, joined by commas. */
const char *cli_domains_text(arvo_str domains);

/** `text` as one word for a shell. */
const char *cli_quoted(arvo_str text);

/* ---- Drawing time --------------------------------------------------------------------- */

#define CLI_DRAW_COLUMNS     120u
#define CLI_DRAW_COLUMNS_MIN 24u

/** Whether the locale's encoding is UTF-8; else what is drawn is plain ASCII. */
bool cli_is_utf8(void);

/** "0.123 ms", "1.25 s", "2 h 05 min"; in the arena, as all texts here. */
const char *cli_duration(int64_t ns);
/** The same of what was measured in milliseconds. */
const char *cli_duration_ms(int64_t ms);

/** "30d" in milliseconds: a number with one of s, m, h, d, w; -1: not such a text. */
int64_t cli_age_ms(const char *text);

/** An event's time, in milliseconds since the epoch. False: not a date-time. */
bool cli_time_parse(arvo_str text, int64_t *out_ms);

/** At most `columns` (at least 1) of the text, then with `mark` as the last of them. */
const char *cli_cut(const char *text, size_t columns, const char *mark);
/** Exactly `columns`: cut, or filled with blanks. */
const char *cli_fit(const char *text, size_t columns);

/* What stands before a line of a tree, and before those of its children. */
typedef struct cli_branch {
    const char *here, *below;
} cli_branch;

/** `prefix`: the parent's `below`; NULL: it is the root. What would stand further right than
 * `columns` stands beside its parent. */
cli_branch cli_branch_of(const char *prefix, bool is_last, size_t columns);

/* A stretch of time, in any unit. */
typedef struct cli_part {
    int64_t from, to;
    bool is_wait;
} cli_part;

/** The parts on a line of `width` columns that stands for [from, to], without blanks at its end: a
 * column is full where at least half of it is work, half full where less is, and dotted where all
 * is waiting. */
const char *cli_bar(const cli_part *parts, size_t count, int64_t from, int64_t to, size_t width);

/* ---- Building JSON ------------------------------------------------------------------- */

/** A string, or null for none. */
const arvo_json *cli_json_str(arvo_str text);
const arvo_json *cli_json_cstr(const char *text);
/** The value of a JSON text, or null for none. */
const arvo_json *cli_json_text(arvo_str text);
const arvo_json *cli_json_time(int64_t time_ms);
void cli_set(arvo_json *object, const char *key, const arvo_json *value);

#endif
