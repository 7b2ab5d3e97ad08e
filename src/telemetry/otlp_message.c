/* Requests: what is common to all, and spans; and what a receiver answers. */

#include "telemetry/otlp_internal.h"

#include <math.h>

#include <arvo/json.h>

/* The members that are used, message by message, as OTLP numbers and names them. */
#define F(number, name) ((otlp_field){ (number), (name) })
#define RESOURCE_SPANS  F(1, "resourceSpans")
#define RESOURCE        F(1, "resource")
#define SCOPE_SPANS     F(2, "scopeSpans")
#define ATTRIBUTES_1    F(1, "attributes") /* of a resource */
#define SCOPE           F(1, "scope")
#define SCOPE_NAME      F(1, "name")
#define SCOPE_VERSION   F(2, "version")
#define SPANS           F(2, "spans")
#define TRACE_ID        F(1, "traceId")
#define SPAN_ID         F(2, "spanId")
#define TRACE_STATE     F(3, "traceState")
#define PARENT_SPAN_ID  F(4, "parentSpanId")
#define NAME            F(5, "name")
#define KIND            F(6, "kind")
#define START_TIME      F(7, "startTimeUnixNano")
#define END_TIME        F(8, "endTimeUnixNano")
#define ATTRIBUTES      F(9, "attributes")
#define ATTRIBUTES_LOST F(10, "droppedAttributesCount")
#define EVENTS          F(11, "events")
#define EVENTS_LOST     F(12, "droppedEventsCount")
#define LINKS           F(13, "links")
#define LINKS_LOST      F(14, "droppedLinksCount")
#define STATUS          F(15, "status")
#define FLAGS           F(16, "flags")
#define EVENT_TIME      F(1, "timeUnixNano")
#define EVENT_NAME      F(2, "name")
#define EVENT_ATTRS     F(3, "attributes")
#define LINK_FLAGS      F(6, "flags")
#define STATUS_MESSAGE  F(2, "message")
#define STATUS_CODE     F(3, "code")
#define KEY             F(1, "key")
#define VALUE           F(2, "value")
#define STRING_VALUE    F(1, "stringValue")
#define INT_VALUE       F(3, "intValue")
#define DOUBLE_VALUE    F(4, "doubleValue")

enum { STATUS_OK = 1, STATUS_ERROR = 2 };

void
arvo__otlp_attribute(otlp_writer *w, otlp_field list, arvo_str key, arvo_str value)
{
    arvo__otlp_begin(w, list);
    arvo__otlp_str(w, KEY, key);
    arvo__otlp_begin(w, VALUE);
    arvo__otlp_str(w, STRING_VALUE, value);
    arvo__otlp_end(w);
    arvo__otlp_end(w);
}

static void
write_number(otlp_writer *w, otlp_field list, arvo_str key, double value)
{
    const bool is_int = trunc(value) == value && fabs(value) < 9007199254740992.0;
    arvo__otlp_begin(w, list);
    arvo__otlp_str(w, KEY, key);
    arvo__otlp_begin(w, VALUE);
    if (is_int)
        arvo__otlp_i64(w, INT_VALUE, (int64_t)value);
    else
        arvo__otlp_double(w, DOUBLE_VALUE, value);
    arvo__otlp_end(w);
    arvo__otlp_end(w);
}

static void
write_attributes(otlp_writer *w, const arvo_span *span)
{
    otlp_item item;
    arvo_str key, value;
    arvo__otlp_list(w, ATTRIBUTES);
    for (size_t at = 0; arvo__otlp_item(span, &at, &item, &key, &value);) {
        double number;
        if (item.kind == OTLP_STR) {
            arvo__otlp_attribute(w, ATTRIBUTES, key, value);
        } else if (item.kind == OTLP_NUMBER) {
            memcpy(&number, value.ptr, sizeof(number));
            write_number(w, ATTRIBUTES, key, number);
        } else if (item.kind == OTLP_ERROR) {
            arvo__otlp_attribute(w, ATTRIBUTES, ARVO_STR("error.type"), key);
            arvo__otlp_attribute(w, ATTRIBUTES, ARVO_STR("exception.type"), key);
            arvo__otlp_attribute(w, ATTRIBUTES, ARVO_STR("exception.message"), value);
        }
    }
    arvo__otlp_list_end(w);
}

