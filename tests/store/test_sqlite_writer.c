/* The writer of the SQLite store: who shares a transaction, what becomes of the others when one is
 * refused, and of all when the disk fails. */

#include "sqlite_fixture.h"

#include "log_fixture.h"

#ifdef ARVO_HAVE_SQLITE

#include <semaphore.h>
#include <stdatomic.h>

#define CROWD    8
#define PER_LOAD 30

/* ---- A disk that fails on demand ----------------------------------------- */

static atomic_bool sync_fails;
static atomic_int syncs;
static int (*system_open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);

/* SQLite has a table of methods for the file and another for its log. */
static struct table {
    const sqlite3_io_methods *system;
    sqlite3_io_methods failing;
} tables[4];

static int
failing_sync(sqlite3_file *file, int flags)
{
    atomic_fetch_add(&syncs, 1);
    if (atomic_load(&sync_fails))
        return SQLITE_IOERR_FSYNC;
    for (size_t i = 0; i < ARVO_COUNT_OF(tables); i++) {
        if (file->pMethods == &tables[i].failing)
            return tables[i].system->xSync(file, flags);
    }
    return SQLITE_MISUSE;
}

static int
failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const int code = system_open(vfs, name, file, flags, out_flags);
    if (code != SQLITE_OK || file->pMethods == NULL)
        return code;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < ARVO_COUNT_OF(tables); i++) {
        struct table *table = &tables[i];
        if (table->system == NULL) {
            table->system = file->pMethods;
            table->failing = *file->pMethods;
            table->failing.xSync = failing_sync;
        }
        if (table->system == file->pMethods) {
            file->pMethods = &table->failing;
            break;
        }
    }
    pthread_mutex_unlock(&mutex);
    return code;
}

static int
setup_disk(void **state)
{
    static sqlite3_vfs failing;
    (void)state;
    if (failing.zName == NULL) {
        failing = *sqlite3_vfs_find(NULL);
        system_open = failing.xOpen;
        failing.xOpen = failing_open;
        failing.zName = "failing";
        if (sqlite3_vfs_register(&failing, 1) != SQLITE_OK)
            return -1;
    }
    return setup_folder(state);
}

/* ---- Jobs ------------------------------------------------------------------ */

/* What one thread asks for while the writer is held up. */
struct member {
    struct sqlite_store *store;
    struct sqlite_job job;
    const char *sql; /* what it writes */
    arvo_status refuse;
    arvo_status got;
    arvo_error err;
    int runs;
    pthread_t thread;
};

static arvo_status
member_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    struct member *member = context;
    member->runs++;
    if (sqlite3_exec(conn->db, member->sql, NULL, NULL, NULL) != SQLITE_OK)
        return arvo__sqlite_fail(conn, "test", err);
    return member->refuse != ARVO_OK ? arvo__fail(err, member->refuse, "refused") : ARVO_OK;
}

static void *
member_thread(void *arg)
{
    struct member *member = arg;
    member->job = (struct sqlite_job){
        .run = member_run, .context = member, .what = "test", .is_commit = true
    };
    member->got = arvo__sqlite_job(member->store, &member->job, &member->err);
    return NULL;
}

struct hold {
    struct sqlite_store *store;
    sem_t inside, go_on;
    pthread_t thread;
};

static arvo_status
hold_run(struct sqlite_conn *conn, void *context, arvo_error *err)
{
    struct hold *hold = context;
    (void)conn, (void)err;
    sem_post(&hold->inside);
    sem_wait(&hold->go_on);
    return ARVO_OK;
}

static void *
hold_thread(void *arg)
{
    struct hold *hold = arg;
    struct sqlite_job job = { .run = hold_run, .context = hold, .what = "test", .is_light = true };
    return arvo__sqlite_job(hold->store, &job, NULL) == ARVO_OK ? NULL : arg;
}

static size_t
queued(struct sqlite_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    const size_t count = writer->count;
    pthread_mutex_unlock(&writer->mutex);
    return count;
}

/* Have them all done in one batch, in their order: while one job holds the writer, they queue.
 * Gives the transactions that it took. */
