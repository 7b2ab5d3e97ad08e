/* Fresh seeds, and the simulation itself: one seed is one run, a broken one is made smaller. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../support.h"
#include "mutants.h"

#define FRESH_SEEDS 300

static arvo_sim_report
run(const arvo_sim_opts *opts)
{
    arvo_sim_report report;
    arvo_error err = { 0 };
    if (arvo_sim_run(opts, &report, &err) != ARVO_OK)
        fail_msg("seed %" PRIu64 ": %s", opts->seed, err.text);
    return report;
}

/* Nobody has seen these seeds before. */
static void
test_sim__fresh_seeds_break_nothing(void **state)
{
    (void)state;
    const char *wanted = getenv("ARVO_SIM_SEED");
    const uint64_t first =
        wanted != NULL ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL) * 4001;
    uint64_t events = 0, faults = 0, crashes = 0;
    printf("seeds from %" PRIu64 " (ARVO_SIM_SEED sets another one)\n", first);
    for (uint64_t i = 0; i < FRESH_SEEDS; i++) {
        const arvo_sim_opts opts = { .seed = first + i, .faults = ARVO_SIM_FAULTS_ALL };
        const arvo_sim_report report = run(&opts);
        if (report.failed)
            fail_msg(
                "%s: %s: arvo sim --seed %" PRIu64 " tells how", report.rule, report.what,
                opts.seed);
        events += report.events;
        faults += report.struck_count;
        crashes += report.crashes;
    }
    printf(
        "%d runs: %" PRIu64 " events, %" PRIu64 " faults, %" PRIu64 " crashes\n", FRESH_SEEDS,
        events, faults, crashes);
    assert_true(events > FRESH_SEEDS && faults > FRESH_SEEDS && crashes > FRESH_SEEDS);
}

static void
keep_line(void *user, arvo_str line)
{
    arvo_buf *story = user;
    arvo_buf_append_str(story, line);
    arvo_buf_append_char(story, '\n');
}

static void
test_sim__a_seed_is_one_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        arvo_buf first = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
        arvo_buf second = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
        arvo_sim_opts opts = { .seed = seed, .faults = ARVO_SIM_FAULTS_ALL, .line = keep_line };
        opts.user = &first;
        (void)run(&opts);
        opts.user = &second;
        (void)run(&opts);
        assert_true(first.len > 0);
        if (!arvo_str_equal(arvo_buf_str(&first), arvo_buf_str(&second)))
            fail_msg("seed %" PRIu64 " gives two stories", seed);
        arvo_buf_fini(&first);
        arvo_buf_fini(&second);
    }
}

static void
test_sim__without_faults_every_kind_of_run_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const arvo_sim_opts opts = { .seed = seed };
        const arvo_sim_report report = run(&opts);
        if (report.failed)
            fail_msg("seed %" PRIu64 ": %s: %s", seed, report.rule, report.what);
        assert_int_equal(report.struck_count, 0);
        assert_int_equal(report.crashes, 0);
        assert_true(report.commits > 0);
    }
}

static const sim_mutant *
mutant_named(const char *name)
{
    for (const sim_mutant *mutant = sim_mutants; mutant->name != NULL; mutant++)
        if (strcmp(mutant->name, name) == 0)
            return mutant;
    fail_msg("no mutant %s", name);
    return NULL;
}

/* What is printed of a broken seed breaks the same again, with no more than it needs. */
static void
test_sim__a_broken_run_is_made_smaller(void **state)
{
    (void)state;
    arvo_sim_opts opts = { .store = ARVO_SIM_STORE_MEMORY,
                           .faults = ARVO_SIM_FAULTS_ALL,
                           .wrap = sim_mutant_wrap,
                           .wrap_user = (void *)(uintptr_t)mutant_named("inbox_forgotten") };
    arvo_sim_report broken = { 0 };
    for (opts.seed = 1; opts.seed < 100 && !broken.failed; opts.seed++)
        broken = run(&opts);
    opts.seed--;
    assert_true(broken.failed);

    uint32_t keep[ARVO_SIM_KEEP_MAX];
    arvo_sim_opts smaller;
    arvo_sim_report report;
    arvo_error err = { 0 };
    assert_int_equal(arvo_sim_minimise(&opts, &smaller, keep, &report, &err), ARVO_OK);
    assert_string_equal(report.rule, broken.rule);
    assert_true(report.processes <= broken.processes);
    assert_true(report.workflows <= broken.workflows);
    assert_true(report.struck_count <= broken.struck_count);
    assert_true(report.struck_count <= 3);
    const arvo_sim_report again = run(&smaller);
    assert_true(again.failed);
    assert_string_equal(again.rule, broken.rule);
    assert_string_equal(again.what, report.what);
}

static void
test_sim__options_that_cannot_be_are_refused(void **state)
{
    (void)state;
    arvo_sim_report report;
    arvo_error err = { 0 };
    const arvo_sim_opts crowd = { .processes = ARVO_SIM_PROCESSES_MAX + 1 };
    assert_int_equal(arvo_sim_run(&crowd, &report, &err), ARVO_E_INVALID);
    const arvo_sim_opts heap = { .workflows = ARVO_SIM_WORKFLOWS_MAX + 1 };
    assert_int_equal(arvo_sim_run(&heap, &report, &err), ARVO_E_INVALID);
    const arvo_sim_opts odd = { .store = ARVO_SIM_STORE_SQLITE, .sqlite_params = "mode=odd" };
    err = (arvo_error){ 0 };
    assert_int_equal(arvo_sim_run(&odd, &report, &err), ARVO_E_IO);
    assert_int_equal(err.status, ARVO_E_IO);
    assert_non_null(strstr(err.text, "mode"));
    assert_null(arvo_sim_fault_word(ARVO_SIM_FAULT_COUNT));
    assert_string_equal(arvo_sim_fault_word(ARVO_SIM_CRASH), "crash");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim__fresh_seeds_break_nothing),
        cmocka_unit_test(test_sim__a_seed_is_one_run),
        cmocka_unit_test(test_sim__without_faults_every_kind_of_run_ends),
        cmocka_unit_test(test_sim__a_broken_run_is_made_smaller),
        cmocka_unit_test(test_sim__options_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
