/* The ten steps: one event, one macrostep, one commit (DESIGN 1, spec 9.2).
 *
 * arvo_orchestrator_execute_from() at the end of this file reads as the list;
 * each step is the function of that name. A step returns ARVO_OK, a transaction
 * error (the caller gets it, nothing has changed), or a workflow error
 * (ARVO_E_CONTRACT, ARVO_E_CONFIG, ARVO_E_EXECUTION), which becomes the
 * sys.*.error event of step 9 and is committed like any other outcome.
 */

#include "orchestrator/internal.h"

arvo_str
arvo__error_message(arvo_arena *arena, arvo_str text)
{
    if (arvo__utf8_is_valid(text))
        return arvo_arena_str_dup(arena, text);
    arvo_error shown;
    (void)arvo__fail(&shown, ARVO_E_EXECUTION, "%.*s", ARVO_FMT(text));
    return arvo_arena_str_dup(arena, arvo_str_from(shown.text));
}

arvo_status
arvo__execution_fail_with(arvo__execution *x, arvo_status status, arvo_str name, arvo_str message)
{
    x->error_name = arvo__error_message(x->arena, name);
    x->error_message = arvo__error_message(x->arena, message);
    if (x->error_name.ptr == NULL || x->error_message.ptr == NULL)
        return arvo__nomem(x->err);
    return arvo__fail(
        x->err, status, "event %.*s: %.*s", ARVO_FMT(x->event->id), ARVO_FMT(x->error_message));
}

/* A transaction error: which kind, and what the lower layer said of it. */
static arvo_status
execute_transaction_error(
    arvo__execution *x, arvo_status kind, const char *what, arvo_status status,
    const arvo_error *why)
{
    if (status == ARVO_E_NOMEM)
        return arvo__nomem(x->err);
    return arvo__fail(
        x->err, kind, "event %.*s: %s: %s", ARVO_FMT(x->event->id), what,
        why->text[0] != '\0' ? why->text : arvo_status_text(status));
}

/* ---- 2: subject ------------------------------------------------------------------ */

static arvo_status
step_check_subject(arvo__execution *x)
{
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st =
        arvo_subject_decode(x->scratch->codec, x->event->subject, x->arena, &x->subject, &why);
    if (st == ARVO_OK)
        return ARVO_OK;
    return execute_transaction_error(
        x, ARVO_E_SUBJECT, "the subject is not an orchestration subject", st, &why);
}

/* ---- 3: lock ----------------------------------------------------------------------- */

/* Steps 3 and 4 in one round trip, where the store can. */
static arvo_status
execute_lock_and_read(arvo__execution *x, arvo_error *why)
{
    const arvo_orchestrator *o = x->orchestrator;
    const arvo_lock_request request = { .subject = x->event->subject,
                                        .source = x->event->source,
                                        .id = x->event->id,
                                        .ttl_ms = o->lease_ms,
                                        .wait_ms = o->lock_wait_ms };
    arvo_locked locked = { 0 };
    const arvo_status st = o->store->lock_read(o->store_self, &request, x->arena, &locked, why);
    if (st != ARVO_OK || !locked.is_acquired)
        return st;
    x->is_locked = true;
    x->lease = locked.lease;
    x->is_read = true;
    x->has_record = locked.has_record;
    x->is_consumed = locked.is_consumed;
    if (locked.has_record)
        x->record = locked.record;
    return ARVO_OK;
}

static arvo_status
step_lock(arvo__execution *x)
{
    const arvo_orchestrator *o = x->orchestrator;
    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Lock", &start_ns);

    const int64_t asked_ns = arvo__execution_lock_begin(x);
    arvo_error why;
    arvo__error_clear(&why);
    arvo_status st = o->store->lock_read != NULL
                         ? execute_lock_and_read(x, &why)
                         : o->store->lock(
                               o->store_self, x->event->subject, o->lease_ms, o->lock_wait_ms,
                               &x->is_locked, &x->lease, &why);
    arvo__execution_lock_end(x, asked_ns);
    if (st != ARVO_OK)
        st = execute_transaction_error(
            x, ARVO_E_LOCK_FAILED, "the lock on the subject could not be taken", st, &why);
    else if (!x->is_locked)
        st = arvo__fail(
            x->err, ARVO_E_LOCK_DENIED,
            "event %.*s: the subject is locked by another execution: deliver the event again later",
            ARVO_FMT(x->event->id));
    else
        arvo__hold_begin(x);
    arvo__trace_phase_end(x, span, ARVO_MEASURE_LOCK_WAIT_NS, start_ns, st);
    return st;
}

