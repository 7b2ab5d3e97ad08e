/* Documents: JSON and YAML files as values that know their lines. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <arvo/document.h>

#include "base/internal.h"

static arvo_arena *arena;

static int
setup(void **state)
{
    (void)state;
    arena = arvo_arena_new(NULL);
    return arena != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    arvo_arena_free(arena);
    return 0;
}

static arvo_document_list
parse(const char *file, const char *text)
{
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    const arvo_status st =
        arvo_document_parse(arvo_str_from(file), arvo_str_from(text), arena, &list, &err);
    if (st != ARVO_OK)
        fail_msg("%s", err.text);
    return list;
}

static const char *
compact(const arvo_json *value)
{
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &buf);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
    arvo_buf_fini(&buf);
    return copy.ptr;
}

/* One YAML document as compact JSON. */
static const char *
yaml(const char *text)
{
    const arvo_document_list list = parse("t.yaml", text);
    assert_int_equal(list.count, 1);
    assert_true(list.items[0].is_yaml);
    return compact(list.items[0].root);
}

static void
refused(const char *file, const char *text, arvo_status status, const char *message)
{
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    const size_t used = arvo_arena_used(arena);
    const arvo_status st =
        arvo_document_parse(arvo_str_from(file), arvo_str_from(text), arena, &list, &err);
    if (st != status || strstr(err.text, message) == NULL)
        fail_msg("%s\ngave %s: %s\nnot %s", text, arvo_status_name(st), err.text, message);
    assert_int_equal(err.status, status);
    assert_int_equal(list.count, 0);
    assert_int_equal(arvo_arena_used(arena), used);
}

/* ---- The core schema ------------------------------------------------------ */

static void
test_document__core_schema(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        { "on", "\"on\"" },
        { "no", "\"no\"" },
        { "yes", "\"yes\"" },
        { "Off", "\"Off\"" },
        { "y", "\"y\"" },
        { "null", "null" },
        { "Null", "null" },
        { "NULL", "null" },
        { "~", "null" },
        { "nULL", "\"nULL\"" },
        { "true", "true" },
        { "True", "true" },
        { "TRUE", "true" },
        { "false", "false" },
        { "False", "false" },
        { "FALSE", "false" },
        { "tRUE", "\"tRUE\"" },
        { "0", "0" },
        { "12", "12" },
        { "-12", "-12" },
        { "+12", "12" },
        { "007", "7" },
        { "-007", "-7" },
        { "0o17", "15" },
        { "0o18", "\"0o18\"" },
        { "0x1F", "31" },
        { "0xg", "\"0xg\"" },
        { "-0x1F", "\"-0x1F\"" },
        { "0x7fffffffffffffff", "9223372036854775807" },
        { "0b11", "\"0b11\"" },
        { "1_000", "\"1_000\"" },
        { "12:30:45", "\"12:30:45\"" },
        { "2001-12-14", "\"2001-12-14\"" },
        { "1.5", "1.5" },
        { ".5", "0.5" },
        { "-.5", "-0.5" },
        { "5.", "5" },
        { "5.e3", "5000" },
        { "1e3", "1000" },
        { "1E+3", "1000" },
        { "01.50", "1.5" },
        { "1e", "\"1e\"" },
        { ".", "\".\"" },
        { "-", "[null]" },
        { "+", "\"+\"" },
        { "e3", "\"e3\"" },
        { ".e3", "\".e3\"" },
        { "1.0.0", "\"1.0.0\"" },
        { "9223372036854775807", "9223372036854775807" },
        { "\"12\"", "\"12\"" },
        { "'true'", "\"true\"" },
        { "''", "\"\"" },
        { "|\n  a\n  b\n", "\"a\\nb\\n\"" },
        { ">\n  a\n  b\n", "\"a b\\n\"" },
        { "!!str 12", "\"12\"" },
        { "!!int 12", "12" },
        { "!!float 12", "12" },
        { "!!bool true", "true" },
        { "!!null ~", "null" },
        { "! 12", "\"12\"" },
        { "&a ! 12", "\"12\"" },
        { "!!map {a: 1}", "{\"a\":1}" },
        { "!!seq [1]", "[1]" },
        { "{a: , b: ~}", "{\"a\":null,\"b\":null}" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const char *const json = yaml(cases[i].yaml);
        if (strcmp(json, cases[i].json) != 0)
            fail_msg("%s is %s, not %s", cases[i].yaml, json, cases[i].json);
    }
}

