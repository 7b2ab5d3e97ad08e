/* Reading from the SQLite store, beside the writer. Rows are copied in small
 * batches from a connection of the pool and shown without it, so a callback may
 * call the store.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_SQLITE

#include <string.h>

#include "memory/sqlite.h"

#define READ_ROWS 32u /* rows copied per turn of the mutex */

/* ---- Copies ------------------------------------------------------------ */

/* Copies `count` text columns into one arena block. */
static bool
copy_columns(
    sqlite3_stmt *stmt, const int *columns, arvo_str **out, size_t count, arvo_arena *arena)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        *out[i] = arvo__sqlite_column_str(stmt, columns[i]);
        /* Text that SQLite has no memory to convert reads as null. */
        if (out[i]->ptr == NULL && sqlite3_column_type(stmt, columns[i]) != SQLITE_NULL)
            return false;
        bytes += out[i]->len;
    }
    char *at = arvo__arena_alloc(arena, bytes);
    if (at == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (out[i]->ptr == NULL)
            continue;
        memcpy(at, out[i]->ptr, out[i]->len);
        out[i]->ptr = at;
        at += out[i]->len;
    }
    return true;
}

static arvo_status
row_corrupt(const struct sqlite_conn *conn, const char *what, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_CORRUPT, "%s: %s: a row lacks a value that every row has; the file is damaged",
        conn->store->path, what);
}

/* A row of SQL_RECORD_COLUMNS; the first columns are the record's strings in their order. */
static arvo_status
copy_record(
    const struct sqlite_conn *conn, sqlite3_stmt *stmt, const char *what, arvo_arena *arena,
    arvo_record *out, arvo_error *err)
{
    int columns[ARVO__RECORD_STRINGS];
    arvo_str *texts[ARVO__RECORD_STRINGS];
    arvo_record record = { .revision = (uint64_t)sqlite3_column_int64(stmt, 10),
                           .fence = (uint64_t)sqlite3_column_int64(stmt, 11),
                           .created_ms = sqlite3_column_int64(stmt, 12),
                           .updated_ms = sqlite3_column_int64(stmt, 13) };
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++) {
        columns[i] = (int)i;
        texts[i] = arvo__record_string(&record, i);
    }
    if (!copy_columns(stmt, columns, texts, ARVO__RECORD_STRINGS, arena))
        return arvo__nomem(err);
    if (record.subject.ptr == NULL || record.orchestrator.ptr == NULL ||
        record.version.ptr == NULL || record.status.ptr == NULL || record.revision == 0)
        return row_corrupt(conn, what, err);
    *out = record;
    return ARVO_OK;
}

arvo_status
arvo__sqlite_copy_event(
    const struct sqlite_conn *conn, sqlite3_stmt *stmt, const char *what, arvo_str subject,
    arvo_arena *arena, arvo_stored_event *out, arvo_error *err)
{
    arvo_stored_event event = { .seq = sqlite3_column_int64(stmt, 0),
                                .direction = sqlite3_column_int64(stmt, 1) == ARVO_CONSUMED
                                                 ? ARVO_CONSUMED
                                                 : ARVO_PRODUCED,
                                .subject = subject,
                                .time_ms = sqlite3_column_int64(stmt, 3) };
    static const int columns[] = { 4, 5, 6, 7, 8, 9 };
    arvo_str *texts[] = { &event.id,      &event.source, &event.type,
                          &event.domains, &event.json,   &event.subject };
    if (!copy_columns(stmt, columns, texts, subject.ptr == NULL ? 6 : 5, arena))
        return arvo__nomem(err);
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        if (texts[i]->ptr == NULL)
            return row_corrupt(conn, what, err);
    }
    *out = event;
    return ARVO_OK;
}

/* ---- Lookups ----------------------------------------------------------- */

/* The first column of the first row; 0 when there is none. */
static arvo_status
lookup(
    struct sqlite_conn *conn, sqlite3_stmt *stmt, const char *what, int64_t *out, arvo_error *err)
{
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else if (code == SQLITE_DONE)
        *out = 0;
    else
        st = arvo__sqlite_fail(conn, what, err);
    (void)sqlite3_reset(stmt);
    return st;
}

