/* memory/sqlite.h - the parts of the SQLite store ("sqlite:PATH").
 *
 * One connection writes, a few read beside it. Every write is a job
 * (arvo__sqlite_job): those that are asked for at the same time share a
 * transaction. sqlite.c draws the layout, sqlite_writer.c the queue.
 *
 * Locks: the gate's, the writer's and the readers' mutexes are never held
 * together, nor while SQLite works.
 */
#ifndef ARVO_SRC_MEMORY_SQLITE_H
#define ARVO_SRC_MEMORY_SQLITE_H

#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "memory/internal.h"

#define SQL_BUSY_MS         5000           /* how long to wait for another process's transaction */
#define SQL_READERS_MAX     8u             /* connections that read at once */
#define SQL_QUEUE_MAX       ((size_t)4096) /* jobs that wait; more wait for room */
#define SQL_BATCH_JOBS_MAX  ((size_t)512)  /* jobs of one transaction */
#define SQL_BATCH_BYTES_MAX ((size_t)16 * 1024 * 1024) /* but always one job */
/* Temporary tables in memory; 32 MiB of pages for the writer, 4 MiB for each reader. */
#define SQL_WRITER_OPTIONS                                                                         \
    "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-32768"
#define SQL_READER_OPTIONS "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096"
#define SQL_LEASES_MAX     8192u /* held at once, by all processes together */
#define SQL_ROWS_DEFAULT   ((size_t)1000)
#define SQL_PATH_BYTES_MAX ((size_t)4096)
#define SQL_APPLICATION_ID 0x4172766f /* "Arvo" */
#define SQL_SCHEMA_VERSION 2

/* Every statement, prepared on its first use. */
#define SQL_RECORD_COLUMNS                                                                         \
    "s.subject, i.parent_subject, i.orchestrator, i.version, i.status, i.value, i.state, "         \
    "i.last_error, i.input, i.definition, i.revision, i.fence, i.created_ms, i.updated_ms, i.id"
#define SQL_EVENT_COLUMNS                                                                          \
    "e.seq, e.direction, e.cause, e.time_ms, e.id, e.source, e.type, e.domains, e.event"

#define SQL_STATEMENTS(X)                                                                          \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(JOB_BEGIN, "SAVEPOINT job")                                                                  \
    X(JOB_END, "RELEASE job")                                                                      \
    X(JOB_UNDO, "ROLLBACK TO job")                                                                 \
    X(SUBJECT_FIND, "SELECT id FROM subject WHERE hash = ?1 AND subject = ?2")                     \
    X(SUBJECT_ADD, "INSERT INTO subject (hash, subject) VALUES (?1, ?2)")                          \
    X(RECORD_READ, "SELECT " SQL_RECORD_COLUMNS " FROM subject s JOIN instance i ON i.id = s.id "  \
                   "WHERE s.hash = ?1 AND s.subject = ?2")                                         \
    X(RECORD_LIST,                                                                                 \
      "SELECT " SQL_RECORD_COLUMNS " FROM instance i JOIN subject s ON s.id = i.id "               \
      "WHERE i.id > ?1 AND (?3 IS NULL OR i.orchestrator = ?3) ORDER BY i.id LIMIT ?4")            \
    X(RECORD_LIST_STATUS,                                                                          \
      "SELECT " SQL_RECORD_COLUMNS " FROM instance i INDEXED BY instance_status "                  \
      "JOIN subject s ON s.id = i.id WHERE i.id > ?1 AND i.status = ?2 "                           \
      "AND (?3 IS NULL OR i.orchestrator = ?3) ORDER BY i.id LIMIT ?4")                            \
    X(INSTANCE_HEAD, "SELECT revision, status FROM instance WHERE id = ?1")                        \
    X(INSTANCE_ADD,                                                                                \
      "INSERT INTO instance (id, revision, fence, updated_ms, parent_subject, orchestrator, "      \
      "version, definition, value, last_error, input, state, status, created_ms) "                 \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?4)")                       \
    X(INSTANCE_UPDATE,                                                                             \
      "UPDATE instance SET revision = ?2, fence = ?3, updated_ms = ?4, parent_subject = ?5, "      \
      "orchestrator = ?6, version = ?7, definition = ?8, value = ?9, last_error = ?10, "           \
      "input = ?11, state = ?12 WHERE id = ?1")                                                    \
    X(INSTANCE_STATUS, "UPDATE instance SET status = ?2 WHERE id = ?1")                            \
    X(DEFINITION_ADD, "INSERT OR IGNORE INTO definition (hash, document) VALUES (?1, ?2)")         \
    X(EVENT_ADD,                                                                                   \
      "INSERT INTO event (subject_id, direction, cause, time_ms, id, source, type, domains, "      \
      "event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                        \
    X(EVENT_GET, "SELECT " SQL_EVENT_COLUMNS " FROM event e WHERE e.seq = ?1")                     \
    X(EVENT_FROM, "SELECT " SQL_EVENT_COLUMNS " FROM event e WHERE e.seq > ?1 ORDER BY e.seq")     \
    X(HISTORY, "SELECT e.seq FROM event e INDEXED BY event_subject WHERE e.subject_id = ?1 "       \
               "ORDER BY e.seq")                                                                   \
    X(INBOX_FIND, "SELECT seq FROM event INDEXED BY event_subject "                                \
                  "WHERE subject_id = ?1 AND direction = 0 AND source = ?2 AND id = ?3")           \
    X(OUTBOX_ADD, "INSERT INTO outbox (seq) VALUES (?1)")                                          \
    X(OUTBOX_DONE, "DELETE FROM outbox WHERE seq = ?1")                                            \
    X(OUTBOX_LIST,                                                                                 \
      "SELECT " SQL_EVENT_COLUMNS ", s.subject FROM outbox o JOIN event e ON e.seq = o.seq "       \
      "JOIN subject s ON s.id = e.subject_id WHERE o.seq > ?1 ORDER BY o.seq LIMIT ?2")            \
    X(STORE_GET, "SELECT newest_fence, hash_seed FROM store")                                      \
    X(FENCE_RESERVE, "UPDATE store SET newest_fence = newest_fence + ?1 RETURNING newest_fence")

enum sqlite_statement {
#define SQL_STATEMENT_ENUM(name, sql) SQL_##name,
    SQL_STATEMENTS(SQL_STATEMENT_ENUM)
#undef SQL_STATEMENT_ENUM
        SQL_COUNT
};

enum sqlite_sync { SQL_SYNC_FULL = 0, SQL_SYNC_NORMAL = 1 };

/* A connection with its statements; one thread at a time. */
struct sqlite_conn {
    struct sqlite_store *store;
    struct sqlite_conn *next; /* of those that wait for a reader */
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT];
};

