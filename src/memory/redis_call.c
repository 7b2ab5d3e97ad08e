/* Running scripts: many threads, few connections.
 *
 * A call waits in one queue. A thread whose call is at its front, and who finds
 * a connection free, takes what waits, sends it in one write, reads the
 * answers, and gives the connection back; with two connections the next batch
 * gathers and leaves while the server syncs the one before. Alone, a thread
 * sends its own call at once: nothing is delayed to fill a batch.
 *
 *   queued --taken into a batch--> sent --answer--> done
 *                                    |--connection broke--> done, was_sent
 *
 * A call that failed is tried again by its own thread, up to a deadline: the
 * scripts are such that a second time does no harm, and `commit` recognises
 * itself.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/redis.h"

#define CALL_BYTES_MAX ((size_t)1024 * 1024 * 1024)

/* ---- Building ---------------------------------------------------------- */

arvo_status
arvo__redis_call_init(struct redis_store *store, struct redis_call *call, enum redis_script script)
{
    memset(call, 0, offsetof(struct redis_call, err));
    arvo__error_clear(&call->err);
    call->next = NULL;
    call->script = script;
    call->body = (arvo_buf){ .bytes_max = CALL_BYTES_MAX, .allocator = store->allocator };
    return pthread_cond_init(&call->cond, NULL) == 0 ? ARVO_OK : ARVO_E_NOMEM;
}

void
arvo__redis_call_fini(struct redis_call *call)
{
    freeReplyObject(call->reply);
    arvo_buf_fini(&call->body);
    (void)pthread_cond_destroy(&call->cond);
}

/* "$LEN\r\n", without printf: this is done for every word. */
static void
length_append(arvo_buf *out, char kind, size_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    digits[--at] = '\n';
    digits[--at] = '\r';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    digits[--at] = kind;
    arvo_buf_append(out, digits + at, sizeof(digits) - at);
}

void
arvo__redis_arg(struct redis_call *call, arvo_str text)
{
    length_append(&call->body, '$', text.len);
    arvo_buf_append(&call->body, text.ptr != NULL ? text.ptr : "", text.len);
    arvo_buf_append(&call->body, "\r\n", 2);
    call->argc++;
}

void
arvo__redis_arg_int(struct redis_call *call, int64_t number)
{
    char text[24];
    const int len = snprintf(text, sizeof(text), "%lld", (long long)number);
    arvo__redis_arg(call, (arvo_str){ text, (size_t)len });
}

void
arvo__redis_arg_token(struct redis_call *call, const uint8_t *token)
{
    char text[32];
    arvo__hex(token, 16, text);
    arvo__redis_arg(call, (arvo_str){ text, sizeof(text) });
}

/* ---- Sending a batch --------------------------------------------------- */

static void
call_append(const struct redis_store *store, const struct redis_call *call, arvo_buf *out)
{
    char key[sizeof(store->prefix) + 8];
    const int key_len = snprintf(key, sizeof(key), "%smeta", store->prefix);
    const arvo_str words[] = { call->use_text ? ARVO_STR("EVAL") : ARVO_STR("EVALSHA"),
                               call->use_text
                                   ? arvo_str_from(arvo__redis_script_text(call->script))
                                   : (arvo_str){ store->shas[call->script], REDIS_SHA_BYTES },
                               ARVO_STR("1"),
                               { key, (size_t)key_len } };
    length_append(out, '*', ARVO_COUNT_OF(words) + call->argc);
    for (size_t i = 0; i < ARVO_COUNT_OF(words); i++) {
        length_append(out, '$', words[i].len);
        arvo_buf_append_str(out, words[i]);
        arvo_buf_append(out, "\r\n", 2);
    }
    arvo_buf_append_str(out, arvo_buf_str(&call->body));
}

