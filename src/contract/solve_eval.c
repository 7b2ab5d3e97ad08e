/* Whether a term holds for a value, as far as the solver understands schemas: yes, no, or maybe.
 *
 * The solver needs this for parts of schemas, of which it has only the JSON; and it must read them
 * exactly as it takes them apart. The real validator has the last word on whole values. */

#include "contract/schema.h"
#include "contract/solve.h"

#define UNIQUE_ITEMS_PER_STEP 16

static solve_truth
eval(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *v);

static solve_truth
both(solve_truth a, solve_truth b)
{
    if (a == SOLVE_NO || b == SOLVE_NO)
        return SOLVE_NO;
    return a == SOLVE_YES && b == SOLVE_YES ? SOLVE_YES : SOLVE_MAYBE;
}

static solve_truth
inverse(solve_truth a)
{
    return a == SOLVE_MAYBE ? SOLVE_MAYBE : a == SOLVE_YES ? SOLVE_NO : SOLVE_YES;
}

static solve_truth
truth(bool is)
{
    return is ? SOLVE_YES : SOLVE_NO;
}

/* ---- Numbers and strings ---- */

/* Division in doubles decides when it is exact; decimals are for the real validator. */
static solve_truth
eval_multiple(solver *s, const arvo_json *keyword, const arvo_json *value)
{
    if (arvo_json_type_of(keyword) == ARVO_JSON_INT && arvo_json_type_of(value) == ARVO_JSON_INT) {
        const int64_t of = arvo_json_int_or(keyword, 1);
        return of > 0 ? truth(arvo_json_int_or(value, 0) % of == 0) : SOLVE_MAYBE;
    }
    arvo_schema *schema = NULL;
    arvo_json *const object = arvo_json_object_new(s->arena);
    arvo_json_set_ref(s->arena, object, ARVO_STR("multipleOf"), keyword);
    const arvo_schema_opts opts = { .allocator = s->allocator };
    if (arvo_arena_failed(s->arena) || arvo_schema_compile(object, &opts, &schema, NULL) != ARVO_OK)
        return SOLVE_MAYBE;
    const arvo_status st = arvo_schema_check(schema, value, s->arena, NULL, NULL);
    arvo_schema_free(schema);
    return st == ARVO_OK ? SOLVE_YES : st == ARVO_E_INVALID ? SOLVE_NO : SOLVE_MAYBE;
}

static solve_truth
eval_number(solver *s, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *bound = arvo_json_get(schema, "minimum");
    if (bound != NULL && arvo__solve_number_compare(value, bound) < 0)
        return SOLVE_NO;
    bound = arvo_json_get(schema, "maximum");
    if (bound != NULL && arvo__solve_number_compare(value, bound) > 0)
        return SOLVE_NO;
    bound = arvo_json_get(schema, "exclusiveMinimum");
    if (bound != NULL && arvo__solve_number_compare(value, bound) <= 0)
        return SOLVE_NO;
    bound = arvo_json_get(schema, "exclusiveMaximum");
    if (bound != NULL && arvo__solve_number_compare(value, bound) >= 0)
        return SOLVE_NO;
    bound = arvo_json_get(schema, "multipleOf");
    return bound != NULL ? eval_multiple(s, bound, value) : SOLVE_YES;
}

/* minX <= count <= maxX */
static bool
fits(const arvo_json *schema, const char *least, const char *most, size_t count)
{
    const arvo_json *const min = arvo_json_get(schema, least);
    const arvo_json *const max = arvo_json_get(schema, most);
    return (min == NULL || (double)count >= arvo_json_number_or(min, 0)) &&
           (max == NULL || (double)count <= arvo_json_number_or(max, 0));
}

static solve_truth
eval_string(solver *s, const arvo_json *schema, const arvo_json *value)
{
    const arvo_str text = arvo_json_str(value);
    if (!fits(schema, "minLength", "maxLength", arvo__utf8_count(text)))
        return SOLVE_NO;
    const arvo_json *const pattern = arvo_json_get(schema, "pattern");
    return pattern != NULL ? arvo__solve_matches(s, arvo_json_str(pattern), text) : SOLVE_YES;
}

/* ---- Arrays ---- */

static solve_truth
eval_contains(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *const part = arvo_json_get(schema, "contains");
    size_t sure = 0, possible = 0;
    if (part == NULL)
        return SOLVE_YES;
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const solve_truth is = eval(s, doc, part, arvo_json_at(value, i));
        sure += is == SOLVE_YES;
        possible += is != SOLVE_NO;
    }
    const arvo_json *const least = doc->draft7 ? NULL : arvo_json_get(schema, "minContains");
    const arvo_json *const most = doc->draft7 ? NULL : arvo_json_get(schema, "maxContains");
    const double min = arvo_json_number_or(least, 1);
    const double max = arvo_json_number_or(most, 1e300);
    if ((double)possible < min || (double)sure > max)
        return SOLVE_NO;
    return truth((double)sure >= min && (double)possible <= max) == SOLVE_YES ? SOLVE_YES
                                                                              : SOLVE_MAYBE;
}

