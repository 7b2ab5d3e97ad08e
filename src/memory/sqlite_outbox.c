/* Deliveries of the SQLite store: claims, failed attempts, dead letters.
 *
 * The oldest row of each subject has a head_ms: 0, it may be claimed; else, from
 * when on (its claim or its pause ends then). Rows behind it have none. An index
 * over these finds what may be claimed, however many rows wait behind others.
 * A head that is taken out hands its place to the next of its subject.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <string.h>

#include "memory/sqlite.h"

#define OUTBOX "outbox"
#define DEAD   "dead letter"
/* outbox_wait looks into the file at least this often: the store's clock may jump. */
#define CLAIM_LOOK_MS 100

/* ---- Waiting ----------------------------------------------------------- */

/* From when on something may be claimed; INT64_MAX: nothing is there. */
static arvo_status
claims_first(struct sqlite_store *store, int64_t *out_ms, arvo_error *err)
{
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st != ARVO_OK)
        return st;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_FIRST_WAKE);
    const int code = arvo__sqlite_step(stmt);
    *out_ms = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : INT64_MAX;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, OUTBOX, err);
    (void)sqlite3_reset(stmt);
    arvo__sqlite_reader_give(store, conn);
    return st;
}

static int64_t
store_now(const struct sqlite_store *store)
{
    return store->platform->time_ms(store->platform->self);
}

arvo_status
arvo__sqlite_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err)
{
    struct sqlite_store *store = self;
    const int64_t deadline = arvo__real_ms_after(timeout_ms);
    arvo_status st = arvo__sqlite_refuse_read_only(store, OUTBOX, err);
    while (st == ARVO_OK) {
        const uint32_t seen = arvo__sqlite_commits_seen(store);
        int64_t first_ms = 0;
        st = claims_first(store, &first_ms, err);
        const int64_t now = store_now(store), left = deadline - arvo__real_ms();
        if (st != ARVO_OK || first_ms <= now || left <= 0 || atomic_load(&store->is_interrupted))
            break;
        int64_t wait_ms = first_ms - now < CLAIM_LOOK_MS ? first_ms - now : CLAIM_LOOK_MS;
        wait_ms = left < wait_ms ? left : wait_ms;
        arvo__sqlite_commits_wait(store, seen, wait_ms);
    }
    return st;
}

/* ---- Rows -------------------------------------------------------------- */

static bool
bind_token(sqlite3_stmt *stmt, int index, const arvo_claim *claim)
{
    return stmt != NULL &&
           sqlite3_bind_blob(stmt, index, claim->token, sizeof(claim->token), SQLITE_STATIC) ==
               SQLITE_OK;
}

/* The first column of the first row; *out_found false: there is none. */
static arvo_status
first_number(
    struct sqlite_conn *conn, sqlite3_stmt *stmt, const char *what, bool *out_found, int64_t *out,
    arvo_error *err)
{
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    *out_found = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else if (code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, what, err);
    (void)sqlite3_reset(stmt);
    return st;
}

arvo_status
arvo__sqlite_outbox_remove(
    struct sqlite_conn *conn, int64_t seq, const char *what, bool *out_was_there, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_REMOVE);
    int64_t subject_id = 0;
    bool was_head = false;
    *out_was_there = false;
    if (!arvo__sqlite_bind_ints(stmt, 1, &seq, 1))
        return arvo__sqlite_fail(conn, what, err);
    int code = arvo__sqlite_step(stmt);
    if (code == SQLITE_ROW) {
        *out_was_there = true;
        subject_id = sqlite3_column_int64(stmt, 0);
        was_head = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
        code = arvo__sqlite_step(stmt);
    }
    const bool is_done = sqlite3_reset(stmt) == SQLITE_OK && code == SQLITE_DONE;
    if (is_done && !was_head)
        return ARVO_OK;
    stmt = arvo__sqlite_get(conn, SQL_OUTBOX_PROMOTE);
    if (!is_done || !arvo__sqlite_bind_ints(stmt, 1, &subject_id, 1) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, what, err);
    return ARVO_OK;
}

/* A small write to the outbox or the dead letters, and what it needs. */
struct outbox_write {
    int64_t seq;
    const arvo_claim *claim;
    int64_t delay_ms;
    arvo_str error;
};

static arvo_status
outbox_job(
    struct sqlite_store *store,
    arvo_status (*run)(struct sqlite_conn *conn, void *context, arvo_error *err),
    struct outbox_write *write, const char *what, bool is_light, arvo_error *err)
{
    const arvo_status st = arvo__sqlite_refuse_read_only(store, what, err);
    if (st != ARVO_OK)
        return st;
    struct sqlite_job job = { .run = run, .context = write, .what = what, .is_light = is_light };
    return arvo__sqlite_job(store, &job, err);
}

