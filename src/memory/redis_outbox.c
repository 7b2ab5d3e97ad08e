/* Delivery from the Redis store.
 *
 * A subject whose queue is not empty is in `due` or in `later`, by when its
 * oldest row can be claimed; so a claim finds work without looking at what
 * waits, however much that is.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include "memory/redis.h"

#define OUTBOX "outbox"
#define DEAD   "dead"

#define PAGE_ROWS    64
#define WAIT_LOOK_MS 1000 /* a claim that ends, and what others put off, is not published */

/* One word of an operation's arguments. */
struct outbox_word {
    enum { WORD_END = 0, WORD_NUMBER, WORD_TEXT, WORD_TOKEN } kind;
    int64_t number;
    arvo_str text;
    const uint8_t *token;
};

/* Run a script of a few words. The caller ends the call. */
static arvo_status
outbox_run(
    struct redis_store *store, struct redis_call *call, enum redis_script script,
    const struct outbox_word *words, const char *what, arvo_error *err)
{
    if (arvo__redis_call_init(store, call, script) != ARVO_OK)
        return arvo__nomem(err);
    for (; words->kind != WORD_END; words++) {
        if (words->kind == WORD_NUMBER)
            arvo__redis_arg_int(call, words->number);
        else if (words->kind == WORD_TEXT)
            arvo__redis_arg(call, words->text);
        else
            arvo__redis_arg_token(call, words->token);
    }
    return arvo__redis_run(store, call, what, err);
}

/* The same when only success matters. NONE: ARVO_E_NOT_FOUND. */
static arvo_status
outbox_do(
    struct redis_store *store, enum redis_script script, const struct outbox_word *words,
    const char *what, arvo_error *err)
{
    struct redis_call call;
    arvo_status st = outbox_run(store, &call, script, words, what, err);
    if (st == ARVO_OK && arvo__redis_is(&call, "NONE"))
        st = arvo__fail(
            err, ARVO_E_NOT_FOUND, "%s: %s: there is no dead letter %lld", store->label, what,
            (long long)words->number);
    arvo__redis_call_fini(&call);
    return st;
}

/* ---- Listing ----------------------------------------------------------- */

/* Either of the two callbacks. */
struct rows_show {
    arvo_stored_event_fn event;
    arvo_outbox_fn row;
    void *user;
    int64_t last;
    size_t left;
};

static arvo_status
rows_show(
    struct redis_store *store, const redisReply *rows, const char *what, struct rows_show *show,
    arvo_error *err)
{
    for (size_t i = 0; rows != NULL && show->left > 0 && i < rows->elements; i++) {
        arvo_outbox_row row;
        const arvo_status st =
            arvo__redis_event(store, rows->element[i], ARVO_STR_NONE, what, &row, NULL, err);
        if (st != ARVO_OK)
            return st;
        show->last = row.event.seq;
        const bool goes_on =
            show->event != NULL ? show->event(show->user, &row.event) : show->row(show->user, &row);
        show->left = goes_on ? show->left - 1 : 0;
    }
    return ARVO_OK;
}

static arvo_status
rows_list(struct redis_store *store, const char *set, struct rows_show *show, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    bool is_end = false;
    while (st == ARVO_OK && !is_end && show->left > 0) {
        const size_t count = show->left < PAGE_ROWS ? show->left : PAGE_ROWS;
        const struct outbox_word words[] = { { WORD_TEXT, .text = arvo_str_from(set) },
                                             { WORD_NUMBER, .number = show->last },
                                             { WORD_NUMBER, .number = (int64_t)count },
                                             { WORD_END } };
        struct redis_call call;
        st = outbox_run(store, &call, REDIS_ROWS, words, set, err);
        if (st == ARVO_OK) {
            const redisReply *rows = arvo__redis_at(call.reply, 1, REDIS_REPLY_ARRAY);
            is_end = rows == NULL || rows->elements == 0;
            st = rows_show(store, rows, set, show, err);
        }
        arvo__redis_call_fini(&call);
    }
    return st;
}

arvo_status
arvo__redis_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct rows_show show = {
        .event = each, .user = user, .last = after, .left = limit != 0 ? limit : REDIS_ROWS_DEFAULT
    };
    return rows_list(self, OUTBOX, &show, err);
}

arvo_status
arvo__redis_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct rows_show show = {
        .row = each, .user = user, .last = after, .left = limit != 0 ? limit : REDIS_ROWS_DEFAULT
    };
    return rows_list(self, DEAD, &show, err);
}

/* ---- Claims ------------------------------------------------------------ */

