/* From the histories of a store to a workflow and those it started. */

#include "workflow.h"

#include <stdlib.h>

#define OPEN_SCAN_MAX 1000u /* requests looked at for the one that is answered */

/* One row of a history, without its data. */
struct past {
    bool is_consumed;
    bool is_answer; /* consumed: to a request of the instance */
    arvo_str id, source, type, to, subject, parent_id;
    int64_t made_ms;  /* by the clock of who made it; -1: does not say */
    int64_t time_ms;  /* of the commit */
    int64_t known_ms; /* consumed: the store knew of it as produced; -1: it did not */
    int64_t there_ms; /* consumed: it was there to be taken; -1: it came after the end */
};

struct history {
    arvo_str orchestrator, done, error; /* of the instance, and what its end is told with */
    struct past *items;
    size_t count, cap;
    struct past **by_id, **by_parent; /* sorted */
};

struct reading {
    arvo_memory *memory;
    arvo_arena *scratch; /* of one event */
    int64_t now_ms;      /* of the store */
    size_t instances, events;
    struct history *into; /* the history that is being read */
    bool is_cut;
    int *exit_code;
};

/* ---- Reading one history ---- */

static struct past *
history_add(struct history *history)
{
    if (history->count == history->cap) {
        const size_t cap = history->cap == 0 ? 32 : history->cap * 2;
        struct past *items = arvo_arena_calloc(cli_arena(), cap, sizeof(*items));
        cli_check_memory();
        if (history->count > 0)
            memcpy(items, history->items, history->count * sizeof(*items));
        history->items = items;
        history->cap = cap;
    }
    return &history->items[history->count++];
}

static arvo_str
kept(arvo_str text)
{
    return text.ptr != NULL ? arvo_str_from(cli_cstr(text)) : ARVO_STR_NONE;
}

static bool
history_row(void *user, const arvo_stored_event *row)
{
    struct reading *reading = user;
    if (reading->events >= WORKFLOW_EVENTS_MAX) {
        reading->is_cut = true;
        return false;
    }
    reading->events++;
    arvo_arena_reset(reading->scratch);
    const arvo_json *event = NULL;
    if (arvo_json_parse(row->json, reading->scratch, &event, NULL) != ARVO_OK)
        event = NULL; /* the row has what is needed most */
    struct past *past = history_add(reading->into);
    *past = (struct past){ .is_consumed = row->direction == ARVO_CONSUMED,
                           .id = kept(row->id),
                           .source = kept(row->source),
                           .type = kept(row->type),
                           .to = kept(arvo_json_str(arvo_json_get(event, "to"))),
                           .subject = kept(arvo_json_str(arvo_json_get(event, "subject"))),
                           .parent_id = kept(arvo_json_str(arvo_json_get(event, "parentid"))),
                           .made_ms = -1,
                           .time_ms = row->time_ms,
                           .known_ms = -1,
                           .there_ms = -1 };
    (void)cli_time_parse(arvo_json_str(arvo_json_get(event, "time")), &past->made_ms);
    return true;
}

/* Of equals the one that happened first comes first. */
static int
id_order(const void *left, const void *right)
{
    const struct past *const *a = left;
    const struct past *const *b = right;
    const int order = cli_text_order((*a)->id, (*b)->id);
    return order != 0 ? order : *a < *b ? -1 : *a > *b;
}

static int
parent_order(const void *left, const void *right)
{
    const struct past *const *a = left;
    const struct past *const *b = right;
    const int order = cli_text_order((*a)->parent_id, (*b)->parent_id);
    return order != 0 ? order : *a < *b ? -1 : *a > *b;
}

static bool
history_read(struct reading *reading, arvo_str subject, struct history *out)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(reading->memory);
    arvo_error err = { 0 };
    reading->into = out;
    if (ops->history(arvo_memory_self(reading->memory), subject, history_row, reading, &err) !=
        ARVO_OK) {
        *reading->exit_code = cli_fail(&err);
        return false;
    }
    out->by_id = arvo_arena_calloc(cli_arena(), out->count + 1, sizeof(struct past *));
    out->by_parent = arvo_arena_calloc(cli_arena(), out->count + 1, sizeof(struct past *));
    cli_check_memory();
    for (size_t i = 0; i < out->count; i++)
        out->by_id[i] = out->by_parent[i] = &out->items[i];
    qsort(out->by_id, out->count, sizeof(struct past *), id_order);
    qsort(out->by_parent, out->count, sizeof(struct past *), parent_order);
    return true;
}

