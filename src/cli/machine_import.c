/* arvo machine import: an XState configuration as a machine document. */

#include "cli.h"

struct import_opts {
    const char *output;
};

static const cli_option import_options[] = {
    { "output", CLI_TEXT, "FILE", offsetof(struct import_opts, output),
      "(or -o) where to write the document; default standard output", 'o' },
    { 0 },
};

void
cli_xstate_report(const arvo_document *document, const arvo_xstate_report *report)
{
    for (size_t i = 0; i < report->note_count; i++) {
        const arvo_xstate_note *note = &report->notes[i];
        const char *pointer =
            note->pointer.len > 0 ? cli_printf(" %s:", cli_shown(note->pointer)) : "";
        cli_error(
            "%s%s:%u:%s %s", note->is_error ? "" : "note: ", cli_cstr(document->file),
            (unsigned)arvo_document_line(document, note->pointer), pointer, cli_cstr(note->text));
    }
    if (report->left_off > 0)
        cli_error("%s: %zu more of these", cli_cstr(document->file), report->left_off);
}

/* The document must be one that can be used: what the names in it mean is seen here. */
static bool
result_check(const arvo_document *config, const arvo_json *result)
{
    arvo_document document = *config;
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    document.root = result;
    const arvo_status st = cli_machine_compile(&document, &machine, &err);
    arvo_machine_unref(machine);
    if (st != ARVO_OK)
        (void)cli_fail(&err);
    return st == ARVO_OK;
}

static int
import_run(cli_args *args)
{
    struct import_opts opts = { 0 };
    arvo_document config;
    arvo_xstate_report report = { 0 };
    arvo_error err = { 0 };
    const arvo_json *document = NULL;
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!cli_document_load(args->operands[0], &config))
        return CLI_USAGE;
    const arvo_status st = arvo_xstate_import(config.root, cli_arena(), &document, &report, &err);
    cli_xstate_report(&config, &report);
    if (st == ARVO_E_UNSUPPORTED)
        return CLI_NO;
    if (st != ARVO_OK) {
        arvo_error_prefix(&err, "%s", args->operands[0]);
        return cli_fail(&err) == CLI_TRANSACTION ? CLI_TRANSACTION : CLI_USAGE;
    }
    if (!result_check(&config, document))
        return CLI_NO;
    return cli_json_write(document, opts.output);
}

const cli_command cli_machine_import = {
    .verb = "machine",
    .action = "import",
    .operands = "FILE",
    .summary = "a machine document from an XState configuration",
    .details =
        "Reads what XState's createMachine() takes, as JSON (Stately Studio exports it), and "
        "writes\n"
        "the machine document. What has no counterpart is said with file, line and JSON pointer,\n"
        "each with what to do instead, and nothing is written. Notes say what was left out "
        "without\n"
        "effect, and which guards and actions somebody must supply. Exit codes: 1, some of it has\n"
        "no counterpart, or the machine would not load; 2, a file cannot be used.\n",
    .options = import_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = import_run,
};
