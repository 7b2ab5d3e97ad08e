/* PATH-lease: who holds which subject, for all processes that use one file.
 *
 * The file is mapped by everyone. It is a hash table of leases behind one mutex,
 * and per lease a line of those who wait, each asleep on a word of its own
 * (futex); whoever gives a lease back wakes the first one. Nothing in it
 * outlives the processes that use it: the first one to open the store begins it
 * anew, the last one to close it cuts it to nothing.
 *
 *   header | buckets | leases | waiters | stamps     (all numbers in machine order)
 *
 *   byte 0        read-locked by everyone who has it mapped (write-locked: it is
 *                 being begun)
 *   byte OWNER    write-locked by the owner of that number, a random offset, as
 *                 long as it lives; the kernel lets go when it ends, however it
 *                 ends. So a lease whose owner's byte is free is void at once.
 *
 *   FREE --acquire--> HELD --release--> FREE, or OFFERED when somebody waits
 *    ^                 |  expired, or its owner is dead: taken over
 *    |                 v
 *    +--release-- OFFERED --the first in line takes it--> HELD
 *
 * The mutex is robust: when its holder is killed the next one repairs the table
 * (leases are whole or FILLING, and lines are made again by those in them). A
 * waiter that does not come for what it was offered is put out of the line
 * after a moment, and stands at its end again when it wakes.
 *
 * Fences are numbers from a range that was reserved in the database (table
 * fence) before the first of them is given out, so they grow across restarts.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "memory/sqlite.h"

#define SHARED_MAGIC   0x657361656c6f7641u /* "Avolease", and no other layout */
#define SHARED_VERSION 2u
#define SHARED_BUCKETS 4096u
#define SHARED_WAITERS 2048u
#define SHARED_STAMPS  131072u /* power of two */
#define LOOK_MS        100     /* the first in line looks at the holder at least this often */

enum slot_state { SLOT_FREE = 0, SLOT_FILLING, SLOT_HELD, SLOT_OFFERED };

struct shared_slot {
    uint64_t key[2]; /* hash of the subject */
    uint64_t fence;
    uint8_t token[16];
    int64_t expires_ms;
    int64_t owner;
    int64_t offered_ms;   /* OFFERED: since when, by the monotonic clock */
    uint32_t next;        /* in its bucket, or of the free ones; 0: none */
    uint32_t first, last; /* of its line; 0: none */
    uint8_t state;        /* enum slot_state */
    bool is_committing;   /* in the transaction that its owner writes now: not taken over */
};

enum waiter_word { WAITER_WAITS = 0, WAITER_WOKEN = 1, WAITER_OUT = 2 /* of the line */ };

struct shared_waiter {
    int64_t owner; /* 0: free */
    uint32_t next; /* in its line */
    _Atomic uint32_t word;
};

struct sqlite_shared {
    uint64_t magic;
    uint32_t version, bytes;
    _Atomic uint32_t commits;   /* counted up by each transaction; a futex */
    _Atomic uint32_t listeners; /* asleep on it, or were when they were killed */
    uint64_t seeds[2];
    pthread_mutex_t mutex;       /* guards everything below */
    uint64_t fence, fence_limit; /* given out; reserved in the database */
    uint32_t free_slot;
    uint32_t held; /* slots that are not free */
    uint32_t buckets[SHARED_BUCKETS];
    struct shared_slot slots[SQL_LEASES_MAX + 1];     /* 0 is not used */
    struct shared_waiter waiters[SHARED_WAITERS + 1]; /* 0 is not used */
    _Atomic uint32_t stamps[SHARED_STAMPS];           /* of subjects, by hash; not guarded */
};

/* ---- Sleep ---------------------------------------------------- */

static void
word_sleep(_Atomic uint32_t *word, int64_t ms)
{
    const struct timespec timeout = { .tv_sec = (time_t)(ms / 1000),
                                      .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)syscall(SYS_futex, word, FUTEX_WAIT, (uint32_t)WAITER_WAITS, &timeout, NULL, 0);
}

