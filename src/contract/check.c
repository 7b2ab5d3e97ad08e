/* Checking a value against a compiled schema.
 *
 * One pass, no allocation but the arena's. With a collector every failure is
 * noted and the check goes on; without one the first failure ends it, which is
 * how each check begins: only a refused value is looked at a second time. */

#include "contract/schema.h"

#define UNIQUE_PAIRWISE_MAX 12u /* fewer items are compared each with each */
#define NO_INDEX            ((size_t)-1)

/* Kept out of check_group(), whose frame would otherwise be as large as all of these together. */
#define APART __attribute__((noinline))

schema_run
arvo__schema_run_begin(arvo_arena *arena, bool normalising)
{
    return (
        schema_run){ .arena = arena, .steps = ARVO_SCHEMA_STEPS_MAX, .normalising = normalising };
}

bool
arvo__schema_stop(schema_run *run, arvo_status status)
{
    if (run->status == ARVO_OK)
        run->status = status;
    return false;
}

bool
arvo__schema_stop_at(schema_run *run, const char *what)
{
    if (run->status == ARVO_OK)
        run->bound = what;
    return arvo__schema_stop(run, ARVO_E_TOO_BIG);
}

/* Whether to go on after a failure, to find the others. */
static inline bool
keep_going(const schema_run *run)
{
    return run->collector != NULL && run->status == ARVO_OK;
}

/* A node about the same value. */
static bool
check_in_place(schema_run *run, const schema_node *node, const arvo_json *value)
{
    if (run->in_place == ARVO_SCHEMA_DEPTH_MAX)
        return arvo__schema_stop_at(run, SCHEMA_BOUND_PLACE);
    run->in_place++;
    const bool ok = arvo__schema_node_check(run, node, value);
    run->in_place--;
    return ok;
}

/* The same without notes: whether it holds is all that counts. */
static bool
check_silently(schema_run *run, const schema_node *node, const arvo_json *value)
{
    schema_collector *const collector = run->collector;
    run->collector = NULL;
    const bool ok = check_in_place(run, node, value);
    run->collector = collector;
    return ok;
}

/* A branch that may fail: what it evaluated counts only when it holds. */
static bool
check_branch(schema_run *run, const schema_node *node, const arvo_json *value)
{
    schema_marks *const outer = schema__marks_of(run, value);
    if (ARVO_LIKELY(outer == NULL))
        return check_silently(run, node, value);
    schema_marks own;
    if (!arvo__marks_begin(run, &own, value))
        return false;
    run->marks = &own;
    const bool ok = check_silently(run, node, value);
    run->marks = outer;
    if (ok)
        arvo__marks_merge(outer, &own);
    arvo__marks_end(run, &own);
    return ok;
}

/* What a negated schema evaluates is nobody's. */
static bool
check_negated(schema_run *run, const schema_node *node, const arvo_json *value)
{
    schema_marks *const outer = run->marks;
    run->marks = NULL;
    const bool ok = check_silently(run, node, value);
    run->marks = outer;
    return ok;
}

/* ---- References ----------------------------------------------------------- */

const schema_node *
arvo__schema_dynamic_target(schema_run *run, const schema_node *node, const schema_dynamic *dynamic)
{
    const schema_node *found = dynamic->node;
    const schema_node *from = node;
    for (const schema_hop *hop = run->hop;; hop = hop->parent) {
        /* From the inside out, so the last one found is the outermost. */
        const schema_resource *const last = hop != NULL ? hop->to->resource : NULL;
        for (const schema_resource *resource = from->resource; resource != NULL;
             resource = resource->outer) {
            for (const schema_anchor *anchor = resource->dynamic_anchors; anchor != NULL;
                 anchor = anchor->next) {
                if (arvo_str_equal(anchor->name, dynamic->name))
                    found = anchor->node;
                if (!schema__spend(run, 1))
                    return NULL;
            }
            if (resource == last)
                break;
        }
        if (hop == NULL || !schema__spend(run, 1))
            return run->status == ARVO_OK ? found : NULL;
        from = hop->from;
    }
}

