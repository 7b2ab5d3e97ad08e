/* Reading schemas for the solver: references, defaults, what is said of a key or an item, and
 * whether two schemas say the same. */

#include "contract/solve.h"

/* ---- References ------------------------------------------------------------- */

static const arvo_json *
anchor_find(const arvo_json *value, arvo_str name, size_t depth)
{
    const arvo_json_type type = arvo_json_type_of(value);
    if (depth > ARVO_SCHEMA_DEPTH_MAX || (type != ARVO_JSON_OBJECT && type != ARVO_JSON_ARRAY))
        return NULL;
    const arvo_json *const anchor =
        type == ARVO_JSON_OBJECT ? arvo_json_get(value, "$anchor") : NULL;
    if (anchor != NULL && arvo_str_equal(arvo_json_str(anchor), name))
        return value;
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const arvo_json *const found = anchor_find(arvo_json_at(value, i), name, depth + 1);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* An $id inside a document moves what "#" means; such documents are not followed. */
static bool
has_inner_id(const arvo_json *value, size_t depth)
{
    const arvo_json_type type = arvo_json_type_of(value);
    if (depth > ARVO_SCHEMA_DEPTH_MAX || (type != ARVO_JSON_OBJECT && type != ARVO_JSON_ARRAY))
        return false;
    if (depth > 0 && arvo_json_type_of(arvo_json_get(value, "$id")) == ARVO_JSON_STRING)
        return true;
    for (size_t i = 0; i < arvo_json_count(value); i++)
        if (has_inner_id(arvo_json_at(value, i), depth + 1))
            return true;
    return false;
}

void
arvo__solve_doc_init(solve_doc *doc, const arvo_json *root, bool strip, bool defaults)
{
    const arvo_str draft = arvo_json_str(arvo_json_get(root, "$schema"));
    *doc = (solve_doc){ .root = root, .strip = strip, .defaults = defaults };
    doc->draft7 = arvo_str_starts(draft, ARVO_STR("http://json-schema.org/draft-07/"));
    doc->has_ids = has_inner_id(root, 0);
}

/* What $ref names inside the document; NULL: it is not followed (or leads nowhere). */
const arvo_json *
arvo__solve_ref(const solve_doc *doc, const arvo_json *schema)
{
    const arvo_str ref = arvo_json_str(arvo_json_get(schema, "$ref"));
    char pointer[512];
    if (ref.len == 0 || ref.ptr[0] != '#' || doc->root == NULL || doc->has_ids)
        return NULL;
    if (ref.len > sizeof(pointer)) /* longer than any that is followed */
        return NULL;
    const size_t len = arvo__percent_decode((arvo_str){ ref.ptr + 1, ref.len - 1 }, pointer);
    const arvo_str name = { pointer, len };
    if (len == 0 || pointer[0] == '/')
        return arvo_json_pointer_get(doc->root, name);
    return anchor_find(doc->root, name, 0);
}

bool
arvo__solve_ref_alone(const solve_doc *doc, const arvo_json *schema)
{
    return doc->draft7 && arvo_json_get(schema, "$ref") != NULL;
}

/* ---- Types ------------------------------------------------------------------- */

unsigned
arvo__solve_types_of(const arvo_json *value)
{
    switch (arvo_json_type_of(value)) {
    case ARVO_JSON_BOOL:
        return SOLVE_BOOL;
    case ARVO_JSON_INT:
        return SOLVE_INT;
    case ARVO_JSON_DOUBLE: {
        const double number = arvo_json_number_or(value, 0);
        /* A double of 2^53 or more has no fraction. */
        const bool whole = number >= 9007199254740992.0 || number <= -9007199254740992.0 ||
                           number == (double)(int64_t)number;
        return whole ? SOLVE_INT : SOLVE_FRACTION;
    }
    case ARVO_JSON_STRING:
        return SOLVE_STRING;
    case ARVO_JSON_ARRAY:
        return SOLVE_ARRAY;
    case ARVO_JSON_OBJECT:
        return SOLVE_OBJECT;
    default:
        return SOLVE_NULL;
    }
}

static unsigned
type_named(arvo_str name)
{
    static const struct {
        const char *name;
        unsigned types;
    } names[] = { { "null", SOLVE_NULL },     { "boolean", SOLVE_BOOL },  { "integer", SOLVE_INT },
                  { "number", SOLVE_NUMBER }, { "string", SOLVE_STRING }, { "array", SOLVE_ARRAY },
                  { "object", SOLVE_OBJECT } };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++)
        if (arvo_str_is(name, names[i].name))
            return names[i].types;
    return SOLVE_ANYTHING;
}

