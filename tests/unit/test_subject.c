/* Subjects: rules, both directions, the cache, hostile input. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <arvo/subject.h>

#include "subject/internal.h"

static arvo_arena *arena;
static arvo_subject_codec *codec;
static arvo_subject_codec *lenient;

static int
setup(void **state)
{
    (void)state;
    arena = arvo_arena_new(NULL);
    codec = arvo_subject_codec_new(NULL);
    lenient = arvo_subject_codec_new(&(arvo_subject_codec_opts){ .lenient = true });
    return arena != NULL && codec != NULL && lenient != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    arvo_subject_codec_free(lenient);
    arvo_subject_codec_free(codec);
    arvo_arena_free(arena);
    return 0;
}

static bool broken_source;

static bool
still_random(void *self, void *bytes, size_t len)
{
    (void)self;
    memset(bytes, 0xcd, len);
    return !broken_source;
}

static int64_t
still_time(void *self)
{
    (void)self;
    return 0;
}

static const arvo_platform platform = {
    .version = ARVO_PLATFORM_OPS_VERSION,
    .time_ms = still_time,
    .monotonic_ns = still_time,
    .random = still_random,
};

#define STILL_ID "cdcdcdcd-cdcd-4dcd-8dcd-cdcdcdcdcdcd"

static const arvo_json *
json(const char *text)
{
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(arvo_str_from(text), arena, &value, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static const char *
text_of(const arvo_json *value)
{
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &buf);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
    arvo_buf_fini(&buf);
    return copy.ptr;
}

static arvo_str
base64(const void *bytes, size_t len)
{
    char *out = arvo_arena_alloc(arena, arvo__base64_encoded_len(len) + 1);
    assert_non_null(out);
    arvo__base64_encode(bytes, len, out);
    return (arvo_str){ out, arvo__base64_encoded_len(len) };
}

/* base64(zlib(bytes)), made with zlib itself. */
static arvo_str
packed(const void *bytes, size_t len)
{
    uLongf size = compressBound((uLong)len);
    unsigned char *out = malloc(size);
    assert_non_null(out);
    assert_int_equal(compress2(out, &size, bytes, (uLong)len, Z_BEST_COMPRESSION), Z_OK);
    const arvo_str text = base64(out, size);
    free(out);
    return text;
}

static arvo_str
packed_text(const char *text)
{
    return packed(text, strlen(text));
}

static void
expect_refused_by(arvo_subject_codec *by, arvo_str text, arvo_status status, const char *wanted)
{
    arvo_subject subject = { .initiator = ARVO_STR("kept") };
    arvo_error err = { 0 };
    const size_t used = arvo_arena_used(arena);
    assert_int_equal(arvo_subject_decode(by, text, arena, &subject, &err), status);
    assert_int_equal(err.status, status);
    assert_null(strchr(err.text, '\n'));
    if (strstr(err.text, wanted) == NULL)
        fail_msg("expected '%s' in: %s", wanted, err.text);
    assert_true(arvo_str_is(subject.initiator, "kept"));
    assert_int_equal(arvo_arena_used(arena), used);
    assert_int_equal(arvo_subject_decode(by, text, arena, &subject, NULL), status);
}

static void
expect_refused(arvo_str text, arvo_status status, const char *wanted)
{
    expect_refused_by(codec, text, status, wanted);
    expect_refused_by(NULL, text, status, wanted);
}

static arvo_subject
decode_by(arvo_subject_codec *by, arvo_str text)
{
    arvo_subject subject;
    arvo_error err = { 0 };
    if (arvo_subject_decode(by, text, arena, &subject, &err) != ARVO_OK)
        fail_msg("%.*s: %s", ARVO_FMT(text), err.text);
    return subject;
}

static arvo_subject
sound(void)
{
    return (arvo_subject){
        .orchestrator_name = ARVO_STR("arvo.orc.a"),
        .orchestrator_version = ARVO_STR("1.0.0"),
        .execution_id = ARVO_STR("id-1"),
        .initiator = ARVO_STR("com.a.b"),
    };
}

