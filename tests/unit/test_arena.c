/* Arenas: alignment, marks, reuse of chunks, bounds, sticky failure. */

#include "tests/support.h"

#include <stdalign.h>

#include "base/internal.h"

static void
test_arena__pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 256 });
    assert_non_null(arena);
    unsigned char *pieces[200];
    for (size_t i = 0; i < ARVO_COUNT_OF(pieces); i++) {
        pieces[i] = arvo_arena_alloc(arena, i % 50);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i % 50);
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(pieces); i++)
        for (size_t k = 0; k < i % 50; k++)
            assert_int_equal(pieces[i][k], i);
    arvo_arena_free(arena);
    arvo_arena_free(NULL);
}

static void
test_arena__internal_pieces_are_aligned_to_eight(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    for (size_t size = 0; size < 40; size++) {
        const void *ptr = arvo__arena_alloc(arena, size);
        assert_non_null(ptr);
        assert_int_equal((uintptr_t)ptr % 8, 0);
    }
    arvo_arena_free(arena);
}

static void
test_arena__calloc_is_zero_and_refuses_overflow(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    char *dirt = arvo_arena_alloc(arena, 512);
    assert_non_null(dirt);
    memset(dirt, 'x', 512);
    arvo_arena_reset(arena);
    const char *zeros = arvo_arena_calloc(arena, 16, 32);
    assert_non_null(zeros);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(zeros[i], 0);
    assert_false(arvo_arena_failed(arena));
    assert_null(arvo_arena_calloc(arena, SIZE_MAX / 2, 3));
    assert_true(arvo_arena_failed(arena));
    arvo_arena_free(arena);
}

static void
test_arena__str_dup_and_printf(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    char text[] = "a\0b";
    const arvo_str copy = arvo_arena_str_dup(arena, (arvo_str){ text, 3 });
    memset(text, '!', sizeof(text));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.ptr, "a\0b", 4);
    assert_null(arvo_arena_str_dup(arena, ARVO_STR_NONE).ptr);
    const arvo_str empty = arvo_arena_str_dup(arena, ARVO_STR(""));
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    assert_int_equal(empty.ptr[0], '\0');

    const arvo_str printed = arvo_arena_printf(arena, "%s-%d", "x", 42);
    assert_str_is(printed, "x-42");
    assert_int_equal(printed.ptr[4], '\0');
    assert_str_is(arvo_arena_printf(arena, "%s", ""), "");
    arvo_arena_free(arena);
}

static void
test_arena__rewind_gives_back_what_came_after_the_mark(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 1024 });
    assert_non_null(arena);
    char *kept = arvo_arena_alloc(arena, 100);
    assert_non_null(kept);
    memset(kept, 'k', 100);
    const size_t used = arvo_arena_used(arena);
    assert_true(used >= 100);

    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const void *first = arvo_arena_alloc(arena, 64);
    for (int i = 0; i < 50; i++) /* into further chunks */
        assert_non_null(arvo_arena_alloc(arena, 1000));
    assert_true(arvo_arena_used(arena) > used + 50 * 1000);
    arvo_arena_rewind(arena, mark);
    assert_int_equal(arvo_arena_used(arena), used);
    assert_ptr_equal(arvo_arena_alloc(arena, 64), first);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(kept[i], 'k');

    arvo_arena_reset(arena);
    assert_int_equal(arvo_arena_used(arena), 0);
    arvo_arena_free(arena);
}

static void
test_arena__marks_nest(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 256 });
    assert_non_null(arena);
    arvo_arena_mark marks[20];
    size_t used[20];
    for (size_t i = 0; i < 20; i++) {
        marks[i] = arvo_arena_mark_get(arena);
        used[i] = arvo_arena_used(arena);
        assert_non_null(arvo_arena_alloc(arena, 200));
    }
    for (size_t i = 20; i-- > 0;) {
        arvo_arena_rewind(arena, marks[i]);
        assert_int_equal(arvo_arena_used(arena), used[i]);
    }
    arvo_arena_free(arena);
}

