/* The PostgreSQL store and what only a server and a network can do to it: crashes, cut connections,
 * several processes, wrong URLs, other versions. */

#include "postgres_fixture.h"

#include "log_fixture.h"

#ifdef ARVO_HAVE_POSTGRES

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>

#define THREADS     8
#define PER_THREAD  25
#define PER_PROCESS 40

/* ---- Many hands ----------------------------------------------------------- */

struct worker {
    arvo_memory *memory;
    pthread_t thread;
    char subject[32];
    atomic_bool *is_over; /* NULL: PER_THREAD steps */
    uint64_t acknowledged;
    int failures, steps;
    arvo_error err; /* the first failure */
};

static void *
work(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; w->is_over == NULL ? i < PER_THREAD : !atomic_load(w->is_over); i++) {
        uint64_t revision = 0;
        arvo_error err = { 0 };
        w->steps++;
        if (step(w->memory, arvo_str_from(w->subject), w->subject, &revision, &err) == ARVO_OK)
            w->acknowledged = revision;
        else if (w->failures++ == 0)
            w->err = err;
    }
    return NULL;
}

static void
workers_start(struct worker *workers, size_t count, arvo_memory *memory, atomic_bool *is_over)
{
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){ .memory = memory, .is_over = is_over };
        (void)snprintf(workers[i].subject, sizeof(workers[i].subject), "w%zu", i);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

static void
workers_join(struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

/* Every acknowledged step is there, once. */
static void
assert_exact(void)
{
    assert_int_equal(
        sql_number("SELECT count(*) FROM @.event WHERE direction = 0"),
        sql_number("SELECT sum(revision) FROM @.instance"));
    assert_int_equal(
        sql_number("SELECT count(DISTINCT id) FROM @.event WHERE direction = 0"),
        sql_number("SELECT sum(revision) FROM @.instance"));
    assert_int_equal(
        sql_number("SELECT count(*) FROM @.outbox"),
        sql_number("SELECT sum(revision) FROM @.instance"));
}

static void
test_postgres__threads_share_transactions(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    struct worker workers[THREADS];
    workers_start(workers, THREADS, memory, NULL);
    workers_join(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        if (workers[i].failures > 0)
            fail_msg("%s", workers[i].err.text);
        assert_int_equal(workers[i].acknowledged, PER_THREAD);
    }
    arvo_memory_stats stats;
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_memory_ops_of(memory)->stats(arvo_memory_self(memory), &stats, &err), ARVO_OK);
    assert_int_equal(stats.commits, THREADS * PER_THREAD);
    assert_true(stats.transactions < stats.commits); /* group commit */
    assert_int_equal(stats.active, THREADS);
    assert_int_equal(stats.outbox, THREADS * PER_THREAD);
    assert_int_equal(stats.leases, 0);
    arvo_memory_close(memory);
    assert_exact();
}

/* One that fails fails alone, whatever shares its transaction. */
static void *
commit_stale(void *arg)
{
    arvo_memory *memory = arg;
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    const arvo_record record = store_record(ARVO_STR("stale"));
    const arvo_lease lease = { .fence = 1 };
    for (int i = 0; i < PER_THREAD; i++) {
        arvo_error err = { 0 };
        if (ops->write(arvo_memory_self(memory), record.subject, &record, NULL, &lease, &err) !=
            ARVO_E_STALE)
            return memory;
    }
    return NULL;
}

static void
test_postgres__stale_commit_fails_alone(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    struct worker workers[THREADS];
    pthread_t stale;
    workers_start(workers, THREADS, memory, NULL);
    assert_int_equal(pthread_create(&stale, NULL, commit_stale, memory), 0);
    workers_join(workers, THREADS);
    void *failed = memory;
    assert_int_equal(pthread_join(stale, &failed), 0);
    assert_null(failed);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].failures, 0);
    assert_int_equal(revision_of(memory, ARVO_STR("stale")), 0);
    arvo_memory_close(memory);
    assert_exact();
}

/* ---- Processes ------------------------------------------------------------- */

