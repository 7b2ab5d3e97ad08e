/* What runs: an app of the user's with examples or given events, or the built-in one. */

#include <arvo/example.h>

#include <stdio.h>
#include <string.h>

#include "orchestrator/handler.h"
#include "sim/internal.h"

#define ADDS_MAX 6u

/* ---- Opening ------------------------------------------------------------------------------ */

static arvo_str
quoted(sim_world *world, const char *text)
{
    const arvo_str copy = arvo_arena_str_dup(world->arena, arvo_str_from(text));
    char *at = copy.ptr != NULL ? (char *)(uintptr_t)copy.ptr : NULL;
    for (size_t i = 0; i < copy.len && at != NULL; i++)
        at[i] = at[i] == '\'' ? '"' : at[i];
    return copy;
}

static arvo_status
built_in_mock(sim_world *world, const char *text, arvo_handler **out, arvo_error *err)
{
    arvo_document_list list = { 0 };
    const arvo_status st = arvo_document_parse(
        ARVO_STR("built-in.json"), quoted(world, text), world->arena, &list, err);
    return st == ARVO_OK ? arvo_handler_create_mock(world->app.contracts, &list.items[0], out, err)
                         : st;
}

static arvo_status
built_in_open(sim_world *world, arvo_error *err)
{
    sim_app *app = &world->app;
    app->is_built_in = true;
    app->contracts = arvo_contracts_new(NULL);
    arvo_status st = app->contracts != NULL ? ARVO_OK : arvo__nomem(err);
    for (size_t i = 0; arvo__sim_contracts[i] != NULL && st == ARVO_OK; i++)
        st = arvo_contracts_add_text(
            app->contracts, quoted(world, arvo__sim_contracts[i]), NULL, err);
    const arvo_machine_setup setup = { .contracts = app->contracts };
    for (size_t i = 0; arvo__sim_machines[i] != NULL && st == ARVO_OK; i++) {
        st = arvo_machine_create_text(
            &setup, quoted(world, arvo__sim_machines[i]), &app->machines[i], err);
        app->machine_count += st == ARVO_OK;
    }
    for (size_t i = 0; arvo__sim_mocks[i] != NULL && st == ARVO_OK; i++) {
        st = built_in_mock(world, arvo__sim_mocks[i], &app->services[i], err);
        app->service_count += st == ARVO_OK;
    }
    return st;
}

static arvo_status
users_open(sim_world *world, arvo_error *err)
{
    sim_app *app = &world->app;
    const arvo_app *given = world->opts->app;
    const size_t machines = arvo_app_machine_count(given), mocks = arvo_app_mock_count(given);
    if (machines > SIM_MACHINES_MAX || mocks > SIM_MACHINES_MAX)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "the app has more than %u machines or mocks, the limit of a "
            "simulation: give it a part of the app",
            SIM_MACHINES_MAX);
    app->contracts = arvo_app_contracts(given);
    for (size_t i = 0; i < machines; i++)
        if (arvo_machine_source(arvo_app_machine_at(given, i)).ptr != NULL)
            app->machines[app->machine_count++] = arvo_app_machine_at(given, i);
    for (size_t i = 0; i < mocks; i++)
        app->services[app->service_count++] = arvo_app_mock_at(given, i);
    return app->machine_count > 0
               ? ARVO_OK
               : arvo__fail(
                     err, ARVO_E_INVALID,
                     "the app has no machine with contracts, so no event can start a workflow");
}

arvo_status
arvo__sim_app_open(sim_world *world, arvo_error *err)
{
    sim_app *app = &world->app;
    const arvo_status st =
        world->opts->app != NULL ? users_open(world, err) : built_in_open(world, err);
    for (size_t i = 0; i < app->service_count; i++) {
        app->is_remote[i] = arvo__sim_below(world, SIM_STREAM_SHAPE, 100 + i, 2) == 0;
        app->platforms[i] = app->services[i]->platform;
        app->services[i]->platform = &world->store_platform; /* answers have virtual times */
    }
    return st;
}

void
arvo__sim_app_close(sim_world *world)
{
    sim_app *app = &world->app;
    for (size_t i = 0; i < app->service_count; i++)
        if (app->platforms[i] != NULL)
            app->services[i]->platform = app->platforms[i];
    if (!app->is_built_in)
        return;
    for (size_t i = 0; i < app->machine_count; i++)
        arvo_machine_unref(app->machines[i]);
    for (size_t i = 0; i < app->service_count; i++)
        arvo_handler_free(app->services[i]);
    arvo_contracts_unref(app->contracts);
}

/* ---- Starting workflows --------------------------------------------------------------------- */

static uint64_t
work_draw(const sim_world *world, uint32_t number, uint64_t what, uint64_t limit)
{
    return arvo__sim_below(
        world, SIM_STREAM_WORK, ((uint64_t)number << 16) + what + (UINT64_C(1) << 60), limit);
}

