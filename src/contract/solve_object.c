/* Objects for the solver: which keys there must be, and a value for each.
 *
 * Keys that no schema names are all alike as far as patternProperties tells: for every set of
 * patterns that a fresh key could match, one such key stands for them all (`fresh_find`). */

#include "contract/solve.h"

#include <stdio.h>

#define PATTERNS_MAX 4u /* of one object; 2^4 kinds of fresh keys */
#define EXISTS_MAX   6u /* keys that must exist somewhere */
#define KNOWN_MAX    512u

typedef struct object_plan {
    solver *s;
    const solve_state *state;
    const solve_terms *all;
} object_plan;

typedef struct key_list {
    arvo_str *keys;
    size_t count;
    bool complete; /* whatever is not here cannot help */
} key_list;

/* ---- What is said of a key --------------------------------------------------------- */

const solve_terms *
arvo__solve_state_key(solver *s, const solve_state *state, arvo_str key)
{
    const solve_terms *terms = NULL;
    for (const solve_keys *item = state->required; item != NULL; item = item->next)
        if (item->has_term && arvo_str_equal(item->key, key))
            terms = arvo__solve_push(s, terms, item->term);
    for (const solve_terms *layer = state->layers; layer != NULL; layer = layer->next)
        terms = arvo__solve_key_terms(s, layer->term.doc, layer->term.schema, key, terms);
    return terms;
}

static bool
is_required(const solve_state *state, arvo_str key)
{
    for (const solve_keys *item = state->required; item != NULL; item = item->next)
        if (arvo_str_equal(item->key, key))
            return true;
    return false;
}

static bool
is_absent(const solve_state *state, arvo_str key)
{
    for (const solve_keys *item = state->absent; item != NULL; item = item->next)
        if (arvo_str_equal(item->key, key))
            return true;
    return false;
}

static bool
list_has(const key_list *list, arvo_str key)
{
    for (size_t i = 0; i < list->count; i++)
        if (arvo_str_equal(list->keys[i], key))
            return true;
    return false;
}

static void
list_add(key_list *list, arvo_str key)
{
    if (list->count == KNOWN_MAX)
        list->complete = false;
    else if (!list_has(list, key))
        list->keys[list->count++] = key;
}

/* The keys that schemas name, in their order. */
static bool
known_find(const object_plan *plan, key_list *out)
{
    *out = (key_list){ .complete = true };
    out->keys = arvo__solve_alloc(plan->s, KNOWN_MAX * sizeof(*out->keys));
    if (out->keys == NULL)
        return false;
    const solve_terms *layers = NULL; /* the list grows at the front: the first schema is last */
    for (const solve_terms *layer = plan->state->layers; layer != NULL; layer = layer->next)
        layers = arvo__solve_push(plan->s, layers, layer->term);
    for (; layers != NULL; layers = layers->next) {
        const arvo_json *const keys = arvo_json_get(layers->term.schema, "properties");
        for (size_t i = 0; i < arvo_json_count(keys); i++)
            list_add(out, arvo_json_key_at(keys, i));
    }
    for (const solve_exists *item = plan->state->exists; item != NULL; item = item->next) {
        const arvo_json *const keys = arvo_json_get(item->layer, "properties");
        for (size_t i = 0; i < arvo_json_count(keys); i++)
            list_add(out, arvo_json_key_at(keys, i));
    }
    for (const solve_keys *item = plan->state->required; item != NULL; item = item->next)
        list_add(out, item->key);
    return true;
}

/* ---- Fresh keys ----------------------------------------------------------------------- */

static bool
pattern_note(arvo_str *out, size_t *count, arvo_str pattern)
{
    for (size_t i = 0; i < *count; i++)
        if (arvo_str_equal(out[i], pattern))
            return true;
    if (*count == PATTERNS_MAX)
        return false;
    out[(*count)++] = pattern;
    return true;
}

static bool
patterns_note(arvo_str *out, size_t *count, const arvo_json *schema)
{
    const arvo_json *const all = arvo_json_get(schema, "patternProperties");
    for (size_t i = 0; i < arvo_json_count(all); i++)
        if (!pattern_note(out, count, arvo_json_key_at(all, i)))
            return false;
    return true;
}