static void
word_wake(_Atomic uint32_t *word, enum waiter_word value)
{
    atomic_store(word, (uint32_t)value);
    (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- Owners -------------------------------------------------------------- */

static bool
lock_byte(int fd, short type, int64_t offset)
{
    struct flock byte = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1
    };
    return fcntl(fd, F_OFD_SETLK, &byte) == 0;
}

/* Whether the process that has a lease is gone for certain. */
static bool
owner_is_dead(const struct sqlite_store *store, int64_t owner)
{
    if (owner == store->owner)
        return false;
    struct flock byte = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)owner, .l_len = 1
    };
    return fcntl(store->lease_fd, F_OFD_GETLK, &byte) == 0 && byte.l_type == F_UNLCK;
}

/* ---- The mutex ------------------------------------------------------------ */

static void
free_all_slots(struct sqlite_shared *shared)
{
    memset(shared->buckets, 0, sizeof(shared->buckets));
    shared->free_slot = 0;
    shared->held = 0;
    for (uint32_t i = SQL_LEASES_MAX; i >= 1; i--) {
        struct shared_slot *slot = &shared->slots[i];
        if (slot->state == SLOT_HELD) {
            uint32_t *bucket = &shared->buckets[slot->key[0] % SHARED_BUCKETS];
            slot->first = slot->last = 0;
            slot->next = *bucket;
            *bucket = i;
            shared->held++;
        } else {
            slot->state = SLOT_FREE;
            slot->next = shared->free_slot;
            shared->free_slot = i;
        }
    }
}

/* Somebody was killed at work in here. */
static void
shared_repair(struct sqlite_shared *shared)
{
    free_all_slots(shared);
    for (uint32_t i = 1; i <= SHARED_WAITERS; i++) {
        if (shared->waiters[i].owner != 0)
            word_wake(&shared->waiters[i].word, WAITER_OUT);
    }
}

static arvo_status
shared_lock(struct sqlite_store *store, const char *what, arvo_error *err)
{
    pthread_mutex_t *mutex = &store->shared->mutex;
    int code = pthread_mutex_trylock(mutex);
    if (code == EBUSY) {
        struct timespec until = { 0 };
        /* ThreadSanitizer knows no pthread_mutex_clocklock. */
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += SQL_BUSY_MS / 1000;
        code = pthread_mutex_timedlock(mutex, &until);
    }
    if (code == EOWNERDEAD) {
        shared_repair(store->shared);
        code = pthread_mutex_consistent(mutex);
    }
    if (code == ETIMEDOUT)
        return arvo__fail(
            err, ARVO_E_TIMEOUT,
            "%s-lease: %s: another process has kept it locked for %d ms; do it again later, or "
            "stop that process",
            store->path, what, SQL_BUSY_MS);
    if (code != 0)
        return arvo__fail(
            err, ARVO_E_IO,
            "%s-lease: %s: cannot be locked (%s); close the store and open it again", store->path,
            what, strerror(code));
    return ARVO_OK;
}

static void
shared_unlock(struct sqlite_store *store)
{
    (void)pthread_mutex_unlock(&store->shared->mutex);
}

/* ---- Slots ----------------------------------------------------------------- */

static void
shared_key(const struct sqlite_store *store, arvo_str subject, uint64_t key[2])
{
    key[0] = arvo__hash(subject.ptr, subject.len, store->shared->seeds[0]);
    key[1] = arvo__hash(subject.ptr, subject.len, store->shared->seeds[1]);
}

static uint32_t
slot_find(const struct sqlite_shared *shared, const uint64_t key[2])
{
    uint32_t i = shared->buckets[key[0] % SHARED_BUCKETS];
    while (i != 0 && memcmp(shared->slots[i].key, key, sizeof(shared->slots[i].key)) != 0)
        i = shared->slots[i].next;
    return i;
}

static void
slot_drop(struct sqlite_shared *shared, uint32_t i)
{
    struct shared_slot *slot = &shared->slots[i];
    uint32_t *link = &shared->buckets[slot->key[0] % SHARED_BUCKETS];
    while (*link != i)
        link = &shared->slots[*link].next;
    *link = slot->next;
    slot->state = SLOT_FREE;
    slot->next = shared->free_slot;
    shared->free_slot = i;
    shared->held--;
}

