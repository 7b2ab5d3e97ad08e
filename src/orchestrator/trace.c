/* Spans, span logs and measurements of an execution (spec 9.10). Off costs a branch. */

#include "orchestrator/internal.h"

#include <stdio.h>

#include "event/internal.h"
#include "orchestrator/handler.h"

/* ---- Orchestrators ----------------------------------------------------------------- */

static int64_t
trace_now(const arvo__execution *x)
{
    const arvo_platform *platform = x->orchestrator->platform;
    return platform->monotonic_ns(platform->self);
}

void
arvo__trace_open(arvo__execution *x)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    x->traceparent = x->event->traceparent; /* without a span of our own the trace passes through */
    x->tracestate = x->event->tracestate;
    if (t == NULL)
        return;

    x->start_ns = trace_now(x);
    t->measure(t->self, ARVO_MEASURE_EVENTS_IN, 1);
    arvo_trace_context parent, own = { { 0 }, { 0 }, 0 };
    const bool has_parent = x->event->traceparent.ptr != NULL &&
                            arvo_trace_context_parse(x->event->traceparent, &parent);
    const arvo_str name = arvo_arena_printf(
        x->arena, "Orchestrator<%.*s>@<%.*s>", ARVO_FMT(x->orchestrator->self->uri),
        ARVO_FMT(x->event->type));
    x->span = t->span_start(
        t->self, name.ptr != NULL ? name : ARVO_STR("Orchestrator"), ARVO_SPAN_PRODUCER,
        has_parent ? &parent : NULL, &own);
    if (x->span == NULL)
        return;

    x->context = own;
    char *header = arvo__arena_alloc(x->arena, ARVO_TRACEPARENT_BYTES);
    if (header != NULL) {
        arvo_trace_context_format(&own, header);
        x->traceparent = (arvo_str){ header, ARVO_TRACEPARENT_BYTES };
        if (!has_parent)
            x->tracestate = ARVO_STR_NONE; /* it belonged to the trace that is not continued */
    }
    t->span_str(t->self, x->span, ARVO_STR("arvo.span.kind"), ARVO_STR("ORCHESTRATOR"));
    t->span_str(t->self, x->span, ARVO_STR("openinference.span.kind"), ARVO_STR("CHAIN"));
    arvo__event_attributes(x->event, ARVO_STR("to_process.0."), t, x->span);
    arvo__trace_log(
        x, ARVO_LOG_INFO, "handling %.*s for subject %.*s", ARVO_FMT(x->event->type),
        ARVO_FMT(x->event->subject));
}

static void
trace_outcome(arvo__execution *x, const arvo_telemetry *t)
{
    switch (x->outcome) {
    case ARVO_OUTCOME_IGNORED:
        t->measure(t->self, ARVO_MEASURE_EVENTS_IGNORED, 1);
        break;
    case ARVO_OUTCOME_DUPLICATE:
        t->measure(t->self, ARVO_MEASURE_EVENTS_DEDUPLICATED, 1);
        break;
    case ARVO_OUTCOME_FAILED:
        t->measure(t->self, ARVO_MEASURE_EVENTS_FAILED, 1);
        break;
    case ARVO_OUTCOME_EXECUTED:
        break;
    }
    if (x->event_count > 0 && x->outcome != ARVO_OUTCOME_DUPLICATE) /* those went out before */
        t->measure(t->self, ARVO_MEASURE_EVENTS_OUT, (double)x->event_count);
}

static void
trace_emitted(arvo__execution *x, const arvo_telemetry *t)
{
    for (size_t i = 0; i < x->event_count; i++) {
        char prefix[32];
        const int len = snprintf(prefix, sizeof(prefix), "to_emit.%zu.", i);
        arvo__event_attributes(x->events[i], (arvo_str){ prefix, (size_t)len }, t, x->span);
        const size_t domains = x->domains[i] == NULL ? 1 : arvo_json_count(x->domains[i]);
        for (size_t k = 0; k < domains; k++) {
            char key[64];
            const int key_len =
                snprintf(key, sizeof(key), "to_emit.%zu.domains.%zu", i, k); /* D37 mended */
            t->span_str(
                t->self, x->span, (arvo_str){ key, (size_t)key_len },
                x->domains[i] == NULL ? ARVO_STR("default")
                                      : arvo_json_str(arvo_json_at(x->domains[i], k)));
        }
    }
}

