/* Reading from the Redis store: what the scripts answer, as records and events.
 * A page is read at a time, and its rows are shown while it is held.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_REDIS

#include <string.h>

#include "memory/redis.h"

#define READ_ROWS  32  /* of a page */
#define INBOX_ROWS 200 /* of the history, looked through for an outcome at once */

/* ---- Records ----------------------------------------------------------- */

static const struct record_member {
    const char *name;
    size_t offset;
    bool is_number;
} record_members[] = {
    { "parent", offsetof(arvo_record, parent_subject), false },
    { "orchestrator", offsetof(arvo_record, orchestrator), false },
    { "version", offsetof(arvo_record, version), false },
    { "status", offsetof(arvo_record, status), false },
    { "value", offsetof(arvo_record, value), false },
    { "state", offsetof(arvo_record, state), false },
    { "lastError", offsetof(arvo_record, last_error), false },
    { "input", offsetof(arvo_record, input), false },
    { "definition", offsetof(arvo_record, definition), false },
    { "revision", offsetof(arvo_record, revision), true },
    { "fence", offsetof(arvo_record, fence), true },
    { "created", offsetof(arvo_record, created_ms), true },
    { "updated", offsetof(arvo_record, updated_ms), true },
};

static void
record_member_set(arvo_record *record, arvo_str name, const redisReply *reply, size_t i)
{
    for (size_t k = 0; k < ARVO_COUNT_OF(record_members); k++) {
        const struct record_member *member = &record_members[k];
        if (!arvo_str_is(name, member->name))
            continue;
        void *to = (char *)record + member->offset;
        if (member->is_number)
            *(int64_t *)to = arvo__redis_int_at(reply, i);
        else
            *(arvo_str *)to = arvo__redis_str_at(reply, i);
        return;
    }
}

arvo_status
arvo__redis_record(
    const struct redis_store *store, const redisReply *reply, arvo_str subject, const char *what,
    bool *out_found, arvo_record *out, arvo_error *err)
{
    if (reply == NULL || reply->elements == 0) {
        *out_found = false;
        return ARVO_OK;
    }
    arvo_record record = { .subject = subject };
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        record_member_set(&record, arvo__redis_str_at(reply, i), reply, i + 1);
    if (record.orchestrator.ptr == NULL || record.version.ptr == NULL ||
        record.status.ptr == NULL || record.revision == 0 || subject.ptr == NULL)
        return arvo__redis_odd(store, what, err);
    *out = record;
    *out_found = true;
    return ARVO_OK;
}

bool
arvo__redis_record_copy(arvo_record *record, arvo_arena *arena)
{
    char *at = arvo__arena_alloc(arena, arvo__record_text_bytes(record));
    if (at == NULL)
        return false;
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++) {
        arvo_str *text = arvo__record_string(record, i);
        if (text->ptr == NULL)
            continue;
        memcpy(at, text->ptr, text->len);
        text->ptr = at;
        at += text->len;
    }
    return true;
}

arvo_status
arvo__redis_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "read", err);
    if (st != ARVO_OK)
        return st;
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_READ) != ARVO_OK)
        return arvo__nomem(err);
    arvo_record record = { 0 };
    bool is_found = false;
    arvo__redis_arg(&call, subject);
    st = arvo__redis_run(store, &call, "read", err);
    if (st == ARVO_OK)
        st = arvo__redis_record(
            store, arvo__redis_at(call.reply, 1, REDIS_REPLY_ARRAY), subject, "read", &is_found,
            &record, err);
    if (st == ARVO_OK && is_found && !arvo__redis_record_copy(&record, arena))
        st = arvo__nomem(err);
    arvo__redis_call_fini(&call);
    if (st == ARVO_OK) {
        *out_found = is_found;
        if (is_found)
            *out = record;
    }
    return st;
}

/* ---- Events ------------------------------------------------------------ */

/* Where the values stand among the fields of an event: d, s, c, t, id, source, type, domains,
 * event. */
enum event_field {
    EVENT_DIRECTION = 1,
    EVENT_CAUSE = 5,
    EVENT_TIME = 7,
    EVENT_ID = 9,
    EVENT_SOURCE = 11,
    EVENT_TYPE = 13,
    EVENT_DOMAINS = 15,
    EVENT_JSON = 17
};

