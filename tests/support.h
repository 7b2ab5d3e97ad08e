/* tests/support.h - what the tests of the library share: an allocator that
 * counts and fails on demand, and JSON read or written in one line. */
#ifndef ARVO_TESTS_SUPPORT_H
#define ARVO_TESTS_SUPPORT_H

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arvo/json.h>

/* ---- An allocator that fails ------------------------------------------------
 *
 *     for (size_t n = 1;; n++) {
 *         support_allocator heap = support_allocator_fail_at(n);
 *         const arvo_allocator allocator = support_allocator_ops(&heap);
 *         ... the call, given &allocator ...
 *         assert_int_equal(heap.live, 0);   (after everything is freed)
 *         if (heap.calls < n)
 *             break;                        (nothing failed: the whole call was seen)
 *     }
 */
typedef struct support_allocator {
    size_t calls;   /* of alloc */
    size_t fail_at; /* the call that fails, counted from 1; 0: none */
    size_t live;    /* pieces not yet freed */
    size_t bytes;   /* in them */
} support_allocator;

static inline void *
support_alloc(void *self, size_t size)
{
    support_allocator *heap = self;
    if (++heap->calls == heap->fail_at)
        return NULL;
    void *ptr = malloc(size);
    if (ptr != NULL) {
        heap->live++;
        heap->bytes += size;
    }
    return ptr;
}

static inline void
support_free(void *self, void *ptr, size_t size)
{
    support_allocator *heap = self;
    assert_non_null(ptr);
    assert_true(heap->live > 0 && heap->bytes >= size);
    heap->live--;
    heap->bytes -= size;
    free(ptr);
}

static inline support_allocator
support_allocator_fail_at(size_t call)
{
    return (support_allocator){ .fail_at = call };
}

static inline arvo_allocator
support_allocator_ops(support_allocator *heap)
{
    return (arvo_allocator){ .alloc = support_alloc, .free = support_free, .self = heap };
}

/* ---- Text -------------------------------------------------------------------- */

#define assert_str_is(str, expected)                                                               \
    do {                                                                                           \
        const arvo_str assert_str_ = (str);                                                        \
        const arvo_str assert_expected_ = arvo_str_from(expected);                                 \
        if (!arvo_str_equal(assert_str_, assert_expected_))                                        \
            fail_msg(                                                                              \
                "\"%.*s\" is not \"%.*s\"", ARVO_FMT(assert_str_), ARVO_FMT(assert_expected_));    \
    } while (0)

/* The value of a JSON text; the test fails when it is none. */
static inline const arvo_json *
support_json(arvo_arena *arena, const char *text)
{
    const arvo_json *value = NULL;
    arvo_error err;
    if (arvo_json_parse(arvo_str_from(text), arena, &value, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return value;
}

/* The compact text of a value, with a NUL behind it; arena. */
static inline const char *
support_text(arvo_arena *arena, const arvo_json *value)
{
    arvo_buf buf = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_json_write(value, &buf);
    assert_int_equal(buf.status, ARVO_OK);
    const arvo_str copy = arvo_arena_str_dup(arena, arvo_buf_str(&buf));
    arvo_buf_fini(&buf);
    assert_non_null(copy.ptr);
    return copy.ptr;
}

/* The whole process writes 1,5 for 1.5 from here on, until setlocale(LC_ALL, "C"). The test is
 * skipped, saying so, where no such locale is installed or can be made. */
static inline void
support_comma_locale(void)
{
    static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR" };
    for (size_t i = 0; i < ARVO_COUNT_OF(locales); i++)
        if (setlocale(LC_ALL, locales[i]) != NULL)
            return;
    char folder[] = "/tmp/arvo-locale-XXXXXX", command[256];
    if (mkdtemp(folder) != NULL) {
        (void)snprintf(
            command, sizeof(command), "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/said 2>&1",
            folder, folder);
        const bool is_made = system(command) == 0 && setenv("LOCPATH", folder, 1) == 0 &&
                             setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
        (void)unsetenv("LOCPATH");
        (void)snprintf(command, sizeof(command), "rm -r %s", folder);
        assert_int_equal(system(command), 0);
        if (is_made)
            return;
    }
    print_message("skipped: no locale with a decimal comma is installed or can be made\n");
    skip();
}

/* A whole file below the folder that the environment variable names; `.ptr` is to be freed. The
 * test is skipped, saying so, when the variable or the file is missing. */
static inline arvo_str
support_file(const char *variable, const char *name)
{
    const char *folder = getenv(variable);
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "", name);
    FILE *file = folder != NULL ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        print_message("skipped: no file %s in $%s\n", name, variable);
        skip();
        return ARVO_STR_NONE;
    }
    (void)fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    assert_true(size >= 0);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    (void)fclose(file);
    text[size] = '\0';
    return (arvo_str){ text, (size_t)size };
}

#endif
