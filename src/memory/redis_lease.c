/* Leases of the Redis store.
 *
 * In front stands the gate, a fair line per subject in this process; behind it
 * the lease on the server, which decides between processes, and the line of
 * those that wait for it there:
 *
 *   no lease --lock--> held: "FENCE TOKEN EXPIRES" --unlock, commit--> no lease, the first in line
 *      ^                  | expired                                    is told
 *      +------------------+
 *
 *   not in line --denied, may wait--> in line --first, and free--> holds it
 *        ^                               | its time is over: leaves
 *        +-------------------------------+ has not asked for 3 s: taken out by the next
 *
 * A free lease goes to the first in line and to nobody else, so processes take
 * turns. Times are the server's.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <stdio.h>
#include <string.h>

#include "memory/redis.h"

/* One wish for a lease, from the first question to the last. */
struct lease_wish {
    arvo_str subject, source, id;
    uint8_t token[16];
    int64_t ttl_ms;
    int64_t deadline; /* by arvo__real_ms() */
    bool wants_record;
    char ticket[REDIS_PROCESS_BYTES + 32]; /* "": not in line */
    struct redis_call call;                /* holds the last answer */
};

/* ---- Asking ------------------------------------------------------------ */

void
arvo__redis_arg_lease(struct redis_call *call, const arvo_lease *lease)
{
    char text[24 + 32 + 4], token[33];
    arvo__hex(lease->token, sizeof(lease->token), token);
    token[32] = '\0';
    (void)snprintf(text, sizeof(text), "%llu %s ", (unsigned long long)lease->fence, token);
    arvo__redis_arg(call, arvo_str_from(text));
}

/* *out_left: ms until it makes sense to ask again, when it was denied. */
static arvo_status
lease_ask(
    struct redis_store *store, struct lease_wish *wish, bool *out_acquired, int64_t *out_left,
    arvo_error *err)
{
    struct redis_call *call = &wish->call;
    arvo__redis_call_fini(call);
    if (arvo__redis_call_init(store, call, REDIS_LOCK) != ARVO_OK)
        return arvo__nomem(err);
    arvo__redis_arg(call, wish->subject);
    arvo__redis_arg_token(call, wish->token);
    arvo__redis_arg_int(call, wish->ttl_ms);
    arvo__redis_arg(call, arvo_str_from(wish->ticket));
    arvo__redis_arg_inbox(call, wish->source, wish->id);
    arvo__redis_arg(call, wish->wants_record ? ARVO_STR("1") : ARVO_STR("0"));
    const arvo_status st = arvo__redis_run(store, call, "lock", err);
    if (st != ARVO_OK)
        return st;
    *out_acquired = arvo__redis_is(call, "OK");
    *out_left = arvo__redis_int_at(call->reply, 1);
    return ARVO_OK;
}

/* ---- Waiting ----------------------------------------------------------- */

static void
waiter_enter(struct redis_store *store, struct redis_waiter *waiter, struct lease_wish *wish)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    waiter->number = ++store->waiter_number;
    waiter->next = store->waiters;
    store->waiters = waiter;
    (void)snprintf(
        wish->ticket, sizeof(wish->ticket), "%s.%llu", store->process,
        (unsigned long long)waiter->number);
    arvo__redis_listen(store, wish->deadline);
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

static void
waiter_leave(struct redis_store *store, struct redis_waiter *waiter)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    struct redis_waiter **link = &store->waiters;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

/* Until told, or for left_ms, or interrupted; false: that, or the time is over. */
static bool
waiter_wait(struct redis_store *store, struct redis_waiter *waiter, int64_t deadline, int64_t left)
{
    const int64_t now = arvo__real_ms();
    const int64_t look = left >= 0 && left < REDIS_LOOK_MS ? now + left + 1 : now + REDIS_LOOK_MS;
    const int64_t until = look < deadline ? look : deadline;
    (void)pthread_mutex_lock(&store->wait_mutex);
    for (;;) {
        if (waiter->is_told || store->is_interrupted || arvo__real_ms() >= until)
            break;
        arvo__cond_wait_until(&waiter->cond, &store->wait_mutex, until);
    }
    waiter->is_told = false;
    const bool is_interrupted = store->is_interrupted;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return !is_interrupted && arvo__real_ms() < deadline;
}

static void
line_leave(struct redis_store *store, const struct lease_wish *wish)
{
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_LEAVE) != ARVO_OK)
        return; /* those behind take it out when it has not asked for a while */
    arvo__redis_arg(&call, wish->subject);
    arvo__redis_arg(&call, arvo_str_from(wish->ticket));
    (void)arvo__redis_run(store, &call, "lock", NULL);
    arvo__redis_call_fini(&call);
}

/* Stand in the server's line until the lease is ours, or the time is over. */
static arvo_status
lease_wait(struct redis_store *store, struct lease_wish *wish, bool *out_acquired, arvo_error *err)
{
    struct redis_waiter waiter = { 0 };
    if (!arvo__cond_init(&waiter.cond))
        return arvo__nomem(err);
    waiter_enter(store, &waiter, wish);
    arvo_status st = ARVO_OK;
    int64_t left = 0;
    do
        st = lease_ask(store, wish, out_acquired, &left, err);
    while (st == ARVO_OK && !*out_acquired && waiter_wait(store, &waiter, wish->deadline, left));
    if (st != ARVO_OK || !*out_acquired)
        line_leave(store, wish);
    waiter_leave(store, &waiter);
    (void)pthread_cond_destroy(&waiter.cond);
    return st;
}

static bool
is_interrupted(struct redis_store *store)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    const bool result = store->is_interrupted;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return result;
}

