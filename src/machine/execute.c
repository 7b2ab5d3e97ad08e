/* One macrostep from bytes to bytes. */

#include "machine/run.h"

#define STATE_BYTES_GUESS 256u

const char *
arvo_machine_status_name(arvo_machine_status status)
{
    static const char *const names[] = {
        [ARVO_MACHINE_ACTIVE] = "active",
        [ARVO_MACHINE_DONE] = "done",
        [ARVO_MACHINE_ERROR] = "error",
        [ARVO_MACHINE_STOPPED] = "stopped",
    };
    return (unsigned)status < ARVO_COUNT_OF(names) ? names[status] : "unknown";
}

/* ---- Setting up ---- */

static bool
run_init(run *r, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena)
{
    const size_t words = machine->words;
    *r = (run){
        .machine = machine,
        .arena = arena,
        .in_memory = input->in_memory,
        .scope = { .input = input->input, .arena = arena, .impl = &r->impl },
    };
    uint64_t *const bits = arvo__arena_alloc(arena, 5 * words * sizeof(*bits));
    if (bits == NULL)
        return false;
    r->active = bits;
    r->exiting = bits + words;
    r->entering = bits + 2 * words;
    r->by_default = bits + 3 * words;
    r->completed = bits + 4 * words;
    return true;
}

static void
event_set(run *r, const arvo_json *json, arvo_str type)
{
    r->event = (run_event){ .json = json, .type = type };
    r->scope.event = json;
    run_event_resolve(r, &r->event);
}

/* ---- Answers ---- */

static arvo_status
answer(run *r, size_t size_hint, arvo_machine_output *out, arvo_error *err)
{
    run_snapshot *const snapshot = arvo__arena_alloc(r->arena, sizeof(*snapshot));
    arvo_machine_output made = { 0 };
    if (snapshot == NULL)
        return arvo__nomem(err);
    if (!r->in_memory && !arvo__snapshot_write(r, size_hint, &made))
        return r->status == ARVO_E_EXECUTION
                   ? arvo__fail(err, r->status, "%.*s", ARVO_FMT(r->error_message))
                   : arvo__nomem(err);
    *snapshot = r->now;
    snapshot->first = r->first;
    snapshot->next = r->next;
    made.status = r->now.status;
    made.context = r->now.context;
    made.output = r->now.output;
    made.snapshot = snapshot;
    made.emissions = r->emissions;
    made.emission_count = r->emission_count;
    made.logs = r->logs;
    made.log_count = r->log_count;
    *out = made;
    return ARVO_OK;
}

/* A failed step answers with the snapshot before it, and says what went wrong (spec 11.16). */
static arvo_status
answer_failed(
    run *r, const run_snapshot *before, size_t size_hint, arvo_machine_output *out, arvo_error *err)
{
    const arvo_str name = r->error_name;
    const arvo_str message = r->error_message;
    r->now = *before;
    r->now.status = ARVO_MACHINE_ERROR;
    r->now.error = arvo_json_string_ref(r->arena, message);
    r->emission_count = 0;
    if (r->now.error == NULL || !arvo__run_tree(r))
        return arvo__nomem(err);
    arvo_status st = answer(r, size_hint, out, err);
    if (st == ARVO_E_EXECUTION) {
        /* Not even that can be stored: what the start made of its input is nested too deep. */
        r->now.context = arvo_json_object_new(r->arena);
        st = r->now.context != NULL ? answer(r, size_hint, out, err) : arvo__nomem(err);
    }
    if (st != ARVO_OK)
        return st;
    out->emissions = NULL;
    out->error_name = name;
    out->error_message = message;
    return arvo__fail(err, ARVO_E_EXECUTION, "%.*s", ARVO_FMT(message));
}

/* A step that was taken to its end; it fails after all when its state cannot be stored. */
static arvo_status
answer_taken(
    run *r, const run_snapshot *before, size_t size_hint, arvo_machine_output *out, arvo_error *err)
{
    const arvo_status st = answer(r, size_hint, out, err);
    if (st == ARVO_E_EXECUTION)
        return answer_failed(r, before, size_hint, out, err);
    if (st == ARVO_OK)
        out->became_done = out->status == ARVO_MACHINE_DONE;
    return st;
}

