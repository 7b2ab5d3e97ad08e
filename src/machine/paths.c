/* Paths: the shortest way to every state and transition.
 *
 * A machine with the same states and transitions (paths_plan.c) is run by the engine itself, from
 * snapshot to snapshot, breadth first. Whenever it asks a guard that depends on data, the answer is
 * guessed: no at first, then, one after the other, what would have followed a yes. */

#include "machine/paths.h"

#define GUESSES_MAX 64u /* in one step */
#define NO_NODE     SIZE_MAX

/* The answers that one run is to give; the guards asked after them are answered with no. */
typedef struct guessing {
    uint8_t count;
    uint8_t answers[GUESSES_MAX];
} guessing;

typedef struct guess_made {
    size_t guard;
    bool answer;
} guess_made;

typedef struct mark_made {
    size_t goal;
    size_t guess_count; /* made before it */
} mark_made;

/* A configuration that was reached: the snapshot, and how. */
typedef struct node {
    arvo_str state;
    size_t from; /* NO_NODE: it is the start */
    arvo_path_step step;
    size_t depth;
    bool is_done;
} node;

typedef struct walk {
    const paths_plan *plan;
    arvo_machine *machine; /* the plan's */
    arvo_arena *arena;     /* of the answer */
    arvo_arena *nodes_arena;
    arvo_arena *run_arena; /* of one run */
    node *nodes;
    size_t node_count;
    size_t node_cap;
    arvo__map seen; /* snapshot -> itself */
    size_t left;    /* goals that are not reached */
    size_t runs;
    bool is_complete;
    bool is_nomem;

    const guessing *guessing; /* of the present run, and what it does */
    guess_made made[GUESSES_MAX];
    size_t made_count;
    mark_made *marks;
    size_t mark_count;
    size_t mark_cap;

    guessing queue[ARVO_PATHS_GUARDINGS_MAX]; /* runs of one event that are still to be made */
} walk;

/* ---- What the machine calls ---- */

static size_t
param_n(const arvo_scope *scope)
{
    return (size_t)arvo_json_int_or(arvo_json_get(scope->params, "n"), 0);
}

static bool
guess_guard(const arvo_scope *scope)
{
    walk *const w = scope->user;
    if (w->made_count == GUESSES_MAX) {
        w->is_complete = false;
        arvo_scope_fail(scope, ARVO_STR("Bound"), ARVO_STR("too many guards in one step"));
        return false;
    }
    const size_t i = w->made_count++;
    const bool answer = i < w->guessing->count && w->guessing->answers[i] != 0;
    w->made[i] = (guess_made){ param_n(scope), answer };
    return answer;
}

static void
mark_action(const arvo_scope *scope)
{
    walk *const w = scope->user;
    mark_made *const marks =
        arvo__arena_grow(w->nodes_arena, w->marks, w->mark_count, &w->mark_cap, sizeof(*marks));
    if (marks == NULL) {
        w->is_nomem = true;
        return;
    }
    w->marks = marks;
    marks[w->mark_count++] = (mark_made){ param_n(scope), w->made_count };
}

/* ---- Results of a run ---- */

static bool
step_make(walk *w, arvo_str event, size_t guess_count, arvo_path_step *out)
{
    arvo_str *const guards = arvo_arena_calloc(w->arena, guess_count + 1, sizeof(*guards));
    if (guards == NULL)
        return false;
    /* The machine that knows the event by name goes before the answer does. */
    *out = (arvo_path_step){ .event = arvo_arena_str_dup(w->arena, event), .guards = guards };
    for (size_t i = 0; i < guess_count; i++) {
        const arvo_str words = w->plan->guards[w->made[i].guard];
        guards[i] =
            w->made[i].answer ? words : arvo_arena_printf(w->arena, "not %.*s", ARVO_FMT(words));
        bool is_said = false;
        for (size_t k = 0; k < out->guard_count; k++)
            is_said = is_said || arvo_str_equal(guards[k], guards[i]);
        if (!is_said)
            guards[out->guard_count++] = guards[i];
    }
    return !arvo_arena_failed(w->arena);
}

/* The steps that lead to node `from`, and one more. */
static bool
goal_reach(walk *w, arvo_path_goal *goal, size_t from, arvo_str event, size_t guess_count)
{
    const size_t before = from != NO_NODE ? w->nodes[from].depth + 1 : 0;
    arvo_path_step *const steps = arvo_arena_calloc(w->arena, before + 1, sizeof(*steps));
    if (steps == NULL || !step_make(w, event, guess_count, &steps[before]))
        return false;
    for (size_t i = before; i-- > 0; from = w->nodes[from].from)
        steps[i] = w->nodes[from].step;
    goal->steps = steps;
    goal->step_count = before + 1;
    goal->is_reached = true;
    w->left--;
    return true;
}