/* By hash, as a check does it. */
static solve_truth
has_equal_items(solver *s, const arvo_json *value)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(s->arena);
    schema_run run = arvo__schema_run_begin(s->arena, false);
    const bool has = arvo__schema_has_repetition(&run, value);
    arvo_arena_rewind(s->arena, mark);
    const bool paid = arvo__solve_step(s, 1 + arvo_json_count(value) / UNIQUE_ITEMS_PER_STEP);
    return !paid || run.status != ARVO_OK ? SOLVE_MAYBE : truth(has);
}

static solve_truth
eval_array(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    if (!fits(schema, "minItems", "maxItems", arvo_json_count(value)))
        return SOLVE_NO;
    solve_truth result = eval_contains(s, doc, schema, value);
    if (arvo_json_bool_or(arvo_json_get(schema, "uniqueItems"), false))
        result = both(result, inverse(has_equal_items(s, value)));
    for (size_t i = 0; i < arvo_json_count(value) && result != SOLVE_NO; i++) {
        const solve_terms *terms = arvo__solve_item_terms(s, doc, schema, i, NULL);
        result = both(result, arvo__solve_eval_all(s, terms, arvo_json_at(value, i)));
    }
    return result;
}

/* ---- Objects ---- */

static bool
has_all(const arvo_json *value, const arvo_json *keys)
{
    for (size_t i = 0; i < arvo_json_count(keys); i++)
        if (arvo_json_get_str(value, arvo_json_str(arvo_json_at(keys, i))) == NULL)
            return false;
    return true;
}

static bool
has_required(const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *const required = arvo_json_get(schema, "required");
    for (size_t i = 0; i < arvo_json_count(required); i++) {
        const arvo_str key = arvo_json_str(arvo_json_at(required, i));
        if (arvo_json_get_str(value, key) != NULL)
            continue;
        if (!doc->defaults || !arvo__solve_key_has_default(doc, schema, key))
            return false;
    }
    return true;
}

/* dependentRequired, dependentSchemas or dependencies. */
static solve_truth
eval_dependent(solver *s, const solve_doc *doc, const arvo_json *rules, const arvo_json *value)
{
    solve_truth result = SOLVE_YES;
    for (size_t i = 0; i < arvo_json_count(rules) && result != SOLVE_NO; i++) {
        const arvo_json *const rule = arvo_json_at(rules, i);
        if (arvo_json_get_str(value, arvo_json_key_at(rules, i)) == NULL)
            continue;
        if (arvo_json_type_of(rule) == ARVO_JSON_ARRAY)
            result = both(result, truth(has_all(value, rule)));
        else
            result = both(result, eval(s, doc, rule, value));
    }
    return result;
}

static solve_truth
eval_object(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    if (!fits(schema, "minProperties", "maxProperties", arvo_json_count(value)) ||
        !has_required(doc, schema, value))
        return SOLVE_NO;
    const arvo_json *const names = arvo_json_get(schema, "propertyNames");
    solve_truth result = SOLVE_YES;
    for (size_t i = 0; i < arvo_json_count(value) && result != SOLVE_NO; i++) {
        const arvo_str key = arvo_json_key_at(value, i);
        const solve_terms *terms = arvo__solve_key_terms(s, doc, schema, key, NULL);
        result = both(result, arvo__solve_eval_all(s, terms, arvo_json_at(value, i)));
        if (names != NULL)
            result = both(result, eval(s, doc, names, arvo_json_string_ref(s->arena, key)));
    }
    if (doc->draft7)
        return both(result, eval_dependent(s, doc, arvo_json_get(schema, "dependencies"), value));
    result =
        both(result, eval_dependent(s, doc, arvo_json_get(schema, "dependentRequired"), value));
    return both(result, eval_dependent(s, doc, arvo_json_get(schema, "dependentSchemas"), value));
}

/* ---- Any value ---- */

static bool
is_one_of(const arvo_json *values, const arvo_json *value)
{
    for (size_t i = 0; i < arvo_json_count(values); i++)
        if (arvo_json_equal(arvo_json_at(values, i), value))
            return true;
    return false;
}

/* At least `min` and at most `max` of the schemas hold. */
static solve_truth
eval_count(
    solver *s, const solve_doc *doc, const arvo_json *schemas, const arvo_json *value, size_t min,
    size_t max)
{
    size_t sure = 0, possible = 0;
    for (size_t i = 0; i < arvo_json_count(schemas); i++) {
        const solve_truth is = eval(s, doc, arvo_json_at(schemas, i), value);
        sure += is == SOLVE_YES;
        possible += is != SOLVE_NO;
    }
    if (possible < min || sure > max)
        return SOLVE_NO;
    return sure >= min && possible <= max ? SOLVE_YES : SOLVE_MAYBE;
}

