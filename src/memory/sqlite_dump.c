/* The whole SQLite store as rows, and a store from rows.
 *
 * A dump reads in one transaction on a connection of its own, so it is of one
 * moment, and nobody who writes waits for it; the write-ahead log cannot be
 * shortened meanwhile. A load is one transaction.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include "memory/sqlite.h"

/* ---- Dump -------------------------------------------------------------- */

/* Fill a row from a statement; false: a value is missing that every row has. */
typedef bool (*dump_fill)(sqlite3_stmt *stmt, arvo_row *row);

static bool
dump_store(sqlite3_stmt *stmt, arvo_row *row)
{
    row->newest_fence = (uint64_t)sqlite3_column_int64(stmt, 0);
    row->newest_seq = sqlite3_column_int64(stmt, 1);
    return true;
}

static bool
dump_definition(sqlite3_stmt *stmt, arvo_row *row)
{
    row->hash = arvo__sqlite_column_str(stmt, 0);
    row->document = arvo__sqlite_column_str(stmt, 1);
    return row->hash.ptr != NULL && row->document.ptr != NULL;
}

static bool
dump_record(sqlite3_stmt *stmt, arvo_row *row)
{
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++)
        *arvo__record_string(&row->record, i) = arvo__sqlite_column_str(stmt, (int)i);
    row->record.revision = (uint64_t)sqlite3_column_int64(stmt, 10);
    row->record.fence = (uint64_t)sqlite3_column_int64(stmt, 11);
    row->record.created_ms = sqlite3_column_int64(stmt, 12);
    row->record.updated_ms = sqlite3_column_int64(stmt, 13);
    return row->record.subject.ptr != NULL && row->record.status.ptr != NULL;
}

static bool
dump_event(sqlite3_stmt *stmt, arvo_row *row)
{
    row->cause = sqlite3_column_int64(stmt, 2);
    row->row.event = (arvo_stored_event){
        .seq = sqlite3_column_int64(stmt, 0),
        .direction = sqlite3_column_int64(stmt, 1) == ARVO_CONSUMED ? ARVO_CONSUMED : ARVO_PRODUCED,
        .time_ms = sqlite3_column_int64(stmt, 3),
        .id = arvo__sqlite_column_str(stmt, 4),
        .source = arvo__sqlite_column_str(stmt, 5),
        .type = arvo__sqlite_column_str(stmt, 6),
        .domains = arvo__sqlite_column_str(stmt, 7),
        .json = arvo__sqlite_column_str(stmt, 8),
        .subject = arvo__sqlite_column_str(stmt, 9),
    };
    return row->row.event.subject.ptr != NULL && row->row.event.json.ptr != NULL;
}

static bool
dump_delivery(sqlite3_stmt *stmt, arvo_row *row)
{
    row->row.event.seq = sqlite3_column_int64(stmt, 0);
    row->row.attempts = (uint32_t)sqlite3_column_int64(stmt, 1);
    row->row.due_ms = sqlite3_column_int64(stmt, 2);
    row->row.error = arvo__sqlite_column_str(stmt, 3);
    return true;
}

static const struct dump_part {
    arvo_row_kind kind;
    enum sqlite_statement statement;
    dump_fill fill;
} dump_parts[] = {
    { ARVO_ROW_STORE, SQL_DUMP_STORE, dump_store },
    { ARVO_ROW_DEFINITION, SQL_DUMP_DEFINITION, dump_definition },
    { ARVO_ROW_RECORD, SQL_DUMP_RECORD, dump_record },
    { ARVO_ROW_EVENT, SQL_DUMP_EVENT, dump_event },
    { ARVO_ROW_OUTBOX, SQL_DUMP_OUTBOX, dump_delivery },
    { ARVO_ROW_DEAD, SQL_DUMP_DEAD, dump_delivery },
};

static arvo_status
dump_part(
    struct sqlite_conn *conn, const struct dump_part *part, bool *go_on, arvo_row_fn each,
    void *user, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, part->statement);
    arvo_status st = ARVO_OK;
    int code = arvo__sqlite_step(stmt);
    while (st == ARVO_OK && code == SQLITE_ROW && *go_on) {
        arvo_row row = { .kind = part->kind };
        if (!part->fill(stmt, &row)) {
            st = sqlite3_errcode(conn->db) == SQLITE_NOMEM
                     ? arvo__nomem(err)
                     : arvo__fail(
                           err, ARVO_E_CORRUPT,
                           "%s: dump: a row lacks a value that every row has; the file is damaged",
                           conn->store->path);
            break;
        }
        *go_on = each(user, &row);
        code = arvo__sqlite_step(stmt);
    }
    if (st == ARVO_OK && *go_on && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, "dump", err);
    if (stmt != NULL)
        (void)sqlite3_reset(stmt);
    return st;
}

