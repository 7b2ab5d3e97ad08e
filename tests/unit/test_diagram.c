/* test_diagram.c - machines as DOT, Mermaid and SVG. */

#include "machine_helpers.h"

#include <arvo/diagram.h>

static const char *
drawn(const arvo_machine *machine, const arvo_diagram_opts *opts)
{
    arvo_buf out = ARVO_BUF_INIT(ARVO_DIAGRAM_BYTES_MAX);
    arvo_error err = { 0 };
    if (arvo_diagram_write(machine, opts, &out, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&out));
    arvo_buf_fini(&out);
    assert_non_null(copy.ptr);
    return copy.ptr;
}

static const char *
drawn_as(const char *rest, arvo_diagram_format format)
{
    arvo_machine *const machine = machine_of(rest);
    const char *const text = drawn(machine, &(arvo_diagram_opts){ .format = format });
    arvo_machine_unref(machine);
    return text;
}

static void
assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in\n%s", part, text);
}

static void
assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("'%s' is in\n%s", part, text);
}

static const char door[] =
    "'initial':'shut','states':{"
    "'shut':{'entry':{'type':'log','params':{'message':'thud'}},"
    "'on':{'OPEN':{'target':'open','guard':'${ .context.free "
    "}','actions':{'type':'assign','params':"
    "{'n':1,'by':2}}}}},"
    "'open':{'on':{'CLOSE':'shut','BREAK':'gone','sys.com.a.b.error':'gone'}},"
    "'gone':{'type':'final'}}";

/* ---- Exact texts ---- */

static void
test_diagram__dot_exact(void **state)
{
    (void)state;
    static const char expected[] =
        "digraph \"m\" {\n"
        "  graph [rankdir=TB compound=true fontname=\"Helvetica,Arial,sans-serif\" fontsize=12 "
        "fontcolor=\"#1f2328\" labeljust=l nodesep=0.35 ranksep=0.4];\n"
        "  node [shape=box style=\"rounded,filled\" fillcolor=\"#f6f8fa\" color=\"#57606a\" "
        "fontname=\"Helvetica,Arial,sans-serif\" fontsize=12 fontcolor=\"#1f2328\" height=0.35 "
        "margin=\"0.12,0.06\"];\n"
        "  edge [color=\"#57606a\" fontname=\"Helvetica,Arial,sans-serif\" fontsize=10 "
        "fontcolor=\"#3d444d\" arrowsize=0.7];\n"
        "  subgraph \"cluster_m\" {\n"
        "    graph [class=\"compound\" label=<<B>m</B>> tooltip=\"m\" style=\"rounded\" "
        "color=\"#8c959f\" penwidth=1];\n"
        "    \"m#initial\" [class=\"initial\" shape=circle width=0.12 height=0.12 fixedsize=true "
        "label=\"\" fillcolor=\"#57606a\" tooltip=\"initial\"];\n"
        "    \"m.shut\" [class=\"state\" label=<<TABLE BORDER=\"0\" CELLSPACING=\"0\" "
        "CELLPADDING=\"2\"><TR><TD><B>shut</B></TD></TR><TR><TD ALIGN=\"LEFT\" "
        "BALIGN=\"LEFT\"><FONT POINT-SIZE=\"10\">entry / log<BR "
        "ALIGN=\"LEFT\"/></FONT></TD></TR></TABLE>> tooltip=\"m.shut\\nentry / log\"];\n"
        "    \"m.open\" [class=\"state\" label=<<B>open</B>> tooltip=\"m.open\"];\n"
        "    \"m.gone\" [class=\"final\" label=<<B>gone</B>> tooltip=\"m.gone\" peripheries=2];\n"
        "  }\n"
        "  \"m#initial\" -> \"m.shut\" [class=\"transition\"];\n"
        "  \"m.shut\" -> \"m.open\" [class=\"transition\" label=\"\xc2\xa0\xc2\xa0OPEN "
        "[.context.free]\xc2\xa0\xc2\xa0\\l\xc2\xa0\xc2\xa0\xc2\xa0\xc2\xa0/ assign n, "
        "by\xc2\xa0\xc2\xa0\\l\" tooltip=\"OPEN [.context.free] / assign n, by\" "
        "labeltooltip=\"OPEN [.context.free] / assign n, by\"];\n"
        "  \"m.open\" -> \"m.shut\" [class=\"transition\" "
        "label=\"\xc2\xa0\xc2\xa0"
        "CLOSE\xc2\xa0\xc2\xa0\\l\" tooltip=\"CLOSE\" labeltooltip=\"CLOSE\"];\n"
        "  \"m.open\" -> \"m.gone\" [class=\"transition\" "
        "label=\"\xc2\xa0\xc2\xa0"
        "BREAK\xc2\xa0\xc2\xa0\\l\" tooltip=\"BREAK\" labeltooltip=\"BREAK\"];\n"
        "  \"m.open\" -> \"m.gone\" [class=\"error\" color=\"#c0392b\" fontcolor=\"#a12d20\" "
        "label=\"\xc2\xa0\xc2\xa0sys.com.a.b.error\xc2\xa0\xc2\xa0\\l\" "
        "tooltip=\"sys.com.a.b.error\" labeltooltip=\"sys.com.a.b.error\"];\n"
        "  bgcolor=\"white\";\n"
        "}\n";
    assert_string_equal(drawn_as(door, ARVO_DIAGRAM_DOT), expected);
}