void
arvo__trace_close(arvo__execution *x, arvo_status status, const arvo_error *err)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    if (t == NULL)
        return;
    if (status == ARVO_OK)
        trace_outcome(x, t);
    else
        t->measure(t->self, ARVO_MEASURE_EVENTS_FAILED, 1);
    t->measure(t->self, ARVO_MEASURE_TOTAL_NS, (double)(trace_now(x) - x->start_ns));
    if (x->span == NULL)
        return;

    if (status == ARVO_OK && x->has_record)
        t->span_str(t->self, x->span, ARVO_STR("arvo.orchestration.status"), x->record.status);
    if (status == ARVO_OK)
        trace_emitted(x, t);
    if (status != ARVO_OK)
        t->span_end(
            t->self, x->span, arvo_str_from(arvo_status_name(status)), arvo_str_from(err->text));
    else if (x->outcome == ARVO_OUTCOME_FAILED)
        t->span_end(t->self, x->span, x->error_name, x->error_message);
    else
        t->span_end(t->self, x->span, ARVO_STR_NONE, ARVO_STR_NONE);
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
    const arvo_telemetry *t = x->orchestrator->telemetry;
    *out_start_ns = 0;
    if (t == NULL)
        return NULL;
    *out_start_ns = trace_now(x);
    arvo_trace_context own;
    return x->span != NULL
               ? t->span_start(t->self, arvo_str_from(name), ARVO_SPAN_INTERNAL, &x->context, &own)
               : NULL;
}

void
arvo__trace_phase_end(
    arvo__execution *x, arvo_span *span, arvo_measure measure, int64_t start_ns, arvo_status status)
{
    const arvo_telemetry *t = x->orchestrator->telemetry;
    if (t == NULL)
        return;
    if (measure != ARVO_MEASURE_COUNT)
        t->measure(t->self, measure, (double)(trace_now(x) - start_ns));
    if (span != NULL)
        t->span_end(
            t->self, span,
            status != ARVO_OK ? arvo_str_from(arvo_status_name(status)) : ARVO_STR_NONE,
            status != ARVO_OK ? arvo_str_from(arvo_status_text(status)) : ARVO_STR_NONE);
}

/* ---- Handlers ------------------------------------------------------------------------ */

void
arvo__handler_trace_open(
    const arvo_handler *handler, const arvo_event *event, arvo_arena *arena,
    arvo__handler_trace *out)
{
    const arvo_telemetry *t = handler->telemetry;
    *out = (arvo__handler_trace){ .telemetry = t,
                                  .traceparent = event->traceparent,
                                  .tracestate = event->tracestate };
    if (t == NULL)
        return;
    arvo_trace_context parent, own = { { 0 }, { 0 }, 0 };
    const bool has_parent =
        event->traceparent.ptr != NULL && arvo_trace_context_parse(event->traceparent, &parent);
    const arvo_str uri =
        handler->contract != NULL ? arvo_contract_uri(handler->contract) : handler->type;
    const arvo_str name = arvo_arena_printf(arena, "ArvoEventHandler<%.*s>", ARVO_FMT(uri));
    out->span = t->span_start(
        t->self, name.ptr != NULL ? name : ARVO_STR("ArvoEventHandler"), ARVO_SPAN_CONSUMER,
        has_parent ? &parent : NULL, &own);
    if (out->span == NULL)
        return;
    char header[ARVO_TRACEPARENT_BYTES];
    arvo_trace_context_format(&own, header);
    out->traceparent = arvo_arena_str_dup(arena, (arvo_str){ header, sizeof(header) });
    if (!has_parent)
        out->tracestate = ARVO_STR_NONE;
    t->span_str(t->self, out->span, ARVO_STR("arvo.span.kind"), ARVO_STR("EVENT_HANDLER"));
    t->span_str(t->self, out->span, ARVO_STR("openinference.span.kind"), ARVO_STR("CHAIN"));
    t->span_str(t->self, out->span, ARVO_STR("arvo.handler.source"), handler->type);
    t->span_str(t->self, out->span, ARVO_STR("arvo.contract.uri"), uri);
    arvo__event_attributes(event, ARVO_STR("to_process.0."), t, out->span);
}

void
arvo__handler_trace_close(
    const arvo__handler_trace *trace, arvo_event_list answers, arvo_str error_name,
    arvo_str error_message)
{
    const arvo_telemetry *t = trace->telemetry;
    if (t == NULL || trace->span == NULL)
        return;
    for (size_t i = 0; i < answers.count; i++) {
        char prefix[32];
        const int len = snprintf(prefix, sizeof(prefix), "to_emit.%zu.", i);
        arvo__event_attributes(answers.items[i], (arvo_str){ prefix, (size_t)len }, t, trace->span);
    }
    t->span_end(t->self, trace->span, error_name, error_message);
}
