/* Records as one compact JSON object, and what the stores ask of a record.
 *
 * {"subject","parentSubject","orchestrator","version","status","value","state",
 *  "lastError","input","definition","revision","fence","created","updated"}
 *
 * in this order; docs/store-format.md is the contract.
 */

#include <arvo/memory.h>

#include <stddef.h>
#include <string.h>

#include <arvo/json.h>

#include "memory/internal.h"

enum record_kind { RECORD_TEXT, RECORD_TEXT_NULLABLE, RECORD_JSON, RECORD_COUNT, RECORD_TIME };

/* One row per member, in the order of the text. */
static const struct record_field {
    const char *key;
    size_t offset;
    enum record_kind kind;
} record_fields[] = {
    { "subject", offsetof(arvo_record, subject), RECORD_TEXT },
    { "parentSubject", offsetof(arvo_record, parent_subject), RECORD_TEXT_NULLABLE },
    { "orchestrator", offsetof(arvo_record, orchestrator), RECORD_TEXT },
    { "version", offsetof(arvo_record, version), RECORD_TEXT },
    { "status", offsetof(arvo_record, status), RECORD_TEXT },
    { "value", offsetof(arvo_record, value), RECORD_JSON },
    { "state", offsetof(arvo_record, state), RECORD_JSON },
    { "lastError", offsetof(arvo_record, last_error), RECORD_JSON },
    { "input", offsetof(arvo_record, input), RECORD_JSON },
    { "definition", offsetof(arvo_record, definition), RECORD_TEXT_NULLABLE },
    { "revision", offsetof(arvo_record, revision), RECORD_COUNT },
    { "fence", offsetof(arvo_record, fence), RECORD_COUNT },
    { "created", offsetof(arvo_record, created_ms), RECORD_TIME },
    { "updated", offsetof(arvo_record, updated_ms), RECORD_TIME },
};

const size_t arvo__record_string_offsets[ARVO__RECORD_STRINGS] = {
    offsetof(arvo_record, subject),      offsetof(arvo_record, parent_subject),
    offsetof(arvo_record, orchestrator), offsetof(arvo_record, version),
    offsetof(arvo_record, status),       offsetof(arvo_record, value),
    offsetof(arvo_record, state),        offsetof(arvo_record, last_error),
    offsetof(arvo_record, input),        offsetof(arvo_record, definition)
};

/* ---- Writing ----------------------------------------------------------- */

static void
record_write_field(const arvo_record *record, const struct record_field *field, arvo_buf *out)
{
    const void *member = (const char *)record + field->offset;
    const arvo_str *text = member;

    switch (field->kind) {
    case RECORD_TEXT:
    case RECORD_TEXT_NULLABLE:
        if (text->ptr != NULL)
            arvo_json_write_str(*text, out);
        else
            arvo_buf_append_str(out, ARVO_STR("null"));
        break;
    case RECORD_JSON:
        arvo_buf_append_str(out, text->ptr != NULL ? *text : ARVO_STR("null"));
        break;
    case RECORD_COUNT:
        arvo_buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)member);
        break;
    case RECORD_TIME:
        arvo_buf_printf(out, "%lld", (long long)*(const int64_t *)member);
        break;
    }
}

void
arvo_record_write(const arvo_record *record, arvo_buf *out)
{
    ARVO_ASSERT(record != NULL);
    ARVO_ASSERT(out != NULL);

    for (size_t i = 0; i < ARVO_COUNT_OF(record_fields); i++) {
        const struct record_field *field = &record_fields[i];
        arvo_buf_append_char(out, i == 0 ? '{' : ',');
        arvo_buf_append_char(out, '"');
        arvo_buf_append_str(out, arvo_str_from(field->key));
        arvo_buf_append_str(out, ARVO_STR("\":"));
        record_write_field(record, field, out);
    }
    arvo_buf_append_char(out, '}');
}

/* ---- Reading ----------------------------------------------------------- */

static arvo_status
record_read_json(const arvo_json *value, arvo_arena *arena, arvo_str *out, arvo_error *err)
{
    if (arvo_json_type_of(value) == ARVO_JSON_NULL)
        return ARVO_OK;
    arvo_buf text = ARVO_BUF_INIT(ARVO_RECORD_BYTES_MAX);
    arvo_json_write(value, &text);
    arvo_status st = arvo__buf_status(&text, "a member of the record", err);
    if (st == ARVO_OK) {
        *out = arvo_arena_str_dup(arena, arvo_buf_str(&text));
        if (out->ptr == NULL)
            st = arvo__nomem(err);
    }
    arvo_buf_fini(&text);
    return st;
}

