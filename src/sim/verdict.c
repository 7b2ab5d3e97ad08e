/* What must hold in the end: everything has ended, nothing is locked, and every workflow is what a
 * sequential run of its events gives.
 */

#include <string.h>

#include "sim/internal.h"

/* ---- Names for people ------------------------------------------------------------ */

const char *
arvo__sim_subject_name(sim_world *world, arvo_str text)
{
    sim_subject *subject = arvo__sim_subject(world, text);
    if (subject == NULL)
        return "?";
    if (subject->name != NULL)
        return subject->name;
    arvo_subject parsed;
    arvo_str name = ARVO_STR_NONE;
    if (arvo_subject_decode(NULL, text, world->arena, &parsed, NULL) == ARVO_OK) {
        arvo_str short_name = parsed.orchestrator_name, id = parsed.execution_id;
        if (arvo_str_starts(short_name, ARVO_STR(ARVO_RESERVED_PREFIX))) {
            short_name.ptr += sizeof(ARVO_RESERVED_PREFIX) - 1;
            short_name.len -= sizeof(ARVO_RESERVED_PREFIX) - 1;
        }
        id.len = id.len > 4 ? 4 : id.len;
        name = arvo_arena_printf(world->arena, "%.*s#%.*s", ARVO_FMT(short_name), ARVO_FMT(id));
    }
    subject->name = name.ptr != NULL ? name.ptr : "?";
    return subject->name;
}

/* ---- Ended ------------------------------------------------------------------------- */

bool
arvo__sim_is_drained(sim_world *world)
{
    if (world->waiting > 0 || world->status != ARVO_OK || !arvo__sim_network_is_empty(world))
        return false;
    for (const sim_workflow *workflow = world->workflows; workflow != NULL;
         workflow = workflow->next)
        if (!workflow->is_started)
            return false;
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        if (subject->has_record && arvo_str_is(subject->status, "active"))
            return false;
    return true;
}

/* The event that a workflow sent last, and that nobody answered perhaps. */
static const sim_event *
last_produced(const sim_subject *subject)
{
    const sim_event *last = NULL;
    for (const sim_event *event = subject->first; event != NULL; event = event->next)
        if (event->cause != NULL) /* not what a service answered on its behalf */
            last = event;
    return last;
}

static void
check_ended(sim_world *world)
{
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        for (const sim_event *event = subject->first; event != NULL; event = event->next)
            if (event->state == SIM_EVENT_WAITING) {
                arvo__sim_broken(
                    world, "I9", "%.*s (id %.*s) of %s is never delivered", ARVO_FMT(event->type),
                    ARVO_FMT(event->id), arvo__sim_subject_name(world, subject->subject));
                return;
            }
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next) {
        if (!subject->has_record || !arvo_str_is(subject->status, "active"))
            continue;
        const sim_event *last = last_produced(subject);
        {
            arvo__sim_broken(
                world, "every workflow ends", "%s is still in %.*s; the last event it sent is %.*s",
                arvo__sim_subject_name(world, subject->subject), ARVO_FMT(subject->value),
                ARVO_FMT(last != NULL ? last->type : ARVO_STR("none")));
            return;
        }
    }
    for (const sim_workflow *workflow = world->workflows; workflow != NULL;
         workflow = workflow->next)
        if (!workflow->is_started) {
            arvo__sim_broken(
                world, "every workflow ends", "the start of %s was never acknowledged",
                arvo__sim_subject_name(world, workflow->subject));
            return;
        }
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        if (subject->has_record && subject->state_json.ptr == NULL && !world->report->failed)
            arvo__sim_broken(
                world, "every workflow starts", "%s failed at its start: %.*s",
                arvo__sim_subject_name(world, subject->subject), ARVO_FMT(subject->last_error));
    if (!arvo__sim_is_drained(world))
        arvo__sim_broken(
            world, "every workflow ends", "events from outside are still not acknowledged");
}

