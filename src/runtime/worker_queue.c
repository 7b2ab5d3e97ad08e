/* What a worker has claimed: batches, lines, rows. */

#include "runtime/worker.h"

void
arvo__worker_queue_init(worker_queue *queue, const arvo_allocator *allocator)
{
    *queue = (worker_queue){ .allocator = allocator };
    queue->end = &queue->first;
}

static void
batch_free(const worker_queue *queue, worker_batch *batch)
{
    arvo_arena_free(batch->arena);
    arvo__free(queue->allocator, batch, sizeof(*batch));
}

void
arvo__worker_queue_fini(worker_queue *queue)
{
    worker_batch *lists[] = { queue->batches, queue->held, queue->spare };
    for (size_t i = 0; i < ARVO_COUNT_OF(lists); i++)
        for (worker_batch *batch = lists[i], *next; batch != NULL; batch = next) {
            next = batch->next;
            batch_free(queue, batch);
        }
    *queue = (worker_queue){ .allocator = queue->allocator };
}

/* ---- Batches --------------------------------------------------------------------- */

worker_batch *
arvo__worker_batch_take(worker_queue *queue)
{
    worker_batch *batch = queue->spare;
    if (batch != NULL) {
        queue->spare = batch->next;
        batch->next = NULL;
        return batch;
    }
    batch = arvo__calloc(queue->allocator, 1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    batch->arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = queue->allocator });
    if (batch->arena == NULL) {
        arvo__free(queue->allocator, batch, sizeof(*batch));
        return NULL;
    }
    return batch;
}

void
arvo__worker_batch_give(worker_queue *queue, worker_batch *batch)
{
    arvo_arena_reset(batch->arena);
    *batch = (worker_batch){ .next = queue->spare, .arena = batch->arena };
    queue->spare = batch;
}

static worker_line *
batch_line(worker_batch *batch, arvo_str subject)
{
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    worker_line **place = &batch->first;
    for (; *place != NULL; place = &(*place)->next)
        if ((*place)->hash == hash && arvo_str_equal((*place)->subject, subject))
            return *place;
    worker_line *line = arvo_arena_calloc(batch->arena, 1, sizeof(*line));
    const arvo_str copy = arvo_arena_str_dup(batch->arena, subject);
    if (line == NULL || copy.ptr == NULL)
        return NULL;
    *line = (worker_line){ .batch = batch, .subject = copy, .hash = hash, .end = &line->first };
    return *place = line;
}

static worker_row *
batch_row(worker_batch *batch, const arvo_outbox_row *given)
{
    worker_row *row = arvo_arena_calloc(batch->arena, 1, sizeof(*row));
    if (row == NULL || !arvo__row_copy(&given->event, batch->arena, &row->row))
        return NULL;
    row->row.attempts = given->attempts;
    return row;
}

bool
arvo__worker_batch_add(void *user, const arvo_outbox_row *given)
{
    worker_batch *batch = user;
    worker_row *row = batch->is_holding ? NULL : batch_row(batch, given);
    worker_line *line = row != NULL ? batch_line(batch, given->event.subject) : NULL;
    if (line == NULL) {
        batch->is_holding = true; /* this row, and those behind it, are for later */
        return false;
    }
    row->row.subject = line->subject;
    *line->end = row;
    line->end = &row->next;
    line->count++;
    return true;
}

/* ---- The queue --------------------------------------------------------------------- */

static void
queue_append(worker_queue *queue, worker_line *line)
{
    line->next = NULL;
    *queue->end = line;
    queue->end = &line->next;
    queue->rows += line->count;
}

void
arvo__worker_queue_put(worker_queue *queue, worker_batch *batch)
{
    for (worker_line *line = batch->first, *next; line != NULL; line = next) {
        next = line->next;
        batch->lines++;
        queue_append(queue, line);
    }
    batch->first = NULL;
    worker_batch **list = batch->lines > 0 ? &queue->batches : &queue->held;
    if (batch->lines == 0 && !batch->is_holding) {
        arvo__worker_batch_give(queue, batch);
        return;
    }
    batch->next = *list;
    *list = batch;
}

/* The rested ones, back into the queue. */
static void
queue_wake(worker_queue *queue, int64_t now_ms)
{
    for (worker_line **place = &queue->resting; *place != NULL;) {
        worker_line *line = *place;
        if (line->due_ms > now_ms) {
            place = &line->next;
            continue;
        }
        *place = line->next;
        queue->rows -= line->count;
        queue_append(queue, line);
    }
}

worker_line *
arvo__worker_queue_take(worker_queue *queue, int64_t now_ms)
{
    queue_wake(queue, now_ms);
    worker_line *line = queue->first;
    if (line == NULL)
        return NULL;
    queue->first = line->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    line->next = NULL;
    queue->rows -= line->count;
    return line;
}

int64_t
arvo__worker_queue_due(const worker_queue *queue)
{
    int64_t due_ms = INT64_MAX;
    for (const worker_line *line = queue->resting; line != NULL; line = line->next)
        due_ms = line->due_ms < due_ms ? line->due_ms : due_ms;
    return due_ms;
}

/* ---- Lines in flight ------------------------------------------------------------------ */

static void
queue_unlink(worker_queue *queue, worker_batch *batch)
{
    worker_batch **place = &queue->batches;
    while (*place != batch)
        place = &(*place)->next;
    *place = batch->next;
}

void
arvo__worker_line_drop(worker_queue *queue, worker_line *line, bool held)
{
    worker_batch *batch = line->batch;
    batch->is_holding = batch->is_holding || held;
    if (--batch->lines > 0)
        return;
    queue_unlink(queue, batch);
    if (!batch->is_holding) {
        arvo__worker_batch_give(queue, batch);
        return;
    }
    batch->next = queue->held;
    queue->held = batch;
}

void
arvo__worker_line_next(worker_queue *queue, worker_line *line)
{
    line->first = line->first->next;
    line->count--;
    line->put_off = 0;
    if (line->first != NULL)
        queue_append(queue, line);
    else
        arvo__worker_line_drop(queue, line, false);
}

void
arvo__worker_line_rest(worker_queue *queue, worker_line *line, int64_t due_ms)
{
    line->due_ms = due_ms;
    line->put_off++;
    line->next = queue->resting;
    queue->resting = line;
    queue->rows += line->count;
}

void
arvo__worker_line_block(worker_queue *queue, worker_line *line)
{
    line->next = queue->blocked;
    queue->blocked = line;
    queue->rows += line->count;
}

void
arvo__worker_queue_unblock(worker_queue *queue)
{
    for (worker_line *line = queue->blocked, *next; line != NULL; line = next) {
        next = line->next;
        queue->rows -= line->count;
        queue_append(queue, line);
    }
    queue->blocked = NULL;
}

/* ---- What is given back ------------------------------------------------------------------ */

worker_batch *
arvo__worker_queue_take_held(worker_queue *queue, int64_t before_ms)
{
    for (worker_batch **place = &queue->held; *place != NULL; place = &(*place)->next) {
        worker_batch *batch = *place;
        if (batch->claimed_ms >= before_ms)
            continue;
        *place = batch->next;
        return batch;
    }
    return NULL;
}

worker_batch *
arvo__worker_queue_take_any(worker_queue *queue)
{
    worker_batch *batch = queue->batches;
    if (batch == NULL)
        return NULL;
    queue->batches = batch->next;
    queue->first = NULL;
    queue->end = &queue->first;
    queue->resting = NULL;
    queue->blocked = NULL;
    queue->rows = 0;
    return batch;
}
