/* The variables of the OpenTelemetry specification. What cannot be understood is said once, and is
 * as if it were not there. */

#include "telemetry/otlp_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "json/number.h"

#define URL_DEFAULT "http://localhost:4318"
#define SAID_MAX    64u

const otlp_signal arvo__otlp_signals[ARVO_OTLP_SIGNAL_COUNT] = {
    [ARVO_OTLP_TRACES] = { "TRACES", "BSP", "/v1/traces", "spans", "rejectedSpans", OTLP_ROOM + 1,
                           5000 },
    [ARVO_OTLP_METRICS] = { "METRICS", NULL, "/v1/metrics", "data points", "rejectedDataPoints", 1,
                            60000 },
};

/* ---- Variables ---------------------------------------------------------------------------- */

static const char *
setting_of(const arvo_otlp_opts *opts, const char *name)
{
    const char *value =
        opts != NULL && opts->setting != NULL ? opts->setting(opts->user, name) : getenv(name);
    return value != NULL && *value != '\0' ? value : NULL; /* empty: as if not set */
}

typedef struct settings_reader {
    const arvo_otlp_opts *opts;
    otlp_settings *out;
    size_t said_count; /* of variables that were not understood: several signals read the same */
    uint64_t said[SAID_MAX];
} settings_reader;

/* A variable that a signal may have for itself, or that is for all. */
typedef struct variable {
    char name[64];
    const char *value; /* NULL: not set */
    bool is_own;
} variable;

static const char *
setting(const settings_reader *r, const char *name)
{
    const char *value = setting_of(r->opts, name);
    return value != NULL && strlen(value) <= OTLP_SETTING_BYTES_MAX ? value : NULL;
}

static void
not_understood(settings_reader *r, const char *name, const char *what)
{
    arvo_error line;
    const uint64_t hash = arvo__hash(name, strlen(name), 0);
    if (r->opts == NULL || r->opts->warn == NULL)
        return;
    for (size_t i = 0; i < r->said_count; i++)
        if (r->said[i] == hash)
            return;
    if (r->said_count < SAID_MAX)
        r->said[r->said_count++] = hash;
    const char *value = setting_of(r->opts, name);
    (void)arvo__fail(
        &line, ARVO_E_INVALID, "%s=%.100s: %s", name, value != NULL ? value : "", what);
    r->opts->warn(r->opts->user, line.text);
}

static variable
variable_of(const settings_reader *r, const otlp_signal *signal, const char *what)
{
    variable v = { .is_own = true };
    (void)snprintf(v.name, sizeof(v.name), "OTEL_EXPORTER_OTLP_%s_%s", signal->variable, what);
    v.value = setting(r, v.name);
    if (v.value != NULL)
        return v;
    (void)snprintf(v.name, sizeof(v.name), "OTEL_EXPORTER_OTLP_%s", what);
    v.value = setting(r, v.name);
    v.is_own = false;
    return v;
}

/* ---- Numbers ----------------------------------------------------------------------------- */

static int64_t
setting_number(settings_reader *r, const char *name, int64_t usual, int64_t least, int64_t most)
{
    const char *value = setting(r, name);
    if (value == NULL)
        return usual;
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(value, &end, 10);
    if (errno == 0 && *end == '\0' && number >= least && number <= most)
        return number;
    not_understood(r, name, "no number, or out of bounds; the default is used");
    return usual;
}

/* OTEL_BSP_SCHEDULE_DELAY and the like. */
static int64_t
batch_number(
    settings_reader *r, const otlp_signal *signal, const char *what, int64_t usual, int64_t least,
    int64_t most)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "OTEL_%s_%s", signal->batch, what);
    return setting_number(r, name, usual, least, most);
}

#define HOUR_MS (3600 * 1000)

/* Of what is sent as a whole. */
static void
read_interval(settings_reader *r, otlp_target *target)
{
    target->export_ms = setting_number(r, "OTEL_METRIC_EXPORT_TIMEOUT", 30000, 1, HOUR_MS);
    target->delay_ms =
        setting_number(r, "OTEL_METRIC_EXPORT_INTERVAL", target->signal->delay_ms, 1, HOUR_MS);
    target->queue_max = target->batch_max = 1;
}

