/* Subjects: rules, both directions, new ones and children, memory. */

#include "subject_fixture.h"

/* ---- Reading and writing ------------------------------------------------------------- */

static void
test_subject__writes_in_the_order_of_the_original(void **state)
{
    (void)state;
    arvo_subject subject = sound();
    assert_string_equal(
        text_of(decode_by(codec, encode(&subject)).json),
        "{\"orchestrator\":{\"name\":\"arvo.orc.a\",\"version\":\"1.0.0\"},\"execution\":{\"id\":"
        "\"id-1\",\"initiator\":\"com.a.b\",\"domain\":null},\"meta\":{}}");
    subject.domain = ARVO_STR("external");
    subject.execution_id = ARVO_STR("\"\xc3\xa9\n");
    subject.meta = json("{\"b\":\"1\",\"a\":\"\"}");
    assert_string_equal(
        text_of(decode_by(codec, encode(&subject)).json),
        "{\"orchestrator\":{\"name\":\"arvo.orc.a\",\"version\":\"1.0.0\"},\"execution\":{\"id\":"
        "\"\\\"\xc3\xa9\\n\",\"initiator\":\"com.a.b\",\"domain\":\"external\"},\"meta\":{\"b\":"
        "\"1\",\"a\":\"\"}}");
}

/* The law: decode(encode(s)) equals s; with and without a codec. */
static void
test_subject__decode_undoes_encode(void **state)
{
    (void)state;
    arvo_subject subject = sound();
    subject.domain = ARVO_STR("a.b");
    subject.meta = json("{\"redirectto\":\"x\"}");
    for (int i = 0; i < 4; i++) {
        arvo_str text;
        assert_int_equal(
            arvo_subject_encode(i & 1 ? codec : NULL, &subject, arena, &text, NULL), ARVO_OK);
        const arvo_subject again = decode_by(i & 2 ? codec : NULL, text);
        assert_true(arvo_str_equal(again.orchestrator_name, subject.orchestrator_name));
        assert_true(arvo_str_equal(again.orchestrator_version, subject.orchestrator_version));
        assert_true(arvo_str_equal(again.execution_id, subject.execution_id));
        assert_true(arvo_str_equal(again.initiator, subject.initiator));
        assert_true(arvo_str_equal(again.domain, subject.domain));
        assert_true(arvo_json_equal(again.meta, subject.meta));
        assert_non_null(again.json);
    }
}

static void
test_subject__meta_of_json_null_is_empty(void **state)
{
    (void)state;
    arvo_subject subject = sound();
    subject.meta = arvo_json_null();
    assert_string_equal(text_of(decode_by(codec, encode(&subject)).meta), "{}");
}

static void
test_subject__reads_unknown_keys_and_any_domain_form(void **state)
{
    (void)state;
    const arvo_subject plain = decode_by(codec, DOCUMENT(ORCHESTRATOR, EXECUTION, "{}"));
    assert_null(plain.domain.ptr);
    const arvo_subject more = decode_by(
        codec,
        DOCUMENT(
            ORCHESTRATOR, "{\"domain\":\"ext\",\"x\":1,\"id\":\"y\",\"initiator\":\"d.e.f\"}",
            "{\"k\":\"v\"},\"foo\":[1]"));
    assert_true(arvo_str_is(more.domain, "ext"));
    assert_true(arvo_str_is(more.execution_id, "y"));
    assert_int_equal(arvo_json_count(arvo_json_get(more.json, "foo")), 1);
    const arvo_subject none = decode_by(
        codec,
        DOCUMENT(ORCHESTRATOR, "{\"id\":\"x\",\"initiator\":\"a.b.c\",\"domain\":null}", "{}"));
    assert_null(none.domain.ptr);
}

