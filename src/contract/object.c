/* properties, patternProperties, additionalProperties and required as one
 * instruction, and its lookup of a key. */

#include "contract/compile.h"

/* ---- Lookup --------------------------------------------------------------- */

static size_t
index_slot(const schema_object *object, const char *key, uint32_t key_len)
{
    return (size_t)arvo__hash(key, key_len, 0) & object->index_mask;
}

schema_entry *
arvo__schema_object_search(const schema_object *object, const char *key, uint32_t key_len)
{
    if (object->index == NULL) {
        for (size_t i = 0; i < object->entry_count; i++)
            if (schema__entry_is(&object->entries[i], key, key_len))
                return &object->entries[i];
        return NULL;
    }
    for (size_t slot = index_slot(object, key, key_len);; slot = (slot + 1) & object->index_mask) {
        const uint32_t number = object->index[slot];
        if (number == 0)
            return NULL;
        if (schema__entry_is(&object->entries[number - 1], key, key_len))
            return &object->entries[number - 1];
    }
}

/* ---- Building ------------------------------------------------------------- */

static void
index_add(schema_object *object, size_t entry)
{
    if (object->index == NULL)
        return;
    size_t slot = index_slot(object, object->entries[entry].key, object->entries[entry].key_len);
    while (object->index[slot] != 0)
        slot = (slot + 1) & object->index_mask;
    object->index[slot] = (uint32_t)entry + 1;
}

/* Keys of `properties`, and of `required` beyond these. */
static size_t
entries_count(const schema_draft_node *draft)
{
    const arvo_json *const properties = arvo_json_get(draft->json, "properties");
    const arvo_json *const required = arvo_json_get(draft->json, "required");
    size_t count = arvo_json_count(properties);
    for (size_t i = 0; i < arvo_json_count(required); i++) {
        const arvo_str key = arvo_json_str(arvo_json_at(required, i));
        count += key.ptr == NULL || arvo_json_get_str(properties, key) == NULL;
    }
    return count;
}

/* Room for `count` entries. */
static arvo_status
entries_reserve(schema_compiler *compiler, schema_object *object, size_t count)
{
    if (count == 0)
        return ARVO_OK;
    if (count > SCHEMA_NODES_MAX)
        return ARVO_E_TOO_BIG;
    object->entries = arvo_arena_calloc(compiler->arena, count, sizeof(*object->entries));
    if (object->entries == NULL)
        return ARVO_E_NOMEM;
    if (count < SCHEMA_INDEX_ENTRIES_MIN)
        return ARVO_OK;
    size_t slots = 16;
    while (slots < 2 * count)
        slots *= 2;
    object->index = arvo_arena_calloc(compiler->arena, slots, sizeof(*object->index));
    object->index_mask = slots - 1;
    return object->index != NULL ? ARVO_OK : ARVO_E_NOMEM;
}

static arvo_status
entry_add(schema_compiler *compiler, schema_object *object, arvo_str key, schema_entry **out)
{
    const arvo_str own = arvo_arena_str_dup(compiler->arena, key);
    if (own.ptr == NULL)
        return arvo__nomem(compiler->err);
    schema_entry *const entry = &object->entries[object->entry_count];
    *entry = (schema_entry){ .key = own.ptr,
                             .key_len = (uint32_t)own.len,
                             .is_plain = arvo__json_str_is_plain(own.ptr, own.len) };
    index_add(object, object->entry_count++);
    *out = entry;
    return ARVO_OK;
}

static arvo_status
properties_add(schema_compiler *compiler, const schema_draft_node *draft, schema_object *object)
{
    const arvo_json *const properties = arvo_json_get(draft->json, "properties");
    if (properties != NULL && arvo_json_type_of(properties) != ARVO_JSON_OBJECT)
        return arvo__schema_fail(
            compiler, draft->node, "properties", ARVO_E_INVALID, "must be an object of schemas");
    for (size_t i = 0; i < arvo_json_count(properties); i++) {
        const arvo_str key = arvo_json_key_at(properties, i);
        schema_entry *entry = NULL;
        arvo_status st = entry_add(compiler, object, key, &entry);
        if (st == ARVO_OK)
            st = arvo__schema_child(
                compiler, draft->node, arvo_json_at(properties, i), "properties", key,
                &entry->node);
        if (st != ARVO_OK)
            return st;
        object->declared_count++;
    }
    return ARVO_OK;
}

