/* The keywords of JSON Schema, one row each. */

#include <stdio.h>
#include <string.h>

#include "contract/compile.h"

typedef struct schema_keyword schema_keyword;

typedef arvo_status (*keyword_fn)(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value);

struct schema_keyword {
    const char *name;
    size_t name_len;
    unsigned drafts;       /* schema_draft bits */
    unsigned vocabularies; /* any of these has it */
    keyword_fn read;
    schema_code code;
    schema_group group;
};

static arvo_status
keyword_fail(
    schema_compiler *compiler, const schema_draft_node *draft, const schema_keyword *keyword,
    const char *rule)
{
    return arvo__schema_fail(
        compiler, draft->node, keyword->name, ARVO_E_INVALID, "must be %s", rule);
}

static const schema_keyword *keyword_find(const schema_compiler *compiler, arvo_str name);

/* Of keywords that share an instruction, the first one of the object builds it for all. */
static bool
is_first_of(
    const schema_compiler *compiler, const schema_draft_node *draft, const char *name,
    const char *const *family)
{
    for (size_t i = 0; i < arvo_json_count(draft->json); i++) {
        const arvo_str key = arvo_json_key_at(draft->json, i);
        for (const char *const *member = family; *member != NULL; member++)
            if (arvo_str_is(key, *member) && keyword_find(compiler, key) != NULL)
                return arvo_str_is(key, name);
    }
    return false;
}

/* ---- Annotations ---------------------------------------------------------- */

static arvo_status
read_string(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_STRING)
        return keyword_fail(compiler, draft, keyword, "a string");
    return ARVO_OK;
}

static arvo_status
read_bool(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_BOOL)
        return keyword_fail(compiler, draft, keyword, "true or false");
    return ARVO_OK;
}

static arvo_status
read_array(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_ARRAY)
        return keyword_fail(compiler, draft, keyword, "an array");
    return ARVO_OK;
}

/* A resource's own was read when it was found. */
static arvo_status
read_dialect(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const schema_node *const root = draft->node->resource->node;
    if (draft->node != root && !arvo_json_equal(value, arvo_json_get(root->json, "$schema")))
        return arvo__schema_fail(
            compiler, draft->node, keyword->name, ARVO_E_UNSUPPORTED,
            "a part of a schema that has no $id cannot be of another draft than the whole");
    return ARVO_OK;
}

static bool
is_anchor(arvo_str name, bool is_2020)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.ptr[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool other = (c >= '0' && c <= '9') || c == '-' || c == '.' || (c == ':' && !is_2020);
        if (!letter && !(c == '_' && is_2020) && (i == 0 || (!other && c != '_')))
            return false;
    }
    return name.len > 0;
}

/* draft-07 writes anchors as the fragment of an $id. */
static arvo_status
read_id(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const arvo_str id = arvo_json_str(value);
    if (id.ptr == NULL)
        return keyword_fail(compiler, draft, keyword, "a string");
    const char *const hash = memchr(id.ptr, '#', id.len);
    if (hash == NULL || hash == id.ptr + id.len - 1)
        return ARVO_OK;
    if (compiler->draft == SCHEMA_2020_12)
        return arvo__schema_fail(
            compiler, draft->node, keyword->name, ARVO_E_INVALID,
            "must have no fragment; name a part with $anchor");
    const arvo_str name = { hash + 1, (size_t)(id.ptr + id.len - hash - 1) };
    if (name.ptr[0] == '/')
        return ARVO_OK; /* a pointer in an $id names nothing */
    if (!is_anchor(name, false))
        return keyword_fail(compiler, draft, keyword, "\"#\" and a name of letters and digits");
    return arvo__anchor_add(compiler, draft->node, keyword->name, name, false);
}

/* $anchor, $dynamicAnchor */
static arvo_status
read_anchor(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const arvo_str name = arvo_json_str(value);
    if (name.ptr == NULL || !is_anchor(name, true))
        return keyword_fail(
            compiler, draft, keyword, "a name: a letter or _, then letters, digits, -, _ and .");
    const bool is_dynamic = strcmp(keyword->name, "$dynamicAnchor") == 0;
    return arvo__anchor_add(compiler, draft->node, keyword->name, name, is_dynamic);
}

static arvo_status
read_vocabulary(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    bool ok = arvo_json_type_of(value) == ARVO_JSON_OBJECT;
    for (size_t i = 0; i < arvo_json_count(value); i++)
        ok = ok && arvo_json_type_of(arvo_json_at(value, i)) == ARVO_JSON_BOOL;
    return ok ? ARVO_OK : keyword_fail(compiler, draft, keyword, "an object of true and false");
}

