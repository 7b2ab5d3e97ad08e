/* The store in memory by itself: lock, read, commit. bench_durable.c has the others.
 *
 *     bench_memory [INSTANCES]
 *
 * Prints nanoseconds of CPU per cycle with 10^4 and with INSTANCES instances, on
 * one thread and on two, and bytes per idle instance against the bytes of its
 * record.
 */

#include <arvo/memory.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SUBJECT_BYTES 340
#define SMALL         ((size_t)10000)

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

/* Of this thread only: what others do on the machine costs nothing here. */
static int64_t
cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static size_t
resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    (void)fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void
die(const char *what, const arvo_error *err)
{
    fprintf(stderr, "bench_memory: %s: %s\n", what, err->text);
    exit(1);
}

/* ---- The cycle --------------------------------------------------------- */

struct bench {
    arvo_memory *memory;
    arvo_arena *arena;
    char subject[SUBJECT_BYTES];
    char id[40];
    uint64_t ids;
    size_t record_bytes;
};

static void
bench_init(struct bench *b, arvo_memory *memory)
{
    memset(b, 0, sizeof(*b));
    b->memory = memory;
    b->arena = arvo_arena_new(NULL);
    memset(b->subject, 'x', sizeof(b->subject));
    memcpy(b->subject, "eJw9j0FuwzAMBP/Cc1VLtmPJ9yJ9Q9EL", 32);
    memcpy(b->id, "1f0e6a1c-3a9b-4f4e-x", 20);
    if (b->arena == NULL)
        exit(1);
}

static void
put_hex(char *out, uint64_t number)
{
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[number >> (4 * i) & 15];
}

static void
cycle(struct bench *b, uint64_t number)
{
    const arvo_memory_ops *ops = arvo_memory_ops_of(b->memory);
    void *self = arvo_memory_self(b->memory);
    arvo_error err = { 0 };
    arvo_lease lease;
    arvo_record before;
    bool flag = false;

    put_hex(b->subject + 64, number); /* in the middle, where real subjects differ */
    put_hex(b->id + 20, b->ids++);
    const arvo_record record = {
        .subject = { b->subject, sizeof(b->subject) },
        .parent_subject = ARVO_STR_NONE,
        .orchestrator = ARVO_STR("arvo.orc.order"),
        .version = ARVO_STR("1.0.0"),
        .status = ARVO_STR("active"),
        .value = ARVO_STR("\"awaitPayment\""),
        .state = { state_text, sizeof(state_text) - 1 },
        .definition = ARVO_STR("0123456789abcdef0123456789abcdef"),
    };
    const arvo_stored_event in = { .id = arvo_str_from(b->id),
                                   .source = ARVO_STR("com.payment.charge"),
                                   .type = ARVO_STR("evt.payment.charge.success"),
                                   .domains = ARVO_STR("[\"default\"]"),
                                   .json = { event_text, sizeof(event_text) - 1 } };
    const arvo_stored_event out = { .id = ARVO_STR("1f0e6a1c-3a9b-4f4e-9d6d-0a2b7c9d8e11"),
                                    .source = ARVO_STR("arvo.orc.order"),
                                    .type = ARVO_STR("com.payment.charge"),
                                    .domains = ARVO_STR("[\"default\"]"),
                                    .json = { event_text, sizeof(event_text) - 1 } };

    if (ops->lock(self, record.subject, 30000, 5000, &flag, &lease, &err) != ARVO_OK || !flag)
        die("lock", &err);
    if (ops->read(self, record.subject, b->arena, &flag, &before, &err) != ARVO_OK)
        die("read", &err);
    const arvo_commit commit = { .subject = record.subject,
                                 .lease = &lease,
                                 .release = true,
                                 .record = &record,
                                 .previous_revision = flag ? before.revision : 0,
                                 .consumed = &in,
                                 .produced = &out,
                                 .produced_count = 1 };
    if (ops->commit(self, &commit, 1, &err) != ARVO_OK)
        die("commit", &err);
    arvo_arena_reset(b->arena);
    if (b->record_bytes == 0) {
        arvo_buf json = ARVO_BUF_INIT(ARVO_RECORD_BYTES_MAX);
        arvo_record_write(&record, &json);
        b->record_bytes = json.len;
        arvo_buf_fini(&json);
    }
}