static arvo_status
required_add(schema_compiler *compiler, const schema_draft_node *draft, schema_object *object)
{
    const arvo_json *const required = arvo_json_get(draft->json, "required");
    if (required != NULL && arvo_json_type_of(required) != ARVO_JSON_ARRAY)
        return arvo__schema_fail(
            compiler, draft->node, "required", ARVO_E_INVALID, "must be an array of keys");
    for (size_t i = 0; i < arvo_json_count(required); i++) {
        const arvo_str key = arvo_json_str(arvo_json_at(required, i));
        if (key.ptr == NULL)
            return arvo__schema_fail(
                compiler, draft->node, "required", ARVO_E_INVALID, "item %zu must be a string", i);
        schema_entry *entry = arvo__schema_object_search(object, key.ptr, (uint32_t)key.len);
        if (entry != NULL && entry->is_required)
            return arvo__schema_fail(
                compiler, draft->node, "required", ARVO_E_INVALID, "\"%.*s\" is given twice",
                ARVO_FMT(key));
        const arvo_status st = entry != NULL ? ARVO_OK : entry_add(compiler, object, key, &entry);
        if (st != ARVO_OK)
            return st;
        entry->is_required = true;
        object->required_count++;
    }
    return ARVO_OK;
}

static arvo_status
patterns_add(schema_compiler *compiler, const schema_draft_node *draft, schema_object *object)
{
    const arvo_json *const patterns = arvo_json_get(draft->json, "patternProperties");
    if (patterns == NULL)
        return ARVO_OK;
    if (arvo_json_type_of(patterns) != ARVO_JSON_OBJECT)
        return arvo__schema_fail(
            compiler, draft->node, "patternProperties", ARVO_E_INVALID,
            "must be an object of schemas");
    const size_t count = arvo_json_count(patterns);
    if (count == 0)
        return ARVO_OK;
    object->patterns = arvo_arena_calloc(compiler->arena, count, sizeof(*object->patterns));
    if (object->patterns == NULL)
        return arvo__nomem(compiler->err);
    for (size_t i = 0; i < count; i++) {
        const arvo_str key = arvo_json_key_at(patterns, i);
        schema_pattern *const pattern = &object->patterns[i];
        arvo_error why = { 0 };
        arvo_status st = arvo__schema_child(
            compiler, draft->node, arvo_json_at(patterns, i), "patternProperties", key,
            &pattern->node);
        if (st != ARVO_OK)
            return st;
        st = arvo__regex_compile(
            key, compiler->arena, &compiler->schema->regexes, &pattern->regex, &why);
        if (st == ARVO_E_NOMEM)
            return arvo__nomem(compiler->err);
        if (st != ARVO_OK)
            return arvo__schema_fail(compiler, pattern->node, NULL, st, "%s", why.text);
        object->pattern_count++;
    }
    return ARVO_OK;
}

static arvo_status
extra_add(schema_compiler *compiler, const schema_draft_node *draft, schema_object *object)
{
    const arvo_json *const extra = arvo_json_get(draft->json, "additionalProperties");
    const bool zod = compiler->opts->additional == ARVO_ADDITIONAL_ZOD;
    /* An object that declares nothing says nothing about its keys. What unevaluatedProperties lets
     * through stays. */
    const bool declares =
        arvo_json_get(draft->json, "properties") != NULL || object->pattern_count > 0;
    const bool keeps = compiler->draft == SCHEMA_2020_12 &&
                       arvo_json_get(draft->json, "unevaluatedProperties") != NULL;
    object->has_say = declares || keeps || extra != NULL;
    object->extra = declares && !keeps ? SCHEMA_EXTRA_STRIP : SCHEMA_EXTRA_KEEP;
    object->extra_given = extra != NULL;
    if (extra == NULL)
        return ARVO_OK;
    if (arvo_json_type_of(extra) == ARVO_JSON_BOOL) {
        if (arvo_json_bool_or(extra, false))
            object->extra = SCHEMA_EXTRA_KEEP;
        else
            object->extra = zod ? SCHEMA_EXTRA_STRIP : SCHEMA_EXTRA_REFUSE;
        return ARVO_OK;
    }
    object->extra = SCHEMA_EXTRA_CHECK;
    return arvo__schema_child(
        compiler, draft->node, extra, "additionalProperties", ARVO_STR_NONE, &object->extra_node);
}

arvo_status
arvo__schema_object_build(schema_compiler *compiler, schema_draft_node *draft)
{
    schema_object *const object = arvo_arena_calloc(compiler->arena, 1, sizeof(*object));
    if (object == NULL)
        return arvo__nomem(compiler->err);
    arvo__schema_op_add(draft, SCHEMA_PROPERTIES, SCHEMA_OBJECT)->as.object = object;

    arvo_status st = entries_reserve(compiler, object, entries_count(draft));
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(compiler->err);
    if (st != ARVO_OK)
        return arvo__schema_fail(
            compiler, draft->node, NULL, st, "more than %u keys", SCHEMA_NODES_MAX);
    st = properties_add(compiler, draft, object);
    if (st == ARVO_OK)
        st = required_add(compiler, draft, object);
    if (st == ARVO_OK)
        st = patterns_add(compiler, draft, object);
    if (st == ARVO_OK)
        st = extra_add(compiler, draft, object);
    return st;
}
