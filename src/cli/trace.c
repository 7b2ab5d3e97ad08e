/* The trace of `arvo run --follow`: a line per event as it is handled, then the instances. */

#include "run.h"

#include <inttypes.h>

#define TYPE_COLUMNS    36
#define HANDLER_COLUMNS 34
#define FAMILY_SCAN_MAX 10000u /* instances of the store looked at for relatives */

/* ---- The set of touched subjects ---- */

static uint64_t
bytes_hash(arvo_str text)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}

/* The slot of `subject`, or the free one where it belongs. */
static uint32_t *
touched_slot(struct touched *set, arvo_str subject)
{
    size_t at = (size_t)(bytes_hash(subject) % set->slot_count);
    while (set->slots[at] != 0 && !arvo_str_equal(set->items[set->slots[at] - 1], subject))
        at = (at + 1) % set->slot_count;
    return &set->slots[at];
}

static bool
touched_grow(struct touched *set, arvo_arena *arena)
{
    const size_t cap = set->cap == 0 ? 64 : set->cap * 2;
    arvo_str *items = arvo_arena_calloc(arena, cap, sizeof(*items));
    uint32_t *slots = arvo_arena_calloc(arena, cap * 2, sizeof(*slots));
    if (items == NULL || slots == NULL)
        return false;
    if (set->count > 0)
        memcpy(items, set->items, set->count * sizeof(*items));
    set->items = items;
    set->cap = cap;
    set->slots = slots;
    set->slot_count = cap * 2;
    for (uint32_t i = 0; i < set->count; i++)
        *touched_slot(set, items[i]) = i + 1;
    return true;
}

static void
touched_add(struct touched *set, arvo_arena *arena, arvo_str subject)
{
    if (set->count == set->cap && !touched_grow(set, arena))
        return;
    uint32_t *slot = touched_slot(set, subject);
    if (*slot != 0)
        return;
    const arvo_str copy = arvo_arena_str_dup(arena, subject);
    if (copy.ptr == NULL)
        return;
    set->items[set->count++] = copy;
    *slot = (uint32_t)set->count;
}

/* ---- One event ---- */

/* The version that ran; of an event that none took, the one that its subject asks for. None when
 * the subject is of another orchestrator, or no subject. */
static arvo_str
handler_version(const arvo_delivery *delivery)
{
    if (delivery->version.ptr != NULL)
        return delivery->version;
    arvo_subject subject;
    if (arvo_subject_decode(NULL, delivery->event->subject, cli_arena(), &subject, NULL) !=
            ARVO_OK ||
        !arvo_str_equal(subject.orchestrator_name, delivery->name))
        return ARVO_STR_NONE;
    return subject.orchestrator_version;
}

static const char *
handler_text(const arvo_delivery *delivery)
{
    arvo_str version;
    switch (delivery->handled_by) {
    case ARVO_HANDLED_BY_ORCHESTRATOR:
        version = handler_version(delivery);
        return version.ptr != NULL
                   ? cli_printf("%s@%s", cli_cstr(delivery->name), cli_cstr(version))
                   : cli_cstr(delivery->name);
    case ARVO_HANDLED_BY_HANDLER:
        return "handler";
    case ARVO_HANDLED_BY_MOCK:
        return "mock";
    default:
        return "-";
    }
}

void
trace_delivery_write(const arvo_delivery *delivery, arvo_buf *line)
{
    arvo_buf_append_str(line, ARVO_STR("{\"event\":"));
    arvo_buf_append_str(line, delivery->event_json);
    arvo_buf_append_str(line, ARVO_STR(",\"domains\":"));
    arvo_buf_append_str(line, delivery->domains);
    arvo_buf_append_str(line, ARVO_STR(",\"handledBy\":"));
    if (delivery->handled_by == ARVO_HANDLED_BY_NOBODY) {
        arvo_buf_append_str(line, ARVO_STR("null"));
    } else {
        const bool is_orchestrator = delivery->handled_by == ARVO_HANDLED_BY_ORCHESTRATOR;
        const char *name = is_orchestrator ? handler_text(delivery) : cli_cstr(delivery->name);
        const char *kind = is_orchestrator                                ? "orchestrator"
                           : delivery->handled_by == ARVO_HANDLED_BY_MOCK ? "mock"
                                                                          : "handler";
        arvo_json_write_str(arvo_str_from(cli_printf("%s:%s", kind, name)), line);
    }
}

