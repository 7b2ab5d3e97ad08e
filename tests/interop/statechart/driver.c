/* Answers one case per line of standard input: what our machine does, step by step.
 *
 * A case is {machine, input?, events, rehydrate?, resume?}. The machine is started and given each
 * event; `rehydrate` begins every step from the bytes that the step before wrote, as after a
 * restart. Otherwise every other step stays in memory, and is written afterwards. `resume`, {at,
 * state}, then begins again from `state`, a persisted snapshot of either engine, with the events
 * from `at` on. The answer is {steps, resumed?}, or {refused: why}. A step is {state, tags, log,
 * emitted, error}.
 *
 * Two functions are there for charts to use: `note` logs its params, `fail` fails, as a guard too.
 */

#include <arvo/machine.h>

#include "../driver.h"

#define MICROSTEPS_MAX 60u /* the oracle's maxIterations */
#define LINE_BYTES_MAX ((size_t)16 * 1024 * 1024)
/* ---- Functions for charts ---- */

static void
note(const arvo_scope *scope)
{
    arvo_buf text = ARVO_BUF_INIT(LINE_BYTES_MAX);
    arvo_json_write(scope->params, &text);
    arvo_scope_log(scope, arvo_arena_str_dup(scope->arena, arvo_buf_str(&text)));
    arvo_buf_fini(&text);
}

static void
fail_action(const arvo_scope *scope)
{
    arvo_scope_fail(
        scope, ARVO_STR("Error"), arvo_json_str(arvo_json_get(scope->params, "message")));
}

static bool
fail_guard(const arvo_scope *scope)
{
    fail_action(scope);
    return false;
}

static const arvo_guard_def guards[] = { { "fail", fail_guard, NULL }, { 0 } };
static const arvo_action_def actions[] = {
    { "note", note, NULL },
    { "fail", fail_action, NULL },
    { 0 },
};

/* ---- Answers ---- */

static void
write_comma(arvo_buf *text, bool is_due)
{
    if (is_due)
        arvo_buf_append_char(text, ',');
}

static void
write_emission(const arvo_emission *emission, arvo_buf *text)
{
    arvo_buf_printf(text, "{\"type\":");
    arvo_json_write_str(emission->type, text);
    if (emission->data != NULL) {
        arvo_buf_printf(text, ",\"data\":");
        arvo_json_write(emission->data, text);
    }
    arvo_buf_append_char(text, '}');
}

static void
write_step(
    const arvo_machine *machine, const arvo_machine_output *out, arvo_arena *arena, arvo_buf *text)
{
    arvo_buf_printf(text, "{\"state\":");
    arvo_buf_append_str(text, out->state);
    arvo_buf_printf(text, ",\"tags\":");
    arvo_json_write(arvo_machine_tags(machine, out, arena), text);
    arvo_buf_printf(text, ",\"log\":[");
    for (size_t i = 0; i < out->log_count; i++) {
        write_comma(text, i > 0);
        arvo_json_write_str(out->logs[i], text);
    }
    arvo_buf_printf(text, "],\"emitted\":[");
    for (size_t i = 0; i < out->emission_count; i++) {
        write_comma(text, i > 0);
        write_emission(&out->emissions[i], text);
    }
    arvo_buf_printf(text, "],\"error\":");
    if (out->error_message.ptr != NULL)
        arvo_json_write_str(out->error_message, text);
    else
        arvo_buf_printf(text, "null");
    arvo_buf_append_char(text, '}');
}

/* ---- Running ---- */

typedef struct run_plan {
    const arvo_machine *machine;
    const arvo_json *input;
    const arvo_json *events;
    size_t from;    /* first event */
    arvo_str state; /* none: start, and answer for that too */
    bool rehydrate;
} run_plan;