static void
test_diagram__mermaid_exact(void **state)
{
    (void)state;
    static const char expected[] = "stateDiagram-v2\n"
                                   "    state \"m\" as s0 {\n"
                                   "        [*] --> s1\n"
                                   "        state \"shut\" as s1\n"
                                   "        s1 : entry / log\n"
                                   "        state \"open\" as s2\n"
                                   "        state \"gone\" as s3\n"
                                   "        s3 --> [*]\n"
                                   "    }\n"
                                   "    s1 --> s2 : OPEN [.context.free] / assign n, by\n"
                                   "    s2 --> s1 : CLOSE\n"
                                   "    s2 --> s3 : BREAK\n"
                                   "    s2 --> s3 : sys.com.a.b.error\n";
    assert_string_equal(drawn_as(door, ARVO_DIAGRAM_MERMAID), expected);
}

static void
test_diagram__mermaid_regions_history_and_any_state(void **state)
{
    (void)state;
    static const char chart[] =
        "'initial':'w','on':{'STOP':'.s','PING':{'actions':{'type':'raise','params':{'type':'X'}}}}"
        ","
        "'states':{'w':{'type':'parallel','onDone':'s','states':{"
        "'a':{'initial':'x','states':{'x':{'on':{'OUT':'#m.w.a'}},'h':{'type':'history','history':"
        "'deep','target':'x'}}},"
        "'b':{}}},'s':{'type':'final'}}";
    static const char expected[] = "stateDiagram-v2\n"
                                   "    direction LR\n"
                                   "    state \"m\" as s0 {\n"
                                   "        state \"in any state\" as s0_any\n"
                                   "        s0_any : PING / raise X\n"
                                   "        [*] --> s1\n"
                                   "        state \"w\" as s1 {\n"
                                   "            state \"a\" as s2 {\n"
                                   "                [*] --> s3\n"
                                   "                state \"x\" as s3\n"
                                   "                state \"H*\" as s4\n"
                                   "            }\n"
                                   "            --\n"
                                   "            state \"b\" as s5\n"
                                   "        }\n"
                                   "        state \"s\" as s6\n"
                                   "        s6 --> [*]\n"
                                   "    }\n"
                                   "    s0_any --> s6 : STOP\n"
                                   "    s1 --> s6 : onDone\n"
                                   "    s3 --> s3 : OUT\n"
                                   "    s4 --> s3 : else\n"
                                   "    classDef active "
                                   "fill:#ffe8a3,stroke:#d9480f,stroke-width:3px,color:#1f2328\n"
                                   "    class s3 active\n"
                                   "    class s5 active\n";
    arvo_machine *const machine = machine_of(chart);
    const arvo_diagram_opts opts = { .format = ARVO_DIAGRAM_MERMAID,
                                     .left_to_right = true,
                                     .value = json("{'w':{'a':'x','b':{}}}") };
    assert_string_equal(drawn(machine, &opts), expected);
    arvo_machine_unref(machine);
}

