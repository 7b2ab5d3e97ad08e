/* Looking after a Redis store: figures, retention, and what is wrong with its keys. */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include "memory/redis.h"

#define CHECK_SUBJECTS 100 /* per script: the server does nothing else meanwhile */
#define CHECK_ROWS     500
#define PURGE_PAGE     ((size_t)100)

/* ---- Figures ----------------------------------------------------------- */

arvo_status
arvo__redis_stats(void *self, arvo_memory_stats *out, arvo_error *err)
{
    struct redis_store *store = self;
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_STATS) != ARVO_OK)
        return arvo__nomem(err);
    const arvo_status st = arvo__redis_run(store, &call, "stats", err);
    if (st == ARVO_OK) {
        int64_t numbers[14] = { 0 };
        for (size_t i = 1; i < ARVO_COUNT_OF(numbers); i++)
            numbers[i] = arvo__redis_int_at(call.reply, i);
        *out = (arvo_memory_stats){ .now_ms = numbers[1],
                                    .schema_version = (uint32_t)numbers[2],
                                    .active = (uint64_t)numbers[3],
                                    .done = (uint64_t)numbers[4],
                                    .error = (uint64_t)numbers[5],
                                    .events = (uint64_t)numbers[6],
                                    .outbox = (uint64_t)numbers[7],
                                    .outbox_claimed = (uint64_t)numbers[8],
                                    .outbox_oldest_ms = numbers[9],
                                    .dead = (uint64_t)numbers[10],
                                    .dead_oldest_ms = numbers[11],
                                    .leases = (uint64_t)numbers[12],
                                    .leases_expired = (uint64_t)numbers[13],
                                    .bytes = UINT64_MAX,
                                    .commits = atomic_load(&store->commits),
                                    .transactions = atomic_load(&store->transactions) };
    }
    arvo__redis_call_fini(&call);
    return st;
}

/* ---- Retention --------------------------------------------------------- */

/* Delete those of a page that are still to go. */
static arvo_status
purge_page(
    struct redis_store *store, const arvo_purge *purge, arvo_str status, const redisReply *ids,
    arvo_purged *out, arvo_error *err)
{
    struct redis_call call;
    if (ids == NULL || ids->elements == 0)
        return ARVO_OK;
    if (arvo__redis_call_init(store, &call, REDIS_PURGE) != ARVO_OK)
        return arvo__nomem(err);
    call.is_durable = !purge->is_dry;
    arvo__redis_arg_int(&call, purge->is_dry);
    arvo__redis_arg(&call, purge->orchestrator);
    arvo__redis_arg_int(&call, purge->before_ms);
    for (size_t i = 0; i < ids->elements; i++) {
        arvo__redis_arg(&call, status);
        arvo__redis_arg_int(&call, arvo__redis_int_at(ids, i));
    }
    arvo_status st = arvo__redis_run(store, &call, "purge", err);
    if (st == ARVO_OK && arvo__redis_is(&call, "COPYING"))
        st = arvo__fail(
            err, ARVO_E_LOCK_DENIED,
            "%s: purge: the store is being copied (export, backup): purge again when that has "
            "ended",
            store->label);
    if (st == ARVO_OK) {
        out->instances += (uint64_t)arvo__redis_int_at(call.reply, 1);
        out->events += (uint64_t)arvo__redis_int_at(call.reply, 2);
    }
    arvo__redis_call_fini(&call);
    return st;
}

/* The next ids of a status that are to go, from behind *after; *after 0: there are no more. */
static arvo_status
purge_find(
    struct redis_store *store, const arvo_purge *purge, arvo_str status, size_t limit,
    int64_t *after, struct redis_call *call, arvo_error *err)
{
    if (arvo__redis_call_init(store, call, REDIS_OVERDUE) != ARVO_OK)
        return arvo__nomem(err);
    arvo__redis_arg(call, status);
    arvo__redis_arg(call, purge->orchestrator);
    arvo__redis_arg_int(call, purge->before_ms);
    arvo__redis_arg_int(call, *after);
    arvo__redis_arg_int(call, (int64_t)limit);
    const arvo_status st = arvo__redis_run(store, call, "purge", err);
    if (st == ARVO_OK)
        *after = arvo__redis_int_at(call->reply, 1);
    return st;
}

