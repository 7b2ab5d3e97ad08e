/* The string map. */

#include "tests/support.h"

#include "base/internal.h"

static void
test_map__finds_what_was_set(void **state)
{
    (void)state;
    arvo__map map = { 0 };
    int one = 1, two = 2;
    assert_null(arvo__map_find(&map, ARVO_STR("a")));
    assert_true(arvo__map_set(&map, ARVO_STR("a"), &one));
    assert_true(arvo__map_set(&map, ARVO_STR(""), &two));
    assert_ptr_equal(arvo__map_find(&map, ARVO_STR("a")), &one);
    assert_ptr_equal(arvo__map_find(&map, ARVO_STR("")), &two);
    assert_null(arvo__map_find(&map, ARVO_STR("b")));
    assert_true(arvo__map_set(&map, ARVO_STR("a"), &two));
    assert_ptr_equal(arvo__map_find(&map, ARVO_STR("a")), &two);
    assert_int_equal(map.count, 2);
    arvo__map_fini(&map);
    assert_int_equal(map.count, 0);
    assert_null(arvo__map_find(&map, ARVO_STR("a")));
    arvo__map_fini(&map);
}

static void
test_map__holds_many(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    arvo__map map = { 0 };
    char(*keys)[16] = calloc(COUNT, sizeof(*keys));
    assert_non_null(keys);
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "key%zu", i);
        assert_true(arvo__map_set(&map, arvo_str_from(keys[i]), keys[i]));
    }
    assert_int_equal(map.count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(arvo__map_find(&map, arvo_str_from(keys[i])), keys[i]);
    assert_null(arvo__map_find(&map, ARVO_STR("key50000")));
    arvo__map_fini(&map);
    free(keys);
}

static void
test_map__a_failed_set_changes_nothing(void **state)
{
    (void)state;
    static const char *const keys[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                        "k", "l", "m", "n", "o", "p", "q", "r", "s", "t",
                                        "u", "v", "w", "x", "y", "z", "A", "B", "C", "D" };
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo__map map = { .allocator = &allocator };
        int value = 0;
        size_t set = 0;
        while (set < ARVO_COUNT_OF(keys) && arvo__map_set(&map, arvo_str_from(keys[set]), &value))
            set++;
        assert_int_equal(map.count, set);
        for (size_t i = 0; i < ARVO_COUNT_OF(keys); i++)
            assert_true((arvo__map_find(&map, arvo_str_from(keys[i])) != NULL) == (i < set));
        arvo__map_fini(&map);
        assert_int_equal(heap.live, 0);
        if (heap.calls < n) {
            assert_int_equal(set, ARVO_COUNT_OF(keys));
            break;
        }
        assert_true(n < 100);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map__finds_what_was_set),
        cmocka_unit_test(test_map__holds_many),
        cmocka_unit_test(test_map__a_failed_set_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