/* Whether it may be taken: given back, over by the store's clock, or of a dead owner. */
static bool
slot_is_void(const struct sqlite_store *store, const struct shared_slot *slot, int64_t now)
{
    if (slot->state != SLOT_HELD)
        return true;
    if (slot->is_committing || slot->expires_ms > now)
        return owner_is_dead(store, slot->owner);
    return true;
}

/* Leases that nobody gave back. */
static void
slots_sweep(struct sqlite_store *store, int64_t now)
{
    struct sqlite_shared *shared = store->shared;
    for (uint32_t i = 1; i <= SQL_LEASES_MAX; i++) {
        const struct shared_slot *slot = &shared->slots[i];
        if (slot->state == SLOT_HELD && slot->first == 0 && slot_is_void(store, slot, now))
            slot_drop(shared, i);
    }
}

/* A slot of this key; 0: the table is full. */
static uint32_t
slot_add(struct sqlite_store *store, const uint64_t key[2], int64_t now)
{
    struct sqlite_shared *shared = store->shared;
    if (shared->free_slot == 0)
        slots_sweep(store, now);
    const uint32_t i = shared->free_slot;
    if (i == 0)
        return 0;
    uint32_t *bucket = &shared->buckets[key[0] % SHARED_BUCKETS];
    struct shared_slot *slot = &shared->slots[i];
    shared->free_slot = slot->next;
    *slot =
        (struct shared_slot){ .key = { key[0], key[1] }, .state = SLOT_FILLING, .next = *bucket };
    *bucket = i;
    shared->held++;
    return i;
}

/* Its slot, when `lease` is the newest of the subject and not given back. */
static uint32_t
slot_of(const struct sqlite_shared *shared, const uint64_t key[2], const arvo_lease *lease)
{
    const uint32_t i = slot_find(shared, key);
    const struct shared_slot *slot = &shared->slots[i];
    const bool is_owned = i != 0 && slot->state == SLOT_HELD && slot->fence == lease->fence &&
                          memcmp(slot->token, lease->token, sizeof(lease->token)) == 0;
    return is_owned ? i : 0;
}

/* ---- Lines ------------------------------------------------------------------ */

static uint32_t
waiter_new(struct sqlite_store *store)
{
    struct sqlite_shared *shared = store->shared;
    for (uint32_t i = 1; i <= SHARED_WAITERS; i++) {
        struct shared_waiter *waiter = &shared->waiters[i];
        if (waiter->owner != 0 &&
            (waiter->word != WAITER_OUT || !owner_is_dead(store, waiter->owner)))
            continue;
        waiter->owner = store->owner;
        waiter->word = WAITER_OUT;
        return i;
    }
    return 0;
}

static void
line_append(struct sqlite_shared *shared, struct shared_slot *slot, uint32_t w)
{
    shared->waiters[w].next = 0;
    shared->waiters[w].word = WAITER_WAITS;
    if (slot->last != 0)
        shared->waiters[slot->last].next = w;
    else
        slot->first = w;
    slot->last = w;
}

static void
line_remove(struct sqlite_shared *shared, struct shared_slot *slot, uint32_t w)
{
    uint32_t before = 0;
    for (uint32_t at = slot->first; at != w && at != 0; at = shared->waiters[at].next)
        before = at;
    if (before != 0)
        shared->waiters[before].next = shared->waiters[w].next;
    else
        slot->first = shared->waiters[w].next;
    if (slot->last == w)
        slot->last = before;
    shared->waiters[w].word = WAITER_OUT;
}

/* Nobody holds it: offer it to the first in line, or drop it. */
static void
slot_open(struct sqlite_shared *shared, uint32_t i)
{
    struct shared_slot *slot = &shared->slots[i];
    if (slot->first == 0) {
        slot_drop(shared, i);
        return;
    }
    slot->state = SLOT_OFFERED;
    slot->is_committing = false;
    slot->offered_ms = arvo__real_ms();
    word_wake(&shared->waiters[slot->first].word, WAITER_WOKEN);
}

/* The first in line was offered it and did not come: the next one. */
static void
line_skip(struct sqlite_shared *shared, struct shared_slot *slot)
{
    const uint32_t w = slot->first;
    line_remove(shared, slot, w);
    word_wake(&shared->waiters[w].word, WAITER_OUT);
    slot->offered_ms = arvo__real_ms();
    if (slot->first != 0)
        word_wake(&shared->waiters[slot->first].word, WAITER_WOKEN);
}

