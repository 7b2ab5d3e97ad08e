/* Examples of a schema, and containment of one schema in another: the solver's answers, each value
 * checked once more by the real validator. */

#include <arvo/example.h>

#include "contract/solve.h"

arvo_status
arvo__source_compile(
    const arvo_schema_source *source, const arvo_allocator *allocator, arvo_schema **out,
    arvo_error *err)
{
    const arvo_schema_opts opts = { .allocator = allocator, .additional = source->additional };
    return arvo_schema_compile(source->schema, &opts, out, err);
}

void
arvo__source_doc(const arvo_schema_source *source, solve_doc *out)
{
    arvo__solve_doc_init(
        out, source->schema, source->additional == ARVO_ADDITIONAL_ZOD, source->normalising);
}

arvo_status
arvo__source_accepts(
    const arvo_schema_source *source, const arvo_schema *schema, const arvo_json *value,
    arvo_arena *arena, arvo_error *err)
{
    const arvo_json *ignored = NULL;
    if (source->normalising)
        return arvo_schema_normalise(schema, value, arena, &ignored, err);
    return arvo_schema_check(schema, value, arena, NULL, err);
}

/* ---- Examples ------------------------------------------------------------------------- */

typedef struct example_run {
    solver solver;
    const arvo_schema_source *source;
    solve_doc doc;
    arvo_schema *schema;
} example_run;

static arvo_status
example_try(example_run *run, bool full, solve_answer *answer, const arvo_json **value)
{
    solver *const s = &run->solver;
    s->full = full;
    s->steps = 0;
    s->stopped = false;
    arvo__map_fini(&s->memos); /* what was found for another wish is not what is wanted now */
    s->memos.allocator = s->allocator;
    const solve_term term = { run->source->schema, &run->doc, false };
    *answer = arvo__solve(s, arvo__solve_push(s, NULL, term), value);
    return arvo__solver_status(s, NULL);
}

/* Given out only when the validator accepts it. */
static arvo_status
example_give(example_run *run, const arvo_json *value, arvo_arena *arena, const arvo_json **out)
{
    arvo_status st = arvo_schema_check(run->schema, value, run->solver.arena, NULL, NULL);
    if (st == ARVO_OK)
        st = arvo__source_accepts(run->source, run->schema, value, run->solver.arena, NULL);
    if (st != ARVO_OK)
        return st;
    const arvo_json *const copy = arvo_json_copy(arena, value);
    if (copy == NULL)
        return ARVO_E_NOMEM;
    *out = copy;
    return ARVO_OK;
}

static arvo_status
example_find(example_run *run, bool minimal, arvo_arena *arena, const arvo_json **out)
{
    solve_answer answer = SOLVE_UNKNOWN;
    const arvo_json *value = NULL;
    for (int attempt = minimal ? 1 : 0; attempt < 2; attempt++) {
        arvo_status st = example_try(run, attempt == 0, &answer, &value);
        if (st == ARVO_OK && answer == SOLVE_FOUND)
            st = example_give(run, value, arena, out);
        if (st == ARVO_E_NOMEM || (st == ARVO_OK && answer == SOLVE_FOUND))
            return st;
        if (answer == SOLVE_NONE)
            return ARVO_E_NOT_FOUND;
    }
    return ARVO_E_UNSUPPORTED;
}

static arvo_status
example_error(arvo_status st, arvo_error *err)
{
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(err);
    if (st == ARVO_E_NOT_FOUND)
        return arvo__fail(err, st, "the schema accepts no value at all");
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "no value was found that the schema accepts: it is too intricate, or has patterns that "
        "cannot be followed; give it \"examples\"");
}

