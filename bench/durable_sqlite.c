/* SQLite with synchronous=FULL, and a bare loop over it: an update by rowid and two inserts per
 * step, prepared once, nothing else. */

#include "arvo_config.h"

#include "durable.h"

#ifdef ARVO_HAVE_SQLITE

#include <stdio.h>
#include <string.h>

#include "memory/sqlite.h"

#define STORE_PATH "bench_durable.db"
#define FLOOR_PATH "bench_durable_floor.db"

static struct {
    sqlite3 *db;
    sqlite3_stmt *begin, *update, *insert, *commit;
    uint64_t random;
    size_t rounds;
} bare;

static bool
sqlite_is_there(const char **out_why)
{
    (void)out_why;
    return true;
}

static const char *
sqlite_fresh(void)
{
    bench_remove_store(STORE_PATH);
    return "sqlite:" STORE_PATH;
}

static void
sqlite_clean(void)
{
    bench_remove_store(STORE_PATH);
    bench_remove_store(FLOOR_PATH);
}

static void
bare_die(void)
{
    arvo_error err = { 0 };
    (void)snprintf(err.text, sizeof(err.text), "%s", sqlite3_errmsg(bare.db));
    durable_die("floor", &err);
}

static sqlite3_stmt *
bare_prepare(const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(bare.db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        bare_die();
    return stmt;
}

static void
bare_step(sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE || sqlite3_reset(stmt) != SQLITE_OK)
        bare_die();
}

static void
sqlite_floor_open(const struct durable_bytes *bytes, size_t rows)
{
    static const char setup[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32768;"
        "CREATE TABLE i (id INTEGER PRIMARY KEY, n INTEGER, state TEXT);"
        "CREATE TABLE e (seq INTEGER PRIMARY KEY, event TEXT)";
    bench_remove_store(FLOOR_PATH);
    if (sqlite3_open(FLOOR_PATH, &bare.db) != SQLITE_OK ||
        sqlite3_exec(bare.db, setup, NULL, NULL, NULL) != SQLITE_OK)
        bare_die();
    sqlite3_stmt *fill = bare_prepare("WITH RECURSIVE c (x) AS (SELECT 0 UNION ALL SELECT x + 1 "
                                      "FROM c WHERE x < ?1 - 1) INSERT INTO i SELECT x, 0, ?2 "
                                      "FROM c");
    (void)sqlite3_bind_int64(fill, 1, (sqlite3_int64)rows);
    const arvo_str state = bytes->states[0];
    (void)sqlite3_bind_text(fill, 2, state.ptr, (int)state.len, SQLITE_STATIC);
    bare_step(fill);
    (void)sqlite3_finalize(fill);
    bare.begin = bare_prepare("BEGIN IMMEDIATE");
    bare.update = bare_prepare("UPDATE i SET state = ?1, n = n + 1 WHERE id = ?2");
    bare.insert = bare_prepare("INSERT INTO e (event) VALUES (?1)");
    bare.commit = bare_prepare("COMMIT");
    bare.random = 88172645463325252u;
}

static void
bare_row(const struct durable_bytes *bytes, size_t rows)
{
    bare.random ^= bare.random << 13;
    bare.random ^= bare.random >> 7;
    bare.random ^= bare.random << 17;
    const arvo_str state = bytes->states[++bare.rounds % 2];
    (void)sqlite3_bind_text(bare.update, 1, state.ptr, (int)state.len, SQLITE_STATIC);
    (void)sqlite3_bind_int64(bare.update, 2, (sqlite3_int64)(bare.random % rows));
    bare_step(bare.update);
    for (int i = 0; i < 2; i++) {
        (void)sqlite3_bind_text(
            bare.insert, 1, bytes->event.ptr, (int)bytes->event.len, SQLITE_STATIC);
        bare_step(bare.insert);
    }
}

static void
sqlite_floor_run(
    const struct durable_bytes *bytes, size_t rows, size_t batch, size_t steps,
    int64_t *latencies_ns)
{
    for (size_t n = 0; n < steps; n += batch) {
        const int64_t start = bench_now_ns();
        bare_step(bare.begin);
        for (size_t i = 0; i < batch; i++)
            bare_row(bytes, rows);
        bare_step(bare.commit);
        if (latencies_ns != NULL)
            *latencies_ns++ = bench_now_ns() - start;
    }
}

static void
sqlite_floor_close(void)
{
    sqlite3_stmt *const stmts[] = { bare.begin, bare.update, bare.insert, bare.commit };
    for (size_t i = 0; i < ARVO_COUNT_OF(stmts); i++)
        (void)sqlite3_finalize(stmts[i]);
    (void)sqlite3_close(bare.db);
    memset(&bare, 0, sizeof(bare));
    bench_remove_store(FLOOR_PATH);
}

static void
sqlite_counts(arvo_memory *memory, uint64_t *out_commits, uint64_t *out_transactions)
{
    struct sqlite_store *store = arvo_memory_self(memory);
    *out_commits = atomic_load(&store->writer.commits);
    *out_transactions = atomic_load(&store->writer.transactions);
}

static void
sqlite_print_bytes(const char *url, size_t instances, size_t events)
{
    static const char sql[] =
        "SELECT name, sum(pgsize), sum(payload) FROM dbstat WHERE name NOT LIKE 'sqlite%' "
        "GROUP BY name HAVING sum(payload) > 1000 ORDER BY 2 DESC";
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_open(strchr(url, ':') + 1, &db) == SQLITE_OK &&
        sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(stmt, 0);
            const double bytes = sqlite3_column_double(stmt, 1);
            const bool is_event = strncmp(name, "event", 5) == 0 || strcmp(name, "outbox") == 0;
            printf(
                "  %-16s %8.0f bytes per %s, of them %.0f %% content\n", name,
                bytes / (double)(is_event ? events : instances), is_event ? "event" : "instance",
                100 * sqlite3_column_double(stmt, 2) / bytes);
        }
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

const struct durable_backend durable_sqlite = {
    .name = "sqlite",
    .is_there = sqlite_is_there,
    .fresh = sqlite_fresh,
    .clean = sqlite_clean,
    .floor_open = sqlite_floor_open,
    .floor_run = sqlite_floor_run,
    .floor_close = sqlite_floor_close,
    .counts = sqlite_counts,
    .print_bytes = sqlite_print_bytes,
    .limits = { { 1, 0.7 }, { 16, 0.7 }, { 128, 0.7 } },
};

#endif