APART static bool
check_ref(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    const bool is_dynamic = op->code == SCHEMA_DYNAMIC_REF;
    const schema_node *const target =
        is_dynamic ? arvo__schema_dynamic_target(run, node, op->as.dynamic) : op->as.node;
    if (target == NULL)
        return false;
    const schema_hop hop = { .parent = run->hop,
                             .from = node,
                             .to = target,
                             .keyword = is_dynamic ? "$dynamicRef" : "$ref" };
    run->hop = &hop;
    const bool ok = check_in_place(run, target, value);
    run->hop = hop.parent;
    return ok;
}

/* A node about a part of the value. */
static inline bool
check_child(
    schema_run *run, const schema_node *node, const arvo_json *value, const char *key, size_t at)
{
    if ((node->flags & SCHEMA_NODE_LEAF) != 0 && ARVO_LIKELY(schema__type_fits(node, value)))
        return true;
    const schema_path path = { .parent = run->path, .key = key, .at = at };
    const unsigned in_place = run->in_place;
    run->path = &path;
    run->in_place = 0;
    const bool ok = arvo__schema_node_check(run, node, value);
    run->in_place = in_place;
    run->path = path.parent;
    return ok;
}

/* ---- Any value ------------------------------------------------------------ */

static bool
values_hold(const schema_values *set, size_t count, const arvo_json *value)
{
    if (value->type == ARVO_JSON_STRING && set->index == NULL) {
        for (size_t i = 0; i < count; i++) {
            const arvo_json *const item = set->values[i];
            if (item->type == ARVO_JSON_STRING && item->len == value->len &&
                schema__bytes_equal(item->as.string, value->as.string, value->len))
                return true;
        }
        return false;
    }
    const uint64_t hash = arvo_json_hash(value);
    if (set->index == NULL) {
        for (size_t i = 0; i < count; i++)
            if (set->hashes[i] == hash && arvo_json_equal(set->values[i], value))
                return true;
        return false;
    }
    for (size_t slot = schema__values_slot(set, hash); set->index[slot] != 0;
         slot = (slot + 1) & set->index_mask) {
        const size_t i = set->index[slot] - 1;
        if (set->hashes[i] == hash && arvo_json_equal(set->values[i], value))
            return true;
    }
    return false;
}

APART static bool
check_enum(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    return values_hold(op->as.values, op->count, value) ||
           arvo__schema_enum_issue(run, node, op, value);
}

APART static bool
check_all_of(schema_run *run, const schema_op *op, const arvo_json *value)
{
    bool ok = true;
    for (size_t i = 0; i < op->count; i++) {
        ok = check_in_place(run, op->as.nodes[i], value) && ok;
        if (!ok && !keep_going(run))
            return false;
    }
    return ok;
}

/* What failed has evaluated nothing. To say so of each key would help nobody, so where failures are
 * collected, all counts as evaluated by what has failed, which is said. */
static void
mark_failed(schema_run *run, const arvo_json *value)
{
    schema_marks *const marks = schema__marks_of(run, value);
    if (marks != NULL && run->collector != NULL)
        arvo__mark_first(marks, value->len);
}

static bool
alternatives_failed(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value,
    const char *keyword)
{
    mark_failed(run, value);
    return arvo__schema_alternatives_issue(run, node, op, value, keyword);
}

APART static bool
check_any_of(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    size_t first = NO_INDEX;
    /* The first that holds will do, unless somebody asks what they evaluate. */
    for (size_t i = 0; i < op->count; i++) {
        const bool ok = check_branch(run, op->as.nodes[i], value);
        if (run->status != ARVO_OK)
            return false;
        if (ok && first == NO_INDEX)
            first = i;
        if (ok && schema__marks_of(run, value) == NULL)
            break;
    }
    if (first != NO_INDEX)
        return schema__choice_made(run, op, value, first);
    return alternatives_failed(run, node, op, value, "anyOf");
}

