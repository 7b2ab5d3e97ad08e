/* Registering a store, and the URLs of the built-in ones. */

#include <arvo/memory.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- A store that does nothing ----------------------------------------- */

static arvo_status
none_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err)
{
    (void)self, (void)subject, (void)arena, (void)out, (void)err;
    *out_found = false;
    return ARVO_OK;
}

static arvo_status
none_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    (void)self, (void)subject, (void)record, (void)previous, (void)lease, (void)err;
    return ARVO_OK;
}

static arvo_status
none_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    (void)self, (void)subject, (void)ttl_ms, (void)wait_ms, (void)out, (void)err;
    *out_acquired = true;
    return ARVO_OK;
}

static arvo_status
none_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    (void)self, (void)subject, (void)lease, (void)err;
    return ARVO_OK;
}

static arvo_status
none_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    (void)self, (void)commits, (void)count, (void)err;
    return ARVO_OK;
}

static arvo_status
none_inbox(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    (void)self, (void)subject, (void)source, (void)id, (void)each, (void)user, (void)err;
    *out_found = false;
    return ARVO_OK;
}

static arvo_status
none_outbox(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    (void)self, (void)after, (void)limit, (void)each, (void)user, (void)err;
    return ARVO_OK;
}

static arvo_status
none_done(void *self, int64_t seq, arvo_error *err)
{
    (void)self, (void)seq, (void)err;
    return ARVO_OK;
}

static arvo_status
none_wait(void *self, int64_t timeout_ms, arvo_error *err)
{
    (void)self, (void)timeout_ms, (void)err;
    return ARVO_OK;
}

static arvo_status
none_dump(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    (void)self, (void)each, (void)user, (void)err;
    return ARVO_OK;
}

static arvo_status
none_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    (void)self, (void)request, (void)arena, (void)out, (void)err;
    return ARVO_OK;
}

static void
none_close(void *self)
{
    (*(int *)self)++;
}

static const arvo_memory_ops none_ops = {
    .version = ARVO_MEMORY_OPS_VERSION,
    .name = "none",
    .read = none_read,
    .write = none_write,
    .lock = none_lock,
    .unlock = none_unlock,
    .commit = none_commit,
    .inbox_find = none_inbox,
    .outbox_list = none_outbox,
    .outbox_done = none_done,
    .close = none_close,
};

/* ---- Registration ------------------------------------------------------ */

static void
test_memory__a_whole_table_is_registered(void **state)
{
    (void)state;
    int closed = 0;
    arvo_memory *memory = NULL;
    arvo_memory_ops ops = none_ops;
    assert_int_equal(arvo_memory_new(&ops, &closed, &memory, NULL), ARVO_OK);
    memset(&ops, 0, sizeof(ops)); /* it was copied */
    assert_string_equal(arvo_memory_name(memory), "none");
    assert_ptr_equal(arvo_memory_self(memory), &closed);
    assert_ptr_equal(arvo_memory_ops_of(memory)->read, none_read);
    arvo_memory_close(memory);
    assert_int_equal(closed, 1);
    arvo_memory_close(NULL);
}

static void
assert_not_registered(const arvo_memory_ops *ops, const char *word)
{
    int closed = 0;
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    assert_int_equal(arvo_memory_new(ops, &closed, &memory, &err), ARVO_E_INVALID);
    assert_null(memory);
    assert_int_equal(closed, 0);
    if (strstr(err.text, word) == NULL)
        fail_msg("\"%s\" does not name %s", err.text, word);
}

static void
test_memory__holes_in_the_table_are_named(void **state)
{
    (void)state;
    arvo_memory_ops ops = none_ops;
    ops.version = 2;
    assert_not_registered(&ops, "version 2");
#define WITHOUT(member, word)                                                                      \
    do {                                                                                           \
        ops = none_ops;                                                                            \
        ops.member = NULL;                                                                         \
        assert_not_registered(&ops, word);                                                         \
    } while (0)
    WITHOUT(name, "name");
    WITHOUT(read, "read");
    WITHOUT(write, "write");
    WITHOUT(lock, "lock");
    WITHOUT(unlock, "unlock");
    WITHOUT(commit, "inbox_find");
    WITHOUT(inbox_find, "inbox_find");
    WITHOUT(outbox_list, "outbox_done");
    WITHOUT(outbox_done, "outbox_list");
    ops = none_ops;
    ops.commit = NULL;
    ops.inbox_find = NULL;
    assert_not_registered(&ops, "outbox");
    ops = none_ops;
    ops.outbox_wait = none_wait; /* one of eight */
    assert_not_registered(&ops, "outbox_claim");
    ops = none_ops;
    ops.dump = none_dump;
    assert_not_registered(&ops, "load");
    ops = none_ops;
    ops.commit = NULL;
    ops.inbox_find = NULL;
    ops.outbox_list = NULL;
    ops.outbox_done = NULL;
    ops.lock_read = none_lock_read;
    assert_not_registered(&ops, "lock_read");
}