static arvo_status
record_read_field(
    const arvo_json *value, const struct record_field *field, arvo_arena *arena, arvo_record *out,
    arvo_error *err)
{
    void *member = (char *)out + field->offset;
    const arvo_json_type type = arvo_json_type_of(value);

    if (type == ARVO_JSON_ABSENT)
        return arvo__fail(err, ARVO_E_CORRUPT, "stored record: \"%s\" is missing", field->key);
    switch (field->kind) {
    case RECORD_TEXT_NULLABLE:
        if (type == ARVO_JSON_NULL)
            return ARVO_OK;
        /* fall through */
    case RECORD_TEXT:
        if (type != ARVO_JSON_STRING)
            return arvo__fail(
                err, ARVO_E_CORRUPT, "stored record: \"%s\" must be a string", field->key);
        *(arvo_str *)member = arvo_arena_str_dup(arena, arvo_json_str(value));
        return ((arvo_str *)member)->ptr != NULL ? ARVO_OK : arvo__nomem(err);
    case RECORD_JSON:
        return record_read_json(value, arena, member, err);
    case RECORD_COUNT:
        if (type != ARVO_JSON_INT || arvo_json_int_or(value, -1) < 0)
            return arvo__fail(
                err, ARVO_E_CORRUPT, "stored record: \"%s\" must be an integer from 0 up",
                field->key);
        *(uint64_t *)member = (uint64_t)arvo_json_int_or(value, 0);
        return ARVO_OK;
    case RECORD_TIME:
        if (type != ARVO_JSON_INT)
            return arvo__fail(
                err, ARVO_E_CORRUPT, "stored record: \"%s\" must be an integer", field->key);
        *(int64_t *)member = arvo_json_int_or(value, 0);
        return ARVO_OK;
    }
    return ARVO_OK;
}

static arvo_status
record_read(const arvo_json *root, arvo_arena *arena, arvo_record *out, arvo_error *err)
{
    if (arvo_json_type_of(root) != ARVO_JSON_OBJECT)
        return arvo__fail(err, ARVO_E_CORRUPT, "stored record: not a JSON object");
    for (size_t i = 0; i < ARVO_COUNT_OF(record_fields); i++) {
        const struct record_field *field = &record_fields[i];
        const arvo_status st =
            record_read_field(arvo_json_get(root, field->key), field, arena, out, err);
        if (st != ARVO_OK)
            return st;
    }
    if (arvo_json_count(root) != ARVO_COUNT_OF(record_fields))
        return arvo__fail(err, ARVO_E_CORRUPT, "stored record: has a member that is not known");
    return ARVO_OK;
}

arvo_status
arvo_record_parse(arvo_str json, arvo_arena *arena, arvo_record *out, arvo_error *err)
{
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);

    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    arvo_record record = { 0 };
    const arvo_json *root = NULL;
    const arvo_json_parse_opts opts = { .bytes_max = ARVO_RECORD_BYTES_MAX };

    arvo_status st = arvo_json_parse_opt(json, &opts, arena, &root, err);
    if (st == ARVO_OK) {
        st = record_read(root, arena, &record, err);
    } else if (st != ARVO_E_NOMEM) {
        arvo_error_prefix(err, "stored record");
        st = ARVO_E_CORRUPT;
        if (err != NULL)
            err->status = st;
    }
    if (st == ARVO_OK)
        *out = record;
    else
        arvo_arena_rewind(arena, mark);
    return st;
}

/* ---- What the stores ask ----------------------------------------------- */

size_t
arvo__record_text_bytes(const arvo_record *record)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++)
        bytes += arvo__record_string_const(record, i)->len;
    return bytes;
}

arvo_status
arvo__memory_subject_check(arvo_str subject, const char *operation, arvo_error *err)
{
    if (subject.ptr == NULL || subject.len == 0)
        return arvo__fail(err, ARVO_E_INVALID, "memory %s: the subject is empty", operation);
    return ARVO_OK;
}

