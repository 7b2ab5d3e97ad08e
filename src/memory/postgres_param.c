/* Parameters and results of PostgreSQL.
 *
 * An array in the binary format: dimensions (1, or 0 for an empty one), whether
 * it has NULLs, the element's type, the number of elements, the first index;
 * then each element with its length before it, -1 for NULL. All big-endian.
 */

#include "arvo_config.h"

#ifdef ARVO_HAVE_POSTGRES

#include <limits.h>

#include "memory/postgres.h"

#define NO_VALUE SIZE_MAX

static const struct {
    Oid element, array;
} oids[] = {
    [PG_TEXTS] = { 25, 1009 }, [PG_INTS] = { 20, 1016 },    [PG_SMALLS] = { 23, 1007 },
    [PG_BOOLS] = { 16, 1000 }, [PG_UUIDS] = { 2950, 2951 },
};

void
arvo__pg_params_init(struct postgres_params *params, const arvo_allocator *allocator)
{
    params->bytes = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    params->bytes.allocator = allocator;
    params->count = 0;
}

void
arvo__pg_params_fini(struct postgres_params *params)
{
    arvo_buf_fini(&params->bytes);
}

static void
put_u32(arvo_buf *buf, uint32_t number)
{
    const unsigned char bytes[] = { (unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                    (unsigned char)(number >> 8), (unsigned char)number };
    arvo_buf_append(buf, bytes, sizeof(bytes));
}

static void
put_u64(arvo_buf *buf, uint64_t number)
{
    put_u32(buf, (uint32_t)(number >> 32));
    put_u32(buf, (uint32_t)number);
}

/* ---- One value ---------------------------------------------------------- */

static void
param_begin(struct postgres_params *params, Oid type, bool is_null)
{
    ARVO_ASSERT(params->count < PG_PARAMS_MAX);
    params->types[params->count] = type;
    params->formats[params->count] = 1;
    params->lengths[params->count] = 0;
    params->offsets[params->count] = is_null ? NO_VALUE : params->bytes.len;
}

static void
param_end(struct postgres_params *params)
{
    if (params->offsets[params->count] != NO_VALUE) {
        const size_t len = params->bytes.len - params->offsets[params->count];
        params->lengths[params->count] = len <= INT_MAX ? (int)len : 0;
        /* A value of no bytes still needs a place to point at. */
        arvo_buf_append_char(&params->bytes, '\0');
    }
    params->count++;
}

void
arvo__pg_text(struct postgres_params *params, arvo_str text)
{
    param_begin(params, oids[PG_TEXTS].element, text.ptr == NULL);
    arvo_buf_append_str(&params->bytes, text);
    param_end(params);
}

void
arvo__pg_int(struct postgres_params *params, int64_t number)
{
    param_begin(params, oids[PG_INTS].element, false);
    put_u64(&params->bytes, (uint64_t)number);
    param_end(params);
}

void
arvo__pg_int_none(struct postgres_params *params)
{
    param_begin(params, oids[PG_INTS].element, true);
    param_end(params);
}

void
arvo__pg_bool(struct postgres_params *params, bool is_true)
{
    param_begin(params, oids[PG_BOOLS].element, false);
    arvo_buf_append_char(&params->bytes, is_true ? 1 : 0);
    param_end(params);
}

void
arvo__pg_uuid(struct postgres_params *params, const uint8_t bytes[16])
{
    param_begin(params, oids[PG_UUIDS].element, false);
    arvo_buf_append(&params->bytes, bytes, 16);
    param_end(params);
}

/* ---- Arrays --------------------------------------------------------------- */

void
arvo__pg_array_begin(struct postgres_params *params, enum postgres_element element, size_t count)
{
    param_begin(params, oids[element].array, false);
    put_u32(&params->bytes, count > 0 ? 1 : 0);
    put_u32(&params->bytes, element == PG_TEXTS || element == PG_UUIDS ? 1 : 0);
    put_u32(&params->bytes, oids[element].element);
    if (count == 0)
        return;
    put_u32(&params->bytes, (uint32_t)count);
    put_u32(&params->bytes, 1);
}

void
arvo__pg_element_text(struct postgres_params *params, arvo_str text)
{
    put_u32(&params->bytes, text.ptr != NULL ? (uint32_t)text.len : UINT32_MAX);
    arvo_buf_append_str(&params->bytes, text);
}

void
arvo__pg_element_int(struct postgres_params *params, int64_t number)
{
    put_u32(&params->bytes, 8);
    put_u64(&params->bytes, (uint64_t)number);
}

void
arvo__pg_element_small(struct postgres_params *params, int32_t number)
{
    put_u32(&params->bytes, 4);
    put_u32(&params->bytes, (uint32_t)number);
}

void
arvo__pg_element_bool(struct postgres_params *params, bool is_true)
{
    put_u32(&params->bytes, 1);
    arvo_buf_append_char(&params->bytes, is_true ? 1 : 0);
}

void
arvo__pg_element_uuid(struct postgres_params *params, const uint8_t bytes[16])
{
    put_u32(&params->bytes, 16);
    arvo_buf_append(&params->bytes, bytes, 16);
}

void
arvo__pg_array_end(struct postgres_params *params)
{
    param_end(params);
}

/* ---- Results: all in the text format ---------------------------------------- */

int64_t
arvo__pg_get_int(const PGresult *result, int row, int column)
{
    const char *text = arvo__pq.PQgetvalue(result, row, column);
    const bool is_negative = *text == '-';
    int64_t number = 0;
    for (text += is_negative; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (*text - '0');
    return is_negative ? -number : number;
}

bool
arvo__pg_get_bool(const PGresult *result, int row, int column)
{
    return arvo__pq.PQgetvalue(result, row, column)[0] == 't';
}

arvo_str
arvo__pg_get_str(const PGresult *result, int row, int column)
{
    if (arvo__pq.PQgetisnull(result, row, column))
        return ARVO_STR_NONE;
    return (arvo_str){ arvo__pq.PQgetvalue(result, row, column),
                       (size_t)arvo__pq.PQgetlength(result, row, column) };
}

static bool
uuid_parse(arvo_str text, uint8_t out[16])
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len && digits < 32; i++) {
        const int digit = arvo__hex_value_lower(text.ptr[i]);
        if (digit < 0)
            continue;
        uint8_t *byte = &out[digits++ / 2];
        *byte = (uint8_t)((*byte << 4) | digit);
    }
    return digits == 32;
}

bool
arvo__pg_get_uuid(const PGresult *result, int row, int column, uint8_t out[16])
{
    return uuid_parse(arvo__pg_get_str(result, row, column), out);
}

void
arvo__pg_uuid_format(const uint8_t bytes[16], char out[PG_UUID_BYTES])
{
    char hex[32];
    arvo__hex(bytes, 16, hex);
    size_t at = 0;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[at++] = '-';
        out[at++] = hex[i];
    }
    out[at] = '\0';
}

arvo_status
arvo__pg_text_check(arvo_str text, const char *what, arvo_error *err)
{
    if (text.len == 0)
        return ARVO_OK;
    if (memchr(text.ptr, '\0', text.len) != NULL || !arvo__utf8_is_valid(text))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "memory: the %s holds a NUL byte or is not UTF-8, which PostgreSQL cannot keep", what);
    return ARVO_OK;
}

#endif