/* ---- Acquiring ----------------------------------------------------------------- */

struct acquisition {
    uint64_t key[2];
    int64_t ttl_ms;
    uint32_t waiter; /* 0: none yet */
    bool needs_fence;
    arvo_lease lease; /* token given */
};

static void
slot_take(struct sqlite_store *store, struct acquisition *a, uint32_t i, int64_t now)
{
    struct sqlite_shared *shared = store->shared;
    struct shared_slot *slot = &shared->slots[i];
    a->lease.fence = a->needs_fence ? ++shared->fence : 0;
    a->lease.expires_ms = now + arvo__memory_ttl(a->ttl_ms);
    /* Killed in between, the slot is nobody's. */
    slot->state = SLOT_FILLING;
    atomic_signal_fence(memory_order_seq_cst);
    slot->fence = a->lease.fence;
    memcpy(slot->token, a->lease.token, sizeof(slot->token));
    slot->expires_ms = a->lease.expires_ms;
    slot->owner = store->owner;
    slot->is_committing = false;
    atomic_signal_fence(memory_order_seq_cst);
    slot->state = SLOT_HELD;
}

enum look { LOOK_TAKEN, LOOK_WAIT, LOOK_FULL, LOOK_FENCES };

/* One look, with the mutex held: take it, or stand in line. *out_ms: until the next look. */
static enum look
acquire_look(struct sqlite_store *store, struct acquisition *a, bool may_wait, int64_t *out_ms)
{
    struct sqlite_shared *shared = store->shared;
    const arvo_platform *platform = store->platform;
    const int64_t now = platform->time_ms(platform->self);
    if (a->needs_fence && shared->fence >= shared->fence_limit)
        return LOOK_FENCES;

    uint32_t i = slot_find(shared, a->key);
    if (i == 0 && (i = slot_add(store, a->key, now)) == 0)
        return LOOK_FULL;
    struct shared_slot *slot = &shared->slots[i];
    const bool is_in_line = a->waiter != 0 && shared->waiters[a->waiter].word != WAITER_OUT;
    const bool is_void = slot_is_void(store, slot, now);
    /* Somebody before us was offered it and does not come. */
    if (is_void && slot->first != 0 && slot->first != a->waiter) {
        if (slot->state != SLOT_OFFERED)
            slot_open(shared, i);
        else if (arvo__real_ms() - slot->offered_ms > LOOK_MS)
            line_skip(shared, slot);
    }
    if (is_void && (slot->first == 0 || slot->first == a->waiter)) {
        if (is_in_line)
            line_remove(shared, slot, a->waiter);
        slot_take(store, a, i, now);
        return LOOK_TAKEN;
    }
    *out_ms = LOOK_MS;
    if (slot->state == SLOT_HELD && slot->expires_ms - now < LOOK_MS && slot->expires_ms > now)
        *out_ms = slot->expires_ms - now;
    if (is_in_line)
        atomic_store(&shared->waiters[a->waiter].word, (uint32_t)WAITER_WAITS);
    if (!may_wait || is_in_line)
        return LOOK_WAIT;
    if (a->waiter == 0)
        a->waiter = waiter_new(store);
    if (a->waiter != 0)
        line_append(shared, slot, a->waiter);
    else
        *out_ms = 1; /* no place left: look again soon */
    return LOOK_WAIT;
}

/* Out of line and gone, whatever came of it. With the mutex held. */
static void
acquire_leave(struct sqlite_shared *shared, struct acquisition *a)
{
    if (a->waiter == 0)
        return;
    const uint32_t i = slot_find(shared, a->key);
    struct shared_slot *slot = &shared->slots[i];
    if (i != 0 && shared->waiters[a->waiter].word != WAITER_OUT) {
        const bool is_offered = slot->state == SLOT_OFFERED && slot->first == a->waiter;
        line_remove(shared, slot, a->waiter);
        if (is_offered)
            slot_open(shared, i);
    }
    shared->waiters[a->waiter].owner = 0;
}

