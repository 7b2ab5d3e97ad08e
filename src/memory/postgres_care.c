/* Looking after a PostgreSQL store: figures, retention, and what may be wrong with its tables. */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include "memory/postgres.h"

#define pq arvo__pq

arvo_status
arvo__pg_stats(void *self, arvo_memory_stats *out, arvo_error *err)
{
    struct postgres_store *store = self;
    PGresult *result = NULL;
    const arvo_status st = arvo__pg_call(store, "stats", "stats", NULL, &result, err);
    if (st != ARVO_OK)
        return st;
    *out = (arvo_memory_stats){
        .now_ms = arvo__pg_get_int(result, 0, 0),
        .schema_version = (uint32_t)arvo__pg_get_int(result, 0, 1),
        .active = (uint64_t)arvo__pg_get_int(result, 0, 2),
        .done = (uint64_t)arvo__pg_get_int(result, 0, 3),
        .error = (uint64_t)arvo__pg_get_int(result, 0, 4),
        .events =
            pq.PQgetisnull(result, 0, 5) ? UINT64_MAX : (uint64_t)arvo__pg_get_int(result, 0, 5),
        .outbox = (uint64_t)arvo__pg_get_int(result, 0, 6),
        .outbox_claimed = (uint64_t)arvo__pg_get_int(result, 0, 7),
        .outbox_oldest_ms = arvo__pg_get_int(result, 0, 8),
        .dead = (uint64_t)arvo__pg_get_int(result, 0, 9),
        .dead_oldest_ms = arvo__pg_get_int(result, 0, 10),
        .leases = (uint64_t)arvo__pg_get_int(result, 0, 11),
        .leases_expired = (uint64_t)arvo__pg_get_int(result, 0, 12),
        .bytes = (uint64_t)arvo__pg_get_int(result, 0, 13),
        .commits = __atomic_load_n(&store->commit_count, __ATOMIC_RELAXED),
        .transactions = __atomic_load_n(&store->transaction_count, __ATOMIC_RELAXED),
    };
    pq.PQclear(result);
    return ARVO_OK;
}

/* ---- Purge ------------------------------------------------------------------- */

/* Partitions of which nothing is left go whole; failing leaves them for the next time. */
static void
purge_partitions(struct postgres_store *store)
{
    PGresult *result = NULL;
    if (arvo__pg_call(store, "purge", "partition_drop", NULL, &result, NULL) == ARVO_OK)
        pq.PQclear(result);
}

arvo_status
arvo__pg_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    PGresult *result = NULL;
    const size_t limit = purge->limit != 0 ? purge->limit : ARVO_PURGE_LIMIT_DEFAULT;
    arvo_status st = arvo__pg_text_check(purge->status, "status", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(purge->orchestrator, "orchestrator", err);
    if (st != ARVO_OK)
        return st;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_text(&params, purge->status);
    arvo__pg_text(&params, purge->orchestrator);
    arvo__pg_int(&params, purge->before_ms);
    arvo__pg_int(&params, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    arvo__pg_bool(&params, purge->is_dry);
    st = arvo__pg_call(store, "purge", "purge", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    *out = (arvo_purged){ .instances = (uint64_t)arvo__pg_get_int(result, 0, 0),
                          .events = (uint64_t)arvo__pg_get_int(result, 0, 1) };
    out->is_more = arvo__pg_get_bool(result, 0, 2);
    pq.PQclear(result);
    if (!purge->is_dry && out->instances > 0)
        purge_partitions(store);
    return ARVO_OK;
}

/* ---- Check --------------------------------------------------------------------- */

/* Each gives rows (where, what). */
static const char *const checks[] = {
    "SELECT 'instance ' || i.id, 'has no subject' FROM ~.instance i"
    " WHERE NOT EXISTS (SELECT FROM ~.subject s WHERE s.id = i.id)",
    "SELECT s.subject, 'is stored under the key of another subject' FROM ~.subject s"
    " WHERE s.key <> ~.key(s.subject)",
    "SELECT 'event ' || e.seq, 'has no subject' FROM ~.event e"
    " WHERE NOT EXISTS (SELECT FROM ~.subject s WHERE s.id = e.subject_id)",
    "SELECT 'event ' || e.seq, 'was consumed, and the inbox does not know' FROM ~.event e"
    " WHERE e.direction = 0 AND NOT EXISTS (SELECT FROM ~.inbox b WHERE b.subject_id = e.subject_id"
    " AND b.key = ~.inbox_key(e.source, e.id) AND b.seq = e.seq)",
    "SELECT 'inbox row of event ' || b.seq, 'has no event' FROM ~.inbox b"
    " WHERE NOT EXISTS (SELECT FROM ~.event e WHERE e.seq = b.seq AND e.direction = 0)",
    "SELECT 'outbox row ' || o.seq, 'has no event of its subject' FROM ~.outbox o WHERE NOT EXISTS"
    " (SELECT FROM ~.event e WHERE e.seq = o.seq AND e.direction = 1 AND e.subject_id = "
    "o.subject_id)",
    "SELECT 'dead letter ' || d.seq, 'has no event of its subject' FROM ~.dead d WHERE NOT EXISTS"
    " (SELECT FROM ~.event e WHERE e.seq = d.seq AND e.direction = 1 AND e.subject_id = "
    "d.subject_id)",
    "SELECT 'outbox row ' || o.seq, 'is a dead letter too' FROM ~.outbox o JOIN ~.dead d ON d.seq "
    "= o.seq",
    "SELECT 'event ' || max(seq), 'is newer than the counter of events' FROM ~.event"
    " HAVING max(seq) > (SELECT last_value FROM ~.event_seq)",
    "SELECT s.subject, 'was written under a fence newer than the counter of fences'"
    " FROM ~.instance i JOIN ~.subject s ON s.id = i.id"
    " WHERE i.fence > (SELECT last_value FROM ~.fence_seq)",
    "SELECT c.relname::text, 'is an index that PostgreSQL calls invalid: REINDEX it' FROM pg_index "
    "x"
    " JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = '@' AND NOT x.indisvalid",
};

arvo_status
arvo__pg_check(void *self, arvo_finding_fn each, void *user, arvo_error *err)
{
    struct postgres_store *store = self;
    for (size_t i = 0; i < ARVO_COUNT_OF(checks); i++) {
        PGresult *result = NULL;
        const arvo_status st = arvo__pg_select(store, "check", checks[i], NULL, &result, err);
        if (st != ARVO_OK)
            return st;
        bool goes_on = true;
        const int rows = pq.PQntuples(result);
        for (int row = 0; row < rows && goes_on; row++)
            goes_on =
                each(user, arvo__pg_get_str(result, row, 0), arvo__pg_get_str(result, row, 1));
        pq.PQclear(result);
        if (!goes_on)
            break;
    }
    return ARVO_OK;
}

#endif
