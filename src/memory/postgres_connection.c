/* Connections of the PostgreSQL store: a pool, calls with a deadline, and what an error means.
 *
 * A connection is lost when the server closes it, ends, or does not answer in time; what came of
 * the call is then not known. It is closed at once, and the next call connects again.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "memory/postgres.h"

#define pq arvo__pq

#define CANCEL_MS 2000 /* for the server's answer to a cancelled call */

void
arvo__pg_pause(int64_t ms)
{
    const struct timespec pause = { .tv_sec = (time_t)(ms / 1000),
                                    .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)nanosleep(&pause, NULL);
}

/* ---- Errors ------------------------------------------------------------- */

arvo_status
arvo__pg_fail(
    const struct postgres_store *store, arvo_status st, const char *what, const char *why,
    arvo_error *err)
{
    /* libpq's messages are lines, and end with a line's end. */
    size_t len = strlen(why);
    while (len > 0 && (why[len - 1] == '\n' || why[len - 1] == ' '))
        len--;
    const char *newline = memchr(why, '\n', len);
    if (newline != NULL)
        len = (size_t)(newline - why);
    return arvo__fail(err, st, "%s: %s: %.*s", store->where, what, (int)len, why);
}

static bool
state_is(const char *state, const char *prefix)
{
    return strncmp(state, prefix, strlen(prefix)) == 0;
}

static enum postgres_failure
failure_of(const char *state)
{
    static const char *const lost[] = { "08", "57P01", "57P02", "57P03", "57P05" };
    static const char *const given_up[] = { "40", "55P03" };
    for (size_t i = 0; i < ARVO_COUNT_OF(lost); i++) {
        if (state_is(state, lost[i]))
            return PG_LOST;
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(given_up); i++) {
        if (state_is(state, given_up[i]))
            return PG_GIVEN_UP;
    }
    return state_is(state, "AV001") ? PG_EPOCH : PG_REFUSED;
}

static arvo_status
status_of(const char *state)
{
    static const struct {
        const char *state;
        arvo_status status;
    } rows[] = {
        { "57014", ARVO_E_TIMEOUT }, /* query_canceled: a timeout of the server's */
        { "40", ARVO_E_TIMEOUT },    { "55P03", ARVO_E_TIMEOUT }, { "42P01", ARVO_E_CORRUPT },
        { "42883", ARVO_E_CORRUPT }, { "42703", ARVO_E_CORRUPT }, { "3F000", ARVO_E_CORRUPT },
        { "22", ARVO_E_INVALID },    { "23", ARVO_E_INVALID },    { "53200", ARVO_E_NOMEM },
        { "54000", ARVO_E_TOO_BIG },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(rows); i++) {
        if (state_is(state, rows[i].state))
            return rows[i].status;
    }
    return ARVO_E_IO;
}

/* ---- Connecting ------------------------------------------------------------ */

#define OPTIONS_MAX 96u

/* Ours first: what the URL says comes later in the list, and wins. */
static void
connect_options(
    const struct postgres_store *store, const char *names[OPTIONS_MAX],
    const char *values[OPTIONS_MAX])
{
    static const char *const ours[][2] = {
        { "client_encoding", "UTF8" }, { "fallback_application_name", "arvo" },
        { "keepalives_idle", "10" },   { "keepalives_interval", "5" },
        { "keepalives_count", "3" },   { "tcp_user_timeout", "20000" },
    };
    size_t count = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(ours); i++) {
        names[count] = ours[i][0];
        values[count++] = ours[i][1];
    }
    for (const PQconninfoOption *option = store->options; option->keyword != NULL; option++) {
        if (option->val == NULL || strcmp(option->keyword, "client_encoding") == 0 ||
            count >= OPTIONS_MAX - 1)
            continue;
        names[count] = option->keyword;
        values[count++] = option->val;
    }
    names[count] = values[count] = NULL;
}

/* libpq would print them. */
static void
ignore_notice(void *user, const char *message)
{
    (void)user, (void)message;
}