static void
test_subject__each_rule_is_checked_when_read(void **state)
{
    (void)state;
    expect_refused(packed_text("[]"), ARVO_E_INVALID, "must hold an object, not array");
    expect_refused(packed_text("null"), ARVO_E_INVALID, "must hold an object, not null");
    expect_refused(packed_text("{}"), ARVO_E_INVALID, "orchestrator.name must be");
    expect_refused(DOCUMENT("[]", EXECUTION, "{}"), ARVO_E_INVALID, "orchestrator.name must be");
    expect_refused(
        DOCUMENT("{\"name\":1,\"version\":\"1.0.0\"}", EXECUTION, "{}"), ARVO_E_INVALID,
        "orchestrator.name must be three or more dotted parts of a-z, 0-9, not integer");
    expect_refused(
        DOCUMENT("{\"name\":\"a.b\",\"version\":\"1.0.0\"}", EXECUTION, "{}"), ARVO_E_INVALID,
        "orchestrator.name must be three or more dotted parts of a-z, 0-9, not \"a.b\"");
    expect_refused(
        DOCUMENT("{\"name\":\"a.b.c;\",\"version\":\"1.0.0\"}", EXECUTION, "{}"), ARVO_E_INVALID,
        "orchestrator.name must be");
    expect_refused(
        DOCUMENT("{\"name\":\"a.b.c\",\"version\":\"1.0\"}", EXECUTION, "{}"), ARVO_E_INVALID,
        "orchestrator.version must be MAJOR.MINOR.PATCH, not \"1.0\"");
    expect_refused(
        DOCUMENT(ORCHESTRATOR, "{\"id\":\"\",\"initiator\":\"a.b.c\"}", "{}"), ARVO_E_INVALID,
        "execution.id must be non-empty text without ';', not \"\"");
    expect_refused(
        DOCUMENT(ORCHESTRATOR, "{\"id\":\"a;b\",\"initiator\":\"a.b.c\"}", "{}"), ARVO_E_INVALID,
        "execution.id must be");
    expect_refused(
        DOCUMENT(ORCHESTRATOR, "{\"id\":\"x\",\"initiator\":\"/a/b\"}", "{}"), ARVO_E_INVALID,
        "execution.initiator must be");
    expect_refused(
        DOCUMENT(ORCHESTRATOR, "{\"id\":\"x\",\"initiator\":\"a.b.c\",\"domain\":1}", "{}"),
        ARVO_E_INVALID, "execution.domain must be");
    expect_refused(
        DOCUMENT(ORCHESTRATOR, "{\"id\":\"x\",\"initiator\":\"a.b.c\",\"domain\":\"\"}", "{}"),
        ARVO_E_INVALID, "execution.domain must be");
    expect_refused(
        packed_text("{\"orchestrator\":" ORCHESTRATOR ",\"execution\":" EXECUTION "}"),
        ARVO_E_INVALID, "meta must be an object of strings, not absent");
    expect_refused(DOCUMENT(ORCHESTRATOR, EXECUTION, "null"), ARVO_E_INVALID, "not null");
    expect_refused(DOCUMENT(ORCHESTRATOR, EXECUTION, "[]"), ARVO_E_INVALID, "not array");
    expect_refused(
        DOCUMENT(ORCHESTRATOR, EXECUTION, "{\"a\":\"\",\"b\\n\":1}"), ARVO_E_INVALID,
        "meta \"b\\x0a\" must be a string, not integer");
}

#define BREAK(field, value, wanted)                                                                \
    do {                                                                                           \
        arvo_subject subject = sound();                                                            \
        subject.field = (value);                                                                   \
        expect_not_encoded(&subject, ARVO_E_INVALID, wanted);                                      \
    } while (0)