/* ---- Parts of DOT ---- */

static void
test_diagram__dot_boxes_and_arrows_between_them(void **state)
{
    (void)state;
    const char *const text = drawn_as(
        "'initial':'a','states':{"
        "'a':{'initial':'p','onDone':'b','states':{'p':{},'q':{'type':'final'},'h':{'type':'"
        "history'}}},"
        "'b':{'initial':'r','on':{'BACK':'a','IN':'.r','SELF':'b'},'states':{'r':{}}}}",
        ARVO_DIAGRAM_DOT);
    /* out of a box from its final child, into one at its initial mark, clipped at both borders */
    assert_holds(
        text, "\"m.a.q\" -> \"m.b#initial\" [class=\"transition\" ltail=\"cluster_m.a\" "
              "lhead=\"cluster_m.b\"");
    assert_holds(text, "\"m.b.r\" -> \"m.a#initial\" [class=\"transition\" ltail=\"cluster_m.b\"");
    /* into its own inside: from whichever state is active */
    assert_holds(text, "\"m.b#any\" -> \"m.b.r\" [class=\"transition\" label=");
    assert_lacks(text, "\"m.a#any\"");
    /* to itself: said, not drawn */
    assert_holds(text, "SELF \xe2\x86\x92 b<BR");
    assert_holds(text, "shape=circle width=0.3 height=0.3 fixedsize=true label=\"H\"");
}

static void
test_diagram__dot_lights_the_active_states(void **state)
{
    (void)state;
    arvo_machine *const machine =
        machine_of("'initial':'a','states':{'a':{'initial':'p','states':{'p':{},'q':{}}},'b':{}}");
    const arvo_diagram_opts opts = { .value = json("{'a':'q'}") };
    const char *const text = drawn(machine, &opts);
    assert_holds(text, "\"m.a.q\" [class=\"state active\"");
    assert_holds(text, "graph [class=\"compound active\" label=<<B>a</B>>");
    assert_holds(text, "\"m.a.p\" [class=\"state\"");
    assert_holds(text, "\"m.b\" [class=\"state\"");
    arvo_machine_unref(machine);
}

/* Whatever stands in a document must not break out of its place in the picture. */
static void
test_diagram__dot_escapes(void **state)
{
    (void)state;
    const arvo_str text = ARVO_STR(
        "{\"id\":\"m\",\"initial\":\"a\\\"]<b>&\\\\\",\"states\":{\"a\\\"]<b>&\\\\\":{\"on\":"
        "{\"x\\\"];<&>\\\\\\n\":{\"actions\":{\"type\":\"raise\",\"params\":{\"type\":\"<B>\"}}},"
        "\"GO\\\\N\":\"b\"}},\"b\":{}}}");
    arvo_machine *machine = NULL;
    assert_int_equal(arvo_machine_create_text(NULL, text, &machine, NULL), ARVO_OK);
    const char *const dot = drawn(machine, NULL);
    assert_holds(dot, "\"#1\" [class=\"state\"");
    assert_holds(dot, "<B>a&quot;]&lt;b&gt;&amp;\\\xe2\x80\x8b</B>");
    assert_holds(dot, "x&quot;];&lt;&amp;&gt;\\\xe2\x80\x8b / raise &lt;B&gt;");
    assert_holds(dot, "tooltip=\"m.a\\\"]<b>&amp;\\\\\\nx\\\"];<&amp;>\\\\ / raise <B>\"");
    assert_holds(dot, "GO\\\\N");
    const char *const mermaid =
        drawn(machine, &(arvo_diagram_opts){ .format = ARVO_DIAGRAM_MERMAID });
    assert_holds(
        mermaid, "state \"a\xe2\x80\x9d]\xef\xbc\x9c"
                 "b\xef\xbc\x9e\xef\xbc\x86\xef\xbc\xbc\" as s1\n");
    assert_holds(
        mermaid, "s1 : x\xe2\x80\x9d]\xef\xbc\x9b\xef\xbc\x9c\xef\xbc\x86\xef\xbc\x9e\xef\xbc\xbc "
                 "/ raise \xef\xbc\x9c"
                 "B\xef\xbc\x9e\n");
    arvo_machine_unref(machine);
}

