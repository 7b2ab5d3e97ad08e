/* Rows of a whole store: their fields, as JSON lines, and their digest. */

#include <arvo/transfer.h>

#include <stddef.h>
#include <string.h>

#include <arvo/json.h>

#include "memory/internal.h"

#define ROW_NONE UINT64_MAX /* length of a null string in a digest */

/* ---- Fields ------------------------------------------------------------ */

static const char *const row_names[] = {
    "store", "definition", "record", "event", "outbox", "dead"
};

#define RECORD_FIELD(key, member, type, is_nullable)                                               \
    {                                                                                              \
        key, offsetof(arvo_row, record.member), type, is_nullable                                  \
    }
#define EVENT_FIELD(key, member, type)                                                             \
    {                                                                                              \
        key, offsetof(arvo_row, row.event.member), type, false                                     \
    }

static const arvo__row_field store_fields[] = {
    { "newestFence", offsetof(arvo_row, newest_fence), ARVO__ROW_INT, false },
    { "newestSeq", offsetof(arvo_row, newest_seq), ARVO__ROW_INT, false },
    { 0 },
};

static const arvo__row_field definition_fields[] = {
    { "hash", offsetof(arvo_row, hash), ARVO__ROW_TEXT, false },
    { "document", offsetof(arvo_row, document), ARVO__ROW_JSON, false },
    { 0 },
};

static const arvo__row_field record_fields[] = {
    RECORD_FIELD("subject", subject, ARVO__ROW_TEXT, false),
    RECORD_FIELD("parentSubject", parent_subject, ARVO__ROW_TEXT, true),
    RECORD_FIELD("orchestrator", orchestrator, ARVO__ROW_TEXT, false),
    RECORD_FIELD("version", version, ARVO__ROW_TEXT, false),
    RECORD_FIELD("status", status, ARVO__ROW_TEXT, false),
    RECORD_FIELD("value", value, ARVO__ROW_JSON, true),
    RECORD_FIELD("state", state, ARVO__ROW_JSON, true),
    RECORD_FIELD("lastError", last_error, ARVO__ROW_JSON, true),
    RECORD_FIELD("input", input, ARVO__ROW_JSON, true),
    RECORD_FIELD("definition", definition, ARVO__ROW_TEXT, true),
    RECORD_FIELD("revision", revision, ARVO__ROW_INT, false),
    RECORD_FIELD("fence", fence, ARVO__ROW_INT, false),
    RECORD_FIELD("created", created_ms, ARVO__ROW_INT, false),
    RECORD_FIELD("updated", updated_ms, ARVO__ROW_INT, false),
    { 0 },
};

static const arvo__row_field event_fields[] = {
    EVENT_FIELD("seq", seq, ARVO__ROW_INT),
    EVENT_FIELD("direction", direction, ARVO__ROW_SIDE),
    { "cause", offsetof(arvo_row, cause), ARVO__ROW_INT, false },
    EVENT_FIELD("time", time_ms, ARVO__ROW_INT),
    EVENT_FIELD("subject", subject, ARVO__ROW_TEXT),
    EVENT_FIELD("id", id, ARVO__ROW_TEXT),
    EVENT_FIELD("source", source, ARVO__ROW_TEXT),
    EVENT_FIELD("type", type, ARVO__ROW_TEXT),
    EVENT_FIELD("domains", domains, ARVO__ROW_JSON),
    EVENT_FIELD("event", json, ARVO__ROW_JSON),
    { 0 },
};

static const arvo__row_field delivery_fields[] = {
    EVENT_FIELD("seq", seq, ARVO__ROW_INT),
    { "attempts", offsetof(arvo_row, row.attempts), ARVO__ROW_INT32, false },
    { "due", offsetof(arvo_row, row.due_ms), ARVO__ROW_INT, false },
    { "error", offsetof(arvo_row, row.error), ARVO__ROW_TEXT, true },
    { 0 },
};

const arvo__row_field *
arvo__row_fields(arvo_row_kind kind)
{
    static const arvo__row_field *const all[] = {
        store_fields, definition_fields, record_fields,
        event_fields, delivery_fields,   delivery_fields
    };
    return all[kind];
}

const char *
arvo__row_name(arvo_row_kind kind)
{
    return row_names[kind];
}

static const void *
row_member(const arvo_row *row, const arvo__row_field *field)
{
    return (const char *)row + field->offset;
}

/* Every kind of integer a row has. */
static int64_t
row_int(const arvo_row *row, const arvo__row_field *field)
{
    const void *member = row_member(row, field);
    if (field->type == ARVO__ROW_INT32)
        return *(const uint32_t *)member;
    if (field->type == ARVO__ROW_SIDE)
        return *(const arvo_direction *)member;
    return *(const int64_t *)member;
}

/* ---- Digest ------------------------------------------------------------ */

/* Two streams at once, eight bytes at a time, so that no row has to be put together first. */
static void
digest_mix(uint64_t *hashes, const void *bytes, size_t len)
{
    hashes[0] = arvo__hash(bytes, len, hashes[0]);
    hashes[1] = arvo__hash(bytes, len, hashes[1]);
}

