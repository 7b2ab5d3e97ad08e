/* Metrics as an OTLP request: sums and histograms of what was counted, gauges and sums of what is
 * observed; cumulated, with the names that they have for Prometheus. */

#include "telemetry/otlp_internal.h"

#include "telemetry/metrics_internal.h"

/* The members that are used, message by message, as OTLP numbers and names them. */
#define F(number, name)  ((otlp_field){ (number), (name) })
#define RESOURCE_METRICS F(1, "resourceMetrics")
#define SCOPE_METRICS    F(2, "scopeMetrics")
#define METRICS          F(2, "metrics")
#define NAME             F(1, "name")
#define DESCRIPTION      F(2, "description")
#define UNIT             F(3, "unit")
#define GAUGE            F(5, "gauge")
#define SUM              F(7, "sum")
#define HISTOGRAM        F(9, "histogram")
#define DATA_POINTS      F(1, "dataPoints")
#define TEMPORALITY      F(2, "aggregationTemporality")
#define IS_MONOTONIC     F(3, "isMonotonic")
#define START_TIME       F(2, "startTimeUnixNano")
#define TIME             F(3, "timeUnixNano")
#define AS_DOUBLE        F(4, "asDouble")
#define AS_INT           F(6, "asInt")
#define NUMBER_ATTRS     F(7, "attributes")
#define COUNT            F(4, "count")
#define HISTOGRAM_SUM    F(5, "sum")
#define BUCKET_COUNTS    F(6, "bucketCounts")
#define BOUNDS           F(7, "explicitBounds")
#define HISTOGRAM_ATTRS  F(9, "attributes")

enum { CUMULATIVE = 2 };

typedef struct metrics_writer {
    otlp_writer w;
    uint64_t start_ns, now_ns;
    uint64_t points;
} metrics_writer;

/* ---- Parts ------------------------------------------------------------------------------------
 */

/* UCUM's names of the units that Prometheus spells out. */
static const char *
unit_of(const char *unit)
{
    if (unit == NULL)
        return "1";
    return strcmp(unit, "seconds") == 0 ? "s" : strcmp(unit, "bytes") == 0 ? "By" : unit;
}

/* Up to the list of data points, which metric_end() ends. */
static void
metric_begin(
    metrics_writer *m, const char *name, const char *help, const char *unit, otlp_field kind)
{
    arvo__otlp_begin(&m->w, METRICS);
    arvo__otlp_str(&m->w, NAME, arvo_str_from(name));
    arvo__otlp_str(&m->w, DESCRIPTION, arvo_str_from(help));
    arvo__otlp_str(&m->w, UNIT, arvo_str_from(unit_of(unit)));
    arvo__otlp_begin(&m->w, kind);
    arvo__otlp_list(&m->w, DATA_POINTS);
}

static void
metric_end(metrics_writer *m, bool is_cumulative, bool is_monotonic)
{
    arvo__otlp_list_end(&m->w);
    if (is_cumulative)
        arvo__otlp_u32(&m->w, TEMPORALITY, CUMULATIVE);
    if (is_monotonic)
        arvo__otlp_bool(&m->w, IS_MONOTONIC, true);
    arvo__otlp_end(&m->w);
    arvo__otlp_end(&m->w);
}

static void
point_begin(metrics_writer *m, bool has_start)
{
    arvo__otlp_begin(&m->w, DATA_POINTS);
    if (has_start)
        arvo__otlp_fixed64(&m->w, START_TIME, m->start_ns);
    arvo__otlp_fixed64(&m->w, TIME, m->now_ns);
    m->points++;
}

/* ---- What was counted ------------------------------------------------------------------------ */

static void
write_labels(metrics_writer *m, otlp_field list, const metrics_series *series)
{
    const char *detail = arvo__metrics_families[series->measure].detail;
    arvo__otlp_list(&m->w, list);
    arvo__otlp_attribute(&m->w, list, ARVO_STR("handler"), series->handler);
    if (detail != NULL)
        arvo__otlp_attribute(&m->w, list, arvo_str_from(detail), series->detail);
    arvo__otlp_list_end(&m->w);
}

