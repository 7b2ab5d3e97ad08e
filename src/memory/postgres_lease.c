/* Leases of the PostgreSQL store.
 *
 * In front stands the gate, a fair line per subject in this process; who is first in it asks the
 * database, which decides between processes:
 *
 *   no row, or one that is over --lock--> held by (token, fence) until expires_ms
 *     ^                                      | unlock, commit with release: expires_ms = 0
 *     +--------------------------------------+ or its time comes, by the server's clock
 *
 * Who is denied and may wait gets a ticket (table waiter). A free lease goes to the oldest ticket
 * that was looked after lately, so processes take turns, and one that died holds nobody up for
 * long. Who gives a lease back learns whose turn it is, and has that process notified.
 *
 * The token is drawn here, so asking twice, when an answer was lost, takes one lease.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <stdlib.h>
#include <string.h>

#include "memory/postgres.h"

#define LOCK "lock"

struct lock_request {
    const arvo_lock_request *wanted;
    bool is_reading;
    bool is_waiting; /* a ticket, please */
    arvo_arena *arena;
    int64_t left_ms; /* of the lease of whoever holds it */
    arvo_locked out;
};

/* ---- A group at the server ---------------------------------------------- */

static int
subject_compare(arvo_str a, arvo_str b)
{
    const int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static int
lock_order(const void *a, const void *b)
{
    const struct postgres_op *const *x = a, *const *y = b;
    const struct lock_request *left = (*x)->request, *right = (*y)->request;
    return subject_compare(left->wanted->subject, right->wanted->subject);
}

static const struct lock_request *
lock_of(struct postgres_op *const *ops, size_t i)
{
    return ops[i]->request;
}

static void
lock_params(struct postgres_params *params, struct postgres_op *const *ops, size_t count)
{
    arvo__pg_array_begin(params, PG_TEXTS, count);
    for (size_t i = 0; i < count; i++)
        arvo__pg_element_text(params, lock_of(ops, i)->wanted->subject);
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_TEXTS, count);
    for (size_t i = 0; i < count; i++) {
        const struct lock_request *request = lock_of(ops, i);
        arvo_str source = request->wanted->source;
        if (source.ptr == NULL)
            source = ARVO_STR("");
        arvo__pg_element_text(params, request->is_reading ? source : ARVO_STR_NONE);
    }
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_TEXTS, count);
    for (size_t i = 0; i < count; i++) {
        const arvo_str id = lock_of(ops, i)->wanted->id;
        arvo__pg_element_text(params, id.ptr != NULL ? id : ARVO_STR(""));
    }
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_INTS, count);
    for (size_t i = 0; i < count; i++)
        arvo__pg_element_int(params, arvo__memory_ttl(lock_of(ops, i)->wanted->ttl_ms));
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_UUIDS, count);
    for (size_t i = 0; i < count; i++)
        arvo__pg_element_uuid(params, lock_of(ops, i)->out.lease.token);
    arvo__pg_array_end(params);
    arvo__pg_array_begin(params, PG_BOOLS, count);
    for (size_t i = 0; i < count; i++)
        arvo__pg_element_bool(params, lock_of(ops, i)->is_waiting);
    arvo__pg_array_end(params);
    arvo__pg_int(params, PG_WAITER_KEEP_MS);
}

/* Columns: ord, is_acquired, fence, expires_ms, now_ms, the record's 14, is_consumed. */
static arvo_status
lock_answer(
    struct postgres_store *store, const PGresult *result, int row, struct lock_request *request,
    arvo_error *err)
{
    const int64_t expires_ms = arvo__pg_get_int(result, row, 3);
    request->out.is_acquired = arvo__pg_get_bool(result, row, 1);
    request->left_ms = expires_ms - arvo__pg_get_int(result, row, 4);
    if (!request->out.is_acquired)
        return ARVO_OK;
    request->out.lease.fence = (uint64_t)arvo__pg_get_int(result, row, 2);
    request->out.lease.expires_ms = expires_ms;
    request->out.is_consumed = arvo__pg_get_bool(result, row, 19);
    request->out.has_record = arvo__pg_get_int(result, row, 15) != 0;
    if (!request->out.has_record)
        return ARVO_OK;
    return arvo__pg_record(store, result, row, 5, request->arena, &request->out.record, err);
}

