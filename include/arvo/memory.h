/* arvo/memory.h - the store interface: records, leases, inbox, outbox, history.
 *
 * docs/guarantees.md says what is promised by which store, and numbers the
 * invariants; this header says how to ask.
 *
 * A store is a table of functions (arvo_memory_ops), checked whole when it is
 * registered. read, write, lock and unlock are required; the rest is optional
 * and used when present. With `commit`, the record, the emitted events, the
 * consumed event's id and the history become durable in one transaction, and
 * an event delivered twice has one effect. Without it the weaker promise of
 * the original holds: state is written, then events are returned; a crash
 * between the two loses them, and redelivery runs the machine again.
 *
 * The protocol: lock(subject) gives a lease with owner token, expiry and a
 * fence, a number that grows with every lease of that subject. write and
 * commit carry the lease; the store refuses one whose fence is older than the
 * newest it has given out for the subject, or whose `previous` revision is
 * not the stored one, with ARVO_E_STALE. A lost lease makes the write fail.
 *
 * Callbacks (`each`) run without any lock of the store, so they may call it.
 *
 * Threads: every function may be called by any number of threads at once.
 */
#ifndef ARVO_MEMORY_H
#define ARVO_MEMORY_H

#include <arvo/base.h>
#include <arvo/platform.h>

ARVO_BEGIN_DECLS

#define ARVO_MEMORY_OPS_VERSION   1u
#define ARVO_LEASE_MS_DEFAULT     30000
#define ARVO_LOCK_WAIT_MS_DEFAULT 5000
#define ARVO_RECORD_BYTES_MAX     ((size_t)64 * 1024 * 1024)
#define ARVO_LOCK_WAITERS_MAX     10000u /* per subject, in one process; more are denied at once */
#define ARVO_CLAIM_MS_DEFAULT     30000
#define ARVO_CLAIM_LIMIT_DEFAULT  64u /* rows of one outbox_claim */
#define ARVO_CLAIM_LIMIT_MAX      1000u
#define ARVO_DELIVERY_ERROR_MAX   ((size_t)500) /* bytes kept of why a delivery failed */
#define ARVO_PURGE_LIMIT_DEFAULT  500u          /* instances of one purge */

/* ---- Records ---------------------------------------------------------------- */

/* The stored state of one workflow instance. Strings whose ptr is NULL are null.
 * value, state, last_error and input are compact JSON texts. */
typedef struct arvo_record {
    arvo_str subject;
    arvo_str parent_subject; /* nullable */
    arvo_str orchestrator;   /* type of its start event, arvo.orc.{name} */
    arvo_str version;        /* of the machine */
    arvo_str status;         /* "active", "done", "error" */
    arvo_str value;          /* nullable */
    arvo_str state;          /* XState's persisted snapshot; null for a failed start */
    arvo_str last_error;     /* nullable; {"errorName","errorMessage","eventId","time"} */
    arvo_str input;          /* nullable; the start event, when the machine needs it later */
    arvo_str definition;     /* nullable (no machine was found); hash of the machine's definition */
    uint64_t revision;       /* 1 for the first write; set by the store */
    uint64_t fence;          /* of the lease that wrote it; set by the store */
    int64_t created_ms;      /* set by the store */
    int64_t updated_ms;      /* set by the store */
} arvo_record;

/** The record as one compact JSON object, the form it has at rest in stores without columns. */
ARVO_API void arvo_record_write(const arvo_record *record, arvo_buf *out);

/**
 * Read that form back.
 * @param out  Strings in the arena.
 * @return ARVO_OK, ARVO_E_CORRUPT (not such a record), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_record_parse(arvo_str json, arvo_arena *arena, arvo_record *out, arvo_error *err);

/* ---- Leases ------------------------------------------------------------------ */

typedef struct arvo_lease {
    uint64_t fence;     /* grows with every lease of the subject */
    uint8_t token[16];  /* random; proves ownership */
    int64_t expires_ms; /* by the store's clock */
} arvo_lease;