/* ---- Jobs: all that is written (sqlite_writer.c) ------------------------- */

/* A write, asked for by arvo__sqlite_job() and done within a transaction that it may share with
 * others. `run` is called with the write lock held, and a second time from the beginning when the
 * transaction has to be repeated; so it sets what it gives back anew each time. A status other than
 * ARVO_OK refuses this job alone: what it wrote is undone, and the others go on. It does not begin
 * or end transactions. */
struct sqlite_job {
    arvo_status (*run)(struct sqlite_conn *conn, void *context, arvo_error *err);
    void *context;
    const char *what; /* names the operation in errors */
    size_t bytes;     /* of text that it writes, roughly; 0: little */
    bool is_light;    /* need not survive a power cut by itself: later commits carry it along */
    /* From here the writer's. */
    struct sqlite_job *next;
    arvo_status status;
    bool is_leader;
    sem_t answered;
    arvo_error failure;
};

struct sqlite_writer {
    struct sqlite_conn conn;      /* the leader's */
    enum sqlite_sync sync;        /* of durable jobs */
    enum sqlite_sync sync_now;    /* of the connection */
    char known_definition[128];   /* hash that is stored already; "" none */
    char pending_definition[128]; /* known when the transaction is through */

    pthread_mutex_t mutex; /* guards the queue */
    pthread_cond_t room;
    struct sqlite_job *first, *last;
    size_t count;
    bool is_led; /* somebody writes, or was told to */

    atomic_uint_fast64_t commits, transactions; /* for stats */
};

/* Connections that only read, opened as they are needed. */
struct sqlite_readers {
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    struct sqlite_conn *idle;
    size_t count; /* open ones */
};

struct sqlite_store {
    const arvo_allocator *allocator;
    const arvo_platform *platform;
    char path[SQL_PATH_BYTES_MAX]; /* for error lines */
    bool is_read_only;
    uint64_t hash_seed; /* of subjects in the file */

    struct sqlite_writer writer; /* of mode=ro: it only opened the file */
    struct sqlite_readers readers;

    /* Who in this process holds or waits for a subject; in front of the leases in the file. */
    pthread_mutex_t gate_mutex;
    arvo__pool gate_pool;
    arvo__leases gate;