/* I11: a lease's time after the last one died, everything can be locked. */
static void
check_locks(sim_world *world)
{
    arvo_memory *eye = arvo__sim_eye(world);
    const arvo_memory_ops *ops = eye != NULL ? arvo_memory_ops_of(eye) : NULL;
    int64_t until_ms = arvo__sim_store_now(world) + world->lease_ms;
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        if (subject->lock.is_held && subject->lock.lease.expires_ms > until_ms)
            until_ms = subject->lock.lease.expires_ms;
    world->now_us += (until_ms - arvo__sim_store_now(world)) * 1000 + 1;
    for (const sim_subject *subject = world->subjects; subject != NULL && ops != NULL;
         subject = subject->next) {
        arvo_lease lease;
        bool is_acquired = false;
        arvo_error why = { 0 };
        const arvo_status st =
            ops->lock(arvo_memory_self(eye), subject->subject, 1000, 0, &is_acquired, &lease, &why);
        if (st != ARVO_OK || !is_acquired) {
            arvo__sim_broken(
                world, "I11", "%s is still locked: %s",
                arvo__sim_subject_name(world, subject->subject), why.text);
            return;
        }
        if (ops->unlock(arvo_memory_self(eye), subject->subject, &lease, &why) != ARVO_OK) {
            arvo__sim_broken(world, "I11", "%s", why.text);
            return;
        }
    }
}

/* ---- The sequential machine ----------------------------------------------------------- */

typedef struct replay {
    sim_world *world;
    arvo_memory *memory;
    arvo_orchestrator *orchestrators[SIM_MACHINES_MAX];
    size_t count;
} replay;

static bool
is_equal_at(const arvo_json *a, const arvo_json *b, const char *key)
{
    const arvo_json *left = arvo_json_get(a, key), *right = arvo_json_get(b, key);
    return (arvo_json_is_nullish(left) && arvo_json_is_nullish(right)) ||
           arvo_json_equal(left, right);
}

/* Two subjects: the same one, or of children that differ in their random id only. */
static bool
is_equal_subject(sim_world *world, const arvo_json *a, const arvo_json *b)
{
    arvo_subject left, right;
    if (is_equal_at(a, b, "subject"))
        return true;
    return arvo_subject_decode(
               NULL, arvo_json_str(arvo_json_get(a, "subject")), world->scratch, &left, NULL) ==
               ARVO_OK &&
           arvo_subject_decode(
               NULL, arvo_json_str(arvo_json_get(b, "subject")), world->scratch, &right, NULL) ==
               ARVO_OK &&
           arvo_str_equal(left.orchestrator_name, right.orchestrator_name) &&
           arvo_str_equal(left.orchestrator_version, right.orchestrator_version) &&
           arvo_str_equal(left.initiator, right.initiator) &&
           arvo_json_equal(left.meta, right.meta);
}

/* Equal but for what is random or a time. */
static bool
is_equal_event(sim_world *world, arvo_str a, arvo_str b)
{
    static const char *const keys[] = { "source",   "type",          "to",
                                        "data",     "dataschema",    "redirectto",
                                        "parentid", "accesscontrol", "executionunits" };
    const arvo_json *left = NULL, *right = NULL;
    if (arvo_json_parse(a, world->scratch, &left, NULL) != ARVO_OK ||
        arvo_json_parse(b, world->scratch, &right, NULL) != ARVO_OK)
        return false;
    for (size_t i = 0; i < ARVO_COUNT_OF(keys); i++)
        if (!is_equal_at(left, right, keys[i]))
            return false;
    return is_equal_subject(world, left, right);
}

static bool
is_equal_error(sim_world *world, arvo_str a, arvo_str b)
{
    const arvo_json *left = NULL, *right = NULL;
    if (a.ptr == NULL || b.ptr == NULL)
        return a.ptr == b.ptr;
    return arvo_json_parse(a, world->scratch, &left, NULL) == ARVO_OK &&
           arvo_json_parse(b, world->scratch, &right, NULL) == ARVO_OK &&
           is_equal_at(left, right, "errorName") && is_equal_at(left, right, "errorMessage") &&
           is_equal_at(left, right, "eventId");
}

static bool
replay_emissions(sim_world *world, const sim_event *consumed, const arvo_result *result)
{
    size_t i = 0;
    for (const sim_event *event = consumed->next; event != NULL; event = event->next) {
        if (event->cause != consumed)
            continue;
        if (i == result->all.count || !arvo_str_equal(event->domains, result->event_domains[i]) ||
            !is_equal_event(world, event->json, result->event_json[i]))
            return false;
        i++;
    }
    return i == result->all.count;
}

