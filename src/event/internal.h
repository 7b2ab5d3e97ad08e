/* event/internal.h - the fields of an event by number, and what else the layers
 * to the right need of it. */
#ifndef ARVO_SRC_EVENT_INTERNAL_H
#define ARVO_SRC_EVENT_INTERNAL_H

#include <arvo/event.h>
#include <arvo/telemetry.h>

#include "base/internal.h"

/* The standard attributes: those that are strings come first, each half in the order in which they
 * are written. name, member of arvo_event. */
#define ARVO__EVENT_STRINGS(X)                                                                     \
    X(id)                                                                                          \
    X(source)                                                                                      \
    X(specversion)                                                                                 \
    X(type)                                                                                        \
    X(subject)                                                                                     \
    X(datacontenttype)                                                                             \
    X(dataschema)                                                                                  \
    X(time)                                                                                        \
    X(to)                                                                                          \
    X(accesscontrol)                                                                               \
    X(redirectto)                                                                                  \
    X(traceparent)                                                                                 \
    X(tracestate)                                                                                  \
    X(parentid)                                                                                    \
    X(domain)

enum {
#define EVENT_ENUM(name) ARVO__EVENT_##name,
    ARVO__EVENT_STRINGS(EVENT_ENUM)
#undef EVENT_ENUM
        ARVO__EVENT_STRING_COUNT,
    ARVO__EVENT_data = ARVO__EVENT_STRING_COUNT,
    ARVO__EVENT_executionunits,
    ARVO__EVENT_FIELD_COUNT, /* also: no standard attribute */
};

/* The number of a standard attribute, or ARVO__EVENT_FIELD_COUNT. */
unsigned arvo__event_field_of(const char *key, size_t len);

/* What is wrong with an extension, to be said behind its name; NULL: nothing. */
const char *arvo__event_extension_fault(arvo_str key, const arvo_json *value);

/* Where the string attribute `field` is. */
extern const uint16_t arvo__event_offsets[ARVO__EVENT_STRING_COUNT];

static inline arvo_str *
arvo__event_string(arvo_event *event, unsigned field)
{
    return (arvo_str *)(void *)((char *)event + arvo__event_offsets[field]);
}

/* What the caller of the check knows already about the values. */
#define ARVO__EVENT_TEXT_IS_UTF8 1u
#define ARVO__EVENT_URIS_VALID   2u
#define ARVO__EVENT_TO_IS_TYPE   4u /* by default: what is wrong with it is said of the type */

/* The check of spec 1.1. `wrong`: a bit for each attribute whose JSON value had another type, the
 * member of that name in `object` (nullable) then tells which. */
arvo_status arvo__event_check(
    const arvo_event *event, unsigned known, uint32_t wrong, const arvo_json *object,
    arvo_error *err);

/* Tell `telemetry` the attributes of spec 1.8 and the domain (v3), each key behind `prefix` ("",
 * "to_process.0.", at most 64 bytes). */
void arvo__event_attributes(
    const arvo_event *event, arvo_str prefix, const arvo_telemetry *telemetry, arvo_span *span);

#endif
