/* Copying a whole Redis store out and in.
 *
 * Out (dump): a mark on the server names the moment. Events are never changed,
 * so those up to the moment's seq are what they were; the outbox is copied when
 * the mark is set; and whoever changes a record afterwards keeps the old one
 * aside first, as long as the mark stands (redis.lua, commit). So work goes on,
 * and what is read page by page is all of one moment. The mark ends by itself
 * when its reader stops asking.
 *
 * In (load): a mark says that the store is being filled; commits are refused
 * and it opens only to be filled again, until the last row is in.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include "memory/redis.h"

#define DUMP "dump"
#define LOAD "load"

#define COPY_RECORDS   16
#define COPY_ROWS      64
#define LOAD_ROWS_MAX  200u
#define LOAD_BYTES_MAX ((size_t)1024 * 1024)

/* ---- Out --------------------------------------------------------------- */

struct dump {
    struct redis_store *store;
    uint8_t token[16];
    arvo_row_fn each;
    void *user;
    bool is_stopped; /* by `each` */
};

/* A script of the copy: token and time first. The caller appends the rest and ends the call. */
static arvo_status
dump_call(const struct dump *dump, struct redis_call *call, enum redis_script script)
{
    const arvo_status st = arvo__redis_call_init(dump->store, call, script);
    if (st != ARVO_OK)
        return st;
    arvo__redis_arg_token(call, dump->token);
    if (script != REDIS_COPYEND)
        arvo__redis_arg_int(call, REDIS_COPY_TTL_MS);
    return ARVO_OK;
}

static arvo_status
dump_run(const struct dump *dump, struct redis_call *call, arvo_error *err)
{
    const arvo_status st = arvo__redis_run(dump->store, call, DUMP, err);
    if (st != ARVO_OK)
        return st;
    if (arvo__redis_is(call, "COPYING"))
        return arvo__fail(
            err, ARVO_E_LOCK_DENIED, "%s: dump: somebody else copies this store: try again later",
            dump->store->label);
    if (arvo__redis_is(call, "OVER"))
        return arvo__fail(
            err, ARVO_E_STALE,
            "%s: dump: the server was restarted, or nothing was read for %d s: what was read so "
            "far "
            "is not whole, begin again",
            dump->store->label, REDIS_COPY_TTL_MS / 1000);
    return ARVO_OK;
}

static void
dump_give(struct dump *dump, const arvo_row *row)
{
    dump->is_stopped = dump->is_stopped || !dump->each(dump->user, row);
}

static arvo_status
dump_definitions(struct dump *dump, const redisReply *hashes, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    for (size_t i = 0; st == ARVO_OK && hashes != NULL && !dump->is_stopped && i < hashes->elements;
         i++) {
        struct redis_call call;
        const arvo_str hash = arvo__redis_str_at(hashes, i);
        if (dump_call(dump, &call, REDIS_COPYDEFINITION) != ARVO_OK)
            return arvo__nomem(err);
        arvo__redis_arg(&call, hash);
        st = dump_run(dump, &call, err);
        if (st == ARVO_OK)
            dump_give(
                dump, &(arvo_row){ .kind = ARVO_ROW_DEFINITION,
                                   .hash = hash,
                                   .document = arvo__redis_str_at(call.reply, 1) });
        arvo__redis_call_fini(&call);
    }
    return st;
}

static arvo_status
dump_record(struct dump *dump, const redisReply *reply, int64_t *after, arvo_error *err)
{
    arvo_row row = { .kind = ARVO_ROW_RECORD };
    bool is_found = false;
    const arvo_status st = arvo__redis_record(
        dump->store, arvo__redis_at(reply, 1, REDIS_REPLY_ARRAY), arvo__redis_str_at(reply, 2),
        DUMP, &is_found, &row.record, err);
    if (st != ARVO_OK)
        return st;
    if (!is_found)
        return arvo__redis_odd(dump->store, DUMP, err);
    *after = arvo__redis_int_at(reply, 0);
    dump_give(dump, &row);
    return ARVO_OK;
}

