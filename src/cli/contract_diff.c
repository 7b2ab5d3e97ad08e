/* arvo contract diff: for people, for programs, for a pull request. */

#include "cli.h"

#include <stdlib.h>

#define WITNESS_WIDTH 400u /* of data shown in one line */

struct diff_opts {
    bool strict;
    bool all;
    bool json;
    bool markdown;
};

struct diff_sets {
    const arvo_contracts *was, *is;
};

static const cli_option contract_diff_options[] = {
    { "strict", CLI_FLAG, NULL, offsetof(struct diff_opts, strict),
      "what could not be decided counts as breaking" },
    { "all", CLI_FLAG, NULL, offsetof(struct diff_opts, all), "show what did not change, too" },
    { "json", CLI_FLAG, NULL, offsetof(struct diff_opts, json), "one JSON object" },
    { "markdown", CLI_FLAG, NULL, offsetof(struct diff_opts, markdown), "for a pull request" },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- What is said of an entry ---- */

static const char *
data_text(const arvo_json *value)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &text);
    const char *shown = cli_shown(arvo_buf_str(&text));
    arvo_buf_fini(&text);
    return shown;
}

/* Who may send, or may come, what: the sentence before the data. */
static const char *
witness_text(const arvo_diff_entry *entry)
{
    const bool is_emits = entry->part == ARVO_DIFF_EMITS;
    if (entry->witness_is_new)
        return is_emits ? "may come now, and could not before"
                        : "is accepted now, and was not before";
    return is_emits ? "could come before, and will not any more"
                    : "was accepted before, and is not any more";
}

static const char *
what_text(const arvo_diff_entry *entry)
{
    if (entry->part == ARVO_DIFF_VERSION)
        return "version";
    return cli_printf("%s %s", arvo_diff_part_name(entry->part), cli_shown(entry->type));
}

static bool
is_shown(const struct diff_opts *opts, const arvo_diff_entry *entry)
{
    return opts->all || entry->change != ARVO_DIFF_SAME || entry->verdict == ARVO_DIFF_UNKNOWN;
}

/* A released version that breaks needs a new one: the latest of NEW when OLD does not have it yet,
 * else the next major one. NULL: the contract is gone. */
static const char *
next_version(const struct diff_sets *sets, arvo_str uri)
{
    const arvo_contract *contract = arvo_contracts_find(sets->is, uri);
    const arvo_contract *before = arvo_contracts_find(sets->was, uri);
    if (contract == NULL)
        return NULL;
    const arvo_contract_version *latest = arvo_contract_version_find(contract, ARVO_STR("latest"));
    if (before != NULL && arvo_contract_version_find(before, latest->version) == NULL)
        return cli_shown(latest->version);
    const unsigned long long major = strtoull(cli_cstr(latest->version), NULL, 10);
    return cli_printf("%llu.0.0", major + 1);
}

/* ---- People ---- */

static void
entry_print(const arvo_diff_entry *entry)
{
    static const cli_style styles[] = { CLI_GREEN, CLI_RED, CLI_YELLOW };
    const cli_style style = entry->change == ARVO_DIFF_SAME ? CLI_DIM : styles[entry->verdict];
    printf(
        "  %s%-10s%s  %s %s: %s\n", cli_style_on(style),
        entry->change == ARVO_DIFF_SAME ? "same" : arvo_diff_verdict_name(entry->verdict),
        cli_style_off(style), cli_shown(entry->version), what_text(entry),
        arvo_diff_change_name(entry->change));
    if (entry->witness != NULL) {
        const char *data = data_text(entry->witness);
        printf(
            "              %s: %.*s%s\n", witness_text(entry), (int)WITNESS_WIDTH, data,
            strlen(data) > WITNESS_WIDTH ? "..." : "");
    }
    if (entry->why.len > 0)
        printf("              %s\n", cli_shown(entry->why));
}

static void
summary_print(const arvo_diff *diff)
{
    printf(
        "%zu breaking, %zu unknown, %zu compatible, %zu unchanged\n", diff->breaking, diff->unknown,
        diff->compatible, diff->same);
}

