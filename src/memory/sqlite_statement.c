/* Statements of the SQLite store: preparing, binding, and errors as one line.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_SQLITE

#include <errno.h>
#include <string.h>

#include "memory/sqlite.h"

static const char *const sqlite_texts[SQL_COUNT] = {
#define SQL_STATEMENT_TEXT(name, sql) [SQL_##name] = sql,
    SQL_STATEMENTS(SQL_STATEMENT_TEXT)
#undef SQL_STATEMENT_TEXT
};

/* ---- Errors ------------------------------------------------------------ */

static arvo_status
sqlite_fail_io(const struct sqlite_conn *conn, const char *what, int code, arvo_error *err)
{
    const struct sqlite_store *store = conn->store;
    /* SQLite does not note why a COMMIT could not write; errno still says. */
    const int system_now = errno;
    const int noted = sqlite3_system_errno(conn->db);
    const int system = noted == 0 && code == SQLITE_IOERR ? system_now : noted;
    if (code == SQLITE_FULL || system == ENOSPC || system == EFBIG || system == EDQUOT)
        return arvo__fail(
            err, ARVO_E_IO,
            "%s: %s: the disk is full or the file has reached its limit; nothing was written; "
            "make room and do it again",
            store->path, what);
    if (code == SQLITE_READONLY || code == SQLITE_PERM)
        return arvo__fail(
            err, ARVO_E_IO,
            "%s: %s: the file or its folder is read-only; nothing was written; change its "
            "permissions or use another path",
            store->path, what);
    if (system != 0)
        return arvo__fail(
            err, ARVO_E_IO, "%s: %s: %s (%s); nothing was written", store->path, what,
            sqlite3_errmsg(conn->db), strerror(system));
    return arvo__fail(
        err, ARVO_E_IO, "%s: %s: %s; nothing was written", store->path, what,
        sqlite3_errmsg(conn->db));
}

arvo_status
arvo__sqlite_fail(const struct sqlite_conn *conn, const char *what, arvo_error *err)
{
    const struct sqlite_store *store = conn->store;
    const int code = sqlite3_errcode(conn->db) & 0xff;
    switch (code) {
    case SQLITE_NOMEM:
        return arvo__nomem(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return arvo__fail(
            err, ARVO_E_TIMEOUT,
            "%s: %s: another process has kept the file locked for %d ms; do it again later, or "
            "stop that process",
            store->path, what, SQL_BUSY_MS);
    case SQLITE_TOOBIG:
        return arvo__fail(
            err, ARVO_E_TOO_BIG, "%s: %s: a value is larger than SQLite's limit", store->path,
            what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return arvo__fail(
            err, ARVO_E_CORRUPT, "%s: %s: the file is damaged (%s); restore it from a backup",
            store->path, what, sqlite3_errmsg(conn->db));
    case SQLITE_ERROR:
        /* The statements are fixed, so what they do not find is missing in the file. */
        return arvo__fail(
            err, ARVO_E_CORRUPT, "%s: %s: the file is not a whole Arvo store (%s)", store->path,
            what, sqlite3_errmsg(conn->db));
    default:
        return sqlite_fail_io(conn, what, code, err);
    }
}

arvo_status
arvo__sqlite_refuse_read_only(const struct sqlite_store *store, const char *what, arvo_error *err)
{
    if (!store->is_read_only)
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED, "%s: %s: the store was opened with mode=ro", store->path, what);
}

/* ---- Statements -------------------------------------------------------- */

sqlite3_stmt *
arvo__sqlite_get(struct sqlite_conn *conn, enum sqlite_statement id)
{
    if (conn->statements[id] == NULL)
        (void)sqlite3_prepare_v3(
            conn->db, sqlite_texts[id], -1, SQLITE_PREPARE_PERSISTENT, &conn->statements[id], NULL);
    return conn->statements[id];
}

bool
arvo__sqlite_bind_str(sqlite3_stmt *stmt, int index, arvo_str text)
{
    if (text.ptr == NULL)
        return sqlite3_bind_null(stmt, index) == SQLITE_OK;
    /* Borrowed until the statement is reset, which happens before the call returns. */
    return sqlite3_bind_text64(
               stmt, index, text.ptr, (sqlite3_uint64)text.len, SQLITE_STATIC, SQLITE_UTF8) ==
           SQLITE_OK;
}

bool
arvo__sqlite_bind_subject(struct sqlite_conn *conn, sqlite3_stmt *stmt, arvo_str subject)
{
    const uint64_t hash = arvo__hash(subject.ptr, subject.len, conn->store->hash_seed);
    return sqlite3_bind_int64(stmt, 1, (sqlite3_int64)hash) == SQLITE_OK &&
           arvo__sqlite_bind_str(stmt, 2, subject);
}

bool
arvo__sqlite_bind_strs(sqlite3_stmt *stmt, int first, const arvo_str *texts, int count)
{
    bool is_bound = stmt != NULL;
    for (int i = 0; i < count && is_bound; i++)
        is_bound = arvo__sqlite_bind_str(stmt, first + i, texts[i]);
    return is_bound;
}

bool
arvo__sqlite_bind_ints(sqlite3_stmt *stmt, int first, const int64_t *numbers, int count)
{
    bool is_bound = stmt != NULL;
    for (int i = 0; i < count && is_bound; i++)
        is_bound = sqlite3_bind_int64(stmt, first + i, numbers[i]) == SQLITE_OK;
    return is_bound;
}

arvo_str
arvo__sqlite_column_str(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    if (text == NULL)
        return ARVO_STR_NONE;
    return (arvo_str){ text, (size_t)sqlite3_column_bytes(stmt, column) };
}

int
arvo__sqlite_step(sqlite3_stmt *stmt)
{
    return stmt != NULL ? sqlite3_step(stmt) : SQLITE_ERROR;
}

bool
arvo__sqlite_run(sqlite3_stmt *stmt)
{
    if (stmt == NULL)
        return false;
    int code = sqlite3_step(stmt);
    while (code == SQLITE_ROW)
        code = sqlite3_step(stmt);
    return sqlite3_reset(stmt) == SQLITE_OK && code == SQLITE_DONE;
}

bool
arvo__sqlite_run_id(struct sqlite_conn *conn, enum sqlite_statement id)
{
    return arvo__sqlite_run(arvo__sqlite_get(conn, id));
}

#endif