static void
digest_mix_int(uint64_t *hashes, uint64_t number)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
    digest_mix(hashes, bytes, sizeof(bytes));
}

void
arvo_digest_add(arvo_digest *digest, const arvo_row *row)
{
    ARVO_ASSERT(digest != NULL);
    ARVO_ASSERT(row != NULL);
    digest->rows++;
    if (row->kind == ARVO_ROW_STORE)
        return;
    uint64_t hashes[2] = { 1, 2 };
    digest_mix_int(hashes, (uint64_t)row->kind);
    for (const arvo__row_field *field = arvo__row_fields(row->kind); field->key != NULL; field++) {
        if (field->type != ARVO__ROW_TEXT && field->type != ARVO__ROW_JSON) {
            digest_mix_int(hashes, (uint64_t)row_int(row, field));
            continue;
        }
        const arvo_str *text = row_member(row, field);
        digest_mix_int(hashes, text->ptr != NULL ? text->len : ROW_NONE);
        if (text->len > 0)
            digest_mix(hashes, text->ptr, text->len);
    }
    digest->sums[0] += hashes[0];
    digest->sums[1] += hashes[1];
}

void
arvo_digest_format(const arvo_digest *digest, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < ARVO_DIGEST_BYTES; i++)
        out[i] = digits[digest->sums[i / 16] >> (60 - 4 * (i % 16)) & 15];
}

bool
arvo_digest_equal(const arvo_digest *a, const arvo_digest *b)
{
    return a->sums[0] == b->sums[0] && a->sums[1] == b->sums[1] && a->rows == b->rows;
}

/* ---- Writing ----------------------------------------------------------- */

/* Whether this library would write the same bytes for what the text says. */
static bool
json_is_canonical(arvo_str text, arvo_arena *arena)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const arvo_json_parse_opts opts = { .bytes_max = ARVO_RECORD_BYTES_MAX };
    const arvo_json *value = NULL;
    arvo_buf again = ARVO_BUF_INIT(ARVO_RECORD_BYTES_MAX);
    bool is_same = arvo_json_parse_opt(text, &opts, arena, &value, NULL) == ARVO_OK;
    if (is_same) {
        arvo_json_write(value, &again);
        is_same = again.status == ARVO_OK && arvo_str_equal(arvo_buf_str(&again), text);
    }
    arvo_buf_fini(&again);
    arvo_arena_rewind(arena, mark);
    /* A JSON null would be read back as none. */
    return is_same && !arvo_str_is(text, "null");
}

static arvo_status
row_write_text(
    arvo_str text, const arvo__row_field *field, arvo_arena *arena, arvo_buf *out, arvo_error *err)
{
    const bool is_bare =
        text.ptr == NULL || (field->type == ARVO__ROW_JSON && json_is_canonical(text, arena));
    arvo_buf_printf(
        out, ",\"%s%s\":", field->key, field->type == ARVO__ROW_JSON && !is_bare ? "Text" : "");
    if (text.ptr == NULL)
        arvo_buf_append_str(out, ARVO_STR("null"));
    else if (is_bare)
        arvo_buf_append_str(out, text);
    else if (arvo__utf8_is_valid(text))
        arvo_json_write_str(text, out);
    else
        return arvo__fail(err, ARVO_E_INVALID, "\"%s\" is not UTF-8", field->key);
    return ARVO_OK;
}

arvo_status
arvo_row_write(const arvo_row *row, arvo_buf *out, arvo_error *err)
{
    ARVO_ASSERT(row != NULL);
    ARVO_ASSERT(out != NULL);
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = SIZE_MAX / 2 });
    if (arena == NULL)
        return arvo__nomem(err);
    arvo_status st = ARVO_OK;
    arvo_buf_printf(out, "{\"kind\":\"%s\"", row_names[row->kind]);
    const arvo__row_field *field = arvo__row_fields(row->kind);
    for (; st == ARVO_OK && field->key != NULL; field++) {
        if (field->type == ARVO__ROW_SIDE)
            arvo_buf_printf(
                out, ",\"%s\":\"%s\"", field->key,
                row_int(row, field) == ARVO_CONSUMED ? "consumed" : "produced");
        else if (field->type == ARVO__ROW_INT || field->type == ARVO__ROW_INT32)
            arvo_buf_printf(out, ",\"%s\":%lld", field->key, (long long)row_int(row, field));
        else
            st = row_write_text(*(const arvo_str *)row_member(row, field), field, arena, out, err);
    }
    arvo_buf_append_char(out, '}');
    arvo_arena_free(arena);
    return st == ARVO_OK ? arvo__buf_status(out, "a row of the store", err) : st;
}

/* ---- Reading ----------------------------------------------------------- */

static arvo_status
row_field_fail(const arvo__row_field *field, const char *what, arvo_error *err)
{
    return arvo__fail(err, ARVO_E_INVALID, "\"%s\" %s", field->key, what);
}