/* Look, sleep, look again. LOOK_WAIT: the time is over. */
static arvo_status
acquire_wait(
    struct sqlite_store *store, struct acquisition *a, int64_t wait_ms, enum look *out,
    arvo_error *err)
{
    struct sqlite_shared *shared = store->shared;
    const int64_t started = arvo__real_ms();
    for (;;) {
        int64_t look_ms = LOOK_MS;
        arvo_status st = shared_lock(store, "lock", err);
        if (st != ARVO_OK)
            return st; /* its place in line stays until it is found not to come */
        const int64_t left = wait_ms - (arvo__real_ms() - started);
        const bool may_wait = left > 0 && !(a->needs_fence && atomic_load(&store->is_interrupted));
        *out = acquire_look(store, a, may_wait, &look_ms);
        if (*out != LOOK_WAIT || !may_wait) {
            acquire_leave(shared, a);
            shared_unlock(store);
            return ARVO_OK;
        }
        /* Not woken between here and the sleep: the word is looked at by the kernel. */
        _Atomic uint32_t *word = &shared->waiters[a->waiter].word;
        shared_unlock(store);
        word_sleep(word, look_ms < left ? look_ms : left);
    }
}

arvo_status
arvo__sqlite_shared_acquire(
    struct sqlite_store *store, arvo_str subject, int64_t ttl_ms, int64_t wait_ms,
    bool *out_acquired, arvo_lease *lease, arvo_error *err)
{
    struct acquisition a = { .ttl_ms = ttl_ms, .needs_fence = true, .lease = *lease };
    enum look look = LOOK_WAIT;
    const int64_t started = arvo__real_ms();
    shared_key(store, subject, a.key);
    arvo_status st = acquire_wait(store, &a, wait_ms, &look, err);
    while (st == ARVO_OK && look == LOOK_FENCES) {
        st = arvo__sqlite_reserve_fences(store, err);
        a.waiter = 0;
        if (st == ARVO_OK)
            st = acquire_wait(store, &a, wait_ms - (arvo__real_ms() - started), &look, err);
    }
    if (st == ARVO_OK && look == LOOK_FULL)
        return arvo__fail(
            err, ARVO_E_FULL, "%s-lease: lock: %u subjects are locked already; do it again later",
            store->path, SQL_LEASES_MAX);
    if (st != ARVO_OK)
        return st;
    *out_acquired = look == LOOK_TAKEN;
    if (*out_acquired)
        *lease = a.lease;
    return ARVO_OK;
}

/* ---- The turn to write ---------------------------------------------------------- */

/* SQLite's write lock is had by who asks at the right moment; this line makes it a queue. Only a
 * courtesy: whoever does not get its turn in time asks SQLite all the same. */
void
arvo__sqlite_turn_take(struct sqlite_store *store, struct sqlite_turn *turn)
{
    struct acquisition a = { .ttl_ms = SQL_BUSY_MS };
    enum look look = LOOK_WAIT;
    shared_key(store, ARVO_STR(""), a.key); /* no subject is empty */
    turn->is_taken =
        acquire_wait(store, &a, SQL_BUSY_MS, &look, NULL) == ARVO_OK && look == LOOK_TAKEN;
    turn->lease = a.lease;
}

void
arvo__sqlite_turn_give(struct sqlite_store *store, struct sqlite_turn *turn)
{
    if (turn->is_taken)
        arvo__sqlite_shared_release(store, ARVO_STR(""), &turn->lease);
    turn->is_taken = false;
}

/* ---- Held leases ------------------------------------------------------------------ */

void
arvo__sqlite_shared_release(struct sqlite_store *store, arvo_str subject, const arvo_lease *lease)
{
    uint64_t key[2];
    shared_key(store, subject, key);
    if (shared_lock(store, "unlock", NULL) != ARVO_OK)
        return; /* then it ends by itself */
    const uint32_t i = slot_of(store->shared, key, lease);
    if (i != 0)
        slot_open(store->shared, i);
    shared_unlock(store);
}

