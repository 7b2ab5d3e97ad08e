/* telemetry/otlp_internal.h - what the parts of the exporter share. */
#ifndef ARVO_SRC_TELEMETRY_OTLP_INTERNAL_H
#define ARVO_SRC_TELEMETRY_OTLP_INTERNAL_H

#include <arvo/otlp.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/internal.h"

#define OTLP_HEADERS_MAX       32u
#define OTLP_RESOURCE_MAX      64u
#define OTLP_SETTING_BYTES_MAX ((size_t)16 * 1024)
#define OTLP_SPAN_BYTES_MAX                                                                        \
    ((size_t)32 * 1024) /* of one span's name, attributes, events, links                           \
                         */
#define OTLP_SPAN_BYTES_KEPT    ((size_t)8 * 1024) /* by one that waits for its next use */
#define OTLP_REQUEST_BYTES_MAX  ((size_t)64 * 1024 * 1024)
#define OTLP_RESPONSE_BYTES_MAX ((size_t)64 * 1024)
#define OTLP_ROOM               32u /* left for the phases of executions under way */

/* ---- Signals ------------------------------------------------------------------------------
 *
 * Traces, and what else there is, differ in what a row of arvo__otlp_signals (otlp_settings.c)
 * says, and in the otlp_pipe_ops of what they queue. To add one: its name in arvo_otlp_signal, its
 * row, and in otlp.c its ops; its variables, endpoint, thread, retries, deadlines and counts are
 * there then. */

typedef struct otlp_signal {
    const char *variable; /* TRACES: in the names of its variables */
    const char *batch; /* BSP: before those of its batches; NULL: all there is goes, now and then */
    const char *path;  /* behind the endpoint of all signals */
    const char *items; /* "spans", for people */
    const char *rejected; /* what JSON calls the number of them that a receiver did not take */
    uint32_t queue_min;   /* the smallest queue that makes sense */
    int64_t delay_ms;     /* how long what waits does so, at most; by default */
} otlp_signal;

extern const otlp_signal arvo__otlp_signals[ARVO_OTLP_SIGNAL_COUNT];

/* ---- Settings (otlp_settings.c) -------------------------------------------------------- */

typedef enum otlp_sampler { OTLP_ALWAYS_ON, OTLP_ALWAYS_OFF, OTLP_RATIO } otlp_sampler;

/* Where one signal goes, how, and how much of it waits. */
typedef struct otlp_target {
    const otlp_signal *signal;
    bool exports;          /* false: its exporter is none, or nobody asked for it */
    const char *url;       /* with the path */
    const char *url_shown; /* without a password */
    arvo_pair headers[OTLP_HEADERS_MAX];
    size_t header_count;
    const char *certificate; /* file; NULL: the system's */
    bool json;
    bool gzip;
    int64_t timeout_ms; /* of one request */
    int64_t export_ms;  /* of one batch, repeated requests included */
    int64_t delay_ms;
    uint32_t queue_max;
    uint32_t batch_max;
} otlp_target;

typedef struct otlp_settings {
    arvo_arena *arena; /* of its texts */
    otlp_target targets[ARVO_OTLP_SIGNAL_COUNT];
    arvo_pair resource[OTLP_RESOURCE_MAX];
    size_t resource_count;
    otlp_sampler sampler;
    bool parent_decides;
    uint64_t ratio_bound; /* of the last 8 bytes of a trace id, shifted right by one */
    uint32_t attributes_max;
    uint32_t events_max;
    uint32_t links_max;
    size_t value_bytes_max;
} otlp_settings;

bool arvo__otlp_wanted(const arvo_otlp_opts *opts);
/* out->arena is given. false: out of memory. */
bool arvo__otlp_settings_read(const arvo_otlp_opts *opts, otlp_settings *out);

/* ---- Records (otlp_pipe.c) -----------------------------------------------------------------
 */

/* What waits to be sent begins with this. */
typedef struct otlp_record otlp_record;
struct otlp_record {
    otlp_record *next; /* in the queue, or among those free */
};

/* ---- Spans (otlp_span.c) ------------------------------------------------------------------ */

typedef enum otlp_item_kind {
    OTLP_NAME,
    OTLP_TRACESTATE,
    OTLP_STR,
    OTLP_NUMBER, /* value: a double */
    OTLP_LOG,    /* key: severity; value: time, then the message */
    OTLP_LINK,   /* value: arvo_trace_context */
    OTLP_ERROR   /* key: type; value: message */
} otlp_item_kind;

/* What a span holds is a list of these, each with its key and its value behind it. */
typedef struct otlp_item {
    uint32_t kind;
    uint32_t key_len;
    uint32_t value_len;
} otlp_item;

