/* The codec of subjects: hostile and foreign input, the cache. */

#include "subject_fixture.h"

/* ---- Hostile and foreign input -------------------------------------------------------------- */

#define GOOD_JSON "{\"orchestrator\":" ORCHESTRATOR ",\"execution\":" EXECUTION ",\"meta\":{}}"

static void
test_subject_codec__only_canonical_base64(void **state)
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
test_subject_codec__cut_streams_are_refused(void **state)
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
test_subject_codec__damaged_streams_are_refused(void **state)
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
test_subject_codec__other_containers_are_refused(void **state)
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
test_subject_codec__dictionaries_are_refused(void **state)
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
test_subject_codec__bombs_are_refused(void **state)
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
test_subject_codec__json_limit_is_exact(void **state)
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
test_subject_codec__is_stored_when_short_and_deflated_when_long(void **state)
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
test_subject_codec__too_long_is_not_encoded(void **state)
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
test_subject_codec__text_must_be_json(void **state)
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
test_subject_codec__lenient_repairs_text(void **state)
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
test_subject_codec__lenient_reads_joined_members(void **state)
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

/* More subjects than entries, for several sizes of cache: every answer is right. */
static void
test_subject_codec__cache_answers_like_a_fresh_decode(void **state)
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
test_subject_codec__cache_hit_uses_no_arena(void **state)
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
test_subject_codec__cache_keeps_what_is_used(void **state)
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
test_subject_codec__decoded_subject_outlives_seven_decodes(void **state)
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
test_subject_codec__what_was_made_may_be_remembered(void **state)
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
test_subject_codec__failures_are_not_cached(void **state)
{
    (void)state;
    expect_refused_by(codec, packed_text("{}"), ARVO_E_INVALID, "orchestrator.name");
    expect_refused_by(codec, packed_text("{}"), ARVO_E_INVALID, "orchestrator.name");
}

static void
test_subject_codec__large_subjects_are_read_but_not_cached(void **state)
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_subject_codec__only_canonical_base64),
        WITH(test_subject_codec__cut_streams_are_refused),
        WITH(test_subject_codec__damaged_streams_are_refused),
        WITH(test_subject_codec__other_containers_are_refused),
        WITH(test_subject_codec__dictionaries_are_refused),
        WITH(test_subject_codec__bombs_are_refused),
        WITH(test_subject_codec__json_limit_is_exact),
        WITH(test_subject_codec__is_stored_when_short_and_deflated_when_long),
        WITH(test_subject_codec__too_long_is_not_encoded),
        WITH(test_subject_codec__text_must_be_json),
        WITH(test_subject_codec__lenient_repairs_text),
        WITH(test_subject_codec__lenient_reads_joined_members),
        WITH(test_subject_codec__cache_answers_like_a_fresh_decode),
        WITH(test_subject_codec__cache_hit_uses_no_arena),
        WITH(test_subject_codec__cache_keeps_what_is_used),
        WITH(test_subject_codec__decoded_subject_outlives_seven_decodes),
        WITH(test_subject_codec__what_was_made_may_be_remembered),
        WITH(test_subject_codec__failures_are_not_cached),
        WITH(test_subject_codec__large_subjects_are_read_but_not_cached),
    };
    return cmocka_run_group_tests_name("subject_codec", tests, NULL, NULL);
}
