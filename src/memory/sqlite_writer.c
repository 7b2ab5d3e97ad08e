/* The writer of the SQLite store: jobs that are asked for at the same time share
 * one transaction, and so one fsync.
 *
 *   asked for --> queued --> in a batch --COMMIT--> answered
 *                               |  COMMIT failed --> answered with that failure
 *                               +- refused by itself, or undone with the batch
 *
 * There is no thread for it. Whoever asks while nobody leads becomes the leader:
 * it takes what is queued, its own job first, writes it as one transaction and
 * answers; then the first one that was queued meanwhile leads. So a lone caller
 * waits for nobody and changes no thread, and the busier it gets the larger the
 * batches are, without anybody ever waiting for one to fill.
 *
 * A job that is refused has mostly written nothing, and the transaction goes on.
 * When it has written something, the whole batch is rolled back and done again,
 * each job in a savepoint: savepoints cost a copy of every page, so they are for
 * the rare case only. Where that takes the transaction down too (SQLite rolls all
 * of it back when the disk is full), each job has a transaction to itself.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <errno.h>
#include <string.h>
#include <time.h>

#include "memory/sqlite.h"

bool
arvo__sqlite_writer_init(struct sqlite_writer *writer)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    const bool done = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                      pthread_cond_init(&writer->room, &attr) == 0 &&
                      pthread_mutex_init(&writer->mutex, NULL) == 0;
    (void)pthread_condattr_destroy(&attr);
    return done;
}

void
arvo__sqlite_writer_fini(struct sqlite_writer *writer)
{
    arvo__sqlite_conn_close(&writer->conn);
    (void)pthread_cond_destroy(&writer->room);
    (void)pthread_mutex_destroy(&writer->mutex);
}

/* ---- One batch --------------------------------------------------------- */

/* A lease or a claim that a power cut takes away is nobody's any more, and a commit that relies on
 * one syncs the whole log before it: light jobs alone need no fsync. */
