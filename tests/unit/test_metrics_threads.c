/* Metrics read by others while they are made: a store that hangs or fails, and a server whose
 * clients come while threads measure. */

#include "../support.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arvo/store_metrics.h>

/* ---- A store with a gate ----------------------------------------------------------------------
 */

typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    bool is_shut;
    arvo_status status;
    unsigned calls;
} gate;

static arvo_status
gate_stats(void *self, arvo_memory_stats *out, arvo_error *err)
{
    gate *g = self;
    (void)pthread_mutex_lock(&g->mutex);
    g->calls++;
    while (g->is_shut)
        (void)pthread_cond_wait(&g->moved, &g->mutex);
    const arvo_status status = g->status;
    (void)pthread_mutex_unlock(&g->mutex);
    *out = (arvo_memory_stats){ .now_ms = 20000,
                                .active = 3,
                                .done = 4,
                                .events = UINT64_MAX,
                                .outbox = 7,
                                .outbox_oldest_ms = 5500,
                                .dead_oldest_ms = -1,
                                .bytes = 4096,
                                .commits = 10,
                                .transactions = 2 };
    if (status != ARVO_OK)
        (void)arvo_error_set(err, status, ARVO_NO_OFFSET, "the disk is gone");
    return status;
}

static void
gate_move(gate *g, bool is_shut, arvo_status status)
{
    (void)pthread_mutex_lock(&g->mutex);
    g->is_shut = is_shut;
    g->status = status;
    (void)pthread_cond_broadcast(&g->moved);
    (void)pthread_mutex_unlock(&g->mutex);
}

static unsigned
gate_calls(gate *g)
{
    (void)pthread_mutex_lock(&g->mutex);
    const unsigned calls = g->calls;
    (void)pthread_mutex_unlock(&g->mutex);
    return calls;
}

static arvo_status
no_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *found, arvo_record *out, arvo_error *err)
{
    (void)self, (void)subject, (void)arena, (void)found, (void)out, (void)err;
    return ARVO_E_UNSUPPORTED;
}

static arvo_status
no_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    (void)self, (void)subject, (void)record, (void)previous, (void)lease, (void)err;
    return ARVO_E_UNSUPPORTED;
}

static arvo_status
no_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *acquired, arvo_lease *out,
    arvo_error *err)
{
    (void)self, (void)subject, (void)ttl_ms, (void)wait_ms, (void)acquired, (void)out, (void)err;
    return ARVO_E_UNSUPPORTED;
}

static arvo_status
no_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    (void)self, (void)subject, (void)lease, (void)err;
    return ARVO_E_UNSUPPORTED;
}

