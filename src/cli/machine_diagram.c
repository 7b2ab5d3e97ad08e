/* arvo machine diagram: a machine as a picture. */

#include "cli.h"

struct diagram_opts {
    const char *output;
    const char *format;
    const char *direction;
    const char *machine;
    const char *snapshot;
    const char *store;
    const char *subject;
    cli_list apps;
};

static const cli_option diagram_options[] = {
    { "app", CLI_LIST, "APP", offsetof(struct diagram_opts, apps),
      "where the machine's contracts are, if not in FILE: names the services", 0 },
    { "direction", CLI_TEXT, "TB|LR", offsetof(struct diagram_opts, direction),
      "from top to bottom (the default), or from left to right", 0 },
    { "format", CLI_TEXT, "FORMAT", offsetof(struct diagram_opts, format),
      "svg, dot or mermaid, where the output's name does not say it", 0 },
    { "machine", CLI_TEXT, "ID[@VERSION]", offsetof(struct diagram_opts, machine),
      "which machine, where FILE holds several", 0 },
    { "output", CLI_TEXT, "FILE", offsetof(struct diagram_opts, output),
      "(or -o) .svg, .dot or .mmd; default standard output", 'o' },
    { "snapshot", CLI_TEXT, "FILE", offsetof(struct diagram_opts, snapshot),
      "light up the states of this persisted snapshot", 0 },
    { "store", CLI_TEXT, "URL", offsetof(struct diagram_opts, store),
      "with --subject: light up the states of an instance in this store", 0 },
    { "subject", CLI_TEXT, "SUBJECT", offsetof(struct diagram_opts, subject),
      "the instance: its subject or its execution id", 0 },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- Format ---- */

static const struct {
    const char *word; /* of --format, or how the output's name ends */
    arvo_diagram_format format;
} formats[] = {
    { "svg", ARVO_DIAGRAM_SVG },         { "dot", ARVO_DIAGRAM_DOT },
    { "mermaid", ARVO_DIAGRAM_MERMAID }, { "gv", ARVO_DIAGRAM_DOT },
    { "mmd", ARVO_DIAGRAM_MERMAID },
};

static bool
format_find(const char *word, arvo_diagram_format *out)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(formats); i++)
        if (strcmp(word, formats[i].word) == 0) {
            *out = formats[i].format;
            return true;
        }
    return false;
}

static bool
format_choose(const struct diagram_opts *opts, arvo_diagram_format *out)
{
    const char *ending = opts->output != NULL ? strrchr(opts->output, '.') : NULL;
    const bool is_named = opts->output != NULL && strcmp(opts->output, "-") != 0;
    *out = ARVO_DIAGRAM_MERMAID;
    if (opts->format != NULL && !format_find(opts->format, out)) {
        cli_error("--format %s: must be svg, dot or mermaid", opts->format);
        return false;
    }
    if (opts->format != NULL || !is_named)
        return true;
    if (ending != NULL && format_find(ending + 1, out))
        return true;
    cli_error(
        "%s: which format? end the name in .svg, .dot or .mmd, or give --format", opts->output);
    return false;
}

static bool
direction_choose(const struct diagram_opts *opts, bool *left_to_right)
{
    *left_to_right = opts->direction != NULL && strcmp(opts->direction, "LR") == 0;
    if (opts->direction == NULL || *left_to_right || strcmp(opts->direction, "TB") == 0)
        return true;
    cli_error("--direction %s: must be TB or LR", opts->direction);
    return false;
}

/* ---- What is lit up ---- */

/* A snapshot as it is, or the last line of simulate --persist. */
static bool
value_from_file(const char *path, const arvo_json **out)
{
    arvo_document document;
    if (!cli_document_load(path, &document))
        return false;
    const arvo_json *inner = arvo_json_get(document.root, "snapshot");
    *out = arvo_json_get(inner != NULL ? inner : document.root, "value");
    if (*out != NULL)
        return true;
    cli_error("%s: not a persisted snapshot: it has no value", path);
    return false;
}

