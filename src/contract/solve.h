/* contract/solve.h - is there a value that a schema allows, and which?
 *
 * The question is put about a conjunction of terms, each a schema that must
 * hold or must not. An example of S is a value of [S]; S is contained in T when
 * there is no value of [S, not T], and such a value is a witness that it is not.
 *
 * How: the terms are taken apart into one state (allowed types, bounds, keys
 * that must be there, ...) and a list of branches, each a list of alternatives
 * (anyOf, and whatever a negation leaves open). The search settles the branch
 * with the fewest alternatives that can still hold, as SAT solvers do, and in a
 * state without branches builds a value, part by part, each part the same
 * question about its own terms. Questions are remembered; one that comes back
 * while it is open (a recursive schema) is answered with "none", which is right
 * because values are finite: a value that needed itself would not be.
 *
 * Two rules keep the answers honest:
 *  - Taking a schema apart may lose constraints (noted as `residue`), never
 *    add one. So SOLVE_NONE is a proof.
 *  - SOLVE_FOUND is given for a value that solve_eval() finds to satisfy every
 *    term; callers check it once more with the real validator.
 * Everything else is SOLVE_UNKNOWN. */
#ifndef ARVO_SRC_CONTRACT_SOLVE_H
#define ARVO_SRC_CONTRACT_SOLVE_H

#include <arvo/example.h>

#include "base/internal.h"

#define SOLVE_STEPS_MAX   400000u /* of one question from outside */
#define SOLVE_TERMS_STEP  16u     /* terms of a list that is searched: one step */
#define SOLVE_BYTES_MAX   ((size_t)256 * 1024 * 1024)
#define SOLVE_DEPTH_MAX   48u   /* of questions inside questions */
#define SOLVE_FRAMES_MAX  256u  /* branches settled on the way to one state */
#define SOLVE_EXPAND_MAX  64u   /* schemas inside schemas about one value */
#define SOLVE_ITEMS_MAX   512u  /* of an array that is built; also members and string length */
#define SOLVE_TRIES_MAX   4096u /* numbers tried before giving up */
#define SOLVE_ONE_OF_MAX  16u
#define SOLVE_EVAL_MAX    96u /* depth of solve_eval() */
#define SOLVE_STRING_MAX  4096u
#define SOLVE_COMPARE_MAX 2000u /* schema parts looked at when two schemas are compared */

typedef enum solve_answer { SOLVE_NONE = 0, SOLVE_FOUND, SOLVE_UNKNOWN } solve_answer;
typedef enum solve_truth { SOLVE_NO = 0, SOLVE_YES, SOLVE_MAYBE } solve_truth;

/* JSON's types, numbers with and without a fraction apart: what is allowed is a set of these. */
enum {
    SOLVE_NULL = 1,
    SOLVE_BOOL = 2,
    SOLVE_INT = 4,
    SOLVE_FRACTION = 8,
    SOLVE_NUMBER = SOLVE_INT | SOLVE_FRACTION,
    SOLVE_STRING = 16,
    SOLVE_ARRAY = 32,
    SOLVE_OBJECT = 64,
    SOLVE_ANYTHING = 127
};

/* A schema document: what its parts refer to, and how they are read. */
typedef struct solve_doc {
    const arvo_json *root;
    bool draft7;
    bool has_ids;  /* $id inside moves what "#" means: references are not followed */
    bool strip;    /* additionalProperties: false lets keys through (ARVO_ADDITIONAL_ZOD) */
    bool defaults; /* a required key that has a default may be absent, as when normalising */
} solve_doc;

typedef struct solve_term {
    const arvo_json *schema;
    const solve_doc *doc;
    bool negated;
} solve_term;

/* Lists grow at the front and are shared between states, so a branch costs a copy of the state. */
typedef struct solve_terms {
    solve_term term;
    const struct solve_terms *next;
    size_t count; /* from here on */
} solve_terms;

