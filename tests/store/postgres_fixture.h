/* A schema of its own per test: what the tests of the PostgreSQL store share. The server is started
 * by tests/servers/run.py, which says where it is. */
#ifndef ARVO_TESTS_POSTGRES_FIXTURE_H
#define ARVO_TESTS_POSTGRES_FIXTURE_H

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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include "memory/postgres.h"

#define SUBJECT   ARVO_STR("subject")
#define URL_BYTES 1024

static int schema_number; /* grows: each store is a fresh schema */
static const char *url_variable = "ARVO_POSTGRES_URL";

static inline const char *
server_url(void)
{
    return getenv("ARVO_POSTGRES_URL");
}

/* The present schema's store, with more parameters ("&name=value"). */
static inline const char *
store_url(const char *more)
{
    static char url[URL_BYTES];
    const char *base = getenv(url_variable);
    (void)snprintf(
        url, sizeof(url), "%s%cschema=t%d_%d%s", base, strchr(base, '?') != NULL ? '&' : '?',
        (int)getppid(), schema_number, more);
    return url;
}

/* ---- SQL, past the store ------------------------------------------------- */

/* `@` stands for the schema. The first column of the first row, as a number. */
static inline int64_t
sql_number(const char *text)
{
    char sql[4096], name[64];
    size_t len = 0;
    (void)snprintf(name, sizeof(name), "t%d_%d", (int)getppid(), schema_number);
    for (const char *at = text; *at != '\0' && len < sizeof(sql) - sizeof(name); at++) {
        if (*at == '@')
            len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s", name);
        else
            sql[len++] = *at;
    }
    sql[len] = '\0';
    PGconn *conn = PQconnectdb(server_url());
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PGresult *result = PQexec(conn, sql);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    int64_t number = 0;
    if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
        number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(conn);
    return number;
}

static inline void
schema_drop(void)
{
    (void)sql_number("SET client_min_messages = error; DROP SCHEMA IF EXISTS @ CASCADE");
}

static inline int
setup_schema(void **state)
{
    (void)state;
    schema_number++;
    schema_drop();
    return 0;
}

static inline int
teardown_schema(void **state)
{
    (void)state;
    schema_drop();
    return 0;
}

/* ---- Stores ---------------------------------------------------------------- */

static inline arvo_memory *
open_or_fail(const char *more)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(store_url(more), &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return memory;
}

static inline arvo_status
take(arvo_memory *memory, int64_t wait_ms, bool *out_acquired, arvo_lease *out, arvo_error *err)
{
    return arvo_memory_ops_of(memory)->lock(
        arvo_memory_self(memory), SUBJECT, 30000, wait_ms, out_acquired, out, err);
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

/* One step of a subject: lock and read, commit {record, consumed "{prefix}-{n}", produced},
 * release.
 */
static inline arvo_status
step(
    arvo_memory *memory, arvo_str subject, const char *prefix, uint64_t *out_revision,
    arvo_error *err)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_arena *arena = arvo_arena_new(NULL);
    const arvo_lock_request request = { .subject = subject,
                                        .source = ARVO_STR("com.test"),
                                        .id = ARVO_STR("new"),
                                        .ttl_ms = 30000,
                                        .wait_ms = 60000 };
    arvo_locked locked = { 0 };
    arvo_status st = ops->lock_read(self, &request, arena, &locked, err);
    if (st == ARVO_OK && !locked.is_acquired)
        st = ARVO_E_LOCK_DENIED;
    const uint64_t revision = locked.has_record ? locked.record.revision : 0;
    arvo_arena_free(arena);
    if (st != ARVO_OK)
        return st;
    char id[64];
    (void)snprintf(id, sizeof(id), "%s-%llu", prefix, (unsigned long long)revision + 1);
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
    st = ops->commit(self, &commit, 1, err);
    if (st == ARVO_OK)
        *out_revision = revision + 1;
    return st;
}

/* One line to run.py: "postgres crash" and the like. */
static inline void
server_do(const char *line)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("ARVO_SERVER_CONTROL");
    assert_non_null(path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    char answer[512] = { 0 };
    assert_true(recv(fd, answer, sizeof(answer) - 1, 0) > 0);
    close(fd);
    if (strncmp(answer, "ok", 2) != 0)
        fail_msg("%s: %s", line, answer);
}

static inline void
sleep_ms(long ms)
{
    const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    (void)nanosleep(&pause, NULL);
}

#endif

#endif
