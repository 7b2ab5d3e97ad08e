/* Resources, anchors, other documents, drafts and vocabularies, and what is only warned about. */

#include "schema_helpers.h"

#include <sys/stat.h>
#include <unistd.h>

#define META_2020 "https://json-schema.org/draft/2020-12/schema"
#define META_7    "http://json-schema.org/draft-07/schema#"

/* Documents by their URI, in pairs; a NULL ends them. */
typedef struct shelf {
    const char *const *documents;
    size_t asked;
} shelf;

static arvo_status
shelf_find(void *self, arvo_str uri, const arvo_json **out, arvo_error *err)
{
    shelf *const s = self;
    s->asked++;
    if (arvo_str_is(uri, "http://broken.example/"))
        return arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "the shelf broke");
    for (const char *const *d = s->documents; d != NULL && *d != NULL; d += 2) {
        if (!arvo_str_is(uri, d[0]))
            continue;
        *out = json(d[1]);
        return ARVO_OK;
    }
    return ARVO_E_NOT_FOUND;
}

static arvo_schema *
compile_with(const char *text, const char *const *documents)
{
    shelf s = { .documents = documents };
    const arvo_schema_opts opts = { .find = shelf_find, .find_self = &s };
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(json(text), &opts, &schema, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return schema;
}

static void
says(const arvo_schema *schema, const char *value, bool valid)
{
    arvo_error err = { 0 };
    const arvo_status st = arvo_schema_check(schema, json(value), arena, NULL, &err);
    if (st != (valid ? ARVO_OK : ARVO_E_INVALID))
        fail_msg("%s gave %s: %s", value, arvo_status_name(st), err.text);
}

static void
test_schema_refs__documents(void **state)
{
    static const char *const documents[] = {
        "http://a.example/d/one.json",
        "{'properties':{'n':{'$ref':'two.json#/$defs/n'}},'required':['n']}",
        "http://a.example/d/two.json",
        "{'$id':'http://b.example/two','$defs':{'n':{'$ref':'#count'},"
        "'c':{'$anchor':'count','type':'integer'}}}",
        NULL,
    };
    (void)state;
    arvo_schema *const schema =
        compile_with("{'$id':'http://a.example/root.json','$ref':'d/one.json'}", documents);
    says(schema, "{'n':1}", true);
    says(schema, "{'n':'1'}", false);
    says(schema, "{}", false);

    arvo_schema_report report = { 0 };
    assert_int_equal(
        arvo_schema_check(schema, json("{'n':'1'}"), arena, &report, NULL), ARVO_E_INVALID);
    assert_int_equal(report.count, 1);
    const arvo_schema_issue *const issue = &report.issues[0];
    assert_true(arvo_str_is(issue->path, "/n"));
    assert_true(arvo_str_is(issue->schema, "http://a.example/d/two.json#/$defs/c/type"));
    assert_true(arvo_str_is(issue->location, "/$ref/properties/n/$ref/$ref/type"));
    assert_true(arvo_str_is(issue->absolute, "http://b.example/two#/$defs/c/type"));
    arvo_schema_free(schema);
}

/* The same document under the URI it was found at and under its own name is one. */
static void
test_schema_refs__a_document_has_two_names(void **state)
{
    static const char *const documents[] = {
        "http://a.example/here",
        "{'$id':'http://a.example/there','type':'string'}",
        "http://a.example/there",
        "{'$id':'http://a.example/there','type':'string'}",
        NULL,
    };
    (void)state;
    arvo_schema *schema = compile_with(
        "{'items':{'$ref':'http://a.example/here'},'contains':{'$ref':'http://a.example/there'}}",
        documents);
    says(schema, "['a']", true);
    says(schema, "[1]", false);
    arvo_schema_free(schema);
    schema = compile_with(
        "{'prefixItems':[{'$ref':'http://a.example/there'},{'$ref':'http://a.example/here'}]}",
        documents);
    says(schema, "['a','b']", true);
    says(schema, "['a',1]", false);
    arvo_schema_free(schema);
}

static void
test_schema_refs__embedded(void **state)
{
    (void)state;
    arvo_schema *schema = compile_with(
        "{'$id':'http://a.example/x/root','$ref':'item#leaf','$defs':{'i':{'$id':'item',"
        "'$defs':{'l':{'$anchor':'leaf','const':1}}}}}",
        NULL);
    says(schema, "1", true);
    says(schema, "2", false);
    arvo_schema_free(schema);

    /* Through a place that no keyword knows, and through one that has an $id there. */
    schema = compile_with(
        "{'$ref':'#/x-parts/a','x-parts':{'a':{'$id':'http://p.example/','$ref':'#/x-parts/b',"
        "'x-parts':{'b':{'const':2}}}}}",
        NULL);
    says(schema, "2", true);
    says(schema, "1", false);
    arvo_schema_free(schema);
}

/* Only what is asked for is looked up, each URI once. */
static void
test_schema_refs__asks_once(void **state)
{
    static const char *const documents[] = { "http://a.example/s", "{'type':'string'}", NULL };
    (void)state;
    shelf s = { .documents = documents };
    const arvo_schema_opts opts = { .find = shelf_find, .find_self = &s };
    arvo_schema *schema = NULL;
    const arvo_json *const text =
        json("{'items':{'$ref':'http://a.example/s'},'not':{'$ref':'http://a.example/s#'},"
             "'contains':{'$ref':'" META_2020 "'}}");
    assert_int_equal(arvo_schema_compile(text, &opts, &schema, NULL), ARVO_OK);
    assert_int_equal(s.asked, 1);
    arvo_schema_free(schema);
}

static void
test_schema_refs__refused_documents(void **state)
{
    static const char *const documents[] = {
        "http://a.example/bad",
        "{'items':{'type':'text'}}",
        "http://a.example/no",
        "[]",
        "http://a.example/old",
        "{'$schema':'http://json-schema.org/draft-04/schema#'}",
        "http://a.example/gap",
        "{'items':{'$ref':'gone'}}",
        NULL,
    };
    static const struct {
        const char *schema;
        arvo_status status;
        const char *message;
    } cases[] = {
        { "{'$ref':'http://a.example/bad'}", ARVO_E_INVALID,
          "http://a.example/bad#/items/type: \"text\" is not a type" },
        { "{'$ref':'http://a.example/no'}", ARVO_E_INVALID,
          "http://a.example/no#: must be a schema" },
        { "{'$ref':'http://a.example/old'}", ARVO_E_UNSUPPORTED,
          "http://a.example/old#/$schema: \"http://json-schema.org/draft-04/schema#\" is not" },
        { "{'$ref':'http://a.example/gap'}", ARVO_E_NOT_FOUND,
          "http://a.example/gap#/items/$ref: \"gone\" means \"http://a.example/gone\"" },
        { "{'$ref':'http://broken.example/'}", ARVO_E_IO, "the shelf broke" },
        { "{'$schema':'http://broken.example/'}", ARVO_E_IO, "the shelf broke" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        shelf s = { .documents = documents };
        const arvo_schema_opts opts = { .find = shelf_find, .find_self = &s };
        arvo_schema *schema = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_schema_compile(json(cases[i].schema), &opts, &schema, &err);
        if (st != cases[i].status || strstr(err.text, cases[i].message) == NULL)
            fail_msg("%s gave %s: %s", cases[i].schema, arvo_status_name(st), err.text);
        assert_null(schema);
    }
}

static void
test_schema_refs__drafts(void **state)
{
    static const char *const documents[] = { "http://a.example/old",
                                             "{'$schema':'" META_7 "','items':[{'type':'string'}]}",
                                             NULL };
    (void)state;
    const arvo_schema_opts opts = { .draft = ARVO_SCHEMA_DRAFT_7 };
    arvo_schema *schema = NULL;
    const arvo_json *const tuple = json("{'items':[{'type':'string'}],'additionalItems':false}");
    assert_int_equal(arvo_schema_compile(tuple, NULL, &schema, NULL), ARVO_E_INVALID);
    assert_int_equal(arvo_schema_compile(tuple, &opts, &schema, NULL), ARVO_OK);
    says(schema, "['a']", true);
    says(schema, "['a','b']", false);
    arvo_schema_free(schema);

    /* A document that says so is of another draft than the one that refers to it. */
    schema = compile_with("{'$ref':'http://a.example/old','minItems':1}", documents);
    says(schema, "['a']", true);
    says(schema, "[1]", false);
    says(schema, "[]", false);
    arvo_schema_free(schema);

    /* A keyword of the other draft is not there, wherever it stands. */
    schema = compile_with(
        "{'$schema':'" META_7 "','prefixItems':[false],'items':{'type':'integer'}}", NULL);
    says(schema, "[1]", true);
    says(schema, "['a']", false);
    assert_int_equal(arvo_schema_warning_count(schema), 1);
    arvo_schema_free(schema);
}

static void
test_schema_refs__vocabularies(void **state)
{
#define VOCABULARY "https://json-schema.org/draft/2020-12/vocab/"
    static const char *const documents[] = {
        "http://a.example/apply",
        "{'$schema':'" META_2020 "','$vocabulary':{'" VOCABULARY "core':true,'" VOCABULARY
        "applicator':true,'http://a.example/own':false}}",
        "http://a.example/formats",
        "{'$schema':'" META_2020 "','$vocabulary':{'" VOCABULARY "core':true,'" VOCABULARY
        "format-assertion':true}}",
        "http://a.example/strange",
        "{'$schema':'" META_2020 "','$vocabulary':{'http://a.example/own':true}}",
        NULL,
    };
    (void)state;
    arvo_schema *schema = compile_with(
        "{'$schema':'http://a.example/apply','required':['a'],'properties':{'a':false}}",
        documents);
    says(schema, "{}", true);
    says(schema, "{'a':1}", false);
    assert_int_equal(arvo_schema_warning_count(schema), 1);
    arvo_schema_free(schema);

    schema = compile_with("{'$schema':'http://a.example/formats','format':'date'}", documents);
    says(schema, "'2024-02-29'", true);
    says(schema, "'2023-02-29'", false);
    arvo_schema_free(schema);

    shelf s = { .documents = documents };
    const arvo_schema_opts opts = { .find = shelf_find, .find_self = &s };
    arvo_error err = { 0 };
    schema = NULL;
    assert_int_equal(
        arvo_schema_compile(json("{'$schema':'http://a.example/strange'}"), &opts, &schema, &err),
        ARVO_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "needs the vocabulary \"http://a.example/own\""));
}

static void
test_schema_refs__metaschemas(void **state)
{
    static const struct {
        const char *value;
        bool valid, valid_7;
    } cases[] = {
        { "true", true, true },
        { "1", false, false },
        { "{'type':'string','minLength':1,'x':1}", true, true },
        { "{'type':'text'}", false, false },
        { "{'properties':{'a':{'items':{'minLength':-1}}}}", false, false },
        { "{'allOf':[]}", false, false },
        { "{'required':['a','a']}", false, false },
        { "{'items':[{}]}", false, true },
        { "{'prefixItems':[]}", false, true },
        { "{'$anchor':'1'}", false, true },
        { "{'dependencies':{'a':1}}", false, false },
        { "{'definitions':{'a':1}}", false, false },
        { "{'$vocabulary':{'http://a.example/':1}}", false, true },
        { "{'unevaluatedItems':1}", false, true },
        { "{'contentSchema':1}", false, true },
        { "{'format':1}", false, false },
    };
    (void)state;
    arvo_schema *const schema = compile_with("{'$ref':'" META_2020 "'}", NULL);
    arvo_schema *const schema_7 = compile_with("{'$ref':'" META_7 "'}", NULL);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        says(schema, cases[i].value, cases[i].valid);
        says(schema_7, cases[i].value, cases[i].valid_7);
    }
    arvo_schema_free(schema_7);
    arvo_schema_free(schema);
    arvo_schema *const part = compile_with(
        "{'$ref':'https://json-schema.org/draft/2020-12/meta/validation#/$defs/stringArray'}",
        NULL);
    says(part, "['a']", true);
    says(part, "[1]", false);
    arvo_schema_free(part);
}

