/* The Redis store ("redis://HOST:PORT/DB", "redis+unix:///SOCKET").
 *
 * Keys, schema version 1 (docs/store-format.md is the contract). {NAME} is the
 * hash tag of all of them, so a store is one slot of a cluster, and everything
 * it does is one atomic step there:
 *
 *   {NAME}:meta       version, newest seq, fence and id; marks of a copy, of a load
 *   {NAME}:id, subject   subject -> id and back; ids grow with first appearance
 *   {NAME}:rec:ID     the record, field by field; JSON as text
 *   {NAME}:all, status:STATUS   ids of records
 *   {NAME}:definition hash -> document
 *   {NAME}:event      a stream of all events, each once, its entries are SEQ-0
 *   {NAME}:hist:ID    seqs of a subject's events; {NAME}:inbox:ID what it consumed -> seq
 *   {NAME}:outbox, queue:ID   what is not done, of all and of one subject
 *   {NAME}:due, later, claim, try   which subjects can be claimed, when, by whom, how often
 *   {NAME}:dead, deadof   dead letters
 *   {NAME}:lease, line:SUBJECT, seen:SUBJECT   who holds a subject, who waits for it
 *
 * Files: redis_url.c the URL; redis_link.c connections and what the server has
 * to be; redis_call.c many threads on few of them; redis.lua what is done
 * there; redis_lease.c, redis_listen.c waiting; redis_commit.c, redis_read.c,
 * redis_outbox.c, redis_care.c, redis_copy.c.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_REDIS

#include <stdio.h>
#include <string.h>

#include "memory/redis.h"

#define OPEN            "open"
#define TIMEOUT_MS_MIN  50
#define TIMEOUT_MS_MAX  600000
#define WAIT_COPIES_MAX 100

static const arvo_memory_ops redis_ops;

/* ---- The store --------------------------------------------------------- */

static void
redis_close(void *self)
{
    struct redis_store *store = self;
    arvo__redis_listen_stop(store);
    for (size_t i = 0; i < REDIS_LINKS_MAX; i++) {
        if (store->links[i].context != NULL)
            redisFree(store->links[i].context);
        arvo_buf_fini(&store->links[i].out);
    }
    arvo__gate_fini(&store->gate);
    (void)pthread_cond_destroy(&store->wait_changed);
    (void)pthread_mutex_destroy(&store->wait_mutex);
    (void)pthread_mutex_destroy(&store->calls_mutex);
    explicit_bzero(store->address.password, sizeof(store->address.password));
    arvo__free(store->allocator, store, sizeof(*store));
}

static arvo_status
redis_store_new(
    const arvo_platform *platform, const arvo_allocator *allocator, struct redis_store **out,
    arvo_error *err)
{
    struct redis_store *store = arvo__calloc(allocator, 1, sizeof(*store));
    if (store == NULL)
        return arvo__nomem(err);
    store->allocator = allocator;
    store->platform = platform;
    store->timeout_ms = REDIS_TIMEOUT_DEFAULT;
    store->link_count = REDIS_LINKS_DEFAULT;
    for (size_t i = 0; i < REDIS_LINKS_MAX; i++)
        store->links[i].out =
            (arvo_buf){ .bytes_max = ARVO_BUF_BYTES_MAX_DEFAULT, .allocator = allocator };
    uint8_t process[REDIS_PROCESS_BYTES / 2];
    arvo_status st = ARVO_OK;
    if (pthread_mutex_init(&store->calls_mutex, NULL) != 0 ||
        pthread_mutex_init(&store->wait_mutex, NULL) != 0 || !arvo__cond_init(&store->wait_changed))
        st = arvo__nomem(err);
    else if (!platform->random(platform->self, process, sizeof(process)))
        st = arvo__fail(err, ARVO_E_IO, "the random source failed");
    else
        st = arvo__gate_init(&store->gate, platform, allocator, err);
    if (st != ARVO_OK) {
        redis_close(store);
        return st;
    }
    arvo__hex(process, sizeof(process), store->process);
    *out = store;
    return ARVO_OK;
}

/* ---- The URL ----------------------------------------------------------- */

/* The hash tag: what is written between braces. */
static arvo_status
redis_set_name(struct redis_store *store, arvo_str name, arvo_error *err)
{
    bool is_good = name.len > 0 && name.len < sizeof(store->name);
    for (size_t i = 0; is_good && i < name.len; i++) {
        const char c = name.ptr[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
    }
    if (!is_good)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: name is \"%.*s\"; it must be 1 to %zu letters, digits, '-', '_' or '.'",
            ARVO_FMT(name), sizeof(store->name) - 1);
    memcpy(store->name, name.ptr, name.len);
    (void)snprintf(store->prefix, sizeof(store->prefix), "{%s}:", store->name);
    return ARVO_OK;
}

