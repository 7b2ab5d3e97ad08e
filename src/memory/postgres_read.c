/* Reading from the PostgreSQL store. Rows come in pages, each a statement of its own, and are shown
 * without a connection held, so a callback may call the store. */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <string.h>

#include "memory/postgres.h"

#define pq arvo__pq

#define RECORD_COLUMNS                                                                             \
    "s.subject, i.parent_subject, i.orchestrator, i.version, i.status, i.value, i.state, "         \
    "i.last_error, i.input, i.definition, i.revision, i.fence, i.created_ms, i.updated_ms"
#define EVENT_COLUMNS                                                                              \
    "e.seq, e.direction, e.time_ms, e.id, e.source, e.type, e.domains, e.event, s.subject"

/* ---- Rows ------------------------------------------------------------------- */

arvo_status
arvo__pg_record(
    struct postgres_store *store, const PGresult *result, int row, int column, arvo_arena *arena,
    arvo_record *out, arvo_error *err)
{
    const int numbers = column + (int)ARVO__RECORD_STRINGS;
    arvo_record record = { .revision = (uint64_t)arvo__pg_get_int(result, row, numbers),
                           .fence = (uint64_t)arvo__pg_get_int(result, row, numbers + 1),
                           .created_ms = arvo__pg_get_int(result, row, numbers + 2),
                           .updated_ms = arvo__pg_get_int(result, row, numbers + 3) };
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++) {
        arvo_str *text = arvo__record_string(&record, i);
        *text = arvo__pg_get_str(result, row, column + (int)i);
        if (arena == NULL || text->ptr == NULL)
            continue;
        *text = arvo_arena_str_dup(arena, *text);
        if (text->ptr == NULL)
            return arvo__nomem(err);
    }
    if (record.subject.ptr == NULL || record.orchestrator.ptr == NULL ||
        record.version.ptr == NULL || record.status.ptr == NULL || record.revision == 0)
        return arvo__pg_fail(
            store, ARVO_E_CORRUPT, "read", "a row lacks a value that every row has", err);
    *out = record;
    return ARVO_OK;
}

void
arvo__pg_event(const PGresult *result, int row, arvo_stored_event *out)
{
    *out = (arvo_stored_event){ .seq = arvo__pg_get_int(result, row, 0),
                                .direction = arvo__pg_get_int(result, row, 1) == ARVO_CONSUMED
                                                 ? ARVO_CONSUMED
                                                 : ARVO_PRODUCED,
                                .time_ms = arvo__pg_get_int(result, row, 2),
                                .id = arvo__pg_get_str(result, row, 3),
                                .source = arvo__pg_get_str(result, row, 4),
                                .type = arvo__pg_get_str(result, row, 5),
                                .domains = arvo__pg_get_str(result, row, 6),
                                .json = arvo__pg_get_str(result, row, 7),
                                .subject = arvo__pg_get_str(result, row, 8) };
}

arvo_status
arvo__pg_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    PGresult *result = NULL;
    arvo_status st = arvo__memory_subject_check(subject, "read", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(subject, "subject", err);
    if (st != ARVO_OK)
        return st;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_text(&params, subject);
    st = arvo__pg_select(
        store, "read",
        "SELECT " RECORD_COLUMNS " FROM ~.subject s JOIN ~.instance i ON i.id = s.id"
        " WHERE s.key = ~.key($1)",
        &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    const bool is_found = pq.PQntuples(result) > 0;
    if (is_found)
        st = arvo__pg_record(store, result, 0, 0, arena, out, err);
    if (st == ARVO_OK)
        *out_found = is_found;
    pq.PQclear(result);
    return st;
}

/* ---- Events ------------------------------------------------------------------- */

/* Pages of a statement with the parameters: seq to go on behind, rows of a page, and one more. */
static arvo_status
events_each(
    struct postgres_store *store, const char *what, const char *sql, arvo_str subject,
    int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    while (limit > 0) {
        const size_t page = limit < PG_PAGE_ROWS ? limit : PG_PAGE_ROWS;
        struct postgres_params params;
        PGresult *result = NULL;
        arvo__pg_params_init(&params, store->allocator);
        arvo__pg_int(&params, after);
        arvo__pg_int(&params, (int64_t)page);
        if (subject.ptr != NULL)
            arvo__pg_text(&params, subject);
        const arvo_status st = arvo__pg_select(store, what, sql, &params, &result, err);
        arvo__pg_params_fini(&params);
        if (st != ARVO_OK)
            return st;
        const int rows = pq.PQntuples(result);
        for (int row = 0; row < rows && limit > 0; row++) {
            arvo_stored_event event;
            arvo__pg_event(result, row, &event);
            after = event.seq;
            limit = each(user, &event) ? limit - 1 : 0;
        }
        pq.PQclear(result);
        if ((size_t)rows < page)
            break;
    }
    return ARVO_OK;
}

arvo_status
arvo__pg_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    return events_each(
        self, "outbox",
        "SELECT " EVENT_COLUMNS " FROM ~.outbox o JOIN ~.event e ON e.seq = o.seq"
        " JOIN ~.subject s ON s.id = o.subject_id WHERE o.seq > $1 ORDER BY o.seq LIMIT $2",
        ARVO_STR_NONE, after, limit != 0 ? limit : PG_ROWS_DEFAULT, each, user, err);
}

