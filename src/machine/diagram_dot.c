/* Diagrams as DOT, for Graphviz. Pure text.
 *
 * A box around states is a cluster. Arrows go from node to node; one that begins or ends at a
 * cluster goes to a node inside, and is clipped at the border (ltail, lhead). Colours are those of
 * a light page; classes let the style sheet of the SVG put others in their place. */

#include "machine/diagram.h"

#define STATE_COLUMNS 40u
#define EDGE_COLUMNS  34u
#define TEXT_ROWS     3u
#define ELLIPSIS      "\xe2\x80\xa6"
#define ZERO_SPACE    "\xe2\x80\x8b" /* of no width */
#define NBSP          "\xc2\xa0"     /* a space that is drawn */

/* ---- Names and texts ---- */

/* Whether an id can name a node as it is; another state is named by its number. */
static bool
is_plain(arvo_str id)
{
    for (size_t i = 0; i < id.len; i++)
        if ((unsigned char)id.ptr[i] < ' ' || strchr("\"\\#&<>", id.ptr[i]) != NULL)
            return false;
    return true;
}

/* "prefix" + id + "#part", in quotes. */
static void
put_name(const diagram *d, uint32_t number, const char *prefix, const char *part, arvo_buf *out)
{
    const arvo_str id = diagram_chart(d, number)->id;
    arvo_buf_append_char(out, '"');
    arvo_buf_append_str(out, arvo_str_from(prefix));
    if (is_plain(id))
        arvo_buf_append_str(out, id);
    else
        arvo_buf_printf(out, "#%u", (unsigned)number);
    arvo_buf_append_str(out, arvo_str_from(part));
    arvo_buf_append_char(out, '"');
}

/* Text inside a quoted string: Graphviz knows backslashes and entities in it. */
static void
put_escaped(arvo_str text, arvo_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '"' || c == '\\')
            arvo_buf_append_char(out, '\\');
        if (c == '&')
            arvo_buf_append_str(out, ARVO_STR("&amp;"));
        else
            arvo_buf_append_char(out, (unsigned char)c < ' ' ? ' ' : c);
    }
}

/* Text inside an HTML label, where Graphviz puts a name for \N unless the two are kept apart. */
static void
put_html(arvo_str text, arvo_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const char *const entity = c == '&'    ? "&amp;"
                                   : c == '<'  ? "&lt;"
                                   : c == '>'  ? "&gt;"
                                   : c == '"'  ? "&quot;"
                                   : c == '\\' ? "\\" ZERO_SPACE
                                               : NULL;
        if (entity != NULL)
            arvo_buf_append_str(out, arvo_str_from(entity));
        else
            arvo_buf_append_char(out, (unsigned char)c < ' ' ? ' ' : c);
    }
}

/* A large chart has short labels; of an arrow the event and its guard. */
static diagram_rows
rows_begin(const diagram *d, arvo_str text, bool of_edge)
{
    const bool is_small = d->machine->state_count <= DIAGRAM_SMALL_MAX;
    return (diagram_rows){ .rest = text,
                           .columns = of_edge ? EDGE_COLUMNS : STATE_COLUMNS,
                           .rows_left = is_small  ? TEXT_ROWS
                                        : of_edge ? 2
                                                  : 1 };
}

/* ---- Labels ---- */

static void
put_tooltip(
    const char *attribute, arvo_str title, const arvo_str *texts, uint32_t count, arvo_buf *out)
{
    arvo_buf_printf(out, " %s=\"", attribute);
    put_escaped(title, out);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 || title.len > 0)
            arvo_buf_append_str(out, ARVO_STR("\\n"));
        put_escaped(texts[i], out);
    }
    arvo_buf_append_char(out, '"');
}

static void
put_title(const diagram *d, uint32_t number, arvo_buf *out)
{
    arvo_str row;
    diagram_rows rows = rows_begin(d, d->states[number].title, false);
    for (bool is_first = true; arvo__diagram_row(&rows, &row); is_first = false) {
        arvo_buf_append_str(out, is_first ? ARVO_STR("<B>") : ARVO_STR("<BR/><B>"));
        put_html(row, out);
        arvo_buf_append_str(out, rows.is_cut ? ARVO_STR(ELLIPSIS "</B>") : ARVO_STR("</B>"));
    }
}

