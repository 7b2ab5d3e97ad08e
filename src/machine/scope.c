/* What guard and action functions may call. */

#include "machine/run.h"

static void
effect_add(const arvo_scope *scope, run_effect effect)
{
    struct arvo__scope_impl *const impl = scope->impl;
    ARVO_ASSERT(impl->is_action); /* a guard decides, and does nothing */
    run_effect *const effects = arvo__run_grow(
        impl->run, impl->effects, impl->effect_count, &impl->effect_cap, sizeof(*effects));
    if (effects == NULL)
        return; /* the arena remembers */
    impl->effects = effects;
    effects[impl->effect_count++] = effect;
}

void
arvo_scope_assign(const arvo_scope *scope, arvo_str key, const arvo_json *value)
{
    ARVO_ASSERT(key.ptr != NULL);
    effect_add(
        scope, (run_effect){ .kind = RUN_ASSIGN,
                             .text = arvo_arena_str_dup(scope->arena, key),
                             .value = value != NULL ? value : arvo_json_null() });
}

void
arvo_scope_raise(const arvo_scope *scope, const arvo_json *event)
{
    effect_add(scope, (run_effect){ .kind = RUN_RAISE, .value = event });
}

void
arvo_scope_emit(const arvo_scope *scope, const arvo_json *emission)
{
    effect_add(scope, (run_effect){ .kind = RUN_EMIT, .value = emission });
}

void
arvo_scope_log(const arvo_scope *scope, arvo_str message)
{
    effect_add(
        scope, (run_effect){ .kind = RUN_LOG, .text = arvo_arena_str_dup(scope->arena, message) });
}

void
arvo_scope_fail(const arvo_scope *scope, arvo_str name, arvo_str message)
{
    struct arvo__scope_impl *const impl = scope->impl;
    if (impl->has_failed)
        return;
    impl->has_failed = true;
    impl->fail_name = arvo_arena_str_dup(scope->arena, name.len > 0 ? name : ARVO_STR("Error"));
    impl->fail_message =
        arvo_arena_str_dup(scope->arena, message.ptr != NULL ? message : ARVO_STR(""));
}
