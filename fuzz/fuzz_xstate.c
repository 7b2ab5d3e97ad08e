/* XState configurations, as JSON or YAML, to machine documents. Laws: what is refused is said with
 * its place; a document that came out goes back and forth without a change. */

#include <stdint.h>
#include <stdlib.h>

#include <arvo/document.h>
#include <arvo/xstate.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void
round_trip(const arvo_json *document, arvo_arena *arena)
{
    const arvo_json *config = NULL;
    const arvo_json *again = NULL;
    arvo_xstate_report report = { 0 };
    const arvo_status st = arvo_xstate_export(document, arena, &config, &report, NULL);
    CHECK(st == ARVO_OK || st == ARVO_E_UNSUPPORTED || st == ARVO_E_TOO_BIG);
    if (st != ARVO_OK)
        return;
    const arvo_status back = arvo_xstate_import(config, arena, &again, &report, NULL);
    CHECK(back == ARVO_OK || back == ARVO_E_TOO_BIG);
    CHECK(back != ARVO_OK || arvo_json_equal(document, again));
}

static void
import(const arvo_json *config, arvo_arena *arena)
{
    const arvo_json *document = NULL;
    arvo_xstate_report report = { 0 };
    arvo_error err = { 0 };
    const arvo_status st = arvo_xstate_import(config, arena, &document, &report, &err);
    for (size_t i = 0; i < report.note_count; i++)
        CHECK(report.notes[i].text.len > 0 && report.notes[i].pointer.ptr != NULL);
    if (st == ARVO_OK) {
        CHECK(report.error_count == 0);
        round_trip(document, arena);
    } else {
        CHECK(document == NULL && err.text[0] != '\0');
        CHECK((st == ARVO_E_UNSUPPORTED) == (report.error_count > 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    CHECK(arena != NULL);
    arvo_document_list list = { 0 };
    if (arvo_document_parse(
            ARVO_STR("-"), (arvo_str){ (const char *)data, size }, arena, &list, NULL) != ARVO_OK)
        list.count = 0;
    for (size_t i = 0; i < list.count && i < 4; i++) {
        import(list.items[i].root, arena);
        if (arvo_json_type_of(list.items[i].root) != ARVO_JSON_OBJECT)
            continue;
        arvo_json *const named = arvo_json_clone(arena, list.items[i].root);
        arvo_json_set(arena, named, ARVO_STR("kind"), arvo_json_string(arena, ARVO_STR("machine")));
        const arvo_json *config = NULL;
        arvo_xstate_report report = { 0 };
        const arvo_status st = arvo_xstate_export(named, arena, &config, &report, NULL);
        CHECK((st == ARVO_OK) == (config != NULL));
    }
    arvo_arena_free(arena);
    return 0;
}
