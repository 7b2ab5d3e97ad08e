/* Opening an SQLite file as an Arvo store: whose file it is, its schema, and
 * the steps from one version of the schema to the next.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_SQLITE

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/sqlite.h"

/* ---- Schema ------------------------------------------------------------ */

#define SCHEMA_RECORD_VIEW                                                                         \
    "CREATE VIEW record AS"                                                                        \
    " SELECT s.subject, i.parent_subject, i.orchestrator, i.version, i.status, i.value, i.state,"  \
    " i.last_error, i.input, i.definition, i.revision, i.fence, i.created_ms, i.updated_ms"        \
    " FROM instance i JOIN subject s ON s.id = i.id;"

#define SCHEMA_OUTBOX                                                                              \
    "CREATE TABLE outbox ("                                                                        \
    " seq INTEGER PRIMARY KEY REFERENCES event (seq),"                                             \
    " subject_id INTEGER NOT NULL,"                                                                \
    " head_ms INTEGER,"                                                                            \
    " due_ms INTEGER NOT NULL DEFAULT 0,"                                                          \
    " claimed_ms INTEGER NOT NULL DEFAULT 0,"                                                      \
    " attempts INTEGER NOT NULL DEFAULT 0,"                                                        \
    " token BLOB,"                                                                                 \
    " error TEXT"                                                                                  \
    ") STRICT;"                                                                                    \
    "CREATE INDEX outbox_subject ON outbox (subject_id, seq);"                                     \
    "CREATE INDEX outbox_head ON outbox (head_ms, seq) WHERE head_ms IS NOT NULL;"                 \
    "CREATE INDEX outbox_token ON outbox (token) WHERE token IS NOT NULL;"                         \
    "CREATE TABLE dead ("                                                                          \
    " seq INTEGER PRIMARY KEY REFERENCES event (seq),"                                             \
    " subject_id INTEGER NOT NULL,"                                                                \
    " attempts INTEGER NOT NULL,"                                                                  \
    " since_ms INTEGER NOT NULL,"                                                                  \
    " error TEXT"                                                                                  \
    ") STRICT;"                                                                                    \
    "CREATE INDEX dead_subject ON dead (subject_id);"

static const char schema[] =
    "CREATE TABLE subject ("
    " id INTEGER PRIMARY KEY,"
    " hash INTEGER NOT NULL,"
    " subject TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX subject_hash ON subject (hash);"
    "CREATE TABLE instance ("
    " id INTEGER PRIMARY KEY REFERENCES subject (id),"
    " revision INTEGER NOT NULL,"
    " fence INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " status TEXT NOT NULL,"
    " orchestrator TEXT NOT NULL,"
    " version TEXT NOT NULL,"
    " definition TEXT,"
    " parent_subject TEXT,"
    " value TEXT,"
    " last_error TEXT,"
    " input TEXT,"
    " state TEXT"
    ") STRICT;"
    "CREATE INDEX instance_status ON instance (status);"
    "CREATE TABLE definition ("
    " hash TEXT NOT NULL PRIMARY KEY,"
    " document TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE event ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " subject_id INTEGER NOT NULL REFERENCES subject (id),"
    " direction INTEGER NOT NULL,"
    " cause INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL,"
    " id TEXT NOT NULL,"
    " source TEXT NOT NULL,"
    " type TEXT NOT NULL,"
    " domains TEXT NOT NULL,"
    " event TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX event_subject ON event (subject_id, direction, source, id);" SCHEMA_OUTBOX
    "CREATE TABLE store (newest_fence INTEGER NOT NULL, hash_seed INTEGER NOT NULL) STRICT;"
    "INSERT INTO store (newest_fence, hash_seed) VALUES (0, random());" SCHEMA_RECORD_VIEW;

/* Subjects are found by a hash: a key of 340 bytes makes an index with twelve to a page. Leases
 * moved to PATH-lease. Rows of the outbox learn whose they are, and who delivers them. */
