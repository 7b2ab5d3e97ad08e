/* Whether what a store holds fits together: over its dump, row by row, with what
 * has to be remembered of the rows before. */

#include <arvo/transfer.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/json.h>

#include "memory/internal.h"

#define CHECK_ARENA_MAX (SIZE_MAX / 2)
#define CHECK_WHERE_MAX ((size_t)512)
#define CHECK_ARRAY_MIN ((size_t)1024)

struct seen_event {
    int64_t seq;
    uint64_t subject; /* hash */
    uint64_t key;     /* consumed: of subject, source and id; produced: 0 */
};

struct seen_record {
    arvo_str subject, parent; /* arena */
};

struct checker {
    arvo_finding_fn each;
    void *user;
    bool is_stopped;
    bool is_nomem;
    arvo_arena *arena;   /* what is remembered */
    arvo_arena *scratch; /* of one row */
    arvo__map definitions;
    arvo__map subjects; /* of records */
    struct seen_record *records;
    size_t record_count, record_cap;
    struct seen_event *events; /* by seq */
    size_t event_count, event_cap;
    int64_t *outbox; /* by seq */
    size_t outbox_count, outbox_cap;
    uint64_t newest_fence;
    int64_t newest_seq;
    int64_t before_seq;
};

/* ---- Findings ------------------------------------------------------------ */

static void check_found(struct checker *checker, arvo_str where, const char *format, ...)
    ARVO_PRINTF(3, 4);

static void
check_found(struct checker *checker, arvo_str where, const char *format, ...)
{
    char what[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    const size_t kept = len < 0 ? 0 : (size_t)len < sizeof(what) ? (size_t)len : sizeof(what) - 1;
    if (!checker->is_stopped)
        checker->is_stopped = !checker->each(checker->user, where, (arvo_str){ what, kept });
}

static void
check_found_seq(struct checker *checker, const char *kind, int64_t seq, const char *what)
{
    char where[64];
    (void)snprintf(where, sizeof(where), "%s %lld", kind, (long long)seq);
    check_found(checker, arvo_str_from(where), "%s", what);
}

/* Room for one more. false: out of memory, and noted. */
static bool
check_reserve(struct checker *checker, void **array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return true;
    const size_t grown = *cap != 0 ? *cap * 2 : CHECK_ARRAY_MIN;
    void *more = arvo__alloc(NULL, grown * size);
    if (more == NULL) {
        checker->is_nomem = true;
        return false;
    }
    if (*array != NULL) {
        memcpy(more, *array, count * size);
        arvo__free(NULL, *array, *cap * size);
    }
    *array = more;
    *cap = grown;
    return true;
}

/* The parsed text; NULL: it is not JSON. */
static const arvo_json *
check_parse(struct checker *checker, arvo_str text)
{
    const arvo_json_parse_opts opts = { .bytes_max = ARVO_RECORD_BYTES_MAX };
    const arvo_json *value = NULL;
    const arvo_status st = arvo_json_parse_opt(text, &opts, checker->scratch, &value, NULL);
    if (st == ARVO_E_NOMEM)
        checker->is_nomem = true;
    return st == ARVO_OK ? value : NULL;
}

/* ---- Records ------------------------------------------------------------- */

static void
check_record_texts(struct checker *checker, const arvo_record *record)
{
    const struct {
        const char *name;
        arvo_str text;
    } texts[] = { { "value", record->value },
                  { "last error", record->last_error },
                  { "input", record->input } };
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        if (texts[i].text.ptr != NULL && check_parse(checker, texts[i].text) == NULL)
            check_found(checker, record->subject, "record-json: its %s is not JSON", texts[i].name);
    }
    const arvo_json *state = record->state.ptr != NULL ? check_parse(checker, record->state) : NULL;
    if (record->state.ptr != NULL && state == NULL)
        check_found(checker, record->subject, "record-json: its state is not JSON");
    const arvo_str inner = arvo_json_str(arvo_json_get(state, "status"));
    if (inner.ptr != NULL && !arvo_str_equal(inner, record->status))
        check_found(
            checker, record->subject, "record-state: it is %.*s, and the state within says %.*s",
            ARVO_FMT(record->status), ARVO_FMT(inner));
}

static void
check_record_remember(struct checker *checker, const arvo_record *record)
{
    if (!check_reserve(
            checker, (void **)&checker->records, &checker->record_cap, checker->record_count,
            sizeof(checker->records[0])))
        return;
    struct seen_record *seen = &checker->records[checker->record_count];
    *seen = (struct seen_record){ .subject = arvo_arena_str_dup(checker->arena, record->subject) };
    if (record->parent_subject.ptr != NULL)
        seen->parent = arvo_arena_str_dup(checker->arena, record->parent_subject);
    if (arvo_arena_failed(checker->arena) ||
        !arvo__map_set(&checker->subjects, seen->subject, checker))
        checker->is_nomem = true;
    else
        checker->record_count++;
}

