/* The PostgreSQL store: postgres://[USER[:PASSWORD]@][HOST[:PORT]]/DATABASE[?...]
 *
 *   postgres.c            this: the URL, the table of operations, opening and closing
 *   postgres_library.c    libpq, opened when needed
 *   postgres_connection.c the pool, calls with a deadline, what an error means
 *   postgres_param.c      parameters and results
 *   postgres_schema.c     tables and functions in the database
 *   postgres_open.c       whether a schema is a store, and of which version
 *   postgres_lane.c       many threads' operations in one call
 *   postgres_lease.c      lock, unlock, renew
 *   postgres_commit.c     commit, write
 *   postgres_read.c       records, inbox, outbox, history
 *   postgres_outbox.c     claims, dead letters, waiting for work
 *   postgres_watch.c      the thread that listens and tells
 *   postgres_care.c       stats, purge, check
 *   postgres_dump.c       dump, load
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_POSTGRES

#include <stdio.h>
#include <string.h>

#include "memory/postgres.h"

#define pq arvo__pq

#define URL_BYTES_MAX ((size_t)8192)

static void pg_close(void *self);

static const arvo_memory_ops postgres_ops = {
    .version = ARVO_MEMORY_OPS_VERSION,
    .name = "postgres",
    .read = arvo__pg_read,
    .write = arvo__pg_write,
    .lock = arvo__pg_lock,
    .unlock = arvo__pg_unlock,
    .commit = arvo__pg_commit,
    .inbox_find = arvo__pg_inbox_find,
    .outbox_list = arvo__pg_outbox_list,
    .outbox_done = arvo__pg_outbox_done,
    .list = arvo__pg_list,
    .history = arvo__pg_history,
    .lock_read = arvo__pg_lock_read,
    .renew = arvo__pg_renew,
    .interrupt = arvo__pg_interrupt,
    .outbox_claim = arvo__pg_outbox_claim,
    .outbox_retry = arvo__pg_outbox_retry,
    .outbox_dead = arvo__pg_outbox_dead,
    .outbox_release = arvo__pg_outbox_release,
    .outbox_wait = arvo__pg_outbox_wait,
    .dead_list = arvo__pg_dead_list,
    .dead_retry = arvo__pg_dead_retry,
    .dead_drop = arvo__pg_dead_drop,
    .stats = arvo__pg_stats,
    .purge = arvo__pg_purge,
    .dump = arvo__pg_dump,
    .load = arvo__pg_load,
    .check = arvo__pg_check,
    .close = pg_close,
};

/* ---- The URL ------------------------------------------------------------------- */

/* Ours, and what is left for libpq. */
struct url_parts {
    int64_t pool, sync, migrate, timeout_ms, partition;
    arvo_str schema;
    arvo_buf libpq;
};

static arvo_status
schema_check(arvo_str schema, arvo_error *err)
{
    bool is_good = schema.len > 0 && schema.len <= PG_SCHEMA_NAME_MAX;
    for (size_t i = 0; is_good && i < schema.len; i++) {
        const char c = schema.ptr[i];
        is_good = (c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9');
    }
    if (!is_good || arvo_str_starts(schema, ARVO_STR("pg_")) || arvo_str_is(schema, "public") ||
        arvo_str_is(schema, "information_schema"))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: schema is \"%.*s\"; it must be a name of its own of a-z, 0-9 and _, at "
            "most %u "
            "characters",
            (int)(schema.len < 100 ? schema.len : 100), schema.ptr, PG_SCHEMA_NAME_MAX);
    return ARVO_OK;
}

static arvo_str
parameter_name(arvo_str parameter)
{
    const char *equals = parameter.len > 0 ? memchr(parameter.ptr, '=', parameter.len) : NULL;
    if (equals != NULL)
        parameter.len = (size_t)(equals - parameter.ptr);
    return parameter;
}

