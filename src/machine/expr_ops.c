/* jq 1.6's operators on arvo_json values: order, arithmetic, indexing. */

#include "machine/expr_internal.h"

#include <math.h>
#include <stdlib.h>

#define COMPARE_DEPTH_MAX (2 * ARVO_JSON_DEPTH_MAX)

/* ---- Order ------------------------------------------------------------------- */

unsigned
arvo__expr_rank(const arvo_json *value)
{
    static const uint8_t ranks[] = {
        [ARVO_JSON_ABSENT] = 0, [ARVO_JSON_NULL] = 0,   [ARVO_JSON_BOOL] = 1,
        [ARVO_JSON_INT] = 3,    [ARVO_JSON_DOUBLE] = 3, [ARVO_JSON_STRING] = 4,
        [ARVO_JSON_ARRAY] = 5,  [ARVO_JSON_OBJECT] = 6
    };
    return value->type == ARVO_JSON_BOOL && value->as.boolean ? 2u : ranks[value->type];
}

static int
compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const size_t common = a_len < b_len ? a_len : b_len;
    const int order = common > 0 ? memcmp(a, b, common) : 0;
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int
compare_keys(const void *a, const void *b)
{
    const arvo_str *left = a, *right = b;
    return compare_bytes(left->ptr, left->len, right->ptr, right->len);
}

const arvo_str *
arvo__expr_keys(expr_run *run, const arvo_json *object)
{
    if (object->len == 0 || !arvo__expr_spend(run, object->len))
        return NULL;
    arvo_str *keys = arvo__expr_alloc(run, object->len * sizeof(*keys));
    if (keys == NULL)
        return NULL;
    for (uint32_t i = 0; i < object->len; i++)
        keys[i] = (arvo_str){ object->as.members[i].key, object->as.members[i].key_len };
    qsort(keys, object->len, sizeof(*keys), compare_keys);
    return keys;
}

/* Objects: first by their sorted keys, as arrays; then by the values in that order. */
static int
compare_objects(expr_run *run, const arvo_json *a, const arvo_json *b, unsigned depth)
{
    const arvo_str *a_keys = arvo__expr_keys(run, a), *b_keys = arvo__expr_keys(run, b);
    if (run->state != EXPR_RUNNING)
        return 0;
    const uint32_t common = a->len < b->len ? a->len : b->len;
    for (uint32_t i = 0; i < common; i++) {
        const int order = compare_keys(&a_keys[i], &b_keys[i]);
        if (order != 0)
            return order;
    }
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    for (uint32_t i = 0; i < common; i++) {
        const int order = arvo__expr_compare(
            run, arvo_json_get_str(a, a_keys[i]), arvo_json_get_str(b, a_keys[i]), depth + 1);
        if (order != 0)
            return order;
    }
    return 0;
}

static bool
compare_allowed(expr_run *run, unsigned depth)
{
    if (depth > COMPARE_DEPTH_MAX)
        arvo__expr_fail(run, "the values to compare are nested too deeply");
    else
        arvo__expr_spend(run, 1);
    return run->state == EXPR_RUNNING;
}

int
arvo__expr_compare(expr_run *run, const arvo_json *a, const arvo_json *b, unsigned depth)
{
    const unsigned rank = arvo__expr_rank(a), other = arvo__expr_rank(b);
    if (rank != other)
        return rank < other ? -1 : 1;
    if (rank < 3 || !compare_allowed(run, depth))
        return 0;
    if (rank == 3) {
        const double left = arvo__expr_double(a), right = arvo__expr_double(b);
        return left < right || isnan(left) ? -1 : left == right ? 0 : 1;
    }
    if (rank == 4)
        return compare_bytes(a->as.string, a->len, b->as.string, b->len);
    if (rank == 6)
        return compare_objects(run, a, b, depth);
    for (uint32_t i = 0; i < a->len && i < b->len; i++) {
        const int order = arvo__expr_compare(run, &a->as.items[i], &b->as.items[i], depth + 1);
        if (order != 0)
            return order;
    }
    return (a->len > b->len) - (a->len < b->len);
}

