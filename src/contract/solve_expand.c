/* Taking terms apart into a state. What holds goes in at once; what leaves a choice (anyOf, and
 * the negation of a schema that says more than one thing) becomes a branch.
 *
 * Nothing here may add a constraint that the term does not have; losing one is allowed when
 * `residue` says so. */

#include "contract/solve.h"

typedef struct alternatives {
    solver *s;
    solve_action *items;
    size_t count, room;
    bool failed;
} alternatives;

/* ---- Small changes of a state --------------------------------------------------- */

void
arvo__solve_state_init(solve_state *state)
{
    *state = (solve_state){
        .types = SOLVE_ANYTHING, .max_length = SIZE_MAX, .max_items = SIZE_MAX, .max_keys = SIZE_MAX
    };
}

static void
types_keep(solve_state *state, unsigned types)
{
    state->types &= types;
    if (state->types == 0)
        state->empty = true;
}

static const solve_values *
values_push(solver *s, const solve_values *list, const arvo_json *value)
{
    solve_values *const item = arvo__solve_alloc(s, sizeof(*item));
    if (item == NULL)
        return list;
    *item = (solve_values){ value, list };
    return item;
}

static void
pattern_push(solver *s, solve_state *state, arvo_str pattern, bool negated)
{
    for (const solve_patterns *old = state->patterns; old != NULL; old = old->next) {
        if (!arvo_str_equal(old->pattern, pattern))
            continue;
        if (old->negated != negated)
            types_keep(state, SOLVE_ANYTHING & ~(unsigned)SOLVE_STRING);
        return;
    }
    solve_patterns *const item = arvo__solve_alloc(s, sizeof(*item));
    if (item == NULL)
        return;
    *item = (solve_patterns){ .pattern = pattern, .negated = negated, .next = state->patterns };
    state->patterns = item;
}

static void
required_push(solver *s, solve_state *state, arvo_str key, const solve_term *term)
{
    solve_keys *const item = arvo__solve_alloc(s, sizeof(*item));
    if (item == NULL)
        return;
    *item = (solve_keys){ .key = key, .has_term = term != NULL, .next = state->required };
    if (term != NULL)
        item->term = *term;
    state->required = item;
}

static void
absent_push(solver *s, solve_state *state, arvo_str key)
{
    solve_keys *const item = arvo__solve_alloc(s, sizeof(*item));
    if (item == NULL)
        return;
    *item = (solve_keys){ .key = key, .next = state->absent };
    state->absent = item;
}

static void
exists_push(solver *s, const solve_exists **list, const solve_action *action, const solve_doc *doc)
{
    solve_exists *const item = arvo__solve_alloc(s, sizeof(*item));
    if (item == NULL)
        return;
    *item = (solve_exists){ .act = action->act,
                            .from = action->n,
                            .pattern = action->key,
                            .layer = action->layer,
                            .doc = doc,
                            .term = action->term,
                            .next = *list };
    *list = item;
}

static void
lower_raise(solve_state *state, const arvo_json *value, bool strict)
{
    const int order =
        state->lower.value == NULL ? 1 : arvo__solve_number_compare(value, state->lower.value);
    if (order > 0 || (order == 0 && strict))
        state->lower = (solve_bound){ value, strict };
}

static void
upper_cut(solve_state *state, const arvo_json *value, bool strict)
{
    const int order =
        state->upper.value == NULL ? -1 : arvo__solve_number_compare(value, state->upper.value);
    if (order < 0 || (order == 0 && strict))
        state->upper = (solve_bound){ value, strict };
}

static size_t
limit_of(const arvo_json *value)
{
    const double number = arvo_json_number_or(value, 0);
    if (!(number > 0))
        return 0;
    return number < 1e15 ? (size_t)number : SIZE_MAX;
}

static void
raise(size_t *min, size_t n)
{
    if (n > *min)
        *min = n;
}

static void
cut(size_t *max, size_t n)
{
    if (n < *max)
        *max = n;
}

/* ---- Branches --------------------------------------------------------------------- */