static void
test_subject__each_rule_is_checked_when_written(void **state)
{
    (void)state;
    BREAK(orchestrator_name, ARVO_STR_NONE, "orchestrator.name is missing");
    BREAK(orchestrator_name, ARVO_STR("A.b.c"), "orchestrator.name must be");
    BREAK(orchestrator_version, ARVO_STR("1"), "orchestrator.version must be");
    BREAK(execution_id, ARVO_STR(""), "execution.id must be");
    BREAK(execution_id, ARVO_STR(";"), "execution.id must be");
    BREAK(execution_id, ARVO_STR("\xff"), "execution.id must be");
    BREAK(initiator, ARVO_STR("a.b"), "execution.initiator must be");
    BREAK(initiator, ARVO_STR_NONE, "execution.initiator is missing");
    BREAK(domain, ARVO_STR("A"), "execution.domain must be");
    BREAK(domain, ARVO_STR("all"), "execution.domain must be");
    BREAK(meta, json("[]"), "meta must be an object of strings, not array");
    BREAK(meta, json("{\"a\":null}"), "meta \"a\" must be a string, not null");
}

/* ---- Making ------------------------------------------------------------------------------ */

static void
test_subject__new_fills_in_defaults(void **state)
{
    (void)state;
    arvo_str text;
    arvo_error err = { 0 };
    const arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.a"),
                                         .initiator = ARVO_STR("com.a.b") };
    assert_int_equal(arvo_subject_new(codec, &opts, &platform, arena, &text, &err), ARVO_OK);
    assert_string_equal(
        text_of(decode_by(codec, text).json),
        "{\"orchestrator\":{\"name\":\"arvo.orc.a\",\"version\":\"0.0.0\"},\"execution\":{\"id\":"
        "\"" STILL_ID "\",\"initiator\":\"com.a.b\",\"domain\":null},\"meta\":{}}");
}

static void
test_subject__new_takes_what_is_given(void **state)
{
    (void)state;
    arvo_str text;
    const arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.a"),
                                         .version = ARVO_STR("1.2.3"),
                                         .initiator = ARVO_STR("com.a.b"),
                                         .execution_id = ARVO_STR("mine"),
                                         .domain = ARVO_STR("external"),
                                         .meta = json("{\"a\":\"1\"}") };
    assert_int_equal(arvo_subject_new(NULL, &opts, &platform, arena, &text, NULL), ARVO_OK);
    assert_string_equal(
        text_of(decode_by(codec, text).json),
        "{\"orchestrator\":{\"name\":\"arvo.orc.a\",\"version\":\"1.2.3\"},\"execution\":{\"id\":"
        "\"mine\",\"initiator\":\"com.a.b\",\"domain\":\"external\"},\"meta\":{\"a\":\"1\"}}");
}

static void
test_subject__new_reports(void **state)
{
    (void)state;
    arvo_str text = ARVO_STR("kept");
    arvo_error err = { 0 };
    arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.a") };
    assert_int_equal(arvo_subject_new(codec, &opts, &platform, arena, &text, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "execution.initiator is missing"));
    opts.initiator = ARVO_STR("com.a.b");
    broken_source = true;
    const arvo_status st = arvo_subject_new(codec, &opts, &platform, arena, &text, &err);
    broken_source = false;
    assert_int_equal(st, ARVO_E_IO);
    assert_int_equal(err.status, ARVO_E_IO);
    assert_true(arvo_str_is(text, "kept"));
}

static arvo_str
parent_subject(void)
{
    arvo_subject parent = sound();
    parent.domain = ARVO_STR("internal");
    parent.meta = json("{\"redirectto\":\"com.x.y\",\"tenant\":\"1\"}");
    return encode(&parent);
}

static void
test_subject__child_inherits(void **state)
{
    (void)state;
    arvo_str text;
    arvo_error err = { 0 };
    const arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.b"),
                                         .initiator = ARVO_STR("not.looked.at") };
    for (int i = 0; i < 2; i++) {
        if (arvo_subject_child(
                i ? codec : NULL, parent_subject(), &opts, &platform, arena, &text, &err) !=
            ARVO_OK)
            fail_msg("%s", err.text);
        assert_string_equal(
            text_of(decode_by(codec, text).json),
            "{\"orchestrator\":{\"name\":\"arvo.orc.b\",\"version\":\"0.0.0\"},\"execution\":"
            "{\"id\":\"" STILL_ID "\",\"initiator\":\"arvo.orc.a\",\"domain\":\"internal\"},"
            "\"meta\":{\"redirectto\":\"com.x.y\",\"tenant\":\"1\"}}");
    }
}

