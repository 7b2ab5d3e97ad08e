/* arvo: the command. Finds the verb and runs it; each verb has a file. */

#include "cli.h"

#include <signal.h>
#include <stdlib.h>

const char *cli_program = "arvo";

static const cli_command *const commands[] = {
    &cli_run,
    &cli_work,
    &cli_machine_check,
    &cli_machine_simulate,
    &cli_machine_diagram,
    &cli_machine_import,
    &cli_machine_export,
    &cli_machine_paths,
    &cli_contract_check,
    &cli_contract_validate,
    &cli_contract_example,
    &cli_contract_diff,
    &cli_contract_docs,
    &cli_contract_export,
    &cli_contract_import,
    &cli_schema_validate,
    &cli_event_new,
    &cli_event_validate,
    &cli_event_send,
    &cli_subject_new,
    &cli_subject_child,
    &cli_subject_decode,
    &cli_ps,
    &cli_show,
    &cli_history,
    &cli_trace,
    &cli_dlq_list,
    &cli_dlq_show,
    &cli_dlq_retry,
    &cli_dlq_drop,
    &cli_purge,
    &cli_backup,
    &cli_restore,
    &cli_export,
    &cli_import,
    &cli_store_check,
    &cli_store_migrate,
    &cli_store_stats,
    &cli_doctor,
    &cli_support_bundle,
    &cli_sim,
    &cli_bench,
};

/* One line per verb, in the order in which people meet them. */
static const struct {
    const char *verb;
    const char *summary;
} verbs[] = {
    { "run", "handle an event: one step, or with --follow until nothing moves" },
    { "work", "deliver events from a store for as long as it runs" },
    { "machine", "check, simulate, draw and walk machines; import and export XState's" },
    { "contract", "check contracts; validate and make data; compare two states of them" },
    { "schema", "validate a value against a JSON Schema" },
    { "event", "make, validate and send events" },
    { "subject", "make and decode subjects" },
    { "ps", "list the instances in a store" },
    { "show", "show one instance" },
    { "history", "list the events of one instance" },
    { "trace", "draw one workflow over time, from its history" },
    { "dlq", "list and show dead letters; retry or drop them" },
    { "purge", "delete instances that are over" },
    { "backup", "copy a store into a new file, while it is in use" },
    { "restore", "fill an empty store from a backup" },
    { "export", "write a whole store as JSON lines" },
    { "import", "fill an empty store from JSON lines" },
    { "store", "check a store, bring it up to date, count what is in it" },
    { "doctor", "say whether a store is well, and what to do if not" },
    { "support-bundle", "collect what whoever helps needs to know, in one file" },
    { "sim", "run an app on virtual time, with faults drawn from a seed" },
    { "bench", "measure how many events per second this machine handles" },
    { "version", "print the version" },
    { "help", "explain a verb: arvo help VERB" },
};

static void
help_main(FILE *out)
{
    fprintf(
        out, "usage: arvo VERB [ARGUMENT...]\n\n"
             "Runs long-lived workflows as statecharts that talk only by events.\n\n");
    for (size_t i = 0; i < ARVO_COUNT_OF(verbs); i++)
        fprintf(out, "  %-14s  %s\n", verbs[i].verb, verbs[i].summary);
    fprintf(
        out, "\nAn APP is any number of files and directories of JSON or YAML documents.\n"
             "Exit codes: 0 done; 1 the answer is no (invalid, a violation, a workflow error);\n"
             "2 usage or a bad input file; 3 a transaction error (the store, or interrupted).\n"
             "More: arvo help VERB, man arvo, man arvo-VERB.\n");
}

static int
unknown(const char *what, const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = cli_nearest(word, candidates, count);
    if (nearest != NULL)
        cli_error("unknown %s %s; did you mean %s? see arvo help", what, word, nearest);
    else
        cli_error("unknown %s %s; see arvo help", what, word);
    return CLI_USAGE;
}

static int
unknown_verb(const char *word)
{
    const char *candidates[ARVO_COUNT_OF(verbs)];
    for (size_t i = 0; i < ARVO_COUNT_OF(verbs); i++)
        candidates[i] = verbs[i].verb;
    return unknown("verb", word, candidates, ARVO_COUNT_OF(verbs));
}

static int
unknown_action(const char *verb, const char *word)
{
    const char *candidates[ARVO_COUNT_OF(commands)];
    const char *all = "";
    size_t count = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(commands); i++) {
        if (strcmp(commands[i]->verb, verb) != 0)
            continue;
        candidates[count++] = commands[i]->action;
        all = cli_printf("%s%s%s", all, *all != '\0' ? ", " : "", commands[i]->action);
    }
    if (word != NULL)
        return unknown(cli_printf("action of %s:", verb), word, candidates, count);
    cli_error("%s: which? one of: %s; see arvo help %s", verb, all, verb);
    return CLI_USAGE;
}

static bool
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `arvo help VERB`, `arvo VERB --help`: all the actions of a verb with several. */
static int
help_verb(const char *verb)
{
    bool found = false;
    for (size_t i = 0; i < ARVO_COUNT_OF(commands); i++) {
        if (strcmp(commands[i]->verb, verb) != 0)
            continue;
        if (found)
            putchar('\n');
        cli_help(commands[i], stdout);
        found = true;
    }
    if (found)
        return CLI_DONE;
    for (size_t i = 0; i < ARVO_COUNT_OF(verbs); i++) {
        if (strcmp(verbs[i].verb, verb) == 0) {
            printf("usage: arvo %s\n\n%s\n", verb, verbs[i].summary);
            return CLI_DONE;
        }
    }
    return unknown_verb(verb);
}

static int
command_run(const cli_command *command, int argc, char **argv)
{
    cli_args args = { .command = command, .argc = argc, .argv = argv };
    return command->run(&args);
}

static int
verb_run(int argc, char **argv)
{
    const char *verb = argv[1];
    bool known = false;
    for (size_t i = 0; i < ARVO_COUNT_OF(commands); i++) {
        if (strcmp(commands[i]->verb, verb) != 0)
            continue;
        known = true;
        if (commands[i]->action == NULL)
            return command_run(commands[i], argc - 1, argv + 1);
        if (argc > 2 && strcmp(commands[i]->action, argv[2]) == 0)
            return command_run(commands[i], argc - 2, argv + 2);
    }
    if (!known)
        return unknown_verb(verb);
    if (argc > 2 && is_help(argv[2]))
        return help_verb(verb);
    return unknown_action(verb, argc > 2 ? argv[2] : NULL);
}

static int
dispatch(int argc, char **argv)
{
    if (argc < 2) {
        help_main(stderr);
        return CLI_USAGE;
    }
    const char *verb = argv[1];
    if (is_help(verb) || (strcmp(verb, "help") == 0 && argc == 2)) {
        help_main(stdout);
        return CLI_DONE;
    }
    if (strcmp(verb, "help") == 0)
        return help_verb(argv[2]);
    if (strcmp(verb, "version") == 0 || strcmp(verb, "--version") == 0) {
        if (argc > 2 && is_help(argv[2]))
            return help_verb("version");
        printf("arvo %s\n", arvo_version());
        return CLI_DONE;
    }
    if (verb[0] == '-') {
        cli_error("unknown option %s; see arvo help", verb);
        return CLI_USAGE;
    }
    return verb_run(argc, argv);
}

int
main(int argc, char **argv)
{
    /* A reader that goes away is seen as a failed write, after the event in hand. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc > 0)
        cli_program = argv[0];
    cli_output_init();
    const int exit_code = cli_output_close(dispatch(argc, argv));
    cli_arena_free();
    return exit_code;
}