static const char from_v1[] =
    "CREATE TABLE store (newest_fence INTEGER NOT NULL, hash_seed INTEGER NOT NULL) STRICT;"
    "INSERT INTO store (newest_fence, hash_seed) SELECT newest, random() FROM fence;"
    "DROP TABLE fence;"
    "DROP TABLE lease;"
    "DROP VIEW record;"
    "CREATE TABLE subject_v2 ("
    " id INTEGER PRIMARY KEY,"
    " hash INTEGER NOT NULL,"
    " subject TEXT NOT NULL"
    ") STRICT;"
    "INSERT INTO subject_v2 (id, hash, subject)"
    " SELECT id, arvo_hash(subject, (SELECT hash_seed FROM store)), subject FROM subject"
    " ORDER BY id;"
    "DROP TABLE subject;"
    "ALTER TABLE subject_v2 RENAME TO subject;"
    "CREATE INDEX subject_hash ON subject (hash);"
    "ALTER TABLE outbox RENAME TO outbox_v1;" SCHEMA_OUTBOX
    "INSERT INTO outbox (seq, subject_id, head_ms)"
    " SELECT o.seq, e.subject_id, CASE WHEN"
    " row_number() OVER (PARTITION BY e.subject_id ORDER BY o.seq) = 1 THEN 0 END"
    " FROM outbox_v1 o JOIN event e ON e.seq = o.seq;"
    "DROP TABLE outbox_v1;" SCHEMA_RECORD_VIEW;

const struct sqlite_migration arvo__sqlite_migrations[] = {
    { 0, 2, schema },
    { 1, 2, from_v1 },
    { 0, 0, NULL },
};

/* ---- Small things ------------------------------------------------------ */

static bool
query_int(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    bool is_good = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
                   sqlite3_step(stmt) == SQLITE_ROW;
    if (is_good)
        *out = sqlite3_column_int64(stmt, 0);
    return sqlite3_finalize(stmt) == SQLITE_OK && is_good;
}

