/* What a contract costs an event: check and normalise of its data.
 *
 * ns per call, the median of several rounds. The peers that issue such checks
 * in JavaScript are measured elsewhere; parsing the same data is printed beside
 * it as the measure that a check must stay small against. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <arvo/contract.h>

#define ROUNDS 7u
#define CALLS  200000u

static const char order_schema[] =
    "{\"type\":\"object\",\"properties\":{\"orderId\":{\"type\":\"string\",\"minLength\":1},"
    "\"customer\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"email\":"
    "{\"type\":\"string\",\"maxLength\":200},\"tier\":{\"enum\":[\"basic\",\"silver\",\"gold\"]}},"
    "\"required\":[\"id\",\"email\"]},\"items\":{\"type\":\"array\",\"minItems\":1,\"items\":"
    "{\"type\":\"object\",\"properties\":{\"sku\":{\"type\":\"string\"},\"quantity\":{\"type\":"
    "\"integer\",\"minimum\":1},\"price\":{\"type\":\"number\",\"minimum\":0}},\"required\":["
    "\"sku\","
    "\"quantity\",\"price\"]}},\"amount\":{\"type\":\"number\",\"minimum\":0},\"currency\":{"
    "\"type\":"
    "\"string\",\"default\":\"EUR\"},\"note\":{\"type\":[\"string\",\"null\"]}},\"required\":"
    "[\"orderId\",\"customer\",\"items\",\"amount\"]}";

static const char order_clean[] =
    "{\"orderId\":\"ord-2024-000123\",\"customer\":{\"id\":\"c-42\",\"email\":\"ada@example.com\","
    "\"tier\":\"gold\"},\"items\":[{\"sku\":\"BK-1\",\"quantity\":2,\"price\":12.5},{\"sku\":\"BK-"
    "2\","
    "\"quantity\":1,\"price\":30}],\"amount\":55,\"currency\":\"EUR\",\"note\":null}";

static const char order_dirty[] =
    "{\"amount\":55,\"orderId\":\"ord-2024-000123\",\"trace\":\"x\",\"customer\":{\"id\":\"c-42\","
    "\"email\":\"ada@example.com\",\"tier\":\"gold\",\"phone\":\"1\"},\"items\":[{\"sku\":\"BK-1\","
    "\"quantity\":2,\"price\":12.5},{\"sku\":\"BK-2\",\"quantity\":1,\"price\":30}],\"note\":null}";

static const char charge_schema[] =
    "{\"type\":\"object\",\"properties\":{\"orderId\":{\"type\":\"string\"},\"amount\":{\"type\":"
    "\"number\"},\"currency\":{\"type\":\"string\"}},\"required\":[\"orderId\",\"amount\"]}";

static const char charge_data[] = "{\"orderId\":\"ord-1\",\"amount\":55,\"currency\":\"EUR\"}";

static const char pattern_schema[] = "{\"type\":\"string\",\"pattern\":\"^[a-z]+-[0-9]{4}$\"}";

typedef struct bench {
    arvo_arena *arena;
    const arvo_schema *schema;
    const arvo_json *value;
    arvo_str text;
} bench;

static double
now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
stop(const char *what, const arvo_error *err)
{
    (void)fprintf(stderr, "bench_contract: %s: %s\n", what, err->text);
    exit(1);
}

static const arvo_json *
parse(arvo_arena *arena, const char *text)
{
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(arvo_str_from(text), arena, &value, &err) != ARVO_OK)
        stop(text, &err);
    return value;
}

static arvo_schema *
compile(arvo_arena *arena, const char *text)
{
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(parse(arena, text), NULL, &schema, &err) != ARVO_OK)
        stop(text, &err);
    return schema;
}

/* ---- What is measured ----------------------------------------------------- */

static bool
run_check(bench *b)
{
    return arvo_schema_check(b->schema, b->value, b->arena, NULL, NULL) == ARVO_OK;
}

