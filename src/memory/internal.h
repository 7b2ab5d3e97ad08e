/* memory/internal.h - what the stores share: URL parameters, block pools, and
 * the in-process lease table with its fair waiting lines. */
#ifndef ARVO_SRC_MEMORY_INTERNAL_H
#define ARVO_SRC_MEMORY_INTERNAL_H

#include <arvo/memory.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/internal.h"
#include "telemetry/log_internal.h"

/* ---- URLs -------------------------------------------------------------- */

/* One row per parameter a scheme knows. With choices the value is one of them
 * and its index is stored; with text it is stored as it stands; else it is a
 * decimal number within min..max. */
typedef struct arvo__memory_param {
    const char *name;
    const char *const *choices; /* ended by NULL; NULL: a number */
    int64_t min, max;
    int64_t *value; /* holds the default beforehand */
    arvo_str *text; /* nullable; likewise */
} arvo__memory_param;

/* `query` is what stands behind the `?`. */
arvo_status arvo__memory_params_parse(
    arvo_str query, const arvo__memory_param *params, size_t count, arvo_error *err);

/* ---- Log (memory_log.c) ------------------------------------------------- */

/* A record of the area `store`, when somebody hears it. */
#define arvo__memory_log(platform, severity, ...)                                                  \
    do {                                                                                           \
        const arvo_log_record memory_record_ = { .level = (severity),                              \
                                                 .area = ARVO_LOG_AREA_STORE };                    \
        arvo__log((platform), &memory_record_, __VA_ARGS__);                                       \
    } while (0)

/* Whether the server of a store is reached. Each change is said once, by whichever thread sees it;
 * what happens before it was reached for the first time is told to whoever opens the store. */
typedef struct arvo__reach {
    _Atomic unsigned state;
} arvo__reach;

void arvo__reach_found(arvo__reach *reach, const arvo_platform *platform, const char *where);
void arvo__reach_lost(arvo__reach *reach, const arvo_platform *platform, const arvo_error *why);

/* ---- What every store checks first ------------------------------------- */

/* The subject is there and not empty; ARVO_E_INVALID otherwise. */
arvo_status arvo__memory_subject_check(arvo_str subject, const char *operation, arvo_error *err);
/* The record has the fields that are not nullable, fits ARVO_RECORD_BYTES_MAX, is of `subject`. */
arvo_status arvo__memory_record_check(arvo_str subject, const arvo_record *record, arvo_error *err);
/* Every commit is sound; no two of them change a subject (record or inbox) or end an outbox row. */
arvo_status arvo__memory_batch_check(const arvo_commit *commits, size_t count, arvo_error *err);
int64_t arvo__memory_ttl(int64_t ttl_ms); /* bounded, default for <= 0 */

size_t arvo__memory_claim_limit(size_t limit); /* bounded, default for 0 */
/* Why a delivery failed, as it is kept: one line of UTF-8, cut at a character's boundary to
 * ARVO_DELIVERY_ERROR_MAX bytes; what is no text is '?'. `out` holds that many bytes. */
arvo_str arvo__memory_delivery_error(arvo_str error, char *out);

/* ---- Loading ----------------------------------------------------------- */

/* What every store asks of the rows that it loads: order, numbers, strings. */
typedef struct arvo__load_check {
    bool has_store;
    arvo_row_kind kind; /* of the row before */
    int64_t seq;        /* of the row before, of the same kind */
    uint64_t newest_fence;
    int64_t newest_seq;
} arvo__load_check;

/* ARVO_E_INVALID: the row cannot stand here. */
arvo_status arvo__load_check_row(arvo__load_check *check, const arvo_row *row, arvo_error *err);
/* Behind the last row. */
arvo_status arvo__load_check_end(const arvo__load_check *check, arvo_error *err);

/* ---- Rows of a whole store (row.c) --------------------------------------- */

enum arvo__row_type {
    ARVO__ROW_TEXT,
    ARVO__ROW_JSON,
    ARVO__ROW_INT,
    ARVO__ROW_INT32,
    ARVO__ROW_SIDE
};