/* ---- What belongs together ---- */

/* The first place in the sorted list whose id (or parent's) is not before this. */
static size_t
list_find(struct past *const *list, size_t count, arvo_str id, bool of_parent)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (cli_text_order(of_parent ? list[middle]->parent_id : list[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The event of this id and source (none: any) that was consumed, or produced; NULL: none. */
static struct past *
event_find(const struct history *history, arvo_str id, arvo_str source, bool is_consumed)
{
    if (history == NULL)
        return NULL;
    for (size_t i = list_find(history->by_id, history->count, id, false);
         i < history->count && arvo_str_equal(history->by_id[i]->id, id); i++) {
        struct past *past = history->by_id[i];
        if (past->is_consumed == is_consumed &&
            (source.ptr == NULL || arvo_str_equal(past->source, source)))
            return past;
    }
    return NULL;
}

/* The request of the instance with this id; NULL: none. */
static const struct past *
request_find(const struct history *history, arvo_str id)
{
    return id.ptr != NULL ? event_find(history, id, history->orchestrator, false) : NULL;
}

/* Whether the instance made it: mocks' answers stand in its history too. */
static bool
is_own(const struct history *history, const struct past *past)
{
    return !past->is_consumed && arvo_str_equal(past->source, history->orchestrator);
}

/* The end, as it is told to whoever started the workflow. */
static bool
is_end(const struct history *history, const struct past *past)
{
    return is_own(history, past) && (arvo_str_equal(past->type, history->done) ||
                                     arvo_str_equal(past->type, history->error));
}

/* What a service answered; NULL: nothing yet. */
static struct past *
service_answer(const struct history *history, const struct past *request)
{
    for (size_t i = list_find(history->by_parent, history->count, request->id, true);
         i < history->count && arvo_str_equal(history->by_parent[i]->parent_id, request->id); i++)
        if (history->by_parent[i]->is_consumed)
            return history->by_parent[i];
    return NULL;
}

/* How a child ended, as its parent took it; the store knows since when it was there. */
static struct past *
child_answer(const struct history *history, const struct history *below)
{
    for (size_t i = 0; i < below->count; i++) {
        if (!is_end(below, &below->items[i]))
            continue;
        struct past *taken = event_find(history, below->items[i].id, below->orchestrator, true);
        if (taken == NULL)
            continue;
        taken->known_ms = below->items[i].time_ms;
        return taken;
    }
    return NULL;
}

/* ---- Time ---- */

static void
part_add(workflow *flow, int64_t from_ms, int64_t to_ms, bool is_wait)
{
    if (is_wait && to_ms == from_ms)
        return;
    flow->parts[flow->part_count++] =
        (cli_part){ .from = from_ms, .to = to_ms, .is_wait = is_wait };
    if (is_wait)
        flow->waited_ms += to_ms - from_ms;
    else
        flow->worked_ms += to_ms - from_ms;
}

/* Since when an event was there to be taken; before_ms: the step before its own, -1: none. Another
 * machine's clock is believed where it can be right: not before what it answers. */
static int64_t
there_ms(const struct history *history, const struct past *event, int64_t before_ms)
{
    const struct past *request = request_find(history, event->parent_id);
    const int64_t earliest = request != NULL ? request->time_ms : before_ms;
    int64_t there = event->known_ms;
    if (there < 0 && before_ms >= 0 && event->made_ms >= earliest)
        there = event->made_ms;
    return there < 0 || there > event->time_ms ? event->time_ms : there;
}

/* The step that ended it; what came later was ignored. */
static int64_t
last_ms(const struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        if (is_end(history, &history->items[i]))
            return history->items[i].time_ms;
    return INT64_MAX;
}

static void
steps_read(workflow *flow, struct history *history, const struct history *above, int64_t now_ms)
{
    const int64_t last = last_ms(history);
    int64_t before = -1;
    for (size_t i = 0; i < history->count; i++) {
        struct past *event = &history->items[i];
        if (!event->is_consumed || event->time_ms > last)
            continue;
        const struct past *made = event_find(history, event->id, event->source, false);
        if (made == NULL)
            made = event_find(above, event->id, event->source, false);
        if (made != NULL)
            event->known_ms = made->time_ms;
        event->there_ms = there_ms(history, event, before);
        if (before < 0)
            flow->start_ms = before = event->there_ms;
        const int64_t from = event->there_ms > before ? event->there_ms : before;
        part_add(flow, before, from, true);
        part_add(flow, from, event->time_ms, false);
        before = event->time_ms;
        flow->steps++;
    }
    if (arvo_str_is(flow->status, "active") && before >= 0 && now_ms > before) {
        part_add(flow, before, now_ms, true);
        before = now_ms;
    }
    flow->end_ms = before;
}

/* ---- Rows ---- */

static workflow *instance_read(
    struct reading *reading, arvo_str subject, const struct history *above, size_t depth,
    struct history *history);

/* What the instance asked for; children are read with it. False: the store failed. */
static bool
requests_read(
    struct reading *reading, workflow *flow, const struct history *history, struct past **answers,
    size_t depth)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct past *past = &history->items[i];
        if (!is_own(history, past) || is_end(history, past))
            continue;
        workflow_row *row = &flow->rows[flow->row_count];
        struct history below = { 0 };
        *row = (workflow_row){ .at = i,
                               .id = past->id,
                               .type = past->type,
                               .with = past->to,
                               .start_ms = past->time_ms,
                               .made_ms = -1,
                               .end_ms = -1 };
        if (past->subject.ptr != NULL && !arvo_str_equal(past->subject, flow->subject) &&
            arvo_str_starts(past->type, ARVO_STR("arvo.orc."))) {
            row->kind = WORKFLOW_CHILD;
            row->child = instance_read(reading, past->subject, history, depth + 1, &below);
            if (*reading->exit_code != CLI_DONE)
                return false;
        }
        struct past *answer =
            row->child != NULL ? child_answer(history, &below) : service_answer(history, past);
        if (answer != NULL)
            answer->is_answer = true;
        answers[flow->row_count++] = answer;
    }
    return true;
}

/* Who is asked by hand answers without naming the request: then it is the oldest one that was sent
 * to them and has no answer. */
static void
answers_guess(const workflow *flow, struct history *history, struct past **answers)
{
    size_t first = 0;
    for (size_t i = 0; i < history->count; i++) {
        struct past *past = &history->items[i];
        if (!past->is_consumed || past->is_answer || request_find(history, past->parent_id) != NULL)
            continue;
        while (first < flow->row_count && answers[first] != NULL)
            first++;
        for (size_t k = first; k < flow->row_count && k < first + OPEN_SCAN_MAX; k++) {
            if (answers[k] != NULL || flow->rows[k].at > i ||
                !arvo_str_equal(flow->rows[k].with, past->source))
                continue;
            answers[k] = past;
            past->is_answer = true;
            break;
        }
    }
}

static void
requests_answer(workflow *flow, struct past *const *answers)
{
    for (size_t i = 0; i < flow->row_count; i++) {
        workflow_row *row = &flow->rows[i];
        const struct past *answer = answers[i];
        row->is_open = answer == NULL && arvo_str_is(flow->status, "active");
        if (answer == NULL)
            continue;
        row->answer = answer->type;
        row->end_ms = answer->time_ms;
        row->made_ms = answer->there_ms < row->start_ms ? row->start_ms : answer->there_ms;
        if (answer->there_ms < 0)
            row->made_ms = row->end_ms;
    }
}

/* What nobody was asked for, but for the start; a second answer is no signal either. */
static void
signals_read(workflow *flow, const struct history *history)
{
    bool is_first = true;
    for (size_t i = 0; i < history->count; i++) {
        const struct past *past = &history->items[i];
        if (!past->is_consumed || past->there_ms < 0)
            continue;
        if (!is_first && !past->is_answer && request_find(history, past->parent_id) == NULL)
            flow->rows[flow->row_count++] = (workflow_row){ .kind = WORKFLOW_SIGNAL,
                                                            .at = i,
                                                            .id = past->id,
                                                            .type = past->type,
                                                            .with = past->source,
                                                            .start_ms = past->there_ms,
                                                            .made_ms = past->there_ms,
                                                            .end_ms = past->time_ms };
        is_first = false;
    }
}

static int
row_order(const void *a, const void *b)
{
    const workflow_row *left = a;
    const workflow_row *right = b;
    if (left->start_ms != right->start_ms)
        return left->start_ms < right->start_ms ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at;
}

/* ---- One instance ---- */

static bool
record_use(struct reading *reading, workflow *flow, bool *out_found)
{
    arvo_record record = { 0 };
    arvo_subject subject;
    if (!cli_record_read(reading->memory, flow->subject, &record, out_found, reading->exit_code))
        return false;
    if (arvo_subject_decode(NULL, flow->subject, cli_arena(), &subject, NULL) == ARVO_OK) {
        flow->execution_id = subject.execution_id;
        flow->orchestrator = subject.orchestrator_name;
        flow->version = subject.orchestrator_version;
    }
    if (!*out_found)
        return true;
    flow->parent_subject = record.parent_subject;
    flow->orchestrator = record.orchestrator;
    flow->version = record.version;
    flow->status = record.status;
    flow->error = arvo_json_str(arvo_json_get(cli_json_text(record.last_error), "errorName"));
    return true;
}

static bool
instance_fill(
    struct reading *reading, workflow *flow, const struct history *above, size_t depth,
    struct history *history)
{
    const size_t cap = history->count + 1;
    flow->parts = arvo_arena_calloc(cli_arena(), 2 * cap, sizeof(*flow->parts));
    flow->rows = arvo_arena_calloc(cli_arena(), cap, sizeof(*flow->rows));
    struct past **answers = arvo_arena_calloc(cli_arena(), cap, sizeof(struct past *));
    cli_check_memory();
    if (!requests_read(reading, flow, history, answers, depth))
        return false;
    answers_guess(flow, history, answers);
    steps_read(flow, history, above, reading->now_ms);
    requests_answer(flow, answers);
    signals_read(flow, history);
    qsort(flow->rows, flow->row_count, sizeof(*flow->rows), row_order);
    return true;
}

/* NULL: the store failed (*exit_code says so), has nothing of it, or the bounds are met. */
static workflow *
instance_read(
    struct reading *reading, arvo_str subject, const struct history *above, size_t depth,
    struct history *history)
{
    bool found = false;
    if (reading->instances >= WORKFLOW_INSTANCES_MAX || depth > WORKFLOW_DEPTH_MAX) {
        reading->is_cut = true;
        return NULL;
    }
    reading->instances++;
    workflow *flow = arvo_arena_calloc(cli_arena(), 1, sizeof(*flow));
    cli_check_memory();
    flow->subject = subject;
    flow->status = ARVO_STR("gone");
    if (!record_use(reading, flow, &found) || !history_read(reading, subject, history))
        return NULL;
    if (history->count == 0)
        return NULL;
    history->orchestrator = flow->orchestrator;
    history->done = arvo_str_from(cli_printf("%.*s.done", ARVO_FMT(flow->orchestrator)));
    history->error = arvo_str_from(cli_printf("sys.%.*s.error", ARVO_FMT(flow->orchestrator)));
    return instance_fill(reading, flow, above, depth, history) && flow->steps > 0 ? flow : NULL;
}

static bool
can_tell(arvo_memory *memory)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    if (ops->history != NULL &&
        (ops->keeps_history == NULL || ops->keeps_history(arvo_memory_self(memory))))
        return true;
    cli_error("trace: the store \"%s\" keeps no history", arvo_memory_name(memory));
    return false;
}

