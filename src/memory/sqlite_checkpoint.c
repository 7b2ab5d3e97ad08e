/* Bringing the write-ahead log of the SQLite store into the file, in the
 * background.
 *
 * SQLite does it within the commit that makes the log long enough, which then
 * takes as long as a hundred others. Here a thread does, with a connection of
 * its own, whenever the log has grown by LOG_PAGES_STEP; writers go on
 * meanwhile. The log can begin anew only when all of it is in the file, which
 * under load never happens by itself: past LOG_PAGES_MAX the leader brings over
 * the little that is left before it goes on.
 *
 * The thread begins with the first long log, so short programs have none. Nor
 * has a store that was opened with a clock of its own, as a simulation does,
 * whose disk and order of events know one thread: there the leader does it.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include "memory/sqlite.h"

#define LOG_PAGES_STEP 2000  /* 8 MiB */
#define LOG_PAGES_MAX  16000 /* 64 MiB; a reader that keeps an old state lets it grow past that */

/* Failing is fine: the log stays, and is tried again when it has grown. */
static void
checkpoint_do(struct sqlite_store *store, sqlite3 *db)
{
    const int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        arvo__memory_log(
            store->platform, ARVO_LOG_WARNING,
            "%s: the write-ahead log was not brought into the file, and grows: %s", store->path,
            sqlite3_errmsg(db));
}

static void *
checkpoint_thread(void *arg)
{
    struct sqlite_store *store = arg;
    struct sqlite_checkpoint *c = &store->checkpoint;
    (void)pthread_mutex_lock(&c->mutex);
    for (;;) {
        while (!c->is_wanted && !c->is_over)
            (void)pthread_cond_wait(&c->cond, &c->mutex);
        if (c->is_over)
            break;
        c->is_wanted = false;
        c->is_running = true;
        (void)pthread_mutex_unlock(&c->mutex);
        checkpoint_do(store, c->conn.db);
        (void)pthread_mutex_lock(&c->mutex);
        c->is_running = false;
        (void)pthread_cond_broadcast(&c->cond);
    }
    (void)pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* false: there is none, and the leader has to do it. */
static bool
checkpoint_begin(struct sqlite_store *store)
{
    struct sqlite_checkpoint *c = &store->checkpoint;
    if (c->has_thread)
        return true;
    /* Where the clock is somebody's own, so is the rest of the world: it has no other threads. */
    if (c->has_failed || store->platform->time_ms != arvo_platform_system()->time_ms)
        return false;
    c->has_failed = true;
    if (arvo__sqlite_conn_open(store, &c->conn, false, NULL) != ARVO_OK ||
        sqlite3_exec(c->conn.db, SQL_CHECKPOINT_OPTIONS, NULL, NULL, NULL) != SQLITE_OK ||
        !arvo__thread_start(&c->thread, checkpoint_thread, store)) {
        arvo__sqlite_conn_close(&c->conn);
        return false;
    }
    c->has_failed = false;
    c->has_thread = true;
    return true;
}

static int
note_log_pages(void *user, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    struct sqlite_checkpoint *c = user;
    c->log_pages = pages;
    return SQLITE_OK;
}

bool
arvo__sqlite_checkpoint_init(struct sqlite_checkpoint *c)
{
    c->step_pages = LOG_PAGES_STEP;
    c->max_pages = LOG_PAGES_MAX;
    return pthread_mutex_init(&c->mutex, NULL) == 0 && pthread_cond_init(&c->cond, NULL) == 0;
}

void
arvo__sqlite_checkpoint_attach(struct sqlite_store *store)
{
    (void)sqlite3_wal_hook(store->writer.conn.db, note_log_pages, &store->checkpoint);
}

void
arvo__sqlite_checkpoint_after_commit(struct sqlite_store *store)
{
    struct sqlite_checkpoint *c = &store->checkpoint;
    if (c->log_pages < c->asked_pages)
        c->asked_pages = 0; /* the log has begun anew */
    if (c->log_pages - c->asked_pages < c->step_pages)
        return;
    c->asked_pages = c->log_pages;
    if (c->log_pages < c->max_pages && checkpoint_begin(store)) {
        (void)pthread_mutex_lock(&c->mutex);
        c->is_wanted = true;
        (void)pthread_cond_broadcast(&c->cond);
        (void)pthread_mutex_unlock(&c->mutex);
        return;
    }
    /* Two at a time cannot: the second one does nothing. */
    (void)pthread_mutex_lock(&c->mutex);
    while (c->has_thread && (c->is_running || c->is_wanted))
        (void)pthread_cond_wait(&c->cond, &c->mutex);
    (void)pthread_mutex_unlock(&c->mutex);
    checkpoint_do(store, store->writer.conn.db);
}

void
arvo__sqlite_checkpoint_fini(struct sqlite_checkpoint *c)
{
    if (c->has_thread) {
        (void)pthread_mutex_lock(&c->mutex);
        c->is_over = true;
        (void)pthread_cond_broadcast(&c->cond);
        (void)pthread_mutex_unlock(&c->mutex);
        (void)pthread_join(c->thread, NULL);
    }
    arvo__sqlite_conn_close(&c->conn);
    (void)pthread_cond_destroy(&c->cond);
    (void)pthread_mutex_destroy(&c->mutex);
}

#endif
