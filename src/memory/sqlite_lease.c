/* Leases of the SQLite store.
 *
 * In front stands the gate, a fair line per subject in this process; behind it
 * the lease in PATH-lease (sqlite_shared.c), which decides between processes. So
 * of each process at most one waits there for a subject. Neither asks the
 * database, but for a new range of fences now and then.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include "memory/sqlite.h"

#define FENCES_RESERVED 10000 /* at a time; what a process does not use is skipped */

arvo_status
arvo__sqlite_lease_lost(
    const struct sqlite_store *store, const char *what, const arvo_lease *lease, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_STALE, "%s: %s: the lease with fence %llu is lost", store->path, what,
        (unsigned long long)lease->fence);
}

/* ---- Fences ------------------------------------------------------------ */

static arvo_status
fences_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    int64_t *newest = context;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_FENCE_RESERVE);
    if (stmt == NULL || sqlite3_bind_int64(stmt, 1, FENCES_RESERVED) != SQLITE_OK)
        return arvo__sqlite_fail(conn, "lock", err);
    const int code = arvo__sqlite_step(stmt);
    if (code == SQLITE_DONE) {
        (void)sqlite3_reset(stmt);
        return arvo__fail(
            err, ARVO_E_CORRUPT, "%s: lock: the fence counter is missing", conn->store->path);
    }
    if (code == SQLITE_ROW)
        *newest = sqlite3_column_int64(stmt, 0);
    if (code != SQLITE_ROW || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, "lock", err);
    return ARVO_OK;
}

/* Light: a commit with one of these fences syncs the whole log before it. */
arvo_status
arvo__sqlite_reserve_fences(struct sqlite_store *store, arvo_error *err)
{
    int64_t newest = 0;
    struct sqlite_job job = {
        .run = fences_run, .context = &newest, .what = "lock", .is_light = true
    };
    const arvo_status st = arvo__sqlite_job(store, &job, err);
    if (st != ARVO_OK)
        return st;
    return arvo__sqlite_shared_add_fences(store, (uint64_t)newest, FENCES_RESERVED, err);
}

/* ---- Locking ----------------------------------------------------------- */

static arvo_status
lock_check(const struct sqlite_store *store, arvo_str subject, const char *what, arvo_error *err)
{
    const arvo_status st = arvo__memory_subject_check(subject, what, err);
    return st == ARVO_OK ? arvo__sqlite_refuse_read_only(store, what, err) : st;
}

arvo_status
arvo__sqlite_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_status st = lock_check(store, subject, "lock", err);
    if (st != ARVO_OK)
        return st;
    const int64_t started = arvo__real_ms();
    arvo_lease pass, lease;
    bool is_in = false, is_acquired = false;
    st = arvo__gate_enter(&store->gate, subject, ttl_ms, wait_ms, &is_in, &pass, err);
    if (st == ARVO_OK && is_in) {
        lease = pass; /* its token serves for both */
        st = arvo__sqlite_shared_acquire(
            store, subject, ttl_ms, wait_ms - (arvo__real_ms() - started), &is_acquired, &lease,
            err);
        if (is_acquired)
            arvo__gate_hold(&store->gate, subject, &pass, &lease, ttl_ms);
        else
            arvo__gate_leave(&store->gate, subject, &pass);
    }
    if (st == ARVO_OK) {
        *out_acquired = is_acquired;
        if (is_acquired)
            *out = lease;
    }
    return st;
}

arvo_status
arvo__sqlite_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    struct sqlite_store *store = self;
    const arvo_status st = lock_check(store, subject, "unlock", err);
    if (st != ARVO_OK)
        return st;
    arvo__sqlite_shared_release(store, subject, lease);
    arvo__gate_leave(&store->gate, subject, lease);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_renew(void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_status st = lock_check(store, subject, "renew", err);
    if (st == ARVO_OK)
        st = arvo__sqlite_shared_renew(store, subject, lease, ttl_ms, err);
    if (st != ARVO_OK)
        return st;
    arvo__gate_hold(&store->gate, subject, lease, lease, ttl_ms);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    arvo_locked locked = { 0 };
    arvo_status st = arvo__sqlite_lock(
        self, request->subject, request->ttl_ms, request->wait_ms, &locked.is_acquired,
        &locked.lease, err);
    if (st == ARVO_OK && locked.is_acquired) {
        st = arvo__sqlite_read_locked(self, request, arena, &locked, err);
        if (st != ARVO_OK)
            (void)arvo__sqlite_unlock(self, request->subject, &locked.lease, NULL);
    }
    if (st == ARVO_OK)
        *out = locked;
    return st;
}

void
arvo__sqlite_interrupt(void *self, bool on)
{
    struct sqlite_store *store = self;
    atomic_store(&store->is_interrupted, on);
    arvo__gate_interrupt(&store->gate, on);
    if (on)
        arvo__sqlite_shared_interrupt(store);
}

#endif
