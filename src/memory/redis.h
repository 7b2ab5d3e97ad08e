/* memory/redis.h - the parts of the Redis store ("redis://HOST:PORT/DB").
 *
 * Every operation is one Lua script on the server (redis.lua). A call is built
 * by its thread, queued, and sent by whichever thread finds a connection free:
 * it sends all that wait in one write, reads their answers, and hands them out
 * (redis_call.c). So many commits share one fsync of the server.
 *
 * Lock order: the mutex of the calls, of the gate, of the waiters: never two together.
 */
#ifndef ARVO_SRC_MEMORY_REDIS_H
#define ARVO_SRC_MEMORY_REDIS_H

#include <hiredis/hiredis.h>
#include <stdatomic.h>

#include "memory/internal.h"

#define REDIS_SCHEMA_VERSION   1
#define REDIS_PORT_DEFAULT     6379
#define REDIS_TIMEOUT_DEFAULT  5000 /* ms, of one answer; a call gives up after twice that */
#define REDIS_LINKS_DEFAULT    2
#define REDIS_LINKS_MAX        16
#define REDIS_BATCH_CALLS_MAX  256u /* sent in one write */
#define REDIS_BATCH_BYTES_MAX  ((size_t)4 * 1024 * 1024)
#define REDIS_NAME_BYTES_MAX   ((size_t)64)
#define REDIS_TEXT_BYTES_MAX   ((size_t)256) /* host, user, path of a socket */
#define REDIS_SECRET_BYTES_MAX ((size_t)1024)
#define REDIS_ROWS_DEFAULT     ((size_t)1000)
#define REDIS_SHA_BYTES        40
#define REDIS_PROCESS_BYTES    16 /* hexadecimal digits that name this store's waiters */
#define REDIS_PAUSE_MS_MIN     10 /* between attempts to reach the server; doubles */
#define REDIS_PAUSE_MS_MAX     500
#define REDIS_LOOK_MS          250 /* who waits for a lease asks at least this often */
#define REDIS_COPY_TTL_MS      120000

/* REDIS_LOCK, REDIS_COMMIT, ...: in the order of redis.lua. */
enum redis_script {
    REDIS_OPEN,
    REDIS_WIPE,
    REDIS_LOCK,
    REDIS_LEAVE,
    REDIS_UNLOCK,
    REDIS_RENEW,
    REDIS_COMMIT,
    REDIS_READ,
    REDIS_INBOX,
    REDIS_HISTORY,
    REDIS_LIST,
    REDIS_FIND,
    REDIS_ROWS,
    REDIS_DONE,
    REDIS_CLAIM,
    REDIS_RETRY,
    REDIS_BURY,
    REDIS_REVIVE,
    REDIS_DROP,
    REDIS_RELEASE,
    REDIS_NEXT,
    REDIS_STATS,
    REDIS_OVERDUE,
    REDIS_PURGE,
    REDIS_COPY,
    REDIS_COPYDEFINITION,
    REDIS_COPYRECORDS,
    REDIS_COPYEVENTS,
    REDIS_COPYROWS,
    REDIS_COPYEND,
    REDIS_LOADBEGIN,
    REDIS_LOAD,
    REDIS_LOADEND,
    REDIS_CHECK,
    REDIS_CHECKROWS,
    REDIS_SCRIPT_COUNT
};

/* What an operator wants the server to keep; checked when a store is opened. */
enum redis_durability {
    REDIS_ALWAYS,    /* appendfsync always: an answer means it is on disk */
    REDIS_EVERYSEC,  /* at least appendfsync everysec: a power cut costs a second */
    REDIS_NONE,      /* whatever the server does */
    REDIS_UNCHECKED, /* the server does not let us look */
};

/* Where the server is, from the URL. */
struct redis_address {
    char host[REDIS_TEXT_BYTES_MAX]; /* or the path of a socket */
    bool is_unix;
    int port;
    char user[REDIS_TEXT_BYTES_MAX]; /* "" none */
    char password[REDIS_SECRET_BYTES_MAX];
    int64_t db;
};

/* One connection. Used by the thread that has set is_busy. */
struct redis_link {
    redisContext *context; /* NULL: not connected */
    bool is_busy;
    uint64_t address_version; /* that it is connected to */
    arvo_buf out;
    struct redis_call *batch[REDIS_BATCH_CALLS_MAX];
    size_t batch_count;
};

/* One script to run. Built and waited for by one thread; see arvo__redis_run(). */
struct redis_call {
    enum redis_script script;
    arvo_buf body; /* arguments behind KEYS[1], in Redis's protocol */
    size_t argc;
    size_t again_at; /* in body: the character that says "asked again"; 0: may be sent twice */
    bool is_durable; /* writes what WAIT has to wait for */
    bool is_final;   /* not to be tried again, whatever came of it */
    bool is_commit;