static void
test_document__keys_that_look_like_words_are_strings(void **state)
{
    (void)state;
    assert_string_equal(
        yaml("on:\n  yes: no\n1.0.0: {x: [a, b]}\n"),
        "{\"on\":{\"yes\":\"no\"},\"1.0.0\":{\"x\":[\"a\",\"b\"]}}");
}

static void
test_document__refused_yaml(void **state)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        { ".inf", "t.yaml:1:1: .inf has no JSON form" },
        { "a: -.INF", "t.yaml:1:4: -.INF has no JSON form" },
        { ".nan", "has no JSON form" },
        { "1e999", "not a number that a double can hold" },
        { "0x8000000000000000", "does not fit 64 bits" },
        { "a: 1\nb: 2\na: 3\n", "t.yaml:3:1: the key \"a\" is given twice" },
        { "{a: 1, 'a': 2}", "is given twice" },
        { "1: x", "t.yaml:1:1: a key must be a string; quote it" },
        { "true: x", "a key must be a string; quote it" },
        { "~: x", "a key must be a string" },
        { "?\n: x", "a key must be a string" },
        { "? [a]\n: x", "a key must be a string" },
        { "? {a: b}\n: x", "a key must be a string" },
        { "base: &b {x: 1}\nd:\n  <<: *b\n", "t.yaml:3:3: merge keys (<<) are not supported" },
        { "!!binary aGk=", "the tag tag:yaml.org,2002:binary is not one of the core schema" },
        { "!mine 1", "the tag !mine is not one of the core schema" },
        { "!!set {a}", "not one of the core schema" },
        { "!!str [a]", "not one of the core schema" },
        { "!!int abc", "the value is not a !!int" },
        { "!!bool 1", "the value is not a !!bool" },
        { "a: *b", "t.yaml:1:4: no anchor &b before this alias" },
        { "a: &x [1, *x]", "t.yaml:1:11: the alias *x lies inside what it stands for" },
        { "a: &x {b: {c: *x}}", "the alias *x lies inside what it stands for" },
        { "a: &x 1\n---\nb: *x\n", "t.yaml:3:4: no anchor &x" },
        { "a: [1, 2", "t.yaml:1:9: " },
        { "a: b: c", "t.yaml:1:5: " },
        { "\ta: 1", "t.yaml:1:1: " },
        { "a: \"\\x\"", "t.yaml:1:" },
        { "a: '\x01'", "t.yaml:1:5: control characters are not allowed" },
        { "%YAML 3.0\n---\na", "t.yaml:1:1: " },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        refused("t.yaml", cases[i].yaml, ARVO_E_MALFORMED, cases[i].message);
}

static void
test_document__columns_count_bytes(void **state)
{
    (void)state;
    /* Two bytes and one code point before the wrong value. */
    refused("t.yaml", "{\"\xc3\xa9\": .nan}", ARVO_E_MALFORMED, "t.yaml:1:8: .nan");
    refused("t.yaml", "a: \"\xc3\xa9\"\r\nb: .nan", ARVO_E_MALFORMED, "t.yaml:2:4: .nan");
}

/* ---- Anchors -------------------------------------------------------------- */

static void
test_document__aliases(void **state)
{
    (void)state;
    assert_string_equal(
        yaml("a: &x {k: 1}\nb: *x\nc: [*x, &x 2, *x]\n"),
        "{\"a\":{\"k\":1},\"b\":{\"k\":1},\"c\":[{\"k\":1},2,2]}");
    assert_string_equal(yaml("&k name: v\nkey: *k\n"), "{\"name\":\"v\",\"key\":\"name\"}");
}