static void
advice_print(const arvo_diff *diff, const struct diff_sets *sets)
{
    arvo_str last = ARVO_STR_NONE;
    for (size_t i = 0; i < diff->count; i++) {
        const arvo_diff_entry *entry = &diff->entries[i];
        if (entry->verdict != ARVO_DIFF_BREAKING || arvo_str_equal(entry->uri, last))
            continue;
        const char *next = next_version(sets, entry->uri);
        last = entry->uri;
        if (next != NULL)
            printf(
                "%s: leave its released versions as they were, and put the change into a new one "
                "(%s)\n",
                cli_shown(entry->uri), next);
        else
            printf("%s: keep the contract as long as anybody uses it\n", cli_shown(entry->uri));
    }
    if (diff->unknown > 0)
        printf(
            "%sUNKNOWN: %zu could not be decided: nobody has shown that they are compatible%s\n",
            cli_style_on(CLI_YELLOW), diff->unknown, cli_style_off(CLI_YELLOW));
}

static void
diff_print(const struct diff_opts *opts, const arvo_diff *diff, const struct diff_sets *sets)
{
    arvo_str last = ARVO_STR_NONE;
    for (size_t i = 0; i < diff->count; i++) {
        const arvo_diff_entry *entry = &diff->entries[i];
        if (!is_shown(opts, entry))
            continue;
        if (!arvo_str_equal(entry->uri, last))
            printf(
                "%s%s%s\n", cli_style_on(CLI_BOLD), cli_shown(entry->uri), cli_style_off(CLI_BOLD));
        last = entry->uri;
        entry_print(entry);
    }
    summary_print(diff);
    advice_print(diff, sets);
}

/* ---- A pull request ---- */

/* As one cell of a table, or inside a line of code: no pipe, backtick or end of line of its own. */
static const char *
cell(const char *text)
{
    char *out = arvo_arena_alloc(cli_arena(), 2 * strlen(text) + 1);
    cli_check_memory();
    size_t len = 0;
    for (; *text != '\0'; text++) {
        if (*text == '|')
            out[len++] = '\\';
        out[len++] = *text == '`' ? '\'' : *text;
    }
    out[len] = '\0';
    return out;
}

static void
diff_markdown(const struct diff_opts *opts, const arvo_diff *diff, const struct diff_sets *sets)
{
    printf("### Contracts\n\n");
    summary_print(diff);
    printf("\n");
    bool any = false;
    for (size_t i = 0; i < diff->count; i++) {
        const arvo_diff_entry *entry = &diff->entries[i];
        if (!is_shown(opts, entry))
            continue;
        if (!any)
            printf("| contract | version | what | change | verdict | shown by |\n"
                   "|---|---|---|---|---|---|\n");
        any = true;
        const bool is_bad = entry->verdict != ARVO_DIFF_COMPATIBLE;
        const char *data =
            entry->witness != NULL
                ? cli_printf("`%s` %s", cell(data_text(entry->witness)), witness_text(entry))
                : "";
        printf(
            "| `%s` | %s | %s | %s | %s%s%s | %s%s%s |\n", cell(cli_shown(entry->uri)),
            cli_shown(entry->version), cell(what_text(entry)), arvo_diff_change_name(entry->change),
            is_bad ? "**" : "", arvo_diff_verdict_name(entry->verdict), is_bad ? "**" : "", data,
            entry->witness != NULL && entry->why.len > 0 ? ": " : "", cell(cli_shown(entry->why)));
    }
    if (any)
        printf("\n");
    advice_print(diff, sets);
}

/* ---- Programs ---- */

