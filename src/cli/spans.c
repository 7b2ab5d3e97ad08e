/* The spans of a run, kept to be drawn: a listener that hands everything on to the next one. */

#include "run.h"

#define SPANS_MAX   20000u /* kept; more are counted */
#define SPAN_SLOTS  65536u /* of the table of ids: a power of two, more than twice SPANS_MAX */
#define SPAN_LEVELS 12u    /* drawn; what is deeper stands at the last one */

/* Numbers of spans are their places in the list and 1; 0 is none. */
struct span {
    arvo_span *next; /* of the next listener; NULL: it does not record it */
    arvo_str name;
    arvo_str error; /* none: it went well */
    int64_t start_ns, end_ns;
    uint64_t id;
    uint32_t parent, first_child, last_child, sibling;
    bool is_kept, is_open;
    struct span *free; /* not kept, and over */
};

/* run delivers from one thread, and so does everything that calls this. */
static struct {
    arvo_telemetry table;
    const arvo_telemetry *next; /* nullable */
    arvo_arena *arena;          /* NULL: closed */
    struct span **items;
    uint32_t *slots; /* numbers by id; open addressing */
    size_t count, more;
    struct span *free;
} spans;

static uint64_t
id_of(const arvo_trace_context *context)
{
    uint64_t id = 0;
    if (context != NULL)
        memcpy(&id, context->span_id, sizeof(id));
    return id;
}

/* The slot of the id, or the free one where it belongs. Ids are random numbers. */
static uint32_t *
span_slot(uint64_t id)
{
    size_t at = (size_t)id & (SPAN_SLOTS - 1);
    while (spans.slots[at] != 0 && spans.items[spans.slots[at] - 1]->id != id)
        at = (at + 1) & (SPAN_SLOTS - 1);
    return &spans.slots[at];
}

static struct span *
span_new(void)
{
    struct span *span = spans.free;
    if (spans.count < SPANS_MAX || span == NULL)
        return arvo_arena_calloc(spans.arena, 1, sizeof(*span));
    spans.free = span->free;
    *span = (struct span){ 0 };
    return span;
}

static void
span_keep(struct span *span, const arvo_span_opts *opts, uint64_t id)
{
    span->name = arvo_arena_str_dup(spans.arena, opts->name);
    span->start_ns = opts->start_ns;
    span->id = id;
    span->parent = opts->parent != NULL ? *span_slot(id_of(opts->parent)) : 0;
    span->is_kept = span->is_open = true;
    spans.items[spans.count++] = span;
    const uint32_t number = (uint32_t)spans.count;
    *span_slot(id) = number;
    if (span->parent == 0)
        return;
    struct span *parent = spans.items[span->parent - 1];
    if (parent->last_child != 0)
        spans.items[parent->last_child - 1]->sibling = number;
    else
        parent->first_child = number;
    parent->last_child = number;
}

/* What an exporter would have given; not sampled, as nobody downstream should record it for us. */
static bool
context_new(const arvo_trace_context *parent, arvo_trace_context *own)
{
    const arvo_platform *platform = arvo_platform_system();
    arvo_trace_context made = { 0 };
    if (!platform->random(platform->self, &made, sizeof(made)))
        return false;
    if (parent != NULL)
        memcpy(made.trace_id, parent->trace_id, sizeof(made.trace_id));
    made.flags = parent != NULL ? parent->flags : 0;
    made.span_id[0] |= 1; /* zero is no id */
    made.trace_id[0] |= parent == NULL;
    *own = made;
    return true;
}

static arvo_span *
on_start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    (void)self;
    struct span *span = span_new();
    if (span == NULL) {
        spans.more++;
        return NULL;
    }
    if (spans.next != NULL)
        span->next = spans.next->span_start(spans.next->self, opts, own);
    else if (!context_new(opts->parent, own))
        return NULL;
    /* Left as it was: the parent's, under which its children will be. */
    const uint64_t id = id_of(own);
    if (spans.count < SPANS_MAX && id != 0 && *span_slot(id) == 0)
        span_keep(span, opts, id);
    else
        spans.more++;
    return (arvo_span *)span;
}

static void
on_str(void *self, arvo_span *handle, arvo_str key, arvo_str value)
{
    (void)self;
    const struct span *span = (struct span *)handle;
    if (span->next != NULL)
        spans.next->span_str(spans.next->self, span->next, key, value);
}

static void
on_number(void *self, arvo_span *handle, arvo_str key, double value)
{
    (void)self;
    const struct span *span = (struct span *)handle;
    if (span->next != NULL)
        spans.next->span_number(spans.next->self, span->next, key, value);
}

static void
on_log(void *self, arvo_span *handle, arvo_severity severity, arvo_str message)
{
    (void)self;
    const struct span *span = (struct span *)handle;
    if (span->next != NULL)
        spans.next->span_log(spans.next->self, span->next, severity, message);
}

static void
on_link(void *self, arvo_span *handle, const arvo_trace_context *other)
{
    (void)self;
    const struct span *span = (struct span *)handle;
    if (span->next != NULL)
        spans.next->span_link(spans.next->self, span->next, other);
}

static void
on_end(void *self, arvo_span *handle, int64_t end_ns, arvo_str type, arvo_str message)
{
    (void)self;
    struct span *span = (struct span *)handle;
    if (span->next != NULL)
        spans.next->span_end(spans.next->self, span->next, end_ns, type, message);
    if (span->is_kept) {
        span->end_ns = end_ns;
        span->is_open = false;
        span->error = type.ptr != NULL ? arvo_arena_str_dup(spans.arena, type) : ARVO_STR_NONE;
    } else {
        span->free = spans.free;
        spans.free = span;
    }
}