static arvo_memory *
gate_memory(gate *g, bool has_stats)
{
    const arvo_memory_ops ops = { .version = ARVO_MEMORY_OPS_VERSION,
                                  .name = "gate",
                                  .read = no_read,
                                  .write = no_write,
                                  .lock = no_lock,
                                  .unlock = no_unlock,
                                  .stats = has_stats ? gate_stats : NULL };
    arvo_memory *memory = NULL;
    arvo_error err;
    *g = (gate){ .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    if (arvo_memory_new(&ops, g, &memory, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return memory;
}

static void
assert_says(const arvo_metrics *metrics, const char *line, bool is_there)
{
    arvo_buf text = ARVO_BUF_INIT(1000000);
    arvo_metrics_write(metrics, ARVO_METRICS_PROMETHEUS, &text);
    arvo_buf_append_char(&text, '\0');
    assert_int_equal(text.status, ARVO_OK);
    if ((strstr(text.ptr, line) != NULL) != is_there)
        fail_msg("%s %s\n%s", line, is_there ? "is missing" : "is there", text.ptr);
    arvo_buf_fini(&text);
}

#define AN_HOUR (3600 * INT64_C(1000))

static void
test_metrics_threads__a_store_is_asked_when_somebody_reads(void **state)
{
    (void)state;
    gate g;
    arvo_memory *memory = gate_memory(&g, true);
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    arvo_store_metrics *store = NULL;
    const arvo_store_metrics_opts opts = {
        .memory = memory, .metrics = metrics, .fresh_ms = AN_HOUR, .wait_ms = AN_HOUR
    };
    assert_int_equal(arvo_store_metrics_new(&opts, &store, NULL), ARVO_OK);
    assert_int_equal(gate_calls(&g), 0);
    assert_says(metrics, "\narvo_store_up 1\n", true);
    assert_says(metrics, "\narvo_instances{status=\"active\"} 3\n", true);
    assert_says(metrics, "\narvo_instances{status=\"error\"} 0\n", true);
    assert_says(metrics, "\narvo_outbox_depth 7\n", true);
    assert_says(metrics, "\narvo_outbox_oldest_age_seconds 14.5\n", true);
    assert_says(metrics, "\narvo_store_bytes 4096\n", true);
    assert_says(metrics, "\narvo_store_commits_total 10\n", true);
    assert_says(metrics, "\narvo_store_transactions_total 2\n", true);
    assert_says(metrics, "arvo_store_events", false); /* the store does not know */
    assert_says(metrics, "arvo_dead_letter_oldest_age_seconds", false);
    assert_true(arvo_store_metrics_is_up(store, NULL));
    assert_int_equal(gate_calls(&g), 1); /* what it said is fresh */
    arvo_store_metrics_free(store);
    assert_says(metrics, "arvo_store_up", false);
    arvo_store_metrics_free(NULL);
    arvo_metrics_free(metrics);
    arvo_memory_close(memory);
}

/* That this test ends is the point: each reading goes on while the gate is shut. */
static void
test_metrics_threads__a_store_that_hangs_keeps_nobody_waiting(void **state)
{
    (void)state;
    gate g;
    arvo_memory *memory = gate_memory(&g, true);
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    arvo_store_metrics *store = NULL;
    arvo_error why;
    const arvo_store_metrics_opts opts = {
        .memory = memory, .metrics = metrics, .fresh_ms = 1, .wait_ms = 1, .slow_ms = 1
    };
    gate_move(&g, true, ARVO_OK);
    assert_int_equal(arvo_store_metrics_new(&opts, &store, NULL), ARVO_OK);
    assert_says(metrics, "arvo_outbox_depth", false);
    assert_says(metrics, "\narvo_store_up 0\n", true);
    assert_false(arvo_store_metrics_is_up(store, &why));
    assert_string_equal(why.text, "the store does not answer");
    assert_true(gate_calls(&g) <= 1); /* not once for each who reads */
    gate_move(&g, false, ARVO_OK);
    while (!arvo_store_metrics_is_up(store, NULL))
        (void)sched_yield();
    assert_says(metrics, "\narvo_outbox_depth 7\n", true);
    arvo_store_metrics_free(store);
    arvo_metrics_free(metrics);
    arvo_memory_close(memory);
}

static void
test_metrics_threads__a_store_that_fails_is_not_up(void **state)
{
    (void)state;
    gate g;
    arvo_memory *memory = gate_memory(&g, true);
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    arvo_store_metrics *store = NULL;
    arvo_error why;
    const arvo_store_metrics_opts opts = { .memory = memory,
                                           .metrics = metrics,
                                           .wait_ms = AN_HOUR };
    gate_move(&g, false, ARVO_E_IO);
    assert_int_equal(arvo_store_metrics_new(&opts, &store, NULL), ARVO_OK);
    assert_says(metrics, "\narvo_store_up 0\n", true);
    assert_says(metrics, "arvo_outbox_depth", false);
    assert_false(arvo_store_metrics_is_up(store, &why));
    assert_string_equal(why.text, "the disk is gone");
    arvo_store_metrics_free(store);
    arvo_memory_close(memory);

    memory = gate_memory(&g, false);
    const arvo_store_metrics_opts without = { .memory = memory, .metrics = metrics };
    assert_int_equal(arvo_store_metrics_new(&without, &store, &why), ARVO_E_UNSUPPORTED);
    arvo_metrics_free(metrics);
    arvo_memory_close(memory);
}

/* ---- A server ----------------------------------------------------------------------------------
 */

static unsigned
port_of(const arvo_metrics_server *server)
{
    return (unsigned)strtoul(strrchr(arvo_metrics_server_url(server), ':') + 1, NULL, 10);
}

/* What comes back for a request, up to the end of the connection; free(). */
static char *
ask(unsigned port, const char *request)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    size_t len = 0, cap = 1 << 16;
    char *text = malloc(cap + 1);
    for (ssize_t got; (got = recv(fd, text + len, cap - len, 0)) > 0;) {
        len += (size_t)got;
        if (len == cap)
            text = realloc(text, (cap *= 2) + 1);
    }
    text[len] = '\0';
    (void)close(fd);
    return text;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

typedef struct traffic {
    arvo_metrics *metrics;
    unsigned port;
    atomic_bool is_over;
} traffic;

static void *
measure_much(void *user)
{
    traffic *t = user;
    const arvo_telemetry *telemetry = arvo_metrics_telemetry(t->metrics);
    const arvo_trace_context trace = { { 1 }, { 2 }, ARVO_TRACE_SAMPLED };
    const arvo_labels labels = { .handler = ARVO_STR("h"), .trace = &trace };
    while (!atomic_load(&t->is_over))
        telemetry->measure(telemetry->self, ARVO_MEASURE_TOTAL_NS, 1000, &labels);
    return NULL;
}

static void *
read_much(void *user)
{
    traffic *t = user;
    for (unsigned i = 0; i < 10; i++) {
        char *text =
            ask(t->port, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                         "Accept: application/openmetrics-text\r\n\r\n");
        assert_memory_equal(text, "HTTP/1.1 200 ", 13);
        assert_string_equal(text + strlen(text) - 6, "# EOF\n");
        free(text);
    }
    return NULL;
}

static arvo_metrics_server *
serve_or_skip(const arvo_metrics_server_opts *opts)
{
    arvo_metrics_server *server = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_metrics_serve(opts, &server, &err);
    if (st == ARVO_E_UNSUPPORTED) {
        print_message("%s\n", err.text);
        skip();
    }
    if (st != ARVO_OK)
        fail_msg("%s", err.text);
    return server;
}

static void
test_metrics_threads__clients_come_while_threads_measure(void **state)
{
    (void)state;
    traffic t = { .metrics = arvo_metrics_new(NULL) };
    arvo_metrics_server *server =
        serve_or_skip(&(arvo_metrics_server_opts){ .metrics = t.metrics, .address = "0" });
    t.port = port_of(server);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < 2 ? measure_much : read_much, &t), 0);
    for (size_t i = 4; i-- > 0;) {
        if (i == 1)
            atomic_store(&t.is_over, true);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    arvo_metrics_server_close(server);
    arvo_metrics_server_close(NULL);
    arvo_metrics_free(t.metrics);
}

static bool
is_ill(void *user, arvo_error *why)
{
    (void)arvo_error_set(why, ARVO_E_IO, ARVO_NO_OFFSET, "%s", (const char *)user);
    return false;
}

static void
assert_answer(unsigned port, const char *request, const char *status, const char *end)
{
    char *text = ask(port, request);
    if (strncmp(text, status, strlen(status)) != 0 || strlen(text) < strlen(end) ||
        strcmp(text + strlen(text) - strlen(end), end) != 0)
        fail_msg("%s\n%s", request, text);
    free(text);
}

static void
test_metrics_threads__health_is_what_it_is_said_to_be(void **state)
{
    (void)state;
    static char line[] = "the store is on fire";
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    arvo_metrics_server_opts opts = { .metrics = metrics, .address = "127.0.0.1:0" };
    arvo_metrics_server *server = serve_or_skip(&opts);
    assert_answer(port_of(server), GET("/healthz"), "HTTP/1.1 200 ", "\r\n\r\nok\n");
    arvo_metrics_server_close(server);
    opts.is_healthy = is_ill;
    opts.user = line;
    server = serve_or_skip(&opts);
    assert_answer(
        port_of(server), GET("/healthz"), "HTTP/1.1 503 ", "\r\n\r\nthe store is on fire\n");
    assert_answer(port_of(server), GET("/metrics"), "HTTP/1.1 200 ", "\n");

    /* Another one finds the address taken. */
    arvo_metrics_server *other = NULL;
    arvo_error err;
    opts.address = arvo_metrics_server_url(server) + strlen("http://");
    assert_int_equal(arvo_metrics_serve(&opts, &other, &err), ARVO_E_IO);
    opts.address = "nowhere";
    assert_int_equal(arvo_metrics_serve(&opts, &other, &err), ARVO_E_INVALID);
    assert_null(other);
    arvo_metrics_server_close(server);
    arvo_metrics_free(metrics);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_threads__a_store_is_asked_when_somebody_reads),
        cmocka_unit_test(test_metrics_threads__a_store_that_hangs_keeps_nobody_waiting),
        cmocka_unit_test(test_metrics_threads__a_store_that_fails_is_not_up),
        cmocka_unit_test(test_metrics_threads__clients_come_while_threads_measure),
        cmocka_unit_test(test_metrics_threads__health_is_what_it_is_said_to_be),
    };
    return cmocka_run_group_tests_name("metrics_threads", tests, NULL, NULL);
}