arvo_status
arvo__memory_record_check(arvo_str subject, const arvo_record *record, arvo_error *err)
{
    static const struct {
        const char *name;
        size_t offset;
    } required[] = { { "orchestrator", offsetof(arvo_record, orchestrator) },
                     { "version", offsetof(arvo_record, version) },
                     { "status", offsetof(arvo_record, status) } };

    if (record == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "memory write: there is no record to write");
    if (!arvo_str_equal(subject, record->subject))
        return arvo__fail(
            err, ARVO_E_INVALID, "memory write: the record is of another subject than the call");
    for (size_t i = 0; i < ARVO_COUNT_OF(required); i++) {
        const arvo_str *text =
            (const arvo_str *)(const void *)((const char *)record + required[i].offset);
        if (text->ptr == NULL || text->len == 0)
            return arvo__fail(
                err, ARVO_E_INVALID, "memory write: the record has no %s", required[i].name);
    }
    const size_t bytes = arvo__record_text_bytes(record);
    if (bytes > ARVO_RECORD_BYTES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG,
            "memory write: the record has %zu bytes, more than the limit of %zu", bytes,
            ARVO_RECORD_BYTES_MAX);
    return ARVO_OK;
}

static arvo_status
event_check(const arvo_stored_event *event, arvo_error *err)
{
    const arvo_str texts[] = { event->id, event->source, event->type, event->domains, event->json };
    size_t bytes = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        if (texts[i].ptr == NULL)
            return arvo__fail(
                err, ARVO_E_INVALID,
                "memory commit: an event lacks one of id, source, type, domains, json");
        bytes += texts[i].len;
    }
    if (bytes > ARVO_RECORD_BYTES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG,
            "memory commit: an event has %zu bytes, more than the limit of %zu", bytes,
            ARVO_RECORD_BYTES_MAX);
    return ARVO_OK;
}

static arvo_status
commit_check(const arvo_commit *commit, arvo_error *err)
{
    arvo_status st = arvo__memory_subject_check(commit->subject, "commit", err);
    if (st == ARVO_OK && commit->record != NULL)
        st = arvo__memory_record_check(commit->subject, commit->record, err);
    if (st == ARVO_OK && commit->lease == NULL && (commit->record != NULL || commit->release))
        st = arvo__fail(
            err, ARVO_E_INVALID,
            "memory commit: a record is written with the subject's lease only");
    if (st == ARVO_OK && commit->consumed != NULL)
        st = event_check(commit->consumed, err);
    for (size_t i = 0; st == ARVO_OK && i < commit->produced_count; i++)
        st = event_check(&commit->produced[i], err);
    return st;
}

static bool
commit_changes_subject(const arvo_commit *commit)
{
    return commit->record != NULL || commit->consumed != NULL;
}

arvo_status
arvo__memory_batch_check(const arvo_commit *commits, size_t count, arvo_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const arvo_status st = commit_check(&commits[i], err);
        if (st != ARVO_OK)
            return st;
        for (size_t k = 0; k < i; k++) {
            if (commit_changes_subject(&commits[i]) && commit_changes_subject(&commits[k]) &&
                arvo_str_equal(commits[i].subject, commits[k].subject))
                return arvo__fail(
                    err, ARVO_E_INVALID, "memory commit: one batch changes a subject twice");
            if (commits[i].outbox_done != 0 && commits[i].outbox_done == commits[k].outbox_done)
                return arvo__fail(
                    err, ARVO_E_INVALID, "memory commit: one batch ends outbox row %lld twice",
                    (long long)commits[i].outbox_done);
        }
    }
    return ARVO_OK;
}

/* ---- Deliveries ---------------------------------------------------------- */

size_t
arvo__memory_claim_limit(size_t limit)
{
    if (limit == 0)
        return ARVO_CLAIM_LIMIT_DEFAULT;
    return limit < ARVO_CLAIM_LIMIT_MAX ? limit : ARVO_CLAIM_LIMIT_MAX;
}

arvo_str
arvo__memory_delivery_error(arvo_str error, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < error.len;) {
        const size_t sequence = arvo__utf8_sequence(error.ptr + i, error.len - i);
        const size_t bytes = sequence != 0 ? sequence : 1;
        if (len + bytes > ARVO_DELIVERY_ERROR_MAX)
            break;
        memcpy(out + len, error.ptr + i, bytes);
        if (sequence == 0)
            out[len] = '?';
        else if ((unsigned char)out[len] < 0x20)
            out[len] = ' ';
        len += bytes;
        i += bytes;
    }
    return (arvo_str){ out, len };
}