/* ---- One atomic write --------------------------------------------------------- */

typedef enum arvo_direction { ARVO_CONSUMED = 0, ARVO_PRODUCED = 1 } arvo_direction;

/* An event as a store keeps it. `json` is the whole event, compact. `domains`
 * is a JSON array of strings. */
typedef struct arvo_stored_event {
    int64_t seq; /* position in the store; set by the store; grows with commit order */
    arvo_direction direction;
    arvo_str subject; /* of the execution that consumed or produced it */
    arvo_str id;
    arvo_str source;
    arvo_str type;
    arvo_str domains; /* consumed: ["default"] */
    arvo_str json;
    int64_t time_ms; /* when it was committed; set by the store */
} arvo_stored_event;

/* What one execution changes. Everything is borrowed for the call. */
typedef struct arvo_commit {
    arvo_str subject;           /* the lease's */
    const arvo_lease *lease;    /* NULL: no lease needed (events only, record NULL) */
    bool release;               /* give the lease back in the same transaction */
    const arvo_record *record;  /* NULL: the record stays */
    uint64_t previous_revision; /* 0: there was no record; checked when record is not NULL */
    const arvo_stored_event
        *consumed; /* inbox key (source, id) within subject, and a history row; NULL: none */
    const arvo_stored_event *produced; /* outbox and history rows, in order */
    size_t produced_count;
    arvo_str definition_json; /* kept once under record->definition; none: not given */
    int64_t outbox_done;      /* seq of the outbox row that this commit consumes; 0: none. Not there
                                 (done by someone else): ARVO_E_EXISTS; in two commits of one batch:
                                 ARVO_E_INVALID; and nothing changes */
} arvo_commit;

/* ---- What step 3 and 4 need, at once ------------------------------------------- */

typedef struct arvo_lock_request {
    arvo_str subject;
    arvo_str source, id; /* of the event that is to be consumed */
    int64_t ttl_ms;      /* <= 0: ARVO_LEASE_MS_DEFAULT */
    int64_t wait_ms;     /* <= 0: do not wait */
} arvo_lock_request;

typedef struct arvo_locked {
    bool is_acquired; /* false: held by someone else; the rest is not set */
    arvo_lease lease;
    bool has_record;
    arvo_record record; /* strings in the arena */
    bool is_consumed;   /* (source, id) is in the subject's inbox: inbox_find has the outcome */
} arvo_locked;

/* ---- Delivery ----------------------------------------------------------------------
 *
 * A row of the outbox goes through
 *
 *   waiting --claim--> claimed --done (by hand, or in the consumer's commit)--> gone
 *      ^                  |----- retry: attempts + 1, due again after a delay --> waiting
 *      |                  |----- its time is over, or release ------------------> waiting
 *      |                  +----- dead ---> dead letter ---drop--> gone (the history keeps it)
 *      +---------------------------------------- retry by hand ---+
 *
 * Order: of one producing subject only the oldest row, and those right behind
 * it with it, can be claimed; while it is claimed or not yet due, nobody gets
 * the ones behind it. A dead letter is out of the way.
 *
 * A claim is a courtesy between deliverers, not a lock: what makes an effect
 * happen once is the inbox, and `outbox_done` of the consumer's commit. So
 * anybody may mark any row done. A claim whose time is over still counts for
 * retry and dead until somebody else takes the row: an attempt that took too
 * long was an attempt. */

typedef struct arvo_claim {
    uint8_t token[16]; /* random; of one deliverer, the same for all it claims */
    int64_t ttl_ms;    /* <= 0: ARVO_CLAIM_MS_DEFAULT; a year at most */
    size_t limit;      /* 0: ARVO_CLAIM_LIMIT_DEFAULT; more than ARVO_CLAIM_LIMIT_MAX is that */
} arvo_claim;