static void
event_print_json(const arvo_delivery *delivery)
{
    arvo_buf line = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    trace_delivery_write(delivery, &line);
    arvo_buf_append_str(&line, ARVO_STR("}\n"));
    (void)fwrite(line.ptr, 1, line.len, stdout);
    arvo_buf_fini(&line);
}

static const char *
failure_text(const arvo_result *result)
{
    return cli_printf(
        "%sfailed%s %s: %s", cli_style_on(CLI_RED), cli_style_off(CLI_RED),
        cli_shown(result->error_name), cli_shown(result->error_message));
}

bool
trace_failed(const arvo_result *result)
{
    return result->error_name.ptr != NULL;
}

const char *
trace_outcome(const arvo_result *result)
{
    const char *state = cli_state_text(cli_json_text(result->value));
    switch (result->outcome) {
    case ARVO_OUTCOME_IGNORED:
        return "ignored: not for this workflow, or it is over";
    case ARVO_OUTCOME_DUPLICATE:
        return trace_failed(result) ? cli_printf("handled before, and %s", failure_text(result))
                                    : "handled before; nothing changed";
    case ARVO_OUTCOME_FAILED:
        return failure_text(result);
    default:
        if (arvo_str_is(result->status, "active"))
            return state;
        return cli_printf(
            "%s%s [%s]%s", cli_style_on(CLI_GREEN), state, cli_shown(result->status),
            cli_style_off(CLI_GREEN));
    }
}

/* Whether an orchestrator says with it that a step of its own failed: sys.{source}.error. */
static bool
is_workflow_error(const arvo_event *event)
{
    return arvo_str_starts(event->type, ARVO_STR("sys.arvo.orc.")) &&
           arvo_str_is(event->type, cli_printf("sys.%s.error", cli_cstr(event->source)));
}

/* Domains other than `default`, joined by commas; "" when there are none. */
static const char *
other_domains(arvo_str domains, bool *has_default)
{
    const arvo_json *list = cli_json_text(domains);
    const char *names = "";
    *has_default = false;
    for (size_t i = 0; i < arvo_json_count(list); i++) {
        const arvo_str name = arvo_json_str(arvo_json_at(list, i));
        if (arvo_str_is(name, "default"))
            *has_default = true;
        else
            names = cli_printf("%s%s%s", names, *names != '\0' ? ", " : "", cli_cstr(name));
    }
    return names;
}

/* What happens next to one that could not be handled. */
static const char *
failed_text(const arvo_delivery *delivery)
{
    const char *what = cli_printf(
        "%snot handled%s: %s", cli_style_on(CLI_RED), cli_style_off(CLI_RED),
        delivery->error != NULL ? cli_shown(arvo_str_from(delivery->error->text))
                                : arvo_status_text(delivery->status));
    if (delivery->is_dead)
        return cli_printf("%s; it is a dead letter now", what);
    if (delivery->retry_ms == 0)
        return what;
    char next[ARVO_TIMESTAMP_BYTES];
    const arvo_platform *platform = arvo_platform_system();
    arvo_timestamp_format(platform->time_ms(platform->self) + delivery->retry_ms, next);
    return cli_printf(
        "%s; attempt %u of %u, the next at %.*s", what, (unsigned)delivery->attempts,
        ARVO_RETRY_ATTEMPTS_MAX_DEFAULT, (int)sizeof(next), next);
}

/* What came of its delivery in the domain `default`; "" when it is not in that domain. */
static const char *
delivered_text(const arvo_delivery *delivery, bool has_default)
{
    if (delivery->status != ARVO_OK)
        return failed_text(delivery);
    if (delivery->result != NULL)
        return trace_outcome(delivery->result);
    if (delivery->handled_by != ARVO_HANDLED_BY_NOBODY)
        return cli_printf(
            "%zu %s", delivery->replies.count, delivery->replies.count == 1 ? "reply" : "replies");
    if (!has_default)
        return "";
    return cli_printf(
        "%snobody here serves%s %s", cli_style_on(CLI_YELLOW), cli_style_off(CLI_YELLOW),
        cli_shown(delivery->event->to));
}