static bool
marks_read(walk *w, size_t from, arvo_str event)
{
    for (size_t i = 0; i < w->mark_count; i++) {
        arvo_path_goal *const goal = &w->plan->goals[w->marks[i].goal];
        if (!goal->is_reached && !goal_reach(w, goal, from, event, w->marks[i].guess_count))
            return false;
    }
    return true;
}

static bool
node_add(walk *w, size_t from, arvo_str event, const arvo_machine_output *output)
{
    if (arvo__map_find(&w->seen, output->state) != NULL)
        return true;
    if (w->node_count == ARVO_PATHS_CONFIGURATIONS_MAX) {
        w->is_complete = false;
        return true;
    }
    node *const nodes =
        arvo__arena_grow(w->nodes_arena, w->nodes, w->node_count, &w->node_cap, sizeof(*nodes));
    const arvo_str state = arvo_arena_str_dup(w->nodes_arena, output->state);
    if (nodes == NULL || state.ptr == NULL)
        return false;
    w->nodes = nodes;
    node *const added = &nodes[w->node_count];
    *added = (node){ .state = state,
                     .from = from,
                     .depth = from != NO_NODE ? nodes[from].depth + 1 : 0,
                     .is_done = output->status != ARVO_MACHINE_ACTIVE };
    if (!step_make(w, event, w->made_count, &added->step) || !arvo__map_set(&w->seen, state, w))
        return false;
    w->node_count++;
    return true;
}

/* Each guard that was answered with no, and was not told to be, may as well say yes. */
static void
guesses_queue(walk *w, size_t told, size_t *queued)
{
    for (size_t i = told; i < w->made_count; i++) {
        if (*queued == ARVO_PATHS_GUARDINGS_MAX) {
            w->is_complete = false;
            return;
        }
        guessing *const next = &w->queue[(*queued)++];
        next->count = (uint8_t)(i + 1);
        for (size_t k = 0; k < i; k++)
            next->answers[k] = w->made[k].answer;
        next->answers[i] = true;
    }
}

/* ---- Runs ---- */

/* A wildcard as a type that it takes and no other descriptor of a sane chart does. */
static arvo_str
event_type(walk *w, arvo_str event)
{
    if (event.len == 0 || event.ptr[event.len - 1] != '*')
        return event;
    return arvo_arena_printf(w->run_arena, "%.*s(any)", (int)event.len - 1, event.ptr);
}

static bool
run_once(walk *w, size_t from, arvo_str event, const guessing *told)
{
    arvo_machine_output output = { 0 };
    arvo_machine_input input = { 0 };
    arvo_arena_reset(w->run_arena);
    w->guessing = told;
    w->made_count = 0;
    w->mark_count = 0;
    if (from != NO_NODE) {
        arvo_json *const json = arvo_json_object_new(w->run_arena);
        arvo_json_set_ref(
            w->run_arena, json, ARVO_STR("type"),
            arvo_json_string_ref(w->run_arena, event_type(w, event)));
        input.state = w->nodes[from].state;
        input.event = json;
    }
    const arvo_status st = arvo_machine_execute(w->machine, &input, w->run_arena, &output, NULL);
    w->runs++;
    if (st == ARVO_E_NOMEM || w->is_nomem || arvo_arena_failed(w->run_arena))
        return false;
    if (st != ARVO_OK) {
        /* It went round and round: with these answers the step does not end. What may end it was
         * asked on the way. */
        w->made_count = w->made_count < GUESSES_MAX / 2 ? w->made_count : GUESSES_MAX / 2;
        return true;
    }
    return marks_read(w, from, event) && node_add(w, from, event, &output);
}

/* One event in one configuration, with every answer of its guards. */
static bool
event_walk(walk *w, size_t from, arvo_str event)
{
    size_t queued = 1;
    w->queue[0] = (guessing){ 0 };
    for (size_t next = 0; next < queued && w->left > 0; next++) {
        if (w->runs >= ARVO_PATHS_RUNS_MAX) {
            w->is_complete = false;
            return true;
        }
        const guessing told = w->queue[next];
        if (!run_once(w, from, event, &told))
            return false;
        guesses_queue(w, told.count, &queued);
    }
    return true;
}

/* ---- Events of a configuration ---- */

typedef struct event_list {
    arvo_str *items;
    size_t count;
    size_t cap;
} event_list;

/* Internal events come by themselves. */
static bool
event_add(walk *w, event_list *list, arvo_str event)
{
    if (arvo_str_starts(event, ARVO_STR("xstate.")))
        return true;
    for (size_t i = 0; i < list->count; i++)
        if (arvo_str_equal(list->items[i], event))
            return true;
    arvo_str *const items =
        arvo__arena_grow(w->nodes_arena, list->items, list->count, &list->cap, sizeof(*items));
    if (items == NULL)
        return false;
    list->items = items;
    items[list->count++] = event;
    return true;
}

