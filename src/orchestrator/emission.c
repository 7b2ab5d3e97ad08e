/* Step 9: raw emissions become full events, in the order in which the machine made them (spec 9.6).
 */

#include "orchestrator/internal.h"

#include <stdio.h>

#include "subject/internal.h"

/* Children of one step whose subjects are put into the cache, from which our own is borrowed: it
 * outlives seven. */
#define EMISSION_REMEMBERED_MAX 4u

static const arvo_str emission_default_domains = { ARVO__DOMAINS_PLAIN,
                                                   sizeof(ARVO__DOMAINS_PLAIN) - 1 };

/* ---- The list of events ------------------------------------------------------------ */

/* Room for `count` more events; the four arrays grow together. */
static bool
emission_reserve(arvo__execution *x, size_t count)
{
    if (x->event_count + count <= x->event_cap)
        return true;
    size_t cap = x->event_cap != 0 ? x->event_cap * 2 : 4;
    while (cap < x->event_count + count)
        cap *= 2;

    const arvo_event **events = arvo__arena_alloc(x->arena, cap * sizeof(const arvo_event *));
    const arvo_json **domains = arvo__arena_alloc(x->arena, cap * sizeof(const arvo_json *));
    arvo_str *texts = arvo__arena_alloc(x->arena, 2 * cap * sizeof(*texts));
    if (events == NULL || domains == NULL || texts == NULL)
        return false;
    if (x->event_count > 0) {
        memcpy(events, x->events, x->event_count * sizeof(*events));
        memcpy(domains, x->domains, x->event_count * sizeof(*domains));
        memcpy(texts, x->event_texts, x->event_count * sizeof(*texts));
        memcpy(texts + cap, x->domain_texts, x->event_count * sizeof(*texts));
    }
    x->events = events;
    x->domains = domains;
    x->event_texts = texts;
    x->domain_texts = texts + cap;
    x->event_cap = cap;
    return true;
}

static arvo_str
emission_text(arvo__execution *x, const arvo_event *event, const arvo_json *value)
{
    arvo_buf *text = &x->scratch->text;
    arvo_buf_reset(text);
    if (event != NULL)
        arvo_event_write(event, text);
    else
        arvo_json_write(value, text);
    return text->status == ARVO_OK ? arvo_arena_str_dup(x->arena, arvo_buf_str(text))
                                   : ARVO_STR_NONE;
}

/* Each event is written once; result, outbox and history share the text. */
static arvo_status
emission_add(arvo__execution *x, const arvo_event *event, const arvo_json *domains)
{
    if (!emission_reserve(x, 1))
        return arvo__nomem(x->err);
    const arvo_str text = emission_text(x, event, NULL);
    const arvo_str domain_text =
        domains != NULL ? emission_text(x, NULL, domains) : emission_default_domains;
    if (text.ptr == NULL || domain_text.ptr == NULL)
        return arvo__nomem(x->err);
    x->events[x->event_count] = event;
    x->domains[x->event_count] = domains;
    x->event_texts[x->event_count] = text;
    x->domain_texts[x->event_count] = domain_text;
    x->event_count++;
    return ARVO_OK;
}

arvo_status
arvo__emission_recorded(arvo__execution *x, arvo_str json, arvo_str domains)
{
    arvo_event *event = arvo__arena_alloc(x->arena, sizeof(*event));
    const arvo_json *list = NULL;
    if (event == NULL || !emission_reserve(x, 1))
        return ARVO_E_NOMEM;

    const arvo_str text = arvo_arena_str_dup(x->arena, json); /* the row is the store's */
    if (text.ptr == NULL)
        return ARVO_E_NOMEM;
    arvo_error why;
    arvo_status st = arvo_event_parse(text, x->arena, event, &why);
    if (st == ARVO_OK && !arvo_str_equal(domains, emission_default_domains))
        st = arvo_json_parse(domains, x->arena, &list, &why);
    if (st != ARVO_OK)
        return st == ARVO_E_NOMEM ? st : ARVO_E_CORRUPT;

    x->events[x->event_count] = event;
    x->domains[x->event_count] = list;
    x->event_texts[x->event_count] = text;
    x->domain_texts[x->event_count] =
        list != NULL ? arvo_arena_str_dup(x->arena, domains) : emission_default_domains;
    return x->domain_texts[x->event_count++].ptr != NULL ? ARVO_OK : ARVO_E_NOMEM;
}

/* ---- Domains -------------------------------------------------------------------------- */