    bool is_done, is_first; /* is_first: may take a connection */
    bool was_sent;          /* at least partly, and no answer came */
    bool use_text;          /* the server does not know the script: send it whole */
    arvo_status status;     /* of the connection; ARVO_OK: reply is there */
    redisReply *reply;      /* owned */
    arvo_error err;
    pthread_cond_t cond;
    struct redis_call *next;
};

/* Who waits for a lease in this process and behind it in the line of the server. On the stack. */
struct redis_waiter {
    struct redis_waiter *next;
    uint64_t number;
    bool is_told;
    pthread_cond_t cond;
};

struct redis_store {
    const arvo_allocator *allocator;
    const arvo_platform *platform;
    arvo__reach reach;
    struct redis_address address;
    char label[REDIS_TEXT_BYTES_MAX + 64]; /* for error lines: no secrets */
    char name[REDIS_NAME_BYTES_MAX];
    char prefix[REDIS_NAME_BYTES_MAX + 8]; /* "{NAME}:" */
    char shas[REDIS_SCRIPT_COUNT][REDIS_SHA_BYTES + 1];
    int64_t timeout_ms;
    int64_t durability; /* enum redis_durability */
    int64_t wait_replicas, wait_local;
    int64_t load_again;
    atomic_uint_least64_t commits, transactions;
    atomic_uint_least64_t connections; /* made so far */

    pthread_mutex_t calls_mutex; /* guards everything from here to the gate, and address */
    uint64_t address_version;    /* grows when a cluster sends us elsewhere */
    struct redis_link links[REDIS_LINKS_MAX];
    int64_t link_count;
    struct redis_call *first, *last; /* waiting to be sent */
    char known_definition[128];      /* hash that is stored already; "" none */
    uint64_t known_since;            /* value of `connections` when it was */

    arvo__gate gate; /* in front of the leases on the server */

    pthread_mutex_t wait_mutex; /* guards everything from here */
    pthread_cond_t wait_changed;
    char process[REDIS_PROCESS_BYTES + 1];
    uint64_t waiter_number;
    struct redis_waiter *waiters;
    uint64_t outbox_news; /* how often the server said that there is something to claim */
    bool is_interrupted;
    bool is_listening; /* the thread runs */
    bool is_heard;     /* subscribed: what is published arrives */
    bool is_closing;
    int listen_pipe[2];
    pthread_t listener;
};

/* ---- redis_url.c --------------------------------------------------------- */

/* `rest` is the URL behind its scheme; *out_query what stands behind the `?`. */
arvo_status arvo__redis_url_parse(
    arvo_str rest, bool is_unix, struct redis_address *out, arvo_str *out_query, arvo_error *err);

/* ---- redis_link.c: connections ------------------------------------------- */

void arvo__redis_sleep_ms(int64_t ms);

/* Connect, authenticate, choose the database. */
arvo_status arvo__redis_connect(struct redis_store *store, redisContext **out, arvo_error *err);
/* Write all of it. false: the connection is broken. */
bool arvo__redis_send(redisContext *context, arvo_str bytes);
void arvo__redis_command_append(arvo_buf *out, size_t argc, const arvo_str *argv);
/* One command and its answer, owned by the caller; an error of the server is an answer.
 * NULL: the connection is broken. */
redisReply *arvo__redis_command(redisContext *context, size_t argc, const arvo_str *argv);
/* What the server answered instead, or why the connection broke, as one line. */
arvo_status arvo__redis_refused(
    const struct redis_store *store, const char *what, const redisReply *reply, arvo_error *err);
/* Read what the server is and how it is set, and refuse what would lose workflows silently. */
arvo_status
arvo__redis_check_server(struct redis_store *store, redisContext *context, arvo_error *err);
/* Have the server keep the scripts. */
arvo_status
arvo__redis_load_scripts(struct redis_store *store, redisContext *context, arvo_error *err);
const char *arvo__redis_script_text(enum redis_script script);
/* "MOVED slot host:port": the store has another address from now on. false: it is none. */
bool arvo__redis_moved(struct redis_store *store, const redisReply *reply);

/* ---- redis_call.c -------------------------------------------------------- */