arvo_status
arvo__redis_event(
    const struct redis_store *store, const redisReply *reply, arvo_str subject, const char *what,
    arvo_outbox_row *out, int64_t *out_cause, arvo_error *err)
{
    const redisReply *fields = arvo__redis_at(reply, 1, REDIS_REPLY_ARRAY);
    const arvo_stored_event event = {
        .seq = arvo__redis_int_at(reply, 0),
        .direction = arvo__redis_int_at(fields, EVENT_DIRECTION) == ARVO_CONSUMED ? ARVO_CONSUMED
                                                                                  : ARVO_PRODUCED,
        .subject = subject.ptr != NULL ? subject : arvo__redis_str_at(reply, 2),
        .id = arvo__redis_str_at(fields, EVENT_ID),
        .source = arvo__redis_str_at(fields, EVENT_SOURCE),
        .type = arvo__redis_str_at(fields, EVENT_TYPE),
        .domains = arvo__redis_str_at(fields, EVENT_DOMAINS),
        .json = arvo__redis_str_at(fields, EVENT_JSON),
        .time_ms = arvo__redis_int_at(fields, EVENT_TIME)
    };
    if (event.seq <= 0 || event.subject.ptr == NULL || event.id.ptr == NULL ||
        event.source.ptr == NULL || event.type.ptr == NULL || event.domains.ptr == NULL ||
        event.json.ptr == NULL)
        return arvo__redis_odd(store, what, err);
    *out = (arvo_outbox_row){ .event = event,
                              .attempts = (uint32_t)arvo__redis_int_at(reply, 3),
                              .due_ms = arvo__redis_int_at(reply, 4),
                              .error = arvo__redis_str_at(reply, 5) };
    if (out_cause != NULL)
        *out_cause = arvo__redis_int_at(fields, EVENT_CAUSE);
    return ARVO_OK;
}

/* Show the events of an array. *out_last: the seq of the last; *out_on false: `each` wants no
 * more. */
static arvo_status
events_show(
    struct redis_store *store, const redisReply *rows, arvo_str subject, const char *what,
    arvo_stored_event_fn each, void *user, int64_t *out_last, bool *out_on, arvo_error *err)
{
    for (size_t i = 0; rows != NULL && *out_on && i < rows->elements; i++) {
        arvo_outbox_row row;
        const arvo_status st =
            arvo__redis_event(store, rows->element[i], subject, what, &row, NULL, err);
        if (st != ARVO_OK)
            return st;
        *out_last = row.event.seq;
        *out_on = each(user, &row.event);
    }
    return ARVO_OK;
}

/* ---- Inbox ------------------------------------------------------------- */

/* Look through one page of the history, from *offset on (0: from the event itself), for what the
 * event caused. *offset: where to go on; 0: nowhere. */
static arvo_status
inbox_page(
    struct redis_store *store, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, int64_t *offset, arvo_error *err)
{
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_INBOX) != ARVO_OK)
        return arvo__nomem(err);
    arvo__redis_arg(&call, subject);
    arvo__redis_arg_inbox(&call, source, id);
    arvo__redis_arg_int(&call, *offset);
    arvo__redis_arg_int(&call, each != NULL ? INBOX_ROWS : 0);
    arvo_status st = arvo__redis_run(store, &call, "inbox", err);
    if (st == ARVO_OK) {
        const redisReply *rows = arvo__redis_at(call.reply, 2, REDIS_REPLY_ARRAY);
        bool goes_on = true;
        int64_t last = 0;
        *out_found = *out_found || arvo__redis_int_at(call.reply, 1) != 0;
        st = events_show(store, rows, subject, "inbox", each, user, &last, &goes_on, err);
        *offset = goes_on ? arvo__redis_int_at(call.reply, 3) : 0;
    }
    arvo__redis_call_fini(&call);
    return st;
}

arvo_status
arvo__redis_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "inbox", err);
    if (st != ARVO_OK)
        return st;
    int64_t offset = 0;
    bool is_found = false;
    do {
        st = inbox_page(store, subject, source, id, &is_found, each, user, &offset, err);
    } while (st == ARVO_OK && offset != 0);
    if (st == ARVO_OK)
        *out_found = is_found;
    return st;
}

/* ---- History ----------------------------------------------------------- */

