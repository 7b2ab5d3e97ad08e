/* Spans, span logs and measurements of an execution (spec 9.10). Off costs a branch. */

#include "orchestrator/internal.h"

#include <stdio.h>

#include "event/internal.h"
#include "orchestrator/handler.h"

/* ---- Contexts ------------------------------------------------------------------------ */

/* The parts one behind the other; "" when out of memory: one name less. */
static arvo_str
trace_join(arvo_arena *arena, const arvo_str *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    char *text = arvo__arena_alloc(arena, len + 1);
    if (text == NULL)
        return ARVO_STR("");
    size_t at = 0;
    for (size_t i = 0; i < count; at += parts[i++].len)
        if (parts[i].len > 0)
            memcpy(text + at, parts[i].ptr, parts[i].len);
    text[len] = '\0';
    return (arvo_str){ text, len };
}

/* What an event says of the span that made it. */
typedef struct trace_origin {
    bool has_parent;
    arvo_trace_context parent;
    arvo_str tracestate;
} trace_origin;

/* A header that cannot be read is as none, and counted; without a parent there is no state of its
 * trace, and a state that cannot be read is no reason to leave the parent. */
static void
trace_origin_read(
    const arvo_event *event, const arvo_telemetry *t, const arvo_labels *labels, trace_origin *out)
{
    *out = (trace_origin){ .tracestate = ARVO_STR_NONE };
    bool is_malformed = false;
    if (event->traceparent.ptr != NULL) {
        out->has_parent = arvo_trace_context_parse(event->traceparent, &out->parent);
        is_malformed = !out->has_parent;
    }
    if (out->has_parent && event->tracestate.ptr != NULL) {
        if (arvo_tracestate_is_valid(event->tracestate))
            out->tracestate = event->tracestate;
        else
            is_malformed = true;
    }
    if (is_malformed)
        t->measure(t->self, ARVO_MEASURE_TRACE_MALFORMED, 1, labels);
}

/* The headers of what is emitted, where the listener gave a context of its own; else what came is
 * passed on, unless it cannot be read. */
static void
trace_headers(
    const trace_origin *origin, const arvo_trace_context *own, arvo_arena *arena,
    arvo_str *traceparent, arvo_str *tracestate)
{
    static const arvo_trace_context none;
    *tracestate = origin->tracestate;
    if (memcmp(own->trace_id, none.trace_id, sizeof(none.trace_id)) == 0) {
        if (!origin->has_parent)
            *traceparent = ARVO_STR_NONE;
        return;
    }
    char *header = arvo__arena_alloc(arena, ARVO_TRACEPARENT_BYTES);
    if (header == NULL)
        return;
    arvo_trace_context_format(own, header);
    *traceparent = (arvo_str){ header, ARVO_TRACEPARENT_BYTES };
}

/* Count an event that is taken up, and open the span of its processing; the headers of what it
 * emits. `opts` lacks the parent. */
static arvo_span *
trace_begin(
    const arvo_telemetry *t, const arvo_event *event, arvo_str handler, arvo_span_opts opts,
    arvo_arena *arena, arvo_trace_context *own, arvo_str *traceparent, arvo_str *tracestate)
{
    const arvo_labels labels = { .handler = handler };
    trace_origin origin;
    t->measure(t->self, ARVO_MEASURE_EVENTS_IN, 1, &labels);
    trace_origin_read(event, t, &labels, &origin);
    opts.parent = origin.has_parent ? &origin.parent : NULL;
    opts.tracestate = origin.tracestate;
    arvo_span *span = t->span_start(t->self, &opts, own);
    trace_headers(&origin, own, arena, traceparent, tracestate);
    return span;
}

static arvo_span *
trace_child(
    const arvo_telemetry *t, const arvo_trace_context *parent, arvo_str tracestate, arvo_str name,
    int64_t start_ns)
{
    const arvo_span_opts opts = { .name = name,
                                  .kind = ARVO_SPAN_INTERNAL,
                                  .parent = parent,
                                  .tracestate = tracestate,
                                  .start_ns = start_ns };
    arvo_trace_context own;
    return t->span_start(t->self, &opts, &own);
}