arvo_status
arvo__sqlite_shared_renew(
    struct sqlite_store *store, arvo_str subject, arvo_lease *lease, int64_t ttl_ms,
    arvo_error *err)
{
    const arvo_platform *platform = store->platform;
    uint64_t key[2];
    shared_key(store, subject, key);
    arvo_status st = shared_lock(store, "renew", err);
    if (st != ARVO_OK)
        return st;
    const int64_t now = platform->time_ms(platform->self);
    const uint32_t i = slot_of(store->shared, key, lease);
    struct shared_slot *slot = &store->shared->slots[i];
    if (i != 0 && slot->expires_ms > now)
        lease->expires_ms = slot->expires_ms = now + arvo__memory_ttl(ttl_ms);
    else
        st = arvo__sqlite_lease_lost(store, "renew", lease, err);
    shared_unlock(store);
    return st;
}

arvo_status
arvo__sqlite_shared_commit_begin(
    struct sqlite_store *store, arvo_str subject, const arvo_lease *lease, int64_t now,
    arvo_error *err)
{
    uint64_t key[2];
    shared_key(store, subject, key);
    arvo_status st = shared_lock(store, "commit", err);
    if (st != ARVO_OK)
        return st;
    const uint32_t i = slot_of(store->shared, key, lease);
    struct shared_slot *slot = &store->shared->slots[i];
    if (i != 0 && slot->expires_ms > now)
        slot->is_committing = true;
    else
        st = arvo__sqlite_lease_lost(store, "commit", lease, err);
    shared_unlock(store);
    return st;
}

void
arvo__sqlite_shared_commit_end(
    struct sqlite_store *store, arvo_str subject, const arvo_lease *lease, bool release)
{
    uint64_t key[2];
    shared_key(store, subject, key);
    if (shared_lock(store, "commit", NULL) != ARVO_OK)
        return;
    const uint32_t i = slot_of(store->shared, key, lease);
    if (i != 0)
        store->shared->slots[i].is_committing = false;
    if (i != 0 && release)
        slot_open(store->shared, i);
    shared_unlock(store);
}

bool
arvo__sqlite_shared_is_held(struct sqlite_store *store, arvo_str subject)
{
    const arvo_platform *platform = store->platform;
    uint64_t key[2];
    shared_key(store, subject, key);
    if (shared_lock(store, "purge", NULL) != ARVO_OK)
        return true; /* not known: better so */
    const uint32_t i = slot_find(store->shared, key);
    const bool is_held =
        i != 0 && !slot_is_void(store, &store->shared->slots[i], platform->time_ms(platform->self));
    shared_unlock(store);
    return is_held;
}