static bool
batch_set_sync(struct sqlite_writer *writer, const struct sqlite_job *jobs)
{
    enum sqlite_sync sync = SQL_SYNC_NORMAL;
    for (const struct sqlite_job *job = jobs; job != NULL; job = job->next) {
        if (!job->is_light)
            sync = writer->sync;
    }
    if (writer->sync_now == sync)
        return true;
    const char *sql =
        sync == SQL_SYNC_FULL ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
    if (sqlite3_exec(writer->conn.db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return false;
    writer->sync_now = sync;
    return true;
}

static void
batch_rollback(struct sqlite_writer *writer)
{
    /* Some failures have rolled back by themselves. */
    if (sqlite3_get_autocommit(writer->conn.db) == 0)
        (void)arvo__sqlite_run_id(&writer->conn, SQL_ROLLBACK);
    writer->pending_definition[0] = '\0';
}

/* What the transaction suffered, for everyone whose job did not fail by itself. */
static void
batch_fail(struct sqlite_writer *writer, struct sqlite_job *jobs)
{
    arvo_error failure = { 0 };
    const arvo_status st = arvo__sqlite_fail(&writer->conn, jobs->what, &failure);
    batch_rollback(writer);
    for (struct sqlite_job *job = jobs; job != NULL; job = job->next) {
        if (job->status != ARVO_OK)
            continue;
        job->status = st;
        job->failure = failure;
    }
}

/* The job, in a savepoint. false: the transaction cannot go on. */
static bool
batch_run_careful(struct sqlite_conn *conn, struct sqlite_job *job)
{
    bool is_sound = arvo__sqlite_run_id(conn, SQL_JOB_BEGIN);
    if (is_sound) {
        job->status = job->run(conn, job->context, &job->failure);
        is_sound = sqlite3_get_autocommit(conn->db) == 0 &&
                   (job->status == ARVO_OK || arvo__sqlite_run_id(conn, SQL_JOB_UNDO)) &&
                   arvo__sqlite_run_id(conn, SQL_JOB_END);
    }
    if (!is_sound && job->status == ARVO_OK)
        job->status = arvo__sqlite_fail(conn, job->what, &job->failure);
    return is_sound;
}

enum batch_end { BATCH_DONE, BATCH_FAILED, BATCH_REPEAT };

/* All jobs in the transaction that has begun; *out_cause is the one that ended it. */
static enum batch_end
batch_run(
    struct sqlite_writer *writer, struct sqlite_job *jobs, bool is_careful,
    struct sqlite_job **out_cause)
{
    struct sqlite_conn *conn = &writer->conn;
    for (struct sqlite_job *job = jobs; job != NULL; job = job->next) {
        const int changes = sqlite3_total_changes(conn->db);
        *out_cause = job;
        if (is_careful) {
            if (!batch_run_careful(conn, job))
                return BATCH_FAILED;
            continue;
        }
        job->status = job->run(conn, job->context, &job->failure);
        if (job->status == ARVO_OK)
            continue;
        if (sqlite3_get_autocommit(conn->db) != 0)
            return BATCH_FAILED;
        if (sqlite3_total_changes(conn->db) != changes)
            return BATCH_REPEAT;
    }
    *out_cause = NULL;
    return BATCH_DONE;
}

/* A transaction in which executions were committed. */
static void
batch_count(struct sqlite_writer *writer, const struct sqlite_job *jobs)
{
    bool has_commit = false;
    for (const struct sqlite_job *job = jobs; job != NULL; job = job->next)
        has_commit = has_commit || (job->is_commit && job->status == ARVO_OK);
    if (has_commit)
        atomic_fetch_add_explicit(&writer->transactions, 1, memory_order_relaxed);
}

/* The jobs as one transaction. BATCH_FAILED: they are answered with its failure, unless a job took
 * it down, which is in *out_cause. */
static enum batch_end
batch_try(
    struct sqlite_writer *writer, struct sqlite_job *jobs, bool is_careful,
    struct sqlite_job **out_cause)
{
    *out_cause = NULL;
    for (struct sqlite_job *job = jobs; job != NULL; job = job->next)
        job->status = ARVO_OK;
    if (!batch_set_sync(writer, jobs) || !arvo__sqlite_run_id(&writer->conn, SQL_BEGIN)) {
        batch_fail(writer, jobs);
        return BATCH_FAILED;
    }
    const enum batch_end end = batch_run(writer, jobs, is_careful, out_cause);
    if (end != BATCH_DONE) {
        batch_rollback(writer);
        return end;
    }
    if (!arvo__sqlite_run_id(&writer->conn, SQL_COMMIT)) {
        batch_fail(writer, jobs);
        return BATCH_FAILED;
    }
    if (writer->pending_definition[0] != '\0')
        memcpy(
            writer->known_definition, writer->pending_definition, sizeof(writer->known_definition));
    writer->pending_definition[0] = '\0';
    batch_count(writer, jobs);
    arvo__sqlite_commits_tell(writer->conn.store);
    return BATCH_DONE;
}

static void
batch_write(struct sqlite_writer *writer, struct sqlite_job *jobs)
{
    struct sqlite_job *cause = NULL;
    enum batch_end end = batch_try(writer, jobs, false, &cause);
    if (jobs->next == NULL || cause == NULL)
        return;
    if (end == BATCH_REPEAT)
        end = batch_try(writer, jobs, true, &cause);
    if (end == BATCH_DONE || cause == NULL)
        return;
    /* Some failures (a full disk) take the whole transaction with them: each by itself, then. */
    for (struct sqlite_job *job = jobs, *next; job != NULL; job = next) {
        next = job->next;
        job->next = NULL;
        (void)batch_try(writer, job, false, &cause);
        job->next = next;
    }
}

/* Others may hold the same leases in a new file of that name. */
static void
batch_refuse(const struct sqlite_store *store, struct sqlite_job *jobs)
{
    for (struct sqlite_job *job = jobs; job != NULL; job = job->next)
        job->status = arvo__fail(
            &job->failure, ARVO_E_IO,
            "%s-lease: %s: the file was removed while the store is in use; close the store and "
            "open it again",
            store->path, job->what);
}

/* ---- Leading ----------------------------------------------------------- */

/* Cut the next batch off the queue; it is not empty. With the mutex held. */
static struct sqlite_job *
queue_take(struct sqlite_writer *writer)
{
    struct sqlite_job *jobs = writer->first, *last = jobs;
    size_t count = 1, bytes = jobs->bytes;
    while (!jobs->is_alone && last->next != NULL && !last->next->is_alone &&
           count < SQL_BATCH_JOBS_MAX && bytes + last->next->bytes <= SQL_BATCH_BYTES_MAX) {
        last = last->next;
        bytes += last->bytes;
        count++;
    }
    writer->first = last->next;
    if (writer->first == NULL)
        writer->last = NULL;
    last->next = NULL;
    writer->count -= count;
    (void)pthread_cond_broadcast(&writer->room);
    return jobs;
}

static void
answer(struct sqlite_job *jobs, const struct sqlite_job *own)
{
    for (struct sqlite_job *job = jobs, *next; job != NULL; job = next) {
        next = job->next; /* behind the post it is gone */
        if (job != own)
            (void)sem_post(&job->answered);
    }
}

/* Write one batch, `own` in it, and let the next one lead. */
static void
lead(struct sqlite_store *store, struct sqlite_job *own)
{
    struct sqlite_writer *writer = &store->writer;
    (void)pthread_mutex_lock(&writer->mutex);
    struct sqlite_job *jobs = queue_take(writer);
    (void)pthread_mutex_unlock(&writer->mutex);

    if (arvo__sqlite_shared_is_there(store)) {
        struct sqlite_turn turn;
        arvo__sqlite_turn_take(store, &turn);
        batch_write(writer, jobs);
        arvo__sqlite_turn_give(store, &turn);
    } else {
        batch_refuse(store, jobs);
    }

    /* The answers first, then what makes nobody's answer truer. */
    answer(jobs, own);
    arvo__sqlite_checkpoint_after_commit(store);

    (void)pthread_mutex_lock(&writer->mutex);
    struct sqlite_job *leader = writer->first;
    writer->is_led = leader != NULL;
    if (leader != NULL)
        leader->is_leader = true;
    (void)pthread_mutex_unlock(&writer->mutex);
    if (leader != NULL)
        (void)sem_post(&leader->answered);
}

/* In line, or false when there was no room for SQL_BUSY_MS. *out_lead: nobody leads, so lead. */
static bool
queue_add(struct sqlite_writer *writer, struct sqlite_job *job, bool *out_lead)
{
    struct timespec until = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SQL_BUSY_MS / 1000;
    (void)pthread_mutex_lock(&writer->mutex);
    int waited = 0;
    while (writer->count >= SQL_QUEUE_MAX && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&writer->room, &writer->mutex, &until);
    const bool has_room = writer->count < SQL_QUEUE_MAX;
    if (has_room) {
        if (writer->last != NULL)
            writer->last->next = job;
        else
            writer->first = job;
        writer->last = job;
        writer->count++;
        *out_lead = !writer->is_led;
        writer->is_led = true;
    }
    (void)pthread_mutex_unlock(&writer->mutex);
    return has_room;
}

arvo_status
arvo__sqlite_job(struct sqlite_store *store, struct sqlite_job *job, arvo_error *err)
{
    struct sqlite_writer *writer = &store->writer;
    bool is_leader = false;
    job->next = NULL;
    job->is_leader = false;
    job->status = ARVO_OK;
    if (sem_init(&job->answered, 0, 0) != 0)
        return arvo__nomem(err);
    if (queue_add(writer, job, &is_leader)) {
        if (!is_leader) {
            while (sem_wait(&job->answered) != 0) { /* a signal came between */
            }
            is_leader = job->is_leader;
        }
        if (is_leader)
            lead(store, job);
    } else {
        job->status = arvo__fail(
            &job->failure, ARVO_E_TIMEOUT,
            "%s: %s: %zu writes have been waiting for %d ms; do it again later", store->path,
            job->what, SQL_QUEUE_MAX, SQL_BUSY_MS);
    }
    (void)sem_destroy(&job->answered);
    if (job->status != ARVO_OK && err != NULL)
        *err = job->failure;
    return job->status;
}

#endif