/* The record says too which machine it is of. */
static bool
value_from_store(
    const struct diagram_opts *opts, arvo_memory *memory, cli_machine_opts *machine,
    const arvo_json **out, int *exit_code)
{
    arvo_str subject;
    arvo_record record;
    bool found = false;
    if (!cli_subject_find(memory, opts->subject, &subject, exit_code) ||
        !cli_record_read(memory, subject, &record, &found, exit_code))
        return false;
    if (!found || record.value.ptr == NULL) {
        cli_error(
            found ? "diagram: this instance has no state: its start failed"
                  : "diagram: the store holds no instance of this subject");
        *exit_code = CLI_NO;
        return false;
    }
    *out = cli_json_text(record.value);
    machine->source = record.orchestrator;
    machine->version = record.version;
    return true;
}

static bool
value_load(
    const struct diagram_opts *opts, cli_machine_opts *machine, const arvo_json **out,
    int *exit_code)
{
    *exit_code = CLI_USAGE;
    if ((opts->store != NULL) != (opts->subject != NULL)) {
        cli_error("diagram: --store and --subject go together");
        return false;
    }
    if (opts->store != NULL && opts->snapshot != NULL) {
        cli_error("diagram: give --snapshot or --store, not both");
        return false;
    }
    if (opts->snapshot != NULL)
        return value_from_file(opts->snapshot, out);
    if (opts->store == NULL)
        return true;
    arvo_memory *memory = cli_store_open(opts->store, true, exit_code);
    const bool is_read = memory != NULL && value_from_store(opts, memory, machine, out, exit_code);
    arvo_memory_close(memory);
    return is_read;
}

/* ---- Drawing ---- */

static int
draw(const arvo_machine *machine, const arvo_diagram_opts *opts, const char *output)
{
    arvo_error err = { 0 };
    arvo_buf text = ARVO_BUF_INIT(ARVO_DIAGRAM_BYTES_MAX);
    int exit_code = CLI_DONE;
    const arvo_status st = arvo_diagram_write(machine, opts, &text, &err);
    if (st == ARVO_E_UNSUPPORTED || st == ARVO_E_TOO_BIG) {
        (void)cli_fail(&err);
        exit_code = CLI_USAGE;
    } else if (st != ARVO_OK) {
        exit_code = cli_fail(&err);
    } else if (!cli_file_write(output != NULL ? output : "-", arvo_buf_str(&text))) {
        exit_code = CLI_USAGE;
    }
    arvo_buf_fini(&text);
    return exit_code;
}

static int
diagram_run(cli_args *args)
{
    struct diagram_opts opts = { 0 };
    arvo_diagram_opts diagram = { 0 };
    int exit_code = CLI_USAGE;
    if (!cli_parse(args, &opts))
        return args->exit_code;
    cli_machine_opts which = { .path = args->operands[0],
                               .wanted = opts.machine,
                               .apps = opts.apps };
    if (!format_choose(&opts, &diagram.format) || !direction_choose(&opts, &diagram.left_to_right))
        return CLI_USAGE;
    if (!value_load(&opts, &which, &diagram.value, &exit_code))
        return exit_code;
    arvo_machine *machine = cli_machine_load(&which);
    if (machine == NULL)
        return CLI_USAGE;
    exit_code = draw(machine, &diagram, opts.output);
    arvo_machine_unref(machine);
    return exit_code;
}

const cli_command cli_machine_diagram = {
    .verb = "machine",
    .action = "diagram",
    .operands = "FILE",
    .summary = "draw a machine",
    .details =
        "Draws the machine in FILE, a file or a folder: as SVG (through Graphviz), as DOT or as\n"
        "Mermaid's stateDiagram-v2, which Markdown pages show (the default). States are nested\n"
        "boxes; regions of a parallel state are divided by dashes. An arrow says\n"
        "`event [guard] / actions`; an emission names the service that it calls, where the\n"
        "contracts are at hand. --snapshot, or --store and --subject, light up where an instance\n"
        "stands. Exit codes: 1, there is no such instance; 2, the machine or a file cannot be\n"
        "used; 3, the snapshot does not fit the machine.\n",
    .options = diagram_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = diagram_run,
};
