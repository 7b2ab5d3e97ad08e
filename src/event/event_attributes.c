/* What telemetry is told of an event (spec 1.8). */

#include "event/internal.h"

#define EVENT_PREFIX_BYTES_MAX ((size_t)64)

enum event_attribute_rule {
    EVENT_UNLESS_EMPTY, /* null and "" are shown as N/A */
    EVENT_UNLESS_NULL   /* null is shown as N/A */
};

static const struct event_attribute {
    const char *key;
    unsigned field;
    enum event_attribute_rule rule;
} event_attributes[] = {
    { "cloudevents.event_id", ARVO__EVENT_id, EVENT_UNLESS_EMPTY },
    { "cloudevents.event_source", ARVO__EVENT_source, EVENT_UNLESS_EMPTY },
    { "cloudevents.event_spec_version", ARVO__EVENT_specversion, EVENT_UNLESS_EMPTY },
    { "cloudevents.event_subject", ARVO__EVENT_subject, EVENT_UNLESS_EMPTY },
    { "cloudevents.event_type", ARVO__EVENT_type, EVENT_UNLESS_EMPTY },
    { "cloudevents.event_time", ARVO__EVENT_time, EVENT_UNLESS_EMPTY },
    { "cloudevents.event_datacontenttype", ARVO__EVENT_datacontenttype, EVENT_UNLESS_EMPTY },
    { "cloudevents.event_dataschema", ARVO__EVENT_dataschema, EVENT_UNLESS_NULL },
    { "cloudevents.arvo.event_redirectto", ARVO__EVENT_redirectto, EVENT_UNLESS_NULL },
    { "cloudevents.arvo.event_to", ARVO__EVENT_to, EVENT_UNLESS_NULL },
    { "cloudevents.arvo.event_executionunits", ARVO__EVENT_executionunits, EVENT_UNLESS_NULL },
    { "cloudevents.arvo.event_parentid", ARVO__EVENT_parentid, EVENT_UNLESS_NULL },
    { "cloudevents.arvo.event_domain", ARVO__EVENT_domain, EVENT_UNLESS_NULL },
};

void
arvo__event_attributes(
    const arvo_event *event, arvo_str prefix, const arvo_telemetry *telemetry, arvo_span *span)
{
    ARVO_ASSERT(event != NULL && telemetry != NULL && prefix.len <= EVENT_PREFIX_BYTES_MAX);
    char key[EVENT_PREFIX_BYTES_MAX + 64];
    if (prefix.len > 0)
        memcpy(key, prefix.ptr, prefix.len);

    for (size_t i = 0; i < ARVO_COUNT_OF(event_attributes); i++) {
        const struct event_attribute *attribute = &event_attributes[i];
        const size_t len = strlen(attribute->key);
        memcpy(key + prefix.len, attribute->key, len);
        const arvo_str name = { key, prefix.len + len };

        arvo_str value = ARVO_STR_NONE;
        if (attribute->field == ARVO__EVENT_executionunits) {
            if (arvo_json_is_number(event->executionunits)) {
                telemetry->span_number(
                    telemetry->self, span, name, arvo_json_number_or(event->executionunits, 0));
                continue;
            }
        } else {
            memcpy(
                &value, (const char *)event + arvo__event_offsets[attribute->field], sizeof(value));
        }
        if (value.ptr == NULL || (value.len == 0 && attribute->rule == EVENT_UNLESS_EMPTY))
            value = ARVO_STR("N/A");
        telemetry->span_str(telemetry->self, span, name, value);
    }
}