/* One event on the sequential machine; false: it makes something else of it. */
static bool
replay_event(replay *r, arvo_orchestrator *orchestrator, const sim_event *consumed)
{
    sim_world *world = r->world;
    arvo_event event;
    arvo_result result;
    arvo_record record;
    bool found = false;
    arvo_error why = { 0 };
    arvo_status st = arvo_event_parse(consumed->json, world->scratch, &event, &why);
    if (st == ARVO_OK)
        st = arvo_orchestrator_execute(orchestrator, &event, world->scratch, &result, &why);
    if (st == ARVO_OK)
        st = arvo_memory_ops_of(r->memory)->read(
            arvo_memory_self(r->memory), consumed->subject, world->scratch, &found, &record, &why);
    if (st == ARVO_E_NOMEM)
        arvo__sim_fail(world, st, &why);
    return st == ARVO_OK && found && replay_emissions(world, consumed, &result) &&
           arvo_str_equal(record.status, consumed->status) &&
           arvo_str_equal(record.state, consumed->state_json) &&
           is_equal_error(world, record.last_error, consumed->last_error);
}

static arvo_orchestrator *
replay_orchestrator(const replay *r, arvo_str source)
{
    for (size_t i = 0; i < r->count; i++)
        if (arvo_str_equal(arvo_orchestrator_source(r->orchestrators[i]), source))
            return r->orchestrators[i];
    return NULL;
}

static void
replay_subject(replay *r, const sim_subject *subject)
{
    sim_world *world = r->world;
    arvo_orchestrator *orchestrator = replay_orchestrator(r, subject->orchestrator);
    for (const sim_event *event = subject->first; event != NULL && orchestrator != NULL;
         event = event->next) {
        if (event->state != SIM_EVENT_CONSUMED)
            continue;
        arvo_arena_reset(world->scratch);
        if (!replay_event(r, orchestrator, event)) {
            arvo__sim_broken(
                world, "linearizable",
                "%s: a machine that is given the same events in the same order makes something "
                "else of %.*s (id %.*s)",
                arvo__sim_subject_name(world, subject->subject), ARVO_FMT(event->type),
                ARVO_FMT(event->id));
            return;
        }
    }
}

static void
check_replay(sim_world *world)
{
    replay r = { .world = world };
    arvo_error why = { 0 };
    arvo_status st = arvo_memory_open_with("memory:", &world->store_platform, &r.memory, &why);
    if (st == ARVO_OK)
        st = arvo__sim_orchestrators(
            world, r.memory, &world->store_platform, r.orchestrators, &r.count, &why);
    for (const sim_subject *subject = world->subjects;
         subject != NULL && st == ARVO_OK && !world->report->failed; subject = subject->next)
        if (subject->has_record)
            replay_subject(&r, subject);
    if (st != ARVO_OK)
        arvo__sim_fail(world, st, &why);
    for (size_t i = r.count; i-- > 0;)
        arvo_orchestrator_free(r.orchestrators[i]);
    arvo_memory_close(r.memory);
}

/* ---- What the user expects --------------------------------------------------------------- */

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const arvo_sim_expectation built_in_expectations[] = {
    { .machine = TEXT("tally"),
      .expression = TEXT(".context.count == .context.want and .context.sum == .context.total") },
    { .machine = TEXT("order"),
      .expression = TEXT(".context.paid == 0 or .context.paid == .context.price") },
};

static const arvo_machine *
machine_of_subject(const sim_world *world, const sim_subject *subject)
{
    for (size_t i = 0; i < world->app.machine_count; i++) {
        const arvo_machine *machine = world->app.machines[i];
        if (arvo_str_equal(arvo_machine_source(machine), subject->orchestrator) &&
            arvo_str_equal(arvo_machine_version(machine), subject->version))
            return machine;
    }
    return NULL;
}

