/* contract/compile.h - the schema compiler's own state, shared by its files. */
#ifndef ARVO_SRC_CONTRACT_COMPILE_H
#define ARVO_SRC_CONTRACT_COMPILE_H

#include "contract/schema.h"

#define SCHEMA_NODES_MAX 200000u

typedef enum schema_draft { SCHEMA_DRAFT_7 = 1, SCHEMA_2020_12 = 2 } schema_draft;

/* Vocabularies of 2020-12, in the order of the specification's list. */
#define SCHEMA_VOCABULARY_CORE        1u
#define SCHEMA_VOCABULARY_APPLICATOR  2u
#define SCHEMA_VOCABULARY_UNEVALUATED 4u
#define SCHEMA_VOCABULARY_VALIDATION  8u
#define SCHEMA_VOCABULARY_META_DATA   16u
#define SCHEMA_VOCABULARY_FORMAT      32u
#define SCHEMA_VOCABULARY_ASSERTION   64u /* format-assertion */
#define SCHEMA_VOCABULARY_CONTENT     128u
#define SCHEMA_VOCABULARIES_DEFAULT   (255u & ~SCHEMA_VOCABULARY_ASSERTION)

/* As the tables of keywords name them: here and in the metaschemas. */
#define CORE        SCHEMA_VOCABULARY_CORE
#define APPLICATOR  SCHEMA_VOCABULARY_APPLICATOR
#define UNEVALUATED SCHEMA_VOCABULARY_UNEVALUATED
#define VALIDATION  SCHEMA_VOCABULARY_VALIDATION
#define META_DATA   SCHEMA_VOCABULARY_META_DATA
#define FORMATS     (SCHEMA_VOCABULARY_FORMAT | SCHEMA_VOCABULARY_ASSERTION)
#define CONTENT     SCHEMA_VOCABULARY_CONTENT

/* A $ref or $dynamicRef that is still to be resolved. */
typedef struct schema_link {
    schema_node *node;
    const char *keyword;
    schema_code code; /* of its instruction */
    arvo_str reference;
    struct schema_link *next;
} schema_link;

typedef struct schema_compiler {
    arvo_schema *schema;
    arvo_arena *arena; /* the schema's */
    const arvo_schema_opts *opts;
    const arvo_json *root;
    schema_draft draft;      /* of the node that is being compiled */
    unsigned vocabularies;   /* the same */
    arvo__map nodes;         /* address of a schema value -> schema_node */
    arvo__map resources;     /* URI -> schema_resource */
    arvo__map anchors;       /* "URI#name" -> schema_node */
    arvo__map dynamic_names; /* the same for those that are dynamic */
    size_t node_count;
    size_t document_count;
    schema_node *last; /* of all, linked through `previous` */
    schema_node *pending;
    schema_node **pending_end;
    schema_link *links;
    schema_link **links_end;
    arvo_error *err;
} schema_compiler;

/* A node while its keywords are read. */
typedef struct schema_draft_node {
    schema_node *node;
    const arvo_json *json;
    schema_op *ops; /* room for one per keyword */
    size_t op_count;
} schema_draft_node;

/* Set the error at `keyword` of `node` (NULL: the node itself); returns `status`. */
arvo_status arvo__schema_fail(
    schema_compiler *compiler, const schema_node *node, const char *keyword, arvo_status status,
    const char *format, ...) ARVO_PRINTF(5, 6);

/* The node of a schema value inside `parent`, to be compiled later when it is new. */
arvo_status arvo__schema_child(
    schema_compiler *compiler, const schema_node *parent, const arvo_json *json,
    const char *keyword, arvo_str key, const schema_node **out);

/* The same for a value that `token`, an escaped pointer without its first slash, names. The root of
 * a document has no parent. */
arvo_status arvo__schema_node_at(
    schema_compiler *compiler, const schema_node *parent, const schema_resource *resource,
    const arvo_json *json, arvo_str token, schema_node **out);

schema_node *arvo__schema_node_find(const schema_compiler *compiler, const arvo_json *json);

/* ---- Resources, anchors and references (resolve.c) ------------------------ */

/* The resource that a schema value begins: `outer` when it has no $id of its own. */
arvo_status arvo__resource_of(
    schema_compiler *compiler, const schema_node *error_at, const schema_resource *outer,
    const arvo_json *json, const schema_resource **out);

/* Take a document in; its root is compiled later. `outer` says its draft when it does not, NULL:
 * the options do. `uri`: where it was found; none for the schema itself. */
arvo_status arvo__document_add(
    schema_compiler *compiler, const schema_resource *outer, arvo_str uri, const arvo_json *json,
    const schema_node **out);

arvo_status arvo__anchor_add(
    schema_compiler *compiler, const schema_node *node, const char *keyword, arvo_str name,
    bool is_dynamic);

/* Note a reference of `node`; its instruction is there already. */
arvo_status arvo__link_add(
    schema_compiler *compiler, schema_node *node, const char *keyword, schema_code code,
    arvo_str reference);

/* Resolve the first of the noted references. It may need a document to be compiled first: then it
 * is put back. Not to be called while nodes are pending. */
arvo_status arvo__link_resolve_next(schema_compiler *compiler);

/* The text of a built-in metaschema as JSON; *out NULL: no such. */
arvo_status
arvo__metaschema_find(arvo_str uri, arvo_arena *arena, const arvo_json **out, arvo_error *err);

/* The bit of a vocabulary of 2020-12; 0: not known. */
unsigned arvo__vocabulary_find(arvo_str uri);

/* A keyword that is not known: a warning, unless it begins with "x-". */
arvo_status
arvo__schema_warn(schema_compiler *compiler, const schema_node *node, const char *format, ...)
    ARVO_PRINTF(3, 4);

schema_op *arvo__schema_op_add(schema_draft_node *draft, schema_code code, schema_group group);

/* Read every keyword of a schema object into instructions. */
arvo_status arvo__schema_keywords(schema_compiler *compiler, schema_draft_node *draft);

/* properties, patternProperties, additionalProperties, required: one instruction. */
arvo_status arvo__schema_object_build(schema_compiler *compiler, schema_draft_node *draft);

/* A format by its name; NULL: not known, so never refused. */
const schema_format *arvo__format_find(arvo_str name);

#endif