static void
children_run(size_t count, int (*run)(void))
{
    pid_t children[8];
    assert_true(count <= ARVO_COUNT_OF(children));
    for (size_t i = 0; i < count; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(run());
    }
    for (size_t i = 0; i < count; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static char child_url[URL_BYTES];

static int
child_steps(void)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(child_url, &memory, &err) != ARVO_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (int i = 0; i < PER_PROCESS; i++) {
        uint64_t revision = 0;
        if (step(memory, SUBJECT, "p", &revision, &err) != ARVO_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
    }
    arvo_memory_close(memory);
    return 0;
}

static void
test_postgres__processes_on_one_subject_lose_no_update(void **state)
{
    (void)state;
    /* They make the schema at the same time, too. */
    (void)snprintf(child_url, sizeof(child_url), "%s", store_url(""));
    children_run(3, child_steps);
    assert_int_equal(sql_number("SELECT revision FROM @.record"), 3 * PER_PROCESS);
    assert_exact();
    assert_int_equal(sql_number("SELECT count(*) FROM @.waiter"), 0);
}

struct late_unlock {
    arvo_memory *memory;
    arvo_lease lease;
};

static void *
unlock_late(void *arg)
{
    struct late_unlock *late = arg;
    sleep_ms(300);
    const arvo_memory_ops *ops = arvo_memory_ops_of(late->memory);
    return ops->unlock(arvo_memory_self(late->memory), SUBJECT, &late->lease, NULL) == ARVO_OK
               ? NULL
               : late;
}

/* Another store waits, and is told; and leaves no ticket behind when it gives up. */
static void
test_postgres__lease_is_seen_by_other_stores(void **state)
{
    (void)state;
    arvo_memory *a = open_or_fail(""), *b = open_or_fail("");
    struct late_unlock late = { .memory = a };
    arvo_lease lease;
    bool is_acquired = false;
    pthread_t thread;
    assert_int_equal(take(a, 0, &is_acquired, &late.lease, NULL), ARVO_OK);
    assert_true(is_acquired);
    assert_int_equal(take(b, 50, &is_acquired, &lease, NULL), ARVO_OK);
    assert_false(is_acquired);
    assert_int_equal(sql_number("SELECT count(*) FROM @.waiter"), 0);
    assert_int_equal(pthread_create(&thread, NULL, unlock_late, &late), 0);
    assert_int_equal(take(b, 30000, &is_acquired, &lease, NULL), ARVO_OK);
    assert_true(is_acquired);
    assert_true(lease.fence > late.lease.fence);
    void *failed = &late;
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    /* The one that lost it cannot write. */
    const arvo_record record = store_record(SUBJECT);
    assert_int_equal(
        arvo_memory_ops_of(a)->write(
            arvo_memory_self(a), SUBJECT, &record, NULL, &late.lease, NULL),
        ARVO_E_STALE);
    arvo_memory_close(a);
    arvo_memory_close(b);
}

/* What processes leave that died while they waited goes when somebody waits later. */
static void
test_postgres__waiters_that_died_leave_no_rows(void **state)
{
    (void)state;
    arvo_memory *a = open_or_fail("");
    arvo_lease lease;
    bool is_acquired = false;
    const char *dead = "INSERT INTO @.waiter (key, token, until_ms)"
                       " SELECT gen_random_uuid(), gen_random_uuid(), @.now_ms() - 120000"
                       " FROM generate_series(1, 5);"
                       "INSERT INTO @.watcher (process, until_ms)"
                       " SELECT gen_random_uuid(), @.now_ms() - 120000 FROM generate_series(1, 5)";
    (void)sql_number(dead);
    assert_int_equal(take(a, 0, &is_acquired, &lease, NULL), ARVO_OK);
    assert_int_equal(
        sql_number("SELECT count(*) FROM @.lock_read(ARRAY['subject'], ARRAY[NULL], ARRAY[''],"
                   " ARRAY[30000], ARRAY[gen_random_uuid()], ARRAY[true], 3000) WHERE is_acquired"),
        0);
    assert_int_equal(sql_number("SELECT count(*) FROM @.waiter"), 1); /* its ticket */
    assert_int_equal(sql_number("SELECT count(*) FROM @.watcher"), 0);
    (void)sql_number(dead);
    const arvo_memory_ops *ops = arvo_memory_ops_of(a);
    assert_int_equal(ops->outbox_wait(arvo_memory_self(a), 20, NULL), ARVO_OK);
    assert_int_equal(sql_number("SELECT count(*) FROM @.waiter"), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM @.watcher"), 1); /* its own */
    arvo_memory_close(a);
}

/* A session plans its statements once, when the store may still be empty: however much comes later,
 * a step looks into the inbox by its key. */
static void
test_postgres__step_reads_its_own_rows_however_large_the_inbox(void **state)
{
    (void)state;
    static const char entries_read[] =
        "SELECT idx_tup_read + seq_tup_read FROM pg_stat_user_indexes i"
        " JOIN pg_stat_user_tables t USING (relid) WHERE t.schemaname = '@' AND t.relname = "
        "'inbox'";
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
    (void)sql_number("INSERT INTO @.inbox (subject_id, key, seq)"
                     " SELECT 1000000, gen_random_uuid(), n FROM generate_series(1, 5000) n");
    for (int i = 0; i < 5; i++)
        assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
    arvo_memory_close(memory); /* its sessions end, and tell what they have read */
    for (int i = 0; sql_number(entries_read) == 0 && i < 100; i++)
        sleep_ms(50);
    const int64_t entries = sql_number(entries_read);
    if (entries < 1 || entries > 100)
        fail_msg("%lld entries of the inbox were read", (long long)entries);
}

static void
test_postgres__renewed_lease_lives_longer(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_lease lease;
    arvo_error err = { 0 };
    bool is_acquired = false;
    assert_int_equal(take(memory, 0, &is_acquired, &lease, NULL), ARVO_OK);
    const int64_t before = lease.expires_ms;
    assert_int_equal(ops->renew(arvo_memory_self(memory), SUBJECT, &lease, 300000, &err), ARVO_OK);
    assert_true(lease.expires_ms >= before + 200000);
    /* Over: it is not given back to life. */
    (void)sql_number("UPDATE @.lease SET expires_ms = expires_ms - 400000");
    assert_int_equal(
        ops->renew(arvo_memory_self(memory), SUBJECT, &lease, 300000, &err), ARVO_E_STALE);
    arvo_memory_close(memory);
}

/* ---- A group that fails ------------------------------------------------------------ */

static arvo_status group_status;
static int group_calls;

static arvo_status
group_of_test(struct postgres_store *store, struct postgres_op **ops, size_t count, arvo_error *err)
{
    (void)store;
    group_calls++;
    if (count > 1)
        return arvo__fail(err, group_status, "all of them");
    ops[0]->status = ARVO_OK;
    return ARVO_OK;
}

/* One by one when the server refuses the whole; not when it cannot be asked: each of them would
 * wait for it again. */
static void
test_postgres__group_is_asked_for_again_only_where_that_may_help(void **state)
{
    (void)state;
    static const struct {
        arvo_status status;
        int calls;
    } rows[] = {
        { ARVO_E_IO, 1 }, { ARVO_E_TIMEOUT, 1 }, { ARVO_E_NOMEM, 1 }, { ARVO_E_INVALID, 4 }
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(rows); i++) {
        struct postgres_op each[3] = { { 0 } }, *ops[3] = { &each[0], &each[1], &each[2] };
        arvo_error errors[3] = { { 0 } };
        for (size_t k = 0; k < 3; k++)
            each[k].err = &errors[k];
        group_status = rows[i].status;
        group_calls = 0;
        arvo__pg_run_group(NULL, ops, 3, group_of_test);
        assert_int_equal(group_calls, rows[i].calls);
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(each[k].status, rows[i].calls == 1 ? rows[i].status : ARVO_OK);
            assert_string_equal(errors[k].text, rows[i].calls == 1 ? "all of them" : "");
        }
    }
}

/* ---- A server that goes away -------------------------------------------------- */

static void
test_postgres__server_crash_loses_and_doubles_nothing(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    struct worker workers[THREADS];
    atomic_bool is_over = false;
    workers_start(workers, THREADS, memory, &is_over);
    for (int i = 0; i < 3; i++) {
        sleep_ms(300);
        server_do("postgres crash");
        server_do("postgres start");
    }
    sleep_ms(300);
    atomic_store(&is_over, true);
    workers_join(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        const uint64_t stored = revision_of(memory, arvo_str_from(workers[i].subject));
        /* A step whose outcome could not be found out may have happened; no other. */
        assert_true(stored >= workers[i].acknowledged);
        assert_true(stored <= workers[i].acknowledged + (uint64_t)workers[i].failures);
        if (workers[i].failures > 0)
            print_message(
                "%d of %d steps failed: %s\n", workers[i].failures, workers[i].steps,
                workers[i].err.text);
    }
    arvo_memory_close(memory);
    assert_exact();
}

static void
test_postgres__killed_connections_are_not_noticed(void **state)
{
    (void)state;
    store_log log;
    arvo_memory *memory = store_log_open(&log, store_url(""));
    struct worker workers[THREADS];
    atomic_bool is_over = false;
    workers_start(workers, THREADS, memory, &is_over);
    for (int i = 0; i < 10; i++) {
        sleep_ms(100);
        (void)sql_number("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                         " WHERE application_name = 'arvo' AND pid <> pg_backend_pid()");
    }
    atomic_store(&is_over, true);
    workers_join(workers, THREADS);
    uint64_t acknowledged = 0;
    for (size_t i = 0; i < THREADS; i++) {
        if (workers[i].failures > 0)
            fail_msg("%s", workers[i].err.text);
        acknowledged += workers[i].acknowledged;
    }
    arvo_memory_close(memory);
    /* But the log says so, and that it is over: as often as it changed. */
    assert_true(log.warnings > 0 && log.infos > 0 && log.warnings <= log.infos + 1);
    assert_non_null(strstr(log.warning, "the server is reached no more, and tried again: "));
    assert_non_null(strstr(log.info, "the server is reached again"));
    assert_null(strstr(log.warning, "assword"));
    assert_int_equal(log.others, 0);
    assert_true(acknowledged > 0);
    assert_int_equal(sql_number("SELECT sum(revision) FROM @.instance"), (int64_t)acknowledged);
    assert_exact();
}

/* ---- A network that drops bytes -------------------------------------------------- */

enum cut { CUT_NOTHING, CUT_ANSWER, CUT_REQUEST };

/* Forwards between a port and the server's; on demand it drops what comes next in a direction that
 * is part of a commit, and closes both. */
struct proxy {
    int listener, port;
    char server_path[108];
    atomic_int cut;
    atomic_bool is_over;
    pthread_t thread;
};

static int
proxy_dial(const struct proxy *proxy)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, proxy->server_path, sizeof(proxy->server_path));
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool
send_whole(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

struct proxy_link {
    struct proxy *proxy;
    int client, server;
};

/* A request of a commit is told by the function it names; its answer is the next thing back. */
static void *
proxy_forward(void *arg)
{
    struct proxy_link *link = arg;
    struct proxy *proxy = link->proxy;
    char *bytes = malloc(65536);
    bool is_commit = false;
    while (bytes != NULL && !atomic_load(&proxy->is_over)) {
        struct pollfd fds[2] = { { .fd = link->client, .events = POLLIN },
                                 { .fd = link->server, .events = POLLIN } };
        if (poll(fds, 2, 50) <= 0)
            continue;
        const bool is_request = fds[0].revents != 0;
        const ssize_t got = recv(is_request ? link->client : link->server, bytes, 65536, 0);
        if (got <= 0)
            break;
        if (is_request && memmem(bytes, (size_t)got, ".commit(", 8) != NULL)
            is_commit = true;
        const int cut = is_commit ? atomic_load(&proxy->cut) : CUT_NOTHING;
        if (cut == (is_request ? CUT_REQUEST : CUT_ANSWER)) {
            atomic_store(&proxy->cut, CUT_NOTHING);
            break;
        }
        if (!is_request)
            is_commit = false;
        if (!send_whole(is_request ? link->server : link->client, bytes, (size_t)got))
            break;
    }
    free(bytes);
    close(link->client);
    close(link->server);
    free(link);
    return NULL;
}

static void *
proxy_main(void *arg)
{
    struct proxy *proxy = arg;
    pthread_t links[256];
    size_t count = 0;
    while (!atomic_load(&proxy->is_over)) {
        struct pollfd fd = { .fd = proxy->listener, .events = POLLIN };
        if (poll(&fd, 1, 50) <= 0 || count == ARVO_COUNT_OF(links))
            continue;
        struct proxy_link *link = calloc(1, sizeof(*link));
        if (link == NULL)
            break;
        link->proxy = proxy;
        link->client = accept(proxy->listener, NULL, NULL);
        link->server = proxy_dial(proxy);
        if (link->client < 0 || link->server < 0 ||
            pthread_create(&links[count], NULL, proxy_forward, link) != 0)
            break;
        count++;
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(links[i], NULL);
    return NULL;
}

static void
proxy_start(struct proxy *proxy)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    PQconninfoOption *options = PQconninfoParse(server_url(), NULL), *option;
    const char *host = NULL, *port = NULL;
    assert_non_null(options);
    for (option = options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "host") == 0)
            host = option->val;
        if (strcmp(option->keyword, "port") == 0)
            port = option->val;
    }
    (void)snprintf(proxy->server_path, sizeof(proxy->server_path), "%s/.s.PGSQL.%s", host, port);
    PQconninfoFree(options);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(proxy->listener, 64), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &len), 0);
    proxy->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&proxy->thread, NULL, proxy_main, proxy), 0);
}

