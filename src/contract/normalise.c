/* Normalising as zod's parse does (spec 3.8), and the two public checks.
 *
 * The check notes whether anything it met would change (`dirty`); when nothing
 * would, the value itself is the result and no second pass is made. Otherwise
 * this walk rebuilds what changes and shares the rest. It trusts the check: the
 * value is valid here.
 *
 * Several parts of one schema may speak about the same value: its own keywords,
 * $ref, each branch of allOf, the first alternative that fits, a then or else.
 * Each gives its own result, and they are merged: a key that any of them keeps
 * is kept. A part that declares nothing about keys or items has no say. */

#include "contract/schema.h"
#include "json/object.h"

/* What the parts of a schema made of one value. */
typedef struct verdict {
    const arvo_json *value; /* NULL: nobody had a say yet */
} verdict;

static bool
normalise_into(schema_run *run, const schema_node *node, const arvo_json *value, verdict *out);

/* ---- Merging -------------------------------------------------------------- */

static const arvo_json *merge(schema_run *run, const arvo_json *a, const arvo_json *b);

static const arvo_json *
merge_objects(schema_run *run, const arvo_json *a, const arvo_json *b)
{
    arvo_json *const out = arvo_json_clone(run->arena, a);
    for (size_t i = 0; i < b->len && out != NULL; i++) {
        const struct arvo__member *const member = &b->as.members[i];
        const arvo_str key = { member->key, member->key_len };
        const arvo_json *const other = arvo_json_get_str(a, key);
        const arvo_json *const both =
            other != NULL ? merge(run, other, &member->value) : &member->value;
        if (both == NULL)
            return NULL;
        if (both != other)
            arvo_json_set_ref(run->arena, out, key, both);
    }
    return arvo_arena_failed(run->arena) ? NULL : out;
}

static const arvo_json *
merge_arrays(schema_run *run, const arvo_json *a, const arvo_json *b)
{
    arvo_json *const out = arvo_json_array_new(run->arena);
    for (size_t i = 0; i < a->len; i++) {
        const arvo_json *const both = merge(run, &a->as.items[i], &b->as.items[i]);
        if (both == NULL)
            return NULL;
        arvo_json_push(run->arena, out, both);
    }
    return arvo_arena_failed(run->arena) ? NULL : out;
}

/* Two normalised forms of one value; NULL after a failure. */
static const arvo_json *
merge(schema_run *run, const arvo_json *a, const arvo_json *b)
{
    if (a == b || a->type != b->type)
        return a;
    if (!schema__spend(run, 1 + (size_t)(a->type >= ARVO_JSON_ARRAY ? a->len : 0)))
        return NULL;
    const arvo_json *out = a;
    if (a->type == ARVO_JSON_OBJECT)
        out = merge_objects(run, a, b);
    else if (a->type == ARVO_JSON_ARRAY && a->len == b->len)
        out = merge_arrays(run, a, b);
    if (out == NULL && run->status == ARVO_OK)
        (void)arvo__schema_stop(run, ARVO_E_NOMEM);
    return out;
}

static bool
verdict_add(schema_run *run, verdict *out, const arvo_json *value)
{
    if (value == NULL)
        return false;
    out->value = out->value != NULL ? merge(run, out->value, value) : value;
    return out->value != NULL;
}

/* ---- Parts of a value ----------------------------------------------------- */

static inline bool
may_change(const schema_node *node, const arvo_json *value)
{
    return node != NULL && (node->flags & SCHEMA_NODE_CHANGES) != 0 &&
           value->type >= ARVO_JSON_ARRAY;
}

/* The result of one node for a part of the value: the part itself when nobody has a say. */
const arvo_json *
arvo__schema_node_normalise(schema_run *run, const schema_node *node, const arvo_json *value)
{
    if (!may_change(node, value))
        return value;
    verdict part = { 0 };
    const unsigned in_place = run->in_place;
    run->in_place = 0;
    const bool ok = normalise_into(run, node, value, &part);
    run->in_place = in_place;
    if (!ok)
        return NULL;
    return part.value != NULL ? part.value : value;
}

/* A member as properties (`declared`, nullable), patternProperties and additionalProperties leave
 * it. *out NULL: dropped. Returns false after a failure. */
