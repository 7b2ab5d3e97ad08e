/* W3C trace context, and the check of a listener's table. Pure. */

#include <arvo/telemetry.h>

#include "base/internal.h"

static bool
trace_is_zero(const uint8_t *bytes, size_t len)
{
    unsigned any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

/* A later version may go on behind what is known, and its other flags mean nothing to us. */
static bool
trace_version_read(arvo_str text, bool *out_is_later)
{
    uint8_t version;
    if (text.len < ARVO_TRACEPARENT_BYTES || !arvo__hex_read(text.ptr, &version, 1) ||
        version == 0xff)
        return false;
    *out_is_later = version != 0;
    return text.len == ARVO_TRACEPARENT_BYTES ||
           (version != 0 && text.ptr[ARVO_TRACEPARENT_BYTES] == '-');
}

bool
arvo_trace_context_parse(arvo_str traceparent, arvo_trace_context *out)
{
    ARVO_ASSERT(out != NULL);
    const char *p = traceparent.ptr;
    bool is_later;
    if (!trace_version_read(traceparent, &is_later) || p[2] != '-' || p[35] != '-' || p[52] != '-')
        return false;

    arvo_trace_context context;
    if (!arvo__hex_read(p + 3, context.trace_id, sizeof(context.trace_id)) ||
        !arvo__hex_read(p + 36, context.span_id, sizeof(context.span_id)) ||
        !arvo__hex_read(p + 53, &context.flags, 1))
        return false;
    if (trace_is_zero(context.trace_id, sizeof(context.trace_id)) ||
        trace_is_zero(context.span_id, sizeof(context.span_id)))
        return false;
    if (is_later)
        context.flags &= ARVO_TRACE_SAMPLED;
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

static bool
tracestate_is_key_sign(char c)
{
    return c == '_' || c == '-' || c == '*' || c == '/';
}

/* Lower-case letters, digits and a few signs, which begins with a letter or a digit; a key of a
 * tenant has an @ and the name of the system, which begins with a letter, behind it. */
static bool
tracestate_key_is_valid(arvo_str key)
{
    size_t system_at = 0;
    for (size_t i = 0; i < key.len; i++) {
        const char c = key.ptr[i];
        const bool is_letter = c >= 'a' && c <= 'z', is_digit = c >= '0' && c <= '9';
        const bool is_first = i == 0 || i == system_at;
        if (c == '@' && system_at == 0 && i > 0 && i <= 241)
            system_at = i + 1;
        else if (
            !is_letter && (is_first || !tracestate_is_key_sign(c)) &&
            (!is_digit || (i > 0 && i == system_at)))
            return false;
    }
    const size_t system_len = system_at > 0 ? key.len - system_at : 1;
    return key.len > 0 && key.len <= 256 && system_len >= 1 && system_len <= 14;
}

static bool
tracestate_value_is_valid(arvo_str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~' || value.ptr[i] == '=')
            return false;
    return value.len > 0 && value.len <= 256;
}

/* Blanks around a member are allowed, and so are members that are blank throughout. */
static bool
tracestate_member_is_valid(arvo_str member, unsigned *count)
{
    member = arvo__trim_blanks(member);
    if (member.len == 0)
        return true;
    const char *equals = memchr(member.ptr, '=', member.len);
    if (equals == NULL || ++*count > ARVO_TRACESTATE_MEMBERS_MAX)
        return false;
    const size_t key_len = (size_t)(equals - member.ptr);
    return tracestate_key_is_valid((arvo_str){ member.ptr, key_len }) &&
           tracestate_value_is_valid((arvo_str){ equals + 1, member.len - key_len - 1 });
}

bool
arvo_tracestate_is_valid(arvo_str tracestate)
{
    unsigned count = 0;
    if (tracestate.len == 0 || tracestate.len > ARVO_TRACESTATE_BYTES_MAX)
        return false;
    for (arvo_str rest = tracestate; rest.ptr != NULL;) {
        const char *comma = memchr(rest.ptr, ',', rest.len);
        const size_t len = comma != NULL ? (size_t)(comma - rest.ptr) : rest.len;
        if (!tracestate_member_is_valid((arvo_str){ rest.ptr, len }, &count))
            return false;
        rest = comma != NULL ? (arvo_str){ comma + 1, rest.len - len - 1 } : ARVO_STR_NONE;
    }
    return count > 0;
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
        { "span_link", telemetry->span_link != NULL },
        { "span_end", telemetry->span_end != NULL },
        { "measure", telemetry->measure != NULL },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(functions); i++)
        if (!functions[i].present)
            return arvo__fail(
                err, ARVO_E_INVALID, "telemetry: the table has no function %s", functions[i].name);
    return ARVO_OK;
}