static void
test_document__alias_bomb_is_bounded(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_buf_printf(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 30; i++)
        arvo_buf_printf(
            &text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
            i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    arvo_buf_append_char(&text, '\0');
    refused("bomb.yaml", text.ptr, ARVO_E_TOO_BIG, "counting aliases as copies");
    arvo_buf_fini(&text);
}

static void
test_document__depth_is_bounded_through_aliases(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_buf_printf(&text, "a: &a ");
    for (int i = 0; i < 200; i++)
        arvo_buf_append_char(&text, '[');
    for (int i = 0; i < 200; i++)
        arvo_buf_append_char(&text, ']');
    arvo_buf_printf(&text, "\nb: ");
    for (int i = 0; i < 100; i++)
        arvo_buf_append_char(&text, '[');
    arvo_buf_printf(&text, "*a");
    for (int i = 0; i < 100; i++)
        arvo_buf_append_char(&text, ']');
    arvo_buf_append_char(&text, '\0');
    refused("deep.yaml", text.ptr, ARVO_E_TOO_BIG, "nested deeper than 256");
    arvo_buf_fini(&text);
}

static void
test_document__depth_is_bounded(void **state)
{
    (void)state;
    for (unsigned depth = 255; depth <= 258; depth++) {
        arvo_buf text = ARVO_BUF_INIT(1 << 20);
        for (unsigned i = 0; i < depth; i++)
            arvo_buf_append_char(&text, '[');
        for (unsigned i = 0; i < depth; i++)
            arvo_buf_append_char(&text, ']');
        arvo_buf_append_char(&text, '\0');
        if (depth <= ARVO_JSON_DEPTH_MAX) {
            (void)parse("deep.yaml", text.ptr);
            (void)parse("deep.json", text.ptr);
        } else {
            refused("deep.yaml", text.ptr, ARVO_E_TOO_BIG, "deep.yaml:1:257: nested deeper");
            refused("deep.json", text.ptr, ARVO_E_TOO_BIG, "deep.json:1:");
        }
        arvo_buf_fini(&text);
    }
}

/* ---- Files, streams ------------------------------------------------------- */

static void
test_document__stream(void **state)
{
    (void)state;
    const arvo_document_list list = parse(
        "s.yml", "# first\n---\n# nothing\n---\nkind: a\n---\n\n- 1\n- 2\n...\n---\n~\n---\n");
    assert_int_equal(list.count, 3);
    assert_string_equal(compact(list.items[0].root), "{\"kind\":\"a\"}");
    assert_string_equal(compact(list.items[1].root), "[1,2]");
    assert_string_equal(compact(list.items[2].root), "null");
    assert_int_equal(list.items[0].first_line, 5);
    assert_int_equal(list.items[1].first_line, 8);
    assert_int_equal(list.items[1].index, 1);
    assert_int_equal(arvo_document_line(&list.items[0], ARVO_STR("/kind")), 5);
    assert_int_equal(arvo_document_line(&list.items[1], ARVO_STR("/1")), 9);
    assert_int_equal(parse("empty.yaml", "# nothing\n").count, 0);
    assert_int_equal(parse("empty.yaml", "").count, 0);
}

static void
test_document__too_many_documents(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    for (size_t i = 0; i <= ARVO_DOCUMENTS_PER_FILE_MAX; i++)
        arvo_buf_printf(&text, "--- a\n");
    arvo_buf_append_char(&text, '\0');
    refused("many.yaml", text.ptr, ARVO_E_TOO_BIG, "many.yaml:10001:");
    arvo_buf_fini(&text);
}

static void
test_document__kind_of_text(void **state)
{
    (void)state;
    assert_false(parse("a.json", "{\"a\":1}").items[0].is_yaml);
    assert_true(parse("a.yaml", "{\"a\":1}").items[0].is_yaml);
    assert_false(parse("-", " \n {\"a\":1}").items[0].is_yaml);
    assert_false(parse("-", "[1]").items[0].is_yaml);
    assert_true(parse("-", "a: 1").items[0].is_yaml);
    assert_int_equal(parse("-", " \n {\"a\":1}").items[0].first_line, 2);
    refused("a.json", "a: 1", ARVO_E_MALFORMED, "a.json:1:1: ");
    refused("a.json", "", ARVO_E_MALFORMED, "a.json:1:1: expected a value");
    refused("a.json", "{\n  \"a\": tru\n}", ARVO_E_MALFORMED, "a.json:2:");
}

static void
test_document__byte_order_mark(void **state)
{
    (void)state;
    assert_string_equal(
        yaml("\xEF\xBB\xBF"
             "a: 1"),
        "{\"a\":1}");
    refused(
        "t.yaml",
        "\xEF\xBB\xBF"
        "a: .nan",
        ARVO_E_MALFORMED, "t.yaml:1:4: ");
}

static void
test_document__not_utf8(void **state)
{
    (void)state;
    refused("t.yaml", "a: 1\nb: \xff\n", ARVO_E_MALFORMED, "t.yaml:2:4: not UTF-8 (byte 0xff)");
    refused("t.json", "\"\xc0\x80\"", ARVO_E_MALFORMED, "t.json:1:2: not UTF-8");
    refused(
        "t.yaml",
        "\xff\xfe"
        "a",
        ARVO_E_MALFORMED, "t.yaml:1:1: not UTF-8");
}

static void
test_document__nul_bytes(void **state)
{
    (void)state;
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    const arvo_str text = { "a: 1\0b", 6 };
    assert_int_equal(
        arvo_document_parse(ARVO_STR("n.yaml"), text, arena, &list, &err), ARVO_E_MALFORMED);
    assert_non_null(strstr(err.text, "n.yaml:1:5: "));
    assert_int_equal(
        arvo_document_parse(ARVO_STR("n.json"), text, arena, &list, NULL), ARVO_E_MALFORMED);
}

static void
test_document__too_big(void **state)
{
    (void)state;
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    char *const text = malloc(ARVO_DOCUMENT_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', ARVO_DOCUMENT_BYTES_MAX + 1);
    text[0] = '1';
    assert_int_equal(
        arvo_document_parse(
            ARVO_STR("b.json"), (arvo_str){ text, ARVO_DOCUMENT_BYTES_MAX + 1 }, arena, &list,
            &err),
        ARVO_E_TOO_BIG);
    assert_string_equal(err.text, "b.json:1:1: larger than 16777216 bytes");
    assert_int_equal(
        arvo_document_parse(
            ARVO_STR("b.json"), (arvo_str){ text, ARVO_DOCUMENT_BYTES_MAX }, arena, &list, &err),
        ARVO_OK);
    free(text);
}

static void
test_document__refers_to_nothing_outside(void **state)
{
    (void)state;
    char file[] = "x.yaml";
    char text[] = "key: value";
    arvo_document_list list = { 0 };
    assert_int_equal(
        arvo_document_parse(arvo_str_from(file), arvo_str_from(text), arena, &list, NULL), ARVO_OK);
    memset(file, '?', sizeof(file) - 1);
    memset(text, '?', sizeof(text) - 1);
    assert_true(arvo_str_is(list.items[0].file, "x.yaml"));
    assert_true(arvo_str_is(list.items[0].text, "key: value"));
    assert_string_equal(compact(list.items[0].root), "{\"key\":\"value\"}");
}

/* ---- Loading -------------------------------------------------------------- */

static void
file_write(const char *path, const char *text)
{
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void
test_document__load(void **state)
{
    (void)state;
    char folder[] = "/tmp/arvo-document-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/a.yaml", folder);
    file_write(path, "a: 1\n---\nb: 2\n");
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    assert_int_equal(arvo_document_load(path, arena, &list, &err), ARVO_OK);
    assert_int_equal(list.count, 2);
    assert_true(arvo_str_is(list.items[1].file, path));

    file_write(path, "a: [\n");
    assert_int_equal(arvo_document_load(path, arena, &list, &err), ARVO_E_MALFORMED);
    assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(arvo_document_load(path, arena, &list, &err), ARVO_E_IO);
    assert_non_null(strstr(err.text, "a.yaml: cannot be opened: No such file or directory"));
    assert_int_equal(arvo_document_load(folder, arena, &list, &err), ARVO_E_IO);
    assert_non_null(strstr(err.text, "is a directory"));
    assert_int_equal(rmdir(folder), 0);
}

/* ---- Places --------------------------------------------------------------- */

static void
test_document__line_of_json(void **state)
{
    (void)state;
    const arvo_document_list list =
        parse("l.json", "\n{\n  \"a\": {\n    \"b/c\": [\n      1,\n      2\n    ]\n  }\n}\n");
    const arvo_document *const document = &list.items[0];
    assert_int_equal(document->first_line, 2);
    assert_int_equal(arvo_document_line(document, ARVO_STR("")), 2);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/a")), 3);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/a/b~1c/1")), 6);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/a/b~1c/7/x")), 4);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/z")), 2);
    assert_int_equal(arvo_document_line(document, ARVO_STR("nonsense")), 2);
}