static bool
normalise_member(
    schema_run *run, const schema_object *object, const schema_node *declared, arvo_str key,
    const arvo_json *value, const arvo_json **out)
{
    verdict result = { 0 };
    if (declared != NULL &&
        !verdict_add(run, &result, arvo__schema_node_normalise(run, declared, value)))
        return false;
    for (size_t i = 0; i < object->pattern_count; i++) {
        const schema_pattern *const pattern = &object->patterns[i];
        if (arvo__schema_regex_matches(run, pattern->regex, key.ptr, key.len) &&
            !verdict_add(run, &result, arvo__schema_node_normalise(run, pattern->node, value)))
            return false;
        if (run->status != ARVO_OK)
            return false;
    }
    if (result.value == NULL && object->extra == SCHEMA_EXTRA_CHECK &&
        !verdict_add(run, &result, arvo__schema_node_normalise(run, object->extra_node, value)))
        return false;
    if (result.value == NULL && object->extra != SCHEMA_EXTRA_STRIP)
        result.value = value;
    *out = result.value;
    return true;
}

/* The result of an object. As long as it is the head of the value itself, nothing is built. */
typedef struct object_builder {
    schema_run *run;
    const arvo_json *value;
    struct arvo__member *members; /* NULL: no difference yet */
    size_t cap;                   /* members at most, should they be built */
    size_t count;
} object_builder;

static void
builder_put(object_builder *builder, const struct arvo__member *member)
{
    builder->members[builder->count] = *member;
    if (builder->cap > ARVO__OBJECT_SCAN_MAX)
        arvo__object_index(builder->members, (uint32_t)builder->count);
    builder->count++;
}

/* From here on the result differs. */
static bool
builder_start(object_builder *builder)
{
    const size_t same = builder->count;
    builder->members = arvo__object_storage(builder->run->arena, builder->cap);
    if (builder->members == NULL)
        return arvo__schema_stop(builder->run, ARVO_E_NOMEM);
    builder->count = 0;
    for (size_t i = 0; i < same; i++)
        builder_put(builder, &builder->value->as.members[i]);
    return true;
}

/* `original` is the value's own member of this key, NULL for a default; `kept` its new value. */
static bool
builder_add(
    object_builder *builder, const struct arvo__member *original, const schema_entry *entry,
    const arvo_json *kept)
{
    if (builder->members == NULL) {
        if (original != NULL && original == &builder->value->as.members[builder->count] &&
            kept == &original->value) {
            builder->count++;
            return true;
        }
        if (!builder_start(builder))
            return false;
    }
    struct arvo__member member = { .value = *kept };
    if (original != NULL) {
        member.key = original->key;
        member.key_len = original->key_len;
        member.key_plain = original->key_plain;
    } else {
        member.key = entry->key;
        member.key_len = entry->key_len;
        member.key_plain = entry->is_plain;
    }
    builder_put(builder, &member);
    return true;
}

static const arvo_json *
builder_finish(object_builder *builder)
{
    if (builder->members == NULL && builder->count == builder->value->len)
        return builder->value;
    arvo_json *const out = arvo__arena_alloc(builder->run->arena, sizeof(*out));
    if (out == NULL) {
        (void)arvo__schema_stop(builder->run, ARVO_E_NOMEM);
        return NULL;
    }
    /* Without its tail the value's own members serve: they are shared, never changed. */
    const bool indexed = builder->members != NULL && builder->cap > ARVO__OBJECT_SCAN_MAX;
    *out = (arvo_json){ .type = ARVO_JSON_OBJECT,
                        .flags = indexed ? ARVO__JSON_INDEXED : 0,
                        .len = (uint32_t)builder->count,
                        .as.members = builder->members != NULL ? builder->members
                                                               : builder->value->as.members };
    return out;
}

static const struct arvo__member *
member_find(const arvo_json *object, size_t expected, const schema_entry *entry)
{
    if (expected < object->len) {
        const struct arvo__member *const member = &object->as.members[expected];
        if (member->key_len == entry->key_len &&
            schema__bytes_equal(member->key, entry->key, entry->key_len))
            return member;
    }
    return arvo__object_find(object, entry->key, entry->key_len);
}