arvo_status
arvo__redis_call_init(struct redis_store *store, struct redis_call *call, enum redis_script script);
void arvo__redis_call_fini(struct redis_call *call);
void arvo__redis_arg(struct redis_call *call, arvo_str text); /* none: as empty */
void arvo__redis_arg_int(struct redis_call *call, int64_t number);
void arvo__redis_arg_token(struct redis_call *call, const uint8_t *token); /* 32 digits */
/* Send it and wait for the answer: an array that begins with a word. Reconnects and repeats as
 * long as that is safe and the time lasts. `what` names the operation. */
arvo_status arvo__redis_run(
    struct redis_store *store, struct redis_call *call, const char *what, arvo_error *err);
/* The word at the front of an answer. */
bool arvo__redis_is(const struct redis_call *call, const char *word);
/* Element `i` of an array, of that type; NULL: it is not there or another. */
const redisReply *arvo__redis_at(const redisReply *array, size_t i, int type);
int64_t arvo__redis_int_at(const redisReply *array, size_t i); /* of a text too; 0: none */
arvo_str arvo__redis_str_at(const redisReply *array, size_t i);
/* The answer has another shape than the script gives it. */
arvo_status arvo__redis_odd(const struct redis_store *store, const char *what, arvo_error *err);

/* ---- redis_lease.c, redis_listen.c --------------------------------------- */

arvo_status arvo__redis_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err);
arvo_status arvo__redis_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err);
arvo_status
arvo__redis_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err);
arvo_status
arvo__redis_renew(void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err);
/* "FENCE TOKEN ", as a lease begins on the server. */
void arvo__redis_arg_lease(struct redis_call *call, const arvo_lease *lease);

/* Have what the server publishes heard; waits a moment for it, not beyond the deadline of who waits
 * for the news, and does without when it takes longer. Called with wait_mutex held. */
void arvo__redis_listen(struct redis_store *store, int64_t deadline);
void arvo__redis_listen_stop(struct redis_store *store);
void arvo__redis_interrupt(void *self, bool on);

/* ---- redis_commit.c ------------------------------------------------------ */

arvo_status
arvo__redis_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err);
arvo_status arvo__redis_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err);
/* The key of an event in an inbox: "LENGTH SOURCE ID". */
void arvo__redis_arg_inbox(struct redis_call *call, arvo_str source, arvo_str id);
/* The fields of a record with their values, nulls left out. *out_status is not among what is
 * counted. Gives how many words were appended. */
size_t arvo__redis_arg_record(struct redis_call *call, const arvo_record *record, bool with_times);

/* ---- redis_read.c -------------------------------------------------------- */

/* HGETALL of a record; strings borrowed from the answer. *out_found false: the answer is empty. */
arvo_status arvo__redis_record(
    const struct redis_store *store, const redisReply *reply, arvo_str subject, const char *what,
    bool *out_found, arvo_record *out, arvo_error *err);
bool arvo__redis_record_copy(arvo_record *record, arvo_arena *arena);
/* {"SEQ-0", fields, subject, attempts, due, error}; strings borrowed from the answer. */
arvo_status arvo__redis_event(
    const struct redis_store *store, const redisReply *reply, arvo_str subject, const char *what,
    arvo_outbox_row *out, int64_t *out_cause, arvo_error *err);
arvo_status arvo__redis_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err);
arvo_status arvo__redis_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err);
arvo_status arvo__redis_list(
    void *self, const arvo_record_query *query, arvo_record_fn each, void *user, arvo_error *err);
arvo_status arvo__redis_history(
    void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err);

/* ---- redis_outbox.c ------------------------------------------------------ */

arvo_status arvo__redis_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user,
    arvo_error *err);
arvo_status arvo__redis_outbox_done(void *self, int64_t seq, arvo_error *err);
arvo_status arvo__redis_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__redis_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err);
arvo_status arvo__redis_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err);
arvo_status arvo__redis_outbox_release(void *self, const arvo_claim *claim, arvo_error *err);
arvo_status arvo__redis_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err);
arvo_status arvo__redis_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__redis_dead_retry(void *self, int64_t seq, arvo_error *err);
arvo_status arvo__redis_dead_drop(void *self, int64_t seq, arvo_error *err);

/* ---- redis_care.c, redis_copy.c ------------------------------------------ */

arvo_status arvo__redis_stats(void *self, arvo_memory_stats *out, arvo_error *err);
arvo_status
arvo__redis_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err);
arvo_status arvo__redis_check(void *self, arvo_finding_fn each, void *user, arvo_error *err);
arvo_status arvo__redis_dump(void *self, arvo_row_fn each, void *user, arvo_error *err);
/* What a load that did not end has left. */
arvo_status arvo__redis_wipe(struct redis_store *store, arvo_error *err);
arvo_status arvo__redis_load(void *self, arvo_row_next next, void *user, arvo_error *err);

#endif