static solve_action *
alternative(alternatives *list, solve_act act)
{
    if (list->count == list->room) {
        const size_t room = list->room > 0 ? 2 * list->room : 8;
        solve_action *const items = arvo__solve_alloc(list->s, room * sizeof(*items));
        if (items == NULL) {
            list->failed = true;
            list->count = 0;
            if (list->room == 0)
                return NULL;
        } else {
            if (list->count > 0)
                memcpy(items, list->items, list->count * sizeof(*items));
            list->items = items;
            list->room = room;
        }
    }
    solve_action *const action = &list->items[list->count++];
    *action = (solve_action){ .act = act };
    return action;
}

static void
alternative_n(alternatives *list, solve_act act, size_t n)
{
    solve_action *const action = alternative(list, act);
    if (action != NULL)
        action->n = n;
}

static void
alternative_value(alternatives *list, solve_act act, const arvo_json *value, bool strict)
{
    solve_action *const action = alternative(list, act);
    if (action == NULL)
        return;
    action->value = value;
    action->strict = strict;
}

static void
alternative_terms(alternatives *list, const solve_terms *terms)
{
    solve_action *const action = alternative(list, SOLVE_ACT_TERMS);
    if (action != NULL)
        action->terms = terms;
}

static void
alternative_term(alternatives *list, solve_term term)
{
    alternative_terms(list, arvo__solve_push(list->s, NULL, term));
}

/* One alternative is no choice; none is a contradiction. */
static void
branch_add(solver *s, solve_state *state, const alternatives *list)
{
    if (list->failed) {
        state->residue = true;
        return;
    }
    if (list->count == 0) {
        state->empty = true;
        return;
    }
    if (list->count == 1) {
        arvo__solve_apply(s, state, &list->items[0]);
        return;
    }
    solve_branch *const branch = arvo__solve_alloc(s, sizeof(*branch));
    if (branch == NULL)
        return;
    *branch = (solve_branch){ list->items, list->count, state->branches };
    state->branches = branch;
}

/* ---- Schemas about the same value --------------------------------------------------- */

static const solve_terms *
all_terms(solver *s, const solve_doc *doc, const arvo_json *schemas, bool negated)
{
    const solve_terms *list = NULL;
    for (size_t i = arvo_json_count(schemas); i-- > 0;)
        list = arvo__solve_push(s, list, (solve_term){ arvo_json_at(schemas, i), doc, negated });
    return list;
}

/* Exactly one of the schemas: one alternative for each, the others refused. */
static void
one_of_alternatives(alternatives *list, const solve_doc *doc, const arvo_json *schemas)
{
    for (size_t i = 0; i < arvo_json_count(schemas); i++) {
        const solve_terms *terms = NULL;
        for (size_t k = arvo_json_count(schemas); k-- > 0;)
            if (k != i)
                terms = arvo__solve_push(
                    list->s, terms, (solve_term){ arvo_json_at(schemas, k), doc, true });
        terms =
            arvo__solve_push(list->s, terms, (solve_term){ arvo_json_at(schemas, i), doc, false });
        alternative_terms(list, terms);
    }
}

/* Not exactly one: none, or two at least. */
static void
not_one_of_alternatives(alternatives *list, const solve_doc *doc, const arvo_json *schemas)
{
    alternative_terms(list, all_terms(list->s, doc, schemas, true));
    for (size_t i = 0; i < arvo_json_count(schemas); i++) {
        for (size_t k = 0; k < i; k++) {
            const solve_terms *terms = arvo__solve_push(
                list->s, NULL, (solve_term){ arvo_json_at(schemas, k), doc, false });
            terms = arvo__solve_push(
                list->s, terms, (solve_term){ arvo_json_at(schemas, i), doc, false });
            alternative_terms(list, terms);
        }
    }
}

/* if holds and then does (or does not), or if does not hold and else does (or does not). */
static void
condition_alternatives(
    alternatives *list, const solve_doc *doc, const arvo_json *schema, bool negated)
{
    static const char *const words[] = { "then", "else" };
    for (size_t i = 0; i < 2; i++) {
        const arvo_json *const part = arvo_json_get(schema, words[i]);
        if (part == NULL && negated)
            continue;
        const solve_terms *terms = NULL;
        if (part != NULL)
            terms = arvo__solve_push(list->s, terms, (solve_term){ part, doc, negated });
        const solve_term when = { arvo_json_get(schema, "if"), doc, i == 1 };
        alternative_terms(list, arvo__solve_push(list->s, terms, when));
    }
}

