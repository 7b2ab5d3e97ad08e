/* The one atomic write of the PostgreSQL store, of many threads together.
 *
 * A group is one call of the function `commit`, which gives an outcome per commit (the list is in
 * postgres_schema.c). When the connection is lost before the answer is there, nobody knows whether
 * the server did it. So each connection is a writer with a row of its own in the database, in which
 * every group leaves its number and its outcomes, in its own transaction:
 *
 *   send group n --answer--> done
 *        | lost
 *   connect again, ask: raise the writer's epoch, read the newest number
 *        | n: it was done; its outcomes are there too
 *        | less: it was not, and will not be (its epoch is over): send it again
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <stdlib.h>
#include <string.h>

#include "memory/postgres.h"

#define COMMIT    "commit"
#define KEYS_HERE 8u /* keys of one call that need no allocation */

enum commit_outcome {
    OUTCOME_DONE = 0,
    OUTCOME_LEASE = 1,
    OUTCOME_CONSUMED = 2,
    OUTCOME_REVISION = 3,
    OUTCOME_OUTBOX = 4,
    OUTCOME_OTHER = 5, /* of another commit of the same call */
    OUTCOME_UNKNOWN = 9,
};

struct commit_request {
    const arvo_commit *commits;
    size_t count;
};

struct commit_item {
    const arvo_commit *commit;
    size_t op;
    enum commit_outcome outcome;
    uint64_t revision; /* found, when known */
};

struct commit_group {
    struct postgres_store *store;
    struct postgres_op **ops;
    size_t op_count;
    struct commit_item *items; /* sorted by subject */
    size_t count, event_count;
    char known_definition[sizeof(((struct postgres_store *)NULL)->known_definition)];
};

/* ---- Parameters ------------------------------------------------------------ */

static int
item_order(const void *a, const void *b)
{
    const arvo_str x = ((const struct commit_item *)a)->commit->subject;
    const arvo_str y = ((const struct commit_item *)b)->commit->subject;
    const int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static size_t
commit_events(const arvo_commit *commit)
{
    return commit->produced_count + (commit->consumed != NULL ? 1u : 0u);
}

static arvo_status
group_fill(struct commit_group *group, arvo_error *err)
{
    for (size_t i = 0; i < group->op_count; i++)
        group->count += ((const struct commit_request *)group->ops[i]->request)->count;
    group->items = arvo__calloc(group->store->allocator, group->count, sizeof(group->items[0]));
    if (group->items == NULL)
        return arvo__nomem(err);
    size_t at = 0;
    for (size_t i = 0; i < group->op_count; i++) {
        const struct commit_request *request = group->ops[i]->request;
        for (size_t k = 0; k < request->count; k++) {
            group->items[at++] = (struct commit_item){ .commit = &request->commits[k], .op = i };
            group->event_count += commit_events(&request->commits[k]);
        }
    }
    qsort(group->items, group->count, sizeof(group->items[0]), item_order);
    return ARVO_OK;
}

static int64_t
item_previous(const arvo_commit *commit)
{
    if (commit->record != NULL)
        return (int64_t)commit->previous_revision;
    return commit_events(commit) > 0 ? -1 : -2;
}

static void
param_leases(struct postgres_params *params, const struct commit_group *group)
{
    static const uint8_t no_token[16];
    arvo__pg_array_begin(params, PG_INTS, group->count);
    for (size_t i = 0; i < group->count; i++) {
        const arvo_lease *lease = group->items[i].commit->lease;
        arvo__pg_element_int(params, lease != NULL ? (int64_t)lease->fence : 0);
    }
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_UUIDS, group->count);
    for (size_t i = 0; i < group->count; i++) {
        const arvo_lease *lease = group->items[i].commit->lease;
        arvo__pg_element_uuid(params, lease != NULL ? lease->token : no_token);
    }
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_BOOLS, group->count);
    for (size_t i = 0; i < group->count; i++) {
        const arvo_commit *commit = group->items[i].commit;
        arvo__pg_element_bool(params, commit->release && commit->lease != NULL);
    }
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_INTS, group->count);
    for (size_t i = 0; i < group->count; i++)
        arvo__pg_element_int(params, item_previous(group->items[i].commit));
    arvo__pg_array_end(params);
}

