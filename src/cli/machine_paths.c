/* arvo machine paths: the shortest events to every state and transition of a machine. */

#include "cli.h"

struct paths_opts {
    const char *machine;
    bool json;
};

static const cli_option paths_options[] = {
    { "json", CLI_FLAG, NULL, offsetof(struct paths_opts, json), "one JSON object", 0 },
    { "machine", CLI_TEXT, "ID[@VERSION]", offsetof(struct paths_opts, machine),
      "which machine, where FILE holds several", 0 },
    CLI_REMOTES_OPTION,
    { 0 },
};

/* ---- For people ---- */

static const char *
step_text(const arvo_path_step *step)
{
    const char *text = step->event.ptr != NULL ? cli_shown(step->event) : "start";
    for (size_t i = 0; i < step->guard_count; i++)
        text = cli_printf("%s%s%s", text, i == 0 ? " [" : ", ", cli_shown(step->guards[i]));
    return step->guard_count > 0 ? cli_printf("%s]", text) : text;
}

/* The start is where every path begins: said where it is all, or assumes something. */
static const char *
path_text(const arvo_path_goal *goal, bool is_complete)
{
    if (!goal->is_reached)
        return is_complete ? "unreachable" : "not reached within the limits";
    const char *text = "";
    for (size_t i = 0; i < goal->step_count; i++) {
        const arvo_path_step *step = &goal->steps[i];
        if (i == 0 && goal->step_count > 1 && step->guard_count == 0)
            continue;
        text = cli_printf("%s%s%s", text, *text != '\0' ? ", " : "", step_text(step));
    }
    return text;
}

static const char *
transition_text(const arvo_path_goal *goal)
{
    const char *text = cli_printf("%s: %s", cli_shown(goal->state), cli_shown(goal->event));
    if (goal->guard.len > 0)
        text = cli_printf("%s [%s]", text, cli_shown(goal->guard));
    if (goal->target.len > 0)
        text = cli_printf("%s -> %s", text, cli_shown(goal->target));
    return text;
}

static size_t
reached_count(const arvo_paths *paths, bool of_transitions, size_t *out_all)
{
    size_t reached = 0;
    *out_all = 0;
    for (size_t i = 0; i < paths->goal_count; i++) {
        *out_all += paths->goals[i].is_transition == of_transitions;
        reached += paths->goals[i].is_transition == of_transitions && paths->goals[i].is_reached;
    }
    return reached;
}

static void
print_table(const arvo_paths *paths, bool of_transitions)
{
    cli_table table = { .columns = 2 };
    size_t count = 0;
    cli_table_row(&table, of_transitions ? "TRANSITION" : "STATE", "EVENTS");
    for (size_t i = 0; i < paths->goal_count; i++) {
        const arvo_path_goal *goal = &paths->goals[i];
        if (goal->is_transition != of_transitions)
            continue;
        cli_table_row(
            &table, of_transitions ? transition_text(goal) : cli_shown(goal->state),
            path_text(goal, paths->is_complete));
        count++;
    }
    if (count > 0)
        cli_table_print(&table);
    else
        cli_table_free(&table);
}

static void
print_text(const arvo_paths *paths)
{
    size_t states = 0;
    size_t transitions = 0;
    const size_t states_reached = reached_count(paths, false, &states);
    const size_t transitions_reached = reached_count(paths, true, &transitions);
    print_table(paths, false);
    putchar('\n');
    if (transitions > 0) {
        print_table(paths, true);
        putchar('\n');
    }
    printf(
        "%zu of %zu states and %zu of %zu transitions can be reached; in brackets what is assumed "
        "of "
        "guards\n",
        states_reached, states, transitions_reached, transitions);
    if (!paths->is_complete)
        printf(
            "looked at %zu combinations of states, the limit: there may be more\n",
            paths->configurations);
    if (paths->has_computed_raises)
        printf("events are raised whose type is an expression: these were not followed\n");
}

