/* The schema compiler: JSON -> nodes. Keywords are read in keywords.c.
 *
 * Compiling is a walk over a list of pending nodes, so nesting costs no stack:
 * reading a node's keywords makes the nodes of its subschemas and puts the new
 * ones at the end of the list. When the list has come to its end, references
 * are resolved (resolve.c); what they mean mostly has a node by then, found by
 * the address of its JSON, and if not, a new one comes to the list. */

#include <stdarg.h>
#include <stdio.h>

#include "contract/compile.h"

#define SCHEMA_CHUNK_BYTES ((size_t)2048)

/* ---- Errors --------------------------------------------------------------- */

/* The part of a node's token that stands in a pointer: the root's is a URI. */
static bool
has_slash(const schema_node *node)
{
    return node->parent != NULL;
}

/* none when memory ran out. */
arvo_str
arvo__schema_pointer(
    const schema_node *top, const schema_node *node, const char *keyword, arvo_arena *arena)
{
    const size_t keyword_len = keyword != NULL ? strlen(keyword) + 1 : 0;
    size_t len = keyword_len;
    for (const schema_node *n = node; n != top && n != NULL; n = n->parent)
        len += n->token.len + has_slash(n);
    char *const text = arvo__arena_alloc(arena, len + 1);
    if (text == NULL)
        return ARVO_STR_NONE;
    char *end = text + len;
    *end = '\0';
    if (keyword_len > 0) {
        end -= keyword_len;
        end[0] = '/';
        memcpy(end + 1, keyword, keyword_len - 1);
    }
    for (const schema_node *n = node; n != top && n != NULL; n = n->parent) {
        end -= n->token.len + has_slash(n);
        if (has_slash(n))
            end[0] = '/';
        if (n->token.len > 0)
            memcpy(end + has_slash(n), n->token.ptr, n->token.len);
    }
    return (arvo_str){ text, len };
}

/* "/pointer" in the document of the options, "URI#/pointer" in another. */
static arvo_str
place_of(
    const schema_compiler *compiler, const schema_node *node, const char *keyword,
    const arvo_document **out_document)
{
    const arvo_str inner = arvo__schema_pointer(NULL, node, keyword, compiler->arena);
    *out_document = NULL;
    if (inner.len > 0 && inner.ptr[0] != '/')
        return inner;
    *out_document = compiler->opts->document;
    return arvo_arena_printf(
        compiler->arena, "%.*s%.*s", ARVO_FMT(compiler->opts->pointer), ARVO_FMT(inner));
}

