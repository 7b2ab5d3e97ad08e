/* The whole in-process store as rows, and a store from rows.
 *
 * A dump copies the records and holds the events under all locks, so it is of
 * one moment, and shows them without any; for its time it needs as much memory
 * again as the records take. A load fills an empty store under all locks, and
 * empties it again when it fails.
 */

#include <stdlib.h>
#include <string.h>

#include "memory/simple.h"

#define DUMP_ARENA_BYTES_MAX                                                                       \
    ((size_t)1 << 46) /* the records are there already: no bound but memory */

static void
store_lock_all(struct simple_store *store)
{
    for (size_t i = 0; i < SIMPLE_SHARDS; i++)
        (void)pthread_mutex_lock(&store->shards[i].mutex);
    (void)pthread_mutex_lock(&store->log.mutex);
}

static void
store_unlock_all(struct simple_store *store)
{
    (void)pthread_mutex_unlock(&store->log.mutex);
    for (size_t i = 0; i < SIMPLE_SHARDS; i++)
        (void)pthread_mutex_unlock(&store->shards[i].mutex);
}

/* Events would be missing, and with them the inboxes. */
static arvo_status
dump_need_history(const struct simple_store *store, const char *what, arvo_error *err)
{
    if (store->log.has_history)
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "memory %s: this store does not keep the events: open it as \"memory:?history=on\"", what);
}

/* ---- Dump: taking -------------------------------------------------------- */

struct dump_record {
    uint64_t ordinal;
    arvo_record record;
};

struct dump_delivery {
    struct simple_event *event;
    struct simple_text *error;
    int64_t due_ms;
    uint32_t attempts;
};

struct dump {
    struct simple_store *store;
    arvo_arena *arena;
    const struct simple_definition **definitions; /* they are never freed */
    struct dump_record *records;
    struct simple_event **events;
    struct dump_delivery *outbox, *dead;
    size_t definition_count, record_count, event_count, outbox_count, dead_count;
    uint64_t newest_fence;
    int64_t newest_seq;
};

static int
compare_definitions(const void *a, const void *b)
{
    const struct simple_definition *x = *(const struct simple_definition *const *)a;
    const struct simple_definition *y = *(const struct simple_definition *const *)b;
    const size_t common = x->hash_len < y->hash_len ? x->hash_len : y->hash_len;
    const int order = memcmp(x->text, y->text, common);
    return order != 0 ? order : (x->hash_len > y->hash_len) - (x->hash_len < y->hash_len);
}

static int
compare_records(const void *a, const void *b)
{
    const struct dump_record *x = a, *y = b;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static int
compare_events(const void *a, const void *b)
{
    const struct simple_event *x = *(struct simple_event *const *)a;
    const struct simple_event *y = *(struct simple_event *const *)b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void
dump_count(struct dump *dump)
{
    const struct simple_log *log = &dump->store->log;
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        const struct simple_shard *shard = &dump->store->shards[i];
        dump->record_count += shard->table.count; /* at most */
        if (shard->leases.fence > dump->newest_fence)
            dump->newest_fence = shard->leases.fence;
    }
    for (const struct simple_definition *at = log->definitions; at != NULL; at = at->next)
        dump->definition_count++;
    dump->event_count = log->history_count;
    dump->outbox_count = log->row_live;
    dump->dead_count = log->dead_count;
    dump->newest_seq = atomic_load_explicit(&log->seq, memory_order_relaxed);
}

static bool
dump_reserve(struct dump *dump)
{
    arvo_arena *arena = dump->arena;
    dump->definitions = arvo_arena_alloc(arena, dump->definition_count * sizeof(void *));
    dump->records = arvo_arena_alloc(arena, dump->record_count * sizeof(dump->records[0]));
    dump->events = arvo_arena_alloc(arena, dump->event_count * sizeof(dump->events[0]));
    dump->outbox = arvo_arena_alloc(arena, dump->outbox_count * sizeof(dump->outbox[0]));
    dump->dead = arvo_arena_alloc(arena, dump->dead_count * sizeof(dump->dead[0]));
    return !arvo_arena_failed(arena);
}

/* false: out of memory, nothing is held. */
static bool
dump_copy_records(struct dump *dump)
{
    size_t count = 0;
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        const struct simple_table *table = &dump->store->shards[i].table;
        for (size_t k = 0; k < table->cap; k++) {
            if (table->tags[k] == 0 || table->slots[k]->ordinal == 0)
                continue;
            struct dump_record *record = &dump->records[count++];
            record->ordinal = table->slots[k]->ordinal;
            if (!arvo__simple_instance_get(table->slots[k], dump->arena, &record->record))
                return false;
        }
    }
    dump->record_count = count;
    return true;
}