static arvo_status
read_default(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    (void)keyword;
    draft->node->default_value = arvo_json_copy(compiler->arena, value);
    return draft->node->default_value != NULL ? ARVO_OK : arvo__nomem(compiler->err);
}

/* ---- Any value ------------------------------------------------------------ */

static const struct {
    const char *name;
    uint16_t types;
    uint8_t flags;
} schema_types[] = {
    { "null", SCHEMA_TYPE_BIT(ARVO_JSON_NULL), 0 },
    { "boolean", SCHEMA_TYPE_BIT(ARVO_JSON_BOOL), 0 },
    { "integer", SCHEMA_TYPE_BIT(ARVO_JSON_INT), SCHEMA_NODE_INTEGRAL },
    { "number", SCHEMA_TYPE_BIT(ARVO_JSON_INT) | SCHEMA_TYPE_BIT(ARVO_JSON_DOUBLE), 0 },
    { "string", SCHEMA_TYPE_BIT(ARVO_JSON_STRING), 0 },
    { "array", SCHEMA_TYPE_BIT(ARVO_JSON_ARRAY), 0 },
    { "object", SCHEMA_TYPE_BIT(ARVO_JSON_OBJECT), 0 },
};

static arvo_status
type_add(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const arvo_str name = arvo_json_str(value);
    if (name.ptr == NULL)
        return keyword_fail(compiler, draft, keyword, "the name of a type or an array of such");
    for (size_t i = 0; i < ARVO_COUNT_OF(schema_types); i++) {
        if (!arvo_str_is(name, schema_types[i].name))
            continue;
        draft->node->types |= schema_types[i].types;
        draft->node->flags |= schema_types[i].flags;
        return ARVO_OK;
    }
    return arvo__schema_fail(
        compiler, draft->node, keyword->name, ARVO_E_INVALID,
        "\"%.*s\" is not a type; use null, boolean, integer, number, string, array or object",
        ARVO_FMT(name));
}

static arvo_status
read_type(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    draft->node->types = 0;
    if (arvo_json_type_of(value) != ARVO_JSON_ARRAY)
        return type_add(compiler, draft, keyword, value);
    if (arvo_json_count(value) == 0)
        return keyword_fail(compiler, draft, keyword, "one type at least");
    /* The exporter writes ["null", "null"] for a nullable null. */
    const bool is_zod = compiler->opts->additional == ARVO_ADDITIONAL_ZOD;
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        for (size_t k = 0; k < i && !is_zod; k++)
            if (arvo_json_equal(arvo_json_at(value, i), arvo_json_at(value, k)))
                return keyword_fail(compiler, draft, keyword, "an array without repetitions");
        const arvo_status st = type_add(compiler, draft, keyword, arvo_json_at(value, i));
        if (st != ARVO_OK)
            return st;
    }
    return ARVO_OK;
}

static arvo_status
read_const(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    schema_op *const op = arvo__schema_op_add(draft, keyword->code, keyword->group);
    op->as.value = arvo_json_copy(compiler->arena, value);
    return op->as.value != NULL ? ARVO_OK : arvo__nomem(compiler->err);
}

/* false: out of memory. */
static bool
values_index(arvo_arena *arena, schema_values *set, size_t count)
{
    if (count < SCHEMA_INDEX_ENTRIES_MIN)
        return true;
    size_t slots = 32;
    while (slots < 2 * count)
        slots *= 2;
    uint32_t *const index = arvo_arena_calloc(arena, slots, sizeof(*index));
    if (index == NULL)
        return false;
    set->index = index;
    set->index_mask = slots - 1;
    for (size_t i = 0; i < count; i++) {
        size_t slot = schema__values_slot(set, set->hashes[i]);
        while (index[slot] != 0)
            slot = (slot + 1) & set->index_mask;
        index[slot] = (uint32_t)i + 1;
    }
    return true;
}

static arvo_status
read_enum(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_ARRAY)
        return keyword_fail(compiler, draft, keyword, "an array of values");
    const size_t count = arvo_json_count(value);
    const arvo_json *const copy = arvo_json_copy(compiler->arena, value);
    schema_values *const set = arvo_arena_calloc(compiler->arena, 1, sizeof(*set));
    const arvo_json **const values = arvo_arena_calloc(compiler->arena, count + 1, sizeof(*values));
    uint64_t *const hashes = arvo_arena_calloc(compiler->arena, count + 1, sizeof(*hashes));
    if (copy == NULL || set == NULL || values == NULL || hashes == NULL)
        return arvo__nomem(compiler->err);
    for (size_t i = 0; i < count; i++) {
        values[i] = arvo_json_at(copy, i);
        hashes[i] = arvo_json_hash(values[i]);
    }
    *set = (schema_values){ .values = values, .hashes = hashes };
    if (!values_index(compiler->arena, set, count))
        return arvo__nomem(compiler->err);
    schema_op *const op = arvo__schema_op_add(draft, keyword->code, keyword->group);
    op->count = (uint32_t)count;
    op->as.values = set;
    return ARVO_OK;
}

