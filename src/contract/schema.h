/* contract/schema.h - a compiled JSON Schema.
 *
 * Every schema object or boolean becomes one node. A node is a mask of the
 * types it accepts and a list of instructions, sorted by the type of value
 * they look at: those for any value first, then numbers, strings, arrays and
 * objects. Checking a value runs the first group and the group of its type.
 * Keywords that only make sense together (properties, required, ...) share one
 * instruction. Nodes point at each other, so a $ref is a pointer, and a
 * recursive schema is a cycle.
 *
 * All of it lives in the schema's own arena; only the regexes are PCRE2's. */
#ifndef ARVO_SRC_CONTRACT_SCHEMA_H
#define ARVO_SRC_CONTRACT_SCHEMA_H

#include <arvo/contract.h>

#include "json/internal.h"

typedef struct schema_node schema_node;
typedef struct schema_regex schema_regex;
typedef struct schema_format schema_format;
typedef struct schema_match_scratch schema_match_scratch;

typedef enum schema_group {
    SCHEMA_ANY = 0,
    SCHEMA_NUMBER,
    SCHEMA_STRING,
    SCHEMA_ARRAY,
    SCHEMA_OBJECT,
    SCHEMA_GROUPS
} schema_group;

typedef enum schema_code {
    /* any value */
    SCHEMA_CONST,
    SCHEMA_ENUM,
    SCHEMA_REF,
    SCHEMA_DYNAMIC_REF,
    SCHEMA_ALL_OF,
    SCHEMA_ANY_OF,
    SCHEMA_ONE_OF,
    SCHEMA_NOT,
    SCHEMA_CONDITION,
    /* numbers */
    SCHEMA_MINIMUM,
    SCHEMA_MAXIMUM,
    SCHEMA_EXCLUSIVE_MINIMUM,
    SCHEMA_EXCLUSIVE_MAXIMUM,
    SCHEMA_MULTIPLE_OF,
    /* strings */
    SCHEMA_MIN_LENGTH,
    SCHEMA_MAX_LENGTH,
    SCHEMA_PATTERN,
    SCHEMA_FORMAT,
    /* arrays */
    SCHEMA_MIN_ITEMS,
    SCHEMA_MAX_ITEMS,
    SCHEMA_UNIQUE_ITEMS,
    SCHEMA_ITEMS,
    SCHEMA_CONTAINS,
    SCHEMA_UNEVALUATED_ITEMS,
    /* objects */
    SCHEMA_MIN_PROPERTIES,
    SCHEMA_MAX_PROPERTIES,
    SCHEMA_PROPERTIES,
    SCHEMA_PROPERTY_NAMES,
    SCHEMA_DEPENDENT,
    SCHEMA_UNEVALUATED_PROPERTIES
} schema_code;

/* A key of `properties` or `required`. */
typedef struct schema_entry {
    const char *key;
    uint32_t key_len;
    bool is_required;
    bool is_plain;                  /* needs no escape when written */
    const schema_node *node;        /* NULL: only required, not declared */
    const arvo_json *default_value; /* NULL: none */
} schema_entry;

typedef struct schema_pattern {
    const schema_regex *regex;
    const schema_node *node;
} schema_pattern;

typedef enum schema_extra {
    SCHEMA_EXTRA_KEEP = 0, /* not looked at */
    SCHEMA_EXTRA_STRIP,    /* not looked at; dropped when normalising */
    SCHEMA_EXTRA_REFUSE,
    SCHEMA_EXTRA_CHECK
} schema_extra;

/* properties, patternProperties, additionalProperties and required. */
typedef struct schema_object {
    schema_entry *entries; /* of `properties` in its order, then the merely required ones */
    size_t entry_count;
    uint32_t *index; /* open addressing, entry number + 1; NULL when few */
    size_t index_mask;
    schema_pattern *patterns;
    size_t pattern_count;
    size_t declared_count; /* entries with a node */
    size_t required_count;
    size_t default_count;
    schema_extra extra;
    const schema_node *extra_node; /* SCHEMA_EXTRA_CHECK */
    bool extra_given;              /* additionalProperties is there, so every key is evaluated */
    bool has_say;                  /* says which keys stay: not merely `required` */
} schema_object;

/* prefixItems and items, or draft-07's items and additionalItems. */
typedef struct schema_items {
    const schema_node **prefix;
    size_t prefix_count;
    const schema_node *rest; /* NULL: anything */
} schema_items;

typedef struct schema_contains {
    const schema_node *node;
    size_t min;
    size_t max;
} schema_contains;

