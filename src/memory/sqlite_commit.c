/* The one atomic write of the SQLite store: record, events, inbox, outbox and
 * the release of the lease in one transaction.
 *
 * What makes an event consumed is its own row (direction 0): the inbox is an
 * index over those rows, an outcome is the subject's rows whose `cause` it is.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_SQLITE

#include <string.h>

#include "memory/sqlite.h"

#define COMMIT "commit"

/* ---- Records ----------------------------------------------------------- */

arvo_status
arvo__sqlite_subject_put(
    struct sqlite_conn *conn, arvo_str subject, const char *what, int64_t *out, bool *out_is_new,
    arvo_error *err)
{
    const arvo_status st = arvo__sqlite_subject_id(conn, subject, what, out, err);
    *out_is_new = st == ARVO_OK && *out == 0;
    if (!*out_is_new)
        return st;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_SUBJECT_ADD);
    if (stmt == NULL || !arvo__sqlite_bind_subject(conn, stmt, subject) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, what, err);
    *out = sqlite3_last_insert_rowid(conn->db);
    return ARVO_OK;
}

/* ARVO_E_STALE unless this is the stored revision (0: none). */
static arvo_status
commit_head(
    struct sqlite_conn *conn, const arvo_commit *commit, int64_t subject_id, arvo_error *err)
{
    uint64_t revision = 0;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_INSTANCE_HEAD);
    if (!arvo__sqlite_bind_ints(stmt, 1, &subject_id, 1))
        return arvo__sqlite_fail(conn, COMMIT, err);
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    if (code == SQLITE_ROW)
        revision = (uint64_t)sqlite3_column_int64(stmt, 0);
    else if (code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, COMMIT, err);
    (void)sqlite3_reset(stmt);
    if (st == ARVO_OK && revision != commit->previous_revision)
        return arvo__fail(
            err, ARVO_E_STALE,
            "%s: commit: the record has revision %llu now, not %llu: read it again",
            conn->store->path, (unsigned long long)revision,
            (unsigned long long)commit->previous_revision);
    return st;
}

/* SQL_INSTANCE_ADD, or SQL_INSTANCE_UPDATE, which finds only the record that is expected. */
static arvo_status
commit_record_put(
    struct sqlite_conn *conn, const arvo_commit *commit, int64_t subject_id, int64_t now,
    enum sqlite_statement statement, bool *out_found, arvo_error *err)
{
    const arvo_record *record = commit->record;
    const int64_t numbers[] = { subject_id, (int64_t)commit->previous_revision + 1,
                                (int64_t)commit->lease->fence, now };
    const arvo_str texts[] = { record->parent_subject, record->orchestrator, record->version,
                               record->definition,     record->value,        record->last_error,
                               record->input,          record->state,        record->status };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, statement);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 4) ||
        !arvo__sqlite_bind_strs(stmt, 5, texts, 9) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, COMMIT, err);
    *out_found = sqlite3_changes(conn->db) == 1;
    return ARVO_OK;
}

static arvo_status
commit_status(struct sqlite_conn *conn, int64_t subject_id, const arvo_str *status, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_INSTANCE_STATUS);
    if (!arvo__sqlite_bind_ints(stmt, 1, &subject_id, 1) ||
        !arvo__sqlite_bind_strs(stmt, 2, status, 1) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, COMMIT, err);
    return ARVO_OK;
}

static arvo_status
commit_definition(struct sqlite_conn *conn, const arvo_commit *commit, arvo_error *err)
{
    const arvo_str texts[] = { commit->record->definition, commit->definition_json };
    if (texts[0].ptr == NULL || texts[1].ptr == NULL ||
        arvo_str_is(texts[0], conn->store->writer.known_definition))
        return ARVO_OK;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_DEFINITION_ADD);
    if (!arvo__sqlite_bind_strs(stmt, 1, texts, 2) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, COMMIT, err);
    return ARVO_OK;
}

