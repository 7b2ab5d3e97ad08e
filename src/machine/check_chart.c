/* Checks: one machine, rule by rule; and which of its warnings the document allows. */

#include "machine/check.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_BYTES_MAX    1024
#define POINTER_BYTES_MAX ((size_t)64 * 1024)

void
arvo__check_at_state(
    machine_check *mc, check_rule rule, uint16_t state, arvo_str pointer, arvo_str help,
    const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const check_place place = {
        .document = mc->document,
        .pointer = pointer,
        .machine = arvo_machine_id(mc->machine),
        .path = mc->paths[state],
        .state = state,
    };
    arvo__check_add(mc->check, rule, &place, help, "%s", text);
}

/* ---- Where each state is written ---- */

static arvo_str
pointer_keep(machine_check *mc)
{
    return arvo_arena_str_dup(mc->arena, arvo_buf_str(&mc->pointer));
}

/* As read_children() of compile_chart.c numbers them. */
static bool
read_state(machine_check *mc, const arvo_json *json, arvo_str path, uint16_t *number)
{
    const uint16_t self = (*number)++;
    const arvo_json *const states = arvo_json_get(json, "states");
    const size_t count = arvo_json_count(states);
    mc->nodes[self] = json;
    mc->paths[self] = path;
    mc->pointers[self] = pointer_keep(mc);
    size_t *const order = arvo_arena_calloc(mc->arena, count + 1, sizeof(*order));
    if (order == NULL || mc->pointers[self].ptr == NULL)
        return false;
    arvo__js_key_order(states, order);
    const size_t mark = mc->pointer.len;
    for (size_t i = 0; i < count; i++) {
        const arvo_str key = arvo_json_key_at(states, order[i]);
        const arvo_str child = arvo_arena_printf(
            mc->arena, "%.*s%s%.*s", ARVO_FMT(path), path.len > 0 ? "." : "", ARVO_FMT(key));
        arvo_buf_append_str(&mc->pointer, ARVO_STR("/states"));
        arvo_json_pointer_push(&mc->pointer, key);
        if (child.ptr == NULL || !read_state(mc, arvo_json_at(states, order[i]), child, number))
            return false;
        mc->pointer.len = mark;
    }
    return mc->pointer.status == ARVO_OK;
}

static bool
read_states(machine_check *mc)
{
    const size_t count = mc->machine->state_count;
    mc->nodes = arvo_arena_calloc(mc->arena, count, sizeof(*mc->nodes));
    mc->paths = arvo_arena_calloc(mc->arena, count, sizeof(*mc->paths));
    mc->pointers = arvo_arena_calloc(mc->arena, count, sizeof(*mc->pointers));
    uint16_t number = 0;
    return mc->nodes != NULL && mc->paths != NULL && mc->pointers != NULL &&
           read_state(mc, mc->root, ARVO_STR(""), &number);
}

static bool
reachable_find(machine_check *mc)
{
    check_reach r;
    if (!arvo__check_reach_init(&r, mc->machine, mc->arena))
        return false;
    arvo__check_reach_enter(&r, CHART_ROOT);
    arvo__check_reach_follow(&r);
    mc->reachable = r.seen;
    return true;
}

/* ---- What the document allows ---- */

/* Whether the rule may be silenced; if not, that is said. */
static bool
allow_is_right(machine_check *mc, uint16_t state, arvo_str pointer, arvo_str id, check_rule rule)
{
    size_t count;
    if (rule == CHECK_RULE_COUNT)
        arvo__check_at_state(
            mc, CHECK_BAD_ALLOW, state, pointer, ARVO_STR_NONE, "there is no rule '%.*s'",
            ARVO_FMT(id));
    else if (arvo_check_rules(&count)[rule].severity == ARVO_CHECK_ERROR)
        arvo__check_at_state(
            mc, CHECK_BAD_ALLOW, state, pointer, ARVO_STR("correct what it finds"),
            "'%.*s' is an error, and only warnings can be allowed", ARVO_FMT(id));
    else
        return rule != CHECK_UNUSED_ALLOW;
    return false;
}

/* The innermost `allow` serves: a finding that has a reason keeps it. */
static bool
allow_apply(
    machine_check *mc, uint16_t state, check_rule rule, arvo_str reason, size_t first, size_t last)
{
    size_t count;
    const arvo_check_rule *const wanted = &arvo_check_rules(&count)[rule];
    bool is_used = false;
    for (size_t i = first; i < last; i++) {
        check_entry *const entry = &mc->check->entries[i];
        if (entry->finding.rule != wanted || entry->state == CHART_NONE ||
            (entry->state != state && !chart_is_descendant(mc->machine, entry->state, state)))
            continue;
        is_used = true;
        if (entry->finding.reason.ptr == NULL)
            entry->finding.reason = arvo_arena_str_dup(mc->arena, reason);
    }
    return is_used;
}

static void
allow_state(machine_check *mc, uint16_t state, size_t first, size_t last)
{
    const arvo_json *const allow = arvo_json_get(mc->nodes[state], "allow");
    for (size_t i = 0; i < arvo_json_count(allow); i++) {
        const arvo_json *const item = arvo_json_at(allow, i);
        const arvo_str id = arvo_json_str(arvo_json_get(item, "rule"));
        const arvo_str reason = arvo_json_str(arvo_json_get(item, "reason"));
        const check_rule rule = arvo__check_rule_find(id);
        const arvo_str pointer =
            arvo_arena_printf(mc->arena, "%.*s/allow/%zu", ARVO_FMT(mc->pointers[state]), i);
        if (!allow_is_right(mc, state, pointer, id, rule))
            continue;
        /* What a repair took away may have been what it allowed. */
        if (!allow_apply(mc, state, rule, reason, first, last) && !mc->is_repaired)
            arvo__check_at_state(
                mc, CHECK_UNUSED_ALLOW, state, pointer, ARVO_STR_NONE,
                "'%.*s' finds nothing here that needs it", ARVO_FMT(id));
    }
}

/* ---- All of it ---- */

arvo_status
arvo__check_chart(
    arvo_check *check, const arvo_machine *machine, const arvo_document *document,
    const arvo_json *root, bool is_repaired, arvo_error *err)
{
    machine_check mc = {
        .check = check,
        .arena = check->arena,
        .machine = machine,
        .document = document,
        .root = root,
        .is_repaired = is_repaired,
        .pointer = { .bytes_max = POINTER_BYTES_MAX, .allocator = check->allocator },
    };
    const size_t first = check->count;
    if (read_states(&mc)) {
        mc.pointer.len = 0;
        if (!reachable_find(&mc))
            check->has_failed = true;
        else if (!is_repaired)
            arvo__check_graph(&mc);
        if (!check->has_failed)
            arvo__check_places(&mc);
        const size_t last = check->count;
        for (uint32_t i = machine->state_count; i-- > 0;) /* the inner states first */
            allow_state(&mc, (uint16_t)i, first, last);
    } else {
        check->has_failed = true;
    }
    arvo_buf_fini(&mc.pointer);
    return arvo__check_status(check, err);
}
