/* A schema and the documents that it refers to as one document: for those who read schemas as JSON,
 * which have no folders to look into. Each document lies under $defs by its URI, and a reference to
 * it is a pointer there. */

#include "contract/schema.h"

typedef struct bundle_document {
    arvo_str uri;
    arvo_str place; /* "#", or "#/$defs/..." */
    const arvo_json *json;
    struct bundle_document *next;
} bundle_document;

typedef struct bundle {
    arvo_schema_find_fn find;
    void *find_self;
    arvo_arena *arena;
    arvo_str defs; /* "$defs", or "definitions" in draft-07 */
    bool draft7;
    bundle_document *documents; /* the schema itself, then as they are met */
    bundle_document **documents_end;
    size_t document_count;
    bool is_odd; /* something that cannot be moved: the schema stays as it is */
} bundle;

static const arvo_json *
part_copy(bundle *b, const bundle_document *document, const arvo_json *part);

/* ---- Looking ----------------------------------------------------------------------------- */

static bool
is_one_of(arvo_str word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (arvo_str_is(word, *words))
            return true;
    return false;
}

/* Keywords whose value is data, and keywords whose value is an object of schemas. */
static const char *const data_words[] = { "const", "enum", "default", "examples", NULL };
static const char *const map_words[] = { "properties",  "patternProperties", "$defs",
                                         "definitions", "dependentSchemas",  "dependencies",
                                         NULL };

static bool
leads_out(const arvo_json *value)
{
    const arvo_str reference = arvo_json_str(arvo_json_get(value, "$ref"));
    if (reference.len > 0 && reference.ptr[0] != '#')
        return true;
    for (size_t i = 0; i < arvo_json_count(value); i++)
        if (leads_out(arvo_json_at(value, i)))
            return true;
    return false;
}

static bool
is_draft7(const arvo_json *schema)
{
    const arvo_str draft = arvo_json_str(arvo_json_get(schema, "$schema"));
    return arvo_str_starts(draft, ARVO_STR("http://json-schema.org/draft-07/"));
}

/* ---- Documents --------------------------------------------------------------------------- */

/* "#/$defs/URI", as a fragment: a per cent sign is %25 there. */
static arvo_str
place_of(bundle *b, arvo_str uri)
{
    const arvo_allocator memory = arvo__arena_allocator(b->arena);
    arvo_buf plain = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf place = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    plain.allocator = place.allocator = &memory;
    arvo_json_pointer_push(&plain, b->defs);
    arvo_json_pointer_push(&plain, uri);
    arvo_buf_append_char(&place, '#');
    for (size_t i = 0; i < plain.len; i++) {
        arvo_buf_append_char(&place, plain.ptr[i]);
        if (plain.ptr[i] == '%')
            arvo_buf_append_str(&place, ARVO_STR("25"));
    }
    return plain.status == ARVO_OK && place.status == ARVO_OK ? arvo_buf_str(&place)
                                                              : ARVO_STR_NONE;
}

static bundle_document *
document_add(bundle *b, arvo_str uri, arvo_str place, const arvo_json *json)
{
    bundle_document *const made = arvo_arena_calloc(b->arena, 1, sizeof(*made));
    if (made == NULL || place.ptr == NULL || json == NULL)
        return NULL;
    *made = (bundle_document){ .uri = uri, .place = place, .json = json };
    *b->documents_end = made;
    b->documents_end = &made->next;
    b->document_count++;
    return made;
}

/* The document of a URI; NULL: it is none that can be taken in. */
static const bundle_document *
document_find(bundle *b, arvo_str uri)
{
    for (const bundle_document *d = b->documents; d != NULL; d = d->next)
        if (arvo_str_equal(d->uri, uri))
            return d;
    const arvo_json *json = NULL;
    if (b->document_count == ARVO_SCHEMA_DOCUMENTS_MAX ||
        b->find(b->find_self, uri, &json, NULL) != ARVO_OK)
        return NULL;
    const arvo_str id = arvo_json_str(arvo_json_get(json, "$id"));
    const bool has_draft = arvo_json_get(json, "$schema") != NULL;
    if ((has_draft && is_draft7(json) != b->draft7) ||
        (id.ptr != NULL && !arvo_str_equal(arvo__uri_resolve_in(b->arena, uri, id), uri)))
        return NULL;
    return document_add(b, uri, place_of(b, uri), arvo_json_copy(b->arena, json));
}

/* ---- Copying ----------------------------------------------------------------------------- */

/* A "$ref" of a document, as it reads in the whole. */
static const arvo_json *
reference_copy(bundle *b, const bundle_document *document, arvo_str reference)
{
    const char *const hash = memchr(reference.ptr, '#', reference.len);
    const size_t uri_len = hash != NULL ? (size_t)(hash - reference.ptr) : reference.len;
    arvo_str fragment = { reference.ptr + uri_len, reference.len - uri_len };
    const bundle_document *target = document;
    if (uri_len > 0)
        target = document_find(
            b, arvo__uri_resolve_in(b->arena, document->uri, (arvo_str){ reference.ptr, uri_len }));
    if (fragment.len > 0)
        fragment = (arvo_str){ fragment.ptr + 1, fragment.len - 1 };
    /* An anchor may be another document's too, when all lie in one. */
    const bool is_anchor = fragment.len > 0 && fragment.ptr[0] != '/';
    if (target == NULL || (is_anchor && target != b->documents)) {
        b->is_odd = true;
        return NULL;
    }
    return arvo_json_string_ref(
        b->arena,
        arvo_arena_printf(b->arena, "%.*s%.*s", ARVO_FMT(target->place), ARVO_FMT(fragment)));
}