static arvo_status
commit_record(
    struct sqlite_conn *conn, const arvo_commit *commit, int64_t subject_id, bool is_new_subject,
    int64_t now, arvo_error *err)
{
    bool found = false;
    arvo_status st = commit_definition(conn, commit, err);
    if (st == ARVO_OK && commit->previous_revision == 0) {
        if (!is_new_subject)
            st = commit_head(conn, commit, subject_id, err);
        if (st == ARVO_OK)
            st = commit_record_put(conn, commit, subject_id, now, SQL_INSTANCE_ADD, &found, err);
        return st;
    }
    if (st == ARVO_OK)
        st = commit_record_put(conn, commit, subject_id, now, SQL_INSTANCE_UPDATE, &found, err);
    if (st != ARVO_OK || found)
        return st;
    /* Another revision, or another status. That is indexed: most steps leave it, and the index, as
     * they are, so it is written apart. */
    st = commit_head(conn, commit, subject_id, err);
    if (st == ARVO_OK)
        st = commit_status(conn, subject_id, &commit->record->status, err);
    if (st == ARVO_OK)
        st = commit_record_put(conn, commit, subject_id, now, SQL_INSTANCE_UPDATE, &found, err);
    return st;
}

/* ---- Events ------------------------------------------------------------ */

static arvo_status
commit_event(
    struct sqlite_conn *conn, int64_t subject_id, const arvo_stored_event *event,
    arvo_direction direction, int64_t cause, int64_t now, int64_t *out_seq, arvo_error *err)
{
    const int64_t numbers[] = { subject_id, direction, cause, now };
    const arvo_str texts[] = { event->id, event->source, event->type, event->domains, event->json };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_EVENT_ADD);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 4) ||
        !arvo__sqlite_bind_strs(stmt, 5, texts, 5) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, COMMIT, err);
    *out_seq = sqlite3_last_insert_rowid(conn->db);
    return ARVO_OK;
}

static arvo_status
commit_inbox(
    struct sqlite_conn *conn, const arvo_commit *commit, int64_t subject_id, arvo_error *err)
{
    const arvo_stored_event *event = commit->consumed;
    int64_t before = 0;
    const arvo_status st =
        arvo__sqlite_inbox_seq(conn, subject_id, event->source, event->id, COMMIT, &before, err);
    if (st == ARVO_OK && before != 0)
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: commit: event %.*s of %.*s was consumed before",
            conn->store->path, ARVO_FMT(event->id), ARVO_FMT(event->source));
    return st;
}

bool
arvo__sqlite_outbox_add(struct sqlite_conn *conn, int64_t seq, int64_t subject_id)
{
    const int64_t numbers[] = { seq, subject_id };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_ADD);
    return arvo__sqlite_bind_ints(stmt, 1, numbers, 2) && arvo__sqlite_run(stmt);
}

static arvo_status
commit_produced(
    struct sqlite_conn *conn, const arvo_commit *commit, int64_t subject_id, int64_t cause,
    int64_t now, arvo_error *err)
{
    for (size_t i = 0; i < commit->produced_count; i++) {
        int64_t seq = 0;
        const arvo_status st = commit_event(
            conn, subject_id, &commit->produced[i], ARVO_PRODUCED, cause, now, &seq, err);
        if (st != ARVO_OK)
            return st;
        if (!arvo__sqlite_outbox_add(conn, seq, subject_id))
            return arvo__sqlite_fail(conn, COMMIT, err);
    }
    return ARVO_OK;
}

static arvo_status
commit_outbox_done(struct sqlite_conn *conn, int64_t seq, arvo_error *err)
{
    bool was_there = false;
    const arvo_status st = arvo__sqlite_outbox_remove(conn, seq, COMMIT, &was_there, err);
    if (st != ARVO_OK || was_there)
        return st;
    return arvo__fail(
        err, ARVO_E_EXISTS, "%s: commit: outbox row %lld is done already", conn->store->path,
        (long long)seq);
}

/* ---- The whole --------------------------------------------------------- */

struct commit_batch {
    const arvo_commit *commits;
    size_t count;
    int64_t now;         /* of the last one; so is the next */
    bool is_new_subject; /* it has consumed nothing before */
};

/* What can be refused comes first: a transaction in which a job was refused goes on when that job
 * has written nothing. */
