/* What execute returns: the events, all and by domain. */

#include "orchestrator/internal.h"

typedef struct result_buckets {
    arvo_domain_events *items;
    size_t count;
    size_t cap;
} result_buckets;

static arvo_str
result_domain_name(const arvo__execution *x, size_t event, size_t domain)
{
    return x->domains[event] == NULL ? ARVO_STR("default")
                                     : arvo_json_str(arvo_json_at(x->domains[event], domain));
}

static size_t
result_domain_count(const arvo__execution *x, size_t event)
{
    return x->domains[event] == NULL ? 1 : arvo_json_count(x->domains[event]);
}

static arvo_domain_events *
result_bucket(result_buckets *buckets, arvo_str name)
{
    for (size_t i = 0; i < buckets->count; i++)
        if (arvo_str_equal(buckets->items[i].name, name))
            return &buckets->items[i];
    arvo_domain_events *bucket = &buckets->items[buckets->count++];
    *bucket = (arvo_domain_events){ .name = name };
    return bucket;
}

/* First count, then fill: every list gets its exact size. */
static bool
result_fill_buckets(const arvo__execution *x, result_buckets *buckets)
{
    size_t places = 0;
    for (size_t i = 0; i < x->event_count; i++)
        places += result_domain_count(x, i);
    if (places == 0)
        return true;

    buckets->items = arvo__arena_alloc(x->arena, places * sizeof(*buckets->items));
    const arvo_event **lists = arvo__arena_alloc(x->arena, places * sizeof(const arvo_event *));
    if (buckets->items == NULL || lists == NULL)
        return false;
    for (size_t i = 0; i < x->event_count; i++)
        for (size_t k = 0; k < result_domain_count(x, i); k++)
            result_bucket(buckets, result_domain_name(x, i, k))->events.count++;
    for (size_t b = 0; b < buckets->count; b++) {
        buckets->items[b].events.items = lists;
        size_t used = 0;
        for (size_t i = 0; i < x->event_count; i++)
            for (size_t k = 0; k < result_domain_count(x, i); k++)
                if (arvo_str_equal(result_domain_name(x, i, k), buckets->items[b].name))
                    lists[used++] = x->events[i];
        lists += used;
    }
    return true;
}

arvo_status
arvo__result_build(arvo__execution *x, arvo_result *out)
{
    result_buckets buckets = { 0 };
    if (!result_fill_buckets(x, &buckets))
        return arvo__nomem(x->err);

    arvo_result result = {
        .outcome = x->outcome,
        .all = { x->events, x->event_count },
        .domains = buckets.items,
        .domain_count = buckets.count,
        .orchestrator = x->orchestrator->source,
        .version = x->machine != NULL ? arvo_machine_version(x->machine) : x->record.version,
        .status = x->has_record ? x->record.status : ARVO_STR_NONE,
        .value = x->has_record ? x->record.value : ARVO_STR_NONE,
        .logs = x->output.logs,
        .log_count = x->outcome == ARVO_OUTCOME_EXECUTED ? x->output.log_count : 0,
        .event_json = x->event_texts,
        .event_domains = x->domain_texts,
    };
    if (x->outcome == ARVO_OUTCOME_FAILED) {
        result.error_name = x->error_name;
        result.error_message = x->error_message;
    }
    result.events = arvo_result_domain(&result, "default");
    *out = result;
    return ARVO_OK;
}

arvo_event_list
arvo_result_domain(const arvo_result *result, const char *domain)
{
    for (size_t i = 0; i < result->domain_count; i++)
        if (arvo_str_is(result->domains[i].name, domain))
            return result->domains[i].events;
    return (arvo_event_list){ NULL, 0 };
}

static void
result_write_list(const arvo_result *result, arvo_event_list list, arvo_buf *out)
{
    arvo_buf_append_char(out, '[');
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0)
            arvo_buf_append_char(out, ',');
        for (size_t k = 0; k < result->all.count; k++)
            if (result->all.items[k] == list.items[i]) {
                arvo_buf_append_str(out, result->event_json[k]);
                break;
            }
    }
    arvo_buf_append_char(out, ']');
}

void
arvo_result_write(const arvo_result *result, arvo_buf *out)
{
    arvo_buf_append_str(out, ARVO_STR("{\"events\":"));
    result_write_list(result, result->events, out);
    arvo_buf_append_str(out, ARVO_STR(",\"allEventDomains\":["));
    for (size_t i = 0; i < result->domain_count; i++) {
        if (i > 0)
            arvo_buf_append_char(out, ',');
        arvo_json_write_str(result->domains[i].name, out);
    }
    arvo_buf_append_str(out, ARVO_STR("],\"domainedEvents\":{\"all\":"));
    result_write_list(result, result->all, out);
    for (size_t i = 0; i < result->domain_count; i++) {
        arvo_buf_append_char(out, ',');
        arvo_json_write_str(result->domains[i].name, out);
        arvo_buf_append_char(out, ':');
        result_write_list(result, result->domains[i].events, out);
    }
    arvo_buf_append_str(out, ARVO_STR("}}"));
}
