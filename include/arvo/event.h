/* arvo/event.h - the ArvoEvent: a CloudEvents 1.0 event with Arvo's extensions.
 *
 * Fields, defaults, rules and key order: spec 1. Departures: extension names
 * that collide with a standard attribute are refused (D30), the default time
 * is true UTC (D31), `domain` is written last (v3).
 *
 * Threads: an event is immutable after creation; any thread may read it.
 */
#ifndef ARVO_EVENT_H
#define ARVO_EVENT_H

#include <arvo/json.h>
#include <arvo/platform.h>

ARVO_BEGIN_DECLS

#define ARVO_EVENT_CONTENT_TYPE "application/cloudevents+json;charset=UTF-8;profile=arvo"
#define ARVO_EVENT_SPEC_VERSION "1.0"
#define ARVO_EVENT_BYTES_MAX    ((size_t)16 * 1024 * 1024) /* of the JSON form */
#define ARVO_RESERVED_PREFIX    "arvo.orc."

/* Plain data. Strings whose ptr is NULL are null in JSON. */
typedef struct arvo_event {
    arvo_str id;
    arvo_str source;
    arvo_str specversion;
    arvo_str type;
    arvo_str subject;
    arvo_str datacontenttype;
    arvo_str dataschema;   /* nullable */
    const arvo_json *data; /* an object */
    arvo_str time;
    const arvo_json *extensions;     /* object of scalars, in the caller's order; NULL: none */
    arvo_str to;                     /* nullable only with a foreign content type */
    arvo_str accesscontrol;          /* nullable */
    arvo_str redirectto;             /* nullable */
    const arvo_json *executionunits; /* a number; NULL: null */
    arvo_str traceparent;            /* nullable */
    arvo_str tracestate;             /* nullable */
    arvo_str parentid;               /* nullable */
    arvo_str domain;                 /* nullable */
} arvo_event;

typedef struct arvo_event_list {
    const arvo_event *const *items;
    size_t count;
} arvo_event_list;

/** `^[a-z0-9]+(\.[a-z0-9]+)+\.[a-z0-9]+$`: three or more segments (spec 1.1.2). */
ARVO_API bool arvo_event_type_is_valid(arvo_str type);

/** `^[a-z0-9.]+$` and not "all" (DESIGN 6, D20). */
ARVO_API bool arvo_domain_is_valid(arvo_str domain);

/** `^\d+\.\d+\.\d+$`, ASCII digits (spec 3.1.1). */
ARVO_API bool arvo_version_is_valid(arvo_str version);

/** <0, 0, >0 by major, minor, patch, of any length; both must be valid. */
ARVO_API int arvo_version_compare(arvo_str a, arvo_str b);

/** Split `uri/1.2.3` at its last slash (spec 3.6); false when there is no version. Borrowed from
 * `text`. */
ARVO_API bool arvo_dataschema_parse(arvo_str text, arvo_str *out_uri, arvo_str *out_version);

/**
 * Make an event as createArvoEvent does: `fields` as the caller has them, defaults filled in
 * (id, time, specversion, datacontenttype, to = type), URIs encoded, the result validated.
 *
 * @param fields  Borrowed for the call; what is none or NULL gets its default.
 * @param out     Written on success; every byte in the arena (data and extensions are shared, not
 *                copied: they must live as long as the arena's contents).
 * @param err     Every broken rule in one line.
 * @return ARVO_OK, ARVO_E_INVALID, ARVO_E_IO (random source), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_event_create(
    const arvo_event *fields, const arvo_platform *platform, arvo_arena *arena, arvo_event *out,
    arvo_error *err);

/** Validate the final values, nothing encoded or filled in (spec 1.1, raw constructor 1.1.7). */
ARVO_API ARVO_NODISCARD arvo_status arvo_event_validate(const arvo_event *event, arvo_error *err);

/**
 * An event from its JSON object: fields of the wrong JSON type and missing required ones are
 * errors, missing nullable ones are null, unknown lower-case keys are extensions; then validated.
 * @param out  Borrows from `object`.
 * @return ARVO_OK, ARVO_E_INVALID, ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_event_from_json(const arvo_json *object, arvo_arena *arena, arvo_event *out, arvo_error *err);

/** arvo_json_parse() within ARVO_EVENT_BYTES_MAX, then arvo_event_from_json(). */
ARVO_API ARVO_NODISCARD arvo_status
arvo_event_parse(arvo_str text, arvo_arena *arena, arvo_event *out, arvo_error *err);

/** Append the compact JSON form in the key order of spec 1.7.1, `domain` last. Failure is sticky in
 * `out`. */
ARVO_API void arvo_event_write(const arvo_event *event, arvo_buf *out);

/** The same as a value; NULL when out of memory. */
ARVO_API const arvo_json *arvo_event_to_json(const arvo_event *event, arvo_arena *arena);

ARVO_END_DECLS

#endif