/* A tree whose nodes are what the outermost schema says. */
static void
test_schema_refs__dynamic(void **state)
{
    static const char *const documents[] = {
        "http://a.example/tree",
        "{'$dynamicAnchor':'node','properties':{'kids':{'items':{'$dynamicRef':'#node'}}}}",
        NULL,
    };
    (void)state;
    arvo_schema *schema = compile_with(
        "{'$id':'http://a.example/strict','$dynamicAnchor':'node','$ref':'tree',"
        "'unevaluatedProperties':false}",
        documents);
    says(schema, "{'kids':[{'kids':[]}]}", true);
    says(schema, "{'kids':[{'kidz':[]}]}", false);
    const arvo_json *out = NULL;
    assert_int_equal(
        arvo_schema_normalise(schema, json("{'kids':[{'kids':[]}]}"), arena, &out, NULL), ARVO_OK);
    assert_string_equal(text_of(out), "{'kids':[{'kids':[]}]}");
    arvo_schema_free(schema);

    /* Round and round over one value: found out while checking. */
    schema = compile_with("{'$dynamicAnchor':'a','allOf':[{'$dynamicRef':'#a'}]}", NULL);
    arvo_error err = { 0 };
    assert_int_equal(arvo_schema_check(schema, json("1"), arena, NULL, &err), ARVO_E_TOO_BIG);
    assert_non_null(strstr(err.text, "too many references over one value"));
    arvo_schema_free(schema);
}

