/* Contracts as they change: what was compared with what, and what follows for whom. */

#include <arvo/diff.h>

#include "base/internal.h"

typedef struct diff_run {
    const arvo_contracts *old_contracts, *new_contracts;
    arvo_arena *arena;
    arvo_diff_entry *entries;
    size_t count, room;
    arvo_diff totals;
    arvo_error *err;
} diff_run;

/* One event rule of one side. */
typedef struct side {
    const arvo_event_rule *rule;
    arvo_schema_source source;
} side;

/* ---- Names ------------------------------------------------------------------------ */

const char *
arvo_diff_part_name(arvo_diff_part part)
{
    static const char *const names[] = { "version", "accepts", "emits" };
    return (size_t)part < ARVO_COUNT_OF(names) ? names[part] : "unknown";
}

const char *
arvo_diff_change_name(arvo_diff_change change)
{
    static const char *const names[] = { "same",     "added",     "removed",
                                         "loosened", "tightened", "changed" };
    return (size_t)change < ARVO_COUNT_OF(names) ? names[change] : "unknown";
}

const char *
arvo_diff_verdict_name(arvo_diff_verdict verdict)
{
    static const char *const names[] = { "compatible", "breaking", "unknown" };
    return (size_t)verdict < ARVO_COUNT_OF(names) ? names[verdict] : "unknown";
}

/* ---- Entries ------------------------------------------------------------------------- */

static arvo_status
entry_add(diff_run *run, const arvo_diff_entry *entry)
{
    arvo_diff_entry *const entries =
        arvo__arena_grow(run->arena, run->entries, run->count, &run->room, sizeof(*entries));
    if (entries == NULL)
        return arvo__nomem(run->err);
    run->entries = entries;
    entries[run->count++] = *entry;
    run->totals.same += entry->change == ARVO_DIFF_SAME;
    run->totals.breaking += entry->verdict == ARVO_DIFF_BREAKING;
    run->totals.unknown += entry->verdict == ARVO_DIFF_UNKNOWN;
    run->totals.compatible +=
        entry->verdict == ARVO_DIFF_COMPATIBLE && entry->change != ARVO_DIFF_SAME;
    return ARVO_OK;
}

static side
side_of(const arvo_contract_version *version, const arvo_event_rule *rule)
{
    return (side){ .rule = rule,
                   .source = { .schema = rule->schema_json,
                               .additional = arvo_contract_additional(version->contract),
                               .normalising = true } };
}

/* ---- Two rules for one event ------------------------------------------------------------ */

/* What the side that refuses the witness says of it. */
static arvo_status
refusal_text(diff_run *run, const side *refusing, const arvo_json *witness, arvo_str *out)
{
    arvo_error said = { 0 };
    const arvo_json *ignored = NULL;
    const arvo_status st =
        arvo_schema_normalise(refusing->rule->schema, witness, run->arena, &ignored, &said);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(run->err);
    *out = arvo_arena_str_dup(run->arena, arvo_str_from(said.text));
    return out->ptr != NULL ? ARVO_OK : arvo__nomem(run->err);
}

/* `kept` must lie within `within`, or the change breaks somebody; the other way round decides how
 * the change is called. */