APART static bool
check_one_of(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    size_t first = NO_INDEX;
    for (size_t i = 0; i < op->count; i++) {
        const bool ok = check_branch(run, op->as.nodes[i], value);
        if (run->status != ARVO_OK)
            return false;
        if (ok && first != NO_INDEX)
            return arvo__schema_issue(
                run, node, "oneOf", "expected exactly one alternative, got both %zu and %zu", first,
                i);
        if (ok)
            first = i;
    }
    if (first != NO_INDEX)
        return schema__choice_made(run, op, value, first);
    return alternatives_failed(run, node, op, value, "oneOf");
}

APART static bool
check_condition(schema_run *run, const schema_op *op, const arvo_json *value)
{
    const schema_condition *const condition = op->as.condition;
    const bool holds = check_branch(run, condition->when, value);
    if (run->status != ARVO_OK || !schema__choice_made(run, op, value, holds))
        return false;
    const schema_node *const branch = holds ? condition->then : condition->otherwise;
    return branch == NULL || check_in_place(run, branch, value);
}

/* ---- Numbers and strings -------------------------------------------------- */

APART static bool
check_bound(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    static const char *const names[] = { "minimum", "maximum", "exclusiveMinimum",
                                         "exclusiveMaximum" };
    static const char *const rules[] = { "at least", "at most", "more than", "less than" };
    const int order = arvo__number_compare(value, op->as.value);
    bool ok = false;
    switch ((schema_code)op->code) {
    case SCHEMA_MINIMUM:
        ok = order >= 0;
        break;
    case SCHEMA_MAXIMUM:
        ok = order <= 0;
        break;
    case SCHEMA_EXCLUSIVE_MINIMUM:
        ok = order > 0;
        break;
    default:
        ok = order < 0;
        break;
    }
    const size_t name = (size_t)op->code - SCHEMA_MINIMUM;
    return ok || arvo__schema_issue(
                     run, node, names[name], "expected a number %s %s, got %s", rules[name],
                     arvo__schema_show(run, op->as.value), arvo__schema_show(run, value));
}

/* Code points lie between a fourth of the bytes and all of them, so most texts need no count. */
APART static bool
check_length(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    const size_t limit = op->as.limit;
    const size_t least = ((size_t)value->len + 3) / 4;
    if (op->code == SCHEMA_MIN_LENGTH ? least >= limit : value->len <= limit)
        return true;
    const size_t count = arvo__utf8_count((arvo_str){ value->as.string, value->len });
    if (op->code == SCHEMA_MIN_LENGTH)
        return count >= limit || arvo__schema_issue(
                                     run, node, "minLength",
                                     "expected %zu characters at least, got %zu", limit, count);
    return count <= limit ||
           arvo__schema_issue(
               run, node, "maxLength", "expected %zu characters at most, got %zu", limit, count);
}

bool
arvo__schema_regex_matches(schema_run *run, const schema_regex *regex, const char *text, size_t len)
{
    size_t steps = 0;
    const arvo__match match =
        arvo__regex_match(regex, text, len, run->arena, &run->match_scratch, &steps);
    if (!schema__spend(run, steps))
        return false;
    switch (match) {
    case ARVO__MATCH_YES:
        return true;
    case ARVO__MATCH_NO:
        return false;
    case ARVO__MATCH_NOMEM:
        return arvo__schema_stop(run, ARVO_E_NOMEM);
    default:
        return arvo__schema_stop_at(run, SCHEMA_BOUND_MATCH);
    }
}

APART static bool
check_format(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    const char *const name = arvo__format_name(op->as.format);
    if (!schema__spend(run, 1 + (size_t)value->len / 16))
        return false;
    if (arvo__format_fits(op->as.format, run, (arvo_str){ value->as.string, value->len }))
        return true;
    if (run->status != ARVO_OK)
        return false;
    return arvo__schema_issue(
        run, node, "format", "expected %s, got %s", name, arvo__schema_show(run, value));
}