bool
arvo__expr_equal(expr_run *run, const arvo_json *a, const arvo_json *b, unsigned depth)
{
    const unsigned rank = arvo__expr_rank(a);
    if (rank != arvo__expr_rank(b))
        return false;
    if (rank < 3)
        return true;
    if (rank == 3)
        return arvo__expr_double(a) == arvo__expr_double(b);
    if (a->len != b->len || !compare_allowed(run, depth))
        return false;
    if (rank == 4)
        return a->len == 0 || memcmp(a->as.string, b->as.string, a->len) == 0;
    for (uint32_t i = 0; i < a->len; i++) {
        const arvo_json *left = &a->as.items[rank == 5 ? i : 0], *right = NULL;
        if (rank == 5) {
            right = &b->as.items[i];
        } else {
            const struct arvo__member *member = &a->as.members[i];
            left = &member->value;
            right = arvo_json_get_str(b, (arvo_str){ member->key, member->key_len });
        }
        if (right == NULL || !arvo__expr_equal(run, left, right, depth + 1))
            return false;
    }
    return run->state == EXPR_RUNNING;
}

/* ---- + - * / % ------------------------------------------------------------------ */

static const arvo_json *
fail_operands(expr_run *run, const arvo_json *a, const arvo_json *b, const char *what)
{
    char left[64], right[64];
    return arvo__expr_fail(
        run, "%s and %s cannot be %s", arvo__expr_show(a, left, sizeof(left)),
        arvo__expr_show(b, right, sizeof(right)), what);
}

static bool
both(const arvo_json *a, const arvo_json *b, unsigned rank)
{
    return arvo__expr_rank(a) == rank && arvo__expr_rank(b) == rank;
}

enum { RANK_NULL = 0, RANK_NUMBER = 3, RANK_STRING, RANK_ARRAY, RANK_OBJECT };

static const arvo_json *
concat_strings(expr_run *run, const arvo_json *a, const arvo_json *b)
{
    char *bytes = arvo__expr_alloc(run, (size_t)a->len + b->len);
    if (bytes == NULL)
        return NULL;
    if (a->len > 0)
        memcpy(bytes, a->as.string, a->len);
    if (b->len > 0)
        memcpy(bytes + a->len, b->as.string, b->len);
    return arvo__expr_string(run, bytes, (size_t)a->len + b->len);
}

static const arvo_json *
concat_arrays(expr_run *run, const arvo_json *a, const arvo_json *b)
{
    arvo_json *out = arvo__expr_array(run, (size_t)a->len + b->len);
    if (out == NULL)
        return NULL;
    if (a->len > 0)
        memcpy(out->as.items, a->as.items, a->len * sizeof(*out));
    if (b->len > 0)
        memcpy(out->as.items + a->len, b->as.items, b->len * sizeof(*out));
    return out;
}

/* A changeable copy of an object; its members are shared. */
static arvo_json *
object_copy(expr_run *run, const arvo_json *object, uint32_t more)
{
    if (!arvo__expr_spend(run, (uint64_t)object->len + more + 1))
        return NULL;
    const size_t bytes = ((size_t)object->len + more) * 2 * sizeof(struct arvo__member);
    if (bytes > run->bytes_left) {
        arvo__expr_fail(run, "the object would be too large");
        return NULL;
    }
    run->bytes_left -= bytes;
    arvo_json *out = arvo_json_clone(run->arena, object);
    if (out == NULL)
        arvo__expr_nomem(run);
    return out;
}

static const arvo_json *
merge(expr_run *run, const arvo_json *a, const arvo_json *b, bool deep, unsigned depth)
{
    if (depth > COMPARE_DEPTH_MAX)
        return arvo__expr_fail(run, "the objects to merge are nested too deeply");
    arvo_json *out = object_copy(run, a, b->len);
    for (uint32_t i = 0; out != NULL && i < b->len; i++) {
        const struct arvo__member *member = &b->as.members[i];
        const arvo_str key = { member->key, member->key_len };
        const arvo_json *value = &member->value;
        const arvo_json *old = deep ? arvo_json_get_str(a, key) : NULL;
        if (old != NULL && old->type == ARVO_JSON_OBJECT && value->type == ARVO_JSON_OBJECT)
            value = merge(run, old, value, true, depth + 1);
        if (value == NULL)
            return NULL;
        arvo_json_set_ref(run->arena, out, key, value);
    }
    return out != NULL && arvo_arena_failed(run->arena) ? arvo__expr_nomem(run) : out;
}