typedef struct arvo_outbox_row {
    arvo_stored_event event;
    uint32_t attempts; /* deliveries that failed */
    int64_t due_ms;    /* not before; 0: at once. A dead letter: since when */
    arvo_str error;    /* why the last attempt failed, as one line of UTF-8, cut to
                          ARVO_DELIVERY_ERROR_MAX; none: no attempt failed */
} arvo_outbox_row;

/* ---- Reading -------------------------------------------------------------------- */

typedef struct arvo_record_query {
    arvo_str orchestrator; /* none: any */
    arvo_str status;       /* none: any */
    arvo_str after;        /* subject to go on behind; none: from the beginning */
    size_t limit;          /* 0: 1000 */
} arvo_record_query;

/* Called once per row; the row is borrowed for the call. Return false to stop. */
typedef bool (*arvo_record_fn)(void *user, const arvo_record *record);
typedef bool (*arvo_stored_event_fn)(void *user, const arvo_stored_event *event);
typedef bool (*arvo_outbox_fn)(void *user, const arvo_outbox_row *row);

/* ---- Looking after a store ------------------------------------------------------- */

/* A count of UINT64_MAX, or a time of -1: this store cannot say it cheaply. */
typedef struct arvo_memory_stats {
    int64_t now_ms;                  /* the store's clock */
    uint32_t schema_version;         /* 0: it has none */
    uint64_t active, done, error;    /* instances */
    uint64_t events;                 /* rows of all histories */
    uint64_t outbox, outbox_claimed; /* claimed ones are part of outbox */
    int64_t outbox_oldest_ms;        /* time of the oldest row's commit; 0: none */
    uint64_t dead;
    int64_t dead_oldest_ms;          /* since when the first of them is dead; 0: none */
    uint64_t leases, leases_expired; /* held; over, and not yet taken over or given back */
    uint64_t bytes;                  /* on disk, or of memory */
    uint64_t commits, transactions;  /* of this process: executions committed, and in how many
                                        transactions (group commit) */
} arvo_memory_stats;

typedef struct arvo_purge {
    arvo_str status;       /* none: done and error */
    arvo_str orchestrator; /* none: any */
    int64_t before_ms;     /* last written before this, by the store's clock */
    size_t limit;          /* instances of this call; 0: ARVO_PURGE_LIMIT_DEFAULT */
    bool is_dry;           /* count only; the limit may be as large as you like */
} arvo_purge;

typedef struct arvo_purged {
    uint64_t instances, events; /* rows of their histories */
    bool is_more;               /* the limit was reached: call again */
} arvo_purged;

/* One row of a whole store, in the order in which `dump` gives and `load` takes them:
 * one ARVO_ROW_STORE, definitions by hash (as bytes), records as `list` orders them,
 * events by seq, outbox rows by seq, dead letters by seq. Leases and claims are not part
 * of it; inboxes are the consumed events. */
typedef enum arvo_row_kind {
    ARVO_ROW_STORE = 0,
    ARVO_ROW_DEFINITION,
    ARVO_ROW_RECORD,
    ARVO_ROW_EVENT,
    ARVO_ROW_OUTBOX,
    ARVO_ROW_DEAD
} arvo_row_kind;

typedef struct arvo_row {
    arvo_row_kind kind;
    uint64_t newest_fence; /* STORE; no record's is larger, and those of new leases are */
    int64_t newest_seq;    /* STORE; likewise for events, purged ones too */
    arvo_str hash;         /* DEFINITION */
    arvo_str document;     /* DEFINITION */
    arvo_record record;    /* RECORD, revision, fence and times as stored */
    arvo_outbox_row row;   /* EVENT: event only; OUTBOX, DEAD: event.seq only, and the rest */
    int64_t cause;         /* EVENT: seq of the consumed event that made it; 0: none */
} arvo_row;

typedef bool (*arvo_row_fn)(void *user, const arvo_row *row);
/* The next row of what is loaded: *out_row borrowed until the next call, *out_row NULL at the end.
 * Any status but ARVO_OK ends the load, which then changes nothing and gives that status. It may be
 * called from a thread of the store, and must not call the store that is loaded. */
