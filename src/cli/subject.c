/* arvo subject new, child, decode: the strings that name instances. */

#include "cli.h"

struct subject_opts {
    const char *name;
    const char *initiator;
    const char *version;
    const char *id;
    const char *domain;
    cli_list meta;
    bool json;
};

#define SUBJECT_COMMON                                                                             \
    { "name", CLI_TEXT, "TYPE", offsetof(struct subject_opts, name),                               \
      "the orchestrator's start event, as arvo.orc.order" },                                       \
        { "version", CLI_TEXT, "V", offsetof(struct subject_opts, version),                        \
          "its version; default 0.0.0, the latest" },                                              \
        { "id", CLI_TEXT, "ID", offsetof(struct subject_opts, id),                                 \
          "execution id; default a random UUID" },                                                 \
        { "domain", CLI_TEXT, "DOMAIN", offsetof(struct subject_opts, domain),                     \
          "domain of the execution" },                                                             \
    {                                                                                              \
        "meta", CLI_LIST, "KEY=VALUE", offsetof(struct subject_opts, meta),                        \
            "an entry of its meta; may be given several times"                                     \
    }

static const cli_option subject_new_options[] = {
    SUBJECT_COMMON,
    { "initiator", CLI_TEXT, "TYPE", offsetof(struct subject_opts, initiator),
      "who starts the execution" },
    { 0 },
};

static const cli_option subject_child_options[] = { SUBJECT_COMMON, { 0 } };

static const cli_option subject_decode_options[] = {
    { "json", CLI_FLAG, NULL, offsetof(struct subject_opts, json), "one compact line" },
    { 0 },
};

/* The options as the library wants them; false: said why. */
static bool
subject_fill(const struct subject_opts *opts, const char *what, arvo_subject_new_opts *out)
{
    arvo_json *meta = arvo_json_object_new(cli_arena());
    for (size_t i = 0; i < opts->meta.count; i++) {
        const char *pair = opts->meta.items[i];
        const char *equals = strchr(pair, '=');
        if (equals == NULL || equals == pair) {
            cli_error("%s: --meta %s: must be KEY=VALUE", what, pair);
            return false;
        }
        arvo_json_set(
            cli_arena(), meta, (arvo_str){ pair, (size_t)(equals - pair) },
            cli_json_cstr(equals + 1));
    }
    if (opts->name == NULL) {
        cli_error("%s: needs --name TYPE, the start event of an orchestrator", what);
        return false;
    }
    *out = (arvo_subject_new_opts){
        .name = arvo_str_from(opts->name),
        .version = arvo_str_from(opts->version),
        .initiator = arvo_str_from(opts->initiator),
        .execution_id = arvo_str_from(opts->id),
        .domain = arvo_str_from(opts->domain),
        .meta = meta,
    };
    return true;
}

static int
subject_new_run(cli_args *args)
{
    struct subject_opts opts = { 0 };
    arvo_subject_new_opts fields;
    arvo_str subject;
    arvo_error err = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!subject_fill(&opts, "subject new", &fields))
        return CLI_USAGE;
    if (opts.initiator == NULL) {
        cli_error("subject new: needs --initiator TYPE, who starts the execution");
        return CLI_USAGE;
    }
    if (arvo_subject_new(NULL, &fields, arvo_platform_system(), cli_arena(), &subject, &err) !=
        ARVO_OK)
        return cli_fail(&err);
    printf("%.*s\n", ARVO_FMT(subject));
    return CLI_DONE;
}

static int
subject_child_run(cli_args *args)
{
    struct subject_opts opts = { 0 };
    arvo_subject_new_opts fields;
    arvo_str subject;
    arvo_error err = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (!subject_fill(&opts, "subject child", &fields))
        return CLI_USAGE;
    if (arvo_subject_child(
            NULL, arvo_str_from(args->operands[0]), &fields, arvo_platform_system(), cli_arena(),
            &subject, &err) != ARVO_OK)
        return cli_fail(&err) == CLI_TRANSACTION ? CLI_TRANSACTION : CLI_USAGE;
    printf("%.*s\n", ARVO_FMT(subject));
    return CLI_DONE;
}

static int
subject_decode_run(cli_args *args)
{
    struct subject_opts opts = { 0 };
    arvo_subject subject;
    arvo_error err = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (arvo_subject_decode(NULL, arvo_str_from(args->operands[0]), cli_arena(), &subject, &err) !=
        ARVO_OK) {
        cli_error("subject decode: %s", err.text);
        return err.status == ARVO_E_NOMEM ? CLI_TRANSACTION : CLI_NO;
    }
    if (opts.json)
        cli_print_json(subject.json);
    else
        cli_print_pretty(subject.json);
    return CLI_DONE;
}

const cli_command cli_subject_new = {
    .verb = "subject",
    .action = "new",
    .operands = "",
    .summary = "the subject of a new execution",
    .details =
        "Prints the subject of a new execution: the string that names a workflow instance.\n",
    .options = subject_new_options,
    .operands_max = 0,
    .run = subject_new_run,
};

const cli_command cli_subject_child = {
    .verb = "subject",
    .action = "child",
    .operands = "PARENT",
    .summary = "the subject of an execution that another one starts",
    .details =
        "Prints the subject of an execution that the one named by PARENT starts; domain and meta\n"
        "are the parent's where they are not given.\n",
    .options = subject_child_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = subject_child_run,
};

const cli_command cli_subject_decode = {
    .verb = "subject",
    .action = "decode",
    .operands = "SUBJECT",
    .summary = "what a subject says",
    .details = "Prints the JSON inside a subject. Exit code 1: it is no subject.\n",
    .options = subject_decode_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = subject_decode_run,
};