    /* PATH-lease, mapped; none of it in mode=ro. */
    int lease_fd; /* -1: none */
    struct sqlite_shared *shared;
    int64_t owner; /* offset of the byte that this store keeps locked while it is open */
    atomic_bool is_interrupted;
};

/* ---- sqlite_writer.c ------------------------------------------------------- */

bool arvo__sqlite_writer_init(struct sqlite_writer *writer);
void arvo__sqlite_writer_fini(struct sqlite_writer *writer);

/* Have a job done, with whoever else wants one done now. Returns when it is as durable as it has to
 * be: what `run` gave, or the failure of the transaction. */
arvo_status arvo__sqlite_job(struct sqlite_store *store, struct sqlite_job *job, arvo_error *err);

/* ---- sqlite_conn.c --------------------------------------------------------- */

/* Open the store's file, as SQLite has it, with nothing checked. */
arvo_status arvo__sqlite_conn_open(
    struct sqlite_store *store, struct sqlite_conn *conn, bool is_read_only, arvo_error *err);
void arvo__sqlite_conn_close(struct sqlite_conn *conn);
/* SQLite's own pauses for a locked file grow to 100 ms; a transaction here takes one. */
int arvo__sqlite_busy(void *user, int count);

bool arvo__sqlite_readers_init(struct sqlite_readers *readers);
void arvo__sqlite_readers_fini(struct sqlite_store *store);
/* A connection to read with, until it is given back. Waits while SQL_READERS_MAX are taken. */
arvo_status
arvo__sqlite_reader_take(struct sqlite_store *store, struct sqlite_conn **out, arvo_error *err);
void arvo__sqlite_reader_give(struct sqlite_store *store, struct sqlite_conn *conn);

/* ---- sqlite_statement.c ------------------------------------------------------ */

/* The state of the connection as one line: path, what, what to do. `what` names the operation. */
arvo_status arvo__sqlite_fail(const struct sqlite_conn *conn, const char *what, arvo_error *err);
/* Ready to bind. NULL: it could not be prepared; see arvo__sqlite_fail(). */
sqlite3_stmt *arvo__sqlite_get(struct sqlite_conn *conn, enum sqlite_statement id);
bool arvo__sqlite_bind_str(sqlite3_stmt *stmt, int index, arvo_str text);
/* A subject as ?1 (its hash) and ?2. */
bool arvo__sqlite_bind_subject(struct sqlite_conn *conn, sqlite3_stmt *stmt, arvo_str subject);
arvo_str arvo__sqlite_column_str(sqlite3_stmt *stmt, int column);
/* Step to the end, reset. */
bool arvo__sqlite_run(sqlite3_stmt *stmt);
bool arvo__sqlite_run_id(struct sqlite_conn *conn, enum sqlite_statement id);
/* Step once. SQLITE_ROW, SQLITE_DONE, or an error code; reset it when you are done with the row. */
int arvo__sqlite_step(sqlite3_stmt *stmt);
arvo_status
arvo__sqlite_refuse_read_only(const struct sqlite_store *store, const char *what, arvo_error *err);

/* ---- sqlite_open.c ----------------------------------------------------- */

/* Steps from one schema version to the next; the table ends where to_version is 0. */
struct sqlite_migration {
    int from_version, to_version;
    const char *sql;
};

extern const struct sqlite_migration arvo__sqlite_migrations[];

/* Bring the database from the version it has to `target`, in one transaction. */
arvo_status arvo__sqlite_migrate(
    sqlite3 *db, const char *path, const struct sqlite_migration *migrations, int target,
    arvo_error *err);
/* What a file that cannot be opened is, as one line. */
arvo_status arvo__sqlite_open_fail(const struct sqlite_conn *conn, arvo_error *err);
arvo_status arvo__sqlite_open_file(struct sqlite_store *store, int64_t pages, arvo_error *err);

/* ---- sqlite_shared.c: leases between processes -------------------------------- */

arvo_status
arvo__sqlite_shared_open(struct sqlite_store *store, uint64_t newest_fence, arvo_error *err);
void arvo__sqlite_shared_close(struct sqlite_store *store);
/* Whether PATH-lease is still the file that others would open. */
bool arvo__sqlite_shared_is_there(const struct sqlite_store *store);

/* lease->token is given; the rest is set when it is acquired. ARVO_E_FULL: SQL_LEASES_MAX. */
arvo_status arvo__sqlite_shared_acquire(
    struct sqlite_store *store, arvo_str subject, int64_t ttl_ms, int64_t wait_ms,
    bool *out_acquired, arvo_lease *lease, arvo_error *err);