typedef arvo_status (*arvo_row_next)(void *user, const arvo_row **out_row, arvo_error *err);

/* One inconsistency: where (a subject, a seq, a file), and what, as one line without a full stop.
 */
typedef bool (*arvo_finding_fn)(void *user, arvo_str where, arvo_str what);

/* ---- The interface ---------------------------------------------------------------- */

typedef struct arvo_memory_ops {
    uint32_t version; /* ARVO_MEMORY_OPS_VERSION */
    const char *name; /* "simple", "sqlite", ... static */

    /* Required. `read`: *out_found false and ARVO_OK when there is no record. */
    arvo_status (*read)(
        void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
        arvo_error *err);

    /* Write a record alone. `previous` is what read gave, NULL when there was none. `lease` as lock
     * gave it. ARVO_E_STALE: somebody else wrote, or the lease is lost; nothing changed. */
    arvo_status (*write)(
        void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
        const arvo_lease *lease, arvo_error *err);

    /* Take the lease, waiting up to wait_ms (<= 0: not at all). ttl_ms <= 0: ARVO_LEASE_MS_DEFAULT.
     * *out_acquired false and ARVO_OK: held by someone else (denied). Any other status: the store
     * failed. */
    arvo_status (*lock)(
        void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
        arvo_lease *out, arvo_error *err);

    /* Give the lease back. A lease that is lost already is ARVO_OK: nothing happens. */
    arvo_status (*unlock)(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err);

    /* Optional from here. `commit` and `inbox_find` come together. */

    /* All of `commits` or nothing. ARVO_E_STALE, ARVO_E_EXISTS (the event is consumed already),
     * ARVO_E_IO, ARVO_E_FULL (outbox), ARVO_E_TIMEOUT, ... leave the store as it was and the leases
     * held. A batch changes a subject once (ARVO_E_INVALID). */
    arvo_status (*commit)(void *self, const arvo_commit *commits, size_t count, arvo_error *err);

    /* Whether (source, id) was consumed by subject, and what it produced: rows in order, through
     * `each` (NULL: only whether). */
    arvo_status (*inbox_find)(
        void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
        arvo_stored_event_fn each, void *user, arvo_error *err);

    /* Events produced and not yet marked done, by seq, from behind `after`; limit 0: 1000. The
     * memory: store keeps an outbox from the first outbox_list, outbox_claim, outbox_wait or load
     * on (so that it costs nothing where nobody delivers from it): list once before the events you
     * want to find. */
    arvo_status (*outbox_list)(
        void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user,
        arvo_error *err);
    /* Mark a row done; ARVO_OK too when it is done already. */
    arvo_status (*outbox_done)(void *self, int64_t seq, arvo_error *err);

    /* Records in the order in which their subjects came into the store. ARVO_E_NOT_FOUND:
     * query->after is not there. */
    arvo_status (*list)(
        void *self, const arvo_record_query *query, arvo_record_fn each, void *user,
        arvo_error *err);
    /* Every event of a subject, by seq. */
    arvo_status (*history)(
        void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err);

    /* Whether `history` is kept by this store as it was opened. NULL: it is when there is
     * `history`. When not, the json of a commit's consumed event may be empty: only its key counts.
     */
    bool (*keeps_history)(void *self);

    /* lock, read and inbox_find in one round trip, for stores with a network in between. Used in
     * their place when present. Any status but ARVO_OK: nothing is held. */
    arvo_status (*lock_read)(
        void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
        arvo_error *err);

    /* Let a held lease end ttl_ms from now instead; lease->expires_ms is set. ARVO_E_STALE: it is
     * lost, or over already. The orchestrator calls it from a thread of its own for steps that take
     * long. */
    arvo_status (*renew)(
        void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err);

    /* true: waits in lock, lock_read and outbox_wait end now, as if their time was over, and new
     * ones do not begin, until false. For the end of a process. */
    void (*interrupt)(void *self, bool on);

    /* Delivery: these come together, and with outbox_list. */

    /* Claim rows that are due, oldest first (by seq, over all subjects), and give them to `each`
     * once the claim holds. Rows that this deliverer holds already are not given again. When `each`
     * says stop, the rows not shown stay claimed. */
    arvo_status (*outbox_claim)(
        void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err);
    /* A claimed row was not delivered: attempts + 1, due after delay_ms (<= 0: at once; a year at
     * most), the claim ended, and those of the same deliverer on later rows of that subject too.
     * ARVO_OK when the row is gone or not claimed by this deliverer: nothing happens. Of the claim
     * only the token counts, here and in the next two. */
    arvo_status (*outbox_retry)(
        void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
        arvo_error *err);
    /* The same, and the row becomes a dead letter, now. */
    arvo_status (*outbox_dead)(
        void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err);
    /* Give back every claim of this deliverer. */
    arvo_status (*outbox_release)(void *self, const arvo_claim *claim, arvo_error *err);
    /* Wait until there may be something to claim, or timeout_ms are over; which of them is not
     * told. */
    arvo_status (*outbox_wait)(void *self, int64_t timeout_ms, arvo_error *err);
    /* Dead letters by seq, from behind `after`; limit 0: 1000. */
    arvo_status (*dead_list)(
        void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err);
    /* Back into the outbox, under its seq, as if it was new: no attempts, due at once, no error.
     * ARVO_E_NOT_FOUND. */
    arvo_status (*dead_retry)(void *self, int64_t seq, arvo_error *err);
    /* Gone for delivery; the history keeps the event. ARVO_E_NOT_FOUND. */
    arvo_status (*dead_drop)(void *self, int64_t seq, arvo_error *err);

    /* Looking after it; each by itself, dump and load together. */

    arvo_status (*stats)(void *self, arvo_memory_stats *out, arvo_error *err);
    /* Delete up to `limit` instances with their events and inboxes, in one transaction; never one
     * that is leased, or of which an event waits in the outbox or is a dead letter. An event for a
     * deleted instance that is delivered again later finds nothing that remembers it. Definitions
     * stay, and so do events of subjects without a record. */
    arvo_status (*purge)(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err);
    /* Everything, as of one moment, while others go on working. ARVO_E_UNSUPPORTED: the store was
     * opened so that it does not keep everything (memory: without history=on); so with load. */
    arvo_status (*dump)(void *self, arvo_row_fn each, void *user, arvo_error *err);
    /* Fill an empty store (ARVO_E_EXISTS: it is not). All or nothing; a store that cannot do that
     * refuses to open until an interrupted load was repeated or wiped. ARVO_E_INVALID: rows in
     * another order, or that do not fit together: a record, hash or seq twice, an outbox row or
     * dead letter whose event is missing or was consumed, a fence or seq above the newest. */
    arvo_status (*load)(void *self, arvo_row_next next, void *user, arvo_error *err);
    /* What the store can find wrong with its own files, tables or keys; the consistency of what
     * they hold is checked by arvo_memory_check() over `dump`. */
    arvo_status (*check)(void *self, arvo_finding_fn each, void *user, arvo_error *err);

    /* Free the store. NULL: nothing to free. */
    void (*close)(void *self);
} arvo_memory_ops;

