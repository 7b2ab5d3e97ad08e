/* Leases of the SQLite store.
 *
 * In front stands the gate, a fair line per subject in this process; behind it
 * the row in the file, which decides between processes:
 *
 *   no row --lock--> held by (owner, token, fence) until expires_ms
 *     ^                 | unlock, commit with release: the row is deleted
 *     +-----------------+ expired, or its owner is dead: the next one replaces it
 *
 * The fence comes from one counter in the file, so it grows for every subject
 * even after its row was deleted.
 *
 * An owner is a random offset in the empty file PATH-lease, of which its
 * process keeps that byte locked. The kernel lets go of the lock when the
 * process ends, however it ends; so a row whose owner's byte is free belongs to
 * a dead process, and nobody has to wait for it to expire.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_SQLITE

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "memory/sqlite.h"

#define POLL_MS_MIN 1
#define POLL_MS_MAX 25 /* between two looks at a lease of another process */

/* ---- Owner ------------------------------------------------------------- */

void
arvo__sqlite_owner_open(struct sqlite_store *store)
{
    char path[SQL_PATH_BYTES_MAX + 8];
    uint64_t offset = 0;

    store->owner = 0;
    (void)snprintf(path, sizeof(path), "%s-lease", store->path);
    store->owner_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (store->owner_fd < 0 ||
        !store->platform->random(store->platform->self, &offset, sizeof(offset)))
        return;
    offset = (offset >> 2) | 1u; /* positive, not 0, and far from the end of offsets */
    struct flock byte = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1
    };
    if (fcntl(store->owner_fd, F_OFD_SETLK, &byte) == 0)
        store->owner = (int64_t)offset;
}

void
arvo__sqlite_owner_close(struct sqlite_store *store)
{
    if (store->owner_fd >= 0)
        (void)close(store->owner_fd);
    store->owner_fd = -1;
}

/* Whether the process that took a lease is gone for certain. */
static bool
owner_is_dead(const struct sqlite_store *store, int64_t owner)
{
    if (owner <= 0 || store->owner == 0)
        return false;
    if (owner == store->owner)
        return true; /* left over from here: whoever asks has passed the gate */
    struct flock byte = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)owner, .l_len = 1
    };
    return fcntl(store->owner_fd, F_OFD_GETLK, &byte) == 0 && byte.l_type == F_UNLCK;
}

/* ---- Rows -------------------------------------------------------------- */

/* Whether somebody else holds the subject now. */
static arvo_status
lease_is_held(
    struct sqlite_conn *conn, arvo_str subject, int64_t now, bool *out_held, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LEASE_GET);
    if (stmt == NULL || !arvo__sqlite_bind_str(stmt, 1, subject))
        return arvo__sqlite_fail(conn, "lock", err);
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    if (code == SQLITE_ROW)
        *out_held = sqlite3_column_int64(stmt, 2) > now &&
                    !owner_is_dead(conn->store, sqlite3_column_int64(stmt, 3));
    else if (code == SQLITE_DONE)
        *out_held = false;
    else
        st = arvo__sqlite_fail(conn, "lock", err);
    (void)sqlite3_reset(stmt);
    return st;
}

static arvo_status
lease_next_fence(struct sqlite_conn *conn, uint64_t *out, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_FENCE_NEXT);
    const int code = arvo__sqlite_step(stmt);
    if (code == SQLITE_DONE) {
        (void)sqlite3_reset(stmt);
        return arvo__fail(
            err, ARVO_E_CORRUPT, "%s: lock: the fence counter is missing", conn->store->path);
    }
    if (code == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(stmt, 0);
    if (code != SQLITE_ROW || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, "lock", err);
    return ARVO_OK;
}