arvo_status
arvo_example_make(
    const arvo_schema_source *source, const arvo_example_opts *opts, arvo_arena *arena,
    const arvo_json **out, arvo_error *err)
{
    ARVO_ASSERT(source != NULL && source->schema != NULL);
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    const arvo_allocator *const allocator = opts != NULL ? opts->allocator : NULL;
    example_run run = { .source = source };
    arvo_status st = arvo__solver_init(&run.solver, allocator, err);
    if (st != ARVO_OK)
        return st;
    st = arvo__source_compile(source, allocator, &run.schema, err);
    if (st == ARVO_OK) {
        arvo_schema_source strict = *source;
        strict.normalising = false; /* valid for those who do not fill in defaults, too */
        arvo__source_doc(&strict, &run.doc);
        run.solver.realistic = true;
        run.solver.seed = opts != NULL ? opts->seed : 0;
        st = example_find(&run, opts != NULL && opts->minimal, arena, out);
        if (st != ARVO_OK)
            st = example_error(st, err);
    }
    arvo_schema_free(run.schema);
    arvo__solver_fini(&run.solver);
    return st;
}

/* ---- Containment -------------------------------------------------------------------------- */

typedef struct contain_run {
    solver solver;
    const arvo_schema_source *inner, *outer;
    solve_doc inner_doc, outer_doc;
    arvo_schema *inner_schema, *outer_schema;
} contain_run;

/* accepted by the one, refused by the other */
static arvo_status
witness_check(contain_run *run, const arvo_json *value, bool *is_witness)
{
    arvo_arena *const arena = run->solver.arena;
    *is_witness = false;
    arvo_status st = arvo__source_accepts(run->inner, run->inner_schema, value, arena, NULL);
    if (st == ARVO_OK) {
        st = arvo__source_accepts(run->outer, run->outer_schema, value, arena, NULL);
        *is_witness = st == ARVO_E_INVALID;
    }
    return st == ARVO_E_NOMEM ? st : ARVO_OK;
}

static arvo_status
contain_decide(
    contain_run *run, arvo_arena *arena, arvo_containment *out, const arvo_json **witness)
{
    solver *const s = &run->solver;
    const arvo_json *value = NULL;
    const solve_term refused = { run->outer->schema, &run->outer_doc, true };
    const solve_term accepted = { run->inner->schema, &run->inner_doc, false };
    const solve_terms *const terms =
        arvo__solve_push(s, arvo__solve_push(s, NULL, refused), accepted);
    const solve_answer answer = arvo__solve(s, terms, &value);
    arvo_status st = arvo__solver_status(s, NULL);
    bool is_witness = false;
    if (st == ARVO_OK && answer == SOLVE_FOUND)
        st = witness_check(run, value, &is_witness);
    if (st != ARVO_OK)
        return st;
    *out = answer == SOLVE_NONE ? ARVO_CONTAINED : ARVO_UNDECIDED;
    *witness = NULL;
    if (!is_witness)
        return ARVO_OK;
    const arvo_json *const copy = arvo_json_copy(arena, value);
    if (copy == NULL)
        return ARVO_E_NOMEM;
    *witness = copy;
    *out = ARVO_NOT_CONTAINED;
    return ARVO_OK;
}

arvo_status
arvo_schema_contained(
    const arvo_schema_source *inner, const arvo_schema_source *outer, arvo_arena *arena,
    arvo_containment *out, const arvo_json **witness, arvo_error *err)
{
    ARVO_ASSERT(inner != NULL && inner->schema != NULL);
    ARVO_ASSERT(outer != NULL && outer->schema != NULL);
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL && witness != NULL);

    contain_run run = { .inner = inner, .outer = outer };
    arvo_status st = arvo__solver_init(&run.solver, NULL, err);
    if (st != ARVO_OK)
        return st;
    st = arvo__source_compile(inner, NULL, &run.inner_schema, err);
    if (st == ARVO_OK)
        st = arvo__source_compile(outer, NULL, &run.outer_schema, err);
    if (st == ARVO_OK) {
        arvo__source_doc(inner, &run.inner_doc);
        arvo__source_doc(outer, &run.outer_doc);
        st = contain_decide(&run, arena, out, witness);
        if (st != ARVO_OK)
            st = arvo__nomem(err);
    }
    arvo_schema_free(run.inner_schema);
    arvo_schema_free(run.outer_schema);
    arvo__solver_fini(&run.solver);
    return st;
}
