/* Orchestrators: checked options, the registry over their machines. */

#include "orchestrator/internal.h"
#include "telemetry/log_internal.h"

#include <math.h>

/* ---- Registry ------------------------------------------------------------------ */

arvo_status
arvo__registry_resolve(
    void *self, arvo_str name, arvo_str version, const arvo_machine **out, arvo_error *err)
{
    (void)err;
    const arvo_orchestrator *o = self;
    const bool latest = arvo_str_is(version, ARVO_VERSION_WILDCARD);

    *out = NULL;
    if (!arvo_str_equal(name, o->source))
        return ARVO_OK;
    for (size_t i = 0; i < o->machine_count; i++) {
        const arvo_str have = arvo_machine_version(o->machines[i]);
        if (latest ? *out == NULL || arvo_version_compare(have, arvo_machine_version(*out)) > 0
                   : arvo_str_equal(have, version))
            *out = o->machines[i];
    }
    return ARVO_OK;
}

/* ---- Options ------------------------------------------------------------------------ */

static arvo_status
orchestrator_check_machines(const arvo_orchestrator_opts *opts, arvo_error *err)
{
    if (opts->machine_count == 0 || opts->machines == NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "machines: an orchestrator needs at least one machine");
    const arvo_str source = arvo_machine_source(opts->machines[0]);
    if (source.ptr == NULL)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "machine %.*s: it has no contracts, so no event can start it: add contracts.self",
            ARVO_FMT(arvo_machine_id(opts->machines[0])));
    for (size_t i = 1; i < opts->machine_count; i++) {
        const arvo_machine *machine = opts->machines[i];
        if (!arvo_str_equal(arvo_machine_source(machine), source))
            return arvo__fail(
                err, ARVO_E_INVALID,
                "machine %.*s: all machines of an orchestrator must be started by one type, "
                "%.*s; give it an orchestrator of its own",
                ARVO_FMT(arvo_machine_id(machine)), ARVO_FMT(source));
        for (size_t k = 0; k < i; k++)
            if (arvo_str_equal(
                    arvo_machine_version(machine), arvo_machine_version(opts->machines[k])))
                return arvo__fail(
                    err, ARVO_E_INVALID, "machine %.*s: version %.*s of %.*s is there twice",
                    ARVO_FMT(arvo_machine_id(machine)), ARVO_FMT(arvo_machine_version(machine)),
                    ARVO_FMT(source));
    }
    return ARVO_OK;
}

static arvo_status
orchestrator_check_tables(const arvo_orchestrator_opts *opts, arvo_error *err)
{
    const arvo_registry *registry = opts->registry;
    const arvo_engine *engine = opts->engine;
    const arvo_platform *platform = opts->platform;

    if (opts->memory == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "memory: an orchestrator needs a store");
    if (registry != NULL &&
        (registry->version != ARVO_REGISTRY_OPS_VERSION || registry->resolve == NULL))
        return arvo__fail(
            err, ARVO_E_INVALID, "registry: needs version %u and resolve",
            ARVO_REGISTRY_OPS_VERSION);
    if (engine != NULL && (engine->version != ARVO_ENGINE_OPS_VERSION || engine->execute == NULL))
        return arvo__fail(
            err, ARVO_E_INVALID, "engine: needs version %u and execute", ARVO_ENGINE_OPS_VERSION);
    if (platform != NULL &&
        (platform->version != ARVO_PLATFORM_OPS_VERSION || platform->time_ms == NULL ||
         platform->monotonic_ns == NULL || platform->random == NULL))
        return arvo__fail(
            err, ARVO_E_INVALID, "platform: needs version %u, time_ms, monotonic_ns and random",
            ARVO_PLATFORM_OPS_VERSION);
    if (opts->shares_with != NULL &&
        arvo__scratch_pool_is_lenient(opts->shares_with->pool) != opts->lenient_subjects)
        return arvo__fail(
            err, ARVO_E_INVALID, "lenient_subjects: must be what it is in shares_with");
    if (!(opts->executionunits >= 0) || !isfinite(opts->executionunits))
        return arvo__fail(err, ARVO_E_INVALID, "executionunits: must be a number, 0 or more");
    const arvo_status st = arvo_log_check(platform != NULL ? platform->log : NULL, err);
    return st == ARVO_OK ? arvo_telemetry_check(opts->telemetry, err) : st;
}

/* ---- Life ------------------------------------------------------------------------------ */

