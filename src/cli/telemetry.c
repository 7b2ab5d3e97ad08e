/* What a verb that runs workflows tells the outside of itself: the exporter, as the OTEL_ variables
 * set it, and what it counted, in a file. */

#include "cli.h"

#include <errno.h>

static arvo_otlp *otlp;
static arvo_metrics *metrics;
static const char *metrics_path;

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

const arvo_telemetry *
cli_telemetry_open(const char *metrics_file)
{
    const arvo_telemetry *exporter = exporter_open();
    metrics_path = metrics_file;
    if (metrics_file == NULL)
        return exporter;
    metrics = arvo_metrics_new(&(arvo_metrics_opts){ .next = exporter });
    if (metrics == NULL) {
        cli_error("telemetry: out of memory; going on without metrics");
        return exporter;
    }
    return arvo_metrics_telemetry(metrics);
}

/* Whole or not at all: whoever collects such files may look at any moment. */
static void
metrics_write(void)
{
    if (metrics == NULL)
        return;
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_metrics_write(metrics, ARVO_METRICS_PROMETHEUS, &text);
    arvo_metrics_free(metrics);
    metrics = NULL;
    const char *beside = cli_printf("%s.new", metrics_path);
    if (text.status != ARVO_OK) {
        cli_error("%s: %s", metrics_path, arvo_status_text(text.status));
    } else if (cli_file_write(beside, arvo_buf_str(&text)) && rename(beside, metrics_path) != 0) {
        cli_error("%s: cannot be written: %s", metrics_path, strerror(errno));
        (void)remove(beside);
    }
    arvo_buf_fini(&text);
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
    exporter_close();
    metrics_write();
}
