/* memory/postgres.h - the parts of the PostgreSQL store ("postgres://...").
 *
 *   threads ---> lane: lock    ---\
 *           ---> lane: unlock  ----> groups ---> pool of connections ---> server
 *           ---> lane: commit  ---/                  ^
 *           ---> reads, claims, ... -----------------+
 *   watcher thread: LISTEN, wakes who waits for a lease or for events; NOTIFY
 *
 * What many threads ask of a lane at once goes to the server as one call, with
 * an outcome for each (postgres_lane.c). The server's functions, and why they
 * are functions, are in postgres_schema.c.
 *
 * Locks: each of the mutexes below is taken alone; none is held while the
 * server is asked. libpq is opened when the first store is.
 */
#ifndef ARVO_SRC_MEMORY_POSTGRES_H
#define ARVO_SRC_MEMORY_POSTGRES_H

#include <libpq-fe.h>

#include "memory/internal.h"

#define PG_SCHEMA_VERSION     1
#define PG_APPLICATION        "Arvo"
#define PG_POOL_DEFAULT       8
#define PG_POOL_MAX           64
#define PG_TIMEOUT_MS_DEFAULT 30000 /* of one call */
#define PG_CONNECT_MS         10000 /* of one attempt */
#define PG_RETRIES            5     /* of a call whose transaction the server gave up */
#define PG_RECONNECT_MS_MAX   1000  /* pause between attempts, doubled from 10 ms */
#define PG_RECONNECT_MS       10000 /* as long a call tries to connect again */
#define PG_IDLE_CHECK_MS      10000 /* idle longer: asked whether it lives before it is used */
#define PG_ROWS_DEFAULT       ((size_t)1000)
#define PG_PAGE_ROWS          256u                       /* rows fetched at once */
#define PG_GROUP_MAX          256u                       /* operations of one group */
#define PG_GROUP_BYTES_MAX    ((size_t)16 * 1024 * 1024) /* one operation may be larger, alone */
#define PG_EVENTS_MAX         100000u                    /* rows of one commit */
#define PG_SCHEMA_NAME_MAX    40u
#define PG_WAITER_KEEP_MS     3000 /* a ticket nobody looked after for that long is void */
#define PG_WAIT_LOOK_MS       1000 /* a waiter looks by itself that often; it is woken before */
#define PG_WAIT_LOOK_BLIND_MS 25   /* the same where notifications do not arrive */
#define PG_PARTITION_ROWS     5000000
#define PG_SERVER_MIN         130000
#define PG_LOCK_GROUPS        2 /* at the server at once */
#define PG_COMMIT_GROUPS      2
#define PG_UUID_BYTES         37u /* with NUL */
#define PG_PARAMS_MAX         32u

/* ---- libpq (postgres_library.c) ----------------------------------------- */

#define PQ_FUNCTIONS(X)                                                                            \
    X(PQconnectStartParams)                                                                        \
    X(PQconnectPoll)                                                                               \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQfinish)                                                                                    \
    X(PQstatus)                                                                                    \
    X(PQsocket)                                                                                    \
    X(PQerrorMessage)                                                                              \
    X(PQconninfoParse)                                                                             \
    X(PQconninfoFree)                                                                              \
    X(PQfreemem)                                                                                   \
    X(PQsetnonblocking)                                                                            \
    X(PQsendQueryParams)                                                                           \
    X(PQsendQuery)                                                                                 \
    X(PQflush)                                                                                     \
    X(PQconsumeInput)                                                                              \
    X(PQisBusy)                                                                                    \
    X(PQgetResult)                                                                                 \
    X(PQresultStatus)                                                                              \
    X(PQresultErrorField)                                                                          \
    X(PQntuples)                                                                                   \
    X(PQgetvalue)                                                                                  \
    X(PQgetlength)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQclear)                                                                                     \
    X(PQnotifies)                                                                                  \
    X(PQgetCancel)                                                                                 \
    X(PQcancel)                                                                                    \
    X(PQfreeCancel)                                                                                \
    X(PQhost)                                                                                      \
    X(PQport)                                                                                      \
    X(PQdb)                                                                                        \
    X(PQparameterStatus)                                                                           \
    X(PQserverVersion)

struct postgres_library {
#define PQ_MEMBER(name) __typeof__(name) *name;
    PQ_FUNCTIONS(PQ_MEMBER)
#undef PQ_MEMBER
};

