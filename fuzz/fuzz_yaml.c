/* YAML and JSON documents: whatever the bytes, one clear error or values whose
 * lines can be found. Law: a document written as JSON, read and written again
 * gives the same text. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/document.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* Only small documents are walked: aliases make large ones of few bytes. */
static void
document_check(const arvo_document *document, arvo_arena *arena)
{
    arvo_buf buf = ARVO_BUF_INIT(64 * 1024);
    arvo_json_write(document->root, &buf);
    if (buf.status == ARVO_OK) {
        const arvo_json *again = NULL;
        CHECK(arvo_json_parse(arvo_buf_str(&buf), arena, &again, NULL) == ARVO_OK);
        arvo_buf second = ARVO_BUF_INIT(64 * 1024);
        arvo_json_write(again, &second);
        CHECK(arvo_str_equal(arvo_buf_str(&buf), arvo_buf_str(&second)));
        arvo_buf_fini(&second);
    }
    arvo_buf_fini(&buf);
    CHECK(document->first_line >= 1);
    CHECK(arvo_document_line(document, ARVO_STR("")) >= 1);
    CHECK(arvo_document_line(document, ARVO_STR("/a/0/b")) >= document->first_line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "f.yaml", "-", "f.json" };
    arvo_arena *const arena = arvo_arena_new(NULL);
    CHECK(arena != NULL);
    for (size_t n = 0; n < ARVO_COUNT_OF(names); n++) {
        arvo_document_list list = { 0 };
        arvo_error err = { 0 };
        const arvo_status st = arvo_document_parse(
            arvo_str_from(names[n]), (arvo_str){ (const char *)data, size }, arena, &list, &err);
        if (st != ARVO_OK) {
            CHECK(st == ARVO_E_MALFORMED || st == ARVO_E_TOO_BIG);
            CHECK(strncmp(err.text, names[n], strlen(names[n])) == 0);
            CHECK(err.line >= 1 && err.column >= 1 && list.count == 0);
            continue;
        }
        for (size_t i = 0; i < list.count && i < 16; i++)
            document_check(&list.items[i], arena);
    }
    arvo_arena_free(arena);
    return 0;
}