arvo_status
arvo__redis_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct redis_store *store = self;
    const size_t limit = arvo__memory_claim_limit(claim->limit);
    const struct outbox_word words[] = { { WORD_TOKEN, .token = claim->token },
                                         { WORD_NUMBER, .number = arvo__memory_ttl(claim->ttl_ms) },
                                         { WORD_NUMBER, .number = (int64_t)limit },
                                         { WORD_END } };
    struct redis_call call;
    arvo_status st = outbox_run(store, &call, REDIS_CLAIM, words, OUTBOX, err);
    struct rows_show show = { .row = each, .user = user, .left = limit };
    if (st == ARVO_OK)
        st = rows_show(store, arvo__redis_at(call.reply, 1, REDIS_REPLY_ARRAY), OUTBOX, &show, err);
    arvo__redis_call_fini(&call);
    return st;
}

arvo_status
arvo__redis_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err)
{
    char text[ARVO_DELIVERY_ERROR_MAX];
    const int64_t delay = delay_ms > 0 ? arvo__memory_ttl(delay_ms) : 0;
    const struct outbox_word words[] = { { WORD_NUMBER, .number = seq },
                                         { WORD_TOKEN, .token = claim->token },
                                         { WORD_NUMBER, .number = delay },
                                         { WORD_TEXT,
                                           .text = arvo__memory_delivery_error(error, text) },
                                         { WORD_END } };
    return outbox_do(self, REDIS_RETRY, words, OUTBOX, err);
}

arvo_status
arvo__redis_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err)
{
    char text[ARVO_DELIVERY_ERROR_MAX];
    const struct outbox_word words[] = { { WORD_NUMBER, .number = seq },
                                         { WORD_TOKEN, .token = claim->token },
                                         { WORD_TEXT,
                                           .text = arvo__memory_delivery_error(error, text) },
                                         { WORD_END } };
    return outbox_do(self, REDIS_BURY, words, OUTBOX, err);
}

arvo_status
arvo__redis_outbox_release(void *self, const arvo_claim *claim, arvo_error *err)
{
    const struct outbox_word words[] = { { WORD_TOKEN, .token = claim->token }, { WORD_END } };
    return outbox_do(self, REDIS_RELEASE, words, OUTBOX, err);
}

arvo_status
arvo__redis_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    const struct outbox_word words[] = { { WORD_NUMBER, .number = seq }, { WORD_END } };
    return outbox_do(self, REDIS_DONE, words, OUTBOX, err);
}

arvo_status
arvo__redis_dead_retry(void *self, int64_t seq, arvo_error *err)
{
    const struct outbox_word words[] = { { WORD_NUMBER, .number = seq }, { WORD_END } };
    return outbox_do(self, REDIS_REVIVE, words, DEAD, err);
}

arvo_status
arvo__redis_dead_drop(void *self, int64_t seq, arvo_error *err)
{
    const struct outbox_word words[] = { { WORD_NUMBER, .number = seq }, { WORD_END } };
    return outbox_do(self, REDIS_DROP, words, DEAD, err);
}

/* ---- Waiting ----------------------------------------------------------- */

/* ms until there may be something; -1: nothing waits. */
static arvo_status
outbox_next(struct redis_store *store, int64_t *out, arvo_error *err)
{
    const struct outbox_word words[] = { { WORD_END } };
    struct redis_call call;
    const arvo_status st = outbox_run(store, &call, REDIS_NEXT, words, OUTBOX, err);
    if (st == ARVO_OK)
        *out = arvo__redis_int_at(call.reply, 1);
    arvo__redis_call_fini(&call);
    return st;
}

/* Until there is news, or for `ms`. false: news came, or the wait was interrupted. */
static bool
outbox_sleep(struct redis_store *store, uint64_t news, int64_t ms)
{
    const int64_t until = arvo__real_ms() + ms;
    (void)pthread_mutex_lock(&store->wait_mutex);
    while (store->outbox_news == news && !store->is_interrupted) {
        if (arvo__real_ms() >= until)
            break;
        arvo__cond_wait_until(&store->wait_changed, &store->wait_mutex, until);
    }
    const bool is_quiet = store->outbox_news == news && !store->is_interrupted;
    (void)pthread_mutex_unlock(&store->wait_mutex);
    return is_quiet;
}

arvo_status
arvo__redis_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err)
{
    struct redis_store *store = self;
    const int64_t deadline = arvo__real_ms_after(timeout_ms > 0 ? timeout_ms : 0);
    (void)pthread_mutex_lock(&store->wait_mutex);
    arvo__redis_listen(store, deadline);
    (void)pthread_mutex_unlock(&store->wait_mutex);
    for (;;) {
        (void)pthread_mutex_lock(&store->wait_mutex);
        const uint64_t news = store->outbox_news; /* before the question: nothing is missed */
        (void)pthread_mutex_unlock(&store->wait_mutex);
        int64_t next = 0;
        const arvo_status st = outbox_next(store, &next, err);
        const int64_t left = deadline - arvo__real_ms();
        if (st != ARVO_OK || next == 0 || left <= 0)
            return st;
        int64_t ms = left < WAIT_LOOK_MS ? left : WAIT_LOOK_MS;
        ms = next > 0 && next < ms ? next : ms;
        if (!outbox_sleep(store, news, ms))
            return ARVO_OK;
    }
}

#endif