static arvo_status
lease_put(struct sqlite_conn *conn, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LEASE_PUT);
    if (stmt == NULL || !arvo__sqlite_bind_str(stmt, 1, subject) ||
        sqlite3_bind_int64(stmt, 2, (sqlite3_int64)lease->fence) != SQLITE_OK ||
        sqlite3_bind_blob(stmt, 3, lease->token, sizeof(lease->token), SQLITE_STATIC) !=
            SQLITE_OK ||
        sqlite3_bind_int64(stmt, 4, lease->expires_ms) != SQLITE_OK ||
        sqlite3_bind_int64(stmt, 5, conn->store->owner) != SQLITE_OK || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, "lock", err);
    return ARVO_OK;
}

struct lease_attempt {
    arvo_str subject;
    int64_t ttl_ms;
    bool is_held; /* by somebody else */
    arvo_lease lease;
};

static arvo_status
lease_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    struct lease_attempt *attempt = context;
    const arvo_platform *platform = conn->store->platform;
    const int64_t now = platform->time_ms(platform->self);
    attempt->lease.expires_ms = now + arvo__memory_ttl(attempt->ttl_ms);
    arvo_status st = lease_is_held(conn, attempt->subject, now, &attempt->is_held, err);
    if (st == ARVO_OK && !attempt->is_held)
        st = lease_next_fence(conn, &attempt->lease.fence, err);
    if (st == ARVO_OK && !attempt->is_held)
        st = lease_put(conn, attempt->subject, &attempt->lease, err);
    return st;
}

/* Looked at without the write lock first, so that those who wait do not disturb those who work. */
static arvo_status
lease_peek(struct sqlite_store *store, struct lease_attempt *attempt, arvo_error *err)
{
    const arvo_platform *platform = store->platform;
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st != ARVO_OK)
        return st;
    const int64_t now = platform->time_ms(platform->self);
    st = lease_is_held(conn, attempt->subject, now, &attempt->is_held, err);
    arvo__sqlite_reader_give(store, conn);
    return st;
}

static arvo_status
lease_try(
    struct sqlite_store *store, arvo_str subject, int64_t ttl_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    const arvo_platform *platform = store->platform;
    struct lease_attempt attempt = { .subject = subject, .ttl_ms = ttl_ms };

    *out_acquired = false;
    arvo_status st = lease_peek(store, &attempt, err);
    if (st != ARVO_OK || attempt.is_held)
        return st;
    if (!platform->random(platform->self, attempt.lease.token, sizeof(attempt.lease.token)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no lease token can be made");
    struct sqlite_job job = {
        .run = lease_run, .context = &attempt, .what = "lock", .is_light = true
    };
    st = arvo__sqlite_job(store, &job, err);
    if (st == ARVO_OK && !attempt.is_held) {
        *out = attempt.lease;
        *out_acquired = true;
    }
    return st;
}

arvo_status
arvo__sqlite_lease_check(
    struct sqlite_conn *conn, arvo_str subject, const arvo_lease *lease, int64_t now,
    arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LEASE_GET);
    if (stmt == NULL || !arvo__sqlite_bind_str(stmt, 1, subject))
        return arvo__sqlite_fail(conn, "commit", err);
    const int code = arvo__sqlite_step(stmt);
    bool is_valid = false;
    if (code == SQLITE_ROW)
        is_valid = (uint64_t)sqlite3_column_int64(stmt, 0) == lease->fence &&
                   sqlite3_column_bytes(stmt, 1) == (int)sizeof(lease->token) &&
                   memcmp(sqlite3_column_blob(stmt, 1), lease->token, sizeof(lease->token)) == 0 &&
                   sqlite3_column_int64(stmt, 2) > now;
    arvo_status st = ARVO_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, "commit", err);
    else if (!is_valid)
        st = arvo__fail(
            err, ARVO_E_STALE, "%s: commit: the lease with fence %llu is lost", conn->store->path,
            (unsigned long long)lease->fence);
    (void)sqlite3_reset(stmt);
    return st;
}