typedef enum solve_act {
    SOLVE_ACT_TERMS,
    SOLVE_ACT_TYPES, /* n: the types that stay */
    SOLVE_ACT_NOT_VALUE,
    SOLVE_ACT_LOWER, /* value; strict */
    SOLVE_ACT_UPPER,
    SOLVE_ACT_NOT_MULTIPLE,
    SOLVE_ACT_MIN_LENGTH,
    SOLVE_ACT_MAX_LENGTH,
    SOLVE_ACT_NOT_PATTERN, /* key: the pattern */
    SOLVE_ACT_MIN_ITEMS,
    SOLVE_ACT_MAX_ITEMS,
    SOLVE_ACT_ITEM,      /* there is an n-th item, and the term holds for it */
    SOLVE_ACT_SOME_ITEM, /* from the n-th on */
    SOLVE_ACT_REPEATED,
    SOLVE_ACT_MIN_KEYS,
    SOLVE_ACT_MAX_KEYS,
    SOLVE_ACT_PRESENT, /* key is there, and the term holds for its value */
    SOLVE_ACT_ABSENT,
    SOLVE_ACT_ABSENT_IF_OBJECT,
    SOLVE_ACT_SOME_EXTRA,   /* a key that `layer` does not declare, with a value of the term */
    SOLVE_ACT_SOME_MATCHED, /* a key that matches the pattern `key` */
    SOLVE_ACT_SOME_NAMED,   /* a key for whose name the term holds */
    SOLVE_ACT_RESIDUE       /* something that is not understood */
} solve_act;

typedef struct solve_action {
    solve_act act;
    bool strict;
    size_t n;
    arvo_str key;
    const arvo_json *value;
    solve_term term;
    const solve_terms *terms;
    const arvo_json *layer;
    const struct solve_action *also; /* a second thing that comes with it */
} solve_action;

typedef struct solve_branch {
    const solve_action *actions;
    size_t count;
    const struct solve_branch *next;
} solve_branch;

typedef struct solve_values {
    const arvo_json *value;
    const struct solve_values *next;
} solve_values;

typedef struct solve_patterns {
    arvo_str pattern;
    bool negated;
    bool literal; /* the whole string, not a pattern */
    const struct solve_patterns *next;
} solve_patterns;

typedef struct solve_keys {
    arvo_str key;
    bool has_term;
    solve_term term;
    const struct solve_keys *next;
} solve_keys;

/* An item, or some key, that must be there. */
typedef struct solve_exists {
    solve_act act;
    size_t from;
    arvo_str pattern;
    const arvo_json *layer;
    const solve_doc *doc;
    solve_term term;
    const struct solve_exists *next;
} solve_exists;

typedef struct solve_bound {
    const arvo_json *value; /* NULL: none */
    bool strict;
} solve_bound;

typedef struct solve_state {
    unsigned types;
    bool empty;   /* nothing can satisfy it */
    bool residue; /* something was not understood */
    const solve_terms *seen;
    const solve_branch *branches;
    const arvo_json *one_of; /* an array of the only values; NULL: no such list */
    const solve_values *not_values;
    const solve_values *suggested; /* examples and defaults of the schemas */
    arvo_str format;
    /* numbers */
    solve_bound lower, upper;
    const solve_values *multiples, *not_multiples;
    /* strings */
    size_t min_length, max_length;
    const solve_patterns *patterns;
    /* arrays and objects: the schemas that speak of items and keys */
    const solve_terms *layers;
    const solve_exists *exists; /* items or keys */
    /* arrays */
    size_t min_items, max_items;
    const solve_exists *items; /* at given places */
    bool unique, repeated;
    /* objects */
    size_t min_keys, max_keys;
    const solve_keys *required; /* and what must hold for their values */
    const solve_keys *absent;
    const solve_terms *names;
} solve_state;

typedef struct solve_memo {
    solve_answer answer;
    const arvo_json *value;
    size_t level; /* while open: how deep it is */
    bool closed;  /* the answer stands */
} solve_memo;

/* A pattern as the validator compiles it. */
typedef struct solve_compiled {
    arvo_schema *schema;
    struct solve_compiled *next;
} solve_compiled;

typedef struct solver {
    arvo_arena *arena; /* its own */
    const arvo_allocator *allocator;
    arvo__map memos;    /* terms -> solve_memo */
    arvo__map patterns; /* pattern -> solve_compiled */
    size_t steps, steps_max;
    size_t depth, expanding;
    size_t assumed; /* the outermost open question that an answer relied on; SIZE_MAX: none */
    bool stopped;   /* out of steps or memory: every answer is unknown */
    bool no_memory; /* it was the machine's, not the solver's limit */
    struct solve_compiled *compiled;
    bool full;      /* optional keys are given too */
    bool realistic; /* suggested values first */
    uint64_t seed;
    arvo_str hint; /* the key whose value is being made; none at the top */
    solve_doc synthetic;
} solver;

/* ---- solve.c ---- */

arvo_status arvo__solver_init(solver *s, const arvo_allocator *allocator, arvo_error *err);
void arvo__solver_fini(solver *s);
/* ARVO_OK, or why it stopped with memory. */
arvo_status arvo__solver_status(const solver *s, arvo_error *err);

