/* Event handlers: stateless services bound to one contract (spec 10.1). */

#include "orchestrator/handler.h"

#include <math.h>

/* What one call collects. */
struct arvo__handling_impl {
    arvo_handler *handler;
    const arvo_handling *handling;
    const arvo__handler_trace *trace;
    const arvo_event **events;
    size_t count;
    size_t cap;
    arvo_status status; /* of the first answer that could not be made */
    arvo_error *err;
    bool failed; /* arvo_handling_fail() */
    arvo_str error_name;
    arvo_str error_message;
};

/* ---- Answers ------------------------------------------------------------------- */

static bool
handling_add(struct arvo__handling_impl *impl, const arvo_event *event)
{
    arvo_arena *arena = impl->handling->arena;
    if (impl->count == impl->cap) {
        const size_t cap = impl->cap != 0 ? impl->cap * 2 : 4;
        const arvo_event **events = arvo__arena_alloc(arena, cap * sizeof(const arvo_event *));
        if (events == NULL)
            return false;
        if (impl->count > 0)
            memcpy(events, impl->events, impl->count * sizeof(*events));
        impl->events = events;
        impl->cap = cap;
    }
    impl->events[impl->count++] = event;
    return true;
}

static arvo_factory
handling_factory(const struct arvo__handling_impl *impl, const arvo_contract_version *version)
{
    return (arvo_factory){ .version = version,
                           .platform = impl->handler->platform,
                           .codec = NULL,
                           .arena = impl->handling->arena };
}

static const arvo_json *
handling_units(const struct arvo__handling_impl *impl)
{
    return arvo_json_number(impl->handling->arena, impl->handler->executionunits);
}

/* A request that is handled twice gets answers with the same ids, so that whoever gets them twice
 * knows. */
static arvo_str
handling_id(const struct arvo__handling_impl *impl)
{
    const arvo_event *request = impl->handling->event;
    const arvo_str parts[] = { impl->handler->type, request->subject, request->source,
                               request->id };
    uint64_t high = impl->count, low = ~(uint64_t)impl->count;
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++) {
        high = arvo__hash(parts[i].ptr, parts[i].len, high);
        low = arvo__hash(parts[i].ptr, parts[i].len, low);
    }
    return arvo_arena_printf(
        impl->handling->arena, "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(high >> 32),
        (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
        (unsigned)(low >> 48 & 0x3fff) | 0x8000, (unsigned long long)(low & 0xffffffffffff));
}

/* The answer's fields over what the request says of it (spec 10.1.3). */
static arvo_event
handling_fields(const struct arvo__handling_impl *impl, const arvo_event *fields)
{
    const arvo_event *request = impl->handling->event;
    arvo_event answer = *fields;
    answer.source = impl->handler->type;
    answer.subject = request->subject;
    if (answer.to.ptr == NULL)
        answer.to = request->redirectto.ptr != NULL ? request->redirectto : request->source;
    if (answer.executionunits == NULL)
        answer.executionunits = handling_units(impl);
    if (answer.accesscontrol.ptr == NULL)
        answer.accesscontrol = request->accesscontrol;
    answer.traceparent = impl->trace->traceparent;
    answer.tracestate = impl->trace->tracestate;
    answer.parentid = request->id;
    if (answer.id.ptr == NULL)
        answer.id = handling_id(impl);
    return answer;
}

void
arvo_handling_emit(const arvo_handling *handling, const arvo_event *fields)
{
    struct arvo__handling_impl *impl = handling->impl;
    if (impl->status != ARVO_OK)
        return;

    arvo_event *event = arvo__arena_alloc(handling->arena, sizeof(*event));
    if (event == NULL) {
        impl->status = arvo__nomem(impl->err);
        return;
    }
    const arvo_event answer = handling_fields(impl, fields);
    arvo_span *span = arvo__handler_trace_emit(impl->trace, answer.type, handling->contract);
    if (handling->contract != NULL) {
        const arvo_factory factory = handling_factory(impl, handling->contract);
        impl->status = arvo_factory_emits(&factory, &answer, event, impl->err);
    } else {
        impl->status =
            arvo_event_create(&answer, impl->handler->platform, handling->arena, event, impl->err);
    }
    if (impl->status == ARVO_E_INVALID || impl->status == ARVO_E_NOT_FOUND) {
        impl->status = ARVO_E_CONTRACT;
        arvo_error_prefix(
            impl->err, "%.*s answering event %.*s", ARVO_FMT(impl->handler->type),
            ARVO_FMT(handling->event->id));
    }
    arvo__handler_trace_emitted(impl->trace, span, event, impl->status, impl->err);
    if (impl->status == ARVO_OK && !handling_add(impl, event))
        impl->status = arvo__nomem(impl->err);
}