extern struct postgres_library arvo__pq;

arvo_status arvo__postgres_library_open(arvo_error *err);

/* ---- Parameters (postgres_param.c) --------------------------------------- */

/* The parameters of one call, as libpq wants them: arrays in the binary format. Failure is sticky,
 * in `bytes`. */
struct postgres_params {
    arvo_buf bytes;
    size_t count;
    Oid types[PG_PARAMS_MAX];
    size_t offsets[PG_PARAMS_MAX]; /* of the value in `bytes`; SIZE_MAX: NULL */
    int lengths[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX];
};

void arvo__pg_params_init(struct postgres_params *params, const arvo_allocator *allocator);
void arvo__pg_params_fini(struct postgres_params *params);
void arvo__pg_text(struct postgres_params *params, arvo_str text); /* none: NULL */
void arvo__pg_int(struct postgres_params *params, int64_t number);
void arvo__pg_int_none(struct postgres_params *params); /* NULL */
void arvo__pg_bool(struct postgres_params *params, bool is_true);
void arvo__pg_uuid(struct postgres_params *params, const uint8_t bytes[16]);
/* An array parameter: begin, `count` elements, end. */
enum postgres_element { PG_TEXTS, PG_INTS, PG_SMALLS, PG_BOOLS, PG_UUIDS };
void
arvo__pg_array_begin(struct postgres_params *params, enum postgres_element element, size_t count);
void arvo__pg_element_text(struct postgres_params *params, arvo_str text);
void arvo__pg_element_int(struct postgres_params *params, int64_t number);
void arvo__pg_element_small(struct postgres_params *params, int32_t number);
void arvo__pg_element_bool(struct postgres_params *params, bool is_true);
void arvo__pg_element_uuid(struct postgres_params *params, const uint8_t bytes[16]);
void arvo__pg_array_end(struct postgres_params *params);

int64_t arvo__pg_get_int(const PGresult *result, int row, int column); /* NULL: 0 */
bool arvo__pg_get_bool(const PGresult *result, int row, int column);
arvo_str arvo__pg_get_str(const PGresult *result, int row, int column); /* borrowed of the result */
bool arvo__pg_get_uuid(const PGresult *result, int row, int column, uint8_t out[16]);
void arvo__pg_uuid_format(const uint8_t bytes[16], char out[PG_UUID_BYTES]);
/* Text that PostgreSQL can hold: UTF-8 without NUL. What names it. */
arvo_status arvo__pg_text_check(arvo_str text, const char *what, arvo_error *err);

/* ---- Connections (postgres_connection.c) ---------------------------------- */

/* What a failed call left behind. */
enum postgres_failure {
    PG_NO_FAILURE = 0,
    PG_LOST,     /* the connection: what came of the call is not known */
    PG_GIVEN_UP, /* the server undid the transaction; trying again may help */
    PG_REFUSED,  /* the server undid it, and would again */
    PG_EPOCH,    /* somebody asked what came of this writer's call before */
};

struct postgres_connection {
    PGconn *conn;
    bool is_busy;
    bool is_listening;             /* its notifications are kept */
    enum postgres_failure failure; /* of the newest call */
    int64_t used_ms;               /* monotonic */
    /* The writer, which outlives the connection: see commit. */
    uint8_t writer[16];
    bool has_writer;
    int64_t epoch, number;
};

struct postgres_store;

/* The error of this store as a line that names it: never what a password is part of. */
arvo_status arvo__pg_fail(
    const struct postgres_store *store, arvo_status st, const char *what, const char *why,
    arvo_error *err);
/* A connection of one's own, until it is given back. Waits for one, connects, tries again. */
arvo_status arvo__pg_take(
    struct postgres_store *store, const char *what, struct postgres_connection **out,
    arvo_error *err);
void arvo__pg_give(struct postgres_store *store, struct postgres_connection *connection);
/* Whether a call that failed is tried again; pauses, longer each time, when it is. */
struct postgres_patience {
    int64_t until_ms, pause_ms;
    int given_up;
};
void arvo__pg_patience_init(struct postgres_patience *patience, int64_t for_ms);
bool arvo__pg_patience(struct postgres_patience *patience, enum postgres_failure failure);
PGconn *arvo__pg_connect(struct postgres_store *store, const char *what, arvo_error *err);
/* One statement; `params` nullable. *out owned (PQclear) on success. A failed one that lost the
 * connection has closed it. */