static arvo_status
rules_compare(
    diff_run *run, const side *kept, const side *within, bool kept_is_new, arvo_diff_entry *entry)
{
    arvo_containment forward = ARVO_CONTAINED, back = ARVO_CONTAINED;
    const arvo_json *witness = NULL, *back_witness = NULL;
    arvo_status st = arvo_schema_contained(
        &kept->source, &within->source, run->arena, &forward, &witness, run->err);
    if (st == ARVO_OK)
        st = arvo_schema_contained(
            &within->source, &kept->source, run->arena, &back, &back_witness, run->err);
    if (st != ARVO_OK)
        return st;
    const bool kept_fits = forward == ARVO_CONTAINED;
    if (kept_fits && back == ARVO_CONTAINED)
        entry->change = ARVO_DIFF_SAME;
    else if (kept_fits && back == ARVO_NOT_CONTAINED)
        entry->change = kept_is_new ? ARVO_DIFF_TIGHTENED : ARVO_DIFF_LOOSENED;
    else if (forward == ARVO_NOT_CONTAINED && back == ARVO_CONTAINED)
        entry->change = kept_is_new ? ARVO_DIFF_LOOSENED : ARVO_DIFF_TIGHTENED;
    else
        entry->change = ARVO_DIFF_CHANGED;
    entry->verdict = kept_fits                       ? ARVO_DIFF_COMPATIBLE
                     : forward == ARVO_NOT_CONTAINED ? ARVO_DIFF_BREAKING
                                                     : ARVO_DIFF_UNKNOWN;
    entry->witness = witness != NULL ? witness : back_witness;
    entry->witness_is_new = witness != NULL ? kept_is_new : !kept_is_new;
    if (entry->verdict == ARVO_DIFF_UNKNOWN)
        entry->why = ARVO_STR("could not be decided; compare the two schemas by hand");
    if (witness != NULL)
        return refusal_text(run, within, witness, &entry->why);
    return back_witness != NULL && entry->verdict == ARVO_DIFF_COMPATIBLE
               ? refusal_text(run, kept, back_witness, &entry->why)
               : ARVO_OK;
}

static arvo_status
rules_diff(diff_run *run, const side *was, const side *is, arvo_diff_entry *entry)
{
    const bool is_accepts = entry->part == ARVO_DIFF_ACCEPTS;
    if (was->source.additional == is->source.additional &&
        arvo_json_equal(was->source.schema, is->source.schema))
        entry->change = ARVO_DIFF_SAME;
    else {
        const arvo_status st = is_accepts ? rules_compare(run, was, is, false, entry)
                                          : rules_compare(run, is, was, true, entry);
        if (st != ARVO_OK)
            return st;
    }
    return entry_add(run, entry);
}

/* ---- Something that one side does not have ------------------------------------------------ */

/* Gone, or new, and somebody minds: data that shows it, when there is any. */
static arvo_status
alone_diff(diff_run *run, const side *only, bool is_new, arvo_diff_entry *entry)
{
    arvo_error said = { 0 };
    const arvo_example_opts opts = { .minimal = true };
    const arvo_status st =
        arvo_example_make(&only->source, &opts, run->arena, &entry->witness, &said);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(run->err);
    entry->witness_is_new = is_new;
    entry->verdict = st == ARVO_OK ? ARVO_DIFF_BREAKING : ARVO_DIFF_UNKNOWN;
    if (entry->verdict == ARVO_DIFF_UNKNOWN)
        entry->why = ARVO_STR("no data could be made for it; whether it ever has any is not known");
    if (st == ARVO_E_NOT_FOUND) { /* proven: no such event ever was, or will be */
        entry->verdict = ARVO_DIFF_COMPATIBLE;
        entry->why = ARVO_STR("no data is valid for it, so there is no such event");
    }
    return entry_add(run, entry);
}

static arvo_status
emits_diff(
    diff_run *run, const arvo_contract_version *was, const arvo_contract_version *is,
    const arvo_diff_entry *head)
{
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < was->emit_count && st == ARVO_OK; i++) {
        const arvo_event_rule *const rule = &was->emits[i];
        const arvo_event_rule *const now = arvo_contract_version_emit_find(is, rule->type);
        arvo_diff_entry entry = *head;
        entry.part = ARVO_DIFF_EMITS;
        entry.type = rule->type;
        if (now != NULL) {
            const side old_side = side_of(was, rule), new_side = side_of(is, now);
            st = rules_diff(run, &old_side, &new_side, &entry);
            continue;
        }
        entry.change = ARVO_DIFF_REMOVED;
        entry.why = ARVO_STR("it will not come any more: whoever waits for it waits in vain");
        st = entry_add(run, &entry);
    }
    for (size_t i = 0; i < is->emit_count && st == ARVO_OK; i++) {
        if (arvo_contract_version_emit_find(was, is->emits[i].type) != NULL)
            continue;
        arvo_diff_entry entry = *head;
        const side new_side = side_of(is, &is->emits[i]);
        entry.part = ARVO_DIFF_EMITS;
        entry.type = is->emits[i].type;
        entry.change = ARVO_DIFF_ADDED;
        entry.why = ARVO_STR("whoever knows the version does not know this event");
        st = alone_diff(run, &new_side, true, &entry);
    }
    return st;
}

