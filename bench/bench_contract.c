/* What a contract costs an event: check and normalise of its data, with Ajv and zod in the same run
 * where node and their packages are there (make bench-contract installs them).
 *
 * Schemas and data are those of contract.json, which the peers' program reads too. All figures are
 * CPU time, medians of five. The tables of growth show that no keyword costs more per item where
 * there are many: each row's value has 10 to 10,000 of what its keyword looks at. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/contract.h>

#include "bench.h"

#define RUN_MS    100u /* per figure */
#define GROWTH_MS 20u
#define TEXT_MAX  ((size_t)16 * 1024 * 1024)
#define COMPILED  1000u

typedef struct bench {
    arvo_arena *arena;
    const arvo_schema *schema;
    const arvo_json *value; /* what is checked, or the schema to compile */
    arvo_str text;
} bench;

static void
give_up(const char *what, const arvo_error *err)
{
    (void)fprintf(stderr, "bench_contract: %s: %s\n", what, err->text);
    exit(1);
}

static const arvo_json *
parse(arvo_arena *arena, arvo_str text)
{
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(text, arena, &value, &err) != ARVO_OK)
        give_up("a text", &err);
    return value;
}

static arvo_schema *
compile(const arvo_json *json)
{
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(json, NULL, &schema, &err) != ARVO_OK)
        give_up("a schema", &err);
    return schema;
}

/* ---- What is measured ----------------------------------------------------- */

static void
refuse(void)
{
    give_up("a call failed", &(arvo_error){ .text = "see the source" });
}

static void
run_check(void *self, size_t rounds)
{
    bench *const b = self;
    const arvo_arena_mark mark = arvo_arena_mark_get(b->arena);
    for (size_t i = 0; i < rounds; i++) {
        if (arvo_schema_check(b->schema, b->value, b->arena, NULL, NULL) != ARVO_OK)
            refuse();
        arvo_arena_rewind(b->arena, mark);
    }
}

static void
run_normalise(void *self, size_t rounds)
{
    bench *const b = self;
    const arvo_arena_mark mark = arvo_arena_mark_get(b->arena);
    for (size_t i = 0; i < rounds; i++) {
        const arvo_json *out = NULL;
        if (arvo_schema_normalise(b->schema, b->value, b->arena, &out, NULL) != ARVO_OK)
            refuse();
        arvo_arena_rewind(b->arena, mark);
    }
}

/* An event's bytes, and its data normalised. */
static void
run_bytes(void *self, size_t rounds)
{
    bench *const b = self;
    const arvo_arena_mark mark = arvo_arena_mark_get(b->arena);
    for (size_t i = 0; i < rounds; i++) {
        const arvo_json *event = NULL;
        const arvo_json *out = NULL;
        if (arvo_json_parse(b->text, b->arena, &event, NULL) != ARVO_OK ||
            arvo_schema_normalise(b->schema, arvo_json_get(event, "data"), b->arena, &out, NULL) !=
                ARVO_OK)
            refuse();
        arvo_arena_rewind(b->arena, mark);
    }
}

/* From its text. */
static void
run_compile(void *self, size_t rounds)
{
    bench *const b = self;
    const arvo_arena_mark mark = arvo_arena_mark_get(b->arena);
    for (size_t i = 0; i < rounds; i++) {
        arvo_schema_free(compile(parse(b->arena, b->text)));
        arvo_arena_rewind(b->arena, mark);
    }
}

static double
measure(bench *b, bench_fn *run, unsigned ms)
{
    return bench_median_cpu_ns(run, b, bench_rounds_for(run, b, ms));
}

/* ---- The cases, with the peers ---- */

static const arvo_json *
case_schema(const arvo_json *cases, const arvo_json *one)
{
    const arvo_json *const schema = arvo_json_get(one, "schema");
    const arvo_str of = arvo_json_str(arvo_json_get(one, "of"));
    for (size_t i = 0; schema == NULL && i < arvo_json_count(cases); i++) {
        const arvo_json *const other = arvo_json_at(cases, i);
        if (arvo_str_equal(arvo_json_str(arvo_json_get(other, "name")), of))
            return arvo_json_get(other, "schema");
    }
    return schema;
}