/* The parent's keys first; one that is overridden keeps its place. */
static void
test_subject__child_overlays_meta(void **state)
{
    (void)state;
    arvo_str text;
    const arvo_subject_new_opts opts = {
        .name = ARVO_STR("arvo.orc.b"),
        .version = ARVO_STR("2.0.0"),
        .execution_id = ARVO_STR("mine"),
        .domain = ARVO_STR("external"),
        .meta = json("{\"new\":\"n\",\"redirectto\":\"com.z.z\"}"),
    };
    assert_int_equal(
        arvo_subject_child(codec, parent_subject(), &opts, &platform, arena, &text, NULL), ARVO_OK);
    const arvo_subject child = decode_by(codec, text);
    assert_string_equal(
        text_of(child.meta), "{\"redirectto\":\"com.z.z\",\"tenant\":\"1\",\"new\":\"n\"}");
    assert_true(arvo_str_is(child.orchestrator_version, "2.0.0"));
    assert_true(arvo_str_is(child.execution_id, "mine"));
    assert_true(arvo_str_is(child.domain, "external"));
    /* The parent's, cached, is as it was. */
    assert_string_equal(
        text_of(decode_by(codec, parent_subject()).meta),
        "{\"redirectto\":\"com.x.y\",\"tenant\":\"1\"}");
}

static void
test_subject__child_reports(void **state)
{
    (void)state;
    arvo_str text = ARVO_STR("kept");
    arvo_error err = { 0 };
    arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.b") };
    const arvo_str parent = parent_subject();
    const size_t used = arvo_arena_used(arena);
    assert_int_equal(
        arvo_subject_child(codec, ARVO_STR("!"), &opts, &platform, arena, &text, &err),
        ARVO_E_MALFORMED);
    assert_non_null(strstr(err.text, "parent: subject: "));
    opts.name = ARVO_STR("b");
    assert_int_equal(
        arvo_subject_child(codec, parent, &opts, &platform, arena, &text, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "orchestrator.name must be"));
    assert_int_equal(arvo_arena_used(arena), used);
    opts.name = ARVO_STR("arvo.orc.b");
    opts.meta = json("[1]");
    assert_int_equal(
        arvo_subject_child(codec, parent, &opts, &platform, arena, &text, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "meta must be an object of strings"));
    opts.meta = json("{\"a\":1}");
    assert_int_equal(
        arvo_subject_child(codec, parent, &opts, &platform, arena, &text, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "meta \"a\" must be a string"));
    opts.meta = NULL;
    broken_source = true;
    const arvo_status st = arvo_subject_child(codec, parent, &opts, &platform, arena, &text, &err);
    broken_source = false;
    assert_int_equal(st, ARVO_E_IO);
    assert_true(arvo_str_is(text, "kept"));
}

/* ---- Memory
 * --------------------------------------------------------------------------------------- */

struct counter {
    size_t left; /* allocations that succeed still */
    size_t made;
    size_t bytes; /* in use */
};

static void *
counted_alloc(void *self, size_t size)
{
    struct counter *counter = self;
    if (counter->left == 0)
        return NULL;
    counter->left--;
    counter->made++;
    counter->bytes += size;
    return malloc(size);
}

static void
counted_free(void *self, void *ptr, size_t size)
{
    struct counter *counter = self;
    counter->bytes -= size;
    free(ptr);
}

