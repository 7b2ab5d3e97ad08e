/* memory/sqlite.h - the parts of the SQLite store ("sqlite:PATH").
 *
 * One connection writes, a few read beside it. Every write is a job
 * (arvo__sqlite_job): those that are asked for at the same time share a
 * transaction. sqlite.c draws the layout, sqlite_writer.c the queue.
 *
 * Locks: the gate's, the writer's, the readers' and the cache's mutexes are never
 * held together, nor while SQLite works.
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
#define SQL_CHECKPOINT_OPTIONS "PRAGMA synchronous=FULL"
#define SQL_READER_OPTIONS     "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096"
#define SQL_LEASES_MAX         8192u /* held at once, by all processes together */
#define SQL_INBOX_KEYS_MAX     32u   /* consumed events of a subject that the cache knows */
#define SQL_INBOX_ROWS_MAX     16    /* of them read from the file for it */
#define SQL_ROWS_DEFAULT       ((size_t)1000)
#define SQL_PATH_BYTES_MAX     ((size_t)4096)
#define SQL_APPLICATION_ID     0x4172766f /* "Arvo" */
#define SQL_SCHEMA_VERSION     2
#define SQL_WAKE_MAX           1000 /* held-up subjects that one claim lets go on */

/* Every statement, prepared on its first use. */
#define SQL_RECORD_COLUMNS                                                                         \
    "s.subject, i.parent_subject, i.orchestrator, i.version, i.status, i.value, i.state, "         \
    "i.last_error, i.input, i.definition, i.revision, i.fence, i.created_ms, i.updated_ms, i.id"
#define SQL_EVENT_COLUMNS                                                                          \
    "e.seq, e.direction, e.cause, e.time_ms, e.id, e.source, e.type, e.domains, e.event"