arvo_status
arvo__sqlite_subject_id(
    struct sqlite_conn *conn, arvo_str subject, const char *what, int64_t *out, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_SUBJECT_FIND);
    if (stmt == NULL || !arvo__sqlite_bind_subject(conn, stmt, subject))
        return arvo__sqlite_fail(conn, what, err);
    return lookup(conn, stmt, what, out, err);
}

arvo_status
arvo__sqlite_inbox_seq(
    struct sqlite_conn *conn, int64_t subject_id, arvo_str source, arvo_str id, const char *what,
    int64_t *out, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_INBOX_FIND);
    if (stmt == NULL || sqlite3_bind_int64(stmt, 1, subject_id) != SQLITE_OK ||
        !arvo__sqlite_bind_str(stmt, 2, source) || !arvo__sqlite_bind_str(stmt, 3, id))
        return arvo__sqlite_fail(conn, what, err);
    return lookup(conn, stmt, what, out, err);
}

static arvo_status
record_read(
    struct sqlite_conn *conn, arvo_str subject, arvo_arena *arena, bool *out_found,
    arvo_record *out, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_RECORD_READ);
    if (stmt == NULL || !arvo__sqlite_bind_subject(conn, stmt, subject))
        return arvo__sqlite_fail(conn, "read", err);
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, "read", err);
    else if (code == SQLITE_ROW)
        st = copy_record(conn, stmt, "read", arena, out, err);
    if (st == ARVO_OK)
        *out_found = code == SQLITE_ROW;
    (void)sqlite3_reset(stmt);
    return st;
}

arvo_status
arvo__sqlite_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err)
{
    struct sqlite_store *store = self;
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__memory_subject_check(subject, "read", err);
    if (st == ARVO_OK)
        st = arvo__sqlite_reader_take(store, &conn, err);
    if (st == ARVO_OK) {
        st = record_read(conn, subject, arena, out_found, out, err);
        arvo__sqlite_reader_give(store, conn);
    }
    return st;
}

/* What the subject has consumed, and whether that of the request is among it. */
static arvo_status
read_inbox(
    struct sqlite_conn *conn, int64_t id, const arvo_lock_request *request,
    struct sqlite_inbox *out, bool *out_is_consumed, arvo_error *err)
{
    const int64_t numbers[] = { id, SQL_INBOX_ROWS_MAX + 1 };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_INBOX_ROWS);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 2))
        return arvo__sqlite_fail(conn, "read", err);
    int code = arvo__sqlite_step(stmt);
    for (; code == SQLITE_ROW && out->count < SQL_INBOX_ROWS_MAX; code = arvo__sqlite_step(stmt)) {
        const arvo_str source = arvo__sqlite_column_str(stmt, 0);
        const arvo_str event_id = arvo__sqlite_column_str(stmt, 1);
        arvo__sqlite_inbox_add(out, arvo__sqlite_inbox_key(source, event_id));
        if (arvo_str_equal(source, request->source) && arvo_str_equal(event_id, request->id))
            *out_is_consumed = true;
    }
    arvo_status st = ARVO_OK;
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        st = arvo__sqlite_fail(conn, "read", err);
    (void)sqlite3_reset(stmt);
    out->is_whole = code == SQLITE_DONE;
    if (st != ARVO_OK || out->is_whole || *out_is_consumed)
        return st;
    int64_t seq = 0;
    st = arvo__sqlite_inbox_seq(conn, id, request->source, request->id, "read", &seq, err);
    *out_is_consumed = seq != 0;
    return st;
}

/* Its statement is left at its row: until it is reset, all that is read is of one moment, and the
 * pages are looked for once. */
