/* Delivery from the PostgreSQL store: claims, failures, dead letters, and waiting for work. */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <string.h>

#include "memory/postgres.h"

#define pq arvo__pq

#define WATCH_KEEP_MS 10000 /* a watcher that did not look again for that long is not told */

/* A call without a result worth looking at, that may be done twice. */
static arvo_status
call_void(
    struct postgres_store *store, const char *what, const char *function,
    struct postgres_params *params, arvo_error *err)
{
    PGresult *result = NULL;
    const arvo_status st = arvo__pg_call(store, what, function, params, &result, err);
    arvo__pg_params_fini(params);
    if (st == ARVO_OK)
        pq.PQclear(result);
    return st;
}

/* The first column of the first row. */
static arvo_status
call_int(
    struct postgres_store *store, const char *what, const char *function,
    struct postgres_params *params, int64_t none, int64_t *out, arvo_error *err)
{
    PGresult *result = NULL;
    const arvo_status st = arvo__pg_call(store, what, function, params, &result, err);
    arvo__pg_params_fini(params);
    if (st != ARVO_OK)
        return st;
    *out = pq.PQntuples(result) > 0 && !pq.PQgetisnull(result, 0, 0)
               ? arvo__pg_get_int(result, 0, 0)
               : none;
    pq.PQclear(result);
    return ARVO_OK;
}

arvo_status
arvo__pg_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_int(&params, seq);
    const arvo_status st = call_void(store, "outbox", "outbox_done", &params, err);
    if (st == ARVO_OK)
        arvo__pg_wake_outbox(store); /* the next one of its subject may go now */
    return st;
}

/* ---- Claims -------------------------------------------------------------------- */

/* Behind the nine columns of an event: attempts, due_ms, error. */
static void
outbox_row(const PGresult *result, int row, arvo_outbox_row *out)
{
    *out = (arvo_outbox_row){ .attempts = (uint32_t)arvo__pg_get_int(result, row, 9),
                              .due_ms = arvo__pg_get_int(result, row, 10),
                              .error = arvo__pg_get_str(result, row, 11) };
    arvo__pg_event(result, row, &out->event);
}

arvo_status
arvo__pg_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    PGresult *result = NULL;
    const size_t limit = arvo__memory_claim_limit(claim->limit);
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_uuid(&params, claim->token);
    arvo__pg_int(&params, arvo__memory_ttl(claim->ttl_ms));
    arvo__pg_int(&params, (int64_t)limit);
    const arvo_status st = arvo__pg_call(store, "claim", "outbox_claim", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    const int rows = pq.PQntuples(result);
    for (int row = 0; row < rows; row++) {
        arvo_outbox_row shown;
        outbox_row(result, row, &shown);
        if (!each(user, &shown))
            break;
    }
    pq.PQclear(result);
    return ARVO_OK;
}

static arvo_status
outbox_fail(
    struct postgres_store *store, int64_t seq, const arvo_claim *claim, int64_t delay_ms,
    arvo_str error, bool is_dead, arvo_error *err)
{
    struct postgres_params params;
    char line[ARVO_DELIVERY_ERROR_MAX];
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_int(&params, seq);
    arvo__pg_uuid(&params, claim->token);
    arvo__pg_int(&params, delay_ms > 0 ? arvo__memory_ttl(delay_ms) : 0);
    arvo__pg_text(&params, arvo__memory_delivery_error(error, line));
    arvo__pg_bool(&params, is_dead);
    const arvo_status st = call_void(store, "outbox", "outbox_fail", &params, err);
    if (st == ARVO_OK)
        arvo__pg_wake_outbox(store);
    return st;
}

arvo_status
arvo__pg_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err)
{
    return outbox_fail(self, seq, claim, delay_ms, error, false, err);
}

arvo_status
arvo__pg_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err)
{
    return outbox_fail(self, seq, claim, 0, error, true, err);
}

arvo_status
arvo__pg_outbox_release(void *self, const arvo_claim *claim, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_uuid(&params, claim->token);
    const arvo_status st = call_void(store, "outbox", "outbox_release", &params, err);
    if (st == ARVO_OK) {
        arvo__pg_wake_outbox(store);
        arvo__pg_tell_outbox(store);
    }
    return st;
}

/* ---- Waiting ---------------------------------------------------------------------- */

/* Say that this process waits, and ask how long until something is due. Said before it is looked:
 * what comes after the look is told. */