/* The declared keys, in their order. *out_present: how many the value has. */
static bool
normalise_declared(
    schema_run *run, const schema_object *object, object_builder *builder, size_t *out_present)
{
    const struct arvo__member *const members = builder->value->as.members;
    size_t expected = 0; /* keys mostly come in the order of declaration */
    for (size_t i = 0; i < object->declared_count; i++) {
        const schema_entry *const entry = &object->entries[i];
        const struct arvo__member *const member = member_find(builder->value, expected, entry);
        const arvo_json *kept = entry->default_value;
        if (member == NULL && kept == NULL)
            continue;
        if (member != NULL) {
            const arvo_str key = { entry->key, entry->key_len };
            expected = (size_t)(member - members) + 1;
            ++*out_present;
            kept = &member->value;
            if ((object->pattern_count > 0 || may_change(entry->node, kept)) &&
                !normalise_member(run, object, entry->node, key, &member->value, &kept))
                return false;
        }
        if (!builder_add(builder, member, entry, kept))
            return false;
    }
    return true;
}

/* Then, in the order of the input, the others that stay. */
static bool
normalise_extras(schema_run *run, const schema_object *object, object_builder *builder)
{
    size_t hint = 0;
    for (size_t i = 0; i < builder->value->len; i++) {
        const struct arvo__member *const member = &builder->value->as.members[i];
        const schema_entry *const entry =
            schema__object_find(object, member->key, member->key_len, &hint);
        if (entry != NULL && entry->node != NULL)
            continue;
        const arvo_str key = { member->key, member->key_len };
        const arvo_json *kept = NULL;
        if (!normalise_member(run, object, NULL, key, &member->value, &kept))
            return false;
        if (kept != NULL && !builder_add(builder, member, NULL, kept))
            return false;
    }
    return true;
}

static const arvo_json *
normalise_object(schema_run *run, const schema_object *object, const arvo_json *value)
{
    if (!schema__spend(run, (size_t)value->len + object->declared_count))
        return NULL;
    object_builder builder = { .run = run,
                               .value = value,
                               .cap = (size_t)value->len + object->default_count };
    size_t present = 0;
    if (!normalise_declared(run, object, &builder, &present))
        return NULL;
    const bool may_keep_others = object->extra != SCHEMA_EXTRA_STRIP || object->pattern_count > 0;
    if (present < value->len && may_keep_others && !normalise_extras(run, object, &builder))
        return NULL;
    return builder_finish(&builder);
}

static const arvo_json *
normalise_items(schema_run *run, const schema_items *items, const arvo_json *value)
{
    if (!schema__spend(run, value->len))
        return NULL;
    arvo_json *out = NULL;
    for (size_t i = 0; i < value->len; i++) {
        const schema_node *const node = i < items->prefix_count ? items->prefix[i] : items->rest;
        const arvo_json *const item = &value->as.items[i];
        const arvo_json *const part = arvo__schema_node_normalise(run, node, item);
        if (part == NULL)
            return NULL;
        if (part != item && out == NULL) {
            out = arvo_json_array_new(run->arena);
            for (size_t k = 0; k < i; k++)
                arvo_json_push(run->arena, out, &value->as.items[k]);
        }
        if (out != NULL)
            arvo_json_push(run->arena, out, part);
    }
    if (arvo_arena_failed(run->arena)) {
        (void)arvo__schema_stop(run, ARVO_E_NOMEM);
        return NULL;
    }
    return out != NULL ? out : value;
}

/* ---- Parts of a schema ---------------------------------------------------- */

static bool
normalise_in_place(schema_run *run, const schema_node *node, const arvo_json *value, verdict *out)
{
    if (!may_change(node, value))
        return true;
    if (run->in_place == ARVO_SCHEMA_DEPTH_MAX)
        return arvo__schema_stop_at(run, SCHEMA_BOUND_PLACE);
    run->in_place++;
    const bool ok = normalise_into(run, node, value, out);
    run->in_place--;
    return ok;
}

static bool
holds(schema_run *run, const schema_node *node, const arvo_json *value)
{
    return arvo__schema_node_check(run, node, value) && run->status == ARVO_OK;
}

static bool
normalise_alternative(schema_run *run, const schema_op *op, const arvo_json *value, verdict *out)
{
    size_t chosen = 0;
    if (arvo__choice_find(run, op, value, &chosen))
        return normalise_in_place(run, op->as.nodes[chosen], value, out);
    for (size_t i = 0; i < op->count; i++) {
        if (holds(run, op->as.nodes[i], value))
            return normalise_in_place(run, op->as.nodes[i], value, out);
        if (run->status != ARVO_OK)
            return false;
    }
    return true;
}