static arvo_status
read_locked(
    struct sqlite_conn *conn, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    struct sqlite_inbox *out_inbox, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LOCKED_READ);
    if (stmt == NULL || !arvo__sqlite_bind_subject(conn, stmt, request->subject))
        return arvo__sqlite_fail(conn, "read", err);
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, "read", err);
    if (code == SQLITE_ROW && sqlite3_column_type(stmt, 14) != SQLITE_NULL) {
        st = copy_record(conn, stmt, "read", arena, &out->record, err);
        out->has_record = st == ARVO_OK;
    }
    if (st == ARVO_OK && code == SQLITE_ROW)
        st = read_inbox(
            conn, sqlite3_column_int64(stmt, 15), request, out_inbox, &out->is_consumed, err);
    (void)sqlite3_reset(stmt);
    return st;
}

arvo_status
arvo__sqlite_read_locked(
    struct sqlite_store *store, const arvo_lock_request *request, arvo_arena *arena,
    arvo_locked *out, arvo_error *err)
{
    if (arvo__sqlite_cache_get(store, request, arena, out))
        return ARVO_OK;
    const uint32_t stamp = arvo__sqlite_stamp(store, request->subject);
    struct sqlite_inbox inbox = { 0 };
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st != ARVO_OK)
        return st;
    st = read_locked(conn, request, arena, out, &inbox, err);
    arvo__sqlite_reader_give(store, conn);
    if (st == ARVO_OK && out->has_record)
        arvo__sqlite_cache_put(store, stamp, &out->record, &inbox);
    return st;
}

/* ---- Listing events ---------------------------------------------------- */

/* One turn: rows of a bound statement, into the arena. */
struct event_rows {
    arvo_stored_event rows[READ_ROWS];
    size_t count;
    bool is_end;
};

static arvo_status
event_rows_read(
    struct sqlite_conn *conn, sqlite3_stmt *stmt, size_t max, arvo_str subject, const char *what,
    arvo_arena *arena, struct event_rows *out, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    out->count = 0;
    out->is_end = false;
    while (st == ARVO_OK && !out->is_end && out->count < max) {
        const int code = arvo__sqlite_step(stmt);
        if (code == SQLITE_DONE)
            out->is_end = true;
        else if (code != SQLITE_ROW)
            st = arvo__sqlite_fail(conn, what, err);
        else
            st = arvo__sqlite_copy_event(
                conn, stmt, what, subject, arena, &out->rows[out->count], err);
        if (st == ARVO_OK && !out->is_end)
            out->count++;
    }
    (void)sqlite3_reset(stmt);
    return st;
}

/* The places that a bound statement gives, 8 bytes each. */
static arvo_status
seqs_read(
    struct sqlite_conn *conn, sqlite3_stmt *stmt, const char *what, arvo_buf *out, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    int code = arvo__sqlite_step(stmt);
    while (code == SQLITE_ROW && out->status == ARVO_OK) {
        const int64_t seq = sqlite3_column_int64(stmt, 0);
        arvo_buf_append(out, &seq, sizeof(seq));
        code = arvo__sqlite_step(stmt);
    }
    if (out->status != ARVO_OK)
        st = arvo__buf_status(out, what, err);
    else if (code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, what, err);
    (void)sqlite3_reset(stmt);
    return st;
}

static arvo_status
event_get(
    struct sqlite_conn *conn, int64_t seq, arvo_str subject, const char *what, arvo_arena *arena,
    struct event_rows *out, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_EVENT_GET);
    if (!arvo__sqlite_bind_ints(stmt, 1, &seq, 1))
        return arvo__sqlite_fail(conn, what, err);
    return event_rows_read(conn, stmt, 1, subject, what, arena, out, err);
}

/* Show the subject's events at these places. */
static arvo_status
seqs_each(
    struct sqlite_store *store, const arvo_buf *seqs, arvo_str subject, const char *what,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    if (arena == NULL)
        return arvo__nomem(err);
    arvo_status st = ARVO_OK;
    bool go_on = true;
    for (size_t at = 0; st == ARVO_OK && go_on && at < seqs->len; at += sizeof(int64_t)) {
        struct sqlite_conn *conn = NULL;
        struct event_rows row;
        int64_t seq;
        memcpy(&seq, seqs->ptr + at, sizeof(seq));
        arvo_arena_reset(arena);
        st = arvo__sqlite_reader_take(store, &conn, err);
        if (st != ARVO_OK)
            break;
        st = event_get(conn, seq, subject, what, arena, &row, err);
        arvo__sqlite_reader_give(store, conn);
        if (st == ARVO_OK && row.count == 1) /* else it was deleted meanwhile */
            go_on = each(user, &row.rows[0]);
    }
    arvo_arena_free(arena);
    return st;
}

