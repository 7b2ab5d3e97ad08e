/* arvo/paths.h - how each state and each transition of a machine can be reached.
 *
 * The machine itself is run, from its start, breadth first over the events that its states know, so
 * that a path is the shortest in events. Guards that depend on data are assumed to hold or not,
 * whichever a path needs, and each step says what it assumes; `stateIn` guards are decided by the
 * states. Actions are left out, but for raised events.
 *
 * Threads: any number of calls at once.
 */
#ifndef ARVO_PATHS_H
#define ARVO_PATHS_H

#include <arvo/machine.h>

ARVO_BEGIN_DECLS

#define ARVO_PATHS_CONFIGURATIONS_MAX                                                              \
    20000u                                /* combinations of active states that are looked at      \
                                           */
#define ARVO_PATHS_RUNS_MAX       500000u /* steps of the machine */
#define ARVO_PATHS_GUARDINGS_MAX  256u /* ways in which guards answer, of one event in one state */
#define ARVO_PATHS_MICROSTEPS_MAX 64u  /* of one event; a longer chain is not followed */

/* One event, and what it assumes of guards: "hasPrice", "not isBig". */
typedef struct arvo_path_step {
    arvo_str event; /* none: the start */
    const arvo_str *guards;
    size_t guard_count;
} arvo_path_step;

/* A state or a transition, and the shortest way to it. */
typedef struct arvo_path_goal {
    bool is_transition;
    arvo_str pointer; /* JSON pointer into the document */
    arvo_str state;   /* its id; of a transition: of the state that has it */
    arvo_str event;   /* of a transition: the event, `always` or `onDone` */
    arvo_str guard;   /* of a transition, in words; empty: none */
    arvo_str target;  /* of a transition, as written, joined by commas; empty: none */
    bool is_reached;
    const arvo_path_step *steps; /* the start first; of a transition: the last takes it */
    size_t step_count;
} arvo_path_goal;

typedef struct arvo_paths {
    const arvo_path_goal
        *goals; /* states in document order (no history states), then transitions */
    size_t goal_count;
    size_t configurations;
    bool is_complete;         /* false: a limit above was met, what is not reached may yet be */
    bool has_computed_raises; /* events whose type is an expression are raised: not followed */
} arvo_paths;

/**
 * @param out  Written on success only; arena.
 * @return ARVO_OK, ARVO_E_UNSUPPORTED (a custom machine has no chart), ARVO_E_NOMEM.
 *         Law: the same machine gives the same paths, and each of them can be walked.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_machine_paths(
    const arvo_machine *machine, arvo_arena *arena, arvo_paths *out, arvo_error *err);

ARVO_END_DECLS

#endif