static arvo_status
lock_group(struct postgres_store *store, struct postgres_op **ops, size_t count, arvo_error *err)
{
    struct postgres_params params;
    PGresult *result = NULL;
    arvo__pg_params_init(&params, store->allocator);
    lock_params(&params, ops, count);
    const arvo_status st = arvo__pg_call(store, LOCK, "lock_read", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    const int rows = arvo__pq.PQntuples(result);
    for (int row = 0; row < rows; row++) {
        const int64_t ord = arvo__pg_get_int(result, row, 0);
        if (ord < 1 || (size_t)ord > count)
            continue;
        struct postgres_op *op = ops[ord - 1];
        op->status = lock_answer(store, result, row, op->request, op->err);
    }
    arvo__pq.PQclear(result);
    return ARVO_OK;
}

void
arvo__pg_run_locks(struct postgres_store *store, struct postgres_op **ops, size_t count)
{
    qsort(ops, count, sizeof(ops[0]), lock_order);
    arvo__pg_run_group(store, ops, count, lock_group);
}

/* ---- Waiting --------------------------------------------------------------- */

static void
waiter_enter(struct postgres_store *store, struct postgres_waiter *waiter)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    waiter->next = store->waiters;
    store->waiters = waiter;
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

static void
waiter_leave(struct postgres_store *store, struct postgres_waiter *waiter)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    struct postgres_waiter **link = &store->waiters;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

/* Until woken, or it is time to look. Who gave the lease back just before the ticket was there
 * tells nobody, so the first looks come soon. false: interrupted. */
static bool
waiter_wait(
    struct postgres_store *store, struct postgres_waiter *waiter, int64_t until_ms,
    int64_t holder_left_ms, int64_t look_ms)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    const int64_t look_max = store->is_hearing ? PG_WAIT_LOOK_MS : PG_WAIT_LOOK_BLIND_MS;
    const int64_t look = look_ms < look_max ? look_ms : look_max;
    int64_t wake = arvo__real_ms() + look;
    if (holder_left_ms > 0 && holder_left_ms < look)
        wake += holder_left_ms - look;
    wake = wake < until_ms ? wake : until_ms;
    while (!waiter->is_woken && !store->is_interrupted &&
           arvo__pg_wait(&waiter->cond, &store->wait_mutex, wake)) {
    }
    waiter->is_woken = false;
    const bool goes_on = !store->is_interrupted;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return goes_on;
}

static arvo_status
lock_once(
    struct postgres_store *store, struct lock_request *request, uint64_t key, bool is_waiting,
    arvo_error *err)
{
    const arvo_lock_request *wanted = request->wanted;
    struct postgres_op op = { .bytes = wanted->subject.len + wanted->source.len + wanted->id.len,
                              .key_count = 1,
                              .keys = &key,
                              .request = request };
    request->is_waiting = is_waiting;
    return arvo__pg_lane_do(store, &store->locks, &op, err);
}

/* Ask again and again, with a ticket, until acquired or the time is over. */
static arvo_status
lock_wait(
    struct postgres_store *store, struct lock_request *request, uint64_t key, int64_t until_ms,
    arvo_error *err)
{
    struct postgres_waiter waiter = { 0 };
    int64_t look_ms = 2;
    bool goes_on = true;
    memcpy(waiter.token, request->out.lease.token, sizeof(waiter.token));
    if (!arvo__cond_init(&waiter.cond))
        return arvo__nomem(err);
    waiter_enter(store, &waiter);
    arvo_status st;
    do {
        const bool has_time = goes_on && arvo__real_ms() < until_ms;
        /* The last one, without a ticket, gives back the ticket. */
        st = lock_once(store, request, key, has_time, err);
        if (!has_time || st != ARVO_OK || request->out.is_acquired)
            break;
        goes_on = waiter_wait(store, &waiter, until_ms, request->left_ms, look_ms);
        look_ms = look_ms * 2 < PG_WAIT_LOOK_MS ? look_ms * 2 : PG_WAIT_LOOK_MS;
    } while (true);
    waiter_leave(store, &waiter);
    (void)pthread_cond_destroy(&waiter.cond);
    return st;
}

