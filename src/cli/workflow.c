/* arvo trace: a whole workflow, from its history. */

#include <stdlib.h>

#include "workflow.h"

#define SERVICES_MAX 64u /* types in the table of what was waited for */

struct trace_opts {
    const char *store;
    const char *svg;
    bool json;
};

static const cli_option trace_options[] = {
    { "store", CLI_TEXT, "URL", offsetof(struct trace_opts, store),
      "the store to look into; it must keep a history" },
    { "json", CLI_FLAG, NULL, offsetof(struct trace_opts, json), "one JSON object" },
    { "svg", CLI_TEXT, "FILE", offsetof(struct trace_opts, svg),
      "draw it into this file instead; - is standard output" },
    { 0 },
};

/* ---- Words and parts ---- */

const char *
workflow_name(const workflow *flow)
{
    return cli_shown(arvo_str_from(cli_printf(
        "%.*s%s%.*s", ARVO_FMT(flow->orchestrator), flow->version.len > 0 ? "@" : "",
        ARVO_FMT(flow->version))));
}

const char *
workflow_row_text(const workflow_row *row, const char *arrow)
{
    if (row->kind == WORKFLOW_SIGNAL)
        return cli_printf("%s, sent by %s", cli_shown(row->type), cli_shown(row->with));
    if (row->answer.ptr != NULL)
        return cli_printf("%s %s %s", cli_shown(row->type), arrow, cli_shown(row->answer));
    return cli_printf(
        "%s%s", cli_shown(row->type), row->is_open ? ", no answer yet" : ", no answer");
}

int64_t
workflow_row_end(const workflow *flow, const workflow_row *row)
{
    return row->end_ms >= 0 ? row->end_ms : row->is_open ? flow->end_ms : row->start_ms;
}

size_t
workflow_row_parts(const workflow *flow, const workflow_row *row, cli_part out[2])
{
    const int64_t end = workflow_row_end(flow, row);
    const int64_t made = row->made_ms >= 0 ? row->made_ms : end;
    out[0] = (cli_part){ .from = row->start_ms, .to = made, .is_wait = true };
    out[1] = (cli_part){ .from = made, .to = end };
    return row->made_ms >= 0 ? 2 : 1;
}

/* ---- Totals ---- */

/* What all requests of one type came to. */
struct service {
    arvo_str type;
    size_t calls, open;
    int64_t waited_ms, longest_ms;
};

struct totals {
    size_t instances, steps;
    int64_t worked_ms;
    struct service services[SERVICES_MAX];
    size_t service_count;
    size_t services_more; /* requests of types beyond the table */
};