static bool
has_condition(const arvo_json *schema)
{
    return arvo_json_get(schema, "if") != NULL &&
           (arvo_json_get(schema, "then") != NULL || arvo_json_get(schema, "else") != NULL);
}

/* ---- A schema that must hold ---------------------------------------------------------- */

static void
values_keep(solve_state *state, const arvo_json *values)
{
    unsigned types = 0;
    for (size_t i = 0; i < arvo_json_count(values); i++)
        types |= arvo__solve_types_of(arvo_json_at(values, i));
    types_keep(state, types);
    if (state->one_of == NULL || arvo_json_count(values) < arvo_json_count(state->one_of))
        state->one_of = values; /* the solver evaluates every term for each of them */
}

static void
expand_values(solver *s, solve_state *state, const arvo_json *schema)
{
    const arvo_json *const only = arvo_json_get(schema, "const");
    const arvo_json *const values = arvo_json_get(schema, "enum");
    if (values != NULL)
        values_keep(state, values);
    if (only == NULL)
        return;
    arvo_json *const list = arvo_json_array_new(s->arena);
    arvo_json_push(s->arena, list, only);
    if (arvo_arena_failed(s->arena))
        arvo__solve_memory(s);
    else
        values_keep(state, list);
}

static void
expand_suggestions(solver *s, solve_state *state, const arvo_json *schema)
{
    const arvo_json *const examples = arvo_json_get(schema, "examples");
    const arvo_json *const value = arvo_json_get(schema, "default");
    if (value != NULL)
        state->suggested = values_push(s, state->suggested, value);
    for (size_t i = arvo_json_count(examples); i-- > 0;)
        state->suggested = values_push(s, state->suggested, arvo_json_at(examples, i));
    const arvo_str format = arvo_json_str(arvo_json_get(schema, "format"));
    if (format.ptr != NULL)
        state->format = format;
}

static void
expand_scalar(solver *s, solve_state *state, const arvo_json *schema)
{
    const arvo_json *value = arvo_json_get(schema, "minimum");
    if (value != NULL)
        lower_raise(state, value, false);
    if ((value = arvo_json_get(schema, "maximum")) != NULL)
        upper_cut(state, value, false);
    if ((value = arvo_json_get(schema, "exclusiveMinimum")) != NULL)
        lower_raise(state, value, true);
    if ((value = arvo_json_get(schema, "exclusiveMaximum")) != NULL)
        upper_cut(state, value, true);
    if ((value = arvo_json_get(schema, "multipleOf")) != NULL)
        state->multiples = values_push(s, state->multiples, value);
    if ((value = arvo_json_get(schema, "minLength")) != NULL)
        raise(&state->min_length, limit_of(value));
    if ((value = arvo_json_get(schema, "maxLength")) != NULL)
        cut(&state->max_length, limit_of(value));
    if ((value = arvo_json_get(schema, "pattern")) != NULL)
        pattern_push(s, state, arvo_json_str(value), false);
}

static void
expand_contains(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *const part = arvo_json_get(schema, "contains");
    if (part == NULL)
        return;
    const arvo_json *const least = doc->draft7 ? NULL : arvo_json_get(schema, "minContains");
    const size_t min = least != NULL ? limit_of(least) : 1;
    if (min > 1 || (!doc->draft7 && arvo_json_get(schema, "maxContains") != NULL))
        state->residue = true; /* how many, nobody counts here */
    if (min == 0)
        return;
    const solve_action some = { .act = SOLVE_ACT_SOME_ITEM, .term = { part, doc, false } };
    exists_push(s, &state->exists, &some, doc);
    raise(&state->min_items, min);
}

static void
expand_array(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *value = arvo_json_get(schema, "minItems");
    if (value != NULL)
        raise(&state->min_items, limit_of(value));
    if ((value = arvo_json_get(schema, "maxItems")) != NULL)
        cut(&state->max_items, limit_of(value));
    if (arvo_json_bool_or(arvo_json_get(schema, "uniqueItems"), false))
        state->unique = true;
    expand_contains(s, state, doc, schema);
}