static arvo_status
version_diff(
    diff_run *run, const arvo_contract_version *was, const arvo_contract_version *is,
    const arvo_diff_entry *head)
{
    arvo_diff_entry entry = *head;
    const side old_side = side_of(was, &was->accepts);
    arvo_status st;
    entry.part = ARVO_DIFF_ACCEPTS;
    entry.type = was->accepts.type;
    if (arvo_str_equal(was->accepts.type, is->accepts.type)) {
        const side new_side = side_of(is, &is->accepts);
        st = rules_diff(run, &old_side, &new_side, &entry);
    } else {
        entry.change = ARVO_DIFF_REMOVED;
        entry.why = arvo_arena_printf(
            run->arena, "the contract accepts %.*s instead", ARVO_FMT(is->accepts.type));
        st = alone_diff(run, &old_side, false, &entry);
    }
    return st == ARVO_OK ? emits_diff(run, was, is, head) : st;
}

/* ---- Contracts ------------------------------------------------------------------------------ */

static arvo_status
version_alone(
    diff_run *run, const arvo_contract_version *version, bool is_new, const arvo_diff_entry *head)
{
    arvo_diff_entry entry = *head;
    entry.part = ARVO_DIFF_VERSION;
    entry.change = is_new ? ARVO_DIFF_ADDED : ARVO_DIFF_REMOVED;
    if (is_new)
        return entry_add(run, &entry);
    const side only = side_of(version, &version->accepts);
    entry.type = version->accepts.type;
    entry.why = ARVO_STR("whoever sends events of this version is refused");
    return alone_diff(run, &only, false, &entry);
}

static arvo_status
contract_versions_diff(diff_run *run, const arvo_contract *was, const arvo_contract *is)
{
    arvo_diff_entry head = { .uri = arvo_contract_uri(was != NULL ? was : is) };
    arvo_status st = ARVO_OK;
    for (size_t i = 0; was != NULL && i < arvo_contract_version_count(was) && st == ARVO_OK; i++) {
        const arvo_contract_version *const version = arvo_contract_version_at(was, i);
        const arvo_contract_version *const now =
            is != NULL ? arvo_contract_version_find(is, version->version) : NULL;
        head.version = version->version;
        st = now != NULL ? version_diff(run, version, now, &head)
                         : version_alone(run, version, false, &head);
    }
    for (size_t i = 0; is != NULL && i < arvo_contract_version_count(is) && st == ARVO_OK; i++) {
        const arvo_contract_version *const version = arvo_contract_version_at(is, i);
        if (was != NULL && arvo_contract_version_find(was, version->version) != NULL)
            continue;
        head.version = version->version;
        st = version_alone(run, version, true, &head);
    }
    return st;
}

arvo_status
arvo_contracts_diff(
    const arvo_contracts *old_contracts, const arvo_contracts *new_contracts, arvo_arena *arena,
    arvo_diff *out, arvo_error *err)
{
    ARVO_ASSERT(old_contracts != NULL && new_contracts != NULL);
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    diff_run run = {
        .old_contracts = old_contracts, .new_contracts = new_contracts, .arena = arena, .err = err
    };
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < arvo_contracts_count(old_contracts) && st == ARVO_OK; i++) {
        const arvo_contract *const was = arvo_contracts_at(old_contracts, i);
        st = contract_versions_diff(
            &run, was, arvo_contracts_find(new_contracts, arvo_contract_uri(was)));
    }
    for (size_t i = 0; i < arvo_contracts_count(new_contracts) && st == ARVO_OK; i++) {
        const arvo_contract *const is = arvo_contracts_at(new_contracts, i);
        if (arvo_contracts_find(old_contracts, arvo_contract_uri(is)) == NULL)
            st = contract_versions_diff(&run, NULL, is);
    }
    if (st != ARVO_OK)
        return st;
    *out = run.totals;
    out->entries = run.entries;
    out->count = run.count;
    return ARVO_OK;
}
