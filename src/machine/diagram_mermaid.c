/* Diagrams as Mermaid's stateDiagram-v2. Pure text.
 *
 * States are named s0, s1, ...: Mermaid's names may hold little. It has no history states and no
 * double borders: a history state is one labelled H or H*, and a final state leads to [*]. */

#include "machine/diagram.h"

#define MERMAID_COLUMNS 40u
#define MERMAID_ROWS    3u

/* What Mermaid's parser, or the HTML and Markdown that it makes of labels, would read as something
 * else is written as a character that looks the same. Its codes (#59;) are shown as they are in
 * some places. */
static const struct {
    char c;
    const char *like;
} lookalikes[] = {
    { ';', "\xef\xbc\x9b" },  { ':', "\xef\xbc\x9a" }, { '<', "\xef\xbc\x9c" },
    { '>', "\xef\xbc\x9e" },  { '&', "\xef\xbc\x86" }, { '"', "\xe2\x80\x9d" },
    { '\\', "\xef\xbc\xbc" }, { '`', "\xe2\x80\x98" }, { '*', "\xe2\x88\x97" },
    { '%', "\xef\xbc\x85" },  { '$', "\xef\xbc\x84" },
};

static void
put_text(arvo_str text, arvo_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        size_t k = 0;
        while (k < ARVO_COUNT_OF(lookalikes) && lookalikes[k].c != c)
            k++;
        /* one alone means nothing: %%{, $$ */
        const bool is_alone = (c == '%' || c == '$') && (i == 0 || text.ptr[i - 1] != c) &&
                              (i + 1 == text.len || text.ptr[i + 1] != c);
        if (k < ARVO_COUNT_OF(lookalikes) && !is_alone)
            arvo_buf_append_str(out, arvo_str_from(lookalikes[k].like));
        else
            arvo_buf_append_char(out, (unsigned char)c < ' ' ? ' ' : c);
    }
}

/* Markdown would make a list or a heading of it. */
static bool
begins_markdown(arvo_str text)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (digits > 0)
        return digits < text.len && (text.ptr[digits] == '.' || text.ptr[digits] == ')');
    return text.len > 0 && strchr("-+#", text.ptr[0]) != NULL;
}

static void
put_rows(arvo_str text, arvo_buf *out)
{
    arvo_str row;
    diagram_rows rows = { .rest = text, .columns = MERMAID_COLUMNS, .rows_left = MERMAID_ROWS };
    for (bool is_first = true; arvo__diagram_row(&rows, &row); is_first = false) {
        if (!is_first)
            arvo_buf_append_str(out, ARVO_STR("<br/>"));
        else if (begins_markdown(row))
            arvo_buf_append_str(out, ARVO_STR("\xe2\x80\x8b")); /* a space of no width */
        put_text(row, out);
        if (rows.is_cut)
            arvo_buf_append_str(out, ARVO_STR("\xe2\x80\xa6"));
    }
}

static void
put_indent(const diagram *d, uint32_t number, arvo_buf *out)
{
    for (uint32_t i = 0; i < diagram_chart(d, number)->depth + 1u; i++)
        arvo_buf_append_str(out, ARVO_STR("    "));
}

/* state "title" as s1 */
static void
put_head(const diagram *d, uint32_t number, arvo_buf *out)
{
    const chart_state *const chart = diagram_chart(d, number);
    put_indent(d, number, out);
    arvo_buf_append_str(out, ARVO_STR("state \""));
    if (chart->type == CHART_HISTORY)
        arvo_buf_append_str(out, chart->is_deep ? ARVO_STR("H*") : ARVO_STR("H"));
    else
        put_rows(d->states[number].title, out);
    arvo_buf_printf(out, "\" as s%u", (unsigned)number);
}

static void
put_lines(const diagram *d, uint32_t number, const char *part, arvo_buf *out)
{
    const diagram_texts *const lines = &d->states[number].lines;
    for (uint32_t i = 0; i < lines->count; i++) {
        put_indent(d, number, out);
        arvo_buf_printf(out, "%ss%u%s : ", *part != '\0' ? "    " : "", (unsigned)number, part);
        put_rows(lines->items[i], out);
        arvo_buf_append_char(out, '\n');
    }
}

