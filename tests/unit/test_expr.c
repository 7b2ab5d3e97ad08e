/* Expressions and templates: what they give, what is refused at load, what stops them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "machine/expr.h"
#include "machine/expr_internal.h"

#ifdef ARVO_HAVE_JQ
#define NEEDS_JQ() (void)0
#else
#define NEEDS_JQ()                                                                                 \
    do {                                                                                           \
        print_message("needs jq\n");                                                               \
        skip();                                                                                    \
    } while (0)
#endif

/* ---- A set, a scope and what one expression gives ---------------------------- */

static const char scope_text[] =
    "{\"context\": {\"amount\": 120, \"name\": \"Zo\\u00eb\", \"paid\": false, \"none\": null,"
    " \"items\": [{\"price\": 3, \"ok\": true}, {\"price\": 4.5, \"ok\": false}],"
    " \"tags\": [\"a\", \"b\", \"a\"], \"deep\": {\"er\": {\"est\": 1}}, \"two words\": 2},"
    " \"event\": {\"type\": \"evt.x\", \"data\": {\"n\": 7}},"
    " \"input\": {\"data\": {\"orderId\": \"o-1\"}}}";

typedef struct fixture {
    arvo_arena *arena;
    arvo__expr_set *set;
    arvo_scope scope;
    arvo_error err;
} fixture;

static fixture
fixture_new(void)
{
    fixture f = { .arena = arvo_arena_new(NULL), .set = arvo__expr_set_new(NULL) };
    const arvo_json *scope = NULL;
    assert_non_null(f.arena);
    assert_non_null(f.set);
    assert_int_equal(arvo_json_parse(arvo_str_from(scope_text), f.arena, &scope, &f.err), ARVO_OK);
    f.scope = (arvo_scope){ .context = arvo_json_get(scope, "context"),
                            .event = arvo_json_get(scope, "event"),
                            .input = arvo_json_get(scope, "input"),
                            .arena = f.arena };
    return f;
}

static void
fixture_free(fixture *f)
{
    arvo__expr_set_free(f->set);
    arvo_arena_free(f->arena);
}

static arvo_status
compile_json(fixture *f, const char *json, const arvo__template **out)
{
    const arvo_json *value = NULL;
    assert_int_equal(arvo_json_parse(arvo_str_from(json), f->arena, &value, &f->err), ARVO_OK);
    return arvo__template_compile(f->set, value, NULL, ARVO_STR("/here"), out, &f->err);
}

static arvo_status
compile_text(fixture *f, const char *program, const arvo__template **out)
{
    const arvo_json *value =
        arvo_json_string(f->arena, arvo_arena_printf(f->arena, "${%s}", program));
    assert_non_null(value);
    return arvo__template_compile(f->set, value, NULL, ARVO_STR("/here"), out, &f->err);
}

/* Compact JSON of the value, or "! message". In the arena. */
static const char *
give(fixture *f, const arvo__template *tmpl)
{
    const arvo_json *value = NULL;
    const arvo_status st = arvo__template_eval(tmpl, f->set, NULL, &f->scope, &value, &f->err);
    if (st != ARVO_OK)
        return arvo_arena_printf(f->arena, "! %s", f->err.text).ptr;
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &text);
    const arvo_str copy = arvo_arena_str_dup(f->arena, arvo_buf_str(&text));
    arvo_buf_fini(&text);
    return copy.ptr;
}

static const char *
run(fixture *f, const char *program)
{
    const arvo__template *tmpl = NULL;
    arvo_status st = compile_text(f, program, &tmpl);
    if (st == ARVO_OK)
        st = arvo__expr_set_finish(f->set, &f->err);
    if (st != ARVO_OK)
        return arvo_arena_printf(f->arena, "load: %s", f->err.text).ptr;
    return give(f, tmpl);
}

static void
check(const char *program, const char *expected)
{
    fixture f = fixture_new();
    const char *given = run(&f, program);
    if (strcmp(given, expected) != 0)
        print_error("%s\n  gives    %s\n  expected %s\n", program, given, expected);
    assert_string_equal(given, expected);
    fixture_free(&f);
}