struct arvo_span {
    otlp_record record;
    arvo_trace_context context;
    uint8_t parent_id[8];
    bool has_parent;
    arvo_span_kind kind;
    bool failed;
    int64_t start_ns; /* monotonic */
    int64_t end_ns;
    uint32_t attributes, attributes_dropped;
    uint32_t events, events_dropped;
    uint32_t links, links_dropped;
    size_t len, cap;
    char *bytes;
};

/* The item at *at, which moves on; false: there are no more. */
bool
arvo__otlp_item(const arvo_span *span, size_t *at, otlp_item *out, arvo_str *key, arvo_str *value);

/* ---- Messages (otlp_write.c, otlp_message.c) ------------------------------------------------ */

/* A member of a message: its number in protobuf, its name in JSON. */
typedef struct otlp_field {
    uint32_t number;
    const char *name;
} otlp_field;

#define OTLP_DEPTH_MAX 16u

typedef struct otlp_frame {
    bool is_list;
    bool has_member;
    size_t start; /* where its bytes begin, protobuf */
} otlp_frame;

typedef struct otlp_writer {
    arvo_buf *out;
    bool json;
    unsigned depth;
    otlp_frame frames[OTLP_DEPTH_MAX];
} otlp_writer;

/* The message of a request: between these two, all of its members. */
void arvo__otlp_open(otlp_writer *w, arvo_buf *out, bool json);
void arvo__otlp_close_message(otlp_writer *w);
/* A repeated member: between these two, one message after the other. */
void arvo__otlp_list(otlp_writer *w, otlp_field field);
void arvo__otlp_list_end(otlp_writer *w);
/* A message that is a member, or (in a list) one of several. */
void arvo__otlp_begin(otlp_writer *w, otlp_field field);
void arvo__otlp_end(otlp_writer *w);
void arvo__otlp_str(otlp_writer *w, otlp_field field, arvo_str value);
void arvo__otlp_id(otlp_writer *w, otlp_field field, const uint8_t *bytes, size_t len);
void arvo__otlp_fixed64(otlp_writer *w, otlp_field field, uint64_t value);
void arvo__otlp_fixed32(otlp_writer *w, otlp_field field, uint32_t value);
void arvo__otlp_u32(otlp_writer *w, otlp_field field, uint32_t value); /* enums too */
void arvo__otlp_i64(otlp_writer *w, otlp_field field, int64_t value);
void arvo__otlp_double(otlp_writer *w, otlp_field field, double value);
void arvo__otlp_bool(otlp_writer *w, otlp_field field, bool value);
/* Repeated numbers, packed. */
void arvo__otlp_fixed64s(otlp_writer *w, otlp_field field, const uint64_t *values, size_t count);
void arvo__otlp_doubles(otlp_writer *w, otlp_field field, const double *values, size_t count);

/* An attribute, one of the list. */
void arvo__otlp_attribute(otlp_writer *w, otlp_field list, arvo_str key, arvo_str value);
/* What every request begins with: its one resource and scope. Between these two stands what is
 * said of them, the members of a scopeSpans (or the like). */
void arvo__otlp_open_request(
    otlp_writer *w, const otlp_settings *settings, const otlp_target *target, otlp_field resources,
    otlp_field scopes, arvo_buf *out);
void arvo__otlp_close_request(otlp_writer *w);

/* An ExportTraceServiceRequest, of records that are spans; how many. Failure is the buffer's. */
uint64_t arvo__otlp_write_spans(
    const otlp_settings *settings, const otlp_record *spans, int64_t clock_offset_ns,
    arvo_buf *out);

/* An ExportMetricsServiceRequest of all there is now (otlp_metrics.c); how many data points. */
uint64_t arvo__otlp_write_metrics(
    const otlp_settings *settings, const arvo_metrics *metrics, int64_t now_ns, arvo_buf *out);

/* What a receiver said with success: how many of what was sent it did not take, and why. false: it
 * is not readable. */
bool arvo__otlp_read_response(
    const otlp_signal *signal, arvo_str body, bool json, arvo_arena *arena, int64_t *out_rejected,
    arvo_str *out_message);

/* ---- Sending (otlp_send.c) --------------------------------------------------------------------
 */

typedef struct otlp_sender otlp_sender;

typedef enum otlp_outcome {
    OTLP_SENT,
    OTLP_REPEAT, /* it may work later */
    OTLP_REFUSED,
    OTLP_GIVEN_UP /* should_stop said so */
} otlp_outcome;