/* What `if` alone declares describes a case, not the object: it counts only beside others. */
static bool
normalise_condition(schema_run *run, const schema_op *op, const arvo_json *value, verdict *out)
{
    const schema_condition *const condition = op->as.condition;
    size_t when = false;
    if (!arvo__choice_find(run, op, value, &when))
        when = holds(run, condition->when, value);
    if (run->status != ARVO_OK)
        return false;
    if (!normalise_in_place(run, when ? condition->then : condition->otherwise, value, out))
        return false;
    return !when || out->value == NULL || normalise_in_place(run, condition->when, value, out);
}

static bool
normalise_dependent(schema_run *run, const schema_op *op, const arvo_json *value, verdict *out)
{
    for (size_t i = 0; i < op->count; i++) {
        const schema_dependent *const rule = &op->as.dependents[i];
        if (rule->node != NULL && arvo_json_get_str(value, rule->key) != NULL &&
            !normalise_in_place(run, rule->node, value, out))
            return false;
    }
    return true;
}

static bool
normalise_ref(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value,
    verdict *out)
{
    const schema_node *const target = op->code == SCHEMA_DYNAMIC_REF
                                          ? arvo__schema_dynamic_target(run, node, op->as.dynamic)
                                          : op->as.node;
    if (target == NULL)
        return false;
    const schema_hop hop = { .parent = run->hop, .from = node, .to = target, .keyword = "$ref" };
    run->hop = &hop;
    const bool ok = normalise_in_place(run, target, value, out);
    run->hop = hop.parent;
    return ok;
}

static bool
normalise_op(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value,
    verdict *out)
{
    const bool is_object = value->type == ARVO_JSON_OBJECT;
    switch ((schema_code)op->code) {
    case SCHEMA_PROPERTIES:
        if (!is_object || !op->as.object->has_say)
            return true;
        return verdict_add(run, out, normalise_object(run, op->as.object, value));
    case SCHEMA_ITEMS:
        return value->type != ARVO_JSON_ARRAY ||
               verdict_add(run, out, normalise_items(run, op->as.items, value));
    case SCHEMA_REF:
    case SCHEMA_DYNAMIC_REF:
        return normalise_ref(run, node, op, value, out);
    case SCHEMA_ALL_OF:
        for (size_t i = 0; i < op->count; i++)
            if (!normalise_in_place(run, op->as.nodes[i], value, out))
                return false;
        return true;
    case SCHEMA_ANY_OF:
    case SCHEMA_ONE_OF:
        return normalise_alternative(run, op, value, out);
    case SCHEMA_CONDITION:
        return normalise_condition(run, op, value, out);
    case SCHEMA_DEPENDENT:
        return !is_object || normalise_dependent(run, op, value, out);
    default:
        return true; /* says nothing about what a value is made of */
    }
}

typedef enum turn { TURN_OWN = 0, TURN_OTHERS, TURN_CONDITIONS } turn;

/* The instructions of one group whose turn it is. */
static bool
normalise_group(
    schema_run *run, const schema_node *node, schema_group group, turn now, const arvo_json *value,
    verdict *out)
{
    for (size_t i = node->first[group]; i < node->first[group + 1]; i++) {
        const schema_op *const op = &node->ops[i];
        const turn its = op->code == SCHEMA_PROPERTIES || op->code == SCHEMA_ITEMS ? TURN_OWN
                         : op->code == SCHEMA_CONDITION                            ? TURN_CONDITIONS
                                                                                   : TURN_OTHERS;
        if (its == now && !normalise_op(run, node, op, value, out))
            return false;
    }
    return true;
}

static bool
normalise_into(schema_run *run, const schema_node *node, const arvo_json *value, verdict *out)
{
    if (!schema__spend(run, 1))
        return false;
    if (run->frames == SCHEMA_FRAMES_MAX)
        return arvo__schema_stop_at(run, SCHEMA_BOUND_DEPTH);
    run->frames++;
    const schema_group group = value->type == ARVO_JSON_OBJECT ? SCHEMA_OBJECT : SCHEMA_ARRAY;
    /* Own keys come first, and conditions last: they need to know whether anyone had a say. */
    const bool ok = normalise_group(run, node, group, TURN_OWN, value, out) &&
                    normalise_group(run, node, SCHEMA_ANY, TURN_OTHERS, value, out) &&
                    normalise_group(run, node, group, TURN_OTHERS, value, out) &&
                    normalise_group(run, node, SCHEMA_ANY, TURN_CONDITIONS, value, out);
    run->frames--;
    return ok;
}

