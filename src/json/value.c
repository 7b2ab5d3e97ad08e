/* Reading values: accessors, pointers, comparison, hashing. */

#include "json/internal.h"

#include <endian.h>
#include <math.h>

#include "json/object.h"

arvo_json_type
arvo_json_type_of(const arvo_json *value)
{
    return value != NULL ? (arvo_json_type)value->type : ARVO_JSON_ABSENT;
}

const char *
arvo_json_type_name(arvo_json_type type)
{
    static const char *const names[] = { "absent", "null",   "boolean", "integer",
                                         "number", "string", "array",   "object" };
    return (size_t)type < ARVO_COUNT_OF(names) ? names[type] : "unknown";
}

const arvo_json *
arvo_json_get_str(const arvo_json *object, arvo_str key)
{
    if (object == NULL || object->type != ARVO_JSON_OBJECT || key.ptr == NULL)
        return NULL;
    const struct arvo__member *member = arvo__object_find(object, key.ptr, key.len);
    return member != NULL ? &member->value : NULL;
}

const arvo_json *
arvo_json_get(const arvo_json *object, const char *key)
{
    return arvo_json_get_str(object, arvo_str_from(key));
}

size_t
arvo_json_count(const arvo_json *value)
{
    return value != NULL && value->type >= ARVO_JSON_ARRAY ? value->len : 0;
}

const arvo_json *
arvo_json_at(const arvo_json *value, size_t i)
{
    if (i >= arvo_json_count(value))
        return NULL;
    return value->type == ARVO_JSON_ARRAY ? &value->as.items[i] : &value->as.members[i].value;
}

arvo_str
arvo_json_key_at(const arvo_json *object, size_t i)
{
    if (arvo_json_type_of(object) != ARVO_JSON_OBJECT || i >= object->len)
        return ARVO_STR_NONE;
    return (arvo_str){ object->as.members[i].key, object->as.members[i].key_len };
}

bool
arvo_json_bool_or(const arvo_json *value, bool otherwise)
{
    return arvo_json_type_of(value) == ARVO_JSON_BOOL ? value->as.boolean : otherwise;
}

int64_t
arvo_json_int_or(const arvo_json *value, int64_t otherwise)
{
    return arvo_json_type_of(value) == ARVO_JSON_INT ? value->as.integer : otherwise;
}

double
arvo_json_number_or(const arvo_json *value, double otherwise)
{
    switch (arvo_json_type_of(value)) {
    case ARVO_JSON_INT:
        return (double)value->as.integer;
    case ARVO_JSON_DOUBLE:
        return value->as.number;
    case ARVO_JSON_ABSENT:
    case ARVO_JSON_NULL:
    case ARVO_JSON_BOOL:
    case ARVO_JSON_STRING:
    case ARVO_JSON_ARRAY:
    case ARVO_JSON_OBJECT:
        break;
    }
    return otherwise;
}

arvo_str
arvo_json_str_or(const arvo_json *value, arvo_str otherwise)
{
    if (arvo_json_type_of(value) != ARVO_JSON_STRING)
        return otherwise;
    return (arvo_str){ value->as.string, value->len };
}

arvo_str
arvo_json_str(const arvo_json *value)
{
    return arvo_json_str_or(value, ARVO_STR_NONE);
}

/* ---- RFC 6901 -------------------------------------------------------------------- */

/* Array index: digits without a leading zero. */
static bool
pointer_index(arvo_str token, size_t *out)
{
    if (token.len == 0 || token.len > 10 || (token.len > 1 && token.ptr[0] == '0'))
        return false;
    size_t index = 0;
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < '0' || token.ptr[i] > '9')
            return false;
        index = index * 10 + (size_t)(token.ptr[i] - '0');
    }
    *out = index;
    return true;
}

/* Whether an escaped token names `key`; -1 when the token is malformed. */
static int
pointer_token_is(arvo_str token, const char *key, size_t key_len)
{
    size_t k = 0;
    for (size_t i = 0; i < token.len; i++, k++) {
        char c = token.ptr[i];
        if (c == '~') {
            if (++i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1'))
                return -1;
            c = token.ptr[i] == '0' ? '~' : '/';
        }
        if (k >= key_len || key[k] != c)
            return 0;
    }
    return k == key_len;
}

static const arvo_json *
pointer_member(const arvo_json *object, arvo_str token)
{
    if (token.len == 0 || memchr(token.ptr, '~', token.len) == NULL)
        return arvo_json_get_str(object, (arvo_str){ token.len > 0 ? token.ptr : "", token.len });
    for (uint32_t i = 0; i < object->len; i++) {
        const int match =
            pointer_token_is(token, object->as.members[i].key, object->as.members[i].key_len);
        if (match != 0)
            return match > 0 ? &object->as.members[i].value : NULL;
    }
    return NULL;
}

const arvo_json *
arvo_json_pointer_get(const arvo_json *root, arvo_str pointer)
{
    const arvo_json *value = root;
    size_t at = 0;
    while (at < pointer.len && value != NULL) {
        if (pointer.ptr[at] != '/')
            return NULL;
        size_t end = at + 1;
        while (end < pointer.len && pointer.ptr[end] != '/')
            end++;
        const arvo_str token = { pointer.ptr + at + 1, end - at - 1 };
        size_t index;
        if (value->type == ARVO_JSON_OBJECT)
            value = pointer_member(value, token);
        else if (value->type == ARVO_JSON_ARRAY && pointer_index(token, &index))
            value = arvo_json_at(value, index);
        else
            value = NULL;
        at = end;
    }
    return value;
}

void
arvo_json_pointer_push(arvo_buf *pointer, arvo_str token)
{
    arvo_buf_append_char(pointer, '/');
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~')
            arvo_buf_append(pointer, "~0", 2);
        else if (token.ptr[i] == '/')
            arvo_buf_append(pointer, "~1", 2);
        else
            arvo_buf_append_char(pointer, token.ptr[i]);
    }
}

