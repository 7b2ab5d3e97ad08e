/* Looking after the SQLite store: numbers, deleting what is over, finding damage. */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "memory/sqlite.h"

#define CHECK_FINDINGS_MAX 100 /* of SQLite's own check */

/* ---- Numbers ----------------------------------------------------------- */

static bool
stats_status(struct sqlite_conn *conn, arvo_memory_stats *stats)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_STATS_STATUS);
    int code = arvo__sqlite_step(stmt);
    for (; code == SQLITE_ROW; code = arvo__sqlite_step(stmt)) {
        const arvo_str status = arvo__sqlite_column_str(stmt, 0);
        const uint64_t count = (uint64_t)sqlite3_column_int64(stmt, 1);
        if (arvo_str_is(status, "done"))
            stats->done += count;
        else if (arvo_str_is(status, "error"))
            stats->error += count;
        else
            stats->active += count;
    }
    (void)sqlite3_reset(stmt);
    return code == SQLITE_DONE;
}

/* Up to three numbers of one row. */
static bool
stats_row(struct sqlite_conn *conn, enum sqlite_statement id, int64_t now, int64_t *out, int count)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, id);
    if (stmt == NULL ||
        (sqlite3_bind_parameter_count(stmt) > 0 && !arvo__sqlite_bind_ints(stmt, 1, &now, 1)))
        return false;
    const bool is_row = arvo__sqlite_step(stmt) == SQLITE_ROW;
    for (int i = 0; is_row && i < count; i++)
        out[i] = sqlite3_column_int64(stmt, i);
    (void)sqlite3_reset(stmt);
    return is_row;
}

static uint64_t
stats_bytes(const struct sqlite_store *store)
{
    uint64_t bytes = 0;
    static const char *const suffixes[] = { "", "-wal" };
    for (size_t i = 0; i < ARVO_COUNT_OF(suffixes); i++) {
        char path[SQL_PATH_BYTES_MAX + 8];
        struct stat info;
        (void)snprintf(path, sizeof(path), "%s%s", store->path, suffixes[i]);
        if (stat(path, &info) == 0)
            bytes += (uint64_t)info.st_size;
    }
    return bytes;
}

static arvo_status
stats_read(struct sqlite_conn *conn, arvo_memory_stats *stats, arvo_error *err)
{
    int64_t outbox[3] = { 0 }, dead[2] = { 0 };
    if (!stats_status(conn, stats) ||
        !stats_row(conn, SQL_STATS_OUTBOX, stats->now_ms, outbox, 3) ||
        !stats_row(conn, SQL_STATS_DEAD, 0, dead, 2))
        return arvo__sqlite_fail(conn, "stats", err);
    stats->outbox = (uint64_t)outbox[0];
    stats->outbox_claimed = (uint64_t)outbox[1];
    stats->outbox_oldest_ms = outbox[2];
    stats->dead = (uint64_t)dead[0];
    stats->dead_oldest_ms = dead[1];
    return ARVO_OK;
}

arvo_status
arvo__sqlite_stats(void *self, arvo_memory_stats *out, arvo_error *err)
{
    struct sqlite_store *store = self;
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st != ARVO_OK)
        return st;
    arvo_memory_stats stats = {
        .now_ms = store->platform->time_ms(store->platform->self),
        .schema_version = SQL_SCHEMA_VERSION,
        .events = UINT64_MAX, /* to count them reads their whole index */
        .leases = UINT64_MAX, /* in mode=ro they are not looked at */
        .leases_expired = UINT64_MAX,
        .bytes = stats_bytes(store),
        .commits = atomic_load_explicit(&store->writer.commits, memory_order_relaxed),
        .transactions = atomic_load_explicit(&store->writer.transactions, memory_order_relaxed),
    };
    st = stats_read(conn, &stats, err);
    arvo__sqlite_reader_give(store, conn);
    if (st == ARVO_OK && store->shared != NULL)
        st = arvo__sqlite_shared_count(store, &stats.leases, &stats.leases_expired, err);
    if (st == ARVO_OK)
        *out = stats;
    return st;
}

/* ---- Deleting ---------------------------------------------------------- */

/* Instances that are over, found beside the writer; they are looked at again before they go. */
struct purge_batch {
    const arvo_purge *purge;
    arvo_str status;
    int64_t *ids;
    size_t count, cap;
    size_t deleted;
    uint64_t events;
};

static bool
purge_bind(sqlite3_stmt *stmt, const struct purge_batch *batch)
{
    return stmt != NULL && arvo__sqlite_bind_str(stmt, 1, batch->status) &&
           sqlite3_bind_int64(stmt, 2, batch->purge->before_ms) == SQLITE_OK;
}

/* In mode=ro leases are not looked at: a count may be too large by them. */
static bool
purge_is_held(struct sqlite_store *store, sqlite3_stmt *stmt, int column)
{
    return store->shared != NULL &&
           arvo__sqlite_shared_is_held(store, arvo__sqlite_column_str(stmt, column));
}