static arvo_status
lease_take(
    struct redis_store *store, struct lease_wish *wish, bool *out_acquired, arvo_lease *out,
    arvo_error *err)
{
    int64_t left = 0;
    if (!store->platform->random(store->platform->self, wish->token, sizeof(wish->token)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no lease token can be made");
    arvo_status st = lease_ask(store, wish, out_acquired, &left, err);
    if (st == ARVO_OK && !*out_acquired && arvo__real_ms() < wish->deadline &&
        !is_interrupted(store))
        st = lease_wait(store, wish, out_acquired, err);
    if (st != ARVO_OK || !*out_acquired)
        return st;
    out->fence = (uint64_t)arvo__redis_int_at(wish->call.reply, 1);
    out->expires_ms = arvo__redis_int_at(wish->call.reply, 2);
    memcpy(out->token, wish->token, sizeof(out->token));
    return out->fence != 0 ? ARVO_OK : arvo__redis_odd(store, "lock", err);
}

/* ---- Both -------------------------------------------------------------- */

/* Through the gate first, so that one of us at a time asks the server. */
static arvo_status
lease_pass(
    struct redis_store *store, struct lease_wish *wish, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    arvo_lease pass = { 0 };
    bool is_in = false;
    wish->deadline = arvo__real_ms_after(wait_ms > 0 ? wait_ms : 0);
    arvo_status st =
        arvo__gate_enter(&store->gate, wish->subject, wish->ttl_ms, wait_ms, &is_in, &pass, err);
    *out_acquired = false;
    if (st != ARVO_OK || !is_in)
        return st;
    st = lease_take(store, wish, out_acquired, out, err);
    if (st == ARVO_OK && *out_acquired)
        arvo__gate_hold(&store->gate, wish->subject, &pass, out, wish->ttl_ms);
    else
        arvo__gate_leave(&store->gate, wish->subject, &pass);
    return st;
}

/* ---- The operations ---------------------------------------------------- */

arvo_status
arvo__redis_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "lock", err);
    if (st != ARVO_OK)
        return st;
    struct lease_wish wish = { .subject = subject, .ttl_ms = arvo__memory_ttl(ttl_ms) };
    if (arvo__redis_call_init(store, &wish.call, REDIS_LOCK) != ARVO_OK)
        return arvo__nomem(err);
    arvo_lease lease = { 0 };
    bool is_acquired = false;
    st = lease_pass(store, &wish, wait_ms, &is_acquired, &lease, err);
    arvo__redis_call_fini(&wish.call);
    if (st == ARVO_OK) {
        *out_acquired = is_acquired;
        if (is_acquired)
            *out = lease;
    }
    return st;
}

/* The record of the answer. A failure gives the lease back. */
static arvo_status
locked_read(
    struct redis_store *store, const struct lease_wish *wish, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    const redisReply *reply = wish->call.reply;
    const redisReply *record = arvo__redis_at(reply, 4, REDIS_REPLY_ARRAY);
    out->is_consumed = arvo__redis_int_at(reply, 3) != 0;
    arvo_status st = arvo__redis_record(
        store, record, wish->subject, "lock", &out->has_record, &out->record, err);
    if (st == ARVO_OK && out->has_record && !arvo__redis_record_copy(&out->record, arena))
        st = arvo__nomem(err);
    return st;
}

arvo_status
arvo__redis_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_subject_check(request->subject, "lock", err);
    if (st != ARVO_OK)
        return st;
    struct lease_wish wish = { .subject = request->subject,
                               .source = request->source,
                               .id = request->id,
                               .ttl_ms = arvo__memory_ttl(request->ttl_ms),
                               .wants_record = true };
    if (arvo__redis_call_init(store, &wish.call, REDIS_LOCK) != ARVO_OK)
        return arvo__nomem(err);
    arvo_locked locked = { 0 };
    st = lease_pass(store, &wish, request->wait_ms, &locked.is_acquired, &locked.lease, err);
    if (st == ARVO_OK && locked.is_acquired) {
        st = locked_read(store, &wish, arena, &locked, err);
        if (st != ARVO_OK)
            (void)arvo__redis_unlock(self, request->subject, &locked.lease, NULL);
    }
    arvo__redis_call_fini(&wish.call);
    if (st == ARVO_OK)
        *out = locked;
    return st;
}

arvo_status
arvo__redis_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "unlock", err);
    if (st != ARVO_OK)
        return st;
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_UNLOCK) != ARVO_OK)
        return arvo__nomem(err);
    arvo__redis_arg(&call, subject);
    arvo__redis_arg_lease(&call, lease);
    st = arvo__redis_run(store, &call, "unlock", err);
    arvo__redis_call_fini(&call);
    arvo__gate_leave(&store->gate, subject, lease);
    return st;
}

arvo_status
arvo__redis_renew(void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "renew", err);
    if (st != ARVO_OK)
        return st;
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_RENEW) != ARVO_OK)
        return arvo__nomem(err);
    ttl_ms = arvo__memory_ttl(ttl_ms);
    arvo__redis_arg(&call, subject);
    arvo__redis_arg_lease(&call, lease);
    arvo__redis_arg_int(&call, ttl_ms);
    st = arvo__redis_run(store, &call, "renew", err);
    if (st == ARVO_OK && !arvo__redis_is(&call, "OK"))
        st = arvo__fail(
            err, ARVO_E_STALE, "%s: renew: the lease with fence %llu is lost", store->label,
            (unsigned long long)lease->fence);
    if (st == ARVO_OK) {
        lease->expires_ms = arvo__redis_int_at(call.reply, 1);
        arvo__gate_hold(&store->gate, subject, lease, lease, ttl_ms);
    }
    arvo__redis_call_fini(&call);
    return st;
}

#endif