static void
test_diagram__guards_and_actions_in_words(void **state)
{
    (void)state;
    const char *const text = drawn_as(
        "'guards':{'big':'${ .context.n > 1 }'},"
        "'actions':{'call':[{'type':'emit','params':{'type':'com.a.b'}},'note'],"
        "'note':{'type':'log','params':{'message':1}}},"
        "'initial':'a','states':{'b':{},'a':{'on':{"
        "'A':{'target':'b','guard':{'type':'and','guards':['big',{'type':'or','guards':['big','big'"
        "]}]}},"
        "'B':{'target':'b','guard':{'type':'not','guard':'big'},'actions':'call'},"
        "'C':{'target':'b','guard':{'type':'stateIn','params':{'state':'a'}}},"
        "'D':{'target':'b','guard':{'type':'big','params':{'k':1}}},"
        "'E':{'actions':{'type':'enqueueActions','params':[{'guard':'big','actions':'note'},"
        "{'actions':{'type':'emit','params':{'type':'x','domains':['p','q']}}}]}},"
        "'F':{'actions':{'type':'assign','params':'${ {n: 2} }'}},"
        "'G':null}}}",
        ARVO_DIAGRAM_MERMAID);
    assert_holds(
        text, ": A [big and (big or big)]<br/>B [not big] / call\xef\xbc\x9a emit com.a.b<br/>");
    assert_holds(
        text, "C [in a]<br/>D [big {\xe2\x80\x9dk\xe2\x80\x9d\xef\xbc\x9a"
              "1}]\n");
    assert_holds(text, "s2 : E / if [big] note\xef\xbc\x9b emit x (p, q)\n");
    assert_holds(text, "s2 : F / assign {n\xef\xbc\x9a 2}\n");
    assert_holds(text, "s2 : G \xe2\x86\x92 nothing\n");
}

static void
test_diagram__long_texts_are_wrapped_and_cut(void **state)
{
    (void)state;
    const char *const text = drawn_as(
        "'initial':'a','states':{'b':{},'a':{'on':{"
        "'com.some.very.long.event.type.that.goes.on.and.on.success':{'target':'b','guard':"
        "'${ .context.someLongName.ofAField == .context.another.longName.ofAField and true and "
        "true "
        "and true and true and true }'}}}}",
        ARVO_DIAGRAM_MERMAID);
    assert_holds(
        text, "s2 --> s1 : com.some.very.long.event.type.that.goes.<br/>on.and.on.success<br/>");
    assert_holds(text, "\xe2\x80\xa6\n");
    /* the whole in DOT's tooltip, up to a bound */
    assert_holds(
        drawn_as(
            "'initial':'a','states':{'b':{},'a':{'on':{'E':{'target':'b','guard':"
            "'${ "
            ".context."
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
            "== .context.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
            "}'}}}}",
            ARVO_DIAGRAM_DOT),
        "bbbbbbbbb]\" labeltooltip");
}