static void
dump_hold_delivery(struct dump_delivery *delivery, struct simple_event *event)
{
    const struct simple_delivery *row = event->delivery;
    *delivery = (struct dump_delivery){
        .event = event, .error = row->error, .due_ms = row->due_ms, .attempts = row->attempts
    };
    event->refs++;
    if (row->error != NULL)
        row->error->refs++;
}

static void
dump_hold_events(struct dump *dump)
{
    const struct simple_log *log = &dump->store->log;
    size_t count = 0;
    for (const struct simple_definition *at = log->definitions; at != NULL; at = at->next)
        dump->definitions[count++] = at;
    count = 0;
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        const struct simple_table *table = &dump->store->shards[i].table;
        for (size_t k = 0; k < table->cap; k++) {
            struct simple_event *at = table->tags[k] != 0 ? table->slots[k]->newest : NULL;
            for (; at != NULL; at = at->older) {
                at->refs++;
                dump->events[count++] = at;
            }
        }
    }
    count = 0;
    for (size_t i = log->row_first; i < log->row_end; i++) {
        if (log->rows[i].event != NULL)
            dump_hold_delivery(&dump->outbox[count++], log->rows[i].event);
    }
    for (size_t i = 0; i < log->dead_count; i++)
        dump_hold_delivery(&dump->dead[i], log->dead[i]);
}

static arvo_status
dump_take(struct dump *dump, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    store_lock_all(dump->store);
    dump_count(dump);
    if (dump_reserve(dump) && dump_copy_records(dump))
        dump_hold_events(dump);
    else
        st = arvo__nomem(err);
    store_unlock_all(dump->store);
    return st;
}

static void
dump_let_go(struct dump *dump)
{
    struct simple_log *log = &dump->store->log;
    (void)pthread_mutex_lock(&log->mutex);
    for (size_t i = 0; i < dump->event_count; i++)
        arvo__simple_log_event_unref(log, dump->events[i]);
    for (size_t i = 0; i < dump->outbox_count + dump->dead_count; i++) {
        struct dump_delivery *at =
            i < dump->outbox_count ? &dump->outbox[i] : &dump->dead[i - dump->outbox_count];
        arvo__simple_text_unref(log, at->error);
        arvo__simple_log_event_unref(log, at->event);
    }
    (void)pthread_mutex_unlock(&log->mutex);
}

/* ---- Dump: showing ------------------------------------------------------- */

struct dump_event_call {
    arvo_row row;
};

static bool
dump_fill_event(void *user, const arvo_stored_event *event)
{
    struct dump_event_call *call = user;
    call->row.row.event = *event;
    return true;
}

static bool
dump_show_deliveries(
    const struct dump_delivery *deliveries, size_t count, arvo_row_kind kind, arvo_row_fn each,
    void *user)
{
    for (size_t i = 0; i < count; i++) {
        const struct dump_delivery *at = &deliveries[i];
        const arvo_row row = {
            .kind = kind,
            .row = { .event.seq = at->event->seq,
                     .attempts = at->attempts,
                     .due_ms = at->due_ms,
                     .error = at->error != NULL ? (arvo_str){ at->error->text, at->error->len }
                                                : ARVO_STR_NONE },
        };
        if (!each(user, &row))
            return false;
    }
    return true;
}

static bool
dump_show_events(const struct dump *dump, arvo_row_fn each, void *user)
{
    for (size_t i = 0; i < dump->event_count; i++) {
        struct dump_event_call call = { .row = { .kind = ARVO_ROW_EVENT,
                                                 .cause = dump->events[i]->cause } };
        (void)arvo__simple_log_show(dump->events[i], dump_fill_event, &call);
        if (!each(user, &call.row))
            return false;
    }
    return true;
}

