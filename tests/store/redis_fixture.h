/* What the tests of the Redis store share. They run under tests/servers/run.py, which starts a
 * server of their own; each store gets a database of its own there, emptied before and after. */
#ifndef ARVO_TESTS_REDIS_FIXTURE_H
#define ARVO_TESTS_REDIS_FIXTURE_H

#include "conformance.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <hiredis/hiredis.h>

#include "memory/redis.h"

#define SUBJECT   ARVO_STR("subject")
#define URL_BYTES 512

/* ---- The server -------------------------------------------------------- */

/* Have run.py do something to it: "crash", "start", "freeze", ... */
static inline void
server_do(const char *action)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char line[64], answer[256] = "";
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", getenv("ARVO_SERVER_CONTROL"));
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    const int len = snprintf(line, sizeof(line), "redis %s\n", action);
    assert_int_equal(write(fd, line, (size_t)len), len);
    assert_true(read(fd, answer, sizeof(answer) - 1) > 0);
    assert_string_equal(answer, "ok\n");
    (void)close(fd);
}

static inline int
server_port(void)
{
    return (int)strtol(getenv("ARVO_REDIS_PORT"), NULL, 10);
}

/* A connection past the store, to database 0. */
static inline redisContext *
server_connect(void)
{
    redisContext *context = redisConnect("127.0.0.1", server_port());
    assert_non_null(context);
    if (context->err != 0)
        fail_msg("%s", context->errstr);
    freeReplyObject(redisCommand(context, "AUTH %s", getenv("ARVO_REDIS_PASSWORD")));
    return context;
}

/* One command past the store; gives the number or the length of what is answered, -1 for an error.
 */
static inline long long
server_say(const char *format, ...)
{
    redisContext *context = server_connect();
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(context, format, args);
    va_end(args);
    assert_non_null(reply);
    long long result = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
                       : reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10)
                       : reply->type == REDIS_REPLY_ARRAY  ? (long long)reply->elements
                       : reply->type == REDIS_REPLY_ERROR  ? -1
                                                           : 0;
    if (reply->type == REDIS_REPLY_ERROR)
        print_message("%s: %s\n", format, reply->str);
    freeReplyObject(reply);
    redisFree(context);
    return result;
}

static inline int
setup_empty(void **state)
{
    (void)state;
    return server_say("FLUSHALL") >= 0 ? 0 : -1;
}

/* ---- Stores ------------------------------------------------------------ */

static inline const char *
store_url(const char *query)
{
    static char url[URL_BYTES];
    (void)snprintf(url, sizeof(url), "%s%s", getenv("ARVO_REDIS_URL"), query);
    return url;
}

static inline arvo_memory *
open_or_fail(const char *query)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(store_url(query), &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return memory;
}

static inline void
assert_refused(const char *url, arvo_status expected, const char *words)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_memory_open(url, &memory, &err);
    if (st != expected)
        fail_msg("%s, not %s: %s", arvo_status_name(st), arvo_status_name(expected), err.text);
    assert_null(memory);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.text, words);
    assert_null(strchr(err.text, '\n'));
    assert_null(strstr(err.text, getenv("ARVO_REDIS_PASSWORD"))); /* no secrets in lines */
    assert_null(strstr(err.text, "guessed"));
}

static inline arvo_status
take(
    arvo_memory *memory, arvo_str subject, int64_t wait_ms, bool *out_acquired, arvo_lease *out,
    arvo_error *err)
{
    return arvo_memory_ops_of(memory)->lock(
        arvo_memory_self(memory), subject, 30000, wait_ms, out_acquired, out, err);
}

static inline uint64_t
revision_of(arvo_memory *memory, arvo_str subject)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record record = { 0 };
    bool is_found = false;
    arvo_error err = { 0 };
    assert_non_null(arena);
    if (arvo_memory_ops_of(memory)->read(
            arvo_memory_self(memory), subject, arena, &is_found, &record, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    arvo_arena_free(arena);
    return is_found ? record.revision : 0;
}

/* Called between the two scripts of a step. */
static void (*before_commit)(void);

/* One step of a subject as the orchestrator does it: lock_read, commit {record, consumed "e-{n}",
 * produced}, release. */
static inline arvo_status
step(arvo_memory *memory, arvo_str subject, uint64_t *out_revision, arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    const arvo_lock_request request = { .subject = subject, .ttl_ms = 30000, .wait_ms = 60000 };
    arvo_locked locked = { 0 };
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_status st = ops->lock_read(self, &request, arena, &locked, err);
    if (st == ARVO_OK && !locked.is_acquired)
        st = ARVO_E_LOCK_DENIED;
    const uint64_t revision = locked.has_record ? locked.record.revision : 0;
    char id[32];
    (void)snprintf(id, sizeof(id), "e-%llu", (unsigned long long)revision + 1);
    const arvo_record record = store_record(subject);
    const arvo_stored_event in = store_event(id), out = store_event(id);
    const arvo_commit commit = { .subject = subject,
                                 .lease = &locked.lease,
                                 .release = true,
                                 .record = &record,
                                 .previous_revision = revision,
                                 .consumed = &in,
                                 .produced = &out,
                                 .produced_count = 1,
                                 .definition_json = ARVO_STR("{\"id\":\"order\"}") };
    if (before_commit != NULL)
        before_commit();
    if (st == ARVO_OK)
        st = ops->commit(self, &commit, 1, err);
    if (st != ARVO_OK && locked.is_acquired)
        (void)ops->unlock(self, subject, &locked.lease, NULL);
    arvo_arena_free(arena);
    if (st == ARVO_OK)
        *out_revision = revision + 1;
    return st;
}

#endif

#endif