static void
test_schema_refs__warnings(void **state)
{
    static const struct {
        const char *schema;
        const char *warning; /* NULL: none */
    } cases[] = {
        { "{'properties':{'a':{'items':{'typo':1}}}}",
          "/properties/a/items: the keyword \"typo\" is not known in 2020-12 and does nothing; did "
          "you mean \"type\"?" },
        { "{'requird':[]}", "did you mean \"required\"?" },
        { "{'dependencies':{}}", "the keyword \"dependencies\" is not known in 2020-12 and does" },
        { "{'$schema':'" META_7 "','prefixItems':[]}", "not known in draft-07 and does nothing" },
        { "{'nullable':true}", "the keyword \"nullable\" is not known" },
        { "{'x-note':true}", NULL },
        { "{'properties':{'typo':true}}", NULL },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_schema *const schema = compile_with(cases[i].schema, NULL);
        const size_t count = arvo_schema_warning_count(schema);
        const arvo_str text = arvo_schema_warning_at(schema, 0);
        assert_int_equal(count, cases[i].warning != NULL);
        if (count > 0 && strstr(text.ptr, cases[i].warning) == NULL)
            fail_msg("%s warned: %s", cases[i].schema, text.ptr);
        assert_null(arvo_schema_warning_at(schema, count).ptr);
        arvo_schema_free(schema);
    }
    arvo_json *const many = arvo_json_object_new(arena);
    for (unsigned i = 0; i < 2 * ARVO_SCHEMA_WARNINGS_MAX; i++)
        arvo_json_set(arena, many, arvo_arena_printf(arena, "unknown-%u", i), arvo_json_bool(true));
    arvo_schema *schema = NULL;
    assert_int_equal(arvo_schema_compile(many, NULL, &schema, NULL), ARVO_OK);
    assert_int_equal(arvo_schema_warning_count(schema), ARVO_SCHEMA_WARNINGS_MAX);
    arvo_schema_free(schema);
    assert_int_equal(arvo_schema_warning_count(NULL), 0);
}