/* "LOCAL,REPLICAS", as WAITAOF has it. */
static arvo_status
redis_set_waitaof(struct redis_store *store, arvo_str text, arvo_error *err)
{
    if (text.ptr == NULL)
        return ARVO_OK;
    int64_t numbers[2] = { 0, 0 };
    size_t i = 0, n = 0;
    for (; i < text.len && n < 2; i++) {
        if (text.ptr[i] == ',')
            n++;
        else if (text.ptr[i] < '0' || text.ptr[i] > '9' || numbers[n] > WAIT_COPIES_MAX)
            break;
        else
            numbers[n] = numbers[n] * 10 + (text.ptr[i] - '0');
    }
    if (i != text.len || n != 1 || numbers[0] != 1 || numbers[1] > WAIT_COPIES_MAX)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: waitaof is \"%.*s\"; it must be 1,N: the server's own disk, and those of N "
            "replicas (0 to %d)",
            ARVO_FMT(text), WAIT_COPIES_MAX);
    store->wait_local = numbers[0];
    store->wait_replicas = numbers[1];
    return ARVO_OK;
}

static void
redis_set_label(struct redis_store *store)
{
    const struct redis_address *at = &store->address;
    if (at->is_unix)
        (void)snprintf(store->label, sizeof(store->label), "redis+unix://%s", at->host);
    else
        (void)snprintf(
            store->label, sizeof(store->label), "redis://%s:%d/%lld", at->host, at->port,
            (long long)at->db);
}

static arvo_status
redis_url(struct redis_store *store, arvo_str rest, bool is_unix, arvo_error *err)
{
    static const char *const durabilities[] = { "always", "everysec", "none", "unchecked", NULL };
    static const char *const loads[] = { "no", "again", NULL };
    arvo_str query = ARVO_STR_NONE, name = ARVO_STR("arvo"), waitaof = ARVO_STR_NONE;
    const arvo__memory_param params[] = {
        { "name", NULL, 0, 0, NULL, &name },
        { "durability", durabilities, 0, 0, &store->durability, NULL },
        { "timeout", NULL, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX, &store->timeout_ms, NULL },
        { "connections", NULL, 1, REDIS_LINKS_MAX, &store->link_count, NULL },
        { "wait", NULL, 1, WAIT_COPIES_MAX, &store->wait_replicas, NULL },
        { "waitaof", NULL, 0, 0, NULL, &waitaof },
        { "db", NULL, 0, 1000000, &store->address.db, NULL },
        { "load", loads, 0, 0, &store->load_again, NULL },
    };
    arvo_status st = arvo__redis_url_parse(rest, is_unix, &store->address, &query, err);
    if (st == ARVO_OK)
        st = arvo__memory_params_parse(query, params, ARVO_COUNT_OF(params), err);
    if (st == ARVO_OK)
        st = redis_set_name(store, name, err);
    if (st == ARVO_OK)
        st = redis_set_waitaof(store, waitaof, err);
    redis_set_label(store);
    return st;
}

/* ---- Opening ----------------------------------------------------------- */

/* Run `open`; *out_version 0: there is no store yet. */
static arvo_status
open_ask(
    struct redis_store *store, bool may_create, int64_t *out_version, bool *out_half,
    arvo_error *err)
{
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_OPEN) != ARVO_OK)
        return arvo__nomem(err);
    arvo__redis_arg(&call, may_create ? ARVO_STR("1") : ARVO_STR("0"));
    arvo_status st = arvo__redis_run(store, &call, OPEN, err);
    if (st == ARVO_OK && arvo__redis_is(&call, "FOREIGN"))
        st = arvo__fail(
            err, ARVO_E_CORRUPT,
            "%s: the key %smeta belongs to another program: use another database or another name=",
            store->label, store->prefix);
    if (st == ARVO_OK) {
        *out_version = arvo__redis_int_at(call.reply, 1);
        *out_half = arvo__redis_str_at(call.reply, 2).len > 0;
    }
    arvo__redis_call_fini(&call);
    return st;
}