static arvo_str
encode(const arvo_subject *subject)
{
    arvo_str text = ARVO_STR_NONE;
    arvo_error err = { 0 };
    if (arvo_subject_encode(codec, subject, arena, &text, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return text;
}

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

#define DOCUMENT(orchestrator, execution, meta)                                                    \
    packed_text("{\"orchestrator\":" orchestrator ",\"execution\":" execution ",\"meta\":" meta "}")
#define ORCHESTRATOR "{\"name\":\"a.b.c\",\"version\":\"1.0.0\"}"
#define EXECUTION    "{\"id\":\"x\",\"initiator\":\"a.b.c\"}"

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

static void
expect_not_encoded(const arvo_subject *subject, arvo_status status, const char *wanted)
{
    arvo_str text = ARVO_STR("kept");
    arvo_error err = { 0 };
    const size_t used = arvo_arena_used(arena);
    assert_int_equal(arvo_subject_encode(codec, subject, arena, &text, &err), status);
    assert_int_equal(err.status, status);
    if (strstr(err.text, wanted) == NULL)
        fail_msg("expected '%s' in: %s", wanted, err.text);
    assert_true(arvo_str_is(text, "kept"));
    assert_int_equal(arvo_arena_used(arena), used);
    assert_int_equal(arvo_subject_encode(NULL, subject, arena, &text, NULL), status);
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

/* ---- Hostile and foreign input -------------------------------------------------------------- */

#define GOOD_JSON "{\"orchestrator\":" ORCHESTRATOR ",\"execution\":" EXECUTION ",\"meta\":{}}"

static void
test_subject__only_canonical_base64(void **state)
{
    (void)state;
    expect_refused(ARVO_STR(""), ARVO_E_MALFORMED, "subject: is empty");
    expect_refused(ARVO_STR_NONE, ARVO_E_MALFORMED, "subject: is empty");
    expect_refused(ARVO_STR("test"), ARVO_E_MALFORMED, "not a zlib stream");
    expect_refused(ARVO_STR("e"), ARVO_E_MALFORMED, "not base64");
    expect_refused(ARVO_STR("===="), ARVO_E_MALFORMED, "not base64");
    const arvo_str good = packed_text(GOOD_JSON);
    (void)decode_by(NULL, good);
    char *text = malloc(good.len + 4);
    assert_non_null(text);
    for (size_t i = 0; i < good.len; i++) {
        static const char bytes[] = { '\0', ' ', '\n', '-', '_', '=', '!', '\x80' };
        memcpy(text, good.ptr, good.len);
        text[i] = bytes[i % sizeof(bytes)];
        if (text[i] != good.ptr[i])
            expect_refused((arvo_str){ text, good.len }, ARVO_E_MALFORMED, "not base64");
    }
    free(text);
}

/* Cut anywhere, with the base64 still canonical; in lenient mode, too. */
static void
test_subject__cut_streams_are_refused(void **state)
{
    (void)state;
    unsigned char bytes[512];
    uLongf size = sizeof(bytes);
    assert_int_equal(
        compress2(bytes, &size, (const unsigned char *)GOOD_JSON, sizeof(GOOD_JSON) - 1, 6), Z_OK);
    (void)decode_by(codec, base64(bytes, size));
    for (size_t len = 1; len < size; len++) {
        expect_refused(base64(bytes, len), ARVO_E_MALFORMED, "cut short");
        expect_refused_by(lenient, base64(bytes, len), ARVO_E_MALFORMED, "cut short");
    }
}

static void
test_subject__damaged_streams_are_refused(void **state)
{
    (void)state;
    unsigned char bytes[512];
    uLongf size = sizeof(bytes);
    assert_int_equal(
        compress2(bytes, &size, (const unsigned char *)GOOD_JSON, sizeof(GOOD_JSON) - 1, 6), Z_OK);
    for (size_t i = 0; i < size; i++) /* Adler-32 sees every single bit */
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (unsigned char)(1u << bit);
            arvo_subject subject;
            assert_int_not_equal(
                arvo_subject_decode(codec, base64(bytes, size), arena, &subject, NULL), ARVO_OK);
            bytes[i] ^= (unsigned char)(1u << bit);
        }
    bytes[size] = 0;
    expect_refused(base64(bytes, size + 1), ARVO_E_MALFORMED, "1 bytes too many behind");
    assert_true(arvo_str_is(decode_by(lenient, base64(bytes, size + 1)).execution_id, "x"));
    bytes[size] = 1;
    expect_refused_by(lenient, base64(bytes, size + 1), ARVO_E_MALFORMED, "cut short");
}

static void
test_subject__other_containers_are_refused(void **state)
{
    (void)state;
    static const struct {
        int window;
        bool lenient_too;
    } forms[] = { { -15, true }, { 15 + 16, false } }; /* raw deflate, gzip */
    for (size_t i = 0; i < ARVO_COUNT_OF(forms); i++) {
        unsigned char in[] = GOOD_JSON, out[512];
        z_stream stream = {
            .next_in = in, .avail_in = sizeof(in) - 1, .next_out = out, .avail_out = sizeof(out)
        };
        assert_int_equal(
            deflateInit2(&stream, 6, Z_DEFLATED, forms[i].window, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        const arvo_str text = base64(out, sizeof(out) - stream.avail_out);
        (void)deflateEnd(&stream);
        expect_refused(text, ARVO_E_MALFORMED, "not a zlib stream");
        if (forms[i].lenient_too)
            expect_refused_by(lenient, text, ARVO_E_MALFORMED, "not a zlib stream");
        else
            assert_true(arvo_str_is(decode_by(lenient, text).execution_id, "x"));
    }
}

static void
test_subject__dictionaries_are_refused(void **state)
{
    (void)state;
    unsigned char in[] = GOOD_JSON, out[512];
    z_stream stream = {
        .next_in = in, .avail_in = sizeof(in) - 1, .next_out = out, .avail_out = sizeof(out)
    };
    assert_int_equal(deflateInit(&stream, 6), Z_OK);
    assert_int_equal(
        deflateSetDictionary(&stream, (const unsigned char *)"orchestrator", 12), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    const arvo_str text = base64(out, sizeof(out) - stream.avail_out);
    (void)deflateEnd(&stream);
    expect_refused(text, ARVO_E_MALFORMED, "preset dictionary");
    expect_refused_by(lenient, text, ARVO_E_MALFORMED, "preset dictionary");
}

static void
test_subject__bombs_are_refused(void **state)
{
    (void)state;
    /* 12 MB that pack into 12 KB. */
    const size_t size = 12u * 1000 * 1000;
    char *zeros = calloc(1, size);
    assert_non_null(zeros);
    const arvo_str text = packed(zeros, size);
    assert_true(text.len <= ARVO_SUBJECT_TEXT_BYTES_MAX);
    expect_refused(text, ARVO_E_TOO_BIG, "more than the limit of 65536 bytes");
    expect_refused_by(lenient, text, ARVO_E_TOO_BIG, "more than the limit of 65536 bytes");
    free(zeros);

    char *long_text = malloc(10u * 1000 * 1000);
    assert_non_null(long_text);
    memset(long_text, 'A', 10u * 1000 * 1000);
    expect_refused(
        (arvo_str){ long_text, 10u * 1000 * 1000 }, ARVO_E_TOO_BIG, "10000000 bytes long");
    expect_refused((arvo_str){ long_text, 16385 }, ARVO_E_TOO_BIG, "16385 bytes long");
    expect_refused((arvo_str){ long_text, 16384 }, ARVO_E_MALFORMED, "not a zlib stream");
    free(long_text);
}

/* A document of exactly the greatest length is read, one byte more is not. */
static void
test_subject__json_limit_is_exact(void **state)
{
    (void)state;
    for (size_t size = ARVO_SUBJECT_JSON_BYTES_MAX; size <= ARVO_SUBJECT_JSON_BYTES_MAX + 1;
         size++) {
        char *text = malloc(size);
        assert_non_null(text);
        memset(text, ' ', size);
        memcpy(text, GOOD_JSON, sizeof(GOOD_JSON) - 1);
        const arvo_str encoded = packed(text, size);
        free(text);
        if (size <= ARVO_SUBJECT_JSON_BYTES_MAX)
            (void)decode_by(codec, encoded);
        else
            expect_refused(encoded, ARVO_E_TOO_BIG, "more than the limit");
    }
}

/* Any zlib reads what is written, stored or deflated, and finds the same JSON in it. */
static void
test_subject__is_stored_when_short_and_deflated_when_long(void **state)
{
    (void)state;
    char id[2 * ARVO_SUBJECT_STORED_BYTES_MAX];
    memset(id, 'i', sizeof(id));
    size_t stored = 0, deflated = 0;
    for (size_t len = 1; len <= sizeof(id); len++) {
        arvo_subject subject = sound();
        subject.execution_id = (arvo_str){ id, len };
        const arvo_str text = encode(&subject);
        unsigned char *bytes = arvo_arena_alloc(arena, text.len);
        size_t packed_len = 0;
        assert_true(arvo__base64_decode(text, bytes, &packed_len));
        unsigned char json[4096];
        uLongf json_len = sizeof(json);
        assert_int_equal(uncompress(json, &json_len, bytes, (uLong)packed_len), Z_OK);
        const arvo_subject back = decode_by(codec, text);
        assert_true(arvo_str_equal(back.execution_id, subject.execution_id));
        const bool is_stored = packed_len > json_len;
        assert_true(is_stored == (json_len <= ARVO_SUBJECT_STORED_BYTES_MAX));
        stored += is_stored;
        deflated += !is_stored;
    }
    assert_true(stored > 100 && deflated > 100);
}

static void
test_subject__too_long_is_not_encoded(void **state)
{
    (void)state;
    char *id = malloc(70000);
    assert_non_null(id);
    memset(id, 'x', 70000);
    arvo_subject subject = sound();
    subject.execution_id = (arvo_str){ id, 70000 };
    expect_not_encoded(&subject, ARVO_E_TOO_BIG, "larger than the limit of 65536 bytes");

    uint32_t seed = 1; /* text that does not pack well */
    for (size_t i = 0; i < 60000; i++) {
        seed = seed * 1664525u + 1013904223u;
        id[i] = (char)('A' + (seed >> 24) % 58);
    }
    subject.execution_id.len = 60000;
    expect_not_encoded(&subject, ARVO_E_TOO_BIG, "limit of 16384 bytes when encoded");
    subject.execution_id.len = 10000; /* and the codec is fit for use after that */
    assert_true(
        arvo_str_equal(decode_by(codec, encode(&subject)).execution_id, subject.execution_id));
    free(id);
}

static void
test_subject__text_must_be_json(void **state)
{
    (void)state;
    expect_refused(packed_text(GOOD_JSON " x"), ARVO_E_MALFORMED, "subject: line 1");
    expect_refused(packed(GOOD_JSON, sizeof(GOOD_JSON)), ARVO_E_MALFORMED, "subject: "); /* NUL */
    expect_refused(packed_text("\xef\xbb\xbf" GOOD_JSON), ARVO_E_MALFORMED, "subject: ");
    expect_refused(packed("", 0), ARVO_E_MALFORMED, "subject: ");
    expect_refused(
        DOCUMENT(ORCHESTRATOR, "{\"id\":\"\xff\",\"initiator\":\"a.b.c\"}", "{}"), ARVO_E_MALFORMED,
        "subject: ");
    char deep[3000];
    memset(deep, '[', sizeof(deep));
    expect_refused(packed(deep, sizeof(deep)), ARVO_E_TOO_BIG, "subject: ");
}

/* U+FFFD for each longest beginning of a character, as browsers do (spec 2.9c). */
static void
test_subject__lenient_repairs_text(void **state)
{
    (void)state;
    static const struct {
        const char *id, *repaired;
    } cases[] = {
        { "a\xff"
          "b",
          "a\xef\xbf\xbd"
          "b" },
        { "\x80", "\xef\xbf\xbd" },
        { "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xe2\x82", "\xef\xbf\xbd" },
        { "\xe2\x82x", "\xef\xbf\xbdx" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf0\x9d\x84", "\xef\xbf\xbd" },
        { "\xf0\x9d\x84x", "\xef\xbf\xbdx" },
        { "\xf0\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf5\xf0", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf0\xf0\x9d\x84\x9e", "\xef\xbf\xbd\xf0\x9d\x84\x9e" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        char text[256];
        snprintf(
            text, sizeof(text),
            "\xef\xbb\xbf{\"orchestrator\":" ORCHESTRATOR
            ",\"execution\":{\"id\":\"%s\",\"initiator\":\"a.b.c\"},\"meta\":{}}",
            cases[i].id);
        const arvo_subject subject = decode_by(lenient, packed_text(text));
        if (!arvo_str_is(subject.execution_id, cases[i].repaired))
            fail_msg("case %zu", i);
    }
    expect_refused_by(lenient, packed("\xff", 1), ARVO_E_MALFORMED, "subject: ");
}

static void
test_subject__lenient_reads_joined_members(void **state)
{
    (void)state;
    unsigned char bytes[1024];
    uLongf first = 512, second = 512;
    assert_int_equal(compress2(bytes, &first, (const unsigned char *)GOOD_JSON, 20, 6), Z_OK);
    assert_int_equal(
        compress2(
            bytes + first, &second, (const unsigned char *)GOOD_JSON + 20,
            sizeof(GOOD_JSON) - 1 - 20, 6),
        Z_OK);
    const arvo_str text = base64(bytes, first + second);
    assert_string_equal(text_of(decode_by(lenient, text).json), GOOD_JSON);
    expect_refused(text, ARVO_E_MALFORMED, "bytes too many behind its zlib stream");
}

/* ---- Cache ------------------------------------------------------------------------------------
 */

static arvo_str
numbered(unsigned number)
{
    char id[32];
    const int len = snprintf(id, sizeof(id), "id-%u", number);
    arvo_subject subject = sound();
    subject.execution_id = (arvo_str){ id, (size_t)len };
    return encode(&subject);
}

/* More subjects than entries, for several sizes of cache: every answer is right. */
static void
test_subject__cache_answers_like_a_fresh_decode(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 1, 2, 7, 8, 9, 64, 1000 };
    arvo_str texts[100];
    for (unsigned i = 0; i < 100; i++)
        texts[i] = numbered(i);
    for (size_t s = 0; s < ARVO_COUNT_OF(sizes); s++) {
        arvo_subject_codec *small =
            arvo_subject_codec_new(&(arvo_subject_codec_opts){ .cache_entries = sizes[s] });
        assert_non_null(small);
        assert_true(small->cache.set_count * ARVO__SUBJECT_WAYS <= (sizes[s] > 8 ? sizes[s] : 8));
        uint32_t seed = 7;
        for (unsigned i = 0; i < 3000; i++) {
            seed = seed * 1664525u + 1013904223u;
            const unsigned which = (seed >> 16) % 100;
            char wanted[32];
            snprintf(wanted, sizeof(wanted), "id-%u", which);
            assert_true(arvo_str_is(decode_by(small, texts[which]).execution_id, wanted));
        }
        arvo_subject_codec_free(small);
    }
}

static void
test_subject__cache_hit_uses_no_arena(void **state)
{
    (void)state;
    const arvo_str text = numbered(1);
    (void)decode_by(codec, text);
    const size_t used = arvo_arena_used(arena);
    const arvo_subject first = decode_by(codec, text), second = decode_by(codec, text);
    assert_int_equal(arvo_arena_used(arena), used);
    assert_ptr_equal(first.json, second.json);
}

/* A subject used all the time stays while others come and go. */
static void
test_subject__cache_keeps_what_is_used(void **state)
{
    (void)state;
    arvo_subject_codec *small =
        arvo_subject_codec_new(&(arvo_subject_codec_opts){ .cache_entries = 8 });
    assert_non_null(small);
    const arvo_str text = numbered(0);
    const arvo_json *const kept = decode_by(small, text).json;
    for (unsigned i = 1; i < 100; i++) {
        (void)decode_by(small, numbered(i));
        assert_ptr_equal(decode_by(small, text).json, kept);
    }
    arvo_subject_codec_free(small);
}

/* What decode gave may be used while seven others are decoded and children are made. */
static void
test_subject__decoded_subject_outlives_seven_decodes(void **state)
{
    (void)state;
    arvo_subject_codec *small =
        arvo_subject_codec_new(&(arvo_subject_codec_opts){ .cache_entries = 1 });
    assert_non_null(small);
    const arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.b") };
    arvo_str text;
    for (unsigned i = 0; i < 20; i++)
        (void)decode_by(small, numbered(i));
    const arvo_subject held = decode_by(small, numbered(100));
    for (unsigned i = 0; i < 7; i++)
        (void)decode_by(small, numbered(200 + i));
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(
            arvo_subject_child(small, numbered(300 + i), &opts, &platform, arena, &text, NULL),
            ARVO_OK);
    assert_true(arvo_str_is(held.execution_id, "id-100"));
    assert_ptr_equal(decode_by(small, numbered(100)).json, held.json);
    arvo_subject_codec_free(small);
}

/* What was encoded is known without being decoded, if the codec is told to remember it. */
static void
test_subject__what_was_made_may_be_remembered(void **state)
{
    (void)state;
    const arvo_str text = numbered(1);
    const uint64_t hash = arvo__hash_keyed(text.ptr, text.len);
    arvo_subject subject = sound();
    subject.execution_id = ARVO_STR("id-1");
    arvo_str again;
    assert_int_equal(arvo_subject_encode(codec, &subject, arena, &again, NULL), ARVO_OK);
    assert_true(arvo_str_equal(text, again));
    assert_null(arvo__subject_cache_find(&codec->cache, text, hash));

    const size_t used = arvo_arena_used(arena);
    arvo__subject_codec_remember(codec, text, arena);
    assert_int_equal(arvo_arena_used(arena), used);
    const arvo_subject *cached = arvo__subject_cache_find(&codec->cache, text, hash);
    assert_non_null(cached);
    const arvo_subject fresh = decode_by(NULL, text);
    assert_true(arvo_json_equal(cached->json, fresh.json));
    assert_true(arvo_str_equal(cached->initiator, fresh.initiator));
    assert_ptr_equal(decode_by(codec, text).json, cached->json);

    /* Decoding takes the place of what was encoded: nothing is left to remember. */
    const arvo_str other = numbered(2), third = numbered(3);
    (void)decode_by(codec, other);
    arvo__subject_codec_remember(codec, third, arena);
    assert_null(
        arvo__subject_cache_find(&codec->cache, third, arvo__hash_keyed(third.ptr, third.len)));
}

static void
test_subject__failures_are_not_cached(void **state)
{
    (void)state;
    expect_refused_by(codec, packed_text("{}"), ARVO_E_INVALID, "orchestrator.name");
    expect_refused_by(codec, packed_text("{}"), ARVO_E_INVALID, "orchestrator.name");
}

static void
test_subject__large_subjects_are_read_but_not_cached(void **state)
{
    (void)state;
    arvo_json *meta = arvo_json_object_new(arena);
    for (int i = 0; i < 300; i++) {
        char key[32];
        const int len = snprintf(key, sizeof(key), "key%d", i);
        arvo_json_set(arena, meta, (arvo_str){ key, (size_t)len }, json("\"v\""));
    }
    arvo_subject subject = sound();
    subject.meta = meta;
    const arvo_str text = encode(&subject);
    const arvo_subject first = decode_by(codec, text), second = decode_by(codec, text);
    assert_true(first.json != second.json);
    assert_true(arvo_json_equal(first.meta, meta));
    assert_true(arvo_json_equal(second.meta, meta));
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

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
        WITH(test_subject__only_canonical_base64),
        WITH(test_subject__cut_streams_are_refused),
        WITH(test_subject__damaged_streams_are_refused),
        WITH(test_subject__other_containers_are_refused),
        WITH(test_subject__dictionaries_are_refused),
        WITH(test_subject__bombs_are_refused),
        WITH(test_subject__json_limit_is_exact),
        WITH(test_subject__is_stored_when_short_and_deflated_when_long),
        WITH(test_subject__too_long_is_not_encoded),
        WITH(test_subject__text_must_be_json),
        WITH(test_subject__lenient_repairs_text),
        WITH(test_subject__lenient_reads_joined_members),
        WITH(test_subject__cache_answers_like_a_fresh_decode),
        WITH(test_subject__cache_hit_uses_no_arena),
        WITH(test_subject__cache_keeps_what_is_used),
        WITH(test_subject__decoded_subject_outlives_seven_decodes),
        WITH(test_subject__what_was_made_may_be_remembered),
        WITH(test_subject__failures_are_not_cached),
        WITH(test_subject__large_subjects_are_read_but_not_cached),
        WITH(test_subject__steady_state_allocates_nothing),
        WITH(test_subject__every_allocation_may_fail),
        WITH(test_subject__codec_options),
    };
    return cmocka_run_group_tests_name("subject", tests, NULL, NULL);
}