/* ---- Mapped folders ---- */

static void
file_write(const char *path, const char *text)
{
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
test_schema_refs__remotes(void **state)
{
    (void)state;
    char root[] = "/tmp/arvo-remotes-XXXXXX";
    assert_non_null(mkdtemp(root));
    const char *const inner = arvo_arena_printf(arena, "%s/in", root).ptr;
    const char *const outside = arvo_arena_printf(arena, "%s/out.json", root).ptr;
    const char *const file = arvo_arena_printf(arena, "%s/a b.json", inner).ptr;
    const char *const broken = arvo_arena_printf(arena, "%s/broken.json", inner).ptr;
    assert_int_equal(mkdir(inner, 0700), 0);
    file_write(outside, "{}");
    file_write(file, "{\"type\":\"string\"}");
    file_write(broken, "{");

    arvo_schema_remotes *const remotes = arvo_schema_remotes_new(NULL);
    arvo_error err = { 0 };
    assert_non_null(remotes);
    assert_int_equal(
        arvo_schema_remotes_map(remotes, arvo_str_from(inner), ARVO_STR("no-url"), &err),
        ARVO_E_INVALID);
    assert_int_equal(
        arvo_schema_remotes_map(
            remotes, arvo_str_from(outside), ARVO_STR("http://a.example"), &err),
        ARVO_E_IO);
    assert_non_null(strstr(err.text, "no such folder"));
    assert_int_equal(
        arvo_schema_remotes_map(
            remotes, arvo_str_from(inner), ARVO_STR("http://a.example/s/"), &err),
        ARVO_OK);

    static const struct {
        const char *uri;
        arvo_status status;
    } cases[] = {
        { "http://a.example/s/a%20b.json", ARVO_OK },
        { "http://a.example/s/a%20b.json", ARVO_OK },
        { "http://a.example/s/gone.json", ARVO_E_NOT_FOUND },
        { "http://a.example/s", ARVO_E_NOT_FOUND },
        { "http://a.example/sa%20b.json", ARVO_E_NOT_FOUND },
        { "http://a.example/s/../out.json", ARVO_E_NOT_FOUND },
        { "http://a.example/s/%2e%2E/out.json", ARVO_E_NOT_FOUND },
        { "http://a.example/s/..%2fout.json", ARVO_E_NOT_FOUND },
        { "http://a.example/s/a%00b.json", ARVO_E_NOT_FOUND },
        { "http://a.example/s/broken.json", ARVO_E_MALFORMED },
    };
    const arvo_json *first = NULL;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_json *found = NULL;
        const arvo_status st =
            arvo_schema_remotes_find(remotes, arvo_str_from(cases[i].uri), &found, &err);
        if (st != cases[i].status)
            fail_msg("%s gave %s", cases[i].uri, arvo_status_name(st));
        if (st == ARVO_OK && first == NULL)
            first = found;
        if (st == ARVO_OK)
            assert_ptr_equal(found, first); /* read once */
    }
    arvo_schema_remotes_free(remotes);
    arvo_schema_remotes_free(NULL);
    (void)unlink(outside);
    (void)unlink(file);
    (void)unlink(broken);
    (void)rmdir(inner);
    assert_int_equal(rmdir(root), 0);
}

/* Every allocation of a compilation with documents, anchors and warnings fails once. */
static void
test_schema_refs__survives_no_memory(void **state)
{
    (void)state;
    const arvo_json *const text =
        json("{'$id':'http://a.example/','$ref':'#n','x':1,'$defs':{'n':{'$anchor':'n',"
             "'$dynamicAnchor':'m','items':{'$dynamicRef':'#m'},'contains':{'$ref':'" META_7
             "'},'unevaluatedItems':false}}}");
    bool done = false;
    for (size_t left = 0; !done; left++) {
        failing f = { .left = left };
        const arvo_allocator allocator = { .alloc = failing_alloc,
                                           .free = failing_free,
                                           .self = &f };
        const arvo_schema_opts opts = { .allocator = &allocator };
        arvo_schema *schema = NULL;
        const arvo_status st = arvo_schema_compile(text, &opts, &schema, NULL);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        done = st == ARVO_OK;
        arvo_schema_free(schema);
        assert_int_equal(f.live, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_refs__documents, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema_refs__a_document_has_two_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__embedded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__asks_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__refused_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__drafts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__vocabularies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__metaschemas, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__dynamic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__warnings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__remotes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_refs__survives_no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