/* The end of one workflow, as an expectation sees it. */
static bool
expect_scope(sim_world *world, const sim_subject *subject, arvo_scope *scope)
{
    const arvo_json *state = NULL, *input = NULL;
    arvo_arena *arena = world->scratch;
    if (subject->state_json.ptr == NULL ||
        arvo_json_parse(subject->state_json, arena, &state, NULL) != ARVO_OK)
        return false;
    for (const sim_event *event = subject->first; event != NULL && input == NULL;
         event = event->next)
        if (event->state == SIM_EVENT_CONSUMED &&
            arvo_json_parse(event->json, arena, &input, NULL) != ARVO_OK)
            return false;
    arvo_json *params = arvo_json_object_new(arena);
    arvo_json_set(arena, params, ARVO_STR("status"), arvo_json_get(state, "status"));
    arvo_json_set(arena, params, ARVO_STR("value"), arvo_json_get(state, "value"));
    arvo_json_set(arena, params, ARVO_STR("output"), arvo_json_get(state, "output"));
    *scope = (arvo_scope){
        .context = arvo_json_get(state, "context"), .input = input, .params = params, .arena = arena
    };
    return true;
}

static void
expect_of(
    sim_world *world, const sim_subject *subject, const arvo_sim_expectation *expectation,
    const arvo__expr_set *set, const arvo__template *tmpl)
{
    const arvo_machine *machine = machine_of_subject(world, subject);
    if (machine == NULL || (expectation->machine.ptr != NULL &&
                            !arvo_str_equal(expectation->machine, arvo_machine_id(machine))))
        return;
    arvo_scope scope;
    const arvo_json *value = NULL;
    arvo_error why = { 0 };
    arvo_arena_reset(world->scratch);
    if (!expect_scope(world, subject, &scope))
        return;
    const arvo_status st = arvo__template_eval(tmpl, set, NULL, &scope, &value, &why);
    if (st == ARVO_OK && arvo__json_is_truthy(value))
        return;
    arvo_buf context = ARVO_BUF_INIT(4096);
    arvo_json_write(scope.context, &context);
    arvo__sim_broken(
        world, "expectation", "%s has ended, and %.*s %s%s; its context is %.*s",
        arvo__sim_subject_name(world, subject->subject), ARVO_FMT(expectation->expression),
        st == ARVO_OK ? "does not hold" : "fails: ", st == ARVO_OK ? "" : why.text,
        ARVO_FMT(arvo_buf_str(&context)));
    arvo_buf_fini(&context);
}

static void
check_expectation(sim_world *world, const arvo_sim_expectation *expectation)
{
    arvo__expr_set *set = arvo__expr_set_new(NULL);
    const arvo__template *tmpl = NULL;
    arvo_error why = { 0 };
    const arvo_str text =
        arvo_arena_printf(world->arena, "${ %.*s }", ARVO_FMT(expectation->expression));
    arvo_status st = set == NULL || text.ptr == NULL
                         ? arvo__nomem(&why)
                         : arvo__template_compile(
                               set, arvo_json_string(world->arena, text), NULL, ARVO_STR("/expect"),
                               &tmpl, &why);
    if (st == ARVO_OK)
        st = arvo__expr_set_finish(set, &why);
    if (st != ARVO_OK)
        arvo__sim_fail(world, st, &why);
    for (const sim_subject *subject = world->subjects;
         subject != NULL && st == ARVO_OK && !world->report->failed; subject = subject->next)
        if (subject->has_record)
            expect_of(world, subject, expectation, set, tmpl);
    arvo__expr_set_free(set);
}

static void
check_expectations(sim_world *world)
{
    const arvo_sim_expectation *items = world->opts->expectations;
    size_t count = world->opts->expectation_count;
    if (world->app.is_built_in) {
        items = built_in_expectations;
        count = ARVO_COUNT_OF(built_in_expectations);
    }
    for (size_t i = 0; i < count && !world->report->failed && world->status == ARVO_OK; i++)
        check_expectation(world, &items[i]);
}

void
arvo__sim_verdict(sim_world *world)
{
    static void (*const checks[])(sim_world *) = {
        check_ended,  arvo__sim_compare,  check_locks,
        check_replay, check_expectations, arvo__sim_purge_all,
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(checks); i++)
        if (!world->report->failed && world->status == ARVO_OK)
            checks[i](world);
}
