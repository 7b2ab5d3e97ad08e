/* What makes an event valid, and how a broken one is reported. */

#include <arvo/event.h>

#include <stdarg.h>
#include <stdio.h>

#include "event/internal.h"
#include "json/internal.h"

#include <arvo/uri.h>

/* ---- Names and versions ------------------------------------------------------- */

static inline bool
event_is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool
arvo_event_type_is_valid(arvo_str type)
{
    size_t dots = 0;
    bool in_segment = false;
    for (size_t i = 0; i < type.len; i++) {
        if (event_is_name_char(type.ptr[i])) {
            in_segment = true;
        } else {
            if (type.ptr[i] != '.' || !in_segment)
                return false;
            in_segment = false;
            dots++;
        }
    }
    return in_segment && dots >= 2;
}

bool
arvo_domain_is_valid(arvo_str domain)
{
    for (size_t i = 0; i < domain.len; i++)
        if (!event_is_name_char(domain.ptr[i]) && domain.ptr[i] != '.')
            return false;
    return domain.len > 0 && !arvo_str_is(domain, "all");
}

/* Digits at `*at`, moved behind them; none: false. */
static bool
event_skip_digits(arvo_str text, size_t *at)
{
    const size_t begin = *at;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9')
        (*at)++;
    return *at > begin;
}

bool
arvo_version_is_valid(arvo_str version)
{
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        if (part > 0 && (at >= version.len || version.ptr[at++] != '.'))
            return false;
        if (!event_skip_digits(version, &at))
            return false;
    }
    return at == version.len;
}

/* The digits up to the next dot without leading zeros; `*rest` moves behind the dot. */
static arvo_str
event_version_part(arvo_str *rest)
{
    arvo_str part = { rest->ptr, 0 };
    while (part.len < rest->len && rest->ptr[part.len] != '.')
        part.len++;
    const size_t used = part.len < rest->len ? part.len + 1 : part.len;
    rest->ptr += used;
    rest->len -= used;
    while (part.len > 1 && part.ptr[0] == '0') {
        part.ptr++;
        part.len--;
    }
    return part;
}

int
arvo_version_compare(arvo_str a, arvo_str b)
{
    ARVO_ASSERT(arvo_version_is_valid(a) && arvo_version_is_valid(b));
    for (int i = 0; i < 3; i++) {
        const arvo_str left = event_version_part(&a), right = event_version_part(&b);
        if (left.len != right.len)
            return left.len < right.len ? -1 : 1;
        const int order = memcmp(left.ptr, right.ptr, left.len);
        if (order != 0)
            return order < 0 ? -1 : 1;
    }
    return 0;
}

bool
arvo_dataschema_parse(arvo_str text, arvo_str *out_uri, arvo_str *out_version)
{
    ARVO_ASSERT(out_uri != NULL && out_version != NULL);
    if (text.ptr == NULL)
        return false;
    size_t slash = text.len;
    while (slash > 0 && text.ptr[slash - 1] != '/')
        slash--;
    const arvo_str version = { text.ptr + slash, text.len - slash };
    if (!arvo_version_is_valid(version))
        return false;
    *out_uri = (arvo_str){ text.ptr, slash > 0 ? slash - 1 : 0 };
    *out_version = version;
    return true;
}

/* ---- Attributes by name --------------------------------------------------------- */

const uint16_t arvo__event_offsets[ARVO__EVENT_STRING_COUNT] = {
#define EVENT_OFFSET(name) (uint16_t) offsetof(arvo_event, name),
    ARVO__EVENT_STRINGS(EVENT_OFFSET)
#undef EVENT_OFFSET
};

static const char *const event_names[ARVO__EVENT_FIELD_COUNT] = {
#define EVENT_NAME(name) #name,
    ARVO__EVENT_STRINGS(EVENT_NAME)
#undef EVENT_NAME
        "data",
    "executionunits",
};

