/* One expression set, many threads: each takes evaluators, and all get right values. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "machine/expr.h"

/* Needs jq, where there is one. */
#ifdef ARVO_HAVE_JQ
#define ITERATES "${ [.context.tags[]] | length }"
#else
#define ITERATES "${ .context.tags | map(.) | length }"
#endif

static const char scope_text[] =
    "{\"context\": {\"tags\": [\"a\", \"b\", \"a\"]}, \"event\": {\"type\": \"evt.x\"}}";

static const arvo__template *
compile(arvo__expr_set *set, arvo_arena *arena, const char *text)
{
    const arvo__template *tmpl = NULL;
    arvo_error err;
    const arvo_json *value = arvo_json_string(arena, arvo_str_from(text));
    assert_int_equal(
        arvo__template_compile(set, value, NULL, ARVO_STR("/x"), &tmpl, &err), ARVO_OK);
    return tmpl;
}

typedef struct shared {
    const arvo__expr_set *set;
    const arvo__template *native, *jq;
    int wrong;
} shared;

static void *
use_set(void *data)
{
    shared *s = data;
    arvo_arena *arena = arvo_arena_new(NULL);
    const arvo_json *scope = NULL, *value = NULL;
    arvo_error err;
    s->wrong = arvo_json_parse(arvo_str_from(scope_text), arena, &scope, &err) != ARVO_OK;
    const arvo_scope mine = { .context = arvo_json_get(scope, "context"),
                              .event = arvo_json_get(scope, "event"),
                              .arena = arena };
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    for (int i = 0; i < 200; i++) {
        arvo__evaluator *evaluator = arvo__evaluator_take(s->set);
        for (int j = 0; j < 2; j++) {
            const arvo__template *tmpl = j == 0 ? s->native : s->jq;
            value = NULL;
            s->wrong |=
                arvo__template_eval(tmpl, s->set, evaluator, &mine, &value, &err) != ARVO_OK;
            s->wrong |= arvo_json_int_or(value, -1) != 3;
        }
        arvo__evaluator_give(s->set, evaluator);
        arvo_arena_rewind(arena, mark);
    }
    arvo_arena_free(arena);
    return NULL;
}

static void
test_expr_threads__share_a_set(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo__expr_set *set = arvo__expr_set_new(NULL);
    assert_non_null(arena);
    assert_non_null(set);
    shared parts[4];
    pthread_t threads[ARVO_COUNT_OF(parts)];
    const arvo__template *native = compile(set, arena, "${ .context.tags | length }");
    const arvo__template *iterates = compile(set, arena, ITERATES);
    arvo_error err;
    assert_int_equal(arvo__expr_set_finish(set, &err), ARVO_OK);
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++) {
        parts[i] = (shared){ set, native, iterates, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, use_set, &parts[i]), 0);
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(parts[i].wrong, 0);
    }
    arvo__expr_set_free(set);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_threads__share_a_set),
    };
    return cmocka_run_group_tests_name("expr_threads", tests, NULL, NULL);
}
