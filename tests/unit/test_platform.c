/* The operating system's clocks and random source. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <arvo/platform.h>

static void
test_platform__table_is_whole(void **state)
{
    (void)state;
    const arvo_platform *platform = arvo_platform_system();
    assert_non_null(platform);
    assert_ptr_equal(platform, arvo_platform_system());
    assert_int_equal(platform->version, ARVO_PLATFORM_OPS_VERSION);
    assert_non_null(platform->time_ms);
    assert_non_null(platform->monotonic_ns);
    assert_non_null(platform->random);
}

static void
test_platform__time_agrees_with_the_clock(void **state)
{
    (void)state;
    const arvo_platform *platform = arvo_platform_system();
    const int64_t before = (int64_t)time(NULL) * 1000;
    const int64_t now = platform->time_ms(platform->self);
    const int64_t after = ((int64_t)time(NULL) + 1) * 1000;
    assert_true(before <= now && now <= after);
}

static void
test_platform__monotonic_never_goes_back(void **state)
{
    (void)state;
    const arvo_platform *platform = arvo_platform_system();
    const int64_t first = platform->monotonic_ns(platform->self);
    int64_t last = first;
    /* Ends: the clock moves, and the bound is far above what a microsecond takes. */
    for (int i = 0; i < 100000000 && last - first < 1000; i++) {
        const int64_t now = platform->monotonic_ns(platform->self);
        assert_true(now >= last);
        last = now;
    }
    assert_true(last - first >= 1000);
}

static void
test_platform__random_fills_any_length(void **state)
{
    (void)state;
    const arvo_platform *platform = arvo_platform_system();
    static const size_t lengths[] = { 1, 7, 16, 255, 256, 257, 4096, 4097, 20000 };
    unsigned char *bytes = malloc(20002);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const size_t len = lengths[i];
        unsigned char any[20000] = { 0 };
        for (int round = 0; round < 64; round++) { /* each byte is set at least once, or a bug */
            memset(bytes, 0, 20002);
            assert_true(platform->random(platform->self, bytes + 1, len));
            assert_int_equal(bytes[0], 0);
            assert_int_equal(bytes[len + 1], 0);
            for (size_t j = 0; j < len; j++)
                any[j] |= bytes[1 + j];
        }
        for (size_t j = 0; j < len; j++)
            assert_int_not_equal(any[j], 0);
    }
    assert_true(platform->random(platform->self, bytes, 0));
    free(bytes);
}

/* Blocks of 4096 bytes are crossed many times; a repeat of 16 random bytes is a bug. */
static int
compare16(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void
test_platform__random_never_repeats(void **state)
{
    (void)state;
    const arvo_platform *platform = arvo_platform_system();
    enum { COUNT = 20000 };
    unsigned char(*draws)[16] = malloc(COUNT * sizeof(*draws));
    assert_non_null(draws);
    for (int i = 0; i < COUNT; i++)
        assert_true(platform->random(platform->self, draws[i], 16));
    qsort(draws, COUNT, 16, compare16);
    for (int i = 1; i < COUNT; i++)
        assert_int_not_equal(memcmp(draws[i - 1], draws[i], 16), 0);
    free(draws);
}

static void
test_platform__random_is_not_shared_across_fork(void **state)
{
    (void)state;
    const arvo_platform *platform = arvo_platform_system();
    unsigned char mine[256], childs[256];
    assert_true(platform->random(platform->self, mine, 16)); /* a block is drawn */

    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsigned char bytes[256];
        const bool ok = platform->random(platform->self, bytes, sizeof(bytes)) &&
                        write(pipes[1], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes);
        _exit(ok ? 0 : 1);
    }
    close(pipes[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(pipes[0], childs + got, sizeof(childs) - got)) > 0;)
        got += (size_t)n;
    close(pipes[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(got, sizeof(childs));

    assert_true(platform->random(platform->self, mine, sizeof(mine)));
    for (size_t i = 0; i < sizeof(mine); i += 16)
        for (size_t j = 0; j < sizeof(childs); j += 16)
            assert_int_not_equal(memcmp(mine + i, childs + j, 16), 0);
}

static void *
draw_in_thread(void *bytes)
{
    const arvo_platform *platform = arvo_platform_system();
    return platform->random(platform->self, bytes, 256) ? bytes : NULL;
}

static void
test_platform__threads_draw_different_bytes(void **state)
{
    (void)state;
    unsigned char bytes[8][256];
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_in_thread, bytes[i]), 0);
    for (size_t i = 0; i < 8; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, bytes[i]);
    }
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(memcmp(bytes[i], bytes[j], 256), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_platform__table_is_whole),
        cmocka_unit_test(test_platform__time_agrees_with_the_clock),
        cmocka_unit_test(test_platform__monotonic_never_goes_back),
        cmocka_unit_test(test_platform__random_fills_any_length),
        cmocka_unit_test(test_platform__random_never_repeats),
        cmocka_unit_test(test_platform__random_is_not_shared_across_fork),
        cmocka_unit_test(test_platform__threads_draw_different_bytes),
    };
    return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