/* $ref, $dynamicRef: resolved when all parts are known. */
static arvo_status
read_ref(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const arvo_str reference = arvo_json_str(value);
    if (reference.ptr == NULL)
        return keyword_fail(compiler, draft, keyword, "a string");
    (void)arvo__schema_op_add(draft, keyword->code, keyword->group);
    if (keyword->code == SCHEMA_DYNAMIC_REF)
        compiler->schema->has_dynamic = true;
    return arvo__link_add(compiler, draft->node, keyword->name, keyword->code, reference);
}

/* allOf, anyOf, oneOf */
static arvo_status
read_schemas(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const size_t count = arvo_json_count(value);
    if (arvo_json_type_of(value) != ARVO_JSON_ARRAY || count == 0)
        return keyword_fail(compiler, draft, keyword, "an array of one schema or more");
    const schema_node **const nodes = arvo_arena_calloc(compiler->arena, count, sizeof(*nodes));
    if (nodes == NULL)
        return arvo__nomem(compiler->err);
    for (size_t i = 0; i < count; i++) {
        char number[24];
        const int len = snprintf(number, sizeof(number), "%zu", i);
        const arvo_status st = arvo__schema_child(
            compiler, draft->node, arvo_json_at(value, i), keyword->name,
            (arvo_str){ number, (size_t)len }, &nodes[i]);
        if (st != ARVO_OK)
            return st;
    }
    schema_op *const op = arvo__schema_op_add(draft, keyword->code, keyword->group);
    op->count = (uint32_t)count;
    op->as.nodes = nodes;
    return ARVO_OK;
}

/* not, propertyNames */
static arvo_status
read_schema(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const schema_node *node = NULL;
    const arvo_status st =
        arvo__schema_child(compiler, draft->node, value, keyword->name, ARVO_STR_NONE, &node);
    if (st == ARVO_OK)
        arvo__schema_op_add(draft, keyword->code, keyword->group)->as.node = node;
    return st;
}

/* contentSchema: an annotation, but it must be a schema. */
static arvo_status
read_unused_schema(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    const schema_node *node = NULL;
    return arvo__schema_child(compiler, draft->node, value, keyword->name, ARVO_STR_NONE, &node);
}

/* $defs, definitions: what is defined must be right even when nothing refers to it. */
static arvo_status
read_definitions(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_OBJECT)
        return keyword_fail(compiler, draft, keyword, "an object of schemas");
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const schema_node *node = NULL;
        const arvo_status st = arvo__schema_child(
            compiler, draft->node, arvo_json_at(value, i), keyword->name,
            arvo_json_key_at(value, i), &node);
        if (st != ARVO_OK)
            return st;
    }
    return ARVO_OK;
}

static arvo_status
child_when_present(
    schema_compiler *compiler, schema_draft_node *draft, const char *name, const schema_node **out)
{
    const arvo_json *const value = arvo_json_get(draft->json, name);
    if (value == NULL)
        return ARVO_OK;
    return arvo__schema_child(compiler, draft->node, value, name, ARVO_STR_NONE, out);
}

static arvo_status
read_condition(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    static const char *const family[] = { "if", "then", "else", NULL };
    (void)value;
    if (!is_first_of(compiler, draft, keyword->name, family))
        return ARVO_OK;
    schema_condition *const condition = arvo_arena_calloc(compiler->arena, 1, sizeof(*condition));
    if (condition == NULL)
        return arvo__nomem(compiler->err);
    arvo_status st = child_when_present(compiler, draft, "if", &condition->when);
    if (st == ARVO_OK)
        st = child_when_present(compiler, draft, "then", &condition->then);
    if (st == ARVO_OK)
        st = child_when_present(compiler, draft, "else", &condition->otherwise);
    if (st == ARVO_OK && condition->when != NULL)
        arvo__schema_op_add(draft, SCHEMA_CONDITION, SCHEMA_ANY)->as.condition = condition;
    return st;
}

/* ---- Numbers and strings -------------------------------------------------- */