/* ---- 4: read ------------------------------------------------------------------------- */

typedef struct recorded_rows {
    arvo__execution *x;
    arvo_status status;
} recorded_rows;

static bool
execute_take_recorded(void *user, const arvo_stored_event *row)
{
    recorded_rows *rows = user;
    rows->status = arvo__emission_recorded(rows->x, row->json, row->domains);
    return rows->status == ARVO_OK;
}

/* An event that was consumed before has its outcome recorded: that is the answer. */
static arvo_status
execute_find_recorded(arvo__execution *x)
{
    const arvo_orchestrator *o = x->orchestrator;
    if (o->store->inbox_find == NULL)
        return ARVO_OK;

    bool found = false;
    arvo_error why;
    arvo__error_clear(&why);
    recorded_rows rows = { x, ARVO_OK };
    arvo_status st = o->store->inbox_find(
        o->store_self, x->event->subject, x->event->source, x->event->id, &found,
        execute_take_recorded, &rows, &why);
    if (st == ARVO_OK)
        st = rows.status;
    if (st != ARVO_OK)
        return execute_transaction_error(
            x, ARVO_E_READ_FAILED, "the inbox could not be read", st, &why);
    if (found || x->is_consumed) {
        x->outcome = ARVO_OUTCOME_DUPLICATE;
        x->is_settled = true;
    }
    return ARVO_OK;
}

/* What lock_read has not read already. */
static arvo_status
execute_read(arvo__execution *x)
{
    if (x->is_read)
        return ARVO_OK;
    const arvo_orchestrator *o = x->orchestrator;
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st = o->store->read(
        o->store_self, x->event->subject, x->arena, &x->has_record, &x->record, &why);
    x->is_consumed = false;
    return st == ARVO_OK ? st
                         : execute_transaction_error(
                               x, ARVO_E_READ_FAILED, "the state could not be read", st, &why);
}

static arvo_status
step_read(arvo__execution *x)
{
    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Read", &start_ns);

    arvo_status st = execute_read(x);
    if (st == ARVO_OK && x->has_record) {
        x->parent_subject = x->record.parent_subject;
        if (!x->is_read || x->is_consumed) /* an instance without a record has consumed nothing */
            st = execute_find_recorded(x);
    }
    arvo__trace_phase_end(x, span, ARVO_MEASURE_READ_NS, start_ns, st);
    return st;
}

/* ---- 5: routing ------------------------------------------------------------------------ */

static arvo_status
execute_ignore(arvo__execution *x, const char *why)
{
    arvo__trace_log(x, ARVO_LOG_WARNING, "event ignored: %s", why);
    x->outcome = ARVO_OUTCOME_IGNORED;
    x->ignored = why;
    x->is_settled = true;
    return ARVO_OK;
}

/* `to` names us, or is no more than the default (the type), which addresses nobody in particular.
 */
static bool
execute_is_addressed(const arvo__execution *x)
{
    const arvo_event *event = x->event;
    return event->to.ptr == NULL || arvo_str_equal(event->to, x->orchestrator->source) ||
           arvo_str_equal(event->to, event->type);
}

