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

/* ---- What was counted ---------------------------------------------------------------------- */

/* # {trace_id="...",span_id="..."} SECONDS */
static void
write_exemplar(arvo_buf *out, const metrics_exemplar *exemplar)
{
    char ids[2 * (sizeof(exemplar->trace_id) + sizeof(exemplar->span_id))];
    arvo__hex(exemplar->trace_id, sizeof(exemplar->trace_id), ids);
    arvo__hex(exemplar->span_id, sizeof(exemplar->span_id), ids + 32);
    arvo_buf_printf(out, " # {trace_id=\"%.32s\",span_id=\"%.16s\"}", ids, ids + 32);
    write_number(out, (double)exemplar->value / 1e9);
}

static void
write_buckets(
    const text_writer *w, const metrics_series *series, const uint64_t buckets[METRICS_BOUNDS + 1],
    const metrics_exemplar exemplars[METRICS_BOUNDS + 1])
{
    uint64_t count = 0;
    for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
        count += buckets[i];
        arvo_buf_printf(w->out, "%s_bucket", arvo__metrics_families[series->measure].name);
        write_labels(w->out, series, i < METRICS_BOUNDS ? arvo__metrics_bounds[i].le : "+Inf");
        arvo_buf_printf(w->out, " %llu", (unsigned long long)count);
        if (exemplars[i].is_set)
            write_exemplar(w->out, &exemplars[i]);
        else
            arvo_buf_append_char(w->out, '\n');
    }
}

static void
write_histogram(const text_writer *w, metrics_series *series)
{
    const char *name = arvo__metrics_families[series->measure].name;
    uint64_t buckets[METRICS_BOUNDS + 1];
    metrics_exemplar exemplars[METRICS_BOUNDS + 1] = { 0 };
    const uint64_t count = arvo__metrics_buckets(series, buckets);
    if (w->is_open)
        arvo__metrics_exemplars(series, exemplars);
    write_buckets(w, series, buckets, exemplars);
    arvo_buf_printf(w->out, "%s_sum", name);
    write_labels(w->out, series, NULL);
    write_number(w->out, (double)arvo__metrics_total(series) / 1e9);
    arvo_buf_printf(w->out, "%s_count", name);
    write_labels(w->out, series, NULL);
    arvo_buf_printf(w->out, " %llu\n", (unsigned long long)count);
}

static void
write_count(const text_writer *w, const metrics_series *series)
{
    arvo_buf_printf(w->out, "%s_total", arvo__metrics_families[series->measure].name);
    write_labels(w->out, series, NULL);
    arvo_buf_printf(w->out, " %llu\n", (unsigned long long)arvo__metrics_total(series));
}

static void
write_family(const text_writer *w, const arvo_metrics *metrics, arvo_measure measure)
{
    const metrics_family *family = &arvo__metrics_families[measure];
    bool has_head = false;
    size_t slot = 0;
    for (metrics_series *series; (series = arvo__metrics_next(metrics, measure, &slot)) != NULL;) {
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

/* ---- What is observed ----------------------------------------------------------------------- */

static void
write_sample(
    const text_writer *w, const arvo_metrics_family *family, const arvo_metrics_sample *sample)
{
    arvo_buf_printf(w->out, "%s%s", family->name, family->is_counter ? "_total" : "");
    if (family->label != NULL) {
        arvo_buf_printf(w->out, "{%s=", family->label);
        write_label_value(w->out, arvo_str_from(sample->label));
        arvo_buf_append_char(w->out, '}');
    }
    write_number(w->out, sample->value);
}

static void
write_source(
    void *user, const arvo_metrics_source *source, const arvo_metrics_sample *samples, size_t count)
{
    const text_writer *w = user;
    for (uint32_t i = 0; i < source->family_count; i++) {
        const arvo_metrics_family *family = &source->families[i];
        bool has_head = false;
        for (size_t k = 0; k < count; k++) {
            if (samples[k].family != i || !(samples[k].value >= 0))
                continue; /* another's, or not known */
            if (!has_head)
                write_head(
                    w, family->name, family->is_counter ? "counter" : "gauge", family->unit,
                    family->help);
            has_head = true;
            write_sample(w, family, &samples[k]);
        }
    }
}

void
arvo_metrics_write(const arvo_metrics *metrics, arvo_metrics_format format, arvo_buf *out)
{
    ARVO_ASSERT(metrics != NULL && out != NULL);
    text_writer w = { .out = out, .is_open = format == ARVO_METRICS_OPENMETRICS };
    for (arvo_measure measure = 0; measure < ARVO_MEASURE_COUNT; measure++)
        write_family(&w, metrics, measure);
    arvo__metrics_observe(metrics, write_source, &w);
    if (w.is_open)
        arvo_buf_append_str(out, ARVO_STR("# EOF\n"));
}