static void
check_contains(const char *program, const char *prefix, const char *part)
{
    fixture f = fixture_new();
    const char *given = run(&f, program);
    if (strncmp(given, prefix, strlen(prefix)) != 0 || strstr(given, part) == NULL)
        print_error("%s\n  gives %s\n  without %s\n", program, given, part);
    assert_true(strncmp(given, prefix, strlen(prefix)) == 0);
    assert_non_null(strstr(given, part));
    fixture_free(&f);
}

/* ---- Native programs ----------------------------------------------------------- */

typedef struct pair {
    const char *program, *expected;
} pair;

static void
check_all(const pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(pairs[i].program, pairs[i].expected);
}

static void
test_expr__paths(void **state)
{
    (void)state;
    static const pair pairs[] = {
        { " .context.amount ", "120" },
        { ".context.deep.er", "{\"est\":1}" },
        { ".context[\"amount\"]", "120" },
        { ".context.\"two words\"", "2" },
        { ".context.\"two \\u0077ords\"", "2" },
        { ".context.absent.more", "null" },
        { ".context.tags[0]", "\"a\"" },
        { ".context.tags[-1]", "\"a\"" },
        { ".context.tags[9]", "null" },
        { ".context.tags[1.5]", "null" },
        { ".context.tags[1:]", "[\"b\",\"a\"]" },
        { ".context.tags[-0.5:1]", "[]" },
        { ".context.tags[1.5:1.2]", "[\"b\"]" },
        { ".context.name[-2:]", "\"o\xC3\xAB\"" },
        { ".context.amount.x?", "null" },
        { "[.context.amount.x?]", "[]" },
        { ".params", "null" },
        { ".params.x", "null" },
        { ".[\"context\"].paid", "false" },
        { ".event.data.n", "7" },
        { ".input.data.orderId", "\"o-1\"" },
        { ". | keys", "[\"context\",\"event\",\"input\",\"params\"]" },
        { ".context.items[.context.items | length - 1].price", "4.5" },
    };
    check_all(pairs, ARVO_COUNT_OF(pairs));
}

static void
test_expr__operators(void **state)
{
    (void)state;
    static const pair pairs[] = {
        { ".context.amount <= 10000", "true" },
        { ".context.amount > 100 and .context.paid", "false" },
        { ".context.paid or .event.data.n == 7", "true" },
        { ".context.paid | not", "true" },
        { ".context.none // \"default\"", "\"default\"" },
        { ".context.none // .context.paid // 3", "3" },
        { "1 + 2 * 3 - 4 / (1 + 1)", "5" },
        { "-.context.amount + 1", "-119" },
        { "- 2 * 3", "-6" },
        { "17 % 5", "2" },
        { "-17 % 5", "-2" },
        { "9223372036854775808 % -1", "0" },
        { "\"a\" + \"b\"", "\"ab\"" },
        { "\"ab\" * 3", "\"ababab\"" },
        { "\"ab\" * 0", "null" },
        { "\"a,b\" / \",\"", "[\"a\",\"b\"]" },
        { "[1,2,1] - [1]", "[2]" },
        { "{\"a\":1} + {\"b\":2}", "{\"a\":1,\"b\":2}" },
        { "{a:{b:1}} * {a:{c:2}}", "{\"a\":{\"b\":1,\"c\":2}}" },
        { "null + 1", "1" },
        { "null < false", "true" },
        { "[] > \"zz\"", "true" },
        { "{} > []", "true" },
        { "{a:1} < {a:2}", "true" },
        { "{a:2} < {b:1}", "true" },
        { "1 == 1.0", "true" },
        { "\"a\" == 1", "false" },
        { "1e308 * 10", "1.7976931348623157e+308" },
        { "[1e308 * 10 - 1e308 * 10]", "[null]" },
        { "0.1 + 0.2", "0.30000000000000004" },
        { "007 + 5. + .5", "12.5" },
    };
    check_all(pairs, ARVO_COUNT_OF(pairs));
}

