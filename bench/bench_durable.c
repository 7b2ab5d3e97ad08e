/* Durable stores under load, beside a bare loop that writes the same bytes in the same batches to
 * the same place in the same run; rounds of both alternate, because disks are moody.
 *
 *     bench_durable [--only BACKEND] [--part PART] [--rounds N] [--instances N]
 *
 * A step is what one event costs the store: take the lease and read (lock_read), commit record,
 * consumed event, produced event and the release. In flight: so many threads, each of which waits
 * for the answer before its next step. --instances: how large the store of the last part is
 * (default 300,000; the promise is for 5,000,000, which takes some ten minutes and 15 GB).
 */

#include "durable.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arvo_config.h"
#include "durable_workflow.h"

#define SET         ((size_t)10000) /* instances that steps are taken of */
#define THREADS_MAX 1024
#define ROUND_NS    ((int64_t)600000000)
#define CONTENDERS  8
#define HOLDS       200 /* per contender */
#define ROUNDS_MAX  31

static const char state_text[] =
    "{\"status\":\"active\",\"error\":null,\"value\":\"awaitPayment\",\"historyValue\":{},"
    "\"context\":{\"orderId\":\"ord-20391\",\"amount\":1299.5,\"currency\":\"EUR\",\"customer\":"
    "{\"id\":\"c-81\",\"name\":\"Ada Lovelace\"},\"items\":[{\"sku\":\"A-1\",\"n\":2},{\"sku\":"
    "\"B-7\",\"n\":1}],\"paymentId\":null,\"approvals\":[],\"attempts\":1},\"children\":{}}";
static const char event_text[] =
    "{\"id\":\"1f0e6a1c-3a9b-4f4e-9d6d-0a2b7c9d8e11\",\"source\":\"arvo.orc.order\",\"type\":"
    "\"com.payment.charge\",\"subject\":\"eJw9j0FuwzAMBP/Cc1VLtmPJ9yJ9Q9ELLdExAVs0KDpIYOTvpZGi\","
    "\"datacontenttype\":\"application/"
    "cloudevents+json;charset=UTF-8;profile=arvo\",\"dataschema\":"
    "\"#/services/payment/1.0.0\",\"data\":{\"orderId\":\"ord-20391\",\"amount\":1299.5},\"time\":"
    "\"2024-01-01T00:00:00.000+00:00\",\"to\":\"com.payment.charge\",\"accesscontrol\":null,"
    "\"redirectto\":null,\"parentid\":null,\"executionunits\":1,\"traceparent\":null,"
    "\"tracestate\":null,\"domain\":null}";

static const struct durable_bytes usual = {
    .states = { { state_text, sizeof(state_text) - 1 }, { state_text, sizeof(state_text) - 1 } },
    .event = { event_text, sizeof(event_text) - 1 },
};

_Noreturn void
durable_die(const char *what, const arvo_error *err)
{
    fprintf(stderr, "bench_durable: %s: %s\n", what, err->text);
    exit(1);
}

/* The n-th part of 1000 of them; sorts them. */
static double
permille(double *values, size_t count, size_t n)
{
    bench_sort(values, count);
    return count > 0 ? values[(count - 1) * n / 1000] : 0;
}

struct opts {
    size_t rounds, instances;
};

/* ---- One thread's steps --------------------------------------------------- */

struct worker {
    const arvo_memory_ops *ops;
    void *self;
    const struct durable_bytes *bytes;
    size_t first, count; /* the instances it takes its steps of */
    size_t fixed_steps;  /* 0: until told to stop */
    const atomic_bool *stop;
    size_t steps;
    double *waits_us; /* nullable; of each step, or of each lock */
    size_t wait_count, wait_cap;
    uint64_t random;
    arvo_arena *arena;
    char subject[340], id[48];
    pthread_t thread;
};

static void
put_hex(char *out, uint64_t number)
{
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[number >> (4 * i) & 15];
}

static arvo_str
worker_subject(struct worker *w, size_t number)
{
    put_hex(w->subject + 64, number * 0x9e3779b97f4a7c15u);
    return (arvo_str){ w->subject, sizeof(w->subject) };
}

