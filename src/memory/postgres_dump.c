/* A whole PostgreSQL store, out and in.
 *
 * Out: one repeatable-read transaction, which sees one moment, and a cursor per table, so memory is
 * bounded by a page of rows. In: one transaction, rows in batches by kind.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <stdio.h>
#include <string.h>

#include "memory/postgres.h"

#define pq arvo__pq

#define LOAD_ROWS      256u
#define LOAD_BYTES_MAX ((size_t)8 * 1024 * 1024) /* of a batch; one row may be larger, alone */

/* One connection in a transaction. */
struct transfer {
    struct postgres_store *store;
    struct postgres_connection *connection;
    const char *what;
};

static arvo_status
transfer_run(
    struct transfer *transfer, const char *sql, const struct postgres_params *params,
    PGresult **out, arvo_error *err)
{
    arvo_buf text = ARVO_BUF_INIT((size_t)64 * 1024);
    text.allocator = transfer->store->allocator;
    arvo__pg_expand(transfer->store, sql, &text);
    PGresult *result = NULL;
    arvo_status st = arvo__buf_status(&text, "a statement", err);
    if (st == ARVO_OK && transfer->connection->conn == NULL)
        st = arvo__pg_fail(
            transfer->store, ARVO_E_IO, transfer->what, "the connection was lost", err);
    if (st == ARVO_OK)
        st = arvo__pg_query(
            transfer->store, transfer->connection, transfer->what, text.ptr, params, &result, err);
    arvo_buf_fini(&text);
    if (st != ARVO_OK)
        return st;
    if (out != NULL)
        *out = result;
    else
        pq.PQclear(result);
    return ARVO_OK;
}