/* A figure of ours beside a peer's, and how often ours goes into it. */
static void
print_against(const char *what, double ns, const char *peer, double peer_ns, const char *wanted)
{
    printf("  %-32s %7.0f ns", what, ns);
    if (peer_ns > 0)
        printf("   %-16s %8.0f ns   %5.2fx%s", peer, peer_ns, peer_ns / ns, wanted);
    printf("\n");
}

static void
measure_case(arvo_arena *arena, const arvo_json *event, const arvo_json *cases, size_t i)
{
    const arvo_json *const one = arvo_json_at(cases, i);
    const arvo_json *const data = arvo_json_get(one, "data");
    arvo_json *const whole = arvo_json_clone(arena, event);
    arvo_json_set(arena, whole, ARVO_STR("data"), data);
    arvo_buf text = ARVO_BUF_INIT(TEXT_MAX);
    arvo_json_write(whole, &text);
    arvo_schema *const schema = compile(case_schema(cases, one));
    bench b = { .arena = arena, .schema = schema, .value = data, .text = arvo_buf_str(&text) };

    char name[32];
    const arvo_str given = arvo_json_str(arvo_json_get(one, "name"));
    (void)snprintf(name, sizeof(name), "%.*s", ARVO_FMT(given));
    printf("%s, an event of %zu B\n", name, b.text.len);
    const double bytes = measure(&b, run_bytes, RUN_MS);
    print_against(
        "bytes to normalised", bytes, "JSON.parse, Ajv", bench_peer_ns(name, "bytes"), " (of 1.3)");
    const double zod = bench_peer_ns(name, "zod");
    print_against("bytes to normalised", bytes, "zod, parsed", zod, "");
    print_against("normalise", measure(&b, run_normalise, RUN_MS), "zod, parsed", zod, " (of 10)");
    print_against(
        "check", measure(&b, run_check, RUN_MS), "Ajv, parsed", bench_peer_ns(name, "check"),
        " (of 0.17, aim 0.33)");
    arvo_schema_free(schema);
    arvo_buf_fini(&text);
}

static void
measure_compile(arvo_arena *arena, const arvo_json *schema)
{
    arvo_buf text = ARVO_BUF_INIT(TEXT_MAX);
    arvo_json_write(schema, &text);
    bench b = { .arena = arena, .text = arvo_buf_str(&text) };
    const double ns = measure(&b, run_compile, RUN_MS);
    const double peer = bench_peer_ns("compile", "ajv");
    printf("%u schemas from their texts: %.1f ms (of 50 ms)", COMPILED, ns * COMPILED / 1e6);
    if (peer > 0)
        printf(", Ajv %.0f ms", peer * COMPILED / 1e6);
    printf("\n");
    arvo_buf_fini(&text);
}

static void
measure_cases(arvo_arena *arena)
{
    arvo_document_list documents = { 0 };
    arvo_error err = { 0 };
    if (arvo_document_load(BENCH_CASES, arena, &documents, &err) != ARVO_OK)
        give_up("the cases", &err);
    const arvo_json *const root = documents.items[0].root;
    const arvo_json *const cases = arvo_json_get(root, "cases");
    for (size_t i = 0; i < arvo_json_count(cases); i++)
        measure_case(arena, arvo_json_get(root, "event"), cases, i);
    measure_compile(arena, case_schema(cases, arvo_json_at(cases, 1)));
}

/* ---- Growth ---- */

/* Writes the i-th of what a value or a schema repeats. */
typedef struct repeated {
    const char *head, *item, *tail; /* item: %d once or twice, the number itself both times */
} repeated;

typedef struct growth {
    const char *name;
    repeated schema; /* without item: the same for all sizes */
    repeated value;
} growth;

#define NUMBERS                                                                                    \
    {                                                                                              \
        "[", "%d", "]"                                                                             \
    }
#define TEXTS                                                                                      \
    {                                                                                              \
        "[", "\"text %d\"", "]"                                                                    \
    }
