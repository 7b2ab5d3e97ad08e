/* The Redis store under several hands: the server killed, connections cut, scripts forgotten,
 * processes killed, and threads and processes at once. */

#include "redis_fixture.h"

#ifdef ARVO_HAVE_REDIS

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>

#define SERVER_KILLS 5
#define KILL_ROUNDS  12
#define PER_PROCESS  60
#define THREADS      8
#define PER_THREAD   25
#define CUTS         40

/* What has to be in the store after `steps` steps of SUBJECT, and nothing besides. */
static void
assert_steps(uint64_t steps)
{
    assert_int_equal(server_say("HGET {arvo}:rec:1 revision"), (long long)steps);
    assert_int_equal(server_say("XLEN {arvo}:event"), (long long)(2 * steps));
    assert_int_equal(server_say("ZCARD {arvo}:outbox"), (long long)steps);
    assert_int_equal(server_say("HLEN {arvo}:inbox:1"), (long long)steps);
    assert_int_equal(server_say("LLEN {arvo}:hist:1"), (long long)(2 * steps));
    assert_int_equal(server_say("ZCARD {arvo}:queue:1"), (long long)steps);
}

/* One step, however often it takes: an answer may be lost together with its connection. */
static void
step_surely(arvo_memory *memory, uint64_t *out_revision)
{
    arvo_error err = { 0 };
    for (int i = 0; i < 100; i++) {
        const uint64_t before = revision_of(memory, SUBJECT);
        const arvo_status st = step(memory, SUBJECT, out_revision, &err);
        if (st == ARVO_OK)
            return;
        if (revision_of(memory, SUBJECT) == before + 1) { /* it was written all the same */
            *out_revision = before + 1;
            return;
        }
    }
    fail_msg("%s", err.text);
}

/* ---- A server that dies ------------------------------------------------ */

struct pusher {
    arvo_memory *memory;
    atomic_bool is_over;
    uint64_t acknowledged;
    size_t unknown;
    pthread_t thread;
};

static void *
push(void *arg)
{
    struct pusher *me = arg;
    while (!atomic_load(&me->is_over)) {
        uint64_t revision = 0;
        arvo_error err = { 0 };
        const arvo_status st = step(me->memory, SUBJECT, &revision, &err);
        if (st == ARVO_OK)
            me->acknowledged = revision;
        else
            me->unknown++;
    }
    return NULL;
}

static void
test_redis_processes__killed_server_loses_nothing_acknowledged(void **state)
{
    (void)state;
    struct pusher me = { .memory = open_or_fail("?timeout=2000") };
    uint64_t revision = 0;
    step_surely(me.memory, &revision);
    for (int i = 0; i < SERVER_KILLS; i++) {
        atomic_store(&me.is_over, false);
        assert_int_equal(pthread_create(&me.thread, NULL, push, &me), 0);
        (void)usleep(100000 + 7000 * (unsigned)i);
        server_do("crash"); /* in the middle of whatever it does */
        server_do("start");
        (void)usleep(100000);
        atomic_store(&me.is_over, true);
        (void)pthread_join(me.thread, NULL);
        const uint64_t stored = revision_of(me.memory, SUBJECT);
        assert_true(stored == me.acknowledged || (me.unknown > 0 && stored == me.acknowledged + 1));
        assert_steps(stored);
    }
    assert_true(me.acknowledged > SERVER_KILLS);
    arvo_memory_close(me.memory);
}

static void
test_redis_processes__server_that_is_away_is_told_in_time(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("?timeout=300");
    uint64_t revision = 0;
    arvo_error err = { 0 };
    step_surely(memory, &revision);
    server_do("stop");
    assert_int_equal(step(memory, SUBJECT, &revision, &err), ARVO_E_IO);
    assert_non_null(strstr(err.text, "cannot be reached"));
    server_do("start");
    assert_int_equal(step(memory, SUBJECT, &revision, &err), ARVO_OK);
    server_do("freeze");
    const arvo_status st = step(memory, SUBJECT, &revision, &err);
    server_do("thaw");
    assert_true(st == ARVO_E_TIMEOUT || st == ARVO_E_IO); /* while connecting, or later */
    step_surely(memory, &revision);
    assert_steps(revision);
    arvo_memory_close(memory);
}

