/* Schemas against values. The input is a JSON array [schema, value, ...]; item i is also the
 * document "http://f/i", of which schemas may make use. Laws: an accepted value normalises; a
 * refused value comes with an issue, and its report has every form of output; bounds hold. */

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
    CHECK((checked == ARVO_E_INVALID) == (report.count > 0) || report.more);
    for (unsigned form = 0; form <= ARVO_SCHEMA_OUTPUT_DETAILED; form++) {
        const arvo_json *const output =
            arvo_schema_report_json(&report, (arvo_schema_output)form, arena);
        CHECK(arvo_json_bool_or(arvo_json_get(output, "valid"), false) == (report.count == 0));
    }

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

static arvo_status
document_find(void *input, arvo_str uri, const arvo_json **out, arvo_error *err)
{
    (void)err;
    const arvo_str prefix = ARVO_STR("http://f/");
    if (uri.len != prefix.len + 1 || !arvo_str_starts(uri, prefix))
        return ARVO_E_NOT_FOUND;
    *out = arvo_json_at(input, (size_t)(unsigned char)uri.ptr[prefix.len] - '0');
    return *out != NULL ? ARVO_OK : ARVO_E_NOT_FOUND;
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
        const arvo_schema_opts opts = {
            .additional = size % 2 == 0 ? ARVO_ADDITIONAL_JSON_SCHEMA : ARVO_ADDITIONAL_ZOD,
            .draft = size % 3 == 0 ? ARVO_SCHEMA_DRAFT_7 : ARVO_SCHEMA_2020_12,
            .formats = size % 5 != 0,
            .find = document_find,
            .find_self = (void *)(uintptr_t)input,
        };
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