static void
put_line(const diagram *d, arvo_str line, arvo_buf *out)
{
    arvo_str row;
    diagram_rows rows = rows_begin(d, line, false);
    for (bool is_first = true; arvo__diagram_row(&rows, &row); is_first = false) {
        if (!is_first)
            arvo_buf_append_str(out, ARVO_STR(NBSP NBSP));
        put_html(row, out);
        if (rows.is_cut)
            arvo_buf_append_str(out, ARVO_STR(ELLIPSIS));
        arvo_buf_append_str(out, ARVO_STR("<BR ALIGN=\"LEFT\"/>"));
    }
}

/* Title, and below it what happens in the state. */
static void
put_label(const diagram *d, uint32_t number, arvo_buf *out)
{
    const diagram_texts *const lines = &d->states[number].lines;
    arvo_buf_append_str(out, ARVO_STR("label=<"));
    if (lines->count == 0) {
        put_title(d, number, out);
    } else {
        arvo_buf_printf(
            out, "<TABLE BORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"2\"><TR><TD%s>",
            d->states[number].is_box ? " ALIGN=\"LEFT\"" : "");
        put_title(d, number, out);
        arvo_buf_append_str(
            out, ARVO_STR("</TD></TR><TR><TD ALIGN=\"LEFT\" BALIGN=\"LEFT\"><FONT "
                          "POINT-SIZE=\"10\">"));
        for (uint32_t i = 0; i < lines->count; i++)
            put_line(d, lines->items[i], out);
        arvo_buf_append_str(out, ARVO_STR("</FONT></TD></TR></TABLE>"));
    }
    arvo_buf_append_char(out, '>');
    put_tooltip("tooltip", diagram_chart(d, number)->id, lines->items, lines->count, out);
}

/* ---- States ---- */

static void
put_indent(const diagram *d, uint32_t number, uint32_t more, arvo_buf *out)
{
    for (uint32_t i = 0; i < diagram_chart(d, number)->depth + more; i++)
        arvo_buf_append_str(out, ARVO_STR("  "));
}

/* The colours of a state that is active now. */
static void
put_active(const diagram *d, uint32_t number, arvo_buf *out)
{
    if (d->states[number].is_active)
        arvo_buf_append_str(
            out, d->states[number].is_box
                     ? ARVO_STR(" color=\"#d9480f\" penwidth=1.5")
                     : ARVO_STR(" color=\"#d9480f\" fillcolor=\"#ffe8a3\" penwidth=2.5"));
}

static bool
is_region(const diagram *d, uint32_t number)
{
    const uint16_t parent = diagram_chart(d, number)->parent;
    return parent != CHART_NONE && diagram_chart(d, parent)->type == CHART_PARALLEL;
}

static void
put_node(const diagram *d, uint32_t number, arvo_buf *out)
{
    const chart_state *const chart = diagram_chart(d, number);
    put_indent(d, number, 1, out);
    put_name(d, number, "", "", out);
    if (chart->type == CHART_HISTORY) {
        arvo_buf_printf(
            out,
            " [class=\"history\" shape=circle width=0.3 height=0.3 fixedsize=true label=\"%s\"",
            chart->is_deep ? "H*" : "H");
        put_tooltip("tooltip", chart->id, NULL, 0, out);
    } else {
        arvo_buf_printf(
            out, " [class=\"%s%s\" ", chart->type == CHART_FINAL ? "final" : "state",
            d->states[number].is_active ? " active" : "");
        put_label(d, number, out);
        if (chart->type == CHART_FINAL)
            arvo_buf_append_str(out, ARVO_STR(" peripheries=2"));
        if (is_region(d, number))
            arvo_buf_append_str(out, ARVO_STR(" style=\"rounded,filled,dashed\""));
    }
    put_active(d, number, out);
    arvo_buf_append_str(out, ARVO_STR("];\n"));
}

