/* For every rule of a schema a value that breaks it and nothing else.
 *
 * A rule is a keyword at a place. The schema is copied with that one keyword turned round ("not"
 * that keyword), and a value is sought that the copy accepts and the schema refuses: whatever else
 * the schema asks for, the copy still does. */

#include <arvo/example.h>

#include "contract/schema.h"
#include "contract/solve.h"

#define PATH_MAX_PARTS 64u

typedef struct invalid_run {
    const arvo_schema_source *source;
    const arvo_example_opts *opts;
    arvo_arena *arena;   /* the caller's: results */
    arvo_arena *scratch; /* copies of the schema */
    arvo_schema *schema;
    solve_doc doc;
    arvo_counterexample *items;
    size_t count, room;
    bool more;
    arvo_status status;
    arvo_str path[PATH_MAX_PARTS]; /* from the root to the schema that is looked at */
    size_t depth;
} invalid_run;

/* ---- The schema with one rule turned round ------------------------------------------ */

static const arvo_json *
set_in(
    arvo_arena *arena, const arvo_json *value, const arvo_str *path, size_t depth,
    const arvo_json *leaf)
{
    if (depth == 0)
        return leaf;
    const bool is_array = arvo_json_type_of(value) == ARVO_JSON_ARRAY;
    arvo_json *const out = is_array ? arvo_json_array_new(arena) : arvo_json_object_new(arena);
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const arvo_json *part = arvo_json_at(value, i);
        const arvo_str key =
            is_array ? arvo_arena_printf(arena, "%zu", i) : arvo_json_key_at(value, i);
        if (arvo_str_equal(key, path[0]))
            part = set_in(arena, part, path + 1, depth - 1, leaf);
        if (is_array)
            arvo_json_push(arena, out, part);
        else
            arvo_json_set_ref(arena, out, key, part);
    }
    return out;
}

/* Without `keyword`, and with "not" `broken` among its allOf. */
static const arvo_json *
node_broken(
    arvo_arena *arena, const arvo_json *node, const char *keyword, const arvo_json *kept,
    const arvo_json *broken)
{
    arvo_json *const out = arvo_json_object_new(arena);
    arvo_json *const refused = arvo_json_object_new(arena);
    arvo_json *const all = arvo_json_array_new(arena);
    const arvo_json *const before = arvo_json_get(node, "allOf");
    for (size_t i = 0; i < arvo_json_count(node); i++) {
        const arvo_str key = arvo_json_key_at(node, i);
        if (!arvo_str_is(key, keyword))
            arvo_json_set_ref(arena, out, key, arvo_json_at(node, i));
    }
    if (kept != NULL)
        arvo_json_set_ref(arena, out, arvo_str_from(keyword), kept);
    arvo_json_set_ref(arena, refused, ARVO_STR("not"), broken);
    for (size_t i = 0; i < arvo_json_count(before); i++)
        arvo_json_push(arena, all, arvo_json_at(before, i));
    arvo_json_push(arena, all, refused);
    arvo_json_set_ref(arena, out, ARVO_STR("allOf"), all);
    return out;
}

/* ---- One rule ------------------------------------------------------------------------- */

static arvo_counterexample *
rule_add(invalid_run *run, const char *keyword, arvo_str key)
{
    if (run->count == run->room) {
        run->more = true;
        return NULL;
    }
    const arvo_allocator memory = arvo__arena_allocator(run->arena);
    arvo_buf pointer = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    pointer.allocator = &memory;
    for (size_t i = 0; i < run->depth; i++)
        arvo_json_pointer_push(&pointer, run->path[i]);
    arvo_json_pointer_push(&pointer, arvo_str_from(keyword));
    if (pointer.status != ARVO_OK) {
        run->status = ARVO_E_NOMEM;
        return NULL;
    }
    arvo_counterexample *const item = &run->items[run->count++];
    *item = (arvo_counterexample){ .rule = arvo_buf_str(&pointer), .key = key };
    item->keyword =
        (arvo_str){ item->rule.ptr + item->rule.len - strlen(keyword), strlen(keyword) };
    return item;
}