static arvo_status
execute_route(arvo__execution *x)
{
    if (!arvo_str_equal(x->subject.orchestrator_name, x->orchestrator->source))
        return execute_ignore(x, "its subject belongs to another orchestrator");
    if (!execute_is_addressed(x))
        return execute_ignore(x, "it is addressed to someone else");
    if (!x->has_record && !arvo_str_equal(x->event->type, x->orchestrator->source))
        return execute_ignore(x, "there is no such instance, and it is not a start event");
    if (x->has_record && arvo_str_is(x->record.status, "done"))
        return execute_ignore(x, "the instance is done");
    if (x->has_record && x->record.state.ptr == NULL)
        return execute_ignore(x, "the instance failed at its start");
    return ARVO_OK;
}

static arvo_status
step_route(arvo__execution *x)
{
    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Route", &start_ns);
    const arvo_status st = execute_route(x);
    arvo__trace_phase_end(x, span, ARVO_MEASURE_COUNT, start_ns, st);
    return st;
}

/* ---- 6: resolve -------------------------------------------------------------------------- */

static arvo_status
step_resolve(arvo__execution *x)
{
    const arvo_registry *registry = &x->orchestrator->registry;
    const arvo_str version = x->has_record ? x->record.version : x->subject.orchestrator_version;
    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Resolve Machine", &start_ns);
    arvo_error why;
    arvo__error_clear(&why);

    arvo__trace_phase_event(x, span, x->event);
    arvo__trace_phase_str(
        x, span, "arvo.parsed.subject.orchestrator.name", x->subject.orchestrator_name);
    arvo__trace_phase_str(
        x, span, "arvo.parsed.subject.orchestrator.version", x->subject.orchestrator_version);
    arvo_status st =
        registry->resolve(registry->self, x->orchestrator->source, version, &x->machine, &why);
    if (st == ARVO_E_NOMEM)
        st = arvo__nomem(x->err);
    else if (st != ARVO_OK)
        st = arvo__execution_fail(
            x, ARVO_E_CONFIG, "ConfigViolation", "the registry failed: %s", why.text);
    else if (x->machine == NULL)
        st = arvo__execution_fail(
            x, ARVO_E_CONFIG, "ConfigViolation", "there is no machine %.*s in version %.*s",
            ARVO_FMT(x->orchestrator->source), ARVO_FMT(version));
    arvo__trace_phase_end(x, span, ARVO_MEASURE_COUNT, start_ns, st);
    return st;
}

/* ---- 7: validate --------------------------------------------------------------------------- */

/* Who declares the event's type: the machine's own contract for a start, else a service of its. */
static const arvo_contract_version *
execute_contract_of(const arvo__execution *x, const arvo_event_rule **out_rule)
{
    const arvo_contract_version *self = arvo_machine_self(x->machine);
    if (arvo_str_equal(x->event->type, self->accepts.type)) {
        *out_rule = &self->accepts;
        return self;
    }
    return arvo_machine_service_emitting(x->machine, x->event->type, out_rule);
}

/* Spec 5.3: a dataschema that can be read must name the contract and its version. */
static arvo_status
execute_check_dataschema(arvo__execution *x, const arvo_contract_version *contract)
{
    arvo_str uri, version;
    if (!arvo_dataschema_parse(x->event->dataschema, &uri, &version)) {
        arvo__trace_log(x, ARVO_LOG_WARNING, "the event names no contract version to check");
        return ARVO_OK;
    }
    if (!arvo_str_equal(uri, contract->uri))
        return arvo__execution_fail(
            x, ARVO_E_CONTRACT, "ContractViolation",
            "%.*s: its dataschema names the contract %.*s, but %.*s declares the type",
            ARVO_FMT(x->event->type), ARVO_FMT(uri), ARVO_FMT(contract->uri));
    if (!arvo_str_is(version, ARVO_VERSION_WILDCARD) && !arvo_str_equal(version, contract->version))
        return arvo__execution_fail(
            x, ARVO_E_CONTRACT, "ContractViolation",
            "%.*s: its dataschema names version %.*s, but the machine uses version %.*s of %.*s",
            ARVO_FMT(x->event->type), ARVO_FMT(version), ARVO_FMT(contract->version),
            ARVO_FMT(contract->uri));
    return ARVO_OK;
}

