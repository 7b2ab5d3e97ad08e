/* Building values in an arena. Containers grow by doubling. */

#include "json/internal.h"

#include <math.h>

#include "json/number.h"
#include "json/object.h"

#define BUILD_CAP_LOG2_MIN 2u

/* Shared constants: no arena needed. */
static const struct arvo_json build_null = { .type = ARVO_JSON_NULL };
static const struct arvo_json build_true = { .type = ARVO_JSON_BOOL, .as.boolean = true };
static const struct arvo_json build_false = { .type = ARVO_JSON_BOOL, .as.boolean = false };

const arvo_json *
arvo_json_null(void)
{
    return &build_null;
}

const arvo_json *
arvo_json_bool(bool value)
{
    return value ? &build_true : &build_false;
}

static struct arvo_json *
build_value(arvo_arena *arena, arvo_json_type type)
{
    struct arvo_json *value = arvo__arena_alloc(arena, sizeof(*value));
    if (value != NULL)
        *value = (struct arvo_json){ .type = (uint8_t)type };
    return value;
}

const arvo_json *
arvo_json_int(arvo_arena *arena, int64_t integer)
{
    struct arvo_json *value = build_value(arena, ARVO_JSON_INT);
    if (value != NULL)
        value->as.integer = integer;
    return value;
}

const arvo_json *
arvo_json_number(arvo_arena *arena, double number)
{
    if (!isfinite(number))
        return &build_null;
    struct arvo_json *value = build_value(arena, ARVO_JSON_DOUBLE);
    if (value != NULL)
        arvo__number_set(value, number);
    return value;
}

const arvo_json *
arvo_json_string_ref(arvo_arena *arena, arvo_str text)
{
    if (text.len > UINT32_MAX) {
        arena->failed = true;
        return NULL;
    }
    struct arvo_json *value = build_value(arena, ARVO_JSON_STRING);
    if (value == NULL)
        return NULL;
    value->as.string = text.ptr != NULL ? text.ptr : "";
    value->len = (uint32_t)text.len;
    value->flags = arvo__json_str_is_plain(value->as.string, text.len) ? ARVO__JSON_PLAIN : 0;
    return value;
}

const arvo_json *
arvo_json_string(arvo_arena *arena, arvo_str text)
{
    if (text.len == 0)
        return arvo_json_string_ref(arena, ARVO_STR(""));
    const arvo_str copy = arvo_arena_str_dup(arena, text);
    return copy.ptr != NULL ? arvo_json_string_ref(arena, copy) : NULL;
}

arvo_json *
arvo_json_array_new(arvo_arena *arena)
{
    return build_value(arena, ARVO_JSON_ARRAY);
}

arvo_json *
arvo_json_object_new(arvo_arena *arena)
{
    return build_value(arena, ARVO_JSON_OBJECT);
}

/* What a NULL child means depends on the arena: out of memory, or null. Returns NULL then. */
static const struct arvo_json *
build_child(const arvo_arena *arena, const arvo_json *value)
{
    if (value != NULL)
        return value;
    return arena->failed ? NULL : &build_null;
}

static inline bool
build_is_full(const struct arvo_json *container)
{
    return container->cap_log2 == 0 || container->len >= (uint32_t)1 << container->cap_log2;
}

static uint8_t
build_next_cap(const struct arvo_json *container)
{
    uint8_t log2 = BUILD_CAP_LOG2_MIN;
    while ((uint32_t)1 << log2 <= container->len)
        log2++;
    return log2;
}

/* Let the last piece of the arena grow where it is. */
static bool
build_extend(arvo_arena *arena, const void *ptr, size_t size, size_t wanted)
{
    if ((const char *)ptr + size != arena->cursor ||
        wanted - size > (size_t)(arena->end - arena->cursor))
        return false;
    return arvo__arena_alloc(arena, wanted - size) != NULL;
}

static bool
build_grow_array(arvo_arena *arena, struct arvo_json *array)
{
    if (array->len >= UINT32_MAX / 4) {
        arena->failed = true;
        return false;
    }
    const uint8_t log2 = build_next_cap(array);
    if (array->cap_log2 != 0 &&
        build_extend(
            arena, array->as.items, sizeof(struct arvo_json) << array->cap_log2,
            sizeof(struct arvo_json) << log2)) {
        array->cap_log2 = log2;
        return true;
    }
    struct arvo_json *items = arvo__arena_alloc(arena, sizeof(*items) << log2);
    if (items == NULL)
        return false;
    if (array->len > 0)
        memcpy(items, array->as.items, array->len * sizeof(*items));
    array->as.items = items;
    array->cap_log2 = log2;
    return true;
}

void
arvo_json_push(arvo_arena *arena, arvo_json *array, const arvo_json *value)
{
    const struct arvo_json *child = build_child(arena, value);
    if (array == NULL || child == NULL)
        return;
    ARVO_ASSERT(array->type == ARVO_JSON_ARRAY);
    if (build_is_full(array) && !build_grow_array(arena, array))
        return;
    array->as.items[array->len] = *child;
    array->as.items[array->len++].cap_log2 = 0; /* its contents are shared from here on */
}