/* Each of these is something to Mermaid where it stands. */
static void
test_diagram__mermaid_names_that_mean_something(void **state)
{
    (void)state;
    const char *const text = drawn_as(
        "'initial':'1. a','states':{'1. a':{'on':{'%%{':'- b','a$$b':'- b','100%':'c$'}},'- b':{},"
        "'c$':{'on':{'#x':'1'}},'1':{}}",
        ARVO_DIAGRAM_MERMAID);
    assert_holds(text, "state \"1\" as s1\n");
    assert_holds(
        text, "state \"\xe2\x80\x8b"
              "1. a\" as s2\n");
    assert_holds(text, "state \"\xe2\x80\x8b- b\" as s3\n");
    assert_holds(text, "state \"c$\" as s4\n");
    assert_holds(
        text, "s2 --> s3 : \xef\xbc\x85\xef\xbc\x85{<br/>a\xef\xbc\x84\xef\xbc\x84"
              "b\n");
    assert_holds(text, "s2 --> s4 : 100%\n");
    assert_holds(text, "s4 --> s1 : \xe2\x80\x8b#x\n");
}

/* ---- Failures ---- */

static void
test_diagram__refuses_a_value_that_does_not_fit(void **state)
{
    (void)state;
    static const char *const values[] = { "'b'",     "{'a':'z'}", "{'a':{'p':{'x':'y'}}}",
                                          "{'a':3}", "[]",        "7",
                                          "null" };
    arvo_machine *const machine =
        machine_of("'initial':'a','states':{'a':{'initial':'p','states':{'p':{}}}}");
    arvo_buf out = ARVO_BUF_INIT(1000);
    arvo_buf_append_str(&out, ARVO_STR("kept"));
    for (size_t i = 0; i < ARVO_COUNT_OF(values); i++) {
        arvo_error err = { 0 };
        const arvo_diagram_opts opts = { .value = json(values[i]) };
        assert_int_equal(arvo_diagram_write(machine, &opts, &out, &err), ARVO_E_INCOMPATIBLE_STATE);
        assert_holds(err.text, "the snapshot does not fit the machine");
        assert_str(arvo_buf_str(&out), "kept");
    }
    arvo_buf_fini(&out);
    arvo_machine_unref(machine);
}

static void
test_diagram__says_when_the_buffer_is_too_small(void **state)
{
    (void)state;
    arvo_machine *const machine = machine_of(door);
    arvo_buf out = ARVO_BUF_INIT(100);
    arvo_error err = { 0 };
    assert_int_equal(arvo_diagram_write(machine, NULL, &out, &err), ARVO_E_TOO_BIG);
    assert_int_equal(out.len, 0);
    arvo_buf_fini(&out);
    arvo_machine_unref(machine);
}

/* ---- Out of memory ---- */

struct failing {
    size_t left;
};

static void *
failing_alloc(void *self, size_t size)
{
    struct failing *const failing = self;
    if (failing->left == 0)
        return NULL;
    failing->left--;
    return malloc(size);
}

static void
failing_free(void *self, void *ptr, size_t size)
{
    (void)self;
    (void)size;
    free(ptr);
}

static void
test_diagram__survives_running_out_of_memory(void **state)
{
    (void)state;
    struct failing failing = { .left = SIZE_MAX };
    const arvo_allocator allocator = { failing_alloc, failing_free, &failing };
    arvo_machine *const machine = machine_with(
        &(arvo_machine_setup){ .allocator = &allocator },
        arvo_arena_printf(arena, "{'id':'m',%s}", door).ptr);
    for (int format = ARVO_DIAGRAM_DOT; format <= ARVO_DIAGRAM_MERMAID; format++) {
        arvo_status st = ARVO_E_NOMEM;
        for (size_t n = 0; st == ARVO_E_NOMEM; n++) {
            arvo_buf out = { .bytes_max = 100000, .allocator = &allocator };
            failing.left = n;
            st = arvo_diagram_write(
                machine, &(arvo_diagram_opts){ .format = (arvo_diagram_format)format }, &out, NULL);
            assert_true(st == ARVO_OK || (st == ARVO_E_NOMEM && out.len == 0));
            failing.left = SIZE_MAX;
            arvo_buf_fini(&out);
        }
        assert_int_equal(st, ARVO_OK);
    }
    arvo_machine_unref(machine);
}