/* A child called WHAT<type>, around the making of an event. */
static arvo_span *
trace_making(
    const arvo_telemetry *t, const arvo_trace_context *parent, arvo_str tracestate,
    arvo_arena *arena, const char *what, arvo_str type, int64_t start_ns)
{
    const arvo_str parts[] = { arvo_str_from(what), ARVO_STR("<"), type, ARVO_STR(">") };
    arvo_span *span = trace_child(
        t, parent, tracestate, trace_join(arena, parts, ARVO_COUNT_OF(parts)), start_ns);
    if (span != NULL) {
        t->span_str(t->self, span, ARVO_STR("arvo.span.kind"), ARVO_STR("INTERNAL"));
        t->span_str(t->self, span, ARVO_STR("openinference.span.kind"), ARVO_STR("INTERNAL"));
    }
    return span;
}

/* OpenTelemetry's own names for what is done with a message (semantic conventions, messaging). */
static void
trace_messaging(const arvo_telemetry *t, arvo_span *span, const arvo_event *event, arvo_str handler)
{
    t->span_str(t->self, span, ARVO_STR("messaging.system"), ARVO_STR("arvo"));
    t->span_str(t->self, span, ARVO_STR("messaging.operation.name"), ARVO_STR("process"));
    t->span_str(t->self, span, ARVO_STR("messaging.operation.type"), ARVO_STR("process"));
    t->span_str(t->self, span, ARVO_STR("messaging.destination.name"), handler);
    t->span_str(t->self, span, ARVO_STR("messaging.message.id"), event->id);
}

/* ---- Orchestrators ----------------------------------------------------------------- */

static int64_t
trace_now(arvo__execution *x)
{
    const arvo_platform *platform = x->orchestrator->platform;
    return x->now_ns = platform->monotonic_ns(platform->self);
}

static void
trace_measure(const arvo__execution *x, arvo_measure measure, double value, arvo_str detail)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    t->measure(
        t->self, measure, value,
        &(arvo_labels){ .handler = x->orchestrator->source,
                        .detail = detail,
                        .trace = x->span != NULL ? &x->context : NULL });
}

static void
trace_describe(arvo__execution *x, const arvo_telemetry *t)
{
    t->span_str(t->self, x->span, ARVO_STR("arvo.span.kind"), ARVO_STR("ORCHESTRATOR"));
    t->span_str(t->self, x->span, ARVO_STR("openinference.span.kind"), ARVO_STR("CHAIN"));
    trace_messaging(t, x->span, x->event, x->orchestrator->source);
    arvo__event_attributes(x->event, ARVO_STR("to_process.0."), t, x->span);
    t->span_log(t->self, x->span, ARVO_LOG_INFO, ARVO_STR("the event is taken up"));
}

void
arvo__trace_open(arvo__execution *x)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    x->traceparent = x->event->traceparent; /* without a listener the trace passes through */
    x->tracestate = x->event->tracestate;
    if (t == NULL)
        return;

    x->start_ns = trace_now(x);
    const arvo_str parts[] = { ARVO_STR("Orchestrator<"), x->orchestrator->self->uri,
                               ARVO_STR(">@<"), x->event->type, ARVO_STR(">") };
    const arvo_span_opts opts = { .name = trace_join(x->arena, parts, ARVO_COUNT_OF(parts)),
                                  .kind = ARVO_SPAN_PRODUCER,
                                  .start_ns = x->start_ns };
    x->span = trace_begin(
        t, x->event, x->orchestrator->source, opts, x->arena, &x->context, &x->traceparent,
        &x->tracestate);
    if (x->span != NULL)
        trace_describe(x, t);
}

void
arvo__trace_mark(arvo__execution *x)
{
    if (x->orchestrator->telemetry != NULL)
        (void)trace_now(x);
}