/* A value of all the terms. */
solve_answer arvo__solve(solver *s, const solve_terms *terms, const arvo_json **value);

bool arvo__solve_step(solver *s, size_t steps); /* false: stopped */
void *arvo__solve_alloc(solver *s, size_t size);
void arvo__solve_memory(solver *s); /* it is out of memory */
const solve_terms *arvo__solve_push(solver *s, const solve_terms *list, solve_term term);
static inline solve_term
solve_not(solve_term term)
{
    term.negated = !term.negated;
    return term;
}
static inline solve_answer
solve_worse(solve_answer a, solve_answer b) /* of alternatives: found > unknown > none */
{
    if (a == SOLVE_FOUND || b == SOLVE_FOUND)
        return SOLVE_FOUND;
    return a == SOLVE_UNKNOWN || b == SOLVE_UNKNOWN ? SOLVE_UNKNOWN : SOLVE_NONE;
}

/* ---- solve_expand.c ---- */

void arvo__solve_state_init(solve_state *state);
void arvo__solve_expand(solver *s, solve_state *state, solve_term term);
void arvo__solve_apply(solver *s, solve_state *state, const solve_action *action);

/* ---- solve_read.c ---- */

void arvo__solve_doc_init(solve_doc *doc, const arvo_json *root, bool strip, bool defaults);

const arvo_json *arvo__solve_ref(const solve_doc *doc, const arvo_json *schema);
bool arvo__solve_ref_alone(const solve_doc *doc, const arvo_json *schema);
bool arvo__solve_key_has_default(const solve_doc *doc, const arvo_json *schema, arvo_str key);
unsigned arvo__solve_types_of(const arvo_json *value);
unsigned arvo__solve_types_named(const arvo_json *type); /* of the keyword `type` */
/* Whether two schemas say the same, following their references. */
bool arvo__solve_same(
    const solve_doc *a_doc, const arvo_json *a, const solve_doc *b_doc, const arvo_json *b);
/* Adds what the schema says of one key, or one item. */
const solve_terms *arvo__solve_key_terms(
    solver *s, const solve_doc *doc, const arvo_json *schema, arvo_str key,
    const solve_terms *list);
const solve_terms *arvo__solve_item_terms(
    solver *s, const solve_doc *doc, const arvo_json *schema, size_t i, const solve_terms *list);
size_t arvo__solve_prefix_count(const solve_doc *doc, const arvo_json *schema);
bool arvo__solve_declares(solver *s, const arvo_json *schema, arvo_str key);
solve_truth arvo__solve_matches(solver *s, arvo_str pattern, arvo_str text);
/* A schema made up on the way: {keyword: value}. */
solve_term
arvo__solve_synthetic(solver *s, const char *keyword, const arvo_json *value, bool negated);

/* ---- solve_eval.c ---- */

solve_truth arvo__solve_eval(solver *s, solve_term term, const arvo_json *value);
solve_truth arvo__solve_eval_all(solver *s, const solve_terms *terms, const arvo_json *value);

/* ---- solve_number.c, solve_string.c, solve_regex.c, solve_array.c, solve_object.c ---- */

int arvo__solve_number_compare(const arvo_json *a, const arvo_json *b);
bool arvo__solve_bounds_empty(const solve_state *state);
solve_answer arvo__solve_number(
    solver *s, const solve_state *state, bool fraction, const solve_terms *all,
    const arvo_json **value);
solve_answer arvo__solve_string(
    solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value);
/* A string of min to max code points that matches the patterns, and not the negated ones. */
solve_answer
arvo__solve_regex(solver *s, const solve_patterns *patterns, size_t min, size_t max, arvo_str *out);
solve_answer arvo__solve_array(
    solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value);
solve_answer arvo__solve_object(
    solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value);
/* ---- example.c: sources of schemas ---- */

arvo_status arvo__source_compile(
    const arvo_schema_source *source, const arvo_allocator *allocator, arvo_schema **out,
    arvo_error *err);
void arvo__source_doc(const arvo_schema_source *source, solve_doc *out);
/* ARVO_OK, ARVO_E_INVALID (refused), or that it could not be said. */
arvo_status arvo__source_accepts(
    const arvo_schema_source *source, const arvo_schema *schema, const arvo_json *value,
    arvo_arena *arena, arvo_error *err);

/* What must hold for the value of a key, or of an item, in this state. */
const solve_terms *arvo__solve_state_key(solver *s, const solve_state *state, arvo_str key);
const solve_terms *arvo__solve_state_item(solver *s, const solve_state *state, size_t i);

#endif