/* All patterns that may tell fresh keys apart, each once. false: too many. */
static bool
patterns_find(const object_plan *plan, arvo_str *out, size_t *count)
{
    *count = 0;
    for (const solve_terms *layer = plan->state->layers; layer != NULL; layer = layer->next)
        if (!patterns_note(out, count, layer->term.schema))
            return false;
    for (const solve_exists *item = plan->state->exists; item != NULL; item = item->next) {
        if (item->act == SOLVE_ACT_SOME_MATCHED && !pattern_note(out, count, item->pattern))
            return false;
        if (item->act == SOLVE_ACT_SOME_EXTRA && !patterns_note(out, count, item->layer))
            return false;
    }
    return true;
}

static const solve_terms *
pattern_term(solver *s, const solve_terms *terms, arvo_str pattern, bool negated)
{
    const arvo_json *const text = arvo_json_string_ref(s->arena, pattern);
    return arvo__solve_push(s, terms, arvo__solve_synthetic(s, "pattern", text, negated));
}

/* The terms of a key's name: a string, what propertyNames says, none of those taken, and what
 * `wanted` (nullable) asks of it. */
static const solve_terms *
name_terms(
    const object_plan *plan, const key_list *taken, const solve_exists *wanted,
    const solve_terms *more)
{
    solver *const s = plan->s;
    const solve_terms *terms = more;
    arvo_json *const used = arvo_json_array_new(s->arena);
    for (size_t i = 0; i < taken->count; i++)
        arvo_json_push(s->arena, used, arvo_json_string_ref(s->arena, taken->keys[i]));
    for (const solve_terms *item = plan->state->names; item != NULL; item = item->next)
        terms = arvo__solve_push(s, terms, item->term);
    for (const solve_keys *item = plan->state->absent; item != NULL; item = item->next)
        arvo_json_push(s->arena, used, arvo_json_string_ref(s->arena, item->key));
    if (wanted != NULL && wanted->act == SOLVE_ACT_SOME_NAMED)
        terms = arvo__solve_push(s, terms, wanted->term);
    terms = arvo__solve_push(s, terms, arvo__solve_synthetic(s, "enum", used, true));
    const arvo_json *const type = arvo_json_string_ref(s->arena, ARVO_STR("string"));
    return arvo__solve_push(s, terms, arvo__solve_synthetic(s, "type", type, false));
}

/* One fresh key of the kind that matches the patterns of `mask` and no other. */
static solve_answer
fresh_make(
    const object_plan *plan, const arvo_str *patterns, size_t count, size_t mask,
    const key_list *taken, const solve_exists *wanted, arvo_str *out)
{
    const solve_terms *terms = NULL;
    for (size_t i = 0; i < count; i++)
        terms = pattern_term(plan->s, terms, patterns[i], (mask >> i & 1) == 0);
    terms = name_terms(plan, taken, wanted, terms);
    const arvo_json *name = NULL;
    if (plan->s->stopped)
        return SOLVE_UNKNOWN;
    const arvo_str hint = plan->s->hint;
    plan->s->hint = ARVO_STR("extra");
    const solve_answer answer = arvo__solve(plan->s, terms, &name);
    plan->s->hint = hint;
    if (answer == SOLVE_FOUND)
        *out = arvo_json_str(name);
    return answer;
}

/* Fresh keys: `each` of every kind. They join `keys`. */
static void
fresh_find(const object_plan *plan, size_t each, const solve_exists *wanted, key_list *keys)
{
    arvo_str patterns[PATTERNS_MAX];
    size_t count = 0;
    if (!patterns_find(plan, patterns, &count)) {
        keys->complete = false;
        return;
    }
    for (size_t mask = 0; mask < (size_t)1 << count; mask++) {
        for (size_t i = 0; i < each; i++) {
            arvo_str key = ARVO_STR_NONE;
            const solve_answer answer = fresh_make(plan, patterns, count, mask, keys, wanted, &key);
            if (answer == SOLVE_UNKNOWN)
                keys->complete = false;
            if (answer != SOLVE_FOUND)
                break;
            list_add(keys, key);
        }
    }
}

/* ---- Building -------------------------------------------------------------------------- */