static void
proxy_stop(struct proxy *proxy)
{
    atomic_store(&proxy->is_over, true);
    (void)pthread_join(proxy->thread, NULL);
    close(proxy->listener);
}

static arvo_memory *
open_by_proxy(const struct proxy *proxy)
{
    char url[URL_BYTES];
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    (void)snprintf(
        url, sizeof(url), "postgres://arvo@127.0.0.1:%d/arvo?schema=t%d_%d&sslmode=disable",
        proxy->port, (int)getppid(), schema_number);
    if (arvo_memory_open(url, &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return memory;
}

static void
test_postgres__lost_answer_of_a_commit_is_found_out(void **state)
{
    (void)state;
    struct proxy proxy = { .cut = CUT_NOTHING };
    proxy_start(&proxy);
    arvo_memory *memory = open_by_proxy(&proxy);
    uint64_t revision = 0, expected = 0;
    for (int i = 0; i < 20; i++) {
        arvo_error err = { 0 };
        /* The server did it, and nobody was told; or it never heard of it. */
        atomic_store(&proxy.cut, i % 2 == 0 ? CUT_ANSWER : CUT_REQUEST);
        if (step(memory, SUBJECT, "cut", &revision, &err) != ARVO_OK)
            fail_msg("%s", err.text);
        assert_int_equal(atomic_load(&proxy.cut), CUT_NOTHING); /* it was cut */
        assert_int_equal(revision, ++expected);
    }
    arvo_memory_close(memory);
    proxy_stop(&proxy);
    assert_int_equal(sql_number("SELECT revision FROM @.record"), 20);
    assert_exact();
}

/* The outcomes of a group whose answer was lost are each one's own. */
static void
test_postgres__lost_answer_of_a_refused_commit_is_found_out(void **state)
{
    (void)state;
    struct proxy proxy = { .cut = CUT_NOTHING };
    proxy_start(&proxy);
    arvo_memory *memory = open_by_proxy(&proxy);
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    const arvo_stored_event event = store_event("once");
    const arvo_commit commit = { .subject = SUBJECT, .consumed = &event };
    arvo_error err = { 0 };
    atomic_store(&proxy.cut, CUT_ANSWER);
    assert_int_equal(ops->commit(arvo_memory_self(memory), &commit, 1, &err), ARVO_OK);
    atomic_store(&proxy.cut, CUT_ANSWER);
    assert_int_equal(ops->commit(arvo_memory_self(memory), &commit, 1, &err), ARVO_E_EXISTS);
    assert_non_null(strstr(err.text, "consumed before"));
    arvo_memory_close(memory);
    proxy_stop(&proxy);
    assert_int_equal(sql_number("SELECT count(*) FROM @.event"), 1);
}

/* The question itself may be given up by the server; it is asked again over the same connection. */
static void
test_postgres__question_about_a_lost_answer_costs_one_connection(void **state)
{
    (void)state;
    struct proxy proxy = { .cut = CUT_NOTHING };
    proxy_start(&proxy);
    arvo_memory *memory = open_by_proxy(&proxy);
    static const char connections[] =
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'arvo' AND client_port IS NOT NULL";
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
    const int64_t before = sql_number(connections);
    (void)sql_number(
        "CREATE SEQUENCE @.asked; CREATE FUNCTION @.give_up() RETURNS trigger LANGUAGE plpgsql AS "
        "$$"
        "BEGIN IF NEW.epoch > OLD.epoch AND nextval('@.asked') < 5 THEN"
        " RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; RETURN NEW; END$$;"
        "CREATE TRIGGER give_up BEFORE UPDATE ON @.writer FOR EACH ROW EXECUTE FUNCTION "
        "@.give_up()");
    atomic_store(&proxy.cut, CUT_ANSWER);
    if (step(memory, SUBJECT, "e", &revision, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sql_number("SELECT last_value FROM @.asked"), 5);
    assert_true(sql_number(connections) <= before);
    arvo_memory_close(memory);
    proxy_stop(&proxy);
}

/* A call that hangs in the network must not happen after it was asked what came of it. */
static void
test_postgres__writer_that_was_asked_about_is_over(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
    assert_true(
        sql_number("WITH w AS (UPDATE @.writer SET epoch = epoch + 1 RETURNING 1)"
                   " SELECT count(*) FROM w") >= 1);
    /* Refused, and done under a new epoch. */
    assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
    assert_int_equal(revision, 2);
    arvo_memory_close(memory);
    assert_exact();
}

/* ---- Opening --------------------------------------------------------------------- */

static void
assert_refused(const char *url, arvo_status expected, const char *words)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_memory_open(url, &memory, &err);
    if (st != expected)
        fail_msg("%s, not %s: %s", arvo_status_name(st), arvo_status_name(expected), err.text);
    assert_null(memory);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.text, words);
    assert_null(strchr(err.text, '\n'));
    if (strstr(err.text, "s3cret") != NULL)
        fail_msg("a secret is shown: %s", err.text);
}

static void
test_postgres__what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    const char *tcp = getenv("ARVO_POSTGRES_TCP_URL");
    assert_non_null(tcp);
    char url[URL_BYTES];
    const char *at = strchr(tcp, '@'), *slash = strrchr(tcp, '/');
    (void)snprintf(url, sizeof(url), "postgres://arvo:s3cret%s", at);
    assert_refused(url, ARVO_E_IO, "password authentication failed");
    (void)snprintf(url, sizeof(url), "%.*s/nosuch", (int)(slash - tcp), tcp);
    assert_refused(url, ARVO_E_IO, "nosuch");
    assert_refused("postgres://u:s3cret@127.0.0.1:1/arvo", ARVO_E_IO, "refused");
    assert_refused("postgresql://u:s3cret@nosuch.invalid/arvo", ARVO_E_IO, "nosuch.invalid");
    assert_refused("postgres://u:s3cret@h:notaport/arvo", ARVO_E_IO, "");
    assert_refused("postgres://u:s3cret%zz@h/arvo", ARVO_E_INVALID, "not a PostgreSQL URL");
    assert_refused("postgres://u:s3cret@h/arvo?password=s3cret&nosuch=1", ARVO_E_INVALID, "schema");
    assert_refused("postgres:u:s3cret@h/arvo", ARVO_E_INVALID, "//");
    assert_refused("postgress://u:s3cret@h/arvo", ARVO_E_INVALID, "postgres");
    assert_refused("postgres://h/arvo?schema=A%22b", ARVO_E_INVALID, "schema");
    assert_refused("postgres://h/arvo?schema=public", ARVO_E_INVALID, "schema");
    assert_refused("postgres://h/arvo?pool=1", ARVO_E_INVALID, "pool");
    assert_refused("postgres://h/arvo?sync=normal", ARVO_E_INVALID, "full or server");
}

