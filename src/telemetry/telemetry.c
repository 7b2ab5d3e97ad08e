/* W3C trace context, and the check of a listener's table. Pure. */

#include <arvo/telemetry.h>

#include "base/internal.h"

/* Lower-case hexadecimal only: the recommendation forbids upper case. */
static bool
trace_hex_read(const char *text, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned value = 0;
        for (size_t j = 0; j < 2; j++) {
            const char c = text[2 * i + j];
            if (c >= '0' && c <= '9')
                value = value << 4 | (unsigned)(c - '0');
            else if (c >= 'a' && c <= 'f')
                value = value << 4 | (unsigned)(c - 'a' + 10);
            else
                return false;
        }
        out[i] = (uint8_t)value;
    }
    return true;
}

static bool
trace_is_zero(const uint8_t *bytes, size_t len)
{
    unsigned any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

bool
arvo_trace_context_parse(arvo_str traceparent, arvo_trace_context *out)
{
    ARVO_ASSERT(out != NULL);
    const char *p = traceparent.ptr;
    if (traceparent.len != ARVO_TRACEPARENT_BYTES || memcmp(p, "00-", 3) != 0 || p[35] != '-' ||
        p[52] != '-')
        return false;

    arvo_trace_context context;
    if (!trace_hex_read(p + 3, context.trace_id, sizeof(context.trace_id)) ||
        !trace_hex_read(p + 36, context.span_id, sizeof(context.span_id)) ||
        !trace_hex_read(p + 53, &context.flags, 1))
        return false;
    if (trace_is_zero(context.trace_id, sizeof(context.trace_id)) ||
        trace_is_zero(context.span_id, sizeof(context.span_id)))
        return false;
    *out = context;
    return true;
}

void
arvo_trace_context_format(const arvo_trace_context *context, char *out)
{
    ARVO_ASSERT(context != NULL && out != NULL);
    memcpy(out, "00-", 3);
    arvo__hex(context->trace_id, sizeof(context->trace_id), out + 3);
    out[35] = '-';
    arvo__hex(context->span_id, sizeof(context->span_id), out + 36);
    out[52] = '-';
    arvo__hex(&context->flags, 1, out + 53);
}

arvo_status
arvo_telemetry_check(const arvo_telemetry *telemetry, arvo_error *err)
{
    if (telemetry == NULL)
        return ARVO_OK; /* off */
    if (telemetry->version != ARVO_TELEMETRY_OPS_VERSION)
        return arvo__fail(
            err, ARVO_E_VERSION, "telemetry: table version %u, this library knows version %u",
            telemetry->version, ARVO_TELEMETRY_OPS_VERSION);

    const struct {
        const char *name;
        bool present;
    } functions[] = {
        { "span_start", telemetry->span_start != NULL },
        { "span_str", telemetry->span_str != NULL },
        { "span_number", telemetry->span_number != NULL },
        { "span_log", telemetry->span_log != NULL },
        { "span_end", telemetry->span_end != NULL },
        { "measure", telemetry->measure != NULL },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(functions); i++)
        if (!functions[i].present)
            return arvo__fail(
                err, ARVO_E_INVALID, "telemetry: the table has no function %s", functions[i].name);
    return ARVO_OK;
}