unsigned
arvo__event_field_of(const char *key, size_t len)
{
#define IS(name)                                                                                   \
    if (memcmp(key, #name, sizeof(#name) - 1) == 0)                                                \
    return ARVO__EVENT_##name
    switch (len) {
    case 2:
        IS(id);
        IS(to);
        break;
    case 4:
        IS(type);
        IS(data);
        IS(time);
        break;
    case 6:
        IS(source);
        IS(domain);
        break;
    case 7:
        IS(subject);
        break;
    case 8:
        IS(parentid);
        break;
    case 10:
        IS(dataschema);
        IS(redirectto);
        IS(tracestate);
        break;
    case 11:
        IS(specversion);
        IS(traceparent);
        break;
    case 13:
        IS(accesscontrol);
        break;
    case 14:
        IS(executionunits);
        break;
    case 15:
        IS(datacontenttype);
        break;
    default:
        break;
    }
#undef IS
    return ARVO__EVENT_FIELD_COUNT;
}

/* ---- Rules -------------------------------------------------------------------------- */

/* One bit for each rule; where the rule is about an attribute, the bit is the attribute's. */
#define EVENT_RULE_TO_NEEDED  ARVO__EVENT_FIELD_COUNT
#define EVENT_RULE_EXTENSIONS (ARVO__EVENT_FIELD_COUNT + 1)
#define EVENT_RULE_COUNT      (ARVO__EVENT_FIELD_COUNT + 2)

/* Completes "<attribute> must be ...". */
static const char *const event_rules[EVENT_RULE_COUNT] = {
    [ARVO__EVENT_id] = "non-empty text",
    [ARVO__EVENT_source] = "a non-empty URI",
    [ARVO__EVENT_specversion] = "\"" ARVO_EVENT_SPEC_VERSION "\"",
    [ARVO__EVENT_type] = "3 or more dotted parts of a-z, 0-9",
    [ARVO__EVENT_subject] = "a non-empty URI",
    [ARVO__EVENT_datacontenttype] = "application/cloudevents+json or application/json",
    [ARVO__EVENT_dataschema] = "null or a non-empty URI",
    [ARVO__EVENT_time] = "a date-time as 2024-01-31T12:00:00Z",
    [ARVO__EVENT_to] = "null or a non-empty URI",
    [ARVO__EVENT_accesscontrol] = "null or non-empty text",
    [ARVO__EVENT_redirectto] = "null or a non-empty URI",
    [ARVO__EVENT_traceparent] = "null or non-empty text",
    [ARVO__EVENT_tracestate] = "null or non-empty text",
    [ARVO__EVENT_parentid] = "null or non-empty text",
    [ARVO__EVENT_domain] = "null or a-z, 0-9 and dots, not \"all\"",
    [ARVO__EVENT_data] = "an object",
    [ARVO__EVENT_executionunits] = "null or a number",
    [EVENT_RULE_TO_NEEDED] = "given when datacontenttype is Arvo's own",
    [EVENT_RULE_EXTENSIONS] = "an object of scalars",
};

static bool
event_contains(arvo_str text, arvo_str part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (memcmp(text.ptr + i, part.ptr, part.len) == 0)
            return true;
    return false;
}

static bool
event_content_type_is_valid(arvo_str type)
{
    return event_contains(type, ARVO_STR("application/cloudevents+json")) ||
           event_contains(type, ARVO_STR("application/json"));
}

static inline bool
event_uri_is_valid(arvo_str uri, unsigned known)
{
    return uri.len > 0 && ((known & ARVO__EVENT_URIS_VALID) != 0 || arvo_uri_is_valid(uri));
}

static inline bool
event_text_is_valid(arvo_str text, unsigned known)
{
    return text.len > 0 && ((known & ARVO__EVENT_TEXT_IS_UTF8) != 0 || arvo__utf8_is_valid(text));
}

/* A bad name and a bad value are told apart only when they are reported. */
const char *
arvo__event_extension_fault(arvo_str key, const arvo_json *value)
{
    if (key.len == 0)
        return "has an empty name";
    for (size_t i = 0; i < key.len; i++)
        if (!event_is_name_char(key.ptr[i]))
            return "is named with more than a-z, 0-9";
    if (arvo__event_field_of(key.ptr, key.len) != ARVO__EVENT_FIELD_COUNT)
        return "has the name of a standard attribute";
    const arvo_json_type type = arvo_json_type_of(value);
    return type == ARVO_JSON_ARRAY || type == ARVO_JSON_OBJECT ? "is no text, number, bool or null"
                                                               : NULL;
}

static bool
event_extensions_are_valid(const arvo_json *extensions)
{
    if (arvo_json_is_nullish(extensions))
        return true;
    if (arvo_json_type_of(extensions) != ARVO_JSON_OBJECT)
        return false;
    for (size_t i = 0; i < arvo_json_count(extensions); i++)
        if (arvo__event_extension_fault(
                arvo_json_key_at(extensions, i), arvo_json_at(extensions, i)) != NULL)
            return false;
    return true;
}

/* A bit for each broken rule. */
static inline uint32_t
event_broken_rules(const arvo_event *event, unsigned known)
{
    uint32_t broken = 0;
#define RULE(bit, holds)      broken |= (holds) ? 0 : (uint32_t)1 << (bit)
#define NULL_OR(field, holds) RULE(ARVO__EVENT_##field, event->field.ptr == NULL || (holds))
    const bool arvo_type = arvo_str_is(event->datacontenttype, ARVO_EVENT_CONTENT_TYPE);

    RULE(ARVO__EVENT_id, event_text_is_valid(event->id, known));
    RULE(ARVO__EVENT_source, event_uri_is_valid(event->source, known));
    RULE(ARVO__EVENT_specversion, arvo_str_is(event->specversion, ARVO_EVENT_SPEC_VERSION));
    RULE(ARVO__EVENT_type, arvo_event_type_is_valid(event->type));
    RULE(ARVO__EVENT_subject, event_uri_is_valid(event->subject, known));
    RULE(
        ARVO__EVENT_datacontenttype,
        arvo_type || (event_content_type_is_valid(event->datacontenttype) &&
                      event_text_is_valid(event->datacontenttype, known)));
    NULL_OR(dataschema, event_uri_is_valid(event->dataschema, known));
    RULE(ARVO__EVENT_data, arvo_json_type_of(event->data) == ARVO_JSON_OBJECT);
    RULE(ARVO__EVENT_time, arvo_timestamp_is_valid(event->time));
    NULL_OR(to, event_uri_is_valid(event->to, known));
    RULE(EVENT_RULE_TO_NEEDED, event->to.ptr != NULL || !arvo_type);
    NULL_OR(accesscontrol, event_text_is_valid(event->accesscontrol, known));
    NULL_OR(redirectto, event_uri_is_valid(event->redirectto, known));
    RULE(
        ARVO__EVENT_executionunits,
        arvo_json_is_nullish(event->executionunits) || arvo_json_is_number(event->executionunits));
    NULL_OR(traceparent, event_text_is_valid(event->traceparent, known));
    NULL_OR(tracestate, event_text_is_valid(event->tracestate, known));
    NULL_OR(parentid, event_text_is_valid(event->parentid, known));
    NULL_OR(domain, arvo_domain_is_valid(event->domain));
    RULE(EVENT_RULE_EXTENSIONS, event_extensions_are_valid(event->extensions));
#undef NULL_OR
#undef RULE
    return broken;
}

/* ---- Reports (cold) --------------------------------------------------------------------- */

#define EVENT_VALUE_BYTES_MAX      ((size_t)40) /* of a value that is quoted */
#define EVENT_EXTENSION_FAULTS_MAX 4            /* named one by one */

/* A line in the making; what does not fit is cut, and `full` says so. */
struct event_line {
    char text[ARVO_ERROR_TEXT_BYTES_MAX];
    size_t len;
    bool full;
    bool brief; /* without the values */
};

static void
event_line_add(struct event_line *line, const char *text, size_t len)
{
    const size_t room = sizeof(line->text) - 1 - line->len;
    if (len > room) {
        line->full = true;
        len = room;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
    line->text[line->len] = '\0';
}

static void ARVO_PRINTF(2, 3) event_line_format(struct event_line *line, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0)
        event_line_add(line, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

/* Shortened and quoted; what is not text is shown as hexadecimal escapes. */
static void
event_line_quote(struct event_line *line, arvo_str value)
{
    event_line_add(line, "\"", 1);
    size_t i = 0;
    while (i < value.len && i < EVENT_VALUE_BYTES_MAX) {
        const unsigned char c = (unsigned char)value.ptr[i];
        arvo_str rest = { value.ptr + i, value.len - i < 4 ? value.len - i : 4 };
        size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        len = len < rest.len ? len : rest.len;
        rest.len = len;
        if (c < 0x20 || c == 0x7f || !arvo__utf8_is_valid(rest)) {
            event_line_format(line, "\\x%02x", c);
            len = 1;
        } else {
            event_line_add(line, value.ptr + i, len);
        }
        i += len;
    }
    if (i < value.len)
        event_line_add(line, "...", 3);
    event_line_add(line, "\"", 1);
}

static void
event_report_field(
    struct event_line *line, const arvo_event *event, unsigned rule, const arvo_json *wrong_value)
{
    const unsigned field = rule == EVENT_RULE_TO_NEEDED ? ARVO__EVENT_to : rule;
    const char *name = rule == EVENT_RULE_EXTENSIONS ? "extensions" : event_names[field];
    const arvo_str *value = NULL;
    if (field < ARVO__EVENT_STRING_COUNT)
        value = (const arvo_str *)(const void *)((const char *)event + arvo__event_offsets[field]);

    if (wrong_value == NULL && rule != EVENT_RULE_TO_NEEDED &&
        ((value != NULL && value->ptr == NULL) ||
         (rule == ARVO__EVENT_data && arvo_json_is_nullish(event->data)))) {
        event_line_format(line, "; %s is missing", name);
        return;
    }
    if (line->brief) {
        event_line_format(line, "; %s: %s", name, event_rules[rule]);
        return;
    }
    event_line_format(line, "; %s must be %s", name, event_rules[rule]);

    const arvo_json *other = wrong_value;
    if (rule == ARVO__EVENT_data)
        other = event->data;
    if (rule == ARVO__EVENT_executionunits)
        other = event->executionunits;
    if (rule == EVENT_RULE_EXTENSIONS)
        other = event->extensions;
    if (other != NULL && arvo_json_type_of(other) != ARVO_JSON_STRING) {
        event_line_format(line, ", not %s", arvo_json_type_name(arvo_json_type_of(other)));
    } else if (other != NULL || (value != NULL && value->ptr != NULL)) {
        event_line_add(line, ", not ", 6);
        event_line_quote(line, other != NULL ? arvo_json_str(other) : *value);
    }
}

static void
event_report_extensions(struct event_line *line, const arvo_event *event)
{
    if (arvo_json_type_of(event->extensions) != ARVO_JSON_OBJECT) {
        event_report_field(line, event, EVENT_RULE_EXTENSIONS, NULL);
        return;
    }
    const size_t count_max = line->brief ? 1 : EVENT_EXTENSION_FAULTS_MAX;
    size_t count = 0;
    for (size_t i = 0; i < arvo_json_count(event->extensions); i++) {
        const arvo_str key = arvo_json_key_at(event->extensions, i);
        const char *fault = arvo__event_extension_fault(key, arvo_json_at(event->extensions, i));
        if (fault == NULL || ++count > count_max)
            continue;
        event_line_add(line, "; extension ", 12);
        event_line_quote(line, key);
        event_line_format(line, " %s", fault);
    }
    if (count > count_max)
        event_line_format(line, "; and %zu extensions more", count - count_max);
}

static void
event_report(
    struct event_line *line, const arvo_event *event, uint32_t broken, uint32_t wrong,
    const arvo_json *object)
{
    for (unsigned rule = 0; rule < EVENT_RULE_COUNT; rule++) {
        const uint32_t bit = (uint32_t)1 << rule;
        const bool is_wrong = (wrong & bit) != 0;
        if (((broken | wrong) & bit) == 0)
            continue;
        if (rule == EVENT_RULE_TO_NEEDED && (wrong & (uint32_t)1 << ARVO__EVENT_to) != 0)
            continue; /* said already */
        if (rule == EVENT_RULE_EXTENSIONS)
            event_report_extensions(line, event);
        else
            event_report_field(
                line, event, rule, is_wrong ? arvo_json_get(object, event_names[rule]) : NULL);
    }
}

static arvo_status __attribute__((noinline, cold)) event_fail(
    const arvo_event *event, uint32_t broken, uint32_t wrong, const arvo_json *object,
    arvo_error *err)
{
    if (err == NULL)
        return ARVO_E_INVALID;
    /* Every broken rule matters more than the values: they go when the line grows too long. */
    struct event_line line = { .brief = false };
    event_report(&line, event, broken, wrong, object);
    if (line.full || line.len + sizeof("event: ") > sizeof(line.text)) {
        line = (struct event_line){ .brief = true };
        event_report(&line, event, broken, wrong, object);
    }
    return arvo__fail(err, ARVO_E_INVALID, "event: %s", line.text + 2);
}

arvo_status
arvo__event_check(
    const arvo_event *event, unsigned known, uint32_t wrong, const arvo_json *object,
    arvo_error *err)
{
    /* One copy of the rules for each thing known, so that what is known costs nothing. */
    uint32_t broken;
    if ((known & ARVO__EVENT_TEXT_IS_UTF8) != 0)
        broken = event_broken_rules(event, ARVO__EVENT_TEXT_IS_UTF8);
    else if ((known & ARVO__EVENT_URIS_VALID) != 0)
        broken = event_broken_rules(event, ARVO__EVENT_URIS_VALID);
    else
        broken = event_broken_rules(event, 0);
    if (ARVO_LIKELY((broken | wrong) == 0))
        return ARVO_OK;
    if ((known & ARVO__EVENT_TO_IS_TYPE) != 0 && (broken & 1u << ARVO__EVENT_type) != 0)
        broken &= ~(1u << ARVO__EVENT_to | 1u << EVENT_RULE_TO_NEEDED);
    return event_fail(event, broken, wrong, object, err);
}

arvo_status
arvo_event_validate(const arvo_event *event, arvo_error *err)
{
    ARVO_ASSERT(event != NULL);
    return arvo__event_check(event, 0, 0, NULL, err);
}
