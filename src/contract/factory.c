/* Event factories: events as a contract's version says (spec 4). */

#include <arvo/contract.h>

#include "base/internal.h"

#define PARENT_SUBJECT "parentSubject$$"

/* ---- Common --------------------------------------------------------------- */

static bool
is_truthy(arvo_str text)
{
    return text.len > 0;
}

/* {redirectto: ...}, or NULL when there is none. */
static arvo_status
subject_meta(arvo_arena *arena, arvo_str redirectto, const arvo_json **out, arvo_error *err)
{
    if (!is_truthy(redirectto))
        return ARVO_OK;
    arvo_json *const meta = arvo_json_object_new(arena);
    arvo_json_set_ref(arena, meta, ARVO_STR("redirectto"), arvo_json_string_ref(arena, redirectto));
    if (arvo_arena_failed(arena))
        return arvo__nomem(err);
    *out = meta;
    return ARVO_OK;
}

/* The subject of a new execution, whose initiator is the event's source. */
static arvo_status
subject_fill(const arvo_factory *factory, arvo_event *event, arvo_error *err)
{
    if (event->subject.ptr != NULL)
        return ARVO_OK;
    arvo_subject_new_opts opts = { .name = event->type,
                                   .version = factory->version->version,
                                   .initiator = event->source,
                                   .domain = event->domain };
    const arvo_status st = subject_meta(factory->arena, event->redirectto, &opts.meta, err);
    if (st != ARVO_OK)
        return st;
    return arvo_subject_new(
        factory->codec, &opts, factory->platform, factory->arena, &event->subject, err);
}

static arvo_status
event_make(const arvo_factory *factory, arvo_event *event, arvo_event *out, arvo_error *err)
{
    event->datacontenttype = ARVO_STR(ARVO_EVENT_CONTENT_TYPE);
    const arvo_status st = subject_fill(factory, event, err);
    if (st != ARVO_OK)
        return st;
    return arvo_event_create(event, factory->platform, factory->arena, out, err);
}

static arvo_status
data_normalise(
    const arvo_factory *factory, const arvo_event_rule *rule, arvo_event *event, const char *what,
    arvo_error *err)
{
    const arvo_status st =
        arvo_schema_normalise(rule->schema, event->data, factory->arena, &event->data, err);
    if (st != ARVO_OK)
        arvo_error_prefix(err, "%s Event data validation failed", what);
    return st;
}

/* An event of one rule. */
static arvo_status
event_by_rule(
    const arvo_factory *factory, const arvo_event_rule *rule, const arvo_event *fields,
    const char *what, arvo_event *out, arvo_error *err)
{
    arvo_event event = *fields;
    event.type = rule->type;
    event.dataschema = factory->version->dataschema;
    const arvo_status st = data_normalise(factory, rule, &event, what, err);
    return st == ARVO_OK ? event_make(factory, &event, out, err) : st;
}

static void
factory_assert(const arvo_factory *factory, const arvo_event *fields, const arvo_event *out)
{
    ARVO_ASSERT(factory != NULL);
    ARVO_ASSERT(factory->version != NULL);
    ARVO_ASSERT(factory->platform != NULL);
    ARVO_ASSERT(factory->arena != NULL);
    ARVO_ASSERT(fields != NULL);
    ARVO_ASSERT(out != NULL);
}

/* ---- Any contract --------------------------------------------------------- */

arvo_status
arvo_factory_accepts(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err)
{
    factory_assert(factory, fields, out);
    return event_by_rule(factory, &factory->version->accepts, fields, "Accept", out, err);
}

arvo_status
arvo_factory_emits(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err)
{
    factory_assert(factory, fields, out);
    const arvo_event_rule *const rule =
        arvo_contract_version_emit_find(factory->version, fields->type);
    if (rule == NULL || rule == &factory->version->system_error)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "Emit Event data validation failed: No contract available for %.*s",
            ARVO_FMT(fields->type));
    return event_by_rule(factory, rule, fields, "Emit", out, err);
}

arvo_status
arvo_factory_system_error(
    const arvo_factory *factory, const arvo_event *fields, arvo_str name, arvo_str message,
    arvo_str stack, arvo_event *out, arvo_error *err)
{
    factory_assert(factory, fields, out);
    arvo_arena *const arena = factory->arena;
    arvo_json *const data = arvo_json_object_new(arena);
    arvo_json_set_ref(arena, data, ARVO_STR("errorName"), arvo_json_string(arena, name));
    arvo_json_set_ref(arena, data, ARVO_STR("errorMessage"), arvo_json_string(arena, message));
    arvo_json_set_ref(
        arena, data, ARVO_STR("errorStack"),
        stack.ptr != NULL ? arvo_json_string(arena, stack) : arvo_json_null());
    if (arvo_arena_failed(arena))
        return arvo__nomem(err);
    arvo_event event = *fields;
    event.type = factory->version->system_error.type;
    event.dataschema = factory->version->system_error_dataschema;
    event.data = data;
    return event_make(factory, &event, out, err);
}

/* ---- Orchestrator contracts ----------------------------------------------- */

static arvo_status
not_an_orchestrator(arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_INVALID, "This factory can only be used for ArvoOrchestratorContract");
}

/* The subject of a child: replies go to `redirectto`, else to who started the parent (spec 4.1). */
static arvo_status
child_subject_fill(const arvo_factory *factory, arvo_str parent, arvo_event *event, arvo_error *err)
{
    arvo_str redirectto = event->redirectto;
    if (redirectto.ptr == NULL) {
        arvo_subject subject = { 0 };
        const arvo_status st =
            arvo_subject_decode(factory->codec, parent, factory->arena, &subject, err);
        if (st != ARVO_OK)
            return st;
        redirectto = arvo_arena_str_dup(factory->arena, subject.initiator);
        if (redirectto.ptr == NULL)
            return arvo__nomem(err);
    }
    arvo_subject_new_opts opts = { .name = event->type,
                                   .version = factory->version->version,
                                   .domain = event->domain };
    const arvo_status st = subject_meta(factory->arena, redirectto, &opts.meta, err);
    if (st != ARVO_OK)
        return st;
    return arvo_subject_child(
        factory->codec, parent, &opts, factory->platform, factory->arena, &event->subject, err);
}

arvo_status
arvo_factory_init(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err)
{
    factory_assert(factory, fields, out);
    if (!factory->version->is_orchestrator)
        return not_an_orchestrator(err);
    arvo_event event = *fields;
    event.type = factory->version->accepts.type;
    event.dataschema = factory->version->dataschema;
    arvo_status st = data_normalise(factory, &factory->version->accepts, &event, "Init", err);
    if (st != ARVO_OK)
        return st;
    const arvo_str parent = arvo_json_str(arvo_json_get(event.data, PARENT_SUBJECT));
    if (event.subject.ptr == NULL && is_truthy(parent))
        st = child_subject_fill(factory, parent, &event, err);
    return st == ARVO_OK ? event_make(factory, &event, out, err) : st;
}

arvo_status
arvo_factory_complete(
    const arvo_factory *factory, const arvo_event *fields, arvo_event *out, arvo_error *err)
{
    factory_assert(factory, fields, out);
    if (!factory->version->is_orchestrator)
        return not_an_orchestrator(err);
    return event_by_rule(factory, &factory->version->emits[0], fields, "Emit", out, err);
}