static arvo_status
done_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    const struct outbox_write *write = context;
    bool was_there = false;
    return arvo__sqlite_outbox_remove(conn, write->seq, OUTBOX, &was_there, err);
}

arvo_status
arvo__sqlite_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    struct outbox_write write = { .seq = seq };
    return outbox_job(self, done_run, &write, OUTBOX, false, err);
}

/* ---- Claiming ---------------------------------------------------------- */

/* A row that may be claimed, the next of its subject. */
struct claim_row {
    int64_t seq;
    int64_t subject_id;
    int64_t due_ms;
    int64_t wake_ms;
    uint32_t attempts;
    arvo_str error; /* arena */
};

struct claim_batch {
    const arvo_claim *claim;
    size_t limit;
    arvo_arena *arena;
    struct claim_row *heads; /* seq 0: nothing more of this subject */
    size_t head_count;
    struct claim_row *rows; /* claimed */
    size_t row_count;
};

static bool
claim_row_read(sqlite3_stmt *stmt, arvo_arena *arena, struct claim_row *out)
{
    const arvo_str error = arvo__sqlite_column_str(stmt, 5);
    *out = (struct claim_row){ .seq = sqlite3_column_int64(stmt, 0),
                               .subject_id = sqlite3_column_int64(stmt, 1),
                               .attempts = (uint32_t)sqlite3_column_int64(stmt, 2),
                               .due_ms = sqlite3_column_int64(stmt, 3),
                               .wake_ms = sqlite3_column_int64(stmt, 4) };
    if (error.ptr != NULL)
        out->error = arvo_arena_str_dup(arena, error);
    return error.ptr == NULL || out->error.ptr != NULL;
}

static arvo_status
claim_heads(struct sqlite_conn *conn, struct claim_batch *batch, int64_t now, arvo_error *err)
{
    const int64_t wake[] = { now, SQL_WAKE_MAX };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_WAKE);
    if (!arvo__sqlite_bind_ints(stmt, 1, wake, 2) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, OUTBOX, err);

    const int64_t limit = (int64_t)batch->limit;
    stmt = arvo__sqlite_get(conn, SQL_OUTBOX_HEADS);
    if (!arvo__sqlite_bind_ints(stmt, 1, &limit, 1))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    for (; st == ARVO_OK && code == SQLITE_ROW; code = arvo__sqlite_step(stmt)) {
        if (!claim_row_read(stmt, batch->arena, &batch->heads[batch->head_count++]))
            st = arvo__nomem(err);
    }
    if (st == ARVO_OK && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, OUTBOX, err);
    (void)sqlite3_reset(stmt);
    return st;
}

/* Behind `head` of the same subject comes what it becomes. */
static arvo_status
claim_behind(
    struct sqlite_conn *conn, struct claim_batch *batch, struct claim_row *head, int64_t now,
    arvo_error *err)
{
    const int64_t numbers[] = { head->subject_id, head->seq };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_BEHIND);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 2))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    const int code = arvo__sqlite_step(stmt);
    arvo_status st = ARVO_OK;
    head->seq = 0;
    if (code == SQLITE_ROW) {
        if (!claim_row_read(stmt, batch->arena, head))
            st = arvo__nomem(err);
        else if (head->wake_ms > now)
            head->seq = 0;
    } else if (code != SQLITE_DONE) {
        st = arvo__sqlite_fail(conn, OUTBOX, err);
    }
    (void)sqlite3_reset(stmt);
    return st;
}

static struct claim_row *
claim_oldest(const struct claim_batch *batch)
{
    struct claim_row *oldest = NULL;
    for (size_t i = 0; i < batch->head_count; i++) {
        struct claim_row *head = &batch->heads[i];
        if (head->seq != 0 && (oldest == NULL || head->seq < oldest->seq))
            oldest = head;
    }
    return oldest;
}

static arvo_status
claim_take(
    struct sqlite_conn *conn, struct claim_batch *batch, const struct claim_row *row,
    int64_t until_ms, arvo_error *err)
{
    const int64_t numbers[] = { row->seq, until_ms };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_CLAIM);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 2) || !bind_token(stmt, 3, batch->claim) ||
        !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    batch->rows[batch->row_count++] = *row;
    return ARVO_OK;
}

