/* The one atomic write of the SQLite store: record, events, inbox, outbox and
 * the release of the lease in one transaction.
 *
 * What makes an event consumed is its own row (direction 0): the inbox is an
 * index over those rows, an outcome is the rows behind it whose `cause` it is.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_SQLITE

#include <string.h>

#include "memory/sqlite.h"

#define COMMIT "commit"

static bool
bind_strs(sqlite3_stmt *stmt, int first, const arvo_str *texts, int count)
{
    bool is_bound = stmt != NULL;
    for (int i = 0; i < count && is_bound; i++)
        is_bound = arvo__sqlite_bind_str(stmt, first + i, texts[i]);
    return is_bound;
}

static bool
bind_ints(sqlite3_stmt *stmt, int first, const int64_t *numbers, int count)
{
    bool is_bound = stmt != NULL;
    for (int i = 0; i < count && is_bound; i++)
        is_bound = sqlite3_bind_int64(stmt, first + i, numbers[i]) == SQLITE_OK;
    return is_bound;
}

/* ---- Records ----------------------------------------------------------- */

static arvo_status
commit_subject_id(struct sqlite_store *store, arvo_str subject, int64_t *out, arvo_error *err)
{
    const arvo_status st = arvo__sqlite_subject_id(store, subject, COMMIT, out, err);
    if (st != ARVO_OK || *out != 0)
        return st;
    sqlite3_stmt *stmt = arvo__sqlite_get(store, SQL_SUBJECT_ADD);
    if (!bind_strs(stmt, 1, &subject, 1) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(store, COMMIT, err);
    *out = sqlite3_last_insert_rowid(store->db);
    return ARVO_OK;
}

/* The stored revision (0: none), and whether the status is going to change. */
static arvo_status
commit_head(
    struct sqlite_store *store, int64_t subject_id, arvo_str status, uint64_t *out_revision,
    bool *out_same_status, arvo_error *err)
{
    *out_revision = 0;
    *out_same_status = false;
    if (subject_id == 0)
        return ARVO_OK;
    sqlite3_stmt *stmt = arvo__sqlite_get(store, SQL_INSTANCE_HEAD);
    if (!bind_ints(stmt, 1, &subject_id, 1))
        return arvo__sqlite_fail(store, COMMIT, err);
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    if (code == SQLITE_ROW) {
        *out_revision = (uint64_t)sqlite3_column_int64(stmt, 0);
        *out_same_status = arvo_str_equal(arvo__sqlite_column_str(stmt, 1), status);
    } else if (code != SQLITE_DONE) {
        st = arvo__sqlite_fail(store, COMMIT, err);
    }
    (void)sqlite3_reset(stmt);
    return st;
}

static arvo_status
commit_record_put(
    struct sqlite_store *store, const arvo_commit *commit, int64_t subject_id, bool is_same_status,
    int64_t now, arvo_error *err)
{
    const arvo_record *record = commit->record;
    const bool is_new = commit->previous_revision == 0;
    const int64_t numbers[] = { subject_id, (int64_t)commit->previous_revision + 1,
                                (int64_t)commit->lease->fence, now };
    const arvo_str texts[] = { record->parent_subject, record->orchestrator, record->version,
                               record->definition,     record->value,        record->last_error,
                               record->input,          record->state,        record->status };
    sqlite3_stmt *stmt = arvo__sqlite_get(store, is_new ? SQL_INSTANCE_ADD : SQL_INSTANCE_UPDATE);

    if (!bind_ints(stmt, 1, numbers, 4) || !bind_strs(stmt, 5, texts, is_new ? 9 : 8) ||
        !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(store, COMMIT, err);
    if (is_new || is_same_status)
        return ARVO_OK;
    /* Apart, because it is indexed: most steps leave it, and the index, as they are. */
    stmt = arvo__sqlite_get(store, SQL_INSTANCE_STATUS);
    if (!bind_ints(stmt, 1, &subject_id, 1) || !bind_strs(stmt, 2, &record->status, 1) ||
        !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(store, COMMIT, err);
    return ARVO_OK;
}

static arvo_status
commit_definition(struct sqlite_store *store, const arvo_commit *commit, arvo_error *err)
{
    const arvo_str texts[] = { commit->record->definition, commit->definition_json };
    if (texts[0].ptr == NULL || texts[1].ptr == NULL ||
        arvo_str_is(texts[0], store->known_definition))
        return ARVO_OK;
    sqlite3_stmt *stmt = arvo__sqlite_get(store, SQL_DEFINITION_ADD);
    if (!bind_strs(stmt, 1, texts, 2) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(store, COMMIT, err);
    return ARVO_OK;
}

static arvo_status
commit_record(
    struct sqlite_store *store, const arvo_commit *commit, int64_t subject_id, int64_t now,
    arvo_error *err)
{
    uint64_t revision = 0;
    bool is_same_status = false;
    arvo_status st =
        commit_head(store, subject_id, commit->record->status, &revision, &is_same_status, err);
    if (st != ARVO_OK)
        return st;
    if (revision != commit->previous_revision)
        return arvo__fail(
            err, ARVO_E_STALE,
            "%s: commit: the record has revision %llu now, not %llu: read it again", store->path,
            (unsigned long long)revision, (unsigned long long)commit->previous_revision);
    st = commit_definition(store, commit, err);
    if (st == ARVO_OK)
        st = commit_record_put(store, commit, subject_id, is_same_status, now, err);
    return st;
}

/* ---- Events ------------------------------------------------------------ */

static arvo_status
commit_event(
    struct sqlite_store *store, int64_t subject_id, const arvo_stored_event *event,
    arvo_direction direction, int64_t cause, int64_t now, int64_t *out_seq, arvo_error *err)
{
    const int64_t numbers[] = { subject_id, direction, cause, now };
    const arvo_str texts[] = { event->id, event->source, event->type, event->domains, event->json };
    sqlite3_stmt *stmt = arvo__sqlite_get(store, SQL_EVENT_ADD);
    if (!bind_ints(stmt, 1, numbers, 4) || !bind_strs(stmt, 5, texts, 5) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(store, COMMIT, err);
    *out_seq = sqlite3_last_insert_rowid(store->db);
    return ARVO_OK;
}

static arvo_status
commit_consumed(
    struct sqlite_store *store, const arvo_commit *commit, int64_t subject_id, int64_t now,
    int64_t *out_seq, arvo_error *err)
{
    const arvo_stored_event *event = commit->consumed;
    int64_t before = 0;
    const arvo_status st =
        arvo__sqlite_inbox_seq(store, subject_id, event->source, event->id, COMMIT, &before, err);
    if (st != ARVO_OK)
        return st;
    if (before != 0)
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: commit: event %.*s of %.*s was consumed before", store->path,
            ARVO_FMT(event->id), ARVO_FMT(event->source));
    return commit_event(store, subject_id, event, ARVO_CONSUMED, 0, now, out_seq, err);
}

static arvo_status
commit_produced(
    struct sqlite_store *store, const arvo_commit *commit, int64_t subject_id, int64_t cause,
    int64_t now, arvo_error *err)
{
    for (size_t i = 0; i < commit->produced_count; i++) {
        int64_t seq = 0;
        const arvo_status st = commit_event(
            store, subject_id, &commit->produced[i], ARVO_PRODUCED, cause, now, &seq, err);
        if (st != ARVO_OK)
            return st;
        sqlite3_stmt *stmt = arvo__sqlite_get(store, SQL_OUTBOX_ADD);
        if (!bind_ints(stmt, 1, &seq, 1) || !arvo__sqlite_run(stmt))
            return arvo__sqlite_fail(store, COMMIT, err);
    }
    return ARVO_OK;
}

static arvo_status
commit_outbox_done(struct sqlite_store *store, int64_t seq, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(store, SQL_OUTBOX_DONE);
    if (!bind_ints(stmt, 1, &seq, 1) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(store, COMMIT, err);
    if (sqlite3_changes(store->db) == 0)
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: commit: outbox row %lld is done already", store->path,
            (long long)seq);
    return ARVO_OK;
}

/* ---- The whole --------------------------------------------------------- */

static arvo_status
commit_one(struct sqlite_store *store, const arvo_commit *commit, arvo_error *err)
{
    const int64_t now = store->platform->time_ms(store->platform->self);
    const bool has_events = commit->consumed != NULL || commit->produced_count > 0;
    int64_t subject_id = 0, cause = 0;
    arvo_status st = ARVO_OK;

    if (commit->lease != NULL)
        st = arvo__sqlite_lease_check(store, commit->subject, commit->lease, now, err);
    if (st == ARVO_OK && (commit->record != NULL || has_events))
        st = commit_subject_id(store, commit->subject, &subject_id, err);
    if (st == ARVO_OK && commit->consumed != NULL)
        st = commit_consumed(store, commit, subject_id, now, &cause, err);
    if (st == ARVO_OK && commit->record != NULL)
        st = commit_record(store, commit, subject_id, now, err);
    if (st == ARVO_OK)
        st = commit_produced(store, commit, subject_id, cause, now, err);
    if (st == ARVO_OK && commit->outbox_done != 0)
        st = commit_outbox_done(store, commit->outbox_done, err);
    if (st == ARVO_OK && commit->release &&
        !arvo__sqlite_lease_drop(store, commit->subject, commit->lease))
        st = arvo__sqlite_fail(store, COMMIT, err);
    return st;
}

/* Remember the definition of a batch that is durable. */
static void
commit_remember(struct sqlite_store *store, const arvo_commit *commit)
{
    if (commit->record == NULL || commit->definition_json.ptr == NULL)
        return;
    const arvo_str hash = commit->record->definition;
    if (hash.len == 0 || hash.len >= sizeof(store->known_definition))
        return;
    memcpy(store->known_definition, hash.ptr, hash.len);
    store->known_definition[hash.len] = '\0';
}

arvo_status
arvo__sqlite_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_status st = arvo__sqlite_refuse_read_only(store, COMMIT, err);
    if (st == ARVO_OK)
        st = arvo__memory_batch_check(commits, count, err);
    if (st != ARVO_OK)
        return st;

    (void)pthread_mutex_lock(&store->mutex);
    st = arvo__sqlite_begin(store, store->sync, COMMIT, err);
    if (st == ARVO_OK) {
        for (size_t i = 0; st == ARVO_OK && i < count; i++)
            st = commit_one(store, &commits[i], err);
        st = arvo__sqlite_end(store, st, COMMIT, err);
    }
    for (size_t i = 0; st == ARVO_OK && i < count; i++)
        commit_remember(store, &commits[i]);
    (void)pthread_mutex_unlock(&store->mutex);

    for (size_t i = 0; st == ARVO_OK && i < count; i++) {
        if (commits[i].release)
            arvo__sqlite_gate_leave(store, commits[i].subject, commits[i].lease);
    }
    return st;
}

arvo_status
arvo__sqlite_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    if (record == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "memory write: there is no record to write");
    const arvo_commit commit = { .subject = subject,
                                 .lease = lease,
                                 .record = record,
                                 .previous_revision = previous != NULL ? previous->revision : 0 };
    return arvo__sqlite_commit(self, &commit, 1, err);
}

arvo_status
arvo__sqlite_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_status st = arvo__sqlite_refuse_read_only(store, "outbox", err);
    if (st != ARVO_OK)
        return st;
    (void)pthread_mutex_lock(&store->mutex);
    st = arvo__sqlite_begin(store, store->sync, "outbox", err);
    if (st == ARVO_OK) {
        sqlite3_stmt *stmt = arvo__sqlite_get(store, SQL_OUTBOX_DONE);
        if (!bind_ints(stmt, 1, &seq, 1) || !arvo__sqlite_run(stmt))
            st = arvo__sqlite_fail(store, "outbox", err);
        st = arvo__sqlite_end(store, st, "outbox", err);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return st;
}

#endif
