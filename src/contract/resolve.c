/* Which schema a reference means: resources ($id), anchors, other documents.
 *
 * A document, and each part of one that has an $id, is a resource with a URI.
 * All that is to be compiled of a document is compiled before its first
 * reference is resolved, so by then every resource and anchor is known, and a
 * URI that is not known belongs to another document: a metaschema, which is
 * built in, or what opts->find gives. That one is compiled as a whole in turn. */

#include "contract/compile.h"

/* ---- Text ----------------------------------------------------------------- */

/* %XX resolved, in the arena. */
static arvo_str
percent_decode(arvo_arena *arena, arvo_str text)
{
    char *const out = arvo__arena_alloc(arena, text.len + 1);
    return out != NULL ? (arvo_str){ out, arvo__percent_decode(text, out) } : ARVO_STR_NONE;
}

arvo_str
arvo__uri_resolve_in(arvo_arena *arena, arvo_str base, arvo_str reference)
{
    const arvo_allocator memory = arvo__arena_allocator(arena);
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    buf.allocator = &memory;
    arvo__uri_resolve(base, reference, &buf);
    return buf.status == ARVO_OK ? arvo_buf_str(&buf) : ARVO_STR_NONE;
}

/* ---- Dialects ------------------------------------------------------------- */

static bool
dialect_known(schema_resource *resource, arvo_str uri)
{
    if (uri.len > 0 && uri.ptr[uri.len - 1] == '#')
        uri.len--;
    if (arvo_str_is(uri, "https://json-schema.org/draft/2020-12/schema"))
        resource->draft = SCHEMA_2020_12;
    else if (arvo_str_is(uri, "http://json-schema.org/draft-07/schema"))
        resource->draft = SCHEMA_DRAFT_7;
    else
        return false;
    resource->vocabularies = SCHEMA_VOCABULARIES_DEFAULT;
    return true;
}

static arvo_status
vocabularies_read(
    schema_compiler *compiler, const schema_node *error_at, arvo_str uri,
    const arvo_json *vocabularies, schema_resource *resource)
{
    if (vocabularies == NULL || resource->draft == SCHEMA_DRAFT_7)
        return ARVO_OK;
    resource->vocabularies = SCHEMA_VOCABULARY_CORE;
    for (size_t i = 0; i < arvo_json_count(vocabularies); i++) {
        const arvo_str name = arvo_json_key_at(vocabularies, i);
        const unsigned bit = arvo__vocabulary_find(name);
        if (bit == 0 && arvo_json_bool_or(arvo_json_at(vocabularies, i), false))
            return arvo__schema_fail(
                compiler, error_at, "$schema", ARVO_E_UNSUPPORTED,
                "\"%.*s\" needs the vocabulary \"%.*s\", which is not supported", ARVO_FMT(uri),
                ARVO_FMT(name));
        resource->vocabularies |= (uint8_t)bit;
    }
    return ARVO_OK;
}

/* A metaschema of somebody's own says in $vocabulary which keywords there are. */
static arvo_status
dialect_custom(
    schema_compiler *compiler, const schema_node *error_at, arvo_str uri, schema_resource *resource)
{
    const arvo_json *meta = NULL;
    arvo_status st = ARVO_E_NOT_FOUND;
    if (compiler->opts->find != NULL)
        st = compiler->opts->find(compiler->opts->find_self, uri, &meta, compiler->err);
    if (st != ARVO_OK && st != ARVO_E_NOT_FOUND)
        return st;
    if (st != ARVO_OK || !dialect_known(resource, arvo_json_str(arvo_json_get(meta, "$schema"))))
        return arvo__schema_fail(
            compiler, error_at, "$schema", ARVO_E_UNSUPPORTED,
            "\"%.*s\" is not supported; use draft 2020-12 or draft-07", ARVO_FMT(uri));
    return vocabularies_read(compiler, error_at, uri, arvo_json_get(meta, "$vocabulary"), resource);
}

