/* Answers one question per line of standard input: what our schemas make of values.
 *
 * A question is {schema, draft, formats?, zod?, normalise?, values}; draft is 7 or 2020. The answer
 * is {answers: [...]}, one per value, or {refused: why}. An answer is true or false; with
 * `normalise` {value} or false; a check that cannot come to an end is the text of its error.
 */

#include <arvo/contract.h>

#include "../driver.h"

static bool
flag(const arvo_json *question, const char *key)
{
    return arvo_json_bool_or(arvo_json_get(question, key), false);
}

static void
write_check(const arvo_schema *schema, const arvo_json *value, arvo_arena *arena, arvo_buf *text)
{
    arvo_error err = { 0 };
    arvo_schema_report report = { 0 };
    const arvo_status st = arvo_schema_check(schema, value, arena, &report, &err);
    if (st == ARVO_OK || (st == ARVO_E_INVALID && report.count > 0))
        arvo_json_write(arvo_json_bool(st == ARVO_OK), text);
    else
        arvo_json_write_str(
            arvo_str_from(st == ARVO_E_INVALID ? "refused without a reason" : err.text), text);
}

static void
write_normal(const arvo_schema *schema, const arvo_json *value, arvo_arena *arena, arvo_buf *text)
{
    arvo_error err = { 0 };
    const arvo_json *out = NULL;
    const arvo_status st = arvo_schema_normalise(schema, value, arena, &out, &err);
    if (st == ARVO_E_INVALID) {
        arvo_json_write(arvo_json_bool(false), text);
    } else if (st != ARVO_OK) {
        arvo_json_write_str(arvo_str_from(err.text), text);
    } else {
        arvo_buf_printf(text, "{\"value\":");
        arvo_json_write(out, text);
        arvo_buf_append_char(text, '}');
    }
}

static void
write_answers(
    const arvo_json *question, const arvo_schema *schema, arvo_arena *arena, arvo_buf *text)
{
    const arvo_json *const values = arvo_json_get(question, "values");
    const bool normalise = flag(question, "normalise");
    arvo_buf_printf(text, "{\"answers\":[");
    for (size_t i = 0; i < arvo_json_count(values); i++) {
        if (i > 0)
            arvo_buf_append_char(text, ',');
        if (normalise)
            write_normal(schema, arvo_json_at(values, i), arena, text);
        else
            write_check(schema, arvo_json_at(values, i), arena, text);
    }
    arvo_buf_printf(text, "]}\n");
}

static void
answer(arvo_str line, arvo_arena *arena, arvo_buf *text)
{
    const arvo_json *question = NULL;
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    arvo_status st = arvo_json_parse(line, arena, &question, &err);
    const arvo_schema_opts opts = {
        .additional = flag(question, "zod") ? ARVO_ADDITIONAL_ZOD : ARVO_ADDITIONAL_JSON_SCHEMA,
        .draft = arvo_json_int_or(arvo_json_get(question, "draft"), 0) == 7 ? ARVO_SCHEMA_DRAFT_7
                                                                            : ARVO_SCHEMA_2020_12,
        .formats = flag(question, "formats"),
    };
    if (st == ARVO_OK)
        st = arvo_schema_compile(arvo_json_get(question, "schema"), &opts, &schema, &err);
    if (st == ARVO_OK) {
        write_answers(question, schema, arena, text);
    } else {
        arvo_buf_printf(text, "{\"refused\":");
        arvo_json_write_str(arvo_str_from(err.text), text);
        arvo_buf_printf(text, "}\n");
    }
    arvo_schema_free(schema);
}

int
main(void)
{
    return driver_run(answer);
}