arvo_status
arvo__pg_history(
    void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    arvo_status st = arvo__memory_subject_check(subject, "history", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(subject, "subject", err);
    if (st != ARVO_OK)
        return st;
    return events_each(
        self, "history",
        "SELECT " EVENT_COLUMNS " FROM ~.subject s JOIN ~.event e ON e.subject_id = s.id"
        " WHERE s.key = ~.key($3) AND e.seq > $1 ORDER BY e.seq LIMIT $2",
        subject, 0, SIZE_MAX, each, user, err);
}

/* Show what the consumed event `seq` of the subject caused. */
static arvo_status
outcome_each(
    struct postgres_store *store, arvo_str subject, int64_t seq, arvo_stored_event_fn each,
    void *user, arvo_error *err)
{
    struct postgres_params params;
    PGresult *result = NULL;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_text(&params, subject);
    arvo__pg_int(&params, seq);
    const arvo_status st = arvo__pg_select(
        store, "inbox",
        "SELECT " EVENT_COLUMNS " FROM ~.subject s JOIN ~.event e ON e.subject_id = s.id"
        " WHERE s.key = ~.key($1) AND e.seq > $2 AND e.cause = $2 ORDER BY e.seq",
        &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    const int rows = pq.PQntuples(result);
    for (int row = 0; row < rows; row++) {
        arvo_stored_event event;
        arvo__pg_event(result, row, &event);
        if (!each(user, &event))
            break;
    }
    pq.PQclear(result);
    return ARVO_OK;
}

arvo_status
arvo__pg_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct postgres_store *store = self;
    struct postgres_params params;
    PGresult *result = NULL;
    arvo_status st = arvo__memory_subject_check(subject, "inbox", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(subject, "subject", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(source, "source of the event", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(id, "id of the event", err);
    if (st != ARVO_OK)
        return st;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_text(&params, subject);
    arvo__pg_text(&params, source.ptr != NULL ? source : ARVO_STR(""));
    arvo__pg_text(&params, id.ptr != NULL ? id : ARVO_STR(""));
    st = arvo__pg_select(
        store, "inbox",
        "SELECT b.seq FROM ~.subject s JOIN ~.inbox b ON b.subject_id = s.id"
        " WHERE s.key = ~.key($1) AND b.key = ~.inbox_key($2, $3)",
        &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    const bool is_found = pq.PQntuples(result) > 0;
    const int64_t seq = is_found ? arvo__pg_get_int(result, 0, 0) : 0;
    pq.PQclear(result);
    if (is_found && each != NULL)
        st = outcome_each(store, subject, seq, each, user, err);
    if (st == ARVO_OK)
        *out_found = is_found;
    return st;
}

/* ---- Records -------------------------------------------------------------------- */

/* Where to begin: the id of the subject `after`. */
static arvo_status
list_start(struct postgres_store *store, arvo_str after, int64_t *out, arvo_error *err)
{
    struct postgres_params params;
    PGresult *result = NULL;
    *out = 0;
    if (after.ptr == NULL)
        return ARVO_OK;
    arvo_status st = arvo__pg_text_check(after, "subject to go on behind", err);
    if (st != ARVO_OK)
        return st;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_text(&params, after);
    st = arvo__pg_select(
        store, "list", "SELECT id FROM ~.subject WHERE key = ~.key($1)", &params, &result, err);
    arvo__pg_params_fini(&params);
    if (st != ARVO_OK)
        return st;
    if (pq.PQntuples(result) > 0)
        *out = arvo__pg_get_int(result, 0, 0);
    pq.PQclear(result);
    if (*out == 0)
        return arvo__pg_fail(
            store, ARVO_E_NOT_FOUND, "list", "there is no record under the subject to go on behind",
            err);
    return ARVO_OK;
}

static arvo_status
list_page(
    struct postgres_store *store, const arvo_record_query *query, int64_t after, size_t page,
    PGresult **out, arvo_error *err)
{
    struct postgres_params params;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_int(&params, after);
    arvo__pg_int(&params, (int64_t)page);
    arvo__pg_text(&params, query->status);
    arvo__pg_text(&params, query->orchestrator);
    const arvo_status st = arvo__pg_select(
        store, "list",
        "SELECT " RECORD_COLUMNS ", i.id FROM ~.instance i JOIN ~.subject s ON s.id = i.id"
        " WHERE i.id > $1 AND ($3 IS NULL OR i.status = $3) AND ($4 IS NULL OR i.orchestrator = $4)"
        " ORDER BY i.id LIMIT $2",
        &params, out, err);
    arvo__pg_params_fini(&params);
    return st;
}

arvo_status
arvo__pg_list(
    void *self, const arvo_record_query *query, arvo_record_fn each, void *user, arvo_error *err)
{
    struct postgres_store *store = self;
    size_t left = query->limit != 0 ? query->limit : PG_ROWS_DEFAULT;
    int64_t after = 0;
    arvo_status st = arvo__pg_text_check(query->status, "status", err);
    if (st == ARVO_OK)
        st = arvo__pg_text_check(query->orchestrator, "orchestrator", err);
    if (st == ARVO_OK)
        st = list_start(store, query->after, &after, err);
    while (st == ARVO_OK && left > 0) {
        const size_t page = left < PG_PAGE_ROWS ? left : PG_PAGE_ROWS;
        PGresult *result = NULL;
        st = list_page(store, query, after, page, &result, err);
        if (st != ARVO_OK)
            return st;
        const int rows = pq.PQntuples(result);
        for (int row = 0; st == ARVO_OK && row < rows && left > 0; row++) {
            arvo_record record;
            st = arvo__pg_record(store, result, row, 0, NULL, &record, err);
            after = arvo__pg_get_int(result, row, (int)ARVO__RECORD_STRINGS + 4);
            if (st == ARVO_OK)
                left = each(user, &record) ? left - 1 : 0;
        }
        pq.PQclear(result);
        if ((size_t)rows < page)
            break;
    }
    return st;
}

#endif