/* Draft and vocabularies, which are set to what counts without a $schema. */
static arvo_status
dialect_read(
    schema_compiler *compiler, const schema_node *error_at, const arvo_json *json,
    schema_resource *resource)
{
    const arvo_json *const dialect = arvo_json_get(json, "$schema");
    const arvo_str uri = arvo_json_str(dialect);
    if (dialect == NULL || dialect_known(resource, uri))
        return ARVO_OK;
    if (uri.ptr == NULL)
        return arvo__schema_fail(compiler, error_at, "$schema", ARVO_E_INVALID, "must be a string");
    return dialect_custom(compiler, error_at, uri, resource);
}

/* ---- Resources ------------------------------------------------------------ */

/* The URI part of an $id that counts; none when there is none. */
static arvo_str
own_id(const arvo_json *json, const schema_resource *resource)
{
    const arvo_str id = arvo_json_str(arvo_json_get(json, "$id"));
    if (id.ptr == NULL)
        return ARVO_STR_NONE;
    if (resource->draft == SCHEMA_DRAFT_7 && arvo_json_get(json, "$ref") != NULL)
        return ARVO_STR_NONE;
    const char *const hash = memchr(id.ptr, '#', id.len);
    const arvo_str uri = { id.ptr, hash != NULL ? (size_t)(hash - id.ptr) : id.len };
    return uri.len > 0 ? uri : ARVO_STR_NONE;
}

static arvo_status
resource_register(
    schema_compiler *compiler, const schema_node *error_at, arvo_str uri, schema_resource *resource)
{
    if (arvo__map_find(&compiler->resources, uri) != NULL)
        return arvo__schema_fail(
            compiler, error_at, "$id", ARVO_E_INVALID, "\"%.*s\" is the $id of another part too",
            ARVO_FMT(uri));
    return arvo__map_set(&compiler->resources, uri, resource) ? ARVO_OK
                                                              : arvo__nomem(compiler->err);
}

arvo_status
arvo__resource_of(
    schema_compiler *compiler, const schema_node *error_at, const schema_resource *outer,
    const arvo_json *json, const schema_resource **out)
{
    *out = outer;
    if (arvo_json_type_of(arvo_json_get(json, "$id")) != ARVO_JSON_STRING)
        return ARVO_OK;
    schema_resource init = { .outer = outer,
                             .draft = outer->draft,
                             .vocabularies = outer->vocabularies };
    arvo_status st = dialect_read(compiler, error_at, json, &init);
    const arvo_str id = own_id(json, &init);
    if (st != ARVO_OK || id.ptr == NULL)
        return st;
    init.uri = arvo__uri_resolve_in(compiler->arena, outer->uri, id);
    schema_resource *const made = arvo_arena_calloc(compiler->arena, 1, sizeof(*made));
    if (init.uri.ptr == NULL || made == NULL)
        return arvo__nomem(compiler->err);
    *made = init;
    st = resource_register(compiler, error_at, init.uri, made);
    if (st == ARVO_OK)
        *out = made;
    return st;
}

static schema_resource *
resource_of_document(const schema_compiler *compiler, const schema_resource *outer, arvo_str uri)
{
    schema_resource *const resource = arvo_arena_calloc(compiler->arena, 1, sizeof(*resource));
    if (resource == NULL)
        return NULL;
    resource->draft =
        compiler->opts->draft == ARVO_SCHEMA_DRAFT_7 ? SCHEMA_DRAFT_7 : SCHEMA_2020_12;
    resource->vocabularies = SCHEMA_VOCABULARIES_DEFAULT;
    if (outer != NULL) {
        resource->draft = outer->draft;
        resource->vocabularies = outer->vocabularies;
    }
    resource->uri = uri.ptr != NULL ? uri : ARVO_STR("");
    return resource;
}

/* A document is known by where it was found and by what it calls itself. *out_known: it was taken
 * in under its own name before. */
