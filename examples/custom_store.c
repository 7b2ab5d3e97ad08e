/* A store of your own: the four required functions, and no more.
 *
 * It keeps each record as JSON bytes in a list. That is slow, and without
 * `commit` the promise is the weaker one: state is written, then events are
 * returned. But it shows everything a store has to get right: a lease has an
 * owner's token, an expiry and a fence that only grows, and a write is refused
 * when its lease or its revision is not the present one.
 *
 *     cc custom_store.c $(pkg-config --cflags --libs arvo) -lpthread
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/memory.h>

struct entry {
    struct entry *next;
    char *subject;
    size_t subject_len;
    char *json; /* of the record; NULL: there is none yet */
    size_t json_len;
    uint64_t revision;
    int64_t created_ms;
    arvo_lease lease; /* fence 0: never locked */
    bool is_held;
};

struct my_store {
    pthread_mutex_t mutex;
    struct entry *entries;
    const arvo_platform *platform;
};

static int64_t
now_ms(const struct my_store *store)
{
    return store->platform->time_ms(store->platform->self);
}

static struct entry *
entry_find(struct my_store *store, arvo_str subject)
{
    struct entry *entry = store->entries;
    while (entry != NULL &&
           !arvo_str_equal((arvo_str){ entry->subject, entry->subject_len }, subject))
        entry = entry->next;
    return entry;
}

static struct entry *
entry_add(struct my_store *store, arvo_str subject)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    char *copy = malloc(subject.len);
    if (entry == NULL || copy == NULL) {
        free(entry);
        free(copy);
        return NULL;
    }
    memcpy(copy, subject.ptr, subject.len);
    entry->subject = copy;
    entry->subject_len = subject.len;
    entry->next = store->entries;
    store->entries = entry;
    return entry;
}

static bool
lease_is_valid(const struct my_store *store, const struct entry *entry, const arvo_lease *lease)
{
    return entry != NULL && entry->is_held && lease != NULL && entry->lease.fence == lease->fence &&
           entry->lease.expires_ms > now_ms(store) &&
           memcmp(entry->lease.token, lease->token, sizeof(lease->token)) == 0;
}

static arvo_status
check_subject(arvo_str subject, arvo_error *err)
{
    if (subject.len == 0)
        return arvo_error_set(err, ARVO_E_INVALID, ARVO_NO_OFFSET, "my store: no subject");
    return ARVO_OK;
}

static arvo_status
my_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err)
{
    struct my_store *store = self;
    arvo_status st = check_subject(subject, err);
    if (st != ARVO_OK)
        return st;
    pthread_mutex_lock(&store->mutex);
    const struct entry *entry = entry_find(store, subject);
    const bool is_found = entry != NULL && entry->json != NULL;
    if (is_found)
        st = arvo_record_parse((arvo_str){ entry->json, entry->json_len }, arena, out, err);
    pthread_mutex_unlock(&store->mutex);
    if (st == ARVO_OK)
        *out_found = is_found;
    return st;
}

/* With the mutex held; the checks are done. */
static arvo_status
entry_put(struct my_store *store, struct entry *entry, const arvo_record *record, arvo_error *err)
{
    arvo_record stored = *record; /* the store fills in the rest */
    stored.revision = entry->revision + 1;
    stored.fence = entry->lease.fence;
    stored.updated_ms = now_ms(store);
    stored.created_ms = entry->json != NULL ? entry->created_ms : stored.updated_ms;

    arvo_buf json = ARVO_BUF_INIT(ARVO_RECORD_BYTES_MAX);
    arvo_record_write(&stored, &json);
    char *copy = json.status == ARVO_OK ? malloc(json.len) : NULL;
    if (copy != NULL) {
        memcpy(copy, json.ptr, json.len);
        free(entry->json);
        entry->json = copy;
        entry->json_len = json.len;
        entry->revision = stored.revision;
        entry->created_ms = stored.created_ms;
    }
    arvo_buf_fini(&json);
    if (copy == NULL)
        return arvo_error_set(err, ARVO_E_NOMEM, ARVO_NO_OFFSET, "my store: out of memory");
    return ARVO_OK;
}

static arvo_status
my_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    struct my_store *store = self;
    const uint64_t previous_revision = previous != NULL ? previous->revision : 0;
    arvo_status st = check_subject(subject, err);
    if (st == ARVO_OK && (record == NULL || !arvo_str_equal(record->subject, subject)))
        st = arvo_error_set(
            err, ARVO_E_INVALID, ARVO_NO_OFFSET, "my store: not a record of this subject");
    if (st != ARVO_OK)
        return st;

    pthread_mutex_lock(&store->mutex);
    struct entry *entry = entry_find(store, subject);
    if (!lease_is_valid(store, entry, lease))
        st = arvo_error_set(err, ARVO_E_STALE, ARVO_NO_OFFSET, "my store: the lease is lost");
    else if (entry->revision != previous_revision)
        st = arvo_error_set(err, ARVO_E_STALE, ARVO_NO_OFFSET, "my store: another revision");
    else
        st = entry_put(store, entry, record, err);
    pthread_mutex_unlock(&store->mutex);
    return st;
}

/* With the mutex held. */
static arvo_status
entry_lock(struct my_store *store, struct entry *entry, int64_t ttl_ms, arvo_error *err)
{
    arvo_lease lease = { .fence = entry->lease.fence + 1, .expires_ms = now_ms(store) + ttl_ms };
    if (!store->platform->random(store->platform->self, lease.token, sizeof(lease.token)))
        return arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "my store: no random bytes");
    entry->lease = lease;
    entry->is_held = true;
    return ARVO_OK;
}