bool
arvo__sqlite_lease_drop(struct sqlite_conn *conn, arvo_str subject, const arvo_lease *lease)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_LEASE_DROP);
    return stmt != NULL && arvo__sqlite_bind_str(stmt, 1, subject) &&
           sqlite3_bind_int64(stmt, 2, (sqlite3_int64)lease->fence) == SQLITE_OK &&
           sqlite3_bind_blob(stmt, 3, lease->token, sizeof(lease->token), SQLITE_STATIC) ==
               SQLITE_OK &&
           arvo__sqlite_run(stmt);
}

/* ---- Gate and waiting -------------------------------------------------- */

void
arvo__sqlite_gate_leave(struct sqlite_store *store, arvo_str subject, const arvo_lease *lease)
{
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    (void)pthread_mutex_lock(&store->gate_mutex);
    (void)arvo__leases_release(&store->gate, hash, lease);
    (void)pthread_mutex_unlock(&store->gate_mutex);
}

static int64_t
real_ms(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Try until acquired, the time is over, or the store fails. */
static arvo_status
lease_poll(
    struct sqlite_store *store, arvo_str subject, int64_t ttl_ms, int64_t wait_ms,
    bool *out_acquired, arvo_lease *out, arvo_error *err)
{
    const int64_t started = real_ms();
    int64_t pause_ms = POLL_MS_MIN;
    for (;;) {
        const arvo_status st = lease_try(store, subject, ttl_ms, out_acquired, out, err);
        const int64_t left = wait_ms - (real_ms() - started);
        if (st != ARVO_OK || *out_acquired || left <= 0)
            return st;
        const int64_t pause = pause_ms < left ? pause_ms : left;
        const struct timespec ts = { .tv_nsec = (long)pause * 1000000 };
        (void)nanosleep(&ts, NULL);
        pause_ms = pause_ms * 2 < POLL_MS_MAX ? pause_ms * 2 : POLL_MS_MAX;
    }
}

arvo_status
arvo__sqlite_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "lock", err);
    if (st == ARVO_OK)
        st = arvo__sqlite_refuse_read_only(store, "lock", err);
    if (st != ARVO_OK)
        return st;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    const int64_t started = real_ms();
    arvo_lease gate_lease, lease;
    bool is_in = false, is_acquired = false;

    (void)pthread_mutex_lock(&store->gate_mutex);
    /* Long enough to outlast the wait for other processes; the real expiry is put in afterwards. */
    st = arvo__leases_acquire(
        &store->gate, subject, hash, arvo__memory_ttl(ttl_ms) + (wait_ms > 0 ? wait_ms : 0),
        wait_ms, &is_in, &gate_lease, err);
    (void)pthread_mutex_unlock(&store->gate_mutex);

    if (st == ARVO_OK && is_in) {
        st = lease_poll(
            store, subject, ttl_ms, wait_ms - (real_ms() - started), &is_acquired, &lease, err);
        (void)pthread_mutex_lock(&store->gate_mutex);
        if (is_acquired)
            arvo__leases_replace(&store->gate, hash, &gate_lease, &lease);
        else
            (void)arvo__leases_release(&store->gate, hash, &gate_lease);
        (void)pthread_mutex_unlock(&store->gate_mutex);
    }
    if (st == ARVO_OK) {
        *out_acquired = is_acquired;
        if (is_acquired)
            *out = lease;
    }
    return st;
}

struct lease_end {
    arvo_str subject;
    const arvo_lease *lease;
};

static arvo_status
unlock_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    const struct lease_end *end = context;
    return arvo__sqlite_lease_drop(conn, end->subject, end->lease)
               ? ARVO_OK
               : arvo__sqlite_fail(conn, "unlock", err);
}

arvo_status
arvo__sqlite_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "unlock", err);
    if (st == ARVO_OK)
        st = arvo__sqlite_refuse_read_only(store, "unlock", err);
    if (st != ARVO_OK)
        return st;

    struct lease_end end = { subject, lease };
    struct sqlite_job job = {
        .run = unlock_run, .context = &end, .what = "unlock", .is_light = true
    };
    st = arvo__sqlite_job(store, &job, err);
    arvo__sqlite_gate_leave(store, subject, lease);
    return st;
}

#endif
