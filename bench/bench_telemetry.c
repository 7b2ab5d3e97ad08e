/* What it costs to be seen: the events of the purchase workflow through the ten steps, with no
 * telemetry, with metrics, and with traces of 1 % and of all of them on their way to a collector.
 *
 *     bench_telemetry [APP_DIR START_EVENT [INSTANCES]]
 *
 * The collector is a process of this program that reads requests and says yes. All four take turns
 * in rounds, so that what else the machine does falls on all of them; the ratios are medians of the
 * rounds'.
 */

#include <arvo/arvo.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/internal.h"
#include "bench.h"
#include "play.h"

#define ROUNDS   7
#define FLUSH_MS 10000

/* ---- The collector ------------------------------------------------------------------------ */

static const char *
header_find(const char *headers, const char *name)
{
    const char *found = strcasestr(headers, name);
    return found != NULL ? found + strlen(name) : NULL;
}

static bool
say(int peer, const char *text)
{
    return write(peer, text, strlen(text)) == (ssize_t)strlen(text);
}

/* One request after the other, until the client goes. */
static void
collector_serve(int peer)
{
    static char buf[1 << 16];
    size_t have = 0;
    for (;;) {
        buf[have] = '\0';
        char *end = strstr(buf, "\r\n\r\n");
        if (end == NULL) {
            const ssize_t got = read(peer, buf + have, sizeof(buf) - 1 - have);
            if (got <= 0)
                return;
            have += (size_t)got;
            continue;
        }
        *end = '\0';
        const char *length = header_find(buf, "\r\ncontent-length:");
        size_t left = length != NULL ? strtoul(length, NULL, 10) : 0;
        if (header_find(buf, "\r\nexpect:") != NULL && !say(peer, "HTTP/1.1 100 Continue\r\n\r\n"))
            return;
        const size_t body = have - (size_t)(end + 4 - buf);
        left -= body < left ? body : left;
        while (left > 0) {
            const ssize_t got = read(peer, buf, left < sizeof(buf) ? left : sizeof(buf));
            if (got <= 0)
                return;
            left -= (size_t)got;
        }
        have = 0; /* the client waits for its answer before it sends the next */
        if (!say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
            return;
    }
}

/* Its address in `url`; it ends with us. */
static pid_t
collector_start(char *url, size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
        listen(listener, 8) != 0 || getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        play_die("a listening socket cannot be made", NULL);
    (void)snprintf(url, size, "http://127.0.0.1:%u", ntohs(address.sin_port));
    const pid_t pid = fork();
    if (pid < 0)
        play_die("no process can be made", NULL);
    if (pid > 0) {
        (void)close(listener);
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        const int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            _exit(0);
        collector_serve(peer);
        (void)close(peer);
    }
}

/* ---- The ways ----------------------------------------------------------------------------- */

static char collector_url[64];

enum way { WAY_OFF, WAY_METRICS, WAY_TRACES_SOME, WAY_TRACES_ALL, WAY_COUNT };

static const struct {
    const char *name;
    const char *sampled; /* NULL: nothing is exported */
    double limit;        /* of what it may cost; 0: none was set */
} ways[WAY_COUNT] = {
    [WAY_OFF] = { "off", NULL, 0 },
    [WAY_METRICS] = { "metrics", NULL, 0 },
    [WAY_TRACES_SOME] = { "traces, 1 % sampled", "0.01", 0.10 },
    [WAY_TRACES_ALL] = { "traces, all sampled", "1", 0.30 },
};

static const char *
setting(void *user, const char *name)
{
    if (strcmp(name, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == 0)
        return collector_url;
    if (strcmp(name, "OTEL_TRACES_EXPORTER") == 0)
        return "otlp";
    if (strcmp(name, "OTEL_TRACES_SAMPLER") == 0)
        return "traceidratio";
    if (strcmp(name, "OTEL_TRACES_SAMPLER_ARG") == 0)
        return user;
    return NULL;
}

static void
warn(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "bench_telemetry: %s\n", line);
}

typedef struct figures {
    double per_second[ROUNDS], cpu[ROUNDS]; /* s of CPU per event, all threads of the process */
    arvo_otlp_counts counts;                /* of the last round */
} figures;

static void
measure(const play *recorded, size_t instances, enum way way, size_t round, figures *out)
{
    arvo_error err;
    arvo_memory *memory = NULL;
    arvo_otlp *otlp = NULL;
    arvo_metrics *metrics = NULL;
    const arvo_telemetry *telemetry = NULL;
    if (way == WAY_METRICS) {
        metrics = arvo_metrics_new(NULL);
        if (metrics == NULL)
            play_die("metrics", NULL);
        telemetry = arvo_metrics_telemetry(metrics);
    } else if (ways[way].sampled != NULL) {
        const arvo_otlp_opts opts = { .setting = setting,
                                      .warn = warn,
                                      .user = (void *)(uintptr_t)ways[way].sampled };
        PLAY_MUST(arvo_otlp_open(&opts, &otlp, &err));
        telemetry = arvo_otlp_telemetry(otlp);
    }
    PLAY_MUST(arvo_memory_open("memory:", &memory, &err));
    const play_outcome got = play_all(recorded, memory, telemetry, instances, 1);
    out->per_second[round] = got.events / got.seconds;
    out->cpu[round] = got.cpu_seconds / got.events;
    if (otlp != NULL) {
        arvo_otlp_counts counts[ARVO_OTLP_SIGNAL_COUNT];
        arvo_otlp_close(otlp, FLUSH_MS, counts);
        out->counts = counts[ARVO_OTLP_TRACES];
    }
    arvo_metrics_free(metrics);
    arvo_memory_close(memory);
}

static double
median(const double *values)
{
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof(sorted));
    bench_sort(sorted, ROUNDS);
    return sorted[ROUNDS / 2];
}