static solve_truth
eval_condition(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *const when = arvo_json_get(schema, "if");
    const arvo_json *const then = arvo_json_get(schema, "then");
    const arvo_json *const otherwise = arvo_json_get(schema, "else");
    if (when == NULL || (then == NULL && otherwise == NULL))
        return SOLVE_YES;
    const solve_truth is = eval(s, doc, when, value);
    const solve_truth yes = then == NULL ? SOLVE_YES : eval(s, doc, then, value);
    const solve_truth no = otherwise == NULL ? SOLVE_YES : eval(s, doc, otherwise, value);
    if (is == SOLVE_MAYBE)
        return yes == no ? yes : SOLVE_MAYBE;
    return is == SOLVE_YES ? yes : no;
}

static solve_truth
eval_combined(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    solve_truth result = eval_condition(s, doc, schema, value);
    const arvo_json *part = arvo_json_get(schema, "allOf");
    if (part != NULL)
        result = both(result, eval_count(s, doc, part, value, arvo_json_count(part), SIZE_MAX));
    part = arvo_json_get(schema, "anyOf");
    if (part != NULL && result != SOLVE_NO)
        result = both(result, eval_count(s, doc, part, value, 1, SIZE_MAX));
    part = arvo_json_get(schema, "oneOf");
    if (part != NULL && result != SOLVE_NO)
        result = both(result, eval_count(s, doc, part, value, 1, 1));
    part = arvo_json_get(schema, "not");
    if (part != NULL && result != SOLVE_NO)
        result = both(result, inverse(eval(s, doc, part, value)));
    return result;
}

/* Keywords that are not understood, so that a schema which has them may refuse anything. */
static bool
is_strange(const arvo_json *schema)
{
    return arvo_json_get(schema, "unevaluatedProperties") != NULL ||
           arvo_json_get(schema, "unevaluatedItems") != NULL ||
           arvo_json_get(schema, "$dynamicRef") != NULL;
}

static solve_truth
eval_ref(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    if (arvo_json_get(schema, "$ref") == NULL)
        return SOLVE_YES;
    const arvo_json *const target = arvo__solve_ref(doc, schema);
    return target != NULL ? eval(s, doc, target, value) : SOLVE_MAYBE;
}

static solve_truth
eval_schema(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    if (arvo__solve_ref_alone(doc, schema))
        return eval_ref(s, doc, schema, value);
    const unsigned type = arvo__solve_types_of(value);
    const arvo_json *const types = arvo_json_get(schema, "type");
    const arvo_json *const only = arvo_json_get(schema, "const");
    const arvo_json *const values = arvo_json_get(schema, "enum");
    if ((types != NULL && (arvo__solve_types_named(types) & type) == 0) ||
        (only != NULL && !arvo_json_equal(only, value)) ||
        (values != NULL && !is_one_of(values, value)))
        return SOLVE_NO;
    solve_truth result = is_strange(schema) ? SOLVE_MAYBE : SOLVE_YES;
    if ((type & SOLVE_NUMBER) != 0)
        result = both(result, eval_number(s, schema, value));
    else if (type == SOLVE_STRING)
        result = both(result, eval_string(s, schema, value));
    else if (type == SOLVE_ARRAY)
        result = both(result, eval_array(s, doc, schema, value));
    else if (type == SOLVE_OBJECT)
        result = both(result, eval_object(s, doc, schema, value));
    if (result != SOLVE_NO)
        result = both(result, eval_ref(s, doc, schema, value));
    return result != SOLVE_NO ? both(result, eval_combined(s, doc, schema, value)) : SOLVE_NO;
}

static solve_truth
eval(solver *s, const solve_doc *doc, const arvo_json *schema, const arvo_json *value)
{
    if (arvo_json_type_of(schema) == ARVO_JSON_BOOL)
        return truth(arvo_json_bool_or(schema, true));
    if (!arvo__solve_step(s, 1) || s->expanding >= SOLVE_EVAL_MAX)
        return SOLVE_MAYBE;
    s->expanding++;
    const solve_truth result = eval_schema(s, doc, schema, value);
    s->expanding--;
    return result;
}

solve_truth
arvo__solve_eval(solver *s, solve_term term, const arvo_json *value)
{
    const solve_truth is = eval(s, term.doc, term.schema, value);
    return term.negated ? inverse(is) : is;
}

solve_truth
arvo__solve_eval_all(solver *s, const solve_terms *terms, const arvo_json *value)
{
    solve_truth result = SOLVE_YES;
    for (; terms != NULL && result != SOLVE_NO; terms = terms->next)
        result = both(result, arvo__solve_eval(s, terms->term, value));
    return result;
}