/* Work of any order of sizes finds its chunks again: no allocation after the first rounds. */
static void
test_arena__allocates_no_more_after_warming_up(void **state)
{
    (void)state;
    support_allocator heap = { 0 };
    const arvo_allocator allocator = support_allocator_ops(&heap);
    arvo_arena *arena =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 512 });
    assert_non_null(arena);
    static const size_t sizes[] = { 100, 5000, 30, 20000, 900, 7, 60000, 1500 };
    size_t warm = 0;
    for (size_t round = 0; round < 200; round++) {
        for (size_t i = 0; i < 64; i++)
            assert_non_null(
                arvo_arena_alloc(arena, sizes[(i * 5 + round * 3) % ARVO_COUNT_OF(sizes)]));
        arvo_arena_reset(arena);
        if (round == 20)
            warm = heap.calls;
    }
    assert_int_equal(heap.calls, warm);
    arvo_arena_free(arena);
    assert_int_equal(heap.live, 0);
    assert_int_equal(heap.bytes, 0);
}

static void
test_arena__bytes_max_bounds_and_failure_sticks(void **state)
{
    (void)state;
    support_allocator heap = { 0 };
    const arvo_allocator allocator = support_allocator_ops(&heap);
    arvo_arena *arena = arvo_arena_new(
        &(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 1024, .bytes_max = 8192 });
    assert_non_null(arena);
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    size_t pieces = 0;
    while (arvo_arena_alloc(arena, 64) != NULL)
        pieces++;
    assert_true(pieces >= 100 && pieces <= 128);
    assert_true(heap.bytes <= 8192 + 4096); /* heads of chunks, the arena itself */
    assert_true(heap.calls < 16);           /* a full arena does not end in tiny chunks */
    assert_true(arvo_arena_failed(arena));
    assert_null(arvo_arena_alloc(arena, 4096));
    assert_true(arvo_arena_failed(arena));
    arvo_arena_rewind(arena, mark);
    assert_false(arvo_arena_failed(arena));

    /* Empty chunks that are each too small make room for one that fits. */
    assert_non_null(arvo_arena_alloc(arena, 6000));
    assert_false(arvo_arena_failed(arena));
    assert_null(arvo_arena_alloc(arena, 6000));
    arvo_arena_reset(arena);
    assert_false(arvo_arena_failed(arena));
    assert_null(arvo_arena_str_dup(arena, (arvo_str){ "", SIZE_MAX }).ptr);
    assert_null(arvo_arena_alloc(arena, SIZE_MAX));
    assert_null(arvo_arena_alloc(arena, SIZE_MAX - 7));
    assert_null(arvo_arena_alloc(arena, 1 << 20));
    assert_true(arvo_arena_failed(arena));
    arvo_arena_free(arena);
    assert_int_equal(heap.live, 0);
}

static void
test_arena__a_bound_below_the_first_chunk(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = 512 });
    assert_non_null(arena);
    assert_non_null(arvo_arena_alloc(arena, 400));
    assert_null(arvo_arena_alloc(arena, 400));
    arvo_arena_free(arena);
}

static void
test_arena__survives_each_failing_allocation(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo_arena *arena =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 256 });
        bool whole = arena != NULL;
        for (size_t i = 0; i < 40 && arena != NULL; i++)
            whole = arvo_arena_printf(arena, "%0*d", (int)(i * 40), 7).ptr != NULL && whole;
        if (arena != NULL)
            assert_true(arvo_arena_failed(arena) == !whole);
        arvo_arena_free(arena);
        assert_int_equal(heap.live, 0);
        if (heap.calls < n) {
            assert_true(whole);
            break;
        }
        assert_true(n < 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__pieces_are_aligned_and_apart),
        cmocka_unit_test(test_arena__internal_pieces_are_aligned_to_eight),
        cmocka_unit_test(test_arena__calloc_is_zero_and_refuses_overflow),
        cmocka_unit_test(test_arena__str_dup_and_printf),
        cmocka_unit_test(test_arena__rewind_gives_back_what_came_after_the_mark),
        cmocka_unit_test(test_arena__marks_nest),
        cmocka_unit_test(test_arena__allocates_no_more_after_warming_up),
        cmocka_unit_test(test_arena__bytes_max_bounds_and_failure_sticks),
        cmocka_unit_test(test_arena__a_bound_below_the_first_chunk),
        cmocka_unit_test(test_arena__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