/* ---- Equality and hash ------------------------------------------------------------- */

/* An int64 and a double are equal when they are the same real number. */
static bool
value_int_is_double(int64_t integer, double number)
{
    return number >= -9223372036854775808.0 && number < 9223372036854775808.0 &&
           number == trunc(number) && (int64_t)number == integer;
}

static bool
value_numbers_equal(const arvo_json *a, const arvo_json *b)
{
    if (a->type == ARVO_JSON_INT)
        return b->type == ARVO_JSON_INT ? a->as.integer == b->as.integer
                                        : value_int_is_double(a->as.integer, b->as.number);
    return b->type == ARVO_JSON_INT ? value_int_is_double(b->as.integer, a->as.number)
                                    : a->as.number == b->as.number;
}

static bool
value_objects_equal(const arvo_json *a, const arvo_json *b)
{
    if (a->len != b->len)
        return false;
    for (uint32_t i = 0; i < a->len; i++) {
        const struct arvo__member *member = &a->as.members[i];
        const struct arvo__member *other = &b->as.members[i];
        /* Most equal objects have their keys in the same order. */
        if (other->key_len != member->key_len ||
            memcmp(other->key, member->key, member->key_len) != 0)
            other = arvo__object_find(b, member->key, member->key_len);
        if (other == NULL || !arvo_json_equal(&member->value, &other->value))
            return false;
    }
    return true;
}

bool
arvo_json_equal(const arvo_json *a, const arvo_json *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL)
        return false;
    if (arvo_json_is_number(a) && arvo_json_is_number(b))
        return value_numbers_equal(a, b);
    if (a->type != b->type)
        return false;

    switch ((arvo_json_type)a->type) {
    case ARVO_JSON_BOOL:
        return a->as.boolean == b->as.boolean;
    case ARVO_JSON_STRING:
        return a->len == b->len && memcmp(a->as.string, b->as.string, a->len) == 0;
    case ARVO_JSON_ARRAY:
        if (a->len != b->len)
            return false;
        for (uint32_t i = 0; i < a->len; i++)
            if (!arvo_json_equal(&a->as.items[i], &b->as.items[i]))
                return false;
        return true;
    case ARVO_JSON_OBJECT:
        return value_objects_equal(a, b);
    case ARVO_JSON_ABSENT:
    case ARVO_JSON_NULL:
    case ARVO_JSON_INT:
    case ARVO_JSON_DOUBLE:
        break;
    }
    return true; /* null; numbers were compared above */
}

static uint64_t
value_hash_word(uint64_t word, uint64_t seed)
{
    const uint64_t little = htole64(word); /* the same bytes on every machine */
    return arvo__hash(&little, sizeof(little), seed);
}

static uint64_t
value_hash_number(const arvo_json *value)
{
    int64_t integer;
    if (value->type == ARVO_JSON_INT) {
        integer = value->as.integer;
    } else if (
        value->as.number >= -9223372036854775808.0 && value->as.number < 9223372036854775808.0 &&
        value->as.number == trunc(value->as.number)) {
        integer = (int64_t)value->as.number;
    } else {
        uint64_t bits;
        memcpy(&bits, &value->as.number, sizeof(bits));
        return value_hash_word(bits, ARVO_JSON_DOUBLE);
    }
    return value_hash_word((uint64_t)integer, ARVO_JSON_INT);
}

uint64_t
arvo_json_hash(const arvo_json *value)
{
    uint64_t sum = 0;
    switch (arvo_json_type_of(value)) {
    case ARVO_JSON_ABSENT:
    case ARVO_JSON_NULL:
        return arvo__hash(NULL, 0, ARVO_JSON_NULL);
    case ARVO_JSON_BOOL:
        return arvo__hash(value->as.boolean ? "t" : "f", 1, ARVO_JSON_BOOL);
    case ARVO_JSON_INT:
    case ARVO_JSON_DOUBLE:
        return value_hash_number(value);
    case ARVO_JSON_STRING:
        return arvo__hash(value->as.string, value->len, ARVO_JSON_STRING);
    case ARVO_JSON_ARRAY:
        for (uint32_t i = 0; i < value->len; i++) {
            sum = value_hash_word(sum, arvo_json_hash(&value->as.items[i]));
        }
        return value_hash_word(sum, ARVO_JSON_ARRAY);
    case ARVO_JSON_OBJECT:
        /* A sum, so that the order of members does not matter. */
        for (uint32_t i = 0; i < value->len; i++) {
            const struct arvo__member *member = &value->as.members[i];
            const uint64_t inner = arvo_json_hash(&member->value);
            sum += arvo__hash(member->key, member->key_len, inner);
        }
        return value_hash_word(sum, ARVO_JSON_OBJECT);
    }
    return 0;
}
