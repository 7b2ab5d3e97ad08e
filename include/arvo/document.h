/* arvo/document.h - JSON and YAML files as JSON values that know their lines.
 *
 * A document is one JSON text, or one document of a YAML stream (`---`
 * separates several). YAML follows the 1.2 core schema: a bare `on`, `no` or
 * `yes` is a string. Anchors and aliases work within bounds; tags other than
 * the core ones, merge keys and non-string mapping keys are errors.
 *
 * Threads: a document is immutable after loading.
 */
#ifndef ARVO_DOCUMENT_H
#define ARVO_DOCUMENT_H

#include <arvo/json.h>

ARVO_BEGIN_DECLS

#define ARVO_DOCUMENT_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one file */
#define ARVO_DOCUMENT_NODES_MAX                                                                    \
    ((size_t)1000000) /* after aliases are followed; stops alias bombs */
#define ARVO_DOCUMENTS_PER_FILE_MAX ((size_t)10000)

typedef struct arvo_document {
    const arvo_json *root;
    arvo_str file; /* as given; "-" for standard input */
    arvo_str text; /* the whole file */
    bool is_yaml;
    size_t index;        /* of this document in its file */
    uint32_t first_line; /* 1-based line where it begins */
} arvo_document;

typedef struct arvo_document_list {
    const arvo_document *items;
    size_t count;
} arvo_document_list;

/**
 * Parse the text of a file. `file` ending in .yaml or .yml is YAML, .json is JSON; any other name
 * is JSON when its first character that is not white space is `{` or `[`, else YAML. Empty YAML
 * documents are skipped.
 *
 * @param out  arena; nothing refers to `text` or `file` afterwards.
 * @return ARVO_OK, ARVO_E_MALFORMED, ARVO_E_TOO_BIG, ARVO_E_UNSUPPORTED (the library was built
 *         without libyaml) or ARVO_E_NOMEM. err->text begins with "file:line:column: ".
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_document_parse(
    arvo_str file, arvo_str text, arvo_arena *arena, arvo_document_list *out, arvo_error *err);

/** Read and parse a file. As arvo_document_parse(), and ARVO_E_IO (not readable, a directory). */
ARVO_API ARVO_NODISCARD arvo_status
arvo_document_load(const char *path, arvo_arena *arena, arvo_document_list *out, arvo_error *err);

/** Line (1-based) of the value that a JSON pointer names, or of its nearest ancestor. */
ARVO_API uint32_t arvo_document_line(const arvo_document *document, arvo_str pointer);

/**
 * Set `err` to "file:line: pointer: text" for a value inside a document; returns `status`.
 * `document` may be NULL: then "pointer: text".
 */
ARVO_API arvo_status arvo_document_error(
    const arvo_document *document, arvo_str pointer, arvo_error *err, arvo_status status,
    const char *format, ...) ARVO_PRINTF(5, 6);

ARVO_END_DECLS

#endif