static uint64_t
run_together(struct sqlite_store *store, struct member *members, size_t count)
{
    struct hold hold = { .store = store };
    assert_int_equal(sem_init(&hold.inside, 0, 0), 0);
    assert_int_equal(sem_init(&hold.go_on, 0, 0), 0);
    assert_int_equal(pthread_create(&hold.thread, NULL, hold_thread, &hold), 0);
    sem_wait(&hold.inside);
    const uint64_t before = atomic_load(&store->writer.transactions);
    for (size_t i = 0; i < count; i++) {
        members[i].store = store;
        assert_int_equal(pthread_create(&members[i].thread, NULL, member_thread, &members[i]), 0);
        while (queued(&store->writer) != i + 1)
            sched_yield();
    }
    sem_post(&hold.go_on);
    void *failed = NULL;
    pthread_join(hold.thread, &failed);
    assert_null(failed);
    for (size_t i = 0; i < count; i++)
        pthread_join(members[i].thread, NULL);
    sem_destroy(&hold.inside);
    sem_destroy(&hold.go_on);
    return atomic_load(&store->writer.transactions) - before; /* the holder commits nothing */
}

static arvo_memory *
open_with_table(void)
{
    arvo_memory *memory = open_or_fail("");
    file_sql("CREATE TABLE t (x INTEGER PRIMARY KEY)");
    return memory;
}

/* ---- Sharing a transaction --------------------------------------------------- */

static void
test_sqlite_writer__jobs_of_one_moment_share_a_transaction(void **state)
{
    (void)state;
    arvo_memory *memory = open_with_table();
    struct member members[CROWD] = { 0 };
    for (size_t i = 0; i < CROWD; i++)
        members[i].sql = "INSERT INTO t DEFAULT VALUES";
    atomic_store(&syncs, 0);
    assert_int_equal(run_together(arvo_memory_self(memory), members, CROWD), 1);
    assert_int_equal(atomic_load(&syncs), 1);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(members[i].got, ARVO_OK);
    assert_int_equal(file_number("SELECT count(*) FROM t"), CROWD);
    arvo_memory_close(memory);
}

static void
test_sqlite_writer__refused_job_does_not_undo_the_others(void **state)
{
    (void)state;
    arvo_memory *memory = open_with_table();
    /* One that is refused before it writes, and one behind. */
    struct member clean[] = { { .sql = "INSERT INTO t VALUES (1)" },
                              { .sql = "SELECT 1", .refuse = ARVO_E_STALE },
                              { .sql = "INSERT INTO t VALUES (3)" } };
    assert_int_equal(run_together(arvo_memory_self(memory), clean, 3), 1);
    assert_int_equal(clean[0].got, ARVO_OK);
    assert_int_equal(clean[1].got, ARVO_E_STALE);
    assert_string_equal(clean[1].err.text, "refused");
    assert_int_equal(clean[2].got, ARVO_OK);
    assert_int_equal(clean[0].runs, 1);
    assert_int_equal(file_number("SELECT count(*) FROM t WHERE x IN (1, 3)"), 2);

    /* The same behind a write, and one whose statement fails. */
    struct member dirty[] = { { .sql = "INSERT INTO t VALUES (4)" },
                              { .sql = "INSERT INTO t VALUES (5)", .refuse = ARVO_E_EXISTS },
                              { .sql = "INSERT INTO t VALUES (6)" },
                              { .sql = "INSERT INTO t VALUES (7), (4)" },
                              { .sql = "INSERT INTO t VALUES (8)" } };
    assert_int_equal(run_together(arvo_memory_self(memory), dirty, 5), 1);
    assert_int_equal(dirty[0].got, ARVO_OK);
    assert_int_equal(dirty[1].got, ARVO_E_EXISTS);
    assert_int_equal(dirty[2].got, ARVO_OK);
    assert_int_equal(dirty[3].got, ARVO_E_IO);
    assert_int_equal(dirty[4].got, ARVO_OK);
    assert_int_equal(file_number("SELECT sum(x) FROM t"), 1 + 3 + 4 + 6 + 8);
    arvo_memory_close(memory);
}

/* ---- A transaction that fails ------------------------------------------------- */