static void
worker_init(struct worker *w, arvo_memory *memory, const struct durable_bytes *bytes)
{
    static atomic_uint_fast64_t serial;
    memset(w, 0, sizeof(*w));
    w->ops = arvo_memory_ops_of(memory);
    w->self = arvo_memory_self(memory);
    w->bytes = bytes;
    w->random = 88172645463325252u + 7919 * atomic_fetch_add(&serial, 1);
    w->arena = arvo_arena_new(NULL);
    memset(w->subject, 'x', sizeof(w->subject));
    memcpy(w->subject, "eJw9j0FuwzAMBP/Cc1VLtmPJ9yJ9Q9EL", 32);
    memcpy(w->id, "1f0e6a1c-3a9b-4f-", 16);
    put_hex(w->id + 32, w->random);
    if (w->arena == NULL)
        exit(1);
}

static arvo_record
worker_record(const struct worker *w, arvo_str subject)
{
    return (arvo_record){
        .subject = subject,
        .orchestrator = ARVO_STR("arvo.orc.order"),
        .version = ARVO_STR("1.0.0"),
        .status = ARVO_STR("active"),
        .value = ARVO_STR("\"awaitPayment\""),
        .state = w->bytes->states[w->steps % 2],
        .definition = ARVO_STR("0123456789abcdef0123456789abcdef"),
    };
}

static void
worker_step(struct worker *w, size_t number)
{
    arvo_error err = { 0 };
    arvo_locked locked;
    const arvo_str subject = worker_subject(w, number);
    put_hex(w->id + 16, ++w->steps);
    const arvo_stored_event in = { .id = { w->id, sizeof(w->id) },
                                   .source = ARVO_STR("com.payment.charge"),
                                   .type = ARVO_STR("evt.payment.charge.success"),
                                   .domains = ARVO_STR("[\"default\"]"),
                                   .json = w->bytes->event };
    const arvo_stored_event out = { .id = ARVO_STR("1f0e6a1c-3a9b-4f4e-9d6d-0a2b7c9d8e11"),
                                    .source = ARVO_STR("arvo.orc.order"),
                                    .type = ARVO_STR("com.payment.charge"),
                                    .domains = ARVO_STR("[\"default\"]"),
                                    .json = w->bytes->event };
    const arvo_lock_request request = {
        .subject = subject, .source = in.source, .id = in.id, .ttl_ms = 30000, .wait_ms = 120000
    };
    if (w->ops->lock_read(w->self, &request, w->arena, &locked, &err) != ARVO_OK ||
        !locked.is_acquired)
        durable_die("lock", &err);
    const arvo_record record = worker_record(w, subject);
    const arvo_commit commit = { .subject = subject,
                                 .lease = &locked.lease,
                                 .release = true,
                                 .record = &record,
                                 .previous_revision =
                                     locked.has_record ? locked.record.revision : 0,
                                 .consumed = &in,
                                 .produced = &out,
                                 .produced_count = 1 };
    if (w->ops->commit(w->self, &commit, 1, &err) != ARVO_OK)
        durable_die("commit", &err);
    arvo_arena_reset(w->arena);
}

static void *
worker_run(void *arg)
{
    struct worker *w = arg;
    while (w->fixed_steps != 0 ? w->steps < w->fixed_steps : !atomic_load(w->stop)) {
        w->random ^= w->random << 13;
        w->random ^= w->random >> 7;
        w->random ^= w->random << 17;
        const int64_t start = bench_now_ns();
        worker_step(w, w->first + w->random % w->count);
        if (w->wait_count < w->wait_cap)
            w->waits_us[w->wait_count++] = (double)(bench_now_ns() - start) / 1e3;
    }
    return NULL;
}

/* ---- Many threads ------------------------------------------------------------ */

struct crowd {
    struct worker *workers;
    size_t count;
    atomic_bool stop;
    double cpu_us; /* of a step, in the last run */
};