/* When the key is there, so are others; or a schema holds. */
static void
expand_dependent(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *rules)
{
    for (size_t i = 0; i < arvo_json_count(rules); i++) {
        alternatives list = { .s = s };
        const arvo_json *const rule = arvo_json_at(rules, i);
        solve_action *action = alternative(&list, SOLVE_ACT_ABSENT_IF_OBJECT);
        if (action != NULL)
            action->key = arvo_json_key_at(rules, i);
        arvo_json *const needs = arvo_json_object_new(s->arena);
        if (arvo_json_type_of(rule) == ARVO_JSON_ARRAY)
            arvo_json_set_ref(s->arena, needs, ARVO_STR("required"), rule);
        const bool has_keys = arvo_json_type_of(rule) == ARVO_JSON_ARRAY;
        alternative_term(
            &list, has_keys ? (solve_term){ needs, &s->synthetic, false }
                            : (solve_term){ rule, doc, false });
        branch_add(s, state, &list);
    }
}

static void
expand_object(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *value = arvo_json_get(schema, "minProperties");
    if (value != NULL)
        raise(&state->min_keys, limit_of(value));
    if ((value = arvo_json_get(schema, "maxProperties")) != NULL)
        cut(&state->max_keys, limit_of(value));
    if ((value = arvo_json_get(schema, "propertyNames")) != NULL)
        state->names = arvo__solve_push(s, state->names, (solve_term){ value, doc, false });
    const arvo_json *const required = arvo_json_get(schema, "required");
    for (size_t i = arvo_json_count(required); i-- > 0;) {
        const arvo_str key = arvo_json_str(arvo_json_at(required, i));
        if (!doc->defaults || !arvo__solve_key_has_default(doc, schema, key))
            required_push(s, state, key, NULL);
    }
    if (doc->draft7) {
        expand_dependent(s, state, doc, arvo_json_get(schema, "dependencies"));
        return;
    }
    expand_dependent(s, state, doc, arvo_json_get(schema, "dependentRequired"));
    expand_dependent(s, state, doc, arvo_json_get(schema, "dependentSchemas"));
}

static void
expand_ref(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *schema)
{
    if (arvo_json_get(schema, "$ref") == NULL)
        return;
    const arvo_json *const target = arvo__solve_ref(doc, schema);
    if (target != NULL)
        arvo__solve_expand(s, state, (solve_term){ target, doc, false });
    else
        state->residue = true;
}

static void
expand_combined(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *part = arvo_json_get(schema, "allOf");
    for (size_t i = 0; i < arvo_json_count(part); i++)
        arvo__solve_expand(s, state, (solve_term){ arvo_json_at(part, i), doc, false });
    if ((part = arvo_json_get(schema, "not")) != NULL)
        arvo__solve_expand(s, state, (solve_term){ part, doc, true });
    if ((part = arvo_json_get(schema, "anyOf")) != NULL) {
        alternatives list = { .s = s };
        for (size_t i = 0; i < arvo_json_count(part); i++)
            alternative_term(&list, (solve_term){ arvo_json_at(part, i), doc, false });
        branch_add(s, state, &list);
    }
    if ((part = arvo_json_get(schema, "oneOf")) != NULL) {
        alternatives list = { .s = s };
        one_of_alternatives(&list, doc, part);
        branch_add(s, state, &list);
    }
    if (has_condition(schema)) {
        alternatives list = { .s = s };
        condition_alternatives(&list, doc, schema, false);
        branch_add(s, state, &list);
    }
}

static bool
has_strange(const arvo_json *schema)
{
    return arvo_json_get(schema, "unevaluatedProperties") != NULL ||
           arvo_json_get(schema, "unevaluatedItems") != NULL ||
           arvo_json_get(schema, "$dynamicRef") != NULL;
}

static bool
has_parts(const arvo_json *schema)
{
    static const char *const words[] = { "properties", "patternProperties", "additionalProperties",
                                         "items",      "prefixItems",       "additionalItems" };
    for (size_t i = 0; i < ARVO_COUNT_OF(words); i++)
        if (arvo_json_get(schema, words[i]) != NULL)
            return true;
    return false;
}