/* ---- Inbox and outbox -------------------------------------------------- */

/* Where the consumed event lies (0: nowhere), and, with `outcome`, what it caused. */
static arvo_status
inbox_seqs(
    struct sqlite_conn *conn, arvo_str subject, arvo_str source, arvo_str id, int64_t *out_seq,
    arvo_buf *outcome, arvo_error *err)
{
    int64_t subject_id = 0;
    arvo_status st = arvo__sqlite_subject_id(conn, subject, "inbox", &subject_id, err);
    if (st == ARVO_OK && subject_id != 0)
        st = arvo__sqlite_inbox_seq(conn, subject_id, source, id, "inbox", out_seq, err);
    if (st != ARVO_OK || *out_seq == 0 || outcome == NULL)
        return st;
    const int64_t numbers[] = { subject_id, *out_seq };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTCOME);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 2))
        return arvo__sqlite_fail(conn, "inbox", err);
    return seqs_read(conn, stmt, "inbox", outcome, err);
}

arvo_status
arvo__sqlite_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    int64_t seq = 0;
    arvo_status st = arvo__memory_subject_check(subject, "inbox", err);
    if (st != ARVO_OK)
        return st;

    arvo_buf outcome = { .bytes_max = ARVO_BUF_BYTES_MAX_DEFAULT, .allocator = store->allocator };
    struct sqlite_conn *conn = NULL;
    st = arvo__sqlite_reader_take(store, &conn, err);
    if (st == ARVO_OK) {
        st = inbox_seqs(conn, subject, source, id, &seq, each != NULL ? &outcome : NULL, err);
        arvo__sqlite_reader_give(store, conn);
    }
    if (st == ARVO_OK && outcome.len > 0)
        st = seqs_each(store, &outcome, subject, "inbox", each, user, err);
    arvo_buf_fini(&outcome);
    if (st == ARVO_OK)
        *out_found = seq != 0;
    return st;
}

static arvo_status
outbox_read(
    struct sqlite_conn *conn, int64_t after, size_t max, arvo_arena *arena, struct event_rows *out,
    arvo_error *err)
{
    const int64_t numbers[] = { after, (int64_t)max };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_LIST);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 2))
        return arvo__sqlite_fail(conn, "outbox", err);
    return event_rows_read(conn, stmt, max, ARVO_STR_NONE, "outbox", arena, out, err);
}

arvo_status
arvo__sqlite_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    size_t left = limit != 0 ? limit : SQL_ROWS_DEFAULT;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    if (arena == NULL)
        return arvo__nomem(err);
    struct event_rows rows = { 0 };
    arvo_status st = ARVO_OK;
    while (st == ARVO_OK && !rows.is_end && left > 0) {
        struct sqlite_conn *conn = NULL;
        arvo_arena_reset(arena);
        st = arvo__sqlite_reader_take(store, &conn, err);
        if (st != ARVO_OK)
            break;
        st = outbox_read(conn, after, left < READ_ROWS ? left : READ_ROWS, arena, &rows, err);
        arvo__sqlite_reader_give(store, conn);
        for (size_t i = 0; st == ARVO_OK && i < rows.count && left > 0; i++) {
            after = rows.rows[i].seq;
            left = each(user, &rows.rows[i]) ? left - 1 : 0;
        }
    }
    arvo_arena_free(arena);
    return st;
}

/* ---- History ----------------------------------------------------------- */

/* The places of all of a subject's events, in order. */
static arvo_status
history_seqs(struct sqlite_conn *conn, arvo_str subject, arvo_buf *out, arvo_error *err)
{
    int64_t subject_id = 0;
    const arvo_status st = arvo__sqlite_subject_id(conn, subject, "history", &subject_id, err);
    if (st != ARVO_OK || subject_id == 0)
        return st;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_HISTORY);
    if (!arvo__sqlite_bind_ints(stmt, 1, &subject_id, 1))
        return arvo__sqlite_fail(conn, "history", err);
    return seqs_read(conn, stmt, "history", out, err);
}