static void
put_marks(const diagram *d, uint32_t number, arvo_buf *out)
{
    const chart_state *const chart = diagram_chart(d, number);
    if (chart->initial != CHART_NONE) {
        put_indent(d, number, 2, out);
        put_name(d, number, "", "#initial", out);
        arvo_buf_append_str(
            out,
            ARVO_STR(
                " [class=\"initial\" shape=circle width=0.12 height=0.12 fixedsize=true label=\"\" "
                "fillcolor=\"#57606a\" tooltip=\"initial\"];\n"));
    }
    if (d->states[number].has_any) {
        put_indent(d, number, 2, out);
        put_name(d, number, "", "#any", out);
        arvo_buf_append_str(
            out, ARVO_STR(" [class=\"any\" shape=box style=\"rounded,dashed\" fontsize=10 "
                          "height=0.2 margin=\"0.06,0.03\" label=\"in any state\""));
        put_tooltip("tooltip", ARVO_STR("whichever state is active in"), &chart->id, 1, out);
        arvo_buf_append_str(out, ARVO_STR("];\n"));
    }
}

static void
put_state(const diagram *d, uint32_t number, arvo_buf *out)
{
    const chart_state *const chart = diagram_chart(d, number);
    if (!d->states[number].is_box) {
        put_node(d, number, out);
        return;
    }
    put_indent(d, number, 1, out);
    arvo_buf_append_str(out, ARVO_STR("subgraph "));
    put_name(d, number, "cluster_", "", out);
    arvo_buf_append_str(out, ARVO_STR(" {\n"));
    put_indent(d, number, 2, out);
    arvo_buf_printf(
        out, "graph [class=\"%s%s\" ",
        is_region(d, number)            ? "region"
        : chart->type == CHART_PARALLEL ? "parallel"
                                        : "compound",
        d->states[number].is_active ? " active" : "");
    put_label(d, number, out);
    arvo_buf_printf(
        out, " style=\"%s\" color=\"#8c959f\" penwidth=1",
        is_region(d, number) ? "rounded,dashed" : "rounded");
    put_active(d, number, out);
    arvo_buf_append_str(out, ARVO_STR("];\n"));
    put_marks(d, number, out);
    for (uint32_t i = 0; i < chart->children.count; i++)
        put_state(d, chart->children.items[i], out);
    put_indent(d, number, 1, out);
    arvo_buf_append_str(out, ARVO_STR("}\n"));
}

/* ---- Arrows ---- */

/* The node at which an arrow into a box ends: its initial mark, else that of its first region. */
static void
put_head(const diagram *d, uint16_t number, arvo_buf *out)
{
    while (d->states[number].is_box && diagram_chart(d, number)->initial == CHART_NONE) {
        const chart_state *const chart = diagram_chart(d, number);
        number = chart->regions.count > 0 ? chart->regions.items[0] : chart->children.items[0];
    }
    put_name(d, number, "", d->states[number].is_box ? "#initial" : "", out);
}

/* The child that lies nearest the lower border: a final one, else the last. */
static uint16_t
last_child(const diagram *d, uint16_t number)
{
    const chart_state *const chart = diagram_chart(d, number);
    const chart_states children = chart->regions.count > 0 ? chart->regions : chart->children;
    for (uint32_t i = children.count; i-- > 0;)
        if (diagram_chart(d, children.items[i])->type == CHART_FINAL)
            return children.items[i];
    return children.items[children.count - 1];
}

/* The node from which an arrow out of a box begins. */
static void
put_tail(const diagram *d, uint16_t number, arvo_buf *out)
{
    while (d->states[number].is_box)
        number = last_child(d, number);
    put_name(d, number, "", "", out);
}

static void
put_edge_label(const diagram *d, const diagram_edge *edge, arvo_buf *out)
{
    if (edge->labels.count == 0)
        return;
    arvo_buf_append_str(out, ARVO_STR(" label=\""));
    for (uint32_t i = 0; i < edge->labels.count; i++) {
        arvo_str row;
        diagram_rows rows = rows_begin(d, edge->labels.items[i], true);
        for (bool is_first = true; arvo__diagram_row(&rows, &row); is_first = false) {
            arvo_buf_append_str(
                out, is_first ? ARVO_STR(NBSP NBSP) : ARVO_STR(NBSP NBSP NBSP NBSP));
            put_escaped(row, out);
            arvo_buf_append_str(
                out, rows.is_cut ? ARVO_STR(ELLIPSIS NBSP "\\l") : ARVO_STR(NBSP NBSP "\\l"));
        }
    }
    arvo_buf_append_char(out, '"');
    put_tooltip("tooltip", ARVO_STR(""), edge->labels.items, edge->labels.count, out);
    put_tooltip("labeltooltip", ARVO_STR(""), edge->labels.items, edge->labels.count, out);
}