static arvo_status
document_register(
    schema_compiler *compiler, const schema_node *place, schema_resource *resource,
    schema_resource **out_known)
{
    const arvo_str found_at = resource->uri;
    const arvo_str id = own_id(place->json, resource);
    *out_known = NULL;
    if (id.ptr != NULL) {
        resource->uri = arvo__uri_resolve_in(compiler->arena, found_at, id);
        if (resource->uri.ptr == NULL)
            return arvo__nomem(compiler->err);
        schema_resource *const known = arvo__map_find(&compiler->resources, resource->uri);
        if (known != NULL && arvo_json_equal(known->node->json, place->json)) {
            *out_known = known;
            return resource_register(compiler, place, found_at, known);
        }
        if (!arvo_str_equal(found_at, resource->uri)) {
            const arvo_status st = resource_register(compiler, place, resource->uri, resource);
            if (st != ARVO_OK)
                return st;
        }
    }
    return resource_register(compiler, place, found_at, resource);
}

arvo_status
arvo__document_add(
    schema_compiler *compiler, const schema_resource *outer, arvo_str uri, const arvo_json *json,
    const schema_node **out)
{
    schema_node place = { .json = json, .token = ARVO_STR("") };
    if (uri.ptr != NULL) {
        place.token = arvo_arena_printf(compiler->arena, "%.*s#", ARVO_FMT(uri));
        if (place.token.ptr == NULL)
            return arvo__nomem(compiler->err);
    }
    if (compiler->document_count++ == ARVO_SCHEMA_DOCUMENTS_MAX)
        return arvo__schema_fail(
            compiler, &place, NULL, ARVO_E_TOO_BIG, "one of more than %u documents",
            ARVO_SCHEMA_DOCUMENTS_MAX);
    schema_resource *const resource = resource_of_document(compiler, outer, uri);
    if (resource == NULL)
        return arvo__nomem(compiler->err);
    schema_resource *known = NULL;
    arvo_status st = dialect_read(compiler, &place, json, resource);
    if (st == ARVO_OK)
        st = document_register(compiler, &place, resource, &known);
    if (st != ARVO_OK)
        return st;
    if (known == NULL) {
        schema_node *made = NULL;
        st = arvo__schema_node_at(compiler, NULL, resource, json, place.token, &made);
        if (st != ARVO_OK)
            return st;
        resource->node = made;
        known = resource;
    }
    *out = known->node;
    return ARVO_OK;
}

/* ---- Anchors -------------------------------------------------------------- */

/* "URI#name", the key of an anchor. */
static arvo_str
anchor_key(schema_compiler *compiler, const schema_resource *resource, arvo_str name)
{
    return arvo_arena_printf(compiler->arena, "%.*s#%.*s", ARVO_FMT(resource->uri), ARVO_FMT(name));
}

arvo_status
arvo__anchor_add(
    schema_compiler *compiler, const schema_node *node, const char *keyword, arvo_str name,
    bool is_dynamic)
{
    const arvo_str key = anchor_key(compiler, node->resource, name);
    if (key.ptr == NULL)
        return arvo__nomem(compiler->err);
    const schema_node *const other = arvo__map_find(&compiler->anchors, key);
    if (other != NULL && other != node)
        return arvo__schema_fail(
            compiler, node, keyword, ARVO_E_INVALID, "another part has the anchor \"%.*s\" too",
            ARVO_FMT(name));
    void *const value = (void *)(uintptr_t)node; /* the map does not know const */
    if (!arvo__map_set(&compiler->anchors, key, value))
        return arvo__nomem(compiler->err);
    if (!is_dynamic)
        return ARVO_OK;
    schema_resource *const resource = (schema_resource *)(uintptr_t)node->resource;
    schema_anchor *const anchor = arvo_arena_calloc(compiler->arena, 1, sizeof(*anchor));
    if (anchor == NULL || !arvo__map_set(&compiler->dynamic_names, key, value))
        return arvo__nomem(compiler->err);
    *anchor = (schema_anchor){ .name = arvo_arena_str_dup(compiler->arena, name),
                               .node = node,
                               .next = resource->dynamic_anchors };
    resource->dynamic_anchors = anchor;
    return anchor->name.ptr != NULL ? ARVO_OK : arvo__nomem(compiler->err);
}

