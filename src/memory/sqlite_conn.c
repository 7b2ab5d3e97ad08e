/* Connections to the SQLite store's file, and the pool of those that read.
 *
 * A reader sees the newest commit at the time of its statement, waits for
 * nobody who writes, and nobody who writes waits for it.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <string.h>
#include <time.h>

#include "memory/sqlite.h"

#define BUSY_POLL_NS 1000000L

/* ---- One connection ---------------------------------------------------- */

int
arvo__sqlite_busy(void *user, int count)
{
    (void)user;
    const struct timespec pause = { .tv_nsec = BUSY_POLL_NS };
    (void)nanosleep(&pause, NULL);
    return count < SQL_BUSY_MS;
}

arvo_status
arvo__sqlite_conn_open(
    struct sqlite_store *store, struct sqlite_conn *conn, bool is_read_only, arvo_error *err)
{
    const int flags =
        SQLITE_OPEN_NOMUTEX |
        (is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    conn->store = store;
    if (sqlite3_open_v2(store->path, &conn->db, flags, NULL) != SQLITE_OK)
        return conn->db != NULL ? arvo__sqlite_open_fail(conn, err) : arvo__nomem(err);
    (void)sqlite3_extended_result_codes(conn->db, 1);
    (void)sqlite3_busy_handler(conn->db, arvo__sqlite_busy, NULL);
    return ARVO_OK;
}

void
arvo__sqlite_conn_close(struct sqlite_conn *conn)
{
    for (size_t i = 0; i < SQL_COUNT; i++)
        (void)sqlite3_finalize(conn->statements[i]);
    (void)sqlite3_close(conn->db);
    memset(conn, 0, sizeof(*conn));
}

/* ---- Readers ----------------------------------------------------------- */

bool
arvo__sqlite_readers_init(struct sqlite_readers *readers)
{
    return pthread_mutex_init(&readers->mutex, NULL) == 0 &&
           pthread_cond_init(&readers->returned, NULL) == 0;
}

void
arvo__sqlite_readers_fini(struct sqlite_store *store)
{
    struct sqlite_readers *readers = &store->readers;
    while (readers->idle != NULL) {
        struct sqlite_conn *conn = readers->idle;
        readers->idle = conn->next;
        arvo__sqlite_conn_close(conn);
        arvo__free(store->allocator, conn, sizeof(*conn));
    }
    (void)pthread_cond_destroy(&readers->returned);
    (void)pthread_mutex_destroy(&readers->mutex);
}

/* An idle one, or the right to open one (NULL). */
static struct sqlite_conn *
reader_claim(struct sqlite_readers *readers)
{
    (void)pthread_mutex_lock(&readers->mutex);
    while (readers->idle == NULL && readers->count >= SQL_READERS_MAX)
        (void)pthread_cond_wait(&readers->returned, &readers->mutex);
    struct sqlite_conn *conn = readers->idle;
    if (conn != NULL)
        readers->idle = conn->next;
    else
        readers->count++;
    (void)pthread_mutex_unlock(&readers->mutex);
    return conn;
}

static void
reader_unclaim(struct sqlite_readers *readers)
{
    (void)pthread_mutex_lock(&readers->mutex);
    readers->count--;
    (void)pthread_cond_signal(&readers->returned);
    (void)pthread_mutex_unlock(&readers->mutex);
}

arvo_status
arvo__sqlite_reader_take(struct sqlite_store *store, struct sqlite_conn **out, arvo_error *err)
{
    struct sqlite_conn *conn = reader_claim(&store->readers);
    if (conn != NULL) {
        *out = conn;
        return ARVO_OK;
    }
    arvo_status st = ARVO_E_NOMEM;
    conn = arvo__calloc(store->allocator, 1, sizeof(*conn));
    if (conn == NULL)
        st = arvo__nomem(err);
    else
        st = arvo__sqlite_conn_open(store, conn, true, err);
    if (st == ARVO_OK && sqlite3_exec(conn->db, SQL_READER_OPTIONS, NULL, NULL, NULL) != SQLITE_OK)
        st = arvo__sqlite_fail(conn, "open", err);
    if (st == ARVO_OK) {
        *out = conn;
        return ARVO_OK;
    }
    if (conn != NULL) {
        arvo__sqlite_conn_close(conn);
        arvo__free(store->allocator, conn, sizeof(*conn));
    }
    reader_unclaim(&store->readers);
    return st;
}

void
arvo__sqlite_reader_give(struct sqlite_store *store, struct sqlite_conn *conn)
{
    struct sqlite_readers *readers = &store->readers;
    (void)pthread_mutex_lock(&readers->mutex);
    conn->next = readers->idle;
    readers->idle = conn;
    (void)pthread_cond_signal(&readers->returned);
    (void)pthread_mutex_unlock(&readers->mutex);
}

#endif