static void
on_measure(void *self, arvo_measure measure, double value, const arvo_labels *labels)
{
    (void)self;
    if (spans.next != NULL)
        spans.next->measure(spans.next->self, measure, value, labels);
}

const arvo_telemetry *
spans_open(const arvo_telemetry *next)
{
    spans.arena = arvo_arena_new(NULL);
    if (spans.arena != NULL) {
        spans.items = arvo_arena_calloc(spans.arena, SPANS_MAX, sizeof(*spans.items));
        spans.slots = arvo_arena_calloc(spans.arena, SPAN_SLOTS, sizeof(*spans.slots));
    }
    if (spans.arena == NULL || arvo_arena_failed(spans.arena)) {
        cli_error("run: out of memory; going on without --trace");
        arvo_arena_free(spans.arena);
        spans.arena = NULL;
        return next;
    }
    spans.next = next;
    spans.table = (arvo_telemetry){ .version = ARVO_TELEMETRY_OPS_VERSION,
                                    .span_start = on_start,
                                    .span_str = on_str,
                                    .span_number = on_number,
                                    .span_log = on_log,
                                    .span_link = on_link,
                                    .span_end = on_end,
                                    .measure = on_measure };
    return &spans.table;
}

/* ---- Drawing ---- */

struct drawing {
    size_t name_columns, bar_columns;
    int64_t from_ns, to_ns; /* of all */
};

static void
span_print(const struct drawing *drawing, const struct span *span, const char *prefix)
{
    const int64_t end_ns = span->is_open ? drawing->to_ns : span->end_ns;
    const cli_part part = { .from = span->start_ns, .to = end_ns };
    const char *mark = cli_is_utf8() ? "…" : "~";
    /* Cut to what leaves room for it. */
    const char *note =
        span->is_open ? " (not over)"
        : span->error.ptr != NULL
            ? cli_cut(cli_printf(" %s", cli_shown(span->error)), drawing->name_columns / 2, mark)
            : "";
    const size_t columns = drawing->name_columns - cli_width(note);
    const char *name = cli_cut(cli_printf("%s%s", prefix, cli_shown(span->name)), columns, mark);
    const cli_style style = *note != '\0' ? CLI_RED : CLI_PLAIN;
    printf(
        "%s%s%s %11s %11s  %s\n", cli_style_on(style),
        cli_fit(cli_printf("%s%s", name, note), drawing->name_columns), cli_style_off(style),
        cli_duration(span->start_ns - drawing->from_ns), cli_duration(end_ns - span->start_ns),
        cli_bar(&part, 1, drawing->from_ns, drawing->to_ns, drawing->bar_columns));
}

/* The next one in the order of the tree; 0: none. */
static uint32_t
span_next(uint32_t number, size_t *depth)
{
    if (spans.items[number - 1]->first_child != 0) {
        ++*depth;
        return spans.items[number - 1]->first_child;
    }
    while (number != 0 && spans.items[number - 1]->sibling == 0) {
        number = spans.items[number - 1]->parent;
        *depth -= number != 0;
    }
    return number != 0 ? spans.items[number - 1]->sibling : 0;
}

static void
tree_print(const struct drawing *drawing, uint32_t root)
{
    const char *below[SPAN_LEVELS + 1] = { NULL };
    size_t depth = 0;
    for (uint32_t number = root; number != 0; number = span_next(number, &depth)) {
        const struct span *span = spans.items[number - 1];
        const size_t level = depth < SPAN_LEVELS ? depth : SPAN_LEVELS;
        const cli_branch branch = cli_branch_of(
            level > 0 ? below[level - 1] : NULL, span->sibling == 0, drawing->name_columns / 2);
        below[level] = branch.below;
        const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
        span_print(drawing, span, branch.here);
        arvo_arena_rewind(cli_arena(), mark);
    }
}

void
spans_print(void)
{
    const size_t columns = cli_columns();
    struct drawing drawing = { .name_columns = columns / 2 < 60 ? columns / 2 : 60,
                               .from_ns = INT64_MAX,
                               .to_ns = INT64_MIN };
    const size_t used = drawing.name_columns + 26;
    drawing.bar_columns = columns > used + 4 ? columns - used : 0;
    for (size_t i = 0; spans.arena != NULL && i < spans.count; i++) {
        const struct span *span = spans.items[i];
        const int64_t end_ns = span->is_open ? span->start_ns : span->end_ns;
        drawing.from_ns = span->start_ns < drawing.from_ns ? span->start_ns : drawing.from_ns;
        drawing.to_ns = end_ns > drawing.to_ns ? end_ns : drawing.to_ns;
    }
    if (spans.arena == NULL)
        return;
    printf(
        "\n%s%s %11s %11s%s\n", cli_style_on(CLI_BOLD), cli_fit("SPAN", drawing.name_columns),
        "START", "TIME", cli_style_off(CLI_BOLD));
    for (uint32_t i = 1; i <= spans.count; i++)
        if (spans.items[i - 1]->parent == 0)
            tree_print(&drawing, i);
    if (spans.more > 0)
        printf("and %zu spans more, which are not kept to be drawn\n", spans.more);
    arvo_arena_free(spans.arena);
    spans.arena = NULL;
}