static void
test_sqlite_writer__failed_sync_is_answered_to_everyone(void **state)
{
    (void)state;
    arvo_memory *memory = open_with_table();
    struct member members[] = { { .sql = "INSERT INTO t VALUES (1)" },
                                { .sql = "SELECT 1", .refuse = ARVO_E_STALE },
                                { .sql = "INSERT INTO t VALUES (2)" },
                                { .sql = "INSERT INTO t VALUES (3)" } };
    atomic_store(&sync_fails, true);
    (void)run_together(arvo_memory_self(memory), members, ARVO_COUNT_OF(members));
    atomic_store(&sync_fails, false);
    for (size_t i = 0; i < ARVO_COUNT_OF(members); i++) {
        if (i == 1) {
            assert_int_equal(members[i].got, ARVO_E_STALE); /* that stays its own answer */
            continue;
        }
        assert_int_equal(members[i].got, ARVO_E_IO);
        assert_non_null(strstr(members[i].err.text, "nothing was written"));
    }
    assert_int_equal(file_number("SELECT count(*) FROM t"), 0);
    assert_int_equal(run_together(arvo_memory_self(memory), members, 1), 1);
    assert_int_equal(members[0].got, ARVO_OK);
    arvo_memory_close(memory);
}

static void
test_sqlite_writer__full_file_fails_only_what_does_not_fit(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("?pages=40");
    file_sql("CREATE TABLE t (x INTEGER PRIMARY KEY, y BLOB)");
    struct member members[] = { { .sql = "INSERT INTO t VALUES (1, zeroblob(10))" },
                                { .sql = "INSERT INTO t VALUES (2, zeroblob(1000000))" },
                                { .sql = "INSERT INTO t VALUES (3, zeroblob(10))" } };
    (void)run_together(arvo_memory_self(memory), members, ARVO_COUNT_OF(members));
    assert_int_equal(members[0].got, ARVO_OK);
    assert_int_equal(members[1].got, ARVO_E_IO);
    assert_non_null(strstr(members[1].err.text, "disk is full"));
    assert_int_equal(members[2].got, ARVO_OK);
    assert_int_equal(file_number("SELECT sum(x) FROM t"), 4);
    arvo_memory_close(memory);
}

/* ---- The log ------------------------------------------------------------------- */

/* A hundred transactions of 100 kB, with a limit of 1.6 MB. */
static void
grow_the_log(arvo_memory *memory)
{
    struct sqlite_store *store = arvo_memory_self(memory);
    file_sql("CREATE TABLE t (x INTEGER PRIMARY KEY, y BLOB)");
    store->checkpoint.step_pages = 100;
    store->checkpoint.max_pages = 400;
    for (int i = 0; i < 100; i++) {
        struct member member = { .store = store,
                                 .sql = "INSERT INTO t (y) VALUES (zeroblob(100000))" };
        (void)member_thread(&member);
        assert_int_equal(member.got, ARVO_OK);
    }
    char path[PATH_BYTES + 40];
    struct stat info;
    (void)snprintf(path, sizeof(path), "%s-wal", file_path());
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size < 550 * 4120);
    assert_int_equal(file_number("SELECT count(*) FROM t"), 100);
}

/* It is brought into the file meanwhile, and begins anew: six times its limit leave a log of little
 * more than that. */
static void
test_sqlite_writer__log_stays_bounded_under_load(void **state)
{
    (void)state;
    store_log log; /* the system's clock, though not its platform */
    arvo_memory *memory = store_log_open(&log, file_url("?sync=normal"));
    grow_the_log(memory);
    assert_true(((struct sqlite_store *)arvo_memory_self(memory))->checkpoint.has_thread);
    arvo_memory_close(memory);
    assert_int_equal(file_number("SELECT sum(length(y)) FROM t"), 100 * 100000);
    assert_int_equal(log.infos + log.warnings + log.others, 0);
}

