/* What the tests of schemas and contracts share. */
#ifndef ARVO_TESTS_SCHEMA_HELPERS_H
#define ARVO_TESTS_SCHEMA_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arvo/contract.h>

#include "base/internal.h"

static arvo_arena *arena;

static inline int
setup(void **state)
{
    (void)state;
    arena = arvo_arena_new(NULL);
    return arena != NULL ? 0 : -1;
}

static inline int
teardown(void **state)
{
    (void)state;
    arvo_arena_free(arena);
    return 0;
}

/* JSON with ' for ", so that cases read well. */
static inline const arvo_json *
json(const char *text)
{
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_str_from(text));
    char *const quoted = arvo_arena_alloc(arena, copy.len + 1);
    assert_non_null(quoted);
    for (size_t i = 0; i <= copy.len; i++)
        quoted[i] = copy.ptr[i] == '\'' ? '"' : copy.ptr[i];
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse((arvo_str){ quoted, copy.len }, arena, &value, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return value;
}

/* Compact JSON with ' for ". */
static inline const char *
text_of(const arvo_json *value)
{
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &buf);
    char *const copy = arvo_arena_alloc(arena, buf.len + 1);
    assert_non_null(copy);
    for (size_t i = 0; i < buf.len; i++)
        copy[i] = buf.ptr[i] == '"' ? '\'' : buf.ptr[i];
    copy[buf.len] = '\0';
    arvo_buf_fini(&buf);
    return copy;
}

/* An allocator that fails once `left` allocations were made. */
typedef struct failing {
    size_t left;
    size_t live;
} failing;

static inline void *
failing_alloc(void *self, size_t size)
{
    failing *const f = self;
    if (f->left == 0)
        return NULL;
    f->left--;
    f->live++;
    return malloc(size > 0 ? size : 1);
}

static inline void
failing_free(void *self, void *ptr, size_t size)
{
    failing *const f = self;
    (void)size;
    if (ptr != NULL)
        f->live--;
    free(ptr);
}

#endif
