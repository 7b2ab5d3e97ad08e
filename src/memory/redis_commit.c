/* The one atomic write of the Redis store: record, events, inbox, outbox and
 * the release of the lease in one script, for all commits of a batch.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <stdio.h>
#include <string.h>

#include "memory/redis.h"

#define COMMIT "commit"

/* ---- Arguments --------------------------------------------------------- */

/* The names of the fields, in the order of arvo__record_string(). The subject has a key of its own,
 * the status is told apart. */
static const char *const record_names[ARVO__RECORD_STRINGS] = {
    NULL,    "parent", "orchestrator", "version", "status",
    "value", "state",  "lastError",    "input",   "definition"
};

void
arvo__redis_arg_inbox(struct redis_call *call, arvo_str source, arvo_str id)
{
    arvo_buf key = { .bytes_max = ARVO_RECORD_BYTES_MAX, .allocator = call->body.allocator };
    arvo_buf_printf(&key, "%zu ", source.len);
    arvo_buf_append_str(&key, source);
    arvo_buf_append_char(&key, ' ');
    arvo_buf_append_str(&key, id);
    arvo__redis_arg(call, arvo_buf_str(&key));
    if (key.status != ARVO_OK)
        call->body.status = key.status;
    arvo_buf_fini(&key);
}

size_t
arvo__redis_arg_record(struct redis_call *call, const arvo_record *record, bool with_times)
{
    const size_t before = call->argc;
    for (size_t i = 1; i < ARVO__RECORD_STRINGS; i++) {
        const arvo_str *text = arvo__record_string_const(record, i);
        if (text->ptr == NULL)
            continue;
        arvo__redis_arg(call, arvo_str_from(record_names[i]));
        arvo__redis_arg(call, *text);
    }
    arvo__redis_arg(call, ARVO_STR("revision"));
    arvo__redis_arg_int(call, (int64_t)record->revision);
    arvo__redis_arg(call, ARVO_STR("fence"));
    arvo__redis_arg_int(call, (int64_t)record->fence);
    if (with_times) {
        arvo__redis_arg(call, ARVO_STR("created"));
        arvo__redis_arg_int(call, record->created_ms);
        arvo__redis_arg(call, ARVO_STR("updated"));
        arvo__redis_arg_int(call, record->updated_ms);
    }
    return call->argc - before;
}

static size_t
record_nulls(const arvo_record *record)
{
    size_t nulls = 0;
    for (size_t i = 1; i < ARVO__RECORD_STRINGS; i++)
        nulls += arvo__record_string_const(record, i)->ptr == NULL;
    return nulls;
}

static void
arg_nulls(struct redis_call *call, const arvo_record *record)
{
    for (size_t i = 1; i < ARVO__RECORD_STRINGS; i++) {
        if (arvo__record_string_const(record, i)->ptr == NULL)
            arvo__redis_arg(call, arvo_str_from(record_names[i]));
    }
}

static void
arg_event(struct redis_call *call, const arvo_stored_event *event)
{
    arvo__redis_arg(call, event->id);
    arvo__redis_arg(call, event->source);
    arvo__redis_arg(call, event->type);
    arvo__redis_arg(call, event->domains);
    arvo__redis_arg(call, event->json);
}

/* Words of a record that is going to be written: two per string that is there, and two numbers. */
static size_t
record_words(const arvo_record *record)
{
    return 2 * (ARVO__RECORD_STRINGS - 1 - record_nulls(record)) + 4;
}

/* Hash and document, unless they are on the server already. */
static void
arg_definition(struct redis_call *call, const arvo_commit *commit, const char *known)
{
    const bool is_given = commit->record != NULL && commit->definition_json.ptr != NULL &&
                          commit->record->definition.len > 0 &&
                          !arvo_str_is(commit->record->definition, known);
    arvo__redis_arg(call, is_given ? commit->record->definition : ARVO_STR_NONE);
    arvo__redis_arg(call, is_given ? commit->definition_json : ARVO_STR_NONE);
}

static void
arg_commit(struct redis_call *call, const arvo_commit *commit, const char *known)
{
    static const arvo_stored_event none = { 0 };
    const arvo_record *record = commit->record;
    arvo__redis_arg(call, commit->subject);
    if (commit->lease != NULL)
        arvo__redis_arg_lease(call, commit->lease);
    else
        arvo__redis_arg(call, ARVO_STR_NONE);
    arvo__redis_arg_int(call, commit->lease != NULL ? (int64_t)commit->lease->fence : 0);
    arvo__redis_arg(call, commit->release ? ARVO_STR("1") : ARVO_STR("0"));
    arvo__redis_arg_int(call, commit->outbox_done);
    arvo__redis_arg_int(call, (int64_t)commit->previous_revision);
    arvo__redis_arg_int(call, record != NULL ? (int64_t)record_words(record) : 0);
    arvo__redis_arg_int(call, record != NULL ? (int64_t)record_nulls(record) : 0);
    arvo__redis_arg(call, record != NULL ? record->status : ARVO_STR_NONE);
    arg_definition(call, commit, known);
    if (commit->consumed != NULL)
        arvo__redis_arg_inbox(call, commit->consumed->source, commit->consumed->id);
    else
        arvo__redis_arg(call, ARVO_STR_NONE);
    arg_event(call, commit->consumed != NULL ? commit->consumed : &none);
    arvo__redis_arg_int(call, (int64_t)commit->produced_count);
    if (record != NULL) {
        arvo_record written = *record;
        written.revision = commit->previous_revision + 1;
        written.fence = commit->lease->fence;
        (void)arvo__redis_arg_record(call, &written, false);
        arg_nulls(call, record);
    }
    for (size_t i = 0; i < commit->produced_count; i++)
        arg_event(call, &commit->produced[i]);
}