static const arvo_json *
map_copy(bundle *b, const bundle_document *document, const arvo_json *map)
{
    if (arvo_json_type_of(map) != ARVO_JSON_OBJECT)
        return map;
    arvo_json *const out = arvo_json_object_new(b->arena);
    for (size_t i = 0; i < arvo_json_count(map); i++)
        arvo_json_set_ref(
            b->arena, out, arvo_json_key_at(map, i), part_copy(b, document, arvo_json_at(map, i)));
    return out;
}

/* The value of a keyword; NULL: the keyword is left out. */
static const arvo_json *
keyword_copy(
    bundle *b, const bundle_document *document, const arvo_json *schema, arvo_str word,
    const arvo_json *value)
{
    static const char *const fixed[] = { "$dynamicRef", "$dynamicAnchor", "$recursiveRef", NULL };
    const bool is_own = document == b->documents;
    const bool is_root = schema == document->json;
    if (is_one_of(word, data_words))
        return value;
    if (is_one_of(word, map_words))
        return map_copy(b, document, value);
    if (arvo_str_is(word, "$ref") && arvo_json_type_of(value) == ARVO_JSON_STRING)
        return reference_copy(b, document, arvo_json_str(value));
    if (is_root && (arvo_str_is(word, "$id") || arvo_str_is(word, "$schema")))
        return is_own ? value : NULL;
    if (arvo_str_is(word, "$id") || is_one_of(word, fixed) ||
        (!is_own && arvo_str_is(word, "$anchor")))
        b->is_odd = true;
    return part_copy(b, document, value);
}

/* A schema, an array of them, or anything else. */
static const arvo_json *
part_copy(bundle *b, const bundle_document *document, const arvo_json *part)
{
    const arvo_json_type type = arvo_json_type_of(part);
    if (type == ARVO_JSON_ARRAY) {
        arvo_json *const items = arvo_json_array_new(b->arena);
        for (size_t i = 0; i < arvo_json_count(part); i++)
            arvo_json_push(b->arena, items, part_copy(b, document, arvo_json_at(part, i)));
        return items;
    }
    if (type != ARVO_JSON_OBJECT)
        return part;
    arvo_json *const out = arvo_json_object_new(b->arena);
    for (size_t i = 0; i < arvo_json_count(part) && !b->is_odd; i++) {
        const arvo_str word = arvo_json_key_at(part, i);
        const arvo_json *const value = keyword_copy(b, document, part, word, arvo_json_at(part, i));
        if (value != NULL)
            arvo_json_set_ref(b->arena, out, word, value);
    }
    return out;
}

/* The copies of all documents in one; documents are met while others are copied. */
static const arvo_json *
whole_copy(bundle *b)
{
    const arvo_json *const own = part_copy(b, b->documents, b->documents->json);
    const arvo_json *const before = arvo_json_get_str(own, b->defs);
    arvo_json *const defs =
        before != NULL ? arvo_json_clone(b->arena, before) : arvo_json_object_new(b->arena);
    for (const bundle_document *d = b->documents->next; d != NULL && !b->is_odd; d = d->next) {
        b->is_odd = b->is_odd || arvo_json_get_str(defs, d->uri) != NULL;
        arvo_json_set_ref(b->arena, defs, d->uri, part_copy(b, d, d->json));
    }
    arvo_json *const whole = arvo_json_clone(b->arena, own);
    arvo_json_set_ref(b->arena, whole, b->defs, defs);
    return whole;
}

const arvo_json *
arvo__schema_bundle(
    const arvo_json *schema, arvo_schema_find_fn find, void *find_self, arvo_arena *arena)
{
    if (find == NULL || !leads_out(schema))
        return schema;
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const bool draft7 = is_draft7(schema);
    bundle b = { .find = find,
                 .find_self = find_self,
                 .arena = arena,
                 .draft7 = draft7,
                 .defs = draft7 ? ARVO_STR("definitions") : ARVO_STR("$defs") };
    b.documents_end = &b.documents;
    const arvo_str id = arvo_json_str(arvo_json_get(schema, "$id"));
    const arvo_json *whole = NULL;
    const arvo_str base =
        arvo__uri_resolve_in(b.arena, ARVO_STR(""), id.ptr != NULL ? id : ARVO_STR(""));
    if (document_add(&b, base, ARVO_STR("#"), schema) != NULL)
        whole = whole_copy(&b);
    if (arvo_arena_failed(arena))
        return NULL;
    if (b.is_odd || b.document_count == 1) {
        arvo_arena_rewind(arena, mark);
        return schema;
    }
    return whole;
}