static void
expand_holds(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *schema)
{
    if (arvo__solve_ref_alone(doc, schema)) {
        expand_suggestions(s, state, schema);
        expand_ref(s, state, doc, schema);
        return;
    }
    const arvo_json *const type = arvo_json_get(schema, "type");
    if (type != NULL)
        types_keep(state, arvo__solve_types_named(type));
    if (has_parts(schema))
        state->layers = arvo__solve_push(s, state->layers, (solve_term){ schema, doc, false });
    state->residue = state->residue || has_strange(schema);
    expand_ref(s, state, doc, schema); /* before its own suggestions, which are nearer */
    expand_suggestions(s, state, schema);
    expand_values(s, state, schema);
    expand_scalar(s, state, schema);
    expand_array(s, state, doc, schema);
    expand_object(s, state, doc, schema);
    expand_combined(s, state, doc, schema);
}

/* ---- A schema that must not hold: one alternative for each thing it says ---------------- */

static void
break_scalar(alternatives *list, const arvo_json *schema)
{
    const arvo_json *value = arvo_json_get(schema, "minimum");
    if (value != NULL)
        alternative_value(list, SOLVE_ACT_UPPER, value, true);
    if ((value = arvo_json_get(schema, "maximum")) != NULL)
        alternative_value(list, SOLVE_ACT_LOWER, value, true);
    if ((value = arvo_json_get(schema, "exclusiveMinimum")) != NULL)
        alternative_value(list, SOLVE_ACT_UPPER, value, false);
    if ((value = arvo_json_get(schema, "exclusiveMaximum")) != NULL)
        alternative_value(list, SOLVE_ACT_LOWER, value, false);
    if ((value = arvo_json_get(schema, "multipleOf")) != NULL)
        alternative_value(list, SOLVE_ACT_NOT_MULTIPLE, value, false);
    if ((value = arvo_json_get(schema, "pattern")) != NULL) {
        solve_action *const action = alternative(list, SOLVE_ACT_NOT_PATTERN);
        if (action != NULL)
            action->key = arvo_json_str(value);
    }
}

/* minX n is broken by at most n - 1, maxX n by at least n + 1. */
static void
break_limits(alternatives *list, const arvo_json *schema)
{
    static const struct {
        const char *word;
        bool is_min;
        solve_act act;
    } limits[] = { { "minLength", true, SOLVE_ACT_MAX_LENGTH },
                   { "maxLength", false, SOLVE_ACT_MIN_LENGTH },
                   { "minItems", true, SOLVE_ACT_MAX_ITEMS },
                   { "maxItems", false, SOLVE_ACT_MIN_ITEMS },
                   { "minProperties", true, SOLVE_ACT_MAX_KEYS },
                   { "maxProperties", false, SOLVE_ACT_MIN_KEYS } };
    for (size_t i = 0; i < ARVO_COUNT_OF(limits); i++) {
        const arvo_json *const value = arvo_json_get(schema, limits[i].word);
        const size_t n = limit_of(value);
        if (value == NULL || (limits[i].is_min && n == 0))
            continue;
        alternative_n(list, limits[i].act, limits[i].is_min ? n - 1 : n < SIZE_MAX ? n + 1 : n);
    }
}

static void
break_contains(alternatives *list, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *const part = arvo_json_get(schema, "contains");
    if (part == NULL)
        return;
    const bool counts = !doc->draft7 && (arvo_json_get(schema, "minContains") != NULL ||
                                         arvo_json_get(schema, "maxContains") != NULL);
    if (counts) {
        (void)alternative(list, SOLVE_ACT_RESIDUE);
        return;
    }
    /* No item holds: {type: array, items: {not: part}}, of the same document. */
    arvo_arena *const arena = list->s->arena;
    arvo_json *const refused = arvo_json_object_new(arena);
    arvo_json *const items = arvo_json_object_new(arena);
    arvo_json_set_ref(arena, refused, ARVO_STR("not"), part);
    arvo_json_set_ref(arena, items, ARVO_STR("type"), arvo_json_string(arena, ARVO_STR("array")));
    arvo_json_set_ref(arena, items, ARVO_STR("items"), refused);
    if (arvo_arena_failed(arena))
        list->failed = true;
    else
        alternative_term(list, (solve_term){ items, doc, false });
}

