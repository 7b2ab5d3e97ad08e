/* The functions of the table: which spans are recorded, and what they hold. */

#include "telemetry/otlp_internal.h"

/* ---- What a span holds -------------------------------------------------------------------- */

bool
arvo__otlp_item(const arvo_span *span, size_t *at, otlp_item *out, arvo_str *key, arvo_str *value)
{
    if (*at >= span->len)
        return false;
    memcpy(out, span->bytes + *at, sizeof(*out));
    *key = (arvo_str){ span->bytes + *at + sizeof(*out), out->key_len };
    *value = (arvo_str){ key->ptr + out->key_len, out->value_len };
    *at += sizeof(*out) + out->key_len + out->value_len;
    return true;
}

static bool
span_grow(const arvo_otlp *otlp, arvo_span *span, size_t len)
{
    size_t cap = span->cap != 0 ? span->cap : 1024;
    while (cap < span->len + len)
        cap *= 2;
    char *bytes = arvo__alloc(otlp->allocator, cap);
    if (bytes == NULL)
        return false;
    if (span->len > 0)
        memcpy(bytes, span->bytes, span->len);
    arvo__free(otlp->allocator, span->bytes, span->cap);
    span->bytes = bytes;
    span->cap = cap;
    return true;
}

/* Where the value of a new item goes; NULL: the span is full, or memory is. */
static char *
span_add(
    const arvo_otlp *otlp, arvo_span *span, otlp_item_kind kind, arvo_str key, size_t value_len)
{
    const size_t len = sizeof(otlp_item) + key.len + value_len;
    if (span->len + len > OTLP_SPAN_BYTES_MAX ||
        (span->len + len > span->cap && !span_grow(otlp, span, len)))
        return NULL;
    const otlp_item item = { .kind = kind,
                             .key_len = (uint32_t)key.len,
                             .value_len = (uint32_t)value_len };
    char *p = span->bytes + span->len;
    memcpy(p, &item, sizeof(item));
    if (key.len > 0)
        memcpy(p + sizeof(item), key.ptr, key.len);
    span->len += len;
    return p + sizeof(item) + key.len;
}

/* At most as long as a value may be, and not through the middle of a character. */
static arvo_str
span_cut(const arvo_otlp *otlp, arvo_str text)
{
    if (ARVO_LIKELY(text.len <= otlp->settings.value_bytes_max))
        return text;
    text.len = otlp->settings.value_bytes_max;
    text.len = arvo__utf8_valid_prefix(text);
    return text;
}

static bool
span_add_text(
    const arvo_otlp *otlp, arvo_span *span, otlp_item_kind kind, arvo_str key, arvo_str value)
{
    value = span_cut(otlp, value);
    char *p = span_add(otlp, span, kind, key, value.len);
    if (p != NULL && value.len > 0)
        memcpy(p, value.ptr, value.len);
    return p != NULL;
}

/* ---- Sampling ---------------------------------------------------------------------------------
 */

static bool
sampler_takes(const otlp_settings *settings, const arvo_span_opts *opts, const uint8_t *trace_id)
{
    uint64_t low = 0;
    if (settings->parent_decides && opts->parent != NULL)
        return (opts->parent->flags & ARVO_TRACE_SAMPLED) != 0;
    if (settings->sampler != OTLP_RATIO)
        return settings->sampler == OTLP_ALWAYS_ON;
    for (size_t i = 8; i < 16; i++) /* by the same bytes everywhere, so that a trace is whole */
        low = low << 8 | trace_id[i];
    return low >> 1 < settings->ratio_bound;
}

/* Whoever comes later is not to begin a trace in the middle. */
static arvo_span *
span_decline(const arvo_span_opts *opts, arvo_trace_context *own)
{
    if (opts->parent != NULL && (opts->parent->flags & ARVO_TRACE_SAMPLED) == 0)
        memset(own, 0, sizeof(*own)); /* the header that came says so already */
    else
        own->flags &= (uint8_t)~ARVO_TRACE_SAMPLED;
    return NULL;
}

/* A span that somebody else began, or none: all of an execution is recorded, or nothing of it. */
static bool
span_begins_execution(const arvo_span_opts *opts)
{
    return opts->kind != ARVO_SPAN_INTERNAL;
}