arvo_status arvo__pg_query(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    const char *sql, const struct postgres_params *params, PGresult **out, arvo_error *err);
/* Any number of statements, without parameters; the result is the last one's. */
arvo_status arvo__pg_script(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    const char *sql, PGresult **out, arvo_error *err);
/* SELECT * FROM function($1, ...), the same way. */
arvo_status arvo__pg_call_on(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    const char *function, const struct postgres_params *params, PGresult **out, arvo_error *err);
/* The same with a connection of the pool, as often as it takes: only for what may be done twice. */
arvo_status arvo__pg_call(
    struct postgres_store *store, const char *what, const char *function,
    const struct postgres_params *params, PGresult **out, arvo_error *err);
/* The same for a statement in which `~` stands for the schema. */
arvo_status arvo__pg_select(
    struct postgres_store *store, const char *what, const char *sql,
    const struct postgres_params *params, PGresult **out, arvo_error *err);
/* `sql` with the schema put in: `~` quoted, `@` as it is. */
void arvo__pg_expand(const struct postgres_store *store, const char *sql, arvo_buf *out);
void arvo__pg_pause(int64_t ms);

/* ---- Lanes (postgres_lane.c) ---------------------------------------------- */

/* What a thread wants of the server; on its stack until it is done. */
struct postgres_op {
    struct postgres_op *next;
    pthread_cond_t cond;
    bool is_done;
    arvo_status status;
    arvo_error *err;
    size_t bytes;         /* roughly, of its parameters */
    size_t key_count;     /* subjects and outbox rows it touches */
    const uint64_t *keys; /* their hashes: two of the same are never in one group */
    void *request;        /* of the lane's own kind */
};

struct postgres_lane {
    pthread_mutex_t mutex;
    struct postgres_op *first, *last;
    int running, running_max; /* groups at the server */
    /* Does it, and sets the status of each. */
    void (*run)(struct postgres_store *store, struct postgres_op **ops, size_t count);
};

bool arvo__pg_lane_init(
    struct postgres_lane *lane, int running_max,
    void (*run)(struct postgres_store *store, struct postgres_op **ops, size_t count));
/* Asks the server for all of a group, and sets the status of each when that worked. */
typedef arvo_status postgres_group_fn(
    struct postgres_store *store, struct postgres_op **ops, size_t count, arvo_error *err);
/* What the server refuses as a whole is asked for one by one, so that nobody fails for another.
 * What it could not be asked at all is not asked again. */
void arvo__pg_run_group(
    struct postgres_store *store, struct postgres_op **ops, size_t count, postgres_group_fn *group);
/* Of a subject or an outbox row. Never 0. */
static inline uint64_t
arvo__pg_key(const void *bytes, size_t len)
{
    const uint64_t hash = arvo__hash_keyed(bytes, len);
    return hash != 0 ? hash : 1;
}
arvo_status arvo__pg_lane_do(
    struct postgres_store *store, struct postgres_lane *lane, struct postgres_op *op,
    arvo_error *err);

/* ---- The store (postgres.c) ------------------------------------------------ */

struct postgres_waiter {
    struct postgres_waiter *next;
    uint8_t token[16];
    pthread_cond_t cond;
    bool is_woken;
};

enum postgres_sync { PG_SYNC_FULL = 0, PG_SYNC_SERVER = 1 };

struct postgres_store {
    const arvo_allocator *allocator;
    const arvo_platform *platform;
    char schema[PG_SCHEMA_NAME_MAX + 1];
    arvo__reach reach;
    char where[256]; /* host, database and schema, for error lines */
    PQconninfoOption *options;
    enum postgres_sync sync;
    bool is_migrating;
    int64_t timeout_ms, partition_rows;

    pthread_mutex_t pool_mutex;
    pthread_cond_t pool_free;
    size_t pool_max;
    struct postgres_connection pool[PG_POOL_MAX];

    struct postgres_lane locks, unlocks, commits;
    uint64_t commit_count, transaction_count; /* atomic */
    char known_definition[128];               /* of the newest stored one; under the lane's mutex */
    int64_t partition_at;                     /* atomic: make partitions when a seq reaches it */

    /* Who in this process holds or waits for a subject; in front of the leases in the database. */
    arvo__gate gate;

