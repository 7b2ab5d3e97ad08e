/* The in-process lease table: who holds which subject, and who waits for it.
 *
 *             acquire, nobody waits               release, expiry
 *    (no row) ---------------------> HELD ------------------------> FREE, line waits
 *        ^                            ^                                  |
 *        |  nobody waits              |        first in line takes it    |
 *        +----------------------------+----------------------------------+
 *
 * A row exists while its subject is held or waited for. The fence is counted
 * over all subjects of a table, so it grows per subject even when the row in
 * between was dropped. A newcomer never overtakes the line.
 */

#include "memory/internal.h"

#include <errno.h>
#include <string.h>

#define LEASE_BUCKETS_MIN ((size_t)64)
#define LEASE_TTL_MS_MAX  ((int64_t)365 * 24 * 3600 * 1000)
/* The first in line sleeps until the holder's lease expires, but looks at the store's clock at
 * least this often: that clock may jump. */
#define LEASE_LOOK_MS 100

/* On the stack of whoever waits. */
struct arvo__lease_waiter {
    struct arvo__lease_waiter *next;
    pthread_cond_t cond;
};

struct arvo__lease_row {
    struct arvo__lease_row *next;
    uint64_t hash;
    struct arvo__lease_waiter *first, *last;
    arvo_lease lease;
    uint32_t waiters;
    uint32_t subject_len;
    uint8_t size_class;
    bool held;
    char subject[];
};

int64_t
arvo__memory_ttl(int64_t ttl_ms)
{
    if (ttl_ms <= 0)
        return ARVO_LEASE_MS_DEFAULT;
    return ttl_ms < LEASE_TTL_MS_MAX ? ttl_ms : LEASE_TTL_MS_MAX;
}

/* ---- Rows -------------------------------------------------------------- */