static const arvo_json *
add(expr_run *run, const arvo_json *a, const arvo_json *b)
{
    if (both(a, b, RANK_NUMBER))
        return arvo__expr_number(run, arvo__expr_double(a) + arvo__expr_double(b));
    if (arvo__expr_rank(a) == RANK_NULL)
        return b;
    if (arvo__expr_rank(b) == RANK_NULL)
        return a;
    if (both(a, b, RANK_STRING))
        return concat_strings(run, a, b);
    if (both(a, b, RANK_ARRAY))
        return concat_arrays(run, a, b);
    if (both(a, b, RANK_OBJECT))
        return merge(run, a, b, false, 0);
    return fail_operands(run, a, b, "added");
}

static const arvo_json *
subtract(expr_run *run, const arvo_json *a, const arvo_json *b)
{
    if (both(a, b, RANK_NUMBER))
        return arvo__expr_number(run, arvo__expr_double(a) - arvo__expr_double(b));
    if (!both(a, b, RANK_ARRAY))
        return fail_operands(run, a, b, "subtracted");
    arvo_json *out = arvo__expr_array(run, a->len);
    if (out == NULL)
        return NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < a->len; i++) {
        bool found = false;
        if (!arvo__expr_spend(run, (uint64_t)b->len + 1))
            return NULL;
        for (uint32_t j = 0; j < b->len && !found; j++)
            found = arvo__expr_equal(run, &a->as.items[i], &b->as.items[j], 0);
        if (!found)
            out->as.items[kept++] = a->as.items[i];
    }
    out->len = kept;
    return run->state == EXPR_RUNNING ? out : NULL;
}

/* "ab" * n: repeated; null when n <= 0. A fraction counts up, except below 1, where jq takes 1. */
static const arvo_json *
repeat(expr_run *run, const arvo_json *string, double times)
{
    const double more = times - 1;
    if (isnan(more) || more <= -1)
        return arvo_json_null();
    if (more >= 1e9 || (more + 1) * (double)string->len > (double)run->bytes_left)
        return arvo__expr_fail(run, "the repeated string would be too long");
    const size_t count = (size_t)(more > 0 ? more : 0) + 1;
    char *bytes = arvo__expr_alloc(run, count * string->len);
    if (bytes == NULL)
        return NULL;
    for (size_t i = 0; i < count && string->len > 0; i++)
        memcpy(bytes + i * string->len, string->as.string, string->len);
    return arvo__expr_string(run, bytes, count * string->len);
}

static const arvo_json *
multiply(expr_run *run, const arvo_json *a, const arvo_json *b)
{
    if (both(a, b, RANK_NUMBER))
        return arvo__expr_number(run, arvo__expr_double(a) * arvo__expr_double(b));
    if (arvo__expr_rank(a) == RANK_STRING && arvo__expr_rank(b) == RANK_NUMBER)
        return repeat(run, a, arvo__expr_double(b));
    if (arvo__expr_rank(a) == RANK_NUMBER && arvo__expr_rank(b) == RANK_STRING)
        return repeat(run, b, arvo__expr_double(a));
    if (both(a, b, RANK_OBJECT))
        return merge(run, a, b, true, 0);
    return fail_operands(run, a, b, "multiplied");
}

/* Bytes of the UTF-8 character that begins here. */
static size_t
character_len(char first)
{
    const unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Where the piece that begins at `at` ends. */
static size_t
piece_end(const arvo_json *text, const arvo_json *sep, size_t at)
{
    if (sep->len == 0)
        return at + character_len(text->as.string[at]);
    const char *found = memmem(text->as.string + at, text->len - at, sep->as.string, sep->len);
    return found != NULL ? (size_t)(found - text->as.string) : text->len;
}

/* A separator at the end leaves an empty piece behind it; an empty text has no pieces. */
static const arvo_json *
split(expr_run *run, const arvo_json *text, const arvo_json *sep)
{
    size_t count = 0;
    for (size_t at = 0; at < text->len; count++) {
        const size_t end = piece_end(text, sep, at);
        count += sep->len > 0 && end + sep->len == text->len;
        at = end + sep->len;
    }
    arvo_json *out = arvo__expr_array(run, count);
    if (out == NULL)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t end = at < text->len ? piece_end(text, sep, at) : text->len;
        const size_t from = at < text->len ? at : text->len;
        out->as.items[i] = (arvo_json){ .type = ARVO_JSON_STRING,
                                        .len = (uint32_t)(end - from),
                                        .as.string = text->as.string + from };
        at = end + sep->len;
    }
    return out;
}