/* ---- SVG ---- */

static void
test_diagram__svg_is_a_picture_for_light_and_dark(void **state)
{
    (void)state;
    arvo_machine *const machine = machine_of(door);
    if (!arvo_diagram_has_svg()) {
        arvo_buf out = ARVO_BUF_INIT(1000);
        arvo_error err = { 0 };
        assert_int_equal(
            arvo_diagram_write(
                machine, &(arvo_diagram_opts){ .format = ARVO_DIAGRAM_SVG }, &out, &err),
            ARVO_E_UNSUPPORTED);
        assert_holds(err.text, "libgraphviz-dev");
        arvo_machine_unref(machine);
        skip();
    }
    const char *const svg =
        drawn(machine, &(arvo_diagram_opts){ .format = ARVO_DIAGRAM_SVG, .value = json("'open'") });
    assert_ptr_equal(svg, strstr(svg, "<svg "));
    assert_holds(svg, "@media (prefers-color-scheme: dark)");
    assert_holds(svg, "class=\"node state active\"");
    assert_holds(svg, "class=\"edge error\"");
    assert_holds(svg, "OPEN [.context.free]");
    assert_holds(svg, "<title>m.shut</title>");
    assert_lacks(svg, "<title>cluster_");
    assert_lacks(svg, "DOCTYPE");
    assert_lacks(svg, "fill=\"white\"");
    assert_holds(svg, "</svg>");
    arvo_machine_unref(machine);
}

static void
test_diagram__svg_refuses_a_chart_that_no_picture_can_show(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1000000);
    arvo_buf_append_str(&text, ARVO_STR("{\"id\":\"m\",\"type\":\"parallel\",\"states\":{"));
    for (unsigned i = 0; i < ARVO_DIAGRAM_STATES_MAX; i++)
        arvo_buf_printf(&text, "%s\"s%u\":{}", i > 0 ? "," : "", i);
    arvo_buf_append_str(&text, ARVO_STR("}}"));
    arvo_machine *machine = NULL;
    assert_int_equal(arvo_machine_create_text(NULL, arvo_buf_str(&text), &machine, NULL), ARVO_OK);
    arvo_buf out = ARVO_BUF_INIT(ARVO_DIAGRAM_BYTES_MAX);
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_diagram_write(machine, &(arvo_diagram_opts){ .format = ARVO_DIAGRAM_SVG }, &out, &err),
        ARVO_E_TOO_BIG);
    assert_int_equal(arvo_diagram_write(machine, NULL, &out, &err), ARVO_OK);
    arvo_buf_fini(&out);
    arvo_buf_fini(&text);
    arvo_machine_unref(machine);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diagram__dot_exact),
        cmocka_unit_test(test_diagram__mermaid_exact),
        cmocka_unit_test(test_diagram__mermaid_regions_history_and_any_state),
        cmocka_unit_test(test_diagram__dot_boxes_and_arrows_between_them),
        cmocka_unit_test(test_diagram__dot_lights_the_active_states),
        cmocka_unit_test(test_diagram__dot_escapes),
        cmocka_unit_test(test_diagram__mermaid_names_that_mean_something),
        cmocka_unit_test(test_diagram__guards_and_actions_in_words),
        cmocka_unit_test(test_diagram__long_texts_are_wrapped_and_cut),
        cmocka_unit_test(test_diagram__refuses_a_value_that_does_not_fit),
        cmocka_unit_test(test_diagram__says_when_the_buffer_is_too_small),
        cmocka_unit_test(test_diagram__survives_running_out_of_memory),
        cmocka_unit_test(test_diagram__svg_is_a_picture_for_light_and_dark),
        cmocka_unit_test(test_diagram__svg_refuses_a_chart_that_no_picture_can_show),
    };
    return cmocka_run_group_tests(tests, machine_group_setup, machine_group_teardown);
}