/* The clock was set back behind a head that had woken. */
static arvo_status
claim_sleep(struct sqlite_conn *conn, struct claim_row *head, arvo_error *err)
{
    const int64_t numbers[] = { head->seq, head->wake_ms };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_SLEEP);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 2) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    head->seq = 0;
    return ARVO_OK;
}

static arvo_status
claim_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    struct claim_batch *batch = context;
    const int64_t now = store_now(conn->store);
    const int64_t until_ms = now + arvo__memory_ttl(batch->claim->ttl_ms);
    batch->head_count = 0;
    batch->row_count = 0;
    arvo_status st = claim_heads(conn, batch, now, err);
    while (st == ARVO_OK && batch->row_count < batch->limit) {
        struct claim_row *head = claim_oldest(batch);
        if (head == NULL)
            break;
        if (head->wake_ms > now) {
            st = claim_sleep(conn, head, err);
            continue;
        }
        st = claim_take(conn, batch, head, until_ms, err);
        if (st == ARVO_OK)
            st = claim_behind(conn, batch, head, now, err);
    }
    return st;
}

/* Show a row with its event, unless that is gone meanwhile. */
static arvo_status
claim_show(
    struct sqlite_store *store, const struct claim_row *claimed, arvo_arena *arena, bool *go_on,
    arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st != ARVO_OK)
        return st;
    arvo_outbox_row row = { .attempts = claimed->attempts,
                            .due_ms = claimed->due_ms,
                            .error = claimed->error };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_EVENT);
    int code = SQLITE_ERROR;
    if (arvo__sqlite_bind_ints(stmt, 1, &claimed->seq, 1))
        code = arvo__sqlite_step(stmt);
    if (code == SQLITE_ROW)
        st = arvo__sqlite_copy_event(conn, stmt, OUTBOX, ARVO_STR_NONE, arena, &row.event, err);
    else if (code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, OUTBOX, err);
    (void)sqlite3_reset(stmt);
    arvo__sqlite_reader_give(store, conn);
    if (st == ARVO_OK && code == SQLITE_ROW)
        *go_on = each(user, &row);
    return st;
}

static arvo_status
claim_all(
    struct sqlite_store *store, struct claim_batch *batch, arvo_outbox_fn each, void *user,
    arvo_error *err)
{
    struct sqlite_job job = {
        .run = claim_run, .context = batch, .what = OUTBOX, .is_light = true
    };
    batch->heads = arvo_arena_alloc(batch->arena, batch->limit * sizeof(batch->heads[0]));
    batch->rows = arvo_arena_alloc(batch->arena, batch->limit * sizeof(batch->rows[0]));
    arvo_arena *events = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    arvo_status st = ARVO_OK;
    if (batch->heads == NULL || batch->rows == NULL || events == NULL)
        st = arvo__nomem(err);
    if (st == ARVO_OK)
        st = arvo__sqlite_job(store, &job, err);
    bool go_on = true;
    for (size_t i = 0; st == ARVO_OK && go_on && i < batch->row_count; i++) {
        arvo_arena_reset(events);
        st = claim_show(store, &batch->rows[i], events, &go_on, each, user, err);
    }
    arvo_arena_free(events);
    return st;
}

arvo_status
arvo__sqlite_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    struct claim_batch batch = { .claim = claim, .limit = arvo__memory_claim_limit(claim->limit) };
    int64_t first_ms = 0;
    arvo_status st = arvo__sqlite_refuse_read_only(store, OUTBOX, err);
    if (st == ARVO_OK)
        st = claims_first(store, &first_ms, err);
    if (st != ARVO_OK || first_ms > store_now(store))
        return st; /* nothing there: no write */
    batch.arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    if (batch.arena == NULL)
        return arvo__nomem(err);
    st = claim_all(store, &batch, each, user, err);
    arvo_arena_free(batch.arena);
    return st;
}

/* ---- Attempts that failed ---------------------------------------------- */

/* The row is this deliverer's: its subject, and how often it failed. */
static arvo_status
outbox_owned(
    struct sqlite_conn *conn, const struct outbox_write *write, bool *out_is_owned,
    int64_t *out_subject_id, int64_t *out_attempts, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_OWNED);
    if (!arvo__sqlite_bind_ints(stmt, 1, &write->seq, 1) || !bind_token(stmt, 2, write->claim))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    const int code = arvo__sqlite_step(stmt);
    *out_is_owned = code == SQLITE_ROW;
    if (code == SQLITE_ROW) {
        *out_subject_id = sqlite3_column_int64(stmt, 0);
        *out_attempts = sqlite3_column_int64(stmt, 1);
        *out_attempts += *out_attempts < UINT32_MAX;
    }
    arvo_status st = ARVO_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, OUTBOX, err);
    (void)sqlite3_reset(stmt);
    return st;
}

