/* What the server publishes, heard by one thread per store from the first wait on:
 *
 *   {NAME}:wake:PROCESS   PROCESS.NUMBER: that waiter of ours is first in line, and the lease free
 *   {NAME}:outbox         there is something to claim again
 *
 * It only shortens waits: whoever waits asks again by itself every REDIS_LOOK_MS.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/redis.h"

#define HEAR_MS_MAX 1000 /* a first wait is held up at most so long until we listen */

/* ---- Messages: with wait_mutex held ------------------------------------ */

static void
listen_wake(struct redis_store *store, arvo_str ticket)
{
    const char *dot = memchr(ticket.ptr, '.', ticket.len);
    const uint64_t number = dot != NULL ? strtoull(dot + 1, NULL, 10) : 0;
    for (struct redis_waiter *waiter = store->waiters; waiter != NULL; waiter = waiter->next) {
        if (waiter->number == number) {
            waiter->is_told = true;
            (void)pthread_cond_signal(&waiter->cond);
        }
    }
}

static void
listen_message(struct redis_store *store, const redisReply *message)
{
    const arvo_str channel = arvo__redis_str_at(message, 1);
    const arvo_str text = arvo__redis_str_at(message, 2);
    if (!arvo_str_is(arvo__redis_str_at(message, 0), "message") || text.ptr == NULL)
        return;
    const size_t prefix_len = strlen(store->prefix);
    const bool is_outbox = channel.len == prefix_len + 6;
    (void)pthread_mutex_lock(&store->wait_mutex);
    if (is_outbox) {
        store->outbox_news++;
        (void)pthread_cond_broadcast(&store->wait_changed);
    } else {
        listen_wake(store, text);
    }
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

/* ---- The connection ---------------------------------------------------- */

static void
listen_set_heard(struct redis_store *store, bool is_heard)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    store->is_heard = is_heard;
    (void)pthread_cond_broadcast(&store->wait_changed);
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

static bool
listen_is_closing(struct redis_store *store)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    const bool is_closing = store->is_closing;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return is_closing;
}

static bool
listen_subscribe(struct redis_store *store, redisContext *context)
{
    char wake[sizeof(store->prefix) + REDIS_PROCESS_BYTES + 16];
    char outbox[sizeof(store->prefix) + 16];
    (void)snprintf(wake, sizeof(wake), "%swake:%s", store->prefix, store->process);
    (void)snprintf(outbox, sizeof(outbox), "%soutbox", store->prefix);
    const arvo_str subscribe[] = { ARVO_STR("SUBSCRIBE"), arvo_str_from(wake),
                                   arvo_str_from(outbox) };
    redisReply *first = arvo__redis_command(context, ARVO_COUNT_OF(subscribe), subscribe);
    bool is_good = first != NULL && first->type == REDIS_REPLY_ARRAY;
    freeReplyObject(first);
    void *second = NULL; /* one answer per channel */
    is_good = is_good && redisGetReply(context, &second) == REDIS_OK;
    freeReplyObject(second);
    return is_good;
}

/* What has arrived. false: the connection is over. */
static bool
listen_read(struct redis_store *store, redisContext *context)
{
    if (redisBufferRead(context) != REDIS_OK)
        return false;
    for (;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
            return false;
        if (reply == NULL)
            return true;
        listen_message(store, reply);
        freeReplyObject(reply);
    }
}

/* Until the connection breaks, or the store is closed. */
static void
listen_while_connected(struct redis_store *store, redisContext *context)
{
    if (!listen_subscribe(store, context))
        return;
    (void)redisEnableKeepAlive(context); /* a peer that vanished is noticed some day */
    listen_set_heard(store, true);
    struct pollfd fds[] = { { .fd = context->fd, .events = POLLIN },
                            { .fd = store->listen_pipe[0], .events = POLLIN } };
    bool is_good = true;
    while (is_good && !listen_is_closing(store)) {
        if (poll(fds, ARVO_COUNT_OF(fds), -1) > 0 && fds[0].revents != 0)
            is_good = listen_read(store, context);
    }
    listen_set_heard(store, false);
}

static void *
listen_thread(void *arg)
{
    struct redis_store *store = arg;
    int64_t pause = REDIS_PAUSE_MS_MIN;
    while (!listen_is_closing(store)) {
        redisContext *context = NULL;
        if (arvo__redis_connect(store, &context, NULL) == ARVO_OK) {
            pause = REDIS_PAUSE_MS_MIN;
            listen_while_connected(store, context);
            redisFree(context);
        }
        struct pollfd stop = { .fd = store->listen_pipe[0], .events = POLLIN };
        (void)poll(&stop, 1, (int)pause);
        pause = pause * 2 < REDIS_PAUSE_MS_MAX ? pause * 2 : REDIS_PAUSE_MS_MAX;
    }
    return NULL;
}

/* ---- Starting and stopping --------------------------------------------- */

void
arvo__redis_listen(struct redis_store *store, int64_t deadline)
{
    if (!store->is_listening && pipe2(store->listen_pipe, O_CLOEXEC) == 0) {
        if (arvo__thread_start(&store->listener, listen_thread, store)) {
            store->is_listening = true;
        } else {
            (void)close(store->listen_pipe[0]);
            (void)close(store->listen_pipe[1]);
        }
    }
    const int64_t patience = arvo__real_ms_after(HEAR_MS_MAX);
    const int64_t until = patience < deadline ? patience : deadline;
    while (store->is_listening && !store->is_heard && !store->is_interrupted) {
        if (arvo__real_ms() >= until)
            break;
        arvo__cond_wait_until(&store->wait_changed, &store->wait_mutex, until);
    }
}

void
arvo__redis_listen_stop(struct redis_store *store)
{
    (void)pthread_mutex_lock(&store->wait_mutex);
    const bool is_listening = store->is_listening;
    store->is_closing = true;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    if (!is_listening)
        return;
    (void)!write(store->listen_pipe[1], "", 1);
    (void)pthread_join(store->listener, NULL);
    (void)close(store->listen_pipe[0]);
    (void)close(store->listen_pipe[1]);
}

void
arvo__redis_interrupt(void *self, bool on)
{
    struct redis_store *store = self;
    arvo__gate_interrupt(&store->gate, on);
    (void)pthread_mutex_lock(&store->wait_mutex);
    store->is_interrupted = on;
    for (struct redis_waiter *waiter = store->waiters; on && waiter != NULL; waiter = waiter->next)
        (void)pthread_cond_signal(&waiter->cond);
    (void)pthread_cond_broadcast(&store->wait_changed);
    (void)pthread_mutex_unlock(&store->wait_mutex);
}

#endif
