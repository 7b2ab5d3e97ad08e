/* The SQLite store under several hands: kill -9, processes and threads on one file. */

#include "sqlite_fixture.h"

#ifdef ARVO_HAVE_SQLITE

/* ---- Death ------------------------------------------------------------- */

/* Commits until it is killed; every acknowledged revision goes down the pipe. */
static void
commit_for_ever(int fd)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(file_url(""), &memory, &err) != ARVO_OK) {
        fprintf(stderr, "%s\n", err.text);
        _exit(3);
    }
    for (;;) {
        uint64_t revision = 0;
        if (step(memory, &revision, &err) != ARVO_OK) {
            fprintf(stderr, "%s\n", err.text);
            _exit(4);
        }
        if (write(fd, &revision, sizeof(revision)) != (ssize_t)sizeof(revision))
            _exit(5);
    }
}

static void
test_sqlite_processes__kill_loses_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    uint64_t acknowledged = 0;
    unsigned seed = 12345;
    arvo_memory_close(open_or_fail(""));
    for (int round = 0; round < KILL_ROUNDS; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(fds[0]);
            commit_for_ever(fds[1]);
        }
        close(fds[1]);
        /* It dies after a random number of acknowledgements, somewhere in the next step. */
        seed = seed * 1103515245u + 12345u;
        const unsigned steps = seed / 65536u % 30u + 1u, spin = seed % 5000u;
        for (unsigned i = 0; i < steps; i++) {
            uint64_t revision = 0;
            assert_int_equal(read(fds[0], &revision, sizeof(revision)), sizeof(revision));
            assert_int_equal(revision, acknowledged + 1);
            acknowledged = revision;
        }
        for (volatile unsigned i = 0; i < spin; i++) {
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        uint64_t revision = 0;
        while (read(fds[0], &revision, sizeof(revision)) == sizeof(revision))
            acknowledged = revision;
        close(fds[0]);

        arvo_memory *memory = open_or_fail("");
        const uint64_t stored = revision_of(memory);
        /* At most one more than was acknowledged: killed between commit and acknowledgement. */
        assert_true(stored == acknowledged || stored == acknowledged + 1);
        acknowledged = stored;
        arvo_memory_close(memory);
        assert_int_equal(
            file_number("SELECT count(*) FROM event WHERE direction = 0"), (int64_t)stored);
        assert_int_equal(file_number("SELECT count(*) FROM outbox"), (int64_t)stored);
        assert_int_equal(
            file_number("SELECT count(DISTINCT id) FROM event WHERE direction = 0"),
            (int64_t)stored);
    }
    assert_true(acknowledged >= KILL_ROUNDS);
    file_sql("PRAGMA integrity_check");
}

/* A lease of a dead process is not waited for. */
static void
test_sqlite_processes__lease_of_a_killed_process_is_free(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        arvo_memory *memory = open_or_fail("");
        arvo_lease lease;
        bool is_acquired = false;
        if (take(memory, 0, &is_acquired, &lease, NULL) != ARVO_OK || !is_acquired ||
            write(fds[1], &lease, sizeof(lease)) != (ssize_t)sizeof(lease))
            _exit(1);
        for (;;)
            pause();
    }
    arvo_lease dead, lease;
    assert_int_equal(read(fds[0], &dead, sizeof(dead)), sizeof(dead));
    arvo_memory *memory = open_or_fail("");
    bool is_acquired = true;
    assert_int_equal(take(memory, 0, &is_acquired, &lease, NULL), ARVO_OK);
    assert_false(is_acquired); /* it lives */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(take(memory, 0, &is_acquired, &lease, NULL), ARVO_OK);
    assert_true(is_acquired);
    assert_true(lease.fence > dead.fence);
    const arvo_record record = store_record(SUBJECT);
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_memory_ops_of(memory)->write(
            arvo_memory_self(memory), SUBJECT, &record, NULL, &dead, &err),
        ARVO_E_STALE);
    arvo_memory_close(memory);
    close(fds[0]);
    close(fds[1]);
}

/* ---- Two processes ----------------------------------------------------- */