static const char *
delivery_text(const arvo_delivery *delivery)
{
    bool has_default = false;
    const char *others = other_domains(delivery->domains, &has_default);
    const char *delivered = delivered_text(delivery, has_default);
    if (*others == '\0')
        return delivered;
    return cli_printf(
        "%s%s%sleft for%s %s", delivered, *delivered != '\0' ? "; " : "", cli_style_on(CLI_YELLOW),
        cli_style_off(CLI_YELLOW), cli_shown(arvo_str_from(others)));
}

static void
padded(const char *text, size_t columns)
{
    const size_t width = cli_width(text);
    printf("%s%*s", text, width < columns ? (int)(columns - width) : 0, "");
}

static void
event_print_text(const struct trace *trace, const arvo_delivery *delivery)
{
    printf("%4zu  %s", trace->events, cli_style_on(CLI_BOLD));
    padded(cli_shown(delivery->event->type), TYPE_COLUMNS);
    printf("%s  ", cli_style_off(CLI_BOLD));
    padded(cli_shown(arvo_str_from(handler_text(delivery))), HANDLER_COLUMNS);
    printf("  %s\n", delivery_text(delivery));
    if (delivery->result == NULL)
        return;
    for (size_t i = 0; i < delivery->result->log_count; i++)
        printf(
            "      %slog: %s%s\n", cli_style_on(CLI_DIM), cli_shown(delivery->result->logs[i]),
            cli_style_off(CLI_DIM));
}

/* Whether it is the event that the user gave, and not one that it caused. */
static bool
is_given(const struct trace *trace, const arvo_event *event)
{
    return trace->event != NULL && arvo_str_equal(trace->event->id, event->id) &&
           arvo_str_equal(trace->event->source, event->source);
}

void
trace_event(struct trace *trace, const arvo_delivery *delivery)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    trace->events++;
    trace->waiting += delivery->retry_ms > 0;
    trace->dead += delivery->is_dead;
    if (trace->json)
        event_print_json(delivery);
    else
        event_print_text(trace, delivery);
    if (delivery->result != NULL) {
        touched_add(&trace->touched, trace->keep, delivery->event->subject);
        if (trace_failed(delivery->result))
            trace->exit_code = CLI_NO;
    }
    /* Its step may have been another run's, which did not live to say so. */
    if (!is_given(trace, delivery->event) && is_workflow_error(delivery->event))
        trace->exit_code = CLI_NO;
    if (delivery->handled_by == ARVO_HANDLED_BY_NOBODY && is_given(trace, delivery->event)) {
        cli_error(
            "run: nobody in the app serves %s, the address of the event given",
            cli_cstr(delivery->event->to));
        trace->exit_code = CLI_NO;
    }
    cli_check_memory();
    arvo_arena_rewind(cli_arena(), mark);
}

bool
trace_begin(struct trace *trace)
{
    trace->keep = arvo_arena_new(NULL);
    if (trace->keep == NULL) {
        cli_error("out of memory");
        return false;
    }
    if (!trace->json) {
        printf("%s   #  ", cli_style_on(CLI_BOLD));
        padded("EVENT", TYPE_COLUMNS);
        printf("  ");
        padded("HANDLED BY", HANDLER_COLUMNS);
        printf("  NOW IN%s\n", cli_style_off(CLI_BOLD));
    }
    return true;
}

/* ---- The end ---- */

static const arvo_json *
instance_json(const arvo_record *record)
{
    const arvo_json *state = cli_json_text(record->state);
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_set(object, "subject", cli_json_str(record->subject));
    cli_set(object, "orchestrator", cli_json_str(record->orchestrator));
    cli_set(object, "version", cli_json_str(record->version));
    cli_set(object, "status", cli_json_str(record->status));
    cli_set(object, "value", cli_json_text(record->value));
    cli_set(object, "context", arvo_json_get(state, "context"));
    cli_set(object, "output", arvo_json_get(state, "output"));
    return object;
}

/* What one execution caused is one story, also when an interrupted run told part of it: parents and
 * children of what was touched belong to it. Children come behind their parents in the list. */
struct family {
    struct trace *trace;
    size_t seen;
};

static bool
touched_has(struct touched *set, arvo_str subject)
{
    return set->count > 0 && subject.ptr != NULL && *touched_slot(set, subject) != 0;
}

