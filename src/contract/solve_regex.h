/* contract/solve_regex.h - patterns as automata, for the solver.
 *
 * The part of ECMA-262 that has no memory: characters, classes, groups,
 * alternatives, quantifiers, ^ and $. Look-around, back references, \b and \p
 * are beyond it; patterns with them are for the validator alone. */
#ifndef ARVO_SRC_CONTRACT_SOLVE_REGEX_H
#define ARVO_SRC_CONTRACT_SOLVE_REGEX_H

#include "contract/solve.h"

#define REGEX_NODES_MAX  2000u /* of one automaton */
#define REGEX_RANGES_MAX 256u  /* of one class */
#define REGEX_NEST_MAX   64u
#define CODE_POINT_MAX   0x10ffffu

typedef struct regex_range {
    uint32_t first, last;
} regex_range;

typedef enum regex_kind {
    REGEX_CHAR, /* one of the ranges, then `next` */
    REGEX_SPLIT,
    REGEX_BEGIN,
    REGEX_END,
    REGEX_MATCH
} regex_kind;

typedef struct regex_node {
    regex_kind kind;
    uint32_t next, other; /* other: of a split */
    const regex_range *ranges;
    size_t range_count;
} regex_node;

typedef struct regex_automaton {
    regex_node *nodes;
    uint32_t count, start;
    size_t words; /* of a set of nodes */
    bool negated;
} regex_automaton;

/* SOLVE_YES; SOLVE_MAYBE: the pattern is beyond this, or memory is. */
solve_truth arvo__regex_read(solver *s, const solve_patterns *pattern, regex_automaton *out);

#endif