static const arvo_json *
entry_json(const arvo_diff_entry *entry, const struct diff_sets *sets)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    const bool is_breaking = entry->verdict == ARVO_DIFF_BREAKING;
    cli_set(object, "contract", cli_json_str(entry->uri));
    cli_set(object, "version", cli_json_str(entry->version));
    cli_set(object, "part", cli_json_str(arvo_str_from(arvo_diff_part_name(entry->part))));
    cli_set(object, "type", cli_json_str(entry->type));
    cli_set(object, "change", cli_json_str(arvo_str_from(arvo_diff_change_name(entry->change))));
    cli_set(object, "verdict", cli_json_str(arvo_str_from(arvo_diff_verdict_name(entry->verdict))));
    if (is_breaking) {
        const char *next = next_version(sets, entry->uri);
        cli_set(object, "needsVersion", cli_json_cstr(next));
    }
    if (entry->witness != NULL) {
        arvo_json *witness = arvo_json_object_new(cli_arena());
        cli_set(
            witness, "acceptedBy",
            cli_json_str(entry->witness_is_new ? ARVO_STR("new") : ARVO_STR("old")));
        cli_set(witness, "data", entry->witness);
        cli_set(object, "witness", witness);
    }
    if (entry->why.len > 0)
        cli_set(object, "why", cli_json_str(entry->why));
    return object;
}

static void
diff_json(const struct diff_opts *opts, const arvo_diff *diff, const struct diff_sets *sets)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *changes = arvo_json_array_new(cli_arena());
    cli_set(object, "compatible", arvo_json_bool(diff->breaking == 0 && diff->unknown == 0));
    cli_set(object, "breaking", arvo_json_int(cli_arena(), (int64_t)diff->breaking));
    cli_set(object, "unknown", arvo_json_int(cli_arena(), (int64_t)diff->unknown));
    cli_set(object, "same", arvo_json_int(cli_arena(), (int64_t)diff->same));
    for (size_t i = 0; i < diff->count; i++)
        if (is_shown(opts, &diff->entries[i]))
            arvo_json_push(cli_arena(), changes, entry_json(&diff->entries[i], sets));
    cli_set(object, "changes", changes);
    cli_print_json(object);
}

/* ---- The command ---- */

static int
diff_run(const struct diff_opts *opts, const arvo_app *was, const arvo_app *is)
{
    arvo_diff diff = { 0 };
    arvo_error err = { 0 };
    const struct diff_sets sets = { arvo_app_contracts(was), arvo_app_contracts(is) };
    const arvo_status st = arvo_contracts_diff(sets.was, sets.is, cli_arena(), &diff, &err);
    if (st != ARVO_OK)
        return cli_fail(&err);
    if (opts->json)
        diff_json(opts, &diff, &sets);
    else if (opts->markdown)
        diff_markdown(opts, &diff, &sets);
    else
        diff_print(opts, &diff, &sets);
    return diff.breaking > 0 || (opts->strict && diff.unknown > 0) ? CLI_NO : CLI_DONE;
}

static int
contract_diff_run(cli_args *args)
{
    struct diff_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.json && opts.markdown) {
        cli_error("contract diff: --json and --markdown are two; give one of them");
        return CLI_USAGE;
    }
    int exit_code = CLI_USAGE;
    arvo_app *was = cli_app_load(&args->operands[0], 1);
    arvo_app *is = was != NULL ? cli_app_load(&args->operands[1], 1) : NULL;
    if (is != NULL)
        exit_code = diff_run(&opts, was, is);
    arvo_app_free(is);
    arvo_app_free(was);
    return exit_code;
}

const cli_command cli_contract_diff = {
    .verb = "contract",
    .action = "diff",
    .operands = "OLD NEW",
    .summary = "may these contracts take the place of those?",
    .details =
        "OLD and NEW are files or folders of contracts. In a released version (one that OLD has)\n"
        "accepts may loosen and emits may tighten; whatever else changes breaks somebody, and is\n"
        "shown by data that one side accepts and the other refuses. Compatible is what is proven;\n"
        "what could not be decided is unknown.\n"
        "--json: {\"compatible\", \"breaking\", \"unknown\", \"same\", \"changes\": "
        "[{\"contract\",\n"
        "\"version\", \"part\", \"type\", \"change\", \"verdict\", \"needsVersion\", \"witness\": "
        "{\"acceptedBy\",\n\"data\"}, \"why\"}]}.\n"
        "Exit code 1: breaking; with --strict also unknown.\n",
    .options = contract_diff_options,
    .operands_min = 2,
    .operands_max = 2,
    .run = contract_diff_run,
};