/* One field of a row, as lines and digests have it. */
typedef struct arvo__row_field {
    const char *key;
    size_t offset; /* in arvo_row */
    enum arvo__row_type type;
    bool is_nullable;
} arvo__row_field;

/* Ended by a row without key. */
const arvo__row_field *arvo__row_fields(arvo_row_kind kind);
const char *arvo__row_name(arvo_row_kind kind);

/* ---- Records ----------------------------------------------------------- */

/* Bytes of all strings of a record. */
size_t arvo__record_text_bytes(const arvo_record *record);

/* The arvo_str members of a record, in the order in which stores keep them. */
#define ARVO__RECORD_STRINGS 10u
extern const size_t arvo__record_string_offsets[ARVO__RECORD_STRINGS];

static inline arvo_str *
arvo__record_string(arvo_record *record, size_t i)
{
    return (arvo_str *)(void *)((char *)record + arvo__record_string_offsets[i]);
}

static inline const arvo_str *
arvo__record_string_const(const arvo_record *record, size_t i)
{
    return (const arvo_str *)(const void *)((const char *)record + arvo__record_string_offsets[i]);
}

/* ---- Block pool ------------------------------------------------------------
 *
 * Blocks in geometric size classes (eight per doubling, sixteen for usual
 * sizes, so at most 12.5 % is slack), carved from slabs, recycled through one
 * free list per class. A block too large for a slab is an allocation of its
 * own. Not thread-safe. */

#define ARVO__POOL_CLASSES 209u

typedef struct arvo__pool {
    const arvo_allocator *allocator;
    char *bump, *ready, *end; /* the pages up to `ready` are there */
    struct arvo__pool_slab *slabs;
    struct arvo__pool_large *large;
    size_t slab_bytes; /* of the next slab */
    void *free_blocks[ARVO__POOL_CLASSES];
} arvo__pool;

void arvo__pool_init(arvo__pool *pool, const arvo_allocator *allocator, size_t slab_bytes);
void arvo__pool_fini(arvo__pool *pool); /* every block is gone */

/* Aligned to 8, not zeroed. NULL: out of memory. *out_class names its size for the calls below. */
void *arvo__pool_alloc(arvo__pool *pool, size_t size, uint8_t *out_class);
void arvo__pool_free(arvo__pool *pool, void *block, uint8_t size_class);
size_t arvo__pool_class_bytes(uint8_t size_class);
size_t arvo__pool_bytes(const arvo__pool *pool); /* of all it has taken from the allocator */
uint8_t arvo__pool_class_of(size_t size);

/* Where `ready` begins in memory that is touched from `start` on. */
char *arvo__pages_begin(char *start);
/* Have the pages up to `needed`, and a few behind it, made at once and not by a fault each, which
 * costs several times as much. No page at or behind `end`. Only advice; failing is fine. */
void arvo__pages_make_ready(char **ready, const char *needed, char *end);

/* ---- Leases in this process --------------------------------------------------
 *
 * One row per subject that is held or waited for. Whoever waits stands in a
 * line, first come first served; the first in line takes over when the lease is
 * given back or expires by the store's clock. Every function is called with the
 * table's mutex held; acquire lets go of it while it waits. */

typedef struct arvo__leases {
    struct arvo__lease_row **buckets;
    size_t bucket_count; /* power of two */
    size_t count;
    uint64_t fence;       /* newest given out, over all subjects of this table */
    uint64_t token_state; /* of the generator of tokens; its seed came from the platform */
    uint64_t token_key;
    bool is_interrupted;
    const arvo_platform *platform;
    const arvo_allocator *allocator;
    arvo__pool *pool;
    pthread_mutex_t *mutex;
} arvo__leases;

arvo_status arvo__leases_init(
    arvo__leases *leases, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo__pool *pool, pthread_mutex_t *mutex, arvo_error *err);
void arvo__leases_fini(arvo__leases *leases);

