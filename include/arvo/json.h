/* arvo/json.h - the one value type: JSON in an arena.
 *
 * Strict RFC 8259, UTF-8 checked. Objects keep insertion order; of a key
 * given twice the last value wins, at the first one's place (as JavaScript).
 * Numbers: integers that fit are exact int64; every other number is an IEEE
 * double, read correctly rounded and written as ECMAScript's Number::toString
 * writes it (shortest that reads back equal; 1e21; -0 is written 0). A number
 * whose value is an integer below 2^53 is an integer however it was written
 * (1.0 and 10e-1 are 1). Departure from JSON.parse: a \u escape that is a
 * lone surrogate is refused (it has no UTF-8), and integers between 2^53 and
 * 2^63 keep all their digits. A number beyond the double range is refused.
 * A double between 2^53 and 2^63 is written as ECMAScript does, and those
 * digits read back as an exact integer: the same number as a double, though
 * not to arvo_json_equal().
 *
 * Values are immutable once built and may be shared by threads and by several
 * parents. Every accessor accepts NULL as "absent" and never fails.
 */
#ifndef ARVO_JSON_H
#define ARVO_JSON_H

#include <arvo/base.h>

ARVO_BEGIN_DECLS

typedef struct arvo_json arvo_json;

typedef enum arvo_json_type {
    ARVO_JSON_ABSENT = 0, /* the type of a NULL pointer */
    ARVO_JSON_NULL,
    ARVO_JSON_BOOL,
    ARVO_JSON_INT,
    ARVO_JSON_DOUBLE,
    ARVO_JSON_STRING,
    ARVO_JSON_ARRAY,
    ARVO_JSON_OBJECT
} arvo_json_type;

#define ARVO_JSON_DEPTH_MAX         256u                       /* default and upper limit */
#define ARVO_JSON_BYTES_MAX_DEFAULT ((size_t)64 * 1024 * 1024) /* of text */

/* ---- Text to value and back --------------------------------------------- */

typedef struct arvo_json_parse_opts {
    size_t bytes_max;   /* 0: ARVO_JSON_BYTES_MAX_DEFAULT */
    uint32_t depth_max; /* 0: ARVO_JSON_DEPTH_MAX */
} arvo_json_parse_opts;

/**
 * Parse one JSON text (RFC 8259), white space around it allowed, a BOM not.
 *
 * @param text  Borrowed for the call; copied into the arena.
 * @param out   Written on success only; arena.
 * @param err   Nullable. offset, line and column point at the first wrong byte.
 * @return ARVO_OK, ARVO_E_MALFORMED, ARVO_E_TOO_BIG (bytes_max, depth_max) or ARVO_E_NOMEM. After
 *         a failure the arena is as it was before.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_json_parse(arvo_str text, arvo_arena *arena, const arvo_json **out, arvo_error *err);

/** The same within bounds of your own. @param opts  Nullable. */
ARVO_API ARVO_NODISCARD arvo_status arvo_json_parse_opt(
    arvo_str text, const arvo_json_parse_opts *opts, arvo_arena *arena, const arvo_json **out,
    arvo_error *err);

/** Append the compact form. NULL is written as null. Failure is the buffer's (sticky). */
ARVO_API void arvo_json_write(const arvo_json *value, arvo_buf *out);

/** Append the form JSON.stringify(value, null, indent) gives; indent 0 to 10. */
ARVO_API void arvo_json_write_pretty(const arvo_json *value, unsigned indent, arvo_buf *out);

/** Append `text` as a JSON string, quotes included. */
ARVO_API void arvo_json_write_str(arvo_str text, arvo_buf *out);

/** Append a number as ECMAScript's Number::toString; NaN and infinities as null. */
ARVO_API void arvo_json_write_double(double number, arvo_buf *out);

/* ---- Reading values ------------------------------------------------------ */

ARVO_API arvo_json_type arvo_json_type_of(const arvo_json *value);
ARVO_API const char *arvo_json_type_name(arvo_json_type type); /* "object", "integer", ... static */

static inline bool
arvo_json_is_number(const arvo_json *value)
{
    const arvo_json_type type = arvo_json_type_of(value);
    return type == ARVO_JSON_INT || type == ARVO_JSON_DOUBLE;
}

/** Absent or null (JavaScript's nullish). */
static inline bool
arvo_json_is_nullish(const arvo_json *value)
{
    return arvo_json_type_of(value) <= ARVO_JSON_NULL;
}

