/* Redis with appendfsync always, and a bare loop over it: an EVALSHA per step that writes the same
 * bytes into a hash and a stream, as many of them in one write as steps were together, nothing
 * else.
 *
 * The server is the one that tests/servers/run.py starts:
 *
 *     tests/servers/run.py redis -- build/bench/bench_durable --only redis
 */

#include "arvo_config.h"

#include "durable.h"

#ifdef ARVO_HAVE_REDIS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/redis.h"

static const char bare_script[] = "redis.call('HSET', KEYS[1], 'state', ARGV[1]) "
                                  "redis.call('HINCRBY', KEYS[1], 'n', 1) "
                                  "redis.call('XADD', '{bare}:event', '*', 'event', ARGV[2]) "
                                  "redis.call('XADD', '{bare}:event', '*', 'event', ARGV[2]) "
                                  "return 1";

static struct {
    redisContext *context;
    char sha[REDIS_SHA_BYTES + 1];
    uint64_t random;
    size_t rounds;
} bare;

static void
bare_die(const char *text)
{
    arvo_error err = { 0 };
    (void)snprintf(err.text, sizeof(err.text), "%s", text);
    durable_die("floor", &err);
}

static redisReply *
bare_reply(void)
{
    void *reply = NULL;
    if (redisGetReply(bare.context, &reply) != REDIS_OK)
        bare_die(bare.context->errstr);
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        bare_die(((redisReply *)reply)->str);
    return reply;
}

static void
bare_connect(void)
{
    const char *port = getenv("ARVO_REDIS_PORT");
    bare.context = redisConnect("127.0.0.1", (int)strtol(port, NULL, 10));
    if (bare.context == NULL || bare.context->err != 0)
        bare_die("no connection");
    (void)redisAppendCommand(bare.context, "AUTH %s", getenv("ARVO_REDIS_PASSWORD"));
    freeReplyObject(bare_reply());
}

static bool
redis_is_there(const char **out_why)
{
    *out_why = "run it as tests/servers/run.py redis -- build/bench/bench_durable --only redis";
    return getenv("ARVO_REDIS_URL") != NULL;
}

static void
redis_empty(void)
{
    bare_connect();
    (void)redisAppendCommand(bare.context, "FLUSHALL");
    freeReplyObject(bare_reply());
    redisFree(bare.context);
}

static const char *
redis_fresh(void)
{
    redis_empty();
    return getenv("ARVO_REDIS_URL");
}

static void
bare_step(const struct durable_bytes *bytes, size_t row)
{
    const arvo_str state = bytes->states[++bare.rounds % 2];
    (void)redisAppendCommand(
        bare.context, "EVALSHA %s 1 {bare}:%llu %b %b", bare.sha, (unsigned long long)row,
        state.ptr, state.len, bytes->event.ptr, bytes->event.len);
}

static void
redis_floor_open(const struct durable_bytes *bytes, size_t rows)
{
    bare_connect();
    (void)redisAppendCommand(bare.context, "SCRIPT LOAD %s", bare_script);
    redisReply *reply = bare_reply();
    (void)snprintf(bare.sha, sizeof(bare.sha), "%s", reply->str);
    freeReplyObject(reply);
    for (size_t i = 0; i < rows; i++)
        bare_step(bytes, i);
    for (size_t i = 0; i < rows; i++)
        freeReplyObject(bare_reply());
    bare.random = 88172645463325252u;
}

static void
redis_floor_run(
    const struct durable_bytes *bytes, size_t rows, size_t batch, size_t steps,
    int64_t *latencies_ns)
{
    for (size_t n = 0; n < steps; n += batch) {
        const int64_t start = bench_now_ns();
        for (size_t i = 0; i < batch; i++) {
            bare.random ^= bare.random << 13;
            bare.random ^= bare.random >> 7;
            bare.random ^= bare.random << 17;
            bare_step(bytes, bare.random % rows);
        }
        for (size_t i = 0; i < batch; i++)
            freeReplyObject(bare_reply());
        if (latencies_ns != NULL)
            *latencies_ns++ = bench_now_ns() - start;
    }
}

static void
redis_floor_close(void)
{
    redisFree(bare.context);
    bare.context = NULL;
}

static void
redis_counts(arvo_memory *memory, uint64_t *out_commits, uint64_t *out_transactions)
{
    struct redis_store *store = arvo_memory_self(memory);
    *out_commits = atomic_load(&store->commits);
    *out_transactions = atomic_load(&store->transactions);
}

const struct durable_backend durable_redis = {
    .name = "redis",
    .is_there = redis_is_there,
    .fresh = redis_fresh,
    .clean = redis_empty,
    .floor_open = redis_floor_open,
    .floor_run = redis_floor_run,
    .floor_close = redis_floor_close,
    .counts = redis_counts,
    .limits = { { 1, 0.5 }, { 16, 0.5 }, { 128, 0.5 } },
};

#endif