arvo_status
arvo__leases_init(
    arvo__leases *leases, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo__pool *pool, pthread_mutex_t *mutex, arvo_error *err)
{
    *leases = (arvo__leases){
        .platform = platform, .allocator = allocator, .pool = pool, .mutex = mutex
    };
    uint64_t seed[2];
    if (!platform->random(platform->self, seed, sizeof(seed)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no lease tokens can be made");
    leases->token_state = seed[0];
    leases->token_key = seed[1];
    leases->buckets = arvo__calloc(allocator, LEASE_BUCKETS_MIN, sizeof(leases->buckets[0]));
    if (leases->buckets == NULL)
        return arvo__nomem(err);
    leases->bucket_count = LEASE_BUCKETS_MIN;
    return ARVO_OK;
}

void
arvo__leases_fini(arvo__leases *leases)
{
    /* The rows are blocks of the pool and go with it. */
    if (leases->buckets != NULL)
        arvo__free(
            leases->allocator, leases->buckets, leases->bucket_count * sizeof(leases->buckets[0]));
    *leases = (arvo__leases){ 0 };
}

static struct arvo__lease_row **
lease_bucket(const arvo__leases *leases, uint64_t hash)
{
    return &leases->buckets[hash & (leases->bucket_count - 1)];
}

static struct arvo__lease_row *
lease_find(const arvo__leases *leases, arvo_str subject, uint64_t hash)
{
    struct arvo__lease_row *row = *lease_bucket(leases, hash);
    while (row != NULL && !(row->hash == hash && row->subject_len == subject.len &&
                            memcmp(row->subject, subject.ptr, subject.len) == 0))
        row = row->next;
    return row;
}

static void
lease_drop(arvo__leases *leases, struct arvo__lease_row *row)
{
    struct arvo__lease_row **link = lease_bucket(leases, row->hash);
    while (*link != row)
        link = &(*link)->next;
    *link = row->next;
    leases->count--;
    arvo__pool_free(leases->pool, row, row->size_class);
}

static bool
lease_is_free(const struct arvo__lease_row *row, int64_t now)
{
    return !row->held || row->lease.expires_ms <= now;
}

/* Leases that nobody gave back would stay for ever: drop those that have expired. */
static void
lease_sweep(arvo__leases *leases, int64_t now)
{
    for (size_t i = 0; i < leases->bucket_count; i++) {
        struct arvo__lease_row *row = leases->buckets[i];
        while (row != NULL) {
            struct arvo__lease_row *next = row->next;
            if (row->first == NULL && lease_is_free(row, now))
                lease_drop(leases, row);
            row = next;
        }
    }
}

/* More buckets when rows are many. Failing to get them costs speed only. */
static void
lease_grow(arvo__leases *leases, int64_t now)
{
    lease_sweep(leases, now);
    if (leases->count < leases->bucket_count / 2)
        return;
    const size_t bucket_count = leases->bucket_count * 2;
    struct arvo__lease_row **buckets =
        arvo__calloc(leases->allocator, bucket_count, sizeof(buckets[0]));
    if (buckets == NULL)
        return;
    for (size_t i = 0; i < leases->bucket_count; i++) {
        struct arvo__lease_row *row = leases->buckets[i];
        while (row != NULL) {
            struct arvo__lease_row *next = row->next;
            struct arvo__lease_row **bucket = &buckets[row->hash & (bucket_count - 1)];
            row->next = *bucket;
            *bucket = row;
            row = next;
        }
    }
    arvo__free(
        leases->allocator, leases->buckets, leases->bucket_count * sizeof(leases->buckets[0]));
    leases->buckets = buckets;
    leases->bucket_count = bucket_count;
}

static struct arvo__lease_row *
lease_add(arvo__leases *leases, arvo_str subject, uint64_t hash, int64_t now)
{
    if (leases->count >= leases->bucket_count)
        lease_grow(leases, now);
    uint8_t size_class = 0;
    struct arvo__lease_row *row =
        arvo__pool_alloc(leases->pool, sizeof(*row) + subject.len, &size_class);
    if (row == NULL)
        return NULL;
    struct arvo__lease_row **bucket = lease_bucket(leases, hash);
    *row = (struct arvo__lease_row){ .next = *bucket,
                                     .hash = hash,
                                     .subject_len = (uint32_t)subject.len,
                                     .size_class = size_class };
    memcpy(row->subject, subject.ptr, subject.len);
    *bucket = row;
    leases->count++;
    return row;
}

/* ---- Waiting ----------------------------------------------------------- */

static void
lease_line_leave(struct arvo__lease_row *row, struct arvo__lease_waiter *self)
{
    struct arvo__lease_waiter *before = NULL;
    for (struct arvo__lease_waiter *at = row->first; at != self; at = at->next)
        before = at;
    if (before != NULL)
        before->next = self->next;
    else
        row->first = self->next;
    if (row->last == self)
        row->last = before;
    row->waiters--;
    if (before == NULL && row->first != NULL)
        (void)pthread_cond_signal(&row->first->cond); /* has to watch the lease from now on */
}

/* Stand in line until first and the lease is free, or the time is over. */
static bool
lease_line_wait(arvo__leases *leases, struct arvo__lease_row *row, int64_t wait_ms)
{
    struct arvo__lease_waiter self = { 0 };
    if (!arvo__cond_init(&self.cond))
        return false;
    if (row->last != NULL)
        row->last->next = &self;
    else
        row->first = &self;
    row->last = &self;
    row->waiters++;

    const int64_t deadline = arvo__real_ms_after(wait_ms);
    bool is_free = false;
    for (;;) {
        const int64_t now = leases->platform->time_ms(leases->platform->self);
        is_free = row->first == &self && lease_is_free(row, now);
        const int64_t real = arvo__real_ms();
        if (is_free || real >= deadline || leases->is_interrupted)
            break;
        int64_t until = deadline;
        if (row->first == &self) {
            const int64_t left = row->lease.expires_ms - now;
            const int64_t look = real + (left < LEASE_LOOK_MS ? left : LEASE_LOOK_MS);
            until = look < until ? look : until;
        }
        arvo__cond_wait_until(&self.cond, leases->mutex, until);
    }
    lease_line_leave(row, &self);
    (void)pthread_cond_destroy(&self.cond);
    return is_free;
}

/* ---- The operations ---------------------------------------------------- */

/* A step of splitmix64. */
static uint64_t
lease_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Tokens guard against mistakes, not against code in the same process, which could read them
 * anyway; so they are drawn from a generator, not from the operating system. */
static void
lease_grant(
    arvo__leases *leases, struct arvo__lease_row *row, int64_t now, int64_t ttl_ms, arvo_lease *out)
{
    const uint64_t token[2] = { lease_random(&leases->token_state),
                                lease_random(&leases->token_state) ^ leases->token_key };
    arvo_lease lease = { .fence = ++leases->fence, .expires_ms = now + arvo__memory_ttl(ttl_ms) };
    memcpy(lease.token, token, sizeof(lease.token));
    row->lease = lease;
    row->held = true;
    *out = lease;
}

arvo_status
arvo__leases_acquire(
    arvo__leases *leases, arvo_str subject, uint64_t hash, int64_t ttl_ms, int64_t wait_ms,
    bool *out_acquired, arvo_lease *out, arvo_error *err)
{
    int64_t now = leases->platform->time_ms(leases->platform->self);
    struct arvo__lease_row *row = lease_find(leases, subject, hash);
    if (row == NULL)
        row = lease_add(leases, subject, hash, now);
    if (row == NULL)
        return arvo__nomem(err);

    bool is_free = row->first == NULL && lease_is_free(row, now);
    if (!is_free && wait_ms > 0 && row->waiters < ARVO_LOCK_WAITERS_MAX) {
        is_free = lease_line_wait(leases, row, wait_ms); /* the line keeps the row alive */
        now = leases->platform->time_ms(leases->platform->self);
    }
    if (is_free)
        lease_grant(leases, row, now, ttl_ms, out);
    *out_acquired = is_free;
    return ARVO_OK;
}

/* The row that this lease is of, if it is still held. Fence and token tell it from every other, so
 * the subject need not be compared. */
static struct arvo__lease_row *
lease_find_owned(const arvo__leases *leases, uint64_t hash, const arvo_lease *lease)
{
    struct arvo__lease_row *row = *lease_bucket(leases, hash);
    while (row != NULL && !(row->hash == hash && row->held && row->lease.fence == lease->fence &&
                            memcmp(row->lease.token, lease->token, sizeof(lease->token)) == 0))
        row = row->next;
    return row;
}

bool
arvo__leases_valid(const arvo__leases *leases, uint64_t hash, const arvo_lease *lease, int64_t now)
{
    const struct arvo__lease_row *row = lease_find_owned(leases, hash, lease);
    return row != NULL && row->lease.expires_ms > now;
}

bool
arvo__leases_release(arvo__leases *leases, uint64_t hash, const arvo_lease *lease)
{
    struct arvo__lease_row *row = lease_find_owned(leases, hash, lease);
    if (row == NULL)
        return false;
    row->held = false;
    if (row->first != NULL)
        (void)pthread_cond_signal(&row->first->cond);
    else
        lease_drop(leases, row);
    return true;
}

void
arvo__leases_replace(
    arvo__leases *leases, uint64_t hash, const arvo_lease *from, const arvo_lease *to)
{
    struct arvo__lease_row *row = lease_find_owned(leases, hash, from);
    if (row != NULL)
        row->lease = *to;
}

bool
arvo__leases_renew(arvo__leases *leases, uint64_t hash, arvo_lease *lease, int64_t ttl_ms)
{
    const int64_t now = leases->platform->time_ms(leases->platform->self);
    struct arvo__lease_row *row = lease_find_owned(leases, hash, lease);
    if (row == NULL || row->lease.expires_ms <= now)
        return false;
    lease->expires_ms = row->lease.expires_ms = now + arvo__memory_ttl(ttl_ms);
    return true;
}

void
arvo__leases_interrupt(arvo__leases *leases, bool on)
{
    leases->is_interrupted = on;
    for (size_t i = 0; on && i < leases->bucket_count; i++) {
        for (struct arvo__lease_row *row = leases->buckets[i]; row != NULL; row = row->next) {
            for (struct arvo__lease_waiter *waiter = row->first; waiter != NULL;
                 waiter = waiter->next)
                (void)pthread_cond_signal(&waiter->cond);
        }
    }
}

uint32_t
arvo__leases_waiters(const arvo__leases *leases, arvo_str subject, uint64_t hash)
{
    const struct arvo__lease_row *row = lease_find(leases, subject, hash);
    return row != NULL ? row->waiters : 0;
}

bool
arvo__leases_busy(const arvo__leases *leases, arvo_str subject, uint64_t hash, int64_t now)
{
    const struct arvo__lease_row *row = lease_find(leases, subject, hash);
    return row != NULL && (row->first != NULL || !lease_is_free(row, now));
}

void
arvo__leases_count(
    const arvo__leases *leases, int64_t now, uint64_t *out_held, uint64_t *out_expired)
{
    for (size_t i = 0; i < leases->bucket_count; i++) {
        for (const struct arvo__lease_row *row = leases->buckets[i]; row != NULL; row = row->next) {
            *out_held += row->held && row->lease.expires_ms > now;
            *out_expired += row->held && row->lease.expires_ms <= now;
        }
    }
}

/* ---- The gate ---------------------------------------------------------- */

arvo_status
arvo__gate_init(
    arvo__gate *gate, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_error *err)
{
    arvo__pool_init(&gate->pool, allocator, 0);
    if (pthread_mutex_init(&gate->mutex, NULL) != 0)
        return arvo__nomem(err);
    return arvo__leases_init(&gate->leases, platform, allocator, &gate->pool, &gate->mutex, err);
}

void
arvo__gate_fini(arvo__gate *gate)
{
    arvo__leases_fini(&gate->leases);
    arvo__pool_fini(&gate->pool);
    (void)pthread_mutex_destroy(&gate->mutex);
}

arvo_status
arvo__gate_enter(
    arvo__gate *gate, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_in,
    arvo_lease *out_pass, arvo_error *err)
{
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    const int64_t ttl = arvo__memory_ttl(ttl_ms);
    const int64_t wait = wait_ms <= 0 ? 0 : wait_ms < LEASE_TTL_MS_MAX ? wait_ms : LEASE_TTL_MS_MAX;
    (void)pthread_mutex_lock(&gate->mutex);
    const arvo_status st = arvo__leases_acquire(
        &gate->leases, subject, hash, ttl + wait, wait_ms, out_in, out_pass, err);
    (void)pthread_mutex_unlock(&gate->mutex);
    return st;
}

void
arvo__gate_hold(
    arvo__gate *gate, arvo_str subject, const arvo_lease *pass, const arvo_lease *lease,
    int64_t ttl_ms)
{
    const arvo_platform *platform = gate->leases.platform;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    arvo_lease held = *lease;
    held.expires_ms = platform->time_ms(platform->self) + arvo__memory_ttl(ttl_ms);
    (void)pthread_mutex_lock(&gate->mutex);
    arvo__leases_replace(&gate->leases, hash, pass, &held);
    (void)pthread_mutex_unlock(&gate->mutex);
}

void
arvo__gate_leave(arvo__gate *gate, arvo_str subject, const arvo_lease *lease)
{
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    (void)pthread_mutex_lock(&gate->mutex);
    (void)arvo__leases_release(&gate->leases, hash, lease);
    (void)pthread_mutex_unlock(&gate->mutex);
}

void
arvo__gate_interrupt(arvo__gate *gate, bool on)
{
    (void)pthread_mutex_lock(&gate->mutex);
    arvo__leases_interrupt(&gate->leases, on);
    (void)pthread_mutex_unlock(&gate->mutex);
}