void
arvo__sqlite_shared_release(struct sqlite_store *store, arvo_str subject, const arvo_lease *lease);
arvo_status arvo__sqlite_shared_renew(
    struct sqlite_store *store, arvo_str subject, arvo_lease *lease, int64_t ttl_ms,
    arvo_error *err);
/* ARVO_E_STALE unless the lease is the subject's newest, and not over. From then on nobody takes it
 * over, until the end is told; whether it is told twice, or of a lease that is lost, is all one. */
arvo_status arvo__sqlite_shared_commit_begin(
    struct sqlite_store *store, arvo_str subject, const arvo_lease *lease, int64_t now,
    arvo_error *err);
void arvo__sqlite_shared_commit_end(
    struct sqlite_store *store, arvo_str subject, const arvo_lease *lease, bool release);
/* `count` numbers up to `newest` were reserved in the database. */
arvo_status arvo__sqlite_shared_add_fences(
    struct sqlite_store *store, uint64_t newest, uint64_t count, arvo_error *err);
void arvo__sqlite_shared_interrupt(struct sqlite_store *store);
/* Whether somebody holds the subject's lease now. */
bool arvo__sqlite_shared_is_held(struct sqlite_store *store, arvo_str subject);
arvo_status arvo__sqlite_shared_count(
    struct sqlite_store *store, uint64_t *out_held, uint64_t *out_expired, arvo_error *err);

/* The processes' line in front of SQLite's write lock. */
struct sqlite_turn {
    bool is_taken;
    arvo_lease lease;
};
void arvo__sqlite_turn_take(struct sqlite_store *store, struct sqlite_turn *turn);
void arvo__sqlite_turn_give(struct sqlite_store *store, struct sqlite_turn *turn);

/* A number that each durable transaction of any process changes, and a wait for the next change:
 * look at the number, look for work, wait. Ends at once when the store is interrupted. */
uint32_t arvo__sqlite_commits_seen(struct sqlite_store *store);
void arvo__sqlite_commits_tell(struct sqlite_store *store);
void arvo__sqlite_commits_wait(struct sqlite_store *store, uint32_t seen, int64_t timeout_ms);

/* ---- sqlite_lease.c ---------------------------------------------------- */

arvo_status arvo__sqlite_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err);
arvo_status
arvo__sqlite_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err);
arvo_status arvo__sqlite_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err);
arvo_status arvo__sqlite_renew(
    void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err);
void arvo__sqlite_interrupt(void *self, bool on);
/* ARVO_E_STALE, as a line. */
arvo_status arvo__sqlite_lease_lost(
    const struct sqlite_store *store, const char *what, const arvo_lease *lease, arvo_error *err);
/* A new range of fences, from the database to PATH-lease. */
arvo_status arvo__sqlite_reserve_fences(struct sqlite_store *store, arvo_error *err);
/* The lease is given back: let the next one in this process have it. */
void arvo__sqlite_gate_leave(struct sqlite_store *store, arvo_str subject, const arvo_lease *lease);

/* ---- sqlite_commit.c --------------------------------------------------- */

arvo_status
arvo__sqlite_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err);
arvo_status arvo__sqlite_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err);
arvo_status arvo__sqlite_outbox_done(void *self, int64_t seq, arvo_error *err);

/* ---- sqlite_read.c ----------------------------------------------------- */

arvo_status arvo__sqlite_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err);
arvo_status arvo__sqlite_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err);
arvo_status arvo__sqlite_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user,
    arvo_error *err);
arvo_status arvo__sqlite_list(
    void *self, const arvo_record_query *query, arvo_record_fn each, void *user, arvo_error *err);
arvo_status arvo__sqlite_history(
    void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err);
/* Record and inbox of a subject that is locked, from one moment. */
arvo_status arvo__sqlite_read_locked(
    struct sqlite_store *store, const arvo_lock_request *request, arvo_arena *arena,
    arvo_locked *out, arvo_error *err);
/* 0: the subject is not known. */
arvo_status arvo__sqlite_subject_id(
    struct sqlite_conn *conn, arvo_str subject, const char *what, int64_t *out, arvo_error *err);
arvo_status arvo__sqlite_inbox_seq(
    struct sqlite_conn *conn, int64_t subject_id, arvo_str source, arvo_str id, const char *what,
    int64_t *out, arvo_error *err);

#endif
