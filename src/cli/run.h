/* What `arvo run` is made of: the trace as it happens (trace.c), and how an operator goes on from
 * where it stopped (waiting.c). */
#ifndef ARVO_CLI_RUN_H
#define ARVO_CLI_RUN_H

#include "cli.h"

/* The subjects that a run touched, each once, in order. */
struct touched {
    arvo_str *items;
    size_t count;
    size_t cap;
    uint32_t *slots; /* open addressing; index + 1 into items */
    size_t slot_count;
};

struct trace {
    bool json;
    const arvo_event *event; /* the one given; NULL: only what was left undelivered */
    const arvo_app *app;
    arvo_memory *memory;
    const char *store;    /* URL, for commands to paste */
    const char *app_text; /* paths of the app as words for a shell */
    arvo_arena *keep;     /* what outlives the printing of one event */
    struct touched touched;
    size_t events;
    size_t waiting; /* failed, and waits for its next attempt */
    size_t dead;    /* failed once too often */
    int exit_code;  /* CLI_NO when a workflow failed, or nobody took the first event */
};

/** Append `{"event", "domains", "handledBy"` of a delivery, without the brace behind it. */
void trace_delivery_write(const arvo_delivery *delivery, arvo_buf *line);

/** Print the head of the table (text only). False: out of memory. */
bool trace_begin(struct trace *trace);

/** One published event, as it was handled. */
void trace_event(struct trace *trace, const arvo_delivery *delivery);

/** The instances that were touched and, as text, what those that wait are waiting for. */
int trace_end(struct trace *trace);

/** A listener that keeps the spans of this thread, and hands everything on to `next` (nullable).
 * Until spans_print(); `next` itself when there is no memory for it, which was said. */
const arvo_telemetry *spans_open(const arvo_telemetry *next);

/** Draw them as a tree over time, and forget them. */
void spans_print(void);

/** Text for what one execution came to: state, or why not. */
const char *trace_outcome(const arvo_result *result);

/** Whether it was a workflow error, now or, for an event delivered again, when it was first
 * handled. */
bool trace_failed(const arvo_result *result);

/** What an active instance waits for, with the command that goes on from there. */
void
waiting_print(const struct trace *trace, const arvo_machine *machine, const arvo_record *record);

#endif