static bool
is_number(const arvo_json *value)
{
    const arvo_json_type type = arvo_json_type_of(value);
    return type == ARVO_JSON_INT || type == ARVO_JSON_DOUBLE;
}

static arvo_status
read_bound(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (!is_number(value))
        return keyword_fail(compiler, draft, keyword, "a number");
    if (keyword->code == SCHEMA_MULTIPLE_OF && arvo_json_number_or(value, 0) <= 0)
        return keyword_fail(compiler, draft, keyword, "greater than 0");
    return read_const(compiler, draft, keyword, value);
}

static bool
limit_from(const arvo_json *value, size_t *out)
{
    if (arvo_json_type_of(value) == ARVO_JSON_INT && arvo_json_int_or(value, -1) >= 0) {
        *out = (size_t)arvo_json_int_or(value, 0);
        return true;
    }
    /* An integer too large for int64 is larger than any count. */
    const double number = arvo_json_number_or(value, -1);
    *out = SIZE_MAX;
    return arvo_json_type_of(value) == ARVO_JSON_DOUBLE && number > 0 &&
           arvo__number_is_integral(number);
}

static arvo_status
read_limit(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    size_t limit = 0;
    if (!limit_from(value, &limit))
        return keyword_fail(compiler, draft, keyword, "an integer of 0 or more");
    arvo__schema_op_add(draft, keyword->code, keyword->group)->as.limit = limit;
    return ARVO_OK;
}

static arvo_status
read_pattern(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_STRING)
        return keyword_fail(compiler, draft, keyword, "a string");
    const schema_regex *regex = NULL;
    arvo_error why = { 0 };
    const arvo_status st = arvo__regex_compile(
        arvo_json_str(value), compiler->arena, &compiler->schema->regexes, &regex, &why);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(compiler->err);
    if (st != ARVO_OK)
        return arvo__schema_fail(compiler, draft->node, keyword->name, st, "%s", why.text);
    arvo__schema_op_add(draft, keyword->code, keyword->group)->as.regex = regex;
    return ARVO_OK;
}

/* Refuses when it is asked to; a format that is not known never does. */
static arvo_status
read_format(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_STRING)
        return keyword_fail(compiler, draft, keyword, "a string");
    if (!compiler->opts->formats && (compiler->vocabularies & SCHEMA_VOCABULARY_ASSERTION) == 0)
        return ARVO_OK;
    const schema_format *const format = arvo__format_find(arvo_json_str(value));
    if (format != NULL)
        arvo__schema_op_add(draft, keyword->code, keyword->group)->as.format = format;
    return ARVO_OK;
}

/* ---- Arrays --------------------------------------------------------------- */

static arvo_status
read_unique(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_BOOL)
        return keyword_fail(compiler, draft, keyword, "true or false");
    if (arvo_json_bool_or(value, false))
        (void)arvo__schema_op_add(draft, keyword->code, keyword->group);
    return ARVO_OK;
}

static arvo_status
items_prefix(
    schema_compiler *compiler, schema_draft_node *draft, const char *name, const arvo_json *schemas,
    schema_items *items)
{
    const size_t count = arvo_json_count(schemas);
    items->prefix = arvo_arena_calloc(compiler->arena, count + 1, sizeof(*items->prefix));
    if (items->prefix == NULL)
        return arvo__nomem(compiler->err);
    for (size_t i = 0; i < count; i++) {
        char number[24];
        const int len = snprintf(number, sizeof(number), "%zu", i);
        const arvo_status st = arvo__schema_child(
            compiler, draft->node, arvo_json_at(schemas, i), name,
            (arvo_str){ number, (size_t)len }, &items->prefix[i]);
        if (st != ARVO_OK)
            return st;
    }
    items->prefix_count = count;
    return ARVO_OK;
}

/* draft-07: `items` is one schema for all, or an array with `additionalItems` for the rest. */
static arvo_status
items_of_draft_7(schema_compiler *compiler, schema_draft_node *draft, schema_items *items)
{
    const arvo_json *const all = arvo_json_get(draft->json, "items");
    const schema_node *additional = NULL;
    const arvo_status st = child_when_present(compiler, draft, "additionalItems", &additional);
    if (st != ARVO_OK)
        return st;
    if (arvo_json_type_of(all) != ARVO_JSON_ARRAY)
        return child_when_present(compiler, draft, "items", &items->rest);
    items->rest = additional;
    return items_prefix(compiler, draft, "items", all, items);
}