static void
put_edge(const diagram *d, const diagram_edge *edge, arvo_buf *out)
{
    const bool from_box = d->states[edge->from].is_box && edge->from_end == DIAGRAM_END_STATE;
    const bool to_box = d->states[edge->to].is_box && edge->to_end == DIAGRAM_END_STATE;
    arvo_buf_append_str(out, ARVO_STR("  "));
    if (edge->from_end == DIAGRAM_END_ANY)
        put_name(d, edge->from, "", "#any", out);
    else
        put_tail(d, edge->from, out);
    arvo_buf_append_str(out, ARVO_STR(" -> "));
    put_head(d, edge->to, out);
    arvo_buf_printf(out, " [class=\"%s\"", edge->is_error ? "error" : "transition");
    if (from_box) {
        arvo_buf_append_str(out, ARVO_STR(" ltail="));
        put_name(d, edge->from, "cluster_", "", out);
    }
    if (to_box) {
        arvo_buf_append_str(out, ARVO_STR(" lhead="));
        put_name(d, edge->to, "cluster_", "", out);
    }
    if (edge->is_error)
        arvo_buf_append_str(out, ARVO_STR(" color=\"#c0392b\" fontcolor=\"#a12d20\""));
    put_edge_label(d, edge, out);
    arvo_buf_append_str(out, ARVO_STR("];\n"));
}

static void
put_initial_edge(const diagram *d, uint32_t number, arvo_buf *out)
{
    const uint16_t initial = diagram_chart(d, number)->initial;
    if (initial == CHART_NONE)
        return;
    arvo_buf_append_str(out, ARVO_STR("  "));
    put_name(d, number, "", "#initial", out);
    arvo_buf_append_str(out, ARVO_STR(" -> "));
    put_head(d, initial, out);
    arvo_buf_append_str(out, ARVO_STR(" [class=\"transition\""));
    if (d->states[initial].is_box) {
        arvo_buf_append_str(out, ARVO_STR(" lhead="));
        put_name(d, initial, "cluster_", "", out);
    }
    const arvo_str text = d->states[number].initial;
    const diagram_edge edge = { .labels = { .items = &d->states[number].initial,
                                            .count = text.len > 0 ? 1 : 0 } };
    put_edge_label(d, &edge, out);
    arvo_buf_append_str(out, ARVO_STR("];\n"));
}

void
arvo__diagram_dot(const diagram *d, arvo_buf *out)
{
    const bool is_small = d->machine->state_count <= DIAGRAM_SMALL_MAX;
    arvo_buf_append_str(out, ARVO_STR("digraph "));
    put_name(d, CHART_ROOT, "", "", out);
    arvo_buf_printf(
        out,
        " {\n"
        "  graph [rankdir=%s compound=true "
        "fontname=\"Helvetica,Arial,sans-serif\" "
        "fontsize=12 fontcolor=\"#1f2328\" labeljust=l nodesep=%s ranksep=%s];\n"
        "  node [shape=box style=\"rounded,filled\" fillcolor=\"#f6f8fa\" color=\"#57606a\" "
        "fontname=\"Helvetica,Arial,sans-serif\" fontsize=12 fontcolor=\"#1f2328\" height=0.35 "
        "margin=\"0.12,0.06\"];\n"
        "  edge [color=\"#57606a\" fontname=\"Helvetica,Arial,sans-serif\" fontsize=10 "
        "fontcolor=\"#3d444d\" arrowsize=0.7];\n",
        d->opts->left_to_right ? "LR" : "TB", is_small ? "0.35" : "0.25", is_small ? "0.4" : "0.3");
    put_state(d, CHART_ROOT, out);
    for (uint32_t i = 0; i < d->machine->state_count; i++)
        put_initial_edge(d, i, out);
    for (uint32_t i = 0; i < d->edge_count; i++)
        put_edge(d, &d->edges[i], out);
    /* Last, so that the boxes do not inherit it. */
    arvo_buf_append_str(out, ARVO_STR("  bgcolor=\"white\";\n}\n"));
}