arvo_status
arvo__sqlite_dump(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    struct sqlite_conn conn = { 0 };
    bool go_on = true;
    arvo_status st = arvo__sqlite_conn_open(store, &conn, true, err);
    if (st == ARVO_OK && sqlite3_exec(conn.db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        st = arvo__sqlite_fail(&conn, "dump", err);
    for (size_t i = 0; st == ARVO_OK && go_on && i < ARVO_COUNT_OF(dump_parts); i++)
        st = dump_part(&conn, &dump_parts[i], &go_on, each, user, err);
    arvo__sqlite_conn_close(&conn); /* and the transaction with it */
    return st;
}

/* ---- Load -------------------------------------------------------------- */

struct load {
    arvo_row_next next;
    void *user;
    arvo__load_check check;
};

static arvo_status
load_twice(const struct sqlite_conn *conn, const char *what, arvo_error *err)
{
    const int code = sqlite3_extended_errcode(conn->db);
    if (code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE ||
        code == SQLITE_CONSTRAINT_ROWID)
        return arvo__fail(
            err, ARVO_E_INVALID, "%s: load: there are two rows of one %s", conn->store->path, what);
    return arvo__sqlite_fail(conn, "load", err);
}

static arvo_status
load_definition(struct sqlite_conn *conn, const arvo_row *row, arvo_error *err)
{
    const arvo_str texts[] = { row->hash, row->document };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_DEFINITION_ADD);
    if (!arvo__sqlite_bind_strs(stmt, 1, texts, 2) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, "load", err);
    if (sqlite3_changes(conn->db) == 0)
        return arvo__fail(
            err, ARVO_E_INVALID, "%s: load: there are two rows of one hash", conn->store->path);
    return ARVO_OK;
}

static arvo_status
load_record(struct sqlite_conn *conn, const arvo_record *record, arvo_error *err)
{
    int64_t id = 0;
    bool is_new = false;
    const arvo_status st =
        arvo__sqlite_subject_put(conn, record->subject, "load", &id, &is_new, err);
    if (st != ARVO_OK)
        return st;
    const int64_t numbers[] = { id, (int64_t)record->revision, (int64_t)record->fence,
                                record->created_ms, record->updated_ms };
    const arvo_str texts[] = { record->parent_subject, record->orchestrator, record->version,
                               record->definition,     record->value,        record->last_error,
                               record->input,          record->state,        record->status };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LOAD_INSTANCE);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 5) ||
        !arvo__sqlite_bind_strs(stmt, 6, texts, 9) || !arvo__sqlite_run(stmt))
        return load_twice(conn, "record", err);
    return ARVO_OK;
}

static arvo_status
load_event(struct sqlite_conn *conn, const arvo_row *row, arvo_error *err)
{
    const arvo_stored_event *event = &row->row.event;
    int64_t subject_id = 0;
    bool is_new = false;
    const arvo_status st =
        arvo__sqlite_subject_put(conn, event->subject, "load", &subject_id, &is_new, err);
    if (st != ARVO_OK)
        return st;
    const int64_t numbers[] = { event->seq, subject_id, event->direction, row->cause,
                                event->time_ms };
    const arvo_str texts[] = { event->id, event->source, event->type, event->domains, event->json };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LOAD_EVENT);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 5) ||
        !arvo__sqlite_bind_strs(stmt, 6, texts, 5) || !arvo__sqlite_run(stmt))
        return load_twice(conn, "seq", err);
    return ARVO_OK;
}

/* The subject of the produced event that a row is of. */
static arvo_status
load_produced(struct sqlite_conn *conn, int64_t seq, int64_t *out_subject_id, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LOAD_PRODUCED);
    if (!arvo__sqlite_bind_ints(stmt, 1, &seq, 1))
        return arvo__sqlite_fail(conn, "load", err);
    const int code = arvo__sqlite_step(stmt);
    if (code == SQLITE_ROW)
        *out_subject_id = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    if (code == SQLITE_ROW)
        return ARVO_OK;
    if (code != SQLITE_DONE)
        return arvo__sqlite_fail(conn, "load", err);
    return arvo__fail(
        err, ARVO_E_INVALID,
        "%s: load: the outbox row or dead letter %lld has no produced event of its own",
        conn->store->path, (long long)seq);
}

