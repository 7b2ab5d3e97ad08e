/* arvo/base.h - what every other header stands on: status codes, errors,
 * strings, allocators, arenas and bounded buffers.
 *
 * Words used for ownership, everywhere in Arvo:
 *   owned     you free it, with the function named
 *   borrowed  it belongs to someone else; valid until the moment named
 *   arena     valid until that arena is rewound, reset or freed
 *   retained  the callee takes a reference of its own
 *   consumed  moved into the callee, on success only
 *
 * Threads: nothing here has global state. An arena, a buffer or an error
 *          serves one thread at a time.
 */
#ifndef ARVO_BASE_H
#define ARVO_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define ARVO_BEGIN_DECLS extern "C" {
#define ARVO_END_DECLS   }
#else
#define ARVO_BEGIN_DECLS
#define ARVO_END_DECLS
#endif

#if defined(__GNUC__)
#define ARVO_API                          __attribute__((visibility("default")))
#define ARVO_NODISCARD                    __attribute__((warn_unused_result))
#define ARVO_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#else
#define ARVO_API
#define ARVO_NODISCARD
#define ARVO_PRINTF(fmt_index, first_arg)
#endif

#define ARVO_VERSION_MAJOR  0
#define ARVO_VERSION_MINOR  1
#define ARVO_VERSION_PATCH  0
#define ARVO_VERSION_STRING "0.1.0"
#define ARVO_VERSION_NUMBER                                                                        \
    (ARVO_VERSION_MAJOR * 1000000 + ARVO_VERSION_MINOR * 1000 + ARVO_VERSION_PATCH)

#define ARVO_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

ARVO_BEGIN_DECLS

/** The version of the library that is linked, "MAJOR.MINOR.PATCH". Static. */
ARVO_API const char *arvo_version(void);

/* ---- Status codes ------------------------------------------------------- */

/* Codes, names and texts live in this one list. Codes are never renumbered.
 * -1 .. -19 say what is wrong with a value or a resource; -20 .. -29 are the
 * transaction errors of arvo_orchestrator_execute(); -30 .. -39 the
 * violations that arvo_violations RETURN hands to the caller. */
#define ARVO_STATUS_LIST(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(E_NOMEM, -1, "out of memory")                                                                \
    X(E_INVALID, -2, "breaks a rule")                                                              \
    X(E_MALFORMED, -3, "cannot be parsed")                                                         \
    X(E_TOO_BIG, -4, "larger than the limit")                                                      \
    X(E_NOT_FOUND, -5, "not found")                                                                \
    X(E_EXISTS, -6, "exists already")                                                              \
    X(E_UNSUPPORTED, -7, "not supported")                                                          \
    X(E_IO, -8, "input/output error")                                                              \
    X(E_STALE, -9, "fence or revision is stale")                                                   \
    X(E_TIMEOUT, -10, "timed out")                                                                 \
    X(E_CORRUPT, -11, "stored data is damaged")                                                    \
    X(E_VERSION, -12, "made by another version")                                                   \
    X(E_FULL, -13, "queue is full")                                                                \
    X(E_SUBJECT, -20, "invalid subject")                                                           \
    X(E_LOCK_FAILED, -21, "lock could not be taken")                                               \
    X(E_LOCK_DENIED, -22, "lock is held by someone else")                                          \
    X(E_READ_FAILED, -23, "state could not be read")                                               \
    X(E_WRITE_FAILED, -24, "state could not be written")                                           \
    X(E_INCOMPATIBLE_STATE, -25, "stored state does not fit the definition")                       \
    X(E_CONTRACT, -30, "contract violation")                                                       \
    X(E_CONFIG, -31, "configuration violation")                                                    \
    X(E_EXECUTION, -32, "execution violation")

typedef enum arvo_status {
#define ARVO_STATUS_ENUM(name, code, text) ARVO_##name = (code),
    ARVO_STATUS_LIST(ARVO_STATUS_ENUM)
#undef ARVO_STATUS_ENUM
} arvo_status;

/** "E_NOMEM" and the like; "E_UNKNOWN" for a number that is no status. Static. */
ARVO_API const char *arvo_status_name(arvo_status status);

