/* golden.h - vectors produced by the original, read from $ARVO_SHARED/golden.
 *
 * Where we depart from the original a test lists the case by its name, with the
 * reason; a listed case that agrees after all is a failure too, so that the list
 * stays true. */
#ifndef ARVO_TESTS_INTEROP_GOLDEN_H
#define ARVO_TESTS_INTEROP_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <arvo/json.h>

#define GOLDEN_EXIT_SKIPPED 77

struct golden_departure {
    const char *name;
    const char *reason;
};

/* The document in golden/`file`; the program ends as skipped when it is not there. */
static inline const arvo_json *
golden_read(arvo_arena *arena, const char *file)
{
    const char *shared = getenv("ARVO_SHARED");
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/golden/%s", shared != NULL ? shared : "", file);
    FILE *stream = shared != NULL ? fopen(path, "rb") : NULL;
    if (stream == NULL) {
        printf("skipped: no golden vectors (%s); set ARVO_SHARED to their folder\n", path);
        exit(GOLDEN_EXIT_SKIPPED);
    }
    arvo_buf text = ARVO_BUF_INIT((size_t)1 << 26);
    size_t got;
    do {
        char *room = arvo_buf_reserve(&text, 65536);
        assert_non_null(room);
        got = fread(room, 1, 65536, stream);
        text.len += got;
    } while (got > 0);
    (void)fclose(stream);

    const arvo_json *root = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(arvo_buf_str(&text), arena, &root, &err) != ARVO_OK)
        fail_msg("%s: %s", path, err.text);
    arvo_buf_fini(&text);
    return root;
}

/* The reason why the case `name` departs, or NULL. */
static inline const char *
golden_reason(const struct golden_departure *departures, size_t count, arvo_str name)
{
    for (size_t i = 0; i < count; i++)
        if (arvo_str_is(name, departures[i].name))
            return departures[i].reason;
    return NULL;
}

/* Compact text of a value, in the arena, with a NUL behind it. */
static inline const char *
golden_text(arvo_arena *arena, const arvo_json *value)
{
    arvo_buf buf = ARVO_BUF_INIT((size_t)1 << 26);
    arvo_json_write(value, &buf);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
    arvo_buf_fini(&buf);
    assert_non_null(copy.ptr);
    return copy.ptr;
}

#endif