/* A child remembers its parent from its start event on; later start events change nothing (D8). */
static arvo_status
execute_take_parent(arvo__execution *x, const arvo_json *data)
{
    const arvo_str parent = arvo_json_str(arvo_json_get(data, "parentSubject$$"));
    if (x->has_record || parent.len == 0)
        return ARVO_OK;

    arvo_error why;
    arvo__error_clear(&why);
    arvo_subject ignored;
    const arvo_status st = arvo_subject_decode(x->scratch->codec, parent, x->arena, &ignored, &why);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(x->err);
    if (st != ARVO_OK)
        return arvo__execution_fail(
            x, ARVO_E_EXECUTION, "ExecutionViolation",
            "data.parentSubject$$ is not an orchestration subject: %s", why.text);
    x->parent_subject = parent;
    return ARVO_OK;
}

static arvo_status
execute_validate(arvo__execution *x)
{
    const arvo_event_rule *rule = NULL;
    const arvo_contract_version *contract = execute_contract_of(x, &rule);
    if (contract == NULL)
        return arvo__execution_fail(
            x, ARVO_E_CONFIG, "ConfigViolation",
            "%.*s: no contract of the machine declares the type", ARVO_FMT(x->event->type));

    arvo_status st = execute_check_dataschema(x, contract);
    if (st != ARVO_OK)
        return st;

    arvo_event event = *x->event;
    arvo_error why;
    arvo__error_clear(&why);
    st = arvo_schema_normalise(rule->schema, x->event->data, x->arena, &event.data, &why);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(x->err);
    if (st != ARVO_OK)
        return arvo__execution_fail(
            x, ARVO_E_CONTRACT, "ContractViolation", "%.*s: the data breaks %.*s: %s",
            ARVO_FMT(event.type), ARVO_FMT(contract->dataschema), why.text);

    st = execute_take_parent(x, event.data);
    if (st != ARVO_OK)
        return st;
    x->event_json = arvo_event_to_json(&event, x->arena);
    return x->event_json != NULL ? ARVO_OK : arvo__nomem(x->err);
}

static arvo_status
step_validate(arvo__execution *x)
{
    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Validate", &start_ns);
    const arvo_status st = execute_validate(x);
    arvo__trace_phase_end(x, span, ARVO_MEASURE_VALIDATE_NS, start_ns, st);
    return st;
}

/* ---- 8: run ---------------------------------------------------------------------------------- */

/* The start event, for a machine that reads `input` in later steps. */
static arvo_status
execute_input(arvo__execution *x, const arvo_json **out)
{
    *out = x->has_record ? NULL : x->event_json;
    if (!x->has_record || x->record.input.ptr == NULL)
        return ARVO_OK;
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st = arvo_json_parse(x->record.input, x->arena, out, &why);
    if (st != ARVO_OK)
        return execute_transaction_error(
            x, ARVO_E_READ_FAILED, "the stored start event is damaged", st, &why);
    return ARVO_OK;
}

/* The machine's own words where it has some; an engine of the user's may have none. */
static arvo_status
execute_machine_failed(arvo__execution *x, arvo_status status, arvo_str why)
{
    arvo_str name = x->output.error_name;
    if (name.ptr == NULL)
        name = status == ARVO_E_CONTRACT ? ARVO_STR("ContractViolation")
               : status == ARVO_E_CONFIG ? ARVO_STR("ConfigViolation")
                                         : ARVO_STR("Error");
    const arvo_str message = x->output.error_message;
    return arvo__execution_fail_with(x, status, name, message.ptr != NULL ? message : why);
}