APART static bool
check_pattern(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    if (arvo__schema_regex_matches(run, op->as.regex, value->as.string, value->len))
        return true;
    if (run->status != ARVO_OK)
        return false;
    return arvo__schema_issue(
        run, node, "pattern", "expected a string like /%.*s/, got %s",
        ARVO_FMT(arvo__regex_source(op->as.regex)), arvo__schema_show(run, value));
}

/* ---- Arrays --------------------------------------------------------------- */

APART static bool
check_count(
    schema_run *run, const schema_node *node, const schema_op *op, size_t count,
    const char *keyword, const char *things)
{
    const bool is_min = op->code == SCHEMA_MIN_ITEMS || op->code == SCHEMA_MIN_PROPERTIES;
    if (is_min ? count >= op->as.limit : count <= op->as.limit)
        return true;
    return arvo__schema_issue(
        run, node, keyword, "expected %zu %s at %s, got %zu", op->as.limit, things,
        is_min ? "least" : "most", count);
}

/* The item that is equal to an earlier one. */
typedef struct repetition {
    size_t first;
    size_t second; /* 0: there is none */
} repetition;

static repetition
repetition_pairwise(const arvo_json *value)
{
    for (size_t i = 1; i < value->len; i++)
        for (size_t k = 0; k < i; k++)
            if (arvo_json_equal(&value->as.items[i], &value->as.items[k]))
                return (repetition){ k, i };
    return (repetition){ 0 };
}

/* Each item meets only those of the same hash; items made to collide spend the step budget. */
static repetition
repetition_by_hash(
    schema_run *run, const arvo_json *value, uint64_t *hashes, uint32_t *slots, size_t slot_count)
{
    for (size_t i = 0; i < value->len; i++) {
        hashes[i] = arvo_json_hash(&value->as.items[i]);
        size_t slot = (size_t)(hashes[i] ^ hashes[i] >> 32) & (slot_count - 1);
        for (; slots[slot] != 0; slot = (slot + 1) & (slot_count - 1)) {
            const size_t other = slots[slot] - 1;
            if (!schema__spend(run, 1))
                return (repetition){ 0 };
            if (hashes[other] == hashes[i] &&
                arvo_json_equal(&value->as.items[other], &value->as.items[i]))
                return (repetition){ other, i };
        }
        slots[slot] = (uint32_t)i + 1;
    }
    return (repetition){ 0 };
}

static repetition
repetition_find(schema_run *run, const arvo_json *value)
{
    if (value->len <= UNIQUE_PAIRWISE_MAX)
        return repetition_pairwise(value);
    size_t slot_count = 32;
    while (slot_count < 2 * (size_t)value->len)
        slot_count *= 2;
    uint64_t *const hashes = arvo_arena_calloc(run->arena, value->len, sizeof(*hashes));
    uint32_t *const slots = arvo_arena_calloc(run->arena, slot_count, sizeof(*slots));
    if (hashes == NULL || slots == NULL)
        (void)arvo__schema_stop(run, ARVO_E_NOMEM);
    else if (schema__spend(run, value->len))
        return repetition_by_hash(run, value, hashes, slots, slot_count);
    return (repetition){ 0 };
}

bool
arvo__schema_has_repetition(schema_run *run, const arvo_json *value)
{
    return repetition_find(run, value).second > 0;
}

APART static bool
check_unique(schema_run *run, const schema_node *node, const arvo_json *value)
{
    const repetition found = repetition_find(run, value);
    if (found.second == 0)
        return run->status == ARVO_OK;
    return arvo__schema_issue(
        run, node, "uniqueItems", "expected items without repetitions, got item %zu equal to %zu",
        found.second, found.first);
}