/* One array per string of the record. */
static void
param_records(struct postgres_params *params, const struct commit_group *group)
{
    static const size_t offsets[] = {
        offsetof(arvo_record, parent_subject), offsetof(arvo_record, orchestrator),
        offsetof(arvo_record, version),        offsetof(arvo_record, status),
        offsetof(arvo_record, value),          offsetof(arvo_record, state),
        offsetof(arvo_record, last_error),     offsetof(arvo_record, input),
        offsetof(arvo_record, definition),
    };
    for (size_t k = 0; k < ARVO_COUNT_OF(offsets); k++) {
        arvo__pg_array_begin(params, PG_TEXTS, group->count);
        for (size_t i = 0; i < group->count; i++) {
            const char *record = (const char *)group->items[i].commit->record;
            arvo__pg_element_text(
                params, record != NULL ? *(const arvo_str *)(const void *)(record + offsets[k])
                                       : ARVO_STR_NONE);
        }
        arvo__pg_array_end(params);
    }
}

static arvo_str
not_none(arvo_str text)
{
    return text.ptr != NULL ? text : ARVO_STR("");
}

static void
param_inbox(struct postgres_params *params, const struct commit_group *group)
{
    for (int is_id = 0; is_id < 2; is_id++) {
        arvo__pg_array_begin(params, PG_TEXTS, group->count);
        for (size_t i = 0; i < group->count; i++) {
            const arvo_stored_event *event = group->items[i].commit->consumed;
            arvo_str text = ARVO_STR_NONE;
            if (event != NULL)
                text = not_none(is_id ? event->id : event->source);
            arvo__pg_element_text(params, text);
        }
        arvo__pg_array_end(params);
    }
    arvo__pg_array_begin(params, PG_INTS, group->count);
    for (size_t i = 0; i < group->count; i++)
        arvo__pg_element_int(params, group->items[i].commit->outbox_done);
    arvo__pg_array_end(params);
}

static bool
brings_definition(const struct commit_group *group, size_t i)
{
    const arvo_commit *commit = group->items[i].commit;
    return commit->record != NULL && commit->definition_json.ptr != NULL &&
           commit->record->definition.ptr != NULL &&
           !arvo_str_is(commit->record->definition, group->known_definition);
}

static void
param_definitions(struct postgres_params *params, const struct commit_group *group)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        count += brings_definition(group, i);
    for (int is_document = 0; is_document < 2; is_document++) {
        arvo__pg_array_begin(params, PG_TEXTS, count);
        for (size_t i = 0; i < group->count; i++) {
            const arvo_commit *commit = group->items[i].commit;
            if (brings_definition(group, i))
                arvo__pg_element_text(
                    params, is_document ? commit->definition_json : commit->record->definition);
        }
        arvo__pg_array_end(params);
    }
}

/* ---- Events: a commit's consumed one, then what it produced -------------------- */

struct event_walk {
    const struct commit_group *group;
    size_t item, next; /* where it stands */
    int32_t ordinal;   /* of the event it gave, from 1 */
    int32_t consumed;  /* ordinal of the commit's consumed event; 0: none */
    const arvo_stored_event *event;
    bool is_consumed;
};

static bool
walk_next(struct event_walk *walk)
{
    while (walk->item < walk->group->count) {
        const arvo_commit *commit = walk->group->items[walk->item].commit;
        const size_t before = commit->consumed != NULL ? 1u : 0u;
        if (walk->next == 0)
            walk->consumed = 0;
        if (walk->next < before + commit->produced_count) {
            walk->is_consumed = walk->next < before;
            walk->event =
                walk->is_consumed ? commit->consumed : &commit->produced[walk->next - before];
            walk->ordinal++;
            walk->next++;
            if (walk->is_consumed)
                walk->consumed = walk->ordinal;
            return true;
        }
        walk->item++;
        walk->next = 0;
    }
    return false;
}

