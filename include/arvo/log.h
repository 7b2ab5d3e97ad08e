/* arvo/log.h - what Arvo tells an operator while it works: structured records, handed to whoever
 * listens.
 *
 * The listener is part of the platform (arvo_platform.log): orchestrators, handlers, brokers,
 * workers and stores that were given such a platform speak to it. NULL is off, and costs a branch;
 * so does a record below the level of its area. Nothing is allocated for a record. What a function
 * returns to its caller is the caller's to show; records are about what nobody is told else, and
 * about what somebody who reads them later wants to find beside it.
 *
 * The data of events is in no record unless `with_data` asks for it: what may quote it is the
 * record's `detail`, never its `message`. Passwords in URLs are "***" in both.
 *
 *   level     what it is for
 *   --------  -------------------------------------------------------------------------------
 *   critical  (nothing yet)
 *   error     somebody has to do something: a dead letter, a transaction error
 *   warning   it went on by itself, and should not be often: a delivery that is tried again, a
 *             workflow error, a lost lease, a slow lock, a store that was not reached
 *   info      what happens in good order: begin and end of workers, migrations, events ignored,
 *             services that answer with an error
 *   debug     every delivery and every step
 *
 * Threads: a listener is called by any number of threads at once, also by Arvo's own, and with no
 *          lock of an orchestrator, broker or worker held. It must not call back into them.
 */
#ifndef ARVO_LOG_H
#define ARVO_LOG_H

#include <arvo/telemetry.h>

ARVO_BEGIN_DECLS

#define ARVO_LOG_OPS_VERSION      1u
#define ARVO_LOG_FILTER_BYTES_MAX ((size_t)1024)
#define ARVO_LOG_VALUE_BYTES_MAX  ((size_t)2048) /* of a field that is written; then cut */
#define ARVO_LOG_ATTRIBUTES_MAX   16u            /* of a record; more are not written */
#define ARVO_LOG_SLOW_LOCK_MS     1000 /* a lock that was waited for longer is a warning */
#define ARVO_LOG_OFF              (ARVO_LOG_CRITICAL + 1) /* as a level: nothing of the area */

/* Who speaks. */
#define ARVO_LOG_AREA_LIST(X)                                                                      \
    X(ORCHESTRATOR, "orchestrator") /* executions and what comes of them */                        \
    X(MACHINE, "machine")           /* the log actions of machines; only with data */              \
    X(HANDLER, "handler")           /* services and mocks */                                       \
    X(BROKER, "broker")                                                                            \
    X(WORKER, "worker")                                                                            \
    X(LEASE, "lease") /* locks: slow, lost, not given back */                                      \
    X(STORE, "store")                                                                              \
    X(EXPORTER, "exporter") /* telemetry on its way out: nothing yet */

typedef enum arvo_log_area {
#define ARVO_LOG_AREA_ENUM(name, text) ARVO_LOG_AREA_##name,
    ARVO_LOG_AREA_LIST(ARVO_LOG_AREA_ENUM)
#undef ARVO_LOG_AREA_ENUM
        ARVO_LOG_AREA_COUNT
} arvo_log_area;

/** "worker" and the like; "unknown" for a number that is none. Static. */
ARVO_API const char *arvo_log_area_name(arvo_log_area area);
/** "debug", "info", "warning", "error", "critical", "off" (ARVO_LOG_OFF). Static. */
ARVO_API const char *arvo_log_level_name(arvo_severity level);

/* What else is known, under a name in camelCase: a text, or a number when the text is none. */
typedef struct arvo_log_attribute {
    const char *key;
    arvo_str text;
    int64_t number;
} arvo_log_attribute;

/* One record; borrowed for the call, with all that it points to. Strings may be none (ptr NULL). */
typedef struct arvo_log_record {
    arvo_severity level;
    arvo_log_area area;
    int64_t time_ms;  /* since 1970, by the platform's clock */
    arvo_str message; /* one line of UTF-8, at most ARVO_ERROR_TEXT_BYTES_MAX - 1 bytes */
    arvo_str detail;  /* likewise; may quote an event's data: none without `with_data` */
    const arvo_trace_context *trace; /* of the span in which it happened, or that of the event;
                                        NULL: there is none */
    arvo_str subject;
    arvo_str handler; /* source of the orchestrator, or type of the service */
    arvo_str event_id;
    arvo_str event_type;
    const arvo_log_attribute *attributes;
    size_t attribute_count;
} arvo_log_record;

/* What is handed over. Zeroed: everything, without data. */
typedef struct arvo_log_filter {
    uint8_t least[ARVO_LOG_AREA_COUNT]; /* an arvo_severity, or ARVO_LOG_OFF */
    bool with_data;
} arvo_log_filter;

/**
 * Read `LEVEL,AREA=LEVEL,...` into `filter`: the level for all areas, and those of single ones,
 * whatever their order; of two for the same the last one counts. An area of which nothing is said
 * stays as it is, and so does with_data. Blanks around a word do not matter; `warn` is `warning`.
 *
 * @return ARVO_OK, ARVO_E_INVALID (an unknown word: said, with those that are known),
 * ARVO_E_TOO_BIG (ARVO_LOG_FILTER_BYTES_MAX); `filter` is unchanged on failure.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_log_filter_parse(arvo_str text, arvo_log_filter *filter, arvo_error *err);

/* The listener. */
typedef struct arvo_log {
    uint32_t version;       /* ARVO_LOG_OPS_VERSION */
    arvo_log_filter filter; /* must not change while somebody may speak */
    void (*write)(void *self, const arvo_log_record *record);
    void *self;
} arvo_log;

/** @return ARVO_OK (also for NULL), ARVO_E_VERSION, ARVO_E_INVALID (write is missing). */
ARVO_API ARVO_NODISCARD arvo_status arvo_log_check(const arvo_log *log, arvo_error *err);

/** Whether a record of that level would be handed over; false for NULL. */
static inline bool
arvo_log_is_on(const arvo_log *log, arvo_log_area area, arvo_severity level)
{
    return log != NULL && (unsigned)level >= log->filter.least[area];
}

/* ---- Writing records ------------------------------------------------------------- */

typedef enum arvo_log_format {
    ARVO_LOG_TEXT = 0,    /* a line for people */
    ARVO_LOG_TEXT_COLOUR, /* the same, for a terminal */
    ARVO_LOG_JSON,        /* a line that is a JSON object */
    ARVO_LOG_JOURNAL      /* journald's native protocol: what one datagram holds */
} arvo_log_format;

/**
 * Append a record, with its end of line. Control characters and what is no UTF-8 cannot break a
 * line, drive a terminal or make a field of their own: shown as \xHH in text, escaped in JSON.
 * Failure is the buffer's; a field longer than ARVO_LOG_VALUE_BYTES_MAX is cut, and ends in "...".
 */
ARVO_API void
arvo_log_record_write(const arvo_log_record *record, arvo_log_format format, arvo_buf *out);

ARVO_END_DECLS

#endif