typedef struct schema_condition {
    const schema_node *when;
    const schema_node *then;      /* nullable */
    const schema_node *otherwise; /* nullable */
} schema_condition;

/* dependentRequired, dependentSchemas, draft-07's dependencies: one per key. */
typedef struct schema_dependent {
    arvo_str key;
    const arvo_str *required;
    size_t required_count;
    const schema_node *node; /* nullable */
} schema_dependent;

/* An enum's. */
typedef struct schema_values {
    const arvo_json *const *values;
    const uint64_t *hashes;
    const uint32_t *index; /* open addressing by hash, value number + 1; NULL when few */
    size_t index_mask;
} schema_values;

/* $dynamicRef to a $dynamicAnchor: the outermost resource on the way that has one of this name. */
typedef struct schema_dynamic {
    arvo_str name;
    const schema_node *node; /* where none has: the one it names by itself */
} schema_dynamic;

typedef struct schema_op {
    uint8_t code; /* schema_code */
    uint8_t group;
    uint32_t count; /* of what a list below holds */
    union {
        size_t limit;
        const arvo_json *value;
        const schema_values *values;
        const schema_node *node;
        const schema_node **nodes;
        const schema_regex *regex;
        schema_object *object;
        schema_items *items;
        schema_contains *contains;
        schema_condition *condition;
        schema_dependent *dependents;
        const schema_dynamic *dynamic;
        const schema_format *format;
    } as;
} schema_op;

#define SCHEMA_NODE_LEAF     1u  /* the type mask says it all */
#define SCHEMA_NODE_INTEGRAL 2u  /* a double is fine when its value is an integer */
#define SCHEMA_NODE_CHANGES  4u  /* normalising may change a value */
#define SCHEMA_NODE_OPEN     8u  /* on the path of the cycle search */
#define SCHEMA_NODE_CLOSED   16u /* done with by the cycle search */
#define SCHEMA_NODE_TRACKS   32u /* has unevaluatedProperties or unevaluatedItems */

typedef struct schema_anchor {
    arvo_str name;
    const schema_node *node;
    const struct schema_anchor *next;
} schema_anchor;

/* A schema with a URI of its own: a document, or a part of one that has an $id. */
typedef struct schema_resource {
    const struct schema_resource *outer; /* that it lies in; NULL: a document */
    const schema_node *node;
    arvo_str uri; /* without fragment; empty: a document that has none */
    const schema_anchor *dynamic_anchors;
    uint8_t draft; /* schema_draft */
    uint8_t vocabularies;
} schema_resource;

struct schema_node {
    const schema_op *ops;
    uint16_t first[SCHEMA_GROUPS + 1]; /* group g: ops[first[g]] .. ops[first[g + 1]] */
    uint16_t types;                    /* 1 << arvo_json_type */
    uint8_t flags;
    /* Seldom read from here on. */
    uint8_t depth;
    const schema_node *parent; /* of which this one is a part; NULL: a root or a $ref's target */
    arvo_str token;            /* escaped pointer from there, without the first slash; of the root
                                  of another document: its URI and # */
    const arvo_json *json;     /* while compiling */
    const schema_resource *resource;
    const arvo_json *default_value;
    const schema_node *ref; /* of its $ref */
    schema_node *next_pending;
    schema_node *previous; /* of all nodes */
};

/* All expressions of a schema. */
typedef struct schema_regexes {
    schema_regex *first;
    size_t count;
    size_t bytes;
} schema_regexes;

struct arvo_schema {
    arvo_arena *arena; /* holds this struct too */
    const schema_node *root;
    schema_regexes regexes;
    bool has_dynamic;   /* a $dynamicRef: what holds for a value depends on the way to it */
    arvo_str *warnings; /* NULL: none */
    size_t warning_count;
};

#define SCHEMA_TYPE_BIT(type) ((uint16_t)(1u << (type)))
#define SCHEMA_TYPES_ALL                                                                           \
    ((uint16_t)(SCHEMA_TYPE_BIT(ARVO_JSON_NULL) | SCHEMA_TYPE_BIT(ARVO_JSON_BOOL) | SCHEMA_TYPE_BIT(ARVO_JSON_INT) | SCHEMA_TYPE_BIT(ARVO_JSON_DOUBLE) | SCHEMA_TYPE_BIT(ARVO_JSON_STRING) | SCHEMA_TYPE_BIT(ARVO_JSON_ARRAY) | SCHEMA_TYPE_BIT(ARVO_JSON_OBJECT)))

