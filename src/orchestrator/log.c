/* What executions, handlers and deliveries tell the log. Each function is called when somebody may
 * hear it only: off costs a branch. */

#include "orchestrator/delivery.h"
#include "orchestrator/handler.h"
#include "telemetry/log_internal.h"

/* ---- Parts of records ----------------------------------------------------------------- */

static arvo_log_record
log_of_event(
    arvo_log_area area, arvo_severity level, arvo_str handler, const arvo_event *event,
    arvo_trace_context *context)
{
    const bool has_trace =
        event->traceparent.ptr != NULL && arvo_trace_context_parse(event->traceparent, context);
    return (arvo_log_record){ .level = level,
                              .area = area,
                              .trace = has_trace ? context : NULL,
                              .subject = event->subject,
                              .handler = handler,
                              .event_id = event->id,
                              .event_type = event->type };
}

/* Its own span where it has one, else the one that made the event. */
static arvo_log_record
log_of_execution(
    const arvo__execution *x, arvo_log_area area, arvo_severity level, arvo_trace_context *context)
{
    static const arvo_trace_context none;
    arvo_log_record record = log_of_event(area, level, x->orchestrator->source, x->event, context);
    if (memcmp(x->context.trace_id, none.trace_id, sizeof(none.trace_id)) != 0)
        record.trace = &x->context;
    return record;
}

static bool
log_is_on(const arvo__execution *x, arvo_log_area area, arvo_severity level)
{
    return arvo__log_is_on(x->orchestrator->platform, area, level);
}

/* ---- Executions ----------------------------------------------------------------------- */

static void
log_executed(const arvo__execution *x)
{
    if (!log_is_on(x, ARVO_LOG_AREA_ORCHESTRATOR, ARVO_LOG_DEBUG))
        return;
    arvo_trace_context context;
    const bool is_new = x->outcome == ARVO_OUTCOME_EXECUTED;
    const arvo_log_attribute attributes[] = { { "emitted", ARVO_STR_NONE, (int64_t)x->event_count },
                                              { "status", x->record.status, 0 } };
    arvo_log_record record =
        log_of_execution(x, ARVO_LOG_AREA_ORCHESTRATOR, ARVO_LOG_DEBUG, &context);
    record.attributes = attributes;
    record.attribute_count = x->record.status.ptr != NULL ? 2 : 1;
    arvo__log(
        x->orchestrator->platform, &record, "%s",
        is_new ? "the event was executed"
               : "the event was consumed before: its recorded outcome is given again");
}

/* What the machine itself had to say; without data there is nothing to it. */
static void
log_machine(const arvo__execution *x)
{
    const arvo_platform *platform = x->orchestrator->platform;
    if (!log_is_on(x, ARVO_LOG_AREA_MACHINE, ARVO_LOG_INFO) || !platform->log->filter.with_data)
        return;
    arvo_trace_context context;
    arvo_log_record record = log_of_execution(x, ARVO_LOG_AREA_MACHINE, ARVO_LOG_INFO, &context);
    for (size_t i = 0; i < x->output.log_count; i++) {
        record.detail = x->output.logs[i];
        arvo__log(platform, &record, "the machine says");
    }
}

static void
log_workflow_error(const arvo__execution *x)
{
    if (!log_is_on(x, ARVO_LOG_AREA_ORCHESTRATOR, ARVO_LOG_WARNING))
        return;
    arvo_trace_context context;
    const arvo_log_attribute attribute = { "error", x->error_name, 0 };
    arvo_log_record record =
        log_of_execution(x, ARVO_LOG_AREA_ORCHESTRATOR, ARVO_LOG_WARNING, &context);
    record.detail = x->error_message;
    record.attributes = &attribute;
    record.attribute_count = 1;
    arvo__log(
        x->orchestrator->platform, &record,
        "a workflow error: a system error event goes to the initiator");
}