static void
crowd_init(
    struct crowd *crowd, arvo_memory *memory, const struct durable_bytes *bytes, size_t count,
    size_t instances)
{
    crowd->workers = calloc(count, sizeof(crowd->workers[0]));
    crowd->count = count;
    if (crowd->workers == NULL)
        exit(1);
    for (size_t i = 0; i < count; i++) {
        struct worker *w = &crowd->workers[i];
        worker_init(w, memory, bytes);
        w->first = instances >= count ? i * (instances / count) : 0;
        w->count = instances >= count ? instances / count : instances;
        w->stop = &crowd->stop;
    }
}

static void
crowd_fini(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        arvo_arena_free(crowd->workers[i].arena);
    free(crowd->workers);
}

/* For about `ns`. Gives steps per second. */
static double
crowd_run(struct crowd *crowd, int64_t ns)
{
    const int64_t cpu = bench_cpu_ns();
    size_t before = 0, after = 0;
    atomic_store(&crowd->stop, false);
    for (size_t i = 0; i < crowd->count; i++)
        before += crowd->workers[i].steps;
    const int64_t start = bench_now_ns();
    for (size_t i = 0; i < crowd->count; i++) {
        if (pthread_create(&crowd->workers[i].thread, NULL, worker_run, &crowd->workers[i]) != 0)
            exit(1);
    }
    const struct timespec pause = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
    (void)nanosleep(&pause, NULL);
    atomic_store(&crowd->stop, true);
    for (size_t i = 0; i < crowd->count; i++) {
        (void)pthread_join(crowd->workers[i].thread, NULL);
        after += crowd->workers[i].steps;
    }
    crowd->cpu_us = (double)(bench_cpu_ns() - cpu) / 1e3 / (double)(after - before + 1);
    return (double)(after - before) * 1e9 / (double)(bench_now_ns() - start);
}

static arvo_memory *
open_store(const char *url)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    if (arvo_memory_open(url, &memory, &err) != ARVO_OK)
        durable_die("open", &err);
    return memory;
}

/* Instances first .. first + count - 1, many to a transaction. */
static void
fill(arvo_memory *memory, const struct durable_bytes *bytes, size_t first, size_t count)
{
    enum { MANY = 250 };
    static struct worker w;
    static char subjects[MANY][sizeof(w.subject)];
    arvo_lease leases[MANY];
    arvo_record records[MANY];
    arvo_commit commits[MANY];
    arvo_stored_event event;
    arvo_error err = { 0 };
    worker_init(&w, memory, bytes);
    event = (arvo_stored_event){ .id = ARVO_STR("start"),
                                 .source = ARVO_STR("com.shop"),
                                 .type = ARVO_STR("arvo.orc.order"),
                                 .domains = ARVO_STR("[\"default\"]"),
                                 .json = bytes->event };
    for (size_t done = 0; done < count;) {
        size_t n = 0;
        for (; n < MANY && done < count; n++, done++) {
            bool is_acquired = false;
            memcpy(subjects[n], worker_subject(&w, first + done).ptr, sizeof(subjects[n]));
            const arvo_str subject = { subjects[n], sizeof(subjects[n]) };
            if (w.ops->lock(w.self, subject, 60000, 0, &is_acquired, &leases[n], &err) != ARVO_OK)
                durable_die("lock", &err);
            records[n] = worker_record(&w, subject);
            commits[n] = (arvo_commit){ .subject = subject,
                                        .lease = &leases[n],
                                        .release = true,
                                        .record = &records[n],
                                        .consumed = &event };
        }
        if (w.ops->commit(w.self, commits, n, &err) != ARVO_OK)
            durable_die("commit", &err);
    }
    arvo_arena_free(w.arena);
}

struct counts {
    uint64_t commits, transactions;
};

/* Executions per transaction since the last time; 1 when the backend does not say. */
static double
mean_batch(const struct durable_backend *backend, arvo_memory *memory, struct counts *last)
{
    struct counts now = { 0 };
    if (backend->counts == NULL)
        return 1;
    backend->counts(memory, &now.commits, &now.transactions);
    const uint64_t transactions = now.transactions - last->transactions;
    const double batch =
        transactions > 0 ? (double)(now.commits - last->commits) / (double)transactions : 1;
    *last = now;
    return batch >= 1 ? batch : 1;
}