static bool
run_normalise(bench *b)
{
    const arvo_json *out = NULL;
    return arvo_schema_normalise(b->schema, b->value, b->arena, &out, NULL) == ARVO_OK;
}

static bool
run_parse(bench *b)
{
    const arvo_json *out = NULL;
    return arvo_json_parse(b->text, b->arena, &out, NULL) == ARVO_OK;
}

static bool
run_compile(bench *b)
{
    arvo_schema *schema = NULL;
    if (arvo_schema_compile(b->value, NULL, &schema, NULL) != ARVO_OK)
        return false;
    arvo_schema_free(schema);
    return true;
}

static int
by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
measure(bench *b, bool (*run)(bench *), size_t calls)
{
    double rounds[ROUNDS];
    const arvo_arena_mark mark = arvo_arena_mark_get(b->arena);
    for (size_t r = 0; r < ROUNDS; r++) {
        const double start = now_ns();
        for (size_t i = 0; i < calls; i++) {
            const bool ok = run(b);
            arvo_arena_rewind(b->arena, mark);
            if (!ok)
                stop("a call failed", &(arvo_error){ .text = "see the source" });
        }
        rounds[r] = (now_ns() - start) / (double)calls;
    }
    qsort(rounds, ROUNDS, sizeof(rounds[0]), by_value);
    return rounds[ROUNDS / 2];
}

static void
measure_data(arvo_arena *arena, const char *name, const char *schema_text, const char *data)
{
    arvo_schema *const schema = compile(arena, schema_text);
    bench b = {
        .arena = arena, .schema = schema, .value = parse(arena, data), .text = arvo_str_from(data)
    };
    const double parsed = measure(&b, run_parse, CALLS);
    const double checked = measure(&b, run_check, CALLS);
    const double normalised = measure(&b, run_normalise, CALLS);
    printf(
        "%-34s %5zu B  parse %6.0f ns  check %6.0f ns  normalise %6.0f ns  normalise/parse %.2f\n",
        name, b.text.len, parsed, checked, normalised, normalised / parsed);
    arvo_schema_free(schema);
}

/* Cost must grow with the value and no faster. */
static void
measure_growth(arvo_arena *arena, const char *name, const char *schema_text)
{
    printf("%-34s", name);
    arvo_schema *const schema = compile(arena, schema_text);
    for (int count = 10; count <= 10000; count *= 10) {
        arvo_json *const array = arvo_json_array_new(arena);
        for (int i = 0; i < count; i++)
            arvo_json_push(arena, array, arvo_json_int(arena, i));
        bench b = { .arena = arena, .schema = schema, .value = array };
        const double ns = measure(&b, run_check, 2000000u / (size_t)count / 10);
        printf("  %5d items %5.1f ns each", count, ns / count);
    }
    printf("\n");
    arvo_schema_free(schema);
}

int
main(void)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    if (arena == NULL)
        return 1;
    printf("contract: ns per call, median of %u rounds\n", ROUNDS);
    measure_data(arena, "charge, as declared", charge_schema, charge_data);
    measure_data(arena, "order, as declared", order_schema, order_clean);
    measure_data(arena, "order, to be normalised", order_schema, order_dirty);
    measure_data(arena, "pattern", pattern_schema, "\"abc-1234\"");
    bench b = { .arena = arena, .value = parse(arena, order_schema) };
    printf("%-34s %6.1f us\n", "compile the order's schema", measure(&b, run_compile, 5000) / 1e3);
    measure_growth(arena, "items", "{\"items\":{\"type\":\"integer\",\"minimum\":0}}");
    measure_growth(arena, "uniqueItems", "{\"uniqueItems\":true}");
    measure_growth(
        arena, "contains",
        "{\"contains\":{\"type\":\"string\"},\"minContains\":0,\"maxContains\":5}");
    arvo_arena_free(arena);
    return 0;
}
