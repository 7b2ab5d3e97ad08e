/* What the drivers of the peers' tests share: one question per line in, one answer per line out. */
#ifndef ARVO_TESTS_INTEROP_DRIVER_H
#define ARVO_TESTS_INTEROP_DRIVER_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/base.h>

#define DRIVER_BYTES_MAX ((size_t)512 * 1024 * 1024) /* of a question in memory, of an answer */

/* Append the answer to `line`, and a line feed. */
typedef void driver_answer_fn(arvo_str line, arvo_arena *arena, arvo_buf *text);

/* Answer standard input; returns the exit code. */
static inline int
driver_run(driver_answer_fn *answer)
{
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = DRIVER_BYTES_MAX });
    arvo_buf text = ARVO_BUF_INIT(DRIVER_BYTES_MAX);
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int code = arena != NULL ? 0 : 1;
    while (code == 0 && (len = getline(&line, &cap, stdin)) > 0) {
        answer((arvo_str){ line, (size_t)len }, arena, &text);
        if (text.status != ARVO_OK || fwrite(text.ptr, 1, text.len, stdout) != text.len ||
            fflush(stdout) != 0) {
            (void)fprintf(stderr, "driver: cannot answer: %s\n", strerror(errno));
            code = 1;
        }
        arvo_buf_reset(&text);
        arvo_arena_reset(arena);
    }
    free(line);
    arvo_buf_fini(&text);
    arvo_arena_free(arena);
    return code;
}

#endif