/* Once per domain that an event is in. */
static void
trace_measure_emitted(arvo__execution *x)
{
    for (size_t i = 0; i < x->event_count; i++)
        for (size_t k = 0; k < arvo__domain_count(x, i); k++)
            trace_measure(x, ARVO_MEASURE_EVENTS_OUT, 1, arvo__domain_name(x, i, k));
}

/* What it answers was made by another execution, which those events name. */
static void
trace_link_first(arvo__execution *x, const arvo_telemetry *t)
{
    arvo_trace_context first;
    if (x->span != NULL && x->event_count > 0 &&
        arvo_trace_context_parse(x->events[0]->traceparent, &first))
        t->span_link(t->self, x->span, &first);
}

static void
trace_outcome(arvo__execution *x, const arvo_telemetry *t)
{
    switch (x->outcome) {
    case ARVO_OUTCOME_IGNORED:
        trace_measure(x, ARVO_MEASURE_EVENTS_IGNORED, 1, ARVO_STR_NONE);
        break;
    case ARVO_OUTCOME_DUPLICATE:
        trace_measure(x, ARVO_MEASURE_EVENTS_DEDUPLICATED, 1, ARVO_STR_NONE);
        trace_link_first(x, t);
        return; /* its events went out before */
    case ARVO_OUTCOME_FAILED:
        trace_measure(x, ARVO_MEASURE_EVENTS_FAILED, 1, x->error_name);
        break;
    case ARVO_OUTCOME_EXECUTED:
        break;
    }
    trace_measure_emitted(x);
}

static void
trace_emitted(arvo__execution *x, const arvo_telemetry *t)
{
    for (size_t i = 0; i < x->event_count; i++) {
        char prefix[32];
        const int len = snprintf(prefix, sizeof(prefix), "to_emit.%zu.", i);
        arvo__event_attributes(x->events[i], (arvo_str){ prefix, (size_t)len }, t, x->span);
        for (size_t k = 0; k < arvo__domain_count(x, i); k++) {
            char key[64];
            const int key_len =
                snprintf(key, sizeof(key), "to_emit.%zu.domains.%zu", i, k); /* D37 mended */
            t->span_str(
                t->self, x->span, (arvo_str){ key, (size_t)key_len }, arvo__domain_name(x, i, k));
        }
    }
}

/* What is known when it is over. */
static void
trace_finish(arvo__execution *x, const arvo_telemetry *t)
{
    static const char *const outcomes[] = { [ARVO_OUTCOME_EXECUTED] = "executed",
                                            [ARVO_OUTCOME_IGNORED] = "ignored",
                                            [ARVO_OUTCOME_DUPLICATE] = "duplicate",
                                            [ARVO_OUTCOME_FAILED] = "failed" };
    t->span_str(
        t->self, x->span, ARVO_STR("arvo.execution.outcome"), arvo_str_from(outcomes[x->outcome]));
    if (x->has_record)
        t->span_str(t->self, x->span, ARVO_STR("arvo.orchestration.status"), x->record.status);
    trace_emitted(x, t);
}

void
arvo__trace_close(arvo__execution *x, arvo_status status, const arvo_error *err)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    if (t == NULL)
        return;
    const int64_t end_ns = trace_now(x);
    if (status == ARVO_OK)
        trace_outcome(x, t);
    else
        trace_measure(x, ARVO_MEASURE_EVENTS_FAILED, 1, arvo_str_from(arvo_status_name(status)));
    if (x->locked_ns != 0)
        trace_measure(x, ARVO_MEASURE_LOCK_HOLD_NS, (double)(end_ns - x->locked_ns), ARVO_STR_NONE);
    trace_measure(x, ARVO_MEASURE_TOTAL_NS, (double)(end_ns - x->start_ns), ARVO_STR_NONE);
    if (x->span == NULL)
        return;

    if (x->subject.execution_id.ptr != NULL)
        t->span_str(
            t->self, x->span, ARVO_STR("messaging.message.conversation_id"),
            x->subject.execution_id);
    if (status == ARVO_OK)
        trace_finish(x, t);
    if (status != ARVO_OK)
        t->span_end(
            t->self, x->span, end_ns, arvo_str_from(arvo_status_name(status)),
            arvo_str_from(err->text));
    else if (x->outcome == ARVO_OUTCOME_FAILED)
        t->span_end(t->self, x->span, end_ns, x->error_name, x->error_message);
    else
        t->span_end(t->self, x->span, end_ns, ARVO_STR_NONE, ARVO_STR_NONE);
}