APART static bool
check_items(schema_run *run, const schema_items *items, const arvo_json *value)
{
    if (!schema__spend(run, value->len))
        return false;
    bool ok = true;
    const size_t prefix = value->len < items->prefix_count ? value->len : items->prefix_count;
    const size_t end = items->rest != NULL ? value->len : prefix;
    for (size_t i = 0; i < end; i++) {
        const schema_node *const node = i < prefix ? items->prefix[i] : items->rest;
        if (check_child(run, node, &value->as.items[i], NULL, i))
            continue;
        ok = false;
        if (!keep_going(run))
            return false;
    }
    schema_marks *const marks = schema__marks_of(run, value);
    if (marks != NULL)
        arvo__mark_first(marks, end);
    return ok;
}

APART static bool
check_contains(
    schema_run *run, const schema_node *node, const schema_contains *contains,
    const arvo_json *value)
{
    if (!schema__spend(run, value->len))
        return false;
    schema_collector *const collector = run->collector;
    size_t count = 0;
    run->collector = NULL;
    /* Enough is known once the maximum is passed, or the minimum met where there is none. */
    schema_marks *const marks = schema__marks_of(run, value);
    const size_t enough = marks != NULL               ? SIZE_MAX
                          : contains->max != SIZE_MAX ? contains->max + 1
                                                      : contains->min;
    for (size_t i = 0; i < value->len && count < enough && run->status == ARVO_OK; i++) {
        if (!check_child(run, contains->node, &value->as.items[i], NULL, i))
            continue;
        count++;
        if (marks != NULL)
            schema__mark(marks, i);
    }
    run->collector = collector;
    if (run->status != ARVO_OK)
        return false;
    if (count < contains->min)
        return arvo__schema_issue(
            run, node, "contains", "expected %zu fitting items at least, got %zu", contains->min,
            count);
    if (count > contains->max)
        return arvo__schema_issue(
            run, node, "maxContains", "expected %zu fitting items at most, got more",
            contains->max);
    return true;
}

/* ---- Objects -------------------------------------------------------------- */

/* A key that `properties` does not declare. *out_kept: normalising keeps it. */
static bool
check_extra(
    schema_run *run, const schema_node *node, const schema_object *object,
    const struct arvo__member *member, bool *out_kept)
{
    bool ok = true;
    bool matched = false;
    for (size_t i = 0; i < object->pattern_count; i++) {
        if (!arvo__schema_regex_matches(
                run, object->patterns[i].regex, member->key, member->key_len)) {
            if (run->status != ARVO_OK)
                return false;
            continue;
        }
        matched = true;
        ok = check_child(
                 run, object->patterns[i].node, &member->value, member->key, member->key_len) &&
             ok;
    }
    *out_kept = matched || object->extra != SCHEMA_EXTRA_STRIP;
    if (matched)
        return ok;
    switch (object->extra) {
    case SCHEMA_EXTRA_CHECK:
        return check_child(run, object->extra_node, &member->value, member->key, member->key_len);
    case SCHEMA_EXTRA_REFUSE:
        return arvo__schema_unknown_key_issue(run, node, object, member);
    default:
        return true;
    }
}

/* A declared key may fit patternProperties as well. */
static bool
check_declared_patterns(
    schema_run *run, const schema_object *object, const struct arvo__member *member)
{
    bool ok = true;
    for (size_t i = 0; i < object->pattern_count; i++) {
        if (arvo__schema_regex_matches(
                run, object->patterns[i].regex, member->key, member->key_len))
            ok = check_child(
                     run, object->patterns[i].node, &member->value, member->key, member->key_len) &&
                 ok;
        else if (run->status != ARVO_OK)
            return false;
    }
    return ok;
}

static bool
check_missing(
    schema_run *run, const schema_node *node, const schema_object *object, const arvo_json *value)
{
    bool ok = true;
    for (size_t i = 0; i < object->entry_count; i++) {
        const schema_entry *const entry = &object->entries[i];
        if (!entry->is_required || (run->normalising && entry->default_value != NULL))
            continue;
        const arvo_str key = { entry->key, entry->key_len };
        if (arvo_json_get_str(value, key) != NULL)
            continue;
        ok = arvo__schema_missing_issue(run, node, entry);
        if (!keep_going(run))
            return false;
    }
    return ok;
}

