/* Bugs planted between the processes and the store: what an orchestrator, a broker or a store that
 * breaks one rule would do. Each must be found by the simulation. */
#ifndef ARVO_TESTS_SIM_MUTANTS_H
#define ARVO_TESTS_SIM_MUTANTS_H

#include <arvo/sim.h>

typedef struct sim_mutant {
    const char *name;
    const char *what;
    void (*plant)(arvo_memory_ops *ops);
} sim_mutant;

extern const sim_mutant sim_mutants[]; /* ended by name NULL */

/* arvo_sim_opts.wrap; wrap_user is the sim_mutant. */
arvo_memory *sim_mutant_wrap(void *mutant, arvo_memory *below, bool (*point)(void *sim), void *sim);

/* Before each run: what the mutants remember of the last one is forgotten. */
void sim_mutants_reset(void);

#endif