/* What the validator says about it, and whether it says that this keyword is broken. */
static void
rule_explain(invalid_run *run, const arvo_json *value, arvo_counterexample *item)
{
    arvo_schema_report report = { 0 };
    if (arvo_schema_check(run->schema, value, run->scratch, &report, NULL) != ARVO_E_INVALID ||
        report.count == 0)
        return;
    const arvo_schema_issue *issue = &report.issues[0];
    for (size_t i = 0; i < report.count; i++) {
        if (!arvo_str_equal(report.issues[i].keyword, item->keyword))
            continue;
        issue = &report.issues[i];
        item->named = true;
        break;
    }
    item->message = arvo_arena_printf(
        run->arena, "%.*s%s%.*s", ARVO_FMT(issue->path), issue->path.len > 0 ? ": " : "",
        ARVO_FMT(issue->message));
    if (item->message.ptr == NULL)
        run->status = ARVO_E_NOMEM;
}

static arvo_status
rule_solve(
    invalid_run *run, const solve_doc *broken, bool full, solve_answer *answer,
    const arvo_json **value)
{
    solver s;
    arvo_status st = arvo__solver_init(&s, run->opts != NULL ? run->opts->allocator : NULL, NULL);
    if (st != ARVO_OK)
        return st;
    s.realistic = true;
    s.full = full;
    s.seed = run->opts != NULL ? run->opts->seed : 0;
    const solve_term refused = { run->source->schema, &run->doc, true };
    const solve_term accepted = { broken->root, broken, false };
    const arvo_json *found = NULL;
    *answer = arvo__solve(
        &s, arvo__solve_push(&s, arvo__solve_push(&s, NULL, refused), accepted), &found);
    st = arvo__solver_status(&s, NULL);
    if (st == ARVO_OK && *answer == SOLVE_FOUND) {
        *value = arvo_json_copy(run->arena, found);
        st = *value != NULL ? ARVO_OK : ARVO_E_NOMEM;
    }
    arvo__solver_fini(&s);
    return st;
}

/* The value stands when the validator refuses it. */
static arvo_status
rule_try(
    invalid_run *run, const solve_doc *broken, bool full, solve_answer *answer,
    arvo_counterexample *item)
{
    const arvo_json *value = NULL;
    arvo_status st = rule_solve(run, broken, full, answer, &value);
    if (st != ARVO_OK || *answer != SOLVE_FOUND)
        return st;
    st = arvo__source_accepts(run->source, run->schema, value, run->scratch, NULL);
    if (st == ARVO_E_INVALID) {
        item->value = value;
        rule_explain(run, value, item);
        return run->status;
    }
    *answer = SOLVE_UNKNOWN;
    return st == ARVO_E_NOMEM ? st : ARVO_OK;
}

static void
rule_break(invalid_run *run, const char *keyword, arvo_str key, const arvo_json *changed)
{
    arvo_counterexample *const item = run->status == ARVO_OK ? rule_add(run, keyword, key) : NULL;
    if (item == NULL)
        return;
    const arvo_json *const root =
        set_in(run->scratch, run->source->schema, run->path, run->depth, changed);
    if (root == NULL || arvo_arena_failed(run->scratch)) {
        run->status = ARVO_E_NOMEM;
        return;
    }
    solve_doc broken = run->doc;
    broken.root = root;
    solve_answer answer = SOLVE_UNKNOWN;
    const bool minimal = run->opts != NULL && run->opts->minimal;
    for (int attempt = minimal ? 1 : 0; attempt < 2 && item->value == NULL; attempt++)
        if (run->status == ARVO_OK && (attempt == 0 || answer != SOLVE_NONE))
            run->status = rule_try(run, &broken, attempt == 0, &answer, item);
    if (item->value == NULL)
        item->why = answer == SOLVE_NONE
                        ? ARVO_STR("cannot be broken without breaking another rule")
                        : ARVO_STR("no value was found");
}

