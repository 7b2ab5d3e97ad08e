/* Checks: loading a machine document with everything that is refused in it, one after another.
 *
 * The compiler stops at its first error. To find the next one, what is wrong is taken out of the
 * document, or replaced by something harmless, and the rest is compiled again. List items are
 * replaced, never removed, so that pointers keep leading to where things are written. */

#include "machine/check.h"
#include "json/document_internal.h"

#define REPAIRS_MAX  64u
#define SEGMENTS_MAX (4u * ARVO_MACHINE_DEPTH_MAX)

/* ---- What to put in the place of something wrong ---- */

typedef struct repair_path {
    arvo_str tokens[SEGMENTS_MAX];          /* as they stand in the pointer */
    const arvo_json *parents[SEGMENTS_MAX]; /* what each token is looked up in */
    size_t count;
} repair_path;

static bool
path_read(const arvo_json *root, arvo_str pointer, repair_path *path)
{
    const arvo_json *at = root;
    arvo_str token;
    path->count = 0;
    arvo_str rest = pointer;
    while (arvo__pointer_next(&rest, &token)) {
        if (path->count == SEGMENTS_MAX)
            return false;
        path->tokens[path->count] = token;
        path->parents[path->count++] = at;
        at = arvo_json_pointer_get(root, (arvo_str){ pointer.ptr, pointer.len - rest.len });
    }
    return rest.len == 0;
}

static bool
token_is(const repair_path *path, size_t i, const char *key)
{
    return i < path->count && arvo__pointer_token_is(path->tokens[i], arvo_str_from(key));
}

/* Over the /states/NAME/states/NAME that leads to a state. */
static size_t
after_states(const repair_path *path)
{
    size_t i = 0;
    while (token_is(path, i, "states") && i + 1 < path->count)
        i += 2;
    return i;
}

static bool
is_item(const repair_path *path, size_t i)
{
    return i < path->count && arvo_json_type_of(path->parents[i]) == ARVO_JSON_ARRAY;
}

/* Where the path first leads into one of several things, an item when they are a list. */
static size_t
one_of(const repair_path *path, size_t i)
{
    return is_item(path, i + 1) ? i + 1 : i;
}

static const arvo_json *
harmless_action(arvo_arena *arena)
{
    return arvo_json_array_new(arena); /* no actions: where a list is, as items cannot be */
}

static const arvo_json *
harmless_log(arvo_arena *arena)
{
    arvo_json *const params = arvo_json_object_new(arena);
    arvo_json *const action = arvo_json_object_new(arena);
    arvo_json_set_ref(arena, params, ARVO_STR("message"), arvo_json_null());
    arvo_json_set_ref(
        arena, action, ARVO_STR("type"), arvo_json_string_ref(arena, ARVO_STR("log")));
    arvo_json_set_ref(arena, action, ARVO_STR("params"), params);
    return action;
}

/* A state that is wrong as a whole: what is in it stays, and what others say of it. */
static const arvo_json *
harmless_state(arvo_arena *arena, const arvo_json *state)
{
    arvo_json *const copy = arvo_json_object_new(arena);
    const arvo_json *const states = arvo_json_get(state, "states");
    const arvo_json *const id = arvo_json_get(state, "id");
    const arvo_json *const initial = arvo_json_get(state, "initial");
    const bool is_parallel = arvo_str_is(arvo_json_str(arvo_json_get(state, "type")), "parallel");
    if (arvo_json_str(id).len > 0)
        arvo_json_set_ref(arena, copy, ARVO_STR("id"), id);
    if (arvo_json_count(states) == 0)
        return copy;
    arvo_json_set_ref(arena, copy, ARVO_STR("states"), states);
    if (is_parallel)
        arvo_json_set_ref(arena, copy, ARVO_STR("type"), arvo_json_get(state, "type"));
    else if (initial != NULL)
        arvo_json_set_ref(arena, copy, ARVO_STR("initial"), initial);
    else
        arvo_json_set_ref(
            arena, copy, ARVO_STR("initial"),
            arvo_json_string_ref(arena, arvo_json_key_at(states, 0)));
    return copy;
}

/* How much of the path is replaced, and by what; NULL value: the member is removed. */
typedef struct repair {
    size_t keep; /* tokens that lead to what is replaced */
    const arvo_json *value;
} repair;

/* Actions at token `i` (entry, exit, actions): the one that is wrong does nothing. */
static bool
repair_actions(arvo_arena *arena, const repair_path *path, size_t i, repair *out)
{
    const size_t at = one_of(path, i);
    *out = (repair){ at + 1, is_item(path, at) ? harmless_log(arena) : harmless_action(arena) };
    return true;
}

