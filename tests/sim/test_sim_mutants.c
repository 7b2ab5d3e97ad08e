/* Every planted bug is found within 100 seeds, and without one nothing is. */

#include <stdio.h>

#include "../support.h"
#include "arvo_config.h"
#include "mutants.h"

#define SEEDS_MAX 100u

/* The first seed that finds it, from 1; 0: none. */
static unsigned
seed_that_finds(const sim_mutant *mutant, arvo_sim_report *report)
{
    for (unsigned seed = 1; seed <= SEEDS_MAX; seed++) {
        arvo_error err = { 0 };
        const arvo_sim_opts opts = { .seed = seed,
                                     .store = ARVO_SIM_STORE_MEMORY,
                                     .faults = ARVO_SIM_FAULTS_ALL,
                                     .wrap = sim_mutant_wrap,
                                     .wrap_user = (void *)(uintptr_t)mutant };
        sim_mutants_reset();
        if (arvo_sim_run(&opts, report, &err) != ARVO_OK)
            fail_msg("%s: seed %u: %s", mutant->name, seed, err.text);
        if (report->failed)
            return seed;
    }
    return 0;
}

static void
test_sim__every_planted_bug_is_found(void **state)
{
    (void)state;
    for (const sim_mutant *mutant = sim_mutants; mutant->name != NULL; mutant++) {
        arvo_sim_report report;
        const unsigned seed = seed_that_finds(mutant, &report);
        printf(
            "%-22s %s: seed %u, %s: %s\n", mutant->name, mutant->what, seed,
            seed > 0 ? report.rule : "not found", seed > 0 ? report.what : "");
        if (seed == 0)
            fail_msg("%s is not found within %u seeds", mutant->name, SEEDS_MAX);
    }
}

static void
test_sim__the_wrapper_without_a_bug_finds_nothing(void **state)
{
    (void)state;
    const sim_mutant none = { "none", "as it is", NULL };
    arvo_sim_report report;
    const unsigned seed = seed_that_finds(&none, &report);
    if (seed != 0)
        fail_msg("seed %u: %s: %s", seed, report.rule, report.what);
}

#ifdef ARVO_HAVE_SQLITE
/* A store that does not sync its commits loses the last ones when the power goes. */
static void
test_sim__a_commit_that_is_not_synced_is_found(void **state)
{
    (void)state;
    arvo_sim_report report = { 0 };
    arvo_error err = { 0 };
    unsigned seed = 0;
    while (!report.failed && seed < SEEDS_MAX) {
        const arvo_sim_opts opts = { .seed = ++seed,
                                     .store = ARVO_SIM_STORE_SQLITE,
                                     .faults = ARVO_SIM_FAULTS_ALL,
                                     .sqlite_params = "sync=normal" };
        if (arvo_sim_run(&opts, &report, &err) != ARVO_OK)
            fail_msg("seed %u: %s", seed, err.text);
    }
    printf("sync=normal: seed %u, %s: %s\n", seed, report.rule, report.what);
    assert_true(report.failed);
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim__every_planted_bug_is_found),
        cmocka_unit_test(test_sim__the_wrapper_without_a_bug_finds_nothing),
#ifdef ARVO_HAVE_SQLITE
        cmocka_unit_test(test_sim__a_commit_that_is_not_synced_is_found),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
