/* Options, usage and help: one table per command drives all three. */

#include "cli.h"

#include <getopt.h>
#include <stdlib.h>

#define OPTIONS_MAX 32u
#define WORD_MAX    64u

static size_t
options_count(const cli_command *command)
{
    size_t count = 0;
    while (command->options != NULL && command->options[count].name != NULL)
        count++;
    return count;
}

static const char *
command_name(const cli_command *command)
{
    return command->action == NULL ? command->verb
                                   : cli_printf("%s %s", command->verb, command->action);
}

void
cli_help(const cli_command *command, FILE *out)
{
    fprintf(
        out, "usage: arvo %s%s%s%s\n\n%s", command_name(command), *command->operands ? " " : "",
        command->operands, options_count(command) > 0 ? " [OPTION...]" : "", command->details);
    size_t width = 0;
    for (size_t i = 0; i < options_count(command); i++) {
        const cli_option *option = &command->options[i];
        const size_t len =
            strlen(option->name) + (option->value != NULL ? strlen(option->value) + 1 : 0);
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < options_count(command); i++) {
        const cli_option *option = &command->options[i];
        const char *text =
            option->value != NULL ? cli_printf("%s %s", option->name, option->value) : option->name;
        fprintf(
            out, "%s  --%-*s  %s\n", i == 0 ? "\noptions:\n" : "", (int)width, text, option->help);
    }
}

/* ---- Did you mean ---- */

/* Edit distance with swaps of neighbours (the usual typing error), for words short enough for a
 * table on the stack: cell i, j compares the first i letters with the first j. */
static size_t
word_distance(const char *a, const char *b)
{
    size_t cost[WORD_MAX][WORD_MAX];
    const size_t a_len = strlen(a);
    const size_t b_len = strlen(b);
    if (a_len >= WORD_MAX || b_len >= WORD_MAX)
        return WORD_MAX;
    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            size_t best = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = cost[i - 1][j] + 1 < best ? cost[i - 1][j] + 1 : best;
            best = cost[i][j - 1] + 1 < best ? cost[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                cost[i - 2][j - 2] + 1 < best)
                best = cost[i - 2][j - 2] + 1;
            cost[i][j] = best;
        }
    }
    return cost[a_len][b_len];
}

const char *
cli_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(word) / 2 + 1; /* more than half of it wrong is another word */
    for (size_t i = 0; i < count; i++) {
        const size_t distance = word_distance(word, candidates[i]);
        if (distance < least) {
            least = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

/* ---- Parsing ---- */

static bool
args_fail(cli_args *args, const char *what)
{
    cli_error("%s: %s; see arvo help %s", command_name(args->command), what, args->command->verb);
    args->exit_code = CLI_USAGE;
    return false;
}

static bool
args_unknown(cli_args *args, const char *word)
{
    const char *names[OPTIONS_MAX + 1];
    const size_t count = options_count(args->command);
    for (size_t i = 0; i < count; i++)
        names[i] = args->command->options[i].name;
    names[count] = "help";

    if (word[0] != '-' || word[1] != '-')
        return args_fail(args, cli_printf("unknown option %s", word));
    const char *name = cli_cstr((arvo_str){ word + 2, strcspn(word + 2, "=") });
    const char *nearest = cli_nearest(name, names, count + 1);
    if (nearest == NULL)
        return args_fail(args, cli_printf("unknown option --%s", name));
    return args_fail(args, cli_printf("unknown option --%s; did you mean --%s?", name, nearest));
}

void
cli_list_append(cli_list *list, const char *item)
{
    /* Doubling by copying: the arena keeps the old ones, which is little. */
    if ((list->count & (list->count - 1)) == 0) {
        const size_t cap = list->count == 0 ? 1 : list->count * 2;
        const char **items = arvo_arena_calloc(cli_arena(), cap, sizeof(*items));
        cli_check_memory();
        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
    }
    list->items[list->count++] = item;
}

/* What is not would make broken JSON of whatever it goes into. */
static bool
text_is_utf8(const char *text)
{
    arvo_buf encoded = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    const arvo_status st = arvo_uri_encode(arvo_str_from(text), &encoded, NULL);
    arvo_buf_fini(&encoded);
    return st != ARVO_E_MALFORMED;
}

static bool
args_store(cli_args *args, const cli_option *option, const char *value, void *opts)
{
    void *variable = (char *)opts + option->offset;
    if (value != NULL && !text_is_utf8(value))
        return args_fail(args, cli_printf("--%s: its value is not UTF-8", option->name));
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)variable = true;
        return true;
    case CLI_TEXT:
        *(const char **)variable = value;
        return true;
    case CLI_LIST:
        cli_list_append(variable, value);
        return true;
    case CLI_NUMBER: {
        char *end = NULL;
        const long long number = strtoll(value, &end, 10);
        if (end == value || *end != '\0' || number < 1 || number > 1000000000)
            return args_fail(
                args,
                cli_printf("--%s %s: must be a number from 1 to 1000000000", option->name, value));
        *(int64_t *)variable = number;
        return true;
    }
    case CLI_REMOTES: {
        arvo_error err = { 0 };
        return cli_remotes_map(value, &err) ||
               args_fail(args, cli_printf("--remotes %s: %s", value, err.text));
    }
    }
    return false;
}