static bool
state_events(walk *w, event_list *list, uint16_t state, const arvo_json *value)
{
    const chart_state *const chart = &w->machine->states[state];
    for (uint32_t i = 0; i < chart->handler_count; i++)
        if (!event_add(w, list, chart->handlers[i].descriptor))
            return false;
    const bool is_name = arvo_json_type_of(value) == ARVO_JSON_STRING;
    const size_t count = is_name ? 1 : arvo_json_count(value);
    for (size_t i = 0; i < count; i++) {
        const arvo_str key = is_name ? arvo_json_str(value) : arvo_json_key_at(value, i);
        const uint16_t child = arvo__chart_child(w->machine, state, key);
        if (child != CHART_NONE &&
            !state_events(w, list, child, is_name ? NULL : arvo_json_at(value, i)))
            return false;
    }
    return true;
}

static bool
node_walk(walk *w, size_t number)
{
    event_list list = { 0 };
    const arvo_json *snapshot = NULL;
    arvo_arena_reset(w->run_arena);
    if (arvo_json_parse(w->nodes[number].state, w->run_arena, &snapshot, NULL) != ARVO_OK ||
        !state_events(w, &list, CHART_ROOT, arvo_json_get(snapshot, "value")))
        return false;
    for (size_t i = 0; i < list.count && w->left > 0; i++)
        if (!event_walk(w, number, list.items[i]))
            return false;
    return true;
}

static bool
walk_all(walk *w)
{
    w->left = w->plan->goal_count;
    if (!event_walk(w, NO_NODE, ARVO_STR_NONE))
        return false;
    for (size_t i = 0; i < w->node_count && w->left > 0; i++)
        if (!w->nodes[i].is_done && !node_walk(w, i))
            return false;
    return true;
}

/* ---- The call ---- */

static arvo_status
walk_machine(walk *w, const arvo_json *document, arvo_paths *out, arvo_error *err)
{
    const paths_plan *const plan = w->plan;
    const arvo_guard_def guards[] = { { PATHS_GUESS, guess_guard, w }, { 0 } };
    const arvo_action_def actions[] = { { PATHS_MARK, mark_action, w }, { 0 } };
    const arvo_machine_setup setup = { .allocator = plan->machine->allocator,
                                       .guards = guards,
                                       .actions = actions,
                                       .microsteps_max = ARVO_PATHS_MICROSTEPS_MAX };
    const arvo_document wrapped = { .root = document, .first_line = 1 };
    const arvo_status st = arvo_machine_create(&setup, &wrapped, &w->machine, err);
    if (st != ARVO_OK)
        return st;
    if (!walk_all(w))
        return arvo__nomem(err);
    *out = (arvo_paths){ .goals = plan->goals,
                         .goal_count = plan->goal_count,
                         .configurations = w->node_count,
                         .is_complete = w->is_complete || w->left == 0,
                         .has_computed_raises = plan->has_computed_raises };
    return ARVO_OK;
}

static arvo_status
paths_find(paths_plan *plan, walk *w, arvo_paths *out, arvo_error *err)
{
    const arvo_allocator *const allocator = plan->machine->allocator;
    const arvo_json *document = NULL;
    w->nodes_arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator });
    w->run_arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator });
    arvo_status st = w->nodes_arena != NULL && w->run_arena != NULL ? ARVO_OK : arvo__nomem(err);
    if (st == ARVO_OK)
        st = arvo_json_parse(plan->machine->definition, plan->arena, &plan->words.root, err);
    if (st == ARVO_OK) {
        document = arvo__paths_plan(plan);
        st = document != NULL ? walk_machine(w, document, out, err) : arvo__nomem(err);
    }
    arvo_machine_unref(w->machine);
    arvo__map_fini(&w->seen);
    arvo_arena_free(w->run_arena);
    arvo_arena_free(w->nodes_arena);
    return st;
}

arvo_status
arvo_machine_paths(const arvo_machine *machine, arvo_arena *arena, arvo_paths *out, arvo_error *err)
{
    ARVO_ASSERT(machine != NULL && arena != NULL && out != NULL);

    if (machine->is_custom)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED, "machine '%.*s' has no chart: an engine of its own runs it",
            ARVO_FMT(machine->id));
    paths_plan plan = { .machine = machine, .arena = arena };
    plan.words = (diagram){ .machine = machine, .arena = arena };
    walk *const w = arvo__calloc(machine->allocator, 1, sizeof(*w));
    if (w == NULL)
        return arvo__nomem(err);
    w->plan = &plan;
    w->arena = arena;
    w->seen.allocator = machine->allocator;
    w->is_complete = true;
    const arvo_status st = paths_find(&plan, w, out, err);
    arvo__free(machine->allocator, w, sizeof(*w));
    return st;
}
