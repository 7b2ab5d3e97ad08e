/* The watcher thread of a PostgreSQL store: one connection that LISTENs.
 *
 *   'w' + token   whose turn it is at a lease; the process that has that waiter wakes it
 *   'o'           there may be something to deliver
 *   'h' + process a process's greeting to itself: it arrives where notifications do
 *
 * It tells the others too: a NOTIFY inside the commits would have the server do them one at a time.
 * Behind a pooler in transaction mode LISTEN is forgotten, the greeting does not come back, and
 * waiters look by themselves more often. Nothing depends on a notification but speed.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "memory/postgres.h"

#define pq arvo__pq

#define TOLD_MAX      4096u /* waiters to be told of; more look by themselves */
#define PAYLOAD_BYTES 48u
#define GREET_MS      5000 /* greeted again that often: a connection may have been lost unseen */
#define RETRY_MS      1000

/* ---- Condition variables ---------------------------------------------------- */

bool
arvo__pg_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms)
{
    if (arvo__real_ms() >= until_ms)
        return false;
    arvo__cond_wait_until(cond, mutex, until_ms);
    return true;
}

/* ---- Waking in this process ---------------------------------------------------- */

static bool
wake_waiter(struct postgres_store *store, const uint8_t token[16])
{
    bool is_ours = false;
    (void)pthread_mutex_lock(&store->wait_mutex);
    for (struct postgres_waiter *at = store->waiters; at != NULL; at = at->next) {
        if (memcmp(at->token, token, sizeof(at->token)) != 0)
            continue;
        at->is_woken = true;
        (void)pthread_cond_signal(&at->cond);
        is_ours = true;
    }
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return is_ours;
}

void
arvo__pg_wake_outbox(struct postgres_store *store)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    store->outbox_turn++;
    (void)pthread_cond_broadcast(&store->outbox_cond);
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

/* ---- Telling others --------------------------------------------------------------- */

static void
thread_wake(struct postgres_store *store)
{
    const uint64_t one = 1;
    if (write(store->wake_fd, &one, sizeof(one)) < 0) {
        /* The counter is full: it is awake. */
    }
}

void
arvo__pg_tell_waiter(struct postgres_store *store, const uint8_t token[16])
{
    if (wake_waiter(store, token))
        return;
    bool is_told = false;
    (void)pthread_mutex_lock(&store->wait_mutex);
    if (store->has_thread && store->told_count < store->told_cap) {
        memcpy(store->told[store->told_count++], token, 16);
        is_told = true;
    }
    (void)pthread_mutex_unlock(&store->wait_mutex);
    if (is_told)
        thread_wake(store);
}

void
arvo__pg_tell_outbox(struct postgres_store *store)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    const bool is_new = store->has_thread && !store->is_outbox_told;
    store->is_outbox_told = true;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    if (is_new)
        thread_wake(store);
}

/* ---- The thread ---------------------------------------------------------------------- */

/* Its connection, and when it last greeted itself. */
struct watch {
    struct postgres_store *store;
    struct postgres_connection connection;
    int64_t greeted_ms;
};

static void
payload(char kind, const uint8_t bytes[16], char out[PAYLOAD_BYTES])
{
    char hex[33];
    arvo__hex(bytes, 16, hex);
    hex[32] = '\0';
    (void)snprintf(out, PAYLOAD_BYTES, "%c%s", kind, hex);
}

/* Payloads of one turn: what to tell, and a greeting when it is time for one. */
static arvo_status
watch_tell(struct watch *watch, bool is_greeting)
{
    struct postgres_store *store = watch->store;
    static const uint8_t nobody[16];
    struct postgres_params params;
    char text[PAYLOAD_BYTES];
    arvo__pg_params_init(&params, store->allocator);
    (void)pthread_mutex_lock(&store->wait_mutex);
    const size_t count =
        store->told_count + (store->is_outbox_told ? 1u : 0u) + (is_greeting ? 1u : 0u);
    arvo__pg_array_begin(&params, PG_TEXTS, count);
    for (size_t i = 0; i < store->told_count; i++) {
        payload('w', store->told[i], text);
        arvo__pg_element_text(&params, arvo_str_from(text));
    }
    if (store->is_outbox_told) {
        payload('o', nobody, text);
        arvo__pg_element_text(&params, arvo_str_from(text));
    }
    if (is_greeting) {
        payload('h', store->process, text);
        arvo__pg_element_text(&params, arvo_str_from(text));
    }
    arvo__pg_array_end(&params);
    store->told_count = 0;
    store->is_outbox_told = false;
    (void)pthread_mutex_unlock(&store->wait_mutex);

    arvo_status st = ARVO_OK;
    if (count > 0) {
        char sql[128];
        PGresult *result = NULL;
        (void)snprintf(
            sql, sizeof(sql), "SELECT pg_notify('arvo_%s', u) FROM unnest($1) u", store->schema);
        st = arvo__pg_query(store, &watch->connection, "notify", sql, &params, &result, NULL);
        if (st == ARVO_OK)
            pq.PQclear(result);
    }
    arvo__pg_params_fini(&params);
    return st;
}