static arvo_status
items_of_2020(schema_compiler *compiler, schema_draft_node *draft, schema_items *items)
{
    const arvo_json *const prefix = arvo_json_get(draft->json, "prefixItems");
    if (arvo_json_type_of(arvo_json_get(draft->json, "items")) == ARVO_JSON_ARRAY)
        return arvo__schema_fail(
            compiler, draft->node, "items", ARVO_E_INVALID,
            "must be a schema; an array of schemas is called prefixItems");
    if (prefix != NULL && arvo_json_count(prefix) == 0)
        return arvo__schema_fail(
            compiler, draft->node, "prefixItems", ARVO_E_INVALID,
            "must be an array of one schema or more");
    if (prefix != NULL && arvo_json_type_of(prefix) != ARVO_JSON_ARRAY)
        return arvo__schema_fail(
            compiler, draft->node, "prefixItems", ARVO_E_INVALID, "must be an array of schemas");
    const arvo_status st = child_when_present(compiler, draft, "items", &items->rest);
    if (st != ARVO_OK || prefix == NULL)
        return st;
    return items_prefix(compiler, draft, "prefixItems", prefix, items);
}

static arvo_status
read_items(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    static const char *const family[] = { "items", "prefixItems", "additionalItems", NULL };
    (void)value;
    if (!is_first_of(compiler, draft, keyword->name, family))
        return ARVO_OK;
    schema_items *const items = arvo_arena_calloc(compiler->arena, 1, sizeof(*items));
    if (items == NULL)
        return arvo__nomem(compiler->err);
    const arvo_status st = compiler->draft == SCHEMA_DRAFT_7
                               ? items_of_draft_7(compiler, draft, items)
                               : items_of_2020(compiler, draft, items);
    if (st == ARVO_OK && (items->rest != NULL || items->prefix_count > 0))
        arvo__schema_op_add(draft, SCHEMA_ITEMS, SCHEMA_ARRAY)->as.items = items;
    return st;
}

static arvo_status
read_contains(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    static const char *const family[] = { "contains", "minContains", "maxContains", NULL };
    size_t limit = 0;
    if (strcmp(keyword->name, "contains") != 0 && !limit_from(value, &limit))
        return keyword_fail(compiler, draft, keyword, "an integer of 0 or more");
    if (!is_first_of(compiler, draft, keyword->name, family))
        return ARVO_OK;
    schema_contains *const contains = arvo_arena_calloc(compiler->arena, 1, sizeof(*contains));
    if (contains == NULL)
        return arvo__nomem(compiler->err);
    contains->min = 1;
    contains->max = SIZE_MAX;
    if (compiler->draft == SCHEMA_2020_12) {
        (void)(limit_from(arvo_json_get(draft->json, "minContains"), &limit) && (contains->min = limit, true));
        (void)(limit_from(arvo_json_get(draft->json, "maxContains"), &limit) && (contains->max = limit, true));
    }
    const arvo_status st = child_when_present(compiler, draft, "contains", &contains->node);
    if (st == ARVO_OK && contains->node != NULL)
        arvo__schema_op_add(draft, SCHEMA_CONTAINS, SCHEMA_ARRAY)->as.contains = contains;
    return st;
}

static arvo_status
read_unevaluated_items(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    draft->node->flags |= SCHEMA_NODE_TRACKS;
    return read_schema(compiler, draft, keyword, value);
}

/* ---- Objects -------------------------------------------------------------- */

static arvo_status
read_object(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    /* The last says that undeclared keys stay when normalising. */
    static const char *const family[] = {
        "properties", "patternProperties",     "additionalProperties",
        "required",   "unevaluatedProperties", NULL
    };
    (void)value;
    if (!is_first_of(compiler, draft, keyword->name, family))
        return ARVO_OK;
    return arvo__schema_object_build(compiler, draft);
}

static arvo_status
read_unevaluated_properties(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    draft->node->flags |= SCHEMA_NODE_TRACKS;
    const arvo_status st = read_object(compiler, draft, keyword, value);
    return st == ARVO_OK ? read_schema(compiler, draft, keyword, value) : st;
}

static arvo_status
dependent_keys(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *keys, schema_dependent *out)
{
    const size_t count = arvo_json_count(keys);
    arvo_str *const list = arvo_arena_calloc(compiler->arena, count + 1, sizeof(*list));
    if (list == NULL)
        return arvo__nomem(compiler->err);
    for (size_t i = 0; i < count; i++) {
        const arvo_str key = arvo_json_str(arvo_json_at(keys, i));
        if (key.ptr == NULL)
            return keyword_fail(compiler, draft, keyword, "an object of arrays of keys");
        list[i] = arvo_arena_str_dup(compiler->arena, key);
        if (list[i].ptr == NULL)
            return arvo__nomem(compiler->err);
    }
    out->required = list;
    out->required_count = count;
    return ARVO_OK;
}

