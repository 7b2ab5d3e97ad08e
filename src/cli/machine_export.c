/* arvo machine export: a machine document as an XState configuration. */

#include "cli.h"

struct export_opts {
    const char *machine;
    const char *output;
};

static const cli_option export_options[] = {
    { "machine", CLI_TEXT, "ID[@VERSION]", offsetof(struct export_opts, machine),
      "which machine, where FILE holds several", 0 },
    { "output", CLI_TEXT, "FILE", offsetof(struct export_opts, output),
      "(or -o) where to write the configuration; default standard output", 'o' },
    { 0 },
};

static int
export_write(const arvo_document *document, const char *output)
{
    arvo_xstate_report report = { 0 };
    arvo_error err = { 0 };
    const arvo_json *config = NULL;
    const arvo_status st = arvo_xstate_export(document->root, cli_arena(), &config, &report, &err);
    cli_xstate_report(document, &report);
    if (st == ARVO_E_UNSUPPORTED)
        return CLI_NO;
    if (st != ARVO_OK)
        return cli_fail(&err);
    return cli_json_write(config, output);
}

static int
export_run(cli_args *args)
{
    struct export_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    const cli_machine_opts which = { .path = args->operands[0], .wanted = opts.machine };
    arvo_document document;
    if (!cli_machine_document(&which, &document))
        return CLI_USAGE;
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    if (cli_machine_compile(&document, &machine, &err) != ARVO_OK) {
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    arvo_machine_unref(machine);
    return export_write(&document, opts.output);
}

const cli_command cli_machine_export = {
    .verb = "machine",
    .action = "export",
    .operands = "FILE",
    .summary = "an XState configuration from a machine document",
    .details =
        "Writes the machine in FILE as what XState's createMachine() takes, as JSON; Stately "
        "Studio\n"
        "reads it, and so does `arvo machine import`, without loss. What XState has no words for\n"
        "(contracts, named guards and actions, costs) is carried in meta.arvo, and expressions "
        "are\n"
        "strings: notes say so. Exit codes: 1, a name in it means something else to XState; 2, "
        "the\n"
        "machine or a file cannot be used.\n",
    .options = export_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = export_run,
};