/* What one pass over the members of an object finds out. */
typedef struct object_pass {
    size_t required;
    size_t defaults;
    size_t hint;
    size_t next; /* entries before this one have passed, or it is out of order */
    bool extras; /* a kept undeclared key has passed */
} object_pass;

static inline bool
check_member(
    schema_run *run, const schema_node *node, const schema_object *object,
    const struct arvo__member *member, object_pass *pass)
{
    const schema_entry *const entry =
        schema__object_find(object, member->key, member->key_len, &pass->hint);
    bool ok = true;
    if (entry != NULL) {
        pass->required += entry->is_required;
        pass->defaults += entry->default_value != NULL;
    }
    if (ARVO_LIKELY(entry != NULL && entry->node != NULL)) {
        const size_t number = (size_t)(entry - object->entries);
        if (number < pass->next || pass->extras)
            run->dirty = true;
        pass->next = number;
        ok = check_child(run, entry->node, &member->value, member->key, member->key_len);
        if (ARVO_UNLIKELY(object->pattern_count > 0))
            ok = check_declared_patterns(run, object, member) && ok;
        return ok;
    }
    bool kept = true;
    ok = check_extra(run, node, object, member, &kept);
    if (kept)
        pass->extras = true;
    else
        run->dirty = true;
    return ok;
}

/* Note which members were looked at. Only for those who track them, so it may look again. */
APART static bool
mark_members(
    schema_run *run, const schema_object *object, const arvo_json *value, schema_marks *marks)
{
    if (object->extra_given) {
        arvo__mark_first(marks, value->len);
        return true;
    }
    size_t hint = 0;
    for (size_t i = 0; i < value->len; i++) {
        const struct arvo__member *const member = &value->as.members[i];
        const schema_entry *const entry =
            schema__object_find(object, member->key, member->key_len, &hint);
        bool looked_at = entry != NULL && entry->node != NULL;
        for (size_t k = 0; k < object->pattern_count && !looked_at; k++) {
            looked_at = arvo__schema_regex_matches(
                run, object->patterns[k].regex, member->key, member->key_len);
            if (run->status != ARVO_OK)
                return false;
        }
        if (looked_at)
            schema__mark(marks, i);
    }
    return true;
}

APART static bool
check_object(
    schema_run *run, const schema_node *node, const schema_object *object, const arvo_json *value)
{
    if (!schema__spend(run, value->len))
        return false;
    object_pass pass = { 0 };
    bool ok = true;
    for (size_t i = 0; i < value->len; i++) {
        if (ARVO_LIKELY(check_member(run, node, object, &value->as.members[i], &pass)))
            continue;
        ok = false;
        if (!keep_going(run))
            return false;
    }
    if (pass.defaults != object->default_count)
        run->dirty = true;
    if (pass.required != object->required_count)
        ok = check_missing(run, node, object, value) && ok;
    schema_marks *const marks = schema__marks_of(run, value);
    if (marks != NULL)
        ok = mark_members(run, object, value, marks) && ok;
    return ok;
}

APART static bool
check_names(
    schema_run *run, const schema_node *node, const schema_node *names, const arvo_json *value)
{
    if (!schema__spend(run, value->len))
        return false;
    bool ok = true;
    for (size_t i = 0; i < value->len; i++) {
        const struct arvo__member *const member = &value->as.members[i];
        const arvo_json name = { .type = ARVO_JSON_STRING,
                                 .len = member->key_len,
                                 .as.string = member->key };
        schema_collector *const collector = run->collector;
        run->collector = NULL;
        const bool fits = check_child(run, names, &name, member->key, member->key_len);
        run->collector = collector;
        if (run->status != ARVO_OK)
            return false;
        if (!fits)
            ok = arvo__schema_issue(
                run, node, "propertyNames", "the key %s is not allowed here",
                arvo__schema_show(run, &name));
        if (!ok && !keep_going(run))
            return false;
    }
    return ok;
}

