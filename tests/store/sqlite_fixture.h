/* A folder of its own per test with a store in it: what the tests of the SQLite store share. */
#ifndef ARVO_TESTS_SQLITE_FIXTURE_H
#define ARVO_TESTS_SQLITE_FIXTURE_H

#include "conformance.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arvo_config.h"

#ifdef ARVO_HAVE_SQLITE

#include "memory/sqlite.h"

#define SUBJECT     ARVO_STR("subject")
#define PATH_BYTES  512
#define KILL_ROUNDS 20
#define PER_PROCESS 200
#define NOBODY      65534

/* ---- Files ------------------------------------------------------------- */

static char folder[PATH_BYTES]; /* a fresh one per test */

static inline void
remove_files(void)
{
    static const char *const names[] = { "t.db", "t.db-wal", "t.db-shm", "t.db-lease",
                                         "t.db-journal" };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++) {
        char path[PATH_BYTES + 32];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
}

static inline int
setup_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof(folder), "%s/arvo-sqlite-XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static inline int
teardown_folder(void **state)
{
    (void)state;
    (void)chmod(folder, 0700);
    remove_files();
    return rmdir(folder);
}

static inline const char *
file_path(void)
{
    static char path[PATH_BYTES + 32];
    (void)snprintf(path, sizeof(path), "%s/t.db", folder);
    return path;
}

static inline const char *
file_url(const char *query)
{
    static char url[PATH_BYTES + 64];
    (void)snprintf(url, sizeof(url), "sqlite:%s%s", file_path(), query);
    return url;
}

static inline void
file_put(const char *text, size_t len)
{
    FILE *file = fopen(file_path(), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* SQL on the file, past the store. */
static inline void
file_sql(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static inline int64_t
file_number(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return number;
}

/* ---- Stores ------------------------------------------------------------ */

static inline arvo_status
open_fresh(void *user, const arvo_platform *platform, arvo_memory **out, arvo_error *err)
{
    (void)user;
    if (setup_folder(NULL) != 0)
        return ARVO_E_IO;
    return arvo_memory_open_with(file_url(user), platform, out, err);
}

static inline void
discard_fresh(void *user)
{
    (void)user;
    (void)teardown_folder(NULL);
}

static inline arvo_memory *
open_or_fail(const char *query)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(file_url(query), &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return memory;
}

static inline void
assert_refused(const char *query, arvo_status expected, const char *words)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_memory_open(file_url(query), &memory, &err);
    if (st != expected)
        fail_msg("%s, not %s: %s", arvo_status_name(st), arvo_status_name(expected), err.text);
    assert_null(memory);
    if (strstr(err.text, words) == NULL || strstr(err.text, "t.db") == NULL)
        fail_msg("\"%s\" lacks \"%s\" or the path", err.text, words);
    assert_null(strchr(err.text, '\n'));
}

static inline arvo_status
take(arvo_memory *memory, int64_t wait_ms, bool *out_acquired, arvo_lease *out, arvo_error *err)
{
    return arvo_memory_ops_of(memory)->lock(
        arvo_memory_self(memory), SUBJECT, 30000, wait_ms, out_acquired, out, err);
}

static inline uint64_t
revision_of(arvo_memory *memory)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record record = { 0 };
    bool is_found = false;
    arvo_error err = { 0 };
    assert_non_null(arena);
    assert_int_equal(
        arvo_memory_ops_of(memory)->read(
            arvo_memory_self(memory), SUBJECT, arena, &is_found, &record, &err),
        ARVO_OK);
    arvo_arena_free(arena);
    return is_found ? record.revision : 0;
}

/* One step of the subject: lock, read, commit {record, consumed "e-{n}", produced}, release. */
static inline arvo_status
step(arvo_memory *memory, uint64_t *out_revision, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_lease lease;
    bool is_acquired = false;
    arvo_status st = take(memory, 60000, &is_acquired, &lease, err);
    if (st != ARVO_OK || !is_acquired)
        return st != ARVO_OK ? st : ARVO_E_LOCK_DENIED;

    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record before = { 0 };
    bool is_found = false;
    st = ops->read(self, SUBJECT, arena, &is_found, &before, err);
    const uint64_t revision = is_found ? before.revision : 0;
    char id[32];
    (void)snprintf(id, sizeof(id), "e-%llu", (unsigned long long)revision + 1);
    const arvo_record record = store_record(SUBJECT);
    const arvo_stored_event in = store_event(id), out = store_event(id);
    const arvo_commit commit = { .subject = SUBJECT,
                                 .lease = &lease,
                                 .release = true,
                                 .record = &record,
                                 .previous_revision = revision,
                                 .consumed = &in,
                                 .produced = &out,
                                 .produced_count = 1,
                                 .definition_json = ARVO_STR("{\"id\":\"order\"}") };
    if (st == ARVO_OK)
        st = ops->commit(self, &commit, 1, err);
    arvo_arena_free(arena);
    if (st == ARVO_OK)
        *out_revision = revision + 1;
    return st;
}

#endif

#endif
