/* Records as text, JSON and journald's fields. */

#include "telemetry/log_internal.h"

#include <arvo/json.h>

#define LOG_NAME_BYTES_MAX 64u /* of a journal's field */

/* syslog's numbers, which journald has too. */
static const char log_priorities[] = { [ARVO_LOG_DEBUG] = '7',
                                       [ARVO_LOG_INFO] = '6',
                                       [ARVO_LOG_WARNING] = '4',
                                       [ARVO_LOG_ERROR] = '3',
                                       [ARVO_LOG_CRITICAL] = '2' };

/* What of a value is written: all of it, or what its limit leaves, between characters. */
static arvo_str
log_cut(arvo_str value, bool *out_is_cut)
{
    *out_is_cut = value.len > ARVO_LOG_VALUE_BYTES_MAX;
    if (!*out_is_cut)
        return value;
    value.len = ARVO_LOG_VALUE_BYTES_MAX;
    for (unsigned i = 0; i < 3 && ((unsigned char)value.ptr[value.len] & 0xc0) == 0x80; i++)
        value.len--;
    return value;
}

static size_t
log_attribute_count(const arvo_log_record *record)
{
    return record->attribute_count < ARVO_LOG_ATTRIBUTES_MAX ? record->attribute_count
                                                             : ARVO_LOG_ATTRIBUTES_MAX;
}

/* The fields that are strings, under their names in JSON. */
typedef struct log_field {
    const char *key;
    arvo_str value;
} log_field;

#define LOG_FIELDS 6u

/* 32 hexadecimal digits, then 16; `out` holds them while the fields are used. */
static void
log_fields(const arvo_log_record *record, char out[48], log_field fields[LOG_FIELDS])
{
    arvo_str trace = ARVO_STR_NONE, span = ARVO_STR_NONE;
    if (record->trace != NULL) {
        arvo__hex(record->trace->trace_id, 16, out);
        arvo__hex(record->trace->span_id, 8, out + 32);
        trace = (arvo_str){ out, 32 };
        span = (arvo_str){ out + 32, 16 };
    }
    fields[0] = (log_field){ "handler", record->handler };
    fields[1] = (log_field){ "eventType", record->event_type };
    fields[2] = (log_field){ "eventId", record->event_id };
    fields[3] = (log_field){ "traceId", trace };
    fields[4] = (log_field){ "spanId", span };
    fields[5] = (log_field){ "subject", record->subject };
}

/* ---- Text --------------------------------------------------------------------------- */

/* What cannot break a line or drive a terminal; in quotes where it would not be one word. */
static void
text_value(arvo_str value, bool may_quote, arvo_buf *out)
{
    bool is_cut;
    value = log_cut(value, &is_cut);
    bool is_word = value.len > 0;
    for (size_t i = 0; may_quote && i < value.len; i++)
        is_word = is_word && value.ptr[i] != ' ' && value.ptr[i] != '"';
    const bool is_quoted = may_quote && !is_word;
    if (is_quoted)
        arvo_buf_append_char(out, '"');
    for (size_t i = 0; i < value.len;) {
        const size_t shown = arvo__printable(value.ptr + i, value.len - i);
        if (is_quoted && value.ptr[i] == '"')
            arvo_buf_append_char(out, '\\');
        if (shown > 0) {
            arvo_buf_append(out, value.ptr + i, shown);
            i += shown;
        } else {
            arvo_buf_printf(out, "\\x%02x", (unsigned char)value.ptr[i++]);
        }
    }
    if (is_cut)
        arvo_buf_append_str(out, ARVO_STR("..."));
    if (is_quoted)
        arvo_buf_append_char(out, '"');
}

static const char *
text_colour(arvo_severity level)
{
    return level >= ARVO_LOG_ERROR     ? "\033[31m"
           : level == ARVO_LOG_WARNING ? "\033[33m"
           : level == ARVO_LOG_DEBUG   ? "\033[2m"
                                       : "";
}

