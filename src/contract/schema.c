/* The schema compiler: JSON -> nodes. Keywords are read in keywords.c.
 *
 * Compiling is a walk over a list of pending nodes, so nesting costs no stack:
 * reading a node's keywords makes the nodes of its subschemas and puts the new
 * ones at the end of the list. A value that is reached twice (by its place and
 * by a $ref, say) is one node, found by its address. */

#include <stdarg.h>
#include <stdio.h>

#include "contract/compile.h"

#define SCHEMA_CHUNK_BYTES ((size_t)2048)

/* ---- Errors --------------------------------------------------------------- */

/* "/properties/a/items" of a node, in `arena`; none when memory ran out. */
arvo_str
arvo__schema_pointer(const schema_node *node, const char *keyword, arvo_arena *arena)
{
    const size_t keyword_len = keyword != NULL ? strlen(keyword) + 1 : 0;
    size_t len = keyword_len;
    for (const schema_node *n = node; n != NULL; n = n->parent)
        len += n->token.len > 0 ? n->token.len + 1 : 0;
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
    for (const schema_node *n = node; n != NULL; n = n->parent) {
        if (n->token.len == 0)
            continue;
        end -= n->token.len + 1;
        end[0] = '/';
        memcpy(end + 1, n->token.ptr, n->token.len);
    }
    return (arvo_str){ text, len };
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

    const arvo_str inner = arvo__schema_pointer(node, keyword, compiler->arena);
    const arvo_str pointer = arvo_arena_printf(
        compiler->arena, "%.*s%.*s", ARVO_FMT(compiler->opts->pointer), ARVO_FMT(inner));
    return arvo_document_error(
        compiler->opts->document, pointer, compiler->err, status, "%s", message);
}

/* ---- Nodes ---------------------------------------------------------------- */

schema_op *
arvo__schema_op_add(schema_draft_node *draft, schema_code code, schema_group group)
{
    schema_op *const op = &draft->ops[draft->op_count++];
    *op = (schema_op){ .code = (uint8_t)code, .group = (uint8_t)group };
    return op;
}

static schema_node *
node_find(const schema_compiler *compiler, const arvo_json *json)
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

/* `$id` that names a resource, not draft-07's "#anchor". */
static bool
has_own_id(const schema_compiler *compiler, const arvo_json *json)
{
    const arvo_str id = arvo_json_str(arvo_json_get(json, "$id"));
    if (id.len == 0 || id.ptr[0] == '#')
        return false;
    return compiler->draft != SCHEMA_DRAFT_7 || arvo_json_get(json, "$ref") == NULL;
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
arvo__schema_child(
    schema_compiler *compiler, const schema_node *parent, const arvo_json *json,
    const char *keyword, arvo_str key, const schema_node **out)
{
    schema_node *node = node_find(compiler, json);
    if (node == NULL) {
        schema_node init = { .parent = parent, .json = json, .base = parent->base };
        init.token = token_make(compiler, keyword, key);
        if (init.token.ptr == NULL)
            return arvo__nomem(compiler->err);
        const arvo_json_type type = arvo_json_type_of(json);
        if (type != ARVO_JSON_OBJECT && type != ARVO_JSON_BOOL)
            return arvo__schema_fail(
                compiler, &init, NULL, ARVO_E_INVALID, "must be a schema: an object or a boolean");
        if (parent->depth + 1u >= ARVO_SCHEMA_DEPTH_MAX)
            return arvo__schema_fail(
                compiler, &init, NULL, ARVO_E_TOO_BIG, "schemas nested deeper than %u",
                ARVO_SCHEMA_DEPTH_MAX);
        init.depth = (uint8_t)(parent->depth + 1);
        if (has_own_id(compiler, json))
            init.base = json;
        const arvo_status st = node_new(compiler, &init, &node);
        if (st != ARVO_OK)
            return st;
    }
    *out = node;
    return ARVO_OK;
}

/* ---- References ----------------------------------------------------------- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %XX resolved, in the arena. */
static arvo_str
percent_decode(arvo_arena *arena, arvo_str text)
{
    char *const out = arvo__arena_alloc(arena, text.len + 1);
    if (out == NULL)
        return ARVO_STR_NONE;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const bool escaped = text.ptr[i] == '%' && i + 2 < text.len &&
                             hex_digit(text.ptr[i + 1]) >= 0 && hex_digit(text.ptr[i + 2]) >= 0;
        if (!escaped) {
            out[len++] = text.ptr[i];
            continue;
        }
        out[len++] = (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]));
        i += 2;
    }
    return (arvo_str){ out, len };
}