/* Checked, and each name once, at its first place (D20). */
static arvo_status
emission_domains(arvo__execution *x, const arvo_emission *raw, const arvo_json **out)
{
    *out = NULL;
    if (arvo_json_is_nullish(raw->domains))
        return ARVO_OK;
    const size_t count = arvo_json_count(raw->domains);
    if (arvo_json_type_of(raw->domains) != ARVO_JSON_ARRAY || count == 0)
        return arvo__execution_fail(
            x, ARVO_E_EXECUTION, "ExecutionViolation",
            "emission of %.*s: domains must be a list of at least one name", ARVO_FMT(raw->type));

    arvo_json *unique = arvo_json_array_new(x->arena);
    for (size_t i = 0; i < count; i++) {
        const arvo_json *item = arvo_json_at(raw->domains, i);
        const arvo_str name = arvo_json_str(item);
        if (name.ptr == NULL || !arvo_domain_is_valid(name))
            return arvo__execution_fail(
                x, ARVO_E_EXECUTION, "ExecutionViolation",
                "emission of %.*s: domain %zu must be a name of a-z, 0-9 and dots, and not \"all\"",
                ARVO_FMT(raw->type), i + 1);
        bool is_new = true;
        for (size_t k = 0; k < arvo_json_count(unique); k++)
            is_new = is_new && !arvo_str_equal(arvo_json_str(arvo_json_at(unique, k)), name);
        if (is_new)
            arvo_json_push(x->arena, unique, item);
    }
    if (arvo_arena_failed(x->arena))
        return arvo__nomem(x->err);
    const bool is_default = arvo_json_count(unique) == 1 &&
                            arvo_str_is(arvo_json_str(arvo_json_at(unique, 0)), "default");
    *out = is_default ? NULL : unique;
    return ARVO_OK;
}

/* ---- One event --------------------------------------------------------------------------- */

static const arvo_json *
emission_units(arvo__execution *x, const arvo_emission *raw)
{
    if (!arvo_json_is_nullish(raw->executionunits))
        return raw->executionunits;
    const bool machine_says = x->machine != NULL && arvo_machine_has_executionunits(x->machine);
    return arvo_json_number(
        x->arena,
        machine_says ? arvo_machine_executionunits(x->machine) : x->orchestrator->executionunits);
}

/* The subject of a child workflow: from data.parentSubject$$ when it is given, else a new root. Its
 * completion comes back to whoever `redirectto` names, by default this orchestrator. */
static arvo_status
emission_child_subject(
    arvo__execution *x, const arvo_contract_version *child, const arvo_emission *raw,
    const arvo_json *data, arvo_str *out)
{
    const arvo_orchestrator *o = x->orchestrator;
    const arvo_str parent = arvo_json_str(arvo_json_get(data, "parentSubject$$"));
    const bool is_own = arvo_str_equal(parent, x->event->subject); /* decoded in step 2 */
    arvo_json *meta = is_own && x->subject.meta != NULL ? arvo_json_clone(x->arena, x->subject.meta)
                                                        : arvo_json_object_new(x->arena);
    arvo_json_set_ref(
        x->arena, meta, ARVO_STR("redirectto"),
        arvo_json_string_ref(x->arena, raw->redirectto.len > 0 ? raw->redirectto : o->source));
    if (arvo_arena_failed(x->arena))
        return arvo__nomem(x->err);

    const arvo_subject_new_opts opts = { .name = child->accepts.type,
                                         .version = child->version,
                                         .initiator = o->source,
                                         .domain = is_own ? x->subject.domain : ARVO_STR_NONE,
                                         .meta = meta };
    /* A decoded subject outlives seven others in its codec; a step may have more children. */
    const bool is_foreign = parent.len > 0 && !is_own;
    arvo_subject_codec *codec =
        is_foreign ? arvo__scratch_relatives(o->pool, x->scratch) : x->scratch->codec;
    if (codec == NULL)
        return arvo__nomem(x->err);
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st =
        is_foreign ? arvo_subject_child(codec, parent, &opts, o->platform, x->arena, out, &why)
                   : arvo_subject_new(codec, &opts, o->platform, x->arena, out, &why);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(x->err);
    if (st != ARVO_OK)
        return arvo__execution_fail(
            x, ARVO_E_EXECUTION, "ExecutionViolation",
            "emission of %.*s: the child's subject cannot be made from data.parentSubject$$: %s "
            "(pass ${ .input.subject })",
            ARVO_FMT(raw->type), why.text);
    /* Whoever shares our cache may be the child. */
    if (!is_foreign && arvo__scratch_pool_is_shared(o->pool) &&
        x->children_remembered++ < EMISSION_REMEMBERED_MAX)
        arvo__subject_codec_remember(codec, *out, x->arena);
    return ARVO_OK;
}

