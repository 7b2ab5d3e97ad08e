/* Random schemas and values, for tests that compare what two of ours say about them.
 *
 * Schemas are small and use few names and numbers, so that they often speak of the same things. */
#ifndef ARVO_TESTS_RANDOM_SCHEMA_H
#define ARVO_TESTS_RANDOM_SCHEMA_H

#include "schema_helpers.h"

typedef struct chance {
    uint64_t state;
} chance;

static inline uint64_t
chance_next(chance *c)
{
    c->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = c->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline size_t
below(chance *c, size_t n)
{
    return (size_t)(chance_next(c) % n);
}

static const char *const random_keys[] = { "a", "b", "c", "kind" };
static const char *const random_texts[] = { "", "a", "b", "ab", "red", "x1", "2020-01-01" };
static const char *const random_patterns[] = { "^[a-z]+$", "a", "^.{2,3}$", "^(red|ab)$",
                                               "[0-9]$" };

static inline const arvo_json *
random_scalar(chance *c)
{
    switch (below(c, 6)) {
    case 0:
        return arvo_json_null();
    case 1:
        return arvo_json_bool(below(c, 2) == 0);
    case 2:
    case 3:
        return arvo_json_int(arena, (int64_t)below(c, 12) - 2);
    case 4:
        return arvo_json_number(arena, (double)below(c, 20) / 4);
    default:
        return arvo_json_string(
            arena, arvo_str_from(random_texts[below(c, ARVO_COUNT_OF(random_texts))]));
    }
}

static inline const arvo_json *
random_value(chance *c, size_t depth)
{
    const size_t kind = below(c, 8);
    if (depth == 0 || kind < 4)
        return random_scalar(c);
    if (kind < 6) {
        arvo_json *const object = arvo_json_object_new(arena);
        for (size_t i = below(c, 4); i > 0; i--)
            arvo_json_set(
                arena, object, arvo_str_from(random_keys[below(c, ARVO_COUNT_OF(random_keys))]),
                random_value(c, depth - 1));
        return object;
    }
    arvo_json *const array = arvo_json_array_new(arena);
    for (size_t i = below(c, 4); i > 0; i--)
        arvo_json_push(arena, array, random_value(c, depth - 1));
    return array;
}

static inline void
put(arvo_json *object, const char *key, const arvo_json *value)
{
    arvo_json_set(arena, object, arvo_str_from(key), value);
}

static inline const arvo_json *
small(chance *c, size_t n)
{
    return arvo_json_int(arena, (int64_t)below(c, n));
}

static const arvo_json *random_schema(chance *c, size_t depth);

static inline const arvo_json *
random_schemas(chance *c, size_t depth, size_t count)
{
    arvo_json *const array = arvo_json_array_new(arena);
    for (size_t i = 0; i < count; i++)
        arvo_json_push(arena, array, random_schema(c, depth));
    return array;
}

static inline void
random_number_schema(chance *c, arvo_json *out)
{
    put(out, "type",
        arvo_json_string(arena, below(c, 2) == 0 ? ARVO_STR("integer") : ARVO_STR("number")));
    if (below(c, 2) == 0)
        put(out, below(c, 3) == 0 ? "exclusiveMinimum" : "minimum", small(c, 6));
    if (below(c, 2) == 0)
        put(out, below(c, 3) == 0 ? "exclusiveMaximum" : "maximum",
            arvo_json_int(arena, (int64_t)below(c, 8) + 2));
    if (below(c, 4) == 0)
        put(out, "multipleOf", arvo_json_number(arena, (double)(below(c, 4) + 1) / 2));
}

static inline void
random_string_schema(chance *c, arvo_json *out)
{
    put(out, "type", arvo_json_string(arena, ARVO_STR("string")));
    if (below(c, 3) == 0)
        put(out, "minLength", small(c, 4));
    if (below(c, 3) == 0)
        put(out, "maxLength", arvo_json_int(arena, (int64_t)below(c, 4) + 1));
    if (below(c, 3) == 0)
        put(out, "pattern",
            arvo_json_string(
                arena, arvo_str_from(random_patterns[below(c, ARVO_COUNT_OF(random_patterns))])));
}

static inline void
random_object_schema(chance *c, arvo_json *out, size_t depth)
{
    arvo_json *const properties = arvo_json_object_new(arena);
    arvo_json *const required = arvo_json_array_new(arena);
    put(out, "type", arvo_json_string(arena, ARVO_STR("object")));
    for (size_t i = 0; i < ARVO_COUNT_OF(random_keys); i++) {
        if (below(c, 2) == 0)
            put(properties, random_keys[i], random_schema(c, depth - 1));
        if (below(c, 3) == 0)
            arvo_json_push(arena, required, arvo_json_string(arena, arvo_str_from(random_keys[i])));
    }
    put(out, "properties", properties);
    put(out, "required", required);
    if (below(c, 3) == 0)
        put(out, "additionalProperties",
            below(c, 2) == 0 ? arvo_json_bool(false) : random_schema(c, depth - 1));
    if (below(c, 8) == 0)
        put(out, "minProperties", small(c, 3));
    if (below(c, 8) == 0)
        put(out, "maxProperties", arvo_json_int(arena, (int64_t)below(c, 3) + 1));
    if (below(c, 8) == 0) {
        arvo_json *const patterns = arvo_json_object_new(arena);
        put(patterns, below(c, 2) == 0 ? "^[a-z]$" : "d", random_schema(c, depth - 1));
        put(out, "patternProperties", patterns);
    }
    if (below(c, 10) == 0) {
        arvo_json *const names = arvo_json_object_new(arena);
        put(names, "maxLength", arvo_json_int(arena, (int64_t)below(c, 5) + 1));
        put(out, "propertyNames", names);
    }
    if (below(c, 8) == 0) {
        arvo_json *const rules = arvo_json_object_new(arena);
        arvo_json *const needs = arvo_json_array_new(arena);
        arvo_json_push(arena, needs, arvo_json_string(arena, ARVO_STR("b")));
        put(rules, "a", needs);
        put(out, "dependentRequired", rules);
    }
}

static inline void
random_array_schema(chance *c, arvo_json *out, size_t depth)
{
    put(out, "type", arvo_json_string(arena, ARVO_STR("array")));
    if (below(c, 2) == 0)
        put(out, "items", random_schema(c, depth - 1));
    if (below(c, 4) == 0)
        put(out, "prefixItems", random_schemas(c, depth - 1, below(c, 2) + 1));
    if (below(c, 3) == 0)
        put(out, "minItems", small(c, 3));
    if (below(c, 3) == 0)
        put(out, "maxItems", arvo_json_int(arena, (int64_t)below(c, 3) + 1));
    if (below(c, 5) == 0)
        put(out, "uniqueItems", arvo_json_bool(true));
    if (below(c, 6) == 0)
        put(out, "contains", random_schema(c, depth - 1));
}

static inline void
random_combined_schema(chance *c, arvo_json *out, size_t depth)
{
    static const char *const words[] = { "anyOf", "oneOf", "allOf" };
    switch (below(c, 5)) {
    case 0:
        put(out, "not", random_schema(c, depth - 1));
        return;
    case 1:
        put(out, "if", random_schema(c, depth - 1));
        put(out, "then", random_schema(c, depth - 1));
        if (below(c, 2) == 0)
            put(out, "else", random_schema(c, depth - 1));
        return;
    default:
        put(out, words[below(c, 3)], random_schemas(c, depth - 1, below(c, 2) + 1));
        return;
    }
}

static inline const arvo_json *
random_enum(chance *c)
{
    arvo_json *const values = arvo_json_array_new(arena);
    for (size_t i = below(c, 3) + 1; i > 0; i--) {
        const arvo_json *const value = random_scalar(c);
        bool is_new = true;
        for (size_t k = 0; k < arvo_json_count(values); k++)
            is_new = is_new && !arvo_json_equal(arvo_json_at(values, k), value);
        if (is_new)
            arvo_json_push(arena, values, value);
    }
    return values;
}

static const arvo_json *
random_schema(chance *c, size_t depth)
{
    arvo_json *const out = arvo_json_object_new(arena);
    const size_t kind = below(c, depth > 0 ? 11 : 5);
    if (kind == 0 && below(c, 4) == 0)
        return arvo_json_bool(below(c, 4) != 0);
    if (kind == 0)
        put(out, "enum", random_enum(c));
    else if (kind == 1 && below(c, 2) == 0)
        put(out, "const", random_scalar(c));
    else if (kind <= 2)
        random_number_schema(c, out);
    else if (kind <= 4)
        random_string_schema(c, out);
    else if (kind <= 7)
        random_object_schema(c, out, depth);
    else if (kind == 8)
        random_array_schema(c, out, depth);
    else
        random_combined_schema(c, out, depth);
    return out;
}

#endif
