/* Two schemas in a JSON array: examples and containment. Law: an example is accepted, a witness is
 * accepted by the one and refused by the other, what is contained has no example that is not; and
 * the contracts made of them compare in the same way. */

#include <stdint.h>
#include <stdlib.h>

#include <arvo/diff.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static bool
accepts(const arvo_json *schema, const arvo_json *value, arvo_arena *arena)
{
    arvo_schema *compiled = NULL;
    const arvo_json *ignored = NULL;
    CHECK(arvo_schema_compile(schema, NULL, &compiled, NULL) == ARVO_OK);
    const arvo_status st = arvo_schema_normalise(compiled, value, arena, &ignored, NULL);
    arvo_schema_free(compiled);
    return st == ARVO_OK;
}

static bool
compiles(const arvo_json *schema)
{
    arvo_schema *compiled = NULL;
    const bool is = arvo_schema_compile(schema, NULL, &compiled, NULL) == ARVO_OK;
    arvo_schema_free(compiled);
    return is;
}

static arvo_containment
containment_check(const arvo_json *inner, const arvo_json *outer, arvo_arena *arena)
{
    const arvo_schema_source a = { .schema = inner, .normalising = true };
    const arvo_schema_source b = { .schema = outer, .normalising = true };
    arvo_containment is = ARVO_UNDECIDED;
    const arvo_json *witness = NULL, *example = NULL;
    CHECK(arvo_schema_contained(&a, &b, arena, &is, &witness, NULL) == ARVO_OK);
    CHECK((witness != NULL) == (is == ARVO_NOT_CONTAINED));
    if (witness != NULL)
        CHECK(accepts(inner, witness, arena) && !accepts(outer, witness, arena));
    if (arvo_example_make(&a, NULL, arena, &example, NULL) != ARVO_OK)
        return is;
    CHECK(accepts(inner, example, arena));
    if (is == ARVO_CONTAINED)
        CHECK(accepts(outer, example, arena));
    return is;
}

static arvo_contracts *
contracts_of(const arvo_json *schema, arvo_arena *arena)
{
    arvo_json *const root = arvo_json_object_new(arena);
    arvo_json *const versions = arvo_json_object_new(arena);
    arvo_json *const version = arvo_json_object_new(arena);
    arvo_json_set(arena, version, ARVO_STR("accepts"), schema);
    arvo_json_set(arena, versions, ARVO_STR("1.0.0"), version);
    arvo_json_set(arena, root, ARVO_STR("kind"), arvo_json_string(arena, ARVO_STR("contract")));
    arvo_json_set(arena, root, ARVO_STR("uri"), arvo_json_string(arena, ARVO_STR("#/s")));
    arvo_json_set(arena, root, ARVO_STR("type"), arvo_json_string(arena, ARVO_STR("com.a.b")));
    arvo_json_set(arena, root, ARVO_STR("versions"), versions);
    arvo_contracts *const contracts = arvo_contracts_new(NULL);
    const arvo_document document = { .root = root, .first_line = 1 };
    CHECK(contracts != NULL);
    if (arvo_contracts_add(contracts, &document, NULL, NULL) == ARVO_OK)
        return contracts;
    arvo_contracts_unref(contracts);
    return NULL;
}

static void
diff_check(const arvo_json *was, const arvo_json *is, arvo_containment forward, arvo_arena *arena)
{
    arvo_contracts *const old_contracts = contracts_of(was, arena);
    arvo_contracts *const new_contracts = contracts_of(is, arena);
    arvo_diff diff = { 0 };
    if (old_contracts != NULL && new_contracts != NULL) {
        CHECK(arvo_contracts_diff(old_contracts, new_contracts, arena, &diff, NULL) == ARVO_OK);
        CHECK(diff.count == 1);
        if (forward == ARVO_NOT_CONTAINED)
            CHECK(diff.breaking == 1 && diff.entries[0].witness != NULL);
        if (forward == ARVO_CONTAINED)
            CHECK(diff.breaking == 0 && diff.unknown == 0);
    }
    arvo_contracts_unref(old_contracts);
    arvo_contracts_unref(new_contracts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    const arvo_json *pair = NULL;
    CHECK(arena != NULL);
    if (arvo_json_parse((arvo_str){ (const char *)data, size }, arena, &pair, NULL) == ARVO_OK &&
        arvo_json_type_of(pair) == ARVO_JSON_ARRAY && arvo_json_count(pair) == 2 &&
        compiles(arvo_json_at(pair, 0)) && compiles(arvo_json_at(pair, 1))) {
        const arvo_json *const was = arvo_json_at(pair, 0), *const is = arvo_json_at(pair, 1);
        const arvo_containment forward = containment_check(was, is, arena);
        (void)containment_check(is, was, arena);
        diff_check(was, is, forward, arena);
    }
    arvo_arena_free(arena);
    return 0;
}
