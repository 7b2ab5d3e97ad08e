/* Random UUIDs: form, bits, and a source that fails. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <arvo/platform.h>

/* A source that hands out the bytes it is given, then fails. */
struct script {
    const unsigned char *bytes;
    size_t left;
};

static bool
script_random(void *self, void *bytes, size_t len)
{
    struct script *script = self;
    if (len > script->left)
        return false;
    memcpy(bytes, script->bytes, len);
    script->bytes += len;
    script->left -= len;
    return true;
}

static int64_t
no_time(void *self)
{
    (void)self;
    return 0;
}

static bool
uuid_from(const unsigned char *bytes, size_t len, char *out)
{
    struct script script = { bytes, len };
    const arvo_platform platform = {
        .version = ARVO_PLATFORM_OPS_VERSION,
        .time_ms = no_time,
        .monotonic_ns = no_time,
        .random = script_random,
        .self = &script,
    };
    return arvo_uuid_new(&platform, out);
}

static void
test_uuid__writes_bytes_in_order(void **state)
{
    (void)state;
    static const unsigned char bytes[16] = { 0x55, 0x0e, 0x84, 0x00, 0xe2, 0x9b, 0x41, 0xd4,
                                             0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0x01, 0x9f };
    char out[ARVO_UUID_BYTES + 1] = { 0 };
    assert_true(uuid_from(bytes, 16, out));
    assert_string_equal(out, "550e8400-e29b-41d4-a716-44665544019f");
}

static void
test_uuid__sets_version_and_variant(void **state)
{
    (void)state;
    unsigned char bytes[16];
    char out[ARVO_UUID_BYTES + 1] = { 0 };
    memset(bytes, 0x00, 16);
    assert_true(uuid_from(bytes, 16, out));
    assert_string_equal(out, "00000000-0000-4000-8000-000000000000");
    memset(bytes, 0xff, 16);
    assert_true(uuid_from(bytes, 16, out));
    assert_string_equal(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

static void
test_uuid__every_byte_value_is_written_right(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        unsigned char bytes[16];
        char out[ARVO_UUID_BYTES + 1] = { 0 }, expected[16];
        memset(bytes, (int)value, 16);
        assert_true(uuid_from(bytes, 16, out));
        snprintf(expected, sizeof(expected), "%02x%02x%02x%02x-", value, value, value, value);
        assert_memory_equal(out, expected, 9);
        assert_memory_equal(out + 28, expected, 8);
    }
}

static void
test_uuid__writes_exactly_36_bytes(void **state)
{
    (void)state;
    char out[ARVO_UUID_BYTES + 2];
    memset(out, '!', sizeof(out));
    assert_true(arvo_uuid_new(arvo_platform_system(), out + 1));
    assert_int_equal(out[0], '!');
    assert_int_equal(out[ARVO_UUID_BYTES + 1], '!');
}

static void
test_uuid__reports_a_failed_source(void **state)
{
    (void)state;
    static const unsigned char bytes[15] = { 0 };
    char out[ARVO_UUID_BYTES];
    assert_false(uuid_from(bytes, 15, out));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid__writes_bytes_in_order),
        cmocka_unit_test(test_uuid__sets_version_and_variant),
        cmocka_unit_test(test_uuid__every_byte_value_is_written_right),
        cmocka_unit_test(test_uuid__writes_exactly_36_bytes),
        cmocka_unit_test(test_uuid__reports_a_failed_source),
    };
    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
