/* arvo/memory.h - the store interface: records, leases, inbox, outbox, history.
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
                                 (done by someone else): ARVO_E_EXISTS, and nothing changes */
} arvo_commit;

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
     * memory: store keeps an outbox from the first outbox_list on (so that it costs nothing where
     * nobody delivers from it): list once before the events you want to find. */
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
 * Open a built-in store: "memory:" or "sqlite:PATH" (parameters behind `?`, joined by `&`).
 *   memory:?inbox=N          ids of consumed events kept per instance (default 16; 0: none, an
 *                            event delivered twice runs twice)
 *   memory:?inbox_bytes=N    what they produced, newest first, kept for all instances together
 *                            (default 32 MiB); an event delivered again after that still has no
 *                            second effect, and is answered with no events
 *   memory:?history=on       keep every event for arvo_memory_ops.history (default off)
 *   sqlite:PATH?sync=normal  survives kill -9, not power loss (default full: both)
 *   sqlite:PATH?mode=ro      fails when the file is not there; writes are refused (default rwc)
 *   sqlite:PATH?pages=N      limit of the file, in pages of 4 KiB; past it as when the disk is full
 * A `?` in a path cannot be written.
 * @return ARVO_OK, ARVO_E_INVALID (URL), ARVO_E_UNSUPPORTED (built without it), ARVO_E_IO,
 * ARVO_E_CORRUPT (not an Arvo store), ARVO_E_VERSION (a newer schema), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_memory_open(const char *url, arvo_memory **out, arvo_error *err);

/** The same with a clock and random source of your own (NULL: the system's). */
ARVO_API ARVO_NODISCARD arvo_status arvo_memory_open_with(
    const char *url, const arvo_platform *platform, arvo_memory **out, arvo_error *err);

ARVO_API void arvo_memory_close(arvo_memory *memory);

/** The table and its self, for callers who use a store directly. */
ARVO_API const arvo_memory_ops *arvo_memory_ops_of(const arvo_memory *memory);
ARVO_API void *arvo_memory_self(const arvo_memory *memory);
ARVO_API const char *arvo_memory_name(const arvo_memory *memory);

ARVO_END_DECLS

#endif