/* The start of a new workflow of the contract, with the data and source given. */
static arvo_status
work_start(
    sim_world *world, const arvo_contract_version *contract, const arvo_event *fields,
    uint32_t number, sim_workflow **out, arvo_error *err)
{
    sim_workflow *workflow = arvo_arena_calloc(world->arena, 1, sizeof(*workflow));
    if (workflow == NULL)
        return arvo__nomem(err);
    const arvo_str id = arvo_arena_printf(world->arena, "%u", number);
    const arvo_subject_new_opts naming = { .name = contract->accepts.type,
                                           .version = contract->version,
                                           .initiator = fields->source,
                                           .execution_id = id };
    arvo_event start = *fields, whole;
    arvo_status st =
        arvo_subject_new(NULL, &naming, &world->store_platform, world->arena, &start.subject, err);
    const arvo_factory factory = { .version = contract,
                                   .platform = &world->store_platform,
                                   .arena = world->arena };
    arvo_json *data = arvo_json_clone(world->arena, fields->data);
    arvo_json_set(world->arena, data, ARVO_STR("parentSubject$$"), arvo_json_null());
    start.data = data;
    start.id = arvo_arena_printf(world->arena, "start-%u", number);
    start.type = contract->accepts.type;
    start.to = contract->accepts.type;
    if (st == ARVO_OK)
        st = arvo_factory_init(&factory, &start, &whole, err);
    if (st != ARVO_OK)
        return st;
    sim_message *message =
        arvo__sim_send(world, &whole, NULL, (int64_t)work_draw(world, number, 0, 2000000));
    if (message == NULL)
        return arvo__nomem(err);
    message->workflow = workflow;
    message->is_start = true;
    workflow->number = number;
    workflow->subject = message->event->subject;
    *world->workflows_end = workflow;
    world->workflows_end = &workflow->next;
    *out = workflow;
    return ARVO_OK;
}

/* An event for a workflow that runs. */
static arvo_status
work_hold(
    sim_world *world, sim_workflow *workflow, const arvo_event *event, bool needs_quiet,
    arvo_error *err)
{
    sim_message *message = arvo__sim_send(world, event, NULL, 0);
    if (message == NULL)
        return arvo__nomem(err);
    message->state = SIM_MESSAGE_HELD;
    message->workflow = workflow;
    message->needs_quiet = needs_quiet;
    return ARVO_OK;
}

static arvo_status
tally_add(
    sim_world *world, sim_workflow *workflow, const char *source, unsigned number, bool is_bad,
    arvo_error *err)
{
    char id[16];
    (void)snprintf(id, sizeof(id), is_bad ? "bad-%u" : "%u", number);
    arvo_json *data = arvo_json_object_new(world->arena);
    arvo_json_set(
        world->arena, data, ARVO_STR("n"),
        is_bad ? arvo_json_string(world->arena, ARVO_STR("much"))
               : arvo_json_int(world->arena, number));
    const arvo_event fields = { .id = arvo_arena_str_dup(world->arena, arvo_str_from(id)),
                                .source = arvo_str_from(source),
                                .type = ARVO_STR("evt.sim.add"),
                                .subject = workflow->subject,
                                .to = ARVO_STR("arvo.orc.sim.tally"),
                                .data = data };
    arvo_event event;
    const arvo_status st =
        arvo_event_create(&fields, &world->store_platform, world->arena, &event, err);
    return st == ARVO_OK ? work_hold(world, workflow, &event, false, err) : st;
}

static arvo_status
tally_workflow(sim_world *world, uint32_t number, arvo_error *err)
{
    const unsigned left = 1 + (unsigned)work_draw(world, number, 1, ADDS_MAX);
    const unsigned right = (unsigned)work_draw(world, number, 2, ADDS_MAX);
    arvo_json *data = arvo_json_object_new(world->arena);
    arvo_json_set(world->arena, data, ARVO_STR("want"), arvo_json_int(world->arena, left + right));
    arvo_json_set(
        world->arena, data, ARVO_STR("total"),
        arvo_json_int(world->arena, left * (left + 1) / 2 + right * (right + 1) / 2));
    const arvo_event fields = { .source = ARVO_STR("com.sim.client"), .data = data };
    sim_workflow *workflow = NULL;
    arvo_status st = work_start(
        world, arvo_machine_self(world->app.machines[0]), &fields, number, &workflow, err);
    for (unsigned i = 1; i <= left && st == ARVO_OK; i++)
        st = tally_add(world, workflow, "com.sim.left", i, false, err);
    for (unsigned i = 1; i <= right && st == ARVO_OK; i++)
        st = tally_add(world, workflow, "com.sim.right", i, false, err);
    if (st == ARVO_OK && work_draw(world, number, 3, 3) == 0)
        st = tally_add(world, workflow, "com.sim.left", 1, true, err);
    return st;
}