static void
test_redis_processes__forgotten_scripts_are_sent_again(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    for (uint64_t i = 1; i <= 5; i++) {
        uint64_t revision = 0;
        arvo_error err = { 0 };
        if (step(memory, SUBJECT, &revision, &err) != ARVO_OK)
            fail_msg("%s", err.text);
        assert_int_equal(revision, i);
        (void)server_say("SCRIPT FLUSH");
    }
    assert_steps(5);
    arvo_memory_close(memory);
}

/* ---- Connections that break -------------------------------------------- */

/* Between the store and the server; drops one connection in the middle of an answer, or in front of
 * it, when it is told to. */
struct proxy {
    int listener, port;
    atomic_int cut_after; /* bytes of answers to let through before a cut; -1: no cut */
    atomic_int cuts;
    atomic_bool is_over;
    pthread_t thread;
};

struct pipe_ends {
    int client, server;
};

static void
pipe_close(struct pipe_ends *ends)
{
    (void)close(ends->client);
    (void)close(ends->server);
    *ends = (struct pipe_ends){ -1, -1 };
}

/* false: an end is closed. */
static bool
pipe_move(struct proxy *proxy, struct pipe_ends *ends, bool from_server)
{
    char bytes[4096];
    const ssize_t got = read(from_server ? ends->server : ends->client, bytes, sizeof(bytes));
    if (got <= 0)
        return false;
    ssize_t put = got;
    if (from_server && atomic_load(&proxy->cut_after) >= 0) {
        const int left = atomic_fetch_sub(&proxy->cut_after, (int)got);
        if (left < got) {
            atomic_store(&proxy->cut_after, -1);
            atomic_fetch_add(&proxy->cuts, 1);
            put = left;
        }
    }
    if (send(from_server ? ends->client : ends->server, bytes, (size_t)put, MSG_NOSIGNAL) != put)
        return false;
    return put == got;
}

static int
proxy_reach(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)server_port()),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

#define PIPES 8

static void *
proxy_run(void *arg)
{
    struct proxy *proxy = arg;
    struct pipe_ends pipes[PIPES];
    for (size_t i = 0; i < PIPES; i++)
        pipes[i] = (struct pipe_ends){ -1, -1 };
    while (!atomic_load(&proxy->is_over)) {
        struct pollfd fds[1 + 2 * PIPES] = { { .fd = proxy->listener, .events = POLLIN } };
        for (size_t i = 0; i < PIPES; i++) {
            fds[1 + 2 * i] = (struct pollfd){ .fd = pipes[i].client, .events = POLLIN };
            fds[2 + 2 * i] = (struct pollfd){ .fd = pipes[i].server, .events = POLLIN };
        }
        if (poll(fds, ARVO_COUNT_OF(fds), 20) <= 0)
            continue;
        for (size_t i = 0; i < PIPES; i++) {
            if (pipes[i].client >= 0 &&
                ((fds[1 + 2 * i].revents != 0 && !pipe_move(proxy, &pipes[i], false)) ||
                 (fds[2 + 2 * i].revents != 0 && !pipe_move(proxy, &pipes[i], true))))
                pipe_close(&pipes[i]);
        }
        if (fds[0].revents != 0) {
            const int client = accept(proxy->listener, NULL, NULL), server = proxy_reach();
            size_t i = 0;
            while (i < PIPES && pipes[i].client >= 0)
                i++;
            if (i < PIPES && client >= 0 && server >= 0) {
                pipes[i] = (struct pipe_ends){ client, server };
            } else {
                (void)close(client);
                (void)close(server);
            }
        }
    }
    for (size_t i = 0; i < PIPES; i++) {
        if (pipes[i].client >= 0)
            pipe_close(&pipes[i]);
    }
    return NULL;
}