static bool
dump_show_records(const struct dump *dump, arvo_row_fn each, void *user)
{
    for (size_t i = 0; i < dump->definition_count; i++) {
        const struct simple_definition *at = dump->definitions[i];
        const arvo_row row = { .kind = ARVO_ROW_DEFINITION,
                               .hash = { at->text, at->hash_len },
                               .document = { at->text + at->hash_len, at->document_len } };
        if (!each(user, &row))
            return false;
    }
    for (size_t i = 0; i < dump->record_count; i++) {
        const arvo_row row = { .kind = ARVO_ROW_RECORD, .record = dump->records[i].record };
        if (!each(user, &row))
            return false;
    }
    return true;
}

static void
dump_show(struct dump *dump, arvo_row_fn each, void *user)
{
    const arvo_row store = { .kind = ARVO_ROW_STORE,
                             .newest_fence = dump->newest_fence,
                             .newest_seq = dump->newest_seq };
    qsort(dump->definitions, dump->definition_count, sizeof(void *), compare_definitions);
    qsort(dump->records, dump->record_count, sizeof(dump->records[0]), compare_records);
    qsort(dump->events, dump->event_count, sizeof(dump->events[0]), compare_events);
    if (!each(user, &store) || !dump_show_records(dump, each, user) ||
        !dump_show_events(dump, each, user) ||
        !dump_show_deliveries(dump->outbox, dump->outbox_count, ARVO_ROW_OUTBOX, each, user))
        return;
    (void)dump_show_deliveries(dump->dead, dump->dead_count, ARVO_ROW_DEAD, each, user);
}

arvo_status
arvo__simple_dump(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    struct dump dump = { .store = self };
    arvo_status st = dump_need_history(dump.store, "dump", err);
    if (st != ARVO_OK)
        return st;
    dump.arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = dump.store->allocator,
                                                    .bytes_max = DUMP_ARENA_BYTES_MAX });
    if (dump.arena == NULL)
        return arvo__nomem(err);
    st = dump_take(&dump, err);
    if (st == ARVO_OK) {
        dump_show(&dump, each, user);
        dump_let_go(&dump);
    }
    arvo_arena_free(dump.arena);
    return st;
}

/* ---- Load -------------------------------------------------------------- */

struct load {
    struct simple_store *store;
    struct simple_event **events; /* by seq */
    size_t event_count, event_cap;
};

static bool
load_is_empty(const struct simple_store *store)
{
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        if (store->shards[i].table.count > 0)
            return false;
    }
    const struct simple_log *log = &store->log;
    return log->definitions == NULL && log->row_live == 0 && log->dead_count == 0;
}

static void
load_undo(struct simple_store *store)
{
    struct simple_log *log = &store->log;
    while (log->row_live > 0)
        arvo__simple_log_outbox_remove(log, log->rows[log->row_first].seq);
    while (log->dead_count > 0)
        arvo__simple_log_event_unref(log, log->dead[--log->dead_count]);
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        struct simple_shard *shard = &store->shards[i];
        for (size_t k = 0; k < shard->table.cap; k++) {
            if (shard->table.tags[k] == 0)
                continue;
            struct simple_instance *instance = shard->table.slots[k];
            arvo__simple_log_history_drop(log, instance);
            arvo__pool_free(&shard->pool, instance, instance->size_class);
        }
        arvo__simple_table_fini(&shard->table, store->allocator);
    }
    while (log->definitions != NULL) {
        struct simple_definition *next = log->definitions->next;
        arvo__pool_free(&log->pool, log->definitions, log->definitions->size_class);
        log->definitions = next;
    }
    log->order_count = 0;
}

static struct simple_instance *
load_block(struct simple_shard *shard, size_t text_bytes, size_t keys)
{
    uint8_t size_class = 0;
    struct simple_instance *block =
        arvo__pool_alloc(&shard->pool, arvo__simple_instance_bytes(text_bytes, keys), &size_class);
    if (block != NULL)
        block->size_class = size_class;
    return block;
}

/* A new instance in the table, with its subject and nothing else. NULL: out of memory. */
static struct simple_instance *
load_instance(struct simple_store *store, arvo_str subject, uint64_t hash, size_t text_bytes)
{
    struct simple_shard *shard = simple_shard_of(store, hash);
    if (!arvo__simple_table_reserve(&shard->table, 1, store->allocator))
        return NULL;
    struct simple_instance *instance = load_block(shard, text_bytes, 0);
    if (instance == NULL)
        return NULL;
    arvo__simple_instance_init(instance, subject, hash);
    arvo__simple_table_add(&shard->table, instance);
    return instance;
}