static arvo_status
outbox_watch(struct postgres_store *store, int64_t *out_due_ms, arvo_error *err)
{
    struct postgres_params params;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_uuid(&params, store->process);
    arvo__pg_int(&params, WATCH_KEEP_MS);
    return call_int(store, "outbox", "outbox_watch", &params, INT64_MAX, out_due_ms, err);
}

/* Until there is a new turn, or due_ms are over, or it is time to look again. false: a new turn
 * came, the wait was interrupted, or the deadline is there. */
static bool
outbox_sleep(struct postgres_store *store, uint64_t turn, int64_t due_ms, int64_t deadline)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    const int64_t look_ms = store->is_hearing ? PG_WAIT_LOOK_MS : PG_WAIT_LOOK_BLIND_MS;
    const int64_t look = arvo__real_ms_after(due_ms < look_ms ? due_ms : look_ms);
    const int64_t until = look < deadline ? look : deadline;
    while (store->outbox_turn == turn && !store->is_interrupted &&
           arvo__pg_wait(&store->outbox_cond, &store->wait_mutex, until)) {
    }
    const bool is_quiet = store->outbox_turn == turn && !store->is_interrupted;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return is_quiet && arvo__real_ms() < deadline;
}

arvo_status
arvo__pg_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err)
{
    struct postgres_store *store = self;
    const int64_t deadline = arvo__real_ms_after(timeout_ms > 0 ? timeout_ms : 0);
    (void)pthread_mutex_lock(&store->wait_mutex);
    const uint64_t turn = store->outbox_turn;
    const bool is_over = store->is_interrupted || timeout_ms <= 0;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    if (is_over)
        return ARVO_OK;
    int64_t due_ms = 0;
    arvo_status st;
    do
        st = outbox_watch(store, &due_ms, err);
    while (st == ARVO_OK && due_ms > 0 && outbox_sleep(store, turn, due_ms, deadline));
    return st;
}

/* ---- Dead letters -------------------------------------------------------------------- */

arvo_status
arvo__pg_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct postgres_store *store = self;
    limit = limit != 0 ? limit : PG_ROWS_DEFAULT;
    while (limit > 0) {
        const size_t page = limit < PG_PAGE_ROWS ? limit : PG_PAGE_ROWS;
        struct postgres_params params;
        PGresult *result = NULL;
        arvo__pg_params_init(&params, store->allocator);
        arvo__pg_int(&params, after);
        arvo__pg_int(&params, (int64_t)page);
        const arvo_status st = arvo__pg_select(
            store, "dead letters",
            "SELECT e.seq, e.direction, e.time_ms, e.id, e.source, e.type, e.domains, e.event,"
            " s.subject, d.attempts, d.since_ms, d.error FROM ~.dead d JOIN ~.event e ON e.seq = "
            "d.seq"
            " JOIN ~.subject s ON s.id = d.subject_id WHERE d.seq > $1 ORDER BY d.seq LIMIT $2",
            &params, &result, err);
        arvo__pg_params_fini(&params);
        if (st != ARVO_OK)
            return st;
        const int rows = pq.PQntuples(result);
        for (int row = 0; row < rows && limit > 0; row++) {
            arvo_outbox_row shown;
            outbox_row(result, row, &shown);
            after = shown.event.seq;
            limit = each(user, &shown) ? limit - 1 : 0;
        }
        pq.PQclear(result);
        if ((size_t)rows < page)
            break;
    }
    return ARVO_OK;
}

static arvo_status
dead_missing(struct postgres_store *store, int64_t seq, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_NOT_FOUND, "%s: there is no dead letter %lld", store->where, (long long)seq);
}

arvo_status
arvo__pg_dead_retry(void *self, int64_t seq, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    int64_t moved = 0;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_int(&params, seq);
    const arvo_status st = call_int(store, "dead letters", "dead_retry", &params, 0, &moved, err);
    if (st != ARVO_OK)
        return st;
    /* 2: in the outbox already. By this call, when an answer was lost, or it was never dead. */
    if (moved != 1)
        return dead_missing(store, seq, err);
    arvo__pg_wake_outbox(store);
    arvo__pg_tell_outbox(store);
    return ARVO_OK;
}

arvo_status
arvo__pg_dead_drop(void *self, int64_t seq, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    int64_t dropped = 0;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_int(&params, seq);
    const arvo_status st = call_int(store, "dead letters", "dead_drop", &params, 0, &dropped, err);
    if (st != ARVO_OK)
        return st;
    return dropped == 1 ? ARVO_OK : dead_missing(store, seq, err);
}

#endif
