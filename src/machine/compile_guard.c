/* Compiling guards: expressions, combinators, stateIn, named ones. */

#include "machine/compile.h"

static const compile_key guard_keys_list[] = { { "type", NULL }, { "guards", NULL }, { 0 } };
static const compile_key guard_keys_not[] = { { "type", NULL }, { "guard", NULL }, { 0 } };
static const compile_key guard_keys_params[] = { { "type", NULL }, { "params", NULL }, { 0 } };
static const compile_key guard_keys_state[] = { { "state", NULL }, { 0 } };

static bool
looks_like_expression(arvo_str text)
{
    size_t begin = 0;
    while (begin < text.len && (text.ptr[begin] == ' ' || text.ptr[begin] == '\n'))
        begin++;
    return text.len - begin >= 2 && text.ptr[begin] == '$' && text.ptr[begin + 1] == '{';
}

/* ---- Named guards ---- */

static named_entry *
entry_find(const named_table *table, arvo_str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (arvo_str_equal(table->items[i].name, name))
            return &table->items[i];
    return NULL;
}

static arvo_status
entry_compile(compiler *c, named_entry *entry)
{
    if (entry->is_done)
        return ARVO_OK;
    if (entry->is_open)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "guard '%.*s' refers to itself; break the cycle with an expression",
            ARVO_FMT(entry->name));
    arvo_buf outer = c->pointer;
    c->pointer = (arvo_buf){ .bytes_max = outer.bytes_max, .allocator = outer.allocator };
    (void)arvo__compile_enter(c, ARVO_STR("guards"));
    (void)arvo__compile_enter(c, entry->name);
    entry->is_open = true;
    const chart_guard *guard = NULL;
    const arvo_status st = arvo__compile_guard(c, entry->json, &guard);
    entry->is_open = false;
    if (st == ARVO_OK) {
        *entry->guard = *guard;
        entry->is_done = true;
    }
    arvo_buf_fini(&c->pointer);
    c->pointer = outer;
    return st;
}

static const arvo_guard_def *
function_find(const compiler *c, arvo_str name)
{
    for (const arvo_guard_def *def = c->guard_functions; def != NULL && def->name != NULL; def++)
        if (arvo_str_is(name, def->name))
            return def;
    return NULL;
}

static arvo_status
name_unknown(compiler *c, arvo_str name)
{
    arvo_str names[64];
    size_t count = 0;
    for (size_t i = 0; i < c->guards.count && count < ARVO_COUNT_OF(names); i++)
        names[count++] = c->guards.items[i].name;
    const arvo_guard_def *def = c->guard_functions;
    for (; def != NULL && def->name != NULL && count < ARVO_COUNT_OF(names); def++)
        names[count++] = arvo_str_from(def->name);
    const arvo_str suggestion = arvo__compile_suggest(c, name, names, count);
    arvo__compile_rule(c, CHECK_UNKNOWN_GUARD);
    return arvo__compile_fail(
        c, ARVO_E_INVALID,
        "unknown guard '%.*s': not in `guards`, and no function of that name was given%.*s",
        ARVO_FMT(name), ARVO_FMT(suggestion));
}

static arvo_status
compile_name(compiler *c, arvo_str name, chart_guard *guard)
{
    named_entry *const entry = entry_find(&c->guards, name);
    if (entry != NULL) {
        const chart_guard **const list = arvo__compile_alloc(c, 1, sizeof(*list));
        if (list == NULL)
            return arvo__nomem(c->err);
        list[0] = entry->guard;
        guard->kind = CHART_GUARD_NAMED;
        guard->guards = list;
        guard->guard_count = 1;
        return entry_compile(c, entry);
    }
    guard->kind = CHART_GUARD_CALL;
    guard->function = function_find(c, name);
    return guard->function != NULL ? ARVO_OK : name_unknown(c, name);
}

/* ---- Built-in guards ---- */

static arvo_status
compile_list(compiler *c, const arvo_json *json, chart_guard *guard)
{
    arvo_status st = arvo__compile_keys(c, json, guard_keys_list, "a guard");
    if (st != ARVO_OK)
        return st;
    const arvo_json *const items = arvo_json_get(json, "guards");
    if (arvo_json_type_of(items) != ARVO_JSON_ARRAY)
        return arvo__compile_fail(c, ARVO_E_INVALID, "needs `guards`, a list of guards");
    const size_t count = arvo_json_count(items);
    const chart_guard **const list = arvo__compile_alloc(c, count, sizeof(*list));
    if (list == NULL)
        return arvo__nomem(c->err);
    const size_t mark = arvo__compile_enter(c, ARVO_STR("guards"));
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        const size_t item_mark = arvo__compile_enter_item(c, i);
        st = arvo__compile_guard(c, arvo_json_at(items, i), &list[i]);
        arvo__compile_leave(c, item_mark);
    }
    arvo__compile_leave(c, mark);
    guard->guards = list;
    guard->guard_count = (uint32_t)count;
    return st;
}

