/* base/internal.h - what the layers share and the public does not see. */
#ifndef ARVO_SRC_BASE_INTERNAL_H
#define ARVO_SRC_BASE_INTERNAL_H

#include <arvo/base.h>
#include <arvo/platform.h>

#include <pthread.h>

#include "arvo_config.h"

#define ARVO_LIKELY(x)   __builtin_expect(!!(x), 1)
#define ARVO_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A caller's bug stops here, in release builds too; bad input never does. */
#define ARVO_ASSERT(condition)                                                                     \
    (ARVO_LIKELY(condition) ? (void)0 : arvo__assert_failed(#condition, __FILE__, __LINE__))

_Noreturn void arvo__assert_failed(const char *condition, const char *file, int line);

/* ---- Allocation ---------------------------------------------------------- */

/* allocator NULL: malloc/free. The only places that call malloc and free. */
void *arvo__alloc(const arvo_allocator *allocator, size_t size);
void *arvo__calloc(const arvo_allocator *allocator, size_t count, size_t size);
void arvo__free(const arvo_allocator *allocator, void *ptr, size_t size);

/* ---- Threads --------------------------------------------------------------- */

/* A thread that gets no signals: those are for the program's own. false: there is none. */
bool arvo__thread_start(pthread_t *out, void *(*run)(void *arg), void *arg);
/* Run this so that the threads which it starts get none either; what it returns, or false when it
 * was not run. */
bool arvo__without_signals(bool (*run)(void *arg), void *arg);

/* Waiting in real time, for what is also woken by hand: a platform's clock may stand still. As with
 * pthread_cond_wait() a wait may end early. */
int64_t arvo__real_ms(void);
int64_t arvo__real_ms_after(int64_t ms); /* from now; INT64_MAX where there is no such time */
bool arvo__cond_init(pthread_cond_t *cond);
void arvo__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t real_ms);

/* ---- Libraries ------------------------------------------------------------- */

typedef struct arvo__symbol {
    const char *name;
    void *function; /* where the pointer to it goes */
} arvo__symbol;

/* Open a library that few need, which would cost every start of every program a millisecond, and
 * look up its functions. It stays open. false: it, or one of them, is not there. */
bool arvo__library_open(const char *soname, const arvo__symbol *symbols, size_t count);

/* ---- Processes --------------------------------------------------------------- */

#define ARVO__CHILD_FD 3 /* after the standard three */

/* In a process that fork() just made: nothing of its owner's but `fd`, which becomes
 * ARVO__CHILD_FD. No other file, /dev/null for the standard three, no core file, and every signal
 * unblocked and as the system has it, but for those ignored. */
void arvo__child_stand_alone(int fd, const int *ignored, size_t ignored_count);

/* ---- Arena --------------------------------------------------------------- */

struct arvo__chunk; /* base/arena.c */

/* Under AddressSanitizer what an arena has not handed out is poisoned, and a
 * gap follows every piece: running over one, or using it after a rewind, stops
 * the program as it would with malloc. */
#if defined(__SANITIZE_ADDRESS__)
#define ARVO__ARENA_GUARDED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARVO__ARENA_GUARDED 1
#endif
#endif

struct arvo_arena {
    char *cursor; /* next free byte of the current chunk */
    char *end;
    struct arvo__chunk *current;
    struct arvo__chunk *first;
    arvo_allocator allocator;
    bool has_allocator;
    bool failed;
    size_t chunk_bytes;
    size_t bytes_total;
    size_t bytes_max;
};

void *arvo__arena_alloc_slow(arvo_arena *arena, size_t size);

/* 8-byte alignment: enough for JSON values, pointers, int64_t and double. */
static inline void *
arvo__arena_alloc(arvo_arena *arena, size_t size)
{
#ifndef ARVO__ARENA_GUARDED
    const size_t rounded = (size + 7u) & ~(size_t)7u;
    if (ARVO_LIKELY(rounded >= size && rounded <= (size_t)(arena->end - arena->cursor))) {
        void *ptr = arena->cursor;
        arena->cursor += rounded;
        return ptr;
    }
#endif
    return arvo__arena_alloc_slow(arena, size);
}

/* Room for one more behind `count` items of `size` bytes, of which *cap have room: `items`, or a
 * copy with room for twice as many, the rest zero. NULL: out of memory, nothing changed. */
void *arvo__arena_grow(arvo_arena *arena, void *items, size_t count, size_t *cap, size_t size);

/* ---- Hashing and maps ---------------------------------------------------- */

/* A fast 64-bit hash of bytes, the same on every machine and in every run. */
uint64_t arvo__hash(const void *bytes, size_t len, uint64_t seed);

/* Keyed with per-process randomness: for tables whose keys come from outside. */
uint64_t arvo__hash_keyed(const void *bytes, size_t len);

/* String -> pointer, open addressing. Keys are borrowed. Not thread-safe. */
typedef struct arvo__map {
    struct arvo__map_slot *slots;
    size_t cap; /* power of two, or 0 */
    size_t count;
    const arvo_allocator *allocator;
} arvo__map;

void *arvo__map_find(const arvo__map *map, arvo_str key); /* NULL: absent */
/* Value must not be NULL. Replaces. false: out of memory, map unchanged. */
bool arvo__map_set(arvo__map *map, arvo_str key, void *value);
void arvo__map_fini(arvo__map *map);

/* ---- Text ---------------------------------------------------------------- */

/* Strict UTF-8 (RFC 3629): length of the valid prefix. */
size_t arvo__utf8_valid_prefix(arvo_str text);

static inline bool
arvo__utf8_is_valid(arvo_str text)
{
    return arvo__utf8_valid_prefix(text) == text.len;
}

/* Bytes of the sequence that begins at `p`; 0 when it is wrong or cut. `left` is not 0. */
size_t arvo__utf8_sequence(const char *p, size_t left);

size_t arvo__utf8_count(arvo_str text); /* code points of valid UTF-8 */

/* The code point of a sequence, whose length arvo__utf8_sequence() gave. */
uint32_t arvo__utf8_decode(const char *p, size_t len);
/* A code point up to U+10FFFF as 1 to 4 bytes; returns how many. */
size_t arvo__utf8_encode(uint32_t code, char *out);

/* Canonical standard base64 (RFC 4648 section 4, padding required, spare bits zero). */
size_t arvo__base64_encoded_len(size_t len);
void arvo__base64_encode(const void *bytes, size_t len, char *out);
/* out: 3/4 of the length. false: not canonical. */
bool arvo__base64_decode(arvo_str text, uint8_t *out, size_t *out_len);

/* Bytes at `p` that may be shown in a message as they are: a printable character's length, or 0
 * for a control character or what is not UTF-8, whose first byte is shown as \xHH. */
size_t arvo__printable(const char *p, size_t left);

/* Without the spaces and tabs around it; a slice. */
arvo_str arvo__trim_blanks(arvo_str text);

/* A shortened, printable form for messages: in quotes, cut at `max`. */
arvo_str arvo__quote(arvo_arena *arena, arvo_str text, size_t max);

/* encodeURI(text), of valid UTF-8, written where its length is known to fit (base/uri.c). */
size_t arvo__uri_encoded_len(arvo_str text);
void arvo__uri_encode_into(arvo_str text, char *out);

/* A URI or a reference in its parts (RFC 3986); ptr NULL: that part is not there. The path always
 * is. Slices of what was split (base/uri_resolve.c). */
typedef struct arvo__uri {
    arvo_str scheme, authority, path, query, fragment;
} arvo__uri;

arvo__uri arvo__uri_split(arvo_str text);

/* Append what `reference` means at `base`, without its fragment (RFC 3986, section 5.2). A base
 * that is relative or empty serves as far as it goes. Failure is the buffer's. */
void arvo__uri_resolve(arvo_str base, arvo_str reference, arvo_buf *out);

/* Append a URL as it may be shown: passwords in it (user:PASSWORD@, password=PASSWORD and the like)
 * are "***" (base/url_show.c). Failure is the buffer's. */
void arvo__url_show(arvo_str url, arvo_buf *out);

void arvo__hex(const void *bytes, size_t len, char *out); /* 2 * len lower-case digits */

/* Of a digit in either case; -1: it is none. */
static inline int
arvo__hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Of a digit in the case that arvo__hex() writes; -1: it is none. */
static inline int
arvo__hex_value_lower(char c)
{
    return c >= 'A' && c <= 'F' ? -1 : arvo__hex_value(c);
}

/* What arvo__hex() wrote: `len` bytes. false: not so; nothing behind the first wrong digit is read.
 */
bool arvo__hex_read(const char *text, uint8_t *bytes, size_t len);

/* Of `digits` digits, seven at most; -1: one is none. */
int32_t arvo__hex_number(const char *p, size_t digits);

/* The byte that %XX at `p` stands for; -1: it is no such escape. */
int arvo__percent_byte(const char *p, size_t left);

/* Writes a text with every %XX resolved (any other % stays) where it surely fits: `out` has room
 * for text.len bytes. Returns its length. */
size_t arvo__percent_decode(arvo_str text, char *out);

/* arvo_error_set with ARVO_NO_OFFSET. */
#define arvo__fail(err, status, ...) arvo_error_set((err), (status), ARVO_NO_OFFSET, __VA_ARGS__)

/* An error of one's own, to be passed down: only what is read on failure is set. `= { 0 }` would
 * clear the whole text, on the hot path again and again. */
static inline void
arvo__error_clear(arvo_error *err)
{
    err->status = ARVO_OK;
    err->text[0] = '\0';
}
arvo_status arvo__nomem(arvo_error *err); /* ARVO_E_NOMEM, "out of memory" */
/* The sticky failure of a buffer as an error; ARVO_OK when it has none. `what` names it. */
arvo_status arvo__buf_status(const arvo_buf *buf, const char *what, arvo_error *err);

#endif
