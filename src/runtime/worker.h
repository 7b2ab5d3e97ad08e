/* runtime/worker.h - what a worker has claimed, in the order in which its threads take it.
 *
 * One claim gives a batch of rows. Those of one subject are a line, which is at one place at a
 * time:
 *
 *            claim                take                    more rows
 *   batch ----------> QUEUED -------------> in flight -----------------> QUEUED, at the end
 *                        ^                      |  put off
 *                        +---- RESTING <--------+         (blocked: as RESTING, until what is in
 *                                               |          flight of its subject has ended)
 *                                               +--> gone: delivered, given to the store, or left
 *
 * A batch is over when none of its lines is left; what of its rows is still claimed then is held
 * for a while, so that it does not come again at once, and given back.
 */
#ifndef ARVO_SRC_RUNTIME_WORKER_H
#define ARVO_SRC_RUNTIME_WORKER_H

#include <arvo/worker.h>

#include "orchestrator/delivery.h"

typedef struct worker_row {
    struct worker_row *next;
    arvo__row row; /* its subject is the line's */
} worker_row;

typedef struct worker_line {
    struct worker_line *next;
    struct worker_batch *batch;
    arvo_str subject;
    uint64_t hash;
    worker_row *first, **end;
    size_t count;
    uint32_t put_off; /* how often its first row was, in a row */
    int64_t due_ms;   /* of a resting line; real time */
} worker_line;

typedef struct worker_batch {
    struct worker_batch *next;
    arvo_arena *arena; /* of lines, rows and their texts */
    arvo_claim claim;
    int64_t claimed_ms; /* real time: before it was asked for */
    worker_line *first; /* while it is claimed into */
    size_t lines;       /* not gone */
    bool is_holding;    /* rows that nobody delivered are claimed */
} worker_batch;

/* All of it under the worker's mutex. */
typedef struct worker_queue {
    const arvo_allocator *allocator;
    worker_line *first, **end; /* QUEUED */
    worker_line *resting;      /* RESTING */
    worker_line *blocked;      /* behind one of their subject that is in flight */
    worker_batch *batches;     /* with lines */
    worker_batch *held;        /* without, but with claims */
    worker_batch *spare;
    size_t rows; /* of lines that are QUEUED, RESTING or blocked */
} worker_queue;

void arvo__worker_queue_init(worker_queue *queue, const arvo_allocator *allocator);
void arvo__worker_queue_fini(worker_queue *queue);

/* An empty batch to claim into; NULL: out of memory. Not in the queue until it is put there. */
worker_batch *arvo__worker_batch_take(worker_queue *queue);
/* Add a claimed row; for outbox_claim, with the batch as `user`. When memory runs out the row is
 * not there, and the batch holds it. */
bool arvo__worker_batch_add(void *user, const arvo_outbox_row *row);
/* Put its lines into the queue; one without lines is held or spare at once. */
void arvo__worker_queue_put(worker_queue *queue, worker_batch *batch);
/* One that was not claimed into. */
void arvo__worker_batch_give(worker_queue *queue, worker_batch *batch);

/* The next line, out of the queue; NULL: none. Rested ones are in the queue again at `now`. */
worker_line *arvo__worker_queue_take(worker_queue *queue, int64_t now_ms);
/* When the next resting line is due; INT64_MAX: none rests. */
int64_t arvo__worker_queue_due(const worker_queue *queue);

/* The line's first row is gone; so is the line when that was the last. Else it is queued again. */
void arvo__worker_line_next(worker_queue *queue, worker_line *line);
/* The line is gone, with all its rows; held: they are claimed still. */
void arvo__worker_line_drop(worker_queue *queue, worker_line *line, bool held);
/* Later again. */
void arvo__worker_line_rest(worker_queue *queue, worker_line *line, int64_t due_ms);

/* Until something that was in flight has ended. */
void arvo__worker_line_block(worker_queue *queue, worker_line *line);
/* That was now. */
void arvo__worker_queue_unblock(worker_queue *queue);

/* A held batch that was claimed before `before_ms`, out of the list; NULL: none. The caller gives
 * back its claims, then the batch (arvo__worker_batch_give()). */
worker_batch *arvo__worker_queue_take_held(worker_queue *queue, int64_t before_ms);
/* At the end: one with lines that nobody will deliver any more. */
worker_batch *arvo__worker_queue_take_any(worker_queue *queue);

#endif