static arvo_status
step_run(arvo__execution *x)
{
    const arvo_engine *engine = x->orchestrator->engine;
    arvo_machine_input input = { .state = x->has_record ? x->record.state : ARVO_STR_NONE,
                                 .event = x->has_record ? x->event_json : NULL };
    arvo_status st = execute_input(x, &input.input);
    if (st != ARVO_OK)
        return st;

    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Execute Machine", &start_ns);
    arvo__trace_phase_str(x, span, "arvo.machine.type", x->orchestrator->source);
    arvo__trace_phase_str(x, span, "arvo.machine.version", arvo_machine_version(x->machine));
    arvo__trace_phase_event(x, span, x->event);
    arvo_error why;
    arvo__error_clear(&why);
    st = engine->execute(engine->self, x->machine, &input, x->arena, &x->output, &why);
    if (arvo__is_workflow_error(st)) {
        st = execute_machine_failed(x, st, arvo_str_from(why.text));
    } else if (st == ARVO_E_INCOMPATIBLE_STATE) {
        st = arvo__fail(
            x->err, st,
            "event %.*s: the stored state does not fit machine %.*s@%.*s, give the changed machine "
            "a version of its own: %s",
            ARVO_FMT(x->event->id), ARVO_FMT(x->orchestrator->source),
            ARVO_FMT(arvo_machine_version(x->machine)), why.text);
    } else if (st != ARVO_OK) {
        st = execute_transaction_error(x, st, "the engine failed", st, &why);
    }
    arvo__trace_phase_end(x, span, ARVO_MEASURE_EXECUTE_NS, start_ns, st);
    return st;
}

/* ---- 10: commit ---------------------------------------------------------------------------------
 */

static arvo_str
execute_write_event(arvo__execution *x, const arvo_event *event)
{
    arvo_buf *text = &x->scratch->text;
    arvo_buf_reset(text);
    arvo_event_write(event, text);
    return text->status == ARVO_OK ? arvo_arena_str_dup(x->arena, arvo_buf_str(text))
                                   : ARVO_STR_NONE;
}

/* The record that the start event of a new instance leaves, whatever comes of it. */
static arvo_record
execute_first_record(const arvo__execution *x, arvo_str event_text)
{
    arvo_record record = { 0 };
    record.subject = x->event->subject;
    record.parent_subject = x->parent_subject;
    record.orchestrator = x->orchestrator->source;
    /* The subject's is the codec's, and the result outlives that. */
    record.version = x->machine != NULL
                         ? arvo_machine_version(x->machine)
                         : arvo_arena_str_dup(x->arena, x->subject.orchestrator_version);
    record.status = ARVO_STR("error"); /* a start that fails leaves this */
    if (x->machine != NULL && arvo_machine_keeps_input(x->machine))
        record.input = event_text;
    return record;
}

/* The record after a step, or after a workflow error: then the state is as it was. false: out of
 * memory. */
static bool
execute_new_record(const arvo__execution *x, arvo_str event_text, arvo_record *out)
{
    *out = x->has_record ? x->record : execute_first_record(x, event_text);
    out->last_error = x->last_error;
    if (x->machine != NULL)
        out->definition = arvo_machine_definition_hash(x->machine);
    if (x->outcome == ARVO_OUTCOME_EXECUTED) {
        out->status = arvo_str_from(arvo_machine_status_name(x->output.status));
        out->value = x->output.value;
        out->state = x->output.state;
    }
    return out->version.ptr != NULL;
}

static arvo_status
execute_write_alone(arvo__execution *x, const arvo_record *record, arvo_error *why)
{
    const arvo_orchestrator *o = x->orchestrator;
    return o->store->write(
        o->store_self, x->event->subject, record, x->has_record ? &x->record : NULL, &x->lease,
        why);
}

static arvo_status
execute_write_all(arvo__execution *x, const arvo_record *record, arvo_str text, arvo_error *why)
{
    const arvo_orchestrator *o = x->orchestrator;
    arvo_stored_event *produced =
        arvo__arena_alloc(x->arena, (x->event_count + 1) * sizeof(*produced));
    if (produced == NULL)
        return ARVO_E_NOMEM;
    for (size_t i = 0; i < x->event_count; i++)
        produced[i] = arvo__stored_event(
            ARVO_PRODUCED, x->event->subject, x->events[i], x->domain_texts[i], x->event_texts[i]);
    const arvo_stored_event consumed = arvo__stored_event(
        ARVO_CONSUMED, x->event->subject, x->event, ARVO_STR(ARVO__DOMAINS_PLAIN),
        text.ptr != NULL ? text : ARVO_STR(""));
    const arvo_commit commit = {
        .subject = x->event->subject,
        .lease = &x->lease,
        .release = true,
        .record = record,
        .previous_revision = x->has_record ? x->record.revision : 0,
        .consumed = &consumed,
        .produced = produced,
        .produced_count = x->event_count,
        .definition_json =
            x->machine != NULL && !arvo_str_equal(record->definition, x->record.definition)
                ? arvo_machine_definition(x->machine)
                : ARVO_STR_NONE,
        .outbox_done = x->outbox_seq,
    };
    const arvo_status st = o->store->commit(o->store_self, &commit, 1, why);
    if (st == ARVO_OK)
        x->is_locked = false; /* released in the same transaction */
    return st;
}