/* ---- Steps against the floor --------------------------------------------------- */

static double
floor_rate(
    const struct durable_backend *backend, const struct durable_bytes *bytes, size_t batch,
    double *out_cpu_us)
{
    size_t steps = 0;
    const int64_t cpu = bench_cpu_ns();
    const int64_t start = bench_now_ns();
    do {
        backend->floor_run(bytes, SET, batch, batch, NULL);
        steps += batch;
    } while (bench_now_ns() - start < ROUND_NS);
    *out_cpu_us = (double)(bench_cpu_ns() - cpu) / 1e3 / (double)steps;
    return (double)steps * 1e9 / (double)(bench_now_ns() - start);
}

static void
bench_steps(const struct durable_backend *backend, const struct opts *opts)
{
    const size_t rounds = opts->rounds;
    printf(
        "\n%s: steps per second, beside a bare loop with as many steps to a transaction\n",
        backend->name);
    printf("  in flight    steps/s   batch     floor   ratio   by full batches   ratio   CPU of a "
           "step, of the floor's\n");
    arvo_memory *memory = open_store(backend->fresh());
    fill(memory, &usual, 0, SET);
    backend->floor_open(&usual, SET);
    for (size_t k = 0; backend->limits[k].in_flight != 0; k++) {
        const size_t in_flight = backend->limits[k].in_flight;
        struct crowd crowd;
        struct counts stats = { 0 };
        double ours[ROUNDS_MAX], same[ROUNDS_MAX], full[ROUNDS_MAX], batches[ROUNDS_MAX];
        double cpu[ROUNDS_MAX], bare_cpu[ROUNDS_MAX];
        crowd_init(&crowd, memory, &usual, in_flight, SET);
        (void)crowd_run(&crowd, ROUND_NS / 4);
        (void)mean_batch(backend, memory, &stats);
        for (size_t i = 0; i < rounds; i++) {
            ours[i] = crowd_run(&crowd, ROUND_NS);
            cpu[i] = crowd.cpu_us;
            batches[i] = mean_batch(backend, memory, &stats);
            same[i] = floor_rate(backend, &usual, (size_t)(batches[i] + 0.5), &bare_cpu[i]);
            full[i] =
                in_flight > 1 ? floor_rate(backend, &usual, in_flight, &bare_cpu[i]) : same[i];
        }
        crowd_fini(&crowd);
        const double rate = permille(ours, rounds, 500), base = permille(same, rounds, 500),
                     most = permille(full, rounds, 500);
        printf(
            "  %9zu   %8.0f  %6.1f  %8.0f   %3.0f %% (limit %.0f)  %8.0f   %3.0f %%   %6.0f us "
            "%6.0f us\n",
            in_flight, rate, permille(batches, rounds, 500), base, 100 * rate / base,
            100 * backend->limits[k].ratio, most, 100 * rate / most, permille(cpu, rounds, 500),
            permille(bare_cpu, rounds, 500));
    }
    backend->floor_close();
    arvo_memory_close(memory);
}

static void
bench_latency(const struct durable_backend *backend, const struct opts *opts)
{
    const size_t rounds = opts->rounds;
    enum { COUNT = 200 };
    const size_t total = rounds * COUNT;
    double *ours = calloc(total, sizeof(ours[0])), *bare = calloc(total, sizeof(bare[0]));
    int64_t ns[COUNT];
    arvo_memory *memory = open_store(backend->fresh());
    fill(memory, &usual, 0, SET);
    backend->floor_open(&usual, SET);
    struct crowd crowd;
    crowd_init(&crowd, memory, &usual, 1, SET);
    struct worker *w = &crowd.workers[0];
    w->waits_us = ours;
    w->wait_cap = total;
    for (size_t i = 0; i < rounds; i++) {
        w->fixed_steps = w->steps + COUNT;
        (void)worker_run(w);
        backend->floor_run(&usual, SET, 1, COUNT, ns);
        for (size_t n = 0; n < COUNT; n++)
            bare[i * COUNT + n] = (double)ns[n] / 1e3;
    }
    const double p50 = permille(ours, total, 500), base = permille(bare, total, 500);
    printf(
        "\n%s: one at a time\n  step         p50 %6.0f us, p99 %6.0f us, p99.9 %6.0f us\n"
        "  bare         p50 %6.0f us, p99 %6.0f us, p99.9 %6.0f us: p50 %.2f x (limit 2)\n",
        backend->name, p50, permille(ours, total, 990), permille(ours, total, 999), base,
        permille(bare, total, 990), permille(bare, total, 999), p50 / base);
    crowd_fini(&crowd);
    free(ours);
    free(bare);
    backend->floor_close();
    arvo_memory_close(memory);
}