static void
test_sqlite_processes__two_processes_lose_no_update(void **state)
{
    (void)state;
    int begin[2];
    char byte;
    assert_int_equal(pipe(begin), 0);
    pid_t children[2];
    for (size_t i = 0; i < ARVO_COUNT_OF(children); i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            close(begin[1]);
            (void)!read(begin[0], &byte, 1); /* until the parent has it open */
            arvo_memory *memory = open_or_fail("");
            arvo_error err = { 0 };
            for (int k = 0; k < PER_PROCESS; k++) {
                uint64_t revision = 0;
                const arvo_status st = step(memory, &revision, &err);
                if (st != ARVO_OK) {
                    fprintf(stderr, "%s: %s\n", arvo_status_name(st), err.text);
                    _exit(1);
                }
            }
            arvo_memory_close(memory);
            _exit(0);
        }
    }
    /* Open from before the first to behind the last of them: who begins the leases anew takes a new
     * range of fences. */
    arvo_memory *watched = open_or_fail("");
    close(begin[0]);
    close(begin[1]);
    for (size_t i = 0; i < ARVO_COUNT_OF(children); i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    arvo_memory_close(watched);
    assert_int_equal(file_number("SELECT revision FROM record"), 2 * PER_PROCESS);
    assert_int_equal(
        file_number("SELECT count(DISTINCT id) FROM event WHERE direction = 0"), 2 * PER_PROCESS);
    assert_int_equal(file_number("SELECT fence FROM record"), 2 * PER_PROCESS);
}

/* Both create the file at the same time. */
static void
test_sqlite_processes__two_processes_create_one_store(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pid_t children[4];
        for (size_t i = 0; i < ARVO_COUNT_OF(children); i++) {
            children[i] = fork();
            assert_true(children[i] >= 0);
            if (children[i] == 0) {
                uint64_t revision = 0;
                arvo_memory *memory = open_or_fail("");
                const arvo_status st = step(memory, &revision, NULL);
                arvo_memory_close(memory);
                _exit(st == ARVO_OK ? 0 : 1);
            }
        }
        for (size_t i = 0; i < ARVO_COUNT_OF(children); i++) {
            int status = 0;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        assert_int_equal(file_number("SELECT revision FROM record"), 4);
        remove_files();
    }
}

/* Two stores on one file: what one leases the other sees, waits for, and gets. */
static void
test_sqlite_processes__lease_is_seen_by_other_stores(void **state)
{
    (void)state;
    store_clock clock;
    store_clock_init(&clock);
    arvo_memory *a = NULL, *b = NULL;
    arvo_error err = { 0 };
    assert_int_equal(arvo_memory_open_with(file_url(""), &clock.platform, &a, &err), ARVO_OK);
    assert_int_equal(arvo_memory_open_with(file_url(""), &clock.platform, &b, &err), ARVO_OK);
    arvo_lease first, second;
    bool is_acquired = false;
    assert_int_equal(take(a, 0, &is_acquired, &first, &err), ARVO_OK);
    assert_true(is_acquired);
    assert_int_equal(take(b, 20, &is_acquired, &second, &err), ARVO_OK);
    assert_false(is_acquired);
    clock.now_ms += 30000; /* it expires */
    assert_int_equal(take(b, 0, &is_acquired, &second, &err), ARVO_OK);
    assert_true(is_acquired);
    assert_true(second.fence > first.fence);

    const arvo_record record = store_record(SUBJECT);
    assert_int_equal(
        arvo_memory_ops_of(a)->write(arvo_memory_self(a), SUBJECT, &record, NULL, &first, &err),
        ARVO_E_STALE);
    assert_int_equal(
        arvo_memory_ops_of(a)->unlock(arvo_memory_self(a), SUBJECT, &first, &err), ARVO_OK);
    assert_int_equal(
        arvo_memory_ops_of(b)->write(arvo_memory_self(b), SUBJECT, &record, NULL, &second, &err),
        ARVO_OK);
    assert_int_equal(revision_of(a), 1);
    arvo_memory_close(a);
    arvo_memory_close(b);
}

/* ---- Stopped, killed, removed -------------------------------------------- */

/* A process that is stopped with a lease longer than it holds wakes up and finds its write refused,
 * also when what it wrote would fit. */