static void
write_histogram_point(metrics_writer *m, const metrics_series *series)
{
    uint64_t buckets[METRICS_BOUNDS + 1];
    double bounds[METRICS_BOUNDS];
    const uint64_t count = arvo__metrics_buckets(series, buckets);
    for (size_t i = 0; i < METRICS_BOUNDS; i++)
        bounds[i] = (double)arvo__metrics_bounds[i].ns / 1e9;
    point_begin(m, true);
    arvo__otlp_fixed64(&m->w, COUNT, count);
    arvo__otlp_double(&m->w, HISTOGRAM_SUM, (double)arvo__metrics_total(series) / 1e9);
    arvo__otlp_fixed64s(&m->w, BUCKET_COUNTS, buckets, ARVO_COUNT_OF(buckets));
    arvo__otlp_doubles(&m->w, BOUNDS, bounds, ARVO_COUNT_OF(bounds));
    write_labels(m, HISTOGRAM_ATTRS, series);
    arvo__otlp_end(&m->w);
}

static void
write_sum_point(metrics_writer *m, const metrics_series *series)
{
    point_begin(m, true);
    arvo__otlp_fixed64(&m->w, AS_INT, arvo__metrics_total(series));
    write_labels(m, NUMBER_ATTRS, series);
    arvo__otlp_end(&m->w);
}

static void
write_family(metrics_writer *m, const arvo_metrics *metrics, arvo_measure measure)
{
    const metrics_family *family = &arvo__metrics_families[measure];
    size_t slot = 0;
    const metrics_series *series = arvo__metrics_next(metrics, measure, &slot);
    if (series == NULL)
        return;
    metric_begin(
        m, family->name, family->help, family->is_time ? "seconds" : NULL,
        family->is_time ? HISTOGRAM : SUM);
    for (; series != NULL; series = arvo__metrics_next(metrics, measure, &slot))
        if (family->is_time)
            write_histogram_point(m, series);
        else
            write_sum_point(m, series);
    metric_end(m, true, !family->is_time);
}

/* ---- What is observed -------------------------------------------------------------------------
 */

static void
write_sample(
    metrics_writer *m, const arvo_metrics_family *family, const arvo_metrics_sample *sample)
{
    point_begin(m, family->is_counter);
    arvo__otlp_double(&m->w, AS_DOUBLE, sample->value);
    if (family->label != NULL) {
        arvo__otlp_list(&m->w, NUMBER_ATTRS);
        arvo__otlp_attribute(
            &m->w, NUMBER_ATTRS, arvo_str_from(family->label), arvo_str_from(sample->label));
        arvo__otlp_list_end(&m->w);
    }
    arvo__otlp_end(&m->w);
}

static void
write_source(
    void *user, const arvo_metrics_source *source, const arvo_metrics_sample *samples, size_t count)
{
    metrics_writer *m = user;
    for (uint32_t i = 0; i < source->family_count; i++) {
        const arvo_metrics_family *family = &source->families[i];
        bool has_begun = false;
        for (size_t k = 0; k < count; k++) {
            if (samples[k].family != i || !(samples[k].value >= 0))
                continue; /* another's, or not known */
            if (!has_begun)
                metric_begin(
                    m, family->name, family->help, family->unit, family->is_counter ? SUM : GAUGE);
            has_begun = true;
            write_sample(m, family, &samples[k]);
        }
        if (has_begun)
            metric_end(m, family->is_counter, family->is_counter);
    }
}

uint64_t
arvo__otlp_write_metrics(
    const otlp_settings *settings, const arvo_metrics *metrics, int64_t now_ns, arvo_buf *out)
{
    metrics_writer m = { .start_ns = (uint64_t)metrics->start_ns, .now_ns = (uint64_t)now_ns };
    arvo__otlp_open_request(
        &m.w, settings, &settings->targets[ARVO_OTLP_METRICS], RESOURCE_METRICS, SCOPE_METRICS,
        out);
    arvo__otlp_list(&m.w, METRICS);
    for (arvo_measure measure = 0; measure < ARVO_MEASURE_COUNT; measure++)
        write_family(&m, metrics, measure);
    arvo__metrics_observe(metrics, write_source, &m);
    arvo__otlp_list_end(&m.w);
    arvo__otlp_close_request(&m.w);
    return m.points;
}