arvo_status
arvo__sqlite_history(
    void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "history", err);
    if (st != ARVO_OK)
        return st;
    arvo_buf seqs = { .bytes_max = ARVO_BUF_BYTES_MAX_DEFAULT, .allocator = store->allocator };
    struct sqlite_conn *conn = NULL;
    st = arvo__sqlite_reader_take(store, &conn, err);
    if (st == ARVO_OK) {
        st = history_seqs(conn, subject, &seqs, err);
        arvo__sqlite_reader_give(store, conn);
    }
    if (st == ARVO_OK)
        st = seqs_each(store, &seqs, subject, "history", each, user, err);
    arvo_buf_fini(&seqs);
    return st;
}

/* ---- Listing records --------------------------------------------------- */

struct record_rows {
    arvo_record rows[READ_ROWS];
    size_t count;
    int64_t last_id;
    bool is_end;
};

static arvo_status
record_rows_read(
    struct sqlite_conn *conn, const arvo_record_query *query, size_t max, arvo_arena *arena,
    struct record_rows *out, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(
        conn, query->status.ptr != NULL ? SQL_RECORD_LIST_STATUS : SQL_RECORD_LIST);
    out->count = 0;
    if (stmt == NULL || sqlite3_bind_int64(stmt, 1, out->last_id) != SQLITE_OK ||
        (query->status.ptr != NULL && !arvo__sqlite_bind_str(stmt, 2, query->status)) ||
        !arvo__sqlite_bind_str(stmt, 3, query->orchestrator) ||
        sqlite3_bind_int64(stmt, 4, (sqlite3_int64)max) != SQLITE_OK)
        return arvo__sqlite_fail(conn, "list", err);

    arvo_status st = ARVO_OK;
    while (st == ARVO_OK && !out->is_end) {
        const int code = arvo__sqlite_step(stmt);
        if (code == SQLITE_DONE)
            break;
        if (code != SQLITE_ROW)
            st = arvo__sqlite_fail(conn, "list", err);
        else
            st = copy_record(conn, stmt, "list", arena, &out->rows[out->count], err);
        if (st == ARVO_OK) {
            out->count++;
            out->last_id = sqlite3_column_int64(stmt, 14);
        }
    }
    out->is_end = out->count < max;
    (void)sqlite3_reset(stmt);
    return st;
}

static arvo_status
list_start(struct sqlite_conn *conn, arvo_str after, int64_t *out, arvo_error *err)
{
    *out = 0;
    if (after.ptr == NULL)
        return ARVO_OK;
    const arvo_status st = arvo__sqlite_subject_id(conn, after, "list", out, err);
    if (st == ARVO_OK && *out == 0)
        return arvo__fail(
            err, ARVO_E_NOT_FOUND, "%s: list: there is no record under the subject to go on behind",
            conn->store->path);
    return st;
}

arvo_status
arvo__sqlite_list(
    void *self, const arvo_record_query *query, arvo_record_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    size_t left = query->limit != 0 ? query->limit : SQL_ROWS_DEFAULT;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    if (arena == NULL)
        return arvo__nomem(err);
    struct record_rows rows = { 0 };

    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st == ARVO_OK) {
        st = list_start(conn, query->after, &rows.last_id, err);
        arvo__sqlite_reader_give(store, conn);
    }
    while (st == ARVO_OK && left > 0 && !rows.is_end) {
        arvo_arena_reset(arena);
        st = arvo__sqlite_reader_take(store, &conn, err);
        if (st != ARVO_OK)
            break;
        st = record_rows_read(conn, query, left < READ_ROWS ? left : READ_ROWS, arena, &rows, err);
        arvo__sqlite_reader_give(store, conn);
        for (size_t i = 0; st == ARVO_OK && i < rows.count && left > 0; i++)
            left = each(user, &rows.rows[i]) ? left - 1 : 0;
    }
    arvo_arena_free(arena);
    return st;
}

#endif