static arvo_status
load_record(struct load *load, const arvo_record *record, arvo_error *err)
{
    struct simple_store *store = load->store;
    struct simple_log *log = &store->log;
    const uint64_t hash = arvo__hash_keyed(record->subject.ptr, record->subject.len);
    struct simple_shard *shard = simple_shard_of(store, hash);
    if (arvo__simple_table_find(&shard->table, record->subject, hash) != NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "load: there are two records of %.*s", ARVO_FMT(record->subject));
    struct simple_instance *instance =
        load_instance(store, record->subject, hash, arvo__record_text_bytes(record));
    if (instance == NULL || !arvo__simple_log_reserve(log, 0, 1))
        return arvo__nomem(err);
    arvo__simple_instance_put(instance, record);
    instance->revision = record->revision;
    instance->fence = record->fence;
    instance->created_ms = record->created_ms;
    instance->updated_ms = record->updated_ms;
    log->order[log->order_count++] = hash;
    instance->ordinal = log->order_count;
    return ARVO_OK;
}

static bool
load_inbox_key(
    struct simple_store *store, struct simple_instance **slot, const arvo_stored_event *event)
{
    struct simple_instance *old = *slot;
    struct simple_shard *shard = simple_shard_of(store, old->hash);
    const size_t text_bytes = arvo__simple_instance_text_bytes(old);
    const size_t keys =
        old->inbox_count < store->inbox_max ? old->inbox_count + 1u : old->inbox_count;
    if (arvo__simple_instance_bytes(text_bytes, keys) > arvo__pool_class_bytes(old->size_class)) {
        struct simple_instance *block = load_block(shard, text_bytes, keys);
        if (block == NULL)
            return false;
        arvo__simple_instance_move(block, old, text_bytes);
        *slot = block;
        arvo__pool_free(&shard->pool, old, old->size_class);
    }
    arvo__simple_inbox_add(
        *slot, arvo__simple_inbox_key_of(event->source, event->id), SIMPLE_OUTCOME_NONE,
        store->inbox_max);
    return true;
}

static bool
load_reserve_event(struct load *load)
{
    if (load->event_count < load->event_cap)
        return true;
    const arvo_allocator *allocator = load->store->allocator;
    const size_t cap = load->event_cap != 0 ? load->event_cap * 2 : 1024;
    struct simple_event **events = arvo__alloc(allocator, cap * sizeof(events[0]));
    if (events == NULL)
        return false;
    if (load->events != NULL) {
        memcpy(events, load->events, load->event_count * sizeof(events[0]));
        arvo__free(allocator, load->events, load->event_cap * sizeof(events[0]));
    }
    load->events = events;
    load->event_cap = cap;
    return true;
}

static arvo_status
load_event(struct load *load, const arvo_row *row, arvo_error *err)
{
    struct simple_store *store = load->store;
    const arvo_stored_event *event = &row->row.event;
    const uint64_t hash = arvo__hash_keyed(event->subject.ptr, event->subject.len);
    struct simple_shard *shard = simple_shard_of(store, hash);
    struct simple_instance **slot = arvo__simple_table_find(&shard->table, event->subject, hash);
    if (slot == NULL) {
        if (load_instance(store, event->subject, hash, event->subject.len) == NULL)
            return arvo__nomem(err);
        slot = arvo__simple_table_find(&shard->table, event->subject, hash);
    }
    const bool has_key = event->direction == ARVO_CONSUMED && store->inbox_max > 0;
    if (!load_reserve_event(load) || (has_key && !load_inbox_key(store, slot, event)))
        return arvo__nomem(err);
    struct simple_event *copy = arvo__simple_log_event_new(
        &store->log, event->subject, event, event->direction, event->time_ms);
    if (copy == NULL)
        return arvo__nomem(err);
    copy->seq = event->seq;
    copy->cause = row->cause;
    arvo__simple_log_history_add(&store->log, *slot, copy);
    load->events[load->event_count++] = copy; /* held by this array too, until the end */
    return ARVO_OK;
}