static void
test_document__line_of_yaml(void **state)
{
    (void)state;
    const arvo_document_list list = parse(
        "l.yaml", "x: &x\n  - p\n  - {q: 1}\n---\na:\n  b/c: [1,\n    2]\n  t~d:\n    - - k\n"
                  "      - l\nz: 1\n");
    const arvo_document *const first = &list.items[0];
    const arvo_document *const document = &list.items[1];
    assert_int_equal(arvo_document_line(first, ARVO_STR("/x/1/q")), 3);
    assert_int_equal(arvo_document_line(document, ARVO_STR("")), 5);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/a/b~1c")), 6);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/a/b~1c/1")), 7);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/a/b~1c/9")), 6);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/a/t~0d/0/1")), 10);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/z")), 11);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/z/deeper")), 11);
    assert_int_equal(arvo_document_line(document, ARVO_STR("/nothing")), 5);
}

static void
test_document__error(void **state)
{
    (void)state;
    const arvo_document_list list = parse("e.yaml", "a:\n  b: 1\n");
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_document_error(
            &list.items[0], ARVO_STR("/a/b"), &err, ARVO_E_INVALID, "must be %s", "a string"),
        ARVO_E_INVALID);
    assert_string_equal(err.text, "e.yaml:2: /a/b: must be a string");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.status, ARVO_E_INVALID);
    (void)arvo_document_error(&list.items[0], ARVO_STR(""), &err, ARVO_E_INVALID, "empty");
    assert_string_equal(err.text, "e.yaml:1: empty");
    (void)arvo_document_error(NULL, ARVO_STR("/a"), &err, ARVO_E_EXISTS, "twice");
    assert_string_equal(err.text, "/a: twice");
    assert_int_equal(
        arvo_document_error(NULL, ARVO_STR("/a"), NULL, ARVO_E_EXISTS, "twice"), ARVO_E_EXISTS);

    char pointer[1000];
    memset(pointer, 'p', sizeof(pointer));
    pointer[0] = '/';
    (void)arvo_document_error(
        NULL, (arvo_str){ pointer, sizeof(pointer) }, &err, ARVO_E_INVALID, "wrong");
    assert_non_null(strstr(err.text, "ppp...: wrong"));
}