static void
test_sqlite_processes__stopped_process_cannot_write(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    arvo_memory_close(open_or_fail(""));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        arvo_memory *memory = open_or_fail("");
        const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
        void *self = arvo_memory_self(memory);
        arvo_lease lease;
        bool is_acquired = false;
        if (ops->lock(self, SUBJECT, 300, 0, &is_acquired, &lease, NULL) != ARVO_OK ||
            !is_acquired || write(fds[1], &lease, sizeof(lease)) != (ssize_t)sizeof(lease))
            _exit(1);
        (void)raise(SIGSTOP);
        const arvo_record record = store_record(SUBJECT);
        const arvo_stored_event event = store_event("from the past");
        const arvo_commit commit = {
            .subject = SUBJECT, .lease = &lease, .produced = &event, .produced_count = 1
        };
        if (ops->commit(self, &commit, 1, NULL) != ARVO_E_STALE)
            _exit(2);
        if (ops->write(self, SUBJECT, &record, NULL, &lease, NULL) != ARVO_E_STALE)
            _exit(3);
        if (ops->renew(self, SUBJECT, &lease, 1000, NULL) != ARVO_E_STALE)
            _exit(4);
        _exit(0);
    }
    arvo_lease first, second;
    assert_int_equal(read(fds[0], &first, sizeof(first)), sizeof(first));
    int status = 0;
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));

    arvo_memory *memory = open_or_fail("");
    bool is_acquired = true;
    const int64_t started = arvo__real_ms();
    assert_int_equal(take(memory, 10000, &is_acquired, &second, NULL), ARVO_OK);
    assert_true(is_acquired); /* when the lease is over, not before */
    assert_true(arvo__real_ms() - started < 5000);
    assert_true(second.fence > first.fence);
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    assert_int_equal(ops->unlock(arvo_memory_self(memory), SUBJECT, &second, NULL), ARVO_OK);

    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(revision_of(memory), 0);
    arvo_memory_close(memory);
    assert_int_equal(file_number("SELECT count(*) FROM event"), 0);
    close(fds[0]);
    close(fds[1]);
}

/* Wants the subject; tells when it has it. */
static pid_t
fork_waiter(int fd)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    arvo_memory *memory = open_or_fail("");
    arvo_lease lease;
    bool is_acquired = false;
    char byte = 'r';
    if (write(fd, &byte, 1) != 1 || take(memory, 60000, &is_acquired, &lease, NULL) != ARVO_OK)
        _exit(1);
    byte = is_acquired ? 'y' : 'n';
    if (write(fd, &byte, 1) != 1)
        _exit(1);
    arvo_memory_close(memory);
    _exit(0);
}

static void
wait_until_in_line(int fd)
{
    char byte = 0;
    const struct timespec pause = { .tv_nsec = 50 * 1000000 };
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(byte, 'r');
    (void)nanosleep(&pause, NULL);
}