/* The bytes that arvo_json_write() gives, or those of the "Text" beside it. */
static arvo_status
row_read_json(
    const arvo_json *root, const arvo__row_field *field, arvo_arena *arena, arvo_str *out,
    size_t *used, arvo_error *err)
{
    const arvo_json *value = arvo_json_get(root, field->key);
    const arvo_json *text = arvo_json_get_str(root, arvo_arena_printf(arena, "%sText", field->key));
    if ((value == NULL) == (text == NULL))
        return row_field_fail(field, "must be there, or its Text", err);
    ++*used;
    if (text != NULL) {
        *out = arvo_json_str(text);
        return out->ptr != NULL ? ARVO_OK : row_field_fail(field, "has a Text that is none", err);
    }
    if (arvo_json_type_of(value) == ARVO_JSON_NULL)
        return field->is_nullable ? ARVO_OK : row_field_fail(field, "must not be null", err);
    arvo_buf buf = ARVO_BUF_INIT(ARVO_RECORD_BYTES_MAX);
    arvo_json_write(value, &buf);
    arvo_status st = arvo__buf_status(&buf, field->key, err);
    if (st == ARVO_OK) {
        *out = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
        st = out->ptr != NULL ? ARVO_OK : arvo__nomem(err);
    }
    arvo_buf_fini(&buf);
    return st;
}

static arvo_status
row_read_int(const arvo_json *value, const arvo__row_field *field, void *member, arvo_error *err)
{
    const int64_t number = arvo_json_int_or(value, INT64_MIN);
    if (arvo_json_type_of(value) != ARVO_JSON_INT)
        return row_field_fail(field, "must be an integer", err);
    if (field->type != ARVO__ROW_INT32) {
        *(int64_t *)member = number;
        return ARVO_OK;
    }
    if (number < 0 || number > UINT32_MAX)
        return row_field_fail(field, "is out of range", err);
    *(uint32_t *)member = (uint32_t)number;
    return ARVO_OK;
}

static arvo_status
row_read_field(
    const arvo_json *root, const arvo__row_field *field, arvo_arena *arena, arvo_row *out,
    size_t *used, arvo_error *err)
{
    void *member = (char *)out + field->offset;
    if (field->type == ARVO__ROW_JSON)
        return row_read_json(root, field, arena, member, used, err);
    const arvo_json *value = arvo_json_get(root, field->key);
    if (value == NULL)
        return row_field_fail(field, "is missing", err);
    ++*used;
    if (field->type == ARVO__ROW_INT || field->type == ARVO__ROW_INT32)
        return row_read_int(value, field, member, err);
    const arvo_str text = arvo_json_str(value);
    if (field->type == ARVO__ROW_SIDE) {
        if (!arvo_str_is(text, "consumed") && !arvo_str_is(text, "produced"))
            return row_field_fail(field, "must be consumed or produced", err);
        *(arvo_direction *)member = arvo_str_is(text, "consumed") ? ARVO_CONSUMED : ARVO_PRODUCED;
        return ARVO_OK;
    }
    if (text.ptr == NULL && !(field->is_nullable && arvo_json_type_of(value) == ARVO_JSON_NULL))
        return row_field_fail(field, "must be a string", err);
    *(arvo_str *)member = text;
    return ARVO_OK;
}

static arvo_status
row_read(const arvo_json *root, arvo_arena *arena, arvo_row *out, arvo_error *err)
{
    const arvo_str name = arvo_json_str(arvo_json_get(root, "kind"));
    size_t kind = 0, used = 1;
    while (kind < ARVO_COUNT_OF(row_names) && !arvo_str_is(name, row_names[kind]))
        kind++;
    if (kind == ARVO_COUNT_OF(row_names))
        return arvo__fail(err, ARVO_E_INVALID, "not a row of a store: \"kind\" is unknown");
    out->kind = (arvo_row_kind)kind;
    arvo_status st = ARVO_OK;
    const arvo__row_field *field = arvo__row_fields(out->kind);
    for (; st == ARVO_OK && field->key != NULL; field++)
        st = row_read_field(root, field, arena, out, &used, err);
    if (st == ARVO_OK && used != arvo_json_count(root))
        st = arvo__fail(err, ARVO_E_INVALID, "the row has a member that is not known");
    return st;
}

arvo_status
arvo_row_parse(arvo_str line, arvo_arena *arena, arvo_row *out, arvo_error *err)
{
    ARVO_ASSERT(arena != NULL);
    ARVO_ASSERT(out != NULL);
    const arvo_json_parse_opts opts = { .bytes_max = ARVO_TRANSFER_LINE_MAX };
    const arvo_arena_mark mark = arvo_arena_mark_get(arena);
    const arvo_json *root = NULL;
    arvo_row row = { 0 };
    arvo_status st = arvo_json_parse_opt(line, &opts, arena, &root, err);
    if (st == ARVO_OK)
        st = row_read(root, arena, &row, err);
    else if (st != ARVO_E_NOMEM && err != NULL)
        err->status = ARVO_E_INVALID;
    if (st == ARVO_OK) {
        *out = row;
        return ARVO_OK;
    }
    arvo_arena_rewind(arena, mark);
    return st == ARVO_E_NOMEM ? st : ARVO_E_INVALID;
}
