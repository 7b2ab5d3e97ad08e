/* What every store asks of the rows that it loads. */

#include "memory/internal.h"

static arvo_status
load_refuse(const arvo_row *row, const char *why, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_INVALID, "load: %s row%s%.*s: %s", arvo__row_name(row->kind),
        row->kind == ARVO_ROW_RECORD ? " of " : "",
        ARVO_FMT(row->kind == ARVO_ROW_RECORD ? row->record.subject : ARVO_STR("")), why);
}

static arvo_status
load_refuse_seq(const arvo_row *row, const char *why, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_INVALID, "load: %s row with seq %lld: %s", arvo__row_name(row->kind),
        (long long)row->row.event.seq, why);
}

/* STORE first and once; then kinds in their order. */
static arvo_status
load_check_order(const arvo__load_check *check, const arvo_row *row, arvo_error *err)
{
    if ((unsigned)row->kind > ARVO_ROW_DEAD)
        return arvo__fail(
            err, ARVO_E_INVALID, "load: a row of unknown kind %u", (unsigned)row->kind);
    if (row->kind == ARVO_ROW_STORE && check->has_store)
        return load_refuse(row, "there is one already", err);
    if (row->kind != ARVO_ROW_STORE && !check->has_store)
        return load_refuse(row, "the first row must be the store's", err);
    if (row->kind < check->kind)
        return load_refuse(row, "it comes too late", err);
    return ARVO_OK;
}

static arvo_status
load_check_record(const arvo__load_check *check, const arvo_row *row, arvo_error *err)
{
    const arvo_record *record = &row->record;
    const arvo_status st = arvo__memory_record_check(record->subject, record, err);
    if (st != ARVO_OK)
        return st;
    if (record->revision == 0 || record->revision > INT64_MAX)
        return load_refuse(row, "its revision is none", err);
    if (record->fence > check->newest_fence)
        return load_refuse(row, "its fence is above the newest of the store", err);
    return ARVO_OK;
}

static arvo_status
load_check_event(const arvo_row *row, arvo_error *err)
{
    const arvo_stored_event *event = &row->row.event;
    if (event->subject.len == 0 || event->id.ptr == NULL || event->source.ptr == NULL ||
        event->type.ptr == NULL || event->domains.ptr == NULL || event->json.ptr == NULL)
        return load_refuse_seq(row, "a string is missing", err);
    if (event->direction != ARVO_CONSUMED && event->direction != ARVO_PRODUCED)
        return load_refuse_seq(row, "it is neither consumed nor produced", err);
    if (row->cause < 0 || row->cause >= event->seq)
        return load_refuse_seq(row, "its cause does not lie before it", err);
    return ARVO_OK;
}

static arvo_status
load_check_seq(const arvo__load_check *check, const arvo_row *row, arvo_error *err)
{
    const int64_t seq = row->row.event.seq;
    if (seq <= 0 || (row->kind == check->kind && seq <= check->seq))
        return load_refuse_seq(row, "seq does not grow", err);
    if (seq > check->newest_seq)
        return load_refuse_seq(row, "it is above the newest of the store", err);
    if (row->kind == ARVO_ROW_EVENT)
        return load_check_event(row, err);
    if (row->row.error.len > ARVO_DELIVERY_ERROR_MAX)
        return load_refuse_seq(row, "its error is too long", err);
    return ARVO_OK;
}

arvo_status
arvo__load_check_row(arvo__load_check *check, const arvo_row *row, arvo_error *err)
{
    arvo_status st = load_check_order(check, row, err);
    if (st != ARVO_OK)
        return st;
    switch (row->kind) {
    case ARVO_ROW_STORE:
        if (row->newest_seq < 0 || row->newest_fence > INT64_MAX)
            return load_refuse(row, "its numbers are out of range", err);
        check->has_store = true;
        check->newest_fence = row->newest_fence;
        check->newest_seq = row->newest_seq;
        break;
    case ARVO_ROW_DEFINITION:
        if (row->hash.len == 0 || row->document.len == 0)
            st = load_refuse(row, "a string is missing", err);
        break;
    case ARVO_ROW_RECORD:
        st = load_check_record(check, row, err);
        break;
    case ARVO_ROW_EVENT:
    case ARVO_ROW_OUTBOX:
    case ARVO_ROW_DEAD:
        st = load_check_seq(check, row, err);
        check->seq = row->row.event.seq;
        break;
    }
    check->kind = row->kind;
    return st;
}

arvo_status
arvo__load_check_end(const arvo__load_check *check, arvo_error *err)
{
    if (!check->has_store)
        return arvo__fail(err, ARVO_E_INVALID, "load: there is no row of the store");
    return ARVO_OK;
}