/* Cycles over `instances` in an order that no cache foresees. Nanoseconds per cycle: the median of
 * ten batches, so that a neighbour on the machine does not decide. */
static double
run(struct bench *b, int64_t (*clock_ns)(void), uint64_t first, size_t instances, size_t cycles)
{
    uint64_t x = 88172645463325252u + first;
    double batches[10];
    for (size_t k = 0; k < ARVO_COUNT_OF(batches); k++) {
        const size_t batch = cycles / ARVO_COUNT_OF(batches) + 1;
        const int64_t start = clock_ns();
        for (size_t i = 0; i < batch; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            cycle(b, first + x % instances);
        }
        batches[k] = (double)(clock_ns() - start) / (double)batch;
    }
    bench_sort(batches, ARVO_COUNT_OF(batches));
    return batches[ARVO_COUNT_OF(batches) / 2];
}

/* ---- memory: ----------------------------------------------------------- */

struct half {
    struct bench bench;
    uint64_t first;
    size_t instances, cycles;
    pthread_t thread;
};

static void *
half_run(void *arg)
{
    struct half *half = arg;
    (void)run(&half->bench, bench_now_ns, half->first, half->instances, half->cycles);
    return NULL;
}

static double
run_two_threads(arvo_memory *memory, size_t instances, size_t cycles)
{
    static struct half halves[2];
    const int64_t start = bench_now_ns();
    for (size_t i = 0; i < 2; i++) {
        bench_init(&halves[i].bench, memory);
        halves[i].bench.ids = (i + 1) << 40;
        halves[i].first = i * instances / 2;
        halves[i].instances = instances / 2;
        halves[i].cycles = cycles;
        if (pthread_create(&halves[i].thread, NULL, half_run, &halves[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < 2; i++) {
        (void)pthread_join(halves[i].thread, NULL);
        arvo_arena_free(halves[i].bench.arena);
    }
    return (double)(bench_now_ns() - start) / (double)(2 * cycles);
}

static void
bench_simple(const char *url, size_t instances)
{
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    static struct bench b;
    const size_t before = resident_bytes();
    if (arvo_memory_open(url, &memory, &err) != ARVO_OK)
        die("open", &err);
    bench_init(&b, memory);
    for (size_t i = 0; i < SMALL; i++)
        cycle(&b, i);
    const double small = run(&b, cpu_ns, 0, SMALL, 300000);
    int64_t start = cpu_ns();
    for (size_t i = SMALL; i < instances; i++)
        cycle(&b, i);
    const double create = (double)(cpu_ns() - start) / (double)(instances - SMALL + 1);
    const double bytes = (double)(resident_bytes() - before) / (double)instances;
    const double large = run(&b, cpu_ns, 0, instances, 300000);
    start = bench_now_ns();
    (void)run(&b, bench_now_ns, 0, instances, 300000);
    const double one = (double)(bench_now_ns() - start) / 300000;
    const double two = run_two_threads(memory, instances, 300000);

    printf("%s, lock + read + commit, %zu-byte record, 1 event in, 1 out\n", url, b.record_bytes);
    printf("  %10zu instances   %7.0f ns of CPU per cycle\n", SMALL, small);
    printf(
        "  %10zu instances   %7.0f ns of CPU per cycle, %.2f x\n", instances, large, large / small);
    printf("  %10zu created     %7.0f ns of CPU per cycle\n", instances - SMALL, create);
    printf(
        "  two threads            %7.0f ns per cycle by the clock, %.2f x the rate of one\n", two,
        one / two);
    printf(
        "  bytes per instance     %7.0f = record %+.0f (resident memory, outcomes included)\n\n",
        bytes, bytes - (double)b.record_bytes);
    arvo_arena_free(b.arena);
    arvo_memory_close(memory);
}

int
main(int argc, char **argv)
{
    const size_t instances = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    if (instances < 2 * SMALL) {
        fprintf(stderr, "usage: bench_memory [INSTANCES >= %zu]\n", 2 * SMALL);
        return 2;
    }
    bench_simple("memory:", instances);
    return 0;
}
