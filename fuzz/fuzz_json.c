/* JSON: any bytes parse or fail cleanly, and what parsed keeps its value through writing, pretty
 * writing, copying and hashing. Eight bytes are also a double, which must print and read back. */

#include <math.h>
#include <stdlib.h>

#include "base/internal.h"
#include "json/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const arvo_json *
parse_again(arvo_arena *arena, const arvo_buf *text)
{
    const arvo_json *value = NULL;
    ARVO_ASSERT(text->status == ARVO_OK);
    ARVO_ASSERT(arvo_json_parse(arvo_buf_str(text), arena, &value, NULL) == ARVO_OK);
    return value;
}

/* A double between 2^53 and 2^63 is written with the digits that tell doubles apart; read back,
 * those are an exact integer, the same number only as a double. */
static bool
has_wide_double(const arvo_json *value)
{
    if (arvo_json_type_of(value) == ARVO_JSON_DOUBLE) {
        const double size = fabs(arvo_json_number_or(value, 0));
        return size >= 0x1p53 && size <= 0x1p63;
    }
    for (size_t i = 0; i < arvo_json_count(value); i++)
        if (has_wide_double(arvo_json_at(value, i)))
            return true;
    return false;
}

static void
check_same(const arvo_json *a, const arvo_json *b)
{
    ARVO_ASSERT(arvo_json_equal(a, b));
    ARVO_ASSERT(arvo_json_equal(b, a));
    ARVO_ASSERT(arvo_json_hash(a) == arvo_json_hash(b));
}

/* Every member is found by its key and its pointer, in the value and in the text. */
static void
check_members(const arvo_json *value, arvo_str text)
{
    for (size_t i = 0; i < arvo_json_count(value) && i < 40; i++) {
        arvo_buf pointer = ARVO_BUF_INIT(1 << 20);
        if (arvo_json_type_of(value) == ARVO_JSON_OBJECT) {
            const arvo_str key = arvo_json_key_at(value, i);
            ARVO_ASSERT(arvo_json_get_str(value, key) == arvo_json_at(value, i));
            arvo_json_pointer_push(&pointer, key);
        } else {
            arvo_buf_printf(&pointer, "/%zu", i);
        }
        const arvo_str path = arvo_buf_str(&pointer);
        uint32_t line, column;
        ARVO_ASSERT(arvo_json_pointer_get(value, path) == arvo_json_at(value, i));
        ARVO_ASSERT(i >= 4 || arvo_json_locate(text, path, &line, &column));
        arvo_buf_fini(&pointer);
    }
}

static void
check_value(arvo_arena *arena, const arvo_json *value, arvo_str text)
{
    arvo_buf compact = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf other = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);

    arvo_json_write(value, &compact);
    const arvo_json *again = parse_again(arena, &compact);
    const bool exact = !has_wide_double(value);
    if (exact)
        check_same(value, again);
    arvo_json_write(again, &other);
    ARVO_ASSERT(arvo_str_equal(arvo_buf_str(&compact), arvo_buf_str(&other)));

    arvo_buf_reset(&other);
    arvo_json_write_pretty(value, 3, &other);
    check_same(again, parse_again(arena, &other));

    const arvo_json *copy = arvo_json_copy(arena, value);
    ARVO_ASSERT(copy != NULL);
    check_same(value, copy);
    check_same(value, arvo_json_clone(arena, value));
    check_members(value, text);
    check_members(copy, arvo_buf_str(&compact));

    arvo_buf_fini(&other);
    arvo_buf_fini(&compact);
}

static void
check_double(arvo_arena *arena, const uint8_t *data)
{
    double number;
    memcpy(&number, data, sizeof(number));
    arvo_buf text = ARVO_BUF_INIT(64);
    arvo_json_write_double(number, &text);
    const arvo_json *value = parse_again(arena, &text);
    if (isfinite(number))
        ARVO_ASSERT(arvo_json_number_or(value, NAN) == number);
    else
        ARVO_ASSERT(arvo_json_type_of(value) == ARVO_JSON_NULL);
    arvo_buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    ARVO_ASSERT(arena != NULL);
    const arvo_str text = { (const char *)data, size };
    const arvo_json *value = NULL;
    arvo_error err;

    const arvo_status st = arvo_json_parse(text, arena, &value, &err);
    if (st == ARVO_OK) {
        check_value(arena, value, text);
    } else {
        ARVO_ASSERT(st == ARVO_E_MALFORMED || st == ARVO_E_TOO_BIG);
        ARVO_ASSERT(err.offset <= size && err.line > 0 && err.column > 0);
        ARVO_ASSERT(arvo__utf8_is_valid(arvo_str_from(err.text)));
        ARVO_ASSERT(arvo_arena_used(arena) == 0 && value == NULL);
    }
    if (size == sizeof(double))
        check_double(arena, data);
    arvo_arena_free(arena);
    return 0;
}