/* WAIT covers what the connection has written before. */
static bool
batch_append_wait(const struct redis_store *store, struct redis_link *link)
{
    bool is_durable = false;
    for (size_t i = 0; i < link->batch_count; i++)
        is_durable = is_durable || link->batch[i]->is_durable;
    if (!is_durable || store->wait_replicas + store->wait_local == 0)
        return false;
    char local[24], replicas[24], timeout[24];
    (void)snprintf(local, sizeof(local), "%lld", (long long)store->wait_local);
    (void)snprintf(replicas, sizeof(replicas), "%lld", (long long)store->wait_replicas);
    (void)snprintf(timeout, sizeof(timeout), "%lld", (long long)store->timeout_ms / 2);
    const arvo_str waitaof[] = { ARVO_STR("WAITAOF"), arvo_str_from(local), arvo_str_from(replicas),
                                 arvo_str_from(timeout) };
    const arvo_str wait[] = { ARVO_STR("WAIT"), waitaof[2], waitaof[3] };
    if (store->wait_local > 0)
        arvo__redis_command_append(&link->out, ARVO_COUNT_OF(waitaof), waitaof);
    else
        arvo__redis_command_append(&link->out, ARVO_COUNT_OF(wait), wait);
    return true;
}

static void
batch_fail(struct redis_link *link, size_t from, bool was_sent, const arvo_error *err)
{
    for (size_t i = from; i < link->batch_count; i++) {
        link->batch[i]->status = err->status;
        link->batch[i]->err = *err;
        link->batch[i]->was_sent = link->batch[i]->was_sent || was_sent;
    }
}

static void
batch_broken(struct redis_store *store, struct redis_link *link, size_t from, bool was_sent)
{
    arvo_error err;
    arvo__error_clear(&err);
    (void)arvo__fail(
        &err, ARVO_E_IO, "%s: the connection broke (%s)", store->label,
        link->context->errstr[0] != '\0' ? link->context->errstr : "the server closed it");
    arvo__reach_lost(&store->reach, store->platform, &err);
    batch_fail(link, from, was_sent, &err);
    redisFree(link->context);
    link->context = NULL;
}

/* Too few have it: what was written is there, but not where it has to be. */
static void
batch_check_wait(const struct redis_store *store, struct redis_link *link, const redisReply *reply)
{
    const int64_t local = store->wait_local > 0 ? arvo__redis_int_at(reply, 0) : 0;
    const int64_t replicas = store->wait_local > 0                ? arvo__redis_int_at(reply, 1)
                             : reply->type == REDIS_REPLY_INTEGER ? reply->integer
                                                                  : 0;
    if (local >= store->wait_local && replicas >= store->wait_replicas)
        return;
    arvo_error err;
    arvo__error_clear(&err);
    (void)arvo__fail(
        &err, ARVO_E_TIMEOUT,
        "%s: written, but only %lld of %lld replicas and %lld of %lld local files have it in time; "
        "deliver the event again: it has one effect",
        store->label, (long long)replicas, (long long)store->wait_replicas, (long long)local,
        (long long)store->wait_local);
    for (size_t i = 0; i < link->batch_count; i++) {
        struct redis_call *call = link->batch[i];
        if (!call->is_durable || call->status != ARVO_OK)
            continue;
        freeReplyObject(call->reply);
        call->reply = NULL;
        call->status = err.status;
        call->is_final = true;
        call->err = err;
    }
}

static void
batch_read(struct redis_store *store, struct redis_link *link, bool has_wait)
{
    for (size_t i = 0; i < link->batch_count; i++) {
        void *reply = NULL;
        if (redisGetReply(link->context, &reply) != REDIS_OK) {
            batch_broken(store, link, i, true);
            return;
        }
        link->batch[i]->reply = reply;
        link->batch[i]->status = ARVO_OK;
    }
    if (!has_wait)
        return;
    void *reply = NULL;
    if (redisGetReply(link->context, &reply) != REDIS_OK) {
        batch_broken(store, link, 0, true);
        return;
    }
    batch_check_wait(store, link, reply);
    freeReplyObject(reply);
}