/* Take our parameters out of the query; the rest is put behind the URL for libpq. */
static arvo_status
url_query(arvo_str query, struct url_parts *parts, arvo_error *err)
{
    static const char *const syncs[] = { "full", "server", NULL };
    static const char *const switches[] = { "off", "on", NULL };
    const arvo__memory_param params[] = {
        { "pool", NULL, 2, PG_POOL_MAX, &parts->pool },
        { "sync", syncs, 0, 0, &parts->sync },
        { "migrate", switches, 0, 0, &parts->migrate },
        { "timeout", NULL, 100, 3600000, &parts->timeout_ms },
        { "partition", NULL, 1000, 1000000000, &parts->partition },
    };
    char joint = '?';
    arvo_status st = ARVO_OK;
    while (st == ARVO_OK && query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        const arvo_str one = { query.ptr, end != NULL ? (size_t)(end - query.ptr) : query.len };
        const arvo_str name = parameter_name(one);
        query.ptr += one.len + (end != NULL);
        query.len -= one.len + (end != NULL);
        size_t i = 0;
        while (i < ARVO_COUNT_OF(params) && !arvo_str_is(name, params[i].name))
            i++;
        if (i < ARVO_COUNT_OF(params)) {
            st = arvo__memory_params_parse(one, params, ARVO_COUNT_OF(params), err);
        } else if (arvo_str_is(name, "schema")) {
            parts->schema = name.len < one.len
                                ? (arvo_str){ one.ptr + name.len + 1, one.len - name.len - 1 }
                                : ARVO_STR("");
            st = schema_check(parts->schema, err);
        } else {
            arvo_buf_append_char(&parts->libpq, joint);
            arvo_buf_append_str(&parts->libpq, one);
            joint = '&';
        }
    }
    return st;
}

/* libpq's own messages quote what it did not understand, which may be the password. */
static arvo_status
url_parse(struct postgres_store *store, arvo_str rest, struct url_parts *parts, arvo_error *err)
{
    const char *mark = rest.len > 0 ? memchr(rest.ptr, '?', rest.len) : NULL;
    arvo_str query = ARVO_STR_NONE;
    if (mark != NULL) {
        query = (arvo_str){ mark + 1, rest.len - (size_t)(mark - rest.ptr) - 1 };
        rest.len = (size_t)(mark - rest.ptr);
    }
    if (!arvo_str_starts(rest, ARVO_STR("//")))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: \"postgres:\" must be followed by //, as in postgres://user@host/database");
    arvo_buf_append_str(&parts->libpq, ARVO_STR("postgres:"));
    arvo_buf_append_str(&parts->libpq, rest);
    arvo_status st = url_query(query, parts, err);
    if (st != ARVO_OK)
        return st;
    arvo_buf_append_char(&parts->libpq, '\0');
    st = arvo__buf_status(&parts->libpq, "the store URL", err);
    if (st != ARVO_OK)
        return st;
    char *message = NULL;
    store->options = pq.PQconninfoParse(parts->libpq.ptr, &message);
    if (message != NULL)
        pq.PQfreemem(message);
    if (store->options == NULL)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: not a PostgreSQL URL; say postgres://user:password@host:port/database, "
            "with %%XX "
            "for special characters, then parameters of libpq or schema, pool, sync, migrate, "
            "timeout, "
            "partition");
    return ARVO_OK;
}

static const char *
option_of(const struct postgres_store *store, const char *keyword, const char *none)
{
    for (const PQconninfoOption *option = store->options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0 && option->val != NULL && *option->val != '\0')
            return option->val;
    }
    return none;
}

/* For error lines: nothing that is secret is part of it. */
static void
name_place(struct postgres_store *store)
{
    (void)snprintf(
        store->where, sizeof(store->where), "postgres %.80s:%.10s/%.60s, schema %s",
        option_of(store, "host", "(local socket)"), option_of(store, "port", "5432"),
        option_of(store, "dbname", "(default)"), store->schema);
}

static arvo_status
store_configure(struct postgres_store *store, arvo_str rest, arvo_error *err)
{
    struct url_parts parts = { .pool = PG_POOL_DEFAULT,
                               .timeout_ms = PG_TIMEOUT_MS_DEFAULT,
                               .partition = PG_PARTITION_ROWS,
                               .schema = ARVO_STR("arvo"),
                               .libpq = ARVO_BUF_INIT(URL_BYTES_MAX) };
    parts.libpq.allocator = store->allocator;
    const arvo_status st = url_parse(store, rest, &parts, err);
    if (st == ARVO_OK) {
        memcpy(store->schema, parts.schema.ptr, parts.schema.len);
        store->schema[parts.schema.len] = '\0';
        store->pool_max = (size_t)parts.pool;
        store->sync = parts.sync == 1 ? PG_SYNC_SERVER : PG_SYNC_FULL;
        store->is_migrating = parts.migrate == 1;
        store->timeout_ms = parts.timeout_ms;
        store->partition_rows = parts.partition;
        name_place(store);
    }
    if (parts.libpq.ptr != NULL)
        memset(parts.libpq.ptr, 0, parts.libpq.len);
    arvo_buf_fini(&parts.libpq);
    return st;
}