static void
orchestrator_apply(arvo_orchestrator *o, const arvo_orchestrator_opts *opts)
{
    static const arvo_registry own = { .version = ARVO_REGISTRY_OPS_VERSION,
                                       .resolve = arvo__registry_resolve };
    if (opts->registry != NULL) {
        o->registry = *opts->registry;
    } else {
        o->registry = own;
        o->registry.self = o;
    }
    o->memory = opts->memory;
    o->store = arvo_memory_ops_of(opts->memory);
    o->store_self = arvo_memory_self(opts->memory);
    o->has_commit = o->store->commit != NULL;
    o->keeps_history = o->store->history != NULL &&
                       (o->store->keeps_history == NULL || o->store->keeps_history(o->store_self));
    o->engine = opts->engine != NULL ? opts->engine : arvo_engine_statechart();
    o->platform = opts->platform != NULL ? opts->platform : arvo_platform_system();
    o->telemetry = opts->telemetry;
    o->executionunits = opts->executionunits;
    o->violations = opts->violations;
    o->lease_ms = opts->lease_ms > 0 ? opts->lease_ms : ARVO_LEASE_MS_DEFAULT;
    o->lock_wait_ms = opts->lock_wait_ms == 0  ? ARVO_LOCK_WAIT_MS_DEFAULT
                      : opts->lock_wait_ms < 0 ? 0
                                               : opts->lock_wait_ms;
    if (o->store->renew != NULL && opts->lease_renew_max_ms >= 0)
        o->renew_max_ms = opts->lease_renew_max_ms > 0 ? opts->lease_renew_max_ms
                                                       : ARVO_LEASE_RENEW_MAX_MS_DEFAULT;
    o->error_stack = opts->error_stack;
}

arvo_status
arvo_orchestrator_create(
    const arvo_orchestrator_opts *opts, arvo_orchestrator **out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && out != NULL);
    arvo_status st = orchestrator_check_tables(opts, err);
    if (st == ARVO_OK)
        st = orchestrator_check_machines(opts, err);
    if (st != ARVO_OK)
        return st;

    arvo_orchestrator *o = arvo__calloc(opts->allocator, 1, sizeof(*o));
    if (o == NULL)
        return arvo__nomem(err);
    if (opts->allocator != NULL) {
        o->allocator_copy = *opts->allocator;
        o->allocator = &o->allocator_copy;
    }
    o->machines = arvo__calloc(o->allocator, opts->machine_count, sizeof(*o->machines));
    o->pool = opts->shares_with != NULL
                  ? arvo__scratch_pool_ref(opts->shares_with->pool)
                  : arvo__scratch_pool_new(o->allocator, opts->lenient_subjects);
    if (o->machines == NULL || o->pool == NULL) {
        arvo__scratch_pool_unref(o->pool);
        arvo__free(o->allocator, o->machines, opts->machine_count * sizeof(*o->machines));
        arvo__free(opts->allocator, o, sizeof(*o));
        return arvo__nomem(err);
    }
    for (size_t i = 0; i < opts->machine_count; i++)
        o->machines[i] = arvo_machine_ref(opts->machines[i]);
    o->machine_count = opts->machine_count;
    o->self = arvo_machine_self(o->machines[0]);
    o->source = arvo_machine_source(o->machines[0]);
    orchestrator_apply(o, opts);
    *out = o;
    return ARVO_OK;
}

void
arvo_orchestrator_free(arvo_orchestrator *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < o->machine_count; i++)
        arvo_machine_unref(o->machines[i]);
    arvo__scratch_pool_unref(o->pool);
    arvo__free(o->allocator, o->machines, o->machine_count * sizeof(*o->machines));
    const arvo_allocator copy = o->allocator_copy;
    arvo__free(o->allocator != NULL ? &copy : NULL, o, sizeof(*o));
}

arvo_str
arvo_orchestrator_source(const arvo_orchestrator *orchestrator)
{
    return orchestrator->source;
}

size_t
arvo_orchestrator_machine_count(const arvo_orchestrator *orchestrator)
{
    return orchestrator->machine_count;
}

const arvo_machine *
arvo_orchestrator_machine_at(const arvo_orchestrator *orchestrator, size_t i)
{
    return i < orchestrator->machine_count ? orchestrator->machines[i] : NULL;
}

arvo_memory *
arvo_orchestrator_memory(const arvo_orchestrator *orchestrator)
{
    return orchestrator->memory;
}