/* dependentRequired holds arrays of keys, dependentSchemas schemas, `dependencies` either. */
static arvo_status
read_dependent(
    schema_compiler *compiler, schema_draft_node *draft, const schema_keyword *keyword,
    const arvo_json *value)
{
    if (arvo_json_type_of(value) != ARVO_JSON_OBJECT)
        return keyword_fail(compiler, draft, keyword, "an object");
    const bool may_hold_keys = strcmp(keyword->name, "dependentSchemas") != 0;
    const bool may_hold_schemas = strcmp(keyword->name, "dependentRequired") != 0;
    const size_t count = arvo_json_count(value);
    schema_dependent *const list = arvo_arena_calloc(compiler->arena, count + 1, sizeof(*list));
    if (list == NULL)
        return arvo__nomem(compiler->err);
    for (size_t i = 0; i < count; i++) {
        const arvo_json *const item = arvo_json_at(value, i);
        const arvo_str key = arvo_json_key_at(value, i);
        arvo_status st;
        if (may_hold_keys && arvo_json_type_of(item) == ARVO_JSON_ARRAY)
            st = dependent_keys(compiler, draft, keyword, item, &list[i]);
        else if (may_hold_schemas)
            st = arvo__schema_child(compiler, draft->node, item, keyword->name, key, &list[i].node);
        else
            st = keyword_fail(compiler, draft, keyword, "an object of arrays of keys");
        if (st != ARVO_OK)
            return st;
        list[i].key = arvo_arena_str_dup(compiler->arena, key);
        if (list[i].key.ptr == NULL)
            return arvo__nomem(compiler->err);
    }
    schema_op *const op = arvo__schema_op_add(draft, keyword->code, keyword->group);
    op->count = (uint32_t)count;
    op->as.dependents = list;
    return ARVO_OK;
}

/* ---- The table ------------------------------------------------------------ */

#define BOTH ((unsigned)SCHEMA_DRAFT_7 | (unsigned)SCHEMA_2020_12)
#define NEW  ((unsigned)SCHEMA_2020_12)
#define OLD  ((unsigned)SCHEMA_DRAFT_7)

#define NAME(text) "" text, sizeof(text) - 1

