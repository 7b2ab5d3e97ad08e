/* What a verb that runs workflows tells the outside of itself: the exporter, as the OTEL_ variables
 * set it, and what it counted, in a file. */

#include "cli.h"

#include <errno.h>

static arvo_otlp *otlp;
static arvo_metrics *metrics;
static const char *metrics_path;
static arvo_store_metrics *store;
static arvo_metrics_source worker_source;
static arvo_metrics_server *server;

/* From whichever thread: a line of its own, without the arena. */
static void
telemetry_warn(void *user, const char *line)
{
    (void)user;
    (void)fprintf(stderr, "arvo: telemetry: %s\n", line);
}

static const arvo_telemetry *
exporter_open(void)
{
    const arvo_otlp_opts opts = { .warn = telemetry_warn };
    arvo_error err = { 0 };
    if (!arvo_otlp_is_wanted(&opts))
        return NULL;
    if (arvo_otlp_open(&opts, &otlp, &err) != ARVO_OK) {
        cli_error("telemetry: %s; going on without", err.text);
        return NULL;
    }
    return arvo_otlp_telemetry(otlp);
}

static bool
store_is_up(void *user, arvo_error *why)
{
    (void)user;
    return store == NULL || arvo_store_metrics_is_up(store, why);
}

/* What of the metrics can be done without is said, and not there. */
static void
metrics_fill(arvo_memory *memory)
{
    arvo_error err = { 0 };
    const arvo_store_metrics_opts opts = { .memory = memory, .metrics = metrics };
    if (memory != NULL && arvo_memory_ops_of(memory)->stats != NULL &&
        arvo_store_metrics_new(&opts, &store, &err) != ARVO_OK)
        cli_error("telemetry: %s; going on without those of the store", err.text);
    if (otlp != NULL && arvo_otlp_export_metrics(otlp, metrics, &err) != ARVO_OK)
        cli_error("telemetry: %s; going on without exporting metrics", err.text);
}

static bool
metrics_serve(const char *address, int *exit_code)
{
    arvo_error err = { 0 };
    const arvo_metrics_server_opts opts = { .metrics = metrics,
                                            .address = address,
                                            .is_healthy = store_is_up };
    if (metrics != NULL && arvo_metrics_serve(&opts, &server, &err) == ARVO_OK)
        return true;
    cli_error("%s", metrics == NULL ? "metrics: out of memory" : err.text);
    *exit_code = CLI_USAGE;
    return false;
}

bool
cli_telemetry_open(
    const cli_telemetry_opts *opts, const arvo_telemetry **out_telemetry, int *exit_code)
{
    *out_telemetry = exporter_open();
    metrics_path = opts->metrics_file;
    if (opts->metrics_file == NULL && opts->metrics_address == NULL &&
        (otlp == NULL || !arvo_otlp_exports(otlp, ARVO_OTLP_METRICS)))
        return true;
    metrics = arvo_metrics_new(&(arvo_metrics_opts){ .next = *out_telemetry });
    if (metrics != NULL) {
        metrics_fill(opts->memory);
        *out_telemetry = arvo_metrics_telemetry(metrics);
    } else {
        cli_error("telemetry: out of memory; going on without metrics");
    }
    if (opts->metrics_address == NULL || metrics_serve(opts->metrics_address, exit_code))
        return true;
    cli_telemetry_close();
    return false;
}

void
cli_telemetry_watch(arvo_worker *worker)
{
    arvo_error err = { 0 };
    if (metrics == NULL)
        return;
    worker_source = arvo_worker_metrics(worker);
    if (arvo_metrics_add(metrics, &worker_source, &err) != ARVO_OK)
        cli_error("telemetry: %s; going on without those of the worker", err.text);
}

const char *
cli_telemetry_url(void)
{
    return server != NULL ? arvo_metrics_server_url(server) : NULL;
}

/* Whole or not at all: whoever collects such files may look at any moment. */
static void
metrics_write(void)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_metrics_write(metrics, ARVO_METRICS_PROMETHEUS, &text);
    const char *beside = cli_printf("%s.new", metrics_path);
    if (text.status != ARVO_OK) {
        cli_error("%s: %s", metrics_path, arvo_status_text(text.status));
    } else if (cli_file_write(beside, arvo_buf_str(&text)) && rename(beside, metrics_path) != 0) {
        cli_error("%s: cannot be written: %s", metrics_path, strerror(errno));
        (void)remove(beside);
    }
    arvo_buf_fini(&text);
}

/* Whoever reads them goes first. */
static void
metrics_close(void)
{
    if (metrics != NULL && metrics_path != NULL)
        metrics_write();
    arvo_store_metrics_free(store);
    arvo_metrics_free(metrics);
    store = NULL;
    metrics = NULL;
}

static void
exporter_close(void)
{
    arvo_otlp_counts counts[ARVO_OTLP_SIGNAL_COUNT];
    if (otlp == NULL)
        return;
    arvo_otlp_close(otlp, ARVO_OTLP_FLUSH_MS_DEFAULT, counts);
    otlp = NULL;
    for (arvo_otlp_signal i = 0; i < ARVO_OTLP_SIGNAL_COUNT; i++) {
        const char *also = "";
        if (counts[i].not_recorded > 0)
            also = cli_printf(
                ", and %llu executions not recorded", (unsigned long long)counts[i].not_recorded);
        if (counts[i].dropped > 0 || counts[i].not_recorded > 0)
            cli_error(
                "telemetry: %llu of %llu %s were not exported%s",
                (unsigned long long)counts[i].dropped, (unsigned long long)counts[i].items,
                arvo_otlp_items(i), also);
    }
}

void
cli_telemetry_close(void)
{
    arvo_metrics_server_close(server);
    server = NULL;
    exporter_close();
    metrics_close();
}