/* ---- Opening and closing ---------------------------------------------------------- */

static void
pg_close(void *self)
{
    struct postgres_store *store = self;
    arvo__pg_watch_stop(store);
    for (size_t i = 0; i < store->pool_max; i++) {
        if (store->pool[i].conn != NULL)
            pq.PQfinish(store->pool[i].conn);
    }
    if (store->options != NULL)
        pq.PQconninfoFree(store->options);
    arvo__gate_fini(&store->gate);
    (void)pthread_mutex_destroy(&store->locks.mutex);
    (void)pthread_mutex_destroy(&store->unlocks.mutex);
    (void)pthread_mutex_destroy(&store->commits.mutex);
    (void)pthread_cond_destroy(&store->pool_free);
    (void)pthread_mutex_destroy(&store->pool_mutex);
    (void)pthread_cond_destroy(&store->outbox_cond);
    (void)pthread_mutex_destroy(&store->wait_mutex);
    arvo__free(store->allocator, store, sizeof(*store));
}

static bool
store_sync_init(struct postgres_store *store)
{
    return arvo__pg_lane_init(&store->locks, PG_LOCK_GROUPS, arvo__pg_run_locks) &&
           arvo__pg_lane_init(&store->unlocks, 1, arvo__pg_run_unlocks) &&
           arvo__pg_lane_init(&store->commits, PG_COMMIT_GROUPS, arvo__pg_run_commits) &&
           pthread_mutex_init(&store->pool_mutex, NULL) == 0 &&
           pthread_mutex_init(&store->wait_mutex, NULL) == 0 &&
           arvo__cond_init(&store->pool_free) && arvo__cond_init(&store->outbox_cond);
}

/* What a process and its connections are called. */
static arvo_status
store_names(struct postgres_store *store, arvo_error *err)
{
    const arvo_platform *platform = store->platform;
    bool is_good = platform->random(platform->self, store->process, sizeof(store->process));
    for (size_t i = 0; is_good && i < PG_POOL_MAX; i++)
        is_good =
            platform->random(platform->self, store->pool[i].writer, sizeof(store->pool[i].writer));
    if (!is_good)
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no lease tokens can be made");
    return ARVO_OK;
}

static arvo_status
store_new(
    const arvo_platform *platform, const arvo_allocator *allocator, struct postgres_store **out,
    arvo_error *err)
{
    struct postgres_store *store = arvo__calloc(allocator, 1, sizeof(*store));
    if (store == NULL)
        return arvo__nomem(err);
    store->allocator = allocator;
    store->platform = platform;
    store->wake_fd = -1;
    arvo_status st = store_sync_init(store) ? ARVO_OK : arvo__nomem(err);
    if (st == ARVO_OK)
        st = arvo__gate_init(&store->gate, platform, allocator, err);
    if (st == ARVO_OK)
        st = store_names(store, err);
    if (st != ARVO_OK) {
        pg_close(store);
        return st;
    }
    *out = store;
    return ARVO_OK;
}

arvo_status
arvo__memory_postgres_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    struct postgres_store *store = NULL;
    arvo_status st = arvo__postgres_library_open(err);
    if (st == ARVO_OK)
        st = store_new(platform, allocator, &store, err);
    if (st != ARVO_OK)
        return st;
    st = store_configure(store, rest, err);
    if (st == ARVO_OK)
        st = arvo__pg_open_schema(store, arvo__postgres_migrations, PG_SCHEMA_VERSION, err);
    if (st == ARVO_OK)
        st = arvo__pg_watch_start(store, err);
    if (st == ARVO_OK)
        st = arvo__memory_new(&postgres_ops, store, allocator, out, err);
    if (st != ARVO_OK)
        pg_close(store);
    return st;
}

#else

arvo_status
arvo__memory_postgres_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    (void)rest, (void)platform, (void)allocator, (void)out;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "store URL: this Arvo was built without PostgreSQL; install libpq-dev and build again");
}

#endif