static arvo_status
emission_normalise(
    arvo__execution *x, const arvo_contract_version *contract, const arvo_event_rule *rule,
    const arvo_json *data, const arvo_json **out)
{
    static const struct arvo_json absent = { .type = ARVO_JSON_NULL };
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st =
        arvo_schema_normalise(rule->schema, data != NULL ? data : &absent, x->arena, out, &why);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(x->err);
    if (st != ARVO_OK)
        return arvo__execution_fail(
            x, ARVO_E_CONTRACT, "ContractViolation", "emission of %.*s: the data breaks %.*s: %s",
            ARVO_FMT(rule->type), ARVO_FMT(contract->dataschema), why.text);
    return ARVO_OK;
}

/* Make the event of `fields` and put it on the list. */
static arvo_status
emission_create(arvo__execution *x, arvo_event *fields, const arvo_json *domains)
{
    arvo_event *event = arvo__arena_alloc(x->arena, sizeof(*event));
    if (event == NULL)
        return arvo__nomem(x->err);
    fields->source = x->orchestrator->source;
    fields->traceparent = x->traceparent;
    fields->tracestate = x->tracestate;
    fields->parentid = x->event->id;
    if (fields->accesscontrol.ptr == NULL)
        fields->accesscontrol = x->event->accesscontrol;

    arvo_span *span = arvo__trace_phase_of(x, "createArvoEvent", fields->type);
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st =
        arvo_event_create(fields, x->orchestrator->platform, x->arena, event, &why);
    if (st == ARVO_OK)
        arvo__trace_phase_event(x, span, event);
    const arvo_status failed = st == ARVO_OK ? ARVO_OK
                               : st == ARVO_E_NOMEM
                                   ? arvo__nomem(x->err)
                                   : arvo__execution_fail(
                                         x, ARVO_E_EXECUTION, "ExecutionViolation",
                                         "emission of %.*s: %s", ARVO_FMT(fields->type), why.text);
    arvo__trace_phase_end(x, span, ARVO_MEASURE_COUNT, 0, failed);
    return failed == ARVO_OK ? emission_add(x, event, domains) : failed;
}

/* A type that an expression computed: what the loader refuses where it can read the type. */
static arvo_status
emission_check_type(arvo__execution *x, arvo_str type)
{
    if (!arvo_str_starts(type, ARVO_STR(ARVO_RESERVED_PREFIX)) &&
        !arvo_str_equal(type, arvo_machine_self(x->machine)->system_error.type))
        return ARVO_OK;
    return arvo__execution_fail(
        x, ARVO_E_EXECUTION, "ExecutionViolation",
        "emission of %.*s: the type belongs to orchestrators; a workflow starts only those that "
        "are listed under contracts.services",
        ARVO_FMT(type));
}

static arvo_status
emission_one(arvo__execution *x, const arvo_emission *raw)
{
    const arvo_json *domains;
    arvo_status st = emission_domains(x, raw, &domains);
    if (st != ARVO_OK)
        return st;

    arvo_event fields = { .id = raw->id,
                          .type = raw->type,
                          .subject = x->event->subject,
                          .dataschema = raw->dataschema,
                          .data = raw->data,
                          .extensions = raw->extensions,
                          .to = raw->to,
                          .accesscontrol = raw->accesscontrol,
                          .redirectto = raw->redirectto.ptr != NULL ? raw->redirectto
                                                                    : x->orchestrator->source,
                          .executionunits = emission_units(x, raw) };
    const arvo_contract_version *service = arvo_machine_service_find(x->machine, raw->type);
    if (service != NULL) {
        st = emission_normalise(x, service, &service->accepts, raw->data, &fields.data);
        if (st == ARVO_OK && service->is_orchestrator)
            st = emission_child_subject(x, service, raw, fields.data, &fields.subject);
        if (st != ARVO_OK)
            return st;
        fields.dataschema = service->dataschema;
    } else if ((st = emission_check_type(x, raw->type)) != ARVO_OK) {
        return st;
    }
    return emission_create(x, &fields, domains);
}

/* Where answers to the workflow's initiator go: to the parent's subject when there is one. */
static arvo_str
emission_answer_subject(const arvo__execution *x)
{
    return x->parent_subject.len > 0 ? x->parent_subject : x->event->subject;
}

static arvo_status
emission_completion(arvo__execution *x)
{
    const arvo_contract_version *self = arvo_machine_self(x->machine);
    const arvo_event_rule *rule = &self->emits[0];
    const arvo_json *output = x->output.output;
    const arvo_json *empty = arvo_json_object_new(x->arena);
    const arvo_emission raw = { .type = rule->type };
    const arvo_str redirect = arvo_json_str(arvo_json_get(x->subject.meta, "redirectto"));

    arvo_event fields = { .type = rule->type,
                          .subject = emission_answer_subject(x),
                          .dataschema = self->dataschema,
                          .to = redirect.len > 0 ? redirect : x->subject.initiator,
                          .redirectto = x->orchestrator->source,
                          .executionunits = emission_units(x, &raw) };
    const arvo_status st = emission_normalise(
        x, self, rule, arvo_json_is_nullish(output) ? empty : output, &fields.data);
    return st == ARVO_OK ? emission_create(x, &fields, NULL) : st;
}

