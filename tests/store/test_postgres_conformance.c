/* The PostgreSQL store does what every store has to do: asked directly, and through PgBouncer in
 * transaction mode. */

#include "postgres_fixture.h"

#ifdef ARVO_HAVE_POSTGRES

static void
clock_moved(int64_t now_ms)
{
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "UPDATE @.test_clock SET now_ms = %lld", (long long)now_ms);
    (void)sql_number(sql);
}

/* The time is always the server's; here the server asks the test. */
static void
clock_replace(store_clock *clock)
{
    char sql[512];
    (void)snprintf(
        sql, sizeof(sql),
        "CREATE TABLE @.test_clock AS SELECT %lld::bigint AS now_ms;"
        "CREATE OR REPLACE FUNCTION @.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS"
        " 'SELECT now_ms FROM @.test_clock'",
        (long long)clock->now_ms);
    (void)sql_number(sql);
    clock->moved = clock_moved;
}

static arvo_status
open_fresh(void *user, const arvo_platform *platform, arvo_memory **out, arvo_error *err)
{
    (void)user;
    (void)setup_schema(NULL);
    const arvo_status st = arvo_memory_open_with(store_url("&sync=server"), platform, out, err);
    if (st == ARVO_OK)
        clock_replace(platform->self);
    return st;
}

static void
discard_fresh(void *user)
{
    (void)user;
    schema_drop();
}

int
main(int argc, char **argv)
{
    const bool is_pooled = argc > 1 && strcmp(argv[1], "pgbouncer") == 0;
    if (is_pooled)
        url_variable = "ARVO_PGBOUNCER_URL";
    if (getenv(url_variable) == NULL) {
        printf("%s names no server (tests/servers/run.py starts one): skipped\n", url_variable);
        return 77;
    }
    return store_conformance_run(&(store_factory){ .name = is_pooled ? "pgbouncer" : "postgres",
                                                   .open = open_fresh,
                                                   .discard = discard_fresh,
                                                   .refuses_nul = true,
                                                   .many = 300 });
}

#else

int
main(void)
{
    printf("built without PostgreSQL: skipped\n");
    return 77;
}

#endif