/* ---- Public --------------------------------------------------------------- */

static arvo_status
run_stopped(const schema_run *run, arvo_error *err)
{
    if (run->status == ARVO_E_NOMEM)
        return arvo__nomem(err);
    if (run->bound != NULL)
        return arvo__fail(err, run->status, "checking the value %s", run->bound);
    return arvo__fail(
        err, run->status, "checking the value takes more than %u steps", ARVO_SCHEMA_STEPS_MAX);
}

/* A refused value once more, to say why. */
static arvo_status
explain(
    const arvo_schema *schema, const arvo_json *value, arvo_arena *arena, bool normalising,
    arvo_schema_report *report, arvo_error *err)
{
    if (report == NULL && err == NULL)
        return ARVO_E_INVALID;
    schema_collector collector = { 0 };
    collector.issues = arvo__arena_alloc(arena, ARVO_SCHEMA_ISSUES_MAX * sizeof(*collector.issues));
    if (collector.issues == NULL)
        return arvo__nomem(err);
    schema_run run = arvo__schema_run_begin(arena, normalising);
    run.collector = &collector;
    (void)arvo__schema_node_check(&run, schema->root, value);
    if (run.status == ARVO_E_NOMEM)
        return arvo__nomem(err);
    collector.more = collector.more || run.status != ARVO_OK; /* refused is refused */
    if (report != NULL)
        *report = (arvo_schema_report){ .issues = collector.issues,
                                        .count = collector.count,
                                        .more = collector.more };
    return arvo__schema_report_error(&collector, arena, err);
}

arvo_status
arvo_schema_check(
    const arvo_schema *schema, const arvo_json *value, arvo_arena *arena,
    arvo_schema_report *report, arvo_error *err)
{
    ARVO_ASSERT(schema != NULL);
    ARVO_ASSERT(arena != NULL);

    if (value == NULL)
        value = arvo_json_null();
    if (report != NULL)
        *report = (arvo_schema_report){ 0 };
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    schema_run run = arvo__schema_run_begin(arena, false);
    const bool ok = arvo__schema_node_check(&run, schema->root, value);
    arvo_arena_rewind(arena, mark);
    if (run.status != ARVO_OK)
        return run_stopped(&run, err);
    return ok ? ARVO_OK : explain(schema, value, arena, false, report, err);
}

arvo_status
arvo_schema_normalise(
    const arvo_schema *schema, const arvo_json *value, arvo_arena *arena, const arvo_json **out,
    arvo_error *err)
{
    ARVO_ASSERT(schema != NULL);
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    if (value == NULL)
        value = arvo_json_null();
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    schema_run run = arvo__schema_run_begin(arena, true);
    const bool ok = arvo__schema_node_check(&run, schema->root, value);
    arvo_status st = ARVO_OK;
    if (run.status != ARVO_OK)
        st = run_stopped(&run, err);
    else if (!ok)
        st = explain(schema, value, arena, true, NULL, err);
    if (st != ARVO_OK || !run.dirty) {
        arvo_arena_rewind(arena, mark);
        if (st == ARVO_OK)
            *out = value;
        return st;
    }
    schema_choices choices = { 0 };
    if (!schema->has_dynamic)
        run.choices = &choices;
    const arvo_json *const result = arvo__schema_node_normalise(&run, schema->root, value);
    if (result == NULL) {
        arvo_arena_rewind(arena, mark);
        return run_stopped(&run, err);
    }
    *out = result;
    return ARVO_OK;
}

arvo_status
arvo_schema_explain(
    const arvo_schema *schema, const arvo_json *value, arvo_arena *arena,
    arvo_schema_report *report, arvo_error *err)
{
    ARVO_ASSERT(report != NULL);
    const arvo_json *ignored = NULL;
    *report = (arvo_schema_report){ 0 };
    const arvo_status st = arvo_schema_normalise(schema, value, arena, &ignored, err);
    return st == ARVO_E_INVALID ? explain(schema, value, arena, true, report, err) : st;
}