static void
param_events(struct postgres_params *params, const struct commit_group *group)
{
    static const size_t offsets[] = {
        offsetof(arvo_stored_event, id),   offsetof(arvo_stored_event, source),
        offsetof(arvo_stored_event, type), offsetof(arvo_stored_event, domains),
        offsetof(arvo_stored_event, json),
    };
    arvo__pg_array_begin(params, PG_SMALLS, group->event_count);
    for (struct event_walk walk = { .group = group }; walk_next(&walk);)
        arvo__pg_element_small(params, (int32_t)walk.item + 1);
    arvo__pg_array_end(params);
    /* Consumed: -1. Produced: which event of the call caused it, from 1; 0: none. */
    arvo__pg_array_begin(params, PG_SMALLS, group->event_count);
    for (struct event_walk walk = { .group = group }; walk_next(&walk);)
        arvo__pg_element_small(params, walk.is_consumed ? -1 : walk.consumed);
    arvo__pg_array_end(params);
    for (size_t k = 0; k < ARVO_COUNT_OF(offsets); k++) {
        arvo__pg_array_begin(params, PG_TEXTS, group->event_count);
        for (struct event_walk walk = { .group = group }; walk_next(&walk);) {
            const char *event = (const char *)walk.event;
            arvo__pg_element_text(
                params, not_none(*(const arvo_str *)(const void *)(event + offsets[k])));
        }
        arvo__pg_array_end(params);
    }
}

static void
group_params(struct postgres_params *params, const struct commit_group *group)
{
    arvo__pg_bool(params, group->store->sync == PG_SYNC_FULL);
    arvo__pg_array_begin(params, PG_SMALLS, group->count);
    for (size_t i = 0; i < group->count; i++)
        arvo__pg_element_small(params, (int32_t)group->items[i].op);
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_TEXTS, group->count);
    for (size_t i = 0; i < group->count; i++)
        arvo__pg_element_text(params, group->items[i].commit->subject);
    arvo__pg_array_end(params);
    param_leases(params, group);
    param_records(params, group);
    param_inbox(params, group);
    param_definitions(params, group);
    param_events(params, group);
}

/* ---- One call -------------------------------------------------------------------- */