static void
test_postgres__other_schemas_and_versions_are_refused(void **state)
{
    (void)state;
    (void)sql_number("CREATE SCHEMA @; CREATE TABLE @.mine (n integer)");
    assert_refused(store_url(""), ARVO_E_CORRUPT, "another program");
    (void)sql_number("CREATE TABLE @.store (application text, version integer)");
    assert_refused(store_url(""), ARVO_E_CORRUPT, "does not say");
    schema_drop();
    arvo_memory_close(open_or_fail(""));
    (void)sql_number("UPDATE @.store SET version = 99");
    assert_refused(store_url(""), ARVO_E_VERSION, "99");
    (void)sql_number("UPDATE @.store SET version = 0");
    assert_refused(store_url(""), ARVO_E_VERSION, "arvo store migrate");
    (void)sql_number("UPDATE @.store SET version = 1");
    arvo_memory_close(open_or_fail(""));
}

static void
test_postgres__migration_is_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct postgres_migration broken[] = {
        { 1, 2, { "CREATE TABLE ~.more (n integer);", "SELECT no_such_function();" } }, { 0 }
    };
    static const struct postgres_migration good[] = {
        { 1, 2, { "CREATE TABLE ~.more (n integer);" } },
        { 2, 3, { "ALTER TABLE ~.more ADD COLUMN m integer;" } },
        { 0 },
    };
    arvo_memory *memory = open_or_fail("&migrate=on");
    struct postgres_store *store = arvo_memory_self(memory);
    arvo_error err = { 0 };
    assert_int_not_equal(arvo__pg_open_schema(store, broken, 2, &err), ARVO_OK);
    assert_int_equal(sql_number("SELECT version FROM @.store"), 1);
    assert_int_equal(sql_number("SELECT (to_regclass('@.more') IS NULL)::integer"), 1);
    store->is_migrating = false;
    assert_int_equal(arvo__pg_open_schema(store, good, 3, &err), ARVO_E_VERSION);
    store->is_migrating = true;
    if (arvo__pg_open_schema(store, good, 3, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sql_number("SELECT version FROM @.store"), 3);
    assert_int_equal(arvo__pg_open_schema(store, good, 9, &err), ARVO_E_VERSION);
    arvo_memory_close(memory);
}