APART static bool
check_dependent(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    bool ok = schema__spend(run, op->count);
    for (size_t i = 0; i < op->count && (ok || keep_going(run)); i++) {
        const schema_dependent *const rule = &op->as.dependents[i];
        if (arvo_json_get_str(value, rule->key) == NULL)
            continue;
        for (size_t k = 0; k < rule->required_count; k++)
            if (arvo_json_get_str(value, rule->required[k]) == NULL)
                ok = arvo__schema_issue(
                    run, node, "dependentRequired", "the key \"%.*s\" needs \"%.*s\" beside it",
                    ARVO_FMT(rule->key), ARVO_FMT(rule->required[k]));
        if (rule->node != NULL)
            ok = check_in_place(run, rule->node, value) && ok;
    }
    return ok;
}

/* ---- What nobody has evaluated -------------------------------------------- */

static bool
check_rest(
    schema_run *run, const schema_node *node, const schema_node *rest, const arvo_json *value,
    size_t i)
{
    if (value->type == ARVO_JSON_ARRAY)
        return check_child(run, rest, &value->as.items[i], NULL, i);
    const struct arvo__member *const member = &value->as.members[i];
    if (rest->types == 0)
        return arvo__schema_unknown_key_issue(run, node, NULL, member);
    return check_child(run, rest, &member->value, member->key, member->key_len);
}

/* unevaluatedProperties, unevaluatedItems: after all others, which have set the marks. */
APART static bool
check_unevaluated(
    schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    schema_marks *const marks = run->marks;
    if (!schema__spend(run, value->len))
        return false;
    bool ok = true;
    for (size_t i = 0; i < value->len; i++) {
        if (schema__is_marked(marks, i))
            continue;
        ok = check_rest(run, node, op->as.node, value, i) && ok;
        if (!ok && !keep_going(run))
            return false;
    }
    arvo__mark_first(marks, value->len);
    return ok;
}

/* ---- Nodes ---------------------------------------------------------------- */

static bool
check_op(schema_run *run, const schema_node *node, const schema_op *op, const arvo_json *value)
{
    switch ((schema_code)op->code) {
    case SCHEMA_CONST:
        return arvo_json_equal(op->as.value, value) ||
               arvo__schema_issue(
                   run, node, "const", "expected %s, got %s", arvo__schema_show(run, op->as.value),
                   arvo__schema_show(run, value));
    case SCHEMA_ENUM:
        return check_enum(run, node, op, value);
    case SCHEMA_REF:
    case SCHEMA_DYNAMIC_REF:
        return check_ref(run, node, op, value);
    case SCHEMA_ALL_OF:
        return check_all_of(run, op, value);
    case SCHEMA_ANY_OF:
        return check_any_of(run, node, op, value);
    case SCHEMA_ONE_OF:
        return check_one_of(run, node, op, value);
    case SCHEMA_NOT:
        return (!check_negated(run, op->as.node, value) && run->status == ARVO_OK) ||
               arvo__schema_issue(
                   run, node, "not", "%s is what is not allowed here",
                   arvo__schema_show(run, value));
    case SCHEMA_CONDITION:
        return check_condition(run, op, value);
    case SCHEMA_MINIMUM:
    case SCHEMA_MAXIMUM:
    case SCHEMA_EXCLUSIVE_MINIMUM:
    case SCHEMA_EXCLUSIVE_MAXIMUM:
        return check_bound(run, node, op, value);
    case SCHEMA_MULTIPLE_OF:
        return arvo__number_is_multiple(value, op->as.value) ||
               arvo__schema_issue(
                   run, node, "multipleOf", "expected a multiple of %s, got %s",
                   arvo__schema_show(run, op->as.value), arvo__schema_show(run, value));
    case SCHEMA_MIN_LENGTH:
    case SCHEMA_MAX_LENGTH:
        return check_length(run, node, op, value);
    case SCHEMA_PATTERN:
        return check_pattern(run, node, op, value);
    case SCHEMA_FORMAT:
        return check_format(run, node, op, value);
    case SCHEMA_MIN_ITEMS:
        return check_count(run, node, op, value->len, "minItems", "items");
    case SCHEMA_MAX_ITEMS:
        return check_count(run, node, op, value->len, "maxItems", "items");
    case SCHEMA_UNIQUE_ITEMS:
        return check_unique(run, node, value);
    case SCHEMA_ITEMS:
        return check_items(run, op->as.items, value);
    case SCHEMA_CONTAINS:
        return check_contains(run, node, op->as.contains, value);
    case SCHEMA_MIN_PROPERTIES:
        return check_count(run, node, op, value->len, "minProperties", "keys");
    case SCHEMA_MAX_PROPERTIES:
        return check_count(run, node, op, value->len, "maxProperties", "keys");
    case SCHEMA_PROPERTIES:
        return check_object(run, node, op->as.object, value);
    case SCHEMA_PROPERTY_NAMES:
        return check_names(run, node, op->as.node, value);
    case SCHEMA_DEPENDENT:
        return check_dependent(run, node, op, value);
    case SCHEMA_UNEVALUATED_ITEMS:
    case SCHEMA_UNEVALUATED_PROPERTIES:
        return check_unevaluated(run, node, op, value);
    }
    return false;
}