static void
text_key(const char *key, arvo_buf *out)
{
    arvo_buf_append_char(out, ' ');
    text_value(arvo_str_from(key), false, out);
    arvo_buf_append_char(out, '=');
}

static void
text_write(const arvo_log_record *record, bool with_colour, arvo_buf *out)
{
    char time[ARVO_TIMESTAMP_BYTES], ids[48];
    const char *colour = with_colour ? text_colour(record->level) : "";
    log_field fields[LOG_FIELDS];
    log_fields(record, ids, fields);
    arvo_timestamp_format(record->time_ms, time);
    arvo_buf_append(out, time, sizeof(time));
    arvo_buf_printf(
        out, " %s%-8s%s %s: ", colour, arvo_log_level_name(record->level),
        *colour != '\0' ? "\033[0m" : "", arvo_log_area_name(record->area));
    text_value(record->message, false, out);
    if (record->detail.ptr != NULL) {
        arvo_buf_append_str(out, ARVO_STR(": "));
        text_value(record->detail, false, out);
    }
    for (size_t i = 0; i < log_attribute_count(record); i++) {
        const arvo_log_attribute *attribute = &record->attributes[i];
        text_key(attribute->key, out);
        if (attribute->text.ptr != NULL)
            text_value(attribute->text, true, out);
        else
            arvo_buf_printf(out, "%lld", (long long)attribute->number);
    }
    for (size_t i = 0; i < LOG_FIELDS; i++) {
        if (fields[i].value.ptr == NULL)
            continue;
        text_key(fields[i].key, out);
        text_value(fields[i].value, true, out);
    }
    arvo_buf_append_char(out, '\n');
}

/* ---- JSON --------------------------------------------------------------------------- */

static void
json_value(arvo_str value, arvo_buf *out)
{
    bool is_cut;
    value = log_cut(value, &is_cut);
    if (!is_cut && arvo__utf8_is_valid(value)) {
        arvo_json_write_str(value, out);
        return;
    }
    arvo_buf_append_char(out, '"');
    while (value.len > 0) {
        const arvo_str good = { value.ptr, arvo__utf8_valid_prefix(value) };
        const size_t start = out->len;
        arvo_json_write_str(good, out);
        if (out->status != ARVO_OK)
            return;
        /* Its quotes are not wanted here. */
        memmove(out->ptr + start, out->ptr + start + 1, out->len - start - 2);
        out->len -= 2;
        value = (arvo_str){ value.ptr + good.len, value.len - good.len };
        if (value.len > 0) {
            arvo_buf_append_str(out, ARVO_STR("\\ufffd"));
            value = (arvo_str){ value.ptr + 1, value.len - 1 };
        }
    }
    arvo_buf_append_str(out, is_cut ? ARVO_STR("...\"") : ARVO_STR("\""));
}

static void
json_member(const char *key, arvo_str value, arvo_buf *out)
{
    if (value.ptr == NULL)
        return;
    arvo_buf_append_char(out, ',');
    json_value(arvo_str_from(key), out);
    arvo_buf_append_char(out, ':');
    json_value(value, out);
}

static void
json_write(const arvo_log_record *record, arvo_buf *out)
{
    char time[ARVO_TIMESTAMP_BYTES], ids[48];
    log_field fields[LOG_FIELDS];
    log_fields(record, ids, fields);
    arvo_timestamp_format(record->time_ms, time);
    arvo_buf_printf(
        out, "{\"time\":\"%.*s\",\"level\":\"%s\",\"area\":\"%s\"", (int)sizeof(time), time,
        arvo_log_level_name(record->level), arvo_log_area_name(record->area));
    json_member("message", record->message, out);
    json_member("detail", record->detail, out);
    for (size_t i = 0; i < LOG_FIELDS; i++)
        json_member(fields[i].key, fields[i].value, out);
    if (record->attribute_count > 0)
        arvo_buf_append_str(out, ARVO_STR(",\"attributes\":{"));
    for (size_t i = 0; i < log_attribute_count(record); i++) {
        const arvo_log_attribute *attribute = &record->attributes[i];
        if (i > 0)
            arvo_buf_append_char(out, ',');
        json_value(arvo_str_from(attribute->key), out);
        arvo_buf_append_char(out, ':');
        if (attribute->text.ptr != NULL)
            json_value(attribute->text, out);
        else
            arvo_buf_printf(out, "%lld", (long long)attribute->number);
    }
    arvo_buf_append_str(out, record->attribute_count > 0 ? ARVO_STR("}}\n") : ARVO_STR("}\n"));
}

