/* What was counted, as Prometheus' text format and as OpenMetrics. */

#include "telemetry/metrics_internal.h"

#include "json/number.h"

typedef struct text_writer {
    arvo_buf *out;
    bool is_open; /* OpenMetrics */
} text_writer;

/* ---- Parts ------------------------------------------------------------------------------ */

static void
write_number(arvo_buf *out, double value)
{
    char text[ARVO__NUMBER_TEXT_MAX];
    arvo_buf_append_char(out, ' ');
    arvo_buf_append(out, text, arvo__number_format(value, text));
    arvo_buf_append_char(out, '\n');
}

static void
write_label_value(arvo_buf *out, arvo_str value)
{
    arvo_buf_append_char(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.ptr[i];
        if (c == '\n') {
            arvo_buf_append_str(out, ARVO_STR("\\n"));
            continue;
        }
        if (c == '"' || c == '\\')
            arvo_buf_append_char(out, '\\');
        arvo_buf_append_char(out, c);
    }
    arvo_buf_append_char(out, '"');
}

/* {handler="...",domain="...",le="..."} */
static void
write_labels(arvo_buf *out, const metrics_series *series, const char *le)
{
    const metrics_family *family = &arvo__metrics_families[series->measure];
    arvo_buf_append_str(out, ARVO_STR("{handler="));
    write_label_value(out, series->handler);
    if (family->detail != NULL) {
        arvo_buf_printf(out, ",%s=", family->detail);
        write_label_value(out, series->detail);
    }
    if (le != NULL)
        arvo_buf_printf(out, ",le=\"%s\"", le);
    arvo_buf_append_char(out, '}');
}

/* A count's family has _total in its name in Prometheus' format, and not so in OpenMetrics. */
static void
write_head(
    const text_writer *w, const char *name, const char *type, const char *unit, const char *help)
{
    const bool is_count = strcmp(type, "counter") == 0;
    const char *suffix = is_count && !w->is_open ? "_total" : "";
    arvo_buf_printf(w->out, "# HELP %s%s %s\n", name, suffix, help);
    arvo_buf_printf(w->out, "# TYPE %s%s %s\n", name, suffix, type);
    if (unit != NULL && w->is_open)
        arvo_buf_printf(w->out, "# UNIT %s %s\n", name, unit);
}

static void
write_value(
    const text_writer *w, const char *name, const char *type, const char *unit, const char *help,
    double value)
{
    if (value < 0)
        return; /* not known here */
    write_head(w, name, type, unit, help);
    arvo_buf_printf(w->out, "%s%s", name, strcmp(type, "counter") == 0 ? "_total" : "");
    write_number(w->out, value);
}

/* ---- Families ------------------------------------------------------------------------------ */

static uint64_t
series_total(const metrics_series *series)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_STRIPES; i++)
        total += atomic_load_explicit(&series->stripes[i].total, memory_order_relaxed);
    return total;
}

static uint64_t
series_bucket(const metrics_series *series, size_t bucket)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_STRIPES; i++)
        total += atomic_load_explicit(&series->stripes[i].buckets[bucket], memory_order_relaxed);
    return total;
}

static void
write_histogram(const text_writer *w, const metrics_series *series)
{
    const char *name = arvo__metrics_families[series->measure].name;
    uint64_t count = 0;
    for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
        count += series_bucket(series, i);
        arvo_buf_printf(w->out, "%s_bucket", name);
        write_labels(w->out, series, i < METRICS_BOUNDS ? arvo__metrics_bounds[i].le : "+Inf");
        arvo_buf_printf(w->out, " %llu\n", (unsigned long long)count);
    }
    arvo_buf_printf(w->out, "%s_sum", name);
    write_labels(w->out, series, NULL);
    write_number(w->out, (double)series_total(series) / 1e9);
    arvo_buf_printf(w->out, "%s_count", name);
    write_labels(w->out, series, NULL);
    arvo_buf_printf(w->out, " %llu\n", (unsigned long long)count);
}

static void
write_count(const text_writer *w, const metrics_series *series)
{
    arvo_buf_printf(w->out, "%s_total", arvo__metrics_families[series->measure].name);
    write_labels(w->out, series, NULL);
    arvo_buf_printf(w->out, " %llu\n", (unsigned long long)series_total(series));
}

static void
write_family(const text_writer *w, const arvo_metrics *metrics, arvo_measure measure)
{
    const metrics_family *family = &arvo__metrics_families[measure];
    bool has_head = false;
    for (size_t i = 0; i < METRICS_SLOTS; i++) {
        const metrics_series *series =
            atomic_load_explicit(&metrics->slots[i], memory_order_acquire);
        if (series == NULL || series->measure != measure)
            continue;
        if (!has_head)
            write_head(
                w, family->name, family->is_time ? "histogram" : "counter",
                family->is_time ? "seconds" : NULL, family->help);
        has_head = true;
        if (family->is_time)
            write_histogram(w, series);
        else
            write_count(w, series);
    }
}

static void
write_process(const text_writer *w)
{
    const metrics_process process = arvo__metrics_process();
    write_value(
        w, "process_cpu_seconds", "counter", "seconds", "User and system CPU time.",
        process.cpu_seconds);
    write_value(
        w, "process_resident_memory_bytes", "gauge", "bytes", "Resident memory.",
        process.resident_bytes);
    write_value(w, "process_open_fds", "gauge", NULL, "Open file descriptors.", process.open_files);
    write_value(
        w, "process_start_time_seconds", "gauge", "seconds", "When the process began, since 1970.",
        process.start_time);
}

void
arvo_metrics_write(const arvo_metrics *metrics, arvo_metrics_format format, arvo_buf *out)
{
    ARVO_ASSERT(metrics != NULL && out != NULL);
    const text_writer w = { .out = out, .is_open = format == ARVO_METRICS_OPENMETRICS };
    for (arvo_measure measure = 0; measure < ARVO_MEASURE_COUNT; measure++)
        write_family(&w, metrics, measure);
    write_value(
        &w, "arvo_metrics_overflow", "counter", NULL,
        "Measurements whose labels were one set too many.",
        (double)atomic_load(&metrics->overflowed));
    write_head(&w, "arvo_build_info", "gauge", NULL, "The version of Arvo; always 1.");
    arvo_buf_append_str(out, ARVO_STR("arvo_build_info{version=\"" ARVO_VERSION_STRING "\"} 1\n"));
    write_process(&w);
    if (w.is_open)
        arvo_buf_append_str(out, ARVO_STR("# EOF\n"));
}