static void
read_target_numbers(settings_reader *r, otlp_target *target)
{
    const otlp_signal *signal = target->signal;
    const variable timeout = variable_of(r, signal, "TIMEOUT");
    target->timeout_ms = setting_number(r, timeout.name, 10000, 1, HOUR_MS);
    if (signal->batch == NULL) {
        read_interval(r, target);
        return;
    }
    target->export_ms = batch_number(r, signal, "EXPORT_TIMEOUT", 30000, 1, HOUR_MS);
    target->delay_ms = batch_number(r, signal, "SCHEDULE_DELAY", signal->delay_ms, 1, HOUR_MS);
    target->queue_max =
        (uint32_t)batch_number(r, signal, "MAX_QUEUE_SIZE", 2048, signal->queue_min, 1000000);
    target->batch_max = (uint32_t)batch_number(r, signal, "MAX_EXPORT_BATCH_SIZE", 512, 1, 100000);
    if (target->batch_max > target->queue_max)
        target->batch_max = target->queue_max;
}

static void
read_limits(settings_reader *r)
{
    otlp_settings *out = r->out;
    const int64_t attributes = setting_number(r, "OTEL_ATTRIBUTE_COUNT_LIMIT", 128, 1, 10000);
    out->attributes_max =
        (uint32_t)setting_number(r, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", attributes, 1, 10000);
    const int64_t bytes = setting_number(r, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 4096, 1, 16384);
    out->value_bytes_max =
        (size_t)setting_number(r, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", bytes, 1, 16384);
    out->events_max = (uint32_t)setting_number(r, "OTEL_SPAN_EVENT_COUNT_LIMIT", 128, 1, 10000);
    out->links_max = (uint32_t)setting_number(r, "OTEL_SPAN_LINK_COUNT_LIMIT", 128, 1, 10000);
}

/* ---- Words --------------------------------------------------------------------------------- */

static void
read_sampler(settings_reader *r)
{
    static const struct {
        const char *name;
        otlp_sampler sampler;
        bool parent_decides;
    } samplers[] = {
        { "always_on", OTLP_ALWAYS_ON, false },
        { "always_off", OTLP_ALWAYS_OFF, false },
        { "traceidratio", OTLP_RATIO, false },
        { "parentbased_always_on", OTLP_ALWAYS_ON, true },
        { "parentbased_always_off", OTLP_ALWAYS_OFF, true },
        { "parentbased_traceidratio", OTLP_RATIO, true },
    };
    otlp_settings *out = r->out;
    out->sampler = OTLP_ALWAYS_ON;
    out->parent_decides = true;
    out->ratio_bound = UINT64_C(1) << 63;
    const char *name = setting(r, "OTEL_TRACES_SAMPLER");
    bool known = name == NULL;
    for (size_t i = 0; i < ARVO_COUNT_OF(samplers) && !known; i++) {
        if (strcasecmp(name, samplers[i].name) != 0)
            continue;
        known = true;
        out->sampler = samplers[i].sampler;
        out->parent_decides = samplers[i].parent_decides;
    }
    if (!known)
        not_understood(
            r, "OTEL_TRACES_SAMPLER", "no sampler known here; parentbased_always_on is used");
    const char *arg = setting(r, "OTEL_TRACES_SAMPLER_ARG");
    if (out->sampler != OTLP_RATIO || arg == NULL)
        return;
    char *end = NULL;
    const double ratio = arvo__number_strtod(arg, &end);
    if (*end == '\0' && ratio >= 0 && ratio <= 1)
        out->ratio_bound = (uint64_t)(ratio * 9223372036854775808.0);
    else
        not_understood(r, "OTEL_TRACES_SAMPLER_ARG", "no number from 0 to 1; 1 is used");
}

static void
read_protocol(settings_reader *r, otlp_target *target)
{
    const variable protocol = variable_of(r, target->signal, "PROTOCOL");
    target->json = protocol.value != NULL && strcasecmp(protocol.value, "http/json") == 0;
    if (protocol.value != NULL && !target->json && strcasecmp(protocol.value, "http/protobuf") != 0)
        not_understood(
            r, protocol.name, "http/protobuf and http/json are known; http/protobuf is used");

    const variable compression = variable_of(r, target->signal, "COMPRESSION");
    target->gzip = compression.value != NULL && strcasecmp(compression.value, "gzip") == 0;
    if (compression.value != NULL && !target->gzip && strcasecmp(compression.value, "none") != 0)
        not_understood(r, compression.name, "gzip and none are known; none is used");
}

/* OTEL_TRACES_EXPORTER and the like. */
static const char *
exporter_of(const arvo_otlp_opts *opts, const otlp_signal *signal, char name[64])
{
    (void)snprintf(name, 64, "OTEL_%s_EXPORTER", signal->variable);
    return setting_of(opts, name);
}

static void
read_exporter(settings_reader *r, otlp_target *target)
{
    char name[64];
    const char *exporter = exporter_of(r->opts, target->signal, name);
    target->exports = exporter == NULL || strcasecmp(exporter, "none") != 0;
    if (exporter != NULL && target->exports && strcasecmp(exporter, "otlp") != 0)
        not_understood(r, name, "otlp and none are known; otlp is used");
}

/* There is one way to cumulate, and one kind of histogram. */
static void
read_aggregation(settings_reader *r)
{
    static const char *const only[][2] = {
        { "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative" },
        { "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(only); i++) {
        const char *value = setting(r, only[i][0]);
        char what[64];
        (void)snprintf(what, sizeof(what), "%s is what there is", only[i][1]);
        if (value != NULL && strcasecmp(value, only[i][1]) != 0)
            not_understood(r, only[i][0], what);
    }
}

/* ---- Lists of NAME=VALUE ----------------------------------------------------------------------
 */

/* Without blanks around it and with %HH as the byte; what then breaks a line or is not UTF-8 is
 * none. */
static arvo_str
decoded(const settings_reader *r, arvo_str text)
{
    text = arvo__trim_blanks(text);
    char *out = arvo_arena_alloc(r->out->arena, text.len + 1);
    if (out == NULL)
        return ARVO_STR_NONE;
    const size_t len = arvo__percent_decode(text, out);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
            return ARVO_STR_NONE;
    if (!arvo__utf8_is_valid((arvo_str){ out, len }))
        return ARVO_STR_NONE;
    out[len] = '\0';
    return (arvo_str){ out, len };
}

static void
read_pairs(settings_reader *r, const char *name, arvo_pair *pairs, size_t max, size_t *count)
{
    const char *value = setting(r, name);
    bool is_sound = true;
    for (const char *at = value; at != NULL && *at != '\0';) {
        const char *end = strchrnul(at, ',');
        const char *equals = memchr(at, '=', (size_t)(end - at));
        arvo_pair pair = { ARVO_STR_NONE, ARVO_STR_NONE };
        if (equals != NULL) {
            pair.key = decoded(r, (arvo_str){ at, (size_t)(equals - at) });
            pair.value = decoded(r, (arvo_str){ equals + 1, (size_t)(end - equals - 1) });
        }
        if (pair.key.len > 0 && pair.value.ptr != NULL && *count < max)
            pairs[(*count)++] = pair;
        else
            is_sound = false;
        at = *end == ',' ? end + 1 : end;
    }
    if (!is_sound)
        not_understood(r, name, "not all of it is NAME=VALUE, by commas; the rest is used");
}

/* A resource's attribute that is not given already. */
static void
add_resource(const settings_reader *r, const char *key, arvo_str value)
{
    otlp_settings *out = r->out;
    for (size_t i = 0; i < out->resource_count; i++)
        if (arvo_str_is(out->resource[i].key, key))
            return;
    if (out->resource_count < OTLP_RESOURCE_MAX && value.ptr != NULL)
        out->resource[out->resource_count++] = (arvo_pair){ arvo_str_from(key), value };
}

static void
read_resource(settings_reader *r)
{
    otlp_settings *out = r->out;
    const char *service = setting(r, "OTEL_SERVICE_NAME");
    if (service != NULL && arvo__utf8_is_valid(arvo_str_from(service)))
        add_resource(r, "service.name", arvo_arena_str_dup(out->arena, arvo_str_from(service)));
    arvo_pair given[OTLP_RESOURCE_MAX];
    size_t count = 0;
    read_pairs(r, "OTEL_RESOURCE_ATTRIBUTES", given, OTLP_RESOURCE_MAX - 8, &count);
    for (size_t i = 0; i < count; i++)
        add_resource(r, given[i].key.ptr, given[i].value);
    add_resource(r, "service.name", ARVO_STR("unknown_service:arvo"));
    add_resource(r, "process.pid", arvo_arena_printf(out->arena, "%ld", (long)getpid()));
    add_resource(r, "telemetry.sdk.name", ARVO_STR("arvo"));
    add_resource(r, "telemetry.sdk.language", ARVO_STR("c"));
    add_resource(r, "telemetry.sdk.version", ARVO_STR(ARVO_VERSION_STRING));
}

/* ---- Where to ----------------------------------------------------------------------------------
 */

/* Whether it can be asked by libcurl at all; the rest it says itself. */
static bool
url_is_http(const char *url)
{
    const char *rest = strncasecmp(url, "http://", 7) == 0    ? url + 7
                       : strncasecmp(url, "https://", 8) == 0 ? url + 8
                                                              : "";
    for (const char *p = url; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
    return *rest != '\0' && *rest != '/';
}

/* Without what stands before an @ in the authority, and without a query. */
static arvo_str
url_masked(arvo_arena *arena, const char *url)
{
    const arvo__uri uri = arvo__uri_split(arvo_str_from(url));
    const char *at = memrchr(uri.authority.ptr, '@', uri.authority.len);
    arvo_str host = uri.authority;
    if (at != NULL)
        host = (arvo_str){ at + 1, uri.authority.len - (size_t)(at + 1 - uri.authority.ptr) };
    return arvo_arena_printf(
        arena, "%.*s://%s%.*s%.*s", ARVO_FMT(uri.scheme), at != NULL ? "***@" : "", ARVO_FMT(host),
        ARVO_FMT(uri.path));
}

static void
read_url(settings_reader *r, otlp_target *target)
{
    arvo_arena *arena = r->out->arena;
    const variable endpoint = variable_of(r, target->signal, "ENDPOINT");
    const char *given = endpoint.value;
    bool is_whole = endpoint.is_own;
    if (given != NULL && !url_is_http(given)) {
        not_understood(r, endpoint.name, "no http:// or https:// URL; " URL_DEFAULT " is used");
        given = NULL;
    }
    if (given == NULL) {
        given = URL_DEFAULT;
        is_whole = false;
    }
    size_t len = strlen(given);
    while (!is_whole && len > 0 && given[len - 1] == '/')
        len--;
    target->url =
        arvo_arena_printf(arena, "%.*s%s", (int)len, given, is_whole ? "" : target->signal->path)
            .ptr;
    if (target->url != NULL)
        target->url_shown = url_masked(arena, target->url).ptr;
}

static void
read_target(settings_reader *r, otlp_target *target)
{
    read_url(r, target);
    const variable certificate = variable_of(r, target->signal, "CERTIFICATE");
    if (certificate.value != NULL)
        target->certificate =
            arvo_arena_str_dup(r->out->arena, arvo_str_from(certificate.value)).ptr;
    const variable headers = variable_of(r, target->signal, "HEADERS");
    read_pairs(r, headers.name, target->headers, OTLP_HEADERS_MAX, &target->header_count);
    read_protocol(r, target);
    read_exporter(r, target);
    read_target_numbers(r, target);
}

/* ---- All of them --------------------------------------------------------------------------------
 */

static bool
is_disabled(const arvo_otlp_opts *opts)
{
    const char *disabled = setting_of(opts, "OTEL_SDK_DISABLED");
    return disabled != NULL && strcasecmp(disabled, "true") == 0;
}

/* Whether one of them is asked for; where nothing says so of any, whoever opens the exporter does.
 */
static bool
signal_is_wanted(const arvo_otlp_opts *opts, const otlp_signal *signal)
{
    char name[64];
    const char *exporter = exporter_of(opts, signal, name);
    if (is_disabled(opts) || (exporter != NULL && strcasecmp(exporter, "none") == 0))
        return false;
    const settings_reader r = { .opts = opts };
    return exporter != NULL || variable_of(&r, signal, "ENDPOINT").value != NULL;
}

bool
arvo__otlp_wanted(const arvo_otlp_opts *opts)
{
    for (size_t i = 0; i < ARVO_OTLP_SIGNAL_COUNT; i++)
        if (signal_is_wanted(opts, &arvo__otlp_signals[i]))
            return true;
    return false;
}

bool
arvo__otlp_settings_read(const arvo_otlp_opts *opts, otlp_settings *out)
{
    settings_reader r = { .opts = opts, .out = out };
    const char *disabled = setting(&r, "OTEL_SDK_DISABLED");
    if (disabled != NULL && strcasecmp(disabled, "true") != 0 && strcasecmp(disabled, "false") != 0)
        not_understood(&r, "OTEL_SDK_DISABLED", "true and false are known; false is used");
    const bool is_wanted = arvo__otlp_wanted(opts);
    for (size_t i = 0; i < ARVO_OTLP_SIGNAL_COUNT; i++) {
        otlp_target *target = &out->targets[i];
        target->signal = &arvo__otlp_signals[i];
        read_target(&r, target);
        if (is_wanted)
            target->exports = signal_is_wanted(opts, target->signal);
    }
    read_sampler(&r);
    read_aggregation(&r);
    read_limits(&r);
    read_resource(&r);
    return !arvo_arena_failed(out->arena);
}