static void
server_set(const char *setting)
{
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "ALTER SYSTEM SET %s", setting);
    (void)sql_number(sql);
    (void)sql_number("SELECT pg_reload_conf()");
    sleep_ms(200);
}

static void
test_postgres__server_that_forgets_is_not_called_durable(void **state)
{
    (void)state;
    server_set("fsync = off");
    assert_refused(store_url(""), ARVO_E_UNSUPPORTED, "fsync=off");
    arvo_memory *memory = open_or_fail("&sync=server");
    arvo_error err = { 0 };
    arvo_memory_close(memory);
    server_set("fsync = on");
    /* Set for everyone, it is not for us. */
    server_set("synchronous_commit = off");
    memory = open_or_fail("");
    (void)sql_number("CREATE TABLE @.seen AS SELECT ''::text AS v;"
                     "CREATE FUNCTION @.see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE "
                     "@.seen SET v = current_setting('synchronous_commit'); RETURN NULL; END$$;"
                     "CREATE TRIGGER see AFTER INSERT ON @.inbox EXECUTE FUNCTION @.see()");
    uint64_t revision = 0;
    assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
    arvo_memory_close(memory);
    assert_int_equal(sql_number("SELECT (v = 'on')::integer FROM @.seen"), 1);
    server_set("synchronous_commit = on");
}