/* How many events of an instance there are. */
static bool
purge_count_events(struct sqlite_conn *conn, int64_t id, uint64_t *out)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_PURGE_COUNT);
    const bool is_row =
        arvo__sqlite_bind_ints(stmt, 1, &id, 1) && arvo__sqlite_step(stmt) == SQLITE_ROW;
    if (is_row)
        *out += (uint64_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return is_row;
}

/* Up to `left`, and one behind them that tells that there are more; ids only as far as there is
 * room for them. */
static arvo_status
purge_find(
    struct sqlite_store *store, struct purge_batch *batch, size_t left, size_t *out_found,
    arvo_error *err)
{
    const size_t max = left < SIZE_MAX ? left + 1 : SIZE_MAX;
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st != ARVO_OK)
        return st;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_PURGE_FIND);
    int code = SQLITE_ERROR;
    *out_found = 0;
    if (purge_bind(stmt, batch) && arvo__sqlite_bind_str(stmt, 3, batch->purge->orchestrator))
        code = arvo__sqlite_step(stmt);
    for (; code == SQLITE_ROW && *out_found < max; code = arvo__sqlite_step(stmt)) {
        const int64_t id = sqlite3_column_int64(stmt, 0);
        if (purge_is_held(store, stmt, 1))
            continue;
        if (batch->count < batch->cap)
            batch->ids[batch->count++] = id;
        if (batch->purge->is_dry && *out_found < left &&
            !purge_count_events(conn, id, &batch->events))
            break;
        ++*out_found;
    }
    if (code != SQLITE_DONE && *out_found < max)
        st = arvo__sqlite_fail(conn, "purge", err);
    if (stmt != NULL)
        (void)sqlite3_reset(stmt);
    arvo__sqlite_reader_give(store, conn);
    return st;
}

static bool
purge_delete(struct sqlite_conn *conn, int64_t id, uint64_t *events)
{
    static const enum sqlite_statement steps[] = { SQL_PURGE_EVENTS, SQL_PURGE_INSTANCE,
                                                   SQL_PURGE_SUBJECT };
    for (size_t i = 0; i < ARVO_COUNT_OF(steps); i++) {
        sqlite3_stmt *stmt = arvo__sqlite_get(conn, steps[i]);
        if (!arvo__sqlite_bind_ints(stmt, 1, &id, 1) || !arvo__sqlite_run(stmt))
            return false;
        if (steps[i] == SQL_PURGE_EVENTS)
            *events += (uint64_t)sqlite3_changes(conn->db);
    }
    return true;
}

static arvo_status
purge_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    struct purge_batch *batch = context;
    batch->deleted = 0;
    batch->events = 0;
    for (size_t i = 0; i < batch->count; i++) {
        sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_PURGE_STILL);
        if (!purge_bind(stmt, batch) || sqlite3_bind_int64(stmt, 3, batch->ids[i]) != SQLITE_OK)
            return arvo__sqlite_fail(conn, "purge", err);
        const int code = arvo__sqlite_step(stmt);
        const bool is_held = code == SQLITE_ROW && purge_is_held(conn->store, stmt, 0);
        if (code == SQLITE_ROW && !is_held)
            arvo__sqlite_stamp_change(conn->store, arvo__sqlite_column_str(stmt, 0));
        (void)sqlite3_reset(stmt);
        if (code == SQLITE_DONE || is_held)
            continue; /* it has moved meanwhile */
        if (code != SQLITE_ROW || !purge_delete(conn, batch->ids[i], &batch->events))
            return arvo__sqlite_fail(conn, "purge", err);
        batch->deleted++;
    }
    return ARVO_OK;
}

/* Of one status, as far as the limit allows. */
static arvo_status
purge_status(
    struct sqlite_store *store, struct purge_batch *batch, size_t limit, arvo_purged *purged,
    arvo_error *err)
{
    size_t found = 0;
    const size_t left = limit - (size_t)purged->instances;
    batch->count = 0;
    batch->events = 0;
    arvo_status st = purge_find(store, batch, left, &found, err);
    if (st != ARVO_OK)
        return st;
    if (found > left)
        purged->is_more = true;
    if (batch->purge->is_dry) {
        purged->instances += found < left ? found : left;
        purged->events += batch->events;
        return ARVO_OK;
    }
    batch->count = batch->count < left ? batch->count : left;
    if (batch->count == 0)
        return ARVO_OK;
    struct sqlite_job job = { .run = purge_run, .context = batch, .what = "purge" };
    st = arvo__sqlite_job(store, &job, err);
    if (st == ARVO_OK) {
        purged->instances += batch->deleted;
        purged->events += batch->events;
    }
    return st;
}

#define PURGE_IDS_MAX                                                                              \
    ((size_t)100000) /* more than any limit that makes sense in one transaction                    \
                      */

