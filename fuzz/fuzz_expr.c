/* Expressions: any program is refused with a line or compiles; the native ones give a value that
 * writes and reads back, or fail with a line. Programs that jq runs are compiled by nobody here: jq
 * has processes of its own for what it may do.
 *
 * Input: the program, then, after a NUL, the context as JSON (or not JSON: then null). */

#include <stdint.h>
#include <stdlib.h>

#include "machine/expr.h"
#include "machine/expr_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static void
check_line(const arvo_error *err)
{
    check(err->text[0] != '\0' && strchr(err->text, '\n') == NULL);
}

/* A value of the evaluator is one that the writer writes and the parser reads. (As text: what was a
 * double beyond 2^53 is an integer when read.) */
static void
check_value(const arvo_json *value, arvo_arena *arena)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf text_again = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    const arvo_json *again = NULL;
    arvo_error err;
    arvo_json_write(value, &text);
    check(text.status == ARVO_OK);
    check(arvo_json_parse(arvo_buf_str(&text), arena, &again, &err) == ARVO_OK);
    arvo_json_write(again, &text_again);
    check(arvo_str_equal(arvo_buf_str(&text), arvo_buf_str(&text_again)));
    arvo_buf_fini(&text);
    arvo_buf_fini(&text_again);
}

static void
evaluate(
    arvo__expr_set *set, const arvo__template *tmpl, const arvo_json *context, arvo_arena *arena)
{
    const arvo_scope scope = { .context = context, .event = context, .arena = arena };
    const arvo_json *value = NULL;
    arvo_error err;
    check(arvo__expr_set_finish(set, &err) == ARVO_OK); /* no jq in it */
    const arvo_status st = arvo__template_eval(tmpl, set, NULL, &scope, &value, &err);
    if (st == ARVO_OK) {
        check_value(value, arena);
    } else {
        check(st == ARVO_E_EXECUTION);
        check_line(&err);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    const size_t len = nul != NULL ? (size_t)(nul - text) : size;
    if (!arvo__utf8_is_valid((arvo_str){ text, len }))
        return 0; /* a JSON string is never so */

    arvo_arena *arena = arvo_arena_new(NULL);
    arvo__expr_set *set = arvo__expr_set_new(NULL);
    check(arena != NULL && set != NULL);
    const arvo_json *context = NULL;
    if (nul != NULL &&
        arvo_json_parse((arvo_str){ nul + 1, size - len - 1 }, arena, &context, NULL) != ARVO_OK)
        context = NULL;

    char *program = arvo_arena_alloc(arena, len + 3);
    check(program != NULL);
    memcpy(program, "${", 2);
    if (len > 0)
        memcpy(program + 2, text, len);
    program[len + 2] = '}';
    const arvo_json *value = arvo_json_string_ref(arena, (arvo_str){ program, len + 3 });

    const arvo__template *tmpl = NULL;
    arvo_error err;
    const arvo_status st = arvo__template_compile(set, value, NULL, ARVO_STR("/fuzz"), &tmpl, &err);
    if (st != ARVO_OK) {
        check(st == ARVO_E_INVALID || st == ARVO_E_UNSUPPORTED);
        check_line(&err);
    } else if (arvo__expr_set_jq_count(set) == 0) {
        evaluate(set, tmpl, context, arena);
    }
    arvo__expr_set_free(set);
    arvo_arena_free(arena);
    return 0;
}