void
arvo__trace_lease_lost(const arvo__execution *x)
{
    if (x->orchestrator->telemetry != NULL)
        trace_measure(x, ARVO_MEASURE_LEASES_LOST, 1, ARVO_STR_NONE);
}

void
arvo__trace_log_text(arvo__execution *x, arvo_severity severity, arvo_str text)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    if (text.ptr != NULL) /* out of memory: one line less in a log */
        t->span_log(t->self, x->span, severity, text);
}

arvo_span *
arvo__trace_phase(arvo__execution *x, const char *name, int64_t *out_start_ns)
{
    *out_start_ns = x->now_ns; /* where the last phase ended */
    if (x->span == NULL)
        return NULL;
    return trace_child(
        x->orchestrator->telemetry, &x->context, x->tracestate, arvo_str_from(name), x->now_ns);
}

arvo_span *
arvo__trace_phase_of(arvo__execution *x, const char *name, arvo_str type)
{
    if (x->span == NULL)
        return NULL;
    return trace_making(
        x->orchestrator->telemetry, &x->context, x->tracestate, x->arena, name, type, x->now_ns);
}

void
arvo__trace_phase_event(arvo__execution *x, arvo_span *span, const arvo_event *event)
{
    if (span != NULL)
        arvo__event_attributes(event, ARVO_STR(""), x->orchestrator->telemetry, span);
}

void
arvo__trace_phase_str(arvo__execution *x, arvo_span *span, const char *key, arvo_str value)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    if (span != NULL && value.ptr != NULL)
        t->span_str(t->self, span, arvo_str_from(key), value);
}

/* The name and the message of what went wrong: a workflow error has its own. */
static void
trace_phase_error(
    const arvo__execution *x, arvo_status status, arvo_str *out_type, arvo_str *out_message)
{
    *out_type = *out_message = ARVO_STR_NONE;
    if (status == ARVO_OK)
        return;
    const bool has_name = arvo__is_workflow_error(status) && x->error_name.ptr != NULL;
    *out_type = has_name ? x->error_name : arvo_str_from(arvo_status_name(status));
    *out_message = has_name                  ? x->error_message
                   : x->err->text[0] != '\0' ? arvo_str_from(x->err->text)
                                             : arvo_str_from(arvo_status_text(status));
}

void
arvo__trace_phase_end(
    arvo__execution *x, arvo_span *span, arvo_measure measure, int64_t start_ns, arvo_status status)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    if (t == NULL || (span == NULL && measure == ARVO_MEASURE_COUNT))
        return;
    const int64_t end_ns = trace_now(x);
    if (measure == ARVO_MEASURE_LOCK_WAIT_NS && status == ARVO_OK)
        x->locked_ns = end_ns;
    if (measure != ARVO_MEASURE_COUNT)
        trace_measure(x, measure, (double)(end_ns - start_ns), ARVO_STR_NONE);
    if (span == NULL)
        return;
    arvo_str type, message;
    trace_phase_error(x, status, &type, &message);
    t->span_end(t->self, span, end_ns, type, message);
}

/* ---- Handlers ------------------------------------------------------------------------ */

static int64_t
trace_handler_now(const arvo__handler_trace *trace)
{
    return trace->platform->monotonic_ns(trace->platform->self);
}