/* ---- All rules --------------------------------------------------------------------------- */

static void rules_walk(invalid_run *run, const arvo_json *node);

static void
walk_into(invalid_run *run, arvo_str part, const arvo_json *node)
{
    if (run->depth == PATH_MAX_PARTS) {
        run->more = true;
        return;
    }
    run->path[run->depth++] = part;
    rules_walk(run, node);
    run->depth--;
}

/* A keyword alone, or with those that it is read together with. */
static const arvo_json *
keyword_alone(invalid_run *run, const arvo_json *node, const char *keyword)
{
    static const char *const with[][3] = {
        { "additionalProperties", "properties", "patternProperties" },
        { "contains", "minContains", "maxContains" },
        { "if", "then", "else" },
    };
    arvo_json *const out = arvo_json_object_new(run->scratch);
    for (size_t i = 0; i < ARVO_COUNT_OF(with); i++) {
        if (strcmp(with[i][0], keyword) != 0)
            continue;
        for (size_t k = 1; k < 3; k++) {
            const arvo_json *const other = arvo_json_get(node, with[i][k]);
            if (other == NULL)
                continue;
            if (i > 0) {
                arvo_json_set_ref(run->scratch, out, arvo_str_from(with[i][k]), other);
                continue;
            }
            /* Which keys are declared counts, not what they hold. */
            arvo_json *const names = arvo_json_object_new(run->scratch);
            for (size_t n = 0; n < arvo_json_count(other); n++)
                arvo_json_set_ref(
                    run->scratch, names, arvo_json_key_at(other, n), arvo_json_bool(true));
            arvo_json_set_ref(run->scratch, out, arvo_str_from(with[i][k]), names);
        }
    }
    arvo_json_set_ref(run->scratch, out, arvo_str_from(keyword), arvo_json_get(node, keyword));
    return out;
}

static void
rules_plain(invalid_run *run, const arvo_json *node)
{
    static const char *const keywords[] = { "type",
                                            "enum",
                                            "const",
                                            "minimum",
                                            "exclusiveMinimum",
                                            "maximum",
                                            "exclusiveMaximum",
                                            "multipleOf",
                                            "minLength",
                                            "maxLength",
                                            "pattern",
                                            "minItems",
                                            "maxItems",
                                            "uniqueItems",
                                            "contains",
                                            "minProperties",
                                            "maxProperties",
                                            "propertyNames",
                                            "additionalProperties",
                                            "dependentRequired",
                                            "dependencies",
                                            "anyOf",
                                            "oneOf",
                                            "not",
                                            "if" };
    for (size_t i = 0; i < ARVO_COUNT_OF(keywords); i++) {
        const arvo_json *const value = arvo_json_get(node, keywords[i]);
        const bool is_false =
            arvo_json_type_of(value) == ARVO_JSON_BOOL && !arvo_json_bool_or(value, true);
        const bool is_true =
            arvo_json_type_of(value) == ARVO_JSON_BOOL && arvo_json_bool_or(value, false);
        const bool is_extra = strcmp(keywords[i], "additionalProperties") == 0;
        if (value == NULL || (is_extra && (is_true || run->doc.strip)) || (!is_extra && is_false))
            continue;
        if (is_extra && !is_false)
            continue; /* a schema: its own rules are walked */
        rule_break(
            run, keywords[i], ARVO_STR_NONE,
            node_broken(
                run->scratch, node, keywords[i], NULL, keyword_alone(run, node, keywords[i])));
    }
}

