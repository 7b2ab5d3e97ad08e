/* What execute returns: the events, all and by domain. */

#include "orchestrator/internal.h"

static arvo_domain_events *
result_bucket(arvo__execution *x, arvo_str name)
{
    for (size_t i = 0; i < x->domain_count; i++)
        if (arvo_str_equal(x->by_domain[i].name, name))
            return &x->by_domain[i];
    arvo_domain_events *bucket = &x->by_domain[x->domain_count++];
    *bucket = (arvo_domain_events){ .name = name };
    return bucket;
}

/* First count, then fill: every list gets its exact size. */
static void
result_fill_buckets(arvo__execution *x, const arvo_event **lists)
{
    for (size_t i = 0; i < x->event_count; i++)
        for (size_t k = 0; k < arvo__domain_count(x, i); k++)
            result_bucket(x, arvo__domain_name(x, i, k))->events.count++;
    for (size_t b = 0; b < x->domain_count; b++) {
        x->by_domain[b].events.items = lists;
        size_t used = 0;
        for (size_t i = 0; i < x->event_count; i++)
            for (size_t k = 0; k < arvo__domain_count(x, i); k++)
                if (arvo_str_equal(arvo__domain_name(x, i, k), x->by_domain[b].name))
                    lists[used++] = x->events[i];
        lists += used;
    }
}

arvo_status
arvo__result_prepare(arvo__execution *x)
{
    size_t places = 0;
    for (size_t i = 0; i < x->event_count; i++)
        places += arvo__domain_count(x, i);
    x->domain_count = 0;
    if (places == 0)
        return ARVO_OK;
    x->by_domain = arvo__arena_alloc(x->arena, places * sizeof(*x->by_domain));
    const arvo_event **lists = arvo__arena_alloc(x->arena, places * sizeof(const arvo_event *));
    if (x->by_domain == NULL || lists == NULL)
        return arvo__nomem(x->err);
    result_fill_buckets(x, lists);
    return ARVO_OK;
}

/* What the step failed with; of a duplicate, what it failed with when it was first handled: its own
 * system error is among the recorded events, and no machine may emit that. */
static void
result_error(const arvo__execution *x, arvo_result *result)
{
    if (x->outcome == ARVO_OUTCOME_FAILED) {
        result->error_name = x->error_name;
        result->error_message = x->error_message;
    }
    for (size_t i = 0; x->outcome == ARVO_OUTCOME_DUPLICATE && i < x->event_count; i++) {
        const arvo_event *event = x->events[i];
        if (!arvo_str_equal(event->type, x->orchestrator->self->system_error.type))
            continue;
        result->error_name = arvo_json_str(arvo_json_get(event->data, "errorName"));
        result->error_message = arvo_json_str(arvo_json_get(event->data, "errorMessage"));
    }
}

arvo_result
arvo__result_build(const arvo__execution *x)
{
    arvo_result result = {
        .outcome = x->outcome,
        .all = { x->events, x->event_count },
        .domains = x->by_domain,
        .domain_count = x->domain_count,
        .orchestrator = x->orchestrator->source,
        .version = x->machine != NULL ? arvo_machine_version(x->machine) : x->record.version,
        .status = x->has_record ? x->record.status : ARVO_STR_NONE,
        .value = x->has_record ? x->record.value : ARVO_STR_NONE,
        .logs = x->output.logs,
        .log_count = x->outcome == ARVO_OUTCOME_EXECUTED ? x->output.log_count : 0,
        .event_json = x->event_texts,
        .event_domains = x->domain_texts,
    };
    result_error(x, &result);
    result.events = arvo_result_domain(&result, "default");
    return result;
}

arvo_event_list
arvo_result_domain(const arvo_result *result, const char *domain)
{
    for (size_t i = 0; i < result->domain_count; i++)
        if (arvo_str_is(result->domains[i].name, domain))
            return result->domains[i].events;
    return (arvo_event_list){ NULL, 0 };
}

/* Lists keep the order of `all`, so one walk through that finds every text. */
static void
result_write_list(const arvo_result *result, arvo_event_list list, arvo_buf *out)
{
    size_t at = 0;
    arvo_buf_append_char(out, '[');
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0)
            arvo_buf_append_char(out, ',');
        while (at < result->all.count && result->all.items[at] != list.items[i])
            at++;
        if (at < result->all.count)
            arvo_buf_append_str(out, result->event_json[at]);
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
