/* Every example of docs/expressions.md, over the scope that the page shows. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine/expr.h"

static char page[64 * 1024];

static void
read_page(void)
{
    char path[1024];
    const char *root = getenv("ARVO_SOURCE_ROOT");
    assert_non_null(root);
    (void)snprintf(path, sizeof(path), "%s/docs/expressions.md", root);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t len = fread(page, 1, sizeof(page) - 1, file);
    (void)fclose(file);
    assert_true(len > 0 && len < sizeof(page) - 1);
    page[len] = '\0';
}

static arvo_scope
read_scope(arvo_arena *arena)
{
    const char *start = strstr(page, "```json\n");
    assert_non_null(start);
    start += 8;
    const char *end = strstr(start, "```");
    assert_non_null(end);
    const arvo_json *scope = NULL;
    arvo_error err;
    assert_int_equal(
        arvo_json_parse((arvo_str){ start, (size_t)(end - start) }, arena, &scope, &err), ARVO_OK);
    return (arvo_scope){ .context = arvo_json_get(scope, "context"),
                         .event = arvo_json_get(scope, "event"),
                         .input = arvo_json_get(scope, "input"),
                         .arena = arena };
}

/* "refused: ...", "fails: ..." or the value as JSON. */
static arvo_str
outcome(arvo_str text, const arvo_scope *scope)
{
    arvo_error err;
    const arvo__template *tmpl = NULL;
    const arvo_json *value = NULL;
    arvo_str said;
    arvo__expr_set *set = arvo__expr_set_new(NULL);
    assert_non_null(set);
    arvo_status st = arvo__template_compile(
        set, arvo_json_string(scope->arena, text), NULL, ARVO_STR("/x"), &tmpl, &err);
    if (st == ARVO_OK)
        st = arvo__expr_set_finish(set, &err);
    if (st != ARVO_OK) {
        said = arvo_arena_printf(scope->arena, "refused: %s", err.text);
    } else if (arvo__template_eval(tmpl, set, NULL, scope, &value, &err) != ARVO_OK) {
        said = arvo_arena_printf(scope->arena, "fails: %s", err.text);
    } else {
        arvo_buf json = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
        arvo_json_write(value, &json);
        said = arvo_arena_str_dup(scope->arena, arvo_buf_str(&json));
        arvo_buf_fini(&json);
    }
    arvo__expr_set_free(set);
    return said;
}

/* A value is told whole; of a message a part, after its first word. */
static bool
told(const char *said, const char *expected)
{
    static const char *const words[] = { "refused: ", "fails: " };
    for (size_t i = 0; i < ARVO_COUNT_OF(words); i++) {
        const size_t len = strlen(words[i]);
        if (strncmp(expected, words[i], len) == 0)
            return strncmp(said, words[i], len) == 0 && strstr(said, expected + len) != NULL;
    }
    return strcmp(said, expected) == 0;
}

static void
test_expr_docs__examples_are_true(void **state)
{
    (void)state;
    read_page();
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    const arvo_scope scope = read_scope(arena);
    size_t examples = 0;
    for (char *line = page, *end; line != NULL && *line != '\0'; line = end) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        char *arrow = strncmp(line, "${", 2) == 0 ? strstr(line, " => ") : NULL;
        if (arrow == NULL)
            continue;
        const char *expected = arrow + 4;
        while (arrow > line && arrow[-1] == ' ')
            arrow--;
        *arrow = '\0';
        const arvo_str said = outcome(arvo_str_from(line), &scope);
        if (!told(said.ptr, expected))
            fail_msg("%s\n  gives     %s\n  the page: %s", line, said.ptr, expected);
        examples++;
    }
    assert_true(examples > 40);
    arvo_arena_free(arena);
}

int
main(void)
{
#ifndef ARVO_HAVE_JQ
    printf("skipped: this library was built without jq\n");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_docs__examples_are_true),
    };
    return cmocka_run_group_tests_name("expr_docs", tests, NULL, NULL);
}