static void
transfer_rollback(struct transfer *transfer)
{
    if (transfer->connection->conn != NULL)
        (void)transfer_run(transfer, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- Out ------------------------------------------------------------------------ */

static arvo_status
row_definition(
    struct postgres_store *store, const PGresult *result, int at, arvo_row *out, arvo_error *err)
{
    (void)store, (void)err;
    out->hash = arvo__pg_get_str(result, at, 0);
    out->document = arvo__pg_get_str(result, at, 1);
    return ARVO_OK;
}

static arvo_status
row_record(
    struct postgres_store *store, const PGresult *result, int at, arvo_row *out, arvo_error *err)
{
    return arvo__pg_record(store, result, at, 0, NULL, &out->record, err);
}

static arvo_status
row_event(
    struct postgres_store *store, const PGresult *result, int at, arvo_row *out, arvo_error *err)
{
    (void)store, (void)err;
    arvo__pg_event(result, at, &out->row.event);
    out->cause = arvo__pg_get_int(result, at, 9);
    return ARVO_OK;
}

static arvo_status
row_outbox(
    struct postgres_store *store, const PGresult *result, int at, arvo_row *out, arvo_error *err)
{
    (void)store, (void)err;
    out->row.event.seq = arvo__pg_get_int(result, at, 0);
    out->row.attempts = (uint32_t)arvo__pg_get_int(result, at, 1);
    out->row.due_ms = arvo__pg_get_int(result, at, 2);
    out->row.error = arvo__pg_get_str(result, at, 3);
    return ARVO_OK;
}

static const struct dump_table {
    arvo_row_kind kind;
    const char *sql;
    arvo_status (*row)(
        struct postgres_store *store, const PGresult *result, int at, arvo_row *out,
        arvo_error *err);
} dump_tables[] = {
    { ARVO_ROW_DEFINITION, "SELECT hash, document FROM ~.definition ORDER BY hash COLLATE \"C\"",
      row_definition },
    { ARVO_ROW_RECORD,
      "SELECT s.subject, i.parent_subject, i.orchestrator, i.version, i.status, i.value, i.state,"
      " i.last_error, i.input, i.definition, i.revision, i.fence, i.created_ms, i.updated_ms"
      " FROM ~.instance i JOIN ~.subject s ON s.id = i.id ORDER BY i.id",
      row_record },
    { ARVO_ROW_EVENT,
      "SELECT e.seq, e.direction, e.time_ms, e.id, e.source, e.type, e.domains, e.event, s.subject,"
      " e.cause FROM ~.event e JOIN ~.subject s ON s.id = e.subject_id ORDER BY e.seq",
      row_event },
    { ARVO_ROW_OUTBOX, "SELECT seq, attempts, due_ms, error FROM ~.outbox ORDER BY seq",
      row_outbox },
    { ARVO_ROW_DEAD, "SELECT seq, attempts, since_ms, error FROM ~.dead ORDER BY seq", row_outbox },
};

static arvo_status
dump_page(
    struct transfer *transfer, const struct dump_table *table, const PGresult *result,
    arvo_row_fn each, void *user, bool *out_stop, arvo_error *err)
{
    const int rows = pq.PQntuples(result);
    for (int at = 0; at < rows && !*out_stop; at++) {
        arvo_row row = { .kind = table->kind };
        const arvo_status st = table->row(transfer->store, result, at, &row, err);
        if (st != ARVO_OK)
            return st;
        *out_stop = !each(user, &row);
    }
    return ARVO_OK;
}

static arvo_status
dump_table(
    struct transfer *transfer, const struct dump_table *table, arvo_row_fn each, void *user,
    bool *out_stop, arvo_error *err)
{
    char sql[1024];
    (void)snprintf(sql, sizeof(sql), "DECLARE page NO SCROLL CURSOR FOR %s", table->sql);
    arvo_status st = transfer_run(transfer, sql, NULL, NULL, err);
    bool is_end = false;
    while (st == ARVO_OK && !is_end && !*out_stop) {
        PGresult *result = NULL;
        st = transfer_run(transfer, "FETCH 256 FROM page", NULL, &result, err);
        if (st != ARVO_OK)
            break;
        is_end = pq.PQntuples(result) == 0;
        st = dump_page(transfer, table, result, each, user, out_stop, err);
        pq.PQclear(result);
    }
    if (st == ARVO_OK)
        st = transfer_run(transfer, "CLOSE page", NULL, NULL, err);
    return st;
}

static arvo_status
dump_store(struct transfer *transfer, arvo_row_fn each, void *user, bool *out_stop, arvo_error *err)
{
    PGresult *result = NULL;
    const arvo_status st = transfer_run(
        transfer,
        "SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ~.fence_seq),"
        " (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ~.event_seq)",
        NULL, &result, err);
    if (st != ARVO_OK)
        return st;
    const arvo_row row = { .kind = ARVO_ROW_STORE,
                           .newest_fence = (uint64_t)arvo__pg_get_int(result, 0, 0),
                           .newest_seq = arvo__pg_get_int(result, 0, 1) };
    pq.PQclear(result);
    *out_stop = !each(user, &row);
    return ARVO_OK;
}

arvo_status
arvo__pg_dump(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    struct transfer transfer = { .store = self, .what = "dump" };
    bool is_stopped = false;
    arvo_status st = arvo__pg_take(self, transfer.what, &transfer.connection, err);
    if (st != ARVO_OK)
        return st;
    st =
        transfer_run(&transfer, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, NULL, err);
    /* The tables first, as of the moment that the first statement sees; then the counters are not
     * behind them. */
    if (st == ARVO_OK)
        st = transfer_run(&transfer, "SELECT version FROM ~.store", NULL, NULL, err);
    if (st == ARVO_OK)
        st = dump_store(&transfer, each, user, &is_stopped, err);
    for (size_t i = 0; st == ARVO_OK && !is_stopped && i < ARVO_COUNT_OF(dump_tables); i++)
        st = dump_table(&transfer, &dump_tables[i], each, user, &is_stopped, err);
    transfer_rollback(&transfer);
    arvo__pg_give(self, transfer.connection);
    return st;
}

/* ---- In -------------------------------------------------------------------------- */

/* Rows of one kind that are still to be sent; strings in the arena. */
struct batch {
    struct transfer transfer;
    arvo_arena *arena;
    arvo__load_check check;
    arvo_row rows[LOAD_ROWS];
    size_t count;
};

typedef arvo_str (*row_text_fn)(const arvo_row *row, size_t which);
typedef int64_t (*row_int_fn)(const arvo_row *row, size_t which);

static void
batch_texts(struct batch *batch, struct postgres_params *params, row_text_fn text, size_t columns)
{
    for (size_t k = 0; k < columns; k++) {
        arvo__pg_array_begin(params, PG_TEXTS, batch->count);
        for (size_t i = 0; i < batch->count; i++)
            arvo__pg_element_text(params, text(&batch->rows[i], k));
        arvo__pg_array_end(params);
    }
}

static void
batch_ints(struct batch *batch, struct postgres_params *params, row_int_fn number, size_t columns)
{
    for (size_t k = 0; k < columns; k++) {
        arvo__pg_array_begin(params, PG_INTS, batch->count);
        for (size_t i = 0; i < batch->count; i++)
            arvo__pg_element_int(params, number(&batch->rows[i], k));
        arvo__pg_array_end(params);
    }
}

static arvo_str
text_definition(const arvo_row *row, size_t which)
{
    return which == 0 ? row->hash : row->document;
}

static arvo_str
text_record(const arvo_row *row, size_t which)
{
    return *arvo__record_string_const(&row->record, which);
}

static int64_t
int_record(const arvo_row *row, size_t which)
{
    const int64_t numbers[] = { (int64_t)row->record.revision, (int64_t)row->record.fence,
                                row->record.created_ms, row->record.updated_ms };
    return numbers[which];
}

static arvo_str
text_event(const arvo_row *row, size_t which)
{
    const arvo_stored_event *event = &row->row.event;
    const arvo_str texts[] = { event->subject, event->id,      event->source,
                               event->type,    event->domains, event->json };
    return texts[which];
}

static int64_t
int_event(const arvo_row *row, size_t which)
{
    const int64_t numbers[] = { row->row.event.seq, (int64_t)row->row.event.direction, row->cause,
                                row->row.event.time_ms };
    return numbers[which];
}

static arvo_str
text_outbox(const arvo_row *row, size_t which)
{
    (void)which;
    return row->row.error;
}

static int64_t
int_outbox(const arvo_row *row, size_t which)
{
    const int64_t numbers[] = { row->row.event.seq, (int64_t)row->row.attempts, row->row.due_ms };
    return numbers[which];
}

static const struct load_table {
    row_text_fn text;
    row_int_fn number;
    size_t texts, numbers;
    const char *sql[3]; /* each with all the arrays; ended by NULL */
} load_tables[] = {
    [ARVO_ROW_DEFINITION] = { text_definition,
                              NULL,
                              2,
                              0,
                              { "INSERT INTO ~.definition (hash, document)"
                                " SELECT * FROM unnest($1::text[], $2::text[])" } },
    [ARVO_ROW_RECORD] = { text_record,
                          int_record,
                          ARVO__RECORD_STRINGS,
                          4,
                          { "WITH row AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[],"
                            " $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], "
                            "$8::text[],"
                            " $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[],"
                            " $14::bigint[]) WITH ORDINALITY u(s, p, o, v, st, va, sta, e, i, d, "
                            "r, f,"
                            " c, m, n)), named AS (INSERT INTO ~.subject (key, subject)"
                            " SELECT ~.key(s), s FROM row ORDER BY n RETURNING id, key)"
                            " INSERT INTO ~.instance (id, revision, fence, created_ms, updated_ms,"
                            " status, orchestrator, version, definition, parent_subject, value,"
                            " last_error, input, state) SELECT named.id, r, f, c, m, st, o, v, d, "
                            "p, va,"
                            " e, i, sta FROM row JOIN named ON named.key = ~.key(s)" } },
    [ARVO_ROW_EVENT] = { text_event,
                         int_event,
                         6,
                         4,
                         { "INSERT INTO ~.subject (key, subject) SELECT ~.key(s), s FROM (SELECT s,"
                           " min(n) AS n FROM unnest($1::text[], $2::text[], $3::text[], "
                           "$4::text[],"
                           " $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[],"
                           " $10::bigint[]) WITH ORDINALITY u(s, i, so, t, d, e, q, di, c, m, n)"
                           " GROUP BY s) x WHERE NOT EXISTS (SELECT FROM ~.subject y WHERE y.key ="
                           " ~.key(x.s)) ORDER BY n",
                           "WITH row AS MATERIALIZED (SELECT u.*, y.id AS sid FROM "
                           "unnest($1::text[],"
                           " $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], "
                           "$7::bigint[],"
                           " $8::bigint[], $9::bigint[], $10::bigint[]) u(s, i, so, t, d, e, q, "
                           "di, c,"
                           " m) JOIN ~.subject y ON y.key = ~.key(u.s)), box AS (INSERT INTO "
                           "~.inbox"
                           " (subject_id, key, seq) SELECT sid, ~.inbox_key(so, i), q FROM row"
                           " WHERE di = 0) INSERT INTO ~.event (seq, subject_id, direction, cause,"
                           " time_ms, id, source, type, domains, event)"
                           " SELECT q, sid, di, c, m, i, so, t, d, e FROM row" } },
    [ARVO_ROW_OUTBOX] = { text_outbox,
                          int_outbox,
                          1,
                          3,
                          { "INSERT INTO ~.outbox (seq, subject_id, attempts, due_ms, error)"
                            " SELECT q, e.subject_id, a, d, r FROM unnest($1::text[], $2::bigint[],"
                            " $3::bigint[], $4::bigint[]) u(r, q, a, d)"
                            " LEFT JOIN ~.event e ON e.seq = q AND e.direction = 1" } },
    [ARVO_ROW_DEAD] = { text_outbox,
                        int_outbox,
                        1,
                        3,
                        { "INSERT INTO ~.dead (seq, subject_id, attempts, since_ms, error)"
                          " SELECT q, e.subject_id, a, d, r FROM unnest($1::text[], $2::bigint[],"
                          " $3::bigint[], $4::bigint[]) u(r, q, a, d)"
                          " LEFT JOIN ~.event e ON e.seq = q AND e.direction = 1" } },
};

static arvo_status
batch_flush(struct batch *batch, arvo_error *err)
{
    if (batch->count == 0)
        return ARVO_OK;
    const struct load_table *table = &load_tables[batch->rows[0].kind];
    struct postgres_params params;
    arvo__pg_params_init(&params, batch->transfer.store->allocator);
    batch_texts(batch, &params, table->text, table->texts);
    batch_ints(batch, &params, table->number, table->numbers);
    arvo_status st = ARVO_OK;
    for (size_t i = 0; st == ARVO_OK && i < ARVO_COUNT_OF(table->sql) && table->sql[i] != NULL; i++)
        st = transfer_run(&batch->transfer, table->sql[i], &params, NULL, err);
    arvo__pg_params_fini(&params);
    batch->count = 0;
    arvo_arena_reset(batch->arena);
    return st;
}

static bool
keep(arvo_arena *arena, arvo_str *text)
{
    if (text->ptr == NULL)
        return true;
    *text = arvo_arena_str_dup(arena, *text);
    return text->ptr != NULL;
}

static bool
row_keep(arvo_arena *arena, arvo_row *row)
{
    arvo_stored_event *event = &row->row.event;
    arvo_str *const texts[] = { &row->hash,      &row->document, &event->subject,
                                &event->id,      &event->source, &event->type,
                                &event->domains, &event->json,   &row->row.error };
    bool is_good = true;
    for (size_t i = 0; is_good && i < ARVO_COUNT_OF(texts); i++)
        is_good = keep(arena, texts[i]);
    for (size_t i = 0; is_good && i < ARVO__RECORD_STRINGS; i++)
        is_good = keep(arena, arvo__record_string(&row->record, i));
    return is_good;
}

/* The counters, and the partitions of all events to come. */
static arvo_status
load_store(struct batch *batch, const arvo_row *row, arvo_error *err)
{
    struct postgres_params params;
    arvo__pg_params_init(&params, batch->transfer.store->allocator);
    arvo__pg_int(&params, (int64_t)row->newest_fence);
    arvo__pg_int(&params, row->newest_seq);
    const arvo_status st = transfer_run(
        &batch->transfer,
        "SELECT setval('~.fence_seq', greatest($1, 1), $1 > 0),"
        " setval('~.event_seq', greatest($2, 1), $2 > 0), ~.partition_make(0)",
        &params, NULL, err);
    arvo__pg_params_fini(&params);
    return st;
}

static arvo_status
load_row(struct batch *batch, const arvo_row *row, arvo_error *err)
{
    arvo_status st = arvo__load_check_row(&batch->check, row, err);
    if (st != ARVO_OK)
        return st;
    const bool is_other = batch->count > 0 && batch->rows[0].kind != row->kind;
    if (is_other || batch->count == LOAD_ROWS || arvo_arena_used(batch->arena) > LOAD_BYTES_MAX)
        st = batch_flush(batch, err);
    if (st != ARVO_OK)
        return st;
    if (row->kind == ARVO_ROW_STORE)
        return load_store(batch, row, err);
    batch->rows[batch->count] = *row;
    if (!row_keep(batch->arena, &batch->rows[batch->count]))
        return arvo__nomem(err);
    batch->count++;
    return ARVO_OK;
}

static arvo_status
load_refuse_full(struct transfer *transfer, bool *out_full, arvo_error *err)
{
    PGresult *result = NULL;
    const arvo_status st = transfer_run(
        transfer, "SELECT EXISTS (SELECT FROM ~.subject) OR EXISTS (SELECT FROM ~.definition)",
        NULL, &result, err);
    if (st != ARVO_OK)
        return st;
    *out_full = arvo__pg_get_bool(result, 0, 0);
    pq.PQclear(result);
    return ARVO_OK;
}

static arvo_status
load_all(struct batch *batch, arvo_row_next next, void *user, arvo_error *err)
{
    bool is_full = false;
    arvo_status st = transfer_run(&batch->transfer, "BEGIN", NULL, NULL, err);
    /* Nobody else loads, or makes a subject, meanwhile. */
    if (st == ARVO_OK)
        st = transfer_run(
            &batch->transfer, "LOCK TABLE ~.subject IN SHARE ROW EXCLUSIVE MODE", NULL, NULL, err);
    if (st == ARVO_OK)
        st = load_refuse_full(&batch->transfer, &is_full, err);
    if (st == ARVO_OK && is_full)
        st = arvo__pg_fail(
            batch->transfer.store, ARVO_E_EXISTS, "load",
            "the store is not empty; load into a new schema (schema=NAME)", err);
    while (st == ARVO_OK) {
        const arvo_row *row = NULL;
        st = next(user, &row, err);
        if (st != ARVO_OK || row == NULL)
            break;
        st = load_row(batch, row, err);
    }
    if (st == ARVO_OK)
        st = arvo__load_check_end(&batch->check, err);
    return st == ARVO_OK ? batch_flush(batch, err) : st;
}

/* The connection was lost at the very end: is it there? */
static arvo_status
load_ask(struct transfer *transfer, arvo_error *err)
{
    bool is_full = false;
    transfer->connection->conn = arvo__pg_connect(transfer->store, transfer->what, err);
    if (transfer->connection->conn == NULL)
        return ARVO_E_IO;
    const arvo_status st = load_refuse_full(transfer, &is_full, err);
    if (st == ARVO_OK && !is_full)
        return arvo__pg_fail(
            transfer->store, ARVO_E_IO, transfer->what,
            "the connection was lost; nothing was loaded", err);
    return st;
}

arvo_status
arvo__pg_load(void *self, arvo_row_next next, void *user, arvo_error *err)
{
    struct postgres_store *store = self;
    struct batch *batch = arvo__calloc(store->allocator, 1, sizeof(*batch));
    if (batch == NULL)
        return arvo__nomem(err);
    batch->transfer = (struct transfer){ .store = store, .what = "load" };
    batch->arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    arvo_status st = batch->arena != NULL ? ARVO_OK : arvo__nomem(err);
    if (st == ARVO_OK)
        st = arvo__pg_take(store, "load", &batch->transfer.connection, err);
    if (st == ARVO_OK) {
        st = load_all(batch, next, user, err);
        if (st != ARVO_OK) {
            transfer_rollback(&batch->transfer);
        } else {
            st = transfer_run(&batch->transfer, "COMMIT", NULL, NULL, err);
            if (batch->transfer.connection->failure == PG_LOST)
                st = load_ask(&batch->transfer, err);
        }
        arvo__pg_give(store, batch->transfer.connection);
    }
    arvo_arena_free(batch->arena);
    arvo__free(store->allocator, batch, sizeof(*batch));
    return st;
}

#endif
