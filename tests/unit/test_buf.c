/* Buffers: growth, the maximum, sticky failure. */

#include "tests/support.h"

#include "base/internal.h"

static void
test_buf__appends_in_order(void **state)
{
    (void)state;
    arvo_buf buf = ARVO_BUF_INIT(100000);
    assert_str_is(arvo_buf_str(&buf), "");
    assert_non_null(arvo_buf_str(&buf).ptr);
    arvo_buf_append(&buf, NULL, 0);
    arvo_buf_append_str(&buf, ARVO_STR("one "));
    arvo_buf_append_char(&buf, '2');
    arvo_buf_printf(&buf, " %s %d", "three", 4);
    arvo_buf_append_str(&buf, ARVO_STR_NONE);
    char *dst = arvo_buf_reserve(&buf, 5);
    assert_non_null(dst);
    memcpy(dst, " five", 5);
    assert_str_is(arvo_buf_str(&buf), "one 2 three 4");
    buf.len += 5;
    assert_str_is(arvo_buf_str(&buf), "one 2 three 4 five");
    arvo_buf_fini(&buf);
    assert_int_equal(buf.len, 0);
    arvo_buf_append_char(&buf, 'x'); /* may be used again */
    assert_str_is(arvo_buf_str(&buf), "x");
    arvo_buf_fini(&buf);
}

static void
test_buf__keeps_its_bytes_while_growing(void **state)
{
    (void)state;
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    for (size_t i = 0; i < 20000; i++)
        arvo_buf_append_char(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.len, 20000);
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(buf.ptr[i], 'a' + (int)(i % 26));
    arvo_buf_fini(&buf);
}

static void
test_buf__prints_long_text(void **state)
{
    (void)state;
    arvo_buf buf = ARVO_BUF_INIT(3000);
    for (int width = 250; width < 260; width++) {
        arvo_buf_reset(&buf);
        arvo_buf_printf(&buf, "<%*d>", width, 7);
        assert_int_equal(buf.len, width + 2);
        assert_memory_equal(buf.ptr + width - 1, " 7>", 3);
    }
    arvo_buf_reset(&buf);
    arvo_buf_printf(&buf, "%3000d", 7); /* the maximum exactly: the NUL does not count */
    assert_int_equal(buf.status, ARVO_OK);
    assert_int_equal(buf.len, 3000);
    arvo_buf_reset(&buf);
    arvo_buf_printf(&buf, "%3001d", 7);
    assert_int_equal(buf.status, ARVO_E_TOO_BIG);
    assert_int_equal(buf.len, 0);
    arvo_buf_fini(&buf);
}

static void
test_buf__maximum_is_exact_and_failure_sticks(void **state)
{
    (void)state;
    arvo_buf buf = ARVO_BUF_INIT(10);
    arvo_buf_append(&buf, "1234567890", 10);
    assert_int_equal(buf.status, ARVO_OK);
    arvo_buf_append_char(&buf, '!');
    assert_int_equal(buf.status, ARVO_E_TOO_BIG);
    assert_str_is(arvo_buf_str(&buf), "1234567890");

    buf.len = 0; /* room again, but the failure stays */
    arvo_buf_append_char(&buf, '!');
    arvo_buf_printf(&buf, "%d", 1);
    assert_null(arvo_buf_reserve(&buf, 1));
    assert_int_equal(buf.len, 0);
    arvo_buf_reset(&buf);
    assert_int_equal(buf.status, ARVO_OK);
    assert_null(arvo_buf_reserve(&buf, SIZE_MAX));
    assert_int_equal(buf.status, ARVO_E_TOO_BIG);
    arvo_buf_fini(&buf);
    assert_int_equal(buf.status, ARVO_OK);
}

static void
test_buf__reset_keeps_the_memory(void **state)
{
    (void)state;
    support_allocator heap = { 0 };
    const arvo_allocator allocator = support_allocator_ops(&heap);
    arvo_buf buf = { .bytes_max = 1 << 20, .allocator = &allocator };
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3000; i++)
            arvo_buf_append_char(&buf, 'x');
        arvo_buf_reset(&buf);
    }
    assert_int_equal(heap.live, 1);
    assert_true(heap.calls < 8);
    arvo_buf_fini(&buf);
    assert_int_equal(heap.live, 0);
    assert_int_equal(heap.bytes, 0);
}

static void
test_buf__survives_each_failing_allocation(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo_buf buf = { .bytes_max = 1 << 20, .allocator = &allocator };
        for (int i = 0; i < 10; i++)
            arvo_buf_printf(&buf, "%*d", 400, i);
        assert_int_equal(buf.status, heap.calls < n ? ARVO_OK : ARVO_E_NOMEM);
        const bool done = heap.calls < n;
        assert_true(!done || buf.len == 4000);
        arvo_buf_fini(&buf);
        assert_int_equal(heap.live, 0);
        if (done)
            break;
        assert_true(n < 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf__appends_in_order),
        cmocka_unit_test(test_buf__keeps_its_bytes_while_growing),
        cmocka_unit_test(test_buf__prints_long_text),
        cmocka_unit_test(test_buf__maximum_is_exact_and_failure_sticks),
        cmocka_unit_test(test_buf__reset_keeps_the_memory),
        cmocka_unit_test(test_buf__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