/* ---- Memory --------------------------------------------------------------- */

typedef struct failing {
    size_t left; /* allocations before one fails */
    size_t live;
} failing;

static void *
failing_alloc(void *self, size_t size)
{
    failing *const f = self;
    if (f->left == 0)
        return NULL;
    f->left--;
    f->live++;
    return malloc(size);
}

static void
failing_free(void *self, void *ptr, size_t size)
{
    failing *const f = self;
    (void)size;
    if (ptr != NULL)
        f->live--;
    free(ptr);
}

static void
test_document__out_of_memory(void **state)
{
    (void)state;
    static const char text[] = "a: &x [1, 2.5, true, ~, word]\nb: *x\n---\nc: {d: &y 1, e: *y}\n";
    bool done = false;
    for (size_t n = 1; !done; n++) {
        failing f = { .left = n };
        const arvo_allocator allocator = { failing_alloc, failing_free, &f };
        arvo_arena *const small =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 64 });
        arvo_document_list list = { 0 };
        arvo_error err = { 0 };
        arvo_status st = ARVO_E_NOMEM;
        if (small != NULL)
            st = arvo_document_parse(ARVO_STR("m.yaml"), arvo_str_from(text), small, &list, &err);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        if (st == ARVO_OK)
            assert_int_equal(list.count, 2);
        else
            assert_int_equal(list.count, 0);
        done = st == ARVO_OK;
        arvo_arena_free(small);
        assert_int_equal(f.live, 0);
        assert_true(n < 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_document__core_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_document__keys_that_look_like_words_are_strings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__refused_yaml, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__columns_count_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__aliases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__alias_bomb_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_document__depth_is_bounded_through_aliases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__depth_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__too_many_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__kind_of_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__byte_order_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__not_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__nul_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__too_big, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__refers_to_nothing_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__load, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__line_of_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__line_of_yaml, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document__out_of_memory, setup, teardown),
    };
    return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