/* The consumed event's text is for the history, and at a start for a machine that reads its input
 * later. */
static bool
execute_needs_text(const arvo__execution *x)
{
    return (x->orchestrator->has_commit && x->orchestrator->keeps_history) ||
           (!x->has_record && x->machine != NULL && arvo_machine_keeps_input(x->machine));
}

/* Nothing was committed for an event that is ignored or known, so its outbox row is marked here. */
static arvo_status
execute_settle(arvo__execution *x)
{
    const arvo_orchestrator *o = x->orchestrator;
    if (x->outbox_seq == 0 || o->store->outbox_done == NULL)
        return ARVO_OK;
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st = o->store->outbox_done(o->store_self, x->outbox_seq, &why);
    if (st != ARVO_OK)
        return execute_transaction_error(
            x, ARVO_E_WRITE_FAILED, "the delivery could not be marked done", st, &why);
    return ARVO_OK;
}

/* The event was consumed, or its row of the outbox done, by someone else since step 4: what that
 * left is the answer. */
static arvo_status
execute_yield(arvo__execution *x)
{
    x->event_count = 0;
    x->has_record = false;
    x->is_read = false;
    arvo_status st = step_read(x);
    x->outcome = ARVO_OUTCOME_DUPLICATE; /* without events when the inbox has forgotten them */
    x->is_settled = true;
    if (st == ARVO_OK)
        st = arvo__result_prepare(x);
    return st == ARVO_OK ? execute_settle(x) : st;
}

static arvo_status
execute_write(arvo__execution *x, arvo_record *record, arvo_error *why)
{
    const bool needs_text = execute_needs_text(x);
    const arvo_str text = needs_text ? execute_write_event(x, x->event) : ARVO_STR_NONE;
    if ((needs_text && text.ptr == NULL) || !execute_new_record(x, text, record))
        return ARVO_E_NOMEM;
    return x->orchestrator->has_commit ? execute_write_all(x, record, text, why)
                                       : execute_write_alone(x, record, why);
}

static arvo_status
step_commit(arvo__execution *x)
{
    int64_t start_ns;
    arvo_span *span = arvo__trace_phase(x, "Commit", &start_ns);

    arvo_record record;
    arvo_error why;
    arvo__error_clear(&why);
    arvo__hold_refresh(x);
    arvo_status st = execute_write(x, &record, &why);
    if (st == ARVO_OK) {
        x->record = record;
        x->has_record = true;
    } else if (st == ARVO_E_EXISTS && x->orchestrator->has_commit) {
        st = execute_yield(x);
    } else {
        if (st == ARVO_E_STALE)
            arvo__trace_lease_lost(x);
        st = execute_transaction_error(
            x, ARVO_E_WRITE_FAILED, "the outcome could not be written, nothing has changed", st,
            &why);
    }
    arvo__trace_phase_end(x, span, ARVO_MEASURE_COMMIT_NS, start_ns, st);
    return st;
}

/* Give the lease back. A failure is no reason to fail: the lease ends by itself. */
static void
execute_unlock(arvo__execution *x)
{
    arvo__hold_end(x);
    if (!x->is_locked)
        return;
    const arvo_orchestrator *o = x->orchestrator;
    arvo_error why;
    arvo__error_clear(&why);
    if (o->store->unlock(o->store_self, x->event->subject, &x->lease, &why) != ARVO_OK) {
        arvo__trace_log(x, ARVO_LOG_ERROR, "the lock was not released: %s", why.text);
        arvo__execution_lock_kept(x, &why);
    }
    x->is_locked = false;
}