static solve_answer
value_make(const object_plan *plan, arvo_str key, const arvo_json **value)
{
    solver *const s = plan->s;
    const arvo_str hint = s->hint;
    const solve_terms *const terms = arvo__solve_state_key(s, plan->state, key);
    s->hint = key;
    const solve_answer answer = arvo__solve(s, terms, value);
    s->hint = hint;
    return answer;
}

static bool
name_fits(const object_plan *plan, arvo_str key)
{
    if (plan->state->names == NULL)
        return true;
    const arvo_json *const name = arvo_json_string_ref(plan->s->arena, key);
    return arvo__solve_eval_all(plan->s, plan->state->names, name) != SOLVE_NO;
}

/* Members that are there already stay as they are. */
static void
object_set(const object_plan *plan, arvo_json *object, arvo_str key, const arvo_json *value)
{
    arvo_json_set_ref(plan->s->arena, object, key, value);
    if (arvo_arena_failed(plan->s->arena))
        arvo__solve_memory(plan->s);
}

/* The required keys, in the order in which schemas name them. */
static solve_answer
required_make(const object_plan *plan, const key_list *known, arvo_json *object)
{
    solve_answer answer = SOLVE_FOUND;
    for (size_t i = 0; i < known->count; i++) {
        const arvo_str key = known->keys[i];
        const arvo_json *value = NULL;
        if (!is_required(plan->state, key))
            continue;
        if (is_absent(plan->state, key) || !name_fits(plan, key))
            return SOLVE_NONE;
        const solve_answer one = value_make(plan, key, &value);
        if (one == SOLVE_NONE)
            return one;
        if (one == SOLVE_UNKNOWN)
            answer = one;
        else
            object_set(plan, object, key, value);
    }
    return known->complete ? answer : SOLVE_UNKNOWN;
}

/* More keys until there are min_keys: those that schemas name, then fresh ones. */
static solve_answer
keys_fill(const object_plan *plan, key_list *known, arvo_json *object)
{
    const size_t wanted = plan->state->min_keys;
    bool unsure = false;
    if (arvo_json_count(object) >= wanted)
        return SOLVE_FOUND;
    if (wanted > SOLVE_ITEMS_MAX)
        return SOLVE_UNKNOWN;
    fresh_find(plan, wanted - arvo_json_count(object), NULL, known);
    for (size_t i = 0; i < known->count && arvo_json_count(object) < wanted; i++) {
        const arvo_str key = known->keys[i];
        const arvo_json *value = NULL;
        if (arvo_json_get_str(object, key) != NULL || is_absent(plan->state, key) ||
            !name_fits(plan, key))
            continue;
        const solve_answer one = value_make(plan, key, &value);
        if (one == SOLVE_FOUND)
            object_set(plan, object, key, value);
        unsure = unsure || one == SOLVE_UNKNOWN;
    }
    if (arvo_json_count(object) >= wanted)
        return SOLVE_FOUND;
    return unsure || !known->complete ? SOLVE_UNKNOWN : SOLVE_NONE;
}

/* For examples: optional keys too, as far as the object stays valid. Twice, since one key may need
 * another. */
static void
optional_add(const object_plan *plan, const key_list *known, const arvo_json **object)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < known->count && !plan->s->stopped; i++) {
            const arvo_str key = known->keys[i];
            const arvo_json *value = NULL;
            if (arvo_json_get_str(*object, key) != NULL ||
                value_make(plan, key, &value) != SOLVE_FOUND)
                continue;
            arvo_json *const more = arvo_json_clone(plan->s->arena, *object);
            object_set(plan, more, key, value);
            if (!plan->s->stopped && arvo__solve_eval_all(plan->s, plan->all, more) == SOLVE_YES)
                *object = more;
        }
    }
}

/* Keys in the order in which schemas name them. */
static const arvo_json *
ordered(const object_plan *plan, const key_list *known, const arvo_json *object)
{
    arvo_json *const out = arvo_json_object_new(plan->s->arena);
    for (size_t i = 0; i < known->count; i++) {
        const arvo_json *const value = arvo_json_get_str(object, known->keys[i]);
        if (value != NULL)
            object_set(plan, out, known->keys[i], value);
    }
    return plan->s->stopped || arvo_json_count(out) != arvo_json_count(object) ? object : out;
}