/* ---- Tables ------------------------------------------------------------------------- */

static void
purge_all(arvo_memory *memory, const char *status, arvo_purged *out)
{
    arvo_error err = { 0 };
    const arvo_purge purge = { .status = arvo_str_from(status), .before_ms = INT64_MAX };
    if (arvo_memory_ops_of(memory)->purge(arvo_memory_self(memory), &purge, out, &err) != ARVO_OK)
        fail_msg("%s", err.text);
}

static bool
no_finding(void *user, arvo_str where, arvo_str what)
{
    (void)user;
    fail_msg("%.*s %.*s", ARVO_FMT(where), ARVO_FMT(what));
    return false;
}

static void
test_postgres__history_is_in_partitions_that_go_whole(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("&partition=1000");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_stored_event events[500];
    arvo_error err = { 0 };
    for (size_t i = 0; i < ARVO_COUNT_OF(events); i++)
        events[i] = store_event("many");
    for (int i = 0; i < 7; i++) {
        uint64_t revision = 0;
        assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
        const arvo_commit commit = { .subject = SUBJECT,
                                     .produced = events,
                                     .produced_count = 500 };
        if (ops->commit(arvo_memory_self(memory), &commit, 1, &err) != ARVO_OK)
            fail_msg("%s", err.text);
    }
    assert_int_equal(sql_number("SELECT count(*) FROM @.event_rest"), 0);
    assert_int_equal(sql_number("SELECT count(*) FROM @.event"), 7 * 502);
    assert_true(sql_number("SELECT count(*) FROM @.event_2") == 1000);
    assert_int_equal(ops->check(arvo_memory_self(memory), no_finding, NULL, &err), ARVO_OK);

    arvo_purged purged;
    purge_all(memory, "active", &purged);
    assert_int_equal(purged.instances, 0); /* its events wait in the outbox */
    (void)sql_number("DELETE FROM @.outbox");
    purge_all(memory, "active", &purged);
    assert_int_equal(purged.instances, 1);
    assert_int_equal(purged.events, 7 * 502);
    assert_false(purged.is_more);
    assert_int_equal(sql_number("SELECT (to_regclass('@.event_2') IS NULL)::integer"), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM @.inbox"), 0);
    assert_int_equal(ops->check(arvo_memory_self(memory), no_finding, NULL, &err), ARVO_OK);
    arvo_memory_close(memory);
}

static bool
count_findings(void *user, arvo_str where, arvo_str what)
{
    (void)where, (void)what;
    ++*(int *)user;
    return true;
}

static void
test_postgres__check_finds_what_is_wrong(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "DELETE FROM @.subject",
        "DELETE FROM @.inbox",
        "DELETE FROM @.event WHERE direction = 0",
        "DELETE FROM @.event WHERE direction = 1",
        "UPDATE @.subject SET subject = 'another'",
        "INSERT INTO @.dead SELECT seq, subject_id, 1, 0 FROM @.outbox",
        "UPDATE @.instance SET fence = 1000000",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(damages); i++) {
        arvo_memory *memory = open_or_fail("");
        uint64_t revision = 0;
        arvo_error err = { 0 };
        int findings = 0;
        assert_int_equal(step(memory, SUBJECT, "e", &revision, &err), ARVO_OK);
        (void)sql_number(damages[i]);
        assert_int_equal(
            arvo_memory_ops_of(memory)->check(
                arvo_memory_self(memory), count_findings, &findings, &err),
            ARVO_OK);
        if (findings == 0)
            fail_msg("nothing found after: %s", damages[i]);
        arvo_memory_close(memory);
        schema_drop();
    }
}