static bool
build_grow_object(arvo_arena *arena, struct arvo_json *object)
{
    const uint8_t log2 = build_next_cap(object);
    if (object->cap_log2 != 0 && (uint32_t)1 << log2 <= ARVO__OBJECT_SCAN_MAX &&
        build_extend(
            arena, object->as.members, sizeof(struct arvo__member) << object->cap_log2,
            sizeof(struct arvo__member) << log2)) {
        object->cap_log2 = log2;
        return true;
    }
    struct arvo__member *members = arvo__object_storage(arena, (size_t)1 << log2);
    if (members == NULL)
        return false;
    if (object->len > 0)
        memcpy(members, object->as.members, object->len * sizeof(*members));
    object->as.members = members;
    object->cap_log2 = log2;
    object->flags = (uint32_t)1 << log2 > ARVO__OBJECT_SCAN_MAX ? ARVO__JSON_INDEXED : 0;
    if (object->flags != 0)
        for (uint32_t i = 0; i < object->len; i++)
            arvo__object_index(members, i);
    return true;
}

static void
build_set(
    arvo_arena *arena, struct arvo_json *object, arvo_str key, const arvo_json *value, bool copy)
{
    const struct arvo_json *child = build_child(arena, value);
    if (object == NULL || child == NULL)
        return;
    ARVO_ASSERT(object->type == ARVO_JSON_OBJECT);
    ARVO_ASSERT(key.ptr != NULL || key.len == 0);
    if (key.ptr == NULL)
        key.ptr = "";

    struct arvo__member *member = arvo__object_find(object, key.ptr, key.len);
    if (member != NULL) {
        member->value = *child;
        member->value.cap_log2 = 0;
        return;
    }
    if (key.len > UINT32_MAX || object->len >= UINT32_MAX / 4) {
        arena->failed = true;
        return;
    }
    if (copy && key.len > 0) {
        key = arvo_arena_str_dup(arena, key);
        if (key.ptr == NULL)
            return;
    }
    if (build_is_full(object) && !build_grow_object(arena, object))
        return;
    member = &object->as.members[object->len];
    member->key = key.ptr;
    member->key_len = (uint32_t)key.len;
    member->key_plain = arvo__json_str_is_plain(key.ptr, key.len);
    member->value = *child;
    member->value.cap_log2 = 0;
    if ((object->flags & ARVO__JSON_INDEXED) != 0)
        arvo__object_index(object->as.members, object->len);
    object->len++;
}

void
arvo_json_set(arvo_arena *arena, arvo_json *object, arvo_str key, const arvo_json *value)
{
    build_set(arena, object, key, value, true);
}

void
arvo_json_set_ref(arvo_arena *arena, arvo_json *object, arvo_str key, const arvo_json *value)
{
    build_set(arena, object, key, value, false);
}

arvo_json *
arvo_json_clone(arvo_arena *arena, const arvo_json *value)
{
    if (value == NULL)
        return NULL;
    struct arvo_json *clone = build_value(arena, (arvo_json_type)value->type);
    if (clone == NULL)
        return NULL;
    *clone = *value;
    clone->cap_log2 = 0; /* the first change moves the contents to memory of its own ... */
    if (value->len == 0 || value->type < ARVO_JSON_ARRAY)
        return clone;
    /* ... but a replaced member would be written in place, so they move at once. */
    const bool grown = value->type == ARVO_JSON_ARRAY ? build_grow_array(arena, clone)
                                                      : build_grow_object(arena, clone);
    return grown ? clone : NULL;
}

/* ---- Deep copy ---------------------------------------------------------------------- */

static bool build_copy(arvo_arena *arena, const struct arvo_json *from, struct arvo_json *to);

static bool
build_copy_text(arvo_arena *arena, const char **text, uint32_t len)
{
    if (len == 0) {
        *text = "";
        return true;
    }
    char *copy = arvo__arena_alloc(arena, len);
    if (copy == NULL)
        return false;
    memcpy(copy, *text, len);
    *text = copy;
    return true;
}

static bool
build_copy_object(arvo_arena *arena, const struct arvo_json *from, struct arvo_json *to)
{
    to->as.members = arvo__object_storage(arena, from->len);
    if (to->as.members == NULL)
        return false;
    to->flags = from->len > ARVO__OBJECT_SCAN_MAX ? ARVO__JSON_INDEXED : 0;
    for (uint32_t i = 0; i < from->len; i++) {
        struct arvo__member *member = &to->as.members[i];
        *member = from->as.members[i];
        if (!build_copy_text(arena, &member->key, member->key_len) ||
            !build_copy(arena, &from->as.members[i].value, &member->value))
            return false;
        if (to->flags != 0)
            arvo__object_index(to->as.members, i);
    }
    return true;
}

static bool
build_copy(arvo_arena *arena, const struct arvo_json *from, struct arvo_json *to)
{
    *to = *from;
    to->cap_log2 = 0;
    switch ((arvo_json_type)from->type) {
    case ARVO_JSON_STRING:
        return build_copy_text(arena, &to->as.string, to->len);
    case ARVO_JSON_OBJECT:
        return build_copy_object(arena, from, to);
    case ARVO_JSON_ARRAY:
        to->as.items = arvo__arena_alloc(arena, from->len * sizeof(struct arvo_json));
        if (to->as.items == NULL)
            return false;
        for (uint32_t i = 0; i < from->len; i++)
            if (!build_copy(arena, &from->as.items[i], &to->as.items[i]))
                return false;
        return true;
    case ARVO_JSON_ABSENT:
    case ARVO_JSON_NULL:
    case ARVO_JSON_BOOL:
    case ARVO_JSON_INT:
    case ARVO_JSON_DOUBLE:
        break;
    }
    return true;
}

const arvo_json *
arvo_json_copy(arvo_arena *arena, const arvo_json *value)
{
    if (value == NULL)
        return NULL;
    struct arvo_json *copy = arvo__arena_alloc(arena, sizeof(*copy));
    return copy != NULL && build_copy(arena, value, copy) ? copy : NULL;
}