static const char *
severity_name(arvo_severity severity)
{
    static const char *const names[] = { [ARVO_LOG_DEBUG] = "DEBUG",
                                         [ARVO_LOG_INFO] = "INFO",
                                         [ARVO_LOG_WARNING] = "WARNING",
                                         [ARVO_LOG_ERROR] = "ERROR",
                                         [ARVO_LOG_CRITICAL] = "CRITICAL" };
    return (size_t)severity < ARVO_COUNT_OF(names) ? names[severity] : "INFO";
}

/* The two kinds of events that a span has: lines of its log, and what went wrong. */
static void
write_log(otlp_writer *w, arvo_str key, arvo_str value, int64_t offset_ns)
{
    int64_t time_ns;
    arvo_severity severity;
    memcpy(&severity, key.ptr, sizeof(severity));
    memcpy(&time_ns, value.ptr, sizeof(time_ns));
    const arvo_str message = { value.ptr + sizeof(time_ns), value.len - sizeof(time_ns) };
    arvo__otlp_begin(w, EVENTS);
    arvo__otlp_fixed64(w, EVENT_TIME, (uint64_t)(time_ns + offset_ns));
    arvo__otlp_str(w, EVENT_NAME, ARVO_STR("log"));
    arvo__otlp_list(w, EVENT_ATTRS);
    arvo__otlp_attribute(
        w, EVENT_ATTRS, ARVO_STR("log.severity"), arvo_str_from(severity_name(severity)));
    arvo__otlp_attribute(w, EVENT_ATTRS, ARVO_STR("log.message"), message);
    write_number(
        w, EVENT_ATTRS, ARVO_STR("log.timestamp"), (double)((time_ns + offset_ns) / 1000000));
    arvo__otlp_list_end(w);
    arvo__otlp_end(w);
}

static void
write_exception(otlp_writer *w, arvo_str type, arvo_str message, int64_t time_ns)
{
    arvo__otlp_begin(w, EVENTS);
    arvo__otlp_fixed64(w, EVENT_TIME, (uint64_t)time_ns);
    arvo__otlp_str(w, EVENT_NAME, ARVO_STR("exception"));
    arvo__otlp_list(w, EVENT_ATTRS);
    arvo__otlp_attribute(w, EVENT_ATTRS, ARVO_STR("exception.type"), type);
    arvo__otlp_attribute(w, EVENT_ATTRS, ARVO_STR("exception.message"), message);
    arvo__otlp_list_end(w);
    arvo__otlp_end(w);
}

static void
write_events(otlp_writer *w, const arvo_span *span, int64_t offset_ns)
{
    otlp_item item;
    arvo_str key, value;
    arvo__otlp_list(w, EVENTS);
    for (size_t at = 0; arvo__otlp_item(span, &at, &item, &key, &value);)
        if (item.kind == OTLP_LOG)
            write_log(w, key, value, offset_ns);
        else if (item.kind == OTLP_ERROR)
            write_exception(w, key, value, span->end_ns + offset_ns);
    arvo__otlp_list_end(w);
}

static void
write_links(otlp_writer *w, const arvo_span *span)
{
    otlp_item item;
    arvo_str key, value;
    arvo__otlp_list(w, LINKS);
    for (size_t at = 0; arvo__otlp_item(span, &at, &item, &key, &value);) {
        if (item.kind != OTLP_LINK)
            continue;
        arvo_trace_context other;
        memcpy(&other, value.ptr, sizeof(other));
        arvo__otlp_begin(w, LINKS);
        arvo__otlp_id(w, TRACE_ID, other.trace_id, sizeof(other.trace_id));
        arvo__otlp_id(w, SPAN_ID, other.span_id, sizeof(other.span_id));
        arvo__otlp_fixed32(w, LINK_FLAGS, other.flags);
        arvo__otlp_end(w);
    }
    arvo__otlp_list_end(w);
}