/* The store's clock where it says it. */
static int64_t
store_now_ms(arvo_memory *memory)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    const arvo_platform *platform = arvo_platform_system();
    arvo_memory_stats stats = { 0 };
    if (ops->stats != NULL && ops->stats(arvo_memory_self(memory), &stats, NULL) == ARVO_OK)
        return stats.now_ms;
    return platform->time_ms(platform->self);
}

workflow *
workflow_read(arvo_memory *memory, arvo_str subject, int *exit_code)
{
    struct history history = { 0 };
    if (!can_tell(memory)) {
        *exit_code = CLI_USAGE;
        return NULL;
    }
    struct reading reading = { .memory = memory,
                               .scratch = arvo_arena_new(NULL),
                               .now_ms = store_now_ms(memory),
                               .exit_code = exit_code };
    if (reading.scratch == NULL) {
        cli_error("out of memory");
        *exit_code = CLI_TRANSACTION;
        return NULL;
    }
    workflow *flow = instance_read(&reading, subject, NULL, 0, &history);
    arvo_arena_free(reading.scratch);
    if (flow != NULL)
        flow->is_cut = reading.is_cut;
    if (flow != NULL)
        return flow;
    if (*exit_code == CLI_DONE) {
        cli_error(
            "trace: the store holds no event that this instance took; arvo ps lists what is there");
        *exit_code = CLI_NO;
    }
    return NULL;
}