static arvo_status
built_in_workflow(sim_world *world, uint32_t number, arvo_error *err)
{
    if (work_draw(world, number, 4, 2) == 0)
        return tally_workflow(world, number, err);
    const int64_t item = 1 + (int64_t)work_draw(world, number, 5, 7);
    arvo_json *data = arvo_json_object_new(world->arena);
    arvo_json_set(world->arena, data, ARVO_STR("item"), arvo_json_int(world->arena, item));
    const arvo_event fields = { .source = ARVO_STR("com.sim.client"), .data = data };
    sim_workflow *workflow = NULL;
    return work_start(
        world, arvo_machine_self(world->app.machines[1]), &fields, number, &workflow, err);
}

/* ---- Workflows of an app -----------------------------------------------------------------------
 */

static const arvo_machine *
machine_of(const sim_world *world, arvo_str start_type, arvo_str dataschema)
{
    const arvo_machine *found = NULL;
    for (size_t i = 0; i < world->app.machine_count; i++) {
        const arvo_machine *machine = world->app.machines[i];
        if (!arvo_str_equal(arvo_machine_source(machine), start_type))
            continue;
        if (arvo_str_equal(arvo_machine_self(machine)->dataschema, dataschema))
            return machine;
        if (found == NULL ||
            arvo_version_compare(arvo_machine_version(machine), arvo_machine_version(found)) > 0)
            found = machine;
    }
    return found;
}

/* The events for running workflows that this one may be given, each when it waits. */
static arvo_status
users_answers(sim_world *world, sim_workflow *workflow, arvo_str orchestrator, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < world->opts->event_count && st == ARVO_OK; i++) {
        arvo_event event = world->opts->events[i];
        if (arvo__sim_is_orchestrator(world, event.type))
            continue;
        event.subject = workflow->subject;
        event.to = orchestrator;
        event.id = arvo_arena_printf(world->arena, "%.*s-%u", ARVO_FMT(event.id), workflow->number);
        st = work_hold(world, workflow, &event, true, err);
    }
    return st;
}

static arvo_status
users_given(sim_world *world, uint32_t number, size_t starts, arvo_error *err)
{
    size_t nth = (number - 1) % starts;
    const arvo_event *event = world->opts->events;
    while (!arvo__sim_is_orchestrator(world, event->type) || nth-- > 0)
        event++;
    const arvo_machine *machine = machine_of(world, event->type, event->dataschema);
    const arvo_event fields = { .source = event->source, .data = event->data };
    sim_workflow *workflow = NULL;
    const arvo_status st =
        work_start(world, arvo_machine_self(machine), &fields, number, &workflow, err);
    return st == ARVO_OK ? users_answers(world, workflow, event->type, err) : st;
}

static bool
is_called(const sim_world *world, const arvo_machine *machine)
{
    for (size_t i = 0; i < world->app.machine_count; i++)
        if (arvo_machine_service_find(world->app.machines[i], arvo_machine_source(machine)) != NULL)
            return true;
    return false;
}

static arvo_status
users_example(sim_world *world, uint32_t number, arvo_error *err)
{
    const sim_app *app = &world->app;
    size_t roots = 0;
    for (size_t i = 0; i < app->machine_count; i++)
        roots += !is_called(world, app->machines[i]);
    size_t nth = (number - 1) % (roots > 0 ? roots : app->machine_count);
    size_t at = 0;
    while ((roots > 0 && is_called(world, app->machines[at])) || nth-- > 0)
        at++;
    const arvo_contract_version *self = arvo_machine_self(app->machines[at]);
    const arvo_schema_source source = { .schema = self->accepts.schema_json,
                                        .additional = arvo_contract_additional(self->contract),
                                        .normalising = true };
    const arvo_example_opts how = { .seed = work_draw(world, number, 6, UINT32_MAX) };
    arvo_event fields = { .source = ARVO_STR("com.sim.client") };
    arvo_status st = arvo_example_make(&source, &how, world->arena, &fields.data, err);
    if (st != ARVO_OK) {
        arvo_error_prefix(
            err, "no example of what starts %.*s can be made, give a start event",
            ARVO_FMT(arvo_machine_id(app->machines[at])));
        return st == ARVO_E_NOMEM ? st : ARVO_E_INVALID;
    }
    sim_workflow *workflow = NULL;
    st = work_start(world, self, &fields, number, &workflow, err);
    return st == ARVO_OK ? users_answers(world, workflow, self->accepts.type, err) : st;
}

arvo_status
arvo__sim_workload(sim_world *world, uint32_t workflows, arvo_error *err)
{
    size_t starts = 0;
    for (size_t i = 0; i < world->opts->event_count; i++)
        starts += arvo__sim_is_orchestrator(world, world->opts->events[i].type);
    arvo_status st = ARVO_OK;
    for (uint32_t number = 1; number <= workflows && st == ARVO_OK; number++)
        st = world->app.is_built_in ? built_in_workflow(world, number, err)
             : starts > 0           ? users_given(world, number, starts, err)
                                    : users_example(world, number, err);
    return st;
}