static void
test_expr__values_and_functions(void **state)
{
    (void)state;
    static const pair pairs[] = {
        { "{id: .input.data.orderId, \"n\": (1 + 1), paid: false}",
          "{\"id\":\"o-1\",\"n\":2,\"paid\":false}" },
        { ".context | {amount, \"paid\"}", "{\"amount\":120,\"paid\":false}" },
        { "{(.event.type): 1}", "{\"evt.x\":1}" },
        { "[.event.data.n, \"x\", null]", "[7,\"x\",null]" },
        { "\"order \\(.input.data.orderId): \\(.context.amount) \\({a:1})\"",
          "\"order o-1: 120 {\\\"a\\\":1}\"" },
        { "if .context.amount > 100 then \"big\" elif .context.paid then \"x\" else \"small\" end",
          "\"big\"" },
        { ".context.items | map(.price) | add", "7.5" },
        { ".context.items | map(select(.ok)) | length", "1" },
        { ".context.items | any(.price > 4)", "true" },
        { ".context.items | all(.ok)", "false" },
        { ".context.name | length", "3" },
        { ".context.name | ascii_upcase", "\"ZO\xC3\xAB\"" },
        { ".context | has(\"amount\")", "true" },
        { ".event.type | startswith(\"evt.\")", "true" },
        { ".event.type | ltrimstr(\"evt.\")", "\"x\"" },
        { "1e17 | tostring", "\"1e+17\"" },
        { "0.00001 | tostring", "\"1e-05\"" },
        { "\" 12.50 \" | tonumber", "12.5" },
        { "[null, true, 1, \"a\", [], {}] | map(type)",
          "[\"null\",\"boolean\",\"number\",\"string\",\"array\",\"object\"]" },
        { ".context.amount as $a | .event.data.n + $a", "127" },
        { "empty", "null" },
        { "\"\"", "\"\"" },
        { ".context.amount # a comment", "120" },
        { "[.context.tags[0:2], .context.none] | tojson", "\"[[\\\"a\\\",\\\"b\\\"],null]\"" },
    };
    check_all(pairs, ARVO_COUNT_OF(pairs));
}