/* As TypeScript Arvo has it, an orchestrator's span says nothing of its success. */
static void
write_status(otlp_writer *w, const arvo_span *span)
{
    otlp_item item;
    arvo_str key, value;
    if (!span->failed && span->kind == ARVO_SPAN_PRODUCER)
        return;
    arvo__otlp_begin(w, STATUS);
    if (span->failed)
        for (size_t at = 0; arvo__otlp_item(span, &at, &item, &key, &value);)
            if (item.kind == OTLP_ERROR)
                arvo__otlp_str(w, STATUS_MESSAGE, value);
    arvo__otlp_u32(w, STATUS_CODE, span->failed ? STATUS_ERROR : STATUS_OK);
    arvo__otlp_end(w);
}

static void
write_head(otlp_writer *w, const arvo_span *span, int64_t offset_ns)
{
    static const uint32_t kinds[] = {
        [ARVO_SPAN_INTERNAL] = 1, [ARVO_SPAN_PRODUCER] = 4, [ARVO_SPAN_CONSUMER] = 5
    };
    otlp_item item;
    arvo_str key, value;
    arvo__otlp_id(w, TRACE_ID, span->context.trace_id, sizeof(span->context.trace_id));
    arvo__otlp_id(w, SPAN_ID, span->context.span_id, sizeof(span->context.span_id));
    if (span->has_parent)
        arvo__otlp_id(w, PARENT_SPAN_ID, span->parent_id, sizeof(span->parent_id));
    for (size_t at = 0; arvo__otlp_item(span, &at, &item, &key, &value);)
        if (item.kind == OTLP_TRACESTATE)
            arvo__otlp_str(w, TRACE_STATE, value);
        else if (item.kind == OTLP_NAME)
            arvo__otlp_str(w, NAME, value);
    arvo__otlp_u32(w, KIND, kinds[span->kind]);
    arvo__otlp_fixed64(w, START_TIME, (uint64_t)(span->start_ns + offset_ns));
    arvo__otlp_fixed64(w, END_TIME, (uint64_t)(span->end_ns + offset_ns));
    arvo__otlp_fixed32(w, FLAGS, span->context.flags);
}

static void
write_span(otlp_writer *w, const arvo_span *span, int64_t offset_ns)
{
    arvo__otlp_begin(w, SPANS);
    write_head(w, span, offset_ns);
    write_attributes(w, span);
    if (span->attributes_dropped > 0)
        arvo__otlp_u32(w, ATTRIBUTES_LOST, span->attributes_dropped);
    if (span->events > 0 || span->failed)
        write_events(w, span, offset_ns);
    if (span->events_dropped > 0)
        arvo__otlp_u32(w, EVENTS_LOST, span->events_dropped);
    if (span->links > 0)
        write_links(w, span);
    if (span->links_dropped > 0)
        arvo__otlp_u32(w, LINKS_LOST, span->links_dropped);
    write_status(w, span);
    arvo__otlp_end(w);
}

static void
write_resource(otlp_writer *w, const otlp_settings *settings)
{
    arvo__otlp_begin(w, RESOURCE);
    arvo__otlp_list(w, ATTRIBUTES_1);
    for (size_t i = 0; i < settings->resource_count; i++)
        arvo__otlp_attribute(
            w, ATTRIBUTES_1, settings->resource[i].key, settings->resource[i].value);
    arvo__otlp_list_end(w);
    arvo__otlp_end(w);
}

void
arvo__otlp_open_request(
    otlp_writer *w, const otlp_settings *settings, const otlp_target *target, otlp_field resources,
    otlp_field scopes, arvo_buf *out)
{
    arvo__otlp_open(w, out, target->json);
    arvo__otlp_list(w, resources);
    arvo__otlp_begin(w, resources);
    write_resource(w, settings);
    arvo__otlp_list(w, scopes);
    arvo__otlp_begin(w, scopes);
    arvo__otlp_begin(w, SCOPE);
    arvo__otlp_str(w, SCOPE_NAME, ARVO_STR("arvo-instrumentation"));
    arvo__otlp_str(w, SCOPE_VERSION, ARVO_STR("1.0.0"));
    arvo__otlp_end(w);
}

void
arvo__otlp_close_request(otlp_writer *w)
{
    arvo__otlp_end(w);
    arvo__otlp_list_end(w);
    arvo__otlp_end(w);
    arvo__otlp_list_end(w);
    arvo__otlp_close_message(w);
}

