/* One workflow as its history tells it (workflow_read.c), and how it is drawn (workflow.c,
 * workflow_svg.c).
 *
 * Times are of the store's clock. An instance is at work from when an event for it was there until
 * the step that took it was committed: delivery and handling. Otherwise it waits for others. What
 * came before the commit of its first step is known of a workflow that another one started, or
 * whose start event went through the store's outbox; else it begins with that commit. */
#ifndef ARVO_CLI_WORKFLOW_H
#define ARVO_CLI_WORKFLOW_H

#include "cli.h"

#define WORKFLOW_INSTANCES_MAX 1000u
#define WORKFLOW_EVENTS_MAX    100000u
#define WORKFLOW_DEPTH_MAX     32u

typedef enum workflow_kind {
    WORKFLOW_CALL = 0, /* a request to a service */
    WORKFLOW_CHILD,    /* the start of another workflow */
    WORKFLOW_SIGNAL    /* an event that the workflow did not ask for */
} workflow_kind;

typedef struct workflow workflow;

/* What an instance asked of somebody, or got from somebody. */
typedef struct workflow_row {
    workflow_kind kind;
    size_t at;        /* in the history */
    bool is_open;     /* no answer yet, and the workflow goes on */
    arvo_str id;      /* of the request, or of the signal */
    arvo_str type;    /* likewise */
    arvo_str with;    /* whom it was sent to, or who sent it */
    arvo_str answer;  /* type of the first answer; none */
    int64_t start_ms; /* the request was committed, or the signal was there */
    int64_t made_ms;  /* the answer was there; -1: none */
    int64_t end_ms;   /* it was taken; -1: not yet */
    workflow *child;  /* NULL: not a child, or not in this store */
} workflow_row;

struct workflow {
    arvo_str subject, parent_subject; /* parent: nullable */
    arvo_str execution_id, orchestrator, version, status;
    arvo_str error; /* name of the last one; none */
    int64_t start_ms, end_ms;
    int64_t waited_ms, worked_ms; /* which add up to end - start */
    size_t steps;                 /* events taken */
    cli_part *parts;              /* in time */
    size_t part_count;
    workflow_row *rows; /* by start */
    size_t row_count;
    bool is_cut; /* the bounds above were met: something is missing */
};

/** Read the workflow of `subject` and those it started, into the arena. NULL: said why, *exit_code
 * set. */
workflow *workflow_read(arvo_memory *memory, arvo_str subject, int *exit_code);

/** "orchestrator@version", or what there is of it. */
const char *workflow_name(const workflow *flow);

/** What a row is called: "type -> answer". */
const char *workflow_row_text(const workflow_row *row, const char *arrow);

/** The time of a row that is not over: until the end of its workflow. */
int64_t workflow_row_end(const workflow *flow, const workflow_row *row);

/** The parts of a row's bar: up to two. */
size_t workflow_row_parts(const workflow *flow, const workflow_row *row, cli_part out[2]);

/** The picture, for a report: appended to `out`. */
void workflow_svg(const workflow *flow, arvo_buf *out);

#endif