static const arvo_json *
divide(expr_run *run, const arvo_json *a, const arvo_json *b)
{
    if (both(a, b, RANK_NUMBER)) {
        if (arvo__expr_double(b) == 0)
            return fail_operands(run, a, b, "divided because the divisor is zero");
        return arvo__expr_number(run, arvo__expr_double(a) / arvo__expr_double(b));
    }
    if (both(a, b, RANK_STRING))
        return split(run, a, b);
    return fail_operands(run, a, b, "divided");
}

/* To an integer as the processors that jq runs on do it. */
static int64_t
truncate_number(const arvo_json *value)
{
    const double number = arvo__expr_double(value);
    return number >= -0x1p63 && number < 0x1p63 ? (int64_t)number : INT64_MIN;
}

static const arvo_json *
modulo(expr_run *run, const arvo_json *a, const arvo_json *b)
{
    if (!both(a, b, RANK_NUMBER))
        return fail_operands(run, a, b, "divided");
    const int64_t left = truncate_number(a), right = truncate_number(b);
    if (right == 0)
        return fail_operands(run, a, b, "divided because the divisor is zero");
    /* INT64_MIN % -1 has no answer in C; jq dies of it. */
    return arvo__expr_number(run, right == -1 ? 0 : (double)(left % right));
}

const arvo_json *
arvo__expr_binary(expr_run *run, int op, const arvo_json *left, const arvo_json *right)
{
    switch (op) {
    case '+':
        return add(run, left, right);
    case '-':
        return subtract(run, left, right);
    case '*':
        return multiply(run, left, right);
    case '/':
        return divide(run, left, right);
    case '%':
        return modulo(run, left, right);
    default:
        break;
    }
    bool holds = false;
    if (op == EXPR_OP_EQ || op == EXPR_OP_NE) {
        holds = arvo__expr_equal(run, left, right, 0) == (op == EXPR_OP_EQ);
    } else {
        const int order = arvo__expr_compare(run, left, right, 0);
        holds = op == '<'          ? order < 0
                : op == '>'        ? order > 0
                : op == EXPR_OP_LE ? order <= 0
                                   : order >= 0;
    }
    return run->state == EXPR_RUNNING ? arvo_json_bool(holds) : NULL;
}

/* ---- Paths --------------------------------------------------------------------- */

/* Where `wanted` begins in `value`, as an array of positions; an empty one begins nowhere. */
static const arvo_json *
positions(expr_run *run, const arvo_json *value, const arvo_json *wanted)
{
    arvo_json *out = arvo__expr_array(run, wanted->len > 0 ? value->len : 0);
    if (out == NULL)
        return NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; wanted->len > 0 && i < value->len; i++) {
        bool found = true;
        for (uint32_t j = 0; found && j < wanted->len; j++)
            found = i + j < value->len &&
                    arvo__expr_equal(run, &value->as.items[i + j], &wanted->as.items[j], 0);
        if (!arvo__expr_spend(run, 1))
            return NULL;
        if (found)
            out->as.items[count++] = (arvo_json){ .type = ARVO_JSON_INT, .as.integer = i };
    }
    out->len = count;
    return out;
}

/* An item by number: a fraction names none, nor does what is beyond an int. */
static const arvo_json *
item_at(const arvo_json *array, double number)
{
    double whole;
    if (isnan(number) || modf(number, &whole) != 0 || fabs(whole) > 1e9)
        return arvo_json_null();
    const int64_t i = (int64_t)whole + (whole < 0 ? (int64_t)array->len : 0);
    return i >= 0 && i < (int64_t)array->len ? &array->as.items[i] : arvo_json_null();
}