/* A transition whose part is wrong: without that part, where this leaves a transition. */
static bool
repair_transition(arvo_arena *arena, const repair_path *path, size_t i, repair *out)
{
    const size_t at = one_of(path, i);
    if (token_is(path, at + 1, "actions"))
        return repair_actions(arena, path, at + 1, out);
    if (at + 1 < path->count)
        *out = (repair){ at + 2, NULL }; /* its target, its guard, an unknown key */
    else
        *out = (repair){ at + 1, is_item(path, at) ? arvo_json_null() : NULL };
    return true;
}

static bool
repair_initial(arvo_arena *arena, const repair_path *path, size_t i, repair *out)
{
    const arvo_json *const states = arvo_json_get(path->parents[i], "states");
    if (arvo_json_count(states) == 0)
        return false;
    *out = (repair){ i + 1, arvo_json_string_ref(arena, arvo_json_key_at(states, 0)) };
    return true;
}

/* A named guard must stay, and holds always; of named actions the wrong one does nothing. */
static bool
repair_named(arvo_arena *arena, const repair_path *path, size_t i, repair *out)
{
    if (i + 1 >= path->count)
        return false;
    if (token_is(path, i, "actions"))
        return repair_actions(arena, path, i + 1, out);
    *out = (repair){ i + 2, arvo_json_string_ref(arena, ARVO_STR("${ true }")) };
    return true;
}

static bool
repair_find(arvo_arena *arena, const repair_path *path, repair *out)
{
    const size_t i = after_states(path);
    if (token_is(path, i, "entry") || token_is(path, i, "exit"))
        return repair_actions(arena, path, i, out);
    if (token_is(path, i, "on"))
        return i + 1 < path->count && repair_transition(arena, path, i + 1, out);
    if (token_is(path, i, "always") || token_is(path, i, "onDone"))
        return repair_transition(arena, path, i, out);
    if (token_is(path, i, "initial"))
        return repair_initial(arena, path, i, out);
    if (i == 0 && (token_is(path, i, "guards") || token_is(path, i, "actions")))
        return repair_named(arena, path, i, out);
    if (i == 0 && (token_is(path, i, "contracts") || token_is(path, i, "version")))
        return false; /* most of what follows depends on them */
    if (i == 0 && token_is(path, i, "context"))
        *out = (repair){ path->count < 2 ? 1 : 2, path->count < 2 ? NULL : arvo_json_null() };
    else
        *out = (repair){ i + 1, NULL };
    return true;
}

/* ---- The document with that in its place ---- */

static const arvo_json *
replace_item(arvo_arena *arena, const arvo_json *list, arvo_str token, const arvo_json *value)
{
    arvo_json *const copy = arvo_json_array_new(arena);
    size_t at = 0;
    for (size_t i = 0; i < token.len; i++)
        at = at * 10 + (size_t)(token.ptr[i] - '0');
    for (size_t i = 0; i < arvo_json_count(list); i++)
        arvo_json_push(arena, copy, i == at ? value : arvo_json_at(list, i));
    return copy;
}

static const arvo_json *
replace_member(arvo_arena *arena, const arvo_json *object, arvo_str token, const arvo_json *value)
{
    arvo_json *const copy = arvo_json_object_new(arena);
    for (size_t i = 0; i < arvo_json_count(object); i++) {
        const arvo_str key = arvo_json_key_at(object, i);
        const bool is_it = arvo__pointer_token_is(token, key);
        if (!is_it || value != NULL)
            arvo_json_set_ref(arena, copy, key, is_it ? value : arvo_json_at(object, i));
    }
    return copy;
}

/* Another state has the id: this one gets one that nobody can mean. */
static const arvo_json *
replace_id(arvo_arena *arena, const arvo_json *state, arvo_str pointer)
{
    arvo_json *const copy = arvo_json_clone(arena, state);
    const arvo_str id = arvo_arena_printf(arena, "\n%.*s", ARVO_FMT(pointer));
    arvo_json_set_ref(arena, copy, ARVO_STR("id"), arvo_json_string_ref(arena, id));
    return copy;
}