/* Wait for the socket. false: the time is over, or it failed. */
static bool
socket_wait(PGconn *conn, short events, int64_t until_ms)
{
    struct pollfd fd = { .fd = pq.PQsocket(conn), .events = events };
    for (;;) {
        const int64_t left = until_ms - arvo__real_ms();
        if (left <= 0 || fd.fd < 0)
            return false;
        const int got = poll(&fd, 1, (int)(left < 60000 ? left : 60000));
        if (got > 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
    }
}

/* false: it failed, or the time is over. */
static bool
connect_finish(PGconn *conn)
{
    const int64_t until = arvo__real_ms() + PG_CONNECT_MS;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (pq.PQstatus(conn) != CONNECTION_BAD) {
        if (state == PGRES_POLLING_OK)
            return pq.PQsetnonblocking(conn, 1) == 0;
        if (state == PGRES_POLLING_FAILED ||
            !socket_wait(conn, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until))
            return false;
        state = pq.PQconnectPoll(conn);
    }
    return false;
}

/* arvo__pg_fail(), and the log hears of it. */
static arvo_status
lost(
    struct postgres_store *store, arvo_status status, const char *what, const char *why,
    arvo_error *err)
{
    arvo_error told;
    (void)arvo__pg_fail(store, status, what, why, &told);
    arvo__reach_lost(&store->reach, store->platform, &told);
    if (err != NULL)
        *err = told;
    return status;
}

PGconn *
arvo__pg_connect(struct postgres_store *store, const char *what, arvo_error *err)
{
    const char *names[OPTIONS_MAX], *values[OPTIONS_MAX];
    connect_options(store, names, values);
    PGconn *conn = pq.PQconnectStartParams(names, values, 0);
    if (conn == NULL) {
        (void)arvo__nomem(err);
        return NULL;
    }
    (void)pq.PQsetNoticeProcessor(conn, ignore_notice, NULL);
    if (!connect_finish(conn)) {
        const char *why = pq.PQerrorMessage(conn);
        (void)lost(store, ARVO_E_IO, what, *why != '\0' ? why : "the server does not answer", err);
        pq.PQfinish(conn);
        return NULL;
    }
    arvo__reach_found(&store->reach, store->platform, store->where);
    return conn;
}

/* ---- One call ---------------------------------------------------------------- */

static bool
send_all(PGconn *conn, int64_t until_ms)
{
    for (;;) {
        const int left = pq.PQflush(conn);
        if (left <= 0)
            return left == 0;
        if (!socket_wait(conn, POLLIN | POLLOUT, until_ms) || pq.PQconsumeInput(conn) == 0)
            return false;
    }
}

/* The next result, NULL at the end. false: the connection failed, or the time is over. */
static bool
next_result(PGconn *conn, int64_t until_ms, PGresult **out)
{
    while (pq.PQisBusy(conn)) {
        if (!socket_wait(conn, POLLIN, until_ms) || pq.PQconsumeInput(conn) == 0)
            return false;
    }
    *out = pq.PQgetResult(conn);
    return true;
}

static void
drop_notifications(PGconn *conn)
{
    PGnotify *notify;
    while ((notify = pq.PQnotifies(conn)) != NULL)
        pq.PQfreemem(notify);
}

/* Everything up to the end of the transaction: only when the server says that it is ready again is
 * what was done durable. The first failure wins. */
static bool
collect(PGconn *conn, int64_t until_ms, PGresult **out)
{
    PGresult *kept = NULL, *result = NULL;
    for (;;) {
        if (!next_result(conn, until_ms, &result)) {
            pq.PQclear(kept);
            return false;
        }
        if (result == NULL)
            break;
        const bool is_bad = kept != NULL && pq.PQresultStatus(kept) == PGRES_FATAL_ERROR;
        if (is_bad) {
            pq.PQclear(result);
        } else {
            pq.PQclear(kept);
            kept = result;
        }
    }
    *out = kept;
    return kept != NULL;
}

/* Have the server stop, so that a call whose time is over does not go on for ever. */
static void
cancel(PGconn *conn)
{
    char text[256];
    PGcancel *handle = pq.PQgetCancel(conn);
    if (handle == NULL)
        return;
    if (pq.PQcancel(handle, text, sizeof(text)) != 0) {
        PGresult *result = NULL;
        if (collect(conn, arvo__real_ms() + CANCEL_MS, &result))
            pq.PQclear(result);
    }
    pq.PQfreeCancel(handle);
}

static arvo_status
query_lost(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    bool is_late, arvo_error *err)
{
    arvo_status st = ARVO_E_IO;
    if (is_late) {
        char late[64];
        (void)snprintf(
            late, sizeof(late), "the server did not answer within %lld ms",
            (long long)store->timeout_ms);
        st = lost(store, ARVO_E_TIMEOUT, what, late, err);
        cancel(connection->conn);
    } else {
        const char *why = pq.PQerrorMessage(connection->conn);
        st = lost(store, st, what, *why != '\0' ? why : "the connection was lost", err);
    }
    pq.PQfinish(connection->conn);
    connection->conn = NULL;
    connection->failure = PG_LOST;
    return st;
}

static arvo_status
query_failed(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    PGresult *result, arvo_error *err)
{
    const char *state = pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    arvo_status st;
    if (pq.PQstatus(connection->conn) != CONNECTION_OK || state == NULL ||
        failure_of(state) == PG_LOST) {
        st = lost(
            store, ARVO_E_IO, what, text != NULL ? text : pq.PQerrorMessage(connection->conn), err);
        pq.PQclear(result);
        pq.PQfinish(connection->conn);
        connection->conn = NULL;
        connection->failure = PG_LOST;
        return st;
    }
    connection->failure = failure_of(state);
    st = arvo__fail(
        err, status_of(state), "%s: %s: %s (SQLSTATE %s)", store->where, what,
        text != NULL ? text : "the server failed", state);
    pq.PQclear(result);
    return st;
}

/* Send, and wait for all that comes of it. */
static arvo_status
query_do(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    bool is_sent, PGresult **out, arvo_error *err)
{
    const int64_t until = arvo__real_ms() + store->timeout_ms;
    PGresult *result = NULL;
    PGconn *conn = connection->conn;
    connection->failure = PG_NO_FAILURE;
    if (!is_sent || !send_all(conn, until) || !collect(conn, until, &result))
        return query_lost(store, connection, what, arvo__real_ms() >= until, err);
    if (!connection->is_listening)
        drop_notifications(conn);
    const ExecStatusType code = pq.PQresultStatus(result);
    if (code != PGRES_TUPLES_OK && code != PGRES_COMMAND_OK)
        return query_failed(store, connection, what, result, err);
    connection->used_ms = arvo__real_ms();
    *out = result;
    return ARVO_OK;
}

static bool
send_query(PGconn *conn, const char *sql, const struct postgres_params *params)
{
    if (params == NULL)
        return pq.PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
    const char *values[PG_PARAMS_MAX];
    for (size_t i = 0; i < params->count; i++)
        values[i] = params->offsets[i] != SIZE_MAX ? params->bytes.ptr + params->offsets[i] : NULL;
    return pq.PQsendQueryParams(
               conn, sql, (int)params->count, params->types, values, params->lengths,
               params->formats, 0) == 1;
}

arvo_status
arvo__pg_query(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    const char *sql, const struct postgres_params *params, PGresult **out, arvo_error *err)
{
    if (params != NULL && params->bytes.status != ARVO_OK) {
        connection->failure = PG_REFUSED;
        return arvo__buf_status(&params->bytes, "the store's call", err);
    }
    return query_do(store, connection, what, send_query(connection->conn, sql, params), out, err);
}

arvo_status
arvo__pg_script(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    const char *sql, PGresult **out, arvo_error *err)
{
    return query_do(store, connection, what, pq.PQsendQuery(connection->conn, sql) == 1, out, err);
}

/* ---- Pool ---------------------------------------------------------------------- */

/* A free one, those with a connection first; NULL when all are busy. With the mutex held. */
static struct postgres_connection *
pool_free_one(struct postgres_store *store)
{
    struct postgres_connection *found = NULL;
    for (size_t i = 0; i < store->pool_max; i++) {
        struct postgres_connection *at = &store->pool[i];
        if (!at->is_busy && (found == NULL || (found->conn == NULL && at->conn != NULL)))
            found = at;
    }
    return found;
}

static bool
connection_lives(struct postgres_store *store, struct postgres_connection *connection)
{
    if (connection->conn == NULL)
        return false;
    if (arvo__real_ms() - connection->used_ms < PG_IDLE_CHECK_MS)
        return true;
    PGresult *result = NULL;
    if (arvo__pg_query(store, connection, "check", "SELECT 1", NULL, &result, NULL) != ARVO_OK)
        return false;
    pq.PQclear(result);
    return true;
}

arvo_status
arvo__pg_take(
    struct postgres_store *store, const char *what, struct postgres_connection **out,
    arvo_error *err)
{
    const int64_t until = arvo__real_ms() + store->timeout_ms;
    struct postgres_connection *found;
    bool is_late = false;
    (void)pthread_mutex_lock(&store->pool_mutex);
    while ((found = pool_free_one(store)) == NULL && !is_late)
        is_late = !arvo__pg_wait(&store->pool_free, &store->pool_mutex, until);
    if (found != NULL)
        found->is_busy = true;
    (void)pthread_mutex_unlock(&store->pool_mutex);
    if (found == NULL)
        return arvo__fail(
            err, ARVO_E_TIMEOUT,
            "%s: %s: all %zu connections were busy for %lld ms; ask for more with pool=N",
            store->where, what, store->pool_max, (long long)store->timeout_ms);
    if (!connection_lives(store, found)) {
        if (found->conn != NULL)
            pq.PQfinish(found->conn);
        found->conn = arvo__pg_connect(store, what, err);
        found->used_ms = arvo__real_ms();
    }
    if (found->conn == NULL) {
        arvo__pg_give(store, found);
        return ARVO_E_IO;
    }
    *out = found;
    return ARVO_OK;
}

void
arvo__pg_give(struct postgres_store *store, struct postgres_connection *connection)
{
    (void)pthread_mutex_lock(&store->pool_mutex);
    connection->is_busy = false;
    (void)pthread_cond_signal(&store->pool_free);
    (void)pthread_mutex_unlock(&store->pool_mutex);
}

/* ---- Calls ----------------------------------------------------------------------- */

void
arvo__pg_expand(const struct postgres_store *store, const char *sql, arvo_buf *out)
{
    for (const char *at = sql; *at != '\0'; at++) {
        if (at[0] == '~' && at[1] == '.')
            arvo_buf_printf(out, "\"%s\"", store->schema);
        else if (*at == '@')
            arvo_buf_printf(out, "%s", store->schema);
        else
            arvo_buf_append_char(out, *at);
    }
    arvo_buf_append_char(out, '\0');
}

static void
call_text(
    const struct postgres_store *store, const char *function, const struct postgres_params *params,
    char *out, size_t cap)
{
    size_t len = (size_t)snprintf(out, cap, "SELECT * FROM \"%s\".%s(", store->schema, function);
    const size_t count = params != NULL ? params->count : 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s$%zu", i > 0 ? "," : "", i + 1);
    (void)snprintf(out + len, cap - len, ")");
}

arvo_status
arvo__pg_call_on(
    struct postgres_store *store, struct postgres_connection *connection, const char *what,
    const char *function, const struct postgres_params *params, PGresult **out, arvo_error *err)
{
    char sql[PG_SCHEMA_NAME_MAX + 64 + PG_PARAMS_MAX * 4];
    call_text(store, function, params, sql, sizeof(sql));
    return arvo__pg_query(store, connection, what, sql, params, out, err);
}

void
arvo__pg_patience_init(struct postgres_patience *patience, int64_t for_ms)
{
    const int64_t bound = for_ms < PG_RECONNECT_MS ? for_ms : PG_RECONNECT_MS;
    *patience = (struct postgres_patience){ .until_ms = arvo__real_ms() + bound, .pause_ms = 10 };
}

bool
arvo__pg_patience(struct postgres_patience *patience, enum postgres_failure failure)
{
    if (failure == PG_NO_FAILURE || failure == PG_REFUSED ||
        arvo__real_ms() >= patience->until_ms ||
        (failure != PG_LOST && ++patience->given_up > PG_RETRIES))
        return false;
    arvo__pg_pause(patience->pause_ms);
    patience->pause_ms =
        patience->pause_ms * 2 < PG_RECONNECT_MS_MAX ? patience->pause_ms * 2 : PG_RECONNECT_MS_MAX;
    return true;
}

/* As often as it takes. */
static arvo_status
query_anyhow(
    struct postgres_store *store, const char *what, const char *sql,
    const struct postgres_params *params, PGresult **out, arvo_error *err)
{
    struct postgres_patience patience;
    arvo__pg_patience_init(&patience, store->timeout_ms);
    for (;;) {
        struct postgres_connection *connection = NULL;
        enum postgres_failure failure = PG_REFUSED;
        arvo_status st = arvo__pg_take(store, what, &connection, err);
        if (st == ARVO_OK) {
            st = arvo__pg_query(store, connection, what, sql, params, out, err);
            failure = st == ARVO_E_TIMEOUT && connection->failure == PG_LOST ? PG_REFUSED
                                                                             : connection->failure;
            arvo__pg_give(store, connection);
        } else if (st == ARVO_E_IO) {
            failure = PG_LOST; /* it could not connect */
        }
        if (st == ARVO_OK || !arvo__pg_patience(&patience, failure))
            return st;
    }
}

arvo_status
arvo__pg_call(
    struct postgres_store *store, const char *what, const char *function,
    const struct postgres_params *params, PGresult **out, arvo_error *err)
{
    char sql[PG_SCHEMA_NAME_MAX + 64 + PG_PARAMS_MAX * 4];
    call_text(store, function, params, sql, sizeof(sql));
    return query_anyhow(store, what, sql, params, out, err);
}

arvo_status
arvo__pg_select(
    struct postgres_store *store, const char *what, const char *sql,
    const struct postgres_params *params, PGresult **out, arvo_error *err)
{
    arvo_buf text = ARVO_BUF_INIT((size_t)64 * 1024);
    text.allocator = store->allocator;
    arvo__pg_expand(store, sql, &text);
    arvo_status st = arvo__buf_status(&text, "a statement", err);
    if (st == ARVO_OK)
        st = query_anyhow(store, what, text.ptr, params, out, err);
    arvo_buf_fini(&text);
    return st;
}

#endif
