/* machine/paths.h - the machine that is walked in place of another, and what its parts stand for.
 */
#ifndef ARVO_SRC_MACHINE_PATHS_H
#define ARVO_SRC_MACHINE_PATHS_H

#include <arvo/paths.h>

#include "machine/diagram.h"

#define PATHS_GUESS                                                                                \
    "arvo.paths.guess"               /* guard {n}: the n-th of the guards, answered as is tried    \
                                      */
#define PATHS_MARK "arvo.paths.mark" /* action {n}: the n-th goal is reached */

typedef struct paths_plan {
    const arvo_machine *machine;
    arvo_arena *arena; /* of the goals and of all texts */
    diagram words;     /* for guards in words */
    arvo_buf pointer;
    arvo_path_goal *goals;
    size_t goal_count;
    size_t goal_cap;
    arvo_str *guards; /* in words */
    size_t guard_count;
    size_t guard_cap;
    bool has_computed_raises;
} paths_plan;

/* The document of a machine with the same states and transitions, whose guards are guesses and
 * whose actions are marks and raises. NULL: out of memory. */
const arvo_json *arvo__paths_plan(paths_plan *plan);

#endif