static bool
is_final(const diagram *d, uint32_t number)
{
    return diagram_chart(d, number)->type == CHART_FINAL;
}

static void
put_initial(const diagram *d, uint32_t number, arvo_buf *out)
{
    const chart_state *const chart = diagram_chart(d, number);
    if (chart->initial == CHART_NONE)
        return;
    put_indent(d, number, out);
    arvo_buf_printf(out, "    [*] --> s%u", (unsigned)chart->initial);
    if (d->states[number].initial.len > 0) {
        arvo_buf_append_str(out, ARVO_STR(" : "));
        put_rows(d->states[number].initial, out);
    }
    arvo_buf_append_char(out, '\n');
}

/* A box has no lines of its own in Mermaid: a state inside holds them, and is where arrows begin
 * that start in whichever state is active. */
static void
put_any(const diagram *d, uint32_t number, arvo_buf *out)
{
    if (!d->states[number].has_any && d->states[number].lines.count == 0)
        return;
    put_indent(d, number, out);
    arvo_buf_printf(out, "    state \"in any state\" as s%u_any\n", (unsigned)number);
    put_lines(d, number, "_any", out);
}

/* The inside of a box; regions of a parallel state are divided by two hyphens. */
static void put_state(const diagram *d, uint32_t number, arvo_buf *out);

static void
put_inside(const diagram *d, uint32_t number, arvo_buf *out)
{
    const chart_state *const chart = diagram_chart(d, number);
    put_any(d, number, out);
    put_initial(d, number, out);
    for (uint32_t i = 0; i < chart->children.count; i++) {
        if (i > 0 && chart->type == CHART_PARALLEL) {
            put_indent(d, number, out);
            arvo_buf_append_str(out, ARVO_STR("    --\n"));
        }
        put_state(d, chart->children.items[i], out);
    }
}

static void
put_state(const diagram *d, uint32_t number, arvo_buf *out)
{
    put_head(d, number, out);
    if (d->states[number].is_box) {
        arvo_buf_append_str(out, ARVO_STR(" {\n"));
        put_inside(d, number, out);
        put_indent(d, number, out);
        arvo_buf_append_str(out, ARVO_STR("}\n"));
        return;
    }
    arvo_buf_append_char(out, '\n');
    put_lines(d, number, "", out);
    if (is_final(d, number)) {
        put_indent(d, number, out);
        arvo_buf_printf(out, "s%u --> [*]\n", (unsigned)number);
    }
}

static void
put_edge(const diagram *d, const diagram_edge *edge, arvo_buf *out)
{
    arvo_buf_printf(
        out, "    s%u%s --> s%u", (unsigned)edge->from,
        edge->from_end == DIAGRAM_END_ANY ? "_any" : "",
        (unsigned)(edge->to_end == DIAGRAM_END_INITIAL ? diagram_chart(d, edge->to)->initial : edge->to));
    for (uint32_t i = 0; i < edge->labels.count; i++) {
        arvo_buf_append_str(out, i == 0 ? ARVO_STR(" : ") : ARVO_STR("<br/>"));
        put_rows(edge->labels.items[i], out);
    }
    arvo_buf_append_char(out, '\n');
}

static void
put_active(const diagram *d, arvo_buf *out)
{
    if (d->opts->value == NULL)
        return;
    arvo_buf_append_str(
        out, ARVO_STR("    classDef active "
                      "fill:#ffe8a3,stroke:#d9480f,stroke-width:3px,color:#1f2328\n"));
    for (uint32_t i = 0; i < d->machine->state_count; i++)
        if (d->states[i].is_active && !d->states[i].is_box)
            arvo_buf_printf(out, "    class s%u active\n", (unsigned)i);
}

void
arvo__diagram_mermaid(const diagram *d, arvo_buf *out)
{
    arvo_buf_append_str(out, ARVO_STR("stateDiagram-v2\n"));
    if (d->opts->left_to_right)
        arvo_buf_append_str(out, ARVO_STR("    direction LR\n"));
    put_state(d, CHART_ROOT, out);
    for (uint32_t i = 0; i < d->edge_count; i++)
        put_edge(d, &d->edges[i], out);
    put_active(d, out);
}