const arvo_json *
arvo__check_repair(arvo_arena *arena, const arvo_json *root, arvo_str pointer, check_rule rule)
{
    repair_path path;
    repair what = { 0 };
    if (!path_read(root, pointer, &path) || path.count == 0)
        return NULL;
    if (rule == CHECK_DUPLICATE_ID && after_states(&path) == path.count) {
        const arvo_json *const state = arvo_json_pointer_get(root, pointer);
        what = (repair){ path.count, replace_id(arena, state, pointer) };
    } else if (after_states(&path) == path.count) {
        const arvo_json *const state = arvo_json_pointer_get(root, pointer);
        what = (repair){ path.count, harmless_state(arena, state) };
    } else if (!repair_find(arena, &path, &what)) {
        return NULL;
    }
    const arvo_json *value = what.value;
    for (size_t i = what.keep; i-- > 0;) {
        if (is_item(&path, i))
            value = replace_item(arena, path.parents[i], path.tokens[i], value);
        else
            value = replace_member(arena, path.parents[i], path.tokens[i], value);
    }
    return arvo_arena_failed(arena) || arvo_json_equal(value, root) ? NULL : value;
}

/* ---- Loading ---- */

static check_rule
rule_of(const arvo__diagnosis *diagnosis, arvo_status status)
{
    if (status == ARVO_E_UNSUPPORTED)
        return CHECK_UNSUPPORTED;
    return diagnosis->rule != CHECK_RULE_COUNT ? diagnosis->rule : CHECK_INVALID_DOCUMENT;
}

/* The path of the state that a pointer leads into: names joined by dots. */
static arvo_str
state_path(arvo_arena *arena, const arvo_json *root, arvo_str pointer)
{
    repair_path path;
    arvo_str text = ARVO_STR("");
    if (!path_read(root, pointer, &path))
        return ARVO_STR_NONE;
    for (size_t i = 0; i + 1 < path.count && token_is(&path, i, "states"); i += 2)
        text = arvo_arena_printf(
            arena, "%.*s%s%.*s", ARVO_FMT(text), i > 0 ? "." : "", ARVO_FMT(path.tokens[i + 1]));
    return text;
}

static arvo_str
machine_id(const arvo_document *document)
{
    const arvo_str id = arvo_json_str(arvo_json_get(document->root, "id"));
    return id.len > 0 ? id : ARVO_STR("(machine)");
}

/* Add the error as a finding, and take its cause out of *document. False: that cannot be done. */
static bool
add_and_repair(
    arvo_check *check, const arvo_document *original, arvo_document *document,
    const arvo__diagnosis *diagnosis, arvo_status status, arvo_error *err)
{
    arvo_str pointer = arvo__check_error_pointer(document, err);
    if (pointer.len == 0 && diagnosis->pointer.ptr != NULL)
        pointer = diagnosis->pointer;
    const check_place place = {
        .document = original,
        .pointer = pointer,
        .machine = machine_id(original),
        .path = state_path(check->arena, document->root, pointer),
        .state = CHART_NONE,
    };
    const check_rule rule = rule_of(diagnosis, status);
    arvo__check_add_error(check, rule, &place, err);
    const arvo_json *const root = arvo__check_repair(check->arena, document->root, pointer, rule);
    if (root != NULL)
        document->root = root;
    return root != NULL;
}

/* *out_machine NULL: it could not be repaired. */
static arvo_status
load(
    const arvo_machine_setup *setup, const arvo_document *original, arvo_check *check,
    arvo_document *document, arvo_machine **out_machine, bool *out_repaired, arvo_error *err)
{
    arvo_machine *machine = NULL;
    *document = *original;
    for (unsigned repairs = 0; machine == NULL; repairs++) {
        arvo__diagnosis diagnosis = { .arena = check->arena, .rule = CHECK_RULE_COUNT };
        arvo_error wrong = { 0 };
        const arvo_status st = arvo__machine_create(setup, document, &diagnosis, &machine, &wrong);
        if (st == ARVO_E_NOMEM)
            return arvo__nomem(err);
        *out_repaired = st != ARVO_OK || repairs > 0;
        if (st != ARVO_OK && (!add_and_repair(check, original, document, &diagnosis, st, &wrong) ||
                              repairs == REPAIRS_MAX))
            break;
    }
    *out_machine = machine;
    return arvo__check_status(check, err);
}

arvo_status
arvo_machine_check(
    const arvo_machine_setup *setup, const arvo_document *document, arvo_check *check,
    arvo_machine **out, arvo_error *err)
{
    ARVO_ASSERT(document != NULL && check != NULL);

    arvo_machine *machine = NULL;
    arvo_document repaired;
    bool is_repaired = false;
    arvo_status st = load(setup, document, check, &repaired, &machine, &is_repaired, err);
    if (st == ARVO_OK && machine != NULL)
        st = arvo__check_chart(check, machine, document, repaired.root, is_repaired, err);
    if (out != NULL)
        *out = st == ARVO_OK && !is_repaired ? machine : NULL;
    if (out == NULL || *out == NULL)
        arvo_machine_unref(machine);
    return st;
}