static void
log_ignored(const arvo__execution *x)
{
    arvo_trace_context context;
    if (!log_is_on(x, ARVO_LOG_AREA_ORCHESTRATOR, ARVO_LOG_INFO))
        return;
    const arvo_log_record record =
        log_of_execution(x, ARVO_LOG_AREA_ORCHESTRATOR, ARVO_LOG_INFO, &context);
    arvo__log(x->orchestrator->platform, &record, "event ignored: %s", x->ignored);
}

/* Nothing has changed. A lock that others hold is no error. */
static void
log_refused(const arvo__execution *x, arvo_status status, const arvo_error *err)
{
    const arvo_severity level = status == ARVO_E_LOCK_DENIED ? ARVO_LOG_INFO : ARVO_LOG_ERROR;
    if (!log_is_on(x, ARVO_LOG_AREA_ORCHESTRATOR, level))
        return;
    arvo_trace_context context;
    const bool may_quote = arvo__log_may_quote(status);
    const arvo_log_attribute attribute = { "status", arvo_str_from(arvo_status_name(status)), 0 };
    arvo_log_record record = log_of_execution(x, ARVO_LOG_AREA_ORCHESTRATOR, level, &context);
    record.detail = may_quote ? arvo_str_from(err->text) : ARVO_STR_NONE;
    record.attributes = &attribute;
    record.attribute_count = 1;
    arvo__log(
        x->orchestrator->platform, &record, "%s: %s", arvo_status_text(status),
        may_quote ? "nothing has changed" : err->text);
}

void
arvo__execution_log_outcome(const arvo__execution *x, arvo_status status, const arvo_error *err)
{
    if (status != ARVO_OK) {
        log_refused(x, status, err);
        return;
    }
    switch (x->outcome) {
    case ARVO_OUTCOME_EXECUTED:
        log_machine(x);
        log_executed(x);
        return;
    case ARVO_OUTCOME_DUPLICATE:
        log_executed(x);
        return;
    case ARVO_OUTCOME_IGNORED:
        log_ignored(x);
        return;
    case ARVO_OUTCOME_FAILED:
        log_workflow_error(x);
        return;
    }
}

/* ---- Locks ------------------------------------------------------------------------------ */

int64_t
arvo__execution_lock_begin(const arvo__execution *x)
{
    const arvo_platform *platform = x->orchestrator->platform;
    if (!log_is_on(x, ARVO_LOG_AREA_LEASE, ARVO_LOG_WARNING))
        return 0;
    return platform->monotonic_ns(platform->self);
}

void
arvo__execution_lock_end(const arvo__execution *x, int64_t start_ns)
{
    const arvo_platform *platform = x->orchestrator->platform;
    if (!log_is_on(x, ARVO_LOG_AREA_LEASE, ARVO_LOG_WARNING))
        return;
    const int64_t waited_ms = (platform->monotonic_ns(platform->self) - start_ns) / 1000000;
    if (waited_ms < ARVO_LOG_SLOW_LOCK_MS)
        return;
    arvo_trace_context context;
    const arvo_log_attribute attribute = { "waitedMs", ARVO_STR_NONE, waited_ms };
    arvo_log_record record = log_of_execution(x, ARVO_LOG_AREA_LEASE, ARVO_LOG_WARNING, &context);
    record.attributes = &attribute;
    record.attribute_count = 1;
    arvo__log(
        platform, &record, "%s",
        x->is_locked ? "the lock on the subject was long in coming"
                     : "the lock on the subject did not come");
}

void
arvo__execution_lock_kept(const arvo__execution *x, const arvo_error *why)
{
    if (!log_is_on(x, ARVO_LOG_AREA_LEASE, ARVO_LOG_WARNING))
        return;
    arvo_trace_context context;
    const arvo_log_record record =
        log_of_execution(x, ARVO_LOG_AREA_LEASE, ARVO_LOG_WARNING, &context);
    arvo__log(
        x->orchestrator->platform, &record,
        "the lock was not given back, and ends by itself with its lease: %s", why->text);
}