/* A simulated world has one thread, and the log is bounded there too. */
static void
test_sqlite_writer__store_with_its_own_clock_starts_no_thread(void **state)
{
    (void)state;
    store_clock clock;
    arvo_memory *memory = NULL;
    store_clock_init(&clock);
    assert_int_equal(
        arvo_memory_open_with(file_url("?sync=normal"), &clock.platform, &memory, NULL), ARVO_OK);
    grow_the_log(memory);
    assert_false(((struct sqlite_store *)arvo_memory_self(memory))->checkpoint.has_thread);
    arvo_memory_close(memory);
}

/* ---- Load ------------------------------------------------------------------------ */

struct load {
    arvo_memory *memory;
    int number;
    int failures;
    pthread_t thread;
};

/* Steps of its own subject and of one that all share, with readers in between. */
static void *
load_thread(void *arg)
{
    struct load *load = arg;
    const arvo_memory_ops *ops = arvo_memory_ops_of(load->memory);
    void *self = arvo_memory_self(load->memory);
    arvo_arena *arena = arvo_arena_new(NULL);
    for (int i = 0; i < PER_LOAD; i++) {
        const bool is_shared = i % 3 == 0;
        char name[32], id[64];
        (void)snprintf(name, sizeof(name), is_shared ? "shared" : "own-%d", load->number);
        (void)snprintf(id, sizeof(id), "e-%d-%d", load->number, i);
        const arvo_str subject = arvo_str_from(name);
        arvo_lease lease;
        arvo_record before;
        bool is_acquired = false, is_found = false;
        if (ops->lock(self, subject, 30000, 60000, &is_acquired, &lease, NULL) != ARVO_OK ||
            !is_acquired || ops->read(self, subject, arena, &is_found, &before, NULL) != ARVO_OK) {
            load->failures++;
            continue;
        }
        const arvo_record record = store_record(subject);
        const arvo_stored_event in = store_event(id), out = store_event("out");
        const arvo_commit commit = { .subject = subject,
                                     .lease = &lease,
                                     .release = true,
                                     .record = &record,
                                     .previous_revision = is_found ? before.revision : 0,
                                     .consumed = &in,
                                     .produced = &out,
                                     .produced_count = 1 };
        if (ops->commit(self, &commit, 1, NULL) != ARVO_OK)
            load->failures++;
        arvo_arena_reset(arena);
    }
    arvo_arena_free(arena);
    return NULL;
}

static void
test_sqlite_writer__eight_threads_lose_and_double_nothing(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    struct load loads[CROWD];
    for (int i = 0; i < CROWD; i++) {
        loads[i] = (struct load){ .memory = memory, .number = i };
        assert_int_equal(pthread_create(&loads[i].thread, NULL, load_thread, &loads[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(loads[i].thread, NULL);
        assert_int_equal(loads[i].failures, 0);
    }
    struct sqlite_store *store = arvo_memory_self(memory);
    assert_int_equal(atomic_load(&store->writer.commits), CROWD * PER_LOAD);
    arvo_memory_close(memory);
    assert_int_equal(file_number("SELECT sum(revision) FROM record"), CROWD * PER_LOAD);
    assert_int_equal(
        file_number("SELECT revision FROM record WHERE subject = 'shared'"), CROWD * PER_LOAD / 3);
    assert_int_equal(
        file_number("SELECT count(DISTINCT id) FROM event WHERE direction = 0"), CROWD * PER_LOAD);
    /* A produced event stands right behind its cause, whoever shared the transaction. */
    assert_int_equal(
        file_number("SELECT count(*) FROM event WHERE direction = 1 AND cause = seq - 1"),
        CROWD * PER_LOAD);
}

int
main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_sqlite_writer__##name, setup_disk, teardown_folder)
    const struct CMUnitTest tests[] = {
        CASE(jobs_of_one_moment_share_a_transaction),
        CASE(refused_job_does_not_undo_the_others),
        CASE(failed_sync_is_answered_to_everyone),
        CASE(full_file_fails_only_what_does_not_fit),
        CASE(log_stays_bounded_under_load),
        CASE(store_with_its_own_clock_starts_no_thread),
        CASE(eight_threads_lose_and_double_nothing),
    };
    return cmocka_run_group_tests_name("sqlite writer", tests, NULL, NULL);
}

#else

int
main(void)
{
    printf("built without SQLite: skipped\n");
    return 77;
}

#endif