typedef struct otlp_answer {
    otlp_outcome outcome;
    int64_t retry_after_ms; /* -1: not said */
    int64_t rejected;
    arvo_error why; /* in words, unless it was sent whole */
} otlp_answer;

arvo_status arvo__otlp_sender_new(
    const arvo_allocator *allocator, const otlp_target *target, otlp_sender **out, arvo_error *err);
void arvo__otlp_sender_free(otlp_sender *sender);
/* Asked again and again during a request. */
typedef bool (*otlp_should_stop_fn)(void *user);
void arvo__otlp_send(
    otlp_sender *sender, arvo_str body, otlp_should_stop_fn should_stop, void *user,
    otlp_answer *out);

/* ---- Pipes (otlp_pipe.c) ------------------------------------------------------------------------
 *
 * One signal's bounded queue, and the thread that sends it. Each has its own: a receiver of one
 * signal that hangs holds up no other. */

typedef struct otlp_pipe_ops {
    /* The records as one request; how many items it holds. Failure is the buffer's. */
    uint64_t (*write)(arvo_otlp *otlp, const otlp_record *first, arvo_buf *out);
    /* One that is needed no more. With the pipe's mutex. */
    void (*give)(arvo_otlp *otlp, otlp_record *record);
} otlp_pipe_ops;

typedef struct otlp_pipe {
    arvo_otlp *otlp;
    const otlp_target *target;
    const otlp_pipe_ops *ops;

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* for its thread: there is something to do */
    pthread_cond_t flushed; /* for who waits for it */
    otlp_record *queue;     /* guarded by mutex, as what follows */
    otlp_record **queue_end;
    _Atomic uint32_t queued; /* also read without */
    bool is_flushing;
    bool is_closing;
    int64_t stop_ms; /* of arvo__real_ms(); when closing */
    arvo_otlp_counts counts;
    otlp_record *tick; /* stands for all there is, where nothing is queued; NULL: it is */
    bool is_due;       /* the tick is to be sent */

    /* Its thread's own. */
    pthread_t thread;
    bool has_thread;
    otlp_sender *sender;
    arvo_buf body;
    bool warned[3]; /* repeat, refused, rejected */
} otlp_pipe;

/* Empty, without a thread. false: there are no locks. */
bool arvo__otlp_pipe_init(
    otlp_pipe *pipe, arvo_otlp *otlp, const otlp_target *target, const otlp_pipe_ops *ops);
arvo_status arvo__otlp_pipe_start(otlp_pipe *pipe, arvo_error *err);
/* The pipe's from here on; dropped, and counted, when there is no room. */
void arvo__otlp_pipe_put(otlp_pipe *pipe, otlp_record *record);
/* Until all that waits is sent or refused, or its time is over. */
bool arvo__otlp_pipe_flush(otlp_pipe *pipe, int64_t end_ms);
/* Begin to close it, with what waits sent until `stop_ms`; and wait for that. */
void arvo__otlp_pipe_stop(otlp_pipe *pipe, int64_t stop_ms);
void arvo__otlp_pipe_join(otlp_pipe *pipe);
/* After an init, with or without a start. */
void arvo__otlp_pipe_fini(otlp_pipe *pipe);

/* ---- The exporter (otlp.c) ----------------------------------------------------------------------
 */

struct arvo_otlp {
    arvo_allocator allocator_copy;
    const arvo_allocator *allocator;
    arvo_telemetry table;
    otlp_settings settings;
    void (*warn)(void *user, const char *line);
    void *user;
    _Atomic int64_t clock_offset_ns; /* of the real-time clock to the monotonic one */
    otlp_pipe pipes[ARVO_OTLP_SIGNAL_COUNT];
    unsigned pipe_count; /* of them initialised */
    otlp_record *free;   /* spans; guarded by the traces' mutex */
    _Atomic uint64_t not_recorded;
    arvo_metrics *metrics; /* that are exported; NULL: none */
    arvo_metrics_source own;
    otlp_record tick;
};

int64_t arvo__otlp_now_ns(void);
/* The real-time clock may have been set. */
void arvo__otlp_look_at_clock(arvo_otlp *otlp);
/* All of them, without threads; and what is left in them. */
bool arvo__otlp_pipes_init(arvo_otlp *otlp);
void arvo__otlp_pipes_fini(arvo_otlp *otlp);
/* The functions of the table. */
arvo_telemetry arvo__otlp_table(arvo_otlp *otlp);
/* An empty one; NULL: out of memory. */
arvo_span *arvo__otlp_span_take(arvo_otlp *otlp);
void arvo__otlp_span_free(arvo_otlp *otlp, arvo_span *span);

#endif