static arvo_status
my_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    struct my_store *store = self;
    const struct timespec pause = { .tv_nsec = 1000000 };
    arvo_status st = check_subject(subject, err);

    for (int64_t waited_ms = 0; st == ARVO_OK; waited_ms++) {
        pthread_mutex_lock(&store->mutex);
        struct entry *entry = entry_find(store, subject);
        if (entry == NULL)
            entry = entry_add(store, subject);
        const bool is_free =
            entry != NULL && (!entry->is_held || entry->lease.expires_ms <= now_ms(store));
        if (entry == NULL)
            st = arvo_error_set(err, ARVO_E_NOMEM, ARVO_NO_OFFSET, "my store: out of memory");
        else if (is_free)
            st = entry_lock(store, entry, ttl_ms, err);
        if (st == ARVO_OK && is_free)
            *out = entry->lease;
        pthread_mutex_unlock(&store->mutex);

        if (st == ARVO_OK && (is_free || waited_ms >= wait_ms)) {
            *out_acquired = is_free;
            return ARVO_OK;
        }
        nanosleep(&pause, NULL);
    }
    return st;
}

static arvo_status
my_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    struct my_store *store = self;
    const arvo_status st = check_subject(subject, err);
    if (st != ARVO_OK)
        return st;
    pthread_mutex_lock(&store->mutex);
    struct entry *entry = entry_find(store, subject);
    if (lease_is_valid(store, entry, lease))
        entry->is_held = false;
    pthread_mutex_unlock(&store->mutex);
    return ARVO_OK;
}

static void
my_close(void *self)
{
    struct my_store *store = self;
    while (store->entries != NULL) {
        struct entry *entry = store->entries;
        store->entries = entry->next;
        free(entry->subject);
        free(entry->json);
        free(entry);
    }
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static const arvo_memory_ops my_ops = {
    .version = ARVO_MEMORY_OPS_VERSION,
    .name = "mine",
    .read = my_read,
    .write = my_write,
    .lock = my_lock,
    .unlock = my_unlock,
    .close = my_close,
};

arvo_status my_store_new(const arvo_platform *platform, arvo_memory **out, arvo_error *err);

arvo_status
my_store_new(const arvo_platform *platform, arvo_memory **out, arvo_error *err)
{
    struct my_store *store = calloc(1, sizeof(*store));
    if (store == NULL || pthread_mutex_init(&store->mutex, NULL) != 0) {
        free(store);
        return arvo_error_set(err, ARVO_E_NOMEM, ARVO_NO_OFFSET, "my store: out of memory");
    }
    store->platform = platform;
    const arvo_status st = arvo_memory_new(&my_ops, store, out, err);
    if (st != ARVO_OK)
        my_close(store);
    return st;
}

#ifndef CUSTOM_STORE_NO_MAIN

/* An orchestrator does this for every event: lock, read, (run the machine,) write, unlock. */
static arvo_status
count_up(arvo_memory *memory, arvo_str subject, arvo_arena *arena, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_lease lease;
    bool is_acquired = false, is_found = false;
    arvo_record before;
    const arvo_record after = { .subject = subject,
                                .orchestrator = ARVO_STR("arvo.orc.example"),
                                .version = ARVO_STR("1.0.0"),
                                .status = ARVO_STR("active"),
                                .state =
                                    ARVO_STR("{\"status\":\"active\",\"value\":\"waiting\"}") };

    arvo_status st = ops->lock(
        self, subject, ARVO_LEASE_MS_DEFAULT, ARVO_LOCK_WAIT_MS_DEFAULT, &is_acquired, &lease, err);
    if (st != ARVO_OK)
        return st;
    if (!is_acquired)
        return arvo_error_set(err, ARVO_E_LOCK_DENIED, ARVO_NO_OFFSET, "somebody else has it");
    st = ops->read(self, subject, arena, &is_found, &before, err);
    if (st == ARVO_OK)
        st = ops->write(self, subject, &after, is_found ? &before : NULL, &lease, err);
    const arvo_status st_unlock = ops->unlock(self, subject, &lease, err);
    return st != ARVO_OK ? st : st_unlock;
}

int
main(void)
{
    const arvo_str subject = ARVO_STR("a-subject");
    arvo_error err = { 0 };
    arvo_memory *memory = NULL;
    arvo_record record = { 0 };
    bool is_found = false;

    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_status st =
        arena != NULL ? my_store_new(arvo_platform_system(), &memory, &err) : ARVO_E_NOMEM;
    for (int i = 0; i < 3 && st == ARVO_OK; i++)
        st = count_up(memory, subject, arena, &err);
    if (st == ARVO_OK)
        st = arvo_memory_ops_of(memory)->read(
            arvo_memory_self(memory), subject, arena, &is_found, &record, &err);
    if (st == ARVO_OK && is_found)
        printf(
            "%s: %.*s is %.*s, revision %llu\n", arvo_memory_name(memory), ARVO_FMT(record.subject),
            ARVO_FMT(record.status), (unsigned long long)record.revision);
    else
        fprintf(stderr, "custom_store: %s: %s\n", arvo_status_name(st), err.text);
    arvo_memory_close(memory);
    arvo_arena_free(arena);
    return st == ARVO_OK ? 0 : 1;
}

#endif