/* ---- For programs ---- */

static const arvo_json *
path_json(const arvo_path_goal *goal)
{
    if (!goal->is_reached)
        return arvo_json_null();
    arvo_json *path = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < goal->step_count; i++) {
        const arvo_path_step *step = &goal->steps[i];
        arvo_json *object = arvo_json_object_new(cli_arena());
        arvo_json *guards = arvo_json_array_new(cli_arena());
        for (size_t k = 0; k < step->guard_count; k++)
            arvo_json_push(cli_arena(), guards, cli_json_str(step->guards[k]));
        cli_set(object, "event", cli_json_str(step->event));
        cli_set(object, "guards", guards);
        arvo_json_push(cli_arena(), path, object);
    }
    return path;
}

static const arvo_json *
goal_json(const arvo_path_goal *goal)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "state", cli_json_str(goal->state));
    if (goal->is_transition) {
        cli_set(object, "event", cli_json_str(goal->event));
        cli_set(
            object, "guard", goal->guard.len > 0 ? cli_json_str(goal->guard) : arvo_json_null());
        cli_set(
            object, "target", goal->target.len > 0 ? cli_json_str(goal->target) : arvo_json_null());
    }
    cli_set(object, "pointer", cli_json_str(goal->pointer));
    cli_set(object, "path", path_json(goal));
    return object;
}

static void
print_json(const arvo_machine *machine, const arvo_paths *paths)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *states = arvo_json_array_new(cli_arena());
    arvo_json *transitions = arvo_json_array_new(cli_arena());
    for (size_t i = 0; i < paths->goal_count; i++)
        arvo_json_push(
            cli_arena(), paths->goals[i].is_transition ? transitions : states,
            goal_json(&paths->goals[i]));
    cli_set(object, "machine", cli_json_str(arvo_machine_id(machine)));
    cli_set(object, "version", cli_json_str(arvo_machine_version(machine)));
    cli_set(object, "complete", arvo_json_bool(paths->is_complete));
    cli_set(object, "computedRaises", arvo_json_bool(paths->has_computed_raises));
    cli_set(object, "states", states);
    cli_set(object, "transitions", transitions);
    cli_print_json(object);
}

static int
paths_run(cli_args *args)
{
    struct paths_opts opts = { 0 };
    if (!cli_parse(args, &opts))
        return args->exit_code;
    const cli_machine_opts which = { .path = args->operands[0], .wanted = opts.machine };
    arvo_machine *machine = cli_machine_load(&which);
    if (machine == NULL)
        return CLI_USAGE;
    arvo_paths paths = { 0 };
    arvo_error err = { 0 };
    int exit_code = CLI_DONE;
    if (arvo_machine_paths(machine, cli_arena(), &paths, &err) != ARVO_OK)
        exit_code = cli_fail(&err);
    else if (opts.json)
        print_json(machine, &paths);
    else
        print_text(&paths);
    arvo_machine_unref(machine);
    return exit_code;
}

const cli_command cli_machine_paths = {
    .verb = "machine",
    .action = "paths",
    .operands = "FILE",
    .summary = "the shortest events to every state and transition",
    .details =
        "Walks the machine in FILE, a file or a folder, from its start, and prints for each state\n"
        "and each transition the fewest events that lead there. Guards that depend on data are\n"
        "assumed to hold or not, whichever the path needs: brackets say so. What no events lead "
        "to\n"
        "is listed as unreachable. always, onDone and raised events happen by themselves.\n"
        "--json: {\"machine\", \"version\", \"complete\", \"computedRaises\", \"states\": "
        "[{\"state\",\n"
        "\"pointer\", \"path\"}], \"transitions\": [{\"state\", \"event\", \"guard\", \"target\", "
        "\"pointer\",\n"
        "\"path\"}]}; path is null or [{\"event\", \"guards\"}], the start with event null.\n",
    .options = paths_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = paths_run,
};