unsigned
arvo__solve_types_named(const arvo_json *type)
{
    if (arvo_json_type_of(type) == ARVO_JSON_STRING)
        return type_named(arvo_json_str(type));
    unsigned types = 0;
    for (size_t i = 0; i < arvo_json_count(type); i++)
        types |= type_named(arvo_json_str(arvo_json_at(type, i)));
    return arvo_json_type_of(type) == ARVO_JSON_ARRAY ? types : SOLVE_ANYTHING;
}

/* ---- Keys and items ------------------------------------------------------------ */

bool
arvo__solve_key_has_default(const solve_doc *doc, const arvo_json *schema, arvo_str key)
{
    const arvo_json *part = arvo_json_get_str(arvo_json_get(schema, "properties"), key);
    for (size_t i = 0; i < ARVO_SCHEMA_DEPTH_MAX && part != NULL; i++) {
        if (arvo_json_get(part, "default") != NULL)
            return true;
        part = arvo__solve_ref(doc, part);
    }
    return false;
}

static solve_compiled *
pattern_compile(solver *s, arvo_str pattern)
{
    solve_compiled *item = arvo__map_find(&s->patterns, pattern);
    if (item != NULL)
        return item;
    arvo_json *const object = arvo_json_object_new(s->arena);
    const arvo_schema_opts opts = { .allocator = s->allocator };
    arvo_schema *schema = NULL;
    arvo_json_set_ref(
        s->arena, object, ARVO_STR("pattern"), arvo_json_string_ref(s->arena, pattern));
    item = arvo__solve_alloc(s, sizeof(*item));
    if (item == NULL || arvo_schema_compile(object, &opts, &schema, NULL) != ARVO_OK)
        return NULL;
    *item = (solve_compiled){ schema, s->compiled };
    s->compiled = item;
    if (!arvo__map_set(&s->patterns, pattern, item))
        arvo__solve_memory(s);
    return item;
}

solve_truth
arvo__solve_matches(solver *s, arvo_str pattern, arvo_str text)
{
    solve_compiled *const item = pattern_compile(s, pattern);
    if (item == NULL)
        return SOLVE_MAYBE;
    const arvo_json *const value = arvo_json_string_ref(s->arena, text);
    const arvo_status st =
        value != NULL ? arvo_schema_check(item->schema, value, s->arena, NULL, NULL) : ARVO_E_NOMEM;
    if (st == ARVO_OK)
        return SOLVE_YES;
    return st == ARVO_E_INVALID ? SOLVE_NO : SOLVE_MAYBE;
}

/* Whether properties or patternProperties speak of the key. */
bool
arvo__solve_declares(solver *s, const arvo_json *schema, arvo_str key)
{
    if (arvo_json_get_str(arvo_json_get(schema, "properties"), key) != NULL)
        return true;
    const arvo_json *const patterns = arvo_json_get(schema, "patternProperties");
    for (size_t i = 0; i < arvo_json_count(patterns); i++)
        if (arvo__solve_matches(s, arvo_json_key_at(patterns, i), key) == SOLVE_YES)
            return true;
    return false;
}