/* What getopt_long() is to look for; an option of the table is its number + 256, or its letter. */
static void
getopt_tables(const cli_command *command, struct option *longs, char *letters)
{
    const size_t count = options_count(command);
    *letters++ = ':';
    *letters++ = 'h';
    for (size_t i = 0; i < count && i < OPTIONS_MAX; i++) {
        const cli_option *option = &command->options[i];
        longs[i].name = option->name;
        longs[i].has_arg = option->kind == CLI_FLAG ? no_argument : required_argument;
        longs[i].val = (int)i + 256; /* beyond every letter */
        if (option->letter != '\0')
            *letters++ = option->letter;
        if (option->letter != '\0' && option->kind != CLI_FLAG)
            *letters++ = ':';
    }
    longs[count] = (struct option){ "help", no_argument, NULL, 'h' };
    *letters = '\0';
}

/* A letter as the number of its option + 256; what is none of ours as it is. */
static int
option_number(const cli_command *command, int found)
{
    const size_t count = options_count(command);
    for (size_t i = 0; i < count && found > 0 && found < 256; i++)
        if (command->options[i].letter == found)
            return (int)i + 256;
    return found;
}

bool
cli_parse(cli_args *args, void *opts)
{
    const cli_command *command = args->command;
    struct option longs[OPTIONS_MAX + 2] = { { 0 } };
    char letters[2 * OPTIONS_MAX + 3];
    getopt_tables(command, longs, letters);

    opterr = 0;
    optind = 1;
    for (;;) {
        const int found =
            option_number(command, getopt_long(args->argc, args->argv, letters, longs, NULL));
        if (found == -1)
            break;
        if (found == 'h') {
            cli_help(command, stdout);
            args->exit_code = CLI_DONE;
            return false;
        }
        if (found == ':') {
            const cli_option *option = &command->options[option_number(command, optopt) - 256];
            return args_fail(
                args, cli_printf("--%s needs a value (%s)", option->name, option->value));
        }
        if (found == '?' && optopt >= 256)
            return args_fail(
                args, cli_printf("--%s takes no value", command->options[optopt - 256].name));
        if (found == '?')
            return args_unknown(
                args, optopt > 0 ? cli_printf("-%c", optopt) : args->argv[optind - 1]);
        if (!args_store(args, &command->options[found - 256], optarg, opts))
            return false;
    }

    args->operands = (const char *const *)(void *)(args->argv + optind);
    args->operand_count = (size_t)(args->argc - optind);
    if (args->argc - optind < command->operands_min)
        return args_fail(args, cli_printf("needs %s", command->operands));
    if (command->operands_max >= 0 && args->argc - optind > command->operands_max)
        return args_fail(
            args, cli_printf("does not take %s", args->operands[command->operands_max]));
    return true;
}