/** Value of the member `key` of an object; NULL when absent or not an object. Expected O(1). */
ARVO_API const arvo_json *arvo_json_get(const arvo_json *object, const char *key);
ARVO_API const arvo_json *arvo_json_get_str(const arvo_json *object, arvo_str key);

/** Number of items or members; 0 for anything else. */
ARVO_API size_t arvo_json_count(const arvo_json *value);

/** i-th item of an array or i-th member value of an object; NULL outside. */
ARVO_API const arvo_json *arvo_json_at(const arvo_json *value, size_t i);

/** i-th key of an object; none outside. */
ARVO_API arvo_str arvo_json_key_at(const arvo_json *object, size_t i);

/** The scalar when the value has that type, else the given default. */
ARVO_API bool arvo_json_bool_or(const arvo_json *value, bool otherwise);
ARVO_API int64_t arvo_json_int_or(const arvo_json *value, int64_t otherwise);
ARVO_API double arvo_json_number_or(const arvo_json *value, double otherwise);
ARVO_API arvo_str arvo_json_str_or(const arvo_json *value, arvo_str otherwise);

/** The string, or none (ptr NULL) when it is not a string. */
ARVO_API arvo_str arvo_json_str(const arvo_json *value);

/** RFC 6901. NULL when nothing is there or the pointer is malformed. */
ARVO_API const arvo_json *arvo_json_pointer_get(const arvo_json *root, arvo_str pointer);

/** Append "/token" with ~ and / escaped. */
ARVO_API void arvo_json_pointer_push(arvo_buf *pointer, arvo_str token);

/**
 * Where in a JSON text the value that `pointer` names begins; for error messages.
 * @return false when the text is not JSON or nothing is there.
 */
ARVO_API bool arvo_json_locate(arvo_str text, arvo_str pointer, uint32_t *line, uint32_t *column);

/** Deep equality: key order ignored, numbers by value (1 equals 1.0). NULL equals only NULL. */
ARVO_API bool arvo_json_equal(const arvo_json *a, const arvo_json *b);

/** Equal values have equal hashes, on every machine and in every run. */
ARVO_API uint64_t arvo_json_hash(const arvo_json *value);

/* ---- Building values ------------------------------------------------------
 *
 * Constructors return arena values, or NULL when the arena is exhausted. A
 * builder call on a NULL container does nothing, so a whole value may be built
 * and arvo_arena_failed() asked once. An array or object may be changed by
 * whoever built it until it is given to anyone else. */

ARVO_API const arvo_json *arvo_json_null(void);
ARVO_API const arvo_json *arvo_json_bool(bool value);
ARVO_API const arvo_json *arvo_json_int(arvo_arena *arena, int64_t value);
ARVO_API const arvo_json *arvo_json_number(arvo_arena *arena, double value);  /* not finite: null */
ARVO_API const arvo_json *arvo_json_string(arvo_arena *arena, arvo_str text); /* copied; UTF-8 */

/** As arvo_json_string() without the copy: `text` must live as long as the value. */
ARVO_API const arvo_json *arvo_json_string_ref(arvo_arena *arena, arvo_str text);

ARVO_API arvo_json *arvo_json_array_new(arvo_arena *arena);
ARVO_API arvo_json *arvo_json_object_new(arvo_arena *arena);

/** Append to an array from arvo_json_array_new(). A NULL value with a sound arena means null. */
ARVO_API void arvo_json_push(arvo_arena *arena, arvo_json *array, const arvo_json *value);

/** Set a member of an object from arvo_json_object_new() or arvo_json_clone(). The key is copied;
 * an existing key keeps its place. A NULL value with a sound arena means null. */
ARVO_API void
arvo_json_set(arvo_arena *arena, arvo_json *object, arvo_str key, const arvo_json *value);

/** As arvo_json_set() with a key that must live as long as the object (a literal, say). */
ARVO_API void
arvo_json_set_ref(arvo_arena *arena, arvo_json *object, arvo_str key, const arvo_json *value);

/** A changeable copy of the top level of an array or object; items and members are shared. */
ARVO_API arvo_json *arvo_json_clone(arvo_arena *arena, const arvo_json *value);

/** A copy of the whole value that refers to nothing outside `arena`. NULL: out of memory. */
ARVO_API const arvo_json *arvo_json_copy(arvo_arena *arena, const arvo_json *value);

ARVO_END_DECLS

#endif