static void
test_memory__required_functions_are_enough(void **state)
{
    (void)state;
    const arvo_memory_ops ops = { .version = ARVO_MEMORY_OPS_VERSION,
                                  .name = "small",
                                  .read = none_read,
                                  .write = none_write,
                                  .lock = none_lock,
                                  .unlock = none_unlock };
    arvo_memory *memory = NULL;
    assert_int_equal(arvo_memory_new(&ops, NULL, &memory, NULL), ARVO_OK);
    arvo_memory_close(memory); /* without a close of its own */
}

/* ---- URLs -------------------------------------------------------------- */

static void
test_memory__urls_that_open(void **state)
{
    (void)state;
    static const char *const urls[] = { "memory:",
                                        "memory:?",
                                        "memory:?inbox=0",
                                        "memory:?inbox=1024&history=off",
                                        "memory:?history=on&inbox=3&inbox_bytes=0",
                                        "memory:?inbox=3&inbox=4" };
    for (size_t i = 0; i < ARVO_COUNT_OF(urls); i++) {
        arvo_memory *memory = NULL;
        arvo_error err = { 0 };
        if (arvo_memory_open(urls[i], &memory, &err) != ARVO_OK)
            fail_msg("%s: %s", urls[i], err.text);
        assert_string_equal(arvo_memory_name(memory), "simple");
        arvo_memory_close(memory);
    }
}

static void
test_memory__urls_that_do_not_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *url, *words[3];
    } cases[] = {
        { "", { "memory:", "sqlite:" } },
        { "orders.db", { "orders.db", "sqlite:PATH" } },
        { "mysql://host/db", { "mysql", "memory:", "sqlite:" } },
        { "MEMORY:", { "memory:" } },
        { "memory", { "memory:" } },
        { "memory:x", { "\"x\"" } },
        { "memory:?colour=red", { "colour", "inbox", "history" } },
        { "memory:?inbox", { "inbox", "number" } },
        { "memory:?inbox=", { "inbox", "number" } },
        { "memory:?inbox=-1", { "-1", "0 to 1024" } },
        { "memory:?inbox=1025", { "1025", "0 to 1024" } },
        { "memory:?inbox=99999999999999999999", { "0 to 1024" } },
        { "memory:?inbox=1e3", { "1e3" } },
        { "memory:?history=yes", { "yes", "off or on" } },
        { "memory:?&", { "unknown parameter" } },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_memory *memory = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_memory_open(cases[i].url, &memory, &err);
        if (st != ARVO_E_INVALID)
            fail_msg("%s: %s", cases[i].url, arvo_status_name(st));
        assert_null(memory);
        for (size_t k = 0; k < 3 && cases[i].words[k] != NULL; k++) {
            if (strstr(err.text, cases[i].words[k]) == NULL)
                fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].url, err.text, cases[i].words[k]);
        }
    }
}

static void
test_memory__sqlite_urls_that_do_not(void **state)
{
    (void)state;
    static const char *const urls[] = { "sqlite:",
                                        "sqlite:?mode=ro",
                                        "sqlite::memory:",
                                        "sqlite://orders.db",
                                        "sqlite:/tmp/x.db?colour=red",
                                        "sqlite:/tmp/x.db?sync=off",
                                        "sqlite:/tmp/x.db?mode=rw",
                                        "sqlite:/tmp/x.db?pages=0" };
    for (size_t i = 0; i < ARVO_COUNT_OF(urls); i++) {
        arvo_memory *memory = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_memory_open(urls[i], &memory, &err);
        if (st != ARVO_E_INVALID && st != ARVO_E_UNSUPPORTED)
            fail_msg("%s: %s", urls[i], arvo_status_name(st));
        assert_null(memory);
        assert_true(err.text[0] != '\0');
    }
    char *url = malloc(6000);
    assert_non_null(url);
    memset(url, 'x', 5999);
    url[5999] = '\0';
    memcpy(url, "sqlite:", 7);
    arvo_memory *memory = NULL;
    const arvo_status st = arvo_memory_open(url, &memory, NULL);
    assert_true(st == ARVO_E_INVALID || st == ARVO_E_UNSUPPORTED);
    free(url);
}

static void
test_memory__platform_of_another_version_is_refused(void **state)
{
    (void)state;
    arvo_platform platform = *arvo_platform_system();
    arvo_memory *memory = NULL;
    platform.version = 9;
    assert_int_equal(arvo_memory_open_with("memory:", &platform, &memory, NULL), ARVO_E_INVALID);
    platform = *arvo_platform_system();
    platform.time_ms = NULL;
    assert_int_equal(arvo_memory_open_with("memory:", &platform, &memory, NULL), ARVO_E_INVALID);
    assert_null(memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__a_whole_table_is_registered),
        cmocka_unit_test(test_memory__holes_in_the_table_are_named),
        cmocka_unit_test(test_memory__required_functions_are_enough),
        cmocka_unit_test(test_memory__urls_that_open),
        cmocka_unit_test(test_memory__urls_that_do_not_say_why),
        cmocka_unit_test(test_memory__sqlite_urls_that_do_not),
        cmocka_unit_test(test_memory__platform_of_another_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