#define KEYS                                                                                       \
    {                                                                                              \
        "{", "\"k%d\":%d", "}"                                                                     \
    }
#define CHILDREN                                                                                   \
    {                                                                                              \
        "{\"children\":[", "{\"n\":%d}", "]}"                                                      \
    }
#define ONE(text)                                                                                  \
    {                                                                                              \
        text, NULL, NULL                                                                           \
    }

static const growth growths[] = {
    { "type", ONE("{\"items\":{\"type\":\"integer\"}}"), NUMBERS },
    { "minimum, maximum", ONE("{\"items\":{\"minimum\":0,\"maximum\":99999}}"), NUMBERS },
    { "multipleOf", ONE("{\"items\":{\"multipleOf\":0.5}}"), NUMBERS },
    { "minLength, maxLength", ONE("{\"items\":{\"minLength\":2,\"maxLength\":99}}"), TEXTS },
    { "maxLength of one text", ONE("{\"maxLength\":60000}"), { "\"", "\\u00e9 %d", "\"" } },
    { "pattern", ONE("{\"items\":{\"pattern\":\"^text [0-9]+$\"}}"), TEXTS },
    { "pattern of one text", ONE("{\"pattern\":\"^[0-9 ]+$\"}"), { "\" ", "%d ", "\"" } },
    { "const", { "{\"const\":[", "%d", "]}" }, NUMBERS },
    { "enum", { "{\"items\":{\"enum\":[", "%d", "]}}" }, NUMBERS },
    { "enum of texts", { "{\"items\":{\"enum\":[", "\"text %d\"", "]}}" }, TEXTS },
    { "uniqueItems", ONE("{\"uniqueItems\":true}"), NUMBERS },
    { "uniqueItems of objects", ONE("{\"properties\":{\"children\":{\"uniqueItems\":true}}}"),
      CHILDREN },
    { "prefixItems", { "{\"prefixItems\":[", "{\"const\":%d}", "],\"items\":false}" }, NUMBERS },
    { "contains", ONE("{\"contains\":{\"type\":\"string\"},\"minContains\":0,\"maxContains\":5}"),
      NUMBERS },
    { "unevaluatedItems", ONE("{\"contains\":{\"minimum\":0},\"unevaluatedItems\":false}"),
      NUMBERS },
    { "properties", { "{\"properties\":{", "\"k%d\":{\"type\":\"integer\"}", "}}" }, KEYS },
    { "required", { "{\"required\":[", "\"k%d\"", "]}" }, KEYS },
    { "patternProperties", ONE("{\"patternProperties\":{\"^k\":{\"type\":\"integer\"},\"9$\":{}}}"),
      KEYS },
    { "additionalProperties", ONE("{\"additionalProperties\":{\"type\":\"integer\"}}"), KEYS },
    { "propertyNames", ONE("{\"propertyNames\":{\"maxLength\":9}}"), KEYS },
    { "dependentRequired", { "{\"dependentRequired\":{", "\"k%d\":[\"k%d\"]", "}}" }, KEYS },
    { "dependentSchemas", ONE("{\"dependentSchemas\":{\"k1\":{\"required\":[\"k2\"]}}}"), KEYS },
    { "unevaluatedProperties",
      ONE("{\"anyOf\":[{\"patternProperties\":{\"^k\":true}}],\"unevaluatedProperties\":false}"),
      KEYS },
    { "allOf", ONE("{\"items\":{\"allOf\":[{\"minimum\":0},{\"type\":\"integer\"}]}}"), NUMBERS },
    { "anyOf", ONE("{\"items\":{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":0}]}}"), NUMBERS },
    { "oneOf", ONE("{\"items\":{\"oneOf\":[{\"type\":\"string\"},{\"minimum\":0}]}}"), NUMBERS },
    { "not", ONE("{\"items\":{\"not\":{\"type\":\"string\"}}}"), NUMBERS },
    { "if, then", ONE("{\"items\":{\"if\":{\"minimum\":5},\"then\":{\"type\":\"integer\"}}}"),
      NUMBERS },
    { "format", ONE("{\"items\":{\"format\":\"date\"}}"), { "[", "\"2024-05-31\"", "]" } },
    { "$ref recursion",
      ONE("{\"properties\":{\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}},"
          "\"n\":{\"type\":\"integer\"}},\"required\":[]}"),
      CHILDREN },
    { "$dynamicRef recursion",
      ONE("{\"$dynamicAnchor\":\"t\",\"properties\":{\"children\":{\"items\":{\"$dynamicRef\":"
          "\"#t\"}},\"n\":{\"type\":\"integer\"}}}"),
      CHILDREN },
    { "normalise: nothing to do",
      ONE("{\"properties\":{\"children\":{\"items\":{\"$ref\":\"#\"}},\"n\":{\"default\":1}}}"),
      { "{\"n\":0,\"children\":[", "{\"n\":%d}", "]}" } },
    { "normalise: defaults",
      ONE("{\"properties\":{\"children\":{\"items\":{\"$ref\":\"#\"}},\"n\":{},"
          "\"m\":{\"default\":1}}}"),
      CHILDREN },
    { "normalise: keys dropped", ONE("{\"properties\":{\"k1\":true}}"), KEYS },
    { "normalise: keys in order",
      { "{\"properties\":{\"last\":true,", "\"k%d\":true", "}}" },
      { "{", "\"k%d\":%d", ",\"last\":1}" } },
    { "normalise: alternatives",
      ONE("{\"anyOf\":[{\"type\":\"integer\"},{\"properties\":{\"children\":{\"items\":{\"$ref\":"
          "\"#\"}},\"m\":{\"default\":1}}}]}"),
      CHILDREN },
    { "normalise: allOf merged",
      ONE("{\"properties\":{\"children\":{\"items\":{\"allOf\":[{\"properties\":{\"n\":{}}},"
          "{\"properties\":{\"m\":{\"default\":1}}}]}}}}"),
      CHILDREN },
    { "normalise: patternProperties",
      ONE("{\"patternProperties\":{\"5$\":{\"type\":\"integer\"}},\"properties\":{\"x\":{"
          "\"default\":1}}}"),
      KEYS },
};