static void
check_record(struct checker *checker, const arvo_record *record)
{
    if (arvo__map_find(&checker->subjects, record->subject) != NULL) {
        check_found(checker, record->subject, "record-twice: there are two records of it");
        return;
    }
    if (!arvo_str_is(record->status, "active") && !arvo_str_is(record->status, "done") &&
        !arvo_str_is(record->status, "error"))
        check_found(
            checker, record->subject, "record-status: \"%.*s\" is none of active, done, error",
            ARVO_FMT(record->status));
    if (record->definition.ptr != NULL &&
        arvo__map_find(&checker->definitions, record->definition) == NULL)
        check_found(
            checker, record->subject, "definition-missing: its definition %.*s is not there",
            ARVO_FMT(record->definition));
    if (record->fence > checker->newest_fence)
        check_found(
            checker, record->subject, "record-fence: its fence %llu is above the newest, %llu",
            (unsigned long long)record->fence, (unsigned long long)checker->newest_fence);
    if (record->updated_ms < record->created_ms)
        check_found(checker, record->subject, "record-time: it was changed before it was made");
    check_record_texts(checker, record);
    check_record_remember(checker, record);
}

/* A parent may come behind its child, so this waits for the last record. */
static void
check_parents(struct checker *checker)
{
    for (size_t i = 0; i < checker->record_count; i++) {
        const struct seen_record *seen = &checker->records[i];
        if (seen->parent.ptr != NULL && arvo__map_find(&checker->subjects, seen->parent) == NULL)
            check_found(checker, seen->subject, "note: parent-missing: its parent is not there");
    }
}

/* ---- Events ---------------------------------------------------------------- */