const solve_terms *
arvo__solve_key_terms(
    solver *s, const solve_doc *doc, const arvo_json *schema, arvo_str key, const solve_terms *list)
{
    bool declared = false;
    const arvo_json *const own = arvo_json_get_str(arvo_json_get(schema, "properties"), key);
    if (own != NULL) {
        declared = true;
        list = arvo__solve_push(s, list, (solve_term){ own, doc, false });
    }
    const arvo_json *const patterns = arvo_json_get(schema, "patternProperties");
    for (size_t i = 0; i < arvo_json_count(patterns); i++) {
        if (arvo__solve_matches(s, arvo_json_key_at(patterns, i), key) != SOLVE_YES)
            continue;
        declared = true;
        list = arvo__solve_push(s, list, (solve_term){ arvo_json_at(patterns, i), doc, false });
    }
    const arvo_json *const rest = arvo_json_get(schema, "additionalProperties");
    const bool stripped =
        doc->strip && arvo_json_type_of(rest) == ARVO_JSON_BOOL && !arvo_json_bool_or(rest, true);
    if (!declared && rest != NULL && !stripped)
        list = arvo__solve_push(s, list, (solve_term){ rest, doc, false });
    return list;
}

/* The array of schemas by place, and what the others must be; NULL: none. */
static void
items_of(
    const solve_doc *doc, const arvo_json *schema, const arvo_json **prefix, const arvo_json **rest)
{
    const arvo_json *const items = arvo_json_get(schema, "items");
    if (arvo_json_type_of(items) == ARVO_JSON_ARRAY) { /* draft-07 */
        *prefix = items;
        *rest = arvo_json_get(schema, "additionalItems");
        return;
    }
    *prefix = doc->draft7 ? NULL : arvo_json_get(schema, "prefixItems");
    *rest = items;
}

size_t
arvo__solve_prefix_count(const solve_doc *doc, const arvo_json *schema)
{
    const arvo_json *prefix, *rest;
    items_of(doc, schema, &prefix, &rest);
    return arvo_json_count(prefix);
}

const solve_terms *
arvo__solve_item_terms(
    solver *s, const solve_doc *doc, const arvo_json *schema, size_t i, const solve_terms *list)
{
    const arvo_json *prefix, *rest;
    items_of(doc, schema, &prefix, &rest);
    const arvo_json *const part = i < arvo_json_count(prefix) ? arvo_json_at(prefix, i) : rest;
    return part != NULL ? arvo__solve_push(s, list, (solve_term){ part, doc, false }) : list;
}

solve_term
arvo__solve_synthetic(solver *s, const char *keyword, const arvo_json *value, bool negated)
{
    arvo_json *const object = arvo_json_object_new(s->arena);
    arvo_json_set_ref(s->arena, object, arvo_str_from(keyword), value);
    if (arvo_arena_failed(s->arena))
        arvo__solve_memory(s);
    return (solve_term){ object, &s->synthetic, negated };
}

/* ---- The same? ------------------------------------------------------------------ */

/* Pairs of references under comparison: met again, they are taken as equal. That is right when all
 * else is: two schemas that unfold to the same tree, however deep, say the same. */
typedef struct same_pair {
    const arvo_json *a, *b;
    const struct same_pair *next;
} same_pair;

typedef struct same_run {
    const solve_doc *a_doc, *b_doc;
    size_t left;
} same_run;

static bool
same_value(same_run *run, const arvo_json *a, const arvo_json *b, const same_pair *open);

/* Words that say nothing about which values are allowed. `default` does when defaults count. */
static bool
is_comment(arvo_str key)
{
    static const char *const words[] = { "title",    "description", "$comment", "examples",
                                         "$defs",    "definitions", "$schema",  "deprecated",
                                         "readOnly", "writeOnly",   "$id",      "format" };
    for (size_t i = 0; i < ARVO_COUNT_OF(words); i++)
        if (arvo_str_is(key, words[i]))
            return true;
    return false;
}

/* Under these the keys are names, not keywords. */
static bool
holds_names(arvo_str key)
{
    return arvo_str_is(key, "properties") || arvo_str_is(key, "patternProperties") ||
           arvo_str_is(key, "dependentSchemas") || arvo_str_is(key, "dependencies") ||
           arvo_str_is(key, "dependentRequired");
}