#define SQL_OUTBOX_COLUMNS "seq, subject_id, attempts, due_ms, max(due_ms, claimed_ms), error"
#define SQL_NOT_IN_FLIGHT                                                                          \
    " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.subject_id = i.id)"                           \
    " AND NOT EXISTS (SELECT 1 FROM dead d WHERE d.subject_id = i.id)"

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
    X(INSTANCE_HEAD, "SELECT revision FROM instance WHERE id = ?1")                                \
    X(INSTANCE_ADD,                                                                                \
      "INSERT INTO instance (id, revision, fence, updated_ms, parent_subject, orchestrator, "      \
      "version, definition, value, last_error, input, state, status, created_ms) "                 \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?4)")                       \
    X(INSTANCE_UPDATE,                                                                             \
      "UPDATE instance SET revision = ?2, fence = ?3, updated_ms = ?4, parent_subject = ?5, "      \
      "orchestrator = ?6, version = ?7, definition = ?8, value = ?9, last_error = ?10, "           \
      "input = ?11, state = ?12 WHERE id = ?1 AND revision = ?2 - 1 AND status = ?13")             \
    X(INSTANCE_STATUS, "UPDATE instance SET status = ?2 WHERE id = ?1")                            \
    X(DEFINITION_ADD, "INSERT OR IGNORE INTO definition (hash, document) VALUES (?1, ?2)")         \
    X(EVENT_ADD,                                                                                   \
      "INSERT INTO event (subject_id, direction, cause, time_ms, id, source, type, domains, "      \
      "event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                        \
    X(EVENT_GET, "SELECT " SQL_EVENT_COLUMNS " FROM event e WHERE e.seq = ?1")                     \
    X(OUTCOME, "SELECT seq FROM event INDEXED BY event_subject WHERE subject_id = ?1 "             \
               "AND direction = 1 AND seq > ?2 AND cause = ?2 ORDER BY seq")                       \
    X(HISTORY, "SELECT e.seq FROM event e INDEXED BY event_subject WHERE e.subject_id = ?1 "       \
               "ORDER BY e.seq")                                                                   \
    X(LOCKED_READ, "SELECT " SQL_RECORD_COLUMNS ", s.id FROM subject s LEFT JOIN instance i "      \
                   "ON i.id = s.id WHERE s.hash = ?1 AND s.subject = ?2")                          \
    X(INBOX_ROWS, "SELECT source, id FROM event INDEXED BY event_subject "                         \
                  "WHERE subject_id = ?1 AND direction = 0 LIMIT ?2")                              \
    X(INBOX_FIND, "SELECT seq FROM event INDEXED BY event_subject "                                \
                  "WHERE subject_id = ?1 AND direction = 0 AND source = ?2 AND id = ?3")           \
    X(OUTBOX_ADD,                                                                                  \
      "INSERT INTO outbox (seq, subject_id, head_ms) VALUES (?1, ?2, CASE WHEN EXISTS "            \
      "(SELECT 1 FROM outbox INDEXED BY outbox_subject WHERE subject_id = ?2) THEN NULL "          \
      "ELSE 0 END)")                                                                               \
    X(OUTBOX_REMOVE, "DELETE FROM outbox WHERE seq = ?1 RETURNING subject_id, head_ms")            \
    X(OUTBOX_PROMOTE,                                                                              \
      "UPDATE outbox SET head_ms = max(due_ms, claimed_ms) WHERE seq = (SELECT seq FROM outbox "   \
      "INDEXED BY outbox_subject WHERE subject_id = ?1 ORDER BY seq LIMIT 1)")                     \
    X(OUTBOX_WAKE,                                                                                 \
      "UPDATE outbox SET head_ms = 0 WHERE seq IN (SELECT seq FROM outbox INDEXED BY outbox_head " \
      "WHERE head_ms > 0 AND head_ms <= ?1 ORDER BY head_ms LIMIT ?2)")                            \
    X(OUTBOX_SLEEP, "UPDATE outbox SET head_ms = ?2 WHERE seq = ?1")                               \
    X(OUTBOX_HEADS, "SELECT " SQL_OUTBOX_COLUMNS " FROM outbox INDEXED BY outbox_head "            \
                    "WHERE head_ms = 0 ORDER BY seq LIMIT ?1")                                     \
    X(OUTBOX_BEHIND, "SELECT " SQL_OUTBOX_COLUMNS " FROM outbox INDEXED BY outbox_subject "        \
                     "WHERE subject_id = ?1 AND seq > ?2 ORDER BY seq LIMIT 1")                    \
    X(OUTBOX_FIRST_WAKE, "SELECT head_ms FROM outbox INDEXED BY outbox_head "                      \
                         "WHERE head_ms IS NOT NULL ORDER BY head_ms LIMIT 1")                     \
    X(OUTBOX_CLAIM, "UPDATE outbox SET claimed_ms = ?2, token = ?3, head_ms = CASE WHEN head_ms "  \
                    "IS NULL THEN NULL ELSE ?2 END WHERE seq = ?1")                                \
    X(OUTBOX_OWNED, "SELECT subject_id, attempts FROM outbox WHERE seq = ?1 AND token = ?2")       \
    X(OUTBOX_RETRY,                                                                                \
      "UPDATE outbox SET claimed_ms = 0, token = NULL, attempts = ?2, due_ms = ?3, error = ?4, "   \
      "head_ms = CASE WHEN head_ms IS NULL THEN NULL ELSE ?3 END WHERE seq = ?1")                  \
    X(OUTBOX_LET_GO, "UPDATE outbox INDEXED BY outbox_token SET claimed_ms = 0, token = NULL "     \
                     "WHERE token = ?1 AND subject_id = ?2 AND seq > ?3")                          \
    X(OUTBOX_RELEASE,                                                                              \
      "UPDATE outbox INDEXED BY outbox_token SET claimed_ms = 0, token = NULL, "                   \
      "head_ms = CASE WHEN head_ms IS NULL THEN NULL ELSE due_ms END WHERE token = ?1")            \
    X(OUTBOX_BACK, "INSERT INTO outbox (seq, subject_id, head_ms) VALUES (?1, ?2, ?3)")            \
    X(OUTBOX_HEAD_OF, "SELECT seq FROM outbox INDEXED BY outbox_subject WHERE subject_id = ?1 "    \
                      "ORDER BY seq LIMIT 1")                                                      \
    X(OUTBOX_UNHEAD, "UPDATE outbox SET head_ms = NULL WHERE seq = ?1")                            \
    X(OUTBOX_EVENT, "SELECT " SQL_EVENT_COLUMNS ", s.subject FROM event e "                        \
                    "JOIN subject s ON s.id = e.subject_id WHERE e.seq = ?1")                      \
    X(DEAD_ADD, "INSERT INTO dead (seq, subject_id, attempts, since_ms, error) "                   \
                "VALUES (?1, ?2, ?3, ?4, ?5)")                                                     \
    X(DEAD_REMOVE, "DELETE FROM dead WHERE seq = ?1 RETURNING subject_id")                         \
    X(DEAD_LIST,                                                                                   \
      "SELECT " SQL_EVENT_COLUMNS ", s.subject, d.attempts, d.since_ms, d.error FROM dead d "      \
      "JOIN event e ON e.seq = d.seq JOIN subject s ON s.id = e.subject_id "                       \
      "WHERE d.seq > ?1 ORDER BY d.seq LIMIT ?2")                                                  \
    X(STATS_STATUS, "SELECT status, count(*) FROM instance INDEXED BY instance_status "            \
                    "GROUP BY status")                                                             \
    X(STATS_OUTBOX,                                                                                \
      "SELECT count(*), (SELECT count(*) FROM outbox INDEXED BY outbox_token WHERE token IS NOT "  \
      "NULL AND claimed_ms > ?1), (SELECT time_ms FROM event WHERE seq = (SELECT min(seq) FROM "   \
      "outbox)) FROM outbox")                                                                      \
    X(STATS_DEAD, "SELECT count(*), min(since_ms) FROM dead")                                      \
    X(PURGE_FIND,                                                                                  \
      "SELECT i.id, s.subject FROM instance i INDEXED BY instance_status JOIN subject s ON "       \
      "s.id = i.id WHERE i.status = ?1 AND i.updated_ms < ?2 "                                     \
      "AND (?3 IS NULL OR i.orchestrator = ?3)" SQL_NOT_IN_FLIGHT " ORDER BY i.id")                \
    X(PURGE_STILL, "SELECT s.subject FROM instance i JOIN subject s ON s.id = i.id "               \
                   "WHERE i.id = ?3 AND i.status = ?1 AND i.updated_ms < ?2" SQL_NOT_IN_FLIGHT)    \
    X(PURGE_EVENTS, "DELETE FROM event WHERE seq IN (SELECT seq FROM event INDEXED BY "            \
                    "event_subject WHERE subject_id = ?1)")                                        \
    X(PURGE_COUNT, "SELECT count(*) FROM event INDEXED BY event_subject WHERE subject_id = ?1")    \
    X(PURGE_INSTANCE, "DELETE FROM instance WHERE id = ?1")                                        \
    X(PURGE_SUBJECT, "DELETE FROM subject WHERE id = ?1")                                          \
    X(DUMP_STORE, "SELECT newest_fence, coalesce((SELECT seq FROM sqlite_sequence WHERE name "     \
                  "= 'event'), 0) FROM store")                                                     \
    X(DUMP_DEFINITION, "SELECT hash, document FROM definition ORDER BY hash")                      \
    X(DUMP_RECORD, "SELECT " SQL_RECORD_COLUMNS " FROM instance i JOIN subject s ON s.id = i.id "  \
                   "ORDER BY i.id")                                                                \
    X(DUMP_EVENT, "SELECT " SQL_EVENT_COLUMNS ", s.subject FROM event e "                          \
                  "LEFT JOIN subject s ON s.id = e.subject_id ORDER BY e.seq")                     \
    X(DUMP_OUTBOX, "SELECT seq, attempts, due_ms, error FROM outbox ORDER BY seq")                 \
    X(DUMP_DEAD, "SELECT seq, attempts, since_ms, error FROM dead ORDER BY seq")                   \
    X(LOAD_EMPTY, "SELECT EXISTS (SELECT 1 FROM subject) OR EXISTS (SELECT 1 FROM definition) "    \
                  "OR EXISTS (SELECT 1 FROM event)")                                               \
    X(LOAD_STORE, "UPDATE store SET newest_fence = max(newest_fence, ?1) + 1")                     \
    X(LOAD_SEQ, "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'event' AND seq < ?1")           \
    X(LOAD_SEQ_ADD, "INSERT INTO sqlite_sequence (name, seq) SELECT 'event', ?1 WHERE NOT EXISTS " \
                    "(SELECT 1 FROM sqlite_sequence WHERE name = 'event')")                        \
    X(LOAD_INSTANCE,                                                                               \
      "INSERT INTO instance (id, revision, fence, created_ms, updated_ms, parent_subject, "        \
      "orchestrator, version, definition, value, last_error, input, state, status) "               \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")                      \
    X(LOAD_EVENT,                                                                                  \
      "INSERT INTO event (seq, subject_id, direction, cause, time_ms, id, source, type, domains, " \
      "event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                                   \
    X(LOAD_PRODUCED, "SELECT subject_id FROM event WHERE seq = ?1 AND direction = 1")              \
    X(LOAD_OUTBOX, "UPDATE outbox SET attempts = ?2, due_ms = ?3, error = ?4, head_ms = CASE "     \
                   "WHEN head_ms IS NULL THEN NULL ELSE ?3 END WHERE seq = ?1")                    \
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
    bool is_alone;    /* in a transaction of its own, and run once only */
    bool is_commit;   /* counts as such in the numbers */
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

/* The events that a subject has consumed, by hashes of their keys. */
struct sqlite_inbox {
    bool is_whole; /* there are no others */
    uint32_t count;
    uint64_t keys[SQL_INBOX_KEYS_MAX];
};

/* Records as they are in the file (sqlite_cache.c). */
struct sqlite_cache {
    size_t bytes_max;      /* of all entries; a test makes it small */
    pthread_mutex_t mutex; /* guards the rest */
    struct sqlite_entry **buckets;
    struct sqlite_entry *newest, *oldest; /* by last use */
    size_t bytes;
};

/* The thread that shortens the log. */
struct sqlite_checkpoint {
    int step_pages, max_pages; /* of the log; a test makes them small */
    int log_pages;             /* after the last commit; this and the next are the leader's */
    int asked_pages;           /* when it was last asked for */
    bool has_thread, has_failed;
    pthread_t thread;
    struct sqlite_conn conn; /* the thread's */
    pthread_mutex_t mutex;   /* guards the rest */
    pthread_cond_t cond;
    bool is_wanted, is_running, is_over;
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
    struct sqlite_checkpoint checkpoint;
    struct sqlite_cache cache;

    /* Who in this process holds or waits for a subject; in front of the leases in the file. */
    arvo__gate gate;

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

/* ---- sqlite_checkpoint.c ----------------------------------------------------- */

bool arvo__sqlite_checkpoint_init(struct sqlite_checkpoint *checkpoint);
/* The writer's connection is open. */
void arvo__sqlite_checkpoint_attach(struct sqlite_store *store);
/* By the leader, between two transactions. */
void arvo__sqlite_checkpoint_after_commit(struct sqlite_store *store);
void arvo__sqlite_checkpoint_fini(struct sqlite_checkpoint *checkpoint);

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
/* `stmt` may be NULL: false. */
bool arvo__sqlite_bind_strs(sqlite3_stmt *stmt, int first, const arvo_str *texts, int count);
bool arvo__sqlite_bind_ints(sqlite3_stmt *stmt, int first, const int64_t *numbers, int count);
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

/* A number that changes before anything of the subject does, in any process; now and then also
 * because another one changes. */
uint32_t arvo__sqlite_stamp(const struct sqlite_store *store, arvo_str subject);
void arvo__sqlite_stamp_change(struct sqlite_store *store, arvo_str subject);

/* ---- sqlite_cache.c ---------------------------------------------------- */

bool arvo__sqlite_cache_init(struct sqlite_cache *cache, const arvo_allocator *allocator);
void arvo__sqlite_cache_fini(struct sqlite_cache *cache, const arvo_allocator *allocator);
/* Record and inbox of a subject that is locked. false: the file has to be asked. */
bool arvo__sqlite_cache_get(
    struct sqlite_store *store, const arvo_lock_request *request, arvo_arena *arena,
    arvo_locked *out);
/* What was read from the file, or written to it, since the stamp was looked at; the subject is
 * locked. Memory that is not to be had costs the entry only. */
void arvo__sqlite_cache_put(
    struct sqlite_store *store, uint32_t stamp, const arvo_record *record,
    const struct sqlite_inbox *inbox);
/* What a commit to this revision leaves as it is. */
bool arvo__sqlite_cache_peek(
    struct sqlite_store *store, arvo_str subject, uint64_t revision, int64_t *out_created_ms,
    struct sqlite_inbox *out_inbox);
uint64_t arvo__sqlite_inbox_key(arvo_str source, arvo_str id);
void arvo__sqlite_inbox_add(struct sqlite_inbox *inbox, uint64_t key);

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

/* ---- sqlite_commit.c --------------------------------------------------- */

arvo_status
arvo__sqlite_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err);
arvo_status arvo__sqlite_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err);
/* The subject's number, made when it is new. */
arvo_status arvo__sqlite_subject_put(
    struct sqlite_conn *conn, arvo_str subject, const char *what, int64_t *out, bool *out_is_new,
    arvo_error *err);
/* A row at the end of its subject. */
bool arvo__sqlite_outbox_add(struct sqlite_conn *conn, int64_t seq, int64_t subject_id);

/* ---- sqlite_outbox.c --------------------------------------------------- */

/* Within a transaction: take the row out, and let the one behind it come. */
arvo_status arvo__sqlite_outbox_remove(
    struct sqlite_conn *conn, int64_t seq, const char *what, bool *out_was_there, arvo_error *err);

/* As in arvo_memory_ops. */
arvo_status arvo__sqlite_outbox_done(void *self, int64_t seq, arvo_error *err);
arvo_status arvo__sqlite_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__sqlite_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err);
arvo_status arvo__sqlite_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err);
arvo_status arvo__sqlite_outbox_release(void *self, const arvo_claim *claim, arvo_error *err);
arvo_status arvo__sqlite_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err);
arvo_status arvo__sqlite_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__sqlite_dead_retry(void *self, int64_t seq, arvo_error *err);
arvo_status arvo__sqlite_dead_drop(void *self, int64_t seq, arvo_error *err);