static const arvo_json *
repeat(arvo_arena *arena, const repeated *what, int count)
{
    arvo_buf text = ARVO_BUF_INIT(TEXT_MAX);
    arvo_buf_append_str(&text, arvo_str_from(what->head));
    for (int i = 0; i < count && what->item != NULL; i++) {
        const bool is_list = what->head[0] != '"';
        if (i > 0 && is_list)
            arvo_buf_append_char(&text, ',');
        arvo_buf_printf(&text, what->item, i, i);
    }
    if (what->tail != NULL)
        arvo_buf_append_str(&text, arvo_str_from(what->tail));
    /* The value's strings lie in the text. */
    const arvo_str kept = arvo_arena_str_dup(arena, arvo_buf_str(&text));
    arvo_buf_fini(&text);
    return parse(arena, kept);
}

static void
measure_growth(arvo_arena *arena, const growth *row)
{
    const bool normalises = strncmp(row->name, "normalise", 9) == 0;
    printf("%-28s", row->name);
    for (int count = 10; count <= 10000; count *= 10) {
        const arvo_arena_mark mark = arvo_arena_mark_get(arena);
        arvo_schema *const schema = compile(repeat(arena, &row->schema, count));
        bench b = { .arena = arena, .schema = schema, .value = repeat(arena, &row->value, count) };
        printf("  %9.1f", measure(&b, normalises ? run_normalise : run_check, GROWTH_MS) / count);
        arvo_schema_free(schema);
        arvo_arena_rewind(arena, mark);
    }
    printf("\n");
}

int
main(void)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    if (arena == NULL)
        return 1;
    bench_peer_run("Ajv, zod", BENCH_PEER, "bench-contract");
    measure_cases(arena);
    printf("\n%-28s  %9s  %9s  %9s  %9s\n", "ns per item, of", "10", "100", "1,000", "10,000");
    for (size_t i = 0; i < ARVO_COUNT_OF(growths); i++)
        measure_growth(arena, &growths[i]);
    arvo_arena_free(arena);
    return 0;
}