/* ---- Starting ---- */

static bool
start_context(run *r)
{
    const arvo_json *context = NULL;
    if (r->machine->context != NULL && !arvo__run_eval(r, r->machine->context, NULL, &context))
        return false;
    if (arvo_json_is_nullish(context))
        return true;
    if (arvo_json_type_of(context) != ARVO_JSON_OBJECT)
        return arvo__run_fail(
            r, "the context must be an object, its expression gave a value of type %s",
            arvo_json_type_name(arvo_json_type_of(context)));
    r->now.context = context;
    r->scope.context = context;
    return true;
}

static bool
start_prepare(run *r)
{
    static const uint16_t root = CHART_ROOT;
    arvo_json *const event = arvo_json_object_new(r->arena);
    arvo_json_set_ref(
        r->arena, event, ARVO_STR("type"), arvo_json_string_ref(r->arena, ARVO_STR("xstate.init")));
    if (r->scope.input != NULL)
        arvo_json_set_ref(r->arena, event, ARVO_STR("input"), r->scope.input);
    r->now.context = arvo_json_object_new(r->arena);
    r->scope.context = r->now.context;
    if (arvo_arena_failed(r->arena) || !arvo__run_nodes_make(r, &root, 1, &r->now.nodes))
        return arvo__run_nomem(r);
    event_set(r, event, ARVO_STR("xstate.init"));
    r->is_start = true;
    return arvo__run_tree(r);
}

static arvo_status
start(run *r, arvo_machine_output *out, arvo_error *err)
{
    if (!start_prepare(r))
        return arvo__nomem(err);
    run_snapshot before = r->now;
    bool is_right = start_context(r);
    before.context = r->now.context;
    is_right = is_right && arvo__run_start(r);
    if (r->status == ARVO_E_NOMEM)
        return arvo__nomem(err);
    if (!is_right) {
        r->log_count = 0; /* logging, too, waits for the end of the start */
        return answer_failed(r, &before, STATE_BYTES_GUESS, out, err);
    }
    if (r->start_failed) {
        before = r->now;
        return answer_failed(r, &before, STATE_BYTES_GUESS, out, err);
    }
    return answer_taken(r, &before, STATE_BYTES_GUESS, out, err);
}

/* ---- Going on ---- */

/* A stored failure is reported again, as an actor that is started from it does. */
static arvo_status
answer_stored_error(run *r, size_t size_hint, arvo_machine_output *out, arvo_error *err)
{
    const arvo_json *const error = r->now.error;
    const arvo_str name = arvo_json_str(arvo_json_get(error, "name"));
    const arvo_str message = arvo_json_type_of(error) == ARVO_JSON_OBJECT
                                 ? arvo_json_str(arvo_json_get(error, "message"))
                                 : arvo_json_str(error);
    const arvo_status st = answer(r, size_hint, out, err);
    if (st != ARVO_OK)
        return st;
    out->error_name = name.ptr != NULL ? name : ARVO_STR("Error");
    out->error_message =
        message.ptr != NULL ? message : ARVO_STR("the machine failed in an earlier step");
    return arvo__fail(err, ARVO_E_EXECUTION, "%.*s", ARVO_FMT(out->error_message));
}

/* Most events begin with it. */
static arvo_str
event_type(const arvo_json *event)
{
    if (arvo_json_type_of(event) == ARVO_JSON_OBJECT && event->len > 0 &&
        arvo_str_is(arvo_json_key_at(event, 0), "type"))
        return arvo_json_str(arvo_json_at(event, 0));
    return arvo_json_str(arvo_json_get(event, "type"));
}