/* This deliverer's claims on rows of the subject behind `seq` end. */
static bool
outbox_let_go(struct sqlite_conn *conn, const struct outbox_write *write, int64_t subject_id)
{
    const int64_t numbers[] = { subject_id, write->seq };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_LET_GO);
    return bind_token(stmt, 1, write->claim) && arvo__sqlite_bind_ints(stmt, 2, numbers, 2) &&
           arvo__sqlite_run(stmt);
}

static arvo_status
retry_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    const struct outbox_write *write = context;
    bool is_owned = false;
    int64_t subject_id = 0, attempts = 0;
    const arvo_status st = outbox_owned(conn, write, &is_owned, &subject_id, &attempts, err);
    if (st != ARVO_OK || !is_owned)
        return st;
    const int64_t due_ms =
        write->delay_ms > 0 ? store_now(conn->store) + arvo__memory_ttl(write->delay_ms) : 0;
    const int64_t numbers[] = { write->seq, attempts, due_ms };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_RETRY);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 3) ||
        !arvo__sqlite_bind_str(stmt, 4, write->error) || !arvo__sqlite_run(stmt) ||
        !outbox_let_go(conn, write, subject_id))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err)
{
    char line[ARVO_DELIVERY_ERROR_MAX];
    struct outbox_write write = { .seq = seq,
                                  .claim = claim,
                                  .delay_ms = delay_ms,
                                  .error = arvo__memory_delivery_error(error, line) };
    return outbox_job(self, retry_run, &write, OUTBOX, true, err);
}

static arvo_status
dead_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    const struct outbox_write *write = context;
    bool is_owned = false;
    int64_t subject_id = 0, attempts = 0;
    arvo_status st = outbox_owned(conn, write, &is_owned, &subject_id, &attempts, err);
    if (st != ARVO_OK || !is_owned)
        return st;
    if (!outbox_let_go(conn, write, subject_id))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    st = arvo__sqlite_outbox_remove(conn, write->seq, OUTBOX, &is_owned, err);
    if (st != ARVO_OK)
        return st;
    const int64_t numbers[] = { write->seq, subject_id, attempts, store_now(conn->store) };
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_DEAD_ADD);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 4) ||
        !arvo__sqlite_bind_str(stmt, 5, write->error) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err)
{
    char line[ARVO_DELIVERY_ERROR_MAX];
    struct outbox_write write = { .seq = seq,
                                  .claim = claim,
                                  .error = arvo__memory_delivery_error(error, line) };
    return outbox_job(self, dead_run, &write, OUTBOX, false, err);
}

static arvo_status
release_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    const struct outbox_write *write = context;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_RELEASE);
    if (!bind_token(stmt, 1, write->claim) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, OUTBOX, err);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_outbox_release(void *self, const arvo_claim *claim, arvo_error *err)
{
    struct outbox_write write = { .claim = claim };
    return outbox_job(self, release_run, &write, OUTBOX, true, err);
}

/* ---- Dead letters -------------------------------------------------------- */

/* One turn of a listing: copied, and shown without the connection. */
#define DEAD_ROWS 32u

static arvo_status
dead_rows_read(
    struct sqlite_store *store, int64_t after, size_t max, arvo_arena *arena, arvo_outbox_row *rows,
    size_t *out_count, arvo_error *err)
{
    const int64_t numbers[] = { after, (int64_t)max };
    struct sqlite_conn *conn = NULL;
    arvo_status st = arvo__sqlite_reader_take(store, &conn, err);
    if (st != ARVO_OK)
        return st;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_DEAD_LIST);
    int code = SQLITE_ERROR;
    size_t count = 0;
    if (arvo__sqlite_bind_ints(stmt, 1, numbers, 2))
        code = arvo__sqlite_step(stmt);
    for (; st == ARVO_OK && code == SQLITE_ROW; code = arvo__sqlite_step(stmt)) {
        arvo_outbox_row *row = &rows[count++];
        const arvo_str error = arvo__sqlite_column_str(stmt, 12);
        row->attempts = (uint32_t)sqlite3_column_int64(stmt, 10);
        row->due_ms = sqlite3_column_int64(stmt, 11);
        row->error = error.ptr != NULL ? arvo_arena_str_dup(arena, error) : ARVO_STR_NONE;
        st = arvo__sqlite_copy_event(conn, stmt, DEAD, ARVO_STR_NONE, arena, &row->event, err);
        if (st == ARVO_OK && arvo_arena_failed(arena))
            st = arvo__nomem(err);
    }
    if (st == ARVO_OK && code != SQLITE_DONE)
        st = arvo__sqlite_fail(conn, DEAD, err);
    (void)sqlite3_reset(stmt);
    arvo__sqlite_reader_give(store, conn);
    *out_count = count;
    return st;
}

