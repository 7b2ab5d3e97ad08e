/* arvo/metrics.h - a listener that counts what it hears, for Prometheus to read.
 *
 * Names, units and buckets: docs/telemetry.md. A measurement is a few additions
 * to memory that threads hardly share; nothing is locked, and after the first
 * of its kind nothing is allocated. What is not counted as it happens (the depth
 * of a queue, memory in use) comes from sources, which are asked when somebody
 * reads.
 *
 * Threads: measuring and writing may be done by any number of threads at once.
 *          What is written while others measure may lack the last of what they
 *          measured.
 */
#ifndef ARVO_METRICS_H
#define ARVO_METRICS_H

#include <arvo/telemetry.h>

ARVO_BEGIN_DECLS

/* Label sets of one measure; what is beyond is counted under `handler="_other"`. */
#define ARVO_METRICS_SERIES_MAX      100u
#define ARVO_METRICS_LABEL_BYTES_MAX ((size_t)128) /* the rest of a label is cut off */
#define ARVO_METRICS_SOURCES_MAX     8u
#define ARVO_METRICS_SAMPLES_MAX     64u /* of one source */

typedef struct arvo_metrics arvo_metrics;

typedef enum arvo_metrics_format {
    ARVO_METRICS_PROMETHEUS = 0, /* text format 0.0.4; also node exporter's textfiles */
    ARVO_METRICS_OPENMETRICS     /* 1.0.0 */
} arvo_metrics_format;

typedef struct arvo_metrics_opts {
    const arvo_allocator *allocator; /* NULL: malloc; borrowed */
    const arvo_telemetry
        *next; /* who gets the spans and hears the measurements, too; NULL: nobody */
} arvo_metrics_opts;

/** Owned (arvo_metrics_free()). `opts` may be NULL. NULL when out of memory. */
ARVO_API ARVO_NODISCARD arvo_metrics *arvo_metrics_new(const arvo_metrics_opts *opts);
/** NULL is fine. */
ARVO_API void arvo_metrics_free(arvo_metrics *metrics);

/** Its table; borrowed for its life. */
ARVO_API const arvo_telemetry *arvo_metrics_telemetry(const arvo_metrics *metrics);

/** Append all that was counted, and what the sources and the system say now. Failure is the
 * buffer's. Waits while another thread asks the sources. */
ARVO_API void
arvo_metrics_write(const arvo_metrics *metrics, arvo_metrics_format format, arvo_buf *out);

/* ---- Sources: what is observed when somebody reads --------------------------------------- */

/* Static. The name has its unit in it, as Prometheus wants it, and no _total. */
typedef struct arvo_metrics_family {
    const char *name;
    const char *help;  /* a sentence */
    const char *unit;  /* "seconds", "bytes", with which the name ends; NULL: none */
    const char *label; /* name of the one label; NULL: none, and one sample at most */
    bool is_counter;   /* it never goes down; else a gauge */
} arvo_metrics_family;

typedef struct arvo_metrics_sample {
    uint32_t family;   /* index into the source's families */
    const char *label; /* value of the label; NULL: none */
    double value;      /* below zero: not known, and left out */
} arvo_metrics_sample;

typedef struct arvo_metrics_source {
    const arvo_metrics_family *families;
    size_t family_count;
    /* Fill in at most ARVO_METRICS_SAMPLES_MAX samples and say how many. Texts are borrowed until
     * the next call. One call at a time, by whoever reads, who is to be kept waiting for a second
     * at most; it must not use the metrics. */
    size_t (*observe)(void *user, arvo_metrics_sample *out);
    void *user;
} arvo_metrics_source;

/** Ask this one, too. @param source  Borrowed until it is removed.
 * @return ARVO_OK, ARVO_E_FULL (ARVO_METRICS_SOURCES_MAX are there). */
ARVO_API ARVO_NODISCARD arvo_status
arvo_metrics_add(arvo_metrics *metrics, const arvo_metrics_source *source, arvo_error *err);
/** Ask it no more; when this returns nobody does. One that is not there is fine. */
ARVO_API void arvo_metrics_remove(arvo_metrics *metrics, const arvo_metrics_source *source);

/* ---- Serving over HTTP ------------------------------------------------------------------------
 *
 * GET or HEAD of /metrics, as Prometheus' text format or, where it is preferred, OpenMetrics with
 * exemplars; and of /healthz. One thread answers, in turn. */

#define ARVO_METRICS_CONNECTIONS_MAX   16u /* more are closed at once */
#define ARVO_METRICS_REQUEST_BYTES_MAX ((size_t)16 * 1024)
#define ARVO_METRICS_IDLE_S_MAX        10u /* a connection on which nothing happens is closed */

typedef struct arvo_metrics_server arvo_metrics_server;

typedef struct arvo_metrics_server_opts {
    const arvo_allocator *allocator; /* NULL: malloc */
    const arvo_metrics *metrics;     /* required; borrowed until it is closed */
    /* HOST:PORT, with HOST a numeric address (IPv6 in brackets) or localhost; PORT or :PORT is
     * that of 127.0.0.1. Port 0: any that is free. Whoever can reach it may read it. */
    const char *address;
    /* For /healthz, which answers 200 when it is true, else 503 and the line in `why`; by the
     * server's thread. NULL: it is. */
    bool (*is_healthy)(void *user, arvo_error *why);
    void *user;
} arvo_metrics_server_opts;

/**
 * @param out  Owned (arvo_metrics_server_close()); serves already.
 * @return ARVO_OK, ARVO_E_INVALID (the address cannot be read), ARVO_E_IO (it cannot be listened
 *         on), ARVO_E_UNSUPPORTED (built without libmicrohttpd, or it is not there),
 *         ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_metrics_serve(
    const arvo_metrics_server_opts *opts, arvo_metrics_server **out, arvo_error *err);
/** "http://127.0.0.1:9464", with the port that it has; borrowed. */
ARVO_API const char *arvo_metrics_server_url(const arvo_metrics_server *server);
/** When this returns nobody is answered any more. NULL is fine. */
ARVO_API void arvo_metrics_server_close(arvo_metrics_server *server);

ARVO_END_DECLS

#endif