void
arvo__handler_trace_open(
    const arvo_handler *handler, const arvo_telemetry *telemetry, const arvo_event *event,
    arvo_arena *arena, arvo__handler_trace *out)
{
    const arvo_telemetry *t = telemetry;
    *out = (arvo__handler_trace){ .telemetry = t,
                                  .platform = handler->platform,
                                  .type = handler->type,
                                  .arena = arena,
                                  .traceparent = event->traceparent,
                                  .tracestate = event->tracestate };
    if (t == NULL)
        return;
    out->start_ns = trace_handler_now(out);
    const arvo_str uri =
        handler->contract != NULL ? arvo_contract_uri(handler->contract) : handler->type;
    const arvo_str parts[] = { ARVO_STR("ArvoEventHandler<"), uri, ARVO_STR(">") };
    const arvo_span_opts opts = { .name = trace_join(arena, parts, ARVO_COUNT_OF(parts)),
                                  .kind = ARVO_SPAN_CONSUMER,
                                  .start_ns = out->start_ns };
    out->span = trace_begin(
        t, event, handler->type, opts, arena, &out->context, &out->traceparent, &out->tracestate);
    if (out->span == NULL)
        return;
    t->span_str(t->self, out->span, ARVO_STR("arvo.span.kind"), ARVO_STR("EVENT_HANDLER"));
    t->span_str(t->self, out->span, ARVO_STR("openinference.span.kind"), ARVO_STR("CHAIN"));
    t->span_str(t->self, out->span, ARVO_STR("arvo.handler.source"), handler->type);
    t->span_str(t->self, out->span, ARVO_STR("arvo.contract.uri"), uri);
    trace_messaging(t, out->span, event, handler->type);
    arvo__event_attributes(event, ARVO_STR("to_process.0."), t, out->span);
}

arvo_span *
arvo__handler_trace_emit(
    const arvo__handler_trace *trace, arvo_str type, const arvo_contract_version *contract)
{
    const arvo_telemetry *t = trace->telemetry;
    if (t == NULL || trace->span == NULL)
        return NULL;
    arvo_span *span = trace_making(
        t, &trace->context, trace->tracestate, trace->arena, "ArvoEventFactory.emits", type,
        trace_handler_now(trace));
    if (span != NULL && contract != NULL) {
        t->span_str(t->self, span, ARVO_STR("arvo.contract.uri"), contract->uri);
        t->span_str(t->self, span, ARVO_STR("arvo.contract.version"), contract->version);
    }
    return span;
}

void
arvo__handler_trace_emitted(
    const arvo__handler_trace *trace, arvo_span *span, const arvo_event *event, arvo_status status,
    const arvo_error *err)
{
    const arvo_telemetry *t = trace->telemetry;
    if (span == NULL)
        return;
    if (status == ARVO_OK)
        arvo__event_attributes(event, ARVO_STR(""), t, span);
    t->span_end(
        t->self, span, trace_handler_now(trace),
        status != ARVO_OK ? arvo_str_from(arvo_status_name(status)) : ARVO_STR_NONE,
        status != ARVO_OK ? arvo_str_from(err->text) : ARVO_STR_NONE);
}

void
arvo__handler_trace_close(
    const arvo__handler_trace *trace, arvo_event_list answers, arvo_str error_name,
    arvo_str error_message)
{
    const arvo_telemetry *t = trace->telemetry;
    if (t == NULL)
        return;
    const int64_t end_ns = trace_handler_now(trace);
    arvo_labels labels = { .handler = trace->type,
                           .trace = trace->span != NULL ? &trace->context : NULL };
    t->measure(t->self, ARVO_MEASURE_HANDLER_NS, (double)(end_ns - trace->start_ns), &labels);
    labels.detail = error_name;
    if (error_name.ptr != NULL)
        t->measure(t->self, ARVO_MEASURE_EVENTS_FAILED, 1, &labels);
    labels.detail = ARVO_STR("default");
    if (answers.count > 0)
        t->measure(t->self, ARVO_MEASURE_EVENTS_OUT, (double)answers.count, &labels);
    if (trace->span == NULL)
        return;
    for (size_t i = 0; i < answers.count; i++) {
        char prefix[32];
        const int len = snprintf(prefix, sizeof(prefix), "to_emit.%zu.", i);
        arvo__event_attributes(answers.items[i], (arvo_str){ prefix, (size_t)len }, t, trace->span);
    }
    t->span_end(t->self, trace->span, end_ns, error_name, error_message);
}