static arvo_status
compile_not(compiler *c, const arvo_json *json, chart_guard *guard)
{
    arvo_status st = arvo__compile_keys(c, json, guard_keys_not, "a guard");
    if (st != ARVO_OK)
        return st;
    const chart_guard **const list = arvo__compile_alloc(c, 1, sizeof(*list));
    if (list == NULL)
        return arvo__nomem(c->err);
    const arvo_json *const inner = arvo_json_get(json, "guard");
    if (inner == NULL)
        return arvo__compile_fail(c, ARVO_E_INVALID, "needs `guard`, the guard to negate");
    const size_t mark = arvo__compile_enter(c, ARVO_STR("guard"));
    st = arvo__compile_guard(c, inner, &list[0]);
    arvo__compile_leave(c, mark);
    guard->guards = list;
    guard->guard_count = 1;
    return st;
}

static bool
is_state_value(const arvo_json *value, uint32_t depth)
{
    if (arvo_json_type_of(value) == ARVO_JSON_STRING)
        return true;
    if (arvo_json_type_of(value) != ARVO_JSON_OBJECT || depth > ARVO_MACHINE_DEPTH_MAX)
        return false;
    for (size_t i = 0; i < arvo_json_count(value); i++)
        if (!is_state_value(arvo_json_at(value, i), depth + 1))
            return false;
    return true;
}

/* "a.b" as the value {"a": "b"}, escapes undone. NULL: out of memory. Built from its end, because
 * setting a member takes the value as it is then. */
static const arvo_json *
value_from_path(compiler *c, arvo_str path)
{
    char *const text = arvo__compile_alloc(c, path.len + 1, 1);
    size_t *const ends = arvo__compile_alloc(c, path.len + 1, sizeof(*ends));
    size_t count = 0; /* of segments that a dot ends */
    size_t len = 0;
    if (text == NULL || ends == NULL)
        return NULL;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '.') {
            ends[count++] = len;
            continue;
        }
        i += path.ptr[i] == '\\' ? 1 : 0;
        if (i < path.len)
            text[len++] = path.ptr[i];
    }
    const size_t last = count > 0 ? ends[count - 1] : 0;
    const arvo_json *value = arvo_json_string_ref(c->arena, (arvo_str){ text + last, len - last });
    while (count-- > 0) {
        const size_t begin = count > 0 ? ends[count - 1] : 0;
        arvo_json *const object = arvo_json_object_new(c->arena);
        arvo_json_set_ref(c->arena, object, (arvo_str){ text + begin, ends[count] - begin }, value);
        value = object;
    }
    return value;
}

/* With the paths in it taken apart. */
static const arvo_json *
value_plain(compiler *c, const arvo_json *value)
{
    if (arvo_json_type_of(value) == ARVO_JSON_STRING)
        return value_from_path(c, arvo_json_str(value));
    arvo_json *const object = arvo_json_object_new(c->arena);
    for (size_t i = 0; i < arvo_json_count(value); i++)
        arvo_json_set_ref(
            c->arena, object, arvo_json_key_at(value, i), value_plain(c, arvo_json_at(value, i)));
    return object;
}

/* XState answers false for ever where a value names no state, or one that is never active. */
static arvo_status
check_value_key(compiler *c, uint16_t state, arvo_str key, uint16_t *out)
{
    *out = arvo__chart_child(c->machine, state, key);
    if (*out != CHART_NONE && c->states[*out].type != CHART_HISTORY)
        return ARVO_OK;
    const arvo_str parent = c->states[state].id;
    if (*out != CHART_NONE)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' of '%.*s' is a history state, which is never active: name a state that is",
            ARVO_FMT(key), ARVO_FMT(parent));
    arvo_str names[64];
    size_t count = 0;
    const chart_states children = c->states[state].children;
    for (uint32_t i = 0; i < children.count && count < ARVO_COUNT_OF(names); i++)
        names[count++] = c->states[children.items[i]].key;
    const arvo_str suggestion = arvo__compile_suggest(c, key, names, count);
    arvo__compile_rule(c, CHECK_UNKNOWN_TARGET);
    return arvo__compile_fail(
        c, ARVO_E_INVALID,
        "state '%.*s' has no child '%.*s': write the path from the root, such as a.b, or "
        "\"#id\"%.*s",
        ARVO_FMT(parent), ARVO_FMT(key), ARVO_FMT(suggestion));
}

static arvo_status
check_value(compiler *c, uint16_t state, const arvo_json *value)
{
    uint16_t child;
    if (arvo_json_type_of(value) == ARVO_JSON_STRING)
        return check_value_key(c, state, arvo_json_str(value), &child);
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < arvo_json_count(value) && st == ARVO_OK; i++) {
        st = check_value_key(c, state, arvo_json_key_at(value, i), &child);
        if (st == ARVO_OK)
            st = check_value(c, child, arvo_json_at(value, i));
    }
    return st;
}