static bool
check_group(schema_run *run, const schema_node *node, schema_group group, const arvo_json *value)
{
    bool ok = true;
    for (size_t i = node->first[group]; i < node->first[group + 1]; i++) {
        if (ARVO_LIKELY(check_op(run, node, &node->ops[i], value)))
            continue;
        ok = false;
        if (!keep_going(run))
            return false;
    }
    return ok;
}

static inline bool
check_groups(schema_run *run, const schema_node *node, const arvo_json *value)
{
    /* By arvo_json_type; null and booleans have no group of their own. */
    static const uint8_t groups[] = {
        0, 0, 0, SCHEMA_NUMBER, SCHEMA_NUMBER, SCHEMA_STRING, SCHEMA_ARRAY, SCHEMA_OBJECT
    };
    if (run->frames == SCHEMA_FRAMES_MAX)
        return arvo__schema_stop_at(run, SCHEMA_BOUND_DEPTH);
    run->frames++;
    bool ok = true;
    if (node->first[SCHEMA_ANY + 1] > 0)
        ok = check_group(run, node, SCHEMA_ANY, value);
    const uint8_t group = groups[value->type];
    if (group != 0 && node->first[group] < node->first[group + 1] && (ok || keep_going(run)))
        ok = check_group(run, node, (schema_group)group, value) && ok;
    run->frames--;
    return ok;
}

/* A node that asks what was evaluated sees what it evaluates itself, not what others do with the
 * same value; what it evaluates is theirs too. */
APART static bool
check_tracking(schema_run *run, const schema_node *node, const arvo_json *value)
{
    schema_marks own;
    schema_marks *const outer = run->marks;
    if (value->type < ARVO_JSON_ARRAY)
        return check_groups(run, node, value);
    if (!arvo__marks_begin(run, &own, value))
        return false;
    run->marks = &own;
    const bool ok = check_groups(run, node, value);
    run->marks = outer;
    if (ok && schema__marks_of(run, value) != NULL)
        arvo__marks_merge(outer, &own);
    arvo__marks_end(run, &own);
    return ok;
}

bool
arvo__schema_node_check(schema_run *run, const schema_node *node, const arvo_json *value)
{
    if (!schema__spend(run, 1))
        return false;
    if (ARVO_UNLIKELY(!schema__type_fits(node, value))) {
        mark_failed(run, value);
        return arvo__schema_type_issue(run, node, value);
    }
    if ((node->flags & (SCHEMA_NODE_LEAF | SCHEMA_NODE_TRACKS)) != 0)
        return (node->flags & SCHEMA_NODE_LEAF) != 0 || check_tracking(run, node, value);
    return check_groups(run, node, value);
}