static void
test_expr__native_failures(void **state)
{
    (void)state;
    static const pair pairs[] = {
        { ".context.amount.x", "Cannot index number with \"x\"" },
        { ".context.amount + \"a\"", "number (120) and string (\"a\") cannot be added" },
        { ".context - 1", "object and number (1) cannot be subtracted" },
        { ".context.amount / (1 - 1)", "the divisor is zero" },
        { "-.context.name", "cannot be negated" },
        { "true | length", "boolean (true) has no length" },
        { "\"x\" | tonumber", "string (\"x\") cannot be parsed as a number" },
        { "error(\"no stock\")", "no stock" },
        { "{(1 + .event.data.n): 2}", "cannot be an object key" },
        { ".context.amount | map(.)", "Cannot iterate over number" },
        { "\"x\" * 1e9", "would be too long" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(pairs); i++)
        check_contains(pairs[i].program, "! /here: ${", pairs[i].expected);
}

/* ---- jq programs ------------------------------------------------------------------ */

static void
test_expr__jq_runs_the_rest(void **state)
{
    (void)state;
    NEEDS_JQ();
    static const pair pairs[] = {
        { "[.context.items[].price] | add", "7.5" },
        { ".context.items[]", "{\"price\":3,\"ok\":true}" }, /* the first output */
        { ".context.items[] | select(.price > 100)", "null" },
        { "reduce .context.tags[] as $t ({}; .[$t] += 1)", "{\"a\":2,\"b\":1}" },
        { "def f: . * 2; .event.data.n | f", "14" },
        { ".context.name | test(\"^z\"; \"i\")", "true" },
        { ".context.tags | group_by(.) | map(length)", "[2,1]" },
        { "try error(\"x\") catch (\"caught \" + .)", "\"caught x\"" },
        { "0 | todate", "\"1970-01-01T00:00:00Z\"" },
        { "[limit(3; range(10))]", "[0,1,2]" },
        { "[.] | length", "1" },
        { "with_entries(.value |= type)", "{\"context\":\"object\",\"event\":\"object\",\"input\":"
                                          "\"object\",\"params\":\"null\"}" },
        { "[.context.amount, infinite, nan]", "[120,1.7976931348623157e+308,null]" },
        { ".context.tags | @csv # comment", "\"\\\"a\\\",\\\"b\\\",\\\"a\\\"\"" },
    };
    check_all(pairs, ARVO_COUNT_OF(pairs));
    check_contains("[.context.amount[]]", "! /here: ${", "Cannot iterate over number");
    check_contains("error({a: 1})", "! /here: ${", "{\"a\":1}");
    check_contains("@base64d", "! /here: ${", "");
}

static void
test_expr__without_jq_the_rest_is_refused(void **state)
{
    (void)state;
    fixture f = fixture_new();
    const arvo__template *tmpl = NULL;
    const arvo_status st = compile_text(&f, "[.context.tags[]]", &tmpl);
#ifdef ARVO_HAVE_JQ
    assert_int_equal(st, ARVO_OK);
    assert_int_equal(arvo__expr_set_jq_count(f.set), 1);
#else
    assert_int_equal(st, ARVO_E_UNSUPPORTED);
    assert_non_null(strstr(f.err.text, "needs jq"));
#endif
    fixture_free(&f);
}

/* ---- Refused at load ----------------------------------------------------------------- */

static void
test_expr__refused_at_load(void **state)
{
    (void)state;
    NEEDS_JQ();
    static const pair pairs[] = {
        { "env.HOME", "`env` is not allowed" },
        { "$ENV.HOME", "$ENV is not allowed" },
        { "input", "use .input" },
        { "[inputs]", "use .input" },
        { ".context | debug", "`debug` is not allowed" },
        { "stderr", "`stderr` is not allowed" },
        { "input_filename", "is not allowed" },
        { "input_line_number", "is not allowed" },
        { "halt", "`halt` is not allowed" },
        { "halt_error", "is not allowed" },
        { "import \"a\" as a; 1", "`import` is not allowed" },
        { "include \"a\"; 1", "`include` is not allowed" },
        { "get_search_list", "is not allowed" },
        { "$__prog_args", "is not allowed" },
        { "\"a\" | modulemeta", "is not allowed" },
        { "now", "put the time into the event" },
        { "0 | localtime", "put the time into the event" },
        { "0 | strflocaltime(\"%H\")", "put the time into the event" },
        { "\"\\(env)\"", "`env` is not allowed" },
        { "{a: input}", "use .input" },
        { ".context[env:2]", "`env` is not allowed" },
        { ".contxt.amount", "did you mean .context?" },
        { ".foo", ".foo is unknown" },
        { "1 + (.evnt.data)", "did you mean .event?" },
        { "{a: .inptu}", "did you mean .input?" },
        { "[.paramz[]]", "did you mean .params?" },
        { ".[\"contex\"]", "did you mean .context?" },
        { "if .contxt then 1 else 2 end", "did you mean .context?" },
        { "if .context.a | not then .evet else 2 end", "did you mean .event?" },
        { ".context as $c | .evet", "did you mean .event?" },
        { "", "empty" },
        { "   ", "empty" },
        { ".context.(", "is not closed" },
        { ".context)", "closes nothing" },
        { "\"abc", "without its closing quote" },
        { ".context & 1", "means nothing here" },
        { ".context.amount ==", "syntax error" },
        { "1 == 1 == 1", "syntax error" },
        { "nosuch", "nosuch/0 is not defined" },
        { "$nosuch", "$nosuch is not defined" },
        { "def f: 1;", "syntax error" },
        { "1 / 0", "Division by zero" },
        { "{(1): 2}", "object key" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(pairs); i++)
        check_contains(pairs[i].program, "load: /here: ${", pairs[i].expected);
}

static void
test_expr__names_that_only_look_refused(void **state)
{
    (void)state;
    NEEDS_JQ();
    static const pair pairs[] = {
        { "{env: 1, input: 2, now}.env", "load" },
        { "{env: 1, input: 2, halt: 3} | .env + .input", "3" },
        { ".context.env", "null" },
        { ".context | .now", "null" },
        { ".context | {debug}", "{\"debug\":null}" },
        { "\"env input\"", "\"env input\"" },
        { "[.context.items[] | .foo]", "[null,null]" },
        { ".context.items | map(.foo)", "[null,null]" },
        { "reduce .context.items[] as $i (0; . + $i.price) | .", "7.5" },
        { "reduce .context.items[] as $i ({}; .foo = $i.price) | .foo", "4.5" },
        { "label $out | .event.data.n, break $out", "7" },
        { ".context.items[0] as {price: $p} | $p", "3" },
    };
    for (size_t i = 1; i < ARVO_COUNT_OF(pairs); i++)
        check(pairs[i].program, pairs[i].expected);
    check_contains(pairs[0].program, "load: ", ".now is unknown");
}

static void
test_expr__errors_name_file_and_line(void **state)
{
    (void)state;
    NEEDS_JQ();
    fixture f = fixture_new();
    arvo_document_list docs;
    static const char text[] = "guards:\n  a: \"${ .context.a }\"\n  b: \"${ reduce . }\"\n";
    assert_int_equal(
        arvo_document_parse(ARVO_STR("m.yaml"), arvo_str_from(text), f.arena, &docs, &f.err),
        ARVO_OK);
    const arvo__template *tmpl = NULL;
    const arvo_json *guards = arvo_json_get(docs.items[0].root, "guards");
    assert_int_equal(
        arvo__template_compile(f.set, guards, &docs.items[0], ARVO_STR("/guards"), &tmpl, &f.err),
        ARVO_OK);
    assert_int_equal(arvo__expr_set_finish(f.set, &f.err), ARVO_E_INVALID);
    assert_non_null(strstr(f.err.text, "m.yaml:3: /guards/b: ${ reduce . }: syntax error"));
    fixture_free(&f);
}

/* ---- Templates --------------------------------------------------------------------------- */

static void
test_expr__templates(void **state)
{
    (void)state;
    NEEDS_JQ();
    fixture f = fixture_new();
    const arvo__template *constant, *mixed, *plain, *jq;
    const arvo_json *value = NULL;
    assert_int_equal(
        compile_json(&f, "{\"a\": [1, \"$ {x}\", \"${\", \"x${.a}\"]}", &constant), ARVO_OK);
    assert_int_equal(
        compile_json(
            &f, "{\"a\": [1, \"${.event.data.n}\"], \"b\": {\"c\": \"${ .input }\"}}", &mixed),
        ARVO_OK);
    assert_int_equal(compile_text(&f, ".context.name", &plain), ARVO_OK);
    assert_int_equal(compile_text(&f, "[.context.tags[]]", &jq), ARVO_OK);
    assert_int_equal(arvo__expr_set_finish(f.set, &f.err), ARVO_OK);

    assert_true(arvo__template_is_constant(constant, &value));
    assert_int_equal(arvo_json_count(arvo_json_get(value, "a")), 4);
    assert_false(arvo__template_is_constant(mixed, NULL));
    assert_true(arvo__template_reads_input(mixed));
    assert_false(arvo__template_reads_input(plain));
    assert_false(arvo__template_reads_input(jq));
    assert_true(arvo__template_is_expression(plain));
    assert_false(arvo__template_is_expression(mixed));
    assert_false(arvo__template_is_expression(constant));

    assert_string_equal(give(&f, constant), "{\"a\":[1,\"$ {x}\",\"${\",\"x${.a}\"]}");
    assert_string_equal(
        give(&f, mixed), "{\"a\":[1,7],\"b\":{\"c\":{\"data\":{\"orderId\":\"o-1\"}}}}");
    assert_string_equal(give(&f, plain), "\"Zo\xC3\xAB\"");
    assert_string_equal(give(&f, jq), "[\"a\",\"b\",\"a\"]");

    /* A path gives the scope's own value, not a copy. */
    assert_int_equal(arvo__template_eval(plain, f.set, NULL, &f.scope, &value, &f.err), ARVO_OK);
    assert_ptr_equal(value, arvo_json_get(f.scope.context, "name"));
    fixture_free(&f);
}

static void
test_expr__what_reads_input(void **state)
{
    (void)state;
    NEEDS_JQ();
    static const struct {
        const char *program;
        bool reads;
    } cases[] = {
        { ".context.input", false },
        { ".context | .input", false },
        { ".input.data", true },
        { ".", true },
        { "keys", true },
        { ".[.params.x]", true },
        { "[.context.items[] | .input]", false },
        { "[.context.items[] | select(.input)]", false },
        { "first(.input.x, .context)", true },
        { "[..]", true },
        { "\"\\(.input)\"", true },
        { ".context.a = 1", true },
        { "def f: .; 1", true },
        { "[.context.a[]] as $x | .input", true },
        { "label $f | .context.x[]", false },
        { "label $f | . | tojson, 1", true },
        { "try error(.) catch 1", true },
        { "@json", true },
        { "{input}", true },
        { "{context}", false },
        { "reduce .context.a[] as $x (.; .)", true },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        fixture f = fixture_new();
        const arvo__template *tmpl = NULL;
        assert_int_equal(compile_text(&f, cases[i].program, &tmpl), ARVO_OK);
        if (arvo__template_reads_input(tmpl) != cases[i].reads)
            print_error("%s\n", cases[i].program);
        assert_int_equal(arvo__template_reads_input(tmpl), cases[i].reads);
        fixture_free(&f);
    }
}

/* ---- Bounds ------------------------------------------------------------------------------- */

static void
test_expr__hostile_programs_stop(void **state)
{
    (void)state;
    NEEDS_JQ();
    static const char *const programs[] = {
        "[range(1e9)]",
        "def f: f; f",
        "def f: 1 + f; f",
        "[limit(1e9; repeat(\"x\"))]",
        "range(1e18) | select(false)",
        "null | .[1e9] = 1",
        "null | .[1e8] = 1 | length",
        "reduce range(60) as $i (\"x\"; . + .)",
        "reduce range(60) as $i ([1]; [., .]) | tojson",
        "reduce range(60) as $i ([1]; [., .])",
        "reduce range(1e7) as $i (null; [.])",
        "(\"a\" * 30 + \"b\") | test(\"^(a+)+$\")",
        "(\"a\" * 40) | test(\"^(a|aa)+b$\")",
        "[1e19] | .[0] % -1 | [.[]?]",
        "[1e19, -1] | first(.[0] % .[1]), 1",
        "[1, 2] | .[nan:1] | .[]",
        "[55296, 1e9] | implode",
        "[range(300000)] | setpath(.; 1)",
        "first(range(10; 0; -1e-300))",
        "\"x\" * 1e8 | length, 1",
        "[.context] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., "
        ".]"
        " | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .]"
        " | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., "
        ".]",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(programs); i++) {
        fixture f = fixture_new();
        const char *given = run(&f, programs[i]);
        const bool stopped = strncmp(given, "! /here: ${", 11) == 0;
        /* Those that jq can end, by its own bounds, may. */
        if (!stopped && strlen(given) > 64)
            print_error("%s\n  gives %.200s\n", programs[i], given);
        assert_true(stopped || strlen(given) <= 64);
        fixture_free(&f);
    }
}

static void
test_expr__a_set_outlives_its_hostile_programs(void **state)
{
    (void)state;
    NEEDS_JQ();
    fixture f = fixture_new();
    const arvo__template *slow, *crash, *good;
    assert_int_equal(compile_text(&f, "def f: f; f", &slow), ARVO_OK);
    assert_int_equal(compile_text(&f, "[.context.tags[]] | .[nan:1]", &crash), ARVO_OK);
    assert_int_equal(compile_text(&f, "[.context.tags[]] | length", &good), ARVO_OK);
    assert_int_equal(arvo__expr_set_finish(f.set, &f.err), ARVO_OK);
    for (int i = 0; i < 2; i++) {
        assert_non_null(strstr(give(&f, slow), "stopped after 250 ms"));
        assert_string_equal(give(&f, good), "3");
        assert_non_null(strstr(give(&f, crash), "jq died of it"));
        assert_string_equal(give(&f, good), "3");
    }
    fixture_free(&f);
}

static void
test_expr__text_bounds(void **state)
{
    (void)state;
    fixture f = fixture_new();
    const arvo__template *tmpl = NULL;
    const size_t len = EXPR_TEXT_BYTES_MAX + 10;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, ' ', len);
    memcpy(text, "${1", 3);
    text[len - 1] = '}';
    const arvo_json *value = arvo_json_string_ref(f.arena, (arvo_str){ text, len });
    assert_int_equal(
        arvo__template_compile(f.set, value, NULL, ARVO_STR("/x"), &tmpl, &f.err), ARVO_E_INVALID);
    assert_non_null(strstr(f.err.text, "longer than"));

    memset(text, '[', 1000);
    memcpy(text, "${", 2);
    memset(text + 500, ']', 499);
    value = arvo_json_string_ref(f.arena, (arvo_str){ text, 1000 });
    text[999] = '}';
    assert_int_equal(
        arvo__template_compile(f.set, value, NULL, ARVO_STR("/x"), &tmpl, &f.err), ARVO_E_INVALID);
    assert_non_null(strstr(f.err.text, "nested too deeply"));

    value = arvo_json_string_ref(f.arena, (arvo_str){ "${\0}", 4 });
    assert_int_equal(
        arvo__template_compile(f.set, value, NULL, ARVO_STR("/x"), &tmpl, &f.err), ARVO_E_INVALID);
    assert_non_null(strstr(f.err.text, "NUL"));
    free(text);
    fixture_free(&f);
}

/* ---- Out of memory ------------------------------------------------------------------------------
 */

typedef struct failing {
    long left;
} failing;

static void *
failing_alloc(void *self, size_t size)
{
    failing *f = self;
    return f->left-- > 0 ? malloc(size) : NULL;
}

static void
failing_free(void *self, void *ptr, size_t size)
{
    (void)self;
    (void)size;
    free(ptr);
}

static void
test_expr__out_of_memory(void **state)
{
    (void)state;
    NEEDS_JQ();
    fixture f = fixture_new();
    arvo__expr_set_free(f.set);
    const arvo_json *value = NULL, *given = NULL;
    static const char text[] = "{\"a\": \"${ {b: [.context.amount + 1, \\\"\\\\(.event)\\\"]} }\","
                               " \"b\": \"${ [.context.tags[]] }\", \"c\": [1]}";
    assert_int_equal(arvo_json_parse(arvo_str_from(text), f.arena, &value, &f.err), ARVO_OK);
    arvo_status st = ARVO_E_NOMEM;
    for (long n = 0; st == ARVO_E_NOMEM; n++) {
        failing source = { n };
        const arvo_allocator allocator = { failing_alloc, failing_free, &source };
        const arvo__template *tmpl = NULL;
        f.set = arvo__expr_set_new(&allocator);
        if (f.set == NULL)
            continue;
        st = arvo__template_compile(f.set, value, NULL, ARVO_STR(""), &tmpl, &f.err);
        if (st == ARVO_OK)
            st = arvo__expr_set_finish(f.set, &f.err);
        if (st == ARVO_OK)
            st = arvo__template_eval(tmpl, f.set, NULL, &f.scope, &given, &f.err);
        arvo__expr_set_free(f.set);
        assert_true(n < 1000);
    }
    assert_int_equal(st, ARVO_OK);
    f.set = NULL;
    fixture_free(&f);
}

static void
test_expr__scope_arena_exhausted(void **state)
{
    (void)state;
    NEEDS_JQ();
    fixture f = fixture_new();
    const arvo__template *native, *jq;
    const arvo_json *value = NULL;
    assert_int_equal(
        compile_text(&f, "{a: [.context.name * 1000, {b: .event}]}", &native), ARVO_OK);
    assert_int_equal(compile_text(&f, "[range(1000)]", &jq), ARVO_OK);
    assert_int_equal(arvo__expr_set_finish(f.set, &f.err), ARVO_OK);
    arvo_arena *small = arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 256, .bytes_max = 600 });
    assert_non_null(small);
    f.scope.arena = small;
    assert_int_equal(
        arvo__template_eval(native, f.set, NULL, &f.scope, &value, &f.err), ARVO_E_NOMEM);
    arvo_arena_reset(small);
    assert_int_equal(arvo__template_eval(jq, f.set, NULL, &f.scope, &value, &f.err), ARVO_E_NOMEM);
    assert_null(value);
    arvo_arena_free(small);
    fixture_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr__paths),
        cmocka_unit_test(test_expr__operators),
        cmocka_unit_test(test_expr__values_and_functions),
        cmocka_unit_test(test_expr__native_failures),
        cmocka_unit_test(test_expr__jq_runs_the_rest),
        cmocka_unit_test(test_expr__without_jq_the_rest_is_refused),
        cmocka_unit_test(test_expr__refused_at_load),
        cmocka_unit_test(test_expr__names_that_only_look_refused),
        cmocka_unit_test(test_expr__errors_name_file_and_line),
        cmocka_unit_test(test_expr__templates),
        cmocka_unit_test(test_expr__what_reads_input),
        cmocka_unit_test(test_expr__hostile_programs_stop),
        cmocka_unit_test(test_expr__a_set_outlives_its_hostile_programs),
        cmocka_unit_test(test_expr__text_bounds),
        cmocka_unit_test(test_expr__out_of_memory),
        cmocka_unit_test(test_expr__scope_arena_exhausted),
    };
    return cmocka_run_group_tests_name("expr", tests, NULL, NULL);
}