static arvo_status
dump_event(
    struct dump *dump, const redisReply *reply, arvo_row_kind kind, int64_t *after, arvo_error *err)
{
    arvo_row row = { .kind = kind };
    const arvo_status st =
        arvo__redis_event(dump->store, reply, ARVO_STR_NONE, DUMP, &row.row, &row.cause, err);
    if (st != ARVO_OK)
        return st;
    *after = row.row.event.seq;
    if (kind != ARVO_ROW_EVENT) {
        row.row.event = (arvo_stored_event){ .seq = *after };
        row.cause = 0;
    }
    dump_give(dump, &row);
    return ARVO_OK;
}

/* All pages of one kind of row. */
static arvo_status
dump_pages(
    struct dump *dump, enum redis_script script, const char *set, arvo_row_kind kind, int64_t count,
    arvo_error *err)
{
    arvo_status st = ARVO_OK;
    int64_t after = 0;
    bool is_end = false;
    while (st == ARVO_OK && !is_end && !dump->is_stopped) {
        struct redis_call call;
        if (dump_call(dump, &call, script) != ARVO_OK)
            return arvo__nomem(err);
        if (set != NULL)
            arvo__redis_arg(&call, arvo_str_from(set));
        arvo__redis_arg_int(&call, after);
        arvo__redis_arg_int(&call, count);
        st = dump_run(dump, &call, err);
        const redisReply *rows =
            st == ARVO_OK ? arvo__redis_at(call.reply, 1, REDIS_REPLY_ARRAY) : NULL;
        is_end = rows == NULL || rows->elements == 0;
        for (size_t i = 0; !is_end && st == ARVO_OK && !dump->is_stopped && i < rows->elements; i++)
            st = kind == ARVO_ROW_RECORD ? dump_record(dump, rows->element[i], &after, err)
                                         : dump_event(dump, rows->element[i], kind, &after, err);
        arvo__redis_call_fini(&call);
    }
    return st;
}

static void
dump_end(const struct dump *dump)
{
    struct redis_call call;
    if (dump_call(dump, &call, REDIS_COPYEND) != ARVO_OK)
        return; /* the mark ends by itself */
    (void)arvo__redis_run(dump->store, &call, DUMP, NULL);
    arvo__redis_call_fini(&call);
}

static arvo_status
dump_all(struct dump *dump, const redisReply *moment, arvo_error *err)
{
    dump_give(
        dump, &(arvo_row){ .kind = ARVO_ROW_STORE,
                           .newest_seq = arvo__redis_int_at(moment, 1),
                           .newest_fence = (uint64_t)arvo__redis_int_at(moment, 2) });
    arvo_status st = dump_definitions(dump, arvo__redis_at(moment, 4, REDIS_REPLY_ARRAY), err);
    if (st == ARVO_OK)
        st = dump_pages(dump, REDIS_COPYRECORDS, NULL, ARVO_ROW_RECORD, COPY_RECORDS, err);
    if (st == ARVO_OK)
        st = dump_pages(dump, REDIS_COPYEVENTS, NULL, ARVO_ROW_EVENT, COPY_ROWS, err);
    if (st == ARVO_OK)
        st = dump_pages(dump, REDIS_COPYROWS, "outbox", ARVO_ROW_OUTBOX, COPY_ROWS, err);
    if (st == ARVO_OK)
        st = dump_pages(dump, REDIS_COPYROWS, "dead", ARVO_ROW_DEAD, COPY_ROWS, err);
    return st;
}

