/* Sets of state numbers, against arrays of booleans. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "machine/bits.h"

static const uint32_t sizes[] = { 1, 2, 63, 64, 65, 255, 256, 257, 1000, 10000, BITS_MEMBERS_MAX };

typedef struct sets {
    uint64_t *bits; /* what lies in it before the first clear is garbage */
    bool *model;
    uint32_t size;
} sets;

static uint64_t random_state;

static uint32_t
below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

static sets
sets_new(uint32_t size)
{
    sets s = { .bits = malloc(bits_words(size) * sizeof(uint64_t)),
               .model = calloc(size, sizeof(bool)),
               .size = size };
    assert_non_null(s.bits);
    assert_non_null(s.model);
    memset(s.bits, 0xa5, bits_words(size) * sizeof(uint64_t));
    bits_clear(s.bits);
    return s;
}

static void
sets_free(sets *s)
{
    free(s->bits);
    free(s->model);
}

static void
sets_add_some(sets *s, uint32_t count)
{
    /* Clusters, as the states of a region are. */
    for (uint32_t i = 0, near = below(s->size); i < count; i++) {
        const uint32_t member = below(3) == 0 ? below(s->size) : (near + i) % s->size;
        bits_add(s->bits, member);
        s->model[member] = true;
    }
}

static void
assert_same(const sets *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->size; i++) {
        assert_int_equal(bits_has(s->bits, i), s->model[i]);
        count += s->model[i];
    }
    assert_int_equal(bits_count(s->bits), count);
}

static uint32_t
model_next(const sets *s, uint32_t from, uint32_t to)
{
    for (; from < to; from++)
        if (s->model[from])
            return from;
    return BITS_NONE;
}

static uint32_t
model_last(const sets *s, uint32_t from, uint32_t to)
{
    while (to-- > from)
        if (s->model[to])
            return to;
    return BITS_NONE;
}

static void
test_bits__agree_with_a_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(sizes); i++) {
        sets s = sets_new(sizes[i]);
        assert_same(&s);
        sets_add_some(&s, 1 + below(60));
        for (uint32_t k = 0; k < 30; k++) {
            const uint32_t gone = below(s.size);
            bits_remove(s.bits, gone);
            s.model[gone] = false;
        }
        assert_same(&s);
        for (uint32_t k = 0; k < 300; k++) {
            const uint32_t from = below(s.size);
            const uint32_t to = below(4) == 0 ? from : from + below(s.size - from + 1);
            assert_int_equal(bits_next(s.bits, from, to), model_next(&s, from, to));
            assert_int_equal(bits_last(s.bits, from, to), model_last(&s, from, to));
            assert_int_equal(bits_any_in(s.bits, from, to), model_next(&s, from, to) != BITS_NONE);
        }
        assert_int_equal(bits_next(s.bits, 0, s.size), model_next(&s, 0, s.size));
        assert_int_equal(bits_last(s.bits, 0, s.size), model_last(&s, 0, s.size));
        bits_clear(s.bits);
        memset(s.model, 0, s.size * sizeof(bool));
        assert_same(&s);
        sets_free(&s);
    }
}

static void
test_bits__copies_are_equal_until_they_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(sizes); i++) {
        sets a = sets_new(sizes[i]);
        sets b = sets_new(sizes[i]);
        sets_add_some(&a, 1 + below(20));
        bits_copy(b.bits, a.bits);
        memcpy(b.model, a.model, a.size * sizeof(bool));
        assert_same(&b);
        assert_true(bits_equal(a.bits, b.bits));
        const uint32_t other = below(a.size);
        if (b.model[other])
            bits_remove(b.bits, other);
        else
            bits_add(b.bits, other);
        assert_false(bits_equal(a.bits, b.bits));
        assert_false(bits_equal(b.bits, a.bits));
        bits_clear(b.bits);
        bits_add(b.bits, other); /* a group that holds nothing is no group */
        bits_remove(b.bits, other);
        bits_clear(a.bits);
        assert_true(bits_equal(a.bits, b.bits));
        sets_free(&a);
        sets_free(&b);
    }
}

static void
test_bits__add_in_takes_a_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(sizes); i++) {
        for (uint32_t k = 0; k < 20; k++) {
            sets a = sets_new(sizes[i]);
            sets b = sets_new(sizes[i]);
            sets_add_some(&a, 1 + below(20));
            sets_add_some(&b, below(20));
            const uint32_t from = below(a.size);
            const uint32_t to = from + below(a.size - from + 1);
            bits_add_in(b.bits, a.bits, from, to);
            for (uint32_t m = from; m < to; m++)
                b.model[m] = b.model[m] || a.model[m];
            assert_same(&b);
            sets_free(&a);
            sets_free(&b);
        }
    }
}

int
main(void)
{
    random_state = 20261124;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits__agree_with_a_model),
        cmocka_unit_test(test_bits__copies_are_equal_until_they_differ),
        cmocka_unit_test(test_bits__add_in_takes_a_range),
    };
    return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