static void
batch_run(struct redis_store *store, struct redis_link *link)
{
    arvo_error err;
    arvo__error_clear(&err);
    if (link->context == NULL) {
        const arvo_status st = arvo__redis_connect(store, &link->context, &err);
        if (st != ARVO_OK) {
            batch_fail(link, 0, false, &err);
            return;
        }
    }
    arvo_buf_reset(&link->out);
    for (size_t i = 0; i < link->batch_count; i++)
        call_append(store, link->batch[i], &link->out);
    const bool has_wait = batch_append_wait(store, link);
    if (arvo__buf_status(&link->out, "a batch for Redis", &err) != ARVO_OK) {
        batch_fail(link, 0, false, &err);
        return;
    }
    if (arvo__redis_send(link->context, arvo_buf_str(&link->out)))
        batch_read(store, link, has_wait);
    else
        batch_broken(store, link, 0, true);
    if (link->out.cap > REDIS_BATCH_BYTES_MAX)
        arvo_buf_fini(&link->out);
}

/* ---- The queue: all with calls_mutex held ------------------------------ */

static struct redis_link *
queue_free_link(struct redis_store *store)
{
    for (int64_t i = 0; i < store->link_count; i++) {
        if (!store->links[i].is_busy)
            return &store->links[i];
    }
    return NULL;
}

static void
queue_put(struct redis_store *store, struct redis_call *call)
{
    call->next = NULL;
    if (store->last != NULL)
        store->last->next = call;
    else
        store->first = call;
    store->last = call;
}

static void
queue_take_batch(struct redis_store *store, struct redis_link *link)
{
    size_t bytes = 0;
    link->batch_count = 0;
    while (store->first != NULL && link->batch_count < REDIS_BATCH_CALLS_MAX &&
           (link->batch_count == 0 || bytes + store->first->body.len <= REDIS_BATCH_BYTES_MAX)) {
        struct redis_call *call = store->first;
        bytes += call->body.len;
        store->first = call->next;
        if (store->first == NULL)
            store->last = NULL;
        link->batch[link->batch_count++] = call;
    }
}

/* A connection is free and calls wait: whoever is first sends them. */
static void
queue_wake_first(struct redis_store *store)
{
    if (store->first != NULL && queue_free_link(store) != NULL)
        (void)pthread_cond_signal(&store->first->cond);
}

static void
queue_lead(struct redis_store *store, struct redis_link *link)
{
    queue_take_batch(store, link);
    link->is_busy = true;
    redisContext *old = NULL;
    if (link->address_version != store->address_version) {
        old = link->context;
        link->context = NULL;
        link->address_version = store->address_version;
    }
    (void)pthread_mutex_unlock(&store->calls_mutex);
    if (old != NULL)
        redisFree(old);
    batch_run(store, link);

    uint64_t commits = 0;
    for (size_t i = 0; i < link->batch_count; i++)
        commits += link->batch[i]->is_commit && link->batch[i]->status == ARVO_OK;
    if (commits > 0)
        atomic_fetch_add(&store->transactions, 1);

    (void)pthread_mutex_lock(&store->calls_mutex);
    for (size_t i = 0; i < link->batch_count; i++) {
        link->batch[i]->is_done = true;
        (void)pthread_cond_signal(&link->batch[i]->cond);
    }
    link->batch_count = 0;
    link->is_busy = false;
    queue_wake_first(store);
}

static void
queue_run(struct redis_store *store, struct redis_call *call)
{
    (void)pthread_mutex_lock(&store->calls_mutex);
    call->is_done = false;
    queue_put(store, call);
    while (!call->is_done) {
        struct redis_link *link = store->first == call ? queue_free_link(store) : NULL;
        if (link != NULL)
            queue_lead(store, link);
        else
            (void)pthread_cond_wait(&call->cond, &store->calls_mutex);
    }
    (void)pthread_mutex_unlock(&store->calls_mutex);
}

/* ---- Answers ----------------------------------------------------------- */

bool
arvo__redis_is(const struct redis_call *call, const char *word)
{
    return arvo_str_is(arvo__redis_str_at(call->reply, 0), word);
}

const redisReply *
arvo__redis_at(const redisReply *array, size_t i, int type)
{
    if (array == NULL || array->type != REDIS_REPLY_ARRAY || i >= array->elements ||
        array->element[i] == NULL || array->element[i]->type != type)
        return NULL;
    return array->element[i];
}

