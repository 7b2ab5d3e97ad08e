/* arvo/example.h - values of a JSON Schema: examples, counterexamples, and whether every value of
 * one schema is a value of another.
 *
 * Understood are all assertion keywords of 2020-12 and draft-07 but unevaluatedProperties,
 * unevaluatedItems, $dynamicRef and references out of the document; of patterns all but
 * look-around, back references, \b and \p. Where a schema has more than that, an example is made
 * when trying happens upon one, and a comparison may end undecided; neither is ever wrong: every
 * value given here was checked by arvo_schema_check() or arvo_schema_normalise().
 *
 * Threads: no global state; an arena serves one thread at a time.
 */
#ifndef ARVO_EXAMPLE_H
#define ARVO_EXAMPLE_H

#include <arvo/contract.h>

ARVO_BEGIN_DECLS

#define ARVO_COUNTEREXAMPLES_MAX 1000u /* of one schema */

/* A schema as its document has it, and how it is read. Borrowed. */
typedef struct arvo_schema_source {
    const arvo_json *schema;
    arvo_additional additional;
    /* Accepted is what arvo_schema_normalise() accepts: a required key that has a default may be
     * absent. This is how contracts accept data. false: what arvo_schema_check() accepts. */
    bool normalising;
} arvo_schema_source;

typedef struct arvo_example_opts {
    const arvo_allocator *allocator; /* for working memory; NULL: malloc */
    uint64_t seed;                   /* other numbers make other examples; the same, the same */
    bool minimal;                    /* without optional keys and items */
} arvo_example_opts;

/**
 * A value that the schema accepts. `examples` and `default` of the schema and its parts are used
 * where they fit; strings follow `format`, `pattern` and the names of their keys.
 * @param opts  Nullable.
 * @param out   arena.
 * @return ARVO_OK; ARVO_E_NOT_FOUND: no value is valid, which is proven; ARVO_E_UNSUPPORTED: none
 *         was found within bounds; the statuses of arvo_schema_compile(); ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_example_make(
    const arvo_schema_source *source, const arvo_example_opts *opts, arvo_arena *arena,
    const arvo_json **out, arvo_error *err);

/* One rule of a schema, and a value that breaks it. */
typedef struct arvo_counterexample {
    arvo_str rule;          /* JSON pointer into the schema: "/properties/amount/minimum" */
    arvo_str keyword;       /* its last part */
    arvo_str key;           /* `required`: the key that is missing; else none */
    const arvo_json *value; /* NULL: none, see `why` */
    arvo_str message;       /* what the validator says of the value */
    arvo_str why;           /* without a value: why there is none */
    bool named;             /* the validator's issues name this very keyword */
} arvo_counterexample;

typedef struct arvo_counterexample_list {
    const arvo_counterexample *items;
    size_t count;
    bool more; /* ARVO_COUNTEREXAMPLES_MAX were enough, or some lie too deep */
} arvo_counterexample_list;

/**
 * For every rule of the schema a value that breaks it and, as far as that can be, no other. A rule
 * without such a value is listed with the reason (it follows from others, say).
 * @return as arvo_example_make(); ARVO_OK too when some rules have no value.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_counterexamples_make(
    const arvo_schema_source *source, const arvo_example_opts *opts, arvo_arena *arena,
    arvo_counterexample_list *out, arvo_error *err);

typedef enum arvo_containment {
    ARVO_CONTAINED = 0, /* proven */
    ARVO_NOT_CONTAINED, /* a witness shows it */
    ARVO_UNDECIDED
} arvo_containment;

/**
 * Is every value of `inner` a value of `outer`?
 * @param witness  Set to NULL unless ARVO_NOT_CONTAINED; then a value that `inner` accepts and
 *                 `outer` refuses, both by the validator. arena.
 * @return ARVO_OK, the statuses of arvo_schema_compile(), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_schema_contained(
    const arvo_schema_source *inner, const arvo_schema_source *outer, arvo_arena *arena,
    arvo_containment *out, const arvo_json **witness, arvo_error *err);

ARVO_END_DECLS

#endif
