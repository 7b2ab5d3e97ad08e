/* The native subset against libjq: random programs of its grammar over random inputs of every type
 * give the same value, or fail in both.
 *
 * ARVO_EXPR_PAIRS: how many program/input pairs (default 20000); ARVO_SEED: where to begin, a fresh
 * place when not given. Each batch prints its seed: with that and 20000 pairs it runs alone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "machine/expr.h"
#include "machine/expr_internal.h"

#define PROGRAMS 250u /* of one set, compiled together */
#define SCOPES   80u  /* that each of them is run on */

/* ---- Random choices -------------------------------------------------------------- */

typedef struct source {
    uint64_t state;
} source;

/* splitmix64 */
static uint64_t
next(source *s)
{
    uint64_t z = s->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned
below(source *s, unsigned n)
{
    return (unsigned)(next(s) % n);
}

#define PICK(s, list) ((list)[below((s), (unsigned)ARVO_COUNT_OF(list))])

/* ---- Random values, as JSON text ---------------------------------------------------- */

static const char *const keys[] = { "\"a\"",     "\"b\"",         "\"c\"",
                                    "\"start\"", "\"two words\"", "\"\xC3\xA9\"" };
static const char *const strings[] = {
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"ab\"",
    "\"abcab\"",
    "\",\"",
    "\"a,b,,c\"",
    "\"1\"",
    "\" -2.5 \"",
    "\"1e3\"",
    "\"+7\"",
    "\"0x1\"",
    "\"nan\"",
    "\"007\"",
    "\".5\"",
    "\"5.\"",
    "\"1e400\"",
    "\"-0\"",
    "\"\xC3\xA9\xE2\x82\xAC\"",
    "\"\xF0\x9F\x98\x80x\"",
    "\"A\\u0000b\"",
    "\"q\\\"\\\\\\n\\t\\u0001\\u007f/\"",
    "\"true\"",
    "\"1 2\"",
    "\"Zz\"",
    "\"abab\"",
};
static const char *const numbers[] = {
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "5",
    "10",
    "0.5",
    "1.5",
    "-0.5",
    "2.75",
    "1e17",
    "1e16",
    "1e-5",
    "1e-7",
    "9007199254740993",
    "1e300",
    "-1e300",
    "123456789012",
    "0.1",
    "1e15",
    "123456789.125",
    "4294967296",
    "1e19",
    "-9223372036854775808",
    "3e-310",
};

static void
put_value(source *s, arvo_buf *out, unsigned depth)
{
    const unsigned kind = below(s, depth > 0 ? 10 : 7);
    if (kind == 0) {
        arvo_buf_printf(out, "null");
    } else if (kind == 1) {
        arvo_buf_printf(out, below(s, 2) != 0 ? "true" : "false");
    } else if (kind <= 4) {
        arvo_buf_printf(out, "%s", PICK(s, numbers));
    } else if (kind <= 6) {
        arvo_buf_printf(out, "%s", PICK(s, strings));
    } else if (kind == 7) {
        const unsigned count = below(s, 4);
        for (unsigned i = 0; i < count; i++) {
            arvo_buf_append_char(out, i == 0 ? '[' : ',');
            put_value(s, out, depth - 1);
        }
        arvo_buf_printf(out, count == 0 ? "[]" : "]");
    } else {
        const unsigned count = below(s, 5);
        for (unsigned i = 0; i < count; i++) {
            arvo_buf_printf(out, "%c%s:", i == 0 ? '{' : ',', PICK(s, keys));
            put_value(s, out, depth - 1);
        }
        arvo_buf_printf(out, count == 0 ? "{}" : "}");
    }
}

/* ---- Random programs ------------------------------------------------------------------ */

typedef struct writer {
    source *s;
    arvo_buf *out;
    bool on_scope;
    bool no_empty; /* nothing that may have no output */
    unsigned vars;
} writer;

static void put_exp(writer *w, unsigned depth);
static void put_term(writer *w, unsigned depth);

static void
put(writer *w, const char *text)
{
    arvo_buf_append_str(w->out, arvo_str_from(text));
}

static void
put_string(writer *w, unsigned depth)
{
    static const char *const pieces[] = {
        "a", "b", ",", " ", "\\n", "\\u00e9", "\\ud83d\\ude00", "1", "\xC3\xA9"
    };
    const unsigned count = below(w->s, 3);
    put(w, "\"");
    for (unsigned i = 0; i < count; i++) {
        put(w, PICK(w->s, pieces));
        if (depth > 0 && below(w->s, 5) == 0) {
            put(w, "\\(");
            put_exp(w, depth - 1);
            put(w, ")");
        }
    }
    put(w, "\"");
}

static void
put_number(writer *w)
{
    static const char *const literals[] = { "0",
                                            "1",
                                            "2",
                                            "3",
                                            "10",
                                            "0.5",
                                            "1.5",
                                            "1e3",
                                            ".5",
                                            "5.",
                                            "007",
                                            "1e17",
                                            "9007199254740993",
                                            "100000",
                                            "2.25",
                                            "1e-6" };
    put(w, PICK(w->s, literals));
}

static void
put_key(writer *w)
{
    static const char *const fields[] = { ".a",      ".b",  ".c",  ".start", ".\"two words\"",
                                          "[\"a\"]", "[0]", "[1]", "[-1]" };
    put(w, PICK(w->s, fields));
}

static void
put_steps(writer *w, unsigned depth)
{
    while (below(w->s, 2) == 0) {
        const unsigned kind = below(w->s, 8);
        if (kind < 5 || depth == 0) {
            put_key(w);
        } else if (kind == 5) {
            put(w, "[");
            put_exp(w, depth - 1);
            put(w, "]");
        } else {
            put(w, "[");
            if (kind == 6)
                put_exp(w, depth - 1);
            put(w, ":");
            if (kind == 7 || below(w->s, 2) == 0)
                put_exp(w, depth - 1);
            put(w, "]");
        }
        if (below(w->s, 5) == 0 && !w->no_empty)
            put(w, "?");
    }
}

static void
put_path(writer *w, unsigned depth)
{
    static const char *const members[] = { ".context", ".context",       ".event",    ".input",
                                           ".params",  ".[\"context\"]", ".\"event\"" };
    static const char *const starts[] = { ".", ".a", ".b", ".c", ".[0]", ".[-1]", ".\"a\"" };
    put(w, w->on_scope ? PICK(w->s, members) : PICK(w->s, starts));
    const arvo_str now = arvo_buf_str(w->out);
    const char last = now.ptr[now.len - 1];
    if (last == '.' && below(w->s, 2) == 0)
        return; /* `.` alone; a step may not follow with a dot of its own */
    if (last == '.')
        put(w, "[0]");
    put_steps(w, depth);
}

static void
put_call(writer *w, unsigned depth)
{
    static const char *const plain[] = { "length",   "not",      "type",           "keys",
                                         "tostring", "tonumber", "tojson",         "add",
                                         "any",      "all",      "floor",          "ceil",
                                         "round",    "sqrt",     "ascii_downcase", "ascii_upcase",
                                         "empty" };
    static const char *const with_arg[] = { "has",      "startswith", "endswith", "ltrimstr",
                                            "rtrimstr", "select",     "error" };
    static const char *const of_items[] = { "map", "any", "all" };
    const bool on_scope = w->on_scope, no_empty = w->no_empty;
    const unsigned kind = below(w->s, 5);
    /* `empty`, `select` and `error` (of null) end their lists. */
    const unsigned less = no_empty ? 1 : 0;
    if (kind < 3 || depth == 0) {
        put(w, plain[below(w->s, (unsigned)ARVO_COUNT_OF(plain) - less)]);
        return;
    }
    const char *name = kind == 3
                           ? with_arg[below(w->s, (unsigned)ARVO_COUNT_OF(with_arg) - 2 * less)]
                           : PICK(w->s, of_items);
    put(w, name);
    w->on_scope = on_scope && kind == 3;
    w->no_empty = no_empty || (kind == 4 && name[0] == 'a');
    put(w, "(");
    put_exp(w, depth - 1);
    put(w, ")");
    w->on_scope = on_scope;
    w->no_empty = no_empty;
}

static void
put_object(writer *w, unsigned depth)
{
    const unsigned count = below(w->s, 4);
    put(w, "{");
    for (unsigned i = 0; i < count; i++) {
        put(w, i == 0 ? "" : ",");
        switch (below(w->s, 5)) {
        case 0:
            put(w, w->on_scope ? "context" : "a");
            continue;
        case 1:
            put(w, "(.");
            put(w, w->on_scope ? "event" : "b");
            put(w, "|tostring):");
            break;
        case 2:
            put(w, "\"b\":");
            break;
        case 3:
            put(w, "if:");
            break;
        default:
            put(w, "a:");
            break;
        }
        if (below(w->s, 6) == 0)
            put(w, "-");
        put_term(w, depth - 1);
    }
    put(w, "}");
}

static void
put_array(writer *w, unsigned depth)
{
    const unsigned count = below(w->s, 4);
    put(w, "[");
    for (unsigned i = 0; i < count; i++) {
        put(w, i == 0 ? "" : ",");
        /* `|` takes all that follows: in an array of several it needs brackets. */
        put(w, "(");
        put_exp(w, depth - 1);
        put(w, ")");
    }
    put(w, "]");
}

static void
put_term(writer *w, unsigned depth)
{
    const unsigned kind = below(w->s, depth > 0 ? 16 : 9);
    if (kind < 5) {
        put_path(w, depth > 0 ? depth - 1 : 0);
    } else if (kind == 5) {
        put_number(w);
    } else if (kind == 6) {
        put_string(w, depth > 0 ? depth - 1 : 0);
    } else if (kind == 7) {
        static const char *const words[] = { "true", "false", "null" };
        put(w, PICK(w->s, words));
    } else if (kind == 8) {
        if (w->vars > 0) {
            arvo_buf_printf(w->out, "$v%u", below(w->s, w->vars));
        } else {
            put(w, "null");
        }
    } else if (kind < 11) {
        put_call(w, depth);
    } else if (kind == 11) {
        put_object(w, depth);
    } else if (kind == 12) {
        put_array(w, depth);
    } else {
        put(w, "(");
        put_exp(w, depth - 1);
        put(w, ")");
        put_steps(w, depth - 1);
    }
}

static void
put_if(writer *w, unsigned depth)
{
    put(w, "if ");
    put_exp(w, depth - 1);
    put(w, " then ");
    put_exp(w, depth - 1);
    if (below(w->s, 3) == 0) {
        put(w, " elif ");
        put_exp(w, depth - 1);
        put(w, " then ");
        put_exp(w, depth - 1);
    }
    put(w, " else ");
    put_exp(w, depth - 1);
    put(w, " end");
}

static void
put_pipe(writer *w, unsigned depth)
{
    const bool on_scope = w->on_scope;
    put_path(w, depth - 1);
    put(w, " | ");
    w->on_scope = false;
    put_exp(w, depth - 1);
    w->on_scope = on_scope;
}

static void
put_bind(writer *w, unsigned depth)
{
    put_term(w, depth - 1);
    arvo_buf_printf(w->out, " as $v%u | ", w->vars);
    w->vars++;
    put_exp(w, depth - 1);
    w->vars--;
}

static void
put_exp(writer *w, unsigned depth)
{
    static const char *const operators[] = { "==", "!=", "<",   "<=", ">",  ">=", "+", "-",
                                             "*",  "%",  "and", "or", "//", "+",  "==" };
    const unsigned kind = below(w->s, 12);
    if (depth == 0 || kind < 4) {
        put_term(w, depth);
    } else if (kind < 9) {
        const char *operator= PICK(w->s, operators);
        const bool compares = strchr("=!<>", operator[0]) != NULL;
        put(w, compares ? "(" : "");
        put_term(w, depth - 1);
        arvo_buf_printf(w->out, " %s ", operator);
        if (below(w->s, 4) == 0 && !compares)
            put_exp(w, depth - 1);
        else
            put_term(w, depth - 1);
        put(w, compares ? ")" : "");
    } else if (kind == 9) {
        /* On a path, so that jq does not divide constants while it compiles. */
        put(w, "(");
        put_path(w, depth - 1);
        put(w, " / ");
        put_term(w, depth - 1);
        put(w, ")");
    } else if (kind == 10) {
        put(w, below(w->s, 2) == 0 ? "-" : "");
        put_term(w, depth - 1);
    } else if (below(w->s, 3) == 0) {
        put_if(w, depth);
    } else {
        put(w, "(");
        if (below(w->s, 2) == 0)
            put_pipe(w, depth);
        else
            put_bind(w, depth);
        put(w, ")");
    }
}

/* ---- Comparing ---------------------------------------------------------------------------- */

/* Numbers as jq has them, doubles; members in the same order, as both write them. */
static bool
same(const arvo_json *a, const arvo_json *b)
{
    if (arvo_json_is_number(a) && arvo_json_is_number(b))
        return arvo_json_number_or(a, 0) == arvo_json_number_or(b, 0);
    if (a->type != b->type || arvo_json_count(a) != arvo_json_count(b))
        return false;
    if (a->type != ARVO_JSON_ARRAY && a->type != ARVO_JSON_OBJECT)
        return arvo_json_equal(a, b);
    for (size_t i = 0; i < arvo_json_count(a); i++)
        if (!arvo_str_equal(arvo_json_key_at(a, i), arvo_json_key_at(b, i)) ||
            !same(arvo_json_at(a, i), arvo_json_at(b, i)))
            return false;
    return true;
}

typedef struct batch {
    arvo_arena *arena;
    arvo__expr_set *native, *jq;
    const arvo__template *native_programs[PROGRAMS], *jq_programs[PROGRAMS];
    arvo_str texts[PROGRAMS];
    size_t values, failures;
} batch;

static void
compile_one(arvo__expr_set *set, const arvo_json *text, const arvo__template **out)
{
    arvo_error err;
    if (arvo__template_compile(set, text, NULL, ARVO_STR(""), out, &err) != ARVO_OK)
        fail_msg("%s", err.text);
}

static void
batch_compile(batch *b, source *s)
{
    arvo_error err;
    b->native = arvo__expr_set_new(NULL);
    b->jq = arvo__expr_set_new(NULL);
    assert_non_null(b->native);
    assert_non_null(b->jq);
    arvo__expr_set_force_jq(b->jq);
    for (size_t i = 0; i < PROGRAMS; i++) {
        arvo_buf text = ARVO_BUF_INIT(EXPR_TEXT_BYTES_MAX);
        writer w = { .s = s, .out = &text, .on_scope = true };
        arvo_buf_printf(&text, "${");
        put_exp(&w, 1 + below(s, 4));
        arvo_buf_printf(&text, "}");
        assert_int_equal(text.status, ARVO_OK);
        const arvo_json *value = arvo_json_string(b->arena, arvo_buf_str(&text));
        b->texts[i] = arvo_json_str(value);
        const size_t jq_before = arvo__expr_set_jq_count(b->native);
        compile_one(b->native, value, &b->native_programs[i]);
        if (arvo__expr_set_jq_count(b->native) != jq_before)
            fail_msg("not native: %.*s", ARVO_FMT(b->texts[i]));
        compile_one(b->jq, value, &b->jq_programs[i]);
        arvo_buf_fini(&text);
    }
    assert_int_equal(arvo__expr_set_finish(b->native, &err), ARVO_OK);
    if (arvo__expr_set_finish(b->jq, &err) != ARVO_OK)
        fail_msg("%s", err.text);
}

static const arvo_json *
random_member(source *s, arvo_arena *arena)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    const arvo_json *value = NULL;
    arvo_error err;
    put_value(s, &text, 3);
    if (arvo_json_parse(arvo_buf_str(&text), arena, &value, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    arvo_buf_fini(&text);
    return value;
}

static void
report(
    const batch *b, size_t i, const arvo_scope *scope, const arvo_json *const values[2],
    const arvo_status st[2], const arvo_error errs[2])
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf_printf(&text, "%.*s\n  context ", ARVO_FMT(b->texts[i]));
    arvo_json_write(scope->context, &text);
    arvo_buf_printf(&text, "\n  event ");
    arvo_json_write(scope->event, &text);
    arvo_buf_printf(&text, "\n  input ");
    arvo_json_write(scope->input, &text);
    arvo_buf_printf(&text, "\n  params ");
    arvo_json_write(scope->params, &text);
    for (int side = 0; side < 2; side++) {
        arvo_buf_printf(&text, side == 0 ? "\n  native " : "\n  jq     ");
        if (st[side] == ARVO_OK)
            arvo_json_write(values[side], &text);
        else
            arvo_buf_printf(&text, "! %s", errs[side].text);
    }
    fail_msg("%.*s", ARVO_FMT(arvo_buf_str(&text)));
}

static void
batch_compare(batch *b, source *s)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    arvo__evaluator *evaluator = arvo__evaluator_take(b->jq);
    for (size_t n = 0; n < SCOPES; n++) {
        arvo_arena_reset(arena);
        const arvo_scope scope = { .context = random_member(s, arena),
                                   .event = random_member(s, arena),
                                   .input = random_member(s, arena),
                                   .params = below(s, 3) == 0 ? NULL : random_member(s, arena),
                                   .arena = arena };
        for (size_t i = 0; i < PROGRAMS; i++) {
            const arvo_json *values[2] = { NULL, NULL };
            arvo_error errs[2];
            const arvo_status st[2] = {
                arvo__template_eval(
                    b->native_programs[i], b->native, NULL, &scope, &values[0], &errs[0]),
                arvo__template_eval(
                    b->jq_programs[i], b->jq, evaluator, &scope, &values[1], &errs[1]),
            };
            if (st[1] != ARVO_OK && strstr(errs[1].text, "stopped after") != NULL)
                continue; /* a bound, not a meaning: jq repeats "" a billion times */
            if (st[0] != st[1] || (st[0] == ARVO_OK && !same(values[0], values[1])))
                report(b, i, &scope, values, st, errs);
            b->values += st[0] == ARVO_OK;
            b->failures += st[0] != ARVO_OK;
        }
    }
    arvo__evaluator_give(b->jq, evaluator);
    arvo_arena_free(arena);
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static void
test_expr_jq__native_agrees_with_jq(void **state)
{
    (void)state;
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    const uint64_t fresh = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    source s = { setting("ARVO_SEED", fresh) };
    const uint64_t wanted = setting("ARVO_EXPR_PAIRS", 20000);
    size_t values = 0, failures = 0;
    for (uint64_t done = 0; done < wanted; done += (uint64_t)PROGRAMS * SCOPES) {
        batch b = { .arena = arvo_arena_new(NULL) };
        const uint64_t seed = s.state;
        assert_non_null(b.arena);
        batch_compile(&b, &s);
        print_message("# seed %llu\n", (unsigned long long)seed);
        batch_compare(&b, &s);
        values += b.values;
        failures += b.failures;
        arvo__expr_set_free(b.native);
        arvo__expr_set_free(b.jq);
        arvo_arena_free(b.arena);
    }
    print_message("%zu values and %zu failures agree\n", values, failures);
    /* Neither side of the comparison may be empty. */
    assert_true(values > wanted / 10);
    assert_true(failures > wanted / 100);
}

int
main(void)
{
#ifndef ARVO_HAVE_JQ
    printf("skipped: this library was built without jq\n");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_jq__native_agrees_with_jq),
    };
    return cmocka_run_group_tests_name("expr_jq", tests, NULL, NULL);
}