/* ---- All ten
 * --------------------------------------------------------------------------------------- */

/* Steps 5 to 9: from a read record to what there is to commit. */
static arvo_status
execute_decide(arvo__execution *x)
{
    arvo_status st = step_route(x); /* 5 */
    if (st != ARVO_OK || x->is_settled)
        return st;

    st = step_resolve(x); /* 6 */
    if (st == ARVO_OK)
        st = step_validate(x); /* 7 */
    if (st == ARVO_OK)
        st = step_run(x); /* 8 */
    if (st == ARVO_OK)
        st = arvo__emission_build(x); /* 9 */
    if (st == ARVO_OK)
        x->outcome = ARVO_OUTCOME_EXECUTED;
    return st;
}

/* A workflow error is for the initiator, unless the caller asked for violations. */
static arvo_status
execute_answer_error(arvo__execution *x, arvo_status status)
{
    const bool is_violation =
        status != ARVO_E_EXECUTION || arvo_str_is(x->error_name, "ExecutionViolation");
    if (x->orchestrator->violations == ARVO_VIOLATIONS_RETURN && is_violation)
        return status;
    arvo__trace_log(x, ARVO_LOG_ERROR, "workflow error: %.*s", ARVO_FMT(x->error_message));
    x->outcome = ARVO_OUTCOME_FAILED;
    return arvo__emission_build_error(x);
}

static arvo_status
execute_locked(arvo__execution *x)
{
    arvo_status st = step_read(x); /* 4 */
    if (st == ARVO_OK && !x->is_settled)
        st = execute_decide(x); /* 5 to 9 */
    if (arvo__is_workflow_error(st))
        st = execute_answer_error(x, st);
    if (st == ARVO_OK)
        st = arvo__result_prepare(x); /* behind the commit nothing may fail */
    if (st != ARVO_OK)
        return st;
    return x->is_settled ? execute_settle(x) : step_commit(x); /* 10 */
}

arvo_status
arvo_orchestrator_execute_from(
    arvo_orchestrator *orchestrator, const arvo_event *event, int64_t outbox_seq, arvo_arena *arena,
    arvo_result *result, arvo_error *err)
{
    ARVO_ASSERT(orchestrator != NULL && event != NULL && arena != NULL && result != NULL);

    arvo_error local; /* the steps say what is wrong even when nobody asks */
    arvo__error_clear(&local);
    arvo__execution x = { .orchestrator = orchestrator,
                          .event = event,
                          .outbox_seq = outbox_seq,
                          .arena = arena,
                          .err = &local };
    x.scratch = arvo__scratch_take(orchestrator->pool);
    if (x.scratch == NULL)
        return arvo__nomem(err);

    arvo__trace_open(&x);                    /* 1 */
    arvo_status st = step_check_subject(&x); /* 2 */
    arvo__trace_mark(&x);
    if (st == ARVO_OK)
        st = step_lock(&x); /* 3 */
    if (st == ARVO_OK)
        st = execute_locked(&x); /* 4 to 10 */
    execute_unlock(&x);
    if (st == ARVO_OK)
        *result = arvo__result_build(&x);
    if (ARVO_UNLIKELY(orchestrator->platform->log != NULL))
        arvo__execution_log_outcome(&x, st, &local);
    arvo__trace_close(&x, st, &local);

    arvo__scratch_give(orchestrator->pool, x.scratch);
    if (st != ARVO_OK && err != NULL)
        *err = local;
    return st;
}

arvo_status
arvo_orchestrator_execute(
    arvo_orchestrator *orchestrator, const arvo_event *event, arvo_arena *arena,
    arvo_result *result, arvo_error *err)
{
    return arvo_orchestrator_execute_from(orchestrator, event, 0, arena, result, err);
}