static arvo_status
compile_state_id(compiler *c, arvo_str text, chart_guard *guard)
{
    arvo_error reason = { 0 };
    guard->kind = CHART_GUARD_STATE;
    guard->state = arvo__chart_resolve_id(c->machine, text, &reason);
    if (guard->state == CHART_NONE) {
        arvo__compile_rule(c, CHECK_UNKNOWN_TARGET);
        return arvo__compile_fail(c, ARVO_E_INVALID, "%s", reason.text);
    }
    if (c->states[guard->state].type == CHART_HISTORY)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' is a history state, which is never active: name a state that is",
            ARVO_FMT(text));
    return ARVO_OK;
}

static arvo_status
compile_state(compiler *c, const arvo_json *json, chart_guard *guard)
{
    arvo_status st = arvo__compile_keys(c, json, guard_keys_params, "a stateIn guard");
    const arvo_json *const params = arvo_json_get(json, "params");
    if (st != ARVO_OK)
        return st;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("params"));
    st = arvo__compile_keys(c, params, guard_keys_state, "stateIn's params");
    const arvo_json *const state = arvo_json_get(params, "state");
    const arvo_str text = arvo_json_str(state);
    if (st == ARVO_OK && !is_state_value(state, 0))
        st = arvo__compile_fail(
            c, ARVO_E_INVALID, "needs `state`: \"#id\", or a state value such as a.b");
    const size_t state_mark = arvo__compile_enter(c, ARVO_STR("state"));
    if (st == ARVO_OK && text.len > 0 && text.ptr[0] == '#') {
        st = compile_state_id(c, text, guard);
    } else if (st == ARVO_OK) {
        guard->kind = CHART_GUARD_STATE_VALUE;
        guard->value = value_plain(c, state);
        st = arvo_arena_failed(c->arena) ? arvo__nomem(c->err)
                                         : check_value(c, CHART_ROOT, guard->value);
    }
    arvo__compile_leave(c, state_mark);
    arvo__compile_leave(c, mark);
    return st;
}

/* ---- Any guard ---- */

static arvo_status
compile_object(compiler *c, const arvo_json *json, chart_guard *guard)
{
    const arvo_str type = arvo_json_str(arvo_json_get(json, "type"));
    if (type.ptr == NULL)
        return arvo__compile_fail(c, ARVO_E_INVALID, "a guard object needs a `type`");
    guard->name = type;
    if (arvo_str_is(type, "and") || arvo_str_is(type, "or")) {
        guard->kind = arvo_str_is(type, "and") ? CHART_GUARD_AND : CHART_GUARD_OR;
        return compile_list(c, json, guard);
    }
    if (arvo_str_is(type, "not")) {
        guard->kind = CHART_GUARD_NOT;
        return compile_not(c, json, guard);
    }
    if (arvo_str_is(type, "stateIn"))
        return compile_state(c, json, guard);

    arvo_status st = arvo__compile_keys(c, json, guard_keys_params, "a guard");
    if (st == ARVO_OK)
        st = compile_name(c, type, guard);
    const arvo_json *const params = arvo_json_get(json, "params");
    if (st != ARVO_OK || params == NULL)
        return st;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("params"));
    st = arvo__compile_template(c, params, &guard->template_);
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
compile_string(compiler *c, const arvo_json *json, chart_guard *guard)
{
    const arvo_str text = arvo_json_str(json);
    if (looks_like_expression(text)) {
        const arvo_status st = arvo__compile_template(c, json, &guard->template_);
        if (st != ARVO_OK)
            return st;
        guard->kind = CHART_GUARD_EXPRESSION;
        if (arvo__template_is_expression(guard->template_))
            return ARVO_OK;
        guard->template_ = NULL;
    }
    guard->name = text;
    return compile_name(c, text, guard);
}

arvo_status
arvo__compile_guard(compiler *c, const arvo_json *json, const chart_guard **out)
{
    chart_guard *const guard = arvo__compile_alloc(c, 1, sizeof(*guard));
    if (guard == NULL)
        return arvo__nomem(c->err);
    *out = guard;
    if (++c->depth > COMPILE_NESTING_MAX)
        return arvo__compile_fail(
            c, ARVO_E_TOO_BIG, "guards nest deeper than %u; name some of them in `guards`",
            COMPILE_NESTING_MAX);
    arvo_status st;
    if (arvo_json_type_of(json) == ARVO_JSON_OBJECT) {
        st = compile_object(c, json, guard);
    } else if (arvo_json_str(json).len == 0) {
        st = arvo__compile_fail(
            c, ARVO_E_INVALID, "a guard is a name, an expression \"${ ... }\", or {type, ...}");
    } else {
        st = compile_string(c, json, guard);
    }
    c->depth--;
    return st;
}