/* ---- References ----------------------------------------------------------- */

static void
link_append(schema_compiler *compiler, schema_link *link)
{
    link->next = NULL;
    *compiler->links_end = link;
    compiler->links_end = &link->next;
}

arvo_status
arvo__link_add(
    schema_compiler *compiler, schema_node *node, const char *keyword, schema_code code,
    arvo_str reference)
{
    schema_link *const link = arvo_arena_calloc(compiler->arena, 1, sizeof(*link));
    if (link == NULL)
        return arvo__nomem(compiler->err);
    *link = (schema_link){ .node = node, .keyword = keyword, .code = code, .reference = reference };
    link_append(compiler, link);
    return ARVO_OK;
}

/* Says how to map the folder that could hold it; nothing is fetched. */
static arvo_status
document_missing(schema_compiler *compiler, const schema_link *link, arvo_str uri)
{
    const char *const slash = memrchr(uri.ptr, '/', uri.len);
    const arvo_str url = { uri.ptr, slash != NULL ? (size_t)(slash - uri.ptr) : 0 };
    const arvo__uri parts = arvo__uri_split(url);
    const bool may_be_mapped = parts.scheme.ptr != NULL && parts.query.ptr == NULL;
    return arvo__schema_fail(
        compiler, link->node, link->keyword, ARVO_E_NOT_FOUND,
        "\"%.*s\" means \"%.*s\", which is not there; documents are read from mapped folders "
        "only%s%.*s",
        ARVO_FMT(link->reference), ARVO_FMT(uri), may_be_mapped ? ": --remotes DIR=" : "",
        ARVO_FMT(may_be_mapped ? url : ARVO_STR("")));
}

/* Take in the document that a reference is about. */
static arvo_status
document_load(schema_compiler *compiler, const schema_link *link, arvo_str uri)
{
    const arvo_json *json = NULL;
    arvo_status st = arvo__metaschema_find(uri, compiler->arena, &json, compiler->err);
    if (st == ARVO_OK && json == NULL) {
        st = ARVO_E_NOT_FOUND;
        if (compiler->opts->find != NULL)
            st = compiler->opts->find(compiler->opts->find_self, uri, &json, compiler->err);
    }
    if (st == ARVO_E_NOT_FOUND)
        return document_missing(compiler, link, uri);
    if (st != ARVO_OK)
        return st;
    const schema_node *root = NULL;
    return arvo__document_add(compiler, link->node->resource, uri, json, &root);
}

/* The node at a pointer of a resource, made when it is nobody's part. NULL: nothing is there. */
static arvo_status
pointer_resolve(
    schema_compiler *compiler, const schema_resource *resource, arvo_str pointer,
    const schema_node **out)
{
    const schema_node *nearest = resource->node;
    const arvo_json *json = nearest->json;
    size_t behind = 0; /* of the nearest node that exists */
    for (size_t i = 1; i <= pointer.len && json != NULL; i++) {
        if (i < pointer.len && pointer.ptr[i] != '/')
            continue;
        json = arvo_json_pointer_get(nearest->json, (arvo_str){ pointer.ptr + behind, i - behind });
        const schema_node *const node =
            json != NULL ? arvo__schema_node_find(compiler, json) : NULL;
        if (node != NULL) {
            nearest = node;
            behind = i;
        }
    }
    *out = NULL;
    const arvo_json_type type = arvo_json_type_of(json);
    if (type != ARVO_JSON_OBJECT && type != ARVO_JSON_BOOL)
        return ARVO_OK;
    if (behind == pointer.len) {
        *out = nearest;
        return ARVO_OK;
    }
    schema_node *made = NULL;
    const arvo_str token = { pointer.ptr + behind + 1, pointer.len - behind - 1 };
    const arvo_status st =
        arvo__schema_node_at(compiler, nearest, nearest->resource, json, token, &made);
    *out = made;
    return st;
}