bool
arvo_handling_fail(const arvo_handling *handling, arvo_str name, arvo_str message)
{
    struct arvo__handling_impl *impl = handling->impl;
    if (!impl->failed) {
        impl->failed = true;
        impl->error_name =
            arvo__error_message(handling->arena, name.ptr != NULL ? name : ARVO_STR("Error"));
        impl->error_message =
            arvo__error_message(handling->arena, message.ptr != NULL ? message : ARVO_STR(""));
    }
    return false;
}

bool
arvo__handling_nomem(const arvo_handling *handling)
{
    struct arvo__handling_impl *impl = handling->impl;
    if (impl->status == ARVO_OK)
        impl->status = arvo__nomem(impl->err);
    return false;
}

/* sys.{type}.error to the event's source; redirectto does not matter here (spec 10.1.4). */
static arvo_status
handling_system_error(struct arvo__handling_impl *impl)
{
    const arvo_event *request = impl->handling->event;
    const arvo_handler *handler = impl->handler;
    arvo_event *event = arvo__arena_alloc(impl->handling->arena, sizeof(*event));
    if (event == NULL || impl->error_name.ptr == NULL || impl->error_message.ptr == NULL)
        return arvo__nomem(impl->err);

    arvo_event none = { 0 };
    none.to = request->source;
    arvo_event fields = handling_fields(impl, &none);
    arvo_status st;
    impl->count = 0; /* what it answered before it failed is not sent */
    if (handler->contract != NULL) {
        const arvo_factory factory = handling_factory(
            impl, arvo_contract_version_find(handler->contract, ARVO_STR("latest")));
        st = arvo_factory_system_error(
            &factory, &fields, impl->error_name, impl->error_message, ARVO_STR_NONE, event,
            impl->err);
    } else {
        arvo_arena *arena = impl->handling->arena;
        arvo_json *data = arvo_json_object_new(arena);
        arvo_json_set_ref(
            arena, data, ARVO_STR("errorName"), arvo_json_string_ref(arena, impl->error_name));
        arvo_json_set_ref(
            arena, data, ARVO_STR("errorMessage"),
            arvo_json_string_ref(arena, impl->error_message));
        arvo_json_set_ref(arena, data, ARVO_STR("errorStack"), arvo_json_null());
        fields.type = arvo_arena_printf(arena, "sys.%.*s.error", ARVO_FMT(handler->type));
        fields.data = data;
        st = fields.type.ptr != NULL && data != NULL
                 ? arvo_event_create(&fields, handler->platform, arena, event, impl->err)
                 : arvo__nomem(impl->err);
    }
    if (st == ARVO_OK && !handling_add(impl, event))
        st = arvo__nomem(impl->err);
    return st;
}

/* ---- Execution ------------------------------------------------------------------------ */

/* The contract version that the event's dataschema names; the latest when it names none. */
static arvo_status
handler_version(
    const arvo_handler *handler, const arvo_event *event, const arvo_contract_version **out,
    arvo_error *err)
{
    arvo_str uri, version;
    *out = NULL;
    if (handler->contract == NULL)
        return ARVO_OK;
    if (!arvo_dataschema_parse(event->dataschema, &uri, &version))
        version = ARVO_STR("latest");
    else if (uri.len > 0 && !arvo_str_equal(uri, arvo_contract_uri(handler->contract)))
        return arvo__fail(
            err, ARVO_E_CONTRACT,
            "event %.*s: its dataschema names the contract %.*s, the handler of %.*s serves %.*s",
            ARVO_FMT(event->id), ARVO_FMT(uri), ARVO_FMT(handler->type),
            ARVO_FMT(arvo_contract_uri(handler->contract)));
    *out = arvo_contract_version_find(handler->contract, version);
    if (*out == NULL)
        return arvo__fail(
            err, ARVO_E_CONFIG, "event %.*s: contract %.*s has no version %.*s",
            ARVO_FMT(event->id), ARVO_FMT(arvo_contract_uri(handler->contract)), ARVO_FMT(version));
    return ARVO_OK;
}