static struct simple_event *
load_find_event(const struct load *load, int64_t seq)
{
    size_t low = 0, high = load->event_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (load->events[middle]->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < load->event_count && load->events[low]->seq == seq ? load->events[low] : NULL;
}

static arvo_status
load_delivery(struct load *load, const arvo_row *row, arvo_error *err)
{
    struct simple_log *log = &load->store->log;
    struct simple_event *event = load_find_event(load, row->row.event.seq);
    if (event == NULL || event->direction != ARVO_PRODUCED || event->delivery != NULL)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "load: the outbox row or dead letter %lld has no produced event of its own",
            (long long)row->row.event.seq);
    const bool is_dead = row->kind == ARVO_ROW_DEAD;
    const uint64_t hash = arvo__hash_keyed(event->text, event->len[0]);
    if (!(is_dead ? arvo__simple_log_dead_reserve(log) : arvo__simple_log_reserve(log, 1, 0)) ||
        !arvo__simple_delivery_new(log, event, hash))
        return arvo__nomem(err);
    event->delivery->attempts = row->row.attempts;
    event->delivery->due_ms = row->row.due_ms;
    if (row->row.error.ptr != NULL) {
        event->delivery->error = arvo__simple_text_new(log, row->row.error);
        if (event->delivery->error == NULL)
            return arvo__nomem(err); /* the delivery goes with its event */
    }
    if (is_dead) {
        event->refs++;
        arvo__simple_log_dead_add(log, event);
    } else {
        arvo__simple_log_outbox_add(log, event);
    }
    return ARVO_OK;
}

static arvo_status
load_row(struct load *load, const arvo_row *row, arvo_error *err)
{
    struct simple_log *log = &load->store->log;
    switch (row->kind) {
    case ARVO_ROW_STORE:
        return ARVO_OK; /* at the end */
    case ARVO_ROW_DEFINITION: {
        const struct simple_definition *before = log->definitions;
        if (!arvo__simple_log_definition_add(log, row->hash, row->document))
            return arvo__nomem(err);
        if (log->definitions == before)
            return arvo__fail(
                err, ARVO_E_INVALID, "load: there are two definitions with hash %.*s",
                ARVO_FMT(row->hash));
        return ARVO_OK;
    }
    case ARVO_ROW_RECORD:
        return load_record(load, &row->record, err);
    case ARVO_ROW_EVENT:
        return load_event(load, row, err);
    case ARVO_ROW_OUTBOX:
    case ARVO_ROW_DEAD:
        return load_delivery(load, row, err);
    }
    return ARVO_OK;
}

static arvo_status
load_rows(struct load *load, arvo_row_next next, void *user, arvo_error *err)
{
    arvo__load_check check = { 0 };
    const arvo_row *row = NULL;
    arvo_status st = ARVO_OK;
    do {
        st = next(user, &row, err);
        if (st == ARVO_OK && row != NULL)
            st = arvo__load_check_row(&check, row, err);
        if (st == ARVO_OK && row != NULL)
            st = load_row(load, row, err);
    } while (st == ARVO_OK && row != NULL);
    if (st == ARVO_OK)
        st = arvo__load_check_end(&check, err);
    if (st != ARVO_OK)
        return st;

    struct simple_store *store = load->store;
    atomic_store_explicit(&store->log.has_outbox, true, memory_order_relaxed);
    if (check.newest_seq > atomic_load_explicit(&store->log.seq, memory_order_relaxed))
        atomic_store_explicit(&store->log.seq, check.newest_seq, memory_order_relaxed);
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        if (store->shards[i].leases.fence < check.newest_fence)
            store->shards[i].leases.fence = check.newest_fence;
    }
    return ARVO_OK;
}

arvo_status
arvo__simple_load(void *self, arvo_row_next next, void *user, arvo_error *err)
{
    struct load load = { .store = self };
    struct simple_log *log = &load.store->log;
    arvo_status st = dump_need_history(load.store, "load", err);
    if (st != ARVO_OK)
        return st;
    store_lock_all(load.store);
    if (!load_is_empty(load.store)) {
        st = arvo__fail(err, ARVO_E_EXISTS, "memory load: the store is not empty");
    } else {
        st = load_rows(&load, next, user, err);
        if (st != ARVO_OK)
            load_undo(load.store);
    }
    for (size_t i = 0; i < load.event_count; i++)
        arvo__simple_log_event_unref(log, load.events[i]);
    store_unlock_all(load.store);
    if (load.events != NULL)
        arvo__free(load.store->allocator, load.events, load.event_cap * sizeof(load.events[0]));
    return st;
}
