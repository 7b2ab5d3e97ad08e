/* A workflow over time as SVG: a row per request, a bar per part. One file is right on light and
 * on dark pages. */

#include "workflow.h"

#define WIDTH       1200
#define NAME_WIDTH  480
#define RIGHT_WIDTH 90 /* for the time behind a bar */
#define ROW_HEIGHT  22
#define TOP         64
#define INDENT      16
#define NAME_MAX    58u /* characters; longer ones are cut */

static const char style[] = "<style>\n"
                            "svg { color-scheme: light dark; font: 13px sans-serif; }\n"
                            "text { fill: #1f2328; }\n"
                            ".dim { fill: #59636e; }\n"
                            ".bold { font-weight: 600; }\n"
                            ".open { fill: #9a6700; }\n"
                            ".error { fill: #a12d20; }\n"
                            ".work { fill: #0969da; }\n"
                            ".wait { fill: #c8d1da; }\n"
                            ".grid { stroke: #d1d9e0; }\n"
                            "@media (prefers-color-scheme: dark) {\n"
                            "  text { fill: #e6edf3; }\n"
                            "  .dim { fill: #9198a1; }\n"
                            "  .open { fill: #d29922; }\n"
                            "  .error { fill: #ffa198; }\n"
                            "  .work { fill: #4493f8; }\n"
                            "  .wait { fill: #3d444d; }\n"
                            "  .grid { stroke: #30363d; }\n"
                            "}\n"
                            "</style>\n";

struct picture {
    const workflow *root;
    arvo_buf *out;
    double scale; /* pixels of a millisecond */
    unsigned row;
};

static void
put_text(const struct picture *picture, double x, unsigned y, const char *class, const char *text)
{
    arvo_buf_printf(picture->out, "<text class=\"%s\" x=\"%.1f\" y=\"%u\">", class, x, y);
    cli_markup(picture->out, arvo_str_from(text));
    arvo_buf_append_str(picture->out, ARVO_STR("</text>\n"));
}

static double
x_of(const struct picture *picture, int64_t ms)
{
    return NAME_WIDTH + (double)(ms - picture->root->start_ms) * picture->scale;
}

static void
put_bar(const struct picture *picture, const cli_part *part, unsigned y)
{
    const double width = (double)(part->to - part->from) * picture->scale;
    arvo_buf_printf(
        picture->out,
        "<rect class=\"%s\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"12\"><title>%s %s</title>"
        "</rect>\n",
        part->is_wait ? "wait" : "work", x_of(picture, part->from), y, width < 1 ? 1.0 : width,
        cli_duration_ms(part->to - part->from), part->is_wait ? "waiting" : "working");
}

static void
put_line(
    struct picture *picture, unsigned depth, const char *class, const char *name,
    const cli_part *parts, size_t count, int64_t end_ms)
{
    const unsigned y = TOP + picture->row++ * ROW_HEIGHT;
    int64_t took = 0;
    put_text(
        picture, 8 + depth * INDENT, y + 14, class,
        cli_cut(name, NAME_MAX - (depth < 12 ? depth * 2 : 24), "…"));
    /* Waiting lies behind, so that a short step is seen. */
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++)
            if (parts[i].is_wait == (pass == 0) && parts[i].to >= parts[i].from)
                put_bar(picture, &parts[i], y + 4);
    for (size_t i = 0; i < count; i++)
        took += parts[i].to - parts[i].from;
    put_text(picture, x_of(picture, end_ms) + 6, y + 14, "dim", cli_duration_ms(took));
}

static void
put_instance(struct picture *picture, const workflow *flow, unsigned depth)
{
    const bool has_failed = flow->error.ptr != NULL;
    put_line(
        picture, depth, has_failed ? "bold error" : "bold",
        cli_printf(
            "%s [%s%s%s]", workflow_name(flow), cli_shown(flow->status),
            has_failed ? ", last error " : "", has_failed ? cli_shown(flow->error) : ""),
        flow->parts, flow->part_count, flow->end_ms);
    for (size_t i = 0; i < flow->row_count; i++) {
        const workflow_row *row = &flow->rows[i];
        const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
        cli_part parts[2];
        const size_t count = workflow_row_parts(flow, row, parts);
        if (row->child != NULL)
            put_instance(picture, row->child, depth + 1);
        else
            put_line(
                picture, depth + 1, row->is_open ? "open" : "", workflow_row_text(row, "→"), parts,
                count, workflow_row_end(flow, row));
        arvo_arena_rewind(cli_arena(), mark);
    }
}

static unsigned
row_count(const workflow *flow)
{
    unsigned count = 1;
    for (size_t i = 0; i < flow->row_count; i++)
        count += flow->rows[i].child != NULL ? row_count(flow->rows[i].child) : 1;
    return count;
}

void
workflow_svg(const workflow *flow, arvo_buf *out)
{
    const unsigned height = TOP + row_count(flow) * ROW_HEIGHT + 12;
    const int64_t took = flow->end_ms - flow->start_ms;
    struct picture picture = { .root = flow, .out = out };
    picture.scale = (WIDTH - NAME_WIDTH - RIGHT_WIDTH) / (double)(took > 0 ? took : 1);
    arvo_buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d "
        "%u\" role=\"img\">\n",
        WIDTH, height, WIDTH, height);
    arvo_buf_append_str(out, ARVO_STR("<title>"));
    cli_markup(
        out,
        arvo_str_from(cli_printf("%s %s", workflow_name(flow), cli_shown(flow->execution_id))));
    arvo_buf_append_str(out, ARVO_STR("</title>\n"));
    arvo_buf_append_str(out, arvo_str_from(style));
    put_text(
        &picture, 8, 22, "bold",
        cli_printf("%s %s", workflow_name(flow), cli_shown(flow->execution_id)));
    put_text(
        &picture, 8, 44, "dim",
        cli_printf(
            "since %s, %s: %s waiting, %s working%s",
            cli_cstr(arvo_json_str(cli_json_time(flow->start_ms))), cli_duration_ms(took),
            cli_duration_ms(flow->waited_ms), cli_duration_ms(flow->worked_ms),
            flow->is_cut ? "; cut" : ""));
    arvo_buf_printf(
        out, "<line class=\"grid\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%u\"/>\n", NAME_WIDTH, TOP,
        NAME_WIDTH, height - 12);
    put_instance(&picture, flow, 0);
    arvo_buf_append_str(out, ARVO_STR("</svg>\n"));
}