/** The short text of the list above. Static. */
ARVO_API const char *arvo_status_text(arvo_status status);

/* ---- Strings ------------------------------------------------------------ */

/* A slice of UTF-8, not NUL-terminated. ptr == NULL means "none" (JSON null),
 * which differs from the empty string. */
typedef struct arvo_str {
    const char *ptr;
    size_t len;
} arvo_str;

#ifdef __cplusplus
#define ARVO_STR(literal) (arvo_str{ (literal), sizeof(literal) - 1 })
#define ARVO_STR_NONE     (arvo_str{ NULL, 0 })
#else
#define ARVO_STR(literal) ((arvo_str){ "" literal, sizeof(literal) - 1 })
#define ARVO_STR_NONE     ((arvo_str){ NULL, 0 })
#endif

/* For printf: printf("%.*s", ARVO_FMT(str)) */
#define ARVO_FMT(str) (int)(str).len, ((str).ptr != NULL ? (str).ptr : "")

static inline arvo_str
arvo_str_from(const char *text)
{
    arvo_str str;
    str.ptr = text;
    str.len = text != NULL ? strlen(text) : 0;
    return str;
}

static inline bool
arvo_str_equal(arvo_str a, arvo_str b)
{
    return a.len == b.len && (a.ptr == b.ptr || a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
arvo_str_is(arvo_str a, const char *text)
{
    const size_t len = strlen(text);
    return a.len == len && a.ptr != NULL && memcmp(a.ptr, text, len) == 0;
}

static inline bool
arvo_str_starts(arvo_str a, arvo_str prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

typedef struct arvo_pair {
    arvo_str key;
    arvo_str value;
} arvo_pair;

/* ---- Errors ------------------------------------------------------------- */

#define ARVO_ERROR_TEXT_BYTES_MAX ((size_t)640) /* with NUL */
#define ARVO_NO_OFFSET            ((size_t)-1)

/* Caller-owned, fixed size, no allocation. Functions take it last, accept
 * NULL, and write it on failure only. `text` is one line: what is wrong,
 * where, what to do; control characters in it are shown escaped. */
typedef struct arvo_error {
    arvo_status status;
    size_t offset;   /* byte position in the input, or ARVO_NO_OFFSET */
    uint32_t line;   /* 1-based; 0: unknown */
    uint32_t column; /* 1-based, in bytes; 0: unknown */
    char text[640];
} arvo_error;

/** Fill `err` (nullable) and return `status`, so that `return arvo_error_set(...)` works. */
ARVO_API arvo_status arvo_error_set(
    arvo_error *err, arvo_status status, size_t offset, const char *format, ...) ARVO_PRINTF(4, 5);

/** Put "prefix: " before the text of `err` (nullable), cutting at the end when it grows too long.
 */
ARVO_API void arvo_error_prefix(arvo_error *err, const char *format, ...) ARVO_PRINTF(2, 3);

/* ---- Allocators --------------------------------------------------------- */

/* Where long-lived memory comes from. A NULL allocator means malloc/free.
 * Functions must be thread-safe when the object is shared by threads. */
typedef struct arvo_allocator {
    void *(*alloc)(void *self, size_t size);
    void (*free)(void *self, void *ptr, size_t size);
    void *self;
} arvo_allocator;

/* ---- Arenas ------------------------------------------------------------- */

/* A bump allocator: memory is handed out in order and given back all at once.
 * Chunks are kept and reused after a rewind, so an arena that has grown to
 * what its work needs allocates no more. */
typedef struct arvo_arena arvo_arena;

typedef struct arvo_arena_mark {
    void *chunk;
    size_t used;
} arvo_arena_mark;

#define ARVO_ARENA_CHUNK_BYTES_DEFAULT ((size_t)64 * 1024)
#define ARVO_ARENA_BYTES_MAX_DEFAULT   ((size_t)1024 * 1024 * 1024)

typedef struct arvo_arena_opts {
    const arvo_allocator *allocator; /* borrowed for the arena's life; NULL: malloc */
    size_t chunk_bytes;              /* first chunk; 0: ARVO_ARENA_CHUNK_BYTES_DEFAULT */
    size_t bytes_max;                /* of all chunks; 0: ARVO_ARENA_BYTES_MAX_DEFAULT */
} arvo_arena_opts;

/** A new arena, owned (arvo_arena_free()). `opts` may be NULL. NULL when out of memory. */
ARVO_API ARVO_NODISCARD arvo_arena *arvo_arena_new(const arvo_arena_opts *opts);

/** Free the arena and all it handed out. NULL is fine. */
ARVO_API void arvo_arena_free(arvo_arena *arena);

/**
 * `size` bytes aligned for any type, not zeroed; arena. NULL when memory or
 * bytes_max is exhausted; the arena remembers that (arvo_arena_failed()), so
 * code that builds a value may check once at its end.
 */
ARVO_API ARVO_NODISCARD void *arvo_arena_alloc(arvo_arena *arena, size_t size);

/** As arvo_arena_alloc(), zeroed; NULL too when count * size overflows. */
ARVO_API ARVO_NODISCARD void *arvo_arena_calloc(arvo_arena *arena, size_t count, size_t size);

/** A copy of `str`, with a NUL behind it. ptr == NULL for none, or when out of memory. */
ARVO_API arvo_str arvo_arena_str_dup(arvo_arena *arena, arvo_str str);

/** printf into the arena; ptr == NULL when out of memory. */
ARVO_API arvo_str arvo_arena_printf(arvo_arena *arena, const char *format, ...) ARVO_PRINTF(2, 3);

/** Where the arena stands now; for arvo_arena_rewind(). */
ARVO_API arvo_arena_mark arvo_arena_mark_get(arvo_arena *arena);

/** Give back all that was handed out since `mark`, and forget a failure. Chunks are kept. */
ARVO_API void arvo_arena_rewind(arvo_arena *arena, arvo_arena_mark mark);

/** Give back everything; chunks are kept. */
ARVO_API void arvo_arena_reset(arvo_arena *arena);

/** Whether an allocation failed since the last rewind or reset. */
ARVO_API bool arvo_arena_failed(const arvo_arena *arena);

/** Bytes handed out at present. */
ARVO_API size_t arvo_arena_used(const arvo_arena *arena);

/* ---- Buffers ------------------------------------------------------------ */

/* A growable byte buffer with a maximum. Failure is sticky: after one append
 * failed, later ones do nothing, and `status` says why; check it once. */
typedef struct arvo_buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t bytes_max;
    const arvo_allocator *allocator; /* NULL: malloc */
    arvo_status status;              /* ARVO_OK, ARVO_E_NOMEM or ARVO_E_TOO_BIG */
} arvo_buf;

#define ARVO_BUF_BYTES_MAX_DEFAULT ((size_t)1024 * 1024 * 1024)
#ifdef __cplusplus
#define ARVO_BUF_INIT(max) (arvo_buf{ NULL, 0, 0, (max), NULL, ARVO_OK })
#else
#define ARVO_BUF_INIT(max) ((arvo_buf){ .bytes_max = (max) })
#endif

ARVO_API void arvo_buf_append(arvo_buf *buf, const void *bytes, size_t len);
ARVO_API void arvo_buf_append_str(arvo_buf *buf, arvo_str str);
ARVO_API void arvo_buf_append_char(arvo_buf *buf, char c);
ARVO_API void arvo_buf_printf(arvo_buf *buf, const char *format, ...) ARVO_PRINTF(2, 3);

/** Room for `len` more bytes at ptr + len of the buffer, or NULL (sticky). Add to buf->len what you
 * wrote. */
ARVO_API char *arvo_buf_reserve(arvo_buf *buf, size_t len);

/** What the buffer holds; borrowed until the next append, reset or fini. */
static inline arvo_str
arvo_buf_str(const arvo_buf *buf)
{
    arvo_str str;
    str.ptr = buf->ptr != NULL ? buf->ptr : "";
    str.len = buf->len;
    return str;
}

/** Empty, memory kept, status ARVO_OK. */
ARVO_API void arvo_buf_reset(arvo_buf *buf);

/** Free the memory; the buffer is empty and may be used again. */
ARVO_API void arvo_buf_fini(arvo_buf *buf);

ARVO_END_DECLS

#endif
