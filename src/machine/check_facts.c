/* Checks: what a machine raises and assigns, wherever it does; and the walk that looks at each
 * place with that in mind. */

#include "machine/check.h"

static void *const present = (void *)(uintptr_t)1;

static void
fact_add(machine_check *mc, arvo__map *map, arvo_str name)
{
    if (!arvo__map_set(map, name, present))
        mc->check->has_failed = true;
}

static void
facts_of_keys(machine_check *mc, const arvo_json *object)
{
    for (size_t i = 0; i < arvo_json_count(object); i++)
        fact_add(mc, &mc->assigned, arvo_json_key_at(object, i));
}

static bool
is_named(const machine_check *mc, arvo_str name)
{
    return arvo_json_get_str(arvo_json_get(mc->root, "actions"), name) != NULL;
}

static bool
is_builtin(arvo_str name)
{
    static const char *const names[] = { "assign",           "raise",         "emit", "log",
                                         "enqueueArvoEvent", "enqueueActions" };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++)
        if (arvo_str_is(name, names[i]))
            return true;
    return false;
}

static void
facts_of_action(machine_check *mc, const check_where *where, arvo_str name, const arvo_json *params)
{
    (void)where;
    const bool is_object = arvo_json_type_of(params) == ARVO_JSON_OBJECT;
    if (arvo_str_is(name, "assign")) {
        facts_of_keys(mc, params);
        mc->assigns_any |= !is_object;
    } else if (arvo_str_is(name, "raise")) {
        const arvo_json *const type = arvo_json_get(params, "type");
        const bool is_constant =
            arvo_json_str(type).ptr != NULL && !arvo__expr_is(arvo_json_str(type));
        mc->raises_any |= !is_constant;
        if (is_constant)
            fact_add(mc, &mc->raised, arvo_json_str(type));
    } else if (!is_builtin(name) && !is_named(mc, name)) {
        mc->assigns_any = true; /* a function in C may do anything */
        mc->raises_any = true;
    }
}

static void
facts_find(machine_check *mc)
{
    static const check_visitor visitor = { .action = facts_of_action };
    const arvo_json *const context = arvo_json_get(mc->root, "context");
    facts_of_keys(mc, context);
    mc->assigns_any = context != NULL && arvo_json_type_of(context) != ARVO_JSON_OBJECT;
    if (!arvo__check_walk(mc, &visitor)) {
        mc->assigns_any = true;
        mc->raises_any = true;
    }
}

void
arvo__check_context_read(machine_check *mc, const check_where *where, arvo_str key)
{
    if (mc->assigns_any || mc->is_repaired || arvo__map_find(&mc->assigned, key) != NULL)
        return;
    const arvo_str kept = arvo_arena_str_dup(mc->arena, key);
    if (kept.ptr != NULL)
        fact_add(mc, &mc->assigned, kept); /* said once */
    arvo__check_at_state(
        mc, CHECK_UNSET_CONTEXT, where->state, arvo_buf_str(&mc->pointer), ARVO_STR_NONE,
        ".context.%.*s is read, and nothing sets it", ARVO_FMT(key));
}

static void
action_look(machine_check *mc, const check_where *where, arvo_str name, const arvo_json *params)
{
    if (arvo_str_is(name, "emit") || arvo_str_is(name, "enqueueArvoEvent"))
        arvo__check_emission(mc, where, params);
}

void
arvo__check_places(machine_check *mc)
{
    static const check_visitor visitor = { .action = action_look,
                                           .expression = arvo__check_expression,
                                           .handler = arvo__check_handler,
                                           .transitions = arvo__check_order };
    mc->raised.allocator = mc->check->allocator;
    mc->assigned.allocator = mc->check->allocator;
    facts_find(mc);
    const bool is_whole = arvo__check_walk(mc, &visitor);
    if (is_whole && !mc->is_repaired)
        arvo__check_fields(mc);
    if (!mc->is_repaired)
        arvo__check_output(mc);
    arvo__map_fini(&mc->raised);
    arvo__map_fini(&mc->assigned);
}