static bool
same_names(same_run *run, const arvo_json *a, const arvo_json *b, const same_pair *open)
{
    if (arvo_json_type_of(b) != ARVO_JSON_OBJECT || arvo_json_count(a) != arvo_json_count(b))
        return false;
    for (size_t i = 0; i < arvo_json_count(a); i++)
        if (!same_value(
                run, arvo_json_at(a, i), arvo_json_get_str(b, arvo_json_key_at(a, i)), open))
            return false;
    return true;
}

static bool
same_ref(same_run *run, const arvo_json *a, const arvo_json *b, const same_pair *open)
{
    const arvo_json *const a_target = arvo__solve_ref(run->a_doc, a);
    const arvo_json *const b_target = arvo__solve_ref(run->b_doc, b);
    if (a_target == NULL || b_target == NULL)
        return false;
    for (const same_pair *pair = open; pair != NULL; pair = pair->next)
        if (pair->a == a_target && pair->b == b_target)
            return true;
    const same_pair pair = { a_target, b_target, open };
    return same_value(run, a_target, b_target, &pair);
}

static bool
same_keyword(
    same_run *run, arvo_str key, const arvo_json *a_schema, const arvo_json *a,
    const arvo_json *b_schema, const arvo_json *b, const same_pair *open)
{
    if (arvo_str_is(key, "$ref"))
        return same_ref(run, a_schema, b_schema, open);
    if (arvo_str_is(key, "const") || arvo_str_is(key, "enum") || arvo_str_is(key, "default"))
        return arvo_json_equal(a, b);
    if (holds_names(key) && arvo_json_type_of(a) == ARVO_JSON_OBJECT)
        return same_names(run, a, b, open);
    return same_value(run, a, b, open);
}

static size_t
said_count(const arvo_json *schema)
{
    size_t count = 0;
    for (size_t i = 0; i < arvo_json_count(schema); i++)
        count += !is_comment(arvo_json_key_at(schema, i));
    return count;
}

static bool
same_object(same_run *run, const arvo_json *a, const arvo_json *b, const same_pair *open)
{
    if (said_count(a) != said_count(b) || arvo_json_get(a, "$dynamicRef") != NULL)
        return false;
    for (size_t i = 0; i < arvo_json_count(a); i++) {
        const arvo_str key = arvo_json_key_at(a, i);
        const arvo_json *const other = arvo_json_get_str(b, key);
        if (is_comment(key))
            continue;
        if (other == NULL || !same_keyword(run, key, a, arvo_json_at(a, i), b, other, open))
            return false;
    }
    return true;
}

static bool
same_value(same_run *run, const arvo_json *a, const arvo_json *b, const same_pair *open)
{
    if (run->left == 0 || a == NULL || b == NULL)
        return false;
    run->left--;
    if (arvo_json_type_of(a) == ARVO_JSON_OBJECT && arvo_json_type_of(b) == ARVO_JSON_OBJECT)
        return same_object(run, a, b, open);
    if (arvo_json_type_of(a) != ARVO_JSON_ARRAY || arvo_json_type_of(b) != ARVO_JSON_ARRAY)
        return arvo_json_equal(a, b);
    if (arvo_json_count(a) != arvo_json_count(b))
        return false;
    for (size_t i = 0; i < arvo_json_count(a); i++)
        if (!same_value(run, arvo_json_at(a, i), arvo_json_at(b, i), open))
            return false;
    return true;
}

bool
arvo__solve_same(
    const solve_doc *a_doc, const arvo_json *a, const solve_doc *b_doc, const arvo_json *b)
{
    if (a == b && a_doc == b_doc)
        return true;
    same_run run = { a_doc, b_doc, SOLVE_COMPARE_MAX };
    return a_doc->draft7 == b_doc->draft7 && a_doc->strip == b_doc->strip &&
           a_doc->defaults == b_doc->defaults && same_value(&run, a, b, NULL);
}
