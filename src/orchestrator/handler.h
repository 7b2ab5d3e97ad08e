/* orchestrator/handler.h - a handler, as handler.c and mock.c share it. */
#ifndef ARVO_SRC_ORCHESTRATOR_HANDLER_H
#define ARVO_SRC_ORCHESTRATOR_HANDLER_H

#include "machine/expr.h"
#include <arvo/log.h>

#include "orchestrator/internal.h"

typedef struct arvo__handler_function {
    const arvo_contract_version *version;
    arvo_handler_fn handle;
} arvo__handler_function;

/* One reply of a mock. */
typedef struct arvo__mock_reply {
    const arvo__template *guard; /* NULL: always */
    const arvo__template *type;
    const arvo__template *data;
    const arvo__template *error_name; /* error_message not NULL: the reply is an error */
    const arvo__template *error_message;
} arvo__mock_reply;

struct arvo_handler {
    const arvo_allocator *allocator;
    arvo_allocator allocator_copy;
    arvo_arena *arena;             /* what lives as long as the handler */
    arvo_contracts *contracts;     /* a reference; NULL: none */
    const arvo_contract *contract; /* NULL: answers are not checked */
    arvo_str type;
    arvo__handler_function *versions;
    size_t version_count;
    arvo_handler_fn handle; /* of a mock, for every version */
    void *user;
    double executionunits;
    const arvo_platform *platform;
    const arvo_telemetry *telemetry; /* NULL: off */
    bool is_mock;
    arvo__expr_set *expressions; /* of a mock */
    arvo__mock_reply *replies;
    size_t reply_count;
};

/* The span of one call, and what its answers carry (trace.c). */
typedef struct arvo__handler_trace {
    const arvo_telemetry *telemetry; /* NULL: off */
    const arvo_platform *platform;
    arvo_str type;
    arvo_arena *arena;
    int64_t start_ns;
    arvo_span *span;
    arvo_trace_context context; /* of that span */
    arvo_str traceparent;
    arvo_str tracestate;
} arvo__handler_trace;

void arvo__handler_trace_open(
    const arvo_handler *handler, const arvo_telemetry *telemetry, const arvo_event *event,
    arvo_arena *arena, arvo__handler_trace *out);
/* A child span around the making of one answer; NULL: none is recorded. */
arvo_span *arvo__handler_trace_emit(
    const arvo__handler_trace *trace, arvo_str type, const arvo_contract_version *contract);
void arvo__handler_trace_emitted(
    const arvo__handler_trace *trace, arvo_span *span, const arvo_event *event, arvo_status status,
    const arvo_error *err);
/* error_name none: it succeeded. */
void arvo__handler_trace_close(
    const arvo__handler_trace *trace, arvo_event_list answers, arvo_str error_name,
    arvo_str error_message);

/* arvo_handler_execute() with listeners for a handler that has none of its own: the log of
 * `platform`, and `telemetry`; both nullable. */
arvo_status arvo__handler_execute(
    arvo_handler *handler, const arvo_platform *platform, const arvo_telemetry *telemetry,
    const arvo_event *event, arvo_arena *arena, arvo_event_list *out, arvo_error *err);

/* log.c: it answered with sys.*.error. */
void arvo__handler_log_error(
    const arvo_platform *platform, arvo_str type, const arvo_event *event, arvo_str name,
    arvo_str message);

/* From within a handler function: the call fails with ARVO_E_NOMEM. Always returns false. */
bool arvo__handling_nomem(const arvo_handling *handling);

/* An empty handler over a set of contracts (NULL: none); NULL when out of memory. */
arvo_handler *arvo__handler_new(const arvo_allocator *allocator, arvo_contracts *contracts);

#endif