/* In memory, and written afterwards: the same as written at once. */
static arvo_status
execute_in_memory(
    const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    arvo_machine_input step = *input;
    step.in_memory = true;
    const arvo_status st = arvo_machine_execute(machine, &step, arena, out, err);
    if (st != ARVO_OK && st != ARVO_E_EXECUTION)
        return st;
    const arvo_machine_input reading = { .input = input->input, .previous = out };
    arvo_machine_output read;
    const arvo_status read_st = arvo_machine_execute(machine, &reading, arena, &read, err);
    if (read_st != ARVO_OK)
        return read_st == ARVO_E_EXECUTION ? ARVO_E_INVALID : read_st;
    out->state = read.state;
    return st;
}

/* A step that cannot be taken at all is an answer too: {failed: why}. */
static void
run_steps(const run_plan *plan, arvo_arena *arena, arvo_buf *text)
{
    arvo_machine_output before = { 0 };
    size_t next = plan->from;
    bool is_first = true;
    bool is_start = plan->state.ptr == NULL;
    do {
        arvo_machine_input input = { .input = plan->input };
        arvo_machine_output out;
        arvo_error err = { 0 };
        if (is_first || plan->rehydrate)
            input.state = is_first ? plan->state : before.state;
        else
            input.previous = &before;
        if (!is_start)
            input.event = arvo_json_at(plan->events, next++);
        const bool stays = !plan->rehydrate && next % 2 == 1;
        const arvo_status st = stays
                                   ? execute_in_memory(plan->machine, &input, arena, &out, &err)
                                   : arvo_machine_execute(plan->machine, &input, arena, &out, &err);
        write_comma(text, !is_first);
        if (st != ARVO_OK && st != ARVO_E_EXECUTION) {
            arvo_buf_printf(text, "{\"failed\":");
            arvo_json_write_str(arvo_str_from(err.text), text);
            arvo_buf_append_char(text, '}');
            return;
        }
        write_step(plan->machine, &out, arena, text);
        before = out;
        is_first = is_start = false;
    } while (next < arvo_json_count(plan->events));
}

static void
run_case(const arvo_json *one, const arvo_machine *machine, arvo_arena *arena, arvo_buf *text)
{
    run_plan plan = {
        .machine = machine,
        .input = arvo_json_get(one, "input"),
        .events = arvo_json_get(one, "events"),
        .rehydrate = arvo_json_bool_or(arvo_json_get(one, "rehydrate"), false),
    };
    arvo_buf_printf(text, "{\"steps\":[");
    run_steps(&plan, arena, text);
    arvo_buf_append_char(text, ']');
    const arvo_json *resume = arvo_json_get(one, "resume");
    if (resume != NULL) {
        arvo_buf state = ARVO_BUF_INIT(LINE_BYTES_MAX);
        arvo_json_write(arvo_json_get(resume, "state"), &state);
        plan.state = arvo_buf_str(&state);
        plan.from = (size_t)arvo_json_int_or(arvo_json_get(resume, "at"), 0);
        arvo_buf_printf(text, ",\"resumed\":[");
        run_steps(&plan, arena, text);
        arvo_buf_append_char(text, ']');
        arvo_buf_fini(&state);
    }
    arvo_buf_append_char(text, '}');
}

static void
answer(arvo_str line, arvo_arena *arena, arvo_buf *text)
{
    const arvo_machine_setup setup = {
        .guards = guards,
        .actions = actions,
        .microsteps_max = MICROSTEPS_MAX,
    };
    const arvo_json *one = NULL;
    arvo_machine *machine = NULL;
    arvo_error err = { 0 };
    arvo_status st = arvo_json_parse(line, arena, &one, &err);
    const arvo_document document = { .root = arvo_json_get(one, "machine") };
    if (st == ARVO_OK)
        st = arvo_machine_create(&setup, &document, &machine, &err);
    if (st == ARVO_OK) {
        run_case(one, machine, arena, text);
    } else {
        arvo_buf_printf(text, "{\"refused\":");
        arvo_json_write_str(arvo_str_from(err.text), text);
        arvo_buf_append_char(text, '}');
    }
    arvo_buf_append_char(text, '\n');
    arvo_machine_unref(machine);
}

int
main(void)
{
    return driver_run(answer);
}