/* A warm codec allocates nothing, though every decode replaces an entry. */
static void
test_subject__steady_state_allocates_nothing(void **state)
{
    (void)state;
    struct counter counter = { .left = SIZE_MAX };
    const arvo_allocator allocator = { counted_alloc, counted_free, &counter };
    arvo_subject_codec *small = arvo_subject_codec_new(
        &(arvo_subject_codec_opts){ .allocator = &allocator, .cache_entries = 8 });
    assert_non_null(small);
    arvo_str texts[50];
    for (unsigned i = 0; i < 50; i++)
        texts[i] = numbered(i);
    arvo_str text;
    size_t warm = 0;
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 50; i++) {
            const arvo_subject subject = decode_by(small, texts[i]);
            assert_int_equal(arvo_subject_encode(small, &subject, arena, &text, NULL), ARVO_OK);
        }
        if (round == 0)
            warm = counter.made;
    }
    assert_int_equal(counter.made, warm);
    arvo_subject_codec_free(small);
    assert_int_equal(counter.bytes, 0); /* sizes were given back right, too */
}

static arvo_status
work_with(const arvo_allocator *allocator)
{
    arvo_arena *small =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator, .chunk_bytes = 256 });
    arvo_subject_codec *own = arvo_subject_codec_new(
        &(arvo_subject_codec_opts){ .allocator = allocator, .cache_entries = 2 });
    arvo_error err = { 0 };
    arvo_status st = ARVO_E_NOMEM;
    arvo_str text, child;
    arvo_subject subject;
    const arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.b"),
                                         .initiator = ARVO_STR("com.a.b"),
                                         .meta = json("{\"a\":\"1\"}") };
    if (small != NULL && own != NULL) {
        st = arvo_subject_new(own, &opts, &platform, small, &text, &err);
        if (st == ARVO_OK)
            st = arvo_subject_child(own, text, &opts, &platform, small, &child, &err);
        if (st == ARVO_OK)
            st = arvo_subject_decode(own, child, small, &subject, &err);
        if (st == ARVO_OK)
            assert_true(arvo_str_is(subject.initiator, "arvo.orc.b"));
        else
            assert_int_equal(err.status, ARVO_E_NOMEM);
    }
    arvo_subject_codec_free(own);
    arvo_arena_free(small);
    return st;
}

static void
test_subject__every_allocation_may_fail(void **state)
{
    (void)state;
    size_t count = 0;
    struct counter counter;
    do { /* until nothing fails: a cache that cannot grow is no failure */
        assert_true(count < 1000);
        counter = (struct counter){ .left = count++ };
        const arvo_allocator allocator = { counted_alloc, counted_free, &counter };
        const arvo_status st = work_with(&allocator);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        assert_int_equal(counter.bytes, 0);
        if (counter.left > 0)
            assert_int_equal(st, ARVO_OK);
    } while (counter.left == 0);
    assert_true(count > 10);
}

static void
test_subject__codec_options(void **state)
{
    (void)state;
    arvo_subject_codec_free(NULL);
    struct counter none = { .left = 0 };
    const arvo_allocator allocator = { counted_alloc, counted_free, &none };
    assert_null(arvo_subject_codec_new(&(arvo_subject_codec_opts){ .allocator = &allocator }));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_subject__writes_in_the_order_of_the_original),
        WITH(test_subject__decode_undoes_encode),
        WITH(test_subject__meta_of_json_null_is_empty),
        WITH(test_subject__reads_unknown_keys_and_any_domain_form),
        WITH(test_subject__each_rule_is_checked_when_read),
        WITH(test_subject__each_rule_is_checked_when_written),
        WITH(test_subject__new_fills_in_defaults),
        WITH(test_subject__new_takes_what_is_given),
        WITH(test_subject__new_reports),
        WITH(test_subject__child_inherits),
        WITH(test_subject__child_overlays_meta),
        WITH(test_subject__child_reports),
        WITH(test_subject__steady_state_allocates_nothing),
        WITH(test_subject__every_allocation_may_fail),
        WITH(test_subject__codec_options),
    };
    return cmocka_run_group_tests_name("subject", tests, NULL, NULL);
}