static const schema_keyword keywords[] = {
    { NAME("type"), BOTH, VALIDATION, read_type, 0, 0 },
    { NAME("properties"), BOTH, APPLICATOR, read_object, 0, 0 },
    { NAME("required"), BOTH, VALIDATION, read_object, 0, 0 },
    { NAME("additionalProperties"), BOTH, APPLICATOR, read_object, 0, 0 },
    { NAME("patternProperties"), BOTH, APPLICATOR, read_object, 0, 0 },
    { NAME("unevaluatedProperties"), NEW, UNEVALUATED, read_unevaluated_properties,
      SCHEMA_UNEVALUATED_PROPERTIES, SCHEMA_OBJECT },
    { NAME("propertyNames"), BOTH, APPLICATOR, read_schema, SCHEMA_PROPERTY_NAMES, SCHEMA_OBJECT },
    { NAME("minProperties"), BOTH, VALIDATION, read_limit, SCHEMA_MIN_PROPERTIES, SCHEMA_OBJECT },
    { NAME("maxProperties"), BOTH, VALIDATION, read_limit, SCHEMA_MAX_PROPERTIES, SCHEMA_OBJECT },
    { NAME("dependentRequired"), NEW, VALIDATION, read_dependent, SCHEMA_DEPENDENT, SCHEMA_OBJECT },
    { NAME("dependentSchemas"), NEW, APPLICATOR, read_dependent, SCHEMA_DEPENDENT, SCHEMA_OBJECT },
    { NAME("dependencies"), OLD, APPLICATOR, read_dependent, SCHEMA_DEPENDENT, SCHEMA_OBJECT },
    { NAME("items"), BOTH, APPLICATOR, read_items, 0, 0 },
    { NAME("prefixItems"), NEW, APPLICATOR, read_items, 0, 0 },
    { NAME("additionalItems"), OLD, APPLICATOR, read_items, 0, 0 },
    { NAME("unevaluatedItems"), NEW, UNEVALUATED, read_unevaluated_items, SCHEMA_UNEVALUATED_ITEMS,
      SCHEMA_ARRAY },
    { NAME("minItems"), BOTH, VALIDATION, read_limit, SCHEMA_MIN_ITEMS, SCHEMA_ARRAY },
    { NAME("maxItems"), BOTH, VALIDATION, read_limit, SCHEMA_MAX_ITEMS, SCHEMA_ARRAY },
    { NAME("uniqueItems"), BOTH, VALIDATION, read_unique, SCHEMA_UNIQUE_ITEMS, SCHEMA_ARRAY },
    { NAME("contains"), BOTH, APPLICATOR, read_contains, 0, 0 },
    { NAME("minContains"), NEW, VALIDATION, read_contains, 0, 0 },
    { NAME("maxContains"), NEW, VALIDATION, read_contains, 0, 0 },
    { NAME("minLength"), BOTH, VALIDATION, read_limit, SCHEMA_MIN_LENGTH, SCHEMA_STRING },
    { NAME("maxLength"), BOTH, VALIDATION, read_limit, SCHEMA_MAX_LENGTH, SCHEMA_STRING },
    { NAME("pattern"), BOTH, VALIDATION, read_pattern, SCHEMA_PATTERN, SCHEMA_STRING },
    { NAME("format"), BOTH, FORMATS, read_format, SCHEMA_FORMAT, SCHEMA_STRING },
    { NAME("minimum"), BOTH, VALIDATION, read_bound, SCHEMA_MINIMUM, SCHEMA_NUMBER },
    { NAME("maximum"), BOTH, VALIDATION, read_bound, SCHEMA_MAXIMUM, SCHEMA_NUMBER },
    { NAME("exclusiveMinimum"), BOTH, VALIDATION, read_bound, SCHEMA_EXCLUSIVE_MINIMUM,
      SCHEMA_NUMBER },
    { NAME("exclusiveMaximum"), BOTH, VALIDATION, read_bound, SCHEMA_EXCLUSIVE_MAXIMUM,
      SCHEMA_NUMBER },
    { NAME("multipleOf"), BOTH, VALIDATION, read_bound, SCHEMA_MULTIPLE_OF, SCHEMA_NUMBER },
    { NAME("enum"), BOTH, VALIDATION, read_enum, SCHEMA_ENUM, SCHEMA_ANY },
    { NAME("const"), BOTH, VALIDATION, read_const, SCHEMA_CONST, SCHEMA_ANY },
    { NAME("allOf"), BOTH, APPLICATOR, read_schemas, SCHEMA_ALL_OF, SCHEMA_ANY },
    { NAME("anyOf"), BOTH, APPLICATOR, read_schemas, SCHEMA_ANY_OF, SCHEMA_ANY },
    { NAME("oneOf"), BOTH, APPLICATOR, read_schemas, SCHEMA_ONE_OF, SCHEMA_ANY },
    { NAME("not"), BOTH, APPLICATOR, read_schema, SCHEMA_NOT, SCHEMA_ANY },
    { NAME("if"), BOTH, APPLICATOR, read_condition, 0, 0 },
    { NAME("then"), BOTH, APPLICATOR, read_condition, 0, 0 },
    { NAME("else"), BOTH, APPLICATOR, read_condition, 0, 0 },
    { NAME("$ref"), BOTH, CORE, read_ref, SCHEMA_REF, SCHEMA_ANY },
    { NAME("$dynamicRef"), NEW, CORE, read_ref, SCHEMA_DYNAMIC_REF, SCHEMA_ANY },
    { NAME("$defs"), BOTH, CORE, read_definitions, 0, 0 },
    { NAME("definitions"), BOTH, CORE, read_definitions, 0, 0 },
    { NAME("default"), BOTH, META_DATA, read_default, 0, 0 },
    { NAME("$schema"), BOTH, CORE, read_dialect, 0, 0 },
    { NAME("$id"), BOTH, CORE, read_id, 0, 0 },
    { NAME("$anchor"), NEW, CORE, read_anchor, 0, 0 },
    { NAME("$dynamicAnchor"), NEW, CORE, read_anchor, 0, 0 },
    { NAME("$vocabulary"), NEW, CORE, read_vocabulary, 0, 0 },
    { NAME("$comment"), BOTH, CORE, read_string, 0, 0 },
    { NAME("title"), BOTH, META_DATA, read_string, 0, 0 },
    { NAME("description"), BOTH, META_DATA, read_string, 0, 0 },
    { NAME("examples"), BOTH, META_DATA, read_array, 0, 0 },
    { NAME("deprecated"), BOTH, META_DATA, read_bool, 0, 0 },
    { NAME("readOnly"), BOTH, META_DATA, read_bool, 0, 0 },
    { NAME("writeOnly"), BOTH, META_DATA, read_bool, 0, 0 },
    { NAME("contentEncoding"), BOTH, CONTENT, read_string, 0, 0 },
    { NAME("contentMediaType"), BOTH, CONTENT, read_string, 0, 0 },
    { NAME("contentSchema"), NEW, CONTENT, read_unused_schema, 0, 0 },
};