arvo_status
arvo__redis_history(
    void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct redis_store *store = self;
    arvo_status st = arvo__memory_subject_check(subject, "history", err);
    int64_t offset = 0, last = 0;
    bool goes_on = true;
    while (st == ARVO_OK && goes_on) {
        struct redis_call call;
        if (arvo__redis_call_init(store, &call, REDIS_HISTORY) != ARVO_OK)
            return arvo__nomem(err);
        arvo__redis_arg(&call, subject);
        arvo__redis_arg_int(&call, offset);
        arvo__redis_arg_int(&call, READ_ROWS);
        st = arvo__redis_run(store, &call, "history", err);
        const redisReply *rows =
            st == ARVO_OK ? arvo__redis_at(call.reply, 1, REDIS_REPLY_ARRAY) : NULL;
        if (st == ARVO_OK)
            st = events_show(store, rows, subject, "history", each, user, &last, &goes_on, err);
        goes_on = goes_on && rows != NULL && rows->elements > 0;
        offset += READ_ROWS;
        arvo__redis_call_fini(&call);
    }
    return st;
}

/* ---- Listing records --------------------------------------------------- */

struct list_at {
    int64_t after; /* id */
    size_t left;
    bool is_end;
};

static arvo_status
list_show(
    struct redis_store *store, const redisReply *rows, arvo_record_fn each, void *user,
    struct list_at *at, arvo_error *err)
{
    for (size_t i = 0; rows != NULL && !at->is_end && i < rows->elements; i++) {
        arvo_record record;
        bool is_found = false;
        const arvo_status st = arvo__redis_record(
            store, arvo__redis_at(rows->element[i], 1, REDIS_REPLY_ARRAY),
            arvo__redis_str_at(rows->element[i], 2), "list", &is_found, &record, err);
        if (st != ARVO_OK)
            return st;
        if (is_found)
            at->is_end = !each(user, &record) || --at->left == 0;
    }
    return ARVO_OK;
}

static arvo_status
list_page(
    struct redis_store *store, const arvo_record_query *query, arvo_record_fn each, void *user,
    struct list_at *at, arvo_error *err)
{
    struct redis_call call;
    if (arvo__redis_call_init(store, &call, REDIS_LIST) != ARVO_OK)
        return arvo__nomem(err);
    arvo__redis_arg_int(&call, query->status.ptr != NULL);
    arvo__redis_arg(&call, query->status);
    arvo__redis_arg_int(&call, query->orchestrator.ptr != NULL);
    arvo__redis_arg(&call, query->orchestrator);
    arvo__redis_arg_int(&call, at->after);
    arvo__redis_arg_int(&call, at->left < READ_ROWS ? (int64_t)at->left : READ_ROWS);
    arvo_status st = arvo__redis_run(store, &call, "list", err);
    if (st == ARVO_OK) {
        at->after = arvo__redis_int_at(call.reply, 1);
        st =
            list_show(store, arvo__redis_at(call.reply, 2, REDIS_REPLY_ARRAY), each, user, at, err);
        at->is_end = at->is_end || at->after == 0;
    }
    arvo__redis_call_fini(&call);
    return st;
}

static arvo_status
list_start(struct redis_store *store, arvo_str after, int64_t *out, arvo_error *err)
{
    struct redis_call call;
    if (after.ptr == NULL)
        return ARVO_OK;
    if (arvo__redis_call_init(store, &call, REDIS_FIND) != ARVO_OK)
        return arvo__nomem(err);
    arvo__redis_arg(&call, after);
    arvo_status st = arvo__redis_run(store, &call, "list", err);
    if (st == ARVO_OK)
        *out = arvo__redis_int_at(call.reply, 1);
    if (st == ARVO_OK && *out == 0)
        st = arvo__fail(
            err, ARVO_E_NOT_FOUND, "%s: list: there is no record under the subject to go on behind",
            store->label);
    arvo__redis_call_fini(&call);
    return st;
}

arvo_status
arvo__redis_list(
    void *self, const arvo_record_query *query, arvo_record_fn each, void *user, arvo_error *err)
{
    struct redis_store *store = self;
    struct list_at at = { .left = query->limit != 0 ? query->limit : REDIS_ROWS_DEFAULT };
    arvo_status st = list_start(store, query->after, &at.after, err);
    while (st == ARVO_OK && !at.is_end)
        st = list_page(store, query, each, user, &at, err);
    return st;
}

#endif