static arvo_span *
otlp_span_start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    arvo_otlp *otlp = self;
    uint8_t random[24];
    const arvo_platform *platform = arvo_platform_system();
    if (!platform->random(platform->self, random, opts->parent != NULL ? 8 : 24))
        return NULL;
    memcpy(own->span_id, random, sizeof(own->span_id));
    memcpy(
        own->trace_id, opts->parent != NULL ? opts->parent->trace_id : random + 8,
        sizeof(own->trace_id));
    own->flags = ARVO_TRACE_SAMPLED;
    if (!otlp->settings.targets[ARVO_OTLP_TRACES].exports ||
        !sampler_takes(&otlp->settings, opts, own->trace_id)) {
        if (opts->parent != NULL)
            memcpy(own->span_id, opts->parent->span_id, sizeof(own->span_id));
        return span_decline(opts, own);
    }
    const otlp_pipe *pipe = &otlp->pipes[ARVO_OTLP_TRACES];
    const uint32_t queued = atomic_load_explicit(&pipe->queued, memory_order_relaxed);
    if (span_begins_execution(opts) && queued + OTLP_ROOM > pipe->target->queue_max) {
        atomic_fetch_add_explicit(&otlp->not_recorded, 1, memory_order_relaxed);
        memset(own, 0, sizeof(*own)); /* what follows hangs on the nearest span that is recorded */
        return NULL;
    }

    arvo_span *span = arvo__otlp_span_take(otlp);
    if (span == NULL)
        return NULL;
    span->context = *own;
    span->kind = opts->kind;
    span->start_ns = opts->start_ns;
    span->has_parent = opts->parent != NULL;
    if (opts->parent != NULL)
        memcpy(span->parent_id, opts->parent->span_id, sizeof(span->parent_id));
    (void)span_add_text(otlp, span, OTLP_NAME, ARVO_STR_NONE, opts->name);
    if (opts->tracestate.len > 0)
        (void)span_add_text(otlp, span, OTLP_TRACESTATE, ARVO_STR_NONE, opts->tracestate);
    return span;
}

/* ---- The rest of the table
 * ------------------------------------------------------------------------
 */

static void
otlp_span_str(void *self, arvo_span *span, arvo_str key, arvo_str value)
{
    const arvo_otlp *otlp = self;
    if (span->attributes < otlp->settings.attributes_max &&
        span_add_text(otlp, span, OTLP_STR, key, value))
        span->attributes++;
    else
        span->attributes_dropped++;
}

static void
otlp_span_number(void *self, arvo_span *span, arvo_str key, double value)
{
    const arvo_otlp *otlp = self;
    char *p = span->attributes < otlp->settings.attributes_max
                  ? span_add(otlp, span, OTLP_NUMBER, key, sizeof(value))
                  : NULL;
    if (p != NULL) {
        memcpy(p, &value, sizeof(value));
        span->attributes++;
    } else {
        span->attributes_dropped++;
    }
}

static void
otlp_span_log(void *self, arvo_span *span, arvo_severity severity, arvo_str message)
{
    const arvo_otlp *otlp = self;
    const int64_t now_ns = arvo__otlp_now_ns();
    message = span_cut(otlp, message);
    const arvo_str key = { (const char *)&severity, sizeof(severity) };
    char *p = span->events < otlp->settings.events_max
                  ? span_add(otlp, span, OTLP_LOG, key, sizeof(now_ns) + message.len)
                  : NULL;
    if (p == NULL) {
        span->events_dropped++;
        return;
    }
    memcpy(p, &now_ns, sizeof(now_ns));
    if (message.len > 0)
        memcpy(p + sizeof(now_ns), message.ptr, message.len);
    span->events++;
}

static void
otlp_span_link(void *self, arvo_span *span, const arvo_trace_context *other)
{
    const arvo_otlp *otlp = self;
    char *p = span->links < otlp->settings.links_max
                  ? span_add(otlp, span, OTLP_LINK, ARVO_STR_NONE, sizeof(*other))
                  : NULL;
    if (p != NULL) {
        memcpy(p, other, sizeof(*other));
        span->links++;
    } else {
        span->links_dropped++;
    }
}

static void
otlp_span_end(
    void *self, arvo_span *span, int64_t end_ns, arvo_str error_type, arvo_str error_message)
{
    arvo_otlp *otlp = self;
    span->end_ns = end_ns;
    span->failed = error_type.ptr != NULL;
    if (span->failed)
        (void)span_add_text(otlp, span, OTLP_ERROR, span_cut(otlp, error_type), error_message);
    arvo__otlp_pipe_put(&otlp->pipes[ARVO_OTLP_TRACES], &span->record);
}

static void
otlp_measure(void *self, arvo_measure measure, double value, const arvo_labels *labels)
{
    (void)self;
    (void)measure;
    (void)value;
    (void)labels;
}

arvo_telemetry
arvo__otlp_table(arvo_otlp *otlp)
{
    return (arvo_telemetry){ .version = ARVO_TELEMETRY_OPS_VERSION,
                             .span_start = otlp_span_start,
                             .span_str = otlp_span_str,
                             .span_number = otlp_span_number,
                             .span_log = otlp_span_log,
                             .span_link = otlp_span_link,
                             .span_end = otlp_span_end,
                             .measure = otlp_measure,
                             .self = otlp };
}
