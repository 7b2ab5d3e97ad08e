/* The SQLite store ("sqlite:PATH").
 *
 * Layout, schema version 2 (docs/store-format.md is the contract):
 *
 *   subject     id -> text                     every subject seen, each text once
 *     index subject_hash (hash)                found by a keyed hash, which is short
 *   instance    id -> record                   its columns are the record's members; JSON as text
 *   definition  hash -> document               each machine definition once
 *   event       seq -> event                   consumed (0) and produced (1), each event once;
 *                                              a produced one names the consumed one as its cause
 *     index event_subject (subject_id, direction, source, id): history, and the inbox
 *   outbox      seq -> subject, claim, attempts produced events that are not done; head_ms of the
 *                                              oldest of each subject: from when it may be claimed
 *   dead        seq -> attempts, error         dead letters
 *   store       one row: the newest fence reserved, the key of the hash
 *   record      a view: instance with its subject
 *
 * Leases are in PATH-lease (sqlite_shared.c).
 *
 * Files: sqlite_open.c whose file, schema, migration; sqlite_conn.c connections,
 * sqlite_statement.c their statements and errors; sqlite_writer.c the queue of
 * writes; sqlite_cache.c what was read and written last; sqlite_lease.c, sqlite_commit.c,
 * sqlite_read.c, sqlite_outbox.c, sqlite_care.c and sqlite_dump.c the operations.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <string.h>

#include "memory/sqlite.h"

static void
sqlite_close(void *self)
{
    struct sqlite_store *store = self;
    arvo__sqlite_checkpoint_fini(&store->checkpoint);
    arvo__sqlite_cache_fini(&store->cache, store->allocator);
    arvo__sqlite_readers_fini(store);
    arvo__sqlite_writer_fini(&store->writer);
    arvo__sqlite_shared_close(store);
    arvo__gate_fini(&store->gate);
    arvo__free(store->allocator, store, sizeof(*store));
}

static const arvo_memory_ops sqlite_ops = {
    .version = ARVO_MEMORY_OPS_VERSION,
    .name = "sqlite",
    .read = arvo__sqlite_read,
    .write = arvo__sqlite_write,
    .lock = arvo__sqlite_lock,
    .unlock = arvo__sqlite_unlock,
    .commit = arvo__sqlite_commit,
    .inbox_find = arvo__sqlite_inbox_find,
    .outbox_list = arvo__sqlite_outbox_list,
    .outbox_done = arvo__sqlite_outbox_done,
    .list = arvo__sqlite_list,
    .history = arvo__sqlite_history,
    .lock_read = arvo__sqlite_lock_read,
    .renew = arvo__sqlite_renew,
    .interrupt = arvo__sqlite_interrupt,
    .outbox_claim = arvo__sqlite_outbox_claim,
    .outbox_retry = arvo__sqlite_outbox_retry,
    .outbox_dead = arvo__sqlite_outbox_dead,
    .outbox_release = arvo__sqlite_outbox_release,
    .outbox_wait = arvo__sqlite_outbox_wait,
    .dead_list = arvo__sqlite_dead_list,
    .dead_retry = arvo__sqlite_dead_retry,
    .dead_drop = arvo__sqlite_dead_drop,
    .stats = arvo__sqlite_stats,
    .purge = arvo__sqlite_purge,
    .dump = arvo__sqlite_dump,
    .load = arvo__sqlite_load,
    .check = arvo__sqlite_check,
    .close = sqlite_close,
};

static arvo_status
sqlite_path(arvo_str path, struct sqlite_store *store, arvo_error *err)
{
    if (path.len == 0)
        return arvo__fail(
            err, ARVO_E_INVALID, "store URL: behind \"sqlite:\" the path of a file must stand");
    if (path.len >= sizeof(store->path))
        return arvo__fail(err, ARVO_E_INVALID, "store URL: the path is too long");
    if (arvo_str_is(path, ":memory:"))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: \":memory:\" is no file; for a store in memory say memory:");
    if (arvo_str_starts(path, ARVO_STR("//")) && !arvo_str_starts(path, ARVO_STR("///")))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: \"sqlite:%.*s\" names a host; say sqlite:PATH without slashes in front",
            ARVO_FMT(path));
    memcpy(store->path, path.ptr, path.len);
    store->path[path.len] = '\0';
    return ARVO_OK;
}

static arvo_status
sqlite_store_new(
    const arvo_platform *platform, const arvo_allocator *allocator, struct sqlite_store **out,
    arvo_error *err)
{
    struct sqlite_store *store = arvo__calloc(allocator, 1, sizeof(*store));
    if (store == NULL)
        return arvo__nomem(err);
    store->allocator = allocator;
    store->platform = platform;
    store->lease_fd = -1;
    arvo_status st = ARVO_OK;
    if (!arvo__sqlite_readers_init(&store->readers) ||
        !arvo__sqlite_checkpoint_init(&store->checkpoint) ||
        !arvo__sqlite_cache_init(&store->cache, allocator) ||
        !arvo__sqlite_writer_init(&store->writer))
        st = arvo__nomem(err);
    if (st == ARVO_OK)
        st = arvo__gate_init(&store->gate, platform, allocator, err);
    if (st != ARVO_OK) {
        sqlite_close(store);
        return st;
    }
    *out = store;
    return ARVO_OK;
}

arvo_status
arvo__memory_sqlite_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    static const char *const syncs[] = { "full", "normal", NULL };
    static const char *const modes[] = { "rwc", "ro", NULL };
    int64_t sync = 0, mode = 0, pages = 0;
    const arvo__memory_param params[] = {
        { "sync", syncs, 0, 0, &sync },
        { "mode", modes, 0, 0, &mode },
        { "pages", NULL, 1, UINT32_MAX - 1, &pages },
    };
    const char *mark = rest.len > 0 ? memchr(rest.ptr, '?', rest.len) : NULL;
    arvo_str query = ARVO_STR_NONE;
    if (mark != NULL) {
        query = (arvo_str){ mark + 1, rest.len - (size_t)(mark - rest.ptr) - 1 };
        rest.len = (size_t)(mark - rest.ptr);
    }
    arvo_status st = arvo__memory_params_parse(query, params, ARVO_COUNT_OF(params), err);
    if (st != ARVO_OK)
        return st;

    struct sqlite_store *store = NULL;
    st = sqlite_store_new(platform, allocator, &store, err);
    if (st != ARVO_OK)
        return st;
    store->is_read_only = mode == 1;
    store->writer.sync = sync == 1 ? SQL_SYNC_NORMAL : SQL_SYNC_FULL;
    st = sqlite_path(rest, store, err);
    if (st == ARVO_OK)
        st = arvo__sqlite_open_file(store, pages, err);
    if (st == ARVO_OK)
        st = arvo__memory_new(&sqlite_ops, store, allocator, out, err);
    if (st != ARVO_OK)
        sqlite_close(store);
    return st;
}

#else

arvo_status
arvo__memory_sqlite_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    (void)rest, (void)platform, (void)allocator, (void)out;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "store URL: this Arvo was built without SQLite; install libsqlite3-dev and build again");
}

#endif