/* Check the data and, as a machine does, hand the normalised form on (D21). */
static arvo_status
handler_normalise(
    const arvo_contract_version *version, arvo_event *event, arvo_arena *arena, arvo_error *err)
{
    if (version == NULL)
        return ARVO_OK;
    arvo_error why = { 0 };
    const arvo_status st =
        arvo_schema_normalise(version->accepts.schema, event->data, arena, &event->data, &why);
    if (st == ARVO_OK)
        return ARVO_OK;
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(err);
    return arvo__fail(
        err, ARVO_E_CONTRACT, "event %.*s: %.*s: the data breaks %.*s: %s", ARVO_FMT(event->id),
        ARVO_FMT(event->type), ARVO_FMT(version->dataschema), why.text);
}

static arvo_handler_fn
handler_function(const arvo_handler *handler, const arvo_contract_version *version)
{
    if (version == NULL)
        return handler->handle;
    for (size_t i = 0; i < handler->version_count; i++)
        if (handler->versions[i].version == version)
            return handler->versions[i].handle;
    return handler->handle;
}

/* Call the function; its answers are in impl->events. */
static arvo_status
handler_call(
    struct arvo__handling_impl *impl, const arvo_contract_version *version, const arvo_event *event,
    arvo_arena *arena)
{
    arvo_handler *handler = impl->handler;
    const arvo_handling handling = {
        .event = event, .contract = version, .arena = arena, .user = handler->user, .impl = impl
    };
    impl->handling = &handling;
    const bool ok = handler_function(handler, version)(&handling);
    if (impl->status != ARVO_OK)
        return impl->status;
    if (ok && !impl->failed)
        return ARVO_OK;
    (void)arvo_handling_fail(&handling, ARVO_STR("Error"), ARVO_STR("the handler failed"));
    return handling_system_error(impl);
}

static arvo_status
handler_run(struct arvo__handling_impl *impl, const arvo_event *event, arvo_arena *arena)
{
    const arvo_handler *handler = impl->handler;
    if (!arvo_str_equal(event->type, handler->type))
        return arvo__fail(
            impl->err, ARVO_E_CONFIG, "event %.*s: its type is %.*s, the handler serves %.*s",
            ARVO_FMT(event->id), ARVO_FMT(event->type), ARVO_FMT(handler->type));

    const arvo_contract_version *version;
    arvo_status st = handler_version(handler, event, &version, impl->err);
    if (st != ARVO_OK)
        return st;
    arvo_event normalised = *event;
    st = handler_normalise(version, &normalised, arena, impl->err);
    return st == ARVO_OK ? handler_call(impl, version, &normalised, arena) : st;
}

arvo_status
arvo__handler_execute(
    arvo_handler *handler, const arvo_platform *platform, const arvo_telemetry *telemetry,
    const arvo_event *event, arvo_arena *arena, arvo_event_list *out, arvo_error *err)
{
    arvo__handler_trace trace;
    arvo__handler_trace_open(
        handler, handler->telemetry != NULL ? handler->telemetry : telemetry, event, arena, &trace);

    arvo_error local;
    arvo__error_clear(&local);
    struct arvo__handling_impl impl = { .handler = handler, .trace = &trace, .err = &local };
    const arvo_status st = handler_run(&impl, event, arena);
    if (st == ARVO_OK) {
        *out = (arvo_event_list){ impl.events, impl.count };
        if (impl.error_name.ptr != NULL)
            arvo__handler_log_error(
                handler->platform->log != NULL || platform == NULL ? handler->platform : platform,
                handler->type, event, impl.error_name, impl.error_message);
        arvo__handler_trace_close(&trace, *out, impl.error_name, impl.error_message);
        return ARVO_OK;
    }
    arvo__handler_trace_close(
        &trace, (arvo_event_list){ NULL, 0 }, arvo_str_from(arvo_status_name(st)),
        arvo_str_from(local.text));
    if (err != NULL)
        *err = local;
    return st;
}

arvo_status
arvo_handler_execute(
    arvo_handler *handler, const arvo_event *event, arvo_arena *arena, arvo_event_list *out,
    arvo_error *err)
{
    ARVO_ASSERT(handler != NULL && event != NULL && arena != NULL && out != NULL);
    return arvo__handler_execute(handler, NULL, NULL, event, arena, out, err);
}

/* ---- Life --------------------------------------------------------------------------------- */

