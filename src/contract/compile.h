/* contract/compile.h - the schema compiler's own state, shared by its files. */
#ifndef ARVO_SRC_CONTRACT_COMPILE_H
#define ARVO_SRC_CONTRACT_COMPILE_H

#include "contract/schema.h"

#define SCHEMA_NODES_MAX 200000u

typedef enum schema_draft { SCHEMA_DRAFT_7 = 1, SCHEMA_2020_12 = 2 } schema_draft;

typedef struct schema_compiler {
    arvo_schema *schema;
    arvo_arena *arena; /* the schema's */
    const arvo_schema_opts *opts;
    const arvo_json *root;
    schema_draft draft;
    arvo__map nodes; /* address of a schema value -> schema_node */
    size_t node_count;
    schema_node *last; /* of all, linked through `previous` */
    schema_node *pending;
    schema_node **pending_end;
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

/* The node that a `$ref` names. */
arvo_status arvo__schema_resolve(
    schema_compiler *compiler, const schema_node *node, arvo_str reference,
    const schema_node **out);

schema_op *arvo__schema_op_add(schema_draft_node *draft, schema_code code, schema_group group);

/* Read every keyword of a schema object into instructions. */
arvo_status arvo__schema_keywords(schema_compiler *compiler, schema_draft_node *draft);

/* properties, patternProperties, additionalProperties, required: one instruction. */
arvo_status arvo__schema_object_build(schema_compiler *compiler, schema_draft_node *draft);

#endif
