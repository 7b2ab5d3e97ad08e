/* Contract documents, as YAML or JSON; document i of the stream is also the schema "http://f/i".
 * Laws: a set holds what it took, by every name it goes by, and nothing of what it refused; the
 * schema of a rule, with what it refers to inside it, is a schema in turn. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/contract.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static arvo_status
document_find(void *self, arvo_str uri, const arvo_json **out, arvo_error *err)
{
    const arvo_document_list *const list = self;
    (void)err;
    const arvo_str prefix = ARVO_STR("http://f/");
    if (uri.len != prefix.len + 1 || !arvo_str_starts(uri, prefix))
        return ARVO_E_NOT_FOUND;
    const size_t i = (size_t)(unsigned char)uri.ptr[prefix.len] - '0';
    if (i >= list->count)
        return ARVO_E_NOT_FOUND;
    *out = list->items[i].root;
    return ARVO_OK;
}

static void
rule_check(const arvo_contract *contract, arvo_document_list *list)
{
    const arvo_event_rule *const rule = &arvo_contract_version_at(contract, 0)->accepts;
    const arvo_schema_opts opts = { .additional = arvo_contract_additional(contract),
                                    .find = document_find,
                                    .find_self = list };
    arvo_schema *schema = NULL;
    const arvo_status st = arvo_schema_compile(rule->schema_json, &opts, &schema, NULL);
    CHECK(st == ARVO_OK || st == ARVO_E_TOO_BIG);
    arvo_schema_free(schema);
}

static void
contract_check(const arvo_contracts *contracts, const arvo_contract *contract)
{
    CHECK(arvo_contracts_find(contracts, arvo_contract_uri(contract)) == contract);
    CHECK(arvo_contracts_find_type(contracts, arvo_contract_type(contract)) == contract);
    CHECK(arvo_event_type_is_valid(arvo_contract_type(contract)));
    const size_t count = arvo_contract_version_count(contract);
    CHECK(count > 0);
    CHECK(arvo_contract_version_find(contract, ARVO_STR("latest")) != NULL);
    CHECK(arvo_contract_version_find(contract, ARVO_STR("0.0.0")) == NULL);
    for (size_t i = 0; i < count; i++) {
        const arvo_contract_version *const version = arvo_contract_version_at(contract, i);
        CHECK(arvo_contract_version_find(contract, version->version) == version);
        CHECK(arvo_str_equal(version->accepts.type, arvo_contract_type(contract)));
        CHECK(!version->is_orchestrator || version->emit_count == 1);
        for (size_t k = 0; k < version->emit_count && k < 100; k++)
            CHECK(
                arvo_contract_version_emit_find(version, version->emits[k].type) ==
                &version->emits[k]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    arvo_contracts *const contracts = arvo_contracts_new(NULL);
    CHECK(arena != NULL && contracts != NULL);
    arvo_document_list list = { 0 };
    if (arvo_document_parse(
            ARVO_STR("-"), (arvo_str){ (const char *)data, size }, arena, &list, NULL) != ARVO_OK)
        list.count = 0;
    arvo_contracts_find_from(contracts, document_find, &list);
    for (size_t i = 0; i < list.count && i < 16; i++) {
        const size_t before = arvo_contracts_count(contracts);
        const arvo_contract *contract = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_contracts_add(contracts, &list.items[i], &contract, &err);
        CHECK(arvo_contracts_count(contracts) == before + (st == ARVO_OK));
        if (st == ARVO_OK) {
            contract_check(contracts, contract);
            rule_check(contract, &list);
        } else {
            CHECK(
                (strncmp(err.text, "-:", 2) == 0 && err.line >= 1) ||
                strncmp(err.text, "http://f/", 9) == 0);
        }
    }
    arvo_contracts_unref(contracts);
    arvo_arena_free(arena);
    return 0;
}