arvo_status
arvo__emission_build(arvo__execution *x)
{
    arvo_status st = ARVO_OK;
    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Emit", &start_ns);
    for (size_t i = 0; i < x->output.emission_count && st == ARVO_OK; i++)
        st = emission_one(x, &x->output.emissions[i]);
    if (st == ARVO_OK && x->output.became_done)
        st = emission_completion(x);
    arvo__trace_phase_end(x, span, ARVO_MEASURE_EMIT_NS, start_ns, st);
    return st;
}

/* ---- Workflow errors ------------------------------------------------------------------------ */

/* What the record keeps of the error. */
static arvo_str
emission_last_error(arvo__execution *x)
{
    char time[ARVO_TIMESTAMP_BYTES];
    const arvo_platform *platform = x->orchestrator->platform;
    arvo_timestamp_format(platform->time_ms(platform->self), time);

    arvo_arena *arena = x->arena;
    arvo_json *error = arvo_json_object_new(arena);
    arvo_json_set_ref(
        arena, error, ARVO_STR("errorName"), arvo_json_string_ref(arena, x->error_name));
    arvo_json_set_ref(
        arena, error, ARVO_STR("errorMessage"), arvo_json_string_ref(arena, x->error_message));
    arvo_json_set_ref(arena, error, ARVO_STR("eventId"), arvo_json_string_ref(arena, x->event->id));
    arvo_json_set_ref(
        arena, error, ARVO_STR("time"), arvo_json_string(arena, (arvo_str){ time, sizeof(time) }));
    return arvo_arena_failed(arena) ? ARVO_STR_NONE : emission_text(x, NULL, error);
}

/* Who started the workflow: data.parentSubject$$ of a start that failed before it was taken. */
static arvo_str
emission_error_subject(arvo__execution *x)
{
    if (x->parent_subject.len == 0 && !x->has_record) {
        const arvo_str parent = arvo_json_str(arvo_json_get(x->event->data, "parentSubject$$"));
        arvo_subject ignored;
        if (parent.len > 0 &&
            arvo_subject_decode(x->scratch->codec, parent, x->arena, &ignored, NULL) == ARVO_OK)
            x->parent_subject = parent;
    }
    return emission_answer_subject(x);
}

arvo_status
arvo__emission_build_error(arvo__execution *x)
{
    const arvo_orchestrator *o = x->orchestrator;
    x->event_count = 0; /* what was made before the step failed is not sent */
    x->last_error = emission_last_error(x);
    arvo_event *event = arvo__arena_alloc(x->arena, sizeof(*event));
    if (x->last_error.ptr == NULL || event == NULL)
        return arvo__nomem(x->err);

    const arvo_emission raw = { .type = o->self->system_error.type };
    const arvo_event fields = { .source = o->source,
                                .subject = emission_error_subject(x),
                                .to = x->subject.initiator,
                                .accesscontrol = x->event->accesscontrol,
                                .executionunits = emission_units(x, &raw),
                                .traceparent = x->traceparent,
                                .tracestate = x->tracestate,
                                .parentid = x->event->id };
    const arvo_factory factory = {
        .version = o->self, .platform = o->platform, .codec = x->scratch->codec, .arena = x->arena
    };
    const arvo_str stack =
        o->error_stack ? arvo_arena_printf(
                             x->arena, "%.*s@%.*s handling %.*s (%.*s)", ARVO_FMT(o->source),
                             ARVO_FMT(
                                 x->machine != NULL ? arvo_machine_version(x->machine)
                                                    : x->subject.orchestrator_version),
                             ARVO_FMT(x->event->type), ARVO_FMT(x->event->id))
                       : ARVO_STR_NONE;
    arvo_span *span = arvo__trace_phase_of(
        x, "ArvoOrchestratorEventFactory.systemError", o->self->system_error.type);
    arvo__trace_phase_str(x, span, "arvo.contract.uri", o->self->uri);
    arvo__trace_phase_str(x, span, "arvo.contract.version", o->self->version);
    const arvo_status st = arvo_factory_system_error(
        &factory, &fields, x->error_name, x->error_message, stack, event, x->err);
    if (st == ARVO_OK)
        arvo__trace_phase_event(x, span, event);
    arvo__trace_phase_end(x, span, ARVO_MEASURE_COUNT, 0, st);
    return st == ARVO_OK ? emission_add(x, event, NULL) : st;
}