typedef struct arvo_memory arvo_memory;

/**
 * Register a store of your own: version, required functions, and pairs are checked.
 * @param ops   Copied; its name is borrowed.
 * @param self  Handed to every function; ops->close frees it.
 * @param out   Owned (arvo_memory_close()).
 * @return ARVO_OK, ARVO_E_INVALID (names what is missing; self is not closed), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_memory_new(const arvo_memory_ops *ops, void *self, arvo_memory **out, arvo_error *err);

/**
 * Open a built-in store: "memory:", "sqlite:PATH", "postgres://[USER[:PASSWORD]@]HOST[:PORT]/DB",
 * "redis://[USER:PASSWORD@]HOST[:PORT][/DB]" or "redis+unix://[USER:PASSWORD@]/PATH/OF/SOCKET"
 * (parameters behind `?`, joined by `&`; user and password with %XX where a character means
 * something in a URL).
 *   memory:?inbox=N          ids of consumed events kept per instance (default 16; 0: none, an
 *                            event delivered twice runs twice)
 *   memory:?inbox_bytes=N    what they produced, newest first, kept for all instances together
 *                            (default 32 MiB); an event delivered again after that still has no
 *                            second effect, and is answered with no events
 *   memory:?history=on       keep every event for arvo_memory_ops.history (default off)
 *   sqlite:PATH?sync=normal  survives kill -9, not power loss (default full: both)
 *   sqlite:PATH?mode=ro      fails when the file is not there; writes are refused (default rwc)
 *   sqlite:PATH?pages=N      limit of the file, in pages of 4 KiB; past it as when the disk is full
 *   postgres:…?schema=NAME   where the store is, made when it is not there (default arvo); URL and
 *                            parameters are libpq's else (host=/folder of a socket, sslmode, ...);
 *                            postgresql: is the same
 *   postgres:…?pool=N        connections at most, and one more that listens (default 8)
 *   postgres:…?timeout=MS    of one call of the server (default 30000)
 *   postgres:…?sync=server   take what the server gives; without it one with fsync=off or
 *                            full_page_writes=off is refused, and synchronous_commit=off is
 *                            overridden
 *   postgres:…?migrate=on    bring an older schema up to date instead of refusing it
 *   postgres:…?partition=N   events per partition of the history, of a new store (default 5000000)
 *   redis:…?durability=everysec  serve a Redis that syncs once a second; a power cut costs that
 *                            second (default always: refuse a server that acknowledges what is not
 *                            on its disk; none: any; unchecked: CONFIG is forbidden, you know)
 *   redis:…?name=NAME        several stores in one database (default arvo)
 *   redis:…?timeout=MS       of one answer (default 5000); a call gives up after twice that
 *   redis:…?connections=N    shared by all threads (default 2)
 *   redis:…?wait=N           a commit waits until N replicas have it (WAIT); ?waitaof=1,N until it
 *                            is on disk here and at N replicas (Redis 7.2)
 *   redis:…?load=again       wipe what an interrupted load has left
 *   redis+unix:…?db=N        number of the database
 * A `?` in a path cannot be written. rediss: (TLS) is not supported. No error line shows a
 * password.
 * @return ARVO_OK, ARVO_E_INVALID (URL), ARVO_E_UNSUPPORTED (built without it), ARVO_E_IO,
 * ARVO_E_CORRUPT (not an Arvo store), ARVO_E_VERSION (a newer schema, or too old a server),
 * ARVO_E_TIMEOUT (the server does not answer), ARVO_E_NOMEM. A server that keeps less than
 * `durability` asks, or evicts data, is ARVO_E_UNSUPPORTED.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_memory_open(const char *url, arvo_memory **out, arvo_error *err);

/** The same with a clock, a random source and a log of your own (NULL: the system's), borrowed for
 * the store's life; also ARVO_E_VERSION (the log's table). */
ARVO_API ARVO_NODISCARD arvo_status arvo_memory_open_with(
    const char *url, const arvo_platform *platform, arvo_memory **out, arvo_error *err);

/** Append a store's URL as it may be shown: passwords in it (user:PASSWORD@, password=PASSWORD and
 * the like) are "***". Failure is the buffer's. */
ARVO_API void arvo_memory_url_show(arvo_str url, arvo_buf *out);

ARVO_API void arvo_memory_close(arvo_memory *memory);

/** The table and its self, for callers who use a store directly. */
ARVO_API const arvo_memory_ops *arvo_memory_ops_of(const arvo_memory *memory);
ARVO_API void *arvo_memory_self(const arvo_memory *memory);
ARVO_API const char *arvo_memory_name(const arvo_memory *memory);

ARVO_END_DECLS

#endif