static solve_answer
object_build(const object_plan *plan, const arvo_json **value)
{
    solver *const s = plan->s;
    key_list known;
    arvo_json *const object = arvo_json_object_new(s->arena);
    if (!known_find(plan, &known))
        return SOLVE_UNKNOWN;
    if (object == NULL)
        arvo__solve_memory(s);
    solve_answer answer = required_make(plan, &known, object);
    if (answer != SOLVE_FOUND || s->stopped)
        return s->stopped ? SOLVE_UNKNOWN : answer;
    if (arvo_json_count(object) > plan->state->max_keys)
        return SOLVE_NONE;
    answer = keys_fill(plan, &known, object);
    if (answer != SOLVE_FOUND || s->stopped)
        return s->stopped ? SOLVE_UNKNOWN : answer;
    if (arvo__solve_eval_all(s, plan->all, object) != SOLVE_YES)
        return SOLVE_UNKNOWN;
    const arvo_json *done = object;
    if (s->full)
        optional_add(plan, &known, &done);
    *value = ordered(plan, &known, done);
    return SOLVE_FOUND;
}

/* ---- Keys that must exist somewhere -------------------------------------------------------- */

/* Whether the key is one that the existential speaks of. */
static bool
key_serves(const object_plan *plan, const solve_exists *wanted, arvo_str key)
{
    solver *const s = plan->s;
    if (wanted->act == SOLVE_ACT_SOME_EXTRA)
        return !arvo__solve_declares(s, wanted->layer, key);
    if (wanted->act == SOLVE_ACT_SOME_MATCHED)
        return arvo__solve_matches(s, wanted->pattern, key) != SOLVE_NO;
    return arvo__solve_eval(s, wanted->term, arvo_json_string_ref(s->arena, key)) != SOLVE_NO;
}

static solve_answer exists_settle(const object_plan *plan, size_t left, const arvo_json **value);

static solve_answer
exists_at(
    const object_plan *plan, const solve_exists *wanted, const solve_state *next, arvo_str key,
    size_t left, const arvo_json **value)
{
    solve_state state = *next;
    solve_keys *const item = arvo__solve_alloc(plan->s, sizeof(*item));
    if (item == NULL)
        return SOLVE_UNKNOWN;
    *item = (solve_keys){ .key = key,
                          .has_term = wanted->act != SOLVE_ACT_SOME_NAMED,
                          .term = wanted->term,
                          .next = state.required };
    state.required = item;
    object_plan inner = *plan;
    inner.state = &state;
    return exists_settle(&inner, left - 1, value);
}

/* Settle the first such key by trying every one that can make a difference. */
static solve_answer
exists_settle(const object_plan *plan, size_t left, const arvo_json **value)
{
    solver *const s = plan->s;
    const solve_exists *wanted = plan->state->exists;
    while (wanted != NULL && wanted->act == SOLVE_ACT_SOME_ITEM)
        wanted = wanted->next;
    if (wanted == NULL)
        return object_build(plan, value);
    key_list keys;
    if (!known_find(plan, &keys) || !arvo__solve_step(s, 1))
        return SOLVE_UNKNOWN;
    fresh_find(plan, left, wanted, &keys);
    if (left > 1 && plan->state->max_keys != SIZE_MAX)
        keys.complete = false; /* one key may have to serve twice, and need a name for both */
    solve_state next = *plan->state;
    next.exists = wanted->next;
    solve_answer answer = keys.complete ? SOLVE_NONE : SOLVE_UNKNOWN;
    for (size_t i = keys.count; i-- > 0 && !s->stopped;) { /* fresh ones first: they show most */
        if (is_absent(plan->state, keys.keys[i]) || !key_serves(plan, wanted, keys.keys[i]))
            continue;
        answer = solve_worse(answer, exists_at(plan, wanted, &next, keys.keys[i], left, value));
        if (answer == SOLVE_FOUND)
            return answer;
    }
    return s->stopped ? SOLVE_UNKNOWN : answer;
}

solve_answer
arvo__solve_object(
    solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    const object_plan plan = { s, state, all };
    size_t wanted = 0;
    for (const solve_exists *item = state->exists; item != NULL; item = item->next)
        wanted += item->act != SOLVE_ACT_SOME_ITEM;
    return wanted <= EXISTS_MAX ? exists_settle(&plan, wanted, value) : SOLVE_UNKNOWN;
}