const arvo_json *
arvo__expr_index(expr_run *run, const arvo_json *value, const arvo_json *key, bool optional)
{
    const unsigned rank = arvo__expr_rank(value), by = arvo__expr_rank(key);
    if (rank == RANK_OBJECT && by == RANK_STRING) {
        const arvo_json *member = arvo_json_get_str(value, arvo_json_str(key));
        return member != NULL ? member : arvo_json_null();
    }
    if (rank == RANK_ARRAY && by == RANK_NUMBER)
        return item_at(value, arvo__expr_double(key));
    if (by == RANK_OBJECT && (rank == RANK_ARRAY || rank == RANK_STRING)) {
        /* .[{start: 1, end: 2}] is .[1:2]; both members must be there. */
        const arvo_json *from = arvo_json_get(key, "start"), *to = arvo_json_get(key, "end");
        static const arvo_json not_a_number = { .type = ARVO_JSON_BOOL };
        return arvo__expr_slice(
            run, value, from != NULL ? from : &not_a_number, to != NULL ? to : &not_a_number,
            optional);
    }
    if (rank == RANK_ARRAY && by == RANK_ARRAY)
        return positions(run, value, key);
    if (rank == RANK_NULL && (by == RANK_STRING || by == RANK_NUMBER || by == RANK_OBJECT))
        return arvo_json_null();
    if (optional)
        return NULL;
    if (by == RANK_STRING)
        return arvo__expr_fail(
            run, "Cannot index %s with \"%.*s\"", arvo__expr_type(value),
            (int)(key->len < 64 ? key->len : 64), key->as.string);
    return arvo__expr_fail(
        run, "Cannot index %s with %s", arvo__expr_type(value), arvo__expr_type(key));
}

/* The end of a slice as jq rounds it: negative from the end, cut at both ends. */
static double
slice_edge(double edge, double len)
{
    if (isnan(edge))
        return 0;
    if (edge < 0)
        edge += len;
    return edge < 0 ? 0 : edge > len ? len : edge;
}

static size_t
byte_of_character(const arvo_json *text, size_t from, size_t characters)
{
    while (characters-- > 0 && from < text->len)
        from += character_len(text->as.string[from]);
    return from;
}

const arvo_json *
arvo__expr_slice(
    expr_run *run, const arvo_json *value, const arvo_json *from, const arvo_json *to,
    bool optional)
{
    const unsigned rank = arvo__expr_rank(value);
    if (rank == RANK_NULL)
        return value;
    if (rank != RANK_ARRAY && rank != RANK_STRING)
        return optional ? NULL : arvo__expr_fail(run, "Cannot slice %s", arvo__expr_type(value));
    const bool from_start = from == NULL || from->type == ARVO_JSON_NULL;
    const bool to_end = to == NULL || to->type == ARVO_JSON_NULL;
    if ((!from_start && !arvo_json_is_number(from)) || (!to_end && !arvo_json_is_number(to)))
        return optional ? NULL : arvo__expr_fail(run, "the ends of a slice must be numbers");

    const arvo_str text = { value->as.string, value->len };
    const double len = rank == RANK_ARRAY ? value->len : (double)arvo__utf8_count(text);
    const double start = from_start ? 0 : slice_edge(arvo__expr_double(from), len);
    const double end = to_end ? len : slice_edge(arvo__expr_double(to), len);
    const size_t first = (size_t)start;
    const size_t last_asked = (size_t)ceil(end);
    const size_t last = last_asked < first ? first : last_asked; /* rounded, then compared */

    arvo_json *out = arvo__expr_alloc(run, sizeof(*out));
    if (out == NULL)
        return NULL;
    *out = *value; /* shares what the value holds */
    out->cap_log2 = 0;
    if (rank == RANK_ARRAY) {
        out->as.items = value->len > 0 ? value->as.items + first : NULL;
        out->len = (uint32_t)(last - first);
        return out;
    }
    const size_t at = byte_of_character(value, 0, first);
    out->as.string = value->as.string + at;
    out->len = (uint32_t)(byte_of_character(value, at, last - first) - at);
    return out;
}