static void
break_items(alternatives *list, const solve_doc *doc, const arvo_json *schema)
{
    const size_t count = arvo__solve_prefix_count(doc, schema);
    for (size_t i = 0; i <= count; i++) {
        const solve_terms *const terms = arvo__solve_item_terms(list->s, doc, schema, i, NULL);
        if (terms == NULL)
            continue;
        solve_action *const action =
            alternative(list, i < count ? SOLVE_ACT_ITEM : SOLVE_ACT_SOME_ITEM);
        if (action == NULL)
            return;
        action->n = i;
        action->term = solve_not(terms->term);
    }
    if (arvo_json_bool_or(arvo_json_get(schema, "uniqueItems"), false))
        (void)alternative(list, SOLVE_ACT_REPEATED);
    break_contains(list, doc, schema);
}

static void
break_keys(alternatives *list, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *const required = arvo_json_get(schema, "required");
    for (size_t i = 0; i < arvo_json_count(required); i++) {
        const arvo_str key = arvo_json_str(arvo_json_at(required, i));
        if (doc->defaults && arvo__solve_key_has_default(doc, schema, key))
            continue;
        solve_action *const action = alternative(list, SOLVE_ACT_ABSENT);
        if (action != NULL)
            action->key = key;
    }
    const arvo_json *const keys = arvo_json_get(schema, "properties");
    for (size_t i = 0; i < arvo_json_count(keys); i++) {
        solve_action *const action = alternative(list, SOLVE_ACT_PRESENT);
        if (action == NULL)
            return;
        action->key = arvo_json_key_at(keys, i);
        action->term = (solve_term){ arvo_json_at(keys, i), doc, true };
    }
}

static void
break_other_keys(alternatives *list, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *const patterns = arvo_json_get(schema, "patternProperties");
    for (size_t i = 0; i < arvo_json_count(patterns); i++) {
        solve_action *const action = alternative(list, SOLVE_ACT_SOME_MATCHED);
        if (action == NULL)
            return;
        action->key = arvo_json_key_at(patterns, i);
        action->term = (solve_term){ arvo_json_at(patterns, i), doc, true };
    }
    const arvo_json *const rest = arvo_json_get(schema, "additionalProperties");
    const bool stripped =
        doc->strip && arvo_json_type_of(rest) == ARVO_JSON_BOOL && !arvo_json_bool_or(rest, true);
    if (rest != NULL && !stripped) {
        solve_action *const action = alternative(list, SOLVE_ACT_SOME_EXTRA);
        if (action != NULL) {
            action->layer = schema;
            action->term = (solve_term){ rest, doc, true };
        }
    }
    const arvo_json *const names = arvo_json_get(schema, "propertyNames");
    if (names != NULL) {
        solve_action *const action = alternative(list, SOLVE_ACT_SOME_NAMED);
        if (action != NULL)
            action->term = (solve_term){ names, doc, true };
    }
}

/* The key is there and one that it needs is not, or its schema does not hold. */
static void
break_dependent(alternatives *list, const solve_doc *doc, const arvo_json *rules)
{
    for (size_t i = 0; i < arvo_json_count(rules); i++) {
        const arvo_json *const rule = arvo_json_at(rules, i);
        const bool has_keys = arvo_json_type_of(rule) == ARVO_JSON_ARRAY;
        const size_t count = has_keys ? arvo_json_count(rule) : 1;
        for (size_t k = 0; k < count; k++) {
            solve_action *const also = arvo__solve_alloc(list->s, sizeof(*also));
            solve_action *const action = alternative(list, SOLVE_ACT_PRESENT);
            if (action == NULL || also == NULL) {
                list->failed = true;
                return;
            }
            action->key = arvo_json_key_at(rules, i);
            action->term = (solve_term){ arvo_json_bool(true), doc, false };
            action->also = also;
            *also = (solve_action){ .act = SOLVE_ACT_ABSENT };
            if (has_keys) {
                also->key = arvo_json_str(arvo_json_at(rule, k));
                continue;
            }
            also->act = SOLVE_ACT_TERMS;
            also->terms = arvo__solve_push(list->s, NULL, (solve_term){ rule, doc, true });
        }
    }
}