/* ---- Journal ------------------------------------------------------------------------ */

/* retryMs becomes ARVO_RETRY_MS; what a journal's name may not have becomes _. */
static void
journal_name(const char *key, arvo_buf *out)
{
    char name[LOG_NAME_BYTES_MAX] = "ARVO_";
    size_t len = 5;
    for (; *key != '\0' && len + 2 <= sizeof(name); key++) {
        const bool is_upper = *key >= 'A' && *key <= 'Z';
        const bool is_lower = *key >= 'a' && *key <= 'z';
        if (is_upper)
            name[len++] = '_';
        name[len++] = (char)(is_lower                           ? *key - 'a' + 'A'
                             : is_upper                         ? *key
                             : (*key >= '0' && *key <= '9')     ? *key
                                                                : '_');
    }
    arvo_buf_append(out, name, len);
}

/* NAME=VALUE; a value with an end of line as NAME, its length in eight bytes, and itself. */
static void
journal_value(arvo_str value, arvo_buf *out)
{
    bool is_cut;
    value = log_cut(value, &is_cut);
    const arvo_str end = is_cut ? ARVO_STR("...") : ARVO_STR("");
    if (value.len > 0 && memchr(value.ptr, '\n', value.len) != NULL) {
        arvo_buf_append_char(out, '\n');
        for (unsigned i = 0; i < 8; i++)
            arvo_buf_append_char(out, (char)((uint64_t)(value.len + end.len) >> (8 * i) & 0xff));
    } else {
        arvo_buf_append_char(out, '=');
    }
    arvo_buf_append_str(out, value);
    arvo_buf_append_str(out, end);
    arvo_buf_append_char(out, '\n');
}

static void
journal_write(const arvo_log_record *record, arvo_buf *out)
{
    char ids[48];
    log_field fields[LOG_FIELDS];
    log_fields(record, ids, fields);
    arvo_buf_append_str(out, ARVO_STR("MESSAGE="));
    text_value(record->message, false, out);
    if (record->detail.ptr != NULL) {
        arvo_buf_append_str(out, ARVO_STR(": "));
        text_value(record->detail, false, out);
    }
    arvo_buf_printf(
        out, "\nPRIORITY=%c\nSYSLOG_IDENTIFIER=arvo\nARVO_AREA=%s\n",
        log_priorities[record->level < ARVO_LOG_CRITICAL ? record->level : ARVO_LOG_CRITICAL],
        arvo_log_area_name(record->area));
    for (size_t i = 0; i < LOG_FIELDS; i++) {
        if (fields[i].value.ptr == NULL)
            continue;
        journal_name(fields[i].key, out);
        journal_value(fields[i].value, out);
    }
    for (size_t i = 0; i < log_attribute_count(record); i++) {
        const arvo_log_attribute *attribute = &record->attributes[i];
        journal_name(attribute->key, out);
        if (attribute->text.ptr != NULL)
            journal_value(attribute->text, out);
        else
            arvo_buf_printf(out, "=%lld\n", (long long)attribute->number);
    }
}

void
arvo_log_record_write(const arvo_log_record *record, arvo_log_format format, arvo_buf *out)
{
    ARVO_ASSERT(record != NULL && out != NULL);
    switch (format) {
    case ARVO_LOG_TEXT:
    case ARVO_LOG_TEXT_COLOUR:
        text_write(record, format == ARVO_LOG_TEXT_COLOUR, out);
        return;
    case ARVO_LOG_JSON:
        json_write(record, out);
        return;
    case ARVO_LOG_JOURNAL:
        journal_write(record, out);
        return;
    }
}