static void
watch_hear(struct watch *watch, const char *text)
{
    struct postgres_store *store = watch->store;
    uint8_t bytes[16] = { 0 };
    if (text[0] == '\0' || !arvo__hex_read(text + 1, bytes, sizeof(bytes)))
        return;
    if (text[0] == 'w') {
        (void)wake_waiter(store, bytes);
    } else if (text[0] == 'o') {
        arvo__pg_wake_outbox(store);
    } else if (text[0] == 'h' && memcmp(bytes, store->process, sizeof(bytes)) == 0) {
        (void)pthread_mutex_lock(&store->wait_mutex);
        store->is_hearing = true;
        (void)pthread_mutex_unlock(&store->wait_mutex);
    }
}

static void
watch_hear_all(struct watch *watch)
{
    PGnotify *notify;
    if (pq.PQconsumeInput(watch->connection.conn) == 0)
        return;
    while ((notify = pq.PQnotifies(watch->connection.conn)) != NULL) {
        watch_hear(watch, notify->extra);
        pq.PQfreemem(notify);
    }
}

static bool
watch_connect(struct watch *watch)
{
    struct postgres_store *store = watch->store;
    char sql[128];
    PGresult *result = NULL;
    (void)pthread_mutex_lock(&store->wait_mutex);
    store->is_hearing = false;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    watch->connection.conn = arvo__pg_connect(store, "listen", NULL);
    if (watch->connection.conn == NULL)
        return false;
    (void)snprintf(sql, sizeof(sql), "LISTEN \"arvo_%s\"", store->schema);
    if (arvo__pg_query(store, &watch->connection, "listen", sql, NULL, &result, NULL) != ARVO_OK) {
        pq.PQfinish(watch->connection.conn);
        watch->connection.conn = NULL;
        return false;
    }
    pq.PQclear(result);
    watch->greeted_ms = 0;
    return true;
}

/* Until something comes, somebody wakes it, or it is time to greet. */
static void
watch_sleep(struct watch *watch, int64_t ms)
{
    struct pollfd fds[2] = {
        { .fd = watch->store->wake_fd, .events = POLLIN },
        { .fd = watch->connection.conn != NULL ? pq.PQsocket(watch->connection.conn) : -1,
          .events = POLLIN },
    };
    uint64_t count;
    if (poll(fds, 2, (int)ms) > 0 && (fds[0].revents & POLLIN) != 0 &&
        read(watch->store->wake_fd, &count, sizeof(count)) < 0) {
        /* Somebody else read it. */
    }
}

/* Connected: tell, greet, hear. */
static void
watch_turn(struct watch *watch)
{
    const int64_t now = arvo__real_ms();
    const bool is_greeting = watch->greeted_ms == 0 || now - watch->greeted_ms >= GREET_MS;
    if (is_greeting)
        watch->greeted_ms = now;
    if (watch_tell(watch, is_greeting) == ARVO_OK && watch->connection.conn != NULL)
        watch_hear_all(watch);
    if (watch->connection.conn != NULL && pq.PQstatus(watch->connection.conn) != CONNECTION_OK) {
        pq.PQfinish(watch->connection.conn);
        watch->connection.conn = NULL;
    }
}

static void *
watch_main(void *arg)
{
    struct watch watch = { .store = arg, .connection = { .is_listening = true } };
    struct postgres_store *store = arg;
    for (;;) {
        (void)pthread_mutex_lock(&store->wait_mutex);
        const bool is_closing = store->is_closing;
        (void)pthread_mutex_unlock(&store->wait_mutex);
        if (is_closing)
            break;
        if (watch.connection.conn == NULL && !watch_connect(&watch)) {
            watch_sleep(&watch, RETRY_MS);
            continue;
        }
        watch_turn(&watch);
        if (watch.connection.conn != NULL)
            watch_sleep(&watch, GREET_MS);
    }
    if (watch.connection.conn != NULL)
        pq.PQfinish(watch.connection.conn);
    return NULL;
}

arvo_status
arvo__pg_watch_start(struct postgres_store *store, arvo_error *err)
{
    store->told = arvo__calloc(store->allocator, TOLD_MAX, sizeof(store->told[0]));
    store->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->told == NULL || store->wake_fd < 0)
        return arvo__nomem(err);
    store->told_cap = TOLD_MAX;
    (void)pthread_mutex_lock(&store->wait_mutex);
    store->has_thread = pthread_create(&store->thread, NULL, watch_main, store) == 0;
    const bool has_thread = store->has_thread;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return has_thread ? ARVO_OK : arvo__nomem(err);
}

void
arvo__pg_watch_stop(struct postgres_store *store)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    const bool has_thread = store->has_thread;
    store->has_thread = false;
    store->is_closing = true;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    if (has_thread) {
        thread_wake(store);
        (void)pthread_join(store->thread, NULL);
    }
    if (store->wake_fd >= 0)
        (void)close(store->wake_fd);
    arvo__free(store->allocator, store->told, TOLD_MAX * sizeof(store->told[0]));
}

#endif