arvo_status
arvo__schema_fail(
    schema_compiler *compiler, const schema_node *node, const char *keyword, arvo_status status,
    const char *format, ...)
{
    if (compiler->err == NULL)
        return status;
    char message[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    const arvo_document *document = NULL;
    const arvo_str pointer = place_of(compiler, node, keyword, &document);
    return arvo_document_error(document, pointer, compiler->err, status, "%s", message);
}

arvo_status
arvo__schema_warn(schema_compiler *compiler, const schema_node *node, const char *format, ...)
{
    arvo_schema *const schema = compiler->schema;
    if (schema->warning_count == ARVO_SCHEMA_WARNINGS_MAX)
        return ARVO_OK;
    char message[ARVO_ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    if (schema->warnings == NULL)
        schema->warnings =
            arvo_arena_calloc(compiler->arena, ARVO_SCHEMA_WARNINGS_MAX, sizeof(*schema->warnings));
    arvo_error line = { 0 };
    const arvo_document *document = NULL;
    const arvo_str pointer = place_of(compiler, node, NULL, &document);
    (void)arvo_document_error(document, pointer, &line, ARVO_E_INVALID, "%s", message);
    const arvo_str text = arvo_arena_str_dup(compiler->arena, arvo_str_from(line.text));
    if (schema->warnings == NULL || text.ptr == NULL)
        return arvo__nomem(compiler->err);
    schema->warnings[schema->warning_count++] = text;
    return ARVO_OK;
}

/* ---- Nodes ---------------------------------------------------------------- */

schema_op *
arvo__schema_op_add(schema_draft_node *draft, schema_code code, schema_group group)
{
    schema_op *const op = &draft->ops[draft->op_count++];
    *op = (schema_op){ .code = (uint8_t)code, .group = (uint8_t)group };
    return op;
}

schema_node *
arvo__schema_node_find(const schema_compiler *compiler, const arvo_json *json)
{
    return arvo__map_find(
        &compiler->nodes, (arvo_str){ (const char *)(const void *)&json, sizeof(json) });
}

/* A new node, pending. */
static arvo_status
node_new(schema_compiler *compiler, const schema_node *init, schema_node **out)
{
    if (compiler->node_count == SCHEMA_NODES_MAX)
        return arvo__schema_fail(
            compiler, init->parent, NULL, ARVO_E_TOO_BIG, "a schema of more than %u parts",
            SCHEMA_NODES_MAX);
    schema_node *const node = arvo__arena_alloc(compiler->arena, sizeof(*node));
    if (node == NULL)
        return arvo__nomem(compiler->err);
    *node = *init;
    const arvo_str key = { (const char *)(const void *)&node->json, sizeof(node->json) };
    if (!arvo__map_set(&compiler->nodes, key, node))
        return arvo__nomem(compiler->err);
    compiler->node_count++;
    node->types = SCHEMA_TYPES_ALL;
    node->previous = compiler->last;
    compiler->last = node;
    *compiler->pending_end = node;
    compiler->pending_end = &node->next_pending;
    *out = node;
    return ARVO_OK;
}

/* "keyword" or "keyword/key", the key escaped. */
static arvo_str
token_make(schema_compiler *compiler, const char *keyword, arvo_str key)
{
    if (key.ptr == NULL)
        return arvo_arena_str_dup(compiler->arena, arvo_str_from(keyword));
    const arvo_allocator memory = arvo__arena_allocator(compiler->arena);
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    buf.allocator = &memory;
    arvo_buf_append_str(&buf, arvo_str_from(keyword));
    arvo_json_pointer_push(&buf, key);
    return buf.status == ARVO_OK ? arvo_buf_str(&buf) : ARVO_STR_NONE;
}

arvo_status
arvo__schema_node_at(
    schema_compiler *compiler, const schema_node *parent, const schema_resource *resource,
    const arvo_json *json, arvo_str token, schema_node **out)
{
    schema_node init = { .parent = parent, .json = json, .resource = resource, .token = token };
    const arvo_json_type type = arvo_json_type_of(json);
    if (type != ARVO_JSON_OBJECT && type != ARVO_JSON_BOOL)
        return arvo__schema_fail(
            compiler, &init, NULL, ARVO_E_INVALID, "must be a schema: an object or a boolean");
    if (parent != NULL && parent->depth + 1u >= ARVO_SCHEMA_DEPTH_MAX)
        return arvo__schema_fail(
            compiler, &init, NULL, ARVO_E_TOO_BIG, "schemas nested deeper than %u",
            ARVO_SCHEMA_DEPTH_MAX);
    if (parent != NULL) {
        init.depth = (uint8_t)(parent->depth + 1);
        const arvo_status st = arvo__resource_of(compiler, &init, resource, json, &init.resource);
        if (st != ARVO_OK)
            return st;
    }
    const arvo_status st = node_new(compiler, &init, out);
    if (st == ARVO_OK && init.resource != resource)
        ((schema_resource *)(uintptr_t)init.resource)->node = *out;
    return st;
}

arvo_status
arvo__schema_child(
    schema_compiler *compiler, const schema_node *parent, const arvo_json *json,
    const char *keyword, arvo_str key, const schema_node **out)
{
    schema_node *node = arvo__schema_node_find(compiler, json);
    if (node == NULL) {
        const arvo_str token = token_make(compiler, keyword, key);
        if (token.ptr == NULL)
            return arvo__nomem(compiler->err);
        const arvo_status st =
            arvo__schema_node_at(compiler, parent, parent->resource, json, token, &node);
        if (st != ARVO_OK)
            return st;
    }
    *out = node;
    return ARVO_OK;
}

/* ---- Compiling ------------------------------------------------------------ */

/* What has been evaluated is known when all others have run. */
static bool
comes_last(const schema_op *op)
{
    return op->code == SCHEMA_UNEVALUATED_PROPERTIES || op->code == SCHEMA_UNEVALUATED_ITEMS;
}

/* Instructions in the order of their groups. */
static arvo_status
ops_store(schema_compiler *compiler, const schema_draft_node *draft)
{
    schema_node *const node = draft->node;
    schema_op *ops = NULL;
    if (draft->op_count > 0) {
        ops = arvo__arena_alloc(compiler->arena, draft->op_count * sizeof(*ops));
        if (ops == NULL)
            return arvo__nomem(compiler->err);
    }
    size_t count = 0;
    for (unsigned group = 0; group < SCHEMA_GROUPS; group++) {
        node->first[group] = (uint16_t)count;
        for (size_t i = 0; i < draft->op_count; i++)
            if (draft->ops[i].group == group && !comes_last(&draft->ops[i]))
                ops[count++] = draft->ops[i];
        for (size_t i = 0; i < draft->op_count; i++)
            if (draft->ops[i].group == group && comes_last(&draft->ops[i]))
                ops[count++] = draft->ops[i];
    }
    node->first[SCHEMA_GROUPS] = (uint16_t)count;
    node->ops = ops;
    if (count == 0)
        node->flags |= SCHEMA_NODE_LEAF;
    return ARVO_OK;
}

static arvo_status
node_compile(schema_compiler *compiler, schema_node *node)
{
    if (arvo_json_type_of(node->json) == ARVO_JSON_BOOL) {
        node->types = arvo_json_bool_or(node->json, false) ? SCHEMA_TYPES_ALL : 0;
        node->flags |= SCHEMA_NODE_LEAF;
        return ARVO_OK;
    }
    const size_t keywords = arvo_json_count(node->json);
    if (keywords > UINT16_MAX)
        return arvo__schema_fail(
            compiler, node, NULL, ARVO_E_TOO_BIG, "more than %u keywords", UINT16_MAX);
    schema_draft_node draft = { .node = node, .json = node->json };
    const size_t room = (keywords + 1) * sizeof(*draft.ops);
    draft.ops = arvo__alloc(compiler->opts->allocator, room);
    if (draft.ops == NULL)
        return arvo__nomem(compiler->err);
    compiler->draft = (schema_draft)node->resource->draft;
    compiler->vocabularies = node->resource->vocabularies;
    arvo_status st = arvo__schema_keywords(compiler, &draft);
    if (st == ARVO_OK)
        st = ops_store(compiler, &draft);
    arvo__free(compiler->opts->allocator, draft.ops, room);
    return st;
}

/* The schema and all documents that it refers to. */
static arvo_status
compile_nodes(schema_compiler *compiler)
{
    arvo_status st =
        arvo__document_add(compiler, NULL, ARVO_STR_NONE, compiler->root, &compiler->schema->root);
    schema_node **next = &compiler->pending;
    while (st == ARVO_OK && (*next != NULL || compiler->links != NULL)) {
        if (*next == NULL) {
            st = arvo__link_resolve_next(compiler);
            continue;
        }
        st = node_compile(compiler, *next);
        next = &(*next)->next_pending;
    }
    return st;
}

static arvo_status
compile_all(schema_compiler *compiler)
{
    arvo_status st = compile_nodes(compiler);
    if (st != ARVO_OK)
        return st;
    const schema_node *cyclic = NULL;
    st = arvo__schema_link(compiler->last, &cyclic);
    if (st == ARVO_E_TOO_BIG)
        return arvo__schema_fail(
            compiler, cyclic, NULL, st, "a chain of more than %u references over one value",
            ARVO_SCHEMA_DEPTH_MAX);
    if (st != ARVO_OK)
        return arvo__schema_fail(
            compiler, cyclic, NULL, st, "refers to itself without looking into the value");
    st = arvo__schema_defaults_settle(compiler->last, compiler->arena);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(compiler->err);
    if (st != ARVO_OK)
        return arvo__schema_fail(
            compiler, compiler->schema->root, NULL, st,
            "its defaults take more than %u steps to check", ARVO_SCHEMA_STEPS_MAX);
    return ARVO_OK;
}

/* The JSON that was compiled belongs to the caller. */
static void
forget_sources(schema_compiler *compiler)
{
    for (schema_node *node = compiler->last; node != NULL; node = node->previous)
        node->json = NULL;
}

arvo_status
arvo_schema_compile(
    const arvo_json *schema, const arvo_schema_opts *opts, arvo_schema **out, arvo_error *err)
{
    ARVO_ASSERT(out != NULL);

    static const arvo_schema_opts opts_default = { 0 };
    if (opts == NULL)
        opts = &opts_default;
    arvo_arena *const arena = arvo_arena_new(
        &(arvo_arena_opts){ .allocator = opts->allocator, .chunk_bytes = SCHEMA_CHUNK_BYTES });
    if (arena == NULL)
        return arvo__nomem(err);
    arvo_schema *const made = arvo_arena_calloc(arena, 1, sizeof(*made));
    if (made == NULL) {
        arvo_arena_free(arena);
        return arvo__nomem(err);
    }
    made->arena = arena;
    schema_compiler compiler = { .schema = made,
                                 .arena = arena,
                                 .opts = opts,
                                 .root = schema,
                                 .nodes = { .allocator = opts->allocator },
                                 .resources = { .allocator = opts->allocator },
                                 .anchors = { .allocator = opts->allocator },
                                 .dynamic_names = { .allocator = opts->allocator },
                                 .err = err };
    compiler.pending_end = &compiler.pending;
    compiler.links_end = &compiler.links;
    const arvo_status st = compile_all(&compiler);
    arvo__map_fini(&compiler.dynamic_names);
    arvo__map_fini(&compiler.anchors);
    arvo__map_fini(&compiler.resources);
    arvo__map_fini(&compiler.nodes);
    if (st != ARVO_OK) {
        arvo_schema_free(made);
        return st;
    }
    forget_sources(&compiler);
    *out = made;
    return ARVO_OK;
}

void
arvo_schema_free(arvo_schema *schema)
{
    if (schema == NULL)
        return;
    arvo__regex_free_all(&schema->regexes);
    arvo_arena_free(schema->arena);
}

size_t
arvo_schema_warning_count(const arvo_schema *schema)
{
    return schema != NULL ? schema->warning_count : 0;
}

arvo_str
arvo_schema_warning_at(const arvo_schema *schema, size_t i)
{
    return i < arvo_schema_warning_count(schema) ? schema->warnings[i] : ARVO_STR_NONE;
}