static struct service *
service_of(struct totals *totals, arvo_str type)
{
    for (size_t i = 0; i < totals->service_count; i++)
        if (arvo_str_equal(totals->services[i].type, type))
            return &totals->services[i];
    if (totals->service_count == SERVICES_MAX)
        return NULL;
    totals->services[totals->service_count] = (struct service){ .type = type };
    return &totals->services[totals->service_count++];
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by WORKFLOW_DEPTH_MAX */
static void
totals_add(struct totals *totals, const workflow *flow)
{
    totals->instances++;
    totals->steps += flow->steps;
    totals->worked_ms += flow->worked_ms;
    for (size_t i = 0; i < flow->row_count; i++) {
        const workflow_row *row = &flow->rows[i];
        struct service *service = NULL;
        if (row->kind != WORKFLOW_SIGNAL && (row->answer.ptr != NULL || row->is_open))
            service = service_of(totals, row->type);
        if (service != NULL) {
            cli_part parts[2];
            (void)workflow_row_parts(flow, row, parts);
            const int64_t waited = parts[0].to - parts[0].from;
            service->calls++;
            service->open += row->is_open;
            service->waited_ms += waited;
            service->longest_ms = waited > service->longest_ms ? waited : service->longest_ms;
        } else if (row->kind != WORKFLOW_SIGNAL) {
            totals->services_more += totals->service_count == SERVICES_MAX;
        }
        if (row->child != NULL)
            totals_add(totals, row->child);
    }
}

static int
service_order(const void *a, const void *b)
{
    const struct service *left = a;
    const struct service *right = b;
    if (left->waited_ms != right->waited_ms)
        return left->waited_ms > right->waited_ms ? -1 : 1;
    return strcmp(cli_cstr(left->type), cli_cstr(right->type));
}

static struct totals *
totals_of(const workflow *flow)
{
    struct totals *totals = arvo_arena_calloc(cli_arena(), 1, sizeof(*totals));
    cli_check_memory();
    totals_add(totals, flow);
    qsort(totals->services, totals->service_count, sizeof(totals->services[0]), service_order);
    return totals;
}

/* ---- Text ---- */

struct drawing {
    const workflow *root;
    size_t name_columns, bar_columns;
    const char *arrow;
};

static void
line_print(
    const struct drawing *drawing, const char *name, cli_style style, int64_t start_ms,
    const cli_part *parts, size_t count)
{
    int64_t sums[2] = { 0, 0 };
    for (size_t i = 0; i < count; i++)
        sums[parts[i].is_wait] += parts[i].to - parts[i].from;
    printf(
        "%s%s%s %11s %11s %11s  %s\n", cli_style_on(style), cli_fit(name, drawing->name_columns),
        cli_style_off(style), cli_duration_ms(start_ms - drawing->root->start_ms),
        cli_duration_ms(sums[1]), cli_duration_ms(sums[0]),
        cli_bar(
            parts, count, drawing->root->start_ms, drawing->root->end_ms, drawing->bar_columns));
}

static void
instance_print(
    const struct drawing *drawing, const workflow *flow, const char *prefix, bool is_last)
{
    const cli_branch branch = cli_branch_of(prefix, is_last, drawing->name_columns / 2);
    const bool has_failed = flow->error.ptr != NULL;
    line_print(
        drawing,
        cli_printf(
            "%s%s [%s%s%s]", branch.here, workflow_name(flow), cli_shown(flow->status),
            has_failed ? ", last error " : "", has_failed ? cli_shown(flow->error) : ""),
        has_failed ? CLI_RED : CLI_BOLD, flow->start_ms, flow->parts, flow->part_count);
    for (size_t i = 0; i < flow->row_count; i++) {
        const workflow_row *row = &flow->rows[i];
        const bool is_row_last = i + 1 == flow->row_count;
        if (row->child != NULL) {
            instance_print(drawing, row->child, branch.below, is_row_last);
            continue;
        }
        cli_part parts[2];
        const size_t count = workflow_row_parts(flow, row, parts);
        const char *here = cli_branch_of(branch.below, is_row_last, drawing->name_columns / 2).here;
        line_print(
            drawing, cli_printf("%s%s", here, workflow_row_text(row, drawing->arrow)),
            row->is_open ? CLI_YELLOW : CLI_PLAIN, row->start_ms, parts, count);
    }
}

static void
head_print(const workflow *flow)
{
    const struct totals *totals = totals_of(flow);
    printf(
        "%s%s%s %s, %s\n", cli_style_on(CLI_BOLD), workflow_name(flow), cli_style_off(CLI_BOLD),
        cli_shown(flow->execution_id), cli_shown(flow->status));
    printf(
        "since %s, %s: %s waiting, %s working\n",
        cli_cstr(arvo_json_str(cli_json_time(flow->start_ms))),
        cli_duration_ms(flow->end_ms - flow->start_ms), cli_duration_ms(flow->waited_ms),
        cli_duration_ms(flow->worked_ms));
    printf(
        "%zu %s, %zu %s, %s working in all\n", totals->instances,
        totals->instances == 1 ? "instance" : "instances", totals->steps,
        totals->steps == 1 ? "step" : "steps", cli_duration_ms(totals->worked_ms));
    if (flow->parent_subject.ptr != NULL)
        printf("part of %s\n", cli_shown(flow->parent_subject));
}

static void
services_print(const workflow *flow)
{
    const struct totals *totals = totals_of(flow);
    cli_table table = { .columns = 5 };
    if (totals->service_count == 0)
        return;
    putchar('\n');
    cli_table_row(&table, "WAITED FOR", "TIMES", "OPEN", "IN ALL", "LONGEST");
    for (size_t i = 0; i < totals->service_count; i++) {
        const struct service *service = &totals->services[i];
        cli_table_row(
            &table, cli_cstr(service->type), cli_printf("%zu", service->calls),
            cli_printf("%zu", service->open), cli_duration_ms(service->waited_ms),
            cli_duration_ms(service->longest_ms));
    }
    cli_table_print(&table);
    if (totals->services_more > 0)
        printf("and %zu requests of other types\n", totals->services_more);
}

static void
trace_print(const workflow *flow)
{
    const size_t columns = cli_columns();
    struct drawing drawing = { .root = flow,
                               .name_columns = columns / 2 < 64 ? columns / 2 : 64,
                               .arrow = cli_is_utf8() ? "→" : "->" };
    const size_t used = drawing.name_columns + 38;
    drawing.bar_columns = columns > used + 4 ? columns - used : 0;
    head_print(flow);
    printf(
        "\n%s%s %11s %11s %11s%s\n", cli_style_on(CLI_BOLD),
        cli_fit("WORKFLOW", drawing.name_columns), "START", "WAITED", "WORKED",
        cli_style_off(CLI_BOLD));
    instance_print(&drawing, flow, NULL, true);
    services_print(flow);
    if (flow->is_cut)
        printf(
            "cut: more than %u instances, %u events or %u levels\n", WORKFLOW_INSTANCES_MAX,
            WORKFLOW_EVENTS_MAX, WORKFLOW_DEPTH_MAX);
}

/* ---- JSON ---- */

static void
set_ms(arvo_json *object, const char *key, int64_t ms)
{
    cli_set(object, key, ms >= 0 ? arvo_json_int(cli_arena(), ms) : arvo_json_null());
}

static void
set_time(arvo_json *object, const char *key, int64_t ms)
{
    cli_set(object, key, ms >= 0 ? cli_json_time(ms) : arvo_json_null());
}

static arvo_json *instance_json(const workflow *flow);

static const arvo_json *
row_json(const workflow *flow, const workflow_row *row)
{
    static const char *const kinds[] = { "call", "child", "signal" };
    arvo_json *object = arvo_json_object_new(cli_arena());
    cli_part parts[2];
    const size_t count = workflow_row_parts(flow, row, parts);
    cli_set(object, "kind", cli_json_cstr(kinds[row->kind]));
    cli_set(object, "id", cli_json_str(row->id));
    cli_set(object, "type", cli_json_str(row->type));
    cli_set(object, row->kind == WORKFLOW_SIGNAL ? "from" : "to", cli_json_str(row->with));
    set_time(object, "start", row->start_ms);
    set_time(object, "answered", row->kind == WORKFLOW_SIGNAL ? -1 : row->made_ms);
    set_time(object, "taken", row->end_ms);
    cli_set(object, "answer", cli_json_str(row->answer));
    cli_set(object, "open", arvo_json_bool(row->is_open));
    set_ms(object, "waitedMs", parts[0].to - parts[0].from);
    set_ms(object, "workedMs", count > 1 ? parts[1].to - parts[1].from : 0);
    cli_set(object, "child", row->child != NULL ? instance_json(row->child) : arvo_json_null());
    return object;
}

static arvo_json *
instance_json(const workflow *flow)
{
    arvo_json *object = arvo_json_object_new(cli_arena());
    arvo_json *rows = arvo_json_array_new(cli_arena());
    cli_set(object, "subject", cli_json_str(flow->subject));
    cli_set(object, "parentSubject", cli_json_str(flow->parent_subject));
    cli_set(object, "orchestrator", cli_json_str(flow->orchestrator));
    cli_set(object, "version", cli_json_str(flow->version));
    cli_set(object, "status", cli_json_str(flow->status));
    cli_set(object, "lastError", cli_json_str(flow->error));
    set_time(object, "start", flow->start_ms);
    set_time(object, "end", flow->end_ms);
    set_ms(object, "waitedMs", flow->waited_ms);
    set_ms(object, "workedMs", flow->worked_ms);
    set_ms(object, "steps", (int64_t)flow->steps);
    for (size_t i = 0; i < flow->row_count; i++)
        arvo_json_push(cli_arena(), rows, row_json(flow, &flow->rows[i]));
    cli_set(object, "rows", rows);
    return object;
}

static void
trace_print_json(const workflow *flow)
{
    const struct totals *totals = totals_of(flow);
    arvo_json *object = instance_json(flow);
    arvo_json *sums = arvo_json_object_new(cli_arena());
    set_ms(sums, "instances", (int64_t)totals->instances);
    set_ms(sums, "steps", (int64_t)totals->steps);
    set_ms(sums, "workedMs", totals->worked_ms);
    cli_set(object, "total", sums);
    cli_set(object, "cut", arvo_json_bool(flow->is_cut));
    cli_print_json(object);
}

/* ---- The verb ---- */

static int
trace_draw(const struct trace_opts *opts, const workflow *flow)
{
    arvo_buf picture = ARVO_BUF_INIT(ARVO_DIAGRAM_BYTES_MAX);
    int exit_code = CLI_DONE;
    if (opts->svg == NULL && opts->json) {
        trace_print_json(flow);
    } else if (opts->svg == NULL) {
        trace_print(flow);
    } else {
        workflow_svg(flow, &picture);
        if (picture.status != ARVO_OK) {
            cli_error("trace: the picture: %s", arvo_status_text(picture.status));
            exit_code = CLI_TRANSACTION;
        } else if (!cli_file_write(opts->svg, arvo_buf_str(&picture))) {
            exit_code = CLI_USAGE;
        }
    }
    arvo_buf_fini(&picture);
    return exit_code;
}

static int
trace_run(cli_args *args)
{
    struct trace_opts opts = { 0 };
    int exit_code = CLI_DONE;
    arvo_str subject;
    if (!cli_parse(args, &opts))
        return args->exit_code;
    if (opts.store == NULL || (opts.json && opts.svg != NULL)) {
        cli_error(
            opts.store == NULL ? "trace: needs --store URL, for example --store sqlite:orders.db"
                               : "trace: give --json or --svg, not both");
        return CLI_USAGE;
    }
    arvo_memory *memory = cli_store_open(opts.store, true, &exit_code);
    if (memory == NULL)
        return exit_code;
    if (cli_subject_find(memory, args->operands[0], &subject, &exit_code)) {
        exit_code = CLI_DONE;
        const workflow *flow = workflow_read(memory, subject, &exit_code);
        if (flow != NULL)
            exit_code = trace_draw(&opts, flow);
    }
    arvo_memory_close(memory);
    return exit_code;
}

const cli_command cli_trace = {
    .verb = "trace",
    .operands = "SUBJECT",
    .summary = "draw one workflow over time, from its history",
    .details =
        "Draws a workflow with the workflows that it started: what it asked of whom, since when,\n"
        "and how long it waited for others apart from how long it was at work itself. An\n"
        "instance is at work from when an event for it was there until the step that took it was\n"
        "committed; else it waits. Times are of the store's clock; what a service outside says\n"
        "of its own is believed where it can be right. SUBJECT as for arvo show.\n"
        "--json: {\"subject\", \"parentSubject\", \"orchestrator\", \"version\", \"status\",\n"
        "\"lastError\", \"start\", \"end\", \"waitedMs\", \"workedMs\", \"steps\", \"rows\": "
        "[{\"kind\":\n"
        "\"call\"|\"child\"|\"signal\", \"id\", \"type\", \"to\" or \"from\", \"start\", "
        "\"answered\", \"taken\",\n"
        "\"answer\", \"open\", \"waitedMs\", \"workedMs\", \"child\"}], \"total\", \"cut\"}.\n"
        "Exit code 1: the store holds no event of this subject.\n",
    .options = trace_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = trace_run,
};