static arvo_status
commit_one(
    struct sqlite_conn *conn, const arvo_commit *commit, struct commit_batch *batch,
    arvo_error *err)
{
    const arvo_platform *platform = conn->store->platform;
    const int64_t now = platform->time_ms(platform->self);
    const bool has_events = commit->consumed != NULL || commit->produced_count > 0;
    bool is_new = false;
    int64_t subject_id = 0, cause = 0;
    arvo_status st = ARVO_OK;

    if (commit->lease != NULL)
        st =
            arvo__sqlite_shared_commit_begin(conn->store, commit->subject, commit->lease, now, err);
    if (st == ARVO_OK && (commit->record != NULL || has_events)) {
        arvo__sqlite_stamp_change(conn->store, commit->subject);
        st = arvo__sqlite_subject_put(conn, commit->subject, COMMIT, &subject_id, &is_new, err);
    }
    if (st == ARVO_OK && commit->consumed != NULL && !is_new)
        st = commit_inbox(conn, commit, subject_id, err);
    if (st == ARVO_OK && commit->record != NULL)
        st = commit_record(conn, commit, subject_id, is_new, now, err);
    if (st == ARVO_OK && commit->consumed != NULL)
        st = commit_event(conn, subject_id, commit->consumed, ARVO_CONSUMED, 0, now, &cause, err);
    if (st == ARVO_OK)
        st = commit_produced(conn, commit, subject_id, cause, now, err);
    if (st == ARVO_OK && commit->outbox_done != 0)
        st = commit_outbox_done(conn, commit->outbox_done, err);
    batch->now = now;
    batch->is_new_subject = is_new;
    return st;
}

/* Remember the definition for when the transaction is through. */
static void
commit_remember(struct sqlite_writer *writer, const arvo_commit *commit)
{
    if (commit->record == NULL || commit->definition_json.ptr == NULL)
        return;
    const arvo_str hash = commit->record->definition;
    if (hash.len == 0 || hash.len >= sizeof(writer->pending_definition))
        return;
    memcpy(writer->pending_definition, hash.ptr, hash.len);
    writer->pending_definition[hash.len] = '\0';
}

static arvo_status
commit_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    struct commit_batch *batch = context;
    arvo_status st = ARVO_OK;
    for (size_t i = 0; st == ARVO_OK && i < batch->count; i++)
        st = commit_one(conn, &batch->commits[i], batch, err);
    for (size_t i = 0; st == ARVO_OK && i < batch->count; i++)
        commit_remember(&conn->store->writer, &batch->commits[i]);
    return st;
}

static size_t
commit_bytes(const arvo_commit *commits, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += commits[i].record != NULL ? arvo__record_text_bytes(commits[i].record) : 0;
        bytes += commits[i].consumed != NULL ? commits[i].consumed->json.len : 0;
        for (size_t k = 0; k < commits[i].produced_count; k++)
            bytes += commits[i].produced[k].json.len;
    }
    return bytes;
}

/* Keep what was written, for the next execution of this subject. */
static void
commit_keep(struct sqlite_store *store, const struct commit_batch *batch)
{
    const arvo_commit *commit = &batch->commits[0];
    const uint64_t previous = commit->previous_revision;
    struct sqlite_inbox inbox = { .is_whole = true };
    arvo_record record = *commit->record;
    record.created_ms = batch->now;
    if ((previous != 0 || !batch->is_new_subject) &&
        !arvo__sqlite_cache_peek(store, commit->subject, previous, &record.created_ms, &inbox))
        return;
    if (commit->consumed != NULL)
        arvo__sqlite_inbox_add(
            &inbox, arvo__sqlite_inbox_key(commit->consumed->source, commit->consumed->id));
    record.updated_ms = batch->now;
    record.revision = previous + 1;
    record.fence = commit->lease->fence;
    arvo__sqlite_cache_put(store, arvo__sqlite_stamp(store, commit->subject), &record, &inbox);
}

/* What is behind the transaction, whatever came of it. */
static void
commit_release(struct sqlite_store *store, const arvo_commit *commit, bool release)
{
    if (commit->lease == NULL)
        return;
    arvo__sqlite_shared_commit_end(store, commit->subject, commit->lease, release);
    if (release)
        arvo__gate_leave(&store->gate, commit->subject, commit->lease);
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

    struct commit_batch batch = { .commits = commits, .count = count };
    struct sqlite_job job;
    job.run = commit_run;
    job.context = &batch;
    job.what = COMMIT;
    job.bytes = commit_bytes(commits, count);
    job.is_light = false;
    job.is_alone = false;
    job.is_commit = true;
    st = arvo__sqlite_job(store, &job, err);
    if (st == ARVO_OK)
        atomic_fetch_add_explicit(&store->writer.commits, count, memory_order_relaxed);
    if (st == ARVO_OK && count == 1 && commits[0].record != NULL)
        commit_keep(store, &batch);
    for (size_t i = 0; i < count; i++)
        commit_release(store, &commits[i], st == ARVO_OK && commits[i].release);
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

#endif
