/* What a verb that runs workflows tells the outside of itself: the exporter, as the OTEL_ variables
 * set it. */

#include "cli.h"

static arvo_otlp *otlp;

/* From whichever thread: a line of its own, without the arena. */
static void
telemetry_warn(void *user, const char *line)
{
    (void)user;
    (void)fprintf(stderr, "arvo: telemetry: %s\n", line);
}

const arvo_telemetry *
cli_telemetry_open(void)
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

void
cli_telemetry_close(void)
{
    arvo_otlp_counts counts = { 0 };
    if (otlp == NULL)
        return;
    arvo_otlp_close(otlp, ARVO_OTLP_FLUSH_MS_DEFAULT, &counts);
    otlp = NULL;
    if (counts.dropped > 0 || counts.not_recorded > 0)
        cli_error(
            "telemetry: %llu of %llu spans were not exported, and %llu executions not recorded",
            (unsigned long long)counts.dropped, (unsigned long long)counts.spans,
            (unsigned long long)counts.not_recorded);
}