/* ---- Lock --------------------------------------------------------------------- */

/* Behind the gate. */
static arvo_status
lock_in_database(
    struct postgres_store *store, struct lock_request *request, uint64_t key, int64_t until_ms,
    arvo_error *err)
{
    const arvo_platform *platform = store->platform;
    if (!platform->random(
            platform->self, request->out.lease.token, sizeof(request->out.lease.token)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no lease token can be made");
    const arvo_status st = lock_once(store, request, key, false, err);
    if (st != ARVO_OK || request->out.is_acquired || arvo__real_ms() >= until_ms)
        return st;
    return lock_wait(store, request, key, until_ms, err);
}

static arvo_status
lock_request_do(struct postgres_store *store, struct lock_request *request, arvo_error *err)
{
    const arvo_lock_request *wanted = request->wanted;
    const uint64_t key = arvo__pg_key(wanted->subject.ptr, wanted->subject.len);
    const int64_t wait_ms = wanted->wait_ms > 0 ? wanted->wait_ms : 0;
    const int64_t until = arvo__real_ms_after(wait_ms);
    arvo_lease pass;
    bool is_in = false;
    arvo_status st = arvo__gate_enter(
        &store->gate, wanted->subject, wanted->ttl_ms, wait_ms, &is_in, &pass, err);
    request->out.is_acquired = false;
    if (st != ARVO_OK || !is_in)
        return st;

    st = lock_in_database(store, request, key, until, err);
    if (st == ARVO_OK && request->out.is_acquired) {
        arvo__gate_hold(&store->gate, wanted->subject, &pass, &request->out.lease, wanted->ttl_ms);
        return ARVO_OK;
    }
    if (request->out.is_acquired) /* and its record could not be read */
        (void)arvo__pg_unlock(store, wanted->subject, &request->out.lease, NULL);
    arvo__gate_leave(&store->gate, wanted->subject, &pass);
    return st;
}

static arvo_status
lock_check(const arvo_lock_request *request, arvo_error *err)
{
    arvo_status st = arvo__memory_subject_check(request->subject, LOCK, err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(request->subject, "subject", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(request->source, "source of the event", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(request->id, "id of the event", err);
    return st;
}

arvo_status
arvo__pg_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    const arvo_lock_request wanted = { .subject = subject, .ttl_ms = ttl_ms, .wait_ms = wait_ms };
    struct lock_request request = { .wanted = &wanted };
    arvo_status st = lock_check(&wanted, err);
    if (st == ARVO_OK)
        st = lock_request_do(self, &request, err);
    if (st != ARVO_OK)
        return st;
    *out_acquired = request.out.is_acquired;
    if (request.out.is_acquired)
        *out = request.out.lease;
    return ARVO_OK;
}

arvo_status
arvo__pg_lock_read(
    void *self, const arvo_lock_request *wanted, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    struct lock_request request = { .wanted = wanted, .is_reading = true, .arena = arena };
    arvo_status st = lock_check(wanted, err);
    if (st == ARVO_OK)
        st = lock_request_do(self, &request, err);
    if (st == ARVO_OK)
        *out = request.out;
    return st;
}

/* ---- Unlock ------------------------------------------------------------------------ */

struct unlock_request {
    arvo_str subject;
    const arvo_lease *lease;
};

static const struct unlock_request *
unlock_of(struct postgres_op *const *ops, size_t i)
{
    return ops[i]->request;
}

static int
unlock_order(const void *a, const void *b)
{
    const struct postgres_op *const *x = a, *const *y = b;
    const struct unlock_request *left = (*x)->request, *right = (*y)->request;
    return subject_compare(left->subject, right->subject);
}

static arvo_status
unlock_group(struct postgres_store *store, struct postgres_op **ops, size_t count, arvo_error *err)
{
    struct postgres_params params;
    PGresult *result = NULL;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_array_begin(&params, PG_TEXTS, count);
    for (size_t i = 0; i < count; i++)
        arvo__pg_element_text(&params, unlock_of(ops, i)->subject);
    arvo__pg_array_end(&params);
    arvo__pg_array_begin(&params, PG_INTS, count);
    for (size_t i = 0; i < count; i++)
        arvo__pg_element_int(&params, (int64_t)unlock_of(ops, i)->lease->fence);
    arvo__pg_array_end(&params);
    arvo__pg_array_begin(&params, PG_UUIDS, count);
    for (size_t i = 0; i < count; i++)
        arvo__pg_element_uuid(&params, unlock_of(ops, i)->lease->token);
    arvo__pg_array_end(&params);
    const arvo_status st = arvo__pg_call(store, "unlock", "unlock", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    const int rows = arvo__pq.PQntuples(result);
    for (int row = 0; row < rows; row++) {
        uint8_t token[16];
        if (arvo__pg_get_uuid(result, row, 1, token))
            arvo__pg_tell_waiter(store, token);
    }
    for (size_t i = 0; i < count; i++)
        ops[i]->status = ARVO_OK;
    arvo__pq.PQclear(result);
    return ARVO_OK;
}

void
arvo__pg_run_unlocks(struct postgres_store *store, struct postgres_op **ops, size_t count)
{
    qsort(ops, count, sizeof(ops[0]), unlock_order);
    arvo__pg_run_group(store, ops, count, unlock_group);
}

arvo_status
arvo__pg_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    struct postgres_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "unlock", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(subject, "subject", err);
    if (st != ARVO_OK)
        return st;
    const uint64_t key = arvo__pg_key(subject.ptr, subject.len);
    struct unlock_request request = { .subject = subject, .lease = lease };
    struct postgres_op op = {
        .bytes = subject.len, .key_count = 1, .keys = &key, .request = &request
    };
    st = arvo__pg_lane_do(store, &store->unlocks, &op, err);
    arvo__gate_leave(&store->gate, subject, lease);
    return st;
}

/* ---- Renewing, and giving up ----------------------------------------------------------- */

arvo_status
arvo__pg_renew(void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    PGresult *result = NULL;
    arvo_status st = arvo__memory_subject_check(subject, "renew", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(subject, "subject", err);
    if (st != ARVO_OK)
        return st;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_text(&params, subject);
    arvo__pg_int(&params, (int64_t)lease->fence);
    arvo__pg_uuid(&params, lease->token);
    arvo__pg_int(&params, arvo__memory_ttl(ttl_ms));
    st = arvo__pg_call(store, "renew", "renew", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    const int64_t expires_ms = arvo__pg_get_int(result, 0, 0);
    arvo__pq.PQclear(result);
    if (expires_ms == 0)
        return arvo__fail(
            err, ARVO_E_STALE, "%s: renew: the lease with fence %llu is lost", store->where,
            (unsigned long long)lease->fence);
    lease->expires_ms = expires_ms;
    arvo__gate_hold(&store->gate, subject, lease, lease, ttl_ms);
    return ARVO_OK;
}

void
arvo__pg_interrupt(void *self, bool on)
{
    struct postgres_store *store = self;
    (void)pthread_mutex_lock(&store->wait_mutex);
    store->is_interrupted = on;
    for (struct postgres_waiter *at = store->waiters; at != NULL; at = at->next)
        (void)pthread_cond_signal(&at->cond);
    (void)pthread_cond_broadcast(&store->outbox_cond);
    (void)pthread_mutex_unlock(&store->wait_mutex);
    arvo__gate_interrupt(&store->gate, on);
}

#endif