/* ---- sqlite_care.c, sqlite_dump.c -------------------------------------- */

arvo_status arvo__sqlite_stats(void *self, arvo_memory_stats *out, arvo_error *err);
arvo_status
arvo__sqlite_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err);
arvo_status arvo__sqlite_check(void *self, arvo_finding_fn each, void *user, arvo_error *err);
arvo_status arvo__sqlite_dump(void *self, arvo_row_fn each, void *user, arvo_error *err);
arvo_status arvo__sqlite_load(void *self, arvo_row_next next, void *user, arvo_error *err);

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
/* A row of SQL_EVENT_COLUMNS, copied; the subject is the column behind them when `subject` is none.
 */
arvo_status arvo__sqlite_copy_event(
    const struct sqlite_conn *conn, sqlite3_stmt *stmt, const char *what, arvo_str subject,
    arvo_arena *arena, arvo_stored_event *out, arvo_error *err);
/* 0: the subject is not known. */
arvo_status arvo__sqlite_subject_id(
    struct sqlite_conn *conn, arvo_str subject, const char *what, int64_t *out, arvo_error *err);
arvo_status arvo__sqlite_inbox_seq(
    struct sqlite_conn *conn, int64_t subject_id, arvo_str source, arvo_str id, const char *what,
    int64_t *out, arvo_error *err);

#endif