static bool
keyword_is_known(const schema_compiler *compiler, const schema_keyword *keyword)
{
    return (keyword->drafts & (unsigned)compiler->draft) != 0 &&
           (keyword->vocabularies & compiler->vocabularies) != 0;
}

static arvo_status
keyword_unknown(schema_compiler *compiler, const schema_draft_node *draft, arvo_str name)
{
    arvo_str words[ARVO_COUNT_OF(keywords)];
    size_t count = 0;
    if (arvo_str_starts(name, ARVO_STR("x-")) ||
        compiler->schema->warning_count == ARVO_SCHEMA_WARNINGS_MAX)
        return ARVO_OK;
    for (size_t i = 0; i < ARVO_COUNT_OF(keywords); i++)
        if (keyword_is_known(compiler, &keywords[i]))
            words[count++] = arvo_str_from(keywords[i].name);
    const arvo_str close = arvo__closest(name, words, count);
    const char *const draft_name = compiler->draft == SCHEMA_DRAFT_7 ? "draft-07" : "2020-12";
    if (close.ptr != NULL)
        return arvo__schema_warn(
            compiler, draft->node,
            "the keyword \"%.*s\" is not known in %s and does nothing; did you mean \"%.*s\"?",
            ARVO_FMT(name), draft_name, ARVO_FMT(close));
    return arvo__schema_warn(
        compiler, draft->node, "the keyword \"%.*s\" is not known in %s and does nothing",
        ARVO_FMT(name), draft_name);
}

static const schema_keyword *
keyword_find(const schema_compiler *compiler, arvo_str name)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(keywords); i++)
        if (name.len == keywords[i].name_len && name.ptr[0] == keywords[i].name[0] &&
            memcmp(name.ptr, keywords[i].name, name.len) == 0)
            return keyword_is_known(compiler, &keywords[i]) ? &keywords[i] : NULL;
    return NULL;
}

/* In draft-07 a $ref stands alone: what is beside it does not count, except a default, which
 * constrains nothing. */
static bool
is_beside_ref(const schema_compiler *compiler, const schema_draft_node *draft, arvo_str name)
{
    return compiler->draft == SCHEMA_DRAFT_7 && !arvo_str_is(name, "$ref") &&
           !arvo_str_is(name, "default") && arvo_json_get(draft->json, "$ref") != NULL;
}

/* Where a metaschema leaves vocabularies out, the rest is not there at all: keywords that share an
 * instruction look at each other. */
static arvo_status
keep_known(schema_compiler *compiler, schema_draft_node *draft)
{
    arvo_json *const kept = arvo_json_object_new(compiler->arena);
    for (size_t i = 0; i < arvo_json_count(draft->json); i++) {
        const arvo_str name = arvo_json_key_at(draft->json, i);
        const arvo_status st =
            keyword_find(compiler, name) != NULL ? ARVO_OK : keyword_unknown(compiler, draft, name);
        if (st != ARVO_OK)
            return st;
        if (keyword_find(compiler, name) != NULL)
            arvo_json_set(compiler->arena, kept, name, arvo_json_at(draft->json, i));
    }
    if (arvo_arena_failed(compiler->arena))
        return arvo__nomem(compiler->err);
    draft->node->json = kept;
    draft->json = kept;
    return ARVO_OK;
}

arvo_status
arvo__schema_keywords(schema_compiler *compiler, schema_draft_node *draft)
{
    if ((compiler->vocabularies & SCHEMA_VOCABULARIES_DEFAULT) != SCHEMA_VOCABULARIES_DEFAULT) {
        const arvo_status st = keep_known(compiler, draft);
        if (st != ARVO_OK)
            return st;
    }
    for (size_t i = 0; i < arvo_json_count(draft->json); i++) {
        const arvo_str name = arvo_json_key_at(draft->json, i);
        if (is_beside_ref(compiler, draft, name))
            continue;
        const schema_keyword *const keyword = keyword_find(compiler, name);
        const arvo_status st =
            keyword != NULL ? keyword->read(compiler, draft, keyword, arvo_json_at(draft->json, i))
                            : keyword_unknown(compiler, draft, name);
        if (st != ARVO_OK)
            return st;
    }
    return ARVO_OK;
}