uint64_t
arvo__otlp_write_spans(
    const otlp_settings *settings, const otlp_record *spans, int64_t clock_offset_ns, arvo_buf *out)
{
    otlp_writer w;
    uint64_t count = 0;
    arvo__otlp_open_request(
        &w, settings, &settings->targets[ARVO_OTLP_TRACES], RESOURCE_SPANS, SCOPE_SPANS, out);
    arvo__otlp_list(&w, SPANS);
    for (const otlp_record *record = spans; record != NULL; record = record->next) {
        write_span(&w, (const arvo_span *)record, clock_offset_ns);
        count++;
    }
    arvo__otlp_list_end(&w);
    arvo__otlp_close_request(&w);
    return count;
}

/* ---- Responses -------------------------------------------------------------------------- */

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static bool
read_varint(reader *r, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        const uint8_t byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* One member; of bytes `bytes` is set, of a varint `value`. false: the message is malformed. */
static bool
read_member(reader *r, uint32_t *number, uint64_t *value, reader *bytes)
{
    uint64_t tag, skip = 0;
    *value = 0;
    *bytes = (reader){ NULL, NULL };
    if (!read_varint(r, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    *number = (uint32_t)(tag >> 3);
    const unsigned type = (unsigned)(tag & 7);
    if (type == 0)
        return read_varint(r, value);
    if (type != 1 && type != 2 && type != 5)
        return false;
    skip = type == 1 ? 8 : 4;
    if (type == 2 && !read_varint(r, &skip))
        return false;
    if (skip > (uint64_t)(r->end - r->at))
        return false;
    if (type == 2)
        *bytes = (reader){ r->at, r->at + skip };
    r->at += skip;
    return true;
}

/* { 1: partial success { 1: rejected, 2: message } } */
static bool
read_protobuf(arvo_str body, int64_t *out_rejected, arvo_str *out_message)
{
    const uint8_t *start = (const uint8_t *)body.ptr;
    reader outer = { start, start + body.len }, inner, bytes;
    uint32_t number;
    uint64_t value;
    while (outer.at < outer.end) {
        if (!read_member(&outer, &number, &value, &inner))
            return false;
        if (number != 1 || inner.at == NULL)
            continue;
        while (inner.at < inner.end) {
            if (!read_member(&inner, &number, &value, &bytes))
                return false;
            if (number == 1)
                *out_rejected = (int64_t)value;
            else if (number == 2 && bytes.at != NULL)
                *out_message = (arvo_str){ (const char *)bytes.at, (size_t)(bytes.end - bytes.at) };
        }
    }
    return true;
}

/* A 64-bit integer is a string in this JSON, and a number in what some send. */
static bool
read_json(
    const char *rejected_name, arvo_str body, arvo_arena *arena, int64_t *out_rejected,
    arvo_str *out_message)
{
    const arvo_json *root = NULL;
    if (arvo_json_parse(body, arena, &root, NULL) != ARVO_OK ||
        arvo_json_type_of(root) != ARVO_JSON_OBJECT)
        return false;
    const arvo_json *partial = arvo_json_get(root, "partialSuccess");
    const arvo_json *rejected = arvo_json_get(partial, rejected_name);
    const arvo_str digits = arvo_json_str(rejected);
    if (arvo_json_is_number(rejected))
        *out_rejected = (int64_t)arvo_json_number_or(rejected, 0);
    for (size_t i = 0; i < digits.len && i < 15; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        *out_rejected = *out_rejected * 10 + (digits.ptr[i] - '0');
    }
    *out_message = arvo_json_str(arvo_json_get(partial, "errorMessage"));
    return true;
}

bool
arvo__otlp_read_response(
    const otlp_signal *signal, arvo_str body, bool json, arvo_arena *arena, int64_t *out_rejected,
    arvo_str *out_message)
{
    *out_rejected = 0;
    *out_message = ARVO_STR_NONE;
    if (body.len == 0)
        return true;
    return json ? read_json(signal->rejected, body, arena, out_rejected, out_message)
                : read_protobuf(body, out_rejected, out_message);
}