/* wait_ms <= 0: do not wait. */
arvo_status arvo__leases_acquire(
    arvo__leases *leases, arvo_str subject, uint64_t hash, int64_t ttl_ms, int64_t wait_ms,
    bool *out_acquired, arvo_lease *out, arvo_error *err);

/* Whether `lease` is the newest of its subject, held by this owner, and not expired at `now`. */
bool
arvo__leases_valid(const arvo__leases *leases, uint64_t hash, const arvo_lease *lease, int64_t now);

/* false: it was lost already, nothing happened. */
bool arvo__leases_release(arvo__leases *leases, uint64_t hash, const arvo_lease *lease);

/* Whether a subject is held or waited for. */
bool arvo__leases_busy(const arvo__leases *leases, arvo_str subject, uint64_t hash, int64_t now);
/* How many are held, and how many are over and not given back. */
void arvo__leases_count(
    const arvo__leases *leases, int64_t now, uint64_t *out_held, uint64_t *out_expired);

/* How many stand in line. */
uint32_t arvo__leases_waiters(const arvo__leases *leases, arvo_str subject, uint64_t hash);

/* true: all who wait leave their lines as if their time was over, and nobody waits until false. */
void arvo__leases_interrupt(arvo__leases *leases, bool on);

/* Let a held lease end later; lease->expires_ms is set. false: it is lost, or over. */
bool arvo__leases_renew(arvo__leases *leases, uint64_t hash, arvo_lease *lease, int64_t ttl_ms);

/* Give a held lease other numbers: a store that has its own fence puts it in here. */
void arvo__leases_replace(
    arvo__leases *leases, uint64_t hash, const arvo_lease *from, const arvo_lease *to);

/* ---- The gate ------------------------------------------------------------------
 *
 * What a store whose leases are elsewhere (in a file, on a server) has in front of them: the fair
 * line per subject of this process, so that one of its threads at a time asks for a subject there.
 * It is passed before that is asked, and held as long as the lease is, by the platform's clock.
 * Thread-safe, but for init and fini. */

typedef struct arvo__gate {
    pthread_mutex_t mutex;
    arvo__pool pool;
    arvo__leases leases;
} arvo__gate;

/* `gate` is zeroed. Whatever came of it, end with fini; fini of a zeroed gate does nothing. */
arvo_status arvo__gate_init(
    arvo__gate *gate, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_error *err);
void arvo__gate_fini(arvo__gate *gate);

/* Stand in line for up to wait_ms (<= 0: do not wait). Whoever is in has *out_pass, which lasts for
 * a lease of ttl_ms and for a wait of wait_ms behind the gate: hold or leave must follow. */
arvo_status arvo__gate_enter(
    arvo__gate *gate, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_in,
    arvo_lease *out_pass, arvo_error *err);
/* `lease` was got with `pass`, or renewed (then it is its own pass): the gate is held for it,
 * ttl_ms from now. */
void arvo__gate_hold(
    arvo__gate *gate, arvo_str subject, const arvo_lease *pass, const arvo_lease *lease,
    int64_t ttl_ms);
/* The lease (or pass) is given back: the next one in this process may ask. */
void arvo__gate_leave(arvo__gate *gate, arvo_str subject, const arvo_lease *lease);
void arvo__gate_interrupt(arvo__gate *gate, bool on); /* as arvo__leases_interrupt() */

/* ---- Built-in stores --------------------------------------------------- */

/* `rest` is the URL behind the scheme's colon. allocator NULL: malloc. */
arvo_status arvo__memory_simple_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err);
arvo_status arvo__memory_sqlite_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err);

arvo_status arvo__memory_postgres_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err);
arvo_status arvo__memory_redis_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err);
arvo_status arvo__memory_redis_unix_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err);
arvo_status arvo__memory_rediss_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err);

arvo_status arvo__memory_new(
    const arvo_memory_ops *ops, void *self, const arvo_allocator *allocator, arvo_memory **out,
    arvo_error *err);
arvo_status arvo__memory_open(
    const char *url, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err);

#endif