    pthread_mutex_t wait_mutex; /* guards all below */
    struct postgres_waiter *waiters;
    pthread_cond_t outbox_cond;
    uint64_t outbox_turn; /* grows when there may be something to claim */
    bool is_interrupted;
    bool is_hearing; /* notifications arrive */
    /* What the watcher thread has to tell other processes. */
    uint8_t (*told)[16];
    size_t told_count, told_cap;
    bool is_outbox_told;
    bool is_closing;
    bool has_thread;
    pthread_t thread;
    int wake_fd; /* -1: none */
    uint8_t process[16];
};

/* ---- postgres_open.c -------------------------------------------------------- */

struct postgres_migration {
    int from_version, to_version; /* 0, 0: the end */
    const char *parts[16];        /* one script, in pieces that C allows */
};

extern const struct postgres_migration arvo__postgres_migrations[];

/* The schema is there, of this version, and the server keeps what it is given. */
arvo_status arvo__pg_open_schema(
    struct postgres_store *store, const struct postgres_migration *migrations, int target,
    arvo_error *err);
/* Once a new partition may be needed. */
void arvo__pg_partitions(struct postgres_store *store, int64_t newest_seq);

/* ---- postgres_watch.c --------------------------------------------------------- */

arvo_status arvo__pg_watch_start(struct postgres_store *store, arvo_error *err);
void arvo__pg_watch_stop(struct postgres_store *store);
/* Have another process's waiter (by its token), or its deliverers, woken. */
void arvo__pg_tell_waiter(struct postgres_store *store, const uint8_t token[16]);
void arvo__pg_tell_outbox(struct postgres_store *store);
void arvo__pg_wake_outbox(struct postgres_store *store); /* in this process */
bool arvo__pg_wait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms); /* false: time is over */

/* ---- The operations ------------------------------------------------------------- */

void arvo__pg_run_locks(struct postgres_store *store, struct postgres_op **ops, size_t count);
void arvo__pg_run_unlocks(struct postgres_store *store, struct postgres_op **ops, size_t count);
void arvo__pg_run_commits(struct postgres_store *store, struct postgres_op **ops, size_t count);

/* postgres_lease.c */
arvo_status arvo__pg_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err);
arvo_status arvo__pg_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err);
arvo_status arvo__pg_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err);
arvo_status
arvo__pg_renew(void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err);
void arvo__pg_interrupt(void *self, bool on);

/* postgres_commit.c */
arvo_status arvo__pg_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err);
arvo_status arvo__pg_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err);

/* postgres_read.c */
/* A row whose columns, from `column` on, are a record's strings in their order, then revision,
 * fence, created_ms and updated_ms. */
arvo_status arvo__pg_record(
    struct postgres_store *store, const PGresult *result, int row, int column, arvo_arena *arena,
    arvo_record *out, arvo_error *err);
arvo_status arvo__pg_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err);
arvo_status arvo__pg_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err);
arvo_status arvo__pg_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user,
    arvo_error *err);
arvo_status arvo__pg_list(
    void *self, const arvo_record_query *query, arvo_record_fn each, void *user, arvo_error *err);
arvo_status arvo__pg_history(
    void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err);
/* An event of the columns seq, direction, time_ms, id, source, type, domains, event, subject. */
void arvo__pg_event(const PGresult *result, int row, arvo_stored_event *out);

/* postgres_outbox.c */
arvo_status arvo__pg_outbox_done(void *self, int64_t seq, arvo_error *err);
arvo_status arvo__pg_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__pg_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err);
arvo_status arvo__pg_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err);
arvo_status arvo__pg_outbox_release(void *self, const arvo_claim *claim, arvo_error *err);
arvo_status arvo__pg_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err);
arvo_status arvo__pg_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__pg_dead_retry(void *self, int64_t seq, arvo_error *err);
arvo_status arvo__pg_dead_drop(void *self, int64_t seq, arvo_error *err);

/* postgres_care.c */
arvo_status arvo__pg_stats(void *self, arvo_memory_stats *out, arvo_error *err);
arvo_status arvo__pg_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err);
arvo_status arvo__pg_check(void *self, arvo_finding_fn each, void *user, arvo_error *err);

/* postgres_dump.c */
arvo_status arvo__pg_dump(void *self, arvo_row_fn each, void *user, arvo_error *err);
arvo_status arvo__pg_load(void *self, arvo_row_next next, void *user, arvo_error *err);

#endif