/* Calls `visit` for each node that an instruction refers to; in_place when that node looks at the
 * same value. Stops and returns false when `visit` does. */
typedef bool (*schema_visit_fn)(void *self, const schema_node *node, bool in_place);
bool arvo__schema_op_visit(const schema_op *op, schema_visit_fn visit, void *self);

/* Resolve what needs the whole: in-place cycles refused, defaults through $ref, what may change. */
arvo_status arvo__schema_link(schema_node *last, const schema_node **out_cyclic);

/* Normalise the defaults themselves, as zod does: {} gets the defaults of its own keys. One that
 * does not fit its schema stays as it is (spec 3.8.3). ARVO_E_TOO_BIG: takes too many steps. */
arvo_status arvo__schema_defaults_settle(schema_node *last, arvo_arena *arena);

/* ---- Lookups (object.c) -------------------------------------------- */

static inline uint64_t
schema__load8(const char *from)
{
    uint64_t value = 0;
    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint32_t
schema__load4(const char *from)
{
    uint32_t value = 0;
    memcpy(&value, from, sizeof(value));
    return value;
}

/* memcmp() without the call; the last load overlaps the one before it. */
static inline bool
schema__bytes_equal(const char *a, const char *b, size_t len)
{
    if (len >= 8) {
        for (size_t i = 0; i + 8 < len; i += 8)
            if (schema__load8(a + i) != schema__load8(b + i))
                return false;
        return schema__load8(a + len - 8) == schema__load8(b + len - 8);
    }
    if (len >= 4)
        return schema__load4(a) == schema__load4(b) &&
               schema__load4(a + len - 4) == schema__load4(b + len - 4);
    /* Up to three bytes: the first, the middle and the last are all there is. */
    return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

static inline bool
schema__entry_is(const schema_entry *entry, const char *key, uint32_t key_len)
{
    return entry->key_len == key_len && schema__bytes_equal(entry->key, key, key_len);
}

#define SCHEMA_INDEX_ENTRIES_MIN 9u /* fewer keys or values are searched one by one */

static inline size_t
schema__values_slot(const schema_values *set, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 32) & set->index_mask;
}

/* NULL: not there. */
schema_entry *
arvo__schema_object_search(const schema_object *object, const char *key, uint32_t key_len);

/* Keys mostly come in the order of declaration: `hint` is the entry expected next. */
static inline const schema_entry *
schema__object_find(const schema_object *object, const char *key, uint32_t key_len, size_t *hint)
{
    const size_t expected = *hint;
    if (ARVO_LIKELY(
            expected < object->entry_count &&
            schema__entry_is(&object->entries[expected], key, key_len))) {
        *hint = expected + 1;
        return &object->entries[expected];
    }
    const schema_entry *const found = arvo__schema_object_search(object, key, key_len);
    if (found != NULL)
        *hint = (size_t)(found - object->entries) + 1;
    return found;
}

/* ---- Regular expressions (regex.c) ---------------------------------------- */

#define ARVO_REGEX_BYTES_MAX   ((size_t)64 * 1024)
#define ARVO_REGEX_MATCH_LIMIT 200000u /* steps of one match */

/* Compile an ECMA-262 (flag u) pattern. `list` keeps it for arvo__regex_free_all(). */
arvo_status arvo__regex_compile(
    arvo_str pattern, arvo_arena *arena, schema_regexes *list, const schema_regex **out,
    arvo_error *err);
void arvo__regex_free_all(schema_regexes *list);
arvo_str arvo__regex_source(const schema_regex *regex);

/* Rewrites the pattern in PCRE2's language; arvo__regex_compile() does this first. */
arvo_status arvo__regex_translate(arvo_str pattern, arvo_buf *out, arvo_error *err);

typedef enum arvo__match {
    ARVO__MATCH_NO = 0,
    ARVO__MATCH_YES,
    ARVO__MATCH_GAVE_UP,
    ARVO__MATCH_NOMEM
} arvo__match;

/* `*scratch` starts NULL and may serve many matches; it lives in the arena. *out_steps: what the
 * match has cost, so that many together can be bounded. */
arvo__match arvo__regex_match(
    const schema_regex *regex, const char *text, size_t len, arvo_arena *arena,
    schema_match_scratch **scratch, size_t *out_steps);

/* Whether a text is an expression; runs on the arena alone. */
arvo__match arvo__regex_is_valid(arvo_str pattern, arvo_arena *arena);

/* ---- Numbers (number.c) --------------------------------------------------- */

/* <0, 0, >0; exact for int64 against double. */
int arvo__number_compare(const arvo_json *a, const arvo_json *b);
bool arvo__number_is_integral(double value);
/* Exact in decimal: 4.02 is a multiple of 0.01. `divisor` is above zero. */
bool arvo__number_is_multiple(const arvo_json *value, const arvo_json *divisor);

/* ---- One check (check.c, normalise.c, report.c) --------------------------- */

#define SCHEMA_FRAMES_MAX 2048u /* nested nodes in all, so that a check fits a thread's stack */

typedef struct schema_path {
    const struct schema_path *parent;
    const char *key; /* NULL: an item */
    size_t at;       /* length of the key, or number of the item */
} schema_path;

/* A reference that was followed on the way to the present node. */
typedef struct schema_hop {
    const struct schema_hop *parent;
    const schema_node *from;
    const schema_node *to;
    const char *keyword; /* "$ref" or "$dynamicRef" */
} schema_hop;

/* Which members or items of `value` have been evaluated (core, section 11): by the node that tracks
 * them and by all that it applies to the same value. */
typedef struct schema_marks {
    const arvo_json *value;
    struct schema_block *block; /* of what more than 64 need */
    uint64_t *bits;             /* of the block; NULL: `few` serves */
    uint64_t few;
} schema_marks;

typedef struct schema_collector {
    arvo_schema_issue *issues; /* NULL: only counted */
    size_t count;
    bool more;
} schema_collector;

/* What alternatives were taken (choices.c). */
typedef struct schema_choices {
    struct schema_choice *slots;
    size_t slot_count;
    size_t count;
} schema_choices;

typedef struct schema_run {
    arvo_arena *arena;
    int64_t steps;
    unsigned frames;
    unsigned in_place;
    bool normalising; /* an absent key that has a default is not missing */
    bool dirty;       /* normalising would change something that was looked at */
    arvo_status status;
    const char *bound; /* which one was exceeded; NULL: that of steps */
    const schema_path *path;
    schema_collector *collector; /* NULL: the first failure ends it */
    schema_match_scratch *match_scratch;
    const schema_hop *hop;
    schema_marks *marks; /* NULL: nobody asks; they count for their own value only */
    struct schema_block *spare_blocks;
    schema_choices *choices; /* NULL: nobody will ask */
} schema_run;

/* A run with a whole step budget. */
schema_run arvo__schema_run_begin(arvo_arena *arena, bool normalising);

bool arvo__schema_node_check(schema_run *run, const schema_node *node, const arvo_json *value);

/* Whether two items of an array are equal; false also when the run has to end. */
bool arvo__schema_has_repetition(schema_run *run, const arvo_json *value);

/* The normalised form of a value that the check accepted; NULL after a failure. */
const arvo_json *
arvo__schema_node_normalise(schema_run *run, const schema_node *node, const arvo_json *value);

/* The node that a $dynamicRef in `node` means, after what was followed so far. NULL: no steps left.
 */
const schema_node *arvo__schema_dynamic_target(
    schema_run *run, const schema_node *node, const schema_dynamic *dynamic);

/* ---- Formats (format.c) ---------------------------------------------------- */

/* "a date (2024-05-31)", as messages say it. */
const char *arvo__format_name(const schema_format *format);
/* false also when the run has to end. */
bool arvo__format_fits(const schema_format *format, schema_run *run, arvo_str text);

/* ---- What has been evaluated (evaluated.c) -------------------------------- */

/* The marks to set for a value; mostly NULL. */
static inline schema_marks *
schema__marks_of(const schema_run *run, const arvo_json *value)
{
    return ARVO_UNLIKELY(run->marks != NULL) && run->marks->value == value ? run->marks : NULL;
}

/* Empty marks for a value; arvo__marks_end() when done. false: out of memory or steps. */
bool arvo__marks_begin(schema_run *run, schema_marks *marks, const arvo_json *value);
void arvo__marks_end(schema_run *run, schema_marks *marks);

static inline void
schema__mark(schema_marks *marks, size_t i)
{
    uint64_t *const word = marks->bits != NULL ? &marks->bits[i / 64] : &marks->few;
    *word |= UINT64_C(1) << i % 64;
}

static inline bool
schema__is_marked(const schema_marks *marks, size_t i)
{
    const uint64_t word = marks->bits != NULL ? marks->bits[i / 64] : marks->few;
    return (word >> i % 64 & 1) != 0;
}

void arvo__mark_first(schema_marks *marks, size_t count); /* 0 .. count - 1 */
void arvo__marks_merge(schema_marks *into, const schema_marks *from);

/* ---- What was chosen (choices.c) ------------------------------------------ */

/* Note the alternative (or, of a condition, whether it held) that an array or object took. Only
 * where run->choices is there. false: out of memory. */
bool arvo__choice_note(schema_run *run, const schema_op *op, const arvo_json *value, size_t chosen);
/* false: not noted. */
bool
arvo__choice_find(const schema_run *run, const schema_op *op, const arvo_json *value, size_t *out);

/* For values that may be asked for; names of keys, which are no parts of the value, are not. */
static inline bool
schema__choice_made(schema_run *run, const schema_op *op, const arvo_json *value, size_t chosen)
{
    return ARVO_LIKELY(run->choices == NULL) || value->type < ARVO_JSON_ARRAY ||
           arvo__choice_note(run, op, value, chosen);
}

/* Whether a text fits a pattern; its steps are the run's. false also when the run has to end. */
bool arvo__schema_regex_matches(
    schema_run *run, const schema_regex *regex, const char *text, size_t len);

/* Ends the run with a bound or memory exceeded. Returns false. */
bool arvo__schema_stop(schema_run *run, arvo_status status);
/* The same for a bound other than that of steps, which `what` names: "checking the value ...". */
bool arvo__schema_stop_at(schema_run *run, const char *what);

#define SCHEMA_BOUND_PLACE "follows too many references over one value"
#define SCHEMA_BOUND_DEPTH "goes through too many nested schemas"
#define SCHEMA_BOUND_MATCH                                                                         \
    "takes a regular expression too long, so it gives up: simplify the pattern"

static inline bool
schema__type_fits(const schema_node *node, const arvo_json *value)
{
    if (ARVO_LIKELY((node->types >> value->type) & 1u))
        return true;
    return value->type == ARVO_JSON_DOUBLE && (node->flags & SCHEMA_NODE_INTEGRAL) != 0 &&
           arvo__number_is_integral(value->as.number);
}

static inline bool
schema__spend(schema_run *run, size_t steps)
{
    run->steps -= (int64_t)steps;
    return ARVO_LIKELY(run->steps >= 0) || arvo__schema_stop(run, ARVO_E_TOO_BIG);
}

/* Note a failure when there is a collector. Return false. */
bool arvo__schema_issue(
    schema_run *run, const schema_node *node, const char *keyword, const char *format, ...)
    ARVO_PRINTF(4, 5);
bool arvo__schema_type_issue(schema_run *run, const schema_node *node, const arvo_json *value);
bool arvo__schema_enum_issue(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value);
bool
arvo__schema_missing_issue(schema_run *run, const schema_node *node, const schema_entry *entry);
/* `object` NULL: of unevaluatedProperties. */
bool arvo__schema_unknown_key_issue(
    schema_run *run, const schema_node *node, const schema_object *object,
    const struct arvo__member *member);
/* None of the alternatives of anyOf or oneOf fits: the issues of the nearest one. */
bool arvo__schema_alternatives_issue(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value,
    const char *keyword);

/* A value as messages show it: shortened, one line; "" when nothing is collected. */
const char *arvo__schema_show(const schema_run *run, const arvo_json *value);

/* All issues in one line. */
arvo_status
arvo__schema_report_error(const schema_collector *collector, arvo_arena *arena, arvo_error *err);

/* JSON pointer of a node or of a keyword in it, from `top` or (NULL) from its document; arena. In a
 * document that is not the schema's own the URI and # come first. */
arvo_str arvo__schema_pointer(
    const schema_node *top, const schema_node *node, const char *keyword, arvo_arena *arena);

/* The closest of `count` words to a misspelt one; none when nothing is close. */
arvo_str arvo__closest(arvo_str word, const arvo_str *words, size_t count);

/* An allocator over an arena: free does nothing. For buffers of messages. */
arvo_allocator arvo__arena_allocator(arvo_arena *arena);

/* What `reference` means at `base`, without fragment, in the arena. None: out of memory. */
arvo_str arvo__uri_resolve_in(arvo_arena *arena, arvo_str base, arvo_str reference);

/* bundle.c: the schema with the documents that it refers to inside it (see arvo_event_rule), or the
 * schema itself. It was compiled with `find` before. In the arena; NULL: out of memory. */
const arvo_json *arvo__schema_bundle(
    const arvo_json *schema, arvo_schema_find_fn find, void *find_self, arvo_arena *arena);

#endif