void
arvo__hold_log(const arvo__hold *hold, const char *what, const arvo_error *why)
{
    const arvo_orchestrator *o = hold->orchestrator;
    const arvo_log_record record = { .level = ARVO_LOG_WARNING,
                                     .area = ARVO_LOG_AREA_LEASE,
                                     .subject = hold->subject,
                                     .handler = o->source };
    arvo__log(
        o->platform, &record, "%s%s%s", what, why != NULL ? ": " : "",
        why != NULL ? why->text : "");
}

/* ---- Handlers --------------------------------------------------------------------------- */

void
arvo__handler_log_error(
    const arvo_platform *platform, arvo_str type, const arvo_event *event, arvo_str name,
    arvo_str message)
{
    if (!arvo__log_is_on(platform, ARVO_LOG_AREA_HANDLER, ARVO_LOG_INFO))
        return;
    arvo_trace_context context;
    const arvo_log_attribute attribute = { "error", name, 0 };
    arvo_log_record record =
        log_of_event(ARVO_LOG_AREA_HANDLER, ARVO_LOG_INFO, type, event, &context);
    record.detail = message;
    record.attributes = &attribute;
    record.attribute_count = 1;
    arvo__log(platform, &record, "the service answered with an error");
}

/* ---- Deliveries ------------------------------------------------------------------------- */

static arvo_severity
log_delivery_level(const arvo_delivery *delivery)
{
    return delivery->status == ARVO_OK ? ARVO_LOG_DEBUG
           : delivery->is_dead         ? ARVO_LOG_ERROR
           : delivery->retry_ms > 0    ? ARVO_LOG_WARNING
                                       : ARVO_LOG_INFO;
}

static const char *
log_delivery_message(const arvo_delivery *delivery)
{
    return delivery->status == ARVO_OK
               ? (delivery->handled_by != ARVO_HANDLED_BY_NOBODY ? "the event was delivered"
                                                                 : "nobody here serves the event")
           : delivery->is_dead      ? "the delivery failed for good: the event is a dead letter"
           : delivery->retry_ms > 0 ? "the delivery failed and is tried again"
                                    : "the delivery was put off, by nothing that is its fault";
}

void
arvo__delivery_log(const arvo_platform *platform, arvo_log_area area, const arvo_delivery *delivery)
{
    const arvo_severity level = log_delivery_level(delivery);
    if (!arvo__log_is_on(platform, area, level))
        return;
    arvo_trace_context context;
    arvo_log_record record = log_of_event(area, level, delivery->name, delivery->event, &context);
    const bool has_failed = delivery->status != ARVO_OK;
    const bool may_quote = arvo__log_may_quote(delivery->status);
    const char *why = delivery->error != NULL ? delivery->error->text : "";
    const arvo_log_attribute attributes[] = {
        { "outbox", ARVO_STR_NONE, delivery->seq },
        { "status", arvo_str_from(arvo_status_name(delivery->status)), 0 },
        { "attempts", ARVO_STR_NONE, delivery->attempts },
        { "retryMs", ARVO_STR_NONE, delivery->retry_ms },
    };
    record.attributes = attributes;
    record.attribute_count = !has_failed ? 1 : delivery->retry_ms > 0 ? 4 : 3;
    if (has_failed && may_quote)
        record.detail = arvo_str_from(why);
    const bool says_why = has_failed && !may_quote && *why != '\0';
    arvo__log(
        platform, &record, "%s%s%s", log_delivery_message(delivery), says_why ? ": " : "",
        says_why ? why : "");
}

void
arvo__delivery_log_trouble(
    const arvo_platform *platform, arvo_log_area area, const char *what, const arvo_error *err)
{
    const arvo_log_record record = { .level = ARVO_LOG_WARNING, .area = area };
    arvo__log(platform, &record, "%s: %s", what, err->text);
}