arvo_status
arvo__sqlite_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct sqlite_store *store = self;
    arvo_outbox_row rows[DEAD_ROWS];
    size_t count = DEAD_ROWS;
    arvo_status st = ARVO_OK;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    if (arena == NULL)
        return arvo__nomem(err);
    if (limit == 0)
        limit = SQL_ROWS_DEFAULT;
    while (st == ARVO_OK && limit > 0 && count == DEAD_ROWS) {
        arvo_arena_reset(arena);
        st = dead_rows_read(
            store, after, limit < DEAD_ROWS ? limit : DEAD_ROWS, arena, rows, &count, err);
        for (size_t i = 0; st == ARVO_OK && i < count && limit > 0; i++) {
            after = rows[i].event.seq;
            limit = each(user, &rows[i]) ? limit - 1 : 0;
        }
    }
    arvo_arena_free(arena);
    return st;
}

/* Out of the dead letters: whose it was. */
static arvo_status
dead_remove(struct sqlite_conn *conn, int64_t seq, int64_t *out_subject_id, arvo_error *err)
{
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_DEAD_REMOVE);
    if (!arvo__sqlite_bind_ints(stmt, 1, &seq, 1))
        return arvo__sqlite_fail(conn, DEAD, err);
    int code = arvo__sqlite_step(stmt);
    const bool is_found = code == SQLITE_ROW;
    if (is_found) {
        *out_subject_id = sqlite3_column_int64(stmt, 0);
        code = arvo__sqlite_step(stmt);
    }
    if (sqlite3_reset(stmt) != SQLITE_OK || code != SQLITE_DONE)
        return arvo__sqlite_fail(conn, DEAD, err);
    if (!is_found)
        return arvo__fail(
            err, ARVO_E_NOT_FOUND, "%s: there is no dead letter %lld", conn->store->path,
            (long long)seq);
    return ARVO_OK;
}

static arvo_status
dead_drop_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    const struct outbox_write *write = context;
    int64_t subject_id = 0;
    return dead_remove(conn, write->seq, &subject_id, err);
}

arvo_status
arvo__sqlite_dead_drop(void *self, int64_t seq, arvo_error *err)
{
    struct outbox_write write = { .seq = seq };
    return outbox_job(self, dead_drop_run, &write, DEAD, false, err);
}

/* It may be older than the oldest that waits, and leads its subject then. */
static arvo_status
dead_retry_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    const struct outbox_write *write = context;
    int64_t subject_id = 0, head = 0;
    bool has_head = false;
    arvo_status st = dead_remove(conn, write->seq, &subject_id, err);
    if (st != ARVO_OK)
        return st;
    sqlite3_stmt *stmt = arvo__sqlite_get(conn, SQL_OUTBOX_HEAD_OF);
    if (!arvo__sqlite_bind_ints(stmt, 1, &subject_id, 1))
        return arvo__sqlite_fail(conn, DEAD, err);
    st = first_number(conn, stmt, DEAD, &has_head, &head, err);
    if (st != ARVO_OK)
        return st;

    const bool leads = !has_head || write->seq < head;
    const int64_t numbers[] = { write->seq, subject_id, 0 };
    stmt = arvo__sqlite_get(conn, SQL_OUTBOX_UNHEAD);
    if (has_head && leads &&
        (!arvo__sqlite_bind_ints(stmt, 1, &head, 1) || !arvo__sqlite_run(stmt)))
        return arvo__sqlite_fail(conn, DEAD, err);
    stmt = arvo__sqlite_get(conn, SQL_OUTBOX_BACK);
    if (!arvo__sqlite_bind_ints(stmt, 1, numbers, 3) ||
        (!leads && sqlite3_bind_null(stmt, 3) != SQLITE_OK) || !arvo__sqlite_run(stmt))
        return arvo__sqlite_fail(conn, DEAD, err);
    return ARVO_OK;
}

arvo_status
arvo__sqlite_dead_retry(void *self, int64_t seq, arvo_error *err)
{
    struct outbox_write write = { .seq = seq };
    return outbox_job(self, dead_retry_run, &write, DEAD, false, err);
}

#endif
