/* Codecs, packed texts, and a sound subject: what the tests of subjects share. */
#ifndef ARVO_TESTS_SUBJECT_FIXTURE_H
#define ARVO_TESTS_SUBJECT_FIXTURE_H

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

static inline int
setup(void **state)
{
    (void)state;
    arena = arvo_arena_new(NULL);
    codec = arvo_subject_codec_new(NULL);
    lenient = arvo_subject_codec_new(&(arvo_subject_codec_opts){ .lenient = true });
    return arena != NULL && codec != NULL && lenient != NULL ? 0 : -1;
}

static inline int
teardown(void **state)
{
    (void)state;
    arvo_subject_codec_free(lenient);
    arvo_subject_codec_free(codec);
    arvo_arena_free(arena);
    return 0;
}

static bool broken_source;

static inline bool
still_random(void *self, void *bytes, size_t len)
{
    (void)self;
    memset(bytes, 0xcd, len);
    return !broken_source;
}

static inline int64_t
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

static inline const arvo_json *
json(const char *text)
{
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(arvo_str_from(text), arena, &value, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static inline const char *
text_of(const arvo_json *value)
{
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &buf);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
    arvo_buf_fini(&buf);
    return copy.ptr;
}

static inline arvo_str
base64(const void *bytes, size_t len)
{
    char *out = arvo_arena_alloc(arena, arvo__base64_encoded_len(len) + 1);
    assert_non_null(out);
    arvo__base64_encode(bytes, len, out);
    return (arvo_str){ out, arvo__base64_encoded_len(len) };
}

/* base64(zlib(bytes)), made with zlib itself. */
static inline arvo_str
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

static inline arvo_str
packed_text(const char *text)
{
    return packed(text, strlen(text));
}

static inline void
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

static inline void
expect_refused(arvo_str text, arvo_status status, const char *wanted)
{
    expect_refused_by(codec, text, status, wanted);
    expect_refused_by(NULL, text, status, wanted);
}

static inline arvo_subject
decode_by(arvo_subject_codec *by, arvo_str text)
{
    arvo_subject subject;
    arvo_error err = { 0 };
    if (arvo_subject_decode(by, text, arena, &subject, &err) != ARVO_OK)
        fail_msg("%.*s: %s", ARVO_FMT(text), err.text);
    return subject;
}

static inline arvo_subject
sound(void)
{
    return (arvo_subject){
        .orchestrator_name = ARVO_STR("arvo.orc.a"),
        .orchestrator_version = ARVO_STR("1.0.0"),
        .execution_id = ARVO_STR("id-1"),
        .initiator = ARVO_STR("com.a.b"),
    };
}

static inline arvo_str
encode(const arvo_subject *subject)
{
    arvo_str text = ARVO_STR_NONE;
    arvo_error err = { 0 };
    if (arvo_subject_encode(codec, subject, arena, &text, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return text;
}

static inline arvo_str
numbered(unsigned number)
{
    char id[32];
    const int len = snprintf(id, sizeof(id), "id-%u", number);
    arvo_subject subject = sound();
    subject.execution_id = (arvo_str){ id, (size_t)len };
    return encode(&subject);
}

static inline void
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

#define DOCUMENT(orchestrator, execution, meta)                                                    \
    packed_text("{\"orchestrator\":" orchestrator ",\"execution\":" execution ",\"meta\":" meta "}")
#define ORCHESTRATOR "{\"name\":\"a.b.c\",\"version\":\"1.0.0\"}"
#define EXECUTION    "{\"id\":\"x\",\"initiator\":\"a.b.c\"}"

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