static void
proxy_start(struct proxy *proxy)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    *proxy = (struct proxy){ .listener = socket(AF_INET, SOCK_STREAM, 0), .cut_after = -1 };
    assert_true(proxy->listener >= 0);
    assert_int_equal(bind(proxy->listener, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(proxy->listener, 16), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&at, &len), 0);
    proxy->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&proxy->thread, NULL, proxy_run, proxy), 0);
}

static void
proxy_stop(struct proxy *proxy)
{
    atomic_store(&proxy->is_over, true);
    (void)pthread_join(proxy->thread, NULL);
    (void)close(proxy->listener);
}

static struct proxy *cut_proxy;
static int cut_bytes;

static void
cut_next(void)
{
    atomic_store(&cut_proxy->cut_after, cut_bytes);
}

/* Cut at every place of the answers to lock and commit: each event has one effect, and the step
 * that was cut succeeds all the same. */
static void
test_redis_processes__cut_connections_lose_and_double_nothing(void **state)
{
    (void)state;
    struct proxy proxy;
    char url[URL_BYTES];
    proxy_start(&proxy);
    (void)snprintf(
        url, sizeof(url), "redis://:%s@127.0.0.1:%d?timeout=3000", getenv("ARVO_REDIS_PASSWORD"),
        proxy.port);
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(url, &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    for (uint64_t i = 0; i < CUTS; i++) {
        uint64_t revision = 0;
        if (i % 2 == 0) {
            atomic_store(&proxy.cut_after, (int)i * 5); /* in the answer to lock_read */
        } else {
            cut_proxy = &proxy;
            cut_bytes = (int)i / 2 % 9; /* in that to commit, of 11 bytes */
            before_commit = cut_next;
        }
        if (step(memory, SUBJECT, &revision, &err) != ARVO_OK)
            fail_msg("cut %d: %s", (int)i, err.text);
        before_commit = NULL;
        assert_int_equal(revision, i + 1);
        assert_int_equal(proxy.cuts, i + 1);
    }
    assert_steps(CUTS);
    /* Events alone leave neither a revision nor an inbox entry. */
    for (int i = 0; i < 5; i++) {
        const arvo_stored_event out = store_event("alone");
        const arvo_commit commit = { .subject = ARVO_STR("alone"),
                                     .produced = &out,
                                     .produced_count = 1 };
        atomic_store(&proxy.cut_after, i);
        const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
        if (ops->commit(arvo_memory_self(memory), &commit, 1, &err) != ARVO_OK)
            fail_msg("%s", err.text);
    }
    assert_int_equal(server_say("ZCARD {arvo}:queue:2"), 5);
    arvo_memory_close(memory);
    proxy_stop(&proxy);
}

/* ---- Processes --------------------------------------------------------- */

static void
commit_for_ever(int fd)
{
    arvo_memory *memory = open_or_fail("");
    for (;;) {
        uint64_t revision = 0;
        arvo_error err = { 0 };
        if (step(memory, SUBJECT, &revision, &err) != ARVO_OK) {
            fprintf(stderr, "%s\n", err.text);
            _exit(4);
        }
        if (write(fd, &revision, sizeof(revision)) != (ssize_t)sizeof(revision))
            _exit(5);
    }
}

static void
test_redis_processes__killed_process_loses_nothing_acknowledged(void **state)
{
    (void)state;
    uint64_t acknowledged = 0;
    unsigned seed = 4711;
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
        seed = seed * 1103515245u + 12345u;
        const unsigned steps = seed / 65536u % 10u + 1u;
        uint64_t revision = 0;
        for (unsigned i = 0; i < steps; i++)
            assert_int_equal(read(fds[0], &acknowledged, sizeof(revision)), sizeof(revision));
        (void)usleep(seed % 1500u);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(fds[0], &revision, sizeof(revision)) == sizeof(revision))
            acknowledged = revision;
        close(fds[0]);
        (void)usleep(2000); /* what it had sent is done by then */
        const uint64_t stored = (uint64_t)server_say("HGET {arvo}:rec:1 revision");
        assert_true(stored == acknowledged || stored == acknowledged + 1);
        assert_steps(stored);
        (void)server_say("DEL {arvo}:lease"); /* instead of 30 s until the lease ends */
    }
}