arvo_handler *
arvo__handler_new(const arvo_allocator *allocator, arvo_contracts *contracts)
{
    arvo_handler *handler = arvo__calloc(allocator, 1, sizeof(*handler));
    if (handler == NULL)
        return NULL;
    if (allocator != NULL) {
        handler->allocator_copy = *allocator;
        handler->allocator = &handler->allocator_copy;
    }
    handler->platform = arvo_platform_system();
    handler->arena =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = handler->allocator, .chunk_bytes = 2048 });
    if (handler->arena == NULL) {
        arvo__free(allocator, handler, sizeof(*handler));
        return NULL;
    }
    if (contracts != NULL)
        handler->contracts = arvo_contracts_ref(contracts);
    return handler;
}

void
arvo_handler_free(arvo_handler *handler)
{
    if (handler == NULL)
        return;
    arvo__expr_set_free(handler->expressions);
    arvo_contracts_unref(handler->contracts);
    arvo_arena_free(handler->arena);
    const arvo_allocator copy = handler->allocator_copy;
    arvo__free(handler->allocator != NULL ? &copy : NULL, handler, sizeof(*handler));
}

static arvo_handler_fn
handler_given(const arvo_handler_opts *opts, arvo_str version)
{
    for (const arvo_handler_version *row = opts->versions; row != NULL && row->version != NULL;
         row++)
        if (arvo_str_is(version, row->version))
            return row->handle;
    return NULL;
}

static arvo_status
handler_bind(arvo_handler *handler, const arvo_handler_opts *opts, arvo_error *err)
{
    const size_t count = arvo_contract_version_count(handler->contract);
    handler->versions = arvo_arena_calloc(handler->arena, count, sizeof(*handler->versions));
    if (handler->versions == NULL)
        return arvo__nomem(err);
    handler->version_count = count;
    for (size_t i = 0; i < count; i++) {
        const arvo_contract_version *version = arvo_contract_version_at(handler->contract, i);
        handler->versions[i].version = version;
        handler->versions[i].handle = handler_given(opts, version->version);
        if (handler->versions[i].handle == NULL)
            return arvo__fail(
                err, ARVO_E_INVALID, "contract %.*s: version %.*s has no handler function",
                ARVO_FMT(version->uri), ARVO_FMT(version->version));
    }
    for (const arvo_handler_version *row = opts->versions; row->version != NULL; row++)
        if (arvo_contract_version_find(handler->contract, arvo_str_from(row->version)) == NULL)
            return arvo__fail(
                err, ARVO_E_INVALID, "contract %s: there is no version %s to handle",
                opts->contract_uri, row->version);
    return ARVO_OK;
}

arvo_status
arvo_handler_create(const arvo_handler_opts *opts, arvo_handler **out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && out != NULL);
    if (opts->contracts == NULL || opts->contract_uri == NULL || opts->versions == NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "a handler needs contracts, a contract URI and versions");
    const arvo_contract *contract =
        arvo_contracts_find(opts->contracts, arvo_str_from(opts->contract_uri));
    if (contract == NULL)
        return arvo__fail(
            err, ARVO_E_NOT_FOUND, "contract %s: it is not in the set: add it first",
            opts->contract_uri);
    if (!(opts->executionunits >= 0) || !isfinite(opts->executionunits))
        return arvo__fail(err, ARVO_E_INVALID, "executionunits: must be a number, 0 or more");
    arvo_status st = arvo_telemetry_check(opts->telemetry, err);
    if (st == ARVO_OK && opts->platform != NULL)
        st = arvo_log_check(opts->platform->log, err);
    if (st != ARVO_OK)
        return st;

    arvo_handler *handler = arvo__handler_new(opts->allocator, opts->contracts);
    if (handler == NULL)
        return arvo__nomem(err);
    handler->contract = contract;
    handler->type = arvo_contract_type(contract);
    handler->user = opts->user;
    handler->executionunits = opts->executionunits;
    handler->telemetry = opts->telemetry;
    if (opts->platform != NULL)
        handler->platform = opts->platform;
    st = handler_bind(handler, opts, err);
    if (st != ARVO_OK)
        arvo_handler_free(handler);
    else
        *out = handler;
    return st;
}

arvo_str
arvo_handler_type(const arvo_handler *handler)
{
    return handler->type;
}

bool
arvo_handler_is_mock(const arvo_handler *handler)
{
    return handler->is_mock;
}