static arvo_status
load_delivery(struct sqlite_conn *conn, const arvo_row *row, arvo_error *err)
{
    const arvo_outbox_row *delivery = &row->row;
    int64_t subject_id = 0;
    const arvo_status st = load_produced(conn, delivery->event.seq, &subject_id, err);
    if (st != ARVO_OK)
        return st;
    sqlite3_stmt *stmt = NULL;
    if (row->kind == ARVO_ROW_DEAD) {
        const int64_t numbers[] = { delivery->event.seq, subject_id, delivery->attempts,
                                    delivery->due_ms };
        stmt = arvo__sqlite_get(conn, SQL_DEAD_ADD);
        if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 4) ||
            !arvo__sqlite_bind_str(stmt, 5, delivery->error) || !arvo__sqlite_run(stmt))
            return load_twice(conn, "seq", err);
        return ARVO_OK;
    }
    if (!arvo__sqlite_outbox_add(conn, delivery->event.seq, subject_id))
        return load_twice(conn, "seq", err);
    const int64_t numbers[] = { delivery->event.seq, delivery->attempts, delivery->due_ms };
    stmt = arvo__sqlite_get(conn, SQL_LOAD_OUTBOX);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 3) ||
        !arvo__sqlite_bind_str(stmt, 4, delivery->error) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, "load", err);
    return ARVO_OK;
}

static arvo_status
load_row(struct sqlite_conn *conn, const arvo_row *row, arvo_error *err)
{
    switch (row->kind) {
    case ARVO_ROW_STORE:
        return ARVO_OK; /* at the end */
    case ARVO_ROW_DEFINITION:
        return load_definition(conn, row, err);
    case ARVO_ROW_RECORD:
        return load_record(conn, &row->record, err);
    case ARVO_ROW_EVENT:
        return load_event(conn, row, err);
    case ARVO_ROW_OUTBOX:
    case ARVO_ROW_DEAD:
        return load_delivery(conn, row, err);
    }
    return ARVO_OK;
}

static arvo_status
load_need_empty(struct sqlite_conn *conn, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LOAD_EMPTY);
    const int code = arvo__sqlite_step(stmt);
    const bool is_empty = code == SQLITE_ROW && sqlite3_column_int64(stmt, 0) == 0;
    if (stmt != NULL)
        (void)sqlite3_reset(stmt);
    if (code != SQLITE_ROW)
        return arvo__sqlite_fail(conn, "load", err);
    if (!is_empty)
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: load: the store is not empty; use another path",
            conn->store->path);
    return ARVO_OK;
}

/* Fences and seqs go on behind the newest of the store that was dumped. */
static arvo_status
load_numbers(struct sqlite_conn *conn, const arvo__load_check *check, arvo_error *err)
{
    const int64_t fence = (int64_t)check->newest_fence;
    const enum sqlite_statement steps[] = { SQL_LOAD_STORE, SQL_LOAD_SEQ, SQL_LOAD_SEQ_ADD };
    for (size_t i = 0; i < ARVO_COUNT_OF(steps); i++) {
        sqlite3_stmt *stmt = arvo__sqlite_get(conn, steps[i]);
        const int64_t number = steps[i] == SQL_LOAD_STORE ? fence : check->newest_seq;
        if (!arvo__sqlite_bind_ints(stmt, 1, &number, 1) || !arvo__sqlite_run(stmt))
            return arvo__sqlite_fail(conn, "load", err);
    }
    return ARVO_OK;
}

static arvo_status
load_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    struct load *load = context;
    const arvo_row *row = NULL;
    arvo_status st = load_need_empty(conn, err);
    while (st == ARVO_OK) {
        st = load->next(load->user, &row, err);
        if (st != ARVO_OK || row == NULL)
            break;
        st = arvo__load_check_row(&load->check, row, err);
        if (st == ARVO_OK)
            st = load_row(conn, row, err);
    }
    if (st == ARVO_OK)
        st = arvo__load_check_end(&load->check, err);
    if (st == ARVO_OK)
        st = load_numbers(conn, &load->check, err);
    return st;
}

arvo_status
arvo__sqlite_load(void *self, arvo_row_next next, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    struct load load = { .next = next, .user = user };
    const arvo_status st = arvo__sqlite_refuse_read_only(store, "load", err);
    if (st != ARVO_OK)
        return st;
    struct sqlite_job job = { .run = load_run, .context = &load, .what = "load", .is_alone = true };
    const arvo_status done = arvo__sqlite_job(store, &job, err);
    /* New leases get fences of a range behind those of the store that was dumped. */
    return done == ARVO_OK ? arvo__sqlite_reserve_fences(store, err) : done;
}

#endif
