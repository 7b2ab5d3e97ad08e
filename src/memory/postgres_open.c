/* Opening a PostgreSQL schema as an Arvo store: whether it is one, of which version, and what the
 * server does with what it is given. */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <stdio.h>
#include <string.h>

#include "memory/postgres.h"

#define pq   arvo__pq
#define OPEN "open"

#define SQL_BYTES_MAX ((size_t)1024 * 1024)

/* On one connection, with the schema put in. */
static arvo_status
run_on(
    struct postgres_store *store, struct postgres_connection *connection, const char *sql,
    const struct postgres_params *params, PGresult **out, arvo_error *err)
{
    arvo_buf text = ARVO_BUF_INIT(SQL_BYTES_MAX);
    text.allocator = store->allocator;
    arvo__pg_expand(store, sql, &text);
    PGresult *result = NULL;
    arvo_status st = arvo__buf_status(&text, "the schema", err);
    if (st == ARVO_OK)
        st = arvo__pg_query(store, connection, OPEN, text.ptr, params, &result, err);
    arvo_buf_fini(&text);
    if (st != ARVO_OK)
        return st;
    if (out != NULL)
        *out = result;
    else
        pq.PQclear(result);
    return ARVO_OK;
}

/* ---- What the server promises ------------------------------------------------ */

static arvo_status
check_server(struct postgres_store *store, struct postgres_connection *connection, arvo_error *err)
{
    PGresult *result = NULL;
    arvo_status st = run_on(
        store, connection,
        "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),"
        " current_setting('fsync'), current_setting('full_page_writes')",
        NULL, &result, err);
    if (st != ARVO_OK)
        return st;
    const int64_t version = arvo__pg_get_int(result, 0, 0);
    const char *off = NULL;
    if (arvo_str_is(arvo__pg_get_str(result, 0, 2), "off"))
        off = "fsync";
    else if (arvo_str_is(arvo__pg_get_str(result, 0, 3), "off"))
        off = "full_page_writes";
    const bool is_utf8 = arvo_str_is(arvo__pg_get_str(result, 0, 1), "UTF8");
    pq.PQclear(result);
    if (version < PG_SERVER_MIN)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "%s: the server is PostgreSQL %lld; version %d or newer is needed", store->where,
            (long long)version / 10000, PG_SERVER_MIN / 10000);
    if (!is_utf8)
        return arvo__pg_fail(
            store, ARVO_E_UNSUPPORTED, OPEN,
            "the database's encoding is not UTF8; create one with ENCODING 'UTF8'", err);
    if (off != NULL && store->sync == PG_SYNC_FULL)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "%s: the server runs with %s=off and may lose or damage what it acknowledged when the "
            "power goes; switch it on, or accept that with sync=server",
            store->where, off);
    return ARVO_OK;
}

/* ---- The schema ------------------------------------------------------------------ */

/* Which version is there; -1: nothing. */
static arvo_status
schema_version(
    struct postgres_store *store, struct postgres_connection *connection, int *out, arvo_error *err)
{
    PGresult *result = NULL;
    arvo_status st = run_on(
        store, connection,
        "SELECT to_regclass('~.store') IS NOT NULL,"
        " (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = '@')",
        NULL, &result, err);
    if (st != ARVO_OK)
        return st;
    const bool has_store = arvo__pg_get_bool(result, 0, 0);
    const bool is_empty = arvo__pg_get_int(result, 0, 1) == 0;
    pq.PQclear(result);
    *out = -1;
    if (!has_store && is_empty)
        return ARVO_OK;
    if (!has_store)
        return arvo__fail(
            err, ARVO_E_CORRUPT,
            "%s: the schema holds tables of another program; choose another with schema=NAME",
            store->where);
    st = run_on(store, connection, "SELECT application, version FROM ~.store", NULL, &result, err);
    if (st != ARVO_OK)
        return st;
    const bool is_ours =
        pq.PQntuples(result) == 1 && arvo_str_is(arvo__pg_get_str(result, 0, 0), PG_APPLICATION);
    if (is_ours)
        *out = (int)arvo__pg_get_int(result, 0, 1);
    pq.PQclear(result);
    if (!is_ours)
        return arvo__fail(
            err, ARVO_E_CORRUPT, "%s: the schema's table \"store\" does not say that it is Arvo's",
            store->where);
    return ARVO_OK;
}

static const struct postgres_migration *
migration_from(const struct postgres_migration *migrations, int version)
{
    while (migrations->to_version != 0 && migrations->from_version != version)
        migrations++;
    return migrations->to_version != 0 ? migrations : NULL;
}

/* Several statements at once, in pieces. */
static arvo_status
run_script(
    struct postgres_store *store, struct postgres_connection *connection, const char *const *pieces,
    arvo_error *err)
{
    arvo_buf sql = ARVO_BUF_INIT(SQL_BYTES_MAX), text = sql;
    sql.allocator = text.allocator = store->allocator;
    for (size_t i = 0; pieces[i] != NULL; i++)
        arvo_buf_append_str(&sql, arvo_str_from(pieces[i]));
    arvo_buf_append_char(&sql, '\0');
    arvo_status st = arvo__buf_status(&sql, "the schema", err);
    if (st == ARVO_OK) {
        arvo__pg_expand(store, sql.ptr, &text);
        st = arvo__buf_status(&text, "the schema", err);
    }
    PGresult *result = NULL;
    if (st == ARVO_OK)
        st = arvo__pg_script(store, connection, OPEN, text.ptr, &result, err);
    if (st == ARVO_OK)
        pq.PQclear(result);
    arvo_buf_fini(&sql);
    arvo_buf_fini(&text);
    return st;
}