/* *out NULL: nothing is there. */
static arvo_status
fragment_resolve(
    schema_compiler *compiler, const schema_resource *resource, arvo_str fragment,
    const schema_node **out, bool *out_dynamic)
{
    *out = resource->node;
    *out_dynamic = false;
    if (fragment.len == 0)
        return ARVO_OK;
    const arvo_str decoded = percent_decode(compiler->arena, fragment);
    if (decoded.ptr == NULL)
        return arvo__nomem(compiler->err);
    if (decoded.ptr[0] == '/')
        return pointer_resolve(compiler, resource, decoded, out);
    const arvo_str key = anchor_key(compiler, resource, decoded);
    if (key.ptr == NULL)
        return arvo__nomem(compiler->err);
    *out = arvo__map_find(&compiler->anchors, key);
    *out_dynamic = *out != NULL && arvo__map_find(&compiler->dynamic_names, key) == *out;
    return ARVO_OK;
}

/* Let the instruction point at what was found. */
static arvo_status
link_finish(
    schema_compiler *compiler, const schema_link *link, const schema_node *target, bool is_dynamic,
    arvo_str name)
{
    schema_op *op = NULL;
    for (size_t i = 0; i < link->node->first[SCHEMA_GROUPS]; i++)
        if (link->node->ops[i].code == link->code)
            op = (schema_op *)(uintptr_t)&link->node->ops[i];
    ARVO_ASSERT(op != NULL);
    if (link->code == SCHEMA_DYNAMIC_REF && is_dynamic) {
        schema_dynamic *const dynamic = arvo_arena_calloc(compiler->arena, 1, sizeof(*dynamic));
        if (dynamic == NULL)
            return arvo__nomem(compiler->err);
        *dynamic =
            (schema_dynamic){ .name = arvo_arena_str_dup(compiler->arena, name), .node = target };
        op->as.dynamic = dynamic;
        return dynamic->name.ptr != NULL ? ARVO_OK : arvo__nomem(compiler->err);
    }
    op->code = SCHEMA_REF;
    op->as.node = target;
    if (link->code == SCHEMA_REF)
        link->node->ref = target;
    return ARVO_OK;
}

static arvo_status
link_resolve(schema_compiler *compiler, schema_link *link)
{
    const schema_resource *resource = link->node->resource;
    const char *const hash = memchr(link->reference.ptr, '#', link->reference.len);
    const size_t uri_len =
        hash != NULL ? (size_t)(hash - link->reference.ptr) : link->reference.len;
    const arvo_str fragment = { link->reference.ptr + uri_len + (hash != NULL),
                                link->reference.len - uri_len - (hash != NULL) };
    if (uri_len > 0) {
        const arvo_str uri = arvo__uri_resolve_in(
            compiler->arena, resource->uri, (arvo_str){ link->reference.ptr, uri_len });
        if (uri.ptr == NULL)
            return arvo__nomem(compiler->err);
        resource = arvo__map_find(&compiler->resources, uri);
        if (resource == NULL) {
            link_append(compiler, link); /* once the document is compiled */
            return document_load(compiler, link, uri);
        }
    }
    const schema_node *target = NULL;
    bool is_dynamic = false;
    const arvo_status st = fragment_resolve(compiler, resource, fragment, &target, &is_dynamic);
    if (st != ARVO_OK)
        return st;
    if (target == NULL)
        return arvo__schema_fail(
            compiler, link->node, link->keyword, ARVO_E_INVALID,
            "\"%.*s\" is not there, or is not a schema", ARVO_FMT(link->reference));
    return link_finish(compiler, link, target, is_dynamic, fragment);
}

arvo_status
arvo__link_resolve_next(schema_compiler *compiler)
{
    schema_link *const link = compiler->links;
    compiler->links = link->next;
    if (compiler->links == NULL)
        compiler->links_end = &compiler->links;
    return link_resolve(compiler, link);
}