static arvo_status
writer_begin(struct postgres_store *store, struct postgres_connection *connection, arvo_error *err)
{
    if (connection->has_writer)
        return ARVO_OK;
    struct postgres_params params;
    PGresult *result = NULL;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_uuid(&params, connection->writer);
    const arvo_status st =
        arvo__pg_call_on(store, connection, COMMIT, "writer_add", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    connection->epoch = arvo__pg_get_int(result, 0, 0);
    connection->has_writer = true;
    arvo__pq.PQclear(result);
    return ARVO_OK;
}

/* Columns: outcome, revision, waiter, newest seq, is_watched; a row per commit, in order. */
static void
group_answer(struct commit_group *group, const PGresult *result)
{
    struct postgres_store *store = group->store;
    const int rows = arvo__pq.PQntuples(result);
    for (int row = 0; row < rows && (size_t)row < group->count; row++) {
        uint8_t token[16];
        group->items[row].outcome = (enum commit_outcome)arvo__pg_get_int(result, row, 0);
        group->items[row].revision = (uint64_t)arvo__pg_get_int(result, row, 1);
        if (arvo__pg_get_uuid(result, row, 2, token))
            arvo__pg_tell_waiter(store, token);
    }
    if (rows == 0)
        return;
    arvo__pg_partitions(store, arvo__pg_get_int(result, 0, 3));
    if (group->event_count > 0 && arvo__pg_get_bool(result, 0, 4))
        arvo__pg_tell_outbox(store);
}

/* What came of the connection's newest call, asked over a new connection. */
static arvo_status
group_ask(
    struct commit_group *group, struct postgres_connection *connection, bool *out_done,
    arvo_error *err)
{
    struct postgres_store *store = group->store;
    struct postgres_params params;
    PGresult *result = NULL;
    /* There is one when the server gave up the question before. */
    if (connection->conn == NULL)
        connection->conn = arvo__pg_connect(store, COMMIT, err);
    if (connection->conn == NULL)
        return ARVO_E_IO;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_uuid(&params, connection->writer);
    arvo_status st =
        arvo__pg_call_on(store, connection, COMMIT, "writer_ask", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    if (arvo__pq.PQntuples(result) != 1) {
        arvo__pq.PQclear(result);
        connection->has_writer = false;
        return arvo__pg_fail(
            store, ARVO_E_CORRUPT, COMMIT,
            "the row of this writer is gone; was the schema made anew?", err);
    }
    connection->epoch = arvo__pg_get_int(result, 0, 0);
    *out_done = arvo__pg_get_int(result, 0, 1) == connection->number;
    const arvo_str outcomes = arvo__pg_get_str(result, 0, 2);
    for (size_t i = 0; *out_done && i < group->count; i++)
        group->items[i].outcome =
            i < outcomes.len ? (enum commit_outcome)(outcomes.ptr[i] - '0') : OUTCOME_UNKNOWN;
    arvo__pq.PQclear(result);
    return ARVO_OK;
}

/* The connection was lost in the middle: find out, for as long as a call may take. */
static arvo_status
group_resolve(
    struct commit_group *group, struct postgres_connection *connection, bool *out_done,
    arvo_error *err)
{
    struct postgres_patience patience;
    arvo__pg_patience_init(&patience, INT64_MAX);
    patience.until_ms = arvo__real_ms() + group->store->timeout_ms;
    for (;;) {
        arvo_error why = { 0 };
        const arvo_status st = group_ask(group, connection, out_done, &why);
        if (st == ARVO_OK)
            return ARVO_OK;
        const bool is_hopeless = st == ARVO_E_CORRUPT || st == ARVO_E_NOMEM;
        if (is_hopeless || !arvo__pg_patience(&patience, PG_LOST))
            return arvo__fail(
                err, st,
                "%s; whether it was committed is not known: deliver the event again, a second time "
                "has no effect",
                why.text);
    }
}

/* One attempt on a connection of one's own. *out_failure: why trying again may help, nothing having
 * happened; PG_REFUSED: it may not. */
static arvo_status
group_try(
    struct commit_group *group, struct postgres_connection *connection,
    struct postgres_params *params, enum postgres_failure *out_failure, arvo_error *err)
{
    struct postgres_store *store = group->store;
    PGresult *result = NULL;
    arvo_status st = writer_begin(store, connection, err);
    *out_failure = connection->failure;
    if (st != ARVO_OK)
        return st;
    connection->number++;
    arvo__pg_uuid(params, connection->writer);
    arvo__pg_int(params, connection->epoch);
    arvo__pg_int(params, connection->number);
    st = arvo__pg_call_on(store, connection, COMMIT, COMMIT, params, &result, err);
    *out_failure = connection->failure;
    if (st == ARVO_OK) {
        group_answer(group, result);
        arvo__pq.PQclear(result);
    } else if (connection->failure == PG_LOST) {
        bool is_done = false;
        st = group_resolve(group, connection, &is_done, err);
        *out_failure = st == ARVO_OK ? PG_LOST : PG_REFUSED;
        if (st == ARVO_OK && !is_done)
            st = arvo__pg_fail(
                store, ARVO_E_IO, COMMIT, "the connection was lost; nothing was changed", err);
    } else if (connection->failure == PG_EPOCH) {
        connection->has_writer = false;
    }
    return st;
}

static arvo_status
group_send(struct commit_group *group, struct postgres_params *params, arvo_error *err)
{
    struct postgres_store *store = group->store;
    const size_t count = params->count, len = params->bytes.len;
    struct postgres_patience patience;
    arvo__pg_patience_init(&patience, store->timeout_ms);
    for (;;) {
        struct postgres_connection *connection = NULL;
        arvo_status st = arvo__pg_take(store, COMMIT, &connection, err);
        enum postgres_failure failure = st == ARVO_E_IO ? PG_LOST : PG_REFUSED;
        if (st == ARVO_OK) {
            params->count = count;
            params->bytes.len = len;
            st = group_try(group, connection, params, &failure, err);
            arvo__pg_give(store, connection);
        }
        if (st == ARVO_OK || !arvo__pg_patience(&patience, failure))
            return st;
    }
}

/* ---- Outcomes ----------------------------------------------------------------------- */

static arvo_status
item_fail(const struct postgres_store *store, const struct commit_item *item, arvo_error *err)
{
    const arvo_commit *commit = item->commit;
    switch (item->outcome) {
    case OUTCOME_LEASE:
        return arvo__fail(
            err, ARVO_E_STALE, "%s: commit: the lease with fence %llu is lost", store->where,
            (unsigned long long)(commit->lease != NULL ? commit->lease->fence : 0));
    case OUTCOME_CONSUMED:
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: commit: event %.*s of %.*s was consumed before", store->where,
            ARVO_FMT(commit->consumed->id), ARVO_FMT(commit->consumed->source));
    case OUTCOME_REVISION:
        return arvo__fail(
            err, ARVO_E_STALE,
            "%s: commit: the record has revision %llu now, not %llu: read it again", store->where,
            (unsigned long long)item->revision, (unsigned long long)commit->previous_revision);
    case OUTCOME_OUTBOX:
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: commit: outbox row %lld is done already", store->where,
            (long long)commit->outbox_done);
    case OUTCOME_DONE:
    case OUTCOME_OTHER:
    case OUTCOME_UNKNOWN:
        break;
    }
    return arvo__fail(
        err, ARVO_E_CORRUPT, "%s: commit: the server gave no outcome for this commit",
        store->where);
}