/* ---- The same subject ------------------------------------------------------------- */

static void
bench_contention(const struct durable_backend *backend, const struct opts *opts)
{
    const size_t rounds = opts->rounds;
    arvo_memory *memory = open_store(backend->fresh());
    struct crowd alone, many;
    double one[ROUNDS_MAX], all[ROUNDS_MAX];
    fill(memory, &usual, 0, 1);
    crowd_init(&alone, memory, &usual, 1, 1);
    crowd_init(&many, memory, &usual, 1000, 1);
    for (size_t i = 0; i < rounds; i++) {
        one[i] = crowd_run(&alone, ROUND_NS);
        all[i] = crowd_run(&many, 2 * ROUND_NS);
    }
    const double a = permille(one, rounds, 500), b = permille(all, rounds, 500);
    printf(
        "\n%s: one subject\n  alone %.0f steps/s, 1000 contenders %.0f steps/s: %.0f %% (limit "
        "50)\n",
        backend->name, a, b, 100 * b / a);
    crowd_fini(&alone);
    crowd_fini(&many);
    arvo_memory_close(memory);
}

/* Take it, keep it for a millisecond, give it back; how long the wait was. */
static void
contend(arvo_memory *memory, double *waits_us)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    const struct timespec hold = { .tv_nsec = 1000000 };
    for (size_t i = 0; i < HOLDS; i++) {
        arvo_error err = { 0 };
        arvo_lease lease;
        bool is_acquired = false;
        const int64_t start = bench_now_ns();
        if (ops->lock(
                arvo_memory_self(memory), ARVO_STR("contended"), 30000, 60000, &is_acquired, &lease,
                &err) != ARVO_OK ||
            !is_acquired)
            durable_die("lock", &err);
        waits_us[i] = (double)(bench_now_ns() - start) / 1e3;
        (void)nanosleep(&hold, NULL);
        if (ops->unlock(arvo_memory_self(memory), ARVO_STR("contended"), &lease, &err) != ARVO_OK)
            durable_die("unlock", &err);
    }
}

struct contender {
    arvo_memory *memory;
    double *waits_us;
    pthread_t thread;
};

static void *
contender_run(void *arg)
{
    struct contender *c = arg;
    contend(c->memory, c->waits_us);
    return NULL;
}

/* Without the first and last few of each, when not all are there. */
static void
print_waits(const char *where, double (*waits)[HOLDS])
{
    enum { EDGE = HOLDS / 20 };
    static double middle[CONTENDERS * HOLDS];
    size_t count = 0;
    for (size_t c = 0; c < CONTENDERS; c++) {
        for (size_t i = EDGE; i < HOLDS - EDGE; i++)
            middle[count++] = waits[c][i];
    }
    const double median = permille(middle, count, 500), longest = middle[count - 1];
    printf(
        "  %d in %-18s median %6.0f us, max %6.0f us: %.2f x (limit 3)\n", CONTENDERS, where,
        median, longest, longest / median);
}