/* Those who are killed or stopped while they wait hold nobody up. */
static void
test_sqlite_processes__waiters_that_do_not_come_are_passed_over(void **state)
{
    (void)state;
    int fds[3][2];
    pid_t children[3];
    arvo_memory *memory = open_or_fail("");
    arvo_lease lease;
    bool is_acquired = false;
    assert_int_equal(take(memory, 0, &is_acquired, &lease, NULL), ARVO_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pipe(fds[i]), 0);
        children[i] = fork_waiter(fds[i][1]);
        wait_until_in_line(fds[i][0]);
    }
    assert_int_equal(kill(children[0], SIGKILL), 0);
    assert_int_equal(waitpid(children[0], NULL, 0), children[0]);
    assert_int_equal(kill(children[1], SIGSTOP), 0);

    char byte = 0;
    const int64_t started = arvo__real_ms();
    assert_int_equal(
        arvo_memory_ops_of(memory)->unlock(arvo_memory_self(memory), SUBJECT, &lease, NULL),
        ARVO_OK);
    assert_int_equal(read(fds[2][0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_true(arvo__real_ms() - started < 5000);
    assert_int_equal(waitpid(children[2], NULL, 0), children[2]);
    /* The stopped one stands at the end of the line again. */
    assert_int_equal(kill(children[1], SIGCONT), 0);
    assert_int_equal(read(fds[1][0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(waitpid(children[1], NULL, 0), children[1]);
    assert_int_equal(take(memory, 5000, &is_acquired, &lease, NULL), ARVO_OK);
    assert_true(is_acquired);
    arvo_memory_close(memory);
    for (size_t i = 0; i < 3; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

/* Killed with the table of leases open in front of it: the next one repairs it. */
static void
test_sqlite_processes__killed_in_the_table_of_leases(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    unsigned seed = 7;
    for (int round = 0; round < 40; round++) {
        int fds[2];
        char byte = 0;
        assert_int_equal(pipe(fds), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            arvo_memory *mine = open_or_fail("");
            const arvo_str names[] = { ARVO_STR("a"), ARVO_STR("b"), ARVO_STR("c") };
            for (size_t i = 0;; i++) {
                arvo_lease lease;
                bool is_acquired = false;
                if (ops->lock(
                        arvo_memory_self(mine), names[i % 3], 60000, 0, &is_acquired, &lease,
                        NULL) != ARVO_OK ||
                    !is_acquired || (i == 0 && write(fds[1], &byte, 1) != 1))
                    _exit(1);
                if (i % 2 == 0)
                    (void)ops->unlock(arvo_memory_self(mine), names[i % 3], &lease, NULL);
                else
                    (void)ops->renew(arvo_memory_self(mine), names[i % 3], &lease, -1, NULL);
                if (i % 2 != 0)
                    (void)ops->unlock(arvo_memory_self(mine), names[i % 3], &lease, NULL);
            }
        }
        assert_int_equal(read(fds[0], &byte, 1), 1);
        seed = seed * 1103515245u + 12345u;
        for (volatile unsigned i = 0; i < seed / 65536u % 20000u; i++) {
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        const arvo_str names[] = { ARVO_STR("a"), ARVO_STR("b"), ARVO_STR("c") };
        for (size_t i = 0; i < 3; i++) {
            arvo_lease lease;
            bool is_acquired = false;
            arvo_error err = { 0 };
            if (ops->lock(self, names[i], 60000, 0, &is_acquired, &lease, &err) != ARVO_OK)
                fail_msg("%s", err.text);
            assert_true(is_acquired);
            assert_int_equal(ops->unlock(self, names[i], &lease, NULL), ARVO_OK);
        }
        close(fds[0]);
        close(fds[1]);
    }
    uint64_t held = 1, expired = 1;
    assert_int_equal(arvo__sqlite_shared_count(self, &held, &expired, NULL), ARVO_OK);
    assert_int_equal(held, 0);
    assert_int_equal(expired, 0);
    arvo_memory_close(memory);
}

static void
test_sqlite_processes__removed_lease_file_stops_writes(void **state)
{
    (void)state;
    char path[PATH_BYTES + 40];
    (void)snprintf(path, sizeof(path), "%s-lease", file_path());
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(step(memory, &revision, &err), ARVO_E_IO);
    assert_non_null(strstr(err.text, "removed"));
    arvo_memory_close(memory);
    memory = open_or_fail("");
    assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    assert_int_equal(revision, 2);
    arvo_memory_close(memory);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 0); /* the last one leaves it empty */
}

static void
test_sqlite_processes__file_locked_by_another_program(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    struct sqlite_store *store = arvo_memory_self(memory);
    (void)sqlite3_busy_timeout(store->writer.conn.db, 20); /* instead of five seconds */
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file_path(), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(step(memory, &revision, &err), ARVO_E_TIMEOUT);
    assert_non_null(strstr(err.text, "another process"));
    assert_int_equal(revision_of(memory), 1); /* readers do not wait */
    sqlite3_close(db);
    assert_int_equal(step(memory, &revision, &err), ARVO_OK);
    assert_int_equal(revision, 2);
    arvo_memory_close(memory);
}

/* ---- Threads ----------------------------------------------------------- */

static void *
thread_steps(void *arg)
{
    arvo_memory *memory = arg;
    for (int i = 0; i < 20; i++) {
        uint64_t revision = 0;
        if (step(memory, &revision, NULL) != ARVO_OK)
            return memory;
    }
    return NULL;
}

static void
test_sqlite_processes__eight_threads_on_one_subject(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("?sync=normal");
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_steps, memory), 0);
    for (int i = 0; i < 8; i++) {
        void *failed = memory;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(revision_of(memory), 160);
    arvo_memory_close(memory);
}

int
main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_sqlite_processes__##name, setup_folder, teardown_folder)
    const struct CMUnitTest tests[] = {
        CASE(kill_loses_nothing_that_was_acknowledged),
        CASE(lease_of_a_killed_process_is_free),
        CASE(two_processes_lose_no_update),
        CASE(two_processes_create_one_store),
        CASE(lease_is_seen_by_other_stores),
        CASE(stopped_process_cannot_write),
        CASE(waiters_that_do_not_come_are_passed_over),
        CASE(killed_in_the_table_of_leases),
        CASE(removed_lease_file_stops_writes),
        CASE(file_locked_by_another_program),
        CASE(eight_threads_on_one_subject),
    };
    return cmocka_run_group_tests_name("sqlite processes", tests, NULL, NULL);
}

#else

int
main(void)
{
    printf("built without SQLite: skipped\n");
    return 77;
}

#endif