arvo_status
arvo__sqlite_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err)
{
    struct sqlite_store *store = self;
    const arvo_str both[] = { ARVO_STR("done"), ARVO_STR("error") };
    const size_t asked = purge->limit != 0 ? purge->limit : ARVO_PURGE_LIMIT_DEFAULT;
    const size_t limit = purge->is_dry || asked < PURGE_IDS_MAX ? asked : PURGE_IDS_MAX;
    arvo_purged purged = { 0 };
    arvo_status st = ARVO_OK;
    if (!purge->is_dry)
        st = arvo__sqlite_refuse_read_only(store, "purge", err);
    if (st != ARVO_OK)
        return st;

    struct purge_batch batch = { .purge = purge, .cap = purge->is_dry ? 0 : limit + 1 };
    if (batch.cap > 0)
        batch.ids = arvo__alloc(store->allocator, batch.cap * sizeof(batch.ids[0]));
    if (batch.cap > 0 && batch.ids == NULL)
        return arvo__nomem(err);
    const size_t status_count = purge->status.ptr != NULL ? 1 : ARVO_COUNT_OF(both);
    for (size_t i = 0; st == ARVO_OK && i < status_count && !purged.is_more; i++) {
        batch.status = purge->status.ptr != NULL ? purge->status : both[i];
        st = purge_status(store, &batch, limit, &purged, err);
    }
    if (batch.ids != NULL)
        arvo__free(store->allocator, batch.ids, batch.cap * sizeof(batch.ids[0]));
    if (st == ARVO_OK)
        *out = purged;
    return st;
}

/* ---- Finding damage ---------------------------------------------------- */

/* Each gives (where, what), one row per finding. */
static const struct check_query {
    const char *sql;
} check_queries[] = {
    { "SELECT 'file', 'SQLite: ' || integrity_check FROM pragma_integrity_check(100) "
      "WHERE integrity_check <> 'ok'" },
    { "SELECT \"table\" || ' row ' || coalesce(rowid, '?'), 'refers to a row of ' || parent || "
      "' that is not there' FROM pragma_foreign_key_check LIMIT 100" },
    { "SELECT 'outbox row ' || o.seq, 'stands under another subject than its event' FROM outbox o "
      "JOIN event e ON e.seq = o.seq WHERE e.subject_id <> o.subject_id LIMIT 100" },
    { "SELECT 'outbox row ' || seq, 'is the oldest of its subject and cannot be claimed (head_ms "
      "is null)' FROM outbox o WHERE head_ms IS NULL AND NOT EXISTS (SELECT 1 FROM outbox p "
      "WHERE p.subject_id = o.subject_id AND p.seq < o.seq) LIMIT 100" },
    { "SELECT 'outbox row ' || seq, 'can be claimed in front of an older one of its subject "
      "(head_ms is not null)' FROM outbox o WHERE head_ms IS NOT NULL AND EXISTS (SELECT 1 FROM "
      "outbox p WHERE p.subject_id = o.subject_id AND p.seq < o.seq) LIMIT 100" },
    { "SELECT 'outbox row ' || seq, 'its claim has a token without a time, or a time without a "
      "token' FROM outbox WHERE (token IS NULL) <> (claimed_ms = 0) LIMIT 100" },
    { "SELECT 'dead letter ' || seq, 'is in the outbox too' FROM dead WHERE seq IN (SELECT seq "
      "FROM "
      "outbox) LIMIT 100" },
    { "SELECT 'store', 'has ' || count(*) || ' rows, not one' FROM store HAVING count(*) <> 1" },
    { "SELECT 'subject ' || a.subject, 'is there twice' FROM subject a JOIN subject b "
      "ON b.hash = a.hash AND b.subject = a.subject AND b.id > a.id LIMIT 100" },
};

static arvo_status
check_run(
    struct sqlite_conn *conn, const char *sql, bool *go_on, arvo_finding_fn each, void *user,
    arvo_error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return arvo__sqlite_fail(conn, "check", err);
    int code = sqlite3_step(stmt);
    for (int i = 0; code == SQLITE_ROW && *go_on && i < CHECK_FINDINGS_MAX; i++) {
        *go_on = each(user, arvo__sqlite_column_str(stmt, 0), arvo__sqlite_column_str(stmt, 1));
        code = sqlite3_step(stmt);
    }
    arvo_status st = ARVO_OK;
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        st = arvo__sqlite_fail(conn, "check", err);
    (void)sqlite3_finalize(stmt);
    return st;
}

/* On a connection of its own: it takes long, and `each` may call the store. */
arvo_status
arvo__sqlite_check(void *self, arvo_finding_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    struct sqlite_conn conn = { 0 };
    bool go_on = true;
    arvo_status st = arvo__sqlite_conn_open(store, &conn, true, err);
    for (size_t i = 0; st == ARVO_OK && go_on && i < ARVO_COUNT_OF(check_queries); i++) {
        st = check_run(&conn, check_queries[i].sql, &go_on, each, user, err);
        /* What SQLite calls corrupt is a finding; nothing behind it can be relied on. */
        if (st == ARVO_E_CORRUPT) {
            char what[ARVO_ERROR_TEXT_BYTES_MAX];
            (void)snprintf(what, sizeof(what), "SQLite: %s", sqlite3_errmsg(conn.db));
            (void)each(user, ARVO_STR("file"), arvo_str_from(what));
            go_on = false;
            st = ARVO_OK;
        }
    }
    arvo__sqlite_conn_close(&conn);
    return st;
}

#endif