/* Reach the server that has the store; a cluster may send us on. */
static arvo_status
open_reach(struct redis_store *store, arvo_error *err)
{
    redisContext *context = NULL;
    int64_t version = 0;
    bool is_half = false;
    arvo_status st = arvo__redis_connect(store, &context, err);
    if (st != ARVO_OK)
        return st;
    st = arvo__redis_load_scripts(store, context, err);
    redisFree(context);
    context = NULL;
    if (st == ARVO_OK)
        st = open_ask(store, false, &version, &is_half, err);
    if (st == ARVO_OK)
        st = arvo__redis_connect(store, &context, err);
    if (st == ARVO_OK)
        st = arvo__redis_check_server(store, context, err);
    if (context != NULL)
        redisFree(context);
    return st;
}

static arvo_status
open_store(struct redis_store *store, arvo_error *err)
{
    int64_t version = 0;
    bool is_half = false;
    arvo_status st = open_reach(store, err);
    if (st == ARVO_OK)
        st = open_ask(store, true, &version, &is_half, err);
    if (st == ARVO_OK && version != REDIS_SCHEMA_VERSION)
        return arvo__fail(
            err, ARVO_E_VERSION,
            "%s: the store has schema version %lld, this Arvo knows %d: use a newer Arvo",
            store->label, (long long)version, REDIS_SCHEMA_VERSION);
    if (st == ARVO_OK && is_half && store->load_again == 0)
        return arvo__fail(
            err, ARVO_E_CORRUPT,
            "%s: the store is being filled, or that was interrupted: when nobody fills it now, "
            "wipe "
            "what is there with load=again in its URL, and fill it again",
            store->label);
    if (st == ARVO_OK && is_half)
        st = arvo__redis_wipe(store, err);
    return st;
}

static const arvo_memory_ops redis_ops = {
    .version = ARVO_MEMORY_OPS_VERSION,
    .name = "redis",
    .read = arvo__redis_read,
    .write = arvo__redis_write,
    .lock = arvo__redis_lock,
    .unlock = arvo__redis_unlock,
    .commit = arvo__redis_commit,
    .inbox_find = arvo__redis_inbox_find,
    .outbox_list = arvo__redis_outbox_list,
    .outbox_done = arvo__redis_outbox_done,
    .list = arvo__redis_list,
    .history = arvo__redis_history,
    .lock_read = arvo__redis_lock_read,
    .renew = arvo__redis_renew,
    .interrupt = arvo__redis_interrupt,
    .outbox_claim = arvo__redis_outbox_claim,
    .outbox_retry = arvo__redis_outbox_retry,
    .outbox_dead = arvo__redis_outbox_dead,
    .outbox_release = arvo__redis_outbox_release,
    .outbox_wait = arvo__redis_outbox_wait,
    .dead_list = arvo__redis_dead_list,
    .dead_retry = arvo__redis_dead_retry,
    .dead_drop = arvo__redis_dead_drop,
    .stats = arvo__redis_stats,
    .purge = arvo__redis_purge,
    .dump = arvo__redis_dump,
    .load = arvo__redis_load,
    .check = arvo__redis_check,
    .close = redis_close,
};

static arvo_status
redis_open(
    arvo_str rest, bool is_unix, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    struct redis_store *store = NULL;
    arvo_status st = redis_store_new(platform, allocator, &store, err);
    if (st != ARVO_OK)
        return st;
    st = redis_url(store, rest, is_unix, err);
    if (st == ARVO_OK)
        st = open_store(store, err);
    if (st == ARVO_OK)
        st = arvo__memory_new(&redis_ops, store, allocator, out, err);
    if (st != ARVO_OK)
        redis_close(store);
    return st;
}

arvo_status
arvo__memory_redis_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    return redis_open(rest, false, platform, allocator, out, err);
}

arvo_status
arvo__memory_redis_unix_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    return redis_open(rest, true, platform, allocator, out, err);
}

#else

static arvo_status
redis_missing(arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "store URL: this Arvo was built without Redis; install libhiredis-dev and build again");
}

arvo_status
arvo__memory_redis_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    (void)rest, (void)platform, (void)allocator, (void)out;
    return redis_missing(err);
}

arvo_status
arvo__memory_redis_unix_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    (void)rest, (void)platform, (void)allocator, (void)out;
    return redis_missing(err);
}

#endif

/* hiredis 0.14 has no TLS. */
arvo_status
arvo__memory_rediss_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    (void)rest, (void)platform, (void)allocator, (void)out;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "store URL: rediss: is not supported, the client library has no TLS: go through a TLS "
        "tunnel "
        "(stunnel) or a private network, and say redis: or redis+unix:");
}