arvo_str
arvo__redis_str_at(const redisReply *array, size_t i)
{
    const redisReply *text = arvo__redis_at(array, i, REDIS_REPLY_STRING);
    return text != NULL ? (arvo_str){ text->str, text->len } : ARVO_STR_NONE;
}

int64_t
arvo__redis_int_at(const redisReply *array, size_t i)
{
    const redisReply *number = arvo__redis_at(array, i, REDIS_REPLY_INTEGER);
    if (number != NULL)
        return number->integer;
    const arvo_str text = arvo__redis_str_at(array, i);
    return text.len > 0 ? strtoll(text.ptr, NULL, 10) : 0; /* hiredis ends texts with a NUL */
}

arvo_status
arvo__redis_odd(const struct redis_store *store, const char *what, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_CORRUPT,
        "%s: %s: the data lacks something that is always there; it is damaged, or was written by "
        "another program",
        store->label, what);
}

/* ---- Running ----------------------------------------------------------- */

/* Whether the server's refusal means that it may be asked again, unchanged or so. */
static bool
refusal_passes(struct redis_store *store, struct redis_call *call)
{
    static const char *const words[] = { "LOADING", "BUSY ",       "TRYAGAIN",
                                         "ASK ",    "CLUSTERDOWN", "MASTERDOWN" };
    const redisReply *reply = call->reply;
    if (strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        const bool is_new = !call->use_text;
        call->use_text = true;
        return is_new;
    }
    if (arvo__redis_moved(store, reply))
        return true;
    for (size_t i = 0; i < ARVO_COUNT_OF(words); i++) {
        if (strncmp(reply->str, words[i], strlen(words[i])) == 0)
            return true;
    }
    return false;
}

/* Whether to try once more: the connection failed, or the server asks for patience. */
static bool
run_may_repeat(struct redis_store *store, struct redis_call *call)
{
    if (call->status == ARVO_OK)
        return call->reply->type == REDIS_REPLY_ERROR && refusal_passes(store, call);
    if (call->is_final || (call->status != ARVO_E_IO && call->status != ARVO_E_TIMEOUT))
        return false;
    if (call->was_sent && call->again_at != 0)
        call->body.ptr[call->again_at] = '1';
    return true;
}

static arvo_status
run_give_up(
    const struct redis_store *store, const struct redis_call *call, const char *what,
    arvo_error *err)
{
    if (call->was_sent && call->is_durable)
        return arvo__fail(
            err, ARVO_E_IO,
            "%s: %s: the connection broke and the answer was lost: whether it was written is not "
            "known; deliver the event again, it has one effect",
            store->label, what);
    if (err != NULL)
        *err = call->err;
    return call->status;
}

arvo_status
arvo__redis_run(
    struct redis_store *store, struct redis_call *call, const char *what, arvo_error *err)
{
    arvo_status st = arvo__buf_status(&call->body, what, err);
    if (st != ARVO_OK)
        return st;
    const int64_t deadline = arvo__real_ms() + 2 * store->timeout_ms;
    int64_t pause = REDIS_PAUSE_MS_MIN;
    for (;;) {
        freeReplyObject(call->reply);
        call->reply = NULL;
        queue_run(store, call);
        const bool had_script = call->use_text;
        const bool may_repeat = run_may_repeat(store, call);
        if (!may_repeat || arvo__real_ms() + pause >= deadline)
            break;
        if (call->use_text == had_script) { /* else: at once, with its text */
            arvo__redis_sleep_ms(pause);
            pause = pause * 2 < REDIS_PAUSE_MS_MAX ? pause * 2 : REDIS_PAUSE_MS_MAX;
        }
    }
    if (call->status != ARVO_OK)
        return run_give_up(store, call, what, err);
    if (call->reply->type == REDIS_REPLY_ERROR)
        return arvo__redis_refused(store, what, call->reply, err);
    if (arvo__redis_str_at(call->reply, 0).ptr == NULL)
        return arvo__redis_odd(store, what, err);
    return ARVO_OK;
}

#endif