static void
break_combined(alternatives *list, const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *part = arvo_json_get(schema, "allOf");
    for (size_t i = 0; i < arvo_json_count(part); i++)
        alternative_term(list, (solve_term){ arvo_json_at(part, i), doc, true });
    if ((part = arvo_json_get(schema, "not")) != NULL)
        alternative_term(list, (solve_term){ part, doc, false });
    if ((part = arvo_json_get(schema, "anyOf")) != NULL)
        alternative_terms(list, all_terms(list->s, doc, part, true));
    part = arvo_json_get(schema, "oneOf");
    if (part != NULL && arvo_json_count(part) > SOLVE_ONE_OF_MAX)
        (void)alternative(list, SOLVE_ACT_RESIDUE);
    else if (part != NULL)
        not_one_of_alternatives(list, doc, part);
    if (has_condition(schema))
        condition_alternatives(list, doc, schema, true);
}

static void
break_ref(alternatives *list, const solve_doc *doc, const arvo_json *schema)
{
    if (arvo_json_get(schema, "$ref") == NULL)
        return;
    const arvo_json *const target = arvo__solve_ref(doc, schema);
    if (target != NULL)
        alternative_term(list, (solve_term){ target, doc, true });
    else
        (void)alternative(list, SOLVE_ACT_RESIDUE);
}

static void
break_values(alternatives *list, const arvo_json *schema)
{
    const arvo_json *const type = arvo_json_get(schema, "type");
    if (type != NULL)
        alternative_n(list, SOLVE_ACT_TYPES, SOLVE_ANYTHING & ~arvo__solve_types_named(type));
    const arvo_json *const only = arvo_json_get(schema, "const");
    if (only != NULL)
        alternative_value(list, SOLVE_ACT_NOT_VALUE, only, true);
    const arvo_json *const values = arvo_json_get(schema, "enum");
    if (values != NULL)
        alternative_value(list, SOLVE_ACT_NOT_VALUE, values, false);
}

static void
expand_refused(solver *s, solve_state *state, const solve_doc *doc, const arvo_json *schema)
{
    alternatives list = { .s = s };
    if (arvo__solve_ref_alone(doc, schema)) {
        break_ref(&list, doc, schema);
        branch_add(s, state, &list);
        return;
    }
    break_values(&list, schema);
    break_ref(&list, doc, schema);
    break_scalar(&list, schema);
    break_limits(&list, schema);
    break_keys(&list, doc, schema);
    break_other_keys(&list, doc, schema);
    break_items(&list, doc, schema);
    if (doc->draft7) {
        break_dependent(&list, doc, arvo_json_get(schema, "dependencies"));
    } else {
        break_dependent(&list, doc, arvo_json_get(schema, "dependentRequired"));
        break_dependent(&list, doc, arvo_json_get(schema, "dependentSchemas"));
    }
    break_combined(&list, doc, schema);
    if (has_strange(schema))
        (void)alternative(&list, SOLVE_ACT_RESIDUE);
    branch_add(s, state, &list);
}

/* ---- Both ---------------------------------------------------------------------------- */

/* Whether the term is in the state already, or contradicts what is. */
static bool
is_known(solve_state *state, solve_term term)
{
    for (const solve_terms *old = state->seen; old != NULL; old = old->next) {
        if (old->term.negated == term.negated) {
            if (old->term.schema == term.schema && old->term.doc == term.doc)
                return true;
        } else if (arvo__solve_same(old->term.doc, old->term.schema, term.doc, term.schema)) {
            state->empty = true;
            return true;
        }
    }
    return false;
}

void
arvo__solve_expand(solver *s, solve_state *state, solve_term term)
{
    if (state->empty || s->stopped)
        return;
    if (arvo_json_type_of(term.schema) == ARVO_JSON_BOOL) {
        state->empty = arvo_json_bool_or(term.schema, true) == term.negated;
        return;
    }
    if (!arvo__solve_step(s, 1) || s->expanding >= SOLVE_EXPAND_MAX) {
        state->residue = true;
        return;
    }
    if (is_known(state, term))
        return;
    state->seen = arvo__solve_push(s, state->seen, term);
    s->expanding++;
    if (term.negated)
        expand_refused(s, state, term.doc, term.schema);
    else
        expand_holds(s, state, term.doc, term.schema);
    s->expanding--;
}