static void
rules_required(invalid_run *run, const arvo_json *node)
{
    const arvo_json *const required = arvo_json_get(node, "required");
    for (size_t i = 0; i < arvo_json_count(required); i++) {
        const arvo_json *const key = arvo_json_at(required, i);
        if (run->doc.defaults && arvo__solve_key_has_default(&run->doc, node, arvo_json_str(key)))
            continue;
        arvo_json *const kept = arvo_json_array_new(run->scratch);
        arvo_json *const one = arvo_json_array_new(run->scratch);
        arvo_json *const broken = arvo_json_object_new(run->scratch);
        for (size_t k = 0; k < arvo_json_count(required); k++)
            if (k != i)
                arvo_json_push(run->scratch, kept, arvo_json_at(required, k));
        arvo_json_push(run->scratch, one, key);
        arvo_json_set_ref(run->scratch, broken, ARVO_STR("required"), one);
        rule_break(
            run, "required", arvo_json_str(key),
            node_broken(run->scratch, node, "required", kept, broken));
    }
}

static void
rules_inside(invalid_run *run, const arvo_json *node)
{
    static const char *const maps[] = { "properties", "patternProperties", "dependentSchemas",
                                        "$defs", "definitions" };
    static const char *const lists[] = { "prefixItems", "allOf", "anyOf", "oneOf" };
    static const char *const single[] = { "additionalProperties", "items", "additionalItems",
                                          "then", "else" };
    for (size_t i = 0; i < ARVO_COUNT_OF(maps) + ARVO_COUNT_OF(lists); i++) {
        const bool is_map = i < ARVO_COUNT_OF(maps);
        const arvo_str word = arvo_str_from(is_map ? maps[i] : lists[i - ARVO_COUNT_OF(maps)]);
        const arvo_json *const parts = arvo_json_get_str(node, word);
        if (run->depth == PATH_MAX_PARTS && arvo_json_count(parts) > 0) {
            run->more = true;
            continue;
        }
        for (size_t k = 0; k < arvo_json_count(parts); k++) {
            run->path[run->depth++] = word;
            walk_into(
                run,
                is_map ? arvo_json_key_at(parts, k) : arvo_arena_printf(run->scratch, "%zu", k),
                arvo_json_at(parts, k));
            run->depth--;
        }
    }
    for (size_t i = 0; i < ARVO_COUNT_OF(single); i++)
        if (arvo_json_type_of(arvo_json_get(node, single[i])) == ARVO_JSON_OBJECT)
            walk_into(run, arvo_str_from(single[i]), arvo_json_get(node, single[i]));
}

static void
rules_walk(invalid_run *run, const arvo_json *node)
{
    if (run->status != ARVO_OK || arvo_json_type_of(node) != ARVO_JSON_OBJECT)
        return;
    if (!arvo__solve_ref_alone(&run->doc, node)) {
        rules_plain(run, node);
        rules_required(run, node);
    }
    rules_inside(run, node);
}

arvo_status
arvo_counterexamples_make(
    const arvo_schema_source *source, const arvo_example_opts *opts, arvo_arena *arena,
    arvo_counterexample_list *out, arvo_error *err)
{
    ARVO_ASSERT(source != NULL && source->schema != NULL);
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    const arvo_allocator *const allocator = opts != NULL ? opts->allocator : NULL;
    invalid_run run = { .source = source, .opts = opts, .arena = arena };
    run.scratch = arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator });
    run.items = arvo_arena_calloc(arena, ARVO_COUNTEREXAMPLES_MAX, sizeof(*run.items));
    run.room = ARVO_COUNTEREXAMPLES_MAX;
    arvo_status st = ARVO_E_NOMEM;
    if (run.scratch == NULL || run.items == NULL)
        (void)arvo__nomem(err);
    else
        st = arvo__source_compile(source, allocator, &run.schema, err);
    if (st == ARVO_OK) {
        arvo__source_doc(source, &run.doc);
        rules_walk(&run, source->schema);
        st = run.status == ARVO_OK ? ARVO_OK : arvo__nomem(err);
    }
    if (st == ARVO_OK)
        *out = (arvo_counterexample_list){ run.items, run.count, run.more };
    arvo_schema_free(run.schema);
    arvo_arena_free(run.scratch);
    return st;
}
