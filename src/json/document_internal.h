/* json/document_internal.h - what document.c asks of its YAML reader. */
#ifndef ARVO_SRC_JSON_DOCUMENT_INTERNAL_H
#define ARVO_SRC_JSON_DOCUMENT_INTERNAL_H

#include <arvo/document.h>

#include "base/internal.h"

/* Line and column (1-based, bytes) of a byte of `text`. */
void arvo__text_position(arvo_str text, size_t offset, uint32_t *line, uint32_t *column);

/* Set `err` to "file:line:column: ..." for a byte of `text`; returns `status`. */
arvo_status arvo__text_error(
    arvo_str file, arvo_str text, size_t offset, arvo_error *err, arvo_status status,
    const char *format, ...) ARVO_PRINTF(6, 7);

/* The first token of a JSON pointer, cut off `pointer` and left escaped; false at its end. */
bool arvo__pointer_next(arvo_str *pointer, arvo_str *token);

/* Whether an escaped token (~0, ~1) names `key`. */
bool arvo__pointer_token_is(arvo_str token, arvo_str key);

/* `file` and `text` are in the arena already. */
arvo_status arvo__yaml_parse(
    arvo_str file, arvo_str text, arvo_arena *arena, arvo_document_list *out, arvo_error *err);

/* Line of the value that `pointer` names in the document_index-th document, or of its nearest
 * ancestor; 0 when the text cannot be read. */
uint32_t arvo__yaml_line(arvo_str text, size_t document_index, arvo_str pointer);

#endif