arvo_status
arvo__redis_dump(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    struct redis_store *store = self;
    struct dump dump = { .store = store, .each = each, .user = user };
    struct redis_call call;
    if (!store->platform->random(store->platform->self, dump.token, sizeof(dump.token)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed");
    if (dump_call(&dump, &call, REDIS_COPY) != ARVO_OK)
        return arvo__nomem(err);
    arvo_status st = dump_run(&dump, &call, err);
    if (st == ARVO_OK) {
        st = dump_all(&dump, call.reply, err);
        dump_end(&dump);
    }
    arvo__redis_call_fini(&call);
    return st;
}

/* ---- In ---------------------------------------------------------------- */

struct load {
    struct redis_store *store;
    uint8_t token[16];
    arvo__load_check check;
    struct redis_call page; /* rows that are not sent yet */
    int64_t pages;
    size_t rows;
    size_t count_at; /* in page.body: three digits, how many */
};

static arvo_status
load_answer(const struct load *load, const struct redis_call *call, arvo_error *err)
{
    const char *label = load->store->label;
    if (arvo__redis_is(call, "OK"))
        return ARVO_OK;
    if (arvo__redis_is(call, "NOTEMPTY"))
        return arvo__fail(
            err, ARVO_E_EXISTS, "%s: load: the store is not empty: name another one (name=)",
            label);
    if (arvo__redis_is(call, "REFUSED"))
        return arvo__fail(
            err, ARVO_E_INVALID, "%s: load: %.*s", label,
            ARVO_FMT(arvo__redis_str_at(call->reply, 1)));
    return arvo__fail(
        err, ARVO_E_STALE, "%s: load: somebody else has wiped or emptied the store meanwhile",
        label);
}

static arvo_status
load_page_begin(struct load *load, arvo_error *err)
{
    if (arvo__redis_call_init(load->store, &load->page, REDIS_LOAD) != ARVO_OK)
        return arvo__nomem(err);
    load->page.is_durable = true;
    load->rows = 0;
    arvo__redis_arg_token(&load->page, load->token);
    arvo__redis_arg_int(&load->page, ++load->pages);
    arvo__redis_arg(&load->page, ARVO_STR("000"));
    load->count_at = load->page.body.len - 5;
    return ARVO_OK;
}

static arvo_status
load_page_send(struct load *load, arvo_error *err)
{
    arvo_status st = arvo__buf_status(&load->page.body, LOAD, err);
    if (st == ARVO_OK && load->rows > 0) {
        for (size_t i = 0, rows = load->rows; i < 3; i++, rows /= 10)
            load->page.body.ptr[load->count_at + 2 - i] = (char)('0' + rows % 10);
        st = arvo__redis_run(load->store, &load->page, LOAD, err);
        if (st == ARVO_OK)
            st = load_answer(load, &load->page, err);
    }
    arvo__redis_call_fini(&load->page);
    const arvo_status begun = load_page_begin(load, st == ARVO_OK ? err : NULL);
    return st != ARVO_OK ? st : begun;
}

static void
load_arg_event(struct redis_call *call, const arvo_row *row)
{
    const arvo_stored_event *event = &row->row.event;
    arvo__redis_arg(call, ARVO_STR("event"));
    arvo__redis_arg(call, event->subject);
    arvo__redis_arg_int(call, event->seq);
    arvo__redis_arg_int(call, event->direction);
    arvo__redis_arg_int(call, row->cause);
    arvo__redis_arg_int(call, event->time_ms);
    arvo__redis_arg_inbox(call, event->source, event->id);
    arvo__redis_arg(call, event->id);
    arvo__redis_arg(call, event->source);
    arvo__redis_arg(call, event->type);
    arvo__redis_arg(call, event->domains);
    arvo__redis_arg(call, event->json);
}

static void
load_arg_record(struct redis_call *call, const arvo_record *record)
{
    size_t words = 8; /* two numbers and two times */
    for (size_t i = 1; i < ARVO__RECORD_STRINGS; i++)
        words += arvo__record_string_const(record, i)->ptr != NULL ? 2 : 0;
    arvo__redis_arg(call, ARVO_STR("record"));
    arvo__redis_arg(call, record->subject);
    arvo__redis_arg(call, record->status);
    arvo__redis_arg_int(call, (int64_t)words);
    (void)arvo__redis_arg_record(call, record, true);
}

static void
load_arg_outbox(struct redis_call *call, const arvo_row *row)
{
    arvo__redis_arg(call, row->kind == ARVO_ROW_DEAD ? ARVO_STR("dead") : ARVO_STR("outbox"));
    arvo__redis_arg_int(call, row->row.event.seq);
    arvo__redis_arg_int(call, row->row.attempts);
    arvo__redis_arg_int(call, row->row.due_ms);
    arvo__redis_arg(call, row->row.error);
}

static arvo_status
load_row(struct load *load, const arvo_row *row, arvo_error *err)
{
    struct redis_call *call = &load->page;
    switch (row->kind) {
    case ARVO_ROW_STORE:
        return ARVO_OK; /* at the end */
    case ARVO_ROW_DEFINITION:
        arvo__redis_arg(call, ARVO_STR("definition"));
        arvo__redis_arg(call, row->hash);
        arvo__redis_arg(call, row->document);
        break;
    case ARVO_ROW_RECORD:
        load_arg_record(call, &row->record);
        break;
    case ARVO_ROW_EVENT:
        load_arg_event(call, row);
        break;
    case ARVO_ROW_OUTBOX:
    case ARVO_ROW_DEAD:
        load_arg_outbox(call, row);
        break;
    }
    load->rows++;
    if (load->rows < LOAD_ROWS_MAX && call->body.len < LOAD_BYTES_MAX)
        return ARVO_OK;
    return load_page_send(load, err);
}

/* A script of a few numbers behind the token. */
static arvo_status
load_say(struct load *load, enum redis_script script, bool with_newest, arvo_error *err)
{
    struct redis_call call;
    if (arvo__redis_call_init(load->store, &call, script) != ARVO_OK)
        return arvo__nomem(err);
    call.is_durable = true;
    arvo__redis_arg_token(&call, load->token);
    if (with_newest) {
        arvo__redis_arg_int(&call, load->check.newest_seq);
        arvo__redis_arg_int(&call, (int64_t)load->check.newest_fence);
    }
    arvo_status st = arvo__redis_run(load->store, &call, LOAD, err);
    if (st == ARVO_OK)
        st = load_answer(load, &call, err);
    arvo__redis_call_fini(&call);
    return st;
}

static arvo_status
load_rows(struct load *load, arvo_row_next next, void *user, arvo_error *err)
{
    arvo_status st = load_page_begin(load, err);
    if (st != ARVO_OK)
        return st;
    const arvo_row *row = NULL;
    do {
        row = NULL;
        st = next(user, &row, err);
        if (st == ARVO_OK && row != NULL)
            st = arvo__load_check_row(&load->check, row, err);
        if (st == ARVO_OK && row != NULL)
            st = load_row(load, row, err);
    } while (st == ARVO_OK && row != NULL);
    if (st == ARVO_OK)
        st = arvo__load_check_end(&load->check, err);
    if (st == ARVO_OK)
        st = load_page_send(load, err);
    arvo__redis_call_fini(&load->page);
    return st;
}

/* What an interrupted load left, page by page. */
arvo_status
arvo__redis_wipe(struct redis_store *store, arvo_error *err)
{
    int64_t left = 1;
    arvo_status st = ARVO_OK;
    while (st == ARVO_OK && left > 0) {
        struct redis_call call;
        if (arvo__redis_call_init(store, &call, REDIS_WIPE) != ARVO_OK)
            return arvo__nomem(err);
        call.is_durable = true;
        st = arvo__redis_run(store, &call, LOAD, err);
        if (st == ARVO_OK)
            left = arvo__redis_int_at(call.reply, 1);
        arvo__redis_call_fini(&call);
    }
    return st;
}

arvo_status
arvo__redis_load(void *self, arvo_row_next next, void *user, arvo_error *err)
{
    struct redis_store *store = self;
    struct load load = { .store = store };
    if (!store->platform->random(store->platform->self, load.token, sizeof(load.token)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed");
    arvo_status st = load_say(&load, REDIS_LOADBEGIN, false, err);
    if (st != ARVO_OK)
        return st;
    st = load_rows(&load, next, user, err);
    if (st == ARVO_OK)
        st = load_say(&load, REDIS_LOADEND, true, err);
    if (st != ARVO_OK)
        (void)arvo__redis_wipe(store, NULL); /* else it opens with load=again only */
    return st;
}

#endif
