/* What an expression costs: ns per evaluation, natively and in jq, and what a set costs to make.
 *
 * The same program is given to both sides; the last rows only jq can run. A jq evaluation includes
 * the way to the worker process and back, and the scope's members as text. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "machine/expr.h"
#include "machine/expr_internal.h"

static const char scope_text[] =
    "{\"context\": {\"orderId\": \"ord-2024-000123\", \"amount\": 5500, \"paid\": false,"
    " \"customer\": {\"id\": \"c-42\", \"tier\": \"gold\", \"name\": \"Ada\"},"
    " \"items\": [{\"sku\": \"BK-1\", \"quantity\": 2, \"price\": 12.5},"
    " {\"sku\": \"BK-2\", \"quantity\": 1, \"price\": 30}]},"
    " \"event\": {\"type\": \"evt.payment.charge.success\", \"data\": {\"paymentId\": \"p-1\"}}}";

static const char *const native_programs[] = {
    ".context.amount",
    ".context.customer.tier",
    ".context.amount <= 10000",
    ".context.customer.tier == \"gold\" and (.context.paid | not)",
    ".context.discount // 0",
    "{orderId: .context.orderId, amount: (.context.amount * 1.2)}",
    "\"order \\(.context.orderId) of \\(.context.customer.name)\"",
    "if .context.amount > 1000 then \"large\" else \"small\" end",
    ".context.items | map(.quantity * .price) | add",
};

static const char *const jq_programs[] = {
    "[.context.items[] | select(.price > 20) | .sku]",
    "reduce .context.items[] as $i (0; . + $i.price)",
    ".event.type | test(\"success$\")",
};

typedef struct bench {
    arvo__expr_set *set;
    const arvo__template *tmpl;
    arvo__evaluator *evaluator;
    arvo_scope scope;
} bench;

static void
give_up(const char *what)
{
    (void)fprintf(stderr, "bench_expr: %s\n", what);
    exit(1);
}

static const arvo_json *
program_value(arvo_arena *arena, const char *program)
{
    return arvo_json_string(arena, arvo_arena_printf(arena, "${ %s }", program));
}

static void
set_open(bench *b, arvo_arena *arena, const char *program, bool in_jq)
{
    arvo_error err;
    b->set = arvo__expr_set_new(NULL);
    if (b->set == NULL)
        give_up("out of memory");
    if (in_jq)
        arvo__expr_set_force_jq(b->set);
    if (arvo__template_compile(
            b->set, program_value(arena, program), NULL, ARVO_STR(""), &b->tmpl, &err) != ARVO_OK ||
        arvo__expr_set_finish(b->set, &err) != ARVO_OK)
        give_up(err.text);
    b->evaluator = arvo__evaluator_take(b->set);
}

static void
evaluate(void *self, size_t rounds)
{
    bench *b = self;
    const arvo_json *value = NULL;
    arvo_error err;
    const arvo_arena_mark mark = arvo_arena_mark_get(b->scope.arena);
    for (size_t i = 0; i < rounds; i++) {
        if (arvo__template_eval(b->tmpl, b->set, b->evaluator, &b->scope, &value, &err) != ARVO_OK)
            give_up(err.text);
        arvo_arena_rewind(b->scope.arena, mark);
    }
}

static double
measure(bench *b, arvo_arena *arena, const char *program, bool in_jq)
{
    set_open(b, arena, program, in_jq);
    const double ns = bench_median_ns(evaluate, b, bench_rounds_for(evaluate, b, 50));
    arvo__evaluator_give(b->set, b->evaluator);
    arvo__expr_set_free(b->set);
    return ns;
}

typedef struct making {
    arvo_arena *arena;
    bool in_jq;
} making;

/* Forty expressions, as a machine has them. */
static void
make_set(void *self, size_t rounds)
{
    const making *m = self;
    for (size_t round = 0; round < rounds; round++) {
        arvo_error err;
        const arvo__template *tmpl = NULL;
        const arvo_arena_mark mark = arvo_arena_mark_get(m->arena);
        arvo__expr_set *set = arvo__expr_set_new(NULL);
        if (set == NULL)
            give_up("out of memory");
        for (size_t i = 0; i < 40; i++) {
            const char *program = m->in_jq ? jq_programs[i % ARVO_COUNT_OF(jq_programs)]
                                           : native_programs[i % ARVO_COUNT_OF(native_programs)];
            if (arvo__template_compile(
                    set, program_value(m->arena, program), NULL, ARVO_STR(""), &tmpl, &err) !=
                ARVO_OK)
                give_up(err.text);
        }
        if (arvo__expr_set_finish(set, &err) != ARVO_OK)
            give_up(err.text);
        arvo__expr_set_free(set);
        arvo_arena_rewind(m->arena, mark);
    }
}

static bool
have_jq(void)
{
#ifdef ARVO_HAVE_JQ
    return true;
#else
    return false;
#endif
}

int
main(void)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    const arvo_json *scope = NULL;
    arvo_error err;
    if (arena == NULL || arvo_json_parse(arvo_str_from(scope_text), arena, &scope, &err) != ARVO_OK)
        give_up("out of memory");
    bench b = { .scope = { .context = arvo_json_get(scope, "context"),
                           .event = arvo_json_get(scope, "event"),
                           .arena = arena } };
    bench_print_machine();
    printf("%-64s %10s %10s\n", "expression, ns per evaluation", "native", "jq");
    for (size_t i = 0; i < ARVO_COUNT_OF(native_programs); i++) {
        printf("%-64s %10.0f", native_programs[i], measure(&b, arena, native_programs[i], false));
        if (have_jq())
            printf(" %10.0f", measure(&b, arena, native_programs[i], true));
        printf("\n");
    }
    for (size_t i = 0; have_jq() && i < ARVO_COUNT_OF(jq_programs); i++)
        printf(
            "%-64s %10s %10.0f\n", jq_programs[i], "-", measure(&b, arena, jq_programs[i], true));

    making m = { arena, false };
    printf("a set of 40, native: %.3f ms\n", bench_median_ns(make_set, &m, 20) / 1e6);
    m.in_jq = true;
    if (have_jq())
        printf("a set of 40, in jq:  %.1f ms\n", bench_median_ns(make_set, &m, 2) / 1e6);
    arvo_arena_free(arena);
    return 0;
}