/* Key order, numbers and spaces come back as they were; SQL can ask for what is in them. */
static void
test_postgres__json_is_kept_as_it_was_and_can_be_asked(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    arvo_record record = store_record(SUBJECT), got = { 0 };
    record.state = ARVO_STR("{\"z\":1.0e2,\"a\":12345678901234567890,\"z\":{\"n\":7}}");
    arvo_lease lease;
    bool flag = false;
    arvo_error err = { 0 };
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_int_equal(take(memory, 0, &flag, &lease, &err), ARVO_OK);
    assert_int_equal(
        ops->write(arvo_memory_self(memory), SUBJECT, &record, NULL, &lease, &err), ARVO_OK);
    assert_int_equal(
        ops->read(arvo_memory_self(memory), SUBJECT, arena, &flag, &got, &err), ARVO_OK);
    store_assert_record_equal(&got, &record);
    assert_int_equal(sql_number("SELECT state -> 'z' ->> 'n' FROM @.record"), 7);
    arvo_arena_free(arena);
    arvo_memory_close(memory);
}

int
main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_postgres__##name, setup_schema, teardown_schema)
    const struct CMUnitTest tests[] = {
        CASE(threads_share_transactions),
        CASE(stale_commit_fails_alone),
        CASE(processes_on_one_subject_lose_no_update),
        CASE(lease_is_seen_by_other_stores),
        CASE(waiters_that_died_leave_no_rows),
        CASE(step_reads_its_own_rows_however_large_the_inbox),
        CASE(renewed_lease_lives_longer),
        CASE(group_is_asked_for_again_only_where_that_may_help),
        CASE(killed_connections_are_not_noticed),
        CASE(lost_answer_of_a_commit_is_found_out),
        CASE(lost_answer_of_a_refused_commit_is_found_out),
        CASE(question_about_a_lost_answer_costs_one_connection),
        CASE(writer_that_was_asked_about_is_over),
        CASE(what_cannot_be_opened_is_told),
        CASE(other_schemas_and_versions_are_refused),
        CASE(migration_is_whole_or_not_at_all),
        CASE(server_that_forgets_is_not_called_durable),
        CASE(history_is_in_partitions_that_go_whole),
        CASE(check_finds_what_is_wrong),
        CASE(json_is_kept_as_it_was_and_can_be_asked),
        CASE(server_crash_loses_and_doubles_nothing),
    };
    if (server_url() == NULL) {
        printf("ARVO_POSTGRES_URL names no server (tests/servers/run.py starts one): skipped\n");
        return 77;
    }
    (void)url_variable;
    return cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
}

#else

int
main(void)
{
    printf("built without PostgreSQL: skipped\n");
    return 77;
}

#endif