static void
bench_fairness(const struct durable_backend *backend, const struct opts *opts)
{
    (void)opts;
    double(*waits)[HOLDS] = mmap(
        NULL, CONTENDERS * sizeof(*waits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
        0);
    const char *url = backend->fresh();
    if (waits == MAP_FAILED)
        exit(1);
    printf("\n%s: waits for a lease that each keeps for a millisecond\n", backend->name);
    arvo_memory_close(open_store(url));
    fflush(stdout);
    pid_t children[CONTENDERS];
    for (size_t i = 0; i < CONTENDERS; i++) {
        children[i] = fork();
        if (children[i] < 0)
            exit(1);
        if (children[i] == 0) {
            arvo_memory *memory = open_store(url);
            contend(memory, waits[i]);
            arvo_memory_close(memory);
            _exit(0);
        }
    }
    for (size_t i = 0; i < CONTENDERS; i++) {
        int status = 0;
        if (waitpid(children[i], &status, 0) < 0 || status != 0)
            exit(1);
    }
    print_waits("as many processes", waits);

    struct contender contenders[CONTENDERS];
    arvo_memory *memory = open_store(url);
    for (size_t i = 0; i < CONTENDERS; i++) {
        contenders[i] = (struct contender){ .memory = memory, .waits_us = waits[i] };
        if (pthread_create(&contenders[i].thread, NULL, contender_run, &contenders[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < CONTENDERS; i++)
        (void)pthread_join(contenders[i].thread, NULL);
    arvo_memory_close(memory);
    print_waits("one process", waits);
    (void)munmap(waits, CONTENDERS * sizeof(*waits));
}

/* ---- Sizes ------------------------------------------------------------------------- */

/* A megabyte of context costs what it costs to write a megabyte. */
static void
bench_large(const struct durable_backend *backend, const struct opts *opts)
{
    const size_t rounds = opts->rounds;
    enum { STEPS = 12, ROWS = 50, BYTES = 1 << 20 };
    struct durable_bytes large = usual;
    for (int i = 0; i < 2; i++) {
        char *text = malloc(BYTES);
        if (text == NULL)
            exit(1);
        memset(text, 'x' + i, BYTES);
        memcpy(text, "{\"context\":\"", 12);
        memcpy(text + BYTES - 2, "\"}", 2);
        large.states[i] = (arvo_str){ text, BYTES };
    }
    arvo_memory *memory = open_store(backend->fresh());
    fill(memory, &large, 0, ROWS);
    backend->floor_open(&large, ROWS);
    struct crowd crowd;
    crowd_init(&crowd, memory, &large, 1, ROWS);
    double ours[ROUNDS_MAX], bare[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++) {
        int64_t start = bench_now_ns();
        crowd.workers[0].fixed_steps = crowd.workers[0].steps + STEPS;
        (void)worker_run(&crowd.workers[0]);
        ours[i] = (double)(bench_now_ns() - start) / STEPS / 1e6;
        start = bench_now_ns();
        backend->floor_run(&large, ROWS, 1, STEPS, NULL);
        bare[i] = (double)(bench_now_ns() - start) / STEPS / 1e6;
    }
    const double a = permille(ours, rounds, 500), b = permille(bare, rounds, 500);
    printf(
        "\n%s: a context of 1 MiB\n  step %.2f ms, bare %.2f ms: %.2f x\n", backend->name, a, b,
        a / b);
    crowd_fini(&crowd);
    free((void *)(uintptr_t)large.states[0].ptr);
    free((void *)(uintptr_t)large.states[1].ptr);
    backend->floor_close();
    arvo_memory_close(memory);
}

static double
rate_over(arvo_memory *memory, size_t instances, size_t rounds)
{
    struct crowd crowd;
    double rates[ROUNDS_MAX];
    crowd_init(&crowd, memory, &usual, 16, instances);
    (void)crowd_run(&crowd, ROUND_NS);
    for (size_t i = 0; i < rounds; i++)
        rates[i] = crowd_run(&crowd, ROUND_NS);
    crowd_fini(&crowd);
    return permille(rates, rounds, 500);
}

static void
bench_scale(const struct durable_backend *backend, const struct opts *opts)
{
    const size_t rounds = opts->rounds, instances = opts->instances;
    const char *url = backend->fresh();
    arvo_memory *memory = open_store(url);
    fill(memory, &usual, 0, SET);
    arvo_memory_close(memory);
    printf("\n%s: what %zu instances, of one event each, take\n", backend->name, SET);
    if (backend->print_bytes != NULL)
        backend->print_bytes(url, SET, SET);
    memory = open_store(url);
    const double small = rate_over(memory, SET, rounds);
    const int64_t start = bench_now_ns();
    fill(memory, &usual, SET, instances - SET);
    const double seconds = (double)(bench_now_ns() - start) / 1e9;
    const double large = rate_over(memory, instances, rounds);
    printf(
        "%s: 16 in flight over all instances\n  %9zu instances %8.0f steps/s\n  %9zu instances "
        "%8.0f steps/s: %.2f x the cost (limit 1.3); made in %.0f s\n",
        backend->name, SET, small, instances, large, small / large, seconds);
    arvo_memory_close(memory);
}

/* ---- Workflows ------------------------------------------------------------------------ */

static void
bench_workflow(const struct durable_backend *backend, const struct opts *opts)
{
    const size_t rounds = opts->rounds;
    static const size_t in_flight[] = { 1, 16, 128 };
    printf(
        "\n%s: workflows of three steps through the orchestrator, event bytes to result\n",
        backend->name);
    for (size_t k = 0; k < ARVO_COUNT_OF(in_flight); k++) {
        double rates[ROUNDS_MAX], cpu_us = 0;
        arvo_memory *memory = open_store(backend->fresh());
        struct counts stats = { 0 };
        (void)mean_batch(backend, memory, &stats);
        for (size_t i = 0; i < rounds; i++)
            rates[i] =
                durable_workflow_run(memory, in_flight[k], in_flight[k] < 16 ? 150 : 3000, &cpu_us);
        const double batch = mean_batch(backend, memory, &stats);
        printf(
            "  %3zu in flight %8.0f steps/s, %.1f to a transaction, %.0f us of CPU%s\n",
            in_flight[k], permille(rates, rounds, 500), batch, cpu_us,
            in_flight[k] == 128 ? " (limit 10,000 for sqlite)" : "");
        arvo_memory_close(memory);
    }
}

static const struct {
    const char *name;
    void (*run)(const struct durable_backend *backend, const struct opts *opts);
} parts[] = {
    { "fairness", bench_fairness }, /* it forks, so before there are threads */
    { "steps", bench_steps },       { "latency", bench_latency },
    { "workflow", bench_workflow }, { "contention", bench_contention },
    { "large", bench_large },       { "scale", bench_scale },
};

int
main(int argc, char **argv)
{
    static const struct durable_backend *const backends[] = {
#ifdef ARVO_HAVE_SQLITE
        &durable_sqlite,
#endif
#ifdef ARVO_HAVE_REDIS
        &durable_redis,
#endif
        NULL,
    };
    struct opts opts = { .rounds = 7, .instances = 300000 };
    const char *only = NULL, *part = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "--part") == 0)
            part = argv[i + 1];
        else if (strcmp(argv[i], "--rounds") == 0)
            opts.rounds = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--instances") == 0)
            opts.instances = strtoull(argv[i + 1], NULL, 10);
        else
            argc = 0;
    }
    if (argc % 2 == 0 || opts.rounds == 0 || opts.rounds > ROUNDS_MAX || opts.instances < 2 * SET) {
        fprintf(
            stderr,
            "usage: bench_durable [--only BACKEND] [--part PART] [--rounds 1..%d] [--instances %zu "
            "or more]\n",
            ROUNDS_MAX, 2 * SET);
        return 2;
    }
    bench_print_machine();
    for (size_t i = 0; backends[i] != NULL; i++) {
        const struct durable_backend *backend = backends[i];
        const char *why = "";
        if (only != NULL && strcmp(only, backend->name) != 0)
            continue;
        if (!backend->is_there(&why)) {
            printf("\n%s: skipped: %s\n", backend->name, why);
            continue;
        }
        for (size_t k = 0; k < ARVO_COUNT_OF(parts); k++) {
            if (part == NULL || strcmp(part, parts[k].name) == 0)
                parts[k].run(backend, &opts);
        }
        backend->clean();
    }
    return 0;
}