static void
remember_definition(struct commit_group *group)
{
    for (size_t i = group->count; i-- > 0;) {
        if (!brings_definition(group, i))
            continue;
        const arvo_str hash = group->items[i].commit->record->definition;
        if (hash.len == 0 || hash.len >= sizeof(group->known_definition))
            continue;
        struct postgres_store *store = group->store;
        (void)pthread_mutex_lock(&store->pool_mutex);
        memcpy(store->known_definition, hash.ptr, hash.len);
        store->known_definition[hash.len] = '\0';
        (void)pthread_mutex_unlock(&store->pool_mutex);
        return;
    }
}

static void
group_finish(struct commit_group *group)
{
    uint64_t done = 0;
    bool is_produced = false;
    for (size_t i = 0; i < group->op_count; i++)
        group->ops[i]->status = ARVO_OK;
    for (size_t i = 0; i < group->count; i++) {
        const struct commit_item *item = &group->items[i];
        struct postgres_op *op = group->ops[item->op];
        if (item->outcome == OUTCOME_DONE) {
            done++;
            is_produced |= item->commit->produced_count > 0;
        } else if (item->outcome != OUTCOME_OTHER) {
            op->status = item_fail(group->store, item, op->err);
        }
    }
    (void)__atomic_add_fetch(&group->store->commit_count, done, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&group->store->transaction_count, 1, __ATOMIC_RELAXED);
    remember_definition(group);
    if (is_produced)
        arvo__pg_wake_outbox(group->store);
}

static arvo_status
group_run(struct postgres_store *store, struct postgres_op **ops, size_t count, arvo_error *err)
{
    struct commit_group group = { .store = store, .ops = ops, .op_count = count };
    (void)pthread_mutex_lock(&store->pool_mutex);
    memcpy(group.known_definition, store->known_definition, sizeof(group.known_definition));
    (void)pthread_mutex_unlock(&store->pool_mutex);
    arvo_status st = group_fill(&group, err);
    if (st == ARVO_OK) {
        struct postgres_params params;
        arvo__pg_params_init(&params, store->allocator);
        group_params(&params, &group);
        st = group_send(&group, &params, err);
        arvo__pg_params_fini(&params);
    }
    if (st == ARVO_OK)
        group_finish(&group);
    arvo__free(store->allocator, group.items, group.count * sizeof(group.items[0]));
    return st;
}