static void
test_redis_processes__processes_lose_no_update(void **state)
{
    (void)state;
    pid_t children[3];
    for (size_t i = 0; i < ARVO_COUNT_OF(children); i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            arvo_memory *memory = open_or_fail("");
            for (int k = 0; k < PER_PROCESS; k++) {
                uint64_t revision = 0;
                arvo_error err = { 0 };
                if (step(memory, SUBJECT, &revision, &err) != ARVO_OK) {
                    fprintf(stderr, "%s\n", err.text);
                    _exit(1);
                }
            }
            arvo_memory_close(memory);
            _exit(0);
        }
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(children); i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_steps(ARVO_COUNT_OF(children) * PER_PROCESS);
}

/* ---- Threads ----------------------------------------------------------- */

struct worker {
    arvo_memory *memory;
    size_t index;
    pthread_t thread;
};

/* Steps of a subject of its own and of one that all share, in turn. */
static void *
thread_steps(void *arg)
{
    struct worker *me = arg;
    char own[32];
    (void)snprintf(own, sizeof(own), "own-%zu", me->index);
    for (int i = 0; i < PER_THREAD; i++) {
        uint64_t revision = 0;
        arvo_error err = { 0 };
        if (step(me->memory, arvo_str_from(own), &revision, &err) != ARVO_OK ||
            step(me->memory, SUBJECT, &revision, &err) != ARVO_OK) {
            fprintf(stderr, "%s\n", err.text);
            return NULL;
        }
    }
    return me;
}

static void
test_redis_processes__threads_share_connections(void **state)
{
    (void)state;
    struct worker workers[THREADS];
    arvo_memory *memory = open_or_fail("");
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .memory = memory, .index = i };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, thread_steps, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *got = NULL;
        (void)pthread_join(workers[i].thread, &got);
        assert_non_null(got);
    }
    assert_int_equal(revision_of(memory, SUBJECT), THREADS * PER_THREAD);
    assert_int_equal(revision_of(memory, ARVO_STR("own-3")), PER_THREAD);
    assert_int_equal(server_say("XLEN {arvo}:event"), 4 * THREADS * PER_THREAD);
    arvo_memory_stats stats = { 0 };
    assert_int_equal(
        arvo_memory_ops_of(memory)->stats(arvo_memory_self(memory), &stats, NULL), ARVO_OK);
    assert_int_equal(stats.active, THREADS + 1);
    assert_int_equal(stats.outbox, 2 * THREADS * PER_THREAD);
    assert_int_equal(stats.commits, 2 * THREADS * PER_THREAD);
    assert_true(stats.transactions > 0 && stats.transactions <= stats.commits);
    assert_int_equal(stats.leases, 0);
    arvo_memory_close(memory);
}

int
main(void)
{
    if (getenv("ARVO_REDIS_URL") == NULL) {
        printf("there is no server: run this under tests/servers/run.py redis: skipped\n");
        return 77;
    }
#define CASE(name) cmocka_unit_test_setup(test_redis_processes__##name, setup_empty)
    const struct CMUnitTest tests[] = {
        CASE(killed_server_loses_nothing_acknowledged),
        CASE(server_that_is_away_is_told_in_time),
        CASE(forgotten_scripts_are_sent_again),
        CASE(cut_connections_lose_and_double_nothing),
        CASE(killed_process_loses_nothing_acknowledged),
        CASE(processes_lose_no_update),
        CASE(threads_share_connections),
    };
    return cmocka_run_group_tests_name("redis processes", tests, NULL, NULL);
}

#else

int
main(void)
{
    printf("built without Redis: skipped\n");
    return 77;
}

#endif
