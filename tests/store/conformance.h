/* One set of tests for every store, a user's own included.
 *
 *     static arvo_status open_mine(void *user, const arvo_platform *platform, arvo_memory **out,
 *                                  arvo_error *err);
 *
 *     return store_conformance_run(&(store_factory){ .name = "mine", .open = open_mine });
 *
 * Tests of optional functions that the store lacks are skipped, by name.
 */
#ifndef ARVO_TESTS_STORE_CONFORMANCE_H
#define ARVO_TESTS_STORE_CONFORMANCE_H

#include <arvo/memory.h>

typedef struct store_factory {
    const char *name;
    /* A fresh, empty store each time; the test closes it. `platform` has a clock that the tests
     * move. */
    arvo_status (*open)(
        void *user, const arvo_platform *platform, arvo_memory **out, arvo_error *err);
    void (*discard)(void *user); /* after the close; nullable */
    void *user;
    bool ignores_clock;    /* the store has a clock of its own: expiry is not tested */
    bool keeps_no_history; /* has the function, but was opened without history */
    bool has_no_line;      /* those who wait for a lease get it in any order */
    bool refuses_nul;      /* says so of a NUL byte in a string, and keeps nothing of it */
    size_t many;           /* subjects in the tests that want many; 0: 2000 */
} store_factory;

/** Run it all. @return number of failed tests. */
int store_conformance_run(const store_factory *factory);

/* ---- For the tests of one store ---------------------------------------- */

/* A clock that stands still until it is moved, and the system's random source. */
typedef struct store_clock {
    int64_t now_ms;
    arvo_platform platform;
    /* Told when it was moved, for a store whose clock is elsewhere; nullable. An `open` that wants
     * it finds this struct in platform->self. */
    void (*moved)(int64_t now_ms);
} store_clock;

void store_clock_init(store_clock *clock);

/* A record with every string filled in; borrowed literals but for the subject. */
arvo_record store_record(arvo_str subject);
arvo_stored_event store_event(const char *id);
void store_assert_record_equal(const arvo_record *a, const arvo_record *b);

#endif