/* ---- Actions ---------------------------------------------------------------------------- */

static void
apply_not_value(solver *s, solve_state *state, const solve_action *action)
{
    if (action->strict) { /* const: the value itself */
        state->not_values = values_push(s, state->not_values, action->value);
        return;
    }
    for (size_t i = 0; i < arvo_json_count(action->value); i++)
        state->not_values = values_push(s, state->not_values, arvo_json_at(action->value, i));
}

static void
apply_scalar(solver *s, solve_state *state, const solve_action *action)
{
    switch (action->act) {
    case SOLVE_ACT_LOWER:
        types_keep(state, SOLVE_NUMBER);
        lower_raise(state, action->value, action->strict);
        return;
    case SOLVE_ACT_UPPER:
        types_keep(state, SOLVE_NUMBER);
        upper_cut(state, action->value, action->strict);
        return;
    case SOLVE_ACT_NOT_MULTIPLE:
        types_keep(state, SOLVE_NUMBER);
        state->not_multiples = values_push(s, state->not_multiples, action->value);
        return;
    case SOLVE_ACT_MIN_LENGTH:
        types_keep(state, SOLVE_STRING);
        raise(&state->min_length, action->n);
        return;
    case SOLVE_ACT_MAX_LENGTH:
        types_keep(state, SOLVE_STRING);
        cut(&state->max_length, action->n);
        return;
    default:
        types_keep(state, SOLVE_STRING);
        pattern_push(s, state, action->key, true);
        return;
    }
}

static void
item_push(solver *s, solve_state *state, const solve_action *action)
{
    exists_push(s, &state->items, action, action->term.doc);
    raise(&state->min_items, action->n + 1);
}

static void
apply_array(solver *s, solve_state *state, const solve_action *action)
{
    types_keep(state, SOLVE_ARRAY);
    switch (action->act) {
    case SOLVE_ACT_MIN_ITEMS:
        raise(&state->min_items, action->n);
        return;
    case SOLVE_ACT_MAX_ITEMS:
        cut(&state->max_items, action->n);
        return;
    case SOLVE_ACT_ITEM:
        item_push(s, state, action);
        return;
    case SOLVE_ACT_REPEATED:
        state->repeated = true;
        raise(&state->min_items, 2);
        return;
    default:
        exists_push(s, &state->exists, action, action->term.doc);
        raise(&state->min_items, action->n + 1);
        return;
    }
}

static void
apply_object(solver *s, solve_state *state, const solve_action *action)
{
    if (action->act == SOLVE_ACT_ABSENT_IF_OBJECT) {
        absent_push(s, state, action->key);
        return;
    }
    types_keep(state, SOLVE_OBJECT);
    switch (action->act) {
    case SOLVE_ACT_MIN_KEYS:
        raise(&state->min_keys, action->n);
        return;
    case SOLVE_ACT_MAX_KEYS:
        cut(&state->max_keys, action->n);
        return;
    case SOLVE_ACT_PRESENT:
        required_push(s, state, action->key, &action->term);
        return;
    case SOLVE_ACT_ABSENT:
        absent_push(s, state, action->key);
        return;
    default:
        exists_push(s, &state->exists, action, action->term.doc);
        raise(&state->min_keys, 1);
        return;
    }
}

void
arvo__solve_apply(solver *s, solve_state *state, const solve_action *action)
{
    for (; action != NULL; action = action->also) {
        if (action->act == SOLVE_ACT_TERMS) {
            for (const solve_terms *terms = action->terms; terms != NULL; terms = terms->next)
                arvo__solve_expand(s, state, terms->term);
        } else if (action->act == SOLVE_ACT_TYPES) {
            types_keep(state, (unsigned)action->n);
        } else if (action->act == SOLVE_ACT_NOT_VALUE) {
            apply_not_value(s, state, action);
        } else if (action->act == SOLVE_ACT_RESIDUE) {
            state->residue = true;
        } else if (action->act <= SOLVE_ACT_NOT_PATTERN) {
            apply_scalar(s, state, action);
        } else if (action->act <= SOLVE_ACT_REPEATED) {
            apply_array(s, state, action);
        } else {
            apply_object(s, state, action);
        }
    }
}
