/* Schemas against values. The input is a JSON array [schema, value, ...].
 * Laws: an accepted value normalises; the result is accepted and normalising it
 * again changes nothing; a refused value comes with an issue; bounds hold. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/contract.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void
value_check(const arvo_schema *schema, const arvo_json *value, arvo_arena *arena)
{
    arvo_schema_report report = { 0 };
    arvo_error err = { 0 };
    const arvo_status checked = arvo_schema_check(schema, value, arena, &report, &err);
    CHECK(checked == ARVO_OK || checked == ARVO_E_INVALID || checked == ARVO_E_TOO_BIG);
    CHECK((checked == ARVO_OK) == (strlen(err.text) == 0));
    CHECK(report.count <= ARVO_SCHEMA_ISSUES_MAX);
    CHECK(checked == ARVO_E_INVALID || report.count == 0);

    const arvo_json *once = NULL;
    const arvo_json *twice = NULL;
    const arvo_status st = arvo_schema_normalise(schema, value, arena, &once, &err);
    CHECK((st == ARVO_OK) == (once != NULL));
    if (checked == ARVO_OK)
        CHECK(st == ARVO_OK || st == ARVO_E_TOO_BIG);
    if (st != ARVO_OK)
        return;
    /* Whether the result is valid in turn is the schema's affair (a key that is dropped may be
     * required); when it is and only objects decide, normalising is at its end. */
    if (arvo_schema_normalise(schema, once, arena, &twice, &err) == ARVO_OK)
        CHECK(twice != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    CHECK(arena != NULL);
    const arvo_json *input = NULL;
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse((arvo_str){ (const char *)data, size }, arena, &input, NULL) == ARVO_OK) {
        const arvo_schema_opts opts = { .additional = size % 2 == 0 ? ARVO_ADDITIONAL_JSON_SCHEMA
                                                                    : ARVO_ADDITIONAL_ZOD };
        const arvo_status st = arvo_schema_compile(arvo_json_at(input, 0), &opts, &schema, &err);
        CHECK((st == ARVO_OK) == (schema != NULL));
        CHECK((st == ARVO_OK) == (strlen(err.text) == 0));
        for (size_t i = 0; schema != NULL && i < arvo_json_count(input) && i < 8; i++)
            value_check(schema, arvo_json_at(input, i), arena);
    }
    arvo_schema_free(schema);
    arvo_arena_free(arena);
    return 0;
}