static arvo_status
purge_status(
    struct redis_store *store, const arvo_purge *purge, arvo_str status, size_t limit,
    arvo_purged *out, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    int64_t after = 0;
    do {
        const size_t left = limit - (size_t)out->instances;
        struct redis_call call;
        st = purge_find(
            store, purge, status, left < PURGE_PAGE ? left : PURGE_PAGE, &after, &call, err);
        if (st == ARVO_OK)
            st = purge_page(
                store, purge, status, arvo__redis_at(call.reply, 2, REDIS_REPLY_ARRAY), out, err);
        arvo__redis_call_fini(&call);
    } while (st == ARVO_OK && after != 0 && out->instances < limit);
    return st;
}

arvo_status
arvo__redis_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err)
{
    struct redis_store *store = self;
    const size_t limit = purge->limit != 0 ? purge->limit : ARVO_PURGE_LIMIT_DEFAULT;
    const arvo_str ended[] = { ARVO_STR("done"), ARVO_STR("error") };
    const bool is_any = purge->status.ptr == NULL;
    arvo_purged purged = { 0 };
    arvo_status st = ARVO_OK;
    for (size_t i = 0; st == ARVO_OK && i < (is_any ? ARVO_COUNT_OF(ended) : 1); i++) {
        if (purged.instances < limit)
            st = purge_status(store, purge, is_any ? ended[i] : purge->status, limit, &purged, err);
    }
    purged.is_more = purged.instances >= limit;
    if (st == ARVO_OK)
        *out = purged;
    return st;
}

/* ---- Finding what is wrong --------------------------------------------- */

/* One page of `script`; *at is where the next begins, 0: there is none. */
static arvo_status
check_page(
    struct redis_store *store, enum redis_script script, const char *set, int64_t count,
    arvo_finding_fn each, void *user, int64_t *at, arvo_error *err)
{
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, script) != ARVO_OK)
        return arvo__nomem(err);
    if (set != NULL)
        arvo__redis_arg(&call, arvo_str_from(set));
    arvo__redis_arg_int(&call, *at);
    arvo__redis_arg_int(&call, count);
    const arvo_status st = arvo__redis_run(store, &call, "check", err);
    if (st == ARVO_OK) {
        *at = arvo__redis_int_at(call.reply, 1);
        const redisReply *found = arvo__redis_at(call.reply, 2, REDIS_REPLY_ARRAY);
        for (size_t i = 0; found != NULL && i < found->elements; i++) {
            const redisReply *one = found->element[i];
            if (!each(user, arvo__redis_str_at(one, 0), arvo__redis_str_at(one, 1))) {
                *at = -1;
                break;
            }
        }
    }
    arvo__redis_call_fini(&call);
    return st;
}

arvo_status
arvo__redis_check(void *self, arvo_finding_fn each, void *user, arvo_error *err)
{
    struct redis_store *store = self;
    static const struct {
        enum redis_script script;
        const char *set;
        int64_t count;
    } parts[] = { { REDIS_CHECK, NULL, CHECK_SUBJECTS },
                  { REDIS_CHECKROWS, "outbox", CHECK_ROWS },
                  { REDIS_CHECKROWS, "dead", CHECK_ROWS } };
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++) {
        int64_t at = 0;
        do {
            const arvo_status st = check_page(
                store, parts[i].script, parts[i].set, parts[i].count, each, user, &at, err);
            if (st != ARVO_OK || at < 0)
                return st;
        } while (at != 0);
    }
    return ARVO_OK;
}

#endif