static const struct seen_event *
check_event_find(const struct checker *checker, int64_t seq)
{
    size_t low = 0, high = checker->event_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (checker->events[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < checker->event_count && checker->events[low].seq == seq ? &checker->events[low]
                                                                         : NULL;
}

static void
check_event_json(struct checker *checker, const arvo_stored_event *event)
{
    const arvo_json *root = check_parse(checker, event->json);
    if (arvo_json_type_of(root) != ARVO_JSON_OBJECT) {
        check_found_seq(checker, "event", event->seq, "event-json: it is not a JSON object");
        return;
    }
    const struct {
        const char *key;
        arvo_str column;
    } pairs[] = { { "id", event->id }, { "source", event->source }, { "type", event->type } };
    for (size_t i = 0; i < ARVO_COUNT_OF(pairs); i++) {
        if (arvo_str_equal(arvo_json_str(arvo_json_get(root, pairs[i].key)), pairs[i].column))
            continue;
        char what[64];
        (void)snprintf(
            what, sizeof(what), "event-json: its %s is not that of the row", pairs[i].key);
        check_found_seq(checker, "event", event->seq, what);
    }
}

static void
check_event_cause(
    struct checker *checker, const arvo_stored_event *event, int64_t cause, uint64_t subject)
{
    if (event->direction == ARVO_CONSUMED) {
        if (cause != 0)
            check_found_seq(
                checker, "event", event->seq, "event-cause: it was consumed, and has one");
        return;
    }
    if (cause == 0)
        return;
    const struct seen_event *found = check_event_find(checker, cause);
    if (found == NULL)
        check_found_seq(checker, "event", event->seq, "event-cause: what made it is not there");
    else if (found->subject != subject)
        check_found_seq(
            checker, "event", event->seq, "event-cause: what made it is of another subject");
    else if (found->key == 0)
        check_found_seq(checker, "event", event->seq, "event-cause: what made it was not consumed");
}

static uint64_t
check_inbox_key(const arvo_stored_event *event, uint64_t subject)
{
    uint64_t key = arvo__hash(event->source.ptr, event->source.len, subject);
    key = arvo__hash(event->id.ptr, event->id.len, key);
    return key != 0 ? key : 1;
}

static void
check_event(struct checker *checker, const arvo_row *row)
{
    const arvo_stored_event *event = &row->row.event;
    const uint64_t subject = arvo__hash_keyed(event->subject.ptr, event->subject.len);
    if (event->seq <= checker->before_seq) {
        check_found_seq(
            checker, "event", event->seq, "event-order: its seq is not above the one before");
        return;
    }
    if (event->seq > checker->newest_seq)
        check_found_seq(
            checker, "event", event->seq, "event-order: its seq is above the newest of the store");
    checker->before_seq = event->seq;
    check_event_json(checker, event);
    check_event_cause(checker, event, row->cause, subject);
    if (!check_reserve(
            checker, (void **)&checker->events, &checker->event_cap, checker->event_count,
            sizeof(checker->events[0])))
        return;
    checker->events[checker->event_count++] = (struct seen_event){
        .seq = event->seq,
        .subject = subject,
        .key = event->direction == ARVO_CONSUMED ? check_inbox_key(event, subject) : 0
    };
}

static int
compare_keys(const void *a, const void *b)
{
    const struct seen_event *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? 1 : -1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Sorts the events by key: the last thing that is done with them. */
static void
check_inboxes(struct checker *checker)
{
    if (checker->event_count > 0)
        qsort(checker->events, checker->event_count, sizeof(checker->events[0]), compare_keys);
    for (size_t i = 1; i < checker->event_count; i++) {
        const struct seen_event *before = &checker->events[i - 1], *event = &checker->events[i];
        if (event->key == 0 || event->key != before->key)
            continue;
        char what[96];
        (void)snprintf(
            what, sizeof(what), "inbox-twice: its subject consumed the same event as %lld",
            (long long)before->seq);
        check_found_seq(checker, "event", event->seq, what);
    }
}

/* ---- Deliveries ------------------------------------------------------------ */

static void
check_delivery(struct checker *checker, const arvo_row *row)
{
    const int64_t seq = row->row.event.seq;
    const bool is_dead = row->kind == ARVO_ROW_DEAD;
    const char *kind = is_dead ? "dead letter" : "outbox row";
    const struct seen_event *event = check_event_find(checker, seq);
    if (event == NULL)
        check_found_seq(checker, kind, seq, "outbox-event: its event is not there");
    else if (event->key != 0)
        check_found_seq(checker, kind, seq, "outbox-event: its event was consumed, not produced");
    if (!is_dead) {
        if (check_reserve(
                checker, (void **)&checker->outbox, &checker->outbox_cap, checker->outbox_count,
                sizeof(checker->outbox[0])))
            checker->outbox[checker->outbox_count++] = seq;
        return;
    }
    size_t low = 0, high = checker->outbox_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (checker->outbox[middle] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < checker->outbox_count && checker->outbox[low] == seq)
        check_found_seq(checker, kind, seq, "outbox-dead: it is in the outbox too");
}

/* ---- All ------------------------------------------------------------------- */

static bool
check_row(void *user, const arvo_row *row)
{
    struct checker *checker = user;
    arvo_arena_reset(checker->scratch);
    switch (row->kind) {
    case ARVO_ROW_STORE:
        checker->newest_fence = row->newest_fence;
        checker->newest_seq = row->newest_seq;
        break;
    case ARVO_ROW_DEFINITION: {
        const arvo_str hash = arvo_arena_str_dup(checker->arena, row->hash);
        if (hash.ptr == NULL || !arvo__map_set(&checker->definitions, hash, checker))
            checker->is_nomem = true;
        break;
    }
    case ARVO_ROW_RECORD:
        check_record(checker, &row->record);
        break;
    case ARVO_ROW_EVENT:
        check_event(checker, row);
        break;
    case ARVO_ROW_OUTBOX:
    case ARVO_ROW_DEAD:
        check_delivery(checker, row);
        break;
    }
    return !checker->is_stopped && !checker->is_nomem;
}

static bool
check_own(void *user, arvo_str where, arvo_str what)
{
    struct checker *checker = user;
    check_found(checker, where, "%.*s", ARVO_FMT(what));
    return !checker->is_stopped;
}

static void
checker_fini(struct checker *checker)
{
    arvo__map_fini(&checker->definitions);
    arvo__map_fini(&checker->subjects);
    if (checker->records != NULL)
        arvo__free(NULL, checker->records, checker->record_cap * sizeof(checker->records[0]));
    if (checker->events != NULL)
        arvo__free(NULL, checker->events, checker->event_cap * sizeof(checker->events[0]));
    if (checker->outbox != NULL)
        arvo__free(NULL, checker->outbox, checker->outbox_cap * sizeof(checker->outbox[0]));
    arvo_arena_free(checker->arena);
    arvo_arena_free(checker->scratch);
}

arvo_status
arvo_memory_check(arvo_memory *memory, arvo_finding_fn each, void *user, arvo_error *err)
{
    ARVO_ASSERT(memory != NULL);
    ARVO_ASSERT(each != NULL);
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    const arvo_arena_opts opts = { .bytes_max = CHECK_ARENA_MAX };
    struct checker checker = {
        .each = each, .user = user, .arena = arvo_arena_new(&opts), .scratch = arvo_arena_new(&opts)
    };
    arvo_status st = ARVO_OK;
    if (checker.arena == NULL || checker.scratch == NULL)
        st = arvo__nomem(err);
    else if (ops->dump == NULL)
        st = arvo__fail(
            err, ARVO_E_UNSUPPORTED, "the store \"%s\" cannot be read as a whole", ops->name);
    if (st == ARVO_OK && ops->check != NULL)
        st = ops->check(self, check_own, &checker, err);
    if (st == ARVO_OK && !checker.is_stopped)
        st = ops->dump(self, check_row, &checker, err);
    if (st == ARVO_OK && checker.is_nomem)
        st = arvo__nomem(err);
    if (st == ARVO_OK && !checker.is_stopped) {
        check_parents(&checker);
        check_inboxes(&checker);
    }
    checker_fini(&checker);
    return st;
}