/* The schema resource that holds the value at `pointer` under `base`. */
static const arvo_json *
base_of(const schema_compiler *compiler, const arvo_json *base, arvo_str pointer)
{
    const arvo_json *found = base;
    for (size_t i = 1; i <= pointer.len; i++) {
        if (i < pointer.len && pointer.ptr[i] != '/')
            continue;
        const arvo_json *const at = arvo_json_pointer_get(base, (arvo_str){ pointer.ptr, i });
        if (has_own_id(compiler, at))
            found = at;
    }
    return found;
}

arvo_status
arvo__schema_resolve(
    schema_compiler *compiler, const schema_node *node, arvo_str reference, const schema_node **out)
{
    if (reference.len == 0 || reference.ptr[0] != '#' ||
        (reference.len > 1 && reference.ptr[1] != '/'))
        return arvo__schema_fail(
            compiler, node, "$ref", ARVO_E_UNSUPPORTED,
            "only references within the same schema (\"#/$defs/name\") are supported, not \"%.*s\"",
            ARVO_FMT(reference));
    const arvo_str pointer =
        percent_decode(compiler->arena, (arvo_str){ reference.ptr + 1, reference.len - 1 });
    if (pointer.ptr == NULL)
        return arvo__nomem(compiler->err);
    const arvo_json *const target = arvo_json_pointer_get(node->base, pointer);
    const arvo_json_type type = arvo_json_type_of(target);
    if (type != ARVO_JSON_OBJECT && type != ARVO_JSON_BOOL)
        return arvo__schema_fail(
            compiler, node, "$ref", ARVO_E_INVALID, "\"%.*s\" %s", ARVO_FMT(reference),
            target == NULL ? "is not there" : "is not a schema");
    schema_node *found = node_find(compiler, target);
    if (found == NULL) {
        const schema_node init = { .json = target,
                                   .base = base_of(compiler, node->base, pointer),
                                   .token = pointer.len > 0
                                                ? (arvo_str){ pointer.ptr + 1, pointer.len - 1 }
                                                : ARVO_STR_NONE };
        const arvo_status st = node_new(compiler, &init, &found);
        if (st != ARVO_OK)
            return st;
    }
    *out = found;
    return ARVO_OK;
}

/* ---- Compiling ------------------------------------------------------------ */

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
            if (draft->ops[i].group == group)
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
    draft.ops =
        arvo__alloc(compiler->opts->allocator, (keywords > 0 ? keywords : 1) * sizeof(*draft.ops));
    if (draft.ops == NULL)
        return arvo__nomem(compiler->err);
    arvo_status st = arvo__schema_keywords(compiler, &draft);
    if (st == ARVO_OK)
        st = ops_store(compiler, &draft);
    arvo__free(
        compiler->opts->allocator, draft.ops, (keywords > 0 ? keywords : 1) * sizeof(*draft.ops));
    return st;
}

static arvo_status
draft_detect(schema_compiler *compiler, const schema_node *root)
{
    const arvo_json *const dialect = arvo_json_get(compiler->root, "$schema");
    const arvo_str uri = arvo_json_str(dialect);
    compiler->draft = SCHEMA_2020_12;
    if (dialect == NULL || arvo_str_is(uri, "https://json-schema.org/draft/2020-12/schema") ||
        arvo_str_is(uri, "https://json-schema.org/draft/2020-12/schema#"))
        return ARVO_OK;
    if (arvo_str_is(uri, "http://json-schema.org/draft-07/schema#") ||
        arvo_str_is(uri, "http://json-schema.org/draft-07/schema")) {
        compiler->draft = SCHEMA_DRAFT_7;
        return ARVO_OK;
    }
    if (uri.ptr == NULL)
        return arvo__schema_fail(compiler, root, "$schema", ARVO_E_INVALID, "must be a string");
    return arvo__schema_fail(
        compiler, root, "$schema", ARVO_E_UNSUPPORTED,
        "\"%.*s\" is not supported; use draft 2020-12 or draft-07", ARVO_FMT(uri));
}

static arvo_status
compile_all(schema_compiler *compiler)
{
    const arvo_json_type type = arvo_json_type_of(compiler->root);
    const schema_node init = { .json = compiler->root, .base = compiler->root };
    if (type != ARVO_JSON_OBJECT && type != ARVO_JSON_BOOL)
        return arvo__schema_fail(
            compiler, &init, NULL, ARVO_E_INVALID, "must be a schema: an object or a boolean");
    arvo_status st = draft_detect(compiler, &init);
    if (st != ARVO_OK)
        return st;
    schema_node *node = NULL;
    st = node_new(compiler, &init, &node);
    if (st != ARVO_OK)
        return st;
    compiler->schema->root = node;
    for (; node != NULL && st == ARVO_OK; node = node->next_pending)
        st = node_compile(compiler, node);
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
    for (schema_node *node = compiler->last; node != NULL; node = node->previous) {
        node->json = NULL;
        node->base = NULL;
    }
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
                                 .err = err };
    compiler.pending_end = &compiler.pending;
    const arvo_status st = compile_all(&compiler);
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