static arvo_status
go_on(
    run *r, const arvo_machine_input *input, size_t size_hint, arvo_machine_output *out,
    arvo_error *err)
{
    const run_snapshot before = r->now;
    r->scope.context = r->now.context;
    if (before.status == ARVO_MACHINE_ERROR && input->previous == NULL)
        return answer_stored_error(r, size_hint, out, err);
    if (before.status == ARVO_MACHINE_DONE || before.status == ARVO_MACHINE_ERROR ||
        input->event == NULL) {
        const arvo_status st = answer(r, size_hint, out, err);
        return st == ARVO_E_EXECUTION ? answer_failed(r, &before, size_hint, out, err) : st;
    }

    const arvo_str type = event_type(input->event);
    bool is_right = type.ptr != NULL;
    if (is_right) {
        event_set(r, input->event, type);
        is_right = arvo__run_event(r);
    } else {
        (void)arvo__run_fail(r, "an event must be an object with a string `type`");
    }
    if (r->status == ARVO_E_NOMEM)
        return arvo__nomem(err);
    if (!is_right)
        return answer_failed(r, &before, size_hint, out, err);
    return answer_taken(r, &before, size_hint, out, err);
}

/* ---- Public ---- */

static arvo_status
answer_custom(const arvo_machine_input *input, arvo_machine_output *out, arvo_error *err)
{
    *out = (arvo_machine_output){
        .state = input->state,
        .status = ARVO_MACHINE_ERROR,
        .error_name = ARVO_STR("Error"),
        .error_message =
            ARVO_STR("a custom machine has no chart; give the orchestrator its engine"),
    };
    return arvo__fail(err, ARVO_E_EXECUTION, "%.*s", ARVO_FMT(out->error_message));
}

arvo_status
arvo_machine_execute(
    const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    ARVO_ASSERT(machine != NULL && input != NULL && arena != NULL && out != NULL);
    ARVO_ASSERT(input->previous == NULL || input->previous->snapshot != NULL);

    if (machine->is_custom)
        return answer_custom(input, out, err);
    run r;
    if (!run_init(&r, machine, input, arena))
        return arvo__nomem(err);
    if (input->previous != NULL) {
        r.now = *input->previous->snapshot;
        r.first = r.now.first;
        r.next = r.now.next;
        return go_on(&r, input, input->previous->state.len + STATE_BYTES_GUESS, out, err);
    }
    if (input->state.ptr == NULL)
        return start(&r, out, err);
    const arvo_status st = arvo__snapshot_read(&r, input->state, err);
    if (st != ARVO_OK)
        return st;
    return go_on(&r, input, input->state.len + STATE_BYTES_GUESS, out, err);
}

/* A set, as JavaScript's: in the order of the first mention. */
static void
tag_add(arvo_arena *arena, arvo_json *tags, const arvo_json *tag)
{
    for (size_t i = 0; i < arvo_json_count(tags); i++)
        if (arvo_str_equal(arvo_json_str(arvo_json_at(tags, i)), arvo_json_str(tag)))
            return;
    arvo_json_push(arena, tags, tag);
}

const arvo_json *
arvo_machine_tags(const arvo_machine *machine, const arvo_machine_output *output, arvo_arena *arena)
{
    ARVO_ASSERT(machine != NULL && output != NULL && arena != NULL);
    arvo_json *const tags = arvo_json_array_new(arena);
    if (tags == NULL || output->snapshot == NULL)
        return tags;
    const run_nodes *const nodes = &output->snapshot->nodes;
    for (uint32_t i = 0; i < nodes->count; i++) {
        const arvo_json *const own = machine->states[nodes->items[i]].tags;
        if (arvo_json_type_of(own) == ARVO_JSON_STRING)
            tag_add(arena, tags, own);
        for (size_t k = 0; arvo_json_type_of(own) == ARVO_JSON_ARRAY && k < arvo_json_count(own);
             k++)
            tag_add(arena, tags, arvo_json_at(own, k));
    }
    return arvo_arena_failed(arena) ? NULL : tags;
}

static arvo_status
engine_execute(
    void *self, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    (void)self;
    return arvo_machine_execute(machine, input, arena, out, err);
}

const arvo_engine *
arvo_engine_statechart(void)
{
    static const arvo_engine engine = { ARVO_ENGINE_OPS_VERSION, engine_execute, NULL };
    return &engine;
}