arvo_status
arvo__sqlite_shared_count(
    struct sqlite_store *store, uint64_t *out_held, uint64_t *out_expired, arvo_error *err)
{
    const arvo_platform *platform = store->platform;
    uint64_t turn[2];
    *out_held = *out_expired = 0;
    shared_key(store, ARVO_STR(""), turn);
    const arvo_status st = shared_lock(store, "stats", err);
    if (st != ARVO_OK)
        return st;
    const int64_t now = platform->time_ms(platform->self);
    for (uint32_t i = 1; i <= SQL_LEASES_MAX; i++) {
        const struct shared_slot *slot = &store->shared->slots[i];
        if (slot->state != SLOT_HELD || memcmp(slot->key, turn, sizeof(turn)) == 0)
            continue;
        ++*(slot_is_void(store, slot, now) ? out_expired : out_held);
    }
    shared_unlock(store);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_shared_add_fences(
    struct sqlite_store *store, uint64_t newest, uint64_t count, arvo_error *err)
{
    struct sqlite_shared *shared = store->shared;
    const arvo_status st = shared_lock(store, "lock", err);
    if (st != ARVO_OK)
        return st;
    /* Another process may have reserved a range too, and be first in here with the later one. */
    if (newest > shared->fence_limit) {
        if (newest - count > shared->fence_limit || shared->fence >= shared->fence_limit)
            shared->fence = newest - count;
        shared->fence_limit = newest;
    }
    shared_unlock(store);
    return ARVO_OK;
}

void
arvo__sqlite_shared_interrupt(struct sqlite_store *store)
{
    struct sqlite_shared *shared = store->shared;
    if (shared == NULL || shared_lock(store, "interrupt", NULL) != ARVO_OK)
        return; /* then they see it at their next look */
    for (uint32_t i = 1; i <= SHARED_WAITERS; i++) {
        struct shared_waiter *waiter = &shared->waiters[i];
        if (waiter->owner == store->owner && waiter->word == WAITER_WAITS)
            word_wake(&waiter->word, WAITER_WOKEN);
    }
    shared_unlock(store);
    arvo__sqlite_commits_tell(store);
}

/* ---- Somebody has committed --------------------------------------------------------- */

uint32_t
arvo__sqlite_commits_seen(struct sqlite_store *store)
{
    return atomic_load(&store->shared->commits);
}

void
arvo__sqlite_commits_tell(struct sqlite_store *store)
{
    struct sqlite_shared *shared = store->shared;
    atomic_fetch_add(&shared->commits, 1);
    if (atomic_load(&shared->listeners) > 0)
        (void)syscall(SYS_futex, &shared->commits, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void
arvo__sqlite_commits_wait(struct sqlite_store *store, uint32_t seen, int64_t timeout_ms)
{
    struct sqlite_shared *shared = store->shared;
    const struct timespec timeout = { .tv_sec = (time_t)(timeout_ms / 1000),
                                      .tv_nsec = (long)(timeout_ms % 1000) * 1000000 };
    atomic_fetch_add(&shared->listeners, 1);
    if (!atomic_load(&store->is_interrupted))
        (void)syscall(SYS_futex, &shared->commits, FUTEX_WAIT, seen, &timeout, NULL, 0);
    atomic_fetch_sub(&shared->listeners, 1);
}

/* ---- What has changed ------------------------------------------------------------- */

static _Atomic uint32_t *
stamp_of(const struct sqlite_store *store, arvo_str subject)
{
    struct sqlite_shared *shared = store->shared;
    const uint64_t hash = arvo__hash(subject.ptr, subject.len, shared->seeds[0]);
    return &shared->stamps[(hash >> 32) % SHARED_STAMPS];
}

uint32_t
arvo__sqlite_stamp(const struct sqlite_store *store, arvo_str subject)
{
    return atomic_load(stamp_of(store, subject));
}

void
arvo__sqlite_stamp_change(struct sqlite_store *store, arvo_str subject)
{
    atomic_fetch_add(stamp_of(store, subject), 1);
}

/* ---- Opening and closing ------------------------------------------------------------- */

static arvo_status
shared_fail(const struct sqlite_store *store, const char *what, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_IO, "%s-lease: %s (%s); the store needs this file beside its own", store->path,
        what, strerror(errno));
}

static bool
shared_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;
    if (pthread_mutexattr_init(&attr) != 0)
        return false;
    const bool done = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
                      pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
                      pthread_mutex_init(mutex, &attr) == 0;
    (void)pthread_mutexattr_destroy(&attr);
    return done;
}

/* Nobody else has it mapped. */
static arvo_status
shared_begin(struct sqlite_store *store, uint64_t newest_fence, arvo_error *err)
{
    struct sqlite_shared *shared = store->shared;
    memset(shared, 0, sizeof(*shared));
    if (!shared_mutex_init(&shared->mutex))
        return arvo__nomem(err);
    if (!store->platform->random(store->platform->self, shared->seeds, sizeof(shared->seeds)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no leases can be kept");
    free_all_slots(shared);
    shared->fence = shared->fence_limit = newest_fence;
    shared->version = SHARED_VERSION;
    shared->bytes = sizeof(*shared);
    shared->magic = SHARED_MAGIC;
    return ARVO_OK;
}

static arvo_status
shared_map(struct sqlite_store *store, arvo_error *err)
{
    void *at = mmap(
        NULL, sizeof(struct sqlite_shared), PROT_READ | PROT_WRITE, MAP_SHARED, store->lease_fd, 0);
    if (at == MAP_FAILED)
        return shared_fail(store, "cannot be mapped", err);
    store->shared = at;
    return ARVO_OK;
}

static void
shared_unmap(struct sqlite_store *store)
{
    if (store->shared != NULL)
        (void)munmap(store->shared, sizeof(*store->shared));
    store->shared = NULL;
}

/* As the first one. */
static arvo_status
shared_create(struct sqlite_store *store, uint64_t newest_fence, arvo_error *err)
{
    /* Room for all of it: a page that the disk has no room for later would end the process. */
    errno = ftruncate(store->lease_fd, 0) == 0
                ? posix_fallocate(store->lease_fd, 0, sizeof(struct sqlite_shared))
                : errno;
    if (errno != 0)
        return shared_fail(store, "cannot be made", err);
    arvo_status st = shared_map(store, err);
    if (st == ARVO_OK)
        st = shared_begin(store, newest_fence, err);
    if (st == ARVO_OK && !lock_byte(store->lease_fd, F_RDLCK, 0))
        st = shared_fail(store, "cannot be locked", err);
    return st;
}

/* As one more. *out_again: whoever was beginning it has died. */
static arvo_status
shared_join(struct sqlite_store *store, bool *out_again, arvo_error *err)
{
    struct stat info;
    if (fstat(store->lease_fd, &info) != 0)
        return shared_fail(store, "cannot be looked at", err);
    *out_again = info.st_size < (off_t)sizeof(struct sqlite_shared);
    if (*out_again)
        return ARVO_OK;
    const arvo_status st = shared_map(store, err);
    if (st != ARVO_OK)
        return st;
    const struct sqlite_shared *shared = store->shared;
    *out_again = shared->magic != SHARED_MAGIC;
    if (!*out_again && (shared->version != SHARED_VERSION || shared->bytes != sizeof(*shared)))
        return arvo__fail(
            err, ARVO_E_VERSION,
            "%s-lease: the store is in use by another build of Arvo; stop that one first",
            store->path);
    if (*out_again)
        shared_unmap(store);
    return ARVO_OK;
}

static arvo_status
shared_attach(struct sqlite_store *store, uint64_t newest_fence, arvo_error *err)
{
    for (int count = 0; count < SQL_BUSY_MS; count++) {
        bool is_again = true;
        arvo_status st = ARVO_OK;
        if (lock_byte(store->lease_fd, F_WRLCK, 0))
            return shared_create(store, newest_fence, err);
        if (lock_byte(store->lease_fd, F_RDLCK, 0)) {
            st = shared_join(store, &is_again, err);
            if (st == ARVO_OK && is_again)
                (void)lock_byte(store->lease_fd, F_UNLCK, 0);
        } else if (errno != EAGAIN && errno != EACCES) {
            return shared_fail(store, "cannot be locked", err);
        }
        if (st != ARVO_OK || !is_again)
            return st;
        (void)arvo__sqlite_busy(NULL, count);
    }
    return arvo__fail(
        err, ARVO_E_TIMEOUT, "%s-lease: another process has been opening it for %d ms; stop it",
        store->path, SQL_BUSY_MS);
}

/* A byte that nobody else has. */
static arvo_status
shared_own(struct sqlite_store *store, arvo_error *err)
{
    uint64_t offset = 0;
    if (!store->platform->random(store->platform->self, &offset, sizeof(offset)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no lease owner can be drawn");
    store->owner = (int64_t)((offset >> 2) | 1u); /* positive, and far from the end of offsets */
    if (!lock_byte(store->lease_fd, F_WRLCK, store->owner))
        return shared_fail(store, "cannot be locked", err);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_shared_open(struct sqlite_store *store, uint64_t newest_fence, arvo_error *err)
{
    char path[SQL_PATH_BYTES_MAX + 8];
    struct stat info;
    (void)snprintf(path, sizeof(path), "%s-lease", store->path);
    store->lease_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (store->lease_fd < 0)
        return shared_fail(store, "cannot be opened", err);
    /* Whoever may write the store may write this. */
    if (stat(store->path, &info) == 0)
        (void)fchmod(store->lease_fd, info.st_mode & 0777);
    const arvo_status st = shared_own(store, err);
    return st == ARVO_OK ? shared_attach(store, newest_fence, err) : st;
}

bool
arvo__sqlite_shared_is_there(const struct sqlite_store *store)
{
    struct stat info;
    return fstat(store->lease_fd, &info) == 0 && info.st_nlink > 0;
}

void
arvo__sqlite_shared_close(struct sqlite_store *store)
{
    shared_unmap(store);
    if (store->lease_fd < 0)
        return;
    /* The last one leaves an empty file. */
    if (lock_byte(store->lease_fd, F_WRLCK, 0))
        (void)!ftruncate(store->lease_fd, 0);
    (void)close(store->lease_fd);
    store->lease_fd = -1;
}

#endif