/* ---- What is known to be there ----------------------------------------- */

/* Only as long as no connection was made anew: a server that was restarted may have forgotten. */
static void
known_get(struct redis_store *store, char *out, size_t size)
{
    (void)pthread_mutex_lock(&store->calls_mutex);
    const bool holds = store->known_since == atomic_load(&store->connections);
    (void)snprintf(out, size, "%s", holds ? store->known_definition : "");
    (void)pthread_mutex_unlock(&store->calls_mutex);
}

static void
known_set(struct redis_store *store, const arvo_commit *commit, uint64_t connections)
{
    if (commit->record == NULL || commit->definition_json.ptr == NULL)
        return;
    const arvo_str hash = commit->record->definition;
    if (hash.len == 0 || hash.len >= sizeof(store->known_definition))
        return;
    (void)pthread_mutex_lock(&store->calls_mutex);
    memcpy(store->known_definition, hash.ptr, hash.len);
    store->known_definition[hash.len] = '\0';
    store->known_since = connections;
    (void)pthread_mutex_unlock(&store->calls_mutex);
}

/* ---- The answer -------------------------------------------------------- */

static arvo_status
commit_answer(
    const struct redis_store *store, const struct redis_call *call, const arvo_commit *commits,
    size_t count, arvo_error *err)
{
    if (arvo__redis_is(call, "OK"))
        return ARVO_OK;
    if (arvo__redis_is(call, "GONE"))
        return arvo__fail(
            err, ARVO_E_CORRUPT,
            "%s: commit: the store is gone (the server was emptied, or is another one)",
            store->label);
    if (arvo__redis_is(call, "FILLING"))
        return arvo__fail(
            err, ARVO_E_LOCK_DENIED,
            "%s: commit: the store is being filled with another one's data; wait until that has "
            "ended",
            store->label);
    const size_t at = (size_t)arvo__redis_int_at(call->reply, 1) - 1;
    if (at >= count)
        return arvo__redis_odd(store, COMMIT, err);
    const arvo_commit *commit = &commits[at];
    if (arvo__redis_is(call, "LEASE") && commit->lease != NULL)
        return arvo__fail(
            err, ARVO_E_STALE, "%s: commit: the lease with fence %llu is lost", store->label,
            (unsigned long long)commit->lease->fence);
    if (arvo__redis_is(call, "REVISION"))
        return arvo__fail(
            err, ARVO_E_STALE,
            "%s: commit: the record has revision %lld now, not %llu: read it again", store->label,
            (long long)arvo__redis_int_at(call->reply, 2),
            (unsigned long long)commit->previous_revision);
    if (arvo__redis_is(call, "CONSUMED") && commit->consumed != NULL)
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: commit: event %.*s of %.*s was consumed before", store->label,
            ARVO_FMT(commit->consumed->id), ARVO_FMT(commit->consumed->source));
    if (arvo__redis_is(call, "TAKEN"))
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: commit: outbox row %lld is done already", store->label,
            (long long)commit->outbox_done);
    return arvo__redis_odd(store, COMMIT, err);
}

/* ---- The operations ---------------------------------------------------- */

/* A commit that leaves neither a revision nor an inbox entry is told by a number of its own. */
static bool
commits_need_operation(const arvo_commit *commits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (commits[i].record != NULL || commits[i].consumed != NULL)
            return false;
    }
    return true;
}

static arvo_status
commit_build(
    struct redis_store *store, struct redis_call *call, const arvo_commit *commits, size_t count,
    arvo_error *err)
{
    char known[sizeof(store->known_definition)];
    uint8_t operation[16];
    call->is_durable = call->is_commit = true;
    arvo__redis_arg(call, ARVO_STR("0"));
    call->again_at = call->body.len - 3; /* in front of its "\r\n" */
    if (commits_need_operation(commits, count)) {
        if (!store->platform->random(store->platform->self, operation, sizeof(operation)))
            return arvo__fail(err, ARVO_E_IO, "the random source failed");
        arvo__redis_arg_token(call, operation);
    } else {
        arvo__redis_arg(call, ARVO_STR_NONE);
    }
    arvo__redis_arg_int(call, (int64_t)count);
    known_get(store, known, sizeof(known));
    for (size_t i = 0; i < count; i++)
        arg_commit(call, &commits[i], known);
    return ARVO_OK;
}

arvo_status
arvo__redis_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_batch_check(commits, count, err);
    if (st != ARVO_OK || count == 0)
        return st;
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_COMMIT) != ARVO_OK)
        return arvo__nomem(err);
    const uint64_t connections = atomic_load(&store->connections);
    st = commit_build(store, &call, commits, count, err);
    if (st == ARVO_OK)
        st = arvo__redis_run(store, &call, COMMIT, err);
    if (st == ARVO_OK)
        st = commit_answer(store, &call, commits, count, err);
    arvo__redis_call_fini(&call);
    if (st != ARVO_OK)
        return st;
    atomic_fetch_add(&store->commits, count);
    for (size_t i = 0; i < count; i++) {
        known_set(store, &commits[i], connections);
        if (commits[i].release)
            arvo__gate_leave(&store->gate, commits[i].subject, commits[i].lease);
    }
    return ARVO_OK;
}

arvo_status
arvo__redis_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    if (record == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "memory write: there is no record to write");
    const arvo_commit commit = { .subject = subject,
                                 .lease = lease,
                                 .record = record,
                                 .previous_revision = previous != NULL ? previous->revision : 0 };
    return arvo__redis_commit(self, &commit, 1, err);
}

#endif