static bool
family_add(void *user, const arvo_record *record)
{
    struct family *family = user;
    struct trace *trace = family->trace;
    if (touched_has(&trace->touched, record->parent_subject))
        touched_add(&trace->touched, trace->keep, record->subject);
    else if (touched_has(&trace->touched, record->subject) && record->parent_subject.ptr != NULL)
        touched_add(&trace->touched, trace->keep, record->parent_subject);
    return ++family->seen < FAMILY_SCAN_MAX;
}

static void
family_find(struct trace *trace)
{
    const arvo_memory_ops *store = arvo_memory_ops_of(trace->memory);
    if (store->list == NULL || trace->touched.count == 0)
        return;
    struct family family = { .trace = trace };
    const arvo_record_query query = { .limit = FAMILY_SCAN_MAX };
    /* Only for show: what was touched is printed whether the others are found or not. */
    (void)store->list(arvo_memory_self(trace->memory), &query, family_add, &family, NULL);
}

/* The records of the touched instances; those without one (their events were ignored) are left out.
 * NULL: said why, *exit_code set. */
static arvo_record *
instances_read(struct trace *trace, size_t *count, int *exit_code)
{
    arvo_record *records =
        arvo_arena_calloc(cli_arena(), trace->touched.count + 1, sizeof(*records));
    cli_check_memory();
    *count = 0;
    for (size_t i = 0; i < trace->touched.count; i++) {
        bool found = false;
        if (!cli_record_read(
                trace->memory, trace->touched.items[i], &records[*count], &found, exit_code))
            return NULL;
        *count += found;
    }
    return records;
}

static void
instances_print_table(const arvo_record *records, size_t count)
{
    cli_table table = { .columns = 5 };
    cli_table_row(&table, "EXECUTION", "ORCHESTRATOR", "VERSION", "STATUS", "STATE");
    for (size_t i = 0; i < count; i++) {
        arvo_subject subject = { 0 };
        if (arvo_subject_decode(NULL, records[i].subject, cli_arena(), &subject, NULL) != ARVO_OK)
            subject.execution_id = ARVO_STR("?");
        cli_table_row(
            &table, cli_cstr(subject.execution_id), cli_cstr(records[i].orchestrator),
            cli_cstr(records[i].version), cli_cstr(records[i].status),
            cli_state_text(cli_json_text(records[i].value)));
    }
    putchar('\n');
    cli_table_print(&table);
}

/* What is left in the store, and how to go on. */
static void
undelivered_print(const struct trace *trace)
{
    if (strncmp(trace->store, "memory:", 7) == 0)
        return;
    const char *store = cli_quoted(arvo_str_from(cli_url(trace->store)));
    if (trace->waiting > 0)
        printf(
            "\n%zu %s for the next attempt: %s run %s --store %s --follow\n", trace->waiting,
            trace->waiting == 1 ? "event waits" : "events wait", cli_program, trace->app_text,
            store);
    if (trace->dead > 0)
        printf(
            "\n%zu dead %s, which nobody delivers any more: %s dlq list --store %s\n", trace->dead,
            trace->dead == 1 ? "letter" : "letters", cli_program, store);
}

int
trace_end(struct trace *trace)
{
    int exit_code = CLI_DONE;
    size_t count = 0;
    family_find(trace);
    const arvo_record *records = instances_read(trace, &count, &exit_code);
    if (records != NULL && trace->json) {
        arvo_json *line = arvo_json_object_new(cli_arena());
        arvo_json *list = arvo_json_array_new(cli_arena());
        for (size_t i = 0; i < count; i++)
            arvo_json_push(cli_arena(), list, instance_json(&records[i]));
        cli_set(line, "instances", list);
        cli_print_json(line);
    } else if (records != NULL && count > 0) {
        instances_print_table(records, count);
        for (size_t i = 0; i < count; i++) {
            const arvo_machine *machine =
                cli_app_machine(trace->app, records[i].orchestrator, records[i].version);
            if (machine != NULL && arvo_str_is(records[i].status, "active"))
                waiting_print(trace, machine, &records[i]);
        }
    } else if (records != NULL && trace->events == 0) {
        printf("nothing to do\n");
    }
    if (!trace->json)
        undelivered_print(trace);
    arvo_arena_free(trace->keep);
    return exit_code;
}