static arvo_status
run_one(
    struct postgres_store *store, struct postgres_connection *connection, const char *sql,
    arvo_error *err)
{
    return run_script(store, connection, (const char *const[]){ sql, NULL }, err);
}

static arvo_status
migrate_steps(
    struct postgres_store *store, struct postgres_connection *connection,
    const struct postgres_migration *migrations, int version, int target, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    const bool is_new = version < 0;
    if (is_new)
        st = run_one(store, connection, "CREATE SCHEMA IF NOT EXISTS \"@\";", err);
    version = is_new ? 0 : version;
    while (st == ARVO_OK && version < target) {
        const struct postgres_migration *step = migration_from(migrations, version);
        if (step == NULL)
            return arvo__fail(
                err, ARVO_E_VERSION, "%s: there is no way from schema version %d to a newer one",
                store->where, version);
        st = run_script(store, connection, step->parts, err);
        version = step->to_version;
    }
    char sql[256];
    if (is_new)
        (void)snprintf(
            sql, sizeof(sql), "INSERT INTO ~.store VALUES ('%s', %d, %lld);", PG_APPLICATION,
            target, (long long)store->partition_rows);
    else
        (void)snprintf(sql, sizeof(sql), "UPDATE ~.store SET version = %d;", target);
    if (st == ARVO_OK)
        st = run_one(store, connection, sql, err);
    return st;
}

/* One process at a time; the others find it done. */
static arvo_status
migrate(
    struct postgres_store *store, struct postgres_connection *connection,
    const struct postgres_migration *migrations, int target, arvo_error *err)
{
    int version = -1;
    arvo_status st =
        run_one(store, connection, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('@'), 1);", err);
    if (st != ARVO_OK)
        return st;
    st = schema_version(store, connection, &version, err);
    if (st == ARVO_OK && version < target)
        st = migrate_steps(store, connection, migrations, version, target, err);
    if (st == ARVO_OK)
        return run_one(store, connection, "COMMIT;", err);
    if (connection->conn != NULL)
        (void)run_one(store, connection, "ROLLBACK;", NULL);
    return st;
}

static arvo_status
open_on(
    struct postgres_store *store, struct postgres_connection *connection,
    const struct postgres_migration *migrations, int target, arvo_error *err)
{
    int version = -1;
    arvo_status st = check_server(store, connection, err);
    if (st == ARVO_OK)
        st = schema_version(store, connection, &version, err);
    if (st != ARVO_OK)
        return st;
    if (version > target)
        return arvo__fail(
            err, ARVO_E_VERSION,
            "%s: the store has schema version %d, this Arvo knows up to %d: use a newer Arvo",
            store->where, version, target);
    if (version >= 0 && version < target && !store->is_migrating)
        return arvo__fail(
            err, ARVO_E_VERSION,
            "%s: the store has schema version %d, this Arvo needs %d: back it up, stop older "
            "programs, and run arvo store migrate (or open it with migrate=on)",
            store->where, version, target);
    if (version < target)
        st = migrate(store, connection, migrations, target, err);
    if (st == ARVO_OK && version >= 0 && version < target)
        arvo__memory_log(
            store->platform, ARVO_LOG_INFO, "%s: schema version %d became %d", store->where,
            version, target);
    return st;
}

arvo_status
arvo__pg_open_schema(
    struct postgres_store *store, const struct postgres_migration *migrations, int target,
    arvo_error *err)
{
    struct postgres_connection *connection = NULL;
    arvo_status st = arvo__pg_take(store, OPEN, &connection, err);
    if (st != ARVO_OK)
        return st;
    st = open_on(store, connection, migrations, target, err);
    arvo__pg_give(store, connection);
    if (st == ARVO_OK)
        arvo__pg_partitions(store, INT64_MAX);
    return st;
}

void
arvo__pg_partitions(struct postgres_store *store, int64_t newest_seq)
{
    int64_t at = __atomic_load_n(&store->partition_at, __ATOMIC_RELAXED);
    /* One thread does it. Failing does no harm: events go to the rest, and the next one tries again
     * a little later. */
    if (newest_seq < at ||
        !__atomic_compare_exchange_n(
            &store->partition_at, &at, INT64_MAX, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    PGresult *result = NULL;
    int64_t next = newest_seq < INT64_MAX ? newest_seq + 1000 : 0;
    struct postgres_params params;
    arvo__pg_params_init(&params, store->allocator);
    arvo__pg_int_none(&params);
    if (arvo__pg_call(store, "partition", "partition_make", &params, &result, NULL) == ARVO_OK) {
        next = arvo__pg_get_int(result, 0, 0);
        pq.PQclear(result);
    }
    arvo__pg_params_fini(&params);
    __atomic_store_n(&store->partition_at, next, __ATOMIC_RELAXED);
}

#endif