static void
print_way(enum way way, const figures *of, const figures *off)
{
    double kept[ROUNDS], cpu[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        kept[i] = of->per_second[i] / off->per_second[i];
        cpu[i] = of->cpu[i] / off->cpu[i];
    }
    printf(
        "%-22s %8.0f events/s  %3.0f %% of off", ways[way].name, median(of->per_second),
        100 * median(kept));
    if (ways[way].limit > 0)
        printf(" (limit %.0f %%)", 100 * (1 - ways[way].limit));
    printf("  CPU %.2f us/event, %.2fx off, all threads\n", 1e6 * median(of->cpu), median(cpu));
    const arvo_otlp_counts *counts = &of->counts;
    if (ways[way].sampled != NULL)
        printf(
            "  %llu spans: %llu exported in %llu requests, %llu dropped; %llu executions found the "
            "queue full and were not recorded\n",
            (unsigned long long)counts->items, (unsigned long long)counts->exported,
            (unsigned long long)counts->requests, (unsigned long long)counts->dropped,
            (unsigned long long)counts->not_recorded);
}

int
main(int argc, char **argv)
{
    const char *const app_dir = argc > 2 ? argv[1] : BENCH_APP;
    const char *start_path = argc > 2 ? argv[2] : BENCH_EVENT;
    const size_t instances = argc > 3 ? strtoul(argv[3], NULL, 10) : 5000;
    const pid_t collector = collector_start(collector_url, sizeof(collector_url));
    play recorded;

    bench_print_machine();
    play_record(&recorded, app_dir, start_path, instances);
    static figures of[WAY_COUNT];
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t way = 0; way < WAY_COUNT; way++)
            measure(&recorded, instances, (enum way)way, round, &of[way]);
    for (size_t way = 0; way < WAY_COUNT; way++)
        print_way((enum way)way, &of[way], &of[WAY_OFF]);
    play_fini(&recorded);
    (void)kill(collector, SIGTERM);
    (void)waitpid(collector, NULL, 0);
    return 0;
}