static bool
run_sql(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* arvo_hash(text, seed), for migrations. */
static void
sql_hash(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    if (text == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    const uint64_t hash = arvo__hash(
        text, (size_t)sqlite3_value_bytes(values[0]), (uint64_t)sqlite3_value_int64(values[1]));
    sqlite3_result_int64(context, (sqlite3_int64)hash);
}

/* ---- Migration --------------------------------------------------------- */

static arvo_status
migrate_fail(sqlite3 *db, const char *path, int version, arvo_error *err)
{
    return arvo__fail(
        err, (sqlite3_errcode(db) & 0xff) == SQLITE_NOMEM ? ARVO_E_NOMEM : ARVO_E_IO,
        "%s: the step from schema version %d failed: %s; nothing was changed", path, version,
        sqlite3_errmsg(db));
}

static arvo_status
migrate_step(
    sqlite3 *db, const char *path, const struct sqlite_migration *migrations, int *version,
    arvo_error *err)
{
    const struct sqlite_migration *step = migrations;
    while (step->to_version != 0 && step->from_version != *version)
        step++;
    if (step->to_version == 0)
        return arvo__fail(
            err, ARVO_E_VERSION, "%s: there is no way from schema version %d to a newer one", path,
            *version);
    char pragma[64];
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", step->to_version);
    if (!run_sql(db, step->sql) || !run_sql(db, pragma))
        return migrate_fail(db, path, *version, err);
    *version = step->to_version;
    return ARVO_OK;
}

arvo_status
arvo__sqlite_migrate(
    sqlite3 *db, const char *path, const struct sqlite_migration *migrations, int target,
    arvo_error *err)
{
    char pragma[64];
    int64_t stored = 0;
    arvo_status st = ARVO_OK;

    (void)snprintf(pragma, sizeof(pragma), "PRAGMA application_id=%d", SQL_APPLICATION_ID);
    /* The version is read within the transaction: another process may be doing the same. */
    if (sqlite3_create_function_v2(
            db, "arvo_hash", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_hash, NULL, NULL,
            NULL) != SQLITE_OK ||
        !run_sql(db, "BEGIN IMMEDIATE") || !query_int(db, "PRAGMA user_version", &stored) ||
        !run_sql(db, pragma))
        st = migrate_fail(db, path, (int)stored, err);
    int version = (int)stored;
    while (st == ARVO_OK && version < target)
        st = migrate_step(db, path, migrations, &version, err);
    if (st == ARVO_OK && !run_sql(db, "COMMIT"))
        st = migrate_fail(db, path, version, err);
    if (st != ARVO_OK && sqlite3_get_autocommit(db) == 0)
        (void)run_sql(db, "ROLLBACK");
    return st;
}

static arvo_status
migrate(struct sqlite_store *store, arvo_error *err)
{
    sqlite3 *db = store->writer.conn.db;
    int64_t before = 0;
    (void)query_int(db, "PRAGMA user_version", &before);
    const arvo_status st =
        arvo__sqlite_migrate(db, store->path, arvo__sqlite_migrations, SQL_SCHEMA_VERSION, err);
    if (st == ARVO_OK && before > 0 && before < SQL_SCHEMA_VERSION)
        arvo__memory_log(
            store->platform, ARVO_LOG_INFO, "%s: schema version %d became %d", store->path,
            (int)before, SQL_SCHEMA_VERSION);
    return st;
}

/* ---- Whose file it is -------------------------------------------------- */

arvo_status
arvo__sqlite_open_fail(const struct sqlite_conn *conn, arvo_error *err)
{
    const struct sqlite_store *store = conn->store;
    const int code = sqlite3_errcode(conn->db) & 0xff;
    if (code == SQLITE_NOTADB)
        return arvo__fail(
            err, ARVO_E_CORRUPT,
            "%s: this is not an SQLite database; use another path, or restore the file from a "
            "backup",
            store->path);
    if (code == SQLITE_CANTOPEN)
        return arvo__fail(
            err, ARVO_E_IO,
            "%s: cannot be opened (%s); SQLite needs to read the file and to write in its folder",
            store->path, strerror(sqlite3_system_errno(conn->db)));
    return arvo__sqlite_fail(conn, "open", err);
}

static arvo_status
check_identity(struct sqlite_store *store, bool *out_is_new, arvo_error *err)
{
    int64_t application = 0, version = 0, objects = 0;

    /* In one transaction: another process may be creating the store just now. */
    if (!run_sql(store->writer.conn.db, "BEGIN") ||
        !query_int(store->writer.conn.db, "PRAGMA application_id", &application) ||
        !query_int(store->writer.conn.db, "PRAGMA user_version", &version) ||
        !query_int(store->writer.conn.db, "SELECT count(*) FROM sqlite_master", &objects) ||
        !run_sql(store->writer.conn.db, "COMMIT"))
        return arvo__sqlite_open_fail(&store->writer.conn, err);
    *out_is_new = application == 0 && version == 0 && objects == 0;
    if (*out_is_new && store->is_read_only)
        return arvo__fail(
            err, ARVO_E_CORRUPT, "%s: the file is empty, and mode=ro cannot make a store of it",
            store->path);
    if (!*out_is_new && application != SQL_APPLICATION_ID)
        return arvo__fail(
            err, ARVO_E_CORRUPT,
            "%s: this SQLite database belongs to another program (application_id %lld); use "
            "another path",
            store->path, (long long)application);
    if (version > SQL_SCHEMA_VERSION)
        return arvo__fail(
            err, ARVO_E_VERSION,
            "%s: the store has schema version %lld, this Arvo knows up to %d: use a newer Arvo",
            store->path, (long long)version, SQL_SCHEMA_VERSION);
    if (store->is_read_only && version < SQL_SCHEMA_VERSION)
        return arvo__fail(
            err, ARVO_E_VERSION,
            "%s: the store has schema version %lld, which mode=ro cannot bring up to date: say "
            "\"arvo store migrate sqlite:PATH\", or open it once without mode=ro",
            store->path, (long long)version);
    return ARVO_OK;
}

/* Write-ahead log: readers do not wait, and a commit is one fsync. The change of mode needs the
 * file for itself for a moment and does not ask the busy handler. */
static arvo_status
set_wal(struct sqlite_store *store, arvo_error *err)
{
    for (int count = 0;; count++) {
        sqlite3_stmt *stmt = NULL;
        int code =
            sqlite3_prepare_v2(store->writer.conn.db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_step(stmt);
        const bool is_wal = code == SQLITE_ROW &&
                            sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
        (void)sqlite3_finalize(stmt);
        if (is_wal)
            return ARVO_OK;
        if (code == SQLITE_ROW)
            return arvo__fail(
                err, ARVO_E_IO,
                "%s: the file system cannot hold a write-ahead log; use a local disk", store->path);
        if ((code & 0xff) != SQLITE_BUSY || arvo__sqlite_busy(NULL, count) == 0)
            return arvo__sqlite_open_fail(&store->writer.conn, err);
    }
}

/* The tables are there; asked before anything relies on it. */
static arvo_status
check_schema(struct sqlite_store *store, arvo_error *err)
{
    static const enum sqlite_statement probes[] = { SQL_RECORD_READ, SQL_OUTBOX_LIST, SQL_STORE_GET,
                                                    SQL_INBOX_FIND };
    for (size_t i = 0; i < ARVO_COUNT_OF(probes); i++) {
        if (arvo__sqlite_get(&store->writer.conn, probes[i]) == NULL)
            return arvo__sqlite_fail(&store->writer.conn, "open", err);
    }
    return ARVO_OK;
}

/* ---- Opening ----------------------------------------------------------- */

/* SQLite says "unable to open database file" to all of these. */
static arvo_status
check_path(const struct sqlite_store *store, arvo_error *err)
{
    char folder[SQL_PATH_BYTES_MAX];
    struct stat info;

    (void)snprintf(folder, sizeof(folder), "%s", store->path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        (void)snprintf(folder, sizeof(folder), ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';

    if (stat(folder, &info) != 0)
        return arvo__fail(
            err, ARVO_E_IO, "%s: the folder \"%s\" cannot be used (%s); create it first",
            store->path, folder, strerror(errno));
    const bool is_there = stat(store->path, &info) == 0;
    if (is_there && S_ISDIR(info.st_mode))
        return arvo__fail(err, ARVO_E_IO, "%s: this is a folder; name a file in it", store->path);
    if (!is_there && store->is_read_only)
        return arvo__fail(
            err, ARVO_E_IO, "%s: there is no such file, and mode=ro does not create one",
            store->path);
    if (!store->is_read_only && access(folder, W_OK) != 0)
        return arvo__fail(
            err, ARVO_E_IO,
            "%s: the folder \"%s\" is not writable (%s); change its permissions or use another "
            "path",
            store->path, folder, strerror(errno));
    if (is_there && !store->is_read_only && access(store->path, W_OK) != 0)
        return arvo__fail(
            err, ARVO_E_IO,
            "%s: the file is not writable (%s); change its permissions, or open it with mode=ro",
            store->path, strerror(errno));
    return ARVO_OK;
}

static arvo_status
set_options(struct sqlite_store *store, int64_t pages, arvo_error *err)
{
    if (!run_sql(store->writer.conn.db, SQL_WRITER_OPTIONS))
        return arvo__sqlite_open_fail(&store->writer.conn, err);
    store->writer.sync_now = SQL_SYNC_FULL;
    if (pages > 0) {
        char pragma[64];
        (void)snprintf(pragma, sizeof(pragma), "PRAGMA max_page_count=%lld", (long long)pages);
        if (!run_sql(store->writer.conn.db, pragma))
            return arvo__sqlite_open_fail(&store->writer.conn, err);
    }
    return ARVO_OK;
}

/* What the file says of itself once. */
static arvo_status
read_settings(struct sqlite_store *store, uint64_t *out_newest_fence, arvo_error *err)
{
    struct sqlite_conn *conn = &store->writer.conn;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_STORE_GET);
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    if (code == SQLITE_ROW) {
        const int64_t newest = sqlite3_column_int64(stmt, 0);
        *out_newest_fence = newest > 0 ? (uint64_t)newest : 0;
        store->hash_seed = (uint64_t)sqlite3_column_int64(stmt, 1);
    } else if (code == SQLITE_DONE) {
        st = arvo__fail(
            err, ARVO_E_CORRUPT,
            "%s: the row of table store is missing; restore the file from a "
            "backup",
            store->path);
    } else {
        st = arvo__sqlite_fail(conn, "open", err);
    }
    (void)sqlite3_reset(stmt);
    return st;
}

arvo_status
arvo__sqlite_open_file(struct sqlite_store *store, int64_t pages, arvo_error *err)
{
    bool is_new = false;
    arvo_status st = check_path(store, err);
    if (st != ARVO_OK)
        return st;
    st = arvo__sqlite_conn_open(store, &store->writer.conn, store->is_read_only, err);
    if (st != ARVO_OK)
        return st;

    /* Nothing is written before the file is known to be Arvo's, or empty. */
    st = check_identity(store, &is_new, err);
    if (st == ARVO_OK)
        st = set_options(store, pages, err);
    if (st == ARVO_OK && !store->is_read_only)
        st = set_wal(store, err);
    if (st == ARVO_OK && !store->is_read_only)
        st = migrate(store, err);
    if (st == ARVO_OK)
        st = check_schema(store, err);
    if (st == ARVO_OK && !store->is_read_only)
        arvo__sqlite_checkpoint_attach(store);
    uint64_t newest_fence = 0;
    if (st == ARVO_OK)
        st = read_settings(store, &newest_fence, err);
    if (st == ARVO_OK && !store->is_read_only)
        st = arvo__sqlite_shared_open(store, newest_fence, err);
    return st;
}

#endif