void
arvo__pg_run_commits(struct postgres_store *store, struct postgres_op **ops, size_t count)
{
    arvo__pg_run_group(store, ops, count, group_run);
}

/* ---- The operation -------------------------------------------------------------------- */

static arvo_status
event_check(const arvo_stored_event *event, arvo_error *err)
{
    arvo_status st = arvo__pg_text_check(event->id, "id of an event", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(event->source, "source of an event", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(event->type, "type of an event", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(event->domains, "domains of an event", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(event->json, "JSON of an event", err);
    return st;
}

static arvo_status
commit_check(const arvo_commit *commit, size_t *bytes, arvo_error *err)
{
    arvo_status st = arvo__pg_text_check(commit->subject, "subject", err);
    if (st == ARVO_OK && commit->produced_count > PG_EVENTS_MAX)
        st = arvo__fail(
            err, ARVO_E_TOO_BIG, "memory commit: %zu events, but the limit is %u",
            commit->produced_count, PG_EVENTS_MAX);
    *bytes += commit->subject.len + commit->definition_json.len;
    for (size_t i = 0; st == ARVO_OK && commit->record != NULL && i < ARVO__RECORD_STRINGS; i++)
        st = arvo__pg_text_check(*arvo__record_string_const(commit->record, i), "record", err);
    if (commit->record != NULL)
        *bytes += arvo__record_text_bytes(commit->record);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(commit->definition_json, "definition", err);
    if (st == ARVO_OK && commit->consumed != NULL) {
        st = event_check(commit->consumed, err);
        *bytes += commit->consumed->json.len;
    }
    for (size_t i = 0; st == ARVO_OK && i < commit->produced_count; i++) {
        st = event_check(&commit->produced[i], err);
        *bytes += commit->produced[i].json.len;
    }
    return st;
}

/* Of its subject, and of the outbox row it consumes. */
static size_t
commit_keys(const arvo_commit *commit, uint64_t *out)
{
    size_t count = 0;
    out[count++] = arvo__pg_key(commit->subject.ptr, commit->subject.len);
    if (commit->outbox_done != 0)
        out[count++] = arvo__pg_key(&commit->outbox_done, sizeof(commit->outbox_done));
    return count;
}

arvo_status
arvo__pg_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct postgres_store *store = self;
    arvo_status st = arvo__memory_batch_check(commits, count, err);
    if (st != ARVO_OK || count == 0)
        return st;
    uint64_t here[KEYS_HERE], *keys = here;
    const bool is_here = count <= KEYS_HERE / 2;
    if (!is_here && (keys = arvo__alloc(store->allocator, count * 2 * sizeof(keys[0]))) == NULL)
        return arvo__nomem(err);
    struct commit_request request = { .commits = commits, .count = count };
    struct postgres_op op = { .keys = keys, .request = &request };
    for (size_t i = 0; st == ARVO_OK && i < count; i++) {
        st = commit_check(&commits[i], &op.bytes, err);
        op.key_count += commit_keys(&commits[i], keys + op.key_count);
    }
    if (st == ARVO_OK)
        st = arvo__pg_lane_do(store, &store->commits, &op, err);
    for (size_t i = 0; st == ARVO_OK && i < count; i++) {
        if (commits[i].release && commits[i].lease != NULL)
            arvo__gate_leave(&store->gate, commits[i].subject, commits[i].lease);
    }
    if (!is_here)
        arvo__free(store->allocator, keys, count * 2 * sizeof(keys[0]));
    return st;
}

arvo_status
arvo__pg_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    if (record == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "memory write: there is no record to write");
    const arvo_commit commit = { .subject = subject,
                                 .lease = lease,
                                 .record = record,
                                 .previous_revision = previous != NULL ? previous->revision : 0 };
    return arvo__pg_commit(self, &commit, 1, err);
}

#endif
